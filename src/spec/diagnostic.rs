//! Problems found in specs: what is wrong, where, and what to do about it.

use std::collections::HashSet;
use std::sync::Arc;

use super::located::{Origin, Span};
use super::source::Source;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Error,
    Warning,
}

/// A place in a file.
#[derive(Debug, Clone)]
pub struct Position {
    pub source: Arc<Source>,
    pub span: Span,
}

impl Position {
    fn key(&self) -> (&std::path::Path, Span) {
        (&self.source.path, self.span)
    }
}

/// A further place that explains the first.
#[derive(Debug, Clone)]
pub struct Related {
    pub position: Position,
    pub label: String,
}

/// One problem, in the user's words.
#[derive(Debug, Clone)]
pub struct Finding {
    pub severity: Severity,
    /// Short, stable and in kebab-case: what scripts tell problems apart by.
    pub code: &'static str,
    pub message: String,
    /// None for what has no place in a file, as a path that does not exist.
    pub position: Option<Position>,
    pub related: Vec<Related>,
    /// The next step.
    pub remedy: String,
    /// About a value that stands in for one already reported; see [`Origin::Repaired`].
    moot: bool,
}

impl Finding {
    pub fn error(code: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            position: None,
            related: Vec::new(),
            remedy: remedy.into(),
            moot: false,
        }
    }

    pub fn warning(code: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message, remedy) }
    }

    /// Places the finding. What nobody wrote has no place of its own: such a finding goes to the file's start.
    #[must_use]
    pub fn at(mut self, source: &Arc<Source>, origin: Origin) -> Self {
        self.position = self.place(source, origin);
        self
    }

    #[must_use]
    pub fn related(mut self, source: &Arc<Source>, origin: Origin, label: impl Into<String>) -> Self {
        // What an alias brings in twice stands in the file once.
        let same = |own: &Position| Arc::ptr_eq(&own.source, source) && origin == Origin::Written(own.span);
        let repeats = self.position.as_ref().is_some_and(same);
        if let Some(position) = self.place(source, origin).filter(|_| !repeats) {
            self.related.push(Related { position, label: label.into() });
        }
        self
    }

    fn place(&mut self, source: &Arc<Source>, origin: Origin) -> Option<Position> {
        let span = match origin {
            Origin::Written(span) => span,
            Origin::Unplaced => Span { start: 0, end: 0 },
            Origin::Repaired => {
                self.moot = true;
                return None;
            }
        };
        Some(Position { source: Arc::clone(source), span: source.visible(span) })
    }
}

/// Findings in the order of files and positions, each once.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    list: Vec<Finding>,
}

impl Findings {
    pub fn push(&mut self, finding: Finding) {
        if !finding.moot {
            self.list.push(finding);
        }
    }

    pub fn extend(&mut self, others: impl IntoIterator<Item = Finding>) {
        others.into_iter().for_each(|finding| self.push(finding));
    }

    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.list.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn errors(&self) -> usize {
        self.list.iter().filter(|finding| finding.severity == Severity::Error).count()
    }

    pub fn warnings(&self) -> usize {
        self.len() - self.errors()
    }

    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// Brings the findings into the order in which they are read: those without a place first, then by file.
    pub fn sort(&mut self) {
        let mut seen = HashSet::new();
        self.list.retain(|finding| {
            let place = finding.position.as_ref().map(|place| (place.source.path.clone(), place.span));
            seen.insert((place, finding.code, finding.message.clone()))
        });
        self.list.sort_by(|a, b| {
            let place = |finding: &Finding| finding.position.clone();
            let (a_place, b_place) = (place(a), place(b));
            (a_place.as_ref().map(Position::key), a.severity, a.code, &a.message).cmp(&(
                b_place.as_ref().map(Position::key),
                b.severity,
                b.code,
                &b.message,
            ))
        });
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}
