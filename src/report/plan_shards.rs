//! Plans as JSON, read again and joined: a pipeline plans each cell in a job of its own.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde_json::{Value, json};

use super::plan_json::{ChangeDocument, PlanDocument, UnreadDocument, WaitDocument, WaitState};
use super::{FORMAT_VERSION, Identity, RunDocument, RunInfo};
use crate::aws::CallCount;
use crate::plan::{Action, Change, Plan, PlannedCell, Subject, Unclaimed, Unread, Wait};
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
    #[error("it is a saved plan, for `tierctl apply --plan`, which has no report in it")]
    Saved,
    #[error("it has version {0} of the format, and this tierctl reads {FORMAT_VERSION}")]
    Version(String),
}

/// Reads what `plan --format json` has printed.
pub fn read(text: &str) -> Result<Shard, NoPlan> {
    let value: Value = serde_json::from_str(text).map_err(|error| NoPlan::Foreign(error.to_string()))?;
    if value.get("format_version").is_some_and(Value::is_u64) {
        return Err(NoPlan::Saved);
    }
    let version = value.get("format_version").and_then(Value::as_str).unwrap_or_default().to_string();
    let is_foreign = version.is_empty() || value.get("changes").is_none();
    if !is_foreign && version != FORMAT_VERSION {
        return Err(NoPlan::Version(version));
    }
    let document: PlanDocument<'_> = serde_json::from_value(value).map_err(|error| NoPlan::Foreign(error.to_string()))?;
    let mut plan = Plan {
        unchanged: document.summary.unchanged,
        warnings: document.warnings.into_owned(),
        exceeded: document.exceeded.into_owned(),
        cells: document.cells.into_iter().map(Cow::into_owned).collect(),
        other_cells: document.other_cells.into_iter().map(Cow::into_owned).collect(),
        unread: document.unread.iter().map(unread).collect(),
        depth: document.depth,
        services_from_tags: document.services_from_tags,
        elsewhere: document.elsewhere.iter().map(|one| (one.tier.to_string(), one.tenant.to_string())).collect(),
        ..Plan::default()
    };
    let mut dependents: BTreeMap<Scope, usize> = BTreeMap::new();
    for one in &document.changes {
        let change = change(one)?;
        dependents.extend(one.dependents.map(|number| (change.scope.clone(), number)));
        plan.changes.push(change);
    }
    for (scope, number) in dependents.into_iter().filter(|(_, number)| *number > 0) {
        // Of tenants that live there only how many they are is known, but for those of whom something is changed.
        let living = plan.changes.iter().filter(|change| change.action != Action::Create && change.scope.without_tenant() == scope);
        let mut tenants: BTreeSet<String> = living.filter_map(|change| change.scope.tenant.clone()).take(number).collect();
        tenants.extend((tenants.len()..number).map(|number| number.to_string()));
        plan.tenants.insert(scope, tenants);
    }
    for one in &document.unclaimed {
        plan.unclaimed.push(Unclaimed { key: key(&one.identity)?, place: one.located.place(), id: one.id.to_string() });
    }
    for one in &document.waits {
        plan.waits.push(wait(one)?);
    }
    Ok(Shard { plan, run: run(document.run) })
}

fn kind(identity: &Identity<'_>) -> Result<Kind, NoPlan> {
    serde_json::from_value(json!(identity.kind)).map_err(|error| NoPlan::Foreign(error.to_string()))
}

fn key(identity: &Identity<'_>) -> Result<Key, NoPlan> {
    Ok(Key::new(&identity.scope(), kind(identity)?, identity.name.to_string()))
}

