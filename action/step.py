"""What every step has in common: where it runs, and how it ends when its inputs cannot be meant."""

from __future__ import annotations

from collections.abc import Callable

import runner
from inputs import Root, Wrong
from runner import Runner


def carry_out(work: Callable[[Root, Runner], int]) -> int:
    """The exit code of the step, which is also its output."""
    ci = runner.here()
    try:
        return work(Root.from_inputs(), ci)
    except Wrong as wrong:
        ci.error(str(wrong))
        ci.output("exit-code", "1")
        return 1
