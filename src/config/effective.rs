//! The configuration in force, as YAML that loads again to the same. A value that came from a
//! secret variable is shown as its reference; a password in a URL is replaced by stars.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::mask::{mask_defaults, mask_url};
use super::units::print_duration;
use super::{
    Ages, Batch, CloudWatchCompression, CloudWatchLogs, Compression, Config, Input, LogClass, Loki,
    Output, OutputKind, ReadFrom, Template, TooOld, VerifyAfterError, WhenAllRefused, WhenFull,
    WhenLettersFull,
};

mod transport;

/// What is shown of a secret that stands in the configuration itself.
pub(super) const HIDDEN: &str = "********";

/// Prints the whole configuration. `secrets` holds, by full key, what is shown instead.
pub(crate) fn yaml(config: &Config, secrets: &BTreeMap<String, String>) -> String {
    let mut out = Writer {
        text: String::new(),
        secrets,
        path: Vec::new(),
        depth: 0,
    };
    out.plain("version", "1");
    out.string("state_dir", &config.state_dir.to_string_lossy());
    out.plain("memory_limit", &config.memory_limit.to_string());
    out.mapping("dead_letters", |out| {
        let dead_letters = &config.dead_letters;
        out.plain("max_bytes", &dead_letters.max_bytes.to_string());
        out.plain(
            "when_full",
            match dead_letters.when_full {
                WhenLettersFull::Hold => "hold",
                WhenLettersFull::Drop => "drop",
            },
        );
        out.plain(
            "when_all_refused",
            match dead_letters.when_all_refused {
                WhenAllRefused::Hold => "hold",
                WhenAllRefused::Write => "write",
            },
        );
    });
    out.mapping("shutdown", |out| {
        out.plain("timeout", &print_duration(config.shutdown.timeout));
        out.plain("quiet_for", &print_duration(config.shutdown.quiet_for));
        out.plain("final", flag(config.shutdown.final_lines));
        transport::path(
            out,
            "termination_log",
            config.shutdown.termination_log.as_deref(),
        );
    });
    out.mapping("server", |out| match config.server.listen {
        Some(address) => out.string("listen", &address.to_string()),
        None => out.string("listen", "off"),
    });
    out.items("inputs", &config.inputs, input);
    out.items("outputs", &config.outputs, output);
    out.text
}

fn input(out: &mut Writer<'_>, input: &Input) {
    out.string("name", &input.name);
    out.strings("include", &input.include);
    out.strings("exclude", &input.exclude);
    out.plain(
        "read_from",
        match input.read_from {
            ReadFrom::Beginning => "beginning",
            ReadFrom::End => "end",
        },
    );
    out.plain("max_line", &input.max_line.to_string());
    out.map("fields", &input.fields, Clone::clone);
    input.records.write(out);
    out.mapping("hold_deleted", |out| {
        let hold = &input.hold_deleted;
        out.plain("max_bytes", &hold.max_bytes.to_string());
        out.plain("max_age", &print_duration(hold.max_age));
        out.plain("min_free", &hold.min_free.to_string());
    });
    out.mapping("after_delivery", |out| {
        let after = &input.after_delivery;
        let rotated = if after.delete_rotated {
            "delete"
        } else {
            "keep"
        };
        out.plain("rotated", rotated);
        out.plain("keep", &after.keep.to_string());
        out.plain("still_for", &print_duration(after.still_for));
    });
    out.mapping("disk", |out| {
        if let Some(most) = input.disk.max_bytes {
            out.plain("max_bytes", &most.to_string());
        }
        out.plain(
            "when_full",
            match input.disk.when_full {
                WhenFull::Hold => "hold",
                WhenFull::DropOldest => "drop_oldest",
            },
        );
    });
}

fn output(out: &mut Writer<'_>, output: &Output) {
    out.string("name", &output.name);
    let kind = match &output.kind {
        OutputKind::Loki(_) => "loki",
        OutputKind::CloudWatchLogs(_) => "cloudwatch_logs",
    };
    out.plain("type", kind);
    out.strings("inputs", &output.inputs);
    match &output.kind {
        OutputKind::Loki(output) => loki(out, output),
        OutputKind::CloudWatchLogs(output) => cloudwatch_logs(out, output),
    }
}

