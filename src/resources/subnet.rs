//! A subnet of an infra group, in one Availability Zone.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, Subnet as Ec2Subnet, SubnetState};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{Changed, Condition, Field, Id, Live, Place, ShapeError, TAG_PREFIX, Wanted};
use super::{Kind, Reading, Resource, Stage, Writes, deletion, eventually, filters, once, tags};
use crate::aws::{AwsError, Class, Doing, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subnet {
    pub vpc_id: Id,
    /// A block, or while it is desired one of several: a live subnet keeps its own.
    pub cidr_block: Value,
    pub availability_zone: String,
    /// Whether what starts here gets a public address; never, for tasks.
    pub map_public_ip_on_launch: bool,
}

pub struct Subnets;

#[async_trait]
impl Resource for Subnets {
    fn writes(&self) -> Writes {
        Writes { create: &["ec2:CreateSubnet"], update: &["ec2:ModifySubnetAttribute"], delete: &["ec2:DeleteSubnet"] }
    }

    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::replace("vpc_id"),
                Field::replace("cidr_block"),
                Field::replace("availability_zone"),
                Field::update("map_public_ip_on_launch"),
            ]
        }
    }

    fn stage(&self) -> Stage {
        Stage::Second
    }

    fn found_through(&self) -> &'static [Kind] {
        &[Kind::Vpc]
    }

    /// Those of others in our VPCs too, where all is read: they take blocks.
    async fn read(&self, reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        let scope = reading.scope;
        let vpcs: BTreeSet<&str> = reading.ours(Kind::Vpc).map(|vpc| vpc.id.as_str()).collect();
        let found = reading
            .aws
            .ec2()
            .describe_subnets()
            .set_filters(scope.is_narrow().then(|| filters::by_owner(scope)))
            .max_results(1000)
            .into_paginator()
            .items()
            .send()
            .try_collect()
            .await
            .doing("ec2:DescribeSubnets", reading.place)?;
        let found = found.iter().map(|subnet| live(reading.place, subnet));
        let is_ours = |live: &Live| live.tags.keys().any(|key| key.starts_with(TAG_PREFIX)) && filters::is_wanted(scope, live);
        let takes_a_block = |live: &Live| live.text("vpc_id").is_some_and(|vpc| vpcs.contains(vpc));
        Ok(found.filter(|live| is_ours(live) || live.owner().is_none() && takes_a_block(live)).collect())
    }

    fn set_after_creation(&self) -> &'static [&'static str] {
        &["map_public_ip_on_launch"]
    }

    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        let shape: Subnet = wanted.shape()?;
        let vpc_id = shape.vpc_id.known()?;
        let block = shape.cidr_block.as_str().ok_or_else(|| ShapeError(format!("no block has been chosen for {}", wanted.key)))?;
        let look = || async {
            let filters = [once::same_identity(wanted), vec![filters::filter("vpc-id", [vpc_id])]].concat();
            let found = aws.ec2().describe_subnets().set_filters(Some(filters)).send().await.doing("ec2:DescribeSubnets", &wanted.key)?;
            Ok(found.subnets().iter().filter_map(|subnet| subnet.subnet_id()).map(String::from).collect())
        };
        let send = || async {
            let request = aws.ec2().create_subnet().vpc_id(vpc_id).cidr_block(block).availability_zone(&shape.availability_zone);
            let request = request.tag_specifications(tags::to_ec2_specification(ResourceType::Subnet, &wanted.tags));
            match request.send().await.doing("ec2:CreateSubnet", &wanted.key) {
                Ok(made) => Ok(made.subnet().and_then(|subnet| subnet.subnet_id()).unwrap_or_default().to_string()),
                // Another run has just made it.
                Err(error) if error.code.as_deref() == Some("InvalidSubnet.Conflict") => match once::twin(wanted, look).await? {
                    Some(id) => Ok(id),
                    None => Err(block_held(aws, error, vpc_id, block).await),
                },
                Err(error) => Err(error),
            }
        };
        let id = once::make(wanted, look, send).await?;
        // Off is what AWS starts with.
        // <https://docs.aws.amazon.com/vpc/latest/userguide/subnet-public-ip.html>
        if shape.map_public_ip_on_launch {
            eventually::known(|| map_public_ip(aws, &id, true)).await?;
        }
        Ok(id)
    }

    async fn update(&self, aws: &Writer, live: &Live, wanted: &Wanted, changed: &Changed) -> Result<String, AwsError> {
        if changed.has("map_public_ip_on_launch") {
            let shape: Subnet = wanted.shape()?;
            map_public_ip(aws, &live.id, shape.map_public_ip_on_launch).await?;
        }
        Ok(live.id.clone())
    }

    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        let result = aws.ec2().delete_subnet().subnet_id(&live.id).send().await.doing("ec2:DeleteSubnet", &live.id);
        let Err(error) = result else { return Ok(()) };
        let inside = [filters::filter("subnet-id", [&live.id])];
        deletion::refused(error, deletion::interfaces(aws, inside)).await
    }

    async fn condition(&self, aws: &Reader, id: &str, _wanted: &Wanted) -> Result<Condition, AwsError> {
        match aws.ec2().describe_subnets().subnet_ids(id).send().await.doing("ec2:DescribeSubnets", id) {
            Ok(answer) => Ok(answer.subnets().first().map_or_else(|| not_listed(id), condition_of)),
            Err(error) if error.class == Class::NotFound => Ok(not_listed(id)),
            Err(error) => Err(error),
        }
    }
}

