//! Desired against live: for each thing what has to be done, or why it cannot be.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use super::attribution::{self, Origin};
use super::compare::{self, FieldChange};
use super::{Action, Change, Estates, Intent, Plan, Subject, Treatment, Unclaimed, Wait, order};
use crate::estate::{names, tenant};
use crate::resources::Kind;
use crate::resources::model::{
    Condition, Desired, Fields, Id, Key, Live, Scope, TAG_CONTENT, TAG_PREFIX, TAG_REVISION, choices, references,
};
use crate::resources::{cluster, listener_rule};
use crate::words::count;

/// Why a role of ours under another name is not replaced.
const ANOTHER_PLACE: &str = "its name stands for partition, account, Region and infra group, and one of these has changed: that is another \
    cell. Set it back, or add a cell for the new one, move the tenants there, and retire this one";
/// Security groups that tenants' traffic goes through; those of endpoints go with their downstream.
const TENANTS_GROUPS: &[&str] = &["tasks", "load-balancer"];

/// Why something protected stays.
const PROTECTED: &str = "it is protected: its spec has `protect: true`. If it is to go, set that to false, and run again";

/// What has to be done so that what exists becomes what is desired, as far as the intent allows.
pub fn calculate(estates: &Estates<'_>, live: &[Live], intent: &Intent) -> Plan {
    Calculation::new(estates, live, intent).run()
}

/// Things known by their tags alone that have to be read before the plan can say more: those that are not as desired, services
/// that are there twice, of which only one may be where it belongs, and in an infra group of which something goes all services,
/// for they may use it. Not what was asked for already: AWS does not show it any more. What a service runs comes after the
/// service, which may tell another revision than its tags do.
pub fn unread(plan: &Plan, live: &[Live], asked: &BTreeSet<(Key, String)>) -> BTreeSet<(Key, String)> {
    let differs = |change: &&Change| !matches!(change.action, Action::Create | Action::Delete);
    let different = plan.changes.iter().filter(differs).filter_map(|change| Some((change.key()?, change.live.as_ref()?)));
    let goes = |change: &&Change| !change.is_tenants() && matches!(change.action, Action::Delete | Action::Replace);
    let groups: BTreeSet<&Scope> = plan.changes.iter().filter(goes).map(|change| &change.scope).collect();
    let services: Vec<(Key, &Live)> =
        live.iter().filter(|item| item.kind == Kind::Service).filter_map(|item| Some((item.owner()?, item))).collect();
    let mut numbers: BTreeMap<&Key, usize> = BTreeMap::new();
    services.iter().for_each(|(key, _)| *numbers.entry(key).or_default() += 1);
    let is_twice = |key: &Key| numbers.get(key).is_some_and(|number| *number > 1);
    let doubtful = services.iter().filter(|(key, item)| is_twice(key) || groups.iter().any(|group| item.is_in(group)));
    let unread = different.chain(doubtful.map(|(key, item)| (key.clone(), *item)));
    let unread = unread.filter(|(_, live)| live.is_summary()).map(|(key, live)| (key, live.id.clone()));
    let mut unread: BTreeSet<(Key, String)> = unread.filter(|item| !asked.contains(item)).collect();
    let services: BTreeSet<Scope> = unread.iter().filter(|(key, _)| key.kind == Kind::Service).map(|(key, _)| key.scope.clone()).collect();
    unread.retain(|(key, _)| key.kind != Kind::TaskDefinition || !services.contains(&key.scope));
    unread
}

/// What a reference leads to while the plan is made.
#[derive(Debug, Clone)]
enum State {
    Stands(String),
    /// It will be made, or made anew.
    Unknown,
}

struct Calculation<'a> {
    intent: &'a Intent,
    /// In an order of its own, so that the plan does not depend on the order in which AWS lists things.
    live: Vec<&'a Live>,
    /// Ours, by identity.
    ours: BTreeMap<Key, Vec<&'a Live>>,
    /// Those of these that no spec wants, though their infra group or tenant is managed.
    unwanted: BTreeSet<Key>,
    /// Everything that some live thing refers to, unless it is its own security group.
    used: HashSet<&'a str>,
    /// Tenants that live in an infra group and stay.
    tenants: BTreeMap<Scope, BTreeSet<String>>,
    states: BTreeMap<Key, State>,
    /// What does not exist and cannot be made.
    refused: BTreeSet<Key>,
    /// Infra groups of which a part has to stay as it is, and that part.
    held: BTreeMap<Scope, String>,
    /// What infra groups have in another account or Region than their spec says.
    misplaced: BTreeMap<Scope, Vec<&'a Live>>,
    /// Values that have been chosen for things to be made.
    chosen: BTreeSet<(Scope, Kind, String)>,
    /// Everything that should exist.
    estates: &'a Estates<'a>,
    /// Live things that are to be another of our things from now on: they have been renamed in the spec.
    renamed: BTreeSet<&'a str>,
    /// A rule, and one whose old route it takes over.
    successions: Vec<Succession>,
    duplicates: Vec<Duplicate<'a>>,
    /// Those of these that go, by kind and id.
    superfluous: BTreeSet<(Kind, String)>,
    plan: Plan,
}

/// Of two things with one identity the one that is not kept.
struct Duplicate<'a> {
    key: Key,
    kept: &'a Live,
    other: &'a Live,
    /// Whether it could not stay as it is anyway.
    is_outdated: bool,
}

struct Succession {
    heir: Key,
    /// It has to let go of the route first.
    holder: Key,
    /// What is said where each waits for the other.
    said: String,
}

impl<'a> Calculation<'a> {
    fn new(estates: &'a Estates<'a>, live: &'a [Live], intent: &'a Intent) -> Self {
        let mut ours: BTreeMap<Key, Vec<&Live>> = BTreeMap::new();
        let mut tenants: BTreeMap<Scope, BTreeSet<String>> = BTreeMap::new();
        let mut used = HashSet::new();
        let mut misplaced: BTreeMap<Scope, Vec<&Live>> = BTreeMap::new();
        let mut live: Vec<&Live> = live.iter().collect();
        live.sort_by_key(|item| (item.kind, &item.id, &item.place));
        for item in &live {
            // A group's own rules do not make the group used.
            let own = item.text("group_id").unwrap_or_default();
            used.extend(order::texts(&item.fields).into_iter().filter(|text| *text != own));
            let Some(key) = item.owner() else { continue };
            if intent.is_misplaced(&key, item) {
                misplaced.entry(key.scope.without_tenant()).or_default().push(item);
                continue;
            }
            let stays = !matches!(item.condition, Condition::Leaving(_)) && intent.of(&key.scope) != Some(Treatment::Remove);
            if let Some(tenant) = key.scope.tenant.clone().filter(|_| stays) {
                tenants.entry(key.scope.without_tenant()).or_default().insert(tenant);
            }
            ours.entry(key).or_default().push(*item);
        }
        Self {
            intent,
            live,
            ours,
            unwanted: BTreeSet::new(),
            used,
            tenants,
            states: BTreeMap::new(),
            refused: BTreeSet::new(),
            held: BTreeMap::new(),
            misplaced,
            chosen: BTreeSet::new(),
            estates,
            renamed: BTreeSet::new(),
            successions: Vec::new(),
            duplicates: Vec::new(),
            superfluous: BTreeSet::new(),
            plan: Plan::default(),
        }
    }

