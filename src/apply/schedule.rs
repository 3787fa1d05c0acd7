//! Which step may start when: after what it needs, and of tenants when their wave has come.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::Graph;
use crate::plan::Plan;
use crate::resources::model::Scope;
use crate::words::count;

#[derive(Debug, Clone, Default)]
struct Step {
    /// Those that have to be done before it and are not.
    missing: BTreeSet<usize>,
    dependents: Vec<usize>,
    tenant: Option<Scope>,
    /// The wave of its tenant; nothing where that goes in none.
    wave: Option<usize>,
}

pub(super) struct Schedule {
    steps: Vec<Step>,
    /// Those that have not been started.
    left: BTreeSet<usize>,
    /// Those of these whose needs are done.
    ready: BTreeSet<usize>,
    /// Those that exist.
    done: BTreeSet<usize>,
    /// By wave the steps that have neither ended nor been given up.
    unfinished: BTreeMap<usize, BTreeSet<usize>>,
    wave: usize,
    waves: usize,
    begun: BTreeSet<Scope>,
    failed: BTreeSet<Scope>,
    /// Tenants that may fail before no other begins.
    tolerated: Option<usize>,
}

impl Schedule {
    pub(super) fn new(graph: &Graph, plan: &Plan) -> Self {
        let waves: BTreeMap<&Scope, usize> =
            plan.waves.iter().enumerate().flat_map(|(wave, tenants)| tenants.iter().map(move |tenant| (tenant, wave))).collect();
        let mut steps: Vec<Step> = graph
            .nodes
            .iter()
            .zip(&graph.needs)
            .map(|(node, needs)| Step {
                missing: needs.clone(),
                dependents: Vec::new(),
                tenant: node.scope.is_tenant().then(|| node.scope.clone()),
                wave: waves.get(&node.scope).copied(),
            })
            .collect();
        let mut unfinished: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (index, needs) in graph.needs.iter().enumerate() {
            for need in needs {
                steps.get_mut(*need).into_iter().for_each(|step| step.dependents.push(index));
            }
        }
        for (index, wave) in steps.iter().enumerate().filter_map(|(index, step)| Some((index, step.wave?))) {
            unfinished.entry(wave).or_default().insert(index);
        }
        let ready = steps.iter().enumerate().filter(|(_, step)| step.missing.is_empty()).map(|(index, _)| index).collect();
        Self {
            left: (0..steps.len()).collect(),
            ready,
            done: BTreeSet::new(),
            unfinished,
            wave: 0,
            waves: plan.waves.len(),
            begun: BTreeSet::new(),
            failed: BTreeSet::new(),
            tolerated: plan.tolerated_failures,
            steps,
        }
    }

    /// Takes the steps that can start now.
    pub(super) fn take_ready(&mut self) -> Vec<usize> {
        let is_due = |index: &usize| self.steps.get(*index).is_some_and(|step| step.wave.is_none_or(|wave| wave <= self.wave));
        let due: Vec<usize> = self.ready.iter().copied().filter(is_due).collect();
        for index in &due {
            self.ready.remove(index);
            self.left.remove(index);
            self.begun.extend(self.steps.get(*index).and_then(|step| step.tenant.clone()));
        }
        due
    }

    /// Goes on to the next wave where all of this one has ended. Its number, if so.
    pub(super) fn advance(&mut self) -> Option<usize> {
        let is_over = !self.unfinished.contains_key(&self.wave) && self.wave + 1 < self.waves && self.exceeded().is_none();
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
        for dependent in self.dependents(index) {
            let Some(step) = self.steps.get_mut(dependent) else { continue };
            step.missing.remove(&index);
            if step.missing.is_empty() && self.left.contains(&dependent) {
                self.ready.insert(dependent);
            }
        }
    }

    /// A step has ended well.
    pub(super) fn finish(&mut self, index: usize) {
        self.make(index);
        self.end(index);
    }

    /// A step was not begun, since the run is to stop.
    pub(super) fn put_back(&mut self, index: usize) {
        self.left.insert(index);
    }

    /// A step did not get done: those that cannot be done for that reason.
    pub(super) fn fail(&mut self, index: usize) -> Vec<usize> {
        self.end(index);
        // One of whom nothing is changed has not failed by this roll-out.
        self.failed.extend(self.steps.get(index).filter(|step| step.wave.is_some()).and_then(|step| step.tenant.clone()));
        // If it exists, that is all that its dependents ask for.
        if self.done.contains(&index) { Vec::new() } else { self.give_up(self.dependents(index)) }
    }

    /// Why no further tenant begins.
    pub(super) fn exceeded(&self) -> Option<String> {
        let tolerated = self.tolerated.filter(|tolerated| self.failed.len() > *tolerated)?;
        let failed = count(self.failed.len(), "tenant", "tenants");
        Some(format!("{failed} did not get there, and --max-failures allows {tolerated}: no other tenant was begun"))
    }

