//! A plan as people read it before they let it happen: by infra group, the tier's part first, then each tenant's
//! handful, and what is blocked last.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use anstyle::Style;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::paint::JOINT;
use super::values::{self, Values, shown};
use super::{Paint, Phrase, duration, thing, tone};
use crate::plan::intent::Inherited;
use crate::plan::{Action, Change, FieldChange, Plan, Subject};
use crate::resources::Kind;
use crate::resources::model::{Condition, Place, Scope, holds_reference};
use crate::words::count;

/// What a plan's text says beyond the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanNotes {
    /// By the tenant's scope. Shown where something of the tenant is created.
    pub inherited: BTreeMap<Scope, Inherited>,
}

/// Fields of a thing to be made that go without saying.
const UNSAID: &[(Kind, &str)] = &[(Kind::SecurityGroupRules, "direction"), (Kind::Service, "rollout")];
/// Unchanged lines shown around a change in a document.
const CONTEXT: usize = 2;
/// Seconds from which on it is worth a line that AWS takes no more requests in a while.
const WORTH_SAYING: f64 = 10.0;
/// Tenants of the first wave that are named.
const NAMED: usize = 10;
/// Lists up to this long are written on the line of their field.
const FEW: usize = 2;

/// Of tenants that no cell of a plan knows.
pub(super) const ELSEWHERE: &str = "Live in none of these cells and have no placement (they live in others, or nowhere yet)";
pub(super) const NEW_ONES: &str = "A new tenant needs a placement here, or a plan of all cells at once, without --cell";

pub fn render(plan: &Plan, paint: &Paint, notes: &PlanNotes) -> String {
    let mut page = Page { paint, text: String::new(), names_unknown: false, most: usize::MAX };
    page.unread(plan);
    page.changes_of(plan.changes.iter(), plan, notes);
    page.waits(plan);
    page.unclaimed(plan);
    page.elsewhere(plan);
    page.warnings(plan);
    page.counts(plan);
    if let Some(line) = from_tags(plan) {
        page.line(0, 2, &Phrase::new().unit(tone::UPDATE, "Quick:").words(tone::PLAIN, &format!("{line}. `tierctl plan` looks.")));
    }
    page.text
}

/// Some of its changes alone; nothing if that is longer than `most` bytes.
pub(super) fn changes(changes: &[&Change], plan: &Plan, paint: &Paint, notes: &PlanNotes, most: usize) -> Option<String> {
    let mut page = Page { paint, text: String::new(), names_unknown: false, most };
    page.changes_of(changes.iter().copied(), plan, notes);
    (page.text.len() <= most).then_some(page.text)
}

/// The changes of one infra group.
#[derive(Default)]
struct Group<'a> {
    tier: Vec<&'a Change>,
    tenants: BTreeMap<&'a str, Vec<&'a Change>>,
}

fn groups<'a>(changes: impl Iterator<Item = &'a Change>) -> BTreeMap<Scope, Group<'a>> {
    let mut groups: BTreeMap<Scope, Group<'_>> = BTreeMap::new();
    for change in changes {
        let group = groups.entry(change.scope.without_tenant()).or_default();
        match change.scope.tenant.as_deref() {
            Some(tenant) => group.tenants.entry(tenant).or_default().push(change),
            None => group.tier.push(change),
        }
    }
    groups
}

struct Page<'a> {
    paint: &'a Paint,
    text: String,
    /// Whether an unknown id stands as a name in angle brackets somewhere.
    names_unknown: bool,
    /// Bytes after which nobody is going to read it.
    most: usize,
}

