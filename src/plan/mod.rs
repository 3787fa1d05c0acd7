//! What would change: the desired estate against what exists. Pure, total and deterministic.

pub mod attribution;
pub mod calculate;
pub mod compare;
mod estates;
pub mod intent;
pub mod order;
pub mod placement;
pub mod saved;
mod waves;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::Bottleneck;
use crate::resources::model::{Condition, Desired, Key, Live, Place, Scope};
use crate::resources::{Depth, Kind};
use crate::words::count;
pub use attribution::Origin;
pub use calculate::calculate;
pub use compare::FieldChange;
pub use estates::Estates;
pub use waves::Rollout;

/// What may be done to the things of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// They become what the spec says; what it does not say goes.
    Manage,
    /// They are looked at and left alone.
    Observe,
    /// They all go.
    Remove,
}

/// What a command is allowed to do, and what specs there are.
#[derive(Debug, Clone, Default)]
pub struct Intent {
    pub scopes: BTreeMap<Scope, Treatment>,
    /// Scopes of which nothing may be deleted or replaced.
    pub protected: BTreeSet<Scope>,
    /// Where the infra groups are that a spec names: a thing of theirs in another account or Region is not the one that is
    /// meant, and nothing is done to either.
    pub places: BTreeMap<Scope, Place>,
    /// Every scope that a spec names, treated or not: what is in none of them is unclaimed.
    pub named: BTreeSet<Scope>,
    /// Tiers and cells that have a spec and are not looked at: nothing of theirs is unclaimed.
    pub unseen: BTreeSet<(String, String)>,
    /// Tiers that have a spec and are not what this is about: nothing of theirs is unclaimed.
    pub other_tiers: BTreeSet<String>,
    /// Whether tenants without a spec are listed as unclaimed.
    pub lists_tenants: bool,
    /// Whether the tier goes as a whole: then tenants anywhere in it keep all of it.
    pub removes_tier: bool,
    /// Whether a log group goes with its infra group.
    pub deletes_logs: bool,
}

impl Intent {
    pub fn of(&self, scope: &Scope) -> Option<Treatment> {
        self.scopes.get(scope).copied()
    }

    /// Whether a thing is in another account or Region than the spec of its infra group says. Roles are an account's.
    fn is_misplaced(&self, key: &Key, live: &Live) -> bool {
        self.places
            .get(&key.scope.without_tenant())
            .is_some_and(|place| place.account != live.place.account || key.kind != Kind::Role && place.region != live.place.region)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Create,
    Update,
    Replace,
    Delete,
    /// Refused, or somebody else has to act first.
    Blocked,
}

/// What a change is about: an AWS thing, or a tenant or infra group as a whole that cannot go ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    InfraGroup,
    Tenant,
    Resource(Kind),
}

impl Subject {
    pub fn name(self) -> &'static str {
        match self {
            Self::InfraGroup => "infra_group",
            Self::Tenant => "tenant",
            Self::Resource(kind) => kind.name(),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub action: Action,
    pub subject: Subject,
    pub scope: Scope,
    pub name: String,
    pub place: Place,
    pub fields: Vec<FieldChange>,
    /// Where it comes from; nothing where it is refused before anything was compared.
    pub origin: Option<Origin>,
    /// Why it is replaced, deleted or blocked; empty where the fields say it.
    pub reason: Option<String>,
    /// What is to be made or changed; references still in it are resolved when it is applied.
    pub desired: Option<Desired>,
    /// What is to be changed, replaced or deleted.
    pub live: Option<Live>,
    /// Indexes of the changes whose making must be done before this one is made, or where it only deletes, before that.
    pub after: Vec<usize>,
    /// Indexes of the waits that must have ended well before that.
    pub after_waits: Vec<usize>,
    /// Indexes of the changes that must be done before this one's old thing is deleted, or before what it takes away is.
    pub delete_after: Vec<usize>,
    /// Indexes of the waits that must have ended well before this one's old thing is deleted.
    pub delete_after_waits: Vec<usize>,
}

impl Change {
    pub fn key(&self) -> Option<Key> {
        match self.subject {
            Subject::Resource(kind) => Some(Key::new(&self.scope, kind, &self.name)),
            _ => None,
        }
    }

