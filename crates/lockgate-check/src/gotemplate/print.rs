//! Values as YAML and as JSON, as `toYaml` and `toJson` print them. What is not known keeps its
//! mark; nothing is read back here.

use super::functions::{BYTES_MAX, DEPTH_MAX, printed};
use crate::value::{Kind, Val};

/// A value as YAML of blocks, its texts in quotes.
pub(super) fn yaml(value: &Val) -> String {
    let mut out = String::new();
    write_yaml(value, &mut out, 0);
    out.trim_end().to_owned()
}

fn write_yaml(value: &Val, out: &mut String, depth: usize) {
    if depth > DEPTH_MAX || out.len() > BYTES_MAX {
        return;
    }
    let pad = "  ".repeat(depth);
    let is_block = |value: &Val| match &value.kind {
        Kind::Dict(dict) => !dict.borrow().entries.is_empty(),
        Kind::List(items) => !items.borrow().is_empty(),
        _ => false,
    };
    match &value.kind {
        Kind::Dict(dict) if is_block(value) => {
            for (key, inner) in &dict.borrow().entries {
                out.push_str(&pad);
                write_json(&Val::text(printed(key), None), out, depth);
                out.push(':');
                if is_block(inner) {
                    // The items of a list may stand at the width of their key.
                    out.push('\n');
                    write_yaml(inner, out, depth + usize::from(matches!(inner.kind, Kind::Dict(_))));
                } else {
                    out.push(' ');
                    write_json(inner, out, depth);
                    out.push('\n');
                }
            }
        }
        Kind::List(items) if is_block(value) => {
            for inner in items.borrow().iter() {
                out.push_str(&pad);
                out.push_str("- ");
                if is_block(inner) {
                    let start = out.len();
                    write_yaml(inner, out, depth + 1);
                    // Its first line stands beside the dash.
                    let lead = 2 * (depth + 1);
                    if out.get(start..).is_some_and(|block| block.starts_with(&" ".repeat(lead))) {
                        out.replace_range(start..start + lead, "");
                    }
                } else {
                    write_json(inner, out, depth);
                    out.push('\n');
                }
            }
        }
        _ => write_json(value, out, depth),
    }
}

pub(super) fn json(value: &Val) -> String {
    let mut out = String::new();
    write_json(value, &mut out, 0);
    out
}

/// A value as JSON; what is not known keeps its mark.
fn write_json(value: &Val, out: &mut String, depth: usize) {
    if depth > DEPTH_MAX || out.len() > BYTES_MAX {
        return out.push_str("null");
    }
    match &value.kind {
        Kind::None => out.push_str("null"),
        Kind::Bool(b) => out.push_str(&b.to_string()),
        Kind::Int(n) => out.push_str(&n.to_string()),
        Kind::Float(n) => out.push_str(&n.to_string()),
        Kind::List(items) => {
            out.push('[');
            for (i, item) in items.borrow().iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write_json(item, out, depth + 1);
            }
            out.push(']');
        }
        Kind::Dict(dict) => {
            out.push('{');
            for (i, (key, item)) in dict.borrow().entries.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write_json(&Val::text(printed(key), None), out, depth + 1);
                out.push(':');
                write_json(item, out, depth + 1);
            }
            out.push('}');
        }
        _ => out.push_str(&serde_json::to_string(&*printed(value).flat()).unwrap_or_default()),
    }
}
