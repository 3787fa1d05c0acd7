//! tierctl wires the dependencies of a tier once, so that a tenant is one YAML file. `ARCHITECTURE.md` walks
//! through the rooms.

/// A plan is millions of small strings and maps, which the C library's allocator takes twice as long for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod apply;
pub mod aws;
pub mod cli;
pub mod estate;
pub mod live;
pub mod permissions;
pub mod plan;
pub mod report;
pub mod resources;
mod sha256;
pub mod spec;
mod words;
