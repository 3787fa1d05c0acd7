"""Onboarding, and one change to every tenant, at the rates that AWS publishes."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from estates import Estate, build, counted_by_account, set_accounts
from figures import Project
from measuring import AWS_LIKE, CONCURRENCY, LATENCY, MOST_TIME, Run, allowed_after, at, bed, copy_of, measure, table, verdict

ONBOARDED = (1, 50)
#: How much faster the buckets' clock runs where every tenant changes.
FASTER = 10
CHANGED = Estate(20, 2, 50)
IMAGE = ("ad-server:1.42.0", "ad-server:1.43.0")


def total(services: dict) -> int:
    return sum(count for actions in services.values() for count in actions.values())


def summary(accounts: dict[str, dict], run: Run) -> tuple[int, int, int, float, str]:
    """Calls, polls, refused requests, and the seconds that the fullest account's buckets ask for, with the bucket's name."""
    rates, rate = max(allowed_after(account["calls"]) for account in accounts.values())
    refused = sum(sum(account["refused"].values()) for account in accounts.values())
    return total(run.answer["run"]["calls"]), total(run.answer["run"]["polls"]), refused, rates, rate


def onboarding_section(binary: Path, folder: Path) -> list[str]:
    rows = []
    with bed(folder) as endpoint:
        project = build(Estate(1, 1, 0, with_roles=False), binary, folder, endpoint)
        for count in ONBOARDED:
            estate = Estate(1, 1, count, with_roles=False)
            estate.write(project)
            with copy_of(endpoint) as copy:
                set_accounts(estate, copy, AWS_LIKE)
                run = measure(at(project, copy, 1), "onboard", "--yes", "--api-share", "1", "tenants")
                calls, polls, refused, rates, rate = summary(counted_by_account(estate, copy), run)
            latency = calls * LATENCY / CONCURRENCY
            bound = max(rates, latency)
            rows.append(
                (
                    f"{count}",
                    f"{calls}",
                    f"{polls}",
                    f"{run.seconds:.2f} s",
                    f"{rates:.2f} s" + (f" ({rate})" if rate else ""),
                    f"{latency:.2f} s",
                    verdict(run.seconds, MOST_TIME * bound, " s") if rates else "",
                    f"{refused}",
                )
            )
    head = ("tenants", "calls", "polls", "time", "bound: AWS's rates", f"bound: calls × 60 ms / {CONCURRENCY}", "bar", "refused")
    return [
        "## Onboarding into one infra group",
        "",
        "`tierctl onboard --yes --api-share 1 tenants` into an infra group without tenants, 60 ms before every answer, at AWS's",
        "rates. Tasks start, and are healthy, at once. One tenant alone waits for no rate: its requests need each other's",
        "answers, and no bar is set.",
        "",
        *table(head, rows),
    ]


def change_image(estate: Estate, project: Project) -> None:
    for path, text in estate.tenant_specs():
        project.write(path, text.replace(*IMAGE))


def image_section(binary: Path, folder: Path) -> list[str]:
    estate = CHANGED
    with bed(folder) as endpoint:
        project = build(estate, binary, folder, endpoint)
        change_image(estate, project)
        set_accounts(estate, endpoint, AWS_LIKE | {"time_scale": FASTER})
        run = measure(at(project, endpoint, FASTER), "onboard", "--yes", "--api-share", "1", "tenants")
        accounts = counted_by_account(estate, endpoint)
        left = measure(at(project, endpoint, FASTER), "plan")
        if left.answer["changes"]:
            sys.exit(f"changes are left after all tenants have a new image: {left.answer['summary']}")
    calls, polls, refused, rates, rate = summary(accounts, run)
    counted: Counter[str] = Counter()
    for account in accounts.values():
        counted.update(account["calls"])
    many = ", ".join(f"{count:,} {name.split(':')[1]}" for name, count in counted.most_common(8))
    rows = [
        ("calls", f"{calls:,}"),
        ("polls", f"{polls:,}"),
        (f"time, with the buckets' clock {FASTER} times as fast", f"{run.seconds:.1f} s"),
        (f"what the buckets ask for by that clock ({rate})", f"{rates / FASTER:.1f} s"),
        ("what they ask for at AWS's rates", f"{rates:.0f} s"),
        (f"calls × 60 ms / {CONCURRENCY}", f"{calls * LATENCY / CONCURRENCY:.1f} s"),
        ("requests refused for their rate", f"{refused:,}"),
        ("processor time", f"{run.cpu:.1f} s"),
        ("memory at the peak", f"{run.memory:.0f} MB"),
    ]
    return [
        f"## A new image for {estate.total:,} tenants in {estate.accounts} accounts",
        "",
        "`tierctl onboard --yes --api-share 1 tenants` after a change of `image` in each of the files, 60 ms before every",
        "answer. Tasks start, and are healthy, at once.",
        "",
        *table(("", "figure"), rows),
        f"Most of what came: {many}.",
        "",
    ]
