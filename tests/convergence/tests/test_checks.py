"""The harness can fail: each check catches a tierctl that does what it must not."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from convergence import checks, equality, program, sweeps
from convergence.bed import TESTS
from convergence.cases import Result, run_all
from convergence.program import Run
from convergence.scenarios import APPLY, TIER, Scenario
from convergence.sweeps import Choice
from convergence.trial import Ground

SCENARIO = Scenario("fake", "four-things", APPLY, {TIER: {"tier": "test"}})
WRITES = 4


def fake(folder: Path, fault: str) -> Path:
    """A binary with that fault."""
    file = folder / "tierctl"
    script = f"import sys\nsys.path.insert(0, {str(TESTS)!r})\nfrom convergence.tests import fake\nfake.main({fault!r})\n"
    text = f"#!{sys.executable}\n{script}"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)
    return file


def swept(
    ground: Ground, binary: Path, part: str, scenario: Scenario = SCENARIO, choose: Choice = lambda *_: [2]
) -> list[Result]:
    """What comes of a sweep; in a run that was disturbed at the second write some is done and some is not."""
    return run_all(sweeps.cases([part], binary, ground, [scenario], choose), 2, lambda _: None)


@pytest.mark.parametrize("part", ["crash", "fault"])
def test_a_tierctl_without_fault_converges(ground: Ground, tmp_path: Path, part: str) -> None:
    results = swept(ground, fake(tmp_path, "none"), part, choose=sweeps.every)
    assert [(result.case.id, result.problems) for result in results if not result.converged] == []
    effects = sweeps.EFFECTS[part]
    ids = [f"{part}:fake/four-things:{effect}:{write}" for effect in effects for write in range(1, WRITES + 1)]
    assert sorted(result.case.id for result in results) == sorted(ids)


@pytest.mark.parametrize(
    "part, fault, problem",
    [
        ("crash", "double", "there are 2 vpcs test cell-1 ig-1 vpc"),
        ("crash", "double", "the plan finds things that no spec names"),
        ("crash", "undone", "clusters: 1 not as expected, 0 in their place"),
        ("crash", "undone", "revisions of task definitions are missing"),
        ("crash", "other", "clusters: 1 not as expected, 1 in their place"),
        ("crash", "wasteful", "more revisions than the 1 that faults explain"),
        ("crash", "rerun fails", "`tierctl apply --yes tiers` ended with 1 and not with 0"),
        ("crash", "changes a foreign thing", "something that is not tierctl's has changed or gone: loggroups"),
        ("crash", "removes a foreign thing", "something that is not tierctl's has changed or gone: loggroups"),
        ("fault", "panics", "printed a panic: panicked at"),
        ("fault", "raw", "printed an error of the SDK, raw: DispatchFailure("),
        ("fault", "odd code", "`tierctl apply --yes tiers` ended with 7 and not with 0 or 1"),
        ("fault", "silent", "`tierctl apply --yes tiers` failed and said nothing"),
        ("fault", "lies", "it ended with 0, and clusters: 1 not as expected"),
        ("fault", "double", "there are 2 vpcs test cell-1 ig-1 vpc"),
    ],
)
def test_what_a_sweep_catches(ground: Ground, tmp_path: Path, part: str, fault: str, problem: str) -> None:
    results = swept(ground, fake(tmp_path, fault), part)
    said = [text for result in results for text in result.problems]
    assert any(problem in text for text in said), said
    # And it says how to see it alone, and what was run.
    failed = next(result for result in results if not result.converged)
    assert f"--case {failed.case.id}'" in failed.as_text()
    assert "$ tierctl apply --yes tiers   # " in failed.as_text(whole=True)


@pytest.mark.parametrize(
    "fault, problem",
    [
        ("never empty", "the plan is not empty: {'create': 1}: create cluster cluster"),
        ("unclaimed", "the plan finds things that no spec names"),
        ("plan writes", "the plan wrote to the account"),
    ],
)
def test_what_is_caught_undisturbed(ground: Ground, tmp_path: Path, fault: str, problem: str) -> None:
    [result] = swept(ground, fake(tmp_path, fault), "crash")
    assert result.case.id == "crash:fake/four-things:undisturbed"
    assert any(problem in text for text in result.problems), result.problems


def test_things_that_must_all_go_are_looked_for(ground: Ground, tmp_path: Path) -> None:
    scenario = Scenario("fake", "leaves", APPLY, {TIER: {"tier": "test"}}, leaves_nothing=True)
    [result] = swept(ground, fake(tmp_path, "none"), "crash", scenario)
    assert "clusters test cell-1 ig-1 cluster is left" in result.problems


def test_a_run_that_hangs_is_a_failure(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "PATIENCE", 2.0)
    results = swept(ground, fake(tmp_path, "hangs"), "crash")
    assert any("`tierctl apply --yes tiers` did not end" in text for result in results for text in result.problems)


def ran(code: int | None, text: str) -> Run:
    return Run(("apply",), code, text, "")


@pytest.mark.parametrize(
    "run, problem",
    [
        (ran(0, "Done"), None),
        (ran(1, "do: run the same\n   command again"), None),
        (ran(3, "! blocked: the infra group is full"), None),
        (ran(1, "AWS failed"), "did not say that a rerun would succeed"),
        (ran(1, "do: correct the spec, then run the same command again"), "did not say that a rerun would succeed"),
        (ran(3, "no"), "gave no reason"),
        (ran(2, "run the same command again"), "ended with 2"),
        (ran(None, ""), "did not end"),
        (ran(-9, ""), "ended with -9"),
    ],
)
def test_how_a_process_beside_others_may_end(run: Run, problem: str | None) -> None:
    found = checks.of_racer(run)
    assert (found == []) == (problem is None), found
    assert problem is None or problem in found[0]


def dump(**kinds: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    empty: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("services", "vpcendpoints", "rules", "networkinterfaces", "targetgroups")
    }
    return {**empty, **kinds}


def rule(number: int, priority: int, tenant: str = "") -> dict[str, Any]:
    names = {"tier": "test", "cell": "cell-1", "infra-group": "ig-1", "tenant": tenant, "resource": "listener-rule"}
    tags = [{"Key": f"tierctl:{name}", "Value": value} for name, value in names.items()] if tenant else []
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/ours/0123456789abcdef/0123456789abcdef"
    return {"RuleArn": f"{arn}/{number:016x}", "ListenerArn": arn, "Priority": str(priority), "Tags": tags}


def test_a_priority_that_is_used_twice() -> None:
    assert equality.doubles(dump(rules=[rule(1, 1, "acme"), rule(2, 2, "globex"), rule(3, 3)])) == []
    assert "2 rules of priority 2" in equality.doubles(dump(rules=[rule(1, 2, "acme"), rule(2, 2)]))[0]
    assert (
        "2 rules test cell-1 ig-1 acme listener-rule" in equality.doubles(dump(rules=[rule(1, 1, "acme"), rule(2, 2, "acme")]))[0]
    )


def test_places_may_be_exchanged_and_not_be_others() -> None:
    expected = equality.account(dump(rules=[rule(1, 1, "acme"), rule(2, 2, "globex")]))
    exchanged = equality.account(dump(rules=[rule(1, 2, "acme"), rule(2, 1, "globex")]))
    others = equality.account(dump(rules=[rule(1, 1, "acme"), rule(2, 3, "globex")]))
    assert equality.differences(expected, exchanged, 0) == []
    assert equality.differences(expected, others, 0) == [
        "priorities of our rules: expected {'ours': [1, 2]}, found {'ours': [1, 3]}"
    ]
    assert equality.differences(expected, others, 0, same_places=False) == []


def test_another_id_is_no_difference_and_another_connection_is() -> None:
    vpcs = [{"VpcId": f"vpc-{number}{'0' * 16}", "CidrBlock": f"10.{number}.0.0/16"} for number in (1, 2)]
    subnet = {"SubnetId": "subnet-30000000000000000", "VpcId": vpcs[0]["VpcId"]}
    first = equality.account(dump(vpcs=vpcs, subnets=[subnet]))
    renamed = [{**vpcs[0], "VpcId": "vpc-80000000000000000"}, vpcs[1]]
    same = equality.account(
        dump(vpcs=renamed, subnets=[{"SubnetId": "subnet-90000000000000000", "VpcId": "vpc-80000000000000000"}])
    )
    assert equality.differences(first, same, 0) == []
    other = equality.account(dump(vpcs=vpcs, subnets=[{**subnet, "VpcId": vpcs[1]["VpcId"]}]))
    assert any(text.startswith("subnets: 1 not as expected") for text in equality.differences(first, other, 0))


def test_revisions_may_be_more_by_one_for_each_fault() -> None:
    def account(count: int, status: str = "ACTIVE") -> equality.Account:
        return equality.Account({}, Counter({("acme", status): count}), {})

    assert equality.differences(account(1), account(2), 1) == []
    assert "more revisions than the 1" in equality.differences(account(1), account(3), 1)[0]
    assert "missing" in equality.differences(account(2), account(1), 1)[0]
    assert "missing" in equality.differences(account(1), account(1, "INACTIVE"), 1)[0]
    assert equality.differences(account(1), account(1, "INACTIVE"), 1, same_revisions=False) == []
