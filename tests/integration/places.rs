//! Where tenants go, and where they cannot.

use serde_json::Value;

use crate::bed::bed;
use crate::project::{Project, small_tenant, small_tier};
use crate::scenes::{
    address_tenant, all, applied_tier, bare_tier, cell, homes, made_group, placed_tenant, quick, standing, tenant, tier, two_cells,
};

/// An applied tier with two infra groups of two places each; and its account.
fn two_groups_of_two(project: &Project) -> String {
    let account = bed().account();
    quick(&account);
    let groups = [made_group("ig-1", "10.20.0.0/16"), made_group("ig-2", "10.21.0.0/16")];
    tier(project, "test", &[cell("cell-1", &account, &groups)], "tenants: {max_per_infra_group: 2}");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    account
}

#[test]
fn pinned_first_then_the_first_infra_group_with_a_place() {
    let project = Project::new();
    let account = two_groups_of_two(&project);
    // Alphabetically last, and placed before those that take what is left.
    placed_tenant(&project, "zoe", "cell-1", "ig-1");
    for name in ["anna", "bert", "carl"] {
        tenant(&project, name);
    }
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    assert_eq!(homes(&project, "test"), ["cell-1/ig-1: anna, zoe", "cell-1/ig-2: bert, carl"]);
    project.assert_plan_is_empty();

    // All places are taken: refused with the numbers and what to add, and nothing is made.
    placed_tenant(&project, "dora", "cell-1", "ig-2");
    tenant(&project, "emil");
    let refused = project.run(&["onboard", "--yes", "tenants"]).ended(3);
    let refused = refused.says("2 of 2 places used").says("tenants.max_per_infra_group is 2").says("Add an infra group");
    refused.says("test/cell-1/ig-1: 2 of 2 places used").says("test/cell-1/ig-2: 2 of 2 places used");
    assert_eq!(homes(&project, "test"), ["cell-1/ig-1: anna, zoe", "cell-1/ig-2: bert, carl"]);
    // The same for one file alone, where only what it needs is read.
    project.run(&["onboard", "--yes", "tenants/test/dora.yaml"]).ended(3).says("2 of 2 places used");
    project.run(&["onboard", "--yes", "tenants/test/emil.yaml"]).ended(3).says("every infra group is full");
    project.run(&["plan"]).ended(3).says("2 of 2 places used");
    let status = project.run(&["status", "--format", "json"]).ended(0).json();
    let group = &status["tiers"][0]["cells"][0]["infra_groups"][1];
    assert_eq!((&group["capacity"], &group["used"], &group["free"]), (&2.into(), &2.into(), &0.into()));
    let balancers = bed().boto(&account, r#"result = [b["DNSName"] for b in aws("elbv2").describe_load_balancers()["LoadBalancers"]]"#);
    assert!(balancers.as_array().unwrap().contains(&group["dns_name"]), "{group}");
    std::fs::remove_file(project.path().join("tenants/test/dora.yaml")).unwrap();
    std::fs::remove_file(project.path().join("tenants/test/emil.yaml")).unwrap();

    // A place that becomes free in the first group moves nobody.
    project.run(&["offboard", "--yes", "anna"]).ended(0);
    std::fs::remove_file(project.path().join("tenants/test/anna.yaml")).unwrap();
    project.assert_plan_is_empty();
    tenant(&project, "fritz");
    project.run(&["onboard", "--yes", "tenants/test/fritz.yaml"]).ended(0);
    assert_eq!(homes(&project, "test"), ["cell-1/ig-1: fritz, zoe", "cell-1/ig-2: bert, carl"]);
    project.assert_plan_is_empty();
}

#[test]
fn those_that_find_a_place_go_ahead_where_others_do_not() {
    let project = Project::new();
    let account = bed().account();
    quick(&account);
    tier(&project, "test", &[cell("cell-1", &account, &[made_group("ig-1", "10.20.0.0/16")])], "tenants: {max_per_infra_group: 2}");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    for name in ["anna", "bert", "carl"] {
        tenant(&project, name);
    }
    let run = project.run(&["onboard", "--yes", "--format", "json", "tenants"]).ended(3);
    assert_eq!(run.json()["blocked"][0]["name"], "carl");
    assert_eq!(homes(&project, "test"), ["cell-1/ig-1: anna, bert"]);
}

#[test]
fn a_living_tenant_is_not_moved() {
    let project = Project::new();
    let account = two_groups_of_two(&project);
    placed_tenant(&project, "acme", "cell-1", "ig-2");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    let before = standing(&account);
    placed_tenant(&project, "acme", "cell-1", "ig-1");
    for command in [&["plan"][..], &["onboard", "--yes", "tenants"], &["onboard", "--yes", "tenants/test/acme.yaml"]] {
        project.run(command).ended(3).says("it lives in test/cell-1/ig-2").says("tierctl offboard acme --tier test");
    }
    assert_eq!(standing(&account), before);
    // The way that the message names.
    project.run(&["offboard", "--yes", "acme", "--tier", "test"]).ended(0);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    assert_eq!(homes(&project, "test"), ["cell-1/ig-1: acme", "cell-1/ig-2: "]);
}

#[test]
fn a_living_tenant_by_address_is_not_moved() {
    let project = Project::new();
    let account = two_groups_of_two(&project);
    address_tenant(&project, "fleet", "10.21.1.5", "placement: {cell: cell-1, infra_group: ig-2}");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    let before = standing(&account);
    address_tenant(&project, "fleet", "10.21.1.5", "placement: {cell: cell-1, infra_group: ig-1}");
    for command in [&["plan"][..], &["onboard", "--yes", "tenants"], &["onboard", "--yes", "tenants/test/fleet.yaml"]] {
        project.run(command).ended(3).says("it lives in test/cell-1/ig-2");
    }
    assert_eq!(standing(&account), before);
}

#[test]
fn a_living_tenant_is_not_moved_to_another_account() {
    let project = Project::new();
    let (first, second) = two_cells(&project);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    placed_tenant(&project, "acme", "cell-2", "ig-1");
    address_tenant(&project, "fleet", "10.21.1.5", "placement: {cell: cell-2, infra_group: ig-1}");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    let before = [standing(&first), standing(&second)];
    placed_tenant(&project, "acme", "cell-1", "ig-1");
    address_tenant(&project, "fleet", "10.21.1.5", "placement: {cell: cell-1, infra_group: ig-1}");
    for command in [
        &["onboard", "--yes", "tenants"][..],
        &["onboard", "--yes", "tenants/test/acme.yaml"],
        &["onboard", "--yes", "tenants/test/fleet.yaml"],
        &["plan"],
    ] {
        project.run(command).ended(3).says("it lives in test/cell-2/ig-1");
    }
    assert_eq!([standing(&first), standing(&second)], before);
}

#[test]
fn addresses_go_where_the_vpc_holds_them() {
    let project = Project::new();
    let account = two_groups_of_two(&project);
    address_tenant(&project, "fleet", "10.21.1.5, 10.21.2.5", "");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    assert_eq!(homes(&project, "test"), ["cell-1/ig-1: ", "cell-1/ig-2: fleet"]);
    project.assert_plan_is_empty();

    address_tenant(&project, "outside", "10.99.1.5", "");
    project.run(&["onboard", "--yes", "tenants/test/outside.yaml"]).ended(1).says("no infra group of `test` holds these addresses");
    address_tenant(&project, "torn", "10.20.1.5, 10.21.1.6", "");
    project.run(&["onboard", "--yes", "tenants/test/torn.yaml"]).ended(1).says("add `placement:");
    std::fs::remove_file(project.path().join("tenants/test/torn.yaml")).unwrap();

    // With a placement they go there, registered as addresses outside the VPC.
    address_tenant(&project, "outside", "10.99.1.5", "placement: {cell: cell-1, infra_group: ig-1}");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    let dump = bed().dump(&account);
    let target = all(&dump, "targetgroups").into_iter().find(|group| group.to_string().contains("10.99.1.5")).unwrap();
    assert_eq!(target["Targets"][0]["Target"]["AvailabilityZone"], "all");
    project.assert_plan_is_empty();
}

#[test]
fn a_new_tenant_needs_a_tier_that_is_applied() {
    let project = Project::new();
    let account = bare_tier(&project);
    tenant(&project, "acme");
    for command in [&["onboard", "--yes", "tenants"][..], &["onboard", "--yes", "tenants/test/acme.yaml"]] {
        let refused = project.run(command).ended(3);
        refused
            .says("vpc vpc does not exist")
            .says("role task does not exist")
            .says("listener port-80 does not exist")
            .says("`tierctl apply`");
    }
    assert_eq!(bed().writes(&account), 0);
    // A plan of both shows both.
    let plan = project.plan().ended(0);
    assert_eq!(plan.counts()[4], 0);
    assert!(plan.json()["changes"].as_array().unwrap().iter().any(|change| change["tenant"] == "acme"));
}

#[test]
fn an_endpoint_that_went_missing_refuses_the_new_and_warns_the_living() {
    let project = Project::new();
    let account = small_tier(&project);
    quick(&account);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    small_tenant(&project, "acme");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    bed().boto(
        &account,
        r#"
ec2 = aws("ec2")
found = ec2.describe_vpc_endpoints(Filters=[dict(Name="tag:tierctl:resource", Values=["bidder"])])["VpcEndpoints"]
ec2.delete_vpc_endpoints(VpcEndpointIds=[found[0]["VpcEndpointId"]])
"#,
    );
    small_tenant(&project, "globex");
    project.edit("tenants/acme.yaml", "ad-server:1.0", "ad-server:1.1");
    let run = project.run(&["onboard", "--yes", "tenants"]).ended(3);
    let run = run.says("vpc_endpoint bidder does not exist").says("goes ahead, though its infra group is not whole");
    run.says("`tierctl apply`");
    let services = all(&standing(&account), "services");
    assert_eq!(services.len(), 1, "only the tenant that lived there: {services:#?}");
    assert!(services[0]["taskDefinition"].as_str().unwrap().ends_with(":2"));
    assert_eq!(project.run(&["status", "--format", "json"]).ended(0).json()["tiers"][0]["cells"][0]["infra_groups"][0]["ready"], false);
    // Mended, the new one finds its place.
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.assert_plan_is_empty();
}

#[test]
fn an_endpoint_that_waits_for_its_owner_refuses_the_new() {
    let project = Project::new();
    let account = bed().account();
    quick(&account);
    let name = bed().endpoint_service("us-east-1");
    bed().provide(&name, &serde_json::json!({ "acceptance_required": true }));
    let downstreams = format!("downstreams:\n  - {{name: bidder, service: {name}, port: 8443}}");
    tier(&project, "test", &[cell("cell-1", &account, &[made_group("ig-1", "10.20.0.0/16")])], &downstreams);
    project.run(&["apply", "--yes", "--no-wait", "tiers"]).ended(0);
    tenant(&project, "acme");
    let refused = project.run(&["onboard", "--yes", "tenants"]).ended(3);
    refused.says("vpc_endpoint bidder is not ready").says("the owner of").says("accept-vpc-endpoint-connections");
    // Waiting for somebody else is no failure.
    project.run(&["apply", "--yes", "--timeout", "1s", "tiers"]).ended(3).says("has to accept");
}

#[test]
fn a_retired_infra_group_goes_once_nobody_lives_there() {
    let project = Project::new();
    let account = two_groups_of_two(&project);
    placed_tenant(&project, "acme", "cell-1", "ig-2");
    tenant(&project, "globex");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.edit("tiers/test.yaml", "name: ig-2,", "name: ig-2, retired: true,");
    let before = standing(&account);
    let refused = project.run(&["apply", "--yes", "tiers"]).ended(3);
    refused.says("1 tenant lives in it (acme)").says("tierctl offboard acme --tier test");
    assert_eq!(standing(&account), before);

    project.run(&["offboard", "--yes", "acme"]).ended(0);
    std::fs::remove_file(project.path().join("tenants/test/acme.yaml")).unwrap();
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    let left = standing(&account);
    let mentions = |text: &str| left.to_string().matches(text).count();
    assert_eq!(all(&left, "loadbalancers").len(), 1);
    assert_eq!(mentions(r#""Value":"ig-2""#), 0, "{left:#}");
    assert_eq!(all(&left, "loggroups").len(), 2, "logs stay");
    project.assert_plan_is_empty();
    // New tenants go past it, and it can leave the spec.
    tenant(&project, "initech");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    assert_eq!(homes(&project, "test")[0], "cell-1/ig-1: globex, initech");
}

#[test]
fn a_spec_without_an_infra_group_that_stands_removes_nothing() {
    let project = Project::new();
    let account = two_groups_of_two(&project);
    let groups = [made_group("ig-1", "10.20.0.0/16")];
    tier(&project, "test", &[cell("cell-1", &account, &groups)], "");
    let before = standing(&account);
    let plan = project.plan().ended(0);
    assert_eq!(plan.counts(), [0; 5]);
    let json = plan.json();
    let unclaimed: Vec<&Value> = json["unclaimed"].as_array().unwrap().iter().collect();
    assert!(unclaimed.len() > 10 && unclaimed.iter().all(|item| item["infra_group"] == "ig-2"), "{json:#}");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    assert_eq!(standing(&account), before);
}

#[test]
fn a_load_balancers_rules_are_places_too() {
    let project = Project::new();
    let account = applied_tier(&project);
    bed().boto(
        &account,
        r#"
elb = aws("elbv2")
balancer = elb.describe_load_balancers()["LoadBalancers"][0]
listener = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"][0]["ListenerArn"]
for number in range(1, 101):
    elb.create_rule(ListenerArn=listener, Priority=number, Conditions=[dict(Field="path-pattern", Values=[f"/theirs-{number}"])],
        Actions=[dict(Type="fixed-response", FixedResponseConfig=dict(StatusCode="204"))])
"#,
    );
    tenant(&project, "acme");
    project.run(&["onboard", "--yes", "tenants"]).ended(3).says("100 of 100 rules of the load balancer are taken");
    project.run(&["plan"]).ended(3).says("100 of 100 rules of the load balancer are taken");
}
