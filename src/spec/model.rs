//! What a user writes: the two kinds of spec, as typed values that know where they stand in their file.
//!
//! A field that is an `Option` and left out is either unmanaged or has the default that its comment names.
//! `spec/check` holds the rules that types cannot say.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::located::Located;

/// Names become part of AWS names, tags and paths; the strictest of those decides.
const NAME: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";
const REGION: &str = "^[a-z]{2,}(-[a-z]+)+-[0-9]+$";
const ACCOUNT: &str = "^[0-9]{12}$";

/// A tier: dependencies wired once per infra group, and the cells and infra groups that they are wired in.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TierSpec {
    /// Name of the tier. Identity: it cannot be changed in place.
    #[schemars(regex(pattern = NAME))]
    pub tier: Located<String>,
    /// Region of every cell that does not set its own.
    #[schemars(regex(pattern = REGION))]
    pub region: Located<String>,
    /// Tags for everything that can be tagged. They cannot override the `tierctl:` tags.
    #[serde(default)]
    pub tags: BTreeMap<Located<String>, Located<String>>,
    /// Services that every tenant's tasks can reach, through one endpoint per infra group.
    #[serde(default)]
    pub downstreams: Vec<Downstream>,
    /// Other destinations that every tenant's tasks may open connections to.
    #[serde(default)]
    pub egress: Vec<Egress>,
    /// The roles that the tasks of every tenant run with.
    #[serde(default)]
    pub roles: Roles,
    /// Rules that hold for every tenant of the tier.
    #[serde(default)]
    pub tenants: TenantRules,
    /// Logs and metrics of the tenants' tasks.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// Quotas that AWS has raised for every account of the tier. Default: AWS's defaults.
    #[serde(default)]
    pub quotas: Quotas,
    /// Marks the tier for removal at the next apply. Default: false.
    #[serde(default)]
    pub retired: bool,
    /// Whether nothing of the tier may be deleted or replaced, in any infra group: a plan that would is blocked. Default: false.
    #[serde(default)]
    pub protect: bool,
    /// Cells: one AWS account (and Region) each.
    #[schemars(length(min = 1))]
    pub cells: Vec<Cell>,
}

/// A service that the tier's tenants depend on.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Downstream {
    /// Name within the tier.
    #[schemars(regex(pattern = NAME))]
    pub name: Located<String>,
    /// The endpoint service: a full name (`com.amazonaws.vpce.us-east-1.vpce-svc-…`), an AWS service in short
    /// (`ecr.api`), or a map from Region to either.
    pub service: Located<ServiceName>,
    /// Region of the service, where it is meant to be another than the cell's.
    pub service_region: Option<Located<String>>,
    /// TCP port of the service. Not needed for a gateway endpoint, which is reached on 443.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<Located<u16>>,
    /// Whether the service's public DNS name resolves to the endpoint inside the VPC. Default: false.
    #[serde(default)]
    pub private_dns: bool,
    /// A gateway endpoint (S3, DynamoDB): routes instead of network interfaces. Default: false.
    #[serde(default)]
    pub gateway: Located<bool>,
    /// Endpoint policy document, as YAML. Default: AWS's, which allows everything.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub policy: Option<Located<Document>>,
}

/// A policy document or another free-form object, kept as JSON.
pub type Document = serde_json::Value;

/// Names an endpoint service: a full name (`com.amazonaws.vpce.us-east-1.vpce-svc-…`), an AWS service in short
/// (`ecr.api`), or a map from Region to either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceName {
    Name(String),
    PerRegion(BTreeMap<String, Located<String>>),
}

impl<'de> Deserialize<'de> for ServiceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrMap;

        impl<'de> Visitor<'de> for NameOrMap {
            type Value = ServiceName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a service name, or a map from Region to one")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<ServiceName, E> {
                Ok(ServiceName::Name(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ServiceName, A::Error> {
                Deserialize::deserialize(de::value::MapAccessDeserializer::new(map)).map(ServiceName::PerRegion)
            }
        }

        deserializer.deserialize_any(NameOrMap)
    }
}

