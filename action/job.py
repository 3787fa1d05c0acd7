"""All steps of a command in their order, for a CI without composite actions: `job.py plan|apply|drift|validate`.

What one step puts out the next finds in its environment, as `action.yml` arranges it on GitHub.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent

#: Each step's script with its arguments, and which outputs go by another name in the next.
STEPS = {
    "validate": [("validate.py",)],
    "plan": [("plan.py",), ("publish.py",)],
    "apply": [("find_plan.py",), ("apply.py",)],
    "drift": [("drift.py",)],
}
NAMES = {"exit-code": "plan-exit-code", "page": "plan-page", "skipped": "plan-skipped"}


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in STEPS:
        print(f"usage: job.py {'|'.join(STEPS)}", file=sys.stderr)
        return 1
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="tierctl-job.") as folder:
        output = Path(folder) / "output"
        environment["TIERCTL_OUTPUT"] = str(output)
        for script, *more in [("install.py", "find"), ("install.py", "build"), *STEPS[arguments[0]]]:
            if more == ["build"] and environment.get("TIERCTL_BUILD") == "false":
                continue
            code = subprocess.run([sys.executable, str(HERE / script), *more], env=environment, check=False).returncode
            if code:
                return code
            for line in output.read_text(encoding="utf-8").splitlines() if output.exists() else []:
                name, _, value = line.partition("=")
                environment["TIERCTL_" + NAMES.get(name, name).upper().replace("-", "_")] = value
            # From here on the binary is the one that was found.
            if more == ["build"]:
                environment["TIERCTL_BUILD"] = "false"
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
