//! A plan that is kept, looked at by others and carried out later: what it was made of, and what it found.
//!
//! Kept are the specs, not the steps. To carry it out a plan is made anew, and of that one the changes that are the same
//! go ahead: the same action, on a thing that is as it was, towards the same end. Whatever else has come up since is left
//! alone, and whatever the kept plan counted on and is otherwise now is refused by name.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::compare::field_of;
use super::{Action, Change, FieldChange, Plan, Subject, order};
use crate::resources::model::{
    Desired, Fields, Id, Key, Live, Place, Scope, TAG_APPLIED, TAG_CONTENT, TAG_PLAN, TAG_PREFIX, TAG_REVISION, Tags, reference,
};
use crate::resources::{Depth, Kind};
use crate::sha256;

/// Hexadecimal digits of a hash: 48 bits of SHA-256, for a field whose other values are not chosen to be the same.
const HASH_LENGTH: usize = 12;

/// A short hash of each field's value; of tags under `tags.<key>`, and of lists whose order means nothing one of each item,
/// under `<field>/<hash>`.
pub type Fingerprint = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    /// Whether it is about tiers.
    pub tier: bool,
    /// Whether it is about tenants.
    pub tenants: bool,
    pub depth: Depth,
    /// The cells that it is about, where not all, as they were given.
    pub cells: Option<BTreeSet<String>>,
    pub specs: Vec<SavedSpec>,
    /// Where tenants go whose spec does not say so.
    pub placements: Vec<SavedPlacement>,
    pub changes: Vec<SavedChange>,
    pub blocked: Vec<SavedRefusal>,
}

/// A file of specs as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSpec {
    pub path: String,
    /// Where it was only looked up for tenants: the tiers that were meant.
    pub looked_up: Option<Vec<String>>,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlacement {
    pub tier: String,
    pub tenant: String,
    pub cell: String,
    pub infra_group: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedChange {
    pub action: Action,
    pub kind: Kind,
    pub name: String,
    pub scope: Scope,
    pub place: Place,
    /// Id or ARN of the thing that is changed, replaced or deleted; null for one to be made.
    pub id: Option<String>,
    /// What that thing was found to be.
    pub live: Fingerprint,
    /// What there will be; empty where there will be nothing.
    pub wanted: Fingerprint,
}

/// What a plan could not change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSubject {
    pub subject: String,
    pub scope: Scope,
    pub name: String,
}

/// The same, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedRefusal {
    pub what: SavedSubject,
    pub place: Place,
    pub reason: String,
}

/// What of a saved plan can be carried out now.
#[derive(Debug, Clone, PartialEq)]
pub struct Resumed {
    /// Only its changes, or where some of them are refused, only those, each blocked with the reason.
    pub plan: Plan,
    /// Changes of the saved plan that are carried out already.
    pub done: usize,
    /// Changes that have come up since it was made.
    pub left_out: usize,
    /// Whether something is not as the plan found it, so that nothing of it can be carried out.
    pub is_refused: bool,
}

impl SavedPlan {
    pub fn new(plan: &Plan, tier: bool, tenants: bool, cells: Option<BTreeSet<String>>, specs: Vec<SavedSpec>) -> Self {
        let placed = plan.steps().map(|(_, change)| &change.scope).filter_map(|scope| {
            let tenant = scope.tenant.clone()?;
            Some(SavedPlacement { tier: scope.tier.clone(), tenant, cell: scope.cell.clone(), infra_group: scope.infra_group.clone() })
        });
        // What leaves one infra group and is made in another has two homes: its spec says which one it is to have.
        let mut homes: BTreeMap<(String, String), BTreeSet<SavedPlacement>> = BTreeMap::new();
        placed.for_each(|home| {
            homes.entry((home.tier.clone(), home.tenant.clone())).or_default().insert(home);
        });
        let placements = homes.into_values().filter(|homes| homes.len() == 1).flatten().collect();
        let blocked = plan.changes.iter().filter(|change| change.action == Action::Blocked).map(SavedRefusal::of).collect();
        let names = names(plan);
        let changes = plan.steps().filter_map(|(_, change)| SavedChange::of(change, &names)).collect();
        Self { tier, tenants, depth: plan.depth, cells, specs, placements, changes, blocked }
    }