impl Page<'_> {
    fn line(&mut self, indent: usize, hang: usize, phrase: &Phrase) {
        phrase.write(&mut self.text, self.paint, indent, hang);
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Infra groups have nothing to do with each other: where there are many, each processor writes some of them.
    fn changes_of<'a>(&mut self, changes: impl Iterator<Item = &'a Change>, plan: &Plan, notes: &PlanNotes) {
        let groups: Vec<(Scope, Group<'_>)> = groups(changes).into_iter().collect();
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let (paint, most) = (self.paint, self.most);
        let write = |groups: &[(Scope, Group<'_>)]| {
            let mut page = Page { paint, text: String::new(), names_unknown: false, most };
            groups.iter().for_each(|(scope, group)| page.group(scope, group, plan, notes));
            (page.text, page.names_unknown)
        };
        let parts: Vec<(String, bool)> = thread::scope(|scope| {
            let mut parts = groups.chunks(groups.len().div_ceil(processors).max(1));
            let first = parts.next().unwrap_or_default();
            let begin = |part| thread::Builder::new().spawn_scoped(scope, move || write(part)).ok();
            let others: Vec<_> = parts.map(|part| (part, begin(part))).collect();
            let first = write(first);
            // Where the system gives no thread, it is written here.
            let others =
                others.into_iter().map(|(part, thread)| thread.and_then(|thread| thread.join().ok()).unwrap_or_else(|| write(part)));
            [first].into_iter().chain(others).collect()
        });
        for (text, names_unknown) in parts {
            self.text.push_str(&text);
            self.names_unknown |= names_unknown;
        }
    }

    fn group(&mut self, scope: &Scope, group: &Group<'_>, plan: &Plan, notes: &PlanNotes) {
        let first = group.tier.first().or_else(|| group.tenants.values().next()?.first());
        let Some(place) = first.map(|change| &change.place) else { return };
        self.line(0, 2, &heading(scope, place));
        self.blank();
        if let Some(dependents) = group.tier.first().and_then(|change| plan.dependents(change)).filter(|number| *number > 0) {
            let depend = if dependents == 1 { "depends" } else { "depend" };
            let line = format!("{} {depend} on what the tier has here", count(dependents, "tenant", "tenants"));
            self.line(2, 4, &Phrase::new().words(tone::UPDATE, &line));
        }
        if !group.tier.is_empty() {
            self.changes(2, &group.tier);
            self.blank();
        }
        let mut said: BTreeMap<Vec<&str>, &str> = BTreeMap::new();
        for (tenant, changes) in &group.tenants {
            if self.text.len() > self.most {
                return;
            }
            self.line(2, 4, &Phrase::new().unit(tone::PLAIN, "tenant ").glue(tone::STRONG, shown(tenant)));
            let is_new = changes.iter().any(|change| change.action == Action::Create);
            if let Some(inherited) = notes.inherited.get(scope).filter(|_| is_new) {
                self.inherited(inherited, tenant, &mut said);
            }
            self.changes(4, changes);
            self.blank();
        }
    }

    /// What is inherited is named in full once per infra group; after that it is the same again.
    fn inherited<'b>(&mut self, inherited: &'b Inherited, tenant: &'b str, said: &mut BTreeMap<Vec<&'b str>, &'b str>) {
        let lists = inherited.endpoints.iter().chain(&inherited.roles);
        let all: Vec<&str> = lists.chain([&inherited.listener, &inherited.log_group]).map(String::as_str).collect();
        if let Some(other) = said.get(&all) {
            self.line(4, 6, &Phrase::new().words(tone::FAINT, &format!("inherits the same as {}", shown(other))));
            return;
        }
        said.insert(all, tenant);
        let named = |names: &[String], one: &str, many: &str| {
            let names = names.iter().map(|name| shown(name)).collect::<Vec<_>>();
            (!names.is_empty()).then(|| format!("{} ({})", count(names.len(), one, many), names.join(", ")))
        };
        let parts = [
            named(&inherited.endpoints, "endpoint", "endpoints"),
            named(&inherited.roles, "role", "roles"),
            (!inherited.listener.is_empty()).then(|| format!("listener {}", shown(&inherited.listener))),
            (!inherited.log_group.is_empty()).then(|| format!("log group {}", shown(&inherited.log_group))),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if !parts.is_empty() {
            self.line(4, 6, &Phrase::new().words(tone::FAINT, &format!("inherits {}", parts.join(", "))));
        }
    }

    fn changes(&mut self, indent: usize, changes: &[&Change]) {
        let common = common_tags(changes);
        if !common.is_empty() {
            let tags = common.iter().map(|(key, value)| format!("{}={}", shown(key), shown(value))).collect::<Vec<_>>();
            self.line(indent, indent + 4, &Phrase::new().words(tone::FAINT, &format!("tags of all that is created: {}", tags.join(", "))));
        }
        let (blocked, others): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(|change| change.action == Action::Blocked);
        for change in others.into_iter().chain(blocked) {
            self.change(indent, change, &common);
        }
    }

    fn change(&mut self, indent: usize, change: &Change, common: &BTreeSet<(&str, &str)>) {
        let (symbol, style) = symbol(change.action);
        let below = indent + 4;
        let reason = change.reason.as_deref().map(shown);
        let mut title = Phrase::new().unit(style, symbol);
        title = match change.subject {
            Subject::Resource(kind) => match thing(kind, &change.name).split_once(' ') {
                Some((kind, name)) => title.unit(tone::PLAIN, kind).unit(tone::STRONG, name),
                None => title.unit(tone::STRONG, kind.name()),
            },
            // The heading names it.
            Subject::Tenant | Subject::InfraGroup => {
                let title = title.unit(style, "blocked:").words(tone::PLAIN, &reason.unwrap_or_default());
                return self.line(indent, below, &title);
            }
        };
        if let Some(live) = &change.live {
            title = title.unit(tone::FAINT, short_id(&live.id));
        }
        match (change.action, reason) {
            (Action::Blocked, Some(reason)) => {
                self.line(indent, below, &title);
                self.line(below, below, &Phrase::new().unit(tone::BLOCKED, "blocked:").words(tone::PLAIN, &reason));
            }
            (_, Some(reason)) => self.line(indent, below, &title.words(tone::FAINT, &format!("# {reason}"))),
            (_, None) => self.line(indent, below, &title),
        }
        match change.action {
            Action::Create => self.creation(below, change, common),
            _ => change.fields.iter().for_each(|field| self.field(below, change, field)),
        }
    }

    /// The fields of a thing to be made, one after another; what is too long for that goes below.
    fn creation(&mut self, indent: usize, change: &Change, common: &BTreeSet<(&str, &str)>) {
        let mut fields = Fields { values: Values::of(change), listed: Vec::new(), below: Vec::new() };
        for field in &change.fields {
            let after = values::after(change, field);
            if is_unsaid(change, field, common) {
                continue;
            }
            self.names_unknown |= field.after_unknown && holds_reference(after);
            match after {
                Value::Null if field.after_unknown => fields.listed.push((shown(&field.path), Cow::Borrowed(values::UNKNOWN))),
                empty if values::is_empty(empty) => {}
                value => fields.add(shown(&field.path), value),
            }
        }
        if change.subject == Subject::Resource(Kind::SecurityGroupRules) && !change.fields.iter().any(|field| field.path == "rules") {
            // Elsewhere what is empty goes without saying; here it is what counts.
            fields.listed.push(("rules".into(), Cow::Borrowed("none")));
        }
        self.listed(indent, Phrase::new(), fields.listed);
        for (name, fields) in fields.below {
            self.listed(indent, Phrase::new().unit(tone::FAINT, format!("{name}:")), fields);
        }
    }

    fn listed(&mut self, indent: usize, mut phrase: Phrase, fields: Vec<NamedValue<'_>>) {
        let last = fields.len();
        if last == 0 {
            return;
        }
        for (index, (name, value)) in fields.into_iter().enumerate() {
            let comma = if index + 1 < last { "," } else { "" };
            phrase = phrase
                .unit(tone::FAINT, name)
                .glue(tone::FAINT, ":")
                .glue(tone::PLAIN, " ")
                .glue(tone::PLAIN, value)
                .glue(tone::PLAIN, comma);
        }
        self.line(indent, indent + 2, &phrase);
    }

    /// One field that differs, before and after.
    fn field(&mut self, indent: usize, change: &Change, field: &FieldChange) {
        let after = values::after(change, field);
        self.names_unknown |= field.after_unknown && holds_reference(after);
        let is_unset = after.is_null() && !field.after_unknown;
        let (symbol, style) = match (field.before.is_null(), is_unset) {
            (true, _) => ("+", tone::CREATE),
            (false, true) => ("-", tone::DELETE),
            (false, false) => ("~", tone::UPDATE),
        };
        let title = Phrase::new().unit(style, symbol).unit(tone::PLAIN, format!("{}:", shown(&field.path)));
        let forces = |phrase: Phrase| {
            let phrase = match field.forces_replacement {
                true => phrase.unit(tone::REPLACE, "# forces replacement"),
                false => phrase,
            };
            match values::by_hand(field) {
                Some(said) => phrase.unit(tone::FAINT, format!("# {said}")),
                None => phrase,
            }
        };
        let values = Values::of(change);
        match lists(&field.before, after) {
            Some((old, new)) if values.is_list(old) && values.is_list(new) => {
                let is_few = old.len() <= FEW && new.len() <= FEW && !old.is_empty() && !new.is_empty();
                let inline = forces(before_after(title.clone(), &values.inline(&field.before), &values.inline(after)));
                if is_few && is_plain(old) && is_plain(new) && inline.fits(self.paint, indent) {
                    return self.line(indent, indent + 4, &inline);
                }
                self.line(indent, indent + 2, &forces(title));
                self.list(indent + 4, values, old, new, field.after_unknown);
            }
            _ if is_document(values, &field.before) || is_document(values, after) => {
                self.line(indent, indent + 2, &forces(title));
                self.document(indent + 4, &field.before, after);
            }
            _ => {
                let said = |value: &Value| if value.is_null() { values::UNKNOWN.into() } else { values.inline(value) };
                let phrase = match (field.before.is_null(), is_unset) {
                    (true, _) => title.unit(tone::PLAIN, said(after)),
                    (false, true) => title.unit(tone::PLAIN, said(&field.before)),
                    (false, false) => {
                        let (mut old, mut new) = (said(&field.before), said(after));
                        if old == new {
                            // They differ in type alone.
                            (old, new) = (shown(&field.before.to_string()).into_owned(), shown(&after.to_string()).into_owned());
                        }
                        let phrase = before_after(title.clone(), &old, &new);
                        if !forces(phrase.clone()).fits(self.paint, indent) && (old.len() + new.len()) * 2 > self.paint.width {
                            self.line(indent, indent + 6, &title.unit(tone::PLAIN, old));
                            let phrase = Phrase::new().unit(tone::FAINT, "->").unit(tone::PLAIN, new);
                            return self.line(indent + 4, indent + 7, &forces(phrase));
                        }
                        phrase
                    }
                };
                self.line(indent, indent + 6, &forces(phrase));
            }
        }
    }

    /// A list by its elements: those that go, those that come, and how many stay.
    fn list(&mut self, indent: usize, values: Values, old: &[Value], new: &[Value], is_unknown: bool) {
        let lines = |items: &[Value]| {
            let unknown = |item: &Value| if item.is_null() && is_unknown { values::UNKNOWN.into() } else { values.inline(item) };
            let mut lines: Vec<String> = items.iter().map(unknown).collect();
            if is_unknown {
                // Only lists without an order refer to other things: what was sorted by id is now sorted by name.
                lines.sort();
            }
            lines
        };
        let (old, new) = (lines(old), lines(new));
        let (old, new): (Vec<&str>, Vec<&str>) = (old.iter().map(String::as_str).collect(), new.iter().map(String::as_str).collect());
        let diff = TextDiff::from_slices(&old, &new);
        let mut unchanged = 0;
        for change in diff.iter_all_changes() {
            match change.tag() {
                ChangeTag::Equal => unchanged += 1,
                ChangeTag::Delete => self.item(indent, "-", tone::DELETE, change.value()),
                ChangeTag::Insert => self.item(indent, "+", tone::CREATE, change.value()),
            }
        }
        if unchanged > 0 {
            self.line(indent + 2, indent + 2, &Phrase::new().words(tone::FAINT, &format!("({unchanged} unchanged)")));
        }
    }

    fn item(&mut self, indent: usize, symbol: &str, style: Style, text: &str) {
        self.line(indent, indent + 2, &Phrase::new().unit(style, symbol).unit(style, text));
    }

    /// A document line by line, as in a patch.
    fn document(&mut self, indent: usize, old: &Value, new: &Value) {
        let text = |value: &Value| match value {
            Value::Null => String::new(),
            value => serde_json::to_string_pretty(&values::document(value)).unwrap_or_default() + "\n",
        };
        let (old, new) = (text(old), text(new));
        let diff = TextDiff::from_lines(&old, &new);
        for (index, hunk) in diff.grouped_ops(CONTEXT).iter().enumerate() {
            if index > 0 {
                self.line(indent, indent, &Phrase::new().unit(tone::FAINT, "..."));
            }
            for change in hunk.iter().flat_map(|op| diff.iter_changes(op)) {
                let (symbol, style) = match change.tag() {
                    ChangeTag::Equal => (" ", tone::FAINT),
                    ChangeTag::Delete => ("-", tone::DELETE),
                    ChangeTag::Insert => ("+", tone::CREATE),
                };
                let line = format!("{symbol} {}", shown(change.value().trim_end_matches('\n')).replace(JOINT, " "));
                self.text.extend(std::iter::repeat_n(' ', indent));
                self.text.push_str(&self.paint.style(style, &line));
                self.text.push('\n');
            }
        }
    }

    fn waits(&mut self, plan: &Plan) {
        if plan.waits.is_empty() {
            return;
        }
        self.line(0, 2, &Phrase::new().words(tone::STRONG, "As the specs say, and not ready yet:"));
        for wait in &plan.waits {
            let Some(why) = wait.live.condition.reason() else { continue };
            let needs_somebody = matches!(wait.live.condition, Condition::Blocked(_) | Condition::Failed(_));
            let style = if needs_somebody { tone::DELETE } else { tone::PLAIN };
            let key = &wait.desired.key;
            let phrase = Phrase::new().words(tone::PLAIN, &thing(key.kind, &key.name)).unit(tone::FAINT, format!("({})", key.scope));
            self.line(2, 6, &phrase.glue(tone::PLAIN, ":").words(style, &shown(why)));
        }
        self.blank();
    }

    fn unclaimed(&mut self, plan: &Plan) {
        if plan.unclaimed.is_empty() {
            return;
        }
        self.line(0, 2, &Phrase::new().words(tone::STRONG, "Has tierctl's tags, and no spec names it (nothing is done to it):"));
        let mut groups: BTreeMap<(&Scope, &Place), Vec<String>> = BTreeMap::new();
        for item in &plan.unclaimed {
            let line = format!("{} {}", thing(item.key.kind, &item.key.name), short_id(&item.id));
            groups.entry((&item.key.scope, &item.place)).or_default().push(line);
        }
        for ((scope, place), items) in groups {
            let phrase = Phrase::new().unit(tone::PLAIN, shown(&scope.to_string())).unit(tone::FAINT, format!("({place})"));
            self.line(2, 4, &phrase);
            for item in items {
                self.line(4, 8, &Phrase::new().words(tone::PLAIN, &item));
            }
        }
        self.blank();
    }

    /// What is not known comes before all that is.
    fn unread(&mut self, plan: &Plan) {
        if plan.unread.is_empty() {
            return;
        }
        self.line(0, 2, &Phrase::new().words(tone::BLOCKED, "Could not be read, so that nothing is said of it and nothing done there:"));
        for unread in &plan.unread {
            let name = format!("{} / {}", shown(&unread.tier), shown(&unread.cell));
            self.line(2, 4, &Phrase::new().unit(tone::STRONG, name).unit(tone::FAINT, format!("({})", unread.place)));
            self.line(4, 9, &Phrase::new().unit(tone::FAINT, "why:").words(tone::PLAIN, &shown(&unread.reason)));
            if !unread.remedy.is_empty() {
                self.line(4, 9, &Phrase::new().unit(tone::FAINT, "do:").words(tone::PLAIN, &shown(&unread.remedy)));
            }
        }
        self.blank();
    }

    fn elsewhere(&mut self, plan: &Plan) {
        if plan.elsewhere.is_empty() {
            return;
        }
        let names: Vec<String> = plan.elsewhere.iter().map(|(tier, tenant)| format!("{} of {}", shown(tenant), shown(tier))).collect();
        self.line(0, 2, &Phrase::new().words(tone::STRONG, &format!("{ELSEWHERE}:")));
        self.line(2, 4, &Phrase::new().words(tone::PLAIN, &names.join(", ")));
        self.line(2, 4, &Phrase::new().words(tone::FAINT, &format!("{NEW_ONES}.")));
        self.blank();
    }

    fn warnings(&mut self, plan: &Plan) {
        if plan.warnings.is_empty() {
            return;
        }
        self.line(0, 2, &Phrase::new().words(tone::STRONG, "Warnings:"));
        for warning in &plan.warnings {
            self.line(2, 4, &Phrase::new().unit(tone::UPDATE, "*").words(tone::PLAIN, &shown(warning)));
        }
        self.blank();
    }

    fn counts(&mut self, plan: &Plan) {
        if self.names_unknown {
            self.line(0, 2, &Phrase::new().words(tone::FAINT, &format!("<name> stands for the id of that thing {}.", values::UNKNOWN)));
            self.blank();
        }
        if plan.changes.is_empty() {
            let as_said = match plan.unchanged {
                things if !plan.unread.is_empty() => {
                    let what = count(things, "thing of what could be read is", "things of what could be read are");
                    let line = format!("{what} as the specs say. Of {} nothing is known.", count(plan.unread.len(), "cell", "cells"));
                    return self.line(0, 2, &Phrase::new().unit(tone::BLOCKED, "Not complete.").words(tone::PLAIN, &line));
                }
                0 => return self.line(0, 2, &Phrase::new().unit(tone::STRONG, format!("{}.", nothing_to_do(plan)))),
                1 => "1 thing is as the specs say".to_string(),
                things => format!("{things} things are as the specs say"),
            };
            let waiting = match plan.waits.len() {
                0 => String::new(),
                waiting => format!(", {waiting} of them not ready yet"),
            };
            let nothing = format!("{}.", nothing_to_do(plan));
            self.line(0, 2, &Phrase::new().unit(tone::STRONG, nothing).words(tone::PLAIN, &format!("{as_said}{waiting}.")));
            return;
        }
        let summary = plan.summary();
        let parts = [
            (summary.create, "to create", tone::CREATE),
            (summary.update, "to change", tone::UPDATE),
            (summary.replace, "to replace", tone::REPLACE),
            (summary.delete, "to delete", tone::DELETE),
            (summary.unchanged, "unchanged", tone::PLAIN),
            (summary.blocked, "blocked", tone::BLOCKED),
        ];
        let mut phrase = Phrase::new().unit(tone::STRONG, "Plan:");
        for (index, (number, what, style)) in parts.iter().enumerate() {
            let style = if *number > 0 { *style } else { tone::PLAIN };
            phrase = phrase.unit(style, format!("{number} {what}")).glue(tone::PLAIN, if index + 1 < parts.len() { "," } else { "." });
        }
        self.line(0, 2, &phrase);
        let tenants = plan.steps().filter(|(_, change)| change.is_tenants()).count();
        let tier = plan.steps().count() - tenants;
        let belong = if tier == 1 { "belongs" } else { "belong" };
        let line = format!("{} {belong} to the tier (once per infra group), {tenants} to tenants.", count(tier, "step", "steps"));
        self.line(0, 2, &Phrase::new().words(tone::PLAIN, &line));
        if let Some(line) = waves(plan) {
            self.line(0, 2, &Phrase::new().words(tone::PLAIN, &line));
        }
        if let Some(line) = rate_limit(plan) {
            self.line(0, 2, &Phrase::new().words(tone::PLAIN, &line));
        }
        for exceeded in &plan.exceeded {
            self.line(0, 2, &Phrase::new().unit(tone::BLOCKED, "Too much:").words(tone::PLAIN, &format!("{exceeded}.")));
        }
        if summary.blocked > 0 {
            let rest = if plan.has_steps() { "; all else can go ahead" } else { "" };
            let line = format!("What is blocked (!) stays as it is until that is settled{rest}.");
            self.line(0, 2, &Phrase::new().words(tone::PLAIN, &line));
        }
    }
}

/// Who goes first, where not all tenants go at once.
fn waves(plan: &Plan) -> Option<String> {
    let (first, rest) = plan.waves.split_first().filter(|(_, rest)| !rest.is_empty())?;
    let named: Vec<String> =
        first.iter().take(NAMED).map(|scope| shown(scope.tenant.as_deref().unwrap_or_default()).into_owned()).collect();
    let more = match first.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let sizes: Vec<String> = rest.iter().map(|wave| wave.len().to_string()).collect();
    let when = match plan.tolerated_failures {
        Some(tolerated) if tolerated > 0 => {
            format!(
                "each when the one before has come to its end and no more than {} failed",
                count(tolerated, "tenant has", "tenants have")
            )
        }
        _ => "each when all of the one before are healthy".to_string(),
    };
    Some(format!(
        "In {} waves, {when}: first {}{more}, then {} of the other tenants.",
        plan.waves.len(),
        named.join(", "),
        sizes.join(", then ")
    ))
}

/// What a quick plan has not seen.
pub(super) fn from_tags(plan: &Plan) -> Option<String> {
    let services = count(plan.services_from_tags, "service was", "services were");
    let what = "an image, a count or a network that was changed by hand, and a roll-out that was given up, may be missing here";
    (plan.services_from_tags > 0).then(|| format!("{services} not looked at, since their tags are as the specs say; {what}"))
}

/// That there is nothing to do, as far as the plan can tell.
pub(super) fn nothing_to_do(plan: &Plan) -> &'static str {
    if plan.services_from_tags > 0 { "No changes in sight" } else { "No changes" }
}

