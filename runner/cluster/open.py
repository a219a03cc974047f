"""Open workers to run jobs on: processes of this machine, an existing Dask scheduler, or Slurm jobs.

Start with :func:`open_cluster`. When its ``with`` block ends, also by an exception, everything it started is stopped.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import platform
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import dask
import distributed
from dask.system import CPU_COUNT
from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError
from distributed.utils import LoopRunner
from distributed.versions import VersionMismatchWarning

from ...data.errors import ClusterError, UsageError
from ...data.settings import ClusterSettings
from ..signals import closing_needed, deferred_signals, ignored_signals, shielded_threads
from .allocation import Allocation, find_allocation
from .exits import watch_exits
from .security import PROTOCOL, configured_connection, make_security
from .workers import WORKER_ENVIRONMENT, Workers, dashboard_options, format_count, memory_bytes

LEAST_MEMORY_BYTES = 150_000_000
"""Least memory limit of a worker. With less, Dask ends a worker while it starts, again and again."""

CONNECT_TIMEOUT_SECOND = 10
MOST_DEATHS_BESIDE = 9
"""Deaths of the workers to which a job was given after which Dask gives it up; if it had not begun, it is run again at
the end of the run."""

LOGGERS = ("distributed", "distributed.client")
"""Names of the loggers whose level Dask sets."""

SILENCE_MARGIN_SECOND = 300.0
"""Time after the longest job until a silent worker is given up, s."""

TICK = "500ms"
"""Time between two looks of Dask's processes at their own event loops."""

PROFILE = "100ms"
"""Time between two looks of a worker at what its threads do, which Dask's dashboard shows as a profile."""

# Versions that must agree between this process and workers that others started: results or pickles depend on them.
COMPARED_PACKAGES = ("kilocell", "pybamm", "dask", "distributed", "numpy", "pandas", "scipy")


@contextmanager
def open_cluster(
    settings: ClusterSettings,
    run_name: str,
    scratch: Path,
    report: Callable[[str], None],
    verbose: bool = False,
    longest_job_second: float = math.inf,
) -> Iterator[Workers]:
    """Start workers, or connect to a scheduler, and stop what was started when the ``with`` block ends.

    Args:
        settings: kind of cluster and its size.
        run_name: name of the Slurm jobs; characters other than letters, digits, ``-`` and ``_`` are left out.
        scratch: an existing folder for the workers' spill files and the logs of Slurm jobs.
        report: called with one line of text that the user should read, possibly from another thread.
        verbose: also show Dask's log lines.
        longest_job_second: every job ends within this time; only a worker that is silent for longer is given up.

    Yields:
        The workers, ready for jobs.

    Raises:
        UsageError: such workers cannot be started or reached; nothing was started.
        ClusterError: Slurm jobs ended again and again, or the scheduler was lost; raised inside the ``with`` block, in
            the main thread.
    """
    # kilocell reports errors, with what to do; Dask's log would repeat them.
    log_level = logging.INFO if verbose else logging.CRITICAL
    with dask.config.set(_dask_config(longest_job_second)):
        if settings.kind == "local":
            opened = _open_local(settings, scratch, log_level)
        elif settings.kind == "slurm":
            from .slurm import open_slurm  # dask-jobqueue is slow to import and takes over SIGINT

            opened = open_slurm(settings, run_name, scratch, report, log_level)
        elif "://" in settings.kind:
            opened = _open_address(settings.kind, report, log_level, longest_job_second)
        else:
            raise UsageError(f"unknown cluster {settings.kind!r}: give local, slurm or a scheduler's tcp://HOST:PORT")
        with closing_needed(), opened as workers:
            if settings.kind in ("local", "slurm"):
                watch_exits(workers.client, scratch)
            try:
                yield workers
            except (CommClosedError, FutureCancelledError) as error:
                raise _lost_scheduler(settings.kind) from error


def _lost_scheduler(kind: str) -> ClusterError:
    """Return the error of a run whose scheduler ended."""
    where, again = "", "run again to continue"
    if "://" in kind:
        where, again = f" at {kind}", "start the scheduler again, and run again to continue"
    lost = f"the connection to the scheduler{where} was lost: it ended, or the network failed"
    return ClusterError(f"{lost}. What is done is kept: {again}")


