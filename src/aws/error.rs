//! What AWS refused, in the user's words: which thing, why, and what to do next.

use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};

use super::pace::OutOfTime;
use crate::resources::model::ShapeError;

/// What kind of failure it is: what the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The thing is not there (or not yet).
    NotFound,
    /// The name is taken.
    Exists,
    /// Something that uses it still stands, or it is still leaving.
    InUse,
    /// What it needs has been asked for and is not usable yet: a new role, a target group without its rule.
    NotYet,
    Throttled,
    Denied,
    Quota,
    /// AWS refuses the request as it is: sending it again cannot help.
    Invalid,
    /// No credentials, or credentials that AWS does not accept any more.
    Credentials,
    /// Good credentials, of another account than the spec says.
    WrongAccount,
    /// No answer: whether the request took effect is unknown.
    Unreachable,
    /// Somebody else's thing is in the way: who owns it has to act.
    Others,
    /// The infra group is full.
    NoPlace,
    /// AWS failed.
    Service,
}

/// A request that AWS did not carry out.
#[derive(Debug, Clone)]
pub struct AwsError {
    /// `service:Action`, as an IAM policy writes it.
    pub action: String,
    /// The thing that it was about.
    pub subject: String,
    pub code: Option<String>,
    pub message: String,
    pub class: Class,
}

impl AwsError {
    pub fn new(action: &str, subject: impl fmt::Display, class: Class, message: impl Into<String>) -> Self {
        Self { action: action.into(), subject: subject.to_string(), code: None, message: message.into(), class }
    }

    /// One of several that an answer names, each with a code of its own.
    pub fn coded(action: &str, subject: impl fmt::Display, code: &str, message: &str) -> Self {
        Self { code: Some(code.into()), ..Self::new(action, subject, classify(code, message), message) }
    }

    /// Whether the request may have taken effect all the same: the answer was lost, or AWS failed on the way.
    pub fn outcome_is_unknown(&self) -> bool {
        matches!(self.class, Class::Unreachable | Class::Service)
    }

    /// What the user can do about it.
    pub fn remedy(&self) -> String {
        match self.class {
            Class::Denied if self.action == "sts:AssumeRole" => {
                "allow sts:AssumeRole on that role in the policy of the credentials in use, and them in the role's trust policy, \
                 then run the same command again"
                    .into()
            }
            Class::Denied => format!("allow {} in the policy of the credentials in use, then run the same command again", self.action),
            Class::Quota => "ask AWS for a higher quota, or add an infra group or a cell, then run the same command again".into(),
            Class::Credentials => {
                "choose a profile (AWS_PROFILE), log in (`aws sso login`) or renew what has expired; `aws sts get-caller-identity` \
                 says who you are. Then run the same command again"
                    .into()
            }
            Class::WrongAccount => {
                "use credentials of that account (AWS_PROFILE), or give the cell an `assume_role` in the tier's spec; nothing was read"
                    .into()
            }
            Class::Unreachable => {
                "check the network and AWS_ENDPOINT_URL, then run the same command again: it picks up what is there".into()
            }
            Class::Throttled => {
                "run the same command again: it picks up what is there. Others use the rates of this account too: a lower --api-share \
                 leaves them more, a longer --timeout waits longer"
                    .into()
            }
            Class::NoPlace => "add an infra group to a cell of the tier's spec and apply it, or raise what the message names \
                 (tenants.max_per_infra_group, load_balancer.priorities); then run the same command again"
                .into(),
            Class::Others => "remove it, or have its owner move it, then run the same command again".into(),
            Class::InUse => "remove what still uses it, then run the same command again".into(),
            Class::Exists => {
                "the name is held by somebody else's thing: rename in the spec, or remove that thing if it is not needed".into()
            }
            Class::Invalid => "correct the spec where it says this, then run the same command again".into(),
            // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
            Class::NotYet if self.message.to_lowercase().contains("service linked role") => {
                "allow iam:CreateServiceLinkedRole for ecs.amazonaws.com (`tierctl iam-policy --for onboard` has it), or have somebody \
                 make the role once: `aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com`"
                    .into()
            }
            Class::NotFound | Class::NotYet | Class::Service => "run the same command again: it picks up what is there".into(),
        }
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.action)?;
        if !self.subject.is_empty() {
            write!(f, " ({})", self.subject)?;
        }
        match &self.code {
            Some(code) => write!(f, ": {} [{code}]", self.message),
            None => write!(f, ": {}", self.message),
        }
    }
}

