//! Every field of the specs: made, changed, and changed back, each time read back by boto3 and followed by an empty
//! plan. A new field joins with a row; `every_field_of_*` say which one is missing.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tierctl::resources::Kind;

use crate::bed::bed;
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
            json!([{ "effect": "Allow", "actions": ["secretsmanager:GetSecretValue"], "resources": ["*"] }]),
        )
        .plans(["update role execution inline_policies.tierctl"])
        .reads(
            "t.inline_policies('execution')",
            json!({}),
            json!({ "tierctl": [{ "Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"], "Resource": ["*"] }] }),
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
        plain("managed policies, from none", "/roles/task/managed_policies", Value::Null, json!(["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]))
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
            json!(["tcp 443-443 endpoints-443", "tcp 443-443 {s3}", "tcp 5432-5432 10.9.0.0/16", "tcp 8443-8443 endpoints-8443"]),
            json!([
                "tcp 443-443 endpoints-443", "tcp 443-443 {dynamodb}", "tcp 443-443 {s3}", "tcp 5433-5433 10.8.0.0/16",
                "tcp 6379-6379 {peer}", "tcp 9443-9443 endpoints-9443",
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
            json!(["tcp 80-80 10.7.0.0/16", "tcp 80-80 {dynamodb}", "tcp 80-80 {peer}"]),
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
        .reads(
            "t.endpoint_policy('artifacts')[0]['Action']",
            json!(["s3:GetObject"]),
            json!(["s3:ListBucket"]),
        ),
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
        plain("access logs", "/cells/0/infra_groups/0/load_balancer/access_logs", Value::Null, json!({ "bucket": "one", "prefix": "here" }))
            .plans(
                ["enabled", "bucket", "prefix"]
                    .map(|key| format!("update load_balancer load-balancer attributes.access_logs.s3.{key}")),
            )
            .back(["update load_balancer load-balancer attributes.access_logs.s3.enabled"])
            .reads("t.lb_attribute('access_logs.s3.enabled')", json!("false"), json!("true")),
        secure(
            "bucket and prefix of access logs",
            "/cells/0/infra_groups/0/load_balancer/access_logs",
            json!({ "bucket": "one" }),
            json!({ "bucket": "two", "prefix": "here" }),
        )
        .plans(["bucket", "prefix"].map(|key| format!("update load_balancer load-balancer attributes.access_logs.s3.{key}")))
        .reads("[t.lb_attribute('access_logs.s3.bucket'), t.lb_attribute('access_logs.s3.prefix')]", json!(["one", ""]), json!(["two", "here"])),
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
        row("from HTTP to HTTPS", "tiers/growing", "/cells/0/infra_groups/0/load_balancer/certificate", Value::Null, json!("{certificate}"))
            .plans([
                "create listener port-443",
                "update listener port-80 default_action",
                "update security_group_rules load-balancer-ingress rules",
            ])
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
            json!({ "read": "arn:aws:iam::{account}:role/reader", "write": "arn:aws:iam::{account}:role/writer", "external_id": "x" }),
        ),
        plain("Region of a cell", "/cells/0/region", Value::Null, json!("us-east-1")),
        plain("service Region, its own", "/downstreams/1/service_region", Value::Null, json!("us-east-1")),
        plain("not retired", "/retired", Value::Null, json!(false)),
        plain("a cell not retired", "/cells/0/retired", Value::Null, json!(false)),
        plain("an infra group not retired", "/cells/0/infra_groups/0/retired", Value::Null, json!(false)),
        // Tags
        secure("tags", "/tags", json!({ "team": "ads" }), json!({ "team": "web", "cost-center": "12" }))
            .plans(tagged().into_iter().flat_map(|thing| ["team", "cost-center"].map(|tag| format!("update {thing} tags.{tag}"))))
            .back(tagged().into_iter().map(|thing| format!("update {thing} tags.team")))
            .reads("sorted(t.all_tags())", json!(tagged()), json!(tagged()))
            .reads("sorted({tags.get('team') for tags in t.all_tags().values()})", json!(["ads"]), json!(["web"]))
            .reads("t.all_tags()['vpc vpc']['Name']", json!("secure-cell-1-ig-1-vpc"), json!("secure-cell-1-ig-1-vpc")),
        // Other teams' things
        row("subnets of another team", "tiers/guest", "/cells/0/infra_groups/0/vpc/subnets", json!(["{subnet-a}", "{subnet-b}"]), json!(["{subnet-a}", "{subnet-b}", "{subnet-c}"]))
            .plans(["update vpc_endpoint bidder subnet_ids", "update vpc_endpoint logs subnet_ids"])
            .reads("len(t.endpoint('bidder')['SubnetIds'])", json!(2), json!(3)),
        row("route tables of another team", "tiers/guest", "/cells/0/infra_groups/0/vpc/route_tables", json!(["{table-a}"]), json!(["{table-b}"]))
            .plans(["update vpc_endpoint artifacts route_table_ids"])
            .reads("t.endpoint_tables('artifacts')", json!(["{table-a}"]), json!(["{table-b}"])),
    ]
}

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

fn tier_scene() -> Scene {
    let mut scene = scene();
    let mut secure = tier("secure", "10.21.0.0/16");
    secure["cells"][0]["infra_groups"][0]["load_balancer"] = json!({ "scheme": "internet-facing", "allow": ["0.0.0.0/0"], "certificate": "{certificate}" });
    let specs = [("plain", tier("plain", "10.20.0.0/16")), ("secure", secure), ("growing", tier("growing", "10.22.0.0/16")), ("guest", guest())];
    scene.specs.extend(specs.map(|(name, spec)| (format!("tiers/{name}"), spec)));
    scene
}

/// A tier in another team's network, on another team's listener.
fn guest() -> Value {
    let mut guest = tier("guest", "");
    guest["cells"][0]["infra_groups"][0]["vpc"] = json!({ "id": "{vpc}", "subnets": ["{subnet-a}", "{subnet-b}"], "route_tables": ["{table-a}"] });
    guest["cells"][0]["infra_groups"][0]["load_balancer"] = json!({ "listener": "{listener}", "priorities": [100, 199] });
    guest
}

fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.fact("bidder", bed().endpoint_service("us-east-1"));
    scene.prepare(PREPARATION);
    // Their load balancer lets traffic out to wherever tenants listen: the default of a group made by hand.
    scene
}

fn tenant_rows() -> Vec<Row> {
    Vec::new()
}

fn tenant_scene() -> Scene {
    let mut scene = scene();
    let specs = [("tiers/plain", tier("plain", "10.20.0.0/16")), ("tenants/acme", tenant("acme", "plain"))];
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
