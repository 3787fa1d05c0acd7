use std::collections::BTreeSet;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use super::failure::{Exit, Failure};
use super::terminal::Format;
use super::{Context, LimitOptions, changed_since, plan_file, planning, write};
use crate::aws::{Access, bottleneck};
use crate::plan::intent::{self, Purpose};
use crate::plan::saved::{SavedPlan, SavedSpec};
use crate::plan::{Plan, attribution};
use crate::report::{calls_text, plan_json, plan_markdown, plan_text};
use crate::resources::Depth;
use crate::spec::Specs;
use crate::words::count;

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
    /// Plan only what is in cells of this name, or in that of one tier, as TIER/NAME; give it several times for several cells
    #[arg(long = "cell", value_name = "NAME", conflicts_with = "changed_since")]
    cells: Vec<String>,
    /// Plan only what files that have changed since this Git revision can affect, and what they have left behind
    #[arg(long, value_name = "REV")]
    changed_since: Option<String>,
    /// Show only what was changed in AWS since the last apply, and what nobody knows the origin of
    #[arg(long, conflicts_with_all = ["out", "changed_since"])]
    drift_only: bool,
    /// Take the tags of services for what they run: few calls, and what was changed by hand is not seen
    #[arg(long, conflicts_with_all = ["deep", "out", "changed_since", "drift_only"])]
    quick: bool,
    /// Also read every task definition, rather than take the tags of its service for what is in it
    #[arg(long)]
    deep: bool,
    /// Also save the plan to this file, for `tierctl apply --plan`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Longest Markdown, in bytes: details are cut, and deletions never. GitHub takes 65,536 characters
    #[arg(long, value_name = "BYTES", default_value_t = 60_000)]
    max_bytes: usize,
    #[command(flatten)]
    limits: LimitOptions,
    /// End with exit code 2 if changes are pending
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let specs = context.specs(&arguments.paths, true)?;
    let (specs, changes) = match &arguments.changed_since {
        Some(revision) => {
            let (specs, changes) = changed_since::narrow(specs, revision, &context.current_folder, &arguments.paths)?;
            (specs, Some(changes))
        }
        None => (specs, None),
    };
    let mut subjects = intent::subjects(&specs);
    let cells = meant_cells(arguments, &specs)?;
    let other_cells = planning::keep_cells(&mut subjects, cells.as_ref());
    // Where only tiers are named, that their tenants have no spec among them says nothing.
    let has_tenants = arguments.paths.is_empty() || !specs.tenants.is_empty();
    let depth = match (arguments.quick, arguments.deep) {
        (true, _) => Depth::Quick,
        (false, true) => Depth::Deep,
        (false, false) => Depth::Standard,
    };
    let purpose =
        Purpose::Plan { tier: arguments.only != Some(Only::Tenants), tenants: has_tenants && arguments.only != Some(Only::Tier), depth };
    let mut departed = planning::Departed::default();
    if let Some(changes) = &changes {
        for subject in &mut subjects {
            let here = changes.new_tenants.iter().filter(|(tier, _)| *tier == *subject.tier.tier);
            subject.new_tenants = here.map(|(_, tenant)| tenant.as_str()).collect();
        }
        departed = planning::find_departed(context, changes, purpose).await?;
    }
    let calls = &context.calls;
    let moved = changes.as_ref().map(|changes| changes.moved_groups.as_slice()).unwrap_or_default();
    // The process ends with this command: to free what it knows of thousands of tenants, piece by piece, would take a twentieth of it.
    let mut planned = ManuallyDrop::new(planning::plan_with_moved(context, &subjects, moved, purpose, Access::Read).await?);
    planned.plan.add(departed.changes, Vec::new());
    for unread in departed.unread {
        let is_known = planned.plan.unread.iter().any(|known| known.tier == unread.tier && known.cell == unread.cell);
        planned.plan.unread.extend((!is_known).then_some(unread));
    }
    planned.plan.other_cells = other_cells;
    if arguments.drift_only {
        let left_out = attribution::keep_drift(&mut planned.plan);
        if left_out > 0 {
            let what = count(left_out, "change of the specs is", "changes of the specs are");
            planned.plan.warnings.push(format!("{what} left out: `tierctl plan` without --drift-only shows all"));
        }
    }
    planned.plan.bottleneck = bottleneck(planned.plan.writes(), context.api_share);
    planned.plan.exceeded = arguments.limits.limits().exceeded_by(&planned.plan);
    let is_within_limits = planned.plan.exceeded.is_empty();
    let is_whole = planned.plan.unread.is_empty();
    let saved = match &arguments.out {
        Some(path) if is_within_limits && is_whole => Some((path, save(context, path, &specs, purpose, cells, &planned.plan)?)),
        _ => None,
    };
    match context.terminal.format {
        Format::Json | Format::Ndjson => context.terminal.print_json(&plan_json::document(&planned.plan, &write::run_info(calls)))?,
        Format::Markdown => {
            let page = plan_markdown::render(&planned.plan, &planned.notes, arguments.max_bytes);
            context.terminal.print(&page)?;
        }
        Format::Text => {
            context.terminal.print(&plan_text::render(&planned.plan, &context.terminal.paint(), &planned.notes))?;
            if context.terminal.verbose {
                context.terminal.say(&calls_text::render(&calls.by_action(), planned.floor().as_ref(), &context.terminal.error_paint()));
            }
        }
    }
    if let Some((path, sha256)) = saved {
        let path = path.display();
        context.terminal.note(&format!("Saved. To carry out just this: `tierctl apply --plan {path} --plan-sha256 {sha256}`"));
    }
    if arguments.out.is_some() && !is_within_limits {
        context.terminal.note("Not saved: it does more than its limits allow. Allow more, or change less at once.");
    }
    if arguments.out.is_some() && !is_whole {
        context.terminal.note("Not saved: a part of it could not be read.");
    }
    Ok(if !is_whole {
        Exit::Failed
    } else if planned.plan.is_blocked() {
        Exit::Blocked
    } else if arguments.detailed_exitcode && planned.plan.has_steps() {
        Exit::Pending
    } else {
        Exit::Done
    })
}

