//! A subnet of an infra group, in one Availability Zone.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{Changed, Field, Id, Live, Wanted};
use super::{Reading, Resource};
use crate::aws::{AwsError, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subnet {
    pub vpc_id: Id,
    /// A block, or while it is desired one of several: a live subnet keeps its own.
    pub cidr_block: Value,
    pub availability_zone: String,
    /// Whether what starts here gets a public address; never, for tasks.
    pub map_public_ip_on_launch: bool,
}

pub struct Subnets;

#[async_trait]
impl Resource for Subnets {
    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::replace("vpc_id"),
                Field::replace("cidr_block"),
                Field::replace("availability_zone"),
                Field::update("map_public_ip_on_launch"),
            ]
        }
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
