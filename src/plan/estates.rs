//! What should exist, by infra group and tenant.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::estate::{self, Facts, Group, tenant};
use crate::resources::Kind;
use crate::resources::model::{Desired, Key, Scope};
use crate::spec::model::TenantSpec;

/// What should exist of infra groups and tenants. What a tenant should have is made when it is asked for: that of thousands at
/// once would take more memory than all else.
#[derive(Debug, Default)]
pub struct Estates<'a> {
    made: BTreeMap<Scope, Vec<Desired>>,
    tenants: BTreeMap<Scope, TenantEstate<'a>>,
}

/// A tenant in its infra group.
#[derive(Debug, Clone, Copy)]
pub(super) struct TenantEstate<'a> {
    pub group: Group<'a>,
    pub tenant: &'a TenantSpec,
    pub facts: &'a Facts,
    /// Whether it has nothing here yet.
    pub is_new: bool,
    /// Whether all of it comes after all of its tier's part.
    pub awaits_tier: bool,
}

impl<'a> Estates<'a> {
    pub(super) fn add(&mut self, scope: Scope, mut part: Vec<Desired>) {
        part.sort_by(|a, b| a.key.cmp(&b.key));
        self.made.insert(scope, part);
    }

    pub(super) fn add_tenant(&mut self, scope: Scope, tenant: TenantEstate<'a>) {
        self.tenants.insert(scope, tenant);
    }

    /// Infra groups, then tenants, so that each comes after what it may refer to.
    pub(super) fn scopes(&self) -> Vec<&Scope> {
        let mut scopes: Vec<&Scope> = self.made.keys().chain(self.tenants.keys()).collect();
        scopes.sort_by_key(|scope| (scope.is_tenant(), *scope));
        scopes
    }

    /// What should exist of one of them, in the order of kinds: each refers only to those before it.
    pub(super) fn of(&self, scope: &Scope) -> Cow<'_, [Desired]> {
        if let Some(made) = self.made.get(scope) {
            return Cow::Borrowed(made);
        }
        let mut things = self.tenants.get(scope).map(|tenant| self.make(scope, tenant)).unwrap_or_default();
        things.sort_by(|a, b| a.key.cmp(&b.key));
        Cow::Owned(things)
    }

    pub(super) fn has(&self, scope: &Scope) -> bool {
        self.made.contains_key(scope) || self.tenants.contains_key(scope)
    }

    pub(super) fn get(&self, key: &Key) -> Option<Cow<'_, Desired>> {
        match self.of(&key.scope) {
            Cow::Borrowed(things) => things.iter().find(|thing| thing.key == *key).map(Cow::Borrowed),
            Cow::Owned(things) => things.into_iter().find(|thing| thing.key == *key).map(Cow::Owned),
        }
    }

    fn make(&self, scope: &Scope, tenant: &TenantEstate<'_>) -> Vec<Desired> {
        let mut things = estate::of_tenant(tenant.group, tenant.tenant, tenant.facts);
        if tenant.awaits_tier {
            // All else of a tenant comes after one of these.
            let is_first = |thing: &&mut Desired| matches!(thing.key.kind, Kind::Cluster | Kind::TargetGroup | Kind::TaskDefinition);
            let tier_part = self.made.get(&tenant.group.scope()).map(Vec::as_slice).unwrap_or_default();
            for thing in things.iter_mut().filter(is_first) {
                thing.after.extend(tier_part.iter().map(|inherited| inherited.key.clone()));
            }
        }
        if !tenant.is_new {
            already_living(&mut things, scope);
        }
        things
    }
}

/// A tenant that lives here has its place; and its rule leads elsewhere only when the revision that answers there could
/// be registered.
fn already_living(things: &mut [Desired], scope: &Scope) {
    let (rule, revision) = (tenant::listener_rule(scope), tenant::task_definition(scope));
    let has_revision = things.iter().any(|thing| thing.key == revision);
    for thing in things {
        if thing.key == rule {
            thing.fields.remove("places");
            thing.after.extend(has_revision.then(|| revision.clone()));
        } else if thing.key == revision {
            thing.after.remove(&rule);
        }
    }
}

impl FromIterator<Desired> for Estates<'_> {
    fn from_iter<T: IntoIterator<Item = Desired>>(things: T) -> Self {
        let mut parts: BTreeMap<Scope, Vec<Desired>> = BTreeMap::new();
        for thing in things {
            parts.entry(thing.key.scope.clone()).or_default().push(thing);
        }
        let mut estates = Self::default();
        parts.into_iter().for_each(|(scope, part)| estates.add(scope, part));
        estates
    }
}
