//! What is not ours is left as it is, byte for byte, and reported where it is in the way.

use serde_json::{Value, json};

use crate::bed::bed;
use crate::project::{Project, Run};
use crate::scenes::{
    all, applied_tier, bare_tier, blocked, cell, changes, homes, lived_in_tier, made_group, one, planned, quick, standing, tenant,
    tenant_of, tier,
};

/// Another team's rule on the listener at the first listener of the account, leading to a target group of its own.
fn foreign_rule(account: &str, priority: u32, path: &str) -> Value {
    bed().boto(
        account,
        &format!(
            r#"
elb = aws("elbv2")
listener = elb.describe_listeners(LoadBalancerArn=elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"])["Listeners"][0]
vpc = elb.describe_load_balancers()["LoadBalancers"][0]["VpcId"]
group = elb.create_target_group(Name="theirs-{priority}", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")["TargetGroups"][0]
rule = elb.create_rule(ListenerArn=listener["ListenerArn"], Priority={priority}, Tags=[dict(Key="team", Value="theirs")],
    Conditions=[dict(Field="path-pattern", Values=["{path}"])], Actions=[dict(Type="forward", TargetGroupArn=group["TargetGroupArn"])])
result = dict(rule=rule["Rules"][0]["RuleArn"], group=group["TargetGroupArn"])
"#
        ),
    )
}

fn priorities(account: &str) -> Vec<(String, String)> {
    let dump = bed().dump(account);
    let mut found: Vec<(String, String)> = all(&dump, "rules")
        .into_iter()
        .filter(|rule| rule["IsDefault"] != true)
        .map(|rule| {
            let tags = rule["Tags"].as_array().unwrap().iter();
            let tenant = tags.clone().find(|tag| tag["Key"] == "tierctl:tenant").map_or("theirs", |tag| tag["Value"].as_str().unwrap());
            (rule["Priority"].as_str().unwrap().to_string(), tenant.to_string())
        })
        .collect();
    found.sort();
    found
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(priority, tenant)| (priority.to_string(), tenant.to_string())).collect()
}

#[test]
fn a_foreign_rule_keeps_its_place_and_its_target_group() {
    let project = Project::new();
    let account = applied_tier(&project);
    let theirs = foreign_rule(&account, 2, "/theirs/*");
    let (rule, group) = (theirs["rule"].as_str().unwrap(), theirs["group"].as_str().unwrap());
    let rule_before = one(&bed().dump(&account), "rules", "RuleArn", rule);
    let group_before = one(&bed().dump(&account), "targetgroups", "TargetGroupArn", group);

    tenant(&project, "acme");
    tenant(&project, "globex");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    let ours = priorities(&account);
    let places: Vec<&str> = ours.iter().map(|(priority, _)| priority.as_str()).collect();
    assert_eq!(places, ["1", "2", "3"], "the lowest free places: {ours:?}");
    project.assert_plan_is_empty();
    project.run(&["offboard", "--yes", "acme", "globex"]).ended(0);

    let after = bed().dump(&account);
    assert_eq!(one(&after, "rules", "RuleArn", rule), rule_before);
    assert_eq!(one(&after, "targetgroups", "TargetGroupArn", group), group_before);
    assert_eq!(priorities(&account), pairs(&[("2", "theirs")]));
}

#[test]
fn a_foreign_rule_that_matches_the_same_requests_is_reported() {
    let project = Project::new();
    let account = applied_tier(&project);
    let theirs = foreign_rule(&account, 7, "/acme/*");
    let before = standing(&account);
    tenant(&project, "acme");
    let refused = project.run(&["onboard", "--yes", "tenants"]).ended(3).says("/acme/*");
    refused.says(theirs["rule"].as_str().unwrap());
    assert_eq!(standing(&account), before, "nothing of a new tenant that cannot be whole is made");
}

/// A tenant's wanted names, each held by somebody else.
#[test]
fn foreign_things_of_a_tenants_names_are_left_and_named() {
    let project = Project::new();
    let account = applied_tier(&project);
    tenant(&project, "acme");
    tenant(&project, "globex");
    tenant(&project, "initech");
    let plan = project.plan().ended(0);
    let group_name = changes(&plan, "target_group")
        .iter()
        .filter(|change| change["tenant"] == "globex")
        .flat_map(|change| change["fields"].as_array().unwrap().clone())
        .find(|field| field["path"] == "target_group_name")
        .unwrap()["after"]
        .clone();
    bed().boto(
        &account,
        &format!(
            r#"
aws("ecs").create_cluster(clusterName="test-cell-1-ig-1-acme", tags=[dict(key="team", value="theirs")])
vpc = aws("ec2").describe_vpcs(Filters=[dict(Name="is-default", Values=["true"])])["Vpcs"][0]["VpcId"]
aws("elbv2").create_target_group(Name={group_name}, Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip")
"#
        ),
    );
    let before = standing(&account);
    let plan = project.plan().ended(3);
    let held: Vec<String> = blocked(&plan);
    assert!(held.contains(&"cluster cluster".to_string()) && held.contains(&"target_group target-group".to_string()), "{held:?}");

    // The third tenant goes ahead.
    let run = project.run(&["onboard", "--yes", "tenants"]).ended(3);
    run.says("test-cell-1-ig-1-acme is held by").says(group_name.as_str().unwrap()).says("not tierctl's");
    let after = standing(&account);
    for kind in ["clusters", "targetgroups"] {
        for thing in all(&before, kind) {
            assert!(all(&after, kind).contains(&thing), "{kind} changed: {thing:#}");
        }
        assert_eq!(all(&after, kind).len(), 2, "their {kind} and initech's");
    }
    assert_eq!(all(&after, "services").len(), 1);
}

/// A tier's wanted names, each held by somebody else.
#[test]
fn foreign_things_of_a_tiers_names_are_left_and_named() {
    let project = Project::new();
    let account = bed().account();
    quick(&account);
    let network = foreign_network(&account);
    let (vpc, subnets) = (network["vpc"].as_str().unwrap(), &network["subnets"]);
    let group = format!("{{name: ig-1, vpc: {{id: {vpc}, subnets: {subnets}}}}}");
    tier(&project, "test", &[cell("cell-1", &account, &[group])], "");
    let plan = project.plan().ended(0);
    let load_balancer = planned(&plan, "load_balancer", "load-balancer", "load_balancer_name");
    let role = planned(&plan, "role", "task", "role_name");
    let log_group = planned(&plan, "log_group", "logs", "log_group_name");
    let security_group = planned(&plan, "security_group", "tasks", "group_name");
    bed().boto(
        &account,
        &format!(
            r#"
subnets = {subnets}
aws("elbv2").create_load_balancer(Name="{load_balancer}", Subnets=subnets, Scheme="internal", Tags=[dict(Key="team", Value="theirs")])
trust = json.dumps(dict(Version="2012-10-17", Statement=[dict(Effect="Allow", Action="sts:AssumeRole", Principal=dict(AWS="*"))]))
# Names of roles are unique whatever their path and case.
aws("iam").create_role(RoleName="{}", AssumeRolePolicyDocument=trust)
aws("logs").create_log_group(logGroupName="{log_group}")
aws("ec2").create_security_group(GroupName="{security_group}", Description="theirs", VpcId="{vpc}")
"#,
            role.to_uppercase(),
        ),
    );
    let before = standing(&account);
    let plan = project.plan().ended(3);
    let held = blocked(&plan);
    for thing in ["load_balancer load-balancer", "role task", "log_group logs", "security_group tasks"] {
        assert!(held.contains(&thing.to_string()), "{thing}: {held:?}");
    }
    let run = project.run(&["apply", "--yes", "tiers"]).ended(3);
    let run = run.says(&load_balancer).says(&role.to_uppercase()).says(&log_group).says(&security_group);
    assert!(!run.text().contains("FAILED"), "what needs a blocked thing is not tried: {}", run.text());
    let after = standing(&account);
    for kind in ["loadbalancers", "roles", "loggroups", "securitygroups", "vpcs", "subnets", "routetables"] {
        for thing in all(&before, kind) {
            assert!(all(&after, kind).contains(&thing), "{kind} changed: {thing:#}");
        }
    }
    assert_eq!(all(&after, "loadbalancers").len(), 1);
    assert_eq!(all(&after, "loggroups").len(), 1);
}

#[test]
fn a_foreign_service_in_our_cluster_blocks_the_offboarding() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    bed().boto(
        &account,
        r#"
ecs = aws("ecs")
ecs.register_task_definition(family="theirs", containerDefinitions=[dict(name="x", image="x:1", memory=128)], networkMode="awsvpc",
    requiresCompatibilities=["FARGATE"], cpu="256", memory="512")
subnet = aws("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
ecs.create_service(cluster="test-cell-1-ig-1-acme", serviceName="metrics-agent", taskDefinition="theirs", desiredCount=1,
    launchType="FARGATE", networkConfiguration=dict(awsvpcConfiguration=dict(subnets=[subnet])))
"#,
    );
    project.run(&["offboard", "--yes", "acme"]).ended(3).says("metrics-agent");
    let left = standing(&account);
    assert_eq!(one(&left, "services", "serviceName", "metrics-agent")["status"], "ACTIVE");
    assert_eq!(all(&left, "services").len(), 1, "the tenant's own service is gone");

    bed().boto(&account, r#"aws("ecs").delete_service(cluster="test-cell-1-ig-1-acme", service="metrics-agent", force=True)"#);
    project.run(&["offboard", "--yes", "acme"]).ended(0);
    assert!(all(&standing(&account), "clusters").is_empty());
}

/// Another team's VPC with two subnets and a route table.
fn foreign_network(account: &str) -> Value {
    bed().boto(
        account,
        r#"
ec2 = aws("ec2")
vpc = ec2.create_vpc(CidrBlock="10.50.0.0/16")["Vpc"]["VpcId"]
for name in ("EnableDnsSupport", "EnableDnsHostnames"):
    ec2.modify_vpc_attribute(VpcId=vpc, **{name: dict(Value=True)})
table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
subnets = []
for number, zone in enumerate("ab"):
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.50.{number}.0/24", AvailabilityZone="us-east-1" + zone)["Subnet"]["SubnetId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    subnets.append(subnet)
result = dict(vpc=vpc, subnets=subnets, table=table)
"#,
    )
}

#[test]
fn another_teams_vpc_is_used_and_left_as_it_was() {
    let project = Project::new();
    let account = bed().account();
    quick(&account);
    let network = foreign_network(&account);
    let before = standing(&account);
    let (vpc, table) = (network["vpc"].as_str().unwrap(), network["table"].as_str().unwrap());
    let service = bed().endpoint_service("us-east-1");
    let group = format!("{{name: ig-1, vpc: {{id: {vpc}, subnets: {}, route_tables: [{table}]}}}}", network["subnets"]);
    let downstreams = format!(
        "downstreams:\n  - {{name: bidder, service: {service}, port: 8443}}\n  - {{name: artifacts, service: s3, gateway: true}}\n"
    );
    tier(&project, "test", &[cell("cell-1", &account, &[group])], &downstreams);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    project.assert_plan_is_empty();
    tenant(&project, "acme");
    // Its addresses are those of the VPC, which is looked up.
    crate::scenes::address_tenant(&project, "fleet", "10.50.0.20", "");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.assert_plan_is_empty();

    let during = standing(&account);
    assert_eq!(all(&during, "vpcs"), all(&before, "vpcs"));
    assert_eq!(all(&during, "subnets"), all(&before, "subnets"));
    let endpoints = all(&during, "vpcendpoints");
    let gateway = endpoints.iter().find(|endpoint| endpoint["VpcEndpointType"] == "Gateway").unwrap();
    assert_eq!(gateway["RouteTableIds"], json!([table]), "naming a route table consents to its route");
    let interface = endpoints.iter().find(|endpoint| endpoint["VpcEndpointType"] == "Interface").unwrap();
    assert_eq!(interface["SubnetIds"].as_array().unwrap().len(), 2);
    let inbound = bed().boto(
        &account,
        r#"
groups = aws("ec2").describe_security_groups(Filters=[dict(Name="tag:tierctl:resource", Values=["load-balancer"])])["SecurityGroups"]
result = [r["CidrIp"] for p in groups[0]["IpPermissions"] for r in p["IpRanges"]]
"#,
    );
    assert_eq!(inbound, json!(["10.50.0.0/16"]), "by default the VPC's blocks may connect");

    project.run(&["offboard", "--yes", "acme", "fleet"]).ended(0);
    project.run(&["destroy", "--yes", "--delete-logs", "test"]).ended(0);
    assert_eq!(standing(&account), before);
}

/// Another team's load balancer with a listener, a security group that lets nothing out, and two rules.
fn foreign_listener(account: &str, network: &Value) -> Value {
    bed().boto(
        account,
        &format!(
            r#"
ec2, elb = aws("ec2"), aws("elbv2")
group = ec2.create_security_group(GroupName="theirs", Description="theirs", VpcId={vpc})["GroupId"]
everything = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"]
ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything)
balancer = elb.create_load_balancer(Name="theirs", Subnets={subnets}, Scheme="internal", SecurityGroups=[group])["LoadBalancers"][0]
target = elb.create_target_group(Name="theirs", Protocol="HTTP", Port=80, VpcId={vpc}, TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
listener = elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Port=80, Protocol="HTTP",
    DefaultActions=[dict(Type="forward", TargetGroupArn=target)])["Listeners"][0]["ListenerArn"]
for priority in (5, 2001):
    elb.create_rule(ListenerArn=listener, Priority=priority, Conditions=[dict(Field="path-pattern", Values=[f"/theirs-{{priority}}"])],
        Actions=[dict(Type="forward", TargetGroupArn=target)])
result = dict(listener=listener, group=group)
"#,
            vpc = network["vpc"],
            subnets = network["subnets"],
        ),
    )
}

#[test]
fn another_teams_listener_gets_our_rules_in_our_band_and_nothing_else() {
    let project = Project::new();
    let account = bed().account();
    quick(&account);
    let network = foreign_network(&account);
    let theirs = foreign_listener(&account, &network);
    let before = standing(&account);
    let (listener, their_group) = (theirs["listener"].as_str().unwrap(), theirs["group"].as_str().unwrap());
    let group = format!(
        "{{name: ig-1, vpc: {{id: {}, subnets: {}}}, load_balancer: {{listener: \"{listener}\", priorities: [2000, 2003]}}}}",
        network["vpc"], network["subnets"]
    );
    tier(&project, "test", &[cell("cell-1", &account, &[group])], "tenants: {ports: [8000, 8999]}");
    let applied = project.run(&["apply", "--yes", "tiers"]).ended(0);
    assert!(all(&standing(&account), "loadbalancers").len() == 1, "no load balancer of our own");

    // The closed path of theirs is a warning, and is not edited.
    applied.says(their_group).says("8000-8999");
    project.run(&["plan"]).ended(0).says(their_group).says("must allow");
    // Where it cannot be looked up, the cell has not been read whole. The first of these requests is for our own groups.
    let refused = json!([{"effect": "error-before", "action": "DescribeSecurityGroups", "nth_call": 2, "code": "UnauthorizedOperation",
        "status": 403}]);
    bed().post(&format!("/testbed/accounts/{account}"), &json!({ "faults": refused }));
    project.run(&["plan"]).ended(1).says("DescribeSecurityGroups").does_not_say("No changes");
    let inbound = bed().boto(
        &account,
        r#"
groups = aws("ec2").describe_security_groups(Filters=[dict(Name="tag:tierctl:resource", Values=["tasks"])])["SecurityGroups"]
result = [[p["FromPort"], p["ToPort"], [g["GroupId"] for g in p["UserIdGroupPairs"]]] for p in groups[0]["IpPermissions"]]
"#,
    );
    assert_eq!(inbound, json!([[8000, 8999, [their_group]]]));

    for name in ["acme", "globex", "initech"] {
        tenant(&project, name);
        project.run(&["onboard", "--yes", "tenants"]).ended(0);
    }
    let expected = [("2000", "acme"), ("2001", "theirs"), ("2002", "globex"), ("2003", "initech"), ("5", "theirs")];
    assert_eq!(priorities(&account), pairs(&expected));
    project.assert_plan_is_empty();

    // The band is full: that is for the user to settle.
    tenant(&project, "umbrella");
    let refused = project.run(&["onboard", "--yes", "tenants"]).ended(3);
    refused.says("2000");
    std::fs::remove_file(project.path().join("tenants/test/umbrella.yaml")).unwrap();

    // A rule of ours that somebody moved out of the band comes back.
    bed().boto(
        &account,
        &format!(
            r#"
elb = aws("elbv2")
rule = [r for r in elb.describe_rules(ListenerArn="{listener}")["Rules"] if r["Priority"] == "2002"][0]
elb.set_rule_priorities(RulePriorities=[dict(RuleArn=rule["RuleArn"], Priority=40)])
"#
        ),
    );
    assert_eq!(project.plan().ended(0).changed_fields(), ["listener_rule listener-rule: priority"]);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    assert_eq!(priorities(&account), pairs(&expected));

    project.run(&["offboard", "--yes", "acme", "globex", "initech"]).ended(0);
    project.run(&["destroy", "--yes", "--delete-logs", "test"]).ended(0);
    assert_eq!(standing(&account), before);
}

#[test]
fn a_full_infra_group_on_another_teams_listener_is_passed_over() {
    let project = Project::new();
    let account = bed().account();
    quick(&account);
    let network = foreign_network(&account);
    let theirs = foreign_listener(&account, &network);
    let group = |name: &str, priorities: &str| {
        let (vpc, subnets, listener) = (&network["vpc"], &network["subnets"], &theirs["listener"]);
        format!(
            "{{name: {name}, vpc: {{id: {vpc}, subnets: {subnets}}}, load_balancer: {{listener: {listener}, priorities: {priorities}}}}}"
        )
    };
    let groups = [group("ig-1", "[100, 199]"), group("ig-2", "[200, 299]")];
    tier(&project, "test", &[cell("cell-1", &account, &groups)], "tenants: {max_per_infra_group: 1}");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    // Each alone, so that only what it needs is read.
    for name in ["acme", "globex"] {
        tenant(&project, name);
        project.run(&["onboard", "--yes", &format!("tenants/test/{name}.yaml")]).ended(0);
    }
    assert_eq!(homes(&project, "test"), ["cell-1/ig-1: acme", "cell-1/ig-2: globex"]);
    tenant(&project, "initech");
    project.run(&["onboard", "--yes", "tenants/test/initech.yaml"]).ended(3).says("test/cell-1/ig-2: 1 of 1 places used");
}

#[test]
fn a_listener_that_another_tier_uses_is_not_deleted() {
    let project = Project::new();
    let account = applied_tier(&project);
    let host = bed().boto(
        &account,
        r#"
ec2, elb = aws("ec2"), aws("elbv2")
ours = [dict(Name="tag:tierctl:tier", Values=["test"])]
vpc = ec2.describe_vpcs(Filters=ours)["Vpcs"][0]["VpcId"]
subnets = [s["SubnetId"] for s in ec2.describe_subnets(Filters=ours)["Subnets"]][:2]
balancer = elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
result = dict(vpc=vpc, subnets=subnets, listener=elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"][0]["ListenerArn"])
"#,
    );
    let (vpc, subnets, listener) = (&host["vpc"], &host["subnets"], &host["listener"]);
    let group =
        format!("{{name: ig-1, vpc: {{id: {vpc}, subnets: {subnets}}}, load_balancer: {{listener: {listener}, priorities: [500, 599]}}}}");
    tier(&project, "guest", &[cell("cell-1", &account, &[group])], "");
    project.run(&["apply", "--yes", "tiers/guest.yaml"]).ended(0);
    tenant_of(&project, "guest", "acme", "");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    let before = standing(&account);
    let refused = project.run(&["destroy", "--yes", "--delete-logs", "test"]).ended(3);
    refused.says("which is of guest/cell-1/ig-1/acme");
    assert_eq!(standing(&account), before);
}

#[test]
fn a_listener_that_is_gone_is_said_to_be() {
    let project = Project::new();
    let account = bed().account();
    quick(&account);
    let network = foreign_network(&account);
    let gone = "arn:aws:elasticloadbalancing:us-east-1:{account}:listener/app/gone/50dc6c495c0c9188/f2f7dc8efc522ab2";
    let gone = gone.replace("{account}", &account);
    let group = format!(
        "{{name: ig-1, vpc: {{id: {}, subnets: {}}}, load_balancer: {{listener: \"{gone}\", priorities: [500, 599]}}}}",
        network["vpc"], network["subnets"]
    );
    tier(&project, "test", &[cell("cell-1", &account, &[group])], "");
    let run = project.run(&["apply", "--yes", "tiers"]).ended(1);
    run.says("An infra group's `load_balancer.listener` names it").says("correct the spec");
}

#[test]
fn an_open_path_of_another_team_is_no_warning() {
    let project = Project::new();
    let account = bed().account();
    quick(&account);
    let network = foreign_network(&account);
    let theirs = foreign_listener(&account, &network);
    let group = format!(
        "{{name: ig-1, vpc: {{id: {}, subnets: {}}}, load_balancer: {{listener: {}, priorities: [2000, 2003]}}}}",
        network["vpc"], network["subnets"], theirs["listener"]
    );
    tier(&project, "test", &[cell("cell-1", &account, &[group])], "");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    bed().boto(
        &account,
        &format!(
            r#"
ec2 = aws("ec2")
tasks = ec2.describe_security_groups(Filters=[dict(Name="tag:tierctl:resource", Values=["tasks"])])["SecurityGroups"][0]["GroupId"]
ec2.authorize_security_group_egress(GroupId={}, IpPermissions=[dict(IpProtocol="tcp", FromPort=1024, ToPort=65535,
    UserIdGroupPairs=[dict(GroupId=tasks)])])
"#,
            theirs["group"]
        ),
    );
    project.run(&["plan"]).ended(0).does_not_say("must allow");
}

#[test]
fn things_with_our_tags_that_no_spec_names_are_listed_and_stay() {
    let project = Project::new();
    let account = applied_tier(&project);
    bed().boto(
        &account,
        r#"
def tags(group, name, **more):
    return {"tierctl:tier": "test", "tierctl:cell": "cell-1", "tierctl:infra-group": group, "tierctl:resource": name, **more}
ec2 = aws("ec2")
vpc = ec2.describe_vpcs(Filters=[dict(Name="is-default", Values=["true"])])["Vpcs"][0]["VpcId"]
group = ec2.create_security_group(GroupName="old", Description="old", VpcId=vpc)["GroupId"]
ec2.create_tags(Resources=[group], Tags=[dict(Key=k, Value=v) for k, v in tags("ig-9", "tasks").items()])
aws("logs").create_log_group(logGroupName="/tierctl/test/cell-1/ig-9", tags=tags("ig-9", "logs"))
aws("ecs").create_cluster(clusterName="test-cell-1-ig-1-gone",
    tags=[dict(key=k, value=v) for k, v in tags("ig-1", "cluster", **{"tierctl:tenant": "gone"}).items()])
"#,
    );
    let before = standing(&account);
    let plan = project.plan().ended(0);
    assert_eq!(plan.counts(), [0; 5], "{}", plan.stdout);
    let listed: Vec<String> = plan.json()["unclaimed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| format!("{} {} {} {}", item["infra_group"], item["tenant"], item["kind"], item["name"]).replace('"', ""))
        .collect();
    assert_eq!(listed, ["ig-1 gone cluster cluster", "ig-9 null security_group tasks", "ig-9 null log_group logs"]);
    project.run(&["plan"]).ended(0).says("ig-9").says("gone");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    assert_eq!(standing(&account), before);
}

#[test]
fn a_tenants_spec_that_went_away_leaves_it_unclaimed() {
    let project = Project::new();
    applied_tier(&project);
    tenant(&project, "acme");
    tenant(&project, "globex");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    std::fs::remove_file(project.path().join("tenants/test/acme.yaml")).unwrap();
    let plan = project.plan().ended(0);
    assert_eq!(plan.counts(), [0; 5]);
    let json = plan.json();
    let unclaimed = json["unclaimed"].as_array().unwrap();
    assert!(!unclaimed.is_empty() && unclaimed.iter().all(|item| item["tenant"] == "acme"), "{json:#}");
    project.run(&["plan"]).ended(0).says("acme");
}

#[test]
fn tags_of_the_user_come_along_and_cannot_make_a_thing_somebody_elses() {
    let project = Project::new();
    let account = bare_tier(&project);
    project.edit("tiers/test.yaml", "cells:", "tags: {team: ads, \"tierctl:tier\": other}\ncells:");
    project.run(&["plan"]).ended(1).says("tierctl:tier");
    project.edit("tiers/test.yaml", ", \"tierctl:tier\": other", "");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    tenant_of(&project, "test", "acme", "tags: {team: acme-team, stage: live}");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.assert_plan_is_empty();

    let tags = |kind: &str, field: &str| {
        let dump = bed().dump(&account);
        let ours = all(&dump, kind).into_iter().find(|item| item.to_string().contains("tierctl:tier")).unwrap();
        ours[field].to_string()
    };
    assert!(tags("vpcs", "Tags").contains(r#""ads""#));
    let service = tags("services", "tags");
    assert!(service.contains(r#""acme-team""#) && service.contains(r#""live""#) && !service.contains(r#""ads""#), "{service}");
}

#[test]
fn tags_of_others_stay() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    bed().boto(
        &account,
        r#"
ec2, elb, ecs, iam, logs = aws("ec2"), aws("elbv2"), aws("ecs"), aws("iam"), aws("logs")
ours = [dict(Name="tag:tierctl:tier", Values=["test"])]
found = [v["VpcId"] for v in ec2.describe_vpcs(Filters=ours)["Vpcs"]]
found += [s["SubnetId"] for s in ec2.describe_subnets(Filters=ours)["Subnets"]]
found += [g["GroupId"] for g in ec2.describe_security_groups(Filters=ours)["SecurityGroups"]]
ec2.create_tags(Resources=found, Tags=[dict(Key="billing", Value="4711")])
balancer = elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
listener = elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"][0]["ListenerArn"]
rule = elb.describe_rules(ListenerArn=listener)["Rules"][0]["RuleArn"]
group = elb.describe_target_groups()["TargetGroups"][0]["TargetGroupArn"]
elb.add_tags(ResourceArns=[balancer, listener, rule, group], Tags=[dict(Key="billing", Value="4711")])
cluster = ecs.list_clusters()["clusterArns"][0]
service = ecs.list_services(cluster=cluster)["serviceArns"][0]
for arn in (cluster, service):
    ecs.tag_resource(resourceArn=arn, tags=[dict(key="billing", value="4711")])
for role in iam.list_roles()["Roles"]:
    iam.tag_role(RoleName=role["RoleName"], Tags=[dict(Key="billing", Value="4711")])
group = logs.describe_log_groups()["logGroups"][0]
logs.tag_resource(resourceArn=group["logGroupArn"], tags=dict(billing="4711"))
"#,
    );
    let count = || bed().dump(&account).to_string().matches("4711").count();
    let before = count();
    assert!(before > 10, "{before}");
    project.assert_plan_is_empty();
    project.edit("tiers/test.yaml", "cells:", "tags: {stage: live}\ncells:");
    assert!(project.plan().ended(0).counts()[1] > 10);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.assert_plan_is_empty();
    assert_eq!(count(), before);
}

#[test]
fn two_teams_names_in_one_account_do_not_meet() {
    // The same tier name in two cells of one account: everything has names and tags of its own.
    let project = Project::new();
    let account = bed().account();
    quick(&account);
    let cells =
        [cell("cell-1", &account, &[made_group("ig-1", "10.20.0.0/16")]), cell("cell-2", &account, &[made_group("ig-1", "10.21.0.0/16")])];
    tier(&project, "test", &cells, "");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    project.assert_plan_is_empty();
    let dump = bed().dump(&account);
    assert_eq!(all(&dump, "loadbalancers").len(), 2);
    assert_eq!(all(&dump, "roles").len(), 4);
}

#[test]
fn a_foreign_task_family_is_not_added_to() {
    let project = Project::new();
    let account = applied_tier(&project);
    bed().boto(
        &account,
        r#"
aws("ecs").register_task_definition(family="test-cell-1-ig-1-acme", containerDefinitions=[dict(name="x", image="x:1", memory=128)])
"#,
    );
    let definitions = || all(&bed().dump(&account), "taskdefinitions");
    let before = definitions();
    tenant(&project, "acme");
    project.run(&["onboard", "--yes", "tenants"]).ended(3).says("test-cell-1-ig-1-acme").says("carries our tags");
    assert_eq!(definitions(), before);
    bed().boto(
        &account,
        r#"
ecs = aws("ecs")
ecs.deregister_task_definition(taskDefinition="test-cell-1-ig-1-acme:1")
"#,
    );
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.assert_plan_is_empty();
}

#[test]
fn a_block_that_somebody_elses_subnet_has_is_not_planned() {
    let project = Project::new();
    let account = applied_tier(&project);
    project.edit("tiers/test.yaml", "zones: [us-east-1a, us-east-1b]", "zones: [us-east-1a, us-east-1b, us-east-1c]");
    let block = |plan: &Run| planned(plan, "subnet", "private-us-east-1c", "cidr_block");
    let before = block(&project.plan().ended(0));
    project.run(&["plan", "--out", "reviewed.plan"]).ended(0);
    // A part of it is enough.
    let net: ipnet::Ipv4Net = before.parse().unwrap();
    let part = format!("{}/24", net.network());
    bed().boto(
        &account,
        &format!(
            r#"ec2 = aws("ec2"); vpc = next(vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]); ec2.create_subnet(VpcId=vpc, CidrBlock="{part}")"#
        ),
    );
    let after = block(&project.plan().ended(0));
    assert_ne!(after, before);
    // What was reviewed counted on the other: nothing is written.
    let writes = bed().writes(&account);
    project.run(&["apply", "--plan", "reviewed.plan", "--yes"]).ended(3).says("what it is to become has changed: cidr_block");
    assert_eq!(bed().writes(&account), writes);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    project.assert_plan_is_empty();
}