impl std::error::Error for AwsError {}

impl From<ShapeError> for AwsError {
    fn from(error: ShapeError) -> Self {
        Self::new("tierctl", "", Class::Invalid, error.0)
    }
}

/// Says what a request was for, when it fails.
pub trait Doing<T> {
    /// `action` as an IAM policy writes it; `subject` is the thing in AWS's or the user's name.
    fn doing(self, action: &'static str, subject: impl fmt::Display) -> Result<T, AwsError>;
}

impl<T, E, R> Doing<T> for Result<T, SdkError<E, R>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    fn doing(self, action: &'static str, subject: impl fmt::Display) -> Result<T, AwsError> {
        self.map_err(|error| describe(action, subject.to_string(), &error))
    }
}

fn describe<E, R>(action: &str, subject: String, error: &SdkError<E, R>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    let error_of =
        |class, code: Option<String>, message: String| AwsError { action: action.into(), subject: subject.clone(), code, message, class };
    match error {
        SdkError::ServiceError(answer) => {
            let code = answer.err().code().unwrap_or("Unknown").to_string();
            let message = answer.err().message().unwrap_or("AWS gave no reason").trim().to_string();
            error_of(classify(&code, &message), Some(code), message)
        }
        SdkError::TimeoutError(_) => error_of(Class::Unreachable, None, "no answer in time".into()),
        SdkError::DispatchFailure(failure) => {
            if let Some(OutOfTime(..)) = cause_of(error) {
                return error_of(Class::Throttled, None, root_cause(error));
            }
            let cause = root_cause(error);
            let looks_like_credentials = DisplayErrorContext(error).to_string().to_lowercase().contains("credential");
            let is_network = failure.is_io() || failure.is_timeout() || cause_of::<std::io::Error>(error).is_some();
            if let Some(refusal) = cause_of::<ErrorMetadata>(error).filter(|refusal| refusal.code().is_some()) {
                // Who was asked for credentials refused them.
                let (code, message) = (refusal.code().unwrap_or_default(), refusal.message().unwrap_or("AWS gave no reason"));
                error_of(classify(code, message), Some(code.into()), message.trim().into())
            } else if looks_like_credentials && !is_network {
                let message = match cause_of::<CredentialsError>(error) {
                    // It goes on with a line for everything that was tried.
                    Some(CredentialsError::CredentialsNotLoaded(_)) => "no AWS credentials were found".into(),
                    _ => format!("there are no AWS credentials that can be used: {cause}"),
                };
                error_of(Class::Credentials, None, message)
            } else if let Some(timeout) = timeout_of(error) {
                error_of(Class::Unreachable, None, format!("no answer in time: {timeout}"))
            } else {
                error_of(Class::Unreachable, None, format!("AWS cannot be reached: {cause}"))
            }
        }
        SdkError::ResponseError(_) => {
            error_of(Class::Unreachable, None, format!("the answer was cut off or cannot be read: {}", root_cause(error)))
        }
        _ => error_of(Class::Invalid, None, root_cause(error)),
    }
}

/// The first error of this type among the causes.
fn cause_of<'a, C: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a C> {
    std::iter::successors(error.source(), |cause| cause.source()).find_map(|cause| cause.downcast_ref())
}

/// The cause that says which timeout it was: the innermost says only that there was one.
fn timeout_of(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let texts = std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string);
    texts.filter(|text| text.contains("timeout occurred")).last()
}

