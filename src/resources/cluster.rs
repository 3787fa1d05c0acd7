//! The ECS cluster of one tenant.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Live, Wanted};
use super::{Reading, Resource};
use crate::aws::{AwsError, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    pub cluster_name: String,
    /// Capacity providers that services of the cluster may use.
    pub capacity_providers: Vec<String>,
    /// `disabled`, `enabled` or `enhanced`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_insights: Option<String>,
}

pub struct Clusters;

#[async_trait]
impl Resource for Clusters {
    fn fields(&self) -> &'static [Field] {
        const { &[Field::replace("cluster_name"), Field::update("capacity_providers").set(), Field::update("container_insights")] }
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
