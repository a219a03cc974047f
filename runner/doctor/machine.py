"""Check processors, memory, limits of the process and its environment, the dashboard's port, and Slurm."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .check import Check

GIB: Final = 2**30
WORKER_BYTES: Final = 1 * GIB
"""Memory of a worker below which large models or records may not fit. Chosen: a worker with a DFN takes 0.6 GiB."""

THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PORT: Final = 8787
LEAST_FILES: Final = 1024
SLURM_SECOND: Final = 5.0


def check_cores() -> Check:
    """Check how many processors the workers can use."""
    cores = usable_cores()
    quota = cpu_quota()
    found = f"{cores} usable of {os.cpu_count()}; a run starts a worker for each"
    if quota is not None and quota < cores:
        advice = f"start fewer workers: --workers {max(1, int(quota))}"
        return Check("cores", "note", f"{cores}, but the container or job may use only {quota:.1f}", advice)
    return Check("cores", "ok", found)


def usable_cores() -> int:
    """Return the number of processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def cpu_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Return the processors that the control group grants; ``None`` = no limit."""
    for folder in _cgroups(root):
        try:
            limit, period = (folder / "cpu.max").read_text(encoding="ascii").split()
            return float(limit) / float(period)
        except (OSError, ValueError):
            continue
    return None


def check_memory() -> Check:
    """Check the memory for each worker, by the computer and by the limit of its control group."""
    total, free = _memory()
    limit = memory_limit()
    if total is None:
        return Check("memory", "ok", "unknown on this system")
    usable = total if limit is None else min(total, limit)
    cores = usable_cores()
    each = usable / cores
    found = f"{usable / GIB:.1f} GiB"
    if limit is not None and limit < total:
        found += f" by the limit of the container or job ({total / GIB:.1f} GiB in the computer)"
    found += f", {each / GIB:.1f} GiB for each of {cores} workers"
    if each < WORKER_BYTES:
        fewer = max(1, int(usable / WORKER_BYTES))
        return Check("memory", "note", found, f"large records or models may not fit: --workers {fewer}")
    if free is not None and free < WORKER_BYTES:
        return Check("memory", "note", f"{found}; only {free / GIB:.1f} GiB are free now", "end other programs")
    return Check("memory", "ok", found)


def memory_limit(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Return the memory limit of the control group in bytes; ``None`` = no limit."""
    limits = []
    for folder in (*_cgroups(root), root / "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            try:
                limits.append(float((folder / name).read_text(encoding="ascii")))
            except (OSError, ValueError):
                continue
    return min(limits) if limits else None


def _cgroups(root: Path) -> Iterator[Path]:
    """Yield the folders of this process's control group (version 2), the innermost first."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    inner = next((line[3:].lstrip("/") for line in lines if line.startswith("0::")), "")
    folder = root / inner
    while folder != root and root in folder.parents:
        yield folder
        folder = folder.parent
    yield root


def _memory() -> tuple[float | None, float | None]:
    """Return total and available memory in bytes; ``None`` = unknown."""
    found = {}
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            name, _, rest = line.partition(":")
            found[name] = 1024.0 * float(rest.split()[0])
    except (OSError, ValueError, IndexError):
        return None, None
    return found.get("MemTotal"), found.get("MemAvailable")


def check_environment() -> Iterator[Check]:
    """Check variables and limits of this process that change speed or output."""
    many = [f"{name}={os.environ[name]}" for name in THREADS if os.environ.get(name, "1") != "1"]
    if many:
        advice = (
            "workers use one thread each whatever these say; in your own Python they may slow each other: set them to 1"
        )
        yield Check("threads", "note", ", ".join(many), advice)
    else:
        yield Check("threads", "ok", "one for each worker")
    yield Check("telemetry", "ok", "PyBaMM's is switched off in every process of kilocell")
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < LEAST_FILES:
        advice = f"many workers need more: ulimit -n {min(most, 4096) if most > 0 else 4096}"
        yield Check("open files", "note", f"at most {files}", advice)
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    if encoding != "utf8":
        yield Check("text", "note", f"the terminal's encoding is {encoding or 'unknown'}", "export PYTHONUTF8=1")


def check_port() -> Check:
    """Check whether the port of the dashboard is free."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError as error:
            found = f"127.0.0.1:{PORT}: {error.strerror}"
            return Check("dashboard", "note", found, "the next free port is taken; a run prints its address")
    return Check("dashboard", "ok", f"127.0.0.1:{PORT} is free")


def check_slurm() -> Check:
    """Check whether Slurm is here, and which partitions it has."""
    if shutil.which("sbatch") is None:
        return Check("Slurm", "ok", "not on this computer; --cluster slurm needs a login node with sbatch")
    if shutil.which("sinfo") is None:
        return Check("Slurm", "note", "sbatch, but no sinfo", "name the partition: --partition NAME")
    try:
        command = ["sinfo", "--noheader", "--format", "%P %a %D %l"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SLURM_SECOND, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return Check("Slurm", "note", f"sinfo did not answer in {SLURM_SECOND:.0f} s", "is the controller reachable?")
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        return Check("Slurm", "note", lines[0], "is the controller reachable from here?")
    partitions = [line.split() for line in done.stdout.splitlines() if line.strip()]
    if not any(line[1] == "up" for line in partitions if len(line) > 1):
        return Check("Slurm", "note", "no partition is up", "ask who runs the cluster")
    shown = "; ".join(f"{name} {state}, {nodes} nodes, {limit}" for name, state, nodes, limit, *_ in partitions)
    return Check("Slurm", "ok", f"partitions (* is the default): {shown}")
