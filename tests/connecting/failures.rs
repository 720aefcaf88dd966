//! Every row of the table of what comes instead of an answer, end to end: what was provoked is
//! told in its whole sentence, and once that is mended all lines arrive once. One agent, with an
//! output for each failure, so that all are provoked at once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;

use pinnace::receiver::Backend;

use crate::authority::Authority;
use crate::harness::{Account, Config, Front, Numbered, Row, Scene, Verdict, free_port, rows};
use crate::proxies::Proxy;

/// A failure, provoked at an output of its own.
struct Case {
    /// The row of the table, by what happened.
    what: &'static str,
    backend: Backend,
    url: String,
    /// Further keys that belong to the failure.
    more: String,
    /// What is told, up to what the system says, and behind it.
    told: (String, String),
}

const SILENCE: &str = "no answer within `request_timeout`";
const NONSENSE: &str = "a success of CloudWatch Logs that cannot be read";
const SETTINGS: &str = "a key or a file that is needed for the connection cannot be used";
const NAME: &str = "the server's name has no address";
const REFUSED: &str = "nobody takes the connection";
const SLOW: &str = "no connection within `connection.timeout`";
const PROXY: &str = "the proxy does not let us through";
const TLS: &str = "no TLS: not trusted, expired, another name, a certificate asked for";
const BROKEN: &str = "the connection broke after something was sent";

fn output(name: &str, backend: Backend, url: &str, more: &str) -> String {
    let common = format!("name: {name}, batch: {{ max_wait: 20ms, max_bytes: 32KiB }}, {more}");
    match backend {
        Backend::Loki => format!("{{ type: loki, url: \"{url}\", tenant_id: {name}, {common} }}"),
        Backend::Cloudwatch => format!(
            "{{ type: cloudwatch_logs, endpoint_url: \"{url}\", region: eu-west-1, \
             log_group: /{name}, log_stream: all, create: {{ log_group: true }}, {common} }}"
        ),
    }
}

/// What is held while the failures last.
struct Servers {
    silent: Front,
    breaking: Front,
    nonsense: Front,
    empty: Front,
    strange: Front,
    proxy: Proxy,
    /// Takes connections and never says anything.
    mute: TcpListener,
}

impl Servers {
    fn new(scene: &Scene) -> Self {
        let behind = scene.receiver.address();
        let tls = Authority::new("strangers")
            .signs(&["localhost"])
            .server(None);
        Self {
            silent: Front::scripted(behind, |_, _| Verdict::Hang),
            breaking: Front::scripted(behind, |_, _| Verdict::Break),
            nonsense: Front::answering(|_, _| (200, "<html>Welcome</html>".to_owned())),
            empty: Front::answering(|_, _| (200, String::new())),
            strange: Front::before(behind, Some(tls)),
            proxy: Proxy::refusing(behind),
            mute: TcpListener::bind(("127.0.0.1", 0)).unwrap(),
        }
    }
}

fn cases(scene: &Scene, servers: &Servers, rows: &BTreeMap<String, Row>) -> Vec<Case> {
    let (loki, cloudwatch) = (Backend::Loki, Backend::Cloudwatch);
    let mending = |what: &str| format!("; {}", rows[what].mending);
    let case = |what, backend, url: String, more: &str, begin: String, end: &str| Case {
        what,
        backend,
        url,
        more: more.to_owned(),
        told: (begin, end.to_owned()),
    };
    let port = |front: &Front| format!("localhost:{}", front.address.port());
    let soon = "request_timeout: 2s";
    let silence = mending(SILENCE);
    let said = format!("{} did not answer within 2s", port(&servers.silent));
    let silent = servers.silent.url("http");
    let broke = format!("the connection to {} broke: ", port(&servers.breaking));
    let breaking = servers.breaking.url("http");
    let closed = free_port();
    let refused =
        format!("cannot connect to 127.0.0.1:{closed}: Connection refused (os error 111)");
    let closed = format!("http://127.0.0.1:{closed}");
    let absent = scene.dir().join("absent.pem").display().to_string();
    let other = Authority::new("ours").write(scene.dir().join("ca.pem"));
    let trusting = format!(
        "tls: {{ ca_file: \"{}\", system_roots: false }}",
        other.display()
    );
    let mute = format!("localhost:{}", servers.mute.local_addr().unwrap().port());
    vec![
        case(SILENCE, loki, silent.clone(), soon, said, &silence),
        case(
            SILENCE,
            cloudwatch,
            silent,
            soon,
            "PutLogEvents was not answered in time".into(),
            &silence,
        ),
        case(
            NONSENSE,
            cloudwatch,
            servers.nonsense.url("http"),
            "",
            "PutLogEvents was answered with 200 and something that cannot be read".into(),
            &mending(NONSENSE),
        ),
        case(
            NONSENSE,
            cloudwatch,
            servers.empty.url("http"),
            "",
            "PutLogEvents was answered with 200 and nothing".into(),
            &mending(NONSENSE),
        ),
        case(
            SETTINGS,
            loki,
            servers.strange.url("https"),
            &format!("tls: {{ ca_file: \"{absent}\" }}"),
            format!("cannot read tls.ca_file {absent}: No such file or directory (os error 2)"),
            "; mend the file or its rights",
        ),
        case(
            NAME,
            loki,
            "http://nobody.invalid".into(),
            "",
            "cannot find the address of nobody.invalid: ".into(),
            &mending(NAME),
        ),
        case(
            REFUSED,
            loki,
            closed.clone(),
            "",
            refused.clone(),
            &mending(REFUSED),
        ),
        case(REFUSED, cloudwatch, closed, "", refused, &mending(REFUSED)),
        case(
            SLOW,
            loki,
            format!("https://{mute}"),
            "connection: { timeout: 1s }",
            format!("cannot connect to {mute}: no answer in TLS within 1s"),
            "; look whether the server speaks TLS at this port",
        ),
        case(
            PROXY,
            loki,
            "https://loki.hidden.test".into(),
            &format!("proxy: \"{}\"", servers.proxy.url()),
            format!(
                "the proxy {} opens no tunnel to loki.hidden.test:443: it does not let us through (HTTP/1.1 403 Forbidden)",
                servers.proxy.address
            ),
            ": allow loki.hidden.test:443 there",
        ),
        case(
            TLS,
            loki,
            servers.strange.url("https"),
            &trusting,
            format!(
                "no TLS with {}: its certificate is signed by nobody who is trusted here",
                port(&servers.strange)
            ),
            ": set tls.ca_file to the certificate of its authority",
        ),
        case(
            BROKEN,
            loki,
            breaking.clone(),
            "",
            broke.clone(),
            &mending(BROKEN),
        ),
        case(BROKEN, cloudwatch, breaking, "", broke, &mending(BROKEN)),
    ]
}

