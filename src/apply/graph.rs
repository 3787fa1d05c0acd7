//! A plan as steps: a replacement is two, one that makes and one that deletes.
//!
//! What works goes on working meanwhile: a thing is deleted after those of its kind that are waited for in its scope, and
//! a path to downstreams is closed after every endpoint that is made, changed or waited for in that infra group. So a
//! change of rules can be two steps as well, one that opens and one that closes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::plan::{Action, Change, Plan, Subject};
use crate::resources::Kind;
use crate::resources::model::{Desired, Fields, Key, Live, Scope};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Create,
    /// The first half of an update: what is new is added, and nothing is taken away.
    Widen,
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

impl Node {
    /// Whether this, which deletes something or closes paths, has to come after another step, for its work goes on there.
    fn ends_after(&self, other: &Self) -> bool {
        let is_waited_for = other.verb == Verb::Await && other.kind == self.kind;
        let opens = self.kind == Kind::SecurityGroupRules && other.kind == Kind::VpcEndpoint && other.verb != Verb::Delete;
        other.scope == self.scope && (is_waited_for || opens)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.verb {
            Verb::Create => "create",
            Verb::Widen => "widen",
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
    /// Whether something is deleted or closed once it works.
    pub(super) is_awaited: bool,
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
    /// Without `wait` nothing is waited for but what has to work before something else is deleted.
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
                Action::Update if is_split(plan, change) => Some(Verb::Widen),
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
        // What closes paths: changes of rules that were split, and those that only take away.
        let mut closes: BTreeMap<usize, usize> = BTreeMap::new();
        for (index, change) in plan.steps().filter(|(_, change)| change.action == Action::Update && takes_away(change)) {
            let Some(make) = makes.get(&index).copied() else { continue };
            let close = match node(change, Verb::Update).filter(|_| graph.nodes[make].verb == Verb::Widen) {
                Some(node) => graph.add(node, Source::Change(index)),
                None => make,
            };
            if close != make {
                graph.needs[close].insert(make);
            }
            closes.insert(index, close);
        }
        for (index, change) in plan.steps() {
            if let Some(make) = makes.get(&index) {
                graph.needs[*make].extend(change.after.iter().filter_map(|needed| makes.get(needed)));
            }
            if let Some(remove) = removes.get(&index) {
                // Whoever held on to the old thing has let go when it is changed, or gone itself.
                let released = change.delete_after.iter().filter_map(|other| removes.get(other).or(closes.get(other)).or(makes.get(other)));
                graph.needs[*remove].extend(released.chain(makes.get(&index)));
            }
        }
        let ends: Vec<usize> = removes.values().chain(closes.values()).copied().collect();
        for (index, waiting) in plan.waits.iter().enumerate() {
            let key = &waiting.desired.key;
            let node = Node { verb: Verb::Await, kind: key.kind, name: key.name.clone(), scope: key.scope.clone() };
            if wait || ends.iter().any(|end| graph.nodes[*end].ends_after(&node)) {
                graph.add(node, Source::Wait(index));
            }
        }
        // Requests are led to another endpoint, or to other groups of one, when tasks can reach it there.
        let opens = |index: usize, change: &Change| makes.get(&index).copied().filter(|_| opens_paths(change));
        let opening: Vec<usize> = plan.steps().filter_map(|(index, change)| opens(index, change)).collect();
        let moves = |change: &Change| change.subject == Subject::Resource(Kind::VpcEndpoint) && change.live.is_some();
        let moving: BTreeSet<&Scope> = plan.steps().filter(|(_, change)| moves(change)).map(|(_, change)| &change.scope).collect();
        for index in 0..graph.nodes.len() {
            let node = &graph.nodes[index];
            if node.kind == Kind::VpcEndpoint && moving.contains(&node.scope) {
                let paths: Vec<usize> = opening.iter().copied().filter(|path| graph.nodes[*path].scope == node.scope).collect();
                graph.needs[index].extend(paths);
            }
        }
        for end in ends {
            let awaited = (0..graph.nodes.len()).filter(|index| graph.nodes[end].ends_after(&graph.nodes[*index]));
            let awaited: Vec<usize> = awaited.collect();
            graph.needs[end].extend(awaited);
        }
        graph
    }

    /// Whether something is deleted or closed after a step.
    fn is_awaited(&self, index: usize) -> bool {
        let ends = |other: usize| self.nodes[other].verb == Verb::Delete || self.nodes[other].kind == Kind::SecurityGroupRules;
        (0..self.nodes.len()).any(|other| ends(other) && self.needs[other].contains(&index))
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
                    is_awaited: self.is_awaited(index),
                }
            }
            Source::Change(change) => {
                let change = &plan.changes[change];
                let changed = change.fields.iter().map(|field| field.path.clone()).collect();
                let known = change.key().map(|key| self.known_to(&key)).unwrap_or_default();
                let mut desired = change.desired.clone();
                if let (Verb::Widen, Some(desired), Some(live)) = (node.verb, &mut desired, &change.live) {
                    desired.fields.insert(RULES.into(), Value::Array([rules(&desired.fields), rules(&live.fields)].concat()));
                }
                Work { node, desired, live: change.live.clone(), changed, known, is_awaited: self.is_awaited(index) }
            }
        }
    }
}

const RULES: &str = "rules";

