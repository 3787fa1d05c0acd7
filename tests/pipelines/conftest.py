"""An account with a tier and a tenant in it, of which each test has a copy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from convergence import specs
from convergence.bed import Bed
from convergence.program import Project

from .stand_in import Hub, Lab
from .world import FIRST, World


@pytest.fixture(scope="session")
def binary() -> Path:
    path = os.environ.get("TIERCTL")
    assert path, "TIERCTL names the binary: `make test` sets it"
    return Path(path).resolve()


@pytest.fixture(scope="session")
def ground(binary: Path) -> Iterator[Bed]:
    with Bed.start() as bed:
        bed.endpoint_services(specs.endpoint_services())
        with Project(binary, bed, FIRST) as project:
            for command in (("apply", "--yes", "tiers"), ("onboard", "--yes", "tenants")):
                run = project.run(*command)
                assert run.code == 0, run.as_text()
        yield bed


class Copies:
    """Copies of the account. One that a test has left as it was serves the next test too: making one takes a second."""

    def __init__(self, ground: Bed) -> None:
        self._ground, self._state = ground, ground.dump()
        self._spare: list[Bed] = []

    def take(self) -> Bed:
        return self._spare.pop() if self._spare else self._ground.copy()

    def give_back(self, bed: Bed) -> None:
        bed.release()
        if bed.dump() == self._state:
            self._spare.append(bed)
        else:
            bed.close()

    def close(self) -> None:
        for bed in self._spare:
            bed.close()


@pytest.fixture(scope="session")
def copies(ground: Bed) -> Iterator[Copies]:
    made = Copies(ground)
    yield made
    made.close()


@pytest.fixture
def bed(copies: Copies) -> Iterator[Bed]:
    copy = copies.take()
    yield copy
    copies.give_back(copy)


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub()
    yield made
    made.close()


@pytest.fixture
def lab() -> Iterator[Lab]:
    made = Lab()
    yield made
    made.close()


@pytest.fixture
def world_at(tmp_path: Path, binary: Path, bed: Bed, hub: Hub) -> Callable[[str], World]:
    """A repository whose specs are in a folder of it."""
    return lambda root: World(tmp_path, binary, bed, hub, root)


@pytest.fixture
def world(world_at: Callable[[str], World]) -> World:
    return world_at(".")
