//! Whose account a run works in, and what it says where it cannot get there.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::bed::bed;
use crate::project::{Project, Run};
use crate::scenes::{all, bare_tier, cell, lived_in_tier, made_group, placed_tenant, quick, standing, tenant, tier, two_cells};

/// What a user must never be shown.
const DUMPS: &[&str] =
    &["DispatchFailure", "ServiceError(", "Debug {", "Metadata {", "panicked", "RUST_BACKTRACE", "Unhandled(", "extensions:"];

/// A failure in words: a message and a next step, as text and as one JSON object, and no dump of the SDK's.
#[track_caller]
fn fails_in_words(project: &Project, command: &[&str], says: &[&str]) {
    let text = project.run(command).ended(1);
    let json = project.run(&[command, &["--format", "json"]].concat()).ended(1);
    for dump in DUMPS {
        assert!(!text.text().contains(dump) && !json.text().contains(dump), "{dump}:\n{}\n{}", text.text(), json.text());
    }
    assert!(text.stderr.contains("error:") && text.stderr.contains("next:"), "{}", text.stderr);
    assert_eq!(json.stdout, "", "standard output is data");
    let error: Value = serde_json::from_str(&json.stderr).unwrap_or_else(|error| panic!("{error}:\n{}", json.stderr));
    let error = &error["errors"][0];
    assert!(!error["remedy"].as_str().unwrap().is_empty(), "{error:#}");
    for words in says {
        let message = format!("{} {}", error["message"].as_str().unwrap(), error["remedy"].as_str().unwrap());
        assert!(message.contains(words), "{words:?} is not in {message:?}");
        assert!(text.stderr.contains(words), "{words:?} is not in {:?}", text.stderr);
    }
}

/// Requests that an account has seen, as `service:Action`.
fn actions(account: &str) -> Vec<String> {
    let log = bed().get(&format!("/testbed/accounts/{account}/requests"));
    let requests = log["requests"].as_array().unwrap().iter();
    requests.map(|request| format!("{}:{}", request["service"].as_str().unwrap(), request["action"].as_str().unwrap())).collect()
}