fn rules(fields: &Fields) -> Vec<Value> {
    fields.get(RULES).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Whether a change of a security group's rules takes some away.
fn takes_away(change: &Change) -> bool {
    let (Some(desired), Some(live)) = (&change.desired, &change.live) else { return false };
    let wanted = rules(&desired.fields);
    live.kind == Kind::SecurityGroupRules && rules(&live.fields).iter().any(|rule| !wanted.contains(rule))
}

/// Whether a change of a security group's rules adds some.
fn opens_paths(change: &Change) -> bool {
    let Some(desired) = change.desired.as_ref().filter(|desired| desired.key.kind == Kind::SecurityGroupRules) else { return false };
    let there = change.live.as_ref().map(|live| rules(&live.fields)).unwrap_or_default();
    change.action != Action::Update || rules(&desired.fields).iter().any(|rule| !there.contains(rule))
}

/// Whether a change of rules both opens and closes paths, while there is an endpoint that it has to wait for in between.
fn is_split(plan: &Plan, change: &Change) -> bool {
    let is_waited_for = |key: &Key| key.kind == Kind::VpcEndpoint && key.scope == change.scope;
    takes_away(change)
        && opens_paths(change)
        && (plan.waits.iter().any(|wait| is_waited_for(&wait.desired.key))
            || plan.steps().any(|(_, other)| other.desired.is_some() && other.key().is_some_and(|key| is_waited_for(&key))))
}

fn node(change: &Change, verb: Verb) -> Option<Node> {
    let key = change.key()?;
    Some(Node { verb, kind: key.kind, name: key.name, scope: key.scope })
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may panic")]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::plan::{Intent, Treatment, calculate};
    use crate::resources::model::{Condition, Place, Tags};

    fn group() -> Scope {
        Scope::infra_group("high", "one", "ig-1")
    }

    fn place() -> Place {
        Place { account: "123456789012".into(), region: "us-east-1".into() }
    }

    fn endpoint(service: &str) -> Value {
        json!({ "vpc_id": "vpc-1", "service_name": service, "endpoint_type": "Interface", "subnet_ids": [], "security_group_ids": [],
                "route_table_ids": [], "private_dns_enabled": false, "policy": {} })
    }

    fn paths(ports: &[u16]) -> Value {
        let rule = |port: &u16| json!({ "protocol": "tcp", "from_port": port, "to_port": port, "peer": "10.0.0.0/8" });
        json!({ "group_id": "sg-1", "direction": "egress", "rules": ports.iter().map(rule).collect::<Vec<_>>() })
    }

    /// A downstream moves to another service on another port, and its new endpoint is in this condition, if it is there.
    fn moved(there: Option<Condition>, wait: bool) -> (Plan, Graph) {
        let (downstream, rules) =
            (Key::new(&group(), Kind::VpcEndpoint, "bidder"), Key::new(&group(), Kind::SecurityGroupRules, "tasks-egress"));
        let live = |key: &Key, id: &str, fields: Value| Live::new(key.kind, &place(), id, key.tags(), &fields);
        let mut found = vec![live(&downstream, "vpce-old", endpoint("old")), live(&rules, "sg-1/egress", paths(&[443, 8443]))];
        found.extend(there.map(|condition| live(&downstream, "vpce-new", endpoint("new")).in_condition(condition)));
        let wanted = [
            Desired::new(downstream, &place(), &endpoint("new"), &Tags::new()),
            Desired::new(rules, &place(), &paths(&[443, 9443]), &Tags::new()),
        ];
        let intent = Intent { scopes: BTreeMap::from([(group(), Treatment::Manage)]), ..Intent::default() };
        let plan = calculate(&wanted, &found, &intent);
        let graph = Graph::new(&plan, wait);
        (plan, graph)
    }

    fn find(graph: &Graph, verb: Verb, kind: Kind) -> usize {
        graph.nodes.iter().position(|node| node.verb == verb && node.kind == kind).expect("such a step")
    }

    #[test]
    fn a_path_is_opened_at_once_and_closed_when_the_new_endpoint_works() {
        let blocked = Condition::Blocked("somebody has to accept it".into());
        for (there, verb) in [(None, Verb::Create), (Some(blocked), Verb::Await)] {
            for wait in [true, false] {
                let (plan, graph) = moved(there.clone(), wait);
                let works = find(&graph, verb, Kind::VpcEndpoint);
                let (opens, closes) =
                    (find(&graph, Verb::Widen, Kind::SecurityGroupRules), find(&graph, Verb::Update, Kind::SecurityGroupRules));
                assert!(graph.needs[opens].is_empty());
                assert_eq!(graph.needs[closes], BTreeSet::from([works, opens]));
                assert!(graph.needs[works].contains(&opens), "tasks would be led where they cannot reach");
                assert!(graph.needs[find(&graph, Verb::Delete, Kind::VpcEndpoint)].contains(&works));
                assert!(graph.work(&plan, works).is_awaited, "whatever else is not waited for");
                let ports = |index: usize| rules(&graph.work(&plan, index).desired.expect("rules").fields).len();
                assert_eq!((ports(opens), ports(closes)), (4, 2));
            }
        }
    }

    #[test]
    fn where_nothing_is_waited_for_a_change_of_paths_is_one_step() {
        let (_, graph) = moved(Some(Condition::Ready), true);
        let verbs: BTreeSet<Verb> = graph.nodes.iter().map(|node| node.verb).collect();
        assert_eq!(verbs, BTreeSet::from([Verb::Update, Verb::Delete]));
    }
}
