//! The command line: one file per command, each with its arguments and the one function that wires the stages.

mod apply;
mod cells;
mod changed_since;
mod completions;
mod destroy;
pub mod failure;
mod iam_policy;
mod offboard;
mod onboard;
mod plan;
mod plan_file;
mod planning;
mod progress;
mod report;
mod schema;
mod signals;
mod status;
mod terminal;
mod validate;
mod write;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::aws::Calls;
use crate::plan::{Limits, Rollout};
use crate::spec::model::TierSpec;
use crate::spec::{self, Specs};
use failure::{Exit, Failure};
use signals::Signals;
use terminal::{ColorChoice, Format, Terminal};

/// Stack of a worker thread: the SDK's futures are large in a debug build.
const STACK_SIZE: usize = 8 * 1024 * 1024;

/// The variable that speeds up the clock of the request rates.
const TIME_SCALE: &str = "TIERCTL_API_TIME_SCALE";

const AFTER_HELP: &str = "\
Examples:
  tierctl validate
  tierctl apply tiers/high-tps.yaml
  tierctl onboard tenants/high-tps/acme.yaml
  tierctl plan --detailed-exitcode

Exit codes:
  0    done, or nothing to do
  1    error, failure, timeout, or wrong usage
  2    changes are pending (plan --detailed-exitcode)
  3    blocked: refused, or waiting for somebody else
  130  interrupted";

/// Wires the dependencies of a tier once, so that a tenant is one YAML file.
///
/// Reads tier and tenant specs, compares them with live AWS (no state file: what is ours is known by tags), and
/// makes the difference real. A rerun always picks up what is there.
#[derive(Debug, Parser)]
#[command(name = "tierctl", version, propagate_version = true, disable_help_subcommand = true, max_term_width = 100)]
#[command(after_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// Form of the output: text to read, JSON for programs, whole or event by event, Markdown for a comment
    #[arg(long, global = true, value_enum, default_value = "text")]
    format: Format,
    /// Colours: `auto` means on a terminal, and not where NO_COLOR is set
    #[arg(long, global = true, value_enum, default_value = "auto")]
    color: ColorChoice,
    /// Also print how many API calls were made, by service and action
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Requests under way at once while a plan is carried out
    #[arg(long, global = true, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallelism: u16,
    /// Share of the request rates that AWS publishes for an account to use, up to 1: the rest is left to others
    #[arg(long, global = true, value_name = "SHARE", default_value = "0.8", value_parser = api_share)]
    api_share: f64,
    /// Leave out a cell that has not been read after this long, as 90s or 20m: the rest goes on without it
    #[arg(long, global = true, value_name = "DURATION", default_value = "15m", value_parser = timeout)]
    read_timeout: std::time::Duration,
}

fn timeout(text: &str) -> Result<std::time::Duration, String> {
    humantime::parse_duration(text).map_err(|_| "it is a number and a unit, as 90s, 20m or 1h".into())
}

/// Less than a thousandth would be a request in hours.
fn api_share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.001..=1.0).contains(share));
    share.ok_or_else(|| "it is a number from 0.001 to 1".into())
}

#[derive(Debug, Subcommand)]
enum Command {
    Validate(validate::Arguments),
    Plan(plan::Arguments),
    Apply(apply::Arguments),
    Onboard(onboard::Arguments),
    Offboard(offboard::Arguments),
    Destroy(destroy::Arguments),
    Status(status::Arguments),
    Cells(cells::Arguments),
    Report(report::Arguments),
    IamPolicy(iam_policy::Arguments),
    Schema(schema::Arguments),
    Completions(completions::Arguments),
    Man(completions::ManArguments),
}

/// How much may be done before somebody has to look closer: more is blocked, with exit code 3.
#[derive(Debug, Clone, Args)]
struct LimitOptions {
    /// Most things that may be deleted or replaced
    #[arg(long, value_name = "N")]
    max_deletes: Option<usize>,
    /// Most tenants that may be changed, or whose tier may be changed under them
    #[arg(long, value_name = "N")]
    max_tenants: Option<usize>,
}

impl LimitOptions {
    fn limits(&self) -> Limits {
        Limits { deletes: self.max_deletes, tenants: self.max_tenants }
    }
}

/// Flags of the commands that write.
#[derive(Debug, Clone, Args)]
struct WriteOptions {
    /// Do not ask before writing
    #[arg(short, long)]
    yes: bool,
    /// Give up what is still waited for after this long, as 90s, 20m or 1h
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = timeout)]
    timeout: std::time::Duration,
    /// End as soon as AWS has accepted every request, and wait only for what has to work before something is deleted
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    limits: LimitOptions,
}

