"""What kilocell knows about Slurm without a running one."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kilocell.data.errors import UsageError
from kilocell.data.settings import ClusterSettings
from kilocell.runner.cluster import slurm
from kilocell.runner.cluster import slurm_commands as slurm_queue
from kilocell.runner.cluster.open import open_cluster
from kilocell.runner.cluster.slurm_commands import Partition, job_environment, shorten_sbatch_message, walltime_second

MAIN = Partition("main", 3600, True, "c1")
MIB = 2**20


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 5400),
        ("1:30", 90),
        ("01:30:00", 5400),
        ("2-12", 216000),
        ("1-00:30", 88200),
        ("1-00:00:01", 86401),
        ("infinite", None),
        ("UNLIMITED", None),
    ],
)
def test_walltimes_as_slurm_writes_them(text: str, seconds: int | None) -> None:
    assert walltime_second(text) == seconds


@given(st.integers(0, 400), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_walltimes_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    expected = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    assert walltime_second(f"{days}-{hours:02}:{minutes:02}:{seconds:02}") == expected
    assert walltime_second(f"{days * 24 + hours}:{minutes:02}:{seconds:02}") == expected


@pytest.mark.parametrize("text", ["soon", "1h", "1:2:3:4", "-5", "1.5", "1-", "1-2:3:4:5"])
def test_other_texts_are_no_walltime(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        walltime_second(text)


def test_an_outer_jobs_variables_stay_behind() -> None:
    outer = {
        "SLURM_CONF": "/etc/slurm.conf",
        "SLURM_MEM_PER_CPU": "100",
        "SLURMD_NODENAME": "c1",
        "SBATCH_EXPORT": "NONE",
        "PMI_RANK": "0",
        "PMI2_PORT": "1",
        "PMIX_ID": "2",
        "PMISSION": "kept",
        "PATH": "/bin",
    }
    assert job_environment(outer) == {"SLURM_CONF": "/etc/slurm.conf", "PMISSION": "kept", "PATH": "/bin"}


def test_words_of_sbatch() -> None:
    stderr = "sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed\n"
    assert shorten_sbatch_message(stderr) == "invalid partition specified: nope; Batch job submission failed"
    assert shorten_sbatch_message("") == "no reason given"


def test_without_slurm_the_error_names_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = ClusterSettings(kind="slurm", dashboard_address="none")
    with (
        pytest.raises(UsageError, match="sbatch, squeue, scancel not found"),
        open_cluster(settings, "run", tmp_path, print),
    ):
        pytest.fail("opened")


def test_a_route_is_found_to_a_node_and_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert slurm_queue.local_address("127.0.0.1") == "127.0.0.1"
    assert slurm_queue.local_address("no-such-node.invalid") not in ("", "0.0.0.0")


@given(st.integers(512 * MIB, 2**50))
def test_workers_leave_headroom_in_their_job(job_bytes: int) -> None:
    left = job_bytes - slurm.worker_bytes(job_bytes)
    assert left >= 256 * MIB
    assert left == pytest.approx(max(256 * MIB, job_bytes * 0.1), abs=1)


def test_what_a_job_asks_for(tmp_path: Path) -> None:
    settings = ClusterSettings(
        kind="slurm", jobs=2, cores=4, memory="8GB", walltime="02:00:00", account="cells", job_extra=("--exclusive",)
    )
    options = slurm.job_options(settings, MAIN, "run-1", tmp_path / "100%", "127.0.0.1")
    assert options["job_mem"] == "7630M"  # 8e9 bytes, rounded up to MiB
    assert options["memory"] == 8 * 10**9 - 8 * 10**8
    assert (options["cores"], options["processes"], options["queue"], options["account"]) == (4, 4, "main", "cells")
    assert f'--output="{tmp_path}/100%%/%j.log"' in options["job_extra_directives"]
    assert "--exclusive" in options["job_extra_directives"]
    assert options["python"] == sys.executable


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"jobs": 0}, "jobs = 0, .*at least 1"),
        ({"cores": 0}, "cores = 0: .*at least 1"),
        ({"memory": "300MiB"}, "at least 512 MiB"),
        ({"memory": "lots"}, "memory 'lots'"),
    ],
)
def test_jobs_that_make_no_sense(change: dict[str, object], words: str, tmp_path: Path) -> None:
    settings = replace(ClusterSettings(kind="slurm"), **change)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=words):
        slurm.job_options(settings, MAIN, "run-1", tmp_path, "127.0.0.1")


def test_the_margin_grows_with_the_walltime() -> None:
    margins = [slurm.drain_margin_second(text) for text in ("00:01:00", "00:10:00", "24:00:00")]
    assert margins == [30, 120, 600]


@pytest.mark.parametrize("walltime", ["00:00:01", "00:00:30", "00:00:59"])
def test_a_walltime_without_time_for_work_is_refused(walltime: str) -> None:
    with pytest.raises(UsageError, match=r"too short for a worker to start, work and leave. Give at least 00:01:00"):
        slurm_queue.find_partition("main", walltime)


@pytest.mark.parametrize(
    ("memory", "extra"),
    [("none", ()), ("none", ("--mem-per-cpu=2G",)), ("4GiB", ("--mem-per-cpu=2G",)), ("4GiB", ("--mem=3G",))],
)
def test_a_job_that_does_not_ask_for_memory(memory: str, extra: tuple[str, ...], tmp_path: Path) -> None:
    settings = ClusterSettings(kind="slurm", cores=2, memory=memory, job_extra=extra, prologue=("module load x",))
    script = slurm.worker_job_script(settings, MAIN, "run-1", tmp_path)
    asked = [line for line in script.splitlines() if line.startswith("#SBATCH --mem")]
    assert asked == [f"#SBATCH {option}" for option in extra]
    assert '--memory-limit "$limit"' in script
    lines = "\n".join(line for line in script.splitlines() if line.startswith(("mib=", "limit=")))
    for variables, limit in (
        ({"SLURM_MEM_PER_NODE": "4096"}, (4096 - 409) * MIB // 2),
        ({"SLURM_MEM_PER_CPU": "1000"}, (2000 - 256) * MIB // 2),
        ({}, 0),
    ):
        shown = subprocess.run(["bash", "-c", f"{lines}\necho $limit"], env=variables, capture_output=True, text=True)
        assert int(shown.stdout) == limit
    assert script.index("module load x") < script.index("mib=")
