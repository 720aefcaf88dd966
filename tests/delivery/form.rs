//! The form in which lines go out: labels, tenants, metadata, groups, compression, and what
//! becomes of bytes that a backend does not take.

use std::sync::{Arc, Mutex};

use pinnace::receiver::{Backend, Observer, Options, Record};

use crate::harness::{Agent, Config, Numbered, Scene, append, eventually, get, lines_of};

const CUT_MARK: &str = " [line continues]";

#[test]
fn a_label_with_ever_new_values_makes_no_more_streams_than_is_said_and_nothing_is_lost() {
    let scene = Scene::new();
    let mut config = scene.loki_config();
    config.outputs = vec![scene.loki("max_streams: 2")];
    let series: Vec<_> = (0..5)
        .map(|number| Numbered::new(&format!("f{number}")))
        .collect();
    let agent = scene.start(&config);
    for (number, mut series) in series.clone().into_iter().enumerate() {
        series.append_to(&scene.log(&format!("{number}.log")), 20);
        scene.wait_for_stored(Backend::Loki, 20 * (number as u64 + 1));
    }
    assert!(agent.log_text().contains("max_streams is reached"));
    agent.stop_well();
    let summary = scene.receiver.summary(Backend::Loki);
    assert_eq!(summary.streams.len(), 3, "{summary:#?}");
    let merged = r#"{service_name="app"}"#;
    for record in scene.receiver.records(Backend::Loki) {
        let file = scene.log(&format!("{}.log", &record.line[1..2]));
        let file = file.display().to_string();
        let is_own = record.stream.contains(&file);
        let is_told = record
            .metadata
            .iter()
            .any(|(name, value)| name == "filename" && *value == file);
        assert!(
            is_own || (&*record.stream == merged && is_told),
            "{record:?}"
        );
    }
    scene.assert_flawless(Backend::Loki);
}

#[test]
fn loki_gets_the_tenant_the_labels_and_the_structured_metadata() {
    let scene = Scene::with(Options {
        loki_auth: true,
        ..Options::default()
    });
    let config = Config {
        inputs: vec![
            scene.input("web", &["web.log"], "fields: { service: shop, zone: a }"),
            scene.input("jobs", &["jobs.log"], "fields: { service: night, zone: b }"),
        ],
        outputs: vec![scene.loki(
            "tenant_id: team-a, \
             labels: { service_name: \"{service}\", file: \"{file}\", in: \"{input}\", fixed: \"a \\\"b\\\" {{c}}\" }, \
             structured_metadata: { zone: \"{zone}\", path: \"{path}\" }",
        )],
        ..scene.empty_config()
    };
    let agent = scene.start(&config);
    append(&scene.log("web.log"), "from the web\n");
    append(&scene.log("jobs.log"), "from the jobs\n");
    scene.wait_for_stored(Backend::Loki, 2);
    agent.stop_well();
    scene.assert_flawless(Backend::Loki);
    let records = scene.receiver.records(Backend::Loki);
    for (line, file, service, zone, input) in [
        ("from the web", "web.log", "shop", "a", "web"),
        ("from the jobs", "jobs.log", "night", "b", "jobs"),
    ] {
        let record = records.iter().find(|record| record.line == line).unwrap();
        assert_eq!(&*record.tenant, "team-a");
        assert_eq!(
            &*record.stream,
            format!(
                r#"{{file="{file}", fixed="a \"b\" {{c}}", in="{input}", service_name="{service}"}}"#
            )
        );
        let path = scene.log(file).display().to_string();
        let expected = [("path", path.as_str()), ("zone", zone)];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(record.metadata, expected);
    }
}

#[test]
fn both_compressions_of_both_outputs_arrive_the_same_and_packed_ones_are_smaller() {
    let mut sizes = Vec::new();
    for (loki, cloudwatch) in [("snappy", "gzip"), ("none", "none")] {
        let scene = Scene::new();
        let mut config = scene.loki_config();
        config.outputs = vec![
            scene.loki(&format!("compression: {loki}")),
            scene.cloudwatch(&format!("compression: {cloudwatch}, log_stream: all")),
        ];
        let mut series = Numbered::wide("packed", 200);
        series.append_to(&scene.log("app.log"), 2000);
        let agent = scene.start(&config);
        for backend in Backend::ALL {
            scene.wait_for_stored(backend, 2000);
        }
        agent.stop_well();
        for backend in Backend::ALL {
            scene.assert_arrived(backend, &series.all());
            sizes.push(scene.receiver.summary(backend).body_bytes);
        }
    }
    assert!(sizes[0] * 3 < sizes[2], "Loki: {sizes:?}");
    assert!(sizes[1] * 3 < sizes[3], "CloudWatch: {sizes:?}");
}

