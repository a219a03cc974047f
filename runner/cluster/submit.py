"""The batch job that runs a campaign, so that nobody has to keep a terminal open on the login node."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...data.errors import UsageError
from ...data.settings import ClusterSettings
from . import slurm_commands
from .slurm import worker_job_script
from .slurm_commands import Partition
from .workers import WORKER_ENVIRONMENT, memory_bytes

NOTICE_SECOND: Final = 120
"""So long before the end of its walltime, the batch job is asked to stop its workers, s. Chosen, not measured."""


@dataclass(frozen=True, slots=True)
class BatchJob:
    """The scripts of a batch job.

    Args:
        script: of the batch job itself.
        worker_script: of each worker job that it submits; "" = none, its workers run inside it.
        core_hours: the most that all of them can use together, core hours.
        reckoning: how this number is made, in words.
    """

    script: str
    worker_script: str
    core_hours: float
    reckoning: str


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """What the batch job runs and asks for.

    Args:
        name: of the job.
        command: words of the command line after ``kilocell``.
        folder: where the command runs.
        logs: folder of the job's log.
        walltime: of the job when its workers are other jobs; "" = a day, or what the partition allows.
        memory: of the job when its workers are other jobs.
    """

    name: str
    command: Sequence[str]
    folder: Path
    logs: Path
    walltime: str = ""
    memory: str = "4GiB"


def write_batch_job(settings: ClusterSettings, request: ClientRequest) -> BatchJob:
    """Write the scripts of a batch job, and let Slurm check them; nothing is submitted.

    Args:
        settings: of the workers; kind ``slurm`` (jobs that the batch job submits) or ``local`` (processes inside it).
        request: the command and the job that runs it.

    Raises:
        UsageError: Slurm would not accept the jobs.
    """
    slurm_commands.check_commands()
    partition = slurm_commands.find_partition(settings.partition, settings.walltime)
    if settings.kind == "local":
        script = _script(settings, request, partition, settings.cores, settings.memory, settings.walltime)
        slurm_commands.check_submission(script)
        hours = _hours(settings.walltime)
        reckoning = f"{settings.cores} cores × {settings.walltime}"
        return BatchJob(script, "", settings.cores * hours, reckoning)
    walltime = request.walltime or _longest(partition)
    slurm_commands.find_partition(settings.partition, walltime)
    script = _script(settings, request, partition, 1, request.memory, walltime)
    worker_script = worker_job_script(settings, partition, request.name, request.logs)
    for text in (script, worker_script):
        slurm_commands.check_submission(text)
    cores = settings.jobs * settings.cores
    reckoning = f"({settings.jobs} jobs × {settings.cores} cores + 1) × {walltime}"
    return BatchJob(script, worker_script, (cores + 1) * _hours(walltime), reckoning)


def _script(
    settings: ClusterSettings, request: ClientRequest, partition: Partition, cores: int, memory: str, walltime: str
) -> str:
    log = str(request.logs.absolute()).replace("%", "%%") + "/%j.log"
    directives = [f"-J {request.name}", f"-p {partition.name}"]
    if settings.account:
        directives.append(f"-A {settings.account}")
    directives += ["-n 1", f"--cpus-per-task={cores}"]
    if memory != "none" and settings.memory != "none":
        directives.append(f"--mem={-(-memory_bytes(memory, 'memory') // 2**20)}M")
    directives += [
        f"-t {walltime}",
        f"--signal=B:TERM@{NOTICE_SECOND}",
        f'--output="{log}"',
        "--open-mode=append",
        *settings.job_extra,
    ]
    lines = [
        "#!/usr/bin/env bash",
        *(f"#SBATCH {directive}" for directive in directives),
        *settings.prologue,
        *(f"export {key}={value}" for key, value in WORKER_ENVIRONMENT.items()),
        f"cd {shlex.quote(str(request.folder))} || exit 2",
        # exec: Slurm's signals reach the run itself, which then cancels its jobs.
        f"exec {shlex.quote(sys.executable)} -m kilocell {shlex.join(request.command)}",
    ]
    return "\n".join(lines) + "\n"


def _longest(partition: Partition) -> str:
    day = 86400
    return slurm_commands.duration(min(day, partition.limit_second or day))


def _hours(walltime: str) -> float:
    second = slurm_commands.walltime_second(walltime)
    if second is None:
        raise UsageError(f"walltime {walltime!r}: jobs need a time limit, such as 01:30:00")
    return second / 3600