impl JsonSchema for ServiceName {
    fn schema_name() -> Cow<'static, str> {
        "ServiceName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string" },
                { "type": "object", "additionalProperties": { "type": "string" }, "minProperties": 1 },
            ]
        })
    }
}

/// A destination outside the endpoints. Exactly one of `cidr`, `prefix_list` and `security_group` is set.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    /// IPv4 block, as `10.0.0.0/8`.
    pub cidr: Option<Located<String>>,
    /// Id of a prefix list (`pl-…`).
    pub prefix_list: Option<Located<String>>,
    /// Id of a security group (`sg-…`).
    pub security_group: Option<Located<String>>,
    /// TCP port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Located<u16>,
}

/// The roles of the tasks, made once per infra group.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// What the tenants' code may do. Made even if empty.
    #[serde(default)]
    pub task: Role,
    /// What ECS may do to start the tasks: pull images, write logs, read secrets. Made even if empty.
    #[serde(default)]
    pub execution: Role,
}

/// What a role may do.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Statements of the role's one inline policy.
    #[serde(default)]
    pub statements: Vec<Statement>,
    /// ARNs of managed policies.
    #[serde(default)]
    pub managed_policies: Vec<Located<String>>,
    /// ARN of the policy that bounds the role's permissions. Default: none.
    pub permissions_boundary: Option<Located<String>>,
}

/// A statement of a policy.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Name of the statement, letters and digits. Default: none.
    pub sid: Option<Located<String>>,
    /// `Allow` or `Deny`.
    pub effect: Effect,
    /// Actions that the statement is about, as `s3:GetObject`. Either this or `not_actions`.
    #[serde(default)]
    pub actions: Vec<Located<String>>,
    /// The statement is about every action but these.
    #[serde(default)]
    pub not_actions: Vec<Located<String>>,
    /// ARNs of the resources that the statement is about, or `*`. Either this or `not_resources`.
    #[serde(default)]
    pub resources: Vec<Located<String>>,
    /// The statement is about every resource but these.
    #[serde(default)]
    pub not_resources: Vec<Located<String>>,
    /// IAM condition block: operator, then key, then value or list of values.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub conditions: Option<Located<Document>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Effect {
    Allow,
    Deny,
}

/// Rules that hold for every tenant of the tier.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TenantRules {
    /// Most tenants in one infra group, 1 to 100. Default: 50.
    #[schemars(range(min = 1, max = 100))]
    pub max_per_infra_group: Located<u32>,
    /// How a request finds its tenant. Default: path.
    pub route_by: Located<RouteBy>,
    /// Name of the request header, where `route_by` is `header`.
    pub header: Option<Located<String>>,
    /// First and last port that tenants may listen on. Default: [1024, 65535].
    #[schemars(inner(range(min = 1, max = 65535)))]
    pub ports: Located<[u16; 2]>,
}

impl Default for TenantRules {
    fn default() -> Self {
        Self {
            max_per_infra_group: Located::unplaced(50),
            route_by: Located::unplaced(RouteBy::Path),
            header: None,
            ports: Located::unplaced([1024, 65535]),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RouteBy {
    Path,
    Header,
}

/// Logs and metrics of the tenants' tasks.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Monitoring {
    /// Days that logs are kept, one of those CloudWatch Logs accepts. Default: unmanaged (AWS: never expire).
    pub log_retention_days: Option<Located<u32>>,
    /// Container Insights of the tenants' clusters. Default: unmanaged, the account's setting.
    pub container_insights: Option<ContainerInsights>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContainerInsights {
    Disabled,
    Enabled,
    Enhanced,
}

/// What `validate` counts against, for quotas that AWS raises on request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Quotas {
    /// Interface endpoints per VPC (L-29B6F2EB). Default: 50.
    pub interface_endpoints: u32,
    /// Rules per security group and direction (L-0EA8095F). Default: 60.
    pub security_group_rules: u32,
    /// Managed policies per role (L-0DA4ABF3). Default: 10.
    pub managed_policies: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { interface_endpoints: 50, security_group_rules: 60, managed_policies: 10 }
    }
}

/// One AWS account and Region.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// Name within the tier. Identity.
    #[schemars(regex(pattern = NAME))]
    pub name: Located<String>,
    /// Account id, 12 digits, in quotes. Identity.
    #[schemars(regex(pattern = ACCOUNT))]
    pub account: Located<String>,
    /// Region of this cell. Default: the tier's. Identity.
    #[schemars(regex(pattern = REGION))]
    pub region: Option<Located<String>>,
    /// Role to assume in the account: its ARN, or `{read, write, external_id}` with one for commands that only read
    /// and one for those that write. Default: the credentials as they are.
    pub assume_role: Option<Located<AssumeRole>>,
    /// Marks the cell for removal at the next apply. Default: false.
    #[serde(default)]
    pub retired: bool,
    /// Infra groups, in the order in which tenants without a placement fill them.
    #[schemars(length(min = 1))]
    pub infra_groups: Vec<InfraGroup>,
}

