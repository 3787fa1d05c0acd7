//! One file per kind of AWS thing: its shape, how each field changes, and how it is read, made, changed and deleted.
//!
//! A new kind is a new file and a line in the list below.

pub mod cluster;
mod deletion;
pub mod elb_tags;
mod eventually;
mod filters;
pub mod foreign;
mod idempotency;
pub mod internet_gateway;
pub mod listener;
pub mod listener_rule;
pub mod load_balancer;
pub mod log_group;
pub mod model;
pub mod normal_form;
mod once;
pub mod prefix_lists;
pub mod role;
pub mod route_table;
pub mod security_group;
pub mod security_group_rules;
pub mod service;
pub mod subnet;
mod tagged_services;
pub mod tags;
pub mod target_group;
pub mod targets;
pub mod task_definition;
pub mod vpc;
pub mod vpc_endpoint;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{AwsError, Reader, Writer};
use model::{Changed, Condition, Field, Fields, Live, Place, Scope, TAG_APPLIED, Tags, Wanted};

macro_rules! kinds {
    ($($owner:ident $variant:ident $name:literal $resource:expr;)*) => {
        /// The kinds, in the order in which they are listed in a plan.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind {
            $(#[serde(rename = $name)] $variant,)*
        }

        impl Kind {
            pub const ALL: &'static [Kind] = &[$(Kind::$variant),*];

            /// As it is printed, and in JSON.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name),* }
            }

            pub fn resource(self) -> &'static dyn Resource {
                match self { $(Kind::$variant => &$resource),* }
            }

            /// Whether things of this kind are a tenant's rather than their tier's.
            pub fn is_tenants(self) -> bool {
                match self { $(Kind::$variant => kinds!(@ $owner)),* }
            }
        }
    };
    (@ tier) => { false };
    (@ tenant) => { true };
}

