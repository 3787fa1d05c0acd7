"""The proofs can fail: on a document with too little, on one with too much, and where nobody is kept apart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from convergence.trial import Trial
from least_privilege.documents import ANYTHING, Cut, Document, cuts, form
from least_privilege.other_tier import Tiers, expectations
from least_privilege.proofs import Shown, enough, needed
from least_privilege.scenarios import scenarios
from least_privilege.stage import World

READ = Cut("logs:DescribeLogGroups")
IDLE = Cut("logs:PutRetentionPolicy")
DOCUMENT: Document = {
    "Version": "2012-10-17",
    "Statement": [
        {"Sid": "A", "Effect": "Allow", "Action": ["x:One", "x:Two"], "Resource": "*"},
        {"Sid": "B", "Effect": "Allow", "Action": "x:One", "Resource": "*"},
    ],
}


@pytest.fixture(scope="module")
def shown(world: World) -> Iterator[Shown]:
    found = enough(world, "plan", [one for one in scenarios() if one.name == "of-nothing"], 1)
    yield found
    found.close()


def test_too_little(shown: Shown) -> None:
    assert not shown.problems
    stage, trial = shown.stages[0], Trial()
    whole = stage.document
    stage.document = READ.of(whole)
    with stage.on(stage.document) as bed:
        stage.as_expected(trial, bed, stage.run(bed))
    assert any("ended with 1 and not with 0" in text for text in trial.problems), trial.problems
    assert stage.lacks() == [READ.action]
    stage.document = whole


def test_too_much(shown: Shown) -> None:
    stage = shown.stages[0]
    whole = stage.document
    more = {"Sid": "More", "Effect": "Allow", "Action": [IDLE.action, READ.action], "Resource": "*"}
    stage.document = {**whole, "Statement": [*whole["Statement"], more]}
    needed(shown, [READ, IDLE, Cut(READ.action, "More")], 1)
    assert shown.tried[READ] == []
    assert "no scenario uses it" in shown.tried[IDLE][0]
    assert "it ends as if nothing had been taken out" in shown.tried[Cut(READ.action, "More")][0]
    stage.document = whole


def test_nobody_is_kept_apart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tiers, "documents", lambda *_: [ANYTHING])
    tiers = Tiers(world)
    try:
        foreign = [one for one in expectations() if one.attempt.action == "ec2:ModifyVpcAttribute"]
        problems = tiers.hold("one", foreign)
    finally:
        tiers.close()
    assert len([text for text in problems if "not refused" in text]) == 3, problems


def test_a_cut_leaves_all_else() -> None:
    assert [one["Action"] for one in Cut("x:One").of(DOCUMENT)["Statement"]] == [["x:Two"]]
    assert [one["Action"] for one in Cut("x:One", "A").of(DOCUMENT)["Statement"]] == [["x:Two"], ["x:One"]]
    assert list(cuts([DOCUMENT])) == [Cut("x:One"), Cut("x:One", "A"), Cut("x:One", "B"), Cut("x:Two")]


def test_the_form_of_a_document() -> None:
    assert form(DOCUMENT) == []
    second = {"Sid": "A", "Effect": "Deny", "Action": ["x:*", "x:*"], "Resource": "*"}
    problems = form({**DOCUMENT, "Statement": [*DOCUMENT["Statement"], second]})
    expected = ["two statements are A", "x:* has a wildcard", "A is not a plain allowance", "A names x:* twice"]
    assert problems == expected
