//! The task definition of a tenant. A revision never changes: another content is another revision.
//!
//! Every revision that we register carries our tags and the hash of its content, and so does the service that runs
//! it; [`service`](super::service) reads both, so that the usual plan describes no task definition at all. What this
//! shape does not know (volumes, a sidecar's user, ...) we never set, and a revision that somebody else registers
//! by hand is another content, so that nothing of it is kept.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, CpuArchitecture, EphemeralStorage, HealthCheck, KeyValuePair, LinuxParameters, LogConfiguration,
    LogDriver, NetworkMode, OsFamily, PortMapping, RuntimePlatform, Secret, SortOrder, TaskDefinition as EcsTaskDefinition,
    TaskDefinitionFamilyStatus, TaskDefinitionField, TaskDefinitionStatus, TransportProtocol,
};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::cluster::name_of;
use super::model::{Changed, Field, Fields, Live, Place, ShapeError, TAG_CONTENT, Wanted};
use super::{Kind, Reading, Resource, Stage, Writes, tags};
use crate::aws::{AwsError, Class, Doing, Reader, Writer};
use crate::sha256;

/// What is known of the live thing beside its fields: the content that its service was last given, where it runs another.
pub const DEPLOYED: &str = "deployed_content";
/// What a task definition is called within its tenant.
pub const NAME: &str = "task-definition";

/// Revisions looked at for their tags, and deregistered, at the same time. The bucket of writes holds 20.
const CONCURRENT: usize = 8;

/// Revisions looked at to find out whose a family is, newest first.
const OWNERSHIP_DEPTH: usize = 10;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskDefinition {
    pub family: String,
    pub cpu: String,
    pub memory: String,
    pub task_role_arn: String,
    pub execution_role_arn: String,
    /// `X86_64` or `ARM64`.
    pub cpu_architecture: String,
    /// `FARGATE` or `EC2`.
    pub requires_compatibilities: Vec<String>,
    /// GiB; null for AWS's default.
    pub ephemeral_storage: Option<i32>,
    /// By name.
    pub containers: BTreeMap<String, Container>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Container {
    pub image: String,
    pub essential: bool,
    pub command: Vec<String>,
    pub environment: BTreeMap<String, String>,
    /// Name to the ARN of the secret or parameter; never its value.
    pub secrets: BTreeMap<String, String>,
    /// TCP ports that it listens on, sorted.
    pub ports: Vec<u16>,
    /// CPU units reserved; 0 for none.
    pub cpu: i32,
    /// MiB at which it is killed; null for none.
    pub memory: Option<i32>,
    pub health_check: Option<ContainerHealthCheck>,
    /// Options of the `awslogs` driver.
    pub log_options: BTreeMap<String, String>,
    /// Whether an init process reaps zombies, as ECS Exec wants it.
    pub init_process: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerHealthCheck {
    pub command: Vec<String>,
    pub interval: i32,
    pub timeout: i32,
    pub retries: i32,
    pub start_period: i32,
}

pub struct TaskDefinitions;

#[async_trait]
impl Resource for TaskDefinitions {
    fn writes(&self) -> Writes {
        Writes {
            create: &["ecs:RegisterTaskDefinition"],
            update: &["ecs:RegisterTaskDefinition"],
            delete: &["ecs:DeregisterTaskDefinition"],
        }
    }

    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::update("family"),
                Field::update("cpu"),
                Field::update("memory"),
                Field::update("task_role_arn"),
                Field::update("execution_role_arn"),
                Field::update("cpu_architecture"),
                Field::update("requires_compatibilities").set(),
                Field::update("ephemeral_storage"),
                Field::update("containers"),
            ]
        }
    }

    fn stage(&self) -> Stage {
        Stage::Second
    }

    fn found_through(&self) -> &'static [Kind] {
        &[Kind::Service]
    }

    /// A revision is tagged as it is registered and never again: another revision has other tags.
    fn is_tagged(&self) -> bool {
        false
    }

    fn record_tag(&self, _fields: &Fields) -> Option<String> {
        None
    }

    /// Nothing: services know which revision they run, so reading them returns it, see
    /// [`Services`](super::service::Services).
    async fn read(&self, _reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        Ok(Vec::new())
    }

    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        register(aws, wanted).await
    }

    /// The revision before stays active: a roll-back deploys it again.
    async fn update(&self, aws: &Writer, _live: &Live, wanted: &Wanted, _changed: &Changed) -> Result<String, AwsError> {
        register(aws, wanted).await
    }

    /// Deregisters every active revision of the family that is ours.
    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        let Some(owner) = live.owner() else { return Ok(()) };
        let (family, _) = family_and_revision(&live.id);
        let revisions = revisions(aws, family, usize::MAX).await?;
        let deregistered: Vec<_> = revisions
            .iter()
            .map(async |arn| match describe(aws, &live.place, arn).await? {
                Some(revision) if revision.owner().as_ref() == Some(&owner) => deregister(aws, arn).await,
                _ => Ok(()),
            })
            .collect();
        stream::iter(deregistered).buffer_unordered(CONCURRENT).try_collect().await
    }
}

