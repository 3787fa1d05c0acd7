//! The roles' statements and policies.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html>

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::spec::arn::{Arn, partition_of};
use crate::spec::diagnostic::Findings;
use crate::spec::located::{Located, Origin};
use crate::spec::model::{Effect, Role, Statement};

use crate::permissions::LONGEST_INLINE;

use super::{Tier, infra_groups, region_of, repeated};

pub(super) fn tier(tier: &Tier, findings: &mut Findings) {
    for (name, role) in [("task", &tier.spec.roles.task), ("execution", &tier.spec.roles.execution)] {
        for statement in &role.statements {
            self::statement(tier, name, statement, findings);
        }
        for (sid, first) in repeated(role.statements.iter().filter_map(|statement| statement.sid.as_ref())) {
            let message = format!("two statements of the {name} role are called `{}`", **sid);
            let finding = tier.error("duplicate", sid.origin(), message, "give each its own `sid`, or none");
            findings.push(finding.related(&tier.source, first.origin(), "first here"));
        }
        policies(tier, name, role, findings);
        size(tier, name, role, findings);
    }
}

fn statement(tier: &Tier, role: &str, statement: &Statement, findings: &mut Findings) {
    let Statement { sid, effect: _, actions, not_actions, resources, not_resources, conditions: _ } = statement;
    let written = [actions, not_actions, resources, not_resources].into_iter().flatten().next();
    let place = sid.as_ref().or(written).map_or(tier.spec.tier.origin(), Located::origin);
    for (key, yes, no) in [("actions", actions, not_actions), ("resources", resources, not_resources)] {
        if yes.is_empty() == no.is_empty() {
            let how = if yes.is_empty() { "neither" } else { "both" };
            let message =
                format!("a statement of the {role} role has {how} `{key}` {} `not_{key}`", if yes.is_empty() { "nor" } else { "and" });
            findings.push(tier.error("bad-statement", place, message, format!("give one of the two; `{key}: [\"*\"]` means all")));
        }
    }
    for action in actions.iter().chain(not_actions) {
        let sound = **action == "*"
            || action.split_once(':').is_some_and(|(service, name)| {
                let text = |part: &str, more: &[u8]| {
                    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
                };
                text(service, b"-") && text(name, b"*?")
            });
        if !sound {
            let message = format!("`{}` is not an action", **action);
            findings.push(tier.error(
                "bad-action",
                action.origin(),
                message,
                "write it as service and action, as `s3:GetObject` or `s3:Get*`",
            ));
        }
    }
    for resource in resources.iter().chain(not_resources) {
        // Policy variables and wildcards may stand anywhere behind `arn:`.
        if **resource != "*" && (!resource.starts_with("arn:") || resource.split(':').count() < 6) {
            let message = format!("`{}` is not an ARN", **resource);
            findings.push(tier.error(
                "bad-arn",
                resource.origin(),
                message,
                "write the resource's ARN, as `arn:aws:s3:::bucket/*`, or `\"*\"`",
            ));
        } else {
            foreign_partition(tier, resource, findings);
        }
    }
    if let Some(sid) = sid
        && !sid.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        let message = format!("`{}` cannot be a `sid`", **sid);
        findings.push(tier.error("bad-statement", sid.origin(), message, "use letters and digits alone"));
    }
}

fn policies(tier: &Tier, name: &str, role: &Role, findings: &mut Findings) {
    let most = tier.spec.quotas.managed_policies as usize;
    if let Some(over) = role.managed_policies.get(most) {
        findings.push(tier.error(
            "quota",
            over.origin(),
            format!("the {name} role has {} managed policies, and AWS takes {most}", role.managed_policies.len()),
            "merge some into `statements`, or have the quota L-0DA4ABF3 raised and say so: `quotas: {managed_policies: N}`",
        ));
    }
    for (policy, first) in repeated(&role.managed_policies) {
        let finding = tier.error("duplicate", policy.origin(), format!("`{}` stands here twice", **policy), "remove one");
        findings.push(finding.related(&tier.source, first.origin(), "first here"));
    }
    for policy in role.managed_policies.iter().chain(&role.permissions_boundary) {
        match Arn::parse(policy) {
            Some(arn) if arn.service == "iam" && arn.resource.starts_with("policy/") => {
                if !foreign_partition(tier, policy, findings) {
                    foreign_account(tier, policy, arn.account, findings);
                }
            }
            _ => findings.push(tier.error(
                "bad-arn",
                policy.origin(),
                format!("`{}` is not the ARN of a managed policy", **policy),
                "write it as `arn:aws:iam::aws:policy/NAME`, or with the account for your own: `arn:aws:iam::123456789012:policy/NAME`",
            )),
        }
    }
}

