//! A listener of an infra group's load balancer: unknown requests get 404, plain HTTP is sent to HTTPS.

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types::{self, Action, ActionTypeEnum, Certificate};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Id, Live, ShapeError, Tags, Wanted};
use super::{Kind, Reading, Resource, Stage, Writes, elb_tags, tags};
use crate::aws::{AwsError, Class, Doing, Reader, Writer};

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeListeners.html>
const PAGE: i32 = 400;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    pub load_balancer_arn: Id,
    pub port: i32,
    /// `HTTP` or `HTTPS`.
    pub protocol: String,
    /// ARN of the default certificate; null without TLS.
    pub certificate_arn: Option<String>,
    /// Null without TLS.
    pub ssl_policy: Option<String>,
    pub default_action: DefaultAction,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum DefaultAction {
    FixedResponse {
        status_code: String,
        content_type: String,
        message_body: String,
    },
    Redirect {
        protocol: String,
        port: String,
        status_code: String,
    },
    /// Anything else that somebody has put there; what it was is in `what`.
    Other {
        what: String,
    },
}

pub struct Listeners;

#[async_trait]
impl Resource for Listeners {
    fn writes(&self) -> Writes {
        Writes {
            create: &["elasticloadbalancing:CreateListener"],
            update: &["elasticloadbalancing:ModifyListener"],
            delete: &["elasticloadbalancing:DeleteListener"],
        }
    }

    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::replace("load_balancer_arn"),
                Field::replace("port"),
                Field::update("protocol"),
                Field::update("certificate_arn"),
                Field::update("ssl_policy"),
                Field::update("default_action"),
            ]
        }
    }

    fn stage(&self) -> Stage {
        Stage::Second
    }

    fn found_through(&self) -> &'static [Kind] {
        &[Kind::LoadBalancer]
    }

    /// Every listener of our load balancers, and those of other teams that specs name. Their tags come later, together
    /// with those of rules and target groups.
    async fn read(&self, reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        let aws = reading.aws;
        let load_balancers: Vec<String> = reading.load_balancers().map(|live| live.id.clone()).collect();
        let ours: Vec<Vec<types::Listener>> = stream::iter(load_balancers)
            .map(|arn| async move { of_load_balancer(aws, &arn).await })
            .buffered(elb_tags::AT_ONCE)
            .try_collect()
            .await?;
        let mut listed: Vec<types::Listener> = ours.into_iter().flatten().collect();
        let is_listed = |arn: &&String| listed.iter().any(|one| one.listener_arn() == Some(arn.as_str()));
        let foreign: Vec<String> = reading.scope.foreign_listeners.keys().filter(|arn| !is_listed(arn)).cloned().collect();
        listed.extend(by_arn(aws, foreign).await?);

        let live = |listener: &types::Listener| {
            let arn = listener.listener_arn().unwrap_or_default();
            Live::new(Kind::Listener, reading.place, arn, Tags::new(), &normal(listener))
        };
        Ok(listed.iter().map(live).collect())
    }

    /// A create with the settings of an existing listener returns that one, so the port is looked at first.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html>
    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        let shape: Listener = wanted.shape()?;
        let action = "elasticloadbalancing:CreateListener";
        let load_balancer = shape.load_balancer_arn.known()?;
        let there = of_load_balancer(aws, load_balancer).await?;
        if let Some(arn) = there.iter().find(|one| one.port() == Some(shape.port)).and_then(|one| one.listener_arn()) {
            return elb_tags::adopt(aws, action, arn, wanted).await;
        }
        let made = aws
            .elb()
            .create_listener()
            .load_balancer_arn(load_balancer)
            .port(shape.port)
            .protocol(shape.protocol.as_str().into())
            .set_certificates(certificates(&shape))
            .set_ssl_policy(shape.ssl_policy.clone())
            .default_actions(to_action(&shape.default_action)?)
            .set_tags(Some(tags::to_elb(&wanted.tags)))
            .send()
            .await
            .doing(action, &wanted.key)?;
        Ok(made.listeners().first().and_then(|one| one.listener_arn()).unwrap_or_default().to_string())
    }

    async fn update(&self, aws: &Writer, live: &Live, wanted: &Wanted, changed: &Changed) -> Result<String, AwsError> {
        let shape: Listener = wanted.shape()?;
        // HTTPS is refused without its certificate and policy, so the three go together.
        let protocol = ["protocol", "certificate_arn", "ssl_policy"].iter().any(|field| changed.has(field));
        let action = changed.has("default_action");
        if protocol || action {
            let mut request = aws.elb().modify_listener().listener_arn(&live.id);
            if protocol {
                request = request.protocol(shape.protocol.as_str().into());
                request = request.set_certificates(certificates(&shape)).set_ssl_policy(shape.ssl_policy.clone());
            }
            if action {
                request = request.default_actions(to_action(&shape.default_action)?);
            }
            request.send().await.doing("elasticloadbalancing:ModifyListener", &wanted.key)?;
        }
        Ok(live.id.clone())
    }

    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        match aws.elb().delete_listener().listener_arn(&live.id).send().await.doing("elasticloadbalancing:DeleteListener", &live.id) {
            Err(error) if error.class != Class::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// All of one load balancer; none if it has just been deleted.
pub(super) async fn of_load_balancer(aws: &Reader, arn: &str) -> Result<Vec<types::Listener>, AwsError> {
    let mut found = Vec::new();
    let mut pages = aws.elb().describe_listeners().load_balancer_arn(arn).page_size(PAGE).into_paginator().items().send();
    while let Some(listener) = pages.next().await {
        match listener.doing("elasticloadbalancing:DescribeListeners", arn) {
            Err(error) if error.class == Class::NotFound => return Ok(Vec::new()),
            listener => found.push(listener?),
        }
    }
    Ok(found)
}

/// Those that exist. One that does not fails the whole call, and then they are asked for one by one.
async fn by_arn(aws: &Reader, arns: Vec<String>) -> Result<Vec<types::Listener>, AwsError> {
    let mut found = Vec::new();
    let mut batches = if arns.is_empty() { Vec::new() } else { vec![arns] };
    while let Some(batch) = batches.pop() {
        let answer = aws.elb().describe_listeners().set_listener_arns(Some(batch.clone())).send().await;
        match answer.doing("elasticloadbalancing:DescribeListeners", batch.join(", ")) {
            Err(error) if error.class == Class::NotFound && batch.len() > 1 => batches.extend(batch.into_iter().map(|arn| vec![arn])),
            Err(error) if error.class == Class::NotFound => {}
            answer => found.extend(answer?.listeners().iter().cloned()),
        }
    }
    Ok(found)
}

fn normal(listener: &types::Listener) -> Listener {
    Listener {
        load_balancer_arn: Id::Known(listener.load_balancer_arn().unwrap_or_default().into()),
        port: listener.port().unwrap_or_default(),
        protocol: listener.protocol().map(|protocol| protocol.as_str()).unwrap_or_default().into(),
        certificate_arn: listener.certificates().first().and_then(|one| one.certificate_arn()).map(Into::into),
        ssl_policy: listener.ssl_policy().map(Into::into),
        default_action: default_action(listener.default_actions()),
    }
}

/// AWS adds `Order`, a `ForwardConfig` beside a target group, and to a redirect the parts that it keeps.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RedirectActionConfig.html>
fn default_action(actions: &[Action]) -> DefaultAction {
    let text = |text: Option<&str>| text.unwrap_or_default().to_string();
    let [action] = actions else { return other(actions) };
    if let Some(config) = action.fixed_response_config() {
        return DefaultAction::FixedResponse {
            status_code: text(config.status_code()),
            content_type: text(config.content_type()),
            message_body: text(config.message_body()),
        };
    }
    let keeps = |part: Option<&str>, itself: &str| part.is_none_or(|part| part == itself);
    match action.redirect_config() {
        Some(to) if keeps(to.host(), "#{host}") && keeps(to.path(), "/#{path}") && keeps(to.query(), "#{query}") => {
            DefaultAction::Redirect {
                protocol: to.protocol().unwrap_or("#{protocol}").into(),
                port: to.port().unwrap_or("#{port}").into(),
                status_code: to.status_code().map(|code| code.as_str()).unwrap_or_default().into(),
            }
        }
        _ => other(actions),
    }
}

/// In words, for a plan that shows what will be put right.
fn other(actions: &[Action]) -> DefaultAction {
    let mut actions: Vec<&Action> = actions.iter().collect();
    actions.sort_by_key(|action| action.order());
    let what: Vec<String> = actions.into_iter().map(in_words).collect();
    DefaultAction::Other { what: what.join(", then ") }
}

fn in_words(action: &Action) -> String {
    let kind = action.r#type().map(ActionTypeEnum::as_str).unwrap_or_default();
    if let Some(to) = action.redirect_config() {
        let [protocol, host, port, path, query] =
            [to.protocol(), to.host(), to.port(), to.path(), to.query()].map(Option::unwrap_or_default);
        return format!("{kind} to {protocol}://{host}:{port}{path}?{query}");
    }
    let targets: Vec<&str> = match action.forward_config() {
        Some(config) => config.target_groups().iter().filter_map(|group| group.target_group_arn()).collect(),
        None => action.target_group_arn().into_iter().collect(),
    };
    if targets.is_empty() { kind.into() } else { format!("{kind} to {}", targets.join(" and ")) }
}

fn to_action(action: &DefaultAction) -> Result<Action, ShapeError> {
    match action {
        DefaultAction::FixedResponse { status_code, content_type, message_body } => {
            let config = types::FixedResponseActionConfig::builder();
            let config = config.status_code(status_code).content_type(content_type).message_body(message_body).build();
            Ok(Action::builder().r#type(ActionTypeEnum::FixedResponse).fixed_response_config(config).build())
        }
        DefaultAction::Redirect { protocol, port, status_code } => {
            let config = types::RedirectActionConfig::builder();
            let config = config.protocol(protocol).port(port).status_code(status_code.as_str().into()).build();
            Ok(Action::builder().r#type(ActionTypeEnum::Redirect).redirect_config(config).build())
        }
        DefaultAction::Other { what } => Err(ShapeError(format!("a default action cannot be made from `{what}`"))),
    }
}

fn certificates(shape: &Listener) -> Option<Vec<Certificate>> {
    let certificate = |arn: &String| Certificate::builder().certificate_arn(arn).build();
    shape.certificate_arn.as_ref().map(|arn| vec![certificate(arn)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{
        FixedResponseActionConfig, ForwardActionConfig, ProtocolEnum, RedirectActionConfig, RedirectActionStatusCodeEnum,
        TargetGroupStickinessConfig, TargetGroupTuple,
    };

    fn redirect_to(host: &str) -> Action {
        let config = RedirectActionConfig::builder()
            .protocol("HTTPS")
            .port("443")
            .host(host)
            .path("/#{path}")
            .query("#{query}")
            .status_code(RedirectActionStatusCodeEnum::Http301)
            .build();
        Action::builder().r#type(ActionTypeEnum::Redirect).order(1).redirect_config(config).build()
    }

    fn forward(arn: &str) -> Action {
        let config = ForwardActionConfig::builder()
            .target_groups(TargetGroupTuple::builder().target_group_arn(arn).weight(1).build())
            .target_group_stickiness_config(TargetGroupStickinessConfig::builder().enabled(false).build())
            .build();
        Action::builder().r#type(ActionTypeEnum::Forward).order(2).target_group_arn(arn).forward_config(config).build()
    }

    fn other_than(what: &str) -> DefaultAction {
        DefaultAction::Other { what: what.into() }
    }

    #[test]
    fn a_redirect_that_keeps_the_rest_is_one_that_names_only_what_changes() {
        let wanted = DefaultAction::Redirect { protocol: "HTTPS".into(), port: "443".into(), status_code: "HTTP_301".into() };
        assert_eq!(default_action(&[redirect_to("#{host}")]), wanted);
        assert_eq!(to_action(&wanted).map(|action| default_action(&[action])).ok(), Some(wanted));
        assert_eq!(
            default_action(&[redirect_to("elsewhere.example")]),
            other_than("redirect to HTTPS://elsewhere.example:443/#{path}?#{query}")
        );
    }

    #[test]
    fn what_somebody_else_put_there_is_said() {
        assert_eq!(default_action(&[forward("arn:tg")]), other_than("forward to arn:tg"));
        let login = Action::builder().r#type(ActionTypeEnum::AuthenticateOidc).order(1).build();
        assert_eq!(default_action(&[forward("arn:tg"), login]), other_than("authenticate-oidc, then forward to arn:tg"));
    }

    #[test]
    fn an_https_listener_as_aws_answers() {
        let config = FixedResponseActionConfig::builder().status_code("404").content_type("text/plain").message_body("No.").build();
        let answer = types::Listener::builder()
            .load_balancer_arn("arn:lb")
            .port(443)
            .protocol(ProtocolEnum::Https)
            .certificates(Certificate::builder().certificate_arn("arn:cert").build())
            .ssl_policy("ELBSecurityPolicy-TLS13-1-2-2021-06")
            .default_actions(Action::builder().r#type(ActionTypeEnum::FixedResponse).order(1).fixed_response_config(config).build())
            .build();
        let wanted = Listener {
            load_balancer_arn: Id::Known("arn:lb".into()),
            port: 443,
            protocol: "HTTPS".into(),
            certificate_arn: Some("arn:cert".into()),
            ssl_policy: Some("ELBSecurityPolicy-TLS13-1-2-2021-06".into()),
            default_action: DefaultAction::FixedResponse {
                status_code: "404".into(),
                content_type: "text/plain".into(),
                message_body: "No.".into(),
            },
        };
        assert_eq!(normal(&answer), wanted);
    }
}
