//! From the text of a template to its nodes.

use std::{ops::Range, rc::Rc, sync::Arc};

use super::{DEPTH_MAX, Stopped};
use crate::value::{Kind, Text};

/// A parsed template and what it defines by name.
#[derive(Debug)]
pub struct Template {
    pub nodes: Vec<Node>,
    pub defined: Vec<(String, Rc<Vec<Node>>)>,
}

#[derive(Debug)]
pub enum Node {
    Text(Range<usize>, Rc<str>),
    Action(Pipe, Range<usize>),
    If { branches: Vec<(Pipe, Vec<Node>)>, otherwise: Vec<Node> },
    With { pipe: Pipe, body: Vec<Node>, otherwise: Vec<Node> },
    Range { pipe: Pipe, body: Vec<Node>, otherwise: Vec<Node> },
    Template { name: String, argument: Option<Pipe>, at: Range<usize> },
    Break,
    Continue,
}

/// `$name := first | second`.
#[derive(Debug, Default)]
pub struct Pipe {
    pub names: Vec<Arc<str>>,
    /// Whether the name is one that was declared before.
    pub assigns: bool,
    pub commands: Rc<Vec<Command>>,
}

pub type Command = Vec<Expr>;

#[derive(Debug)]
pub enum Expr {
    Dot,
    Nil,
    Literal(Kind, Range<usize>),
    /// `.a.b`
    Field(Vec<Arc<str>>),
    /// `$name.a.b`
    Variable(Arc<str>, Vec<Arc<str>>),
    /// `(pipe).a.b`
    Paren(Pipe, Vec<Arc<str>>),
    Function(Arc<str>),
}

/// Parses the text of a template.
pub fn parse(text: &str) -> Result<Template, Stopped> {
    let mut parser = Parser { pieces: split(text)?.into_iter(), defined: Vec::new() };
    let (nodes, end) = parser.nodes(0)?;
    if end.is_some() {
        return Err(Stopped("a block ends that did not begin"));
    }
    Ok(Template { nodes, defined: parser.defined })
}

enum Slice<'t> {
    Text(Range<usize>, &'t str),
    /// What stands between the braces, and where all of it stands.
    Action(Range<usize>, &'t str, usize),
}

/// Texts and actions in turn; `{{-` and `-}}` take the white space beside them.
fn split(text: &str) -> Result<Vec<Slice<'_>>, Stopped> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut trims = false;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let open = rest.find("{{");
        let mut piece = rest.get(..open.unwrap_or(rest.len())).unwrap_or_default();
        let mut start = at;
        if trims {
            let trimmed = piece.trim_start();
            start += piece.len() - trimmed.len();
            piece = trimmed;
        }
        let Some(open) = open else {
            out.push(Slice::Text(start..start + piece.len(), piece));
            return Ok(out);
        };
        let inner_at = at + open + 2;
        let inner = text.get(inner_at..).unwrap_or_default();
        let trims_before = inner.starts_with('-') && inner.get(1..2).is_some_and(|c| c.trim().is_empty());
        if trims_before {
            piece = piece.trim_end();
        }
        out.push(Slice::Text(start..start + piece.len(), piece));
        let skip = usize::from(trims_before);
        let body = inner.get(skip..).unwrap_or_default();
        let length = end_of(body).ok_or(Stopped("an action does not end"))?;
        let mut action = body.get(..length).unwrap_or_default();
        trims = action.ends_with('-')
            && action.len() > 1
            && action.get(..action.len() - 1).is_some_and(|a| a.ends_with(char::is_whitespace) || a.ends_with("*/"));
        if trims {
            action = action.get(..action.len() - 1).unwrap_or_default();
        }
        let end = inner_at + skip + length + 2;
        out.push(Slice::Action(at + open..end, action, inner_at + skip));
        at = end;
    }
}

/// Where an action ends: at the braces that are in no text and no comment.
fn end_of(body: &str) -> Option<usize> {
    if body.trim_start().starts_with("/*") {
        let comment = body.find("*/")?;
        return body.get(comment..)?.find("}}").map(|end| comment + end);
    }
    let bytes = body.as_bytes();
    let mut quote = None;
    let mut i = 0;
    while i < bytes.len() {
        let byte = *bytes.get(i)?;
        match quote {
            Some(b'"' | b'\'') if byte == b'\\' => i += 1,
            Some(q) if byte == q => quote = None,
            Some(_) => {}
            None if matches!(byte, b'"' | b'`' | b'\'') => quote = Some(byte),
            None if byte == b'}' && bytes.get(i + 1) == Some(&b'}') => return Some(i),
            None => {}
        }
        i += 1;
    }
    None
}

struct Parser<'t> {
    pieces: std::vec::IntoIter<Slice<'t>>,
    defined: Vec<(String, Rc<Vec<Node>>)>,
}

