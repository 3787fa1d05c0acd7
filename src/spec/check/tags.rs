//! Tags that AWS takes, and that leave room for ours.
//! <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>

use std::collections::{BTreeMap, BTreeSet};

use crate::spec::diagnostic::Findings;
use crate::spec::load::Loaded;
use crate::spec::located::Located;

use super::{Tenant, Tier};

type Tags = BTreeMap<Located<String>, Located<String>>;

const MOST: usize = 50;
/// On a tenant's service: tier, cell, infra group, resource, tenant, revision, content hash, plan, what was applied, and the
/// `Name` that the consoles show.
const OURS: usize = 10;

pub(super) fn tier(tier: &Tier, findings: &mut Findings) {
    tags(tier, &tier.spec.tags, findings);
    number(tier, tier.spec.tags.len(), &tier.spec.tags, findings);
}

pub(super) fn tenant(tenant: &Tenant, tier: Option<&Tier>, findings: &mut Findings) {
    tags(tenant, &tenant.spec.tags, findings);
    let inherited = tier.into_iter().flat_map(|tier| tier.spec.tags.keys());
    let all: BTreeSet<_> = inherited.chain(tenant.spec.tags.keys()).collect();
    number(tenant, all.len(), &tenant.spec.tags, findings);
}

fn tags<T>(file: &Loaded<T>, tags: &Tags, findings: &mut Findings) {
    for (key, value) in tags {
        let lower = key.to_lowercase();
        if let Some(owner) = ["aws:", "tierctl:"].into_iter().find(|prefix| lower.starts_with(prefix)) {
            findings.push(file.error(
                "reserved-tag",
                key.origin(),
                format!("the tag `{}` cannot be set: `{owner}` tags are not yours to write", **key),
                "choose another key; tierctl sets its own tags on everything that it makes",
            ));
        } else if !(1..=127).contains(&key.chars().count()) || !key.chars().all(allowed) {
            findings.push(file.error(
                "bad-tag",
                key.origin(),
                format!("`{}` cannot be a tag's key", **key),
                "use 1 to 127 letters, digits, spaces and `_.:/=+-@`",
            ));
        }
        if value.chars().count() > 256 || !value.chars().all(allowed) {
            findings.push(file.error(
                "bad-tag",
                value.origin(),
                format!("`{}` has a value that AWS does not take", **key),
                "use at most 256 letters, digits, spaces and `_.:/=+-@`",
            ));
        }
    }
    // Tag keys of IAM roles are the same whatever their case.
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
    let mut seen: BTreeMap<String, &Located<String>> = BTreeMap::new();
    for key in tags.keys() {
        if let Some(first) = seen.insert(key.to_lowercase(), key) {
            let message = format!("the tags `{}` and `{}` differ in case alone, which IAM refuses", **first, **key);
            let finding = file.error("bad-tag", key.origin(), message, "keep one of the two");
            findings.push(finding.related(&file.source, first.origin(), "the other"));
        }
    }
}

fn number<T>(file: &Loaded<T>, count: usize, tags: &Tags, findings: &mut Findings) {
    if let Some(last) = tags.keys().last()
        && count + OURS > MOST
    {
        findings.push(file.error(
            "too-many-tags",
            last.origin(),
            format!("here are {count} tags with those of the tier, and AWS takes {MOST} of which {OURS} are ours"),
            format!("keep at most {}", MOST - OURS),
        ));
    }
}

/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]`
fn allowed(character: char) -> bool {
    character.is_alphanumeric()
        || character == ' '
        || (character.is_whitespace() && !character.is_control())
        || "_.:/=+-@".contains(character)
}
