//! Tells what was changed by hand from what the specs change. Each thing bears in a tag a record of what was last applied to
//! it: a format version, then for each field three characters for its name and three for its value. The record is only read
//! to explain a difference: that it is old or missing is none. A quick plan alone takes it for the thing itself.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::compare::{self, FieldChange};
use super::{Action, Change, Plan};
use crate::resources::model::{Desired, Fields, Live, Scope, TAG_CONTENT, TAG_PREFIX, Tags};
use crate::resources::{Kind, task_definition};
use crate::sha256;

const VERSION: &str = "1:";
/// Of six bits each.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Characters for a name or a value: one in 262,144 is another's too.
const LENGTH: usize = 3;
/// Longest value of a tag, in characters. <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>
const LONGEST: usize = 256;

/// Where a difference comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// AWS has what was last applied: the spec says something else by now.
    Spec,
    /// The spec says what was last applied: it was changed in AWS.
    Drift,
    /// Neither has what was last applied.
    Both,
    /// There is no record of what was last applied, or none that this version can read.
    Unattributed,
}

/// The record for a thing with these fields and tags: the value of its tag. What does not fit is left out.
pub fn record(kind: Kind, fields: &Fields, tags: &Tags) -> String {
    let mut names: Vec<String> = Vec::new();
    for field in kind.resource().fields() {
        match fields.get(field.name) {
            Some(Value::Object(items)) if compare::is_open_map(field.name) => {
                names.extend(items.keys().map(|key| format!("{}.{key}", field.name)));
            }
            Some(_) => names.push(field.name.to_string()),
            None => {}
        }
    }
    // A part has no tags of its own.
    if kind.resource().is_tagged() {
        names.extend(tags.keys().filter(|key| !key.starts_with(TAG_PREFIX)).map(|key| format!("tags.{key}")));
    }
    let mut text = VERSION.to_string();
    for name in names {
        let Some(value) = hash(kind, &name, fields, tags) else { continue };
        let entry = letters(&name) + &value;
        if text.len() + entry.len() <= LONGEST {
            text.push_str(&entry);
        }
    }
    text
}

/// What a record says of each name; nothing of names that share their characters.
fn entries(record: &str) -> BTreeMap<&str, Option<&str>> {
    let Some(text) = record.strip_prefix(VERSION).filter(|text| text.is_ascii()) else { return BTreeMap::new() };
    let mut entries = BTreeMap::new();
    let mut rest = text;
    while let Some((entry, after)) = rest.split_at_checked(2 * LENGTH) {
        let (name, value) = entry.split_at(LENGTH);
        entries.entry(name).and_modify(|known| *known = None).or_insert(Some(value));
        rest = after;
    }
    entries
}

/// What stands for the value of an entry; nothing where it is not known yet, or where there is a choice.
fn hash(kind: Kind, name: &str, fields: &Fields, tags: &Tags) -> Option<String> {
    let value = match name.strip_prefix("tags.") {
        Some(key) => tags.get(key).map_or(Value::Null, |value| Value::String(value.clone())),
        None => match name.split_once('.') {
            Some((field, key)) => fields.get(field).and_then(|items| items.get(key)).cloned().unwrap_or_default(),
            None => fields.get(name).cloned().unwrap_or_default(),
        },
    };
    let field = kind.resource().fields().iter().find(|field| field.name == name);
    let value = match value {
        Value::Array(items) if field.is_some_and(|field| field.is_set) => Value::Array(compare::sorted(&items)),
        value => value,
    };
    (!compare::holds_unknown(&value)).then(|| letters(&format!("{name}={value}")))
}

fn letters(text: &str) -> String {
    let number = u64::from_str_radix(&sha256::hex(text.as_bytes(), 12), 16).unwrap_or_default();
    (0..LENGTH).map(|index| char::from(ALPHABET[(number >> (6 * index) & 63) as usize])).collect()
}

/// The entry that a change of this path belongs to.
fn entry_of(path: &str) -> &str {
    let field = compare::field_of(path);
    if compare::is_open_map(field) { path } else { field }
}

