//! Any configuration, printed, loads again to the same.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::super::{
    AfterDelivery, AssumeRole, Auth, ByteSize, Connection, Create, DeadLetters, Disk, Environment,
    Filter, FilterAction, Format, Found, HoldDeleted, Multiline, Proxy, Records, Secret, Server,
    Shutdown, Source, Tls, load, local_zone,
};
use super::*;

/// Any text but what a text may not be: empty.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{1,20}", "\\PC{1,10}", any::<String>()]
        .prop_filter("empty", |text| !text.is_empty())
}

fn templates(most: usize) -> impl Strategy<Value = BTreeMap<String, Template>> {
    let template = (
        any_text(),
        prop::sample::select(vec!["", "{path}", "{input}"]),
    )
        .prop_map(|(text, name)| text.replace('{', "{{").replace('}', "}}") + name)
        .prop_map(|text| text.parse::<Template>().unwrap())
        // A password would be replaced by stars.
        .prop_filter("URL", |template| !template.to_string().contains("://"));
    btree_map("[a-zA-Z_][a-zA-Z0-9_]{0,8}", template, 1..most)
}

fn batches(most: u64) -> impl Strategy<Value = Batch> {
    (524_288..=most, 10u64..300_000).prop_map(|(bytes, wait)| Batch {
        max_bytes: ByteSize(bytes),
        max_wait: Duration::from_millis(wait),
    })
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let fields = btree_map("f_[a-z]{0,4}", any_text(), 0..4).prop_filter("URL", |fields| {
        fields.values().all(|value| !value.contains("://"))
    });
    let globs = || vec("(/[a-z*$ \"'#é]{1,8}){1,3}", 1..4);
    vec(
        (globs(), globs(), any::<bool>(), 64u64..200_000, fields),
        1..4,
    )
    .prop_map(|inputs| {
        let named = inputs.into_iter().enumerate();
        named
            .map(
                |(index, (include, exclude, from_end, line, fields))| Input {
                    name: format!("in.{index}"),
                    include,
                    exclude,
                    read_from: if from_end {
                        ReadFrom::End
                    } else {
                        ReadFrom::Beginning
                    },
                    max_line: ByteSize(line),
                    fields,
                    records: records(line),
                    hold_deleted: HoldDeleted {
                        max_bytes: ByteSize(line * 7),
                        max_age: Duration::from_millis(line),
                        min_free: ByteSize(line),
                    },
                    after_delivery: AfterDelivery {
                        delete_rotated: from_end,
                        keep: u32::try_from(line % 9).unwrap(),
                        still_for: Duration::from_millis(line),
                    },
                    disk: Disk {
                        max_bytes: from_end.then_some(ByteSize(line * 9)),
                        when_full: if from_end {
                            WhenFull::DropOldest
                        } else {
                            WhenFull::Hold
                        },
                    },
                },
            )
            .collect()
    })
}

fn connections() -> impl Strategy<Value = Connection> {
    let path = || option::of("/[a-z /.]{1,9}".prop_map(PathBuf::from));
    let tls = (path(), any::<bool>(), option::of("[a-z]{1,9}"), path()).prop_map(
        |(ca_file, system_roots, server_name, cert_file)| Tls {
            system_roots: system_roots || ca_file.is_none(),
            key_file: cert_file.clone(),
            ca_file,
            server_name,
            cert_file,
        },
    );
    let proxy = prop::sample::select(vec![
        Proxy::Environment,
        Proxy::Off,
        Proxy::Url("http://proxy:3128".to_owned()),
    ]);
    (tls, proxy, 100u64..60_000).prop_map(|(tls, proxy, timeout)| Connection {
        tls,
        proxy,
        timeout: Duration::from_millis(timeout),
        idle: Duration::from_millis(timeout - 100),
        lifetime: Duration::from_secs(timeout),
    })
}

