//! Python's syntax as the evaluation sees it: small, without positions of trivia, and
//! independent of the parser that made it.
//!
//! A parser is a [`Parser`]; there is one today, Ruff's, in `ruff.rs`.

use std::sync::Arc;

/// Turns text into a module.
pub trait Parser {
    fn parse(&self, text: &str) -> Result<Module, SyntaxError>;
}

/// Why a text is no module, and at which byte.
#[derive(Clone, Debug)]
pub struct SyntaxError {
    pub what: String,
    pub offset: u32,
}

#[derive(Debug, Default)]
pub struct Module {
    pub body: Vec<Stmt>,
    /// The first syntax error that the parser stepped over.
    pub error: Option<SyntaxError>,
}

/// Bytes of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

#[derive(Debug)]
pub struct Stmt {
    pub at: Span,
    pub node: StmtNode,
}

#[derive(Debug)]
pub enum StmtNode {
    Function(Arc<Function>),
    Class(Arc<ClassDef>),
    Return(Option<Expr>),
    /// Targets and value; `a = b = 1` has two targets.
    Assign(Vec<Expr>, Expr),
    /// `name: annotation = value`.
    Annotated(Expr, Expr, Option<Expr>),
    Augmented(Expr, Op, Expr),
    For(Expr, Expr, Vec<Stmt>, Vec<Stmt>),
    While(Expr, Vec<Stmt>, Vec<Stmt>),
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    With(Vec<(Expr, Option<Expr>)>, Vec<Stmt>),
    Match(Expr, Vec<Case>),
    Raise(Option<Expr>),
    /// Body, handlers (bound name and body), `else`, `finally`.
    Try(Vec<Stmt>, Vec<(Option<Arc<str>>, Vec<Stmt>)>, Vec<Stmt>, Vec<Stmt>),
    Assert(Expr),
    Import(Vec<(Arc<str>, Option<Arc<str>>)>),
    /// Module, level of dots, names with what they are bound to.
    ImportFrom(Option<Arc<str>>, u32, Vec<(Arc<str>, Option<Arc<str>>)>),
    Global(Vec<Arc<str>>),
    Delete(Vec<Expr>),
    Expr(Expr),
    /// A line of IPython: `%magic` or `!command`.
    Magic(Arc<str>, bool),
    Break,
    Continue,
    Pass,
}

#[derive(Debug)]
pub struct Case {
    pub bound: Vec<Arc<str>>,
    pub body: Vec<Stmt>,
}

#[derive(Debug)]
pub struct Function {
    pub name: Arc<str>,
    pub name_at: Span,
    pub parameters: Vec<Parameter>,
    pub variadic: Option<Arc<str>>,
    pub keywords: Option<Arc<str>>,
    pub body: Vec<Stmt>,
    /// A lambda's body.
    pub value: Option<Box<Expr>>,
    pub decorators: Vec<Expr>,
    pub is_generator: bool,
}

#[derive(Debug)]
pub struct Parameter {
    pub name: Arc<str>,
    pub at: Span,
    pub default: Option<Expr>,
    pub annotation: Option<Expr>,
    pub keyword_only: bool,
}

#[derive(Debug)]
pub struct ClassDef {
    pub name: Arc<str>,
    pub at: Span,
    pub bases: Vec<Expr>,
    pub keywords: Vec<(Option<Arc<str>>, Expr)>,
    pub body: Vec<Stmt>,
    pub decorators: Vec<Expr>,
}

#[derive(Debug)]
pub struct Expr {
    pub at: Span,
    pub node: Node,
}

#[derive(Debug)]
pub enum Node {
    Str(Arc<str>),
    Bytes(Arc<[u8]>),
    Int(i64),
    /// An integer beyond 64 bits, as it is written.
    Large(Arc<str>),
    Float(f64),
    Bool(bool),
    None,
    Name(Arc<str>),
    Attribute(Box<Expr>, Arc<str>),
    Index(Box<Expr>, Box<Expr>),
    Slice(Option<Box<Expr>>, Option<Box<Expr>>, Option<Box<Expr>>),
    Call(Box<Call>),
    /// An f-string.
    Format(Vec<Part>),
    Binary(Box<Expr>, Op, Box<Expr>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Unary(Box<Expr>),
    Compare(Box<Expr>, Vec<(Cmp, Expr)>),
    /// `and` and `or`.
    Logic(Vec<Expr>, Logic),
    Conditional(Box<Expr>, Box<Expr>, Box<Expr>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Set(Vec<Expr>),
    /// A key that is absent stands for `**value`.
    Dict(Vec<(Option<Expr>, Expr)>),
    Starred(Box<Expr>),
    Comprehension(Box<Comprehension>),
    Lambda(Arc<Function>),
    Walrus(Box<Expr>, Box<Expr>),
    Await(Box<Expr>),
    Yield(Option<Box<Expr>>),
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logic {
    And,
    Or,
}

#[derive(Debug)]
pub enum Part {
    Literal(Span, Arc<str>),
    /// A value with its conversion (`!r`) and format, when that is known text.
    Value(Expr, Option<char>, Arc<str>),
}

#[derive(Debug)]
pub struct Call {
    pub function: Expr,
    pub positional: Vec<Expr>,
    pub keywords: Vec<(Option<Arc<str>>, Expr)>,
}

#[derive(Debug)]
pub struct Comprehension {
    pub kind: Collection,
    pub key: Option<Expr>,
    pub element: Expr,
    pub generators: Vec<(Expr, Expr, Vec<Expr>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collection {
    List,
    Set,
    Dict,
    Generator,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Xor,
    ShiftRight,
    ShiftLeft,
    And,
    Or,
    Power,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cmp {
    Equal,
    NotEqual,
    In,
    NotIn,
    Other,
}
