//! CloudWatch Logs through the AWS SDK: signing, credentials and endpoints are the SDK's, the
//! body is the sealed one. Creates what is not found, where the configuration permits it.
//! Retries nothing but what no batch waits for.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatchlogs::types::LogGroupClass;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

use super::answers::Without;
use super::{Answer, Beside, Class, Doubts, Look, unanswered};
use crate::batch::opened::Opened;
use crate::batch::{Batch, StreamName};
use crate::config::{self, LogClass, VerifyAfterError};
use crate::record::Time;
use answers::{classify, code_of, nonsense, partial, rejected, rejected_by_an_emulator};
use readback::{Events, Finding, may_be_refused};
use retention::Retention;
use session::Session;

/// The word for waiting until a group or a stream may be created.
pub(super) const CREATING: &str = "creating";
/// Reading back ends when so many more events than expected were found.
const MANY_MORE: u32 = 20_000;
/// Why it cannot be told whether a batch is stored.
const OTHERS: &str = "the stream holds other events in the batch's time: it has another writer, or its messages are masked";
const PART: &str = "the stream holds some of the batch's events, and no refusal explains why not all of them: another writer may have written the same";

pub(crate) mod answers;
mod credentials;
mod genuine;
pub(crate) mod policy;
pub(crate) mod probe;
mod readback;
mod retention;
mod session;

/// Sends to CloudWatch Logs.
pub(crate) struct Sender {
    session: Arc<Session>,
    create: config::Create,
    /// For how long groups that we create keep their events, where that is configured.
    retention: Option<Arc<Retention>>,
    verify: VerifyAfterError,
    timeout: Duration,
    /// It speaks to an endpoint of one's own, which is not AWS.
    is_emulator: bool,
}

impl Sender {
    /// A sender as configured; connects to nothing yet. With `notes` it remembers in that file
    /// what it owes to groups that it created.
    pub(crate) fn new(output: &config::CloudWatchLogs, notes: Option<&Path>) -> Self {
        let session = Arc::new(Session::new(output));
        let days = output.create.retention_in_days;
        let days = days.filter(|_| output.create.log_group);
        let notes = notes.map(Path::to_owned);
        let retention = days.map(|days| Retention::new(days, Arc::clone(&session), notes));
        Self {
            session,
            retention: retention.map(Arc::new),
            create: output.create.clone(),
            verify: output.verify_after_error,
            timeout: output.request_timeout,
            is_emulator: output.endpoint_url.is_some(),
        }
    }

    /// Begins with what goes on beside the batches.
    pub(super) fn begin(&self) {
        if let Some(retention) = &self.retention {
            retention.begin();
        }
    }

    /// Sends a batch once, creating its stream if that is missing.
    pub(super) async fn send(&self, batch: &Batch) -> Answer {
        let StreamName::CloudWatch { group, stream } = &*batch.stream else {
            return Answer::new(Class::Hold, "config", "a batch of another kind of output");
        };
        // The SDK limits one attempt; looking for credentials may take as long again.
        let limit = 3 * self.timeout;
        let mut put_at = None;
        // Boxed: the SDK's futures are large.
        let attempt = Box::pin(async {
            let client = match self.session.client().await {
                Ok(client) => client,
                Err(answer) => return answer,
            };
            put_at = Some(Instant::now());
            match self.put(&client, group, stream, batch).await {
                Err(error) if code_of(&error) == Some("ResourceNotFoundException") => {
                    if let Err(answer) = self.create(&client, group, stream).await {
                        return answer;
                    }
                    put_at = Some(Instant::now());
                    let outcome = self.put(&client, group, stream, batch).await;
                    if let (Ok(_), Some(retention)) = (&outcome, &self.retention) {
                        retention.wait_for_first().await;
                    }
                    outcome.unwrap_or_else(|error| classify(&error, "PutLogEvents"))
                }
                Err(error) => classify(&error, "PutLogEvents"),
                Ok(answer) => answer,
            }
        });
        let mut answer = match tokio::time::timeout(limit, attempt).await {
            Ok(answer) => answer,
            Err(_) => unanswered(
                Without::Silence,
                &format!("CloudWatch Logs did not answer within {limit:?}"),
            ),
        };
        answer.put_at = put_at;
        self.session.look_again_after(&mut answer).await;
        answer
    }