/// The innermost cause: the one that says something.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Error codes by what can be done about them; AWS's lists are linked from each service's API reference.
pub(super) fn classify(code: &str, message: &str) -> Class {
    let text = message.to_lowercase();
    match code {
        // <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html>
        "ClientException" if text.contains("too many concurrent attempts") => Class::NotYet,
        "ClientException" if text.contains("unable to describe task definition") => Class::NotFound,
        // Somebody has offboarded the tenant meanwhile.
        "ClientException" if text.contains("taskdefinition is inactive") => Class::NotFound,
        "InvalidParameterException" if text.contains("does not have an associated load balancer") => Class::NotYet,
        "InvalidParameterException" if text.contains("target group does not exist") => Class::NotFound,
        // Draining takes as long as the target group's deregistration delay.
        "InvalidParameterException" if text.contains("still draining") => Class::InUse,
        "InvalidParameterException" if text.contains("unable to assume") => Class::NotYet,
        "ClientException" if text.contains("role is not valid") || text.contains("unable to assume") => Class::NotYet,
        "InvalidParameter" if text.contains("conflicting dns domain") => Class::InUse,
        "DependencyViolation"
        | "ResourceInUse"
        | "ResourceInUseException"
        | "DeleteConflict"
        | "InvalidSubnet.InUse"
        | "ClusterContainsServicesException"
        | "ClusterContainsTasksException"
        | "ClusterContainsContainerInstancesException"
        | "UpdateInProgressException"
        | "OperationAbortedException"
        | "ConcurrentModification"
        | "EntityTemporarilyUnmodifiable" => Class::InUse,
        "EntityAlreadyExists"
        | "InvalidGroup.Duplicate"
        | "DuplicateLoadBalancerName"
        | "DuplicateTargetGroupName"
        | "DuplicateListener"
        | "PriorityInUse"
        | "ResourceAlreadyExistsException"
        | "InvalidPermission.Duplicate"
        | "RouteAlreadyExists"
        | "Resource.AlreadyAssociated" => Class::Exists,
        // All that the SDK takes for throttling too, but for `LimitExceededException` and what only DynamoDB says.
        "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "EC2ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "SlowDown"
        | "PriorRequestNotComplete" => Class::Throttled,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "OptInRequired" => Class::Denied,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "AuthFailure"
        | "SignatureDoesNotMatch"
        | "InvalidIdentityToken" => Class::Credentials,
        "LimitExceeded"
        | "LimitExceededException"
        | "QuotaExceeded"
        | "ServiceQuotaExceededException"
        | "AddressLimitExceeded"
        | "TargetGroupAssociationLimit" => Class::Quota,
        "NoSuchEntity"
        | "TargetGroupNotFound"
        | "LoadBalancerNotFound"
        | "ListenerNotFound"
        | "RuleNotFound"
        | "ClusterNotFoundException"
        | "ServiceNotFoundException"
        | "ServiceNotActiveException"
        | "ResourceNotFoundException"
        | "ObjectNotFoundException" => Class::NotFound,
        "InternalError"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "Unavailable"
        | "ServerException"
        | "ServiceFailure"
        | "ServiceUnavailableException"
        | "InternalServerError" => Class::Service,
        code if code.contains("NotFound") => Class::NotFound,
        code if code.starts_with("TooMany") || code.ends_with("LimitExceeded") => Class::Quota,
        _ => Class::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quota_errors_are_told_from_throttling() {
        assert_eq!(classify("TooManyRules", ""), Class::Quota);
        assert_eq!(classify("VpcEndpointLimitExceeded", ""), Class::Quota);
        assert_eq!(classify("LimitExceededException", ""), Class::Quota);
        assert_eq!(classify("RequestLimitExceeded", ""), Class::Throttled);
        assert_eq!(classify("ThrottlingException", ""), Class::Throttled);
    }

    #[test]
    fn what_will_pass_is_told_from_what_will_not() {
        assert_eq!(classify("InvalidParameterException", "The target group x does not have an associated load balancer."), Class::NotYet);
        assert_eq!(classify("InvalidParameterException", "Unable to Start a service that is still Draining."), Class::InUse);
        assert_eq!(classify("InvalidParameterException", "desired count must be positive"), Class::Invalid);
        assert_eq!(classify("ClientException", "TaskDefinition is inactive"), Class::NotFound);
        assert_eq!(classify("InvalidParameterException", "The specified target group does not exist: arn:x"), Class::NotFound);
        assert_eq!(classify("DependencyViolation", "resource sg-1 has a dependent object"), Class::InUse);
    }

    #[test]
    fn every_not_found_is_one() {
        for code in
            ["InvalidVpcID.NotFound", "InvalidGroup.NotFound", "NoSuchEntity", "ServiceNotFoundException", "ClusterNotFoundException"]
        {
            assert_eq!(classify(code, ""), Class::NotFound, "{code}");
        }
    }
}
