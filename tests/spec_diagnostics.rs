//! Every spec in `spec_cases/` has something wrong with it; what a user reads about it is a snapshot.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tierctl::report::diagnostics;
use tierctl::spec::load::load_texts;
use tierctl::spec::{Findings, Specs};

fn cases() -> Vec<(String, Specs)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec_cases");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            (name.clone(), load_texts([(PathBuf::from(format!("{name}.yaml")), text)]))
        })
        .collect()
}

#[test]
fn every_case_reads_as_in_its_snapshot() {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        for (name, specs) in cases() {
            insta::assert_snapshot!(format!("spec_{name}"), diagnostics::render(&specs.findings, false));
        }
    });
}

#[test]
fn every_finding_of_every_case_has_a_place_and_a_remedy() {
    let cases = cases();
    let mut codes = BTreeSet::new();
    for (name, specs) in &cases {
        assert!(!specs.findings.is_empty(), "{name} has nothing wrong with it");
        for finding in &specs.findings {
            assert!(finding.position.is_some(), "{name}: {}", finding.message);
            assert!(!finding.remedy.is_empty() && !finding.message.is_empty(), "{name}: {}", finding.code);
            codes.insert(finding.code);
        }
    }
    assert!(codes.len() >= 45, "{} kinds of findings are shown: {codes:?}", codes.len());
}

#[test]
fn json_holds_what_the_text_shows() {
    let (_, specs) = cases().into_iter().find(|(name, _)| name == "overlapping_cidrs").unwrap();
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        let json = serde_json::to_string_pretty(&diagnostics::to_json(&specs.findings)).unwrap();
        insta::assert_snapshot!("spec_json", json);
    });
}

#[test]
fn colour_is_only_where_it_is_asked_for() {
    let (_, specs) = cases().into_iter().next().unwrap();
    assert!(diagnostics::render(&specs.findings, true).contains('\u{1b}'));
    assert!(!diagnostics::render(&specs.findings, false).contains('\u{1b}'));
    assert_eq!(diagnostics::render(&Findings::default(), true), "");
}
