//! The requests of a run: counts all that leave, polls of waits apart, and refuses writes on a session that may only read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::pace::Pace;

tokio::task_local! {
    static POLLING: ();
}

/// Counts the requests of this future as polls: they ask whether something is ready.
pub async fn polling<F: Future>(future: F) -> F::Output {
    POLLING.scope((), future).await
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct CallCount {
    pub calls: u64,
    pub polls: u64,
}

/// The requests that all sessions of a run make: by service and action, retries included, and the pace at which they go.
#[derive(Debug, Clone)]
pub struct Calls {
    counts: Arc<Mutex<BTreeMap<String, CallCount>>>,
    pub(super) pace: Pace,
}

impl Calls {
    /// None so far. They may use this share of the rates that AWS publishes; `time_scale` is how much faster than time the
    /// clock of these rates runs.
    pub fn at(share: f64, time_scale: f64) -> Self {
        Self { counts: Arc::default(), pace: Pace::new(share, time_scale) }
    }

    /// Requests so far, as `service:Action`.
    pub fn by_action(&self) -> BTreeMap<String, CallCount> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn total(&self) -> CallCount {
        self.by_action()
            .values()
            .fold(CallCount::default(), |sum, count| CallCount { calls: sum.calls + count.calls, polls: sum.polls + count.polls })
    }

    fn add(&self, service: &str, action: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(format!("{}:{action}", service_name(service))).or_default();
        match POLLING.try_with(|()| ()) {
            Ok(()) => count.polls += 1,
            Err(_) => count.calls += 1,
        }
    }
}

/// The service as IAM and the AWS CLI write it.
pub(super) fn service_name(sdk: &str) -> String {
    match sdk {
        "Elastic Load Balancing v2" => "elasticloadbalancing".into(),
        "CloudWatch Logs" => "logs".into(),
        "Application Auto Scaling" => "application-autoscaling".into(),
        "Resource Groups Tagging API" => "tag".into(),
        other => other.to_lowercase().replace(' ', ""),
    }
}

#[derive(Debug)]
pub(super) struct CountCalls(pub(super) Calls);

#[dyn_dispatch_hint]
impl Intercept for CountCalls {
    fn name(&self) -> &'static str {
        "CountCalls"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(operation) = config.load::<Metadata>() {
            self.0.add(operation.service(), operation.name());
        }
        Ok(())
    }
}

/// The second lock on a session that may only read: the first is that `Reader` has no method that writes.
#[derive(Debug)]
pub(super) struct RefuseWrites;

#[dyn_dispatch_hint]
impl Intercept for RefuseWrites {
    fn name(&self) -> &'static str {
        "RefuseWrites"
    }

    fn read_before_serialization(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let action = config.load::<Metadata>().map(|operation| operation.name().to_string()).unwrap_or_default();
        match is_read(&action) {
            true => Ok(()),
            false => Err(format!("{action} writes, and this session may only read").into()),
        }
    }
}

pub(super) fn is_read(action: &str) -> bool {
    ["Describe", "List", "Get"].iter().any(|verb| action.starts_with(verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn polls_are_counted_apart() {
        let calls = Calls::at(1.0, 1.0);
        calls.add("EC2", "DescribeVpcs");
        polling(async { calls.add("ECS", "DescribeServices") }).await;
        assert_eq!(calls.total(), CallCount { calls: 1, polls: 1 });
        assert_eq!(calls.by_action()["ecs:DescribeServices"], CallCount { calls: 0, polls: 1 });
    }

    #[test]
    fn only_reading_verbs_are_reads() {
        assert!(is_read("DescribeVpcs") && is_read("ListClusters") && is_read("GetCallerIdentity"));
        assert!(!is_read("CreateVpc") && !is_read("DeleteRule") && !is_read("PutRolePolicy"));
    }
}
