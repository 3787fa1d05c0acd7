//! The ECS service of a tenant, registered to its target group.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Id, Live, Wanted};
use super::{Reading, Resource, Stage};
use crate::aws::{AwsError, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    pub cluster_arn: Id,
    pub service_name: String,
    pub task_definition: Id,
    /// Absent where a scalable target owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_count: Option<i32>,
    pub target_group_arn: Option<Id>,
    pub container_name: String,
    pub container_port: i32,
    pub subnet_ids: Vec<Id>,
    pub security_group_ids: Vec<Id>,
    pub assign_public_ip: bool,
    pub capacity_provider_strategy: Vec<CapacityProvider>,
    pub enable_execute_command: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_grace_period_seconds: Option<i32>,
    pub minimum_healthy_percent: i32,
    pub maximum_percent: i32,
    pub circuit_breaker: bool,
    pub rollback: bool,
    /// `COMPLETED`, or `FAILED` where the last roll-out was given up: then a new one is forced.
    pub rollout: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapacityProvider {
    pub capacity_provider: String,
    pub weight: i32,
    pub base: i32,
}

pub struct Services;

#[async_trait]
impl Resource for Services {
    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::replace("cluster_arn"),
                Field::replace("service_name"),
                Field::update("task_definition"),
                Field::update("desired_count"),
                Field::update("target_group_arn"),
                Field::update("container_name"),
                Field::update("container_port"),
                Field::update("subnet_ids").set(),
                Field::update("security_group_ids").set(),
                Field::update("assign_public_ip"),
                Field::update("capacity_provider_strategy").set(),
                Field::update("enable_execute_command"),
                Field::update("health_check_grace_period_seconds"),
                Field::update("minimum_healthy_percent"),
                Field::update("maximum_percent"),
                Field::update("circuit_breaker"),
                Field::update("rollback"),
                Field::update("rollout"),
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