/// A role's ARN, or one for commands that only read and one for those that write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumeRole {
    pub read: String,
    pub write: String,
    pub external_id: Option<String>,
}

impl<'de> Deserialize<'de> for AssumeRole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ArnOrRoles;

        impl<'de> Visitor<'de> for ArnOrRoles {
            type Value = AssumeRole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a role's ARN, or `read` and `write` with one each")
            }

            fn visit_str<E: de::Error>(self, arn: &str) -> Result<AssumeRole, E> {
                Ok(AssumeRole { read: arn.to_owned(), write: arn.to_owned(), external_id: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AssumeRole, A::Error> {
                let AssumeRoles { read, write, external_id } = Deserialize::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(AssumeRole { read, write, external_id })
            }
        }

        deserializer.deserialize_any(ArnOrRoles)
    }
}

/// One role for commands that only read, and one for those that write.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AssumeRoles {
    /// ARN of the role for commands that only read.
    read: String,
    /// ARN of the role for commands that write.
    write: String,
    /// External id that the roles' trust policies ask for. Default: none.
    external_id: Option<String>,
}

impl JsonSchema for AssumeRole {
    fn schema_name() -> Cow<'static, str> {
        "AssumeRole".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, generator.subschema_for::<AssumeRoles>()] })
    }
}

/// One VPC, one load balancer, the endpoints and roles, and up to 50 tenants.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InfraGroup {
    /// Name within the cell. Identity.
    #[schemars(regex(pattern = NAME))]
    pub name: Located<String>,
    /// Marks the infra group for removal at the next apply. Default: false.
    #[serde(default)]
    pub retired: bool,
    /// Whether nothing of the tier may be deleted or replaced here: a plan that would is blocked. Default: false.
    #[serde(default)]
    pub protect: bool,
    /// The network: a VPC to make (`cidr`, `zones`) or another team's (`id`, `subnets`, `route_tables`).
    pub vpc: Located<Vpc>,
    /// The load balancer to make, or another team's listener to use (`listener`, `priorities`).
    #[serde(default)]
    pub load_balancer: Located<LoadBalancer>,
}

/// A VPC to make (`cidr` and `zones`) or another team's to use (`id`, `subnets`, `route_tables`).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vpc {
    /// IPv4 block of the VPC to make, /16 to /22.
    pub cidr: Option<Located<String>>,
    /// Availability Zones of the VPC to make; two at least, as the load balancer needs.
    #[serde(default)]
    pub zones: Vec<Located<String>>,
    /// Id of another team's VPC.
    pub id: Option<Located<String>>,
    /// Subnets of another team's VPC for tasks, endpoints and the load balancer, one per zone.
    #[serde(default)]
    pub subnets: Vec<Located<String>>,
    /// Route tables of another team's VPC that gateway endpoints may add their route to.
    #[serde(default)]
    pub route_tables: Vec<Located<String>>,
}