    /// What is done before a batch is sent again that may be stored.
    pub(super) fn doubts(&self) -> Doubts {
        match self.verify {
            // A class that nobody can read back.
            _ if self.create.class != LogClass::Standard => Doubts::Counted,
            VerifyAfterError::Auto => Doubts::Looked,
            VerifyAfterError::Never => Doubts::Counted,
            VerifyAfterError::Require => Doubts::Required,
        }
    }

    /// Reads the stream over the batch's time and looks whether the batch is there.
    pub(super) async fn look_for(&self, batch: &Batch, beside: &[Beside]) -> Look {
        let StreamName::CloudWatch { group, stream } = &*batch.stream else {
            return Look::Absent;
        };
        let wanted = match Opened::of(&batch.sealed, &batch.stream) {
            Ok(opened) => Events::of(&opened),
            Err(error) => return Look::CannotTell(error.to_string()),
        };
        let client = match self.session.client().await {
            Ok(client) => client,
            Err(answer) => return Look::Failed(answer),
        };
        let mut found = Events::default();
        let mut token: Option<String> = None;
        loop {
            let page = client
                .get_log_events()
                .log_group_name(group)
                .log_stream_name(stream)
                .start_time(batch.sealed.first_time.millis())
                .end_time(batch.sealed.last_time.millis() + 1)
                .start_from_head(true)
                .set_next_token(token.clone())
                .send()
                .await;
            let page = match page {
                Ok(page) => page,
                Err(error) if code_of(&error) == Some("ResourceNotFoundException") => {
                    return Look::Absent;
                }
                Err(error) if code_of(&error) == Some("AccessDeniedException") => {
                    let answer = classify(&error, "GetLogEvents");
                    return Look::CannotTell(format!(
                        "{}; or set verify_after_error: never",
                        answer.sentence
                    ));
                }
                Err(error) => {
                    let mut answer = classify(&error, "GetLogEvents");
                    self.session.look_again_after(&mut answer).await;
                    // What is refused for what it is will be refused again.
                    return match answer.class {
                        Class::Refused => Look::CannotTell(answer.sentence),
                        _ => Look::Failed(answer),
                    };
                }
            };
            // AWS lists what there is, and be it nothing.
            if page.events.is_none() {
                return Look::Failed(nonsense("GetLogEvents was answered without events"));
            }
            for event in page.events() {
                found.add(
                    event.timestamp().unwrap_or_default(),
                    event.message().unwrap_or_default(),
                );
            }
            let next = page.next_forward_token().map(str::to_owned);
            // The end is where the token repeats; an empty page says nothing.
            if next.is_none() || next == token {
                break;
            }
            // Far more than the batch holds is another writer's. The batch may lie behind it.
            if found.len() > 2 * wanted.len() + MANY_MORE {
                return Look::CannotTell(OTHERS.to_owned());
            }
            token = next;
        }
        let mut perhaps = Events::default();
        for record in beside {
            let time = record.time.millis();
            if record.is_stored {
                found.take_out(time, &record.text);
            } else {
                perhaps.add(time, &record.text);
            }
        }
        let now = Time::from(SystemTime::now()).millis();
        match wanted.compare(&found, &perhaps, |time| may_be_refused(time, now)) {
            Finding::Stored => Look::Stored,
            Finding::StoredBut(missing) => Look::StoredBut(missing),
            Finding::Partly => Look::Partly(PART.to_owned()),
            Finding::Absent => Look::Absent,
            Finding::Foreign => Look::CannotTell(OTHERS.to_owned()),
        }
    }

