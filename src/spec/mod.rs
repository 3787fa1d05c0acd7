//! What the user wrote: YAML read into typed specs that know their lines and columns, and every check that
//! needs no AWS. Nothing here prints or touches anything but the files that it is given.
//!
//! Text becomes a `tree` with positions, `shape` holds the tree against the JSON Schema of the model and mends
//! what does not fit, `typed` turns it into the structs of `model`, and `check` looks at what types cannot say.
//! No stage gives up at the first problem, so one run reports them all.

pub mod arn;
mod check;
pub mod diagnostic;
pub mod load;
pub mod located;
pub mod model;
pub mod pattern;
pub mod reference;
pub mod schema;
mod shape;
pub mod source;
mod spelling;
mod tree;
mod typed;

pub use diagnostic::{Finding, Findings, Severity};
pub use load::{Loaded, Request, Specs, is_read_below, load, load_kept, load_texts, tier_of_departed, tiers_in};
pub use located::{Located, Origin, Span};
pub use source::Source;
