"""One bed with others' things in it for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from convergence.trial import Ground


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    made = Ground.make()
    yield made
    made.close()
