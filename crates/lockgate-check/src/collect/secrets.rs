//! Credentials in values and within texts, by their names and by their forms. What is kept of
//! one is a keyed fingerprint and a hint; the value itself only says what reports must mask.

use aws_lc_rs::hmac;

use super::{
    Collector, Sink,
    within::{netrc, pairs, signatures, url_passwords},
};
use crate::{
    credentials::{self, Strength, Wanted},
    facts,
    source::Place,
    value::{HOLE, REFERENCE, Text, Trace, Val, literal},
};

impl Collector<'_> {
    /// `auth=("user", "password")`.
    pub(super) fn pair(&mut self, items: &[Val], sink: Sink<'_>) {
        if let [_, second] = items {
            self.secret_value("password", second, sink);
        }
    }

    /// Credentials of a known form in the comments of a file: what is commented out was in use.
    pub fn comments(&mut self, file: u32, text: &str) {
        let mut offset = 0;
        for line in text.split_inclusive('\n') {
            let start = offset;
            offset += line.len();
            let body = line.trim();
            if body.len() < 16 || !["#", "//", "--", ";"].iter().any(|mark| body.starts_with(mark)) {
                continue;
            }
            let place = Place::new(file, start, start + line.trim_end().len());
            for found in credentials::forms(body) {
                let is_form = !matches!(found.entity.as_str(), "CREDENTIALS" | "AUTHORIZATION");
                if let Some(value) = body.get(found.start..found.end).filter(|_| is_form) {
                    let sink = Sink { what: "a comment", place, access: "" };
                    let mut fact = self.fact("", value, Strength::Format, sink, "form");
                    fact.entity = Some(found.entity.as_str().to_owned());
                    self.push_credential(fact, value, &literal(place), place);
                }
            }
        }
    }

    /// A value where a password must be, whatever it is called.
    pub fn secret_value(&mut self, name: &str, val: &Val, sink: Sink<'_>) {
        if self.quiet > 0 {
            return;
        }
        for option in val.options() {
            let Some(text) = option.as_text().map(Text::flat) else { continue };
            if let Some(strength) = credentials::judge(Wanted::Password, name, &text) {
                self.credential(name, &text, strength, &option.trace, sink, "name");
            }
        }
    }

    /// Credentials of a known form within a text.
    pub fn form_in(&mut self, text: &str, trace: &Trace, sink: Sink<'_>) {
        for found in credentials::forms(text) {
            if let Some(value) = text.get(found.start..found.end).filter(|_| self.quiet == 0) {
                let mut fact = self.fact("", value, Strength::Format, sink, "form");
                fact.entity = Some(found.entity.as_str().to_owned());
                self.push_credential(fact, value, trace, sink.place);
            }
        }
    }

    /// Credentials within a text: by their form, in URLs, in connection strings, in SQL.
    pub fn credentials_in(&mut self, name: &str, text: &str, trace: &Trace, sink: Sink<'_>) {
        if self.quiet > 0 || text.len() < 8 {
            return;
        }
        let mut taken: Vec<(usize, usize)> = Vec::new();
        if let Some((start, end)) = netrc(text) {
            let value = text.get(start..end).unwrap_or_default().to_owned();
            if let Some(strength) = credentials::judge(Wanted::Password, "password", &value) {
                let fact = self.fact("password", &value, strength, sink, "name");
                self.push_credential(fact, &value, trace, sink.place);
            }
        }
        for found in credentials::forms(text) {
            // A URL's password is judged as such.
            if found.entity.as_str() == "CREDENTIALS" || found.entity.as_str() == "AUTHORIZATION" {
                continue;
            }
            let Some(value) = text.get(found.start..found.end) else { continue };
            taken.push((found.start, found.end));
            let mut fact = self.fact(name, value, Strength::Format, sink, "form");
            fact.entity = Some(found.entity.as_str().to_owned());
            self.push_credential(fact, value, trace, sink.place);
        }
        for (start, end) in signatures(text) {
            if let Some(value) = text.get(start..end) {
                taken.push((start, end));
                let fact = self.fact(name, value, Strength::Format, sink, "form");
                self.push_credential(fact, value, trace, sink.place);
            }
        }
        // A sentence with a URL in it that nothing is given to is a sentence.
        let is_prose = sink.what.is_empty() && text.split_whitespace().count() > 3;
        for (start, end) in if is_prose { Vec::new() } else { url_passwords(text) } {
            let Some(value) = text.get(start..end) else { continue };
            if taken.iter().any(|(s, e)| start < *e && end > *s) || value.contains([HOLE, REFERENCE]) {
                continue;
            }
            let of_manual =
                matches!(value, "password" | "pass" | "pwd" | "secret" | "passwd" | "pw" | "PASSWORD" | "PASS");
            let strength = credentials::judge(Wanted::Password, "password", value);
            if strength.is_some_and(|s| s > Strength::Placeholder)
                && !of_manual
                && !value.starts_with(['$', '{', '<', '%', ':'])
            {
                taken.push((start, end));
                let fact = self.fact(name, value, Strength::Literal, sink, "url");
                self.push_credential(fact, value, trace, sink.place);
            }
        }
        for (key, start, end) in pairs(text) {
            let (Some(key), Some(value)) = (text.get(key.0..key.1), text.get(start..end)) else { continue };
            if taken.iter().any(|(s, e)| start < *e && end > *s) {
                continue;
            }
            let key = if key.eq_ignore_ascii_case("identified by") { "password" } else { key };
            let Some(wanted) = credentials::wanted(key) else { continue };
            if let Some(strength) = credentials::judge(wanted, key, value) {
                taken.push((start, end));
                let fact = self.fact(key, value, strength, sink, "name");
                self.push_credential(fact, value, trace, sink.place);
            }
        }
    }

    pub(super) fn fact(
        &self,
        name: &str,
        value: &str,
        strength: Strength,
        sink: Sink<'_>,
        how: &str,
    ) -> facts::Credential {
        facts::Credential {
            name: name.chars().take(100).collect(),
            how: how.to_owned(),
            sink: sink.what.to_owned(),
            strength,
            entity: None,
            fingerprint: self.fingerprint(value),
            hint: credentials::hint(value),
            instead: String::new(),
        }
    }

    pub(super) fn credential(
        &mut self,
        name: &str,
        text: &str,
        strength: Strength,
        trace: &Trace,
        sink: Sink<'_>,
        how: &str,
    ) {
        let mut fact = self.fact(name, text, strength, sink, how);
        fact.entity = credentials::forms(text).first().map(|f| f.entity.as_str().to_owned());
        self.push_credential(fact, text, trace, sink.place);
    }

    pub(super) fn push_credential(&mut self, fact: facts::Credential, value: &str, trace: &Trace, place: Place) {
        let raw = self.raw(place, trace, fact);
        self.found.secrets.push((value.into(), raw.literals.clone()));
        self.found.credentials.push(raw);
    }

    fn fingerprint(&self, value: &str) -> String {
        let tag = hmac::sign(self.key, value.as_bytes());
        hex::encode(tag.as_ref().get(..8).unwrap_or_default())
    }
}
