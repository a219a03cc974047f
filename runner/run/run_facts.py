"""What a run was, beside its results: versions of code, and where its jobs ran."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from ...data.settings import ClusterSettings
from ..plan.job import Job

GIT_SECOND: Final = 3.0
"""How long `git` may take, s: a repository on a slow file system must not delay a run. Chosen, not measured."""

PACKAGE: Final = Path(__file__).resolve().parents[2]

_OF_EVERY_KIND: Final = ("kind", "dashboard_address")
_OF_KIND: Final = {
    "local": ("workers", "threads_per_worker", "memory_limit"),
    "slurm": ("jobs", "least_jobs", "cores", "memory", "walltime", "partition", "account", "job_extra", "prologue"),
}


def command_line() -> list[str]:
    """Return the command as it was typed, the program without its folder."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]


def kilocell_commit() -> str | None:
    """Return the Git commit of kilocell; ``None`` = it does not run from a checkout."""
    return git_commit(PACKAGE) if (PACKAGE / ".git").exists() else None


def git_commit(folder: Path) -> str | None:
    """Return the commit of the Git repository of a folder, with ``-dirty`` if files of it were changed since.

    Returns:
        ``None``: it is in no repository, the repository has no commit, or Git is missing, refuses, or takes too long.
    """
    others = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GIT_SECOND,
            stdin=subprocess.DEVNULL,
            env={**others, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return (done.stdout.strip() or None) if done.returncode == 0 else None


def cluster_json(settings: ClusterSettings, description: str = "") -> str:
    """Return where jobs run, as JSON: the settings that count for this kind of cluster.

    Args:
        description: what was started, in words; "" = nothing yet.
    """
    names = (*_OF_EVERY_KIND, *_OF_KIND.get(settings.kind, ()))
    described = {name: value for name, value in asdict(settings).items() if name in names}
    return json.dumps({**described, "description": description} if description else described)


def jobs_json(jobs: Iterable[Job]) -> str:
    """Return the number of jobs by kind, as JSON."""
    return json.dumps(Counter(job.kind for job in jobs))
