//! A plan that is saved and carried out later: that plan and nothing else, as far as nothing has moved.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::bed::bed;
use crate::calls::calls;
use crate::project::{Project, Run, small_tenant, small_tier};
use crate::running::{Running, hold_one, is_held, release};
use crate::scenes::{
    address_tenant, all, applied_tier, bare_tier, cell, lived_in_tier, made_group, one, placed_tenant, quick, standing, tenant, tenant_of,
    tier, two_cells,
};

const FILE: &str = "reviewed.plan";

fn save(project: &Project, paths: &[&str]) -> Run {
    project.run(&[&["plan", "--out", FILE], paths].concat())
}

fn carry_out(project: &Project) -> Run {
    project.run(&["apply", "--plan", FILE, "--yes"])
}

/// Changes the specs a test is about and gives them new images.
fn newer(project: &Project, tenants: &[&str]) {
    for name in tenants {
        project.edit(&format!("tenants/test/{name}.yaml"), "app:1.0", "app:2.0");
    }
}

const SET_DESIRED: &str = r#"
ecs = aws("ecs")
cluster = next(arn for arn in ecs.list_clusters()["clusterArns"] if arn.endswith("-acme"))
ecs.update_service(cluster=cluster, service="acme", desiredCount=3)
"#;

#[test]
fn tier_and_tenants_are_made_as_reviewed_and_a_rerun_has_nothing_to_do() {
    let project = Project::new();
    let account = bare_tier(&project);
    tenant(&project, "acme");
    let saved = save(&project, &[]).ended(0).says("Saved. To carry out just this: `tierctl apply --plan reviewed.plan --plan-sha256 ");
    assert_eq!(bed().writes(&account), 0, "a plan never writes");
    let sha256 = saved.stderr.split("--plan-sha256 ").nth(1).unwrap()[..64].to_string();
    // What is in the folder by now is not what was reviewed.
    project.edit("tenants/test/acme.yaml", "app:1.0", "app:9.9");
    tenant(&project, "later");
    project.run(&["apply", "--plan", FILE, "--plan-sha256", &sha256, "--yes"]).ended(0);
    let made = standing(&account);
    assert_eq!(all(&made, "services").len(), 1);
    assert!(bed().dump(&account)["taskdefinitions"].to_string().contains("app:1.0"));
    project.edit("tenants/test/acme.yaml", "app:9.9", "app:1.0");
    std::fs::remove_file(project.path().join("tenants/test/later.yaml")).unwrap();
    project.assert_plan_is_empty();

    let writes = bed().writes(&account);
    carry_out(&project).ended(0).says("carried out already");
    assert_eq!(bed().writes(&account), writes);
}

#[test]
fn a_plan_in_markdown_for_a_comment() {
    let project = Project::new();
    applied_tier(&project);
    tenant_of(&project, "test", "acme", "route: {path: [\"/a@team\"]}");
    let page = project.run(&["plan", "--format", "markdown"]).ended(0);
    assert!(page.stdout.starts_with("### tierctl plan: Can be carried out\n\n| create | change |"), "{}", page.stdout);
    assert!(page.stdout.contains("| create | `listener_rule` | tenant `acme` |"), "{}", page.stdout);
    assert_eq!(page.stdout, project.run(&["plan", "--format", "markdown"]).ended(0).stdout, "the same bytes for the same plan");
    let short = project.run(&["plan", "--format", "markdown", "--max-bytes", "1500"]).ended(0);
    assert!(short.stdout.len() <= 1500 && short.stdout.contains("*Cut: the details of an infra group (1)."), "{}", short.stdout);
    project.run(&["status", "--format", "markdown"]).ended(1).says("only a plan has a form in Markdown");
}

