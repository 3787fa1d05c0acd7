//! The fewest requests that tell what exists: counted from how many things there are and how many AWS gives in one answer,
//! not from what was asked. `-v` shows it beside the requests that were made.

use std::collections::BTreeMap;

use super::Request;
use crate::resources::model::{Live, Place};
use crate::resources::{Depth, Kind};

/// How many things AWS gives, or takes, in one request.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html> and the page of each other action.
const EC2_PAGE: u64 = 1000;
const ROUTE_TABLES: u64 = 100;
const ELB_PAGE: u64 = 400;
const ELB_TAGS: u64 = 20;
const CLUSTERS: u64 = 100;
const FAMILIES: u64 = 100;
const SCALABLE_TARGETS: u64 = 50;
const ROLES: u64 = 1000;
const LOG_GROUPS: u64 = 50;
const TAGGED: u64 = 100;

/// Requests that read everything of these places take at the least, by `service:Action`; nothing where a read was not of
/// everything.
pub fn floor(requests: &[Request], live: &[Live]) -> Option<BTreeMap<String, u64>> {
    if requests.is_empty() || requests.iter().any(|request| request.scope.is_narrow()) {
        return None;
    }
    let mut counts: BTreeMap<(&Place, Kind), u64> = BTreeMap::new();
    for item in live {
        *counts.entry((&item.place, item.kind)).or_default() += 1;
    }
    let mut floor: BTreeMap<String, u64> = BTreeMap::new();
    for request in requests {
        let is_read = |kind: Kind| !request.scope.without.contains(&kind);
        let number = |kind: Kind| counts.get(&(request.reader.place(), kind)).copied().unwrap_or_default();
        // That there is nothing takes an answer too; to name nothing takes no request.
        let pages = |kind: Kind, most: u64| number(kind).div_ceil(most).max(1);
        let batches = |things: u64, most: u64| things.div_ceil(most);
        let mut add = |action: &str, kind: Kind, calls: u64| {
            if calls > 0 && is_read(kind) {
                *floor.entry(action.to_string()).or_default() += calls;
            }
        };
        add("sts:GetCallerIdentity", Kind::Vpc, 1);
        add("ec2:DescribeVpcs", Kind::Vpc, pages(Kind::Vpc, EC2_PAGE));
        add("ec2:DescribeVpcAttribute", Kind::Vpc, 2 * number(Kind::Vpc));
        add("ec2:DescribeSubnets", Kind::Subnet, pages(Kind::Subnet, EC2_PAGE));
        add("ec2:DescribeRouteTables", Kind::RouteTable, pages(Kind::RouteTable, ROUTE_TABLES));
        add("ec2:DescribeInternetGateways", Kind::InternetGateway, pages(Kind::InternetGateway, EC2_PAGE));
        // With the rules of each.
        add("ec2:DescribeSecurityGroups", Kind::SecurityGroup, pages(Kind::SecurityGroup, EC2_PAGE));
        add("ec2:DescribeVpcEndpoints", Kind::VpcEndpoint, pages(Kind::VpcEndpoint, EC2_PAGE));
        let is_gateway = |item: &&Live| item.place == *request.reader.place() && item.text("endpoint_type") == Some("Gateway");
        // The addresses of their services.
        add("ec2:DescribeManagedPrefixLists", Kind::VpcEndpoint, u64::from(live.iter().any(|item| is_gateway(&item))));
        add("iam:GetAccountAuthorizationDetails", Kind::Role, pages(Kind::Role, ROLES));
        add("logs:DescribeLogGroups", Kind::LogGroup, pages(Kind::LogGroup, LOG_GROUPS));
        add("logs:ListTagsForResource", Kind::LogGroup, number(Kind::LogGroup));
        let load_balancers = number(Kind::LoadBalancer);
        add("elasticloadbalancing:DescribeLoadBalancers", Kind::LoadBalancer, pages(Kind::LoadBalancer, ELB_PAGE));
        add("elasticloadbalancing:DescribeLoadBalancerAttributes", Kind::LoadBalancer, load_balancers);
        add("elasticloadbalancing:DescribeListeners", Kind::Listener, load_balancers);
        add("elasticloadbalancing:DescribeRules", Kind::ListenerRule, number(Kind::Listener));
        add("elasticloadbalancing:DescribeTargetGroups", Kind::TargetGroup, pages(Kind::TargetGroup, ELB_PAGE));
        let tagged = [Kind::LoadBalancer, Kind::Listener, Kind::TargetGroup, Kind::ListenerRule].map(number).iter().sum();
        add("elasticloadbalancing:DescribeTags", Kind::LoadBalancer, batches(tagged, ELB_TAGS));
        add("ecs:ListClusters", Kind::Cluster, pages(Kind::Cluster, CLUSTERS));
        add("ecs:DescribeClusters", Kind::Cluster, batches(number(Kind::Cluster), CLUSTERS));
        let is_told = |item: &&Live| item.place == *request.reader.place() && item.kind == Kind::Service && item.is_summary();
        let told = live.iter().filter(is_told).count() as u64;
        if request.scope.depth == Depth::Quick {
            add("tag:GetResources", Kind::Service, batches(number(Kind::Service), TAGGED).max(1));
        }
        // One cluster a request, and each tenant has one of its own.
        add("ecs:DescribeServices", Kind::Service, number(Kind::Cluster).saturating_sub(told));
        add("ecs:ListTaskDefinitionFamilies", Kind::Service, batches(number(Kind::TaskDefinition), FAMILIES));
        if request.scope.depth == Depth::Deep {
            add("ecs:DescribeTaskDefinition", Kind::Service, number(Kind::TaskDefinition));
        }
        add(
            "application-autoscaling:DescribeScalableTargets",
            Kind::Service,
            batches(number(Kind::Service).saturating_sub(told), SCALABLE_TARGETS),
        );
    }
    Some(floor)
}
