use super::Context;
use super::failure::{Exit, Failure};
use crate::report;
use crate::spec::schema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Of {
    /// a tier's spec
    Tier,
    /// a tenant's spec
    Tenant,
    /// what `plan --format json` prints
    Plan,
    /// what commands that write print with `--format json`
    Outcome,
    /// a line of what they print with `--format ndjson`
    Event,
    /// what `cells --format json` prints
    Cells,
}

/// Print the JSON Schema of specs, for editors, or of what programs read
///
/// An editor with the YAML language server completes and checks a spec whose first line is
/// `# yaml-language-server: $schema=PATH`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What the schema is of
    #[arg(value_enum, value_name = "KIND")]
    of: Of,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    context.terminal.print_json(&match arguments.of {
        Of::Tier => schema::tier_schema().clone(),
        Of::Tenant => schema::tenant_schema().clone(),
        Of::Plan => report::schema::plan_schema(),
        Of::Outcome => report::schema::outcome_schema(),
        Of::Event => report::schema::event_schema(),
        Of::Cells => report::schema::cells_schema(),
    })?;
    Ok(Exit::Done)
}
