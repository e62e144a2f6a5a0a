//! Ruff's parser behind [`Parser`]: the only file that knows its types.
//!
//! The parser and its trees recurse, so a text is held to limits before it is parsed: brackets,
//! blocks and operators that nest deeper than any real program's are refused by name. The
//! caller gives it a stack that these limits fit in ([`STACK_BYTES`]).

use std::sync::Arc;

use ruff_python_ast::{self as ast, token::TokenKind};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};
use ruff_text_size::{Ranged, TextRange};

use super::syntax::{
    Call, Case, ClassDef, Cmp, Collection, Comprehension, Expr, Function, Logic, Module, Node, Op, Parameter, Parser,
    Part, Span, Stmt, StmtNode, SyntaxError,
};

/// The stack that a thread needs which parses and evaluates.
pub const STACK_BYTES: usize = 256 << 20;
/// Deepest brackets, or replacement fields of f-strings.
const BRACKETS_MAX: usize = 200;
/// Most `elif` of a file: each is an `if` within the one before it.
const ELIFS_MAX: u32 = 2_000;
/// Deepest blocks.
const BLOCKS_MAX: u32 = 100;
/// Most operators and keywords without a comma or a new line between them that may nest.
const OPERATORS_MAX: u32 = 4_000;

#[derive(Clone, Copy, Debug)]
pub struct Ruff {
    pub notebook: bool,
}

impl Parser for Ruff {
    fn parse(&self, text: &str) -> Result<Module, SyntaxError> {
        let mode = if self.notebook { Mode::Ipython } else { Mode::Module };
        limits(text, mode)?;
        let parsed = parse_unchecked(text, ParseOptions::from(mode));
        let error = parsed
            .errors()
            .first()
            .map(|error| SyntaxError { what: error.error.to_string(), offset: error.location.start().to_u32() });
        let ast::Mod::Module(module) = parsed.syntax() else {
            return Err(SyntaxError { what: "it is not a module".to_owned(), offset: 0 });
        };
        Ok(Module { body: block(&module.body), error })
    }
}

/// Counts how deep the tree may become before there is one: what nests within brackets, and what
/// is chained beside them, as `a + b + c` and `a()()()` are.
fn limits(text: &str, mode: Mode) -> Result<(), SyntaxError> {
    let mut lexer = ruff_python_parser::lexer::lex(text, mode);
    // Operators since the last comma, by bracket; `total` is their sum.
    let mut levels = vec![0u32];
    let mut total = 0u32;
    let mut blocks = 0u32;
    let mut elifs = 0u32;
    loop {
        match lexer.next_token() {
            TokenKind::EndOfFile => return Ok(()),
            TokenKind::Lpar
            | TokenKind::Lsqb
            | TokenKind::Lbrace
            | TokenKind::FStringStart
            | TokenKind::TStringStart => levels.push(0),
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace | TokenKind::FStringEnd | TokenKind::TStringEnd => {
                if levels.len() > 1 {
                    total -= levels.pop().unwrap_or_default();
                }
                // A bracket behind a value is one more link of its chain.
                total += 1;
                if let Some(level) = levels.last_mut() {
                    *level += 1;
                }
            }
            TokenKind::Elif => elifs += 1,
            TokenKind::Indent => blocks += 1,
            TokenKind::Dedent => blocks = blocks.saturating_sub(1),
            TokenKind::Comma | TokenKind::Newline | TokenKind::Semi => {
                if let Some(level) = levels.last_mut() {
                    total -= std::mem::take(level);
                }
            }
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::String
            | TokenKind::NonLogicalNewline
            | TokenKind::Comment => {}
            _ => {
                total += 1;
                if let Some(level) = levels.last_mut() {
                    *level += 1;
                }
            }
        }
        let what = if levels.len() > BRACKETS_MAX {
            "brackets are nested deeper than 200"
        } else if elifs > ELIFS_MAX {
            "it has more than 2,000 `elif`"
        } else if blocks > BLOCKS_MAX {
            "blocks are nested deeper than 100"
        } else if total > OPERATORS_MAX {
            "an expression has more than 4,000 operators"
        } else {
            continue;
        };
        return Err(SyntaxError { what: what.to_owned(), offset: 0 });
    }
}

