//! What may be sent again: not what has reached a quota, and not what would be made twice. For the rest the SDK's own
//! standard mode knows when, and waits longer each time, by chance.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{BeforeSerializationInterceptorContextRef, InterceptorContext};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::RetryConfig;
use serde_json::Value;

use super::Class;
use super::error::classify;

/// Actions that make another thing each time, for they have neither a token nor a name that is taken once. Whether one
/// took effect is unknown after a timeout, a dropped connection or a failure of AWS.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html>
const SENT_ONCE: &[&str] = &["CreateVpc", "CreateInternetGateway", "CreateSubnet"];

/// Leaves it to the caller to send these again, who can look for the effect first.
#[derive(Debug)]
pub(super) struct SendOnce;

#[dyn_dispatch_hint]
impl Intercept for SendOnce {
    fn name(&self) -> &'static str {
        "SendOnce"
    }

    fn read_before_serialization(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if config.load::<Metadata>().is_some_and(|operation| SENT_ONCE.contains(&operation.name())) {
            config.interceptor_state().store_put(RetryConfig::disabled());
        }
        Ok(())
    }
}

/// A quota is not less reached a moment later. The SDK takes `LimitExceededException` for throttling, which it is of some
/// services; of ECS and CloudWatch Logs it is a quota.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html>
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html>
#[derive(Debug)]
pub(super) struct QuotasAreFinal;

impl ClassifyRetry for QuotasAreFinal {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().and_then(error_code) {
            Some(code) if classify(&code, "") == Class::Quota => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "QuotasAreFinal"
    }

    /// After all of the SDK's own.
    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

/// The code of an error, in whichever of AWS's protocols: the SDK keeps it in a type of its own for each action.
/// <https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html#operation-error-serialization>
/// <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html#operation-error-serialization>
pub(super) fn error_code(response: &HttpResponse) -> Option<String> {
    if response.status().is_success() {
        return None;
    }
    let in_header = response.headers().get("x-amzn-errortype").map(str::to_string);
    let code = in_header.or_else(|| {
        let body = std::str::from_utf8(response.body().bytes()?).ok()?;
        match body.split_once("<Code>") {
            Some((_, rest)) => rest.split_once("</Code>").map(|(code, _)| code.trim().to_string()),
            None => {
                let body: Value = serde_json::from_str(body).ok()?;
                body.get("__type").or(body.get("code"))?.as_str().map(str::to_string)
            }
        }
    })?;
    // As `namespace#Code:address`.
    let code = code.split_once('#').map_or(code.as_str(), |(_, code)| code);
    Some(code.split(':').next().unwrap_or(code).to_string())
}

#[cfg(test)]
#[expect(clippy::expect_used, clippy::panic, reason = "a test may panic")]
mod tests {
    use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};

    use super::super::scripted::{Answer, DONE, READ_TIMEOUT, Server, clients};
    use super::super::session::Clients;
    use super::super::{AwsError, Calls, Doing};
    use super::*;

    fn ec2_error(status: u16, code: &'static str) -> Answer {
        let body = format!("<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>");
        Answer::Reply(status, body.leak())
    }

    fn query_error(status: u16, code: &'static str) -> Answer {
        Answer::Reply(status, format!("<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>").leak())
    }

