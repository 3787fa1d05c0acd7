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
pub enum EventDocument<'a> {
    /// The plan that is about to be carried out.
    Start {
        /// Version 1.1 may say more than 1.0; 2.0 takes something away, or means something else by it.
        format_version: &'static str,
        /// When, in UTC.
        time: String,
        /// Numbers of changes, by what they do.
        summary: Summary,
        /// Steps to come, waits among them; of each there is one result, if the run is not ended early.
        steps: usize,
    },
    /// What goes on in a step that has not ended.
    Progress {
        time: String,
        #[serde(flatten)]
        step: StepDocument<'a>,
        state: ProgressState,
        /// What it waits for.
        reason: Option<&'a str>,
    },
    /// How a step ended.
    Result {
        time: String,
        #[serde(flatten)]
        step: StepDocument<'a>,
        state: ResultState,
        reason: Option<&'a str>,
        /// What to do about it.
        remedy: Option<&'a str>,
        /// How long it took, in seconds; only of what is done.
        seconds: Option<f64>,
    },
    /// The next tenants begin: `--canary` and `--wave`.
    Wave {
        time: String,
        /// Counted from 1.
        number: usize,
        /// How many there are.
        waves: usize,
        /// How many tenants it has.
        tenants: usize,
    },
    /// Somebody has asked for the end: no more steps are started.
    Interrupted { time: String },
    /// How the run ended. A run that could not begin has an error on standard error instead.
    Summary {
        #[serde(flatten)]
        outcome: Box<OutcomeDocument<'a>>,
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

pub fn start(plan: &Plan, steps: usize, time: SystemTime) -> EventDocument<'static> {
    EventDocument::Start { format_version: FORMAT_VERSION, time: written(time), summary: plan.summary(), steps }
}

pub fn of_event(event: &Event, time: SystemTime) -> EventDocument<'_> {
    let time = written(time);
    match event {
        Event::Started { node } => progress(node, ProgressState::Started, "", time),
        Event::Waiting { node, reason } => progress(node, ProgressState::Waiting, reason, time),
        Event::NotBegun { node } => progress(node, ProgressState::NotBegun, "", time),
        Event::Finished { node, took } => {
            let seconds = (took.as_secs_f64() * 1000.0).round() / 1000.0;
            EventDocument::Result {
                time,
                step: outcome_json::step(node),
                state: ResultState::Done,
                reason: None,
                remedy: None,
                seconds: Some(seconds),
            }
        }
        Event::Held { node, reason, remedy } => undone(node, ResultState::Held, reason, remedy, time),
        Event::Failed { node, reason, remedy } => undone(node, ResultState::Failed, reason, remedy, time),
        Event::Wave { number, waves, tenants } => EventDocument::Wave { time, number: *number, waves: *waves, tenants: *tenants },
        Event::Interrupted => EventDocument::Interrupted { time },
    }
}

fn progress<'a>(node: &'a Node, state: ProgressState, reason: &'a str, time: String) -> EventDocument<'a> {
    EventDocument::Progress { time, step: outcome_json::step(node), state, reason: some_text(reason) }
}

fn undone<'a>(node: &'a Node, state: ResultState, reason: &'a str, remedy: &'a str, time: String) -> EventDocument<'a> {
    let (reason, remedy) = (some_text(reason), some_text(remedy));
    EventDocument::Result { time, step: outcome_json::step(node), state, reason, remedy, seconds: None }
}

pub fn summary<'a>(outcome: &'a Outcome, plan: &'a Plan, run: &RunInfo, exit_code: u8) -> EventDocument<'a> {
    EventDocument::Summary { outcome: Box::new(outcome_json::document(outcome, plan, run)), exit_code }
}

fn written(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
