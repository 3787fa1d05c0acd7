//! What has changed in a Git repository of specs since a revision: the plan of a pull request is about that alone.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::failure::Failure;
use crate::estate::Group;
use crate::resources::model::{Place, Scope};
use crate::spec::model::{TenantSpec, TierSpec};
use crate::spec::{Loaded, Specs, is_read_below, load_texts, tier_of_departed};

/// What is new and what has gone.
pub(super) struct Changes {
    /// Tier and name of tenants that had no spec then.
    pub new_tenants: BTreeSet<(String, String)>,
    /// Tenants that had a spec then and have none now.
    pub departed_tenants: Vec<TenantSpec>,
    /// The tiers of these, as far as they still have a spec.
    pub left_tiers: Vec<TierSpec>,
    /// Tiers as they were then, each with no more than the infra groups that its spec does not name any more.
    pub departed_groups: Vec<TierSpec>,
    /// The same with the infra groups that their specs have in another account or Region now.
    pub moved_groups: Vec<TierSpec>,
}

/// Narrows specs to what has changed since the last commit that `revision` and `HEAD` have in common, in the working tree
/// and below these paths: tenants in changed files, tiers in changed files with all of their tenants, and the tiers that
/// these need.
pub(super) fn narrow(specs: Specs, revision: &str, current_folder: &Path, paths: &[PathBuf]) -> Result<(Specs, Changes), Failure> {
    let repository = Repository::at(current_folder)?;
    let base = repository.common_ancestor(revision)?;
    let changed = repository.changed_files(&base)?;
    let current_folder = current_folder.canonicalize().unwrap_or_else(|_| current_folder.to_path_buf());
    let defaults = ["tiers", "tenants"].map(PathBuf::from);
    let named = if paths.is_empty() { &defaults } else { paths };
    let roots: Vec<PathBuf> = named.iter().map(|path| current_folder.join(path)).map(|path| path.canonicalize().unwrap_or(path)).collect();
    let sources = specs.sources().into_iter().map(|(source, _)| current_folder.join(&source.path));
    repository.must_follow(&roots, sources.map(|path| path.canonicalize().unwrap_or(path)))?;
    let is_meant = |file: &Path| roots.iter().any(|root| root == file || is_read_below(root, file));

    let before = changed.iter().filter(|(file, was_there)| **was_there && is_meant(file)).map(|(file, _)| file.clone());
    // What was wrong with them then is no matter now.
    let before = load_texts(repository.texts_at(&base, before.collect())?);
    let with_spec: BTreeSet<(&str, &str)> = specs.tenants.iter().map(|tenant| identity(&tenant.spec)).collect();
    let departed_tenants: Vec<&Loaded<TenantSpec>> =
        before.tenants.iter().filter(|tenant| !with_spec.contains(&identity(&tenant.spec))).collect();
    let only = |keeps: fn(Option<Place>, Place) -> bool| -> Vec<TierSpec> {
        before.tiers.iter().filter_map(|tier| groups_of(&tier.spec, specs.tier(&tier.spec.tier), keeps)).collect()
    };
    let departed_groups = only(|now, _| now.is_none());
    let moved_groups = only(|now, then| now.is_some_and(|now| now != then));
    let mut left_tiers: BTreeMap<String, TierSpec> = BTreeMap::new();
    for tenant in &departed_tenants {
        let name = tenant.spec.tier.as_str();
        if left_tiers.contains_key(name) {
            continue;
        }
        let known = specs.tiers.iter().find(|tier| *tier.spec.tier == name).map(|tier| tier.spec.clone());
        // The paths may name the tenants alone, and none of this tier is left among them.
        match known.or_else(|| tier_of_departed(name, &tenant.source.path, &current_folder)) {
            Some(tier) => {
                left_tiers.insert(name.to_string(), tier);
            }
            // What has left with it shows in its infra groups.
            None if departed_groups.iter().any(|tier| *tier.tier == name) => {}
            None => {
                let message = format!(
                    "the spec of {} is gone, and there is none of its tier {name} by which to look for what it has left behind",
                    *tenant.spec.tenant
                );
                return Err(Failure::usage(message, "put the tier's spec back, or name its folder too"));
            }
        }
    }
    let left_tiers = left_tiers.into_values().collect();
    let departed_tenants: Vec<TenantSpec> = departed_tenants.into_iter().map(|tenant| tenant.spec.clone()).collect();

    let is_changed = |path: &Path| {
        let path = current_folder.join(path);
        changed.contains_key(&path.canonicalize().unwrap_or(path))
    };
    let mut tiers = specs.tiers;
    // A tier in a file that is as it was is only looked up for its tenants.
    tiers.iter_mut().for_each(|tier| tier.given &= is_changed(&tier.source.path));
    let mut tenants = specs.tenants;
    let tier_is_changed = |name: &str| tiers.iter().any(|tier| tier.given && *tier.spec.tier == name);
    tenants.retain(|tenant| is_changed(&tenant.source.path) || tier_is_changed(&tenant.spec.tier));
    tiers.retain(|tier| tier.given || tenants.iter().any(|tenant| tenant.spec.tier == tier.spec.tier));
    let new = |tenant: &&Loaded<TenantSpec>| !before.tenants.iter().any(|old| identity(&old.spec) == identity(&tenant.spec));
    let new_tenants = tenants.iter().filter(|tenant| is_changed(&tenant.source.path)).filter(new);
    let new_tenants = new_tenants.map(|tenant| (tenant.spec.tier.to_string(), tenant.spec.tenant.to_string())).collect();
    let changes = Changes { new_tenants, departed_tenants, left_tiers, departed_groups, moved_groups };
    Ok((Specs { tiers, tenants, findings: specs.findings }, changes))
}

