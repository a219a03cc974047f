"""Workers as Slurm jobs through dask-jobqueue: checked before anything is submitted, watched, cancelled at the end."""

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import dask
import distributed
from distributed.core import Status
from distributed.deploy.spec import ProcessInterface

from ...data.errors import UsageError
from ...data.settings import ClusterSettings
from . import slurm_commands as slurm_queue
from .slurm_commands import Partition
from .slurm_watch import SlurmWatch
from .workers import WORKER_ENVIRONMENT, Workers, dashboard_options, format_count, memory_bytes

WATCH_INTERVAL_SECOND = 10.0
MAX_FAILED_JOBS = 3
JOB_END_VARIABLE = "KILOCELL_JOB_END"

# What Slurm counts against a job but Dask does not see in its workers: the nannies and the interpreter itself.
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
    """Submit ``settings.jobs`` Slurm jobs of ``settings.cores`` workers each, keep them alive, cancel them at the end.

    The scheduler runs here; jobs that end early are replaced. Leaving the ``with`` block cancels every job of the run
    and waits until none is queued; SIGINT and SIGTERM are held off meanwhile. The jobs' logs are in ``scratch/slurm``.

    Raises:
        UsageError: what is asked cannot run there; nothing is left in the queue.
        ClusterError: jobs die again and again; raised in the main thread while the block runs.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Slurm jobs are watched with signals, so open_slurm needs the main thread")
    slurm_queue.check_commands()
    partition = slurm_queue.find_partition(settings.partition, settings.walltime)
    name = f"{re.sub(r'[^A-Za-z0-9_-]', '', run_name)[:40] or 'kilocell'}-{secrets.token_hex(2)}"
    logs = scratch / "slurm"
    options = job_options(settings, partition, name, logs)
    jobqueue, job_class = _import_jobqueue()
    slurm_queue.check_submission(job_class("tcp://127.0.0.1:8786", name=name, **options).job_script())
    logs.mkdir(parents=True, exist_ok=True)
    scheduler = {"host": slurm_queue.local_address(partition.node_address)}
    scheduler |= dashboard_options(settings.dashboard_address)
    closing: list[Callable[[], object]] = [partial(_cancel, name, report)]
    try:
        # Lost workers are Watch's concern: Dask would take a job for dead whose worker only restarts.
        with dask.config.set({"distributed.deploy.lost-worker-timeout": "24h"}):
            cluster = jobqueue.SLURMCluster(
                job_cls=job_class, name=name, scheduler_options=scheduler, silence_logs=log_level, **options
            )
            closing.append(partial(cluster.close, timeout=10))
            client = distributed.Client(cluster)  # type: ignore[no-untyped-call]
            closing.append(partial(client.close, timeout=10))
            client.register_plugin(Drain(drain_margin_second(settings.walltime)))
            attendance = Attendance(cluster.scheduler, settings.cores)
            cluster.scheduler.add_plugin(attendance)
            watch = SlurmWatch(
                cluster,
                name,
                settings.jobs,
                attendance.registered,
                attendance.leaving,
                lambda job_id: logs / f"{job_id}.log",
                WATCH_INTERVAL_SECOND,
                MAX_FAILED_JOBS,
                report,
            )
            closing.append(watch.stop)
            watch.start()
            dashboard = cluster.dashboard_link if scheduler["dashboard"] else ""
            yield Workers(client, dashboard, _description(settings, partition))
    finally:
        with _undisturbed():
            _close(closing)


def job_options(settings: ClusterSettings, partition: Partition, name: str, logs: Path) -> dict[str, Any]:
    """What each job asks of Slurm and how it starts its workers, as dask-jobqueue's keywords.

    Raises:
        UsageError: numbers that make no job, or too little memory for one.
    """
    if settings.jobs < 1 or settings.cores < 1:
        raise UsageError(f"a Slurm run needs at least 1 job with 1 core, not {settings.jobs} with {settings.cores}")
    job_bytes = memory_bytes(settings.memory, "memory")
    seconds = slurm_queue.walltime_second(settings.walltime)
    log = str(logs.absolute()).replace("%", "%%") + "/%j.log"
    exports = [f"export {key}={value}" for key, value in WORKER_ENVIRONMENT.items()]
    return {
        "job_name": name,
        "queue": partition.name,
        "account": settings.account or None,
        "cores": settings.cores,
        "processes": settings.cores,
        "memory": worker_bytes(job_bytes),
        "job_cpu": settings.cores,
        "job_mem": f"{-(-job_bytes // 2**20)}M",
        "walltime": settings.walltime,
        "python": shlex.quote(sys.executable),
        "death_timeout": 60,
        "local_directory": '"$spill"',
        "worker_extra_args": ["--no-dashboard", "--dashboard-address", "127.0.0.1:0"],
        "job_script_prologue": [
            *exports,
            f"export {JOB_END_VARIABLE}=$(( $(date +%s) + {seconds} ))",
            f'spill="${{TMPDIR:-/tmp}}/{name}-$SLURM_JOB_ID"',
            "trap 'rm -rf \"$spill\"' EXIT",
            "trap : TERM  # scancel: let the workers end first",
        ],
        "job_extra_directives": [f'--output="{log}"', "--open-mode=append", *settings.job_extra],
    }


def worker_bytes(job_bytes: int) -> int:
    """Memory in bytes that Dask may give to all workers of a job, so that Slurm does not kill the job for the rest.

    Raises:
        UsageError: nothing sensible would be left.
    """
    left = job_bytes - max(HEADROOM_BYTES, int(job_bytes * HEADROOM_SHARE))
    if left < HEADROOM_BYTES:
        least = 2 * HEADROOM_BYTES // 2**20
        raise UsageError(
            f"memory of {job_bytes // 2**20} MiB a job is too little for workers: ask for {least} MiB at least"
        )
    return left


def drain_margin_second(walltime: str) -> float:
    """How long before its job's end a worker takes no new job: a fifth of the walltime, 30 s to 10 min."""
    return min(600.0, max(30.0, 0.2 * (slurm_queue.walltime_second(walltime) or 0)))


