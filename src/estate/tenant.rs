//! What a tenant has of its own: cluster, target group, listener rule, task definition and service, or registered
//! addresses. Nothing else: dependencies belong to the tier.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Facts, Group, infra_group, names};
use crate::resources::Kind;
use crate::resources::cluster::Cluster;
use crate::resources::listener_rule::{self, Condition, ListenerRule};
use crate::resources::model::{Desired, Id, Key, Scope, TAG_CONTENT, Tags};
use crate::resources::service::{CapacityProvider, Service};
use crate::resources::target_group::TargetGroup;
use crate::resources::targets::{self, Targets};
use crate::resources::task_definition::{self, Container, ContainerHealthCheck, TaskDefinition};
use crate::spec::located::Located;
use crate::spec::model::{self, Architecture, ContainerInsights, HealthCheck, RouteBy, TenantSpec};

/// Name of the container that the tenant's image runs in.
pub const MAIN_CONTAINER: &str = "app";
/// Priorities of our own listeners' rules, all that AWS has.
const ALL_PRIORITIES: [u32; 2] = [1, 50_000];

pub fn cluster(scope: &Scope) -> Key {
    Key::new(scope, Kind::Cluster, "cluster")
}

pub fn target_group(scope: &Scope) -> Key {
    Key::new(scope, Kind::TargetGroup, "target-group")
}

pub fn listener_rule(scope: &Scope) -> Key {
    Key::new(scope, Kind::ListenerRule, "listener-rule")
}

pub fn task_definition(scope: &Scope) -> Key {
    Key::new(scope, Kind::TaskDefinition, task_definition::NAME)
}

pub fn service(scope: &Scope) -> Key {
    Key::new(scope, Kind::Service, "service")
}

pub fn targets(scope: &Scope) -> Key {
    Key::new(scope, Kind::Targets, targets::NAME)
}

/// The requests that are the tenant's, as conditions of its listener rule.
pub fn conditions(tier: &model::TierSpec, tenant: &TenantSpec) -> Vec<Condition> {
    let texts = |values: &[crate::spec::Located<String>]| values.iter().map(|value| value.to_string()).collect::<Vec<_>>();
    let name = tenant.tenant.to_string();
    let mut condition = match *tier.tenants.route_by {
        RouteBy::Path => Condition {
            field: "path-pattern".into(),
            header: None,
            values: tenant.route.path.as_ref().map_or_else(|| vec![format!("/{name}"), format!("/{name}/*")], |paths| texts(paths)),
        },
        RouteBy::Header => Condition {
            field: "http-header".into(),
            header: tier.tenants.header.as_ref().map(|header| header.to_string()),
            values: tenant.route.header.as_ref().map_or_else(|| vec![name], |values| texts(values)),
        },
    };
    condition.values.sort();
    condition.values.dedup();
    vec![condition]
}

pub struct Builder<'a> {
    group: Group<'a>,
    tenant: &'a TenantSpec,
    facts: &'a Facts,
    scope: Scope,
    tags: Tags,
}

impl<'a> Builder<'a> {
    pub fn new(group: Group<'a>, tenant: &'a TenantSpec, facts: &'a Facts) -> Self {
        let tags = group.tier.tags.iter().chain(&tenant.tags).map(|(key, value)| (key.to_string(), value.to_string())).collect();
        Self { group, tenant, facts, scope: group.scope().with_tenant(&tenant.tenant), tags }
    }

    pub fn build(self) -> Vec<Desired> {
        let mut made = Vec::new();
        if let Some(service) = &self.tenant.service {
            made.push(self.cluster(service));
        }
        made.extend([self.target_group(), self.listener_rule()]);
        if let Some(service) = &self.tenant.service {
            let task_definition = self.task_definition(service);
            let content = task_definition.tags.get(TAG_CONTENT).cloned();
            made.push(task_definition);
            made.push(self.service(service, content));
        }
        if let Some(targets) = &self.tenant.targets {
            made.push(self.targets(targets));
        }
        made
    }

    fn desired(&self, key: Key, shape: &impl serde::Serialize) -> Desired {
        Desired::new(key, &self.group.place(), shape, &self.tags)
    }

