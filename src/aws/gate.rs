//! Where every attempt at a request waits for its turn, and where AWS's answer to it is heard.
//!
//! The place to wait is the SDK's identity cache: it is asked right before an attempt is signed, for retries too, and it
//! may take its time, whereas an interceptor may not. A signature is good for five minutes, and credentials that run out
//! during the wait are renewed after it. No timeout runs meanwhile: those for a connection and for an answer start when
//! the request is sent.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>

use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::{IdentityFuture, ResolveCachedIdentity, SharedIdentityCache, SharedIdentityResolver};
use aws_smithy_runtime_api::client::interceptors::context::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use super::calls::service_name;
use super::error::classify;
use super::pace::{Pace, requester};
use super::{Class, retries};
use crate::resources::model::Place;

/// Lets a request through to the credentials that it is signed with when its turn has come.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) pace: Pace,
    pub(super) place: Place,
    pub(super) identities: SharedIdentityCache,
}

impl ResolveCachedIdentity for Gate {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        components: &'a RuntimeComponents,
        config: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        IdentityFuture::new(async move {
            if let Some(operation) = config.load::<Metadata>() {
                self.pace.turn(&self.place, &service_name(operation.service()), operation.name()).await?;
            }
            self.identities.resolve_cached_identity(resolver, components, config).await
        })
    }

    fn validate_base_client_config(&self, components: &RuntimeComponentsBuilder, config: &ConfigBag) -> Result<(), BoxError> {
        self.identities.validate_base_client_config(components, config)
    }

    fn validate_final_config(&self, components: &RuntimeComponents, config: &ConfigBag) -> Result<(), BoxError> {
        self.identities.validate_final_config(components, config)
    }
}

/// When the attempt under way was sent.
#[derive(Debug, Clone, Copy)]
struct Sent(Option<Duration>);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

/// Tells the pace how AWS answered, and whoever asked that it did.
#[derive(Debug)]
pub(super) struct HearAnswers {
    pub(super) pace: Pace,
    pub(super) place: Place,
}

#[dyn_dispatch_hint]
impl Intercept for HearAnswers {
    fn name(&self) -> &'static str {
        "HearAnswers"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Sent(Some(self.pace.now())));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // What was not sent, for want of credentials, is not sent again either: its requester ends with it.
        let Some(Sent(Some(sent))) = config.load::<Sent>().copied() else { return Ok(()) };
        if let Some(requester) = requester() {
            requester.ends();
        }
        if let (Some(operation), Some(response)) = (config.load::<Metadata>(), context.response()) {
            let is_throttled = retries::error_code(response).is_some_and(|code| classify(&code, "") == Class::Throttled);
            self.pace.answered(&self.place, &service_name(operation.service()), operation.name(), sent, is_throttled);
        }
        config.interceptor_state().store_put(Sent(None));
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may panic")]
mod tests {
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use tokio::time::Instant;

    use super::super::scripted::{Answer, DONE, READ_TIMEOUT, Server, clients};
    use super::super::{Calls, Doing, Requester, on_behalf_of};
    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Vec<&'static str>>);

    #[async_trait]
    impl Requester for Told {
        fn waits(&self, _reason: Option<String>) {
            self.0.lock().expect("unpoisoned").push("waits");
        }

        async fn starts(&self, _is_write: bool) {
            self.0.lock().expect("unpoisoned").push("starts");
        }

        fn ends(&self) {
            self.0.lock().expect("unpoisoned").push("ends");
        }

        fn deadline(&self) -> Option<Instant> {
            None
        }
    }

    /// 1.3 seconds of the clock on the wall until the fifth, where an answer may take one second.
    #[tokio::test]
    async fn a_wait_for_a_turn_is_not_a_wait_for_an_answer() {
        let server = Server::start(&[DONE]).expect("a server");
        let aws = clients(&server, &Calls::at(1.0, 2.5), Duration::from_secs(1));
        let told = Arc::new(Told::default());
        for _ in 0..5 {
            let request = aws.ec2.delete_vpc_endpoints().vpc_endpoint_ids("vpce-1").send();
            on_behalf_of(told.clone(), request).await.expect("an answer");
        }
        assert_eq!(server.seen().len(), 5);
        let told = told.0.lock().expect("unpoisoned");
        assert_eq!(told[..8], ["starts", "ends"].repeat(4));
        assert_eq!(told[8..], ["waits", "starts", "ends"]);
    }

    #[tokio::test]
    async fn an_answer_that_does_not_come_is_given_up() {
        for answer in [Answer::Silence, Answer::Half] {
            let server = Server::start(std::slice::from_ref(&answer)).expect("a server");
            let aws = clients(&server, &Calls::at(1.0, 1000.0), Duration::from_millis(100));
            let request = aws.ec2.create_vpc().cidr_block("10.0.0.0/16").send().await;
            let error = request.doing("ec2:CreateVpc", "").expect_err("no answer");
            assert_eq!(error.class, Class::Unreachable, "{error}");
            if matches!(answer, Answer::Silence) {
                assert_eq!(error.message, "no answer in time: HTTP read timeout occurred after 100ms");
            }
        }
    }

    /// A retry takes a turn of its own, and the refusal makes all that follow wait: for a second, on a busy machine too.
    #[tokio::test]
    async fn a_refusal_is_heard() {
        let server =
            Server::start(&[Answer::Reply(400, r#"{"__type":"ThrottlingException"}"#), Answer::Reply(200, "{}")]).expect("a server");
        let calls = Calls::at(1.0, 1.0);
        let aws = clients(&server, &calls, READ_TIMEOUT);
        let told = Arc::new(Told::default());
        on_behalf_of(told.clone(), aws.ecs.create_cluster().send()).await.expect("an answer");
        assert_eq!(server.seen(), ["CreateCluster", "CreateCluster"]);
        assert_eq!(*told.0.lock().expect("unpoisoned"), ["starts", "ends", "waits", "starts", "ends"]);
        assert_eq!(calls.total().calls, 2);
    }
}
