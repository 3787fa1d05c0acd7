"""Sweeps: every write of a command disturbed once, each on a copy of what there was before.

The crash sweep kills the process as its Nth write is held, before it took effect or after. The fault sweep answers the
Nth write once with an error of the service or a cut connection, before or after its effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from .cases import Case, Shared, ahead
from .program import KILLED
from .scenarios import Scenario
from .trial import Ground, Prepared, SetUpFailed, Trial

CRASHES = ("hang-before", "hang-after")
FAULTS = ("error-before", "error-after", "drop-before", "drop-after")
EFFECTS = {"crash": CRASHES, "fault": FAULTS}

#: Which of so many writes of a scenario an effect meets.
Choice = Callable[[Scenario, str, int], Sequence[int]]


def every(_scenario: Scenario, _effect: str, writes: int) -> Sequence[int]:
    return range(1, writes + 1)


def cases(
    parts: Sequence[str], binary: Path, ground: Ground, scenarios: list[Scenario], choose: Choice = every
) -> Iterator[Case]:
    """The cases of sweeps; the next scenario is set up while the one before is swept."""

    def prepare(scenario: Scenario) -> Prepared | SetUpFailed:
        try:
            return Prepared(binary, ground, scenario)
        except SetUpFailed as failure:
            return failure

    for scenario, prepared in zip(scenarios, ahead(scenarios, prepare), strict=True):
        if isinstance(prepared, SetUpFailed):
            yield from (Case(part, scenario.id, "undisturbed", does_not_work(prepared)) for part in parts)
            continue
        chosen = [
            (part, effect, write)
            for part in parts
            for effect in EFFECTS[part]
            for write in choose(scenario, effect, len(prepared.writes))
        ]
        shared = Shared(prepared.close)
        shared.taken(len(chosen))
        for part, effect, write in chosen:
            yield Case(part, scenario.id, f"{effect}:{write}", _disturbed(part, prepared, effect, write), shared.left)


def does_not_work(failure: SetUpFailed) -> Callable[[Trial], None]:
    """A case that stands for all that could not be tried."""

    def run(trial: Trial) -> None:
        trial.problems += ["it does not do its work undisturbed either", *failure.trial.problems]
        trial.runs += failure.trial.runs

    return run


def _disturbed(part: str, prepared: Prepared, effect: str, write: int) -> Callable[[Trial], None]:
    def run(trial: Trial) -> None:
        with prepared.copy() as (bed, project):
            bed.control(faults=[{"effect": effect, "nth_write": write}])
            if part == "fault":
                prepared.disturbed(trial, bed, project.run(*prepared.scenario.command), 0, 1)
            else:
                running = project.start(*prepared.scenario.command)
                while not bed.is_held(0.2) and not running.is_over():
                    pass
                running.kill()
                # In another order of requests it may have had fewer: then it ended, and nothing was held.
                prepared.disturbed(trial, bed, running.ends(), KILLED, 0)
            if not bed.faults() and bed.state()["write_count"] >= write:
                trial.problems.append(f"write {write} was not disturbed")
            prepared.converges(trial, bed, project, faults=1)

    return run
