//! The addresses registered in the target group of a tenant that runs outside ECS: a closed set.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Id, Live, Wanted};
use super::{Reading, Resource, Stage};
use crate::aws::{AwsError, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Targets {
    pub target_group_arn: Id,
    pub port: i32,
    /// IPv4 addresses; draining ones are gone already.
    pub addresses: Vec<String>,
    /// Block of the VPC: an address outside it is registered with the zone `all`. Not compared on a live one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_cidr: Option<String>,
}

pub struct TargetSets;

#[async_trait]
impl Resource for TargetSets {
    fn fields(&self) -> &'static [Field] {
        const { &[Field::replace("target_group_arn"), Field::replace("port"), Field::update("addresses").set()] }
    }

    fn stage(&self) -> Stage {
        Stage::Last
    }

    fn is_tagged(&self) -> bool {
        false
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