/// The cells that are meant, where not all are.
fn meant_cells(arguments: &Arguments, specs: &Specs) -> Result<Option<BTreeSet<String>>, Failure> {
    let tiers = specs.tiers.iter().map(|tier| &tier.spec);
    let known: BTreeSet<String> = tiers.flat_map(|tier| tier.cells.iter().map(|cell| format!("{}/{}", *tier.tier, *cell.name))).collect();
    let is_known = |given: &str| known.iter().any(|known| known == given || known.split_once('/').is_some_and(|(_, cell)| cell == given));
    if let Some(unknown) = arguments.cells.iter().find(|cell| !is_known(cell)) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        return Err(Failure::usage(format!("no tier has a cell {unknown} (there are: {})", known.join(", ")), "name one of them"));
    }
    Ok((!arguments.cells.is_empty()).then(|| arguments.cells.iter().cloned().collect()))
}

/// Saves a plan with the specs that it was made of, and returns the file's SHA-256.
fn save(
    context: &Context,
    path: &Path,
    specs: &Specs,
    purpose: Purpose,
    cells: Option<BTreeSet<String>>,
    plan: &Plan,
) -> Result<String, Failure> {
    let Purpose::Plan { tier, tenants, .. } = purpose else { return Err(Failure::usage("only a plan can be saved", "")) };
    let path = &context.current_folder.join(path);
    let is_this =
        |spec: &Path| path.canonicalize().is_ok_and(|path| context.current_folder.join(spec).canonicalize().is_ok_and(|spec| spec == path));
    if specs.sources().iter().any(|(source, _)| is_this(&source.path)) {
        return Err(Failure::usage(
            format!("{} is one of the specs that this plan is of", path.display()),
            "name another file for the plan",
        ));
    }
    let specs = specs.sources().into_iter().map(|(source, looked_up)| SavedSpec {
        path: source.path.display().to_string(),
        looked_up,
        text: source.text.clone(),
    });
    plan_file::write(path, &SavedPlan::new(plan, tier, tenants, cells, specs.collect()))
}
