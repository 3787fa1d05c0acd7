//! A route table of an infra group: its routes and the subnets that use it, both closed sets.

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    ResourceType, Route as Ec2Route, RouteOrigin, RouteTable as Ec2RouteTable, RouteTableAssociation, RouteTableAssociationStateCode,
};
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Id, Live, Place, Wanted};
use super::{Kind, Reading, Resource, Writes, deletion, eventually, filters, idempotency, once, tags};
use crate::aws::{AwsError, Class, Doing, Reader, Writer};

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRouteTables.html>
const PAGE: i32 = 100;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteTable {
    pub vpc_id: Id,
    /// Without the local route and those of gateway endpoints, which belong to the endpoint.
    pub routes: Vec<Route>,
    /// Subnets that are associated with it.
    pub subnet_ids: Vec<Id>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// IPv4 block (or, on a live one, IPv6 block or prefix list).
    pub destination: String,
    /// Gateway or other target.
    pub target: Id,
}

pub struct RouteTables;

#[async_trait]
impl Resource for RouteTables {
    fn writes(&self) -> Writes {
        Writes { create: &["ec2:CreateRouteTable"], update: &[], delete: &["ec2:DeleteRouteTable"] }
    }

    fn fields(&self) -> &'static [Field] {
        const { &[Field::replace("vpc_id"), Field::update("routes").set(), Field::update("subnet_ids").set()] }
    }

    async fn read(&self, reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        let found = reading
            .aws
            .ec2()
            .describe_route_tables()
            .set_filters(Some(filters::by_owner(reading.scope)))
            .max_results(PAGE)
            .into_paginator()
            .items()
            .send()
            .try_collect()
            .await
            .doing("ec2:DescribeRouteTables", reading.place)?;
        let found = found.iter().map(|table| live(reading.place, table));
        Ok(found.filter(|live| filters::is_wanted(reading.scope, live)).collect())
    }

    fn set_after_creation(&self) -> &'static [&'static str] {
        &["routes", "subnet_ids"]
    }

    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        let shape: RouteTable = wanted.shape()?;
        let vpc_id = shape.vpc_id.known()?;
        let look = || async {
            let filters = [once::same_identity(wanted), vec![filters::filter("vpc-id", [vpc_id])]].concat();
            let request = aws.ec2().describe_route_tables().set_filters(Some(filters));
            let found = request.send().await.doing("ec2:DescribeRouteTables", &wanted.key)?;
            Ok(found.route_tables().iter().filter_map(|table| table.route_table_id()).map(String::from).collect())
        };
        let send = || async {
            let request = aws.ec2().create_route_table().vpc_id(vpc_id).client_token(idempotency::token(wanted));
            let request = request.tag_specifications(tags::to_ec2_specification(ResourceType::RouteTable, &wanted.tags));
            let made = request.send().await.doing("ec2:CreateRouteTable", &wanted.key)?;
            Ok(made.route_table().and_then(|table| table.route_table_id()).unwrap_or_default().to_string())
        };
        let id = once::make(wanted, look, send).await?;
        for route in &shape.routes {
            eventually::known(|| put_route(aws, &id, route)).await?;
        }
        for subnet in &shape.subnet_ids {
            let subnet = subnet.known()?;
            eventually::known(|| associate(aws, &id, subnet)).await?;
        }
        Ok(id)
    }

    async fn update(&self, aws: &Writer, live: &Live, wanted: &Wanted, changed: &Changed) -> Result<String, AwsError> {
        let (before, after): (RouteTable, RouteTable) = (live.shape()?, wanted.shape()?);
        if changed.has("subnet_ids") {
            for subnet in after.subnet_ids.iter().filter(|subnet| !before.subnet_ids.contains(subnet)) {
                associate(aws, &live.id, subnet.known()?).await?;
            }
        }
        if changed.has("routes") {
            for route in after.routes.iter().filter(|route| !before.routes.contains(route)) {
                put_route(aws, &live.id, route).await?;
            }
            let kept = |route: &&Route| after.routes.iter().any(|other| other.destination == route.destination);
            for route in before.routes.iter().filter(|route| !kept(route)) {
                remove_route(aws, &live.id, &route.destination).await?;
            }
        }
        if changed.has("subnet_ids") {
            let surplus: Vec<&Id> = before.subnet_ids.iter().filter(|subnet| !after.subnet_ids.contains(subnet)).collect();
            disassociate(aws, &live.id, |subnet| surplus.contains(&&Id::Known(subnet.into()))).await?;
        }
        Ok(live.id.clone())
    }

    /// A table that a subnet uses cannot be deleted; without it the subnet uses the VPC's main table.
    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        disassociate(aws, &live.id, |_| true).await?;
        let request = aws.ec2().delete_route_table().route_table_id(&live.id);
        deletion::gone_is_fine(request.send().await.doing("ec2:DeleteRouteTable", &live.id))
    }
}

