//! What must hold of any bytes that become records, by whatever rules. Not a part of the agent.

use super::cut::{Behind, Cut, Cutter, Learned};
use super::explain::{Dates, explain, forced};
use super::fields::Capture;
use super::filter::{self, Action, Filter};
use super::level::Level;
use super::redact::{Detector, Own, Redactor};
use super::rules::{Format, Multiline, Pattern, Rules};
use super::stamp::custom;
use super::zone::Zone;
use super::{Line, Time};

/// When the bytes were written.
const WRITTEN: Time = Time(1_795_385_303_000_000_000);

/// The first byte is the limit of a record, the second the size of the pieces in which the rest
/// arrives, the third says by which rules.
pub(crate) fn check(bytes: &[u8]) -> Result<(), String> {
    let [limit, piece, choice, text @ ..] = bytes else {
        return Ok(());
    };
    let max_line = usize::from(*limit) + 64;
    let rules = rules(*choice)?;
    let mut at_once = Looked::new()?;
    at_once.cut(&rules, max_line, text, text.len().max(1))?;
    let mut in_pieces = Looked::new()?;
    in_pieces.cut(&rules, max_line, text, usize::from(*piece) + 1)?;
    if in_pieces.records != at_once.records {
        return Err("where records are cut depends on how their bytes arrive".to_owned());
    }
    let dates = Dates {
        made: None,
        written: WRITTEN,
    };
    let explained = explain(text, max_line, &rules, &mut at_once.redactor, dates);
    let _ = forced::keys(&explained, "Europe/Paris");
    let shown = explained.records.iter().map(|record| &record.text);
    if at_once.records.iter().eq(shown) {
        Ok(())
    } else {
        Err("what is explained is not what is shipped".to_owned())
    }
}

/// Rules by the bits of a byte: two for the lines that are joined, two for the envelope, one each
/// for a format of timestamps, what is captured and filtered, a zone, and nothing but lines.
pub(crate) fn rules(choice: u8) -> Result<Rules, String> {
    let is_set = |bit: u8| choice & (1 << bit) != 0;
    let pattern = |text: &str| Pattern::new(text);
    let usual = Rules::default();
    Ok(Rules {
        multiline: match choice & 3 {
            0 => Multiline::Auto,
            1 => Multiline::Start(pattern(r"^(\d|[A-Z]+:)")?),
            2 => Multiline::Continue(pattern(r"^(\s|$)")?),
            _ => Multiline::Off,
        },
        format: match (choice >> 2) & 3 {
            _ if is_set(7) => Format::Plain,
            0 => Format::Auto,
            1 => Format::Bare,
            2 => Format::Cri,
            _ => Format::Docker,
        },
        timestamp: if is_set(4) {
            Some(custom::Format::new("%d.%m.%Y %H:%M:%S")?)
        } else {
            None
        },
        capture: if is_set(5) {
            let regex = pattern(r"(?P<word>[a-z]+) (?P<number>\d+)?")?.into_regex();
            Some(Capture::new(regex)?)
        } else {
            None
        },
        filters: if is_set(5) { filters()? } else { Vec::new() },
        zone: if is_set(6) {
            Zone::named("Europe/Paris").ok_or("there is no such zone")?
        } else {
            usual.zone.clone()
        },
        ..usual
    })
}

fn filters() -> Result<Vec<Filter>, String> {
    let filter = |action, level, field: Option<&str>, text: Option<&str>| {
        Ok::<_, String>(Filter {
            action,
            level,
            field: field.map(str::to_owned),
            pattern: text.map(Pattern::new).transpose()?,
        })
    };
    Ok(vec![
        filter(Action::Drop, Some(Level::Debug), None, Some("x"))?,
        filter(Action::Keep, None, Some("word"), Some("^a"))?,
        filter(Action::Sample(3), None, None, None)?,
    ])
}

/// What looks at records, and what came of them.
struct Looked {
    redactor: Redactor,
    records: Vec<String>,
}

impl Looked {
    fn new() -> Result<Self, String> {
        let own = Own {
            name: "number".to_owned(),
            regex: Pattern::new(r"C-\d+")?.into_regex(),
        };
        Ok(Self {
            redactor: Redactor::new(&Detector::ALL, vec![own]),
            records: Vec::new(),
        })
    }

    /// The records of `text`, which arrives in pieces.
    fn cut(
        &mut self,
        rules: &Rules,
        max_line: usize,
        text: &[u8],
        piece: usize,
    ) -> Result<(), String> {
        let mut cutter = Cutter::new(max_line);
        cutter.begin(Learned::default());
        let mut zone = rules.zone.clone();
        let mut captured = rules.capture.as_ref().map(Capture::room);
        let (mut at, mut arrived) = (0, 0);
        loop {
            let is_over = arrived == text.len();
            let behind = if is_over {
                Behind::Nothing
            } else {
                Behind::More
            };
            cutter.rewind();
            loop {
                let learned = cutter.learned();
                let Cut::Record(record) = cutter.next(&text[at..arrived], 0, behind, rules) else {
                    break;
                };
                let pipe = record.pipe;
                let mut is_in_key = learned.is_in_key(pipe);
                if record.line.shipped_len() > max_line {
                    return Err(format!("a record of {} bytes", record.line.shipped_len()));
                }
                let facts = rules.facts_of(&record);
                zone.time_of(record.time, facts.stamp, WRITTEN, Time::default());
                let fields = rules.fields_of(&record, record.line.bytes, &mut captured);
                if let Some(name) = fields.names().iter().find(|it| fields.raw(it).is_none()) {
                    return Err(format!("a field {name:?} that cannot be asked for"));
                }
                filter::let_go_by(&rules.filters, &record, fields, facts.level, at as u64);
                self.ship(&record.line, &mut is_in_key, max_line)?;
                cutter.note(pipe, facts.level, is_in_key);
                at += cutter.take();
            }
            if is_over {
                break;
            }
            arrived = text.len().min(arrived + piece);
        }
        if at == text.len() {
            Ok(())
        } else {
            Err("bytes belong to no record".to_owned())
        }
    }

    fn ship(
        &mut self,
        line: &Line<'_>,
        is_in_key: &mut bool,
        max_line: usize,
    ) -> Result<(), String> {
        let line = self.redactor.pass(line, is_in_key, max_line);
        if line.shipped_len() > max_line {
            return Err(format!("redacted it has {} bytes", line.shipped_len()));
        }
        let mut shipped = String::new();
        line.for_each_piece(|part| shipped.push_str(part));
        self.records.push(shipped);
        Ok(())
    }
}
