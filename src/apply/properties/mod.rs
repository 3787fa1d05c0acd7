//! What holds of every plan, whatever the specs: carried out in a simulated account it makes what is desired, and
//! then nothing is left to do; wherever it breaks off, the next one finishes it.

mod account;

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::RngSeed;

use crate::estate::{Facts, Group};
use crate::plan::intent::{self, Leaver, Purpose};
use crate::plan::saved::SavedPlan;
use crate::plan::{self, Action, Estates, Plan};
use crate::resources::model::{Live, Place, Scope};
use crate::resources::{Depth, Kind};
use crate::spec::Specs;
use crate::spec::load::load_texts;
use account::{Account, foreign_rule};

/// Estates for each property; `TIERCTL_PROPERTY_CASES` asks for more.
const CASES: u32 = 48;
const ALL: usize = usize::MAX;

/// What a tier says, as far as it changes what is planned.
#[derive(Debug, Clone)]
struct Tier {
    zones: Vec<&'static str>,
    cidr: &'static str,
    internet_facing: bool,
    certificate: bool,
    downstreams: Vec<&'static str>,
    /// The service of the downstream `bidder`.
    bidder: char,
    ports: &'static str,
    egress: bool,
    statements: bool,
    retention: u32,
    team: &'static str,
    by_header: bool,
    second_group: bool,
    second_cell: bool,
    /// Whether a downstream goes by another name.
    renamed: bool,
}

#[derive(Debug, Clone)]
struct Tenant {
    /// Of its own, and not the default that its name makes.
    route: Option<u8>,
    port: u16,
    image: u8,
    desired: u8,
    by_address: bool,
    placed: bool,
}

#[derive(Debug, Clone)]
struct Estate {
    tier: Tier,
    tenants: BTreeMap<&'static str, Tenant>,
}

const DOWNSTREAMS: &[&str] = &[
    "{name: bidder, service: com.amazonaws.vpce.us-east-1.vpce-svc-SERVICE, port: 8443, private_dns: true}",
    "{name: profiles, service: com.amazonaws.vpce.us-east-1.vpce-svc-0f9e8d7c6b5a40312, port: 443}",
    "{name: ecr-api, service: ecr.api, port: 443, private_dns: true}",
    "{name: artifacts, service: s3, gateway: true}",
    "{name: tables, service: dynamodb, gateway: true}",
];

fn tier() -> impl Strategy<Value = Tier> {
    let network = (
        subsequence(vec!["us-east-1a", "us-east-1b", "us-east-1c"], 2..=3),
        select(vec!["10.20.0.0/16", "10.40.0.0/16"]),
        any::<bool>(),
        any::<bool>(),
    );
    let paths = (
        subsequence(DOWNSTREAMS.to_vec(), 0..=DOWNSTREAMS.len()),
        select(vec!['a', 'b']),
        select(vec!["[1024, 65535]", "[8000, 8999]"]),
        any::<bool>(),
    );
    let rest =
        (any::<bool>(), select(vec![30, 90]), select(vec!["ads", "search"]), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (network, paths, rest).prop_map(|((zones, cidr, internet_facing, certificate), (downstreams, bidder, ports, egress), rest)| {
        let (statements, retention, team, by_header, second_group, second_cell, renamed) = rest;
        // An internet-facing load balancer speaks HTTPS.
        let certificate = certificate || internet_facing;
        Tier {
            zones,
            cidr,
            internet_facing,
            certificate,
            downstreams,
            bidder,
            ports,
            egress,
            statements,
            retention,
            team,
            by_header,
            second_group,
            second_cell,
            renamed,
        }
    })
}

fn tenant() -> impl Strategy<Value = Tenant> {
    (proptest::option::of(0..4u8), select(vec![8080, 8081]), 0..3u8, 1..4u8, proptest::bool::weighted(0.2), any::<bool>())
        .prop_map(|(route, port, image, desired, by_address, placed)| Tenant { route, port, image, desired, by_address, placed })
}

fn tenants() -> impl Strategy<Value = BTreeMap<&'static str, Tenant>> {
    proptest::collection::btree_map(select(vec!["acme", "globex", "hooli", "initech", "umbrella"]), tenant(), 0..=4).prop_map(|mut all| {
        // Two tenants with one route are refused before anything is planned.
        let mut taken = std::collections::BTreeSet::new();
        for tenant in all.values_mut() {
            tenant.route = tenant.route.filter(|route| taken.insert(*route));
        }
        all
    })
}