/// Secrets in the configuration itself are not printed.
fn auths() -> impl Strategy<Value = Auth> {
    let secret = || "/[a-z]{1,9}".prop_map(|path| Secret::File(PathBuf::from(path)));
    prop_oneof![
        secret().prop_map(Auth::Bearer),
        ("[^:\\pC]{1,9}", secret()).prop_filter_map("URL", |(username, password)| {
            (!username.contains("${")).then_some(Auth::Basic { username, password })
        }),
    ]
}

/// Every way of making records, in turn.
fn records(number: u64) -> Records {
    let formats = [
        Format::Auto,
        Format::Bare,
        Format::Cri,
        Format::Docker,
        Format::Plain,
    ];
    let multiline = [
        Multiline::Auto,
        Multiline::Off,
        Multiline::Start,
        Multiline::Continue,
    ];
    let which = usize::try_from(number).unwrap();
    let pattern = || r"^[a-z'#: ]+\d$".to_owned();
    let has_pattern = which % 4 > 1;
    let found = |bit: usize| {
        if which & bit == 0 {
            Found::Auto
        } else {
            Found::Off
        }
    };
    Records {
        format: formats[which % 5],
        multiline: multiline[which % 4],
        multiline_pattern: has_pattern.then(pattern),
        multiline_max_lines: u32::try_from(1 + number % 100_000).unwrap(),
        multiline_wait: Duration::from_millis(number),
        timestamp: found(16),
        timestamp_format: (which & 32 == 0).then(|| "%d.%m.%Y %T".to_owned()),
        timezone: (which & 64 == 0).then(|| "Europe/Paris".to_owned()),
        level: found(128),
        capture: (which & 8 == 0).then(|| r"^(?P<a>[a-z'#: ]+)\d$".to_owned()),
        redact: (0..which % 3).map(|_| "email".to_owned()).collect(),
        filters: (0..which % 3)
            .map(|n| Filter {
                action: [FilterAction::Drop, FilterAction::Keep, FilterAction::Sample][n],
                level: (which & 16 == 0).then(|| "warn".to_owned()),
                field: (which & 32 == 0).then(|| "user.id".to_owned()),
                pattern: (which & 64 == 0).then(pattern),
                one_in: u32::try_from(1 + number % 1_000_000).unwrap(),
            })
            .collect(),
        redact_patterns: (0..which % 3)
            .map(|n| (format!("p{n}"), pattern()))
            .collect(),
    }
}

fn loki() -> impl Strategy<Value = OutputKind> {
    (
        option::of("[a-zA-Z0-9_.-]{3,10}"),
        templates(15),
        templates(20),
        any::<bool>(),
        batches(4 << 20),
        100u64..300_000,
        1u32..1_000_000,
        (option::of(auths()), connections()),
    )
        .prop_map(
            |(
                tenant_id,
                labels,
                structured_metadata,
                packed,
                batch,
                timeout,
                max_streams,
                (auth, connection),
            )| {
                OutputKind::Loki(Loki {
                    url: "http://loki:3100/loki/api/v1/push".to_owned(),
                    tenant_id,
                    auth,
                    headers: BTreeMap::new(),
                    connection,
                    labels,
                    structured_metadata,
                    max_streams,
                    compression: if packed {
                        Compression::Snappy
                    } else {
                        Compression::None
                    },
                    batch,
                    ages: ages(
                        timeout % 2 == 0,
                        Some(Duration::from_mins(1 + timeout)).filter(|_| timeout % 3 > 0),
                    ),
                    request_timeout: Duration::from_millis(timeout),
                })
            },
        )
}

