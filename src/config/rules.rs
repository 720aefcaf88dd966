//! What single texts must look like: names, globs, addresses, and the naming rules of the
//! backends. Pure; looks at no file and asks no server.

use super::describe::{TextRule, Wrong};
use super::template::{Template, is_name};
use crate::record::fields::Capture;
use crate::record::rules::Pattern;
use crate::record::stamp::custom;
use crate::record::zone::Zone;

mod transport;

pub(crate) use transport::{
    EXTERNAL_ID, HEADER_NAME, PROFILE, PROXY, ROLE_ARN, SECRET, SERVER_NAME, SESSION_NAME, USERNAME,
};

/// The path of Loki's push endpoint.
pub(crate) const PUSH_PATH: &str = "/loki/api/v1/push";

pub(crate) static NAME: TextRule = TextRule {
    noun: "name",
    expected: "a name of letters, digits, `-`, `_` and `.`, at most 64 of them",
    mend: "choose a short name; metrics and messages show it",
    pattern: Some("^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"),
    check: |text| {
        let is_valid = text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.len() <= 64
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        is_valid
            .then_some(())
            .ok_or_else(|| Wrong::from("is no usable name"))
    },
};

pub(crate) static ABSOLUTE_PATH: TextRule = TextRule {
    noun: "path",
    expected: "an absolute path",
    mend: "begin the path with `/`",
    pattern: Some("^/"),
    check: |text| {
        text.starts_with('/')
            .then_some(())
            .ok_or_else(|| Wrong::from("is not absolute"))
    },
};

pub(crate) static GLOB: TextRule = TextRule {
    noun: "glob",
    expected: "an absolute path that may hold `*`, `?`, `**`, `[ab]` and `{a,b}`",
    mend: "write for example /var/log/app/*.log",
    pattern: Some("^/"),
    check: |text| {
        if !text.starts_with('/') {
            return Err(wrong("is not absolute", "begin the glob with `/`"));
        }
        if text.ends_with('/') {
            return Err(wrong(
                "names a folder, not files",
                format!("write {text}* for its files"),
            ));
        }
        if text.split('/').any(|part| part == "." || part == "..") {
            let what = "has `.` or `..` in its path, which never matches";
            return Err(wrong(what, "write the path without them"));
        }
        fast_glob::validate(text).map_err(|error| match error.kind {
            fast_glob::ErrorKind::UnclosedBrace => wrong(
                "has a `{` that is not closed",
                "add the `}`, or write `\\{` if it is meant",
            ),
            fast_glob::ErrorKind::UnclosedBracket => wrong(
                "has a `[` that is not closed",
                "add the `]`, or write `\\[` if it is meant",
            ),
            fast_glob::ErrorKind::TrailingBackslash => wrong(
                "ends with a lone `\\`",
                "take it out, or write it twice if it is meant",
            ),
            _ => wrong("has too many braces", "split it into several globs"),
        })
    },
};

pub(crate) static PUSH_URL: TextRule = TextRule {
    noun: "URL",
    expected: "an http:// or https:// URL with a host",
    mend: "write for example http://loki-gateway.loki.svc; the path /loki/api/v1/push is added",
    pattern: Some("^https?://"),
    check: url,
};

pub(crate) static ENDPOINT_URL: TextRule = TextRule {
    noun: "URL",
    expected: "an http:// or https:// URL with a host",
    mend: "write for example http://127.0.0.1:4566, or leave it out for AWS itself",
    pattern: Some("^https?://"),
    check: url,
};

pub(crate) static TENANT: TextRule = TextRule {
    noun: "text",
    expected: "a tenant of at most 150 letters, digits and signs out of `!-_.*'()`",
    mend: "use the tenant's id as Loki knows it; several are joined by `|` only when reading",
    pattern: None,
    check: |text| {
        let is_valid = (1..=150).contains(&text.len())
            && text != "."
            && text != ".."
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "!-_.*'()".contains(c));
        is_valid
            .then_some(())
            .ok_or_else(|| Wrong::from("is no tenant that Loki takes"))
    },
};

