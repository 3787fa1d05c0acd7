"""`python -m convergence`: all of the proof, or a part of it."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from . import table
from .cases import PARTS, Case, Result, run_all
from .extent import FULL, SAMPLE, Extent, cases
from .trial import Ground

FAILURES = table.ROOT / "target" / "convergence"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="convergence", description="Disturbs tierctl in every way and looks whether a rerun finishes the job."
    )
    default = Path(os.environ.get("TIERCTL", table.ROOT / "target" / "debug" / "tierctl"))
    parser.add_argument("--binary", type=Path, default=default, help="the tierctl to try (TIERCTL; %(default)s)")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be given several times")
    parser.add_argument("--scenario", help="only scenarios that have this in their name")
    parser.add_argument("--case", help="only this case, as a failure names it, with all that it printed")
    parser.add_argument("--sample", action="store_true", help="a fixed sample, in about five minutes on two cores")
    parser.add_argument("--seed", type=int, default=1, help="first seed of soak and races (%(default)s)")
    parser.add_argument("--runs", type=int, help=f"runs of the soak ({FULL.soaks}; with --sample {SAMPLE.soaks})")
    parser.add_argument("--jobs", type=int, default=2, help="cases at once (%(default)s)")
    parser.add_argument("--markdown", action="store_true", help=f"also write {table.DOCUMENT.relative_to(table.ROOT)}")
    return parser.parse_args()


def selected(options: argparse.Namespace, binary: Path, ground: Ground) -> Iterator[Case]:
    extent = SAMPLE if options.sample else FULL
    if options.runs is not None:
        extent = Extent(extent.choose, options.runs, extent.races)
    return cases(binary, ground, extent, options.part or PARTS, options.scenario or "", options.seed, options.case)


def teller(whole: bool) -> Callable[[Result], None]:
    """Tells of each failure as it happens, and now and then how far it is."""
    started, told, count = time.monotonic(), [time.monotonic()], [0, 0]

    def tell(result: Result) -> None:
        count[0] += 1
        count[1] += result.converged
        if not result.converged:
            file = FAILURES / f"{result.case.id.replace('/', '_')}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(result.as_text(whole=True), encoding="utf-8")
            print(f"FAILED {result.as_text(whole)}    whole: {file}", flush=True)
        now = time.monotonic()
        if now - told[0] > 30:
            told[0] = now
            print(
                f"{count[0]:,} tried, {count[1]:,} converged, {now - started:.0f} s; now {result.case.id}",
                file=sys.stderr,
                flush=True,
            )

    return tell


def main() -> int:
    options = parse()
    if not options.binary.exists():
        print(f"there is no {options.binary}: build it first (`cargo build`), or name one with --binary", file=sys.stderr)
        return 1
    shutil.rmtree(FAILURES, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="tierctl-convergence.") as folder:
        # A build meanwhile does not change what is tried.
        binary = Path(shutil.copy2(options.binary, folder))
        ground = Ground.make()
        try:
            results = run_all(selected(options, binary, ground), options.jobs, teller(bool(options.case)))
        finally:
            ground.close()
        about = table.machine(binary, options.binary.resolve().parent.name)
    if not results and (options.case or "").endswith(":undisturbed"):
        print("it does its work where nothing disturbs it")
        return 0
    if not results:
        print("there is no such case", file=sys.stderr)
        return 1
    print(about)
    print(table.as_text(results))
    if options.markdown:
        table.write(results, about)
    return int(not all(result.converged for result in results))


if __name__ == "__main__":
    sys.exit(main())
