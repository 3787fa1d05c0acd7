"""Runs of tierctl in copies of the emulated AWS: what they take, and what AWS's rates would allow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from estates import SETTINGS
from figures import ROOT, Project, ask, megabytes, start_bed

sys.path.insert(0, str(ROOT / "tests"))
from testbed.buckets import RATES, categories  # noqa: E402
from testbed.wire import Incoming  # noqa: E402

LATENCY = 0.06
AWS_LIKE = {"latency": LATENCY, "throttling": True, "time_scale": 1}
#: What --parallelism is unless given.
CONCURRENCY = 16
#: Calls as a multiple of the floor, time as a multiple of the bound; seconds of processor time and megabytes up to so many
#: tenants.
MOST_CALLS, MOST_TIME, MOST_CPU, MOST_MEMORY, TENANTS = 1.05, 1.15, 3.0, 150.0, 2000


@dataclass(frozen=True)
class Run:
    """One run of tierctl: what it answered, and what it took."""

    answer: dict
    seconds: float
    cpu: float
    memory: float

    @property
    def calls(self) -> dict[str, int]:
        return by_action(self.answer["run"]["calls"])


def by_action(services: dict) -> dict[str, int]:
    return {f"{service}:{action}": count for service, actions in services.items() for action, count in actions.items()}


def measure(project: Project, *arguments: str) -> Run:
    command = [str(project.binary), *arguments, "--format", "json"]
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        child = subprocess.Popen(command, cwd=project.folder, env=project.environment, stdin=subprocess.DEVNULL, stdout=output)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            sys.exit(f"tierctl {' '.join(arguments)} ended with {child.returncode}")
        output.seek(0)
        return Run(json.load(output), seconds, usage.ru_utime + usage.ru_stime, megabytes(usage))


@contextmanager
def bed(folder: Path) -> Iterator[str]:
    process, endpoint = start_bed(folder, "--config", json.dumps(SETTINGS))
    try:
        yield endpoint
    finally:
        process.terminate()
        process.wait()


@contextmanager
def copy_of(endpoint: str) -> Iterator[str]:
    """The bed as it is, with full buckets, for one measurement."""
    copy = ask(endpoint, "copies", {})
    try:
        yield copy["url"]
    finally:
        os.kill(copy["pid"], signal.SIGTERM)


def at(project: Project, endpoint: str, time_scale: float) -> Project:
    """The same specs, with another bed."""
    other = Project(project.binary, project.folder, endpoint)
    other.environment["TIERCTL_API_TIME_SCALE"] = str(time_scale)
    return other


def allowed_after(calls: dict[str, int]) -> tuple[float, str]:
    """Seconds that an account's buckets take to let so many requests through, and which of them takes longest."""
    drawn: Counter[tuple[str, str]] = Counter()
    for name, count in calls.items():
        service, action = name.split(":")
        # What is asked for in pages has the larger bucket.
        for bucket in categories(Incoming("", service, "", action, b"MaxResults=")):
            drawn[bucket] += count
    waits = [((count - RATES[rate][0]) / RATES[rate][1], rate) for (rate, _), count in drawn.items()]
    seconds, rate = max(waits, default=(0.0, ""))
    return max(seconds, 0.0), rate if seconds > 0 else ""


def verdict(value: float, most: float, unit: str) -> str:
    return f"{'within' if value <= most else '**OVER**'} {most:,.{0 if most >= 100 else 2}f}{unit}"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], left: tuple[int, ...] = (0,)) -> list[str]:
    line = "|" + "|".join("---" if column in left else "---:" for column in range(len(head))) + "|"
    return ["| " + " | ".join(head) + " |", line, *("| " + " | ".join(row) + " |" for row in rows), ""]
