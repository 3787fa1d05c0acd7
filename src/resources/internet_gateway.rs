//! The internet gateway of an internet-facing infra group, attached to its VPC.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Id, Live, Wanted};
use super::{Reading, Resource};
use crate::aws::{AwsError, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InternetGateway {
    /// None on a live one that is not attached.
    pub vpc_id: Option<Id>,
}

pub struct InternetGateways;

#[async_trait]
impl Resource for InternetGateways {
    fn fields(&self) -> &'static [Field] {
        const { &[Field::update("vpc_id")] }
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