    /// Whether it belongs to a tenant rather than to its tier.
    pub fn is_tenants(&self) -> bool {
        self.scope.is_tenant()
    }

    pub fn blocked(subject: Subject, scope: &Scope, name: &str, place: &Place, reason: impl Into<String>) -> Self {
        Self {
            action: Action::Blocked,
            subject,
            scope: scope.clone(),
            name: name.into(),
            place: place.clone(),
            fields: Vec::new(),
            origin: None,
            reason: Some(reason.into()),
            desired: None,
            live: None,
            after: Vec::new(),
            after_waits: Vec::new(),
            delete_after: Vec::new(),
            delete_after_waits: Vec::new(),
        }
    }
}

/// A thing with our tags that no spec names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unclaimed {
    pub key: Key,
    pub place: Place,
    pub id: String,
}

/// A cell that a plan is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PlannedCell {
    pub tier: String,
    pub cell: String,
    /// AWS account number, of 12 digits.
    pub account: String,
    /// AWS Region.
    pub region: String,
}

/// A cell that could not be read: nothing is known of it, and nothing done in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub tier: String,
    pub cell: String,
    pub place: Place,
    pub reason: String,
    pub remedy: String,
}

/// A thing that is as it should be and does not do its work yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    pub desired: Desired,
    pub live: Live,
    /// Indexes of the changes whose making must be done before what follows from the wait.
    pub after: Vec<usize>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Tier before tenants, then by scope, kind and name.
    pub changes: Vec<Change>,
    pub unchanged: usize,
    pub unclaimed: Vec<Unclaimed>,
    pub waits: Vec<Wait>,
    pub warnings: Vec<String>,
    /// Ids of live things that changes refer to.
    pub ids: BTreeMap<Key, String>,
    /// Tenants that live in each infra group and stay.
    pub tenants: BTreeMap<Scope, BTreeSet<String>>,
    /// In what it does more than it may.
    pub exceeded: Vec<String>,
    /// Tenants by the wave in which they go.
    pub waves: Vec<BTreeSet<Scope>>,
    /// Once more tenants than these have failed, none begins any more.
    pub tolerated_failures: Option<usize>,
    /// What takes longest at the rates that may be used.
    pub bottleneck: Option<Bottleneck>,
    /// What it is about.
    pub cells: BTreeSet<PlannedCell>,
    /// Other cells that there are specs of, where it is about some alone.
    pub other_cells: BTreeSet<PlannedCell>,
    /// What it says nothing of.
    pub unread: Vec<Unread>,
    pub depth: Depth,
    /// Services that were not looked at: their tags say that they are as the specs have them.
    pub services_from_tags: usize,
    /// Tier and name of tenants without a placement that live in none of the cells that it is about: they live in others,
    /// or nowhere yet.
    pub elsewhere: BTreeSet<(String, String)>,
}

/// How much a plan may do before somebody has to look closer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Things that are deleted or replaced.
    pub deletes: Option<usize>,
    /// Tenants of which something is changed, or under which something of their tier is.
    pub tenants: Option<usize>,
}

impl Limits {
    /// Why a plan does too much; nothing where it does not.
    pub fn exceeded_by(&self, plan: &Plan) -> Vec<String> {
        let summary = plan.summary();
        let (removed, affected) = (summary.delete + summary.replace, plan.affected_tenants().len());
        let over = |limit: Option<usize>, number: usize| limit.filter(|limit| number > *limit);
        let deletes = over(self.deletes, removed)
            .map(|limit| format!("{} would be deleted or replaced, and --max-deletes allows {limit}", count(removed, "thing", "things")));
        let tenants = over(self.tenants, affected).map(|limit| {
            let tenants = count(affected, "tenant", "tenants");
            format!("{tenants} would be changed, or have what they depend on changed, and --max-tenants allows {limit}")
        });
        deletes.into_iter().chain(tenants).collect()
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    pub create: usize,
    pub update: usize,
    pub replace: usize,
    pub delete: usize,
    pub unchanged: usize,
    pub blocked: usize,
}

impl Plan {
    pub fn summary(&self) -> Summary {
        let count = |action| self.changes.iter().filter(|change| change.action == action).count();
        Summary {
            create: count(Action::Create),
            update: count(Action::Update),
            replace: count(Action::Replace),
            delete: count(Action::Delete),
            unchanged: self.unchanged,
            blocked: count(Action::Blocked),
        }
    }