pub(crate) static REGION: TextRule = TextRule {
    noun: "text",
    expected: "a region such as eu-west-1",
    mend: "use the region's short name, or leave it out to take the environment's",
    pattern: Some("^[a-z0-9-]+$"),
    check: |text| {
        let is_valid = !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        is_valid
            .then_some(())
            .ok_or_else(|| Wrong::from("is no region"))
    },
};

pub(crate) static FIELD_VALUE: TextRule = TextRule {
    noun: "text",
    expected: "a text",
    mend: "give the field a value or take it out",
    pattern: None,
    check: |text| {
        (!text.is_empty())
            .then_some(())
            .ok_or_else(|| Wrong::from("is empty"))
    },
};

pub(crate) static FIELD_NAME: TextRule = TextRule {
    noun: "name",
    expected: "a name that matches [a-zA-Z_][a-zA-Z0-9_]*",
    mend: "use letters, digits and `_` only, and no digit at the beginning",
    pattern: Some("^[a-zA-Z_][a-zA-Z0-9_]*$"),
    check: |text| {
        if super::template::BUILT_IN_NAMES
            .iter()
            .any(|(name, _)| *name == text)
        {
            return Err(wrong(
                "is a name that Pinnace gives a value itself",
                "choose another name",
            ));
        }
        is_name(text)
            .then_some(())
            .ok_or_else(|| Wrong::from("is no usable name for a field"))
    },
};

pub(crate) static LABEL_NAME: TextRule = TextRule {
    noun: "name",
    expected: "a name that matches [a-zA-Z_][a-zA-Z0-9_]*, at most 1024 bytes",
    mend: "use letters, digits and `_` only, and no digit at the beginning",
    pattern: Some("^[a-zA-Z_][a-zA-Z0-9_]*$"),
    check: |text| {
        let is_valid = is_name(text) && text.len() <= 1024;
        is_valid
            .then_some(())
            .ok_or_else(|| Wrong::from("is no label name that Loki takes"))
    },
};

pub(crate) static LABEL_VALUE: TextRule = TextRule {
    noun: "template",
    expected: "a text of at most 2048 bytes that may hold `{name}`",
    mend: "write for example \"{service}\"; a brace that is meant is written twice",
    pattern: None,
    check: |text| {
        let template = template(text)?;
        let length: usize = template.literals().map(str::len).sum();
        (length <= 2048)
            .then_some(())
            .ok_or_else(|| Wrong::from("is longer than Loki takes"))
    },
};

pub(crate) static LOG_GROUP: TextRule = TextRule {
    noun: "template",
    expected: "1 to 512 letters, digits and signs out of `.-_/#`, not beginning with `aws/`; it may hold `{name}`",
    mend: "write for example /apps/checkout or \"/apps/{service}\"",
    pattern: None,
    check: |text| {
        let template = template(text)?;
        if text.starts_with("aws/") {
            return Err("begins with `aws/`, which AWS keeps for itself".into());
        }
        for literal in template.literals() {
            if let Some(sign) = literal
                .chars()
                .find(|c| !(c.is_ascii_alphanumeric() || ".-_/#".contains(*c)))
            {
                return Err(format!("has a `{sign}`, which no log group may have").into());
            }
        }
        name_length(&template)
    },
};

pub(crate) static LOG_STREAM: TextRule = TextRule {
    noun: "template",
    expected: "1 to 512 characters without `:` and `*`; it may hold `{name}`",
    mend: "write for example \"{hostname}\" or \"${POD_NAME}\"",
    pattern: None,
    check: |text| {
        let template = template(text)?;
        for literal in template.literals() {
            if let Some(sign) = literal
                .chars()
                .find(|c| matches!(c, ':' | '*') || c.is_control())
            {
                return Err(format!("has a `{sign}`, which no log stream may have").into());
            }
        }
        name_length(&template)
    },
};

