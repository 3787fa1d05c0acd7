//! A plan as JSON. All but `run` is the same, byte for byte, for the same specs and state.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FORMAT_VERSION, Identity, Located, RunDocument, RunInfo};
use crate::plan::{Action, Change, FieldChange, Origin, Plan, PlannedCell, Summary};
use crate::resources::Depth;
use crate::resources::model::{Condition, Live};

/// What `tierctl plan --format json` prints.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct PlanDocument<'a> {
    /// Version 1.1 may say more than 1.0; 2.0 takes something away, or means something else by it.
    pub(super) format_version: Cow<'a, str>,
    /// Numbers of changes, by what they do.
    pub(super) summary: Summary,
    /// The tiers' before the tenants', then by scope, kind and name.
    pub(super) changes: Vec<ChangeDocument<'a>>,
    /// Things with tierctl's tags that no spec names: they are left alone.
    pub(super) unclaimed: Vec<UnclaimedDocument<'a>>,
    /// Cells that the plan is about.
    pub(super) cells: Vec<Cow<'a, PlannedCell>>,
    /// Cells of the specs that it is not about, since `--cell` names others.
    pub(super) other_cells: Vec<Cow<'a, PlannedCell>>,
    /// Cells that could not be read: the plan says nothing of them.
    pub(super) unread: Vec<UnreadDocument<'a>>,
    /// How much was taken on trust.
    pub(super) depth: Depth,
    /// Services that a quick plan has not looked at: their tags say that they are as the specs have them.
    pub(super) services_from_tags: usize,
    /// Tenants without a placement that live in none of the cells that `plan --cell` is about: they live in others, or
    /// nowhere yet.
    pub(super) elsewhere: Vec<TenantDocument<'a>>,
    /// Things that are as the specs say and do not do their work yet.
    pub(super) waits: Vec<WaitDocument<'a>>,
    /// Seconds that it takes at the least to carry out, by the request rates that AWS publishes and the share of them that
    /// may be used (`--api-share`).
    least_seconds: u64,
    /// In what the plan does more than it may.
    pub(super) exceeded: Cow<'a, [String]>,
    /// What is worth knowing before the plan is carried out.
    pub(super) warnings: Cow<'a, [String]>,
    /// What varies from run to run.
    pub(super) run: RunDocument,
}

/// A thing that is to be made, changed, replaced or deleted, or that cannot be.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ChangeDocument<'a> {
    pub(super) action: Action,
    #[serde(flatten)]
    pub(super) identity: Identity<'a>,
    #[serde(flatten)]
    pub(super) located: Located<'a>,
    /// The fields that differ; of a thing to be made, all.
    pub(super) fields: Cow<'a, [FieldChange]>,
    /// AWS's id or ARN of the thing; null for one to be made.
    pub(super) id: Option<Cow<'a, str>>,
    /// Where it comes from; null where it is refused before anything was compared.
    pub(super) origin: Option<Origin>,
    /// Why it is replaced, deleted or blocked; null where the fields say it.
    pub(super) reason: Option<Cow<'a, str>>,
    /// Who has to act before it works, and how; null where nobody has to.
    pub(super) waits_for: Option<Cow<'a, str>>,
    /// How many tenants depend on what the tier has here; null for a tenant's own.
    pub(super) dependents: Option<usize>,
}

/// A thing with tierctl's tags that no spec names.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct UnclaimedDocument<'a> {
    #[serde(flatten)]
    pub(super) identity: Identity<'a>,
    #[serde(flatten)]
    pub(super) located: Located<'a>,
    /// AWS's id or ARN of it.
    pub(super) id: Cow<'a, str>,
}

/// A cell that could not be read.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct UnreadDocument<'a> {
    pub(super) tier: Cow<'a, str>,
    pub(super) cell: Cow<'a, str>,
    #[serde(flatten)]
    pub(super) located: Located<'a>,
    /// Why not.
    pub(super) reason: Cow<'a, str>,
    /// What to do about it.
    pub(super) remedy: Cow<'a, str>,
}

/// A tenant by name.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct TenantDocument<'a> {
    pub(super) tier: Cow<'a, str>,
    pub(super) tenant: Cow<'a, str>,
}

/// A thing that is as it should be and does not do its work yet.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WaitDocument<'a> {
    #[serde(flatten)]
    pub(super) identity: Identity<'a>,
    #[serde(flatten)]
    pub(super) located: Located<'a>,
    pub(super) state: WaitState,
    /// What it waits for.
    pub(super) reason: Cow<'a, str>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WaitState {
    /// It is on its way by itself.
    Pending,
    /// Somebody else has to act.
    Blocked,
    /// It will not get there by itself.
    Failed,
    /// It is being deleted.
    Leaving,
}

