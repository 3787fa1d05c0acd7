//! What the tables share: specs as JSON, which is YAML, with values that are put in and taken out; plans as sets of
//! lines; and AWS read back by boto3.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::bed::bed;
use crate::project::{Project, Run};

/// Python that finds things of AWS by their tags.
const READBACK: &str = include_str!("readback.py");

/// One change of one field: of a spec, or of several that belong together.
pub struct Row {
    pub name: &'static str,
    /// The spec that is changed, as `tiers/plain` or `tenants/acme`.
    pub spec: &'static str,
    /// JSON pointer of what is changed.
    pub at: &'static str,
    /// Null where the spec has no such field.
    pub from: Value,
    pub to: Value,
    /// What a plan of the change shows, all of it, as `update role task permissions_boundary`. For a tenant's things
    /// the name is left out; `@acme update cluster container_insights` is about another spec's tenant.
    pub plans: Vec<String>,
    /// What a plan of the way back shows, if not the same the other way round.
    pub back: Option<Vec<String>>,
    pub reads: Vec<Reading>,
    /// Whether the value stays in AWS when the spec names none any more.
    pub stays: bool,
}

/// What boto3 finds before and after.
pub struct Reading {
    /// Whose things: the row's own spec or another.
    pub spec: &'static str,
    /// In Python, over those things, `t`.
    pub expression: &'static str,
    pub from: Value,
    pub to: Value,
}

pub fn row(name: &'static str, spec: &'static str, at: &'static str, from: Value, to: Value) -> Row {
    Row { name, spec, at, from, to, plans: Vec::new(), back: None, reads: Vec::new(), stays: false }
}

impl Row {
    pub fn plans<T: Into<String>>(mut self, lines: impl IntoIterator<Item = T>) -> Self {
        self.plans.extend(lines.into_iter().map(Into::into));
        self
    }

    /// What the way back shows, where it is not the same the other way round.
    pub fn back<T: Into<String>>(mut self, lines: impl IntoIterator<Item = T>) -> Self {
        self.back = Some(lines.into_iter().map(Into::into).collect());
        self
    }

    pub fn reads(self, expression: &'static str, from: Value, to: Value) -> Self {
        let spec = self.spec;
        self.sees(spec, expression, from, to)
    }

    /// Reads what another spec has: what a tier's change does to a tenant.
    pub fn sees(mut self, spec: &'static str, expression: &'static str, from: Value, to: Value) -> Self {
        self.reads.push(Reading { spec, expression, from, to });
        self
    }

    /// What is left out is not managed: going back to no value changes nothing.
    pub fn stays(self) -> Self {
        assert!(self.from.is_null(), "{}: only what is left out is not managed", self.name);
        let mut row = self.back(Vec::<String>::new());
        row.stays = true;
        row
    }

    fn lines(&self, lines: &[String]) -> BTreeSet<String> {
        lines.iter().map(|line| if line.starts_with('@') { line.clone() } else { format!("@{} {line}", tag(self.spec)) }).collect()
    }

    fn forth(&self) -> BTreeSet<String> {
        self.lines(&self.plans)
    }

    fn back_again(&self) -> BTreeSet<String> {
        match &self.back {
            Some(lines) => self.lines(lines),
            None => self.lines(&self.plans).iter().map(|line| reversed(line)).collect(),
        }
    }

    /// The fields that its plan shows, as kind and first part of the path.
    pub fn fields(&self) -> BTreeSet<(String, String)> {
        self.plans.iter().filter_map(|line| field(line)).collect()
    }
}

/// Kind and field of a line such as `replace target_group port` or `@plain update role task path`.
pub fn field(line: &str) -> Option<(String, String)> {
    let line = line.split_once(' ').filter(|(first, _)| first.starts_with('@')).map_or(line, |(_, rest)| rest);
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["create" | "delete", ..] => None,
        [_, kind, .., path] => Some(((*kind).to_string(), path.split('.').next().unwrap().to_string())),
        _ => None,
    }
}

pub fn tag(spec: &str) -> &str {
    spec.rsplit('/').next().unwrap()
}

fn reversed(line: &str) -> String {
    if line.contains(" create ") { line.replace(" create ", " delete ") } else { line.replace(" delete ", " create ") }
}

/// A project whose specs are JSON, and its account.
pub struct Scene {
    pub project: Project,
    pub account: String,
    pub specs: BTreeMap<String, Value>,
    /// What `{name}` stands for in specs and expectations.
    pub facts: BTreeMap<String, String>,
}

