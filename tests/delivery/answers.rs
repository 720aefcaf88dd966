//! Every row of the tables of answers, end to end: each of its codes, and each status at which
//! another row begins or ends. Nothing is lost and nothing is there twice, the class counts, and
//! the operator is told the whole sentence. The rows are read from the document, which is printed
//! from the code. One agent, with an output for each answer, so that all are given at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pinnace::receiver::{Backend, Record};
use serde_json::{Value, json};

use crate::harness::{Account, Config, Front, Row, Scene, Verdict, append, header, rows};

/// What is written once each output has delivered a first line.
const LINES: [&str; 8] = ["1", "2", "3", "4", "5 BAD", "6", "7", "8"];
/// What is refused of them where something is.
const BAD: &str = "5 BAD";
/// What the backend says.
const WHY: &str = "this is why";
/// In the place of a code: it is answered with a page.
const PAGE: &str = "page";
/// A code that no row names.
const NO_KNOWN_CODE: &str = "SomethingNewException";

/// One answer, given to an output of its own.
#[derive(Debug, Clone)]
struct Case {
    row: Row,
    status: u16,
    /// None where the status alone tells.
    code: Option<String>,
}

impl Case {
    fn name(&self) -> String {
        let code = self.code.as_deref().unwrap_or("none").to_lowercase();
        format!("{}-{code}", self.status)
    }

    /// Whether something in a request is refused, not the request.
    fn is_of_a_record(&self) -> bool {
        ["refused", "split"].contains(&&*self.row.class)
    }

    /// How many requests get this answer in a row. What is not found is created and put again.
    fn times(&self) -> usize {
        1 + usize::from(self.row.reason == "not_found")
    }

    /// What a backend answers.
    fn body(&self, backend: Backend) -> String {
        match (backend, &self.code) {
            (Backend::Loki, None) => format!("{WHY}\nand this is not told"),
            (Backend::Cloudwatch, Some(code)) => {
                json!({ "__type": code, "message": WHY }).to_string()
            }
            // As something answers that stands before the backend; it may even speak JSON.
            (Backend::Cloudwatch, None) if self.row.answer == "any other" => "{}".to_owned(),
            (Backend::Loki, Some(_)) | (Backend::Cloudwatch, None) => {
                format!("<html>{WHY}</html>")
            }
        }
    }

    /// What the operator is told.
    fn sentence(&self, backend: Backend) -> String {
        let mending = self.row.mending.replace("{action}", "PutLogEvents");
        let status = self.status;
        match (backend, &self.code) {
            (Backend::Loki, None) => format!("answered {status}: {WHY}; {mending}"),
            (Backend::Loki, Some(_)) => {
                format!("answered {status}: <html>{WHY}</html>; {mending}")
            }
            (Backend::Cloudwatch, Some(code)) => {
                format!("PutLogEvents was answered with {status} {code}: {WHY}; {mending}")
            }
            (Backend::Cloudwatch, None) => {
                format!("PutLogEvents was answered with {status}; {mending}")
            }
        }
    }
}

/// The statuses that a row is for, both included; none where it is for codes.
fn statuses(row: &Row) -> Option<(u16, u16)> {
    let words: Vec<_> = row.answer.split(' ').collect();
    let number = |word: &str| word.parse().unwrap();
    match words[..] {
        ["any", "other"] => Some((500, 999)),
        [least, "and", "above"] => Some((number(least), 999)),
        [least, "to", most, ..] => Some((number(least), number(most))),
        [code, ..] if code.starts_with('`') => None,
        _ => Some((number(words[0]), number(words[0]))),
    }
}

/// The answers of a row: its codes; or the statuses at both of its ends, and beside those that
/// an earlier row is for.
fn cases(row: &Row, earlier: &[Row], backend: Backend) -> Vec<Case> {
    let case = |status, code: Option<&str>| Case {
        row: row.clone(),
        status,
        code: code.map(str::to_owned),
    };
    let Some((least, most)) = statuses(row) else {
        let codes = row.answer.split(", ").map(|it| it.trim_matches('`'));
        return codes.map(|code| case(400, Some(code))).collect();
    };
    if backend == Backend::Cloudwatch {
        match &*row.answer {
            "400 to 499" => return [400, 499].map(|it| case(it, Some(NO_KNOWN_CODE))).into(),
            "any other" => return [101, 201, 202, 206, 299].map(|it| case(it, None)).into(),
            _ => {}
        }
    }
    let is_of_pages = |row: &Row| row.answer.contains("HTML page");
    let code = is_of_pages(row).then_some(PAGE);
    let alike = earlier.iter().filter(|it| !is_of_pages(it));
    let taken: Vec<_> = alike.filter_map(statuses).collect();
    let is_taken = |status| {
        taken
            .iter()
            .any(|(least, most)| (*least..=*most).contains(&status))
    };
    let is_border = |status: u16| {
        let beside = [status - 1, status + 1];
        status == least || status == most || beside.into_iter().any(is_taken)
    };
    (least..=most)
        .filter(|status| !is_taken(*status) && is_border(*status))
        .map(|status| case(status, code))
        .collect()
}