class Drain(distributed.WorkerPlugin):
    """Before its Slurm job's walltime ends, a worker takes nothing new, ends what it runs, and leaves.

    Dask's own ``--lifetime`` would throw the running work away. Work that takes longer than the margin is lost with
    the job, and done again elsewhere.
    """

    name = "kilocell-drain"

    def __init__(self, margin_second: float) -> None:
        self.margin_second = margin_second

    def setup(self, worker: distributed.Worker) -> None:
        """Set the clock, from the job's end that the job script wrote in the environment."""
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
        # Moves results that nobody fetched to other workers; without any, the scheduler refuses and it is tried again.
        while not await worker.scheduler.retire_workers(workers=[worker.address], close_workers=False, remove=True):
            await asyncio.sleep(1)
        await worker.close(nanny=True, reason="the Slurm job's walltime ends")


class Attendance(distributed.SchedulerPlugin):
    """Which jobs have workers that registered, and which have workers that are leaving.

    A worker's name is its job's, followed by ``-i`` where a job has several.
    """

    name = "kilocell-attendance"

    def __init__(self, scheduler: distributed.Scheduler, workers_per_job: int) -> None:
        self.registered: set[str] = set()
        self._scheduler = scheduler
        self._workers_per_job = workers_per_job

    def add_worker(self, scheduler: distributed.Scheduler, worker: str) -> None:
        """Called by the scheduler with the address of a new worker."""
        self.registered.add(self._job_name(scheduler.workers[worker]))

    def leaving(self) -> set[str]:
        """Names of jobs whose workers take nothing new."""
        states = self._scheduler.workers.values()
        return {self._job_name(state) for state in states if state.status == Status.closing_gracefully}

    def _job_name(self, state: Any) -> str:
        name = str(state.name)
        return name if self._workers_per_job == 1 else name.rpartition("-")[0]


def _import_jobqueue() -> tuple[Any, type[Any]]:
    """dask_jobqueue and our kind of its jobs; imported late, since the import takes over SIGINT."""
    before = signal.getsignal(signal.SIGINT)
    try:
        import dask_jobqueue
    finally:
        signal.signal(signal.SIGINT, before)

    class WorkerJob(dask_jobqueue.slurm.SLURMJob):
        """A Slurm job that keeps sbatch's own words when it is refused, and is cancelled with all others by name."""

        async def _submit_job(self, script_filename: str) -> str:
            try:
                return await asyncio.to_thread(slurm_queue.submit, script_filename)
            except UsageError:
                self.status = Status.failed
                raise

        async def close(self) -> None:
            await ProcessInterface.close(self)  # type: ignore[no-untyped-call]

    return dask_jobqueue, WorkerJob


def _description(settings: ClusterSettings, partition: Partition) -> str:
    jobs, workers = format_count(settings.jobs, "Slurm job"), format_count(settings.cores, "worker")
    each = " each" if settings.jobs > 1 else ""
    return f"{jobs} of {workers}{each} in partition {partition.name} ({settings.memory}, {settings.walltime} a job)"


def _cancel(name: str, report: Callable[[str], None]) -> None:
    left = slurm_queue.cancel_all(name)
    if left:
        report(f"Slurm still lists jobs {', '.join(sorted(left))} of this run; end them with: scancel --name={name}")


def _close(closing: list[Callable[[], object]]) -> None:
    """Call all, last one first, the others too when one raises."""
    if closing:
        try:
            closing[-1]()
        finally:
            _close(closing[:-1])


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold off SIGINT and SIGTERM: an impatient second Ctrl-C must not leave jobs in the queue."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