/// A task definition with its tags: a revision by ARN, or the latest active one of a family. None where it has been
/// deregistered, although AWS still shows that one: nothing more can be deployed from it.
///
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html>
pub async fn describe(aws: &Reader, place: &Place, arn_or_family: &str) -> Result<Option<Live>, AwsError> {
    let request = aws.ecs().describe_task_definition().task_definition(arn_or_family).include(TaskDefinitionField::Tags);
    match request.send().await.doing("ecs:DescribeTaskDefinition", arn_or_family) {
        Ok(answer) => {
            let active = answer.task_definition().filter(|found| found.status() != Some(&TaskDefinitionStatus::Inactive));
            Ok(active.map(|definition| live(place, definition, answer.tags())))
        }
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Those of some families that have an active revision: one call, where their names begin alike.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitionFamilies.html>
pub(super) async fn active_families(aws: &Reader, families: &BTreeSet<&str>) -> Result<BTreeSet<String>, AwsError> {
    let Some(prefix) = common_prefix(families) else { return Ok(BTreeSet::new()) };
    let mut found = BTreeSet::new();
    let mut pages = aws
        .ecs()
        .list_task_definition_families()
        .family_prefix(prefix)
        .status(TaskDefinitionFamilyStatus::Active)
        .max_results(100)
        .into_paginator()
        .items()
        .send();
    while let Some(family) = pages.next().await {
        found.insert(family.doing("ecs:ListTaskDefinitionFamilies", prefix)?);
    }
    Ok(found)
}

/// What all of some names begin with.
fn common_prefix<'a>(names: &BTreeSet<&'a str>) -> Option<&'a str> {
    let (first, last) = (names.first()?, names.last()?);
    let common = first.char_indices().zip(last.chars()).find(|((_, one), other)| one != other);
    Some(&first[..common.map_or(first.len().min(last.len()), |((index, _), _)| index)])
}

/// Stands for the content of a task definition in tags: the first 16 hexadecimal digits of the SHA-256 of its desired
/// fields, as JSON with sorted keys.
pub fn content_hash(fields: &Fields) -> String {
    sha256::hex(serde_json::to_string(fields).unwrap_or_default().as_bytes(), 16)
}

/// Family and revision of an ARN, or of `family:revision`.
pub(super) fn family_and_revision(arn: &str) -> (&str, &str) {
    let name = name_of(arn);
    name.split_once(':').unwrap_or((name, ""))
}

/// Registers a revision, unless the latest one is it already: an interrupted run has registered it.
async fn register(aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
    let shape: TaskDefinition = wanted.shape()?;
    if let Some(latest) = describe(aws, &wanted.place, &shape.family).await? {
        if is_as_wanted(&latest, wanted, &shape)? {
            return Ok(latest.id);
        }
        if latest.owner().as_ref() != Some(&wanted.key) && !has_revision_of_ours(aws, &shape.family, wanted).await? {
            let message = "there is a task definition family of this name already, and none of its revisions carries our tags";
            return Err(AwsError::new("ecs:RegisterTaskDefinition", &shape.family, Class::Exists, message));
        }
    }
    let containers: Result<Vec<_>, _> = shape.containers.iter().map(|(name, container)| container.to_ecs(name)).collect();
    let made = aws
        .ecs()
        .register_task_definition()
        .family(&shape.family)
        .cpu(&shape.cpu)
        .memory(&shape.memory)
        .set_task_role_arn(unless_empty(&shape.task_role_arn))
        .set_execution_role_arn(unless_empty(&shape.execution_role_arn))
        .network_mode(NetworkMode::Awsvpc)
        .set_requires_compatibilities(Some(shape.requires_compatibilities.iter().map(|name| Compatibility::from(name.as_str())).collect()))
        .runtime_platform(
            RuntimePlatform::builder()
                .cpu_architecture(CpuArchitecture::from(shape.cpu_architecture.as_str()))
                .operating_system_family(OsFamily::Linux)
                .build(),
        )
        .set_ephemeral_storage(shape.ephemeral_storage.map(|size| EphemeralStorage::builder().size_in_gib(size).build()))
        .set_container_definitions(Some(containers?))
        .set_tags(Some(tags::to_ecs(&wanted.tags)))
        .send()
        .await
        .doing("ecs:RegisterTaskDefinition", &wanted.key)?;
    let arn = made.task_definition().and_then(EcsTaskDefinition::task_definition_arn);
    Ok(arn.unwrap_or_default().to_string())
}