fn estate() -> impl Strategy<Value = Estate> {
    (tier(), tenants()).prop_map(|(tier, tenants)| Estate { tier, tenants })
}

/// An estate, and one that it is to become: often with only a part of it changed.
fn change() -> impl Strategy<Value = (Estate, Estate)> {
    (estate(), estate(), 0..4u8).prop_map(|(before, other, kept)| {
        let after = match kept {
            0 => other,
            1 => Estate { tier: before.tier.clone(), tenants: other.tenants },
            2 => Estate { tier: other.tier, tenants: before.tenants.clone() },
            // What tenants live on stays.
            _ => {
                let (was, is) = (before.tier.clone(), other.tier);
                let (zones, cidr) = (was.zones, was.cidr);
                let (internet_facing, certificate, by_header) = (was.internet_facing, was.certificate, was.by_header);
                let second_group = was.second_group || is.second_group;
                let second_cell = was.second_cell || is.second_cell;
                let tier = Tier { zones, cidr, internet_facing, certificate, by_header, second_group, second_cell, ..is };
                Estate { tier, tenants: other.tenants }
            }
        };
        (before, after)
    })
}

impl Estate {
    fn specs(&self) -> Specs {
        let Estate { tier, tenants } = self;
        let group = |account: &str, name: &str, cidr: &str, retired: bool| {
            let certificate = format!("certificate: \"arn:aws:acm:us-east-1:{account}:certificate/6cb0b8a4-1111-4222-8333-444455556666\"");
            let scheme = match (tier.internet_facing, tier.certificate) {
                (true, _) => format!("scheme: internet-facing, allow: [203.0.113.0/24], {certificate}"),
                (false, true) => certificate,
                (false, false) => "scheme: internal".into(),
            };
            format!(
                "{{name: {name}, retired: {retired}, vpc: {{cidr: {cidr}, zones: [{}]}}, load_balancer: {{{scheme}}}}}",
                tier.zones.join(", ")
            )
        };
        let service = format!("0a1b2c3d4e5f6071{}", tier.bidder);
        let names = if tier.renamed { ["name: files", "name: bids"] } else { ["name: artifacts", "name: bidder"] };
        let line = |line: &&str| {
            let line = line.replace("SERVICE", &service).replace("name: artifacts", names[0]).replace("name: bidder", names[1]);
            format!("  - {line}\n")
        };
        let downstreams: String = tier.downstreams.iter().map(line).collect();
        let mut text = format!(
            "tier: high\nregion: us-east-1\ntags: {{team: {}}}\ntenants: {{ports: {}, route_by: {}}}\nmonitoring: \
             {{log_retention_days: {}}}\n",
            tier.team,
            tier.ports,
            if tier.by_header { "header, header: x-tenant" } else { "path" },
            tier.retention,
        );
        if !downstreams.is_empty() {
            text += &format!("downstreams:\n{downstreams}");
        }
        if tier.egress {
            text += "egress:\n  - {cidr: 10.99.0.0/16, port: 5432}\n";
        }
        if tier.statements {
            text += "roles:\n  task:\n    statements: [{effect: Allow, actions: [\"s3:GetObject\"], resources: [\"*\"]}]\n";
        }
        // What a spec once named is retired before it leaves.
        text += &format!(
            "cells:\n  - name: one\n    account: \"123456789012\"\n    infra_groups: [{}, {}]\n  - name: two\n    account: \
             \"222222222222\"\n    retired: {}\n    infra_groups: [{}]\n",
            group("123456789012", "ig-1", tier.cidr, false),
            group("123456789012", "ig-2", "10.21.0.0/16", !tier.second_group),
            !tier.second_cell,
            group("222222222222", "ig-1", "10.22.0.0/16", false),
        );
        let tenant = |(name, tenant): (&&str, &Tenant)| {
            let mut text = format!("tenant: {name}\ntier: high\n");
            if tenant.placed {
                text += "placement: {cell: one, infra_group: ig-1}\n";
            }
            if let Some(route) = tenant.route {
                text += &match tier.by_header {
                    true => format!("route: {{header: [r{route}]}}\n"),
                    false => format!("route: {{path: [\"/r{route}/*\"]}}\n"),
                };
            }
            text += &match tenant.by_address {
                true => format!("targets: {{port: {}, addresses: [10.{}.1.5]}}\n", tenant.port, &tier.cidr[3..5]),
                false => format!(
                    "service: {{image: \"app:{}\", port: {}, cpu: 256, memory: 512, desired: {}}}\n",
                    tenant.image, tenant.port, tenant.desired
                ),
            };
            (PathBuf::from(format!("{name}.yaml")), text)
        };
        let specs = load_texts(std::iter::once((PathBuf::from("tier.yaml"), text)).chain(tenants.iter().map(tenant)));
        assert!(!specs.findings.has_errors(), "{}", crate::report::diagnostics::render(&specs.findings, false));
        specs
    }
}

