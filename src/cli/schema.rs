use super::Context;
use super::failure::{Exit, Failure};
use crate::spec::schema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Of {
    Tier,
    Tenant,
}

/// Print the JSON Schema of a kind of spec, for editors
///
/// An editor with the YAML language server completes and checks a spec whose first line is
/// `# yaml-language-server: $schema=PATH`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Kind of spec
    #[arg(value_enum, value_name = "KIND")]
    of: Of,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    context.terminal.print_json(match arguments.of {
        Of::Tier => schema::tier_schema(),
        Of::Tenant => schema::tenant_schema(),
    })?;
    Ok(Exit::Done)
}
