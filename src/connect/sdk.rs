//! Gives the AWS SDK our connections, so that its requests, those for credentials among them, take
//! the same proxies and trust the same certificates. Signs nothing, retries nothing.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use http_body_util::Full;

use super::{Client, Failure, Kind, Limits};

/// Larger than any answer of CloudWatch Logs: a page of 1 MiB with every byte escaped.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// The SDK's way to our connections.
#[derive(Debug, Clone)]
pub(crate) struct SdkHttp(pub(crate) Client);

#[derive(Debug)]
struct Connector {
    client: Client,
    connect: Option<Duration>,
    read: Option<Duration>,
}

impl HttpClient for SdkHttp {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            client: self.0.clone(),
            connect: settings.connect_timeout(),
            read: settings.read_timeout(),
        })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.client.clone();
        let limits = Limits {
            connect: self.connect,
            answer: MAX_ANSWER,
        };
        // The SDK's limit is for the answer alone.
        let limit = self
            .read
            .map(|read| read + self.connect.unwrap_or(Duration::ZERO));
        HttpConnectorFuture::new(async move {
            let exchange = exchange(&client, request, limits);
            match limit {
                None => exchange.await,
                Some(limit) => tokio::time::timeout(limit, exchange)
                    .await
                    .unwrap_or_else(|elapsed| Err(ConnectorError::timeout(elapsed.into()))),
            }
        })
    }
}

async fn exchange(
    client: &Client,
    request: HttpRequest,
    limits: Limits,
) -> Result<HttpResponse, ConnectorError> {
    let user = |error| ConnectorError::user(error);
    let request = request
        .try_into_http1x()
        .map_err(|error| user(error.into()))?;
    let (parts, body) = request.into_parts();
    // The bytes of a body in memory are not copied.
    let body: Bytes = ByteStream::new(body)
        .collect()
        .await
        .map_err(|error| user(error.into()))?
        .into_bytes();
    let request = hyper::Request::from_parts(parts, Full::new(body));
    let response = client
        .send(request, limits)
        .await
        .map_err(connector_error)?;
    HttpResponse::try_from(response.map(SdkBody::from))
        .map_err(|error| ConnectorError::other(error.into(), None))
}

fn connector_error(failure: Failure) -> ConnectorError {
    match failure.kind() {
        Kind::Broken => ConnectorError::io(failure.into()),
        _ => ConnectorError::io(failure.into()).never_connected(),
    }
}
