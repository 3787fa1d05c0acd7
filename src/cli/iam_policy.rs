use super::Context;
use super::failure::{Exit, Failure};
use crate::permissions::{self, Task};

/// Print the IAM policy that a command needs
///
/// A JSON document for the role that a cell's `assume_role` names, or for the credentials that tierctl is started with.
/// With a tier it is narrowed to that tier's names and tags, and to the networks and listeners of other teams that the
/// spec names; without one it is for every tier, in networks that tierctl makes. To carry out a saved plan of tiers and
/// tenants takes the policies for `apply` and `onboard`. Reads nothing from AWS.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What is to be allowed
    #[arg(long = "for", value_enum, value_name = "COMMAND")]
    task: Task,
    /// Name of a tier with a spec in tiers/, or the file of its spec
    #[arg(value_name = "TIER|PATH")]
    tier: Option<String>,
    /// Only this cell of the tier: the role of one account needs no more
    #[arg(long, value_name = "NAME", requires = "tier")]
    cell: Option<String>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let specs = arguments.tier.as_ref().map(|tier| context.one_tier(tier)).transpose()?;
    let mut tier = specs.and_then(|mut specs| specs.tiers.pop()).map(|tier| tier.spec);
    if let (Some(tier), Some(cell)) = (&mut tier, &arguments.cell) {
        let known: Vec<String> = tier.cells.iter().map(|cell| cell.name.to_string()).collect();
        tier.cells.retain(|other| *other.name == *cell);
        if tier.cells.is_empty() {
            let message = format!("the tier {} has no cell {cell} (there are: {})", *tier.tier, known.join(", "));
            return Err(Failure::usage(message, "name one of them"));
        }
    }
    let policy = permissions::policy(arguments.task, tier.as_ref());
    context.terminal.print_json(&policy)?;
    let length = permissions::length(&policy);
    if length > permissions::LONGEST_MANAGED {
        let advice = match length > permissions::LONGEST_INLINE {
            true => format!("an inline policy {}: split its statements over several managed policies", permissions::LONGEST_INLINE),
            false => format!(
                "put it on its role as an inline policy, which may have {}, or split its statements over several managed policies",
                permissions::LONGEST_INLINE
            ),
        };
        context.terminal.note(&format!(
            "It has {length} characters without whitespace. A managed policy may have {}{} {advice}{}",
            permissions::LONGEST_MANAGED,
            if length > permissions::LONGEST_INLINE { ", and" } else { ":" },
            if tier.is_some_and(|tier| tier.cells.len() > 1) { "; with --cell it is shorter" } else { "" },
        ));
    }
    Ok(Exit::Done)
}
