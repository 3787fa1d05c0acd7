//! An endpoint of a downstream: interface or gateway, one for all tenants of the infra group.
//!
//! The owner of the service may have to accept it, and then private DNS, which AWS enables on an accepted endpoint
//! only, comes in a second step (`complete`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    DnsNameState, DnsOptionsSpecification, ResourceType, ServiceDetail, State, VpcEndpoint as Ec2VpcEndpoint, VpcEndpointType,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::model::{Changed, Condition, Field, Id, Key, Live, Place, ShapeError, Wanted};
use super::{Kind, Reading, Resource, Writes, filters, idempotency, normal_form, once, tags};
use crate::aws::{AwsError, Class, Doing, Reader, Writer};

/// In the name of every service that another account provides, and of none of AWS's.
const PROVIDED: &str = "vpce-svc-";
/// In lower case, what AWS says where another endpoint in the VPC answers to the private DNS name.
const CONFLICT: &str = "conflicting dns domain";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VpcEndpoint {
    pub vpc_id: Id,
    pub service_name: String,
    /// Region of the service, where it is another than the endpoint's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_region: Option<String>,
    /// `Interface` or `Gateway`.
    pub endpoint_type: String,
    pub subnet_ids: Vec<Id>,
    pub security_group_ids: Vec<Id>,
    pub route_table_ids: Vec<Id>,
    pub private_dns_enabled: bool,
    /// In normal form; AWS's default where the spec has none.
    pub policy: Value,
}

impl VpcEndpoint {
    fn is_interface(&self) -> bool {
        self.endpoint_type == VpcEndpointType::Interface.as_str()
    }
}

pub struct VpcEndpoints;

