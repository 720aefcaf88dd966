//! Prints how connections are made and who we are.

use std::path::Path;

use super::super::units::print_duration;
use super::super::{AssumeRole, Auth, Connection, Proxy, Secret};
use super::{Writer, flag};

pub(super) fn connection(out: &mut Writer<'_>, connection: &Connection) {
    let tls = &connection.tls;
    out.mapping("tls", |out| {
        path(out, "ca_file", tls.ca_file.as_deref());
        out.plain("system_roots", flag(tls.system_roots));
        out.optional("server_name", tls.server_name.as_deref());
        path(out, "cert_file", tls.cert_file.as_deref());
        path(out, "key_file", tls.key_file.as_deref());
    });
    match &connection.proxy {
        Proxy::Environment => {}
        Proxy::Off => out.string("proxy", "off"),
        Proxy::Url(url) => out.string("proxy", url),
    }
    out.mapping("connection", |out| {
        out.plain("timeout", &print_duration(connection.timeout));
        out.plain("idle", &print_duration(connection.idle));
        out.plain("lifetime", &print_duration(connection.lifetime));
    });
}

pub(super) fn auth(out: &mut Writer<'_>, auth: &Auth) {
    match auth {
        Auth::Basic { username, password } => out.mapping("basic", |out| {
            out.string("username", username);
            secret(out, "password", "password_file", password);
        }),
        Auth::Bearer(token) => out.mapping("bearer", |out| {
            secret(out, "token", "token_file", token);
        }),
    }
}

/// The value of a header counts as secret.
pub(super) fn header(out: &mut Writer<'_>, name: &str, _: &Secret) {
    out.secret_string(name);
}

pub(super) fn assume_role(out: &mut Writer<'_>, role: &AssumeRole) {
    out.string("role_arn", &role.role_arn);
    out.optional("external_id", role.external_id.as_deref());
    out.optional("session_name", role.session_name.as_deref());
}

fn secret(out: &mut Writer<'_>, text: &str, file: &str, secret: &Secret) {
    match secret {
        Secret::Text(_) => out.secret_string(text),
        Secret::File(it) => path(out, file, Some(it)),
    }
}

pub(super) fn path(out: &mut Writer<'_>, key: &str, path: Option<&Path>) {
    out.optional(key, path.map(Path::to_string_lossy).as_deref());
}
