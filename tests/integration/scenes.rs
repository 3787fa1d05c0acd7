//! What several tests set up or look at: small tiers and tenants as texts, and the parts of an account.

use serde_json::{Value, json};

use crate::bed::bed;
use crate::project::{Project, Run};

/// Lets everything that takes time take none.
pub fn quick(account: &str) {
    bed().set(
        account,
        &json!({
            "endpoint_pending": 0, "endpoint_deleting": 0, "endpoint_deleted": 0, "load_balancer_interfaces_linger": 0,
            "task_start": 0, "target_healthy": 0, "target_draining": 0, "service_draining": 0,
        }),
    );
}

/// An infra group with a network of its own, as a part of a tier's text.
pub fn made_group(name: &str, cidr: &str) -> String {
    format!("{{name: {name}, vpc: {{cidr: {cidr}, zones: [us-east-1a, us-east-1b]}}}}")
}

/// A tier without downstreams, in `tiers/<name>.yaml`: little to make, so that tests of tenants are quick.
/// `cells` are lines of YAML; `rest` is what else the tier says.
pub fn tier(project: &Project, name: &str, cells: &[String], rest: &str) {
    let cells: String = cells.iter().map(|cell| format!("  - {cell}\n")).collect();
    project.write(&format!("tiers/{name}.yaml"), &format!("tier: {name}\nregion: us-east-1\n{rest}\ncells:\n{cells}"));
}

/// A cell whose account is entered through a role.
pub fn cell(name: &str, account: &str, groups: &[String]) -> String {
    format!(
        "{{name: {name}, account: \"{account}\", assume_role: \"arn:aws:iam::{account}:role/provisioner\", infra_groups: [{}]}}",
        groups.join(", ")
    )
}

/// A tier `test` with one cell in a fresh account and one infra group without endpoints; and its account.
pub fn bare_tier(project: &Project) -> String {
    let account = bed().account();
    quick(&account);
    tier(project, "test", &[cell("cell-1", &account, &[made_group("ig-1", "10.20.0.0/16")])], "");
    account
}

/// A tier `test` with two cells, each an infra group in a fresh account of its own; and their accounts.
pub fn two_cells(project: &Project) -> (String, String) {
    two_cells_with(project, "")
}

/// The same, with more in the tier's spec.
pub fn two_cells_with(project: &Project, more: &str) -> (String, String) {
    let (first, second) = (bed().account(), bed().account());
    quick(&first);
    quick(&second);
    let cells =
        [cell("cell-1", &first, &[made_group("ig-1", "10.20.0.0/16")]), cell("cell-2", &second, &[made_group("ig-1", "10.21.0.0/16")])];
    tier(project, "test", &cells, more);
    (first, second)
}

/// Applies a tier of two cells, and onboards a tenant into each: `acme` and `globex`.
pub fn live_in_both_cells(project: &Project) {
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    placed_tenant(project, "acme", "cell-1", "ig-1");
    placed_tenant(project, "globex", "cell-2", "ig-1");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
}

/// The bare tier, applied.
pub fn applied_tier(project: &Project) -> String {
    let account = bare_tier(project);
    project.run(&["apply", "--yes", "tiers"]).ended(0);
    account
}

/// The same, with the tenant acme in it.
pub fn lived_in_tier(project: &Project) -> String {
    let account = applied_tier(project);
    tenant(project, "acme");
    project.run(&["onboard", "--yes", "tenants"]).ended(0);
    account
}

