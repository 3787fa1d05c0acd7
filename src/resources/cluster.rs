//! The ECS cluster of one tenant.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_ecs::types::{
    CapacityProviderStrategyItem, Cluster as EcsCluster, ClusterField, ClusterSetting, ClusterSettingName, DesiredStatus,
};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::model::{Changed, Condition, Field, Key, Live, Place, Wanted};
use super::{Kind, ReadScope, Reading, Resource, Writes, tags};
use crate::aws::{AwsError, Class, Doing, Reader, Writer};

/// DescribeClusters takes at most this many names.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html>
const BATCH: usize = 100;
/// Batches asked for at the same time.
const CONCURRENT: usize = 8;

/// Fields of a live cluster, beside those of [`Cluster`]: services that are active, tasks that run, and tasks that are to.
pub const ACTIVE_SERVICES: &str = "active_services";
pub const RUNNING_TASKS: &str = "running_tasks";
pub const PENDING_TASKS: &str = "pending_tasks";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    pub cluster_name: String,
    /// Capacity providers that services of the cluster may use.
    pub capacity_providers: Vec<String>,
    /// `disabled`, `enabled` or `enhanced`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_insights: Option<String>,
}

pub struct Clusters;

#[async_trait]
impl Resource for Clusters {
    fn writes(&self) -> Writes {
        Writes { create: &["ecs:CreateCluster"], update: &[], delete: &["ecs:DeleteCluster"] }
    }

    fn fields(&self) -> &'static [Field] {
        const { &[Field::replace("cluster_name"), Field::update("capacity_providers").set(), Field::update("container_insights")] }
    }

    /// A full read lists all names of the account and asks for all of them, 100 in a call; a narrow one asks for the
    /// names that specs take, and nothing else.
    async fn read(&self, reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        let names = match reading.scope.is_narrow() {
            true => reading.scope.names_of(Kind::Cluster).map(String::from).collect(),
            false => list(reading.aws, reading.place).await?,
        };
        let names: Vec<String> = names.into_iter().collect();
        let batches: Vec<_> = names.chunks(BATCH).map(|names| describe(reading.aws, names, &[ClusterField::Settings])).collect();
        let clusters: Vec<Vec<EcsCluster>> = stream::iter(batches).buffered(CONCURRENT).try_collect().await?;
        Ok(clusters
            .iter()
            .flatten()
            .filter_map(|cluster| live(reading.place, cluster))
            .filter(|live| is_wanted(reading.scope, live))
            .collect())
    }

    /// CreateCluster returns a cluster of that name as it is, whoever made it, so the name is looked at first: one
    /// that an interrupted run of ours has made is taken over.
    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        let shape: Cluster = wanted.shape()?;
        if let Some(holder) = find(aws, &shape.cluster_name).await?.and_then(|cluster| live(&wanted.place, &cluster)) {
            return adopt(&holder, &wanted.key);
        }
        let made = aws
            .ecs()
            .create_cluster()
            .cluster_name(&shape.cluster_name)
            .set_capacity_providers(Some(shape.capacity_providers))
            .set_settings(shape.container_insights.as_deref().map(insights))
            .set_tags(Some(tags::to_ecs(&wanted.tags)))
            .send()
            .await
            .doing("ecs:CreateCluster", &wanted.key)?;
        Ok(made.cluster().and_then(EcsCluster::cluster_arn).unwrap_or_default().to_string())
    }

    async fn update(&self, aws: &Writer, live: &Live, wanted: &Wanted, changed: &Changed) -> Result<String, AwsError> {
        let shape: Cluster = wanted.shape()?;
        if changed.has("capacity_providers") {
            let found = find(aws, &live.id).await?;
            aws.ecs()
                .put_cluster_capacity_providers()
                .cluster(&live.id)
                .set_default_capacity_provider_strategy(Some(default_strategy(found.as_ref(), &shape.capacity_providers)))
                .set_capacity_providers(Some(shape.capacity_providers))
                .send()
                .await
                .doing("ecs:PutClusterCapacityProviders", &live.id)?;
        }
        if let Some(value) = shape.container_insights.filter(|_| changed.has("container_insights")) {
            aws.ecs()
                .update_cluster_settings()
                .cluster(&live.id)
                .set_settings(Some(insights(&value)))
                .send()
                .await
                .doing("ecs:UpdateClusterSettings", &live.id)?;
        }
        Ok(live.id.clone())
    }

    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        match aws.ecs().delete_cluster().cluster(&live.id).send().await.doing("ecs:DeleteCluster", &live.id) {
            Err(error) if error.class == Class::NotFound => Ok(()),
            Err(error) if error.class == Class::InUse => Err(name_blockers(aws, live, error).await),
            other => other.map(drop),
        }
    }

    async fn condition(&self, aws: &Reader, id: &str, _wanted: &Wanted) -> Result<Condition, AwsError> {
        let clusters = describe(aws, &[id.to_string()], &[ClusterField::Attachments]).await?;
        Ok(match clusters.first().filter(|cluster| exists(cluster)) {
            Some(cluster) => condition(cluster),
            None => Condition::Absent(format!("AWS does not show {id}")),
        })
    }

    async fn departure(&self, aws: &Reader, live: &Live) -> Result<Condition, AwsError> {
        Ok(match find(aws, &live.id).await? {
            Some(cluster) => Condition::Pending(format!("the cluster is {}", cluster.status().unwrap_or("still there"))),
            None => Condition::Ready,
        })
    }
}

