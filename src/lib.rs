//! tierctl wires the dependencies of a tier once, so that a tenant is one YAML file. `ARCHITECTURE.md` walks
//! through the rooms.

pub mod aws;
pub mod resources;
