"""How tierctl does as estates grow: `make scale`, or `scale.py BINARY [--markdown] [PART ...]`.

Each figure stands beside what cannot be beaten: requests beside the floor of floor.py, time beside the bound. The AWS is the
test bed's, with 60 ms before every answer and the rates that AWS publishes, and once more without either.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import floor
from estates import SETTINGS, Estate, build, counted_by_account, set_accounts
from figures import ROOT, Project, ask, machine, megabytes, start_bed
from load import record, replay

sys.path.insert(0, str(ROOT / "tests"))
from testbed.buckets import RATES, categories  # noqa: E402
from testbed.wire import Incoming  # noqa: E402

COMMAND = "make scale ARGUMENTS=--markdown"
DOCUMENT = ROOT / "docs" / "scale.md"

LATENCY = 0.06
AWS_LIKE = {"latency": LATENCY, "throttling": True, "time_scale": 1}
#: What --parallelism is unless given.
CONCURRENCY = 16
#: A run shorter than this is measured more than once, and the median counts: others use the machine too.
SHORT, REPEATS = 15.0, 3
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
    command = [project.binary, *arguments, "--format", "json"]
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


@dataclass(frozen=True)
class Plan:
    """A plan without changes of an estate, with AWS's latency and rates and without either, and what bounds it."""

    estate: Estate
    build_seconds: float
    calls: dict[str, int]
    floor: dict[str, int]
    counted: Counter[str]
    refused: int
    runs: list[Run]
    bare_runs: list[Run]
    rates: float
    rate: str
    emulator: float

    @property
    def latency(self) -> float:
        return sum(self.calls.values()) * LATENCY / CONCURRENCY

    @property
    def bound(self) -> float:
        return max(self.rates, self.latency, self.emulator)

    @property
    def seconds(self) -> float:
        return statistics.median(run.seconds for run in self.runs)

    @property
    def bare_seconds(self) -> float:
        return statistics.median(run.seconds for run in self.bare_runs)

    @property
    def cpu(self) -> float:
        return statistics.median(run.cpu for run in self.runs)

    @property
    def memory(self) -> float:
        return max(run.memory for run in [*self.runs, *self.bare_runs])


PLAN = ("plan", "--api-share", "1")


def measured(project: Project, estate: Estate, endpoint: str, settings: dict, time_scale: float) -> tuple[list[Run], dict]:
    """Runs of a plan, each in a copy of the bed, and what the accounts counted in the last of them."""
    runs: list[Run] = []
    while len(runs) < REPEATS:
        with copy_of(endpoint) as copy:
            set_accounts(estate, copy, settings)
            runs.append(measure(at(project, copy, time_scale), *PLAN))
            accounts = counted_by_account(estate, copy)
        if runs[-1].answer["changes"]:
            sys.exit(f"a plan that should be empty is not: {runs[-1].answer['summary']}")
        if runs[-1].seconds > SHORT:
            break
    return runs, accounts


def plan_without_changes(estate: Estate, binary: Path, folder: Path, endpoint: str) -> Plan:
    started = time.perf_counter()
    project = build(estate, binary, folder, endpoint)
    built = time.perf_counter() - started
    with copy_of(endpoint) as copy:
        quick = project.environment
        requests = record(copy, [str(binary), *PLAN], str(project.folder), quick)
        emulator = replay(copy, requests, CONCURRENCY)
    bare_runs, _ = measured(project, estate, endpoint, {}, 1000)
    runs, accounts = measured(project, estate, endpoint, AWS_LIKE, 1)
    rates, rate = max(allowed_after(account["calls"]) for account in accounts.values())
    counted: Counter[str] = Counter()
    for account in accounts.values():
        counted.update(account["calls"])
    return Plan(
        estate=estate,
        build_seconds=built,
        calls=runs[-1].calls,
        floor=floor.floor(estate.things()),
        counted=counted,
        refused=sum(sum(account["refused"].values()) for account in accounts.values()),
        runs=runs,
        bare_runs=bare_runs,
        rates=rates,
        rate=rate,
        emulator=emulator,
    )


def verdict(value: float, most: float, unit: str) -> str:
    return f"{'within' if value <= most else '**OVER**'} {most:,.{0 if most >= 100 else 2}f}{unit}"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]], left: tuple[int, ...] = (0,)) -> list[str]:
    line = "|" + "|".join("---" if column in left else "---:" for column in range(len(head))) + "|"
    return ["| " + " | ".join(head) + " |", line, *("| " + " | ".join(row) + " |" for row in rows), ""]