fn change(document: &ChangeDocument<'_>) -> Result<Change, NoPlan> {
    let identity = &document.identity;
    let whole = [Subject::Tenant, Subject::InfraGroup].into_iter().find(|subject| subject.name() == identity.kind);
    let subject = whole.map_or_else(|| kind(identity).map(Subject::Resource), Ok)?;
    let place = document.located.place();
    let mut change = Change::blocked(subject, &identity.scope(), &identity.name, &place, String::new());
    change.action = document.action;
    change.reason = document.reason.as_deref().map(String::from);
    change.origin = document.origin;
    if let Some(key) = change.key() {
        change.live = document.id.as_ref().map(|id| {
            let live = Live::new(key.kind, &place, id.as_ref(), Tags::new(), &Fields::new());
            let condition = document.waits_for.as_deref().map_or(Condition::Ready, |somebody| Condition::Blocked(somebody.into()));
            live.in_condition(condition)
        });
        if document.action == Action::Create {
            let fields: Fields = document.fields.iter().map(|field| (field.path.clone(), field.after.clone())).collect();
            change.desired = Some(Desired::new(key, &place, &fields, &Tags::new()));
        }
    }
    change.fields = document.fields.to_vec();
    Ok(change)
}

fn unread(document: &UnreadDocument<'_>) -> Unread {
    Unread {
        tier: document.tier.to_string(),
        cell: document.cell.to_string(),
        place: document.located.place(),
        reason: document.reason.to_string(),
        remedy: document.remedy.to_string(),
    }
}

fn wait(document: &WaitDocument<'_>) -> Result<Wait, NoPlan> {
    let (key, place, reason) = (key(&document.identity)?, document.located.place(), document.reason.to_string());
    let condition = match document.state {
        WaitState::Pending => Condition::Pending(reason),
        WaitState::Blocked => Condition::Blocked(reason),
        WaitState::Failed => Condition::Failed(reason),
        WaitState::Leaving => Condition::Leaving(reason),
    };
    let live = Live::new(key.kind, &place, String::new(), Tags::new(), &Fields::new()).in_condition(condition);
    Ok(Wait { desired: Desired::new(key, &place, &Fields::new(), &Tags::new()), live, after: Vec::new() })
}

fn run(document: RunDocument) -> RunInfo {
    let mut calls: BTreeMap<String, CallCount> = BTreeMap::new();
    let mut add = |services: BTreeMap<String, BTreeMap<String, u64>>, count: fn(&mut CallCount) -> &mut u64| {
        for (service, actions) in services {
            for (action, number) in actions {
                *count(calls.entry(format!("{service}:{action}")).or_default()) += number;
            }
        }
    };
    add(document.calls, |count| &mut count.calls);
    add(document.polls, |count| &mut count.polls);
    RunInfo { time: humantime::parse_rfc3339(&document.time).unwrap_or(SystemTime::UNIX_EPOCH), calls }
}

