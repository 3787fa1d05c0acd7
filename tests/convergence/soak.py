"""The soak: a random command on a random small estate, while a tenth of all requests fails.

A seed says everything: what stands, what is wanted, which command is run, and which requests fail. Beside that, requests
are throttled, what was just made cannot be seen yet, and new roles cannot be used yet.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import specs
from .bed import REGION, SLOW
from .cases import Case
from .program import Specs
from .scenarios import APPLY, DESTROY, ONBOARD, TIER, Scenario, group, retired
from .specs import ARTIFACTS, BIDDER, INTERNET, LOGS, PROFILES, Spec
from .sweeps import FAULTS, does_not_work
from .trial import Ground, Prepared, SetUpFailed, Trial

#: Of all requests, reads too.
FAILING = 0.1
#: The buckets are those that AWS publishes, by a clock that runs faster.
SETTINGS: dict[str, Any] = {**SLOW, "throttling": True, "time_scale": 4, "read_lag": 0.3, "role_delay": 0.5}
#: How full they are at first, as others have left them.
LEVELS = (0.0, 0.05, 0.2, 1.0)

SECRETS: Spec = {"name": "secrets", "service": "secretsmanager", "port": 443, "private_dns": True}
TABLES: Spec = {"name": "tables", "service": "dynamodb", "gateway": True}
COMMANDS = ("apply-new", "apply-change", "onboard-new", "onboard-change", "offboard", "destroy", "plan", "status")


def cases(binary: Path, ground: Ground, seeds: range) -> Iterator[Case]:
    for seed in seeds:
        scenario = random_scenario(seed)
        yield Case("soak", scenario.name, str(seed), _soaked(binary, ground, scenario, seed))


def _soaked(binary: Path, ground: Ground, scenario: Scenario, seed: int) -> Callable[[Trial], None]:
    def soaked(trial: Trial) -> None:
        try:
            prepared = Prepared(binary, ground, scenario)
        except SetUpFailed as failure:
            does_not_work(failure)(trial)
            return
        try:
            with prepared.copy() as (bed, project):
                each = FAILING / len(FAULTS)
                faults = [{"effect": effect, "reads": True, "rate": each, "times": 0} for effect in FAULTS]
                level = random.Random(f"level {seed}").choice(LEVELS)
                bed.control(settings={**SETTINGS, "bucket_level": level}, faults=faults, seed=seed)
                run = project.run(*scenario.command)
                prepared.disturbed(trial, bed, run, 0, 1, faults=bed.faults())
                if scenario.reads and bed.writes():
                    trial.problems.append("a command that reads wrote to the account")
                prepared.converges(trial, bed, project, bed.faults())
        finally:
            prepared.close()

    return soaked


def random_scenario(seed: int) -> Scenario:
    """The command and the estate of a seed."""
    rng = random.Random(f"scenario {seed}")
    kind = rng.choice(COMMANDS)
    before = Estate(rng)
    if kind == "apply-new":
        return Scenario("soak", kind, APPLY, before.tier_only())
    if kind == "apply-change":
        after = before.with_other_tier(rng)
        return Scenario("soak", kind, APPLY, after.specs(), before.specs(), foreign_inside=before.is_made and rng.random() < 0.5)
    if kind == "destroy":
        tier = before.tier_only()
        return Scenario("soak", kind, DESTROY, tier, tier, {TIER: retired(tier[TIER])}, leaves_nothing=True)
    inside = before.is_made and rng.random() < 0.5
    before.some_tenants(rng)
    if kind == "onboard-new":
        return Scenario("soak", kind, ONBOARD, before.specs(), before.tier_only(), foreign_inside=inside)
    if kind == "onboard-change":
        return Scenario("soak", kind, ONBOARD, before.with_other_tenants(rng).specs(), before.specs(), foreign_inside=inside)
    if kind == "offboard":
        gone = rng.sample(sorted(before.tenants), rng.randint(1, len(before.tenants)))
        left = {path: spec for path, spec in before.specs().items() if path.removeprefix("tenants/") not in gone}
        return Scenario("soak", kind, ("offboard", "--yes", *gone), before.specs(), before.specs(), left, foreign_inside=inside)
    command = ["plan", "--format", rng.choice(["text", "json"])] if kind == "plan" else ["status"]
    return Scenario("soak", kind, tuple(command), before.specs(), before.specs(), foreign_inside=inside, reads=True)


class Estate:
    """A random tier of one or two infra groups, and tenants in it."""

    def __init__(self, rng: random.Random) -> None:
        self.is_made = rng.random() < 0.85
        self.groups = rng.choice([1, 1, 1, 2]) if self.is_made else 1
        self.balancer: Spec = rng.choice([{}, INTERNET, {"certificate": specs.CERTIFICATE, "allow": ["10.0.0.0/8"]}])
        self.tenants: dict[str, Spec] = {}
        self.tier = self._tier(rng)
        if rng.random() < 0.5:
            self.some_tenants(rng)

    def _tier(self, rng: random.Random) -> Spec:
        possible = [BIDDER, rng.choice([PROFILES, {**PROFILES, "service": specs.OTHER_NAMED}]), LOGS, SECRETS, TABLES, ARTIFACTS]
        if rng.random() < 0.3:
            policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]}
            possible[-1] = {**ARTIFACTS, "policy": policy}
        downstreams = [one for one in possible if rng.random() < 0.5]
        spec = specs.tier(
            downstreams,
            egress=[
                {"cidr": f"10.{block}.0.0/16", "port": rng.choice([5432, 6379])}
                for block in rng.sample(range(100, 110), rng.randint(0, 2))
            ],
            roles={
                "task": {
                    "statements": [specs.statement(*rng.sample(["s3:GetObject", "s3:ListBucket", "s3:PutObject"], 2))]
                    if rng.random() < 0.7
                    else [],
                    "managed_policies": [specs.READ_ONLY] if rng.random() < 0.5 else [],
                },
                "execution": {"managed_policies": [specs.EXECUTION]},
            },
            tenants={"ports": rng.choice([[1024, 65535], [8000, 9999]])},
            monitoring={"log_retention_days": rng.choice([30, 90, 365])},
        )
        first = group(spec)
        if not self.is_made:
            first["vpc"] = {"id": "{vpc}", "subnets": ["{subnet-a}", "{subnet-b}"], "route_tables": ["{table}"]}
            first["load_balancer"] = {"listener": "{listener}", "priorities": [101, 150]}
            return spec
        balancer = self.balancer | ({"idle_timeout": rng.choice([60, 120, 300])} if rng.random() < 0.5 else {})
        zones = [f"{REGION}a", f"{REGION}b"]
        spec["cells"][0]["infra_groups"] = [
            {"name": f"ig-{number}", "vpc": {"cidr": f"10.{19 + number}.0.0/16", "zones": zones}, "load_balancer": balancer}
            for number in range(1, self.groups + 1)
        ]
        return spec

    def some_tenants(self, rng: random.Random) -> None:
        if not self.tenants:
            names = ["acme", "globex", "hooli", "initech"][: rng.randint(1, 3)]
            self.tenants = {name: self._tenant(rng, name, rng.random() < 0.65, rng.randint(1, self.groups)) for name in names}

    def _tenant(self, rng: random.Random, name: str, has_service: bool, number: int) -> Spec:
        placement = {"cell": "cell-1", "infra_group": f"ig-{number}"}
        route = {"path": [f"/{name}/v{rng.randint(1, 2)}/*"]} if rng.random() < 0.5 else None
        port = rng.choice([8080, 8080, 8080, 9090])
        check = {"path": rng.choice(["/healthz", "/ready"]), "interval": rng.choice([10, 30])}
        if has_service:
            spec = specs.service(
                name,
                route=route,
                environment={"CACHE": f"{name}-{rng.randint(1, 3)}.internal"} if rng.random() < 0.5 else None,
                port=port,
                image=f"registry.example.com/app:{rng.randint(1, 3)}",
                desired=rng.randint(1, 3),
                health_check=check,
            )
        else:
            network = f"10.{19 + number}.200" if self.is_made else "10.50.0"
            addresses = [f"{network}.{last}" for last in sorted(rng.sample(range(100, 110), rng.randint(1, 3)))]
            spec = specs.fleet(name, addresses, port=port, route=route, health_check=check)
        return {**spec, "placement": placement}

    def with_other_tier(self, rng: random.Random) -> Estate:
        """The same cells, groups and tenants, with all that can change in place drawn anew."""
        other = self._same()
        other.tier = self._tier(rng)
        return other

    def with_other_tenants(self, rng: random.Random) -> Estate:
        """The same tier; each tenant drawn anew where it lives."""
        other = self._same()
        for name, spec in self.tenants.items():
            number = int(spec["placement"]["infra_group"].rsplit("-", 1)[-1])
            other.tenants[name] = self._tenant(rng, name, "service" in spec, number)
        return other

    def _same(self) -> Estate:
        other = object.__new__(Estate)
        other.__dict__.update(self.__dict__)
        other.tenants = dict(self.tenants)
        return other

    def tier_only(self) -> Specs:
        return {TIER: self.tier}

    def specs(self) -> Specs:
        return {TIER: self.tier, **{f"tenants/{name}": spec for name, spec in self.tenants.items()}}
