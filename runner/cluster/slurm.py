"""Run workers as Slurm jobs through dask-jobqueue: check, submit, watch, and cancel them at the end."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import dask
import distributed
from distributed.core import Status
from distributed.deploy.spec import ProcessInterface

from ...data.errors import UsageError
from ...data.settings import ClusterSettings
from ..signals import deferred_signals, ignored_signals
from . import slurm_commands
from .security import PROTOCOL, security_in_files
from .slurm_commands import Partition
from .slurm_scale import Attendance, Jobs
from .slurm_watch import SlurmWatch
from .workers import WORKER_ENVIRONMENT, Workers, dashboard_options, format_count, memory_bytes

WATCH_INTERVAL_SECOND = 10.0
MAX_FAILED_JOBS = 3
"""Jobs in a row that may end before their worker starts; then the run stops."""

JOB_END_VARIABLE = "KILOCELL_JOB_END"
"""Environment variable of a job with the time its walltime ends, in s since 1970-01-01 UTC."""

_ASKS_MEMORY = re.compile(r"--mem(-per-(cpu|gpu))?\b(?!-)")
"""Options of sbatch that contradict ``--mem``."""

TLS_FILES = ("ca_file", "cert", "key")
"""What a worker reads to talk to its scheduler."""

PRINT_OWN_ADDRESS = (
    "import socket, sys; "
    "family, _, _, _, where = socket.getaddrinfo(sys.argv[1], 6817, type=socket.SOCK_DGRAM)[0]; "
    "probe = socket.socket(family, socket.SOCK_DGRAM); probe.connect(where); print(probe.getsockname()[0])"
)
"""Prints a node's own address in the network of another machine; nothing is sent."""

# Memory that Slurm counts for a job but Dask does not see in its workers: the nannies and the interpreter.
# The larger of the two is kept free.
HEADROOM_BYTES = 256 * 2**20
HEADROOM_SHARE = 0.1


@contextmanager
def open_slurm(
    settings: ClusterSettings,
    run_name: str,
    scratch: Path,
    report: Callable[[str], None],
    log_level: int,
) -> Iterator[Workers]:
    """Submit ``settings.jobs`` Slurm jobs of ``settings.cores`` workers each, replace lost ones, cancel all at the end.

    The scheduler runs in this process. The end of the ``with`` block cancels every job of the run and waits until none
    is queued; SIGINT, SIGTERM and SIGHUP are ignored meanwhile. The jobs' logs are in ``scratch/slurm``.

    Args:
        settings: number and size of the jobs.
        run_name: begins the name of the jobs.
        scratch: an existing folder on a file system that the nodes share.
        report: called with one line of text that the user should read, possibly from another thread.
        log_level: of Dask's log.

    Raises:
        UsageError: Slurm cannot run such jobs; nothing is left in the queue.
        ClusterError: jobs end again and again; raised in the main thread inside the block.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Slurm jobs are watched with signals, so open_slurm needs the main thread")
    slurm_commands.check_commands()
    partition = slurm_commands.find_partition(settings.partition, settings.walltime)
    name = _unique_name(run_name)
    logs = scratch / "slurm"
    host = slurm_commands.local_address(partition.node_address)
    options = job_options(settings, partition, name, logs, host)
    jobqueue, job_class = _import_jobqueue()
    slurm_commands.check_submission(job_class("tcp://127.0.0.1:8786", name=name, **options).job_script())
    logs.mkdir(parents=True, exist_ok=True)
    options |= {"job_cls": job_class, "name": name, "silence_logs": log_level, "protocol": f"{PROTOCOL}://"}
    options["scheduler_options"] = scheduler = {"host": host, **dashboard_options(settings.dashboard_address)}
    closing: list[Callable[[], object]] = [partial(_cancel, name, report)]
    try:
        # SlurmWatch handles lost workers: Dask would give up a job whose worker only restarts.
        with (
            security_in_files(scratch / "keys" / name) as security,
            dask.config.set({"distributed.deploy.lost-worker-timeout": "24h"}),
        ):
            with deferred_signals():
                cluster = jobqueue.SLURMCluster(security=security, **options)
                closing.append(partial(cluster.close, timeout=10))
                client = distributed.Client(cluster)  # type: ignore[no-untyped-call]
                closing.append(partial(client.close, timeout=10))
            client.register_plugin(Drain(drain_margin_second(settings.walltime)))
            watch = _make_watch(cluster, name, settings, logs, report)
            closing.append(watch.stop)
            watch.start()
            dashboard = cluster.dashboard_link if scheduler["dashboard"] else ""
            yield Workers(client, dashboard, _description(settings, partition), cluster.scheduler)
    finally:
        with ignored_signals():
            _close(closing)


def worker_job_script(settings: ClusterSettings, partition: Partition, name: str, logs: Path) -> str:
    """Return the script of a worker job as a run would submit it, with an example of the scheduler's address."""
    _, job_class = _import_jobqueue()
    script: str = job_class(
        "tls://SCHEDULER:PORT", name=name, **job_options(settings, partition, name, logs, partition.node_address)
    ).job_script()
    return script