fn not_listed(id: &str) -> Condition {
    Condition::Absent(format!("AWS does not list {id}"))
}

fn live(place: &Place, subnet: &Ec2Subnet) -> Live {
    let shape = Subnet {
        vpc_id: Id::Known(subnet.vpc_id().unwrap_or_default().into()),
        cidr_block: subnet.cidr_block().unwrap_or_default().into(),
        availability_zone: subnet.availability_zone().unwrap_or_default().into(),
        map_public_ip_on_launch: subnet.map_public_ip_on_launch().unwrap_or(false),
    };
    let id = subnet.subnet_id().unwrap_or_default();
    Live::new(Kind::Subnet, place, id, tags::from_ec2(subnet.tags()), &shape).in_condition(condition_of(subnet))
}

fn condition_of(subnet: &Ec2Subnet) -> Condition {
    match subnet.state() {
        None | Some(SubnetState::Available) => Condition::Ready,
        Some(SubnetState::Pending) => Condition::Pending("AWS is making the subnet".into()),
        Some(other) => Condition::Failed(format!("AWS says that the subnet is {}", other.as_str())),
    }
}

/// The error with whose subnet has the block, or a part of it.
async fn block_held(aws: &Reader, error: AwsError, vpc_id: &str, block: &str) -> AwsError {
    let request = aws.ec2().describe_subnets().filters(filters::filter("vpc-id", [vpc_id]));
    let Ok(found) = request.into_paginator().items().send().try_collect().await else { return error };
    let overlaps = |other: &str| match (block.parse::<Ipv4Net>(), other.parse::<Ipv4Net>()) {
        (Ok(ours), Ok(theirs)) => ours.contains(&theirs) || theirs.contains(&ours),
        _ => false,
    };
    let holder = found.iter().find(|subnet| subnet.cidr_block().is_some_and(overlaps));
    let Some((id, cidr)) = holder.and_then(|subnet| Some((subnet.subnet_id()?, subnet.cidr_block()?))) else { return error };
    let message = format!("{id} ({cidr}) is in the way of {block} in {vpc_id}, which is this tier's alone");
    AwsError { message, class: Class::Others, ..error }
}

async fn map_public_ip(aws: &Writer, id: &str, on: bool) -> Result<(), AwsError> {
    let value = AttributeBooleanValue::builder().value(on).build();
    let request = aws.ec2().modify_subnet_attribute().subnet_id(id).map_public_ip_on_launch(value);
    request.send().await.doing("ec2:ModifySubnetAttribute", id).map(|_| ())
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_reads_as_it_would_be_wanted() {
        let subnet = Ec2Subnet::builder()
            .subnet_id("subnet-1")
            .vpc_id("vpc-1")
            .cidr_block("10.0.0.0/20")
            .availability_zone("us-east-1a")
            .state(SubnetState::Pending)
            .build();
        let wanted = Subnet {
            vpc_id: Id::Known("vpc-1".into()),
            cidr_block: "10.0.0.0/20".into(),
            availability_zone: "us-east-1a".into(),
            map_public_ip_on_launch: false,
        };
        let live = live(&Place { account: "123456789012".into(), region: "us-east-1".into() }, &subnet);
        assert_eq!(live.shape::<Subnet>().expect("its shape"), wanted);
        assert!(matches!(live.condition, Condition::Pending(_)));
    }
}
