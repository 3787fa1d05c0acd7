"""What docs/pull-requests.md tells the reader to write and to run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from convergence import specs
from convergence.bed import Bed, client

from .stand_in import Hub
from .workflows import ROOT, WORKFLOWS, fits_schema, plain_environment
from .world import World, acme, aws_environment

DOCUMENT = ROOT / "docs" / "pull-requests.md"
GITHUB, GITLAB = "GitHub, from an empty repository", "GitLab, from an empty project"
PLACEHOLDERS = re.compile(r"OWNER/|\b0{40}\b|X\.Y\.Z|ORGANIZATION|GROUP|ACCOUNT")


def section(heading: str, document: Path = DOCUMENT) -> str:
    _, _, rest = document.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    assert rest, heading
    return rest.partition("\n## ")[0]


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def first_specs() -> dict[str, str]:
    """The README's first tier and tenant, by path."""
    text = section("A first tier and tenant of your own", ROOT / "README.md")
    return dict(re.findall(r"^`([\w/]+\.yaml)`:\n\n```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


# --- the commands


class Place:
    """A folder with a clone of tierctl, and an empty repository on the other side."""

    def __init__(self, folder: Path, binary: Path, remote: str) -> None:
        self.folder, self.clone, self.origin = folder, folder / "tierctl", folder / "origin.git"
        programs = folder / "programs"
        programs.mkdir()
        (programs / "tierctl").symlink_to(binary)
        plain = plain_environment(folder)
        self.environment = plain | {
            "PATH": f"{programs}:{plain['PATH']}",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{self.origin}.insteadOf",
            "GIT_CONFIG_VALUE_0": remote,
        }
        for role in ("AUTHOR", "COMMITTER"):
            self.environment |= {f"GIT_{role}_NAME": "Ada", f"GIT_{role}_EMAIL": "ada@example.com"}
        shutil.copytree(ROOT / "examples", self.clone / "examples")
        self.run("git init -q tierctl && cd tierctl && git add . && git commit -q -m tierctl", folder)
        self.run("git init -q --bare -b main origin.git", folder)

    def run(self, script: str, folder: Path, **more: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    @property
    def commit(self) -> str:
        return self.run("git rev-parse HEAD", self.clone).strip()

    @property
    def version(self) -> str:
        return "v" + self.run("tierctl --version", self.folder).split()[1]

    def walk(self, commands: list[str]) -> None:
        """Runs all of them in one shell, as the reader does. A last search finds nothing, which is no failure."""
        local = [block for block in commands if not re.search(r"^(aws|curl) ", block, re.MULTILINE)]
        self.run("\n".join(local).replace("\ngrep ", "\n! grep "), self.folder)

    def fresh_clone(self, branch: str) -> Path:
        self.run(f"git clone -q -b {branch} origin.git clone-of-{branch}", self.folder)
        return self.folder / f"clone-of-{branch}"


def no_placeholder_is_left(files: list[Path]) -> None:
    for path in files:
        assert not PLACEHOLDERS.search(path.read_text(encoding="utf-8")), path
        assert not list(path.parent.glob("*.before"))


def principals(folder: Path) -> set[str]:
    policies = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return {policy["Statement"][0]["Principal"]["Federated"].split("/")[0] for policy in policies}


def test_the_commands_for_github_lead_to_a_repository_that_works(tmp_path: Path, binary: Path) -> None:
    place = Place(tmp_path, binary, "git@github.com:example-shop/infra.git")
    commands = blocks("sh", section(GITHUB))
    written = "\n".join(
        f"mkdir -p {Path(path).parent}\ncat >{path} <<'END'\n{text}END\n" for path, text in first_specs().items()
    )
    place.walk([*commands[:-1], written, commands[-1]])

    main = place.fresh_clone("main")
    workflows = sorted((main / ".github" / "workflows").iterdir())
    assert len(workflows) == 3
    fits_schema("vendor.github-workflows", *workflows)
    no_placeholder_is_left([*workflows, *(main / "aws").iterdir()])
    for workflow in workflows:
        assert f"uses: example-shop/tierctl@{place.commit} # {place.version}\n" in workflow.read_text(encoding="utf-8")
    assert principals(main / "aws") == {"arn:aws:iam::123456789012:oidc-provider"}
    subject = "repo:example-shop/infra:environment:production"
    assert subject in (main / "aws" / "trust-write.json").read_text(encoding="utf-8")
    assert (main / ".github" / "CODEOWNERS").read_text() == "/.github/ @example-shop/platform\n"

    # Nothing is there yet but folders, and that is no error.
    with Bed.start() as bed:
        aws = aws_environment(bed, tmp_path)
        del aws["PATH"]
        assert place.run("tierctl validate", main) == "0 tiers and 0 tenants: no errors\n"
        for options in ("--detailed-exitcode", "--drift-only --detailed-exitcode", "--changed-since HEAD"):
            assert "No changes" in place.run(f"tierctl plan {options}", main, **aws)

    pull_request = place.fresh_clone("first-tier")
    assert place.run("tierctl validate", pull_request) == "1 tier and 1 tenant: no errors\n"
    for path, text in first_specs().items():
        schema = re.search(r"\$schema=(\S+)", text)
        assert schema and (pull_request / path).parent.joinpath(schema[1]).is_file()
    # Nothing lies about in the reader's own folder.
    assert place.run("git status --porcelain", tmp_path / "infra") == ""


def test_the_commands_for_gitlab_lead_to_a_project_that_works(tmp_path: Path, binary: Path) -> None:
    place = Place(tmp_path, binary, "git@gitlab.com:example-shop/infra.git")
    commands = blocks("sh", section(GITLAB))
    place.walk(commands)
    main = place.fresh_clone("main")
    jobs = main / ".gitlab-ci.yml"
    fits_schema("vendor.gitlab-ci", jobs)
    no_placeholder_is_left([jobs, *(main / "aws").iterdir()])
    variables = yaml.safe_load(jobs.read_text(encoding="utf-8"))["variables"]
    assert variables["TIERCTL_REPOSITORY"] == "https://gitlab.com/example-shop/tierctl.git"
    assert variables["TIERCTL_COMMIT"] == place.commit
    assert f'"{place.commit}" # {place.version}\n' in jobs.read_text(encoding="utf-8")
    assert principals(main / "aws") == {"arn:aws:iam::123456789012:oidc-provider"}
    subject = "project_path:example-shop/infra:ref_type:branch:ref:main"
    assert subject in (main / "aws" / "trust-write.json").read_text(encoding="utf-8")
    assert place.run("tierctl validate", main) == "0 tiers and 0 tenants: no errors\n"
    assert place.run("git status --porcelain", tmp_path / "infra") == ""

    # For a private copy: the address alone has the token of the job.
    (private,) = re.findall(r"^  ```sh\n(.*?)^  ```$", section(GITLAB), re.MULTILINE | re.DOTALL)
    before = jobs.read_text(encoding="utf-8").splitlines()
    place.run(private, main)
    changed = [new for old, new in zip(before, jobs.read_text("utf-8").splitlines(), strict=True) if old != new]
    address = "https://gitlab-ci-token:$CI_JOB_TOKEN@gitlab.com/example-shop/tierctl.git"
    assert changed == [f"  TIERCTL_REPOSITORY: {address}"]
    assert place.run("git status --porcelain", main) == " M .gitlab-ci.yml\n"


# --- several roots


def of_roots() -> Iterator[tuple[str, str]]:
    """The workflows for plans and applies with the document's matrix, by file name."""
    jobs, strategy, folder = blocks("yaml", section("Several roots in one repository"))
    before, _, _ = (WORKFLOWS / "tierctl-plan.yml").read_text(encoding="utf-8").partition("jobs:\n")
    yield "tierctl-plan.yml", before + jobs
    text = (WORKFLOWS / "tierctl-apply.yml").read_text(encoding="utf-8")
    for old, new in (
        ("    runs-on:", f"{strategy}    runs-on:"),
        ("          command:", f"{folder}          command:"),
        ('["tiers/**", "tenants/**"]', '["platform/*/tiers/**", "platform/*/tenants/**"]'),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    yield "tierctl-apply.yml", text


@pytest.fixture
def roots(tmp_path: Path, binary: Path, bed: Bed, hub: Hub) -> World:
    """One that is in use, and one that is still empty."""
    first = {"platform/eu/tiers/test": specs.tier(), "platform/eu/tenants/acme": acme()}
    world = World(tmp_path, binary, bed, hub, first=first)
    for name in ("tiers", "tenants"):
        folder = world.repository.folder / "platform" / "us" / name
        folder.mkdir(parents=True)
        (folder / ".gitkeep").touch()
    world.repository.commit_to_main({})
    world.workflows = dict(of_roots())
    return world


def test_workflows_of_several_roots_fit_their_schema_and_the_example(tmp_path: Path) -> None:
    for name, text in of_roots():
        (tmp_path / name).write_text(text, encoding="utf-8")
        fits_schema("vendor.github-workflows", tmp_path / name)
    texts = dict(of_roots())
    plan, single = (yaml.safe_load(text)["jobs"] for text in (texts["tierctl-plan.yml"], _example("tierctl-plan.yml")))
    root = dict(plan["root"])
    assert list(root.pop("strategy")["matrix"]) == ["root"]
    assert root["steps"][-1]["with"].pop("working-directory") == "${{ matrix.root }}"
    # All else is the example's own job.
    assert root == single["plan"]
    apply: dict[str, Any] = yaml.safe_load(texts["tierctl-apply.yml"])
    assert apply["jobs"]["apply"]["strategy"]["max-parallel"] == 1


def _example(name: str) -> str:
    return (WORKFLOWS / name).read_text(encoding="utf-8")


def test_the_required_check_comes_with_several_roots(roots: World) -> None:
    pull_request = roots.open({"platform/eu/tenants/acme": acme(desired=2)})
    checks = roots.checks(pull_request)
    assert list(checks) == ["root (platform/eu)", "root (platform/us)", "plan"]
    assert all(job.is_success and job.ran for job in checks.values())
    contexts = {status["context"] for status in roots.hub.statuses[pull_request.head]}
    assert contexts == {"tierctl/plan (platform-eu)", "tierctl/plan (platform-us)"}
    assert len(roots.hub.comments[5]) == 2
    roots.approve(pull_request)
    roots.merge(pull_request)
    jobs = roots.applies()
    assert list(jobs) == ["apply (platform/eu)", "apply (platform/us)"]
    assert all(job.is_success for job in jobs.values())
    found = client(roots.bed, "ecs").describe_services(cluster="test-cell-1-ig-1-acme", services=["acme"])
    assert found["services"][0]["desiredCount"] == 2


def test_the_required_check_fails_with_any_root(roots: World) -> None:
    checks = roots.checks(roots.open({"platform/us/tenants/acme": "tenant: acme\n"}))
    results = {name: job.is_success for name, job in checks.items()}
    assert results == {"root (platform/eu)": True, "root (platform/us)": False, "plan": False}
    # It has run: a job that is skipped would count as one that succeeded.
    assert checks["plan"].ran
