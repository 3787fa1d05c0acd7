//! What was changed by hand is told apart from what the specs change.

use serde_json::Value;

use crate::bed::bed;
use crate::project::{Project, Run};
use crate::scenes::{changes, lived_in_tier, tenant};

const DRIFT: &[&str] = &["plan", "--drift-only", "--detailed-exitcode", "--format", "json"];
const GROUP: &str =
    r#"aws("ec2").describe_security_groups(Filters=[{"Name": "tag:tierctl:resource", "Values": ["tasks"]}])["SecurityGroups"][0]"#;

fn retention(account: &str, days: u64) {
    bed().boto(account, &format!(r#"aws("logs").put_retention_policy(logGroupName="/tierctl/test/cell-1/ig-1", retentionInDays={days})"#));
}

fn origin(plan: &Run, kind: &str) -> Value {
    let found = changes(plan, kind);
    assert_eq!(found.len(), 1, "{kind}: {}", plan.stdout);
    found[0]["origin"].clone()
}

/// A tier with a retention for its logs, and a tenant in it.
fn lived_in(project: &Project) -> String {
    let account = lived_in_tier(project);
    project.edit("tiers/test.yaml", "region: us-east-1\n", "region: us-east-1\nmonitoring: {log_retention_days: 30}\n");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    account
}

#[test]
fn by_hand_by_spec_and_by_both() {
    let project = Project::new();
    let account = lived_in(&project);
    assert_eq!(project.run(DRIFT).ended(0).counts(), [0; 5]);

    retention(&account, 7);
    let plan = project.run(DRIFT).ended(2);
    assert_eq!((origin(&plan, "log_group"), plan.counts()), ("drift".into(), [0, 1, 0, 0, 0]));
    project.run(&["plan"]).ended(0).says("retention_in_days: 7 -> 30 # changed in AWS since the last apply");
    project.run(&["plan", "--format", "markdown"]).ended(0).says("(changed in AWS since the last apply)");

    project.edit("tiers/test.yaml", "log_retention_days: 30", "log_retention_days: 60");
    assert_eq!(origin(&project.run(DRIFT).ended(2), "log_group"), "both");
    retention(&account, 30);
    let plan = project.run(DRIFT).ended(0);
    assert_eq!(plan.counts(), [0; 5]);
    plan.says("1 change of the specs is left out");
    let plan = project.plan().ended(0);
    assert_eq!(origin(&plan, "log_group"), "spec");
    project.run(&["plan"]).ended(0).does_not_say("since the last apply");

    // What is applied is what counts from now on.
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    retention(&account, 30);
    assert_eq!(origin(&project.run(DRIFT).ended(2), "log_group"), "drift");
}

#[test]
fn every_field_of_a_tenant_that_was_changed_by_hand_is_drift() {
    let project = Project::new();
    let account = lived_in(&project);
    bed().boto(
        &account,
        r#"[aws("ecs").update_service(cluster="test-cell-1-ig-1-acme", service="acme", desiredCount=3,
            deploymentConfiguration={"maximumPercent": 175, "minimumHealthyPercent": 50}),
            [aws("elbv2").modify_target_group(TargetGroupArn=g["TargetGroupArn"], HealthCheckPath="/by-hand")
             for g in aws("elbv2").describe_target_groups()["TargetGroups"]]]"#,
    );
    // The spec says something else of one of them.
    project.edit("tenants/test/acme.yaml", "  desired: 1\n", "  desired: 2\n  health_check: {path: /healthz}\n");
    let plan = project.plan().ended(0);
    let fields: Vec<(String, Value)> = ["service", "target_group"]
        .iter()
        .flat_map(|kind| changes(&plan, kind))
        .flat_map(|change| change["fields"].as_array().unwrap().clone())
        .map(|field| (field["path"].as_str().unwrap().to_string(), field["origin"].clone()))
        .collect();
    assert!(fields.contains(&("desired_count".into(), "both".into())), "{fields:?}");
    assert!(fields.contains(&("maximum_percent".into(), "drift".into())), "{fields:?}");
    // Of what the spec did not set nobody knows.
    let path = fields.iter().find(|(path, _)| path == "health_check.health_check_path").unwrap();
    assert!(path.1 != "spec" && path.1 != "drift", "{fields:?}");
}

