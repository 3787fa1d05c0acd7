//! What lives where: cells, infra groups, their places, and each tenant's health. Text and JSON come from one struct.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::{Value, json};

use super::{FORMAT_VERSION, Paint, Phrase, RunInfo, shown, tone};
use crate::words::count;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    pub tiers: Vec<TierStatus>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TierStatus {
    pub name: String,
    pub cells: Vec<CellStatus>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CellStatus {
    pub name: String,
    pub account: String,
    pub region: String,
    /// Why the cell could not be read; then nothing of it is known.
    pub unread: Option<String>,
    pub infra_groups: Vec<InfraGroupStatus>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InfraGroupStatus {
    pub name: String,
    pub capacity: usize,
    pub used: usize,
    pub free: usize,
    /// What limits the places, in words.
    pub limit: String,
    /// Whether a new tenant can be onboarded: all that it inherits is there and works.
    pub ready: bool,
    /// Where the load balancer takes requests, if it is ours and there.
    pub dns_name: Option<String>,
    /// What of the tier is not there or does not work, in words.
    pub missing: Vec<String>,
    pub tenants: Vec<TenantStatus>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TenantStatus {
    pub name: String,
    /// The expected revision runs, its roll-out is complete, and its targets are healthy.
    pub ready: bool,
    /// `healthy`, or what is amiss in words.
    pub health: String,
    /// Tasks; none for a tenant that registers addresses.
    pub desired: Option<usize>,
    pub running: Option<usize>,
}

impl Status {
    pub fn to_json(&self, run: &RunInfo) -> Value {
        json!({ "format_version": FORMAT_VERSION, "tiers": self.tiers, "run": run.document() })
    }

    pub fn to_text(&self, paint: &Paint) -> String {
        let mut page = Page { paint, text: String::new() };
        if self.tiers.is_empty() {
            page.line(0, 0, &Phrase::new().words(tone::PLAIN, "There is no tier."));
        }
        for (index, tier) in self.tiers.iter().enumerate() {
            if index > 0 {
                page.text.push('\n');
            }
            page.tier(tier);
        }
        page.text
    }
}

struct Page<'a> {
    paint: &'a Paint,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, indent: usize, hang: usize, phrase: &Phrase) {
        phrase.write(&mut self.text, self.paint, indent, hang);
    }

    fn tier(&mut self, tier: &TierStatus) {
        let groups = || tier.cells.iter().flat_map(|cell| &cell.infra_groups);
        let tenants: usize = groups().map(|group| group.tenants.len()).sum();
        let ailing = groups().flat_map(|group| &group.tenants).filter(|tenant| !tenant.ready).count();
        let free: usize = groups().map(|group| group.free).sum();
        let mut said = vec![count(tenants, "tenant", "tenants")];
        if ailing > 0 {
            said.push(format!("{ailing} not ready"));
        }
        said.push(format!("{} free", count(free, "place", "places")));
        let title = Phrase::new().unit(tone::STRONG, shown(&tier.name)).glue(tone::PLAIN, ":");
        self.line(0, 2, &title.words(tone::PLAIN, &said.join(", ")));
        for cell in &tier.cells {
            self.text.push('\n');
            let place = format!("(account {}, {})", cell.account, cell.region);
            self.line(2, 4, &Phrase::new().unit(tone::STRONG, shown(&cell.name)).unit(tone::FAINT, place));
            if let Some(reason) = &cell.unread {
                self.line(4, 6, &Phrase::new().unit(tone::BLOCKED, "could not be read:").words(tone::PLAIN, &shown(reason)));
            }
            for group in &cell.infra_groups {
                self.infra_group(group);
            }
        }
    }

    fn infra_group(&mut self, group: &InfraGroupStatus) {
        let (state, style) = match (group.ready, group.free) {
            (false, _) => ("not ready", tone::DELETE),
            (true, 0) => ("full", tone::UPDATE),
            (true, _) => ("ready", tone::CREATE),
        };
        let places = format!("{} of {} used, {} free", group.used, count(group.capacity, "place", "places"), group.free);
        let mut phrase = Phrase::new().unit(tone::STRONG, shown(&group.name)).glue(tone::PLAIN, ":").words(style, state);
        phrase = phrase.glue(tone::PLAIN, ",").words(tone::PLAIN, &places);
        if !group.limit.is_empty() {
            phrase = phrase.words(tone::FAINT, &format!("({})", shown(&group.limit)));
        }
        self.line(4, 6, &phrase);
        if let Some(name) = &group.dns_name {
            self.line(6, 8, &Phrase::new().words(tone::FAINT, "requests to").unit(tone::PLAIN, shown(name)));
        }
        for missing in &group.missing {
            self.line(6, 8, &Phrase::new().unit(tone::DELETE, "!").words(tone::PLAIN, &shown(missing)));
        }
        if !group.tenants.is_empty() {
            self.tenants(&group.tenants);
        }
    }

    fn tenants(&mut self, tenants: &[TenantStatus]) {
        const INDENT: usize = 6;
        let has_tasks = tenants.iter().any(|tenant| tenant.desired.is_some() || tenant.running.is_some());
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(self.paint.width.saturating_sub(INDENT)).unwrap_or(u16::MAX));
        let faint = |text: &str| self.paint.style(tone::FAINT, text);
        let columns = [("TENANT", true), ("TASKS", has_tasks), ("HEALTH", true)];
        table.set_header(columns.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| faint(name)));
        for tenant in tenants {
            let style = if tenant.ready { tone::CREATE } else { tone::DELETE };
            let tasks = share(tenant.running, tenant.desired);
            let mut row = vec![Cell::new(shown(&tenant.name))];
            row.extend(has_tasks.then(|| Cell::new(tasks).set_alignment(CellAlignment::Right)));
            row.push(Cell::new(self.paint.style(style, &shown(&tenant.health))));
            table.add_row(row);
        }
        if let Some(first) = table.column_mut(0) {
            first.set_padding((0, 1));
        }
        for line in table.lines() {
            self.text.push_str(&" ".repeat(INDENT));
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }
}

