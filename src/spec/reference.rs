//! The spec reference as Markdown, made from the JSON Schema so that it cannot drift from what is accepted.

use std::fmt::Write;

use serde_json::Value;

use super::schema::{tenant_schema, tier_schema};

/// Every key of both kinds of spec: its type, its limits, and what it means when it is left out.
pub fn reference_markdown() -> String {
    let mut text = String::from(
        "# Spec reference\n\n\
         Generated from the JSON Schema of the specs; do not edit.\n\n\
         A file holds one spec, or several separated by `---`. A key that a spec does not have, that stands twice or \
         that has no value is an error. Text that YAML would read as something else (numbers, `true`) is put in quotes.\n\n\
         What happens to a field that is left out stands behind *Default*. `unmanaged` means that tierctl neither sets \
         nor compares it; every other default is set, and restored if somebody changes it.\n",
    );
    kind(&mut text, "Tier", "tier", tier_schema());
    kind(&mut text, "Tenant", "tenant", tenant_schema());
    unmanaged(&mut text);
    text
}

fn kind(text: &mut String, title: &str, prefix: &str, schema: &Value) {
    let _ = write!(text, "\n## {title}\n\n{}\n", schema["description"].as_str().unwrap_or_default());
    table(text, prefix, schema);
    for name in parts(schema) {
        let part = &schema["definitions"][&name];
        let _ = write!(text, "\n### {title}: `{name}`\n\n{}\n", part["description"].as_str().unwrap_or_default());
        table(text, prefix, part);
    }
}

/// The mappings that a schema refers to, in the order in which a reader comes to them.
fn parts(schema: &Value) -> Vec<String> {
    fn visit(value: &Value, definitions: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                if let Some(name) = value["$ref"].as_str().and_then(|path| path.strip_prefix("#/definitions/"))
                    && !found.iter().any(|other| other == name)
                {
                    let part = &definitions[name];
                    if part["properties"].is_object() {
                        found.push(name.to_owned());
                    }
                    visit(part, definitions, found);
                }
                object.iter().filter(|(key, _)| *key != "definitions").for_each(|(_, value)| visit(value, definitions, found));
            }
            Value::Array(values) => values.iter().for_each(|value| visit(value, definitions, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    visit(schema, &schema["definitions"], &mut found);
    found
}

fn table(text: &mut String, prefix: &str, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else { return };
    text.push_str("\n| key | type | meaning |\n|---|---|---|\n");
    let mut rows: Vec<(&String, &Value, bool)> = properties
        .iter()
        .map(|(name, value)| (name, value, schema["required"].as_array().is_some_and(|names| names.iter().any(|other| other == name))))
        .collect();
    rows.sort_by_key(|(name, _, required)| (!required, *name));
    for (name, value, required) in rows {
        let mark = if required { " **required**" } else { "" };
        let meaning = value["description"].as_str().unwrap_or_default().replace('|', "\\|");
        let _ = writeln!(text, "| `{name}`{mark} | {} | {meaning} |", type_of(value, prefix));
    }
}

fn type_of(schema: &Value, prefix: &str) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/definitions/")) {
        let root = if prefix == "tier" { tier_schema() } else { tenant_schema() };
        let part = &root["definitions"][name];
        return if part["properties"].is_object() { format!("[{name}](#{prefix}-{})", name.to_lowercase()) } else { type_of(part, prefix) };
    }
    for key in ["allOf", "anyOf"] {
        if let Some(options) = schema[key].as_array() {
            return options.iter().map(|option| type_of(option, prefix)).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(choices) = schema["enum"].as_array() {
        return choices.iter().filter_map(Value::as_str).map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(" or ");
    }
    match schema["type"].as_str() {
        Some("string") => match schema["pattern"].as_str() {
            Some(pattern) => format!("text, `{pattern}`"),
            None => "text".to_owned(),
        },
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("integer") => match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
            (Some(min), Some(max)) => format!("whole number, {min} to {max}"),
            (Some(min), None) if min > 0 => format!("whole number, {min} or more"),
            _ => "whole number".to_owned(),
        },
        Some("array") => {
            let item = type_of(&schema["items"], prefix);
            match (schema["minItems"].as_u64(), schema["maxItems"].as_u64()) {
                (Some(min), Some(max)) if min == max => format!("[first, last]: {item}"),
                (Some(min), Some(max)) => format!("list of {min} to {max}: {item}"),
                (Some(min), None) => format!("list of {min} or more: {item}"),
                _ => format!("list: {item}"),
            }
        }
        Some("object") if schema["additionalProperties"].is_object() => {
            format!("mapping of names to {}", type_of(&schema["additionalProperties"], prefix))
        }
        Some("object") => "free-form mapping".to_owned(),
        _ => "any value".to_owned(),
    }
}

/// Fields that tierctl leaves alone where the spec leaves them out.
fn unmanaged(text: &mut String) {
    text.push_str("\n## Unmanaged where left out\n\n");
    for (prefix, schema) in [("tier", tier_schema()), ("tenant", tenant_schema())] {
        for name in parts(schema) {
            let properties = schema["definitions"][&name]["properties"].as_object().into_iter().flatten();
            for (key, value) in properties {
                if value["description"].as_str().is_some_and(|description| description.contains("Default: unmanaged")) {
                    let _ = writeln!(text, "- `{key}` of [{name}](#{prefix}-{})", name.to_lowercase());
                }
            }
        }
    }
}