/// A role can only have policies of its own account, or AWS's.
fn foreign_account(tier: &Tier, policy: &Located<String>, account: &str, findings: &mut Findings) {
    if account == "aws" {
        return;
    }
    if let Some((cell, _)) = infra_groups(&tier.spec).find(|(cell, _)| *cell.account != account) {
        let message = format!("`{}` is a policy of account {account}, and cell `{}` is account {}", **policy, *cell.name, *cell.account);
        let remedy =
            "a role takes policies of its own account and of AWS (`arn:aws:iam::aws:policy/…`): write what it allows as `statements`";
        let finding = tier.error("other-account", policy.origin(), message, remedy);
        findings.push(finding.related(&tier.source, cell.account.origin(), "the cell's account"));
    }
}

/// Whether an ARN names a partition that no cell is in, which would match nothing.
fn foreign_partition(tier: &Tier, arn: &Located<String>, findings: &mut Findings) -> bool {
    let Some(named) = arn.split(':').nth(1).filter(|named| !named.contains(['*', '?', '$'])) else { return false };
    let partitions: BTreeSet<&str> = infra_groups(&tier.spec)
        .map(|(cell, _)| region_of(&tier.spec, cell))
        .filter(|region| !region.is_stand_in())
        .map(|region| partition_of(region))
        .collect();
    let foreign = !partitions.is_empty() && !partitions.contains(named);
    if foreign {
        let known: Vec<&str> = partitions.into_iter().collect();
        let message = format!("`{}` is in the partition `{named}`, and the tier's cells are in `{}`", **arn, known.join("` and `"));
        findings.push(tier.error(
            "other-partition",
            arn.origin(),
            message,
            format!("begin the ARN with `arn:{}:`", known.join("` or `arn:")),
        ));
    }
    foreign
}

fn size(tier: &Tier, name: &str, role: &Role, findings: &mut Findings) {
    let length = json!({ "Version": "2012-10-17", "Statement": role.statements.iter().map(as_json).collect::<Vec<_>>() })
        .to_string()
        .chars()
        .filter(|character| !character.is_whitespace())
        .count();
    if length > LONGEST_INLINE {
        let origin = last_place(role).unwrap_or(tier.spec.tier.origin());
        findings.push(tier.error(
            "quota",
            origin,
            format!("the statements of the {name} role make {length} characters, and AWS takes {LONGEST_INLINE}"),
            "use wildcards, or move statements into a managed policy and name it in `managed_policies`",
        ));
    }
}

fn last_place(role: &Role) -> Option<Origin> {
    let last = role.statements.last()?;
    last.resources.last().or(last.not_resources.last()).or(last.sid.as_ref()).map(Located::origin)
}

fn as_json(statement: &Statement) -> Json {
    let texts = |list: &[Located<String>]| list.iter().map(|item| item.to_string()).collect::<Vec<_>>();
    let mut json = json!({ "Effect": if statement.effect == Effect::Allow { "Allow" } else { "Deny" } });
    let lists = [
        ("Action", &statement.actions),
        ("NotAction", &statement.not_actions),
        ("Resource", &statement.resources),
        ("NotResource", &statement.not_resources),
    ];
    for (key, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        json[key] = texts(list).into();
    }
    if let Some(sid) = &statement.sid {
        json["Sid"] = sid.as_str().into();
    }
    if let Some(conditions) = &statement.conditions {
        json["Condition"] = (**conditions).clone();
    }
    json
}