fn loki(out: &mut Writer<'_>, loki: &Loki) {
    out.string("url", &loki.url);
    out.optional("tenant_id", loki.tenant_id.as_deref());
    if let Some(auth) = &loki.auth {
        out.mapping("auth", |out| transport::auth(out, auth));
    }
    out.mapping_unless_empty("headers", &loki.headers, transport::header);
    out.map("labels", &loki.labels, Template::to_string);
    out.map(
        "structured_metadata",
        &loki.structured_metadata,
        Template::to_string,
    );
    out.plain("max_streams", &loki.max_streams.to_string());
    out.plain(
        "compression",
        match loki.compression {
            Compression::Snappy => "snappy",
            Compression::None => "none",
        },
    );
    batch(out, &loki.batch);
    ages(out, &loki.ages);
    out.plain("request_timeout", &print_duration(loki.request_timeout));
    transport::connection(out, &loki.connection);
}

fn cloudwatch_logs(out: &mut Writer<'_>, cloudwatch: &CloudWatchLogs) {
    out.string("log_group", &cloudwatch.log_group.to_string());
    out.string("log_stream", &cloudwatch.log_stream.to_string());
    out.optional("region", cloudwatch.region.as_deref());
    out.optional("profile", cloudwatch.profile.as_deref());
    if let Some(role) = &cloudwatch.assume_role {
        out.mapping("assume_role", |out| transport::assume_role(out, role));
    }
    out.optional("endpoint_url", cloudwatch.endpoint_url.as_deref());
    out.mapping("create", |out| {
        out.plain("log_group", flag(cloudwatch.create.log_group));
        out.plain("log_stream", flag(cloudwatch.create.log_stream));
        out.plain(
            "class",
            match cloudwatch.create.class {
                LogClass::Standard => "standard",
                LogClass::InfrequentAccess => "infrequent_access",
                LogClass::Delivery => "delivery",
            },
        );
        if let Some(days) = cloudwatch.create.retention_in_days {
            out.plain("retention_in_days", &days.to_string());
        }
    });
    out.plain(
        "compression",
        match cloudwatch.compression {
            CloudWatchCompression::Gzip => "gzip",
            CloudWatchCompression::None => "none",
        },
    );
    out.plain(
        "verify_after_error",
        match cloudwatch.verify_after_error {
            VerifyAfterError::Auto => "auto",
            VerifyAfterError::Never => "never",
            VerifyAfterError::Require => "require",
        },
    );
    batch(out, &cloudwatch.batch);
    ages(out, &cloudwatch.ages);
    out.plain(
        "request_timeout",
        &print_duration(cloudwatch.request_timeout),
    );
    transport::connection(out, &cloudwatch.connection);
}

fn ages(out: &mut Writer<'_>, ages: &Ages) {
    out.plain(
        "too_old",
        match ages.too_old {
            TooOld::DeadLetter => "dead_letter",
            TooOld::Rescue => "rescue",
        },
    );
    if let Some(max_age) = ages.max_age {
        out.plain("max_age", &print_duration(max_age));
    }
}

fn batch(out: &mut Writer<'_>, batch: &Batch) {
    out.mapping("batch", |out| {
        out.plain("max_bytes", &batch.max_bytes.to_string());
        out.plain("max_wait", &print_duration(batch.max_wait));
    });
}

const fn flag(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

pub(super) struct Writer<'s> {
    text: String,
    secrets: &'s BTreeMap<String, String>,
    /// The full key of the mapping that is being written, in parts with their separators.
    path: Vec<String>,
    depth: usize,
}

