"""Which tierctl is run: the one that is named, or one from this source, under a key that changes with the source."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .workflows import ROOT, plain_environment


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of what the action needs of its checkout."""
    folder = tmp_path / "source"
    shutil.copytree(ROOT / "action", folder / "action")
    (folder / "src").mkdir()
    (folder / "src" / "main.rs").write_text("fn main() {}\n")
    (folder / "Cargo.lock").write_text("version = 4\n")
    (folder / "Cargo.toml").write_text("[package]\n")
    return folder


def run(source: Path, what: str, **more: str) -> tuple[int, dict[str, str], str]:
    output = source.parent / "output"
    output.write_text("")
    environment = plain_environment(source.parent) | {
        "TIERCTL_OUTPUT": str(output),
        "TIERCTL_TOOL_FOLDER": str(source.parent / "tools"),
        **more,
    }
    command = [sys.executable, str(source / "action" / "install.py"), what]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    pairs = (line.partition("=") for line in output.read_text().splitlines())
    return done.returncode, {name: value for name, _, value in pairs}, done.stdout + done.stderr


def test_a_binary_that_is_named_is_taken(source: Path) -> None:
    code, outputs, _ = run(source, "find", TIERCTL_BINARY="sh")
    assert code == 0 and outputs["build"] == "false" and os.access(outputs["binary"], os.X_OK)
    code, _, said = run(source, "find", TIERCTL_BINARY="/nowhere/tierctl")
    assert code == 1 and "no program that can be run" in said


def test_the_key_of_the_cache_changes_with_whatever_is_built(source: Path) -> None:
    """Two versions with the same Cargo.lock are not each other's."""
    keys = [run(source, "find")[1]["cache-key"]]
    assert run(source, "find")[1]["cache-key"] == keys[0]
    for name in ("Cargo.lock", "Cargo.toml", "src/main.rs"):
        (source / name).write_text((source / name).read_text() + "\n")
        keys.append(run(source, "find")[1]["cache-key"])
    keys.append(run(source, "find", ImageOS="ubuntu99")[1]["cache-key"])
    assert len(set(keys)) == 5


def test_it_is_built_from_its_own_checkout_and_once(source: Path) -> None:
    programs = source.parent / "programs"
    programs.mkdir()
    cargo = programs / "cargo"
    cargo.write_text(
        '#!/bin/sh\necho "in $PWD: $*"\nfor last; do :; done\nmkdir -p "$last/bin" && touch "$last/bin/tierctl"\n'
    )
    cargo.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    tool = source.parent / "tools" / "tierctl"
    code, _, said = run(source, "build", PATH=path)
    assert code == 0 and f"in {source}: install --locked --path {source} --root {tool}" in said
    assert run(source, "find")[1]["binary"] == str(tool / "bin" / "tierctl")
    code, _, said = run(source, "build", PATH=path)
    assert code == 0 and "is there already" in said


def test_a_build_that_fails_fails_the_step(source: Path) -> None:
    programs = source.parent / "programs"
    programs.mkdir()
    (programs / "cargo").write_text("#!/bin/sh\nexit 101\n")
    (programs / "cargo").chmod(0o755)
    assert run(source, "build", PATH=f"{programs}:{os.environ['PATH']}")[0] == 1


def test_without_rust_it_says_so(source: Path) -> None:
    code, _, said = run(source, "build", PATH="/nowhere")
    assert code == 1 and "install Rust, or give `binary`" in said
