//! The target group of one tenant: what the load balancer sends its requests to, and its health check.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{Changed, Field, Id, Live, Wanted};
use super::{Reading, Resource, Stage};
use crate::aws::{AwsError, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetGroup {
    pub target_group_name: String,
    pub vpc_id: Id,
    pub protocol: String,
    pub port: i32,
    pub target_type: String,
    /// By AWS's name (`health_check_path`, `health_check_interval_seconds`, `health_check_timeout_seconds`,
    /// `healthy_threshold_count`, `unhealthy_threshold_count`, `matcher`): only those that the spec sets.
    pub health_check: BTreeMap<String, Value>,
    /// By AWS's key, as `deregistration_delay.timeout_seconds`: only those that the spec sets.
    pub attributes: BTreeMap<String, String>,
}

pub struct TargetGroups;

#[async_trait]
impl Resource for TargetGroups {
    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::replace("target_group_name"),
                Field::replace("vpc_id"),
                Field::replace("protocol"),
                Field::replace("port"),
                Field::replace("target_type"),
                Field::update("health_check"),
                Field::update("attributes"),
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
