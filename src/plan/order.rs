//! The order in which changes are carried out.
//!
//! A thing is made after all that it refers to. It is deleted after everything that still refers to it has been
//! changed or deleted: who refers to whom is read off the live fields, which hold ids.
//!
//! A tenant that needs a thing of its tier needs it to work, also where it is there already and is only waited for.
//!
//! What works goes on working meanwhile: a thing is deleted after those of its kind in its scope that are made, changed or
//! waited for. Tenants reach downstreams through two things, an endpoint and the rules of security groups: an endpoint is
//! led elsewhere after paths have been opened there, and a path is closed after the endpoints work. So it is with a tenant's
//! cluster and the capacity providers that its service runs on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Action, Change, Subject, Wait};
use crate::resources::Kind;
use crate::resources::model::{Desired, Fields, Key, Scope};

pub fn arrange(changes: &mut [Change], waits: &mut [Wait]) {
    let by_key: BTreeMap<Key, usize> = changes
        .iter()
        .enumerate()
        .filter(|(_, change)| change.desired.is_some() && change.action != Action::Blocked)
        .filter_map(|(index, change)| Some((change.key()?, index)))
        .collect();
    // What is to go, by the id that others hold it by. Targets have that of their target group, which is what a rule
    // or a service means by it: nobody refers to targets.
    let leaving: BTreeMap<String, usize> = changes
        .iter()
        .enumerate()
        .filter(|(_, change)| matches!(change.action, Action::Delete | Action::Replace))
        .filter(|(_, change)| change.subject != Subject::Resource(Kind::Targets))
        .filter_map(|(index, change)| Some((change.live.as_ref()?.id.clone(), index)))
        .collect();

    let mut after = vec![BTreeSet::new(); changes.len()];
    let mut delete_after = vec![BTreeSet::new(); changes.len()];
    for (index, change) in changes.iter().enumerate() {
        if let Some(desired) = &change.desired {
            after[index].extend(desired.needs().iter().filter_map(|key| by_key.get(key)).filter(|needed| **needed != index));
        }
        let Some(live) = &change.live else { continue };
        for text in texts(&live.fields) {
            if let Some(referred) = leaving.get(text).filter(|referred| **referred != index) {
                delete_after[*referred].insert(index);
            }
        }
    }
    same_kind_first(changes, &mut delete_after);
    tenants_in_reverse(changes, &mut delete_after);
    paths_stay_open(changes, waits, &mut after, &mut delete_after);
    providers_stay(changes, &mut after, &mut delete_after);
    for ((change, after), delete_after) in changes.iter_mut().zip(after).zip(delete_after) {
        change.after = after.into_iter().collect();
        change.delete_after = delete_after.into_iter().collect();
        let needs = change.desired.as_ref().filter(|_| change.is_tenants()).map(Desired::needs).unwrap_or_default();
        let is_needed = |wait: &Wait| !wait.desired.key.scope.is_tenant() && needs.contains(&wait.desired.key);
        change.after_waits = (0..waits.len()).filter(|wait| is_needed(&waits[*wait])).collect();
        let is_before = |wait: &Wait| {
            let kind = wait.desired.key.kind;
            let takes_its_place = matches!(change.action, Action::Delete | Action::Replace) && change.subject == Subject::Resource(kind);
            wait.desired.key.scope == change.scope && (takes_its_place || kind == Kind::VpcEndpoint && closes_paths(change))
        };
        change.delete_after_waits = (0..waits.len()).filter(|wait| is_before(&waits[*wait])).collect();
    }
}

/// An endpoint that is there is led elsewhere when tasks can reach it there, and what they reach it by is taken away when
/// every endpoint of the infra group works.
fn paths_stay_open(changes: &[Change], waits: &mut [Wait], after: &mut [BTreeSet<usize>], delete_after: &mut [BTreeSet<usize>]) {
    let steps = || changes.iter().enumerate().filter(|(_, change)| change.action != Action::Blocked);
    let endpoints = || steps().filter(|(_, change)| change.subject == Subject::Resource(Kind::VpcEndpoint));
    let in_scope = |scope: &Scope, indexes: &[usize]| -> Vec<usize> {
        indexes.iter().copied().filter(|index| changes[*index].scope == *scope).collect()
    };
    let made: Vec<usize> = endpoints().filter(|(_, change)| change.action != Action::Delete).map(|(index, _)| index).collect();
    let opening: Vec<usize> = steps().filter(|(_, change)| opens_paths(change)).map(|(index, _)| index).collect();
    for (index, change) in steps().filter(|(_, change)| closes_paths(change)) {
        delete_after[index].extend(in_scope(&change.scope, &made));
    }
    let moving: BTreeSet<&Scope> = endpoints().filter(|(_, change)| change.live.is_some()).map(|(_, change)| &change.scope).collect();
    for (index, change) in endpoints().filter(|(_, change)| moving.contains(&change.scope)) {
        after[index].extend(in_scope(&change.scope, &opening));
    }
    for wait in waits.iter_mut().filter(|wait| wait.desired.key.kind == Kind::VpcEndpoint) {
        let scope = &wait.desired.key.scope;
        wait.after = if moving.contains(scope) { in_scope(scope, &opening) } else { Vec::new() };
    }
}

