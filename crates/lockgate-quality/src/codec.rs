//! How states are written: JSON has no infinity, so numbers that may be infinite are bits.

/// A float as the bits of IEEE 754, in hexadecimal.
pub(crate) mod float {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{:016x}", value.to_bits()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bits =
            u64::from_str_radix(&text, 16).map_err(|_| D::Error::custom("a number is not sixteen hex digits"))?;
        Ok(f64::from_bits(bits))
    }
}
