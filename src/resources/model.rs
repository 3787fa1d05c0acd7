//! What every kind of AWS thing has in common: identity, place, fields, and how two states of it compare.
//!
//! Fields travel as JSON so that comparing, printing and ordering are written once for all kinds; each kind's own
//! file turns them into a typed shape before it talks to AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::Kind;

pub type Fields = Map<String, Value>;
pub type Tags = BTreeMap<String, String>;

/// How the keys of all our tags begin.
pub const TAG_PREFIX: &str = "tierctl:";
pub const TAG_TIER: &str = "tierctl:tier";
pub const TAG_CELL: &str = "tierctl:cell";
pub const TAG_INFRA_GROUP: &str = "tierctl:infra-group";
pub const TAG_RESOURCE: &str = "tierctl:resource";
pub const TAG_TENANT: &str = "tierctl:tenant";
/// Together they make a thing ours.
pub const OWNERSHIP: [&str; 4] = [TAG_TIER, TAG_CELL, TAG_INFRA_GROUP, TAG_RESOURCE];
/// On a service: the revision of its task definition that we deployed.
pub const TAG_REVISION: &str = "tierctl:revision";
/// On a service and a task definition: the hash of that revision's content.
pub const TAG_CONTENT: &str = "tierctl:content";
/// On what a saved plan has made: which plan that was. A run of it that was broken off goes on with these.
pub const TAG_PLAN: &str = "tierctl:plan";

/// What was last applied to a thing, as `plan::attribution` writes it; of a part of a thing under `tierctl:applied:<part>`.
pub const TAG_APPLIED: &str = "tierctl:applied";

/// An AWS account and Region: what one session can see.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    pub account: String,
    pub region: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account {}, {}", self.account, self.region)
    }
}

/// An infra group, or one tenant in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    pub tier: String,
    pub cell: String,
    pub infra_group: String,
    pub tenant: Option<String>,
}

impl Scope {
    pub fn infra_group(tier: &str, cell: &str, infra_group: &str) -> Self {
        Self { tier: tier.into(), cell: cell.into(), infra_group: infra_group.into(), tenant: None }
    }

    pub fn with_tenant(&self, tenant: &str) -> Self {
        Self { tenant: Some(tenant.into()), ..self.clone() }
    }

    /// The infra group that a tenant lives in, or the infra group itself.
    pub fn without_tenant(&self) -> Self {
        Self { tenant: None, ..self.clone() }
    }

    pub fn is_tenant(&self) -> bool {
        self.tenant.is_some()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.tier, self.cell, self.infra_group)?;
        self.tenant.iter().try_for_each(|tenant| write!(f, "/{tenant}"))
    }
}

/// Identity of a thing, as its tags say it. Two live things with one key are a duplicate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Key {
    pub scope: Scope,
    pub kind: Kind,
    /// Name within scope and kind: the value of the tag `tierctl:resource`.
    pub name: String,
}

impl Key {
    pub fn new(scope: &Scope, kind: Kind, name: impl Into<String>) -> Self {
        Self { scope: scope.clone(), kind, name: name.into() }
    }

    /// The tags that make a thing ours.
    pub fn tags(&self) -> Tags {
        let mut tags = Tags::from([
            (TAG_TIER.into(), self.scope.tier.clone()),
            (TAG_CELL.into(), self.scope.cell.clone()),
            (TAG_INFRA_GROUP.into(), self.scope.infra_group.clone()),
            (TAG_RESOURCE.into(), self.name.clone()),
        ]);
        if let Some(tenant) = &self.scope.tenant {
            tags.insert(TAG_TENANT.into(), tenant.clone());
        }
        tags
    }

    /// Whose a thing with these tags is; none if it is not ours.
    pub fn from_tags(kind: Kind, tags: &Tags) -> Option<Self> {
        let scope = Scope {
            tier: tags.get(TAG_TIER)?.clone(),
            cell: tags.get(TAG_CELL)?.clone(),
            infra_group: tags.get(TAG_INFRA_GROUP)?.clone(),
            tenant: tags.get(TAG_TENANT).cloned(),
        };
        // A tenant's thing that has lost its tenant's tag is not the tier's: nobody can say whose it is.
        if kind.is_tenants() != scope.is_tenant() {
            return None;
        }
        Some(Self { scope, kind, name: tags.get(TAG_RESOURCE)?.clone() })
    }

    /// As a field refers to it: `<scope>:<kind>:<name>`. Names in scopes have neither slash nor colon.
    fn to_reference(&self) -> String {
        format!("{}:{}:{}", self.scope, self.kind, self.name)
    }

    fn from_reference(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let (mut scope, kind, name) = (parts.next()?.split('/'), parts.next()?, parts.next()?);
        let mut next = || scope.next().map(String::from);
        let scope = Scope { tier: next()?, cell: next()?, infra_group: next()?, tenant: next() };
        if next().is_some() {
            return None;
        }
        let kind = Kind::ALL.iter().copied().find(|known| known.name() == kind)?;
        Some(Self { scope, kind, name: name.into() })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {}", self.kind, self.name, self.scope)
    }
}

