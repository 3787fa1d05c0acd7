"""Finds the plan that was reviewed, and makes sure that it is that one and is made of what was merged."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import forge
import inputs
import runner
from forge import Blocked, Reviewed
from inputs import Root, Wrong
from plan_file import PlanFile, Unreadable
from rest import Refused
from runner import Runner


def main() -> int:
    ci = runner.here()
    place = forge.here()
    try:
        return find(Root.from_inputs(), ci, place)
    except Blocked as blocked:
        code, said = 3, str(blocked)
    except Refused as refusal:
        code, said = 1, f"The reviewed plan was not found: {forge.explain(refusal, place.needs['plan'])}"
    except (Wrong, Unreadable) as error:
        code, said = 1, str(error)
    ci.error(said, "tierctl apply")
    ci.output("exit-code", str(code))
    ci.summarize(f"### tierctl apply: nothing was changed\n\n{said}\n")
    return code


def find(root: Root, ci: Runner, place: forge.Forge) -> int:
    file, run, sha256 = inputs.text("plan-file"), inputs.text("run-id"), inputs.sha256("plan-sha256")
    if (file or run) and not sha256:
        raise Wrong("`plan-sha256` is missing: it says which plan was reviewed")
    if file:
        try:
            reviewed = Reviewed(Path(file).read_bytes(), sha256, f"the file {file}")
        except OSError as error:
            raise Wrong(f"the plan {file} cannot be read: {error.strerror}") from error
    elif run:
        reviewed = place.plan_of_run(root, run, sha256)
    elif sha256:
        raise Wrong("`plan-sha256` needs `run-id` or `plan-file`: where the plan is")
    else:
        reviewed = place.reviewed_plan(root)
    plan = PlanFile.of(reviewed.data)
    if plan.sha256 != reviewed.sha256:
        raise Wrong(f"{reviewed.source} has the SHA-256 {plan.sha256}, and {reviewed.sha256} was reviewed")
    repository = os.environ.get("GITHUB_WORKSPACE") or os.environ.get("CI_PROJECT_DIR") or "."
    differences = plan.differences(root.folder, Path(repository))
    if differences:
        raise Blocked(
            "the plan was made of other specs than there are now, for example since something else was merged after it:"
            "\n\n"
            + "\n".join(f"- {difference}" for difference in differences)
            + "\n\nPlan again, and have that reviewed."
        )
    kept = Path(os.environ.get("RUNNER_TEMP") or repository).resolve() / f"reviewed-{root.key}.plan"
    kept.write_bytes(reviewed.data)
    said = f"The plan of {reviewed.source}, with {plan.changes} changes and the SHA-256 {plan.sha256}."
    ci.notice(said, "tierctl apply")
    ci.output("plan-file", str(kept))
    ci.output("plan-sha256", plan.sha256)
    ci.output("changes", str(plan.changes))
    ci.output("source", reviewed.source)
    return 0


if __name__ == "__main__":
    sys.exit(main())
