//! Encodings that hide a text from a search, and URLs.

use std::rc::Rc;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{Interpreter, syntax::Span};
use crate::value::{Args, How, Kind, Object, Piece, TEXT_BYTES_MAX, Text, Val, Why, joined, literal};

/// What an integer beyond 64 bits is called among the things that calls return.
pub(super) const LARGE: &str = "\u{1}int";
/// Most digits of such an integer, and most bytes of any.
const LARGE_DIGITS_MAX: usize = 1_024;

impl Interpreter<'_> {
    /// Encodings.
    pub(super) fn decoding(&mut self, name: &str, args: &Args, at: Span) -> Option<Val> {
        if name == "yarl.URL.build" {
            let part = |name: &str| args.keyword(name).cloned().unwrap_or_else(|| Val::str(""));
            return self.url_unparse(&Val::list(["scheme", "host", "path"].map(part).to_vec()), at);
        }
        let first = args.positional.first()?;
        if name == "shlex.split" {
            let words = crate::shell::read(first.as_str()?, &mut Vec::new()).commands.into_iter().flat_map(|c| c.words);
            let word = |word: String| Val::text(Text::from_flat(&word, &[]), first.trace.clone());
            return Some(Val::list(words.map(word).collect()));
        }
        if matches!(name, "yarl.URL" | "httpx.URL" | "furl.furl") {
            return Some(first.clone());
        }
        let place = self.place(at);
        let raw: Option<Vec<u8>> = match &first.kind {
            Kind::Str(Text::Known(text)) => Some(text.as_bytes().to_vec()),
            Kind::Bytes(bytes) => Some(bytes.to_vec()),
            _ => None,
        };
        let bytes = |bytes: Vec<u8>, how| {
            Val { kind: Kind::Bytes(bytes.into()), trace: first.trace.clone() }.step(place, How::Decoded(how))
        };
        let text =
            |text: String, how| Val::text(Text::Known(text.into()), first.trace.clone()).step(place, How::Changed(how));
        let is_encoding = name.starts_with("base64.")
            || name.starts_with("binascii.")
            || name.starts_with("codecs.")
            || name.starts_with("urllib.parse.")
            || name.starts_with("html.")
            || name.starts_with("zlib.")
            || name.starts_with("gzip.")
            || matches!(name, "bytes.fromhex" | "bytearray.fromhex" | "textwrap.dedent" | "inspect.cleandoc");
        if !is_encoding {
            return None;
        }
        let Some(raw) = raw else {
            return match (&first.kind, name) {
                (Kind::Reference(_), _) => Some(first.clone()),
                (_, "textwrap.dedent" | "inspect.cleandoc") => Some(first.clone()),
                (_, "urllib.parse.urlunparse" | "urllib.parse.urlunsplit") => self.url_unparse(first, at),
                (
                    _,
                    "urllib.parse.urljoin" | "urllib.parse.quote" | "urllib.parse.quote_plus" | "urllib.parse.unquote",
                ) => Some(first.clone()),
                (_, "urllib.parse.urlencode" | "urllib.parse.urlparse" | "urllib.parse.urlsplit") => None,
                _ => Some(self.unknown(Why::Expression, at)),
            };
        };
        // `user:` without a password, or with one that nobody gave.
        let is_empty_pair = || {
            let text = String::from_utf8_lossy(&raw);
            let mut parts = text.split(':');
            let user = parts.next();
            text.contains(':') && (user == Some("None") || parts.any(|part| part.is_empty() || part == "None"))
        };
        if name.ends_with("b64encode") && is_empty_pair() {
            return Some(self.unknown(Why::Expression, at));
        }
        let clean: Vec<u8> = raw.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
        let decoded = match name {
            "base64.b64decode" | "base64.standard_b64decode" | "base64.decodebytes" | "binascii.a2b_base64" => {
                base64(false).decode(&clean).ok().map(|b| bytes(b, "Base64"))
            }
            "base64.urlsafe_b64decode" => base64(true).decode(&clean).ok().map(|b| bytes(b, "Base64")),
            "base64.b16decode" | "binascii.unhexlify" | "binascii.a2b_hex" | "bytes.fromhex" | "bytearray.fromhex" => {
                hex::decode(&clean).ok().map(|b| bytes(b, "hexadecimal"))
            }
            "base64.b32decode" => base32(&clean).map(|b| bytes(b, "Base32")),
            "zlib.decompress" => inflated(&raw, Wrapper::Zlib).map(|b| bytes(b, "zlib")),
            "gzip.decompress" => inflated(&raw, Wrapper::Gzip).map(|b| bytes(b, "gzip")),
            "base64.b85decode" => base85(&clean).map(|b| bytes(b, "Base85")),
            "base64.b64encode" | "base64.standard_b64encode" | "base64.encodebytes" => {
                Some(bytes(base64(false).encode(&raw).into_bytes(), "text to Base64"))
            }
            "base64.urlsafe_b64encode" => Some(bytes(base64(true).encode(&raw).into_bytes(), "text to Base64")),
            "codecs.decode" | "codecs.encode" => match args.get(1, "encoding").and_then(Val::as_str).unwrap_or("utf-8")
            {
                "rot13" | "rot_13" | "rot-13" => {
                    let turned: String = raw.iter().map(|b| rot13(*b) as char).collect();
                    Some(text(turned, "rot13"))
                }
                "hex" | "hex_codec" if name == "codecs.decode" => {
                    hex::decode(&clean).ok().map(|b| bytes(b, "hexadecimal"))
                }
                "base64" | "base64_codec" if name == "codecs.decode" => {
                    base64(false).decode(&clean).ok().map(|b| bytes(b, "Base64"))
                }
                _ => String::from_utf8(raw).ok().map(|t| text(t, "decode")),
            },
            "urllib.parse.unquote" | "urllib.parse.unquote_plus" => Some(text(unquote(&raw), "unquote")),
            "urllib.parse.quote" | "urllib.parse.quote_plus" => {
                let quoted: String = raw
                    .iter()
                    .map(|b| {
                        let plain = b.is_ascii_alphanumeric() || b"_.-~/".contains(b);
                        if plain { (*b as char).to_string() } else { format!("%{b:02X}") }
                    })
                    .collect();
                Some(text(quoted, "quote"))
            }
            "urllib.parse.urljoin" => {
                let base = String::from_utf8_lossy(&raw).into_owned();
                let more = args.positional.get(1)?;
                let base = if base.ends_with('/') {
                    base
                } else {
                    base.rsplit_once('/').map_or(String::new(), |(b, _)| format!("{b}/"))
                };
                let pieces = [vec![Piece::Known(base.into())], more.pieces()].concat();
                Some(self.text(pieces, joined(place, How::Joined, [first.trace.clone(), more.trace.clone()]), at))
            }
            "urllib.parse.urlparse" | "urllib.parse.urlsplit" => return self.url_parse(first, at),
            "html.unescape" => {
                let plain = String::from_utf8(raw).ok()?;
                quick_xml::escape::unescape(&plain).ok().map(|t| text(t.into_owned(), "unescape"))
            }
            "textwrap.dedent" | "inspect.cleandoc" => Some(first.clone()),
            _ => return None,
        };
        Some(decoded.unwrap_or_else(|| self.unknown(Why::Expression, at)))
    }

    /// An integer beyond 64 bits: only its bytes are asked for.
    pub(super) fn large(&self, digits: &str, radix: u32, at: Span) -> Val {
        match large(digits, radix) {
            Some(bytes) => {
                let bytes = Val { kind: Kind::Bytes(bytes.into()), trace: literal(self.place(at)) };
                self.made(LARGE, Args { positional: vec![bytes], ..Args::default() })
            }
            None => self.unknown(Why::Limit("64-bit numbers"), at),
        }
    }

    /// `number.to_bytes(length, "big")` of a number that is not negative.
    pub(super) fn to_bytes(&self, number: &[u8], receiver: &Val, args: &Args, at: Span) -> Val {
        let length = args.get(0, "length").map_or(Some(1), Val::as_int);
        let length = length.and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= LARGE_DIGITS_MAX);
        let significant = number.iter().position(|b| *b != 0).map_or(&[][..], |i| number.get(i..).unwrap_or_default());
        let Some(padding) = length.and_then(|length| length.checked_sub(significant.len())) else {
            return self.unknown(Why::Expression, at);
        };
        let mut bytes = [&vec![0; padding], significant].concat();
        if args.get(1, "byteorder").and_then(Val::as_str) == Some("little") {
            bytes.reverse();
        }
        let trace = receiver.trace.clone().or_else(|| literal(self.place(at)));
        Val { kind: Kind::Bytes(bytes.into()), trace }.step(self.place(at), How::Decoded("a number"))
    }

    pub(super) fn url_unparse(&mut self, parts: &Val, at: Span) -> Option<Val> {
        if let Kind::Object(url) = &parts.kind
            && &*url.callee == "urllib.parse.ParseResult"
        {
            return self.url_method(url, parts, "geturl", &Args::default());
        }
        let parts = self.items(parts)?;
        let mut pieces = Vec::new();
        let known = |i: usize| parts.get(i).map(Val::pieces).unwrap_or_default();
        pieces.extend(known(0));
        pieces.push(Piece::Known("://".into()));
        pieces.extend(known(1));
        let path = known(2);
        if let Some(Piece::Known(first)) = path.first()
            && !first.starts_with('/')
            && !first.is_empty()
        {
            pieces.push(Piece::Known("/".into()));
        }
        pieces.extend(path);
        let traces = parts.iter().map(|p| p.trace.clone());
        Some(self.text(pieces, joined(self.place(at), How::Joined, traces), at))
    }

    pub(super) fn url_parse(&mut self, url: &Val, _at: Span) -> Option<Val> {
        let text = url.as_str()?.to_owned();
        let (scheme, rest) = text.split_once("://")?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let object = self.made("urllib.parse.ParseResult", Args::default());
        let Kind::Object(made) = &object.kind else { return None };
        let part = |text: &str| Val::text(Text::Known(text.into()), url.trace.clone());
        let mut attrs = made.attrs.borrow_mut();
        let (user, bare) = host.rsplit_once('@').map_or(("", host), |(user, bare)| (user, bare));
        attrs.insert("scheme".into(), part(scheme));
        attrs.insert("netloc".into(), part(host));
        attrs.insert("hostname".into(), part(bare.split(':').next().unwrap_or(bare)));
        attrs.insert("path".into(), part(path.split(['?', '#']).next().unwrap_or(path)));
        attrs.insert("password".into(), user.split_once(':').map_or_else(Val::none, |(_, p)| part(p)));
        attrs.insert("username".into(), part(user.split(':').next().unwrap_or_default()));
        attrs.insert("query".into(), part(path.split_once('?').map_or("", |(_, query)| query)));
        drop(attrs);
        Some(object)
    }

    /// `_replace(scheme=...)` and `geturl()` of what [`Self::url_parse`] made.
    pub(super) fn url_method(&mut self, url: &Rc<Object>, receiver: &Val, name: &str, args: &Args) -> Option<Val> {
        match name {
            "_replace" => {
                let copy = self.made(&url.callee, Args::default());
                if let Kind::Object(made) = &copy.kind {
                    let mut attrs = url.attrs.borrow().clone();
                    attrs.extend(args.keywords.iter().cloned());
                    *made.attrs.borrow_mut() = attrs;
                }
                Some(Val { trace: receiver.trace.clone(), ..copy })
            }
            "geturl" => {
                let attrs = url.attrs.borrow();
                let part = |name: &str| attrs.get(name).map(Val::pieces).unwrap_or_default();
                let mut pieces = part("scheme");
                pieces.push(Piece::Known("://".into()));
                pieces.extend(part("netloc"));
                pieces.extend(part("path"));
                if attrs.get("query").and_then(Val::as_str) != Some("") {
                    pieces.push(Piece::Known("?".into()));
                    pieces.extend(part("query"));
                }
                let trace = attrs.get("scheme").map_or_else(|| receiver.trace.clone(), |val| val.trace.clone());
                Some(Val::text(Text::of(pieces), trace))
            }
            _ => None,
        }
    }
}