#[test]
fn what_moved_is_refused_by_name_and_nothing_is_written() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    tenant(&project, "globex");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    newer(&project, &["acme", "globex"]);
    save(&project, &["tenants"]).ended(0);
    bed().boto(&account, SET_DESIRED);
    let writes = bed().writes(&account);
    let run = carry_out(&project).ended(3).says("acme/acme has been changed: desired_count").does_not_say("come up since");
    assert!(!run.text().contains("globex"), "what did not move is not named: {}", run.text());
    assert_eq!(bed().writes(&account), writes, "nothing is written");
    // In JSON too.
    let run = project.run(&["apply", "--plan", FILE, "--yes", "--format", "json"]).ended(3);
    let blocked = run.json()["blocked"].clone();
    assert_eq!(blocked[0]["kind"], "service");
    assert_eq!(blocked.as_array().unwrap().len(), 1, "{blocked:#}");
}

#[test]
fn what_is_made_or_gone_meanwhile_is_refused() {
    let project = Project::new();
    let account = applied_tier(&project);
    tenant(&project, "acme");
    save(&project, &["tenants"]).ended(0);
    newer(&project, &["acme"]);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    let writes = bed().writes(&account);
    carry_out(&project).ended(3).says("task_definition");
    assert_eq!(bed().writes(&account), writes);

    // A change of what has been taken away.
    project.edit("tenants/test/acme.yaml", "app:2.0", "app:3.0");
    save(&project, &["tenants"]).ended(0);
    project.run(&["offboard", "--yes", "acme"]).ended(0);
    let writes = bed().writes(&account);
    carry_out(&project).ended(3).says("acme");
    assert_eq!(bed().writes(&account), writes);
}

#[test]
fn two_plans_at_once_do_not_spoil_each_other() {
    let project = Project::new();
    let account = applied_tier(&project);
    tenant(&project, "acme");
    save(&project, &["tenants/test/acme.yaml"]).ended(0);
    tenant(&project, "globex");
    project.run(&["plan", "--out", "other.plan", "tenants/test/globex.yaml"]).ended(0);
    project.run(&["apply", "--plan", "other.plan", "--yes"]).ended(0);
    carry_out(&project).ended(0);
    project.assert_plan_is_empty();
    let rules = all(&standing(&account), "rules");
    let priorities: BTreeSet<String> = rules.iter().map(|rule| rule["Priority"].to_string()).collect();
    assert_eq!((rules.len(), priorities.len()), (3, 3), "with the default one: {priorities:?}");
}

#[test]
fn a_tenant_goes_where_the_plan_says_or_nowhere() {
    let project = Project::new();
    let account = bed().account();
    quick(&account);
    let groups = [made_group("ig-1", "10.20.0.0/16"), made_group("ig-2", "10.21.0.0/16")];
    tier(&project, "test", &[cell("cell-1", &account, &groups)], "tenants: {max_per_infra_group: 1}");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    tenant(&project, "acme");
    save(&project, &["tenants"]).ended(0).says("test/cell-1/ig-1");
    tenant_of(&project, "test", "globex", "placement: {cell: cell-1, infra_group: ig-1}");
    project.run(&["onboard", "--yes", "tenants/test/globex.yaml"]).ended(0);
    let writes = bed().writes(&account);
    carry_out(&project).ended(3).says("ig-1");
    assert_eq!(bed().writes(&account), writes, "it is not put into ig-2, which nobody has seen");
}

#[test]
fn a_route_that_is_taken_meanwhile_is_refused() {
    let project = Project::new();
    let account = applied_tier(&project);
    tenant_of(&project, "test", "acme", "route: {path: [\"/ads\"]}");
    save(&project, &["tenants"]).ended(0);
    std::fs::remove_file(project.path().join("tenants/test/acme.yaml")).unwrap();
    tenant_of(&project, "test", "globex", "route: {path: [\"/ads\"]}");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    let writes = bed().writes(&account);
    carry_out(&project).ended(3).says("matches /ads, which this tenant's route can match too");
    assert_eq!(bed().writes(&account), writes);
}

