//! The plan of a pull request: what files that have changed since a revision can affect, and what they leave behind.

use std::process::Command;

use serde_json::json;

use crate::bed::bed;
use crate::calls::calls;
use crate::project::Project;
use crate::scenes::{
    blocked, cell, live_in_both_cells, lived_in_tier, made_group, placed_tenant, quick, tenant, tenant_of, tier, two_cells,
};

/// A folder as a Git repository of its own, with nothing of the machine's settings.
fn git(project: &Project, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(project.path()).args(arguments).env("HOME", project.path()).env("GIT_CONFIG_NOSYSTEM", "1");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "test").env(format!("GIT_{role}_EMAIL"), "test@example.com");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn commit(project: &Project, message: &str) {
    git(project, &["add", "--all", "tiers", "tenants"]);
    git(project, &["commit", "--quiet", "--allow-empty", "--message", message]);
}

/// What there is so far is on the branch `main`, and the work goes on on another.
fn branched(project: &Project) {
    git(project, &["init", "--quiet", "--initial-branch=main"]);
    commit(project, "so far");
    git(project, &["checkout", "--quiet", "-b", "work"]);
}

const PLAN: &[&str] = &["plan", "--changed-since", "main", "--format", "json"];

#[test]
fn only_what_has_changed_is_planned() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    branched(&project);
    let nothing = project.run(PLAN).ended(0);
    assert_eq!((nothing.counts(), calls(&nothing)), ([0; 5], 0), "without a change nothing is asked for");

    // Neither what somebody has done to the tier by hand nor a README is the pull request's business.
    bed().boto(
        &account,
        r#"[aws("logs").put_retention_policy(logGroupName=g["logGroupName"], retentionInDays=1)
            for g in aws("logs").describe_log_groups()["logGroups"]]"#,
    );
    project.write("tenants/README.md", "how to add one\n");
    tenant(&project, "globex");
    let untracked = project.run(PLAN).ended(0);
    commit(&project, "globex");
    let committed = project.run(PLAN).ended(0);
    assert_eq!(untracked.json()["changes"], committed.json()["changes"]);
    assert_eq!(committed.counts(), [5, 0, 0, 0, 0]);
    assert!(committed.json()["changes"].as_array().unwrap().iter().all(|change| change["tenant"] == "globex"));

    // What has come to `main` meanwhile is not this branch's to take away.
    git(&project, &["checkout", "--quiet", "main"]);
    tenant(&project, "initech");
    commit(&project, "initech");
    git(&project, &["checkout", "--quiet", "work"]);
    assert_eq!(project.run(PLAN).ended(0).json()["changes"], committed.json()["changes"]);

    // A tier takes its tenants along.
    project.edit("tiers/test.yaml", "region: us-east-1\n", "region: us-east-1\ntags: {team: ads}\n");
    let plan = project.run(PLAN).ended(0).json();
    let changes = plan["changes"].as_array().unwrap();
    for owner in [serde_json::Value::Null, "acme".into(), "globex".into()] {
        assert!(changes.iter().any(|change| change["tenant"] == owner), "{owner}: {plan:#}");
    }
}

#[test]
fn it_can_be_saved_and_carried_out() {
    let project = Project::new();
    lived_in_tier(&project);
    branched(&project);
    tenant(&project, "globex");
    project.run(&["plan", "--changed-since", "main", "--out", "reviewed.plan"]).ended(0);
    project.run(&["apply", "--plan", "reviewed.plan", "--yes"]).ended(0).says("5 steps done (5 created)");
    project.assert_plan_is_empty();
}

#[test]
fn a_route_that_lives_on_the_listener_is_a_collision() {
    let project = Project::new();
    lived_in_tier(&project);
    // Its spec is another repository's.
    std::fs::remove_file(project.path().join("tenants/test/acme.yaml")).unwrap();
    branched(&project);
    tenant_of(&project, "test", "globex", "route: {path: [\"/acme/api\"]}");
    project.run(PLAN).ended(3).says("which this tenant's route can match too");
}

#[test]
fn a_spec_that_is_gone_shows_what_it_leaves_behind() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    branched(&project);
    let writes = bed().writes(&account);
    std::fs::remove_file(project.path().join("tenants/test/acme.yaml")).unwrap();
    let gone = project.run(PLAN).ended(3);
    assert_eq!(blocked(&gone), ["tenant acme"]);
    gone.says("5 things of it are still there").says("tierctl offboard acme --tier test");
    let markdown = project.run(&["plan", "--changed-since", "main", "--format", "markdown"]).ended(3);
    markdown.says("its spec is gone");
    assert_eq!(bed().writes(&account), writes);
    // Under another file's name it is the same tenant.
    tenant_of(&project, "test/moved", "acme", "");
    project.edit("tenants/test/moved/acme.yaml", "tier: test/moved", "tier: test");
    assert_eq!(project.run(PLAN).ended(0).counts(), [0; 5]);
    std::fs::remove_file(project.path().join("tenants/test/moved/acme.yaml")).unwrap();
    project.run(&["offboard", "--yes", "acme"]).ended(0);
    assert_eq!(project.run(PLAN).ended(0).counts(), [0; 5]);
}