#[test]
fn groups_and_streams_that_are_missing_are_created_once_with_their_retention() {
    let operations = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&operations);
    let scene = Scene::with(Options {
        observer: Some(Observer::new(move |exchange| {
            seen.lock().unwrap().push(exchange.operation.clone());
        })),
        ..Options::default()
    });
    let mut config = scene.cloudwatch_config();
    config.outputs = vec![format!(
        "{{ name: cloudwatch, type: cloudwatch_logs, endpoint_url: \"{}\", region: eu-west-1, \
         log_group: \"/apps/{{input}}\", log_stream: \"{{file}}\", batch: {{ max_wait: 20ms }}, \
         create: {{ log_group: true, retention_in_days: 14 }} }}",
        scene.receiver.cloudwatch_url()
    )];
    append(&scene.log("a.log"), "first\n");
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Cloudwatch, 1);
    append(&scene.log("a.log"), "second\n");
    append(&scene.log("b.log"), "third\n");
    scene.wait_for_stored(Backend::Cloudwatch, 3);
    agent.stop_well();
    let operations = operations.lock().unwrap().clone();
    let count = |name: &str| operations.iter().filter(|it| *it == name).count();
    assert_eq!(count("CreateLogGroup"), 1, "{operations:?}");
    assert_eq!(count("PutRetentionPolicy"), 1, "{operations:?}");
    // The first attempt for a.log finds that the group is missing.
    assert_eq!(count("CreateLogStream"), 3, "{operations:?}");
    let summary = scene.receiver.summary(Backend::Cloudwatch);
    let names: Vec<_> = summary
        .streams
        .iter()
        .map(|it| it.name.to_string())
        .collect();
    assert_eq!(names, ["/apps/app:a.log", "/apps/app:b.log"]);
    scene.assert_flawless(Backend::Cloudwatch);
}

#[test]
fn a_group_that_may_not_be_created_holds_the_lines_and_says_so() {
    let scene = Scene::new();
    let mut config = scene.cloudwatch_config().serving();
    config.outputs = vec![scene.cloudwatch("log_stream: all").replace(
        "create: { log_group: true }",
        "create: { log_group: false }",
    )];
    "timeout: 100ms, quiet_for: 10ms".clone_into(&mut config.shutdown);
    append(&scene.log("a.log"), "kept\n");
    let agent = scene.start(&config);
    agent.wait_for_log("create.log_group: true");
    let (status, text) = get(config.port(), "/readyz").unwrap();
    assert_eq!(status, 503);
    assert!(text.contains("there is no log group /apps/test"), "{text}");
    let (_, metrics) = get(config.port(), "/metrics").unwrap();
    let blocked = "pinnace_output_blocked{output=\"cloudwatch\",reason=\"not_found\"} 1";
    assert!(metrics.contains(blocked), "{metrics}");
    let log = agent.stop_well();
    assert!(log.contains("with lines not yet delivered"), "{log}");
    assert_eq!(scene.receiver.summary(Backend::Cloudwatch).stored, 0);
}

/// Runs `bytes` through both outputs and returns what each holds, and the metrics.
fn ship(bytes: &[u8], input: &str, records: u64) -> (Vec<String>, Vec<String>, String) {
    let scene = Scene::new();
    let mut config = scene.loki_config().serving();
    config.inputs = vec![scene.input("app", &["*.log"], input)];
    config.outputs.push(scene.cloudwatch("log_stream: all"));
    append(&scene.log("app.log"), bytes);
    let agent = scene.start(&config);
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, records);
    }
    config.wait_until_no_lag();
    let (_, metrics) = get(config.port(), "/metrics").unwrap();
    agent.stop_well();
    for backend in Backend::ALL {
        scene.assert_flawless(backend);
    }
    let of = |backend| lines_of(&scene, backend, |_: &Record| true);
    (of(Backend::Loki), of(Backend::Cloudwatch), metrics)
}

#[test]
fn bytes_that_are_not_utf8_are_replaced_and_counted() {
    let (loki, cloudwatch, metrics) = ship(b"good\ncaf\xe9 \xff\nfin\xc3\nend\n", "", 4);
    let expected = ["good", "caf\u{FFFD} \u{FFFD}", "fin\u{FFFD}", "end"];
    assert_eq!(loki, expected);
    assert_eq!(cloudwatch, expected);
    for output in ["loki", "cloudwatch"] {
        let counter = format!("pinnace_invalid_utf8_records_total{{output=\"{output}\"}} 2");
        assert!(metrics.contains(&counter), "{metrics}");
    }
}