pub fn document<'a>(plan: &'a Plan, run: &RunInfo) -> PlanDocument<'a> {
    PlanDocument {
        format_version: FORMAT_VERSION.into(),
        summary: plan.summary(),
        changes: plan.changes.iter().map(|one| change(one, plan)).collect(),
        unclaimed: unclaimed(plan),
        cells: plan.cells.iter().map(Cow::Borrowed).collect(),
        other_cells: plan.other_cells.iter().map(Cow::Borrowed).collect(),
        unread: unread(plan),
        depth: plan.depth,
        services_from_tags: plan.services_from_tags,
        elsewhere: plan.elsewhere.iter().map(|(tier, tenant)| TenantDocument { tier: tier.into(), tenant: tenant.into() }).collect(),
        waits: waits(plan),
        least_seconds: plan.bottleneck.as_ref().map_or(0, |slowest| slowest.seconds.ceil() as u64),
        exceeded: (&plan.exceeded).into(),
        warnings: (&plan.warnings).into(),
        run: run.document(),
    }
}

pub(super) fn change<'a>(change: &'a Change, plan: &Plan) -> ChangeDocument<'a> {
    ChangeDocument {
        action: change.action,
        identity: Identity::new(change.subject.name(), &change.name, &change.scope),
        located: Located::at(&change.place),
        fields: (&change.fields).into(),
        id: change.live.as_ref().map(|live| live.id.as_str().into()),
        origin: change.origin,
        reason: change.reason.as_deref().map(Cow::from),
        waits_for: change.live.as_ref().and_then(waits_for).map(Cow::from),
        dependents: plan.dependents(change),
    }
}

fn waits_for(live: &Live) -> Option<&str> {
    match &live.condition {
        Condition::Blocked(somebody) => Some(somebody),
        _ => None,
    }
}

fn unclaimed(plan: &Plan) -> Vec<UnclaimedDocument<'_>> {
    let entries = plan.unclaimed.iter().map(|item| UnclaimedDocument {
        identity: Identity::new(item.key.kind.name(), &item.key.name, &item.key.scope),
        located: Located::at(&item.place),
        id: (&item.id).into(),
    });
    entries.collect()
}

pub(super) fn unread(plan: &Plan) -> Vec<UnreadDocument<'_>> {
    let entries = plan.unread.iter().map(|unread| UnreadDocument {
        tier: (&unread.tier).into(),
        cell: (&unread.cell).into(),
        located: Located::at(&unread.place),
        reason: (&unread.reason).into(),
        remedy: (&unread.remedy).into(),
    });
    entries.collect()
}

fn waits(plan: &Plan) -> Vec<WaitDocument<'_>> {
    let entries = plan.waits.iter().filter_map(|wait| {
        let state = match &wait.live.condition {
            Condition::Ready | Condition::Pending(_) | Condition::Absent(_) => WaitState::Pending,
            Condition::Blocked(_) => WaitState::Blocked,
            Condition::Failed(_) => WaitState::Failed,
            Condition::Leaving(_) => WaitState::Leaving,
        };
        let key = &wait.desired.key;
        Some(WaitDocument {
            identity: Identity::new(key.kind.name(), &key.name, &key.scope),
            located: Located::at(&wait.desired.place),
            state,
            reason: wait.live.condition.reason()?.into(),
        })
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::{Action, FieldChange, Subject};
    use crate::report::testing::{self, acme, delete, field, forcing, group, place, plan, pretty, run, tier, update, wait};
    use crate::resources::Kind;
    use crate::resources::model::{Condition, Scope};

    fn everything() -> Plan {
        let unknown = FieldChange { after_unknown: true, ..field("task_definition", json!("arn:x:7"), Value::Null) };
        let mut changes = tier();
        changes.truncate(1);
        changes.extend([
            Change {
                action: Action::Replace,
                reason: Some("AWS cannot change service_name in place".into()),
                ..update(&group(), Kind::VpcEndpoint, "cache", "vpce-1", vec![forcing("service_name", json!("a"), json!("b"))])
            },
            delete(&group(), Kind::VpcEndpoint, "legacy", "vpce-2", "no longer in the spec"),
            update(&acme(), Kind::Service, "service", "arn:aws:ecs:us-east-1:123456789012:service/x/acme", vec![unknown]),
            Change::blocked(Subject::Tenant, &group().with_tenant("umbrella"), "umbrella", &place(), "the infra group is full"),
        ]);
        Plan {
            unclaimed: vec![testing::unclaimed(&Scope::infra_group("high-tps", "cell-1", "ig-9"), Kind::Vpc, "vpc", "vpc-9")],
            waits: vec![wait(&group(), Kind::VpcEndpoint, "bidder", Condition::Blocked("pendingAcceptance".into()))],
            warnings: vec!["something".into()],
            ..plan(changes)
        }
    }

    #[test]
    fn every_form() {
        assert_snapshot!(pretty(&json!(document(&everything(), &run()))));
    }

    #[test]
    fn only_the_run_varies() {
        let without_run = |plan: &Plan, run: &RunInfo| {
            let mut value = json!(document(plan, run));
            value.as_object_mut().and_then(|object| object.remove("run"));
            value.to_string()
        };
        let later = RunInfo { time: std::time::UNIX_EPOCH, calls: Default::default() };
        assert_eq!(without_run(&everything(), &run()), without_run(&everything(), &later));
    }
}
