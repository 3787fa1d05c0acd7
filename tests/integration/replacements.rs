//! What AWS cannot change in place: without tenants a new thing is made and nothing of the old is left; under living
//! tenants nothing at all is changed, and the user is told the way around.

use serde_json::{Value, json};

use crate::bed::bed;
use crate::fields;
use crate::rows::{Row, Scene, Side, assert_right, lines, row, tenant, tier};

const SUBNETS: [&str; 4] = ["private-us-east-1a", "private-us-east-1b", "public-us-east-1a", "public-us-east-1b"];
const GROUPS: [&str; 4] = ["endpoints-443", "endpoints-8443", "load-balancer", "tasks"];
/// Sets of rules that name another group.
const PATHS: [&str; 5] = ["load-balancer-egress", "tasks-ingress", "tasks-egress", "endpoints-443-ingress", "endpoints-8443-ingress"];
const ALL_IN_ONE_VPC: &str = "{t.vpc_id()} == {t.lb()['VpcId']} == {s['VpcId'] for s in t.ec2_all('describe_subnets', 'Subnets')} \
    == {g['VpcId'] for g in t.ec2_all('describe_security_groups', 'SecurityGroups')} \
    == {e['VpcId'] for e in t.ec2_all('describe_vpc_endpoints', 'VpcEndpoints')} \
    == {r['VpcId'] for r in t.ec2_all('describe_route_tables', 'RouteTables')}";
const HOW_MANY: &str = "[t.subnets(), len(t.ec2_all('describe_security_groups', 'SecurityGroups')), t.endpoints(), t.listeners()]";

/// The changes that make something anew, all but those of tiers where tenants live.
pub fn rows() -> Vec<Row> {
    tier_rows().into_iter().chain(tenant_rows()).collect()
}

