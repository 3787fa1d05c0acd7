"""The quick part: that documents are enough and keep tiers apart, and of a sample of actions that they are needed."""

from __future__ import annotations

import os

import pytest

from least_privilege.documents import COMMANDS
from least_privilege.other_tier import apart
from least_privilege.proofs import enough, needed
from least_privilege.scenarios import scenarios
from least_privilege.stage import World

JOBS = int(os.environ.get("TIERCTL_JOBS", "4"))
#: Every so many actions are taken out, one by one.
STEP = {"plan": 1, "offboard": 1}
OTHERS = 4


@pytest.mark.parametrize("command", COMMANDS)
def test_a_document_is_enough_and_needed(world: World, command: str) -> None:
    shown = enough(world, command, scenarios(), JOBS)
    try:
        idle = [str(cut) for cut in shown.cuts if not shown.users(cut)]
        whole = [cut for cut in shown.cuts if cut.sid is None]
        needed(shown, whole[:: STEP.get(command, OTHERS)], JOBS)
    finally:
        shown.close()
    assert not idle, f"no scenario uses {', '.join(idle)}"
    assert not shown.failures, "\n".join(shown.failures)


def test_a_tier_cannot_take_what_is_another_tiers(world: World) -> None:
    problems = apart(world)
    assert not problems, "\n".join(problems)