const BOTH: Purpose = Purpose::Plan { tier: true, tenants: true, depth: Depth::Standard };

fn facts() -> Facts {
    let lists = ["123456789012", "222222222222"].into_iter().flat_map(|account| {
        ["s3", "dynamodb"].map(|service| {
            let place = Place { account: account.into(), region: "us-east-1".into() };
            ((place, format!("com.amazonaws.us-east-1.{service}")), format!("pl-{service}"))
        })
    });
    Facts { prefix_lists: lists.collect(), ..Facts::default() }
}

fn planned(specs: &Specs, purpose: Purpose, live: &[Live]) -> Plan {
    let mut subjects = intent::subjects(specs);
    if let Purpose::Onboard { .. } = purpose {
        subjects.iter_mut().for_each(|subject| subject.given = false);
    }
    let groups: Vec<Group<'_>> = subjects.iter().flat_map(|subject| Group::all_of(subject.tier)).collect();
    let facts = facts();
    let intended = intent::intend(&subjects, &groups, &[], purpose, live, &facts);
    let mut plan = plan::calculate(&intended.estates, live, &intended.intent);
    plan.add(intended.blocked, intended.warnings);
    plan
}

fn offboarding(specs: &Specs, leavers: &[&str], live: &[Live]) -> Plan {
    let groups: Vec<Group<'_>> = specs.tiers.iter().flat_map(|tier| Group::all_of(&tier.spec)).collect();
    let leavers: Vec<Leaver> =
        leavers.iter().map(|tenant| Leaver { tier: None, tenant: tenant.to_string(), is_protected: false }).collect();
    let (intent, _) = intent::offboard(&groups, &leavers, live).expect("one tier");
    plan::calculate(&Estates::default(), live, &intent)
}

/// What is left to do, in words.
fn steps(plan: &Plan) -> Vec<String> {
    let of = |change: &plan::Change| {
        let fields: Vec<&str> = change.fields.iter().map(|field| field.path.as_str()).collect();
        format!("{:?} {} {} of {} {fields:?} {:?}", change.action, change.subject.name(), change.name, change.scope, change.reason)
    };
    plan.steps().map(|(_, change)| of(change)).collect()
}

fn refusals(plan: &Plan) -> Vec<String> {
    plan.changes
        .iter()
        .filter(|change| change.action == Action::Blocked)
        .map(|change| format!("{} {} of {}: {:?}", change.subject.name(), change.name, change.scope, change.reason))
        .collect()
}

/// What a saved plan refuses because it is not as it was.
fn moved(plan: &Plan) -> Vec<String> {
    refusals(plan).into_iter().filter(|refusal| refusal.contains("since the plan was made")).collect()
}

/// An account in which the estate stands, and somebody else's rule on one of its listeners.
fn standing(specs: &Specs) -> Account {
    let mut account = Account::default();
    account.carry_out(&planned(specs, Purpose::Apply, &account.read()), ALL, |_| 0);
    let listener = account.read().into_iter().find(|live| live.kind == Kind::Listener).expect("a listener");
    account.put(foreign_rule(&listener, 7));
    account.carry_out(&planned(specs, Purpose::Onboard { prune: false }, &account.read()), ALL, |_| 0);
    account
}

