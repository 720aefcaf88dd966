//! Keeps secrets out of what is printed: passwords in URLs, and values and defaults of variables
//! whose names say that they are secret. Stars take the place of each character, so that columns
//! stay right.

/// Whether a variable's name says that its value is secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    [
        "SECRET",
        "TOKEN",
        "PASSWORD",
        "PASSWD",
        "CREDENTIAL",
        "APIKEY",
        "AUTHORIZATION",
        "COOKIE",
    ]
    .iter()
    .any(|word| name.contains(word))
        || name
            .split('_')
            .any(|word| ["PASS", "KEY", "AUTH", "PWD"].contains(&word))
}

/// Masks the password of `scheme://user:password@host` in a valid URL.
pub(crate) fn mask_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((userinfo, host)) => format!("{scheme}://{}@{host}{path}", mask_userinfo(userinfo)),
        None => text.to_owned(),
    }
}

/// Masks whatever may be a password in any text; rather too much than too little.
pub(crate) fn mask_any(text: &str) -> String {
    let masked = mask_values(&mask_defaults(text));
    masked
        .split_inclusive(|c: char| c.is_whitespace() || "\"'".contains(c))
        .map(mask_word)
        .collect()
}

/// Masks `default` in `${NAME:-default}` where the name is that of a secret.
pub(crate) fn mask_defaults(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, reference) = rest.split_at(at + 2);
        masked.push_str(before);
        let (inside, after) = reference.split_at(reference.find('}').unwrap_or(reference.len()));
        match inside.split_once(":-") {
            Some((name, default)) if is_secret_name(name) => {
                masked.extend([name, ":-", &stars(default)]);
            }
            _ => masked.push_str(inside),
        }
        rest = after;
    }
    masked.push_str(rest);
    masked
}

/// Masks `value` in `name: value` where the name says that it is secret.
fn mask_values(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(": ") {
        let (before, after) = rest.split_at(at + 2);
        masked.push_str(before);
        let name = before[..at]
            .rsplit(|c: char| c.is_whitespace() || "{,\"'".contains(c))
            .find(|part| !part.is_empty())
            .unwrap_or_default();
        let is_secret = is_secret_name(&name.replace('-', "_")) && !name.ends_with("_file");
        let value = after.trim_start();
        let start = after.len() - value.len();
        let end = start + value_end(value);
        let value = &after[start..end];
        let is_shown = value.starts_with('{') || value.trim_matches(['"', '\'']).starts_with("${");
        let is_user_and_password = name == "username" && value.contains(':');
        if (is_secret || is_user_and_password) && !is_shown {
            masked.push_str(&after[..start]);
            masked.push_str(&stars(value));
            rest = &after[end..];
        } else {
            rest = after;
        }
    }
    masked.push_str(rest);
    masked
}

/// Where a YAML scalar at the beginning of `text` ends.
fn value_end(text: &str) -> usize {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let end = match quote {
        Some(quote) => text[1..].find(quote).map(|at| at + 2),
        None => text
            .find([',', '}'])
            .into_iter()
            .chain(text.find(" #"))
            .min(),
    };
    end.unwrap_or(text.len())
}

fn mask_word(word: &str) -> String {
    let Some((head, host)) = word.rsplit_once('@') else {
        return word.to_owned();
    };
    match head.split_once("://") {
        Some((scheme, userinfo)) => format!("{scheme}://{}@{host}", mask_userinfo(userinfo)),
        None if head.contains(':') => format!("{}@{host}", mask_userinfo(head)),
        None => word.to_owned(),
    }
}

fn mask_userinfo(userinfo: &str) -> String {
    let (user, colon, password) = match userinfo.split_once(':') {
        Some((user, password)) if !user.contains("${") => (user, ":", password),
        _ => ("", "", userinfo),
    };
    if password.starts_with("${") && password.find('}') == Some(password.len() - 1) {
        return userinfo.to_owned();
    }
    format!("{user}{colon}{}", stars(password))
}

fn stars(text: &str) -> String {
    "*".repeat(text.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_names_are_known_by_their_words() {
        for (name, is_secret) in [
            ("LOKI_PASSWORD", true),
            ("AWS_SECRET_ACCESS_KEY", true),
            ("API_TOKEN", true),
            ("BASIC_AUTH", true),
            ("loki_pass", true),
            ("POD_NAME", false),
            ("KEYBOARD", false),
            ("COMPASS", false),
        ] {
            assert_eq!(is_secret_name(name), is_secret, "{name}");
        }
    }

    #[test]
    fn passwords_become_stars_and_all_else_stays() {
        for (text, masked) in [
            ("http://loki:3100/a@b", "http://loki:3100/a@b"),
            ("http://user:pass@loki", "http://user:****@loki"),
            ("http://token@loki/push", "http://*****@loki/push"),
            ("http://user:${PASS}@loki", "http://user:${PASS}@loki"),
            ("http://user:${A}x${B}@loki", "http://user:*********@loki"),
            ("me@example.com", "me@example.com"),
        ] {
            assert_eq!(mask_url(text), masked);
        }
    }

    #[test]
    fn messages_mask_passwords_even_in_broken_urls() {
        for (text, masked) in [
            (
                "url: http://user:pass@loki # me@example.com",
                "url: http://user:****@loki # me@example.com",
            ),
            (
                "url: \"http://user:pa/ss@loki\"",
                "url: \"http://user:*****@loki\"",
            ),
            ("url: user:pass@loki", "url: user:****@loki"),
            (
                "a: ${TOKEN:-abc} ${POD:-abc}",
                "a: ${TOKEN:-***} ${POD:-abc}",
            ),
            ("a: ${TOKEN:-abc", "a: ${TOKEN:-***"),
            (
                "auth: { basic: { username: me, password: hunter2 } } # x",
                "auth: { basic: { username: me, password: ********} } # x",
            ),
            ("token: \"a, b\", x: y", "token: ******, x: y"),
            ("token: \"${A}\"", "token: \"${A}\""),
            ("X-Api-Key: abc # d", "X-Api-Key: *** # d"),
            ("password_file: /run/pw", "password_file: /run/pw"),
        ] {
            assert_eq!(mask_any(text), masked);
        }
    }
}
