//! Decodes how connections are made and who we are. Which of two keys is given is checked in
//! `relations`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::fields::{Fields, Notes};
use super::super::{AssumeRole, Auth, Connection, Proxy, Secret, Tls};

pub(super) fn connection(fields: &Fields<'_>, notes: &mut Notes) -> Connection {
    let tls = fields.section("tls", notes);
    let limits = fields.section("connection", notes);
    let proxy: Option<String> = fields.optional("proxy", notes);
    Connection {
        tls: Tls {
            ca_file: path(&tls, "ca_file", notes),
            system_roots: tls.scalar("system_roots", notes),
            server_name: tls.optional("server_name", notes),
            cert_file: path(&tls, "cert_file", notes),
            key_file: path(&tls, "key_file", notes),
        },
        proxy: match proxy {
            None => Proxy::Environment,
            // Tools that write YAML 1.1 turn `off` into `false`.
            Some(text) if matches!(&*text, "off" | "false") => Proxy::Off,
            Some(url) => Proxy::Url(url),
        },
        timeout: limits.scalar("timeout", notes),
        idle: limits.scalar("idle", notes),
        lifetime: limits.scalar("lifetime", notes),
    }
}

pub(super) fn auth(fields: &Fields<'_>, notes: &mut Notes) -> Option<Auth> {
    fields.given("auth")?;
    let fields = fields.section("auth", notes);
    // Both are read, so that the mistakes in both are told.
    let bearer = fields.given("bearer").map(|_| {
        let bearer = fields.section("bearer", notes);
        Auth::Bearer(secret(&bearer, "token", "token_file", notes))
    });
    let basic = fields.given("basic").map(|_| {
        let basic = fields.section("basic", notes);
        Auth::Basic {
            username: basic.scalar("username", notes),
            password: secret(&basic, "password", "password_file", notes),
        }
    });
    basic.or(bearer)
}

pub(super) fn headers(fields: &Fields<'_>, notes: &mut Notes) -> BTreeMap<String, Secret> {
    let headers: BTreeMap<String, String> = fields.map("headers", notes).unwrap_or_default();
    headers
        .into_iter()
        .map(|(name, value)| (name, Secret::Text(value)))
        .collect()
}

pub(super) fn assume_role(fields: &Fields<'_>, notes: &mut Notes) -> Option<AssumeRole> {
    fields.given("assume_role")?;
    let fields = fields.section("assume_role", notes);
    Some(AssumeRole {
        role_arn: fields.scalar("role_arn", notes),
        external_id: fields.optional("external_id", notes),
        session_name: fields.optional("session_name", notes),
    })
}

fn secret(fields: &Fields<'_>, text: &str, file: &str, notes: &mut Notes) -> Secret {
    let text: Option<String> = fields.optional(text, notes);
    match (text, path(fields, file, notes)) {
        (None, Some(path)) => Secret::File(path),
        (text, _) => Secret::Text(text.unwrap_or_default()),
    }
}

pub(super) fn path(fields: &Fields<'_>, name: &str, notes: &mut Notes) -> Option<PathBuf> {
    let text: Option<String> = fields.optional(name, notes);
    text.map(PathBuf::from)
}