    /// Holds it against a plan that was made now, from the same specs, and what exists now. `id` tells this saved plan from
    /// others: what it makes bears it, so that a run that was broken off can go on.
    pub fn resume(&self, now: Plan, live: &[Live], id: &str) -> Resumed {
        let mut by_key: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        for (index, change) in now.steps() {
            if let Some(key) = change.key() {
                by_key.entry(key).or_default().push(index);
            }
        }
        // Several things may go by one key: duplicates, and the old and the new one of a replacement.
        let claimed: BTreeSet<(Key, &str)> = self.changes.iter().filter_map(|saved| Some((saved.key(), saved.id.as_deref()?))).collect();
        let before: BTreeSet<&SavedSubject> = self.blocked.iter().map(|refusal| &refusal.what).collect();
        let (names, present, barred) = (names(&now), Present::of(live), Barred::by(&now, &before));
        let (mut kept, mut known, mut moved, mut done) = (BTreeMap::new(), BTreeSet::<usize>::new(), Vec::new(), 0);
        for saved in &self.changes {
            let id_of = |index: &usize| now.changes[*index].live.as_ref().map(|live| live.id.as_str());
            let is_same = |index: &&usize| id_of(index) == saved.id.as_deref();
            let is_free = |index: &&usize| id_of(index).is_none_or(|id| !claimed.contains(&(saved.key(), id)));
            let candidates = by_key.get(&saved.key()).map(Vec::as_slice).unwrap_or_default();
            let mine: Vec<usize> = match saved.action {
                // Either half of it may be left.
                Action::Replace => candidates.iter().filter(|index| is_same(index) || is_free(index)).copied().collect(),
                Action::Delete => candidates.iter().find(is_same).into_iter().copied().collect(),
                _ => candidates.iter().find(is_same).or_else(|| candidates.iter().find(is_free)).into_iter().copied().collect(),
            };
            known.extend(&mine);
            if let Some(difference) = mine.iter().find_map(|index| saved.difference(&now.changes[*index], &names, id)) {
                moved.push((saved, difference));
            } else if !mine.is_empty() {
                kept.extend(mine.into_iter().map(|index| (index, saved)));
            } else if let Some(reason) = barred.reason(saved) {
                moved.push((saved, reason));
            } else if present.is_done(saved) {
                done += 1;
            } else {
                let gone = saved.id.as_ref().map(|id| format!("{id} is gone, or nothing has to be done about it any more"));
                moved.push((saved, gone.unwrap_or_else(|| "it cannot be made any more".into())));
            }
        }
        let left_out = now.steps().filter(|(index, _)| !known.contains(index)).count();
        for (index, saved) in &kept {
            let before = predecessors(&now, *index).find(|other| !kept.contains_key(other));
            if let Some(other) = before.map(|other| &now.changes[other]) {
                let what = format!("{} {} of {}", other.subject.name(), other.name, other.scope);
                moved.push((saved, format!("{what} has to be changed before, and the plan does not")));
            }
        }
        let kept: BTreeSet<usize> = kept.into_keys().collect();
        let is_refused = !moved.is_empty();
        let still_refused = self.still_refused(&now);
        let mut plan = if moved.is_empty() {
            self.only(now, &kept, &before)
        } else {
            Plan { warnings: now.warnings, tenants: now.tenants, ..Plan::default() }
        };
        let refused = moved.into_iter().map(|(saved, reason)| {
            let reason = format!("since the plan was made: {reason}");
            Change::blocked(Subject::Resource(saved.kind), &saved.scope, &saved.name, &saved.place, reason)
        });
        plan.add(refused.chain(still_refused).collect(), Vec::new());
        let makes = |change: &&mut Change| matches!(change.action, Action::Create | Action::Replace);
        for desired in plan.changes.iter_mut().filter(makes).filter_map(|change| change.desired.as_mut()) {
            if desired.key.kind.resource().is_tagged() {
                desired.tags.insert(TAG_PLAN.into(), id.into());
            }
        }
        Resumed { plan, done, left_out, is_refused }
    }

