//! Who we are at AWS and where it is: region, endpoint, credentials, the SDK's client. The client
//! is made for the first request, and anew after credentials were refused, so that what was
//! rotated is found. Keeps no secret of its own.

use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::{
    Credentials, SharedCredentialsProvider, StalledStreamProtectionConfig,
};

use super::super::{Answer, Class};
use super::credentials::{NONE_FOUND, SIGN_IN, signs_in_by_sso};
use super::genuine::OfAws;
use crate::config::{AssumeRole, CloudWatchLogs};
use crate::connect;
use crate::connect::proxy::is_near;
use crate::connect::sdk::SdkHttp;

/// With an endpoint of one's own the region only matters to the signature.
const REGION_OF_OWN_ENDPOINT: &str = "us-east-1";
/// How a session is called in AWS's own records.
const SESSION_NAME: &str = "pinnace";

/// The way to CloudWatch Logs of one output.
pub(super) struct Session {
    http: connect::Client,
    region: Option<String>,
    profile: Option<String>,
    assume_role: Option<AssumeRole>,
    endpoint_url: Option<String>,
    timeout: Duration,
    client: tokio::sync::Mutex<Option<Client>>,
}

impl Session {
    pub(super) fn new(output: &CloudWatchLogs) -> Self {
        Self {
            http: connect::Client::new(&output.connection),
            region: output.region.clone(),
            profile: output.profile.clone(),
            assume_role: output.assume_role.clone(),
            endpoint_url: output.endpoint_url.clone().or_else(endpoint_of_environment),
            timeout: output.request_timeout,
            client: tokio::sync::Mutex::new(None),
        }
    }

    /// The client, made now if there is none.
    pub(super) async fn client(&self) -> Result<Client, Answer> {
        let mut client = self.client.lock().await;
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        let made = Box::pin(self.make()).await?;
        *client = Some(made.clone());
        Ok(made)
    }

    /// After credentials were refused, or not found, the next request looks for them in every
    /// place again.
    pub(super) async fn look_again_after(&self, answer: &mut Answer) {
        if answer.reason != "credentials" {
            return;
        }
        *self.client.lock().await = None;
        if answer.sentence == SIGN_IN {
            let of_environment = std::env::var("AWS_PROFILE").ok();
            let profile = self.profile.as_ref().or(of_environment.as_ref());
            answer.sentence = signs_in_by_sso(profile.map_or("default", String::as_str));
        } else if let Some(profile) = &self.profile
            && answer.sentence == NONE_FOUND
        {
            answer.sentence = format!(
                "no AWS credentials were found: the profile {profile} is in none of AWS's files, or holds none; look at AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, or at ~/.aws"
            );
        }
    }

    /// The connections, for whoever wants to see each step.
    pub(super) fn http(&self) -> &connect::Client {
        &self.http
    }

    /// Where the requests go.
    pub(super) async fn url(&self) -> Result<String, Answer> {
        let client = self.client().await?;
        let of_all = || {
            std::env::var("AWS_ENDPOINT_URL")
                .ok()
                .filter(|it| !it.is_empty())
        };
        if let Some(url) = self.endpoint_url.clone().or_else(of_all) {
            return Ok(url);
        }
        let region = client.config().region().map_or("", |it| it.as_ref());
        let of_china = if region.starts_with("cn-") { ".cn" } else { "" };
        Ok(format!("https://logs.{region}.amazonaws.com{of_china}"))
    }

    async fn make(&self) -> Result<Client, Answer> {
        let shared = self.shared().await?;
        let mut config = aws_sdk_cloudwatchlogs::config::Builder::from(&shared).interceptor(OfAws);
        if let Some(url) = &self.endpoint_url {
            config = config.endpoint_url(url);
        }
        if let (Some(role), Some(own)) = (&self.assume_role, shared.credentials_provider()) {
            let name = role.session_name.as_deref().unwrap_or(SESSION_NAME);
            let mut provider = AssumeRoleProvider::builder(&role.role_arn)
                .configure(&shared)
                .session_name(name);
            if let Some(id) = &role.external_id {
                provider = provider.external_id(id);
            }
            config = config.credentials_provider(provider.build_from_provider(own).await);
        }
        Ok(Client::from_conf(config.build()))
    }

    async fn shared(&self) -> Result<SdkConfig, Answer> {
        let http = SdkHttp(self.http.clone());
        // Less than the whole, so that what was never sent is told apart.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(self.timeout * 9 / 10)
            .operation_attempt_timeout(self.timeout)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http.clone())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &self.profile {
            let provider_config = ProviderConfig::without_region()
                .with_http_client(http)
                .with_region(self.region.clone().map(Region::new));
            let credentials = ProfileFileCredentialsProvider::builder()
                .profile_name(profile)
                .configure(&provider_config)
                .build();
            loader = loader
                .profile_name(profile)
                .credentials_provider(credentials);
        } else if self.is_emulator() && !has_credentials_in_environment() {
            // What every emulator takes; nothing secret ever goes to loopback by mistake.
            let credentials = Credentials::new("test", "test", None, None, "loopback");
            loader = loader.credentials_provider(SharedCredentialsProvider::new(credentials));
        }
        let shared = loader.load().await;
        if shared.region().is_some() {
            return Ok(shared);
        }
        if self.endpoint_url.is_some() || shared.endpoint_url().is_some() {
            let region = Region::from_static(REGION_OF_OWN_ENDPOINT);
            return Ok(shared.into_builder().region(region).build());
        }
        Err(Answer::new(
            Class::Hold,
            "config",
            "no AWS region is known: there is none in AWS_REGION, AWS_DEFAULT_REGION or the profile, and no instance service says one; set region for this output",
        ))
    }

    fn is_emulator(&self) -> bool {
        let of_all = || std::env::var("AWS_ENDPOINT_URL").ok();
        let url = self.endpoint_url.clone().or_else(of_all);
        self.assume_role.is_none() && url.is_some_and(|url| is_loopback(&url))
    }
}

/// The endpoint of this service alone: under AWS's name for it, and under the one that many give
/// it.
fn endpoint_of_environment() -> Option<String> {
    let of = |name| std::env::var(name).ok().filter(|it| !it.is_empty());
    of("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS").or_else(|| of("AWS_ENDPOINT_URL_LOGS"))
}

/// Whether a URL leads to this machine.
fn is_loopback(url: &str) -> bool {
    let target = url.parse().ok().and_then(|uri| connect::Target::of(&uri));
    target.is_some_and(|target| is_near(&target.host))
}

fn has_credentials_in_environment() -> bool {
    [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_ROLE_ARN",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    ]
    .iter()
    .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known() {
        for (url, expected) in [
            ("http://127.0.0.1:4566", true),
            ("http://localhost:4566", true),
            ("http://[::1]:4566", true),
            ("http://localhost.example.com", false),
            ("https://logs.eu-west-1.amazonaws.com", false),
        ] {
            assert_eq!(is_loopback(url), expected, "{url}");
        }
    }
}
