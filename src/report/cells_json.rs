//! Cells as JSON: what a pipeline makes a matrix of jobs from.

use schemars::JsonSchema;
use serde::Serialize;

use super::FORMAT_VERSION;

#[derive(Debug, Serialize, JsonSchema)]
pub struct CellsDocument {
    /// Version 1.1 may say more than 1.0; 2.0 takes something away, or means something else by it.
    format_version: &'static str,
    /// In the order of the specs.
    cells: Vec<CellDocument>,
}

/// A cell, as a job of a matrix takes it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CellDocument {
    pub tier: String,
    pub cell: String,
    /// Twelve digits.
    pub account: String,
    pub region: String,
    pub infra_groups: Vec<String>,
    /// Tenants of `tenants/` whose spec places them here.
    pub placed_tenants: usize,
}

pub fn document(cells: Vec<CellDocument>) -> CellsDocument {
    CellsDocument { format_version: FORMAT_VERSION, cells }
}