    fn run(mut self) -> Plan {
        // Kinds are listed so that each refers only to those before it, and tenants only to their tier.
        for scope in self.estates.scopes() {
            match self.intent.of(scope) {
                Some(Treatment::Manage) => {
                    let things = self.estates.of(scope);
                    self.unwanted.extend(self.rest_of(scope, &things));
                    things.into_owned().into_iter().for_each(|thing| self.manage(thing));
                }
                Some(Treatment::Observe) => self.estates.of(scope).iter().for_each(|thing| self.observe(thing)),
                Some(Treatment::Remove) | None => {}
            }
        }
        self.remove_the_rest();
        self.settle_duplicates();
        self.unclaimed();
        self.hold_back();
        self.refuse_moves();
        self.order_successions();
        let living: BTreeSet<Scope> = self.ours.keys().map(|key| key.scope.clone()).collect();
        for change in &mut self.plan.changes {
            change.origin = change.origin.or_else(|| attribution::of_change(change, &living));
        }
        sort(&mut self.plan.changes, &mut self.plan.waits);
        let ids = self.states.into_iter().filter_map(|(key, state)| match state {
            State::Stands(id) => Some((key, id)),
            State::Unknown => None,
        });
        self.plan.ids = ids.collect();
        self.plan.tenants = self.tenants;
        self.plan
    }

    /// What there is of ours in an infra group, or of a tenant, besides these.
    fn rest_of(&self, scope: &Scope, things: &[Desired]) -> Vec<Key> {
        let first = Key::new(scope, Kind::ALL[0], "");
        let here = self.ours.range(first..).map(|(key, _)| key).take_while(|key| key.scope == *scope);
        here.filter(|key| !things.iter().any(|thing| thing.key == **key)).cloned().collect()
    }

    fn observe(&mut self, desired: &Desired) {
        // The same that an apply would let stand.
        let candidates = self.standing(&desired.key).into_iter();
        if let Some(live) = candidates.min_by_key(|live| (live.condition != Condition::Ready, Reverse(self.weight(live)), &live.id)) {
            self.states.insert(desired.key.clone(), State::Stands(live.id.clone()));
        }
    }

