//! The order in which changes are carried out.
//!
//! A thing is made after all that it refers to. It is deleted after everything that still refers to it has been
//! changed or deleted: who refers to whom is read off the live fields, which hold ids.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Action, Change, Subject};
use crate::resources::Kind;
use crate::resources::model::{Fields, Key, Scope};

pub fn arrange(changes: &mut [Change]) {
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
        for id in ids(&live.fields) {
            if let Some(referred) = leaving.get(&id).filter(|referred| **referred != index) {
                delete_after[*referred].insert(index);
            }
        }
    }
    same_kind_first(changes, &mut delete_after);
    tenants_in_reverse(changes, &mut delete_after);
    for ((change, after), delete_after) in changes.iter_mut().zip(after).zip(delete_after) {
        change.after = after.into_iter().collect();
        change.delete_after = delete_after.into_iter().collect();
    }
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
pub fn ids(fields: &Fields) -> BTreeSet<String> {
    fn walk(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::String(text) => {
                found.insert(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            Value::Object(items) => items.values().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    fields.values().for_each(|value| walk(value, &mut found));
    found
}
