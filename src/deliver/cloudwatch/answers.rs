//! What each answer of CloudWatch Logs and each failure of the SDK means. Pure.

use std::time::SystemTime;

use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatchlogs::types::RejectedLogEventsInfo;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::super::answers::{self as table, Without};
use super::super::{Answer, Class, Rejected, clock, of_failure, unanswered};
use crate::connect::Failure;
use crate::connect::failure::{cause, causes};
use crate::record::Time;

/// AWS takes nothing that is older, in nanoseconds.
const TOO_OLD: i64 = 14 * 24 * 3600 * 1_000_000_000;
/// AWS takes nothing that is further ahead, in nanoseconds.
const TOO_NEW: i64 = 2 * 3600 * 1_000_000_000;

/// The only status with which AWS says that something is done.
pub(super) const SUCCESS: u16 = 200;
/// Stands for a code that says nothing where nothing was put.
const OF_A_PUT: &str = "of a put";

const OLD: &str =
    "PutLogEvents refused it as too old: CloudWatch Logs takes nothing that is older than 14 days";
const EXPIRED: &str =
    "PutLogEvents refused it as expired: it is older than the retention of its log group";
const NEW: &str = "PutLogEvents refused it as too new: CloudWatch Logs takes nothing that is more than 2 hours ahead of its clock";

/// Which events of a batch were refused: AWS gives the first too new one, and the ends
/// (exclusive) of the too old and the expired ones.
pub(super) fn rejected(info: &RejectedLogEventsInfo, records: u32) -> Vec<Rejected> {
    let index = |value: Option<i32>, or: u32| {
        value
            .and_then(|it| u32::try_from(it).ok())
            .unwrap_or(or)
            .min(records)
    };
    let old = index(info.too_old_log_event_end_index(), 0);
    let expired = index(info.expired_log_event_end_index(), 0).max(old);
    let new = index(info.too_new_log_event_start_index(), records).max(expired);
    in_order(old, expired, new, records)
}

/// The same of an emulator that means the last too old and the last too new one: what is beyond
/// AWS's own limits by these times is refused too.
pub(super) fn rejected_by_an_emulator(
    rejected: &[Rejected],
    times: &[Time],
    now: Time,
) -> Vec<Rejected> {
    let records = u32::try_from(times.len()).unwrap_or(u32::MAX);
    let end_of = |reason: &str| {
        let it = rejected.iter().find(|it| it.reason == reason);
        it.map_or(0, |it| it.records.end)
    };
    let is_told = |reason: &str| rejected.iter().any(|it| it.reason == reason);
    let too_old = |time: &&Time| now.nanos_since(**time) > TOO_OLD;
    let too_new = |time: &&Time| time.nanos_since(now) > TOO_NEW;
    let count = |times: usize| u32::try_from(times).unwrap_or(u32::MAX);
    let old = end_of("too_old").max(count(times.iter().take_while(too_old).count()));
    let expired = end_of("expired").max(old);
    let told_new = rejected.iter().find(|it| it.reason == "too_new");
    let new = told_new.map_or(records, |it| it.records.start);
    let new = if is_told("too_new") {
        new.min(records - count(times.iter().rev().take_while(too_new).count()))
    } else {
        new
    };
    in_order(old, expired, new.max(expired), records)
}

fn in_order(old: u32, expired: u32, new: u32, records: u32) -> Vec<Rejected> {
    let parts = [
        (0..old, "too_old", OLD),
        (old..expired, "expired", EXPIRED),
        (new..records, "too_new", NEW),
    ];
    let parts = parts.into_iter().filter(|it| !it.0.is_empty());
    parts
        .map(|(records, reason, sentence)| Rejected {
            records,
            reason,
            sentence: Some(sentence),
        })
        .collect()
}

/// What a put with refused events comes to: the others are stored.
pub(super) fn partial(rejected: Vec<Rejected>) -> Answer {
    let sentences: Vec<_> = rejected.iter().filter_map(|it| it.sentence).collect();
    Answer {
        rejected,
        ..Answer::new(Class::Partial, "rejected", sentences.join("; "))
    }
}

pub(super) fn code_of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
}

