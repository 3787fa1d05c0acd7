//! What tenants need stays until what takes its place works.

use std::collections::BTreeSet;

use serde_json::json;

use crate::bed::bed;
use crate::project::Project;
use crate::scenes::{all, answer, cell, made_group, quick, standing, tier};

/// An applied tier whose only downstream is this.
fn applied(project: &Project, downstream: &str) -> String {
    let account = bed().account();
    quick(&account);
    write(project, &account, downstream);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    account
}

fn write(project: &Project, account: &str, downstream: &str) {
    let cells = [cell("cell-1", account, &[made_group("ig-1", "10.20.0.0/16")])];
    tier(project, "test", &cells, &format!("downstreams:\n  - {downstream}"));
}

/// Services that endpoints of the account lead to, each with whether private DNS is on.
fn endpoints(account: &str) -> BTreeSet<(String, bool)> {
    let there = all(&standing(account), "vpcendpoints");
    let living = there.iter().filter(|endpoint| !endpoint["State"].as_str().unwrap().to_lowercase().starts_with("delet"));
    living
        .map(|endpoint| (endpoint["ServiceName"].as_str().unwrap().to_string(), endpoint["PrivateDnsEnabled"].as_bool().unwrap()))
        .collect()
}

/// Ports that tasks can reach outside.
fn open_ports(account: &str) -> Vec<i64> {
    let found = bed().boto(
        account,
        r#"
groups = aws("ec2").describe_security_groups(Filters=[dict(Name="tag:tierctl:resource", Values=["tasks"])])["SecurityGroups"]
result = sorted(p["FromPort"] for p in groups[0]["IpPermissionsEgress"])
"#,
    );
    found.as_array().unwrap().iter().map(|port| port.as_i64().unwrap()).collect()
}

/// A downstream's service, port and name in the spec change, and the new service's owner takes their time.
#[track_caller]
fn stays_until_the_new_one_is_accepted(name: &str) {
    let project = Project::new();
    let (old, new) = (bed().endpoint_service("us-east-1"), bed().endpoint_service("us-east-1"));
    bed().provide(&new, &json!({ "acceptance_required": true }));
    let account = applied(&project, &format!("{{name: bidder, service: {old}, port: 8443}}"));
    write(&project, &account, &format!("{{name: {name}, service: {new}, port: 9443}}"));
    let both = BTreeSet::from([(old, false), (new.clone(), false)]);
    for more in [&[][..], &[], &["--no-wait"]] {
        let run = project.run(&[&["apply", "--yes", "--timeout", "1s", "tiers"], more].concat()).ended(3);
        run.says("has to accept");
        assert_eq!(endpoints(&account), both, "{more:?}");
        assert_eq!(open_ports(&account), [8443, 9443], "{more:?}");
    }
    answer(&account, &new, "accept");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    assert_eq!(endpoints(&account), BTreeSet::from([(new, false)]));
    assert_eq!(open_ports(&account), [9443]);
    project.assert_plan_is_empty();
}

#[test]
fn an_endpoint_that_is_replaced() {
    stays_until_the_new_one_is_accepted("bidder");
}

#[test]
fn an_endpoint_whose_downstream_makes_way_for_another() {
    stays_until_the_new_one_is_accepted("auction");
}

#[test]
fn a_replacement_of_which_nobody_waits_for_the_end() {
    let project = Project::new();
    let (old, new) = (bed().endpoint_service("us-east-1"), bed().endpoint_service("us-east-1"));
    bed().provide(&new, &json!({ "acceptance_required": true }));
    let account = applied(&project, &format!("{{name: bidder, service: {old}, port: 8443}}"));
    project.edit("tiers/test.yaml", &old, &new);
    project.run(&["apply", "--yes", "--no-wait", "--timeout", "1s", "tiers"]).ended(3).says("has to accept");
    assert_eq!(endpoints(&account), BTreeSet::from([(old, false), (new, false)]));
}

#[test]
fn a_private_name_that_the_new_service_cannot_have_yet() {
    let project = Project::new();
    let (old, new) = (bed().endpoint_service("us-east-1"), bed().endpoint_service("us-east-1"));
    let named = |verified: bool| json!({ "private_dns_name": "bidder.example.com", "private_dns_verified": verified });
    bed().provide(&old, &named(true));
    let account = applied(&project, &format!("{{name: bidder, service: {old}, port: 8443, private_dns: true}}"));
    project.edit("tiers/test.yaml", &old, &new);
    bed().provide(&new, &json!({}));
    project.run(&["apply", "--yes", "tiers"]).ended(1).says("has no private DNS name").says("answers");
    bed().provide(&new, &named(false));
    project.run(&["apply", "--yes", "tiers"]).ended(1).says("has to verify its private DNS name bidder.example.com first");
    assert_eq!(endpoints(&account), BTreeSet::from([(old, true), (new.clone(), false)]));
    bed().provide(&new, &named(true));
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    assert_eq!(endpoints(&account), BTreeSet::from([(new, true)]));
    project.assert_plan_is_empty();
}

