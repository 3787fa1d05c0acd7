"""`python -m least_privilege`: all of the proof, or that of a command."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from convergence.table import ROOT

from . import table
from .documents import COMMANDS, LONGEST_MANAGED
from .other_tier import apart
from .proofs import Shown, enough, needed
from .scenarios import scenarios
from .stage import World


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="least_privilege",
        description="Runs each command with exactly the IAM policy that tierctl prints for it, and with less.",
    )
    default = Path(os.environ.get("TIERCTL", ROOT / "target" / "debug" / "tierctl"))
    parser.add_argument("--binary", type=Path, default=default, help="the tierctl to try (TIERCTL; %(default)s)")
    parser.add_argument("--command", choices=COMMANDS, action="append", help="only the document of this command")
    parser.add_argument(
        "--scenario", default="", help="only scenarios that have this in their name: actions may then be unused"
    )
    parser.add_argument("--jobs", type=int, default=2, help="runs at once (%(default)s)")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    return parser.parse_args()


def prove(world: World, command: str, name: str, jobs: int) -> Shown:
    """Proofs A and B of a command."""
    started = time.monotonic()
    shown = enough(world, command, [one for one in scenarios() if name in one.id], jobs)
    try:
        needed(shown, shown.cuts, jobs)
    finally:
        shown.close()
    tell(shown.failures)
    print(
        f"{command}: {len(shown.stages)} scenarios, {len(shown.tried)} cuts, {time.monotonic() - started:.0f} s",
        file=sys.stderr,
    )
    return shown


def tell(failures: list[str]) -> None:
    for text in failures:
        print(f"FAILED {text}\n", flush=True)


def main() -> int:
    options = parse()
    if not options.binary.exists():
        print(
            f"there is no {options.binary}: build it first (`cargo build`), or name one with --binary", file=sys.stderr
        )
        return 1
    with tempfile.TemporaryDirectory(prefix="tierctl-least-privilege.") as folder:
        # A build meanwhile does not change what is tried.
        world = World(Path(shutil.copy2(options.binary, folder)))
        try:
            found = [prove(world, command, options.scenario, options.jobs) for command in options.command or COMMANDS]
            taken = [] if options.command else apart(world)
        finally:
            world.close()
    tell(taken)
    print(table.as_markdown(found) if options.markdown else table.as_text(found))
    if any(length > LONGEST_MANAGED for shown in found for length in shown.lengths):
        print(
            f"A managed policy has at most {LONGEST_MANAGED:,} characters; a longer document is for an inline policy."
        )
    return int(bool(taken or any(shown.failures for shown in found)))


if __name__ == "__main__":
    sys.exit(main())
