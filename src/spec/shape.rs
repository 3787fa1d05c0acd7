//! Holds a tree against the JSON Schema of the model: keys, types, ranges, choices. It reports everything that does
//! not fit and mends it with a stand-in, so that the rest of the document can be read and checked as well.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use serde_json::Value as Json;

use super::diagnostic::Finding;
use super::located::{Origin, Span};
use super::schema;
use super::source::Source;
use super::spelling;
use super::tree::{Node, Value};

/// What the schema asks of one node; the part of JSON Schema that the model makes use of.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    Anything,
    Bool,
    Text,
    Integer {
        min: i128,
        max: i128,
    },
    Choice(Vec<String>),
    List {
        item: Box<Shape>,
        min: usize,
        max: usize,
    },
    /// Keys that the user chooses.
    Map {
        value: Box<Shape>,
        min: usize,
    },
    /// Keys that the model names.
    Struct(Vec<Field>),
    /// A short and a long form.
    Either(Vec<Shape>),
}

#[derive(Debug, Clone)]
pub(super) struct Field {
    name: String,
    shape: Shape,
    required: bool,
}

pub(super) static TIER: LazyLock<Shape> = LazyLock::new(|| Shape::of(schema::tier_schema()));
pub(super) static TENANT: LazyLock<Shape> = LazyLock::new(|| Shape::of(schema::tenant_schema()));

impl Shape {
    fn of(schema: &Json) -> Self {
        Self::read(schema, &schema["definitions"])
    }

    fn read(schema: &Json, definitions: &Json) -> Self {
        let read = |part: &Json| Self::read(part, definitions);
        let number = |key: &str| schema[key].as_i64().map(i128::from);
        let size = |key: &str| schema[key].as_u64().map(|size| size as usize);
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/definitions/")) {
            return read(&definitions[name]);
        }
        if let Some(choices) = choices(schema) {
            return Self::Choice(choices);
        }
        // `allOf` with one part is how draft 7 puts a description beside a reference.
        if let Some([only]) = schema["allOf"].as_array().map(Vec::as_slice) {
            return read(only);
        }
        if let Some(options) = schema["anyOf"].as_array() {
            return Self::Either(options.iter().map(read).collect());
        }
        match schema["type"].as_str() {
            Some("boolean") => Self::Bool,
            Some("string") => Self::Text,
            Some("integer") => Self::Integer { min: number("minimum").unwrap_or(0), max: number("maximum").unwrap_or(u32::MAX.into()) },
            Some("array") => Self::List {
                item: Box::new(read(&schema["items"])),
                min: size("minItems").unwrap_or(0),
                max: size("maxItems").unwrap_or(usize::MAX),
            },
            Some("object") => match schema["properties"].as_object() {
                Some(properties) => {
                    let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|other| other == name));
                    Self::Struct(
                        properties
                            .iter()
                            .map(|(name, shape)| Field { name: name.clone(), shape: read(shape), required: required(name) })
                            .collect(),
                    )
                }
                None => Self::Map { value: Box::new(read(&schema["additionalProperties"])), min: size("minProperties").unwrap_or(0) },
            },
            _ => Self::Anything,
        }
    }

    /// What may stand here, in words.
    fn expected(&self) -> String {
        match self {
            Self::Anything => "a value".to_owned(),
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Integer { .. } => "a whole number".to_owned(),
            Self::Choice(choices) => format!("one of {}", spelling::list(choices.iter().map(String::as_str))),
            Self::List { min: 2, max: 2, .. } => "a pair, as `[1, 2]`".to_owned(),
            Self::List { .. } => "a list".to_owned(),
            Self::Map { .. } | Self::Struct(_) => "a mapping of keys to values".to_owned(),
            Self::Either(shapes) => shapes.iter().map(Self::expected).collect::<Vec<_>>().join(", or "),
        }
    }

    /// The least that the model can be built from.
    fn stand_in(&self) -> Node {
        let value = match self {
            Self::Anything => Value::Null,
            Self::Bool => Value::Bool(false),
            Self::Text => Value::Text(String::new()),
            Self::Integer { min, .. } => Value::Integer(*min),
            Self::Choice(choices) => Value::Text(choices.first().cloned().unwrap_or_default()),
            // One item is as little as can carry the mark of a stand-in.
            Self::List { item, min, .. } => Value::List(vec![item.stand_in(); (*min).max(1)]),
            Self::Map { .. } => Value::Map(Vec::new()),
            Self::Struct(fields) => Value::Map(fields.iter().filter(|field| field.required).map(Field::stand_in).collect()),
            Self::Either(shapes) => return shapes.first().unwrap_or(&Self::Anything).stand_in(),
        };
        Node { value, origin: Origin::Repaired }
    }

    fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Anything, _)
            | (Self::Bool, Value::Bool(_))
            | (Self::Text | Self::Choice(_), Value::Text(_))
            | (Self::Integer { .. }, Value::Integer(_))
            | (Self::List { .. }, Value::List(_))
            | (Self::Map { .. } | Self::Struct(_), Value::Map(_)) => true,
            (Self::Either(shapes), _) => shapes.iter().any(|shape| shape.accepts(value)),
            _ => false,
        }
    }
}

