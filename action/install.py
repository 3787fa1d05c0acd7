"""Which tierctl to run: the one that is named, or one that is built from this checkout and kept in a cache.

`install.py find` says which, and under which key it is cached; `install.py build` builds it if it is not there.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import inputs
import runner

COMMANDS = ("plan", "apply", "drift", "validate")
SOURCE = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> int:
    ci = runner.here()
    named, command = inputs.text("binary"), inputs.text("command")
    if arguments == ["find"]:
        if command and command not in COMMANDS:
            # It would be a job that does nothing and is green.
            ci.error(f"`command` is one of {', '.join(COMMANDS)}, not `{command}`")
            return 1
        if named:
            found = shutil.which(named)
            if found is None:
                ci.error(f"`binary` is no program that can be run: {named}")
                return 1
            ci.output("binary", os.path.abspath(found))
            ci.output("build", "false")
            return 0
        folder = _folder()
        ci.output("binary", str(folder / "bin" / "tierctl"))
        ci.output("build", "true")
        ci.output("folder", str(folder))
        ci.output("cache-key", f"tierctl-{_system()}-{_source_hash()}")
        return 0
    if arguments == ["build"]:
        folder = _folder()
        if (folder / "bin" / "tierctl").is_file():
            runner.say(f"tierctl is there already: {folder}")
            return 0
        if shutil.which("cargo") is None:
            ci.error("tierctl is built from its source, and there is no cargo here: install Rust, or give `binary`")
            return 1
        build = ["cargo", "install", "--locked", "--path", str(SOURCE), "--root", str(folder)]
        runner.say("$ " + " ".join(build))
        # Not the folder of specs: a toolchain file or a Cargo configuration there is not meant for tierctl.
        return subprocess.run(build, cwd=SOURCE, check=False).returncode and 1
    print("usage: install.py find|build", file=sys.stderr)
    return 1


def _folder() -> Path:
    base = inputs.text("tool-folder") or os.environ.get("RUNNER_TEMP") or os.path.expanduser("~/.cache")
    return Path(base).resolve() / "tierctl"


def _system() -> str:
    """What a binary depends on: it is linked with the system's C library."""
    image = os.environ.get("ImageOS", "")
    return "-".join(part for part in (platform.system(), platform.machine(), image) if part)


def _source_hash() -> str:
    """Of all that tierctl is built from: two of its versions may have the same Cargo.lock."""
    hashed = hashlib.sha256()
    for path in _source_files():
        name, data = path.relative_to(SOURCE).as_posix().encode(), path.read_bytes()
        hashed.update(b"%d %s %d " % (len(name), name, len(data)) + data)
    return hashed.hexdigest()[:32]


def _source_files() -> Iterator[Path]:
    for name in ("Cargo.lock", "Cargo.toml", "build.rs", "rust-toolchain.toml"):
        if (SOURCE / name).is_file():
            yield SOURCE / name
    yield from sorted(path for path in (SOURCE / "src").rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
