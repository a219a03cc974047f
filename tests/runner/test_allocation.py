"""What a local cluster may use: never more than its Slurm job, its cgroup or its affinity leaves to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from kilocell.data.errors import UsageError
from kilocell.runner.cluster.allocation import Allocation, find_allocation
from kilocell.runner.cluster.open import _memory_limit

GIB = 2**30
NODE = "MemTotal:       263000000 kB\n"


def machine(root: Path, groups: str, files: dict[str, str]) -> Path:
    for name, text in {"proc/self/cgroup": groups, "proc/meminfo": NODE, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_nothing_but_the_machine(tmp_path: Path) -> None:
    found = find_allocation(64, {}, 64, machine(tmp_path, "0::/\n", {"sys/fs/cgroup/memory.max": "max\n"}))
    assert found == Allocation(64)
    assert (found.worker_count(), found.worker_bytes(64), found.description) == (64, None, "")


@pytest.mark.parametrize(
    ("variables", "cores", "memory"),
    [
        ({"SLURM_CPUS_PER_TASK": "4", "SLURM_CPUS_ON_NODE": "8"}, 4, None),
        ({"SLURM_CPUS_ON_NODE": "6", "SLURM_MEM_PER_NODE": "8192"}, 6, 8 * GIB),
        ({"SLURM_CPUS_ON_NODE": "6", "SLURM_MEM_PER_CPU": "2048"}, 6, 12 * GIB),
        ({}, 64, None),
    ],
)
def test_variables_of_a_slurm_job(variables: dict[str, str], cores: int, memory: int | None, tmp_path: Path) -> None:
    found = find_allocation(64, {"SLURM_JOB_ID": "12", **variables}, 64, machine(tmp_path, "", {}))
    assert (found.cores, found.memory_bytes) == (cores, memory)
    assert find_allocation(64, variables, 64, tmp_path).cores == 64  # left over: no job


def test_affinity(tmp_path: Path) -> None:
    assert find_allocation(64, {}, 3, tmp_path).cores == 3


def test_cgroup_version_2_of_a_job_step(tmp_path: Path) -> None:
    step = "system.slice/slurmstepd.scope/job_5/step_0"
    files = {
        "sys/fs/cgroup/system.slice/slurmstepd.scope/job_5/memory.max": str(6 * GIB),
        f"sys/fs/cgroup/{step}/memory.max": "max",
        f"sys/fs/cgroup/{step}/cpu.max": "250000 100000\n",
    }
    found = find_allocation(64, {}, 64, machine(tmp_path, f"0::/{step}\n", files))
    assert (found.cores, found.memory_bytes) == (2, 6 * GIB)
    assert found.description == " (limits of this process: 2 cores, 6.0 GiB)"


def test_cgroup_version_1(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/memory/slurm/job_5/memory.limit_in_bytes": str(5 * GIB),
        "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**63 - 4096),
        "sys/fs/cgroup/cpu,cpuacct/slurm/job_5/cpu.cfs_quota_us": "300000",
        "sys/fs/cgroup/cpu,cpuacct/slurm/job_5/cpu.cfs_period_us": "100000",
    }
    groups = "4:memory:/slurm/job_5\n3:cpu,cpuacct:/slurm/job_5\n1:name=systemd:/x\n"
    found = find_allocation(64, {}, 64, machine(tmp_path, groups, files))
    assert (found.cores, found.memory_bytes) == (3, 5 * GIB)


def test_a_cgroup_without_limits_is_none(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**63 - 4096),
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
    }
    groups = "4:memory:/\n3:cpu:/\n"
    assert find_allocation(8, {}, 8, machine(tmp_path, groups, files)) == Allocation(8)


def test_workers_share_the_memory_and_leave_some_for_the_run() -> None:
    job = Allocation(8, 4 * GIB, "Slurm job 12")
    count = job.worker_count()
    assert count == 4  # 8 cores, but memory for 4 workers
    share = job.worker_bytes(count)
    assert share is not None
    assert count * share <= 3.5 * GIB
    assert _memory_limit("auto", job, count) == share
    assert _memory_limit("1GiB", job, count) == GIB


def test_too_little_memory_is_said() -> None:
    with pytest.raises(UsageError, match=r"4 workers in 0.7 GiB of memory \(Slurm job 12\).*request more memory"):
        _memory_limit("auto", Allocation(4, 7 * GIB // 10, "Slurm job 12"), 4)
