//! A plan as Markdown for a comment on a pull request, in the dialect of GitHub: what it comes to, what goes, what is
//! blocked, then a table for each infra group with the changes of all its tenants that are the same in one row, and all of
//! it as text, folded away.
//!
//! Whatever comes from specs or from AWS stands in code or is escaped, so that it can mention nobody, link nowhere and end
//! no table. The same plan gives the same bytes.

use std::collections::BTreeMap;

use super::plan_text::{self, PlanNotes};
use super::values::{self, Values, shown};
use super::{Paint, thing};
use crate::plan::{Action, Change, Plan, Subject};
use crate::report::paint::JOINT;
use crate::resources::model::{Place, Scope};
use crate::words::count;

/// Fields that a row shows before it only counts the rest.
const FIELDS: usize = 3;
/// Tenants named in a row before the rest are only counted.
const TENANTS: usize = 3;
/// Characters of a value in a row.
const VALUE: usize = 80;
/// Width of the text in the details.
const WIDTH: usize = 120;
/// Stands for a table for which there is no room.
const NO_TABLE: &str = "*Its table is too long for a comment.*\n\n";
/// Kept free for the lines that say what was cut.
const RESERVE: usize = 256;

/// At most `max_bytes` long, unless what has to be said takes more: the counts, what goes, and what is blocked.
pub fn render(plan: &Plan, notes: &PlanNotes, max_bytes: usize) -> String {
    let head = head(plan);
    let groups = groups(plan);
    let headings: Vec<String> = groups.iter().map(|(scope, changes)| heading(scope, changes)).collect();
    let least: usize = headings.iter().map(|heading| heading.len() + NO_TABLE.len()).sum();
    let mut room = Room(max_bytes.saturating_sub(head.len() + least + RESERVE));
    // Every table comes before any details, and what is no change before both.
    let tail: Vec<Option<String>> = tail(plan).into_iter().map(|line| room.take(line)).collect();
    let tables: Vec<Option<String>> = groups.values().map(|changes| room.take(table(plan, changes))).collect();
    let details = groups.values().map(|changes| details(plan, changes, notes, room.0).and_then(|text| room.take(text)));
    let details: Vec<Option<String>> = details.collect();
    let cut = |parts: &[Option<String>]| parts.iter().filter(|part| part.is_none()).count();
    let (lines, folded) = (cut(&tail), cut(&details));
    let mut page = head;
    for ((heading, table), details) in headings.iter().zip(tables).zip(details) {
        page.push_str(heading);
        page.push_str(table.as_deref().unwrap_or(NO_TABLE));
        page.push_str(&details.unwrap_or_default());
    }
    page.extend(tail.into_iter().flatten());
    let parts = [(folded, "the details of an infra group", "the details of so many infra groups"), (lines, "a note", "so many notes")];
    for (number, one, many) in parts.into_iter().filter(|(number, _, _)| *number > 0) {
        page.push_str(&format!("\n*Cut: {} ({number}). `tierctl plan` shows all.*\n", if number == 1 { one } else { many }));
    }
    page
}

/// Bytes that are left.
struct Room(usize);

impl Room {
    /// The text, if there is room for it.
    fn take(&mut self, text: String) -> Option<String> {
        self.0 = self.0.checked_sub(text.len())?;
        Some(text)
    }
}

fn groups(plan: &Plan) -> BTreeMap<Scope, Vec<&Change>> {
    let mut groups: BTreeMap<Scope, Vec<&Change>> = BTreeMap::new();
    for change in &plan.changes {
        groups.entry(change.scope.without_tenant()).or_default().push(change);
    }
    groups
}