/// A load balancer to make, or another team's listener to use (`listener`, `priorities`).
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancer {
    /// Who can reach it: the VPC and what is connected to it, or the internet. Default: internal.
    pub scheme: Option<Located<Scheme>>,
    /// Who may connect: IPv4 blocks, prefix lists (`pl-…`) and security groups (`sg-…`). Default: the VPC's block.
    pub allow: Option<Vec<Located<String>>>,
    /// ARN of the certificate. With it the listener is HTTPS on 443 and port 80 redirects there; without it HTTP on 80.
    pub certificate: Option<Located<String>>,
    /// TLS policy of the HTTPS listener. Default: ELBSecurityPolicy-TLS13-1-2-2021-06.
    pub ssl_policy: Option<Located<String>>,
    /// Where access logs go. Default: none are written.
    pub access_logs: Option<AccessLogs>,
    /// Whether AWS refuses to delete the load balancer. Default: false.
    pub deletion_protection: Option<Located<bool>>,
    /// Seconds until an idle connection is closed, 1 to 4000. Default: unmanaged (AWS: 60).
    #[schemars(range(min = 1, max = 4000))]
    pub idle_timeout: Option<Located<u32>>,
    /// ARN of another team's listener, to add our rules to.
    pub listener: Option<Located<String>>,
    /// First and last priority on another team's listener that are ours.
    #[schemars(inner(range(min = 1, max = 50000)))]
    pub priorities: Option<Located<[u32; 2]>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    Internal,
    InternetFacing,
}

/// Where a load balancer writes its access logs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessLogs {
    /// Name of the S3 bucket.
    pub bucket: Located<String>,
    /// Prefix of the objects' keys. Default: none.
    pub prefix: Option<Located<String>>,
}

/// A tenant: what is its own, and nothing that its tier provides.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantSpec {
    /// Name of the tenant. Identity.
    #[schemars(regex(pattern = NAME))]
    pub tenant: Located<String>,
    /// Name of its tier.
    pub tier: Located<String>,
    /// Where it lives. Default: where it already lives, else the first infra group with a place.
    pub placement: Option<Placement>,
    /// Whether nothing of the tenant may be deleted or replaced: a plan that would is blocked. Default: false.
    #[serde(default)]
    pub protect: bool,
    /// Which requests are the tenant's.
    #[serde(default)]
    pub route: Route,
    /// An ECS service. Either this or `targets`.
    pub service: Option<Located<Service>>,
    /// A fleet that is registered by address. Either this or `service`.
    pub targets: Option<Located<Targets>>,
    /// Environment of the service's container. `TENANT_ID`, `TIER`, `CELL` and `INFRA_GROUP` are set for it.
    #[serde(default)]
    pub environment: BTreeMap<Located<String>, Located<String>>,
    /// Tags for everything of the tenant that can be tagged, over the tier's.
    #[serde(default)]
    pub tags: BTreeMap<Located<String>, Located<String>>,
}

/// An infra group of the tier.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// Name of a cell of the tier.
    pub cell: Located<String>,
    /// Name of an infra group of that cell.
    pub infra_group: Located<String>,
}

/// Which requests are the tenant's.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Path patterns, where the tier routes by path. Default: `/<tenant>` and `/<tenant>/*`.
    #[schemars(length(min = 1, max = 5))]
    pub path: Option<Vec<Located<String>>>,
    /// Values of the tier's header, where it routes by header. Default: the tenant's name.
    #[schemars(length(min = 1, max = 5))]
    pub header: Option<Vec<Located<String>>>,
}

