"""What a step says to the CI that runs it: its log, annotations, outputs and the summary of the job."""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

#: GitHub takes 1 MiB from a step; what is longer it drops as a whole.
SUMMARY_BYTES = 1024 * 1024 - 4096


@dataclass(frozen=True)
class Annotation:
    """Something to look at, where it stands in a file if it does."""

    level: str
    message: str
    title: str = ""
    file: str = ""
    line: int = 0
    column: int = 0


class Runner:
    """Of any CI: everything goes to the log, and outputs to a file that the next step reads."""

    def annotate(self, annotation: Annotation) -> None:
        place = ":".join(str(part) for part in (annotation.file, annotation.line, annotation.column) if part)
        title = f"{annotation.title}: " if annotation.title else ""
        say(f"{annotation.level}: {place + ': ' if place else ''}{title}{annotation.message}")

    def error(self, message: str, title: str = "tierctl") -> None:
        self.annotate(Annotation("error", message, title))

    def warning(self, message: str, title: str = "tierctl") -> None:
        self.annotate(Annotation("warning", message, title))

    def notice(self, message: str, title: str = "tierctl") -> None:
        self.annotate(Annotation("notice", message, title))

    def quote(self, lines: str) -> None:
        """Text of others for the log; nothing in it may be taken for a command."""
        say(lines)

    def output(self, name: str, value: str) -> None:
        path = os.environ.get("TIERCTL_OUTPUT")
        if path:
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{name}={value}\n")

    def summarize(self, markdown: str) -> None:
        """Without a summary the log has it already."""

    def start_quoting(self) -> str:
        return ""

    def stop_quoting(self, token: str) -> None:
        """Nothing was started."""


class GitHubRunner(Runner):
    """GitHub's runner reads commands from the log."""

    def annotate(self, annotation: Annotation) -> None:
        fields = {
            "file": annotation.file,
            "line": str(annotation.line or ""),
            "col": str(annotation.column or ""),
            "title": annotation.title,
        }
        properties = ",".join(f"{name}={_property(value)}" for name, value in fields.items() if value)
        say(f"::{annotation.level}{' ' + properties if properties else ''}::{_data(annotation.message)}")

    def quote(self, lines: str) -> None:
        token = self.start_quoting()
        say(lines)
        self.stop_quoting(token)

    def output(self, name: str, value: str) -> None:
        end = f"end-{secrets.token_hex(16)}"
        _append("GITHUB_OUTPUT", f"{name}<<{end}\n{value}\n{end}\n")

    def summarize(self, markdown: str) -> None:
        size = len(markdown.encode())
        if size > SUMMARY_BYTES:
            cut = markdown.encode()[:SUMMARY_BYTES].decode("utf-8", "ignore")
            markdown = f"**Cut: the job's log has all of it.**\n\n{cut}"
            self.quote(cut)
        _append("GITHUB_STEP_SUMMARY", f"{markdown}\n")

    def start_quoting(self) -> str:
        token = f"tierctl-{secrets.token_hex(16)}"
        say(f"::stop-commands::{token}")
        return token

    def stop_quoting(self, token: str) -> None:
        say(f"::{token}::")


def here() -> Runner:
    return GitHubRunner() if os.environ.get("GITHUB_ACTIONS") == "true" else Runner()


def say(line: str) -> None:
    print(line, flush=True)


def fenced(text: str, language: str = "text") -> str:
    """Text as a block of code that nothing in it can end."""
    longest = 2
    for line in text.splitlines():
        run = len(line.lstrip()) - len(line.lstrip().lstrip("`"))
        longest = max(longest, run)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable)
    if not path:
        print(f"{variable} is not set: this is no step of a GitHub workflow", file=sys.stderr)
        return
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(text)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
