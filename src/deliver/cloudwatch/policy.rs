//! Which permissions of AWS a configuration needs, and why: no more than it uses. Pure.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use crate::batch::StreamName;
use crate::config::{
    AssumeRole, CloudWatchLogs, Config, LogClass, Output, OutputKind, VerifyAfterError,
};
use crate::dispatch::containers::Container;
use crate::dispatch::naming::{Naming, Values};

/// Stands for whatever is not known before a file is seen; no name has it otherwise.
const ANYTHING: &str = "PINNACE-ANYTHING";

/// What one identity needs.
#[derive(Debug)]
pub(crate) struct Policy {
    /// The role that is taken on; `None` is the identity that the credentials found have.
    pub(crate) role: Option<String>,
    /// Each action once.
    pub(crate) needs: Vec<Need>,
}

/// One action.
#[derive(Debug)]
pub(crate) struct Need {
    /// As in `logs:PutLogEvents`.
    pub(crate) action: &'static str,
    /// What it is needed for.
    pub(crate) reason: &'static str,
    /// The names of the outputs that need it.
    pub(crate) outputs: BTreeSet<String>,
    resources: BTreeSet<String>,
}

/// Which account and region the groups are in, as far as it is known.
#[derive(Debug)]
struct Whereabouts {
    partition: String,
    region: String,
    account: String,
}

/// What is needed, for each identity. `account` and `region` are taken where the configuration
/// names none.
pub(crate) fn policies(
    config: &Config,
    account: Option<&str>,
    region: Option<&str>,
) -> Vec<Policy> {
    let mut policies = Vec::new();
    for output in &config.outputs {
        let OutputKind::CloudWatchLogs(cloudwatch) = &output.kind else {
            continue;
        };
        let role = cloudwatch.assume_role.as_ref();
        if let Some(AssumeRole { role_arn, .. }) = role {
            policy_of(&mut policies, None).need(
                "sts:AssumeRole",
                "to take on the role of assume_role; the role's trust policy must name this identity too",
                &output.name,
                [role_arn.clone()],
            );
        }
        let whereabouts = Whereabouts::of(cloudwatch, account, region);
        let policy = policy_of(&mut policies, role.map(|it| it.role_arn.as_str()));
        let names = names(config, output);
        let groups = names.iter().flat_map(|(group, _)| whereabouts.group(group));
        let groups: Vec<String> = groups.collect();
        let streams = names
            .iter()
            .map(|(group, stream)| whereabouts.stream(group, stream));
        let streams: Vec<String> = streams.collect();
        let create = &cloudwatch.create;
        policy.need(
            "logs:PutLogEvents",
            "to deliver",
            &output.name,
            streams.iter().cloned(),
        );
        if create.log_stream {
            policy.need(
                "logs:CreateLogStream",
                "to create a log stream that is not found (create.log_stream)",
                &output.name,
                groups.iter().cloned(),
            );
        }
        if create.log_group {
            policy.need(
                "logs:CreateLogGroup",
                "to create a log group that is not found (create.log_group)",
                &output.name,
                groups.iter().cloned(),
            );
        }
        if create.log_group && create.retention_in_days.is_some() {
            policy.need(
                "logs:PutRetentionPolicy",
                "to set for how long a log group that was created keeps its events (create.retention_in_days)",
                &output.name,
                groups,
            );
        }
        let is_read_back = cloudwatch.verify_after_error != VerifyAfterError::Never
            && create.class == LogClass::Standard;
        if is_read_back {
            policy.need(
                "logs:GetLogEvents",
                "to see after an open answer whether a batch is stored (verify_after_error; not needed with never)",
                &output.name,
                streams,
            );
        }
    }
    policies
}

fn policy_of<'p>(policies: &'p mut Vec<Policy>, role: Option<&str>) -> &'p mut Policy {
    let known = policies.iter().position(|it| it.role.as_deref() == role);
    let at = known.unwrap_or(policies.len());
    if known.is_none() {
        policies.push(Policy {
            role: role.map(str::to_owned),
            needs: Vec::new(),
        });
    }
    &mut policies[at]
}

/// The names of groups and streams, with `*` for what is not known.
fn names(config: &Config, output: &Output) -> BTreeSet<(String, String)> {
    let mut naming = Naming::of(&output.kind);
    let path = format!("/{ANYTHING}");
    let inputs = output.inputs.iter().filter_map(|name| config.input(name));
    inputs
        .filter_map(|input| {
            let values = Values {
                input: &input.name,
                path: Path::new(&path),
                container: Some(Container {
                    namespace: ANYTHING,
                    pod: ANYTHING,
                    name: ANYTHING,
                }),
                hostname: ANYTHING,
                fields: &input.fields,
            };
            match naming.name(&values, Instant::now()).stream {
                StreamName::CloudWatch { group, stream } => {
                    Some((pattern(&group), pattern(&stream)))
                }
                StreamName::Loki { .. } => None,
            }
        })
        .collect()
}

/// A name as IAM matches it: signs that mean something to it stand for themselves.
fn pattern(name: &str) -> String {
    let name = name.replace('$', "${$}").replace('?', "${?}");
    name.replace(ANYTHING, "*")
}

impl Policy {
    fn need(
        &mut self,
        action: &'static str,
        reason: &'static str,
        output: &str,
        resources: impl IntoIterator<Item = String>,
    ) {
        let known = self.needs.iter().position(|it| it.action == action);
        let at = known.unwrap_or(self.needs.len());
        if known.is_none() {
            self.needs.push(Need {
                action,
                reason,
                outputs: BTreeSet::new(),
                resources: BTreeSet::new(),
            });
        }
        let need = &mut self.needs[at];
        need.outputs.insert(output.to_owned());
        need.resources.extend(resources);
    }

    /// The policy as IAM takes it.
    pub(crate) fn json(&self) -> String {
        let document = Document {
            version: "2012-10-17",
            statement: self
                .needs
                .iter()
                .map(|need| Statement {
                    sid: need.action.rsplit(':').next().unwrap_or_default(),
                    effect: "Allow",
                    action: need.action,
                    resource: &need.resources,
                })
                .collect(),
        };
        // Texts alone: serializing them cannot fail.
        serde_json::to_string_pretty(&document).unwrap_or_default()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'n> {
    version: &'static str,
    statement: Vec<Statement<'n>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'n> {
    sid: &'n str,
    effect: &'static str,
    action: &'static str,
    resource: &'n BTreeSet<String>,
}

impl Whereabouts {
    fn of(output: &CloudWatchLogs, account: Option<&str>, region: Option<&str>) -> Self {
        let role = output.assume_role.as_ref().map(|it| it.role_arn.as_str());
        let part = |index| role.and_then(|arn: &str| arn.split(':').nth(index));
        let region = output.region.as_deref().or(region);
        let partition = part(1).unwrap_or(match region {
            Some(it) if it.starts_with("cn-") => "aws-cn",
            Some(it) if it.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        });
        Self {
            partition: partition.to_owned(),
            region: region.unwrap_or("*").to_owned(),
            account: part(4).or(account).unwrap_or("*").to_owned(),
        }
    }

    fn arn(&self, group: &str) -> String {
        let Self {
            partition,
            region,
            account,
        } = self;
        format!("arn:{partition}:logs:{region}:{account}:log-group:{group}")
    }

    /// AWS asks about a group under its name and under the name of what is in it.
    fn group(&self, group: &str) -> [String; 2] {
        [self.arn(group), format!("{}:*", self.arn(group))]
    }

    fn stream(&self, group: &str, stream: &str) -> String {
        format!("{}:log-stream:{stream}", self.arn(group))
    }
}
