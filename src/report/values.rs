//! Values of fields as people read them: a rule as `tcp 443 from 10.0.0.0/16`, a statement as `Allow s3:GetObject on
//! ...`, an id that is not known yet as the name of the thing in angle brackets.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::plan::{Change, FieldChange, Origin};
use crate::report::paint::JOINT;
use crate::resources::model::{choices, referred_name};

pub(super) const UNKNOWN: &str = "(known\u{a0}after\u{a0}apply)";
/// Up to here an object is written on the line of its field.
const SHORT: usize = 60;

/// Text with everything visible that a terminal would act on: names and tags that others chose are not to be trusted.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    let is_plain = |character: char| !character.is_control() && !is_direction(character);
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) || text.chars().all(is_plain) {
        return text.into();
    }
    let show = |character: char| match is_plain(character) {
        true => character.to_string(),
        false => character.escape_default().to_string(),
    };
    text.chars().map(show).collect::<String>().into()
}

/// Characters that make a terminal show text in another order than it has.
fn is_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// How the values of one change are written.
#[derive(Clone, Copy)]
pub(super) struct Values {
    /// What stands between a rule and its peer.
    preposition: &'static str,
}

impl Values {
    pub(super) fn of(change: &Change) -> Self {
        let fields = change.desired.as_ref().map(|desired| &desired.fields).or(change.live.as_ref().map(|live| &live.fields));
        let preposition = match fields.and_then(|fields| fields.get("direction")?.as_str()) {
            Some("ingress") => "from",
            Some("egress") => "to",
            _ => "with",
        };
        Self { preposition }
    }

    /// A value on one line.
    pub(super) fn inline(self, value: &Value) -> String {
        match value {
            Value::Null => "null".into(),
            Value::String(text) => string(text),
            Value::Array(items) => format!("[{}]", self.joined(items)),
            Value::Object(fields) => match self.sentence(value, fields) {
                Some(sentence) => sentence,
                None => {
                    let fields = fields.iter().filter(|(_, value)| !is_empty(value));
                    let fields = fields.map(|(name, value)| format!("{}:{JOINT}{}", shown(name), self.inline(value)));
                    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
                }
            },
            Value::Bool(_) | Value::Number(_) => value.to_string(),
        }
    }

    fn joined(self, items: &[Value]) -> String {
        items.iter().map(|item| self.inline(item)).collect::<Vec<_>>().join(", ")
    }

    /// One or several values without brackets, as policies have them.
    fn listed(self, value: &Value) -> String {
        match value {
            Value::Array(items) => self.joined(items),
            other => self.inline(other),
        }
    }

    /// Objects that read better as a sentence.
    fn sentence(self, value: &Value, fields: &Map<String, Value>) -> Option<String> {
        if let Some(name) = referred_name(value) {
            return Some(format!("<{}>", shown(name)));
        }
        if choices(value).is_some() {
            return Some(UNKNOWN.into());
        }
        if is_marker(fields) {
            return Some(self.marker(fields));
        }
        let get = |name: &str| fields.get(name).filter(|value| !value.is_null());
        let text = |name: &str| get(name).map(|value| self.inline(value));
        if fields.contains_key("protocol") && fields.contains_key("peer") {
            let protocol = match get("protocol").and_then(Value::as_str) {
                Some("-1") => format!("all{JOINT}traffic"),
                _ => text("protocol")?,
            };
            let ports = match (text("from_port"), text("to_port")) {
                (Some(from), Some(to)) if from == to => format!("{JOINT}{from}"),
                (Some(from), Some(to)) => format!("{JOINT}{from}-{to}"),
                (Some(port), None) | (None, Some(port)) => format!("{JOINT}{port}"),
                (None, None) => String::new(),
            };
            return Some(format!("{protocol}{ports}{JOINT}{}{JOINT}{}", self.preposition, text("peer").unwrap_or_else(|| UNKNOWN.into())));
        }
        if has_exactly(fields, &["destination", "target"]) {
            return Some(format!("{}{JOINT}->{JOINT}{}", text("destination")?, text("target").unwrap_or_else(|| UNKNOWN.into())));
        }
        if fields.contains_key("field") && fields.contains_key("values") {
            let values = self.listed(get("values")?);
            let field = get("field")?.as_str()?;
            return Some(match text("header") {
                Some(header) => format!("{} {header}: {values}", shown(field)),
                None => format!("{} {values}", shown(field)),
            });
        }
        if has_exactly(fields, &["base", "capacity_provider", "weight"]) {
            return Some(format!(
                "{}{JOINT}(weight{JOINT}{},{JOINT}base{JOINT}{})",
                text("capacity_provider")?,
                text("weight")?,
                text("base")?
            ));
        }
        match get("type").and_then(Value::as_str) {
            Some("fixed-response") if has_exactly(fields, &["type", "status_code", "content_type", "message_body"]) => {
                let body = get("message_body")?.to_string();
                return Some(format!("fixed-response {} {} {}", text("status_code")?, text("content_type")?, shown(&body)));
            }
            Some("redirect") if has_exactly(fields, &["type", "status_code", "protocol", "port"]) => {
                return Some(format!("redirect {} to {} {}", text("status_code")?, text("protocol")?, text("port")?));
            }
            _ => {}
        }
        if fields.contains_key("Statement") && fields.keys().all(|key| ["Statement", "Version", "Id"].contains(&key.as_str())) {
            let Some(Value::Array(statements)) = get("Statement") else { return text("Statement") };
            return Some(statements.iter().map(|statement| self.inline(statement)).collect::<Vec<_>>().join("; "));
        }
        self.statement(fields)
    }