/// What a failure of the SDK means.
pub(super) fn classify<E>(error: &SdkError<E, HttpResponse>, action: &str) -> Answer
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let Some(answer) = super::credentials::answer(error) {
        return answer;
    }
    if let Some(failure) = cause::<Failure>(error) {
        return of_failure(failure);
    }
    match error {
        // A page of something that stands before AWS, with a status of success.
        SdkError::ServiceError(service) if service.raw().status().is_success() => {
            no_success(action, service.raw())
        }
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let mut answer = classify_service(
                service.err().code(),
                service.err().message(),
                status,
                action,
            );
            if answer.reason == "credentials"
                && let Some(date) = service.raw().headers().get("date")
                && let Some(clock) = clock::fault(date, SystemTime::now(), "AWS's")
            {
                answer.sentence = format!("{}; {clock}", answer.sentence);
            }
            answer
        }
        SdkError::TimeoutError(_) => silence(action),
        SdkError::ResponseError(response) => no_success(action, response.raw()),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => silence(action),
        other => set_up(&causes(other)),
    }
}

fn no_success(action: &str, response: &HttpResponse) -> Answer {
    let status = response.status().as_u16();
    if response.status().is_success() && status != SUCCESS {
        return classify_service(None, None, status, action);
    }
    let is_empty = response.body().bytes().is_some_and(<[u8]>::is_empty);
    let what = if is_empty {
        "nothing"
    } else {
        "something that cannot be read"
    };
    nonsense(&format!("{action} was answered with {status} and {what}"))
}

/// A success that does not say what AWS would say.
pub(super) fn nonsense(said: &str) -> Answer {
    unanswered(Without::Nonsense, said)
}

fn silence(action: &str) -> Answer {
    let said = format!("{action} was not answered in time");
    unanswered(Without::Silence, &said)
}

/// What goes wrong before a request is made: credentials, region, endpoint.
pub(crate) fn set_up(text: &str) -> Answer {
    let short = &text[..text.floor_char_boundary(400)];
    if text.to_lowercase().contains("credential") {
        Answer::new(
            Class::Hold,
            "credentials",
            format!(
                "cannot get AWS credentials: {short}; in a pod look at the role of its service account, elsewhere at the profile or the variables that they come from"
            ),
        )
    } else if text.to_lowercase().contains("region") {
        Answer::new(
            Class::Hold,
            "config",
            "no AWS region is known: set region, or AWS_REGION",
        )
    } else {
        Answer::new(
            Class::Retry,
            "unreachable",
            format!("{short}; look at endpoint_url, region and profile"),
        )
    }
}