/// How long it takes at the least, where AWS's rates are what it waits for.
pub(super) fn rate_limit(plan: &Plan) -> Option<String> {
    let slowest = plan.bottleneck.as_ref().filter(|slowest| slowest.seconds >= WORTH_SAYING)?;
    Some(format!(
        "It takes at least {} at the rates that AWS publishes: {} x {} in {}.",
        duration(Duration::from_secs_f64(slowest.seconds)),
        slowest.requests,
        slowest.what,
        slowest.place
    ))
}

/// The fields of a thing to be made, by where they are written: name and value.
struct Fields<'a> {
    values: Values,
    listed: Vec<NamedValue<'a>>,
    /// Paragraphs of their own.
    below: Vec<(Cow<'a, str>, Vec<NamedValue<'a>>)>,
}

type NamedValue<'a> = (Cow<'a, str>, Cow<'a, str>);

impl<'a> Fields<'a> {
    fn add(&mut self, path: Cow<'a, str>, value: &'a Value) {
        let values = self.values;
        if let Some(inline) = values.short(value) {
            return self.listed.push((path, inline.into()));
        }
        // All others are short.
        let Value::Object(fields) = value else { return };
        let fields = fields.iter().filter(|(_, value)| !values::is_empty(value));
        if path.contains('.') {
            self.below.push((path, fields.map(|(name, value)| (shown(name), values.inline(value).into())).collect()));
        } else {
            // A map of things by name, as containers: a paragraph for each.
            fields.for_each(|(name, value)| self.add(format!("{path}.{}", shown(name)).into(), value));
        }
    }
}