/// As `1/2`; a question mark for what was not read, and a dash where there is nothing to count.
fn share(part: Option<usize>, whole: Option<usize>) -> String {
    match (part, whole) {
        (Some(part), Some(whole)) => format!("{part}/{whole}"),
        (Some(part), None) => format!("{part}/?"),
        (None, Some(whole)) => format!("?/{whole}"),
        (None, None) => "-".into(),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::report::testing::{pretty, readable, run};

    fn tenant(name: &str, health: &str, tasks: Option<(usize, usize)>) -> TenantStatus {
        TenantStatus {
            name: name.into(),
            ready: health == "healthy",
            health: health.into(),
            running: tasks.map(|(running, _)| running),
            desired: tasks.map(|(_, desired)| desired),
        }
    }

    fn group(name: &str, used: usize, capacity: usize) -> InfraGroupStatus {
        let limit = format!("tenants.max_per_infra_group is {capacity}");
        InfraGroupStatus { name: name.into(), capacity, used, free: capacity - used, limit, ready: true, ..InfraGroupStatus::default() }
    }

    fn status() -> Status {
        let cell = |name: &str, account: &str, infra_groups| CellStatus {
            unread: None,
            name: name.into(),
            account: account.into(),
            region: "us-east-1".into(),
            infra_groups,
        };
        let first = InfraGroupStatus {
            tenants: vec![
                tenant("acme", "healthy", Some((2, 2))),
                tenant(
                    "globex",
                    "1 of 2 tasks running; target 10.20.1.15:8080 is unhealthy: health checks failed with these codes: [502]",
                    Some((1, 2)),
                ),
                tenant("initech", "healthy", None),
            ],
            dns_name: Some("internal-high-cell-1-ig-1-1234567890.us-east-1.elb.amazonaws.com".into()),
            ..group("ig-1", 3, 50)
        };
        let broken = InfraGroupStatus {
            ready: false,
            missing: vec![
                "vpc_endpoint bidder is not ready: pendingAcceptance: the owner of vpce-svc-0a1b2c3d4e5f60718 has to accept it".into(),
                "listener port-80 does not exist".into(),
            ],
            ..group("ig-1", 0, 50)
        };
        let full = InfraGroupStatus { tenants: vec![tenant("umbrella", "healthy", Some((1, 1)))], ..group("ig-2", 1, 1) };
        Status {
            tiers: vec![
                TierStatus {
                    name: "high-tps".into(),
                    cells: vec![cell("cell-1", "123456789012", vec![first, full]), cell("cell-2", "222222222222", vec![broken])],
                },
                TierStatus { name: "low-tps".into(), cells: vec![cell("cell-1", "123456789012", vec![group("ig-1", 0, 20)])] },
            ],
        }
    }

    #[test]
    fn text_on_a_wide_terminal() {
        assert_snapshot!(status().to_text(&Paint::plain(120)));
    }

    #[test]
    fn text_on_a_narrow_terminal() {
        assert_snapshot!(status().to_text(&Paint::plain(60)));
    }

    #[test]
    fn text_in_colour() {
        assert_snapshot!(readable(&status().to_text(&Paint { color: true, width: 100 })));
    }

    #[test]
    fn nothing() {
        assert_snapshot!(Status::default().to_text(&Paint::plain(80)), @"There is no tier.");
    }

    #[test]
    fn as_json() {
        let mut status = status();
        status.tiers.truncate(1);
        status.tiers[0].cells.truncate(1);
        assert_snapshot!(pretty(&status.to_json(&run())));
    }
}
