//! The ECS service of a tenant, registered to its target group, and how far its roll-out has come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use aws_sdk_ecs::operation::create_service::builders::CreateServiceFluentBuilder;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, Container, Deployment, DeploymentCircuitBreaker,
    DeploymentConfiguration, DeploymentRolloutState, DesiredStatus, LaunchType, LoadBalancer, NetworkConfiguration, PropagateTags,
    SchedulingStrategy, Service as EcsService, ServiceField, Task,
};
use aws_sdk_elasticloadbalancingv2::types::{TargetHealth, TargetHealthDescription, TargetHealthStateEnum};
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt, stream, try_join};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cluster::name_of;
use super::model::{Changed, Condition, Field, Fields, Id, Live, Place, ShapeError, TAG_CONTENT, TAG_RESOURCE, TAG_REVISION, Tags, Wanted};
use super::task_definition::{self, family_and_revision};
use super::{Depth, Kind, Reading, Resource, Stage, Writes, idempotency, tagged_services, tags};
use crate::aws::{AwsError, Class, Doing, Reader, Writer};

/// DescribeScalableTargets takes and returns at most this many.
/// <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html>
const SCALABLE_TARGETS: usize = 50;
/// Stopped tasks whose reasons are read.
const STOPPED_TASKS: usize = 20;
/// As many reasons, events and targets of each sort are named.
const NAMED: usize = 3;

/// Between target groups, where a service has more than the one that it should have.
const GROUP_SEPARATOR: &str = ", ";

/// Field of a live service, beside those of [`Service`]: a scalable target owns its desired count.
const AUTOSCALED: &str = "autoscaled";
/// Likewise: when it was made, which tells it from a later one of the same name.
const CREATED_AT: &str = "created_at";
/// Likewise: how many tasks run, for `status`.
pub const RUNNING_COUNT: &str = "running_count";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    pub cluster_arn: Id,
    pub service_name: String,
    pub task_definition: Id,
    /// Absent where a scalable target owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_count: Option<i32>,
    pub target_group_arn: Option<Id>,
    pub container_name: String,
    pub container_port: i32,
    pub subnet_ids: Vec<Id>,
    pub security_group_ids: Vec<Id>,
    pub assign_public_ip: bool,
    pub capacity_provider_strategy: Vec<CapacityProvider>,
    pub enable_execute_command: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_grace_period_seconds: Option<i32>,
    pub minimum_healthy_percent: i32,
    pub maximum_percent: i32,
    pub circuit_breaker: bool,
    pub rollback: bool,
    /// `COMPLETED`, or `FAILED` where the last roll-out was given up: then a new one is forced.
    pub rollout: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapacityProvider {
    pub capacity_provider: String,
    pub weight: i32,
    pub base: i32,
}

pub struct Services;

