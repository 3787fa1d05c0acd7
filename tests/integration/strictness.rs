//! Where AWS is strict: what it refuses, what it keeps one waiting for, and in which form it answers. Each test fails on
//! an AWS that is not so; `tests/testbed/product_tests.txt` says which is for which rule of the bed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::bed::bed;
use crate::project::{Project, Run, small_tenant, small_tier};
use crate::running::{Running, hold_one, is_held, release};
use crate::scenes::{
    address_tenant, all, answer, applied_tier, bare_tier, cell, lived_in_tier, made_group, one, placed_tenant, quick, standing, tenant,
    tier,
};

/// Requests of an action, with their `parameters` and `error`.
fn requests(account: &str, action: &str) -> Vec<Value> {
    bed().get(&format!("/testbed/accounts/{account}/requests?action={action}"))["requests"].as_array().unwrap().clone()
}

/// Answers of an action that were errors with this code.
fn refused(account: &str, action: &str, code: &str) -> usize {
    requests(account, action).iter().filter(|request| request["error"] == code).count()
}

/// Lets an answer get lost after the request took effect.
fn lose_an_answer(account: &str, action: &str) {
    let fault = json!({ "effect": "drop-after", "action": action });
    bed().post(&format!("/testbed/accounts/{account}"), &json!({ "faults": [fault] }));
}

/// A tier without tenants, one downstream and nothing that takes time; its account and the downstream's service.
fn tier_with_a_downstream(project: &Project, rest: &str) -> (String, String) {
    let account = bed().account();
    quick(&account);
    let service = bed().endpoint_service("us-east-1");
    let cells = [cell("cell-1", &account, &[made_group("ig-1", "10.20.0.0/16")])];
    tier(project, "test", &cells, &format!("downstreams:\n  - {{name: bidder, service: {service}, port: 8443{rest}}}"));
    (account, service)
}

// --- what has reached a quota

/// A command that meets a quota says so and what to do, once, and a rerun with a higher one finishes.
#[track_caller]
fn meets_a_quota(project: &Project, account: &str, command: &[&str], quota: (&str, u64), says: [&str; 2]) {
    let (name, limit) = quota;
    bed().set(account, &json!({ "quotas": { name: limit } }));
    let run = project.run(command).ended(1);
    says.into_iter().fold(run, Run::says).says("then run the same command again");
    bed().set(account, &json!({ "quotas": { name: 60 } }));
    project.run(command).ended(0);
    project.assert_plan_is_empty();
}

const MORE: &str = "ask AWS for a higher quota";
const APPLY: &[&str] = &["apply", "--yes", "tiers"];
const ONBOARD: &[&str] = &["onboard", "--yes", "tenants"];

#[track_caller]
fn a_tier_meets(quota: &str, limit: u64, code: &str) {
    let project = Project::new();
    let account = bare_tier(&project);
    meets_a_quota(&project, &account, APPLY, (quota, limit), [code, MORE]);
}

#[track_caller]
fn a_tenant_meets(quota: &str, limit: u64, says: [&str; 2]) {
    let project = Project::new();
    let account = applied_tier(&project);
    tenant(&project, "acme");
    meets_a_quota(&project, &account, ONBOARD, (quota, limit), says);
}

#[test]
fn a_quota_of_vpcs() {
    a_tier_meets("vpcs", 1, "[VpcLimitExceeded]");
}

#[test]
fn a_quota_of_subnets() {
    a_tier_meets("subnets-per-vpc", 1, "[SubnetLimitExceeded]");
}

#[test]
fn a_quota_of_security_groups() {
    a_tier_meets("security-groups", 2, "[SecurityGroupLimitExceeded]");
}

#[test]
fn a_quota_of_security_group_rules() {
    a_tier_meets("rules-per-security-group", 0, "[RulesPerSecurityGroupLimitExceeded]");
}

#[test]
fn a_quota_of_roles() {
    a_tier_meets("roles", 0, "[LimitExceeded]");
}

