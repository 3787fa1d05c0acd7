//! Plans as JSON, read again and joined: a pipeline plans each cell in a job of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{FORMAT_VERSION, RunInfo};
use crate::aws::CallCount;
use crate::plan::{Action, Change, FieldChange, Origin, Plan, PlannedCell, Subject, Unclaimed, Unread, Wait};
use crate::resources::Kind;
use crate::resources::model::{Condition, Desired, Fields, Key, Live, Place, Scope, Tags};

/// A plan as it was printed; what is not said of its things is unknown.
#[derive(Debug, Clone, PartialEq)]
pub struct Shard {
    pub plan: Plan,
    pub run: RunInfo,
}

/// Why a text is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    #[error("it is not what `tierctl plan --format json` prints: {0}")]
    Foreign(String),
    #[error("it has version {0} of the format, and this tierctl reads {FORMAT_VERSION}")]
    Version(String),
}

#[derive(Deserialize)]
struct PlanText {
    summary: SummaryText,
    cells: Vec<PlannedCell>,
    changes: Vec<ChangeText>,
    unclaimed: Vec<ThingText>,
    unread: Vec<UnreadText>,
    elsewhere: Vec<TenantText>,
    waits: Vec<WaitText>,
    exceeded: Vec<String>,
    warnings: Vec<String>,
    run: RunText,
}

#[derive(Deserialize)]
struct SummaryText {
    unchanged: usize,
}

#[derive(Deserialize)]
struct ChangeText {
    action: Action,
    kind: String,
    name: String,
    tier: String,
    cell: String,
    infra_group: String,
    tenant: Option<String>,
    account: String,
    region: String,
    fields: Vec<FieldChange>,
    id: Option<String>,
    origin: Option<Origin>,
    reason: Option<String>,
    dependents: Option<usize>,
}

#[derive(Deserialize)]
struct ThingText {
    kind: Kind,
    name: String,
    tier: String,
    cell: String,
    infra_group: String,
    tenant: Option<String>,
    account: String,
    region: String,
    id: String,
}

#[derive(Deserialize)]
struct UnreadText {
    tier: String,
    cell: String,
    account: String,
    region: String,
    reason: String,
    remedy: String,
}

#[derive(Deserialize)]
struct TenantText {
    tier: String,
    tenant: String,
}

#[derive(Deserialize)]
struct WaitText {
    kind: Kind,
    name: String,
    tier: String,
    cell: String,
    infra_group: String,
    tenant: Option<String>,
    account: String,
    region: String,
    state: String,
    reason: String,
}

#[derive(Deserialize)]
struct RunText {
    time: String,
    calls: BTreeMap<String, BTreeMap<String, u64>>,
    polls: BTreeMap<String, BTreeMap<String, u64>>,
}

/// Reads what `plan --format json` has printed.
pub fn read(text: &str) -> Result<Shard, NoPlan> {
    let value: Value = serde_json::from_str(text).map_err(|error| NoPlan::Foreign(error.to_string()))?;
    let version = value.get("format_version").and_then(Value::as_str).unwrap_or_default().to_string();
    let is_foreign = version.is_empty() || value.get("changes").is_none();
    if !is_foreign && version != FORMAT_VERSION {
        return Err(NoPlan::Version(version));
    }
    let text: PlanText = serde_json::from_value(value).map_err(|error| NoPlan::Foreign(error.to_string()))?;
    let mut plan = Plan { unchanged: text.summary.unchanged, warnings: text.warnings, exceeded: text.exceeded, ..Plan::default() };
    plan.cells = text.cells.into_iter().collect();
    for one in text.changes {
        let change = change(&one).map_err(NoPlan::Foreign)?;
        if let Some(dependents) = one.dependents.filter(|number| *number > 0) {
            // Of tenants that live there only how many they are is known.
            plan.tenants.entry(change.scope.clone()).or_insert_with(|| (0..dependents).map(|number| number.to_string()).collect());
        }
        plan.changes.push(change);
    }
    plan.unclaimed = text.unclaimed.into_iter().map(unclaimed).collect();
    plan.unread = text.unread.into_iter().map(unread).collect();
    plan.elsewhere = text.elsewhere.into_iter().map(|tenant| (tenant.tier, tenant.tenant)).collect();
    plan.waits = text.waits.into_iter().map(wait).collect();
    Ok(Shard { plan, run: run(text.run) })
}

fn scope(tier: String, cell: String, infra_group: String, tenant: Option<String>) -> Scope {
    Scope { tier, cell, infra_group, tenant }
}

