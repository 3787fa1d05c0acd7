"""One scenario set up: what an undisturbed run leaves, and copies of the bed to disturb a run on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import checks, equality, foreign, specs
from .bed import Bed
from .program import Project, Run, Specs
from .scenarios import APPLY, ONBOARD, Scenario


@dataclass
class Trial:
    """What was run in a case and what was wrong."""

    runs: list[Run] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def did(self, run: Run, problems: list[str]) -> Run:
        self.runs.append(run)
        self.problems += problems
        return run


class SetUpFailed(Exception):
    """An undisturbed run did not do what it should."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(said(trial))
        self.trial = trial


class Ground:
    """A bed with others' things in it, and nothing of ours."""

    def __init__(self, bed: Bed, ids: dict[str, str]) -> None:
        self.bed, self.ids = bed, ids

    @classmethod
    def make(cls) -> Ground:
        bed = Bed.start()
        bed.endpoint_services(specs.endpoint_services())
        return cls(bed, foreign.plant(bed))

    def close(self) -> None:
        self.bed.close()


class Prepared:
    """A bed in which the scenario's command can be run, with what it leaves where nothing disturbs it."""

    def __init__(self, binary: Path, ground: Ground, scenario: Scenario) -> None:
        self.binary, self.scenario, self.ids = binary, scenario, ground.ids
        self.bed = ground.bed.copy()
        try:
            self._set_up()
            self.reference, self.writes = self._undisturbed()
        except BaseException:
            self.bed.close()
            raise

    def close(self) -> None:
        self.bed.close()

    def filled(self, found: Specs) -> Specs:
        return {path: specs.filled(spec, self.ids) for path, spec in found.items()}

    def _set_up(self) -> None:
        theirs = foreign.things(self.bed.dump())
        with Project(self.binary, self.bed, self.filled(self.scenario.before)) as project:
            if self.scenario.before:
                must(project.run(*APPLY))
            if self.scenario.foreign_inside:
                before = foreign.things(self.bed.dump())
                foreign.plant_inside(self.bed)
                inside = foreign.added(before, foreign.things(self.bed.dump()))
                theirs = {kind: theirs.get(kind, []) + inside.get(kind, []) for kind in {*theirs, *inside}}
            if any(path.startswith("tenants/") for path in self.scenario.before):
                must(project.run(*ONBOARD))
        self.theirs = theirs
        self.bed.control(reset_counters=True)

    def _undisturbed(self) -> tuple[equality.Account, list[str]]:
        trial = Trial()
        with self.copy() as (bed, project):
            run = project.run(*self.scenario.command)
            trial.did(run, checks.ended(run, 0))
            writes = [f"{one['service']}:{one['action']}" for one in bed.writes()]
            self._look(trial, bed)
            self._plan(trial, bed, project)
            dump = bed.dump()
            if self.scenario.leaves_nothing:
                trial.problems += [f"{equality.named(one)} is left" for one in equality.owned(dump)]
        if bool(writes) == self.scenario.reads:
            trial.problems.append(f"the command wrote {len(writes)} times")
        if trial.problems:
            raise SetUpFailed(trial)
        return equality.account(dump), writes

    @contextmanager
    def copy(self) -> Iterator[tuple[Bed, Project]]:
        with self.bed.copy() as bed, Project(self.binary, bed, self.filled(self.scenario.specs)) as project:
            yield bed, project

    def _look(self, trial: Trial, bed: Bed) -> None:
        """After each command: what is not ours is as it was, and the bed itself is well."""
        dump = bed.dump()
        trial.problems += foreign.changed(self.theirs, dump)
        trial.problems += [f"the test bed failed: {text}" for text in bed.state()["crashes"]]

    def _plan(self, trial: Trial, bed: Bed, project: Project, after: Specs | None = None) -> None:
        """The plan of what the specs now say is empty, and to make it changed nothing."""
        after = self.scenario.after if after is None else after
        if after is not None:
            project.write(self.filled(after))
        before = bed.state()["write_count"]
        problems, run = checks.plan_is_empty(project)
        trial.did(run, problems)
        if bed.state()["write_count"] != before:
            trial.problems.append("the plan wrote to the account")

    def disturbed(self, trial: Trial, bed: Bed, run: Run, *codes: int, faults: int = 1) -> None:
        """What has to hold of a run that was disturbed: if it says that all is done, all is."""
        trial.did(run, checks.ended(run, *codes))
        self._look(trial, bed)
        if run.code == 0 and not self.scenario.reads:
            dump = bed.dump()
            wrong = equality.doubles(dump) or equality.differences(self.reference, equality.account(dump), faults)
            trial.problems += [f"it ended with 0, and {problem}" for problem in wrong]

    def raced(self, trial: Trial, bed: Bed, run: Run) -> None:
        """What has to hold of a run beside others."""
        trial.did(run, checks.of_racer(run))
        self._look(trial, bed)

    def converges(self, trial: Trial, bed: Bed, project: Project, faults: int, **same: bool) -> None:
        """A rerun finishes, the plan is empty, and the account is as if nothing had happened."""
        bed.release()
        run = project.run(*self.scenario.command)
        trial.did(run, checks.ended(run, 0))
        self._look(trial, bed)
        self.is_equal(trial, bed, project, self.reference, faults, **same)

    def is_equal(
        self,
        trial: Trial,
        bed: Bed,
        project: Project,
        expected: equality.Account,
        faults: int,
        after: Specs | None = None,
        **same: bool,
    ) -> None:
        """The plan is empty, nothing is there twice, and the account is as expected."""
        self._plan(trial, bed, project, after)
        dump = bed.dump()
        trial.problems += equality.doubles(dump)
        trial.problems += equality.differences(expected, equality.account(dump), faults, **same)


def must(run: Run) -> None:
    """A run that nothing disturbs is done."""
    trial = Trial()
    trial.did(run, checks.ended(run, 0))
    if trial.problems:
        raise SetUpFailed(trial)


def said(trial: Trial) -> str:
    """What was wrong, then what was run."""
    problems = "".join(f"- {problem}\n" for problem in trial.problems)
    return problems + "\n" + "\n".join(run.as_text() for run in trial.runs)