/// How tenants go one after another.
#[derive(Debug, Clone, Args)]
struct RolloutOptions {
    /// Tenants that go first: the others begin once these are healthy, but for as many as --max-failures allows
    #[arg(long, value_name = "N", conflicts_with = "no_wait")]
    canary: Option<usize>,
    /// Tenants that go at once after that: the next begin once these are, likewise [default: all]
    #[arg(long, value_name = "N", conflicts_with = "no_wait", value_parser = wave)]
    wave: Option<usize>,
    /// Begin no other tenant once more than N have failed [default: 0 with --canary or --wave, else all are tried]
    #[arg(long, value_name = "N", conflicts_with = "no_wait")]
    max_failures: Option<usize>,
}

impl RolloutOptions {
    fn rollout(&self) -> Rollout {
        Rollout { canary: self.canary, wave: self.wave, max_failures: self.max_failures }
    }
}

fn wave(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|tenants| *tenants > 0).ok_or_else(|| "it is a number from 1".into())
}

/// What every command gets.
struct Context {
    terminal: Terminal,
    calls: Calls,
    parallelism: usize,
    api_share: f64,
    /// After this a cell that has not been read is left out.
    read_timeout: std::time::Duration,
    current_folder: PathBuf,
    signals: Signals,
}

impl Context {
    /// The folder in which a tier is looked for by name.
    fn tiers_folder(&self) -> Result<PathBuf, Failure> {
        if self.current_folder.join("tiers").is_dir() {
            return Ok("tiers".into());
        }
        Err(Failure::usage("there is no folder `tiers` here to look tiers up in", "go to the folder that holds `tiers/`, or name a file"))
    }

    /// The specs of the one tier that a name, or the path of its spec, means.
    fn one_tier(&self, named: &str) -> Result<Specs, Failure> {
        let path = PathBuf::from(named);
        let by_path = self.current_folder.join(&path).exists();
        let mut specs = self.specs(&[if by_path { path } else { self.tiers_folder()? }], false)?;
        if !by_path {
            Self::tiers_named(&specs, Some(named))?;
        }
        specs.tiers.retain(|tier| tier.given && (by_path || *tier.spec.tier == named));
        match specs.tiers.len() {
            1 => Ok(specs),
            0 => Err(Failure::usage(format!("{named} holds no tier"), "name a tier, or the file of its spec")),
            _ => Err(Failure::usage("that names several tiers, and one is taken at a time", "name the file of one tier")),
        }
    }

    /// Those of these tiers that a name means: all, without one.
    fn tiers_named<'s>(specs: &'s Specs, name: Option<&str>) -> Result<Vec<&'s TierSpec>, Failure> {
        let tiers = || specs.tiers.iter().map(|tier| &tier.spec);
        let meant: Vec<&TierSpec> = tiers().filter(|tier| name.is_none_or(|name| name == *tier.tier)).collect();
        if !meant.is_empty() {
            return Ok(meant);
        }
        let known: Vec<&str> = tiers().map(|tier| tier.tier.as_str()).collect();
        Err(match name {
            Some(name) => {
                Failure::usage(format!("there is no spec of the tier {name} here (there are: {})", known.join(", ")), "name one of them")
            }
            None => Failure::usage("there is no spec of a tier in tiers/", "go to the folder that holds the specs in `tiers/`"),
        })
    }

    /// The specs in `tenants/`, named or not, with what is wrong with them; nothing where there is no such folder.
    fn tenants_here(&self) -> Specs {
        let paths = vec![PathBuf::from("tenants")];
        if !self.current_folder.join("tenants").is_dir() {
            return Specs::default();
        }
        spec::load(&spec::Request { paths, current_folder: self.current_folder.clone(), defaults: false })
    }

    /// Reads specs; findings that are errors end the command, warnings are shown.
    fn specs(&self, paths: &[PathBuf], defaults: bool) -> Result<Specs, Failure> {
        let request = spec::Request { paths: paths.to_vec(), current_folder: self.current_folder.clone(), defaults };
        let mut specs = spec::load(&request);
        if specs.findings.has_errors() {
            return Err(Failure::Specs(std::mem::take(&mut specs.findings)));
        }
        if !specs.findings.is_empty() && !self.terminal.format.is_for_programs() {
            self.terminal.say(&crate::report::diagnostics::render(&specs.findings, self.terminal.error_paint().color));
        }
        Ok(specs)
    }
}

/// The whole program: arguments to exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    guarded(|| start(arguments.into_iter().collect())).into()
}

/// A fault of tierctl's own ends like any other failure: it has been reported already.
fn guarded(work: impl FnOnce() -> Exit) -> Exit {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Exit::Failed)
}

