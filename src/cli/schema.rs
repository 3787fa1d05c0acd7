use super::Context;
use super::failure::{Exit, Failure};
use crate::spec::schema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Of {
    Tier,
    Tenant,
}

/// Print the JSON Schema of a kind of spec, for editors
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[arg(value_enum)]
    of: Of,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    context.terminal.print_json(match arguments.of {
        Of::Tier => schema::tier_schema(),
        Of::Tenant => schema::tenant_schema(),
    })?;
    Ok(Exit::Done)
}