/// The names of all clusters in the account.
async fn list(aws: &Reader, place: &Place) -> Result<BTreeSet<String>, AwsError> {
    let mut names = BTreeSet::new();
    let mut arns = aws.ecs().list_clusters().max_results(100).into_paginator().items().send();
    while let Some(arn) = arns.next().await {
        names.insert(name_of(&arn.doing("ecs:ListClusters", place)?).to_string());
    }
    Ok(names)
}

fn is_wanted(scope: &ReadScope, live: &Live) -> bool {
    live.owner().is_some_and(|key| scope.shows(&key.scope))
        || live.name.as_deref().is_some_and(|name| scope.wants_name(Kind::Cluster, name))
}

/// At most [`BATCH`] clusters by name or ARN, with tags. Those that are not there are listed as failures, not as an
/// error.
async fn describe(aws: &Reader, names: &[String], include: &[ClusterField]) -> Result<Vec<EcsCluster>, AwsError> {
    let answer = aws
        .ecs()
        .describe_clusters()
        .set_clusters(Some(names.to_vec()))
        .set_include(Some([&[ClusterField::Tags], include].concat()))
        .send()
        .await
        .doing("ecs:DescribeClusters", names.first().map_or("", String::as_str))?;
    Ok(answer.clusters.unwrap_or_default())
}

/// One cluster by name or ARN, unless it is gone.
async fn find(aws: &Reader, name: &str) -> Result<Option<EcsCluster>, AwsError> {
    let clusters = describe(aws, &[name.to_string()], &[]).await?;
    Ok(clusters.into_iter().find(exists))
}

/// A deleted cluster stays visible as INACTIVE for a while.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html>
fn exists(cluster: &EcsCluster) -> bool {
    cluster.status() != Some("INACTIVE")
}

fn live(place: &Place, cluster: &EcsCluster) -> Option<Live> {
    if !exists(cluster) {
        return None;
    }
    let insights = cluster.settings().iter().find(|setting| setting.name() == Some(&ClusterSettingName::ContainerInsights));
    let shape = Cluster {
        cluster_name: cluster.cluster_name().unwrap_or_default().into(),
        capacity_providers: cluster.capacity_providers().to_vec(),
        container_insights: Some(insights.and_then(ClusterSetting::value).unwrap_or("disabled").into()),
    };
    let id = cluster.cluster_arn().unwrap_or_default();
    let mut live = Live::new(Kind::Cluster, place, id, tags::from_ecs(cluster.tags()), &shape).named(&shape.cluster_name);
    let counts = [
        (ACTIVE_SERVICES, cluster.active_services_count()),
        (RUNNING_TASKS, cluster.running_tasks_count()),
        (PENDING_TASKS, cluster.pending_tasks_count()),
    ];
    live.fields.extend(counts.map(|(name, count)| (name.to_string(), count.into())));
    Some(live.in_condition(condition(cluster)))
}

/// The states of a cluster, and of the capacity providers being attached to it.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Cluster.html>
fn condition(cluster: &EcsCluster) -> Condition {
    match (cluster.status().unwrap_or_default(), cluster.attachments_status().unwrap_or_default()) {
        ("DEPROVISIONING", _) => Condition::Leaving("its capacity providers are being deleted".into()),
        ("FAILED", _) => Condition::Failed("its capacity providers could not be made".into()),
        (_, "UPDATE_FAILED") => Condition::Failed("its capacity providers could not be attached".into()),
        ("PROVISIONING", _) | (_, "UPDATE_IN_PROGRESS") => Condition::Pending("its capacity providers are being attached".into()),
        _ => Condition::Ready,
    }
}

fn adopt(holder: &Live, key: &Key) -> Result<String, AwsError> {
    let name = holder.name.as_deref().unwrap_or_default();
    let whose = match holder.owner() {
        Some(owner) if owner == *key => return Ok(holder.id.clone()),
        Some(owner) => format!("it is {owner}"),
        None => "it does not carry our tags".into(),
    };
    Err(AwsError::new("ecs:CreateCluster", name, Class::Exists, format!("there is a cluster of this name already, and {whose}")))
}

fn insights(value: &str) -> Vec<ClusterSetting> {
    vec![ClusterSetting::builder().name(ClusterSettingName::ContainerInsights).value(value).build()]
}

/// The default strategy is not ours and stays, but AWS refuses one with a provider that the cluster does not have.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutClusterCapacityProviders.html>
fn default_strategy(cluster: Option<&EcsCluster>, providers: &[String]) -> Vec<CapacityProviderStrategyItem> {
    let items = cluster.map(EcsCluster::default_capacity_provider_strategy).unwrap_or_default();
    items.iter().filter(|item| providers.iter().any(|provider| provider == item.capacity_provider())).cloned().collect()
}

