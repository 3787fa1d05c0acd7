//! A plan as steps: a replacement is two, one that makes and one that deletes, and so is a change that has to keep for a
//! while what it takes away.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::plan::{Action, Change, Plan, order};
use crate::resources::Kind;
use crate::resources::model::{Desired, Key, Live, Scope};

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
    /// Whether something else is done only once it works.
    pub(super) is_awaited: bool,
    /// Whether this run itself has changed the thing before, in a step of its own.
    pub(super) is_second_half: bool,
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
    /// Nodes that have to work, not just to be made: something is deleted or taken away after them, or a tenant relies on
    /// what its tier has.
    awaited: BTreeSet<usize>,
}

#[derive(Clone, Copy)]
enum Source {
    Change(usize),
    Wait(usize),
}

impl Graph {
    #[cfg(test)]
    pub(super) fn of(nodes: Vec<Node>, needs: Vec<BTreeSet<usize>>) -> Self {
        let sources = vec![Source::Wait(0); nodes.len()];
        Self { nodes, needs, sources, known: BTreeMap::new(), leaving: BTreeMap::new(), awaited: BTreeSet::new() }
    }

    /// Without `wait` nothing is waited for but what has to work before something else is made or deleted.
    pub(super) fn new(plan: &Plan, wait: bool) -> Self {
        let mut graph = Self {
            nodes: Vec::new(),
            needs: Vec::new(),
            sources: Vec::new(),
            known: BTreeMap::new(),
            leaving: BTreeMap::new(),
            awaited: BTreeSet::new(),
        };
        for change in &plan.changes {
            let (Some(key), Some(live)) = (change.key(), &change.live) else { continue };
            if change.action == Action::Delete {
                graph.leaving.entry((key.scope.clone(), key.kind)).or_default().insert(live.id.clone());
            }
            graph.known.entry(key).or_default().insert(live.id.clone());
        }
        // By change: what makes or changes the thing, and what deletes the old one or takes away what it had.
        let (mut makes, mut removes) = (BTreeMap::new(), BTreeMap::new());
        for (index, change) in plan.steps() {
            let is_split = order::widened(change).is_some();
            let make = match change.action {
                Action::Create | Action::Replace => Some(Verb::Create),
                Action::Update if is_split => Some(Verb::Widen),
                Action::Update => Some(Verb::Update),
                Action::Delete | Action::Blocked => None,
            };
            let remove = match change.action {
                Action::Delete | Action::Replace => Some(Verb::Delete),
                Action::Update if is_split => Some(Verb::Update),
                _ => None,
            };
            let mut add = |verb| node(change, verb).map(|node| graph.add(node, Source::Change(index)));
            if let Some(node) = make.and_then(&mut add) {
                makes.insert(index, node);
                // What only takes away has to wait as a whole.
                if change.action == Action::Update && !is_split && order::has_to_wait(change) {
                    removes.insert(index, node);
                }
            }
            if let Some(node) = remove.and_then(add) {
                removes.insert(index, node);
            }
        }
        let is_before_a_step =
            |wait: usize| plan.steps().any(|(_, change)| change.after_waits.contains(&wait) || change.delete_after_waits.contains(&wait));
        let mut awaits = BTreeMap::new();
        for (index, waiting) in plan.waits.iter().enumerate().filter(|(index, _)| wait || is_before_a_step(*index)) {
            let key = &waiting.desired.key;
            let node = Node { verb: Verb::Await, kind: key.kind, name: key.name.clone(), scope: key.scope.clone() };
            let node = graph.add(node, Source::Wait(index));
            graph.needs[node].extend(waiting.after.iter().filter_map(|needed| makes.get(needed)));
            awaits.insert(index, node);
        }
        for (index, change) in plan.steps() {
            if let Some(first) = makes.get(&index).or(removes.get(&index)) {
                let awaited = change.after_waits.iter().filter_map(|wait| awaits.get(wait));
                // What is there and only loses something is not waited for: it may be what waits for this.
                let needed = change.after.iter().filter(|needed| makes.get(*needed) != removes.get(*needed));
                graph.needs[*first].extend(needed.filter_map(|needed| makes.get(needed)).chain(awaited));
            }
            if let Some(remove) = removes.get(&index) {
                // Whoever held on to the old thing has let go when it is changed, or gone itself.
                let released = change.delete_after.iter().filter_map(|other| removes.get(other).or(makes.get(other)));
                let awaited = change.delete_after_waits.iter().filter_map(|wait| awaits.get(wait));
                let made = makes.get(&index).filter(|make| *make != remove);
                graph.needs[*remove].extend(released.chain(awaited).chain(made));
            }
        }
        let ends: BTreeSet<usize> = removes.into_values().collect();
        for (node, needs) in graph.needs.iter().enumerate() {
            let relies = |need: &usize| graph.nodes[node].scope.is_tenant() && !graph.nodes[*need].scope.is_tenant();
            graph.awaited.extend(needs.iter().filter(|need| ends.contains(&node) || relies(need)));
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
                    is_awaited: self.awaited.contains(&index),
                    is_second_half: false,
                }
            }
            Source::Change(change) => {
                let change = &plan.changes[change];
                let changed = change.fields.iter().map(|field| field.path.clone()).collect();
                let known = change.key().map(|key| self.known_to(&key)).unwrap_or_default();
                let (is_awaited, widened) = (self.awaited.contains(&index), order::widened(change));
                let is_second_half = node.verb == Verb::Update && widened.is_some();
                let desired = if node.verb == Verb::Widen { widened } else { change.desired.clone() };
                Work { node, desired, live: change.live.clone(), changed, known, is_awaited, is_second_half }
            }
        }
    }
}

