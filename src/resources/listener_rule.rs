//! The listener rule that sends a tenant's requests to its target group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types::{self, Action, ActionTypeEnum, Rule, RuleCondition, RulePriorityPair};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::model::{Changed, Field, Id, Key, Live, ShapeError, Tags, Wanted};
use super::{Kind, Reading, Resource, Stage, Writes, elb_tags, listener, tags, target_group};
use crate::aws::{AwsError, Class, Doing, Reader, Writer};
use crate::spec::pattern;

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeRules.html>
const PAGE: i32 = 400;
/// Times that another one may take the priority that was free a moment ago.
const TRIES: usize = 10;
/// Field of a live rule whose tags are left out: true while nobody knows whose it is, then the infra group of the tenant
/// that has it, or null.
pub const WHOSE: &str = "whose";
const BAND: &str = "$band";

const PATH: &str = "path-pattern";
const HEADER: &str = "http-header";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListenerRule {
    pub listener_arn: Id,
    /// A live rule keeps its priority within the band `from`-`to`; a new one gets the lowest that is free when it is made.
    pub priority: Value,
    /// All have to match.
    pub conditions: Vec<Condition>,
    /// The target group that it forwards to; none on a live rule that does something else.
    pub target_group_arn: Option<Id>,
    /// Tenants that the infra group takes: a new rule is made only while there is a place. Not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub places: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Condition {
    /// `path-pattern`, `http-header`, or another of AWS's on a live rule.
    pub field: String,
    /// Name of the header, for `http-header`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Sorted: any of them matches.
    pub values: Vec<String>,
}

/// Any priority from the first to the last of these.
pub fn band(from: u32, to: u32) -> Value {
    json!({ BAND: [from, to] })
}

/// Whether a live priority lies in the band that is desired.
pub fn in_band(desired: &Value, live: &Value) -> bool {
    let live = live.as_u64().and_then(|live| u32::try_from(live).ok());
    ends(desired).zip(live).is_some_and(|((from, to), live)| (from..=to).contains(&live))
}

fn ends(band: &Value) -> Option<(u32, u32)> {
    serde_json::from_value(band.get(BAND)?.clone()).ok()
}

/// Whether one request can match both: no condition that they share rules it out.
pub fn overlap(a: &[Condition], b: &[Condition]) -> bool {
    a.iter().all(|mine| b.iter().filter(|theirs| mine.looks_at_same(theirs)).all(|theirs| mine.intersects(theirs)))
}

impl Condition {
    fn looks_at_same(&self, other: &Self) -> bool {
        let header = |condition: &Self| condition.header.as_ref().map(|header| header.to_lowercase());
        self.field == other.field && header(self) == header(other)
    }

    /// Paths are compared as they are, everything else without regard to case.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html>
    fn intersects(&self, other: &Self) -> bool {
        let as_compared = |value: &str| if self.field == PATH { value.to_string() } else { value.to_lowercase() };
        self.values.iter().any(|mine| other.values.iter().any(|theirs| pattern::overlap(&as_compared(mine), &as_compared(theirs))))
    }
}

pub struct ListenerRules;

