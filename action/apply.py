"""Carries out the plan that was reviewed, and says in the summary how that ended."""

from __future__ import annotations

import sys
from pathlib import Path

import inputs
import program
import step
from inputs import Root, Wrong
from program import Ended
from runner import Runner, fenced

#: A summary shows the end of what was printed: the plan was looked at before.
MOST_CHARACTERS = 60_000

NEXT = {
    1: (
        "What is done stays done. Mend what is named, then run this job again: the same plan goes on where it was "
        "broken off."
    ),
    3: (
        "Nothing failed; something has to be settled by you. The reason says what:\n\n"
        "- `since the plan was made`: when this run began AWS was not as the plan found it, and **nothing was "
        "written**. Plan again, in a new pull request or by running the plan workflow by hand, and have that "
        "reviewed.\n"
        "- `while the plan was carried out`: something moved after this run had begun. That one thing, and what needs "
        "it, was left alone; what is done stays done. Plan again likewise: the new plan has what is left.\n"
        "- `has to accept`, or another wait: the rest is done. Have it settled, then run this job again: the same plan "
        "goes on.\n"
        "- More than `max-deletes` or `max-tenants` allows: nothing was written. Allow more, or do less at once."
    ),
    130: "It was interrupted. Run this job again: the same plan goes on where it was broken off.",
}


def main() -> int:
    return step.carry_out(apply)


def apply(root: Root, ci: Runner) -> int:
    file, sha256 = inputs.text("plan-file"), inputs.sha256("plan-sha256")
    if not file or not sha256:
        raise Wrong("there is no plan to carry out: `plan-file` and `plan-sha256` are missing")
    arguments = ["apply", "--plan", str(Path(file).resolve()), "--plan-sha256", sha256, "--yes", *inputs.limits()]
    timeout = inputs.text("timeout")
    arguments += [f"--timeout={timeout}"] if timeout else []
    ended = program.run(arguments, root.folder)
    ci.output("exit-code", str(ended.code))
    ci.summarize(_summary(ended, inputs.text("source", f"the file {file}"), sha256))
    if ended.code:
        said = NEXT.get(ended.code, NEXT[1]).replace("**", "")
        ci.error(f"exit code {ended.code}: {program.EXPLAINED.get(ended.code, 'an error')}. {said}", "tierctl apply")
    return ended.code


def _summary(ended: Ended, source: str, sha256: str) -> str:
    verdict = {0: "done", 3: "blocked", 130: "interrupted"}.get(ended.code, "failed")
    page = f"### tierctl apply: {verdict}\n\nThe plan of {source}, SHA-256 `{sha256}`. Exit code {ended.code}.\n\n"
    if ended.code:
        page += NEXT.get(ended.code, NEXT[1]) + "\n\n"
    page += fenced(_end(ended.stdout))
    if ended.stderr.strip():
        page += "\n<details><summary>Progress</summary>\n\n" + fenced(_end(ended.stderr)) + "\n</details>\n"
    return page


def _end(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else "[the log has all of it]\n" + text[-MOST_CHARACTERS:]


if __name__ == "__main__":
    sys.exit(main())