fn tier_rows() -> Vec<Row> {
    vec![
        row("block of the VPC", "tiers/moved", "/cells/0/infra_groups/0/vpc/cidr", json!("10.30.0.0/16"), json!("10.31.0.0/16"))
            .plans(["replace vpc vpc cidr_block", "replace internet_gateway internet-gateway vpc_id", "replace route_table public routes"])
            .plans(SUBNETS.iter().flat_map(|name| ["vpc_id", "cidr_block"].map(|field| format!("replace subnet {name} {field}"))))
            .plans(
                ["private", "public"]
                    .iter()
                    .flat_map(|name| ["vpc_id", "subnet_ids"].map(|field| format!("replace route_table {name} {field}"))),
            )
            .plans(GROUPS.map(|name| format!("replace security_group {name} vpc_id")))
            .plans(GROUPS.iter().flat_map(|group| {
                ["ingress", "egress"].map(|direction| format!("replace security_group_rules {group}-{direction} group_id"))
            }))
            .plans(PATHS.map(|name| format!("replace security_group_rules {name} rules")))
            .plans(["bidder", "logs"].iter().flat_map(|name| {
                ["vpc_id", "subnet_ids", "security_group_ids"].map(|field| format!("replace vpc_endpoint {name} {field}"))
            }))
            .plans(["vpc_id", "route_table_ids"].map(|field| format!("replace vpc_endpoint artifacts {field}")))
            .plans(
                ["load_balancer_name", "subnet_ids", "security_group_ids"]
                    .map(|field| format!("replace load_balancer load-balancer {field}")),
            )
            .plans(["replace listener port-80 load_balancer_arn", "replace listener port-443 load_balancer_arn"])
            .reads("[t.vpc()['CidrBlock'], t.dns()]", json!(["10.30.0.0/16", [true, true]]), json!(["10.31.0.0/16", [true, true]]))
            .reads(
                "[t.gateway()['Attachments'][0]['VpcId'] == t.vpc_id(), t.routes('public')]",
                json!([true, ["0.0.0.0/0", "10.30.0.0/16"]]),
                json!([true, ["0.0.0.0/0", "10.31.0.0/16"]]),
            )
            .reads(ALL_IN_ONE_VPC, json!(true), json!(true))
            .reads(
                HOW_MANY,
                json!([SUBNETS, 4, ["artifacts", "bidder", "logs"], [80, 443]]),
                json!([SUBNETS, 4, ["artifacts", "bidder", "logs"], [80, 443]]),
            )
            .reads(
                "len(paged('ec2', 'describe_subnets', 'Subnets', Filters=[{'Name': 'cidr-block', 'Values': ['10.30.*', '10.31.*']}]))",
                json!(4),
                json!(4),
            ),
        row(
            "scheme of the load balancer",
            "tiers/public",
            "/cells/0/infra_groups/0/load_balancer",
            json!({ "allow": ["0.0.0.0/0"], "certificate": "{certificate}" }),
            json!({ "allow": ["0.0.0.0/0"], "certificate": "{certificate}", "scheme": "internet-facing" }),
        )
        .plans([
            "create internet_gateway internet-gateway",
            "create subnet public-us-east-1a",
            "create subnet public-us-east-1b",
            "create route_table public",
        ])
        .plans(["load_balancer_name", "scheme", "subnet_ids"].map(|field| format!("replace load_balancer load-balancer {field}")))
        .plans(["replace listener port-443 load_balancer_arn", "replace listener port-80 load_balancer_arn"])
        .reads(
            "[t.lb()['Scheme'], t.lb_subnets(), t.listeners()]",
            json!(["internal", &SUBNETS[..2], [80, 443]]),
            json!(["internet-facing", &SUBNETS[2..], [80, 443]]),
        )
        .reads("len(t.ec2_all('describe_internet_gateways', 'InternetGateways'))", json!(0), json!(1)),
        row("service of a downstream", "tiers/wired", "/downstreams/0/service", json!("{bidder}"), json!("{bidder-2}"))
            .plans(["replace vpc_endpoint bidder service_name"])
            .reads("t.endpoint('bidder')['ServiceName']", json!("{bidder}"), json!("{bidder-2}")),
        row(
            "Region of a downstream",
            "tiers/wired",
            "/downstreams/3",
            json!({ "name": "far", "service": "{bidder}", "port": 8443 }),
            json!({ "name": "far", "service": "{far}", "service_region": "eu-west-1", "port": 8443 }),
        )
        .plans(["replace vpc_endpoint far service_name", "replace vpc_endpoint far service_region"])
        .back(["replace vpc_endpoint far service_name"])
        .reads("t.endpoint('far')['ServiceName']", json!("{bidder}"), json!("{far}")),
        row(
            "from interface to gateway",
            "tiers/wired",
            "/downstreams/2",
            json!({ "name": "artifacts", "service": "s3", "port": 443 }),
            json!({ "name": "artifacts", "service": "s3", "gateway": true }),
        )
        .plans(
            ["endpoint_type", "subnet_ids", "security_group_ids", "route_table_ids"]
                .map(|field| format!("replace vpc_endpoint artifacts {field}")),
        )
        .plans(["update security_group_rules tasks-egress rules"])
        .reads("t.endpoint('artifacts')['VpcEndpointType']", json!("Interface"), json!("Gateway")),
        row(
            "provider of a private DNS name",
            "tiers/named",
            "/downstreams/0",
            json!({ "name": "bidder", "service": "{named}", "port": 8443, "private_dns": true }),
            json!({ "name": "bidder", "service": "{named-2}", "port": 8443, "private_dns": true }),
        )
        .plans(["replace vpc_endpoint bidder service_name"])
        .reads(
            "[t.endpoint('bidder')['ServiceName'], t.endpoint('bidder')['PrivateDnsEnabled']]",
            json!(["{named}", true]),
            json!(["{named-2}", true]),
        ),
        row(
            "downstream of a private DNS name",
            "tiers/heir",
            "/downstreams/0",
            json!({ "name": "bidder", "service": "{named}", "port": 8443, "private_dns": true }),
            json!({ "name": "auction", "service": "{named-2}", "port": 8443, "private_dns": true }),
        )
        .plans(["create vpc_endpoint auction", "delete vpc_endpoint bidder"])
        .reads(
            "[[name, t.endpoint(name)['ServiceName'], t.endpoint(name)['PrivateDnsEnabled']] for name in t.endpoints()]",
            json!([["bidder", "{named}", true]]),
            json!([["auction", "{named-2}", true]]),
        ),
    ]
}