/// Says of each field that differs where that comes from.
pub(super) fn attribute(desired: &Desired, live: &Live, changes: &mut [FieldChange]) {
    let kind = desired.key.kind;
    let tag = kind.resource().record_tag(&desired.fields);
    let record = tag.as_ref().and_then(|tag| live.tags.get(tag)).map(String::as_str).unwrap_or_default();
    let recorded = entries(record);
    // What it has no entry for, though there was room for one, no spec had set.
    let is_whole = !recorded.is_empty() && record.len() + 2 * LENGTH <= LONGEST;
    for change in changes {
        let name = entry_of(&change.path);
        change.origin = match recorded.get(letters(name).as_str()) {
            _ if kind == Kind::TaskDefinition => of_revision(desired, live),
            None if is_whole => Origin::Spec,
            None | Some(None) => Origin::Unattributed,
            Some(Some(applied)) => {
                let is_applied = |fields, tags| hash(kind, name, fields, tags).as_deref() == Some(*applied);
                let is_wanted = match (kind, name) {
                    // Which revision there will be is not known before it is registered, but what it is made of.
                    (Kind::Service, "task_definition") => live.tags.get(TAG_CONTENT) == desired.tags.get(TAG_CONTENT),
                    _ => is_applied(&desired.fields, &desired.tags),
                };
                origin(is_applied(&live.fields, &live.tags), is_wanted)
            }
        };
    }
}

/// The fields of a thing, known by its tags alone, that are to be other than its record says, or of which it says nothing.
pub(super) fn not_as_recorded(desired: &Desired, live: &Live) -> BTreeSet<&'static str> {
    let kind = desired.key.kind;
    let tag = kind.resource().record_tag(&desired.fields);
    let recorded = tag.as_ref().and_then(|tag| live.tags.get(tag)).map(|record| entries(record)).unwrap_or_default();
    let is_recorded = |field: &str| {
        let wanted = hash(kind, field, &desired.fields, &desired.tags);
        wanted.is_some() && recorded.get(letters(field).as_str()).copied().flatten() == wanted.as_deref()
    };
    let fields = kind.resource().fields().iter().map(|field| field.name);
    fields.filter(|field| desired.fields.contains_key(*field) && !is_recorded(field)).collect()
}

/// A revision never changes: another one is wanted, or another one runs than was deployed.
fn of_revision(desired: &Desired, live: &Live) -> Origin {
    match live.text(task_definition::DEPLOYED) {
        Some(deployed) => {
            let is_deployed = |tags: &Tags| tags.get(TAG_CONTENT).is_some_and(|content| content == deployed);
            origin(is_deployed(&live.tags), is_deployed(&desired.tags))
        }
        None => Origin::Spec,
    }
}

/// From whether AWS and the spec have what was last applied.
fn origin(in_aws: bool, in_spec: bool) -> Origin {
    match (in_aws, in_spec) {
        (true, _) => Origin::Spec,
        (false, true) => Origin::Drift,
        (false, false) => Origin::Both,
    }
}

/// Where a change as a whole comes from; nothing where it is refused as a whole, before anything was compared.
pub(super) fn of_change(change: &Change, living: &BTreeSet<Scope>) -> Option<Origin> {
    let origins: BTreeSet<Origin> = change.fields.iter().map(|field| field.origin).collect();
    match change.action {
        // Where nothing else is there, nothing was lost.
        Action::Create | Action::Blocked if change.live.is_none() => {
            change.desired.as_ref()?;
            Some(if living.contains(&change.scope) { Origin::Unattributed } else { Origin::Spec })
        }
        Action::Delete => Some(Origin::Spec),
        _ if origins.contains(&Origin::Unattributed) => Some(Origin::Unattributed),
        _ if origins.len() > 1 => Some(Origin::Both),
        _ => origins.first().copied(),
    }
}