    /// Tenants and infra groups that this plan refuses as a whole, and that a plan of its specs says nothing of: they have no
    /// spec among them.
    fn still_refused(&self, now: &Plan) -> Vec<Change> {
        let known: BTreeSet<SavedSubject> =
            now.changes.iter().filter(|change| change.action == Action::Blocked).map(SavedSubject::of).collect();
        let others = self.blocked.iter().filter(|refusal| !known.contains(&refusal.what));
        let whole = others.filter_map(|refusal| {
            let subject = [Subject::Tenant, Subject::InfraGroup].into_iter().find(|subject| subject.name() == refusal.what.subject)?;
            let reason = format!("when the plan was made: {}", refusal.reason);
            Some(Change::blocked(subject, &refusal.what.scope, &refusal.what.name, &refusal.place, reason))
        });
        whole.collect()
    }

    /// The plan without what is not of this one.
    fn only(&self, mut now: Plan, kept: &BTreeSet<usize>, refused: &BTreeSet<&SavedSubject>) -> Plan {
        let keys: BTreeSet<Key> = self.changes.iter().map(SavedChange::key).collect();
        let needed: BTreeSet<usize> = kept
            .iter()
            .flat_map(|index| now.changes[*index].after_waits.iter().chain(&now.changes[*index].delete_after_waits))
            .copied()
            .collect();
        let waits: Vec<usize> =
            (0..now.waits.len()).filter(|index| needed.contains(index) || keys.contains(&now.waits[*index].desired.key)).collect();
        let is_kept = |index: usize, change: &Change| {
            kept.contains(&index) || change.action == Action::Blocked && refused.contains(&SavedSubject::of(change))
        };
        let changes: Vec<usize> = (0..now.changes.len()).filter(|index| is_kept(*index, &now.changes[*index])).collect();
        now.changes = changes.iter().map(|index| now.changes[*index].clone()).collect();
        now.waits = waits.iter().map(|index| now.waits[*index].clone()).collect();
        // `add`, which comes next, says anew what comes before what.
        now.unclaimed.clear();
        now.unchanged = 0;
        now
    }
}

/// Our things by their ids.
pub type Names<'a> = BTreeMap<&'a str, &'a Key>;

fn names(plan: &Plan) -> Names<'_> {
    // A role's ARN is known before the role is there, and nobody refers to targets, which have the ARN of their group.
    let referred = plan.ids.iter().filter(|(key, _)| !matches!(key.kind, Kind::Role | Kind::Targets));
    referred.map(|(key, id)| (id.as_str(), key)).collect()
}

/// The changes without which another cannot be made: what makes or replaces something that it needs, and whoever has to let
/// go of its old thing. That something else is changed in place by the way is no obstacle.
fn predecessors(plan: &Plan, index: usize) -> impl Iterator<Item = usize> {
    let change = &plan.changes[index];
    let old = change.live.as_ref().map(|live| live.id.as_str()).unwrap_or_default();
    let makes = |other: &&usize| {
        let other = &plan.changes[**other];
        matches!(other.action, Action::Create | Action::Replace) || other.subject == Subject::Resource(Kind::TaskDefinition)
    };
    let lets_go = move |other: &&usize| {
        let other = &plan.changes[**other];
        other.action != Action::Update || other.live.as_ref().is_some_and(|live| order::texts(&live.fields).contains(&old))
    };
    change.after.iter().filter(makes).chain(change.delete_after.iter().filter(lets_go)).copied()
}