fn tenant_rows() -> Vec<Row> {
    vec![
        row("port of a service", "tenants/acme", "/service/port", json!(8080), json!(9090))
            .plans(["replace target_group target_group_name", "replace target_group port"])
            .plans(["update listener_rule target_group_arn", "update task_definition containers.app.ports"])
            .plans(["target_group_arn", "container_port", "task_definition"].map(|field| format!("update service {field}")))
            .reads("[len(t.target_groups()), t.target_group()['Port'], t.forwards_to_own()]", json!([1, 8080, true]), json!([1, 9090, true]))
            .reads("[t.targets()[0].split(':')[1], len(t.targets())]", json!(["8080", 1]), json!(["9090", 1])),
        row("port of a fleet", "tenants/fleet", "/targets/port", json!(9000), json!(9001))
            .plans(["replace target_group target_group_name", "replace target_group port"])
            .plans(["update listener_rule target_group_arn", "replace targets port", "replace targets target_group_arn"])
            .reads("[len(t.target_groups()), t.targets(), t.forwards_to_own()]", json!([1, ["10.40.200.1:9000"], true]), json!([1, ["10.40.200.1:9001"], true])),
        row("listener of another team", "tiers/guest", "/cells/0/infra_groups/0/load_balancer/listener", json!("{listener}"), json!("{listener-2}"))
            .plans(["@visitor replace target_group target_group_name", "@visitor replace listener_rule listener_arn", "@visitor replace listener_rule target_group_arn", "@visitor update service target_group_arn"])
            .sees("tenants/visitor", "[len(t.target_groups()), t.forwards_to_own(), t.rule_arn().split('/')[1:4] == '{listener}'.split('/')[1:4]]", json!([1, true, true]), json!([1, true, false])),
        row("one more zone under tenants", "tiers/growing", "/cells/0/infra_groups/0/vpc/zones", json!(["us-east-1a", "us-east-1b"]), json!(["us-east-1a", "us-east-1b", "us-east-1c"]))
            .plans(["create subnet private-us-east-1c", "update route_table private subnet_ids", "update load_balancer load-balancer subnet_ids"])
            .plans(["update vpc_endpoint bidder subnet_ids", "update vpc_endpoint logs subnet_ids", "@grown update service subnet_ids"])
            .sees("tenants/grown", "Things('growing').subnets(t.network()['subnets'])", json!(["private-us-east-1a", "private-us-east-1b"]), json!(["private-us-east-1a", "private-us-east-1b", "private-us-east-1c"])),
        row("from HTTP to HTTPS under tenants", "tiers/growing", "/cells/0/infra_groups/0/load_balancer/certificate", Value::Null, json!("{certificate}"))
            .plans(["create listener port-443", "update security_group_rules load-balancer-ingress rules", "@grown replace listener_rule listener_arn"])
            .plans(fields::DEFAULT_ACTION.map(|part| format!("update listener port-80 default_action.{part}")))
            .sees("tenants/grown", "[t.rule_arn().rsplit('/', 2)[-2] == Things('growing', elb=t.elb).listener(80)['ListenerArn'].rsplit('/', 1)[-1], t.forwards_to_own()]", json!([true, true]), json!([false, true])),
    ]
}