#[async_trait]
impl Resource for VpcEndpoints {
    fn writes(&self) -> Writes {
        Writes { create: &["ec2:CreateVpcEndpoint"], update: &["ec2:ModifyVpcEndpoint"], delete: &["ec2:DeleteVpcEndpoints"] }
    }

    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::replace("vpc_id"),
                Field::replace("service_name"),
                Field::replace("service_region"),
                Field::replace("endpoint_type"),
                Field::update("subnet_ids").set(),
                Field::update("security_group_ids").set(),
                Field::update("route_table_ids").set(),
                Field::update("private_dns_enabled"),
                Field::update("policy"),
            ]
        }
    }

    async fn read(&self, reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        let endpoints = reading
            .aws
            .ec2()
            .describe_vpc_endpoints()
            .set_filters(Some(filters::by_owner(reading.scope)))
            .max_results(1000)
            .into_paginator()
            .items()
            .send()
            .try_collect()
            .await
            .doing("ec2:DescribeVpcEndpoints", reading.place)?;
        let waiting = endpoints.iter().filter(|endpoint| is_in(endpoint, &State::PendingAcceptance) && !reading.scope.is_narrow());
        let owners = owners(reading.aws, waiting).await;
        let found = endpoints
            .iter()
            .filter(|endpoint| !is_in(endpoint, &State::Deleted))
            .map(|endpoint| live(reading.place, endpoint, owners.get(endpoint.service_name().unwrap_or_default())));
        Ok(found.filter(|live| filters::is_wanted(reading.scope, live)).collect())
    }

    fn set_when_ready(&self) -> &'static [&'static str] {
        &["private_dns_enabled"]
    }

    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        let shape: VpcEndpoint = wanted.shape()?;
        let mut request = aws
            .ec2()
            .create_vpc_endpoint()
            .vpc_id(shape.vpc_id.known()?)
            .service_name(&shape.service_name)
            .set_service_region(shape.service_region.clone())
            .vpc_endpoint_type(VpcEndpointType::from(shape.endpoint_type.as_str()))
            .set_policy_document((shape.policy != default_policy()).then(|| policy_text(&shape.policy)))
            .client_token(idempotency::token(wanted))
            .tag_specifications(tags::to_ec2_specification(ResourceType::VpcEndpoint, &wanted.tags));
        if shape.is_interface() {
            let private_dns = shape.private_dns_enabled
                && !requires_acceptance(aws, &shape).await?
                && predecessor(aws, &shape, wanted, None).await?.is_none();
            request = request
                .set_subnet_ids(Some(Id::all_known(&shape.subnet_ids)?))
                .set_security_group_ids(Some(Id::all_known(&shape.security_group_ids)?))
                .private_dns_enabled(private_dns)
                .set_dns_options(private_dns.then(|| dns_options(&shape.service_name)).flatten());
        } else {
            request = request.set_route_table_ids(Some(Id::all_known(&shape.route_table_ids)?));
        }
        let look = || async {
            let here = vec![
                filters::filter("vpc-id", [shape.vpc_id.known()?]),
                filters::filter("service-name", [&shape.service_name]),
                // Neither what is being deleted nor what its owner does not want.
                filters::filter("vpc-endpoint-state", ["pendingAcceptance", "pending", "available", "partial"]),
            ];
            let filters = [once::same_identity(wanted), here].concat();
            let found = aws.ec2().describe_vpc_endpoints().set_filters(Some(filters)).send().await;
            let found = found.doing("ec2:DescribeVpcEndpoints", &wanted.key)?;
            Ok(found.vpc_endpoints().iter().filter_map(|endpoint| endpoint.vpc_endpoint_id()).map(String::from).collect())
        };
        let send = || async {
            match request.clone().send().await.doing("ec2:CreateVpcEndpoint", &wanted.key) {
                Ok(made) => Ok(made.vpc_endpoint().and_then(|endpoint| endpoint.vpc_endpoint_id()).unwrap_or_default().to_string()),
                // Another run has just made it: a route table has one gateway endpoint for a service.
                Err(error) if error.code.as_deref() == Some("RouteAlreadyExists") => once::twin(wanted, look).await?.ok_or_else(|| {
                    let message = format!("{}: an endpoint that is not tierctl's serves this route table", error.message);
                    AwsError { message, class: Class::Others, ..error }
                }),
                // It has the private DNS name already.
                Err(error) if error.message.to_lowercase().contains(CONFLICT) => match once::twin(wanted, look).await? {
                    Some(id) => Ok(id),
                    None => Err(explained(aws, error, &shape).await),
                },
                Err(error) => Err(explained(aws, error, &shape).await),
            }
        };
        once::make(wanted, look, send).await
    }

    async fn update(&self, aws: &Writer, live: &Live, wanted: &Wanted, changed: &Changed) -> Result<String, AwsError> {
        let shape: VpcEndpoint = wanted.shape()?;
        let Some(endpoint) = describe(aws, &live.id).await? else {
            return Err(AwsError::new("ec2:ModifyVpcEndpoint", &live.id, Class::NotFound, "the endpoint is gone"));
        };
        let condition = condition_of(aws.place(), &endpoint, None);
        if let Condition::Failed(reason) = condition {
            return Err(AwsError::new("ec2:ModifyVpcEndpoint", &live.id, Class::Others, reason));
        }
        let is_accepted = !matches!(condition, Condition::Blocked(_));
        let modification = Modification::between(&shape_of(aws.place(), &endpoint), &shape, changed, is_accepted)?;
        match modification.private_dns {
            Some(true) => take_over_name(aws, &live.id, &shape, wanted, modification).await?,
            _ => modify(aws, &live.id, &shape, modification).await?,
        }
        Ok(live.id.clone())
    }

    /// The answer to a list of endpoints is a success even where none was deleted, and says which were not.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpcEndpoints.html>
    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        let request = aws.ec2().delete_vpc_endpoints().vpc_endpoint_ids(&live.id);
        let answer = request.send().await.doing("ec2:DeleteVpcEndpoints", &live.id)?;
        let Some(error) = answer.unsuccessful().iter().find_map(|item| item.error()) else { return Ok(()) };
        let code = error.code().unwrap_or_default();
        if code.contains("NotFound") {
            return Ok(());
        }
        Err(AwsError::coded("ec2:DeleteVpcEndpoints", &live.id, code, error.message().unwrap_or_default()))
    }

    /// Ready once it is available, though private DNS may be off still: `complete` turns it on.
    async fn condition(&self, aws: &Reader, id: &str, _wanted: &Wanted) -> Result<Condition, AwsError> {
        let Some(endpoint) = describe(aws, id).await? else {
            return Ok(Condition::Absent(format!("AWS does not list {id}")));
        };
        let waiting = is_in(&endpoint, &State::PendingAcceptance).then_some(&endpoint);
        let owners = owners(aws, waiting).await;
        Ok(condition_of(aws.place(), &endpoint, owners.values().next().map(String::as_str)))
    }

    async fn complete(&self, aws: &Writer, id: &str, wanted: &Wanted) -> Result<bool, AwsError> {
        let shape: VpcEndpoint = wanted.shape()?;
        if !(shape.is_interface() && shape.private_dns_enabled && shape.service_name.contains(PROVIDED)) {
            return Ok(false);
        }
        match describe(aws, id).await? {
            Some(endpoint) if endpoint.private_dns_enabled() != Some(true) => {
                let on = Modification { private_dns: Some(true), ..Modification::default() };
                take_over_name(aws, id, &shape, wanted, on).await.map(|()| true)
            }
            _ => Ok(false),
        }
    }

    /// Its interfaces linger until it is deleted, and with them its subnets and groups.
    async fn departure(&self, aws: &Reader, live: &Live) -> Result<Condition, AwsError> {
        Ok(match describe(aws, &live.id).await? {
            Some(endpoint) if !is_in(&endpoint, &State::Deleted) => {
                Condition::Pending(format!("AWS is deleting {} and its network interfaces", live.id))
            }
            _ => Condition::Ready,
        })
    }
}

