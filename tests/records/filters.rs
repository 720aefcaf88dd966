//! Records that are let go of, through the whole agent.

use pinnace::receiver::Backend;

use crate::harness::{Config, Scene, append};
use crate::joining::config_of;

#[test]
fn what_is_filtered_is_counted_owes_nothing_and_is_not_looked_at_again() {
    let scene = Scene::new();
    let keys =
        "filters: [{ action: drop, level: debug }, { action: sample, pattern: 'GET', one_in: 5 }]";
    let config = Config {
        inputs: vec![scene.input("app", &["*.log"], keys)],
        outputs: vec![scene.loki("too_old: rescue")],
        ..scene.loki_config()
    }
    .serving();
    let line = |number: u64, text: &str| {
        format!(
            "2026-01-02 10:00:{:02},{:03} - a - {text} {number}\n",
            number / 1000,
            number % 1000
        )
    };
    let gets: String = (0..500)
        .map(|number| line(number, "INFO - GET /"))
        .collect();
    let steps: String = (500..900)
        .map(|number| line(number, "DEBUG - step"))
        .collect();
    append(&scene.log("app.log"), gets + &steps);
    let agent = scene.start(&config);
    let dropped = |count: u64| {
        format!("pinnace_filtered_records_total{{output=\"loki\",action=\"drop\"}} {count}")
    };
    config.wait_for_samples(&[dropped(400)]);
    config.wait_until_no_lag();
    let kept = scene.receiver.summary(Backend::Loki).stored;
    assert!((60..150).contains(&kept), "{kept} of 500");
    append(&scene.log("app.log"), line(1000, "DEBUG - the last step"));
    config.wait_for_samples(&[dropped(401)]);
    config.wait_until_no_lag();
    config.wait_for_samples(&[
        format!(
            "pinnace_filtered_records_total{{output=\"loki\",action=\"sample\"}} {}",
            500 - kept
        ),
        format!("pinnace_records_by_level_total{{output=\"loki\",level=\"info\"}} {kept}"),
        "pinnace_records_by_level_total{output=\"loki\",level=\"debug\"} 0".to_owned(),
    ]);
    agent.kill();
    let agent = scene.start(&config);
    append(&scene.log("app.log"), line(2000, "WARNING - the end"));
    scene.wait_for_stored(Backend::Loki, kept + 1);
    config.wait_until_no_lag();
    config.wait_for_samples(&[dropped(0)]);
    agent.stop_well();
    scene.assert_flawless(Backend::Loki);
}

#[test]
fn records_are_kept_and_dropped_by_level_text_and_field() {
    let scene = Scene::of_any_time();
    let line =
        |level: &str, text: &str| format!("2026-01-02 10:00:00,000 - a - {level} - {text}\n");
    let inputs = [
        (
            "grave.log",
            "[{ action: keep, level: warn }]",
            line("INFO", "1") + &line("WARNING", "2") + &line("CRITICAL", "3") + "no level\n",
        ),
        (
            "text.log",
            "[{ action: drop, pattern: 'GET /health' }, { action: drop, pattern: 'ping$' }]",
            line("INFO", "GET /healthz") + &line("INFO", "GET /") + &line("ERROR", "ping"),
        ),
        (
            "field.log",
            "[{ action: keep, field: user.id }, { action: drop, field: path, pattern: '^/static/' }]",
            [
                r#"{"user":{"id":7},"path":"/orders","level":"info"}"#,
                r#"{"path":"/orders","level":"info"}"#,
                r#"{"user":{"id":8},"path":"/static/a.js","level":"info"}"#,
                r#"{"user":{"id":9},"level":"info"}"#,
            ]
            .map(|line| format!("{line}\n"))
            .concat(),
        ),
        (
            "both.log",
            "[{ action: drop, level: info, pattern: 'cache' }]",
            line("INFO", "cache hit") + &line("WARNING", "cache full") + &line("INFO", "order"),
        ),
    ];
    let keys = inputs.each_ref();
    let keys =
        keys.map(|(file, filters, _)| (*file, format!("multiline_wait: 50ms, filters: {filters}")));
    let config = config_of(
        &scene,
        &keys.each_ref().map(|(file, keys)| (*file, keys.as_str())),
    );
    for (file, _, text) in &inputs {
        append(&scene.log(file), text);
    }
    let agent = scene.start(&config);
    let counted = |action, count| {
        format!("pinnace_filtered_records_total{{output=\"loki\",action=\"{action}\"}} {count}")
    };
    config.wait_for_samples(&[counted("keep", 2), counted("drop", 4), counted("sample", 0)]);
    scene.wait_for_stored(Backend::Loki, 7);
    agent.stop_well();
    let records = scene.receiver.records(Backend::Loki);
    let mut kept: Vec<_> = records
        .iter()
        .map(|record| record.line.rsplit(" - ").next().unwrap())
        .collect();
    kept.sort_unstable();
    assert_eq!(
        kept,
        [
            "2",
            "3\nno level",
            "GET /",
            "cache full",
            "order",
            r#"{"user":{"id":7},"path":"/orders","level":"info"}"#,
            r#"{"user":{"id":9},"level":"info"}"#,
        ]
    );
}