/// What exists, by whose it is and by id.
struct Present<'a> {
    ours: BTreeMap<Key, Vec<&'a Live>>,
    ids: BTreeSet<(Kind, &'a str)>,
}

impl<'a> Present<'a> {
    fn of(live: &'a [Live]) -> Self {
        let mut ours: BTreeMap<Key, Vec<&Live>> = BTreeMap::new();
        for (key, item) in live.iter().filter_map(|item| Some((item.owner()?, item))) {
            ours.entry(key).or_default().push(item);
        }
        Self { ours, ids: live.iter().map(|item| (item.kind, item.id.as_str())).collect() }
    }

    /// Whether a change about which nothing is planned and nothing is blocked has been carried out.
    fn is_done(&self, saved: &SavedChange) -> bool {
        let there = || self.ours.get(&saved.key()).into_iter().flatten().filter(|live| live.place == saved.place);
        match (saved.action, &saved.id) {
            (Action::Delete, Some(id)) => !self.ids.contains(&(saved.kind, id.as_str())),
            // What it was to put an end to is not all that there is.
            (Action::Replace, Some(id)) => there().any(|live| live.id != *id),
            _ => there().next().is_some(),
        }
    }
}

/// What a plan cannot do, and could when the saved one was made: the reasons.
#[derive(Default)]
struct Barred<'a> {
    things: BTreeMap<Key, &'a str>,
    /// By tier and tenant, wherever it was to be.
    tenants: BTreeMap<(&'a str, &'a str), &'a str>,
    infra_groups: BTreeMap<&'a Scope, &'a str>,
}

impl<'a> Barred<'a> {
    fn by(plan: &'a Plan, before: &BTreeSet<&SavedSubject>) -> Self {
        let mut barred = Self::default();
        let blocked = plan.changes.iter().filter(|change| change.action == Action::Blocked);
        for change in blocked.filter(|change| !before.contains(&SavedSubject::of(change))) {
            let reason = change.reason.as_deref().unwrap_or_default();
            match (change.subject, &change.scope.tenant) {
                (Subject::Resource(kind), _) => drop(barred.things.insert(Key::new(&change.scope, kind, &change.name), reason)),
                (Subject::Tenant, Some(tenant)) => drop(barred.tenants.insert((&change.scope.tier, tenant), reason)),
                _ => drop(barred.infra_groups.insert(&change.scope, reason)),
            }
        }
        barred
    }

    fn reason(&self, saved: &SavedChange) -> Option<String> {
        let of_tenant = || self.tenants.get(&(saved.scope.tier.as_str(), saved.scope.tenant.as_deref()?));
        let of_group = || self.infra_groups.get(&saved.scope.without_tenant());
        self.things.get(&saved.key()).or_else(of_tenant).or_else(of_group).map(|reason| reason.to_string())
    }
}

impl SavedSubject {
    fn of(change: &Change) -> Self {
        Self { subject: change.subject.name().into(), scope: change.scope.clone(), name: change.name.clone() }
    }
}

impl SavedRefusal {
    fn of(change: &Change) -> Self {
        Self { what: SavedSubject::of(change), place: change.place.clone(), reason: change.reason.clone().unwrap_or_default() }
    }
}

impl SavedChange {
    fn of(change: &Change, names: &Names<'_>) -> Option<Self> {
        let Subject::Resource(kind) = change.subject else { return None };
        Some(Self {
            action: change.action,
            kind,
            name: change.name.clone(),
            scope: change.scope.clone(),
            place: change.place.clone(),
            id: change.live.as_ref().map(|live| live.id.clone()),
            live: change.live.as_ref().map(|live| of_live(live, names, &sets(change.desired.as_ref()))).unwrap_or_default(),
            wanted: change.desired.as_ref().map(|desired| of_desired(desired, names)).unwrap_or_default(),
        })
    }