/// What ended a list of nodes.
enum End {
    End,
    Else(Option<(&'static str, Pipe)>),
}

impl Parser<'_> {
    fn nodes(&mut self, depth: usize) -> Result<(Vec<Node>, Option<End>), Stopped> {
        if depth > DEPTH_MAX {
            return Err(Stopped("its blocks are nested more than 40 levels deep"));
        }
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let (at, action, offset) = match piece {
                Slice::Text(at, text) => {
                    if !text.is_empty() {
                        nodes.push(Node::Text(at, text.into()));
                    }
                    continue;
                }
                Slice::Action(at, action, offset) => (at, action, offset),
            };
            let lead = action.len() - action.trim_start().len();
            let action = action.trim();
            if action.is_empty() || action.starts_with("/*") {
                continue;
            }
            let (word, rest) = action
                .split_once(|c: char| c.is_whitespace() || c == '(')
                .map_or((action, ""), |(w, _)| (w, action.get(w.len()..).unwrap_or_default()));
            let rest_at = offset + lead + word.len();
            match word {
                "if" => {
                    let node = self.conditional(pipe(rest, rest_at, depth)?, depth)?;
                    nodes.push(node);
                }
                "with" | "range" => {
                    let pipe = pipe(rest, rest_at, depth)?;
                    let (body, end) = self.nodes(depth + 1)?;
                    let otherwise = match end {
                        Some(End::Else(inner)) => self.otherwise(inner, depth)?,
                        _ => Vec::new(),
                    };
                    nodes.push(if word == "with" {
                        Node::With { pipe, body, otherwise }
                    } else {
                        Node::Range { pipe, body, otherwise }
                    });
                }
                "define" | "block" => {
                    let mut lexer = Lexer { text: rest, at: 0, offset: rest_at };
                    let name = lexer.text_literal().ok_or(Stopped("a definition has no name"))?;
                    let argument = rest.get(lexer.at..).unwrap_or_default();
                    let argument = pipe(argument, rest_at + lexer.at, depth)?;
                    let (body, _) = self.nodes(depth + 1)?;
                    self.defined.push((name.clone(), Rc::new(body)));
                    if word == "block" {
                        nodes.push(Node::Template { name, argument: Some(argument), at });
                    }
                }
                "template" => {
                    let mut lexer = Lexer { text: rest, at: 0, offset: rest_at };
                    let name = lexer.text_literal().ok_or(Stopped("a template is called without a name"))?;
                    let argument = rest.get(lexer.at..).unwrap_or_default();
                    let argument = (!argument.trim().is_empty()).then(|| pipe(argument, rest_at + lexer.at, depth));
                    nodes.push(Node::Template { name, argument: argument.transpose()?, at });
                }
                "end" => return Ok((nodes, Some(End::End))),
                "else" => {
                    let lead = rest.len() - rest.trim_start().len();
                    let rest = rest.trim();
                    let inner = match rest.split_once(char::is_whitespace) {
                        Some(("if", condition)) => Some(("if", pipe(condition, rest_at + lead + 3, depth)?)),
                        Some(("with", condition)) => Some(("with", pipe(condition, rest_at + lead + 5, depth)?)),
                        _ => None,
                    };
                    return Ok((nodes, Some(End::Else(inner))));
                }
                "break" => nodes.push(Node::Break),
                "continue" => nodes.push(Node::Continue),
                _ => nodes.push(Node::Action(pipe(action, offset + lead, depth)?, at)),
            }
        }
        Ok((nodes, None))
    }

    /// `if` with its `else if`s, without recursion for each of them.
    fn conditional(&mut self, first: Pipe, depth: usize) -> Result<Node, Stopped> {
        let mut branches = Vec::new();
        let mut condition = first;
        loop {
            let (body, end) = self.nodes(depth + 1)?;
            branches.push((condition, body));
            match end {
                Some(End::Else(Some(("if", next)))) => condition = next,
                Some(End::Else(inner)) => {
                    let otherwise = self.otherwise(inner, depth)?;
                    return Ok(Node::If { branches, otherwise });
                }
                _ => return Ok(Node::If { branches, otherwise: Vec::new() }),
            }
        }
    }

    fn otherwise(&mut self, inner: Option<(&'static str, Pipe)>, depth: usize) -> Result<Vec<Node>, Stopped> {
        match inner {
            None => Ok(self.nodes(depth + 1)?.0),
            Some(("if", condition)) => Ok(vec![self.conditional(condition, depth + 1)?]),
            Some((_, pipe)) => {
                let (body, end) = self.nodes(depth + 1)?;
                let otherwise = match end {
                    Some(End::Else(inner)) if depth < DEPTH_MAX => self.otherwise(inner, depth + 1)?,
                    _ => Vec::new(),
                };
                Ok(vec![Node::With { pipe, body, otherwise }])
            }
        }
    }
}

fn pipe(text: &str, offset: usize, depth: usize) -> Result<Pipe, Stopped> {
    let mut lexer = Lexer { text, at: 0, offset };
    let pipe = lexer.pipe(depth)?;
    if lexer.peek().is_some() {
        return Err(Stopped("an action goes on after its end"));
    }
    Ok(pipe)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    /// Where the text stands in the file.
    offset: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next character that is no white space.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.rest().chars().next()
    }