#[test]
fn a_filter_of_levels_lets_the_death_of_a_program_pass() {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![scene.input(
            "app",
            &["*.log"],
            "multiline_wait: 50ms, filters: [{ action: drop, level: info }]",
        )],
        outputs: vec![scene.loki("too_old: rescue")],
        ..scene.empty_config()
    }
    .serving();
    let [started, dying] = ["started", "reading orders"]
        .map(|text| format!("2026-01-02 10:00:00,000 - a - INFO - {text}\n"));
    let trace =
        "Traceback (most recent call last):\n  File \"/app/a.py\", line 7, in main\nKeyError: 'x'";
    append(&scene.log("app.log"), format!("{started}{dying}{trace}\n"));
    append(
        &scene.log("bare.log"),
        "panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n",
    );
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 2);
    config.wait_for_samples(&[
        "pinnace_filtered_records_total{output=\"loki\",action=\"drop\"} 1",
        "pinnace_records_by_level_total{output=\"loki\",level=\"error\"} 2",
        "pinnace_records_by_level_total{output=\"loki\",level=\"none\"} 0",
    ]);
    agent.stop_well();
    let records = scene.receiver.records(Backend::Loki);
    let mut lines = crate::texts(&records);
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            format!("{dying}{trace}"),
            "panic: boom\n\ngoroutine 1 [running]:\nmain.main()".to_owned()
        ]
    );
}

#[test]
fn what_is_sampled_is_the_same_at_every_output_and_when_all_is_read_again() {
    let scene = Scene::of_any_time();
    let keys = "filters: [{ action: sample, pattern: 'GET', one_in: 4 }]";
    let config = Config {
        inputs: vec![scene.input("app", &["*.log"], keys)],
        outputs: vec![
            scene.loki("too_old: rescue, max_age: 100000h"),
            scene.cloudwatch("log_stream: all, too_old: rescue, max_age: 100000h"),
        ],
        ..scene.empty_config()
    }
    .serving();
    let lines: Vec<_> = (0..400)
        .map(|number| format!("2026-01-02 10:00:00,{number:03} - a - INFO - GET /{number}"))
        .collect();
    append(&scene.log("app.log"), lines.join("\n") + "\n");
    let mut kept: Option<Vec<String>> = None;
    for state in ["state", "another-state"] {
        let config = Config {
            state_dir: scene.dir().join(state),
            ..config.clone()
        };
        scene.receiver.clear();
        let agent = scene.start(&config);
        config.wait_until_no_lag();
        agent.stop_well();
        for backend in Backend::ALL {
            let records = scene.receiver.records(backend);
            let found: Vec<_> = records.into_iter().map(|it| it.line).collect();
            assert!((50..150).contains(&found.len()), "{} of 400", found.len());
            let first = kept.get_or_insert_with(|| found.clone());
            assert_eq!(*first, found, "{backend}, {state}");
        }
    }
}