fn span(range: TextRange) -> Span {
    Span { start: range.start().to_u32(), end: range.end().to_u32() }
}

fn name(id: &ast::Identifier) -> Arc<str> {
    id.id.as_str().into()
}

fn block(body: &[ast::Stmt]) -> Vec<Stmt> {
    body.iter().map(stmt).collect()
}

fn boxed(e: &ast::Expr) -> Box<Expr> {
    Box::new(expr(e))
}

fn exprs(items: &[ast::Expr]) -> Vec<Expr> {
    items.iter().map(expr).collect()
}

fn stmt(s: &ast::Stmt) -> Stmt {
    let node = match s {
        ast::Stmt::FunctionDef(f) => StmtNode::Function(Arc::new(Function {
            name: name(&f.name),
            name_at: span(f.name.range()),
            body: block(&f.body),
            value: None,
            decorators: f.decorator_list.iter().map(|d| expr(&d.expression)).collect(),
            is_generator: yields(&f.body),
            ..parameters(Some(&f.parameters))
        })),
        ast::Stmt::ClassDef(c) => StmtNode::Class(Arc::new(ClassDef {
            name: name(&c.name),
            at: span(c.name.range()),
            bases: c.arguments.as_ref().map(|a| exprs(&a.args)).unwrap_or_default(),
            keywords: c.arguments.as_ref().map(|a| keywords(&a.keywords)).unwrap_or_default(),
            body: block(&c.body),
            decorators: c.decorator_list.iter().map(|d| expr(&d.expression)).collect(),
        })),
        ast::Stmt::Return(r) => StmtNode::Return(r.value.as_deref().map(expr)),
        ast::Stmt::Assign(a) => StmtNode::Assign(exprs(&a.targets), expr(&a.value)),
        ast::Stmt::AnnAssign(a) => {
            StmtNode::Annotated(expr(&a.target), expr(&a.annotation), a.value.as_deref().map(expr))
        }
        ast::Stmt::AugAssign(a) => StmtNode::Augmented(expr(&a.target), op(a.op), expr(&a.value)),
        ast::Stmt::TypeAlias(_) | ast::Stmt::Pass(_) => StmtNode::Pass,
        ast::Stmt::For(f) => StmtNode::For(expr(&f.target), expr(&f.iter), block(&f.body), block(&f.orelse)),
        ast::Stmt::While(w) => StmtNode::While(expr(&w.test), block(&w.body), block(&w.orelse)),
        ast::Stmt::If(i) => {
            // `elif` becomes an `if` in `else`; the last one is made first.
            let mut orelse: Vec<Stmt> = Vec::new();
            for clause in i.elif_else_clauses.iter().rev() {
                orelse = match &clause.test {
                    None => block(&clause.body),
                    Some(test) => {
                        vec![Stmt {
                            at: span(clause.range),
                            node: StmtNode::If(expr(test), block(&clause.body), orelse),
                        }]
                    }
                };
            }
            StmtNode::If(expr(&i.test), block(&i.body), orelse)
        }
        ast::Stmt::With(w) => StmtNode::With(
            w.items.iter().map(|item| (expr(&item.context_expr), item.optional_vars.as_deref().map(expr))).collect(),
            block(&w.body),
        ),
        ast::Stmt::Match(m) => StmtNode::Match(
            expr(&m.subject),
            m.cases
                .iter()
                .map(|case| {
                    let mut bound = Vec::new();
                    names_of(&case.pattern, &mut bound);
                    Case { bound, body: block(&case.body) }
                })
                .collect(),
        ),
        ast::Stmt::Raise(r) => StmtNode::Raise(r.exc.as_deref().map(expr)),
        ast::Stmt::Try(t) => StmtNode::Try(
            block(&t.body),
            t.handlers
                .iter()
                .map(|ast::ExceptHandler::ExceptHandler(h)| (h.name.as_ref().map(name), block(&h.body)))
                .collect(),
            block(&t.orelse),
            block(&t.finalbody),
        ),
        ast::Stmt::Assert(a) => StmtNode::Assert(expr(&a.test)),
        ast::Stmt::Import(i) => StmtNode::Import(aliases(&i.names)),
        ast::Stmt::ImportFrom(i) => StmtNode::ImportFrom(i.module.as_ref().map(name), i.level, aliases(&i.names)),
        ast::Stmt::Global(g) => StmtNode::Global(g.names.iter().map(name).collect()),
        ast::Stmt::Nonlocal(_) => StmtNode::Pass,
        ast::Stmt::Delete(d) => StmtNode::Delete(exprs(&d.targets)),
        ast::Stmt::Expr(e) => StmtNode::Expr(expr(&e.value)),
        ast::Stmt::Break(_) => StmtNode::Break,
        ast::Stmt::Continue(_) => StmtNode::Continue,
        ast::Stmt::IpyEscapeCommand(c) => {
            StmtNode::Magic((&*c.value).into(), matches!(c.kind, ast::IpyEscapeKind::Shell | ast::IpyEscapeKind::ShCap))
        }
    };
    Stmt { at: span(s.range()), node }
}

