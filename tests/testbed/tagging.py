"""The Resource Groups Tagging API: what has which tags, as an index knows it that is behind the services.

It is a hint and not the truth: for `tagging_lag` seconds everything shows as it was, and what is deleted still does.
https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .accounts import Account
from .clock import now
from .endpoints import GONE
from .errors import AwsError
from .hooks import Call
from .principals import tags_of
from .rules import Layer, Plain, Proceed, always, rule
from .wire import Incoming

INVALID = "InvalidParameterException"
EXPIRED = ("PaginationTokenExpiredException", "The PaginationToken has expired")
Tags = dict[str, str]
#: What things there are; AWS refuses a service that it does not know in a filter.
SERVICES = ("ec2", "ecs", "elasticloadbalancing", "logs")
#: They may take the last tag of a thing, which is listed all the same from then on.
UNTAGGING = frozenset({"DeleteTags", "RemoveTags", "UntagLogGroup", "UntagResource", "UntagResources"})


# --- what there is


def _backend(backends: Any, account: Account, region: str) -> Any:
    """What moto keeps of a service, if anything was asked of it yet."""
    of_account = dict.get(backends, account.id)
    return None if of_account is None else dict.get(of_account, region)


def things(account: Account, region: str) -> Iterator[tuple[str, Tags]]:
    """Everything that can have tags, by its ARN, with those that it has.

    "The GetResources [...] operations support all resource types", but for IAM users and roles.
    https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html
    """
    from moto.ec2.models import ec2_backends
    from moto.ecs.models import ecs_backends
    from moto.elbv2.models import elbv2_backends
    from moto.logs.models import logs_backends

    ec2, ecs = _backend(ec2_backends, account, region), _backend(ecs_backends, account, region)
    elb, logs = _backend(elbv2_backends, account, region), _backend(logs_backends, account, region)
    if ec2 is not None:
        for kind, number in _ec2(ec2):
            yield f"arn:aws:ec2:{region}:{account.id}:{kind}/{number}", dict(ec2.tags.get(number, {}))
    if ecs is not None:
        for arn, tags in _ecs(account, region, ecs):
            yield arn, tags_of(tags)
    if elb is not None:
        for arn in _elb(elb):
            yield arn, _values(elb.tagging_service.tags.get(arn, {}))
    if logs is not None:
        for group in logs.groups.values():
            yield group.arn, _values(logs.tagger.tags.get(group.arn, {}))


def _values(tags: dict[str, str | None]) -> Tags:
    return {key: value or "" for key, value in tags.items()}


def _ec2(ec2: Any) -> Iterator[tuple[str, str]]:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html"""
    kinds = {
        "internet-gateway": ec2.internet_gateways, "network-interface": ec2.enis, "route-table": ec2.route_tables,
        "vpc": ec2.vpcs,
        "natgateway": [number for number, one in ec2.nat_gateways.items() if one.state != "deleted"],
        "security-group": [number for groups in ec2.groups.values() for number in groups],
        "subnet": [number for zone in ec2.subnets.values() for number in zone],
        "vpc-endpoint": [number for number, one in ec2.vpc_end_points.items() if one.state not in GONE],
    }
    for kind, numbers in kinds.items():
        for number in numbers:
            yield kind, number


def _ecs(account: Account, region: str, ecs: Any) -> Iterator[tuple[str, Any]]:
    """Task definitions are there, INACTIVE, after they are deregistered; clusters, services and tasks are gone.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TagResource.html
    """
    for cluster in ecs.clusters.values():
        if cluster.status != "INACTIVE":
            yield cluster.arn, cluster.tags
    for service in account.memory(region, "services").values():
        if service.status != "INACTIVE":
            yield service.arn, service.moto.tags
    for task in account.memory(region, "tasks").values():
        if task.last_status != "STOPPED":
            yield task.arn, task.tags
    for family in ecs.task_definitions.values():
        for definition in family.values():
            yield definition.arn, definition.tags
    for provider in ecs.capacity_providers.values():
        yield provider.arn, provider.tags