    fn statement(self, fields: &Map<String, Value>) -> Option<String> {
        const SAID: &[(&str, &str)] = &[
            ("Action", ""),
            ("NotAction", "everything but "),
            ("Resource", "on "),
            ("NotResource", "on everything but "),
            ("Principal", "for "),
            ("NotPrincipal", "for everyone but "),
            ("Condition", "if "),
        ];
        let is_said = |key: &String| key == "Effect" || key == "Sid" || SAID.iter().any(|(name, _)| name == key);
        let effect = fields.get("Effect")?.as_str()?;
        if !fields.keys().all(is_said) {
            return None;
        }
        let mut text = shown(effect).into_owned();
        for (name, word) in SAID {
            if let Some(value) = fields.get(*name) {
                text.push_str(&format!(" {word}{}", self.listed(value)));
            }
        }
        Some(text)
    }

    /// A value that is chosen when the thing is made.
    fn marker(self, fields: &Map<String, Value>) -> String {
        let ends = fields.values().next().and_then(|value| match value {
            Value::Array(ends) => Some((ends.first()?.as_u64()?, ends.get(1)?.as_u64()?)),
            Value::Object(ends) => Some((ends.get("from")?.as_u64()?, ends.get("to")?.as_u64()?)),
            _ => None,
        });
        ends.map_or_else(|| UNKNOWN.into(), |(from, to)| format!("lowest{JOINT}free{JOINT}of{JOINT}{from}-{to} {UNKNOWN}"))
    }

    /// Whether each item is a line of its own in a list: an item that is written as a document is not.
    pub(super) fn is_list(self, items: &[Value]) -> bool {
        items.iter().all(|item| match item {
            Value::Object(fields) => !fields.contains_key("Effect") && self.sentence(item, fields).is_some(),
            Value::Array(_) => false,
            _ => true,
        })
    }

    /// A value of a thing to be made, if it stays on the line of its field.
    pub(super) fn short(self, value: &Value) -> Option<String> {
        match value {
            Value::Object(fields) => self.sentence(value, fields).or_else(|| self.object_within(fields, SHORT)),
            value => Some(self.inline(value)),
        }
    }

    /// As [`Self::inline`] has it, if that has at most so many characters: what has more is not written to its end.
    fn inline_within(self, value: &Value, most: usize) -> Option<String> {
        match value {
            Value::Object(fields) => match self.sentence(value, fields) {
                Some(sentence) => Some(sentence).filter(|sentence| sentence.chars().count() <= most),
                None => self.object_within(fields, most),
            },
            value => Some(self.inline(value)).filter(|text| text.chars().count() <= most),
        }
    }

    fn object_within(self, fields: &Map<String, Value>, most: usize) -> Option<String> {
        let mut text = String::from("{");
        for (name, value) in fields.iter().filter(|(_, value)| !is_empty(value)) {
            if text.len() > 1 {
                text.push_str(", ");
            }
            text.push_str(&format!("{}:{JOINT}{}", shown(name), self.inline_within(value, most)?));
            if text.chars().count() >= most {
                return None;
            }
        }
        text.push('}');
        Some(text)
    }
}

/// A value with every id that is not known yet as the name of its thing, to be written as a document.
pub(super) fn document(value: &Value) -> Value {
    match value {
        Value::Object(fields) if is_marker(fields) => {
            let name = referred_name(value).map_or_else(|| UNKNOWN.into(), |name| format!("<{name}>"));
            Value::String(name)
        }
        Value::Object(fields) => Value::Object(fields.iter().map(|(name, value)| (name.clone(), document(value))).collect()),
        Value::Array(items) => Value::Array(items.iter().map(document).collect()),
        other => other.clone(),
    }
}

/// What a field will be, with the names of things whose ids are not known yet; null where even that is not known.
pub(super) fn after<'a>(change: &'a Change, field: &'a FieldChange) -> &'a Value {
    let desired = change.desired.as_ref().filter(|_| field.after_unknown);
    desired.and_then(|desired| at(&desired.fields, &field.path)).unwrap_or(&field.after)
}

