//! A route table of an infra group: its routes and the subnets that use it, both closed sets.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Id, Live, Wanted};
use super::{Reading, Resource};
use crate::aws::{AwsError, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteTable {
    pub vpc_id: Id,
    /// Without the local route and those of gateway endpoints, which belong to the endpoint.
    pub routes: Vec<Route>,
    /// Subnets that are associated with it.
    pub subnet_ids: Vec<Id>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// IPv4 block (or, on a live one, IPv6 block or prefix list).
    pub destination: String,
    /// Gateway or other target.
    pub target: Id,
}

pub struct RouteTables;

#[async_trait]
impl Resource for RouteTables {
    fn fields(&self) -> &'static [Field] {
        const { &[Field::replace("vpc_id"), Field::update("routes").set(), Field::update("subnet_ids").set()] }
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
