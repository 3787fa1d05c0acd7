"""A fixed sample of everything, with the binary that `cargo test` has built."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from convergence import extent, scenarios, specs, table
from convergence.cases import PARTS, run_all
from convergence.program import Project, plan_of
from convergence.trial import Ground

BINARY = Path(os.environ.get("TIERCTL", table.ROOT / "target" / "debug" / "tierctl"))
JOBS = int(os.environ.get("TIERCTL_JOBS", "4"))


@pytest.mark.parametrize("part", PARTS)
def test_the_sample_converges(ground: Ground, part: str) -> None:
    assert BINARY.exists(), f"there is no {BINARY}: run `make test`, which builds it"
    results = run_all(extent.cases(BINARY, ground, extent.SAMPLE, [part]), JOBS, lambda _: None)
    failed = [result.as_text() for result in results if not result.converged]
    assert results and not failed, f"{len(failed)} of {len(results)} did not converge:\n" + "\n".join(failed)


def test_every_kind_of_thing_occurs(ground: Ground) -> None:
    source = (table.ROOT / "src" / "resources" / "mod.rs").read_text(encoding="utf-8")
    kinds = set(re.findall(r'^    (?:tier|tenant) [A-Z]\w+ "(\w+)" \w+::\w+;$', source, re.MULTILINE))
    wanted = {
        path: specs.filled(spec, ground.ids) for path, spec in {scenarios.TIER: scenarios.WHOLE, **scenarios.TENANTS}.items()
    }
    with ground.bed.copy() as bed, Project(BINARY, bed, wanted) as project:
        planned = plan_of(project.run("plan", "--format", "json"))["changes"]
    assert kinds and {change["kind"] for change in planned} == kinds


def test_the_sample_is_the_same_each_time() -> None:
    for scenario in scenarios.all_scenarios():
        for effect in ("hang-after", "drop-before"):
            for writes in (1, 2, 5, 42):
                chosen = extent.sampled(scenario, effect, writes)
                assert chosen == extent.sampled(scenario, effect, writes)
                assert len(set(chosen)) == min(extent.SAMPLED_WRITES, writes) and set(chosen) <= set(range(1, writes + 1))