/// What an error answer of CloudWatch Logs means.
pub(crate) fn classify_service(
    code: Option<&str>,
    message: Option<&str>,
    status: u16,
    action: &str,
) -> Answer {
    let code = code.unwrap_or("");
    let mut row = table::find(&table::CLOUDWATCH, code, status);
    if row.class == Class::Delivered {
        if action == "PutLogEvents" {
            return Answer::delivered();
        }
        // Only a put can be stored already.
        row = table::find(&table::CLOUDWATCH, OF_A_PUT, status);
    }
    let mut said = format!("{action} was answered with {status}");
    for part in [
        (" ", Some(code).filter(|it| !it.is_empty())),
        (": ", message),
    ] {
        if let (before, Some(part)) = part {
            said.push_str(before);
            said.push_str(part);
        }
    }
    let mending = row.mending.replace("{action}", action);
    Answer::new(row.class, row.reason, format!("{said}; {mending}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::Range;

    type Ranges = &'static [(Range<u32>, &'static str)];

    #[test]
    fn every_error_code_has_its_class() {
        let table = [
            ("ThrottlingException", 400, Class::Retry, "throttled"),
            ("LimitExceededException", 400, Class::Retry, "throttled"),
            ("OperationAbortedException", 400, Class::Retry, "throttled"),
            ("ResourceNotFoundException", 400, Class::Hold, "not_found"),
            ("InvalidParameterException", 400, Class::Refused, "refused"),
            ("AccessDeniedException", 400, Class::Hold, "credentials"),
            (
                "UnrecognizedClientException",
                400,
                Class::Hold,
                "credentials",
            ),
            ("ExpiredTokenException", 400, Class::Hold, "credentials"),
            ("InvalidSignatureException", 400, Class::Hold, "credentials"),
            ("DataAlreadyAcceptedException", 400, Class::Delivered, ""),
            (
                "ServiceUnavailableException",
                503,
                Class::Open,
                "server_error",
            ),
            ("InternalFailure", 500, Class::Open, "server_error"),
            ("", 502, Class::Open, "server_error"),
            ("", 413, Class::Split, "too_large"),
            ("", 429, Class::Retry, "throttled"),
            ("", 403, Class::Hold, "credentials"),
            ("SomethingNew", 400, Class::Refused, "refused"),
            ("", 101, Class::Open, "server_error"),
            ("", 202, Class::Open, "server_error"),
            ("", 301, Class::Open, "config"),
            ("", 400, Class::Hold, "config"),
            ("", 404, Class::Hold, "config"),
            ("", 401, Class::Hold, "credentials"),
        ];
        for (code, status, class, reason) in table {
            let answer = classify_service(Some(code), Some("why"), status, "PutLogEvents");
            assert_eq!(
                (answer.class, answer.reason),
                (class, reason),
                "{code} {status}"
            );
        }
    }

    #[test]
    fn rejected_events_are_counted_as_aws_means_the_indexes() {
        let info = |old, expired, new| {
            RejectedLogEventsInfo::builder()
                .set_too_old_log_event_end_index(old)
                .set_expired_log_event_end_index(expired)
                .set_too_new_log_event_start_index(new)
                .build()
        };
        let table: [(_, Ranges); 8] = [
            (info(None, None, None), &[]),
            (info(Some(3), None, None), &[(0..3, "too_old")]),
            (
                info(Some(3), Some(5), None),
                &[(0..3, "too_old"), (3..5, "expired")],
            ),
            (info(Some(3), Some(2), None), &[(0..3, "too_old")]),
            (info(None, None, Some(8)), &[(8..10, "too_new")]),
            (
                info(Some(2), None, Some(9)),
                &[(0..2, "too_old"), (9..10, "too_new")],
            ),
            (info(Some(20), None, Some(0)), &[(0..10, "too_old")]),
            (info(Some(-1), None, Some(-1)), &[]),
        ];
        for (info, expected) in table {
            let found = rejected(&info, 10);
            let found: Vec<_> = found
                .into_iter()
                .map(|it| (it.records, it.reason))
                .collect();
            assert_eq!(found, expected, "{info:?}");
        }
    }

    #[test]
    fn each_refused_event_is_told_by_its_one_cause() {
        let info = RejectedLogEventsInfo::builder()
            .too_old_log_event_end_index(1)
            .expired_log_event_end_index(2)
            .too_new_log_event_start_index(4)
            .build();
        let answer = partial(rejected(&info, 5));
        let table = [("too_old", OLD), ("expired", EXPIRED), ("too_new", NEW)];
        assert_eq!(answer.rejected.len(), table.len());
        for (rejected, (reason, sentence)) in answer.rejected.iter().zip(table) {
            assert_eq!(
                (rejected.reason, rejected.sentence),
                (reason, Some(sentence))
            );
            assert!(answer.sentence.contains(sentence), "{}", answer.sentence);
        }
    }

    #[test]
    fn an_emulator_that_counts_otherwise_is_understood_by_the_times() {
        let now = Time(1_795_341_600_000_000_000);
        let hour = 3600 * 1_000_000_000;
        let times = [-400, -340, -337, -335, 0, 1, 3, 4].map(|hours| Time(now.0 + hours * hour));
        // LocalStack names the last too old (2) and the last too new one (7).
        for (old, new) in [(Some(2), Some(7)), (Some(3), Some(6))] {
            let info = RejectedLogEventsInfo::builder()
                .set_too_old_log_event_end_index(old)
                .set_too_new_log_event_start_index(new)
                .build();
            let found = rejected_by_an_emulator(&rejected(&info, 8), &times, now);
            let found: Vec<_> = found
                .into_iter()
                .map(|it| (it.records, it.reason))
                .collect();
            assert_eq!(found, [(0..3, "too_old"), (6..8, "too_new")]);
        }
        // A single one, at the first place.
        let info = RejectedLogEventsInfo::builder()
            .too_old_log_event_end_index(0)
            .build();
        let found = rejected_by_an_emulator(&rejected(&info, 1), &times[..1], now);
        assert_eq!(found[0].records, 0..1);
    }
}
