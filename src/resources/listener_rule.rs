//! The listener rule that sends a tenant's requests to its target group.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{Changed, Field, Id, Live, Wanted};
use super::{Reading, Resource, Stage};
use crate::aws::{AwsError, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListenerRule {
    pub listener_arn: Id,
    /// A live rule keeps its priority within the band `from`-`to`; a new one gets the lowest that is free when it is made.
    pub priority: Value,
    /// All have to match.
    pub conditions: Vec<Condition>,
    /// The target group that it forwards to; none on a live rule that does something else.
    pub target_group_arn: Option<Id>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Condition {
    /// `path-pattern`, `http-header`, or another of AWS's on a live rule.
    pub field: String,
    /// Name of the header, for `http-header`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Sorted: any of them matches.
    pub values: Vec<String>,
}

pub struct ListenerRules;

#[async_trait]
impl Resource for ListenerRules {
    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::replace("listener_arn"),
                Field::update("priority"),
                Field::update("conditions").set(),
                Field::update("target_group_arn"),
            ]
        }
    }

    fn stage(&self) -> Stage {
        Stage::Third
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