/// Takes the account to the estate, as a user would who runs the commands until there is nothing left to do.
fn converge(account: &mut Account, specs: &Specs, mut choose: impl FnMut(usize) -> usize) -> Vec<String> {
    for _ in 0..3 {
        account.carry_out(&planned(specs, Purpose::Apply, &account.read()), ALL, &mut choose);
        account.carry_out(&planned(specs, Purpose::Onboard { prune: true }, &account.read()), ALL, &mut choose);
    }
    let again = planned(specs, BOTH, &account.read());
    assert_eq!(steps(&again), Vec::<String>::new(), "there is always something left to do");
    refusals(&again)
}

/// What is not the same in two accounts: both ways that it is.
fn differing(one: &Account, other: &Account) -> Vec<String> {
    let (one, other) = (one.described(), other.described());
    let keys: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differ = keys.into_iter().filter(|key| one.get(*key) != other.get(*key));
    differ.map(|key| format!("{key}: {:?} or {:?}", one.get(key), other.get(key))).collect()
}

fn shuffled(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed | 1;
    move |_| {
        // xorshift: any order will do, and the same one for the same seed.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as usize
    }
}

fn config() -> ProptestConfig {
    let asked = std::env::var("TIERCTL_PROPERTY_CASES").ok().and_then(|cases| cases.parse().ok());
    // The same estates every time, unless more are asked for.
    let rng_seed = if asked.is_some() { RngSeed::Random } else { RngSeed::Fixed(1) };
    ProptestConfig {
        cases: asked.unwrap_or(CASES),
        rng_seed,
        failure_persistence: None,
        max_shrink_iters: 400,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// The strongest one: a plan straight after an apply and an onboarding is empty.
    #[test]
    fn nothing_is_left_to_do_after_the_first_time(estate in estate(), seed in any::<u64>()) {
        let specs = estate.specs();
        let mut account = Account::default();
        let apply = planned(&specs, Purpose::Apply, &[]);
        prop_assert!(apply.changes.iter().all(|change| !change.is_tenants()), "apply is about tiers alone");
        account.carry_out(&apply, ALL, shuffled(seed));
        let onboard = planned(&specs, Purpose::Onboard { prune: false }, &account.read());
        prop_assert!(onboard.changes.iter().all(plan::Change::is_tenants), "onboarding is about tenants alone");
        account.carry_out(&onboard, ALL, shuffled(seed));
        let plan = planned(&specs, BOTH, &account.read());
        prop_assert_eq!(steps(&plan), Vec::<String>::new());
        prop_assert_eq!(refusals(&plan), refusals(&onboard));
        prop_assert!(plan.unclaimed.is_empty());
    }

    /// From any estate to any other: what was not refused becomes as if it had been made so from the start.
    #[test]
    fn a_change_ends_where_a_fresh_start_would((before, after) in change(), seed in any::<u64>()) {
        let (before, after) = (before.specs(), after.specs());
        let mut account = standing(&before);
        let theirs = account.foreign().into_iter().cloned().collect::<Vec<_>>();
        let whole = planned(&after, BOTH, &account.read());
        let refused = converge(&mut account, &after, shuffled(seed));
        prop_assert_eq!(account.foreign().into_iter().cloned().collect::<Vec<_>>(), theirs);
        if refused.is_empty() && refusals(&whole).is_empty() {
            let mut fresh = Account::default();
            // Tenants stay where they live, which a fresh start does not know: what belongs to the tier is compared.
            prop_assert_eq!(converge(&mut fresh, &after, |_| 0), Vec::<String>::new());
            let differing = differing(&account, &fresh);
            // The logs of what was retired stay.
            let expected = |line: &String| line.contains("tierctl:tenant") || line.starts_with("log_group ");
            let of_tiers: Vec<String> = differing.into_iter().filter(|line| !expected(line)).collect();
            prop_assert_eq!(of_tiers, Vec::<String>::new());
        }
    }

    /// A saved plan has tiers and tenants in one: it ends where an apply and an onboarding would.
    #[test]
    fn tiers_and_tenants_may_go_in_one((before, after) in change(), seed in any::<u64>()) {
        let (before, after) = (before.specs(), after.specs());
        let mut account = standing(&before);
        let mut choose = shuffled(seed);
        for _ in 0..4 {
            account.carry_out(&planned(&after, BOTH, &account.read()), ALL, &mut choose);
        }
        prop_assert_eq!(steps(&planned(&after, BOTH, &account.read())), Vec::<String>::new());
    }

    /// What was saved is what is carried out; and broken off anywhere, the same saved plan finishes.
    #[test]
    fn a_saved_plan_is_carried_out_as_it_was_saved((before, after) in change(), at in 0..60usize, seed in any::<u64>()) {
        let (before, after) = (before.specs(), after.specs());
        let mut account = standing(&before);
        let plan = planned(&after, BOTH, &account.read());
        let saved = SavedPlan::new(&plan, true, true, None, Vec::new());
        let resume = |account: &Account| saved.resume(planned(&after, BOTH, &account.read()), &account.read(), "this");
        let first = resume(&account);
        prop_assert!(first.plan.does_the_same(&plan), "{:?} instead of {:?}", steps(&first.plan), steps(&plan));
        prop_assert_eq!((first.done, first.left_out), (0, 0));
        account.carry_out(&first.plan, at, shuffled(seed));
        let second = resume(&account);
        prop_assert_eq!(moved(&second.plan), Vec::<String>::new());
        account.carry_out(&second.plan, ALL, shuffled(seed));
        let third = resume(&account);
        prop_assert_eq!(steps(&third.plan), Vec::<String>::new());
        prop_assert_eq!(moved(&third.plan), Vec::<String>::new());
        prop_assert_eq!(third.done, plan.steps().count());
    }

    /// Killed anywhere, a rerun finishes, and ends where it would have ended undisturbed.
    #[test]
    fn whatever_breaks_off_is_finished_by_the_next_run((before, after) in change(), at in 0..60usize, seed in any::<u64>()) {
        let (before, after) = (before.specs(), after.specs());
        let mut undisturbed = standing(&before);
        let mut disturbed = undisturbed.clone();
        let refused = converge(&mut undisturbed, &after, |_| 0);
        // Tiers are made, then their tenants, and either may break off.
        for purpose in [Purpose::Apply, Purpose::Onboard { prune: true }] {
            let plan = planned(&after, purpose, &disturbed.read());
            disturbed.carry_out(&plan, at, shuffled(seed));
            if at < plan.steps().count() {
                break;
            }
        }
        let still_refused = converge(&mut disturbed, &after, shuffled(seed));
        prop_assert_eq!(still_refused, refused);
        prop_assert_eq!(differing(&disturbed, &undisturbed), Vec::<String>::new());
    }

    /// AWS lists things in any order.
    #[test]
    fn order_of_reading_makes_no_difference((before, after) in change(), seed in any::<u64>()) {
        let (before, after) = (before.specs(), after.specs());
        let live = standing(&before).read();
        let mut mixed = live.clone();
        let mut choose = shuffled(seed);
        for index in (1..mixed.len()).rev() {
            mixed.swap(index, choose(index) % (index + 1));
        }
        prop_assert_eq!(planned(&after, BOTH, &live), planned(&after, BOTH, &mixed));
    }

    /// Offboarding takes the tenant and nothing else; destroying what nobody lives in leaves the logs.
    #[test]
    fn all_goes_but_the_logs(estate in estate(), seed in any::<u64>()) {
        let specs = estate.specs();
        let mut account = standing(&specs);
        let names: Vec<&str> = estate.tenants.keys().copied().collect();
        let leave = offboarding(&specs, &names, &account.read());
        prop_assert!(leave.changes.iter().all(plan::Change::is_tenants));
        account.carry_out(&leave, ALL, shuffled(seed));
        prop_assert!(account.read().iter().filter_map(Live::owner).all(|key| !key.scope.is_tenant()));

        let purpose = Purpose::Destroy { delete_logs: false };
        // Their rule keeps the listener, and with it its infra group.
        let blocked = planned(&specs, purpose, &account.read());
        prop_assert!(refusals(&blocked).iter().all(|refusal| refusal.contains("foreign-rule-7")));
        prop_assert_eq!(refusals(&blocked).len(), 1);
        let mut empty = Account::default();
        empty.carry_out(&planned(&specs, Purpose::Apply, &[]), ALL, |_| 0);
        empty.carry_out(&planned(&specs, purpose, &empty.read()), ALL, shuffled(seed));
        prop_assert!(empty.read().iter().all(|live| live.kind == Kind::LogGroup));
        empty.carry_out(&planned(&specs, Purpose::Destroy { delete_logs: true }, &empty.read()), ALL, shuffled(seed));
        prop_assert!(empty.read().is_empty());
    }

    /// A second thing of one identity, as two runs at once leave it: one stays, or both are reported; never a third.
    #[test]
    fn a_duplicate_is_removed_or_reported(estate in estate(), which in any::<proptest::sample::Index>()) {
        let specs = estate.specs();
        let mut account = standing(&specs);
        let kinds = [Kind::Vpc, Kind::InternetGateway, Kind::RouteTable, Kind::VpcEndpoint, Kind::TargetGroup];
        let ours: Vec<Live> =
            account.read().into_iter().filter(|live| kinds.contains(&live.kind) && live.owner().is_some()).collect();
        let twin = which.get(&ours);
        let key = twin.owner().expect("ours");
        let mut second = Live { id: format!("{}-second", twin.id), name: None, ..twin.clone() };
        // Nothing leads to it, and it holds on to nothing but its VPC.
        ["subnet_ids", "routes"].iter().for_each(|field| drop(second.fields.insert((*field).into(), serde_json::json!([]))));
        if key.kind != Kind::RouteTable { second.fields = twin.fields.clone(); }
        account.put(second);
        let plan = planned(&specs, BOTH, &account.read());
        prop_assert!(plan.changes.iter().all(|change| change.key() == Some(key.clone())), "{:?}", steps(&plan));
        prop_assert!(plan.changes.iter().all(|change| matches!(change.action, Action::Delete | Action::Blocked)));
        prop_assert_eq!(plan.changes.len(), 1);
    }

    /// Two first applies at once leave two networks, each with a part of the rest.
    #[test]
    fn of_two_networks_one_is_left(estate in estate(), parts in proptest::collection::vec(any::<bool>(), 64)) {
        let specs = estate.specs();
        let mut account = Account::default();
        account.carry_out(&planned(&specs, Purpose::Apply, &[]), ALL, |_| 0);
        let whole = account.described();
        account.put_second_network(&Scope::infra_group("high", "one", "ig-1"), &parts);
        let refused = converge(&mut account, &specs, |_| 0);
        // Nobody lives there yet, so that nothing is in use.
        let refused: Vec<String> = refused.into_iter().filter(|refusal| refusal.contains("ig-1:")).collect();
        prop_assert_eq!(refused, Vec::<String>::new());
        let is_tenants = |key: &String| key.rsplit(' ').next().is_some_and(|scope| scope.matches('/').count() == 3);
        let of_tier = |all: BTreeMap<String, serde_json::Value>| all.into_keys().filter(|key| !is_tenants(key)).collect::<Vec<_>>();
        prop_assert_eq!(of_tier(account.described()), of_tier(whole));
    }
}

/// The generated estates are of every sort that they are meant to be: a property of none says nothing.
#[test]
fn the_estates_differ_enough() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut clean, mut refused, mut replaced) = (0, 0, 0);
    for _ in 0..128 {
        let (before, after) = change().new_tree(&mut runner).expect("a tree").current();
        let plan = planned(&after.specs(), BOTH, &standing(&before.specs()).read());
        clean += usize::from(!plan.is_blocked() && plan.has_steps());
        refused += usize::from(plan.is_blocked());
        replaced += plan.summary().replace;
    }
    assert!(clean >= 20 && refused >= 20 && replaced >= 20, "{clean} clean, {refused} refused, {replaced} replacements");
}
