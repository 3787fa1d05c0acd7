//! Which requests are whose: patterns that a load balancer takes, and tenants whose patterns collide.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html>

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::spec::diagnostic::{Finding, Findings};
use crate::spec::located::{Located, Origin};
use crate::spec::model::RouteBy;

use super::{Tenant, Tier, homes, repeated, tier_of};
use crate::spec::pattern;

const LONGEST: usize = 128;
/// Condition values per rule, and wildcards per rule.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>
const MOST: usize = 5;

pub(super) fn tenant(tenant: &Tenant, tier: Option<&Tier>, findings: &mut Findings) {
    let route = &tenant.spec.route;
    let rules = tier.map(|tier| (tier, &tier.spec.tenants));
    if let (Some(path), Some((tier, rules))) = (first(route.path.as_deref()), rules)
        && *rules.route_by == RouteBy::Header
    {
        let message = format!("`route.path` is given, and the tier `{}` routes by header", *tier.spec.tier);
        findings.push(elsewhere(tenant, tier, path, message, "use `route.header`, or leave `route` out for the tenant's name"));
    }
    if let (Some(header), Some((tier, rules))) = (first(route.header.as_deref()), rules)
        && *rules.route_by == RouteBy::Path
    {
        let message = format!("`route.header` is given, and the tier `{}` routes by path", *tier.spec.tier);
        findings.push(elsewhere(tenant, tier, header, message, "use `route.path`, or leave `route` out for `/<tenant>` and `/<tenant>/*`"));
    }
    for (key, patterns, allowed) in [("path", &route.path, path_byte as fn(u8) -> bool), ("header", &route.header, header_byte)] {
        let Some(patterns) = patterns else { continue };
        for written in patterns {
            if let Some((message, remedy)) = problem(key, written, allowed) {
                findings.push(tenant.error("bad-route", written.origin(), message, remedy));
            }
        }
        for (written, first) in repeated(patterns) {
            let message = format!("`{}` stands here twice", **written);
            findings.push(tenant.error("duplicate", written.origin(), message, "remove one").related(
                &tenant.source,
                first.origin(),
                "first here",
            ));
        }
        let wildcards: usize = patterns.iter().map(|written| pattern::wildcards(written)).sum();
        if let Some(last) = patterns.last()
            && wildcards > MOST
        {
            let message = format!("the patterns have {wildcards} wildcards together, and a rule takes {MOST}");
            findings.push(tenant.error("quota", last.origin(), message, "use fewer `*` and `?`"));
        }
    }
    if route.path.is_none() && rules.is_some_and(|(_, rules)| *rules.route_by == RouteBy::Path) {
        let default = format!("/{}/*", *tenant.spec.tenant);
        if default.len() > LONGEST {
            let message =
                format!("the tenant's default route `{default}` is longer than the {LONGEST} characters that a load balancer takes");
            findings.push(tenant.error(
                "name-too-long",
                tenant.spec.tenant.origin(),
                message,
                "give a shorter `route: {path: [...]}`, or shorten the name",
            ));
        }
    }
}

fn first(patterns: Option<&[Located<String>]>) -> Option<&Located<String>> {
    patterns.and_then(<[_]>::first)
}

/// A route of the kind that the tier does not use.
fn elsewhere(tenant: &Tenant, tier: &Tier, written: &Located<String>, message: String, remedy: &str) -> Finding {
    let finding = tenant.error("bad-route", written.origin(), message, remedy);
    match tier.spec.tenants.route_by.origin() {
        Origin::Unplaced => finding,
        origin => finding.related(&tier.source, origin, "the tier routes by this"),
    }
}

fn path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.$/~\"'@:+&*?".contains(&byte)
}

fn header_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte == b' '
}

fn problem(key: &str, written: &str, allowed: fn(u8) -> bool) -> Option<(String, String)> {
    if written.is_empty() {
        return Some((format!("a pattern of `route.{key}` is empty"), "write a pattern, or remove the item".to_owned()));
    }
    if written.chars().count() > LONGEST {
        let message = format!("this pattern has {} characters, and a load balancer takes {LONGEST}", written.chars().count());
        return Some((message, "shorten it, with `*` for what varies".to_owned()));
    }
    if let Some(wrong) = written.chars().find(|character| !character.is_ascii() || !allowed(*character as u8)) {
        let remedy = match (key, wrong) {
            ("path", '#' | '%') => "patterns match the path alone, as it is sent: no query, no fragment, no `%` codes".to_owned(),
            ("path", _) => "use letters, digits and `_-.$/~\"'@:+&`, with `*` and `?` as wildcards".to_owned(),
            _ => "use printable ASCII characters".to_owned(),
        };
        return Some((format!("`{written}` has a character that a load balancer does not take: {wrong:?}"), remedy));
    }
    if key == "path" && !written.starts_with(['/', '*', '?']) {
        return Some((format!("`{written}` matches no request: paths begin with `/`"), format!("write `/{written}`")));
    }
    None
}

