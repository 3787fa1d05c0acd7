"""What is tried: each scenario sets something up undisturbed, then runs one command that is going to be disturbed."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from . import specs
from .program import Specs
from .specs import ARTIFACTS, BIDDER, INTERNET, LOGS, PROFILES, Spec

APPLY = ("apply", "--yes", "tiers")
ONBOARD = ("onboard", "--yes", "tenants")
DESTROY = ("destroy", "--yes", "--delete-logs", "test")
TIER = "tiers/test"


@dataclass(frozen=True)
class Scenario:
    """Ids of things of others stand in braces in specs, by the names that `foreign.plant` gives them."""

    #: What kind of command it is about.
    part: str
    name: str
    #: The command under test.
    command: tuple[str, ...]
    #: The specs that it is run with.
    specs: Specs
    #: The specs that were made real before, tiers and then tenants.
    before: Specs = field(default_factory=dict)
    #: The specs that say what there is afterwards, if others.
    after: Specs | None = None
    #: Whether others have things on our listener and in our VPC. Those would keep the VPC from being made anew.
    foreign_inside: bool = False
    #: Whether nothing of ours may be left.
    leaves_nothing: bool = False
    #: Whether the command only reads.
    reads: bool = False

    @property
    def id(self) -> str:
        return f"{self.part}/{self.name}"


def changed(spec: Spec, **paths: Any) -> Spec:
    """A copy with other values; `a__b` is the field `b` of `a`, and a value of None takes the field out."""
    spec = copy.deepcopy(spec)
    for path, value in paths.items():
        *parents, name = path.split("__")
        at = spec
        for parent in parents:
            at = at.setdefault(parent, {})
        if value is None:
            at.pop(name, None)
        else:
            at[name] = value
    return spec


def group(spec: Spec) -> Spec:
    """The one infra group of a tier."""
    found: Spec = spec["cells"][0]["infra_groups"][0]
    return found


def with_group(spec: Spec, **fields: Any) -> Spec:
    spec = copy.deepcopy(spec)
    group(spec).update(copy.deepcopy(fields))
    return spec


WHOLE = specs.tier(
    [PROFILES, LOGS, ARTIFACTS],
    load_balancer=INTERNET,
    roles={
        "task": {"statements": [specs.statement("s3:GetObject")], "managed_policies": [specs.READ_ONLY]},
        "execution": {
            "statements": [specs.statement("s3:ListBucket")],
            "managed_policies": [specs.EXECUTION],
            "permissions_boundary": specs.POWER_USER,
        },
    },
)
#: Another team's VPC and listener, as far as they consent.
GUEST = with_group(
    specs.tier([BIDDER, ARTIFACTS]),
    vpc={"id": "{vpc}", "subnets": ["{subnet-a}", "{subnet-b}"], "route_tables": ["{table}"]},
    load_balancer={"listener": "{listener}", "priorities": [101, 150]},
)
PLAIN = specs.tier([BIDDER, LOGS, ARTIFACTS])
ACME = specs.service("acme")
FLEET = specs.fleet("fleet", ["10.20.200.1", "10.20.200.2"])
TENANTS: Specs = {"tenants/acme": ACME, "tenants/fleet": FLEET}

CHANGED_TIER = changed(
    specs.tier(
        [
            {
                **BIDDER,
                "policy": {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "execute-api:*", "Resource": "*"}]},
            },
            ARTIFACTS,
            {"name": "secrets", "service": "secretsmanager", "port": 443, "private_dns": True},
        ],
        load_balancer={"idle_timeout": 120, "allow": ["10.20.0.0/16", "10.30.0.0/16"]},
    ),
    egress=[{"cidr": "10.8.0.0/16", "port": 5433}],
    monitoring__log_retention_days=90,
    tenants={"ports": [8000, 9999]},
    roles={
        "task": {"statements": [specs.statement("s3:GetObject", "s3:ListBucket")], "managed_policies": [specs.READ_ONLY]},
        "execution": {"statements": [specs.statement("s3:PutObject")]},
    },
)
CHANGED_ACME = specs.service(
    "acme",
    tags={"owner": "them"},
    route={"path": ["/acme/v2/*"]},
    environment={"CACHE": "acme.cache.internal:6379"},
    image="registry.example.com/ad-server:2.0",
    desired=2,
    health_check={"path": "/ready", "interval": 10},
    deregistration_delay=30,
    stickiness={"enabled": True, "duration": 600},
    cpu=512,
    memory=1024,
)
CHANGED_FLEET = specs.fleet(
    "fleet",
    ["10.20.200.2", "10.20.200.3"],
    route={"path": ["/fleet/*", "/old-fleet/*"]},
    health_check={"path": "/up"},
    slow_start=60,
)
#: A downstream's service changes, and its private DNS name goes from one endpoint to the other.
OTHER_PROFILES = {**PROFILES, "service": specs.OTHER_NAMED}
OTHER_BIDDER = {**BIDDER, "service": specs.OTHER_SERVICE}


def retired(spec: Spec) -> Spec:
    return {**copy.deepcopy(spec), "retired": True}


def all_scenarios() -> list[Scenario]:
    """Every scenario, by part."""
    lived_in: Specs = {TIER: PLAIN, **TENANTS}

    def replaced(name: str, before: Spec, after: Spec, tenants: Specs | None = None) -> Scenario:
        tenants = tenants or {}
        return Scenario(
            "replacement", name, APPLY, {TIER: after, **tenants}, {TIER: before, **tenants}, foreign_inside=bool(tenants)
        )

    internal = specs.tier([BIDDER, ARTIFACTS], load_balancer={"certificate": specs.CERTIFICATE, "allow": ["10.0.0.0/8"]})
    return [
        Scenario("apply", "internet-facing", APPLY, {TIER: WHOLE}),
        Scenario("apply", "another-teams-network", APPLY, {TIER: GUEST}),
        Scenario("onboard", "service-and-addresses", ONBOARD, lived_in, {TIER: PLAIN}, foreign_inside=True),
        Scenario("onboard", "another-teams-listener", ONBOARD, {TIER: GUEST, "tenants/acme": ACME}, {TIER: GUEST}),
        Scenario("change", "tier", APPLY, {TIER: CHANGED_TIER, **TENANTS}, lived_in, foreign_inside=True),
        Scenario("change", "tags", APPLY, {TIER: changed(PLAIN, tags={"stage": "two"})}, {TIER: PLAIN}),
        Scenario(
            "change",
            "tenants",
            ONBOARD,
            {TIER: PLAIN, "tenants/acme": CHANGED_ACME, "tenants/fleet": CHANGED_FLEET},
            lived_in,
            foreign_inside=True,
        ),
        Scenario(
            "replacement",
            "tenants-ports",
            ONBOARD,
            {TIER: PLAIN, "tenants/acme": specs.service("acme", port=9090), "tenants/fleet": changed(FLEET, targets__port=9001)},
            lived_in,
            foreign_inside=True,
        ),
        Scenario(
            "replacement",
            "service-becomes-fleet",
            ONBOARD,
            {TIER: PLAIN, "tenants/acme": specs.fleet("acme", ["10.20.200.9"], port=8080)},
            {TIER: PLAIN, "tenants/acme": ACME},
            foreign_inside=True,
        ),
        replaced("downstreams-service", PLAIN, specs.tier([OTHER_BIDDER, LOGS, ARTIFACTS]), TENANTS),
        replaced("private-dns-name", specs.tier([PROFILES]), specs.tier([OTHER_PROFILES]), {"tenants/acme": ACME}),
        replaced(
            "gateway-renamed",
            specs.tier([BIDDER, ARTIFACTS]),
            specs.tier([BIDDER, {**ARTIFACTS, "name": "assets"}]),
            {"tenants/acme": ACME},
        ),
        replaced(
            "load-balancers-scheme",
            internal,
            with_group(internal, load_balancer={**INTERNET, "allow": ["10.0.0.0/8"]}),
        ),
        replaced(
            "vpcs-block", specs.tier([PROFILES, ARTIFACTS]), specs.tier([PROFILES, ARTIFACTS], vpc=specs.made_vpc("10.21.0.0/16"))
        ),
        Scenario(
            "offboard",
            "service-and-addresses",
            ("offboard", "--yes", "acme", "fleet"),
            lived_in,
            lived_in,
            {TIER: PLAIN},
            foreign_inside=True,
        ),
        Scenario(
            "destroy",
            "internet-facing",
            DESTROY,
            {TIER: WHOLE},
            {TIER: WHOLE},
            {TIER: retired(WHOLE)},
            leaves_nothing=True,
        ),
        Scenario(
            "destroy",
            "another-teams-network",
            DESTROY,
            {TIER: GUEST},
            {TIER: GUEST},
            {TIER: retired(GUEST)},
            leaves_nothing=True,
        ),
    ]
