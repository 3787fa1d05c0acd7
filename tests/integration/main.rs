//! tierctl as its users run it: the binary, against an emulated AWS, with the result read back by boto3.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod accounts;
mod addresses;
mod attribution;
mod bed;
mod blast_radius;
mod calls;
mod cells;
mod changed_since;
mod depths;
mod drift;
mod events;
mod examples;
mod fields;
mod handover;
mod lifecycle;
mod neighbours;
mod ownership;
mod pace;
mod places;
mod project;
mod protection;
mod replacements;
mod retired;
mod rollouts;
mod rows;
mod running;
mod saved_plans;
mod scenes;
mod strictness;