/// Takes away what only the specs change, and returns how many changes that leaves out.
pub fn keep_drift(plan: &mut Plan) -> usize {
    let before = plan.changes.len();
    plan.changes.retain(|change| change.origin.is_some_and(|origin| origin != Origin::Spec));
    for change in &mut plan.changes {
        change.fields.retain(|field| change.action == Action::Create || field.origin != Origin::Spec);
        // They are of the whole plan.
        for others in [&mut change.after, &mut change.after_waits, &mut change.delete_after, &mut change.delete_after_waits] {
            others.clear();
        }
    }
    // What waits is as the specs say, and nobody has changed it.
    plan.waits.clear();
    before - plan.changes.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resources::model::{Key, Place, TAG_APPLIED};

    fn place() -> Place {
        Place { account: "123456789012".into(), region: "us-east-1".into() }
    }

    fn desired(days: u64, team: &str) -> Desired {
        let key = Key::new(&Scope::infra_group("t", "c", "g"), Kind::LogGroup, "logs");
        let tags = Tags::from([("team".to_string(), team.to_string())]);
        Desired::new(key, &place(), &json!({ "log_group_name": "/t", "retention_in_days": days }), &tags)
    }

    fn live(of: &Desired, applied: Option<&Desired>) -> Live {
        let mut live = Live::new(Kind::LogGroup, &place(), "arn", of.tags.clone(), &of.fields);
        live.tags.extend(applied.map(|applied| (TAG_APPLIED.to_string(), record(Kind::LogGroup, &applied.fields, &applied.tags))));
        live
    }

    fn origins(spec: &Desired, live: &Live) -> Vec<(String, Origin)> {
        let mut changes = compare::changes(Kind::LogGroup.resource(), spec, live);
        attribute(spec, live, &mut changes);
        changes.into_iter().map(|change| (change.path, change.origin)).collect()
    }

    #[test]
    fn each_field_says_where_its_difference_comes_from() {
        let (one, two, three) = (desired(1, "a"), desired(7, "a"), desired(30, "b"));
        let path = || "retention_in_days".to_string();
        assert_eq!(origins(&two, &live(&one, Some(&one))), [(path(), Origin::Spec)]);
        assert_eq!(origins(&one, &live(&two, Some(&one))), [(path(), Origin::Drift)]);
        assert_eq!(origins(&three, &live(&two, Some(&one))), [(path(), Origin::Both), ("tags.team".into(), Origin::Spec)]);
        assert_eq!(origins(&two, &live(&one, None)), [(path(), Origin::Unattributed)]);
        let mut newer = live(&one, Some(&one));
        newer.tags.insert(TAG_APPLIED.into(), "2:abcdef".into());
        assert_eq!(origins(&two, &newer), [(path(), Origin::Unattributed)]);
        assert_eq!(origins(&one, &live(&one, Some(&two))), [], "a record alone is no difference");
    }

    #[test]
    fn a_record_fits_into_a_tag() {
        let mut spec = desired(1, "a");
        spec.tags.extend((0..50).map(|number| (format!("tag-{number}"), "value".to_string())));
        let record = record(Kind::LogGroup, &spec.fields, &spec.tags);
        assert!(record.len() > 240 && record.len() <= LONGEST, "{}", record.len());
        assert!(record.chars().all(|c| c.is_ascii_alphanumeric() || "-_:".contains(c)), "{record}");
        assert!(entries(&record).contains_key(letters("retention_in_days").as_str()), "fields come first");
        assert!(entries("1:").is_empty() && entries("1:abc").is_empty() && entries("1:\u{e4}bcdefg").is_empty());
        assert_eq!(entries("1:abcdefabcxyz")["abc"], None, "two of one name say nothing");
    }

    /// A name that shares its characters with another of its kind would never be attributed.
    #[test]
    fn names_of_a_kind_have_characters_of_their_own() {
        for kind in Kind::ALL {
            let fields = kind.resource().fields();
            let names: BTreeSet<String> = fields.iter().map(|field| letters(field.name)).collect();
            assert_eq!(names.len(), fields.len(), "{kind}");
        }
    }
}