/// What the rows lean on beside what those of `fields` do.
fn prepared(mut scene: Scene) -> Scene {
    scene.fact("bidder-2", bed().endpoint_service("us-east-1"));
    let far = format!("com.amazonaws.vpce.eu-west-1.vpce-svc-{}00003", scene.account);
    bed().provide(&far, &json!({ "supported_regions": ["us-east-1"] }));
    scene.fact("far", far);
    for (name, number) in [("named", 1), ("named-2", 2)] {
        let service = format!("com.amazonaws.vpce.us-east-1.vpce-svc-{}{number:05}", scene.account);
        let private = format!("bidder.{}.example.com", scene.account);
        bed().provide(&service, &json!({ "private_dns_name": private }));
        scene.fact(name, service);
    }
    scene.prepare(
        r#"
elb = client("elbv2")
balancer = elb.create_load_balancer(Name="theirs-2", Subnets=["{subnet-a}", "{subnet-b}"], SecurityGroups=["{their-group}"], Scheme="internal")
not_found = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
listener = elb.create_listener(
    LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"], Port=80, Protocol="HTTP", DefaultActions=[not_found])
result = {"listener-2": listener["Listeners"][0]["ListenerArn"]}
"#,
    );
    scene
}

fn start(scene: &mut Scene, rows: &[Row]) {
    for row in rows {
        scene.put(row.spec, row.at, &row.from);
    }
    scene.write();
    scene.make_real();
    scene.is_real();
    assert_right(&scene.misread(rows, Side::From));
}

fn go(scene: &mut Scene, rows: &[Row], side: Side) {
    for row in rows {
        scene.put(row.spec, row.at, if side == Side::To { &row.to } else { &row.from });
    }
    scene.write();
    let mut wrong = scene.misplanned(rows, &scene.project.plan().ended(0), side);
    scene.make_real();
    scene.is_real();
    wrong.extend(scene.misread(rows, side));
    assert_right(&wrong);
}

/// The numbers in the request log of an action's calls.
fn calls(scene: &Scene, action: &str) -> Vec<u64> {
    let log = bed().get(&format!("/testbed/accounts/{}/requests?writes&action={action}", scene.account));
    let requests = log.as_array().or(log["requests"].as_array()).unwrap();
    requests.iter().map(|request| request["number"].as_u64().unwrap()).collect()
}

#[test]
fn a_tier_without_tenants_is_made_anew() {
    let mut scene = prepared(fields::scene());
    let mut public = tier("public", "10.32.0.0/16");
    public["downstreams"] = json!([]);
    let mut named = tier("named", "10.33.0.0/16");
    named["downstreams"] = json!([]);
    let mut heir = tier("heir", "10.35.0.0/16");
    heir["downstreams"] = json!([]);
    let mut moved = tier("moved", "10.30.0.0/16");
    moved["cells"][0]["infra_groups"][0]["load_balancer"] =
        json!({ "scheme": "internet-facing", "allow": ["0.0.0.0/0"], "certificate": "{certificate}" });
    let specs = [("moved", moved), ("public", public), ("named", named), ("heir", heir), ("wired", tier("wired", "10.34.0.0/16"))];
    scene.specs.extend(specs.map(|(name, spec)| (format!("tiers/{name}"), spec)));
    let rows = tier_rows();
    start(&mut scene, &rows);
    go(&mut scene, &rows, Side::To);
    for (make, delete) in [("CreateVpc", "DeleteVpc"), ("CreateLoadBalancer", "DeleteLoadBalancer")] {
        let (made, deleted) = (calls(&scene, make), calls(&scene, delete));
        assert!(!deleted.is_empty() && made.iter().max() < deleted.iter().min(), "{make} {made:?} comes before {delete} {deleted:?}");
    }
    go(&mut scene, &rows, Side::Back);
}

#[test]
fn a_tenants_things_are_made_anew() {
    let mut scene = prepared(fields::scene());
    let mut fleet = tenant("fleet", "plain");
    fleet.as_object_mut().unwrap().remove("service");
    fleet["targets"] = json!({ "port": 9000, "addresses": ["10.40.200.1"] });
    let specs = [
        ("tiers/plain", tier("plain", "10.40.0.0/16")),
        ("tiers/growing", tier("growing", "10.41.0.0/16")),
        ("tiers/guest", fields::guest()),
        ("tenants/acme", tenant("acme", "plain")),
        ("tenants/fleet", fleet),
        ("tenants/grown", tenant("grown", "growing")),
        ("tenants/visitor", tenant("visitor", "guest")),
    ];
    scene.specs.extend(specs.map(|(name, spec)| (name.to_string(), spec)));
    let rows = tenant_rows();
    start(&mut scene, &rows);
    go(&mut scene, &rows, Side::To);
    let (made, deleted) = (calls(&scene, "CreateTargetGroup"), calls(&scene, "DeleteTargetGroup"));
    assert_eq!((made.len(), deleted.len()), (7, 3), "four target groups, and three made anew");
    assert!(made.iter().max() < deleted.iter().min());
}

/// A tenant that leaves ECS for addresses, and comes back.
#[test]
fn a_service_becomes_a_fleet_and_a_service_again() {
    let mut scene = prepared(fields::scene());
    let service = tenant("acme", "plain");
    let mut fleet = service.clone();
    fleet.as_object_mut().unwrap().remove("service");
    fleet["targets"] = json!({ "port": 8080, "addresses": ["10.40.200.1"] });
    scene.specs.insert("tiers/plain".into(), tier("plain", "10.40.0.0/16"));
    for (spec, own) in [(&service, "create"), (&fleet, "delete"), (&service, "create")] {
        scene.specs.insert("tenants/acme".into(), spec.clone());
        scene.write();
        scene.project.run(&["apply", "--yes", "tiers"]).ended(0);
        let shown = lines(&scene.project.plan().ended(0));
        for kind in ["cluster", "task_definition", "service"] {
            assert!(shown.contains(&format!("@acme {own} {kind}")), "{shown:?}");
        }
        scene.make_real();
        scene.is_real();
        let targets = scene.read(&[("tenants/acme", "t.targets()")]).remove(0);
        let registered = targets == json!(["10.40.200.1:8080"]);
        assert_eq!(registered, own == "delete", "{targets}");
    }
}

/// A change of a tier, and what stands in its way while tenants live there.
struct Refusal {
    name: &'static str,
    tier: &'static str,
    at: &'static str,
    to: Value,
    /// What is blocked for the tenants' sake, as kind and name.
    blocked: &'static [&'static str],
}

