//! Which step may start when: after what it needs, and tenants in waves, so that a few are healthy before the rest follow.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::Graph;
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
    fn tolerated(self) -> Option<usize> {
        self.max_failures.or((self.canary.is_some() || self.wave.is_some()).then_some(0))
    }
}

pub(super) struct Schedule {
    /// Steps that have not been started.
    left: BTreeSet<usize>,
    /// Those of these whose needs are done.
    ready: BTreeSet<usize>,
    done: BTreeSet<usize>,
    /// For each step how many of its needs are not done.
    missing: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    /// For each step its tenant, if it has one.
    tenants: Vec<Option<Scope>>,
    waves: BTreeMap<Scope, usize>,
    /// How many steps of each wave have neither ended nor been given up.
    unfinished: Vec<usize>,
    wave: usize,
    begun: BTreeSet<Scope>,
    failed: BTreeSet<Scope>,
    tolerated: Option<usize>,
}

impl Schedule {
    pub(super) fn new(graph: &Graph, rollout: Rollout) -> Self {
        let number = graph.nodes.len();
        let mut dependents = vec![Vec::new(); number];
        for (index, needs) in graph.needs.iter().enumerate() {
            needs.iter().for_each(|need| dependents[*need].push(index));
        }
        let missing: Vec<usize> = graph.needs.iter().map(BTreeSet::len).collect();
        let tenants: Vec<Option<Scope>> = graph.nodes.iter().map(|node| node.scope.is_tenant().then(|| node.scope.clone())).collect();
        let waves = waves(graph, &tenants, rollout);
        let mut unfinished = vec![0; waves.values().max().map_or(1, |last| last + 1)];
        tenants.iter().flatten().for_each(|tenant| unfinished[waves[tenant]] += 1);
        Self {
            left: (0..number).collect(),
            ready: (0..number).filter(|index| missing[*index] == 0).collect(),
            done: BTreeSet::new(),
            missing,
            dependents,
            tenants,
            waves,
            unfinished,
            wave: 0,
            begun: BTreeSet::new(),
            failed: BTreeSet::new(),
            tolerated: rollout.tolerated(),
        }
    }

    /// The number of waves, and of tenants in one.
    pub(super) fn waves(&self) -> usize {
        self.unfinished.len()
    }

    pub(super) fn size_of(&self, wave: usize) -> usize {
        self.waves.values().filter(|other| **other == wave).count()
    }

    /// Takes the steps that can start now.
    pub(super) fn take_ready(&mut self) -> Vec<usize> {
        let is_due = |index: &usize| match &self.tenants[*index] {
            Some(tenant) => self.waves[tenant] <= self.wave,
            None => true,
        };
        let due: Vec<usize> = self.ready.iter().copied().filter(is_due).collect();
        for index in &due {
            self.ready.remove(index);
            self.left.remove(index);
            self.begun.extend(self.tenants[*index].clone());
        }
        due
    }

    /// Goes on to the next wave where all of this one has ended. Its number, if so.
    pub(super) fn advance(&mut self) -> Option<usize> {
        let is_over = self.unfinished[self.wave] == 0 && self.wave + 1 < self.unfinished.len() && self.exceeded().is_none();
        is_over.then(|| {
            self.wave += 1;
            self.wave
        })
    }

    /// A step exists, which may be all that its dependents need.
    pub(super) fn make(&mut self, index: usize) {
        if !self.done.insert(index) {
            return;
        }
        for dependent in &self.dependents[index] {
            self.missing[*dependent] -= 1;
            if self.missing[*dependent] == 0 && self.left.contains(dependent) {
                self.ready.insert(*dependent);
            }
        }
    }

    /// A step has ended well.
    pub(super) fn finish(&mut self, index: usize) {
        self.make(index);
        self.end(index);
    }

    /// A step was not begun, and may be later.
    pub(super) fn put_back(&mut self, index: usize) {
        self.left.insert(index);
    }

