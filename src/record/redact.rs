//! What no log should hold is replaced before it leaves the process. Owns which detectors are on
//! and what stands in the place of what they find; looks for nothing itself.

use std::ops::Range;

use memchr::memmem::Finder;

use super::Line;

mod detect;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Detector {
    /// Access keys and secret keys of AWS.
    AwsKey,
    /// What stands behind `Bearer`.
    BearerToken,
    /// Private keys in PEM.
    PrivateKey,
    /// The password in a URL.
    UrlPassword,
    /// Addresses of e-mail.
    Email,
    /// Numbers of payment cards, with a right check digit.
    CardNumber,
    /// Numbers of bank accounts, with right check digits.
    Iban,
}

impl Detector {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::AwsKey,
        Self::BearerToken,
        Self::PrivateKey,
        Self::UrlPassword,
        Self::Email,
        Self::CardNumber,
        Self::Iban,
    ];
    /// Those that are on unless the configuration says otherwise.
    pub(crate) const USUAL: [Self; 4] = [
        Self::AwsKey,
        Self::BearerToken,
        Self::PrivateKey,
        Self::UrlPassword,
    ];

    /// The word for it in the configuration, the metrics and the text.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AwsKey => "aws_key",
            Self::BearerToken => "bearer_token",
            Self::PrivateKey => "private_key",
            Self::UrlPassword => "url_password",
            Self::Email => "email",
            Self::CardNumber => "card_number",
            Self::Iban => "iban",
        }
    }
}

/// A pattern of the configuration: its name, and what matches.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    pub(crate) name: String,
    pub(crate) regex: regex_lite::Regex,
}

/// What must be there before a detector looks: one text for each.
const SIGNS: [(&[u8], Detector); 6] = [
    (b"AKIA", Detector::AwsKey),
    (b"ASIA", Detector::AwsKey),
    (b"ecret", Detector::AwsKey),
    (b"earer ", Detector::BearerToken),
    (b"-----BEGIN ", Detector::PrivateKey),
    (b"://", Detector::UrlPassword),
];

/// Something that was found: where, and the index of what found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) range: Range<usize>,
    pub(crate) by: usize,
}

/// Looks for secrets.
#[derive(Debug)]
pub(crate) struct Redactor {
    /// The signs of the detectors that are on.
    signs: Vec<(Finder<'static>, Detector)>,
    /// Detectors that have no sign.
    others: Vec<Detector>,
    own: Vec<Own>,
    /// For each sign, where it stands next in the bytes at hand.
    next: Vec<usize>,
    /// Where the first of them stands: what ends before it has none, and most records do.
    first: usize,
    found: Vec<Found>,
    text: Vec<u8>,
}

impl Redactor {
    /// With these detectors and patterns.
    pub(crate) fn new(detectors: &[Detector], own: Vec<Own>) -> Self {
        let signs: Vec<_> = SIGNS
            .iter()
            .filter(|(_, detector)| detectors.contains(detector))
            .map(|(sign, detector)| (Finder::new(sign), *detector))
            .collect();
        let has_sign = |detector: &&Detector| SIGNS.iter().any(|(_, it)| it == *detector);
        Self {
            next: vec![0; signs.len()],
            first: 0,
            others: detectors
                .iter()
                .filter(|it| !has_sign(it))
                .copied()
                .collect(),
            signs,
            own,
            found: Vec::new(),
            text: Vec::new(),
        }
    }

    /// What finds: the detectors, then the patterns, by the index that [`Found`] names.
    pub(crate) fn name(&self, by: usize) -> &str {
        match Detector::ALL.get(by) {
            Some(detector) => detector.name(),
            None => self
                .own
                .get(by - Detector::ALL.len())
                .map_or("", |own| &own.name),
        }
    }

    /// Whether it is looked for.
    pub(crate) fn is_on(&self, by: usize) -> bool {
        match Detector::ALL.get(by) {
            Some(detector) => {
                self.others.contains(detector) || self.signs.iter().any(|(_, it)| it == detector)
            }
            None => by < self.names(),
        }
    }

    /// How many names there are.
    pub(crate) fn names(&self) -> usize {
        Detector::ALL.len() + self.own.len()
    }

    /// Other bytes are at hand.
    pub(crate) fn begin(&mut self) {
        self.next.fill(0);
        self.first = 0;
    }

    /// Whether there may be something in `bytes[range]`. Looks at each byte once for each sign,
    /// however many ranges are asked for, as long as they go forward.
    #[inline]
    pub(crate) fn may_be_in(&mut self, bytes: &[u8], range: Range<usize>) -> bool {
        let mut may_be = !self.others.is_empty() || !self.own.is_empty();
        if self.first >= range.end && range.end > 0 {
            return may_be;
        }
        self.first = usize::MAX;
        for ((finder, _), next) in self.signs.iter().zip(&mut self.next) {
            if *next < range.start {
                let rest = bytes.get(range.start..).unwrap_or_default();
                *next = finder.find(rest).map_or(usize::MAX, |at| range.start + at);
            }
            may_be |= *next < range.end;
            self.first = self.first.min(*next);
        }
        may_be
    }