impl Field {
    fn stand_in(&self) -> (Node, Node) {
        let key = Node { value: Value::Text(self.name.clone()), origin: Origin::Repaired };
        (key, self.shape.stand_in())
    }
}

/// The values of an enum, which schemars writes in one of two ways.
fn choices(schema: &Json) -> Option<Vec<String>> {
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| value.as_str().map(str::to_owned)).collect();
    }
    let parts: Vec<Vec<String>> = schema["oneOf"].as_array()?.iter().map(choices_of_part).collect::<Option<_>>()?;
    Some(parts.concat())
}

fn choices_of_part(part: &Json) -> Option<Vec<String>> {
    part["const"].as_str().map(|value| vec![value.to_owned()]).or_else(|| choices(part))
}

/// What a document has to say about a key that its kind of spec does not have.
pub(super) type Advice = fn(&str) -> Option<(&'static str, String, String)>;

/// Reports what does not fit and mends it.
pub(super) fn mend(node: &mut Node, shape: &Shape, source: &Arc<Source>, advice: Advice) -> Vec<Finding> {
    let mut walk = Walk { source, advice, findings: Vec::new() };
    walk.node(node, shape, &Place { words: "this spec".to_owned(), key: start_of(node) });
    walk.findings
}

struct Walk<'a> {
    source: &'a Arc<Source>,
    advice: Advice,
    findings: Vec<Finding>,
}

/// How to speak of a node, and the key that it belongs to.
struct Place {
    words: String,
    key: Origin,
}

impl Place {
    fn of_key(name: &str, key: Origin) -> Self {
        Self { words: format!("`{name}`"), key }
    }
}

