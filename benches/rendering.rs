//! How long a plan of 2,000 new tenants takes to calculate and to write, in each format: prints milliseconds as JSON, the
//! median of several. `make bench` quotes it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that prints")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use tierctl::estate::{self, Facts, Group};
use tierctl::plan::{Estates, Intent, Treatment, calculate};
use tierctl::report::plan_text::PlanNotes;
use tierctl::report::{Paint, RunInfo, plan_json, plan_markdown, plan_text};
use tierctl::spec::load_texts;

const GROUPS: usize = 40;
const TENANTS: usize = 50;
const RUNS: usize = 5;

/// A tier of 40 infra groups, and 50 tenants in each.
fn specs() -> Vec<(PathBuf, String)> {
    let group = |number| format!("      - {{name: ig-{number}, vpc: {{cidr: 10.{number}.0.0/16, zones: [us-east-1a, us-east-1b]}}}}\n");
    let groups: String = (0..GROUPS).map(group).collect();
    let tier = format!(
        "tier: figures\nregion: us-east-1\nroles:\n  execution:\n    managed_policies: [arn:aws:iam::aws:policy/x]\ncells:\n  - name: cell-1\n    \
         account: \"123456789012\"\n    infra_groups:\n{groups}"
    );
    let tenant = |number: usize| {
        format!(
            "tenant: tenant-{number}\ntier: figures\nplacement: {{cell: cell-1, infra_group: ig-{}}}\nservice:\n  image: registry.example.com/app:1.42.0\n  \
             port: 8080\n  cpu: 256\n  memory: 512\n  desired: 2\n  health_check: {{path: /healthz}}\nenvironment:\n  CACHE: tenant-{number}.internal\n",
            number / TENANTS
        )
    };
    let tenants = (0..GROUPS * TENANTS).map(|number| (PathBuf::from(format!("tenants/{number}.yaml")), tenant(number)));
    std::iter::once((PathBuf::from("tiers/figures.yaml"), tier)).chain(tenants).collect()
}

fn milliseconds(mut work: impl FnMut() -> usize) -> f64 {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let started = Instant::now();
            assert!(work() > 0);
            started.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[RUNS / 2] * 10.0).round() / 10.0
}

fn main() {
    let specs = load_texts(specs());
    assert!(!specs.findings.has_errors(), "{:?}", specs.findings);
    let facts = Facts::default();
    let (mut desired, mut intent) = (Vec::new(), Intent::default());
    let groups: Vec<Group<'_>> = specs.tiers.iter().flat_map(|tier| Group::all_of(&tier.spec)).collect();
    for group in &groups {
        intent.scopes.insert(group.scope(), Treatment::Manage);
        desired.extend(estate::of_infra_group(*group, &facts));
    }
    for tenant in specs.tenants.iter().map(|tenant| &tenant.spec) {
        let home = &*tenant.placement.as_ref().unwrap().infra_group;
        let group = groups.iter().find(|group| *group.group.name == *home).unwrap();
        intent.scopes.insert(group.scope().with_tenant(&tenant.tenant), Treatment::Manage);
        desired.extend(estate::of_tenant(*group, tenant, &facts));
    }
    let estates: Estates<'_> = desired.into_iter().collect();
    let plan = calculate(&estates, &[], &intent);
    let notes = PlanNotes::default();
    let run = RunInfo { time: SystemTime::UNIX_EPOCH, calls: BTreeMap::new() };
    let paint = Paint { color: true, width: 120 };
    let times = serde_json::json!({
        "changes": plan.changes.len(),
        "calculate": milliseconds(|| calculate(&estates, &[], &intent).changes.len()),
        "text": milliseconds(|| plan_text::render(&plan, &paint, &notes).len()),
        "json": milliseconds(|| serde_json::to_string_pretty(&plan_json::document(&plan, &run)).unwrap().len()),
        "markdown": milliseconds(|| plan_markdown::render(&plan, &notes, 60_000).len()),
    });
    println!("{times}");
}