fn aliases(names: &[ast::Alias]) -> Vec<(Arc<str>, Option<Arc<str>>)> {
    names.iter().map(|alias| (name(&alias.name), alias.asname.as_ref().map(name))).collect()
}

fn keywords(keywords: &[ast::Keyword]) -> Vec<(Option<Arc<str>>, Expr)> {
    keywords.iter().map(|k| (k.arg.as_ref().map(name), expr(&k.value))).collect()
}

fn names_of(pattern: &ast::Pattern, out: &mut Vec<Arc<str>>) {
    use ast::Pattern as P;
    match pattern {
        P::MatchSequence(p) => p.patterns.iter().for_each(|p| names_of(p, out)),
        P::MatchMapping(p) => {
            p.patterns.iter().for_each(|p| names_of(p, out));
            out.extend(p.rest.as_ref().map(name));
        }
        P::MatchClass(p) => {
            p.arguments.patterns.iter().for_each(|p| names_of(p, out));
            p.arguments.keywords.iter().for_each(|k| names_of(&k.pattern, out));
        }
        P::MatchStar(p) => out.extend(p.name.as_ref().map(name)),
        P::MatchAs(p) => {
            p.pattern.iter().for_each(|p| names_of(p, out));
            out.extend(p.name.as_ref().map(name));
        }
        P::MatchOr(p) => p.patterns.iter().for_each(|p| names_of(p, out)),
        P::MatchValue(_) | P::MatchSingleton(_) => {}
    }
}

/// A function of these parameters and nothing else.
fn parameters(parameters: Option<&ast::Parameters>) -> Function {
    let mut all = Vec::new();
    if let Some(parameters) = parameters {
        let positional = parameters.posonlyargs.iter().chain(&parameters.args).map(|p| (p, false));
        for (p, keyword_only) in positional.chain(parameters.kwonlyargs.iter().map(|p| (p, true))) {
            all.push(Parameter {
                name: name(&p.parameter.name),
                at: span(p.parameter.name.range()),
                default: p.default.as_deref().map(expr),
                annotation: p.parameter.annotation.as_deref().map(expr),
                keyword_only,
            });
        }
    }
    Function {
        name: "<lambda>".into(),
        name_at: Span::default(),
        parameters: all,
        variadic: parameters.and_then(|p| p.vararg.as_ref()).map(|p| name(&p.name)),
        keywords: parameters.and_then(|p| p.kwarg.as_ref()).map(|p| name(&p.name)),
        body: Vec::new(),
        value: None,
        decorators: Vec::new(),
        is_generator: false,
    }
}

