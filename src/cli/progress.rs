//! Shows steps while they run: on a terminal a live view below the lines of what is finished, elsewhere a line per
//! finished step, and now and then one that says what a step is waiting for.

use std::io::Write;
use std::time::{Duration, Instant};

use anstyle::Style;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc;

use crate::apply::{Event, Node, Verb};
use crate::report::{Paint, Phrase, duration, shown, thing, tone};
use crate::words::count;

/// How often the live view is drawn again.
const TICK: Duration = Duration::from_millis(200);
/// Running steps shown at once.
const SHOWN: usize = 12;
/// A wait is told without a terminal once it has lasted so long, and then not more often than that.
const FIRST_TOLD: Duration = Duration::from_secs(2);
const TOLD_AGAIN: Duration = Duration::from_secs(10);

/// Shows events until there are no more. `total` is the number of steps. On a terminal the view is drawn on standard
/// error; without one, lines go to `out`.
pub(super) async fn show(
    mut events: mpsc::UnboundedReceiver<Event>,
    total: usize,
    terminal: bool,
    paint: Paint,
    out: &mut (dyn Write + Send),
) {
    let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        bar.set_style(style);
    }
    let is_live = terminal && !bar.is_hidden();
    // In a log each step is one line, however long.
    let width = if is_live { paint.width } else { usize::MAX };
    let mut board = Board::new(total, Paint { width, ..paint }, Instant::now());
    let mut ticks = tokio::time::interval(TICK);
    loop {
        let event = tokio::select! {
            event = events.recv() => match event {
                None => break,
                Some(event) => Some(event),
            },
            _ = ticks.tick() => None,
        };
        let now = Instant::now();
        let is_tick = event.is_none();
        let mut lines: Vec<String> = event.and_then(|event| board.take(event, now)).into_iter().collect();
        if !is_live {
            lines.extend(board.waits_to_tell(now));
        }
        for line in lines {
            match is_live {
                true => bar.println(line.trim_end_matches('\n')),
                // A closed pipe is no reason to stop the run.
                false => drop(out.write_all(line.as_bytes()).and_then(|()| out.flush())),
            }
        }
        if is_live {
            bar.set_message(board.view(now));
        }
        if is_live && is_tick {
            bar.tick();
        }
    }
    bar.finish_and_clear();
}

/// A step under way.
struct Running {
    node: Node,
    since: Instant,
    /// What it waits for.
    reason: Option<String>,
    /// Whether that has been told.
    is_told: bool,
    last_told: Option<Instant>,
}

/// All that is known of the run so far.
struct Board {
    paint: Paint,
    total: usize,
    ended: usize,
    failed: usize,
    since: Instant,
    /// In the order in which they started.
    running: Vec<Running>,
}

impl Board {
    fn new(total: usize, paint: Paint, now: Instant) -> Self {
        Self { paint, total, ended: 0, failed: 0, since: now, running: Vec::new() }
    }

    /// Takes in an event; returns the lines to show for a step that has ended.
    fn take(&mut self, event: Event, now: Instant) -> Option<String> {
        let (style, verb, node, rest) = match event {
            Event::Started { node } => {
                self.running.push(Running { node, since: now, reason: None, is_told: true, last_told: None });
                return None;
            }
            Event::Waiting { node, reason } => {
                if let Some(running) = self.running.iter_mut().find(|running| running.node == node) {
                    running.is_told = running.reason.as_deref() == Some(&reason) && running.is_told;
                    running.reason = Some(reason);
                }
                return None;
            }
            Event::Finished { node, took } => {
                let (style, verb) = finished(node.verb);
                (style, verb, node, Phrase::new().unit(tone::FAINT, duration(took)))
            }
            Event::NotBegun { node } => {
                self.running.retain(|running| running.node != node);
                return None;
            }
            Event::Wave { number, waves, tenants } => {
                let text = format!("Wave {number} of {waves}: {}", count(tenants, "tenant", "tenants"));
                let mut line = String::new();
                Phrase::new().words(tone::STRONG, &text).write(&mut line, &self.paint, 2, 2);
                return Some(line);
            }
            Event::Interrupted => {
                let text = "Interrupted: steps that have begun to write are finished, no more are started. Ctrl-C again stops at once.";
                let mut line = String::new();
                Phrase::new().words(tone::UPDATE, text).write(&mut line, &self.paint, 2, 2);
                return Some(line);
            }
            Event::Held { node, reason, .. } => (tone::UPDATE, "held", node, said(&reason)),
            Event::Failed { node, reason, .. } => {
                self.failed += 1;
                (tone::BLOCKED, "FAILED", node, said(&reason))
            }
        };
        self.ended += 1;
        if let Some(index) = self.running.iter().position(|running| running.node == node) {
            self.running.remove(index);
        }
        Some(self.line(style, verb, &node, rest))
    }

