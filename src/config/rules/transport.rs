//! What the texts of `auth`, `headers`, `tls`, `proxy` and `assume_role` must look like.

use super::super::describe::{TextRule, Wrong};
use super::{url, wrong};

pub(crate) static SECRET: TextRule = TextRule {
    noun: "secret",
    expected: "a text without control characters",
    mend: "write a variable in its place, such as ${LOKI_PASSWORD}, or name a file",
    pattern: None,
    check: |text| {
        if text.is_empty() {
            return Err("is empty".into());
        }
        (!text.contains(char::is_control))
            .then_some(())
            .ok_or_else(|| Wrong::from("has a control character in it"))
    },
};

pub(crate) static USERNAME: TextRule = TextRule {
    noun: "text",
    expected: "a user's name",
    mend: "write the user's name",
    pattern: Some("^[^:]+$"),
    check: |text| {
        let is_valid = !text.is_empty() && !text.contains(char::is_control);
        is_valid
            .then_some(())
            .ok_or_else(|| Wrong::from("is no name of a user"))
    },
};

/// Headers that have a key of their own or that the protocol needs.
const TAKEN: [(&str, &str); 9] = [
    ("authorization", "use `auth`"),
    ("x-scope-orgid", "use `tenant_id`"),
    ("host", "set the host in `url`"),
    ("content-type", "take it out"),
    ("content-length", "take it out"),
    ("content-encoding", "use `compression`"),
    ("transfer-encoding", "take it out"),
    ("connection", "take it out"),
    (
        "proxy-authorization",
        "write user and password into `proxy`",
    ),
];

pub(crate) static HEADER_NAME: TextRule = TextRule {
    noun: "name",
    expected: "the name of a header that Pinnace does not set itself",
    mend: "use letters, digits and `-`",
    pattern: Some("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"),
    check: |text| {
        let lower = text.to_ascii_lowercase();
        if let Some((_, mend)) = TAKEN.iter().find(|(name, _)| *name == lower) {
            return Err(wrong("is a header that Pinnace sets itself", *mend));
        }
        hyper::header::HeaderName::from_bytes(lower.as_bytes())
            .map(|_| ())
            .map_err(|_| Wrong::from("is no name of a header"))
    },
};

pub(crate) static SERVER_NAME: TextRule = TextRule {
    noun: "name",
    expected: "a host name or an IP address",
    mend: "write the name that stands in the server's certificate",
    pattern: None,
    check: |text| {
        rustls::pki_types::ServerName::try_from(text)
            .map(|_| ())
            .map_err(|_| Wrong::from("is no host name"))
    },
};

pub(crate) static PROXY: TextRule = TextRule {
    noun: "URL",
    expected: "an http:// URL of a proxy, or off",
    mend: "write for example http://proxy.internal:3128",
    pattern: Some("^(off|false|http://)"),
    check: |text| {
        if matches!(text, "off" | "false") {
            return Ok(());
        }
        if let Some((scheme, rest)) = text.split_once("://")
            && !scheme.eq_ignore_ascii_case("http")
        {
            return Err(wrong(
                format!("begins with {scheme}://, which Pinnace does not speak to a proxy"),
                format!(
                    "write http://{rest}; what goes through it to an https URL is encrypted all the same"
                ),
            ));
        }
        url(text)
    },
};

pub(crate) static PROFILE: TextRule = TextRule {
    noun: "name",
    expected: "the name of a profile of AWS's configuration files",
    mend: "write the name in the brackets of ~/.aws/config, without the word `profile`",
    pattern: None,
    check: |text| {
        let is_valid = !text.is_empty() && !text.contains(|c: char| c.is_control() || c == ']');
        is_valid
            .then_some(())
            .ok_or_else(|| Wrong::from("is no name of a profile"))
    },
};

pub(crate) static ROLE_ARN: TextRule = TextRule {
    noun: "ARN",
    expected: "the ARN of a role, such as arn:aws:iam::123456789012:role/logs",
    mend: "copy the ARN from the role's page or from `aws iam get-role`",
    pattern: Some("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$"),
    check: |text| {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default();
        let is_valid = next() == "arn"
            && next().starts_with("aws")
            && next() == "iam"
            && next().is_empty()
            && {
                let account = next();
                account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
            }
            && next()
                .strip_prefix("role/")
                .is_some_and(|name| !name.is_empty());
        is_valid
            .then_some(())
            .ok_or_else(|| Wrong::from("is no ARN of a role"))
    },
};

pub(crate) static EXTERNAL_ID: TextRule = TextRule {
    noun: "text",
    expected: "2 to 1224 letters, digits and signs out of `+=,.@:/-_`",
    mend: "copy it from the trust policy of the role",
    pattern: None,
    check: |text| session_text(text, 1224, "+=,.@:/-_"),
};

pub(crate) static SESSION_NAME: TextRule = TextRule {
    noun: "name",
    expected: "2 to 64 letters, digits and signs out of `+=,.@-_`",
    mend: "write for example pinnace-checkout",
    pattern: Some("^[A-Za-z0-9_+=,.@-]{2,64}$"),
    check: |text| session_text(text, 64, "+=,.@-_"),
};

fn session_text(text: &str, most: usize, signs: &str) -> Result<(), Wrong> {
    let is_valid = (2..=most).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || signs.contains(c));
    is_valid
        .then_some(())
        .ok_or_else(|| Wrong::from("is nothing that AWS takes here"))
}
