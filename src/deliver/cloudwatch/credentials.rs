//! Why there are no credentials, in a sentence that says where they were looked for and what would
//! mend it. Pure; shows no secret.

use std::error::Error;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_types::error::ErrorMetadata;

use super::super::{Answer, Class};
use crate::connect::Failure;
use crate::connect::failure::{cause, innermost};

/// No place had any.
pub(super) const NONE_FOUND: &str = "no AWS credentials were found: not in the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, not in a profile, not from a web identity (IRSA), a container (Pod Identity, ECS) or the instance; in a pod give its service account a role, on EC2 and ECS the instance or the task, elsewhere run `aws configure` or set the two variables (with LocalStack, to any text)";

/// A profile needs more of the SDK than is built in: see [`signs_in_by_sso`].
pub(super) const SIGN_IN: &str =
    "cannot get AWS credentials: the profile signs in by SSO or a browser";

/// What to do about a profile that signs in by SSO. The SDK could do it, at the cost of two more
/// service clients in every agent; AWS's CLI does it where such a profile is: on somebody's laptop.
pub(super) fn signs_in_by_sso(profile: &str) -> String {
    format!(
        "cannot get AWS credentials: the profile {profile} signs in by SSO or a browser, which is left to AWS's CLI: sign in with `aws sso login --profile {profile}`, make a profile that holds `credential_process = aws configure export-credentials --profile {profile} --format process`, and name that one; on a server use a role"
    )
}

/// What a failure to get credentials means, if that is what an error is about.
pub(super) fn answer(error: &(dyn Error + 'static)) -> Option<Answer> {
    let error = cause::<CredentialsError>(error)?;
    Some(Answer::new(Class::Hold, "credentials", sentence(error)))
}

fn sentence(error: &CredentialsError) -> String {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => NONE_FOUND.to_owned(),
        CredentialsError::ProviderTimedOut(it) => format!(
            "AWS credentials did not come within {:?}; look whether STS, or the service that gives them, can be reached",
            it.timeout_duration()
        ),
        other => because(other),
    }
}

fn because(error: &CredentialsError) -> String {
    if let Some(failure) = cause::<Failure>(error) {
        return format!("cannot get AWS credentials: {failure}");
    }
    if let Some(error) = cause::<io::Error>(error) {
        return format!(
            "cannot get AWS credentials: a file cannot be read: {error}; look at AWS_WEB_IDENTITY_TOKEN_FILE, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE and the profile's files"
        );
    }
    let said = match cause::<ErrorMetadata>(error) {
        Some(meta) => {
            let code = meta.code().unwrap_or("an error");
            format!("{code}: {}", meta.message().unwrap_or_default())
        }
        None => innermost(error),
    };
    // What the SDK can do when it is built with more of itself.
    if said.contains("cargo feature") {
        return SIGN_IN.to_owned();
    }
    let short = &said[..said.floor_char_boundary(300)];
    let code = said.split(':').next().unwrap_or_default();
    format!(
        "cannot get AWS credentials: {short}; {}",
        mending(code, short)
    )
}

fn mending(code: &str, message: &str) -> &'static str {
    let is_web_identity = message.contains("WebIdentity");
    match code {
        "AccessDenied" | "AccessDeniedException" if is_web_identity => {
            "the trust policy of the role must name this cluster's identity provider and this service account"
        }
        "AccessDenied" | "AccessDeniedException" => {
            "allow sts:AssumeRole on the role for the identity that the credentials belong to, and name that identity, and external_id if there is one, in the trust policy of the role"
        }
        "InvalidIdentityToken" | "IDPCommunicationError" | "IDPRejectedClaim" => {
            "IAM does not know this cluster's identity provider, or does not accept its token"
        }
        "ExpiredTokenException" | "ExpiredToken" => {
            "the token is not renewed, or this machine's clock is wrong"
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" => {
            "these keys are not known to AWS: they were deleted, or belong to another partition"
        }
        "SignatureDoesNotMatch" => "look at the secret key and at this machine's clock",
        "RegionDisabledException" => "activate STS in this region, or set region to another one",
        _ => "look at the profile, the role and its trust policy",
    }
}