/// Whether a body yields, at the level of statements.
fn yields(body: &[ast::Stmt]) -> bool {
    body.iter().any(|s| match s {
        ast::Stmt::Expr(e) => matches!(&*e.value, ast::Expr::Yield(_) | ast::Expr::YieldFrom(_)),
        ast::Stmt::Assign(a) => matches!(&*a.value, ast::Expr::Yield(_)),
        ast::Stmt::For(f) => yields(&f.body),
        ast::Stmt::While(w) => yields(&w.body),
        ast::Stmt::If(i) => yields(&i.body) || i.elif_else_clauses.iter().any(|c| yields(&c.body)),
        ast::Stmt::With(w) => yields(&w.body),
        ast::Stmt::Try(t) => yields(&t.body),
        _ => false,
    })
}

fn op(op: ast::Operator) -> Op {
    match op {
        ast::Operator::Add => Op::Add,
        ast::Operator::Sub => Op::Subtract,
        ast::Operator::Mult => Op::Multiply,
        ast::Operator::Div => Op::Divide,
        ast::Operator::FloorDiv => Op::FloorDivide,
        ast::Operator::Mod => Op::Modulo,
        ast::Operator::BitXor => Op::Xor,
        ast::Operator::RShift => Op::ShiftRight,
        ast::Operator::LShift => Op::ShiftLeft,
        ast::Operator::BitAnd => Op::And,
        ast::Operator::BitOr => Op::Or,
        ast::Operator::Pow => Op::Power,
        ast::Operator::MatMult => Op::Other,
    }
}

fn cmp(op: ast::CmpOp) -> Cmp {
    match op {
        ast::CmpOp::Eq | ast::CmpOp::Is => Cmp::Equal,
        ast::CmpOp::NotEq | ast::CmpOp::IsNot => Cmp::NotEqual,
        ast::CmpOp::In => Cmp::In,
        ast::CmpOp::NotIn => Cmp::NotIn,
        _ => Cmp::Other,
    }
}

fn elements<'a>(items: impl Iterator<Item = &'a ast::InterpolatedStringElement>, out: &mut Vec<Part>) {
    for item in items {
        match item {
            ast::InterpolatedStringElement::Literal(l) => out.push(Part::Literal(span(l.range), (&*l.value).into())),
            ast::InterpolatedStringElement::Interpolation(i) => {
                let conversion = match i.conversion {
                    ast::ConversionFlag::Repr => Some('r'),
                    ast::ConversionFlag::Ascii => Some('a'),
                    ast::ConversionFlag::Str | ast::ConversionFlag::None => None,
                };
                let mut format = String::new();
                if let Some(spec) = &i.format_spec {
                    for element in &spec.elements {
                        if let ast::InterpolatedStringElement::Literal(l) = element {
                            format.push_str(&l.value);
                        }
                    }
                }
                if let Some(debug) = &i.debug_text {
                    let text = format!("{}{}{}", debug.leading(), "", debug.trailing());
                    out.push(Part::Literal(span(i.range), text.into()));
                }
                out.push(Part::Value(expr(&i.expression), conversion, format.into()));
            }
        }
    }
}

fn comprehension(
    kind: Collection,
    key: Option<&ast::Expr>,
    element: &ast::Expr,
    generators: &[ast::Comprehension],
) -> Node {
    Node::Comprehension(Box::new(Comprehension {
        kind,
        key: key.map(expr),
        element: expr(element),
        generators: generators.iter().map(|g| (expr(&g.target), expr(&g.iter), exprs(&g.ifs))).collect(),
    }))
}