/// The tenant's ECS service, and the load balancer's view of it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The container's image, as `123456789012.dkr.ecr.us-east-1.amazonaws.com/ad-server:1.42.0`.
    pub image: Located<String>,
    /// Port that the container listens on.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Located<u16>,
    /// CPU units of a task, 1024 to a vCPU.
    #[schemars(range(min = 1))]
    pub cpu: Located<u32>,
    /// Memory of a task in MiB.
    #[schemars(range(min = 1))]
    pub memory: Located<u32>,
    /// Tasks to run. Default: unmanaged, but for the 1 that a new service starts with. Not ours while a scalable target
    /// exists.
    pub desired: Option<Located<u32>>,
    /// Overrides the image's command.
    pub command: Option<Vec<String>>,
    /// Environment variables from Secrets Manager or Parameter Store: name to ARN.
    #[serde(default)]
    pub secrets: BTreeMap<Located<String>, Located<String>>,
    /// The load balancer's health check. Default: AWS's for HTTP, managed.
    pub health_check: Option<Located<HealthCheck>>,
    /// The health check that ECS runs inside the container. Default: none.
    pub container_health_check: Option<Located<ContainerHealthCheck>>,
    /// Seconds that ECS ignores failing health checks of a starting task. Default: unmanaged (AWS: 0).
    #[schemars(range(max = 2_147_483_647))]
    pub health_check_grace_period: Option<Located<u32>>,
    /// Seconds that a target drains before it is deregistered, 0 to 3600. Default: unmanaged (AWS: 300).
    #[schemars(range(max = 3600))]
    pub deregistration_delay: Option<Located<u32>>,
    /// Seconds over which a new target's share of requests grows, 30 to 900, or 0 for off. Default: unmanaged
    /// (AWS: off).
    #[schemars(range(max = 900))]
    pub slow_start: Option<Located<u32>>,
    /// Keeps a client on one target by a cookie of the load balancer. Default: unmanaged (AWS: off).
    pub stickiness: Option<Located<Stickiness>>,
    /// Processor of the tasks. Default: x86_64.
    pub architecture: Option<Architecture>,
    /// GiB of scratch disk of a task, 21 to 200. Default: AWS's 20.
    #[schemars(range(min = 21, max = 200))]
    pub ephemeral_storage: Option<Located<u32>>,
    /// Further containers of the task.
    #[serde(default)]
    pub sidecars: Vec<Sidecar>,
    /// Whether `aws ecs execute-command` may be used. Default: false.
    #[serde(default)]
    pub exec: bool,
    /// Where the tasks run. Default: FARGATE.
    #[schemars(length(min = 1))]
    pub capacity_providers: Option<Located<Vec<CapacityProvider>>>,
    /// How a new revision replaces the old.
    pub deployment: Option<Located<Deployment>>,
}

/// The load balancer's health check of a target. Omitted fields have AWS's defaults and are managed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// Default: `/`.
    pub path: Option<Located<String>>,
    /// Seconds between two checks, 5 to 300. Default: 30.
    #[schemars(range(min = 5, max = 300))]
    pub interval: Option<Located<u32>>,
    /// Seconds until a check has failed, 2 to 120. Default: 6.
    #[schemars(range(min = 2, max = 120))]
    pub timeout: Option<Located<u32>>,
    /// Successes until healthy, 2 to 10. Default: 5.
    #[schemars(range(min = 2, max = 10))]
    pub healthy_threshold: Option<Located<u32>>,
    /// Failures until unhealthy, 2 to 10. Default: 2.
    #[schemars(range(min = 2, max = 10))]
    pub unhealthy_threshold: Option<Located<u32>>,
    /// HTTP status codes that count as healthy, as `200` or `200-299` or `200,204`. Default: 200.
    pub matcher: Option<Located<String>>,
}

/// What AWS does for HTTP where nothing is said.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html>
impl HealthCheck {
    pub const DEFAULT_PATH: &str = "/";
    pub const DEFAULT_INTERVAL: u32 = 30;
    pub const DEFAULT_TIMEOUT: u32 = 6;
    pub const DEFAULT_HEALTHY_THRESHOLD: u32 = 5;
    pub const DEFAULT_UNHEALTHY_THRESHOLD: u32 = 2;
    pub const DEFAULT_MATCHER: &str = "200";
}

/// A health check that ECS runs inside a container.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerHealthCheck {
    /// Starts with `CMD` or `CMD-SHELL`.
    #[schemars(length(min = 1))]
    pub command: Located<Vec<String>>,
    /// Seconds between two checks, 5 to 300. Default: 30.
    #[schemars(range(min = 5, max = 300))]
    pub interval: Option<Located<u32>>,
    /// Seconds until a check has failed, 2 to 60. Default: 5.
    #[schemars(range(min = 2, max = 60))]
    pub timeout: Option<Located<u32>>,
    /// Failures until unhealthy, 1 to 10. Default: 3.
    #[schemars(range(min = 1, max = 10))]
    pub retries: Option<Located<u32>>,
    /// Seconds in which failures do not count, 0 to 300. Default: 0.
    #[schemars(range(max = 300))]
    pub start_period: Option<Located<u32>>,
}

