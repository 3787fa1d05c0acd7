//! The log group of an infra group; each tenant has a stream prefix in it.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::types;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Key, Live, Tags, Wanted};
use super::{Kind, ReadScope, Reading, Resource, Writes};
use crate::aws::{AwsError, Class, Doing, Reader, Writer};

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html>
const PAGE: i32 = 50;
/// Below it are `<tier>/<cell>/<infra-group>`.
const ROOT: &str = "/tierctl/";
/// Calls under way at once. CloudWatch Logs takes 10 a second of each in the smallest Regions.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>
const AT_ONCE: usize = 5;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogGroup {
    pub log_group_name: String,
    /// Days; null on a live one whose logs never expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_in_days: Option<i32>,
}

pub struct LogGroups;

#[async_trait]
impl Resource for LogGroups {
    fn writes(&self) -> Writes {
        Writes { create: &[], update: &[], delete: &[] }
    }

    fn fields(&self) -> &'static [Field] {
        const { &[Field::replace("log_group_name"), Field::update("retention_in_days")] }
    }

    /// Their names say which may be ours; a call for each then says whether its tags agree.
    async fn read(&self, reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        let (aws, scope) = (reading.aws, reading.scope);
        let mut found = Vec::new();
        let prefixes = match scope.is_narrow() {
            true => scope.tiers.iter().map(|tier| format!("{ROOT}{tier}/")).collect(),
            false => vec![ROOT.to_string()],
        };
        for prefix in prefixes {
            let request = aws.logs().describe_log_groups().log_group_name_prefix(prefix).limit(PAGE);
            let mut pages = request.into_paginator().items().send();
            while let Some(group) = pages.next().await {
                let group = group.doing("logs:DescribeLogGroups", reading.place)?;
                if is_asked_for(group.log_group_name().unwrap_or_default(), scope) {
                    found.push(group);
                }
            }
        }
        let found: Vec<Option<Live>> = stream::iter(found)
            .map(|group| async move {
                let arn = arn(&group);
                let live = |tags| {
                    let shape = normal(&group);
                    Live::new(Kind::LogGroup, reading.place, arn, tags, &shape).named(&shape.log_group_name)
                };
                Ok::<_, AwsError>(tags(aws, arn).await?.map(live))
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    fn set_after_creation(&self) -> &'static [&'static str] {
        &["retention_in_days"]
    }

    /// Where a request failed after it took effect, AWS says that the log group exists: one with our tags is then the
    /// one that was asked for.
    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        let shape: LogGroup = wanted.shape()?;
        let name = &shape.log_group_name;
        let tags = wanted.tags.clone().into_iter().collect::<HashMap<_, _>>();
        let made = aws.logs().create_log_group().log_group_name(name).set_tags(Some(tags)).send().await;
        let made = made.doing("logs:CreateLogGroup", &wanted.key);
        // The answer is empty.
        let arn = arn_of(aws, name).await?;
        match (made, &arn) {
            (Err(error), Some(arn)) if error.class == Class::Exists => adopt(aws, arn, wanted, error).await?,
            (made, _) => drop(made?),
        }
        set_retention(aws, name, shape.retention_in_days).await?;
        arn.ok_or_else(|| AwsError::new("logs:DescribeLogGroups", &wanted.key, Class::NotFound, "AWS does not list it yet"))
    }

    async fn update(&self, aws: &Writer, live: &Live, wanted: &Wanted, changed: &Changed) -> Result<String, AwsError> {
        let shape: LogGroup = wanted.shape()?;
        if changed.has("retention_in_days") {
            set_retention(aws, &shape.log_group_name, shape.retention_in_days).await?;
        }
        Ok(live.id.clone())
    }

    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        let shape: LogGroup = live.shape()?;
        let deleted = aws.logs().delete_log_group().log_group_name(&shape.log_group_name).send().await;
        match deleted.doing("logs:DeleteLogGroup", &shape.log_group_name) {
            Err(error) if error.class != Class::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn is_asked_for(name: &str, scope: &ReadScope) -> bool {
    let is_an_infra_groups = || name.strip_prefix(ROOT).is_some_and(|rest| rest.split('/').count() == 3);
    scope.wants_name(Kind::LogGroup, name) || !scope.is_narrow() && is_an_infra_groups()
}

fn normal(group: &types::LogGroup) -> LogGroup {
    LogGroup { log_group_name: group.log_group_name().unwrap_or_default().into(), retention_in_days: group.retention_in_days() }
}

/// As tagging wants it: without the `:*` that stands for its streams in policies.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_LogGroup.html>
fn arn(group: &types::LogGroup) -> &str {
    let arn = group.log_group_arn().or(group.arn()).unwrap_or_default();
    arn.strip_suffix(":*").unwrap_or(arn)
}

/// None if the log group has gone since it was listed.
async fn tags(aws: &Reader, arn: &str) -> Result<Option<Tags>, AwsError> {
    match aws.logs().list_tags_for_resource().resource_arn(arn).send().await.doing("logs:ListTagsForResource", arn) {
        Err(error) if error.class == Class::NotFound => Ok(None),
        answer => Ok(Some(answer?.tags.unwrap_or_default().into_iter().collect())),
    }
}

/// Other log groups may start with the same name, and come after it.
async fn arn_of(aws: &Reader, name: &str) -> Result<Option<String>, AwsError> {
    let answer = aws.logs().describe_log_groups().log_group_name_prefix(name).send().await.doing("logs:DescribeLogGroups", name)?;
    Ok(answer.log_groups().iter().find(|group| group.log_group_name() == Some(name)).map(|group| arn(group).to_string()))
}

async fn adopt(aws: &Reader, arn: &str, wanted: &Wanted, refused: AwsError) -> Result<(), AwsError> {
    let owner = tags(aws, arn).await?.and_then(|tags| Key::from_tags(Kind::LogGroup, &tags));
    if owner.as_ref() == Some(&wanted.key) { Ok(()) } else { Err(refused) }
}

async fn set_retention(aws: &Writer, name: &str, days: Option<i32>) -> Result<(), AwsError> {
    if let Some(days) = days {
        let request = aws.logs().put_retention_policy().log_group_name(name).retention_in_days(days);
        request.send().await.doing("logs:PutRetentionPolicy", name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::model::Scope;
    use super::*;
    use std::collections::BTreeSet;

    const NAME: &str = "/tierctl/high/cell-1/ig-1";

    #[test]
    fn the_arn_is_the_one_for_tags() {
        let plain = "arn:aws:logs:us-east-1:123456789012:log-group:/tierctl/high/cell-1/ig-1";
        let old = types::LogGroup::builder().log_group_name(NAME).arn(format!("{plain}:*")).build();
        let new = types::LogGroup::builder().log_group_name(NAME).arn(format!("{plain}:*")).log_group_arn(plain).build();
        assert_eq!((arn(&old), arn(&new)), (plain, plain));
    }

    #[test]
    fn only_log_groups_that_can_be_ours_are_asked_for() {
        let tiers = BTreeSet::from(["high".to_string()]);
        let all = ReadScope { tiers: tiers.clone(), ..ReadScope::default() };
        assert!(is_asked_for(NAME, &all));
        assert!(!is_asked_for("/tierctl/high/cell-1/ig-1/extra", &all));
        assert!(is_asked_for("/tierctl/vanished/cell-1/ig-1", &all));
        let mut narrow = ReadScope { tiers, tenants: Some(BTreeSet::new()), ..ReadScope::default() };
        narrow.take_name(Kind::LogGroup, NAME, &Scope::infra_group("high", "cell-1", "ig-1"));
        assert!(is_asked_for(NAME, &narrow));
        assert!(!is_asked_for("/tierctl/high/cell-1/ig-2", &narrow));
    }
}
