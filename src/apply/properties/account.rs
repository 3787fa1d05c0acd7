//! An account that a plan's steps are carried out in, without AWS: what is made is there, with its fields and tags,
//! and what AWS would refuse fails the test.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::apply::graph::{Graph, Verb, Work};
use crate::estate::names;
use crate::plan::{Plan, compare, order};
use crate::resources::model::{Desired, Id, Key, Live, Scope, TAG_REVISION, choices, references};
use crate::resources::{Kind, listener_rule};

#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    things: Vec<Live>,
    /// Every revision that was registered, by family: they never go.
    revisions: BTreeMap<String, Vec<Live>>,
    made: usize,
}

impl Account {
    /// What a run reads. A tenant's task definition is the one that its service runs, or the latest of its family.
    pub(super) fn read(&self) -> Vec<Live> {
        let mut live = self.things.clone();
        for cluster in self.things.iter().filter(|live| live.kind == Kind::Cluster) {
            let Some(scope) = cluster.owner().map(|key| key.scope) else { continue };
            let revisions = self.revisions.get(cluster.name.as_deref().unwrap_or_default());
            let service = self.things.iter().find(|live| live.kind == Kind::Service && live.owner().is_some_and(|key| key.scope == scope));
            let running = service.and_then(|service| service.text("task_definition"));
            let seen = match running {
                Some(arn) => revisions.into_iter().flatten().find(|revision| revision.id == arn),
                None => revisions.and_then(|revisions| revisions.last()),
            };
            live.extend(seen.cloned());
        }
        live
    }

    /// Puts somebody else's thing there.
    pub(super) fn put(&mut self, live: Live) {
        self.things.push(live);
    }

    /// A second VPC of an infra group, with a second one of some of what is in a VPC; each such thing holds on to the
    /// second ones as far as they were made. Names of load balancers, roles and log groups can be had once.
    pub(super) fn put_second_network(&mut self, scope: &Scope, parts: &[bool]) {
        const IN_A_VPC: &[Kind] =
            &[Kind::Subnet, Kind::RouteTable, Kind::SecurityGroup, Kind::SecurityGroupRules, Kind::VpcEndpoint, Kind::InternetGateway];
        let here = |live: &&Live| live.owner().is_some_and(|key| key.scope == *scope);
        let vpc = self.things.iter().filter(here).find(|live| live.kind == Kind::Vpc).expect("a VPC");
        let mut second = vec![vpc.clone()];
        let others = self.things.iter().filter(here).filter(|live| IN_A_VPC.contains(&live.kind));
        second.extend(others.zip(parts).filter(|(_, part)| **part).map(|(live, _)| live.clone()));
        // A group comes with its rules, and none without it.
        let groups: BTreeSet<String> = second.iter().filter(|live| live.kind == Kind::SecurityGroup).map(|live| live.id.clone()).collect();
        second.retain(|live| live.kind != Kind::SecurityGroupRules || live.text("group_id").is_some_and(|id| groups.contains(id)));
        let ids: BTreeMap<String, String> = second.iter().map(|live| (live.id.clone(), format!("second-{}", live.id))).collect();
        let first: BTreeSet<String> = self.things.iter().filter(|live| IN_A_VPC.contains(&live.kind)).map(|live| live.id.clone()).collect();
        fn moved(value: &Value, ids: &BTreeMap<String, String>, first: &BTreeSet<String>) -> Value {
            match value {
                Value::String(text) => json!(ids.get(text).unwrap_or(text)),
                // What was not made in the second network is not referred to from there.
                Value::Array(items) => {
                    let made = |item: &&Value| item.as_str().is_none_or(|id| ids.contains_key(id) || !first.contains(id));
                    let peer = |item: &&Value| item.get("peer").is_none_or(|peer| made(&peer));
                    Value::Array(items.iter().filter(made).filter(peer).map(|item| moved(item, ids, first)).collect())
                }
                Value::Object(items) => Value::Object(items.iter().map(|(key, item)| (key.clone(), moved(item, ids, first))).collect()),
                other => other.clone(),
            }
        }
        for mut live in second {
            live.id = match live.kind {
                Kind::SecurityGroupRules => format!("second-{}", live.id),
                _ => ids[&live.id].clone(),
            };
            live.fields = live.fields.iter().map(|(name, value)| (name.clone(), moved(value, &ids, &first))).collect();
            self.things.push(live);
        }
    }

