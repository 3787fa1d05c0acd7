"""Looks for what was changed by hand, and keeps one issue open for as long as there is something."""

from __future__ import annotations

import sys

import forge
import inputs
import program
import step
import sticky
from forge import Forge
from inputs import Root
from rest import Refused
from runner import Runner, fenced

LABEL = "tierctl-drift"


def main() -> int:
    return step.carry_out(lambda root, ci: look(root, ci, forge.here()))


def look(root: Root, ci: Runner, place: Forge) -> int:
    longest = inputs.number("max-bytes")
    arguments = ["plan", "--drift-only", "--detailed-exitcode", "--format", "markdown"]
    arguments += ["--max-bytes", longest] if longest else []
    arguments += ["--", *root.paths] if root.paths else []
    ended = program.run(arguments, root.folder)
    ci.output("exit-code", str(ended.code))
    if ended.code not in (0, 2, 3):
        # Whether there is drift is not known: an open issue stays as it is.
        ci.error(ended.stderr.strip() or f"it ended with {ended.code} and said nothing", "tierctl drift")
        ci.summarize(f"### tierctl drift: failed\n\n{fenced(ended.stderr)}")
        return ended.code
    ci.summarize(ended.stdout)
    try:
        _tell(root, ci, place, ended.code, ended.stdout)
    except Refused as refusal:
        ci.error(f"The issue was not written: {forge.explain(refusal, place.needs['issue'])}", "tierctl drift")
        return 1
    # Drift is told by the issue; the job fails where something has to be settled first.
    return 3 if ended.code == 3 else 0


def _tell(root: Root, ci: Runner, place: Forge, code: int, page: str) -> None:
    mark = forge.marker("drift", root)
    if code == 0:
        for post in list(place.issues(LABEL)):
            if forge.is_marked(post, mark):
                place.close_issue(post, f"It is gone: AWS is as the specs say, by [this run]({place.run_link()}).")
        return
    where = "" if root.key == "default" else f" in {root.key}"
    tail = (
        f"\n---\nOf {place.head()[:12]}, by [this run]({place.run_link()}). This issue is kept up to date, and closed "
        "once it is gone: apply the specs to undo it, or write it into the specs."
    )
    body = f"{mark}\n{page.rstrip()}\n{tail}\n"
    if len(body.encode()) > place.comment_bytes:
        body = f"{mark}\n### tierctl: too long for an issue\n\nLook at it in the summary of the run.\n{tail}\n"
    ci.warning("AWS is not as the specs say: see the summary of this job, and the issue.", "tierctl drift")
    title = f"AWS has been changed by hand{where}"
    notice = sticky.put(
        mark,
        body,
        lambda: place.issues(LABEL),
        lambda text: place.create_issue(title, text, LABEL),
        place.update_issue,
    )
    if notice:
        ci.warning(notice, "tierctl drift")


if __name__ == "__main__":
    sys.exit(main())
