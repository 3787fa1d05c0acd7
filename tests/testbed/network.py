"""Networks: interfaces with addresses of their subnet, and what moto leaves out of VPCs, subnets and route tables."""

from __future__ import annotations

import ipaddress
from typing import Any

from .errors import AwsError
from .hooks import Call
from .rules import Layer, Plain, Proceed, always, rule


def free_address(ec2: Any, subnet: Any) -> str:
    """The first address of the subnet that nobody has.

    The first four and the last belong to AWS.
    https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
    """
    taken = {interface.private_ip_address for interface in ec2.enis.values() if interface.subnet.id == subnet.id}
    network = ipaddress.ip_network(subnet.cidr_block)
    for offset in range(4, network.num_addresses - 1):
        address = str(network[offset])
        if address not in taken:
            return address
    raise AwsError("InsufficientFreeAddressesInSubnet", f"There are not enough free addresses in subnet '{subnet.id}'")


def new_interface(
    ec2: Any, subnet_id: str, groups: list[str], description: str, kind: str = "interface", requester: str = ""
) -> Any:
    """An interface that AWS makes on behalf of a service.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html
    """
    subnet = ec2.get_subnet(subnet_id)
    address = free_address(ec2, subnet)
    interface = ec2.create_network_interface(subnet, address, group_ids=groups, description=description)
    interface.interface_type = kind
    interface.status = "in-use"
    interface.requester_managed = True
    interface.requester_id = requester or "amazon-aws"
    if not hasattr(interface, "private_dns_name"):
        interface.private_dns_name = None
    return interface


def set_groups(ec2: Any, interface: Any, groups: list[str]) -> None:
    """Puts the interface into these security groups."""
    interface._group_set = [ec2.get_security_group_from_id(group) for group in groups]


@always("ec2", "DescribeVpcs", "CreateVpc", layer=Layer.NORMAL)
def vpc_owner(call: Call, proceed: Proceed) -> Plain:
    """A VPC names its owner and its options.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Vpc.html
    """
    result = proceed()
    for vpc in [result["Vpc"]] if "Vpc" in result else result["Vpcs"]:
        vpc.setdefault("OwnerId", call.account.id)
        vpc["DhcpOptionsId"] = vpc.get("DhcpOptionsId") if vpc.get("DhcpOptionsId") != "default" else "dopt-default"
        vpc.setdefault("Tags", [])
    return result


@rule("quota-vpcs", "ec2", "CreateVpc")
def vpcs_per_region(call: Call, proceed: Proceed) -> Plain:
    """Five VPCs in a Region, the default one among them, unless raised.

    https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
    """
    if len(call.ec2.vpcs) >= call.settings.quota("vpcs"):
        raise AwsError("VpcLimitExceeded", "The maximum number of VPCs has been reached.")
    return proceed()


@rule("quota-subnets", "ec2", "CreateSubnet")
def subnets_per_vpc(call: Call, proceed: Proceed) -> Plain:
    """200 subnets in a VPC.

    https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
    """
    vpc = call.parameters["VpcId"]
    there = sum(1 for zone in call.ec2.subnets.values() for subnet in zone.values() if subnet.vpc_id == vpc)
    if there >= call.settings.quota("subnets-per-vpc"):
        raise AwsError("SubnetLimitExceeded", f"The maximum number of subnets has been reached in {vpc}.")
    return proceed()


@always("ec2", "CreateRoute")
def route_once(call: Call, proceed: Proceed) -> Plain:
    """A second route to the same destination is refused.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRoute.html
    """
    table = call.ec2.get_route_table(call.parameters["RouteTableId"])
    wanted = call.parameters.get("DestinationCidrBlock") or call.parameters.get("DestinationIpv6CidrBlock")
    for route in table.routes:
        if wanted and wanted in (route.destination_cidr_block, route.destination_ipv6_cidr_block):
            raise AwsError("RouteAlreadyExists", f"The route identified by {wanted} already exists.")
    return proceed()


@always("ec2", "AssociateRouteTable")
def associate_once(call: Call, proceed: Proceed) -> Plain:
    """A subnet has one route table: a second association is refused, the same one is answered.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateRouteTable.html
    """
    subnet, wanted = call.parameters.get("SubnetId"), call.parameters["RouteTableId"]
    for table in call.ec2.route_tables.values():
        for association, target in table._associations.items():
            if subnet and target == subnet and table.id != wanted:
                raise AwsError(
                    "Resource.AlreadyAssociated",
                    f"the specified association for route table {wanted} conflicts with an existing association "
                    f"({association})",
                )
    return proceed()


@always("ec2", "DescribeRouteTables", "CreateRouteTable", layer=Layer.NORMAL)
def gateway_routes(call: Call, proceed: Proceed) -> Plain:
    """Routes of gateway endpoints name the prefix list and the endpoint, and no address block.

    https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
    """
    result = proceed()
    for table in [result["RouteTable"]] if "RouteTable" in result else result["RouteTables"]:
        table.setdefault("Tags", [])
        table.setdefault("PropagatingVgws", [])
        for route in table.get("Routes", []):
            if route.get("DestinationPrefixListId"):
                route.pop("DestinationCidrBlock", None)
    return result


@always("ec2", "ModifySubnetAttribute", "ModifyVpcAttribute", layer=Layer.BEHAVIOUR)
def attribute_values(call: Call, proceed: Proceed) -> Plain:
    """Attributes are booleans, and one call sets one.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcAttribute.html
    """
    set_here = [name for name, value in call.parameters.items() if isinstance(value, dict) and "Value" in value]
    if call.action == "ModifyVpcAttribute" and len(set_here) > 1:
        raise AwsError("InvalidParameterCombination", "Fields for multiple attribute types specified")
    for name in set_here:
        value = call.parameters[name]["Value"]
        call.parameters[name]["Value"] = value is True or str(value).lower() == "true"
    return proceed()


@always("ec2", "DescribePrefixLists", layer=Layer.NORMAL)
def prefix_list_blocks(call: Call, proceed: Proceed) -> Plain:
    """Names the address blocks of each list.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribePrefixLists.html
    """
    result = proceed()
    for found in result["PrefixLists"]:
        entries = call.ec2.managed_prefix_lists[found["PrefixListId"]].entries
        found["Cidrs"] = [entry["Cidr"] for entry in (list(entries.values())[-1] if entries else [])]
    return result


@always("ec2", "CreateNatGateway", layer=Layer.BEHAVIOUR)
def nat_gateway_interface(call: Call, proceed: Proceed) -> Plain:
    """A NAT gateway's interface has an address of its subnet.

    https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-working-with.html
    """
    result = proceed()
    gateway = call.ec2.nat_gateways[result["NatGateway"]["NatGatewayId"]]
    gateway._eni.description = f"Interface for NAT Gateway {gateway.id}"
    gateway._eni.interface_type = "nat_gateway"
    return result


@always("ec2", "DeleteNatGateway", layer=Layer.BEHAVIOUR)
def nat_gateway_gone(call: Call, proceed: Proceed) -> Plain:
    """Its interface goes with it.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNatGateway.html
    """
    gateway = call.ec2.nat_gateways.get(call.parameters["NatGatewayId"])
    if gateway is None:
        raise AwsError("NatGatewayNotFound", f"NAT gateway {call.parameters['NatGatewayId']} was not found")
    result = proceed()
    call.ec2.enis.pop(gateway._eni.id, None)
    return result
