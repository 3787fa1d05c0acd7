//! What goes wrong while a plan is carried out, what is said of it, and that a rerun finishes it.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::bed::bed;
use crate::project::{Project, Run, small_tenant, small_tier};
use crate::running::{Running, hold, hold_one, is_held, release};
use crate::scenes::{
    all, applied_tier, bare_tier, cell, homes, lived_in_tier, made_group, numbers, one, placed_tenant, quick, standing, tenant, tenant_of,
    tier,
};

fn set_image(project: &Project, tenant: &str, image: &str) {
    let path = format!("tenants/test/{tenant}.yaml");
    let text = std::fs::read_to_string(project.path().join(&path)).unwrap();
    let text: String = text
        .lines()
        .map(|line| if line.trim_start().starts_with("image:") { format!("  image: {image}\n") } else { format!("{line}\n") })
        .collect();
    project.write(&path, &text);
}

#[test]
fn an_image_that_cannot_be_pulled() {
    let project = Project::new();
    let account = applied_tier(&project);
    tenant(&project, "acme");
    tenant(&project, "globex");
    set_image(&project, "acme", "registry.example.com/missing:1.0");
    let run = project.run(&["onboard", "--yes", "tenants"]).ended(1);
    // The stopped task's reason and the service's events, and the other tenant is unharmed.
    let run = run.says("CannotPullContainerError").says("latest events:").says("the roll-out of revision 1 failed");
    let run = run.says("mend the cause, then run the same command again").says("test/cell-1/ig-1/acme");
    assert!(!run.text().contains("FAILED service (test/cell-1/ig-1/globex)"));
    let status = project.run(&["status", "--format", "json"]).ended(0).json();
    let tenants = status["tiers"][0]["cells"][0]["infra_groups"][0]["tenants"].clone();
    assert_eq!((&tenants[0]["ready"], &tenants[1]["ready"]), (&Value::Bool(false), &Value::Bool(true)));

    // As long as nothing is mended it fails again, and then it does not.
    project.run(&["onboard", "--yes", "tenants"]).ended(1).says("CannotPullContainerError");
    set_image(&project, "acme", "registry.example.com/app:1.0");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.assert_plan_is_empty();
    assert_eq!(all(&standing(&account), "services").len(), 2);
}

#[test]
fn an_image_that_fails_its_health_check() {
    let project = Project::new();
    applied_tier(&project);
    tenant(&project, "acme");
    set_image(&project, "acme", "registry.example.com/unhealthy:1.0");
    let run = project.run(&["onboard", "--yes", "tenants"]).ended(1);
    run.says("the roll-out of revision 1 failed").says("failed").says("health check").says("latest events:");
    set_image(&project, "acme", "registry.example.com/app:1.0");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.assert_plan_is_empty();
}

#[test]
fn addresses_that_fail_their_health_check() {
    let project = Project::new();
    let account = applied_tier(&project);
    bed().set(&account, &json!({ "unhealthy_addresses": ["10.20.1.6"] }));
    crate::scenes::address_tenant(&project, "fleet", "10.20.1.5, 10.20.1.6", "");
    let run = project.run(&["onboard", "--yes", "--timeout", "2s", "tenants"]).ended(1);
    run.says("10.20.1.6");
    bed().set(&account, &json!({ "unhealthy_addresses": [] }));
    let target = "10.20.1.7";
    crate::scenes::address_tenant(&project, "fleet", &format!("10.20.1.5, {target}"), "");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.assert_plan_is_empty();
}

