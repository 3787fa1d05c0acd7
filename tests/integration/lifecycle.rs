//! A tier and its tenants from nothing to nothing.

use crate::bed::bed;
use crate::project::{Project, small_tenant, small_tier};

#[test]
fn from_nothing_to_nothing() {
    let project = Project::new();
    let account = small_tier(&project);
    let planned = project.plan().ended(0);
    assert_eq!(bed().writes(&account), 0, "a plan never writes");
    project.run(&["apply", "--yes", "tiers/test.yaml"]).ended(0);
    project.assert_plan_is_empty();
    assert!(planned.counts()[0] > 20);

    small_tenant(&project, "acme");
    small_tenant(&project, "globex");
    assert_eq!(project.plan().ended(0).counts(), [10, 0, 0, 0, 0]);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.assert_plan_is_empty();

    let refused = project.run(&["destroy", "--yes", "test"]).ended(3);
    assert!(refused.stdout.contains("2 tenants live in the tier (acme, globex)"), "{}", refused.stdout);

    project.run(&["offboard", "--yes", "acme"]).ended(0);
    project.run(&["offboard", "--yes", "tenants/globex.yaml"]).ended(0);
    project.run(&["destroy", "--yes", "--delete-logs", "test"]).ended(0);
    let mut left = bed().dump(&account);
    // AWS keeps deregistered revisions.
    left.as_object_mut().unwrap().remove("taskdefinitions");
    // And it shows deleted endpoints for a while.
    left["vpcendpoints"].as_array_mut().unwrap().retain(|endpoint| endpoint["State"] != "deleted");
    assert!(!left.to_string().contains("tierctl"), "something is left behind: {left:#}");
}
