"""Races: separate processes at work on the same things at once, at offsets that a seed says."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import checks, equality, specs
from .bed import SLOW, Bed
from .cases import Case, Shared, ahead
from .program import Project, Run, Specs
from .scenarios import ACME, APPLY, ONBOARD, PLAIN, TIER, WHOLE, Scenario
from .sweeps import does_not_work
from .trial import Ground, Prepared, SetUpFailed, Trial

PLACES = 3
EIGHT = [f"tenant-{number}" for number in range(1, 9)]
CROWDED = {**PLAIN, "downstreams": [], "tenants": {"max_per_infra_group": PLACES}}
#: Seconds between the first process and the last; a run alone takes about half as long.
SPREAD = 1.0

ONE = ("onboard", "--yes", "tenants/acme.yaml")
LEAVE = ("offboard", "--yes", "acme")


@dataclass(frozen=True)
class Race:
    """What is run at once, and what has to be there after one rerun."""

    scenario: Scenario
    racers: tuple[tuple[str, ...], ...]
    #: What finishes it, where that is not the scenario's command: a function of trial, bed and project.
    finish: Callable[[Prepared, Trial, Bed, Project], None] | None = None
    #: Settings of the bed that are not drawn.
    settings: dict[str, float] = field(default_factory=dict)


def _fill_the_places(prepared: Prepared, trial: Trial, bed: Bed, project: Project) -> None:
    """One rerun of all: as many live there as there are places, each of them whole, and nothing of the others."""
    run = project.run(*ONBOARD)
    trial.did(run, checks.ended(run, 3))
    if not checks.REASON.search(run.words):
        trial.problems.append(f"`{run.command}` gave no reason")
    living = sorted({identity[4] for identity in equality.owned(bed.dump()) if identity[4]})
    if len(living) != PLACES:
        trial.problems.append(f"{len(living)} tenants live in {PLACES} places: {', '.join(living)}")
    only: Specs = {TIER: CROWDED, **{f"tenants/{name}": specs.service(name) for name in living}}
    if len(living) > PLACES:
        return
    with prepared.copy() as (other, undisturbed):
        undisturbed.write(prepared.filled(only))
        expected = undisturbed.run(*ONBOARD)
        trial.did(expected, checks.ended(expected, 0))
        reference = equality.account(other.dump())
    prepared.is_equal(trial, bed, project, reference, len(EIGHT), only, same_places=False, same_revisions=False)


def all_races() -> list[Race]:
    lived_in: Specs = {TIER: PLAIN, "tenants/acme": ACME}
    newer: Specs = {TIER: PLAIN, "tenants/acme": specs.service("acme", image="registry.example.com/ad-server:2.0")}
    empty: Specs = {TIER: PLAIN}
    eight: Specs = {TIER: CROWDED, **{f"tenants/{name}": specs.service(name) for name in EIGHT}}

    def race(name: str, command: tuple[str, ...], wanted: Specs, before: Specs, after: Specs | None = None) -> Scenario:
        return Scenario("race", name, command, wanted, before, after, foreign_inside=bool(before))

    return [
        Race(race("two-applies-of-a-new-tier", APPLY, {TIER: WHOLE}, {}), (APPLY, APPLY)),
        # The rest of the specs cannot be placed, so the scenario's own command is that of the first three.
        Race(
            race(
                "eight-tenants-for-three-places",
                ("onboard", "--yes", *(f"tenants/{name}.yaml" for name in EIGHT[:PLACES])),
                eight,
                {TIER: CROWDED},
                {path: spec for path, spec in eight.items() if path.removeprefix("tenants/") not in EIGHT[PLACES:]},
            ),
            tuple(("onboard", "--yes", f"tenants/{name}.yaml") for name in EIGHT),
            _fill_the_places,
        ),
        Race(race("one-tenant-onboarded-twice", ONE, lived_in, empty), (ONE, ONE)),
        Race(race("new-tenant-onboarded-and-offboarded", ONE, lived_in, empty), (ONE, LEAVE)),
        Race(race("tenant-changed-and-offboarded", ONE, newer, lived_in), (ONE, LEAVE)),
        Race(race("tenant-offboarded-and-changed", LEAVE, newer, lived_in, empty), (LEAVE, ONE)),
    ]


def cases(binary: Path, ground: Ground, races: list[Race], seeds: range) -> Iterator[Case]:
    def prepare(race: Race) -> Prepared | SetUpFailed:
        try:
            return Prepared(binary, ground, race.scenario)
        except SetUpFailed as failure:
            return failure

    for race, prepared in zip(races, ahead(races, prepare), strict=True):
        if isinstance(prepared, SetUpFailed):
            yield Case("race", race.scenario.name, "undisturbed", does_not_work(prepared))
            continue
        shared = Shared(prepared.close)
        shared.taken(len(seeds))
        for seed in seeds:
            yield Case("race", race.scenario.name, str(seed), _raced(race, prepared, seed), shared.left)


def _raced(race: Race, prepared: Prepared, seed: int) -> Callable[[Trial], None]:
    def run(trial: Trial) -> None:
        rng = random.Random(f"{race.scenario.name} {seed}")
        settings = {"latency": rng.choice([0, 0.005, 0.02, 0.05]), **(SLOW if rng.random() < 0.5 else {}), **race.settings}
        # At the same moment, or one after the other somewhere in the run of the first.
        starts = sorted(rng.choice([0, SPREAD]) * rng.random() for _ in race.racers)
        racers = list(race.racers)
        rng.shuffle(racers)
        with prepared.copy() as (bed, project):
            bed.control(settings=settings)
            for ended in _at_once(project, list(zip(starts, racers, strict=True))):
                prepared.raced(trial, bed, ended)
            bed.release()
            if race.finish:
                race.finish(prepared, trial, bed, project)
            else:
                prepared.converges(trial, bed, project, faults=len(race.racers), same_revisions=False)

    return run


def _at_once(project: Project, starts: list[tuple[float, tuple[str, ...]]]) -> list[Run]:
    """Runs commands at once, each started after so many seconds."""
    begun, running = time.monotonic(), []
    for start, arguments in starts:
        time.sleep(max(0.0, begun + start - time.monotonic()))
        running.append(project.start(*arguments))
    return [one.ends() for one in running]
