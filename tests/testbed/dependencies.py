"""What cannot be deleted while something else needs it."""

from __future__ import annotations

from typing import Any

from .errors import AwsError
from .hooks import Call
from .rules import Layer, Plain, Proceed, always, rule


def _group_users(ec2: Any, group_id: str) -> list[str]:
    """The interfaces in a security group, and the other groups whose rules name it."""
    users = [interface.id for interface in ec2.enis.values()
             if any(group and group.id == group_id for group in interface._group_set)]
    for groups in ec2.groups.values():
        for group in groups.values():
            rules = (*group.ingress_rules, *group.egress_rules)
            if group.id != group_id and any(one.source_group.get("GroupId") == group_id for one in rules):
                users.append(group.id)
    return users


@rule("security-group-in-use", "ec2", "DeleteSecurityGroup")
def security_group(call: Call, proceed: Proceed) -> Plain:
    """A security group that an interface has, or a rule of another group names, cannot be deleted.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html
    """
    group_id = call.parameters.get("GroupId", "")
    if _group_users(call.ec2, group_id):
        raise AwsError("DependencyViolation", f"resource {group_id} has a dependent object")
    return proceed()


@always("ec2", "DeleteSecurityGroup", layer=Layer.CHECK)
def default_group(call: Call, proceed: Proceed) -> Plain:
    """A VPC's default group stays.

    https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
    """
    group = call.ec2.get_security_group_from_id(call.parameters.get("GroupId", ""))
    if group is not None and group.name == "default":
        raise AwsError("CannotDelete", f"the specified group: \"{group.id}\" name: \"default\" cannot be deleted by "
                       "a user")
    if group is None and call.parameters.get("GroupId"):
        raise AwsError(
            "InvalidGroup.NotFound", f"The security group '{call.parameters['GroupId']}' does not exist"
        )
    return proceed()


@rule("subnet-in-use", "ec2", "DeleteSubnet")
def subnet(call: Call, proceed: Proceed) -> Plain:
    """A subnet with interfaces in it cannot be deleted.

    https://docs.aws.amazon.com/vpc/latest/userguide/subnet-deleting.html
    """
    subnet_id = call.parameters["SubnetId"]
    if any(interface.subnet.id == subnet_id for interface in call.ec2.enis.values()):
        raise AwsError("DependencyViolation", f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    return proceed()


@always("ec2", "DeleteSubnet", layer=Layer.BEHAVIOUR)
def subnet_associations(call: Call, proceed: Proceed) -> Plain:
    """With a subnet goes its association with a route table.

    https://docs.aws.amazon.com/vpc/latest/userguide/subnet-route-tables.html
    """
    result = proceed()
    for table in call.ec2.route_tables.values():
        for association, target in list(table._associations.items()):
            if target == call.parameters["SubnetId"]:
                del table._associations[association]
    return result


@rule("vpc-in-use", "ec2", "DeleteVpc")
def vpc(call: Call, proceed: Proceed) -> Plain:
    """A VPC must be empty: no subnets, endpoints, gateways, route tables or security groups but its own first ones.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpc.html
    """
    ec2, vpc_id = call.ec2, call.parameters["VpcId"]
    ec2.get_vpc(vpc_id)
    in_use = (
        any(group.name != "default" for group in ec2.groups.get(vpc_id, {}).values())
        or any(one.vpc_id == vpc_id and one.state != "deleted" for one in ec2.vpc_end_points.values())
        or any(gateway.vpc and gateway.vpc.id == vpc_id for gateway in ec2.internet_gateways.values())
        or any(interface.subnet.vpc_id == vpc_id for interface in ec2.enis.values())
        or any(one.vpc_id == vpc_id and one.state != "deleted" for one in ec2.nat_gateways.values())
    )
    if in_use:
        raise AwsError("DependencyViolation", f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    return proceed()