    pub(super) fn foreign(&self) -> Vec<&Live> {
        self.things.iter().filter(|live| live.owner().is_none()).collect()
    }

    /// Carries out a plan, or only its first so many steps. Of the steps that could be next, `choose` says which is.
    pub(super) fn carry_out(&mut self, plan: &Plan, mut steps: usize, mut choose: impl FnMut(usize) -> usize) {
        let graph = Graph::new(plan, false);
        let mut ids = plan.ids.clone();
        let mut done = BTreeSet::new();
        while steps > 0 && done.len() < graph.nodes.len() {
            let ready: Vec<usize> =
                (0..graph.nodes.len()).filter(|index| !done.contains(index) && graph.needs[*index].is_subset(&done)).collect();
            assert!(!ready.is_empty(), "steps wait for each other in a circle: {:#?}", left(&graph, &done));
            let next = ready[choose(ready.len()) % ready.len()];
            self.step(graph.work(plan, next), &mut ids);
            done.insert(next);
            steps -= 1;
        }
    }

    fn step(&mut self, work: Work, ids: &mut BTreeMap<Key, String>) {
        let Work { node, desired, live, .. } = work;
        if let Some(live) = &live {
            assert!(live.owner().is_some(), "{node} touches {}, which is somebody else's", live.id);
        }
        match node.verb {
            Verb::Create => {
                let desired = desired.expect("what is to be made");
                let id = self.make(&desired, ids);
                ids.insert(desired.key, id);
            }
            Verb::Widen | Verb::Update => {
                let (desired, live) = (desired.expect("what is wanted"), live.expect("what is there"));
                let id = self.change(&desired, &live, ids);
                ids.insert(desired.key, id);
            }
            Verb::Delete => self.delete(&live.expect("what is to go")),
            Verb::Await => {}
        }
    }

    /// The fields as AWS gets them, with every reference in the place of its id.
    fn resolved(&self, desired: &Desired, ids: &BTreeMap<Key, String>) -> Desired {
        let mut fields = desired.fields.clone();
        compare::resolve(&mut fields, &|key| ids.get(key).cloned());
        let mut unknown = BTreeSet::new();
        fields.values().for_each(|value| references(value, &mut unknown));
        assert!(unknown.is_empty(), "{} is made before {unknown:?}", desired.key);
        for needed in desired.needs() {
            let id = &ids[&needed];
            assert!(self.stands(id), "{} needs {needed}, and {id} is gone", desired.key);
        }
        let mut tags = desired.tags.clone();
        tags.extend(desired.key.kind.resource().derived_tags(&fields));
        let mut resolved = Desired { fields, tags, ..desired.clone() };
        self.take_priority(&mut resolved);
        resolved
    }

    fn stands(&self, id: &str) -> bool {
        self.things.iter().chain(self.revisions.values().flatten()).any(|live| live.id == id)
    }

    /// The lowest free priority of the band.
    fn take_priority(&self, desired: &mut Desired) {
        let Some(band) = desired.fields.get("priority").cloned().filter(|_| desired.key.kind == Kind::ListenerRule) else { return };
        let listener = desired.fields.get("listener_arn").cloned();
        let taken: BTreeSet<u64> = self
            .things
            .iter()
            .filter(|live| live.kind == Kind::ListenerRule && live.fields.get("listener_arn") == listener.as_ref())
            .filter_map(|live| live.fields.get("priority")?.as_u64())
            .collect();
        let free = (1..=50_000).find(|place| listener_rule::in_band(&band, &json!(place)) && !taken.contains(place));
        desired.fields.insert("priority".into(), json!(free.expect("a free priority")));
    }