#[test]
fn a_bad_new_revision_is_rolled_back_and_reported() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    set_image(&project, "acme", "registry.example.com/missing:2.0");
    let run = project.run(&["onboard", "--yes", "tenants"]).ended(1);
    run.says("the roll-out of revision 2 failed, and AWS rolled back to revision 1").says("CannotPullContainerError");
    let service = one(&standing(&account), "services", "serviceName", "acme");
    assert!(service["taskDefinition"].as_str().unwrap().ends_with(":1"), "{service:#}");

    // The spec is still to be carried out, and a run that is told to tries again.
    assert_ne!(project.plan().ended(0).counts(), [0; 5]);
    project.run(&["onboard", "--yes", "tenants"]).ended(1).says("rolled back to revision 1");
    set_image(&project, "acme", "registry.example.com/app:2.0");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.assert_plan_is_empty();
    // Going back to what runs is nothing to do.
    set_image(&project, "acme", "registry.example.com/missing:3.0");
    project.run(&["onboard", "--yes", "tenants"]).ended(1);
    set_image(&project, "acme", "registry.example.com/app:2.0");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.assert_plan_is_empty();
}

/// Kills a run at its nth write, lets a rerun finish, and compares with what an undisturbed run makes.
fn killed_at(writes: &[usize], effect: &str) {
    let undisturbed = {
        let project = Project::new();
        let account = small_tier(&project);
        quick(&account);
        project.run(&["apply", "--yes", "tiers"]).ended(0);
        small_tenant(&project, "acme");
        small_tenant(&project, "globex");
        project.run(&["onboard", "--yes", "tenants"]).ended(0);
        numbers(&account)
    };
    for write in writes {
        let project = Project::new();
        let account = small_tier(&project);
        quick(&account);
        hold(&account, *write, effect);
        for command in [["apply", "--yes", "tiers"], ["onboard", "--yes", "tenants"]] {
            let mut running = Running::start(&project, &command);
            // The tier takes fewer writes than some of the moments: then the tenants' are met.
            while !is_held(&account, 1) && running.child.try_wait().unwrap().is_none() {}
            if running.child.try_wait().unwrap().is_none() {
                running.signal("KILL");
            }
            running.ends();
            release(&account);
            project.run(&command).ended(0);
            small_tenant(&project, "acme");
            small_tenant(&project, "globex");
            if command[0] == "apply" {
                hold(&account, *write, effect);
            }
        }
        assert_eq!(numbers(&account), undisturbed, "killed at write {write}, {effect}");
        project.assert_plan_is_empty();
    }
}

#[test]
fn killed_before_a_write_took_effect() {
    killed_at(&[1, 4, 9, 14], "hang-before");
}

#[test]
fn killed_after_a_write_took_effect() {
    killed_at(&[1, 3, 6, 10, 12], "hang-after");
}

#[test]
fn killed_later_after_a_write_took_effect() {
    killed_at(&[2, 7, 19, 25, 31], "hang-after");
}

#[test]
fn killed_while_it_removes() {
    let project = Project::new();
    let account = small_tier(&project);
    quick(&account);
    project.run(&["plan"]).ended(0);
    let before = standing(&account);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    small_tenant(&project, "acme");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    for (write, effect) in [(1, "hang-after"), (2, "hang-after"), (1, "hang-before")] {
        hold(&account, write, effect);
        let running = Running::start(&project, &["offboard", "--yes", "acme"]);
        assert!(is_held(&account, 60));
        running.signal("KILL");
        running.ends();
        release(&account);
    }
    project.run(&["offboard", "--yes", "acme"]).ended(0);
    for write in [1, 4, 6] {
        hold(&account, write, "hang-after");
        let running = Running::start(&project, &["destroy", "--yes", "--delete-logs", "test"]);
        assert!(is_held(&account, 60));
        running.signal("KILL");
        running.ends();
        release(&account);
    }
    project.run(&["destroy", "--yes", "--delete-logs", "test"]).ended(0);
    assert_eq!(standing(&account), before);
}

