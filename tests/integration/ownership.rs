//! What is ours is known by tags, all the time: what is whose when a plan is made, and again when it is carried out.

use std::process::Command;

use serde_json::{Value, json};

use crate::bed::{bed, python};
use crate::project::Project;
use crate::scenes::{all, applied_tier, blocked, cell, lived_in_tier, made_group, one, quick, standing, tenant, tier};

/// Starts a run on a terminal, runs Python (with `aws` as in `Bed::boto`) when it asks, answers yes, and gives its exit code and
/// what it showed.
fn meanwhile(project: &Project, account: &str, arguments: &[&str], script: &str) -> (i64, String) {
    let command = project.command(arguments);
    let words: Vec<String> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_string_lossy().into_owned()).collect();
    let program = format!(
        r#"
import boto3, json, os, pty, sys
url, account, words = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
keys = dict(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1", endpoint_url=url)
role = boto3.client("sts", **keys).assume_role(RoleArn=f"arn:aws:iam::{{account}}:role/tester", RoleSessionName="tester")["Credentials"]
def aws(service):
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", aws_access_key_id=role["AccessKeyId"],
        aws_secret_access_key=role["SecretAccessKey"], aws_session_token=role["SessionToken"])
pid, terminal = pty.fork()
if pid == 0:
    os.execv(words[0], words)
shown = b""
def read():
    global shown
    try:
        part = os.read(terminal, 4096)
    except OSError:
        return False
    shown += part
    return bool(part)
while b"as one: " not in shown:
    assert read(), shown.decode()
{script}
os.write(terminal, b"yes\n")
while read():
    pass
print(json.dumps({{"code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), "shown": shown.decode()}}))
"#
    );
    let output = Command::new(python())
        .args(["-c", &program, &bed().url, account, &json!(words).to_string()])
        .current_dir(project.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", project.path())
        .env("TERM", "xterm")
        .env("COLUMNS", "200")
        .envs(project.environment.clone())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let ended: Value = serde_json::from_slice(&output.stdout).unwrap();
    (ended["code"].as_i64().unwrap(), ended["shown"].as_str().unwrap().into())
}

#[test]
fn what_is_taken_over_while_the_plan_waits_for_its_answer_is_left_alone() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    project.edit("tenants/test/acme.yaml", "desired: 1", "desired: 2");
    let (code, shown) = meanwhile(
        &project,
        &account,
        &["onboard", "tenants"],
        r#"
cluster = aws("ecs").list_clusters()["clusterArns"][0]
service = aws("ecs").list_services(cluster=cluster)["serviceArns"][0]
aws("ecs").tag_resource(resourceArn=service, tags=[{"key": "tierctl:tenant", "value": "somebody-else"}])
"#,
    );
    assert_eq!(code, 3, "{shown}");
    assert!(shown.contains("since it was read"), "{shown}");
    assert_eq!(one(&standing(&account), "services", "serviceName", "acme")["desiredCount"], 1);

    // And so is what is to be deleted.
    let table = r#"aws("ec2").describe_route_tables(Filters=[{"Name": "tag:tierctl:resource", "Values": ["private"]}])["RouteTables"][0]["RouteTableId"]"#;
    project.edit("tiers/test.yaml", "infra_groups:", "retired: true, infra_groups:");
    let tags = format!("ids = [{table}]\naws(\"ec2\").delete_tags(Resources=ids, Tags=[{{\"Key\": \"tierctl:tier\"}}])");
    bed().boto(
        &account,
        r#"
cluster = aws("ecs").list_clusters()["clusterArns"][0]
service = aws("ecs").list_services(cluster=cluster)["serviceArns"][0]
aws("ecs").tag_resource(resourceArn=service, tags=[{"key": "tierctl:tenant", "value": "acme"}])
"#,
    );
    project.run(&["offboard", "--yes", "acme"]).ended(0);
    let (code, shown) = meanwhile(&project, &account, &["apply", "tiers"], &tags);
    assert_eq!(code, 3, "{shown}");
    assert!(shown.contains("AWS has changed since this plan was made"), "{shown}");
    let left = all(&standing(&account), "routetables");
    assert!(left.iter().any(|table| table["Tags"].to_string().contains("tierctl:resource")), "{left:#?}");
}

#[test]
fn a_tenant_that_comes_while_a_removal_waits_for_its_answer_keeps_its_tier() {
    let project = Project::new();
    let account = applied_tier(&project);
    tenant(&project, "acme");
    let before = standing(&account);
    let words: Vec<String> = {
        let command = project.command(&["onboard", "--yes", "tenants"]);
        std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_string_lossy().into_owned()).collect()
    };
    let onboard = format!("import subprocess\nsubprocess.run({}, check=True, capture_output=True)", json!(words));
    let (code, shown) = meanwhile(&project, &account, &["destroy", "test"], &onboard);
    assert_eq!(code, 3, "{shown}");
    assert!(shown.contains("AWS has changed since this plan was made"), "{shown}");
    assert_eq!(all(&standing(&account), "listeners"), all(&before, "listeners"));
    project.assert_plan_is_empty();
}

#[test]
fn ports_on_which_tenants_answer_are_not_closed() {
    let project = Project::new();
    lived_in_tier(&project);
    project.edit("tiers/test.yaml", "region: us-east-1\n", "region: us-east-1\ntenants: {ports: [9000, 9999]}\n");
    let run = project.run(&["apply", "--yes", "tiers"]).ended(3).says("acme on 8080");
    assert!(run.text().contains("0 to change"), "{}", run.text());
}

#[test]
fn what_has_lost_a_tag_is_reported_and_not_made_a_second_time() {
    let project = Project::new();
    let account = applied_tier(&project);
    let tables = all(&standing(&account), "routetables").len();
    for tag in ["tierctl:resource", "tierctl:tier"] {
        let script = |change: &str| {
            format!(
                r#"
tables = aws("ec2").describe_route_tables(Filters=[{{"Name": "tag:tierctl:cell", "Values": ["cell-1"]}}])["RouteTables"]
aws("ec2").{change}
"#
            )
        };
        bed().boto(&account, &script(&format!(r#"delete_tags(Resources=[tables[0]["RouteTableId"]], Tags=[{{"Key": "{tag}"}}])"#)));
        let plan = project.plan().ended(3);
        assert!(blocked(&plan).contains(&"route_table private".to_string()), "{}", plan.stdout);
        project.run(&["apply", "--yes", "tiers"]).ended(3).says(&format!("it lacks {tag}"));
        assert_eq!(all(&standing(&account), "routetables").len(), tables);
        let value = if tag == "tierctl:tier" { "test" } else { "private" };
        bed().boto(
            &account,
            &script(&format!(r#"create_tags(Resources=[tables[0]["RouteTableId"]], Tags=[{{"Key": "{tag}", "Value": "{value}"}}])"#)),
        );
        project.assert_plan_is_empty();
    }
}

#[test]
fn a_tenant_whose_cluster_lost_a_tag_does_not_go_by_half() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    let before = standing(&account);
    let cluster = r#"aws("ecs").list_clusters()["clusterArns"][0]"#;
    bed().boto(&account, &format!(r#"aws("ecs").untag_resource(resourceArn={cluster}, tagKeys=["tierctl:tier", "tierctl:cell"])"#));
    let stripped = standing(&account);
    let run = project.run(&["offboard", "--yes", "acme"]).ended(3);
    run.says("lacks tierctl's tags").says("tierctl:cell=cell-1, tierctl:tier=test");
    assert_eq!(standing(&account), stripped);
    let tags = r#"[{"key": "tierctl:tier", "value": "test"}, {"key": "tierctl:cell", "value": "cell-1"}]"#;
    bed().boto(&account, &format!(r#"aws("ecs").tag_resource(resourceArn={cluster}, tags={tags})"#));
    assert_eq!(standing(&account), before);
    project.run(&["offboard", "--yes", "acme"]).ended(0);
}

#[test]
fn a_rule_that_somebody_led_elsewhere_is_still_its_tenants() {
    let project = Project::new();
    let account = lived_in_tier(&project);
    let theirs = r#"
ec2, elb = aws("ec2"), aws("elbv2")
vpc = ec2.describe_vpcs(Filters=[dict(Name="tag:tierctl:tier", Values=["test"])])["Vpcs"][0]["VpcId"]
page = elb.create_target_group(Name="maintenance", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
balancer = elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
listener = elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"][0]["ListenerArn"]
rule = [r for r in elb.describe_rules(ListenerArn=listener)["Rules"] if not r["IsDefault"]][0]["RuleArn"]
elb.modify_rule(RuleArn=rule, Actions=[dict(Type="forward", TargetGroupArn=page)])
"#;
    bed().boto(&account, theirs);
    // One tenant alone, so that no more is read than it needs.
    let plan = project.run(&["plan", "--format", "json", "tenants/test/acme.yaml"]).ended(0);
    assert_eq!(plan.changed_fields(), ["listener_rule listener-rule: target_group_arn"]);
    project.run(&["offboard", "--yes", "acme"]).ended(0);
    let left = all(&standing(&account), "rules");
    assert!(left.iter().all(|rule| rule["IsDefault"] == true), "{left:?}");
}

#[test]
fn what_another_tier_left_behind_is_unclaimed_unless_it_has_a_spec_here() {
    let project = Project::new();
    let account = bed().account();
    quick(&account);
    tier(&project, "kept", &[cell("cell-1", &account, &[made_group("ig-1", "10.20.0.0/16")])], "");
    tier(&project, "gone", &[cell("cell-1", &account, &[made_group("ig-1", "10.21.0.0/16")])], "");
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    let unclaimed = |run: &crate::project::Run| {
        let plan = run.json();
        let listed = plan["unclaimed"].as_array().unwrap().clone();
        listed.iter().map(|item| format!("{} {}", item["kind"].as_str().unwrap(), item["tier"].as_str().unwrap())).collect::<Vec<_>>()
    };
    let run = project.run(&["plan", "--format", "json", "tiers/kept.yaml"]).ended(0);
    assert_eq!((run.counts(), unclaimed(&run)), ([0; 5], vec![]));
    std::fs::remove_file(project.path().join("tiers/gone.yaml")).unwrap();
    let run = project.run(&["plan", "--format", "json", "tiers/kept.yaml"]).ended(0);
    assert_eq!(run.counts(), [0; 5]);
    for kind in ["vpc", "subnet", "route_table", "security_group", "role", "log_group", "load_balancer"] {
        assert!(unclaimed(&run).contains(&format!("{kind} gone")), "{kind}: {}", run.stdout);
    }
    // Nothing of it is touched.
    let before = standing(&account);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    assert_eq!(standing(&account), before);
}

#[test]
fn wrong_usage_is_said_in_the_form_that_was_asked_for() {
    let project = Project::new();
    for arguments in [["onboard", "--format", "json"].as_slice(), &["plan", "--format=json", "--colour", "never"]] {
        let run = project.run(arguments).ended(1);
        let error: Value = serde_json::from_str(&run.stderr).unwrap_or_else(|problem| panic!("{problem}: {}", run.stderr));
        let text = error.to_string();
        assert!(text.contains("required arguments") || text.contains("--colour"), "{text}");
        assert!(!text.contains("error: "), "{text}");
    }
    assert!(project.run(&["onboard"]).ended(1).stderr.contains("Usage:"));
}
