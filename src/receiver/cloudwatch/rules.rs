//! What names and numbers `CloudWatch` Logs takes. Pure.

use super::Failure;

/// Days that a retention policy may have.
pub(super) const RETENTION_DAYS: [i64; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

pub(super) fn group_name(name: Option<&str>) -> Result<&str, Failure> {
    let name = required("logGroupName", name)?;
    length("logGroupName", name)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_/#".contains(c);
    if !name.chars().all(fits) {
        return Err(pattern("logGroupName", name, "[\\.\\-_/#A-Za-z0-9]+"));
    }
    Ok(name)
}

pub(super) fn stream_name(name: Option<&str>) -> Result<&str, Failure> {
    let name = required("logStreamName", name)?;
    length("logStreamName", name)?;
    if name.contains([':', '*']) {
        return Err(pattern("logStreamName", name, "[^:*]*"));
    }
    Ok(name)
}

/// A limit of a page, within 1 to `most`; `most` without one.
pub(super) fn page(limit: Option<i64>, most: usize) -> Result<usize, Failure> {
    let Some(limit) = limit else {
        return Ok(most);
    };
    usize::try_from(limit)
        .ok()
        .filter(|limit| (1..=most).contains(limit))
        .ok_or_else(|| {
            constraint(
                &format!("Value '{limit}' at 'limit'"),
                &format!("Member must have value between 1 and {most}"),
            )
        })
}

pub(super) fn required<'a>(field: &str, value: Option<&'a str>) -> Result<&'a str, Failure> {
    value.ok_or_else(|| {
        constraint(
            &format!("Value null at '{field}'"),
            "Member must not be null",
        )
    })
}

/// AWS's sentence for a field that breaks its model.
pub(super) fn constraint(what: &str, rule: &str) -> Failure {
    Failure::parameter(format!(
        "1 validation error detected: {what} failed to satisfy constraint: {rule}"
    ))
}

fn length(field: &str, name: &str) -> Result<(), Failure> {
    let what = || format!("Value '{name}' at '{field}'");
    match name.chars().count() {
        0 => Err(constraint(
            &what(),
            "Member must have length greater than or equal to 1",
        )),
        1..=512 => Ok(()),
        _ => Err(constraint(
            &what(),
            "Member must have length less than or equal to 512",
        )),
    }
}

fn pattern(field: &str, name: &str, expression: &str) -> Failure {
    constraint(
        &format!("Value '{name}' at '{field}'"),
        &format!("Member must satisfy regular expression pattern: {expression}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_as_aws_takes_them() {
        let long = "x".repeat(512);
        let longer = "x".repeat(513);
        for (name, group, stream) in [
            ("a", true, true),
            ("/apps/check-out_1.2#x", true, true),
            ("", false, false),
            ("a b", false, true),
            ("a:b", false, false),
            ("a*b", false, false),
            ("é", false, true),
            (&*long, true, true),
            (&*longer, false, false),
        ] {
            assert_eq!(group_name(Some(name)).is_ok(), group, "group {name}");
            assert_eq!(stream_name(Some(name)).is_ok(), stream, "stream {name}");
        }
        assert!(group_name(None).is_err_and(|error| error.message.contains("must not be null")));
    }

    #[test]
    fn a_page_has_bounds() {
        for (limit, expected) in [
            (None, Some(50)),
            (Some(1), Some(1)),
            (Some(50), Some(50)),
            (Some(0), None),
            (Some(51), None),
            (Some(-1), None),
        ] {
            assert_eq!(page(limit, 50).ok(), expected);
        }
    }
}
