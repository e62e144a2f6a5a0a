//! The file a profile is kept in: a magic word, the profile as JSON, the sketches as Apache
//! DataSketches writes them, and the SHA-256 of all of it.

use std::path::Path;

use lockgate_core::{Digest, Failure, Result, durable, limits};

use super::Profile;

const MAGIC: &[u8; 8] = b"LGPROF\0\x01";
const DIGEST_BYTES: usize = 32;

impl Profile {
    /// Whether a file with this start says that it is a profile, of whatever version.
    pub fn is_one(start: &[u8]) -> bool {
        MAGIC.get(..6).is_some_and(|word| start.starts_with(word))
    }

    /// The profile's bytes.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self).map_err(|_| Failure::bug("a profile could not be written as JSON"))?;
        let mut out = MAGIC.to_vec();
        put(&mut out, &json);
        for column in &self.columns {
            put(&mut out, &column.sketch);
        }
        let digest = Digest::of(&out);
        out.extend_from_slice(digest.as_bytes());
        Ok(out)
    }

    /// Reads a profile's bytes; `file` names them in errors.
    pub fn decode(bytes: &[u8], file: &str) -> Result<Self> {
        let broken = || {
            Failure::integrity(format!("{file} is damaged"))
                .hint("make the profile again with `lockgate profile --out`")
        };
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            return Err(
                Failure::input(format!("{file} is not a profile")).hint("`lockgate profile DATA --out FILE` makes one")
            );
        };
        let body = bytes.len().checked_sub(DIGEST_BYTES).and_then(|end| bytes.split_at_checked(end));
        let (body, digest) = body.ok_or_else(broken)?;
        if Digest::of(body).as_bytes().as_slice() != digest {
            return Err(broken());
        }
        let mut rest = rest.get(..rest.len().saturating_sub(DIGEST_BYTES)).ok_or_else(broken)?;
        let json = take(&mut rest).ok_or_else(broken)?;
        let mut profile: Self = serde_json::from_slice(json).map_err(|_| broken())?;
        for column in &mut profile.columns {
            column.sketch = take(&mut rest).ok_or_else(broken)?.to_vec();
        }
        if !rest.is_empty() || !profile.is_sound() {
            return Err(broken());
        }
        Ok(profile)
    }

    pub fn read(path: &Path) -> Result<Self> {
        let size = std::fs::metadata(path).map_err(|e| Failure::io("open", path, &e))?.len();
        if size > limits::DOCUMENT_BYTES_MAX {
            return Err(Failure::input(format!("{} is larger than any profile", path.display())));
        }
        let bytes = std::fs::read(path).map_err(|e| Failure::io("read", path, &e))?;
        Self::decode(&bytes, &path.display().to_string())
    }

    /// Writes the profile whole or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        durable::write(path, &self.encode()?, durable::Readers::Anyone)
    }

    /// Whether everything in it can be: somebody may have written it by hand.
    fn is_sound(&self) -> bool {
        let columns = self.columns.len();
        columns <= limits::COLUMNS_MAX
            && self.columns.iter().all(|column| {
                let edges = &column.histogram.edges;
                let rising = edges.windows(2).all(|pair| matches!(pair, [a, b] if a <= b));
                let counts = &column.histogram.counts;
                rising
                    && counts.len() == edges.len().saturating_sub(1)
                    && counts
                        .iter()
                        .try_fold(0u64, |sum, count| sum.checked_add(*count))
                        .is_some_and(|sum| sum <= self.rows)
                    && (0.0..=1.0).contains(&column.rank_error)
                    && column.missing <= self.rows
                    && column.top.iter().try_fold(0u64, |sum, (_, count)| sum.checked_add(*count)).is_some()
            })
            && self.correlations.iter().all(|c| c.left < columns && c.right < columns)
            && self.missing_patterns.iter().all(|(places, _)| places.iter().all(|place| *place < columns))
    }
}

fn put(out: &mut Vec<u8>, part: &[u8]) {
    out.extend_from_slice(&(part.len() as u32).to_le_bytes());
    out.extend_from_slice(part);
}

fn take<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, tail) = rest.split_first_chunk::<4>()?;
    let (part, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = tail;
    Some(part)
}
