//! Text of which parts may not be known.

use std::sync::Arc;

/// Text with holes where it is not known.
#[derive(Clone, Debug)]
pub enum Text {
    Known(Arc<str>),
    Parts(Arc<[Piece]>),
}

#[derive(Clone, Debug)]
pub enum Piece {
    Known(Arc<str>),
    /// Something that is only named, such as a secret.
    Reference(Arc<str>),
    Unknown(Arc<str>),
}

/// Stands for a hole in flattened text.
pub const HOLE: char = '\u{FFFC}';
/// Stands for a hole that is filled by a reference.
pub const REFERENCE: char = '\u{FFFB}';

impl Text {
    pub fn known(&self) -> Option<&str> {
        match self {
            Self::Known(text) => Some(text),
            Self::Parts(_) => None,
        }
    }

    /// The text with [`HOLE`] and [`REFERENCE`] where it is not known.
    pub fn flat(&self) -> Arc<str> {
        match self {
            Self::Known(text) => Arc::clone(text),
            Self::Parts(parts) => {
                let mut flat = String::new();
                for part in parts.iter() {
                    match part {
                        Piece::Known(text) => flat.push_str(text),
                        Piece::Reference(_) => flat.push(REFERENCE),
                        Piece::Unknown(_) => flat.push(HOLE),
                    }
                }
                flat.into()
            }
        }
    }

    /// The names of what fills its holes.
    pub fn holes(&self) -> Vec<Arc<str>> {
        match self {
            Self::Known(_) => Vec::new(),
            Self::Parts(parts) => parts
                .iter()
                .filter_map(|part| match part {
                    Piece::Known(_) => None,
                    Piece::Reference(name) | Piece::Unknown(name) => Some(Arc::clone(name)),
                })
                .collect(),
        }
    }

    pub fn pieces(&self) -> Vec<Piece> {
        match self {
            Self::Known(text) => vec![Piece::Known(Arc::clone(text))],
            Self::Parts(parts) => parts.to_vec(),
        }
    }

    pub fn of(pieces: Vec<Piece>) -> Self {
        let mut out: Vec<Piece> = Vec::with_capacity(pieces.len());
        for piece in pieces {
            match (&piece, out.last_mut()) {
                (Piece::Known(text), _) if text.is_empty() => {}
                (Piece::Known(text), Some(Piece::Known(last))) => *last = format!("{last}{text}").into(),
                _ => out.push(piece),
            }
        }
        match out.as_slice() {
            [] => Self::Known("".into()),
            [Piece::Known(text)] => Self::Known(Arc::clone(text)),
            _ => Self::Parts(out.into()),
        }
    }

    /// Text from its flat form; the holes keep the names of `names` in order.
    pub fn from_flat(flat: &str, names: &[Arc<str>]) -> Self {
        if !flat.contains([HOLE, REFERENCE]) {
            return Self::Known(flat.into());
        }
        let mut pieces = Vec::new();
        let mut names = names.iter();
        let mut text = String::new();
        for c in flat.chars() {
            if c == HOLE || c == REFERENCE {
                pieces.push(Piece::Known(std::mem::take(&mut text).into()));
                let name = names.next().cloned().unwrap_or_else(|| "?".into());
                pieces.push(if c == HOLE { Piece::Unknown(name) } else { Piece::Reference(name) });
            } else {
                text.push(c);
            }
        }
        pieces.push(Piece::Known(text.into()));
        Self::of(pieces)
    }

    /// Changes the known pieces, keeping the holes.
    pub fn map(&self, change: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Known(text) => Self::Known(change(text).into()),
            Self::Parts(parts) => Self::of(
                parts
                    .iter()
                    .map(|part| match part {
                        Piece::Known(text) => Piece::Known(change(text).into()),
                        other => other.clone(),
                    })
                    .collect(),
            ),
        }
    }
}
