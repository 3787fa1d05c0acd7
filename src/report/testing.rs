//! Plans made by hand.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::RunInfo;
use crate::apply::{Node, Outcome, Undone, Verb};
use crate::aws::CallCount;
use crate::plan::{Action, Change, FieldChange, Origin, Plan, Subject, Unclaimed, Wait, compare};
use crate::resources::Kind;
use crate::resources::model::{Condition, Desired, Id, Key, Live, Place, Scope, Tags};

pub(crate) fn group() -> Scope {
    Scope::infra_group("high-tps", "cell-1", "ig-1")
}

pub(crate) fn acme() -> Scope {
    group().with_tenant("acme")
}

pub(crate) fn place() -> Place {
    Place { account: "123456789012".into(), region: "us-east-1".into() }
}

pub(crate) fn reference(scope: &Scope, kind: Kind, name: &str) -> Value {
    json!(Id::Of(Key::new(scope, kind, name)))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

pub(crate) fn desired(scope: &Scope, kind: Kind, name: &str, fields: Value) -> Desired {
    let tags = Tags::from([("team".to_string(), "ads-platform".to_string())]);
    Desired::new(Key::new(scope, kind, name), &place(), &object(fields), &tags)
}

pub(crate) fn live(kind: Kind, id: &str) -> Live {
    Live::new(kind, &place(), id, Tags::new(), &Map::new())
}

fn change(action: Action, scope: &Scope, kind: Kind, name: &str) -> Change {
    let reason = String::new();
    Change { action, reason: None, ..Change::blocked(Subject::Resource(kind), scope, name, &place(), reason) }
}

pub(crate) fn create(scope: &Scope, kind: Kind, name: &str, fields: Value) -> Change {
    let desired = desired(scope, kind, name, fields);
    Change { fields: compare::creation(&desired), desired: Some(desired), ..change(Action::Create, scope, kind, name) }
}

pub(crate) fn update(scope: &Scope, kind: Kind, name: &str, id: &str, fields: Vec<FieldChange>) -> Change {
    Change { fields, live: Some(live(kind, id)), ..change(Action::Update, scope, kind, name) }
}

pub(crate) fn delete(scope: &Scope, kind: Kind, name: &str, id: &str, reason: &str) -> Change {
    Change { live: Some(live(kind, id)), reason: Some(reason.into()), ..change(Action::Delete, scope, kind, name) }
}

pub(crate) fn field(path: &str, before: Value, after: Value) -> FieldChange {
    FieldChange { path: path.into(), before, after, after_unknown: false, forces_replacement: false, origin: Origin::Spec }
}

pub(crate) fn forcing(path: &str, before: Value, after: Value) -> FieldChange {
    FieldChange { forces_replacement: true, ..field(path, before, after) }
}

pub(crate) fn plan(changes: Vec<Change>) -> Plan {
    Plan { changes, unchanged: 12, ..Plan::default() }
}

pub(crate) fn wait(scope: &Scope, kind: Kind, name: &str, condition: Condition) -> Wait {
    let live = live(kind, "vpce-0aa11bb22cc33dd44").in_condition(condition);
    Wait { desired: desired(scope, kind, name, json!({})), live, after: Vec::new() }
}

pub(crate) fn unclaimed(scope: &Scope, kind: Kind, name: &str, id: &str) -> Unclaimed {
    Unclaimed { key: Key::new(scope, kind, name), place: place(), id: id.into() }
}

/// A first apply: network, paths, an endpoint, a role, and the load balancer.
pub(crate) fn tier() -> Vec<Change> {
    let scope = &group();
    let of = |kind, name| reference(scope, kind, name);
    let vpc = || of(Kind::Vpc, "vpc");
    let subnets = || json!([of(Kind::Subnet, "private-us-east-1a"), of(Kind::Subnet, "private-us-east-1b")]);
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["sts:AssumeRole"],
        "Principal": {"Service": ["ecs-tasks.amazonaws.com"]}, "Condition": {"StringEquals": {"aws:SourceAccount": ["123456789012"]}}}]});
    let inline = json!({"tierctl": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::ads-artifacts/*"]}]}});
    let everyone = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["*"], "Resource": ["*"], "Principal": {"AWS": ["*"]}}]});
    vec![
        create(scope, Kind::Vpc, "vpc", json!({"cidr_block": "10.20.0.0/16", "enable_dns_support": true, "enable_dns_hostnames": true})),
        create(
            scope,
            Kind::Subnet,
            "private-us-east-1a",
            json!({"vpc_id": vpc(), "cidr_block": "10.20.0.0/20", "availability_zone": "us-east-1a", "map_public_ip_on_launch": false}),
        ),
        create(scope, Kind::RouteTable, "private", json!({"vpc_id": vpc(), "routes": [], "subnet_ids": subnets()})),
        create(
            scope,
            Kind::SecurityGroup,
            "tasks",
            json!({"vpc_id": vpc(), "group_name": "high-tps-cell-1-ig-1-tasks-3f9a1c",
                "description": "Tasks of the tenants: from the load balancer, to the downstreams"}),
        ),
        create(
            scope,
            Kind::SecurityGroupRules,
            "tasks-egress",
            json!({"group_id": of(Kind::SecurityGroup, "tasks"), "direction": "egress", "rules": [
                {"protocol": "tcp", "from_port": 443, "to_port": 443, "peer": of(Kind::SecurityGroup, "endpoints-443")},
                {"protocol": "tcp", "from_port": 8443, "to_port": 8443, "peer": of(Kind::SecurityGroup, "endpoints-8443")},
                {"protocol": "tcp", "from_port": 443, "to_port": 443, "peer": "pl-63a5400a"}]}),
        ),
        create(
            scope,
            Kind::VpcEndpoint,
            "bidder",
            json!({"vpc_id": vpc(), "service_name": "com.amazonaws.vpce.us-east-1.vpce-svc-0a1b2c3d4e5f60718", "endpoint_type": "Interface",
                "subnet_ids": subnets(), "security_group_ids": [of(Kind::SecurityGroup, "endpoints-8443")], "route_table_ids": [],
                "private_dns_enabled": false, "policy": everyone}),
        ),
        create(
            scope,
            Kind::Role,
            "task",
            json!({"role_name": "high-tps-cell-1-ig-1-task-9c01de", "path": "/tierctl/high-tps/cell-1/ig-1/", "assume_role_policy": trust,
                "permissions_boundary": null, "managed_policies": [], "inline_policies": inline}),
        ),
        create(scope, Kind::LogGroup, "logs", json!({"log_group_name": "/tierctl/high-tps/cell-1/ig-1", "retention_in_days": 30})),
        create(
            scope,
            Kind::Listener,
            "port-80",
            json!({"load_balancer_arn": of(Kind::LoadBalancer, "load-balancer"), "port": 80, "protocol": "HTTP", "certificate_arn": null,
                "ssl_policy": null, "default_action": {"type": "fixed-response", "status_code": "404", "content_type": "text/plain",
                "message_body": "no such tenant"}}),
        ),
    ]
}

/// A tenant's handful.
pub(crate) fn tenant(name: &str) -> Vec<Change> {
    let scope = &group().with_tenant(name);
    let of = |kind, name| reference(scope, kind, name);
    let listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/high-tps-4c1/50dc6c495c0c9188/f2f7dc8efc522ab2";
    let environment = json!({"CELL": "cell-1", "INFRA_GROUP": "ig-1", "TENANT_ID": name, "TIER": "high-tps",
        "CACHE_ENDPOINT": format!("{name}.cache.internal:6379")});
    let container = json!({"image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/ad-server:1.42.0", "essential": true, "command": [],
        "environment": environment, "secrets": {"API_KEY": "arn:aws:ssm:us-east-1:123456789012:parameter/acme/key"}, "ports": [8080],
        "cpu": 0, "memory": null, "health_check": null, "init_process": false, "log_options": {
            "awslogs-group": "/tierctl/high-tps/cell-1/ig-1", "awslogs-region": "us-east-1", "awslogs-stream-prefix": name}});
    let cluster = format!("high-tps-cell-1-ig-1-{name}");
    vec![
        create(
            scope,
            Kind::Cluster,
            "cluster",
            json!({"cluster_name": cluster, "capacity_providers": ["FARGATE"], "container_insights": "enabled"}),
        ),
        create(
            scope,
            Kind::TargetGroup,
            "target-group",
            json!({"target_group_name": format!("{name}-8d1f22c0"), "vpc_id": "vpc-0aa11bb22cc33dd44", "protocol": "HTTP", "port": 8080,
                "target_type": "ip", "health_check": {"health_check_path": "/healthz"}, "attributes": {}}),
        ),
        create(
            scope,
            Kind::ListenerRule,
            "listener-rule",
            json!({"listener_arn": listener, "priority": {"$band": [1, 50000]}, "target_group_arn": of(Kind::TargetGroup, "target-group"),
                "conditions": [{"field": "path-pattern", "values": [format!("/{name}"), format!("/{name}/*")]}]}),
        ),
        create(
            scope,
            Kind::TaskDefinition,
            "task-definition",
            json!({"family": cluster, "cpu": "512", "memory": "1024", "cpu_architecture": "X86_64", "requires_compatibilities": ["FARGATE"],
                "task_role_arn": "arn:aws:iam::123456789012:role/tierctl/high-tps/cell-1/ig-1/task-9c01de",
                "execution_role_arn": "arn:aws:iam::123456789012:role/tierctl/high-tps/cell-1/ig-1/execution-77b2ac",
                "ephemeral_storage": null, "containers": {"app": container}}),
        ),
        create(
            scope,
            Kind::Service,
            "service",
            json!({"cluster_arn": of(Kind::Cluster, "cluster"), "service_name": name, "task_definition": of(Kind::TaskDefinition, "task-definition"),
                "desired_count": 2, "target_group_arn": of(Kind::TargetGroup, "target-group"), "container_name": "app", "container_port": 8080,
                "subnet_ids": ["subnet-0a1b2c3d4e5f60718", "subnet-0f9e8d7c6b5a40312"], "security_group_ids": ["sg-0123456789abcdef0"],
                "assign_public_ip": false, "capacity_provider_strategy": [{"base": 0, "capacity_provider": "FARGATE", "weight": 1}],
                "enable_execute_command": false, "minimum_healthy_percent": 100, "maximum_percent": 200, "circuit_breaker": true,
                "rollback": true, "rollout": "COMPLETED"}),
        ),
    ]
}

pub(crate) fn run() -> RunInfo {
    let count = |calls, polls| CallCount { calls, polls };
    let calls = BTreeMap::from([
        ("ec2:DescribeVpcs".to_string(), count(2, 0)),
        ("ecs:DescribeServices".to_string(), count(1, 14)),
        ("elasticloadbalancing:DescribeTargetHealth".to_string(), count(0, 6)),
        ("sts:GetCallerIdentity".to_string(), count(1, 0)),
    ]);
    RunInfo { time: UNIX_EPOCH + Duration::from_secs(1_795_000_000), calls }
}

/// With the version replaced, so that a release changes no snapshot.
pub(crate) fn pretty(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.replace(&format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION")), "\"version\": \"VERSION\"")
}

/// Escape codes that can be read in a snapshot: `{1}bold{0}`.
pub(crate) fn readable(text: &str) -> String {
    let mut readable = String::new();
    for (index, part) in text.split("\u{1b}[").enumerate() {
        match part.split_once('m').filter(|_| index > 0) {
            Some((code, rest)) => readable.push_str(&format!("{{{code}}}{rest}")),
            None => readable.push_str(part),
        }
    }
    readable
}

/// A run that ended in every way at once.
pub(crate) fn ended() -> Outcome {
    let node = |verb, scope: &Scope, kind, name: &str| Node { verb, kind, name: name.into(), scope: scope.clone() };
    let undone = |node: Node, reason: &str, remedy: &str| Undone { node, reason: reason.into(), remedy: remedy.into() };
    let (group, acme) = (group(), acme());
    let service = node(Verb::Create, &acme, Kind::Service, "service");
    let needs = |name: &str| format!("needs create vpc_endpoint {name} (high-tps/cell-1/ig-1)");
    let mut not_started: Vec<Undone> = (1..=12)
        .map(|number| undone(node(Verb::Create, &group, Kind::Subnet, &format!("private-{number:02}")), &needs("cache"), ""))
        .collect();
    not_started.push(undone(node(Verb::Delete, &group, Kind::Role, "old"), "interrupted", ""));
    Outcome {
        done: vec![
            node(Verb::Update, &acme, Kind::TaskDefinition, "task-definition"),
            node(Verb::Create, &group, Kind::Vpc, "vpc"),
            node(Verb::Delete, &group, Kind::VpcEndpoint, "legacy"),
            node(Verb::Await, &group, Kind::VpcEndpoint, "logs"),
        ],
        failed: vec![
            undone(
                service,
                "the roll-out was given up by the circuit breaker: tasks failed to start\n(service acme) has started 2 tasks.\nTask stopped: \
                 CannotPullContainerError: pull image manifest has been retried 1 time(s): ad-server:1.43.0: not found",
                "mend the cause, then run the same command again",
            ),
            undone(
                node(Verb::Create, &group, Kind::VpcEndpoint, "cache"),
                "ec2:CreateVpcEndpoint: VpcEndpointLimitExceeded: the maximum number of VPC endpoints has been reached",
                "ask AWS for a higher quota (L-29B6F2EB), then run the same command again",
            ),
        ],
        held: vec![undone(
            node(Verb::Create, &group, Kind::VpcEndpoint, "bidder"),
            "pendingAcceptance: the owner of vpce-svc-0a1b2c3d4e5f60718 has to run: aws ec2 accept-vpc-endpoint-connections --service-id \
             vpce-svc-0a1b2c3d4e5f60718 --vpc-endpoint-ids vpce-0aa11bb22cc33dd44",
            "run the same command again: it picks up what is there",
        )],
        not_started,
        interrupted: true,
    }
}