    fn key(&self) -> Key {
        Key::new(&self.scope, self.kind, &self.name)
    }

    /// Why a change that a plan has now is not this one; nothing where it is.
    fn difference(&self, now: &Change, names: &Names<'_>, id: &str) -> Option<String> {
        let Some(current) = Self::of(now, names) else { return Some("it is no longer a change of a thing".into()) };
        let wanted = differing(&self.wanted, &current.wanted);
        if current.action != Action::Delete && !wanted.is_empty() {
            return Some(format!("what it is to become has changed: {}", wanted.join(", ")));
        }
        if current.place != self.place {
            return Some(format!("it is in {} now", current.place));
        }
        let made_by_this = now.live.as_ref().is_some_and(|live| live.tags.get(TAG_PLAN).is_some_and(|plan| plan == id));
        match (self.action, current.action) {
            // A run of this plan was broken off after it had made the thing, and before it was all that it should be.
            (Action::Create | Action::Replace, Action::Update) if made_by_this && now.fields.iter().all(is_unfinished) => return None,
            // Likewise: only the old one is left to delete.
            (Action::Replace, Action::Delete) => {}
            (before, after) if before != after => {
                return Some(match (before, &now.live) {
                    (Action::Create, Some(live)) => format!("{} has been made, and is not as the plan wants it", live.id),
                    (_, None) => format!("{} is gone", self.id.as_deref().unwrap_or("it")),
                    _ => format!("it was to {} it, and now it would have to {} it", verb(before), verb(after)),
                });
            }
            _ => {}
        }
        if current.id != self.id {
            return Some(match (&self.id, &current.id) {
                (Some(before), Some(after)) => format!("{after} has taken the place of {before}"),
                (Some(before), None) => format!("{before} is gone"),
                (None, _) => format!("{} has been made", current.id.unwrap_or_default()),
            });
        }
        // What has reached its end already is no obstacle: a run of this plan was broken off.
        let pending: BTreeSet<&str> = now.fields.iter().map(|field| field_of(&field.path)).collect();
        let is_of_spec = |key: &str| [&self.live, &self.wanted].iter().any(|known| known.contains_key(&format!("tags.{key}")));
        let found = now.live.as_ref().map(|live| of_live(live, names, &is_of_spec)).unwrap_or_default();
        let has_arrived = |entry: &&String| {
            let is_wanted = self.wanted.keys().any(|wanted| field_of(wanted) == field_of(entry));
            let is_there = found.get(*entry) == self.wanted.get(*entry);
            current.action == Action::Update && is_wanted && (is_there || !pending.contains(field_of(entry)))
        };
        // A roll-out of what is wanted has failed: which revision it was, and that it failed, is this plan's own trace.
        let content = format!("tags.{TAG_CONTENT}");
        let was_deployed = self.wanted.contains_key(&content) && found.get(&content) == self.wanted.get(&content);
        let is_trace = |entry: &&String| was_deployed && (entry.as_str() == "rollout" || **entry == format!("tags.{TAG_REVISION}"));
        let live = fields(different(&self.live, &found).filter(|entry| !has_arrived(entry) && !is_trace(entry)));
        (!live.is_empty()).then(|| format!("{} has been changed: {}", current.id.unwrap_or_default(), live.join(", ")))
    }
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "change",
        Action::Replace => "replace",
        Action::Delete => "delete",
        Action::Blocked => "leave",
    }
}

/// Whether a field is as AWS makes it, or a part of what it is to be: set by a later request than the one that makes the thing.
fn is_unfinished(field: &FieldChange) -> bool {
    let is_default = |rule: &Value| rule.get("protocol").and_then(Value::as_str) == Some("-1");
    match (&field.before, &field.after) {
        (Value::Null | Value::Bool(false), _) => true,
        (Value::Array(before), Value::Array(after)) => before.iter().all(|item| after.contains(item) || is_default(item)),
        (Value::Array(before), _) => before.is_empty(),
        (Value::Object(before), _) => before.is_empty(),
        (Value::String(before), _) => before.is_empty(),
        _ => false,
    }
}