    /// Takes in what was found out beside the comparison, each in its place.
    pub fn add(&mut self, blocked: Vec<Change>, warnings: Vec<String>) {
        self.warnings.extend(warnings);
        // What is found of one account in several plans of cells is the same as in one of all.
        self.warnings.sort();
        self.warnings.dedup();
        self.unclaimed.sort();
        self.unclaimed.dedup();
        self.changes.extend(blocked);
        calculate::sort(&mut self.changes, &mut self.waits);
    }

    /// Whether something is refused, or waits for somebody else.
    pub fn is_blocked(&self) -> bool {
        let waits_for_others = |live: &Live| matches!(live.condition, Condition::Blocked(_));
        let is_blocked = |change: &Change| {
            change.action == Action::Blocked || change.action == Action::Update && change.live.as_ref().is_some_and(waits_for_others)
        };
        !self.exceeded.is_empty() || self.changes.iter().any(is_blocked) || self.waits.iter().any(|wait| waits_for_others(&wait.live))
    }

    /// The requests that it takes at least, each with its place.
    pub fn writes(&self) -> impl Iterator<Item = (&Place, &'static str)> {
        self.steps().flat_map(|(_, change)| {
            let Subject::Resource(kind) = change.subject else { return Vec::new() };
            let writes = kind.resource().writes();
            let actions: Vec<&'static str> = match change.action {
                Action::Create => writes.create.to_vec(),
                Action::Update => writes.update.to_vec(),
                Action::Delete => writes.delete.to_vec(),
                Action::Replace => [writes.create, writes.delete].concat(),
                Action::Blocked => Vec::new(),
            };
            actions.into_iter().map(|action| (&change.place, action)).collect::<Vec<_>>()
        })
    }

    /// The changes that can be carried out.
    pub fn steps(&self) -> impl Iterator<Item = (usize, &Change)> {
        self.changes.iter().enumerate().filter(|(_, change)| change.action != Action::Blocked)
    }

    /// How many tenants live where a change of their tier is made.
    pub fn dependents(&self, change: &Change) -> Option<usize> {
        (!change.is_tenants()).then(|| self.tenants.get(&change.scope).map_or(0, BTreeSet::len))
    }

    /// Tenants of which something is changed, and those that live where something of their tier is changed or goes. What the
    /// tier gets in addition changes nothing for them.
    fn affected_tenants(&self) -> BTreeSet<Scope> {
        let mut affected = BTreeSet::new();
        for (_, change) in self.steps() {
            if change.is_tenants() {
                affected.insert(change.scope.clone());
            } else if change.action != Action::Create {
                let here = self.tenants.get(&change.scope).into_iter().flatten();
                affected.extend(here.map(|tenant| change.scope.with_tenant(tenant)));
            }
        }
        affected
    }

    /// Whether anything goes.
    pub fn deletes(&self) -> bool {
        self.steps().any(|(_, change)| matches!(change.action, Action::Delete | Action::Replace))
    }

    /// Whether another plan changes the same things in the same way.
    pub fn does_the_same(&self, other: &Self) -> bool {
        let said = |change: &Change| {
            let id = change.live.as_ref().map(|live| live.id.clone());
            (change.action, change.subject, change.scope.clone(), change.name.clone(), id, change.fields.clone())
        };
        self.changes.iter().map(said).eq(other.changes.iter().map(said))
    }

    pub fn has_steps(&self) -> bool {
        self.steps().next().is_some()
    }
}
