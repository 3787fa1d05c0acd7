//! One session per cell: its credentials, its clients, and the proof that it is in the right account.

use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::retry::RetryPartition;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::retry::RetryConfig;

use super::calls::{CountCalls, RefuseWrites};
use super::gate::{Gate, HearAnswers};
use super::retries::{QuotasAreFinal, SendOnce};
use super::{AwsError, Calls, Class, Doing};
use crate::resources::model::Place;

/// A connection that does not come about is given up after this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer that does not come is given up after this; the SDK sets no such timeout of its own. Its timeouts for a whole
/// attempt or operation would also count the time in which a request waits for its turn.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Attempts at a request that AWS throttles or fails.
const MAX_ATTEMPTS: u32 = 8;

/// Requests for single things that a run has under way at once in all its accounts together, and the fewest and the most in one:
/// each takes a connection of its own, some 40 KB. With 60 ms to an answer the fewest are more than ECS lets through.
const AT_ONCE_IN_ALL: usize = 160;
const AT_ONCE_IN_ONE: std::ops::RangeInclusive<usize> = 8..=64;

/// Attempts at entering an account.
const FIRST_ATTEMPTS: u32 = 4;

/// The settings of a service's client: its requests are counted and take turns, and only what can succeed is sent again.
macro_rules! client_config {
    ($sdk:ident, $config:expr, $place:expr, $calls:expr) => {{
        let (config, place, calls): (&SdkConfig, &Place, &Calls) = ($config, $place, $calls);
        let identities = config.identity_cache().unwrap_or_else(|| IdentityCache::lazy().build());
        $sdk::config::Builder::from(config)
            .identity_cache(Gate { pace: calls.pace.clone(), place: place.clone(), identities })
            .interceptor(HearAnswers { pace: calls.pace.clone(), place: place.clone() })
            .interceptor(CountCalls(calls.clone()))
            .interceptor(SendOnce)
            .retry_classifier(QuotasAreFinal)
            // One account that is throttled a lot must not use up the retries of the others.
            .retry_partition(RetryPartition::new(concat!(stringify!($sdk), ", ").to_string() + &place.to_string()))
    }};
}

/// Whether a session may change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    Read,
    Write,
}

/// How a cell's account is entered: as the environment says, then through a role if there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Credentials {
    pub role: Option<String>,
    pub external_id: Option<String>,
}

/// The clients of one account and Region.
#[derive(Debug, Clone)]
pub(super) struct Clients {
    pub(super) ec2: aws_sdk_ec2::Client,
    pub(super) ecs: aws_sdk_ecs::Client,
    pub(super) elb: aws_sdk_elasticloadbalancingv2::Client,
    pub(super) iam: aws_sdk_iam::Client,
    pub(super) logs: aws_sdk_cloudwatchlogs::Client,
    scaling: aws_sdk_applicationautoscaling::Client,
    tagging: aws_sdk_resourcegroupstagging::Client,
}

impl Clients {
    pub(super) fn new(config: &SdkConfig, place: &Place, access: Access, calls: &Calls) -> Self {
        macro_rules! client {
            ($sdk:ident) => {{
                let mut builder = client_config!($sdk, config, place, calls);
                if access == Access::Read {
                    builder = builder.interceptor(RefuseWrites);
                }
                $sdk::Client::from_conf(builder.build())
            }};
        }
        Self {
            ec2: client!(aws_sdk_ec2),
            ecs: client!(aws_sdk_ecs),
            elb: client!(aws_sdk_elasticloadbalancingv2),
            iam: client!(aws_sdk_iam),
            logs: client!(aws_sdk_cloudwatchlogs),
            scaling: client!(aws_sdk_applicationautoscaling),
            tagging: client!(aws_sdk_resourcegroupstagging),
        }
    }
}

/// One account and Region, entered and checked.
#[derive(Debug, Clone)]
pub struct Session {
    place: Place,
    clients: Clients,
    access: Access,
    at_once: usize,
}

/// Reads of one account and Region.
#[derive(Debug, Clone)]
pub struct Reader(Session);

