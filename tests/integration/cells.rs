//! Cells beside each other: one that cannot be read, one that is slow, and plans of single cells.

use serde_json::{Value, json};

use crate::bed::bed;
use crate::calls::calls;
use crate::project::{Project, Run};
use crate::scenes::{
    all, blocked, cell, live_in_both_cells, made_group, placed_tenant, quick, standing, tenant, tier, two_cells, two_cells_with,
};

fn faults(account: &str, faults: &Value) {
    bed().post(&format!("/testbed/accounts/{account}"), &json!({ "faults": faults }));
}

fn refuse_reads(account: &str) {
    faults(
        account,
        &json!([{"effect": "error-before", "action": "DescribeVpcs", "times": 0, "code": "UnauthorizedOperation", "status": 403,
            "message": "You are not authorized to perform this operation."}]),
    );
}

/// Refuses each request of an action, or just the one of this number.
fn refuse(account: &str, action: &str, number: u32) {
    let mut fault = json!({"effect": "error-before", "action": action, "times": 0, "code": "AccessDenied", "status": 403});
    if number > 0 {
        fault["nth_call"] = json!(number);
    }
    faults(account, &json!([fault]));
}

fn without_run(run: &Run) -> Value {
    let mut value = run.json();
    value.as_object_mut().unwrap().remove("run");
    value
}

#[test]
fn a_cell_that_cannot_be_read_holds_no_other_and_is_never_no_changes() {
    let project = Project::new();
    let (first, second) = two_cells(&project);
    placed_tenant(&project, "acme", "cell-1", "ig-1");
    placed_tenant(&project, "globex", "cell-2", "ig-1");
    refuse_reads(&second);
    let plan = project.plan().ended(1);
    let unread = plan.json()["unread"].clone();
    assert_eq!((unread[0]["cell"].as_str(), unread.as_array().unwrap().len()), (Some("cell-2"), 1));
    assert!(unread[0]["reason"].as_str().unwrap().contains("DescribeVpcs"), "{unread}");
    assert!(plan.json()["changes"].as_array().unwrap().iter().all(|change| change["cell"] == "cell-1"));
    project.run(&["plan", "--out", "reviewed.plan"]).ended(1).says("Not saved").says("Could not be read");

    let applied = project.run(&["apply", "--yes", "tiers"]).ended(1);
    applied.says("test / cell-2").says("not authorized");
    assert_eq!(all(&standing(&first), "loadbalancers").len(), 1);
    assert_eq!(bed().writes(&second), 0);
    project.run(&["onboard", "--yes", "tenants"]).ended(1);
    assert_eq!(all(&standing(&first), "services").len(), 1);
    // Its own job says so to the one that joins the plans.
    for name in ["cell-1", "cell-2"] {
        let shard = project.run(&["plan", "--cell", name, "--format", "json"]).ended(i32::from(name == "cell-2"));
        project.write(&format!("{name}.json"), &shard.stdout);
    }
    project
        .run(&["report", "merge", "cell-1.json", "cell-2.json"])
        .ended(1)
        .says("test / cell-2")
        .says("not authorized")
        .says("Not complete");
    let nothing = project.run(&["plan", "--detailed-exitcode"]).ended(1);
    nothing.says("Not complete").does_not_say("No changes");
    let status = project.run(&["status"]).ended(1);
    status.says("could not be read").says("acme");
    project.run(&["plan", "--format", "markdown"]).ended(1).says("Not complete: a part could not be read");

    // It may live where nobody could look, so that it is not made here.
    tenant(&project, "initech");
    let plan = project.run(&["onboard", "--yes", "--format", "json", "tenants"]).ended(1);
    assert_eq!(plan.json()["blocked"][0]["name"], "initech");
    assert_eq!(all(&standing(&first), "services").len(), 1);

    faults(&second, &json!([]));
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.assert_plan_is_empty();
    // Who leaves is looked for in both.
    refuse_reads(&second);
    project.run(&["destroy", "--yes", "test"]).ended(1).says("DescribeVpcs");
    faults(
        &second,
        &json!([{"effect": "error-before", "action": "DescribeClusters", "times": 0, "code": "AccessDeniedException", "status": 400}]),
    );
    project.run(&["offboard", "--yes", "acme", "globex"]).ended(1).says("cell-2");
    assert_eq!((all(&standing(&first), "clusters").len(), all(&standing(&second), "clusters").len()), (1, 1));
}

