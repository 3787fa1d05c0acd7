"""Reads that are behind writes: what was just made is not listed yet, and asking for it by id is refused.

On demand: `read_lag` says for how many seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .clock import now
from .errors import AwsError
from .hooks import Call
from .listings import LISTINGS
from .rules import Layer, Plain, Proceed, always, rule

#: Where the id of what was made stands in the answer.
MADE = {
    "CreateVpc": ("Vpc", "VpcId"),
    "CreateSubnet": ("Subnet", "SubnetId"),
    "CreateRouteTable": ("RouteTable", "RouteTableId"),
    "CreateInternetGateway": ("InternetGateway", "InternetGatewayId"),
    "CreateNatGateway": ("NatGateway", "NatGatewayId"),
    "CreateVpcEndpoint": ("VpcEndpoint", "VpcEndpointId"),
    "CreateSecurityGroup": ("", "GroupId"),
}
LAGGING = tuple(action for action in LISTINGS if action not in ("DescribeTags", "DescribePrefixLists"))


def fresh(call: Call) -> set[str]:
    """The ids of what cannot be seen yet."""
    lag, time = call.settings.read_lag, now()
    made = call.memory("made")
    return {thing for thing, at in made.items() if time - at < lag} if lag else set()


@always("ec2", *MADE, layer=Layer.LAG)
def note_made(call: Call, proceed: Proceed) -> Plain:
    """Notes when a thing was made."""
    result = proceed()
    key, name = MADE[call.action]
    call.memory("made").setdefault((result[key] if key else result)[name], now())
    return result


def _known_by(items: Iterable[Any], name: str, hidden: set[str]) -> list[Any]:
    return [item for item in items if item.get(name) not in hidden]


@rule("read-lag", "ec2", *LAGGING, layer=Layer.LAG)
def behind(call: Call, proceed: Proceed) -> Plain:
    """A Describe right after a Create need not see the new thing, and answers NotFound to its id.

    https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
    """
    result, hidden = proceed(), fresh(call)
    if hidden:
        listing = LISTINGS[call.action]
        result[listing.key] = _known_by(result[listing.key], listing.id, hidden)
    return result


@always("iam", "CreateRole", layer=Layer.LAG)
def note_role(call: Call, proceed: Proceed) -> Plain:
    """Notes when a role was made."""
    result = proceed()
    call.account.memory("", "made")[result["Role"]["RoleName"]] = now()
    return result


@rule("read-lag", "iam", "GetRole", "ListRoles", "GetAccountAuthorizationDetails", layer=Layer.LAG)
def role_behind(call: Call, proceed: Proceed) -> Plain:
    """Changes to IAM become visible after a while.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    """
    lag, time = call.settings.read_lag, now()
    made = call.account.memory("", "made")
    hidden = {name for name, at in made.items() if time - at < lag} if lag else set()
    if call.action == "GetRole" and call.parameters["RoleName"] in hidden:
        raise AwsError(
            "NoSuchEntity", f"The role with name {call.parameters['RoleName']} cannot be found.", 404
        )
    result = proceed()
    for key in ("Roles", "RoleDetailList"):
        if key in result:
            result[key] = _known_by(result[key], "RoleName", hidden)
    return result
