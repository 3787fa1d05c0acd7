//! The JSON Schema of both kinds of spec, for editors, for `shape` and for the reference.

use std::sync::LazyLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::Value;

use super::model::{TenantSpec, TierSpec};

pub fn tier_schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| generate::<TierSpec>("A tier of tierctl"));
    &SCHEMA
}

pub fn tenant_schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| generate::<TenantSpec>("A tenant of tierctl"));
    &SCHEMA
}

fn generate<T: JsonSchema>(title: &str) -> Value {
    // yaml-language-server knows draft 7 best.
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
    RecursiveTransform(as_specs_are_written).transform(&mut schema);
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}

/// What schemars cannot know.
///
/// It lets an optional field be null. A key without a value is most often a mistake (its value was commented
/// out, or is indented wrongly), so specs leave the key out instead.
fn as_specs_are_written(schema: &mut schemars::Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(options)) = object.get_mut("enum") {
        options.retain(|option| !option.is_null());
    }
    if let Some(Value::Array(options)) = object.get_mut("anyOf") {
        options.retain(|option| option.get("type").is_none_or(|name| name != "null"));
        if options.len() == 1
            && let Some(Value::Object(only)) = options.pop()
        {
            object.remove("anyOf");
            if only.contains_key("$ref") {
                // Draft 7 ignores what stands beside a reference, as a description does.
                object.insert("allOf".to_owned(), Value::Array(vec![Value::Object(only)]));
            } else {
                // The field's own description says more than its type's.
                for (key, value) in only {
                    object.entry(key).or_insert(value);
                }
            }
        }
    }
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    on_one_line(schema);
}

/// Line breaks of a comment are those of the source code.
pub(crate) fn on_one_line(schema: &mut schemars::Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace('\n', " ");
    }
}
