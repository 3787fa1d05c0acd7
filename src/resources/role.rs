//! An IAM role of an infra group, with the policies that are its own and those attached: closed sets.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{Changed, Field, Live, Wanted};
use super::{Reading, Resource};
use crate::aws::{AwsError, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Role {
    pub role_name: String,
    pub path: String,
    /// In normal form.
    pub assume_role_policy: Value,
    /// ARN; null where there is none.
    pub permissions_boundary: Option<String>,
    /// ARNs.
    pub managed_policies: Vec<String>,
    /// Name to document in normal form.
    pub inline_policies: BTreeMap<String, Value>,
}

pub struct Roles;

#[async_trait]
impl Resource for Roles {
    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::replace("role_name"),
                Field::replace("path"),
                Field::update("assume_role_policy"),
                Field::update("permissions_boundary"),
                Field::update("managed_policies").set(),
                Field::update("inline_policies"),
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
