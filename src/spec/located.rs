//! A value and where it stands in its file.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// A range of bytes in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The user wrote it here.
    Written(Span),
    /// Nobody wrote it: it is a default, or made by code.
    Unplaced,
    /// It stands in for something missing or of the wrong type, which has been reported. What a check says about
    /// such a value follows from that first problem and is not worth reporting.
    Repaired,
}

/// A value that knows its place. It compares, hashes and prints as the value alone.
#[derive(Clone, Copy)]
pub struct Located<T> {
    value: T,
    origin: Origin,
}

impl<T> Located<T> {
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }

    /// A value that stands in no file.
    pub fn unplaced(value: T) -> Self {
        Self::new(value, Origin::Unplaced)
    }

    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Whether this stands in for a value that is missing or of the wrong type.
    pub fn is_stand_in(&self) -> bool {
        self.origin == Origin::Repaired
    }

    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Lets a map with located keys be asked with plain text.
impl Borrow<str> for Located<String> {
    fn borrow(&self) -> &str {
        &self.value
    }
}

impl<T: Default> Default for Located<T> {
    fn default() -> Self {
        Self::unplaced(T::default())
    }
}

impl<T> From<T> for Located<T> {
    fn from(value: T) -> Self {
        Self::unplaced(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for Located<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for Located<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Located<T> {}

impl<T: PartialOrd> PartialOrd for Located<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Ord> Ord for Located<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.cmp(&other.value)
    }
}

impl<T: Hash> Hash for Located<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

/// The name by which `typed::TreeDeserializer` knows that a position is asked for: it then gives the range's start,
/// its end and the value. (serde-saphyr's `Spanned` does the same, but only while it parses; here the tree has
/// been checked and mended in between.)
pub(super) const MARKER: &str = "$Located";

/// How an origin travels through serde's data model.
impl Origin {
    const UNPLACED: (u32, u32) = (u32::MAX, 0);
    const REPAIRED: (u32, u32) = (u32::MAX, 1);

    pub(super) fn to_pair(self) -> (u32, u32) {
        match self {
            Self::Written(span) => (span.start, span.end),
            Self::Unplaced => Self::UNPLACED,
            Self::Repaired => Self::REPAIRED,
        }
    }

    fn from_pair(pair: (u32, u32)) -> Self {
        match pair {
            Self::UNPLACED => Self::Unplaced,
            Self::REPAIRED => Self::Repaired,
            (start, end) => Self::Written(Span { start, end }),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
            type Value = Located<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its position")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
                let mut part = || parts.next_element::<u32>();
                let (Some(start), Some(end)) = (part()?, part()?) else {
                    return Err(A::Error::invalid_length(0, &self));
                };
                let value = parts.next_element()?.ok_or_else(|| A::Error::invalid_length(2, &self))?;
                Ok(Located::new(value, Origin::from_pair((start, end))))
            }
        }

        deserializer.deserialize_tuple_struct(MARKER, 3, Parts(PhantomData))
    }
}

/// To a reader of the schema the wrapper does not exist.
impl<T: JsonSchema> JsonSchema for Located<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn equality_and_order_ignore_the_place() {
        let written = Located::new("a".to_owned(), Origin::Written(Span { start: 3, end: 4 }));
        assert_eq!(written, Located::unplaced("a".to_owned()));
        assert!(written < Located::unplaced("b".to_owned()));
        let map = BTreeMap::from([(written, 1)]);
        assert_eq!(map.get("a"), Some(&1));
    }
}