#[async_trait]
impl Resource for Services {
    fn writes(&self) -> Writes {
        Writes { create: &["ecs:CreateService"], update: &["ecs:UpdateService", "ecs:TagResource"], delete: &["ecs:DeleteService"] }
    }

    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::replace("cluster_arn"),
                Field::replace("service_name"),
                Field::update("task_definition"),
                Field::update("desired_count"),
                Field::update("target_group_arn"),
                Field::update("container_name"),
                Field::update("container_port"),
                Field::update("subnet_ids").set(),
                Field::update("security_group_ids").set(),
                Field::update("assign_public_ip"),
                Field::update("capacity_provider_strategy").set(),
                Field::update("enable_execute_command"),
                Field::update("health_check_grace_period_seconds"),
                Field::update("minimum_healthy_percent"),
                Field::update("maximum_percent"),
                Field::update("circuit_breaker"),
                Field::update("rollback"),
                Field::update("rollout"),
            ]
        }
    }

    fn stage(&self) -> Stage {
        Stage::Beside
    }

    fn found_through(&self) -> &'static [Kind] {
        &[Kind::Cluster]
    }

    /// Each cluster of ours is asked for the service that bears its tenant's name. With a service comes the Live of the
    /// task definition that it runs: without fields where the service's tags say what content that revision has, and
    /// described where they do not. One whose revisions have all been deregistered counts as gone, so that it is registered
    /// and deployed anew: the tasks run on, but ECS cannot return to it.
    async fn read(&self, reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        let clusters: Vec<(&Live, String)> =
            reading.ours(Kind::Cluster).filter_map(|cluster| Some((cluster, cluster.owner()?.scope.tenant?))).collect();
        let told: Vec<Option<Live>> = match reading.scope.depth {
            Depth::Quick => tagged_services::read(reading, &clusters).await?,
            Depth::Standard | Depth::Deep => vec![None; clusters.len()],
        };
        let untold: Vec<&(&Live, String)> =
            clusters.iter().zip(&told).filter(|(_, told)| told.is_none()).map(|(cluster, _)| cluster).collect();
        let active = active_families(reading, &clusters).map_ok(Arc::new).boxed().shared();
        // Services and task definitions have buckets of their own: neither waits for all of the other.
        let asked: Vec<_> =
            clusters.iter().zip(told).map(|((cluster, tenant), told)| run_by(reading, cluster, tenant, told, active.clone())).collect();
        let (found, autoscaled) =
            try_join!(stream::iter(asked).buffered(reading.aws.at_once()).try_collect::<Vec<_>>(), autoscaled(reading, &untold))?;
        let (services, definitions): (Vec<Option<Live>>, Vec<Option<Live>>) = found.into_iter().unzip();
        let services = services.into_iter().flatten().map(|service| without_owned_count(service, &autoscaled));
        Ok(services.chain(definitions.into_iter().flatten()).collect())
    }

    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        let shape: Service = wanted.shape()?;
        let request = creation(aws, &shape, wanted)?;
        match request.client_token(idempotency::token(wanted)).send().await.doing("ecs:CreateService", &wanted.key) {
            Ok(answer) => Ok(answer.service.and_then(|service| service.service_arn).unwrap_or_default()),
            Err(error) if error.message.contains("not idempotent") => {
                let holder = holder(aws, &shape, wanted, error).await?;
                // Another run has made it. Of the same content it is as good as ours; of another, the later one holds.
                if holder.tags.get(TAG_CONTENT) != wanted.tags.get(TAG_CONTENT) {
                    let all = self.fields().iter().map(|field| field.name.to_string()).filter(|field| field != "rollout");
                    self.update(aws, &holder, wanted, &Changed(all.collect())).await?;
                    tags::add(aws, &holder, &wanted.tags).await?;
                }
                Ok(holder.id)
            }
            Err(error) => Err(error),
        }
    }

    /// What starts a roll-out and what does not is marked at each parameter of
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html>
    async fn update(&self, aws: &Writer, live: &Live, wanted: &Wanted, changed: &Changed) -> Result<String, AwsError> {
        let shape: Service = wanted.shape()?;
        let any = |fields: &[&str]| fields.iter().any(|field| changed.has(field));
        if self.fields().iter().any(|field| changed.has(field.name) && !self.ignores(field.name, live)) {
            let mut request = aws.ecs().update_service().cluster(shape.cluster_arn.known()?).service(&shape.service_name);
            if any(&["task_definition"]) {
                request = request.task_definition(shape.task_definition.known()?);
            }
            if any(&["desired_count"]) && !self.ignores("desired_count", live) {
                request = request.set_desired_count(shape.desired_count);
            }
            if any(&["target_group_arn", "container_name", "container_port"]) {
                request = request.set_load_balancers(Some(shape.load_balancers()?));
            }
            if any(&["subnet_ids", "security_group_ids", "assign_public_ip"]) {
                request = request.network_configuration(shape.network()?);
            }
            if any(&["capacity_provider_strategy"]) {
                request = request.set_capacity_provider_strategy(Some(shape.strategy()?));
            }
            if any(&["minimum_healthy_percent", "maximum_percent", "circuit_breaker", "rollback"]) {
                request = request.deployment_configuration(shape.deployment());
            }
            if any(&["enable_execute_command"]) {
                request = request.enable_execute_command(shape.enable_execute_command);
            }
            if any(&["health_check_grace_period_seconds"]) {
                request = request.set_health_check_grace_period_seconds(shape.health_check_grace_period_seconds);
            }
            // Running tasks keep their capacity provider, and a failed roll-out stays failed, until a new one.
            if any(&["capacity_provider_strategy", "rollout"]) {
                request = request.force_new_deployment(true);
            }
            request.send().await.doing("ecs:UpdateService", &live.id)?;
        }
        Ok(live.id.clone())
    }

    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        let request = aws.ecs().delete_service().cluster(cluster_of(live)).service(name_of(&live.id)).force(true);
        match request.send().await.doing("ecs:DeleteService", &live.id) {
            Err(error) if error.class != Class::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    async fn condition(&self, aws: &Reader, _id: &str, wanted: &Wanted) -> Result<Condition, AwsError> {
        let mut shape: Service = wanted.shape()?;
        let cluster = shape.cluster_arn.known()?.to_string();
        let cluster = cluster.as_str();
        let Some(service) = find(aws, cluster, &shape.service_name).await? else {
            return Ok(Condition::Absent(format!("AWS does not show the service {}", shape.service_name)));
        };
        match deployed_by_another(&service, &shape, wanted) {
            Another::SameContent(arn) => shape.task_definition = Id::Known(arn),
            Another::OtherContent(revision) => {
                return Ok(Condition::Failed(format!("another run has deployed revision {revision} over this one")));
            }
            Another::None => {}
        }
        let mut rollout = Rollout { service: &service, wanted: Some(&shape), targets: None, stopped: &[] };
        let failing = rollout.is_failing();
        let targets = match target_group(&service) {
            Some(group) if service.desired_count() > 0 && (failing || rollout.has_all_tasks()) => {
                let Some(targets) = target_health(aws, group).await? else {
                    return Ok(Condition::Failed(format!("its target group {} is gone: somebody has deleted it", name_of(group))));
                };
                Some(targets)
            }
            _ => None,
        };
        // Reasons are worth a look, and no reason to stop waiting.
        let stopped = if failing { stopped_tasks(aws, cluster, &shape.service_name).await.unwrap_or_default() } else { Vec::new() };
        rollout.targets = targets.as_deref();
        rollout.stopped = &stopped;
        Ok(rollout.condition())
    }

    /// The revision that it is given: with [`TAG_CONTENT`] it tells what runs, see [`is_as_deployed`]. Both are written
    /// by one request, after the service was updated.
    fn derived_tags(&self, fields: &Fields) -> Tags {
        let task_definition = fields.get("task_definition").and_then(Value::as_str);
        task_definition.map(|arn| (TAG_REVISION.to_string(), family_and_revision(arn).1.to_string())).into_iter().collect()
    }

    fn ignores(&self, field: &str, live: &Live) -> bool {
        field == "desired_count" && live.fields.get(AUTOSCALED) == Some(&json!(true))
    }

    async fn departure(&self, aws: &Reader, live: &Live) -> Result<Condition, AwsError> {
        Ok(match find(aws, cluster_of(live), name_of(&live.id)).await? {
            Some(service) if service.status() == Some("DRAINING") => {
                Condition::Pending(format!("draining, {} still running", tasks(service.running_count())))
            }
            // Another run has made it anew, which it can only when this one had gone.
            Some(service) if live.fields.get(CREATED_AT) != Some(&json!(created_at(&service))) => Condition::Ready,
            Some(_) => Condition::Pending("AWS has not begun to drain it".into()),
            None => Condition::Ready,
        })
    }
}

/// How a tenant's service does, as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub ready: bool,
    pub text: String,
}

/// A service's condition and that of its targets: one call, DescribeTargetHealth.
pub async fn health(aws: &Reader, live: &Live) -> Result<Health, AwsError> {
    let targets = match live.text("target_group_arn").and_then(|groups| groups.split(GROUP_SEPARATOR).next()) {
        Some(group) => Some(target_health(aws, group).await?.unwrap_or_default()),
        None => None,
    };
    Ok(describe_health(live, targets.as_deref()))
}

fn describe_health(live: &Live, targets: Option<&[TargetHealthDescription]>) -> Health {
    let rollout = live.condition.reason().map(String::from);
    // A scalable target moves the desired count while it is read, so that the registered targets are counted.
    let desired = match live.fields.get("desired_count").and_then(Value::as_i64) {
        Some(desired) => usize::try_from(desired).unwrap_or_default(),
        None => targets.map_or(0, |targets| targets.iter().filter(|target| !is_draining(target)).count()),
    };
    let healthy = targets.is_none_or(|targets| count_healthy(targets) >= desired);
    let targets = targets.map(|targets| describe_targets(targets, desired));
    let text = match (rollout, targets) {
        (Some(rollout), Some(targets)) => format!("{rollout}; {targets}"),
        (Some(text), None) | (None, Some(text)) => text,
        (None, None) => "running".into(),
    };
    Health { ready: live.condition == Condition::Ready && healthy, text }
}

