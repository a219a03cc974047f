"""The first lines of a run: what runs where, and where to look at it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...data.text import format_count
from ..plan.job import Job, ModelWork
from ..worker import model_cache

if TYPE_CHECKING:
    from ..cluster.workers import Workers


def say_what_runs(workers: Workers, jobs: Sequence[Job], say: Callable[[str], None]) -> None:
    """Say how many jobs run where, and if they take longer for lack of a compiler.

    Args:
        workers: that run them.
        jobs: those that have to run.
        say: prints a line.
    """
    if _wants_compiler(jobs) and not model_cache.has_compiler():
        say(f"compiler   {model_cache.COMPILER} not found; without it, models take two to three times as long")
    say(f"running    {format_count(len(jobs), 'job')} on {workers.description}")


def say_addresses(workers: Workers, live: str, is_cluster: bool, say: Callable[[str], None]) -> None:
    """Say where the pages of the run are, and how to reach them from the user's own computer.

    Args:
        workers: with the dashboard's address; "" = none.
        live: address of the live page; "" = none.
        is_cluster: whether the user is likely to sit at another computer.
        say: prints a line.
    """
    from ..cluster.dashboard import tunnel_command

    if workers.dashboard:
        say(f"dashboard  {workers.dashboard}")
    if live:
        say(f"live       {live}")
    tunnel = tunnel_command(live or workers.dashboard, is_cluster) if live or workers.dashboard else ""
    if tunnel:
        say(f"tunnel     on your own computer: {tunnel}")


def _wants_compiler(jobs: Sequence[Job]) -> bool:
    return any(isinstance(job.work, ModelWork) and job.work.compiled for job in jobs)
