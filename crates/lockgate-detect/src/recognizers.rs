//! The table of recognizers. A table: its order decides between matches at the same place.

use crate::{Entity, validate};

/// Judges a match: its score and how many bytes of it count, or `None`. The second argument is
/// the text before the match.
pub(crate) type Validator = fn(&str, &str) -> Option<(f32, usize)>;

pub(crate) struct Recognizer {
    pub(crate) name: &'static str,
    pub(crate) entity: Entity,
    pub(crate) pattern: &'static str,
    pub(crate) validate: Validator,
}

const fn recognizer(
    name: &'static str,
    entity: &'static str,
    pattern: &'static str,
    validate: Validator,
) -> Recognizer {
    Recognizer { name, entity: Entity(entity), pattern, validate }
}

pub(crate) static RECOGNIZERS: &[Recognizer] = &[
    // RFC 5321: a local part of at most 64 bytes, a domain of labels of at most 63.
    recognizer(
        "email",
        "EMAIL_ADDRESS",
        r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}[A-Za-z]{2,24}",
        validate::email,
    ),
    recognizer("url", "URL", r#"(?i:https?|ftps?|s3|file)://[^\s"'<>\\]{1,2000}"#, validate::url),
    // ISO 13616.
    recognizer("iban", "IBAN_CODE", r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", validate::iban),
    // Before the dates: 12.3.45 starts like one and goes on as an address.
    recognizer("ipv4", "IP_ADDRESS", r"\b[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\b", validate::ip),
    // ISO 8601 and the usual numeric and written forms.
    recognizer(
        "date-iso",
        "DATE_TIME",
        r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?\b",
        validate::date,
    ),
    recognizer(
        "date-numeric",
        "DATE_TIME",
        r"\b[0-9]{1,2}(?:/[0-9]{1,2}/|\.[0-9]{1,2}\.|-[0-9]{1,2}-)(?:[0-9]{4}|[0-9]{2})\b",
        validate::date,
    ),
    recognizer(
        "date-written",
        "DATE_TIME",
        r"\b[0-9]{1,2}(?:st|nd|rd|th)? (?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?,? [0-9]{4}\b",
        validate::always_strong,
    ),
    recognizer(
        "date-written-us",
        "DATE_TIME",
        r"\b(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.? [0-9]{1,2}(?:st|nd|rd|th)?,? [0-9]{4}\b",
        validate::always_strong,
    ),
    // SSA: area 001 to 899 without 666, group and serial never zero.
    recognizer("us-ssn", "US_SSN", r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b", validate::ssn),
    recognizer("ipv6", "IP_ADDRESS", r"(?:[0-9A-Fa-f]{1,4}:|::)[0-9A-Fa-f:.]{1,43}", validate::ip),
    // ISO/IEC 7812: 12 to 19 digits with a Luhn check digit.
    recognizer("payment-card", "CREDIT_CARD", r"\b[2-6][0-9]{3}(?:[ -]?[0-9]){8,15}\b", validate::card),
    // ITU-T E.164 with an international prefix.
    recognizer(
        "phone-international",
        "PHONE_NUMBER",
        r"(?:\+|\b00)[1-9][0-9]{0,3}(?:[ ./-]?\(?[0-9]{1,14}\)?){1,7}(?: ?(?:x|ext\.?) ?[0-9]{1,6})?",
        validate::phone,
    ),
    // North American numbering plan, with separators.
    recognizer(
        "phone-national",
        "PHONE_NUMBER",
        r"(?:\b1[ .-])?\(?[0-9]{3}(?:\) ?|[ .-])[0-9]{3}[ .-]?[0-9]{4}(?: ?(?:x|ext\.?) ?[0-9]{1,6})?\b",
        validate::phone,
    ),
    // National numbers elsewhere: a leading zero and at least one separator.
    recognizer(
        "phone-trunk",
        "PHONE_NUMBER",
        r"\(?\b0[0-9]{1,5}\)?(?:[ ./-]?\(?[0-9]{2,8}\)?){1,6}\b",
        validate::phone,
    ),
    // Ten bare digits are a phone number only next to a word that says so.
    recognizer("phone-bare", "PHONE_NUMBER", r"\b[0-9]{9,11}\b", validate::phone_in_context),
];