/// The answers of a table, by the name of the output that gets it.
fn all_cases(backend: Backend) -> BTreeMap<String, Case> {
    let rows = rows(match backend {
        Backend::Loki => "Loki",
        Backend::Cloudwatch => "CloudWatch Logs",
    });
    let mut all = BTreeMap::new();
    for (place, row) in rows.iter().enumerate() {
        let cases = cases(row, &rows[..place], backend);
        assert!(!cases.is_empty(), "{row:?}");
        all.extend(cases.into_iter().map(|case| (case.name(), case)));
    }
    all
}

/// An output whose requests say by their tenant or their log group which answer they are to get.
fn output(front: &Front, backend: Backend, name: &str, case: &Case) -> String {
    // What was put and not answered is looked for once that can have been given up.
    let limit = if case.row.class == "open" {
        "5s"
    } else {
        "40s"
    };
    let common = format!(
        "name: \"{name}\", request_timeout: {limit}, compression: none, \
         batch: {{ max_wait: 20ms, max_bytes: 32KiB }}"
    );
    let url = front.url("http");
    match backend {
        Backend::Loki => {
            format!("{{ type: loki, url: \"{url}\", tenant_id: \"{name}\", {common} }}")
        }
        Backend::Cloudwatch => format!(
            "{{ type: cloudwatch_logs, endpoint_url: \"{url}\", region: eu-west-1, \
             log_group: \"/{name}\", log_stream: all, create: {{ log_group: true }}, {common} }}"
        ),
    }
}

/// Whose request it is: the name of the output.
fn asker(backend: Backend, tenant: &str, body: &[u8]) -> Option<String> {
    match backend {
        Backend::Loki => Some(tenant.to_owned()),
        Backend::Cloudwatch => {
            let body: Value = serde_json::from_slice(body).ok()?;
            Some(body["logGroupName"].as_str()?.strip_prefix('/')?.to_owned())
        }
    }
}

fn asker_of(backend: Backend, record: &Record) -> &str {
    match backend {
        Backend::Loki => &record.tenant,
        Backend::Cloudwatch => {
            let group = record.stream.split(':').next().unwrap();
            group.trim_start_matches('/')
        }
    }
}

/// A front that gives each output its answer: to what holds the bad record; else to the first
/// requests once it is armed.
fn front(
    scene: &Scene,
    backend: Backend,
    cases: &BTreeMap<String, Case>,
    is_armed: &Arc<AtomicBool>,
) -> Front {
    let (cases, is_armed) = (cases.clone(), Arc::clone(is_armed));
    let given: Mutex<BTreeMap<String, usize>> = Mutex::default();
    Front::scripted(scene.receiver.address(), move |parts, body| {
        let target = header(parts, "x-amz-target");
        if backend == Backend::Cloudwatch && !target.ends_with(".PutLogEvents") {
            return Verdict::PassOn;
        }
        let name = asker(backend, &header(parts, "x-scope-orgid"), body).unwrap();
        let case = &cases[&name];
        let answer = (case.status, case.body(backend));
        if case.is_of_a_record() {
            let is_bad = body.windows(BAD.len()).any(|it| it == BAD.as_bytes());
            return if is_bad {
                Verdict::Answer(answer.0, answer.1)
            } else {
                Verdict::PassOn
            };
        }
        let mut given = given.lock().unwrap();
        let given = given.entry(name).or_default();
        if !is_armed.load(Ordering::Relaxed) || *given == case.times() {
            return Verdict::PassOn;
        }
        *given += 1;
        match (&*case.row.class, backend) {
            // A Loki that answers so has stored it.
            ("delivered", Backend::Loki) => Verdict::PassOn,
            ("delivered", Backend::Cloudwatch) => Verdict::CarryOutAndAnswer(answer.0, answer.1),
            _ => Verdict::Answer(answer.0, answer.1),
        }
    })
}

/// What each output did, by what the agent itself tells.
struct Told {
    log: String,
    status: Value,
    metrics: String,
    letters: Vec<Value>,
}

