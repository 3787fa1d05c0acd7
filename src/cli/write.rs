//! What all commands that write have in common: show the plan, ask, carry it out, say where things stand.

use std::io;
use std::time::SystemTime;

use tokio::sync::mpsc;

use super::failure::{Exit, Failure};
use super::planning::Planned;
use super::terminal::Format;
use super::{Context, WriteOptions, progress};
use crate::apply::{self, Outcome};
use crate::aws::Calls;
use crate::plan::calculate::count;
use crate::report::{RunInfo, calls_text, outcome_json, outcome_text, plan_text};

/// Plans, and carries that out. What deletes something is planned once more after it waited for its answer.
pub(super) async fn carry_out(
    context: &Context,
    planning: impl AsyncFn() -> Result<Planned, Failure>,
    options: &WriteOptions,
) -> Result<Exit, Failure> {
    carry_out_planned(context, planning().await?, planning, options).await
}

/// The same for what has been planned already.
pub(super) async fn carry_out_planned(
    context: &Context,
    planned: Planned,
    planning: impl AsyncFn() -> Result<Planned, Failure>,
    options: &WriteOptions,
) -> Result<Exit, Failure> {
    let (terminal, calls) = (&context.terminal, &context.calls);
    let Planned { mut plan, notes, sessions, requests, saved, .. } = planned;
    plan.exceeded = options.limits.limits().exceeded_by(&plan);
    if terminal.format != Format::Json {
        unread_is_fine(terminal.print(&plan_text::render(&plan, &terminal.paint(), &notes)))?;
    }
    if !plan.exceeded.is_empty() {
        if terminal.format == Format::Json {
            unread_is_fine(terminal.print_json(&outcome_json::render(&Outcome::default(), &plan, &run_info(calls))))?;
        }
        terminal.note("Nothing has been changed. If this is meant, allow more, or do less at once.");
        return Ok(Exit::Blocked);
    }
    let steps = plan.steps().count();
    if options.no_wait && steps == 0 {
        plan.waits.clear();
    }
    let outcome = if steps == 0 && plan.waits.is_empty() {
        Outcome::default()
    } else {
        let question = format!("Carry out {}?", count(steps, "change", "changes"));
        if steps > 0 && !options.yes && !terminal.confirm(&question).await? {
            terminal.say("Nothing has been changed.");
            return Ok(Exit::Failed);
        }
        if steps > 0 && !options.yes && plan.deletes() && !planning().await?.plan.does_the_same(&plan) {
            let failure = "AWS has changed since this plan was made, for example by a tenant that was onboarded. Nothing has been done: run \
                           the same command again, and look at the new plan";
            terminal.say(failure);
            return Ok(Exit::Blocked);
        }
        let saved = saved.map(|id| apply::Saved { id, requests });
        let settings = apply::Options { parallelism: context.parallelism, timeout: options.timeout, wait: !options.no_wait, saved };
        let (sender, events) = mpsc::unbounded_channel();
        let interrupt = context.signals.hand_over();
        // A replacement is two steps: one that makes and one that deletes.
        let total = steps + plan.summary().replace + if options.no_wait { 0 } else { plan.waits.len() };
        let quiet = terminal.format == Format::Json;
        let paint = terminal.error_paint();
        let mut out = io::stderr();
        let shown = progress::show(events, total, terminal.is_interactive(), paint, quiet, &mut out);
        let (outcome, ()) = tokio::join!(apply::run(&plan, sessions.writers(), &settings, sender, interrupt), shown);
        outcome
    };
    match terminal.format {
        Format::Json => unread_is_fine(terminal.print_json(&outcome_json::render(&outcome, &plan, &run_info(calls))))?,
        Format::Text | Format::Markdown => {
            unread_is_fine(terminal.print(&outcome_text::render(&outcome, plan.summary().blocked, &terminal.paint())))?;
            if terminal.verbose {
                terminal.say(&calls_text::render(&calls.by_action(), &terminal.error_paint()));
            }
        }
    }
    // What waited for others when it was read may be ready by now: the outcome says.
    Ok(exit(&outcome, plan.summary().blocked > 0))
}

fn exit(outcome: &Outcome, blocked: bool) -> Exit {
    if outcome.interrupted {
        Exit::Interrupted
    } else if !outcome.failed.is_empty() {
        Exit::Failed
    } else if blocked || !outcome.held.is_empty() || !outcome.not_started.is_empty() {
        Exit::Blocked
    } else {
        Exit::Done
    }
}

/// Nobody there to read it is no reason to leave what was asked for undone.
fn unread_is_fine(printed: Result<(), Failure>) -> Result<(), Failure> {
    match printed {
        Err(Failure::ClosedPipe) => Ok(()),
        other => other,
    }
}

/// What varies from run to run.
pub(super) fn run_info(calls: &Calls) -> RunInfo {
    RunInfo { time: SystemTime::now(), calls: calls.by_action() }
}
