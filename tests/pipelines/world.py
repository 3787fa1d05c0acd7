"""A repository on GitHub with its account on AWS, and what people do there."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from convergence import specs
from convergence.bed import REGION, Bed

from .repository import Repository
from .stand_in import TOKEN, Hub
from .workflows import WORKFLOWS, GitHubRun, Job, Uses, plain_environment

#: What is there at first, in the repository as in the account.
FIRST: dict[str, Any] = {"tiers/test": specs.tier(), "tenants/acme": specs.service("acme", desired=1)}


def aws_environment(bed: Bed, home: Path) -> dict[str, str]:
    """As a step has it after `configure-aws-credentials`."""
    return plain_environment(home) | {
        "AWS_ENDPOINT_URL": bed.url,
        "AWS_ACCESS_KEY_ID": "ci",
        "AWS_SECRET_ACCESS_KEY": "ci",
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(home / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "none"),
        # The published rates of requests are not what these tests are about.
        "TIERCTL_API_TIME_SCALE": "1000",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def acme(**fields: Any) -> dict[str, Any]:
    return specs.service("acme", **({"desired": 1} | fields))


@dataclass
class PullRequest:
    number: int
    branch: str
    head: str
    from_fork: bool = False


class World:
    """Everything of one test."""

    def __init__(
        self, folder: Path, binary: Path, bed: Bed, hub: Hub, root: str = ".", first: dict[str, Any] | None = None
    ) -> None:
        self.hub, self.bed, self.binary, self.folder, self.root = hub, bed, binary, folder, root
        self.home, self.temp = folder / "home", folder / "temp"
        for made in (self.home, self.temp):
            made.mkdir()
        self.repository = Repository(folder / "work", root)
        self.repository.commit_to_main(copy.deepcopy(FIRST if first is None else first))
        self.run_number = 1000
        self.upload_works = True
        #: Text of workflows that are not as the example has them, by file name.
        self.workflows: dict[str, str] = {}

    def deny_reads(self) -> None:
        """Whatever is planned from here on fails, as with a role that may not read."""
        denied = {"effect": "error-before", "action": "DescribeVpcs", "times": 0, "code": "AccessDenied", "status": 403}
        self.bed.control(add_faults=[denied | {"message": "no"}])

    @property
    def artifact(self) -> str:
        return "tierctl-plan-" + ("default" if self.root == "." else self.root.replace("/", "-"))

    # --- what people do

    def open(
        self, edits: dict[str, Any], branch: str = "change", number: int = 5, from_fork: bool = False
    ) -> PullRequest:
        head = self.repository.branch(branch, edits)
        self.repository.check_out_merged(branch)
        return PullRequest(number, branch, head, from_fork)

    def approve(self, pull_request: PullRequest, user: str = "grace", association: str = "MEMBER", **more: Any) -> None:
        review = {"user": {"login": user}, "state": "APPROVED", "commit_id": pull_request.head}
        review |= {"author_association": association, "submitted_at": self.hub.now()} | more
        self.hub.reviews.setdefault(pull_request.number, []).append(review)

    def merge(self, pull_request: PullRequest, squash: bool = False) -> str:
        commit = self.repository.merge(pull_request.branch, squash)
        name = "somebody/infra" if pull_request.from_fork else Hub.REPOSITORY
        merged = {
            "number": pull_request.number,
            "merged_at": self.hub.now(),
            "merge_commit_sha": commit,
            "head": {"sha": pull_request.head, "repo": {"full_name": name}},
            "base": {"ref": "main"},
        }
        self.hub.pulls[commit] = [merged]
        # GitHub names a pull request for its own commits too.
        self.hub.pulls.setdefault(pull_request.head, []).append(merged)
        return commit

    # --- what CI does

    def _run(self, workflow: str, event_name: str, event: dict[str, Any], sha: str, **github: str) -> GitHubRun:
        text = self.workflows.get(workflow) or (WORKFLOWS / workflow).read_text(encoding="utf-8")
        # Of several jobs the first one has the token.
        self.hub.permissions = next(iter(yaml.safe_load(text)["jobs"].values()))["permissions"]
        self.run_number += 1
        event = {"repository": {"default_branch": "main", "full_name": Hub.REPOSITORY}} | event
        context = {
            "event_name": event_name,
            "event": event,
            "repository": Hub.REPOSITORY,
            "sha": sha,
            "ref_name": "main",
            "run_id": str(self.run_number),
            "token": TOKEN,
            **github,
        }
        inputs = {"binary": str(self.binary)}
        if self.root != ".":
            inputs["working-directory"] = self.root
        environment = aws_environment(self.bed, self.home) | {"GITHUB_API_URL": self.hub.url}
        variables = {"TIERCTL_READ_ROLE": "read", "TIERCTL_WRITE_ROLE": "write", "TIERCTL_REGION": REGION}
        uses: dict[str, Uses] = {"actions/upload-artifact": self._upload}
        files = {workflow: text}
        return GitHubRun(self.repository.folder, self.temp, environment, context, variables, uses, inputs, files)

    def _upload(self, given: dict[str, str]) -> bool:
        if self.upload_works:
            path = Path(given["path"])
            self.hub.keep(self.run_number, given["name"], path.name, path.read_bytes())
        return self.upload_works

    def plan(self, pull_request: PullRequest, **inputs: str) -> Job:
        (job,) = self.checks(pull_request, **inputs).values()
        return job

    def checks(self, pull_request: PullRequest, **inputs: str) -> dict[str, Job]:
        """What runs for a pull request, by the names of the checks."""
        name = "somebody/infra" if pull_request.from_fork else Hub.REPOSITORY
        number, head = pull_request.number, pull_request.head
        event = {"pull_request": {"number": number, "head": {"sha": head, "repo": {"full_name": name}}}}
        sha = self.repository.git("rev-parse", "HEAD")
        run = self._run("tierctl-plan.yml", "pull_request", event, sha, base_ref="main")
        run.inputs |= inputs
        jobs = run.jobs("tierctl-plan.yml")
        self._record(all(job.is_success for job in jobs.values()), "pull_request", head, name)
        return jobs

    def plan_by_hand(self, **inputs: str) -> Job:
        sha = self.repository.git("rev-parse", "HEAD")
        run = self._run("tierctl-plan.yml", "workflow_dispatch", {}, sha)
        run.inputs |= inputs
        job = run.workflow("tierctl-plan.yml")
        self._record(job.is_success, "workflow_dispatch", sha, Hub.REPOSITORY)
        return job

    def queue(self, *pull_requests: PullRequest) -> Job:
        """A merge queue asks for the checks of pull requests on top of main, all of them merged."""
        self.repository.git("checkout", "-q", "-f", "--detach", "main")
        for pull_request in pull_requests:
            self.repository.git("merge", "-q", "--no-ff", "-m", f"Merge {pull_request.branch}", pull_request.branch)
        sha = self.repository.git("rev-parse", "HEAD")
        name = f"gh-readonly-queue/main/pr-{pull_requests[-1].number}-{sha}"
        group = {"head_sha": sha, "head_ref": f"refs/heads/{name}", "base_ref": "refs/heads/main"}
        event = {"action": "checks_requested", "merge_group": group}
        run = self._run("tierctl-plan.yml", "merge_group", event, sha, ref_name=name)
        job = run.workflow("tierctl-plan.yml")
        self._record(job.is_success, "merge_group", sha, Hub.REPOSITORY)
        self.repository.git("checkout", "-q", "-f", "main")
        return job

    def _record(self, is_success: bool, event: str, head: str, repository: str) -> None:
        self.hub.runs.append(
            {
                "id": self.run_number,
                "path": ".github/workflows/tierctl-plan.yml",
                "event": event,
                "head_sha": head,
                "head_branch": "main" if event == "workflow_dispatch" else "change",
                "conclusion": "success" if is_success else "failure",
                "head_repository": {"full_name": repository},
            }
        )

    def apply(self, *commits: str, **inputs: str) -> Job:
        """The push to main that a merge is, with the commits that it brings."""
        (job,) = self.applies(*commits, **inputs).values()
        return job

    def applies(self, *commits: str, **inputs: str) -> dict[str, Job]:
        sha = self.repository.git("rev-parse", "HEAD")
        event = {"ref": "refs/heads/main", "commits": [{"id": one} for one in commits or (sha,)]}
        run = self._run("tierctl-apply.yml", "push", event, sha)
        run.inputs |= inputs
        return run.jobs("tierctl-apply.yml")

    def apply_by_hand(self, run_id: str, sha256: str) -> Job:
        sha = self.repository.git("rev-parse", "HEAD")
        run = self._run("tierctl-apply.yml", "workflow_dispatch", {}, sha)
        return run.workflow("tierctl-apply.yml", **{"run-id": run_id, "plan-sha256": sha256})

    def drift(self) -> Job:
        sha = self.repository.git("rev-parse", "HEAD")
        return self._run("tierctl-drift.yml", "schedule", {}, sha).workflow("tierctl-drift.yml")

    def writes(self) -> int:
        """How many requests have changed the account."""
        return len(self.bed.writes())

    @contextmanager
    def writing_nothing(self) -> Iterator[None]:
        before = self.bed.dump()
        yield
        assert self.bed.dump() == before


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
