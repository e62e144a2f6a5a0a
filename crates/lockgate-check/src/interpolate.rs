//! Names within texts: `${name}`, `$(name)`, `%(name)s`, each resolved by who knows them.

/// Longest text that substitution makes.
pub const BYTES_MAX: usize = 64 << 10;

/// Replaces what stands between `open` and the `close` that belongs to it. What `value` does not
/// know stays as it is; a text that grows past [`BYTES_MAX`] by it is cut there.
pub fn substitute(text: &str, open: &str, close: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open) {
        out.push_str(before);
        if out.len() > BYTES_MAX {
            break;
        }
        let Some(end) = closing(after, open, close) else {
            out.push_str(open);
            rest = after;
            continue;
        };
        let inner = after.get(..end).unwrap_or_default();
        if let Some(known) = value(inner) {
            out.push_str(&known);
        } else {
            out.push_str(open);
            out.push_str(inner);
            out.push_str(close);
        }
        rest = after.get(end + close.len()..).unwrap_or_default();
    }
    out.push_str(rest);
    if out.len() > BYTES_MAX.max(text.len()) {
        let end = (0..=BYTES_MAX).rev().find(|at| out.is_char_boundary(*at)).unwrap_or(0);
        out.truncate(end);
    }
    out
}

/// Where the `close` stands that belongs to an `open` before the text.
fn closing(text: &str, open: &str, close: &str) -> Option<usize> {
    let mut depth = 0;
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        let end = rest.find(close)?;
        match rest.find(open) {
            Some(inner) if inner < end => {
                depth += 1;
                at += inner + open.len();
            }
            _ if depth == 0 => return Some(at + end),
            _ => {
                depth -= 1;
                at += end + close.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_what_is_unknown_stays() {
        let value = |name: &str| (name == "a").then(|| "1".to_owned());
        assert_eq!(substitute("x${a}y${b}z${", "${", "}", value), "x1y${b}z${");
        assert_eq!(substitute("%(a)s/%(b)s", "%(", ")s", value), "1/%(b)s");
        let whole = |name: &str| Some(format!("<{name}>"));
        assert_eq!(substitute("${a:-${b}}c", "${", "}", whole), "<a:-${b}>c");
    }
}
