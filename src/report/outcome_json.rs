//! How a run ended, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::plan_json::{self, ChangeDocument, UnreadDocument};
use super::{FORMAT_VERSION, Identity, RunDocument, RunInfo};
use crate::apply::{Node, Outcome, Undone, Verb};
use crate::plan::{Action, Plan};

/// What a command that writes prints with `--format json` when it ends. Lists are in the plan's order, not in that of the run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OutcomeDocument<'a> {
    /// Version 1.1 may say more than 1.0; 2.0 takes something away, or means something else by it.
    format_version: &'static str,
    /// Steps that are done.
    done: Vec<StepDocument<'a>>,
    /// Steps that failed.
    failed: Vec<UndoneDocument<'a>>,
    /// Steps that wait for somebody else.
    held: Vec<UndoneDocument<'a>>,
    /// Steps that were not started, since what they need failed or the run was interrupted.
    not_started: Vec<UndoneDocument<'a>>,
    /// Changes of the plan that were refused, and so were no steps.
    blocked: Vec<ChangeDocument<'a>>,
    /// In what the plan does more than it may: then nothing has been done.
    exceeded: &'a [String],
    warnings: &'a [String],
    /// Cells that could not be read: nothing has been done in them.
    unread: Vec<UnreadDocument<'a>>,
    /// Whether it was ended early.
    interrupted: bool,
    /// What varies from run to run.
    run: RunDocument,
}

/// A step of a run: a replacement is two, one that makes and one that deletes.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StepDocument<'a> {
    action: StepAction,
    #[serde(flatten)]
    identity: Identity<'a>,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepAction {
    Create,
    /// The first half of an update: what is new is added, and nothing is taken away.
    Widen,
    Update,
    Delete,
    /// Nothing is changed: it is waited for.
    Wait,
}

/// A step that did not get done.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UndoneDocument<'a> {
    #[serde(flatten)]
    step: StepDocument<'a>,
    reason: &'a str,
    /// What to do about it; null where there is nothing but to run again.
    remedy: Option<&'a str>,
}

/// The end of a run of a plan.
pub fn document<'a>(outcome: &'a Outcome, plan: &'a Plan, run: &RunInfo) -> OutcomeDocument<'a> {
    let mut done: Vec<&Node> = outcome.done.iter().collect();
    done.sort_by(|a, b| order(a).cmp(&order(b)));
    let blocked = plan.changes.iter().filter(|change| change.action == Action::Blocked);
    OutcomeDocument {
        format_version: FORMAT_VERSION,
        done: done.into_iter().map(step).collect(),
        failed: undone(&outcome.failed),
        held: undone(&outcome.held),
        not_started: undone(&outcome.not_started),
        blocked: blocked.map(|change| plan_json::change(change, plan)).collect(),
        exceeded: &plan.exceeded,
        warnings: &plan.warnings,
        unread: plan_json::unread(plan),
        interrupted: outcome.interrupted,
        run: run.document(),
    }
}

fn undone(steps: &[Undone]) -> Vec<UndoneDocument<'_>> {
    let mut steps: Vec<&Undone> = steps.iter().collect();
    steps.sort_by(|a, b| order(&a.node).cmp(&order(&b.node)));
    let entries = steps.into_iter().map(|undone| UndoneDocument {
        step: step(&undone.node),
        reason: &undone.reason,
        remedy: some_text(&undone.remedy),
    });
    entries.collect()
}

pub(super) fn some_text(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn order(node: &Node) -> (&crate::resources::model::Scope, crate::resources::Kind, &str, Verb) {
    (&node.scope, node.kind, &node.name, node.verb)
}

pub(super) fn step(node: &Node) -> StepDocument<'_> {
    let action = match node.verb {
        Verb::Create => StepAction::Create,
        Verb::Widen => StepAction::Widen,
        Verb::Update => StepAction::Update,
        Verb::Delete => StepAction::Delete,
        Verb::Await => StepAction::Wait,
    };
    StepDocument { action, identity: Identity::new(node.kind.name(), &node.name, &node.scope) }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::plan::{Change, Subject};
    use crate::report::testing::{acme, ended, place, plan, pretty, run};

    #[test]
    fn every_way_to_end() {
        let full = Change::blocked(Subject::Tenant, &acme(), "acme", &place(), "the infra group is full");
        assert_snapshot!(pretty(&json!(document(&ended(), &plan(vec![full]), &run()))));
    }

    #[test]
    fn the_order_of_the_run_does_not_show() {
        let mut reversed = ended();
        reversed.done.reverse();
        reversed.failed.reverse();
        reversed.not_started.reverse();
        let plan = plan(Vec::new());
        assert_eq!(json!(document(&ended(), &plan, &run())), json!(document(&reversed, &plan, &run())));
    }
}
