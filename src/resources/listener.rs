//! A listener of an infra group's load balancer: unknown requests get 404, plain HTTP is sent to HTTPS.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Id, Live, Wanted};
use super::{Reading, Resource, Stage};
use crate::aws::{AwsError, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    pub load_balancer_arn: Id,
    pub port: i32,
    /// `HTTP` or `HTTPS`.
    pub protocol: String,
    /// ARN of the default certificate; null without TLS.
    pub certificate_arn: Option<String>,
    /// Null without TLS.
    pub ssl_policy: Option<String>,
    pub default_action: DefaultAction,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum DefaultAction {
    FixedResponse {
        status_code: String,
        content_type: String,
        message_body: String,
    },
    Redirect {
        protocol: String,
        port: String,
        status_code: String,
    },
    /// Anything else that somebody has put there; what it was is in `what`.
    Other {
        what: String,
    },
}

pub struct Listeners;

#[async_trait]
impl Resource for Listeners {
    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::replace("load_balancer_arn"),
                Field::replace("port"),
                Field::update("protocol"),
                Field::update("certificate_arn"),
                Field::update("ssl_policy"),
                Field::update("default_action"),
            ]
        }
    }

    fn stage(&self) -> Stage {
        Stage::Second
    }

    async fn read(&self, _reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        unimplemented!()
    }

    async fn create(&self, _aws: &Writer, _wanted: &Wanted) -> Result<String, AwsError> {
        unimplemented!()
    }

    async fn update(&self, _aws: &Writer, _live: &Live, _wanted: &Wanted, _changed: &Changed) -> Result<String, AwsError> {
        unimplemented!()
    }

    async fn delete(&self, _aws: &Writer, _live: &Live) -> Result<(), AwsError> {
        unimplemented!()
    }
}