impl Scene {
    pub fn new() -> Self {
        let account = bed().account();
        // Waits are tested elsewhere.
        bed().set(
            &account,
            &json!({
                "endpoint_pending": 0, "endpoint_deleting": 0, "endpoint_deleted": 0, "task_start": 0, "target_healthy": 0,
                "target_draining": 0, "service_draining": 0, "load_balancer_interfaces_linger": 0, "quotas": { "vpcs": 50 },
            }),
        );
        let facts = BTreeMap::from([("account".to_string(), account.clone())]);
        Self { project: Project::new(), account, specs: BTreeMap::new(), facts }
    }

    pub fn fact(&mut self, name: &str, value: impl Into<String>) {
        self.facts.insert(name.into(), value.into());
    }

    /// Runs Python whose `result` is a dictionary of further facts.
    pub fn prepare(&mut self, script: &str) {
        let result = self.python(script);
        for (name, value) in result.as_object().unwrap() {
            self.fact(name, value.as_str().unwrap());
        }
    }

    /// Runs Python with what finds things at hand; `things(tier, tenant)` is short for those of one scope.
    pub fn python(&self, script: &str) -> Value {
        bed().boto(&self.account, &format!("{READBACK}\nthings = Things\n{}", self.filled(script)))
    }

    /// Replaces every `{fact}`.
    pub fn filled(&self, text: &str) -> String {
        self.facts.iter().fold(text.to_string(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    pub fn filled_value(&self, value: &Value) -> Value {
        serde_json::from_str(&self.filled(&value.to_string())).unwrap()
    }

    /// Puts a value at a place of a spec; null takes the field out.
    pub fn put(&mut self, spec: &str, at: &str, value: &Value) {
        let spec = self.specs.get_mut(spec).unwrap_or_else(|| panic!("no spec {spec}"));
        put(spec, at, value.clone());
    }

    pub fn write(&self) {
        for (name, spec) in &self.specs {
            let text = self.filled(&serde_json::to_string_pretty(spec).unwrap());
            self.project.write(&format!("{name}.yaml"), &text);
        }
    }

    /// Tiers and then tenants, as far as there are any.
    #[track_caller]
    pub fn make_real(&self) {
        self.project.run(&["apply", "--yes", "--timeout", "60s", "tiers"]).ended(0);
        if self.specs.keys().any(|spec| spec.starts_with("tenants/")) {
            self.project.run(&["onboard", "--yes", "--timeout", "60s", "tenants"]).ended(0);
        }
    }

    #[track_caller]
    pub fn is_real(&self) {
        let plan = self.project.plan().ended(0);
        assert!(lines(&plan).is_empty(), "a plan after all was made real is not empty: {:?} {:#?}", lines(&plan), values(&plan));
        assert_eq!(plan.json()["waits"], json!([]));
        assert_eq!(plan.json()["warnings"], json!([]));
    }

    /// What boto3 finds for each expression over the things of a spec.
    pub fn read(&self, expressions: &[(&str, &str)]) -> Vec<Value> {
        let rows: Vec<Value> = expressions
            .iter()
            .map(|(spec, expression)| {
                let spec = self.specs.get(*spec).unwrap_or_else(|| panic!("no spec {spec}"));
                json!([spec["tier"], spec["tenant"], expression])
            })
            .collect();
        let rows = serde_json::to_string(&rows).unwrap();
        let found = self.python(&format!("result = read_all(json.loads({}))", serde_json::to_string(&rows).unwrap()));
        found.as_array().unwrap().clone()
    }

    /// Compares what boto3 finds with what each row says; returns what is wrong, by row.
    pub fn misread(&self, rows: &[Row], side: Side) -> Vec<String> {
        let wanted: Vec<(&Row, &Reading, Value)> = rows
            .iter()
            .flat_map(|row| row.reads.iter().map(move |reading| (row, reading)))
            .map(|(row, reading)| {
                let value = match side {
                    Side::To => &reading.to,
                    Side::Back if row.stays => &reading.to,
                    Side::From | Side::Back => &reading.from,
                };
                (row, reading, self.filled_value(value))
            })
            .collect();
        let expressions: Vec<(&str, &str)> = wanted.iter().map(|(_, reading, _)| (reading.spec, reading.expression)).collect();
        let found = self.read(&expressions);
        let pairs = wanted.iter().zip(found);
        pairs
            .filter(|((_, _, wanted), found)| wanted != found)
            .map(|((row, reading, wanted), found)| {
                format!("{} ({side:?}): {}\n      is {found}\n  wanted {wanted}", row.name, reading.expression)
            })
            .collect()
    }

    /// Compares a plan with what each row says that it shows; returns what is wrong, by row.
    pub fn misplanned(&self, rows: &[Row], plan: &Run, side: Side) -> Vec<String> {
        let shown = lines(plan);
        let wanted = |row: &Row| if side == Side::Back { row.back_again() } else { row.forth() };
        let mut wrong = Vec::new();
        let mut expected = BTreeSet::new();
        for row in rows {
            for line in wanted(row) {
                if !shown.contains(&line) {
                    wrong.push(format!("{} ({side:?}): the plan does not show `{line}`", row.name));
                }
                expected.insert(line);
            }
        }
        wrong.extend(shown.difference(&expected).map(|line| format!("no row ({side:?}) expects `{line}`")));
        wrong
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    From,
    To,
    /// At `from` again.
    Back,
}

/// Puts a value at a JSON pointer, making what is on the way; null takes it out.
pub fn put(root: &mut Value, at: &str, value: Value) {
    let mut parts: Vec<&str> = at.split('/').skip(1).collect();
    let last = parts.pop().unwrap();
    let mut place = root;
    for part in parts {
        place = match place {
            Value::Array(items) => &mut items[part.parse::<usize>().unwrap()],
            Value::Object(fields) => fields.entry(part).or_insert_with(|| json!({})),
            other => panic!("{at}: {other} has no {part}"),
        };
    }
    match (place, value) {
        (Value::Object(fields), Value::Null) => drop(fields.remove(last)),
        (Value::Object(fields), value) => drop(fields.insert(last.into(), value)),
        (Value::Array(items), Value::Null) => items.truncate(last.parse().unwrap()),
        (Value::Array(items), value) => match last.parse::<usize>().unwrap() {
            index if index < items.len() => items[index] = value,
            _ => items.push(value),
        },
        (other, _) => panic!("{at}: {other} has no {last}"),
    }
}

/// A plan as a set of lines: for each changed field one, and for what is made or deleted one.
#[track_caller]
pub fn lines(plan: &Run) -> BTreeSet<String> {
    let plan = plan.json();
    let changes = plan["changes"].as_array().unwrap();
    changes.iter().flat_map(change_lines).collect()
}

/// Before and after of each changed field of a plan, by its line.
#[track_caller]
pub fn values(plan: &Run) -> BTreeMap<String, (Value, Value)> {
    let plan = plan.json();
    let changes = plan["changes"].as_array().unwrap();
    let each = changes.iter().flat_map(|change| {
        let fields = change["fields"].as_array().unwrap().iter();
        let values: Vec<_> = fields.map(|field| (field["before"].clone(), field["after"].clone())).collect();
        change_lines(change).into_iter().zip(values).collect::<Vec<_>>()
    });
    each.collect()
}

fn change_lines(change: &Value) -> Vec<String> {
    let text = |field: &str| change[field].as_str().unwrap();
    let (action, kind) = (text("action"), text("kind"));
    let what = match change["tenant"].as_str() {
        Some(tenant) => format!("@{tenant} {action} {kind}"),
        None => format!("@{} {action} {kind} {}", text("tier"), text("name")),
    };
    match action {
        "create" | "delete" => vec![what],
        _ => {
            let fields = change["fields"].as_array().unwrap();
            fields.iter().map(|field| format!("{what} {}", field["path"].as_str().unwrap())).collect()
        }
    }
}

/// Ends the test with everything that is wrong.
#[track_caller]
pub fn assert_right(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} wrong:\n\n{}\n", wrong.len(), wrong.join("\n\n"));
}

/// A tier with a network and a load balancer of its own, `logs`, `bidder` and S3 as downstreams.
pub fn tier(name: &str, cidr: &str) -> Value {
    json!({
        "tier": name,
        "region": "us-east-1",
        "downstreams": [
            { "name": "bidder", "service": "{bidder}", "port": 8443 },
            { "name": "logs", "service": "logs", "port": 443 },
            { "name": "artifacts", "service": "s3", "gateway": true },
        ],
        "cells": [{
            "name": "cell-1",
            "account": "{account}",
            "assume_role": "arn:aws:iam::{account}:role/provisioner",
            "infra_groups": [{ "name": "ig-1", "vpc": { "cidr": cidr, "zones": ["us-east-1a", "us-east-1b"] } }],
        }],
    })
}

pub fn tenant(name: &str, tier: &str) -> Value {
    json!({
        "tenant": name,
        "tier": tier,
        "placement": { "cell": "cell-1", "infra_group": "ig-1" },
        "service": { "image": "registry.example.com/ad-server:1.0", "port": 8080, "cpu": 256, "memory": 512 },
    })
}
