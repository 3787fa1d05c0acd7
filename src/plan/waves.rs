//! Which tenants go first: a few of them, and the rest when these are healthy.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use crate::resources::model::Scope;

/// How tenants go one after another. By default all of them go at once, whatever becomes of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rollout {
    /// Tenants that go before all others.
    pub canary: Option<usize>,
    /// Tenants that go at once after that.
    pub wave: Option<usize>,
    /// Once more tenants than these have failed, none begins any more.
    pub max_failures: Option<usize>,
}

impl Rollout {
    /// Tenants that may fail; nothing where that does not matter.
    pub fn tolerated(self) -> Option<usize> {
        self.max_failures.or((self.canary.is_some() || self.wave.is_some()).then_some(0))
    }

    /// The tenants of a plan in waves. The first have tenants of every infra group, as far as they go, for a fault may be
    /// one's own. Who has to go before somebody, as who gives up a route, goes at the latest with them.
    pub fn waves(self, plan: &Plan) -> Vec<BTreeSet<Scope>> {
        let order = in_turns(plan);
        let canary = self.canary.unwrap_or_default();
        let size = self.wave.unwrap_or(usize::MAX).max(1);
        let wave_of = |position: usize| match position.checked_sub(canary) {
            None => 0,
            Some(after) => usize::from(canary > 0) + after / size,
        };
        let mut of_tenant: BTreeMap<Scope, usize> =
            order.into_iter().enumerate().map(|(position, tenant)| (tenant.clone(), wave_of(position))).collect();
        pull_forward(plan, &mut of_tenant);
        let mut waves: BTreeMap<usize, BTreeSet<Scope>> = BTreeMap::new();
        for (tenant, wave) in of_tenant {
            waves.entry(wave).or_default().insert(tenant);
        }
        waves.into_values().collect()
    }
}

/// Tenants with something to do: the first of each infra group, then the second of each.
fn in_turns(plan: &Plan) -> Vec<&Scope> {
    let mut by_group: BTreeMap<Scope, BTreeSet<&Scope>> = BTreeMap::new();
    for (_, change) in plan.steps().filter(|(_, change)| change.is_tenants()) {
        by_group.entry(change.scope.without_tenant()).or_default().insert(&change.scope);
    }
    let turns = by_group.values().flat_map(|group| group.iter().copied().enumerate());
    let mut turns: Vec<(usize, &Scope)> = turns.collect();
    turns.sort();
    turns.into_iter().map(|(_, tenant)| tenant).collect()
}

/// What a change waits for has to be in its wave or before, also where something of the tier is in between.
fn pull_forward(plan: &Plan, of_tenant: &mut BTreeMap<Scope, usize>) {
    let mut latest: Vec<Option<usize>> = plan.changes.iter().map(|change| of_tenant.get(&change.scope).copied()).collect();
    let mut next: Vec<usize> = (0..latest.len()).collect();
    while let Some(index) = next.pop() {
        let (Some(change), Some(Some(wave))) = (plan.changes.get(index), latest.get(index).copied()) else { continue };
        for before in change.after.iter().chain(&change.delete_after) {
            let is_later = latest.get(*before).is_some_and(|known| known.is_none_or(|known| known > wave));
            if !is_later {
                continue;
            }
            // All of a tenant goes at once.
            let scope = plan.changes.get(*before).map(|other| &other.scope).filter(|scope| scope.is_tenant());
            for (other, known) in plan.changes.iter().zip(&mut latest).enumerate().filter_map(|(other, (change, known))| {
                (other == *before || scope.is_some_and(|scope| change.scope == *scope)).then_some((other, known))
            }) {
                *known = Some(wave);
                next.push(other);
            }
            if let Some(known) = scope.and_then(|scope| of_tenant.get_mut(scope)) {
                *known = wave;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Action, Change, Subject};
    use crate::resources::Kind;
    use crate::resources::model::Place;

    fn group(name: &str) -> Scope {
        Scope::infra_group("t", "c", name)
    }

    fn change(scope: &Scope, after: &[usize]) -> Change {
        let place = Place { account: "123456789012".into(), region: "us-east-1".into() };
        let blocked = Change::blocked(Subject::Resource(Kind::Cluster), scope, "x", &place, "");
        Change { action: Action::Update, after: after.to_vec(), ..blocked }
    }

    fn plan(changes: &[(Scope, &[usize])]) -> Plan {
        Plan { changes: changes.iter().map(|(scope, after)| change(scope, after)).collect(), ..Plan::default() }
    }

    fn names(waves: &[BTreeSet<Scope>]) -> Vec<Vec<&str>> {
        waves.iter().map(|wave| wave.iter().filter_map(|scope| scope.tenant.as_deref()).collect()).collect()
    }

    fn rollout(canary: usize, wave: Option<usize>) -> Rollout {
        Rollout { canary: Some(canary), wave, max_failures: None }
    }

    fn tenant(of: &str, name: &str) -> Scope {
        group(of).with_tenant(name)
    }

    #[test]
    fn the_first_are_of_every_infra_group() {
        let four = ["one", "two"].map(|name| tenant("a", name)).into_iter().chain(["four", "three"].map(|name| tenant("b", name)));
        let four: Vec<(Scope, &[usize])> = four.map(|scope| (scope, [].as_slice())).collect();
        let plan = plan(&four);
        assert_eq!(names(&rollout(2, Some(1)).waves(&plan)), [vec!["one", "four"], vec!["two"], vec!["three"]]);
        assert_eq!(names(&rollout(9, None).waves(&plan)).len(), 1, "more than there are");
        assert_eq!(names(&rollout(0, Some(3)).waves(&plan)), [vec!["one", "two", "four"], vec!["three"]]);
        assert_eq!(Rollout::default().waves(&plan).len(), 1);
    }

    #[test]
    fn who_is_needed_earlier_goes_earlier() {
        // The first waits until the second has let go of something.
        let direct = plan(&[(tenant("a", "one"), &[1]), (tenant("a", "two"), &[]), (tenant("a", "zwei"), &[])]);
        assert_eq!(names(&rollout(1, None).waves(&direct)), [vec!["one", "two"], vec!["zwei"]]);
        // Something of the tier is in between, and the third waits for nobody.
        let through = plan(&[(group("a"), &[2]), (tenant("a", "one"), &[0]), (tenant("a", "two"), &[]), (tenant("a", "zwei"), &[])]);
        assert_eq!(names(&rollout(1, None).waves(&through)), [vec!["one", "two"], vec!["zwei"]]);
    }

    #[test]
    fn some_may_fail_only_where_that_is_said() {
        assert_eq!(Rollout::default().tolerated(), None);
        assert_eq!(rollout(1, None).tolerated(), Some(0));
        assert_eq!(Rollout { max_failures: Some(3), ..rollout(1, None) }.tolerated(), Some(3));
    }
}
