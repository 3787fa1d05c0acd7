"""A scenario with its world set up, as an administrator and with a document."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convergence import checks, foreign, specs
from convergence.bed import Bed
from convergence.program import Project, Run, Specs, plan_of
from convergence.scenarios import APPLY, ONBOARD, TIER
from convergence.trial import Ground, SetUpFailed, Trial, must

from . import roles
from .documents import ANYTHING, Document, actions, printed
from .scenarios import PLAN, Scenario

#: AWS's rates are not what this is about.
FAST = {"TIERCTL_API_TIME_SCALE": "1000"}
#: What a plan says that is about the account, and not about the run.
OF_THE_ACCOUNT = ("summary", "changes", "unclaimed")

Identity = tuple[str, ...]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    run: Run
    #: Each action that was asked for, with a kind of resource.
    used: frozenset[tuple[str, str]]
    requests: int
    writes: int

    @property
    def actions(self) -> frozenset[str]:
        return frozenset(action for action, _ in self.used)


@dataclass(frozen=True)
class Left:
    """What an administrator's plan says that is to be done, and what no spec names."""

    changes: dict[Identity, str] = field(default_factory=dict)
    unclaimed: list[Identity] = field(default_factory=list)

    def __str__(self) -> str:
        words = [f"{action} {' '.join(identity)}" for identity, action in self.changes.items()]
        words += [f"unclaimed {' '.join(identity)}" for identity in self.unclaimed]
        return ", ".join(words) or "nothing"


def _identity(thing: dict[str, Any]) -> Identity:
    return tuple(str(thing[name]) for name in ("cell", "infra_group", "tenant", "kind", "name"))


def _kind(arn: str) -> str:
    """A resource's type, as the ARN has it: `vpc`, `listener-rule`, `log-group`."""
    return arn.split(":", 5)[-1].replace(":", "/").split("/")[0]


def claimed(run: Run) -> list[tuple[Identity, str]]:
    """What a run says that it has done: things, and what was done to them."""
    try:
        outcome = json.loads(run.stdout)
    except ValueError:
        return []
    return [(_identity(step), step["action"]) for step in outcome.get("done", [])]


class World:
    """A bed with others' things in it, and who runs tierctl."""

    def __init__(self, binary: Path, is_quick: bool = False) -> None:
        self.binary, self.ground = binary, Ground.make()
        self.bed, self.ids = self.ground.bed, self.ground.ids
        #: Whether an administrator's run is taken for granted where it should leave nothing to do.
        self.is_quick = is_quick
        self.credentials = roles.make(self.bed)
        self._lived_in: dict[str, Bed] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        for bed in self._lived_in.values():
            bed.close()
        self.ground.close()

    def lived_in(self, before: Specs, foreign_inside: bool) -> Bed:
        """The bed in which specs have been made real, and others have things in the midst of them: once for all."""
        name = json.dumps([before, foreign_inside], sort_keys=True)
        with self._lock:
            if name not in self._lived_in:
                self._lived_in[name] = self._settled(before, foreign_inside)
            return self._lived_in[name]

    def _settled(self, before: Specs, foreign_inside: bool) -> Bed:
        bed = self.bed.copy()
        try:
            with self.administrator(bed, before) as project:
                if before:
                    must(project.run(*APPLY))
                if foreign_inside:
                    foreign.plant_inside(bed)
                if any(path.startswith("tenants/") for path in before):
                    must(project.run(*ONBOARD))
        except BaseException:
            bed.close()
            raise
        return bed

    def filled(self, found: Specs) -> Specs:
        return {path: specs.filled(spec, self.ids) for path, spec in found.items()}

    def administrator(self, bed: Bed, found: Specs) -> Project:
        return Project(self.binary, bed, self.filled(found), FAST)

    def limited(self, bed: Bed, found: Specs) -> Project:
        """The same specs, entered through the role."""
        return Project(self.binary, bed, roles.entering(self.filled(found)), FAST | self.credentials)

    def document(self, command: str, found: Specs, tier: str | None) -> Document:
        """What tierctl prints for a tier of the specs, or for any."""
        with self.limited(self.bed, found) as project:
            return printed(project, command, tier)


