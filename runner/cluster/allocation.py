"""What this process may use of its machine: the cores and memory of its Slurm job, its cgroup and its affinity.

A node has more than a job on it may use. A local cluster that takes the node's numbers starts too many workers, which
Slurm or the kernel then ends for their memory.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .workers import format_count

HEADROOM_BYTES = 512 * 2**20
"""Memory for the run's own process, which the workers' limits leave free. Chosen, not measured."""

HEADROOM_SHARE = 0.1
"""The same as a share of the memory; the larger of both counts."""

USUAL_WORKER_BYTES = 750 * 2**20
"""Memory of a worker with PyBaMM and a usual record; no more workers are started by default than have so much."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """What this process may use.

    Args:
        cores: number of cores, at least 1.
        memory_bytes: memory in bytes; ``None`` = nothing limits it but the machine.
        source: what limits them, such as ``Slurm job 12``; "" = nothing but the machine.
    """

    cores: int
    memory_bytes: int | None = None
    source: str = ""

    @property
    def description(self) -> str:
        """What limits a run, as the end of a line; "" = nothing."""
        if not self.source:
            return ""
        memory = "" if self.memory_bytes is None else f", {self.memory_bytes / 2**30:.1f} GiB"
        return f" ({self.source}: {format_count(self.cores, 'core')}{memory})"

    def worker_count(self) -> int:
        """Return how many workers with one thread each use it well."""
        if self.memory_bytes is None:
            return self.cores
        return max(1, min(self.cores, self._for_workers() // USUAL_WORKER_BYTES))

    def worker_bytes(self, workers: int) -> int | None:
        """Return the memory limit of each worker in bytes; ``None`` = let Dask choose."""
        if self.memory_bytes is None:
            return None
        return self._for_workers() // max(1, workers)

    def _for_workers(self) -> int:
        memory = self.memory_bytes or 0
        return max(0, memory - max(HEADROOM_BYTES, int(memory * HEADROOM_SHARE)))


def find_allocation(
    machine_cores: int, environment: Mapping[str, str], affinity: int | None = None, root: Path = Path("/")
) -> Allocation:
    """Find what this process may use.

    Args:
        machine_cores: cores that Dask sees.
        environment: variables; those of a Slurm job count.
        affinity: cores that the process may run on; ``None`` = ask the system.
        root: of the file system with ``proc`` and ``sys``.
    """
    if affinity is None:
        affinity = len(os.sched_getaffinity(0))
    job_id = environment.get("SLURM_JOB_ID", "")
    job_cores = _number(environment, "SLURM_CPUS_PER_TASK") or _number(environment, "SLURM_CPUS_ON_NODE")
    group_cores, group_memory = _read_cgroup(root)
    limits = {machine_cores, affinity}
    memories = {bytes_ for bytes_ in (group_memory,) if bytes_}
    if job_id and job_cores:
        limits.add(job_cores)
    if group_cores is not None:
        limits.add(max(1, math.floor(group_cores + 1e-6)))
    cores = max(1, min(limits))
    if job_id:
        memories |= _job_memory(environment, cores)
    if not memories and cores >= machine_cores:
        return Allocation(cores)
    return Allocation(cores, min(memories, default=None), f"Slurm job {job_id}" if job_id else "limits of this process")


def _job_memory(environment: Mapping[str, str], cores: int) -> set[int]:
    """Return the memory of a Slurm job in bytes, as far as its variables say it."""
    per_node = _number(environment, "SLURM_MEM_PER_NODE")
    per_core = _number(environment, "SLURM_MEM_PER_CPU")
    if per_node:
        return {per_node * 2**20}
    if per_core:
        return {per_core * (_number(environment, "SLURM_CPUS_ON_NODE") or cores) * 2**20}
    return set()


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    return int(text) if text.isdecimal() else None


def _read_cgroup(root: Path) -> tuple[float | None, int | None]:
    """Return the cores and the memory in bytes that the cgroups of this process, version 1 or 2, leave to it."""
    cores, memories = [], []
    for controllers, path in _groups(root):
        for folder in (path, *path.parents):
            cores += _quota(folder)
            memories += _memory(folder)
            if folder == root / "sys/fs/cgroup" / controllers:
                break
    machine = _machine_memory(root)
    return min(cores, default=None), min((m for m in memories if machine is None or m < machine), default=None)


def _groups(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name of each hierarchy of cgroups ("" in version 2) and the folder of this process in it."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers or {"cpu", "memory"} & set(controllers.split(",")):
            yield controllers, root / "sys/fs/cgroup" / controllers / path.lstrip("/")


def _quota(folder: Path) -> list[float]:
    words = _read(folder / "cpu.max").split()
    if not words:
        words = [_read(folder / "cpu.cfs_quota_us").strip(), _read(folder / "cpu.cfs_period_us").strip()]
    if len(words) == 2 and all(word.isdecimal() for word in words) and int(words[1]):
        return [int(words[0]) / int(words[1])]
    return []


def _memory(folder: Path) -> list[int]:
    texts = (_read(folder / name).strip() for name in ("memory.max", "memory.limit_in_bytes"))
    return [int(text) for text in texts if text.isdecimal()]


def _machine_memory(root: Path) -> int | None:
    """Return the memory of the machine in bytes: a cgroup without a limit says a larger number."""
    words = _read(root / "proc/meminfo").split()
    return int(words[1]) * 1024 if len(words) > 1 and words[0] == "MemTotal:" else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
