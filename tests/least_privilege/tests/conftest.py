"""One world for the whole run: a bed with others' things, and who runs tierctl in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from convergence.table import ROOT
from least_privilege.stage import World

BINARY = Path(os.environ.get("TIERCTL", ROOT / "target" / "debug" / "tierctl"))


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    assert BINARY.exists(), f"there is no {BINARY}: run `make test`, which builds it"
    made = World(BINARY, is_quick=True)
    yield made
    made.close()
