//! What an infra group has of its tier: network, paths, endpoints, roles, log group, load balancer.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::{Facts, Group, names};
use crate::resources::Kind;
use crate::resources::internet_gateway::InternetGateway;
use crate::resources::listener::{DefaultAction, Listener};
use crate::resources::load_balancer::LoadBalancer;
use crate::resources::log_group::LogGroup;
use crate::resources::model::{Desired, Id, Key, Place, Scope, Tags, one_of};
use crate::resources::normal_form;
use crate::resources::role::Role;
use crate::resources::route_table::{Route, RouteTable};
use crate::resources::security_group::SecurityGroup;
use crate::resources::security_group_rules::{Direction, Rule, SecurityGroupRules};
use crate::resources::subnet::Subnet;
use crate::resources::vpc::Vpc;
use crate::resources::vpc_endpoint::{self, VpcEndpoint};
use crate::spec::model::{self, Downstream, Scheme, ServiceName};

/// A made VPC is cut into this many equal blocks.
const BLOCKS: u8 = 16;
/// Gateway endpoints are reached with HTTPS.
const GATEWAY_PORT: u16 = 443;
/// AWS's own choice for a new HTTPS listener made in the console: TLS 1.3 and 1.2.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html>
const SSL_POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-2021-06";

/// The one name of the inline policy that a role's statements become.
const INLINE_POLICY: &str = "tierctl";

/// Keys of the things that a tenant refers to.
pub fn tasks_group(scope: &Scope) -> Key {
    Key::new(&scope.without_tenant(), Kind::SecurityGroup, "tasks")
}

pub fn log_group(scope: &Scope) -> Key {
    Key::new(&scope.without_tenant(), Kind::LogGroup, "logs")
}

pub fn role(scope: &Scope, name: &str) -> Key {
    Key::new(&scope.without_tenant(), Kind::Role, name)
}

/// The VPC: ours to be made, or another team's.
pub fn vpc(group: Group<'_>) -> Id {
    match &group.group.vpc.id {
        Some(id) => Id::Known(id.to_string()),
        None => Id::Of(Key::new(&group.scope(), Kind::Vpc, "vpc")),
    }
}

/// Subnets for tasks and endpoints.
pub fn task_subnets(group: Group<'_>) -> Vec<Id> {
    let vpc = &group.group.vpc;
    match vpc.id {
        Some(_) => vpc.subnets.iter().map(|id| Id::Known(id.to_string())).collect(),
        None => vpc.zones.iter().map(|zone| Id::Of(Key::new(&group.scope(), Kind::Subnet, format!("private-{}", **zone)))).collect(),
    }
}

/// The listener that tenants' rules go on: HTTPS if there is a certificate, else HTTP, or another team's.
pub fn main_listener(group: Group<'_>) -> Id {
    match group.listener() {
        Some(arn) => Id::Known(arn.to_string()),
        None => Id::Of(listener_key(&group.scope(), main_port(group))),
    }
}

fn main_port(group: Group<'_>) -> i32 {
    if group.group.load_balancer.certificate.is_some() { 443 } else { 80 }
}

fn listener_key(scope: &Scope, port: i32) -> Key {
    Key::new(scope, Kind::Listener, format!("port-{port}"))
}

/// The full name of a downstream's endpoint service in this cell.
pub fn service_name(downstream: &Downstream, region: &str) -> String {
    let name = match &*downstream.service {
        ServiceName::Name(name) => name.as_str(),
        ServiceName::PerRegion(names) => names.get(region).map_or("", |name| name.as_str()),
    };
    if name.starts_with("com.amazonaws.") || name.starts_with("cn.com.amazonaws.") || name.contains("vpce-svc-") {
        name.to_string()
    } else {
        format!("com.amazonaws.{region}.{name}")
    }
}

pub struct Builder<'a> {
    group: Group<'a>,
    facts: &'a Facts,
    scope: Scope,
    place: Place,
    tags: Tags,
    made: Vec<Desired>,
}