/// What the owner of a service answers to the endpoint that an account has for it.
pub fn answer(account: &str, service: &str, verb: &str) {
    let endpoint = one(&standing(account), "vpcendpoints", "ServiceName", service)["VpcEndpointId"].clone();
    let id = service.rsplit('.').next().unwrap();
    bed().boto("999999999999", &format!(r#"aws("ec2").{verb}_vpc_endpoint_connections(ServiceId="{id}", VpcEndpointIds=[{endpoint}])"#));
}

/// A tenant with a service, and without a placement unless `rest` has one.
pub fn tenant_of(project: &Project, tier: &str, name: &str, rest: &str) {
    project.write(
        &format!("tenants/{tier}/{name}.yaml"),
        &format!(
            "tenant: {name}\ntier: {tier}\n{rest}\nservice:\n  image: registry.example.com/app:1.0\n  port: 8080\n  cpu: 256\n  \
             memory: 512\n  desired: 1\n"
        ),
    );
}

pub fn tenant(project: &Project, name: &str) {
    tenant_of(project, "test", name, "");
}

pub fn placed_tenant(project: &Project, name: &str, cell: &str, infra_group: &str) {
    tenant_of(project, "test", name, &format!("placement: {{cell: {cell}, infra_group: {infra_group}}}"));
}

/// A tenant that registers addresses.
pub fn address_tenant(project: &Project, name: &str, addresses: &str, rest: &str) {
    project.write(
        &format!("tenants/test/{name}.yaml"),
        &format!("tenant: {name}\ntier: test\n{rest}\ntargets:\n  port: 8080\n  addresses: [{addresses}]\n"),
    );
}

/// Everything of a kind in a dump.
#[track_caller]
pub fn all(dump: &Value, kind: &str) -> Vec<Value> {
    dump[kind].as_array().unwrap_or_else(|| panic!("a dump has no {kind}")).clone()
}

/// The one thing of a kind with this value in this field.
#[track_caller]
pub fn one(dump: &Value, kind: &str, field: &str, value: &str) -> Value {
    let found: Vec<Value> = all(dump, kind).into_iter().filter(|item| item[field] == value).collect();
    assert_eq!(found.len(), 1, "{kind} with {field} {value}: {found:#?}");
    found[0].clone()
}

/// What is in an account but for what AWS keeps of deleted things: task definitions and endpoints.
pub fn standing(account: &str) -> Value {
    let mut dump = bed().dump(account);
    let parts = dump.as_object_mut().expect("an object");
    parts.remove("taskdefinitions");
    if let Some(endpoints) = parts.get_mut("vpcendpoints").and_then(Value::as_array_mut) {
        endpoints.retain(|endpoint| !endpoint["State"].as_str().unwrap_or_default().eq_ignore_ascii_case("deleted"));
    }
    dump
}

/// How many things of each kind there are.
pub fn numbers(account: &str) -> Vec<(String, usize)> {
    let standing = standing(account);
    let parts = standing.as_object().expect("an object").iter();
    parts.map(|(kind, found)| (kind.clone(), found.as_array().map_or(0, Vec::len))).collect()
}

/// What a plan in JSON says about the things of a kind.
pub fn changes(plan: &Run, kind: &str) -> Vec<Value> {
    let plan = plan.json();
    let changes = plan["changes"].as_array().expect("changes").iter();
    changes.filter(|change| change["kind"] == kind).cloned().collect()
}

/// The value that a planned thing will have in a field.
#[track_caller]
pub fn planned(plan: &Run, kind: &str, name: &str, path: &str) -> String {
    let change = changes(plan, kind).into_iter().find(|change| change["name"] == name);
    let change = change.unwrap_or_else(|| panic!("no {kind} {name} in {}", plan.stdout));
    let fields = change["fields"].as_array().expect("fields").clone();
    let field = fields.into_iter().find(|field| field["path"] == path).unwrap_or_else(|| panic!("no {path} in {change:#}"));
    field["after"].as_str().unwrap_or_else(|| panic!("{field}")).to_string()
}

/// Things of the plan that are blocked, as `kind name`.
pub fn blocked(plan: &Run) -> Vec<String> {
    let plan = plan.json();
    let changes = plan["changes"].as_array().expect("changes").iter().filter(|change| change["action"] == "blocked");
    changes
        .map(|change| format!("{} {}", change["kind"].as_str().unwrap_or_default(), change["name"].as_str().unwrap_or_default()))
        .collect()
}

/// Where the tenants live, as `status` says: `cell/infra group: tenant, tenant`.
pub fn homes(project: &Project, tier: &str) -> Vec<String> {
    let status = project.run(&["status", tier, "--format", "json"]).ended(0).json();
    let mut homes = Vec::new();
    for cell in status["tiers"][0]["cells"].as_array().expect("cells") {
        for group in cell["infra_groups"].as_array().expect("infra groups") {
            let tenants: Vec<&str> =
                group["tenants"].as_array().expect("tenants").iter().filter_map(|tenant| tenant["name"].as_str()).collect();
            homes.push(format!(
                "{}/{}: {}",
                cell["name"].as_str().expect("name"),
                group["name"].as_str().expect("name"),
                tenants.join(", ")
            ));
        }
    }
    homes
}

impl Run {
    /// Both outputs: what a user sees.
    pub fn text(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        // Lines are wrapped where they end.
        let seen = self.text().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(seen.contains(text), "nothing says {text:?}:\n{}", self.text());
        self
    }

    #[track_caller]
    pub fn does_not_say(self, text: &str) -> Self {
        assert!(!self.text().contains(text), "something says {text:?}:\n{}", self.text());
        self
    }
}
