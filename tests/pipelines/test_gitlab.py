"""GitLab: the note on a merge request, the plan that was reviewed after the merge, and the issue about drift."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from convergence import specs
from convergence.bed import ACCOUNT, REGION, Bed, client

from . import gitlab_jobs
from .repository import Repository
from .stand_in import TOKEN, Fault, Lab
from .workflows import ROOT, Job
from .world import FIRST, acme, aws_environment, digest

MARK = "<!-- tierctl-plan:default -->"
FILE = "tierctl-plan-default/tierctl.plan"


class Project:
    """A project on GitLab, and what happens in it."""

    def __init__(self, folder: Path, binary: Path, bed: Bed, lab: Lab) -> None:
        self.bed, self.lab, self.binary, self.folder = bed, lab, binary, folder
        self.home = folder / "home"
        self.home.mkdir()
        self.repository = Repository(folder / "work")
        self.repository.commit_to_main({**copy.deepcopy(FIRST)})
        self.repository.git("remote", "add", "origin", str(self.repository.folder))
        exclude = self.repository.folder / ".git" / "info" / "exclude"
        exclude.write_text(".tierctl/\ntierctl-plan-*/\n*.plan\ngl-code-quality-report.json\n")
        self.tierctl = gitlab_jobs.source_of_tierctl(folder / "tierctl")
        self.job_number = 500
        self.head = ""

    def _variables(self, **more: str) -> dict[str, str]:
        self.job_number += 1
        variables = aws_environment(self.bed, self.home)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            del variables[name]
        role = f"arn:aws:iam::{ACCOUNT}:role"
        return (
            variables
            | {
                "CI_API_V4_URL": self.lab.url,
                "CI_PROJECT_ID": str(Lab.PROJECT),
                "CI_PROJECT_DIR": str(self.repository.folder),
                "CI_DEFAULT_BRANCH": "main",
                "CI_COMMIT_SHA": self.repository.git("rev-parse", "HEAD"),
                "CI_JOB_ID": str(self.job_number),
                "CI_JOB_URL": f"https://gitlab.example/jobs/{self.job_number}",
                "TIERCTL_REPOSITORY": str(self.folder / "tierctl"),
                "TIERCTL_COMMIT": self.tierctl,
                "TIERCTL_BINARY": str(self.binary),
                "TIERCTL_TOKEN": TOKEN,
                "TIERCTL_REGION": REGION,
                "TIERCTL_READ_ROLE": f"{role}/read",
                "TIERCTL_WRITE_ROLE": f"{role}/write",
            }
            | more
        )

    def open(self, edits: dict[str, Any]) -> None:
        self.head = self.repository.branch("change", edits)

    def plan(self, name: str = "tierctl-plan", source_project: int = Lab.PROJECT, **more: str) -> Job:
        variables = {
            "CI_MERGE_REQUEST_IID": "8",
            "CI_MERGE_REQUEST_PROJECT_ID": str(Lab.PROJECT),
            "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": str(source_project),
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        }
        job = gitlab_jobs.run(name, self.repository.folder, self._variables(**variables) | more)
        return self._record(job, name, "refs/merge-requests/8/head", "merge_request_event")

    def plan_by_hand(self) -> Job:
        job = gitlab_jobs.run("tierctl-plan", self.repository.folder, self._variables(CI_COMMIT_BRANCH="main"), rule=1)
        return self._record(job, "tierctl-plan", "main", "web")

    def _record(self, job: Job, name: str, ref: str, source: str) -> Job:
        file = self.repository.folder / FILE
        if file.exists():
            self.lab.storage.files[f"{self.job_number}/{FILE}"] = file.read_bytes()
        pipeline = self.lab.number()
        self.lab.pipelines.setdefault(8, []).append({"id": pipeline, "source": source, "sha": self.head})
        status = "success" if job.is_success else "failed"
        made = {"id": self.job_number, "name": name, "status": status, "ref": ref, "finished_at": self.lab.now()}
        self.lab.jobs[pipeline] = [
            {"id": 1, "name": "lint", "status": "success", "finished_at": self.lab.now()}
        ] * 3 + [made]
        return job

    def merge(self) -> None:
        commit = self.repository.merge("change")
        merged = {"iid": 8, "state": "merged", "merged_at": self.lab.now(), "target_branch": "main", "sha": self.head}
        merged |= {"source_project_id": Lab.PROJECT, "target_project_id": Lab.PROJECT, "merge_commit_sha": commit}
        self.lab.merge_requests[commit] = [merged]

    def apply(self, **more: str) -> Job:
        return gitlab_jobs.run("tierctl-apply", self.repository.folder, self._variables(CI_COMMIT_BRANCH="main") | more)

    def drift(self) -> Job:
        return gitlab_jobs.run("tierctl-drift", self.repository.folder, self._variables(CI_COMMIT_BRANCH="main"))

    def desired(self) -> int:
        found = client(self.bed, "ecs").describe_services(cluster="test-cell-1-ig-1-acme", services=["acme"])
        return int(found["services"][0]["desiredCount"])

    def scale(self, desired: int) -> None:
        client(self.bed, "ecs").update_service(cluster="test-cell-1-ig-1-acme", service="acme", desiredCount=desired)

    def notes(self) -> list[str]:
        return [note["body"] for note in self.lab.notes.get(8, [])]


@pytest.fixture
def project(tmp_path: Path, binary: Path, bed: Bed, lab: Lab) -> Project:
    return Project(tmp_path, binary, bed, lab)


def test_a_note_is_written_and_updated_and_what_was_reviewed_is_carried_out(project: Project) -> None:
    for number in range(5):
        project.lab.add_note(8, 3, f"Thought {number}")
    other = project.lab.add_note(8, 3, f"{MARK}\nA plan of my own")
    project.open({"tenants/acme": acme(desired=2)})
    assert project.plan().is_success
    assert len(project.notes()) == 7 and other["body"].endswith("of my own")
    first = project.notes()[-1]
    assert first.startswith(MARK) and "desired_count" in first

    project.open({"tenants/acme": acme(desired=3)})
    assert project.plan().is_success
    assert len(project.notes()) == 7 and project.notes()[-1] != first
    project.merge()
    job = project.apply()
    assert job.is_success and project.desired() == 3 and "merge request !8" in job.log
    # The role was entered with the job's token, and the token of the API goes to the API alone.
    assert project.bed.state()["calls"]["sts:AssumeRoleWithWebIdentity"] > 0
    assert TOKEN not in job.log and all(
        "PRIVATE" not in "".join(one.headers).upper() for one in project.lab.storage.asked
    )


def test_errors_are_in_the_log_and_in_the_changes_of_the_merge_request(project: Project) -> None:
    project.open({"tenants/acme": "tenant: acme\ntier: test\nservice:\n  image: i\n  prot: 8080\n"})
    job = project.plan()
    assert not job.is_success and job.outputs["exit-code"] == "1" and "tenants/acme.yaml:5:3" in job.log
    report = json.loads((project.repository.folder / "gl-code-quality-report.json").read_text())
    assert {"path": "tenants/acme.yaml", "lines": {"begin": 5}} in [one["location"] for one in report]
    assert "the specs have errors" in project.notes()[0]


def test_what_is_blocked_ends_with_3(project: Project) -> None:
    project.open({"tenants/acme": acme(desired=2)})
    job = project.plan(TIERCTL_MAX_TENANTS="0")
    assert job.outputs["exit-code"] == "3" and not project.lab.storage.files


def test_a_note_that_is_refused_fails_the_job(project: Project) -> None:
    project.lab.is_allowed = False
    project.open({"tenants/acme": acme(desired=2)})
    job = project.plan()
    assert job.outputs["exit-code"] == "1" and "answered with 403" in job.log and "the scope `api`" in job.log
    assert "desired_count" in job.log


def test_a_merge_request_from_a_fork_is_only_validated(project: Project) -> None:
    project.open({"tenants/acme": acme(desired=2)})
    job = project.plan("tierctl-validate", source_project=77)
    assert job.is_success and not project.lab.asked
    rules = {name: gitlab_jobs.job_of(name)["rules"][0]["if"] for name in ("tierctl-validate", "tierctl-plan")}
    assert "!=" in rules["tierctl-validate"] and "!=" not in rules["tierctl-plan"]
    # And where the rules were changed, the plan sees it for itself.
    project.bed.control(reset_counters=True)
    job = project.plan(source_project=77)
    assert job.is_success and "comes from a fork" in job.log and not project.bed.state()["calls"]


def test_what_is_not_the_reviewed_plan_is_refused(project: Project) -> None:
    project.open({"tenants/acme": acme(desired=2)})
    assert project.plan().is_success
    data = project.lab.storage.files[f"{project.job_number}/{FILE}"]
    key = f"{project.job_number}/{FILE}"
    project.merge()

    project.lab.storage.files[key] = data + b" "
    job = project.apply()
    assert job.outputs["exit-code"] == "3" and "has kept a file with the SHA-256" in job.log and project.desired() == 1

    project.lab.storage.files[key] = data
    note = project.lab.notes[8][0]
    body, updated = note["body"], note["updated_at"]
    note |= {"body": body.replace(digest(data), digest(data + b" ")), "updated_at": project.lab.now()}
    job = project.apply()
    assert job.outputs["exit-code"] == "3" and "changed after the merge" in job.log

    note |= {"body": body.replace(project.head, "0" * 40), "updated_at": updated}
    job = project.apply()
    assert job.outputs["exit-code"] == "3" and "was merged" in job.log

    note |= {"body": body}
    project.scale(4)
    job = project.apply()
    assert job.outputs["exit-code"] == "3" and "since the plan was made" in job.log and project.desired() == 4


def test_a_plan_by_hand_is_carried_out_by_its_job_and_digest(project: Project) -> None:
    project.repository.commit_to_main({"tenants/acme": acme(desired=2)})
    job = project.apply()
    assert job.outputs["exit-code"] == "3" and "from no merge request" in job.log
    assert project.plan_by_hand().is_success
    number = str(project.job_number)
    sha256 = digest(project.lab.storage.files[f"{number}/{FILE}"])
    wrong = project.apply(TIERCTL_RUN_ID=number, TIERCTL_PLAN_SHA256="0" * 64)
    assert wrong.outputs["exit-code"] == "3" and project.desired() == 1
    assert project.apply(TIERCTL_RUN_ID=number, TIERCTL_PLAN_SHA256=sha256).is_success and project.desired() == 2


def test_drift_has_one_issue_until_it_is_gone(project: Project) -> None:
    assert project.drift().is_success and not project.lab.issues
    project.scale(4)
    assert project.drift().is_success and project.drift().is_success
    (issue,) = project.lab.issues
    assert (
        issue["labels"] == ["tierctl-drift"] and "desired_count" in issue["description"] and issue["state"] == "opened"
    )
    project.scale(1)
    assert project.drift().is_success and issue["state"] == "closed"


def test_what_passes_is_tried_again(project: Project) -> None:
    project.lab.faults = [
        Fault("POST", "/notes", 429, 2, {"Retry-After": "0"}),
        Fault("GET", "/user", 502, 1, {"Retry-After": "0"}),
    ]
    project.open({"tenants/acme": acme(desired=2)})
    assert project.plan().is_success and len(project.notes()) == 1


def test_the_roles_of_the_document_may_do_what_they_have_to_and_no_more(project: Project) -> None:
    """An account that asks policies: one role reads, the other one carries out a plan of a tier and a tenant."""
    iam = client(project.bed, "iam")

    def policy(command: str) -> str:
        done = subprocess.run(
            [project.binary, "iam-policy", "--for", command], capture_output=True, text=True, check=True
        )
        return done.stdout

    for role, name in (("read", "plan"), ("write", "apply")):
        trust = (ROOT / "examples" / "gitlab" / "aws" / f"trust-{role}.json").read_text(encoding="utf-8")
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust.replace("ACCOUNT", ACCOUNT))
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=policy(name))
    onboard = iam.create_policy(PolicyName="tierctl-onboard", PolicyDocument=policy("onboard"))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="write", PolicyArn=onboard)
    project.bed.control(settings={"enforce_policies": True})

    downstreams = [specs.PROFILES, specs.LOGS, specs.ARTIFACTS, specs.BIDDER]
    project.open({"tiers/test": specs.tier(downstreams), "tenants/hooli": specs.service("hooli", desired=1)})
    assert project.plan().is_success
    project.merge()
    refused = project.apply(TIERCTL_WRITE_ROLE=f"arn:aws:iam::{ACCOUNT}:role/read")
    assert refused.outputs["exit-code"] == "1" and "not authorized" in refused.log
    assert project.apply().is_success and project.drift().is_success and not project.lab.issues
    assert not project.bed.state()["crashes"]
