//! Files and folders into specs.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tierctl::spec::load::load_texts;
use tierctl::spec::model::ServiceName;
use tierctl::spec::{Origin, Request, Specs, load};

const TIER: &str = "tier: t\nregion: us-east-1\ncells:\n  - name: c\n    account: \"123456789012\"\n    infra_groups:\n      \
                    - name: ig\n        vpc: {cidr: 10.0.0.0/16, zones: [us-east-1a, us-east-1b]}\n";

fn tenant(name: &str) -> String {
    format!("tenant: {name}\ntier: t\nservice: {{image: x, port: 8080, cpu: 256, memory: 512}}\n")
}

struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(TempDir::new().unwrap());
        for (path, text) in files {
            let path = folder.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn load(&self, paths: &[&str]) -> Specs {
        load(&Request { paths: paths.iter().map(PathBuf::from).collect(), current_folder: self.0.path().to_path_buf(), defaults: true })
    }
}

fn codes(specs: &Specs) -> Vec<&str> {
    specs.findings.iter().map(|finding| finding.code).collect()
}

fn tenants(specs: &Specs) -> Vec<&str> {
    specs.tenants.iter().map(|tenant| tenant.spec.tenant.as_str()).collect()
}

#[test]
fn the_projects_own_specs_are_clean() {
    let current_folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let specs = load(&Request { paths: Vec::new(), current_folder, defaults: true });
    assert_eq!(codes(&specs), Vec::<&str>::new());
    assert_eq!((specs.tiers.len(), specs.tenants.len()), (3, 18));
}

#[test]
fn without_paths_both_folders_are_read() {
    let folder =
        Folder::new(&[("tiers/t.yaml", TIER), ("tenants/b/x.yml", &tenant("x")), ("tenants/a.yaml", &tenant("a")), ("other.yaml", "?")]);
    let specs = folder.load(&[]);
    assert_eq!(codes(&specs), Vec::<&str>::new());
    assert_eq!(tenants(&specs), ["a", "x"]);
    assert!(specs.tiers[0].given && specs.tier("t").is_some());
    assert_eq!(specs.tenants[0].source.path, Path::new("tenants/a.yaml"));
    assert_eq!(codes(&Folder::new(&[]).load(&[])), ["no-specs"]);
}

#[test]
fn hidden_files_other_files_and_loops_are_passed_over() {
    let folder = Folder::new(&[("tiers/t.yaml", TIER), ("tiers/.hidden/x.yaml", "?"), ("tiers/.x.yaml", "?"), ("tiers/README.md", "?")]);
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path("tiers"), folder.path("tiers/loop")).unwrap();
    let specs = folder.load(&["tiers"]);
    assert_eq!((codes(&specs), specs.tiers.len()), (Vec::new(), 1));
}

#[test]
fn a_file_named_twice_is_read_once() {
    let folder = Folder::new(&[("tiers/t.yaml", TIER)]);
    let specs = folder.load(&["tiers", "tiers/t.yaml", "./tiers/../tiers/t.yaml"]);
    assert_eq!((codes(&specs), specs.tiers.len()), (Vec::new(), 1));
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = Folder::new(&[("empty/.keep", ""), ("blank.yaml", "\n\n"), ("good.yaml", TIER)]);
    fs::write(folder.path("bytes.yaml"), b"tier: \xff\xfe\n").unwrap();
    let specs = folder.load(&["missing.yaml", "empty", "blank.yaml", "bytes.yaml", "good.yaml"]);
    assert_eq!(codes(&specs), ["no-specs", "unreadable", "empty-file", "not-utf8"]);
    assert_eq!(specs.tiers.len(), 1, "the others are read all the same");
    let place = specs.findings.iter().last().unwrap().position.as_ref().unwrap();
    assert_eq!(place.source.line_column(place.span.start).column, 7);
}

