//! All rules of one direction of a security group: a closed set, so a rule added by hand is found and removed.
//!
//! Named `<group>-ingress` and `<group>-egress`; read with their groups, at no further call.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Id, Live, Wanted};
use super::{Reading, Resource};
use crate::aws::{AwsError, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroupRules {
    pub group_id: Id,
    pub direction: Direction,
    pub rules: Vec<Rule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Ingress,
    Egress,
}

/// One permission: AWS's `IpPermissions` taken apart into a rule for each peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// `tcp`, `udp`, `icmp`, or `-1` for all.
    pub protocol: String,
    /// First and last port; none where the protocol has none.
    pub from_port: Option<i32>,
    pub to_port: Option<i32>,
    /// An IPv4 or IPv6 block, a prefix list's id, or a security group's.
    pub peer: Id,
}

pub struct SecurityGroupRuleSets;

#[async_trait]
impl Resource for SecurityGroupRuleSets {
    fn fields(&self) -> &'static [Field] {
        const { &[Field::replace("group_id"), Field::replace("direction"), Field::update("rules").set()] }
    }

    fn is_tagged(&self) -> bool {
        false
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