#[test]
fn where_who_is_gone_cannot_be_looked_for_is_not_known() {
    let project = Project::new();
    let (first, _) = two_cells(&project);
    live_in_both_cells(&project);
    branched(&project);
    std::fs::remove_file(project.path().join("tenants/test/acme.yaml")).unwrap();
    // The one that looks for it is the first.
    let refused =
        json!([{"effect": "error-before", "action": "DescribeClusters", "nth_call": 1, "code": "AccessDeniedException", "status": 400}]);
    bed().post(&format!("/testbed/accounts/{first}"), &json!({ "faults": refused }));
    let plan = project.run(PLAN).ended(1);
    assert_eq!(plan.json()["unread"][0]["cell"], "cell-1", "{}", plan.stdout);
    let plan = project.run(PLAN).ended(3);
    assert_eq!(blocked(&plan), ["tenant acme"]);
}

#[test]
fn a_hidden_file_has_never_been_a_spec() {
    let project = Project::new();
    lived_in_tier(&project);
    // As when it lives and its file was only moved here by mistake.
    project.write("tenants/.drafts/acme.yaml", &std::fs::read_to_string(project.path().join("tenants/test/acme.yaml")).unwrap());
    std::fs::remove_file(project.path().join("tenants/test/acme.yaml")).unwrap();
    branched(&project);
    std::fs::remove_dir_all(project.path().join("tenants/.drafts")).unwrap();
    assert_eq!(project.run(PLAN).ended(0).counts(), [0; 5]);
}

#[test]
fn an_infra_group_that_is_gone_without_being_retired_is_shown() {
    let project = Project::new();
    let accounts = [bed().account(), bed().account()];
    accounts.iter().for_each(|account| quick(account));
    let first = cell("cell-1", &accounts[0], &[made_group("ig-1", "10.20.0.0/16")]);
    let second = cell("cell-2", &accounts[1], &[made_group("ig-1", "10.21.0.0/16")]);
    tier(&project, "test", &[first.clone(), second.clone()], "");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    project.write("tenants/README.md", "none yet\n");
    branched(&project);
    // A cell, and then the whole tier.
    tier(&project, "test", std::slice::from_ref(&first), "");
    let plan = project.run(PLAN).ended(3);
    assert_eq!(blocked(&plan), ["infra_group ig-1"]);
    assert_eq!(plan.json()["changes"][0]["cell"], "cell-2");
    plan.says("Put it back with `retired: true`");
    std::fs::remove_file(project.path().join("tiers/test.yaml")).unwrap();
    assert_eq!(blocked(&project.run(PLAN).ended(3)).len(), 2);

    let retired = second.replace("name: cell-2", "name: cell-2, retired: true");
    tier(&project, "test", &[first.clone(), retired], "");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    commit(&project, "retired");
    tier(&project, "test", &[first], "");
    assert_eq!(project.run(PLAN).ended(0).counts(), [0; 5]);
}

/// 25 calls for a tenant with a placement, in however many accounts; 4 more for each infra group that an unplaced one may
/// come to live in.
#[test]
fn a_new_tenant_costs_few_calls() {
    let project = Project::new();
    let accounts: Vec<String> = (0..4).map(|_| bed().account()).collect();
    accounts.iter().for_each(|account| quick(account));
    let groups = |first: usize| (first..first + 6).map(|n| made_group(&format!("ig-{n}"), &format!("10.{n}.0.0/16"))).collect::<Vec<_>>();
    let cells: Vec<String> =
        accounts.iter().enumerate().map(|(n, account)| cell(&format!("cell-{n}"), account, &groups(10 + 6 * n))).collect();
    for account in &accounts {
        bed().set(account, &serde_json::json!({ "quotas": { "vpcs": 20 } }));
    }
    tier(&project, "test", &cells, "");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    for n in 0..24 {
        placed_tenant(&project, &format!("old-{n}"), &format!("cell-{}", n / 6), &format!("ig-{}", 10 + n));
    }
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    branched(&project);
    placed_tenant(&project, "new", "cell-1", "ig-17");
    let placed = project.run(PLAN).ended(0);
    assert!(calls(&placed) <= 25, "{}: {:#}", calls(&placed), placed.json()["run"]);
    assert_eq!(placed.counts(), [5, 0, 0, 0, 0]);
    tenant(&project, "new");
    let unplaced = project.run(PLAN).ended(0);
    assert!(calls(&unplaced) <= 25 + 4 * 24, "{}: {:#}", calls(&unplaced), unplaced.json()["run"]);
    assert_eq!(unplaced.counts(), [5, 0, 0, 0, 0]);
}

