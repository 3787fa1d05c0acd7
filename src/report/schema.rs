//! The JSON Schemas of what programs read.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::Value;

use super::cells_json::CellsDocument;
use super::event_json::EventDocument;
use super::outcome_json::OutcomeDocument;
use super::plan_json::PlanDocument;
use crate::spec::schema::on_one_line;

pub fn plan_schema() -> Value {
    generate::<PlanDocument<'static>>("A plan of tierctl")
}

pub fn outcome_schema() -> Value {
    generate::<OutcomeDocument<'static>>("The outcome of a run of tierctl")
}

pub fn event_schema() -> Value {
    generate::<EventDocument<'static>>("An event of a run of tierctl")
}

pub fn cells_schema() -> Value {
    generate::<CellsDocument>("The cells of specs")
}

fn generate<T: JsonSchema>(title: &str) -> Value {
    // As it is written, every field is there: null where there is nothing to say.
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    RecursiveTransform(on_one_line).transform(&mut schema);
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}
