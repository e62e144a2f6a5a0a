//! Mail addresses and URLs, found from the sign in their middle. Each walk has a limit, so that no
//! text is walked over again and again.

use crate::check::secrets::password_in_url;

/// RFC 5321, section 4.5.3.1.
const LOCAL_MAX: usize = 64;
const DOMAIN_MAX: usize = 255;
const URL_MAX: usize = 2_048;
const SCHEME_MAX: usize = 24;

/// Of what RFC 5322 allows before the `@`, what people use: the rest stands around addresses more
/// often than in them.
///
/// Where the address around the `@` at `at` stands; what lies before `floor` belongs to another.
pub(crate) fn email(text: &str, at: usize, floor: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let local = |c: char| is_letter(c) || c.is_ascii_digit() || ".!#&'+_~-".contains(c);
    let room = text.get(floor..at)?;
    let length: usize = room.chars().rev().take(LOCAL_MAX).take_while(|c| local(*c)).map(char::len_utf8).sum();
    let mut start = at - length;
    // What opens a phrase is not part of the address.
    while start < at && bytes.get(start).is_some_and(|b| b".'&!#~-+".contains(b)) {
        start += 1;
    }
    let local = text.get(start..at)?;
    let end = domain(text, at + 1)?;
    // git@host:path is a repository.
    if local == "git" && bytes.get(end) == Some(&b':') {
        return None;
    }
    (!local.is_empty() && !local.ends_with('.') && !local.contains("..")).then_some((start, end))
}

/// A letter of a script that puts spaces between words: the others' words stand close around an
/// address.
fn is_letter(c: char) -> bool {
    c.is_alphabetic() && (c as u32) < 0x0e00
}

/// The end of a domain name whose last label is letters.
fn domain(text: &str, start: usize) -> Option<usize> {
    let part = |c: char| is_letter(c) || c.is_ascii_digit() || c == '-' || c == '.';
    let length: usize = text.get(start..)?.chars().take(DOMAIN_MAX).take_while(|c| part(*c)).map(char::len_utf8).sum();
    let end = start + length;
    let name = text.get(start..end)?.trim_end_matches(['.', '-']);
    let mut labels = name.split('.');
    let last = labels.next_back()?;
    let letters = last.chars().take_while(|c| c.is_alphabetic()).count();
    let tld = last.char_indices().nth(letters).map_or(last, |(place, _)| last.get(..place).unwrap_or_default());
    const FILES: [&str; 13] =
        ["png", "jpg", "jpeg", "webp", "gif", "svg", "css", "js", "html", "json", "xml", "txt", "pdf"];
    if FILES.iter().any(|file| tld.eq_ignore_ascii_case(file)) {
        return None;
    }
    let known = (tld.chars().count() >= 2 && tld.len() <= 24) || last.starts_with("xn--");
    let whole = labels.clone().next().is_some()
        && labels.all(|label| !label.is_empty() && label.len() <= 63 && !label.starts_with('-'));
    // "mail@host.com2" has no such domain; "host.com-x" ends before the dash.
    let ends =
        last.get(tld.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')) || last.starts_with("xn--");
    let kept = if last.starts_with("xn--") { name.len() } else { name.len() - (last.len() - tld.len()) };
    (known && whole && ends).then_some(start + kept)
}

/// A URL, and whether a password stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub start: usize,
    pub end: usize,
    /// A network address; other schemes are kept for their passwords alone.
    pub is_web: bool,
    pub has_password: bool,
}

