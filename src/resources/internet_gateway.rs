//! The internet gateway of an internet-facing infra group, attached to its VPC.

use async_trait::async_trait;
use aws_sdk_ec2::types::{AttachmentStatus, InternetGateway as Ec2InternetGateway, ResourceType};
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Id, Live, Place, Wanted};
use super::{Kind, Reading, Resource, Writes, deletion, eventually, filters, once, tags};
use crate::aws::{AwsError, Class, Doing, Reader, Writer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InternetGateway {
    /// None on a live one that is not attached.
    pub vpc_id: Option<Id>,
}

pub struct InternetGateways;

#[async_trait]
impl Resource for InternetGateways {
    fn writes(&self) -> Writes {
        Writes { create: &["ec2:CreateInternetGateway"], update: &["ec2:AttachInternetGateway"], delete: &["ec2:DeleteInternetGateway"] }
    }

    fn fields(&self) -> &'static [Field] {
        // It could be moved, but AWS does not let it go while load balancers in the old VPC have public addresses.
        // <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachInternetGateway.html>
        const { &[Field::replace_unless_none("vpc_id")] }
    }

    async fn read(&self, reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        let found = reading
            .aws
            .ec2()
            .describe_internet_gateways()
            .set_filters(Some(filters::by_owner(reading.scope)))
            .max_results(1000)
            .into_paginator()
            .items()
            .send()
            .try_collect()
            .await
            .doing("ec2:DescribeInternetGateways", reading.place)?;
        let found = found.iter().map(|gateway| live(reading.place, gateway));
        Ok(found.filter(|live| filters::is_wanted(reading.scope, live)).collect())
    }

    fn set_after_creation(&self) -> &'static [&'static str] {
        &["vpc_id"]
    }

    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        let shape: InternetGateway = wanted.shape()?;
        let look = || async {
            let request = aws.ec2().describe_internet_gateways().set_filters(Some(once::same_identity(wanted)));
            let found = request.send().await.doing("ec2:DescribeInternetGateways", &wanted.key)?;
            Ok(found.internet_gateways().iter().filter_map(|gateway| gateway.internet_gateway_id()).map(String::from).collect())
        };
        let send = || async {
            let tags = tags::to_ec2_specification(ResourceType::InternetGateway, &wanted.tags);
            let request = aws.ec2().create_internet_gateway().tag_specifications(tags);
            let made = request.send().await.doing("ec2:CreateInternetGateway", &wanted.key)?;
            Ok(made.internet_gateway().and_then(|gateway| gateway.internet_gateway_id()).unwrap_or_default().to_string())
        };
        let id = once::make(wanted, look, send).await?;
        if let Some(vpc_id) = &shape.vpc_id {
            let vpc_id = vpc_id.known()?;
            eventually::known(|| attach(aws, &id, vpc_id)).await?;
        }
        Ok(id)
    }

    async fn update(&self, aws: &Writer, live: &Live, wanted: &Wanted, changed: &Changed) -> Result<String, AwsError> {
        // Only where it has none: an interrupted run, or somebody, left it detached.
        if changed.has("vpc_id") {
            let shape: InternetGateway = wanted.shape()?;
            if let Some(vpc_id) = &shape.vpc_id {
                attach(aws, &live.id, vpc_id.known()?).await?;
            }
        }
        Ok(live.id.clone())
    }

    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        let shape: InternetGateway = live.shape()?;
        if let Some(vpc_id) = &shape.vpc_id {
            detach(aws, &live.id, vpc_id.known()?).await?;
        }
        let request = aws.ec2().delete_internet_gateway().internet_gateway_id(&live.id);
        deletion::gone_is_fine(request.send().await.doing("ec2:DeleteInternetGateway", &live.id))
    }
}

fn live(place: &Place, gateway: &Ec2InternetGateway) -> Live {
    // AWS gives the state of an attached one as `available`, which the SDK has no name for.
    let is_leaving = |state: &AttachmentStatus| matches!(state, AttachmentStatus::Detaching | AttachmentStatus::Detached);
    let attached = gateway.attachments().iter().find(|attachment| !attachment.state().is_some_and(is_leaving));
    let shape = InternetGateway { vpc_id: attached.and_then(|attachment| attachment.vpc_id()).map(|id| Id::Known(id.into())) };
    let id = gateway.internet_gateway_id().unwrap_or_default();
    Live::new(Kind::InternetGateway, place, id, tags::from_ec2(gateway.tags()), &shape)
}

async fn attach(aws: &Writer, id: &str, vpc_id: &str) -> Result<(), AwsError> {
    let request = aws.ec2().attach_internet_gateway().internet_gateway_id(id).vpc_id(vpc_id);
    match request.send().await.doing("ec2:AttachInternetGateway", id) {
        // An attempt whose answer was lost has done it.
        Err(error) if error.class == Class::Exists && is_attached(aws, id, vpc_id).await? => Ok(()),
        result => result.map(|_| ()),
    }
}

async fn is_attached(aws: &Reader, id: &str, vpc_id: &str) -> Result<bool, AwsError> {
    let request = aws.ec2().describe_internet_gateways().internet_gateway_ids(id);
    let answer = request.send().await.doing("ec2:DescribeInternetGateways", id)?;
    let mut attachments = answer.internet_gateways().iter().flat_map(|gateway| gateway.attachments());
    Ok(attachments.any(|attachment| attachment.vpc_id() == Some(vpc_id)))
}

/// AWS refuses while something in the VPC has a public address.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachInternetGateway.html>
async fn detach(aws: &Writer, id: &str, vpc_id: &str) -> Result<(), AwsError> {
    let request = aws.ec2().detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc_id);
    match request.send().await.doing("ec2:DetachInternetGateway", id) {
        Err(error) if error.code.as_deref() == Some("Gateway.NotAttached") => Ok(()),
        Err(error) => deletion::refused(error, public_interfaces(aws, vpc_id)).await,
        Ok(_) => Ok(()),
    }
}

async fn public_interfaces(aws: &Reader, vpc_id: &str) -> Result<Vec<String>, AwsError> {
    let public = filters::filter("association.public-ip", ["*"]);
    deletion::interfaces(aws, [filters::filter("vpc-id", [vpc_id]), public]).await
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::InternetGatewayAttachment;

    use super::*;

    fn attached_as(state: &str) -> Live {
        let attachment = InternetGatewayAttachment::builder().state(state.into()).vpc_id("vpc-1").build();
        let gateway = Ec2InternetGateway::builder().internet_gateway_id("igw-1").attachments(attachment).build();
        live(&Place { account: "123456789012".into(), region: "us-east-1".into() }, &gateway)
    }

    #[test]
    fn an_attachment_counts_until_it_is_being_undone() {
        assert_eq!(attached_as("available").text("vpc_id"), Some("vpc-1"));
        assert_eq!(attached_as("detaching").text("vpc_id"), None);
    }
}