/// Reads and writes of one account and Region.
#[derive(Debug, Clone)]
pub struct Writer(Reader);

impl Session {
    /// Enters an account, one of so many of a run, and fails if the credentials lead to another one than the place names.
    pub async fn open(place: &Place, credentials: &Credentials, access: Access, calls: &Calls, of: usize) -> Result<Self, AwsError> {
        let config = configure(place, credentials).await;
        let sts = client_config!(aws_sdk_sts, &config, place, calls).retry_config(first_contact());
        let identity = aws_sdk_sts::Client::from_conf(sts.build()).get_caller_identity().send().await;
        let identity = match (&credentials.role, &identity) {
            // It was not sent: there were no credentials to sign it with.
            (Some(role), Err(SdkError::DispatchFailure(_))) => identity.doing("sts:AssumeRole", role),
            _ => identity.doing("sts:GetCallerIdentity", place),
        };
        let identity = identity.map_err(name_profile)?;
        let account = identity.account().unwrap_or_default();
        if account != place.account {
            let who = identity.arn().unwrap_or("the credentials in use");
            let message = format!("{who} is in account {account}, and the spec says account {}", place.account);
            return Err(AwsError::new("sts:GetCallerIdentity", place, Class::WrongAccount, message));
        }
        let at_once = (AT_ONCE_IN_ALL / of.max(1)).clamp(*AT_ONCE_IN_ONE.start(), *AT_ONCE_IN_ONE.end());
        Ok(Self { place: place.clone(), clients: Clients::new(&config, place, access, calls), access, at_once })
    }

    pub fn reader(&self) -> Reader {
        Reader(self.clone())
    }

    /// A writer, if the session was opened for one.
    pub fn writer(&self) -> Option<Writer> {
        (self.access == Access::Write).then(|| Writer(self.reader()))
    }
}

/// Where no answer comes to the first request, more attempts than these only make the user wait.
fn first_contact() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(FIRST_ATTEMPTS)
}

/// A profile that is named wrongly is the likeliest reason why there are no credentials.
fn name_profile(error: AwsError) -> AwsError {
    match std::env::var("AWS_PROFILE") {
        Ok(profile) if error.class == Class::Credentials && error.code.is_none() && !error.message.contains(&profile) => {
            AwsError { message: format!("{} (AWS_PROFILE is {profile})", error.message), ..error }
        }
        _ => error,
    }
}

async fn configure(place: &Place, credentials: &Credentials) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(super::http::client())
        .region(Region::new(place.region.clone()))
        .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
        .timeout_config(timeouts)
        .load()
        .await;
    let Some(role) = &credentials.role else { return config };
    let first = config.to_builder().retry_config(first_contact()).build();
    let mut provider = AssumeRoleProvider::builder(role).session_name("tierctl").configure(&first);
    if let Some(external_id) = &credentials.external_id {
        provider = provider.external_id(external_id);
    }
    let provider = SharedCredentialsProvider::new(provider.build().await);
    config.into_builder().credentials_provider(provider).build()
}

impl Reader {
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// Requests for single things that may be under way at once.
    pub fn at_once(&self) -> usize {
        self.0.at_once
    }

    pub fn ec2(&self) -> &aws_sdk_ec2::Client {
        &self.0.clients.ec2
    }

    pub fn ecs(&self) -> &aws_sdk_ecs::Client {
        &self.0.clients.ecs
    }

    pub fn elb(&self) -> &aws_sdk_elasticloadbalancingv2::Client {
        &self.0.clients.elb
    }

    pub fn iam(&self) -> &aws_sdk_iam::Client {
        &self.0.clients.iam
    }

    pub fn logs(&self) -> &aws_sdk_cloudwatchlogs::Client {
        &self.0.clients.logs
    }

    pub fn scaling(&self) -> &aws_sdk_applicationautoscaling::Client {
        &self.0.clients.scaling
    }

    pub fn tagging(&self) -> &aws_sdk_resourcegroupstagging::Client {
        &self.0.clients.tagging
    }
}

impl Writer {
    pub fn reader(&self) -> &Reader {
        &self.0
    }
}

impl std::ops::Deref for Writer {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.0
    }
}
