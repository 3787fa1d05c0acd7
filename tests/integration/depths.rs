//! How much a plan takes on trust: what a quick one asks for, what it sees, what it cannot see, and what only a deep one does.

use serde_json::{Value, json};

use crate::bed::bed;
use crate::project::{Project, Run};
use crate::scenes::{applied_tier, blocked, cell, live_in_both_cells, made_group, quick, tenant, tier, two_cells};

/// An applied tier with these tenants in it.
fn tenants(project: &Project, names: &[&str]) -> String {
    let account = applied_tier(project);
    names.iter().for_each(|name| tenant(project, name));
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    account
}

fn plan(project: &Project, depth: &str) -> Run {
    let arguments = ["plan", "--format", "json", depth];
    project.run(&arguments[..if depth.is_empty() { 3 } else { 4 }]).ended(0)
}

/// Applies a tier of two cells, onboards a tenant into each, and has their specs name another image.
fn change_an_image_in_each_cell(project: &Project) {
    live_in_both_cells(project);
    for name in ["acme", "globex"] {
        project.edit(&format!("tenants/test/{name}.yaml"), "app:1.0", "app:1.1");
    }
}

fn calls_of(run: &Run, service: &str, action: &str) -> u64 {
    run.json()["run"]["calls"][service][action].as_u64().unwrap_or_default()
}

/// What it says of the specs and AWS: not how it came to know.
fn said(run: &Run) -> Value {
    let json = run.json();
    json!([json["changes"], json["summary"], json["waits"], json["unclaimed"], json["warnings"]])
}

#[test]
fn a_quick_plan_asks_for_tags_and_says_that_it_did() {
    let project = Project::new();
    tenants(&project, &["acme", "globex", "initech"]);
    let (quick, standard) = (plan(&project, "--quick"), plan(&project, ""));
    assert_eq!(said(&quick), said(&standard));
    assert_eq!((&quick.json()["depth"], &quick.json()["services_from_tags"]), (&json!("quick"), &json!(3)));
    assert_eq!((&standard.json()["depth"], &standard.json()["services_from_tags"]), (&json!("standard"), &json!(0)));
    for (action, in_quick, in_standard) in [("DescribeServices", 0, 3), ("ListTaskDefinitionFamilies", 1, 1)] {
        assert_eq!((calls_of(&quick, "ecs", action), calls_of(&standard, "ecs", action)), (in_quick, in_standard), "{action}");
    }
    assert_eq!((calls_of(&quick, "tag", "GetResources"), calls_of(&standard, "tag", "GetResources")), (1, 0));

    let text = project.run(&["plan", "--quick", "-v"]).ended(0);
    text.says("No changes in sight.").says("3 services were not looked at").says("tag:GetResources").does_not_say("No changes.");
    let markdown = project.run(&["plan", "--quick", "--format", "markdown"]).ended(0);
    markdown.says("### tierctl plan: No changes in sight").says("3 services were not looked at");
    project.run(&["plan"]).ended(0).says("No changes.").does_not_say("Quick");
}

#[test]
fn a_quick_plan_shows_what_specs_change_as_the_full_one_does() {
    let project = Project::new();
    tenants(&project, &["acme", "globex", "initech"]);
    project.edit("tenants/test/acme.yaml", "app:1.0", "app:1.1");
    project.edit("tenants/test/globex.yaml", "desired: 1", "desired: 2");
    tenant(&project, "umbrella");
    let (quick, standard) = (plan(&project, "--quick"), plan(&project, ""));
    assert_eq!(said(&quick), said(&standard));
    assert_eq!(quick.counts()[1], 3, "a task definition and two services: {}", quick.stdout);
    assert_eq!(calls_of(&quick, "ecs", "DescribeServices"), 2, "only those whose tags differ");
    assert_eq!(quick.json()["services_from_tags"], json!(1));
}