fn refusals() -> Vec<Refusal> {
    let refusal = |name, tier, at, to, blocked| Refusal { name, tier, at, to, blocked };
    let guest = || fields::guest()["cells"][0]["infra_groups"][0].clone();
    vec![
        refusal(
            "another block",
            "plain",
            "/cells/0/infra_groups/0/vpc/cidr",
            json!("10.49.0.0/16"),
            &["vpc vpc", "subnet private-us-east-1a", "load_balancer load-balancer"],
        ),
        refusal(
            "another scheme",
            "secure",
            "/cells/0/infra_groups/0/load_balancer/scheme",
            json!("internet-facing"),
            &["load_balancer load-balancer"],
        ),
        refusal(
            "a zone less",
            "plain",
            "/cells/0/infra_groups/0/vpc/zones",
            json!(["us-east-1a", "us-east-1b"]),
            &["subnet private-us-east-1c"],
        ),
        refusal(
            "no HTTPS any more",
            "secure",
            "/cells/0/infra_groups/0/load_balancer",
            json!({ "allow": ["10.0.0.0/8"] }),
            &["listener port-443"],
        ),
        refusal(
            "another team's VPC",
            "plain",
            "/cells/0/infra_groups/0/vpc",
            guest()["vpc"].clone(),
            &["vpc vpc", "subnet private-us-east-1a", "security_group tasks", "load_balancer load-balancer"],
        ),
        refusal(
            "another team's VPC and listener",
            "plain",
            "/cells/0/infra_groups/0",
            guest(),
            &["vpc vpc", "security_group load-balancer", "load_balancer load-balancer", "listener port-80"],
        ),
    ]
}

