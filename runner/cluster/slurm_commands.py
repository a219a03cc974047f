"""Call Slurm's commands: limits of a partition, check and submit a job, list and cancel queued jobs.

Only ``sinfo``, ``sbatch``, ``squeue`` and ``scancel`` are used; not every cluster has accounting (``sacct``).
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...data.errors import UsageError
from ...data.names import quote, suggest

LEAST_WALLTIME_SECOND = 60
"""A worker starts within about 30 s, and takes no new work in the last 30 s before the walltime: with less than their
sum, jobs start and end for ever without work. Chosen, not measured."""

COMMANDS = ("sinfo", "sbatch", "squeue", "scancel")
TIMEOUT_SECOND = 30

# A run inside a Slurm job has the variables of that job; they would disturb the jobs that it submits.
JOB_VARIABLES = re.compile(r"(SLURM|SLURMD|SBATCH|PMI|PMIX)[_\d]")
KEPT_VARIABLES = {"SLURM_CONF"}


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of the cluster.

    Args:
        name: of the partition.
        limit_second: longest walltime in s; ``None`` = no limit.
        is_default: whether jobs that name no partition run here.
        node_address: of one of its nodes.
    """

    name: str
    limit_second: int | None
    is_default: bool
    node_address: str


def job_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables of an outer Slurm job; the path of Slurm's configuration is kept."""
    kept = {}
    for name, value in environment.items():
        if name in KEPT_VARIABLES or not JOB_VARIABLES.match(name):
            kept[name] = value
    return kept


def walltime_second(text: str) -> int | None:
    """Return a time as Slurm writes it in seconds.

    Args:
        text: M, M:S, H:M:S, D-H, D-H:M or D-H:M:S; ``infinite`` or ``unlimited``.

    Returns:
        Seconds; ``None`` = no limit.

    Raises:
        ValueError: the text is none of these.
    """
    if text.lower() in ("infinite", "unlimited"):
        return None
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if not match:
        raise ValueError(text)
    days, *parts = match.groups()
    numbers = [int(part) for part in parts if part is not None]
    if days is not None:
        hours, minutes, seconds = [*numbers, 0, 0][:3]
        return int(days) * 86400 + hours * 3600 + minutes * 60 + seconds
    if len(numbers) == 1:
        return numbers[0] * 60
    if len(numbers) == 2:
        return numbers[0] * 60 + numbers[1]
    return numbers[0] * 3600 + numbers[1] * 60 + numbers[2]


def check_commands() -> None:
    """Check that Slurm's commands are installed on this machine.

    Raises:
        UsageError: a command is missing.
    """
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    if missing:
        raise UsageError(
            f"cluster slurm: {', '.join(missing)} not found on PATH; run on a login node of the cluster, "
            "load the module (module load slurm), or use --cluster local"
        )


def find_partition(name: str, walltime: str) -> Partition:
    """Return the partition for jobs of a walltime.

    Args:
        name: of the partition; "" = the cluster's default.
        walltime: such as 01:30:00.

    Raises:
        UsageError: there is no such partition, the walltime is too short for any work or longer than it allows (Slurm
            would leave such a job pending for ever), or Slurm does not answer.
    """
    try:
        wanted = walltime_second(walltime)
    except ValueError:
        raise UsageError(f"walltime {walltime!r}: give HH:MM:SS, such as 01:30:00") from None
    if not wanted:
        raise UsageError(f"walltime {walltime!r}: jobs need a time limit, such as 01:30:00")
    if wanted < LEAST_WALLTIME_SECOND:
        raise UsageError(
            f"walltime {walltime!r} is {wanted} s: too short for a worker to start, work and leave. Give at least "
            f"{duration(LEAST_WALLTIME_SECOND)}, and more than your longest simulation takes"
        )
    partitions = _partitions()
    matching = [entry for entry in partitions if entry.name == name or (not name and entry.is_default)]
    if not matching:
        raise UsageError(_no_partition_error(name, sorted({entry.name for entry in partitions})))
    limits = [entry.limit_second for entry in matching if entry.limit_second is not None]
    if limits and wanted > max(limits):
        raise UsageError(
            f"walltime {walltime} is longer than partition {matching[0].name} allows ({duration(max(limits))}); such "
            "a job would wait for ever. Give a shorter --walltime, or another --partition (sinfo lists them)"
        )
    return matching[0]