#[test]
fn a_quota_of_load_balancers() {
    a_tier_meets("load-balancers", 0, "[TooManyLoadBalancers]");
}

#[test]
fn a_quota_of_listeners() {
    a_tier_meets("listeners-per-load-balancer", 0, "[TooManyListeners]");
}

#[test]
fn a_quota_of_endpoints() {
    let project = Project::new();
    let (account, _) = tier_with_a_downstream(&project, "");
    meets_a_quota(&project, &account, APPLY, ("interface-endpoints-per-vpc", 0), ["[VpcEndpointLimitExceeded]", MORE]);
}

#[test]
fn a_quota_of_policies_on_a_role() {
    let project = Project::new();
    let account = small_tier(&project);
    quick(&account);
    meets_a_quota(&project, &account, APPLY, ("policies-per-role", 0), ["[LimitExceeded]", MORE]);
}

#[test]
fn a_quota_of_target_groups() {
    a_tenant_meets("target-groups", 0, ["[TooManyTargetGroups]", MORE]);
}

#[test]
fn a_quota_of_target_groups_of_a_load_balancer() {
    a_tenant_meets("target-groups-per-load-balancer", 0, ["[TooManyUniqueTargetGroupsPerLoadBalancer]", MORE]);
}

#[test]
fn a_quota_of_rules() {
    a_tenant_meets("rules-per-load-balancer", 0, ["[TooManyRules]", MORE]);
}

#[test]
fn a_quota_of_condition_values() {
    a_tenant_meets("condition-values-per-rule", 1, ["A rule can only have '1' condition values", "correct the spec"]);
}

#[test]
fn a_quota_of_services() {
    a_tenant_meets("services-per-cluster", 0, ["The maximum number of services per cluster", "[InvalidParameterException]"]);
}

#[test]
fn a_quota_of_targets() {
    let project = Project::new();
    let account = applied_tier(&project);
    address_tenant(&project, "fleet", "10.20.1.5, 10.20.1.6", "");
    meets_a_quota(&project, &account, ONBOARD, ("targets-per-target-group", 1), ["[TooManyTargets]", MORE]);
}

// --- what is made once

#[test]
fn a_lost_answer_makes_no_second_endpoint() {
    let project = Project::new();
    let (account, _) = tier_with_a_downstream(&project, "");
    lose_an_answer(&account, "CreateVpcEndpoint");
    project.run(APPLY).ended(0);
    // It was sent again, and AWS knew the token.
    assert_eq!(requests(&account, "CreateVpcEndpoint").len(), 2);
    assert_eq!(all(&standing(&account), "vpcendpoints").len(), 1);
    project.assert_plan_is_empty();
}

/// A request that was sent again is answered with what its first time made.
#[track_caller]
fn is_answered_with_the_first(account: &str, action: &str, kind: &str) {
    assert_eq!(requests(account, action).len(), 2);
    assert_eq!(all(&standing(account), kind).len(), 1);
}

#[test]
fn a_lost_answer_makes_no_second_load_balancer() {
    let project = Project::new();
    let account = bare_tier(&project);
    lose_an_answer(&account, "CreateLoadBalancer");
    project.run(APPLY).ended(0);
    is_answered_with_the_first(&account, "CreateLoadBalancer", "loadbalancers");
    project.assert_plan_is_empty();
}

#[test]
fn a_lost_answer_makes_no_second_listener() {
    let project = Project::new();
    let account = bare_tier(&project);
    lose_an_answer(&account, "CreateListener");
    project.run(APPLY).ended(0);
    is_answered_with_the_first(&account, "CreateListener", "listeners");
    project.assert_plan_is_empty();
}

#[test]
fn a_lost_answer_makes_no_second_target_group() {
    let project = Project::new();
    let account = applied_tier(&project);
    tenant(&project, "acme");
    lose_an_answer(&account, "CreateTargetGroup");
    project.run(ONBOARD).ended(0);
    is_answered_with_the_first(&account, "CreateTargetGroup", "targetgroups");
    project.assert_plan_is_empty();
}

