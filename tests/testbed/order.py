"""Order: where the API promises none, the bed gives one that is nobody's, the same one each time."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from .hooks import Call
from .listings import LISTINGS
from .rules import Layer, Plain, Proceed, rule

#: Members that hold sets.
SETS = frozenset({
    "AssociatedRoles", "AttachedManagedPolicies", "AttachedPolicies", "Attributes", "AvailabilityZones",
    "Groups", "InternetGateways", "IpPermissions", "IpPermissionsEgress", "IpRanges", "Listeners", "LoadBalancers",
    "NatGateways", "NetworkInterfaceIds", "NetworkInterfaces", "PolicyNames", "PrefixListIds", "PrefixLists",
    "ResourceTagMappingList", "RolePolicyList", "Roles", "RouteTableIds", "RouteTables", "Routes", "SecurityGroupRules",
    "SecurityGroups", "SubnetIds", "Subnets", "TagList", "Tags", "TargetGroups", "TargetHealthDescriptions",
    "UserIdGroupPairs", "VpcEndpointConnections", "VpcEndpoints", "Vpcs",
    "capacityProviders", "clusterArns", "environment", "requiresAttributes", "secrets", "securityGroups",
    "serviceArns", "subnets", "tags", "taskArns",
})


#: What an element is known by, so that it keeps its place while it changes.
NAMES = (
    "VpcEndpointId", "NetworkInterfaceId", "NatGatewayId", "InternetGatewayId", "RouteTableId", "SubnetId",
    "SecurityGroupRuleId", "GroupId", "VpcId", "LoadBalancerArn", "TargetGroupArn", "ListenerArn", "RoleId",
    "ResourceARN",
    "Key", "key", "name",
)


def place(item: Any) -> str:
    """Where an element of a set comes: by a hash of what it is, so that it looks like no order at all."""
    if isinstance(item, dict):
        item = next((item[name] for name in NAMES if name in item), item)
    return hashlib.md5(json.dumps(item, sort_keys=True, default=str).encode()).hexdigest()


def mixed(value: Any) -> Any:
    """The same with every set in the bed's order."""
    if isinstance(value, dict):
        return {
            name: sorted((mixed(one) for one in item), key=place) if name in SETS and isinstance(item, list)
            else mixed(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [mixed(item) for item in value]
    return value


def _mix(call: Call, proceed: Proceed) -> Plain:
    """Sets come back in an order that is not the one that was sent.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html
    "The order of the elements in the response, including those within nested structures, might vary."
    """
    result: Plain = mixed(proceed())
    return result


MIXED = {
    "ec2": (*LISTINGS, "CreateVpcEndpoint", "DescribeVpcEndpointServices"),
    "elasticloadbalancing": (
        "CreateLoadBalancer", "DescribeLoadBalancers", "DescribeTargetGroups", "DescribeListeners", "DescribeTags",
        "DescribeLoadBalancerAttributes", "DescribeTargetGroupAttributes", "DescribeTargetHealth",
    ),
    "ecs": (
        "RegisterTaskDefinition", "DescribeTaskDefinition", "CreateService", "UpdateService", "DescribeServices",
        "CreateCluster", "DescribeClusters", "ListClusters", "ListServices", "ListTasks", "ListTagsForResource",
        "DescribeTasks",
    ),
    "iam": ("GetRole", "ListRoles", "GetAccountAuthorizationDetails", "ListRolePolicies", "ListAttachedRolePolicies",
            "ListRoleTags"),
}

for _service, _actions in MIXED.items():
    rule("order", _service, *_actions, layer=Layer.NORMAL)(_mix)
#: Page by page: all that an account has is much.
rule("order", "tagging", "GetResources", layer=Layer.TOKEN)(_mix)

