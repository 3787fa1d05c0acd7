"""What of all that can be tried is tried: everything, a fixed sample, a part, or one case."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import races, scenarios, soak, sweeps
from .cases import Case
from .scenarios import Scenario
from .sweeps import Choice
from .trial import Ground

#: Writes of a scenario that each effect of the sample meets.
SAMPLED_WRITES = 2


@dataclass(frozen=True)
class Extent:
    """How much is tried."""

    choose: Choice
    soaks: int
    #: Seeds of each race.
    races: int


def sampled(scenario: Scenario, effect: str, writes: int) -> Sequence[int]:
    """The same few writes each time, others for each effect, over the whole run."""
    rng = random.Random(f"{scenario.id} {effect}")
    parts = min(SAMPLED_WRITES, writes)
    return [rng.randint(part * writes // parts + 1, (part + 1) * writes // parts) for part in range(parts)]


FULL = Extent(sweeps.every, soaks=1000, races=25)
SAMPLE = Extent(sampled, soaks=24, races=2)


def cases(
    binary: Path, ground: Ground, extent: Extent, parts: Sequence[str], name: str = "", seed: int = 1, only: str | None = None
) -> Iterator[Case]:
    """The cases of some parts, of scenarios with that in their name; or only the case of that id."""
    if only:
        part, name, *what = only.split(":")
        parts = [part]
        if what[-1] == "undisturbed":
            extent = replace(extent, choose=lambda *_: [], races=0)
        elif part in sweeps.EFFECTS:
            effect, write = what[0], int(what[1])
            extent = replace(extent, choose=lambda _scenario, one, _writes: [write] if one == effect else [])
        else:
            seed, extent = int(what[0]), replace(extent, soaks=1, races=1)
    swept = [part for part in parts if part in sweeps.EFFECTS]
    chosen = [one for one in scenarios.all_scenarios() if name in one.id]
    if swept:
        yield from sweeps.cases(swept, binary, ground, chosen, extent.choose)
    if "soak" in parts:
        yield from (case for case in soak.cases(binary, ground, range(seed, seed + extent.soaks)) if name in case.scenario)
    if "race" in parts:
        running = [race for race in races.all_races() if name in race.scenario.name]
        yield from races.cases(binary, ground, running, range(seed, seed + extent.races))
