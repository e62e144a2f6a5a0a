//! What texts and bytes do: methods, `%` and `format`.

use std::sync::Arc;

use super::{Interpreter, syntax::Span};
use crate::value::{Args, CHOICES_MAX, HOLE, How, Kind, Piece, REFERENCE, Text, Trace, Val, Why, joined};

/// A value as it stands in an f-string.
pub(super) fn formatted(val: &Val, conversion: Option<char>, format: &str) -> Vec<Piece> {
    let pieces = val.pieces();
    let [Piece::Known(text)] = pieces.as_slice() else { return pieces };
    let mut text = text.to_string();
    if matches!(conversion, Some('r' | 'a')) && matches!(val.kind, Kind::Str(_)) {
        text = format!("'{text}'");
    }
    // Width and precision; what else a format does keeps the value.
    let digits = format.trim_end_matches(char::is_alphabetic);
    if let (Ok(width), Kind::Int(n)) = (digits.parse::<usize>(), &val.kind)
        && width <= 64
    {
        text = match (format.chars().last(), digits.starts_with('0')) {
            (Some('x'), zero) => {
                if zero {
                    format!("{n:0width$x}")
                } else {
                    format!("{n:width$x}")
                }
            }
            (_, true) => format!("{n:0width$}"),
            (_, false) => format!("{n:width$}"),
        };
    } else if let (Some(kind @ ('o' | 'x' | 'X' | 'b')), Kind::Int(n)) = (format.chars().last(), &val.kind) {
        text = match kind {
            'o' => format!("{n:o}"),
            'x' => format!("{n:x}"),
            'X' => format!("{n:X}"),
            _ => format!("{n:b}"),
        };
    } else if let (Some('c'), Kind::Int(n)) = (format.chars().last(), &val.kind) {
        text = u32::try_from(*n).ok().and_then(char::from_u32).map(String::from).unwrap_or(text);
    }
    vec![Piece::Known(text.into())]
}

