"""What GitHub and GitLab have in common: a place for comments and issues that remembers which plan was reviewed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from inputs import Root
from rest import Refused


class Blocked(Exception):
    """Nothing failed, and it may not go on: the step ends with exit code 3 and says what to do."""


@dataclass(frozen=True)
class Post:
    """A comment or an issue that we have written ourselves."""

    id: int
    body: str


@dataclass(frozen=True)
class Reviewed:
    """The file of a plan that was reviewed, and whose it was."""

    data: bytes
    sha256: str
    #: What it is of, in words.
    source: str


class Forge(Protocol):
    """Where the repository lives."""

    #: Longest comment, in bytes.
    comment_bytes: int
    #: What a token needs for each of the things that are done with it.
    needs: dict[str, str]

    def why_no_plan(self) -> str | None:
        """Why this pull request cannot get to AWS; nothing if it can."""

    def is_on_pull_request(self) -> bool: ...

    def head(self) -> str:
        """The commit that is reviewed."""

    def run_link(self) -> str: ...

    def run_number(self) -> str:
        """By which `plan_of_run` finds it."""

    def comments(self) -> Iterator[Post]:
        """Our own comments on this pull request."""

    def create_comment(self, body: str) -> str | None:
        """Returns what to say of it, if anything."""

    def update_comment(self, post: Post, body: str) -> None: ...

    def record(self, root: Root, state: str, text: str) -> None:
        """Keeps a plan's digest with the commit that it was made for, where that cannot be changed afterwards."""

    def reviewed_plan(self, root: Root) -> Reviewed:
        """The plan of the pull request that this commit was merged from, as it was when it was merged."""

    def plan_of_run(self, root: Root, run: str, sha256: str) -> Reviewed:
        """The plan that a run has kept, and somebody has named with its digest."""

    def issues(self, label: str) -> Iterator[Post]:
        """Our own open issues."""

    def create_issue(self, title: str, body: str, label: str) -> str | None: ...

    def update_issue(self, post: Post, body: str) -> None: ...

    def close_issue(self, post: Post, comment: str) -> None: ...


def here() -> Forge:
    """The one that this step runs on."""
    if os.environ.get("GITLAB_CI"):
        from gitlab import GitLab

        return GitLab()
    from github import GitHub

    return GitHub()


def marker(kind: str, root: Root) -> str:
    """The first line of what we write: by it we find it again. It is not seen."""
    return f"<!-- tierctl-{kind}:{root.key} -->"


def particulars(commit: str, sha256: str) -> str:
    """The second line of a plan's comment, for programs."""
    return f"<!-- commit={commit} sha256={sha256} -->"


def particulars_of(body: str) -> tuple[str, str] | None:
    """Commit and digest that a comment says, if it says them."""
    found = re.match(r"[^\n]*\n<!-- commit=([0-9a-f]{40,64}) sha256=([0-9a-f]{64}) -->(?:\n|$)", body)
    return (found[1], found[2]) if found else None


def is_marked(post: Post, mark: str) -> bool:
    """Whether it is ours by its first line: a marker further down was quoted."""
    return post.body.splitlines()[:1] == [mark]


def explain(refusal: Refused, needed: str) -> str:
    """What was refused, and what to grant."""
    advice = {
        401: f"the token is not valid here; it needs {needed}",
        403: f"the token may not; grant the job {needed}. A pull request from a fork never gets it",
        404: f"it is not there, or the token may not see it; grant the job {needed}",
        422: "the content was not taken",
    }
    return f"{refusal}. {advice.get(refusal.status, 'It was tried several times; run the job again')}."