const REFERENCE: &str = "$ref";
const ONE_OF: &str = "$one_of";

/// The id or ARN of a thing: known, or that of a thing that may still have to be made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    Known(String),
    Of(Key),
}

impl Id {
    /// The id itself. By the time a kind talks to AWS every reference has been resolved.
    pub fn known(&self) -> Result<&str, ShapeError> {
        match self {
            Self::Known(id) => Ok(id),
            Self::Of(key) => Err(ShapeError(format!("the id of {key} is not known yet"))),
        }
    }

    pub fn all_known<'a>(ids: impl IntoIterator<Item = &'a Self>) -> Result<Vec<String>, ShapeError> {
        ids.into_iter().map(|id| id.known().map(String::from)).collect()
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(id) => serializer.serialize_str(id),
            Self::Of(key) => BTreeMap::from([(REFERENCE, key.to_reference())]).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match Value::deserialize(deserializer)? {
            Value::String(id) => Ok(Self::Known(id)),
            other => reference(&other).map(Self::Of).ok_or_else(|| D::Error::custom("expected an id")),
        }
    }
}

fn referred(value: &Value) -> Option<&str> {
    value.as_object()?.get(REFERENCE)?.as_str()
}

/// The key that a field refers to, if it is a reference.
pub fn reference(value: &Value) -> Option<Key> {
    Key::from_reference(referred(value)?)
}

/// A field with several values that are all as desired: a live one among them is kept, a new one takes a free one.
pub fn one_of<T: Serialize>(values: impl IntoIterator<Item = T>) -> Value {
    let values: Vec<Value> = values.into_iter().filter_map(|value| serde_json::to_value(value).ok()).collect();
    Value::Object(Map::from_iter([(ONE_OF.to_string(), Value::Array(values))]))
}

pub fn choices(value: &Value) -> Option<&Vec<Value>> {
    value.as_object()?.get(ONE_OF)?.as_array()
}

/// The name, within its scope, of the thing that a value refers to.
pub fn referred_name(value: &Value) -> Option<&str> {
    referred(value)?.splitn(3, ':').nth(2)
}

/// Whether a value refers to anything, however deep.
pub fn holds_reference(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(holds_reference),
        Value::Object(items) => items.contains_key(REFERENCE) || items.values().any(holds_reference),
        _ => false,
    }
}

/// All keys that a value refers to, however deep.
pub fn references(value: &Value, found: &mut BTreeSet<Key>) {
    if let Some(key) = reference(value) {
        found.insert(key);
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(items) => items.values().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// What a change of a field means for the thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnChange {
    /// It is changed where it stands.
    Update,
    /// AWS cannot change it: a new thing is made, then the old one deleted.
    Replace,
    /// It can be given to a thing that has none, and not changed: then a new thing is made.
    ReplaceUnlessNone,
}

impl OnChange {
    /// Whether a thing with this value has to be replaced when it changes.
    pub fn replaces(self, before: &Value) -> bool {
        match self {
            Self::Update => false,
            Self::Replace => true,
            Self::ReplaceUnlessNone => !before.is_null(),
        }
    }
}

/// One field of a kind: its name, what a change of it means, and whether the order of its list matters.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub name: &'static str,
    pub on_change: OnChange,
    pub is_set: bool,
}

impl Field {
    pub const fn update(name: &'static str) -> Self {
        Self { name, on_change: OnChange::Update, is_set: false }
    }

    pub const fn replace(name: &'static str) -> Self {
        Self { name, on_change: OnChange::Replace, is_set: false }
    }

    pub const fn replace_unless_none(name: &'static str) -> Self {
        Self { name, on_change: OnChange::ReplaceUnlessNone, is_set: false }
    }

    /// The field is a list whose order AWS does not keep.
    pub const fn set(self) -> Self {
        Self { is_set: true, ..self }
    }
}

/// A thing that should exist.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    pub key: Key,
    pub place: Place,
    /// Only what is managed: a field that is absent here is not compared.
    pub fields: Fields,
    pub tags: Tags,
    /// Things that must stand before it though none of its fields names them.
    pub after: BTreeSet<Key>,
}

impl Desired {
    /// A thing of this kind with these fields; `shape` is the kind's own typed struct.
    pub fn new(key: Key, place: &Place, shape: &impl Serialize, tags: &Tags) -> Self {
        let fields = match serde_json::to_value(shape) {
            Ok(Value::Object(fields)) => fields,
            _ => Fields::new(),
        };
        // The user's tags come along and cannot override what makes the thing ours.
        let mut all = tags.clone();
        all.extend(key.tags());
        Self { key, place: place.clone(), fields, tags: all, after: BTreeSet::new() }
    }

    pub fn after(mut self, keys: impl IntoIterator<Item = Key>) -> Self {
        self.after.extend(keys);
        self
    }

    /// Everything that must stand before this thing can be made.
    pub fn needs(&self) -> BTreeSet<Key> {
        let mut keys = self.after.clone();
        self.fields.values().for_each(|value| references(value, &mut keys));
        keys
    }
}

