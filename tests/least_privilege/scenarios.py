"""What is run with each command's document: together the scenarios of a command use every action of it.

Most are those of the proof of convergence, which already make, change, replace and remove everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from convergence import specs
from convergence.bed import REGION, Bed
from convergence.program import Specs
from convergence.scenarios import (
    ACME,
    APPLY,
    CHANGED_TIER,
    DESTROY,
    FLEET,
    GUEST,
    ONBOARD,
    PLAIN,
    TENANTS,
    TIER,
    WHOLE,
    all_scenarios,
    changed,
    retired,
    with_group,
)
from convergence.scenarios import Scenario as Disturbed
from convergence.specs import Spec

from . import meanwhile

PLAN = ("plan", "--format", "json")


@dataclass(frozen=True)
class Scenario(Disturbed):
    """`part` is what `iam-policy --for` takes."""

    #: What others have done before.
    others: Callable[[Bed], None] | None = None
    #: How it ends for an administrator.
    code: int = 0
    #: Whether the plan of what the specs say is empty afterwards.
    settles: bool = True

    @property
    def is_alone(self) -> bool:
        """Whether it is in a network that tierctl makes: documents for any tier are for these."""
        return "id" not in self.specs[TIER]["cells"][0]["infra_groups"][0]["vpc"]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The command, so that it says what it has done in a form that can be looked through."""
        return self.command if self.reads else (*self.command, "--format", "json")


#: Which document a scenario of the proof of convergence is for, where its part is no command.
PARTS = {"change": "apply", "replacement": "apply"}


def _as_before(scenario: Disturbed) -> Scenario:
    values = {field.name: getattr(scenario, field.name) for field in fields(scenario)}
    part = "onboard" if scenario.command == ONBOARD else PARTS.get(scenario.part, scenario.part)
    name = scenario.name if part == scenario.part else f"{scenario.part}-{scenario.name}"
    return Scenario(**{**values, "part": part, "name": name})


def _zones(*letters: str) -> Spec:
    return {"cidr": "10.20.0.0/16", "zones": [REGION + letter for letter in letters]}


def _reading() -> list[Scenario]:
    lived_in: Specs = {TIER: WHOLE, **TENANTS}
    guest: Specs = {TIER: GUEST, "tenants/acme": ACME}

    def reads(name: str, command: tuple[str, ...], now: Specs, before: Specs, others: Callable[[Bed], None] | None = None) -> Scenario:
        return Scenario("plan", name, command, now, before, reads=True, settles=False, others=others)

    return [
        reads("of-nothing", PLAN, lived_in, {}),
        reads("of-all", PLAN, lived_in, lived_in, meanwhile.tenants_were_changed),
        reads("of-another-teams-network", PLAN, guest, guest),
        reads("status", ("status", "--format", "json"), lived_in, lived_in, meanwhile.scalable_target_was_made),
    ]


def _applying() -> list[Scenario]:
    before: Specs = {TIER: WHOLE}
    bare = changed(
        with_group(specs.tier([]), load_balancer={**specs.INTERNET, "certificate": None}), egress=[], roles={"execution": {}}
    )
    del bare["cells"][0]["infra_groups"][0]["load_balancer"]["certificate"]
    bounded = changed(WHOLE, roles__task__permissions_boundary=specs.POWER_USER, roles__execution__permissions_boundary=None)
    wider = with_group(PLAIN, vpc=_zones("a", "b", "c"))
    one_retired = changed(PLAIN)
    other_group = {**PLAIN["cells"][0]["infra_groups"][0], "name": "ig-2", "vpc": specs.made_vpc("10.22.0.0/16")}
    one_retired["cells"][0]["infra_groups"].append(other_group)
    without = changed(one_retired)
    without["cells"][0]["infra_groups"] = [one_retired["cells"][0]["infra_groups"][0], {**other_group, "retired": True}]

    def applies(name: str, now: Spec, others: Callable[[Bed], None] | None = None, was: Spec = WHOLE) -> Scenario:
        return Scenario("apply", name, APPLY, {TIER: now}, {TIER: was}, others=others)

    return [
        applies("removal-of-parts", bare),
        applies("boundaries", bounded),
        applies("another-zone", wider, was=PLAIN),
        applies("a-zone-less", PLAIN, was=wider),
        applies("roles-changed", WHOLE, meanwhile.roles_were_changed),
        applies("network-rewired", WHOLE, meanwhile.network_was_rewired),
        applies("gateway-detached", WHOLE, meanwhile.gateway_was_detached),
        applies("load-balancer-moved", WHOLE, meanwhile.load_balancer_was_moved),
        applies("tags-taken", WHOLE, meanwhile.tags_were_taken),
        applies("infra-group-retired", without, was=one_retired),
        Scenario("apply", "tier-retired", APPLY, {TIER: retired(WHOLE)}, before),
        Scenario("apply", "another-teams-network-changed", APPLY, {TIER: _other_guest()}, {TIER: GUEST}),
    ]


def _other_guest() -> Spec:
    """The same guest with other downstreams, in one subnet less."""
    guest = changed(GUEST, downstreams=[{**specs.BIDDER, "port": 9443}, specs.LOGS])
    return guest


def _onboarding() -> list[Scenario]:
    lived_in: Specs = {TIER: PLAIN, **TENANTS}
    guest: Specs = {TIER: GUEST, "tenants/acme": ACME}
    spot = specs.service("acme", capacity_providers=[{"name": "FARGATE"}, {"name": "FARGATE_SPOT", "weight": 3}])
    broken = specs.service("acme", image="registry.example.com/missing:2.0", deployment={"rollback": False})
    stays: Specs = {TIER: PLAIN, "tenants/fleet": FLEET}
    insights = changed(PLAIN, monitoring__container_insights="enhanced")

    def onboards(name: str, now: Specs, others: Callable[[Bed], None] | None = None, was: Specs = lived_in) -> Scenario:
        return Scenario("onboard", name, ONBOARD, now, was, others=others)

    return [
        onboards("tenants-drifted", lived_in, meanwhile.tenants_were_changed),
        onboards("rules-moved", guest, meanwhile.rules_were_moved, guest),
        onboards("tags-taken", lived_in, meanwhile.tags_were_taken),
        onboards("capacity-providers", {TIER: PLAIN, "tenants/acme": spot}, was={TIER: PLAIN, "tenants/acme": ACME}),
        Scenario("onboard", "image-missing", ONBOARD, {TIER: PLAIN, "tenants/acme": broken}, {TIER: PLAIN}, code=1, settles=False),
        Scenario("onboard", "prune", (*ONBOARD[:2], "--prune", "tenants"), stays, lived_in),
    ]


def _leaving() -> list[Scenario]:
    guest: Specs = {TIER: GUEST, "tenants/acme": ACME}
    offboard = ("offboard", "--yes", "acme")
    return [
        Scenario("offboard", "another-teams-listener", offboard, guest, guest, {TIER: GUEST}),
        Scenario("destroy", "after-much-change", DESTROY, {TIER: CHANGED_TIER}, {TIER: CHANGED_TIER}, {TIER: retired(CHANGED_TIER)}),
    ]


def scenarios() -> list[Scenario]:
    """All, by command."""
    before = [_as_before(one) for one in all_scenarios()]
    return sorted([*before, *_reading(), *_applying(), *_onboarding(), *_leaving()], key=lambda one: _ORDER.index(one.part))


_ORDER = ("plan", "apply", "onboard", "offboard", "destroy")
