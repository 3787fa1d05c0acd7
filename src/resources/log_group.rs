//! The log group of an infra group; each tenant has a stream prefix in it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Live, Wanted};
use super::{Reading, Resource};
use crate::aws::{AwsError, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogGroup {
    pub log_group_name: String,
    /// Days; null on a live one whose logs never expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_in_days: Option<i32>,
}

pub struct LogGroups;

#[async_trait]
impl Resource for LogGroups {
    fn fields(&self) -> &'static [Field] {
        const { &[Field::replace("log_group_name"), Field::update("retention_in_days")] }
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