/// A cookie of the load balancer that keeps a client on one target.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stickiness {
    /// Whether the cookie is set.
    pub enabled: bool,
    /// Seconds that the cookie is good for, 1 to 604800. Default: 86400.
    #[schemars(range(min = 1, max = 604_800))]
    pub duration: Option<Located<u32>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Architecture {
    #[serde(rename = "x86_64")]
    X86_64,
    #[serde(rename = "arm64")]
    Arm64,
}

/// A further container of the task, in its network namespace.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sidecar {
    /// Name of the container, unique within the task. `app` is the tenant's own container.
    pub name: Located<String>,
    /// The container's image.
    pub image: Located<String>,
    /// Overrides the image's command.
    pub command: Option<Vec<String>>,
    /// Environment of this container.
    #[serde(default)]
    pub environment: BTreeMap<Located<String>, Located<String>>,
    /// Environment variables from Secrets Manager or Parameter Store: name to ARN.
    #[serde(default)]
    pub secrets: BTreeMap<Located<String>, Located<String>>,
    /// CPU units out of the task's. Default: unmanaged (AWS: 0, none reserved).
    pub cpu: Option<Located<u32>>,
    /// MiB out of the task's at which the container is killed. Default: none.
    #[schemars(range(min = 6))]
    pub memory: Option<Located<u32>>,
    /// Whether the task ends when this container does. Default: true.
    pub essential: Option<bool>,
    /// Port that it listens on.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<Located<u16>>,
    /// The health check that ECS runs inside the container. Default: none.
    pub health_check: Option<Located<ContainerHealthCheck>>,
}

/// One of the places where the tasks run, and its share.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapacityProvider {
    /// `FARGATE`, `FARGATE_SPOT`, or the name of a capacity provider of the account.
    pub name: Located<String>,
    /// Share of the tasks, 0 to 1000. Default: 1.
    #[schemars(range(max = 1000))]
    pub weight: Option<Located<u32>>,
    /// Tasks that run here before any share counts, 0 to 100000. Default: 0.
    #[schemars(range(max = 100_000))]
    pub base: Option<Located<u32>>,
}

/// ECS deployment settings. Omitted fields have AWS's defaults and are managed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// Percentage of the desired tasks that must stay healthy, 0 to 100. Default: 100.
    #[schemars(range(max = 100))]
    pub minimum_healthy_percent: Option<Located<u32>>,
    /// Percentage of the desired tasks that may run at once, 100 to 200. Default: 200.
    #[schemars(range(min = 100, max = 200))]
    pub maximum_percent: Option<Located<u32>>,
    /// Whether a failing roll-out goes back to the revision before. Default: true.
    pub rollback: Option<bool>,
}

/// A fleet outside ECS that is registered by address.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// Port that the fleet listens on.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Located<u16>,
    /// IPv4 addresses.
    #[schemars(length(min = 1))]
    pub addresses: Located<Vec<Located<String>>>,
    /// The load balancer's health check. Default: AWS's for HTTP, managed.
    pub health_check: Option<Located<HealthCheck>>,
    /// Seconds that a target drains before it is deregistered, 0 to 3600. Default: unmanaged (AWS: 300).
    #[schemars(range(max = 3600))]
    pub deregistration_delay: Option<Located<u32>>,
    /// Seconds over which a new target's share of requests grows, 30 to 900, or 0 for off. Default: unmanaged
    /// (AWS: off).
    #[schemars(range(max = 900))]
    pub slow_start: Option<Located<u32>>,
    /// Keeps a client on one target by a cookie of the load balancer. Default: unmanaged (AWS: off).
    pub stickiness: Option<Located<Stickiness>>,
}