    fn cluster(&self, service: &model::Service) -> Desired {
        let mut providers: Vec<String> = strategy(service).into_iter().map(|provider| provider.capacity_provider).collect();
        providers.sort();
        let shape = Cluster {
            cluster_name: names::cluster(self.group, &self.tenant.tenant),
            capacity_providers: providers,
            container_insights: self.group.tier.monitoring.container_insights.map(|setting| {
                match setting {
                    ContainerInsights::Disabled => "disabled",
                    ContainerInsights::Enabled => "enabled",
                    ContainerInsights::Enhanced => "enhanced",
                }
                .to_string()
            }),
        };
        self.desired(cluster(&self.scope), &shape)
    }

    fn target_group(&self) -> Desired {
        let (port, health_check, attributes) = match (&self.tenant.service, &self.tenant.targets) {
            (Some(s), _) => (
                *s.port,
                s.health_check.as_deref(),
                target_group_attributes(s.deregistration_delay.as_deref(), s.slow_start.as_deref(), s.stickiness.as_deref()),
            ),
            (None, Some(t)) => (
                *t.port,
                t.health_check.as_deref(),
                target_group_attributes(t.deregistration_delay.as_deref(), t.slow_start.as_deref(), t.stickiness.as_deref()),
            ),
            (None, None) => (0, None, BTreeMap::new()),
        };
        let shape = TargetGroup {
            target_group_name: names::target_group(self.group, &self.tenant.tenant, port),
            vpc_id: infra_group::vpc(self.group),
            protocol: "HTTP".into(),
            port: port.into(),
            target_type: "ip".into(),
            health_check: self::health_check(health_check),
            attributes,
        };
        // The cluster is made first and deleted last: it is what shows where a tenant lives.
        let cluster = self.tenant.service.is_some().then(|| cluster(&self.scope));
        self.desired(target_group(&self.scope), &shape).after(cluster)
    }

    fn listener_rule(&self) -> Desired {
        let band = self.group.group.load_balancer.priorities.as_deref().copied().unwrap_or(ALL_PRIORITIES);
        let shape = ListenerRule {
            listener_arn: infra_group::main_listener(self.group),
            priority: listener_rule::band(band[0], band[1]),
            conditions: conditions(self.group.tier, self.tenant),
            target_group_arn: Some(Id::Of(target_group(&self.scope))),
            places: Some(*self.group.tier.tenants.max_per_infra_group),
        };
        self.desired(listener_rule(&self.scope), &shape)
    }

    fn task_definition(&self, service: &model::Service) -> Desired {
        let mut containers = BTreeMap::from([(MAIN_CONTAINER.to_string(), self.main_container(service))]);
        for sidecar in &service.sidecars {
            containers.insert(sidecar.name.to_string(), self.sidecar(sidecar, service.exec));
        }
        let on_fargate = strategy(service).iter().all(|provider| provider.capacity_provider.starts_with("FARGATE"));
        let shape = TaskDefinition {
            family: names::cluster(self.group, &self.tenant.tenant),
            cpu: service.cpu.to_string(),
            memory: service.memory.to_string(),
            task_role_arn: names::role_arn(self.group, "task"),
            execution_role_arn: names::role_arn(self.group, "execution"),
            cpu_architecture: match service.architecture {
                Some(Architecture::Arm64) => "ARM64".into(),
                Some(Architecture::X86_64) | None => "X86_64".into(),
            },
            requires_compatibilities: vec![if on_fargate { "FARGATE" } else { "EC2" }.into()],
            ephemeral_storage: service.ephemeral_storage.as_ref().and_then(|gib| i32::try_from(**gib).ok()),
            containers,
        };
        let mut desired = self.desired(task_definition(&self.scope), &shape).after([
            infra_group::role(&self.scope, "task"),
            infra_group::role(&self.scope, "execution"),
            infra_group::log_group(&self.scope),
            cluster(&self.scope),
            // A tenant that finds no place leaves no revision behind.
            listener_rule(&self.scope),
        ]);
        let content = task_definition::content_hash(&desired.fields);
        desired.tags.insert(TAG_CONTENT.into(), content);
        desired
    }

