"""Tells the reviewer: one comment on the pull request, kept up to date, and a status with the digest of the plan.

It ends with the plan's exit code, where changes that are pending are no failure, and with 1 if the telling failed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import forge
import inputs
import program
import step
import sticky
from forge import Forge
from inputs import Root
from rest import Refused
from runner import Runner


def main() -> int:
    return step.carry_out(lambda root, ci: publish(root, ci, forge.here()))


def publish(root: Root, ci: Runner, place: Forge) -> int:
    code, sha256 = int(inputs.text("plan-exit-code", "1")), inputs.sha256("plan-sha256")
    is_kept = inputs.text("upload-outcome", "success") == "success"
    if sha256 and not is_kept:
        said = "the plan could not be kept as an artifact, so it cannot be carried out after the merge"
        ci.error(said, "tierctl plan")
        code, sha256 = 1, ""
    failed = False
    is_skipped = inputs.flag("plan-skipped", False)
    if place.is_on_pull_request() and not is_skipped:
        page = Path(inputs.text("plan-page")).read_text(encoding="utf-8")
        if inputs.flag("status", True) and not _record(root, ci, place, code, sha256):
            failed = True
        if inputs.flag("comment", True) and not _comment(root, ci, place, _body(root, place, page, code, sha256)):
            failed = True
    elif sha256 and not is_skipped:
        said = f"To carry it out, give the apply workflow run-id {place.run_number()} and plan-sha256 {sha256}."
        ci.notice(said, "tierctl plan")
    if code not in (0, 2):
        meaning = program.EXPLAINED.get(code, "")
        ci.error(f"exit code {code}: {meaning}. The plan is in the summary of this job.", "tierctl plan")
        return code
    return 1 if failed else 0


def _record(root: Root, ci: Runner, place: Forge, code: int, sha256: str) -> bool:
    state = {0: "success", 2: "success", 3: "failure"}.get(code, "error")
    text = f"sha256:{sha256}" if state == "success" else f"exit code {code}: {program.EXPLAINED.get(code, 'an error')}"
    try:
        place.record(root, state, text)
    except Refused as refusal:
        ci.error(f"The digest was not kept: {forge.explain(refusal, place.needs['status'])}", "tierctl plan")
        return False
    return True


def _comment(root: Root, ci: Runner, place: Forge, body: str) -> bool:
    try:
        notice = sticky.put(
            forge.marker("plan", root), body, place.comments, place.create_comment, place.update_comment
        )
    except Refused as refusal:
        reason = forge.explain(refusal, place.needs["comment"])
        ci.error(f"The comment was not written: {reason} The plan is in the summary of this job.", "tierctl plan")
        return False
    if notice:
        ci.warning(notice, "tierctl plan")
    return True


def _body(root: Root, place: Forge, page: str, code: int, sha256: str) -> str:
    commit, link = place.head(), place.run_link()
    head = forge.marker("plan", root) + "\n"
    tail = f"\n---\nOf {commit[:12]}, by [this run]({link})."
    if root.key != "default":
        tail += f" Specs of `{root.key}`."
    if sha256:
        head += forge.particulars(commit, sha256) + "\n"
        tail += f" After the merge just this is carried out: the plan with the SHA-256 `{sha256}`."
    else:
        tail += f" It cannot be carried out: exit code {code}, {program.EXPLAINED.get(code, 'an error')}."
    body = f"{head}{page.rstrip()}\n{tail}\n"
    if len(body.encode()) > place.comment_bytes:
        # What is deleted is never cut, so it is not shown in part either.
        page = "### tierctl plan: too long for a comment\n\n"
        page += f"**Look at it in the [summary of the run]({link}) before approving.**"
        body = f"{head}{page}\n{tail}\n"
    return body


if __name__ == "__main__":
    sys.exit(main())
