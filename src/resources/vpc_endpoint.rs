//! An endpoint of a downstream: interface or gateway, one for all tenants of the infra group.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{Changed, Field, Id, Live, Wanted};
use super::{Reading, Resource};
use crate::aws::{AwsError, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VpcEndpoint {
    pub vpc_id: Id,
    pub service_name: String,
    /// Region of the service, where it is another than the endpoint's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_region: Option<String>,
    /// `Interface` or `Gateway`.
    pub endpoint_type: String,
    pub subnet_ids: Vec<Id>,
    pub security_group_ids: Vec<Id>,
    pub route_table_ids: Vec<Id>,
    pub private_dns_enabled: bool,
    /// In normal form; AWS's default where the spec has none.
    pub policy: Value,
}

pub struct VpcEndpoints;

#[async_trait]
impl Resource for VpcEndpoints {
    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::replace("vpc_id"),
                Field::replace("service_name"),
                Field::replace("service_region"),
                Field::replace("endpoint_type"),
                Field::update("subnet_ids").set(),
                Field::update("security_group_ids").set(),
                Field::update("route_table_ids").set(),
                Field::update("private_dns_enabled"),
                Field::update("policy"),
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
