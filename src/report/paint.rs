//! Colours, and lines that wrap at the width of the terminal without breaking names, ids or ARNs.

use std::borrow::Cow;
use std::sync::LazyLock;

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

/// What turns a style on, and off again: there are few, and each is written thousands of times.
fn codes(style: Style) -> Cow<'static, (String, String)> {
    static CODES: LazyLock<Vec<(Style, (String, String))>> = LazyLock::new(|| {
        let styles = [tone::PLAIN, tone::STRONG, tone::FAINT, tone::CREATE, tone::UPDATE, tone::REPLACE, tone::DELETE, tone::BLOCKED];
        styles.map(|style| (style, written(style))).into()
    });
    match CODES.iter().find(|(known, _)| *known == style) {
        Some((_, codes)) => Cow::Borrowed(codes),
        None => Cow::Owned(written(style)),
    }
}

fn written(style: Style) -> (String, String) {
    (style.to_string(), format!("{style:#}"))
}

/// A space at which no line is broken.
pub(crate) const JOINT: char = '\u{a0}';

/// Text of one style.
#[derive(Debug, Clone, Copy)]
struct Piece {
    style: Style,
    start: usize,
    end: usize,
    /// Whether it comes right after the piece before it, without a space.
    is_glued: bool,
}

/// One paragraph: units with a space between, wrapped when it is written. A unit is not broken unless it is wider than
/// a whole line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Phrase {
    text: String,
    pieces: Vec<Piece>,
}

impl Phrase {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn piece(&mut self, style: Style, text: &str, is_glued: bool) {
        let start = self.text.len();
        self.text.push_str(text);
        self.pieces.push(Piece { style, start, end: self.text.len(), is_glued });
    }

    /// Text that stays together where it can.
    pub(crate) fn unit(mut self, style: Style, text: impl AsRef<str>) -> Self {
        self.piece(style, text.as_ref(), false);
        self
    }

    /// More text right after the last unit.
    pub(crate) fn glue(mut self, style: Style, text: impl AsRef<str>) -> Self {
        self.piece(style, text.as_ref(), true);
        self
    }

    /// Text that may be broken at its spaces, but for those of a command in backticks: it is to be copied.
    pub(crate) fn words(mut self, style: Style, text: &str) -> Self {
        let (mut start, mut in_command) = (0, false);
        for (index, character) in text.char_indices() {
            match character {
                '`' => in_command = !in_command && text[index + 1..].contains('`'),
                ' ' if !in_command => {
                    self.word(style, &text[start..index]);
                    start = index + 1;
                }
                _ => {}
            }
        }
        self.word(style, &text[start..]);
        self
    }

    fn word(&mut self, style: Style, word: &str) {
        match word {
            "" => {}
            _ if word.contains(' ') => self.piece(style, &word.replace(' ', &JOINT.to_string()), false),
            _ => self.piece(style, word, false),
        }
    }

    /// Another phrase after this one.
    pub(crate) fn then(mut self, other: &Self) -> Self {
        for unit in other.units() {
            for (index, piece) in unit.iter().enumerate() {
                self.piece(piece.style, other.of(piece), index > 0);
            }
        }
        self
    }

    fn of(&self, piece: &Piece) -> &str {
        &self.text[piece.start..piece.end]
    }

    fn units(&self) -> impl Iterator<Item = &[Piece]> {
        self.pieces.chunk_by(|_, next| next.is_glued)
    }

    /// Writes it as lines, the first at `indent`, the others at `hang`.
    pub(crate) fn write(&self, page: &mut String, paint: &Paint, indent: usize, hang: usize) {
        let mut line = Line { page, paint, hang, column: 0, is_empty: true, open: tone::PLAIN };
        line.indent(indent);
        let mut unit: Vec<(Style, &str)> = Vec::new();
        for pieces in self.units() {
            unit.clear();
            unit.extend(pieces.iter().map(|piece| (piece.style, self.of(piece))));
            let width = width(&unit);
            let is_too_wide = hang + width > paint.width && unit.iter().any(|(_, text)| text.contains(' '));
            match is_too_wide && !line.fits(width) {
                true => line.broken(&unit),
                false => line.word(&unit),
            }
        }
        line.style(tone::PLAIN);
        line.page.push('\n');
    }

    /// Whether it needs no more than one line.
    pub(crate) fn fits(&self, paint: &Paint, indent: usize) -> bool {
        let words: usize = self.units().flat_map(|unit| unit.iter().map(|piece| columns(self.of(piece))).chain([1])).sum();
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
            self.page.push_str(&codes(self.open).1);
            self.page.push_str(&codes(style).0);
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

    fn put(&mut self, unit: &[(Style, &str)]) {
        if !self.is_empty {
            if unit.first().is_some_and(|(style, _)| *style != self.open) {
                self.style(tone::PLAIN);
            }
            self.page.push(' ');
            self.column += 1;
        }
        for (style, text) in unit.iter().copied().filter(|(_, text)| !text.is_empty()) {
            self.style(style);
            match text.is_ascii() {
                true => self.page.push_str(text),
                false => self.page.push_str(&text.replace(JOINT, " ")),
            }
        }
        self.column += width(unit);
        self.is_empty = false;
    }

    /// A unit wider than a line, broken at its spaces.
    fn broken(&mut self, unit: &[(Style, &str)]) {
        let mut word: Vec<(Style, &str)> = Vec::new();
        for (style, text) in unit {
            for (index, part) in text.split(' ').enumerate() {
                if index > 0 {
                    self.word(&word);
                    word.clear();
                }
                if !part.is_empty() {
                    word.push((*style, part));
                }
            }
        }
        self.word(&word);
    }

    fn word(&mut self, word: &[(Style, &str)]) {
        if word.is_empty() {
            return;
        }
        if !self.is_empty && !self.fits(width(word)) {
            self.wrap();
        }
        self.put(word);
    }
}

fn width(unit: &[(Style, &str)]) -> usize {
    unit.iter().map(|(_, text)| columns(text)).sum()
}

fn columns(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
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
    fn a_command_is_never_broken_for_it_is_to_be_copied() {
        let phrase = Phrase::new().words(tone::PLAIN, "they have to run: `aws ec2 accept --id vpce-1`, and `so` on ` it goes");
        assert_eq!(written(&phrase, 16), "they have to\n  run:\n  `aws ec2 accept --id vpce-1`,\n  and `so` on `\n  it goes\n");
    }

    #[test]
    fn a_unit_wider_than_a_line_breaks_at_its_spaces_and_a_word_never_does() {
        let phrase = Phrase::new().unit(tone::STRONG, "ids:").glue(tone::PLAIN, " [subnet-0123456789, subnet-9876543210]");
        assert_eq!(written(&phrase, 22), "ids:\n  [subnet-0123456789,\n  subnet-9876543210]\n");
    }
}
