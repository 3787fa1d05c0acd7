//! Two states of one thing, field by field.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::attribution::Origin;
use crate::resources::Resource;
use crate::resources::listener_rule;
use crate::resources::model::{Desired, Field, Fields, Key, Live, TAG_PREFIX, Tags, choices, reference};

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldChange {
    /// As `policy.Statement` or `tags.team`.
    pub path: String,
    /// Null where there was none.
    pub before: Value,
    /// Null where there will be none, or where it is known only when it is applied.
    pub after: Value,
    /// Whether part of it is known only when the plan is carried out.
    pub after_unknown: bool,
    /// Whether AWS cannot change it in place.
    pub forces_replacement: bool,
    /// Where the difference comes from; of a thing to be made, `spec`.
    pub origin: Origin,
}

/// Maps in which only the desired keys are ours: AWS fills in the rest.
const OPEN_MAPS: &[&str] = &["attributes", "health_check"];

pub(super) fn is_open_map(field: &str) -> bool {
    OPEN_MAPS.contains(&field)
}

/// The field that a path, or an entry of a fingerprint, is about: `policy` of `policy.Statement`, and a tag as a whole.
pub(super) fn field_of(path: &str) -> &str {
    match path.starts_with("tags.") {
        true => path,
        false => path.split(['.', '[', '/']).next().unwrap_or(path),
    }
}

/// Everything in which a live thing differs from what is desired of it. References that could be resolved have been.
pub fn changes(resource: &dyn Resource, desired: &Desired, live: &Live) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    for field in resource.fields() {
        let Some(after) = desired.fields.get(field.name) else { continue };
        if resource.ignores(field.name, live) {
            continue;
        }
        let before = live.fields.get(field.name).unwrap_or(&Value::Null);
        compare(field, field.name, before, after, &mut changes);
    }
    if resource.is_tagged() {
        tags(&live.tags, &desired.tags, &mut changes);
    }
    changes
}

/// All fields of a thing that is to be made.
pub fn creation(desired: &Desired) -> Vec<FieldChange> {
    let unset = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(items) => items.is_empty(),
        _ => false,
    };
    // What is not a field of the thing itself is only there for whoever makes it.
    let is_field = |name: &String| desired.key.kind.resource().fields().iter().any(|field| field.name == name);
    let fields = desired
        .fields
        .iter()
        .filter(|(name, value)| is_field(name) && !unset(value))
        .map(|(name, value)| change(name, &Value::Null, value, false));
    let tags = desired.tags.iter().filter(|(key, _)| !key.starts_with(TAG_PREFIX));
    fields.chain(tags.map(|(key, value)| change(&format!("tags.{key}"), &Value::Null, &Value::String(value.clone()), false))).collect()
}

fn compare(field: &Field, path: &str, before: &Value, after: &Value, changes: &mut Vec<FieldChange>) {
    if is_satisfied(before, after) {
        return;
    }
    match (before, after) {
        (Value::Object(old), Value::Object(new)) if !is_marker(new) => {
            let closed = !is_open_map(field.name);
            let mut keys: Vec<&String> = new.keys().chain(old.keys().filter(|key| closed && !new.contains_key(*key))).collect();
            keys.sort();
            for key in keys {
                let (old, new) = (old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null));
                compare(field, &format!("{path}.{key}"), old, new, changes);
            }
        }
        (Value::Array(old), Value::Array(new)) if field.is_set => {
            let (old, new) = (sorted(old), sorted(new));
            if old != new {
                changes.push(change(path, &Value::Array(old), &Value::Array(new), field.on_change.replaces(before)));
            }
        }
        _ => changes.push(change(path, before, after, field.on_change.replaces(before))),
    }
}

/// Whether a live value is what is desired, or one of several that would do.
fn is_satisfied(before: &Value, after: &Value) -> bool {
    before == after || choices(after).is_some_and(|choices| choices.contains(before)) || listener_rule::in_band(after, before)
}

fn tags(before: &Tags, after: &Tags, changes: &mut Vec<FieldChange>) {
    for (key, value) in after {
        let old = before.get(key);
        if old != Some(value) {
            let old = old.map_or(Value::Null, |old| Value::String(old.clone()));
            changes.push(change(&format!("tags.{key}"), &old, &Value::String(value.clone()), false));
        }
    }
}

fn change(path: &str, before: &Value, after: &Value, forces_replacement: bool) -> FieldChange {
    let after_unknown = holds_unknown(after);
    FieldChange {
        path: path.to_string(),
        before: before.clone(),
        after: if after_unknown { known_part(after) } else { after.clone() },
        after_unknown,
        forces_replacement,
        origin: Origin::Spec,
    }
}

/// Whether any part of a value is known only when it is applied.
pub(super) fn holds_unknown(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(holds_unknown),
        Value::Object(items) => is_marker(items) || items.values().any(holds_unknown),
        _ => false,
    }
}

/// What can be said of a value now; null stands for what cannot.
fn known_part(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(known_part).collect()),
        Value::Object(items) if is_marker(items) => Value::Null,
        Value::Object(items) => Value::Object(items.iter().map(|(key, value)| (key.clone(), known_part(value))).collect()),
        other => other.clone(),
    }
}

/// A reference, or a choice that is made when the thing is.
fn is_marker(object: &Map<String, Value>) -> bool {
    object.len() == 1 && object.keys().all(|key| key.starts_with('$'))
}

pub(super) fn sorted(items: &[Value]) -> Vec<Value> {
    let mut items = items.to_vec();
    items.sort_by_key(Value::to_string);
    items.dedup();
    items
}

/// Puts the id in the place of every reference that `id_of` knows.
pub fn resolve(fields: &mut Fields, id_of: &dyn Fn(&Key) -> Option<String>) {
    fields.values_mut().for_each(|value| resolve_value(value, id_of));
}

fn resolve_value(value: &mut Value, id_of: &dyn Fn(&Key) -> Option<String>) {
    if let Some(key) = reference(value) {
        if let Some(id) = id_of(&key) {
            *value = Value::String(id);
        }
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| resolve_value(item, id_of)),
        Value::Object(items) => items.values_mut().for_each(|item| resolve_value(item, id_of)),
        _ => {}
    }
}