/// What an endpoint without a policy of its own has: everything is allowed.
/// <https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html#default-endpoint-policy>
pub fn default_policy() -> Value {
    normal_form::policy(&json!({ "Statement": { "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*" } }))
}

/// A policy in normal form. AWS writes its default with the version 2008-10-17 or with none, and somebody else may
/// write it with 2012-10-17: it is the default all the same, for nothing in it depends on the version.
pub fn policy(document: &Value) -> Value {
    let document = normal_form::policy(document);
    let default = default_policy();
    if document.get("Statement") == default.get("Statement") { default } else { document }
}

/// A policy as AWS takes it. `{"AWS": "*"}` is written `"*"`, the only form documented for gateway endpoints.
/// <https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html#gateway-endpoint-principals>
fn policy_text(policy: &Value) -> String {
    let mut policy = policy.clone();
    for statement in policy.get_mut("Statement").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(principal) = statement.get_mut("Principal").filter(|principal| **principal == json!({ "AWS": ["*"] })) {
            *principal = json!("*");
        }
    }
    policy.to_string()
}

fn live(place: &Place, endpoint: &Ec2VpcEndpoint, owner: Option<&String>) -> Live {
    let id = endpoint.vpc_endpoint_id().unwrap_or_default();
    let condition = condition_of(place, endpoint, owner.map(String::as_str));
    Live::new(Kind::VpcEndpoint, place, id, tags::from_ec2(endpoint.tags()), &shape_of(place, endpoint)).in_condition(condition)
}

fn shape_of(place: &Place, endpoint: &Ec2VpcEndpoint) -> VpcEndpoint {
    let ids = |ids: &[String]| ids.iter().cloned().map(Id::Known).collect();
    VpcEndpoint {
        vpc_id: Id::Known(endpoint.vpc_id().unwrap_or_default().into()),
        service_name: endpoint.service_name().unwrap_or_default().into(),
        service_region: endpoint.service_region().filter(|region| *region != place.region).map(String::from),
        endpoint_type: endpoint.vpc_endpoint_type().map_or(VpcEndpointType::Gateway.as_str(), |kind| kind.as_str()).into(),
        subnet_ids: ids(endpoint.subnet_ids()),
        security_group_ids: endpoint.groups().iter().filter_map(|group| group.group_id()).map(|id| Id::Known(id.into())).collect(),
        route_table_ids: ids(endpoint.route_table_ids()),
        private_dns_enabled: endpoint.private_dns_enabled().unwrap_or(false),
        policy: endpoint.policy_document().map_or_else(default_policy, |text| policy(&normal_form::policy_text(text))),
    }
}

/// The API and its documentation write states in different case.
fn is_in(endpoint: &Ec2VpcEndpoint, state: &State) -> bool {
    endpoint.state().is_some_and(|other| other.as_str().eq_ignore_ascii_case(state.as_str()))
}