#[test]
fn one_interrupt_lets_running_steps_finish() {
    for signal in ["INT", "TERM"] {
        let project = Project::new();
        let account = bare_tier(&project);
        hold_one(&account, "CreateVpc");
        let mut running = Running::start(&project, &["apply", "--yes", "tiers"]);
        assert!(is_held(&account, 60));
        running.signal(signal);
        running.until_it_says("Interrupted");
        release(&account);
        let run = running.ends().ended(130).says("run the same command again: it picks up what is there");
        let made = bed().get(&format!("/testbed/accounts/{account}"))["writes"].clone();
        assert_eq!(made["ec2:CreateVpc"], 1, "{made}");
        assert!(made.get("ec2:CreateSubnet").is_none(), "nothing was started after the interrupt: {made}\n{}", run.text());
        assert!(standing(&account).to_string().contains(r#""tierctl:tier""#), "the step under way was finished");

        project.run(&["apply", "--yes", "tiers"]).ended(0);
        project.assert_plan_is_empty();
        assert_eq!(all(&standing(&account), "vpcs").len(), 2, "the default one and ours");
    }
}

#[test]
fn what_waits_for_its_turn_is_not_begun_after_an_interrupt() {
    let project = Project::new();
    let account = bare_tier(&project);
    hold(&account, 1, "hang-before");
    // The first write has the only turn, and roles and the log group wait for it.
    let mut running = Running::start(&project, &["apply", "--yes", "--parallelism", "1", "tiers"]);
    assert!(is_held(&account, 60));
    running.signal("INT");
    running.until_it_says("Interrupted");
    release(&account);
    let run = running.ends().ended(130);
    let made = bed().get(&format!("/testbed/accounts/{account}"))["writes"].clone();
    let created: Vec<&String> = made.as_object().unwrap().keys().filter(|action| action.contains(":Create")).collect();
    assert_eq!(created.len(), 1, "{made}\n{}", run.text());
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    project.assert_plan_is_empty();
}

#[test]
fn the_second_interrupt_stops_at_once() {
    let project = Project::new();
    let account = bare_tier(&project);
    hold(&account, 1, "hang-after");
    let mut running = Running::start(&project, &["apply", "--yes", "tiers"]);
    assert!(is_held(&account, 60));
    running.signal("INT");
    running.until_it_says("Interrupted");
    running.signal("INT");
    // The request is still held: nothing was waited for.
    running.ends().ended(130).says("run the same command again");
    release(&account);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    project.assert_plan_is_empty();
    assert_eq!(all(&standing(&account), "vpcs").len(), 2);
}

#[test]
fn an_interrupt_while_it_reads() {
    let project = Project::new();
    let account = bare_tier(&project);
    let fault = json!({ "effect": "hang-before", "action": "DescribeVpcs" });
    bed().post(&format!("/testbed/accounts/{account}"), &json!({ "faults": [fault] }));
    for command in [&["plan"][..], &["apply", "--yes", "tiers"]] {
        let running = Running::start(&project, command);
        assert!(is_held(&account, 60));
        running.signal("INT");
        running.ends().ended(130);
        release(&account);
        bed().post(&format!("/testbed/accounts/{account}"), &json!({ "faults": [fault] }));
    }
    assert_eq!(bed().writes(&account), 0);
}

#[test]
fn an_interrupt_while_it_waits() {
    let project = Project::new();
    let account = applied_tier(&project);
    bed().set(&account, &json!({ "task_start": 3600 }));
    tenant(&project, "acme");
    let mut running = Running::start(&project, &["onboard", "--yes", "tenants"]);
    running.until_it_says("waiting");
    running.signal("INT");
    running.until_it_says("Interrupted");
    running.signal("INT");
    running.ends().ended(130).says("run the same command again");
    project.run(&["offboard", "--yes", "acme"]).ended(0);
}

#[test]
fn without_waiting_a_run_ends_when_all_is_accepted() {
    let project = Project::new();
    let account = applied_tier(&project);
    bed().set(&account, &json!({ "task_start": 3600 }));
    tenant(&project, "acme");
    let run = project.run(&["onboard", "--yes", "--no-wait", "tenants"]).ended(0);
    assert_eq!(all(&standing(&account), "services").len(), 1, "{}", run.text());
    // Nothing is left to be changed, and it is not ready.
    assert_eq!(project.plan().ended(0).counts(), [0; 5]);
    let status = project.run(&["status", "--format", "json"]).ended(0).json();
    assert_eq!(status["tiers"][0]["cells"][0]["infra_groups"][0]["tenants"][0]["ready"], false);
    // A run that waits says what for, until its time is up.
    let run = project.run(&["onboard", "--yes", "--timeout", "1s", "tenants"]).ended(1);
    run.says("not ready in time").says("0 of 1 task").says("run the same command again");
    project.run(&["onboard", "--yes", "--no-wait", "tenants"]).ended(0).does_not_say("became ready");
}

#[test]
fn time_that_is_up_is_a_failure_that_a_rerun_mends() {
    let project = Project::new();
    let account = applied_tier(&project);
    bed().set(&account, &json!({ "task_start": 3600 }));
    tenant(&project, "acme");
    project.run(&["onboard", "--yes", "--timeout", "1s", "tenants"]).ended(1).says("not ready in time");
    bed().set(&account, &json!({ "task_start": 0 }));
    bed().boto(&account, r#"aws("ecs").update_service(cluster="test-cell-1-ig-1-acme", service="acme", forceNewDeployment=True)"#);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    project.assert_plan_is_empty();
    project.run(&["onboard", "--timeout", "soon", "tenants"]).ended(1).says("--timeout");
}

#[test]
fn without_a_terminal_and_without_consent_nothing_is_written() {
    let project = Project::new();
    let account = bare_tier(&project);
    tenant(&project, "acme");
    project.run(&["apply", "tiers"]).ended(1).says("nothing has been changed").says("--yes");
    assert_eq!(bed().writes(&account), 0);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    let writes = bed().writes(&account);
    project.run(&["onboard", "tenants"]).ended(1).says("--yes");
    assert_eq!(bed().writes(&account), writes);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    let writes = bed().writes(&account);
    project.run(&["offboard", "acme"]).ended(1).says("--yes");
    project.run(&["offboard", "--yes", "acme"]).ended(0);
    assert!(bed().writes(&account) > writes);
    let writes = bed().writes(&account);
    project.run(&["destroy", "test"]).ended(1).says("--yes");
    assert_eq!(bed().writes(&account), writes);
    // Where there is nothing to do nobody needs to agree.
    project.run(&["apply", "tiers"]).ended(0);
    project.run(&["apply", "tiers", "--format", "json"]).ended(0);
}

/// Runs with nobody at the other end of standard output.
fn unread(project: &Project, arguments: &[&str]) -> Run {
    let mut command = project.command(arguments);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    Run { code: output.status.code().unwrap_or(-1), stdout: String::new(), stderr: String::from_utf8(output.stderr).unwrap() }
}

#[test]
fn tiers_do_not_go_in_waves() {
    let project = Project::new();
    bare_tier(&project);
    for flag in ["--canary", "--wave", "--max-failures"] {
        project.run(&["apply", "--yes", "tiers", flag, "1"]).ended(1).says("cannot be used with").says(flag);
    }
    project.run(&["apply", "--plan", "missing.plan", "--canary", "1"]).ended(1).says("missing.plan");
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let project = Project::new();
    bare_tier(&project);
    tenant(&project, "acme");
    for command in [&["plan"][..], &["plan", "--format", "json"], &["validate"], &["status"], &["--help"], &["--version"]] {
        let run = unread(&project, command).ended(0);
        assert!(!run.stderr.contains("error") && !run.stderr.contains("panicked"), "{command:?}: {}", run.stderr);
    }
    // What was asked for is done all the same.
    unread(&project, &["apply", "--yes", "tiers"]).ended(0);
    unread(&project, &["onboard", "--yes", "--format", "json", "tenants"]).ended(0);
    project.assert_plan_is_empty();
}

#[test]
fn a_scalable_target_owns_the_desired_count() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    bed().boto(
        &account,
        r#"
aws("application-autoscaling").register_scalable_target(ServiceNamespace="ecs", ResourceId="service/test-cell-1-ig-1-acme/acme",
    ScalableDimension="ecs:service:DesiredCount", MinCapacity=1, MaxCapacity=10)
aws("ecs").update_service(cluster="test-cell-1-ig-1-acme", service="acme", desiredCount=3)
"#,
    );
    let count = || one(&standing(&account), "services", "serviceName", "acme")["desiredCount"].clone();
    project.assert_plan_is_empty();
    project.edit("tenants/test/acme.yaml", "desired: 1", "desired: 2");
    project.assert_plan_is_empty();
    project.edit("tenants/test/acme.yaml", "app:1.0", "app:1.1");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    assert_eq!(count(), 3);
    project.assert_plan_is_empty();

    bed().boto(
        &account,
        r#"
aws("application-autoscaling").deregister_scalable_target(ServiceNamespace="ecs", ResourceId="service/test-cell-1-ig-1-acme/acme",
    ScalableDimension="ecs:service:DesiredCount")
"#,
    );
    assert_eq!(project.plan().ended(0).changed_fields(), ["service service: desired_count"]);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    assert_eq!(count(), 2);
}

#[test]
fn pruning_removes_those_without_a_spec() {
    let project = Project::new();
    let account = applied_tier(&project);
    for name in ["acme", "globex", "initech"] {
        tenant(&project, name);
    }
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    std::fs::remove_file(project.path().join("tenants/test/acme.yaml")).unwrap();
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    assert_eq!(homes(&project, "test"), ["cell-1/ig-1: acme, globex, initech"]);
    project.run(&["onboard", "--yes", "--prune", "tenants"]).ended(0);
    assert_eq!(homes(&project, "test"), ["cell-1/ig-1: globex, initech"]);
    project.assert_plan_is_empty();

    // Specs that are gone, or never were where somebody looks, do not mean "remove everybody".
    std::fs::create_dir(project.path().join("empty")).unwrap();
    let before = standing(&account);
    project.run(&["onboard", "--yes", "--prune", "empty"]).ended(1);
    project.run(&["onboard", "--yes", "--prune", "nowhere"]).ended(1);
    assert_eq!(standing(&account), before);
}

#[test]
fn pruning_leaves_other_tiers_alone() {
    let project = Project::new();
    let account = applied_tier(&project);
    let group = crate::scenes::made_group("ig-1", "10.30.0.0/16");
    tier(&project, "other", &[crate::scenes::cell("cell-1", &account, &[group])], "");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    for (tier, name) in [("test", "acme"), ("test", "globex"), ("other", "initech")] {
        tenant_of(&project, tier, name, "");
    }
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    std::fs::remove_file(project.path().join("tenants/test/globex.yaml")).unwrap();
    project.run(&["onboard", "--yes", "--prune", "tenants/test"]).ended(0);
    assert_eq!(homes(&project, "test"), ["cell-1/ig-1: acme"]);
    assert_eq!(homes(&project, "other"), ["cell-1/ig-1: initech"]);
}

#[test]
fn offboarding_by_name_by_path_and_by_tier() {
    let project = Project::new();
    let account = applied_tier(&project);
    let group = crate::scenes::made_group("ig-1", "10.30.0.0/16");
    tier(&project, "other", &[crate::scenes::cell("cell-1", &account, &[group])], "");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    for (tier, name) in [("test", "acme"), ("test", "globex"), ("test", "wonka"), ("other", "acme")] {
        tenant_of(&project, tier, name, "");
    }
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    let before = standing(&account);
    // A name that lives twice is for the user to settle.
    project.run(&["offboard", "--yes", "acme"]).ended(1).says("other, test").says("--tier");
    // One that lives nowhere is gone already.
    project.run(&["offboard", "--yes", "nobody"]).ended(0).says("nobody lives nowhere");
    project.run(&["offboard", "--yes", "globex", "--tier", "other"]).ended(0).says("globex lives nowhere");
    project.run(&["offboard", "--yes", "acme", "--tier", "third"]).ended(1).says("third");
    assert_eq!(standing(&account), before);

    project.run(&["offboard", "--yes", "acme", "--tier", "other"]).ended(0);
    assert_eq!(
        (homes(&project, "test"), homes(&project, "other")),
        (vec!["cell-1/ig-1: acme, globex, wonka".into()], vec!["cell-1/ig-1: ".into()])
    );
    // A name needs no spec, a file names its tier.
    std::fs::remove_file(project.path().join("tenants/test/wonka.yaml")).unwrap();
    project.run(&["offboard", "--yes", "wonka"]).ended(0);
    project.run(&["offboard", "--yes", "tenants/test/globex.yaml"]).ended(0);
    assert_eq!(homes(&project, "test"), ["cell-1/ig-1: acme"]);
    project.run(&["offboard", "--yes", "tenants/test"]).ended(0);
    assert_eq!(homes(&project, "test"), ["cell-1/ig-1: "]);
    project.run(&["offboard", "--yes", "--format", "json", "tenants/test"]).ended(0).json();
}

#[test]
fn a_tier_with_tenants_is_not_destroyed_and_logs_stay() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    let before = standing(&account);
    let refused = project.run(&["destroy", "--yes", "--delete-logs", "test"]).ended(3);
    refused.says("1 tenant lives in the tier (acme)").says("tierctl offboard acme --tier test");
    assert_eq!(standing(&account), before);
    project.run(&["offboard", "--yes", "acme"]).ended(0);
    project.run(&["destroy", "--yes", "test"]).ended(0);
    let left = standing(&account);
    assert_eq!(all(&left, "loggroups").len(), 1);
    assert_eq!(left.to_string().matches(r#"tierctl:tier"#).count(), 1, "only the logs are left: {left:#}");
    // A tier that is made again takes its logs up again.
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    assert_eq!(project.run(&["plan", "--format", "json", "--only", "tier"]).ended(0).counts(), [0; 5]);
    project.run(&["destroy", "--yes", "--delete-logs", "tiers/test.yaml"]).ended(0);
    assert!(all(&standing(&account), "loggroups").is_empty());
    project.run(&["destroy", "--yes", "test"]).ended(0);
    project.run(&["destroy", "--yes", "third"]).ended(1).says("there is no spec of the tier third");
}

/// A service runs on providers that its cluster has: new ones come before it, and old ones go after it.
#[test]
fn capacity_providers_come_before_the_service_and_go_after_it() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    let runs_on = |from: &str, to: &str| {
        project.edit("tenants/test/acme.yaml", &format!("  desired: 1{from}"), &format!("  desired: 1{to}"));
        bed().post(&format!("/testbed/accounts/{account}"), &json!({ "reset_counters": true }));
        let before = bed().get(&format!("/testbed/accounts/{account}/requests?writes"))["requests"].as_array().unwrap().len();
        project.run(&["onboard", "--yes", "tenants"]).ended(0);
        project.assert_plan_is_empty();
        let log = bed().get(&format!("/testbed/accounts/{account}/requests?writes"));
        let actions =
            log["requests"].as_array().unwrap().iter().skip(before).map(|request| request["action"].as_str().unwrap().to_string());
        let mut actions: Vec<String> = actions.filter(|action| action != "TagResource").collect();
        actions.dedup();
        actions
    };
    let (put, update) = ("PutClusterCapacityProviders", "UpdateService");
    let (both, spot) =
        ("\n  capacity_providers: [{name: FARGATE}, {name: FARGATE_SPOT}]", "\n  capacity_providers: [{name: FARGATE_SPOT}]");
    assert_eq!(runs_on("", both), [put, update]);
    assert_eq!(runs_on(both, spot), [update, put]);
    assert_eq!(runs_on(spot, "\n  capacity_providers: [{name: FARGATE}]"), [put, update, put]);
}

/// As many tenants as that, of two infra groups.
fn many(project: &Project, number: usize) -> String {
    let account = bed().account();
    quick(&account);
    let groups: Vec<String> = (1..=2).map(|number| made_group(&format!("ig-{number}"), &format!("10.{number}.0.0/16"))).collect();
    tier(project, "test", &[cell("cell-1", &account, &groups)], "");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    for index in 0..number {
        placed_tenant(project, &format!("t{index}"), "cell-1", &format!("ig-{}", index % 2 + 1));
    }
    account
}

#[test]
fn the_rest_comes_when_the_canary_is_healthy() {
    let project = Project::new();
    let account = many(&project, 6);
    let run = project.run(&["onboard", "--yes", "--canary", "2", "--wave", "3", "--format", "ndjson", "tenants"]).ended(0);
    let events: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str| events.iter().filter(|found| found["event"] == event).cloned().collect::<Vec<_>>();
    let waves: Vec<(u64, u64)> =
        of("wave").iter().map(|wave| (wave["number"].as_u64().unwrap(), wave["tenants"].as_u64().unwrap())).collect();
    assert_eq!(waves, [(1, 2), (2, 3), (3, 1)]);
    // Between two waves every service of the first has been seen healthy.
    let at = |wave: u64| events.iter().position(|event| event["event"] == "wave" && event["number"] == wave).unwrap();
    let services = |range: std::ops::Range<usize>| {
        let results = events[range].iter().filter(|event| event["event"] == "result" && event["kind"] == "service");
        results.map(|event| event["infra_group"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    let mut first = services(at(1)..at(2));
    first.sort();
    assert_eq!(first, ["ig-1", "ig-2"], "the canary has one of each infra group");
    assert_eq!(services(at(2)..at(3)).len(), 3);
    assert_eq!(all(&standing(&account), "services").len(), 6);
    project.assert_plan_is_empty();
}

#[test]
fn a_canary_that_fails_stops_the_rest_and_a_rerun_goes_on() {
    let project = Project::new();
    let account = many(&project, 5);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    for index in 0..5 {
        project.edit(&format!("tenants/test/t{index}.yaml"), "app:1.0", "missing:2.0");
    }
    let run = project.run(&["onboard", "--yes", "--canary", "1", "tenants"]).ended(1);
    run.says("1 tenant did not get there, and --max-failures allows 0: no other tenant was begun")
        .says("Wave 1 of 2: 1 tenant")
        .says("In 2 waves, each when all of the one before are healthy: first t0, then 4 of the other tenants.");
    let registered = bed().dump(&account)["taskdefinitions"].to_string().matches("missing:2.0").count();
    assert_eq!(registered, 1, "no other tenant has another revision");
    for index in 0..5 {
        project.edit(&format!("tenants/test/t{index}.yaml"), "missing:2.0", "app:2.0");
    }
    project.run(&["onboard", "--yes", "--canary", "1", "tenants"]).ended(0);
    project.assert_plan_is_empty();

    // Some may fail: the others are tried until there are too many.
    for index in 0..5 {
        let image = if index < 2 { "missing:3.0" } else { "app:3.0" };
        project.edit(&format!("tenants/test/t{index}.yaml"), "app:2.0", image);
    }
    project.run(&["onboard", "--yes", "--wave", "1", "--max-failures", "1", "tenants"]).ended(1).says("2 tenants did not get there");
    project.run(&["onboard", "--yes", "--canary", "1", "--no-wait", "tenants"]).ended(1).says("cannot be used with");
}

#[test]
fn a_plan_says_how_long_it_takes_at_the_published_rates() {
    let project = Project::new();
    many(&project, 40);
    let plan = project.run(&["plan", "--api-share", "1", "--format", "json"]).ended(0).json();
    // 20 at once, then one a second.
    assert_eq!(plan["least_seconds"], 20);
    let text = project.run(&["plan", "--api-share", "1"]).ended(0);
    text.says("It takes at least 20s at the rates that AWS publishes: 80 x load balancing changes");
    project.run(&["plan", "--api-share", "0.5", "--format", "markdown"]).ended(0).says("It takes at least 1m00s at the rates");
}
