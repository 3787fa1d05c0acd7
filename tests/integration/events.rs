//! What a run tells programs while it goes on.

use serde_json::Value;

use crate::bed::bed;
use crate::project::Project;
use crate::scenes::{applied_tier, tenant};

fn of<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

#[test]
fn every_step_is_an_event_on_a_line_of_its_own() {
    let project = Project::new();
    applied_tier(&project);
    tenant(&project, "acme");
    let run = project.run(&["onboard", "--yes", "tenants", "--format", "ndjson"]).ended(0);
    assert_eq!(run.stderr, "", "nothing but data");
    let events = run.events();
    assert_eq!(events[0]["event"], "start");
    assert_eq!((&events[0]["summary"]["create"], &events[0]["steps"]), (&5.into(), &5.into()));
    assert_eq!(of(&events, "progress").iter().filter(|event| event["state"] == "started").count(), 5);
    let results = of(&events, "result");
    assert_eq!(results.len(), 5, "{results:#?}");
    assert!(results.iter().all(|event| event["state"] == "done" && event["tenant"] == "acme" && event["seconds"].is_number()));
    let summary = events.last().unwrap();
    assert_eq!((&summary["event"], &summary["exit_code"]), (&"summary".into(), &0.into()));
    assert_eq!(summary["done"].as_array().unwrap().len(), 5);

    let again = project.run(&["onboard", "--yes", "tenants", "--format", "ndjson"]).ended(0).events();
    assert_eq!(again.iter().map(|event| event["event"].as_str().unwrap()).collect::<Vec<_>>(), ["start", "summary"]);
}

#[test]
fn failures_and_what_did_not_start_are_events_too() {
    let project = Project::new();
    let account = applied_tier(&project);
    tenant(&project, "acme");
    let fault = serde_json::json!({ "effect": "error-before", "action": "CreateCluster", "times": 0, "code": "AccessDeniedException",
                                    "status": 400, "message": "no" });
    bed().post(&format!("/testbed/accounts/{account}"), &serde_json::json!({ "faults": [fault] }));
    let events = project.run(&["onboard", "--yes", "tenants", "--format", "ndjson"]).ended(1).events();
    let results = of(&events, "result");
    let failed: Vec<_> = results.iter().filter(|event| event["state"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{results:#?}");
    assert!(failed[0]["kind"] == "cluster" && failed[0]["reason"].is_string() && failed[0]["remedy"].is_string());
    let summary = events.last().unwrap();
    assert_eq!(summary["exit_code"], 1);
    assert!(summary["not_started"].as_array().unwrap().iter().any(|step| step["kind"] == "service"), "{summary:#}");

    let refused = project.run(&["onboard", "--yes", "tenants", "--max-tenants", "0", "--format", "ndjson"]).ended(3).events();
    assert_eq!(refused.last().unwrap()["exceeded"].as_array().unwrap().len(), 1);
}

#[test]
fn what_has_no_events_says_so() {
    let project = Project::new();
    let run = project.run(&["validate", "--format", "ndjson"]).ended(1);
    let error: Value = serde_json::from_str(&run.stderr).unwrap();
    assert_eq!(error["errors"][0]["message"], "only commands that write have events to print");
    project.run(&["onboard", "--yes", "nowhere.yaml", "--format", "ndjson"]).ended(1);
}