/// Base64 as Python reads it: padding that is missing or too much is not our business.
fn base64(url: bool) -> GeneralPurpose {
    let alphabet = if url { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}

fn rot13(b: u8) -> u8 {
    match b {
        b'a'..=b'z' => (b - b'a' + 13) % 26 + b'a',
        b'A'..=b'Z' => (b - b'A' + 13) % 26 + b'A',
        _ => b,
    }
}

fn unquote(raw: &[u8]) -> String {
    let mut out = Vec::with_capacity(raw.len());
    let mut i = 0;
    while let Some(b) = raw.get(i) {
        let code = raw
            .get(i + 1..i + 3)
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(|d| u8::from_str_radix(d, 16).ok());
        if let (b'%', Some(code)) = (b, code) {
            out.push(code);
            i += 3;
        } else {
            out.push(*b);
            i += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What is around a deflated stream (RFC 1951).
#[derive(Clone, Copy)]
enum Wrapper {
    /// RFC 1950.
    Zlib,
    /// RFC 1952.
    Gzip,
}

/// At most [`TEXT_BYTES_MAX`] of what was packed; more of it is not known.
fn inflated(raw: &[u8], wrapper: Wrapper) -> Option<Vec<u8>> {
    use miniz_oxide::inflate::{decompress_to_vec_with_limit, decompress_to_vec_zlib_with_limit};
    match wrapper {
        Wrapper::Zlib => decompress_to_vec_zlib_with_limit(raw, TEXT_BYTES_MAX).ok(),
        // Ten bytes in front when it has no flags, as Python writes it.
        Wrapper::Gzip => match raw {
            [0x1F, 0x8B, 8, 0, _, _, _, _, _, _, stream @ ..] => {
                decompress_to_vec_with_limit(stream, TEXT_BYTES_MAX).ok()
            }
            _ => None,
        },
    }
}

/// The bytes of an integer, highest first.
fn large(digits: &str, radix: u32) -> Option<Vec<u8>> {
    let digits = digits.replace('_', "");
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = match lower.get(..2) {
        Some("0x") => (lower.get(2..)?, 16),
        Some("0o") => (lower.get(2..)?, 8),
        Some("0b") => (lower.get(2..)?, 2),
        _ => (lower.as_str(), radix),
    };
    if digits.is_empty() || digits.len() > LARGE_DIGITS_MAX {
        return None;
    }
    // Lowest byte first while it grows.
    let mut bytes: Vec<u8> = Vec::new();
    for digit in digits.chars() {
        let mut carry = digit.to_digit(radix)?;
        for byte in &mut bytes {
            let n = u32::from(*byte) * radix + carry;
            *byte = n as u8;
            carry = n >> 8;
        }
        while carry > 0 {
            bytes.push(carry as u8);
            carry >>= 8;
        }
    }
    bytes.reverse();
    Some(bytes)
}

/// RFC 4648, section 6.
fn base32(raw: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u32, 0u32);
    for b in raw.iter().filter(|b| **b != b'=') {
        let digit = match b {
            b'A'..=b'Z' => b - b'A',
            b'2'..=b'7' => b - b'2' + 26,
            _ => return None,
        };
        bits = bits << 5 | u32::from(digit);
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

/// RFC 1924's alphabet, as Python's `b85decode` reads it.
fn base85(raw: &[u8]) -> Option<Vec<u8>> {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
    let mut out = Vec::new();
    for chunk in raw.chunks(5) {
        let mut n = 0u64;
        for i in 0..5 {
            let b = chunk.get(i).copied().unwrap_or(b'~');
            n = n * 85 + DIGITS.iter().position(|d| *d == b)? as u64;
        }
        let bytes = u32::try_from(n).ok()?.to_be_bytes();
        out.extend_from_slice(bytes.get(..chunk.len().saturating_sub(1))?);
    }
    Some(out)
}
