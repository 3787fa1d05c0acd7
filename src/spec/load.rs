//! Files and folders into specs, with everything that is wrong with them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::check;
use super::check::ownership;
use super::diagnostic::{Finding, Findings};
use super::located::{Origin, Span};
use super::model::{TenantSpec, TierSpec};
use super::shape::{self, Shape};
use super::source::Source;
use super::spelling;
use super::tree::{self, Node, Value};
use super::typed;

/// What to read.
#[derive(Debug, Clone)]
pub struct Request {
    /// Files and folders as the user named them; relative ones are below the current folder.
    pub paths: Vec<PathBuf>,
    pub current_folder: PathBuf,
    /// Whether no paths mean `tiers/` and `tenants/` below the current folder.
    pub defaults: bool,
}

/// Specs in the order of paths, files and documents. Where `findings` has errors, parts of a spec may be stand-ins:
/// good for further checks, and for nothing else.
#[derive(Debug, Default)]
pub struct Specs {
    pub tiers: Vec<Loaded<TierSpec>>,
    pub tenants: Vec<Loaded<TenantSpec>>,
    pub findings: Findings,
}

impl Specs {
    /// The files that they stand in, each once, and of those that were not given the names of the tiers that were looked up.
    pub fn sources(&self) -> Vec<(&Source, Option<Vec<String>>)> {
        let tiers = self.tiers.iter().map(|tier| (&tier.source, (!tier.given).then(|| tier.spec.tier.to_string())));
        let all = tiers.chain(self.tenants.iter().map(|tenant| (&tenant.source, None)));
        let mut found: Vec<(&Source, Option<Vec<String>>)> = Vec::new();
        let mut places: HashMap<*const Source, usize> = HashMap::new();
        for (source, looked_up) in all {
            match places.get(&Arc::as_ptr(source)) {
                Some(place) => found[*place].1.iter_mut().for_each(|names| names.extend(looked_up.clone())),
                None => {
                    places.insert(Arc::as_ptr(source), found.len());
                    found.push((source, looked_up.map(|name| vec![name])));
                }
            }
        }
        found
    }

    pub fn tier(&self, name: &str) -> Option<&Loaded<TierSpec>> {
        self.tiers.iter().find(|tier| *tier.spec.tier == name)
    }
}

/// A spec and the file that it stands in.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    pub spec: T,
    pub source: Arc<Source>,
    /// Whether the user named the file or its folder. A tier that was only looked up for a tenant is not given.
    pub given: bool,
    /// Where the document starts.
    pub start: Origin,
}

impl<T> Loaded<T> {
    /// An error at a place in this file.
    pub(super) fn error(&self, code: &'static str, origin: Origin, message: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding::error(code, message, remedy).at(&self.source, self.or_start(origin))
    }

    pub(super) fn warning(&self, code: &'static str, origin: Origin, message: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding::warning(code, message, remedy).at(&self.source, self.or_start(origin))
    }

    fn or_start(&self, origin: Origin) -> Origin {
        if origin == Origin::Unplaced { self.start } else { origin }
    }
}

/// Reads and checks what the request names, and looks up the tiers of tenants.
pub fn load(request: &Request) -> Specs {
    let mut reader = Reader::default();
    let paths = match (request.paths.as_slice(), request.defaults) {
        ([], true) => {
            let below = |name: &str| request.current_folder.join(name).is_dir().then(|| PathBuf::from(name));
            let found: Vec<PathBuf> = ["tiers", "tenants"].into_iter().filter_map(below).collect();
            if found.is_empty() {
                reader.findings.push(Finding::error(
                    "no-specs",
                    "there is no folder `tiers` or `tenants` here",
                    "name the files or folders to read, or go to the folder that holds `tiers/` and `tenants/`",
                ));
            }
            found
        }
        (paths, _) => paths.to_vec(),
    };
    for path in &paths {
        reader.path(&request.current_folder, path, request.paths.is_empty());
    }
    reader.find_tiers(&request.current_folder);
    reader.finish()
}

/// Names of the tiers that have a spec in `tiers/` below a folder, whatever else is wrong there.
pub fn tiers_in(folder: &Path) -> BTreeSet<String> {
    candidates_in(&folder.join("tiers"), folder).into_iter().flat_map(|candidate| candidate.names).collect()
}

/// Reads and checks texts that are in no file; the paths are only shown.
pub fn load_texts(texts: impl IntoIterator<Item = (PathBuf, String)>) -> Specs {
    load_kept(texts.into_iter().map(|(path, text)| (path, text, None)))
}

