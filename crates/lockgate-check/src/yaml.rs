//! YAML and JSON with the place of every value.
//!
//! Documents are held to limits: depth, nodes, and what aliases repeat. Positions are bytes of
//! the text.

use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::{
    source::Place,
    value::{Kind, Text, Trace, Val, literal},
};

const DEPTH_MAX: usize = 64;
/// Most nodes of a file, those that aliases repeat included.
const NODES_MAX: usize = 500_000;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    pub start: usize,
    pub end: usize,
    /// A tag of one's own, such as `!Sub` or `!vault`.
    pub tag: Option<Rc<str>>,
    pub data: Data,
    /// The way that led here, where the text was rendered from a template.
    pub from: Trace,
    /// The file that it is of, where that is not the one that is read.
    pub file: Option<u32>,
}

#[derive(Clone, Debug)]
pub enum Data {
    Scalar(Rc<str>, Style),
    List(Rc<[Node]>),
    Map(Rc<[(Node, Node)]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Quoted,
}

impl Node {
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(k, _)| k.str() == Some(key)).map(|(_, v)| v)
    }

    /// The value of a path such as `spec.template.spec`.
    pub fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    pub fn entries(&self) -> &[(Self, Self)] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    pub fn items(&self) -> &[Self] {
        match &self.data {
            Data::List(items) => items,
            _ => &[],
        }
    }

    /// Its text, numbers and switches as they are written.
    pub fn str(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    pub fn bool(&self) -> Option<bool> {
        match self.str()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    pub fn place(&self, file: u32) -> Place {
        Place::new(self.file.unwrap_or(file), self.start, self.end)
    }

    /// The same with the file that it is of, at the places that `at` tells.
    pub fn of_file(&self, file: u32, at: &dyn Fn(&Self) -> (usize, usize)) -> Self {
        let (start, end) = at(self);
        let data = match &self.data {
            Data::List(items) => Data::List(items.iter().map(|item| item.of_file(file, at)).collect()),
            Data::Map(entries) => {
                Data::Map(entries.iter().map(|(k, v)| (k.of_file(file, at), v.of_file(file, at))).collect())
            }
            scalar @ Data::Scalar(..) => scalar.clone(),
        };
        Self { start, end, tag: self.tag.clone(), data, from: self.from.clone(), file: Some(file) }
    }

    /// The way that led here; it begins at its place where there is none before.
    pub fn way(&self, file: u32) -> Trace {
        self.from.clone().or_else(|| literal(self.place(file)))
    }

    pub fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar(text, Style::Plain) if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// All nodes below, this one included, with the keys that lead to them.
    pub fn walk<'n>(&'n self, path: &mut Vec<&'n str>, visit: &mut impl FnMut(&[&'n str], &'n Self)) {
        visit(path, self);
        match &self.data {
            Data::Map(entries) => {
                for (key, value) in entries.iter() {
                    path.push(key.str().unwrap_or("?"));
                    value.walk(path, visit);
                    path.pop();
                }
            }
            Data::List(items) => {
                for item in items.iter() {
                    item.walk(path, visit);
                }
            }
            Data::Scalar(..) => {}
        }
    }
}

/// Why a text is no YAML, and at which byte.
#[derive(Debug)]
pub struct Error {
    pub what: String,
    pub offset: usize,
}

/// Reads all documents of a text.
pub fn parse(text: &str) -> Result<Vec<Node>, Error> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        text,
        anchors: hashbrown::HashMap::new(),
        nodes: 0,
        byte: 0,
        char: 0,
    };
    let mut documents = Vec::new();
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(documents),
            Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) | Event::Alias(_) => {
                let node = reader.node(event, span, 0)?;
                documents.push(node);
            }
            _ => {}
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    text: &'t str,
    anchors: hashbrown::HashMap<usize, (Node, usize)>,
    nodes: usize,
    byte: usize,
    char: usize,
}

impl<'t> Reader<'t> {
    /// The next event that is a part of a value; comments and the like are none.
    fn next(&mut self) -> Result<(Event<'t>, Span), Error> {
        loop {
            let (event, span) = self.any()?;
            let is_part = matches!(
                event,
                Event::Scalar(..)
                    | Event::SequenceStart(..)
                    | Event::SequenceEnd
                    | Event::MappingStart(..)
                    | Event::MappingEnd
                    | Event::Alias(_)
                    | Event::StreamEnd
                    | Event::DocumentStart(..)
                    | Event::DocumentEnd
            );
            if is_part {
                return Ok((event, span));
            }
        }
    }

