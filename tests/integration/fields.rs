//! Every field of the specs: made, changed, and changed back, each time read back by boto3 and followed by an empty
//! plan. A new field joins with a row; `every_field_of_*` say which one is missing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tierctl::resources::Kind;

use crate::bed::bed;
use crate::replacements;
use crate::rows::{Row, Scene, Side, assert_right, row, tenant, tier};

fn tier_rows() -> Vec<Row> {
    let plain = |name, at, from, to| row(name, "tiers/plain", at, from, to);
    let secure = |name, at, from, to| row(name, "tiers/secure", at, from, to);
    vec![
        // Roles
        plain(
            "statements of the task role",
            "/roles/task/statements",
            json!([{ "effect": "Allow", "actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::one/*"] }]),
            json!([
                { "sid": "Read", "effect": "Allow", "actions": ["s3:GetObject", "s3:ListBucket"], "resources": ["*"] },
                {
                    "effect": "Deny",
                    "not_actions": ["s3:*"],
                    "not_resources": ["arn:aws:s3:::one/*"],
                    "conditions": { "StringEquals": { "aws:RequestedRegion": ["us-east-1"] }, "Bool": { "aws:SecureTransport": false } },
                },
            ]),
        )
        .plans(["update role task inline_policies.tierctl.Statement"])
        .reads(
            "t.inline_policies('task')",
            json!({ "tierctl": [{ "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::one/*"] }] }),
            json!({ "tierctl": [
                { "Sid": "Read", "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": ["*"] },
                {
                    "Effect": "Deny",
                    "NotAction": ["s3:*"],
                    "NotResource": ["arn:aws:s3:::one/*"],
                    "Condition": { "StringEquals": { "aws:RequestedRegion": "us-east-1" }, "Bool": { "aws:SecureTransport": "false" } },
                },
            ] }),
        ),
        plain(
            "statements of the execution role",
            "/roles/execution/statements",
            Value::Null,
            json!([
                { "sid": "Secrets", "effect": "Allow", "actions": ["secretsmanager:GetSecretValue"], "resources": ["*"] },
                {
                    "effect": "Deny",
                    "not_actions": ["logs:*"],
                    "not_resources": ["arn:aws:s3:::one/*"],
                    "conditions": { "StringNotEquals": { "aws:ResourceAccount": "{account}" } },
                },
            ]),
        )
        .plans(["update role execution inline_policies.tierctl"])
        .reads(
            "t.inline_policies('execution')",
            json!({}),
            json!({ "tierctl": [
                { "Sid": "Secrets", "Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"], "Resource": ["*"] },
                {
                    "Effect": "Deny",
                    "NotAction": ["logs:*"],
                    "NotResource": ["arn:aws:s3:::one/*"],
                    "Condition": { "StringNotEquals": { "aws:ResourceAccount": "{account}" } },
                },
            ] }),
        ),
        plain(
            "managed policies",
            "/roles/execution/managed_policies",
            json!(["arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"]),
            json!(["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", "arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess"]),
        )
        .plans(["update role execution managed_policies"])
        .reads(
            "t.managed_policies('execution')",
            json!(["AmazonECSTaskExecutionRolePolicy"]),
            json!(["AmazonS3ReadOnlyAccess", "AmazonSSMReadOnlyAccess"]),
        ),
        plain(
            "managed policies, from none",
            "/roles/task/managed_policies",
            Value::Null,
            json!(["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]),
        )
        .plans(["update role task managed_policies"])
        .reads("t.managed_policies('task')", json!([]), json!(["AmazonS3ReadOnlyAccess"])),
        plain("permissions boundary", "/roles/task/permissions_boundary", Value::Null, json!("arn:aws:iam::aws:policy/PowerUserAccess"))
            .plans(["update role task permissions_boundary"])
            .reads("t.boundary('task')", Value::Null, json!("arn:aws:iam::aws:policy/PowerUserAccess")),
        plain(
            "another permissions boundary",
            "/roles/execution/permissions_boundary",
            json!("arn:aws:iam::aws:policy/PowerUserAccess"),
            json!("arn:aws:iam::aws:policy/AdministratorAccess"),
        )
        .plans(["update role execution permissions_boundary"])
        .reads(
            "t.boundary('execution')",
            json!("arn:aws:iam::aws:policy/PowerUserAccess"),
            json!("arn:aws:iam::aws:policy/AdministratorAccess"),
        ),
        // Paths
        plain("ports of tenants", "/tenants/ports", Value::Null, json!([8000, 9000]))
            .plans(["update security_group_rules load-balancer-egress rules", "update security_group_rules tasks-ingress rules"])
            .reads("t.rules('load-balancer', 'egress')", json!(["tcp 1024-65535 tasks"]), json!(["tcp 8000-9000 tasks"]))
            .reads("t.rules('tasks', 'ingress')", json!(["tcp 1024-65535 load-balancer"]), json!(["tcp 8000-9000 load-balancer"])),
        plain(
            "egress",
            "/egress",
            json!([{ "cidr": "10.9.0.0/16", "port": 5432 }]),
            json!([
                { "cidr": "10.8.0.0/16", "port": 5433 },
                { "prefix_list": "{dynamodb}", "port": 443 },
                { "security_group": "{peer}", "port": 6379 },
            ]),
        )
        .plans(["update security_group_rules tasks-egress rules"])
        .reads(
            "t.rules('tasks', 'egress')",
            json!(["tcp 443-443 endpoints-443", "tcp 443-443 list s3", "tcp 5432-5432 10.9.0.0/16", "tcp 8443-8443 endpoints-8443"]),
            json!([
                "tcp 443-443 endpoints-443",
                "tcp 443-443 list dynamodb",
                "tcp 443-443 list s3",
                "tcp 5433-5433 10.8.0.0/16",
                "tcp 6379-6379 {peer}",
                "tcp 9443-9443 endpoints-9443",
            ]),
        ),
        plain(
            "who may connect",
            "/cells/0/infra_groups/0/load_balancer/allow",
            Value::Null,
            json!(["10.7.0.0/16", "{dynamodb}", "{peer}"]),
        )
        .plans(["update security_group_rules load-balancer-ingress rules"])
        .reads(
            "t.rules('load-balancer', 'ingress')",
            json!(["tcp 80-80 10.20.0.0/16"]),
            json!(["tcp 80-80 10.7.0.0/16", "tcp 80-80 list dynamodb", "tcp 80-80 {peer}"]),
        ),
        // Downstreams
        plain("port of a downstream", "/downstreams/0/port", json!(8443), json!(9443))
            .plans([
                "create security_group endpoints-9443",
                "create security_group_rules endpoints-9443-ingress",
                "create security_group_rules endpoints-9443-egress",
                "update vpc_endpoint bidder security_group_ids",
                "update security_group_rules tasks-egress rules",
                "delete security_group endpoints-8443",
                "delete security_group_rules endpoints-8443-ingress",
            ])
            .back([
                "create security_group endpoints-8443",
                "create security_group_rules endpoints-8443-ingress",
                "create security_group_rules endpoints-8443-egress",
                "update vpc_endpoint bidder security_group_ids",
                "update security_group_rules tasks-egress rules",
                "delete security_group endpoints-9443",
                "delete security_group_rules endpoints-9443-ingress",
            ])
            .reads("t.endpoint_groups('bidder')", json!(["endpoints-8443"]), json!(["endpoints-9443"])),
        plain(
            "policy of an endpoint",
            "/downstreams/0/policy",
            Value::Null,
            json!({ "Statement": [{ "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": ["*"] }] }),
        )
        .plans(["update vpc_endpoint bidder policy.Statement"])
        .reads(
            "t.endpoint_policy('bidder')",
            json!([{ "Effect": "Allow", "Principal": "*", "Action": ["*"], "Resource": ["*"] }]),
            json!([{ "Effect": "Allow", "Principal": "*", "Action": ["execute-api:Invoke"], "Resource": ["*"] }]),
        ),
        plain(
            "policy of a gateway endpoint",
            "/downstreams/2/policy",
            json!({ "Statement": [{ "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*" }] }),
            json!({ "Statement": [{ "Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "*" }] }),
        )
        .plans(["update vpc_endpoint artifacts policy.Statement"])
        .reads("t.endpoint_policy('artifacts')[0]['Action']", json!(["s3:GetObject"]), json!(["s3:ListBucket"])),
        plain("private DNS", "/downstreams/1/private_dns", Value::Null, json!(true))
            .plans(["update vpc_endpoint logs private_dns_enabled"])
            .reads("t.endpoint('logs')['PrivateDnsEnabled']", json!(false), json!(true)),
        plain(
            "one more downstream",
            "/downstreams/3",
            Value::Null,
            json!({ "name": "images", "service": { "us-east-1": "ecr.api", "eu-west-1": "ecr.dkr" }, "port": 443, "private_dns": true }),
        )
        .plans(["create vpc_endpoint images"])
        .reads("t.endpoints()", json!(["artifacts", "bidder", "logs"]), json!(["artifacts", "bidder", "images", "logs"])),
        // Network
        plain(
            "one more zone",
            "/cells/0/infra_groups/0/vpc/zones",
            json!(["us-east-1a", "us-east-1b"]),
            json!(["us-east-1a", "us-east-1b", "us-east-1c"]),
        )
        .plans([
            "create subnet private-us-east-1c",
            "update route_table private subnet_ids",
            "update vpc_endpoint bidder subnet_ids",
            "update vpc_endpoint logs subnet_ids",
            "update load_balancer load-balancer subnet_ids",
        ])
        .reads(
            "[t.subnets(), t.table_subnets('private'), t.endpoint_subnets('logs'), t.endpoint_subnets('bidder'), t.lb_subnets()]",
            json!(vec![["private-us-east-1a", "private-us-east-1b"]; 5]),
            json!(vec![["private-us-east-1a", "private-us-east-1b", "private-us-east-1c"]; 5]),
        ),
        // Load balancer
        plain(
            "access logs",
            "/cells/0/infra_groups/0/load_balancer/access_logs",
            Value::Null,
            json!({ "bucket": "one", "prefix": "here" }),
        )
        .plans(["enabled", "bucket", "prefix"].map(|key| format!("update load_balancer load-balancer attributes.access_logs.s3.{key}")))
        .back(["update load_balancer load-balancer attributes.access_logs.s3.enabled"])
        .reads("t.lb_attribute('access_logs.s3.enabled')", json!("false"), json!("true")),
        secure(
            "bucket and prefix of access logs",
            "/cells/0/infra_groups/0/load_balancer/access_logs",
            json!({ "bucket": "one" }),
            json!({ "bucket": "two", "prefix": "here" }),
        )
        .plans(["bucket", "prefix"].map(|key| format!("update load_balancer load-balancer attributes.access_logs.s3.{key}")))
        .reads(
            "[t.lb_attribute('access_logs.s3.bucket'), t.lb_attribute('access_logs.s3.prefix')]",
            json!(["one", ""]),
            json!(["two", "here"]),
        ),
        plain("deletion protection", "/cells/0/infra_groups/0/load_balancer/deletion_protection", Value::Null, json!(true))
            .plans(["update load_balancer load-balancer attributes.deletion_protection.enabled"])
            .reads("t.lb_attribute('deletion_protection.enabled')", json!("false"), json!("true")),
        plain("idle timeout", "/cells/0/infra_groups/0/load_balancer/idle_timeout", Value::Null, json!(120))
            .plans(["update load_balancer load-balancer attributes.idle_timeout.timeout_seconds"])
            .stays()
            .reads("t.lb_attribute('idle_timeout.timeout_seconds')", json!("60"), json!("120")),
        secure("another certificate", "/cells/0/infra_groups/0/load_balancer/certificate", json!("{certificate}"), json!("{renewed}"))
            .plans(["update listener port-443 certificate_arn"])
            .reads("t.listener(443)['Certificates'][0]['CertificateArn']", json!("{certificate}"), json!("{renewed}")),
        secure("TLS policy", "/cells/0/infra_groups/0/load_balancer/ssl_policy", Value::Null, json!("ELBSecurityPolicy-TLS13-1-3-2021-06"))
            .plans(["update listener port-443 ssl_policy"])
            .reads(
                "t.listener(443)['SslPolicy']",
                json!("ELBSecurityPolicy-TLS13-1-2-2021-06"),
                json!("ELBSecurityPolicy-TLS13-1-3-2021-06"),
            ),
        row(
            "from HTTP to HTTPS",
            "tiers/growing",
            "/cells/0/infra_groups/0/load_balancer/certificate",
            Value::Null,
            json!("{certificate}"),
        )
        .plans(["create listener port-443", "update security_group_rules load-balancer-ingress rules"])
        .plans(DEFAULT_ACTION.map(|part| format!("update listener port-80 default_action.{part}")))
        .reads("t.listeners()", json!([80]), json!([80, 443]))
        .reads("t.default_action(80)", json!("404"), json!("redirect 443"))
        .reads(
            "t.rules('load-balancer', 'ingress')",
            json!(["tcp 80-80 10.22.0.0/16"]),
            json!(["tcp 443-443 10.22.0.0/16", "tcp 80-80 10.22.0.0/16"]),
        ),
        // Monitoring
        plain("log retention", "/monitoring/log_retention_days", Value::Null, json!(60))
            .plans(["update log_group logs retention_in_days"])
            .stays()
            .reads("t.log_group().get('retentionInDays')", Value::Null, json!(60)),
        row("another log retention", "tiers/growing", "/monitoring/log_retention_days", json!(30), json!(60))
            .plans(["update log_group logs retention_in_days"])
            .reads("t.log_group().get('retentionInDays')", json!(30), json!(60)),
        // What AWS does not see
        plain("places", "/tenants/max_per_infra_group", Value::Null, json!(40)),
        plain("quotas", "/quotas", Value::Null, json!({ "interface_endpoints": 60, "security_group_rules": 70, "managed_policies": 12 })),
        plain(
            "roles to assume",
            "/cells/0/assume_role",
            json!("arn:aws:iam::{account}:role/provisioner"),
            json!({ "read": "arn:aws:iam::{account}:role/reader", "write": "arn:aws:iam::{account}:role/writer", "external_id": "pipeline" }),
        ),
        plain("Region of a cell", "/cells/0/region", Value::Null, json!("us-east-1")),
        plain("service Region, its own", "/downstreams/1/service_region", Value::Null, json!("us-east-1")),
        plain("not retired", "/retired", Value::Null, json!(false)),
        plain("a cell not retired", "/cells/0/retired", Value::Null, json!(false)),
        plain("an infra group not retired", "/cells/0/infra_groups/0/retired", Value::Null, json!(false)),
        plain("not protected", "/protect", Value::Null, json!(false)),
        plain("an infra group not protected", "/cells/0/infra_groups/0/protect", Value::Null, json!(false)),
        // Tags
        secure("tags", "/tags", json!({ "team": "ads" }), json!({ "team": "web", "cost-center": "12" }))
            .plans(tagged().into_iter().flat_map(|thing| ["team", "cost-center"].map(|tag| format!("update {thing} tags.{tag}"))))
            .back(tagged().into_iter().map(|thing| format!("update {thing} tags.team")))
            .reads("sorted(t.all_tags())", json!(tagged()), json!(tagged()))
            .reads("sorted({tags.get('team') for tags in t.all_tags().values()})", json!(["ads"]), json!(["web"]))
            .reads("t.all_tags()['vpc vpc']['Name']", json!("secure-cell-1-ig-1-vpc"), json!("secure-cell-1-ig-1-vpc")),
        // Other teams' things
        row(
            "subnets of another team",
            "tiers/guest",
            "/cells/0/infra_groups/0/vpc/subnets",
            json!(["{subnet-a}", "{subnet-b}"]),
            json!(["{subnet-a}", "{subnet-b}", "{subnet-c}"]),
        )
        .plans(["update vpc_endpoint bidder subnet_ids", "update vpc_endpoint logs subnet_ids"])
        .reads("len(t.endpoint('bidder')['SubnetIds'])", json!(2), json!(3)),
        row(
            "route tables of another team",
            "tiers/guest",
            "/cells/0/infra_groups/0/vpc/route_tables",
            json!(["{table-a}"]),
            json!(["{table-b}"]),
        )
        .plans(["update vpc_endpoint artifacts route_table_ids"])
        .reads("t.endpoint_tables('artifacts')", json!(["{table-a}"]), json!(["{table-b}"])),
    ]
}

/// What differs between a fixed response and a redirect.
pub const DEFAULT_ACTION: [&str; 6] = ["content_type", "message_body", "port", "protocol", "status_code", "type"];

/// Everything of the tier `secure` that can be tagged.
fn tagged() -> Vec<&'static str> {
    let mut things = vec![
        "vpc vpc",
        "internet_gateway internet-gateway",
        "subnet private-us-east-1a",
        "subnet private-us-east-1b",
        "subnet public-us-east-1a",
        "subnet public-us-east-1b",
        "route_table private",
        "route_table public",
        "security_group endpoints-443",
        "security_group endpoints-8443",
        "security_group load-balancer",
        "security_group tasks",
        "vpc_endpoint artifacts",
        "vpc_endpoint bidder",
        "vpc_endpoint logs",
        "role execution",
        "role task",
        "log_group logs",
        "load_balancer load-balancer",
        "listener port-443",
        "listener port-80",
    ];
    things.sort_unstable();
    things
}

/// What the rows lean on.
const PREPARATION: &str = r#"
ec2, elb, acm = client("ec2"), client("elbv2"), client("acm")
lists = {l["PrefixListName"].rsplit(".", 1)[-1]: l["PrefixListId"] for l in ec2.describe_managed_prefix_lists()["PrefixLists"]}
vpc = ec2.create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"]
for name in ("EnableDnsSupport", "EnableDnsHostnames"):
    ec2.modify_vpc_attribute(VpcId=vpc, **{name: {"Value": True}})
subnet = lambda n, zone: ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.60.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]["SubnetId"]
table = lambda: ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
group = lambda name: ec2.create_security_group(VpcId=vpc, GroupName=name, Description="x")["GroupId"]
subnets, balancer_group = [subnet(1, "a"), subnet(2, "b"), subnet(3, "c")], group("their-balancer")
balancer = elb.create_load_balancer(Name="theirs", Subnets=subnets, SecurityGroups=[balancer_group], Scheme="internal")
balancer = balancer["LoadBalancers"][0]["LoadBalancerArn"]
not_found = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
listener = elb.create_listener(LoadBalancerArn=balancer, Port=80, Protocol="HTTP", DefaultActions=[not_found])
result = {
    "certificate": acm.request_certificate(DomainName="one.example.com")["CertificateArn"],
    "renewed": acm.request_certificate(DomainName="two.example.com")["CertificateArn"],
    "dynamodb": lists["dynamodb"], "s3": lists["s3"], "peer": group("peer"), "vpc": vpc, "their-group": balancer_group,
    "subnet-a": subnets[0], "subnet-b": subnets[1], "subnet-c": subnets[2], "table-a": table(), "table-b": table(),
    "listener": listener["Listeners"][0]["ListenerArn"],
}
"#;

/// A capacity provider of the account: EC2 instances behind an Auto Scaling group.
const CAPACITY: &str = r#"
group = "arn:aws:autoscaling:us-east-1:{account}:autoScalingGroup:11111111-2222-3333-4444-555555555555:autoScalingGroupName/fleet"
client("ecs").create_capacity_provider(name="fleet-capacity", autoScalingGroupProvider={"autoScalingGroupArn": group})
result = {"provider": "fleet-capacity"}
"#;

fn tier_scene() -> Scene {
    let mut scene = scene();
    let mut secure = tier("secure", "10.21.0.0/16");
    secure["cells"][0]["infra_groups"][0]["load_balancer"] =
        json!({ "scheme": "internet-facing", "allow": ["0.0.0.0/0"], "certificate": "{certificate}" });
    let specs =
        [("plain", tier("plain", "10.20.0.0/16")), ("secure", secure), ("growing", tier("growing", "10.22.0.0/16")), ("guest", guest())];
    scene.specs.extend(specs.map(|(name, spec)| (format!("tiers/{name}"), spec)));
    scene
}

/// A tier in another team's network, on another team's listener.
pub fn guest() -> Value {
    let mut guest = tier("guest", "");
    guest["cells"][0]["infra_groups"][0]["vpc"] =
        json!({ "id": "{vpc}", "subnets": ["{subnet-a}", "{subnet-b}"], "route_tables": ["{table-a}"] });
    guest["cells"][0]["infra_groups"][0]["load_balancer"] = json!({ "listener": "{listener}", "priorities": [100, 199] });
    guest
}

pub fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.fact("bidder", bed().endpoint_service("us-east-1"));
    scene.prepare(PREPARATION);
    scene
}

/// Whatever changes in a task definition is a new revision, which the service is given.
fn revision(row: Row, paths: impl IntoIterator<Item = &'static str>) -> Row {
    row.plans(paths.into_iter().map(|path| format!("update task_definition {path}"))).plans(["update service task_definition"])
}

fn tenant_rows() -> Vec<Row> {
    // From AWS's defaults to a value, and from one value to another.
    let first = |name, at, from, to| row(name, "tenants/first", at, from, to);
    let second = |name, at, from, to| row(name, "tenants/second", at, from, to);
    let fleet = |name, at, from, to| row(name, "tenants/fleet", at, from, to);
    let check = |check: Value| json!({ "name": "proxy", "image": "registry.example.com/proxy:1.0", "health_check": check });
    vec![
        first("not protected", "/protect", Value::Null, json!(false)),
        // The task definition
        revision(
            first("image", "/service/image", json!("registry.example.com/ad-server:1.0"), json!("registry.example.com/ad-server:2.0")),
            ["containers.app.image"],
        )
        .reads("t.container()['image']", json!("registry.example.com/ad-server:1.0"), json!("registry.example.com/ad-server:2.0")),
        revision(first("CPU", "/service/cpu", json!(256), json!(512)), ["cpu"]).reads("t.definition()['cpu']", json!("256"), json!("512")),
        revision(first("memory", "/service/memory", json!(512), json!(2048)), ["memory"]).reads(
            "t.definition()['memory']",
            json!("512"),
            json!("2048"),
        ),
        revision(first("command", "/service/command", Value::Null, json!(["serve", "--port", "8080"])), ["containers.app.command"]).reads(
            "t.container().get('command') or None",
            Value::Null,
            json!(["serve", "--port", "8080"]),
        ),
        revision(second("another command", "/service/command", json!(["b", "a"]), json!(["a", "b"])), ["containers.app.command"]).reads(
            "t.container()['command']",
            json!(["b", "a"]),
            json!(["a", "b"]),
        ),
        revision(
            first("environment", "/environment", json!({ "MODE": "slow", "OLD": "1" }), json!({ "MODE": "fast", "NEW": "2" })),
            ["containers.app.environment.MODE", "containers.app.environment.OLD", "containers.app.environment.NEW"],
        )
        .reads("t.environment()", json!({ "MODE": "slow", "OLD": "1" }), json!({ "MODE": "fast", "NEW": "2" }))
        .reads("t.identity()", json!(["first", "plain", "cell-1", "ig-1"]), json!(["first", "plain", "cell-1", "ig-1"])),
        revision(
            first("secrets", "/service/secrets", Value::Null, json!({ "TOKEN": "arn:aws:secretsmanager:us-east-1:{account}:secret:token-AbCdEf" })),
            ["containers.app.secrets.TOKEN"],
        )
        .reads("t.secrets()", json!({}), json!({ "TOKEN": "arn:aws:secretsmanager:us-east-1:{account}:secret:token-AbCdEf" })),
        revision(
            second(
                "another secret",
                "/service/secrets/TOKEN",
                json!("arn:aws:secretsmanager:us-east-1:{account}:secret:token-AbCdEf"),
                json!("arn:aws:ssm:us-east-1:{account}:parameter/token"),
            ),
            ["containers.app.secrets.TOKEN"],
        )
        .reads(
            "t.secrets()['TOKEN']",
            json!("arn:aws:secretsmanager:us-east-1:{account}:secret:token-AbCdEf"),
            json!("arn:aws:ssm:us-east-1:{account}:parameter/token"),
        ),
        revision(
            first("container health check", "/service/container_health_check", Value::Null, json!({ "command": ["CMD-SHELL", "true"] })),
            ["containers.app.health_check"],
        )
        .reads("t.check()", Value::Null, json!([["CMD-SHELL", "true"], 30, 5, 3, 0])),
        revision(
            second(
                "parts of a container health check",
                "/service/container_health_check",
                json!({ "command": ["CMD", "one"] }),
                json!({ "command": ["CMD", "two"], "interval": 10, "timeout": 4, "retries": 2, "start_period": 20 }),
            ),
            ["command", "interval", "timeout", "retries", "start_period"].map(health),
        )
        .reads("t.check()", json!([["CMD", "one"], 30, 5, 3, 0]), json!([["CMD", "two"], 10, 4, 2, 20])),
        revision(first("architecture", "/service/architecture", Value::Null, json!("arm64")), ["cpu_architecture"]).reads(
            "t.definition()['runtimePlatform']['cpuArchitecture']",
            json!("X86_64"),
            json!("ARM64"),
        ),
        revision(first("ephemeral storage", "/service/ephemeral_storage", Value::Null, json!(40)), ["ephemeral_storage"]).reads(
            "t.definition().get('ephemeralStorage', {}).get('sizeInGiB')",
            Value::Null,
            json!(40),
        ),
        revision(second("more ephemeral storage", "/service/ephemeral_storage", json!(30), json!(40)), ["ephemeral_storage"]).reads(
            "t.definition()['ephemeralStorage']['sizeInGiB']",
            json!(30),
            json!(40),
        ),
        revision(
            first("a sidecar", "/service/sidecars", Value::Null, json!([{ "name": "proxy", "image": "registry.example.com/proxy:1.0" }])),
            ["containers.proxy"],
        )
        .reads("t.containers()", json!(["app"]), json!(["app", "proxy"])),
        revision(
            second(
                "parts of a sidecar",
                "/service/sidecars/0",
                json!({ "name": "proxy", "image": "registry.example.com/proxy:1.0" }),
                json!({
                    "name": "proxy",
                    "image": "registry.example.com/proxy:2.0",
                    "command": ["envoy"],
                    "environment": { "LEVEL": "info" },
                    "secrets": { "KEY": "arn:aws:ssm:us-east-1:{account}:parameter/key" },
                    "cpu": 64,
                    "memory": 128,
                    "essential": false,
                    "port": 9901,
                    "health_check": { "command": ["CMD", "true"] },
                }),
            ),
            [
                "containers.proxy.image",
                "containers.proxy.command",
                "containers.proxy.environment.LEVEL",
                "containers.proxy.secrets.KEY",
                "containers.proxy.cpu",
                "containers.proxy.memory",
                "containers.proxy.essential",
                "containers.proxy.ports",
                "containers.proxy.health_check",
            ],
        )
        .reads(
            "[t.container('proxy').get(key) or None for key in ('image', 'command', 'cpu', 'memory', 'essential')]",
            json!(["registry.example.com/proxy:1.0", null, null, null, true]),
            json!(["registry.example.com/proxy:2.0", ["envoy"], 64, 128, null]),
        )
        .reads("t.environment('proxy')", json!({}), json!({ "LEVEL": "info" }))
        .reads("t.secrets('proxy')", json!({}), json!({ "KEY": "arn:aws:ssm:us-east-1:{account}:parameter/key" }))
        .reads("[p['containerPort'] for p in t.container('proxy')['portMappings']]", json!([]), json!([9901]))
        .reads("t.check('proxy')", Value::Null, json!([["CMD", "true"], 30, 5, 3, 0])),
        revision(
            row(
                "parts of a sidecar's health check",
                "tenants/echo",
                "/service/sidecars/0",
                check(json!({ "command": ["CMD", "one"], "interval": 20 })),
                check(json!({ "command": ["CMD", "two"], "interval": 10, "timeout": 4, "retries": 2, "start_period": 20 })),
            ),
            ["command", "interval", "timeout", "retries", "start_period"].map(proxy_health),
        )
        .reads("t.check('proxy')", json!([["CMD", "one"], 20, 5, 3, 0]), json!([["CMD", "two"], 10, 4, 2, 20])),
        revision(first("ECS Exec", "/service/exec", Value::Null, json!(true)), ["containers.app.init_process"])
            .plans(["update service enable_execute_command", "update task_definition containers.proxy"])
            .reads("t.service()['enableExecuteCommand']", json!(false), json!(true))
            .reads("t.container().get('linuxParameters', {}).get('initProcessEnabled')", Value::Null, json!(true)),
        // The service
        first("desired count", "/service/desired", json!(1), json!(2)).plans(["update service desired_count"]).reads(
            "[t.service()['desiredCount'], t.service()['runningCount']]",
            json!([1, 1]),
            json!([2, 2]),
        ),
        first("grace period", "/service/health_check_grace_period", Value::Null, json!(90))
            .plans(["update service health_check_grace_period_seconds"])
            .stays()
            .reads("t.service().get('healthCheckGracePeriodSeconds', 0)", json!(0), json!(90)),
        second("another grace period", "/service/health_check_grace_period", json!(30), json!(90))
            .plans(["update service health_check_grace_period_seconds"])
            .reads("t.service()['healthCheckGracePeriodSeconds']", json!(30), json!(90)),
        first(
            "deployment",
            "/service/deployment",
            Value::Null,
            json!({ "minimum_healthy_percent": 50, "maximum_percent": 150, "rollback": false }),
        )
        .plans(["update service minimum_healthy_percent", "update service maximum_percent", "update service rollback"])
        .reads("[t.deployment('minimumHealthyPercent'), t.deployment('maximumPercent')]", json!([100, 200]), json!([50, 150]))
        .reads("t.deployment('deploymentCircuitBreaker')", json!({ "enable": true, "rollback": true }), json!({ "enable": true, "rollback": false })),
        first(
            "capacity providers",
            "/service/capacity_providers",
            Value::Null,
            json!([{ "name": "FARGATE", "base": 1 }, { "name": "FARGATE_SPOT", "weight": 3 }]),
        )
        .plans(["update service capacity_provider_strategy", "update cluster capacity_providers"])
        .reads("t.strategy()", json!([["FARGATE", 1, 0]]), json!([["FARGATE", 1, 1], ["FARGATE_SPOT", 3, 0]]))
        .reads("sorted(t.cluster()['capacityProviders'])", json!(["FARGATE"]), json!(["FARGATE", "FARGATE_SPOT"])),
        revision(
            row(
                "a capacity provider of the account",
                "tenants/turned",
                "/service/capacity_providers",
                json!([{ "name": "FARGATE", "weight": 1 }]),
                json!([{ "name": "{provider}", "weight": 1 }]),
            ),
            ["requires_compatibilities"],
        )
        .plans(["update service capacity_provider_strategy", "update cluster capacity_providers"])
        .reads("t.strategy()", json!([["FARGATE", 1, 0]]), json!([["{provider}", 1, 0]]))
        .reads("t.definition()['requiresCompatibilities']", json!(["FARGATE"]), json!(["EC2"])),
        // The target group
        first(
            "health check",
            "/service/health_check",
            Value::Null,
            json!({ "path": "/healthz", "interval": 20, "timeout": 10, "healthy_threshold": 3, "unhealthy_threshold": 4, "matcher": "200-204" }),
        )
        .plans(HEALTH_CHECK.map(|field| format!("update target_group health_check.{field}")))
        .reads(TARGET_HEALTH_CHECK, json!(["/", 30, 5, 2, "200"]), json!(["/healthz", 20, 3, 4, "200-204"])),
        second(
            "parts of a health check",
            "/service/health_check",
            json!({ "path": "/one", "interval": 25, "timeout": 9, "healthy_threshold": 2, "unhealthy_threshold": 3, "matcher": "200" }),
            json!({ "path": "/two", "interval": 20, "timeout": 10, "healthy_threshold": 3, "unhealthy_threshold": 4, "matcher": "200,204" }),
        )
        .plans(HEALTH_CHECK.map(|field| format!("update target_group health_check.{field}")))
        .reads(TARGET_HEALTH_CHECK, json!(["/one", 25, 2, 3, "200"]), json!(["/two", 20, 3, 4, "200,204"]))
        .reads("t.target_group()['HealthCheckTimeoutSeconds']", json!(9), json!(10)),
        first("deregistration delay", "/service/deregistration_delay", Value::Null, json!(30))
            .plans(["update target_group attributes.deregistration_delay.timeout_seconds"])
            .stays()
            .reads("t.tg_attribute('deregistration_delay.timeout_seconds')", json!("300"), json!("30")),
        first("slow start", "/service/slow_start", Value::Null, json!(60))
            .plans(["update target_group attributes.slow_start.duration_seconds"])
            .stays()
            .reads("t.tg_attribute('slow_start.duration_seconds')", json!("0"), json!("60")),
        first("stickiness", "/service/stickiness", Value::Null, json!({ "enabled": true }))
            .plans(["update target_group attributes.stickiness.enabled"])
            .stays()
            .reads("[t.tg_attribute('stickiness.enabled'), t.tg_attribute('stickiness.type')]", json!(["false", "lb_cookie"]), json!(["true", "lb_cookie"])),
        second(
            "parts of stickiness",
            "/service/stickiness",
            json!({ "enabled": false, "duration": 600 }),
            json!({ "enabled": true, "duration": 900 }),
        )
        .plans(["enabled", "lb_cookie.duration_seconds"].map(|key| format!("update target_group attributes.stickiness.{key}")))
        .reads(
            "[t.tg_attribute('stickiness.enabled'), t.tg_attribute('stickiness.lb_cookie.duration_seconds')]",
            json!(["false", "600"]),
            json!(["true", "900"]),
        ),
        // The rule
        first("paths", "/route/path", Value::Null, json!(["/one/*", "/two"])).plans(["update listener_rule conditions"]).reads(
            "t.conditions()",
            json!([["path-pattern", null, ["/first", "/first/*"]]]),
            json!([["path-pattern", null, ["/one/*", "/two"]]]),
        ),
        row("values of the header", "tenants/echo", "/route/header", Value::Null, json!(["echo-1", "echo-2"]))
            .plans(["update listener_rule conditions"])
            .reads("t.conditions()[0][2]", json!(["echo"]), json!(["echo-1", "echo-2"])),
        row("header of the tier", "tiers/headers", "/tenants/header", json!("X-Tenant"), json!("X-Client"))
            .plans(["@echo update listener_rule conditions"])
        .sees(
            "tenants/echo",
            "t.conditions()[0][:2]",
            json!(["http-header", "X-Tenant"]),
            json!(["http-header", "X-Client"]),
        ),
        row("routing", "tiers/turning", "/tenants", Value::Null, json!({ "route_by": "header", "header": "X-Tenant" }))
            .plans(["@turned update listener_rule conditions"])
        .sees(
            "tenants/turned",
            "t.conditions()",
            json!([["path-pattern", null, ["/turned", "/turned/*"]]]),
            json!([["http-header", "X-Tenant", ["turned"]]]),
        ),
        row("a band of priorities", "tiers/guest", "/cells/0/infra_groups/0/load_balancer/priorities", json!([100, 199]), json!([300, 399]))
            .plans(["@visitor update listener_rule priority"])
        .sees(
            "tenants/visitor",
            "t.priority()",
            json!(100),
            json!(300),
        ),
        // Clusters
        row("Container Insights", "tiers/turning", "/monitoring/container_insights", Value::Null, json!("enhanced"))
            .plans(["@turned update cluster container_insights"])
            .stays(),
        row("other Container Insights", "tiers/headers", "/monitoring/container_insights", json!("enabled"), json!("disabled"))
            .plans(["@echo update cluster container_insights"])
        .sees(
            "tenants/echo",
            "t.insights()",
            json!("enabled"),
            json!("disabled"),
        ),
        // A fleet
        fleet("addresses", "/targets/addresses", json!(["10.20.200.1", "10.20.200.2"]), json!(["10.20.200.2", "10.20.200.3"]))
            .plans(["update targets addresses"])
            .reads("t.targets()", json!(["10.20.200.1:9000", "10.20.200.2:9000"]), json!(["10.20.200.2:9000", "10.20.200.3:9000"])),
        fleet(
            "health check of a fleet",
            "/targets/health_check",
            Value::Null,
            json!({ "path": "/two", "interval": 20, "timeout": 10, "healthy_threshold": 3, "unhealthy_threshold": 4, "matcher": "200,204" }),
        )
        .plans(HEALTH_CHECK.map(|field| format!("update target_group health_check.{field}")))
        .reads(TARGET_HEALTH_CHECK, json!(["/", 30, 5, 2, "200"]), json!(["/two", 20, 3, 4, "200,204"])),
        fleet("deregistration delay of a fleet", "/targets/deregistration_delay", json!(10), json!(20))
            .plans(["update target_group attributes.deregistration_delay.timeout_seconds"])
            .reads("t.tg_attribute('deregistration_delay.timeout_seconds')", json!("10"), json!("20")),
        fleet("slow start of a fleet", "/targets/slow_start", json!(0), json!(60))
            .plans(["update target_group attributes.slow_start.duration_seconds"])
            .reads("t.tg_attribute('slow_start.duration_seconds')", json!("0"), json!("60")),
        fleet("stickiness of a fleet", "/targets/stickiness", json!({ "enabled": false, "duration": 60 }), json!({ "enabled": true, "duration": 90 }))
            .plans(["enabled", "lb_cookie.duration_seconds"].map(|key| format!("update target_group attributes.stickiness.{key}")))
            .reads(
                "[t.tg_attribute('stickiness.enabled'), t.tg_attribute('stickiness.lb_cookie.duration_seconds')]",
                json!(["false", "60"]),
                json!(["true", "90"]),
            ),
        // Tags
        second("tags of a tenant", "/tags", json!({ "owner": "ann" }), json!({ "owner": "bob", "team": "second" }))
            .plans(TAGGED.iter().flat_map(|kind| ["owner", "team"].map(|tag| format!("update {kind} tags.{tag}"))))
            .reads("sorted({tags.get('owner') for tags in t.tenant_tags().values()})", json!(["ann"]), json!(["bob"]))
            .reads("sorted({tags.get('team') for tags in t.tenant_tags().values()})", json!(["ads"]), json!(["second"])),
    ]
}

fn health(part: &'static str) -> &'static str {
    match part {
        "command" => "containers.app.health_check.command",
        "interval" => "containers.app.health_check.interval",
        "timeout" => "containers.app.health_check.timeout",
        "retries" => "containers.app.health_check.retries",
        _ => "containers.app.health_check.start_period",
    }
}

fn proxy_health(part: &'static str) -> &'static str {
    match part {
        "command" => "containers.proxy.health_check.command",
        "interval" => "containers.proxy.health_check.interval",
        "timeout" => "containers.proxy.health_check.timeout",
        "retries" => "containers.proxy.health_check.retries",
        _ => "containers.proxy.health_check.start_period",
    }
}

/// What a tenant has whose tags can be changed: a task definition has those that it was registered with.
const TAGGED: [&str; 4] = ["cluster", "target_group", "listener_rule", "service"];

const HEALTH_CHECK: [&str; 6] = [
    "health_check_path",
    "health_check_interval_seconds",
    "health_check_timeout_seconds",
    "healthy_threshold_count",
    "unhealthy_threshold_count",
    "matcher",
];

const TARGET_HEALTH_CHECK: &str = "[t.target_group()[key] for key in ('HealthCheckPath', 'HealthCheckIntervalSeconds', \
    'HealthyThresholdCount', 'UnhealthyThresholdCount')] + [t.target_group()['Matcher']['HttpCode']]";

fn tenant_scene() -> Scene {
    let mut scene = scene();
    scene.prepare(CAPACITY);
    let mut plain = tier("plain", "10.20.0.0/16");
    plain["tags"] = json!({ "team": "ads" });
    let mut headers = tier("headers", "10.21.0.0/16");
    headers["tenants"] = json!({ "route_by": "header" });
    let mut fleet = tenant("fleet", "plain");
    fleet.as_object_mut().unwrap().remove("service");
    fleet["targets"] = json!({ "port": 9000 });
    let mut echo = tenant("echo", "headers");
    echo["service"]["sidecars"] = json!([]);
    let mut second = tenant("second", "plain");
    second["service"]["sidecars"] = json!([]);
    second["service"]["memory"] = json!(1024);
    let specs = [
        ("tiers/plain", plain),
        ("tiers/headers", headers),
        ("tiers/turning", tier("turning", "10.22.0.0/16")),
        ("tiers/guest", guest()),
        ("tenants/first", tenant("first", "plain")),
        ("tenants/second", second),
        ("tenants/fleet", fleet),
        ("tenants/echo", echo),
        ("tenants/turned", tenant("turned", "turning")),
        ("tenants/visitor", tenant("visitor", "guest")),
    ];
    scene.specs.extend(specs.map(|(name, spec)| (name.to_string(), spec)));
    scene
}

/// From, to, and from again.
fn change(mut scene: Scene, rows: &[Row]) {
    for row in rows {
        scene.put(row.spec, row.at, &row.from);
    }
    scene.write();
    scene.make_real();
    scene.is_real();
    let mut wrong = scene.misread(rows, Side::From);
    assert_right(&wrong);
    for side in [Side::To, Side::Back] {
        for row in rows {
            scene.put(row.spec, row.at, if side == Side::To { &row.to } else { &row.from });
        }
        scene.write();
        wrong.extend(scene.misplanned(rows, &scene.project.plan().ended(0), side));
        scene.make_real();
        scene.is_real();
        wrong.extend(scene.misread(rows, side));
        assert_right(&wrong);
    }
}

/// The other values from the start: what is changed in place above is made with them here.
fn create(mut scene: Scene, rows: &[Row]) {
    for row in rows {
        scene.put(row.spec, row.at, &row.to);
    }
    scene.write();
    scene.make_real();
    scene.is_real();
    assert_right(&scene.misread(rows, Side::To));
}

#[test]
fn every_field_of_a_tier_changes() {
    change(tier_scene(), &tier_rows());
}

#[test]
fn a_tier_is_made_with_every_field() {
    create(tier_scene(), &tier_rows());
}

#[test]
fn every_field_of_a_tenant_changes() {
    change(tenant_scene(), &tenant_rows());
}

#[test]
fn a_tenant_is_made_with_every_field() {
    create(tenant_scene(), &tenant_rows());
}

/// Fields of kinds that no change of a spec reaches, and why.
const OUT_OF_REACH: &[(&str, &str, &str)] = &[
    ("vpc", "enable_dns_support", "always on, since private DNS needs it"),
    ("vpc", "enable_dns_hostnames", "always on, since private DNS needs it"),
    ("subnet", "availability_zone", "part of its name: another zone is another subnet"),
    ("subnet", "map_public_ip_on_launch", "always off"),
    ("security_group", "group_name", "follows from identity"),
    ("security_group_rules", "direction", "part of its name"),
    ("role", "role_name", "follows from identity"),
    ("role", "path", "follows from identity"),
    ("role", "assume_role_policy", "follows from account and Region, which are identity"),
    ("log_group", "log_group_name", "follows from identity"),
    ("listener", "port", "part of its name"),
    ("listener", "protocol", "follows from the port"),
    ("cluster", "cluster_name", "follows from identity"),
    ("target_group", "protocol", "always HTTP"),
    ("target_group", "target_type", "always ip"),
    ("target_group", "vpc_id", "the VPC of a living tenant cannot be replaced"),
    ("task_definition", "family", "follows from identity"),
    ("task_definition", "task_role_arn", "follows from identity"),
    ("task_definition", "execution_role_arn", "follows from identity"),
    ("service", "cluster_arn", "follows from identity"),
    ("service", "service_name", "follows from identity"),
    ("service", "container_name", "always app"),
    ("service", "security_group_ids", "always the group of the tasks"),
    ("service", "assign_public_ip", "always off"),
    ("service", "circuit_breaker", "always on"),
    ("service", "rollout", "what AWS made of the last deployment"),
];

/// Fields of specs that cannot be changed in place, or not here, and where they are tested.
const CHANGED_ELSEWHERE: &[(&str, &str)] = &[
    ("tier", "identity"),
    ("region", "identity of every cell that does not set its own"),
    ("cells[].infra_groups[].vpc.id", "another network: see the refusals of `replacements`"),
    ("cells[].name", "identity"),
    ("cells[].account", "identity"),
    ("cells[].infra_groups[].name", "identity"),
    ("tenant", "identity"),
    ("placement", "a tenant is not moved in place"),
    ("placement.cell", "a tenant is not moved in place"),
    ("placement.infra_group", "a tenant is not moved in place"),
];

#[test]
fn every_field_of_every_kind_has_a_row() {
    let rows: Vec<Row> = tier_rows().into_iter().chain(tenant_rows()).chain(replacements::rows()).collect();
    let covered: BTreeSet<(String, String)> = rows.iter().flat_map(Row::fields).collect();
    let listed: BTreeMap<(&str, &str), &str> = OUT_OF_REACH.iter().map(|(kind, field, why)| ((*kind, *field), *why)).collect();
    let mut wrong = Vec::new();
    for kind in Kind::ALL {
        for field in kind.resource().fields() {
            let name = (kind.name().to_string(), field.name.to_string());
            match (covered.contains(&name), listed.contains_key(&(kind.name(), field.name))) {
                (false, false) => wrong.push(format!("{kind} {}: no row changes it, and no reason says why none could", field.name)),
                (true, true) => wrong.push(format!("{kind} {}: said to be out of reach, and a row changes it", field.name)),
                _ => {}
            }
        }
    }
    let exists =
        |kind: &str, field: &str| Kind::ALL.iter().any(|k| k.name() == kind && k.resource().fields().iter().any(|f| f.name == field));
    let gone = listed.keys().filter(|(kind, field)| !exists(kind, field));
    wrong.extend(gone.map(|(kind, field)| format!("{kind} {field}: there is no such field")));
    assert_right(&wrong);
}

#[test]
fn every_field_of_the_specs_has_a_row() {
    let rows: Vec<Row> = tier_rows().into_iter().chain(tenant_rows()).chain(replacements::rows()).collect();
    let listed: BTreeSet<&str> = CHANGED_ELSEWHERE.iter().map(|(path, _)| *path).collect();
    let mut wrong = Vec::new();
    for (kind, schema) in
        [("tiers/", include_str!("../../schema/tier.schema.json")), ("tenants/", include_str!("../../schema/tenant.schema.json"))]
    {
        let schema: Value = serde_json::from_str(schema).unwrap();
        let mut fields = BTreeSet::new();
        properties(&schema, &schema, "", &mut fields);
        assert!(fields.len() > 30, "the schema is not read as it is written");
        let mut changed = BTreeSet::new();
        for row in rows.iter().filter(|row| row.spec.starts_with(kind)) {
            differences(&path_of(row.at), &row.from, &row.to, &mut changed);
        }
        let is_changed = |field: &str| {
            let below = [format!("{field}."), format!("{field}[")];
            changed.iter().any(|path: &String| path == field || below.iter().any(|below| path.starts_with(below)))
        };
        wrong.extend(
            fields
                .iter()
                .filter(|field| !is_changed(field) && !listed.contains(field.as_str()))
                .map(|field| format!("{kind} {field}: no row changes it")),
        );
    }
    assert_right(&wrong);
}

/// Every property of a schema, as `cells[].infra_groups[].vpc`.
fn properties(root: &Value, schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        properties(root, &root["definitions"][name.rsplit('/').next().unwrap()], path, found);
    }
    for part in ["allOf", "anyOf", "oneOf"].iter().filter_map(|all| schema[*all].as_array()).flatten() {
        properties(root, part, path, found);
    }
    if schema["items"].is_object() {
        properties(root, &schema["items"], &format!("{path}[]"), found);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        properties(root, property, &path, found);
        found.insert(path);
    }
}

/// A JSON pointer as `properties` writes it.
fn path_of(at: &str) -> String {
    let parts = at.split('/').skip(1).map(|part| if part.parse::<usize>().is_ok() { "[]".to_string() } else { format!(".{part}") });
    parts.collect::<String>().trim_start_matches('.').to_string()
}

/// Every path at which two values differ.
fn differences(path: &str, from: &Value, to: &Value, found: &mut BTreeSet<String>) {
    if from == to {
        return;
    }
    found.insert(path.to_string());
    let null = Value::Null;
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for index in 0..items(from).len().max(items(to).len()) {
        differences(&format!("{path}[]"), from.get(index).unwrap_or(&null), to.get(index).unwrap_or(&null), found);
    }
    let keys = [from, to].into_iter().filter_map(Value::as_object).flat_map(|fields| fields.keys()).collect::<BTreeSet<_>>();
    for key in keys {
        differences(&format!("{path}.{key}"), from.get(key).unwrap_or(&null), to.get(key).unwrap_or(&null), found);
    }
}