/// The same for texts some of which were only looked up: of these the tiers with these names, and nothing else.
pub fn load_kept(texts: impl IntoIterator<Item = (PathBuf, String, Option<Vec<String>>)>) -> Specs {
    let mut reader = Reader::default();
    for (path, text, looked_up) in texts {
        let source = Arc::new(Source::new(path, text));
        let Some(names) = looked_up else {
            reader.source(&source);
            continue;
        };
        for (document, findings) in documents(&source, false).0 {
            if let Document::Tier(tier) = document
                && names.contains(&*tier.spec.tier)
            {
                reader.findings.extend(findings);
                reader.tiers.push(*tier);
            }
        }
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    tiers: Vec<Loaded<TierSpec>>,
    tenants: Vec<Loaded<TenantSpec>>,
    findings: Findings,
    /// Files already read, as they are really called: naming one twice is no duplicate.
    seen: HashSet<PathBuf>,
    /// Names of tiers in files that are not YAML: a tenant of theirs has not to hear that there is no such tier.
    broken_tiers: HashSet<String>,
}

impl Reader {
    fn path(&mut self, current_folder: &Path, path: &Path, is_default: bool) {
        let place = current_folder.join(path);
        match place.metadata() {
            Ok(data) if data.is_dir() => {
                let (files, problems) = files_below(&place);
                let nothing = files.is_empty() && problems.is_empty();
                self.findings.extend(problems);
                // On the first day, and after the last tenant has gone, `tenants/` is empty and that is fine.
                if nothing && !is_default {
                    self.findings.push(Finding::error(
                        "no-specs",
                        format!("{} holds no `.yaml` or `.yml` file", path.display()),
                        "put specs there, or name another folder; hidden files and folders are not read",
                    ));
                }
                for file in files {
                    let shown = file.strip_prefix(&place).map_or_else(|_| file.clone(), |below| path.join(below));
                    self.file(&file, shown);
                }
            }
            Ok(data) if data.is_file() => self.file(&place, path.to_path_buf()),
            // A device or a pipe may never end.
            Ok(_) => self.findings.push(Finding::error(
                "unreadable",
                format!("{} is neither a file nor a folder", path.display()),
                "name the files or folders that hold the specs",
            )),
            Err(error) => self.findings.push(unreadable(path, &error)),
        }
    }

    fn file(&mut self, place: &Path, shown: PathBuf) {
        let real = place.canonicalize().unwrap_or_else(|_| place.to_path_buf());
        if !self.seen.insert(real) {
            return;
        }
        match read(place, shown) {
            Ok(source) => self.source(&source),
            Err(finding) => self.findings.push(*finding),
        }
    }

    fn source(&mut self, source: &Arc<Source>) {
        let (documents, findings) = documents(source, true);
        if !findings.is_empty() {
            self.broken_tiers.extend(tiers_mentioned(source));
        }
        self.findings.extend(findings);
        for (document, findings) in documents {
            self.findings.extend(findings);
            match document {
                Document::Tier(tier) => self.tiers.push(*tier),
                Document::Tenant(tenant) => self.tenants.push(*tenant),
                Document::Unknown => {}
            }
        }
    }

    /// A tier that no path gave is looked for by name: in `tiers/` below the current folder, then beside the folders
    /// that the tenant's file is in, the nearest first.
    fn find_tiers(&mut self, current_folder: &Path) {
        let mut folders: HashMap<PathBuf, Vec<Candidate>> = HashMap::new();
        let mut known: HashSet<String> = self.tiers.iter().map(|tier| tier.spec.tier.to_string()).collect();
        known.extend(self.broken_tiers.iter().cloned());
        let wanted: Vec<(String, PathBuf)> = self
            .tenants
            .iter()
            .filter(|tenant| !tenant.spec.tier.is_stand_in())
            .map(|tenant| (tenant.spec.tier.to_string(), tenant.source.path.clone()))
            .collect();
        for (name, file) in wanted {
            if known.contains(&name) {
                continue;
            }
            for folder in folders_of_tiers(&file, current_folder) {
                let candidates = folders.entry(folder.clone()).or_insert_with(|| candidates_in(&folder, current_folder));
                if let Some(at) = candidates.iter().position(|candidate| candidate.names.contains(&name)) {
                    let found = candidates.swap_remove(at);
                    match found.tier {
                        Some(tier) => self.tiers.push(tier),
                        None => self.broken_tiers.extend(found.names),
                    }
                    self.findings.extend(found.findings);
                    known.insert(name);
                    break;
                }
            }
        }
    }

    fn finish(mut self) -> Specs {
        check::check(&self.tiers, &self.tenants, &self.broken_tiers, &mut self.findings);
        self.findings.sort();
        Specs { tiers: self.tiers, tenants: self.tenants, findings: self.findings }
    }
}

/// A tier in a folder that nobody named, or a file there that is not YAML and seems to hold one.
struct Candidate {
    names: Vec<String>,
    tier: Option<Loaded<TierSpec>>,
    findings: Vec<Finding>,
}

/// Where the tier of a tenant whose spec is, or was, in this file is looked for, the nearest first.
fn folders_of_tiers(file: &Path, current_folder: &Path) -> Vec<PathBuf> {
    let file = current_folder.join(file);
    let beside = file.ancestors().skip(1).map(|folder| folder.join("tiers"));
    std::iter::once(current_folder.join("tiers")).chain(beside).collect()
}

/// The tier of a tenant whose spec was in this file.
pub fn tier_of_departed(name: &str, file: &Path, current_folder: &Path) -> Option<TierSpec> {
    let candidates = folders_of_tiers(file, current_folder).into_iter().flat_map(|folder| candidates_in(&folder, current_folder));
    candidates.filter_map(|candidate| candidate.tier).map(|tier| tier.spec).find(|tier| *tier.tier == name)
}

/// What else is wrong in the folder is not this run's business.
fn candidates_in(folder: &Path, current_folder: &Path) -> Vec<Candidate> {
    if !folder.is_dir() {
        return Vec::new();
    }
    let mut candidates = Vec::new();
    for file in files_below(folder).0 {
        let shown = file.strip_prefix(current_folder).unwrap_or(&file).to_path_buf();
        let Ok(source) = read(&file, shown) else { continue };
        let (documents, problems) = documents(&source, false);
        if !problems.is_empty() {
            candidates.push(Candidate { names: tiers_mentioned(&source), tier: None, findings: problems });
        }
        for (document, findings) in documents {
            if let Document::Tier(tier) = document {
                candidates.push(Candidate { names: vec![tier.spec.tier.to_string()], tier: Some(*tier), findings });
            }
        }
    }
    candidates
}

/// The tiers that a file would describe if it were YAML.
fn tiers_mentioned(source: &Source) -> Vec<String> {
    let value = |line: &str| Some(line.strip_prefix("tier:")?.trim().trim_matches(['"', '\'']).to_owned());
    if source.text.lines().any(|line| line.starts_with("cells:")) { source.text.lines().filter_map(value).collect() } else { Vec::new() }
}

fn is_yaml(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Whether a file, were it there, would be read as one of specs below a folder: hidden ones are not.
pub fn is_read_below(folder: &Path, file: &Path) -> bool {
    let is_hidden = |part: std::path::Component<'_>| part.as_os_str().as_encoded_bytes().starts_with(b".");
    file.strip_prefix(folder).is_ok_and(|below| is_yaml(file) && !below.components().any(is_hidden))
}

/// YAML files below a folder in the order of their names, and what could not be looked into.
fn files_below(folder: &Path) -> (Vec<PathBuf>, Vec<Finding>) {
    let (mut files, mut findings) = (Vec::new(), Vec::new());
    let walk = ignore::WalkBuilder::new(folder).standard_filters(false).hidden(true).follow_links(true).sort_by_file_name(Ord::cmp).build();
    for entry in walk {
        match entry {
            Ok(entry) => {
                if is_yaml(entry.path()) && entry.file_type().is_some_and(|kind| kind.is_file()) {
                    files.push(entry.into_path());
                }
            }
            // What a link leads back to is read where it really is.
            Err(error) if is_loop(&error) => {}
            Err(error) => findings.push(match error.io_error() {
                Some(why) => unreadable(place_of(&error).unwrap_or(folder), why),
                None => Finding::error(
                    "unreadable",
                    format!("cannot look into {}: {error}", folder.display()),
                    "check the permissions, or name the files to read",
                ),
            }),
        }
    }
    (files, findings)
}

/// The file or folder that an error is about.
fn place_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } => place_of(err),
        _ => None,
    }
}