    fn any(&mut self) -> Result<(Event<'t>, Span), Error> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let offset = self.byte_of(error.marker().byte_offset(), error.marker().index());
                Err(Error { what: error.info().clone(), offset })
            }
            None => Ok((Event::StreamEnd, Span::empty(granit_parser::Marker::new(0, 1, 0)))),
        }
    }

    /// The byte of a character's index; positions only move forward, so this is linear in all.
    fn byte_of(&mut self, byte: Option<usize>, index: usize) -> usize {
        if let Some(byte) = byte {
            return byte;
        }
        if index < self.char {
            (self.byte, self.char) = (0, 0);
        }
        let rest = self.text.get(self.byte..).unwrap_or_default();
        self.byte += rest.chars().take(index - self.char).map(char::len_utf8).sum::<usize>();
        self.char = index;
        self.byte
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Error> {
        let start = self.byte_of(span.start.byte_offset(), span.start.index());
        let end = self.byte_of(span.end.byte_offset(), span.end.index());
        let limit = |what: &str| Error { what: what.to_owned(), offset: start };
        if depth > DEPTH_MAX {
            return Err(limit("values are nested deeper than 64"));
        }
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(limit("it has more than 500,000 values, those that aliases repeat included"));
        }
        let own = |tag: Option<&granit_parser::Tag>| {
            tag.filter(|tag| !tag.is_yaml_core_schema()).map(|tag| Rc::from(format!("!{}", tag.suffix())))
        };
        let (anchor, node) = match event {
            Event::Scalar(value, style, anchor, tag) => {
                let style = if style == ScalarStyle::Plain { Style::Plain } else { Style::Quoted };
                (
                    anchor,
                    Node {
                        start,
                        end,
                        tag: own(tag.as_deref()),
                        data: Data::Scalar(Rc::from(&*value), style),
                        from: None,
                        file: None,
                    },
                )
            }
            Event::SequenceStart(_, anchor, tag) => {
                let mut items = Vec::new();
                let end = loop {
                    let (event, span) = self.next()?;
                    match event {
                        Event::SequenceEnd => break self.byte_of(span.end.byte_offset(), span.end.index()),
                        Event::StreamEnd => return Err(limit("a list does not end")),
                        event => items.push(self.node(event, span, depth + 1)?),
                    }
                };
                (
                    anchor,
                    Node {
                        start,
                        end,
                        tag: own(tag.as_deref()),
                        data: Data::List(items.into()),
                        from: None,
                        file: None,
                    },
                )
            }
            Event::MappingStart(_, anchor, tag) => {
                let mut entries: Vec<(Node, Node)> = Vec::new();
                let mut merged: Vec<(Node, Node)> = Vec::new();
                let end = loop {
                    let (event, span) = self.next()?;
                    match event {
                        Event::MappingEnd => break self.byte_of(span.end.byte_offset(), span.end.index()),
                        Event::StreamEnd => return Err(limit("a mapping does not end")),
                        event => {
                            let key = self.node(event, span, depth + 1)?;
                            let (event, span) = self.next()?;
                            let value = self.node(event, span, depth + 1)?;
                            if key.str() == Some("<<") {
                                let sources =
                                    if value.items().is_empty() { std::slice::from_ref(&value) } else { value.items() };
                                merged.extend(sources.iter().flat_map(|source| source.entries().iter().cloned()));
                                self.nodes += merged.len();
                            } else {
                                entries.push((key, value));
                            }
                        }
                    }
                };
                let mut known: hashbrown::HashSet<Rc<str>> = if merged.is_empty() {
                    hashbrown::HashSet::new()
                } else {
                    entries.iter().map(|(k, _)| text(k)).collect()
                };
                entries.extend(merged.into_iter().filter(|(key, _)| known.insert(text(key))));
                (
                    anchor,
                    Node {
                        start,
                        end,
                        tag: own(tag.as_deref()),
                        data: Data::Map(entries.into()),
                        from: None,
                        file: None,
                    },
                )
            }
            Event::Alias(id) => {
                let Some((node, size)) = self.anchors.get(&id) else {
                    return Err(limit("an alias has no anchor"));
                };
                self.nodes += size;
                return Ok(node.clone());
            }
            _ => return Err(limit("a value is missing")),
        };
        if anchor != 0 {
            let size = count(&node, 0);
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }
}

/// A key's text; keys that are none are all alike.
fn text(key: &Node) -> Rc<str> {
    match &key.data {
        Data::Scalar(text, _) => Rc::clone(text),
        _ => "".into(),
    }
}

fn count(node: &Node, depth: usize) -> usize {
    if depth > DEPTH_MAX {
        return 0;
    }
    1 + match &node.data {
        Data::Scalar(..) => 0,
        Data::List(items) => items.iter().map(|item| count(item, depth + 1)).sum(),
        Data::Map(entries) => entries.iter().map(|(k, v)| count(k, depth + 1) + count(v, depth + 1)).sum(),
    }
}

/// A node as a value whose way starts at its place.
pub fn value(node: &Node, file: u32, depth: usize) -> Val {
    match &node.data {
        Data::Scalar(text, style) => {
            if *style == Style::Plain {
                if node.is_null() {
                    return Val::none();
                }
                if let Ok(n) = text.parse::<i64>() {
                    return Val::new(Kind::Int(n));
                }
                if let Some(b) = node.bool() {
                    return Val::new(Kind::Bool(b));
                }
            }
            Val::text(Text::Known((&**text).into()), node.way(file))
        }
        _ if depth > DEPTH_MAX => Val::none(),
        Data::List(items) => Val::list(items.iter().map(|item| value(item, file, depth + 1)).collect()),
        Data::Map(entries) => Val::dict(
            entries.iter().map(|(k, v)| (value(k, file, depth + 1), value(v, file, depth + 1))).collect(),
            false,
        ),
    }
}