fn cloudwatch_logs() -> impl Strategy<Value = OutputKind> {
    let create = (
        any::<bool>(),
        any::<bool>(),
        option::of(prop::sample::select(vec![1, 3653])),
    )
        .prop_map(|(log_group, log_stream, retention_in_days)| Create {
            class: LogClass::Standard,
            log_group,
            log_stream,
            retention_in_days,
        });
    let verify = prop::sample::select(vec![
        VerifyAfterError::Auto,
        VerifyAfterError::Never,
        VerifyAfterError::Require,
    ]);
    (
        "/[a-z/#._-]{0,9}",
        "[^:*{}\\pC]{1,20}",
        option::of("[a-z0-9-]{1,9}"),
        create,
        any::<bool>(),
        verify,
        batches(1 << 20),
        (any::<bool>(), connections()),
    )
        .prop_map(
            |(
                group,
                stream,
                region,
                create,
                packed,
                verify_after_error,
                batch,
                (assumes, connection),
            )| {
                OutputKind::CloudWatchLogs(CloudWatchLogs {
                    log_group: group.parse().unwrap(),
                    log_stream: stream.parse().unwrap(),
                    endpoint_url: region.as_ref().map(|region| format!("https://{region}/x")),
                    region,
                    profile: assumes.then(|| "other one".to_owned()),
                    assume_role: assumes.then(|| AssumeRole {
                        role_arn: "arn:aws:iam::123456789012:role/logs".to_owned(),
                        external_id: Some("id:7".to_owned()),
                        session_name: None,
                    }),
                    connection,
                    create,
                    compression: if packed {
                        CloudWatchCompression::Gzip
                    } else {
                        CloudWatchCompression::None
                    },
                    verify_after_error,
                    batch,
                    ages: ages(packed, Some(Duration::from_hours(7))),
                    request_timeout: Duration::from_secs(7),
                })
            },
        )
}

fn ages(is_rescue: bool, max_age: Option<Duration>) -> Ages {
    let too_old = if is_rescue {
        TooOld::Rescue
    } else {
        TooOld::DeadLetter
    };
    let usual = is_rescue.then_some(Duration::from_hours(6 * 24));
    Ages {
        too_old,
        max_age: max_age.or(usual),
    }
}

fn configs() -> impl Strategy<Value = Config> {
    (
        "/[a-z \"$#é]{0,9}",
        64u64..4096,
        (0u64..60_000, any::<bool>()),
        option::of(any::<(IpAddr, u16)>().prop_map(SocketAddr::from)),
        inputs(),
        vec(prop_oneof![loki(), cloudwatch_logs()], 1..4),
    )
        .prop_map(
            |(state_dir, memory, (quiet_for, final_lines), listen, inputs, kinds)| {
                let names: Vec<String> = inputs.iter().map(|input| input.name.clone()).collect();
                let outputs = kinds.into_iter().enumerate().map(|(index, kind)| Output {
                    name: format!("out-{index}"),
                    inputs: names[index % names.len()..].to_vec(),
                    kind,
                });
                Config {
                    state_dir: PathBuf::from(state_dir),
                    memory_limit: ByteSize(memory << 20),
                    dead_letters: DeadLetters {
                        max_bytes: ByteSize(memory << 16),
                        when_full: if final_lines {
                            WhenLettersFull::Drop
                        } else {
                            WhenLettersFull::Hold
                        },
                        when_all_refused: if quiet_for % 2 == 0 {
                            WhenAllRefused::Write
                        } else {
                            WhenAllRefused::Hold
                        },
                    },
                    shutdown: Shutdown {
                        timeout: Duration::from_millis(quiet_for + 1),
                        quiet_for: Duration::from_millis(quiet_for),
                        final_lines,
                        termination_log: final_lines.then(|| PathBuf::from("/run/last words")),
                    },
                    server: Server { listen },
                    outputs: outputs.collect(),
                    inputs,
                    local_zone: local_zone(&Environment::default()),
                }
            },
        )
}

proptest! {
    #[test]
    fn a_printed_configuration_loads_to_the_same(config in configs()) {
        let text = yaml(&config, &BTreeMap::new());
        match load(&Source::Text(text), &Environment::default()) {
            Ok(again) => prop_assert_eq!(again, config),
            Err(problems) => prop_assert!(false, "{}", problems),
        }
    }
}