impl Walk<'_> {
    fn report(&mut self, finding: Finding, origin: Origin) {
        self.findings.push(finding.at(self.source, origin));
    }

    fn node(&mut self, node: &mut Node, shape: &Shape, place: &Place) {
        if !shape.accepts(&node.value) {
            self.wrong_type(node, shape, place);
            *node = shape.stand_in();
            return;
        }
        let origin = node.origin;
        match (shape, &mut node.value) {
            (Shape::Integer { min, max }, Value::Integer(value)) if !(min..=max).contains(&&*value) => {
                let message = format!("{} must be from {min} to {max}, not {value}", place.words);
                let remedy = format!("choose a number from {min} to {max}");
                self.report(Finding::error("out-of-range", message, remedy), origin);
                *node = shape.stand_in();
            }
            (Shape::Choice(choices), Value::Text(value)) if !choices.contains(value) => {
                let message = format!("{} cannot be `{value}`", place.words);
                let remedy = spelling::suggest(value, choices.iter().map(String::as_str));
                self.report(Finding::error("unknown-value", message, remedy), origin);
                *node = shape.stand_in();
            }
            (Shape::List { item, min, max }, Value::List(items)) => {
                for entry in items.iter_mut() {
                    let place = Place { words: format!("an item of {}", place.words), key: start_of(entry) };
                    self.node(entry, item, &place);
                }
                if !(min..=max).contains(&&items.len()) {
                    self.wrong_length(items.len(), (*min, *max), place);
                    if min == max {
                        *node = shape.stand_in();
                    }
                }
            }
            (Shape::Map { value: shape, min }, Value::Map(entries)) => {
                if entries.len() < *min {
                    self.wrong_length(entries.len(), (*min, usize::MAX), place);
                }
                self.keys(entries);
                for (key, value) in entries.iter_mut() {
                    self.node(value, shape, &Place::of_key(key.text().unwrap_or_default(), key.origin));
                }
            }
            (Shape::Struct(fields), Value::Map(entries)) => {
                self.keys(entries);
                self.fields(entries, fields, place);
            }
            (Shape::Either(shapes), value) => {
                if let Some(shape) = shapes.iter().find(|shape| shape.accepts(value)) {
                    self.node(node, shape, place);
                }
            }
            (Shape::Anything, Value::Map(_) | Value::List(_)) => self.anything(node),
            (Shape::Anything, Value::Float(value)) if !value.is_finite() => {
                let message = format!("{} must be a number that JSON can hold", place.words);
                self.report(Finding::error("wrong-type", message, "write a finite number, or put it in quotes"), origin);
                *node = Shape::Text.stand_in();
            }
            _ => {}
        }
    }

    /// Keys that are text and stand once; the others are reported and dropped.
    fn keys(&mut self, entries: &mut Vec<(Node, Node)>) {
        let mut first: HashMap<String, Origin> = HashMap::new();
        entries.retain(|(key, _)| {
            let Value::Text(name) = &key.value else {
                let finding = Finding::error("wrong-type", "a key must be text", "put the key in quotes");
                self.report(finding, key.origin);
                return false;
            };
            match first.get(name) {
                Some(origin) => {
                    let finding = Finding::error(
                        "duplicate-key",
                        format!("`{name}` stands here twice"),
                        "keep one of the two; YAML does not say which would count",
                    );
                    let finding = finding.related(self.source, *origin, "first here");
                    self.report(finding, key.origin);
                    false
                }
                None => {
                    first.insert(name.clone(), key.origin);
                    true
                }
            }
        });
    }

    fn fields(&mut self, entries: &mut Vec<(Node, Node)>, fields: &[Field], place: &Place) {
        let written: HashSet<String> = entries.iter().filter_map(|(key, _)| key.text().map(str::to_owned)).collect();
        let absent = |field: &&Field| !written.contains(&field.name);
        entries.retain_mut(|(key, value)| {
            let name = key.text().unwrap_or_default().to_owned();
            let mut field = fields.iter().find(|field| field.name == name);
            if field.is_none() {
                let meant = spelling::nearest(&name, fields.iter().map(|field| field.name.as_str()));
                self.unknown_key(&name, key.origin, meant, fields, place);
                // A misspelt key is read as what it was meant to be, so that it is not missing as well.
                field = fields.iter().filter(absent).find(|field| Some(field.name.as_str()) == meant);
                key.value = Value::Text(meant.unwrap_or(&name).to_owned());
            }
            if let Some(field) = field {
                self.node(value, &field.shape, &Place::of_key(&field.name, key.origin));
            }
            field.is_some()
        });
        let mut present = HashSet::new();
        entries.retain(|(key, _)| present.insert(key.text().unwrap_or_default().to_owned()));
        for field in fields.iter().filter(|field| field.required && !present.contains(&field.name)) {
            let message = format!("{} has no `{}`", place.words, field.name);
            let remedy = format!("add `{}:` with {}", field.name, field.shape.expected());
            self.report(Finding::error("missing-key", message, remedy), place.key);
            entries.push(field.stand_in());
        }
    }

    fn unknown_key(&mut self, name: &str, origin: Origin, meant: Option<&str>, fields: &[Field], place: &Place) {
        let message = format!("{} has no key `{name}`", place.words);
        let (code, message, remedy) = (self.advice)(name).unwrap_or_else(|| {
            let known = || spelling::list(fields.iter().map(|field| field.name.as_str()));
            let remedy = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("remove it; the keys here are {}", known()),
            };
            ("unknown-key", message, remedy)
        });
        self.report(Finding::error(code, message, remedy), origin);
    }

    fn wrong_type(&mut self, node: &Node, shape: &Shape, place: &Place) {
        let written = match node.origin {
            Origin::Written(span) => self.source.at(span),
            _ => "",
        };
        let expected = shape.expected();
        let name = &place.words;
        let (found, remedy) = match &node.value {
            Value::Null => ("nothing", format!("give {name} a value, or remove it")),
            Value::Bool(_) => ("true or false", quote_or(shape, written, &expected)),
            Value::Float(_) => ("a number with a fraction", quote_or(shape, written, &expected)),
            Value::Integer(_) => ("a number", quote_or(shape, written, &expected)),
            Value::Text(text) => ("text", unquote_or(shape, text, &expected)),
            Value::List(_) => ("a list", format!("write {expected}, without `-` or brackets")),
            Value::Map(_) => ("a mapping", format!("write {expected}")),
        };
        let origin = if matches!(node.value, Value::Null | Value::Map(_)) { place.key } else { node.origin };
        let message = format!("{name} must be {expected}, and this is {found}");
        self.report(Finding::error("wrong-type", message, remedy), origin);
    }

    fn wrong_length(&mut self, length: usize, (min, max): (usize, usize), place: &Place) {
        let name = &place.words;
        let (wanted, remedy) = match (min, max) {
            (2, 2) => ("exactly two numbers".to_owned(), "write the first and the last, as `[1, 2]`".to_owned()),
            (min, _) if length < min => (format!("at least {min}"), format!("add one, or remove {name}")),
            (_, max) => (format!("at most {max}"), format!("remove {} of them", length - max)),
        };
        let message = format!("{name} takes {wanted}, not {length}");
        self.report(Finding::error("wrong-length", message, remedy), place.key);
    }

    /// Below a free-form value only duplicate keys and what JSON cannot hold are wrong.
    fn anything(&mut self, node: &mut Node) {
        match &mut node.value {
            Value::Map(entries) => {
                self.keys(entries);
                for (key, value) in entries {
                    self.node(value, &Shape::Anything, &Place::of_key(key.text().unwrap_or_default(), key.origin));
                }
            }
            Value::List(items) => {
                for item in items {
                    self.node(item, &Shape::Anything, &Place { words: "an item".to_owned(), key: item.origin });
                }
            }
            _ => {}
        }
    }
}