/// What it comes to, and what nobody may overlook.
fn head(plan: &Plan) -> String {
    let summary = plan.summary();
    let mut page = String::new();
    let verdict = match (plan.has_steps(), plan.is_blocked()) {
        _ if !plan.unread.is_empty() => "Not complete: a part could not be read",
        _ if !plan.exceeded.is_empty() => "Blocked: more than is allowed",
        (false, false) => plan_text::nothing_to_do(plan),
        (true, false) => "Can be carried out",
        (false, true) => "Blocked",
        (true, true) => "Blocked in part",
    };
    page.push_str(&format!("### tierctl plan: {verdict}\n\n"));
    page.push_str("| create | change | replace | delete | unchanged | blocked |\n|---:|---:|---:|---:|---:|---:|\n");
    let counts = [summary.create, summary.update, summary.replace, summary.delete, summary.unchanged, summary.blocked];
    page.push_str(&format!("| {} |\n\n", counts.map(|count| count.to_string()).join(" | ")));
    page.extend(plan_text::from_tags(plan).map(|line| format!("**Quick:** {}. {} looks.\n\n", text(&line), code("tierctl plan", false))));
    page.extend(plan_text::rate_limit(plan).map(|line| format!("{}\n\n", text(&line))));
    page.extend(plan.exceeded.iter().map(|exceeded| format!("**Too much:** {}.\n\n", text(exceeded))));
    if !plan.unread.is_empty() {
        page.push_str("#### What could not be read\n\nNothing is said of it, and nothing done there.\n\n");
        for unread in &plan.unread {
            let name = code(&format!("{}/{}", unread.tier, unread.cell), false);
            page.push_str(&format!("- {name} ({}): {}\n", text(&unread.place.to_string()), text(&unread.reason)));
        }
        page.push('\n');
    }
    if !plan.elsewhere.is_empty() {
        let names: Vec<String> = plan.elsewhere.iter().map(|(tier, tenant)| code(&format!("{tenant} of {tier}"), false)).collect();
        page.push_str(&format!("{}: {}. {}.\n\n", plan_text::ELSEWHERE, names.join(", "), plan_text::NEW_ONES));
    }
    let mut list = |title: &str, is_of: &dyn Fn(&Change) -> bool| {
        let lines: Vec<String> = plan.changes.iter().filter(|change| is_of(change)).map(line).collect();
        if !lines.is_empty() {
            page.push_str(&format!("#### {title}\n\n{}\n", lines.concat()));
        }
    };
    list("What is deleted or replaced", &|change| matches!(change.action, Action::Delete | Action::Replace));
    list("What is blocked", &|change| change.action == Action::Blocked);
    page
}

/// One change on a line of its own, with its reason.
fn line(change: &Change) -> String {
    let what = match change.subject {
        Subject::Resource(kind) => thing(kind, &change.name),
        subject => subject.name().replace('_', " "),
    };
    let id = change.live.as_ref().map(|live| format!(" {}", code(&live.id, false))).unwrap_or_default();
    let reason = change.reason.as_deref().map(|reason| format!(": {}", text(reason))).unwrap_or_default();
    format!("- {} {}{id} of {}{reason}\n", verb(change.action), code(&what, false), code(&change.scope.to_string(), false))
}

fn heading(scope: &Scope, changes: &[&Change]) -> String {
    let place = changes.first().map(|change: &&Change| &change.place);
    let place = place.map(|Place { account, region }| format!(" (account {account}, {region})")).unwrap_or_default();
    format!("#### {}{}\n\n", code(&scope.to_string(), false), text(&place))
}

/// What a row is about; changes that do not differ in any of this share one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    is_tenants: bool,
    subject: Subject,
    name: String,
    action: Action,
    what: String,
}