/// One pattern of one tenant, ready to be compared.
struct Claim<'a> {
    text: Cow<'a, str>,
    /// Position of the tenant in the order of the specs.
    tenant: usize,
    /// The pattern as written, or the tenant's name where it is the default.
    written: &'a Located<String>,
}

/// Tenants that can meet on one listener and whose patterns can match one request. A tenant is reported once, against
/// the first of the others.
pub(super) fn all(tiers: &[Tier], tenants: &[Tenant], findings: &mut Findings) {
    let listeners: Vec<BTreeSet<Listener<'_>>> = tenants.iter().map(|tenant| listeners(tenant, tiers)).collect();
    let mut claims: Vec<Claim<'_>> = Vec::new();
    for (index, tenant) in tenants.iter().enumerate() {
        if let Some(tier) = tier_of(tenant, tiers).filter(|tier| !tier.spec.tenants.route_by.is_stand_in()) {
            claims.extend(self::claims(tenant, tier).into_iter().map(|(text, written)| Claim { text, tenant: index, written }));
        }
    }
    // In this order, all that can overlap a pattern and start longer follow it without a gap.
    claims.sort_by(|a, b| pattern::literal_start(&a.text).cmp(pattern::literal_start(&b.text)));
    let mut collisions: BTreeMap<usize, (&Claim<'_>, &Claim<'_>)> = BTreeMap::new();
    for (at, claim) in claims.iter().enumerate() {
        let start = pattern::literal_start(&claim.text);
        for other in claims[at + 1..].iter().take_while(|other| pattern::literal_start(&other.text).starts_with(start)) {
            let (earlier, later) = if claim.tenant < other.tenant { (claim, other) } else { (other, claim) };
            let known = collisions.get(&later.tenant).is_some_and(|(known, _)| known.tenant <= earlier.tenant);
            if earlier.tenant != later.tenant
                && !known
                && !same_tenant(&tenants[earlier.tenant], &tenants[later.tenant])
                && !listeners[earlier.tenant].is_disjoint(&listeners[later.tenant])
                && pattern::overlap(&claim.text, &other.text)
            {
                collisions.insert(later.tenant, (earlier, later));
            }
        }
    }
    for (earlier, later) in collisions.into_values() {
        findings.push(collision(&tenants[earlier.tenant], earlier, &tenants[later.tenant], later));
    }
}

fn collision(first: &Tenant, earlier: &Claim<'_>, tenant: &Tenant, later: &Claim<'_>) -> Finding {
    let (a, b) = (&*first.spec.tenant, &*tenant.spec.tenant);
    let message = if earlier.text == later.text {
        format!("`{}` is a route of both `{a}` and `{b}`", later.text)
    } else {
        format!("the routes `{}` of `{b}` and `{}` of `{a}` can match the same request", later.text, earlier.text)
    };
    let remedy = "make the routes differ, or place the tenants in different infra groups";
    tenant.error("route-collision", later.written.origin(), message, remedy).related(
        &first.source,
        earlier.written.origin(),
        format!("the route of `{a}`"),
    )
}

/// Named twice, which is reported as such.
fn same_tenant(a: &Tenant, b: &Tenant) -> bool {
    a.spec.tenant == b.spec.tenant && a.spec.tier == b.spec.tier
}

/// The patterns of a tenant's rule.
fn claims<'a>(tenant: &'a Tenant, tier: &'a Tier) -> Vec<(Cow<'a, str>, &'a Located<String>)> {
    let (spec, rules) = (&tenant.spec, &tier.spec.tenants);
    let name = &spec.tenant;
    match *rules.route_by {
        RouteBy::Path => match &spec.route.path {
            Some(paths) => paths.iter().map(|path| (Cow::from(path.as_str()), path)).collect(),
            None => vec![(format!("/{}", **name).into(), name), (format!("/{}/*", **name).into(), name)],
        },
        // Headers are compared without regard to case.
        RouteBy::Header => {
            let values = spec.route.header.as_deref().unwrap_or(std::slice::from_ref(name));
            values.iter().map(|value| (value.to_lowercase().into(), value)).collect()
        }
    }
}

/// A listener: another team's by its ARN, else the infra group's own; and what its rules look at.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Listener<'a> {
    Used(&'a str, Option<&'a str>),
    Made(&'a str, &'a str, &'a str),
}

/// The listeners that a tenant's rule may come to be on.
fn listeners<'a>(tenant: &'a Tenant, tiers: &'a [Tier]) -> BTreeSet<Listener<'a>> {
    let Some(tier) = tier_of(tenant, tiers) else { return BTreeSet::new() };
    let spec = &tier.spec;
    // Rules that look at different things of a request are not compared.
    let header = spec.tenants.header.as_ref().map(|header| header.as_str());
    homes(&tenant.spec, spec)
        .map(|(cell, group)| match &group.load_balancer.listener {
            Some(listener) => Listener::Used(listener, header),
            None => Listener::Made(&spec.tier, &cell.name, &group.name),
        })
        .collect()
}
