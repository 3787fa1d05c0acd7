"""Plans without changes: single estates, and how their figures grow with the number of tenants."""

from __future__ import annotations

import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import floor
from estates import Estate, build, counted_by_account, set_accounts
from figures import ROOT, Project
from growth_plot import Panel, draw
from load import record, replay
from measuring import (
    AWS_LIKE,
    CONCURRENCY,
    LATENCY,
    MOST_CALLS,
    MOST_CPU,
    MOST_MEMORY,
    MOST_TIME,
    TENANTS,
    Run,
    allowed_after,
    at,
    bed,
    copy_of,
    measure,
    table,
    verdict,
)

#: A run shorter than this is measured more than once, and the median counts: others use the machine too.
SHORT, REPEATS = 40.0, 3


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
    #: Of other depths, by the flag that asks for it.
    depths: dict[str, Run]
    rates: float
    rate: str
    emulator: float
    #: The same with as many requests at once as tierctl has under way in all accounts together.
    crowded: float

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


DEPTHS = ("--quick", "--deep")


def measured(
    project: Project, estate: Estate, endpoint: str, settings: dict, time_scale: float, *arguments: str, repeats: int = REPEATS
) -> tuple[list[Run], dict]:
    """Runs of a plan, each in a copy of the bed, and what the accounts counted in the last of them."""
    runs: list[Run] = []
    while len(runs) < repeats:
        with copy_of(endpoint) as copy:
            set_accounts(estate, copy, settings)
            runs.append(measure(at(project, copy, time_scale), *PLAN, *arguments))
            accounts = counted_by_account(estate, copy)
        if runs[-1].answer["changes"]:
            sys.exit(f"a plan that should be empty is not: {runs[-1].answer['summary']}")
        if runs[-1].seconds > SHORT:
            break
    return runs, accounts


def plan_without_changes(estate: Estate, binary: Path, folder: Path, endpoint: str, with_bare: bool = True) -> Plan:
    started = time.perf_counter()
    project = build(estate, binary, folder, endpoint)
    built = time.perf_counter() - started
    with copy_of(endpoint) as copy:
        requests = record(copy, [str(binary), *PLAN], str(project.folder), project.environment)
        emulator = replay(copy, requests, CONCURRENCY)
        crowded = replay(copy, requests, CONCURRENCY * estate.accounts)
    bare_runs = measured(project, estate, endpoint, {}, 1000)[0] if with_bare else []
    runs, accounts = measured(project, estate, endpoint, AWS_LIKE, 1)
    depths = {flag: measured(project, estate, endpoint, AWS_LIKE, 1, flag, repeats=1)[0][0] for flag in DEPTHS if with_bare}
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
        depths=depths,
        rates=rates,
        rate=rate,
        emulator=emulator,
        crowded=crowded,
    )