    fn standing(&self, key: &Key) -> Vec<&'a Live> {
        let candidates = self.ours.get(key).into_iter().flatten();
        candidates.copied().filter(|live| !matches!(live.condition, Condition::Leaving(_))).collect()
    }

    /// The desired thing with every reference that is known in the place of its key.
    fn resolved(&self, mut desired: Desired) -> Desired {
        let id_of = |key: &Key| match self.states.get(key) {
            Some(State::Stands(id)) => Some(id.clone()),
            _ => None,
        };
        compare::resolve(&mut desired.fields, &id_of);
        desired.tags.extend(desired.key.kind.resource().derived_tags(&desired.fields));
        desired
    }

    fn manage(&mut self, desired: Desired) {
        let key = desired.key.clone();
        let kind = key.kind;
        let resolved = self.resolved(desired);
        let mut candidates: Vec<(&Live, Vec<FieldChange>)> =
            self.standing(&key).into_iter().map(|live| (live, self.differences(&resolved, live))).collect();
        if candidates.iter().all(|(_, changes)| must_replace(changes)) {
            let renamed = self.under_another_name(&resolved);
            candidates.extend(renamed.map(|live| (live, self.differences(&resolved, live))));
        }
        // Of two with one identity the one that can stay as it is, then the one that more depends on, then the first by id.
        candidates.sort_by_cached_key(|(live, changes)| {
            let (tenants, balancers, uses) = self.weight(live);
            let depends = (Reverse(tenants), Reverse(balancers));
            (must_replace(changes), live.condition != Condition::Ready, depends, !changes.is_empty(), Reverse(uses), live.id.clone())
        });
        let mut candidates = candidates.into_iter();
        let Some((live, fields)) = candidates.next() else {
            self.create(resolved);
            return;
        };
        self.plan.services_from_tags += usize::from(kind == Kind::Service && live.is_summary());
        self.duplicates.extend(candidates.map(|(other, changes)| Duplicate {
            key: key.clone(),
            kept: live,
            other,
            is_outdated: must_replace(&changes),
        }));
        if fields.is_empty() {
            self.plan.unchanged += 1;
            self.states.insert(key.clone(), State::Stands(live.id.clone()));
            if live.condition != Condition::Ready {
                self.plan.waits.push(Wait { desired: resolved, live: live.clone(), after: Vec::new() });
            }
            return;
        }
        if let Some(reason) = self.unmet(&resolved) {
            self.states.insert(key.clone(), State::Stands(live.id.clone()));
            self.push(Action::Blocked, &resolved.key, Some(resolved.clone()), Some(live.clone()), fields, Some(reason));
            return;
        }
        let replaced = must_replace(&fields);
        // Found by its tags in every Region: under another name it is the role of another account or Region.
        let is_another = kind == Kind::Role && fields.iter().any(|field| field.path == "role_name");
        let refusal = match is_another {
            true => Some(ANOTHER_PLACE.to_string()),
            false if replaced => self.guard(&key, live, "replaced"),
            false => None,
        };
        if let Some(reason) = refusal {
            self.states.insert(key.clone(), State::Stands(live.id.clone()));
            self.held.entry(key.scope.clone()).or_insert_with(|| format!("{kind} {} cannot be replaced", key.name));
            let reason = format!("{}: {reason}", replacement_reason(&fields));
            self.push(Action::Blocked, &resolved.key, Some(resolved.clone()), Some(live.clone()), fields, Some(reason));
            return;
        }
        if replaced {
            let resolved = self.with_choices(resolved);
            if let Some(reason) = self.name_held(&resolved) {
                self.states.insert(key.clone(), State::Stands(live.id.clone()));
                self.push(Action::Blocked, &resolved.key, Some(resolved.clone()), Some(live.clone()), fields, Some(reason));
                return;
            }
            self.states.insert(key.clone(), State::Unknown);
            let reason = replacement_reason(&fields);
            if kind == Kind::TargetGroup {
                // ECS registers tasks only in a target group that a rule leads to, so that the rule moves first.
                let scope = &key.scope;
                self.plan.warnings.push(format!(
                    "{scope}: its rule moves to a new target group, and its requests get 503 until the first new task is healthy; if \
                     the roll-out fails, until the cause is mended and it is onboarded again"
                ));
            }
            self.push(Action::Replace, &resolved.key, Some(resolved.clone()), Some(live.clone()), fields, Some(reason));
            return;
        }
        if let Some(reason) = self.collision(&resolved, Some(live)) {
            self.push(Action::Blocked, &resolved.key, Some(resolved.clone()), Some(live.clone()), fields, Some(reason));
            return;
        }
        // The change alone does not make it work.
        if let Some(reason) = live.condition.reason().filter(|_| matches!(live.condition, Condition::Blocked(_) | Condition::Failed(_))) {
            self.plan.warnings.push(format!("{}: {kind} {} is not ready: {reason}", key.scope, key.name));
        }
        // A changed task definition is another revision, with another ARN.
        let state = if kind == Kind::TaskDefinition { State::Unknown } else { State::Stands(live.id.clone()) };
        self.states.insert(key.clone(), state);
        self.push(Action::Update, &resolved.key, Some(resolved.clone()), Some(live.clone()), fields, None);
    }

    /// The endpoint of a downstream that only its name in the spec tells from this one: its owner has accepted it, and
    /// a second one for the same service would be refused. It gets the new name in its tags.
    fn under_another_name(&mut self, desired: &Desired) -> Option<&'a Live> {
        if desired.key.kind != Kind::VpcEndpoint {
            return None;
        }
        let here = self.ours.iter().filter(|(key, _)| key.kind == desired.key.kind && key.scope == desired.key.scope);
        // Two downstreams may have swapped their names.
        let is_let_go = |key: &Key, live: &Live| {
            self.estates.get(key).is_none_or(|own| must_replace(&self.differences(&self.resolved(own.into_owned()), live)))
        };
        let others = here.filter(|(key, _)| **key != desired.key);
        let same = others
            .flat_map(|(key, live)| live.iter().copied().filter(|live| is_let_go(key, live)).collect::<Vec<_>>())
            .filter(|live| live.condition == Condition::Ready && !self.renamed.contains(live.id.as_str()))
            .find(|live| !must_replace(&self.differences(desired, live)))?;
        self.renamed.insert(&same.id);
        Some(same)
    }

    fn differences(&self, desired: &Desired, live: &Live) -> Vec<FieldChange> {
        let mut changes = match live.kind {
            Kind::TaskDefinition if live.is_summary() => content_change(desired, live).into_iter().collect(),
            _ => compare::changes(desired.key.kind.resource(), desired, live),
        };
        if live.kind == Kind::Service && live.is_summary() {
            let moved = attribution::not_as_recorded(desired, live);
            let has_too_few = self.has_too_few_tasks(desired);
            let differs = |field: &str| moved.contains(field) || has_too_few && field == "desired_count";
            changes.retain(|change| change.path.starts_with("tags.") || differs(compare::field_of(&change.path)));
        }
        // They follow from the new revision; alone they are stale, which is worth a line.
        if changes.iter().any(|change| change.path == "task_definition") {
            changes.retain(|change| ![TAG_CONTENT, TAG_REVISION].iter().any(|tag| change.path == format!("tags.{tag}")));
        }
        attribution::attribute(desired, live, &mut changes);
        changes
    }

    /// Whether fewer tasks run in the cluster of a service than it is to have.
    fn has_too_few_tasks(&self, service: &Desired) -> bool {
        let wanted = service.fields.get("desired_count").and_then(Value::as_u64).unwrap_or_default();
        let clusters = self.ours.get(&tenant::cluster(&service.key.scope)).into_iter().flatten();
        clusters.filter_map(|live| live.fields.get(cluster::RUNNING_TASKS)?.as_u64()).any(|running| running < wanted)
    }

    fn create(&mut self, desired: Desired) {
        let desired = self.with_choices(desired);
        self.states.insert(desired.key.clone(), State::Unknown);
        let refusal = self.name_held(&desired).or_else(|| self.half_tagged(&desired));
        let refusal = refusal.or_else(|| self.unmet(&desired)).or_else(|| self.collision(&desired, None));
        if let Some(reason) = refusal {
            self.refused.insert(desired.key.clone());
            self.push(Action::Blocked, &desired.key.clone(), Some(desired), None, Vec::new(), Some(reason));
            return;
        }
        let fields = compare::creation(&desired);
        self.push(Action::Create, &desired.key.clone(), Some(desired), None, fields, None);
    }

    /// Takes the first free value wherever there is a choice: free is what no live or planned thing of the kind has.
    fn with_choices(&mut self, mut desired: Desired) -> Desired {
        let group = desired.key.scope.without_tenant();
        let kind = desired.key.kind;
        let vpc = desired.fields.get("vpc_id").and_then(Value::as_str).map(String::from);
        let vpc = vpc.as_deref().filter(|_| kind == Kind::Subnet);
        for value in desired.fields.values_mut() {
            let Some(choices) = choices(value) else { continue };
            let taken = |choice: &Value| {
                let text = choice.to_string();
                let chosen = self.chosen.contains(&(group.clone(), kind, text));
                chosen
                    || self.live.iter().any(|live| {
                        let is_taken = || live.fields.values().any(|value| value == choice);
                        live.kind == kind
                            && (live.is_in(&group) && is_taken() || vpc.is_some() && live.text("vpc_id") == vpc && overlaps(live, choice))
                    })
            };
            if let Some(free) = choices.iter().find(|choice| !taken(choice)).cloned() {
                self.chosen.insert((group.clone(), kind, free.to_string()));
                *value = free;
            }
        }
        desired
    }

    /// Why a thing cannot be made or changed: something that it needs does not exist and cannot be made.
    fn unmet(&self, desired: &Desired) -> Option<String> {
        if let Some(key) = desired.needs().iter().find(|key| self.refused.contains(key)) {
            return Some(format!("it needs {key}, which cannot be made"));
        }
        let mut referred = BTreeSet::new();
        desired.fields.values().for_each(|value| references(value, &mut referred));
        let absent = referred.into_iter().find(|key| !self.states.contains_key(key))?;
        Some(format!(
            "it needs {absent}, which does not exist. Apply the tier first: `tierctl apply` with the spec of {}",
            absent.scope.tier
        ))
    }

    /// Why a name cannot be taken: somebody else's thing has it.
    fn name_held(&self, desired: &Desired) -> Option<String> {
        let name = names::of(desired)?;
        let unique_in = names::unique_in(desired.key.kind);
        let is_near = |live: &Live| unique_in.is_none_or(|field| live.fields.get(field) == desired.fields.get(field));
        let holder = self.live.iter().find(|live| {
            live.kind == desired.key.kind
                && live.place == desired.place
                && live.name.as_deref().is_some_and(|held| held.eq_ignore_ascii_case(name))
                && live.owner().as_ref() != Some(&desired.key)
                && is_near(live)
        })?;
        let whose = match holder.owner() {
            Some(key) => format!("{key}"),
            None => "not tierctl's: it has none of its tags".into(),
        };
        Some(format!(
            "the name {name} is held by {} ({whose}); it is left as it is. Rename in the spec, or remove that {} if nobody needs it",
            holder.id, holder.kind
        ))
    }

    /// Why a thing should not be made: one that has lost some of our tags may be it, and nobody can say.
    fn half_tagged(&self, desired: &Desired) -> Option<String> {
        // What has a name of its own is found by that.
        if !matches!(desired.key.kind, Kind::Vpc | Kind::InternetGateway | Kind::Subnet | Kind::RouteTable | Kind::VpcEndpoint) {
            return None;
        }
        let tags = desired.key.tags();
        let agrees = |live: &Live| {
            let mut ours = live.tags.iter().filter(|(key, _)| key.starts_with(TAG_PREFIX)).peekable();
            ours.peek().is_some() && ours.all(|(key, value)| tags.get(key).is_none_or(|wanted| wanted == value))
        };
        let found = self
            .live
            .iter()
            .find(|live| live.kind == desired.key.kind && live.place == desired.place && live.owner().is_none() && agrees(live))?;
        let missing: Vec<&str> = tags.keys().filter(|key| !found.tags.contains_key(*key)).map(String::as_str).collect();
        Some(format!(
            "{} has some of its tags and not all: it lacks {}. If it is this {}, give it the missing tags; if not, take tierctl's tags off it",
            found.id,
            missing.join(", "),
            desired.key.kind,
        ))
    }

    /// Why a listener rule cannot be made so: another rule on the listener can match the same request.
    fn collision(&mut self, desired: &Desired, live: Option<&Live>) -> Option<String> {
        if desired.key.kind != Kind::ListenerRule {
            return None;
        }
        let wanted: listener_rule::ListenerRule = serde_json::from_value(Value::Object(desired.fields.clone())).ok()?;
        for other in self.live.iter().filter(|other| other.kind == Kind::ListenerRule && Some(&other.id) != live.map(|live| &live.id)) {
            let on_it = matches!(&wanted.listener_arn, Id::Known(arn) if other.text("listener_arn") == Some(arn));
            if !on_it || other.owner().as_ref() == Some(&desired.key) {
                continue;
            }
            let Ok(rule) = other.shape::<listener_rule::ListenerRule>() else { continue };
            if !listener_rule::overlap(&wanted.conditions, &rule.conditions) {
                continue;
            }
            let owner = other.owner();
            if owner.as_ref().is_some_and(|key| self.intent.of(&key.scope) == Some(Treatment::Remove)) {
                continue;
            }
            let patterns = rule.conditions.iter().flat_map(|condition| condition.values.clone()).collect::<Vec<_>>().join(", ");
            let whose = owner.as_ref().map_or_else(|| "not this tenant's".to_string(), |key| format!("of {}", key.scope));
            let said = format!(
                "rule {} ({whose}, priority {}) matches {patterns}, which this tenant's route can match too",
                other.id, rule.priority
            );
            if let Some(holder) = owner.as_ref().filter(|key| self.gives_up(key, &wanted)) {
                self.successions.push(Succession { heir: desired.key.clone(), holder: holder.clone(), said });
                continue;
            }
            if listener_rule::in_band(&wanted.priority, &rule.priority) {
                let has_spec = owner.is_some_and(|key| self.estates.get(&key).is_none());
                let together = if has_spec { ", or onboard both at once if its spec says another route by now" } else { "" };
                return Some(format!("{said}. Choose another `route` for one of them{together}"));
            }
            self.plan.warnings.push(format!("{}: {said}; the lower priority number wins", desired.key.scope));
        }
        None
    }

    /// Whether a rule of ours is to match other requests than these from now on.
    fn gives_up(&self, holder: &Key, wanted: &listener_rule::ListenerRule) -> bool {
        let future = self.estates.get(holder).filter(|_| self.intent.of(&holder.scope) == Some(Treatment::Manage));
        let future =
            future.and_then(|future| serde_json::from_value::<listener_rule::ListenerRule>(Value::Object(future.fields.clone())).ok());
        future.is_some_and(|future| !listener_rule::overlap(&wanted.conditions, &future.conditions))
    }

    /// Who takes over a route waits until it has been let go. Where two wait for each other, one goes first.
    fn order_successions(&mut self) {
        let mut after: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
        for Succession { heir, holder, said } in std::mem::take(&mut self.successions) {
            let steps = |key: &Key| self.plan.steps().any(|(_, change)| change.key().as_ref() == Some(key));
            if !steps(&heir) || !steps(&holder) {
                continue;
            }
            let mut reached = BTreeSet::new();
            let mut next = vec![holder.clone()];
            while let Some(key) = next.pop() {
                if reached.insert(key.clone()) {
                    next.extend(after.get(&key).into_iter().flatten().cloned());
                }
            }
            if reached.contains(&heir) {
                let scope = &heir.scope;
                self.plan
                    .warnings
                    .push(format!("{scope}: {said}, until it is changed too: for a moment both match, and the lower priority number wins"));
            } else {
                after.entry(heir).or_default().insert(holder);
            }
        }
        for change in &mut self.plan.changes {
            let keys = change.key().and_then(|key| after.remove(&key));
            if let (Some(keys), Some(desired)) = (keys, &mut change.desired) {
                desired.after.extend(keys);
            }
        }
    }

    /// Why a thing cannot be replaced or deleted: tenants live on it, others use it, or AWS has been told to keep it.
    fn guard(&self, key: &Key, live: &Live, what: &str) -> Option<String> {
        if let Some(reason) = self.kept(live, what) {
            return Some(reason);
        }
        let carries_tenants = match key.kind {
            Kind::Vpc | Kind::Subnet | Kind::LoadBalancer | Kind::Listener | Kind::Role => true,
            Kind::SecurityGroup => TENANTS_GROUPS.contains(&key.name.as_str()),
            _ => false,
        };
        if !carries_tenants || key.scope.is_tenant() {
            return None;
        }
        let tenants = self.tenants.get(&key.scope).filter(|tenants| !tenants.is_empty())?;
        Some(format!(
            "it cannot be {what} while {} here ({}). Add an infra group with the new settings, move the tenants there \
             (offboard, then onboard with a `placement`), and retire this one",
            count(tenants.len(), "tenant lives", "tenants live"),
            some_of(tenants),
        ))
    }

    /// Why a thing has to stay, whoever lives here: somebody else's listener or rule, which AWS would delete along with
    /// it, or its deletion protection.
    fn kept(&self, live: &Live, what: &str) -> Option<String> {
        let holder = match live.kind {
            Kind::LoadBalancer => Some((Kind::Listener, "load_balancer_arn")),
            Kind::Listener => Some((Kind::ListenerRule, "listener_arn")),
            _ => None,
        };
        let own = live.owner().map(|key| key.scope);
        // Another infra group may use this one's listener.
        let is_anothers = |other: &Live| {
            other.owner().is_none_or(|key| Some(key.scope.without_tenant()) != own && self.intent.of(&key.scope) != Some(Treatment::Remove))
        };
        let theirs = holder.and_then(|(kind, field)| {
            self.live.iter().find(|other| other.kind == kind && other.text(field) == Some(&live.id) && is_anothers(other))
        });
        if let Some(other) = theirs {
            let whose = other.owner().map_or("which has none of tierctl's tags".into(), |key| format!("which is of {}", key.scope));
            return Some(format!(
                "it cannot be {what} while {} {} is on it, {whose}. Its owner has to remove that first",
                other.kind, other.id
            ));
        }
        let attributes = live.fields.get("attributes").filter(|_| live.kind == Kind::LoadBalancer)?;
        (attributes.get("deletion_protection.enabled")?.as_str()? == "true").then(|| {
            format!(
                "it cannot be {what} while its deletion protection is on. Set `deletion_protection: false` in the spec and apply that first"
            )
        })
    }

    /// How much depends on a thing. For a VPC: tenants, the load balancer, then whatever else is in it.
    fn weight(&self, live: &Live) -> (usize, usize, usize) {
        if live.kind != Kind::Vpc {
            return (0, 0, usize::from(self.used.contains(live.id.as_str())));
        }
        let inside: Vec<&&Live> = self.live.iter().filter(|other| other.text("vpc_id") == Some(&live.id)).collect();
        let subnets: BTreeSet<&str> = inside.iter().filter(|other| other.kind == Kind::Subnet).map(|subnet| subnet.id.as_str()).collect();
        let balancers = self.live.iter().filter(|other| other.kind == Kind::LoadBalancer && other.owner().is_some());
        let balancers = balancers.filter(|balancer| order::texts(&balancer.fields).iter().any(|id| subnets.contains(id)));
        (inside.iter().filter(|other| other.kind == Kind::TargetGroup).count(), balancers.count(), inside.len())
    }

    /// One identity found twice: what can go goes, two in use are for the user to settle. Whether one is in use is
    /// known when it is known what else changes.
    fn settle_duplicates(&mut self) {
        let mut duplicates = std::mem::take(&mut self.duplicates);
        // Who uses a thing comes after it in the list of kinds, and is settled before it.
        duplicates.sort_by(|a, b| (b.key.kind, &b.other.id).cmp(&(a.key.kind, &a.other.id)));
        for Duplicate { key, kept, other, is_outdated } in duplicates {
            if self.renamed.contains(other.id.as_str()) {
                continue;
            }
            if is_outdated && self.carries_tenants(other) {
                let reason = format!("it cannot be deleted in favour of {} while tenants live on it. Offboard them first", kept.id);
                self.held.entry(key.scope.clone()).or_insert_with(|| format!("{} {} cannot be deleted", key.kind, other.id));
                self.push(Action::Blocked, &key, None, Some(other.clone()), Vec::new(), Some(reason));
                continue;
            }
            let used = match other.kind {
                // What else is in a second VPC is a second one of its identity too, and goes with it.
                Kind::Vpc => self.weight(other).0 > 0,
                // Nothing refers to an endpoint, and the tenants' traffic goes through it all the same.
                Kind::VpcEndpoint => {
                    other.condition == Condition::Ready && self.tenants.get(&key.scope).is_some_and(|tenants| !tenants.is_empty())
                }
                _ => self.will_be_used(other),
            };
            if used && !is_outdated {
                let reason = format!(
                    "it exists twice, as {} and {}, and both are in use. Move what uses {} over to {}, or delete its tags, and run again",
                    kept.id, other.id, other.id, kept.id
                );
                self.push(Action::Blocked, &key, None, Some(other.clone()), Vec::new(), Some(reason));
                continue;
            }
            if key.kind == Kind::LogGroup && !self.intent.deletes_logs {
                let reason = format!(
                    "it exists twice, as {} and {}, and logs are not deleted unasked. Take tierctl's tags off the one that is not meant, or \
                     delete it, and run again",
                    kept.id, other.id
                );
                self.push(Action::Blocked, &key, None, Some(other.clone()), Vec::new(), Some(reason));
                continue;
            }
            let reason = if is_outdated { "left over from a replacement" } else { "it exists twice, and nothing uses this one" };
            self.push(Action::Delete, &key, None, Some(other.clone()), Vec::new(), Some(format!("{reason} ({} stays)", kept.id)));
            // No spec asks for it.
            if let Some(change) = self.plan.changes.last_mut() {
                change.origin = Some(Origin::Unattributed);
            }
            self.superfluous.insert((other.kind, other.id.clone()));
        }
    }

    /// Whether a thing of the tier is what something of a tenant that stays hangs on.
    fn carries_tenants(&self, thing: &Live) -> bool {
        let stays = |key: &Key| key.scope.is_tenant() && self.intent.of(&key.scope) != Some(Treatment::Remove);
        let of_tenants = || self.live.iter().filter(|live| live.owner().is_some_and(|key| stays(&key)));
        let hangs_on = |id: &str| of_tenants().any(|live| order::texts(&live.fields).contains(&id));
        let listeners = self.live.iter().filter(|live| live.kind == Kind::Listener && live.text("load_balancer_arn") == Some(&thing.id));
        thing.owner().is_some_and(|key| !key.scope.is_tenant())
            && (hangs_on(&thing.id) || listeners.into_iter().any(|listener| hangs_on(&listener.id)))
    }

    /// Whether something still refers to a thing when this plan has been carried out.
    fn will_be_used(&self, thing: &Live) -> bool {
        let refers = |fields: &Fields| order::texts(fields).contains(&thing.id.as_str());
        // A group's own rules do not make the group used.
        let users = self.live.iter().filter(|user| user.text("group_id") != Some(&thing.id) && refers(&user.fields));
        users.into_iter().any(|user| {
            let change = self
                .plan
                .changes
                .iter()
                .find(|change| change.live.as_ref().is_some_and(|live| live.kind == user.kind && live.id == user.id));
            match change.map(|change| (change.action, &change.desired)) {
                Some((Action::Delete | Action::Replace, _)) => false,
                Some((Action::Update, Some(desired))) => {
                    let mut fields = user.fields.clone();
                    fields.extend(desired.fields.clone());
                    refers(&fields)
                }
                _ => true,
            }
        })
    }

    fn remove_the_rest(&mut self) {
        let mut refused: BTreeSet<Scope> = BTreeSet::new();
        let going: Vec<(Key, &Live)> = self
            .ours
            .iter()
            .filter(|(key, _)| {
                let treatment = self.intent.of(&key.scope);
                let is_unwanted = || self.unwanted.contains(key) || !self.estates.has(&key.scope);
                treatment == Some(Treatment::Remove) || treatment == Some(Treatment::Manage) && is_unwanted()
            })
            .flat_map(|(key, live)| live.iter().map(|live| (key.clone(), *live)))
            .filter(|(_, live)| !self.renamed.contains(live.id.as_str()))
            .collect();
        for (key, live) in going {
            let removed = self.intent.of(&key.scope) == Some(Treatment::Remove);
            if removed && self.intent.protected.contains(&key.scope) {
                if refused.insert(key.scope.clone()) {
                    let (subject, name) = match &key.scope.tenant {
                        Some(tenant) => (Subject::Tenant, tenant),
                        None => (Subject::InfraGroup, &key.scope.infra_group),
                    };
                    self.plan.changes.push(Change::blocked(subject, &key.scope, name, &live.place, PROTECTED));
                }
                continue;
            }
            if key.kind == Kind::LogGroup && removed && !self.intent.deletes_logs {
                continue;
            }
            // A direction without rules is nothing that could be deleted.
            if key.kind == Kind::SecurityGroupRules && live.fields.get("rules") == Some(&Value::Array(Vec::new())) {
                continue;
            }
            if removed
                && !key.scope.is_tenant()
                && let Some(reason) = self.still_needed(&key.scope)
            {
                if refused.insert(key.scope.clone()) {
                    self.plan.changes.push(Change::blocked(Subject::InfraGroup, &key.scope, &key.scope.infra_group, &live.place, reason));
                }
                continue;
            }
            let guard = if removed { None } else { self.guard(&key, live, "deleted") };
            match guard {
                Some(reason) => {
                    self.held.entry(key.scope.clone()).or_insert_with(|| format!("{} {} cannot be deleted", key.kind, key.name));
                    self.push(Action::Blocked, &key, None, Some(live.clone()), Vec::new(), Some(reason));
                }
                None => {
                    let reason = if removed { None } else { Some("no longer in the spec".to_string()) };
                    self.push(Action::Delete, &key, None, Some(live.clone()), Vec::new(), reason);
                }
            }
        }
    }

    /// Why an infra group cannot be removed: tenants live in it (or, where the whole tier goes, anywhere in the tier),
    /// or something of it has to stay.
    fn still_needed(&self, scope: &Scope) -> Option<String> {
        let concerns = |group: &Scope| group == scope || self.intent.removes_tier && group.tier == scope.tier;
        let tenants: BTreeSet<String> =
            self.tenants.iter().filter(|(group, _)| concerns(group)).flat_map(|(_, tenants)| tenants.iter().cloned()).collect();
        if let Some(first) = tenants.first() {
            // Tenants are looked for in the infra groups that have a spec.
            let lost =
                self.tenants.iter().find(|(group, tenants)| concerns(group) && !tenants.is_empty() && !self.intent.named.contains(group));
            let way = match lost {
                Some((group, _)) => format!("Put {group} back into the spec with `retired: true`, then offboard them"),
                None => "Offboard them first".to_string(),
            };
            return Some(format!(
                "{} in {} ({}). {way}: `tierctl offboard {first} --tier {}`",
                count(tenants.len(), "tenant lives", "tenants live"),
                if self.intent.removes_tier { "the tier" } else { "it" },
                some_of(&tenants),
                scope.tier,
            ));
        }
        let ours = self.ours.iter().filter(|(key, _)| key.scope == *scope).flat_map(|(_, live)| live);
        ours.into_iter().find_map(|live| self.kept(live, "deleted").map(|reason| format!("{} {}: {reason}", live.kind, live.id)))
    }

    /// Where a part of an infra group cannot become what the spec says, the rest of it stays as it is too: half of a
    /// new network under living tenants is worse than none. A tenant is changed whole or not at all, and a new one
    /// needs a whole infra group.
    fn hold_back(&mut self) {
        // One of two things of one identity goes, since the one that is protected stays.
        let superfluous = std::mem::take(&mut self.superfluous);
        let is_superfluous = |change: &Change| change.live.as_ref().is_some_and(|live| superfluous.contains(&(live.kind, live.id.clone())));
        let is_removed = |change: &Change| matches!(change.action, Action::Delete | Action::Replace) && !is_superfluous(change);
        let protected = self.plan.changes.iter().filter(|change| is_removed(change) && self.intent.protected.contains(&change.scope));
        let protected: BTreeMap<Scope, String> =
            protected.map(|change| (change.scope.clone(), format!("{} {} is protected", change.subject.name(), change.name))).collect();
        self.held.extend(protected.clone());
        let of_tier = |change: &Change| !change.is_tenants();
        // What would have been made or made anew is not there for tenants.
        let mut unmade: BTreeSet<Key> = self.refused.iter().filter(|key| !key.scope.is_tenant()).cloned().collect();
        for change in self.plan.changes.iter().filter(|change| of_tier(change) && self.held.contains_key(&change.scope)) {
            let bears_another_name = |key: &Key| change.live.as_ref().and_then(Live::owner).is_some_and(|owner| owner != *key);
            let is_unmade = |key: &Key| matches!(change.action, Action::Create | Action::Replace) || bears_another_name(key);
            unmade.extend(change.key().filter(is_unmade));
        }
        let mut held = self.held.clone();
        for change in self.plan.changes.iter().filter(|change| change.is_tenants()) {
            let group = change.scope.without_tenant();
            let is_new = || {
                !self.tenants.get(&group).is_some_and(|living| change.scope.tenant.as_ref().is_some_and(|tenant| living.contains(tenant)))
            };
            let needs = change.desired.as_ref().map(Desired::needs).unwrap_or_default();
            let needed = needs.iter().find(|key| unmade.contains(key));
            let missing = || unmade.iter().find(|key| key.scope == group).filter(|_| change.action != Action::Delete && is_new());
            if change.action == Action::Blocked {
                let what = format!("{} {} of this tenant is blocked", change.subject.name(), change.name);
                held.entry(change.scope.clone()).or_insert(what);
            } else if let Some(key) = needed.or_else(missing) {
                held.entry(change.scope.clone()).or_insert_with(|| format!("{key} cannot be made"));
            } else if let Some(cause) = self.held.get(&group).filter(|_| change.action == Action::Replace) {
                // It would be made for what the infra group does not become.
                held.entry(change.scope.clone()).or_insert_with(|| cause.clone());
            }
        }
        // What leaves the spec stays where something of its kind that comes cannot: it may be meant to take its place.
        let missing: BTreeMap<(Scope, Subject), String> = self
            .plan
            .changes
            .iter()
            .filter(|change| change.action == Action::Blocked && change.live.is_none() && change.desired.is_some())
            .map(|change| ((change.scope.clone(), change.subject), format!("{} {} cannot be made", change.subject.name(), change.name)))
            .collect();
        for change in self.plan.changes.iter_mut().filter(|change| change.action == Action::Delete) {
            if let Some(cause) = missing.get(&(change.scope.clone(), change.subject)) {
                change.action = Action::Blocked;
                change.reason = Some(format!("held back, since {cause}"));
            }
        }
        // A route that is not let go cannot be taken over.
        let mut left = self.successions.len();
        while left > 0 {
            left -= 1;
            for succession in &self.successions {
                if held.contains_key(&succession.holder.scope) {
                    held.entry(succession.heir.scope.clone()).or_insert_with(|| format!("{} keeps its route", succession.holder.scope));
                }
            }
        }
        for change in self.plan.changes.iter_mut().filter(|change| change.action != Action::Blocked) {
            if let Some(cause) = held.get(&change.scope) {
                change.reason = Some(match is_removed(change) && protected.contains_key(&change.scope) {
                    true => PROTECTED.to_string(),
                    false => format!("held back, since {cause}"),
                });
                change.action = Action::Blocked;
            }
        }
    }

    /// The account and Region of a cell are part of what it is. Where they have changed in the spec and something still
    /// stands where it was, nothing is made a second time and nothing goes.
    fn refuse_moves(&mut self) {
        for (group, live) in std::mem::take(&mut self.misplaced) {
            let Some(place) = self.intent.places.get(&group).filter(|_| live.iter().any(|live| is_an_obstacle(live))) else { continue };
            let treatments = self.intent.scopes.iter().filter(|(scope, _)| scope.without_tenant() == group);
            if treatments.into_iter().all(|(_, treatment)| *treatment == Treatment::Observe) {
                continue;
            }
            let before: BTreeSet<String> = live.iter().map(|live| live.place.to_string()).collect();
            let reason = format!(
                "its spec says {place}, and {} of it {} in {}: the account and Region of a cell cannot be changed. Set them back, or add a \
                 cell for the new ones, move the tenants there (offboard, then onboard with a `placement`), and retire this one",
                count(live.len(), "thing", "things"),
                if live.len() == 1 { "is" } else { "are" },
                before.into_iter().collect::<Vec<_>>().join(" and "),
            );
            for change in self.plan.changes.iter_mut().filter(|change| change.scope.without_tenant() == group) {
                change.action = Action::Blocked;
                change.reason = Some(format!("held back, since {group} has things in another account or Region"));
            }
            self.plan.waits.retain(|wait| wait.desired.key.scope.without_tenant() != group);
            self.plan.changes.push(Change::blocked(Subject::InfraGroup, &group, &group.infra_group, place, reason));
        }
    }

    fn unclaimed(&mut self) {
        for (key, live) in &self.ours {
            let of_named_group = self.intent.named.contains(&key.scope.without_tenant());
            let named = self.intent.named.contains(&key.scope) || (of_named_group && key.scope.is_tenant() && !self.intent.lists_tenants);
            let named = named || self.intent.other_tiers.contains(&key.scope.tier);
            let named = named || self.intent.unseen.contains(&(key.scope.tier.clone(), key.scope.cell.clone()));
            if named || self.intent.of(&key.scope).is_some() || !key.kind.resource().is_tagged() {
                continue;
            }
            for item in live {
                self.plan.unclaimed.push(Unclaimed { key: key.clone(), place: item.place.clone(), id: item.id.clone() });
            }
        }
    }

    fn push(
        &mut self,
        action: Action,
        key: &Key,
        desired: Option<Desired>,
        live: Option<Live>,
        fields: Vec<FieldChange>,
        reason: Option<String>,
    ) {
        let place = desired.as_ref().map(|desired| desired.place.clone()).or(live.as_ref().map(|live| live.place.clone()));
        let Some(place) = place else { return };
        self.plan.changes.push(Change {
            action,
            subject: Subject::Resource(key.kind),
            scope: key.scope.clone(),
            name: key.name.clone(),
            place,
            fields,
            origin: None,
            reason,
            desired,
            live,
            after: Vec::new(),
            delete_after: Vec::new(),
            after_waits: Vec::new(),
            delete_after_waits: Vec::new(),
        });
    }
}

