//! How many API calls a run makes, counted in the client, polls of waits apart.

use serde_json::Value;

use crate::bed::bed;
use crate::project::{Project, Run};
use crate::scenes::{placed_tenant, quick, tenant_of};

/// Calls of a run in JSON, without polls.
pub fn calls(run: &Run) -> u64 {
    let json = run.json();
    let services = json["run"]["calls"].as_object().unwrap().values();
    services.flat_map(|actions| actions.as_object().unwrap().values()).filter_map(Value::as_u64).sum()
}

/// A tier with one infra group, six endpoints and both roles.
fn six_endpoints(project: &Project) -> String {
    let account = bed().account();
    quick(&account);
    let services: Vec<String> = (0..3).map(|_| bed().endpoint_service("us-east-1")).collect();
    project.write(
        "tiers/test.yaml",
        &format!(
            r#"
tier: test
region: us-east-1
downstreams:
  - {{name: bidder, service: {}, port: 8443}}
  - {{name: profiles, service: {}, port: 443}}
  - {{name: cache, service: {}, port: 6379}}
  - {{name: ecr-api, service: ecr.api, port: 443, private_dns: true}}
  - {{name: logs, service: logs, port: 443, private_dns: true}}
  - {{name: artifacts, service: s3, gateway: true}}
roles:
  task:
    statements: [{{effect: Allow, actions: ["s3:GetObject"], resources: ["*"]}}]
  execution:
    managed_policies: ["arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"]
monitoring: {{log_retention_days: 30}}
cells:
  - name: cell-1
    account: "{account}"
    assume_role: arn:aws:iam::{account}:role/provisioner
    infra_groups: [{{name: ig-1, vpc: {{cidr: 10.20.0.0/16, zones: [us-east-1a, us-east-1b]}}}}]
"#,
            services[0], services[1], services[2]
        ),
    );
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    account
}

fn onboard(project: &Project, name: &str) -> Run {
    project.run(&["onboard", "--yes", "--format", "json", &format!("tenants/test/{name}.yaml")]).ended(0)
}

#[test]
fn one_infra_group_with_fifty_tenants() {
    let project = Project::new();
    let account = six_endpoints(&project);
    placed_tenant(&project, "first", "cell-1", "ig-1");
    let alone = onboard(&project, "first");
    let alone_calls = calls(&alone);
    assert!(alone_calls <= 25, "{alone_calls} calls: {:#}", alone.json()["run"]);

    for number in 2..=49 {
        placed_tenant(&project, &format!("tenant-{number:02}"), "cell-1", "ig-1");
    }
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    // Attributes of the target group cost calls of their own.
    let placement = "placement: {cell: cell-1, infra_group: ig-1}";
    tenant_of(&project, "test", "fiftieth", placement);
    project.edit(
        "tenants/test/fiftieth.yaml",
        "  port: 8080",
        "  port: 8080\n  deregistration_delay: 10\n  slow_start: 30\n  stickiness: {enabled: true}",
    );
    let fiftieth = onboard(&project, "fiftieth");
    let fiftieth_calls = calls(&fiftieth);
    assert!(fiftieth_calls <= 25, "{fiftieth_calls} calls: {:#}", fiftieth.json()["run"]);
    project.run(&["offboard", "--yes", "fiftieth"]).ended(0);
    tenant_of(&project, "test", "fiftieth", placement);
    let again = calls(&onboard(&project, "fiftieth"));
    // However many live beside it: revisions and names that were there before make no difference either.
    assert!(again <= alone_calls + 1, "{again} calls beside 49, {alone_calls} alone");

    let plan = project.plan().ended(0);
    assert_eq!(plan.counts(), [0; 5], "{}", plan.stdout);
    let plan_calls = calls(&plan);
    assert!(plan_calls <= 80, "{plan_calls} calls: {:#}", plan.json()["run"]);

    // What the client counts is what the server saw, session and polls aside.
    let before = bed().get(&format!("/testbed/accounts/{account}"))["calls"].clone();
    let counted = calls(&project.plan().ended(0));
    let after = bed().get(&format!("/testbed/accounts/{account}"))["calls"].clone();
    let sum = |calls: &Value| calls.as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>();
    assert_eq!(sum(&after) - sum(&before), counted);

    let text = project.run(&["plan", "-v"]).ended(0);
    // As few as AWS's pages and batches allow, but for the tags by which the load balancers are told that are ours.
    text.says(&format!("{counted} calls in total, of at least {} that AWS's pages and batches take", counted - 1));
}

#[test]
fn a_tenant_by_address_and_a_change_cost_no_more() {
    let project = Project::new();
    six_endpoints(&project);
    crate::scenes::address_tenant(&project, "fleet", "10.20.1.5, 10.20.1.6", "placement: {cell: cell-1, infra_group: ig-1}");
    let run = onboard(&project, "fleet");
    assert!(calls(&run) <= 25, "{:#}", run.json()["run"]);
    placed_tenant(&project, "acme", "cell-1", "ig-1");
    onboard(&project, "acme");
    project.edit("tenants/test/acme.yaml", "app:1.0", "app:1.1");
    let run = onboard(&project, "acme");
    assert!(calls(&run) <= 25, "{:#}", run.json()["run"]);
    let run = onboard(&project, "acme");
    assert!(calls(&run) <= 20, "nothing to do: {:#}", run.json()["run"]);
}
