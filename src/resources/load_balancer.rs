//! The Application Load Balancer of an infra group, and its attributes.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Id, Live, Wanted};
use super::{Reading, Resource};
use crate::aws::{AwsError, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadBalancer {
    pub load_balancer_name: String,
    /// `internal` or `internet-facing`.
    pub scheme: String,
    pub subnet_ids: Vec<Id>,
    pub security_group_ids: Vec<Id>,
    /// By AWS's key, as `deletion_protection.enabled`: only those managed; on a live one all, or none in a narrow read.
    pub attributes: BTreeMap<String, String>,
}

pub struct LoadBalancers;

#[async_trait]
impl Resource for LoadBalancers {
    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::replace("load_balancer_name"),
                Field::replace("scheme"),
                Field::update("subnet_ids").set(),
                Field::update("security_group_ids").set(),
                Field::update("attributes"),
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
