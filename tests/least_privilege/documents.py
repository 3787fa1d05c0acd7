"""IAM policy documents: as tierctl prints them, and with parts taken out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from convergence.program import Project

#: What `iam-policy --for` takes.
COMMANDS = ("plan", "apply", "onboard", "offboard", "destroy")
#: Longest inline policies of a role, in characters without whitespace.
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LONGEST_INLINE = 10_240
LONGEST_MANAGED = 6_144

Document = dict[str, Any]
Statement = dict[str, Any]


#: What an administrator's role has.
ANYTHING: Document = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "Anything", "Effect": "Allow", "Action": "*", "Resource": "*"}],
}


def listed(value: Any) -> list[str]:
    """One of something is written without a list, too."""
    return [value] if isinstance(value, str) else list(value)


def printed(project: Project, command: str, tier: str | None) -> Document:
    """The document of a command, for a tier with a spec in the project or for any."""
    run = project.run("iam-policy", "--for", command, *([tier] if tier else []))
    if run.code != 0:
        raise RuntimeError(f"there is no document:\n{run.as_text()}")
    document: Document = json.loads(run.stdout)
    return document


def statements(document: Document) -> list[Statement]:
    found = document["Statement"]
    return [found] if isinstance(found, dict) else list(found)


def actions(document: Document) -> list[str]:
    """Each action once, in order."""
    return sorted({action for statement in statements(document) for action in listed(statement["Action"])})


def length(document: Document) -> int:
    """As IAM counts: without whitespace."""
    return len(re.sub(r"\s", "", json.dumps(document, separators=(",", ":"))))


@dataclass(frozen=True, order=True)
class Cut:
    """What is taken out of a document: an action, everywhere or in one statement only."""

    action: str
    sid: str | None = None

    def __str__(self) -> str:
        return f"{self.action} of {self.sid}" if self.sid else self.action

    def of(self, document: Document) -> Document:
        """The document without it; a statement of which nothing is left goes too."""
        left = []
        for statement in statements(document):
            kept = listed(statement["Action"])
            if self.sid in (None, statement["Sid"]):
                kept = [action for action in kept if action != self.action]
            if kept:
                left.append({**statement, "Action": kept})
        return {**document, "Statement": left}

    def is_in(self, document: Document) -> bool:
        return any(
            self.action in listed(statement["Action"]) and self.sid in (None, statement["Sid"])
            for statement in statements(document)
        )


def cuts(documents: Iterable[Document]) -> Iterator[Cut]:
    """Each action; and one that stands in several statements also in each of them alone, since one could be idle."""
    sids: dict[str, set[str]] = {}
    for document in documents:
        for statement in statements(document):
            for action in listed(statement["Action"]):
                sids.setdefault(action, set()).add(statement["Sid"])
    for action, found in sorted(sids.items()):
        yield Cut(action)
        if len(found) > 1:
            yield from (Cut(action, sid) for sid in sorted(found))


def form(document: Document) -> list[str]:
    """What holds of every document, whatever is in it."""
    problems = []
    names = [str(statement.get("Sid")) for statement in statements(document)]
    problems += [f"two statements are {name}" for name in sorted(set(names)) if names.count(name) > 1]
    problems += [f"{name} is no Sid" for name in names if not re.fullmatch(r"[A-Za-z0-9]+", name)]
    problems += [f"{action} has a wildcard" for action in actions(document) if "*" in action or "?" in action]
    for statement in statements(document):
        if statement["Effect"] != "Allow" or {"NotAction", "NotResource"} & set(statement):
            problems.append(f"{statement['Sid']} is not a plain allowance")
        given = listed(statement["Action"])
        problems += [
            f"{statement['Sid']} names {action} twice" for action in sorted(set(given)) if given.count(action) > 1
        ]
    if length(document) > LONGEST_INLINE:
        problems.append(
            f"it has {length(document):,} characters, and a role's inline policies at most {LONGEST_INLINE:,}"
        )
    return problems