#[test]
fn a_cell_whose_targets_cannot_be_looked_at_holds_no_other() {
    let project = Project::new();
    let (_, second) = two_cells(&project);
    live_in_both_cells(&project);
    refuse(&second, "DescribeTargetHealth", 0);
    let status = project.run(&["status", "--format", "json"]).ended(1);
    let cells = status.json()["tiers"][0]["cells"].clone();
    assert_eq!(cells[0]["infra_groups"][0]["tenants"][0]["ready"], json!(true), "{cells:#}");
    assert!(cells[1]["unread"].as_str().unwrap().contains("DescribeTargetHealth"), "{cells:#}");
    assert_eq!(cells[1]["infra_groups"], json!([]));
}

#[test]
fn a_cell_whose_rules_cannot_be_told_holds_no_other() {
    let project = Project::new();
    let (first, second) = two_cells_with(&project, "tenants: {max_per_infra_group: 3}");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    ["acme", "wonka"].iter().for_each(|name| placed_tenant(&project, name, "cell-1", "ig-1"));
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    std::fs::remove_file(project.path().join("tenants/test/wonka.yaml")).unwrap();
    // More come than places are free, so that it matters whose rules are there. The first of these requests is for other tags.
    placed_tenant(&project, "globex", "cell-2", "ig-1");
    tenant(&project, "initech");
    // One that lives there does not become another elsewhere.
    placed_tenant(&project, "acme", "cell-2", "ig-1");
    refuse(&first, "DescribeTags", 2);
    let plan = project.run(&["onboard", "--yes", "--format", "json", "tenants"]).ended(1);
    let blocked = plan.json()["blocked"].clone();
    let names: Vec<&Value> = blocked.as_array().unwrap().iter().map(|blocked| &blocked["name"]).collect();
    assert_eq!(names, ["acme", "initech"], "{blocked:#}");
    assert!(plan.json()["unread"][0]["reason"].as_str().unwrap().contains("DescribeTags"));
    assert_eq!(all(&standing(&second), "services").len(), 1, "the one that is placed elsewhere goes ahead");
}

#[test]
fn who_lives_in_a_cell_that_cannot_be_read_is_not_made_elsewhere() {
    let project = Project::new();
    let (first, second) = two_cells(&project);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    placed_tenant(&project, "acme", "cell-1", "ig-1");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    placed_tenant(&project, "acme", "cell-2", "ig-1");
    refuse_reads(&first);
    for command in [&["plan"] as &[&str], &["onboard", "--yes", "--prune", "tenants"]] {
        project.run(command).ended(1).says("it lives in test/cell-1/ig-1, and a tenant is not moved in place");
    }
    // Where it cannot be looked for either, that is said.
    refuse(&first, "DescribeClusters", 0);
    let plan = project.run(&["plan"]).ended(1);
    plan.says("whether acme already lives in").says("could not be looked up").says("Could not be read");
    assert_eq!(all(&standing(&second), "services").len(), 0);
}

#[test]
fn a_cell_that_does_not_answer_is_left_out_after_a_while() {
    let project = Project::new();
    let (first, second) = two_cells(&project);
    faults(&second, &json!([{"effect": "hang-before", "action": "DescribeVpcs"}]));
    let plan = project.run(&["plan", "--read-timeout", "3s", "--format", "json"]).ended(1);
    plan.says("it did not answer within 3s");
    let changes = project.run(&["plan", "--read-timeout", "1s", "--format", "json"]).ended(1).json()["changes"].clone();
    assert!(
        !changes.as_array().unwrap().is_empty() && changes.as_array().unwrap().iter().all(|change| change["account"] == first.as_str())
    );
    bed().post(&format!("/testbed/accounts/{second}/release"), &json!({}));
}