impl<'a> Builder<'a> {
    pub fn new(group: Group<'a>, facts: &'a Facts) -> Self {
        let tags = group.tier.tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        Self { group, facts, scope: group.scope(), place: group.place(), tags, made: Vec::new() }
    }

    pub fn build(mut self) -> Vec<Desired> {
        self.network();
        self.paths();
        self.endpoints();
        self.roles();
        self.log_group();
        self.load_balancer();
        self.made
    }

    fn add(&mut self, kind: Kind, name: impl Into<String>, shape: &impl serde::Serialize) -> &mut Desired {
        let mut desired = Desired::new(Key::new(&self.scope, kind, name), &self.place, shape, &self.tags);
        // What a person sees first in AWS's console.
        if matches!(kind, Kind::Vpc | Kind::InternetGateway | Kind::Subnet | Kind::RouteTable | Kind::VpcEndpoint) {
            let shown = format!("{}-{}-{}-{}", self.scope.tier, self.scope.cell, self.scope.infra_group, desired.key.name);
            desired.tags.entry("Name".into()).or_insert(shown);
        }
        let last = self.made.len();
        self.made.push(desired);
        &mut self.made[last]
    }

    fn is_internet_facing(&self) -> bool {
        self.group.group.load_balancer.scheme.as_deref() == Some(&Scheme::InternetFacing)
    }

    fn network(&mut self) {
        let vpc = &self.group.group.vpc;
        let Some(cidr) = &vpc.cidr else { return };
        self.add(Kind::Vpc, "vpc", &Vpc { cidr_block: cidr.to_string(), enable_dns_support: Some(true), enable_dns_hostnames: Some(true) });
        let blocks = blocks(cidr);
        self.subnets("private", one_of(&blocks), Vec::new());
        if self.is_internet_facing() {
            let gateway = Key::new(&self.scope, Kind::InternetGateway, "internet-gateway");
            self.add(Kind::InternetGateway, "internet-gateway", &InternetGateway { vpc_id: Some(super::infra_group::vpc(self.group)) });
            let route = Route { destination: "0.0.0.0/0".into(), target: Id::Of(gateway) };
            self.subnets("public", one_of(blocks.iter().rev()), vec![route]);
        }
    }

    /// One subnet per zone and the route table that they share.
    fn subnets(&mut self, name: &str, cidr_block: Value, routes: Vec<Route>) {
        let vpc_id = vpc(self.group);
        let mut subnet_ids = Vec::new();
        for zone in &self.group.group.vpc.zones {
            let shape = Subnet {
                vpc_id: vpc_id.clone(),
                cidr_block: cidr_block.clone(),
                availability_zone: zone.to_string(),
                map_public_ip_on_launch: false,
            };
            let made = self.add(Kind::Subnet, format!("{name}-{}", **zone), &shape);
            subnet_ids.push(Id::Of(made.key.clone()));
        }
        self.add(Kind::RouteTable, name, &RouteTable { vpc_id, routes, subnet_ids });
    }

    fn security_group(&mut self, name: &str, description: &str, ingress: Vec<Rule>, egress: Vec<Rule>) -> Id {
        let shape =
            SecurityGroup { vpc_id: vpc(self.group), group_name: names::security_group(self.group, name), description: description.into() };
        let id = Id::Of(self.add(Kind::SecurityGroup, name, &shape).key.clone());
        for (direction, suffix, rules) in [(Direction::Ingress, "ingress", ingress), (Direction::Egress, "egress", egress)] {
            let shape = SecurityGroupRules { group_id: id.clone(), direction, rules };
            self.add(Kind::SecurityGroupRules, format!("{name}-{suffix}"), &shape);
        }
        id
    }