#[test]
fn a_tier_is_found_below_the_current_folder_or_beside_the_tenant() {
    let folder = Folder::new(&[
        ("tiers/t.yaml", TIER),
        ("tiers/broken.yaml", "tier: [\n"),
        ("tiers/unrelated.yaml", "tier: u\ncells: []\n"),
        ("elsewhere/tiers/v.yaml", &TIER.replace("tier: t", "tier: v").replace("10.0.", "10.1.")),
        ("elsewhere/tenants/deep/y.yaml", &tenant("y").replace("tier: t", "tier: v")),
        ("x.yaml", &tenant("x")),
    ]);
    let specs = folder.load(&["x.yaml", "elsewhere/tenants"]);
    assert_eq!(codes(&specs), Vec::<&str>::new(), "what nobody named or needs is not complained about");
    let found: Vec<_> = specs.tiers.iter().map(|tier| (tier.spec.tier.as_str(), tier.given)).collect();
    assert_eq!(found, [("t", false), ("v", false)]);
    assert_eq!(specs.tiers[0].source.path, Path::new("tiers/t.yaml"));

    assert_eq!(codes(&Folder::new(&[("x.yaml", &tenant("x"))]).load(&["x.yaml"])), ["unknown-tier"]);
}

#[test]
fn a_tier_that_is_not_yaml_is_not_called_unknown_as_well() {
    let broken = TIER.replace("account:", "account: [");
    let folder = Folder::new(&[("tiers/t.yaml", &broken), ("x.yaml", &tenant("x"))]);
    assert_eq!(codes(&folder.load(&["tiers", "x.yaml"])), ["yaml-syntax"]);
    assert_eq!(codes(&folder.load(&["x.yaml"])), ["yaml-syntax"]);
}

#[test]
fn documents_of_one_file_are_specs_of_their_own() {
    let text = format!("%YAML 1.2\n---\n{TIER}---\n# nothing\n---\n{}...\n---\n{}", tenant("x"), tenant("y"));
    let specs = load_texts([("all.yaml".into(), text.replace('\n', "\r\n"))]);
    assert_eq!(codes(&specs), Vec::<&str>::new());
    assert_eq!(tenants(&specs), ["x", "y"]);
    let Origin::Written(span) = specs.tenants[1].spec.tenant.origin() else { panic!("another form") };
    let at = specs.tenants[1].source.line_column(span.start);
    assert_eq!((at.line, at.column), (19, 9));
}

#[test]
fn anchors_and_merge_keys_are_expanded() {
    let text = TIER.replace(
        "cells:",
        "downstreams:\n  - &d {name: a, service: sqs, port: 443}\n  - {<<: *d, name: b, service: {us-east-1: sns}, port: 8443}\ncells:",
    );
    let specs = load_texts([("t.yaml".into(), text)]);
    assert_eq!(codes(&specs), Vec::<&str>::new());
    let [a, b] = specs.tiers[0].spec.downstreams.as_slice() else { panic!("another form") };
    assert_eq!((a.name.as_str(), b.name.as_str()), ("a", "b"));
    assert_eq!((a.port.as_deref(), b.port.as_deref()), (Some(&443), Some(&8443)));
    assert!(matches!(&*b.service, ServiceName::PerRegion(names) if names["us-east-1"].as_str() == "sns"));
}

#[test]
fn defaults_are_those_of_the_contract() {
    let specs = load_texts([("t.yaml".into(), format!("{TIER}---\n{}", tenant("x")))]);
    let rules = &specs.tiers[0].spec.tenants;
    assert_eq!((*rules.max_per_infra_group, *rules.ports), (50, [1024, 65535]));
    assert_eq!(rules.ports.origin(), Origin::Unplaced);
}

#[test]
fn a_byte_order_mark_moves_no_position() {
    let specs = load_texts([("t.yaml".into(), format!("\u{feff}{}", TIER.replace("us-east-1\n", "mars\n")))]);
    let finding = specs.findings.iter().find(|finding| finding.code == "bad-region").unwrap();
    let place = finding.position.as_ref().unwrap();
    assert_eq!(place.source.at(place.span), "mars");
}