fn is_loop(error: &ignore::Error) -> bool {
    match error {
        ignore::Error::Loop { .. } => true,
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithPath { err, .. } => is_loop(err),
        _ => false,
    }
}

fn read(place: &Path, shown: PathBuf) -> Result<Arc<Source>, Box<Finding>> {
    let bytes = std::fs::read(place).map_err(|error| Box::new(unreadable(&shown, &error)))?;
    String::from_utf8(bytes).map(|text| Arc::new(Source::new(&shown, text))).map_err(|error| {
        let at = error.utf8_error().valid_up_to() as u32;
        let source = Arc::new(Source::new(&shown, String::from_utf8_lossy(error.as_bytes())));
        let finding =
            Finding::error("not-utf8", "this file is not UTF-8 text", "save the file as UTF-8; if it is no text at all, it is not a spec");
        Box::new(finding.at(&source, Origin::Written(Span { start: at, end: at })))
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Finding {
    let (message, remedy) = match error.kind() {
        io::ErrorKind::NotFound => (format!("{} does not exist", path.display()), "check the path; it is taken from the current folder"),
        io::ErrorKind::PermissionDenied => {
            (format!("{} may not be read", path.display()), "check the permissions of the file and of its folders")
        }
        _ => (format!("{} cannot be read: {error}", path.display()), "name a file or a folder that can be read"),
    };
    Finding::error("unreadable", message, remedy)
}

enum Document {
    Tier(Box<Loaded<TierSpec>>),
    Tenant(Box<Loaded<TenantSpec>>),
    Unknown,
}

/// The documents of a file, each with what is wrong with it, and what is wrong with the file.
fn documents(source: &Arc<Source>, given: bool) -> (Vec<(Document, Vec<Finding>)>, Vec<Finding>) {
    let (nodes, mut findings) = tree::parse(source);
    if nodes.is_empty() && findings.is_empty() {
        let start = Origin::Written(Span { start: 0, end: 0 });
        let remedy = "describe a tier (`tier`, `region`, `cells`) or a tenant (`tenant`, `tier`, `service`) in it, \
                      or delete the file";
        findings.push(Finding::error("empty-file", "this file holds no spec", remedy).at(source, start));
    }
    (nodes.into_iter().map(|node| document(node, source, given)).collect(), findings)
}

fn document(node: Node, source: &Arc<Source>, given: bool) -> (Document, Vec<Finding>) {
    match Kind::of(&node) {
        Some(Kind::Tier) => {
            let (tier, findings) = typed(node, &shape::TIER, ownership::in_a_tier, source, given);
            (tier.map_or(Document::Unknown, |tier| Document::Tier(Box::new(tier))), findings)
        }
        Some(Kind::Tenant) => {
            let (tenant, findings) = typed(node, &shape::TENANT, ownership::in_a_tenant, source, given);
            (tenant.map_or(Document::Unknown, |tenant| Document::Tenant(Box::new(tenant))), findings)
        }
        None => {
            let finding = Finding::error(
                "unknown-kind",
                "this is neither a tier nor a tenant",
                "a tier has the keys `tier`, `region` and `cells`; a tenant has `tenant`, `tier` and `service` \
                 or `targets`",
            );
            (Document::Unknown, vec![finding.at(source, shape::start_of(&node))])
        }
    }
}

fn typed<T: DeserializeOwned>(
    mut node: Node,
    shape: &Shape,
    advice: shape::Advice,
    source: &Arc<Source>,
    given: bool,
) -> (Option<Loaded<T>>, Vec<Finding>) {
    let start = shape::start_of(&node);
    let mut findings = shape::mend(&mut node, shape, source, advice);
    match typed::from_tree(&node) {
        Ok(spec) => (Some(Loaded { spec, source: Arc::clone(source), given, start }), findings),
        Err(error) => {
            let message = format!("this spec cannot be read: {error}");
            let remedy = "compare it with the spec reference, and please report it: this message should name the key";
            findings.push(Finding::error("unreadable-spec", message, remedy).at(source, start));
            (None, findings)
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Tier,
    Tenant,
}

impl Kind {
    /// By the key that names the thing, else by the first key that only one kind has: a misspelt name should be
    /// reported as such.
    fn of(node: &Node) -> Option<Self> {
        let Value::Map(entries) = &node.value else { return None };
        if node.get("tenant").is_some() {
            return Some(Self::Tenant);
        }
        if node.get("cells").is_some() {
            return Some(Self::Tier);
        }
        let keys = || entries.iter().filter_map(|(key, _)| key.text());
        keys()
            .find_map(|key| match key {
                "service" | "targets" | "route" | "placement" | "environment" => Some(Self::Tenant),
                "region" | "downstreams" | "egress" | "roles" | "tenants" | "monitoring" => Some(Self::Tier),
                _ => None,
            })
            .or_else(|| {
                keys().find_map(|key| match spelling::nearest(key, ["tenant", "cells"])? {
                    "tenant" => Some(Self::Tenant),
                    _ => Some(Self::Tier),
                })
            })
    }
}
