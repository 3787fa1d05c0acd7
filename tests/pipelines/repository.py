"""A Git repository of specs, and pull requests in it as CI checks them out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

Spec = dict[str, Any]


class Repository:
    """Its working tree is what CI checks out: `origin/main` is there, and the commit that the run is for."""

    def __init__(self, folder: Path, root: str = ".") -> None:
        self.folder, self.root = folder, folder / root
        self.root.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
        }
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def write(self, specs: dict[str, Spec | str | None]) -> None:
        """Specs by path without ending; none deletes the file, a text is written as it is."""
        for name, spec in specs.items():
            path = self.root / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            if spec is None:
                path.unlink()
            else:
                path.write_text(
                    spec if isinstance(spec, str) else yaml.safe_dump(spec, sort_keys=False), encoding="utf-8"
                )

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def commit_to_main(self, specs: dict[str, Spec | str | None], message: str = "Specs") -> str:
        self.git("symbolic-ref", "HEAD", "refs/heads/main")
        if (self.folder / ".git" / "refs" / "heads" / "main").exists():
            self.git("checkout", "-q", "-f", "main")
        self.write(specs)
        return self._main(self.commit(message))

    def branch(self, name: str, specs: dict[str, Spec | str | None], message: str = "A change") -> str:
        """A branch with a change, checked out; returns its commit."""
        self.git("checkout", "-q", "-f", "-B", name, "main")
        self.write(specs)
        return self.commit(message)

    def check_out_merged(self, name: str) -> str:
        """What GitHub checks out for a pull request: its branch merged into main."""
        self.git("checkout", "-q", "-f", "--detach", "main")
        self.git("merge", "-q", "--no-ff", "-m", f"Merge {name} into main", name)
        return self.git("rev-parse", "HEAD")

    def merge(self, name: str, squash: bool = False) -> str:
        """Merges a branch and checks main out."""
        self.git("checkout", "-q", "-f", "main")
        if squash:
            self.git("merge", "-q", "--squash", name)
            return self._main(self.commit(f"{name} (squashed)"))
        self.git("merge", "-q", "--no-ff", "-m", f"Merge {name}", name)
        return self._main(self.git("rev-parse", "HEAD"))

    def _main(self, commit: str) -> str:
        self.git("update-ref", "refs/remotes/origin/main", commit)
        return commit
