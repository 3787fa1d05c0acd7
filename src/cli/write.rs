//! What all commands that write have in common: show the plan, ask, carry it out, say where things stand.

use std::io;
use std::time::SystemTime;

use tokio::sync::mpsc;

use super::failure::{Exit, Failure};
use super::planning::Planned;
use super::terminal::{Format, Terminal};
use super::{Context, WriteOptions, progress};
use crate::apply::{self, Event, Outcome};
use crate::aws::{Calls, bottleneck};
use crate::plan::{Plan, Rollout};
use crate::report::{RunInfo, calls_text, event_json, outcome_json, outcome_text, plan_text};
use crate::words::count;

/// Plans, and carries that out. What deletes something is planned once more after it waited for its answer.
pub(super) async fn carry_out(
    context: &Context,
    planning: impl AsyncFn() -> Result<Planned, Failure>,
    options: &WriteOptions,
    rollout: Rollout,
) -> Result<Exit, Failure> {
    carry_out_planned(context, planning().await?, planning, options, rollout).await
}

/// The same for what has been planned already.
pub(super) async fn carry_out_planned(
    context: &Context,
    planned: Planned,
    planning: impl AsyncFn() -> Result<Planned, Failure>,
    options: &WriteOptions,
    rollout: Rollout,
) -> Result<Exit, Failure> {
    let terminal = &context.terminal;
    let Planned { mut plan, notes, sessions, requests, saved, .. } = planned;
    plan.bottleneck = bottleneck(plan.writes(), context.api_share);
    (plan.waves, plan.tolerated_failures) = (rollout.waves(&plan), rollout.tolerated());
    plan.exceeded = options.limits.limits().exceeded_by(&plan);
    if !terminal.format.is_for_programs() {
        unread_is_fine(terminal.print(&plan_text::render(&plan, &terminal.paint(), &notes)))?;
    }
    let (steps, total) = (plan.steps().count(), apply::count_steps(&plan, !options.no_wait));
    if terminal.format == Format::Ndjson {
        unread_is_fine(terminal.print_json_line(&event_json::start(&plan, total, SystemTime::now())))?;
    }
    if !plan.exceeded.is_empty() {
        if terminal.format.is_for_programs() {
            end(context, &Outcome::default(), &plan, Exit::Blocked)?;
        }
        terminal.note("Nothing has been changed. If this is meant, allow more, or do less at once.");
        return Ok(Exit::Blocked);
    }
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
        let running = apply::run(&plan, sessions.writers(), &settings, sender, interrupt);
        let (outcome, ()) = tokio::join!(running, show(terminal, events, total));
        outcome
    };
    // What waited for others when it was read may be ready by now: the outcome says.
    let exit = match exit(&outcome, plan.summary().blocked > 0) {
        Exit::Done | Exit::Blocked if !plan.unread.is_empty() => Exit::Failed,
        exit => exit,
    };
    end(context, &outcome, &plan, exit)?;
    Ok(exit)
}

/// Shows events until there are no more.
async fn show(terminal: &Terminal, mut events: mpsc::UnboundedReceiver<Event>, total: usize) {
    match terminal.format {
        Format::Ndjson => {
            while let Some(event) = events.recv().await {
                // A closed pipe is no reason to stop the run.
                let _ = terminal.print_json_line(&event_json::of_event(&event, SystemTime::now()));
            }
        }
        Format::Json => while events.recv().await.is_some() {},
        Format::Text | Format::Markdown => {
            progress::show(events, total, terminal.is_interactive(), terminal.error_paint(), &mut io::stderr()).await;
        }
    }
}

/// Says where things stand.
fn end(context: &Context, outcome: &Outcome, plan: &Plan, exit: Exit) -> Result<(), Failure> {
    let (terminal, calls) = (&context.terminal, &context.calls);
    unread_is_fine(match terminal.format {
        Format::Json => terminal.print_json(&outcome_json::document(outcome, plan, &run_info(calls))),
        Format::Ndjson => terminal.print_json_line(&event_json::summary(outcome, plan, &run_info(calls), exit.code())),
        Format::Text | Format::Markdown => {
            let printed = terminal.print(&outcome_text::render(outcome, plan.summary().blocked, &terminal.paint()));
            if terminal.verbose {
                terminal.say(&calls_text::render(&calls.by_action(), None, &terminal.error_paint()));
            }
            printed
        }
    })
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