/// <https://docs.aws.amazon.com/vpc/latest/privatelink/concepts.html#concepts-vpc-endpoints>
fn condition_of(place: &Place, endpoint: &Ec2VpcEndpoint, owner: Option<&str>) -> Condition {
    let id = endpoint.vpc_endpoint_id().unwrap_or_default();
    let service = endpoint.service_name().unwrap_or_default();
    let owner = owner.map_or_else(|| format!("the owner of {service}"), |account| format!("account {account}, the owner of {service},"));
    let accept = accept_command(endpoint.service_region().unwrap_or(&place.region), service, id);
    let delete = format!("aws ec2 delete-vpc-endpoints --region {} --vpc-endpoint-ids {id}", place.region);
    let state = endpoint.state().map(|state| state.as_str().to_lowercase()).unwrap_or_default();
    match state.as_str() {
        "available" => Condition::Ready,
        "pending" => Condition::Pending(format!("AWS is connecting {id} to {service}")),
        "partial" => Condition::Pending(format!("{id} is connected to a part of {service} only")),
        "pendingacceptance" => Condition::Blocked(format!("{owner} has to accept {id}: `{accept}`")),
        "rejected" => Condition::Failed(format!(
            "{owner} rejected {id}: ask them to accept it (`{accept}`), or delete it, for it is billed until then (`{delete}`)"
        )),
        "expired" => Condition::Failed(format!("{owner} did not accept {id} in time: delete it (`{delete}`), then apply again")),
        "failed" => Condition::Failed(format!("{id} failed: {}. Delete it (`{delete}`), then apply again", failure(endpoint))),
        "deleting" | "deleted" => Condition::Leaving(format!("{id} is being deleted")),
        other => Condition::Pending(format!("{id} is in state {other:?}")),
    }
}

/// What the provider runs. The id of a service is the end of its name.
/// <https://docs.aws.amazon.com/vpc/latest/privatelink/configure-endpoint-service.html#accept-reject-connection-requests>
fn accept_command(region: &str, service: &str, id: &str) -> String {
    let service_id = service.rsplit('.').next().unwrap_or(service);
    format!("aws ec2 accept-vpc-endpoint-connections --region {region} --service-id {service_id} --vpc-endpoint-ids {id}")
}

fn failure(endpoint: &Ec2VpcEndpoint) -> String {
    let error = endpoint.last_error();
    let texts = [error.and_then(|error| error.code()), error.and_then(|error| error.message()), endpoint.failure_reason()];
    let reason = texts.into_iter().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ");
    if reason.is_empty() { "AWS gives no reason".into() } else { reason.trim_end_matches('.').into() }
}

