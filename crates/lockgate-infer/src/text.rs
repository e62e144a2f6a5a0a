//! Words: `StringSplit` (opset 20) and `TfIdfVectorizer` for single words, as bags of words use
//! them.

use std::collections::HashMap;

use lockgate_core::{Failure, Result};

use crate::{
    ops::Attributes,
    tensor::{Data, Tensor},
};

/// Words of all rows, padding included: one long text makes every row as long.
const WORDS_MAX: usize = 1 << 21;

/// Reads `StringSplit`; an empty delimiter means runs of white space.
pub(crate) fn split_delimiter(a: &mut Attributes<'_>) -> Result<String> {
    if a.int("maxsplit", -1) != -1 {
        return Err(Failure::input("StringSplit with maxsplit is not supported"));
    }
    Ok(a.string("delimiter")?.unwrap_or_default())
}

/// Splits each text; rows with fewer words than the longest end in empty ones.
pub(crate) fn split(texts: &Tensor, delimiter: &str) -> Result<Vec<Tensor>> {
    let Data::Text(values) = &texts.data else {
        return Err(Failure::input("StringSplit needs text"));
    };
    let words: Vec<Vec<&str>> = values
        .iter()
        .map(
            |text| {
                if delimiter.is_empty() { text.split_whitespace().collect() } else { text.split(delimiter).collect() }
            },
        )
        .collect();
    let longest = words.iter().map(Vec::len).max().unwrap_or(0);
    if longest.saturating_mul(values.len()) > WORDS_MAX {
        return Err(Failure::input("the texts have too many words to be answered at once")
            .hint("send fewer rows, or shorter texts"));
    }
    let padded = words
        .iter()
        .flat_map(|row| row.iter().copied().chain(std::iter::repeat_n("", longest - row.len())).map(str::to_owned));
    let mut shape = texts.shape.clone();
    shape.push(longest);
    let counts = words.iter().map(|row| row.len() as i64).collect();
    Ok(vec![Tensor::texts(shape, padded.collect()), Tensor::ints(texts.shape.clone(), counts)])
}

/// How often each word of a vocabulary stands in a row.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    places: HashMap<String, usize>,
    width: usize,
}

impl Counter {
    /// Reads `TfIdfVectorizer`, of which only counts of single words are supported.
    pub(crate) fn read(a: &mut Attributes<'_>) -> Result<Self> {
        let refused = |what: &str| Failure::input(format!("TfIdfVectorizer with {what} is not supported"));
        if a.string("mode")?.as_deref() != Some("TF") {
            return Err(refused("a mode other than TF"));
        }
        let lengths = (a.int("min_gram_length", 0), a.int("max_gram_length", 0), a.int("max_skip_count", 0));
        if lengths != (1, 1, 0) || a.ints("ngram_counts") != [0] {
            return Err(refused("more than single words"));
        }
        if !a.floats("weights").is_empty() {
            return Err(refused("weights"));
        }
        let (words, places) = (a.strings("pool_strings")?, a.ints("ngram_indexes"));
        let places = places.into_iter().map(|p| usize::try_from(p).ok()).collect::<Option<Vec<_>>>();
        let places =
            places.filter(|p| p.len() == words.len() && !p.is_empty()).ok_or_else(|| refused("such a pool"))?;
        let width = places.iter().max().map_or(0, |last| last + 1);
        if width > words.len() {
            return Err(refused("gaps between its columns"));
        }
        Ok(Self { places: words.into_iter().zip(places).collect(), width })
    }

    pub(crate) fn count(&self, words: &Tensor) -> Result<Tensor> {
        let Data::Text(values) = &words.data else {
            return Err(Failure::input("TfIdfVectorizer needs words"));
        };
        let (rows, length) = words.rows();
        let mut counts = vec![0f32; rows * self.width];
        if length > 0 && self.width > 0 {
            for (row, slots) in values.chunks(length).zip(counts.chunks_mut(self.width)) {
                for word in row {
                    if let Some(slot) = self.places.get(word).and_then(|place| slots.get_mut(*place)) {
                        *slot += 1.0;
                    }
                }
            }
        }
        Ok(Tensor::floats(vec![rows, self.width], counts))
    }
}