/// A service runs on providers that its cluster has: the cluster gets new ones before it, and loses old ones after it.
fn providers_stay(changes: &[Change], after: &mut [BTreeSet<usize>], delete_after: &mut [BTreeSet<usize>]) {
    let updates = |kind| {
        let is_update = move |change: &Change| change.action == Action::Update && change.subject == Subject::Resource(kind);
        changes.iter().enumerate().filter(move |(_, change)| is_update(change))
    };
    for (cluster, of_cluster) in updates(Kind::Cluster) {
        for (service, _) in updates(Kind::Service).filter(|(_, change)| change.scope == of_cluster.scope) {
            if gives(of_cluster) {
                after[service].insert(cluster);
            }
            if takes_away(of_cluster) {
                delete_after[cluster].insert(service);
            }
        }
    }
}

/// The list of a kind that others rely on while it changes: its entries come first and go last.
fn relied_on(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::SecurityGroupRules => Some("rules"),
        Kind::Cluster => Some("capacity_providers"),
        _ => None,
    }
}

fn entries(kind: Kind, fields: &Fields) -> &[Value] {
    relied_on(kind).and_then(|list| fields.get(list)).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Whether a change adds to the list that others rely on.
fn gives(change: &Change) -> bool {
    let Some(desired) = change.desired.as_ref().filter(|desired| relied_on(desired.key.kind).is_some()) else { return false };
    let there = change.live.as_ref().map(|live| entries(live.kind, &live.fields)).unwrap_or_default();
    change.action != Action::Update || entries(desired.key.kind, &desired.fields).iter().any(|entry| !there.contains(entry))
}

/// Whether a change takes away from the list that others rely on.
fn takes_away(change: &Change) -> bool {
    let Some(live) = change.live.as_ref().filter(|live| relied_on(live.kind).is_some()) else { return false };
    let wanted = change.desired.as_ref().map(|desired| entries(desired.key.kind, &desired.fields)).unwrap_or_default();
    change.action != Action::Update || entries(live.kind, &live.fields).iter().any(|entry| !wanted.contains(entry))
}

/// Whether a change adds to a security group's rules.
fn opens_paths(change: &Change) -> bool {
    change.subject == Subject::Resource(Kind::SecurityGroupRules) && gives(change)
}

/// Whether a change takes some of a security group's rules away.
fn closes_paths(change: &Change) -> bool {
    change.subject == Subject::Resource(Kind::SecurityGroupRules) && takes_away(change)
}

/// Whether something has to be done before a change may take away what it does.
pub fn has_to_wait(change: &Change) -> bool {
    !change.delete_after.is_empty() || !change.delete_after_waits.is_empty()
}

/// The first half of a change that adds to a list at once and has to wait before it takes away from it: the old entries stay.
pub fn widened(change: &Change) -> Option<Desired> {
    if change.action != Action::Update || !has_to_wait(change) || !gives(change) {
        return None;
    }
    let mut desired = change.desired.clone()?;
    let (kind, live) = (desired.key.kind, change.live.as_ref()?);
    let mut all = entries(kind, &desired.fields).to_vec();
    all.extend(entries(kind, &live.fields).iter().filter(|entry| !all.contains(entry)).cloned().collect::<Vec<_>>());
    desired.fields.insert(relied_on(kind)?.into(), Value::Array(all));
    Some(desired)
}

/// What leaves the spec goes after what takes its place, and not at all where that failed: things of one kind in one
/// scope stand in for each other.
fn same_kind_first(changes: &[Change], delete_after: &mut [BTreeSet<usize>]) {
    let mut made: BTreeMap<(&Scope, Subject), BTreeSet<usize>> = BTreeMap::new();
    for (index, change) in changes.iter().enumerate() {
        if matches!(change.action, Action::Create | Action::Replace | Action::Update) {
            made.entry((&change.scope, change.subject)).or_default().insert(index);
        }
    }
    for (index, change) in changes.iter().enumerate().filter(|(_, change)| change.action == Action::Delete) {
        delete_after[index].extend(made.get(&(&change.scope, change.subject)).into_iter().flatten());
    }
}

/// A tenant's things go one after another, the last made first: the cluster, which shows that the tenant lives
/// there, goes last.
fn tenants_in_reverse(changes: &[Change], delete_after: &mut [BTreeSet<usize>]) {
    let mut going: BTreeMap<&Scope, Vec<usize>> = BTreeMap::new();
    for (index, change) in changes.iter().enumerate() {
        if change.is_tenants() && change.action == Action::Delete {
            going.entry(&change.scope).or_default().push(index);
        }
    }
    for indexes in going.into_values() {
        for index in &indexes {
            let made_later = indexes.iter().filter(|other| changes[**other].subject > changes[*index].subject);
            delete_after[*index].extend(made_later);
        }
    }
}

/// Every text in the fields: ids and ARNs among them.
pub fn texts(fields: &Fields) -> Vec<&str> {
    fn walk<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::String(text) => found.push(text),
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            Value::Object(items) => items.values().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    fields.values().for_each(|value| walk(value, &mut found));
    found
}