/// Changes of an endpoint that go into one request: these have the narrowest of all rates, 0.3 a second.
#[derive(Debug, Clone, Default, PartialEq)]
struct Modification {
    subnets: Members,
    security_groups: Members,
    route_tables: Members,
    private_dns: Option<bool>,
    policy: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Members {
    added: Vec<String>,
    removed: Vec<String>,
}

impl Members {
    fn between(found: &[Id], wanted: &[Id]) -> Result<Self, ShapeError> {
        let only_in = |these: &[Id], those: &[Id]| Id::all_known(these.iter().filter(|id| !those.contains(id)));
        Ok(Self { added: only_in(wanted, found)?, removed: only_in(found, wanted)? })
    }
}

impl Modification {
    fn between(found: &VpcEndpoint, wanted: &VpcEndpoint, changed: &Changed, is_accepted: bool) -> Result<Self, ShapeError> {
        let members = |field, found: &[Id], wanted: &[Id]| match changed.has(field) {
            true => Members::between(found, wanted),
            false => Ok(Members::default()),
        };
        let dns_differs = changed.has("private_dns_enabled") && found.private_dns_enabled != wanted.private_dns_enabled;
        let dns_is_possible = is_accepted || !wanted.private_dns_enabled;
        let policy_differs = changed.has("policy") && found.policy != wanted.policy;
        Ok(Self {
            subnets: members("subnet_ids", &found.subnet_ids, &wanted.subnet_ids)?,
            security_groups: members("security_group_ids", &found.security_group_ids, &wanted.security_group_ids)?,
            route_tables: members("route_table_ids", &found.route_table_ids, &wanted.route_table_ids)?,
            private_dns: (dns_differs && dns_is_possible).then_some(wanted.private_dns_enabled),
            policy: policy_differs.then(|| wanted.policy.clone()),
        })
    }
}

async fn modify(aws: &Writer, id: &str, shape: &VpcEndpoint, change: Modification) -> Result<(), AwsError> {
    if change == Modification::default() {
        return Ok(());
    }
    let some = |ids: Vec<String>| (!ids.is_empty()).then_some(ids);
    let mut request = aws
        .ec2()
        .modify_vpc_endpoint()
        .vpc_endpoint_id(id)
        .set_add_subnet_ids(some(change.subnets.added))
        .set_remove_subnet_ids(some(change.subnets.removed))
        .set_add_security_group_ids(some(change.security_groups.added))
        .set_remove_security_group_ids(some(change.security_groups.removed))
        .set_add_route_table_ids(some(change.route_tables.added))
        .set_remove_route_table_ids(some(change.route_tables.removed))
        .set_private_dns_enabled(change.private_dns)
        .set_dns_options(change.private_dns.filter(|on| *on).and_then(|_| dns_options(&shape.service_name)));
    request = match change.policy {
        // Documented for gateway endpoints only; an interface endpoint is given the default by its text.
        // <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcEndpoint.html>
        Some(policy) if policy == default_policy() && !shape.is_interface() => request.reset_policy(true),
        policy => request.set_policy_document(policy.as_ref().map(policy_text)),
    };
    match request.send().await.doing("ec2:ModifyVpcEndpoint", id) {
        // It is still busy with an earlier change.
        Err(error) if matches!(error.code.as_deref(), Some("IncorrectState" | "InvalidState")) => {
            Err(AwsError { class: Class::NotYet, ..error })
        }
        Err(error) => Err(explained(aws, error, shape).await),
        Ok(_) => Ok(()),
    }
}

/// S3 has both kinds of endpoint, and AWS would keep the names of an interface endpoint for on-premises callers, and
/// refuse it without a gateway endpoint beside it; here they are for the tasks.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html#private-dns>
fn dns_options(service_name: &str) -> Option<DnsOptionsSpecification> {
    let has_both = service_name.ends_with(".s3");
    has_both.then(|| DnsOptionsSpecification::builder().private_dns_only_for_inbound_resolver_endpoint(false).build())
}

/// Seconds between attempts to turn private DNS on: who had the name has let go of it, which takes AWS a moment.
const HANDOVER: [u64; 4] = [1, 2, 4, 8];

/// Turns private DNS on, after it was turned off at the endpoint that this one replaces. Where the one then cannot have
/// it, the other gets it back: the tasks need the name.
async fn take_over_name(aws: &Writer, id: &str, shape: &VpcEndpoint, wanted: &Wanted, change: Modification) -> Result<(), AwsError> {
    let Some(predecessor) = predecessor(aws, shape, wanted, Some(id)).await? else {
        return modify(aws, id, shape, change).await;
    };
    can_have_name(aws, shape, id, &predecessor).await?;
    let switch = |on| Modification { private_dns: Some(on), ..Modification::default() };
    modify(aws, &predecessor, shape, switch(false)).await?;
    let mut pauses = HANDOVER.into_iter();
    loop {
        let Err(error) = modify(aws, id, shape, change.clone()).await else { return Ok(()) };
        let may_pass = error.message.to_lowercase().contains(CONFLICT)
            || matches!(error.class, Class::NotYet | Class::InUse | Class::Throttled | Class::Unreachable | Class::Service);
        match pauses.next().filter(|_| may_pass) {
            Some(pause) => tokio::time::sleep(Duration::from_secs(pause)).await,
            None => {
                return match modify(aws, &predecessor, shape, switch(true)).await {
                    Ok(()) => Err(error),
                    Err(_) => Err(AwsError { message: format!("{}; private DNS is off at {predecessor} too", error.message), ..error }),
                };
            }
        }
    }
}

/// Whether a service has a private DNS name that its owner has shown to be theirs. Without, AWS would refuse it to the new
/// endpoint when it is off at the old one already.
/// <https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html>
async fn can_have_name(aws: &Reader, shape: &VpcEndpoint, id: &str, predecessor: &str) -> Result<(), AwsError> {
    let services = services_of(aws, shape).await?;
    let Some(service) = services.first() else { return Ok(()) };
    let name = &shape.service_name;
    let lack = match (service.private_dns_name(), service.private_dns_name_verification_state()) {
        (None, _) => format!("{name} has no private DNS name: ask its owner for one, or set `private_dns: false`"),
        (Some(_), Some(DnsNameState::Verified)) => return Ok(()),
        (Some(dns), _) => format!("the owner of {name} has to verify its private DNS name {dns} first"),
    };
    Err(AwsError::new("ec2:ModifyVpcEndpoint", id, Class::Invalid, format!("{lack}. Until then {predecessor} answers")))
}

/// The endpoint, if AWS knows it.
async fn describe(aws: &Reader, id: &str) -> Result<Option<Ec2VpcEndpoint>, AwsError> {
    match aws.ec2().describe_vpc_endpoints().vpc_endpoint_ids(id).send().await.doing("ec2:DescribeVpcEndpoints", id) {
        Ok(answer) => Ok(answer.vpc_endpoints.unwrap_or_default().into_iter().next()),
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Services by name. Those of other accounts are found by their full name only.
async fn services(aws: &Reader, names: BTreeSet<&str>, regions: BTreeSet<&str>) -> Result<Vec<ServiceDetail>, AwsError> {
    let texts = |texts: BTreeSet<&str>| texts.into_iter().map(String::from).collect::<Vec<_>>();
    let regions = Some(texts(regions)).filter(|regions| regions.iter().any(|region| *region != aws.place().region));
    let request = aws.ec2().describe_vpc_endpoint_services().set_service_names(Some(texts(names))).set_service_regions(regions);
    let answer = request.send().await.doing("ec2:DescribeVpcEndpointServices", aws.place())?;
    Ok(answer.service_details.unwrap_or_default())
}

/// The endpoint that another one is to replace, if it answers to a private DNS name: the new one gets the name when it
/// is ready, so that the tasks are without it for a moment only. It has the same identity, or is that of a downstream
/// which leaves the spec while this one comes with the same name. AWS's own services have one endpoint for a name, which
/// is never replaced in its VPC.
async fn predecessor(aws: &Reader, shape: &VpcEndpoint, wanted: &Wanted, successor: Option<&str>) -> Result<Option<String>, AwsError> {
    if !shape.service_name.contains(PROVIDED) {
        return Ok(None);
    }
    let vpc_id = shape.vpc_id.known()?;
    let request = aws.ec2().describe_vpc_endpoints().filters(filters::filter("vpc-id", [vpc_id])).max_results(1000);
    let found = request.into_paginator().items().send().try_collect().await.doing("ec2:DescribeVpcEndpoints", vpc_id)?;
    let answers: Vec<&Ec2VpcEndpoint> = found
        .iter()
        .filter(|endpoint| endpoint.private_dns_enabled() == Some(true) && endpoint.vpc_endpoint_id() != successor)
        .filter(|endpoint| !is_in(endpoint, &State::Deleting) && !is_in(endpoint, &State::Deleted))
        .collect();
    let owner = |endpoint: &Ec2VpcEndpoint| Key::from_tags(Kind::VpcEndpoint, &tags::from_ec2(endpoint.tags()));
    let id = |endpoint: &&Ec2VpcEndpoint| endpoint.vpc_endpoint_id().unwrap_or_default().to_string();
    if let Some(own) = answers.iter().find(|endpoint| owner(endpoint).as_ref() == Some(&wanted.key)) {
        return Ok(Some(id(own)));
    }
    let leaving: Vec<_> = answers.into_iter().filter(|endpoint| wanted.known.contains(&id(endpoint))).collect();
    if leaving.is_empty() {
        return Ok(None);
    }
    let services = services_of(aws, shape).await?;
    let names: BTreeSet<&str> = services.iter().filter_map(ServiceDetail::private_dns_name).collect();
    let has_name = |endpoint: &&Ec2VpcEndpoint| {
        let mut entries = endpoint.dns_entries().iter().filter_map(|entry| entry.dns_name());
        entries.any(|name| names.contains(name))
    };
    Ok(leaving.into_iter().find(has_name).map(|endpoint| id(&endpoint)))
}

/// Accounts that own the services of these endpoints. They only make a message clearer, so that a refusal (somebody
/// may read endpoints and not services, or no longer be allowed to see one) leaves them out.
async fn owners(aws: &Reader, endpoints: impl IntoIterator<Item = &Ec2VpcEndpoint>) -> BTreeMap<String, String> {
    let (mut names, mut regions) = (BTreeSet::new(), BTreeSet::new());
    for endpoint in endpoints {
        names.extend(endpoint.service_name());
        regions.extend(endpoint.service_region());
    }
    if names.is_empty() {
        return BTreeMap::new();
    }
    let found = services(aws, names, regions).await.unwrap_or_default();
    found.into_iter().filter_map(|service| Some((service.service_name?, service.owner?))).collect()
}

/// Whether the service's owner accepts each endpoint by hand, as no owner but another account does.
async fn requires_acceptance(aws: &Reader, shape: &VpcEndpoint) -> Result<bool, AwsError> {
    if !shape.service_name.contains(PROVIDED) {
        return Ok(false);
    }
    Ok(services_of(aws, shape).await?.iter().any(|service| service.acceptance_required() == Some(true)))
}

/// The service of an endpoint. That there is none is better said about the endpoint itself.
async fn services_of(aws: &Reader, shape: &VpcEndpoint) -> Result<Vec<ServiceDetail>, AwsError> {
    let regions = shape.service_region.as_deref().into_iter().collect();
    match services(aws, BTreeSet::from([shape.service_name.as_str()]), regions).await {
        Err(error) if error.code.as_deref() == Some("InvalidServiceName") => Ok(Vec::new()),
        answer => answer,
    }
}

/// The error with what the user can do, where AWS's words assume that one knows.
async fn explained(aws: &Reader, error: AwsError, shape: &VpcEndpoint) -> AwsError {
    let service = &shape.service_name;
    let said = error.message.to_lowercase();
    if error.code.as_deref() == Some("InvalidServiceName") {
        let account = &aws.place().account;
        let message = match service.contains(PROVIDED) {
            true => format!(
                "{service} does not exist, or its owner does not let account {account} use it: check the name, or ask them to \
                 allow the principal arn:aws:iam::{account}:root"
            ),
            false => format!("AWS has no endpoint service {service} in {}", aws.place().region),
        };
        return AwsError { message, ..error };
    }
    if said.contains("availability zone") && said.contains("support") {
        let regions = shape.service_region.as_deref().into_iter().collect();
        let found = services(aws, BTreeSet::from([service.as_str()]), regions).await.unwrap_or_default();
        let zones: BTreeSet<&str> = found.iter().flat_map(|service| service.availability_zones()).map(String::as_str).collect();
        let offered = match zones.is_empty() {
            true => String::new(),
            false => {
                let zones = zones.into_iter().collect::<Vec<_>>().join(", ");
                format!(". It is offered in {zones}: use only these zones (their names differ between accounts)")
            }
        };
        return AwsError { message: format!("{}{offered}", error.message.trim_end_matches('.')), ..error };
    }
    if said.contains(CONFLICT) {
        return name_conflict(aws, error, shape).await;
    }
    error
}

/// One endpoint in a VPC answers to a private DNS name. Waiting helps only where that one is being deleted.
/// <https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html>
async fn name_conflict(aws: &Reader, error: AwsError, shape: &VpcEndpoint) -> AwsError {
    let Ok(vpc_id) = shape.vpc_id.known() else { return error };
    let request = aws.ec2().describe_vpc_endpoints().filters(filters::filter("vpc-id", [vpc_id])).max_results(1000);
    let Ok(found) = request.into_paginator().items().send().try_collect().await else { return error };
    let answers = |endpoint: &&Ec2VpcEndpoint| {
        let mut names = endpoint.dns_entries().iter().filter_map(|entry| entry.dns_name());
        names.any(|name| error.message.contains(name)) || endpoint.service_name() == Some(&shape.service_name)
    };
    let holders = found.iter().filter(|endpoint| endpoint.private_dns_enabled() == Some(true)).filter(answers);
    let (leaving, staying): (Vec<_>, Vec<_>) = holders.partition(|endpoint| is_in(endpoint, &State::Deleting));
    let id = |endpoint: &&Ec2VpcEndpoint| endpoint.vpc_endpoint_id().unwrap_or_default().to_string();
    match (staying.first().map(id), leaving.first().map(id)) {
        (Some(holder), _) => {
            let message = format!(
                "endpoint {holder} in {vpc_id} already answers to the private DNS name of {}: remove that one first, or set \
                 `private_dns: false`",
                shape.service_name
            );
            AwsError { message, class: Class::Exists, ..error }
        }
        (None, Some(holder)) => {
            let message = format!("the private DNS name of {} is held by {holder}, which is being deleted", shape.service_name);
            AwsError { message, class: Class::InUse, ..error }
        }
        (None, None) => error,
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, clippy::panic, reason = "a test may panic")]
mod tests {
    use aws_sdk_ec2::types::builders::VpcEndpointBuilder;
    use aws_sdk_ec2::types::{LastError, SecurityGroupIdentifier};

    use super::*;

    fn place() -> Place {
        Place { account: "123456789012".into(), region: "us-east-1".into() }
    }

    fn builder(state: &str) -> VpcEndpointBuilder {
        Ec2VpcEndpoint::builder()
            .vpc_endpoint_id("vpce-1")
            .vpc_endpoint_type(VpcEndpointType::Interface)
            .vpc_id("vpc-1")
            .service_name("com.amazonaws.vpce.us-east-1.vpce-svc-0123")
            .service_region("us-east-1")
            .state(state.into())
            .subnet_ids("subnet-1")
            .groups(SecurityGroupIdentifier::builder().group_id("sg-1").group_name("endpoints").build())
            .private_dns_enabled(false)
    }

    fn endpoint(state: &str) -> Ec2VpcEndpoint {
        builder(state).build()
    }

    fn with_policy(text: &str) -> Value {
        shape_of(&place(), &builder("available").policy_document(text).build()).policy
    }

    #[test]
    fn the_default_policy_is_one_in_every_version() {
        let texts = [
            r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#,
            "{\n  \"Statement\": [\n    {\n      \"Action\": \"*\", \n      \"Effect\": \"Allow\", \n      \"Principal\": \"*\", \n      \
             \"Resource\": \"*\"\n    }\n  ]\n}",
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["*"],"Resource":["*"]}}"#,
        ];
        for text in texts {
            assert_eq!(with_policy(text), default_policy(), "{text}");
        }
        assert_eq!(shape_of(&place(), &endpoint("available")).policy, default_policy());
        let narrower = r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}"#;
        assert_ne!(with_policy(narrower), default_policy());
    }