/// The URL around the `://` at `at`.
pub(crate) fn url(text: &str, at: usize, floor: usize) -> Option<Url> {
    let bytes = text.as_bytes();
    let scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let mut start = at;
    while start > floor && at - start < SCHEME_MAX && bytes.get(start - 1).is_some_and(|b| scheme(*b)) {
        start -= 1;
    }
    let name = text.get(start..at)?.to_ascii_lowercase();
    let end = url_end(text, at + 3);
    let rest = text.get(at + 3..end)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let credentials = authority.rsplit_once('@').map(|(user, _)| user);
    let has_password = credentials.and_then(|user| user.split_once(':')).is_some_and(|(_, p)| password_in_url(p));
    let known = matches!(
        name.as_str(),
        "http" | "https" | "ftp" | "ftps" | "sftp" | "ws" | "wss" | "s3" | "file" | "ssh" | "git" | "ldap" | "ldaps"
    );
    let host = authority.rsplit('@').next().unwrap_or_default();
    let is_web = known
        && (host.contains('.')
            || host.starts_with('[')
            || host.starts_with("localhost")
            || name == "s3"
            || name == "file");
    (is_web || has_password).then_some(Url { start, end, is_web, has_password })
}

/// The URL that begins with `www.` at `at`.
pub(crate) fn www(text: &str, at: usize) -> Option<(usize, usize)> {
    domain(text, at).map(|_| (at, url_end(text, at)))
}

/// Where a URL ends: before white space, quotes and the punctuation of its sentence.
fn url_end(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let limit = rest.char_indices().map(|(place, _)| place).take_while(|place| *place <= URL_MAX).last().unwrap_or(0);
    let rest = if rest.len() > URL_MAX { rest.get(..limit).unwrap_or_default() } else { rest };
    let stop =
        rest.find(|c: char| c.is_whitespace() || c.is_control() || "\"'<>\\`|{}^".contains(c)).unwrap_or(rest.len());
    let mut kept = rest.get(..stop).unwrap_or_default();
    let count = |c: char| kept.matches(c).count();
    let (mut round, mut square) = (count(')').saturating_sub(count('(')), count(']').saturating_sub(count('[')));
    loop {
        let shorter = kept.trim_end_matches(['.', ',', ';', ':', '!', '?', '*']);
        let unopened = match shorter.as_bytes().last() {
            Some(b')') => &mut round,
            Some(b']') => &mut square,
            _ => return start + shorter.len(),
        };
        if *unopened == 0 {
            return start + shorter.len();
        }
        *unopened -= 1;
        kept = shorter.get(..shorter.len() - 1).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_email(text: &str, expected: Option<&str>) {
        let at = text.find('@').unwrap();
        assert_eq!(email(text, at, 0).and_then(|(start, end)| text.get(start..end)), expected, "{text}");
    }

    #[test]
    fn addresses_begin_and_end_where_they_do() {
        check_email("write to ana.b+c@mail.example.org, please", Some("ana.b+c@mail.example.org"));
        check_email("<jörg@münchen.de>", Some("jörg@münchen.de"));
        check_email("'x'=ana@mail.example.", Some("ana@mail.example"));
        check_email("\u{201c}ana@mail.example\u{201d} \u{2026}", Some("ana@mail.example"));
        check_email("\u{8054}\u{7cfb}ana@mail.example\u{83b7}\u{53d6}\u{3002}", Some("ana@mail.example"));
        check_email("@mention", None);
        check_email("a@b", None);
        check_email("user@127.0.0.1", None);
        check_email("ana@mail..example", None);
        check_email("git@github.com:org/repo", None);
        check_email("icon@2x.png", None);
        check_email("ana@mail.xn--p1ai x", Some("ana@mail.xn--p1ai"));
    }

    #[track_caller]
    fn check_url(text: &str, expected: Option<(&str, bool)>) {
        let at = text.find("://").unwrap();
        let found = url(text, at, 0).map(|u| (text.get(u.start..u.end).unwrap(), u.has_password));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn urls_begin_and_end_where_they_do() {
        check_url("see (https://a.example/x_(y)?z=1).", Some(("https://a.example/x_(y)?z=1", false)));
        check_url("[link](http://a.example/),", Some(("http://a.example/", false)));
        check_url("postgres://app:s3cr3tpw@db/x", Some(("postgres://app:s3cr3tpw@db/x", true)));
        check_url("postgres://app:${PW}@db/x", None);
        check_url("std::http://nothing", None);
    }
}
