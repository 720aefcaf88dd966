//! The way to a backend, step by step: name, connection, proxy, TLS; and the backend's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use hyper::Uri;

use super::Section;
use crate::connect::dial::{Step, Trace};
use crate::connect::{Client, Target};

/// Clocks that are so far apart make trouble with signatures and with times of lines, in seconds.
const CLOCK_TOLERANCE: u64 = 60;

/// Goes the way once. Says whether it leads there.
pub(super) async fn look(section: &mut Section, client: &Client, uri: &Uri) -> bool {
    let Some(target) = Target::of(uri) else {
        section.fails("name", format!("the URL {uri} cannot be used"));
        return false;
    };
    let mut trace = Trace::default();
    let result = Box::pin(client.dialer().dial(&target, None, &mut trace)).await;
    if let Some(proxy) = &trace.proxy {
        section.holds("proxy", format!("the way leads through {proxy}"));
    }
    if !trace.addresses.is_empty() {
        let addresses: Vec<String> = trace
            .addresses
            .iter()
            .map(|it| it.ip().to_string())
            .collect();
        let host = trace.proxy.as_deref().unwrap_or(&target.host);
        section.holds("name", format!("{host} is {}", addresses.join(", ")));
    }
    if let Some((address, after)) = &trace.connected {
        section.holds(
            "connection",
            format!(
                "{address} answers after {:.1} ms",
                after.as_secs_f64() * 1000.0
            ),
        );
    }
    match (&result, trace.tls) {
        (Ok(_), Some(version)) => {
            section.holds(
                "tls",
                format!("{version}, and the server's certificate is trusted"),
            );
        }
        (Ok(_), None) => section.note("tls", "none: the URL begins with http://"),
        (Err(failure), _) => {
            let what = match trace.step {
                Step::Name => "name",
                Step::Connect => "connection",
                Step::Proxy => "proxy",
                Step::Tls => "tls",
            };
            section.fails(what, failure.to_string());
        }
    }
    result.is_ok()
}

/// Compares this machine's clock with the date of an answer.
pub(super) fn clock(section: &mut Section, date: Option<&str>) {
    let server = date
        .and_then(|date| DateTime::from_str(date, Format::HttpDate).ok())
        .and_then(|date| u64::try_from(date.secs()).ok());
    let here = SystemTime::now().duration_since(UNIX_EPOCH);
    let (Some(server), Ok(here)) = (server, here) else {
        return section.note("clock", "the answer has no date to compare with");
    };
    let here = here.as_secs();
    let apart = here.abs_diff(server);
    if apart <= CLOCK_TOLERANCE {
        section.holds("clock", format!("within {apart} s of the server's"));
    } else {
        let way = if here > server { "ahead of" } else { "behind" };
        section.fails(
            "clock",
            format!("this machine's clock is {apart} s {way} the server's: set it"),
        );
    }
}
