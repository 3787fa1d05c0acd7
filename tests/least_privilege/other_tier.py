"""Proof C: with a tier's documents nothing of another tier, and nothing that is no tier's, can be changed or taken.

Somebody has the role of tier `one` with the documents of all its commands, and tries with it what tierctl never would.
Each attempt on somebody else's thing has a counterpart on the tier's own: were that refused too, the refusal would show
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from convergence import specs
from convergence.bed import ACCOUNT, REGION, Bed, client
from convergence.foreign import TAGS, TRUST
from convergence.program import Specs
from convergence.scenarios import APPLY, ONBOARD, WHOLE, changed, with_group
from convergence.trial import must

from . import roles
from .documents import COMMANDS, Document
from .stage import World

REFUSED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
ONE, TWO = "one", "two"
#: A tier whose names begin like those of `one`.
ALIKE = "one-b"
#: What has no tier's tag at all.
THEIRS = "theirs"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"

#: By kind, the id or ARN of one thing of an owner; of a role and of a cluster's family the name.
Things = dict[str, str]
Clients = Callable[[str], Any]
Tags = dict[str, str]
#: Tries something on somebody's things; `own` are those of `one`.
Try = Callable[[Clients, Things, Things], Any]


@dataclass(frozen=True)
class Attempt:
    """Something that is tried on things of an owner."""

    what: str
    action: str
    send: Try
    #: Whether tierctl may do this with its own things.
    is_tierctls: bool = True


def key_value(tags: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def lower_case(tags: Tags) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def specification(kind: str, tags: Tags) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": key_value(tags)}] if tags else []


def of_tier(name: str) -> Tags:
    return {"tierctl:tier": name}


# --- the things


def tier(name: str, number: int) -> Specs:
    """A tier with a tenant, as every other but for its name and its block."""
    spec = with_group(changed(WHOLE, tier=name, downstreams=[specs.BIDDER]), vpc=specs.made_vpc(f"10.{60 + number}.0.0/16"))
    tenant = changed(specs.service("acme"), tier=name)
    return {f"tiers/{name}": spec, f"tenants/{name}": tenant}


def things_of(bed: Bed, owner: str) -> Things:
    """One thing of each kind, as the administrator sees them."""
    dump = bed.dump()

    def is_owners(thing: dict[str, Any]) -> bool:
        listed = thing.get("Tags") or thing.get("tags") or thing.get("TagSet") or []
        tags = listed if isinstance(listed, dict) else {one.get("Key", one.get("key")): one.get("Value", one.get("value")) for one in listed}
        return bool(tags.get("tierctl:tier", tags.get("team")) == owner)

    found: Things = {}
    for kind, (listing, name) in LISTINGS.items():
        for thing in dump[listing]:
            if is_owners(thing) and name in thing:
                found.setdefault(kind, str(thing[name]))
    return found


#: Where the bed's dump has each kind, and under which field its id.
LISTINGS = {
    "vpc": ("vpcs", "VpcId"),
    "subnet": ("subnets", "SubnetId"),
    "security-group": ("securitygroups", "GroupId"),
    "route-table": ("routetables", "RouteTableId"),
    "internet-gateway": ("internetgateways", "InternetGatewayId"),
    "vpc-endpoint": ("vpcendpoints", "VpcEndpointId"),
    "load-balancer": ("loadbalancers", "LoadBalancerArn"),
    "listener": ("listeners", "ListenerArn"),
    "rule": ("rules", "RuleArn"),
    "target-group": ("targetgroups", "TargetGroupArn"),
    "role": ("roles", "RoleName"),
    "role-arn": ("roles", "Arn"),
    "cluster": ("clusters", "clusterArn"),
    "service": ("services", "serviceArn"),
    "task-definition": ("taskdefinitions", "taskDefinitionArn"),
    "log-group": ("loggroups", "logGroupName"),
}
