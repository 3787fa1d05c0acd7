//! YAML text into a tree of values that know their place. This is the one module that knows the YAML library.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, Options, Spanned};

use super::diagnostic::Finding;
use super::located::{Origin, Span};
use super::source::Source;

/// A spec is some kilobytes. Far beyond that it is not a spec, and would only cost memory.
const MAX_BYTES: usize = 16 << 20;

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// What YAML's core schema makes of a node. Mappings keep their order and their duplicate keys.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The first value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }
}

/// Every document of a file, and what could not be read. A document that is not YAML does not hide its neighbours.
pub(super) fn parse(source: &Arc<Source>) -> (Vec<Node>, Vec<Finding>) {
    let (mut nodes, mut findings) = (Vec::new(), Vec::new());
    if source.text.len() > MAX_BYTES {
        let message = format!("this file has {} MiB, and a spec has some kilobytes", source.text.len() >> 20);
        let remedy = "is this the right file? Split a collection of specs into several files";
        let start = Origin::Written(Span { start: 0, end: 0 });
        return (nodes, vec![Finding::error("too-large", message, remedy).at(source, start)]);
    }
    for document in documents(&source.text) {
        let base = Base(document.start as u32);
        match serde_saphyr::from_multiple_with_options::<Parsed>(&source.text[document.clone()], options()) {
            Ok(parsed) => {
                nodes.extend(parsed.into_iter().map(|parsed| base.node(parsed)).filter(|node| !matches!(node.value, Value::Null)))
            }
            Err(error) => {
                let at = error.location().filter(|place| *place != Location::UNKNOWN);
                let origin = Origin::Written(match at {
                    Some(place) => base.span_of_error(place, source, document.start),
                    None => Span { start: document.start as u32, end: document.start as u32 },
                });
                let (message, remedy) = explain(&error.without_snippet().to_string());
                findings.push(Finding::error("yaml-syntax", message, remedy).at(source, origin));
            }
        }
    }
    (nodes, findings)
}

/// A macro of the library, since its option structs may grow.
fn options() -> Options {
    serde_saphyr::options! {
        // Its default of 250,000 nodes is too few for one file with thousands of tenants.
        budget: serde_saphyr::budget! {
            max_nodes: 5_000_000,
            max_events: 12_000_000,
            max_documents: 100_000,
            // A spec goes a dozen levels deep; a debug build needs up to 50 KiB of stack for each.
            max_depth: 24,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 50_000,
            max_replay_stack_depth: 16,
        },
        // `no` and `on` are text, as in YAML 1.2.
        strict_booleans: true,
        // All duplicates are reported by `shape`, not just the first.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
    }
}

/// Ranges of the file's documents. `---` in the first column starts a document wherever it stands (YAML 1.2.2,
/// 9.1.2), so the file can be cut there without being parsed. Directives (`%YAML`) belong to what follows them.
fn documents(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut only_directives, mut offset) = (0, true, 0);
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        if content.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t'])) {
            if !only_directives {
                ranges.push(start..offset);
                start = offset;
            }
            only_directives = false;
        } else if !(content.is_empty() || content.starts_with(['%', '#'])) {
            only_directives = false;
        }
        offset += line.len();
    }
    ranges.push(start..offset);
    ranges
}

/// Where a document starts in its file.
#[derive(Clone, Copy)]
struct Base(u32);

impl Base {
    fn span(self, place: Location) -> Origin {
        let (Some(offset), Some(length)) = (place.span().byte_offset(), place.span().byte_len()) else {
            return Origin::Unplaced;
        };
        let start = self.0.saturating_add(offset as u32);
        Origin::Written(Span { start, end: start.saturating_add(length as u32) })
    }

    fn span_of_error(self, place: Location, source: &Source, document_start: usize) -> Span {
        if let Origin::Written(span) = self.span(place) {
            return span;
        }
        // Errors of the scanner know line and column alone.
        let first_line = source.line_column(document_start as u32).line;
        let line = (first_line + place.line() as usize).saturating_sub(1);
        let (start, text) = source.line(line).unwrap_or((source.text.len() as u32, ""));
        let column = (place.column() as usize).saturating_sub(1);
        let within: usize = text.chars().take(column).map(char::len_utf8).sum();
        Span { start: start + within as u32, end: start + within as u32 }
    }

    fn node(self, parsed: Parsed) -> Node {
        let value = match parsed.value {
            Raw::Leaf(value) => value,
            Raw::List(items) => Value::List(items.into_iter().map(|item| self.node(item)).collect()),
            Raw::Map(entries) => Value::Map(entries.into_iter().map(|(key, value)| (self.node(key), self.node(value))).collect()),
        };
        // The place of what an alias or a merge key brings in is where it is written, for there it is mended.
        Node { value, origin: self.span(parsed.defined) }
    }
}

/// The tree as serde builds it, with the library's own positions.
type Parsed = Spanned<Raw>;

enum Raw {
    Leaf(Value),
    List(Vec<Parsed>),
    Map(Vec<(Parsed, Parsed)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;

        impl<'de> Visitor<'de> for Anything {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a YAML value")
            }

            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Leaf(Value::Null))
            }

            fn visit_none<E>(self) -> Result<Raw, E> {
                Ok(Raw::Leaf(Value::Null))
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
                Raw::deserialize(deserializer)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Leaf(Value::Bool(value)))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Leaf(Value::Integer(value.into())))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Leaf(Value::Integer(value.into())))
            }

            fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
                Ok(Raw::Leaf(Value::Integer(value)))
            }

            fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
                Ok(Raw::Leaf(Value::Integer(value.try_into().unwrap_or(i128::MAX))))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Leaf(Value::Float(value)))
            }

            fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Leaf(Value::Text(value.to_owned())))
            }

            fn visit_string<E>(self, value: String) -> Result<Raw, E> {
                Ok(Raw::Leaf(Value::Text(value)))
            }

            fn visit_bytes<E>(self, value: &[u8]) -> Result<Raw, E> {
                Ok(Raw::Leaf(Value::Text(String::from_utf8_lossy(value).into_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Raw::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
                let mut map = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    map.push(entry);
                }
                Ok(Raw::Map(map))
            }
        }

        deserializer.deserialize_any(Anything)
    }
}

/// The library's message in other words where it speaks of its own limits, and what to do about it.
fn explain(message: &str) -> (String, &'static str) {
    // The library ends its messages with positions, which count from the document's start.
    let message = message.split(" at line ").next().unwrap_or(message);
    let lower = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["depth {", "recursion limit"]) {
        return ("this is nested deeper than any spec".to_owned(), "is this the right file? Look for a bracket too many");
    }
    if has(&["replay", "alias expansion", "budget breached"]) {
        return (
            "this file expands to more than any spec".to_owned(),
            "is this the right file? Use fewer aliases (`*name`), or several files",
        );
    }
    let remedy = if has(&["tab"]) {
        "indent with spaces: YAML does not allow tabs there"
    } else if has(&["alias", "anchor", "recursi"]) {
        "write the value out, or define its anchor (`&name`) before the alias (`*name`) that uses it"
    } else if has(&["quote", "scalar"]) {
        "check that every quote that opens is closed, and put text with `:`, `#`, `*` or `&` in quotes"
    } else if has(&["tag", "binary"]) {
        "remove the tag (`!...`): specs need none"
    } else {
        "check this line and the one before: indentation, a missing `:`, an unclosed bracket or quote"
    };
    (format!("this is not YAML: {message}"), remedy)
}
