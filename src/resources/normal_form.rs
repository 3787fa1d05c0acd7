//! One form for what AWS writes in several: policy documents and numbers in text.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

/// The version of the policy language that every document of ours names.
pub const POLICY_VERSION: &str = "2012-10-17";

/// A policy document in normal form: what may be one text or a list of one is a list, lists whose order means
/// nothing are sorted, and an account's root is written as its ARN.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>
pub fn policy(document: &Value) -> Value {
    let Value::Object(document) = document else { return document.clone() };
    let mut normal = Map::new();
    for (key, value) in document {
        let value = match key.as_str() {
            "Statement" => Value::Array(listed(value).iter().map(statement).collect()),
            _ => value.clone(),
        };
        normal.insert(key.clone(), value);
    }
    normal.entry("Version").or_insert_with(|| json!(POLICY_VERSION));
    Value::Object(normal)
}

/// A policy document as AWS returns it: JSON, URL-encoded by IAM.
pub fn policy_text(text: &str) -> Value {
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    serde_json::from_str(&decoded).map_or_else(|_| Value::String(text.to_string()), |document| policy(&document))
}

fn statement(statement: &Value) -> Value {
    let Value::Object(fields) = statement else { return statement.clone() };
    let normal = fields.iter().filter(|(key, value)| !(key.as_str() == "Sid" && value.as_str() == Some(""))).map(|(key, value)| {
        let value = match key.as_str() {
            "Action" | "NotAction" | "Resource" | "NotResource" => sorted(value),
            "Principal" | "NotPrincipal" => principal(value),
            "Condition" => condition(value),
            _ => value.clone(),
        };
        (key.clone(), value)
    });
    Value::Object(normal.collect())
}

fn principal(value: &Value) -> Value {
    match value {
        // "*" and {"AWS": "*"} mean the same, and AWS answers with either.
        Value::String(text) if text == "*" => json!({ "AWS": ["*"] }),
        Value::Object(kinds) => Value::Object(kinds.iter().map(|(kind, who)| (kind.clone(), sorted(who))).collect()),
        other => other.clone(),
    }
}

fn condition(value: &Value) -> Value {
    let Value::Object(operators) = value else { return value.clone() };
    let each = |keys: &Value| match keys {
        Value::Object(keys) => Value::Object(keys.iter().map(|(key, values)| (key.clone(), texts(values))).collect()),
        other => other.clone(),
    };
    Value::Object(operators.iter().map(|(operator, keys)| (operator.clone(), each(keys))).collect())
}

/// Condition values are compared as text: AWS returns `true` as `"true"`.
fn texts(value: &Value) -> Value {
    let as_text = |value: &Value| match value {
        Value::String(_) => value.clone(),
        other => Value::String(other.to_string()),
    };
    sorted(&Value::Array(listed(value).iter().map(as_text).collect()))
}

fn listed(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    }
}

fn sorted(value: &Value) -> Value {
    let mut items = listed(value);
    items.sort_by_key(Value::to_string);
    items.dedup();
    Value::Array(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_and_a_list_of_one_are_the_same_policy() {
        let short = json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}});
        let long = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["s3:GetObject"], "Resource": ["*"], "Sid": ""}]});
        assert_eq!(policy(&short), policy(&long));
    }

    #[test]
    fn url_encoding_and_order_do_not_matter() {
        let encoded = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C\
                       %22Action%22%3A%5B%22b%3AX%22%2C%22a%3AY%22%5D%2C%22Resource%22%3A%22*%22%7D%5D%7D";
        let plain = json!({"Statement": [{"Resource": "*", "Action": ["a:Y", "b:X"], "Effect": "Allow"}]});
        assert_eq!(policy_text(encoded), policy(&plain));
    }

    #[test]
    fn a_condition_may_say_true_as_text() {
        let bool_value = json!({"Statement": [{"Condition": {"Bool": {"aws:SecureTransport": true}}}]});
        let text_value = json!({"Statement": [{"Condition": {"Bool": {"aws:SecureTransport": ["true"]}}}]});
        assert_eq!(policy(&bool_value), policy(&text_value));
    }
}
