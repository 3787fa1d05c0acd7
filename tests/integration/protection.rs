//! What is marked `protect: true` is not deleted and not replaced, whatever asks for it.

use crate::bed::bed;
use crate::project::Project;
use crate::scenes::{applied_tier, lived_in_tier, tenant};

const PROTECTED: &str = "it is protected: its spec has `protect: true`. If it is to go, set that to false, and run again";

#[test]
fn a_protected_tenant_stays() {
    let project = Project::new();
    let account = applied_tier(&project);
    tenant(&project, "acme");
    tenant(&project, "globex");
    project.edit("tenants/test/acme.yaml", "tier: test\n", "tier: test\nprotect: true\n");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    let writes = bed().writes(&account);
    for leaver in ["acme", "tenants/test/acme.yaml"] {
        project.run(&["offboard", "--yes", leaver]).ended(3).says(PROTECTED);
    }
    assert_eq!(bed().writes(&account), writes);

    // Another port is another target group, and all of the tenant waits with it.
    project.edit("tenants/test/acme.yaml", "port: 8080", "port: 8081");
    let plan = project.plan().ended(3);
    let changes = plan.json()["changes"].as_array().unwrap().clone();
    assert!(!changes.is_empty() && changes.iter().all(|change| change["action"] == "blocked"), "{changes:#?}");
    assert!(changes.iter().any(|change| change["kind"] == "target_group" && change["reason"] == PROTECTED), "{changes:#?}");
    project.edit("tenants/test/acme.yaml", "port: 8081", "port: 8080");

    // What changes in place is not its business, and neither is its neighbour.
    project.edit("tenants/test/acme.yaml", "desired: 1", "desired: 2");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.run(&["offboard", "--yes", "globex"]).ended(0);
    project.edit("tenants/test/acme.yaml", "protect: true", "protect: false");
    project.run(&["offboard", "--yes", "acme"]).ended(0);
}

#[test]
fn a_protected_tier_stays() {
    let project = Project::new();
    let account = applied_tier(&project);
    let tier = std::fs::read_to_string(project.path().join("tiers/test.yaml")).unwrap();
    let writes = bed().writes(&account);
    let protect_the_group = ("{name: ig-1, ", "{name: ig-1, protect: true, ");
    for (place, to) in [("tier: test\n", "tier: test\nprotect: true\n"), protect_the_group] {
        project.write("tiers/test.yaml", &tier);
        project.edit("tiers/test.yaml", place, to);
        project.assert_plan_is_empty();
        project.run(&["destroy", "test", "--yes"]).ended(3).says(PROTECTED);
        project.edit("tiers/test.yaml", "{name: ig-1, ", "{name: ig-1, retired: true, ");
        project.run(&["apply", "tiers", "--yes"]).ended(3).says(PROTECTED);
        assert_eq!(bed().writes(&account), writes);
    }
}

#[test]
fn a_downstream_of_a_protected_tier_stays() {
    let project = Project::new();
    let account = crate::project::small_tier(&project);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    let writes = bed().writes(&account);
    project.edit("tiers/test.yaml", "tier: test\n", "tier: test\nprotect: true\n");
    project.edit("tiers/test.yaml", "  - name: logs\n    service: logs\n    port: 443\n    private_dns: true\n", "");
    let run = project.run(&["apply", "--yes", "tiers"]).ended(3);
    run.says(PROTECTED).says("held back, since vpc_endpoint logs is protected");
    assert_eq!(bed().writes(&account), writes);
    project.edit("tiers/test.yaml", "protect: true\n", "");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
}

/// What exists twice, as after two runs at once, is cleared up all the same: the one that stays is the protected one.
#[test]
fn a_second_one_of_something_protected_goes() {
    let project = Project::new();
    let account = applied_tier(&project);
    project.edit("tiers/test.yaml", "tier: test\n", "tier: test\nprotect: true\n");
    bed().boto(
        &account,
        r#"
ec2 = aws("ec2")
table = ec2.describe_route_tables(Filters=[{"Name": "tag-key", "Values": ["tierctl:resource"]}])["RouteTables"][0]
ec2.create_route_table(VpcId=table["VpcId"], TagSpecifications=[{"ResourceType": "route-table", "Tags": table["Tags"]}])"#,
    );
    assert_eq!(project.plan().ended(0).counts(), [0, 0, 0, 1, 0]);
    project.run(&["apply", "--yes", "tiers"]).ended(0).says("it exists twice, and nothing uses this one");
    project.assert_plan_is_empty();
}

#[test]
fn a_tenant_with_a_spec_elsewhere_is_not_pruned() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    tenant(&project, "globex");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    for name in ["acme", "globex"] {
        let spec = std::fs::read_to_string(project.path().join(format!("tenants/test/{name}.yaml"))).unwrap();
        project.write(&format!("tenants/{name}/spec.yaml"), &spec);
        std::fs::remove_file(project.path().join(format!("tenants/test/{name}.yaml"))).unwrap();
    }
    let writes = bed().writes(&account);
    project.run(&["onboard", "--yes", "--prune", "tenants/acme"]).ended(0);
    assert_eq!(bed().writes(&account), writes);
    // A spec that cannot be read may be anybody's.
    project.write("tenants/globex/spec.yaml", "tenant: [");
    project.run(&["onboard", "--yes", "--prune", "tenants/acme"]).ended(1);
    assert_eq!(bed().writes(&account), writes);
    std::fs::remove_dir_all(project.path().join("tenants/globex")).unwrap();
    project.run(&["onboard", "--yes", "--prune", "tenants/acme"]).ended(0).says("5 deleted");
}
