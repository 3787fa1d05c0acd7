"""How tierctl does as estates grow: `make scale`, or `scale.py BINARY [--markdown] [PART ...]`.

Each figure stands beside what cannot be beaten: requests beside the floor of floor.py, time beside the bound. The AWS is the
test bed's, with 60 ms before every answer and the rates that AWS publishes, and once more without either.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ansible_beside import ansible_section
from figures import ROOT, machine
from measuring import CONCURRENCY, MOST_CALLS, MOST_TIME
from no_change import ESTATES, PICTURE, estate_section, growth_section
from writes import image_section, onboarding_section

COMMAND = "make scale ARGUMENTS=--markdown"
DOCUMENT = ROOT / "docs" / "scale.md"

Section = Callable[[Path, Path], list[str]]


def estate_part(name: str) -> Section:
    return lambda binary, folder: estate_section(name, binary, folder)


def parts(picture: Path | None) -> dict[str, tuple[str, Section]]:
    """What can be measured, by name: what it is, and what measures it."""
    return {
        **{name: (f"plan without changes: {title}", estate_part(name)) for name, (title, _) in ESTATES.items()},
        "growth": ("plan without changes: 50 to 5,000 tenants", lambda binary, folder: growth_section(binary, folder, picture)),
        "onboarding": ("1 and 50 tenants into one infra group", onboarding_section),
        "image": ("a new image for 2,000 tenants in 20 accounts", image_section),
        "ansible": ("1 infra group with 10 tenants beside Ansible", ansible_section),
    }


INTRODUCTION = """\
# Scale

Printed and written by `{command}`; do not edit.

Each part names the machine that it was measured on, whose processors the emulated AWS and others use too. Calls are the
requests that tierctl counts itself. The floor is computed by [floor.py](../tests/bench/floor.py) from what is in the estate
and from the sizes of AWS's pages and batches. The bound on time is the greatest of three: what the buckets of the fullest
account let through, calls × latency / concurrency, and the time that the emulator takes for the same requests without tierctl,
{concurrency} at once. The bar of calls is {calls} times the floor, that of time {time} times the bound.
"""
MARK = "<!-- {} -->"


def introduction() -> str:
    return INTRODUCTION.format(command=COMMAND, concurrency=CONCURRENCY, calls=MOST_CALLS, time=MOST_TIME)


def written_before() -> dict[str, str]:
    """The parts that the document has."""
    text = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    marks = {name: text.find(MARK.format(name)) for name in parts(None)}
    starts = [start for start in marks.values() if start >= 0]
    ends = {start: min([later for later in starts if later > start], default=len(text)) for start in starts}
    return {name: text[start : ends[start]].strip() for name, start in marks.items() if start >= 0}


def write(sections: dict[str, str]) -> None:
    text = [introduction(), *(sections[name] + "\n" for name in parts(None) if name in sections)]
    DOCUMENT.write_text("\n".join(text), encoding="utf-8")


def main() -> int:
    known = parts(None)
    parser = argparse.ArgumentParser(
        description="Measures tierctl on estates of up to thousands of tenants.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="parts:\n" + "\n".join(f"  {name:<12} {title}" for name, (title, _) in known.items()),
    )
    parser.add_argument("binary", type=Path, help="the tierctl to measure")
    parser.add_argument("parts", nargs="*", metavar="PART", help="only these of the parts below")
    parser.add_argument(
        "--markdown", action="store_true", help=f"also write these parts of {DOCUMENT.relative_to(ROOT)}, and its picture"
    )
    options = parser.parse_intermixed_args()
    if unknown := [part for part in options.parts if part not in known]:
        parser.error(f"no {', '.join(unknown)}; there are {', '.join(known)}")
    binary = options.binary.resolve()
    sections = written_before()
    is_over = False
    for name, (_, section) in parts(PICTURE if options.markdown else None).items():
        if options.parts and name not in options.parts:
            continue
        with tempfile.TemporaryDirectory(prefix="tierctl-scale.") as folder:
            lines = section(binary, Path(folder))
        sections[name] = "\n".join([MARK.format(name), "", *lines, f"Measured with {machine(binary)}."])
        print(sections[name], end="\n\n", flush=True)
        is_over |= any("**OVER**" in line for line in lines)
        if options.markdown:
            write(sections)
    return int(is_over)


if __name__ == "__main__":
    sys.exit(main())