    /// Takes out the steps of tenants that have not begun, and what waits for them.
    pub(super) fn give_up_unbegun(&mut self) -> Vec<usize> {
        let tenant = |index: &usize| self.steps.get(*index).and_then(|step| step.tenant.as_ref());
        let is_unbegun = |index: &usize| tenant(index).is_some_and(|tenant| !self.begun.contains(tenant));
        self.give_up(self.left.iter().copied().filter(is_unbegun).collect())
    }

    /// Takes out steps that have not been started, and what waits for them.
    fn give_up(&mut self, mut causes: Vec<usize>) -> Vec<usize> {
        let mut given_up = Vec::new();
        while let Some(index) = causes.pop() {
            if self.left.remove(&index) {
                self.ready.remove(&index);
                self.end(index);
                given_up.push(index);
                causes.extend(self.dependents(index));
            }
        }
        given_up
    }

    fn dependents(&self, index: usize) -> Vec<usize> {
        self.steps.get(index).map(|step| step.dependents.clone()).unwrap_or_default()
    }

    fn end(&mut self, index: usize) {
        let Some(wave) = self.steps.get(index).and_then(|step| step.wave) else { return };
        if let Some(steps) = self.unfinished.get_mut(&wave) {
            steps.remove(&index);
            if steps.is_empty() {
                self.unfinished.remove(&wave);
            }
        }
    }

    /// Steps that have not been started.
    pub(super) fn left(&self) -> &BTreeSet<usize> {
        &self.left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::{Node, Verb};
    use crate::resources::Kind;

    fn tenant(name: &str) -> Scope {
        Scope::infra_group("t", "c", "g").with_tenant(name)
    }

    /// Two steps of each tenant, the second after the first; tenants in waves, of which some may fail.
    fn schedule(waves: &[&[&str]], tolerated: Option<usize>) -> Schedule {
        let plan = Plan {
            waves: waves.iter().map(|wave| wave.iter().map(|name| tenant(name)).collect()).collect(),
            tolerated_failures: tolerated,
            ..Plan::default()
        };
        let node = |scope: &Scope, kind| Node { verb: Verb::Create, kind, name: "x".into(), scope: scope.clone() };
        let tenants = waves.iter().flat_map(|wave| wave.iter()).map(|name| tenant(name));
        let nodes: Vec<Node> = tenants.flat_map(|scope| [node(&scope, Kind::Cluster), node(&scope, Kind::Service)]).collect();
        let needs = (0..nodes.len()).map(|index| if index % 2 == 1 { [index - 1].into() } else { BTreeSet::new() }).collect();
        Schedule::new(&Graph::of(nodes, needs), &plan)
    }

    #[test]
    fn the_next_wave_comes_when_all_of_one_is_done() {
        let mut schedule = schedule(&[&["one", "two"], &["three"]], Some(0));
        assert_eq!(schedule.take_ready(), [0, 2]);
        schedule.finish(0);
        assert_eq!((schedule.take_ready(), schedule.advance()), (vec![1], None));
        schedule.finish(2);
        assert_eq!(schedule.take_ready(), [3]);
        schedule.finish(1);
        // Made is not done.
        schedule.make(3);
        assert_eq!((schedule.take_ready(), schedule.advance()), (Vec::new(), None));
        schedule.finish(3);
        assert_eq!((schedule.advance(), schedule.take_ready()), (Some(1), vec![4]));
        assert_eq!(schedule.advance(), None);
    }

    #[test]
    fn a_failed_canary_leaves_all_others_alone() {
        let mut schedule = schedule(&[&["one"], &["two", "three"]], Some(0));
        assert_eq!(schedule.take_ready(), [0]);
        assert_eq!(schedule.fail(0), [1]);
        assert!(schedule.exceeded().is_some_and(|said| said.contains("1 tenant did not get there")));
        assert_eq!(schedule.advance(), None);
        let given_up: BTreeSet<usize> = schedule.give_up_unbegun().into_iter().collect();
        assert_eq!((given_up, schedule.left().len()), ((2..6).collect(), 0));
    }

    #[test]
    fn who_has_begun_gets_to_its_end() {
        let mut schedule = schedule(&[&["one", "two"], &["three"]], Some(0));
        assert_eq!(schedule.take_ready(), [0, 2]);
        assert_eq!(schedule.fail(0), [1]);
        assert_eq!(schedule.give_up_unbegun().len(), 2, "three has not begun");
        schedule.finish(2);
        assert_eq!(schedule.take_ready(), [3]);
    }

    #[test]
    fn who_is_in_no_wave_stops_nobody() {
        // Nothing of it is changed: it was not healthy before.
        let mut schedule = schedule(&[&["one"], &["two"]], Some(0));
        schedule.steps.iter_mut().take(2).for_each(|step| step.wave = None);
        assert_eq!(schedule.fail(0), [1]);
        assert_eq!(schedule.exceeded(), None);
    }

    #[test]
    fn without_a_limit_all_are_tried() {
        let mut schedule = schedule(&[&["one", "two"]], None);
        assert_eq!(schedule.take_ready(), [0, 2]);
        assert_eq!((schedule.fail(0), schedule.exceeded()), (vec![1], None));
    }
}