#[test]
fn what_moves_during_the_run_is_left_alone() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    newer(&project, &["acme"]);
    save(&project, &["tenants"]).ended(0);
    hold_one(&account, "RegisterTaskDefinition");
    let running = Running::start(&project, &["apply", "--plan", FILE, "--yes"]);
    assert!(is_held(&account, 60));
    bed().boto(&account, SET_DESIRED);
    release(&account);
    running.ends().ended(3).says("has been changed: desired_count");
    let service = one(&standing(&account), "services", "serviceName", "acme");
    assert_eq!(service["desiredCount"], 3, "the change by hand stands");
}

#[test]
fn a_run_that_was_killed_goes_on_with_the_same_plan() {
    let project = Project::new();
    let account = bare_tier(&project);
    tenant(&project, "acme");
    save(&project, &[]).ended(0);
    for action in ["CreateSubnet", "CreateLoadBalancer", "CreateService"] {
        hold_one(&account, action);
        let running = Running::start(&project, &["apply", "--plan", FILE, "--yes"]);
        assert!(is_held(&account, 60), "{action}: {}", running.ends().text());
        running.signal("KILL");
        release(&account);
        running.ends();
    }
    carry_out(&project).ended(0);
    project.assert_plan_is_empty();
}

#[test]
fn things_of_every_kind_are_found_again_before_they_are_changed_or_deleted() {
    let project = Project::new();
    let account = small_tier(&project);
    quick(&account);
    small_tenant(&project, "acme");
    address_tenant(&project, "fleet", "10.20.1.1", "placement: {cell: cell-1, infra_group: ig-1}");
    project.edit("tenants/test/fleet.yaml", "port: 8080", "port: 9000");
    save(&project, &[]).ended(0);
    carry_out(&project).ended(0);
    project.assert_plan_is_empty();

    project.edit("tiers/test.yaml", "team: ads", "team: search");
    project.edit("tenants/test/fleet.yaml", "10.20.1.1", "10.20.1.1, 10.20.1.2");
    let plan = project.run(&["plan", "--format", "json", "--out", FILE]).ended(0);
    let changed: BTreeSet<String> = plan.json()["changes"].as_array().unwrap().iter().map(|change| change["kind"].to_string()).collect();
    assert!(changed.len() > 12, "{changed:?}");
    carry_out(&project).ended(0);
    project.assert_plan_is_empty();

    project.run(&["offboard", "--yes", "tenants"]).ended(0);
    project.edit("tiers/test.yaml", "      - name: ig-1", "      - name: ig-1\n        retired: true");
    save(&project, &["tiers"]).ended(0);
    carry_out(&project).ended(0);
    assert_eq!(all(&standing(&account), "vpcs").iter().filter(|vpc| vpc.to_string().contains("tierctl")).count(), 0);
}

#[test]
fn a_plan_that_was_carried_out_long_ago_undoes_nothing() {
    let project = Project::new();
    let account = applied_tier(&project);
    tenant(&project, "acme");
    save(&project, &["tenants"]).ended(0);
    carry_out(&project).ended(0);
    newer(&project, &["acme"]);
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    bed().boto(&account, SET_DESIRED);
    let writes = bed().writes(&account);
    carry_out(&project).ended(3).says("task_definition");
    assert_eq!(bed().writes(&account), writes);
}

#[test]
fn a_change_that_is_blocked_by_now_is_refused() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    project.edit("tenants/test/acme.yaml", "tier: test\n", "tier: test\nroute: {path: [\"/ads\"]}\n");
    save(&project, &["tenants"]).ended(0);
    project.edit("tenants/test/acme.yaml", "route: {path: [\"/ads\"]}\n", "");
    tenant_of(&project, "test", "globex", "route: {path: [\"/ads\"]}");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    let writes = bed().writes(&account);
    carry_out(&project).ended(3).says("matches /ads, which this tenant's route can match too");
    assert_eq!(bed().writes(&account), writes);
}