fn identity(tenant: &TenantSpec) -> (&str, &str) {
    (&tenant.tier, &tenant.tenant)
}

/// A tier as it was, with those of its infra groups of which `keeps` says so, if there are any: it is asked with the place
/// that the spec has for it now, if it has any, and the one that it had then.
fn groups_of(before: &TierSpec, now: Option<&Loaded<TierSpec>>, keeps: fn(Option<Place>, Place) -> bool) -> Option<TierSpec> {
    let places: BTreeMap<Scope, Place> =
        now.into_iter().flat_map(|tier| Group::all_of(&tier.spec)).map(|group| (group.scope(), group.place())).collect();
    let kept: BTreeSet<Scope> = Group::all_of(before)
        .filter(|group| keeps(places.get(&group.scope()).cloned(), group.place()))
        .map(|group| group.scope())
        .collect();
    let mut tier = before.clone();
    for cell in &mut tier.cells {
        let name = cell.name.to_string();
        cell.infra_groups.retain(|group| kept.contains(&Scope::infra_group(&before.tier, &name, &group.name)));
    }
    tier.cells.retain(|cell| !cell.infra_groups.is_empty());
    (!tier.cells.is_empty()).then_some(tier)
}

/// A repository, through the `git` that its user has.
struct Repository {
    top: PathBuf,
}

/// How the mode of a submodule begins. <https://git-scm.com/docs/git-fast-import#_filemodify>
const SUBMODULE: &[u8] = b"160000 ";

const FETCH: &str =
    "fetch it, as with `git fetch origin main`; in CI check out with the whole history (`fetch-depth: 0`, or `GIT_DEPTH: 0`)";

impl Repository {
    fn at(folder: &Path) -> Result<Self, Failure> {
        let top = git(folder, ["rev-parse", "--show-toplevel"].map(OsString::from))?.map_err(|said| {
            Failure::usage(format!("--changed-since needs a Git repository, and {} is in none: {said}", folder.display()), "leave it out")
        })?;
        let top = PathBuf::from(OsStr::from_bytes(top.trim_ascii_end()));
        Ok(Self { top: top.canonicalize().unwrap_or(top) })
    }

