"""Runs workflows and the composite action as they are written: each `run` step with what its YAML hands it.

`uses` steps of others are not run; what they would have done is told by the test.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from . import expressions, scripts

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = ROOT / "examples" / "github" / ".github" / "workflows"
ACTION = ROOT / "action.yml"

#: A step of somebody else: it is given its inputs, and says whether it worked.
Uses = Callable[[dict[str, str]], bool]


@dataclass
class Job:
    """How a job ended."""

    is_success: bool
    log: str = ""
    summary: str = ""
    #: Outputs of the action.
    outputs: dict[str, str] = field(default_factory=dict)
    #: Names of the actions of others that would have run.
    used: list[str] = field(default_factory=list)
    ran: bool = True

    @property
    def annotations(self) -> list[tuple[str, dict[str, str], str]]:
        """Level, properties and text of what is annotated, as GitHub reads it from the log."""
        found, stop = [], ""
        for line in self.log.splitlines():
            if stop:
                stop = "" if line == f"::{stop}::" else stop
                continue
            command = re.fullmatch(r"::(error|warning|notice|stop-commands)(?: ([^:]*))?::(.*)", line)
            if command and command[1] == "stop-commands":
                stop = command[3]
            elif command:
                pairs = (pair.partition("=") for pair in (command[2] or "").split(",") if pair)
                found.append((command[1], {name: _plain(value) for name, _, value in pairs}, _plain(command[3])))
        return found

    def said(self, level: str = "error") -> str:
        return "\n".join(text for kind, _, text in self.annotations if kind == level)


def _plain(text: str) -> str:
    for code, character in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, character)
    return text


@dataclass
class GitHubRun:
    """A run of a workflow: what it is for, and where it runs."""

    workspace: Path
    temp: Path
    #: What every step has: the runner's own variables, and credentials for AWS.
    environment: dict[str, str]
    github: dict[str, Any]
    variables: dict[str, str]
    uses: dict[str, Uses]
    #: Inputs of the action beside those that the workflow gives.
    inputs: dict[str, str]
    #: Text of the workflows, by file name.
    files: dict[str, str]

    def workflow(self, name: str, **inputs: str) -> Job:
        """Runs the one job of a workflow."""
        (job,) = self.jobs(name, **inputs).values()
        return job

    def jobs(self, name: str, **inputs: str) -> dict[str, Job]:
        """Runs the jobs of a workflow in their order, by the names that their checks have."""
        jobs = yaml.safe_load(self.files[name])["jobs"]
        needs: dict[str, dict[str, str]] = {}
        contexts = {"github": self.github, "vars": self.variables, "inputs": inputs, "needs": needs}
        done: dict[str, Job] = {}
        for key, job in jobs.items():
            failed = any(needs[other]["result"] != "success" for other in _listed(job.get("needs")))
            matrix = (job.get("strategy") or {}).get("matrix") or {}
            runs = []
            for values in itertools.product(*matrix.values()):
                own = contexts | {"matrix": dict(zip(matrix, values, strict=True))}
                is_run = expressions.holds(job.get("if"), own, failed)
                runs.append(self._job(job, own) if is_run else Job(True, ran=False))
                done[f"{key} ({', '.join(values)})" if values else key] = runs[-1]
            skipped = not any(run.ran for run in runs)
            result = "skipped" if skipped else "success" if all(run.is_success for run in runs) else "failure"
            needs[key] = {"result": result}
        return done

    def _job(self, job: dict[str, Any], contexts: dict[str, Any]) -> Job:
        done = Job(True)
        for step in job["steps"]:
            if not expressions.holds(step.get("if"), contexts, not done.is_success):
                continue
            if "run" in step:
                done.is_success &= self._script({"name": step["run"]} | step, contexts, done)[0]
                continue
            uses = step["uses"].partition("@")[0]
            given = {key: expressions.filled(value, contexts) for key, value in (step.get("with") or {}).items()}
            if uses != "OWNER/tierctl":
                done.used.append(uses)
                continue
            action = self.action(given)
            action.used = done.used + action.used
            done = action
        return done

    def action(self, given: dict[str, str]) -> Job:
        """Runs the steps of the action in their order."""
        action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
        contexts: dict[str, Any] = {"github": self.github, "runner": {"os": "Linux", "temp": str(self.temp)}}
        unknown = set(given) - set(action["inputs"])
        assert not unknown, f"the action has no inputs {unknown}"
        given = given | self.inputs
        defaults = {name: expressions.filled(one.get("default"), contexts) for name, one in action["inputs"].items()}
        missing = [name for name, one in action["inputs"].items() if one.get("required") and name not in given]
        assert not missing, f"the action needs {missing}"
        steps: dict[str, Any] = {}
        contexts |= {"inputs": defaults | given, "steps": steps}
        done = Job(True)
        for step in action["runs"]["steps"]:
            key = step.get("id", secrets.token_hex(4))
            if not expressions.holds(step.get("if"), contexts, not done.is_success):
                steps[key] = {"outputs": {}, "outcome": "skipped"}
                continue
            if "uses" in step:
                name = step["uses"].partition("@")[0]
                with_ = {key: expressions.filled(value, contexts) for key, value in step["with"].items()}
                is_success = name not in self.uses or self.uses[name](with_)
                outputs: dict[str, str] = {}
                done.used.append(name)
            else:
                assert step["shell"] == "bash"
                is_success, outputs = self._script(step, contexts, done)
            steps[key] = {"outputs": outputs, "outcome": "success" if is_success else "failure"}
            done.is_success &= is_success or bool(step.get("continue-on-error"))
        done.outputs = {name: expressions.filled(one["value"], contexts) for name, one in action["outputs"].items()}
        return done

    def _script(self, step: dict[str, Any], contexts: dict[str, Any], done: Job) -> tuple[bool, dict[str, str]]:
        names = ("output", "summary.md", "step.sh", "event.json")
        output, summary, script, event = (self.temp / name for name in names)
        output.write_text("")
        summary.write_text("")
        script.write_text(step["run"])
        event.write_text(json.dumps(self.github["event"]))
        environment = self.environment | {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_EVENT_NAME": self.github["event_name"],
            "GITHUB_REPOSITORY": self.github["repository"],
            "GITHUB_SHA": self.github["sha"],
            "GITHUB_RUN_ID": self.github["run_id"],
            "GITHUB_SERVER_URL": "https://github.example",
            "RUNNER_TEMP": str(self.temp),
        }
        environment |= {name: expressions.filled(value, contexts) for name, value in step.get("env", {}).items()}
        options = ["--noprofile", "--norc", "-eo", "pipefail"]
        code, log = scripts.run(step["name"], [*options, str(script)], self.workspace, environment)
        done.log += log
        done.summary += summary.read_text(encoding="utf-8")
        written = output.read_text(encoding="utf-8")
        outputs = re.findall(r"^([\w-]+)<<(\S+)\n(.*?)\n\2$", written, re.MULTILINE | re.DOTALL)
        return code == 0, {name: value for name, _, value in outputs}


def fits_schema(schema: str, *paths: Path) -> None:
    """The file is what its reader takes, by one of the schemas that check-jsonschema brings."""
    assert paths
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _listed(names: str | list[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else names or []


def plain_environment(home: Path) -> dict[str, str]:
    """Nothing of the machine's own settings."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