/// Keys of a session in an account.
fn session_in(project: &mut Project, account: &str) {
    let keys = bed().boto(account, r#"result = [role["AccessKeyId"], role["SecretAccessKey"], role["SessionToken"]]"#);
    let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    project.environment.retain(|(name, _)| !names.contains(&name.as_str()));
    for (name, value) in names.iter().zip(keys.as_array().unwrap()) {
        project.environment.push((name.to_string(), value.as_str().unwrap().to_string()));
    }
}

/// A tier whose cell's account is the one that the environment's credentials lead to.
fn tier_without_a_role(project: &Project, account: &str) {
    let group = made_group("ig-1", "10.20.0.0/16");
    tier(project, "test", &[format!("{{name: cell-1, account: \"{account}\", infra_groups: [{group}]}}")], "");
}

#[test]
fn one_tier_in_two_accounts() {
    let project = Project::new();
    let (first, second) = two_cells(&project);
    placed_tenant(&project, "acme", "cell-1", "ig-1");
    placed_tenant(&project, "globex", "cell-2", "ig-1");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.assert_plan_is_empty();
    for (account, tenant, other) in [(&first, "acme", "globex"), (&second, "globex", "acme")] {
        let dump = bed().dump(account);
        assert_eq!(all(&dump, "loadbalancers").len(), 1);
        let clusters: Vec<Value> = all(&dump, "clusters");
        assert_eq!(clusters.len(), 1);
        assert!(clusters[0]["clusterName"].as_str().unwrap().ends_with(tenant), "{clusters:?}");
        assert!(!dump.to_string().contains(other));
    }
    let plan = project.run(&["plan", "--format", "json", "--only", "tier"]).ended(0);
    assert_eq!(plan.counts(), [0; 5]);
    project.run(&["offboard", "--yes", "acme", "globex"]).ended(0);
    project.run(&["destroy", "--yes", "--delete-logs", "test"]).ended(0);
    for account in [&first, &second] {
        assert!(!standing(account).to_string().contains("tierctl"));
    }
}

#[test]
fn the_wrong_account_is_refused_before_anything_is_read() {
    let mut project = Project::new();
    let (meant, reached) = (bed().account(), bed().account());
    session_in(&mut project, &reached);
    tier_without_a_role(&project, &meant);
    tenant(&project, "acme");
    for command in [
        &["plan"][..],
        &["apply", "--yes", "tiers"],
        &["onboard", "--yes", "tenants"],
        &["offboard", "--yes", "acme"],
        &["destroy", "--yes", "test"],
        &["status"],
    ] {
        fails_in_words(&project, command, &[&meant, &reached]);
    }
    assert_eq!(actions(&meant), [""; 0]);
    assert!(actions(&reached).iter().all(|action| action == "sts:GetCallerIdentity"), "{:?}", actions(&reached));
}

#[test]
fn commands_that_only_read_use_the_role_for_reading() {
    let mut project = Project::new();
    let (entered, account) = (bed().account(), bed().account());
    quick(&account);
    // Assumed from a session of an account of its own, whose log then holds nothing else.
    session_in(&mut project, &entered);
    let group = made_group("ig-1", "10.20.0.0/16");
    let roles = format!(
        "{{read: \"arn:aws:iam::{account}:role/reader\", write: \"arn:aws:iam::{account}:role/writer\", external_id: ads-platform}}"
    );
    tier(&project, "test", &[format!("{{name: cell-1, account: \"{account}\", assume_role: {roles}, infra_groups: [{group}]}}")], "");
    tenant(&project, "acme");
    let mut seen = 0;
    let mut assumed = |run: Run| {
        run.ended(0);
        let log = bed().get(&format!("/testbed/accounts/{entered}/requests?action=AssumeRole"));
        let requests: Vec<String> =
            log["requests"].as_array().unwrap()[seen..].iter().map(|request| request["parameters"].to_string()).collect();
        seen += requests.len();
        assert!(!requests.is_empty() && requests.iter().all(|request| request.contains("ads-platform")), "{requests:?}");
        let of = |role: &str| requests.iter().filter(|request| request.contains(&format!("role/{role}"))).count();
        (of("reader"), of("writer"))
    };
    assert_eq!(assumed(project.run(&["plan"])), (1, 0));
    assert_eq!(assumed(project.run(&["apply", "--yes", "tiers"])), (0, 1));
    assert_eq!(assumed(project.run(&["onboard", "--yes", "tenants"])), (0, 1));
    assert_eq!(assumed(project.run(&["status"])), (1, 0));
    assert_eq!(assumed(project.run(&["offboard", "--yes", "acme"])), (0, 1));
}

#[test]
fn no_credentials_at_all() {
    let mut project = Project::new();
    bare_tier(&project);
    project.environment.retain(|(name, _)| !name.contains("KEY"));
    for command in [&["plan"][..], &["apply", "--yes", "tiers"], &["status"]] {
        fails_in_words(&project, command, &["credentials", "aws sts get-caller-identity"]);
    }
}

#[test]
fn a_profile_that_is_not_there() {
    let mut project = Project::new();
    bare_tier(&project);
    project.environment.retain(|(name, _)| !name.contains("KEY"));
    project.environment.push(("AWS_PROFILE".into(), "nowhere".into()));
    fails_in_words(&project, &["plan"], &["nowhere"]);
}

#[test]
fn no_network() {
    let mut project = Project::new();
    bare_tier(&project);
    project.environment.retain(|(name, _)| name != "AWS_ENDPOINT_URL");
    // Nothing listens on the discard port of this machine.
    project.environment.push(("AWS_ENDPOINT_URL".into(), "http://127.0.0.1:9".into()));
    fails_in_words(&project, &["plan"], &["cannot be reached", "AWS_ENDPOINT_URL"]);
}

#[test]
fn no_network_without_a_role() {
    let mut project = Project::new();
    tier_without_a_role(&project, &bed().account());
    project.environment.retain(|(name, _)| name != "AWS_ENDPOINT_URL");
    project.environment.push(("AWS_ENDPOINT_URL".into(), "http://127.0.0.1:9".into()));
    fails_in_words(&project, &["plan"], &["cannot be reached", "AWS_ENDPOINT_URL"]);
}

#[test]
fn credentials_that_have_run_out() {
    let mut project = Project::new();
    let account = bed().account();
    bed().set(&account, &json!({ "session_seconds": 0.01 }));
    session_in(&mut project, &account);
    tier_without_a_role(&project, &account);
    fails_in_words(&project, &["plan"], &["expired", "renew"]);
    fails_in_words(&project, &["apply", "--yes", "tiers"], &["expired", "renew"]);
    assert_eq!(bed().writes(&account), 0);
}

#[test]
fn a_role_is_assumed_again_when_its_session_runs_out() {
    let mut project = Project::new();
    let (entered, account) = (bed().account(), bed().account());
    quick(&account);
    session_in(&mut project, &entered);
    let service = bed().endpoint_service("us-east-1");
    // The endpoint is waited for longer than a session is good for.
    bed().set(&account, &json!({ "session_seconds": 6, "endpoint_pending": 8 }));
    let cells = [cell("cell-1", &account, &[made_group("ig-1", "10.20.0.0/16")])];
    tier(&project, "test", &cells, &format!("downstreams: [{{name: bidder, service: {service}, port: 8443}}]"));
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    let assumed = actions(&entered).into_iter().filter(|action| action == "sts:AssumeRole").count();
    assert!(assumed > 1, "{assumed}");
    project.assert_plan_is_empty();
}

#[test]
fn credentials_that_run_out_in_the_middle_are_reported_and_the_next_run_goes_on() {
    let mut project = Project::new();
    let account = bed().account();
    quick(&account);
    session_in(&mut project, &account);
    tier_without_a_role(&project, &account);
    let control = format!("/testbed/accounts/{account}");
    bed().post(&control, &json!({ "faults": [{ "effect": "hang-before", "action": "CreateVpc" }] }));
    let apply = project.command(&["apply", "--yes", "tiers"]);
    let apply = std::thread::spawn(move || { apply }.output().unwrap());
    assert_eq!(bed().get(&format!("{control}/hung?timeout=60"))["hung"].as_array().unwrap().len(), 1);
    bed().post(&control, &json!({ "expire_sessions": true }));
    bed().post(&format!("{control}/release"), &json!({}));
    let output = apply.join().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("[RequestExpired]") && text.contains("renew what has expired"), "{text}");
    // Each is refused once, and not tried again.
    let log = bed().get(&format!("{control}/requests"));
    let refused = log["requests"].as_array().unwrap().iter().filter(|request| request["error"].to_string().contains("Expired"));
    let refused: Vec<String> = refused.map(|request| request["action"].to_string() + &request["parameters"].to_string()).collect();
    assert!(!refused.is_empty() && refused.iter().collect::<BTreeSet<_>>().len() == refused.len(), "{refused:#?}");

    session_in(&mut project, &account);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    assert_eq!(all(&standing(&account), "vpcs").len(), 2, "the default one and ours");
    project.assert_plan_is_empty();
}