fn heading(scope: &Scope, place: &Place) -> Phrase {
    let name = format!("{} / {} / {}", shown(&scope.tier), shown(&scope.cell), shown(&scope.infra_group));
    Phrase::new().unit(tone::STRONG, name).unit(tone::FAINT, format!(" ({place})"))
}

fn symbol(action: Action) -> (&'static str, Style) {
    match action {
        Action::Create => ("+", tone::CREATE),
        Action::Update => ("~", tone::UPDATE),
        Action::Replace => ("-/+", tone::REPLACE),
        Action::Delete => ("-", tone::DELETE),
        Action::Blocked => ("!", tone::BLOCKED),
    }
}

/// An ARN without account and Region, which stand in the heading.
fn short_id(id: &str) -> Cow<'_, str> {
    let resource = id.strip_prefix("arn:").and_then(|rest| rest.splitn(5, ':').nth(4));
    shown(resource.unwrap_or(id))
}

/// Tags that everything to be created has, said once; none where a single thing has them.
fn common_tags<'a>(changes: &[&'a Change]) -> BTreeSet<(&'a str, &'a str)> {
    let mut tagged =
        changes.iter().filter(|change| change.action == Action::Create).map(|change| tags(change)).filter(|tags| !tags.is_empty());
    let first = tagged.next().unwrap_or_default();
    let mut others = 0;
    let common = tagged.inspect(|_| others += 1).fold(first, |common, tags| common.intersection(&tags).copied().collect());
    if others > 0 { common } else { BTreeSet::new() }
}