fn quote_or(shape: &Shape, written: &str, expected: &str) -> String {
    if !shape.accepts(&Value::Text(String::new())) || written.is_empty() {
        return format!("write {expected}");
    }
    let digits = written.bytes().all(|byte| byte.is_ascii_digit());
    let why = if digits && (written.len() == 12 || written.starts_with('0')) {
        "; without them it is a number to YAML, which loses a leading 0 or takes it for octal, and an account id has 12 digits"
    } else {
        ""
    };
    format!("put it in quotes: \"{written}\"{why}")
}

fn unquote_or(shape: &Shape, text: &str, expected: &str) -> String {
    match (shape, text) {
        (Shape::Bool, "yes" | "on" | "y" | "Yes" | "On" | "YES" | "ON") => "write `true`".to_owned(),
        (Shape::Bool, "no" | "off" | "n" | "No" | "Off" | "NO" | "OFF") => "write `false`".to_owned(),
        (Shape::Integer { .. }, text) if text.trim().parse::<u64>().is_ok() => "remove the quotes".to_owned(),
        (Shape::List { .. }, text) if text.len() < 40 => format!("write it as a list: [{text:?}]"),
        _ => format!("write {expected}"),
    }
}

/// Start of a document, for what concerns it as a whole.
pub(super) fn start_of(node: &Node) -> Origin {
    match (&node.value, node.origin) {
        (Value::Map(entries), Origin::Written(span)) => {
            entries.first().map_or(Origin::Written(Span { end: span.start, ..span }), |(key, _)| key.origin)
        }
        (_, origin) => origin,
    }
}