#[async_trait]
impl Resource for ListenerRules {
    fn writes(&self) -> Writes {
        Writes {
            create: &["elasticloadbalancing:CreateRule"],
            update: &["elasticloadbalancing:AddTags"],
            delete: &["elasticloadbalancing:DeleteRule"],
        }
    }

    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::replace("listener_arn"),
                Field::update("priority"),
                Field::update("conditions").set(),
                Field::update("target_group_arn"),
            ]
        }
    }

    fn stage(&self) -> Stage {
        Stage::Third
    }

    fn found_through(&self) -> &'static [Kind] {
        &[Kind::Listener, Kind::TargetGroup]
    }

    /// Every rule, other people's too, of the listeners that were found: they take places, and requests. Their tags
    /// come later, together with those of listeners and target groups.
    async fn read(&self, reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        let aws = reading.aws;
        let ours: BTreeSet<&str> = reading.load_balancers().map(|live| live.id.as_str()).collect();
        let is_ours = |live: &Live| live.text("load_balancer_arn").is_some_and(|arn| ours.contains(arn));
        let listeners: Vec<String> = reading
            .of_kind(Kind::Listener)
            .filter(|live| is_ours(live) || reading.scope.foreign_listeners.contains_key(&live.id))
            .map(|live| live.id.clone())
            .collect();
        let rules: Vec<Vec<Live>> = stream::iter(listeners)
            .map(|listener| async move {
                let rules = of_listener(aws, &listener).await?;
                let live = |rule: &Rule| {
                    let arn = rule.rule_arn().unwrap_or_default();
                    Live::new(Kind::ListenerRule, reading.place, arn, Tags::new(), &normal(rule, &listener))
                };
                Ok::<Vec<Live>, AwsError>(rules.iter().map(live).collect())
            })
            .buffered(elb_tags::AT_ONCE)
            .try_collect()
            .await?;
        Ok(rules.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        let shape: ListenerRule = wanted.shape()?;
        let action = "elasticloadbalancing:CreateRule";
        let (conditions, forward) = (to_conditions(&shape.conditions), to_action(&shape)?);
        at_free_priority(aws, wanted, &shape, |priority, there| {
            let (conditions, forward, shape) = (conditions.clone(), forward.clone(), &shape);
            async move {
                let twin = there.iter().find(|rule| does_the_same(rule, shape)).and_then(|rule| rule.rule_arn());
                if let Some(arn) = twin {
                    return elb_tags::adopt(aws, action, arn, wanted).await;
                }
                check_places(aws, wanted, shape, &there).await?;
                let made = aws
                    .elb()
                    .create_rule()
                    .listener_arn(shape.listener_arn.known()?)
                    .priority(priority?)
                    .set_conditions(Some(conditions))
                    .actions(forward)
                    .set_tags(Some(tags::to_elb(&wanted.tags)))
                    .send()
                    .await
                    .doing(action, &wanted.key)?;
                Ok(made.rules().first().and_then(|rule| rule.rule_arn()).unwrap_or_default().to_string())
            }
        })
        .await
    }

    async fn update(&self, aws: &Writer, live: &Live, wanted: &Wanted, changed: &Changed) -> Result<String, AwsError> {
        let shape: ListenerRule = wanted.shape()?;
        let (conditions, forwards) = (changed.has("conditions"), changed.has("target_group_arn"));
        if conditions || forwards {
            let mut request = aws.elb().modify_rule().rule_arn(&live.id);
            if conditions {
                request = request.set_conditions(Some(to_conditions(&shape.conditions)));
            }
            if forwards {
                // A rewritten request is not what the tenant expects either.
                request = request.actions(to_action(&shape)?).reset_transforms(true);
            }
            request.send().await.doing("elasticloadbalancing:ModifyRule", &wanted.key)?;
        }
        if changed.has("priority") {
            at_free_priority(aws, wanted, &shape, |priority, _| async move {
                let pair = RulePriorityPair::builder().rule_arn(&live.id).priority(priority?).build();
                aws.elb()
                    .set_rule_priorities()
                    .rule_priorities(pair)
                    .send()
                    .await
                    .doing("elasticloadbalancing:SetRulePriorities", &wanted.key)
            })
            .await?;
        }
        Ok(live.id.clone())
    }

    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        match aws.elb().delete_rule().rule_arn(&live.id).send().await.doing("elasticloadbalancing:DeleteRule", &live.id) {
            Err(error) if error.class != Class::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Rules of ours on listeners that were not read: a spec that has come to name another team's other listener does not
/// name the one before. They are found from target groups of ours that no known rule leads to.
pub async fn left_behind(reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
    let led_to: BTreeSet<&str> = reading.of_kind(Kind::ListenerRule).filter_map(|rule| rule.text("target_group_arn")).collect();
    let known: BTreeSet<&str> = reading.of_kind(Kind::Listener).map(|listener| listener.id.as_str()).collect();
    let groups: Vec<&Live> = reading.ours(Kind::TargetGroup).filter(|group| !led_to.contains(group.id.as_str())).collect();
    let load_balancers: BTreeSet<&str> = groups.iter().flat_map(|group| target_group::used_with(group)).collect();
    let mut found = Vec::new();
    for load_balancer in load_balancers {
        for listener in listener::of_load_balancer(reading.aws, load_balancer).await? {
            let arn = listener.listener_arn().unwrap_or_default();
            if known.contains(arn) {
                continue;
            }
            let rules = of_listener(reading.aws, arn).await?;
            let ours = rules.iter().filter(|rule| forwards_to(rule).is_some_and(|to| groups.iter().any(|group| group.id == to)));
            found.extend(ours.map(|rule| {
                let id = rule.rule_arn().unwrap_or_default();
                Live::new(Kind::ListenerRule, reading.place, id, Tags::new(), &normal(rule, arn))
            }));
        }
    }
    let arns: Vec<String> = found.iter().map(|live| live.id.clone()).collect();
    let mut tags = elb_tags::read(reading.aws, &arns).await?;
    for live in &mut found {
        live.tags = tags.remove(&live.id).unwrap_or_default();
    }
    Ok(found)
}

/// Another run may have taken the last place since the plan was made. Nobody can take it between this look and the
/// create that follows: who looks at the same rules tries the same priority, and AWS gives it to one of them.
async fn check_places(aws: &Reader, wanted: &Wanted, shape: &ListenerRule, there: &[Rule]) -> Result<(), AwsError> {
    let Some(places) = shape.places.and_then(|places| usize::try_from(places).ok()).filter(|places| there.len() >= *places) else {
        return Ok(());
    };
    let arns: Vec<String> = there.iter().filter_map(|rule| rule.rule_arn()).map(String::from).collect();
    let group = wanted.key.scope.without_tenant();
    let owners = elb_tags::read(aws, &arns).await?.into_values().filter_map(|tags| Key::from_tags(Kind::ListenerRule, &tags));
    let tenants: BTreeSet<Key> = owners.filter(|owner| owner.scope.without_tenant() == group && *owner != wanted.key).collect();
    if tenants.len() < places {
        return Ok(());
    }
    let message = format!("{group} is full by now: {} of {places} places used (tenants.max_per_infra_group)", tenants.len());
    Err(AwsError::new("elasticloadbalancing:CreateRule", &wanted.key, Class::NoPlace, message))
}

/// Takes the lowest free priority of the band, as it is at this moment, or learns that there is none. Within one run
/// one rule at a time looks for a place on a listener; where somebody else is faster, the next place is tried.
async fn at_free_priority<T, F>(
    aws: &Reader,
    wanted: &Wanted,
    shape: &ListenerRule,
    take: impl Fn(Result<i32, AwsError>, Vec<Rule>) -> F,
) -> Result<T, AwsError>
where
    F: Future<Output = Result<T, AwsError>>,
{
    let listener = shape.listener_arn.known()?;
    let (from, to) = ends(&shape.priority).ok_or_else(|| ShapeError("a rule needs a band of priorities".into()))?;
    let queue = queue(listener);
    let _turn = queue.lock().await;
    let mut refused = BTreeSet::new();
    loop {
        let there = of_listener(aws, listener).await?;
        let taken: BTreeSet<u32> = there.iter().filter_map(priority).chain(refused.iter().copied()).collect();
        let free = (from..=to).find(|place| !taken.contains(place));
        let place = free.and_then(|free| i32::try_from(free).ok()).ok_or_else(|| {
            let message = format!("no priority from {from} to {to} is free on {listener}");
            AwsError::new("elasticloadbalancing:CreateRule", &wanted.key, Class::NoPlace, message)
        });
        match (take(place, there).await, free) {
            (Err(error), Some(free)) if error.code.as_deref() == Some("PriorityInUse") && refused.len() < TRIES => {
                refused.insert(free);
            }
            (result, _) => return result,
        }
    }
}

/// Who makes a rule on a listener holds its lock meanwhile.
fn queue(listener: &str) -> Arc<tokio::sync::Mutex<()>> {
    static QUEUES: LazyLock<Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>> = LazyLock::new(Mutex::default);
    QUEUES.lock().unwrap_or_else(PoisonError::into_inner).entry(listener.to_string()).or_default().clone()
}

/// Without the default rule, which is the listener's default action; none if the listener has just been deleted.
async fn of_listener(aws: &Reader, arn: &str) -> Result<Vec<Rule>, AwsError> {
    let mut found = Vec::new();
    let mut pages = aws.elb().describe_rules().listener_arn(arn).page_size(PAGE).into_paginator().items().send();
    while let Some(rule) = pages.next().await {
        match rule.doing("elasticloadbalancing:DescribeRules", arn) {
            Err(error) if error.class == Class::NotFound => return Ok(Vec::new()),
            rule => found.push(rule?),
        }
    }
    found.retain(|rule| rule.is_default() != Some(true));
    Ok(found)
}

fn normal(rule: &Rule, listener: &str) -> ListenerRule {
    ListenerRule {
        listener_arn: Id::Known(listener.into()),
        priority: priority(rule).map_or(Value::Null, Value::from),
        conditions: conditions(rule),
        target_group_arn: forwards_to(rule).map(|arn| Id::Known(arn.into())),
        places: None,
    }
}

/// AWS answers with the number in text, and `default` for the default rule.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Rule.html>
fn priority(rule: &Rule) -> Option<u32> {
    rule.priority()?.parse().ok()
}

fn conditions(rule: &Rule) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = rule.conditions().iter().map(condition).collect();
    conditions.sort();
    conditions
}

/// AWS answers with the typed config and, for paths and hosts, with `Values` beside it; a rule may have been made with
/// either. <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RuleCondition.html>
fn condition(answer: &RuleCondition) -> Condition {
    let config = [
        answer.path_pattern_config().map(|config| (config.values(), config.regex_values())),
        answer.http_header_config().map(|config| (config.values(), config.regex_values())),
        answer.host_header_config().map(|config| (config.values(), config.regex_values())),
        answer.http_request_method_config().map(|config| (config.values(), Default::default())),
        answer.source_ip_config().map(|config| (config.values(), Default::default())),
    ];
    let (values, regexes) = config.into_iter().flatten().next().unwrap_or((answer.values(), answer.regex_values()));
    let field = answer.field().unwrap_or_default();
    let mut condition = Condition {
        field: if regexes.is_empty() { field.into() } else { format!("{field} (regex)") },
        header: answer.http_header_config().and_then(|config| config.http_header_name()).map(Into::into),
        values: if regexes.is_empty() { values } else { regexes }.to_vec(),
    };
    if let Some(config) = answer.query_string_config() {
        let pair = |pair: &types::QueryStringKeyValuePair| match pair.key() {
            Some(key) => format!("{key}={}", pair.value().unwrap_or_default()),
            None => pair.value().unwrap_or_default().to_string(),
        };
        condition.values = config.values().iter().map(pair).collect();
    }
    condition.values.sort();
    condition.values.dedup();
    condition
}

/// The one target group that a rule forwards to as it came. AWS answers with the ARN, with a `ForwardConfig`, or both.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Action.html>
fn forwards_to(rule: &Rule) -> Option<&str> {
    let [action] = rule.actions() else { return None };
    if action.r#type() != Some(&ActionTypeEnum::Forward) || !rule.transforms().is_empty() {
        return None;
    }
    let Some(config) = action.forward_config() else { return action.target_group_arn() };
    if config.target_group_stickiness_config().and_then(|stickiness| stickiness.enabled()) == Some(true) {
        return None;
    }
    match config.target_groups() {
        [] => action.target_group_arn(),
        [one] => one.target_group_arn(),
        _ => None,
    }
}

