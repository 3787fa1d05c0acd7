"""GitHub: pull requests, commit statuses, artifacts and issues, through its REST API."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import inputs
import plan_file
from forge import Blocked, Post, Reviewed
from inputs import Root, Wrong
from rest import Api

#: Of a push that brought so many commits only one pull request may be merged.
MOST_COMMITS = 100
AGAIN = "Open a new pull request, or run the plan workflow by hand and give its run and digest to the apply workflow"


class GitHub:
    """The repository of this workflow run."""

    comment_bytes = 65_000
    needs = {
        "comment": "`pull-requests: write`",
        "status": "`statuses: write`",
        "plan": "`actions: read`, `contents: read`, `pull-requests: read` and `statuses: read`",
        "issue": "`issues: write`",
    }

    def __init__(self) -> None:
        self._repository = os.environ.get("GITHUB_REPOSITORY", "")
        self._server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
        self._author = inputs.text("comment-author", "github-actions[bot]")
        path = os.environ.get("GITHUB_EVENT_PATH", "")
        self._event: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
        self._name = os.environ.get("GITHUB_EVENT_NAME", "")
        headers = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": "tierctl",
        }
        token = inputs.text("token")
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._api = Api(os.environ.get("GITHUB_API_URL", "https://api.github.com"), headers)
        self._base = f"/repos/{self._repository}"

    # --- the pull request that this run is for

    @property
    def _pull_request(self) -> dict[str, Any]:
        return self._event.get("pull_request") or {}

    def is_on_pull_request(self) -> bool:
        return self._name == "pull_request"

    def why_no_plan(self) -> str | None:
        if self._name == "pull_request_target":
            raise Wrong(
                "under `pull_request_target` a pull request of anybody would run with your AWS role: use `pull_request`"
            )
        if self.is_on_pull_request() and self._source(self._pull_request) != self._repository:
            return (
                "this pull request comes from a fork, and GitHub gives those no token for AWS: its specs were checked, "
                "and there is no plan. Somebody who can push has to bring its branch into this repository"
            )
        return None

    @staticmethod
    def _source(pull_request: dict[str, Any]) -> str:
        """The repository that it comes from; a fork that was deleted has no name."""
        return str((pull_request["head"].get("repo") or {}).get("full_name") or "")

    def head(self) -> str:
        if self.is_on_pull_request():
            return str(self._pull_request["head"]["sha"])
        return os.environ.get("GITHUB_SHA", "")

    def run_link(self) -> str:
        return f"{self._server}/{self._repository}/actions/runs/{self.run_number()}"

    def run_number(self) -> str:
        return os.environ.get("GITHUB_RUN_ID", "")

    # --- the comment

    def comments(self) -> Iterator[Post]:
        path = f"{self._base}/issues/{self._pull_request['number']}/comments"
        yield from self._own(self._api.pages(path))

    def _own(self, found: Iterator[Any]) -> Iterator[Post]:
        for item in found:
            if (item.get("user") or {}).get("login") == self._author and "pull_request" not in item:
                yield Post(int(item["id"] if "number" not in item else item["number"]), item.get("body") or "")

    def _unexpected_author(self, made: dict[str, Any]) -> str | None:
        """What to say if it would not be found again."""
        author = (made.get("user") or {}).get("login")
        if author == self._author:
            return None
        return f"it was written by `{author}`: give that as `comment-author`, so that it is found and updated next time"

    def create_comment(self, body: str) -> str | None:
        path = f"{self._base}/issues/{self._pull_request['number']}/comments"
        return self._unexpected_author(self._api.send("POST", path, {"body": body}, again=False))

    def update_comment(self, post: Post, body: str) -> None:
        self._api.send("PATCH", f"{self._base}/issues/comments/{post.id}", {"body": body})

    # --- which plan was reviewed

    def _context(self, root: Root) -> str:
        return "tierctl/plan" if root.key == "default" else f"tierctl/plan ({root.key})"

    def record(self, root: Root, state: str, text: str) -> None:
        body = {"state": state, "context": self._context(root), "description": text, "target_url": self.run_link()}
        self._api.send("POST", f"{self._base}/statuses/{self.head()}", body)

    def reviewed_plan(self, root: Root) -> Reviewed:
        pull_request = self._merged_pull_request()
        number, head = pull_request["number"], str(pull_request["head"]["sha"])
        of = f"pull request #{number}"
        if self._source(pull_request) != self._repository:
            raise Blocked(f"{of} came from a fork, so there was no plan to review. {AGAIN}.")
        sha256, since = self._digest_at_merge(root, of, head, str(pull_request["merged_at"]))
        if inputs.flag("require-approval", True):
            self._check_approval(number, of, head, since)
        runs = self._api.pages(
            f"{self._base}/actions/workflows/{quote(self._plan_workflow(), safe='')}/runs",
            key="workflow_runs",
            head_sha=head,
            event="pull_request",
            status="success",
        )
        for run in runs:
            if self._why_not(run, ("pull_request",)) is None and run.get("head_sha") == head:
                data = self._artifact(root, int(run["id"]), sha256)
                if data is not None:
                    return Reviewed(data, sha256, of)
        raise Blocked(
            f"no successful run of `{self._plan_workflow()}` for {of} at {head[:12]} has kept a file with the SHA-256 "
            f"{sha256}: it has expired, was replaced, or another part of that run failed. {AGAIN}."
        )

    def plan_of_run(self, root: Root, run: str, sha256: str) -> Reviewed:
        if not (run.isascii() and run.isdigit()):
            raise Wrong(f"`run-id` is the number in the address of a run, not `{run}`")
        found = self._api.get(f"{self._base}/actions/runs/{run}")
        reason = self._why_not(found, ("pull_request", "workflow_dispatch"))
        if reason is None and found.get("event") == "workflow_dispatch":
            branch = self._default_branch()
            if found.get("head_branch") != branch:
                reason = f"it ran on `{found.get('head_branch')}` and not on `{branch}`"
        if reason is not None:
            raise Blocked(f"the plan of run {run} is not taken: {reason}.")
        data = self._artifact(root, int(run), sha256)
        if data is None:
            raise Blocked(
                f"run {run} has kept no file with the SHA-256 {sha256} under the name `{root.artifact}`: it has "
                f"expired, or it is not the plan that was reviewed."
            )
        return Reviewed(data, sha256, f"run {run}")

    def _default_branch(self) -> str:
        return str(
            (self._event.get("repository") or {}).get("default_branch") or self._api.get(self._base)["default_branch"]
        )

    def _merged_pull_request(self) -> dict[str, Any]:
        """The one pull request that this push has merged."""
        if self._name != "push":
            raise Wrong("give `run-id` and `plan-sha256`: only a push says by itself which pull request was merged")
        branch = str(self._event["ref"]).removeprefix("refs/heads/")
        last = os.environ.get("GITHUB_SHA", "")
        commits = [str(commit["id"]) for commit in self._event.get("commits") or []]
        if len(commits) > MOST_COMMITS:
            commits = []
        merged: dict[int, dict[str, Any]] = {}
        for commit in dict.fromkeys([last, *reversed(commits)]):
            for pull_request in self._api.pages(f"{self._base}/commits/{commit}/pulls"):
                is_merged = pull_request.get("merged_at") and pull_request.get("merge_commit_sha") == commit
                if is_merged and pull_request["base"]["ref"] == branch:
                    merged[pull_request["number"]] = pull_request
        if not merged:
            raise Blocked(
                f"the commit {last[:12]} was not merged from a pull request, so nobody has reviewed a plan of it. "
                f"{AGAIN}."
            )
        if len(merged) > 1:
            numbers = ", ".join(f"#{number}" for number in sorted(merged))
            raise Blocked(
                f"this push has merged several pull requests at once ({numbers}), and the plan of one says nothing of "
                f"the others: let the merge queue merge one at a time. {AGAIN}."
            )
        return merged.popitem()[1]

    def _digest_at_merge(self, root: Root, of: str, head: str, merged_at: str) -> tuple[str, str]:
        """The digest that the commit's status says, and since when it has said so without a break."""
        context = self._context(root)
        sha256 = since = ""
        for status in self._api.pages(f"{self._base}/commits/{head}/statuses"):
            if status.get("context") != context or (status.get("creator") or {}).get("login") != self._author:
                continue
            description = str(status.get("description") or "")
            digest = description.removeprefix("sha256:") if description.startswith("sha256:") else ""
            if not sha256:
                # The newest comes first.
                if str(status["created_at"]) > merged_at:
                    raise Blocked(f"a plan was made for {of} after it was merged, which nobody has reviewed. {AGAIN}.")
                if status.get("state") != "success" or not digest:
                    raise Blocked(f"the last plan of {of} says: {description or status.get('state')}. {AGAIN}.")
                sha256 = digest
            if digest != sha256 or status.get("state") != "success":
                break
            since = str(status["created_at"])
        if not sha256:
            raise Blocked(f"{of} has no status `{context}` at {head[:12]}, so there was no plan to review. {AGAIN}.")
        return sha256, since

    def _check_approval(self, number: int, of: str, head: str, since: str) -> None:
        """Somebody who may has approved that commit after its plan was there to be looked at."""
        latest: dict[str, dict[str, Any]] = {}
        for review in self._api.pages(f"{self._base}/pulls/{number}/reviews"):
            if review.get("state") in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
                latest[str((review.get("user") or {}).get("login"))] = review
        for review in latest.values():
            if (
                review["state"] == "APPROVED"
                and review.get("commit_id") == head
                and review.get("author_association") in ("OWNER", "MEMBER", "COLLABORATOR")
                and str(review.get("submitted_at")) >= since
            ):
                return
        raise Blocked(
            f"nobody has approved {of} at {head[:12]} after its plan was made ({since}): an earlier approval was not "
            f"of this plan. {AGAIN}. Where pull requests are merged without approval, set `require-approval: false`."
        )

    def _plan_workflow(self) -> str:
        return inputs.text("plan-workflow", "tierctl-plan.yml")

    def _why_not(self, run: dict[str, Any], events: tuple[str, ...]) -> str | None:
        """Why the plan of a run is not one to carry out."""
        path = str(run.get("path") or "").partition("@")[0]
        if path != f".github/workflows/{self._plan_workflow()}":
            return f"it is a run of `{path}`"
        if ((run.get("head_repository") or {}).get("full_name")) != self._repository:
            return "its commit comes from another repository"
        if run.get("conclusion") != "success":
            return f"it ended with `{run.get('conclusion') or run.get('status')}`"
        if run.get("event") not in events:
            return f"it was started by `{run.get('event')}`"
        return None

    def _artifact(self, root: Root, run: int, sha256: str) -> bytes | None:
        """The plan that a run has kept, if it is the one."""
        path = f"{self._base}/actions/runs/{run}/artifacts"
        for artifact in self._api.pages(path, key="artifacts", name=root.artifact):
            if artifact.get("name") != root.artifact or artifact.get("expired"):
                continue
            data = self._api.download(f"{self._base}/actions/artifacts/{artifact['id']}/zip", plan_file.MOST_BYTES)
            plan = _only_file(data)
            if plan is not None and hashlib.sha256(plan).hexdigest() == sha256:
                return plan
        return None

    # --- the issue

    def issues(self, label: str) -> Iterator[Post]:
        yield from self._own(self._api.pages(f"{self._base}/issues", state="open", labels=label))

    def create_issue(self, title: str, body: str, label: str) -> str | None:
        made = self._api.send(
            "POST", f"{self._base}/issues", {"title": title, "body": body, "labels": [label]}, again=False
        )
        return self._unexpected_author(made)

    def update_issue(self, post: Post, body: str) -> None:
        self._api.send("PATCH", f"{self._base}/issues/{post.id}", {"body": body})

    def close_issue(self, post: Post, comment: str) -> None:
        self._api.send("POST", f"{self._base}/issues/{post.id}/comments", {"body": comment}, again=False)
        self._api.send("PATCH", f"{self._base}/issues/{post.id}", {"state": "closed", "state_reason": "completed"})


def _only_file(data: bytes) -> bytes | None:
    """What is in an artifact of one file; nothing if it is no such thing."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [info for info in archive.infolist() if not info.is_dir()]
            if len(files) != 1 or files[0].file_size > plan_file.MOST_BYTES:
                return None
            return archive.read(files[0])
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        return None