fn tags(change: &Change) -> BTreeSet<(&str, &str)> {
    change.fields.iter().filter_map(|field| Some((field.path.strip_prefix("tags.")?, field.after.as_str()?))).collect()
}

fn is_unsaid(change: &Change, field: &FieldChange, common: &BTreeSet<(&str, &str)>) -> bool {
    if let Some(tag) = field.path.strip_prefix("tags.") {
        let value = field.after.as_str().unwrap_or_default();
        // The name that AWS's console shows is the identity over again.
        return common.contains(&(tag, value)) || tag == "Name" && value.ends_with(&change.name);
    }
    matches!(change.subject, Subject::Resource(kind) if UNSAID.contains(&(kind, field.path.as_str())))
}

/// Two lists; one of them may not be there.
fn lists<'a>(before: &'a Value, after: &'a Value) -> Option<(&'a [Value], &'a [Value])> {
    match (before, after) {
        (Value::Array(old), Value::Array(new)) => Some((old, new)),
        (Value::Array(old), Value::Null) => Some((old, &[])),
        (Value::Null, Value::Array(new)) => Some((&[], new)),
        _ => None,
    }
}

fn is_plain(items: &[Value]) -> bool {
    items.iter().all(|item| !item.is_object() && !item.is_null())
}

fn is_document(values: Values, value: &Value) -> bool {
    match value {
        Value::Array(items) => !values.is_list(items),
        Value::Object(_) => !values.is_list(std::slice::from_ref(value)) || value.get("Statement").is_some(),
        _ => false,
    }
}