fn does_the_same(rule: &Rule, shape: &ListenerRule) -> bool {
    let mut wanted = shape.conditions.clone();
    wanted.sort();
    let target_group = shape.target_group_arn.as_ref().and_then(|id| id.known().ok());
    target_group.is_some() && forwards_to(rule) == target_group && conditions(rule) == wanted
}

fn to_conditions(conditions: &[Condition]) -> Vec<RuleCondition> {
    let to_condition = |condition: &Condition| {
        let values = Some(condition.values.clone());
        let request = RuleCondition::builder().field(&condition.field);
        match condition.field.as_str() {
            PATH => request.path_pattern_config(types::PathPatternConditionConfig::builder().set_values(values).build()),
            HEADER => {
                let config = types::HttpHeaderConditionConfig::builder().set_http_header_name(condition.header.clone());
                request.http_header_config(config.set_values(values).build())
            }
            _ => request.set_values(values),
        }
        .build()
    };
    conditions.iter().map(to_condition).collect()
}

fn to_action(shape: &ListenerRule) -> Result<Action, ShapeError> {
    let target_group = shape.target_group_arn.as_ref().ok_or_else(|| ShapeError("a rule needs a target group".into()))?;
    Ok(Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(target_group.known()?).build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{
        ForwardActionConfig, HttpHeaderConditionConfig, PathPatternConditionConfig, QueryStringConditionConfig, QueryStringKeyValuePair,
        RuleTransform, TargetGroupStickinessConfig, TargetGroupTuple, TransformTypeEnum,
    };

    fn texts(items: &[&str]) -> Option<Vec<String>> {
        Some(items.iter().map(ToString::to_string).collect())
    }

    fn wanted_path() -> Condition {
        Condition { field: PATH.into(), header: None, values: texts(&["/acme", "/acme/*"]).unwrap_or_default() }
    }

    fn forward(arns: &[&str], sticky: bool) -> Action {
        let tuple = |arn: &&str| TargetGroupTuple::builder().target_group_arn(*arn).weight(1).build();
        let config = ForwardActionConfig::builder()
            .set_target_groups(Some(arns.iter().map(tuple).collect()))
            .target_group_stickiness_config(TargetGroupStickinessConfig::builder().enabled(sticky).build())
            .build();
        // AWS leaves the ARN out where there are several target groups.
        let arn = if let [arn] = arns { Some(arn.to_string()) } else { None };
        Action::builder().r#type(ActionTypeEnum::Forward).order(1).set_target_group_arn(arn).forward_config(config).build()
    }

    fn rule(action: Action) -> Rule {
        let config = PathPatternConditionConfig::builder().set_values(texts(&["/acme/*", "/acme"])).build();
        let path = RuleCondition::builder().field(PATH).set_values(texts(&["/acme/*", "/acme"])).path_pattern_config(config).build();
        Rule::builder().rule_arn("arn:rule").priority("7").conditions(path).actions(action).is_default(false).build()
    }

    #[test]
    fn a_rule_as_aws_answers_is_the_one_that_was_wanted() {
        let wanted = ListenerRule {
            listener_arn: Id::Known("arn:listener".into()),
            priority: json!(7),
            conditions: vec![wanted_path()],
            target_group_arn: Some(Id::Known("arn:tg".into())),
            places: None,
        };
        let answer = rule(forward(&["arn:tg"], false));
        assert_eq!(normal(&answer, "arn:listener"), wanted);
        assert!(does_the_same(&answer, &wanted));
    }

    #[test]
    fn values_alone_and_the_typed_config_are_the_same_condition() {
        let values = RuleCondition::builder().field(PATH).set_values(texts(&["/acme/*", "/acme", "/acme"])).build();
        assert_eq!(condition(&values), wanted_path());
        assert_eq!(to_conditions(&[wanted_path()]).iter().map(condition).collect::<Vec<_>>(), [wanted_path()]);
    }

    #[test]
    fn a_header_goes_both_ways() {
        let config = HttpHeaderConditionConfig::builder().http_header_name("X-Tenant").values("acme").build();
        let answer = RuleCondition::builder().field(HEADER).http_header_config(config).build();
        let wanted = Condition { field: HEADER.into(), header: Some("X-Tenant".into()), values: vec!["acme".into()] };
        assert_eq!(condition(&answer), wanted);
        assert_eq!(to_conditions(std::slice::from_ref(&wanted)).iter().map(condition).collect::<Vec<_>>(), [wanted]);
    }

    #[test]
    fn conditions_that_we_never_make_are_told_from_ours() {
        let regex = PathPatternConditionConfig::builder().regex_values("^/acme$").build();
        let regex = RuleCondition::builder().field(PATH).path_pattern_config(regex).build();
        assert_eq!(condition(&regex).field, "path-pattern (regex)");
        let pair = QueryStringKeyValuePair::builder().key("tenant").value("acme").build();
        let query = QueryStringConditionConfig::builder().values(pair).build();
        let query = RuleCondition::builder().field("query-string").query_string_config(query).build();
        assert_eq!(condition(&query).values, ["tenant=acme"]);
    }

    #[test]
    fn only_a_plain_forward_to_one_target_group_is_one() {
        assert_eq!(forwards_to(&rule(forward(&["arn:tg"], false))), Some("arn:tg"));
        let arn_alone = Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn("arn:tg").build();
        assert_eq!(forwards_to(&rule(arn_alone)), Some("arn:tg"));
        assert_eq!(forwards_to(&rule(forward(&["arn:tg", "arn:other"], false))), None);
        assert_eq!(forwards_to(&rule(forward(&["arn:tg"], true))), None);
        let redirect = Action::builder().r#type(ActionTypeEnum::Redirect).order(1).build();
        assert_eq!(forwards_to(&rule(redirect)), None);
        let mut rewritten = rule(forward(&["arn:tg"], false));
        rewritten.transforms = Some(vec![RuleTransform::builder().r#type(TransformTypeEnum::UrlRewrite).build()]);
        assert_eq!(forwards_to(&rewritten), None);
    }

    #[test]
    fn rules_overlap_where_one_request_can_match_both() {
        let on = |field: &str, header: Option<&str>, values: &[&str]| Condition {
            field: field.into(),
            header: header.map(String::from),
            values: values.iter().map(|value| value.to_string()).collect(),
        };
        let acme = [on(PATH, None, &["/acme", "/acme/*"])];
        assert!(overlap(&acme, &[on(PATH, None, &["/*/orders"])]));
        assert!(!overlap(&acme, &[on(PATH, None, &["/globex/*"])]));
        assert!(!overlap(&acme, &[on(PATH, None, &["/ACME/*"])]), "paths are case-sensitive");
        assert!(overlap(&acme, &[on(HEADER, Some("x-tenant"), &["globex"])]), "nothing that they share rules it out");
        let by_header = [on(HEADER, Some("X-Tenant"), &["acme"])];
        assert!(overlap(&by_header, &[on(HEADER, Some("x-tenant"), &["ACME"])]), "headers are not");
        assert!(!overlap(&by_header, &[on(HEADER, Some("x-tenant"), &["globex"]), on(PATH, None, &["/*"])]));
    }

    #[test]
    fn a_band_holds_both_its_ends() {
        let desired = band(100, 199);
        for (live, inside) in [(99, false), (100, true), (199, true), (200, false)] {
            assert_eq!(in_band(&desired, &json!(live)), inside, "{live}");
        }
        assert!(!in_band(&json!(100), &json!(100)), "no band");
        assert!(!in_band(&desired, &Value::Null));
    }
}
