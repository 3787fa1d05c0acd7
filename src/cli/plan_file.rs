//! A saved plan as a file: JSON that says of itself what it is, and carries a checksum of what it holds.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::failure::Failure;
use crate::plan::saved::SavedPlan;
use crate::sha256::hex;

const FORMAT: &str = "tierctl-plan";
/// It changes when a plan of another version could not be carried out as it was meant.
const VERSION: u64 = 4;
/// Digits of a SHA-256.
const WHOLE: usize = 64;
/// As many of them tell plans apart in tags.
const SHORT: usize = 16;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    format: String,
    format_version: u64,
    /// The version of tierctl that made it.
    tierctl: String,
    /// Of `plan`, as JSON without spaces.
    sha256: String,
    plan: SavedPlan,
}

/// A plan that was read from a file.
pub(super) struct Read {
    pub plan: SavedPlan,
    /// What tells it from other plans.
    pub id: String,
}

/// Writes a plan, whole or not at all, and returns the SHA-256 of the file.
pub(super) fn write(path: &Path, plan: &SavedPlan) -> Result<String, Failure> {
    let unwritable = |error: std::io::Error| {
        Failure::usage(format!("the plan cannot be written to {}: {error}", path.display()), "name a file that can be written")
    };
    let file = PlanFile {
        format: FORMAT.into(),
        format_version: VERSION,
        tierctl: env!("CARGO_PKG_VERSION").into(),
        sha256: checksum(plan)?,
        plan: plan.clone(),
    };
    let text = format!("{}\n", serde_json::to_string_pretty(&file).map_err(|error| unwritable(error.into()))?);
    // What a link leads to is what is meant; and a pipe or device takes what it is given.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let path = target.as_path();
    let before = std::fs::metadata(path).ok();
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        std::fs::OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(unwritable)?;
        return Ok(hex(text.as_bytes(), WHOLE));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = folder.join(format!(".{name}.{}", std::process::id()));
    let keep_mode = || before.map_or(Ok(()), |before| std::fs::set_permissions(&unfinished, before.permissions()));
    let written = std::fs::write(&unfinished, &text).and_then(|()| keep_mode()).and_then(|()| std::fs::rename(&unfinished, path));
    written.inspect_err(|_| drop(std::fs::remove_file(&unfinished))).map_err(unwritable)?;
    Ok(hex(text.as_bytes(), WHOLE))
}

/// Reads a plan; `sha256` is that of the file that was looked at, where it is known.
pub(super) fn read(path: &Path, sha256: Option<&str>) -> Result<Read, Failure> {
    let shown = path.display();
    let again = "make the plan again: `tierctl plan --out FILE`";
    let bytes =
        std::fs::read(path).map_err(|error| Failure::usage(format!("the plan {shown} cannot be read: {error}"), "check the path"))?;
    let is_another = sha256.is_some_and(|expected| !hex(&bytes, WHOLE).eq_ignore_ascii_case(expected));
    if is_another {
        let message = format!("{shown} is not the plan that was reviewed: its SHA-256 is {}", hex(&bytes, WHOLE));
        return Err(Failure::usage(message, "fetch the file that was reviewed, or have this one reviewed"));
    }
    let damaged = |why: String| Failure::usage(format!("{shown} is damaged: {why}"), again);
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => damaged("it ends too early".into()),
        _ => Failure::usage(format!("{shown} is not a plan of tierctl: {error}"), again),
    })?;
    if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(Failure::usage(format!("{shown} is not a plan of tierctl"), "name a file that `tierctl plan --out` has written"));
    }
    let version = value.get("format_version").cloned().unwrap_or_default();
    if version.as_u64() != Some(VERSION) {
        let maker = value.get("tierctl").and_then(Value::as_str).unwrap_or("another version");
        let message = format!("{shown} has version {version} of the format, from tierctl {maker}; this tierctl reads version {VERSION}");
        return Err(Failure::usage(message, "plan and apply with the same version of tierctl"));
    }
    let file: PlanFile = serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
    let found = checksum(&file.plan)?;
    if found != file.sha256 {
        return Err(damaged("it does not hold what it was written with".into()));
    }
    let id = found[..SHORT].to_string();
    Ok(Read { plan: file.plan, id })
}

fn checksum(plan: &SavedPlan) -> Result<String, Failure> {
    let text = serde_json::to_string(plan).map_err(|error| Failure::usage(format!("the plan cannot be written: {error}"), ""))?;
    Ok(hex(text.as_bytes(), WHOLE))
}