impl Writer<'_> {
    /// A value that needs neither quotes nor a mask.
    pub(super) fn plain(&mut self, key: &str, value: &str) {
        let value = match self.secret(&format!(".{key}")) {
            Some(reference) => quoted(reference),
            None => value.to_owned(),
        };
        self.line(key, &value);
    }

    pub(super) fn string(&mut self, key: &str, value: &str) {
        let value = self.shown(&format!(".{key}"), value);
        self.line(key, &value);
    }

    pub(super) fn optional(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.string(key, value);
        }
    }

    pub(super) fn strings(&mut self, key: &str, values: &[String]) {
        let all: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(index, value)| self.shown(&format!(".{key}[{index}]"), value))
            .collect();
        self.line(key, &format!("[{}]", all.join(", ")));
    }

    pub(super) fn map<T>(
        &mut self,
        key: &str,
        map: &BTreeMap<String, T>,
        text: impl Fn(&T) -> String,
    ) {
        if map.is_empty() {
            return self.line(key, "{}");
        }
        self.mapping(key, |out| {
            for (name, value) in map {
                out.string(name, &text(value));
            }
        });
    }

    /// A value that is shown as the variable it came from, or as stars.
    fn secret_string(&mut self, key: &str) {
        let value = match self.secret(&format!(".{key}")) {
            Some(reference) => quoted(&mask_defaults(reference)),
            None => quoted(HIDDEN),
        };
        self.line(key, &value);
    }

    pub(super) fn mapping_unless_empty<T>(
        &mut self,
        key: &str,
        map: &BTreeMap<String, T>,
        write: impl Fn(&mut Self, &str, &T),
    ) {
        if !map.is_empty() {
            self.mapping(key, |out| {
                for (name, value) in map {
                    write(out, name, value);
                }
            });
        }
    }

    pub(super) fn mapping(&mut self, key: &str, write: impl FnOnce(&mut Self)) {
        let indent = self.indent();
        let _ = writeln!(self.text, "{indent}{}:", plain_key(key));
        self.path.push(format!(".{key}"));
        self.depth += 1;
        write(self);
        self.depth -= 1;
        self.path.pop();
    }

    fn items<T>(&mut self, key: &str, items: &[T], write: impl Fn(&mut Self, &T)) {
        let _ = writeln!(self.text, "{key}:");
        for (index, item) in items.iter().enumerate() {
            self.path.push(format!(".{key}[{index}]"));
            self.depth = 2;
            let start = self.text.len();
            write(self, item);
            // The first key of an item stands behind the dash.
            self.text.replace_range(start..start + 4, "  - ");
            self.depth = 0;
            self.path.pop();
        }
    }

    /// A list of mappings within one.
    pub(super) fn inner_items<T>(&mut self, key: &str, items: &[T], write: impl Fn(&mut Self, &T)) {
        if items.is_empty() {
            return self.line(key, "[]");
        }
        let indent = self.indent();
        let _ = writeln!(self.text, "{indent}{key}:");
        let depth = self.depth;
        for (index, item) in items.iter().enumerate() {
            self.path.push(format!(".{key}[{index}]"));
            self.depth = depth + 2;
            let start = self.text.len();
            write(self, item);
            // The first key of an item stands behind the dash.
            let dash = start + indent.len();
            self.text.replace_range(dash..dash + 4, "  - ");
            self.path.pop();
        }
        self.depth = depth;
    }

    fn line(&mut self, key: &str, value: &str) {
        let indent = self.indent();
        let _ = writeln!(self.text, "{indent}{}: {value}", plain_key(key));
    }

    fn indent(&self) -> String {
        "  ".repeat(self.depth)
    }

    fn secret(&self, tail: &str) -> Option<&str> {
        let path = format!("{}{tail}", self.path.concat());
        self.secrets
            .get(path.trim_start_matches('.'))
            .map(String::as_str)
    }

    fn shown(&self, tail: &str, value: &str) -> String {
        match self.secret(tail) {
            Some(reference) => quoted(&mask_url(reference)),
            None => quoted(&mask_url(value).replace('$', "$$")),
        }
    }
}

/// Names of labels such as `on` or `null` are keys too, and other readers would change them.
fn plain_key(key: &str) -> String {
    let is_word = |word: &&str| key.eq_ignore_ascii_case(word);
    if ["y", "n", "yes", "no", "on", "off", "true", "false", "null"]
        .iter()
        .any(is_word)
    {
        quoted(key)
    } else {
        key.to_owned()
    }
}

/// A double-quoted YAML scalar.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for sign in text.chars() {
        match sign {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            // Controls, line separators and what YAML forbids; all else stands for itself.
            '\0'..='\x1f'
            | '\x7f'..='\u{a0}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffd}'..='\u{ffff}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(sign));
            }
            _ => quoted.push(sign),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