/// Answers an action with an error, always.
fn refuse(account: &str, action: &str, code: &str, status: u16, message: &str) {
    let fault = json!({ "effect": "error-before", "action": action, "code": code, "status": status, "message": message, "times": 0 });
    bed().post(&format!("/testbed/accounts/{account}"), &json!({ "add_faults": [fault] }));
}

#[test]
fn a_role_that_may_not_be_assumed() {
    let mut project = Project::new();
    let (entered, account) = (bed().account(), bed().account());
    session_in(&mut project, &entered);
    refuse(&entered, "AssumeRole", "AccessDenied", 403, "User is not authorized to perform: sts:AssumeRole");
    tier(&project, "test", &[cell("cell-1", &account, &[made_group("ig-1", "10.20.0.0/16")])], "");
    fails_in_words(&project, &["plan"], &["AssumeRole", "role/provisioner"]);
    assert_eq!(actions(&account), [""; 0]);
}

#[test]
fn an_action_that_is_denied_is_named() {
    let project = Project::new();
    let account = bare_tier(&project);
    refuse(&account, "DescribeVpcs", "UnauthorizedOperation", 403, "You are not authorized to perform this operation.");
    fails_in_words(&project, &["plan"], &["ec2:DescribeVpcs", "allow ec2:DescribeVpcs"]);
    let project = Project::new();
    let account = bare_tier(&project);
    refuse(&account, "GetAccountAuthorizationDetails", "AccessDenied", 403, "not authorized");
    fails_in_words(&project, &["plan"], &["iam:GetAccountAuthorizationDetails"]);
}

