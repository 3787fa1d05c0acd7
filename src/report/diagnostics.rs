//! Findings as text in the look of the Rust compiler, and as JSON. Nothing is printed here.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use crate::spec::diagnostic::Position;
use crate::spec::{Finding, Findings, Severity, Source, Span};

/// Bytes of a line beyond which it is quoted from, not drawn: drawing takes time with every character.
const LONGEST_LINE: usize = 1000;
/// Characters that are quoted before what is meant; twice as many after its start.
const QUOTED_AROUND: usize = 30;

/// Every finding with its line and remedy, then a line that counts them. Empty if there are none.
pub fn render(findings: &Findings, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for finding in findings {
        text.push_str(&one(finding, &renderer));
        text.push_str("\n\n");
    }
    if !findings.is_empty() {
        text.push_str(&count(findings));
        text.push('\n');
    }
    text
}

/// `{"errors": [...], "warnings": [...]}`
pub fn to_json(findings: &Findings) -> Value {
    let of = |severity: Severity| -> Vec<Value> { findings.iter().filter(|finding| finding.severity == severity).map(entry).collect() };
    json!({ "errors": of(Severity::Error), "warnings": of(Severity::Warning) })
}

fn entry(finding: &Finding) -> Value {
    let place = |position: &Position| {
        let at = position.source.line_column(position.span.start);
        (position.source.path.display().to_string(), at.line, at.column)
    };
    let (file, line, column) =
        finding.position.as_ref().map(place).map_or((None, None, None), |(file, line, column)| (Some(file), Some(line), Some(column)));
    let related: Vec<Value> = finding
        .related
        .iter()
        .map(|related| {
            let (file, line, column) = place(&related.position);
            json!({ "file": file, "line": line, "column": column, "label": related.label })
        })
        .collect();
    json!({
        "file": file,
        "line": line,
        "column": column,
        "code": finding.code,
        "message": finding.message,
        "remedy": finding.remedy,
        "related": related,
    })
}

fn count(findings: &Findings) -> String {
    let number = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{count} {word}s")),
    };
    let parts = [number(findings.errors(), "error"), number(findings.warnings(), "warning")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn one(finding: &Finding, renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(shown(&finding.message)).id(finding.code);
    let help = Level::HELP.message(shown(&finding.remedy));
    if let Some((position, start, line)) = finding.position.as_ref().and_then(long_line) {
        let place = position.source.line_column(position.span.start);
        let origin = Origin::path(position.source.path.display().to_string()).line(place.line).char_column(place.column);
        let note = format!("out of a line of {} characters: {}", line.chars().count(), around(line, within(position.span, start, line)));
        return renderer.render(&[title.element(origin).element(Level::NOTE.message(shown(&note))).element(help)]);
    }
    let excerpts: Vec<Excerpt<'_>> = excerpts(finding);
    let group = match excerpts.as_slice() {
        [] => Group::with_title(title),
        excerpts => title.elements(excerpts.iter().map(Excerpt::snippet)),
    };
    renderer.render(&[group.element(help)])
}

/// The line that a finding is about, if it is too long to be drawn; and where it starts.
fn long_line(position: &Position) -> Option<(&Position, u32, &str)> {
    let (start, text) = position.source.line(position.source.line_column(position.span.start).line)?;
    (text.len() > LONGEST_LINE).then_some((position, start, text))
}

/// What is meant, and a few words before and after it.
fn around(line: &str, range: std::ops::Range<usize>) -> String {
    let before: String = line[..range.start].chars().rev().take(QUOTED_AROUND).collect();
    let before: String = before.chars().rev().collect();
    let after: String = line[range.start..].chars().take(2 * QUOTED_AROUND).collect();
    let start = if before.len() < range.start { "…" } else { "" };
    let end = if range.start + after.len() < line.len() { "…" } else { "" };
    format!("{start}{before}{after}{end}")
}

/// What a terminal must not interpret becomes visible; a file is not to be trusted with escape sequences.
fn shown(text: &str) -> String {
    annotate_snippets::normalize_untrusted_str(text)
}

/// One line of a file, and what is marked on it.
struct Excerpt<'a> {
    source: &'a Source,
    line: usize,
    text: String,
    marks: Vec<(AnnotationKind, std::ops::Range<usize>, Option<&'a str>)>,
}

impl Excerpt<'_> {
    fn snippet(&self) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
        let marks = self.marks.iter().map(|(kind, range, label)| kind.span(range.clone()).label(*label));
        Snippet::source(self.text.as_str())
            .line_start(self.line)
            .path(self.source.path.display().to_string())
            .fold(false)
            .annotations(marks)
    }
}

/// The lines to show, the finding's own first. Only these lines are given to the renderer: it would otherwise look
/// through the whole file for every finding.
fn excerpts(finding: &Finding) -> Vec<Excerpt<'_>> {
    let mut excerpts: Vec<Excerpt<'_>> = Vec::new();
    let own = finding.position.iter().map(|position| (position, AnnotationKind::Primary, None));
    let related = finding.related.iter().map(|related| (&related.position, AnnotationKind::Context, Some(related.label.as_str())));
    for (position, kind, label) in own.chain(related) {
        let source: &Source = &position.source;
        let line = source.line_column(position.span.start).line;
        let Some((start, text)) = source.line(line) else { continue };
        let range = within(position.span, start, text);
        let same = excerpts.iter_mut().find(|other| std::ptr::eq(other.source, source) && other.line == line);
        match same {
            Some(excerpt) => excerpt.marks.push((kind, range, label)),
            None => excerpts.push(Excerpt { source, line, text: text.to_owned(), marks: vec![(kind, range, label)] }),
        }
    }
    excerpts
}

fn within(span: Span, line_start: u32, text: &str) -> std::ops::Range<usize> {
    let clamp = |offset: u32| (offset.saturating_sub(line_start) as usize).min(text.len());
    clamp(span.start)..clamp(span.end)
}
