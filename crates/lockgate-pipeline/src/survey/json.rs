//! The texts and numbers of a JSON text as columns.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use lockgate_detect::Context;

use super::{Column, Reader, VALUES_MAX, Work};

/// The texts and numbers of a JSON text by their path, repeated keys included.
pub(super) struct Walk<'w, 'r> {
    pub reader: &'w mut Reader<'r>,
    pub columns: &'w mut BTreeMap<String, Arc<Column>>,
    pub values: &'w mut Vec<(Arc<Column>, u64, String)>,
}

impl Walk<'_, '_> {
    /// False when it is no JSON; nothing was added then.
    pub(super) fn read(&mut self, text: &str) -> bool {
        if serde_json::from_str::<IgnoredAny>(text).is_err() {
            return false;
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        At { walk: self, path: String::new() }.deserialize(&mut deserializer).is_ok()
    }

    fn leaf(&mut self, path: &str, text: String) {
        const PATHS_MAX: usize = 2_000;
        let column = if let Some(column) = self.columns.get(path) {
            Arc::clone(column)
        } else if self.columns.len() < PATHS_MAX {
            let column = self.reader.column(Some(path));
            // Keys may be data, as in a map from people to numbers.
            self.values.push((
                self.reader.column_of(Some("key"), Context::default().without_names()),
                self.reader.rows,
                path.to_owned(),
            ));
            self.columns.insert(path.to_owned(), Arc::clone(&column));
            column
        } else {
            self.values.push((
                self.reader.column_of(Some("key"), Context::default().without_names()),
                self.reader.rows,
                path.to_owned(),
            ));
            self.reader.column_in(Some("(more paths)"), path)
        };
        self.values.push((column, self.reader.rows, text));
        if self.values.len() >= VALUES_MAX {
            (self.reader.send)(Work::Values(std::mem::take(self.values)));
        }
    }
}

/// The path below a path; of very long ones the last part is kept.
fn below(path: &str, separator: &str, key: &str) -> String {
    const PATH_BYTES_MAX: usize = 256;
    let joined = if path.is_empty() { key.to_owned() } else { format!("{path}{separator}{key}") };
    if joined.len() <= PATH_BYTES_MAX {
        return joined;
    }
    key.chars().take(PATH_BYTES_MAX / 4).collect()
}

/// One place in a JSON text. `serde_json` bounds the depth.
struct At<'a, 'w, 'r> {
    walk: &'a mut Walk<'w, 'r>,
    path: String,
}

impl<'de> DeserializeSeed<'de> for At<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let path = below(&self.path, ".", &key);
            map.next_value_seed(At { walk: self.walk, path })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<(), A::Error> {
        let path = below(&self.path, "", "[]");
        while seq.next_element_seed(At { walk: self.walk, path: path.clone() })?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<(), E> {
        self.walk.leaf(&self.path, text.to_owned());
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> std::result::Result<(), E> {
        self.walk.leaf(&self.path, number.to_string());
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> std::result::Result<(), E> {
        self.walk.leaf(&self.path, number.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> std::result::Result<(), E> {
        self.walk.leaf(&self.path, number.to_string());
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }
}
