"""tierctl as a program that a step runs: its output goes to the log while it comes, and is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import inputs
import runner

#: What tierctl has no use for is not handed on to it.
_WITHHELD = ("TIERCTL_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_RUNTIME_TOKEN")

EXPLAINED = {
    0: "done, or nothing to do",
    1: "an error",
    2: "changes are pending",
    3: "blocked: something is refused, or waits for somebody else",
    130: "interrupted",
}


@dataclass(frozen=True)
class Ended:
    """How a run ended, and what it printed."""

    code: int
    stdout: str
    stderr: str


def run(arguments: list[str], folder: Path, shown: tuple[str, ...] = ("stdout", "stderr")) -> Ended:
    """Runs tierctl in a folder. A signal to the step is handed on, so that steps that run are finished."""
    binary = inputs.text("binary", "tierctl")
    environment = {name: value for name, value in os.environ.items() if name not in _WITHHELD}
    ci = runner.here()
    token = ci.start_quoting()
    runner.say("$ tierctl " + " ".join(arguments))
    try:
        try:
            process = subprocess.Popen(
                [binary, *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            return Ended(1, "", f"error: {binary} cannot be run: {error}")
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: process.send_signal(signal.SIGINT))
        texts: dict[str, list[str]] = {"stdout": [], "stderr": []}
        readers = [
            threading.Thread(target=_read, args=(getattr(process, name), texts[name], name in shown)) for name in texts
        ]
        for reader in readers:
            reader.start()
        code = process.wait()
        for reader in readers:
            reader.join()
    finally:
        ci.stop_quoting(token)
    # A signal that ended it is no exit code of tierctl.
    return Ended(code if code >= 0 else 1, "".join(texts["stdout"]), "".join(texts["stderr"]))


def _read(stream: IO[str], into: list[str], is_shown: bool) -> None:
    for line in stream:
        into.append(line)
        if is_shown:
            sys.stdout.write(line)
            sys.stdout.flush()
