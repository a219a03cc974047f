"""Dask's dashboard: add a page to it, ask which jobs run, and say how to reach it from another machine."""

from __future__ import annotations

import getpass
import os
import shlex
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import distributed
from distributed import SchedulerPlugin

from .running_jobs import jobs_of
from .workers import LOOPBACK


def add_page(scheduler: Any, application: Any, name: str) -> None:
    """Add a web application to the dashboard's server, and its page to the links at the top of Dask's own pages.

    Call this in the scheduler's event loop.

    Args:
        scheduler: in this process.
        application: a ``tornado.web.Application``.
        name: path of the page, without a slash.
    """
    from distributed.dashboard.scheduler import template_variables  # slow, with Bokeh

    scheduler.http_application.add_application(application)
    pages = template_variables(scheduler)["pages"]  # the list that Dask's pages read each time they are opened
    if name not in pages:
        pages.insert(min(1, len(pages)), name)


class EndedTasks(SchedulerPlugin):
    """Counts tasks that ended in the bars of Dask's dashboard, which forget them: the bars then only grow.

    A run releases the result of each task as soon as it has it, and Dask forgets the task. To keep it would make Dask
    compute it again when its worker dies. The counts that the bars show are for people only; no task is kept.
    """

    name = "kilocell-ended-tasks"

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler

    def transition(self, key: Any, start: str, finish: str, *arguments: Any, **keywords: Any) -> None:
        """Count a task that ended and is forgotten as released, which a bar shows as done."""
        if finish == "forgotten" and start in ("released", "memory", "erred"):
            with suppress(AttributeError, KeyError):  # another version of Dask counts in another way
                self._scheduler.tasks[key].prefix.states["released"] += 1


def count_ended_tasks(scheduler: Any) -> None:
    """Let the bars of the dashboard only grow. Call this in the scheduler's event loop.

    Args:
        scheduler: in this process.
    """
    if EndedTasks.name not in scheduler.plugins:
        scheduler.add_plugin(EndedTasks(scheduler))


async def running_keys(client: Any, scheduler: Any = None) -> list[tuple[str, ...]]:
    """Return the keys of the jobs that workers run now, as they last reported. Await it in the client's event loop.

    Args:
        client: a ``distributed.Client``.
        scheduler: its scheduler, if that is in this process.
    """
    if scheduler is not None:
        return _executing(scheduler)
    keys: list[tuple[str, ...]] = await client.run_on_scheduler(_executing_there, asynchronous=True)
    return [tuple(key) for key in keys]


def _executing(scheduler: Any) -> list[tuple[str, ...]]:
    return [key for worker in scheduler.workers.values() for key in jobs_of(worker)]


def _executing_there(dask_scheduler: distributed.Scheduler) -> list[tuple[str, ...]]:
    return _executing(dask_scheduler)


def tunnel_command(address: str, is_cluster: bool, environment: Mapping[str, str] = os.environ) -> str:
    """Return the ssh command that makes a page of this machine open on the user's own one.

    Args:
        address: of the page.
        is_cluster: whether this machine belongs to a cluster, so that the user sits elsewhere in any case.
        environment: of this process; it says whether the user is logged in by ssh, and whether this is a Slurm job.

    Returns:
        ``""`` if the user sits at this machine, as far as is known.
    """
    parts = urlsplit(address)
    port = parts.port or 80
    target = "127.0.0.1" if parts.hostname in LOOPBACK else str(parts.hostname)
    user = shlex.quote(getpass.getuser())
    here = socket.gethostname()
    login = environment.get("SLURM_SUBMIT_HOST", "")
    if environment.get("SLURM_JOB_ID") and login not in ("", here):
        if target == "127.0.0.1":  # only the node itself reaches it
            return f"ssh -J {user}@{login} -L {port}:{target}:{port} {user}@{here}"
        return f"ssh -L {port}:{target}:{port} {user}@{login}"
    connection = environment.get("SSH_CONNECTION", "").split()  # address and port of the user's end, then of this one
    if len(connection) != 4 and not is_cluster:
        return ""
    name, option = _full_name(here), ""
    if len(connection) == 4:
        name = name if "." in name else connection[2]
        option = "" if connection[3] == "22" else f"-p {connection[3]} "
    return f"ssh {option}-L {port}:{target}:{port} {user}@{name}"


def _full_name(here: str) -> str:
    """Return this machine's name with its domain, if it knows it."""
    full_name = socket.getfqdn()
    return here if full_name.startswith("localhost") else full_name