    /// Each path is opened as both its halves: out of the one group and into the other.
    fn paths(&mut self) {
        let tier = self.group.tier;
        let load_balancer = Id::Of(Key::new(&self.scope, Kind::SecurityGroup, "load-balancer"));
        let tasks = Id::Of(tasks_group(&self.scope));
        let [from, to] = *tier.tenants.ports;

        let mut into_tasks = Vec::new();
        if let Some(listener) = self.group.listener() {
            let groups = self.facts.listeners.get(listener).map(|listener| &listener.security_group_ids);
            into_tasks.extend(groups.into_iter().flatten().map(|id| tcp(from, to, Id::Known(id.clone()))));
        } else {
            let mut ports = vec![main_port(self.group)];
            if ports == [443] {
                ports.push(80);
            }
            let allowed = self.allowed();
            let into_load_balancer =
                ports.iter().flat_map(|port| allowed.iter().map(|peer| tcp(*port as u16, *port as u16, Id::Known(peer.clone()))));
            let into_load_balancer = into_load_balancer.collect();
            self.security_group(
                "load-balancer",
                "Load balancer: from those allowed, to the tenants' tasks",
                into_load_balancer,
                vec![tcp(from, to, tasks.clone())],
            );
            into_tasks.push(tcp(from, to, load_balancer));
        }

        let mut out_of_tasks: Vec<Rule> = Vec::new();
        let ports: BTreeSet<u16> =
            tier.downstreams.iter().filter(|d| !*d.gateway).filter_map(|d| d.port.as_ref().map(|port| **port)).collect();
        // A group for each port: with one for all, a task could reach every endpoint on every port.
        for port in ports {
            let name = format!("endpoints-{port}");
            let id = self.security_group(
                &name,
                &format!("Endpoints of downstreams on port {port}: from the tenants' tasks"),
                vec![tcp(port, port, tasks.clone())],
                Vec::new(),
            );
            out_of_tasks.push(tcp(port, port, id));
        }
        for downstream in tier.downstreams.iter().filter(|d| *d.gateway) {
            let name = service_name(downstream, self.group.region());
            if let Some(id) = self.facts.prefix_lists.get(&(self.place.clone(), name)) {
                out_of_tasks.push(tcp(GATEWAY_PORT, GATEWAY_PORT, Id::Known(id.clone())));
            }
        }
        for egress in &tier.egress {
            let peer = egress.cidr.as_ref().or(egress.prefix_list.as_ref()).or(egress.security_group.as_ref());
            if let Some(peer) = peer {
                out_of_tasks.push(tcp(*egress.port, *egress.port, Id::Known(peer.to_string())));
            }
        }
        self.security_group("tasks", "Tasks of the tenants: from the load balancer, to the downstreams", into_tasks, out_of_tasks);
    }

    fn allowed(&self) -> Vec<String> {
        if let Some(allow) = &self.group.group.load_balancer.allow {
            return allow.iter().map(|peer| peer.to_string()).collect();
        }
        let vpc = &self.group.group.vpc;
        match (&vpc.cidr, &vpc.id) {
            (Some(cidr), _) => vec![cidr.to_string()],
            (None, Some(id)) => self.facts.vpcs.get(id.as_str()).cloned().unwrap_or_default(),
            (None, None) => Vec::new(),
        }
    }

    fn endpoints(&mut self) {
        let region = self.group.region();
        for downstream in &self.group.tier.downstreams {
            let gateway = *downstream.gateway;
            let route_tables = match (&self.group.group.vpc.id, gateway) {
                (_, false) => Vec::new(),
                (Some(_), true) => self.group.group.vpc.route_tables.iter().map(|id| Id::Known(id.to_string())).collect(),
                (None, true) => vec![Id::Of(Key::new(&self.scope, Kind::RouteTable, "private"))],
            };
            let security_groups = match (&downstream.port, gateway) {
                (Some(port), false) => vec![Id::Of(Key::new(&self.scope, Kind::SecurityGroup, format!("endpoints-{}", **port)))],
                _ => Vec::new(),
            };
            let policy = match &downstream.policy {
                Some(policy) => vpc_endpoint::policy(policy),
                None => vpc_endpoint::default_policy(),
            };
            let shape = VpcEndpoint {
                vpc_id: vpc(self.group),
                service_name: service_name(downstream, region),
                service_region: downstream.service_region.as_ref().map(|r| r.to_string()).filter(|r| r != region),
                endpoint_type: if gateway { "Gateway" } else { "Interface" }.into(),
                subnet_ids: if gateway { Vec::new() } else { task_subnets(self.group) },
                security_group_ids: security_groups,
                route_table_ids: route_tables,
                private_dns_enabled: downstream.private_dns,
                policy,
            };
            self.add(Kind::VpcEndpoint, downstream.name.as_str(), &shape);
        }
    }

