"""What holds for every file that a CI reads, whatever it does."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from .workflows import ACTION, ROOT, WORKFLOWS, fits_schema

GITLAB = ROOT / "examples" / "gitlab" / ".gitlab-ci.yml"
FILES = sorted(WORKFLOWS.glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
#: The version stands behind it, for people and for the programs that update it.
COMMENTED = re.compile(r"uses: \S+@[0-9a-f]{40} # v[\dX]+\.[\dY]+\.[\dZ]+$")
#: Until a user has put a commit of tierctl there.
TO_FILL_IN = "OWNER/tierctl@" + "0" * 40
#: Permissions that a job may have, and no others: nothing here writes to the repository's content.
WRITABLE = {"id-token", "pull-requests", "statuses", "issues"}


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps_of(path: Path) -> list[dict[str, Any]]:
    file = loaded(path)
    if "runs" in file:
        return list(file["runs"]["steps"])
    return [step for job in file["jobs"].values() for step in job["steps"]]


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(
    "schema, paths",
    [
        ("vendor.github-workflows", FILES),
        ("vendor.github-actions", [ACTION]),
        ("vendor.gitlab-ci", [GITLAB]),
    ],
)
def test_files_fit_their_schema(schema: str, paths: list[Path]) -> None:
    fits_schema(schema, *paths)


def test_there_are_three_workflows() -> None:
    assert [path.name for path in FILES] == ["tierctl-apply.yml", "tierctl-drift.yml", "tierctl-plan.yml"]


@pytest.mark.parametrize("path", [*FILES, ACTION], ids=lambda path: path.name)
def test_actions_are_pinned_and_nothing_is_put_into_shell_text(path: Path) -> None:
    steps = steps_of(path)
    uses = [step["uses"] for step in steps if "uses" in step]
    assert all(PINNED.fullmatch(one) for one in uses), uses
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if re.match(r"\s*(- )?uses:", line)]
    assert len(lines) == len(uses) and all(COMMENTED.search(line) for line in lines), lines
    assert not [step["run"] for step in steps if "${{" in step.get("run", "")]
    # What `env` hands over is not put together again by the shell.
    assert all("eval" not in step.get("run", "") for step in steps)


def test_one_version_of_an_action_is_used_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for path in [*FILES, ACTION]:
        for step in steps_of(path):
            name, _, commit = step.get("uses", "").partition("@")
            pins.setdefault(name, set()).add(commit)
    assert all(len(commits) == 1 for commits in pins.values()), pins


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_permissions_are_declared_for_each_job_and_are_few(path: Path) -> None:
    file = loaded(path)
    assert file["permissions"] == {}
    for name, job in file["jobs"].items():
        assert isinstance(job.get("permissions"), dict), name
        writes = {key for key, level in job["permissions"].items() if level == "write"}
        assert writes <= WRITABLE and job["permissions"]["contents"] == "read"
        assert job["timeout-minutes"] <= 120
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_only_the_job_that_writes_has_the_environment_and_the_role_for_it() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        (job,) = loaded(path)["jobs"].values()
        writes = path.name == "tierctl-apply.yml"
        assert (job.get("environment") == "production") == writes
        assert ("TIERCTL_WRITE_ROLE" in text) == writes and ("TIERCTL_READ_ROLE" in text) != writes
        # With this trigger somebody else's code would run with our roles.
        assert "pull_request_target" not in text and "secrets." not in text


def test_runs_do_not_get_in_each_others_way() -> None:
    concurrency = {path.stem: loaded(path)["concurrency"] for path in FILES}
    assert (
        "pull_request.number" in concurrency["tierctl-plan"]["group"]
        and concurrency["tierctl-plan"]["cancel-in-progress"]
    )
    apply = concurrency["tierctl-apply"]
    assert "${{" not in apply["group"] and apply["cancel-in-progress"] is False and apply["queue"] == "max"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_action_is_there_to_be_filled_in_and_gets_inputs_that_it_has(path: Path) -> None:
    inputs = loaded(ACTION)["inputs"]
    steps = [step for step in steps_of(path) if step["uses"] == TO_FILL_IN]
    assert len(steps) == 1 and set(steps[0]["with"]) <= set(inputs)


def test_every_input_and_output_of_the_action_is_used() -> None:
    action = loaded(ACTION)
    text = "\n".join(strings(action["runs"]) + strings(action["outputs"]))
    conditions = "\n".join(str(step.get("if", "")) for step in action["runs"]["steps"])
    assert all(f"inputs.{name} " in text or f"inputs.{name}" in conditions for name in action["inputs"])
    ids = {step["id"] for step in action["runs"]["steps"] if "id" in step}
    assert set(re.findall(r"steps\.(\w+)\.", text + conditions)) <= ids


def test_the_token_is_given_to_the_steps_that_need_it_alone() -> None:
    have = {step["name"] for step in steps_of(ACTION) if "TIERCTL_TOKEN" in step.get("env", {})}
    assert have == {"Tell the reviewers", "Find the plan that was reviewed", "Look for drift"}


def test_scripts_are_python_without_packages() -> None:
    """A runner has Python 3 and nothing else for certain."""
    folder = ROOT / "action"
    own = {path.stem for path in folder.glob("*.py")}
    for path in sorted(folder.glob("*.py")):
        for name in re.findall(r"^(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert name in own or name in sys.stdlib_module_names, f"{path.name}: {name}"
        assert path.stem not in sys.stdlib_module_names, path.name


def test_gitlab_jobs_have_what_they_need() -> None:
    file = loaded(GITLAB)
    jobs = {name: job for name, job in file.items() if isinstance(job, dict) and "script" in job}
    assert set(jobs) == {"tierctl-validate", "tierctl-plan", "tierctl-apply", "tierctl-drift"}
    assert jobs["tierctl-apply"]["resource_group"] and jobs["tierctl-apply"]["environment"]["name"] == "production"
    assert ".aws" not in jobs["tierctl-validate"]["extends"]
    assert file["variables"]["TIERCTL_COMMIT"] == "0" * 40


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_the_role_that_writes_trusts_one_subject_exactly(forge: str) -> None:
    for name in ("read", "write"):
        policy = json.loads((ROOT / "examples" / forge / "aws" / f"trust-{name}.json").read_text(encoding="utf-8"))
        (statement,) = policy["Statement"]
        conditions = statement["Condition"]
        provider = statement["Principal"]["Federated"].partition("oidc-provider/")[2]
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        assert conditions["StringEquals"][f"{provider}:aud"]
        if name == "write":
            subject = conditions["StringEquals"][f"{provider}:sub"]
            assert set(conditions) == {"StringEquals"} and isinstance(subject, str) and "*" not in subject
            assert subject.endswith("environment:production" if forge == "github" else "ref_type:branch:ref:main")


def test_links_of_the_document_lead_somewhere() -> None:
    document = ROOT / "docs" / "pull-requests.md"
    text = document.read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in text.splitlines()
        if line[:1] == "#"
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        assert (document.parent / path).exists(), target
        assert path or anchor in anchors, target