#[test]
fn a_service_that_another_run_has_just_made_is_not_made_again() {
    let project = Project::new();
    let account = applied_tier(&project);
    tenant(&project, "acme");
    hold_one(&account, "CreateService");
    let slower = Running::start(&project, ONBOARD);
    assert!(is_held(&account, 60));
    project.run(ONBOARD).ended(0);
    let made = one(&standing(&account), "services", "serviceName", "acme");
    release(&account);
    slower.ends().ended(0);
    let service = one(&standing(&account), "services", "serviceName", "acme");
    assert_eq!(service["deployments"][0]["id"], made["deployments"][0]["id"], "{service:#}");
    assert_eq!(refused(&account, "CreateService", "InvalidParameterException"), 1);
    project.assert_plan_is_empty();
}

// --- endpoint services of others

#[test]
fn a_service_that_its_owner_does_not_let_us_use() {
    let project = Project::new();
    let (account, service) = tier_with_a_downstream(&project, "");
    bed().provide(&service, &json!({ "allowed_principals": ["arn:aws:iam::888888888888:root"] }));
    let run = project.run(APPLY).ended(1).says("[InvalidServiceName]");
    run.says(&format!("ask them to allow the principal arn:aws:iam::{account}:root"));
    assert_eq!(all(&standing(&account), "loadbalancers").len(), 1, "the rest is made");
    bed().provide(&service, &json!({ "allowed_principals": [format!("arn:aws:iam::{account}:root")] }));
    project.run(APPLY).ended(0);
    project.assert_plan_is_empty();
}

#[test]
fn an_owner_who_comes_to_accept_by_hand_meanwhile() {
    let project = Project::new();
    let (account, service) = tier_with_a_downstream(&project, ", private_dns: true");
    let named = json!({ "private_dns_name": "bidder.example.com", "private_dns_verified": true });
    bed().provide(&service, &named);
    hold_one(&account, "CreateVpcEndpoint");
    let running = Running::start(&project, APPLY);
    assert!(is_held(&account, 60));
    let mut by_hand = named;
    by_hand["acceptance_required"] = json!(true);
    bed().provide(&service, &by_hand);
    release(&account);
    // Private DNS was asked for with the endpoint, as is right where nobody has to accept it.
    running.ends().ended(1).says("Private DNS can only be enabled after the endpoint connection is accepted");
    assert!(all(&standing(&account), "vpcendpoints").is_empty());

    let mut running = Running::start(&project, APPLY);
    running.until_it_says("has to accept");
    answer(&account, &service, "accept");
    running.ends().ended(0);
    assert_eq!(all(&standing(&account), "vpcendpoints")[0]["PrivateDnsEnabled"], true);
    project.assert_plan_is_empty();
}