def _dask_config(longest_job_second: float) -> dict[str, Any]:
    worker_ttl = None if math.isinf(longest_job_second) else f"{longest_job_second + SILENCE_MARGIN_SECOND:.0f}s"
    spawn = {**dask.config.get("distributed.nanny.pre-spawn-environ", {}), **WORKER_ENVIRONMENT}
    return {
        "distributed.nanny.pre-spawn-environ": spawn,
        # A worker gets only the jobs it can run now, so a late or leaving worker delays no others.
        "distributed.scheduler.worker-saturation": 1.0,
        # Jobs count their own deaths; Dask counts a death against every job that the worker had been given.
        "distributed.scheduler.allowed-failures": MOST_DEATHS_BESIDE,
        # By default, Dask gives up a worker that is not replaced within 15 s (a busy machine, or the new one died,
        # too). A run without other workers would then wait for ever.
        "distributed.deploy.lost-worker-timeout": "24h",
        # By default, Dask gives up a worker that is silent for 5 minutes. One long solver call is silent for as long:
        # it holds the interpreter's lock. Workers that died or lost their network are noticed by their connections.
        "distributed.scheduler.worker-ttl": worker_ttl,
        # Outcomes are too small to spill, and a worker that pauses near its memory limit would hang the run. Instead,
        # the worker is ended at the limit, and its job fails with that reason.
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        # By default, a process of Dask looks at its own event loop 50 times a second, and a worker at its threads 100
        # times. As measured with two workers that wait: 2.7 % of a core in this process and 1.8 % in a worker, against
        # 1.8 % and 0.6 % with these values.
        "distributed.admin.tick.interval": TICK,
        "distributed.worker.profile.interval": PROFILE,
    }


@contextmanager
def _open_local(settings: ClusterSettings, scratch: Path, log_level: int) -> Iterator[Workers]:
    allocation = find_allocation(CPU_COUNT, os.environ)
    count = allocation.worker_count() if settings.workers is None else settings.workers
    threads = settings.threads_per_worker
    if count < 1 or threads < 1:
        raise UsageError(f"workers = {count}, threads_per_worker = {threads}: both must be at least 1")
    options = dashboard_options(settings.dashboard_address)
    memory_limit = _memory_limit(settings.memory_limit, allocation, count)
    opened = ExitStack()
    try:
        with deferred_signals():
            loop = start_loop(opened)
            cluster = distributed.LocalCluster(  # type: ignore[no-untyped-call]
                loop=loop,
                n_workers=0,
                threads_per_worker=threads,
                memory_limit=memory_limit,
                host="127.0.0.1",
                protocol=f"{PROTOCOL}://",
                security=make_security(),
                dashboard_address=options["dashboard_address"],
                worker_dashboard_address=None,
                scheduler_kwargs={"dashboard": options["dashboard"]},
                local_directory=str(scratch),
                silence_logs=log_level,
            )
            opened.callback(cluster.close)
            client = distributed.Client(cluster)  # type: ignore[no-untyped-call]
            opened.callback(client.close)
        cluster.scale(count)  # type: ignore[no-untyped-call]
        # A wait inside Dask would cancel the start half-way when a signal ends it, and the workers could not be closed.
        asyncio.run_coroutine_threadsafe(_wait_for_workers(cluster), loop.asyncio_loop).result()
        dashboard = cluster.dashboard_link if options["dashboard"] else ""
        processes = format_count(count, "worker process", "es")
        description = f"{processes}, {format_count(threads, 'thread')} each{allocation.description}"
        yield Workers(client, dashboard, description, cluster.scheduler)
    finally:
        with ignored_signals():
            opened.close()


async def _wait_for_workers(cluster: Any) -> None:
    await cluster


def start_loop(opened: ExitStack) -> Any:
    """Start the thread in which Dask works, and return its loop; neither it nor its worker processes get a Ctrl-C.

    Args:
        opened: stops the thread when it is closed.
    """
    runner = LoopRunner()
    with shielded_threads():
        resource_tracker.ensure_running()  # if a thread of Dask started it, this would open that thread to the signals
    with shielded_threads():
        runner.start()  # type: ignore[no-untyped-call]
    opened.callback(runner.stop)
    return runner.loop


