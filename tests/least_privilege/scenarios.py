"""What is run with each command's document: together the scenarios of a command use every action of it.

Most are those of the proof of convergence, which already make, change, replace and remove everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from convergence import specs
from convergence.bed import REGION, Bed
from convergence.program import Specs
from convergence.scenarios import (
    ACME,
    APPLY,
    CHANGED_ACME,
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
#: Where something is never going to go.
BRIEFLY = ("--timeout", "3s")
#: Containers are watched, which others can switch off.
INSIGHTS = changed(PLAIN, monitoring__container_insights="enhanced")


@dataclass(frozen=True)
class Scenario(Disturbed):
    """`part` is what `iam-policy --for` takes."""

    #: What others have done before.
    others: Callable[[Bed], None] | None = None
    #: How it ends for an administrator.
    code: int = 0
    #: Whether the plan of what the specs say is empty afterwards.
    settles: bool = True
    #: What it says only thanks to an action, where it goes on without: by action, part of the message.
    tells: dict[str, str] = field(default_factory=dict)

    @property
    def is_alone(self) -> bool:
        """Whether it is in a network that tierctl makes: documents for any tier are for these."""
        return "id" not in self.specs[TIER]["cells"][0]["infra_groups"][0]["vpc"]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The command, so that what it has done can be looked through, and it does not wait for long."""
        if self.reads:
            return self.command
        waits = () if "--timeout" in self.command else ("--timeout", "20s")
        return (*self.command, *waits, "--format", "json")


#: Which document a scenario of the proof of convergence is for, where its part is no command.
PARTS = {"change": "apply", "replacement": "apply"}


def _as_before(scenario: Disturbed) -> Scenario:
    values = {one.name: getattr(scenario, one.name) for one in fields(scenario)}
    part = "onboard" if scenario.command == ONBOARD else PARTS.get(scenario.part, scenario.part)
    name = scenario.name if part == scenario.part else f"{scenario.part}-{scenario.name}"
    return Scenario(**{**values, "part": part, "name": name})


def _zones(*letters: str) -> Spec:
    return {"cidr": "10.20.0.0/16", "zones": [REGION + letter for letter in letters]}


def _reading() -> list[Scenario]:
    lived_in: Specs = {TIER: WHOLE, **TENANTS}
    guest: Specs = {TIER: GUEST, "tenants/acme": ACME}

    tuned: Specs = {TIER: INSIGHTS, "tenants/acme": CHANGED_ACME}

    def reads(name: str, command: tuple[str, ...], now: Specs, before: Specs, **more: Any) -> Scenario:
        return Scenario("plan", name, command, now, before, reads=True, settles=False, **more)

    return [
        reads("of-nothing", PLAN, lived_in, {}),
        reads("of-all", PLAN, tuned, tuned, others=meanwhile.tenants_were_changed),
        reads("quick", (*PLAN, "--quick"), lived_in, lived_in),
        reads("of-another-teams-network", PLAN, guest, guest),
        reads(
            "of-an-endpoint-that-waits",
            ("plan",),
            {TIER: PLAIN},
            {TIER: PLAIN},
            others=meanwhile.an_endpoint_waits,
            code=3,
            tells={"ec2:DescribeVpcEndpointServices": specs.OWNER},
        ),
        reads("status", ("status", "--format", "json"), lived_in, lived_in, others=meanwhile.scalable_target_was_made),
    ]


def _applying() -> list[Scenario]:
    before: Specs = {TIER: WHOLE}
    bare = with_group(specs.tier([], egress=[], roles={"execution": {}}), load_balancer=specs.INTERNET)
    bounded = changed(
        WHOLE, roles__task__permissions_boundary=specs.POWER_USER, roles__execution__permissions_boundary=None
    )
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
        applies("tags-taken", WHOLE, meanwhile.tiers_tags_were_taken),
        applies("infra-group-retired", without, was=one_retired),
        Scenario("apply", "tier-retired", APPLY, {TIER: retired(WHOLE)}, before),
        Scenario(
            "apply",
            "still-used",
            ("apply", "--yes", *BRIEFLY, "tiers"),
            {TIER: retired(WHOLE)},
            before,
            others=meanwhile.things_are_used,
            code=1,
            settles=False,
            tells=STILL_USED,
        ),
        Scenario("apply", "role-half-made", APPLY, {TIER: WHOLE}, others=meanwhile.an_answer_will_be_lost),
        applies("another-teams-network-drifted", GUEST, meanwhile.endpoints_were_narrowed, GUEST),
        Scenario("apply", "another-teams-network-changed", APPLY, {TIER: _other_guest()}, {TIER: GUEST}),
    ]