#[test]
fn a_private_name_that_another_endpoint_answers_to() {
    let project = Project::new();
    let (account, service) = tier_with_a_downstream(&project, "");
    bed().provide(&service, &json!({ "private_dns_name": "bidder.example.com", "private_dns_verified": true }));
    project.run(APPLY).ended(0);
    let theirs = bed().boto(
        &account,
        &format!(
            r#"
ec2 = aws("ec2")
vpc = ec2.describe_vpcs(Filters=[dict(Name="tag:tierctl:tier", Values=["test"])])["Vpcs"][0]["VpcId"]
made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="{service}", VpcEndpointType="Interface", PrivateDnsEnabled=True)
result = made["VpcEndpoint"]["VpcEndpointId"]
"#
        ),
    );
    let theirs = theirs.as_str().unwrap();
    project.edit("tiers/test.yaml", "port: 8443", "port: 8443, private_dns: true");
    let before = one(&standing(&account), "vpcendpoints", "VpcEndpointId", theirs);
    let run = project.run(APPLY).ended(3).says(&format!("endpoint {theirs} in vpc-"));
    run.says("already answers to the private DNS name").says("`private_dns: false`");
    assert_eq!(one(&standing(&account), "vpcendpoints", "VpcEndpointId", theirs), before);

    bed().boto(&account, &format!(r#"aws("ec2").delete_vpc_endpoints(VpcEndpointIds=["{theirs}"])"#));
    project.run(APPLY).ended(0);
    project.assert_plan_is_empty();
}

// --- what is still in use

/// Somebody else's thing keeps a tier from being destroyed: what it is is said, and once it is gone the run goes on.
#[track_caller]
fn is_in_the_way(make: &str, says: impl Fn(&str) -> String, remove: impl Fn(&str) -> String) {
    let project = Project::new();
    let account = applied_tier(&project);
    let preamble = r#"
ec2 = aws("ec2")
ours = [dict(Name="tag:tierctl:tier", Values=["test"])]
"#;
    let theirs = bed().boto(&account, &format!("{preamble}{make}"));
    let theirs = theirs.as_str().unwrap();
    let mut running = Running::start(&project, &["destroy", "--yes", "--delete-logs", "test"]);
    running.until_it_says(&says(theirs));
    bed().boto(&account, &format!("{preamble}{}", remove(theirs)));
    running.ends().ended(0);
    assert!(!standing(&account).to_string().contains("tierctl"));
}

#[test]
fn a_security_group_that_is_still_named() {
    is_in_the_way(
        r#"
group = ec2.describe_security_groups(Filters=[*ours, dict(Name="tag:tierctl:resource", Values=["tasks"])])["SecurityGroups"][0]["GroupId"]
default = ec2.describe_vpcs(Filters=[dict(Name="is-default", Values=["true"])])["Vpcs"][0]["VpcId"]
result = ec2.create_security_group(GroupName="theirs", Description="theirs", VpcId=default)["GroupId"]
ec2.authorize_security_group_ingress(GroupId=result, IpPermissions=[dict(IpProtocol="tcp", FromPort=80, ToPort=80,
    UserIdGroupPairs=[dict(GroupId=group)])])
"#,
        |theirs| format!("still used by the rules of security group {theirs}"),
        |theirs| format!(r#"ec2.delete_security_group(GroupId="{theirs}")"#),
    );
}

#[test]
fn a_subnet_that_somebody_has_an_interface_in() {
    is_in_the_way(
        r#"
subnet = ec2.describe_subnets(Filters=[*ours, dict(Name="tag:tierctl:resource", Values=["private-us-east-1a"])])["Subnets"][0]
group = ec2.describe_security_groups(Filters=[dict(Name="vpc-id", Values=[subnet["VpcId"]]), dict(Name="group-name", Values=["default"])])
result = ec2.create_network_interface(SubnetId=subnet["SubnetId"], Description="a bastion",
    Groups=[group["SecurityGroups"][0]["GroupId"]])["NetworkInterface"]["NetworkInterfaceId"]
"#,
        |theirs| format!("subnet private-us-east-1a (test/cell-1/ig-1): still used by network interface {theirs} (a bastion)"),
        |theirs| format!(r#"ec2.delete_network_interface(NetworkInterfaceId="{theirs}")"#),
    );
}

#[test]
fn a_vpc_that_is_not_empty() {
    is_in_the_way(
        r#"
vpc = ec2.describe_vpcs(Filters=ours)["Vpcs"][0]["VpcId"]
result = ec2.create_security_group(GroupName="theirs", Description="theirs", VpcId=vpc)["GroupId"]
"#,
        |theirs| format!("still used by security group {theirs}"),
        |theirs| format!(r#"ec2.delete_security_group(GroupId="{theirs}")"#),
    );
}

#[test]
fn a_target_group_that_another_load_balancer_uses() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    // Somebody has moved the tenant's target group behind a load balancer of their own.
    let theirs = bed().boto(
        &account,
        r#"
elb = aws("elbv2")
balancer = elb.describe_load_balancers()["LoadBalancers"][0]
group = elb.describe_target_groups()["TargetGroups"][0]["TargetGroupArn"]
listener = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"][0]["ListenerArn"]
for rule in elb.describe_rules(ListenerArn=listener)["Rules"]:
    if not rule["IsDefault"]:
        elb.delete_rule(RuleArn=rule["RuleArn"])
other = elb.create_load_balancer(Name="theirs", Scheme="internal", Subnets=[zone["SubnetId"] for zone in balancer["AvailabilityZones"]])
result = other["LoadBalancers"][0]["LoadBalancerArn"]
elb.create_listener(LoadBalancerArn=result, Port=80, Protocol="HTTP", DefaultActions=[dict(Type="forward", TargetGroupArn=group)])
"#,
    );
    let run = project.run(ONBOARD).ended(1);
    run.says("[TargetGroupAssociationLimit]").says("cannot be associated with more than one load balancer");
    bed().boto(&account, &format!(r#"aws("elbv2").delete_load_balancer(LoadBalancerArn={theirs})"#));
    project.run(ONBOARD).ended(0);
    project.assert_plan_is_empty();
}

// --- what takes its time

#[test]
fn an_endpoint_that_is_not_available_yet_is_waited_for() {
    let project = Project::new();
    let (account, _) = tier_with_a_downstream(&project, "");
    bed().set(&account, &json!({ "endpoint_pending": 5 }));
    let mut running = Running::start(&project, APPLY);
    running.until_it_says("AWS is connecting vpce-");
    running.ends().ended(0);
    assert_eq!(all(&standing(&account), "vpcendpoints")[0]["State"], "available");
    project.assert_plan_is_empty();
}

#[test]
fn an_endpoint_that_is_being_deleted_is_waited_for() {
    let project = Project::new();
    let (account, _) = tier_with_a_downstream(&project, "");
    project.run(APPLY).ended(0);
    bed().set(&account, &json!({ "endpoint_deleting": 5 }));
    let mut running = Running::start(&project, &["destroy", "--yes", "--delete-logs", "test"]);
    running.until_it_says("and its network interfaces");
    running.ends().ended(0);
    assert!(!standing(&account).to_string().contains("tierctl"));
}

#[test]
fn a_service_that_drains_is_waited_for() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    bed().set(&account, &json!({ "service_draining": 5 }));
    let mut running = Running::start(&project, &["offboard", "--yes", "acme"]);
    running.until_it_says("draining");
    running.ends().ended(0);
    assert!(all(&standing(&account), "clusters").is_empty());
    project.run(ONBOARD).ended(0);
    project.assert_plan_is_empty();
}

#[test]
fn a_roll_out_that_keeps_failing_is_ended_by_its_circuit_breaker() {
    let project = Project::new();
    applied_tier(&project);
    tenant(&project, "acme");
    project.edit("tenants/test/acme.yaml", "app:1.0", "missing:1.0");
    // It ends long before: what AWS tries for ever would be "not ready in time".
    let run = project.run(&["onboard", "--yes", "--timeout", "60s", "tenants"]).ended(1);
    run.says("the roll-out of revision 1 failed").does_not_say("not ready in time");
}

#[test]
fn a_role_that_cannot_be_used_yet_is_waited_for() {
    let project = Project::new();
    let account = bare_tier(&project);
    bed().set(&account, &json!({ "role_delay": 3600 }));
    project.run(APPLY).ended(0);
    tenant(&project, "acme");
    let mut running = Running::start(&project, ONBOARD);
    running.until_it_says("Role is not valid");
    bed().set(&account, &json!({ "role_delay": 0 }));
    running.ends().ended(0);
    project.assert_plan_is_empty();
}

#[test]
fn what_is_not_listed_yet_is_waited_for_and_not_made_again() {
    let project = Project::new();
    let account = bare_tier(&project);
    bed().set(&account, &json!({ "read_lag": 3600 }));
    let mut running = Running::start(&project, APPLY);
    running.until_it_says("AWS does not list");
    bed().set(&account, &json!({ "read_lag": 0 }));
    running.ends().ended(0);
    let made = standing(&account);
    assert_eq!((all(&made, "vpcs").len(), all(&made, "loadbalancers").len()), (2, 1), "the default VPC and ours");
    project.assert_plan_is_empty();
}

#[test]
fn a_target_group_that_nothing_leads_to_any_more() {
    let project = Project::new();
    let account = applied_tier(&project);
    tenant(&project, "acme");
    hold_one(&account, "CreateService");
    let mut running = Running::start(&project, ONBOARD);
    assert!(is_held(&account, 60));
    bed().boto(
        &account,
        r#"
elb = aws("elbv2")
balancer = elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
listener = elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"][0]["ListenerArn"]
for rule in elb.describe_rules(ListenerArn=listener)["Rules"]:
    if not rule["IsDefault"]:
        elb.delete_rule(RuleArn=rule["RuleArn"])
"#,
    );
    release(&account);
    running.until_it_says("does not have an associated load balancer");
    running.signal("INT");
    running.until_it_says("Interrupted");
    running.signal("INT");
    running.ends().ended(130);
    // The next run sees that the rule is gone, and makes it first.
    project.run(ONBOARD).ended(0);
    project.assert_plan_is_empty();
}

// --- what does not fit into one answer or one request

/// How often a plan in JSON says that it has called an action.
fn calls(plan: &Run, service: &str, action: &str) -> u64 {
    plan.json()["run"]["calls"][service][action].as_u64().unwrap_or_default()
}

#[test]
fn lists_are_read_to_their_last_page() {
    let project = Project::new();
    let account = small_tier(&project);
    quick(&account);
    project.run(APPLY).ended(0);
    for number in 1..=5 {
        small_tenant(&project, &format!("tenant-{number}"));
    }
    project.run(ONBOARD).ended(0);
    bed().set(&account, &json!({ "page_size": 2 }));
    let plan = project.plan().ended(0);
    assert_eq!(plan.counts(), [0; 5], "{}", plan.stdout);
    assert_eq!(plan.json()["unclaimed"], json!([]));
    let pages = [
        // The default rule is one of six.
        ("elasticloadbalancing", "DescribeRules", 3),
        ("elasticloadbalancing", "DescribeTargetGroups", 3),
        ("ecs", "ListClusters", 3),
        ("ec2", "DescribeSecurityGroups", 2),
        ("ec2", "DescribeVpcEndpoints", 2),
    ];
    for (service, action, least) in pages {
        let found = calls(&plan, service, action);
        assert!(found >= least, "{found} pages of {action}: {:#}", plan.json()["run"]);
    }
    let removed = project.run(&["offboard", "--yes", "tenant-1", "tenant-5"]).ended(0);
    removed.does_not_say("FAILED");
    assert_eq!(all(&standing(&account), "clusters").len(), 3);
}

#[test]
fn an_account_with_more_than_one_request_takes() {
    let project = Project::new();
    let account = applied_tier(&project);
    for number in 1..=12 {
        placed_tenant(&project, &format!("tenant-{number}"), "cell-1", "ig-1");
    }
    project.run(ONBOARD).ended(0);
    let refusals = bed().boto(
        &account,
        r#"
from botocore.exceptions import ClientError
ecs, elb = aws("ecs"), aws("elbv2")
for number in range(90):
    ecs.create_cluster(clusterName=f"theirs-{number}")
clusters = [arn for page in ecs.get_paginator("list_clusters").paginate() for arn in page["clusterArns"]]
groups = [group["TargetGroupArn"] for group in elb.describe_target_groups()["TargetGroups"]]
listener = elb.describe_listeners(LoadBalancerArn=elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"])["Listeners"][0]
rules = [rule["RuleArn"] for rule in elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"] if not rule["IsDefault"]]
result = []
for ask in (lambda: ecs.describe_clusters(clusters=clusters), lambda: elb.describe_tags(ResourceArns=groups + rules)):
    try:
        result.append(len(ask()))
    except ClientError as error:
        result.append(error.response["Error"]["Code"])
"#,
    );
    // Who asks for all of them at once is refused.
    assert_eq!(refusals, json!(["InvalidParameterException", "ValidationError"]));
    let plan = project.plan().ended(0);
    assert_eq!(plan.counts(), [0; 5], "{}", plan.stdout);
    assert_eq!((calls(&plan, "ecs", "DescribeClusters"), calls(&plan, "elasticloadbalancing", "DescribeTags")), (2, 3));
    project.run(&["status"]).ended(0).says("tenant-12");
}

// --- answers in another form than the requests

#[test]
fn an_answer_in_another_form_is_no_change() {
    let project = Project::new();
    let account = small_tier(&project);
    quick(&account);
    project.run(APPLY).ended(0);
    small_tenant(&project, "acme");
    let variables: String = ('A'..='L').map(|letter| format!("  {letter}: x\n")).collect();
    project.edit("tenants/acme.yaml", "service:\n", &format!("environment:\n{variables}service:\n"));
    project.run(ONBOARD).ended(0);
    let found = bed().boto(
        &account,
        r#"
from urllib.parse import quote
elb, iam = aws("elbv2"), aws("iam")
balancer = elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
listener = elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"][0]["ListenerArn"]
rule = [rule for rule in elb.describe_rules(ListenerArn=listener)["Rules"] if not rule["IsDefault"]][0]
definition = aws("ecs").describe_task_definition(taskDefinition="test-cell-1-ig-1-acme")["taskDefinition"]
role = [role for role in iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"] if role["RolePolicyList"]][0]
result = dict(rule=rule, container=definition["containerDefinitions"][0], policy=role["RolePolicyList"][0]["PolicyDocument"])
"#,
    );
    let sent = |action: &str| requests(&account, action)[0]["parameters"].clone();

    let action = &found["rule"]["Actions"][0];
    assert!(sent("CreateRule")["Actions"][0].get("ForwardConfig").is_none(), "one form is sent");
    assert_eq!(action["ForwardConfig"]["TargetGroups"][0]["TargetGroupArn"], action["TargetGroupArn"], "and both are answered");

    let container = &sent("RegisterTaskDefinition")["containerDefinitions"][0];
    assert!(container.get("mountPoints").is_none(), "what is left out");
    assert_eq!(found["container"]["mountPoints"], json!([]), "is there in the answer");

    let variables = |container: &Value| container["environment"].as_array().unwrap().clone();
    let as_set = |container: &Value| variables(container).iter().map(Value::to_string).collect::<BTreeSet<_>>();
    assert_ne!(variables(&found["container"]), variables(container), "a set comes in an order of its own");
    assert_eq!(as_set(&found["container"]), as_set(container));

    let policy: Value = serde_json::from_str(sent("PutRolePolicy")["PolicyDocument"].as_str().unwrap()).unwrap();
    assert_eq!(policy["Statement"][0]["Action"], json!(["s3:GetObject"]));
    assert_eq!(found["policy"]["Statement"][0]["Action"], json!("s3:GetObject"), "a list of one is no list");

    project.assert_plan_is_empty();
    // Without its tags a service does not tell what it runs: then that is read, and compared.
    bed().boto(
        &account,
        r#"
ecs = aws("ecs")
service = ecs.describe_services(cluster="test-cell-1-ig-1-acme", services=["acme"])["services"][0]["serviceArn"]
ecs.untag_resource(resourceArn=service, tagKeys=["tierctl:revision"])
"#,
    );
    let plan = project.plan().ended(0);
    assert!(calls(&plan, "ecs", "DescribeTaskDefinition") > 0);
    let expected = ["service service: tags.tierctl:revision"];
    assert_eq!(plan.changed_fields(), expected, "what it runs has not changed: {}", plan.stdout);
}