kinds! {
    tier Vpc "vpc" vpc::Vpcs;
    tier InternetGateway "internet_gateway" internet_gateway::InternetGateways;
    tier Subnet "subnet" subnet::Subnets;
    tier RouteTable "route_table" route_table::RouteTables;
    tier SecurityGroup "security_group" security_group::SecurityGroups;
    tier SecurityGroupRules "security_group_rules" security_group_rules::SecurityGroupRuleSets;
    tier VpcEndpoint "vpc_endpoint" vpc_endpoint::VpcEndpoints;
    tier Role "role" role::Roles;
    tier LogGroup "log_group" log_group::LogGroups;
    tier LoadBalancer "load_balancer" load_balancer::LoadBalancers;
    tier Listener "listener" listener::Listeners;
    tenant Cluster "cluster" cluster::Clusters;
    tenant TargetGroup "target_group" target_group::TargetGroups;
    tenant ListenerRule "listener_rule" listener_rule::ListenerRules;
    tenant Targets "targets" targets::TargetSets;
    tenant TaskDefinition "task_definition" task_definition::TaskDefinitions;
    tenant Service "service" service::Services;
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What one place is read for.
#[derive(Debug, Clone, Default)]
pub struct ReadScope {
    /// Tiers whose things are wanted, by tag.
    pub tiers: BTreeSet<String>,
    /// The infra groups wanted, where not all of a tier's.
    pub infra_groups: Option<BTreeSet<Scope>>,
    /// The tenants wanted, where not all; and then no more of the tier than a tenant needs to be made.
    pub tenants: Option<BTreeSet<Scope>>,
    /// VPCs of other teams that specs name.
    pub foreign_vpcs: BTreeSet<String>,
    /// Listeners of other teams that specs name, and the infra groups that they name them for.
    pub foreign_listeners: BTreeMap<String, BTreeSet<Scope>>,
    /// Names that specs will take, by kind, and what for: whoever holds them is read too.
    pub names: BTreeMap<Kind, BTreeMap<String, Scope>>,
    /// Fields that some spec sets and that cost a call for each thing: target group attributes.
    pub with_target_group_attributes: bool,
    /// Tenants that register addresses: the targets of these are read.
    pub address_tenants: BTreeSet<Scope>,
    /// Whether every tenant without a cluster counts as one of these: a command that has no specs of tenants.
    pub finds_address_tenants: bool,
    /// Requests that the tenants wanted are to get: a rule that matches some of them may be a tenant's own, wherever it
    /// leads by now.
    pub routes: Vec<(Scope, Vec<listener_rule::Condition>)>,
    /// Whether it has to be known of every rule whose it is, also in a narrow read.
    pub tells_all_rules: bool,
    /// Kinds that the command has no use for.
    pub without: BTreeSet<Kind>,
    pub depth: Depth,
}

impl ReadScope {
    /// Whether only what a tenant needs is read: no attributes of the tier's own things.
    pub fn is_narrow(&self) -> bool {
        self.tenants.is_some()
    }

    pub fn wants_name(&self, kind: Kind, name: &str) -> bool {
        self.names.get(&kind).is_some_and(|names| names.contains_key(name))
    }

    /// The names of a kind that specs will take.
    pub fn names_of(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.names.get(&kind).into_iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    pub fn take_name(&mut self, kind: Kind, name: impl Into<String>, of: &Scope) {
        self.names.entry(kind).or_default().insert(name.into(), of.clone());
    }

    /// The same for no more than one infra group, or one tenant of it.
    pub fn narrowed_to(&self, of: &Scope) -> Self {
        let infra_group = of.without_tenant();
        let is_about = |scope: &Scope| *scope == infra_group || scope == of;
        let names = self.names.iter().map(|(kind, names)| {
            let names = names.iter().filter(|(_, scope)| is_about(scope));
            (*kind, names.map(|(name, scope)| (name.clone(), scope.clone())).collect())
        });
        let foreign = self.foreign_listeners.iter().filter(|(_, groups)| groups.contains(&infra_group));
        Self {
            tiers: [of.tier.clone()].into(),
            infra_groups: Some([infra_group.clone()].into()),
            // Of the tier's own things a narrow read leaves out fields; of a tenant's none.
            tenants: of.is_tenant().then(|| [of.clone()].into()).or_else(|| self.tenants.clone()),
            foreign_vpcs: self.foreign_vpcs.clone(),
            foreign_listeners: foreign.map(|(arn, groups)| (arn.clone(), groups.clone())).collect(),
            names: names.collect(),
            with_target_group_attributes: self.with_target_group_attributes,
            address_tenants: self.address_tenants.iter().filter(|scope| is_about(scope)).cloned().collect(),
            finds_address_tenants: self.finds_address_tenants,
            routes: self.routes.iter().filter(|(scope, _)| is_about(scope)).cloned().collect(),
            tells_all_rules: self.tells_all_rules,
            without: self.without.clone(),
            depth: self.depth,
        }
    }

    /// Whether something of this scope is worth a line: what no spec names is listed where all is read.
    pub fn shows(&self, scope: &Scope) -> bool {
        !self.is_narrow() || self.wants(scope)
    }

    /// Whether a thing's tags say that it is one of those wanted.
    pub fn wants(&self, scope: &Scope) -> bool {
        let group_is_wanted = || self.infra_groups.as_ref().is_none_or(|groups| groups.contains(&scope.without_tenant()));
        match &self.tenants {
            Some(tenants) if scope.is_tenant() => tenants.contains(scope),
            _ => self.tiers.contains(&scope.tier) && group_is_wanted(),
        }
    }
}

/// How much of what a tenant runs is taken on trust.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// Services and task definitions, where the tags of the service say that they are as the specs have them.
    Quick,
    /// Task definitions, where the tags of their service say so.
    #[default]
    Standard,
    /// Nothing.
    Deep,
}

/// A place as it is being read: a kind can see what earlier stages found.
pub struct Reading<'a> {
    pub aws: &'a Reader,
    pub place: &'a Place,
    pub scope: &'a ReadScope,
    pub found: &'a [Live],
}