/// What is not known of some plans that are one: what could not be read and no other has, as after a job was run again, and cells
/// that each leaves to another.
fn unknown(plan: &Plan) -> Vec<Unread> {
    let mut known: BTreeSet<(&str, &str)> = plan.cells.iter().map(|cell| (cell.tier.as_str(), cell.cell.as_str())).collect();
    let unread = plan.unread.iter().filter(|unread| !known.contains(&(unread.tier.as_str(), unread.cell.as_str())));
    let mut unknown: Vec<Unread> = unread.cloned().collect();
    known.extend(plan.unread.iter().map(|unread| (unread.tier.as_str(), unread.cell.as_str())));
    let missing = plan.other_cells.iter().filter(|cell| !known.contains(&(cell.tier.as_str(), cell.cell.as_str())));
    unknown.extend(missing.map(|cell| Unread {
        tier: cell.tier.clone(),
        cell: cell.cell.clone(),
        place: Place { account: cell.account.clone(), region: cell.region.clone() },
        reason: "its plan is not among these".into(),
        remedy: format!("`tierctl plan --cell {}/{} --format json` makes it", cell.tier, cell.cell),
    }));
    unknown
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
    let (mut warnings, mut exceeded) = (Vec::new(), BTreeSet::new());
    // No more can be said of all than of each.
    merged.plan.depth = shards.iter().map(|shard| shard.plan.depth).min().unwrap_or_default();
    for Shard { plan, run } in shards {
        if let Some(twice) = plan.cells.iter().find(|cell| merged.plan.cells.contains(cell)) {
            return Err(twice.clone());
        }
        merged.plan.cells.extend(plan.cells);
        merged.plan.changes.extend(plan.changes);
        merged.plan.unchanged += plan.unchanged;
        merged.plan.waits.extend(plan.waits);
        merged.plan.tenants.extend(plan.tenants);
        merged.plan.other_cells.extend(plan.other_cells);
        merged.plan.unread.extend(plan.unread);
        merged.plan.services_from_tags += plan.services_from_tags;
        merged.plan.elsewhere.extend(plan.elsewhere.into_iter().filter(is_nowhere));
        merged.plan.unclaimed.extend(plan.unclaimed);
        warnings.extend(plan.warnings);
        exceeded.extend(plan.exceeded);
        merged.run.time = merged.run.time.max(run.time);
        for (action, count) in run.calls {
            let sum = merged.run.calls.entry(action).or_default();
            *sum = CallCount { calls: sum.calls + count.calls, polls: sum.polls + count.polls };
        }
    }
    merged.plan.unread = unknown(&merged.plan);
    merged.plan.other_cells.clear();
    merged.plan.exceeded = exceeded.into_iter().collect();
    merged.plan.add(Vec::new(), warnings);
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Limits;
    use crate::report::plan_json;
    use crate::report::testing::{acme, field, group, plan, run, update};

    fn again(plan: &Plan) -> Plan {
        read(&json!(plan_json::document(plan, &run())).to_string()).map(|shard| shard.plan).unwrap_or_default()
    }

    #[test]
    fn what_waits_for_somebody_is_blocked_still() {
        let mut endpoint = update(&group(), Kind::VpcEndpoint, "cache", "vpce-1", vec![field("tags.team", json!("a"), json!("b"))]);
        let waiting = Condition::Blocked("its owner has to accept it".into());
        endpoint.live = endpoint.live.map(|live| live.in_condition(waiting.clone()));
        let plan = plan(vec![endpoint]);
        assert!(plan.is_blocked() && again(&plan).is_blocked());
        assert_eq!(again(&plan).changes[0].live.as_ref().map(|live| live.condition.clone()), Some(waiting));
    }

    #[test]
    fn a_tenant_that_changes_is_one_of_those_that_depend_on_its_tier() {
        let changed = vec![field("x", json!(1), json!(2))];
        let changes = vec![
            update(&group(), Kind::SecurityGroup, "tasks", "sg-1", changed.clone()),
            update(&acme(), Kind::Service, "service", "arn", changed),
        ];
        let living = ["acme", "globex", "initech"].map(String::from);
        let plan = Plan { tenants: [(group(), living.into())].into(), ..plan(changes) };
        for (most, exceeds) in [(3, false), (2, true)] {
            let limits = Limits { deletes: None, tenants: Some(most) };
            assert_eq!((!limits.exceeded_by(&plan).is_empty(), !limits.exceeded_by(&again(&plan)).is_empty()), (exceeds, exceeds));
        }
    }

    fn cell(name: &str) -> PlannedCell {
        let Place { account, region } = crate::report::testing::place();
        PlannedCell { tier: "high-tps".into(), cell: name.into(), account, region }
    }

    #[test]
    fn a_cell_whose_plan_is_missing_is_not_known() {
        let shard = |own: &str, other: &str| {
            let plan = Plan { cells: [cell(own)].into(), other_cells: [cell(other)].into(), ..Plan::default() };
            Shard { plan: again(&plan), run: run() }
        };
        let (one, two) = (shard("cell-1", "cell-2"), shard("cell-2", "cell-1"));
        let alone = merge(vec![one.clone()]).map(|merged| merged.plan.unread).unwrap_or_default();
        assert_eq!(alone.iter().map(|unread| unread.cell.as_str()).collect::<Vec<_>>(), ["cell-2"]);
        assert_eq!(merge(vec![one, two]).map(|merged| merged.plan.unread), Ok(Vec::new()));
    }
}