#[test]
fn a_rule_that_somebody_added_is_drift() {
    let project = Project::new();
    let account = lived_in(&project);
    bed().boto(
        &account,
        &format!(r#"aws("ec2").authorize_security_group_ingress(GroupId={GROUP}["GroupId"], IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")"#),
    );
    assert_eq!(origin(&project.run(DRIFT).ended(2), "security_group_rules"), "drift");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    assert_eq!(project.run(DRIFT).ended(0).counts(), [0; 5]);
}

#[test]
fn without_a_record_nobody_can_tell() {
    let project = Project::new();
    let account = lived_in(&project);
    let arn = r#"aws("logs").describe_log_groups()["logGroups"][0]["arn"].removesuffix(":*")"#;
    for record in [
        r#"untag_resource(resourceArn=ARN, tagKeys=["tierctl:applied"])"#,
        r#"tag_resource(resourceArn=ARN, tags={"tierctl:applied": "9:abcdef"})"#,
    ] {
        bed().boto(&account, &format!(r#"aws("logs").{}"#, record.replace("ARN", arn)));
        project.assert_plan_is_empty();
        retention(&account, 7);
        assert_eq!(origin(&project.run(DRIFT).ended(2), "log_group"), "unattributed");
        retention(&account, 30);
    }
    // A change renews it.
    retention(&account, 7);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    retention(&account, 7);
    assert_eq!(origin(&project.run(DRIFT).ended(2), "log_group"), "drift");
}

#[test]
fn what_is_missing_of_what_lives_is_shown_and_what_is_new_is_not() {
    let project = Project::new();
    let account = lived_in(&project);
    tenant(&project, "globex");
    let plan = project.run(DRIFT).ended(0);
    assert_eq!(plan.counts(), [0; 5], "{}", plan.stdout);
    plan.says("5 changes of the specs are left out");
    bed().boto(
        &account,
        r#"[aws("elbv2").delete_rule(RuleArn=rule["RuleArn"]) for listener in aws("elbv2").describe_listeners(LoadBalancerArn=
            aws("elbv2").describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"])["Listeners"]
            for rule in aws("elbv2").describe_rules(ListenerArn=listener["ListenerArn"])["Rules"] if not rule["IsDefault"]]"#,
    );
    let plan = project.run(DRIFT).ended(2);
    assert_eq!(
        (origin(&plan, "listener_rule"), changes(&plan, "listener_rule")[0]["tenant"].clone()),
        ("unattributed".into(), "acme".into())
    );
    project.run(&["plan", "--drift-only", "--out", "drift.plan"]).ended(1);
}

#[test]
fn a_revision_that_somebody_deployed_is_drift_with_all_that_it_changed() {
    let project = Project::new();
    let account = lived_in(&project);
    bed().boto(
        &account,
        r#"
ecs = aws("ecs")
family = "test-cell-1-ig-1-acme"
last = ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
kept = {key: last[key] for key in ("family", "taskRoleArn", "executionRoleArn", "networkMode", "containerDefinitions", "cpu", "memory", "requiresCompatibilities") if key in last}
kept["containerDefinitions"][0]["environment"].append({"name": "BY_HAND", "value": "yes"})
made = ecs.register_task_definition(**kept)["taskDefinition"]["taskDefinitionArn"]
ecs.update_service(cluster=family, service="acme", taskDefinition=made)
"#,
    );
    let plan = project.run(DRIFT).ended(2);
    assert_eq!((origin(&plan, "task_definition"), origin(&plan, "service")), ("drift".into(), "drift".into()));
    plan.says("BY_HAND");
    project.edit("tenants/test/acme.yaml", "app:1.0", "app:2.0");
    assert_eq!(origin(&project.plan().ended(0), "task_definition"), "both");
}

#[test]
fn a_field_that_the_spec_comes_to_set_is_no_drift() {
    let project = Project::new();
    lived_in_tier(&project);
    project.edit("tenants/test/acme.yaml", "  desired: 1\n", "  desired: 1\n  deregistration_delay: 30\n");
    assert_eq!(project.run(DRIFT).ended(0).counts(), [0; 5]);
    assert_eq!(origin(&project.plan().ended(0), "target_group"), "spec");
}