fn live(place: &Place, table: &Ec2RouteTable) -> Live {
    let shape = RouteTable {
        vpc_id: Id::Known(table.vpc_id().unwrap_or_default().into()),
        routes: table.routes().iter().filter_map(route).collect(),
        subnet_ids: associations(table).map(|(_, subnet)| Id::Known(subnet.into())).collect(),
    };
    Live::new(Kind::RouteTable, place, table.route_table_id().unwrap_or_default(), tags::from_ec2(table.tags()), &shape)
}

/// A route that somebody set: not the local one, and not those that come and go with a gateway endpoint, a virtual
/// private gateway or a route server, which DeleteRoute cannot remove.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html>
fn route(route: &Ec2Route) -> Option<Route> {
    if matches!(route.origin(), Some(RouteOrigin::EnableVgwRoutePropagation | RouteOrigin::Advertisement)) {
        return None;
    }
    let destination = route.destination_cidr_block().or(route.destination_ipv6_cidr_block()).or(route.destination_prefix_list_id())?;
    // A NAT instance comes with its interface, which is what the route leads to.
    let target = route
        .gateway_id()
        .or(route.nat_gateway_id())
        .or(route.network_interface_id())
        .or(route.transit_gateway_id())
        .or(route.vpc_peering_connection_id())
        .or(route.egress_only_internet_gateway_id())
        .or(route.local_gateway_id())
        .or(route.carrier_gateway_id())
        .or(route.core_network_arn())
        .unwrap_or_default();
    let is_gateway_endpoint = target.starts_with("vpce-") && destination.starts_with("pl-");
    (target != "local" && !is_gateway_endpoint).then(|| Route { destination: destination.into(), target: Id::Known(target.into()) })
}

/// The subnets that use the table, each with the id of its association.
fn associations(table: &Ec2RouteTable) -> impl Iterator<Item = (&str, &str)> {
    let stands = |association: &&RouteTableAssociation| {
        let state = association.association_state().and_then(|state| state.state());
        !matches!(state, Some(RouteTableAssociationStateCode::Disassociating | RouteTableAssociationStateCode::Disassociated))
    };
    table
        .associations()
        .iter()
        .filter(stands)
        .filter_map(|association| Some((association.route_table_association_id()?, association.subnet_id()?)))
}

/// Makes a route, or leads an existing one of that destination to the target.
async fn put_route(aws: &Writer, table: &str, route: &Route) -> Result<(), AwsError> {
    let target = route.target.known()?;
    let request = aws.ec2().create_route().route_table_id(table).destination_cidr_block(&route.destination).gateway_id(target);
    match request.send().await.doing("ec2:CreateRoute", table) {
        Err(error) if error.class == Class::Exists => {
            let request = aws.ec2().replace_route().route_table_id(table).destination_cidr_block(&route.destination).gateway_id(target);
            request.send().await.doing("ec2:ReplaceRoute", table).map(|_| ())
        }
        result => result.map(|_| ()),
    }
}

async fn remove_route(aws: &Writer, table: &str, destination: &str) -> Result<(), AwsError> {
    let request = aws.ec2().delete_route().route_table_id(table);
    let request = match destination {
        list if list.starts_with("pl-") => request.destination_prefix_list_id(list),
        block if block.contains(':') => request.destination_ipv6_cidr_block(block),
        block => request.destination_cidr_block(block),
    };
    deletion::gone_is_fine(request.send().await.doing("ec2:DeleteRoute", table))
}