/// The value at a path; keys on the way may hold dots themselves.
fn at<'a>(fields: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = fields.get(path) {
        return Some(value);
    }
    path.match_indices('.').find_map(|(dot, _)| at(fields.get(&path[..dot])?.as_object()?, &path[dot + 1..]))
}

pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn is_marker(fields: &Map<String, Value>) -> bool {
    fields.len() == 1 && fields.keys().all(|key| key.starts_with('$'))
}

fn has_exactly(fields: &Map<String, Value>, names: &[&str]) -> bool {
    fields.len() == names.len() && names.iter().all(|name| fields.contains_key(*name))
}

/// Bare where it can be mistaken for nothing else.
fn string(text: &str) -> String {
    let is_bare = !text.is_empty() && text.trim() == text && text != "null";
    let is_bare = is_bare && !text.starts_with(['"', '(', '[', '{', '<']) && !text.contains(", ") && !text.contains(": ");
    if is_bare { shown(text).into_owned() } else { format!("\"{}\"", shown(&text.replace('\\', "\\\\").replace('"', "\\\""))) }
}

/// What is worth saying of where a difference comes from: that the spec has changed is what is expected.
pub(super) fn by_hand(field: &FieldChange) -> Option<&'static str> {
    match field.origin {
        Origin::Drift => Some("changed in AWS since the last apply"),
        Origin::Both => Some("changed in AWS and in the spec since the last apply"),
        Origin::Spec | Origin::Unattributed => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn inline(value: &Value) -> String {
        Values { preposition: "from" }.inline(value).replace(JOINT, " ")
    }

    #[test]
    fn known_shapes_read_as_sentences() {
        let rule = json!({"protocol": "tcp", "from_port": 443, "to_port": 443, "peer": "10.0.0.0/16"});
        assert_eq!(inline(&rule), "tcp 443 from 10.0.0.0/16");
        let rule = json!({"protocol": "-1", "from_port": null, "to_port": null, "peer": "sg-1"});
        assert_eq!(inline(&rule), "all traffic from sg-1");
        let rule = json!({"protocol": "tcp", "from_port": 1024, "to_port": 65535, "peer": "sg-1"});
        assert_eq!(inline(&rule), "tcp 1024-65535 from sg-1");
        assert_eq!(inline(&json!({"destination": "0.0.0.0/0", "target": "igw-1"})), "0.0.0.0/0 -> igw-1");
        assert_eq!(inline(&json!({"field": "path-pattern", "values": ["/a", "/a/*"]})), "path-pattern /a, /a/*");
        assert_eq!(inline(&json!({"field": "http-header", "header": "X-Tenant", "values": ["a"]})), "http-header X-Tenant: a");
        let action =
            json!({"type": "fixed-response", "status_code": "404", "content_type": "text/plain", "message_body": "no such tenant"});
        assert_eq!(inline(&action), "fixed-response 404 text/plain \"no such tenant\"");
        assert_eq!(inline(&json!({"$band": [1, 50000]})), "lowest free of 1-50000 (known after apply)");
    }

    #[test]
    fn a_policy_is_said_whole_or_not_as_a_sentence() {
        let statement = json!({"Effect": "Deny", "NotAction": ["s3:GetObject"], "Resource": "*", "Principal": {"AWS": ["*"]},
            "Condition": {"Bool": {"aws:SecureTransport": ["false"]}}});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        assert_eq!(inline(&policy), "Deny everything but s3:GetObject on * for {AWS: [*]} if {Bool: {aws:SecureTransport: [false]}}");
        let odd = json!({"Effect": "Allow", "Action": ["a:B"], "Sometimes": true});
        assert_eq!(inline(&odd), "{Action: [a:B], Effect: Allow, Sometimes: true}");
    }

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_act_on() {
        assert_eq!(inline(&json!("a\u{1b}[2Jb\n\u{202e}")), "a\\u{1b}[2Jb\\n\\u{202e}");
        assert_eq!([inline(&json!("")), inline(&json!(" a")), inline(&json!("null"))], ["\"\"", "\" a\"", "\"null\""]);
    }

    #[test]
    fn a_path_is_found_though_its_keys_hold_dots() {
        let fields = json!({"attributes": {"idle_timeout.timeout_seconds": "60"}, "containers": {"a.b": {"image": "x"}}});
        let Value::Object(fields) = fields else { return };
        assert_eq!(at(&fields, "attributes.idle_timeout.timeout_seconds"), Some(&json!("60")));
        assert_eq!(at(&fields, "containers.a.b.image"), Some(&json!("x")));
        assert_eq!(at(&fields, "containers.b.image"), None);
    }
}
