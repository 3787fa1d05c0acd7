"""GitLab: merge requests, their notes, the artifacts of jobs and issues, through its REST API."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import cached_property
from typing import Any
from urllib.parse import quote

import forge
import inputs
import plan_file
from forge import Blocked, Post, Reviewed
from inputs import Root, Wrong
from rest import Api, Refused

AGAIN = "Open a new merge request, or run the plan by hand and name its job and digest"


class GitLab:
    """The project of this pipeline."""

    comment_bytes = 900_000
    needs = {
        "comment": "a project access token with the scope `api` and the role Reporter, as `TIERCTL_TOKEN`",
        "status": "nothing: the note keeps the digest",
        "plan": "a project access token with the scope `api` and the role Developer, as `TIERCTL_TOKEN`",
        "issue": "a project access token with the scope `api` and the role Reporter, as `TIERCTL_TOKEN`",
    }

    def __init__(self) -> None:
        headers = {"User-Agent": "tierctl"}
        token = inputs.text("token")
        if token:
            headers["PRIVATE-TOKEN"] = token
        self._api = Api(os.environ.get("CI_API_V4_URL", "https://gitlab.com/api/v4"), headers)
        self._id = os.environ.get("CI_PROJECT_ID", "")
        self._project = f"/projects/{self._id}"
        self._iid = os.environ.get("CI_MERGE_REQUEST_IID", "")

    # --- the merge request that this pipeline is for

    def is_on_pull_request(self) -> bool:
        return bool(self._iid)

    def why_no_plan(self) -> str | None:
        source, target = (os.environ.get(f"CI_MERGE_REQUEST_{name}PROJECT_ID", self._id) for name in ("SOURCE_", ""))
        if self.is_on_pull_request() and source != target:
            return (
                "this merge request comes from a fork, which must not get at AWS: its specs were checked, and there is "
                "no plan. Somebody who can push has to bring its branch into this project"
            )
        return None

    def head(self) -> str:
        # Where the pipeline is of the merged result, its own commit is not one of the merge request.
        return os.environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") or os.environ.get("CI_COMMIT_SHA", "")

    def run_link(self) -> str:
        return os.environ.get("CI_JOB_URL", "")

    def run_number(self) -> str:
        return os.environ.get("CI_JOB_ID", "")

    # --- the note

    @cached_property
    def _me(self) -> int:
        return int(self._api.get("/user")["id"])

    def comments(self) -> Iterator[Post]:
        yield from self._notes(self._iid)

    def _notes(self, iid: str) -> Iterator[Post]:
        for note in self._own_notes(iid):
            yield Post(int(note["id"]), note.get("body") or "")

    def _own_notes(self, iid: str) -> Iterator[dict[str, Any]]:
        for note in self._api.pages(f"{self._project}/merge_requests/{iid}/notes", sort="asc", order_by="created_at"):
            if (note.get("author") or {}).get("id") == self._me and not note.get("system"):
                yield note

    def create_comment(self, body: str) -> str | None:
        self._api.send("POST", f"{self._project}/merge_requests/{self._iid}/notes", {"body": body}, again=False)
        return None

    def update_comment(self, post: Post, body: str) -> None:
        self._api.send("PUT", f"{self._project}/merge_requests/{self._iid}/notes/{post.id}", {"body": body})

    # --- which plan was reviewed

    def record(self, root: Root, state: str, text: str) -> None:
        """The note has it: only its author and maintainers can change it, and a change after the merge is seen."""

    def reviewed_plan(self, root: Root) -> Reviewed:
        merge_request = self._merged_request()
        iid, head, merged_at = str(merge_request["iid"]), str(merge_request["sha"]), str(merge_request["merged_at"])
        of = f"merge request !{iid}"
        sha256 = self._digest_at_merge(root, iid, of, head, merged_at)
        for pipeline in self._api.pages(f"{self._project}/merge_requests/{iid}/pipelines"):
            if pipeline.get("source") != "merge_request_event":
                continue
            for job in self._api.pages(f"{self._project}/pipelines/{pipeline['id']}/jobs", **{"scope[]": "success"}):
                if job.get("name") == self._plan_job() and str(job.get("finished_at")) <= merged_at:
                    data = self._artifact(root, int(job["id"]), sha256)
                    if data is not None:
                        return Reviewed(data, sha256, of)
        raise Blocked(
            f"no successful job `{self._plan_job()}` of {of} has kept a file with the SHA-256 {sha256}: it has "
            f"expired, or was replaced. {AGAIN}."
        )

    def plan_of_run(self, root: Root, run: str, sha256: str) -> Reviewed:
        if not (run.isascii() and run.isdigit()):
            raise Wrong(f"`run-id` is the number of a job, not `{run}`")
        job = self._api.get(f"{self._project}/jobs/{run}")
        if job.get("name") != self._plan_job() or job.get("status") != "success":
            raise Blocked(f"job {run} is `{job.get('name')}` with the status `{job.get('status')}`, and no plan.")
        ref = str(job.get("ref"))
        if ref != os.environ.get("CI_DEFAULT_BRANCH") and not ref.startswith("refs/merge-requests/"):
            raise Blocked(f"the plan of job {run} is not taken: it ran on `{ref}`.")
        data = self._artifact(root, int(run), sha256)
        if data is None:
            raise Blocked(
                f"job {run} has kept no file with the SHA-256 {sha256}: it has expired, or it is not the plan that was "
                f"reviewed."
            )
        return Reviewed(data, sha256, f"job {run}")

    def _merged_request(self) -> dict[str, Any]:
        commit, branch = os.environ.get("CI_COMMIT_SHA", ""), os.environ.get("CI_COMMIT_BRANCH", "")
        found = []
        for merge_request in self._api.pages(f"{self._project}/repository/commits/{commit}/merge_requests"):
            # Without a merge commit, as in a fast-forward, the commit is the merge request's own.
            commits = [merge_request.get(name) for name in ("merge_commit_sha", "squash_commit_sha")]
            commits = [sha for sha in commits if sha] or [merge_request.get("sha")]
            is_merged = merge_request.get("state") == "merged" and merge_request.get("merged_at")
            is_own = str(merge_request.get("source_project_id")) == str(merge_request.get("target_project_id"))
            if is_merged and merge_request.get("target_branch") == branch and commit in commits:
                if not is_own:
                    raise Blocked(
                        f"merge request !{merge_request['iid']} came from a fork, so there was no plan. {AGAIN}."
                    )
                found.append(merge_request)
        if len(found) != 1:
            raise Blocked(
                f"the commit {commit[:12]} was merged from {'no' if not found else 'more than one'} merge request, so "
                f"nobody has reviewed a plan of it. {AGAIN}."
            )
        return dict(found[0])

    def _digest_at_merge(self, root: Root, iid: str, of: str, head: str, merged_at: str) -> str:
        mark = forge.marker("plan", root)
        for note in self._own_notes(iid):
            if not forge.is_marked(Post(0, note.get("body") or ""), mark):
                continue
            said = forge.particulars_of(note["body"])
            if said is None:
                raise Blocked(f"the last plan of {of} did not come to an end that can be carried out. {AGAIN}.")
            if str(note.get("updated_at")) > merged_at:
                raise Blocked(f"the note with the plan of {of} was changed after the merge. {AGAIN}.")
            if said[0] != head:
                raise Blocked(f"the last plan of {of} is of {said[0][:12]}, and {head[:12]} was merged. {AGAIN}.")
            return said[1]
        raise Blocked(f"{of} has no note with a plan, so there was none to review. {AGAIN}.")

    def _plan_job(self) -> str:
        return inputs.text("plan-workflow", "tierctl-plan")

    def _artifact(self, root: Root, job: int, sha256: str) -> bytes | None:
        path = f"{self._project}/jobs/{job}/artifacts/{quote(f'{root.artifact}/tierctl.plan')}"
        try:
            data = self._api.download(path, plan_file.MOST_BYTES)
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    # --- the issue

    def issues(self, label: str) -> Iterator[Post]:
        for issue in self._api.pages(f"{self._project}/issues", state="opened", labels=label):
            if (issue.get("author") or {}).get("id") == self._me:
                yield Post(int(issue["iid"]), issue.get("description") or "")

    def create_issue(self, title: str, body: str, label: str) -> str | None:
        made = {"title": title, "description": body, "labels": label}
        self._api.send("POST", f"{self._project}/issues", made, again=False)
        return None

    def update_issue(self, post: Post, body: str) -> None:
        self._api.send("PUT", f"{self._project}/issues/{post.id}", {"description": body})

    def close_issue(self, post: Post, comment: str) -> None:
        self._api.send("POST", f"{self._project}/issues/{post.id}/notes", {"body": comment}, again=False)
        self._api.send("PUT", f"{self._project}/issues/{post.id}", {"state_event": "close"})