fn table(plan: &Plan, changes: &[&Change]) -> String {
    let dependents = changes.iter().find_map(|change| plan.dependents(change)).filter(|number| *number > 0);
    let tier = match dependents {
        Some(number) => format!("the tier of {}", count(number, "tenant", "tenants")),
        None => "the tier".to_string(),
    };
    let mut rows: BTreeMap<Row, Vec<&str>> = BTreeMap::new();
    for change in changes {
        let row = Row {
            is_tenants: change.is_tenants(),
            subject: change.subject,
            name: change.name.clone(),
            action: change.action,
            what: what(change),
        };
        rows.entry(row).or_default().extend(change.scope.tenant.as_deref());
    }
    let mut page = String::from("| | thing | of | what |\n|---|---|---|---|\n");
    for (row, mut tenants) in rows {
        tenants.sort_unstable();
        tenants.dedup();
        let of = match tenants.as_slice() {
            [] => tier.clone(),
            [one] => format!("tenant {}", code(one, true)),
            many => {
                let named: Vec<String> = many.iter().take(TENANTS).map(|name| code(name, true)).collect();
                let rest = match many.len() - named.len() {
                    0 => String::new(),
                    rest => format!(" and {rest} more"),
                };
                format!("{} tenants: {}{rest}", many.len(), named.join(", "))
            }
        };
        let thing = match row.subject {
            Subject::Resource(kind) => thing(kind, &row.name),
            subject => subject.name().replace('_', " "),
        };
        page.push_str(&format!("| {} | {} | {of} | {} |\n", verb(row.action), code(&thing, true), row.what));
    }
    page.push('\n');
    page
}

/// What a change does, in a cell of a table.
fn what(change: &Change) -> String {
    if let Some(reason) = &change.reason {
        return text(reason);
    }
    if change.action == Action::Create {
        return String::new();
    }
    let values = Values::of(change);
    let value = |value: &serde_json::Value| cut(&values.inline(value));
    let fields = change.fields.iter().take(FIELDS).map(|field| {
        let path = code(&field.path, true);
        let after = values::after(change, field);
        let by_hand = values::by_hand(field).map_or(String::new(), |said| format!(" ({said})"));
        let said = match (field.after_unknown, field.before.is_null(), after.is_null()) {
            // Another id for each tenant says nothing in a review.
            (true, _, _) => format!("{path}: a new one"),
            (false, true, _) => format!("{path}: {}", code(&value(after), true)),
            (false, false, true) => format!("{path}: {} removed", code(&value(&field.before), true)),
            (false, false, false) => format!("{path}: {} -> {}", code(&value(&field.before), true), code(&value(after), true)),
        };
        said + &by_hand
    });
    let mut fields: Vec<String> = fields.collect();
    if change.fields.len() > FIELDS {
        fields.push(format!("and {} more", count(change.fields.len() - FIELDS, "field", "fields")));
    }
    fields.join("<br>")
}

fn cut(value: &str) -> String {
    match value.char_indices().nth(VALUE) {
        Some((at, _)) => format!("{}...", &value[..at]),
        None => value.to_string(),
    }
}

/// The infra group's part of the plan as text; nothing where that alone is longer than `most` bytes.
fn details(plan: &Plan, changes: &[&Change], notes: &PlanNotes, most: usize) -> Option<String> {
    // A space takes one byte, and the space at which no line is broken two.
    let text = plan_text::changes(changes, plan, &Paint::plain(WIDTH), notes, most.saturating_mul(2))?.replace(JOINT, " ");
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    let title = count(changes.len(), "change", "changes");
    Some(format!("<details><summary>{title} in full</summary>\n\n{fence}text\n{}\n{fence}\n\n</details>\n\n", text.trim_end()))
}

/// What is no change, line by line: warnings, waits, what no spec names.
fn tail(plan: &Plan) -> Vec<String> {
    let waits = plan.waits.iter().filter_map(|wait| {
        let key = &wait.desired.key;
        let why = wait.live.condition.reason()?;
        let (thing, scope) = (thing(key.kind, &key.name), key.scope.to_string());
        Some(format!("- Not ready yet: {} of {}: {}\n", code(&thing, false), code(&scope, false), text(why)))
    });
    let unclaimed = plan.unclaimed.iter().map(|item| {
        let (thing, scope) = (thing(item.key.kind, &item.key.name), item.key.scope.to_string());
        format!(
            "- No spec names it, and nothing is done to it: {} {} of {}\n",
            code(&thing, false),
            code(&item.id, false),
            code(&scope, false)
        )
    });
    let warnings = plan.warnings.iter().map(|warning| format!("- Warning: {}\n", text(warning)));
    warnings.chain(waits).chain(unclaimed).collect()
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "change",
        Action::Replace => "**replace**",
        Action::Delete => "**delete**",
        Action::Blocked => "**blocked**",
    }
}

