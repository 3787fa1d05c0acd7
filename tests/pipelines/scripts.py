"""Runs a script as a CI does: without a terminal, all that it prints in one log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: Longer than anything takes, in seconds.
PATIENCE = 180


def run(name: str, bash: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Exit code and log of what `bash` is given."""
    ended = subprocess.run(
        ["bash", *bash],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
        check=False,
    )
    log = ended.stdout.decode("utf-8", "replace")
    # What a test that failed has to show.
    sys.stdout.write(f"--- {name}: {ended.returncode}\n{log}")
    return ended.returncode, log
