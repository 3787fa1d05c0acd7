//! How much a plan takes on trust: what a quick one asks for, what it sees, what it cannot see, and what only a deep one does.

use serde_json::{Value, json};

use crate::bed::bed;
use crate::project::{Project, Run};
use crate::scenes::{applied_tier, tenant};

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