    /// A step did not get done: those that cannot be done for that reason.
    pub(super) fn fail(&mut self, index: usize) -> Vec<usize> {
        self.end(index);
        self.failed.extend(self.tenants[index].clone());
        let mut lost = Vec::new();
        if self.done.contains(&index) {
            // It exists, which is all that its dependents ask for.
            return lost;
        }
        let mut causes = vec![index];
        while let Some(cause) = causes.pop() {
            for dependent in self.dependents[cause].clone() {
                if self.left.remove(&dependent) {
                    self.end(dependent);
                    lost.push(dependent);
                    causes.push(dependent);
                }
            }
        }
        lost
    }

    fn end(&mut self, index: usize) {
        if let Some(tenant) = &self.tenants[index] {
            self.unfinished[self.waves[tenant]] -= 1;
        }
    }

    /// Why no further tenant begins.
    pub(super) fn exceeded(&self) -> Option<String> {
        let tolerated = self.tolerated.filter(|tolerated| self.failed.len() > *tolerated)?;
        let failed = crate::words::count(self.failed.len(), "tenant", "tenants");
        Some(format!("{failed} did not get there, and --max-failures allows {tolerated}: no other tenant was begun"))
    }

    /// Takes out the steps of tenants that have not begun.
    pub(super) fn give_up_unbegun(&mut self) -> Vec<usize> {
        let is_unbegun = |index: &usize| self.tenants[*index].as_ref().is_some_and(|tenant| !self.begun.contains(tenant));
        let mut causes: Vec<usize> = self.left.iter().copied().filter(is_unbegun).collect();
        let mut given_up = Vec::new();
        while let Some(index) = causes.pop() {
            if self.left.remove(&index) {
                self.ready.remove(&index);
                self.end(index);
                given_up.push(index);
                causes.extend(&self.dependents[index]);
            }
        }
        given_up
    }

    pub(super) fn left(self) -> BTreeSet<usize> {
        self.left
    }

    pub(super) fn is_done(&self) -> bool {
        self.left.is_empty()
    }
}

