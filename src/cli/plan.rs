use std::path::PathBuf;

use super::failure::{Exit, Failure};
use super::terminal::Format;
use super::{Context, planning, write};
use crate::aws::Access;
use crate::plan::intent::{self, Purpose};
use crate::report::{calls_text, plan_json, plan_text};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    /// the tiers' own things: network, endpoints, roles, load balancers
    Tier,
    /// the tenants' things
    Tenants,
}

/// Show what would change
///
/// Compares the specs with live AWS, and lists things with tierctl's tags that no spec names. Writes nothing:
/// read-only credentials are enough.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files and folders of specs [default: tiers/ and tenants/]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Plan only a part
    #[arg(long, value_enum, value_name = "PART")]
    only: Option<Only>,
    /// End with exit code 2 if changes are pending
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let specs = context.specs(&arguments.paths, true)?;
    let subjects = intent::subjects(&specs);
    // Where only tiers are named, that their tenants have no spec among them says nothing.
    let has_tenants = arguments.paths.is_empty() || !specs.tenants.is_empty();
    let purpose = Purpose::Plan { tier: arguments.only != Some(Only::Tenants), tenants: has_tenants && arguments.only != Some(Only::Tier) };
    let calls = &context.calls;
    let planned = planning::plan(context, &subjects, purpose, Access::Read).await?;
    match context.terminal.format {
        Format::Json => context.terminal.print_json(&plan_json::render(&planned.plan, &write::run_info(calls)))?,
        Format::Text => {
            context.terminal.print(&plan_text::render(&planned.plan, &context.terminal.paint(), &planned.notes))?;
            if context.terminal.verbose {
                context.terminal.say(&calls_text::render(&calls.by_action(), &context.terminal.error_paint()));
            }
        }
    }
    Ok(if planned.plan.is_blocked() {
        Exit::Blocked
    } else if arguments.detailed_exitcode && planned.plan.has_steps() {
        Exit::Pending
    } else {
        Exit::Done
    })
}