#[test]
fn drift_of_the_tier_is_no_obstacle_to_a_new_tenant() {
    let project = Project::new();
    let account = applied_tier(&project);
    tenant(&project, "acme");
    save(&project, &[]).ended(0);
    bed().boto(&account, r#"aws("logs").put_retention_policy(logGroupName="/tierctl/test/cell-1/ig-1", retentionInDays=7)"#);
    bed().boto(
        &account,
        r#"
ec2 = aws("ec2")
vpc = ec2.describe_vpcs(Filters=[{"Name": "tag:tierctl:tier", "Values": ["test"]}])["Vpcs"][0]["VpcId"]
ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
"#,
    );
    carry_out(&project).ended(0).says("come up since the plan was made");
    let planned = project.plan().ended(0);
    assert_eq!(planned.changed_fields(), ["vpc vpc: enable_dns_hostnames"]);
}

#[test]
fn each_thing_is_looked_at_again_where_it_is() {
    let project = Project::new();
    let (_, second) = two_cells(&project);
    placed_tenant(&project, "acme", "cell-1", "ig-1");
    placed_tenant(&project, "globex", "cell-2", "ig-1");
    for edit in [None, Some(("desired: 1", "desired: 2"))] {
        for name in edit.iter().flat_map(|_| ["acme", "globex"]) {
            let (from, to) = edit.unwrap();
            project.edit(&format!("tenants/test/{name}.yaml"), from, to);
        }
        save(&project, &[]).ended(0);
        carry_out(&project).ended(0);
        project.assert_plan_is_empty();
    }
    // A thing of the second cell that moves during the run is seen there.
    for name in ["acme", "globex"] {
        project.edit(&format!("tenants/test/{name}.yaml"), "app:1.0", "app:2.0");
    }
    save(&project, &["tenants"]).ended(0);
    hold_one(&second, "RegisterTaskDefinition");
    let running = Running::start(&project, &["apply", "--plan", FILE, "--yes"]);
    assert!(is_held(&second, 60));
    bed().boto(&second, &SET_DESIRED.replace("acme", "globex"));
    release(&second);
    running.ends().ended(3).says("globex/globex has been changed: desired_count");
}

#[test]
fn of_a_file_that_was_looked_up_only_the_tier_that_was_meant_counts() {
    let project = Project::new();
    applied_tier(&project);
    let tier = std::fs::read_to_string(project.path().join("tiers/test.yaml")).unwrap();
    project.write("tiers/test.yaml", &format!("{tier}\n---\ntier: staging\nregion: nowhere\ncells: []\n"));
    tenant(&project, "acme");
    save(&project, &["tenants/test/acme.yaml"]).ended(0);
    carry_out(&project).ended(0);
}

#[test]
fn looking_again_costs_no_more_where_others_live() {
    let project = Project::new();
    let account = applied_tier(&project);
    let reads = |tenants: &[&str]| {
        tenants.iter().for_each(|name| tenant(&project, name));
        project.run(&["onboard", "--yes", "tenants"]).ended(0);
        project.edit("tenants/test/acme.yaml", "cpu: 256", "cpu: 512");
        project.edit("tenants/test/acme.yaml", "memory: 512", "memory: 1024");
        save(&project, &[]).ended(0);
        let run = project.run(&["apply", "--plan", FILE, "--yes", "--format", "json"]).ended(0);
        project.edit("tenants/test/acme.yaml", "cpu: 512", "cpu: 256");
        project.edit("tenants/test/acme.yaml", "memory: 1024", "memory: 512");
        calls(&run)
    };
    let alone = reads(&["acme"]);
    let among = reads(&["globex", "hooli", "initech", "umbrella"]);
    // The plan itself looks at each of the four more.
    assert!(among <= alone + 4, "{among} among five, {alone} alone");
    assert!(bed().writes(&account) > 0);
}

#[test]
fn what_came_up_since_is_not_carried_out() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    newer(&project, &["acme"]);
    save(&project, &[]).ended(0);
    let log_group = r#"client = aws("logs"); client.put_retention_policy(logGroupName="/tierctl/test/cell-1/ig-1", retentionInDays=7)"#;
    project.edit("tiers/test.yaml", "region: us-east-1\n", "region: us-east-1\nmonitoring: {log_retention_days: 30}\n");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    project.edit("tiers/test.yaml", "monitoring: {log_retention_days: 30}\n", "");
    bed().boto(&account, log_group);
    carry_out(&project).ended(0);
    let group = one(&standing(&account), "loggroups", "logGroupName", "/tierctl/test/cell-1/ig-1");
    assert_eq!(group["retentionInDays"], 7);
}