/// Has a subnet of ours use the table, in place of any other that it uses.
async fn associate(aws: &Writer, table: &str, subnet: &str) -> Result<(), AwsError> {
    let request = aws.ec2().associate_route_table().route_table_id(table).subnet_id(subnet);
    let refusal = match request.send().await.doing("ec2:AssociateRouteTable", table) {
        Err(error) if error.class == Class::Exists => error,
        result => return result.map(|_| ()),
    };
    let users = tables(aws, "association.subnet-id", subnet).await?;
    let used = users.iter().find_map(|user| {
        let association = associations(user).find(|(_, other)| *other == subnet)?.0;
        Some((user.route_table_id()?, association))
    });
    match used {
        Some((user, _)) if user == table => Ok(()),
        Some((_, association)) => {
            let request = aws.ec2().replace_route_table_association().association_id(association).route_table_id(table);
            request.send().await.doing("ec2:ReplaceRouteTableAssociation", table).map(|_| ())
        }
        None => Err(refusal),
    }
}

async fn disassociate(aws: &Writer, table: &str, is_surplus: impl Fn(&str) -> bool) -> Result<(), AwsError> {
    for found in &tables(aws, "route-table-id", table).await? {
        for (association, _) in associations(found).filter(|(_, subnet)| is_surplus(subnet)) {
            let request = aws.ec2().disassociate_route_table().association_id(association);
            deletion::gone_is_fine(request.send().await.doing("ec2:DisassociateRouteTable", table))?;
        }
    }
    Ok(())
}

async fn tables(aws: &Reader, filter_name: &str, id: &str) -> Result<Vec<Ec2RouteTable>, AwsError> {
    let request = aws.ec2().describe_route_tables().filters(filters::filter(filter_name, [id])).max_results(PAGE);
    request.into_paginator().items().send().try_collect().await.doing("ec2:DescribeRouteTables", id)
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may panic")]
mod tests {
    use aws_sdk_ec2::types::RouteTableAssociationState;

    use super::*;

    fn associated(id: &str, subnet: Option<&str>, state: RouteTableAssociationStateCode) -> RouteTableAssociation {
        RouteTableAssociation::builder()
            .route_table_association_id(id)
            .set_subnet_id(subnet.map(String::from))
            .main(subnet.is_none())
            .association_state(RouteTableAssociationState::builder().state(state).build())
            .build()
    }

    #[test]
    fn only_routes_that_somebody_set_count() {
        let to = |gateway: &str, origin| Ec2Route::builder().gateway_id(gateway).origin(origin);
        let table = Ec2RouteTable::builder()
            .route_table_id("rtb-1")
            .vpc_id("vpc-1")
            .routes(to("local", RouteOrigin::CreateRouteTable).destination_cidr_block("10.0.0.0/16").build())
            .routes(to("vpce-1", RouteOrigin::CreateRoute).destination_prefix_list_id("pl-1").build())
            .routes(to("vgw-1", RouteOrigin::EnableVgwRoutePropagation).destination_cidr_block("172.16.0.0/12").build())
            .routes(to("igw-1", RouteOrigin::CreateRoute).destination_cidr_block("0.0.0.0/0").build())
            .routes(Ec2Route::builder().nat_gateway_id("nat-1").destination_ipv6_cidr_block("64:ff9b::/96").build())
            .build();
        let live = live(&Place { account: "123456789012".into(), region: "us-east-1".into() }, &table);
        let routes = live.shape::<RouteTable>().expect("its shape").routes;
        let expected = [("0.0.0.0/0", "igw-1"), ("64:ff9b::/96", "nat-1")];
        let expected = expected.map(|(destination, target)| Route { destination: destination.into(), target: Id::Known(target.into()) });
        assert_eq!(routes, expected);
    }

    #[test]
    fn the_main_association_and_those_being_undone_are_not_ours() {
        use RouteTableAssociationStateCode::{Associated, Disassociating};
        let table = Ec2RouteTable::builder()
            .associations(associated("rtbassoc-1", None, Associated))
            .associations(associated("rtbassoc-2", Some("subnet-2"), Associated))
            .associations(associated("rtbassoc-3", Some("subnet-3"), Disassociating))
            .build();
        assert_eq!(associations(&table).collect::<Vec<_>>(), [("rtbassoc-2", "subnet-2")]);
    }
}
