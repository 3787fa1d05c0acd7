//! How a run ended: what failed and what to do about it, what waits for somebody else, what was not started.

use std::collections::{BTreeMap, BTreeSet};

use super::{Paint, Phrase, shown, thing, tone};
use crate::apply::{Node, Outcome, Undone, Verb};
use crate::words::count;

/// Steps named for one reason before the rest are only counted.
const NAMED: usize = 10;

/// The end of a run; empty if there was nothing to do. `blocked` is how many changes of the plan were refused and not
/// part of the run.
pub fn render(outcome: &Outcome, blocked: usize, paint: &Paint) -> String {
    if outcome.is_complete() && outcome.done.is_empty() && blocked == 0 {
        return String::new();
    }
    let mut page = Page { paint, text: String::new() };
    page.undone("Failed:", tone::DELETE, &outcome.failed, "do:");
    page.undone("Waiting for somebody else:", tone::UPDATE, &outcome.held, "then:");
    page.not_started(&outcome.not_started);
    if outcome.interrupted {
        let phrase = Phrase::new().unit(tone::STRONG, "Interrupted:");
        page.line(0, 2, &phrase.words(tone::PLAIN, "run the same command again: it picks up what is there."));
        page.text.push('\n');
    }
    page.counts(outcome, blocked);
    page.text
}

struct Page<'a> {
    paint: &'a Paint,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, indent: usize, hang: usize, phrase: &Phrase) {
        phrase.write(&mut self.text, self.paint, indent, hang);
    }

    /// Each step with why it did not get done and what comes next.
    fn undone(&mut self, title: &str, style: anstyle::Style, steps: &[Undone], next: &str) {
        if steps.is_empty() {
            return;
        }
        self.line(0, 2, &Phrase::new().words(style.bold(), title));
        let mut steps: Vec<&Undone> = steps.iter().collect();
        steps.sort_by(|a, b| order(&a.node).cmp(&order(&b.node)));
        for step in steps {
            self.line(2, 4, &named(&step.node));
            self.labelled("why:", &step.reason);
            self.labelled(next, &step.remedy);
        }
        self.text.push('\n');
    }

    /// Text may have several lines: events of a service, reasons of stopped tasks.
    fn labelled(&mut self, label: &str, text: &str) {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        for (index, line) in lines.enumerate() {
            match index {
                0 => self.line(6, 12, &Phrase::new().unit(tone::FAINT, format!("{label:<5}")).words(tone::PLAIN, &shown(line))),
                _ => self.line(12, 12, &Phrase::new().words(tone::PLAIN, &shown(line))),
            }
        }
    }

    /// By what they need: one failure often holds up many.
    fn not_started(&mut self, steps: &[Undone]) {
        let mut by_reason: BTreeMap<&str, Vec<&Undone>> = BTreeMap::new();
        for step in steps {
            by_reason.entry(&step.reason).or_default().push(step);
        }
        if by_reason.is_empty() {
            return;
        }
        self.line(0, 2, &Phrase::new().words(tone::STRONG, "Not started:"));
        for (reason, mut steps) in by_reason {
            steps.sort_by(|a, b| order(&a.node).cmp(&order(&b.node)));
            self.line(2, 4, &Phrase::new().words(tone::PLAIN, &shown(reason)).glue(tone::PLAIN, ":"));
            for step in steps.iter().take(NAMED) {
                self.line(4, 6, &named(&step.node));
            }
            if steps.len() > NAMED {
                let tenants: BTreeSet<&str> = steps.iter().skip(NAMED).filter_map(|step| step.node.scope.tenant.as_deref()).collect();
                let of = match tenants.is_empty() {
                    true => String::new(),
                    false => format!(", of {}", shown(&tenants.into_iter().collect::<Vec<_>>().join(", "))),
                };
                self.line(4, 6, &Phrase::new().words(tone::FAINT, &format!("and {} more{of}", steps.len() - NAMED)));
            }
        }
        self.text.push('\n');
    }

    fn counts(&mut self, outcome: &Outcome, blocked: usize) {
        let of = |verb: Verb| outcome.done.iter().filter(|node| node.verb == verb).count();
        let done = [
            (of(Verb::Create), "created"),
            (of(Verb::Widen), "widened"),
            (of(Verb::Update), "updated"),
            (of(Verb::Delete), "deleted"),
            (of(Verb::Await), "became ready"),
        ];
        let done: Vec<String> = done.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect();
        let in_words = if done.is_empty() { String::new() } else { format!(" ({})", done.join(", ")) };
        let first = format!("{} done{in_words}", count(outcome.done.len(), "step", "steps"));
        let rest = [
            (outcome.failed.len(), "failed", tone::DELETE),
            (outcome.held.len(), if outcome.held.len() == 1 { "waits for somebody else" } else { "wait for somebody else" }, tone::UPDATE),
            (outcome.not_started.len(), "not started", tone::UPDATE),
            (blocked, "blocked", tone::BLOCKED),
        ];
        let is_all = rest.iter().all(|(number, _, _)| *number == 0) && !outcome.interrupted;
        let (title, style) = if is_all { ("Done:", tone::CREATE) } else { ("Not all done:", tone::UPDATE) };
        let mut phrase = Phrase::new().words(style.bold(), title).words(tone::PLAIN, &first);
        for (number, what, style) in rest.into_iter().filter(|(number, _, _)| *number > 0) {
            phrase = phrase.glue(tone::PLAIN, ",").words(style, &format!("{number} {what}"));
        }
        self.line(0, 2, &phrase.glue(tone::PLAIN, "."));
    }
}

/// By place, then as in a plan.
fn order(node: &Node) -> (&crate::resources::model::Scope, crate::resources::Kind, &str, Verb) {
    (&node.scope, node.kind, &node.name, node.verb)
}

fn named(node: &Node) -> Phrase {
    let verb = match node.verb {
        Verb::Create => "create",
        Verb::Widen => "widen",
        Verb::Update => "update",
        Verb::Delete => "delete",
        Verb::Await => "wait for",
    };
    let phrase = Phrase::new().words(tone::PLAIN, verb).words(tone::STRONG, &thing(node.kind, &node.name));
    phrase.unit(tone::FAINT, format!("({})", shown(&node.scope.to_string())))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::report::testing::{ended, readable};

    #[test]
    fn all_is_done() {
        let outcome = Outcome { done: ended().done, ..Outcome::default() };
        assert_snapshot!(render(&outcome, 0, &Paint::plain(100)), @"Done: 4 steps done (1 created, 1 updated, 1 deleted, 1 became ready).");
        assert_eq!(render(&Outcome::default(), 0, &Paint::plain(100)), "");
    }

    #[test]
    fn every_way_to_end() {
        assert_snapshot!(render(&ended(), 1, &Paint::plain(100)));
    }

    #[test]
    fn every_way_to_end_on_a_narrow_terminal() {
        assert_snapshot!(render(&ended(), 0, &Paint::plain(60)));
    }

    #[test]
    fn every_way_to_end_in_colour() {
        assert_snapshot!(readable(&render(&ended(), 1, &Paint { color: true, width: 100 })));
    }
}
