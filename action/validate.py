"""Checks the specs, and puts every finding at its line."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import program
import runner
from inputs import Root, Wrong
from runner import Annotation, Runner


def check(root: Root, ci: Runner) -> tuple[int, str]:
    """The exit code, and the errors as text."""
    arguments = ["validate", "--format", "json", *(["--", *root.paths] if root.paths else [])]
    ended = program.run(arguments, root.folder, shown=())
    report = _report(ended.stderr if ended.code else ended.stdout)
    if report is None:
        ci.quote(ended.stdout + ended.stderr)
        said = (ended.stderr or ended.stdout).strip()
        ci.error(said or f"it ended with {ended.code} and said nothing", "tierctl validate")
        return max(ended.code, 1), ended.stderr
    lines, quality = [], []
    for level, name in (("error", "errors"), ("warning", "warnings")):
        for finding in report.get(name, []):
            annotation = _annotation(level, finding, root)
            ci.annotate(annotation)
            lines.append(_line(annotation))
            quality.append(_quality(annotation))
    if quality and os.environ.get("GITLAB_CI"):
        Path("gl-code-quality-report.json").write_text(json.dumps(quality), encoding="utf-8")
    if ended.code == 0:
        runner.say(f"{report.get('tiers', 0)} tiers and {report.get('tenants', 0)} tenants: no errors")
    return ended.code, "\n".join(lines)


def _report(text: str) -> dict[str, Any] | None:
    try:
        report = json.loads(text)
    except ValueError:
        return None
    return report if isinstance(report, dict) else None


def _annotation(level: str, finding: dict[str, Any], root: Root) -> Annotation:
    message = str(finding.get("message", ""))
    for related in finding.get("related", []):
        message += f"\n{related.get('label')}: {_path(related.get('file', ''), root)}:{related.get('line')}"
    if finding.get("remedy"):
        message += f"\n{finding['remedy']}"
    code = f" ({finding['code']})" if finding.get("code") else ""
    return Annotation(
        level,
        message,
        f"tierctl validate{code}",
        _path(finding.get("file", ""), root),
        int(finding.get("line") or 0),
        int(finding.get("column") or 0),
    )


def _path(name: str, root: Root) -> str:
    """As the repository sees it: annotations know nothing of the folder that tierctl ran in."""
    if not name:
        return ""
    top = os.environ.get("GITHUB_WORKSPACE") or os.environ.get("CI_PROJECT_DIR") or "."
    return os.path.relpath(os.path.join(os.path.realpath(root.folder), name), os.path.realpath(top))


def _line(annotation: Annotation) -> str:
    place = f"{annotation.file}:{annotation.line}:{annotation.column}: " if annotation.file else ""
    return f"{annotation.level}: {place}" + annotation.message.replace("\n", "\n    ")


def _quality(annotation: Annotation) -> dict[str, Any]:
    """As GitLab shows it in the changes of a merge request."""
    said = f"{annotation.title}{annotation.file}{annotation.message}"
    return {
        "description": annotation.message,
        "check_name": annotation.title,
        "fingerprint": hashlib.sha256(said.encode()).hexdigest(),
        "severity": "major" if annotation.level == "error" else "minor",
        "location": {"path": annotation.file, "lines": {"begin": max(annotation.line, 1)}},
    }


def main() -> int:
    ci = runner.here()
    try:
        code, text = check(Root.from_inputs(), ci)
    except Wrong as wrong:
        ci.error(str(wrong))
        return 1
    ci.output("exit-code", str(code))
    if code:
        ci.summarize(f"### tierctl validate: failed\n\n{runner.fenced(text)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