pub(crate) static PATTERN: TextRule = TextRule {
    noun: "pattern",
    expected: "a regular expression",
    mend: "correct it; a sign that is meant as it is needs a backslash before it, such as '\\('",
    pattern: None,
    check: |text| {
        if text.is_empty() {
            return Err("is empty, and would match everything".into());
        }
        Pattern::new(text)
            .map(|_| ())
            .map_err(|error| format!("is no regular expression ({error})").into())
    },
};

pub(crate) static CAPTURE: TextRule = TextRule {
    noun: "pattern",
    expected: "a regular expression with a named group",
    mend: "write for example '\\[(?P<thread>[^\\]]+)\\]', in single quotes",
    pattern: None,
    check: |text| {
        let pattern =
            Pattern::new(text).map_err(|error| format!("is no regular expression ({error})"))?;
        Capture::new(pattern.into_regex())
            .map(|_| ())
            .map_err(Wrong::from)
    },
};

pub(crate) static FIELD: TextRule = TextRule {
    noun: "field",
    expected: "the name of a field, such as user.id",
    mend: "write the key as it stands in the record",
    pattern: None,
    check: |text| {
        let is_sound = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '=');
        is_sound
            .then_some(())
            .ok_or_else(|| Wrong::from("is no name of a field"))
    },
};

pub(crate) static TIMESTAMP: TextRule = TextRule {
    noun: "format",
    expected: "a timestamp in the letters of strftime",
    mend: "write for example '%d.%m.%Y %H:%M:%S'",
    pattern: None,
    check: |text| custom::Format::new(text).map(|_| ()).map_err(Wrong::from),
};

pub(crate) static TIMEZONE: TextRule = TextRule {
    noun: "zone",
    expected: "a name of the IANA database, such as Europe/Paris",
    mend: "write for example Europe/Paris, or UTC",
    pattern: None,
    check: |text| {
        Zone::named(text)
            .map(|_| ())
            .ok_or_else(|| Wrong::from("is no zone that is known"))
    },
};

fn template(text: &str) -> Result<Template, Wrong> {
    let template: Template = text.parse().map_err(|error| format!("{error}"))?;
    if template.is_empty() {
        Err("is empty".into())
    } else {
        Ok(template)
    }
}

fn name_length(template: &Template) -> Result<(), Wrong> {
    let length: usize = template.literals().map(|text| text.chars().count()).sum();
    (length <= 512)
        .then_some(())
        .ok_or_else(|| Wrong::from("is longer than 512 characters"))
}

fn url(text: &str) -> Result<(), Wrong> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(wrong(
            "has no scheme in front",
            format!("write http://{text}"),
        ));
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        let what = format!("begins with {scheme}://, which is not HTTP");
        return Err(wrong(
            what,
            format!("write http://{rest} or https://{rest}"),
        ));
    }
    if rest.contains(['?', '#']) {
        return Err(wrong(
            "has a query or a fragment",
            "take out everything from `?` or `#` on",
        ));
    }
    if rest.is_empty() || rest.starts_with(['/', ':']) {
        return Err("has no host".into());
    }
    let uri: hyper::Uri = text
        .parse()
        .map_err(|error| format!("is no valid URL ({error})"))?;
    if uri.host().is_none_or(str::is_empty) {
        return Err("has no host".into());
    }
    let authority = uri
        .authority()
        .map(hyper::http::uri::Authority::as_str)
        .unwrap_or_default();
    let after_host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let port = after_host
        .rsplit_once(':')
        .filter(|(_, port)| !port.ends_with(']'));
    match port {
        Some((_, port)) if port.parse::<u16>().is_err() => Err(wrong(
            format!("has `{port}` where a port belongs"),
            "write a port from 1 to 65535, or none",
        )),
        _ => Ok(()),
    }
}

fn wrong(what: impl Into<String>, mend: impl Into<String>) -> Wrong {
    Wrong {
        what: what.into(),
        mend: Some(mend.into()),
    }
}

/// The URL with the push path behind it, unless it is there already.
pub(crate) fn with_push_path(url: &str) -> String {
    let trimmed = url.trim_end_matches('/');
    if trimmed.ends_with(PUSH_PATH) {
        trimmed.to_owned()
    } else {
        format!("{trimmed}{PUSH_PATH}")
    }
}