def check_submission(script: str) -> None:
    """Let sbatch check a job script without submitting it.

    Args:
        script: text of the job script.

    Raises:
        UsageError: sbatch refuses it; the text contains its message.
    """
    answer = _run(["sbatch", "--test-only"], script)
    if answer.returncode:
        raise UsageError(f"Slurm would not accept the jobs: {shorten_sbatch_message(answer.stderr)}")


def submit(script_path: str) -> str:
    """Submit a job script.

    Args:
        script_path: of the job script.

    Returns:
        The answer of sbatch, with the job's id.

    Raises:
        UsageError: sbatch refuses it; the text contains its message.
    """
    answer = _run(["sbatch", script_path])
    if answer.returncode:
        raise UsageError(f"Slurm did not accept a job: {shorten_sbatch_message(answer.stderr)}")
    return answer.stdout


def shorten_sbatch_message(stderr: str) -> str:
    """Return the message of sbatch on one line."""
    lines = [line.strip().removeprefix("sbatch: ").removeprefix("error: ") for line in stderr.splitlines()]
    return "; ".join(line for line in lines if line) or "no reason given"


def list_queued_jobs(name: str) -> set[str]:
    """Return the ids of this user's jobs of a name that are pending, running or completing.

    Raises:
        RuntimeError: Slurm does not answer.
    """
    answer = _run(["squeue", "--me", "--noheader", "--format=%A", f"--name={name}"])
    if answer.returncode:
        raise RuntimeError(answer.stderr.strip())
    return set(answer.stdout.split())


def cancel_all(name: str, timeout_second: float = 30) -> set[str]:
    """Cancel all jobs of a name, and wait until none is queued.

    Args:
        timeout_second: longest wait, s.

    Returns:
        The ids of jobs that are still queued after that.
    """
    deadline = time.monotonic() + timeout_second
    left: set[str] = set()
    while time.monotonic() < deadline:
        try:
            left = list_queued_jobs(name)
            if not left:
                return left
            _run(["scancel", f"--name={name}", *left])
        except (RuntimeError, UsageError):
            time.sleep(1)  # the controller may be busy or restarting: try again
        time.sleep(0.3)
    return left


def cancel_pending(job_ids: Iterable[str]) -> None:
    """Cancel those of the jobs that have not begun."""
    ids = list(job_ids)
    if ids:
        _run(["scancel", "--state=PENDING", *ids])


def local_address(host: str) -> str:
    """Return this machine's address in the network of a host; a login node has several addresses.

    Raises:
        UsageError: there is no route to the host.
    """
    for target in (host, socket.gethostname()):
        try:
            family, _, _, _, where = socket.getaddrinfo(target, 6817, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect(where)  # sends nothing: a datagram socket only looks up the route
                return str(probe.getsockname()[0])
        except OSError:
            continue
    raise UsageError(f"no route to the cluster's node {host}, and the name of this machine does not resolve")


def _partitions() -> list[Partition]:
    answer = _run(["sinfo", "--noheader", "--format=%P|%l|%o"])
    if answer.returncode:
        raise UsageError(f"Slurm does not answer: {answer.stderr.strip()}")
    partitions = []
    for line in answer.stdout.split("\n"):
        if line.count("|") == 2:
            name, limit, address = (part.strip() for part in line.split("|"))
            partitions.append(Partition(name.rstrip("*"), walltime_second(limit), name.endswith("*"), address))
    return partitions


def _no_partition_error(name: str, names: Sequence[str]) -> str:
    known = f"it has {', '.join(names) or 'none'}"
    if not name:
        return f"the cluster has no default partition: give one with --partition; {known}"
    return f"the cluster has no partition {quote(name)}{suggest(name, names)}; {known}"


def duration(second: int) -> str:
    """Return a time as Slurm writes it: HH:MM:SS or D-HH:MM:SS."""
    days, rest = divmod(second, 86400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days}-{clock}" if days else clock


def _run(command: Iterable[str], text: str | None = None) -> subprocess.CompletedProcess[str]:
    words = list(command)
    try:
        return subprocess.run(
            words,
            input=text,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECOND,
            env=job_environment(os.environ),
            start_new_session=True,  # a Ctrl-C that ends the run must not end the scancel that cleans up after it
        )
    except FileNotFoundError:
        raise UsageError(f"{words[0]} not found on PATH") from None
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 1, "", f"no answer from {words[0]} within {TIMEOUT_SECOND} s")