#[test]
fn lines_above_the_limit_are_cut_with_a_mark_and_their_pieces_make_up_the_line() {
    let long = "0123456789".repeat(50);
    let text = format!("before\n{long}\nafter\n");
    let (loki, cloudwatch, metrics) = ship(text.as_bytes(), "max_line: 128", 2 + 5);
    assert_eq!(loki, cloudwatch);
    assert_eq!(loki.first().unwrap(), "before");
    assert_eq!(loki.last().unwrap(), "after");
    let pieces = &loki[1..loki.len() - 1];
    for (place, piece) in pieces.iter().enumerate() {
        assert!(piece.len() <= 128, "{piece}");
        assert_eq!(piece.ends_with(CUT_MARK), place + 1 < pieces.len());
    }
    assert_eq!(pieces.concat().replace(CUT_MARK, ""), long);
    let counter = "pinnace_cut_lines_total{output=\"loki\"} 4";
    assert!(metrics.contains(counter), "{metrics}");
}

#[test]
fn a_line_of_many_megabytes_goes_out_in_pieces_and_holds_up_nothing() {
    let numbers: Vec<_> = (0..600_000).map(|number| format!("{number:08}")).collect();
    let long = numbers.join(" ");
    let text = format!("before\n{long}\nafter\n");
    let room = 256 * 1024 - CUT_MARK.len();
    let pieces = u64::try_from(long.len().div_ceil(room)).unwrap();
    let (loki, cloudwatch, _) = ship(text.as_bytes(), "", pieces + 2);
    assert_eq!(loki, cloudwatch);
    assert_eq!(
        loki.concat().replace(CUT_MARK, ""),
        format!("before{long}after")
    );
}

#[test]
fn carriage_returns_before_the_line_end_are_taken_off() {
    let (loki, cloudwatch, _) = ship(b"one\r\ntwo\n\tthree \r\nfo\rur\n", "", 4);
    assert_eq!(loki, ["one", "two", "\tthree ", "fo\rur"]);
    assert_eq!(cloudwatch, loki);
}

#[test]
fn empty_lines_arrive_and_cloudwatch_which_refuses_them_gets_a_space() {
    let (loki, cloudwatch, _) = ship(b"\none\n\n\r\ntwo\n", "", 5);
    assert_eq!(loki, ["", "one", "", "", "two"]);
    assert_eq!(cloudwatch, [" ", "one", " ", " ", "two"]);
}

#[test]
fn every_sign_survives_the_way_through_both_encodings() {
    let signs: String = (1..0x250)
        .chain(0x2000..0x2070)
        .chain(0x1F600..0x1F610)
        .filter_map(char::from_u32)
        .filter(|sign| *sign != '\n')
        .collect();
    let text = format!("{signs}\n\"quoted\" \\ and \u{0} and \u{7f}\nrésumé d'activité\n");
    let (loki, cloudwatch, _) = ship(text.as_bytes(), "", 3);
    let expected: Vec<_> = text.lines().collect();
    assert_eq!(loki, expected);
    assert_eq!(cloudwatch, expected);
}

#[test]
fn equal_lines_all_arrive_and_loki_can_tell_them_apart() {
    let (loki, cloudwatch, _) = ship("same\n".repeat(500).as_bytes(), "", 500);
    assert_eq!(loki.len(), 500);
    assert_eq!(cloudwatch.len(), 500);
}

#[test]
fn the_smallest_setup_needs_variables_alone() {
    let scene = Scene::new();
    append(&scene.log("app.log"), "from variables\n");
    let include = scene.log("*.log").display().to_string();
    let state = scene.dir().join("state").display().to_string();
    let labels = "service_name=checkout,filename={file}".to_owned();
    let agent = Agent::with_variables(&[
        ("PINNACE_INCLUDE", include),
        ("PINNACE_STATE_DIR", state),
        ("PINNACE_LOKI_URL", scene.receiver.loki_url()),
        ("PINNACE_LOKI_LABELS", labels),
    ]);
    scene.wait_for_stored(Backend::Loki, 1);
    assert!(eventually(|| {
        let summary = scene.receiver.summary(Backend::Loki);
        let name = "{filename=\"app.log\", service_name=\"checkout\"}";
        summary.stream(name).is_some()
    }));
    agent.stop_well();
    scene.assert_flawless(Backend::Loki);
}
