"""Slurm's own commands: what a partition allows, whether sbatch would accept a job, what is queued, cancelling it.

Only ``sinfo``, ``sbatch``, ``squeue`` and ``scancel`` are used; accounting (``sacct``) is not everywhere.
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

COMMANDS = ("sinfo", "sbatch", "squeue", "scancel")
TIMEOUT_SECOND = 30

# A run that was itself started by Slurm carries its job's variables; in jobs that it submits they do harm.
JOB_VARIABLES = re.compile(r"(SLURM|SLURMD|SBATCH|PMI|PMIX)[_\d]")
KEPT_VARIABLES = {"SLURM_CONF"}


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of the cluster: its name, longest walltime in seconds (``None`` = no limit), whether it is used
    when a job names none, and a node's address.
    """

    name: str
    limit_second: int | None
    is_default: bool
    node_address: str


def job_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what an outer Slurm job set in it; where Slurm's configuration is stays known."""
    return {
        name: value for name, value in environment.items() if name in KEPT_VARIABLES or not JOB_VARIABLES.match(name)
    }


def walltime_second(text: str) -> int | None:
    """Seconds in a time as Slurm writes it (M, M:S, H:M:S, D-H, D-H:M, D-H:M:S); ``None`` = without limit.

    Raises:
        ValueError: it is none of these.
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
    hours, minutes, seconds = {1: [0, *numbers, 0], 2: [0, *numbers], 3: numbers}[len(numbers)]
    return hours * 3600 + minutes * 60 + seconds


def check_commands() -> None:
    """Check that Slurm's commands are on this machine.

    Raises:
        UsageError: one is not.
    """
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    if missing:
        raise UsageError(
            f"cluster slurm: {', '.join(missing)} not found on PATH; run on a login node of the cluster, "
            "or module load slurm, or use --cluster local"
        )


def find_partition(name: str, walltime: str) -> Partition:
    """The partition of that name ("" = the default one), where a job of this walltime can run.

    Raises:
        UsageError: there is none, it is longer than the partition allows (Slurm itself would leave such a job pending
            for ever), or Slurm does not answer.
    """
    try:
        wanted = walltime_second(walltime)
    except ValueError:
        raise UsageError(f"walltime {walltime!r}: write HH:MM:SS, such as 01:30:00") from None
    if not wanted:
        raise UsageError(f"walltime {walltime!r}: jobs need a time that ends, such as 01:30:00")
    partitions = _partitions()
    found = [entry for entry in partitions if entry.name == name or (not name and entry.is_default)]
    if not found:
        raise UsageError(_no_partition_error(name, sorted({entry.name for entry in partitions})))
    limits = [entry.limit_second for entry in found if entry.limit_second is not None]
    if limits and wanted > max(limits):
        raise UsageError(
            f"walltime {walltime} is longer than partition {found[0].name} allows ({_duration(max(limits))}); such a "
            "job would wait for ever. Ask for less (--walltime), or for another partition (sinfo lists them)"
        )
    return found[0]


def check_submission(script: str) -> None:
    """Let sbatch check a job script without submitting it.

    Raises:
        UsageError: sbatch refuses it; its own words are in the text.
    """
    answer = _run(["sbatch", "--test-only"], script)
    if answer.returncode:
        raise UsageError(f"Slurm would not accept the jobs: {shorten_sbatch_message(answer.stderr)}")


def submit(script_path: str) -> str:
    """Submit a job script and return sbatch's answer, which has the job's id.

    Raises:
        UsageError: sbatch refuses it; its own words are in the text.
    """
    answer = _run(["sbatch", script_path])
    if answer.returncode:
        raise UsageError(f"Slurm did not accept a job: {shorten_sbatch_message(answer.stderr)}")
    return answer.stdout


def shorten_sbatch_message(stderr: str) -> str:
    """What sbatch said, in one line."""
    lines = [line.strip() for line in stderr.splitlines()]
    return (
        "; ".join(line.removeprefix("sbatch: ").removeprefix("error: ") for line in lines if line) or "no reason given"
    )


def list_queued_jobs(name: str) -> set[str]:
    """Ids of this user's jobs of that name that wait, run or end.

    Raises:
        RuntimeError: Slurm does not answer.
    """
    answer = _run(["squeue", "--me", "--noheader", "--format=%A", f"--name={name}"])
    if answer.returncode:
        raise RuntimeError(answer.stderr.strip())
    return set(answer.stdout.split())


def cancel_all(name: str, timeout_second: float = 30) -> set[str]:
    """Cancel all jobs of that name, wait until none is queued, and return the ids of those that still are."""
    deadline = time.monotonic() + timeout_second
    left: set[str] = set()
    while time.monotonic() < deadline:
        try:
            left = list_queued_jobs(name)
            if not left:
                return left
            _run(["scancel", f"--name={name}", *left])
        except (RuntimeError, UsageError):
            time.sleep(1)  # the controller may be busy or restarting: ask again
        time.sleep(0.3)
    return left


def local_address(host: str) -> str:
    """This machine's address on the network on which ``host`` is reached; a login node has several."""
    for target in (host, socket.gethostname()):
        try:
            family, _, _, _, where = socket.getaddrinfo(target, 6817, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect(where)  # sends nothing: a datagram socket only looks up the route
                return str(probe.getsockname()[0])
        except OSError:
            continue
    raise UsageError(f"no route to the cluster's node {host}, and this machine's own name does not resolve")


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
        return f"the cluster has no default partition: name one with --partition; {known}"
    return f"the cluster has no partition {quote(name)}{suggest(name, names)}; {known}"


def _duration(second: int) -> str:
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
