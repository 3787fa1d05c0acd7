//! A security group, without its rules.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Id, Live, Wanted};
use super::{Reading, Resource};
use crate::aws::{AwsError, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroup {
    pub vpc_id: Id,
    pub group_name: String,
    pub description: String,
}

pub struct SecurityGroups;

#[async_trait]
impl Resource for SecurityGroups {
    fn fields(&self) -> &'static [Field] {
        const { &[Field::replace("vpc_id"), Field::replace("group_name"), Field::replace("description")] }
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
