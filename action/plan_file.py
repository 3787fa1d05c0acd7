"""A saved plan: which file it is, how much it changes, and which specs it was made of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Plans hold the specs' text; one that is longer is none.
MOST_BYTES = 256 * 1024 * 1024


class Unreadable(Exception):
    """It is not a plan that tierctl has written."""


@dataclass(frozen=True)
class PlanFile:
    """What a step has to know of a plan."""

    sha256: str
    changes: int
    #: Path and text of each file of specs, as it was read.
    specs: list[tuple[str, str]]

    @classmethod
    def read(cls, path: Path) -> PlanFile:
        try:
            return cls.of(path.read_bytes())
        except OSError as error:
            raise Unreadable(f"the plan {path} cannot be read: {error.strerror}") from error

    @classmethod
    def of(cls, data: bytes) -> PlanFile:
        try:
            file: Any = json.loads(data)
            if file["format"] != "tierctl-plan":
                raise ValueError("it says that it is something else")
            plan = file["plan"]
            specs = [(str(spec["path"]), str(spec["text"])) for spec in plan["specs"]]
            return cls(hashlib.sha256(data).hexdigest(), len(plan["changes"]), specs)
        except (ValueError, KeyError, TypeError) as error:
            raise Unreadable(f"this is not a plan of tierctl: {error}") from error

    def differences(self, folder: Path, repository: Path) -> list[str]:
        """The files of specs that are not in the repository as the plan holds them.

        This is what a plan that somebody has put in the place of another one cannot get around: whatever it says, it
        is made of specs that were merged.
        """
        found = []
        top = repository.resolve()
        for name, text in self.specs:
            path = (folder / name).resolve()
            if top not in path.parents:
                found.append(f"{name}: outside the repository")
            elif not path.is_file():
                found.append(f"{name}: not in the repository")
            elif path.read_bytes() != text.encode():
                found.append(f"{name}: other text in the repository")
        return found
