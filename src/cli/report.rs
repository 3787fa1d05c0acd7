use std::path::PathBuf;

use super::failure::{Exit, Failure};
use super::terminal::Format;
use super::{Context, LimitOptions};
use crate::aws::bottleneck;
use crate::report::plan_shards::{self, Shard};
use crate::report::plan_text::PlanNotes;
use crate::report::{calls_text, plan_json, plan_markdown, plan_text};

/// Join plans that were made apart
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Join plans of cells into one, as if it had been made at once
    ///
    /// Each file is what `tierctl plan --cell NAME --format json` has printed. Exit codes are those of `plan`, and 3 where a
    /// tenant without a placement lives in none of the cells.
    Merge(MergeArguments),
}

#[derive(Debug, clap::Args)]
struct MergeArguments {
    /// Plans in JSON
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    limits: LimitOptions,
    /// Longest Markdown, in bytes: details are cut, and deletions never. GitHub takes 65,536 characters
    #[arg(long, value_name = "BYTES", default_value_t = 60_000)]
    max_bytes: usize,
    /// End with exit code 2 if changes are pending
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let What::Merge(arguments) = &arguments.what;
    let shards = arguments.files.iter().map(|file| {
        let text = std::fs::read_to_string(context.current_folder.join(file))
            .map_err(|error| Failure::usage(format!("the plan {} cannot be read: {error}", file.display()), "check the path"))?;
        plan_shards::read(&text).map_err(|error| {
            let remedy = "name what `tierctl plan --format json` has printed, whole, with this version of tierctl";
            Failure::usage(format!("{} cannot be joined: {error}", file.display()), remedy)
        })
    });
    let shards: Vec<Shard> = shards.collect::<Result<_, Failure>>()?;
    let Shard { mut plan, run } = plan_shards::merge(shards).map_err(|cell| {
        let message = format!("the cell {} of {} is in several of these plans", cell.cell, cell.tier);
        Failure::usage(message, "name one plan of each cell")
    })?;
    plan.bottleneck = bottleneck(plan.writes(), context.api_share);
    plan.exceeded.extend(arguments.limits.limits().exceeded_by(&plan));
    let notes = PlanNotes::default();
    match context.terminal.format {
        Format::Json | Format::Ndjson => context.terminal.print_json(&plan_json::document(&plan, &run))?,
        Format::Markdown => context.terminal.print(&plan_markdown::render(&plan, &notes, arguments.max_bytes))?,
        Format::Text => {
            context.terminal.print(&plan_text::render(&plan, &context.terminal.paint(), &notes))?;
            if context.terminal.verbose {
                context.terminal.say(&calls_text::render(&run.calls, None, &context.terminal.error_paint()));
            }
        }
    }
    Ok(if !plan.unread.is_empty() {
        Exit::Failed
    } else if plan.is_blocked() || !plan.elsewhere.is_empty() {
        Exit::Blocked
    } else if arguments.detailed_exitcode && plan.has_steps() {
        Exit::Pending
    } else {
        Exit::Done
    })
}
