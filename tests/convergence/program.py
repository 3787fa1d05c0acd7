"""tierctl in a folder with specs, with nothing of the machine's own AWS settings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .bed import REGION, Bed

#: Longer than anything takes: a run that goes on then hangs.
PATIENCE = 180.0
KILLED = -9

Specs = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Run:
    """What a run printed and how it ended; without a code it did not."""

    arguments: tuple[str, ...]
    code: int | None
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """Both outputs: what a user sees."""
        return f"{self.stdout}\n{self.stderr}"

    @property
    def words(self) -> str:
        """What a user reads: lines are wrapped where they end."""
        return " ".join(self.text.split())

    @property
    def command(self) -> str:
        return " ".join(("tierctl", *self.arguments))

    def as_text(self) -> str:
        ended = "did not end" if self.code is None else "was killed" if self.code == KILLED else f"ended with {self.code}"
        return f"$ {self.command}   # {ended}\n{self.stdout.rstrip()}\n--- standard error\n{self.stderr.rstrip()}\n"


class Running:
    """A run that is under way."""

    def __init__(self, arguments: tuple[str, ...], process: subprocess.Popen[str], out: Any, err: Any) -> None:
        self.arguments, self._process, self._out, self._err = arguments, process, out, err

    def is_over(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        self._process.kill()

    def ends(self) -> Run:
        code: int | None
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            code = None
        texts = []
        for stream in (self._out, self._err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
            stream.close()
        return Run(self.arguments, code, texts[0], texts[1])


class Project:
    """A folder with specs, and the binary run in it."""

    def __init__(self, binary: Path, bed: Bed, specs: Specs, environment: dict[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tierctl-project."))
        self.binary, self.bed, self.environment = binary, bed, environment or {}
        self.write(specs)

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, specs: Specs) -> None:
        """Makes the folder hold these specs and no others."""
        for name in ("tiers", "tenants"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir()
        for path, spec in specs.items():
            text = yaml.dump(spec, Dumper=_Dumper, sort_keys=False)
            (self.folder / f"{path}.yaml").write_text(text, encoding="utf-8")

    def start(self, *arguments: str) -> Running:
        environment = {
            "HOME": str(self.folder),
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "AWS_ENDPOINT_URL": self.bed.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "RUST_BACKTRACE": "1",
            **self.environment,
        }
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        process = subprocess.Popen(
            [self.binary, *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            text=True,
        )
        return Running(arguments, process, out, err)

    def run(self, *arguments: str) -> Run:
        return self.start(*arguments).ends()


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """An account's number is a text, whatever it looks like; nothing is an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def plan_of(run: Run) -> dict[str, Any]:
    """A plan that was printed as JSON, or nothing where none was."""
    try:
        plan = json.loads(run.stdout)
    except ValueError:
        return {}
    return plan if isinstance(plan, dict) else {}