def _unique_name(run_name: str) -> str:
    """Return a job name that no other run uses: the run's name without special characters, and a random token."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "", run_name)[:40] or "kilocell"
    return f"{plain}-{secrets.token_hex(2)}"


def _make_watch(
    cluster: Any, name: str, settings: ClusterSettings, logs: Path, report: Callable[[str], None]
) -> SlurmWatch:
    """Return a watch over a cluster's jobs, which learns from the scheduler which jobs have workers."""
    attendance = Attendance(cluster.scheduler, settings.cores)
    cluster.scheduler.add_plugin(attendance)
    return SlurmWatch(
        cluster,
        name,
        Jobs(attendance, settings.jobs, settings.jobs if settings.least_jobs is None else settings.least_jobs),
        lambda job_id: logs / f"{job_id}.log",
        WATCH_INTERVAL_SECOND,
        MAX_FAILED_JOBS,
        report,
    )


def job_options(
    settings: ClusterSettings, partition: Partition, name: str, logs: Path, scheduler_host: str
) -> dict[str, Any]:
    """Return what each job requests from Slurm and how it starts its workers, as keywords of dask-jobqueue.

    Args:
        partition: where the jobs run.
        name: of the jobs.
        logs: folder of their logs.
        scheduler_host: address of the scheduler; workers listen only in the network through which they reach it.

    Raises:
        UsageError: no job or no core, or too little memory.
    """
    if settings.jobs < 1 or settings.cores < 1:
        raise UsageError(f"jobs = {settings.jobs}, cores = {settings.cores}: both must be at least 1")
    memory = _memory_options(settings)
    seconds = slurm_commands.walltime_second(settings.walltime)
    log = str(logs.absolute()).replace("%", "%%") + "/%j.log"
    exports = [f"export {key}={value}" for key, value in WORKER_ENVIRONMENT.items()]
    return {
        "job_name": name,
        "queue": partition.name,
        "account": settings.account or None,
        "cores": settings.cores,
        "processes": settings.cores,
        "job_cpu": settings.cores,
        "memory": memory.worker_bytes,
        "job_mem": memory.directive,
        "job_directives_skip": [] if memory.directive else ["--mem="],
        "walltime": settings.walltime,
        "python": shlex.quote(sys.executable),
        "death_timeout": 60,
        "local_directory": '"$spill"',
        "worker_extra_args": [
            *memory.worker_arguments,
            "--no-dashboard",
            "--dashboard-address",
            "127.0.0.1:0",
            '${host:+--host "$host"}',
        ],
        "job_script_prologue": [
            *settings.prologue,
            *exports,
            *memory.lines,
            f"export {JOB_END_VARIABLE}=$(( $(date +%s) + {seconds} ))",
            f"host=$({shlex.quote(sys.executable)} -c {shlex.quote(PRINT_OWN_ADDRESS)} {shlex.quote(scheduler_host)})",
            f'spill="${{TMPDIR:-/tmp}}/{name}-$SLURM_JOB_ID"',
            "trap 'rm -rf \"$spill\"' EXIT",
            "trap : TERM  # scancel: let the workers end first",
        ],
        "job_extra_directives": [f'--output="{log}"', "--open-mode=append", *settings.job_extra],
    }


class _MemoryOptions(NamedTuple):
    """How a job asks Slurm for memory and tells its workers their limit.

    Args:
        worker_bytes: limit of all workers of a job together.
        directive: what ``--mem`` gets; "" = the job does not ask for memory.
        lines: of the job script; they compute the workers' limit where only the job knows it.
        worker_arguments: which pass this limit on.
    """

    worker_bytes: int
    directive: str
    lines: tuple[str, ...] = ()
    worker_arguments: tuple[str, ...] = ()


def _memory_options(settings: ClusterSettings) -> _MemoryOptions:
    if settings.memory != "none" and not any(_ASKS_MEMORY.match(option) for option in settings.job_extra):
        job_bytes = memory_bytes(settings.memory, "memory")
        return _MemoryOptions(worker_bytes(job_bytes), f"{-(-job_bytes // 2**20)}M")
    headroom = f"(mib * {HEADROOM_SHARE * 100:.0f} / 100)"
    least = HEADROOM_BYTES // 2**20
    lines = (
        f"mib=${{SLURM_MEM_PER_NODE:-$(( ${{SLURM_MEM_PER_CPU:-0}} * {settings.cores} ))}}",
        f"mib=$(( mib - ({headroom} > {least} ? {headroom} : {least}) ))",
        f"limit=$(( mib > 0 ? mib * 1048576 / {settings.cores} : 0 ))  # 0 = Slurm names no limit",
    )
    return _MemoryOptions(HEADROOM_BYTES, "", lines, ("--memory-limit", '"$limit"'))


