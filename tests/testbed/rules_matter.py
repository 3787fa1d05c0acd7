"""Shows that every rule of the bed matters to the product: a product test passes with it and fails without it.

`product_tests.txt` names the test of each rule. `python -m testbed.rules_matter [RULE...]` runs the tests of the rules
named, or of all, twice: as they are, and with the rule switched off for every account. It ends with 1 where a rule has
no test, or its test fails with it or passes without it.

A few rules a correct client cannot notice, such as the most ARNs of a request: it never sends more. Their tests look
at the premise first, that the product meets what the rule is about (`met` in the table), and are counted apart.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .__main__ import prepare

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_name("product_tests.txt")
#: Each test has a bed of its own, which takes half a core.
AT_ONCE = 2
#: Longer than any of the tests takes, with a rule or without.
PATIENCE = 240
#: Of a failure, as much as says what it is.
SHOWN = 110


@dataclass(frozen=True)
class ProductTest:
    """The test of a rule, and whether without the rule its premise fails and not the product."""

    name: str
    met: bool


@dataclass(frozen=True)
class Ran:
    """How one test ended: passed, failed, or neither, and in words why."""

    passed: bool = False
    failed: bool = False
    why: str = ""


def product_tests() -> dict[str, ProductTest]:
    """The table: the test of each rule."""
    lines = [line.split() for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    wrong = [" ".join(line) for line in lines if len(line) != 2 and line[2:] != ["met"]]
    names = [line[0] for line in lines]
    twice = sorted({name for name in names if names.count(name) > 1})
    if wrong or twice:
        raise ValueError(f"{TABLE.name}: a line is a rule and its test, each rule once: {', '.join([*wrong, *twice])}")
    return {line[0]: ProductTest(line[1], line[2:] == ["met"]) for line in lines}


def rules() -> list[str]:
    """The names of all rules of the bed."""
    prepare()
    from .application import load_hooks
    from .rules import RULES

    load_hooks()
    return sorted(RULES)


def binary() -> Path:
    """The integration tests, built if they are not yet."""
    command = [os.environ.get("CARGO", "cargo"), "test", "--test", "integration", "--no-run", "--message-format=json"]
    built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "integration":
            return Path(message["executable"])
    raise FileNotFoundError("cargo does not say where the integration tests are")


def run(tests: Path, test: str, rule: str | None) -> Ran:
    """Runs one test, with a rule switched off."""
    environment = {**os.environ, "RUST_BACKTRACE": "0", "TESTBED_RULES_OFF": rule or ""}
    command = [str(tests), "--exact", test, "--test-threads", "1"]
    try:
        ended = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return Ran(why=f"does not end within {PATIENCE} s")
    if ended.returncode < 0:
        return Ran(why=f"the tests were ended by signal {-ended.returncode}")
    counts = re.search(r"(\d+) passed; (\d+) failed", ended.stdout)
    if counts is None or counts.groups() not in (("1", "0"), ("0", "1")):
        return Ran(why=f"there is no such test: {test}")
    broken = re.search(r"the test bed (did not start|failed)", ended.stdout)
    if broken:
        return Ran(why=broken.group())
    return Ran(passed=ended.returncode == 0, failed=ended.returncode != 0, why=_reason(ended.stdout))


def _reason(output: str) -> str:
    """Where a test failed, and the first line of what with."""
    found = re.search(r"panicked at tests/integration/(\S+?):\d+:\n(.+)", output)
    if found is None:
        return ""
    reason = f"{found.group(1)} {found.group(2).strip()}"
    sides = re.search(r"^  left: (.*)\n right: (.*)", output, re.MULTILINE)
    if sides and "left == right" in reason:
        reason = f"{found.group(1)} is {sides.group(1)} where {sides.group(2)} is right"
    return reason if len(reason) <= SHOWN else f"{reason[:SHOWN]}..."


def verdict(name: str, test: str, whole: Ran, without: Ran) -> tuple[bool, str]:
    """Whether a rule matters to its test, and the row that says so."""
    if not whole.passed:
        return False, f"{name:<38} {test}: DOES NOT PASS with it: {whole.why}"
    if without.passed:
        return False, f"{name:<38} {test}: PASSES without it"
    if not without.failed:
        return False, f"{name:<38} {test}: without it, {without.why}"
    return True, f"{name:<38} {test}\n{'':<38}   without it: {without.why}"


def main(arguments: list[str]) -> int:
    known, table = rules(), product_tests()
    unknown = [name for name in [*arguments, *table] if name not in known]
    if unknown:
        print(f"no rule {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 1
    chosen = arguments or known
    tests, noticed, met = binary(), 0, 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        whole: dict[str, Future[Ran]] = {}
        without: dict[str, Future[Ran]] = {}
        for name in (name for name in chosen if name in table):
            test = table[name].name
            whole[test] = whole.get(test) or pool.submit(run, tests, test, None)
            without[name] = pool.submit(run, tests, test, name)
        for name in chosen:
            if name not in table:
                print(f"{name:<38} NO TEST is named for it", flush=True)
                continue
            test = table[name].name
            matters, row = verdict(name, test, whole[test].result(), without[name].result())
            noticed += matters and not table[name].met
            met += matters and table[name].met
            print(row, flush=True)
    untested = len(chosen) - noticed - met
    print(f"\n{len(chosen)} rules: {noticed} that the product notices, {met} that its tests meet, {untested} untested")
    return 1 if untested else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
