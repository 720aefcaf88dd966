//! What is found and what is left alone.

use super::*;
use proptest::prelude::*;

fn redacted(text: &str) -> String {
    let own = Own {
        name: "customer".to_owned(),
        regex: regex_lite::Regex::new(r"\bC-\d{6}\b").unwrap(),
    };
    let mut redactor = Redactor::new(&Detector::ALL, vec![own]);
    replaced(&mut redactor, text.as_bytes(), false, 100_000)
}

#[test]
fn secrets_are_replaced_by_the_name_of_their_kind() {
    for (text, expected) in [
        (
            "key AKIAIOSFODNN7EXAMPLE used",
            "key [redacted aws_key] used",
        ),
        (
            r#"{"SecretAccessKey":"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}"#,
            r#"{"SecretAccessKey":"[redacted aws_key]"}"#,
        ),
        (
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "aws_secret_access_key = [redacted aws_key]",
        ),
        (
            "Authorization: Bearer eyJhbGciOi.J9.abc-_x==",
            "Authorization: Bearer [redacted bearer_token]",
        ),
        (
            "postgres://app:s3cr3t@db:5432/x",
            "postgres://app:[redacted url_password]@db:5432/x",
        ),
        (
            "http://a:p@ss@host/",
            "http://a:[redacted url_password]@host/",
        ),
        (
            "before\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nafter",
            "before\n[redacted private_key]\nafter",
        ),
        (
            "-----BEGIN PRIVATE KEY-----\nMIIE",
            "[redacted private_key]",
        ),
        ("to jean.dupont+x@example.org.", "to [redacted email]."),
        (
            "card 4111 1111 1111 1111 ok",
            "card [redacted card_number] ok",
        ),
        ("card 5500-0000-0000-0004", "card [redacted card_number]"),
        (
            "iban FR14 2004 1010 0505 0001 3M02 606 x",
            "iban [redacted iban] x",
        ),
        ("DE89370400440532013000", "[redacted iban]"),
        (
            "for C-123456 and C-1234567",
            "for [redacted customer] and C-1234567",
        ),
    ] {
        assert_eq!(redacted(text), expected);
    }
}

#[test]
fn what_is_no_secret_stays() {
    for text in [
        "AKIA and AKIAIOSFODNN7EXAMPL and AKIAIOSFODNN7EXAMPLEX and xAKIAIOSFODNN7EXAMPLE",
        "a secret: x, secret_key = short, the secretary",
        "Bearer of news, the bearer token, forbearer aaaaaaaaaaaaaaaaaaaaa",
        "http://host:80/a@b http://user@host http://user:@host",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "a@b, @handle, x@y.1, 12@",
        "4111 1111 1111 1112, 20261122220823702, id 41111111111111111111111",
        "FR14 2004 1010 0505 0001 3M02 607, INFO 12",
    ] {
        assert_eq!(redacted(text), text);
    }
}

fn replaced(redactor: &mut Redactor, text: &[u8], is_in_key: bool, longest: usize) -> String {
    redactor.find(text, is_in_key);
    let line = Line {
        bytes: text,
        is_utf8: true,
        is_cut: false,
    };
    String::from_utf8_lossy(redactor.redacted(&line, longest).bytes).into_owned()
}

#[test]
fn where_the_name_has_no_room_there_are_stars() {
    let text = b"http://a:b@c";
    let mut redactor = Redactor::new(&Detector::USUAL, Vec::new());
    assert_eq!(
        replaced(&mut redactor, text, false, text.len()),
        "http://a:*@c"
    );
    let by: Vec<_> = redactor.found_by().map(|by| redactor.name(by)).collect();
    assert_eq!(by, ["url_password"]);
}

#[test]
fn a_key_goes_on_in_the_records_behind_its_beginning() {
    let mut redactor = Redactor::new(&Detector::USUAL, Vec::new());
    for (text, before, after) in [
        ("x -----BEGIN EC PRIVATE KEY-----", false, true),
        ("MIIE", true, true),
        ("MIIE", false, false),
        ("-----END EC PRIVATE KEY-----", true, false),
        (
            "-----BEGIN PRIVATE KEY-----x-----END PRIVATE KEY-----",
            false,
            false,
        ),
    ] {
        assert_eq!(
            redactor.ends_in_key(text.as_bytes(), before),
            after,
            "{text}"
        );
    }
    let text = b"MIIE-----END PRIVATE KEY-----";
    let expected = "[redacted private_key]-----END PRIVATE KEY-----";
    assert_eq!(replaced(&mut redactor, text, true, 1000), expected);
    assert!(!Redactor::new(&[], Vec::new()).ends_in_key(b"-----BEGIN PRIVATE KEY-----", false));
}

proptest! {
    #[test]
    fn no_secret_is_passed_over_for_lack_of_its_sign(
        parts in proptest::collection::vec(prop_oneof![
            3 => "[a-zA-Z0-9:/@ =.]{0,20}",
            1 => Just("AKIAIOSFODNN7EXAMPLE".to_owned()),
            1 => Just("Bearer abcdefghijklmnopq".to_owned()),
            1 => Just("http://u:p@h".to_owned()),
            1 => Just("-----BEGIN PRIVATE KEY-----".to_owned()),
        ], 1..20),
    ) {
        let bytes = parts.join(" ").into_bytes();
        let mut redactor = Redactor::new(&Detector::USUAL, Vec::new());
        let mut at = 0;
        redactor.begin();
        for part in &parts {
            let range = at..at + part.len();
            at = range.end + 1;
            let may_be = redactor.may_be_in(&bytes, range.clone());
            prop_assert!(may_be || redactor.find(&bytes[range], false).is_empty());
        }
    }

    #[test]
    fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..200), sign in 0..SIGNS.len()) {
        let mut text = bytes.clone();
        text.extend_from_slice(SIGNS[sign].0);
        text.extend(bytes);
        let mut redactor = Redactor::new(&Detector::ALL, Vec::new());
        replaced(&mut redactor, &text, false, 100);
        replaced(&mut redactor, &text, true, 1000);
        redactor.ends_in_key(&text, true);
    }
}
