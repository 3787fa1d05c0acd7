"""The proofs: a document is enough, and nothing can be taken out of it."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from convergence import checks
from convergence.cases import Case, Result, carry_out
from convergence.trial import SetUpFailed, Trial, said

from . import roles
from .documents import Cut, Document, actions, cuts, form, length
from .scenarios import Scenario
from .stage import Ended, Left, Stage, World, claimed

#: What a command that is not allowed something ends with.
FAILED = (1, 3)
#: What an administrator's plan still has of a thing, where what a run said to have done is not so.
UNDONE = {"create": ("create", "update", "replace"), "update": ("update",), "delete": ("delete",)}


@dataclass
class Shown:
    """What was shown of a command's documents."""

    command: str
    stages: list[Stage] = field(default_factory=list)
    #: By scenario, how it ended with its document.
    ended: dict[str, Ended] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    #: What was taken out and tried, and what came of it.
    tried: dict[Cut, list[str]] = field(default_factory=dict)
    #: Of the document for a tier and of that for any.
    lengths: tuple[int, int] = (0, 0)

    @property
    def documents(self) -> list[Document]:
        return [stage.document for stage in self.stages]

    @property
    def cuts(self) -> list[Cut]:
        return list(cuts(self.documents))

    @property
    def actions(self) -> list[str]:
        return sorted({action for document in self.documents for action in actions(document)})

    @property
    def failures(self) -> list[str]:
        return [*self.problems, *(text for texts in self.tried.values() for text in texts)]

    def close(self) -> None:
        for stage in self.stages:
            stage.close()

    def users(self, cut: Cut) -> list[Stage]:
        """Where the action is asked for: first where a message is all that it is for, then the shortest run."""
        found = [
            stage
            for stage in self.stages
            if stage.scenario.id in self.ended
            and cut.action in self.ended[stage.scenario.id].actions
            and cut.is_in(stage.document)
        ]

        def cost(stage: Stage) -> tuple[bool, int, str]:
            scenario = stage.scenario
            return cut.action not in scenario.tells, self.ended[scenario.id].requests, scenario.id

        return sorted(found, key=cost)


def enough(world: World, command: str, scenarios: Iterable[Scenario], jobs: int) -> Shown:
    """Proof A: with its document every scenario of a command ends as it does for an administrator."""
    shown = Shown(command)

    def tried(scenario: Scenario) -> tuple[Stage | None, Ended | None, list[str]]:
        trial = Trial()
        try:
            stage = Stage(world, scenario)
        except SetUpFailed as failure:
            return None, None, [f"{scenario.id}: {failure}"]
        except Exception:
            return None, None, [f"{scenario.id}: the harness failed:\n{traceback.format_exc()}"]
        trial.problems += form(stage.document)
        with stage.on(stage.document) as bed:
            ended = stage.run(bed)
            stage.as_expected(trial, bed, ended)
        return stage, ended, _said(stage, trial)

    with ThreadPoolExecutor(jobs) as pool:
        for stage, ended, problems in pool.map(tried, [one for one in scenarios if one.part == command]):
            shown.problems += problems
            if stage is not None and ended is not None:
                shown.stages.append(stage)
                shown.ended[stage.scenario.id] = ended
    _of_any_tier(world, shown, jobs)
    return shown


def _of_any_tier(world: World, shown: Shown, jobs: int) -> None:
    """The same with the document for any tier, which is not for networks of others.

    Where it has to be quick, only until every action has been asked for with every kind of resource.
    """
    alone = [stage for stage in shown.stages if stage.scenario.is_alone]
    if not alone:
        return
    document = world.document(shown.command, alone[0].scenario.specs, None)
    shown.problems += [f"{shown.command} of any tier: {text}" for text in form(document)]
    shown.lengths = length(alone[0].document), length(document)
    asked: set[tuple[str, str]] = set()
    chosen = []
    for stage in sorted(alone, key=lambda one: (-len(shown.ended[one.scenario.id].used), one.scenario.id)):
        used = shown.ended[stage.scenario.id].used
        if not world.is_quick or used - asked:
            chosen.append(stage)
        asked |= used

    def tried(stage: Stage) -> list[str]:
        trial = Trial()
        with stage.on(document) as bed:
            stage.as_expected(trial, bed, stage.run(bed))
        return [f"of any tier: {text}" for text in _said(stage, trial)]

    with ThreadPoolExecutor(jobs) as pool:
        for problems in pool.map(tried, chosen):
            shown.problems += problems


def _said(stage: Stage, trial: Trial) -> list[str]:
    """What was wrong, with what the document lacks."""
    if trial.problems:
        trial.problems += [f"{action} is missing" for action in stage.lacks()]
    return [f"{stage.scenario.id}: {said(trial)}"] if trial.problems else []


def needed(shown: Shown, chosen: Iterable[Cut], jobs: int) -> None:
    """Proof B: without any one of its actions a command fails, and says which it is not allowed."""
    with ThreadPoolExecutor(jobs) as pool:
        chosen = list(chosen)
        for cut, problems in zip(chosen, pool.map(lambda cut: _without(shown, cut), chosen), strict=True):
            shown.tried[cut] = problems


def _without(shown: Shown, cut: Cut) -> list[str]:
    """What is wrong with a document without something, in the first scenario that shows it."""
    users = shown.users(cut)
    if not users:
        return [f"{shown.command}: {cut}: not shown: no scenario uses it"]
    # Not every user needs it: where it is in several statements another may do, and some refusals are got around.
    results: list[Result] = []
    for stage in users:
        results.append(
            carry_out(
                Case(shown.command, stage.scenario.name, str(cut), lambda trial, on=stage: _fails(on, cut, trial))
            )
        )
        if results[-1].converged:
            return []
        if results[-1].problems != [IDLE]:
            break
    last = results[-1]
    return [f"{shown.command}: without {cut}, in {last.case.scenario}: {'; '.join(last.problems)}\n{last.transcript}"]


IDLE = "it ends as if nothing had been taken out"


def _fails(stage: Stage, cut: Cut, trial: Trial) -> None:
    with stage.on(cut.of(stage.document)) as bed:
        ended = stage.run(bed)
        run = ended.run
        if cut.action in stage.scenario.tells:
            trial.did(run, checks.ended(run, stage.scenario.code, *FAILED))
            if stage.scenario.tells[cut.action] in run.words:
                trial.problems.append(f"it says {stage.scenario.tells[cut.action]!r} all the same")
            return
        if run.code == stage.scenario.code and cut.action not in run.words:
            trial.did(run, [IDLE])
            return
        trial.did(run, checks.ended(run, *FAILED))
        if cut.action not in run.words:
            trial.problems.append(f"it does not say that {cut.action} is not allowed")
        stage.harmless(trial, bed)
        # A run that wrote nothing has left all as it was for the proof before this one.
        if ended.writes or claimed(run):
            trial.problems += untrue(ended, stage.left(bed))
            roles.allow(bed, stage.document)
            stage.as_expected(trial, bed, stage.run(bed))


def untrue(ended: Ended, left: Left) -> Iterator[str]:
    """What a run says to have done, and a plan still has to do; but a revision that nothing runs yet is made again."""
    for identity, action in claimed(ended.run):
        is_again = identity[3] == "task_definition"
        if not is_again and left.changes.get(identity) in UNDONE.get(action, ()):
            name, still = " ".join(identity), left.changes[identity]
            yield f"it says {action} of {name} is done, and a plan has it still to {still}"