fn change(text: &ChangeText) -> Result<Change, String> {
    let whole = [Subject::Tenant, Subject::InfraGroup].into_iter().find(|subject| subject.name() == text.kind);
    let subject = match whole {
        Some(subject) => subject,
        None => Subject::Resource(serde_json::from_value(json!(text.kind)).map_err(|error| error.to_string())?),
    };
    let scope = scope(text.tier.clone(), text.cell.clone(), text.infra_group.clone(), text.tenant.clone());
    let place = Place { account: text.account.clone(), region: text.region.clone() };
    let mut change = Change::blocked(subject, &scope, &text.name, &place, String::new());
    change.action = text.action;
    change.reason.clone_from(&text.reason);
    change.origin = text.origin;
    if let Subject::Resource(kind) = subject {
        change.live = text.id.as_ref().map(|id| Live::new(kind, &place, id, Tags::new(), &Fields::new()));
        if text.action == Action::Create {
            let fields: Fields = text.fields.iter().map(|field| (field.path.clone(), field.after.clone())).collect();
            change.desired = Some(Desired::new(Key::new(&scope, kind, &text.name), &place, &fields, &Tags::new()));
        }
    }
    change.fields.clone_from(&text.fields);
    Ok(change)
}

fn unclaimed(text: ThingText) -> Unclaimed {
    let scope = scope(text.tier, text.cell, text.infra_group, text.tenant);
    Unclaimed { key: Key::new(&scope, text.kind, text.name), place: Place { account: text.account, region: text.region }, id: text.id }
}

fn unread(text: UnreadText) -> Unread {
    let place = Place { account: text.account, region: text.region };
    Unread { tier: text.tier, cell: text.cell, place, reason: text.reason, remedy: text.remedy }
}

fn wait(text: WaitText) -> Wait {
    let place = Place { account: text.account, region: text.region };
    let key = Key::new(&scope(text.tier, text.cell, text.infra_group, text.tenant), text.kind, text.name);
    let condition = match text.state.as_str() {
        "blocked" => Condition::Blocked(text.reason),
        "failed" => Condition::Failed(text.reason),
        "leaving" => Condition::Leaving(text.reason),
        _ => Condition::Pending(text.reason),
    };
    let live = Live::new(key.kind, &place, String::new(), Tags::new(), &Fields::new()).in_condition(condition);
    Wait { desired: Desired::new(key, &place, &Fields::new(), &Tags::new()), live, after: Vec::new() }
}

fn run(text: RunText) -> RunInfo {
    let mut calls: BTreeMap<String, CallCount> = BTreeMap::new();
    for (service, actions) in text.calls {
        for (action, number) in actions {
            calls.entry(format!("{service}:{action}")).or_default().calls += number;
        }
    }
    for (service, actions) in text.polls {
        for (action, number) in actions {
            calls.entry(format!("{service}:{action}")).or_default().polls += number;
        }
    }
    RunInfo { time: humantime::parse_rfc3339(&text.time).unwrap_or(SystemTime::UNIX_EPOCH), calls }
}

/// One plan of all of them. What several say of one account is said once; a cell that is in two of them is an error, and is
/// returned.
pub fn merge(shards: Vec<Shard>) -> Result<Shard, PlannedCell> {
    let mut merged = Shard { plan: Plan::default(), run: RunInfo { time: SystemTime::UNIX_EPOCH, calls: BTreeMap::new() } };
    // Where a tenant without a placement lives is known to the plan of that cell, which does not name it.
    let tiers = |plan: &Plan| -> BTreeSet<String> { plan.cells.iter().map(|cell| cell.tier.clone()).collect() };
    let asked: Vec<_> = shards.iter().map(|shard| (tiers(&shard.plan), shard.plan.elsewhere.clone())).collect();
    let is_nowhere = |tenant: &(String, String)| {
        asked.iter().filter(|(tiers, _)| tiers.contains(&tenant.0)).all(|(_, elsewhere)| elsewhere.contains(tenant))
    };
    let (mut unclaimed, mut warnings, mut exceeded) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for Shard { plan, run } in shards {
        if let Some(twice) = plan.cells.iter().find(|cell| merged.plan.cells.contains(cell)) {
            return Err(twice.clone());
        }
        merged.plan.cells.extend(plan.cells);
        merged.plan.changes.extend(plan.changes);
        merged.plan.unchanged += plan.unchanged;
        merged.plan.waits.extend(plan.waits);
        merged.plan.tenants.extend(plan.tenants);
        merged.plan.unread.extend(plan.unread);
        merged.plan.elsewhere.extend(plan.elsewhere.into_iter().filter(is_nowhere));
        unclaimed.extend(plan.unclaimed);
        warnings.extend(plan.warnings);
        exceeded.extend(plan.exceeded);
        merged.run.time = merged.run.time.max(run.time);
        for (action, count) in run.calls {
            let sum = merged.run.calls.entry(action).or_default();
            *sum = CallCount { calls: sum.calls + count.calls, polls: sum.polls + count.polls };
        }
    }
    merged.plan.unclaimed = unclaimed.into_iter().collect();
    merged.plan.exceeded = exceeded.into_iter().collect();
    merged.plan.add(Vec::new(), warnings.into_iter().collect());
    Ok(merged)
}
