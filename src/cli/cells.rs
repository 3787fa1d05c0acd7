use std::collections::BTreeMap;

use super::Context;
use super::failure::{Exit, Failure};
use super::terminal::Format;
use crate::estate::Group;
use crate::report::cells_json::{self, CellDocument};
use crate::words::count;

/// List the cells of the specs
///
/// A pipeline makes a job of each, `tierctl plan --cell NAME`, and joins what they say: `tierctl report merge`. AWS is not
/// asked for anything.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Name of a tier [default: all that have a spec in tiers/]
    tier: Option<String>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let mut paths = vec![context.tiers_folder()?];
    paths.extend(context.current_folder.join("tenants").is_dir().then(|| "tenants".into()));
    let specs = context.specs(&paths, false)?;
    let mut placed: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for tenant in &specs.tenants {
        if let Some(placement) = &tenant.spec.placement {
            *placed.entry((&tenant.spec.tier, &placement.cell)).or_default() += 1;
        }
    }
    let mut cells: Vec<CellDocument> = Vec::new();
    for tier in Context::tiers_named(&specs, arguments.tier.as_deref())? {
        for cell in &tier.cells {
            let groups: Vec<Group<'_>> = Group::all_of(tier).filter(|group| *group.cell.name == *cell.name).collect();
            cells.push(CellDocument {
                tier: tier.tier.to_string(),
                cell: cell.name.to_string(),
                account: cell.account.to_string(),
                region: groups.first().map(|group| group.region().to_string()).unwrap_or_default(),
                infra_groups: groups.iter().map(|group| group.group.name.to_string()).collect(),
                placed_tenants: placed.get(&(tier.tier.as_str(), cell.name.as_str())).copied().unwrap_or_default(),
            });
        }
    }
    match context.terminal.format {
        Format::Json | Format::Ndjson => {
            context.terminal.print_json(&cells_json::document(cells))?;
        }
        Format::Text | Format::Markdown => {
            let lines = cells.iter().map(|cell| {
                format!(
                    "{}/{} (account {}, {}): {}, {} placed here\n",
                    cell.tier,
                    cell.cell,
                    cell.account,
                    cell.region,
                    count(cell.infra_groups.len(), "infra group", "infra groups"),
                    count(cell.placed_tenants, "tenant", "tenants"),
                )
            });
            context.terminal.print(&lines.collect::<String>())?;
        }
    }
    Ok(Exit::Done)
}