/// Whether a live thing does its work yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Condition {
    Ready,
    /// On its way by itself; says what it waits for.
    Pending(String),
    /// AWS does not list it: not yet, or not any more.
    Absent(String),
    /// Somebody else has to act; says who must do what.
    Blocked(String),
    /// It will not get there by itself; says why.
    Failed(String),
    /// Being deleted.
    Leaving(String),
}

impl Condition {
    /// Why the thing does not do its work; nothing where it does.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Ready => None,
            Self::Pending(why) | Self::Absent(why) | Self::Blocked(why) | Self::Failed(why) | Self::Leaving(why) => Some(why),
        }
    }
}

/// A thing that exists, in the same normal form as a desired one.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    pub kind: Kind,
    pub place: Place,
    /// AWS's id or ARN: what other things refer to it by.
    pub id: String,
    /// AWS's name of it, where it has one that can be taken.
    pub name: Option<String>,
    pub tags: Tags,
    pub fields: Fields,
    pub condition: Condition,
}

impl Live {
    pub fn new(kind: Kind, place: &Place, id: impl Into<String>, tags: Tags, shape: &impl Serialize) -> Self {
        let fields = match serde_json::to_value(shape) {
            Ok(Value::Object(fields)) => fields,
            _ => Fields::new(),
        };
        Self { kind, place: place.clone(), id: id.into(), name: None, tags, fields, condition: Condition::Ready }
    }

    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub fn in_condition(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// Whose it is; none if it is not ours.
    pub fn owner(&self) -> Option<Key> {
        Key::from_tags(self.kind, &self.tags)
    }

    /// Whether it is ours and of this infra group, or of a tenant in it: as [`Self::owner`] would say, without making a key.
    pub fn is_in(&self, infra_group: &Scope) -> bool {
        let is = |tag: &str, value: &str| self.tags.get(tag).is_some_and(|held| held == value);
        is(TAG_INFRA_GROUP, &infra_group.infra_group)
            && is(TAG_CELL, &infra_group.cell)
            && is(TAG_TIER, &infra_group.tier)
            && self.tags.contains_key(TAG_RESOURCE)
            && self.tags.contains_key(TAG_TENANT) == self.kind.is_tenants()
    }

    /// Whether it is known by its tags alone.
    pub fn is_summary(&self) -> bool {
        self.fields.is_empty()
    }

    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    /// The live fields as the kind's typed shape.
    pub fn shape<T: DeserializeOwned>(&self) -> Result<T, ShapeError> {
        shape(&self.fields)
    }
}

/// A thing to make or change, every reference resolved to an id.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub key: Key,
    pub place: Place,
    pub fields: Fields,
    pub tags: Tags,
    /// Ids of things that the plan knows and that this is not: one of this identity to be replaced, a duplicate, or one of
    /// this kind and scope that leaves.
    pub known: BTreeSet<String>,
}

impl Wanted {
    pub fn shape<T: DeserializeOwned>(&self) -> Result<T, ShapeError> {
        shape(&self.fields)
    }
}

/// The paths of a change, so that a kind calls only what it needs.
#[derive(Debug, Clone, Default)]
pub struct Changed(pub BTreeSet<String>);

impl Changed {
    /// Whether this field, or anything below it, changes.
    pub fn has(&self, field: &str) -> bool {
        self.0.iter().any(|path| path == field || path.strip_prefix(field).is_some_and(|rest| rest.starts_with(['.', '['])))
    }
}

fn shape<T: DeserializeOwned>(fields: &Fields) -> Result<T, ShapeError> {
    T::deserialize(Value::Object(fields.clone())).map_err(|error| ShapeError(error.to_string()))
}

/// Fields that do not fit their kind: an error of ours, not of the user's.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct ShapeError(pub String);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reference_leads_back_to_its_key() {
        let group = Scope::infra_group("high", "cell-1", "ig-1");
        for scope in [group.clone(), group.with_tenant("acme")] {
            for kind in Kind::ALL {
                for name in ["tasks", "com.amazonaws.s3:x/y"] {
                    let (key, value) = (Key::new(&scope, *kind, name), json!(Id::Of(Key::new(&scope, *kind, name))));
                    assert_eq!((reference(&value), referred_name(&value)), (Some(key.clone()), Some(name)));
                    assert_eq!(serde_json::from_value::<Id>(value.clone()).unwrap(), Id::Of(key));
                }
            }
        }
        for other in
            ["", "high/cell-1/ig-1", "high/cell-1/ig-1:vpc", "high/cell-1:vpc:vpc", "high/cell-1/ig-1:moat:moat", "a/b/c/d/e:vpc:vpc"]
        {
            assert_eq!(reference(&json!({ "$ref": other })), None, "{other}");
        }
    }

    /// What there is of a scope is found by its first kind.
    #[test]
    fn kinds_are_in_the_order_of_the_list() {
        assert!(Kind::ALL.is_sorted());
    }
}