fn node(change: &Change, verb: Verb) -> Option<Node> {
    let key = change.key()?;
    Some(Node { verb, kind: key.kind, name: key.name, scope: key.scope })
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may panic")]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

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
        let plan = calculate(&wanted.into_iter().collect(), &found, &intent);
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
                let deletes = find(&graph, Verb::Delete, Kind::VpcEndpoint);
                assert!(graph.needs[works].contains(&opens), "tasks would be led where they cannot reach");
                assert!(graph.needs[deletes].contains(&works));
                assert!(graph.needs[closes].contains(&works) || graph.needs[closes].contains(&deletes));
                assert!(graph.work(&plan, works).is_awaited, "whatever else is not waited for");
                let ports = |index: usize| graph.work(&plan, index).desired.expect("rules").fields["rules"].as_array().map(Vec::len);
                assert_eq!((ports(opens), ports(closes)), (Some(3), Some(2)));
            }
        }
    }

    /// A tenant's service moves between capacity providers, and its cluster gets what it comes to run on first.
    #[test]
    fn a_cluster_has_a_provider_before_and_until_the_service_runs_elsewhere() {
        let scope = group().with_tenant("acme");
        let (cluster, service) = (Key::new(&scope, Kind::Cluster, "cluster"), Key::new(&scope, Kind::Service, "service"));
        let on = |name: &str| json!([{ "capacity_provider": name, "weight": 1, "base": 0 }]);
        let steps = |before: &[&str], after: &[&str], from: &str, to: &str| {
            let target_group = Key::new(&scope, Kind::TargetGroup, "target-group");
            let found = [
                Live::new(Kind::TargetGroup, &place(), "arn:target-group", target_group.tags(), &json!({ "health_check": { "port": 1 } })),
                Live::new(Kind::Cluster, &place(), "arn:cluster", cluster.tags(), &json!({ "capacity_providers": before })),
                Live::new(Kind::Service, &place(), "arn:service", service.tags(), &json!({ "capacity_provider_strategy": on(from) })),
            ];
            let wanted = [
                Desired::new(cluster.clone(), &place(), &json!({ "capacity_providers": after }), &Tags::new()),
                // As the estate has it: the service comes after its target group, and that after the cluster.
                Desired::new(target_group.clone(), &place(), &json!({ "health_check": { "port": 2 } }), &Tags::new())
                    .after([cluster.clone()]),
                Desired::new(service.clone(), &place(), &json!({ "capacity_provider_strategy": on(to) }), &Tags::new())
                    .after([target_group]),
            ];
            let intent = Intent { scopes: BTreeMap::from([(scope.clone(), Treatment::Manage)]), ..Intent::default() };
            Graph::new(&calculate(&wanted.into_iter().collect(), &found, &intent), true)
        };
        let more = steps(&["FARGATE"], &["FARGATE", "FARGATE_SPOT"], "FARGATE", "FARGATE_SPOT");
        assert!(more.needs[find(&more, Verb::Update, Kind::Service)].contains(&find(&more, Verb::Update, Kind::Cluster)));
        let less = steps(&["FARGATE", "FARGATE_SPOT"], &["FARGATE"], "FARGATE_SPOT", "FARGATE");
        assert!(less.needs[find(&less, Verb::Update, Kind::Cluster)].contains(&find(&less, Verb::Update, Kind::Service)));
        assert!(less.needs[find(&less, Verb::Update, Kind::TargetGroup)].is_empty(), "it would wait for what waits for it");
        let other = steps(&["FARGATE"], &["FARGATE_SPOT"], "FARGATE", "FARGATE_SPOT");
        let (gives, runs, takes) = (
            find(&other, Verb::Widen, Kind::Cluster),
            find(&other, Verb::Update, Kind::Service),
            find(&other, Verb::Update, Kind::Cluster),
        );
        assert!(other.needs[runs].contains(&gives) && other.needs[takes].contains(&runs) && other.needs[gives].is_empty());
    }

    #[test]
    fn where_nothing_is_waited_for_a_change_of_paths_is_one_step() {
        let (_, graph) = moved(Some(Condition::Ready), true);
        let verbs: BTreeSet<Verb> = graph.nodes.iter().map(|node| node.verb).collect();
        assert_eq!(verbs, BTreeSet::from([Verb::Update, Verb::Delete]));
    }
}
