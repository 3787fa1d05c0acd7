//! A tree that fits its shape into the structs of the model.

use serde::Deserializer;
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::located::{MARKER, Origin};
use super::tree::{Node, Value};

/// Why a tree that passed `shape` still does not fit the model. No user should ever see one.
pub(super) type Mismatch = de::value::Error;

pub(super) fn from_tree<T: DeserializeOwned>(node: &Node) -> Result<T, Mismatch> {
    T::deserialize(TreeDeserializer(node))
}

struct TreeDeserializer<'de>(&'de Node);

impl<'de> IntoDeserializer<'de, Mismatch> for TreeDeserializer<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for TreeDeserializer<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            // Every integer that the model takes fits; others become numbers of a policy document.
            Value::Integer(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(value), _) => visitor.visit_u64(value),
                (_, Ok(value)) => visitor.visit_i64(value),
                _ => visitor.visit_f64(*value as f64),
            },
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(value) => visitor.visit_borrowed_str(value),
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(entries) => visitor.visit_map(Entries { entries: entries.iter(), value: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, name: &'static str, _: usize, visitor: V) -> Result<V::Value, Mismatch> {
        if name == MARKER { visitor.visit_seq(Placed::new(self.0)) } else { self.deserialize_any(visitor) }
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Mismatch> {
        let Value::Text(variant) = &self.0.value else { return self.deserialize_any(visitor) };
        visitor.visit_enum(StrDeserializer::new(variant))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple map struct identifier ignored_any
    }
}

/// A `Located<T>`: the ends of its range, then its value.
struct Placed<'de> {
    node: &'de Node,
    ends: std::array::IntoIter<u32, 2>,
    done: bool,
}

impl<'de> Placed<'de> {
    fn new(node: &'de Node) -> Self {
        let (start, end) = Origin::to_pair(node.origin);
        Self { node, ends: [start, end].into_iter(), done: false }
    }
}

impl<'de> SeqAccess<'de> for Placed<'de> {
    type Error = Mismatch;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mismatch> {
        match self.ends.next() {
            Some(end) => seed.deserialize(end.into_deserializer()).map(Some),
            None if self.done => Ok(None),
            None => {
                self.done = true;
                seed.deserialize(TreeDeserializer(self.node)).map(Some)
            }
        }
    }
}

struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Mismatch;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mismatch> {
        self.0.next().map(|item| seed.deserialize(TreeDeserializer(item))).transpose()
    }
}

struct Entries<'de> {
    entries: std::slice::Iter<'de, (Node, Node)>,
    value: Option<&'de Node>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Mismatch;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mismatch> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(TreeDeserializer(key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Mismatch> {
        let value = self.value.take().ok_or_else(|| de::Error::custom("a value without its key"))?;
        seed.deserialize(TreeDeserializer(value))
    }
}
