//! The `CloudWatch` Logs API through the SDK that Pinnace ships with.

use aws_sdk_cloudwatchlogs::config::retry::RetryConfig;
use aws_sdk_cloudwatchlogs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use aws_sdk_cloudwatchlogs::{Client, Config};
use pinnace::receiver::{Action, Backend, Faults, Options, Receiver};

use crate::client::{now_ms, start};

fn client(receiver: &Receiver) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKID", "secret", None, None, "test"))
        .endpoint_url(receiver.cloudwatch_url())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work)
}

fn events(times: &[(i64, String)]) -> Vec<InputLogEvent> {
    times
        .iter()
        .map(|(at, text)| {
            let event = InputLogEvent::builder().timestamp(*at).message(text);
            event.build().unwrap()
        })
        .collect()
}

async fn create(client: &Client) {
    client
        .create_log_group()
        .log_group_name("g")
        .send()
        .await
        .unwrap();
    let stream = client.create_log_stream().log_group_name("g");
    stream.log_stream_name("s").send().await.unwrap();
}

async fn put(client: &Client, sent: Vec<InputLogEvent>) -> Result<Vec<Option<i32>>, String> {
    let request = client.put_log_events().log_group_name("g");
    let request = request.log_stream_name("s").set_log_events(Some(sent));
    match request.send().await {
        Ok(output) => Ok(output
            .rejected_log_events_info()
            .map_or_else(Vec::new, |info| {
                vec![
                    info.too_new_log_event_start_index(),
                    info.too_old_log_event_end_index(),
                    info.expired_log_event_end_index(),
                ]
            })),
        Err(error) => Err(error.code().unwrap_or("no code").to_owned()),
    }
}

#[test]
fn the_sdk_creates_puts_and_learns_of_every_error() {
    let receiver = start(Options::default());
    let client = client(&receiver);
    run(async {
        let now = now_ms();
        let one = || events(&[(now, "x".to_owned())]);
        let not_found = Err("ResourceNotFoundException".to_owned());
        assert_eq!(put(&client, one()).await, not_found);
        create(&client).await;
        let again = client.create_log_group().log_group_name("g").send().await;
        let again = again.unwrap_err().into_service_error();
        assert!(again.is_resource_already_exists_exception());
        assert_eq!(put(&client, one()).await, Ok(vec![]));
        let day = 86_400_000;
        let mixed = [
            (now - 20 * day, "a".to_owned()),
            (now, "b".to_owned()),
            (now + day, "c".to_owned()),
        ];
        assert_eq!(
            put(&client, events(&mixed)).await,
            Ok(vec![Some(2), Some(1), None])
        );
        for code in [
            "ThrottlingException",
            "ServiceUnavailableException",
            "UnrecognizedClientException",
        ] {
            let faults = Faults::of(Action::Error(code.to_owned())).times(1);
            receiver.set_faults(Backend::Cloudwatch, faults);
            assert_eq!(put(&client, one()).await, Err(code.to_owned()));
        }
        let retention = client.put_retention_policy().log_group_name("g");
        retention.retention_in_days(14).send().await.unwrap();
        let groups = client.describe_log_groups().send().await.unwrap();
        assert_eq!(groups.log_groups()[0].retention_in_days(), Some(14));
        let streams = client
            .describe_log_streams()
            .log_group_name("g")
            .send()
            .await
            .unwrap();
        assert_eq!(streams.log_streams()[0].log_stream_name(), Some("s"));
    });
}

#[test]
fn a_stream_reads_back_page_by_page_until_the_token_repeats() {
    let receiver = start(Options::default());
    let client = client(&receiver);
    run(async {
        create(&client).await;
        let now = now_ms();
        let sent: Vec<_> = (0..250)
            .map(|n| (now + n / 10, format!("line {n}")))
            .collect();
        for part in sent.chunks(60) {
            put(&client, events(part)).await.unwrap();
        }
        // An empty page at the end is part of it: the token repeats only there.
        let mut read = Vec::new();
        let mut token = None;
        loop {
            let page = client
                .get_log_events()
                .log_group_name("g")
                .log_stream_name("s");
            let page = page
                .start_from_head(true)
                .limit(100)
                .start_time(now)
                .end_time(now + 20);
            let page = page.set_next_token(token.clone()).send().await.unwrap();
            read.extend(page.events().iter().map(|event| {
                (
                    event.timestamp().unwrap(),
                    event.message().unwrap().to_owned(),
                )
            }));
            let next = page.next_forward_token().map(ToOwned::to_owned);
            if next == token {
                break;
            }
            token = next;
        }
        assert_eq!(read, sent[..200]);

        let mut backwards = Vec::new();
        let mut token = None;
        loop {
            let page = client
                .get_log_events()
                .log_group_name("g")
                .log_stream_name("s");
            let page = page
                .limit(70)
                .set_next_token(token.clone())
                .send()
                .await
                .unwrap();
            let texts = page
                .events()
                .iter()
                .map(|event| event.message().unwrap().to_owned());
            backwards.splice(0..0, texts);
            let next = page.next_backward_token().map(ToOwned::to_owned);
            if next == token {
                break;
            }
            token = next;
        }
        let texts: Vec<_> = sent.into_iter().map(|(_, text)| text).collect();
        assert_eq!(backwards, texts);
    });
    assert_eq!(receiver.summary(Backend::Cloudwatch).violation_count, 0);
}
