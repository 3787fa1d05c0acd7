//! Tenants that run outside ECS and register addresses, where no spec of theirs is read.

use crate::bed::bed;
use crate::project::{Project, small_tier};

fn registered(project: &Project) -> String {
    let account = small_tier(project);
    project.write(
        "tenants/fleet.yaml",
        "tenant: fleet\ntier: test\ntargets:\n  port: 8080\n  addresses: [10.20.1.15, 10.20.2.15]\n  health_check:\n    path: /healthz\n",
    );
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    account
}

fn deregistrations(account: &str) -> usize {
    let log = bed().get(&format!("/testbed/accounts/{account}/requests?action=DeregisterTargets"));
    log["requests"].as_array().or(log.as_array()).unwrap().len()
}

#[test]
fn status_looks_at_registered_addresses() {
    let project = Project::new();
    let account = registered(&project);
    let tenant =
        || project.run(&["status", "--format", "json"]).ended(0).json()["tiers"][0]["cells"][0]["infra_groups"][0]["tenants"][0].clone();
    assert_eq!((tenant()["name"].as_str(), tenant()["ready"].as_bool()), (Some("fleet"), Some(true)), "{}", tenant());

    bed().boto(
        &account,
        r#"
elb = aws("elbv2")
arn = elb.describe_target_groups()["TargetGroups"][0]["TargetGroupArn"]
elb.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": i, "Port": 8080} for i in ("10.20.1.15", "10.20.2.15")])
"#,
    );
    assert_eq!(tenant()["ready"], false, "{}", tenant());
}

#[test]
fn an_offboarded_fleet_is_drained_first() {
    let project = Project::new();
    let account = registered(&project);
    project.run(&["offboard", "--yes", "fleet"]).ended(0);
    assert_eq!(deregistrations(&account), 1);
}

#[test]
fn a_pruned_fleet_is_drained_first() {
    let project = Project::new();
    let account = registered(&project);
    std::fs::remove_file(project.path().join("tenants/fleet.yaml")).unwrap();
    crate::project::small_tenant(&project, "acme");
    project.run(&["onboard", "--yes", "--prune", "tenants"]).ended(0);
    assert_eq!(deregistrations(&account), 1);
}