def worker_bytes(job_bytes: int) -> int:
    """Return the memory in bytes for all workers of a job; the rest is headroom, or Slurm would kill the job.

    Args:
        job_bytes: memory that the job requests.

    Raises:
        UsageError: too little is left for workers.
    """
    left = job_bytes - max(HEADROOM_BYTES, int(job_bytes * HEADROOM_SHARE))
    if left < HEADROOM_BYTES:
        least = 2 * HEADROOM_BYTES // 2**20
        raise UsageError(
            f"memory = {job_bytes // 2**20} MiB per job is too little for workers: request at least {least} MiB"
        )
    return left


def drain_margin_second(walltime: str) -> float:
    """Return how long before the walltime a worker takes no new work, in s: a fifth of it, 30 s to 10 min."""
    return min(600.0, max(30.0, 0.2 * (slurm_commands.walltime_second(walltime) or 0)))


class Drain(distributed.WorkerPlugin):
    """Let a worker finish its work and leave before the walltime of its Slurm job ends.

    Dask's option ``--lifetime`` would throw the running work away. Work that takes longer than the margin is lost with
    the job, and another worker does it again.

    Args:
        margin_second: from this time before the end of the walltime, the worker takes no new work.
    """

    name = "kilocell-drain"

    def __init__(self, margin_second: float) -> None:
        self.margin_second = margin_second

    def setup(self, worker: distributed.Worker) -> None:
        """Schedule the worker's leave, from the end time that the job script wrote into the environment."""
        end = os.environ.get(JOB_END_VARIABLE)
        if end is not None:
            delay = float(end) - self.margin_second - time.time()
            worker.loop.call_later(max(0.0, delay), self._leave, worker)

    async def _leave(self, worker: distributed.Worker) -> None:
        worker.status = Status.closing_gracefully
        while worker.state.executing_count:
            await asyncio.sleep(0.1)
        fetched_by = time.time() + self.margin_second / 4
        while worker.data and time.time() < fetched_by:
            await asyncio.sleep(0.1)
        # Moves results that nobody fetched to other workers. Without other workers the scheduler refuses: try again.
        while not await worker.scheduler.retire_workers(workers=[worker.address], close_workers=False, remove=True):
            await asyncio.sleep(1)
        await worker.close(nanny=True, reason="the Slurm job's walltime ends")


def _import_jobqueue() -> tuple[Any, type[Any]]:
    """Import dask_jobqueue, which replaces the handler of SIGINT, and return it with our class of its jobs."""
    before = signal.getsignal(signal.SIGINT)
    try:
        import dask_jobqueue
    finally:
        signal.signal(signal.SIGINT, before)

    class WorkerJob(dask_jobqueue.slurm.SLURMJob):
        """A Slurm job that keeps sbatch's message when it is refused, and is cancelled by name with all others.

        Files of keys are quoted, which dask-jobqueue leaves out.
        """

        def __init__(self, *args: Any, security: Any = None, worker_extra_args: Sequence[str] = (), **options: Any):
            keys: dict[str, str] = {}
            if security is not None:
                keys = security.get_tls_config_for_role("worker")
            files = [f"--tls-{name.replace('_', '-')} {shlex.quote(keys[name])}" for name in TLS_FILES if name in keys]
            super().__init__(  # type: ignore[no-untyped-call]
                *args, worker_extra_args=[*worker_extra_args, *files], **options
            )

        async def _submit_job(self, script_filename: str) -> str:
            try:
                return await asyncio.to_thread(slurm_commands.submit, script_filename)
            except UsageError:
                self.status = Status.failed
                raise

        async def close(self) -> None:
            await ProcessInterface.close(self)  # type: ignore[no-untyped-call]

    return dask_jobqueue, WorkerJob


def _description(settings: ClusterSettings, partition: Partition) -> str:
    jobs = format_count(settings.jobs, "Slurm job")
    if settings.least_jobs is not None:
        jobs = f"{settings.least_jobs} to {jobs}"
    workers = format_count(settings.cores, "worker")
    if settings.jobs > 1:
        workers += " each"
    memory = f"{settings.memory}, " if settings.memory != "none" else ""
    return f"{jobs} of {workers} in partition {partition.name} ({memory}{settings.walltime} per job)"


def _cancel(name: str, report: Callable[[str], None]) -> None:
    left = slurm_commands.cancel_all(name)
    if left:
        ids = ", ".join(sorted(left))
        report(f"Slurm still lists jobs {ids} of this run; cancel them with: scancel --name={name}")


def _close(closing: list[Callable[[], object]]) -> None:
    """Call all functions, the last one first; when one raises, still call the others."""
    if closing:
        try:
            closing[-1]()
        finally:
            _close(closing[:-1])
