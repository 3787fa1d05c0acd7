"""What has to hold of a run: how it ends, what it says, and that a plan after it is empty."""

from __future__ import annotations

import re

from .program import Project, Run, plan_of

PANIC = re.compile(r"panicked at|stack backtrace|RUST_BACKTRACE|tierctl failed in this step")
#: Errors as Rust's debug form prints them, which says nothing to a user.
SDK_DUMP = re.compile(
    r"\b(SdkError|DispatchFailure|ServiceError|ConnectorError|ResponseError|TimeoutError|ConstructionFailure|ErrorMetadata"
    r"|Unhandled|SdkBody|StatusCode|Extensions|HttpConnectorError|CredentialsNotLoaded|ProviderError|RawResponse)\s*[({]"
)
#: What a message says where nothing is wrong but the moment.
TRY_AGAIN = re.compile(r"run the same command again|run again|runs? it again|try again")
#: And where sending it again cannot help.
HOPELESS = re.compile(r"correct the spec|report this")
#: Why a run that failed nowhere did not do all: something is refused, or somebody else has to act.
REASON = re.compile(r"blocked|waits? for somebody else|is full|no place|held by|not tierctl's")


def of_output(run: Run) -> list[str]:
    """No panic, and no error that was printed as it came."""
    problems = []
    for what, pattern in (("a panic", PANIC), ("an error of the SDK, raw", SDK_DUMP)):
        found = pattern.search(run.text)
        if found:
            problems.append(f"`{run.command}` printed {what}: {found[0]}")
    return problems


def ended(run: Run, *codes: int) -> list[str]:
    """It ended, with one of these codes, and said so decently."""
    problems = of_output(run)
    if run.code is None:
        problems.append(f"`{run.command}` did not end")
    elif run.code not in codes:
        problems.append(f"`{run.command}` ended with {run.code} and not with {' or '.join(map(str, codes))}")
    if run.code == 1 and not run.text.strip():
        problems.append(f"`{run.command}` failed and said nothing")
    return problems


def of_racer(run: Run) -> list[str]:
    """A process beside others ends with 0, with 3 and the reason, or with 1 and a message that a rerun would succeed."""
    problems = ended(run, 0, 1, 3)
    if run.code == 3 and not REASON.search(run.words):
        problems.append(f"`{run.command}` ended with 3 and gave no reason")
    if run.code == 1 and (not TRY_AGAIN.search(run.words) or HOPELESS.search(run.words)):
        problems.append(f"`{run.command}` ended with 1 and did not say that a rerun would succeed")
    return problems


def plan_is_empty(project: Project) -> tuple[list[str], Run]:
    """A plan of all specs has nothing to do and knows nothing of ours that no spec names."""
    run = project.run("plan", "--format", "json")
    problems = ended(run, 0)
    plan = plan_of(run)
    if not plan:
        return [*problems, "there is no plan"], run
    counts = {name: count for name, count in plan["summary"].items() if name != "unchanged" and count}
    if counts or plan["changes"]:
        what = [f"{change['action']} {change['kind']} {change['name']}" for change in plan["changes"]]
        problems.append(f"the plan is not empty: {counts}: {', '.join(what)}")
    if plan["unclaimed"]:
        problems.append(f"the plan finds things that no spec names: {plan['unclaimed']}")
    return problems, run
