//! A plan as JSON. All but `run` is the same, byte for byte, for the same specs and state.

use serde_json::{Map, Value, json};

use super::{FORMAT_VERSION, RunInfo, identity};
use crate::plan::{Change, Plan};
use crate::resources::model::{Condition, Place};

pub fn render(plan: &Plan, run: &RunInfo) -> Value {
    json!({
        "format_version": FORMAT_VERSION,
        "summary": plan.summary(),
        "changes": plan.changes.iter().map(|one| with_dependents(one, plan)).collect::<Vec<_>>(),
        "unclaimed": unclaimed(plan),
        "waits": waits(plan),
        "exceeded": plan.exceeded,
        "warnings": plan.warnings,
        "run": run.to_json(),
    })
}

/// A change, and how many tenants depend on what it is about; null for a tenant's own.
fn with_dependents(one: &Change, plan: &Plan) -> Value {
    let mut entry = change(one);
    entry["dependents"] = json!(plan.dependents(one));
    entry
}

pub(super) fn change(change: &Change) -> Value {
    let mut entry = Map::from_iter([("action".to_string(), json!(change.action))]);
    entry.extend(identity(change.subject.name(), &change.name, &change.scope));
    entry.extend(located(&change.place));
    entry.insert("fields".into(), json!(change.fields));
    entry.insert("reason".into(), json!(change.reason));
    Value::Object(entry)
}

fn located(place: &Place) -> [(String, Value); 2] {
    [("account".into(), json!(place.account)), ("region".into(), json!(place.region))]
}

fn unclaimed(plan: &Plan) -> Vec<Value> {
    let entries = plan.unclaimed.iter().map(|item| {
        let mut entry = identity(item.key.kind.name(), &item.key.name, &item.key.scope);
        entry.extend(located(&item.place));
        entry.insert("id".into(), json!(item.id));
        Value::Object(entry)
    });
    entries.collect()
}

/// Things that are as the specs say and do not do their work yet.
fn waits(plan: &Plan) -> Vec<Value> {
    let entries = plan.waits.iter().filter_map(|wait| {
        let reason = wait.live.condition.reason()?;
        let state = match &wait.live.condition {
            Condition::Ready | Condition::Pending(_) | Condition::Absent(_) => "pending",
            Condition::Blocked(_) => "blocked",
            Condition::Failed(_) => "failed",
            Condition::Leaving(_) => "leaving",
        };
        let mut entry = identity(wait.desired.key.kind.name(), &wait.desired.key.name, &wait.desired.key.scope);
        entry.extend(located(&wait.desired.place));
        entry.insert("state".into(), json!(state));
        entry.insert("reason".into(), json!(reason));
        Some(Value::Object(entry))
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

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
        assert_snapshot!(pretty(&render(&everything(), &run())));
    }

    #[test]
    fn only_the_run_varies() {
        let without_run = |plan: &Plan, run: &RunInfo| {
            let mut value = render(plan, run);
            value.as_object_mut().and_then(|object| object.remove("run"));
            value.to_string()
        };
        let later = RunInfo { time: std::time::UNIX_EPOCH, calls: Default::default() };
        assert_eq!(without_run(&everything(), &run()), without_run(&everything(), &later));
    }
}