    fn make(&mut self, desired: &Desired, ids: &BTreeMap<Key, String>) -> String {
        let desired = self.resolved(desired, ids);
        let kind = desired.key.kind;
        if kind == Kind::TaskDefinition {
            return self.register(&desired);
        }
        self.made += 1;
        let text = |field: &str| desired.fields.get(field).and_then(Value::as_str).unwrap_or_default().to_string();
        let id = match kind {
            // These two are parts of another thing.
            Kind::SecurityGroupRules => format!("{}/{}", text("group_id"), text("direction")),
            Kind::Targets => text("target_group_arn"),
            kind => format!("{kind}-{}", self.made),
        };
        let mut live = Live::new(kind, &desired.place, &id, desired.tags.clone(), &desired.fields);
        live.name = names::of(&desired).map(str::to_string);
        self.refuse_double(&live);
        self.things.push(live);
        id
    }

    fn register(&mut self, desired: &Desired) -> String {
        let family = names::of(desired).expect("a family").to_string();
        let revisions = self.revisions.entry(family.clone()).or_default();
        let id = format!("arn:aws:ecs:us-east-1:123456789012:task-definition/{family}:{}", revisions.len() + 1);
        revisions.push(Live::new(Kind::TaskDefinition, &desired.place, &id, desired.tags.clone(), &desired.fields).named(family));
        id
    }

    /// AWS refuses a second thing of one name, block, port or route.
    fn refuse_double(&self, new: &Live) {
        let same = |field: &str, other: &Live| other.fields.get(field) == new.fields.get(field);
        let clash = self.things.iter().filter(|other| other.kind == new.kind && other.place == new.place).find(|other| match new.kind {
            Kind::Subnet => same("vpc_id", other) && same("cidr_block", other),
            Kind::SecurityGroup => same("vpc_id", other) && other.name == new.name,
            Kind::Listener => same("load_balancer_arn", other) && same("port", other),
            Kind::ListenerRule => same("listener_arn", other) && same("priority", other),
            Kind::VpcEndpoint if new.text("endpoint_type") == Some("Gateway") => {
                same("vpc_id", other) && same("service_name", other) && same("route_table_ids", other)
            }
            Kind::Service => same("cluster_arn", other) && same("service_name", other),
            Kind::SecurityGroupRules | Kind::Targets => other.id == new.id,
            _ => new.name.is_some() && other.name == new.name,
        });
        if let Some(clash) = clash {
            panic!("{} {} is made while {} stands", new.kind, new.id, clash.id);
        }
    }

    fn change(&mut self, desired: &Desired, live: &Live, ids: &BTreeMap<Key, String>) -> String {
        if desired.key.kind == Kind::TaskDefinition {
            let desired = self.resolved(desired, ids);
            return self.register(&desired);
        }
        let mut wanted = desired.clone();
        // A live rule keeps its priority, a live subnet its block.
        for (name, value) in &live.fields {
            let chosen = wanted
                .fields
                .get(name)
                .is_some_and(|wanted| listener_rule::in_band(wanted, value) || choices(wanted).is_some_and(|some| some.contains(value)));
            if chosen {
                wanted.fields.insert(name.clone(), value.clone());
            }
        }
        let has_priority = wanted.fields.get("priority").is_some_and(Value::is_number);
        let kept = has_priority.then(|| wanted.fields.remove("priority")).flatten();
        let mut wanted = self.resolved(&wanted, ids);
        wanted.fields.extend(kept.map(|priority| ("priority".to_string(), priority)));
        let thing = self.things.iter_mut().find(|thing| thing.kind == live.kind && thing.id == live.id).expect("what is changed stands");
        thing.fields.extend(wanted.fields);
        thing.tags.extend(wanted.tags);
        live.id.clone()
    }

