//! The detectors: where in a text a secret begins and ends. Each is exact enough that what is no
//! secret stays as it is.

use std::ops::Range;

use super::Detector;

/// A bearer token is at least so long.
const SHORTEST_TOKEN: usize = 16;
/// An address of e-mail is at most so long.
const LONGEST_EMAIL: usize = 254;

/// The secret whose sign stands at `at`.
pub(super) fn at_sign(detector: Detector, text: &[u8], at: usize) -> Option<Range<usize>> {
    match detector {
        Detector::AwsKey if text[at] == b'A' => aws_access_key(text, at),
        Detector::AwsKey => aws_secret_key(text, at),
        Detector::BearerToken => bearer_token(text, at),
        Detector::PrivateKey => private_key(text, at),
        Detector::UrlPassword => url_password(text, at + 3),
        Detector::Email | Detector::CardNumber | Detector::Iban => None,
    }
}

/// Secrets that have no sign.
pub(super) fn without_sign(detector: Detector, text: &[u8], mut found: impl FnMut(Range<usize>)) {
    match detector {
        Detector::Email => {
            for at in memchr::memchr_iter(b'@', text) {
                if let Some(range) = email(text, at) {
                    found(range);
                }
            }
        }
        Detector::CardNumber => each_word(text, u8::is_ascii_digit, |start| {
            let range = card_number(text, start)?;
            found(range.clone());
            Some(range.end)
        }),
        Detector::Iban => each_word(text, u8::is_ascii_uppercase, |start| {
            let range = iban(text, start)?;
            found(range.clone());
            Some(range.end)
        }),
        _ => {}
    }
}

/// Calls `look` at each place where such a byte begins a word; it says where to go on.
fn each_word(
    text: &[u8],
    begins: impl Fn(&u8) -> bool,
    mut look: impl FnMut(usize) -> Option<usize>,
) {
    let mut at = 0;
    while at < text.len() {
        let is_start = at == 0 || !text[at - 1].is_ascii_alphanumeric();
        if is_start
            && begins(&text[at])
            && let Some(end) = look(at)
        {
            at = end;
            continue;
        }
        at += 1;
    }
}

fn run_of(text: &[u8], from: usize, is_in: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    rest.iter().take_while(|byte| is_in(**byte)).count()
}

/// `AKIA` or `ASIA` and 16 capitals or digits.
fn aws_access_key(text: &[u8], at: usize) -> Option<Range<usize>> {
    let is_start = at == 0 || !text[at - 1].is_ascii_alphanumeric();
    let len = run_of(text, at, |byte| byte.is_ascii_alphanumeric());
    let is_key = len == 20 && !text[at..at + len].iter().any(u8::is_ascii_lowercase);
    (is_start && is_key).then_some(at..at + len)
}

/// `aws_secret_access_key = …`, `"SecretAccessKey": "…"`: forty characters of base64.
fn aws_secret_key(text: &[u8], at: usize) -> Option<Range<usize>> {
    let name_len = run_of(text, at, |byte| {
        byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-')
    });
    let name: Vec<u8> = text[at..at + name_len]
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .map(u8::to_ascii_lowercase)
        .collect();
    if name != b"ecretaccesskey" && name != b"ecretkey" {
        return None;
    }
    let gap = run_of(text, at + name_len, |byte| {
        matches!(byte, b'"' | b'\'' | b' ' | b':' | b'=' | b'\\')
    });
    let start = at + name_len + gap;
    let len = run_of(text, start, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+' | b'=')
    });
    (gap > 0 && len == 40).then_some(start..start + len)
}

/// `Bearer …`: the token.
fn bearer_token(text: &[u8], at: usize) -> Option<Range<usize>> {
    let is_bearer = at > 0
        && matches!(text[at - 1], b'B' | b'b')
        && (at == 1 || !text[at - 2].is_ascii_alphanumeric());
    let start = at + b"earer ".len();
    let len = run_of(text, start, |byte| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'~' | b'+' | b'/' | b'=' | b'-')
    });
    (is_bearer && len >= SHORTEST_TOKEN).then_some(start..start + len)
}

/// From `-----BEGIN … PRIVATE KEY-----` to the end of its last line, or of the text.
fn private_key(text: &[u8], at: usize) -> Option<Range<usize>> {
    let header = begin_len(&text[at..])?;
    let body = at + header;
    let Some(end) = memchr::memmem::find(&text[body..], b"-----END ") else {
        return Some(at..text.len());
    };
    let end = body + end;
    let rest = &text[end + 9..];
    let len = memchr::memmem::find(&rest[..rest.len().min(64)], b"-----").map_or(0, |at| at + 5);
    Some(at..end + 9 + len)
}