    fn common_ancestor(&self, revision: &str) -> Result<String, Failure> {
        let commit = format!("{revision}^{{commit}}");
        let found = git(&self.top, ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit].map(OsString::from))?;
        let found = found.map_err(|_| Failure::usage(format!("this repository has no revision {revision}"), FETCH))?;
        let found = String::from_utf8_lossy(&found).trim().to_string();
        let ancestor = git(&self.top, ["merge-base", &found, "HEAD"].map(OsString::from))?;
        let ancestor = ancestor.map_err(|_| {
            Failure::usage(format!("{revision} and HEAD have no history in common here, perhaps since this is a shallow clone"), FETCH)
        })?;
        Ok(String::from_utf8_lossy(&ancestor).trim().to_string())
    }

    /// Files that differ from a commit, those that Git does not know yet included, and whether each was there then.
    fn changed_files(&self, commit: &str) -> Result<BTreeMap<PathBuf, bool>, Failure> {
        let mut files = BTreeMap::new();
        let listed = self.asked(["diff", "--name-status", "--no-renames", "--no-ext-diff", "-z", commit, "--"].map(OsString::from))?;
        let mut parts = listed.split(|byte| *byte == 0);
        while let (Some(status), Some(path)) = (parts.next(), parts.next()) {
            files.insert(self.top.join(OsStr::from_bytes(path)), status != b"A");
        }
        let untracked = self.asked(["ls-files", "--others", "--exclude-standard", "-z"].map(OsString::from))?;
        for path in untracked.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
            files.entry(self.top.join(OsStr::from_bytes(path))).or_insert(false);
        }
        Ok(files)
    }

    /// Refuses what Git cannot tell of: whether a spec has changed that it does not follow, or not in this repository.
    fn must_follow(&self, roots: &[PathBuf], specs: impl IntoIterator<Item = PathBuf>) -> Result<(), Failure> {
        let remedy = "leave --changed-since out, or keep the specs in this repository alone";
        let staged = self.asked(["ls-files", "--stage", "-z"].map(OsString::from))?;
        for entry in staged.split(|byte| *byte == 0).filter(|entry| entry.starts_with(SUBMODULE)) {
            let path = entry.split(|byte| *byte == b'\t').nth(1).unwrap_or_default();
            let submodule = self.top.join(OsStr::from_bytes(path));
            if roots.iter().any(|root| root.starts_with(&submodule) || submodule.starts_with(root)) {
                let message =
                    format!("{} is a submodule: which of its specs have changed, this repository cannot tell", submodule.display());
                return Err(Failure::usage(message, remedy));
            }
        }
        let listed = ["ls-files", "-v", "--cached", "--others", "--exclude-standard", "-z"].map(OsString::from);
        let listed = self.asked(listed)?;
        // In lower case, or S, is what Git was told not to look at.
        let looked_at = listed.split(|byte| *byte == 0).filter(|entry| matches!(entry.first(), Some(b'A'..=b'R' | b'T'..=b'Z' | b'?')));
        let followed: BTreeSet<PathBuf> = looked_at.filter_map(|entry| Some(self.top.join(OsStr::from_bytes(entry.get(2..)?)))).collect();
        match specs.into_iter().find(|spec| !followed.contains(spec)) {
            Some(spec) => {
                let message = format!(
                    "Git does not follow {}: it is ignored, or in another repository than {}, so that nobody can tell whether it has changed",
                    spec.display(),
                    self.top.display()
                );
                Err(Failure::usage(message, remedy))
            }
            None => Ok(()),
        }
    }

    /// What stood in files at a commit: one question for all of them.
    fn texts_at(&self, commit: &str, files: Vec<PathBuf>) -> Result<Vec<(PathBuf, String)>, Failure> {
        let mut texts = Vec::new();
        let odd = |file: &Path| file.as_os_str().as_bytes().contains(&b'\n');
        let (apart, together): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(|file| odd(file));
        let object = |file: &Path| {
            let mut object = OsString::from(format!("{commit}:"));
            object.push(file.strip_prefix(&self.top).unwrap_or(file));
            object
        };
        // The form of the questions has a line for each.
        for file in apart {
            let bytes = self.asked([OsString::from("cat-file"), "blob".into(), object(&file)])?;
            texts.push((file, String::from_utf8_lossy(&bytes).into_owned()));
        }
        let mut questions = Vec::new();
        for file in &together {
            questions.extend_from_slice(object(file).as_bytes());
            questions.push(b'\n');
        }
        let answers =
            if together.is_empty() { Ok(Vec::new()) } else { git_with(&self.top, ["cat-file", "--batch"].map(OsString::from), questions)? };
        let answers = answers.map_err(|said| Failure::usage(format!("git cannot say what has changed: {said}"), FETCH))?;
        let mut rest = answers.as_slice();
        for file in together {
            // `<object> blob <size>`, the content, and a line's end.
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let (header, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            let size = String::from_utf8_lossy(header).rsplit(' ').next().and_then(|size| size.parse::<usize>().ok());
            let content = size.and_then(|size| after.get(1..=size));
            let Some(content) = content else {
                let said = String::from_utf8_lossy(header).into_owned();
                return Err(Failure::usage(format!("git cannot say what stood in {}: {said}", file.display()), FETCH));
            };
            rest = after.get(content.len() + 2..).unwrap_or_default();
            texts.push((file, String::from_utf8_lossy(content).into_owned()));
        }
        Ok(texts)
    }

    fn asked<const N: usize>(&self, arguments: [OsString; N]) -> Result<Vec<u8>, Failure> {
        git(&self.top, arguments)?.map_err(|said| Failure::usage(format!("git cannot say what has changed: {said}"), FETCH))
    }
}

/// What git prints, or what it says of why it cannot.
fn git<const N: usize>(folder: &Path, arguments: [OsString; N]) -> Result<Result<Vec<u8>, String>, Failure> {
    git_with(folder, arguments, Vec::new())
}

/// The same with something to read.
fn git_with<const N: usize>(folder: &Path, arguments: [OsString; N], input: Vec<u8>) -> Result<Result<Vec<u8>, String>, Failure> {
    let unusable =
        |error: std::io::Error| Failure::usage(format!("git cannot be run: {error}"), "install it, or leave --changed-since out");
    let mut command = Command::new("git");
    // A plan writes nothing, and so not the index of the repository either.
    command.arg("-C").arg(folder).args(arguments).env("GIT_OPTIONAL_LOCKS", "0");
    let mut git = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(unusable)?;
    let stdin = git.stdin.take();
    // Beside the reading of what it answers: else both would wait for each other.
    let writer = std::thread::spawn(move || stdin.map_or(Ok(()), |mut stdin| stdin.write_all(&input)));
    let output = git.wait_with_output().map_err(unusable)?;
    // If it did not read all, it says why.
    drop(writer.join());
    let said = String::from_utf8_lossy(&output.stderr).trim().trim_start_matches("fatal: ").to_string();
    Ok(if output.status.success() { Ok(output.stdout) } else { Err(said) })
}