    fn main_container(&self, service: &model::Service) -> Container {
        let mut environment = self.identity_environment();
        for (name, value) in &self.tenant.environment {
            environment.entry(name.to_string()).or_insert_with(|| value.to_string());
        }
        Container {
            image: service.image.to_string(),
            essential: true,
            command: service.command.clone().unwrap_or_default(),
            environment,
            secrets: service.secrets.iter().map(|(name, arn)| (name.to_string(), arn.to_string())).collect(),
            ports: vec![*service.port],
            cpu: 0,
            memory: None,
            health_check: service.container_health_check.as_deref().map(container_health_check),
            log_options: self.log_options(),
            init_process: service.exec,
        }
    }

    fn sidecar(&self, sidecar: &model::Sidecar, exec: bool) -> Container {
        let mut environment = self.identity_environment();
        for (name, value) in &sidecar.environment {
            environment.entry(name.to_string()).or_insert_with(|| value.to_string());
        }
        Container {
            image: sidecar.image.to_string(),
            essential: sidecar.essential.unwrap_or(true),
            command: sidecar.command.clone().unwrap_or_default(),
            environment,
            secrets: sidecar.secrets.iter().map(|(name, arn)| (name.to_string(), arn.to_string())).collect(),
            ports: sidecar.port.iter().map(|port| **port).collect(),
            cpu: sidecar.cpu.as_ref().map_or(0, |cpu| to_i32(**cpu)),
            memory: sidecar.memory.as_ref().map(|memory| to_i32(**memory)),
            health_check: sidecar.health_check.as_deref().map(container_health_check),
            log_options: self.log_options(),
            init_process: exec,
        }
    }

    /// Who the task is; the spec's environment cannot override these.
    fn identity_environment(&self) -> BTreeMap<String, String> {
        let scope = &self.scope;
        [("TENANT_ID", self.tenant.tenant.as_str()), ("TIER", &scope.tier), ("CELL", &scope.cell), ("INFRA_GROUP", &scope.infra_group)]
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .into()
    }

    fn log_options(&self) -> BTreeMap<String, String> {
        [
            ("awslogs-group", names::log_group(self.group).as_str()),
            ("awslogs-region", self.group.region()),
            ("awslogs-stream-prefix", &self.tenant.tenant),
        ]
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .into()
    }

    fn service(&self, service: &model::Service, content: Option<String>) -> Desired {
        let deployment = service.deployment.as_deref();
        let percent = |value: Option<&crate::spec::Located<u32>>, default| value.map_or(default, |percent| to_i32(**percent));
        let shape = Service {
            cluster_arn: Id::Of(cluster(&self.scope)),
            service_name: self.tenant.tenant.to_string(),
            task_definition: Id::Of(task_definition(&self.scope)),
            desired_count: service.desired.as_ref().map(|count| to_i32(**count)),
            target_group_arn: Some(Id::Of(target_group(&self.scope))),
            container_name: MAIN_CONTAINER.into(),
            container_port: (*service.port).into(),
            subnet_ids: infra_group::task_subnets(self.group),
            security_group_ids: vec![Id::Of(infra_group::tasks_group(&self.scope))],
            assign_public_ip: false,
            capacity_provider_strategy: strategy(service),
            enable_execute_command: service.exec,
            health_check_grace_period_seconds: service.health_check_grace_period.as_ref().map(|seconds| to_i32(**seconds)),
            minimum_healthy_percent: percent(deployment.and_then(|d| d.minimum_healthy_percent.as_ref()), 100),
            maximum_percent: percent(deployment.and_then(|d| d.maximum_percent.as_ref()), 200),
            circuit_breaker: true,
            rollback: deployment.and_then(|d| d.rollback).unwrap_or(true),
            rollout: "COMPLETED".into(),
        };
        // ECS refuses a target group that no listener forwards to yet.
        let mut desired = self.desired(self::service(&self.scope), &shape).after([listener_rule(&self.scope)]);
        desired.tags.extend(content.map(|content| (TAG_CONTENT.to_string(), content)));
        desired
    }