fn start(arguments: Vec<OsString>) -> Exit {
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let failed = error.use_stderr();
            if failed && asks_for_json(&arguments) {
                let terminal = Terminal::new(Format::Json, ColorChoice::Never, false);
                terminal.fail(&wrong_usage(&error));
                return Exit::Failed;
            }
            // Nobody there to read it is no error.
            let _ = error.print();
            return if failed { Exit::Failed } else { Exit::Done };
        }
    };
    let terminal = Terminal::new(cli.global.format, cli.global.color, cli.global.verbose);
    terminal.report_faults();
    let current_folder = match std::env::current_dir() {
        Ok(folder) => folder,
        Err(error) => {
            terminal.fail(&Failure::usage(format!("the current folder cannot be read: {error}"), "change to another folder"));
            return Exit::Failed;
        }
    };
    let calls = match time_scale() {
        Ok(time_scale) => Calls::at(cli.global.api_share, time_scale),
        Err(failure) => {
            terminal.fail(&failure);
            return Exit::Failed;
        }
    };
    let Global { parallelism, api_share, read_timeout, .. } = cli.global;
    let parallelism = parallelism.into();
    let context = Context { terminal, calls, parallelism, api_share, read_timeout, current_folder, signals: Signals::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_stack_size(STACK_SIZE).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            context.terminal.fail(&Failure::usage(format!("no threads can be started: {error}"), "free some memory and run again"));
            return Exit::Failed;
        }
    };
    let ended = runtime.block_on(async {
        context.signals.listen();
        tokio::select! {
            ended = run(&context, cli.command) => ended,
            () = context.signals.before_writing() => {
                context.terminal.note("Interrupted: nothing has been changed.");
                Ok(Exit::Interrupted)
            }
        }
    });
    runtime.shutdown_background();
    match ended {
        Ok(exit) => exit,
        Err(Failure::ClosedPipe) => Exit::Done,
        Err(failure) => {
            context.terminal.fail(&failure);
            Exit::Failed
        }
    }
}

/// Where arguments cannot be parsed it has still been said how errors are wanted.
fn asks_for_json(arguments: &[OsString]) -> bool {
    let is_json = |word: &OsString| word == "json" || word == "ndjson";
    arguments.iter().any(|word| word == "--format=json" || word == "--format=ndjson")
        || arguments.windows(2).any(|pair| pair[0] == "--format" && is_json(&pair[1]))
}

/// The first paragraph of what clap says; usage and hints for people follow it.
fn wrong_usage(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let message = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    Failure::usage(
        message.split_whitespace().collect::<Vec<_>>().join(" "),
        "`tierctl --help` and `tierctl COMMAND --help` say what there is",
    )
}

/// How much faster than time the clock of AWS's published rates runs: that of an emulated AWS may, to save time.
fn time_scale() -> Result<f64, Failure> {
    let Some(text) = std::env::var_os(TIME_SCALE) else { return Ok(1.0) };
    let scale = text.to_str().and_then(|text| text.parse().ok()).filter(|scale| (0.001..=1_000_000.0).contains(scale));
    scale.ok_or_else(|| {
        let message = format!("{TIME_SCALE} is {}, and it has to be a number from 0.001 to 1000000", text.to_string_lossy());
        Failure::usage(message, "unset it: it is for emulators of AWS whose clock of request rates runs faster")
    })
}

async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let writes = matches!(command, Command::Apply(_) | Command::Onboard(_) | Command::Offboard(_) | Command::Destroy(_));
    match context.terminal.format {
        Format::Markdown if !matches!(command, Command::Plan(_) | Command::Report(_)) => {
            return Err(Failure::usage(
                "only a plan has a form in Markdown",
                "use `tierctl plan --format markdown` or `tierctl report merge`, or another --format",
            ));
        }
        Format::Ndjson if !writes => {
            return Err(Failure::usage("only commands that write have events to print", "use `--format json`"));
        }
        _ => {}
    }
    match command {
        Command::Validate(arguments) => validate::run(context, &arguments),
        Command::Plan(arguments) => plan::run(context, &arguments).await,
        Command::Apply(arguments) => apply::run(context, &arguments).await,
        Command::Onboard(arguments) => onboard::run(context, &arguments).await,
        Command::Offboard(arguments) => offboard::run(context, &arguments).await,
        Command::Destroy(arguments) => destroy::run(context, &arguments).await,
        Command::Status(arguments) => status::run(context, &arguments).await,
        Command::Cells(arguments) => cells::run(context, &arguments),
        Command::Report(arguments) => report::run(context, &arguments),
        Command::IamPolicy(arguments) => iam_policy::run(context, &arguments),
        Command::Schema(arguments) => schema::run(context, &arguments),
        Command::Completions(arguments) => completions::run(context, &arguments),
        Command::Man(arguments) => completions::man(context, &arguments),
    }
}

/// The command line as clap knows it, for completions, man pages and the reference.
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::panic, reason = "what is tried")]
    fn a_fault_of_our_own_ends_like_a_failure() {
        assert_eq!(guarded(|| panic!("a fault")), Exit::Failed);
        assert_eq!(guarded(|| Exit::Blocked), Exit::Blocked);
    }
}
