//! The checked-in JSON Schemas are those of the program. `UPDATE_GENERATED=1` writes them anew.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use tierctl::report::schema::{cells_schema, event_schema, outcome_schema, plan_schema};
use tierctl::spec::reference::reference_markdown;
use tierctl::spec::schema::{tenant_schema, tier_schema};

#[test]
fn checked_in_schemas_are_those_of_the_program() {
    let specs = [("tier", tier_schema().clone()), ("tenant", tenant_schema().clone())];
    let documents = [("plan", plan_schema()), ("outcome", outcome_schema()), ("event", event_schema()), ("cells", cells_schema())];
    for (name, schema) in specs.into_iter().chain(documents) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schema/{name}.schema.json"));
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(checked_in == text, "{} is out of date: run the tests with UPDATE_GENERATED=1", path.display());
    }
}

/// An editor shows what the schema says, so every key has to say something.
#[test]
fn every_key_is_described() {
    for schema in [tier_schema(), tenant_schema()] {
        let parts = schema["definitions"].as_object().unwrap().iter().map(|(name, part)| (name.as_str(), part));
        for (name, part) in parts.chain([("the spec", schema)]) {
            for (key, value) in part["properties"].as_object().into_iter().flatten() {
                assert!(value["description"].is_string(), "`{key}` of {name} has no description");
            }
        }
    }
}

#[test]
fn the_reference_names_every_key() {
    let reference = reference_markdown();
    for schema in [tier_schema(), tenant_schema()] {
        for part in schema["definitions"].as_object().unwrap().values().chain([schema]) {
            for key in part["properties"].as_object().into_iter().flat_map(|properties| properties.keys()) {
                assert!(reference.contains(&format!("| `{key}`")), "`{key}` is missing");
            }
        }
    }
    for meaning in ["Default: unmanaged (AWS: 60)", "**required**", "whole number, 1 to 65535", "- `slow_start` of [Service]"] {
        assert!(reference.contains(meaning), "{meaning}");
    }
}