/// The length of `-----BEGIN … PRIVATE KEY-----`.
fn begin_len(text: &[u8]) -> Option<usize> {
    let name = text.strip_prefix(b"-----BEGIN ")?;
    let len = memchr::memmem::find(&name[..name.len().min(64)], b"-----")?;
    name[..len]
        .ends_with(b"PRIVATE KEY")
        .then_some(11 + len + 5)
}

/// Where the last private key of a text begins.
pub(super) fn last_key_begin(text: &[u8]) -> Option<usize> {
    let finder = memchr::memmem::FinderRev::new(b"-----BEGIN ");
    finder
        .rfind_iter(text)
        .find(|at| begin_len(&text[*at..]).is_some())
}

/// The password of `user:password@host`, which stands behind `://`.
fn url_password(text: &[u8], start: usize) -> Option<Range<usize>> {
    let len = run_of(text, start, |byte| {
        byte > b' '
            && !matches!(
                byte,
                b'/' | b'"' | b'\'' | b'<' | b'>' | b'?' | b'#' | b'\\' | b'`'
            )
    });
    let authority = &text[start..start + len];
    let at = memchr::memrchr(b'@', authority)?;
    let colon = memchr::memchr(b':', &authority[..at])?;
    (colon + 1 < at).then_some(start + colon + 1..start + at)
}

fn email(text: &[u8], at: usize) -> Option<Range<usize>> {
    let is_local = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-')
    };
    let before = text[..at]
        .iter()
        .rev()
        .take(64)
        .take_while(|byte| is_local(byte))
        .count();
    let domain_len = run_of(text, at + 1, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')
    });
    let domain = text[at + 1..at + 1 + domain_len].trim_ascii_end();
    let domain = domain.strip_suffix(b".").unwrap_or(domain);
    let dot = memchr::memrchr(b'.', domain)?;
    let top = &domain[dot + 1..];
    let is_email = before > 0
        && dot > 0
        && top.len() >= 2
        && top.iter().all(u8::is_ascii_alphabetic)
        && before + domain.len() < LONGEST_EMAIL;
    is_email.then_some(at - before..at + 1 + domain.len())
}

/// 13 to 19 digits, alone or in groups, with a right check digit (Luhn).
fn card_number(text: &[u8], start: usize) -> Option<Range<usize>> {
    let mut digits = [0u8; 19];
    let mut count = 0;
    let mut end = start;
    let mut at = start;
    while let Some(&byte) = text.get(at) {
        if byte.is_ascii_digit() {
            *digits.get_mut(count)? = byte - b'0';
            count += 1;
            at += 1;
            end = at;
        } else if matches!(byte, b' ' | b'-')
            && text.get(at + 1).is_some_and(u8::is_ascii_digit)
            && at == end
        {
            at += 1;
        } else {
            break;
        }
    }
    let is_ended = text
        .get(end)
        .is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let digits = &digits[..count];
    if count < 13 || !is_ended || !matches!(digits[0], 2..=6) {
        return None;
    }
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let doubled = u32::from(*digit) * if place % 2 == 1 { 2 } else { 1 };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    (sum.is_multiple_of(10)).then_some(start..end)
}

/// Two letters, two digits, 11 to 30 more, alone or in groups of four, with right check digits.
fn iban(text: &[u8], start: usize) -> Option<Range<usize>> {
    let mut characters = [0u8; 34];
    let mut count = 0;
    let mut end = start;
    let mut at = start;
    while let Some(&byte) = text.get(at) {
        if byte.is_ascii_uppercase() || byte.is_ascii_digit() {
            *characters.get_mut(count)? = byte;
            count += 1;
            at += 1;
            end = at;
        } else if byte == b' ' && count % 4 == 0 && at == end && count > 0 {
            at += 1;
        } else {
            break;
        }
    }
    let is_ended = text
        .get(end)
        .is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let characters = &characters[..count];
    let is_iban = count >= 15
        && is_ended
        && characters[1].is_ascii_uppercase()
        && characters[2..4].iter().all(u8::is_ascii_digit)
        && remainder(characters) == 1;
    is_iban.then_some(start..end)
}

fn remainder(characters: &[u8]) -> u32 {
    let (front, back) = characters.split_at(4);
    back.iter().chain(front).fold(0, |rest, byte| {
        if byte.is_ascii_digit() {
            (rest * 10 + u32::from(byte - b'0')) % 97
        } else {
            (rest * 100 + u32::from(byte - b'A') + 10) % 97
        }
    })
}