/// Code, in which nothing means anything; in a table a pipe has to be escaped all the same.
fn code(text: &str, in_table: bool) -> String {
    let text = shown(text).replace(JOINT, " ");
    let fence = "`".repeat(longest_run(&text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    let code = format!("{fence}{space}{text}{space}{fence}");
    if in_table { code.replace('|', "\\|") } else { code }
}

fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or_default()
}

/// Running text: nothing in it is markup, a mention, a reference or a link.
fn text(text: &str) -> String {
    const NOTHING: char = '\u{200b}';
    let mut out = String::new();
    let mut rest = shown(text).replace(JOINT, " ");
    // What scripts and people can copy stays as it is.
    rest = rest.replace("://", &format!(":{NOTHING}//")).replace("www.", &format!("www{NOTHING}."));
    for character in rest.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' | '#' => out.extend([character, NOTHING]),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' => out.extend(['\\', character]),
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::plan::FieldChange;
    use crate::report::testing::{acme, create, delete, field, forcing, group, place, plan, tier, unclaimed, update, wait};
    use crate::resources::Kind;
    use crate::resources::model::Condition;

    const ENOUGH: usize = 60_000;

    fn image(tenant: &str, from: &str, to: &str) -> Vec<Change> {
        let scope = group().with_tenant(tenant);
        let arn = format!("arn:aws:ecs:us-east-1:123456789012:task-definition/{tenant}:7");
        let unknown = FieldChange { after_unknown: true, ..field("task_definition", json!(arn), json!(null)) };
        vec![
            update(&scope, Kind::TaskDefinition, "task-definition", &arn, vec![field("containers.app.image", json!(from), json!(to))]),
            update(&scope, Kind::Service, "service", &format!("arn:aws:ecs:us-east-1:123456789012:service/x/{tenant}"), vec![unknown]),
        ]
    }

    fn everything() -> Plan {
        let mut changes = tier();
        changes.truncate(2);
        changes.push(Change {
            action: Action::Replace,
            reason: Some("AWS cannot change service_name in place".into()),
            ..update(&group(), Kind::VpcEndpoint, "cache", "vpce-1", vec![forcing("service_name", json!("a"), json!("b"))])
        });
        changes.push(delete(&group(), Kind::VpcEndpoint, "legacy", "vpce-2", "no longer in the spec"));
        changes.extend(["acme", "globex", "hooli", "initech"].iter().flat_map(|tenant| image(tenant, "ad:1.41.0", "ad:1.42.0")));
        changes.push(create(&group().with_tenant("new"), Kind::Cluster, "cluster", json!({"cluster_name": "x"})));
        let full = Change::blocked(Subject::Tenant, &group().with_tenant("umbrella"), "umbrella", &place(), "the infra group is full");
        changes.push(full);
        Plan {
            unclaimed: vec![unclaimed(&Scope::infra_group("high-tps", "cell-1", "ig-9"), Kind::Vpc, "vpc", "vpc-9")],
            waits: vec![wait(&group(), Kind::VpcEndpoint, "bidder", Condition::Blocked("the owner has to accept it".into()))],
            warnings: vec!["something".into()],
            ..plan(changes)
        }
    }

    #[test]
    fn every_form() {
        assert_snapshot!(render(&everything(), &PlanNotes::default(), ENOUGH));
    }

    #[test]
    fn nothing_to_do() {
        assert_snapshot!(render(&plan(Vec::new()), &PlanNotes::default(), ENOUGH));
    }

    #[test]
    fn the_same_change_of_many_tenants_is_one_row() {
        let changes: Vec<Change> = (0..47).flat_map(|number| image(&format!("tenant-{number:02}"), "ad:1.41.0", "ad:1.42.0")).collect();
        let page = render(&plan(changes), &PlanNotes::default(), ENOUGH);
        let row = "| change | `task_definition` | 47 tenants: `tenant-00`, `tenant-01`, `tenant-02` and 44 more | \
                   `containers.app.image`: `ad:1.41.0` -> `ad:1.42.0` |";
        assert!(page.contains(row), "{page}");
        let rows = page.lines().filter(|line| line.starts_with("| change |")).count();
        assert_eq!(rows, 2, "the revision and the service: {page}");
    }

    #[test]
    fn what_others_wrote_is_only_text() {
        let nasty = "a|b `c` ``d`` <img src=x> @everyone #12 [x](https://example.com) *b*\n| c |";
        let changes = vec![
            update(&acme(), Kind::Service, "service", "arn", vec![field("command", json!(nasty), json!("x"))]),
            Change::blocked(Subject::Tenant, &acme(), "acme", &place(), nasty),
        ];
        let page = render(&plan(changes), &PlanNotes::default(), ENOUGH);
        let outside: Vec<&str> = page.split("<details>").next().into_iter().flat_map(str::lines).collect();
        for line in outside {
            let prose = without_code(line);
            for forbidden in ["<img", "@everyone", "#12", "](", "://", "*b*"] {
                assert!(!prose.contains(forbidden), "{forbidden} in {line}");
            }
        }
        let rows = page.lines().filter(|line| line.starts_with("| change") || line.starts_with("| **blocked"));
        rows.for_each(|row| assert_eq!(row.replace("\\|", "").matches('|').count(), 5, "{row}"));
        let body = page.split("```text\n").nth(1).or(page.split("````text\n").nth(1)).unwrap_or_default();
        assert!(body.matches("</details>").count() == 1, "{page}");
    }

    /// A line without its code spans and without what is escaped.
    fn without_code(line: &str) -> String {
        let mut out = String::new();
        let mut rest =
            ["`", "[", "]", "*", "_", "|", "\\"].iter().fold(line.to_string(), |line, mark| line.replace(&format!("\\{mark}"), ""));
        while let Some(start) = rest.find('`') {
            let run = rest[start..].chars().take_while(|character| *character == '`').count();
            let fence = "`".repeat(run);
            out.push_str(&rest[..start]);
            rest = match rest[start + run..].find(&fence) {
                Some(end) => rest[start + run + end + run..].to_string(),
                None => String::new(),
            };
        }
        out + &rest
    }

    #[test]
    fn details_are_cut_and_deletions_never() {
        let groups = (0..20).map(|number| Scope::infra_group("high-tps", "cell-1", &format!("ig-{number:02}")));
        let changes = groups.flat_map(|scope| {
            let tenants = (0..50).map(|number| {
                let fields = vec![field("containers.app.image", json!(format!("ad:{number}")), json!("ad:2"))];
                update(&scope.with_tenant(&format!("t-{number}")), Kind::TaskDefinition, "task-definition", "arn", fields)
            });
            let mut changes: Vec<Change> = tenants.collect();
            changes.push(delete(&scope, Kind::VpcEndpoint, "legacy", &format!("vpce-{}", scope.infra_group), "no longer in the spec"));
            changes
        });
        let all = plan(changes.collect());
        for bytes in [4_500, 8_000, 20_000, 60_000] {
            let warnings = (0..40).map(|number| format!("{number} is worth a note")).collect();
            let page = render(&Plan { warnings, ..all.clone() }, &PlanNotes::default(), bytes);
            assert!(page.len() <= bytes, "{} of {bytes}", page.len());
            assert_eq!(page.matches("- **delete** `vpc_endpoint legacy`").count(), 20);
            assert!(page.contains("*Cut: "), "{page}");
        }
    }
}