/// Says which services or tasks keep a cluster from being deleted. A service that drains is not listed any more.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html>
async fn name_blockers(aws: &Reader, live: &Live, mut error: AwsError) -> AwsError {
    let cluster = live.id.as_str();
    let services = aws.ecs().list_services().cluster(cluster).max_results(100).send().await;
    let services = services.map(|answer| answer.service_arns.unwrap_or_default()).unwrap_or_default();
    let tasks = aws.ecs().list_tasks().cluster(cluster).desired_status(DesiredStatus::Running).send().await;
    let tasks = tasks.map(|answer| answer.task_arns.unwrap_or_default()).unwrap_or_default();
    error.message = match (services.as_slice(), tasks.as_slice()) {
        ([], []) => "what ran in it is still leaving".into(),
        ([], tasks) => format!("tasks still run in it: {}", names_of(tasks)),
        (services, _) => {
            // The tenant's own has drained by now: it is waited for before its cluster is deleted.
            error.class = Class::Others;
            let own = live.owner().and_then(|key| key.scope.tenant);
            match names_of(services) {
                names if Some(&names) == own.as_ref() => format!("another run has made the service {names} in it again"),
                names => format!("services still stand in it that are not this tenant's: {names}"),
            }
        }
    };
    error
}

fn names_of(arns: &[String]) -> String {
    arns.iter().map(|arn| name_of(arn)).collect::<Vec<_>>().join(", ")
}

/// The last part of an ARN.
pub(super) fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::model::Scope;
    use super::*;

    fn place() -> Place {
        Place { account: "123456789012".into(), region: "us-east-1".into() }
    }

    fn key() -> Key {
        Key::new(&Scope::infra_group("high-tps", "cell-1", "ig-1").with_tenant("acme"), Kind::Cluster, "cluster")
    }

    /// As AWS answers for a cluster made with capacity providers and nothing else.
    fn cluster() -> aws_sdk_ecs::types::builders::ClusterBuilder {
        EcsCluster::builder()
            .cluster_arn("arn:aws:ecs:us-east-1:123456789012:cluster/high-tps-cell-1-ig-1-acme")
            .cluster_name("high-tps-cell-1-ig-1-acme")
            .status("ACTIVE")
            .capacity_providers("FARGATE_SPOT")
            .capacity_providers("FARGATE")
            .settings(ClusterSetting::builder().name(ClusterSettingName::ContainerInsights).value("enhanced").build())
            .set_default_capacity_provider_strategy(Some(Vec::new()))
            .set_tags(Some(tags::to_ecs(&key().tags())))
    }

    #[test]
    fn a_cluster_has_the_normal_form_of_its_shape() {
        let live = live(&place(), &cluster().build()).unwrap();
        let shape: Cluster = live.shape().unwrap();
        assert_eq!(shape.capacity_providers, ["FARGATE_SPOT", "FARGATE"]);
        assert_eq!(shape.container_insights.as_deref(), Some("enhanced"));
        assert_eq!(live.owner(), Some(key()));
        assert_eq!(live.condition, Condition::Ready);
    }

    #[test]
    fn a_deleted_cluster_is_absent_though_still_visible() {
        assert_eq!(live(&place(), &cluster().status("INACTIVE").build()), None);
    }

    #[test]
    fn states_are_told_apart() {
        let of = |status: &str, attachments: &str| condition(&cluster().status(status).attachments_status(attachments).build());
        assert_eq!(of("ACTIVE", "UPDATE_COMPLETE"), Condition::Ready);
        assert!(matches!(of("ACTIVE", "UPDATE_IN_PROGRESS"), Condition::Pending(_)));
        assert!(matches!(of("PROVISIONING", ""), Condition::Pending(_)));
        assert!(matches!(of("ACTIVE", "UPDATE_FAILED"), Condition::Failed(_)));
        assert!(matches!(of("DEPROVISIONING", ""), Condition::Leaving(_)));
    }

    #[test]
    fn only_a_cluster_of_ours_is_taken_over() {
        let ours = live(&place(), &cluster().build()).unwrap();
        assert_eq!(adopt(&ours, &key()).unwrap(), ours.id);
        let foreign = live(&place(), &cluster().set_tags(None).build()).unwrap();
        assert_eq!(adopt(&foreign, &key()).unwrap_err().class, Class::Exists);
        let other = Key::new(&Scope::infra_group("high-tps", "cell-1", "ig-1").with_tenant("b"), Kind::Cluster, "cluster");
        assert!(adopt(&ours, &other).unwrap_err().message.contains("acme"));
    }

    #[test]
    fn the_default_strategy_keeps_what_the_cluster_still_has() {
        let item = |name: &str| CapacityProviderStrategyItem::builder().capacity_provider(name).weight(1).build().unwrap();
        let found = cluster().set_default_capacity_provider_strategy(Some(vec![item("FARGATE"), item("FARGATE_SPOT")])).build();
        assert_eq!(default_strategy(Some(&found), &["FARGATE".into()]), [item("FARGATE")]);
        assert_eq!(default_strategy(None, &["FARGATE".into()]), []);
    }
}
