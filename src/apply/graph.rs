//! A plan as steps: a replacement is two, one that makes and one that deletes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::plan::{Action, Change, Plan};
use crate::resources::Kind;
use crate::resources::model::{Desired, Key, Live, Scope};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Create,
    Update,
    Delete,
    /// Nothing is changed: it is waited for.
    Await,
}

/// A step, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    pub verb: Verb,
    pub kind: Kind,
    pub name: String,
    pub scope: Scope,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.verb {
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Delete => "delete",
            Verb::Await => "wait for",
        };
        write!(f, "{verb} {} {} ({})", self.kind, self.name, self.scope)
    }
}

/// All that a step needs to run.
pub(super) struct Work {
    pub(super) node: Node,
    pub(super) desired: Option<Desired>,
    pub(super) live: Option<Live>,
    pub(super) changed: BTreeSet<String>,
    /// Ids of what the plan knows under this identity, and of what of its kind leaves its scope.
    pub(super) known: BTreeSet<String>,
}

pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    /// For each node those that must be done before it.
    pub(super) needs: Vec<BTreeSet<usize>>,
    /// For each node the change or the wait that it comes from.
    sources: Vec<Source>,
    known: BTreeMap<Key, BTreeSet<String>>,
    /// Ids of what is deleted, by scope and kind: something else may take over from it.
    leaving: BTreeMap<(Scope, Kind), BTreeSet<String>>,
}

#[derive(Clone, Copy)]
enum Source {
    Change(usize),
    Wait(usize),
}

impl Graph {
    /// Without `wait` nothing is only waited for.
    pub(super) fn new(plan: &Plan, wait: bool) -> Self {
        let mut graph =
            Self { nodes: Vec::new(), needs: Vec::new(), sources: Vec::new(), known: BTreeMap::new(), leaving: BTreeMap::new() };
        for change in &plan.changes {
            let (Some(key), Some(live)) = (change.key(), &change.live) else { continue };
            if change.action == Action::Delete {
                graph.leaving.entry((key.scope.clone(), key.kind)).or_default().insert(live.id.clone());
            }
            graph.known.entry(key).or_default().insert(live.id.clone());
        }
        let (mut makes, mut removes) = (BTreeMap::new(), BTreeMap::new());
        for (index, change) in plan.steps() {
            let verb = match change.action {
                Action::Create | Action::Replace => Some(Verb::Create),
                Action::Update => Some(Verb::Update),
                Action::Delete | Action::Blocked => None,
            };
            if let Some(node) = verb.and_then(|verb| node(change, verb)) {
                makes.insert(index, graph.add(node, Source::Change(index)));
            }
            if matches!(change.action, Action::Delete | Action::Replace)
                && let Some(node) = node(change, Verb::Delete)
            {
                removes.insert(index, graph.add(node, Source::Change(index)));
            }
        }
        for (index, change) in plan.steps() {
            if let Some(make) = makes.get(&index) {
                graph.needs[*make].extend(change.after.iter().filter_map(|needed| makes.get(needed)));
            }
            if let Some(remove) = removes.get(&index) {
                // Whoever held on to the old thing has let go when it is changed, or gone itself.
                let released = change.delete_after.iter().filter_map(|other| removes.get(other).or(makes.get(other)));
                graph.needs[*remove].extend(released.chain(makes.get(&index)));
            }
        }
        for (index, wait) in plan.waits.iter().enumerate().filter(|_| wait) {
            let key = &wait.desired.key;
            let node = Node { verb: Verb::Await, kind: key.kind, name: key.name.clone(), scope: key.scope.clone() };
            graph.add(node, Source::Wait(index));
        }
        graph
    }

    fn add(&mut self, node: Node, source: Source) -> usize {
        self.nodes.push(node);
        self.needs.push(BTreeSet::new());
        self.sources.push(source);
        self.nodes.len() - 1
    }

    /// What the plan knows that may be taken for this thing, or that it may take over from.
    fn known_to(&self, key: &Key) -> BTreeSet<String> {
        let same = self.known.get(key).into_iter().flatten();
        let leaving = self.leaving.get(&(key.scope.clone(), key.kind)).into_iter().flatten();
        same.chain(leaving).cloned().collect()
    }

    pub(super) fn work(&self, plan: &Plan, index: usize) -> Work {
        let node = self.nodes[index].clone();
        match self.sources[index] {
            Source::Wait(wait) => {
                let wait = &plan.waits[wait];
                Work {
                    node,
                    desired: Some(wait.desired.clone()),
                    live: Some(wait.live.clone()),
                    changed: BTreeSet::new(),
                    known: self.known_to(&wait.desired.key),
                }
            }
            Source::Change(change) => {
                let change = &plan.changes[change];
                let changed = change.fields.iter().map(|field| field.path.clone()).collect();
                let known = change.key().map(|key| self.known_to(&key)).unwrap_or_default();
                Work { node, desired: change.desired.clone(), live: change.live.clone(), changed, known }
            }
        }
    }
}

fn node(change: &Change, verb: Verb) -> Option<Node> {
    let key = change.key()?;
    Some(Node { verb, kind: key.kind, name: key.name, scope: key.scope })
}
