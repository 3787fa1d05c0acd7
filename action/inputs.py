"""The inputs of a step: environment variables `TIERCTL_*`, which is how nothing of them ever becomes shell text."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

#: It stands in an HTML comment, in the name of an artifact and in a commit status.
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Wrong(Exception):
    """An input that cannot be meant: the step ends with exit code 1 and says which."""


def text(name: str, default: str = "") -> str:
    """`TIERCTL_MAX_DELETES` for `max-deletes`; an empty one counts as left out."""
    return os.environ.get(_variable(name), "").strip() or default


def flag(name: str, default: bool) -> bool:
    value = text(name, "true" if default else "false")
    if value not in ("true", "false"):
        raise Wrong(f"`{name}` is `true` or `false`, not `{value}`")
    return value == "true"


def number(name: str) -> str:
    value = text(name)
    if value and not (value.isascii() and value.isdigit()):
        raise Wrong(f"`{name}` is a number, not `{value}`")
    return value


def sha256(name: str) -> str:
    value = text(name).lower()
    if value and not _SHA256.fullmatch(value):
        raise Wrong(f"`{name}` has 64 hexadecimal digits, as `sha256sum` prints them")
    return value


@dataclass(frozen=True)
class Root:
    """A folder that holds `tiers/` and `tenants/`: a repository may have several."""

    folder: Path
    #: Tells its comment, artifact, status and issue from those of the other roots.
    key: str
    #: Files and folders of specs, relative to the folder; none means tierctl's default.
    paths: list[str]

    @classmethod
    def from_inputs(cls) -> Root:
        name = text("working-directory", ".")
        folder = Path(name)
        if not folder.is_dir():
            raise Wrong(f"`working-directory` is no folder here: `{name}`; has the repository been checked out?")
        key = text("key") or re.sub(r"[^A-Za-z0-9._-]+", "-", os.path.normpath(name)).strip("-.") or "default"
        if not _KEY.fullmatch(key):
            raise Wrong(f"`key` has letters, digits, `.`, `_` and `-`, at most 80, not `{key}`")
        return cls(folder, key, [line.strip() for line in text("paths").splitlines() if line.strip()])

    @property
    def artifact(self) -> str:
        return f"tierctl-plan-{self.key}"


def limits() -> list[str]:
    """The flags of how much may be done at once."""
    given = [(f"--{name}", number(name)) for name in ("max-deletes", "max-tenants")]
    return [part for name, value in given if value for part in (name, value)]


def _variable(name: str) -> str:
    return "TIERCTL_" + name.upper().replace("-", "_")