    fn targets(&self, targets: &model::Targets) -> Desired {
        let vpc = &self.group.group.vpc;
        let own = vpc.cidr.as_ref().map(|cidr| vec![cidr.to_string()]);
        let looked_up = || vpc.id.as_ref().and_then(|id| self.facts.vpcs.get(id.as_str()).cloned());
        let shape = Targets {
            target_group_arn: Id::Of(target_group(&self.scope)),
            port: (*targets.port).into(),
            addresses: targets.addresses.iter().map(|address| address.to_string()).collect(),
            vpc_cidrs: own.or_else(looked_up).unwrap_or_default(),
        };
        // A target that no listener forwards to stays `unused`: its health would never be known.
        self.desired(self::targets(&self.scope), &shape).after([listener_rule(&self.scope)])
    }
}

/// Where the tasks run: Fargate unless the spec says otherwise.
fn strategy(service: &model::Service) -> Vec<CapacityProvider> {
    let provider = |name: &str, weight, base| CapacityProvider { capacity_provider: name.into(), weight, base };
    match service.capacity_providers.as_deref() {
        None => vec![provider("FARGATE", 1, 0)],
        Some(providers) => providers
            .iter()
            .map(|p| {
                let weight = p.weight.as_ref().map_or(1, |weight| to_i32(**weight));
                provider(&p.name, weight, p.base.as_ref().map_or(0, |base| to_i32(**base)))
            })
            .collect(),
    }
}

/// What the spec omits has AWS's default, sent and managed: otherwise what an earlier spec said would stay.
fn health_check(spec: Option<&model::HealthCheck>) -> BTreeMap<String, Value> {
    let number = |value: Option<&Option<Located<u32>>>, default: u32| json!(value.and_then(Option::as_deref).copied().unwrap_or(default));
    let text =
        |value: Option<&Option<Located<String>>>, default: &str| json!(value.and_then(Option::as_deref).map_or(default, String::as_str));
    let fields = [
        ("health_check_path", text(spec.map(|spec| &spec.path), HealthCheck::DEFAULT_PATH)),
        ("health_check_interval_seconds", number(spec.map(|spec| &spec.interval), HealthCheck::DEFAULT_INTERVAL)),
        ("health_check_timeout_seconds", number(spec.map(|spec| &spec.timeout), HealthCheck::DEFAULT_TIMEOUT)),
        ("healthy_threshold_count", number(spec.map(|spec| &spec.healthy_threshold), HealthCheck::DEFAULT_HEALTHY_THRESHOLD)),
        ("unhealthy_threshold_count", number(spec.map(|spec| &spec.unhealthy_threshold), HealthCheck::DEFAULT_UNHEALTHY_THRESHOLD)),
        ("matcher", text(spec.map(|spec| &spec.matcher), HealthCheck::DEFAULT_MATCHER)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html>
fn target_group_attributes(
    deregistration_delay: Option<&u32>,
    slow_start: Option<&u32>,
    stickiness: Option<&model::Stickiness>,
) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    if let Some(seconds) = deregistration_delay {
        attributes.insert("deregistration_delay.timeout_seconds".into(), seconds.to_string());
    }
    if let Some(seconds) = slow_start {
        attributes.insert("slow_start.duration_seconds".into(), seconds.to_string());
    }
    if let Some(stickiness) = stickiness {
        attributes.insert("stickiness.enabled".into(), stickiness.enabled.to_string());
        if stickiness.enabled {
            attributes.insert("stickiness.type".into(), "lb_cookie".into());
        }
        if let Some(seconds) = &stickiness.duration {
            attributes.insert("stickiness.lb_cookie.duration_seconds".into(), seconds.to_string());
        }
    }
    attributes
}

/// The defaults are ECS's own.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html>
fn container_health_check(spec: &model::ContainerHealthCheck) -> ContainerHealthCheck {
    let or = |value: &Option<crate::spec::Located<u32>>, default| value.as_ref().map_or(default, |value| to_i32(**value));
    ContainerHealthCheck {
        command: spec.command.to_vec(),
        interval: or(&spec.interval, 30),
        timeout: or(&spec.timeout, 5),
        retries: or(&spec.retries, 3),
        start_period: or(&spec.start_period, 0),
    }
}

/// Every number of a spec has been checked to be far below the limit.
fn to_i32(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
