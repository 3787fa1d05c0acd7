//! Tags in the form of each AWS service, and the one way to read them off what exists and to add to them.

use crate::aws::{AwsError, Class, Doing, Reader, Writer};

use super::model::{Live, Tags};
use super::{elb_tags, filters};

/// Generates the two directions between our tags and one service's type.
macro_rules! tag_type {
    ($to:ident, $from:ident, $tag:ty) => {
        pub fn $to(tags: &Tags) -> Vec<$tag> {
            tags.iter().map(|(key, value)| <$tag>::builder().key(key).value(value).build()).collect()
        }

        pub fn $from(tags: &[$tag]) -> Tags {
            tags.iter().map(|tag| (tag.key().unwrap_or_default().to_string(), tag.value().unwrap_or_default().to_string())).collect()
        }
    };
}

tag_type!(to_ec2, from_ec2, aws_sdk_ec2::types::Tag);
tag_type!(to_ecs, from_ecs, aws_sdk_ecs::types::Tag);

tag_type!(to_elb, from_elb, aws_sdk_elasticloadbalancingv2::types::Tag);

/// The IAM model requires the key, so its builder can fail and its getter cannot.
pub fn to_iam(tags: &Tags) -> Vec<aws_sdk_iam::types::Tag> {
    use aws_sdk_iam::types::Tag;
    tags.iter().filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok()).collect()
}

pub fn from_iam(tags: &[aws_sdk_iam::types::Tag]) -> Tags {
    tags.iter().map(|tag| (tag.key().to_string(), tag.value().to_string())).collect()
}

/// Tags for a thing as it is created through EC2.
pub fn to_ec2_specification(kind: aws_sdk_ec2::types::ResourceType, tags: &Tags) -> aws_sdk_ec2::types::TagSpecification {
    aws_sdk_ec2::types::TagSpecification::builder().resource_type(kind).set_tags(Some(to_ec2(tags))).build()
}

/// The tags of one thing as they are now; none if it is gone. A part of a thing, as `sg-1/ingress`, has its whole's.
pub async fn of(aws: &Reader, live: &Live) -> Result<Tags, AwsError> {
    let id = &live.id;
    let found = match id.split(':').nth(2) {
        Some("elasticloadbalancing") => {
            elb_tags::read(aws, std::slice::from_ref(id)).await.map(|mut all| all.remove(id).unwrap_or_default())
        }
        Some("ecs") => {
            let answer = aws.ecs().list_tags_for_resource().resource_arn(id).send().await.doing("ecs:ListTagsForResource", id);
            answer.map(|answer| from_ecs(answer.tags()))
        }
        Some("iam") => {
            let name = id.rsplit('/').next().unwrap_or(id);
            let pages = aws.iam().list_role_tags().role_name(name).into_paginator().items().send();
            pages.try_collect().await.doing("iam:ListRoleTags", id).map(|tags: Vec<_>| from_iam(&tags))
        }
        Some("logs") => {
            let answer = aws.logs().list_tags_for_resource().resource_arn(id).send().await.doing("logs:ListTagsForResource", id);
            answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect())
        }
        _ => {
            let whole = id.split('/').next().unwrap_or(id);
            let request = aws.ec2().describe_tags().filters(filters::filter("resource-id", [whole]));
            let tags: Result<Vec<_>, _> = request.into_paginator().items().send().try_collect().await.doing("ec2:DescribeTags", id);
            let pair =
                |tag: &aws_sdk_ec2::types::TagDescription| Some((tag.key()?.to_string(), tag.value().unwrap_or_default().to_string()));
            tags.map(|tags| tags.iter().filter_map(pair).collect())
        }
    };
    match found {
        Err(error) if error.class == Class::NotFound => Ok(Tags::new()),
        found => found,
    }
}

/// Adds tags to a thing, or to the whole that it is a part of, over those of the same key; others stay.
pub async fn add(aws: &Writer, live: &Live, tags: &Tags) -> Result<(), AwsError> {
    let id = &live.id;
    match id.split(':').nth(2) {
        Some("elasticloadbalancing") => {
            aws.elb().add_tags().resource_arns(id).set_tags(Some(to_elb(tags))).send().await.doing("elasticloadbalancing:AddTags", id)?;
        }
        Some("ecs") => {
            aws.ecs().tag_resource().resource_arn(id).set_tags(Some(to_ecs(tags))).send().await.doing("ecs:TagResource", id)?;
        }
        Some("iam") => {
            let name = id.rsplit('/').next().unwrap_or(id);
            aws.iam().tag_role().role_name(name).set_tags(Some(to_iam(tags))).send().await.doing("iam:TagRole", id)?;
        }
        Some("logs") => {
            let tags = tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            aws.logs().tag_resource().resource_arn(id).set_tags(Some(tags)).send().await.doing("logs:TagResource", id)?;
        }
        _ => {
            let id = id.split('/').next().unwrap_or(id);
            aws.ec2().create_tags().resources(id).set_tags(Some(to_ec2(tags))).send().await.doing("ec2:CreateTags", id)?;
        }
    }
    Ok(())
}
