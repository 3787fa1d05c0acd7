//! Services as the Resource Groups Tagging API lists them, 100 in an answer: what a quick plan knows of them.
//!
//! That list is behind: it may show tags that have changed since, and services that are gone.
//! <https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html>

use std::collections::BTreeMap;

use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, TagFilter};

use super::cluster::{ACTIVE_SERVICES, PENDING_TASKS, RUNNING_TASKS};
use super::model::{Fields, Live, TAG_APPLIED, TAG_CONTENT, TAG_REVISION, TAG_TIER, Tags};
use super::{Kind, Reading};
use crate::aws::{AwsError, Doing};

/// Things in an answer.
const PAGE: i32 = 100;
/// Values of a tag that can be asked for at once.
const VALUES: usize = 20;

/// For each of these clusters, of these tenants, the service of that tenant as far as its tags tell. Nothing where they do
/// not tell all that an apply writes into them, or where the cluster looks as if something were going on in it: tasks that
/// are to run and do not, none that runs, or not exactly one service.
pub(super) async fn read(reading: &Reading<'_>, clusters: &[(&Live, String)]) -> Result<Vec<Option<Live>>, AwsError> {
    let listed = list(reading).await?;
    Ok(clusters.iter().map(|(cluster, tenant)| is_calm(cluster).then(|| summary(reading, cluster, tenant, &listed)).flatten()).collect())
}

/// The revision that the tags of a service say it was given.
pub(super) fn task_definition(service: &Live) -> Option<String> {
    let (prefix, rest) = service.id.split_once(":service/")?;
    let (cluster, _) = rest.split_once('/')?;
    Some(format!("{prefix}:task-definition/{cluster}:{}", service.tags.get(TAG_REVISION)?))
}

/// The tags of every service of these tiers, by ARN.
async fn list(reading: &Reading<'_>) -> Result<BTreeMap<String, Tags>, AwsError> {
    let mut listed = BTreeMap::new();
    let tiers: Vec<&String> = reading.scope.tiers.iter().collect();
    for tiers in tiers.chunks(VALUES) {
        let is_of_tiers = TagFilter::builder().key(TAG_TIER).set_values(Some(tiers.iter().map(|tier| tier.to_string()).collect()));
        let request = reading.aws.tagging().get_resources().resource_type_filters("ecs:service").tag_filters(is_of_tiers.build());
        let mut items = request.resources_per_page(PAGE).into_paginator().items().send();
        while let Some(item) = items.next().await {
            let item = item.doing("tag:GetResources", reading.place)?;
            listed.insert(item.resource_arn().unwrap_or_default().to_string(), tags(&item));
        }
    }
    Ok(listed)
}

fn tags(item: &ResourceTagMapping) -> Tags {
    item.tags().iter().map(|tag| (tag.key().to_string(), tag.value().to_string())).collect()
}

fn is_calm(cluster: &Live) -> bool {
    let count = |field: &str| cluster.fields.get(field).and_then(serde_json::Value::as_i64).unwrap_or_default();
    count(ACTIVE_SERVICES) == 1 && count(PENDING_TASKS) == 0 && count(RUNNING_TASKS) > 0
}

fn summary(reading: &Reading<'_>, cluster: &Live, tenant: &str, listed: &BTreeMap<String, Tags>) -> Option<Live> {
    let arn = cluster.id.replacen(":cluster/", ":service/", 1) + "/" + tenant;
    let tags = listed.get(&arn)?;
    let live = Live::new(Kind::Service, reading.place, arn, tags.clone(), &Fields::new()).named(tenant);
    let is_told = [TAG_CONTENT, TAG_REVISION, TAG_APPLIED].iter().all(|tag| tags.contains_key(*tag));
    (is_told && live.owner().map(|key| key.scope) == cluster.owner().map(|key| key.scope)).then_some(live)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resources::model::Place;

    fn cluster(active: i64, running: i64, pending: i64) -> Live {
        let place = Place { account: "123456789012".into(), region: "us-east-1".into() };
        let counts = json!({ ACTIVE_SERVICES: active, RUNNING_TASKS: running, PENDING_TASKS: pending });
        Live::new(Kind::Cluster, &place, "arn:aws:ecs:us-east-1:123456789012:cluster/t-c-g-acme", Tags::new(), &counts)
    }

    #[test]
    fn a_cluster_where_something_goes_on_is_looked_into() {
        assert!(is_calm(&cluster(1, 2, 0)));
        for (active, running, pending) in [(0, 0, 0), (2, 2, 0), (1, 0, 0), (1, 1, 1)] {
            assert!(!is_calm(&cluster(active, running, pending)), "{active} {running} {pending}");
        }
    }

    #[test]
    fn the_revision_is_of_the_family_that_bears_the_name_of_the_cluster() {
        let tags = Tags::from([(TAG_REVISION.to_string(), "7".to_string())]);
        let arn = "arn:aws-cn:ecs:cn-north-1:123456789012:service/t-c-g-acme/acme";
        let service = Live::new(Kind::Service, &cluster(1, 1, 0).place, arn, tags, &Fields::new());
        let expected = "arn:aws-cn:ecs:cn-north-1:123456789012:task-definition/t-c-g-acme:7";
        assert_eq!(task_definition(&service).as_deref(), Some(expected));
        assert_eq!(task_definition(&Live { tags: Tags::new(), ..service }), None);
    }
}