    /// Puts a batch once.
    async fn put(
        &self,
        client: &Client,
        group: &str,
        stream: &str,
        batch: &Batch,
    ) -> Result<
        Answer,
        SdkError<impl ProvideErrorMetadata + std::error::Error + 'static, HttpResponse>,
    > {
        let output = client
            .put_log_events()
            .log_group_name(group)
            .log_stream_name(stream)
            .set_log_events(Some(Vec::new()))
            .customize()
            .interceptor(SealedBody {
                body: batch.sealed.body.clone(),
                is_gzip: batch.sealed.is_gzip,
            })
            .send()
            .await?;
        let Some(info) = output.rejected_log_events_info() else {
            return Ok(Answer::delivered());
        };
        let mut rejected = rejected(info, batch.sealed.records);
        if self.is_emulator
            && let Ok(opened) = Opened::of(&batch.sealed, &batch.stream)
        {
            let times: Vec<_> = opened.records().map(|record| record.time).collect();
            let now = Time::from(SystemTime::now());
            rejected = rejected_by_an_emulator(&rejected, &times, now);
        }
        if rejected.is_empty() {
            return Ok(Answer::delivered());
        }
        Ok(partial(rejected))
    }

    /// Creates the stream, and its group where that is missing too.
    async fn create(&self, client: &Client, group: &str, stream: &str) -> Result<(), Answer> {
        if !self.create.log_stream {
            return Err(Answer::new(
                Class::Hold,
                "not_found",
                format!(
                    "there is no log stream {stream} in {group}: create it, or set create.log_stream: true"
                ),
            ));
        }
        match create_stream(client, group, stream).await {
            Err(answer) if answer.reason == "not_found" && self.create.log_group => {
                self.create_group(client, group).await?;
                create_stream(client, group, stream).await
            }
            Err(answer) if answer.reason == "not_found" => Err(Answer::new(
                Class::Hold,
                "not_found",
                format!("there is no log group {group}: create it, or set create.log_group: true"),
            )),
            other => other,
        }
    }

    async fn create_group(&self, client: &Client, group: &str) -> Result<(), Answer> {
        let class = match self.create.class {
            LogClass::Standard => None,
            LogClass::InfrequentAccess => Some(LogGroupClass::InfrequentAccess),
            LogClass::Delivery => Some(LogGroupClass::Delivery),
        };
        match client
            .create_log_group()
            .log_group_name(group)
            .set_log_group_class(class)
            .send()
            .await
        {
            Ok(_) => tracing::info!(group, "created the log group"),
            Err(error) if code_of(&error) == Some("ResourceAlreadyExistsException") => {
                return Ok(());
            }
            Err(error) => return Err(not_created(classify(&error, "CreateLogGroup"))),
        }
        if let Some(retention) = &self.retention {
            retention.owe(group);
        }
        Ok(())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if let Some(retention) = &self.retention {
            retention.end();
        }
    }
}

async fn create_stream(client: &Client, group: &str, stream: &str) -> Result<(), Answer> {
    let request = client
        .create_log_stream()
        .log_group_name(group)
        .log_stream_name(stream);
    match request.send().await {
        Ok(_) => {
            tracing::info!(group, stream, "created the log stream");
            Ok(())
        }
        Err(error) if code_of(&error) == Some("ResourceAlreadyExistsException") => Ok(()),
        Err(error) => Err(not_created(classify(&error, "CreateLogStream"))),
    }
}

/// What it means for the batch that nothing was created: none of it is stored, whatever became of
/// the creation. A whole fleet shares the rate at which groups and streams are created: when it
/// starts at once, waiting is what has to be done.
fn not_created(answer: Answer) -> Answer {
    match answer.class {
        Class::Retry if answer.reason == "throttled" => Answer {
            reason: CREATING,
            ..answer
        },
        Class::Open => Answer {
            class: Class::Retry,
            ..answer
        },
        _ => answer,
    }
}

/// Puts the sealed body in the place of the one that the SDK made, before it is signed.
#[derive(Debug)]
struct SealedBody {
    body: Bytes,
    is_gzip: bool,
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for SealedBody {
    fn name(&self) -> &'static str {
        "SealedBody"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        request
            .headers_mut()
            .insert("content-length", self.body.len().to_string());
        if self.is_gzip {
            request.headers_mut().insert("content-encoding", "gzip");
        }
        *request.body_mut() = SdkBody::from(self.body.clone());
        Ok(())
    }
}