/// Tier before tenants, then by scope, kind and name; and then who waits for whom.
pub(super) fn sort(changes: &mut [Change], waits: &mut [Wait]) {
    changes.sort_by(|a, b| place_in_plan(a).cmp(&place_in_plan(b)));
    order::arrange(changes, waits);
}

fn place_in_plan(change: &Change) -> (bool, &Scope, Subject, &str, Action, Option<&str>) {
    let id = change.live.as_ref().map(|live| live.id.as_str());
    (change.is_tenants(), &change.scope, change.subject, &change.name, change.action, id)
}

/// Whether a subnet, somebody else's too, has part of a block.
fn overlaps(subnet: &Live, block: &Value) -> bool {
    let net = |text: &str| text.parse::<ipnet::Ipv4Net>().ok();
    let nets = subnet.text("cidr_block").and_then(net).zip(block.as_str().and_then(net));
    nets.is_some_and(|(held, block)| held.contains(&block) || block.contains(&held))
}

/// Logs outlive their infra group: they alone do not show that it still stands there.
fn is_an_obstacle(live: &Live) -> bool {
    live.kind != Kind::LogGroup && !matches!(live.condition, Condition::Leaving(_))
}

/// How a task definition of which only that is known differs in what it is made of.
fn content_change(desired: &Desired, live: &Live) -> Option<FieldChange> {
    let (before, after) = (live.tags.get(TAG_CONTENT), desired.tags.get(TAG_CONTENT));
    let text = |value: Option<&String>| value.map_or(Value::Null, |value| Value::String(value.clone()));
    (before != after).then(|| FieldChange {
        path: "content".into(),
        before: text(before),
        after: text(after),
        after_unknown: false,
        forces_replacement: false,
        origin: Origin::Spec,
    })
}

