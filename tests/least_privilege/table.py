"""The table of what was shown."""

from __future__ import annotations

from collections.abc import Iterable

from .documents import Cut
from .proofs import Shown

HEAD = ("command", "actions", "shown", "for a tier", "for any tier")


def rows(found: Iterable[Shown]) -> list[tuple[str, ...]]:
    """Command, how many actions, of how many it was shown that they are needed, and characters without whitespace."""
    return [
        (
            shown.command,
            str(len(shown.actions)),
            str(sum(not shown.tried.get(Cut(action), ["not tried"]) for action in shown.actions)),
            *(f"{length:,}" for length in shown.lengths),
        )
        for shown in found
    ]


def as_text(found: Iterable[Shown]) -> str:
    shown = [HEAD, *rows(found)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(HEAD))]
    return "\n".join(
        "  "
        + "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in shown
    )


def as_markdown(found: Iterable[Shown]) -> str:
    lines = [HEAD, ("---", *["---:"] * (len(HEAD) - 1)), *((f"`{row[0]}`", *row[1:]) for row in rows(found))]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)
