//! Mutates good specs and asks of every result: clean, or a finding with a position; no panic, no hang.
//!
//! `TIERCTL_FUZZ_CASES` sets the number of cases: 2,000 if unset, 100,000 for a thorough run (in release mode).
//! `TIERCTL_FUZZ_SEED` repeats a run, and the seed of every run is printed.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tierctl::report::diagnostics;
use tierctl::spec::load::load_texts;

/// A debug build on a busy machine is some ten times slower.
const SLOWEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 2 });

#[test]
fn mutated_specs_are_clean_or_answered_with_a_position() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let cases = number("TIERCTL_FUZZ_CASES").unwrap_or(2_000);
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = number("TIERCTL_FUZZ_SEED").unwrap_or_else(now);
    eprintln!("TIERCTL_FUZZ_SEED={seed} TIERCTL_FUZZ_CASES={cases}");

    let good = good_specs();
    let (mut clean, mut slowest) = (0, Duration::ZERO);
    for case in 0..cases {
        // Each case has its own seed, so that one can be repeated without those before it.
        let mut random = Random(seed.wrapping_add(case));
        let (tier, tenant) = (&good.tiers[random.below(good.tiers.len())], &good.tenants[random.below(good.tenants.len())]);
        let (mut tier, mut tenant) = (tier.clone(), tenant.clone());
        let target = if random.below(2) == 0 { &mut tier } else { &mut tenant };
        for _ in 0..=random.below(3) {
            *target = mutate(std::mem::take(target), &mut random);
        }
        let texts = [("tier.yaml", tier), ("tenant.yaml", tenant)].map(|(name, bytes)| {
            // What is no UTF-8 is refused before it is parsed, so it would be wasted on the rest.
            (PathBuf::from(name), String::from_utf8_lossy(&bytes).into_owned())
        });
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| examine(&texts)));
        let took = start.elapsed();
        slowest = slowest.max(took);
        let told = || format!("TIERCTL_FUZZ_SEED={} TIERCTL_FUZZ_CASES=1\n{}\n---\n{}", seed.wrapping_add(case), texts[0].1, texts[1].1);
        match outcome {
            Err(_) => panic!("a panic: {}", told()),
            Ok(Err(problem)) => panic!("{problem}: {}", told()),
            Ok(Ok(is_clean)) => clean += u64::from(is_clean),
        }
        assert!(took < SLOWEST, "took {took:?}: {}", told());
    }
    eprintln!("{cases} cases, {clean} of them clean, the slowest {slowest:?}");
}

fn examine(texts: &[(PathBuf, String); 2]) -> Result<bool, String> {
    let specs = load_texts(texts.clone());
    let (text, json) = (diagnostics::render(&specs.findings, false), diagnostics::to_json(&specs.findings));
    diagnostics::render(&specs.findings, true);
    if specs.findings.is_empty() {
        return Ok(true);
    }
    if let Some(finding) = specs.findings.iter().find(|finding| finding.position.is_none()) {
        return Err(format!("no position: {finding:?}"));
    }
    if specs.findings.iter().any(|finding| finding.code == "unreadable-spec") {
        return Err(format!("the shape let through what the model does not take:\n{text}"));
    }
    if text.is_empty() || json["errors"].as_array().is_none() {
        return Err("nothing to show".to_owned());
    }
    Ok(false)
}

struct Good {
    tiers: Vec<Vec<u8>>,
    tenants: Vec<Vec<u8>>,
}

fn good_specs() -> Good {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Good { tiers: texts_below(&root.join("tiers")), tenants: texts_below(&root.join("tenants")) }
}

fn texts_below(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().flat_map(|path| if path.is_dir() { texts_below(path) } else { vec![std::fs::read(path).unwrap()] }).collect()
}

