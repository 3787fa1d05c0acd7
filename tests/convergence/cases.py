"""Cases: what is tried one by one, several at a time, and what came of it."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeVar

from .trial import Trial, said

T = TypeVar("T")
R = TypeVar("R")
#: Parts in the order in which they are run and shown.
PARTS = ("crash", "fault", "soak", "race")


@dataclass(frozen=True)
class Case:
    """One thing to try."""

    part: str
    scenario: str
    #: What is done to it: the fault and the write, or the seed.
    what: str
    run: Callable[[Trial], None]
    #: Called when it is over, whatever came of it.
    over: Callable[[], None] = lambda: None

    @property
    def id(self) -> str:
        return ":".join(part for part in (self.part, self.scenario, self.what) if part)


@dataclass(frozen=True)
class Result:
    """What came of a case."""

    case: Case
    seconds: float
    #: What was wrong, and what was run; empty where all was well.
    problems: list[str]
    transcript: str

    @property
    def converged(self) -> bool:
        return not self.problems

    def as_text(self, whole: bool = False) -> str:
        head = "".join(f"    {problem}\n" for problem in self.problems[: None if whole else 6])
        return f"{self.case.id}\n{head}    alone: {alone(self.case.id)}\n" + (f"\n{self.transcript}\n" if whole else "")


def alone(case: str) -> str:
    """The command that tries one case."""
    return f"make converge ARGUMENTS='--case {case}'"


def carry_out(case: Case) -> Result:
    trial, started = Trial(), time.monotonic()
    try:
        case.run(trial)
    except Exception:  # whatever it is, it is no reason to leave out the other cases
        trial.problems.append(f"the harness failed:\n{traceback.format_exc()}")
    finally:
        case.over()
    return Result(case, time.monotonic() - started, trial.problems, said(trial) if trial.problems else "")


def run_all(cases: Iterable[Case], jobs: int, tell: Callable[[Result], None]) -> list[Result]:
    """Runs cases as they come, so many at a time: those to come may take time to be set up."""
    results: list[Result] = []
    source, running = iter(cases), set[Future[Result]]()
    with ThreadPoolExecutor(jobs) as pool:
        while True:
            while len(running) < jobs and (case := next(source, None)) is not None:
                running.add(pool.submit(carry_out, case))
            if not running:
                return results
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                results.append(future.result())
                tell(results[-1])


def ahead(items: Iterable[T], make: Callable[[T], R]) -> Iterator[R]:
    """Makes each thing while the one before is being used."""
    with ThreadPoolExecutor(1) as pool:
        pending: Future[R] | None = None
        for item in items:
            following = pool.submit(make, item)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()


class Shared:
    """Something that several cases use, closed after the last."""

    def __init__(self, close: Callable[[], None]) -> None:
        self._close, self._users, self._lock = close, 0, threading.Lock()

    def taken(self, users: int) -> None:
        self._users = users
        if not users:
            self._close()

    def left(self) -> None:
        with self._lock:
            self._users -= 1
            last = self._users == 0
        if last:
            self._close()
