//! A security group, without its rules.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_ec2::types::{Filter, ResourceType, SecurityGroup as Ec2SecurityGroup};
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Id, Live, Place, Wanted};
use super::{Kind, Reading, Resource, Writes, deletion, filters, once, security_group_rules, tags};
use crate::aws::{AwsError, Class, Doing, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroup {
    pub vpc_id: Id,
    pub group_name: String,
    /// Not compared: AWS cannot change it, and a group of the same name cannot be made beside this one.
    pub description: String,
}

pub struct SecurityGroups;

#[async_trait]
impl Resource for SecurityGroups {
    fn writes(&self) -> Writes {
        Writes { create: &["ec2:CreateSecurityGroup"], update: &[], delete: &["ec2:DeleteSecurityGroup"] }
    }

    fn fields(&self) -> &'static [Field] {
        const { &[Field::replace("vpc_id"), Field::replace("group_name")] }
    }

    /// Groups, ours with both their rule sets: AWS lists them together.
    async fn read(&self, reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        let mut found = Vec::new();
        for group in groups(reading.aws, filters::by_owner(reading.scope)).await? {
            let live = live(reading.place, &group);
            if let Some(owner) = live.owner().filter(|key| reading.scope.wants(&key.scope)) {
                found.extend(security_group_rules::live(&live, &owner.name, &group));
            }
            if filters::is_wanted(reading.scope, &live) {
                found.push(live);
            }
        }
        let seen: BTreeSet<String> = found.iter().map(|live| live.id.clone()).collect();
        // A name that one of ours has is nobody else's, in that VPC.
        let held: BTreeSet<&str> = found.iter().filter_map(|live| live.name.as_deref()).collect();
        let names: Vec<&str> = names_to_look_up(reading).into_iter().filter(|name| !held.contains(name)).collect();
        for names in names.chunks(filters::MAX_VALUES) {
            let holders = groups(reading.aws, vec![filters::filter("group-name", names.iter().copied())]).await?;
            found.extend(holders.iter().map(|group| live(reading.place, group)).filter(|live| !seen.contains(&live.id)));
        }
        Ok(found)
    }

    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        let shape: SecurityGroup = wanted.shape()?;
        let vpc_id = shape.vpc_id.known()?;
        let request = aws
            .ec2()
            .create_security_group()
            .vpc_id(vpc_id)
            .group_name(&shape.group_name)
            .description(&shape.description)
            .tag_specifications(tags::to_ec2_specification(ResourceType::SecurityGroup, &wanted.tags));
        let look = || async {
            let found = groups(aws, [once::same_identity(wanted), vec![filters::filter("vpc-id", [vpc_id])]].concat()).await?;
            Ok(found.iter().filter_map(|group| group.group_id()).map(String::from).collect())
        };
        match request.send().await.doing("ec2:CreateSecurityGroup", &wanted.key) {
            Ok(made) => Ok(made.group_id().unwrap_or_default().to_string()),
            // Its name is taken: an attempt whose answer was lost has made it, or another run.
            Err(error) if error.class == Class::Exists => once::twin(wanted, look).await?.ok_or(error),
            Err(error) => Err(error),
        }
    }

    /// Nothing of a group can be changed but its rules.
    async fn update(&self, _aws: &Writer, live: &Live, _wanted: &Wanted, _changed: &Changed) -> Result<String, AwsError> {
        Ok(live.id.clone())
    }

    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        let request = aws.ec2().delete_security_group().group_id(&live.id);
        let Err(error) = request.send().await.doing("ec2:DeleteSecurityGroup", &live.id) else { return Ok(()) };
        deletion::refused(error, users(aws, &live.id)).await
    }
}

/// Names that specs will take; a tenant takes none.
fn names_to_look_up<'a>(reading: &Reading<'a>) -> Vec<&'a str> {
    let (scope, is_full) = (reading.scope, !reading.scope.is_narrow());
    scope.names_of(Kind::SecurityGroup).filter(|_| is_full).collect()
}

fn live(place: &Place, group: &Ec2SecurityGroup) -> Live {
    let name = group.group_name().unwrap_or_default();
    let shape = SecurityGroup {
        vpc_id: Id::Known(group.vpc_id().unwrap_or_default().into()),
        group_name: name.into(),
        description: group.description().unwrap_or_default().into(),
    };
    Live::new(Kind::SecurityGroup, place, group.group_id().unwrap_or_default(), tags::from_ec2(group.tags()), &shape).named(name)
}

async fn groups(aws: &Reader, filters: Vec<Filter>) -> Result<Vec<Ec2SecurityGroup>, AwsError> {
    let request = aws.ec2().describe_security_groups().set_filters(Some(filters)).max_results(1000);
    request.into_paginator().items().send().try_collect().await.doing("ec2:DescribeSecurityGroups", aws.place())
}

/// What keeps a group from being deleted: interfaces that have it and groups whose rules name it.
async fn users(aws: &Reader, id: &str) -> Result<Vec<String>, AwsError> {
    let naming = |direction: &str| groups(aws, vec![filters::filter(format!("{direction}ip-permission.group-id"), [id])]);
    let (mut users, ingress, egress) =
        futures::try_join!(deletion::interfaces(aws, [filters::filter("group-id", [id])]), naming(""), naming("egress."))?;
    let groups: BTreeSet<&str> = ingress.iter().chain(&egress).filter_map(|group| group.group_id()).filter(|other| *other != id).collect();
    users.extend(groups.into_iter().map(|group| format!("the rules of security group {group}")));
    Ok(users)
}