#[test]
fn what_was_changed_by_hand_at_a_service_is_for_the_full_plan() {
    let project = Project::new();
    let account = tenants(&project, &["acme"]);
    bed().boto(&account, r#"aws("ecs").update_service(cluster="test-cell-1-ig-1-acme", service="acme", desiredCount=3)"#);
    let quick = plan(&project, "--quick");
    assert_eq!((quick.counts(), &quick.json()["services_from_tags"]), ([0; 5], &json!(1)), "{}", quick.stdout);
    project.run(&["plan", "--quick"]).ended(0).says("changed by hand").says("`tierctl plan` looks");
    assert_eq!(plan(&project, "").changed_fields(), ["service service: desired_count"]);
}

#[test]
fn a_quick_plan_looks_where_something_goes_on() {
    let project = Project::new();
    let account = tenants(&project, &["acme", "globex"]);
    // Its cluster has no service any more, whatever the list of tags says.
    bed().set(&account, &json!({ "tagging_lag": 3600 }));
    bed().boto(&account, r#"aws("ecs").delete_service(cluster="test-cell-1-ig-1-acme", service="acme", force=True)"#);
    let (quick, standard) = (plan(&project, "--quick"), plan(&project, ""));
    assert_eq!(said(&quick), said(&standard));
    assert_eq!(quick.counts()[0], 1, "the service is made again: {}", quick.stdout);
    assert_eq!(quick.json()["services_from_tags"], json!(1));

    // The list is behind: it does not have a new service yet, which is asked for then.
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    tenant(&project, "initech");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    let quick = plan(&project, "--quick");
    assert_eq!(quick.counts(), [0; 5], "{}", quick.stdout);
    // Those two of three that it has nothing, or an old one, of.
    assert_eq!(calls_of(&quick, "ecs", "DescribeServices") + quick.json()["services_from_tags"].as_u64().unwrap(), 3);
    assert!(calls_of(&quick, "ecs", "DescribeServices") >= 1, "{:#}", quick.json()["run"]);

    // Nothing runs in it.
    bed().set(&account, &json!({ "tagging_lag": 0 }));
    bed().boto(&account, r#"aws("ecs").update_service(cluster="test-cell-1-ig-1-globex", service="globex", desiredCount=0)"#);
    let quick = plan(&project, "--quick");
    assert_eq!(quick.changed_fields(), ["service service: desired_count"], "{}", quick.stdout);
}

#[test]
fn only_a_deep_plan_reads_what_a_service_is_tagged_with() {
    let project = Project::new();
    let account = tenants(&project, &["acme", "globex"]);
    let deep = plan(&project, "--deep");
    assert_eq!((deep.counts(), &deep.json()["depth"]), ([0; 5], &json!("deep")), "{}", deep.stdout);
    assert_eq!(calls_of(&deep, "ecs", "DescribeTaskDefinition"), 2);
    project.run(&["plan", "--deep", "-v"]).ended(0).says("ecs:DescribeTaskDefinition").says("No changes.");

    // Somebody deploys another image and has the tags say that it is ours.
    bed().boto(
        &account,
        r#"
ecs, cluster = aws("ecs"), "test-cell-1-ig-1-acme"
running = ecs.describe_task_definition(taskDefinition=cluster, include=["TAGS"])
content = {key: running["taskDefinition"][key] for key in ("family", "networkMode", "cpu", "memory", "containerDefinitions",
    "requiresCompatibilities", "runtimePlatform", "taskRoleArn", "executionRoleArn") if key in running["taskDefinition"]}
content["containerDefinitions"][0]["image"] = "registry.example.com/app:evil"
made = ecs.register_task_definition(**content, tags=running["tags"])["taskDefinition"]
service = ecs.update_service(cluster=cluster, service="acme", taskDefinition=made["taskDefinitionArn"])["service"]
ecs.tag_resource(resourceArn=service["serviceArn"], tags=[{"key": "tierctl:revision", "value": str(made["revision"])}])
"#,
    );
    let standard = plan(&project, "");
    let hidden: Vec<String> = standard.changed_fields().into_iter().filter(|field| field.contains("image")).collect();
    assert_eq!(hidden, Vec::<String>::new(), "the tags say that all is well");
    let deep = plan(&project, "--deep");
    assert!(deep.changed_fields().iter().any(|field| field.contains("containers") || field.contains("image")), "{}", deep.stdout);

    // What a deep plan has found can be carried out as it was reviewed.
    project.run(&["plan", "--deep", "--out", "deep.plan"]).ended(0);
    project.run(&["apply", "--yes", "--plan", "deep.plan"]).ended(0);
    assert_eq!(plan(&project, "--deep").counts(), [0; 5]);
}

#[test]
fn a_quick_plan_is_no_plan_to_carry_out() {
    let project = Project::new();
    tenants(&project, &["acme"]);
    for with in [&["--out", "x.plan"] as &[&str], &["--drift-only"], &["--deep"], &["--changed-since", "HEAD"]] {
        let run = project.run(&[&["plan", "--quick"], with].concat()).ended(1);
        run.says("cannot be used with");
    }
    assert!(!project.path().join("x.plan").exists());
}

#[test]
fn a_service_is_read_once_however_many_ways_lead_to_its_account() {
    let project = Project::new();
    let account = bed().account();
    quick(&account);
    let cells = [
        cell("cell-1", &account, &[made_group("ig-1", "10.20.0.0/16")]),
        cell("cell-2", &account, &[made_group("ig-1", "10.21.0.0/16")]).replace("role/provisioner", "role/other"),
    ];
    tier(&project, "test", &cells, "");
    change_an_image_in_each_cell(&project);
    let (quick, standard) = (plan(&project, "--quick"), plan(&project, ""));
    assert_eq!(said(&quick), said(&standard));
    assert_eq!((quick.counts(), calls_of(&quick, "ecs", "DescribeServices")), ([0, 4, 0, 0, 0], 2), "{}", quick.stdout);
}

#[test]
fn only_services_of_specs_count_as_not_looked_at() {
    let project = Project::new();
    tenants(&project, &["acme", "globex"]);
    std::fs::remove_file(project.path().join("tenants/test/globex.yaml")).unwrap();
    let (quick, standard) = (plan(&project, "--quick"), plan(&project, ""));
    assert_eq!(said(&quick), said(&standard));
    assert_eq!(quick.json()["services_from_tags"], json!(1));
    project.run(&["plan", "--quick", "--only", "tier"]).ended(0).says("No changes.").does_not_say("Quick");
    // The list of tags would be of all tenants of the tier.
    let narrow = project.run(&["plan", "--quick", "--only", "tenants", "tenants/test/acme.yaml", "--format", "json"]).ended(0);
    assert_eq!((calls_of(&narrow, "tag", "GetResources"), calls_of(&narrow, "ecs", "DescribeServices")), (0, 1));
}

#[test]
fn fewer_tasks_than_the_spec_says_are_looked_into() {
    let project = Project::new();
    let account = applied_tier(&project);
    tenant(&project, "acme");
    project.edit("tenants/test/acme.yaml", "desired: 1", "desired: 2");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    assert_eq!(plan(&project, "--quick").json()["services_from_tags"], json!(1));
    bed().boto(&account, r#"aws("ecs").update_service(cluster="test-cell-1-ig-1-acme", service="acme", desiredCount=1)"#);
    assert_eq!(plan(&project, "--quick").changed_fields(), ["service service: desired_count"]);
}

#[test]
fn a_service_that_cannot_be_read_holds_no_other_cell() {
    let project = Project::new();
    let (_, second) = two_cells(&project);
    change_an_image_in_each_cell(&project);
    let refused = json!([{"effect": "error-before", "action": "DescribeServices", "times": 0, "code": "AccessDeniedException",
        "status": 400, "message": "You are not authorized to perform this operation."}]);
    bed().post(&format!("/testbed/accounts/{second}"), &json!({ "faults": refused }));
    let plan = project.run(&["plan", "--quick", "--format", "json"]).ended(1);
    assert_eq!((plan.counts(), &plan.json()["unread"][0]["cell"]), ([0, 2, 0, 0, 0], &json!("cell-2")), "{}", plan.stdout);
    assert!(plan.json()["changes"].as_array().unwrap().iter().all(|change| change["cell"] == "cell-1"));
    project.run(&["plan", "--quick"]).ended(1).says("Could not be read").does_not_say("No changes");
}

#[test]
fn a_service_that_is_there_twice_is_read_before_one_goes() {
    let project = Project::new();
    let account = tenants(&project, &["acme", "globex"]);
    bed().boto(
        &account,
        r#"
ecs, cluster = aws("ecs"), "test-cell-1-ig-1-acme"
tags = ecs.describe_clusters(clusters=[cluster], include=["TAGS"])["clusters"][0]["tags"]
ecs.create_cluster(clusterName="aaa-copy", tags=tags)
service = ecs.describe_services(cluster=cluster, services=["acme"], include=["TAGS"])["services"][0]
ecs.create_service(cluster="aaa-copy", serviceName="acme", taskDefinition=service["taskDefinition"], desiredCount=1,
    launchType="FARGATE", networkConfiguration=service["networkConfiguration"], tags=service["tags"])
"#,
    );
    let (quick, standard) = (project.run(&["plan", "--quick", "--format", "json"]), project.plan());
    assert_eq!(said(&quick), said(&standard));
    let changes = quick.json()["changes"].as_array().unwrap().clone();
    assert!(changes.iter().any(|change| change["kind"] == "service"), "{}", quick.stdout);
    assert!(changes.iter().all(|change| change["id"].as_str().unwrap().contains("aaa-copy")), "{}", quick.stdout);
}

#[test]
fn a_service_of_somebody_else_under_a_tenants_name_is_in_every_plan() {
    let project = Project::new();
    let account = tenants(&project, &["acme"]);
    bed().boto(
        &account,
        r#"
ecs = aws("ecs")
arn = ecs.describe_services(cluster="test-cell-1-ig-1-acme", services=["acme"])["services"][0]["serviceArn"]
ecs.untag_resource(resourceArn=arn, tagKeys=["tierctl:tenant"])
"#,
    );
    for depth in ["--quick", "--deep", "--verbose"] {
        let plan = project.run(&["plan", "--format", "json", depth]).ended(3);
        assert!(blocked(&plan).contains(&"service service".to_string()), "{depth}: {}", plan.stdout);
    }
}