    fn word(&mut self) -> String {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default().to_owned();
        self.at += end;
        word
    }

    /// `.a.b` right here, without white space.
    fn fields(&mut self) -> Vec<Arc<str>> {
        let mut path = Vec::new();
        while self.rest().starts_with('.') && self.rest().chars().nth(1).is_some_and(|c| c.is_alphabetic() || c == '_')
        {
            self.at += 1;
            path.push(self.word().into());
        }
        path
    }

    fn text_literal(&mut self) -> Option<String> {
        let quote = self.peek().filter(|c| matches!(c, '"' | '`'))?;
        let mut chars = self.rest().char_indices().skip(1);
        let mut out = String::new();
        while let Some((i, c)) = chars.next() {
            match c {
                _ if c == quote => {
                    self.at += i + 1;
                    return Some(out);
                }
                '\\' if quote == '"' => match chars.next()?.1 {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    'r' => out.push('\r'),
                    other => out.push(other),
                },
                _ => out.push(c),
            }
        }
        None
    }

    fn pipe(&mut self, depth: usize) -> Result<Pipe, Stopped> {
        if depth > DEPTH_MAX {
            return Err(Stopped("its parentheses are nested more than 40 levels deep"));
        }
        let mut pipe = Pipe::default();
        // `$a, $b := ` and `$a = `.
        let start = self.at;
        let mut names: Vec<Arc<str>> = Vec::new();
        while self.peek() == Some('$') {
            self.at += 1;
            names.push(format!("${}", self.word()).into());
            match self.peek() {
                Some(',') => self.at += 1,
                Some(':') if self.rest().starts_with(":=") => {
                    self.at += 2;
                    pipe.names = std::mem::take(&mut names);
                    break;
                }
                Some('=') => {
                    self.at += 1;
                    pipe.names = std::mem::take(&mut names);
                    pipe.assigns = true;
                    break;
                }
                _ => break,
            }
        }
        if pipe.names.is_empty() {
            self.at = start;
        }
        let mut commands = Vec::new();
        let mut command = Vec::new();
        loop {
            match self.peek() {
                None | Some(')') => break,
                Some('|') => {
                    self.at += 1;
                    commands.push(std::mem::take(&mut command));
                }
                Some(_) => command.push(self.expr(depth)?),
            }
        }
        if !command.is_empty() {
            commands.push(command);
        }
        pipe.commands = Rc::new(commands);
        Ok(pipe)
    }

    fn expr(&mut self, depth: usize) -> Result<Expr, Stopped> {
        let start = self.at;
        let Some(first) = self.peek() else { return Ok(Expr::Nil) };
        Ok(match first {
            '(' => {
                self.at += 1;
                let inner = self.pipe(depth + 1)?;
                if self.peek() != Some(')') {
                    return Err(Stopped("a parenthesis does not end"));
                }
                self.at += 1;
                Expr::Paren(inner, self.fields())
            }
            '"' | '`' => {
                let text = self.text_literal().ok_or(Stopped("a text does not end"))?;
                let at = self.offset + start..self.offset + self.at;
                Expr::Literal(Kind::Str(Text::Known(text.into())), at)
            }
            '\'' => {
                let c = self.rest().chars().nth(1).unwrap_or('\0');
                let end = self.rest().get(1..).and_then(|r| r.find('\'')).ok_or(Stopped("a character does not end"))?;
                self.at += end + 2;
                Expr::Literal(Kind::Int(i64::from(u32::from(c))), 0..0)
            }
            '$' => {
                self.at += 1;
                let name = format!("${}", self.word());
                Expr::Variable(name.into(), self.fields())
            }
            '.' => {
                let path = self.fields();
                if path.is_empty() {
                    self.at += 1;
                    Expr::Dot
                } else {
                    Expr::Field(path)
                }
            }
            c if c.is_ascii_digit() || matches!(c, '-' | '+') => {
                let rest = self.rest();
                let end = rest
                    .char_indices()
                    .find(|(i, c)| *i > 0 && !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_'))
                    .map_or(rest.len(), |(i, _)| i);
                let number = rest.get(..end).unwrap_or_default().to_owned();
                self.at += end;
                let kind = match (number.parse::<i64>(), number.parse::<f64>()) {
                    (Ok(n), _) => Kind::Int(n),
                    (_, Ok(n)) => Kind::Float(n),
                    _ => return Err(Stopped("a number is none")),
                };
                Expr::Literal(kind, 0..0)
            }
            c if c.is_alphabetic() || c == '_' => match self.word().as_str() {
                "true" => Expr::Literal(Kind::Bool(true), 0..0),
                "false" => Expr::Literal(Kind::Bool(false), 0..0),
                "nil" => Expr::Nil,
                name => Expr::Function(name.into()),
            },
            _ => return Err(Stopped("a character in an action is none of the language")),
        })
    }
}
