use std::path::PathBuf;

use serde_json::json;

use super::Context;
use super::failure::{Exit, Failure};
use super::terminal::Format;
use crate::report::FORMAT_VERSION;
use crate::report::diagnostics;
use crate::spec;
use crate::words::count;

/// Check specs without AWS
///
/// Reports every problem in every file, each with its place, the line itself, and a remedy. Warnings do not change
/// the exit code.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files and folders of specs [default: tiers/ and tenants/]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let request = spec::Request { paths: arguments.paths.clone(), current_folder: context.current_folder.clone(), defaults: true };
    let specs = spec::load(&request);
    if specs.findings.has_errors() {
        return Err(Failure::Specs(specs.findings));
    }
    let tiers = specs.tiers.iter().filter(|tier| tier.given).count();
    match context.terminal.format {
        Format::Json | Format::Ndjson => {
            let mut report = diagnostics::to_json(&specs.findings);
            if let Some(report) = report.as_object_mut() {
                report.insert("format_version".into(), json!(FORMAT_VERSION));
                report.insert("tiers".into(), json!(tiers));
                report.insert("tenants".into(), json!(specs.tenants.len()));
            }
            context.terminal.print_json(&report)?;
        }
        Format::Text | Format::Markdown => {
            if !specs.findings.is_empty() {
                context.terminal.say(&diagnostics::render(&specs.findings, context.terminal.error_paint().color));
            }
            let text = format!("{} and {}: no errors", count(tiers, "tier", "tiers"), count(specs.tenants.len(), "tenant", "tenants"));
            context.terminal.print(&text)?;
        }
    }
    Ok(Exit::Done)
}
