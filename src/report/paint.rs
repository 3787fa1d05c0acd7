//! Colours, and lines that wrap at the width of the terminal without breaking names, ids or ARNs.

use anstyle::{AnsiColor, Style};

/// How a report looks: with escape codes or without, and how wide it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    pub color: bool,
    pub width: usize,
}

impl Paint {
    pub fn plain(width: usize) -> Self {
        Self { color: false, width }
    }

    pub(crate) fn style(&self, style: Style, text: &str) -> String {
        match self.color && style != Style::new() && !text.is_empty() {
            true => format!("{style}{text}{style:#}"),
            false => text.to_string(),
        }
    }
}

/// What each colour means.
pub(crate) mod tone {
    use super::{AnsiColor, Style};

    pub(crate) const PLAIN: Style = Style::new();
    pub(crate) const STRONG: Style = Style::new().bold();
    pub(crate) const FAINT: Style = Style::new().dimmed();
    pub(crate) const CREATE: Style = AnsiColor::Green.on_default();
    pub(crate) const UPDATE: Style = AnsiColor::Yellow.on_default();
    pub(crate) const REPLACE: Style = AnsiColor::Magenta.on_default();
    pub(crate) const DELETE: Style = AnsiColor::Red.on_default();
    pub(crate) const BLOCKED: Style = AnsiColor::Red.on_default().bold();
}

/// A space at which no line is broken.
pub(crate) const JOINT: char = '\u{a0}';

/// Text that is not broken unless it is wider than a whole line.
type Unit = Vec<(Style, String)>;

/// One paragraph: units with a space between, wrapped when it is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Phrase {
    units: Vec<Unit>,
}

impl Phrase {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Text that stays together where it can.
    pub(crate) fn unit(mut self, style: Style, text: impl Into<String>) -> Self {
        self.units.push(vec![(style, text.into())]);
        self
    }

    /// More text right after the last unit.
    pub(crate) fn glue(mut self, style: Style, text: impl Into<String>) -> Self {
        match self.units.last_mut() {
            Some(unit) => unit.push((style, text.into())),
            None => return self.unit(style, text),
        }
        self
    }

    /// Text that may be broken at its spaces.
    pub(crate) fn words(mut self, style: Style, text: &str) -> Self {
        self.units.extend(text.split(' ').filter(|word| !word.is_empty()).map(|word| vec![(style, word.to_string())]));
        self
    }

    /// Another phrase after this one.
    pub(crate) fn then(mut self, other: Self) -> Self {
        self.units.extend(other.units);
        self
    }

    /// Writes it as lines, the first at `indent`, the others at `hang`.
    pub(crate) fn write(&self, page: &mut String, paint: &Paint, indent: usize, hang: usize) {
        let mut line = Line { page, paint, hang, column: 0, is_empty: true, open: tone::PLAIN };
        line.indent(indent);
        for unit in &self.units {
            let is_too_wide = hang + width(unit) > paint.width && unit.iter().any(|(_, text)| text.contains(' '));
            match is_too_wide && !line.fits(width(unit)) {
                true => line.broken(unit),
                false => line.word(unit),
            }
        }
        line.style(tone::PLAIN);
        line.page.push('\n');
    }

    /// Whether it needs no more than one line.
    pub(crate) fn fits(&self, paint: &Paint, indent: usize) -> bool {
        let words: usize = self.units.iter().map(|unit| width(unit) + 1).sum();
        indent + words.saturating_sub(1) <= paint.width
    }
}

struct Line<'a> {
    page: &'a mut String,
    paint: &'a Paint,
    hang: usize,
    column: usize,
    is_empty: bool,
    /// The style that holds at the end of the line.
    open: Style,
}

impl Line<'_> {
    fn style(&mut self, style: Style) {
        if self.paint.color && style != self.open {
            use std::fmt::Write;
            // Writing to a string cannot fail.
            let _ = write!(self.page, "{:#}{style}", self.open);
        }
        self.open = style;
    }

    fn indent(&mut self, number: usize) {
        self.page.extend(std::iter::repeat_n(' ', number));
        self.column = number;
    }

    fn fits(&self, width: usize) -> bool {
        self.column + usize::from(!self.is_empty) + width <= self.paint.width
    }

    fn wrap(&mut self) {
        self.style(tone::PLAIN);
        self.page.push('\n');
        self.is_empty = true;
        self.indent(self.hang);
    }

    fn put(&mut self, unit: &Unit) {
        if !self.is_empty {
            if unit.first().is_some_and(|(style, _)| *style != self.open) {
                self.style(tone::PLAIN);
            }
            self.page.push(' ');
            self.column += 1;
        }
        for (style, text) in unit.iter().filter(|(_, text)| !text.is_empty()) {
            self.style(*style);
            match text.is_ascii() {
                true => self.page.push_str(text),
                false => self.page.push_str(&text.replace(JOINT, " ")),
            }
        }
        self.column += width(unit);
        self.is_empty = false;
    }

    /// A unit wider than a line, broken at its spaces.
    fn broken(&mut self, unit: &Unit) {
        let mut word: Unit = Vec::new();
        for (style, text) in unit {
            for (index, part) in text.split(' ').enumerate() {
                if index > 0 {
                    self.word(&std::mem::take(&mut word));
                }
                if !part.is_empty() {
                    word.push((*style, part.to_string()));
                }
            }
        }
        self.word(&word);
    }

    fn word(&mut self, word: &Unit) {
        if word.is_empty() {
            return;
        }
        if !self.is_empty && !self.fits(width(word)) {
            self.wrap();
        }
        self.put(word);
    }
}

fn width(unit: &Unit) -> usize {
    unit.iter().map(|(_, text)| if text.is_ascii() { text.len() } else { text.chars().count() }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(phrase: &Phrase, width: usize) -> String {
        let mut page = String::new();
        phrase.write(&mut page, &Paint::plain(width), 0, 2);
        page
    }

    #[test]
    fn units_stay_together_where_a_line_holds_them() {
        let phrase = Phrase::new().unit(tone::PLAIN, "cpu: 512,").unit(tone::PLAIN, "memory: 1024");
        assert_eq!(written(&phrase, 80), "cpu: 512, memory: 1024\n");
        assert_eq!(written(&phrase, 18), "cpu: 512,\n  memory: 1024\n");
    }

    #[test]
    fn a_unit_wider_than_a_line_breaks_at_its_spaces_and_a_word_never_does() {
        let phrase = Phrase::new().unit(tone::STRONG, "ids:").glue(tone::PLAIN, " [subnet-0123456789, subnet-9876543210]");
        assert_eq!(written(&phrase, 22), "ids:\n  [subnet-0123456789,\n  subnet-9876543210]\n");
    }
}