#[test]
fn whatever_comes_instead_of_an_answer_is_told_and_costs_nothing() {
    let by_what = |row: Row| (row.answer.clone(), row);
    let rows: BTreeMap<_, _> = rows("Without an answer").into_iter().map(by_what).collect();
    let scene = Scene::new();
    let servers = Servers::new(&scene);
    let cases = cases(&scene, &servers, &rows);
    let provoked: BTreeSet<_> = cases.iter().map(|it| it.what.to_owned()).collect();
    let all: BTreeSet<_> = rows.keys().cloned().collect();
    assert_eq!(provoked, all, "every row is provoked");
    let name = |place: usize| format!("case{place}");
    let failing = (0..).zip(&cases);
    let failing = failing.map(|(at, it)| output(&name(at), it.backend, &it.url, &it.more));
    let config = Config {
        top: "memory_limit: 256MiB".to_owned(),
        inputs: vec![scene.input("app", &["*.log"], "max_line: 8KiB")],
        outputs: failing.collect(),
        ..scene.empty_config()
    }
    .serving();
    let mut series = Numbered::new("failing");
    series.append_to(&scene.log("app.log"), 10);
    let agent = scene.start(&config);
    for (place, case) in cases.iter().enumerate() {
        let row = &rows[case.what];
        let told = format!("reason=\"{}\" class=\"{}\"", row.reason, row.class);
        let line = agent.wait_for_log(&format!("output=\"{}\" {told}", name(place)));
        assert!(line.contains("not delivered; nothing is lost"), "{line}");
        let (begin, end) = &case.told;
        let answer = line.split("answer=\"").nth(1).unwrap();
        let answer = answer.split('"').next().unwrap();
        assert!(answer.starts_with(begin) && answer.ends_with(end), "{line}");
        let sign = format!("output=\"{}\",class=\"{}\"", name(place), row.class);
        assert!(
            config.metric_sum("pinnace_output_requests_total", &sign) > 0,
            "{line}"
        );
    }
    assert_eq!(scene.receiver.summary(Backend::Loki).stored, 0);
    let mended = (0..).zip(&cases).map(|(at, case)| {
        let url = match case.backend {
            Backend::Loki => scene.receiver.loki_url(),
            Backend::Cloudwatch => scene.receiver.cloudwatch_url(),
        };
        output(&name(at), case.backend, &url, "")
    });
    scene.write(&Config {
        outputs: mended.collect(),
        ..config.clone()
    });
    agent.hang_up();
    series.append_to(&scene.log("app.log"), 10);
    for backend in Backend::ALL {
        let outputs = cases.iter().filter(|it| it.backend == backend).count();
        scene.wait_for_stored(backend, series.next * outputs as u64);
    }
    config.wait_until_no_lag();
    agent.stop_well();
    for (place, case) in cases.iter().enumerate() {
        let records = scene.receiver.records(case.backend).into_iter();
        let group = format!("/{}:", name(place));
        let own = records.filter(|it| *it.tenant == *name(place) || it.stream.starts_with(&group));
        let lines: Vec<_> = own.map(|it| it.line).collect();
        Account::of(&series.all(), &lines).assert_exact(case.what);
    }
}
