//! How a run ended, as JSON.

use serde_json::{Map, Value, json};

use super::{FORMAT_VERSION, RunInfo, identity, plan_json};
use crate::apply::{Node, Outcome, Undone, Verb};
use crate::plan::{Action, Plan};

/// The end of a run of a plan. Lists are in the plan's order of scopes and kinds, not in that of the run.
pub fn render(outcome: &Outcome, plan: &Plan, run: &RunInfo) -> Value {
    let mut done: Vec<&Node> = outcome.done.iter().collect();
    done.sort_by(|a, b| order(a).cmp(&order(b)));
    let blocked = plan.changes.iter().filter(|change| change.action == Action::Blocked);
    json!({
        "format_version": FORMAT_VERSION,
        "done": done.into_iter().map(|node| Value::Object(step(node))).collect::<Vec<_>>(),
        "failed": undone(&outcome.failed),
        "held": undone(&outcome.held),
        "not_started": undone(&outcome.not_started),
        "blocked": blocked.map(plan_json::change).collect::<Vec<_>>(),
        "exceeded": plan.exceeded,
        "warnings": plan.warnings,
        "interrupted": outcome.interrupted,
        "run": run.to_json(),
    })
}

fn undone(steps: &[Undone]) -> Vec<Value> {
    let mut steps: Vec<&Undone> = steps.iter().collect();
    steps.sort_by(|a, b| order(&a.node).cmp(&order(&b.node)));
    let entries = steps.into_iter().map(|undone| {
        let mut entry = step(&undone.node);
        entry.insert("reason".into(), json!(undone.reason));
        entry.insert("remedy".into(), if undone.remedy.is_empty() { Value::Null } else { json!(undone.remedy) });
        Value::Object(entry)
    });
    entries.collect()
}

fn order(node: &Node) -> (&crate::resources::model::Scope, crate::resources::Kind, &str, Verb) {
    (&node.scope, node.kind, &node.name, node.verb)
}

fn step(node: &Node) -> Map<String, Value> {
    let action = match node.verb {
        Verb::Create => "create",
        Verb::Widen => "widen",
        Verb::Update => "update",
        Verb::Delete => "delete",
        Verb::Await => "wait",
    };
    let mut entry = Map::from_iter([("action".to_string(), json!(action))]);
    entry.extend(identity(node.kind.name(), &node.name, &node.scope));
    entry
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::plan::{Change, Subject};
    use crate::report::testing::{acme, ended, place, plan, pretty, run};

    #[test]
    fn every_way_to_end() {
        let full = Change::blocked(Subject::Tenant, &acme(), "acme", &place(), "the infra group is full");
        assert_snapshot!(pretty(&render(&ended(), &plan(vec![full]), &run())));
    }

    #[test]
    fn the_order_of_the_run_does_not_show() {
        let mut reversed = ended();
        reversed.done.reverse();
        reversed.failed.reverse();
        reversed.not_started.reverse();
        let plan = plan(Vec::new());
        assert_eq!(render(&ended(), &plan, &run()).to_string(), render(&reversed, &plan, &run()).to_string());
    }
}