fn before_after(title: Phrase, old: &str, new: &str) -> Phrase {
    title.unit(tone::PLAIN, old).unit(tone::FAINT, "->").unit(tone::PLAIN, new)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::report::testing::*;
    use crate::resources::model::Condition;

    fn wide(plan: &Plan) -> String {
        render(plan, &Paint::plain(120), &PlanNotes::default())
    }

    fn inherited() -> Inherited {
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        Inherited {
            endpoints: names(&["bidder", "user-profiles", "cache", "ecr-api", "ecr-dkr", "logs", "artifacts"]),
            roles: names(&["execution", "task"]),
            listener: "port-80".into(),
            log_group: "/tierctl/high-tps/cell-1/ig-1".into(),
        }
    }

    fn notes() -> PlanNotes {
        PlanNotes { inherited: BTreeMap::from([(group(), inherited())]) }
    }

    fn policy(actions: &[&str]) -> Value {
        json!([
            {"Action": actions, "Effect": "Allow", "Resource": ["arn:aws:s3:::ads-artifacts/*"]},
            {"Action": ["dynamodb:GetItem"], "Effect": "Allow", "Resource": ["*"]},
        ])
    }

    /// One of everything that can happen.
    fn everything() -> Plan {
        let group = group();
        let mut changes = vec![
            Change {
                action: Action::Replace,
                reason: Some("AWS cannot change service_name in place".into()),
                ..update(
                    &group,
                    Kind::VpcEndpoint,
                    "cache",
                    "vpce-0c2d3e4f5a6b7c889",
                    vec![forcing("service_name", json!("com.amazonaws.us-east-1.old"), json!("com.amazonaws.us-east-1.new"))],
                )
            },
            update(&group, Kind::LogGroup, "logs", "/tierctl/high-tps/cell-1/ig-1", vec![field("retention_in_days", json!(14), json!(30))]),
            delete(&group, Kind::VpcEndpoint, "legacy", "vpce-01c2d3e4f5a6b7c88", "no longer in the spec"),
            Change {
                action: Action::Blocked,
                reason: Some(
                    "AWS cannot change cidr_block in place: it cannot be replaced while 2 tenants live here (acme, globex). Add an infra group \
                     with the new settings, move the tenants there (offboard, then onboard with a `placement`), and retire this one"
                        .into(),
                ),
                ..update(&group, Kind::Vpc, "vpc", "vpc-0aa11bb22cc33dd44", vec![forcing("cidr_block", json!("10.20.0.0/16"), json!("10.30.0.0/16"))])
            },
        ];
        changes.extend(tenant("acme"));
        changes.push(Change::blocked(
            Subject::Tenant,
            &group.with_tenant("umbrella"),
            "umbrella",
            &place(),
            "the infra group is full (high-tps/cell-1/ig-1: 50 of 50 places used, tenants.max_per_infra_group is 50). Add an infra group",
        ));
        let other = Scope::infra_group("high-tps", "cell-1", "ig-9");
        Plan {
            unclaimed: vec![
                unclaimed(&other, Kind::Vpc, "vpc", "vpc-0ddddddddddddddd0"),
                unclaimed(&other, Kind::LoadBalancer, "load-balancer", "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/x/50dc"),
            ],
            waits: vec![wait(
                &group,
                Kind::VpcEndpoint,
                "bidder",
                Condition::Blocked("pendingAcceptance: the owner of vpce-svc-0a1b2c3d4e5f60718 has to accept it".into()),
            )],
            warnings: vec!["high-tps/cell-1/ig-1/acme: rule arn:x (not this tenant's, priority 7) matches /ac*, which this tenant's route can match too; the lower priority number wins".into()],
            ..plan(changes)
        }
    }

    #[test]
    fn a_first_apply() {
        assert_snapshot!(wide(&plan(tier())));
    }

    #[test]
    fn a_first_apply_on_a_narrow_terminal() {
        assert_snapshot!(render(&plan(tier()), &Paint::plain(60), &PlanNotes::default()));
    }

    #[test]
    fn a_tenant_names_what_it_inherits() {
        assert_snapshot!(render(&plan(tenant("acme")), &Paint::plain(120), &notes()));
    }

    #[test]
    fn a_second_tenant_inherits_the_same() {
        let changes = [tenant("acme"), tenant("globex")].map(|mut changes| changes.drain(..2).collect::<Vec<_>>()).concat();
        assert_snapshot!(render(&plan(changes), &Paint::plain(60), &notes()));
    }

    #[test]
    fn every_form_of_update() {
        let scope = &group();
        let rule = |port: u16, peer: &str| json!({"protocol": "tcp", "from_port": port, "to_port": port, "peer": peer});
        let of = |name| reference(scope, Kind::SecurityGroup, name);
        let unknown = |path: &str, before, after| FieldChange { after_unknown: true, ..field(path, before, after) };
        let rules = Change {
            desired: Some(desired(
                scope,
                Kind::SecurityGroupRules,
                "tasks-egress",
                json!({"direction": "egress", "rules": [rule(443, "sg-0443"), {"protocol": "tcp", "from_port": 6379, "to_port": 6379, "peer": of("endpoints-6379")}]}),
            )),
            ..update(
                scope,
                Kind::SecurityGroupRules,
                "tasks-egress",
                "sg-0123456789abcdef0:egress",
                vec![unknown("rules", json!([rule(443, "sg-0443"), rule(8443, "sg-8443")]), json!([rule(443, "sg-0443"), {"peer": null}]))],
            )
        };
        let endpoint = update(
            scope,
            Kind::VpcEndpoint,
            "bidder",
            "vpce-0aa11bb22cc33dd44",
            vec![
                field("private_dns_enabled", json!(false), json!(true)),
                field("subnet_ids", json!(["subnet-1", "subnet-2", "subnet-3"]), json!(["subnet-2", "subnet-3", "subnet-4"])),
                field("policy.Statement", policy(&["s3:GetObject"]), policy(&["s3:GetObject", "s3:PutObject"])),
                field("tags.team", json!("ads"), json!("ads-platform")),
                field("tags.cost-center", Value::Null, json!("4711")),
            ],
        );
        let role = update(
            scope,
            Kind::Role,
            "task",
            "arn:aws:iam::123456789012:role/tierctl/high-tps/cell-1/ig-1/task-9c01de",
            vec![
                field("permissions_boundary", json!("arn:aws:iam::123456789012:policy/boundary"), Value::Null),
                field("managed_policies", json!([]), json!(["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"])),
                field("inline_policies.tierctl", Value::Null, json!({"Statement": policy(&["s3:GetObject"]), "Version": "2012-10-17"})),
                field("inline_policies.byhand", json!({"Statement": policy(&["s3:*"]), "Version": "2012-10-17"}), Value::Null),
            ],
        );
        let task = update(
            &acme(),
            Kind::TaskDefinition,
            "task-definition",
            "arn:aws:ecs:us-east-1:123456789012:task-definition/high-tps-cell-1-ig-1-acme:7",
            vec![
                field("cpu", json!("512"), json!("1024")),
                field(
                    "containers.app.image",
                    json!("123456789012.dkr.ecr.us-east-1.amazonaws.com/ad-server:1.42.0"),
                    json!("123456789012.dkr.ecr.us-east-1.amazonaws.com/ad-server:1.43.0"),
                ),
                field("containers.app.command", json!(["serve", "--port=8080"]), json!(["serve", "--port=8080", "--fast"])),
                field("containers.app.environment.DEBUG", json!("1"), Value::Null),
                field("containers.app.ports", json!([8080]), json!([8081])),
                field("containers.log", Value::Null, json!({"image": "fluent-bit:3", "essential": false})),
                field("ephemeral_storage", json!(30), json!("30")),
            ],
        );
        let unknown_id = unknown("task_definition", json!("arn:aws:ecs:us-east-1:123456789012:task-definition/x:7"), Value::Null);
        let service = Change {
            desired: Some(desired(
                &acme(),
                Kind::Service,
                "service",
                json!({"task_definition": reference(&acme(), Kind::TaskDefinition, "task-definition")}),
            )),
            ..update(&acme(), Kind::Service, "service", "arn:aws:ecs:us-east-1:123456789012:service/x/acme", vec![unknown_id])
        };
        let rule = update(
            &acme(),
            Kind::ListenerRule,
            "listener-rule",
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/x/1/2/3",
            vec![
                unknown("priority", json!(60_000), Value::Null),
                field(
                    "conditions",
                    json!([{"field": "path-pattern", "values": ["/acme", "/acme/*"]}]),
                    json!([{"field": "path-pattern", "values": ["/acme", "/acme/*", "/ac/*"]}]),
                ),
            ],
        );
        assert_snapshot!(wide(&plan(vec![rules, endpoint, role, rule, task, service])));
    }

    #[test]
    fn everything_at_once() {
        assert_snapshot!(render(&everything(), &Paint::plain(120), &notes()));
    }

    #[test]
    fn everything_at_once_on_a_narrow_terminal() {
        assert_snapshot!(render(&everything(), &Paint::plain(60), &notes()));
    }

    #[test]
    fn everything_at_once_in_colour() {
        let text = render(&everything(), &Paint { color: true, width: 120 }, &notes());
        assert_snapshot!(readable(&text));
    }

    #[test]
    fn colour_changes_no_line() {
        let text = readable(&render(&everything(), &Paint { color: true, width: 70 }, &notes()));
        let codes = ["{0}", "{1}", "{2}", "{31}", "{32}", "{33}", "{35}"];
        let plain = codes.iter().fold(text, |text, code| text.replace(code, ""));
        assert_eq!(plain, render(&everything(), &Paint::plain(70), &notes()));
    }

    #[test]
    fn nothing_to_do() {
        let empty = Plan { unchanged: 61, ..Plan::default() };
        assert_snapshot!(wide(&empty), @"No changes. 61 things are as the specs say.");
        let waits = vec![wait(&acme(), Kind::Service, "service", Condition::Pending("1 of 2 tasks running".into()))];
        assert_snapshot!(wide(&Plan { waits, ..empty }), @r"
        As the specs say, and not ready yet:
          service (high-tps/cell-1/ig-1/acme): 1 of 2 tasks running

        No changes. 61 things are as the specs say, 1 of them not ready yet.
        ");
    }

    #[test]
    fn narrow_lines_hold_no_more_than_one_long_word_too_many() {
        for line in render(&everything(), &Paint::plain(60), &notes()).lines() {
            let is_document = line.trim_start().starts_with(['"', '+', '-']);
            assert!(line.chars().count() <= 60 || line.split_whitespace().count() <= 3 || is_document, "{line}");
        }
    }

    #[test]
    fn what_others_wrote_cannot_act_on_the_terminal() {
        let name = "a\u{1b}[2Jb";
        let text =
            wide(&plan(vec![update(&group(), Kind::Vpc, name, name, vec![field(&format!("tags.{name}"), json!(name), json!([name]))])]));
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