#[test]
fn a_file_that_is_not_the_plan_is_refused() {
    let project = Project::new();
    let account = applied_tier(&project);
    tenant(&project, "acme");
    save(&project, &["tenants"]).ended(0);
    let writes = bed().writes(&account);
    let whole = std::fs::read_to_string(project.path().join(FILE)).unwrap();
    let mut newer: Value = serde_json::from_str(&whole).unwrap();
    newer["format_version"] = json!(99);
    newer["tierctl"] = json!("9.0.0");
    for (text, says) in [
        (whole[..whole.len() / 2].to_string(), "it ends too early"),
        (whole.replace("app:1.0", "app:6.6"), "is damaged"),
        (newer.to_string(), "has version 99 of the format, from tierctl 9.0.0"),
        ("{\"planned_values\": {}}".to_string(), "is not a plan of tierctl"),
        ("tier: test".to_string(), "is not a plan of tierctl"),
        (String::new(), "it ends too early"),
    ] {
        project.write("wrong.plan", &text);
        let run = project.run(&["apply", "--plan", "wrong.plan", "--yes"]).ended(1).says(says);
        assert!(!run.text().contains("panicked"), "{}", run.text());
    }
    project.run(&["apply", "--plan", FILE, "--plan-sha256", &"0".repeat(64), "--yes"]).ended(1).says("is not the plan that was reviewed");
    project.run(&["apply", "--plan", FILE, "--plan-sha256", "abc", "--yes"]).ended(1).says("64 hexadecimal digits");
    project.run(&["apply", "--plan", "absent.plan", "--yes"]).ended(1).says("absent.plan");
    project.run(&["apply", "--plan", FILE, "tiers", "--yes"]).ended(1);
    project.run(&["plan", "--out", "no/such/folder/plan", "tenants"]).ended(1).says("cannot be written");
    project.run(&["apply", "--plan", FILE]).ended(1).says("--yes");
    assert_eq!(bed().writes(&account), writes, "nothing is written");
}

#[test]
fn what_is_secret_in_an_account_is_not_in_the_file() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    bed().boto(
        &account,
        r#"
ecs = aws("ecs")
cluster = ecs.list_clusters()["clusterArns"][0]
service = ecs.describe_services(cluster=cluster, services=["acme"])["services"][0]
made = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
made["containerDefinitions"][0]["environment"].append({"name": "PASSWORD", "value": "hunter2-in-the-clear"})
kept = ("family", "taskRoleArn", "executionRoleArn", "networkMode", "requiresCompatibilities", "cpu", "memory", "containerDefinitions", "runtimePlatform")
new = ecs.register_task_definition(**{name: made[name] for name in kept if name in made})["taskDefinition"]["taskDefinitionArn"]
ecs.update_service(cluster=cluster, service="acme", taskDefinition=new)
"#,
    );
    save(&project, &["tenants"]).ended(0);
    let file = std::fs::read_to_string(project.path().join(FILE)).unwrap();
    assert!(!file.contains("hunter2"), "{file}");
    assert!(file.contains("task_definition"), "the change itself is there");
    carry_out(&project).ended(0);
    project.assert_plan_is_empty();
}

