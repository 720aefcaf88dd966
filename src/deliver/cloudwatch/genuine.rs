//! Takes no success on the word of somebody who may stand before AWS. The SDK would: to it any
//! status of success is one, and nothing at all is an answer without fields.

use aws_sdk_cloudwatchlogs::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;

use super::answers::SUCCESS;

/// What AWS gives every answer.
const REQUEST_ID: &str = "x-amzn-requestid";
/// AWS answers these with nothing: there is nothing to say.
const WITHOUT_FIELDS: [&str; 3] = ["CreateLogGroup", "CreateLogStream", "PutRetentionPolicy"];

/// Looks over every success.
#[derive(Debug)]
pub(super) struct OfAws;

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for OfAws {
    fn name(&self) -> &'static str {
        "OfAws"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if !response.status().is_success() {
            return Ok(());
        }
        let operation = config.load::<Metadata>().map_or("", Metadata::name);
        let status = response.status().as_u16();
        let has_id = response.headers().contains_key(REQUEST_ID);
        let body = response.body().bytes().unwrap_or_default();
        if is_of_aws(operation, status, has_id, body) {
            Ok(())
        } else {
            Err("it is no success of AWS".into())
        }
    }
}

/// Whether a success is AWS's own: 200 with a JSON object, or with nothing where that is all there
/// is to say. Whether the object can be read is for the SDK to tell.
fn is_of_aws(operation: &str, status: u16, has_id: bool, body: &[u8]) -> bool {
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let is_silent = body.is_empty() && has_id && WITHOUT_FIELDS.contains(&operation);
    status == SUCCESS && (is_object || is_silent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_is_200_with_an_object_or_with_nothing_where_there_is_nothing_to_say() {
        let (put, read, create) = ("PutLogEvents", "GetLogEvents", "CreateLogStream");
        let table: [(_, _, _, &[u8], _); 13] = [
            (put, 200, true, b"{}", true),
            (put, 200, false, b" {\"nextSequenceToken\": \"1\"}", true),
            (put, 200, true, b"", false),
            (put, 200, true, b" ", false),
            (put, 200, true, b"<html>", false),
            (put, 200, true, b"[]", false),
            (put, 201, true, b"{}", false),
            (put, 202, true, b"", false),
            (read, 200, true, b"", false),
            (create, 200, true, b"", true),
            (create, 200, false, b"", false),
            (create, 200, true, b"<html>", false),
            (create, 204, true, b"", false),
        ];
        for (operation, status, has_id, body, expected) in table {
            let told = is_of_aws(operation, status, has_id, body);
            assert_eq!(told, expected, "{operation} {status} {has_id} {body:?}");
        }
    }
}
