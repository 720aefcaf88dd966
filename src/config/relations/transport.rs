//! Rules between the keys that say how connections are made and who we are.

use super::super::fields::Notes;
use super::super::problem::Problem;
use super::super::{
    Auth, CloudWatchLogs, Connection, LogClass, Loki, Output, OutputKind, VerifyAfterError,
};
use super::note;

pub(super) fn check(path: &str, output: &Output, notes: &mut Notes) {
    match &output.kind {
        OutputKind::Loki(loki) => {
            auth(path, loki, notes);
            tls(path, &loki.connection, notes);
        }
        OutputKind::CloudWatchLogs(cloudwatch) => {
            class(path, cloudwatch, notes);
            tls(path, &cloudwatch.connection, notes);
        }
    }
}

fn auth(path: &str, loki: &Loki, notes: &mut Notes) {
    let auth = format!("{path}.auth");
    let is_given = |notes: &Notes, key: &str| notes.places.contains_key(key);
    if !is_given(notes, &auth) {
        return;
    }
    let has_user = loki
        .url
        .split_once("://")
        .is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|it| it.contains('@')));
    if has_user {
        let problem = Problem::new(&auth, notes.place(&auth), "says who we are a second time")
            .found("a user in the URL too")
            .expected("either auth or a user in the URL")
            .mend("take the user and the password out of the URL");
        note(notes, problem);
    }
    let [basic, bearer] = ["basic", "bearer"].map(|kind| format!("{auth}.{kind}"));
    if is_given(notes, &basic) == is_given(notes, &bearer) {
        let found = if is_given(notes, &basic) {
            "both"
        } else {
            "neither"
        };
        let problem = Problem::new(&auth, notes.place(&auth), "needs one of basic and bearer")
            .found(found)
            .expected("basic with a user and a password, or bearer with a token")
            .mend(
                "write for example `auth: { bearer: { token_file: /var/run/secrets/loki/token } }`",
            );
        note(notes, problem);
    }
    if let Some(Auth::Basic { username, .. }) = &loki.auth
        && username.contains(':')
    {
        let at = format!("{basic}.username");
        let problem = Problem::new(&at, notes.place(&at), "has a `:` in it")
            .secret(true)
            .found("a value that is not shown, as it may hold a password")
            .expected("a user's name without `:`")
            .mend("write the user alone; the password has a key of its own");
        note(notes, problem);
    }
    for (section, key) in [(basic, "password"), (bearer, "token")] {
        if !is_given(notes, &section) {
            continue;
        }
        let [text, file] =
            [key.to_owned(), format!("{key}_file")].map(|it| format!("{section}.{it}"));
        if is_given(notes, &text) == is_given(notes, &file) {
            let found = if is_given(notes, &text) {
                "both"
            } else {
                "neither"
            };
            let problem = Problem::new(
                &section,
                notes.place(&section),
                format!("needs one of {key} and {key}_file"),
            )
            .found(found)
            .expected(format!("a {key}, or a file that holds it"))
            .mend(format!("keep one of {key} and {key}_file"));
            note(notes, problem);
        }
    }
}

fn tls(path: &str, connection: &Connection, notes: &mut Notes) {
    let tls = format!("{path}.tls");
    let settings = &connection.tls;
    let is_broken = |notes: &Notes, key: &str| notes.is_broken(&format!("{tls}.{key}"));
    for (has, key, lacks, other) in [
        (
            &settings.cert_file,
            "cert_file",
            &settings.key_file,
            "key_file",
        ),
        (
            &settings.key_file,
            "key_file",
            &settings.cert_file,
            "cert_file",
        ),
    ] {
        if has.is_some() && lacks.is_none() && !is_broken(notes, other) {
            let problem = Problem::new(
                &tls,
                notes.place(&tls),
                format!("has {key} without {other}"),
            )
            .found(format!("no {other}"))
            .expected("both, or neither")
            .mend(format!("add {other}, or take {key} out"));
            note(notes, problem);
        }
    }
    if !settings.system_roots && settings.ca_file.is_none() && !is_broken(notes, "ca_file") {
        let problem = Problem::new(&tls, notes.place(&tls), "leaves nobody to trust")
            .found("system_roots: false, and no ca_file")
            .expected("system_roots, or a ca_file")
            .mend("add ca_file with the certificates to trust");
        note(notes, problem);
    }
}

fn class(path: &str, cloudwatch: &CloudWatchLogs, notes: &mut Notes) {
    let create = &cloudwatch.create;
    if create.class == LogClass::Standard {
        return;
    }
    let at = format!("{path}.create.class");
    if cloudwatch.verify_after_error == VerifyAfterError::Require {
        let problem = Problem::new(&at, notes.place(&at), "cannot be read back")
            .found("verify_after_error: require")
            .expected("class standard, or verify_after_error auto or never")
            .mend(
                "set verify_after_error: never: what may be stored is then sent again and counted",
            );
        note(notes, problem);
    }
    if create.class == LogClass::Delivery && create.retention_in_days.is_some() {
        let at = format!("{path}.create.retention_in_days");
        let problem = Problem::new(
            &at,
            notes.place(&at),
            "cannot be set for the class delivery",
        )
        .found("class: delivery")
        .expected("no retention: AWS keeps its events for a day")
        .mend("take retention_in_days out");
        note(notes, problem);
    }
}