def plan_rows(plan: Plan) -> list[tuple[str, ...]]:
    calls, least = sum(plan.calls.values()), sum(plan.floor.values())
    rows: list[tuple[str, ...]] = [
        ("calls", f"{calls:,}", f"floor {least:,}", verdict(calls, MOST_CALLS * least, "")),
        ("time", f"{plan.seconds:.2f} s", f"bound {plan.bound:.2f} s", verdict(plan.seconds, MOST_TIME * plan.bound, " s")),
        ("bound: AWS's rates", f"{plan.rates:.2f} s", plan.rate, ""),
        (f"bound: calls × {LATENCY * 1000:.0f} ms / {CONCURRENCY}", f"{plan.latency:.2f} s", "", ""),
        ("bound: the emulator alone", f"{plan.emulator:.2f} s", f"{sum(plan.counted.values()):,} requests", ""),
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
    if plan.estate.accounts > 1:
        at_once = CONCURRENCY * plan.estate.accounts
        rows.append(("beside it: the emulator alone", f"{plan.crowded:.2f} s", f"{at_once} requests at once, as tierctl has them", ""))
    judged = plan.estate.total <= TENANTS
    rows += [
        ("processor time", f"{plan.cpu:.2f} s", "", verdict(plan.cpu, MOST_CPU, " s") if judged else ""),
        ("memory at the peak", f"{plan.memory:.0f} MB", "", verdict(plan.memory, MOST_MEMORY, " MB") if judged else ""),
    ]
    return rows


def depth_rows(plan: Plan) -> list[tuple[str, ...]]:
    runs = [("", plan.runs[-1]), *plan.depths.items()]
    return [
        (f"`{' '.join(['plan', flag]).strip()}`", f"{sum(run.calls.values()):,}", f"{run.seconds:.2f} s", f"{run.cpu:.2f} s", f"{run.memory:.0f} MB")
        for flag, run in runs
    ]


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
    listed = ", ".join(f"{count} {name}" for name, count in uncounted.items())
    notes = [f"The emulator counted, beyond what tierctl says: {listed}.", ""] if uncounted else []
    return [
        f"## A plan without changes: {title}",
        "",
        f"`tierctl {' '.join(PLAN)}` of an estate that tierctl had built in {plan.build_seconds:.0f} s.",
        "",
        *table(("", "figure", "", "bar"), plan_rows(plan), left=(0, 2, 3)),
        *table(("action", "calls", "floor", "above", "why so often"), rows, left=(0, 4)),
        "How closely a plan looks, and what that takes with latency and rates; what each of them sees is in the "
        "[README](../README.md#how-closely-a-plan-looks):",
        "",
        *table(("", "calls", "time", "processor time", "memory at the peak"), depth_rows(plan)),
        *notes,
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


PICTURE = ROOT / "docs" / "scale-growth.svg"
GROWTH = (
    Estate(1, 1, 50),
    Estate(1, 2, 50),
    Estate(2, 2, 50),
    Estate(5, 2, 50),
    Estate(10, 2, 50),
    Estate(20, 2, 50),
    Estate(50, 2, 50),
)


def growth_section(binary: Path, folder: Path, picture: Path | None) -> list[str]:
    """The same estate, grown from one size to the next; its picture too, if a file is given for it."""
    with bed(folder) as endpoint:
        plans = [plan_without_changes(estate, binary, folder, endpoint, with_bare=False) for estate in GROWTH]
    tenants = [plan.estate.total for plan in plans]
    judged = [total for total in tenants if total <= TENANTS]
    if picture:
        bar, many = f"bar, up to {TENANTS:,} tenants", len(judged)
        calls = [sum(plan.calls.values()) for plan in plans]
        floors = [sum(plan.floor.values()) for plan in plans]
        draw(
            tenants,
            [
                Panel("Calls", calls, "floor", floors, tenants),
                Panel("Seconds", [plan.seconds for plan in plans], "bound", [plan.bound for plan in plans], tenants),
                Panel("Seconds of processor time", [plan.cpu for plan in plans], bar, [MOST_CPU] * many, judged),
                Panel("Megabytes at the peak", [plan.memory for plan in plans], bar, [MOST_MEMORY] * many, judged),
            ],
            picture,
        )
    rows = []
    for plan in plans:
        is_judged = plan.estate.total <= TENANTS
        rows.append(
            (
                f"{plan.estate.total:,}",
                f"{plan.estate.accounts}",
                f"{sum(plan.calls.values()):,}",
                f"{sum(plan.floor.values()):,}",
                f"{plan.seconds:.2f}",
                f"{plan.bound:.2f}",
                f"{plan.cpu:.2f}" + (" **OVER**" if is_judged and plan.cpu > MOST_CPU else ""),
                f"{plan.memory:.0f}" + (" **OVER**" if is_judged and plan.memory > MOST_MEMORY else ""),
            )
        )
    head = ("tenants", "accounts", "calls", "floor", "seconds", "bound", "processor seconds", "megabytes")
    return [
        "## How a plan without changes grows",
        "",
        f"`tierctl {' '.join(PLAN)}`, {LATENCY * 1000:.0f} ms before every answer, at AWS's rates. Bars for processor time and",
        f"memory hold up to {TENANTS:,} tenants.",
        "",
        f"![Calls, time, processor time and memory of a plan of 50 to {tenants[-1]:,} tenants]({PICTURE.name})",
        "",
        *table(head, rows, left=()),
    ]