    fn roles(&mut self) {
        let trust = trust_policy(self.group.partition(), &self.place);
        for (name, spec) in [("task", &self.group.tier.roles.task), ("execution", &self.group.tier.roles.execution)] {
            let shape = Role {
                role_name: names::role(self.group, name),
                path: names::role_path(self.group),
                assume_role_policy: trust.clone(),
                permissions_boundary: spec.permissions_boundary.as_ref().map(|arn| arn.to_string()),
                managed_policies: spec.managed_policies.iter().map(|arn| arn.to_string()).collect(),
                inline_policies: inline_policies(spec),
            };
            self.add(Kind::Role, name, &shape);
        }
    }

    fn log_group(&mut self) {
        let shape = LogGroup {
            log_group_name: names::log_group(self.group),
            retention_in_days: self.group.tier.monitoring.log_retention_days.as_ref().and_then(|days| i32::try_from(**days).ok()),
        };
        let name = log_group(&self.scope).name;
        self.add(Kind::LogGroup, name, &shape);
    }

    fn load_balancer(&mut self) {
        let spec = &self.group.group.load_balancer;
        if spec.listener.is_some() {
            return;
        }
        let internet_facing = self.is_internet_facing();
        let scheme = if internet_facing { "internet-facing" } else { "internal" };
        let made_vpc = self.group.group.vpc.id.is_none();
        let subnet_ids = match made_vpc && internet_facing {
            true => {
                let zones = self.group.group.vpc.zones.iter();
                zones.map(|zone| Id::Of(Key::new(&self.scope, Kind::Subnet, format!("public-{}", **zone)))).collect()
            }
            false => task_subnets(self.group),
        };
        let shape = LoadBalancer {
            load_balancer_name: names::load_balancer(self.group, scheme),
            scheme: scheme.into(),
            subnet_ids,
            security_group_ids: vec![Id::Of(Key::new(&self.scope, Kind::SecurityGroup, "load-balancer"))],
            attributes: load_balancer_attributes(spec),
        };
        // AWS refuses an internet-facing load balancer in a VPC without an attached gateway and its route.
        let after = (made_vpc && internet_facing).then(|| Key::new(&self.scope, Kind::RouteTable, "public"));
        let load_balancer = self.add(Kind::LoadBalancer, "load-balancer", &shape);
        load_balancer.after.extend(after);
        let arn = Id::Of(load_balancer.key.clone());
        self.listeners(&arn);
    }

    fn listeners(&mut self, load_balancer_arn: &Id) {
        let spec = &self.group.group.load_balancer;
        let not_found = DefaultAction::FixedResponse {
            status_code: "404".into(),
            content_type: "text/plain".into(),
            message_body: "No tenant answers here.".into(),
        };
        let listener = |port, protocol: &str, default_action| Listener {
            load_balancer_arn: load_balancer_arn.clone(),
            port,
            protocol: protocol.into(),
            certificate_arn: None,
            ssl_policy: None,
            default_action,
        };
        let listeners = match &spec.certificate {
            None => vec![listener(80, "HTTP", not_found)],
            Some(certificate) => {
                let redirect = DefaultAction::Redirect { protocol: "HTTPS".into(), port: "443".into(), status_code: "HTTP_301".into() };
                let https = Listener {
                    certificate_arn: Some(certificate.to_string()),
                    ssl_policy: Some(spec.ssl_policy.as_ref().map_or(SSL_POLICY, |policy| policy.as_str()).to_string()),
                    ..listener(443, "HTTPS", not_found)
                };
                vec![https, listener(80, "HTTP", redirect)]
            }
        };
        // Nobody is sent to HTTPS before it answers.
        let main = listener_key(&self.scope, main_port(self.group));
        for shape in listeners {
            let key = listener_key(&self.scope, shape.port);
            let after = (key != main).then(|| main.clone());
            self.add(Kind::Listener, key.name, &shape).after.extend(after);
        }
    }
}