impl Interpreter<'_> {
    /// `format % value`.
    pub(super) fn percent(&mut self, format: &Text, left: &Val, right: &Val, at: Span) -> Val {
        let place = self.place(at);
        let mut traces = vec![left.trace.clone()];
        let mut values: Vec<Val> = match &right.kind {
            Kind::Tuple(items) => items.to_vec(),
            Kind::Dict(_) => Vec::new(),
            _ if right.as_text().is_some() => vec![right.clone()],
            Kind::Object(object) if &*object.callee == "\u{1}tuple" => object.args.positional.clone(),
            _ => vec![right.clone()],
        };
        values.reverse();
        let flat = format.flat();
        let holes = format.holes();
        let mut pieces = Vec::new();
        let mut rest: &str = &flat;
        let mut text = String::new();
        while let Some((before, after)) = rest.split_once('%') {
            text.push_str(before);
            let mut after = after;
            let mut value = None;
            if let Some(named) = after.strip_prefix('(')
                && let Some((name, tail)) = named.split_once(')')
            {
                value = match &right.kind {
                    Kind::Dict(dict) => dict.borrow().get(name).cloned(),
                    _ => None,
                };
                value = Some(value.unwrap_or_else(|| Val::unknown(Why::Name(name.into()), Some(place))));
                after = tail;
            }
            let spec = after.trim_start_matches(|c: char| c.is_ascii_digit() || "-+ #.".contains(c));
            match spec.chars().next() {
                Some('%') => text.push('%'),
                Some('s' | 'd' | 'i' | 'f' | 'r' | 'x' | 'c' | 'g' | 'e' | 'o') => {
                    let value =
                        value.or_else(|| values.pop()).unwrap_or_else(|| Val::unknown(Why::Expression, Some(place)));
                    pieces.push(Piece::Known(std::mem::take(&mut text).into()));
                    // One of several: the first stands in text. `%` takes all of its values at once.
                    pieces.extend(value.options().first().map(|v| formatted(v, None, "")).unwrap_or_default());
                    traces.push(value.trace.clone());
                    traces.extend(value.options().first().map(|v| v.trace.clone()));
                }
                _ => {
                    text.push('%');
                    rest = after;
                    continue;
                }
            }
            rest = spec.get(spec.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default();
        }
        text.push_str(rest);
        pieces.push(Piece::Known(text.into()));
        // Holes of the format itself keep their names.
        let mut named = holes.into_iter();
        let pieces = pieces
            .into_iter()
            .flat_map(|piece| match piece {
                Piece::Known(text) if text.contains([HOLE, REFERENCE]) => {
                    let names: Vec<Arc<str>> =
                        text.chars().filter(|c| [HOLE, REFERENCE].contains(c)).filter_map(|_| named.next()).collect();
                    Text::from_flat(&text, &names).pieces()
                }
                other => vec![other],
            })
            .collect();
        self.text(pieces, joined(place, How::Joined, traces), at)
    }

    /// `text.format(...)`.
    fn format_method(&mut self, text: &Text, receiver: &Val, args: &Args, at: Span) -> Val {
        let place = self.place(at);
        let options = |val: &Val| val.options().len();
        // Each argument that is one of several gives a text for each.
        let most = args.positional.iter().map(options).chain(args.keywords.iter().map(|(_, v)| options(v))).max();
        let mut out = Vec::new();
        for choice in 0..most.unwrap_or(1).min(CHOICES_MAX) {
            let pick = |val: &Val| {
                let options = val.options();
                options.get(choice.min(options.len() - 1)).cloned().unwrap_or_else(Val::none)
            };
            let mut traces = vec![receiver.trace.clone()];
            let mut pieces = Vec::new();
            let mut next = 0;
            for piece in text.pieces() {
                let Piece::Known(known) = piece else {
                    pieces.push(piece);
                    continue;
                };
                let mut rest: &str = &known;
                let mut literal = String::new();
                while let Some(open) = rest.find(['{', '}']) {
                    let (before, after) = rest.split_at(open);
                    literal.push_str(before);
                    if after.starts_with("{{") || after.starts_with("}}") {
                        literal.push_str(after.get(..1).unwrap_or_default());
                        rest = after.get(2..).unwrap_or_default();
                        continue;
                    }
                    let Some(close) = after.find('}').filter(|_| after.starts_with('{')) else {
                        literal.push_str(after);
                        rest = "";
                        break;
                    };
                    let field = after.get(1..close).unwrap_or_default();
                    rest = after.get(close + 1..).unwrap_or_default();
                    let (field, spec) = field.split_once(':').unwrap_or((field, ""));
                    let (field, conversion) = field.split_once('!').unwrap_or((field, ""));
                    let cut = field.find(['.', '[']).unwrap_or(field.len());
                    let (name, path) = field.split_at(cut);
                    let base = if name.is_empty() {
                        next += 1;
                        args.positional.get(next - 1).map(pick)
                    } else if let Ok(i) = name.parse::<usize>() {
                        args.positional.get(i).map(pick)
                    } else {
                        args.keyword(name).map(pick)
                    };
                    let mut val = base.unwrap_or_else(|| Val::unknown(Why::Name(field.into()), Some(place)));
                    for step in path.split(['.', '[', ']']).filter(|s| !s.is_empty()) {
                        val = if path.contains('[') {
                            let key = step.parse().map_or_else(|_| Val::str(step), |i| Val::new(Kind::Int(i)));
                            self.index(&val, &key, at)
                        } else {
                            self.attribute(&val, step, at)
                        };
                    }
                    traces.push(val.trace.clone());
                    pieces.push(Piece::Known(std::mem::take(&mut literal).into()));
                    pieces.extend(formatted(&val, conversion.chars().next(), spec));
                }
                literal.push_str(rest);
                pieces.push(Piece::Known(literal.into()));
            }
            out.push(self.text(pieces, joined(place, How::Joined, traces), at));
        }
        Val::choice(out)
    }

    /// Calls a method of a text.
    pub(super) fn text_method(&mut self, text: &Text, receiver: &Val, name: &str, args: &Args, at: Span) -> Val {
        let place = self.place(at);
        let words = |i: usize, name: &str| args.get(i, name).and_then(Val::as_str);
        let changed = |text: Text, how: &'static str| {
            Val { kind: Kind::Str(text), trace: receiver.trace.clone() }.step(place, How::Changed(how))
        };
        let plain = |text: &str| Val { kind: Kind::Str(Text::Known(text.into())), trace: receiver.trace.clone() };
        match name {
            "format" => return self.format_method(text, receiver, args, at),
            "format_map" => {
                let mut names = Args { open: args.open, ..Args::default() };
                if let Some(Kind::Dict(dict)) = args.positional.first().map(|v| &v.kind) {
                    for (k, v) in &dict.borrow().entries {
                        names.keywords.extend(k.as_str().map(|k| (k.into(), v.clone())));
                    }
                }
                return self.format_method(text, receiver, &names, at);
            }
            "join" => return self.join_method(text, receiver, args, at),
            "replace" => {
                let (Some(from), Some(to)) = (words(0, "old"), args.get(1, "new")) else {
                    return self.unknown(Why::Expression, at);
                };
                if from.is_empty() {
                    return self.unknown(Why::Expression, at);
                }
                let grows =
                    text.flat().matches(from).count().saturating_mul(
                        to.options().iter().filter_map(|t| t.as_str().map(str::len)).max().unwrap_or(0),
                    );
                if grows > crate::value::TEXT_BYTES_MAX {
                    return self.unknown(Why::Limit("256 KiB of text"), at);
                }
                let options: Vec<Val> = to
                    .options()
                    .iter()
                    .map(|to| {
                        let trace = |how| joined(place, how, [receiver.trace.clone(), to.trace.clone()]);
                        if let Some(to) = to.as_str() {
                            Val::text(text.map(|t| t.replace(from, to)), trace(How::Changed("replace")))
                        } else {
                            let mut pieces = Vec::new();
                            for piece in text.pieces() {
                                match piece {
                                    Piece::Known(known) => {
                                        for (i, part) in known.split(from).enumerate() {
                                            if i > 0 {
                                                pieces.extend(to.pieces());
                                            }
                                            pieces.push(Piece::Known(part.into()));
                                        }
                                    }
                                    other => pieces.push(other),
                                }
                            }
                            self.text(pieces, trace(How::Changed("replace")), at)
                        }
                    })
                    .collect();
                return Val::choice(options);
            }
            "lower" | "casefold" => return changed(text.map(str::to_lowercase), "lower"),
            "upper" => return changed(text.map(str::to_uppercase), "upper"),
            "strip" | "lstrip" | "rstrip" => {
                let chars = words(0, "chars").map(str::to_owned);
                let cut = |t: &str| {
                    let is = |c: char| chars.as_ref().map_or(c.is_whitespace(), |chars| chars.contains(c));
                    match name {
                        "strip" => t.trim_matches(is),
                        "lstrip" => t.trim_start_matches(is),
                        _ => t.trim_end_matches(is),
                    }
                    .to_owned()
                };
                return match text {
                    Text::Known(t) => changed(Text::Known(cut(t).into()), "strip"),
                    Text::Parts(_) => receiver.clone(),
                };
            }
            "encode" => {
                return match text.known() {
                    Some(t) => Val { kind: Kind::Bytes(t.as_bytes().into()), trace: receiver.trace.clone() },
                    None => receiver.clone(),
                };
            }
            "startswith" | "endswith" | "isdigit" | "isalpha" | "isalnum" | "isidentifier" | "__contains__" => {
                let holds = match (text.known(), words(0, "prefix"), name) {
                    (Some(t), Some(w), "startswith") => Some(t.starts_with(w)),
                    (Some(t), Some(w), "endswith") => Some(t.ends_with(w)),
                    _ => None,
                };
                return holds.map_or_else(|| self.unknown(Why::Expression, at), |b| Val::new(Kind::Bool(b)));
            }
            _ => {}
        }
        let Some(known) = text.known() else {
            return match name {
                "title" | "capitalize" | "swapcase" | "expandtabs" | "removeprefix" | "removesuffix" | "__str__" => {
                    receiver.clone()
                }
                _ => self.unknown(Why::Expression, at),
            };
        };
        let list = |parts: Vec<String>| Val::list(parts.iter().take(4096).map(|part| plain(part)).collect());
        match name {
            "split" | "rsplit" => {
                let most = args.get(1, "maxsplit").and_then(Val::as_int).filter(|n| *n >= 0).map(|n| n as usize);
                match (words(0, "sep"), most, name) {
                    (Some(""), ..) => self.unknown(Why::Expression, at),
                    (Some(sep), None, _) => list(known.split(sep).map(str::to_owned).collect()),
                    (Some(sep), Some(n), "split") => list(known.splitn(n + 1, sep).map(str::to_owned).collect()),
                    (Some(sep), Some(n), _) => {
                        let mut parts: Vec<String> = known.rsplitn(n + 1, sep).map(str::to_owned).collect();
                        parts.reverse();
                        list(parts)
                    }
                    (None, ..) => list(known.split_whitespace().map(str::to_owned).collect()),
                }
            }
            "splitlines" => list(known.lines().map(str::to_owned).collect()),
            "partition" | "rpartition" => match words(0, "sep") {
                Some(sep) => {
                    let cut = if name == "partition" { known.split_once(sep) } else { known.rsplit_once(sep) };
                    match cut {
                        Some((a, b)) => Val::tuple(vec![plain(a), plain(sep), plain(b)]),
                        None => Val::tuple(vec![plain(known), plain(""), plain("")]),
                    }
                }
                None => self.unknown(Why::Expression, at),
            },
            "removeprefix" => {
                let cut = words(0, "prefix").and_then(|p| known.strip_prefix(p)).unwrap_or(known);
                changed(Text::Known(cut.into()), "removeprefix")
            }
            "removesuffix" => {
                let cut = words(0, "suffix").and_then(|p| known.strip_suffix(p)).unwrap_or(known);
                changed(Text::Known(cut.into()), "removesuffix")
            }
            "title" => {
                let mut start = true;
                let title: String = known
                    .chars()
                    .map(|c| {
                        let now = if start { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
                        start = !c.is_alphabetic();
                        now
                    })
                    .collect();
                changed(Text::Known(title.into()), "title")
            }
            "capitalize" => {
                let mut chars = known.chars();
                let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
                changed(Text::Known((first + &chars.as_str().to_lowercase()).into()), "capitalize")
            }
            "swapcase" => {
                let swapped: String = known
                    .chars()
                    .map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
                    .collect();
                changed(Text::Known(swapped.into()), "swapcase")
            }
            "zfill" => {
                let width = args.get(0, "width").and_then(Val::as_int).unwrap_or(0).clamp(0, 4096) as usize;
                changed(Text::Known(format!("{known:0>width$}").into()), "zfill")
            }
            "translate" => match args.positional.first().map(|v| &v.kind) {
                Some(Kind::Dict(table)) => {
                    let table = table.borrow();
                    let mut out = String::new();
                    for c in known.chars() {
                        let key = Val::new(Kind::Int(i64::from(u32::from(c))));
                        match table.get_val(&key).or_else(|| table.get(&c.to_string())).map(|v| &v.kind) {
                            Some(Kind::Str(Text::Known(to))) => out.push_str(to),
                            Some(Kind::Int(n)) => out.extend(u32::try_from(*n).ok().and_then(char::from_u32)),
                            Some(Kind::None) => {}
                            _ => out.push(c),
                        }
                    }
                    changed(Text::Known(out.into()), "translate")
                }
                _ => self.unknown(Why::Expression, at),
            },
            "count" => match words(0, "sub") {
                Some(sub) if !sub.is_empty() => Val::new(Kind::Int(known.matches(sub).count() as i64)),
                _ => self.unknown(Why::Expression, at),
            },
            "find" | "index" | "rfind" | "rindex" => match words(0, "sub") {
                Some(sub) => {
                    let byte = if name.starts_with('r') { known.rfind(sub) } else { known.find(sub) };
                    let chars = byte.and_then(|b| known.get(..b)).map_or(-1, |before| before.chars().count() as i64);
                    Val::new(Kind::Int(chars))
                }
                None => self.unknown(Why::Expression, at),
            },
            "ljust" | "rjust" | "center" | "expandtabs" | "__str__" | "as_posix" => receiver.clone(),
            "safe_substitute" | "substitute" => self.substitute(text, receiver, args, at),
            _ => self.unknown(Why::Expression, at),
        }
    }

    /// `string.Template(text).substitute(...)`.
    pub(super) fn substitute(&mut self, text: &Text, receiver: &Val, args: &Args, at: Span) -> Val {
        let place = self.place(at);
        let Some(known) = text.known() else { return receiver.clone() };
        let mut traces: Vec<Trace> = vec![receiver.trace.clone()];
        let mut pieces = Vec::new();
        let mut rest = known;
        let mut out = String::new();
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                out.push('$');
                rest = after;
                continue;
            }
            let braced = after.strip_prefix('{').and_then(|a| a.split_once('}'));
            let (name, tail) = braced.unwrap_or_else(|| {
                let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
                after.split_at(end)
            });
            let from_dict = args.positional.first().and_then(|v| match &v.kind {
                Kind::Dict(dict) => dict.borrow().get(name).cloned(),
                _ => None,
            });
            match args.keyword(name).cloned().or(from_dict) {
                Some(val) if !name.is_empty() => {
                    let val = val.options().into_iter().next().unwrap_or(val);
                    pieces.push(Piece::Known(std::mem::take(&mut out).into()));
                    pieces.extend(val.pieces());
                    traces.push(val.trace.clone());
                }
                _ => {
                    out.push('$');
                    rest = after;
                    continue;
                }
            }
            rest = tail;
        }
        out.push_str(rest);
        pieces.push(Piece::Known(out.into()));
        self.text(pieces, joined(place, How::Joined, traces), at)
    }

    fn join_method(&mut self, separator: &Text, receiver: &Val, args: &Args, at: Span) -> Val {
        let Some(over) = args.positional.first() else { return self.unknown(Why::Expression, at) };
        let place = self.place(at);
        let mut out = Vec::new();
        for over in over.options() {
            let Some(items) = self.items(&over) else {
                out.push(match over.kind {
                    Kind::Reference(_) => over,
                    _ => self.unknown(Why::Expression, at),
                });
                continue;
            };
            // Every item that is one of several gives a text for each, side by side.
            let most = items.iter().map(|i| i.options().len()).max().unwrap_or(1);
            for choice in 0..most.min(CHOICES_MAX) {
                let mut pieces = Vec::new();
                let mut traces = vec![receiver.trace.clone()];
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        pieces.extend(separator.pieces());
                    }
                    let options = item.options();
                    if let Some(item) = options.get(choice.min(options.len() - 1)) {
                        pieces.extend(item.pieces());
                        if traces.len() < 64 {
                            traces.push(item.trace.clone());
                        }
                    }
                }
                out.push(self.text(pieces, joined(place, How::Joined, traces), at));
            }
        }
        Val::choice(out)
    }

    /// Calls a method of bytes.
    pub(super) fn bytes_method(&mut self, bytes: &Arc<[u8]>, receiver: &Val, name: &str, args: &Args, at: Span) -> Val {
        match name {
            "decode" => match args.get(0, "encoding").and_then(Val::as_str).unwrap_or("utf-8") {
                "rot13" | "rot_13" => self.unknown(Why::Expression, at),
                _ => match std::str::from_utf8(bytes) {
                    Ok(text) => Val::text(Text::Known(text.into()), receiver.trace.clone()),
                    Err(_) => self.unknown(Why::Expression, at),
                },
            },
            "hex" => Val::text(Text::Known(hex::encode(bytes).into()), receiver.trace.clone()),
            "fromhex" => self.builtin("bytes.fromhex", args, at).unwrap_or_else(|| self.unknown(Why::Expression, at)),
            _ => match std::str::from_utf8(bytes) {
                // The rest is as with texts.
                Ok(text) => {
                    let as_text = |val: &Val| match &val.kind {
                        Kind::Bytes(b) => std::str::from_utf8(b)
                            .map_or_else(|_| Val::none(), |t| Val::text(Text::Known(t.into()), val.trace.clone())),
                        _ => val.clone(),
                    };
                    let texts = Args { positional: args.positional.iter().map(as_text).collect(), ..Args::default() };
                    let text = Text::Known(text.into());
                    let result = self.text_method(&text, receiver, name, &texts, at);
                    match &result.kind {
                        Kind::Str(Text::Known(t)) => {
                            Val { kind: Kind::Bytes(t.as_bytes().into()), trace: result.trace.clone() }
                        }
                        _ => result,
                    }
                }
                Err(_) => self.unknown(Why::Expression, at),
            },
        }
    }
}