    fn line(&self, style: Style, verb: &str, node: &Node, rest: Phrase) -> String {
        let phrase = Phrase::new().unit(style, format!("{verb:<7}")).words(tone::STRONG, &thing(node.kind, &node.name));
        let scope = format!("({})", shown(&node.scope.to_string()));
        let colon = if matches!(verb, "held" | "FAILED" | "waiting") { ":" } else { "" };
        let phrase = phrase.unit(tone::FAINT, scope).glue(tone::PLAIN, colon).then(&rest);
        let mut line = String::new();
        phrase.write(&mut line, &self.paint, 2, 10);
        line
    }

    /// Waits that have become worth a line.
    fn waits_to_tell(&mut self, now: Instant) -> Vec<String> {
        let mut due = Vec::new();
        for (index, running) in self.running.iter_mut().enumerate().filter(|(_, running)| !running.is_told) {
            let earliest = running.last_told.map_or(running.since + FIRST_TOLD, |last| last + TOLD_AGAIN);
            if now >= earliest {
                (running.is_told, running.last_told) = (true, Some(now));
                due.push(index);
            }
        }
        let told = due.into_iter().filter_map(|index| {
            let running = self.running.get(index)?;
            Some(self.line(tone::PLAIN, "waiting", &running.node, said(running.reason.as_deref()?)))
        });
        told.collect()
    }

    /// What is running, the most recent last, and how far the whole is.
    fn view(&self, now: Instant) -> String {
        let mut lines = Vec::new();
        let hidden = self.running.len().saturating_sub(SHOWN);
        if hidden > 0 {
            let longest = self.running.iter().take(hidden).map(|running| now.duration_since(running.since)).max().unwrap_or_default();
            let line = format!("... and {hidden} more that run for up to {}", duration(longest));
            lines.push(self.cut(&[(tone::FAINT, line)]));
        }
        for running in &self.running[hidden..] {
            let (style, verb) = match running.node.verb {
                Verb::Create => (tone::CREATE, "creating"),
                Verb::Widen => (tone::UPDATE, "widening"),
                Verb::Update => (tone::UPDATE, "updating"),
                Verb::Delete => (tone::DELETE, "deleting"),
                Verb::Await => (tone::PLAIN, "awaiting"),
            };
            let mut parts = vec![
                (style, format!("{verb} ")),
                (tone::STRONG, thing(running.node.kind, &running.node.name)),
                (tone::FAINT, format!(" ({})", shown(&running.node.scope.to_string()))),
                (tone::PLAIN, format!(" {}", duration(now.duration_since(running.since)))),
            ];
            if let Some(reason) = &running.reason {
                parts.push((tone::FAINT, format!("  {}", on_one_line(reason))));
            }
            lines.push(self.cut(&parts));
        }
        let total = self.total.max(self.ended + self.running.len());
        let mut said = format!("{} of {total} steps ended, {} running", self.ended, self.running.len());
        if self.failed > 0 {
            said.push_str(&format!(", {} failed", self.failed));
        }
        let elapsed = format!(", {}", duration(now.duration_since(self.since)));
        lines.push(self.cut(&[(tone::STRONG, said), (tone::PLAIN, elapsed)]));
        lines.join("\n")
    }

    /// One line of the view: a line that wraps would break the drawing.
    fn cut(&self, parts: &[(Style, String)]) -> String {
        let room = self.paint.width.saturating_sub(1);
        let total: usize = 2 + parts.iter().map(|(_, text)| text.chars().count()).sum::<usize>();
        let mut left = if total > room { room.saturating_sub(5) } else { room };
        let mut line = "  ".to_string();
        for (style, text) in parts {
            let text: String = text.chars().take(left).collect();
            left -= text.chars().count();
            line.push_str(&self.paint.style(*style, &text));
        }
        if total > room {
            line.push_str("...");
        }
        line
    }
}

fn finished(verb: Verb) -> (Style, &'static str) {
    match verb {
        Verb::Create => (tone::CREATE, "created"),
        Verb::Widen => (tone::UPDATE, "widened"),
        Verb::Update => (tone::UPDATE, "updated"),
        Verb::Delete => (tone::DELETE, "deleted"),
        Verb::Await => (tone::CREATE, "ready"),
    }
}

fn said(reason: &str) -> Phrase {
    Phrase::new().words(tone::PLAIN, &on_one_line(reason))
}