def plan_rows(plan: Plan) -> list[tuple[str, ...]]:
    calls, least = sum(plan.calls.values()), sum(plan.floor.values())
    rows = [
        ("calls", f"{calls:,}", f"floor {least:,}", verdict(calls, MOST_CALLS * least, "")),
        ("time", f"{plan.seconds:.2f} s", f"bound {plan.bound:.2f} s", verdict(plan.seconds, MOST_TIME * plan.bound, " s")),
        ("bound: AWS's rates", f"{plan.rates:.2f} s", plan.rate, ""),
        (f"bound: calls × {LATENCY * 1000:.0f} ms / {CONCURRENCY}", f"{plan.latency:.2f} s", "", ""),
        ("bound: the emulator alone", f"{plan.emulator:.2f} s", f"{len_of(plan):,} requests", ""),
        (
            "beside it: requests that need each other's answers",
            f"{floor.CHAIN * LATENCY:.2f} s",
            f"{floor.CHAIN} × {LATENCY * 1000:.0f} ms",
            "",
        ),
        ("requests refused for their rate", f"{plan.refused}", "", ""),
        (
            "time without latency and rates",
            f"{plan.bare_seconds:.2f} s",
            f"bound {plan.emulator:.2f} s",
            verdict(plan.bare_seconds, MOST_TIME * plan.emulator, " s"),
        ),
    ]
    judged = plan.estate.total <= TENANTS
    rows += [
        ("processor time", f"{plan.cpu:.2f} s", "", verdict(plan.cpu, MOST_CPU, " s") if judged else ""),
        ("memory at the peak", f"{plan.memory:.0f} MB", "", verdict(plan.memory, MOST_MEMORY, " MB") if judged else ""),
    ]
    return rows


def len_of(plan: Plan) -> int:
    return sum(plan.counted.values())


def plan_text(title: str, plan: Plan) -> list[str]:
    actions = [(line.action, line.reason, line.page) for line in floor.LINES]
    known = {action for action, _, _ in actions}
    actions += [(action, "not in the floor", "") for action in sorted(plan.calls) if action not in known]
    rows = []
    for action, reason, page in actions:
        calls, least = plan.calls.get(action, 0), plan.floor.get(action, 0)
        above = f"{calls - least:+,}" if calls != least else ""
        rows.append((f"`{action}`", f"{calls:,}", f"{least:,}", above, f"[{reason}]({page})" if page else reason))
    uncounted = {action: count - plan.calls.get(action, 0) for action, count in plan.counted.items()}
    uncounted = {action: count for action, count in sorted(uncounted.items()) if count}
    notes = [f"The emulator counted, beyond what tierctl says: {', '.join(f'{count} {name}' for name, count in uncounted.items())}.", ""]
    return [
        f"### {title}",
        "",
        f"Built by tierctl in {plan.build_seconds:.0f} s.",
        "",
        *table(("", "figure", "", "bar"), plan_rows(plan), left=(0, 2, 3)),
        *table(("action", "calls", "floor", "above", "why so often"), rows, left=(0, 4)),
        *(notes if uncounted else []),
    ]


ESTATES = {
    "one-group": ("1 infra group with 50 tenants", Estate(1, 1, 50, with_roles=False)),
    "accounts": ("20 accounts, each of 2 infra groups with 50 tenants", Estate(20, 2, 50)),
    "one-account": ("40 infra groups with 50 tenants in one account", Estate(1, 40, 50, with_roles=False)),
}


def estate_section(name: str, binary: Path, folder: Path) -> list[str]:
    title, estate = ESTATES[name]
    with bed(folder) as endpoint:
        plan = plan_without_changes(estate, binary, folder, endpoint)
    return plan_text(title, plan)


def main() -> int:
    parts = {name: (lambda name=name: (lambda binary, folder: estate_section(name, binary, folder)))() for name in ESTATES}
    parser = argparse.ArgumentParser(
        description="Measures tierctl on estates up to thousands of tenants.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="parts:\n" + "\n".join(f"  {name:<12} {title}" for name, (title, _) in ESTATES.items()),
    )
    parser.add_argument("binary", type=Path, help="the tierctl to measure")
    parser.add_argument("parts", nargs="*", metavar="PART", help="only these; the list is below")
    parser.add_argument("--markdown", action="store_true", help=f"also write {DOCUMENT.relative_to(ROOT)}")
    options = parser.parse_args()
    if unknown := [part for part in options.parts if part not in parts]:
        parser.error(f"no {', '.join(unknown)}; there are {', '.join(parts)}")
    if options.parts and options.markdown:
        parser.error("the document is about all parts: --markdown goes without them")
    binary = options.binary.resolve()
    text = ["# Scale", "", f"Printed and written by `{COMMAND}`; do not edit.", "", f"{machine(binary)}.", ""]
    print("\n".join(text))
    for part in options.parts or parts:
        with tempfile.TemporaryDirectory(prefix="tierctl-scale.") as folder:
            section = parts[part](binary, Path(folder))
        print("\n".join(section), flush=True)
        text += section
    if options.markdown:
        DOCUMENT.write_text("\n".join(text), encoding="utf-8")
    return int("**OVER**" in "\n".join(text))


if __name__ == "__main__":
    sys.exit(main())