def _memory_limit(text: str, allocation: Allocation, workers: int) -> str | int | None:
    """Return the memory limit of a worker as Dask takes it: bytes, ``auto``, or ``None`` for no limit."""
    if text == "none":
        return None
    least = f"{LEAST_MEMORY_BYTES // 10**6}MB"
    if text == "auto":
        share = allocation.worker_bytes(workers)
        if share is not None and share < LEAST_MEMORY_BYTES:
            raise UsageError(
                f"{format_count(workers, 'worker')} in {(allocation.memory_bytes or 0) / 2**30:.1f} GiB of memory "
                f"({allocation.source}): each needs {least} to start, and about 500MB with PyBaMM; request more memory"
            )
        return text if share is None else share
    size = memory_bytes(text, "memory limit")
    if size < LEAST_MEMORY_BYTES:
        raise UsageError(f"memory limit {text!r}: a worker needs {least} to start, and about 500MB with PyBaMM")
    return size


@contextmanager
def _open_address(
    address: str, report: Callable[[str], None], log_level: int, longest_job_second: float
) -> Iterator[Workers]:
    with _quiet(log_level):
        client = _connect(address)
        with client:
            mismatch = _version_mismatch(client)
            if mismatch:
                report(mismatch)
            # A lambda travels by value: the scheduler need not have kilocell.
            patience_second: Any = client.run_on_scheduler(  # type: ignore[no-untyped-call]
                lambda dask_scheduler: dask_scheduler.worker_ttl
            )
            if patience_second and patience_second < longest_job_second:
                report(
                    f"the scheduler gives up a worker that is silent for {patience_second:g} s, as in a long solver "
                    "call; start it with DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL=24h in its environment"
                )
            count = len(client.scheduler_info(n_workers=-1)["workers"])
            if not count:
                report(f"the scheduler at {address} has no workers yet; jobs wait until one connects")
            description = f"{format_count(count, 'worker')} of the scheduler at {address}"
            yield Workers(client, client.dashboard_link or "", description)


def _connect(address: str) -> distributed.Client:
    connection = configured_connection(address)
    try:
        # Client waits for ever on a port that accepts the connection and never answers.
        asyncio.run(_ask_identity(address, connection))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)  # reported in one line instead
            return distributed.Client(  # type: ignore[no-untyped-call]
                address, timeout=CONNECT_TIMEOUT_SECOND, name="kilocell"
            )
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {address}: check that it runs there (dask scheduler prints its address), "
            "that the port is correct, and that no firewall blocks it"
        ) from error


async def _ask_identity(address: str, connection: dict[str, Any]) -> None:
    async with distributed.rpc(  # type: ignore[no-untyped-call]
        address, timeout=CONNECT_TIMEOUT_SECOND, connection_args=connection
    ) as scheduler:
        await asyncio.wait_for(scheduler.identity(), CONNECT_TIMEOUT_SECOND)


def _version_mismatch(client: distributed.Client) -> str:
    """Return one line on the versions that differ between here, the scheduler and its workers; "" if none do."""
    versions: Any = client.get_versions(packages=list(COMPARED_PACKAGES))
    others = {"scheduler": versions["scheduler"], **versions["workers"]}
    here = {name: versions["client"]["packages"].get(name) for name in COMPARED_PACKAGES}
    here["python"] = platform.python_version()
    differences = []
    for name, version in here.items():
        there = {_version_text(name, info["packages"].get(name)) for info in others.values() if info}
        if there - {version}:
            differences.append(f"{name} {version} here, {' and '.join(sorted(there - {version}))} there")
    if not differences:
        return ""
    return f"versions differ from those of the scheduler or its workers: {'; '.join(differences)}"


def _version_text(name: str, version: str | None) -> str:
    if version is None:
        return "none"
    if name == "python":
        return ".".join(version.split(".")[:3])  # Dask writes 3.11.7.final.0
    return version


@contextmanager
def _quiet(log_level: int) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(max(logger.level, log_level))
    try:
        yield
    finally:
        # Streams to workers that have left close a little later; Dask logs this at INFO, with a traceback.
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(max(level, min(log_level, logging.WARNING)))
