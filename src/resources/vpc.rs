//! The VPC of an infra group, with both DNS attributes.

use async_trait::async_trait;
use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, VpcAttributeName};
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Key, Live, Wanted};
use super::{Kind, Reading, Resource, Writes, deletion, eventually, filters, once, tags};
use crate::aws::{AwsError, Doing, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vpc {
    pub cidr_block: String,
    /// Absent where it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_dns_support: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_dns_hostnames: Option<bool>,
}

pub struct Vpcs;

#[async_trait]
impl Resource for Vpcs {
    fn writes(&self) -> Writes {
        Writes { create: &["ec2:CreateVpc"], update: &["ec2:ModifyVpcAttribute"], delete: &["ec2:DeleteVpc"] }
    }

    fn fields(&self) -> &'static [Field] {
        const { &[Field::replace("cidr_block"), Field::update("enable_dns_support"), Field::update("enable_dns_hostnames")] }
    }

    async fn read(&self, reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        let mut found = Vec::new();
        let mut pages = reading
            .aws
            .ec2()
            .describe_vpcs()
            .set_filters(Some(filters::by_owner(reading.scope)))
            .max_results(1000)
            .into_paginator()
            .items()
            .send();
        while let Some(vpc) = pages.next().await {
            let vpc = vpc.doing("ec2:DescribeVpcs", reading.place)?;
            let id = vpc.vpc_id().unwrap_or_default();
            let tags = tags::from_ec2(vpc.tags());
            let is_wanted = Key::from_tags(Kind::Vpc, &tags).is_some_and(|key| reading.scope.wants(&key.scope));
            let (support, hostnames) = if reading.scope.is_narrow() || !is_wanted {
                (None, None)
            } else {
                let (support, hostnames) = futures::try_join!(
                    attribute(reading.aws, id, VpcAttributeName::EnableDnsSupport),
                    attribute(reading.aws, id, VpcAttributeName::EnableDnsHostnames)
                )?;
                (Some(support), Some(hostnames))
            };
            let shape = Vpc {
                cidr_block: vpc.cidr_block().unwrap_or_default().into(),
                enable_dns_support: support,
                enable_dns_hostnames: hostnames,
            };
            found.push(Live::new(Kind::Vpc, reading.place, id, tags, &shape));
        }
        Ok(found)
    }

    fn set_after_creation(&self) -> &'static [&'static str] {
        &["enable_dns_support", "enable_dns_hostnames"]
    }

    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        let shape: Vpc = wanted.shape()?;
        let look = || async {
            let request = aws.ec2().describe_vpcs().set_filters(Some(once::same_identity(wanted)));
            let found = request.send().await.doing("ec2:DescribeVpcs", &wanted.key)?;
            Ok(found.vpcs().iter().filter_map(|vpc| vpc.vpc_id()).map(String::from).collect())
        };
        let send = || async {
            let request = aws.ec2().create_vpc().cidr_block(&shape.cidr_block);
            let request = request.tag_specifications(tags::to_ec2_specification(ResourceType::Vpc, &wanted.tags));
            let made = request.send().await.doing("ec2:CreateVpc", &wanted.key)?;
            Ok(made.vpc().and_then(|vpc| vpc.vpc_id()).unwrap_or_default().to_string())
        };
        let id = once::make(wanted, look, send).await?;
        eventually::known(|| set_attributes(aws, &id, &shape)).await?;
        Ok(id)
    }

    async fn update(&self, aws: &Writer, live: &Live, wanted: &Wanted, changed: &Changed) -> Result<String, AwsError> {
        if changed.has("enable_dns_support") || changed.has("enable_dns_hostnames") {
            set_attributes(aws, &live.id, &wanted.shape()?).await?;
        }
        Ok(live.id.clone())
    }

    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        let request = aws.ec2().delete_vpc().vpc_id(&live.id);
        let Err(error) = request.send().await.doing("ec2:DeleteVpc", &live.id) else { return Ok(()) };
        deletion::refused(error, inhabitants(aws, &live.id)).await
    }
}

/// One attribute a call: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcAttribute.html>
async fn attribute(aws: &Reader, id: &str, name: VpcAttributeName) -> Result<bool, AwsError> {
    let answer = aws.ec2().describe_vpc_attribute().vpc_id(id).attribute(name).send().await.doing("ec2:DescribeVpcAttribute", id)?;
    let value = answer.enable_dns_support().or(answer.enable_dns_hostnames());
    Ok(value.and_then(|value| value.value()).unwrap_or(false))
}

/// Support first: AWS refuses hostnames without it.
async fn set_attributes(aws: &Writer, id: &str, shape: &Vpc) -> Result<(), AwsError> {
    let value = |on: bool| AttributeBooleanValue::builder().value(on).build();
    let request = || aws.ec2().modify_vpc_attribute().vpc_id(id);
    if let Some(on) = shape.enable_dns_support {
        request().enable_dns_support(value(on)).send().await.doing("ec2:ModifyVpcAttribute", id)?;
    }
    if let Some(on) = shape.enable_dns_hostnames {
        request().enable_dns_hostnames(value(on)).send().await.doing("ec2:ModifyVpcAttribute", id)?;
    }
    Ok(())
}

/// What is left in a VPC and keeps it from being deleted: not its own main route table and default group.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/delete-vpc.html>
async fn inhabitants(aws: &Reader, id: &str) -> Result<Vec<String>, AwsError> {
    let inside = || filters::filter("vpc-id", [id]);
    let attached = filters::filter("attachment.vpc-id", [id]);
    let (endpoints, gateways, subnets, groups, interfaces) = futures::try_join!(
        async { aws.ec2().describe_vpc_endpoints().filters(inside()).send().await.doing("ec2:DescribeVpcEndpoints", id) },
        async { aws.ec2().describe_internet_gateways().filters(attached).send().await.doing("ec2:DescribeInternetGateways", id) },
        async { aws.ec2().describe_subnets().filters(inside()).send().await.doing("ec2:DescribeSubnets", id) },
        async { aws.ec2().describe_security_groups().filters(inside()).send().await.doing("ec2:DescribeSecurityGroups", id) },
        deletion::interfaces(aws, [inside()]),
    )?;
    let endpoints = endpoints.vpc_endpoints().iter().filter_map(|endpoint| endpoint.vpc_endpoint_id());
    let gateways = gateways.internet_gateways().iter().filter_map(|gateway| gateway.internet_gateway_id());
    let subnets = subnets.subnets().iter().filter_map(|subnet| subnet.subnet_id());
    let groups = groups.security_groups().iter().filter(|group| group.group_name() != Some("default"));
    let groups = groups.filter_map(|group| group.group_id());
    let named = endpoints
        .map(|id| format!("endpoint {id}"))
        .chain(gateways.map(|id| format!("internet gateway {id}")))
        .chain(subnets.map(|id| format!("subnet {id}")))
        .chain(groups.map(|id| format!("security group {id}")));
    Ok(named.chain(interfaces).collect())
}
