//! The task definition of a tenant. A revision never changes: another content is another revision.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Live, Wanted};
use super::{Reading, Resource, Stage};
use crate::aws::{AwsError, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskDefinition {
    pub family: String,
    pub cpu: String,
    pub memory: String,
    pub task_role_arn: String,
    pub execution_role_arn: String,
    /// `X86_64` or `ARM64`.
    pub cpu_architecture: String,
    /// `FARGATE` or `EC2`.
    pub requires_compatibilities: Vec<String>,
    /// GiB; null for AWS's default.
    pub ephemeral_storage: Option<i32>,
    /// By name.
    pub containers: BTreeMap<String, Container>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Container {
    pub image: String,
    pub essential: bool,
    pub command: Vec<String>,
    pub environment: BTreeMap<String, String>,
    /// Name to the ARN of the secret or parameter; never its value.
    pub secrets: BTreeMap<String, String>,
    /// TCP ports that it listens on, sorted.
    pub ports: Vec<u16>,
    /// CPU units reserved; 0 for none.
    pub cpu: i32,
    /// MiB at which it is killed; null for none.
    pub memory: Option<i32>,
    pub health_check: Option<ContainerHealthCheck>,
    /// Options of the `awslogs` driver.
    pub log_options: BTreeMap<String, String>,
    /// Whether an init process reaps zombies, as ECS Exec wants it.
    pub init_process: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerHealthCheck {
    pub command: Vec<String>,
    pub interval: i32,
    pub timeout: i32,
    pub retries: i32,
    pub start_period: i32,
}

pub struct TaskDefinitions;

#[async_trait]
impl Resource for TaskDefinitions {
    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::update("family"),
                Field::update("cpu"),
                Field::update("memory"),
                Field::update("task_role_arn"),
                Field::update("execution_role_arn"),
                Field::update("cpu_architecture"),
                Field::update("requires_compatibilities").set(),
                Field::update("ephemeral_storage"),
                Field::update("containers"),
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
