"""Request throttling: token buckets as published, per account, Region and category.

EC2 has a bucket for each action; ELB and ECS share buckets between actions. IAM publishes none.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/api-throttling.html
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
https://docs.aws.amazon.com/tag-editor/latest/userguide/reference.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .clock import now

if TYPE_CHECKING:
    from .accounts import Account
    from .wire import Incoming

#: Burst, and refill per second.
RATES: dict[str, tuple[float, float]] = {
    "ec2 read": (100, 20),
    "ec2 unfiltered read": (50, 10),
    "ec2 write": (50, 5),
    "ec2 tags": (100, 10),
    "ec2 endpoint": (4, 0.3),
    "ec2 acceptance": (10, 1),
    "ec2 nat gateway": (10, 1),
    "elb read": (40, 10),
    "elb write": (20, 3),
    "elb load balancer": (10, 0.2),
    "elb targets": (20, 4),
    "elb all": (40, 10),
    "ecs cluster write": (20, 1),
    "ecs cluster read": (50, 20),
    "ecs task definition write": (20, 1),
    "ecs task definition read": (50, 20),
    "ecs service write": (50, 5),
    "ecs service read": (100, 20),
    "ecs task read": (100, 20),
    "ecs task write": (100, 20),
    "ecs tags": (20, 10),
    "sts": (600, 600),
    "tagging get resources": (15, 15),
}

ERRORS = {
    "ec2": ("RequestLimitExceeded", "Request limit exceeded.", 503),
    "elasticloadbalancing": ("Throttling", "Rate exceeded", 400),
    "ecs": ("ThrottlingException", "Rate exceeded", 400),
    "sts": ("Throttling", "Rate exceeded", 400),
    "tagging": ("ThrottledException", "Rate exceeded", 400),
}

ENDPOINT_WRITES = frozenset({"CreateVpcEndpoint", "ModifyVpcEndpoint", "DeleteVpcEndpoints"})
ACCEPTANCE = frozenset({"AcceptVpcEndpointConnections", "RejectVpcEndpointConnections"})


def categories(incoming: Incoming) -> list[tuple[str, str]]:
    """The buckets that a request draws on: a rate, and what keeps buckets of that rate apart."""
    action, write = incoming.action, incoming.is_write
    if incoming.service == "ec2":
        if action in ENDPOINT_WRITES:
            rate = "ec2 endpoint"
        elif action in ACCEPTANCE:
            rate = "ec2 acceptance"
        elif action == "CreateNatGateway":
            rate = "ec2 nat gateway"
        elif action in ("CreateTags", "DeleteTags"):
            rate = "ec2 tags"
        elif write:
            rate = "ec2 write"
        elif action in ("DescribeSecurityGroups", "DescribeNetworkInterfaces") and not _narrowed(incoming):
            rate = "ec2 unfiltered read"
        else:
            rate = "ec2 read"
        return [(rate, action)]
    if incoming.service == "elasticloadbalancing":
        if action in ("CreateLoadBalancer", "SetSubnets"):
            rate = "elb load balancer"
        elif action in ("RegisterTargets", "DeregisterTargets"):
            rate = "elb targets"
        else:
            rate = "elb write" if write else "elb read"
        return [(rate, ""), ("elb all", "")]
    if incoming.service == "ecs":
        if action in ("TagResource", "UntagResource", "ListTagsForResource"):
            return [("ecs tags", "")]
        kind = "write" if write else "read"
        for word, name in (("TaskDefinition", "task definition"), ("Service", "service"), ("Task", "task")):
            if word in action:
                return [(f"ecs {name} {kind}", "")]
        return [(f"ecs cluster {kind}", "")]
    if incoming.service == "sts":
        return [("sts", "")]
    if incoming.name == "tagging:GetResources":
        return [("tagging get resources", "")]
    return []


def _narrowed(incoming: Incoming) -> bool:
    """Whether a list is asked for by ids, with filters or in pages."""
    return any(word in incoming.body for word in (b"Filter.", b"MaxResults=", b"Id.1=", b"GroupId.1"))


def take(account: Account, incoming: Incoming) -> bool:
    """Takes a token out of every bucket that the request draws on, or none where one of them is empty."""
    time, drawn = now(), []
    for rate, apart in categories(incoming):
        burst, refill = RATES[rate]
        bucket = account.buckets.setdefault((incoming.region, rate, apart), [burst * account.settings.bucket_level, time])
        tokens, since = bucket
        bucket[:] = [min(burst, tokens + (time - since) * refill * account.settings.time_scale), time]
        drawn.append(bucket)
    if any(bucket[0] < 1 for bucket in drawn):
        return False
    for bucket in drawn:
        bucket[0] -= 1
    return True
