"""Plans once: the page for the reviewer and the file that is carried out later come from the same reading of AWS.

It ends with exit code 0 whatever the plan says, so that it is published; the step after it ends with the plan's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import forge
import inputs
import program
import step
import validate
from inputs import Root
from plan_file import PlanFile, Unreadable
from runner import Runner, fenced


def main() -> int:
    return step.carry_out(plan)


def plan(root: Root, ci: Runner) -> int:
    # Before anything runs: not everybody's pull request gets at AWS.
    skipped = forge.here().why_no_plan()
    limits, since, longest = inputs.limits(), inputs.text("changed-since"), inputs.number("max-bytes")
    folder = _folder(root)
    page_file, file = folder / "page.md", folder / "tierctl.plan"
    for old in (page_file, file):
        old.unlink(missing_ok=True)
    code, said = validate.check(root, ci)
    found = None
    if code:
        page = f"### tierctl plan: the specs have errors\n\n{fenced(said)}"
    elif skipped:
        ci.notice(f"No plan: {skipped}.", "tierctl plan")
        page = f"### tierctl plan: none\n\nNo plan: {skipped}.\n"
    else:
        arguments = ["plan", "--format", "markdown", "--out", str(file), "--detailed-exitcode", *limits]
        arguments += ["--max-bytes", longest] if longest else []
        arguments += [f"--changed-since={since}"] if since else []
        arguments += ["--", *root.paths] if root.paths else []
        ended = program.run(arguments, root.folder, shown=("stderr",))
        code, page = ended.code, ended.stdout
        if code not in (0, 2, 3):
            ci.error(ended.stderr.strip() or f"it ended with {code} and said nothing", "tierctl plan")
        elif code != 3 or file.exists():
            # One that does more than its limits allow has not been saved.
            try:
                found = PlanFile.read(file)
            except Unreadable as error:
                ci.error(str(error), "tierctl plan")
                code = 1
        if code not in (0, 2, 3):
            page = f"### tierctl plan: failed\n\n{fenced(ended.stderr)}\n{page}"
        if os.environ.get("GITLAB_CI"):
            ci.quote(page)
    page_file.write_text(page, encoding="utf-8")
    # One that is blocked is shown and not kept: it is not to be carried out.
    is_kept = found is not None and code in (0, 2)
    if not is_kept:
        file.unlink(missing_ok=True)
    ci.output("exit-code", str(code))
    ci.output("skipped", "true" if skipped else "false")
    ci.output("page", str(page_file))
    ci.output("artifact", root.artifact)
    ci.output("changes", str(found.changes) if found else "")
    ci.output("plan-file", str(file) if is_kept else "")
    ci.output("plan-sha256", found.sha256 if found and is_kept else "")
    digest = f"\nSHA-256 of the plan's file: `{found.sha256}`\n" if found and is_kept else ""
    ci.summarize(page + digest)
    return 0


def _folder(root: Root) -> Path:
    """Outside of the checkout where that is possible: what lies there is not the repository's."""
    if os.environ.get("GITLAB_CI"):
        folder = Path(os.environ.get("CI_PROJECT_DIR", ".")) / root.artifact
    else:
        folder = Path(os.environ.get("RUNNER_TEMP", ".")) / root.artifact
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
