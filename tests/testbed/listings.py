"""What EC2 lists: filters as documented, those it does not know refused, and ids that do not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .errors import AwsError
from .hooks import Call
from .rules import Layer, Plain, Proceed, always


@dataclass(frozen=True)
class Listing:
    """A Describe action: where its things are in the answer, and the filters it knows.

    A filter's value is the path of what it looks at; a path runs through lists.
    """

    action: str
    key: str
    id: str
    ids: str
    missing: str
    message: str
    filters: dict[str, str]
    tags: bool = True
    smallest: int = 5
    largest: int = 1000


def _same(**paths: str) -> dict[str, str]:
    return {name.replace("_", "-"): path for name, path in paths.items()}


#: Filters by the API reference of each action.
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html and its siblings
LISTINGS: dict[str, Listing] = {
    listing.action: listing
    for listing in (
        Listing(
            "DescribeVpcs", "Vpcs", "VpcId", "VpcIds",
            "InvalidVpcID.NotFound", "The vpc ID '{}' does not exist",
            _same(cidr="CidrBlock", cidr_block="CidrBlock", dhcp_options_id="DhcpOptionsId", is_default="IsDefault",
                  owner_id="OwnerId", state="State", vpc_id="VpcId")
            | {"isDefault": "IsDefault", "cidrBlock": "CidrBlock",
               "cidr-block-association.cidr-block": "CidrBlockAssociationSet.CidrBlock",
               "cidr-block-association.association-id": "CidrBlockAssociationSet.AssociationId",
               "cidr-block-association.state": "CidrBlockAssociationSet.CidrBlockState.State",
               "ipv6-cidr-block-association.ipv6-cidr-block": "Ipv6CidrBlockAssociationSet.Ipv6CidrBlock",
               "ipv6-cidr-block-association.association-id": "Ipv6CidrBlockAssociationSet.AssociationId",
               "ipv6-cidr-block-association.state": "Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State"},
        ),
        Listing(
            "DescribeSubnets", "Subnets", "SubnetId", "SubnetIds",
            "InvalidSubnetID.NotFound", "The subnet ID '{}' does not exist",
            _same(availability_zone="AvailabilityZone", availability_zone_id="AvailabilityZoneId",
                  available_ip_address_count="AvailableIpAddressCount", cidr_block="CidrBlock", cidr="CidrBlock",
                  default_for_az="DefaultForAz", map_public_ip_on_launch="MapPublicIpOnLaunch", owner_id="OwnerId",
                  state="State", subnet_arn="SubnetArn", subnet_id="SubnetId", vpc_id="VpcId",
                  ipv6_native="Ipv6Native", enable_dns64="EnableDns64",
                  assign_ipv6_address_on_creation="AssignIpv6AddressOnCreation")
            | {"availabilityZone": "AvailabilityZone", "availabilityZoneId": "AvailabilityZoneId",
               "cidrBlock": "CidrBlock", "defaultForAz": "DefaultForAz"},
        ),
        Listing(
            "DescribeRouteTables", "RouteTables", "RouteTableId", "RouteTableIds",
            "InvalidRouteTableID.NotFound", "The routeTable ID '{}' does not exist",
            _same(owner_id="OwnerId", route_table_id="RouteTableId", vpc_id="VpcId")
            | {"association.gateway-id": "Associations.GatewayId",
               "association.route-table-association-id": "Associations.RouteTableAssociationId",
               "association.route-table-id": "Associations.RouteTableId",
               "association.subnet-id": "Associations.SubnetId", "association.main": "Associations.Main",
               "route.destination-cidr-block": "Routes.DestinationCidrBlock",
               "route.destination-ipv6-cidr-block": "Routes.DestinationIpv6CidrBlock",
               "route.destination-prefix-list-id": "Routes.DestinationPrefixListId",
               "route.egress-only-internet-gateway-id": "Routes.EgressOnlyInternetGatewayId",
               "route.gateway-id": "Routes.GatewayId", "route.instance-id": "Routes.InstanceId",
               "route.nat-gateway-id": "Routes.NatGatewayId", "route.origin": "Routes.Origin",
               "route.state": "Routes.State", "route.transit-gateway-id": "Routes.TransitGatewayId",
               "route.vpc-peering-connection-id": "Routes.VpcPeeringConnectionId"},
            largest=100,
        ),
        Listing(
            "DescribeInternetGateways", "InternetGateways", "InternetGatewayId", "InternetGatewayIds",
            "InvalidInternetGatewayID.NotFound", "The internetGateway ID '{}' does not exist",
            _same(internet_gateway_id="InternetGatewayId", owner_id="OwnerId")
            | {"attachment.state": "Attachments.State", "attachment.vpc-id": "Attachments.VpcId"},
        ),
        Listing(
            "DescribeNatGateways", "NatGateways", "NatGatewayId", "NatGatewayIds",
            "NatGatewayNotFound", "The Nat Gateway {} was not found",
            _same(nat_gateway_id="NatGatewayId", state="State", subnet_id="SubnetId", vpc_id="VpcId"),
        ),
        Listing(
            "DescribeSecurityGroups", "SecurityGroups", "GroupId", "GroupIds",
            "InvalidGroup.NotFound", "The security group '{}' does not exist",
            _same(description="Description", group_id="GroupId", group_name="GroupName", owner_id="OwnerId",
                  vpc_id="VpcId")
            | {f"{prefix}ip-permission.{name}": f"{key}.{path}"
               for prefix, key in (("", "IpPermissions"), ("egress.", "IpPermissionsEgress"))
               for name, path in (("cidr", "IpRanges.CidrIp"), ("from-port", "FromPort"), ("to-port", "ToPort"),
                                  ("group-id", "UserIdGroupPairs.GroupId"),
                                  ("group-name", "UserIdGroupPairs.GroupName"),
                                  ("ipv6-cidr", "Ipv6Ranges.CidrIpv6"),
                                  ("prefix-list-id", "PrefixListIds.PrefixListId"),
                                  ("protocol", "IpProtocol"), ("user-id", "UserIdGroupPairs.UserId"))},
        ),
        Listing(
            "DescribeSecurityGroupRules", "SecurityGroupRules", "SecurityGroupRuleId", "SecurityGroupRuleIds",
            "InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '{}' does not exist",
            _same(group_id="GroupId", security_group_rule_id="SecurityGroupRuleId"),
        ),
        Listing(
            "DescribeNetworkInterfaces", "NetworkInterfaces", "NetworkInterfaceId", "NetworkInterfaceIds",
            "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '{}' does not exist",
            _same(availability_zone="AvailabilityZone", description="Description", group_id="Groups.GroupId",
                  group_name="Groups.GroupName", interface_type="InterfaceType", mac_address="MacAddress",
                  network_interface_id="NetworkInterfaceId", owner_id="OwnerId", private_dns_name="PrivateDnsName",
                  private_ip_address="PrivateIpAddress", requester_id="RequesterId",
                  requester_managed="RequesterManaged", source_dest_check="SourceDestCheck", status="Status",
                  subnet_id="SubnetId", vpc_id="VpcId")
            | {"addresses.private-ip-address": "PrivateIpAddresses.PrivateIpAddress",
               "addresses.primary": "PrivateIpAddresses.Primary",
               "association.public-ip": "Association.PublicIp", "association.ip-owner-id": "Association.IpOwnerId",
               "attachment.attachment-id": "Attachment.AttachmentId",
               "attachment.instance-id": "Attachment.InstanceId",
               "attachment.instance-owner-id": "Attachment.InstanceOwnerId", "attachment.status": "Attachment.Status"},
        ),
        Listing(
            "DescribeVpcEndpoints", "VpcEndpoints", "VpcEndpointId", "VpcEndpointIds",
            "InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id '{}' does not exist",
            _same(ip_address_type="IpAddressType", service_name="ServiceName", service_region="ServiceRegion",
                  vpc_id="VpcId", vpc_endpoint_id="VpcEndpointId", vpc_endpoint_state="State",
                  vpc_endpoint_type="VpcEndpointType"),
            smallest=1,
        ),
        Listing(
            "DescribeManagedPrefixLists", "PrefixLists", "PrefixListId", "PrefixListIds",
            "InvalidPrefixListID.NotFound", "The prefix list ID '{}' does not exist",
            _same(owner_id="OwnerId", prefix_list_id="PrefixListId", prefix_list_name="PrefixListName"),
            tags=False, smallest=1, largest=100,
        ),
        Listing(
            "DescribePrefixLists", "PrefixLists", "PrefixListId", "PrefixListIds",
            "InvalidPrefixListId.NotFound", "The prefix list ID '{}' does not exist",
            _same(prefix_list_id="PrefixListId", prefix_list_name="PrefixListName"),
            tags=False, smallest=1,
        ),
        Listing(
            "DescribeVpcEndpointConnections", "VpcEndpointConnections", "VpcEndpointId", "",
            "", "",
            _same(ip_address_type="IpAddressType", service_id="ServiceId", vpc_endpoint_owner="VpcEndpointOwner",
                  vpc_endpoint_state="VpcEndpointState", vpc_endpoint_id="VpcEndpointId"),
            tags=False, smallest=1,
        ),
        Listing(
            "DescribeVpcEndpointServiceConfigurations", "ServiceConfigurations", "ServiceId", "ServiceIds",
            "InvalidVpcEndpointServiceId.NotFound", "The VpcEndpointService Id '{}' does not exist",
            _same(service_name="ServiceName", service_id="ServiceId", service_state="ServiceState"),
            smallest=1,
        ),
        Listing(
            "DescribeTags", "Tags", "", "",
            "", "",
            _same(key="Key", resource_id="ResourceId", resource_type="ResourceType", value="Value"),
            tags=False,
        ),
    )
}


def values(item: Any, path: str) -> Iterator[str]:
    """What stands at a path, as filters see it: text, with lists run through."""
    if not path:
        if isinstance(item, list):
            for element in item:
                yield from values(element, "")
        elif isinstance(item, bool):
            yield "true" if item else "false"
        elif item is not None:
            yield str(item)
        return
    if isinstance(item, list):
        for element in item:
            yield from values(element, path)
    elif isinstance(item, dict):
        name, _, rest = path.partition(".")
        if name in item:
            yield from values(item[name], rest)


@lru_cache(4096)
def pattern(text: str) -> re.Pattern[str]:
    """A filter value: `*` and `?` are wildcards, a backslash takes their meaning away."""
    parts = re.findall(r"\\.|[*?]|[^*?\\]+|\\", text, re.DOTALL)
    wild = {"*": ".*", "?": "."}
    plain = (wild.get(part) or re.escape(part.removeprefix("\\") or part) for part in parts)
    return re.compile("".join(plain), re.DOTALL)


def _looked_at(listing: Listing, item: Plain, name: str) -> list[str]:
    if name.startswith("tag:"):
        return [tag["Value"] for tag in item.get("Tags", []) if tag["Key"] == name[4:]]
    if name == "tag-key":
        return [tag["Key"] for tag in item.get("Tags", [])]
    return list(values(item, listing.filters[name]))


def passes(listing: Listing, item: Plain, filters: list[dict[str, Any]]) -> bool:
    """Whether a thing passes every filter: one value of each is enough."""
    return all(
        any(pattern(wanted).fullmatch(found) for wanted in one.get("Values", []) for found in _looked_at(
            listing, item, one["Name"]))
        for one in filters
    )


def knows(listing: Listing, name: str) -> bool:
    return name in listing.filters or (listing.tags and (name.startswith("tag:") or name == "tag-key"))


@always("ec2", *LISTINGS, layer=Layer.LIST)
def narrow(call: Call, proceed: Proceed) -> Plain:
    """Carries out ids and filters on what moto lists, and refuses a filter that the action does not know.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
    """
    listing = LISTINGS[call.action]
    filters = call.parameters.pop("Filters", None) or call.parameters.pop("Filter", None) or []
    for one in filters:
        if not knows(listing, one.get("Name", "null")):
            raise AwsError("InvalidParameterValue", f"The filter '{one.get('Name', 'null')}' is invalid")
    ids = call.parameters.pop(listing.ids, None) if listing.ids else None
    result = proceed()
    items = result[listing.key]
    if ids:
        by_id = {item[listing.id]: item for item in items}
        for one_id in ids:
            if one_id not in by_id:
                raise AwsError(listing.missing, listing.message.format(one_id))
        items = [by_id[one_id] for one_id in dict.fromkeys(ids)]
    result[listing.key] = [item for item in items if passes(listing, item, filters)]
    return result
