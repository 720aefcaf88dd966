//! Tries what can be tried without storing anything, for `check --live`; and stores one record
//! when that is asked for.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use hyper::Uri;

use super::answers::{classify, code_of};
use super::{Answer, Class, Sender};
use crate::connect;

/// What a trial came to, and the date of the answer if it was refused.
#[derive(Debug)]
pub(crate) struct Tried {
    pub(crate) answer: Answer,
    pub(crate) date: Option<String>,
}

impl Tried {
    fn of<T, E>(result: Result<T, SdkError<E, HttpResponse>>, action: &str) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match result {
            Ok(_) => Self {
                answer: Answer::delivered(),
                date: None,
            },
            Err(error) => Self {
                answer: classify(&error, action),
                date: error
                    .raw_response()
                    .and_then(|it| it.headers().get("date"))
                    .map(str::to_owned),
            },
        }
    }
}

impl Sender {
    /// Where the requests go.
    pub(crate) async fn uri(&self) -> Result<Uri, Answer> {
        let url = self.session.url().await?;
        url.parse().map_err(|_| {
            Answer::new(
                Class::Hold,
                "config",
                format!("the URL {url} cannot be used"),
            )
        })
    }

    /// The connections that lead there.
    pub(crate) fn connections(&self) -> &connect::Client {
        self.session.http()
    }

    /// Puts nothing: what is said to that shows whether something could be put.
    pub(crate) async fn try_put(&self, group: &str, stream: &str) -> Tried {
        let client = match self.session.client().await {
            Ok(client) => client,
            Err(answer) => return Tried { answer, date: None },
        };
        let request = client
            .put_log_events()
            .log_group_name(group)
            .log_stream_name(stream)
            .set_log_events(Some(Vec::new()));
        let mut tried = Tried::of(Box::pin(request.send()).await, "PutLogEvents");
        self.session.look_again_after(&mut tried.answer).await;
        tried
    }

    /// Reads one event.
    pub(crate) async fn try_read(&self, group: &str, stream: &str) -> Tried {
        let client = match self.session.client().await {
            Ok(client) => client,
            Err(answer) => return Tried { answer, date: None },
        };
        let request = client
            .get_log_events()
            .log_group_name(group)
            .log_stream_name(stream)
            .limit(1);
        Tried::of(Box::pin(request.send()).await, "GetLogEvents")
    }

    /// Stores one record, creating its stream where that is configured.
    pub(crate) async fn write_once(
        &self,
        group: &str,
        stream: &str,
        message: &str,
    ) -> Result<(), Answer> {
        let client = self.session.client().await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let event = InputLogEvent::builder()
            .timestamp(i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(0))
            .message(message)
            .build()
            .map_err(|error| Answer::new(Class::Hold, "config", error.to_string()))?;
        let put = || {
            let request = client.put_log_events().log_events(event.clone());
            Box::pin(request.log_group_name(group).log_stream_name(stream).send())
        };
        let refused = |error| classify(&error, "PutLogEvents");
        match put().await {
            Err(error) if code_of(&error) == Some("ResourceNotFoundException") => {
                self.create(&client, group, stream).await?;
                if let Some(retention) = &self.retention {
                    retention.set_once(&client).await;
                }
                put().await.map(|_| ()).map_err(refused)
            }
            other => other.map(|_| ()).map_err(refused),
        }
    }
}