#[test]
fn a_look_again_asks_for_what_it_is_about_alone() {
    let project = Project::new();
    let account = bed().account();
    quick(&account);
    let groups: Vec<String> = (1..=3).map(|number| made_group(&format!("ig-{number}"), &format!("10.{number}.0.0/16"))).collect();
    tier(&project, "test", &[cell("cell-1", &account, &groups)], "");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    // So many that they are looked up in listings, and with attributes, which cost a call for each.
    for number in 1..=24 {
        let group = (number - 1) / 8 + 1;
        let placement = format!("placement: {{cell: cell-1, infra_group: ig-{group}}}");
        address_tenant(&project, &format!("t-{number}"), &format!("10.{group}.0.{}", 10 + number), &placement);
        project.edit(&format!("tenants/test/t-{number}.yaml"), "  port: 8080\n", "  port: 8080\n  deregistration_delay: 30\n");
    }
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    let elb = |tenants: usize| {
        for number in 1..=tenants {
            let file = format!("tenants/test/t-{number}.yaml");
            let text = std::fs::read_to_string(project.path().join(&file)).unwrap();
            let delay = if text.contains("delay: 30") { ("delay: 30", "delay: 60") } else { ("delay: 60", "delay: 30") };
            project.edit(&file, delay.0, delay.1);
        }
        save(&project, &["tenants"]).ended(0);
        let run = project.run(&["apply", "--plan", FILE, "--yes", "--format", "json"]).ended(0).json();
        run["run"]["calls"]["elasticloadbalancing"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum::<u64>()
    };
    let (one, nine) = (elb(1), elb(9));
    // Each of the eight more is written to and tagged, and looked at: by name, with its owner, attributes and tags.
    let each = (nine - one) / 8;
    assert!(each <= 14, "{each} calls for each: {one} for one, {nine} for nine");
}

#[test]
fn what_a_plan_refuses_is_refused_when_it_is_carried_out() {
    let project = Project::new();
    lived_in_tier(&project);
    tenant(&project, "globex");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
        let ended = std::process::Command::new("git").current_dir(project.path()).args(identity).args(arguments).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "tiers", "tenants"]);
    git(&["commit", "--quiet", "--message", "so far"]);
    std::fs::remove_file(project.path().join("tenants/test/globex.yaml")).unwrap();
    newer(&project, &["acme"]);
    project.run(&["plan", "--changed-since", "main", "--out", FILE]).ended(3);
    carry_out(&project).ended(3).says("when the plan was made: its spec is gone").says("steps done");
}

#[test]
fn a_failed_roll_out_is_the_plans_own_trace() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    project.edit("tenants/test/acme.yaml", "app:1.0", "missing:2.0");
    save(&project, &["tenants"]).ended(0);
    carry_out(&project).ended(1);
    // The cause is mended elsewhere: somebody has pushed the image.
    bed().set(&account, &json!({"rules": {"image-not-found": false}}));
    carry_out(&project).ended(0);
    project.assert_plan_is_empty();
}

#[test]
fn a_plan_goes_where_it_is_sent_and_over_no_spec() {
    use std::os::unix::fs::PermissionsExt;

    let project = Project::new();
    bare_tier(&project);
    let spec = std::fs::read_to_string(project.path().join("tiers/test.yaml")).unwrap();
    project.run(&["plan", "--out", "tiers/test.yaml"]).ended(1).says("is one of the specs");
    assert_eq!(std::fs::read_to_string(project.path().join("tiers/test.yaml")).unwrap(), spec);
    // Through a link, and with the mode that it had.
    project.write("kept.plan", "");
    let file = project.path().join("kept.plan");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("kept.plan", project.path().join("link.plan")).unwrap();
    project.run(&["plan", "--out", "link.plan"]).ended(0);
    assert!(std::fs::symlink_metadata(project.path().join("link.plan")).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(&file).unwrap().contains("tierctl-plan"));
    // A device takes what it is given, and stays one.
    project.run(&["plan", "--out", "/dev/null"]).ended(0);
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn a_plan_over_its_limits_is_not_saved_and_a_hash_alone_is_no_plan() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    project.edit("tenants/test/acme.yaml", "port: 8080", "port: 9090");
    project.run(&["plan", "--max-deletes", "0", "--out", FILE]).ended(3).says("Not saved").does_not_say("To carry out just this");
    assert!(!project.path().join(FILE).exists());
    let writes = bed().writes(&account);
    project.run(&["apply", "--yes", "--plan-sha256", &"0".repeat(64), "tiers"]).ended(1);
    assert_eq!(bed().writes(&account), writes);
}
