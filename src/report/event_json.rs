//! What happens while a plan is carried out, as JSON, one event a line.

use std::time::SystemTime;

use schemars::JsonSchema;
use serde::Serialize;

use super::outcome_json::{self, OutcomeDocument, StepDocument, some_text};
use super::{FORMAT_VERSION, RunInfo};
use crate::apply::{Event, Node, Outcome};
use crate::plan::{Plan, Summary};

/// A line that a command that writes prints with `--format ndjson`: one `start`, then `progress` and `result` of the steps as
/// they come, and a `summary` at the end.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum EventDocument {
    /// The plan that is about to be carried out.
    Start {
        /// Version 1.1 may say more than 1.0; 2.0 takes something away, or means something else by it.
        format_version: &'static str,
        /// When, in UTC.
        time: String,
        /// Numbers of changes, by what they do.
        summary: Summary,
        /// Steps to come; of an update that also takes something away the first half, `widen`, comes in addition.
        steps: usize,
    },
    /// What goes on in a step that has not ended.
    Progress {
        time: String,
        #[serde(flatten)]
        step: StepDocument,
        state: ProgressState,
        /// What it waits for.
        reason: Option<String>,
    },
    /// How a step ended.
    Result {
        time: String,
        #[serde(flatten)]
        step: StepDocument,
        state: ResultState,
        reason: Option<String>,
        /// What to do about it.
        remedy: Option<String>,
        /// How long it took, in seconds; only of what is done.
        seconds: Option<f64>,
    },
    /// Somebody has asked for the end: no more steps are started.
    Interrupted { time: String },
    /// How the run ended. A run that could not begin has an error on standard error instead.
    Summary {
        #[serde(flatten)]
        outcome: Box<OutcomeDocument>,
        /// The exit code of the command.
        exit_code: u8,
    },
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProgressState {
    Started,
    Waiting,
    /// The run was to stop before the step had written anything.
    NotBegun,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResultState {
    Done,
    /// It waits for somebody else.
    Held,
    Failed,
}

pub fn start(plan: &Plan, steps: usize, time: SystemTime) -> EventDocument {
    EventDocument::Start { format_version: FORMAT_VERSION, time: written(time), summary: plan.summary(), steps }
}

pub fn of_event(event: &Event, time: SystemTime) -> EventDocument {
    let time = written(time);
    let progress = |node: &Node, state, reason: &str, time| EventDocument::Progress {
        time,
        step: outcome_json::step(node),
        state,
        reason: some_text(reason),
    };
    let result = |node: &Node, state, reason: &str, remedy: &str, seconds, time| EventDocument::Result {
        time,
        step: outcome_json::step(node),
        state,
        reason: some_text(reason),
        remedy: some_text(remedy),
        seconds,
    };
    match event {
        Event::Started { node } => progress(node, ProgressState::Started, "", time),
        Event::Waiting { node, reason } => progress(node, ProgressState::Waiting, reason, time),
        Event::NotBegun { node } => progress(node, ProgressState::NotBegun, "", time),
        Event::Finished { node, took } => {
            let seconds = (took.as_secs_f64() * 1000.0).round() / 1000.0;
            result(node, ResultState::Done, "", "", Some(seconds), time)
        }
        Event::Held { node, reason } => result(node, ResultState::Held, reason, "", None, time),
        Event::Failed { node, reason, remedy } => result(node, ResultState::Failed, reason, remedy, None, time),
        Event::Interrupted => EventDocument::Interrupted { time },
    }
}

pub fn summary(outcome: &Outcome, plan: &Plan, run: &RunInfo, exit_code: u8) -> EventDocument {
    EventDocument::Summary { outcome: Box::new(outcome_json::document(outcome, plan, run)), exit_code }
}

fn written(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