#[test]
fn a_write_that_is_denied_stops_only_what_needs_it() {
    let project = Project::new();
    let account = bare_tier(&project);
    refuse(&account, "CreateRole", "AccessDenied", 403, "not authorized to perform: iam:CreateRole");
    let run = project.run(&["apply", "--yes", "tiers"]).ended(1);
    run.says("iam:CreateRole").says("allow iam:CreateRole in the policy");
    assert_eq!(all(&standing(&account), "loadbalancers").len(), 1, "the rest is made");
    bed().post(&format!("/testbed/accounts/{account}"), &json!({ "faults": [] }));
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    project.assert_plan_is_empty();
}

#[test]
fn plans_and_status_work_where_nothing_may_be_written() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    // A fault without an action meets every write.
    let fault = json!({ "effect": "error-before", "code": "AccessDenied", "status": 403, "times": 0 });
    bed().post(&format!("/testbed/accounts/{account}"), &json!({ "faults": [fault], "reset_counters": true }));
    project.assert_plan_is_empty();
    project.edit("tenants/test/acme.yaml", "desired: 1", "desired: 2");
    project.edit("tiers/test.yaml", "cells:", "monitoring: {log_retention_days: 7}\ncells:");
    assert_eq!(project.run(&["plan", "--detailed-exitcode", "--format", "json"]).ended(2).counts(), [0, 2, 0, 0, 0]);
    project.run(&["status"]).ended(0);
    assert_eq!(bed().writes(&account), 0);
}

/// A tenant of a tier whose cell has come to another account in the spec, while all of it stands in the first.
fn moved(project: &Project) -> (String, String) {
    let first = lived_in_tier(project);
    let second = bed().account();
    quick(&second);
    project.edit("tiers/test.yaml", &first, &second);
    (first, second)
}

#[test]
fn what_stands_in_another_account_than_the_spec_says_is_never_touched() {
    let project = Project::new();
    let (first, second) = moved(&project);
    // Where nothing leads to the first account any more, nobody can know of it; and then all is made.
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    // Another tier is there, so that a plan of everything comes to see both.
    project.write("tiers/other.yaml", &std::fs::read_to_string(project.path().join("tiers/test.yaml")).unwrap());
    project.edit("tiers/other.yaml", "tier: test", "tier: other");
    project.edit("tiers/other.yaml", &second, &first);
    project.edit("tiers/other.yaml", "10.20.0.0/16", "10.30.0.0/16");
    project.run(&["apply", "--yes", "tiers/other.yaml"]).ended(0);
    let before = (standing(&first), standing(&second));
    let plan = project.plan().ended(3);
    let plan = plan.says("the account and Region of a cell cannot be changed");
    assert_eq!(plan.counts()[3], 0, "nothing is deleted: {}", plan.stdout);
    project.run(&["plan", "--out", "reviewed.plan"]).ended(3);
    project.run(&["apply", "--yes", "tiers"]).ended(3);
    project.run(&["apply", "--yes", "--plan", "reviewed.plan"]).ended(3).says("cannot be changed");
    assert_eq!((standing(&first), standing(&second)), before);
}

#[test]
fn logs_that_exist_twice_are_not_deleted_unasked() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    bed().boto(
        &account,
        r#"
logs = aws("logs")
group = logs.describe_log_groups()["logGroups"][0]
tags = logs.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"]
logs.create_log_group(logGroupName="/tierctl/by/hand/copy", tags=tags)
"#,
    );
    let before = all(&standing(&account), "loggroups").len();
    project.run(&["apply", "--yes", "tiers"]).ended(3).says("logs are not deleted unasked");
    assert_eq!(all(&standing(&account), "loggroups").len(), before);
}