/// Whether a revision is ours and says what is wanted. Its tag alone is not believed: tags can be changed.
fn is_as_wanted(latest: &Live, wanted: &Wanted, shape: &TaskDefinition) -> Result<bool, ShapeError> {
    let is_ours = latest.owner().as_ref() == Some(&wanted.key);
    Ok(is_ours && latest.tags.get(TAG_CONTENT) == wanted.tags.get(TAG_CONTENT) && latest.shape::<TaskDefinition>()? == *shape)
}

/// Whether an earlier revision is ours: then somebody else only added one to our family.
async fn has_revision_of_ours(aws: &Reader, family: &str, wanted: &Wanted) -> Result<bool, AwsError> {
    for arn in revisions(aws, family, OWNERSHIP_DEPTH).await? {
        let revision = describe(aws, &wanted.place, &arn).await?;
        if revision.and_then(|revision| revision.owner()).as_ref() == Some(&wanted.key) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// ARNs of the active revisions of exactly this family, newest first.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitions.html>
async fn revisions(aws: &Reader, family: &str, most: usize) -> Result<Vec<String>, AwsError> {
    let mut found = Vec::new();
    let mut pages = aws
        .ecs()
        .list_task_definitions()
        .family_prefix(family)
        .status(TaskDefinitionStatus::Active)
        .sort(SortOrder::Desc)
        .max_results(100)
        .into_paginator()
        .items()
        .send();
    while let Some(arn) = pages.next().await {
        let arn = arn.doing("ecs:ListTaskDefinitions", family)?;
        if family_and_revision(&arn).0 == family {
            found.push(arn);
        }
        if found.len() >= most {
            break;
        }
    }
    Ok(found)
}

async fn deregister(aws: &Writer, arn: &str) -> Result<(), AwsError> {
    match aws.ecs().deregister_task_definition().task_definition(arn).send().await.doing("ecs:DeregisterTaskDefinition", arn) {
        Err(error) if error.class != Class::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn live(place: &Place, definition: &EcsTaskDefinition, tags: &[aws_sdk_ecs::types::Tag]) -> Live {
    let shape = TaskDefinition::from_ecs(definition);
    let id = definition.task_definition_arn().unwrap_or_default();
    Live::new(Kind::TaskDefinition, place, id, tags::from_ecs(tags), &shape).named(&shape.family)
}

fn unless_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}

fn incomplete(error: impl std::fmt::Display) -> ShapeError {
    ShapeError(error.to_string())
}

impl TaskDefinition {
    fn from_ecs(definition: &EcsTaskDefinition) -> Self {
        let platform = definition.runtime_platform();
        let mut requires: Vec<String> = definition.requires_compatibilities().iter().map(|name| name.as_str().to_string()).collect();
        requires.sort();
        Self {
            family: definition.family().unwrap_or_default().into(),
            cpu: definition.cpu().unwrap_or_default().into(),
            memory: definition.memory().unwrap_or_default().into(),
            task_role_arn: definition.task_role_arn().unwrap_or_default().into(),
            execution_role_arn: definition.execution_role_arn().unwrap_or_default().into(),
            cpu_architecture: platform.and_then(RuntimePlatform::cpu_architecture).unwrap_or(&CpuArchitecture::X8664).as_str().into(),
            requires_compatibilities: requires,
            ephemeral_storage: definition.ephemeral_storage().map(EphemeralStorage::size_in_gib),
            containers: definition
                .container_definitions()
                .iter()
                .map(|container| (container.name().unwrap_or_default().to_string(), Container::from_ecs(container)))
                .collect(),
        }
    }
}

impl Container {
    /// With AWS's defaults as values, and its empty lists as nothing.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html>
    fn from_ecs(container: &ContainerDefinition) -> Self {
        let mut ports: Vec<u16> = container
            .port_mappings()
            .iter()
            .filter_map(|mapping| mapping.container_port().and_then(|port| u16::try_from(port).ok()))
            .collect();
        ports.sort_unstable();
        Self {
            image: container.image().unwrap_or_default().into(),
            essential: container.essential().unwrap_or(true),
            command: container.command().to_vec(),
            environment: container
                .environment()
                .iter()
                .map(|pair| (pair.name().unwrap_or_default().to_string(), pair.value().unwrap_or_default().to_string()))
                .collect(),
            secrets: container.secrets().iter().map(|secret| (secret.name().to_string(), secret.value_from().to_string())).collect(),
            ports,
            cpu: container.cpu(),
            memory: container.memory(),
            health_check: container.health_check().map(ContainerHealthCheck::from_ecs),
            log_options: container
                .log_configuration()
                .and_then(LogConfiguration::options)
                .map(|options| options.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
                .unwrap_or_default(),
            init_process: container.linux_parameters().and_then(LinuxParameters::init_process_enabled).unwrap_or(false),
        }
    }

    fn to_ecs(&self, name: &str) -> Result<ContainerDefinition, ShapeError> {
        let pairs = self.environment.iter().map(|(name, value)| KeyValuePair::builder().name(name).value(value).build());
        let secrets: Result<Vec<_>, _> =
            self.secrets.iter().map(|(name, arn)| Secret::builder().name(name).value_from(arn).build()).collect();
        // Without a host port it is the container's: with awsvpc they must be equal.
        let ports =
            self.ports.iter().map(|port| PortMapping::builder().container_port((*port).into()).protocol(TransportProtocol::Tcp).build());
        let mut container = ContainerDefinition::builder()
            .name(name)
            .image(&self.image)
            .essential(self.essential)
            .set_command((!self.command.is_empty()).then(|| self.command.clone()))
            .set_environment(Some(pairs.collect()))
            .set_secrets(Some(secrets.map_err(incomplete)?))
            .set_port_mappings(Some(ports.collect()))
            .cpu(self.cpu)
            .set_memory(self.memory);
        if let Some(check) = &self.health_check {
            container = container.health_check(check.to_ecs()?);
        }
        if !self.log_options.is_empty() {
            let options = self.log_options.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            let log = LogConfiguration::builder().log_driver(LogDriver::Awslogs).set_options(Some(options)).build();
            container = container.log_configuration(log.map_err(incomplete)?);
        }
        if self.init_process {
            container = container.linux_parameters(LinuxParameters::builder().init_process_enabled(true).build());
        }
        Ok(container.build())
    }
}

impl ContainerHealthCheck {
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html>
    fn from_ecs(check: &HealthCheck) -> Self {
        Self {
            command: check.command().to_vec(),
            interval: check.interval().unwrap_or(30),
            timeout: check.timeout().unwrap_or(5),
            retries: check.retries().unwrap_or(3),
            start_period: check.start_period().unwrap_or(0),
        }
    }

    fn to_ecs(&self) -> Result<HealthCheck, ShapeError> {
        HealthCheck::builder()
            .set_command(Some(self.command.clone()))
            .interval(self.interval)
            .timeout(self.timeout)
            .retries(self.retries)
            .set_start_period((self.start_period > 0).then_some(self.start_period))
            .build()
            .map_err(incomplete)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_names_begin_with() {
        let prefix = |names: &[&'static str]| common_prefix(&names.iter().copied().collect());
        assert_eq!(prefix(&[]), None);
        assert_eq!(prefix(&["high-acme"]), Some("high-acme"));
        assert_eq!(prefix(&["high-acme", "high-acme-2", "high-bolt"]), Some("high-"));
        assert_eq!(prefix(&["high-acme", "high-acme-2"]), Some("high-acme"));
        assert_eq!(prefix(&["a", "b"]), Some(""));
    }

    const ARN: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/high-tps-cell-1-ig-1-acme:7";

    fn container() -> Container {
        Container {
            image: "nginx:1".into(),
            essential: true,
            command: Vec::new(),
            environment: BTreeMap::from([("A".into(), "1".into()), ("B".into(), String::new())]),
            secrets: BTreeMap::from([("KEY".into(), "arn:aws:ssm:us-east-1:123456789012:parameter/key".into())]),
            ports: vec![8080, 9090],
            cpu: 0,
            memory: None,
            health_check: Some(ContainerHealthCheck {
                command: vec!["CMD-SHELL".into(), "true".into()],
                interval: 30,
                timeout: 5,
                retries: 3,
                start_period: 0,
            }),
            log_options: BTreeMap::from([("awslogs-group".into(), "/tierctl/high-tps/cell-1/ig-1".into())]),
            init_process: false,
        }
    }

    fn definition() -> TaskDefinition {
        TaskDefinition {
            family: "high-tps-cell-1-ig-1-acme".into(),
            cpu: "512".into(),
            memory: "1024".into(),
            task_role_arn: "arn:aws:iam::123456789012:role/task".into(),
            execution_role_arn: "arn:aws:iam::123456789012:role/execution".into(),
            cpu_architecture: "X86_64".into(),
            requires_compatibilities: vec!["FARGATE".into()],
            ephemeral_storage: None,
            containers: BTreeMap::from([("app".into(), container())]),
        }
    }

    #[test]
    fn what_is_sent_comes_back_as_it_was() {
        let all = Container {
            command: vec!["serve".into()],
            memory: Some(256),
            cpu: 128,
            essential: false,
            init_process: true,
            health_check: container().health_check.map(|check| ContainerHealthCheck { start_period: 60, ..check }),
            ..container()
        };
        for container in [container(), all] {
            assert_eq!(Container::from_ecs(&container.to_ecs("app").unwrap()), container);
        }
    }

    /// An answer of AWS: its defaults filled in, its lists empty or in another order, a derived `compatibilities`.
    #[test]
    fn defaults_that_aws_fills_in_are_no_difference() {
        let pair = |name: &str, value: &str| KeyValuePair::builder().name(name).value(value).build();
        let port = |port: i32| PortMapping::builder().container_port(port).host_port(port).protocol(TransportProtocol::Tcp).build();
        let log = LogConfiguration::builder()
            .log_driver(LogDriver::Awslogs)
            .options("awslogs-group", "/tierctl/high-tps/cell-1/ig-1")
            .set_secret_options(Some(Vec::new()))
            .build();
        let secret = Secret::builder().name("KEY").value_from("arn:aws:ssm:us-east-1:123456789012:parameter/key").build();
        let answer = ContainerDefinition::builder()
            .name("app")
            .image("nginx:1")
            .cpu(0)
            .environment(pair("B", ""))
            .environment(pair("A", "1"))
            .port_mappings(port(9090))
            .port_mappings(port(8080))
            .secrets(secret.unwrap())
            .health_check(HealthCheck::builder().command("CMD-SHELL").command("true").build().unwrap())
            .log_configuration(log.unwrap())
            .set_mount_points(Some(Vec::new()))
            .set_volumes_from(Some(Vec::new()))
            .set_system_controls(Some(Vec::new()))
            .build();
        let answer = EcsTaskDefinition::builder()
            .task_definition_arn(ARN)
            .family("high-tps-cell-1-ig-1-acme")
            .revision(7)
            .cpu("512")
            .memory("1024")
            .task_role_arn("arn:aws:iam::123456789012:role/task")
            .execution_role_arn("arn:aws:iam::123456789012:role/execution")
            .network_mode(NetworkMode::Awsvpc)
            .requires_compatibilities(Compatibility::Fargate)
            .compatibilities(Compatibility::Ec2)
            .compatibilities(Compatibility::Fargate)
            .container_definitions(answer)
            .build();
        assert_eq!(TaskDefinition::from_ecs(&answer), definition());
    }

    #[test]
    fn the_hash_follows_content_and_not_its_order() {
        let one = Fields::from_iter([("a".to_string(), json!(1)), ("b".to_string(), json!({"x": 1, "y": 2}))]);
        let other = Fields::from_iter([("b".to_string(), json!({"y": 2, "x": 1})), ("a".to_string(), json!(1))]);
        assert_eq!(content_hash(&one), content_hash(&other));
        // Every tenant would be rolled out again if this changed.
        assert_eq!(content_hash(&one), "ca7a7c6cde8062a2");
    }

    #[test]
    fn a_revision_is_known_by_its_arn() {
        assert_eq!(family_and_revision(ARN), ("high-tps-cell-1-ig-1-acme", "7"));
        assert_eq!(family_and_revision("acme:12"), ("acme", "12"));
        assert_eq!(family_and_revision("acme"), ("acme", ""));
    }
}