/// The new endpoint is refused the name after the old one has let go of it.
#[test]
fn a_private_name_that_is_given_back() {
    let project = Project::new();
    let (old, new) = (bed().endpoint_service("us-east-1"), bed().endpoint_service("us-east-1"));
    let named = json!({ "private_dns_name": "bidder.example.com", "private_dns_verified": true });
    bed().provide(&old, &named);
    bed().provide(&new, &named);
    let account = applied(&project, &format!("{{name: bidder, service: {old}, port: 8443, private_dns: true}}"));
    project.edit("tiers/test.yaml", &old, &new);
    let refusal =
        json!({ "effect": "error-before", "action": "ModifyVpcEndpoint", "nth_call": 2, "code": "InvalidParameter", "status": 400 });
    bed().post(&format!("/testbed/accounts/{account}"), &json!({ "faults": [refusal] }));
    project.run(&["apply", "--yes", "tiers"]).ended(1).says("[InvalidParameter]");
    assert_eq!(endpoints(&account), BTreeSet::from([(old, true), (new.clone(), false)]));
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    assert_eq!(endpoints(&account), BTreeSet::from([(new, true)]));
}

/// The endpoint goes to its new groups only when tasks are let out to these.
#[test]
fn a_port_that_tasks_are_not_let_out_to() {
    let project = Project::new();
    let service = bed().endpoint_service("us-east-1");
    let account = applied(&project, &format!("{{name: bidder, service: {service}, port: 8443}}"));
    let group = || all(&standing(&account), "vpcendpoints")[0]["Groups"][0]["GroupName"].as_str().unwrap().to_string();
    let denied = json!({
        "effect": "error-before", "action": "AuthorizeSecurityGroupEgress", "times": 0, "code": "UnauthorizedOperation", "status": 403
    });
    bed().post(&format!("/testbed/accounts/{account}"), &json!({ "faults": [denied] }));
    project.edit("tiers/test.yaml", "port: 8443", "port: 9443");
    for _ in 0..2 {
        project.run(&["apply", "--yes", "tiers"]).ended(1).says("allow ec2:AuthorizeSecurityGroupEgress");
        assert_eq!(open_ports(&account), [8443]);
        assert!(group().contains("endpoints-8443"), "{}", group());
    }
    bed().post(&format!("/testbed/accounts/{account}"), &json!({ "faults": [] }));
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    assert_eq!(open_ports(&account), [9443]);
    assert!(group().contains("endpoints-9443"), "{}", group());
    project.assert_plan_is_empty();
}

/// A change of an endpoint that nobody has accepted does not make it work, and a plan says so.
#[test]
fn a_plan_that_changes_an_endpoint_that_waits() {
    let project = Project::new();
    let service = bed().endpoint_service("us-east-1");
    let named = json!({ "private_dns_name": "bidder.example.com", "private_dns_verified": true, "acceptance_required": true });
    bed().provide(&service, &named);
    let account = bed().account();
    quick(&account);
    write(&project, &account, &format!("{{name: bidder, service: {service}, port: 8443, private_dns: true}}"));
    project.run(&["apply", "--yes", "--timeout", "1s", "tiers"]).ended(3).says("has to accept");
    project.run(&["plan", "--detailed-exitcode"]).ended(3).says("has to accept").does_not_say("changed in AWS");
    // That somebody has to accept is no change by hand.
    project.run(&["plan", "--drift-only", "--detailed-exitcode"]).ended(0);
    answer(&account, &service, "accept");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    assert_eq!(endpoints(&account), BTreeSet::from([(service, true)]));
    // From now on it is known what was applied.
    bed().boto(
        &account,
        r#"
ec2 = aws("ec2")
for endpoint in ec2.describe_vpc_endpoints()["VpcEndpoints"]:
    if endpoint["PrivateDnsEnabled"]:
        ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], PrivateDnsEnabled=False)
"#,
    );
    project.run(&["plan"]).ended(0).says("changed in AWS since the last apply");
}
