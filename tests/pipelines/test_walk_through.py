"""docs/pull-requests.md as it goes: from an empty account and repository, a tier and then its first tenant."""

from __future__ import annotations

from pathlib import Path

from convergence import specs
from convergence.bed import Bed

from .stand_in import Hub
from .world import World


def test_from_an_empty_repository(tmp_path: Path, binary: Path, hub: Hub) -> None:
    with Bed.start() as bed:
        bed.endpoint_services(specs.endpoint_services())
        world = World(tmp_path, binary, bed, hub, first={"README": "# nothing but workflows yet\n"})
        steps = [
            ("tier", "tiers/test", specs.tier(), 21),
            ("tenant", "tenants/acme", specs.service("acme", desired=1), 5),
        ]
        for number, (name, path, spec, changes) in enumerate(steps, 1):
            pull_request = world.open({path: spec}, name, number)
            plan = world.plan(pull_request)
            assert plan.is_success and plan.outputs["changes"] == str(changes), plan.summary
            assert bed.writes() == [] or number == 2
            world.approve(pull_request)
            world.merge(pull_request)
            job = world.apply()
            assert job.is_success and f"{changes} steps done" in job.summary
            assert len(hub.comments[number]) == 1
        assert world.drift().is_success and not hub.issues


def test_a_tier_with_its_first_tenant_in_one_pull_request(tmp_path: Path, binary: Path, hub: Hub) -> None:
    with Bed.start() as bed:
        bed.endpoint_services(specs.endpoint_services())
        world = World(tmp_path, binary, bed, hub, first={"README": "# nothing but workflows yet\n"})
        pull_request = world.open({"tiers/test": specs.tier(), "tenants/acme": specs.service("acme", desired=1)})
        assert world.plan(pull_request).outputs["changes"] == "26"
        world.approve(pull_request)
        world.merge(pull_request)
        job = world.apply()
        assert job.is_success and "26 steps done" in job.summary