/// Names of the fields that are not the same in both.
pub fn differing(one: &Fingerprint, other: &Fingerprint) -> Vec<String> {
    fields(different(one, other))
}

fn different<'a>(one: &'a Fingerprint, other: &'a Fingerprint) -> impl Iterator<Item = &'a String> {
    let entries: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    entries.into_iter().filter(|entry| one.get(*entry) != other.get(*entry))
}

fn fields<'a>(entries: impl Iterator<Item = &'a String>) -> Vec<String> {
    entries.map(|entry| field_of(entry).to_string()).collect::<BTreeSet<String>>().into_iter().collect()
}

/// Fields of a live thing that are compared with specs, and of its tags ours and those that the spec sets.
pub fn of_live(live: &Live, names: &Names<'_>, is_of_spec: &dyn Fn(&str) -> bool) -> Fingerprint {
    // A part has the tags of its whole, which change with that.
    let is_tagged = live.kind.resource().is_tagged();
    let is_ours =
        |key: &str| key.starts_with(TAG_PREFIX) && key != TAG_PLAN && !key.starts_with(TAG_APPLIED) || is_tagged && is_of_spec(key);
    let tags = live.tags.iter().filter(|(key, _)| is_ours(key));
    of(live.kind, &named(&live.fields, names), tags.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// Whether a spec sets a tag.
pub fn sets(desired: Option<&Desired>) -> impl Fn(&str) -> bool {
    move |key| desired.is_some_and(|desired| desired.tags.contains_key(key))
}

/// The lowest free priority is taken when a rule is made: which one that is may change until then. And what stands by now
/// has an id where the plan before had its name.
fn of_desired(desired: &Desired, names: &Names<'_>) -> Fingerprint {
    // These follow from the fields, once they are known.
    let derived = desired.key.kind.resource().derived_tags(&desired.fields);
    let tags = desired.tags.iter().filter(|(key, _)| !derived.contains_key(*key));
    let tags = tags.map(|(key, value)| (key.clone(), value.clone())).collect();
    let mut fingerprint = of(desired.key.kind, &named(&desired.fields, names), tags);
    if desired.key.kind == Kind::ListenerRule {
        fingerprint.remove("priority");
    }
    fingerprint
}

fn of(kind: Kind, fields: &Fields, tags: Tags) -> Fingerprint {
    let mut fingerprint = Fingerprint::new();
    for field in kind.resource().fields() {
        match fields.get(field.name) {
            Some(Value::Array(items)) if field.is_set => {
                fingerprint.extend(items.iter().map(hash).map(|item| (format!("{}/{item}", field.name), item)));
            }
            Some(value) => drop(fingerprint.insert(field.name.to_string(), hash(value))),
            None => {}
        }
    }
    fingerprint.extend(tags.into_iter().map(|(key, value)| (format!("tags.{key}"), hash(&Value::String(value)))));
    fingerprint
}

fn named(fields: &Fields, names: &Names<'_>) -> Fields {
    fields.iter().map(|(name, value)| (name.clone(), by_name(value, names))).collect()
}

/// A value with every id of our things in the form of a reference.
fn by_name(value: &Value, names: &Names<'_>) -> Value {
    match value {
        Value::String(text) => names.get(text.as_str()).map_or_else(|| value.clone(), |key| json!(Id::Of((*key).clone()))),
        Value::Array(items) => items.iter().map(|item| by_name(item, names)).collect(),
        Value::Object(_) if reference(value).is_some() => value.clone(),
        Value::Object(items) => Value::Object(items.iter().map(|(key, item)| (key.clone(), by_name(item, names))).collect()),
        other => other.clone(),
    }
}

fn hash(value: &Value) -> String {
    sha256::hex(value.to_string().as_bytes(), HASH_LENGTH)
}