    fn delete(&mut self, live: &Live) {
        if live.kind == Kind::TaskDefinition {
            return;
        }
        let is_it = |thing: &Live| thing.kind == live.kind && thing.id == live.id;
        // Its load balancer or listener took it along.
        if !self.things.iter().any(is_it) {
            return;
        }
        self.things.retain(|thing| !is_it(thing));
        let parent = match live.kind {
            Kind::LoadBalancer => Some((Kind::Listener, "load_balancer_arn")),
            Kind::Listener => Some((Kind::ListenerRule, "listener_arn")),
            Kind::SecurityGroup => Some((Kind::SecurityGroupRules, "group_id")),
            _ => None,
        };
        if let Some((kind, field)) = parent {
            let children: Vec<Live> =
                self.things.iter().filter(|thing| thing.kind == kind && thing.text(field) == Some(&live.id)).cloned().collect();
            children.iter().for_each(|child| self.delete(child));
        }
        // Targets have their target group's id.
        if live.kind != Kind::Targets {
            let user = self.things.iter().find(|thing| thing.id != live.id && order::texts(&thing.fields).contains(&live.id.as_str()));
            assert!(user.is_none(), "{} {} is deleted while {:?} uses it", live.kind, live.id, user.map(|user| &user.id));
        }
        if live.kind == Kind::TargetGroup {
            self.things.retain(|thing| !(thing.kind == Kind::Targets && thing.id == live.id));
        }
    }

    /// What is ours, with the names of things in the place of their ids, and without what is chosen when it is made.
    pub(super) fn described(&self) -> BTreeMap<String, Value> {
        let live = self.read();
        let names: BTreeMap<String, String> = live
            .iter()
            .filter(|live| live.kind != Kind::Targets)
            .filter_map(|live| Some((live.id.clone(), live.owner()?.to_string())))
            .collect();
        fn mapped(value: &Value, names: &BTreeMap<String, String>) -> Value {
            match value {
                Value::String(text) => json!(names.get(text).unwrap_or(text)),
                Value::Array(items) => {
                    let mut items: Vec<Value> = items.iter().map(|item| mapped(item, names)).collect();
                    items.sort_by_key(Value::to_string);
                    Value::Array(items)
                }
                Value::Object(items) => Value::Object(items.iter().map(|(key, item)| (key.clone(), mapped(item, names))).collect()),
                other => other.clone(),
            }
        }
        let ours = live.iter().filter_map(|live| Some((live.owner()?, live)));
        let described = ours.map(|(key, live)| {
            let mut fields = live.fields.clone();
            // Some is only there for whoever makes a thing.
            let known = live.kind.resource().fields();
            fields.retain(|name, _| known.iter().any(|field| field.name == name));
            match live.kind {
                Kind::Subnet => drop(fields.remove("cidr_block")),
                Kind::ListenerRule => drop(fields.remove("priority")),
                _ => {}
            }
            // Those of a part are its whole's.
            let mut tags = if live.kind.resource().is_tagged() { live.tags.clone() } else { BTreeMap::new() };
            tags.remove(TAG_REVISION);
            (key.to_string(), json!({ "fields": mapped(&Value::Object(fields), &names), "tags": tags }))
        });
        let mut found: BTreeMap<String, Value> = BTreeMap::new();
        for (key, value) in described {
            // A direction without rules is nothing.
            if value["fields"]["rules"] == json!([]) {
                continue;
            }
            assert!(found.insert(key.clone(), value).is_none(), "{key} is there twice");
        }
        found
    }
}

fn left(graph: &Graph, done: &BTreeSet<usize>) -> Vec<String> {
    let left = (0..graph.nodes.len()).filter(|index| !done.contains(index));
    left.map(|index| {
        let needs: Vec<String> =
            graph.needs[index].iter().filter(|need| !done.contains(need)).map(|need| graph.nodes[*need].to_string()).collect();
        format!("{} <- {}", graph.nodes[index], needs.join(", "))
    })
    .collect()
}

/// Somebody else's rule on a listener.
pub(super) fn foreign_rule(listener: &Live, priority: u32) -> Live {
    let fields = json!({
        "listener_arn": Id::Known(listener.id.clone()), "priority": priority, "target_group_arn": "theirs",
        // It matches no tenant's requests, whatever the tier routes by.
        "conditions": [
            { "field": "http-header", "header": "x-tenant", "values": ["somebody-else"] },
            { "field": "path-pattern", "values": ["/somebody-elses/*"] },
        ],
    });
    let Value::Object(fields) = fields else { panic!("an object") };
    Live::new(Kind::ListenerRule, &listener.place, format!("foreign-rule-{priority}"), BTreeMap::new(), &fields)
}