fn every_answer(backend: Backend) {
    let cases = all_cases(backend);
    let scene = Scene::new();
    let is_armed = Arc::new(AtomicBool::new(false));
    let front = front(&scene, backend, &cases, &is_armed);
    let outputs = cases
        .iter()
        .map(|(name, case)| output(&front, backend, name, case));
    let config = Config {
        top: "memory_limit: 256MiB".to_owned(),
        inputs: vec![scene.input("app", &["*.log"], "max_line: 8KiB")],
        outputs: outputs.collect(),
        ..scene.empty_config()
    }
    .serving();
    let path = scene.log("app.log");
    append(&path, "0\n");
    let agent = scene.start(&config);
    scene.wait_for_stored(backend, cases.len() as u64);
    config.wait_until_no_lag();
    is_armed.store(true, Ordering::Relaxed);
    // In one write, so that it is one batch.
    append(&path, LINES.join("\n") + "\n");
    let of_case = |case: &Case| LINES.len() + 1 - usize::from(case.is_of_a_record());
    let all: usize = cases.values().map(of_case).sum();
    scene.wait_for_stored(backend, all as u64);
    config.wait_until_no_lag();
    let told = Told {
        status: config.status_json(),
        metrics: config.metrics(),
        letters: config.dead_letters(),
        log: agent.stop_well(),
    };
    let mut stored: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in scene.receiver.records(backend) {
        let asker = asker_of(backend, &record).to_owned();
        stored.entry(asker).or_default().push(record.line);
    }
    for (name, case) in &cases {
        assert_followed(backend, name, case, &stored[name], &told);
    }
}

/// What the table says is what followed.
fn assert_followed(backend: Backend, name: &str, case: &Case, stored: &[String], told: &Told) {
    let (class, reason) = (&case.row.class, &case.row.reason);
    let what = format!("{name}: {:?}", case.row);
    let all: Vec<_> = ["0"]
        .iter()
        .chain(&LINES)
        .map(|it| (*it).to_owned())
        .collect();
    let sentence = case.sentence(backend);
    let of_class = |class: &str| told.metric("pinnace_output_requests_total", name, class);
    let letters: Vec<_> = told
        .letters
        .iter()
        .filter(|it| it["output"] == *name)
        .collect();
    let lines: Vec<_> = told
        .log
        .lines()
        .filter(|it| it.contains("not delivered") && it.contains(&format!("output=\"{name}\"")))
        .collect();
    for other in ["partial", "retry", "split", "refused", "hold", "open"] {
        assert!(other == class || of_class(other) == 0, "{other} at {what}");
    }
    let good: Vec<_> = all.iter().filter(|it| !it.contains(BAD)).cloned().collect();
    if case.is_of_a_record() {
        Account::of(&good, stored).assert_exact(&what);
        assert!(of_class(class) >= 1, "{what}");
        assert_eq!(letters.len(), 1, "{what}");
        for (key, value) in [("text", BAD), ("reason", reason), ("answer", &sentence)] {
            assert_eq!(letters[0][key], value, "{what}");
        }
        assert_eq!(
            told.metric("pinnace_dead_letters_total", name, reason),
            1,
            "{what}"
        );
    } else {
        Account::of(&all, stored).assert_exact(&what);
        assert_eq!(letters.len(), 0, "{what}");
        assert_eq!(
            told.metric("pinnace_dead_letters_total", name, ""),
            0,
            "{what}"
        );
    }
    if class == "delivered" {
        assert!(of_class(class) >= 2, "{what}");
    } else if !case.is_of_a_record() {
        assert_eq!(of_class(class), 1, "{what}");
        let outputs = told.status["outputs"].as_array().unwrap();
        let output = outputs.iter().find(|it| it["name"] == *name).unwrap();
        assert_eq!(output["last_error"], sentence, "{what}");
        assert_eq!(lines.len(), 1, "{what}");
        let fields = format!("reason=\"{reason}\" class=\"{class}\"");
        for part in [&fields, &sentence] {
            assert!(lines[0].contains(part), "{part} is not in {}", lines[0]);
        }
        return;
    }
    assert_eq!(lines.len(), 0, "{what}");
}

impl Told {
    /// The sum of the series of a metric that are of an output and hold a label of this value;
    /// of all its series where that is empty.
    fn metric(&self, name: &str, output: &str, value: &str) -> u64 {
        let of_output = format!("output=\"{output}\"");
        let of_value = if value.is_empty() {
            String::new()
        } else {
            format!("=\"{value}\"")
        };
        let series = self.metrics.lines().filter(|line| {
            line.starts_with(name) && line.contains(&of_output) && line.contains(&of_value)
        });
        let values = series.map(|line| line.rsplit(' ').next().unwrap());
        values.map(|it| it.parse::<u64>().unwrap()).sum()
    }
}

#[test]
fn every_answer_of_loki_is_followed_by_what_the_table_says() {
    every_answer(Backend::Loki);
}

#[test]
fn every_answer_of_cloudwatch_is_followed_by_what_the_table_says() {
    every_answer(Backend::Cloudwatch);
}
