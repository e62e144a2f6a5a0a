//! One pass over one text: what stands at each anchor, judged by checks and context.

use regex_automata::{Anchored, Input, hybrid::dfa::OverlappingState};

use super::{
    CONTEXT_BOOST, Candidate, Scanner, Scratch,
    anchors::{AT, DIGITS, FIRST_WORD, SCHEME, WWW},
};
use crate::{
    address,
    check::{Hit, Verdict},
    context::{AFTER, BEFORE, Context, WORD_BYTES_MAX},
    recognizer::Tail,
};

/// No value that a pattern matches is longer; private keys are.
const VALUE_BYTES_MAX: usize = 8 << 10;
/// A token is walked back over so far.
const TOKEN_BYTES_MAX: usize = 128;

/// One pass over one text.
pub(super) struct Pass<'p> {
    pub scanner: &'p Scanner,
    pub text: &'p str,
    pub column: Context,
    /// So far words were listened for.
    pub heard_to: usize,
    pub scratch: &'p mut Scratch,
    /// Where the shortest reading of the last confirmed value ended: nothing begins within it.
    pub covered: usize,
    /// Where the last URL ended.
    pub url_end: usize,
    /// Where the last token and the last address ended.
    pub token_end: usize,
    pub address_end: usize,
}

impl Pass<'_> {
    /// The byte so far before a place.
    fn before(&self, at: usize, back: usize) -> Option<u8> {
        self.text.as_bytes().get(at.checked_sub(back)?).copied()
    }

    /// Looks at an anchor; returns where to go on.
    pub(super) fn look(&mut self, kind: usize, start: usize, end: usize) -> usize {
        match kind {
            0..DIGITS => self.token(start),
            AT => self.email(start).unwrap_or(end),
            SCHEME => self.url(start).unwrap_or(end),
            WWW => self.www(start).unwrap_or(end),
            FIRST_WORD.. => {
                let open = self.before(start, 1).is_none_or(|b| !b.is_ascii_alphanumeric());
                // `dbPassword` and `PGPASSWORD` end in a telling word.
                if open || end - start >= 6 {
                    self.begin(start);
                }
                // Other words, and digits, may begin within this one.
                (start + 1..=end).find(|at| self.text.is_char_boundary(*at)).unwrap_or(end)
            }
        }
    }

    /// Looks at the token around a digit and at what may lead to it.
    fn token(&mut self, digit: usize) -> usize {
        let bytes = self.text.as_bytes();
        let word = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
        let mut start = digit;
        while start > self.token_end && digit - start < TOKEN_BYTES_MAX && word(start - 1) {
            start -= 1;
        }
        let mut end = digit + 1;
        while word(end) {
            end += 1;
        }
        // A group within a longer number was looked at from its first one, unless that ended here.
        let within = start > 1
            && bytes.get(start - 1).is_some_and(|b| b"-.".contains(b))
            && bytes.get(start - 2).is_some_and(u8::is_ascii_digit)
            && bytes.get(start..end).is_some_and(|token| token.len() < 12 && token.iter().all(u8::is_ascii_digit))
            && !self.scratch.candidates.iter().rev().take(8).any(|candidate| candidate.end + 1 == start);
        let whole = start == 0 || !word(start - 1);
        if whole && !within && start >= self.url_end && start >= self.covered && !self.is_dull(start, end) {
            let [first, second] = [self.before(start, 1), self.before(start, 2)];
            if matches!(first, Some(b'+' | b'(')) {
                let back = if second == Some(b'+') || (first == Some(b'(') && second == Some(b'(')) { 2 } else { 1 };
                self.begin(start - back);
            }
            if self.covered > start {
                self.token_end = end;
                return end;
            }
            if matches!(first, Some(b'-')) && matches!(second, None | Some(b' ' | b',' | b'(' | b'[' | b'\t' | b'\n')) {
                self.begin(start - 1);
            }
            if let Some(lead) = self.lead(start) {
                if let Some(lead) = self.lead(lead).filter(|_| bytes.get(lead).is_some_and(u8::is_ascii_uppercase)) {
                    self.begin(lead);
                }
                self.begin(lead);
            }
            self.begin(start);
        }
        self.token_end = end;
        end
    }

    /// Short numbers among spaces and commas begin nothing.
    fn is_dull(&self, start: usize, end: usize) -> bool {
        let bytes = self.text.as_bytes();
        let joins = |byte: Option<&u8>| byte.is_some_and(|b| b"-./ :+()\xc2".contains(b));
        let other_script = |byte: Option<&u8>| byte.is_some_and(|b| *b >= 0x80);
        if other_script(bytes.get(end)) {
            return false;
        }
        let goes_on = joins(bytes.get(end))
            && bytes.get(end + 1).is_some_and(|b| b.is_ascii_alphanumeric() || b"( -./".contains(b));
        let led = start > 0
            && joins(bytes.get(start - 1))
            && start > 1
            && bytes.get(start - 2).is_some_and(u8::is_ascii_alphabetic);
        end - start < 5 && !goes_on && !led
    }

    /// A short run of letters before the token, or hexadecimal groups with colons.
    fn lead(&self, start: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let separator = *bytes.get(start.checked_sub(1)?)?;
        let back = |limit: usize, part: &dyn Fn(u8) -> bool| {
            let mut at = start - 1;
            while at > 0 && start - at <= limit && bytes.get(at - 1).is_some_and(|b| part(*b)) {
                at -= 1;
            }
            (at < start - 1).then_some(at)
        };
        match separator {
            b' ' | b'-' => back(5, &|b| b.is_ascii_alphabetic())
                .filter(|at| self.before(*at, 1).is_none_or(|b| !b.is_ascii_alphanumeric())),
            b':' => back(40, &|b| b.is_ascii_hexdigit() || b == b':'),
            _ => None,
        }
    }

    /// Everything that begins at `start`.
    fn begin(&mut self, start: usize) {
        let end = (start + VALUE_BYTES_MAX).min(self.text.len());
        let input = Input::new(self.text).range(start..end).anchored(Anchored::Yes);
        let bytes = self.text.as_bytes();
        let mut state = OverlappingState::start();
        self.scratch.matches.clear();
        loop {
            // A search without a limit on cache clearing does not fail; if it did, there is no more.
            if self.scanner.dfa.try_search_overlapping_fwd(&mut self.scratch.cache, &input, &mut state).is_err() {
                break;
            }
            let Some(hit) = state.get_match() else { break };
            if let Some((recognizer, tail)) = self.scanner.patterns.get(hit.pattern().as_usize())
                && (*tail == Tail::Any || !bytes.get(hit.offset()).is_some_and(u8::is_ascii_alphanumeric))
            {
                self.scratch.matches.push((*recognizer, hit.offset()));
            }
        }
        if self.scratch.matches.is_empty() {
            return;
        }
        let mut matches = std::mem::take(&mut self.scratch.matches);
        matches.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        let (mut settled, mut covered) = (None, usize::MAX);
        for (recognizer, end) in &matches {
            // What was read across a space may belong to the next value: the shorter readings stay
            // at hand until overlaps are resolved.
            let spaced = bytes.get(start..*end).is_some_and(|value| value.contains(&b' '));
            if settled != Some(*recognizer) && self.accept(*recognizer, start, *end) {
                if self.scratch.candidates.last().is_some_and(|candidate| candidate.valid && candidate.score >= 0.8) {
                    covered = covered.min(*end);
                }
                if !spaced || *end == self.text.len() {
                    settled = Some(*recognizer);
                }
            }
        }
        if covered != usize::MAX {
            self.covered = self.covered.max(covered);
        }
        self.scratch.matches = matches;
    }

    /// Judges one match; true when it is a candidate.
    fn accept(&mut self, index: usize, start: usize, end: usize) -> bool {
        let Some(recognizer) = self.scanner.recognizers.get(index) else { return false };
        let bytes = self.text.as_bytes();
        let next = bytes.get(end);
        let decimal =
            |point: Option<&u8>, digit: Option<&u8>| point == Some(&b'.') && digit.is_some_and(u8::is_ascii_digit);
        let before = |back: usize| start.checked_sub(back).and_then(|at| bytes.get(at));
        let begins_with_digit = bytes.get(start).is_some_and(u8::is_ascii_digit);
        if begins_with_digit && decimal(before(1), before(2))
            || recognizer.is_number && decimal(next, bytes.get(end + 1)) && !is_whole(bytes, end + 1)
        {
            return false;
        }
        let threshold = recognizer.threshold.unwrap_or(self.scanner.threshold);
        // What needs a telling word in any case is not checked without one.
        if recognizer.shape.max(recognizer.valid) < threshold && !self.is_told(index, start, end) {
            return false;
        }
        let verdict = (recognizer.check)(&Hit { text: self.text, start, end });
        let base = match verdict {
            Verdict::No => return false,
            Verdict::Shape => recognizer.shape,
            Verdict::Valid => recognizer.valid,
        };
        // A weak number among others with the same separators is a part of theirs.
        let joins = |b: Option<&u8>| b.is_some_and(|b| b"-./".contains(b));
        let among = joins(before(1)) && before(2).is_some_and(u8::is_ascii_digit)
            || joins(next) && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) && !is_whole(bytes, end + 1);
        if recognizer.is_number && base < 0.8 && (among || is_one_of_many(bytes, start, end)) {
            return false;
        }
        let mut score = base;
        if base <= 0.0 || base + CONTEXT_BOOST < threshold {
            return false;
        }
        if base < threshold {
            let part = |b: Option<&u8>| b.is_some_and(|b| b"-/_".contains(b));
            let joined = part(before(1)) && before(2).is_some_and(u8::is_ascii_alphanumeric)
                || part(next) && bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric);
            if verdict == Verdict::Shape && joined || !self.is_told(index, start, end) {
                return false;
            }
            score = (base + CONTEXT_BOOST).min(1.0);
        }
        self.scratch.candidates.push(Candidate {
            recognizer: index,
            start,
            end,
            score,
            base,
            valid: verdict == Verdict::Valid,
            secret: recognizer.is_secret,
        });
        true
    }

    /// Whether the column's name or the words around tell of this recognizer.
    fn is_told(&mut self, index: usize, start: usize, end: usize) -> bool {
        if self.column.tells_of(index) {
            return true;
        }
        let Some(words) = &self.scanner.words else { return false };
        let (from, to) = (start.saturating_sub(BEFORE), (end + AFTER).min(self.text.len()));
        // The value is all there is.
        if start - from + to - end < 2 {
            return false;
        }
        // Each part of the text is heard once; a little more than is asked, so that it is not asked often.
        if self.heard_to < to {
            let begin = self.heard_to.saturating_sub(WORD_BYTES_MAX).max(from);
            self.heard_to = (to + AFTER).min(self.text.len());
            self.scratch.words.retain(|word| word.end > from);
            words.hear(self.text, begin, self.heard_to, &mut self.scratch.words);
        }
        self.scratch.words.iter().any(|word| {
            word.tells.tells_of(index)
                && ((word.start >= from && word.end <= start) || (word.start >= end && word.end <= to))
        })
    }

    /// What a team's own recognizers find.
    pub(super) fn custom(&mut self) {
        let Some(custom) = &self.scanner.custom else { return };
        let mut found = Vec::new();
        custom.find(self.text, |pattern, start, end| found.push((pattern.recognizer, pattern.score, start, end)));
        for (recognizer, base, start, end) in found {
            let own = self.scanner.recognizers.get(recognizer).and_then(|r| r.threshold);
            let threshold = own.unwrap_or(self.scanner.threshold);
            // A word beside it lifts even a weak pattern to what is reported.
            let score = if base < threshold && self.is_told(recognizer, start, end) {
                (base + CONTEXT_BOOST).max(threshold)
            } else {
                base
            };
            if score >= threshold {
                self.scratch.candidates.push(Candidate {
                    recognizer,
                    start,
                    end,
                    score,
                    base,
                    valid: base >= 0.8,
                    secret: false,
                });
            }
        }
    }

    fn email(&mut self, at: usize) -> Option<usize> {
        let recognizer = self.scanner.email.filter(|_| at >= self.url_end)?;
        let (start, end) = address::email(self.text, at, self.address_end)?;
        self.push(recognizer, start, end);
        self.address_end = end;
        Some(end)
    }

    fn url(&mut self, at: usize) -> Option<usize> {
        let url = address::url(self.text, at, self.address_end)?;
        let recognizer =
            if url.has_password { self.scanner.credentials.or(self.scanner.url) } else { self.scanner.url };
        self.push(recognizer?, url.start, url.end);
        // Of what stands in a URL, secrets alone are looked for; a webhook is one itself.
        self.begin(at + 3);
        self.address_end = url.end;
        self.url_end = url.end;
        Some(at + 3)
    }

    fn www(&mut self, at: usize) -> Option<usize> {
        let recognizer = self.scanner.url?;
        let open = self.before(at, 1).is_none_or(|b| !b.is_ascii_alphanumeric() && b != b'.');
        let (start, end) = address::www(self.text, at).filter(|_| open)?;
        self.push(recognizer, start, end);
        self.address_end = end;
        self.token_end = end;
        Some(end)
    }

    fn push(&mut self, recognizer: usize, start: usize, end: usize) {
        let Some((score, own)) = self.scanner.recognizers.get(recognizer).map(|r| (r.valid, r.threshold)) else {
            return;
        };
        if score < own.unwrap_or(self.scanner.threshold) {
            return;
        }
        self.scratch.candidates.push(Candidate {
            recognizer,
            start,
            end,
            score,
            base: score,
            valid: true,
            secret: false,
        });
    }
}

/// Zeros alone behind the point: a whole number as data frames write it.
fn is_whole(bytes: &[u8], at: usize) -> bool {
    let zeros = (at..).take_while(|at| bytes.get(*at) == Some(&b'0')).take(9).count();
    zeros > 0 && !bytes.get(at + zeros).is_some_and(u8::is_ascii_alphanumeric)
}

/// A number in groups beside more groups of the same length is cut out of a row of numbers.
fn is_one_of_many(bytes: &[u8], start: usize, end: usize) -> bool {
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let value = bytes.get(start..end).unwrap_or_default();
    if !value.contains(&b' ') {
        return false;
    }
    let group = |at: usize| (at..).take_while(|at| digit(*at)).take(20).count();
    let back = |at: usize| (1..=at.min(20)).take_while(|back| digit(at - back)).count();
    let after = bytes.get(end) == Some(&b' ') && group(end + 1) > 0 && group(end + 1) == back(end);
    let before =
        start > 1 && bytes.get(start - 1) == Some(&b' ') && back(start - 1) > 0 && back(start - 1) == group(start);
    after || before
}