/// The wave of each tenant. The first have tenants of every infra group, as far as they go, for a fault may be one's own. Who
/// has to go before somebody goes at the latest with them.
fn waves(graph: &Graph, tenants: &[Option<Scope>], rollout: Rollout) -> BTreeMap<Scope, usize> {
    let mut by_group: BTreeMap<Scope, BTreeSet<&Scope>> = BTreeMap::new();
    for tenant in tenants.iter().flatten() {
        by_group.entry(tenant.without_tenant()).or_default().insert(tenant);
    }
    let mut order: Vec<(usize, &Scope)> =
        by_group.values().flat_map(|group| group.iter().enumerate().map(|(position, tenant)| (position, *tenant))).collect();
    order.sort();
    let canary = rollout.canary.unwrap_or_default();
    let first = usize::from(canary > 0);
    let wave_of = |position: usize| match position.checked_sub(canary) {
        None => 0,
        Some(after) => first + rollout.wave.map_or(0, |wave| after / wave.max(1)),
    };
    let mut waves: BTreeMap<Scope, usize> =
        order.into_iter().enumerate().map(|(position, (_, tenant))| (tenant.clone(), wave_of(position))).collect();
    loop {
        let mut has_changed = false;
        for (index, needs) in graph.needs.iter().enumerate() {
            let Some(wave) = tenants[index].as_ref().map(|tenant| waves[tenant]) else { continue };
            for needed in needs.iter().filter_map(|need| tenants[*need].as_ref()) {
                if waves[needed] > wave {
                    waves.insert(needed.clone(), wave);
                    has_changed = true;
                }
            }
        }
        if !has_changed {
            return waves;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::{Node, Verb};
    use crate::resources::Kind;

    fn tenant(group: &str, name: &str) -> Scope {
        Scope::infra_group("t", "c", group).with_tenant(name)
    }

    /// Two steps of each tenant, the second after the first; and what is needed beside that.
    fn graph(tenants: &[Scope], needs: &[(usize, usize)]) -> Graph {
        let node = |scope: &Scope, kind| Node { verb: Verb::Create, kind, name: "x".into(), scope: scope.clone() };
        let nodes: Vec<Node> = tenants.iter().flat_map(|scope| [node(scope, Kind::Cluster), node(scope, Kind::Service)]).collect();
        let mut all: Vec<BTreeSet<usize>> =
            (0..nodes.len()).map(|index| if index % 2 == 1 { [index - 1].into() } else { BTreeSet::new() }).collect();
        for (index, need) in needs {
            all[*index].insert(*need);
        }
        Graph::of(nodes, all)
    }

    fn rollout(canary: usize, wave: Option<usize>) -> Rollout {
        Rollout { canary: Some(canary), wave, max_failures: None }
    }

    #[test]
    fn the_first_are_of_every_infra_group_and_the_rest_come_when_they_are_done() {
        let tenants = [tenant("a", "one"), tenant("a", "two"), tenant("b", "three"), tenant("b", "four")];
        let mut schedule = Schedule::new(&graph(&tenants, &[]), rollout(2, Some(1)));
        assert_eq!((schedule.waves(), schedule.size_of(0), schedule.size_of(1)), (3, 2, 1));
        // By name: four before three.
        assert_eq!(schedule.take_ready(), [0, 6]);
        schedule.finish(0);
        assert_eq!((schedule.take_ready(), schedule.advance()), (vec![1], None));
        schedule.finish(6);
        assert_eq!(schedule.take_ready(), [7]);
        schedule.finish(1);
        // Made is not done.
        schedule.make(7);
        assert_eq!((schedule.take_ready(), schedule.advance()), (Vec::new(), None));
        schedule.finish(7);
        assert_eq!((schedule.advance(), schedule.take_ready()), (Some(1), vec![2]));
        assert_eq!(schedule.advance(), None);
    }

    #[test]
    fn a_failed_canary_leaves_all_others_alone() {
        let tenants = [tenant("a", "one"), tenant("a", "two"), tenant("a", "three")];
        let mut schedule = Schedule::new(&graph(&tenants, &[]), rollout(1, None));
        assert_eq!(schedule.take_ready(), [0]);
        assert_eq!(schedule.fail(0), [1]);
        assert!(schedule.exceeded().is_some_and(|said| said.contains("1 tenant did not get there")));
        assert_eq!(schedule.advance(), None);
        let mut given_up = schedule.give_up_unbegun();
        given_up.sort_unstable();
        assert_eq!(given_up, [2, 3, 4, 5]);
        assert!(schedule.is_done());
    }

    #[test]
    fn who_has_begun_gets_to_its_end() {
        let tenants = [tenant("a", "one"), tenant("a", "two"), tenant("a", "three")];
        let limit = Rollout { max_failures: Some(0), wave: Some(2), canary: None };
        let mut schedule = Schedule::new(&graph(&tenants, &[]), limit);
        assert_eq!(schedule.take_ready(), [0, 4], "one and three, by name");
        assert_eq!(schedule.fail(0), [1]);
        assert_eq!(schedule.give_up_unbegun().len(), 2, "two has not begun");
        schedule.finish(4);
        assert_eq!(schedule.take_ready(), [5]);
    }

    #[test]
    fn who_is_needed_earlier_goes_earlier() {
        let tenants = [tenant("a", "one"), tenant("a", "two")];
        // The first waits until the second has let go of something.
        let schedule = Schedule::new(&graph(&tenants, &[(0, 2)]), rollout(1, None));
        assert_eq!((schedule.size_of(0), schedule.waves()), (2, 1));
        let mut schedule = schedule;
        assert_eq!(schedule.take_ready(), [2]);
    }

    #[test]
    fn without_a_limit_all_are_tried() {
        let tenants = [tenant("a", "one"), tenant("a", "two")];
        let mut schedule = Schedule::new(&graph(&tenants, &[]), Rollout::default());
        assert_eq!((schedule.waves(), schedule.take_ready()), (1, vec![0, 2]));
        assert_eq!((schedule.fail(0), schedule.exceeded()), (vec![1], None));
        assert!(schedule.give_up_unbegun().is_empty());
    }
}
