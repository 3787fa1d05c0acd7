//! Plans, progress and results as text, JSON and Markdown. Pure: everything here returns what is to be printed.

pub mod calls_text;
pub mod cells_json;
pub mod diagnostics;
pub mod event_json;
pub mod outcome_json;
pub mod outcome_text;
mod paint;
pub mod plan_json;
pub mod plan_markdown;
pub mod plan_shards;
pub mod plan_text;
pub mod schema;
pub mod status;
#[cfg(test)]
mod testing;
mod values;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::CallCount;
use crate::resources::Kind;
use crate::resources::model::{Place, Scope};
pub use paint::Paint;
pub(crate) use paint::{Phrase, tone};
pub(crate) use values::shown;

/// Of all JSON that is printed. It changes when something is taken away or means something else.
pub const FORMAT_VERSION: &str = "1.0";

/// What varies from run to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInfo {
    pub time: SystemTime,
    /// Requests by `service:Action`.
    pub calls: BTreeMap<String, CallCount>,
}

/// What varies from run to run.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct RunDocument {
    /// When it ended, in UTC, as `2026-01-31T12:00:00Z`.
    time: String,
    /// Of tierctl.
    version: String,
    /// Requests by service and action, retries included and polls not.
    calls: BTreeMap<String, BTreeMap<String, u64>>,
    /// Requests that asked whether something is ready.
    polls: BTreeMap<String, BTreeMap<String, u64>>,
}

impl RunInfo {
    pub fn document(&self) -> RunDocument {
        RunDocument {
            time: humantime::format_rfc3339_seconds(self.time).to_string(),
            version: env!("CARGO_PKG_VERSION").into(),
            calls: by_service(&self.calls, |count| count.calls),
            polls: by_service(&self.calls, |count| count.polls),
        }
    }
}

fn by_service(calls: &BTreeMap<String, CallCount>, number: impl Fn(&CallCount) -> u64) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut services: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for (name, count) in calls.iter().filter(|(_, count)| number(count) > 0) {
        let (service, action) = name.split_once(':').unwrap_or((name, ""));
        services.entry(service.to_string()).or_default().insert(action.to_string(), number(count));
    }
    services
}

/// What a thing is, as all JSON has it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Identity<'a> {
    /// A kind of AWS thing, as `vpc_endpoint`; `infra_group` or `tenant` where one is refused as a whole.
    kind: Cow<'a, str>,
    /// Its name within its scope: the value of the tag `tierctl:resource`.
    name: Cow<'a, str>,
    tier: Cow<'a, str>,
    cell: Cow<'a, str>,
    infra_group: Cow<'a, str>,
    /// Null for a thing of the tier.
    tenant: Option<Cow<'a, str>>,
}

impl<'a> Identity<'a> {
    fn new(kind: &'a str, name: &'a str, scope: &'a Scope) -> Self {
        let Scope { tier, cell, infra_group, tenant } = scope;
        Self {
            kind: kind.into(),
            name: name.into(),
            tier: tier.into(),
            cell: cell.into(),
            infra_group: infra_group.into(),
            tenant: tenant.as_ref().map(Cow::from),
        }
    }

    fn scope(&self) -> Scope {
        let infra_group = Scope::infra_group(&self.tier, &self.cell, &self.infra_group);
        self.tenant.as_ref().map_or(infra_group.clone(), |tenant| infra_group.with_tenant(tenant))
    }
}

/// Where a thing is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Located<'a> {
    /// AWS account number, of 12 digits.
    account: Cow<'a, str>,
    /// AWS Region.
    region: Cow<'a, str>,
}

impl<'a> Located<'a> {
    fn at(place: &'a Place) -> Self {
        Self { account: (&place.account).into(), region: (&place.region).into() }
    }

    fn place(&self) -> Place {
        Place { account: self.account.to_string(), region: self.region.to_string() }
    }
}

/// A thing in words: its name is left out where it says no more than its kind.
pub(crate) fn thing(kind: Kind, name: &str) -> String {
    let says_nothing = kind.name().len() == name.len()
        && kind.name().bytes().zip(name.bytes()).all(|(kind, name)| kind == name || (kind == b'_' && name == b'-'));
    if says_nothing { kind.to_string() } else { format!("{kind} {}", shown(name)) }
}

/// How long something took: `0.3s`, `12s`, `3m05s`, `2h04m`.
pub fn duration(time: Duration) -> String {
    let tenths = (time.as_millis() + 50) / 100;
    let seconds = (time.as_millis() + 500) / 1000;
    match seconds {
        _ if tenths < 100 => format!("{}.{}s", tenths / 10, tenths % 10),
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_exact_as_they_are_short() {
        let of = |millis| duration(Duration::from_millis(millis));
        assert_eq!([of(0), of(312), of(9_949), of(9_950), of(12_400)], ["0.0s", "0.3s", "9.9s", "10s", "12s"]);
        assert_eq!([of(59_600), of(185_000), of(3_599_600), of(7_440_000)], ["1m00s", "3m05s", "1h00m", "2h04m"]);
    }

    #[test]
    fn a_name_that_repeats_its_kind_is_left_out() {
        assert_eq!(thing(Kind::ListenerRule, "listener-rule"), "listener_rule");
        assert_eq!(thing(Kind::Vpc, "vpc"), "vpc");
        assert_eq!(thing(Kind::Role, "task"), "role task");
    }
}