/// The blocks that a VPC's subnets are taken from.
pub fn blocks(cidr: &str) -> Vec<String> {
    let Ok(net) = cidr.parse::<Ipv4Net>() else { return Vec::new() };
    let Ok(subnets) = net.subnets(net.prefix_len() + BLOCKS.ilog2() as u8) else { return Vec::new() };
    subnets.map(|block| block.to_string()).collect()
}

fn tcp(from: u16, to: u16, peer: Id) -> Rule {
    Rule { protocol: "tcp".into(), from_port: Some(from.into()), to_port: Some(to.into()), peer }
}

/// Only ECS tasks of this account and Region may take the role.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html>
fn trust_policy(partition: &str, place: &Place) -> Value {
    normal_form::policy(&json!({
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "ecs-tasks.amazonaws.com" },
            "Action": "sts:AssumeRole",
            "Condition": {
                "ArnLike": { "aws:SourceArn": format!("arn:{partition}:ecs:{}:{}:*", place.region, place.account) },
                "StringEquals": { "aws:SourceAccount": place.account },
            },
        }],
    }))
}

fn inline_policies(role: &model::Role) -> BTreeMap<String, Value> {
    if role.statements.is_empty() {
        return BTreeMap::new();
    }
    let statements: Vec<Value> = role.statements.iter().map(statement).collect();
    let document = normal_form::policy(&json!({ "Version": normal_form::POLICY_VERSION, "Statement": statements }));
    BTreeMap::from([(INLINE_POLICY.to_string(), document)])
}

fn statement(spec: &model::Statement) -> Value {
    let mut statement = serde_json::Map::new();
    if let Some(sid) = &spec.sid {
        statement.insert("Sid".into(), json!(**sid));
    }
    statement.insert("Effect".into(), json!(format!("{:?}", spec.effect)));
    let lists =
        [("Action", &spec.actions), ("NotAction", &spec.not_actions), ("Resource", &spec.resources), ("NotResource", &spec.not_resources)];
    for (name, values) in lists.into_iter().filter(|(_, values)| !values.is_empty()) {
        statement.insert(name.into(), json!(values.iter().map(|value| value.as_str()).collect::<Vec<_>>()));
    }
    if let Some(conditions) = &spec.conditions {
        statement.insert("Condition".into(), (**conditions).clone());
    }
    Value::Object(statement)
}

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html>
fn load_balancer_attributes(spec: &model::LoadBalancer) -> BTreeMap<String, String> {
    let protected = spec.deletion_protection.as_ref().is_some_and(|on| **on);
    let mut attributes = BTreeMap::from([
        ("deletion_protection.enabled".to_string(), protected.to_string()),
        ("access_logs.s3.enabled".to_string(), spec.access_logs.is_some().to_string()),
    ]);
    if let Some(logs) = &spec.access_logs {
        attributes.insert("access_logs.s3.bucket".into(), logs.bucket.to_string());
        attributes.insert("access_logs.s3.prefix".into(), logs.prefix.as_ref().map(|p| p.to_string()).unwrap_or_default());
    }
    if let Some(seconds) = &spec.idle_timeout {
        attributes.insert("idle_timeout.timeout_seconds".into(), seconds.to_string());
    }
    attributes
}