    /// The same of a text that stands alone.
    pub(crate) fn may_be_alone_in(&mut self, text: &[u8]) -> bool {
        self.begin();
        let may_be = self.may_be_in(text, 0..text.len());
        self.begin();
        may_be
    }

    /// The line with its secrets replaced, of at most `longest` bytes. `is_in_key` says that it
    /// begins within a private key, and then whether what follows does.
    pub(crate) fn pass<'a>(
        &'a mut self,
        line: &Line<'a>,
        is_in_key: &mut bool,
        longest: usize,
    ) -> Line<'a> {
        self.find(line.bytes, *is_in_key);
        *is_in_key = self.ends_in_key(line.bytes, *is_in_key);
        self.redacted(line, longest)
    }

    /// Everything in a text, in order and without overlaps. `is_in_key` says that it begins
    /// within a private key.
    pub(crate) fn find(&mut self, text: &[u8], is_in_key: bool) -> &[Found] {
        self.found.clear();
        if is_in_key {
            let rest = memchr::memmem::find(text, KEY_END).unwrap_or(text.len());
            self.found.push(Found {
                range: 0..rest,
                by: Detector::PrivateKey as usize,
            });
        }
        for (finder, detector) in &self.signs {
            for at in finder.find_iter(text) {
                if let Some(range) = detect::at_sign(*detector, text, at) {
                    self.found.push(Found {
                        range,
                        by: *detector as usize,
                    });
                }
            }
        }
        for detector in &self.others {
            let by = *detector as usize;
            detect::without_sign(*detector, text, |range| {
                self.found.push(Found { range, by });
            });
        }
        if !self.own.is_empty() {
            self.find_own(text);
        }
        self.found
            .sort_unstable_by_key(|found| (found.range.start, found.range.end));
        let mut end = 0;
        self.found.retain(|found| {
            let is_new = found.range.start >= end && !found.range.is_empty();
            if is_new {
                end = found.range.end;
            }
            is_new
        });
        &self.found
    }

    /// Patterns look at the valid text; bytes that are not UTF-8 match nothing.
    fn find_own(&mut self, text: &[u8]) {
        let mut start = 0;
        for chunk in text.utf8_chunks() {
            for (index, own) in self.own.iter().enumerate() {
                self.found
                    .extend(own.regex.find_iter(chunk.valid()).map(|found| Found {
                        range: start + found.start()..start + found.end(),
                        by: Detector::ALL.len() + index,
                    }));
            }
            start += chunk.valid().len() + chunk.invalid().len();
        }
    }

    /// The indices of what was found last.
    pub(crate) fn found_by(&self) -> impl Iterator<Item = usize> {
        self.found.iter().map(|found| found.by)
    }

    /// The line with what was [found](Self::find) in it replaced. Where the names would make it
    /// longer than `longest`, stars of the same length stand in their place.
    pub(crate) fn redacted<'a>(&'a mut self, line: &Line<'a>, longest: usize) -> Line<'a> {
        if self.found.is_empty() {
            return *line;
        }
        let mut out = std::mem::take(&mut self.text);
        out.clear();
        let grown: usize = self
            .found
            .iter()
            .map(|found| MARK.len() + self.name(found.by).len())
            .sum();
        let is_named = line.shipped_len() + grown <= longest;
        let mut from = 0;
        for found in &self.found {
            out.extend_from_slice(&line.bytes[from..found.range.start]);
            if is_named {
                out.extend_from_slice(b"[redacted ");
                out.extend_from_slice(self.name(found.by).as_bytes());
                out.push(b']');
            } else {
                out.extend(std::iter::repeat_n(b'*', found.range.len()));
            }
            from = found.range.end;
        }
        out.extend_from_slice(&line.bytes[from..]);
        self.text = out;
        Line {
            bytes: &self.text,
            ..*line
        }
    }

    /// Whether a text leaves us within a private key. `is_in_key` says how it began.
    pub(crate) fn ends_in_key(&self, text: &[u8], is_in_key: bool) -> bool {
        let end = memchr::memmem::rfind(text, KEY_END);
        self.is_on(Detector::PrivateKey as usize)
            && match detect::last_key_begin(text) {
                Some(begin) => end.is_none_or(|end| end < begin),
                None => is_in_key && end.is_none(),
            }
    }

    /// Gives the buffer back to the system.
    pub(crate) fn shrink(&mut self) {
        self.text = Vec::new();
    }
}

/// What ends a private key.
const KEY_END: &[u8] = b"-----END ";
/// What a replacement is made of, beside the name.
const MARK: &str = "[redacted ]";

#[cfg(test)]
mod tests;