fn on_one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    shown(&lines.join("; ")).into_owned()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::resources::Kind;
    use crate::resources::model::Scope;

    fn node(verb: Verb, tenant: Option<&str>, kind: Kind, name: &str) -> Node {
        let scope = Scope { tenant: tenant.map(String::from), ..Scope::infra_group("high-tps", "cell-1", "ig-1") };
        Node { verb, kind, name: name.into(), scope }
    }

    fn vpc() -> Node {
        node(Verb::Create, None, Kind::Vpc, "vpc")
    }

    fn service(tenant: &str) -> Node {
        node(Verb::Update, Some(tenant), Kind::Service, "service")
    }

    fn endpoint() -> Node {
        node(Verb::Await, None, Kind::VpcEndpoint, "bidder")
    }

    fn waiting(node: Node, reason: &str) -> Event {
        Event::Waiting { node, reason: reason.into() }
    }

    fn board(total: usize, width: usize, now: Instant) -> Board {
        Board::new(total, Paint::plain(width), now)
    }

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    /// Everything that `show` writes without a terminal.
    async fn shown(events: Vec<Event>) -> String {
        let (sender, receiver) = mpsc::unbounded_channel();
        events.into_iter().for_each(|event| drop(sender.send(event)));
        drop(sender);
        let mut out = Vec::new();
        show(receiver, 4, false, Paint::plain(100), &mut out).await;
        String::from_utf8_lossy(&out).into_owned()
    }

    fn all_events() -> Vec<Event> {
        let old = node(Verb::Delete, None, Kind::VpcEndpoint, "legacy");
        let reason = "the roll-out was given up\n(service acme) was unable to place a task";
        vec![
            Event::Started { node: vpc() },
            waiting(vpc(), "pending"),
            Event::Finished { node: vpc(), took: Duration::from_millis(312) },
            Event::Finished { node: service("globex"), took: Duration::from_secs(185) },
            Event::Finished { node: old, took: Duration::from_secs(42) },
            Event::Finished { node: node(Verb::Await, None, Kind::VpcEndpoint, "logs"), took: Duration::from_secs(12) },
            Event::Held { node: endpoint(), reason: "pendingAcceptance: the owner has to accept it".into(), remedy: String::new() },
            Event::Failed { node: service("acme"), reason: reason.into(), remedy: "mend it".into() },
        ]
    }

    #[tokio::test]
    async fn a_line_for_each_step_that_ends() {
        assert_snapshot!(shown(all_events()).await);
    }

    #[test]
    fn a_wait_is_told_when_it_lasts_and_again_when_its_reason_changes() {
        let start = Instant::now();
        let mut board = board(1, 100, start);
        board.take(Event::Started { node: service("acme") }, start);
        board.take(waiting(service("acme"), "0 of 2 tasks running"), at(start, 1));
        assert!(board.waits_to_tell(at(start, 1)).is_empty());
        board.take(waiting(service("acme"), "1 of 2 tasks running"), at(start, 2));
        assert_eq!(board.waits_to_tell(at(start, 3)), ["  waiting service (high-tps/cell-1/ig-1/acme): 1 of 2 tasks running\n"]);
        board.take(waiting(service("acme"), "1 of 2 tasks running"), at(start, 20));
        assert!(board.waits_to_tell(at(start, 20)).is_empty());
        board.take(waiting(service("acme"), "0 of 2 targets healthy"), at(start, 21));
        board.take(waiting(service("acme"), "1 of 2 targets healthy"), at(start, 22));
        assert_eq!(board.waits_to_tell(at(start, 22)).len(), 1);
        board.take(waiting(service("acme"), "2 of 2 targets healthy"), at(start, 23));
        assert!(board.waits_to_tell(at(start, 24)).is_empty());
        assert_eq!(board.waits_to_tell(at(start, 32)).len(), 1);
    }

    #[test]
    fn the_live_view() {
        let start = Instant::now();
        let mut board = board(31, 80, start);
        board.take(Event::Started { node: vpc() }, start);
        board.take(Event::Finished { node: vpc(), took: Duration::from_secs(1) }, at(start, 1));
        board.take(Event::Started { node: endpoint() }, at(start, 1));
        board.take(Event::Started { node: service("acme") }, at(start, 40));
        board.take(waiting(endpoint(), "pendingAcceptance: the owner of vpce-svc-0a1b2c3d4e5f60718 has to accept it"), at(start, 41));
        board.take(waiting(service("acme"), "1 of 2 tasks running"), at(start, 41));
        let view = board.view(at(start, 65));
        assert!(view.lines().all(|line| line.len() < 80), "{view}");
        assert_snapshot!(view);
    }

    #[test]
    fn the_live_view_of_many_steps_stays_short() {
        let start = Instant::now();
        let mut board = board(400, 100, start);
        for number in 0..200 {
            board.take(Event::Started { node: service(&format!("tenant-{number:03}")) }, at(start, number));
        }
        assert_snapshot!(board.view(at(start, 240)));
    }
}
