//! How requests keep to the rates that AWS publishes: a run at their pace is not refused, and one that is refused all the
//! same, since others use the account, ends well.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::bed::bed;
use crate::project::{Project, Run};
use crate::scenes::{all, applied_tier, cell, made_group, quick, standing, tenant, tier};

/// The clock of the rates, of the bed's and of tierctl's, runs so much faster than time.
const TIME_SCALE: f64 = 5.0;
/// More than the bucket of clusters holds, which is 20.
const TENANTS: usize = 30;

/// From now on the bed throttles as AWS does, on a clock that tierctl goes by.
fn throttle(project: &mut Project, account: &str, time_scale: f64) {
    bed().post(
        &format!("/testbed/accounts/{account}"),
        &json!({ "settings": { "throttling": true, "time_scale": time_scale }, "reset_counters": true }),
    );
    project.environment.push(("TIERCTL_API_TIME_SCALE".into(), time_scale.to_string()));
}

/// The requests that an account has had, with their `action`, `parameters` and `error`.
fn requests(account: &str) -> Vec<Value> {
    bed().get(&format!("/testbed/accounts/{account}/requests"))["requests"].as_array().unwrap().clone()
}

fn calls(account: &str, action: &str) -> u64 {
    bed().get(&format!("/testbed/accounts/{account}"))["calls"][action].as_u64().unwrap_or_default()
}

fn refused(account: &str) -> u64 {
    let refused = bed().get(&format!("/testbed/accounts/{account}"))["refused"].clone();
    refused.as_object().unwrap().values().filter_map(Value::as_u64).sum()
}

/// A tier with so many interface endpoints, not applied.
fn tier_with_endpoints(project: &Project, endpoints: usize) -> String {
    let account = bed().account();
    quick(&account);
    let downstreams: String = (0..endpoints)
        .map(|number| format!("  - {{name: downstream-{number}, service: {}, port: 8443}}\n", bed().endpoint_service("us-east-1")))
        .collect();
    let cells = [cell("cell-1", &account, &[made_group("ig-1", "10.20.0.0/16")])];
    tier(project, "test", &cells, &format!("downstreams:\n{downstreams}"));
    account
}

fn onboard_many(project: &Project) -> Run {
    (0..TENANTS).for_each(|number| tenant(project, &format!("tenant-{number}")));
    project.run(&["onboard", "--yes", "--api-share", "1", "tenants"])
}

#[test]
fn an_onboarding_at_the_published_pace_is_not_refused() {
    let mut project = Project::new();
    let account = applied_tier(&project);
    throttle(&mut project, &account, TIME_SCALE);
    onboard_many(&project).ended(0);
    assert_eq!(all(&standing(&account), "clusters").len(), TENANTS);
    // On a busy machine one may be a long time on its way to the bed, and the next not.
    assert!(refused(&account) <= 2, "{:?}", bed().get(&format!("/testbed/accounts/{account}"))["refused"]);
    project.assert_plan_is_empty();
}

#[test]
fn an_onboarding_beside_others_who_use_the_account_ends_well() {
    let mut project = Project::new();
    let account = applied_tier(&project);
    throttle(&mut project, &account, TIME_SCALE);
    // Somebody has emptied the bucket, and it stays empty until we have run into that.
    bed().set(&account, &json!({ "time_scale": 0.001 }));
    let script = r#"
from botocore.exceptions import ClientError
try:
    for result in range(100):
        aws("ecs").create_cluster(clusterName="other")
except ClientError:
    pass
"#;
    let taken = bed().boto(&account, script).as_u64().unwrap();
    assert_eq!(taken, 20);
    let is_refused = |request: &Value| request["error"] == "ThrottlingException" && request["parameters"]["clusterName"] != "other";
    let refusals = || requests(&account).iter().filter(|request| is_refused(request)).count();
    let run = thread::scope(|scope| {
        let run = scope.spawn(|| onboard_many(&project));
        while refusals() == 0 && !run.is_finished() {
            thread::sleep(Duration::from_millis(50));
        }
        bed().set(&account, &json!({ "time_scale": TIME_SCALE }));
        run.join().unwrap()
    });
    run.ended(0);
    assert!(refusals() > 0);
    assert_eq!(all(&standing(&account), "clusters").len(), TENANTS + 1);
    project.assert_plan_is_empty();
}

#[test]
fn a_wait_for_a_turn_is_told_and_lets_others_go_ahead() {
    let mut project = Project::new();
    let account = tier_with_endpoints(&project, 4);
    throttle(&mut project, &account, 1.0);
    let run = project.run(&["apply", "--yes", "--parallelism", "1", "tiers"]).ended(0);
    run.says("waits for its turn: AWS takes 0.3 CreateVpcEndpoint a second (0.24 of it ours)");
    assert_eq!(refused(&account), 0);
    let requests = requests(&account);
    let made: Vec<usize> = (0..requests.len()).filter(|index| requests[*index]["action"] == "CreateVpcEndpoint").collect();
    assert_eq!(made.len(), 4);
    // The only permit was not held by the one that waited.
    let meanwhile = &requests[made[2] + 1..made[3]];
    assert!(meanwhile.iter().any(|request| request["action"] == "DescribeVpcEndpoints"), "{meanwhile:#?}");
}

/// Rules of one listener are made one after the other. The first may wait for its turn while the next waits for it.
#[test]
fn whoever_waits_for_others_of_the_run_holds_no_permit() {
    let mut project = Project::new();
    let account = applied_tier(&project);
    throttle(&mut project, &account, 100.0);
    (0..6).for_each(|number| tenant(&project, &format!("tenant-{number}")));
    project.run(&["onboard", "--yes", "--parallelism", "1", "--api-share", "0.1", "--timeout", "2m", "tenants"]).ended(0);
    project.assert_plan_is_empty();
}

#[test]
fn a_turn_that_does_not_come_in_time_is_left_to_the_next_run() {
    let mut project = Project::new();
    let account = tier_with_endpoints(&project, 4);
    project.environment.push(("TIERCTL_API_TIME_SCALE".into(), "0.01".into()));
    let run = project.run(&["apply", "--yes", "--timeout", "10s", "tiers"]).ended(1);
    run.says("it was not sent, for it has no time left: it waits for its turn: AWS takes 0.3 CreateVpcEndpoint a second")
        .says("run the same command again")
        .says("--api-share");
    assert_eq!(calls(&account, "ec2:CreateVpcEndpoint"), 3);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    assert_eq!(calls(&account, "ec2:CreateVpcEndpoint"), 4);
    project.assert_plan_is_empty();
}

#[test]
fn what_reached_a_quota_is_asked_for_once() {
    let project = Project::new();
    let account = applied_tier(&project);
    // The SDK takes the code of this one for throttling.
    bed().set(&account, &json!({ "quotas": { "clusters": 0 } }));
    tenant(&project, "acme");
    let run = project.run(&["onboard", "--yes", "tenants"]).ended(1);
    run.says("[LimitExceededException]").says("ask AWS for a higher quota");
    assert_eq!(calls(&account, "ecs:CreateCluster"), 1);
    bed().set(&account, &json!({ "quotas": { "clusters": 10 } }));
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
}

#[test]
fn a_share_is_a_part_of_the_whole() {
    let project = Project::new();
    for share in ["0", "1.1", "-1", "half", "NaN"] {
        project.run(&["plan", &format!("--api-share={share}")]).ended(1).says("it is a number from 0.001 to 1");
    }
}
