"""Runs jobs of the GitLab example as they are written: what they extend, their variables and their scripts."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from . import scripts
from .workflows import ROOT, Job

FILE = ROOT / "examples" / "gitlab" / ".gitlab-ci.yml"


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`extends`: mappings are merged, all else is replaced."""
    result = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        result[key] = _merged(below[key], value) if both else value
    return result


def job_of(name: str) -> dict[str, Any]:
    jobs = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    job = jobs[name]
    bases = job.get("extends", [])
    below: dict[str, Any] = {}
    for base in [bases] if isinstance(bases, str) else bases:
        below = _merged(below, jobs[base])
    return _merged({"variables": jobs["variables"]} | below, job)


def _expanded(text: str, variables: dict[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda found: variables.get(found[1], ""), text)


def source_of_tierctl(folder: Path) -> str:
    """A repository with the action as it is in this working tree; returns its commit."""
    folder.mkdir()
    for name in ("action", "Cargo.toml", "Cargo.lock"):
        subprocess.run(["cp", "-R", str(ROOT / name), str(folder)], check=True)
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "tierctl"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def run(name: str, folder: Path, predefined: dict[str, str], rule: int = 0) -> Job:
    """Runs a job by one of its rules, in a checkout; the variables of the project win over those of the file."""
    job = job_of(name)
    variables = dict(predefined)
    given = job["variables"] | job["rules"][rule].get("variables", {})
    for key, value in given.items():
        variables.setdefault(key, _expanded(str(value), variables))
    if job.get("id_tokens"):
        variables |= {key: "a.token.of-the-job" for key in job["id_tokens"]}
    environment = {
        "PATH": os.environ["PATH"],
        "GITLAB_CI": "true",
        "CI": "true",
        "CI_PROJECT_DIR": str(folder),
        **variables,
    }
    script = "\n".join(["set -eo pipefail", *job["before_script"], *job["script"]])
    code, log = scripts.run(name, ["-c", script], folder, environment)
    return Job(code == 0, log, outputs={"exit-code": str(code)})
