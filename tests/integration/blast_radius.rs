//! How much hangs on a change, and how much may be done at once.

use crate::bed::bed;
use crate::project::Project;
use crate::scenes::{applied_tier, tenant};

/// A tier with two tenants, whose log group is to change.
fn two_tenants(project: &Project) -> String {
    let account = applied_tier(project);
    tenant(project, "acme");
    tenant(project, "globex");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.edit("tiers/test.yaml", "region: us-east-1\n", "region: us-east-1\nmonitoring: {log_retention_days: 30}\n");
    account
}

#[test]
fn a_change_to_a_tier_says_how_many_tenants_depend_on_it() {
    let project = Project::new();
    two_tenants(&project);
    project.edit("tenants/test/acme.yaml", "desired: 1", "desired: 2");
    project.run(&["plan"]).ended(0).says("2 tenants depend on what the tier has here");
    let plan = project.plan().ended(0).json();
    let dependents =
        |kind: &str| plan["changes"].as_array().unwrap().iter().find(|change| change["kind"] == kind).unwrap()["dependents"].clone();
    assert_eq!(dependents("log_group"), 2);
    assert!(dependents("service").is_null());
    project.run(&["plan", "--format", "markdown"]).ended(0).says("| change | `log_group logs` | the tier of 2 tenants |");
    project.run(&["apply", "--yes", "tiers"]).ended(0).says("2 tenants depend on what the tier has here");
}

#[test]
fn more_than_is_allowed_is_not_done() {
    let project = Project::new();
    let account = two_tenants(&project);
    let writes = bed().writes(&account);
    for command in [&["plan"] as &[&str], &["apply", "--yes", "tiers"]] {
        let run = project.run(&[command, &["--max-tenants", "1"]].concat()).ended(3);
        run.says("Too much: 2 tenants would be changed, or have what they depend on changed, and --max-tenants allows 1.");
    }
    let offboard = ["offboard", "--yes", "acme", "--max-deletes", "4"];
    project.run(&offboard).ended(3).says("Too much: 5 things would be deleted or replaced, and --max-deletes allows 4.");
    let json = project.run(&[&offboard[..], &["--format", "json"]].concat()).ended(3).json();
    assert_eq!(json["exceeded"].as_array().unwrap().len(), 1, "{json:#}");
    assert_eq!(json["done"].as_array().unwrap().len(), 0);
    project.run(&["plan", "--format", "markdown", "--max-tenants", "1"]).ended(3).says("### tierctl plan: Blocked: more than is allowed");
    project.run(&["plan", "--out", "reviewed.plan", "tiers", "--max-tenants", "2"]).ended(0);
    project.run(&["apply", "--plan", "reviewed.plan", "--yes", "--max-tenants", "0"]).ended(3);
    assert_eq!(bed().writes(&account), writes, "nothing is written");

    project.run(&["apply", "--yes", "tiers", "--max-tenants", "2", "--max-deletes", "0"]).ended(0);
    project.run(&["offboard", "--yes", "acme", "--max-deletes", "5", "--max-tenants", "1"]).ended(0);
}
