"""Sweeps: every write of a command disturbed once, each on a copy of what there was before.

The crash sweep kills the process as its Nth write is held, before it took effect or after. The fault sweep answers the
Nth write once with an error of the service or a cut connection, before or after its effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from .cases import Case, Shared, ahead
from .program import KILLED
from .scenarios import Scenario
from .trial import Ground, Prepared, SetUpFailed, Trial

CRASHES = ("hang-before", "hang-after")
FAULTS = ("error-before", "error-after", "drop-before", "drop-after")
EFFECTS = {"crash": CRASHES, "fault": FAULTS}



def every(_scenario: str, writes: int) -> list[int]:
    return list(range(1, writes + 1))


def cases(part: str, binary: Path, ground: Ground, scenarios: list[Scenario], choose: Callable[[Scenario, str, int], list[int]]) -> Iterator[Case]:
    """The cases of a sweep; the next scenario is set up while the one before is swept."""

    def prepare(scenario: Scenario) -> Prepared | SetUpFailed:
        try:
            return Prepared(binary, ground, scenario)
        except SetUpFailed as failure:
            return failure

    for scenario, prepared in zip(scenarios, ahead(scenarios, prepare), strict=True):
        if isinstance(prepared, SetUpFailed):
            yield Case(part, scenario.id, "undisturbed", _failed(prepared))
            continue
        chosen = [(effect, write) for effect in EFFECTS[part] for write in choose(scenario, effect, len(prepared.writes))]
        shared = Shared(prepared.close)
        shared.taken(len(chosen))
        for effect, write in chosen:
            yield Case(part, scenario.id, f"{effect}:{write}", _disturbed(part, prepared, effect, write), shared.left)


def _failed(failure: SetUpFailed) -> Callable[[Trial], None]:
    def run(trial: Trial) -> None:
        trial.problems.append(f"it does not do its work undisturbed either:\n{failure}")

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
                ended = running.ends()
                # In another order of requests it may have had fewer: then it ended, and nothing was held.
                prepared.disturbed(trial, bed, ended, KILLED, 0)
            prepared.converges(trial, bed, project, faults=1)

    return run
