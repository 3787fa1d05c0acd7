//! An infra group that is marked for removal.

use crate::project::{Project, small_tenant, small_tier};

#[test]
fn a_retired_infra_group_goes_when_its_tenants_have_gone() {
    let project = Project::new();
    small_tier(&project);
    small_tenant(&project, "acme");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.edit("tenants/acme.yaml", "placement:\n  cell: cell-1\n  infra_group: ig-1\n", "");
    project.edit("tiers/test.yaml", "      - name: ig-1\n", "      - name: ig-1\n        retired: true\n");

    let planned = project.plan().ended(3);
    assert_eq!(planned.counts(), [0, 0, 0, 0, 1], "its tenant stays as it is: {}", planned.stdout);
    project.run(&["apply", "--yes", "tiers"]).ended(3);
    assert_eq!(project.run(&["onboard", "--yes", "tenants"]).ended(0).stdout.matches("No changes").count(), 1);

    project.run(&["offboard", "--yes", "acme"]).ended(0);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    std::fs::remove_file(project.path().join("tenants/acme.yaml")).unwrap();
    let planned = project.run(&["plan", "--format", "json", "tiers"]).ended(0);
    assert_eq!(planned.counts(), [0; 5], "{}", planned.stdout);
}
