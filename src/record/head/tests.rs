//! Lines of many programs, with what their heads say.

use super::*;

fn head(line: &str) -> Option<(Kind, Option<Level>)> {
    of(line.as_bytes(), None).map(|head| (head.kind, head.level))
}

#[test]
fn heads_are_found() {
    use Kind::{Access, Json, Logfmt, Text, Weak};
    use Level::{Debug, Error, Fatal, Info, Trace, Warn};
    for (line, kind, level) in [
        (
            "2026-11-22 22:08:23,702 - report - WARNING - Données incomplètes",
            Text,
            Some(Warn),
        ),
        (
            "2026-11-22T22:08:23.702Z  INFO 1 --- [app] [main] c.e.App : ERROR in text",
            Text,
            Some(Info),
        ),
        (
            "2026-11-22 22:08:23.702 | SUCCESS  | mod:f:1 - done",
            Text,
            Some(Info),
        ),
        (
            "2026-11-22 22:08:23.702 CET [123] LOG:  checkpoint",
            Text,
            Some(Info),
        ),
        (
            "2026-11-22 22:08:23.702 CET [123] ERROR:  no",
            Text,
            Some(Error),
        ),
        (
            "2026-11-22T22:08:23.702289Z  INFO \u{1b}[2mtarget\u{1b}[0m: x",
            Text,
            Some(Info),
        ),
        (
            "\u{1b}[2m2026-11-22T22:08:23.702289Z\u{1b}[0m \u{1b}[33m WARN\u{1b}[0m x: y",
            Text,
            Some(Warn),
        ),
        (
            "2026-11-22T22:08:23.702Z \u{1b}[32minfo\u{1b}[39m: started",
            Text,
            Some(Info),
        ),
        (
            "[2026-11-22T22:08:23,702][WARN ][o.e.n.Node] [n] text",
            Text,
            Some(Warn),
        ),
        (
            "[2026-11-22T22:08:23Z DEBUG app::x] text",
            Text,
            Some(Debug),
        ),
        (
            "[2026-11-22 22:08:23.702][1][critical][main] text",
            Text,
            Some(Fatal),
        ),
        (
            "[2026-11-22 22:08:23 +0000] [12] [INFO] Booting",
            Text,
            Some(Info),
        ),
        (
            "2026/11/22 22:08:23 [error] 31#31: *1 open() failed",
            Text,
            Some(Error),
        ),
        (
            "[Sun Nov 22 22:08:23.702022 2026] [core:error] [pid 1] x",
            Text,
            Some(Error),
        ),
        (
            "[Sun Nov 22 22:08:23 2026] [mpm_event:notice] x",
            Text,
            Some(Info),
        ),
        ("<11>Nov 22 22:08:23 host app: x", Text, Some(Error)),
        (
            "<34>1 2026-11-22T22:08:23Z host app - ID47 - x",
            Text,
            Some(Fatal),
        ),
        ("E1122 22:08:23.702000    1 main.go:5] x", Text, Some(Error)),
        ("W20261122 22:08:23.702000 1 main.cc:5] x", Text, Some(Warn)),
        (
            "E, [2026-11-22T22:08:23.702123 #12] ERROR -- : x",
            Text,
            Some(Error),
        ),
        (
            "INFO  [main] 2026-11-22 22:08:23,702 File.java:12 - x",
            Text,
            Some(Info),
        ),
        ("WARN [2026-11-22 22:08:23,702] org.x: y", Text, Some(Warn)),
        (
            "12345:M 22 Nov 2026 22:08:23.702 # WARNING x",
            Text,
            Some(Warn),
        ),
        ("12345:M 22 Nov 2026 22:08:23.702 * Ready", Text, Some(Info)),
        (
            "2026-11-22T22:08:23.702311Z 0 [System] [MY-010931] [Server] x",
            Text,
            Some(Info),
        ),
        (
            "2026-11-22T22:08:23.702311Z 0 [System] [main] ERROR x",
            Text,
            Some(Error),
        ),
        (
            "2026-11-22T22:08:23.702311Z 0 [Warning] [MY-010068] [Server] x",
            Text,
            Some(Warn),
        ),
        (
            "[Sun Nov 22 22:08:23.702022 2026] [rewrite:trace3] [pid 1] x",
            Text,
            Some(Trace),
        ),
        (
            "Nov 22 22:08:23 host sshd[2988]: error: kex: x",
            Text,
            Some(Error),
        ),
        ("Nov 22 22:08:23 host app[1]: note: x", Text, None),
        ("2026-11-22 22:08:23 app::error::Kind: x", Text, None),
        ("2026-11-22 22:08:23 app::debug: x", Text, None),
        ("2026-11-22 22:08:23 drive: C: is full", Text, None),
        ("1:signal-handler (1795385303) Received SIGTERM", Text, None),
        (
            "=SUPERVISOR REPORT==== 22-Nov-2026::22:08:23.702123 ===",
            Text,
            Some(Error),
        ),
        (
            "=WARNING REPORT==== 2-Nov-2026::22:08:23 UTC ===",
            Text,
            Some(Warn),
        ),
        ("#Fields: date time cs-method", Access, None),
        (
            "22-Nov-2026 22:08:23.702 SEVERE [main] org.x y",
            Text,
            Some(Error),
        ),
        ("web_1  | 2026-11-22 22:08:23 INFO x", Text, Some(Info)),
        ("2026-11-22 22:08:23 GET /fine 200 FAIL", Text, None),
        ("2026-11-22 22:08:23 a connection error: x", Text, None),
        ("22:08:23.702 [main] TRACE c.e.App - x", Weak, Some(Trace)),
        ("[22:08:23 INF] x", Weak, Some(Info)),
        ("22:08:23.702 [info] x", Weak, Some(Info)),
        ("INFO:root:x", Weak, Some(Info)),
        ("warn: Microsoft.Hosting[0]", Weak, Some(Warn)),
        ("[ERROR] x", Weak, Some(Error)),
        ("ERROR x", Weak, Some(Error)),
        ("[    0.123456] usb 1-1: x", Weak, None),
        ("[0.005s][info][gc] x", Weak, Some(Info)),
        (
            "10.0.0.1 - - [22/Nov/2026:22:08:23 +0000] \"GET / HTTP/1.1\" 200 5",
            Access,
            None,
        ),
        (
            "example.org 10.0.0.1 - jean [22/Nov/2026:22:08:23 +0100] \"GET /\" 404 5",
            Access,
            None,
        ),
        (r#"{"level":"info"}"#, Json, None),
        ("ts=2026-11-22T22:08:23Z level=info msg=x", Logfmt, None),
    ] {
        assert_eq!(head(line), Some((kind, level)), "{line}");
    }
}

#[test]
fn behind_a_name_the_level_is_where_the_level_stands() {
    use Level::{Error, Info, Warn};
    for (rest, level) in [
        ("- info - ERROR - message", Some(Error)),
        ("- info - ERROR - INFO - x", Some(Error)),
        ("- error.handlers - INFO - message", Some(Info)),
        ("- ERROR_REPORTER - INFO     - padded", Some(Info)),
        ("- app - ALERT - x", Some(Level::Fatal)),
        ("- name - WARNING -   message", Some(Warn)),
        ("- INFO - ERROR - the level stands first", Some(Info)),
        ("- INFO - started", Some(Info)),
        ("- info - error - in small letters", Some(Info)),
        ("- info - ERRORS - x", Some(Info)),
        ("- info - ERROR-CODE - x", Some(Info)),
        ("- info - ERROR", Some(Info)),
        ("- two words - ERROR - x", Some(Error)),
        ("- name - 12 - WARNING - x", Some(Warn)),
        ("- name - text", None),
    ] {
        let line = format!("2026-11-22 10:00:00,123 {rest}");
        assert_eq!(head(&line), Some((Kind::Text, level)), "{line}");
    }
}

#[test]
fn what_has_no_head_is_none() {
    for line in [
        "",
        " ",
        "line 5",
        "  at a.B.c(B.java:1)",
        "\tat x",
        "Traceback (most recent call last):",
        "ZeroDivisionError: division by zero",
        "Caused by: x",
        "panic: x",
        "a=1 b=2",
        "{x}",
        "[list]",
        "Information about x",
        "infos: x",
        "Note that this is text",
        "2026",
        "10.0.0.1 - -",
        "<b>bold</b>",
        "News: 22 items",
        "    \"level\": \"info\"",
        "Fail fast",
        "Log of a day",
        "# Fields",
        "=== RUN TestX",
        "=INFO REPORT==== yesterday ===",
        "1:signal-handler (soon) x",
    ] {
        assert_eq!(head(line), None, "{line}");
    }
}

#[test]
fn a_byte_order_mark_hides_no_head() {
    for (line, kind) in [
        ("2026-11-22 10:00:00,123 - a - ERROR - x", Kind::Text),
        ("[2026-11-22 10:00:00] ERROR x", Kind::Text),
        (r#"{"level":"error"}"#, Kind::Json),
        ("level=error msg=x", Kind::Logfmt),
        ("#Fields: date time", Kind::Access),
    ] {
        let [bare, marked] = ["", "\u{FEFF}"].map(|mark| {
            let line = format!("{mark}{line}");
            let head = of(line.as_bytes(), None).map(|head| (head.kind, head.stamp, head.level));
            head.unwrap_or_else(|| panic!("{line} has a head"))
        });
        assert_eq!(marked, bare, "{line}");
        assert_eq!(marked.0, kind, "{line}");
    }
}

#[test]
fn a_format_of_the_configuration_is_a_head() {
    let format = custom::Format::new("%d.%m.%Y %H:%M:%S").unwrap();
    for line in [
        "22.11.2026 22:08:23 ERROR x",
        "[22.11.2026 22:08:23] ERROR x",
    ] {
        let head = of(line.as_bytes(), Some(&format)).unwrap();
        assert_eq!((head.kind, head.level), (Kind::Text, Some(Level::Error)));
    }
}
