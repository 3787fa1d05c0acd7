"""The table of what was tried: on the terminal, and as docs/convergence.md."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

from .cases import PARTS, Result

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "convergence.md"
COMMAND = "make converge"

TITLES = {
    "crash": "killed at a write",
    "fault": "a write answered by a fault",
    "soak": "a tenth of all requests failing",
    "race": "processes at once",
}


def rows(results: Iterable[Result]) -> list[tuple[str, str, int, int]]:
    """Part, scenario, how many cases, how many of them converged; the parts in their order."""
    counted: dict[tuple[str, str], list[int]] = {}
    for result in results:
        row = counted.setdefault((result.case.part, result.case.scenario), [0, 0])
        row[0] += 1
        row[1] += result.converged
    order = sorted(counted, key=lambda key: (PARTS.index(key[0]), key[1]))
    return [(part, scenario, *counted[part, scenario]) for part, scenario in order]  # type: ignore[misc]


def as_text(results: list[Result]) -> str:
    shown = [(TITLES[part], scenario, f"{runs:,}", f"{converged:,}") for part, scenario, runs, converged in rows(results)]
    shown.append(("all", "", f"{len(results):,}", f"{sum(result.converged for result in results):,}"))
    widths = [max(len(row[column]) for row in shown) for column in range(4)]
    lines = [
        f"  {what:<{widths[0]}}  {scenario:<{widths[1]}}  {runs:>{widths[2]}} tried  {converged:>{widths[3]}} converged"
        for what, scenario, runs, converged in shown
    ]
    return "\n".join(lines)


def machine(binary: Path, built: str) -> str:
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    model = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    processor = f"{os.cpu_count()} processors" + (f" ({model})" if model else "")
    return f"{version}, {built} build, on {platform.system()} {platform.machine()}, {processor}"


def write(results: list[Result], about: str) -> None:
    lines = [
        "# Convergence",
        "",
        f"Written by `{COMMAND}`; do not edit. What is tried, and what has to hold, is in",
        "[tests/convergence](../tests/convergence/README.md).",
        "",
        f"{about}.",
        "",
        "| what | scenario | tried | converged |",
        "|---|---|---:|---:|",
        *(f"| {TITLES[part]} | {scenario} | {runs:,} | {converged:,} |" for part, scenario, runs, converged in rows(results)),
        f"| **all** | | **{len(results):,}** | **{sum(result.converged for result in results):,}** |",
        "",
        "Converged means: a rerun ended with 0, the plan after it was empty, the account was equal to what an undisturbed run",
        "leaves, and nothing that is not tierctl's had changed.",
        "",
    ]
    DOCUMENT.write_text("\n".join(lines), encoding="utf-8")