    fn json_error(status: u16, code: &'static str) -> Answer {
        Answer::Reply(status, format!(r#"{{"__type":"com.amazonaws#{code}","message":"no"}}"#).leak())
    }

    /// The requests that one call comes to, and how it ended.
    async fn sent<T>(answers: &[Answer], call: impl AsyncFn(Clients) -> Result<T, AwsError>) -> (usize, Result<T, AwsError>) {
        let server = Server::start(answers).expect("a server");
        // No bucket of an hour's clock makes anybody wait.
        let result = call(clients(&server, &Calls::at(1.0, 1000.0), READ_TIMEOUT)).await;
        (server.seen().len(), result)
    }

    async fn create_vpc(aws: Clients) -> Result<(), AwsError> {
        aws.ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.doing("ec2:CreateVpc", "").map(|_| ())
    }

    async fn create_group(aws: Clients) -> Result<(), AwsError> {
        aws.ec2.create_security_group().group_name("a").description("a").send().await.doing("ec2:CreateSecurityGroup", "").map(|_| ())
    }

    async fn create_cluster(aws: Clients) -> Result<(), AwsError> {
        aws.ecs.create_cluster().cluster_name("a").send().await.doing("ecs:CreateCluster", "").map(|_| ())
    }

    async fn create_log_group(aws: Clients) -> Result<(), AwsError> {
        aws.logs.create_log_group().log_group_name("a").send().await.doing("logs:CreateLogGroup", "").map(|_| ())
    }

    async fn create_role(aws: Clients) -> Result<(), AwsError> {
        let request = aws.iam.create_role().role_name("a").assume_role_policy_document("{}");
        request.send().await.doing("iam:CreateRole", "").map(|_| ())
    }

    async fn delete_rule(aws: Clients) -> Result<(), AwsError> {
        aws.elb.delete_rule().rule_arn("a").send().await.doing("elasticloadbalancing:DeleteRule", "").map(|_| ())
    }

    #[track_caller]
    fn assert_failed((requests, result): (usize, Result<(), AwsError>), expected: usize, class: Class) {
        let error = result.expect_err("it has to fail");
        assert_eq!((requests, error.class), (expected, class), "{error}");
    }

    #[tokio::test]
    async fn what_reached_a_quota_is_not_sent_again() {
        // The SDK takes these for throttling.
        assert_failed(sent(&[json_error(400, "LimitExceededException")], create_cluster).await, 1, Class::Quota);
        assert_failed(sent(&[json_error(400, "LimitExceededException")], create_log_group).await, 1, Class::Quota);
        // And this for a failure of AWS.
        assert_failed(sent(&[ec2_error(503, "SecurityGroupLimitExceeded")], create_group).await, 1, Class::Quota);
        assert_failed(sent(&[query_error(409, "LimitExceeded")], create_role).await, 1, Class::Quota);
        assert_failed(sent(&[query_error(400, "TooManyRules")], delete_rule).await, 1, Class::Quota);
    }

    #[tokio::test]
    async fn what_is_denied_or_wrong_is_not_sent_again() {
        assert_failed(sent(&[ec2_error(403, "UnauthorizedOperation")], create_group).await, 1, Class::Denied);
        assert_failed(sent(&[json_error(400, "AccessDeniedException")], create_cluster).await, 1, Class::Denied);
        assert_failed(sent(&[query_error(403, "AccessDenied")], create_role).await, 1, Class::Denied);
        assert_failed(sent(&[ec2_error(400, "InvalidParameterValue")], create_group).await, 1, Class::Invalid);
        assert_failed(sent(&[json_error(400, "InvalidParameterException")], create_cluster).await, 1, Class::Invalid);
        assert_failed(sent(&[query_error(400, "ValidationError")], delete_rule).await, 1, Class::Invalid);
        assert_failed(sent(&[ec2_error(400, "RequestExpired")], create_group).await, 1, Class::Credentials);
        assert_failed(sent(&[json_error(400, "ExpiredTokenException")], create_cluster).await, 1, Class::Credentials);
    }

    #[tokio::test]
    async fn what_is_throttled_or_fails_is_sent_again() {
        for trouble in
            [ec2_error(503, "RequestLimitExceeded"), ec2_error(503, "Unavailable"), ec2_error(500, "InternalError"), Answer::Drop]
        {
            let (requests, result) = sent(&[trouble.clone(), DONE], create_group).await;
            assert!(result.is_ok() && requests == 2, "{trouble:?}: {requests} {result:?}");
        }
        let done = Answer::Reply(200, "{}");
        for trouble in [json_error(400, "ThrottlingException"), json_error(500, "ServerException")] {
            let (requests, result) = sent(&[trouble.clone(), done.clone()], create_cluster).await;
            assert!(result.is_ok() && requests == 2, "{trouble:?}: {requests} {result:?}");
        }
        let done = Answer::Reply(200, "<{Action}Response><{Action}Result/></{Action}Response>");
        let (requests, result) = sent(&[query_error(400, "Throttling"), done], delete_rule).await;
        assert!(result.is_ok() && requests == 2, "{requests} {result:?}");
        // And given up when it does not get better.
        assert_failed(sent(&[ec2_error(503, "RequestLimitExceeded")], create_group).await, 4, Class::Throttled);
    }

    #[tokio::test]
    async fn what_would_be_made_twice_is_sent_once() {
        let answers = [ec2_error(503, "Unavailable"), DONE];
        assert_failed(sent(&answers, create_vpc).await, 1, Class::Service);
        assert_failed(sent(&[Answer::Drop, DONE], create_vpc).await, 1, Class::Unreachable);
        // Nothing was made, and the caller knows it.
        assert_failed(sent(&[ec2_error(503, "RequestLimitExceeded"), DONE], create_vpc).await, 1, Class::Throttled);
        let subnet = async |aws: Clients| {
            let request = aws.ec2.create_subnet().vpc_id("vpc-1").cidr_block("10.0.0.0/20");
            request.send().await.doing("ec2:CreateSubnet", "").map(|_| ())
        };
        assert_failed(sent(&answers, subnet).await, 1, Class::Service);
        let gateway =
            async |aws: Clients| aws.ec2.create_internet_gateway().send().await.doing("ec2:CreateInternetGateway", "").map(|_| ());
        assert_failed(sent(&answers, gateway).await, 1, Class::Service);
    }

    /// What the SDK takes for throttling and for passing trouble, against what we take it for: only a quota differs.
    #[tokio::test]
    async fn the_sdk_and_we_mean_the_same_by_throttling() {
        for code in ["Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException", "SlowDown"]
            .into_iter()
            .chain(["TooManyRequestsException", "RequestLimitExceeded", "BandwidthLimitExceeded", "EC2ThrottledException"])
            .chain(["PriorRequestNotComplete"])
        {
            assert_failed(sent(&[ec2_error(400, code)], create_group).await, 4, Class::Throttled);
        }
    }

    #[tokio::test]
    async fn codes_are_read_as_the_sdk_reads_them() {
        let codes = [("a#LimitExceededException", "x"), ("LimitExceededException:http://internal.amazon.com/coral/", "x")];
        for (code, _) in codes {
            let body = format!(r#"{{"__type":"{code}","message":"no"}}"#).leak();
            let server = Server::start(&[Answer::Reply(400, body)]).expect("a server");
            let aws = clients(&server, &Calls::at(1.0, 1000.0), READ_TIMEOUT);
            let result = aws.ecs.create_cluster().send().await;
            let Err(SdkError::ServiceError(error)) = result else { panic!("{result:?}") };
            assert_eq!(error.err().code(), Some("LimitExceededException"));
            assert_eq!(error_code(error.raw()).as_deref(), Some("LimitExceededException"));
            assert_eq!(server.seen().len(), 1);
        }
    }
}