#[test]
fn a_repository_that_cannot_tell_is_an_error() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    let none = project.run(PLAN).ended(1);
    none.says("--changed-since needs a Git repository");
    branched(&project);
    project.run(&["plan", "--changed-since", "nowhere"]).ended(1).says("this repository has no revision nowhere").says("fetch-depth: 0");
    // No option of git's.
    project.run(&["plan", "--changed-since=--help"]).ended(1).says("this repository has no revision --help");
    git(&project, &["checkout", "--quiet", "--orphan", "alone"]);
    commit(&project, "alone");
    project.run(PLAN).ended(1).says("main and HEAD have no history in common here").says("fetch-depth: 0");
    // The folders have vanished: that is no request to delete all.
    git(&project, &["checkout", "--quiet", "work"]);
    std::fs::remove_dir_all(project.path().join("tiers")).unwrap();
    std::fs::remove_dir_all(project.path().join("tenants")).unwrap();
    let writes = bed().writes(&account);
    project.run(PLAN).ended(1).says("there is no folder `tiers` or `tenants` here");
    assert_eq!(bed().writes(&account), writes);
}

#[test]
fn a_cell_that_comes_to_another_account_is_refused() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    branched(&project);
    let second = crate::bed::bed().account();
    quick(&second);
    project.edit("tiers/test.yaml", &account, &second);
    let plan = project.run(PLAN).ended(3);
    let plan = plan.says("the account and Region of a cell cannot be changed");
    assert_eq!(plan.counts()[..4], [0; 4], "nothing is made a second time: {}", plan.stdout);
    project.run(&["plan", "--changed-since", "main", "--out", "reviewed.plan"]).ended(3);
    let writes = (bed().writes(&account), bed().writes(&second));
    project.run(&["apply", "--yes", "--plan", "reviewed.plan"]).ended(3);
    assert_eq!((bed().writes(&account), bed().writes(&second)), writes);
}

#[test]
fn a_departed_tenant_is_found_though_no_path_names_its_tier() {
    let project = Project::new();
    lived_in_tier(&project);
    branched(&project);
    std::fs::remove_file(project.path().join("tenants/test/acme.yaml")).unwrap();
    // Another tier's tenant is still named.
    tier(&project, "other", &[cell("cell-1", &bed().account(), &[made_group("ig-1", "10.40.0.0/16")])], "");
    tenant_of(&project, "other", "globex", "");
    git(&project, &["add", "--all", "tiers", "tenants"]);
    let plan = project.run(&["plan", "tenants", "--changed-since", "main", "--format", "json"]).ended(3);
    assert!(blocked(&plan).contains(&"tenant acme".to_string()), "{}", plan.stdout);
    // That is the tenants' business alone.
    let plan = project.run(&["plan", "--only", "tier", "--changed-since", "main", "--format", "json"]);
    assert!(!plan.stdout.contains("acme"), "{}", plan.stdout);
    std::fs::remove_file(project.path().join("tiers/test.yaml")).unwrap();
    project.run(&["plan", "tenants", "--changed-since", "main"]).ended(1).says("there is none of its tier test");
}

#[test]
fn specs_that_git_does_not_follow_are_no_missing_change() {
    let project = Project::new();
    lived_in_tier(&project);
    project.write(".gitignore", "tenants/test/secret.yaml\n");
    branched(&project);
    tenant(&project, "secret");
    project.run(PLAN).ended(1).says("Git does not follow").says("secret.yaml");
    std::fs::remove_file(project.path().join("tenants/test/secret.yaml")).unwrap();
    project.run(PLAN).ended(0);
    // A repository in the repository.
    project.write(
        "tenants/inner/globex.yaml",
        &std::fs::read_to_string(project.path().join("tenants/test/acme.yaml")).unwrap().replace("acme", "globex"),
    );
    let inner = project.path().join("tenants/inner");
    assert!(Command::new("git").arg("-C").arg(&inner).args(["init", "--quiet"]).status().unwrap().success());
    project.run(PLAN).ended(1).says("Git does not follow").says("globex.yaml");
    std::fs::remove_dir_all(inner).unwrap();
    git(&project, &["update-index", "--skip-worktree", "tenants/test/acme.yaml"]);
    project.run(PLAN).ended(1).says("Git does not follow").says("acme.yaml");
}