fn must_replace(changes: &[FieldChange]) -> bool {
    changes.iter().any(|change| change.forces_replacement)
}

fn replacement_reason(changes: &[FieldChange]) -> String {
    let fields: Vec<&str> = changes.iter().filter(|change| change.forces_replacement).map(|change| change.path.as_str()).collect();
    format!("AWS cannot change {} in place", fields.join(", "))
}

/// The first few names, and how many more there are.
fn some_of(names: &BTreeSet<String>) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    fn calculate(wanted: &[Desired], live: &[Live], intent: &Intent) -> Plan {
        super::calculate(&wanted.iter().cloned().collect(), live, intent)
    }

    use super::*;
    use crate::estate::tenant;
    use crate::resources::model::{Place, Tags};

    fn place() -> Place {
        Place { account: "123456789012".into(), region: "us-east-1".into() }
    }

    fn group() -> Scope {
        Scope::infra_group("high", "one", "ig-1")
    }

    fn desired(key: Key, fields: Value) -> Desired {
        Desired::new(key, &place(), &fields, &Tags::new())
    }

    fn live(key: &Key, id: &str, fields: Value) -> Live {
        Live::new(key.kind, &place(), id, key.tags(), &fields)
    }

    fn managed(scopes: &[Scope]) -> Intent {
        let scopes: BTreeMap<Scope, Treatment> = scopes.iter().map(|scope| (scope.clone(), Treatment::Manage)).collect();
        Intent { named: scopes.keys().cloned().collect(), scopes, ..Intent::default() }
    }

    fn route(path: &str, target_group: &str) -> Value {
        json!({
            "listener_arn": "listener", "priority": listener_rule::band(1, 100), "target_group_arn": target_group,
            "conditions": [{ "field": "path-pattern", "values": [path] }],
        })
    }

    /// Two tenants whose rules are there, and the routes that they are to have.
    fn routes(wanted: [&str; 2]) -> Plan {
        let keys = ["acme", "globex"].map(|name| tenant::listener_rule(&group().with_tenant(name)));
        let there = [("/a/*", 1), ("/b/*", 2)];
        let live: Vec<Live> = keys
            .iter()
            .zip(there)
            .map(|(key, (path, priority))| {
                let mut fields = route(path, &format!("tg-{priority}"));
                fields["priority"] = json!(priority);
                live(key, &format!("rule-{priority}"), fields)
            })
            .collect();
        let desired: Vec<Desired> = keys
            .iter()
            .zip(wanted)
            .enumerate()
            .map(|(index, (key, path))| desired(key.clone(), route(path, &format!("tg-{}", index + 1))))
            .collect();
        calculate(&desired, &live, &managed(&keys.map(|key| key.scope)))
    }

    fn actions(plan: &Plan) -> Vec<(Action, &str)> {
        plan.changes.iter().map(|change| (change.action, change.scope.tenant.as_deref().unwrap_or_default())).collect()
    }

    #[test]
    fn a_route_is_taken_over_after_it_was_let_go() {
        let plan = routes(["/b/*", "/c/*"]);
        assert_eq!(actions(&plan), [(Action::Update, "acme"), (Action::Update, "globex")]);
        assert_eq!((plan.changes[0].after.as_slice(), plan.changes[1].after.as_slice()), ([1].as_slice(), [].as_slice()));
        assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
    }

    #[test]
    fn two_that_swap_their_routes_are_warned_of_the_moment_between() {
        let plan = routes(["/b/*", "/a/*"]);
        assert_eq!(actions(&plan), [(Action::Update, "acme"), (Action::Update, "globex")]);
        assert!(plan.changes.iter().any(|change| change.after.is_empty()), "neither could begin");
        assert!(plan.warnings.len() == 1 && plan.warnings[0].contains("for a moment both match"), "{:?}", plan.warnings);
    }

    #[test]
    fn a_route_that_stays_with_its_tenant_is_refused() {
        let plan = routes(["/b/*", "/b/*"]);
        assert_eq!(plan.changes[0].action, Action::Blocked);
        assert!(plan.changes[0].reason.as_deref().is_some_and(|reason| reason.contains("Choose another `route`")));
    }

    fn endpoint(service: &str) -> Value {
        json!({ "vpc_id": "vpc-1", "service_name": service, "endpoint_type": "Gateway", "subnet_ids": [], "security_group_ids": [],
                "route_table_ids": ["rtb-1"], "private_dns_enabled": false, "policy": {} })
    }

    #[test]
    fn a_downstream_that_is_only_renamed_keeps_its_endpoint() {
        let old = Key::new(&group(), Kind::VpcEndpoint, "artifacts");
        let new = Key::new(&group(), Kind::VpcEndpoint, "files");
        let there = [live(&old, "vpce-1", endpoint("s3"))];
        let plan = calculate(&[desired(new.clone(), endpoint("s3"))], &there, &managed(&[group()]));
        let fields: Vec<&str> = plan.changes[0].fields.iter().map(|field| field.path.as_str()).collect();
        assert_eq!((plan.changes.len(), plan.changes[0].action, fields), (1, Action::Update, vec!["tags.tierctl:resource"]));
        // Another service is another endpoint, and the old one goes after the new one is there.
        let plan = calculate(&[desired(new, endpoint("dynamodb"))], &there, &managed(&[group()]));
        let actions: Vec<Action> = plan.changes.iter().map(|change| change.action).collect();
        assert_eq!(actions, [Action::Delete, Action::Create]);
        assert_eq!(plan.changes[0].delete_after, [1]);
    }

    #[test]
    fn what_has_lost_a_tag_is_not_made_a_second_time() {
        let key = Key::new(&group(), Kind::Vpc, "vpc");
        let mut half = live(&key, "vpc-1", json!({ "cidr_block": "10.0.0.0/16" }));
        half.tags.remove(crate::resources::model::TAG_TIER);
        let wanted = [desired(key, json!({ "cidr_block": "10.0.0.0/16" }))];
        let plan = calculate(&wanted, &[half.clone()], &managed(&[group()]));
        assert_eq!(plan.changes[0].action, Action::Blocked);
        assert!(plan.changes[0].reason.as_deref().is_some_and(|reason| reason.contains("lacks tierctl:tier")));
        // That of another infra group is no obstacle, nor is one without any of our tags.
        half.tags.insert("tierctl:infra-group".into(), "ig-2".into());
        assert_eq!(calculate(&wanted, &[half.clone()], &managed(&[group()])).changes[0].action, Action::Create);
        half.tags.clear();
        assert_eq!(calculate(&wanted, &[half], &managed(&[group()])).changes[0].action, Action::Create);
    }

    #[test]
    fn a_duplicate_is_in_use_only_if_it_still_is_when_all_else_is_done() {
        let gateway = Key::new(&group(), Kind::InternetGateway, "internet-gateway");
        let table = Key::new(&group(), Kind::RouteTable, "public");
        let route = |to: Value| json!({ "vpc_id": "vpc-1", "subnet_ids": [], "routes": [{ "destination": "0.0.0.0/0", "target": to }] });
        let attached = json!({ "vpc_id": "vpc-1" });
        let wanted = [desired(gateway.clone(), attached.clone()), desired(table.clone(), route(json!(Id::Of(gateway.clone()))))];
        let gateways = [live(&gateway, "igw-1", attached.clone()), live(&gateway, "igw-2", attached)];
        let plan_with = |tables: &[Live]| calculate(&wanted, &[&gateways, tables].concat(), &managed(&[group()]));
        let of = |plan: &Plan, id: &str| {
            let change = plan.changes.iter().find(|change| change.live.as_ref().is_some_and(|live| live.id == id));
            change.map(|change| (change.action, change.delete_after.len()))
        };
        // The table leads to the one that goes, and is led to the other first.
        let plan = plan_with(&[live(&table, "rtb-1", route(json!("igw-1"))), live(&table, "rtb-2", route(json!("igw-2")))]);
        let gone = ["igw-1", "igw-2"].map(|id| of(&plan, id)).into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(gone.len(), 1, "{gone:?}");
        assert_eq!(gone[0].0, Action::Delete);
        assert!(gone[0].1 > 0, "it waits for who leads to it");
        // Somebody else's table leads to it: that is for the user to settle.
        let mut theirs = live(&table, "rtb-3", route(json!("igw-2")));
        theirs.tags.clear();
        let ours = live(&table, "rtb-1", route(json!("igw-1")));
        let plan = plan_with(&[ours, theirs]);
        let blocked = plan.changes.iter().filter(|change| change.action == Action::Blocked).count();
        assert_eq!(blocked, 1);
    }

    #[test]
    fn two_downstreams_that_swap_their_names_keep_their_endpoints() {
        let keys = ["a", "b"].map(|name| Key::new(&group(), Kind::VpcEndpoint, name));
        let there = [live(&keys[0], "vpce-1", endpoint("s3")), live(&keys[1], "vpce-2", endpoint("dynamodb"))];
        let wanted = [desired(keys[0].clone(), endpoint("dynamodb")), desired(keys[1].clone(), endpoint("s3"))];
        let plan = calculate(&wanted, &there, &managed(&[group()]));
        let changes: Vec<(Action, &str)> =
            plan.changes.iter().map(|change| (change.action, change.live.as_ref().map_or("", |live| live.id.as_str()))).collect();
        assert_eq!(changes, [(Action::Update, "vpce-2"), (Action::Update, "vpce-1")]);
    }

    #[test]
    fn an_endpoint_goes_and_the_one_in_its_place_is_waited_for() {
        let key = Key::new(&group(), Kind::VpcEndpoint, "bidder");
        let old = live(&key, "vpce-old", endpoint("one"));
        let new = live(&key, "vpce-new", endpoint("two"));
        let wanted = [desired(key, endpoint("two"))];
        let waiting = new.clone().in_condition(Condition::Blocked("somebody has to accept it".into()));
        for (successor, waits) in [(waiting, 1), (new, 0)] {
            let plan = calculate(&wanted, &[old.clone(), successor], &managed(&[group()]));
            assert_eq!((plan.changes.len(), plan.changes[0].action, plan.waits.len()), (1, Action::Delete, waits));
            assert_eq!(plan.changes[0].delete_after_waits, (0..waits).collect::<Vec<_>>(), "it goes last");
        }
    }

    #[test]
    fn tenants_are_not_made_anew_for_what_their_tier_does_not_become() {
        let (vpc, acme) = (Key::new(&group(), Kind::Vpc, "vpc"), tenant::target_group(&group().with_tenant("acme")));
        let there = [live(&vpc, "vpc-1", json!({ "cidr_block": "10.0.0.0/16" })), live(&acme, "tg-1", json!({ "port": 8080 }))];
        let wanted = |block: &str| [desired(vpc.clone(), json!({ "cidr_block": block })), desired(acme.clone(), json!({ "port": 8081 }))];
        let intent = managed(&[vpc.scope.clone(), acme.scope.clone()]);
        let actions = |plan: Plan| plan.changes.iter().map(|change| change.action).collect::<Vec<_>>();
        assert_eq!(actions(calculate(&wanted("10.0.0.0/16"), &there, &intent)), [Action::Replace]);
        assert_eq!(actions(calculate(&wanted("10.1.0.0/16"), &there, &intent)), [Action::Blocked, Action::Blocked]);
    }

    #[test]
    fn what_tenants_hang_on_is_not_deleted_in_favour_of_another() {
        let vpc = Key::new(&group(), Kind::Vpc, "vpc");
        let tenants = Key::new(&group().with_tenant("acme"), Kind::TargetGroup, "target-group");
        let old = live(&vpc, "vpc-old", json!({ "cidr_block": "10.0.0.0/16" }));
        let new = live(&vpc, "vpc-new", json!({ "cidr_block": "10.1.0.0/16" }));
        let its = live(&tenants, "tg-1", json!({ "vpc_id": "vpc-old" }));
        let wanted = [desired(vpc, json!({ "cidr_block": "10.1.0.0/16" }))];
        let plan = calculate(&wanted, &[old.clone(), new.clone(), its], &managed(&[group()]));
        assert_eq!(plan.changes.iter().map(|change| change.action).collect::<Vec<_>>(), [Action::Blocked]);
        assert_eq!(calculate(&wanted, &[old, new], &managed(&[group()])).changes[0].action, Action::Delete);
    }

    #[test]
    fn where_something_of_the_tier_goes_no_service_is_taken_on_trust() {
        let service = |group: &Scope| {
            let key = Key::new(&group.with_tenant("acme"), Kind::Service, "service");
            Live::new(Kind::Service, &place(), format!("arn of {group}"), key.tags(), &Fields::new())
        };
        let elsewhere = Scope::infra_group("high", "one", "ig-2");
        let live = [service(&group()), service(&elsewhere)];
        let mut plan = Plan::default();
        let unread = |plan: &Plan| unread(plan, &live, &BTreeSet::new());
        assert_eq!(unread(&plan), BTreeSet::new());
        plan.changes = vec![Change::blocked(Subject::Resource(Kind::SecurityGroup), &group(), "tasks", &place(), "")];
        assert_eq!(unread(&plan), BTreeSet::new(), "it stays");
        plan.changes[0].action = Action::Delete;
        let ids: Vec<String> = unread(&plan).into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids, [format!("arn of {}", group())]);
    }

    #[test]
    fn what_a_service_runs_is_read_after_the_service_and_nothing_is_asked_for_twice() {
        let acme = group().with_tenant("acme");
        let of = |kind: Kind, name: &str| {
            let key = Key::new(&acme, kind, name);
            let live = Live::new(kind, &place(), name, key.tags(), &Fields::new());
            let mut change = Change::blocked(Subject::Resource(kind), &acme, name, &place(), "");
            change.action = Action::Update;
            (live.clone(), Change { live: Some(live), ..change })
        };
        let (live, changes): (Vec<Live>, Vec<Change>) =
            [of(Kind::Service, "service"), of(Kind::TaskDefinition, "task-definition")].into_iter().unzip();
        let plan = Plan { changes, ..Plan::default() };
        let mut asked = BTreeSet::new();
        for expected in [vec!["service"], vec!["task-definition"], vec![]] {
            let unread = unread(&plan, &live, &asked);
            assert_eq!(unread.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>(), expected);
            asked.extend(unread);
        }
    }
}