def _other_guest() -> Spec:
    """The same guest with other downstreams."""
    return changed(GUEST, downstreams=[{**specs.BIDDER, "port": 9443}, specs.LOGS])


def _onboarding() -> list[Scenario]:
    lived_in: Specs = {TIER: PLAIN, **TENANTS}
    guest: Specs = {TIER: GUEST, "tenants/acme": ACME}
    broken = specs.service("acme", image="registry.example.com/missing:2.0", deployment={"rollback": False})
    stays: Specs = {TIER: PLAIN, "tenants/fleet": FLEET}
    tuned: Specs = {TIER: INSIGHTS, "tenants/acme": ACME}
    prune = ("onboard", "--yes", "--prune", *BRIEFLY, "tenants")

    def onboards(name: str, now: Specs, others: Callable[[Bed], None] | None = None, was: Specs = lived_in) -> Scenario:
        return Scenario("onboard", name, ONBOARD, now, was, others=others)

    return [
        onboards("tenants-drifted", tuned, meanwhile.tenants_were_changed, tuned),
        onboards("rules-moved", guest, meanwhile.rules_were_moved, guest),
        onboards("tags-taken", lived_in, meanwhile.tenants_tags_were_taken),
        Scenario(
            "onboard",
            "image-missing",
            ONBOARD,
            {TIER: PLAIN, "tenants/acme": broken},
            {TIER: PLAIN},
            code=1,
            settles=False,
            tells={"ecs:DescribeTasks": "CannotPullContainerError", "ecs:ListTasks": "CannotPullContainerError"},
        ),
        Scenario("onboard", "prune", prune, stays, lived_in),
        *_kept_by_others("onboard", prune, stays, lived_in),
    ]


#: What refuses to be deleted says what uses it.
STILL_USED = {
    "ec2:DescribeNetworkInterfaces": "network interface eni-",
    "iam:ListInstanceProfilesForRole": meanwhile.PROFILE,
}


def _kept_by_others(part: str, command: tuple[str, ...], now: Specs, before: Specs) -> list[Scenario]:
    """A tenant's cluster cannot be deleted, since something of theirs is in it."""

    def kept(name: str, code: int, others: Callable[[Bed], None], tells: dict[str, str]) -> Scenario:
        return Scenario(part, name, command, now, before, code=code, settles=False, others=others, tells=tells)

    return [
        kept(
            "service-of-theirs",
            3,
            meanwhile.a_service_was_added,
            {"ecs:ListServices": f"not this tenant's: {meanwhile.STRAY}"},
        ),
        kept("task-of-theirs", 1, meanwhile.a_task_was_started, {"ecs:ListTasks": "tasks still run in it"}),
    ]


def _leaving() -> list[Scenario]:
    lived_in: Specs = {TIER: PLAIN, "tenants/acme": ACME}
    guest: Specs = {TIER: GUEST, "tenants/acme": ACME}
    offboard = ("offboard", "--yes", "acme")
    return [
        *_kept_by_others("offboard", ("offboard", "--yes", *BRIEFLY, "acme"), lived_in, lived_in),
        Scenario("offboard", "another-teams-listener", offboard, guest, guest, {TIER: GUEST}),
        Scenario(
            "destroy",
            "still-used",
            ("destroy", "--yes", "--delete-logs", *BRIEFLY, "test"),
            {TIER: WHOLE},
            {TIER: WHOLE},
            others=meanwhile.things_are_used,
            code=1,
            settles=False,
            tells=STILL_USED,
        ),
        Scenario(
            "destroy",
            "after-much-change",
            DESTROY,
            {TIER: CHANGED_TIER},
            {TIER: CHANGED_TIER},
            {TIER: retired(CHANGED_TIER)},
        ),
    ]


def scenarios() -> list[Scenario]:
    """All, by command."""
    before = [_as_before(one) for one in all_scenarios()]
    return sorted(
        [*before, *_reading(), *_applying(), *_onboarding(), *_leaving()], key=lambda one: _ORDER.index(one.part)
    )


_ORDER = ("plan", "apply", "onboard", "offboard", "destroy")