/// The service, unless it is gone: a deleted one stays visible as INACTIVE.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html>
async fn find(aws: &Reader, cluster: &str, name: &str) -> Result<Option<EcsService>, AwsError> {
    let request = aws.ecs().describe_services().cluster(cluster).services(name).include(ServiceField::Tags);
    match request.send().await.doing("ecs:DescribeServices", format_args!("{name} in {}", name_of(cluster))) {
        Ok(answer) => Ok(answer.services.unwrap_or_default().into_iter().find(|service| service.status() != Some("INACTIVE"))),
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The service of a tenant, if its tags do not tell it already, and the task definition that it runs.
async fn run_by(
    reading: &Reading<'_>,
    cluster: &Live,
    tenant: &str,
    told: Option<Live>,
    active: impl Future<Output = Result<Arc<BTreeSet<String>>, AwsError>>,
) -> Result<(Option<Live>, Option<Live>), AwsError> {
    // A request takes kilobytes: none of those that wait for their turn.
    let service = match told {
        None => Box::pin(find(reading.aws, &cluster.id, tenant)).await?.map(|service| live(reading.place, &service)),
        told => told,
    };
    let active = active.await?;
    let definition = Box::pin(running_definition(reading, cluster, service.as_ref(), &active)).await?;
    Ok((service, definition))
}

/// The services of these clusters and tenants whose desired count a scalable target owns, as `service/<cluster>/<service>`.
async fn autoscaled(reading: &Reading<'_>, clusters: &[&(&Live, String)]) -> Result<BTreeSet<String>, AwsError> {
    let ids: Vec<String> = clusters.iter().map(|(cluster, tenant)| format!("service/{}/{tenant}", name_of(&cluster.id))).collect();
    let asked: Vec<_> = ids.chunks(SCALABLE_TARGETS).map(|ids| scalable_targets(reading.aws, reading.place, ids)).collect();
    let found: Vec<BTreeSet<String>> = stream::iter(asked).buffered(reading.aws.at_once()).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// The families that bear the name of one of these clusters and have an active revision. One of another name is somebody
/// else's, and is described.
async fn active_families(reading: &Reading<'_>, clusters: &[(&Live, String)]) -> Result<BTreeSet<String>, AwsError> {
    let mut families: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (cluster, _) in clusters {
        if let Some(owner) = cluster.owner() {
            families.entry(owner.scope.tier).or_default().insert(name_of(&cluster.id));
        }
    }
    let asked: Vec<_> = families.values().map(|families| task_definition::active_families(reading.aws, families)).collect();
    let active: Vec<BTreeSet<String>> = stream::iter(asked).buffered(reading.aws.at_once()).try_collect().await?;
    Ok(active.into_iter().flatten().collect())
}

async fn scalable_targets(aws: &Reader, place: &Place, ids: &[String]) -> Result<BTreeSet<String>, AwsError> {
    let mut found = BTreeSet::new();
    let mut targets = aws
        .scaling()
        .describe_scalable_targets()
        .service_namespace(ServiceNamespace::Ecs)
        .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
        .set_resource_ids(Some(ids.to_vec()))
        .into_paginator()
        .items()
        .send();
    while let Some(target) = targets.next().await {
        found.insert(target.doing("application-autoscaling:DescribeScalableTargets", place)?.resource_id().to_string());
    }
    Ok(found)
}

/// None where the target group is gone.
async fn target_health(aws: &Reader, group: &str) -> Result<Option<Vec<TargetHealthDescription>>, AwsError> {
    let request = aws.elb().describe_target_health().target_group_arn(group);
    match request.send().await.doing("elasticloadbalancing:DescribeTargetHealth", group) {
        Ok(answer) => Ok(Some(answer.target_health_descriptions.unwrap_or_default())),
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tasks that stopped lately: ECS shows them for an hour.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html>
async fn stopped_tasks(aws: &Reader, cluster: &str, service: &str) -> Result<Vec<Task>, AwsError> {
    let request = aws.ecs().list_tasks().cluster(cluster).service_name(service).desired_status(DesiredStatus::Stopped);
    let mut arns = request.send().await.doing("ecs:ListTasks", service)?.task_arns.unwrap_or_default();
    arns.truncate(STOPPED_TASKS);
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let answer = aws.ecs().describe_tasks().cluster(cluster).set_tasks(Some(arns)).send().await.doing("ecs:DescribeTasks", service)?;
    Ok(answer.tasks.unwrap_or_default())
}

/// The task definition that a service runs. A cluster without a service, as an interrupted run leaves it, may have
/// one too: its family bears the cluster's name.
async fn running_definition(
    reading: &Reading<'_>,
    cluster: &Live,
    service: Option<&Live>,
    active: &BTreeSet<String>,
) -> Result<Option<Live>, AwsError> {
    let cluster_name = cluster.name.as_deref().unwrap_or_default();
    let Some(service) = service else {
        return task_definition::describe(reading.aws, reading.place, cluster_name).await;
    };
    if service.owner().is_none() {
        return Ok(None);
    }
    let told = service.is_summary().then(|| tagged_services::task_definition(service)).flatten();
    let arn = told.as_deref().or(service.text("task_definition")).unwrap_or_default();
    let family = family_and_revision(arn).0;
    if family == cluster_name && !active.contains(family) {
        return Ok(None);
    }
    if reading.scope.depth != Depth::Deep && is_as_deployed(arn, cluster_name, &service.tags) {
        return Ok(Some(definition_of(service, arn)));
    }
    let described = task_definition::describe(reading.aws, reading.place, arn).await?;
    Ok(described.map(|definition| {
        let mut definition = match definition.owner() {
            Some(_) => definition,
            None => Live { tags: without_content(definition_of(service, arn).tags), ..definition },
        };
        definition.fields.insert(task_definition::DEPLOYED.into(), service.tags.get(TAG_CONTENT).cloned().into());
        definition
    }))
}

/// The task definition that a service of ours runs, as far as the service's tags tell: the same tags, no fields.
fn definition_of(service: &Live, arn: &str) -> Live {
    let mut tags = service.tags.clone();
    tags.remove(TAG_REVISION);
    tags.insert(TAG_RESOURCE.into(), task_definition::NAME.into());
    Live::new(Kind::TaskDefinition, &service.place, arn, tags, &Fields::new()).named(family_and_revision(arn).0)
}

/// A revision that somebody else made and our service runs is in the place of ours, and its content is not known.
fn without_content(mut tags: Tags) -> Tags {
    tags.remove(TAG_CONTENT);
    tags
}

/// Whether a service runs the revision that we gave it, as its tags say. Not so after a roll-back, after somebody else
/// deployed, and where a run was interrupted between deploying and tagging.
fn is_as_deployed(task_definition: &str, family: &str, tags: &Tags) -> bool {
    let running = family_and_revision(task_definition);
    tags.contains_key(TAG_CONTENT) && tags.get(TAG_REVISION).is_some_and(|revision| (family, revision.as_str()) == running)
}

fn cluster_of(live: &Live) -> &str {
    live.text("cluster_arn").unwrap_or_default()
}

/// Seconds since 1970, to the millisecond.
fn created_at(service: &EcsService) -> Option<f64> {
    service.created_at().map(aws_sdk_ecs::primitives::DateTime::as_secs_f64)
}

fn target_group(service: &EcsService) -> Option<&str> {
    service.load_balancers().iter().find_map(LoadBalancer::target_group_arn)
}

fn live(place: &Place, service: &EcsService) -> Live {
    let shape = Service::from_ecs(service);
    let id = service.service_arn().unwrap_or_default();
    let mut live = Live::new(Kind::Service, place, id, tags::from_ecs(service.tags()), &shape).named(&shape.service_name);
    live.fields.insert(RUNNING_COUNT.into(), json!(service.running_count()));
    live.fields.insert(CREATED_AT.into(), json!(created_at(service)));
    live.in_condition(Rollout { service, wanted: None, targets: None, stopped: &[] }.condition())
}

/// The service, without a desired count if one of these scalable targets owns that. They go by the end of its ARN.
fn without_owned_count(mut service: Live, autoscaled: &BTreeSet<String>) -> Live {
    if service.id.rsplit(':').next().is_some_and(|id| autoscaled.contains(id)) {
        service.fields.remove("desired_count");
        service.fields.insert(AUTOSCALED.into(), json!(true));
    }
    service
}

fn creation(aws: &Writer, shape: &Service, wanted: &Wanted) -> Result<CreateServiceFluentBuilder, AwsError> {
    Ok(aws
        .ecs()
        .create_service()
        .cluster(shape.cluster_arn.known()?)
        .service_name(&shape.service_name)
        .task_definition(shape.task_definition.known()?)
        // Required of a service that is new, also where nobody says how many.
        .desired_count(shape.desired_count.unwrap_or(1))
        .scheduling_strategy(SchedulingStrategy::Replica)
        .set_load_balancers(Some(shape.load_balancers()?))
        .network_configuration(shape.network()?)
        .set_capacity_provider_strategy(Some(shape.strategy()?))
        .deployment_configuration(shape.deployment())
        .enable_execute_command(shape.enable_execute_command)
        .set_health_check_grace_period_seconds(shape.health_check_grace_period_seconds)
        .enable_ecs_managed_tags(true)
        .propagate_tags(PropagateTags::Service)
        .set_tags(Some(tags::to_ecs(&wanted.tags))))
}

/// Whose the service is that holds the name already: ours, from a run that was cut off, is taken over.
async fn holder(aws: &Reader, shape: &Service, wanted: &Wanted, error: AwsError) -> Result<Live, AwsError> {
    match find(aws, shape.cluster_arn.known()?, &shape.service_name).await? {
        Some(service) => {
            let found = live(&wanted.place, &service);
            match found.owner() {
                Some(owner) if owner == wanted.key => Ok(found),
                _ => {
                    let message = "there is a service of this name in the cluster already, and it does not carry our tags";
                    Err(AwsError { class: Class::Exists, message: message.into(), ..error })
                }
            }
        }
        None => Err(AwsError { class: Class::NotYet, ..error }),
    }
}

/// What a run at the same time has deployed.
#[derive(Debug, PartialEq)]
enum Another {
    None,
    /// A revision of its own, that says the same: by its ARN.
    SameContent(String),
    /// Of another spec, deployed later: by its revision.
    OtherContent(String),
}

/// Ours are tagged before they are waited for: where the tags name what runs, and it is another revision, somebody deployed
/// later. After a roll-back they still name the one that failed.
fn deployed_by_another(service: &EcsService, shape: &Service, wanted: &Wanted) -> Another {
    let running = service.task_definition().unwrap_or_default();
    let ours = shape.task_definition.known().unwrap_or_default();
    let (family, revision) = family_and_revision(running);
    let tags = tags::from_ecs(service.tags());
    if running == ours || family != family_and_revision(ours).0 || !is_as_deployed(running, family, &tags) {
        Another::None
    } else if tags.get(TAG_CONTENT) == wanted.tags.get(TAG_CONTENT) {
        Another::SameContent(running.into())
    } else {
        Another::OtherContent(revision.into())
    }
}

fn incomplete(error: impl std::fmt::Display) -> ShapeError {
    ShapeError(error.to_string())
}

fn ids(ids: &[String]) -> Vec<Id> {
    ids.iter().cloned().map(Id::Known).collect()
}

impl Service {
    /// With AWS's defaults as values.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html>
    fn from_ecs(service: &EcsService) -> Self {
        let network = service.network_configuration().and_then(NetworkConfiguration::awsvpc_configuration);
        let deployment = service.deployment_configuration();
        let breaker = deployment.and_then(DeploymentConfiguration::deployment_circuit_breaker);
        // More than one target group is somebody's change by hand: named together, they differ from the one wanted.
        let groups: Vec<&str> = service.load_balancers().iter().filter_map(LoadBalancer::target_group_arn).collect();
        let load_balancer = service.load_balancers().first();
        let failed = primary(service).is_some_and(|primary| primary.rollout_state() == Some(&DeploymentRolloutState::Failed));
        Self {
            cluster_arn: Id::Known(service.cluster_arn().unwrap_or_default().into()),
            service_name: service.service_name().unwrap_or_default().into(),
            task_definition: Id::Known(service.task_definition().unwrap_or_default().into()),
            desired_count: Some(service.desired_count()),
            target_group_arn: (!groups.is_empty()).then(|| Id::Known(groups.join(GROUP_SEPARATOR))),
            container_name: load_balancer.and_then(LoadBalancer::container_name).unwrap_or_default().into(),
            container_port: load_balancer.and_then(LoadBalancer::container_port).unwrap_or_default(),
            subnet_ids: network.map(|network| ids(network.subnets())).unwrap_or_default(),
            security_group_ids: network.map(|network| ids(network.security_groups())).unwrap_or_default(),
            assign_public_ip: network.and_then(AwsVpcConfiguration::assign_public_ip) == Some(&AssignPublicIp::Enabled),
            capacity_provider_strategy: strategy(service),
            enable_execute_command: service.enable_execute_command(),
            health_check_grace_period_seconds: Some(service.health_check_grace_period_seconds().unwrap_or(0)),
            minimum_healthy_percent: deployment.and_then(DeploymentConfiguration::minimum_healthy_percent).unwrap_or(100),
            maximum_percent: deployment.and_then(DeploymentConfiguration::maximum_percent).unwrap_or(200),
            circuit_breaker: breaker.is_some_and(DeploymentCircuitBreaker::enable),
            rollback: breaker.is_some_and(DeploymentCircuitBreaker::rollback),
            rollout: if failed { "FAILED" } else { "COMPLETED" }.into(),
        }
    }

    fn load_balancers(&self) -> Result<Vec<LoadBalancer>, ShapeError> {
        let Some(group) = &self.target_group_arn else { return Ok(Vec::new()) };
        let load_balancer = LoadBalancer::builder()
            .target_group_arn(group.known()?)
            .container_name(&self.container_name)
            .container_port(self.container_port)
            .build();
        Ok(vec![load_balancer])
    }

    fn network(&self) -> Result<NetworkConfiguration, ShapeError> {
        let network = AwsVpcConfiguration::builder()
            .set_subnets(Some(Id::all_known(&self.subnet_ids)?))
            .set_security_groups(Some(Id::all_known(&self.security_group_ids)?))
            .assign_public_ip(if self.assign_public_ip { AssignPublicIp::Enabled } else { AssignPublicIp::Disabled })
            .build()
            .map_err(incomplete)?;
        Ok(NetworkConfiguration::builder().awsvpc_configuration(network).build())
    }

    fn strategy(&self) -> Result<Vec<CapacityProviderStrategyItem>, ShapeError> {
        let item = |provider: &CapacityProvider| {
            CapacityProviderStrategyItem::builder()
                .capacity_provider(&provider.capacity_provider)
                .weight(provider.weight)
                .base(provider.base)
                .build()
        };
        self.capacity_provider_strategy.iter().map(item).collect::<Result<_, _>>().map_err(incomplete)
    }

    fn deployment(&self) -> DeploymentConfiguration {
        let breaker = DeploymentCircuitBreaker::builder().enable(self.circuit_breaker).rollback(self.rollback).build();
        DeploymentConfiguration::builder()
            .minimum_healthy_percent(self.minimum_healthy_percent)
            .maximum_percent(self.maximum_percent)
            .deployment_circuit_breaker(breaker)
            .build()
    }

    /// Whether it says the same as another in all that a roll-back takes back.
    fn rolls_out_as(&self, other: &Self) -> bool {
        let sorted = |ids: &[Id]| ids.iter().cloned().collect::<BTreeSet<_>>();
        self.task_definition == other.task_definition
            && self.target_group_arn == other.target_group_arn
            && sorted(&self.subnet_ids) == sorted(&other.subnet_ids)
            && sorted(&self.security_group_ids) == sorted(&other.security_group_ids)
    }
}

/// A launch type is the strategy that means the same: Fargate's two capacity providers need no other set-up.
fn strategy(service: &EcsService) -> Vec<CapacityProvider> {
    let items = service.capacity_provider_strategy().iter().map(|item| CapacityProvider {
        capacity_provider: item.capacity_provider().into(),
        weight: item.weight(),
        base: item.base(),
    });
    let launched = |launch_type: &LaunchType| CapacityProvider { capacity_provider: launch_type.as_str().into(), weight: 1, base: 0 };
    match service.capacity_provider_strategy().is_empty() {
        true => service.launch_type().map(launched).into_iter().collect(),
        false => items.collect(),
    }
}

/// The deployment that ECS works towards.
fn primary(service: &EcsService) -> Option<&Deployment> {
    service.deployments().iter().find(|deployment| deployment.status() == Some("PRIMARY"))
}

/// What is known of a roll-out; says in words how far it is, or why it fails.
struct Rollout<'a> {
    service: &'a EcsService,
    /// What is rolled out, where that is known.
    wanted: Option<&'a Service>,
    /// Absent where it was not asked for.
    targets: Option<&'a [TargetHealthDescription]>,
    stopped: &'a [Task],
}

impl Rollout<'_> {
    /// Ready is more than what the waiter `services_stable` asks for, which also passes after a roll-back and before
    /// targets are healthy: the wanted revision is the primary deployment's, its roll-out is completed, and as many
    /// tasks run, and targets are healthy, as are desired.
    fn condition(&self) -> Condition {
        let (service, desired) = (self.service, self.service.desired_count());
        if service.status() == Some("DRAINING") {
            return Condition::Leaving(format!("draining, {} still running", tasks(service.running_count())));
        }
        let Some(primary) = primary(service) else {
            return Condition::Pending("AWS has not begun its roll-out".into());
        };
        let running = primary.running_count();
        let expected = self.expected_revision();
        if primary.rollout_state() == Some(&DeploymentRolloutState::Failed) {
            let reason = primary.rollout_state_reason().map(|reason| format!(" ({})", sentence(reason))).unwrap_or_default();
            let counts = format!("{running} of {} running", tasks(desired));
            return Condition::Failed(self.with_causes(format!("the roll-out of revision {expected} failed{reason}; {counts}")));
        }
        if self.deviates() {
            let actual = revision(primary);
            return match self.was_rolled_back() {
                true if actual == expected => Condition::Failed(
                    self.with_causes(format!("the roll-out failed, and AWS rolled back to the one before, of revision {actual}")),
                ),
                true => Condition::Failed(
                    self.with_causes(format!("the roll-out of revision {expected} failed, and AWS rolled back to revision {actual}")),
                ),
                false => Condition::Pending(format!("AWS rolls out revision {actual} and not yet {expected}")),
            };
        }
        if running != desired {
            return Condition::Pending(self.with_failures(format!("{running} of {} running", tasks(desired))));
        }
        let needed = usize::try_from(desired).unwrap_or_default();
        if let Some(targets) = self.targets.filter(|targets| count_healthy(targets) < needed) {
            let text = format!("{} running, {}", tasks(running), describe_targets(targets, needed));
            return Condition::Pending(self.with_failures(text));
        }
        if primary.rollout_state().is_some_and(|state| *state != DeploymentRolloutState::Completed) {
            let text = format!("{} running, the roll-out of revision {expected} is not completed", tasks(running));
            return Condition::Pending(self.with_failures(text));
        }
        Condition::Ready
    }

    /// Whether it is worth asking why.
    fn is_failing(&self) -> bool {
        matches!(self.condition(), Condition::Failed(_)) || self.failed_tasks() > 0
    }

    fn has_all_tasks(&self) -> bool {
        !self.deviates() && primary(self.service).is_some_and(|primary| primary.running_count() >= self.service.desired_count())
    }

    fn failed_tasks(&self) -> i32 {
        primary(self.service).map_or(0, Deployment::failed_tasks)
    }

    fn expected_task_definition(&self) -> &str {
        let wanted = self.wanted.and_then(|wanted| wanted.task_definition.known().ok());
        wanted.or_else(|| primary(self.service)?.task_definition()).unwrap_or_default()
    }

    fn expected_revision(&self) -> &str {
        family_and_revision(self.expected_task_definition()).1
    }

    fn deviates(&self) -> bool {
        self.wanted.is_some_and(|wanted| {
            let actual = Service::from_ecs(self.service);
            let of_primary = primary(self.service).and_then(Deployment::task_definition);
            !actual.rolls_out_as(wanted) || of_primary.is_some_and(|arn| arn != self.expected_task_definition())
        })
    }

    /// The deployment that failed is listed only until its tasks are gone; the events tell for longer.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html>
    fn was_rolled_back(&self) -> bool {
        let says_so = |text: &str| text.contains("rolling back") || text.contains("rolled back");
        let deployments = self.service.deployments();
        deployments.iter().any(|deployment| deployment.rollout_state() == Some(&DeploymentRolloutState::Failed))
            || deployments.iter().filter_map(Deployment::rollout_state_reason).any(says_so)
            || self.service.events().iter().filter_map(|event| event.message()).any(says_so)
    }

    fn with_failures(&self, text: String) -> String {
        match self.failed_tasks() {
            0 => text,
            count => self.with_causes(format!("{text}; {} failed", tasks(count))),
        }
    }

    /// The text with all that AWS says about why: stopped tasks, unhealthy targets, the latest events.
    fn with_causes(&self, text: String) -> String {
        let mut parts = vec![text];
        parts.extend(stop_reasons(self.stopped, self.expected_task_definition()));
        if let Some(targets) = self.targets.map(describe_unhealthy).filter(|targets| !targets.is_empty()) {
            parts.push(format!("targets: {targets}"));
        }
        let events: Vec<String> = self.service.events().iter().filter_map(|event| event.message()).take(NAMED).map(sentence).collect();
        if !events.is_empty() {
            parts.push(format!("latest events: {}", events.join(" | ")));
        }
        parts.join("; ")
    }
}

fn revision(deployment: &Deployment) -> &str {
    family_and_revision(deployment.task_definition().unwrap_or_default()).1
}

fn tasks(count: i32) -> String {
    if count == 1 { "1 task".into() } else { format!("{count} tasks") }
}

/// Without the name of the service at the start of every event, and without the full stop.
fn sentence(message: &str) -> String {
    let message = message.trim().strip_prefix("(service ").and_then(|rest| rest.split_once(") ")).map_or(message, |(_, rest)| rest);
    message.trim().trim_end_matches('.').to_string()
}

/// Why tasks of a revision stopped, each reason once, the most frequent first.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>
fn stop_reasons(stopped: &[Task], task_definition: &str) -> Vec<String> {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for task in stopped.iter().filter(|task| task.task_definition_arn() == Some(task_definition)) {
        // How ECS stops a task that is not needed any more.
        let reason = task.stopped_reason().filter(|reason| !reason.starts_with("Scaling activity initiated by"));
        if let Some(reason) = reason {
            let reason = sentence(reason);
            let containers = task.containers().iter().filter_map(|container| container_reason(container, &reason));
            let text: Vec<String> = std::iter::once(reason.clone()).chain(containers).collect();
            *reasons.entry(text.join(", ")).or_default() += 1;
        }
    }
    let mut reasons: Vec<(String, usize)> = reasons.into_iter().collect();
    reasons.sort_by(|(_, one), (_, other)| other.cmp(one));
    let named = reasons.into_iter().take(NAMED);
    named.map(|(reason, count)| format!("{} stopped: {reason}", tasks(i32::try_from(count).unwrap_or(i32::MAX)))).collect()
}

/// What a container adds to the reason of its task, which often repeats that of a container.
fn container_reason(container: &Container, of_task: &str) -> Option<String> {
    let name = container.name().unwrap_or_default();
    match (container.exit_code(), container.reason().map(sentence).filter(|reason| reason != of_task)) {
        (None | Some(0), None) => None,
        (None, Some(reason)) => Some(format!("container {name}: {reason}")),
        (Some(code), None) => Some(format!("container {name}: exit code {code}")),
        (Some(code), Some(reason)) => Some(format!("container {name}: exit code {code}, {reason}")),
    }
}

fn state(target: &TargetHealthDescription) -> Option<&TargetHealthStateEnum> {
    target.target_health().and_then(TargetHealth::state)
}

fn is_draining(target: &TargetHealthDescription) -> bool {
    state(target) == Some(&TargetHealthStateEnum::Draining)
}

fn count_healthy(targets: &[TargetHealthDescription]) -> usize {
    targets.iter().filter(|target| state(target) == Some(&TargetHealthStateEnum::Healthy)).count()
}

/// `1 of 2 targets healthy: 10.0.1.5 initial (Target registration is in progress)`
fn describe_targets(targets: &[TargetHealthDescription], desired: usize) -> String {
    let noun = if desired == 1 { "target" } else { "targets" };
    let counts = format!("{} of {desired} {noun} healthy", count_healthy(targets));
    match describe_unhealthy(targets) {
        unhealthy if unhealthy.is_empty() => counts,
        unhealthy => format!("{counts}: {unhealthy}"),
    }
}

/// Targets that are neither healthy nor leaving, with AWS's reason.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
fn describe_unhealthy(targets: &[TargetHealthDescription]) -> String {
    let unhealthy: Vec<&TargetHealthDescription> =
        targets.iter().filter(|target| state(target) != Some(&TargetHealthStateEnum::Healthy) && !is_draining(target)).collect();
    let one = |target: &&TargetHealthDescription| {
        let address = target.target().and_then(|target| target.id()).unwrap_or("a target");
        let health = target.target_health();
        let reason = health.and_then(|health| health.description().or(health.reason().map(|reason| reason.as_str())));
        let reason = reason.map(|reason| format!(" ({})", sentence(reason))).unwrap_or_default();
        format!("{address} {}{reason}", state(target).map_or("unknown", TargetHealthStateEnum::as_str))
    };
    let mut parts: Vec<String> = unhealthy.iter().take(NAMED).map(one).collect();
    if unhealthy.len() > NAMED {
        parts.push(format!("and {} more", unhealthy.len() - NAMED));
    }
    parts.join(", ")
}

#[cfg(test)]
#[expect(clippy::panic, clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use aws_sdk_ecs::types::builders::{DeploymentBuilder, ServiceBuilder};
    use aws_sdk_ecs::types::{DeploymentController, DeploymentControllerType, ServiceEvent};
    use aws_sdk_elasticloadbalancingv2::types::{TargetDescription, TargetHealthReasonEnum};

    use super::super::model::{Key, Scope};
    use super::*;

    const CLUSTER: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/high-tps-cell-1-ig-1-acme";
    const GROUP: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/acme-1a2b/0123456789abcdef";
    const PULL: &str = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref app:2: not found";

    fn revision_arn(revision: u32) -> String {
        format!("arn:aws:ecs:us-east-1:123456789012:task-definition/high-tps-cell-1-ig-1-acme:{revision}")
    }

    fn wanted() -> Service {
        Service {
            cluster_arn: Id::Known(CLUSTER.into()),
            service_name: "acme".into(),
            task_definition: Id::Known(revision_arn(8)),
            desired_count: Some(2),
            target_group_arn: Some(Id::Known(GROUP.into())),
            container_name: "app".into(),
            container_port: 8080,
            subnet_ids: ids(&["subnet-2".into(), "subnet-1".into()]),
            security_group_ids: ids(&["sg-1".into()]),
            assign_public_ip: false,
            capacity_provider_strategy: vec![CapacityProvider { capacity_provider: "FARGATE".into(), weight: 1, base: 0 }],
            enable_execute_command: false,
            health_check_grace_period_seconds: Some(0),
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            circuit_breaker: true,
            rollback: true,
            rollout: "COMPLETED".into(),
        }
    }

    fn deployment(revision: u32, state: DeploymentRolloutState, running: i32) -> DeploymentBuilder {
        Deployment::builder()
            .id(format!("ecs-svc/{revision}"))
            .status("PRIMARY")
            .task_definition(revision_arn(revision))
            .desired_count(2)
            .running_count(running)
            .rollout_state(state)
    }

    /// As AWS answers: lists in another order, defaults filled in.
    fn service(deployments: impl IntoIterator<Item = DeploymentBuilder>) -> ServiceBuilder {
        let deployments: Vec<Deployment> = deployments.into_iter().map(DeploymentBuilder::build).collect();
        let network = AwsVpcConfiguration::builder()
            .subnets("subnet-1")
            .subnets("subnet-2")
            .security_groups("sg-1")
            .assign_public_ip(AssignPublicIp::Disabled)
            .build();
        let tags = Key::new(&Scope::infra_group("high-tps", "cell-1", "ig-1").with_tenant("acme"), Kind::Service, "service").tags();
        EcsService::builder()
            .service_arn("arn:aws:ecs:us-east-1:123456789012:service/high-tps-cell-1-ig-1-acme/acme")
            .service_name("acme")
            .cluster_arn(CLUSTER)
            .status("ACTIVE")
            .desired_count(2)
            .running_count(deployments.iter().map(Deployment::running_count).sum())
            .task_definition(deployments.first().and_then(Deployment::task_definition).unwrap_or_default())
            .set_deployments(Some(deployments))
            .load_balancers(LoadBalancer::builder().target_group_arn(GROUP).container_name("app").container_port(8080).build())
            .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(network.unwrap()).build())
            .launch_type(LaunchType::Fargate)
            .platform_version("LATEST")
            .scheduling_strategy(SchedulingStrategy::Replica)
            .deployment_controller(DeploymentController::builder().r#type(DeploymentControllerType::Ecs).build().unwrap())
            .deployment_configuration(wanted().deployment())
            .health_check_grace_period_seconds(0)
            .set_tags(Some(tags::to_ecs(&tags)))
    }

    fn target(address: &str, state: TargetHealthStateEnum) -> TargetHealthDescription {
        let health = TargetHealth::builder().state(state.clone());
        let health = match state {
            TargetHealthStateEnum::Initial => {
                health.reason(TargetHealthReasonEnum::RegistrationInProgress).description("Target registration is in progress")
            }
            TargetHealthStateEnum::Unhealthy => {
                health.reason(TargetHealthReasonEnum::ResponseCodeMismatch).description("Health checks failed with these codes: [503]")
            }
            _ => health,
        };
        TargetHealthDescription::builder()
            .target(TargetDescription::builder().id(address).port(8080).build())
            .target_health(health.build())
            .build()
    }

    fn event(text: &str) -> ServiceEvent {
        ServiceEvent::builder().message(format!("(service acme) {text}")).build()
    }

    fn condition_of(service: &EcsService, targets: Option<&[TargetHealthDescription]>, stopped: &[Task]) -> Condition {
        Rollout { service, wanted: Some(&wanted()), targets, stopped }.condition()
    }

    fn pending(text: &str) -> Condition {
        Condition::Pending(text.into())
    }

    use DeploymentRolloutState::{Completed, Failed, InProgress};
    use TargetHealthStateEnum::{Draining, Healthy, Initial, Unhealthy};

    #[test]
    fn a_revision_that_another_run_deployed_is_told_from_a_roll_back() {
        let wanted_with = |content: &str| Wanted {
            key: Key::new(&Scope::infra_group("high-tps", "cell-1", "ig-1").with_tenant("acme"), Kind::Service, "service"),
            place: Place { account: "123456789012".into(), region: "us-east-1".into() },
            fields: Fields::new(),
            tags: Tags::from([(TAG_CONTENT.to_string(), content.to_string())]),
            known: BTreeSet::new(),
        };
        let running = |revision: u32, tagged: u32| {
            let tags = Tags::from([(TAG_REVISION.to_string(), tagged.to_string()), (TAG_CONTENT.to_string(), "same".to_string())]);
            service([deployment(revision, Completed, 2)]).set_tags(Some(tags::to_ecs(&tags))).build()
        };
        let of = |service: &EcsService, content: &str| deployed_by_another(service, &wanted(), &wanted_with(content));
        let nine = running(9, 9);
        assert_eq!(of(&nine, "same"), Another::SameContent(nine.task_definition().unwrap_or_default().into()));
        assert_eq!(of(&nine, "different"), Another::OtherContent("9".into()));
        // Ours itself, one whose tags are still to come, and one that was rolled back to.
        assert_eq!(of(&running(8, 8), "different"), Another::None);
        assert_eq!(of(&running(9, 8), "different"), Another::None);
        assert_eq!(of(&running(7, 8), "different"), Another::None);
        assert_eq!(of(&running(7, 7), "different"), Another::OtherContent("7".into()), "the later deployment, of an earlier revision");
        // One of the same content is as good, also where it was registered before ours.
        assert!(matches!(of(&running(7, 7), "same"), Another::SameContent(_)));
    }

    #[test]
    fn defaults_and_a_launch_type_are_no_difference() {
        let mut found = Service::from_ecs(&service([deployment(8, Completed, 2)]).build());
        found.subnet_ids.reverse();
        assert_eq!(found, wanted());
    }

    #[test]
    fn a_second_target_group_added_by_hand_is_a_difference() {
        let extra = LoadBalancer::builder().target_group_arn("other").container_name("app").container_port(8080).build();
        let found = Service::from_ecs(&service([deployment(8, Completed, 2)]).load_balancers(extra).build());
        assert_ne!(found.target_group_arn, wanted().target_group_arn);
    }

    #[test]
    fn ready_needs_tasks_targets_and_a_completed_roll_out() {
        let of = |state, running, targets: &[TargetHealthDescription]| {
            condition_of(&service([deployment(8, state, running)]).build(), Some(targets), &[])
        };
        let healthy = [target("10.0.1.5", Healthy), target("10.0.2.5", Healthy)];
        assert_eq!(of(Completed, 2, &healthy), Condition::Ready);
        assert_eq!(of(InProgress, 1, &healthy), pending("1 of 2 tasks running"));
        assert_eq!(of(InProgress, 2, &healthy), pending("2 tasks running, the roll-out of revision 8 is not completed"));
        assert_eq!(
            of(Completed, 2, &[target("10.0.2.5", Healthy), target("10.0.1.5", Initial), target("10.0.9.9", Draining)]),
            pending("2 tasks running, 1 of 2 targets healthy: 10.0.1.5 initial (Target registration is in progress)")
        );
        assert_eq!(of(Completed, 2, &[]), pending("2 tasks running, 0 of 2 targets healthy"));
    }

    #[test]
    fn none_desired_needs_no_target() {
        let idle = service([deployment(8, Completed, 0).desired_count(0)]).desired_count(0).build();
        assert_eq!(condition_of(&idle, Some(&[]), &[]), Condition::Ready);
    }

    #[test]
    fn a_first_roll_out_that_fails_says_why() {
        let failed =
            deployment(8, Failed, 0).failed_tasks(3).rollout_state_reason("ECS deployment circuit breaker: tasks failed to start.");
        let service = service([failed])
            .events(event("deployment ecs-svc/8 deployment failed: tasks failed to start."))
            .events(event("has started 1 tasks: (task 1)."))
            .build();
        let task = |revision, reason: &str| {
            let container = Container::builder().name("app").reason(PULL).build();
            Task::builder().task_definition_arn(revision_arn(revision)).stopped_reason(reason).containers(container).build()
        };
        let stopped = [
            task(8, "Task failed to start"),
            task(8, "Task failed to start"),
            task(8, "Scaling activity initiated by (deployment ecs-svc/8)"),
            task(8, PULL),
            task(7, "Essential container in task exited"),
        ];
        assert_eq!(
            condition_of(&service, None, &stopped),
            Condition::Failed(format!(
                "the roll-out of revision 8 failed (ECS deployment circuit breaker: tasks failed to start); 0 of 2 tasks running; \
                 2 tasks stopped: Task failed to start, container app: {PULL}; 1 task stopped: {PULL}; \
                 latest events: deployment ecs-svc/8 deployment failed: tasks failed to start | has started 1 tasks: (task 1)"
            ))
        );
    }

    #[test]
    fn a_roll_out_that_has_trouble_says_so_while_it_goes_on() {
        let service = service([deployment(8, InProgress, 2).failed_tasks(1)]).build();
        let targets = [target("10.0.1.5", Unhealthy), target("10.0.2.5", Healthy)];
        let Condition::Pending(text) = condition_of(&service, Some(&targets), &[]) else { panic!("another form") };
        assert!(
            text.starts_with("2 tasks running, 1 of 2 targets healthy: 10.0.1.5 unhealthy (Health checks failed with these codes: [503])")
        );
        assert!(text.contains("; 1 task failed"));
    }

    #[test]
    fn a_roll_back_is_a_failure_while_it_happens_and_after() {
        let back =
            deployment(7, InProgress, 2).rollout_state_reason("ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/7.");
        let failed = deployment(8, Failed, 0).status("ACTIVE");
        let during = condition_of(&service([back, failed]).build(), None, &[]);
        let after = service([deployment(7, Completed, 2)])
            .events(event("has reached a steady state."))
            .events(event("rolling back to deployment ecs-svc/7."))
            .build();
        for condition in [during, condition_of(&after, None, &[])] {
            let Condition::Failed(text) = condition else { panic!("{condition:?}") };
            assert!(text.starts_with("the roll-out of revision 8 failed, and AWS rolled back to revision 7"), "{text}");
        }
    }

    #[test]
    fn a_roll_back_of_settings_alone_is_a_failure_too() {
        let network = AwsVpcConfiguration::builder().subnets("subnet-9").build().unwrap();
        let after = service([deployment(8, Completed, 2)])
            .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(network).build())
            .events(event("rolling back to deployment ecs-svc/7."))
            .build();
        assert!(matches!(condition_of(&after, None, &[]), Condition::Failed(text) if text.contains("the one before")));
    }

    #[test]
    fn another_revision_without_a_roll_back_is_waited_for() {
        let service = service([deployment(7, Completed, 2)]).build();
        assert_eq!(condition_of(&service, None, &[]), pending("AWS rolls out revision 7 and not yet 8"));
    }

    #[test]
    fn a_read_says_what_the_service_alone_tells() {
        let place = Place { account: "123456789012".into(), region: "us-east-1".into() };
        let of = |service: EcsService| live(&place, &service).condition;
        assert_eq!(of(service([deployment(8, Completed, 2)]).build()), Condition::Ready);
        assert_eq!(of(service([deployment(8, InProgress, 1)]).build()), pending("1 of 2 tasks running"));
        assert!(
            matches!(of(service([deployment(8, Failed, 1)]).build()), Condition::Failed(text) if text.contains("1 of 2 tasks running"))
        );
        assert_eq!(
            of(service([]).status("DRAINING").running_count(1).build()),
            Condition::Leaving("draining, 1 task still running".into())
        );
    }

    #[test]
    fn a_scalable_target_owns_the_count() {
        let place = Place { account: "123456789012".into(), region: "us-east-1".into() };
        let autoscaled = BTreeSet::from(["service/high-tps-cell-1-ig-1-acme/acme".to_string()]);
        let service = service([deployment(8, Completed, 2)]).build();
        let scaled = without_owned_count(live(&place, &service), &autoscaled);
        assert!(Services.ignores("desired_count", &scaled) && !Services.ignores("rollout", &scaled));
        assert!(!scaled.fields.contains_key("desired_count"));
        assert_eq!(scaled.shape::<Service>().unwrap().desired_count, None);
        assert!(!Services.ignores("desired_count", &live(&place, &service)));
    }

    #[test]
    fn tags_tell_the_content_only_of_the_revision_that_they_name() {
        let family = "high-tps-cell-1-ig-1-acme";
        let fields = Fields::from_iter([("task_definition".to_string(), json!(revision_arn(8)))]);
        let mut tags = Services.derived_tags(&fields);
        assert_eq!(tags[TAG_REVISION], "8");
        assert!(!is_as_deployed(&revision_arn(8), family, &tags), "no content");
        tags.insert(TAG_CONTENT.into(), "1a2b".into());
        assert!(is_as_deployed(&revision_arn(8), family, &tags));
        assert!(!is_as_deployed(&revision_arn(7), family, &tags), "rolled back");
        assert!(!is_as_deployed("arn:aws:ecs:us-east-1:1:task-definition/other:8", family, &tags), "another family");
        assert!(Services.derived_tags(&Fields::from_iter([("task_definition".to_string(), json!({"$ref": 1}))])).is_empty());
    }

    #[test]
    fn the_definition_of_a_service_is_known_by_tags() {
        let place = Place { account: "123456789012".into(), region: "us-east-1".into() };
        let service = live(&place, &service([deployment(8, Completed, 2)]).build());
        let definition = definition_of(&service, &revision_arn(8));
        let owner = definition.owner().unwrap();
        assert_eq!((owner.kind, owner.name.as_str()), (Kind::TaskDefinition, "task-definition"));
        assert_eq!(definition.name.as_deref(), Some("high-tps-cell-1-ig-1-acme"));
        assert!(definition.fields.is_empty());
    }

    #[test]
    fn health_joins_tasks_and_targets() {
        let place = Place { account: "123456789012".into(), region: "us-east-1".into() };
        let of = |state, running, targets: &[TargetHealthDescription]| {
            describe_health(&live(&place, &service([deployment(8, state, running)]).build()), Some(targets))
        };
        let healthy = [target("10.0.1.5", Healthy), target("10.0.2.5", Healthy)];
        assert_eq!(of(Completed, 2, &healthy), Health { ready: true, text: "2 of 2 targets healthy".into() });
        assert!(!of(Completed, 2, &healthy[..1]).ready);
        let starting = of(InProgress, 1, &healthy[..1]);
        assert_eq!(starting, Health { ready: false, text: "1 of 2 tasks running; 1 of 2 targets healthy".into() });
    }
}