#[test]
fn plans_of_cells_are_joined_into_the_plan_of_all() {
    let project = Project::new();
    let (first, second) = two_cells(&project);
    placed_tenant(&project, "acme", "cell-1", "ig-1");
    placed_tenant(&project, "globex", "cell-2", "ig-1");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    // One lives in the second cell, and its spec does not say so any more.
    tenant(&project, "globex");
    project.edit("tenants/test/globex.yaml", "app:1.0", "app:2.0");
    placed_tenant(&project, "hooli", "cell-1", "ig-1");
    project.edit("tiers/test.yaml", "region: us-east-1\n", "region: us-east-1\nmonitoring: {log_retention_days: 30}\n");
    // And something of each account has no spec.
    for account in [&first, &second] {
        bed().boto(
            account,
            r#"
for number in range(3):
    tags = {"tier": f"gone-{number}", "cell": "c", "infra-group": "g", "resource": "vpc"}
    tags = [{"Key": f"tierctl:{key}", "Value": value} for key, value in tags.items()]
    aws("ec2").create_vpc(CidrBlock=f"10.{90 + number}.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}])
"#,
        );
    }
    let cells = project.run(&["cells", "--format", "json"]).ended(0).json();
    let names: Vec<&str> = cells["cells"].as_array().unwrap().iter().map(|cell| cell["cell"].as_str().unwrap()).collect();
    assert_eq!((names.as_slice(), cells["cells"][0]["placed_tenants"].as_u64()), (["cell-1", "cell-2"].as_slice(), Some(2)));
    for name in &names {
        let shard = project.run(&["plan", "--cell", name, "--format", "json"]).ended(0);
        let others = shard.json()["changes"].as_array().unwrap().iter().filter(|change| change["cell"] != *name).count();
        assert_eq!(others, 0, "{}", shard.stdout);
        project.write(&format!("{name}.json"), &shard.stdout);
    }
    let whole = project.plan().ended(0);
    let merged = project.run(&["report", "merge", "cell-2.json", "cell-1.json", "--format", "json"]).ended(0);
    assert_eq!(without_run(&merged), without_run(&whole));
    assert!(calls(&merged) >= calls(&whole), "what is asked in each is counted");
    project
        .run(&["report", "merge", "cell-1.json", "cell-2.json", "--detailed-exitcode"])
        .ended(2)
        .says("app:1.0 -> registry.example.com/app:2.0");
    let markdown = project.run(&["report", "merge", "cell-1.json", "cell-2.json", "--format", "markdown"]).ended(0);
    assert!(markdown.stdout.starts_with("### tierctl plan: Can be carried out"), "{}", markdown.stdout);
    project.run(&["report", "merge", "cell-1.json", "cell-2.json", "--max-tenants", "1"]).ended(3).says("--max-tenants allows 1");

    // Not twice, and nothing else than plans.
    project.run(&["report", "merge", "cell-1.json", "cell-1.json"]).ended(1).says("the cell cell-1 of test is in several of these plans");
    project.run(&["report", "merge", "cell-1.json"]).ended(1).says("Could not be read").says("its plan is not among these");
    project.run(&["plan", "--out", "saved.plan"]).ended(0);
    project.run(&["report", "merge", "saved.plan"]).ended(1).says("it is a saved plan");
    project.write("other.json", "{\"planned_values\": {}}");
    project.run(&["report", "merge", "other.json"]).ended(1).says("is not what `tierctl plan --format json` prints");
    project.write("newer.json", &whole.stdout.replacen("\"format_version\": \"1.0\"", "\"format_version\": \"2.0\"", 1));
    project.run(&["report", "merge", "newer.json"]).ended(1).says("has version 2.0 of the format");
    project.run(&["report", "merge", "none.json"]).ended(1).says("none.json cannot be read");
    project.run(&["plan", "--cell", "cell-3"]).ended(1).says("no tier has a cell cell-3 (there are: test/cell-1, test/cell-2)");
}

#[test]
fn a_tenant_that_lives_in_no_cell_is_in_no_plan_of_a_cell_and_is_named() {
    let project = Project::new();
    let (first, second) = two_cells(&project);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    tenant(&project, "acme");
    for name in ["cell-1", "cell-2"] {
        let shard = project.run(&["plan", "--cell", name, "--format", "json"]).ended(0);
        assert_eq!((shard.counts(), &shard.json()["elsewhere"]), ([0; 5], &json!([{"tier": "test", "tenant": "acme"}])));
        project.write(&format!("{name}.json"), &shard.stdout);
    }
    project.run(&["report", "merge", "cell-1.json", "cell-2.json"]).ended(3).says("acme of test");
    // Placed in one, and living in the other: nobody makes it a second time.
    placed_tenant(&project, "acme", "cell-2", "ig-1");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    placed_tenant(&project, "acme", "cell-1", "ig-1");
    let shard = project.run(&["plan", "--cell", "cell-1", "--format", "json"]).ended(3);
    assert_eq!(blocked(&shard), ["tenant acme"]);

    // A plan of one cell is carried out there.
    project.edit("tiers/test.yaml", "region: us-east-1\n", "region: us-east-1\nmonitoring: {log_retention_days: 30}\n");
    let writes = (bed().writes(&first), bed().writes(&second));
    project.run(&["plan", "tiers", "--cell", "cell-2", "--out", "cell.plan"]).ended(0);
    project.run(&["apply", "--yes", "--plan", "cell.plan"]).ended(0);
    assert_eq!(bed().writes(&first), writes.0);
    assert!(bed().writes(&second) > writes.1);
}

#[test]
fn a_job_for_each_cell_of_tiers_whose_cells_have_the_same_names() {
    let project = Project::new();
    two_cells(&project);
    let other = bed().account();
    quick(&other);
    tier(&project, "other", &[cell("cell-1", &other, &[made_group("ig-1", "10.30.0.0/16")])], "");
    let cells = project.run(&["cells", "--format", "json"]).ended(0).json();
    let cells: Vec<(&str, &str)> =
        cells["cells"].as_array().unwrap().iter().map(|cell| (cell["tier"].as_str().unwrap(), cell["cell"].as_str().unwrap())).collect();
    assert_eq!(cells, [("other", "cell-1"), ("test", "cell-1"), ("test", "cell-2")]);
    let mut merge = vec!["report".to_string(), "merge".into(), "--format".into(), "json".into()];
    for (tier, cell) in cells {
        let shard = project.run(&["plan", "--cell", &format!("{tier}/{cell}"), "--format", "json"]).ended(0);
        assert!(shard.json()["changes"].as_array().unwrap().iter().all(|change| change["tier"] == tier && change["cell"] == cell));
        let file = format!("{tier}-{cell}.json");
        project.write(&file, &shard.stdout);
        merge.push(file);
    }
    let merge: Vec<&str> = merge.iter().map(String::as_str).collect();
    assert_eq!(without_run(&project.run(&merge).ended(0)), without_run(&project.plan().ended(0)));
    project.run(&["plan", "--cell", "other/cell-2"]).ended(1).says("no tier has a cell other/cell-2");

    // As it was given it is kept with a saved plan.
    project.run(&["plan", "--cell", "other/cell-1", "--out", "other.plan"]).ended(0);
    project.run(&["apply", "--yes", "--plan", "other.plan"]).ended(0);
    assert_eq!(all(&standing(&other), "loadbalancers").len(), 1);
    assert_eq!(project.run(&["plan", "--cell", "other/cell-1", "--format", "json"]).ended(0).counts(), [0; 5]);
}