fn expr(e: &ast::Expr) -> Expr {
    let node = match e {
        ast::Expr::BoolOp(b) => {
            Node::Logic(exprs(&b.values), if b.op == ast::BoolOp::And { Logic::And } else { Logic::Or })
        }
        ast::Expr::Named(n) => Node::Walrus(boxed(&n.target), boxed(&n.value)),
        ast::Expr::BinOp(b) => Node::Binary(boxed(&b.left), op(b.op), boxed(&b.right)),
        ast::Expr::UnaryOp(u) => match u.op {
            ast::UnaryOp::Not => Node::Not(boxed(&u.operand)),
            ast::UnaryOp::USub => Node::Negate(boxed(&u.operand)),
            _ => Node::Unary(boxed(&u.operand)),
        },
        ast::Expr::Lambda(l) => {
            Node::Lambda(Arc::new(Function { value: Some(boxed(&l.body)), ..parameters(l.parameters.as_deref()) }))
        }
        ast::Expr::If(i) => Node::Conditional(boxed(&i.test), boxed(&i.body), boxed(&i.orelse)),
        ast::Expr::Dict(d) => {
            Node::Dict(d.items.iter().map(|item| (item.key.as_ref().map(expr), expr(&item.value))).collect())
        }
        ast::Expr::Set(s) => Node::Set(exprs(&s.elts)),
        ast::Expr::ListComp(c) => comprehension(Collection::List, None, &c.elt, &c.generators),
        ast::Expr::SetComp(c) => comprehension(Collection::Set, None, &c.elt, &c.generators),
        ast::Expr::DictComp(c) => comprehension(Collection::Dict, c.key.as_deref(), &c.value, &c.generators),
        ast::Expr::Generator(c) => comprehension(Collection::Generator, None, &c.elt, &c.generators),
        ast::Expr::Await(a) => Node::Await(boxed(&a.value)),
        ast::Expr::Yield(y) => Node::Yield(y.value.as_deref().map(boxed)),
        ast::Expr::YieldFrom(y) => Node::Yield(Some(boxed(&y.value))),
        ast::Expr::Compare(c) => Node::Compare(
            boxed(&c.left),
            c.ops.iter().zip(&c.comparators).map(|(op, right)| (cmp(*op), expr(right))).collect(),
        ),
        ast::Expr::Call(c) => Node::Call(Box::new(Call {
            function: expr(&c.func),
            positional: exprs(&c.arguments.args),
            keywords: keywords(&c.arguments.keywords),
        })),
        ast::Expr::FString(f) => {
            let mut parts = Vec::new();
            for part in &f.value {
                match part {
                    ast::FStringPart::Literal(l) => parts.push(Part::Literal(span(l.range), (&*l.value).into())),
                    ast::FStringPart::FString(f) => elements(f.elements.iter(), &mut parts),
                }
            }
            Node::Format(parts)
        }
        ast::Expr::TString(t) => {
            let mut parts = Vec::new();
            elements(t.value.elements(), &mut parts);
            Node::Format(parts)
        }
        ast::Expr::StringLiteral(s) => Node::Str(s.value.to_str().into()),
        ast::Expr::BytesLiteral(b) => Node::Bytes(b.value.bytes().collect()),
        ast::Expr::NumberLiteral(n) => match &n.value {
            ast::Number::Int(i) => i.as_i64().map_or_else(|| Node::Large(i.to_string().into()), Node::Int),
            ast::Number::Float(f) => Node::Float(*f),
            ast::Number::Complex { .. } => Node::Other,
        },
        ast::Expr::BooleanLiteral(b) => Node::Bool(b.value),
        ast::Expr::NoneLiteral(_) => Node::None,
        ast::Expr::Attribute(a) => Node::Attribute(boxed(&a.value), name(&a.attr)),
        ast::Expr::Subscript(s) => Node::Index(boxed(&s.value), boxed(&s.slice)),
        ast::Expr::Starred(s) => Node::Starred(boxed(&s.value)),
        ast::Expr::Name(n) => Node::Name(n.id.as_str().into()),
        ast::Expr::List(l) => Node::List(exprs(&l.elts)),
        ast::Expr::Tuple(t) => Node::Tuple(exprs(&t.elts)),
        ast::Expr::Slice(s) => {
            Node::Slice(s.lower.as_deref().map(boxed), s.upper.as_deref().map(boxed), s.step.as_deref().map(boxed))
        }
        ast::Expr::EllipsisLiteral(_) | ast::Expr::IpyEscapeCommand(_) => Node::Other,
    };
    Expr { at: span(e.range()), node }
}
