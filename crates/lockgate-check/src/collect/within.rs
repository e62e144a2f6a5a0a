//! Credentials within texts: in URLs, in lines of `.netrc`, in connection strings, SQL and JSON.

/// Longest user, password and host of a URL.
const AUTHORITY_CHARS_MAX: usize = 600;

type Pair = ((usize, usize), usize, usize);

/// Where the host of a URL starts: behind its user and password, which may hold a slash or a `#`
/// that nobody encoded.
pub(super) fn authority(rest: &str) -> usize {
    // No user, password and host are longer together.
    let near = rest
        .char_indices()
        .take(AUTHORITY_CHARS_MAX)
        .find(|(_, c)| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '`'));
    let far = rest.char_indices().nth(AUTHORITY_CHARS_MAX).map_or(rest.len(), |(at, _)| at);
    let end = near.map_or(far, |(at, _)| at);
    let line = rest.get(..end).unwrap_or_default();
    let head = line.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some(at) = head.rfind('@') {
        return at + 1;
    }
    let has_port =
        head.rsplit_once(':').is_some_and(|(_, port)| port.is_empty() || port.chars().all(|c| c.is_ascii_digit()));
    match line.rfind('@') {
        Some(at) if head.contains(':') && !has_port => at + 1,
        _ => 0,
    }
}

/// Passwords of URLs: `scheme://user:password@host` (RFC 3986, section 3.2.1).
pub(super) fn url_passwords(text: &str) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let (mut from, mut tried) = (0, 0);
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("://")) {
        let start = from + at + 3;
        let rest = text.get(start..).unwrap_or_default();
        if let Some(at) = authority(rest).checked_sub(1) {
            let user_info = rest.get(..at).unwrap_or_default();
            if let Some(colon) = user_info.find(':') {
                out.push((start + colon + 1, start + at));
            } else if user_info.len() >= 16
                && user_info.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
            {
                // A token alone, as Git takes it.
                out.push((start, start + at));
            }
        }
        from = start;
        tried += 1;
        if out.len() > 32 || tried > 2_000 {
            break;
        }
    }
    out
}

/// Tokens within URLs: `?sv=...&sig=...` of shared access, which opens what it names to everybody,
/// and `/t/<token>/` of conda's channels.
pub(super) fn signatures(text: &str) -> Vec<(usize, usize)> {
    let channels = text.match_indices("/t/").take(32).filter_map(|(at, mark)| {
        let start = at + mark.len();
        let rest = text.get(start..)?;
        let token = rest.get(..rest.find('/')?)?;
        let is_token = token.len() >= 16
            && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && token.contains(|c: char| c.is_ascii_digit());
        let is_channel = text.get(..at)?.rsplit("://").next()?.contains("conda");
        (is_token && is_channel).then_some((start, start + token.len()))
    });
    let channels: Vec<(usize, usize)> = channels.collect();
    if !channels.is_empty() {
        return channels;
    }
    // Who knows the address of a webhook writes to its channel.
    let hooks = text.match_indices("hooks.slack.com/services/").take(32).filter_map(|(at, mark)| {
        let start = at + mark.len();
        let rest = text.get(start..)?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '/').unwrap_or(rest.len());
        let parts: Vec<&str> = rest.get(..end)?.split('/').collect();
        let is_hook = matches!(parts.as_slice(), [team, app, token]
            if team.len() >= 8 && app.len() >= 8 && token.len() >= 20
                && !token.chars().all(|c| c.eq_ignore_ascii_case(&'x')));
        is_hook.then_some((start, start + end))
    });
    let hooks: Vec<(usize, usize)> = hooks.collect();
    if !hooks.is_empty() {
        return hooks;
    }
    if !text.contains("sv=") && !text.contains("se=") {
        return Vec::new();
    }
    text.match_indices("sig=")
        .take(32)
        .filter(|(at, _)| text.get(..*at).is_some_and(|before| before.ends_with(['?', '&', ' ', ';'])))
        .map(|(at, mark)| {
            let start = at + mark.len();
            let rest = text.get(start..).unwrap_or_default();
            let end =
                rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '%' | '+' | '/' | '=' | '-' | '_'));
            (start, start + end.unwrap_or(rest.len()))
        })
        .filter(|(start, end)| end - start >= 40)
        .collect()
}

/// The password of a line of `.netrc`: `machine host login name password value`.
pub(super) fn netrc(text: &str) -> Option<(usize, usize)> {
    if !text.contains("machine ") || !text.contains(" login ") {
        return None;
    }
    let at = text.find(" password ")? + " password ".len();
    let rest = text.get(at..)?;
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    Some((at, at + end))
}

/// `name=value` and `name: 'value'` within connection strings, SQL, JSON and options.
pub fn pairs(text: &str) -> Vec<Pair> {
    use std::sync::LazyLock;

    use regex::Regex;
    static QUOTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?i)(?P<key>[a-z_][a-z0-9_.\-]*(?: key| by)?)["']?\s*(?:=>|:=|=|:|\s)\s*(?P<q>['"])(?P<value>[^'"\n]{1,500})['"]"#).ok()
    });
    static BARE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?i)(?P<key>[a-z_][a-z0-9_.\- ]*[a-z0-9_]|[a-z_])\s*=\s*(?P<value>[^\s;'"&,|<>(){}\[\]]{1,500})"#)
            .ok()
    });
    let mut out: Vec<Pair> = Vec::new();
    if !text.contains(['=', ':', '\'', '"']) {
        return out;
    }
    let mut add = |key: regex::Match<'_>, value: regex::Match<'_>| {
        let name = key.as_str();
        // `IDENTIFIED BY 'x'` and `PASSWORD 'x'` are SQL's.
        let trimmed = name.rsplit(' ').next().unwrap_or(name);
        let start = if name.to_ascii_lowercase().ends_with(" key") || name.eq_ignore_ascii_case("identified by") {
            key.start()
        } else {
            key.end() - trimmed.len()
        };
        if out.len() < 64 && !out.iter().any(|(_, s, e)| value.start() < *e && value.end() > *s) {
            out.push(((start, key.end()), value.start(), value.end()));
        }
    };
    for regex in [&*QUOTED, &*BARE].into_iter().flatten() {
        for c in regex.captures_iter(text) {
            if let (Some(key), Some(value)) = (c.name("key"), c.name("value")) {
                // `password = crypt(...)` of SQL calls a function.
                let is_call = c.name("q").is_none()
                    && text.get(value.end()..).is_some_and(|rest| rest.starts_with('('))
                    && value.as_str().chars().all(|c| c.is_ascii_alphabetic() || c == '_');
                if is_call {
                    continue;
                }
                add(key, value);
            }
        }
    }
    out
}