impl Reading<'_> {
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Live> {
        self.found.iter().filter(move |live| live.kind == kind)
    }

    /// Load balancers whose listeners are worth a look: ours. The tags of a narrow read come last, and until then those
    /// whose name is asked for stand for ours.
    pub fn load_balancers(&self) -> impl Iterator<Item = &Live> {
        let is_ours = |live: &Live| live.owner().is_some_and(|key| self.scope.wants(&key.scope));
        self.of_kind(Kind::LoadBalancer).filter(move |live| self.scope.is_narrow() || is_ours(live))
    }

    /// Those of a kind that are ours, of the tiers that are read.
    pub fn ours(&self, kind: Kind) -> impl Iterator<Item = &Live> {
        self.of_kind(kind).filter(|live| live.owner().is_some_and(|key| self.scope.wants(&key.scope)))
    }
}

/// When a kind is read: each stage sees what those before it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Needs nothing.
    First,
    /// Needs clusters, and nothing waits for it.
    Beside,
    /// Needs VPCs or load balancers.
    Second,
    /// Needs listeners and target groups.
    Third,
    /// Needs the tags of rules and target groups.
    Last,
}

/// Actions, as IAM names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writes {
    pub create: &'static [&'static str],
    pub update: &'static [&'static str],
    pub delete: &'static [&'static str],
}

/// A kind of AWS thing.
#[async_trait]
pub trait Resource: Send + Sync {
    /// Every field there is, each stated once.
    fn fields(&self) -> &'static [Field];

    fn stage(&self) -> Stage {
        Stage::First
    }

    /// Kinds without which things of this kind are not found.
    fn found_through(&self) -> &'static [Kind] {
        &[]
    }

    /// Whether things of this kind carry tags of their own; if not, their tags are their parent's.
    fn is_tagged(&self) -> bool {
        true
    }

    /// The tag for the record of what was last applied: of a part, one of its whole. None where there is nothing to record.
    fn record_tag(&self, _fields: &Fields) -> Option<String> {
        Some(TAG_APPLIED.into())
    }

    /// The requests that it takes at least to make, change and delete one: by them a plan says how long it will take.
    fn writes(&self) -> Writes;

    /// Fields that `create` sets by requests of their own, after the one that makes the thing.
    fn set_after_creation(&self) -> &'static [&'static str] {
        &[]
    }

    /// Fields that only `complete` sets, where AWS takes them of a ready thing alone.
    fn set_when_ready(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether a field of this live thing is not ours, though the spec sets it.
    fn ignores(&self, _field: &str, _live: &Live) -> bool {
        false
    }

    /// Tags that follow from the fields once they are resolved.
    fn derived_tags(&self, _fields: &Fields) -> Tags {
        Tags::new()
    }

    /// All that the scope asks for, in as few calls as the API allows, ours and those who hold our names.
    async fn read(&self, reading: &Reading<'_>) -> Result<Vec<Live>, AwsError>;

    /// Ids of what is found and ours of which some fields take a request each, and no other kind waits for these.
    fn in_detail(&self, _reading: &Reading<'_>) -> Vec<String> {
        Vec::new()
    }

    /// Those fields of one of them.
    async fn details(&self, _aws: &Reader, _id: &str) -> Result<Fields, AwsError> {
        Ok(Fields::new())
    }

    /// Makes it, tagged, and returns its id or ARN.
    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError>;

    /// Changes what differs and returns its id or ARN, which only a new revision changes.
    async fn update(&self, aws: &Writer, live: &Live, wanted: &Wanted, changed: &Changed) -> Result<String, AwsError>;

    /// Deletes it. One that is gone already is no error.
    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError>;

    /// Whether what was made or changed does its work yet.
    async fn condition(&self, _aws: &Reader, _id: &str, _wanted: &Wanted) -> Result<Condition, AwsError> {
        Ok(Condition::Ready)
    }

    /// Does what AWS allows only of a thing that is ready, after `condition` said so. Whether it changed anything:
    /// then the condition is asked for again.
    async fn complete(&self, _aws: &Writer, _id: &str, _wanted: &Wanted) -> Result<bool, AwsError> {
        Ok(false)
    }

    /// Whether what needs this thing has to wait until it is ready, rather than just until it is made.
    fn is_needed_ready(&self) -> bool {
        true
    }

    /// Whether what was deleted is gone: ready when it is, pending while it leaves.
    async fn departure(&self, _aws: &Reader, _live: &Live) -> Result<Condition, AwsError> {
        Ok(Condition::Ready)
    }
}