class Stage:
    """A bed in which a scenario's command can be run."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self.world, self.scenario = world, scenario
        self.bed = world.lived_in(scenario.before, scenario.foreign_inside).copy()
        try:
            self._set_up()
            self.document = world.document(scenario.part, scenario.specs, scenario.specs[TIER]["tier"])
            is_certain = world.is_quick and scenario.settles
            #: What an administrator's run leaves to do, and what it says if it is a plan.
            self.expected, self.said = (Left(), None) if is_certain else self._administrators()
        except BaseException:
            self.bed.close()
            raise

    def close(self) -> None:
        self.bed.close()

    def _set_up(self) -> None:
        scenario = self.scenario
        if scenario.others:
            scenario.others(self.bed)
        self.theirs = _theirs(self.bed)
        self.bed.control(settings={"enforce_policies": True}, reset_counters=True)

    def _administrators(self) -> tuple[Left, dict[str, Any] | None]:
        trial = Trial()
        with self.bed.copy() as bed, self.world.administrator(bed, self.scenario.specs) as project:
            run = project.run(*self.scenario.arguments)
            trial.did(run, checks.ended(run, self.scenario.code))
            left = self.left(bed)
        if self.scenario.settles and left != Left():
            trial.problems.append(f"an administrator's run leaves {left}")
        if trial.problems:
            raise SetUpFailed(trial)
        return left, plan_of(run) if self.scenario.command == PLAN else None

    @contextmanager
    def on(self, document: Document) -> Iterator[Bed]:
        """A copy in which the role has a document."""
        with self.bed.copy() as bed:
            roles.allow(bed, document)
            yield bed

    def run(self, bed: Bed) -> Ended:
        """The command with the role as it is."""
        bed.control(reset_counters=True)
        with self.world.limited(bed, self.scenario.specs) as project:
            run = project.run(*self.scenario.arguments)
        requests = bed.requests()
        pairs = [pair for one in requests for pair in one.get("authorized") or [] if pair["action"] != "sts:AssumeRole"]
        used = frozenset((pair["action"], _kind(pair["resource"])) for pair in pairs)
        return Ended(run, used, len(requests), sum(bool(one["write"]) for one in requests))

    def left(self, bed: Bed) -> Left:
        """By a plan of an administrator; one that only reads leaves all as it is."""
        if self.scenario.reads:
            return Left()
        with self.world.administrator(bed, self.scenario.after or self.scenario.specs) as project:
            plan = plan_of(project.run(*PLAN))
        changes = {_identity(change): change["action"] for change in plan["changes"]}
        return Left(changes, [_identity(one) for one in plan["unclaimed"]])

    def as_expected(self, trial: Trial, bed: Bed, ended: Ended) -> None:
        """It ended as for an administrator, and left as little to do."""
        trial.did(ended.run, checks.ended(ended.run, self.scenario.code))
        self.harmless(trial, bed)
        if self.scenario.reads and ended.writes:
            trial.problems.append("it wrote")
        left = self.left(bed)
        if left != self.expected:
            trial.problems.append(f"it leaves {left}, and an administrator's run {self.expected}")
        for action, text in self.scenario.tells.items():
            if text not in ended.run.words:
                trial.problems.append(f"it does not say {text!r}, for which it has {action}")
        if self.said is not None:
            said = plan_of(ended.run)
            for name in OF_THE_ACCOUNT:
                if said.get(name) != self.said.get(name):
                    trial.problems.append(
                        f"{name}: an administrator's plan says {self.said.get(name)}, not {said.get(name)}"
                    )

    def lacks(self) -> list[str]:
        """The actions that the command asks for where it may do anything, and its document does not have."""
        with self.on(ANYTHING) as bed:
            return sorted(self.run(bed).actions - set(actions(self.document)) - {"sts:GetCallerIdentity"})

    def harmless(self, trial: Trial, bed: Bed) -> None:
        """What is not ours is as it was, and the bed itself is well."""
        trial.problems += foreign.changed(self.theirs, roles.without_role(bed.dump()))
        trial.problems += [f"the test bed failed: {text}" for text in bed.state()["crashes"]]


def _theirs(bed: Bed) -> dict[str, list[str]]:
    """Others' things, as `foreign.things` has them: what has none of our tags and is named as theirs."""
    found = foreign.things(roles.without_role(bed.dump()))
    return {
        kind: [text for text in texts if "theirs" in text and "tierctl:" not in text] for kind, texts in found.items()
    }