#[test]
fn nothing_is_made_anew_under_living_tenants() {
    let mut scene = prepared(fields::scene());
    let mut plain = tier("plain", "10.40.0.0/16");
    plain["cells"][0]["infra_groups"][0]["vpc"]["zones"] = json!(["us-east-1a", "us-east-1b", "us-east-1c"]);
    let mut secure = tier("secure", "10.41.0.0/16");
    secure["cells"][0]["infra_groups"][0]["load_balancer"] = json!({ "allow": ["10.0.0.0/8"], "certificate": "{certificate}" });
    let specs = [
        ("tiers/plain", plain),
        ("tiers/secure", secure),
        ("tenants/acme", tenant("acme", "plain")),
        ("tenants/globex", tenant("globex", "plain")),
        ("tenants/umbrella", tenant("umbrella", "secure")),
    ];
    scene.specs.extend(specs.map(|(name, spec)| (name.to_string(), spec)));
    scene.write();
    scene.make_real();
    scene.is_real();
    let mut wrong = Vec::new();
    for refusal in refusals() {
        let (spec, path) = (format!("tiers/{}", refusal.tier), format!("tiers/{}.yaml", refusal.tier));
        let as_it_was = scene.specs[&spec].clone();
        scene.put(&spec, refusal.at, &refusal.to);
        scene.write();
        wrong.extend(refused(&scene, &refusal, &path).into_iter().map(|text| format!("{}: {text}", refusal.name)));
        scene.specs.insert(spec, as_it_was);
    }
    scene.write();
    scene.is_real();
    assert_right(&wrong);
}

/// What of a refusal is not as it has to be.
fn refused(scene: &Scene, refusal: &Refusal, path: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let (living, count) = if refusal.tier == "plain" { ("acme, globex", "2 tenants live") } else { ("umbrella", "1 tenant lives") };
    let plan = scene.project.run(&["plan", "--format", "json", path]);
    if plan.code != 3 {
        return vec![format!("the plan ended with {}\n{}\n{}", plan.code, plan.stdout, plan.stderr)];
    }
    let changes = plan.json()["changes"].as_array().unwrap().clone();
    let text = |change: &Value, field: &str| change[field].as_str().unwrap_or_default().to_string();
    for wanted in refusal.blocked {
        let found = changes.iter().find(|change| *wanted == format!("{} {}", text(change, "kind"), text(change, "name")));
        let reason = found.map(|change| text(change, "reason")).unwrap_or_default();
        let says_all = [living, count, "Add an infra group", "offboard", "`placement`", "retire"].iter().all(|part| reason.contains(part));
        if found.is_none_or(|change| text(change, "action") != "blocked") || !says_all {
            wrong.push(format!("{wanted} is not blocked for its tenants: {found:?}"));
        }
    }
    let going = changes.iter().filter(|change| text(change, "action") != "blocked");
    wrong.extend(going.map(|change| format!("{} {} goes ahead: {}", text(change, "kind"), text(change, "name"), text(change, "action"))));
    let (writes, before) = (bed().writes(&scene.account), bed().dump(&scene.account));
    let applied = scene.project.run(&["apply", "--yes", path]);
    if applied.code != 3 {
        wrong.push(format!("the apply ended with {}\n{}\n{}", applied.code, applied.stdout, applied.stderr));
    }
    if !applied.stdout.contains(count) {
        wrong.push(format!("the apply does not count the tenants: {}", applied.stdout));
    }
    if bed().writes(&scene.account) != writes || bed().dump(&scene.account) != before {
        wrong.push("something was written".into());
    }
    wrong
}