/// SplitMix64: a few lines that give the same cases on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Values and snippets that have a meaning somewhere in YAML or in a spec.
const SNIPPETS: &[&str] = &[
    "",
    "~",
    "null",
    "true",
    "no",
    "on",
    "0",
    "-1",
    "007",
    "1e999",
    ".nan",
    "0x1F",
    "1_000",
    "99999999999999999999999",
    "65536",
    "3.14",
    "\"",
    "'",
    "\"\"",
    "[]",
    "{}",
    "[1, 2]",
    "{a: b}",
    "[[[[",
    "}}}}",
    ": :",
    "- -",
    "&a",
    "*a",
    "&a [*a]",
    "<<: *a",
    "<<: {a: 1}",
    "? x",
    "!!str 5",
    "!!binary aGk=",
    "!!int x",
    "!custom x",
    "|",
    ">",
    "|\n  text",
    "#",
    "---",
    "...",
    "%YAML 1.2",
    "\t",
    "\u{feff}",
    "\u{0}",
    "\u{1b}[31m",
    "ü",
    "日本",
    "🦀",
    "\r\n",
    "10.0.0.0/16",
    "10.0.0.1/16",
    "0.0.0.0/0",
    "::/0",
    "us-east-1",
    "us-east-1a",
    "cn-north-1",
    "arn:aws:iam::aws:policy/X",
    "arn:::::",
    "vpc-0a1b2c3d",
    "sg-1",
    "pl-1",
    "com.amazonaws.vpce.eu-west-1.vpce-svc-0a1b2c3d4e5f60718",
    "FARGATE",
    "header",
    "path",
    "/*",
    "*",
    "a-name-that-is-much-longer-than-any-name-should-ever-be-a-name-that-is-much-longer-than-any-name-should",
];

const KEYS: &[&str] = &[
    "tier",
    "tenant",
    "cells",
    "region",
    "tags",
    "downstreams",
    "egress",
    "roles",
    "tenants",
    "monitoring",
    "name",
    "account",
    "vpc",
    "cidr",
    "zones",
    "id",
    "subnets",
    "route_tables",
    "load_balancer",
    "listener",
    "priorities",
    "service",
    "targets",
    "route",
    "placement",
    "port",
    "cpu",
    "memory",
    "image",
    "environment",
    "secrets",
    "sidecars",
    "retired",
    "policy",
    "statements",
    "assume_role",
    "security_group",
];

fn mutate(bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => flip_bytes(bytes, random),
        1 => splice(bytes, random),
        2 => bytes[..random.below(bytes.len())].to_vec(),
        kind => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if lines.is_empty() {
                return random.pick(SNIPPETS).as_bytes().to_vec();
            }
            let at = random.below(lines.len());
            match kind {
                3 => drop(lines.remove(at)),
                4 => lines.insert(random.below(lines.len()), lines[at].clone()),
                5 => lines.swap(at, 0),
                6 | 7 => change_value(&mut lines[at], random),
                8 => change_key(&mut lines[at], random),
                9 => indent(&mut lines, at, random),
                10 => lines.insert(at, format!("{}{}: {}", spaces(&lines[at]), random.pick(KEYS), random.pick(SNIPPETS))),
                _ => nest(&mut lines[at], random),
            }
            lines.join("\n").into_bytes()
        }
    }
}

fn flip_bytes(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << random.below(7);
        }
    }
    bytes
}

fn splice(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    let at = random.below(bytes.len() + 1);
    bytes.splice(at..at, random.pick(SNIPPETS).bytes());
    bytes
}

fn spaces(line: &str) -> String {
    " ".repeat(line.len() - line.trim_start().len())
}

fn change_value(line: &mut String, random: &mut Random) {
    if let Some((key, _)) = line.clone().split_once(": ") {
        *line = format!("{key}: {}", random.pick(SNIPPETS));
    }
}

fn change_key(line: &mut String, random: &mut Random) {
    if let Some((_, value)) = line.clone().split_once(':') {
        *line = format!("{}{}:{value}", spaces(line), random.pick(KEYS));
    }
}

fn indent(lines: &mut [String], from: usize, random: &mut Random) {
    let count = 1 + random.below(4);
    let deeper = random.below(2) == 0;
    for line in lines.iter_mut().skip(from).take(count) {
        *line = if deeper { format!("  {line}") } else { line.strip_prefix("  ").unwrap_or(line).to_owned() };
    }
}

/// Another type in place of the value: deep, wide, or referring to itself.
fn nest(line: &mut String, random: &mut Random) {
    let Some((key, value)) = line.clone().split_once(": ").map(|(key, value)| (key.to_owned(), value.to_owned())) else { return };
    let deep = 1 + random.below(300);
    *line = match random.below(5) {
        0 => format!("{key}: {}{value}{}", "[".repeat(deep), "]".repeat(deep)),
        1 => format!("{key}: {}{value}{}", "{a: ".repeat(deep), "}".repeat(deep)),
        2 => format!("{key}: [{}]", vec![value; deep].join(", ")),
        3 => format!("{key}: &b [{value}, &c [*b, *b], *c, *c]"),
        _ => format!("{key}: {}", value.repeat(deep)),
    };
}