    #[test]
    fn everybody_is_written_as_gateway_endpoints_take_it() {
        let policy = policy(&json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}}));
        let text = policy_text(&policy);
        assert!(text.contains(r#""Principal":"*""#), "{text}");
        assert_eq!(with_policy(&text), policy);
    }

    #[test]
    fn an_endpoint_reads_as_it_would_be_wanted() {
        let shape = shape_of(&place(), &endpoint("Available"));
        assert_eq!(shape.service_region, None);
        assert_eq!(shape.subnet_ids, [Id::Known("subnet-1".into())]);
        assert_eq!(shape.security_group_ids, [Id::Known("sg-1".into())]);
        let elsewhere = builder("available").service_region("eu-west-1").build();
        assert_eq!(shape_of(&place(), &elsewhere).service_region.as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn states_are_read_whatever_their_case() {
        for state in ["available", "Available"] {
            assert_eq!(condition_of(&place(), &endpoint(state), None), Condition::Ready);
        }
        for state in ["pendingAcceptance", "PendingAcceptance"] {
            assert!(matches!(condition_of(&place(), &endpoint(state), None), Condition::Blocked(_)));
        }
        assert!(matches!(condition_of(&place(), &endpoint("pending"), None), Condition::Pending(_)));
        assert!(matches!(condition_of(&place(), &endpoint("Deleting"), None), Condition::Leaving(_)));
        assert!(is_in(&endpoint("Deleted"), &State::Deleted) && is_in(&endpoint("deleted"), &State::Deleted));
    }

    #[test]
    fn who_waits_is_told_what_the_provider_runs() {
        let Condition::Blocked(message) = condition_of(&place(), &endpoint("pendingAcceptance"), Some("210987654321")) else {
            panic!("not blocked")
        };
        assert_eq!(
            message,
            "account 210987654321, the owner of com.amazonaws.vpce.us-east-1.vpce-svc-0123, has to accept vpce-1: `aws ec2 \
             accept-vpc-endpoint-connections --region us-east-1 --service-id vpce-svc-0123 --vpc-endpoint-ids vpce-1`"
        );
    }

    #[test]
    fn a_failure_comes_with_its_reason() {
        let error = LastError::builder().code("ServiceUnavailable").message("The load balancer is gone.").build();
        let failed = builder("Failed").last_error(error).build();
        let Condition::Failed(message) = condition_of(&place(), &failed, None) else { panic!("not failed") };
        assert!(message.starts_with("vpce-1 failed: ServiceUnavailable: The load balancer is gone. Delete it"), "{message}");
        let Condition::Failed(message) = condition_of(&place(), &endpoint("rejected"), None) else { panic!("not failed") };
        assert!(message.contains("accept-vpc-endpoint-connections") && message.contains("delete-vpc-endpoints"), "{message}");
    }

    #[test]
    fn a_change_says_only_what_differs() {
        let found = shape_of(&place(), &endpoint("available"));
        let wanted = VpcEndpoint {
            subnet_ids: vec![Id::Known("subnet-2".into())],
            private_dns_enabled: true,
            security_group_ids: Vec::new(),
            ..found.clone()
        };
        let changed = Changed(["subnet_ids".to_string(), "private_dns_enabled".to_string()].into());
        let expected = Modification {
            subnets: Members { added: vec!["subnet-2".into()], removed: vec!["subnet-1".into()] },
            private_dns: Some(true),
            ..Modification::default()
        };
        assert_eq!(Modification::between(&found, &wanted, &changed, true).expect("a change"), expected);
        // Before it is accepted, private DNS has to wait.
        let waiting = Modification::between(&found, &wanted, &changed, false).expect("a change");
        assert_eq!(waiting, Modification { private_dns: None, ..expected });
    }
}
