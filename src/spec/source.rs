//! A file as it was read, and the lines in it.

use std::path::PathBuf;

use super::located::Span;

#[derive(Debug)]
pub struct Source {
    /// As the user named it, or as it was found below a folder that the user named.
    pub path: PathBuf,
    pub text: String,
    line_starts: Vec<u32>,
}

/// Line and column, both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    pub line: usize,
    pub column: usize,
}

impl Source {
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let text = text.into();
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(ends.map(|(at, _)| at as u32 + 1)).collect();
        Self { path: path.into(), text, line_starts }
    }

    pub fn line_column(&self, offset: u32) -> LineColumn {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start as usize..offset as usize).unwrap_or_default();
        LineColumn { line: line.max(1), column: before.chars().count() + 1 }
    }

    /// The text at a span; empty where the span does not fit.
    pub fn at(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Where a line (from 1) starts, with its text and without its line break.
    pub fn line(&self, line: usize) -> Option<(u32, &str)> {
        let start = *self.line_starts.get(line.checked_sub(1)?)?;
        let end = self.line_starts.get(line).map_or(self.text.len(), |next| *next as usize - 1);
        Some((start, self.text.get(start as usize..end)?.trim_end_matches('\r')))
    }

    /// The range as it can be shown: never empty, never beyond the text or its first line.
    pub fn visible(&self, span: Span) -> Span {
        let length = self.text.len() as u32;
        let mut start = span.start.min(length);
        while !self.text.is_char_boundary(start as usize) {
            start -= 1;
        }
        let (line_start, line) = self.line(self.line_column(start).line).unwrap_or((start, ""));
        let line_end = line_start + line.trim_end().len() as u32;
        let mut end = span.end.clamp(start, line_end.max(start));
        while !self.text.is_char_boundary(end as usize) {
            end -= 1;
        }
        if end <= start {
            end = start + self.at(Span { start, end: length }).chars().next().map_or(0, char::len_utf8) as u32;
        }
        Span { start, end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let source = Source::new("x.yaml", "a: 1\nü: {b: 2}\n");
        assert_eq!(source.line_column(0), LineColumn { line: 1, column: 1 });
        assert_eq!(source.line_column(7), LineColumn { line: 2, column: 2 });
        assert_eq!(source.line_column(17), LineColumn { line: 3, column: 1 });
        assert_eq!(source.line(2), Some((5, "ü: {b: 2}")));
        assert_eq!(source.line(4), None);
    }

    #[test]
    fn what_is_shown_stays_on_one_line_and_inside_the_text() {
        let source = Source::new("x.yaml", "ab\ncd\n");
        assert_eq!(source.at(source.visible(Span { start: 0, end: 5 })), "ab");
        assert_eq!(source.at(source.visible(Span { start: 1, end: 1 })), "b");
        assert_eq!(source.at(source.visible(Span { start: 99, end: 120 })), "");
    }
}