def _elb(elb: Any) -> Iterator[str]:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AddTags.html"""
    yield from elb.target_groups
    for balancer in elb.load_balancers.values():
        yield balancer.arn
        for listener in balancer.listeners.values():
            yield listener.arn
            for one in listener.rules.values():
                yield one.arn


# --- what is known of it


class Index:
    """What is known of a Region: of each thing that has tags, or had any, from when on it had which."""

    def __init__(self, account: Account, region: str) -> None:
        self.account, self.region = account, region
        #: By ARN, oldest first; without tags from when it is gone.
        self.known: dict[str, list[tuple[float, Tags | None]]] = {}
        #: Whether it sees every change when it happens: only then can it be behind.
        self.watching = False

    def look(self) -> None:
        """Takes down what has changed; what did so while nobody watched did so long ago."""
        time, there = now() if self.watching else -math.inf, dict(things(self.account, self.region))
        for arn, tags in there.items():
            if arn not in self.known and tags:
                self.known[arn] = [(time, tags)]
        for arn, states in self.known.items():
            if states[-1][1] != there.get(arn):
                states.append((time, there.get(arn)))

    def look_after(self) -> None:
        """Looks where something may have changed."""
        if self.watching:
            self.look()

    def watch(self) -> None:
        """Watches as long as it is to be behind."""
        self.watching = self.account.settings.tagging_lag > 0
        self.account.watchers[f"tagging {self.region}"] = self.look_after

    def shown(self) -> dict[str, Tags]:
        """Everything as it was `tagging_lag` seconds ago."""
        self.look()
        self.watch()
        until, found = now() - self.account.settings.tagging_lag, {}
        for arn, states in list(self.known.items()):
            while len(states) > 1 and states[1][0] <= until:
                del states[0]
            since, tags = states[0]
            if since <= until and tags is not None:
                found[arn] = tags
            elif since <= until and len(states) == 1:
                del self.known[arn]
        return found


def _index(account: Account, region: str) -> Index:
    memory = account.memory(region, "tagging")
    if "index" not in memory:
        memory["index"] = Index(account, region)
    index: Index = memory["index"]
    return index


@contextmanager
def noting(account: Account, incoming: Incoming) -> Iterator[None]:
    """Around a write: what it changes is known, from now on or, with a lag, from later on."""
    index = _index(account, incoming.region)
    if not index.watching and (account.settings.tagging_lag or incoming.action in UNTAGGING):
        index.look()
    index.watch()
    yield
    index.look_after()


# --- GetResources


def _of_type(arn: str, kind: str) -> bool:
    """Whether a thing is of a type `service[:resourceType]`, which is "the same as that embedded in" its ARN."""
    service, _, wanted = kind.partition(":")
    parts = arn.split(":", 5)
    return parts[2] == service and (not wanted or parts[5].startswith((f"{wanted}/", f"{wanted}:")))


def _has(tags: Tags, filters: list[Plain]) -> bool:
    """One of the values of each key, any where none is named."""
    return all(one["Key"] in tags and (not one.get("Values") or tags[one["Key"]] in one["Values"]) for one in filters)


@always("tagging", "GetResources", layer=Layer.TOKEN)
def check(call: Call, proceed: Proceed) -> Plain:
    """Things are named or looked for, not both. Lists that are too long the model of the API refuses.

    https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
    https://github.com/prometheus/cloudwatch_exporter/issues/440
    https://github.com/boto/botocore/issues/1843
    """
    sent = call.parameters
    filters = sent.get("TagFilters") or []
    lists = [("tagFilters", filters, 50), ("resourceTypeFilters", sent.get("ResourceTypeFilters") or [], 100),
             ("resourceARNList", sent.get("ResourceARNList") or [], 100),
             *((f"tagFilters.{number}.member.values", one.get("Values") or [], 20)
               for number, one in enumerate(filters, 1))]
    for name, items, most in lists:
        if len(items) > most:
            raise AwsError("ValidationException", f"1 validation error detected: Value '{items}' at '{name}' failed to "
                           f"satisfy constraint: Member must have length less than or equal to {most}")
    if sent.get("ResourceARNList"):
        for name in ("TagFilters", "ResourceTypeFilters", "ResourcesPerPage", "TagsPerPage", "PaginationToken"):
            if sent.get(name):
                raise AwsError(INVALID, f"ResourceARNList and {name} cannot be specified in the same request")
        for arn in sent["ResourceARNList"]:
            if not re.fullmatch(r"arn:aws:[^:]+:[^:]*:[^:]*:.+", arn):
                raise AwsError(INVALID, f"{arn} is not a valid AmazonResourceName (ARN)")
    for kind in sent.get("ResourceTypeFilters") or []:
        if kind.partition(":")[0] not in SERVICES:
            raise AwsError(INVALID, f"Unsupported service={kind.partition(':')[0]} in ResourceTypeFilter - {kind}")
    if sent.get("ExcludeCompliantResources") and not sent.get("IncludeComplianceDetails"):
        raise AwsError(INVALID, "ExcludeCompliantResources needs IncludeComplianceDetails")
    if sent.get("IncludeComplianceDetails"):
        raise NotImplementedError("the test bed has no tag policies")
    return proceed()


@always("tagging", "GetResources", layer=Layer.BEHAVIOUR)
def get_resources(call: Call, _proceed: Proceed) -> Plain:
    """Things that have tags, or had any and are there without; of those that a filter leaves.

    https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
    """
    sent = call.parameters
    arns, kinds = sent.get("ResourceARNList"), sent.get("ResourceTypeFilters")
    return {"PaginationToken": "", "ResourceTagMappingList": [
        {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        for arn, tags in _index(call.account, call.region).shown().items()
        if (not arns or arn in arns) and (not kinds or any(_of_type(arn, kind) for kind in kinds))
        and _has(tags, sent.get("TagFilters") or [])
    ]}


def _token(listing: int, start: int) -> str:
    return base64.urlsafe_b64encode(f"{listing}/{start}/{now()}".encode()).decode()


def _place(token: str, seconds: float) -> tuple[int, int]:
    """Where a page begins, and in which listing: "A PaginationToken is valid for a maximum of 15 minutes."

    https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html#API_GetResources_Errors
    """
    try:
        listing, start, given = base64.urlsafe_b64decode(token.encode()).decode().split("/")
        place, age = (int(listing), int(start)), now() - float(given)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise AwsError(INVALID, "The PaginationToken is invalid") from None
    if age >= seconds:
        raise AwsError(*EXPIRED)
    return place


def _within(sent: Plain, name: str, smallest: int, largest: int, default: int) -> int:
    value = int(sent[name]) if sent.get(name) is not None else default
    if not smallest <= value <= largest:
        raise AwsError(INVALID, f"{name} must be between {smallest} and {largest}")
    return value


@rule("pages", "tagging", "GetResources", layer=Layer.LIST)
def pages(call: Call, proceed: Proceed) -> Plain:
    """Lists come in pages of the size asked for, at most the documented one.

    Up to 100 things, 50 unless told, and up to 500 tags: nothing is split, and what has none counts as having one.
    https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
    """
    sent, seconds = call.parameters, call.settings.tagging_token
    size, most = _within(sent, "ResourcesPerPage", 1, 100, 50), _within(sent, "TagsPerPage", 100, 500, 500)
    if call.settings.page_size:
        size = min(size, call.settings.page_size)
    if sent.get("ResourceARNList"):
        return proceed()
    #: By number, with when a token of each was given last: a listing goes on as it began.
    listings: dict[int, tuple[float, list[Plain]]] = call.memory("tagging listings")
    for old in [number for number, (given, _) in listings.items() if now() - given >= seconds]:
        del listings[old]
    if sent.get("PaginationToken"):
        number, start = _place(sent["PaginationToken"], seconds)
        if number not in listings:
            raise AwsError(*EXPIRED)
        items = listings[number][1]
    else:
        items, number, start = proceed()["ResourceTagMappingList"], max(listings, default=0) + 1, 0
    end, tags = start, 0
    while end < min(start + size, len(items)):
        tags += max(1, len(items[end]["Tags"]))
        if tags > most:
            break
        end += 1
    token = ""
    if end < len(items):
        listings[number] = now(), items
        token = _token(number, end)
    return {"PaginationToken": token, "ResourceTagMappingList": items[start:end]}
