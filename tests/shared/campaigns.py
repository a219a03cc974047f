"""Small campaigns with real files, and kilocell started as a user starts it: in its own process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

KILOCELL = [sys.executable, "-m", "kilocell.runner"]
QUICK = ("--workers", "1", "--dashboard-address", "none")
PATIENCE_SECOND: Final = 300.0
"""How long a test waits for what an idle machine does in seconds."""

EXPORTED: Final = {"unix_time_second": "datetime", "current_ampere": "current_A", "voltage_volt": "voltage_V"}
"""The columns of :func:`lines`."""
SHORT: Final = {"test_time_second": "t", "current_ampere": "i", "voltage_volt": "v"}

CAMPAIGN = """
name = "small"
models = {models}
[[sources]]
files = ["*.csv"]
cell_id = "{cell_id}"
current_sign = "charge_positive"
[sources.columns]
{columns}
[cells.defaults]
parameter_set = "Chen2020"
nominal_capacity_ah = 5.0
"""


def campaign_text(
    columns: Mapping[str, str] = EXPORTED, cell_id: str = "stem", models: Sequence[str] = ("SPM",), more: str = ""
) -> str:
    """Return a campaign over the CSV files of its folder, cells of 5 A.h of Chen2020.

    Args:
        columns: the name in the files of each column.
        cell_id: where the cell's id comes from.
        more: what follows the table of the cells' defaults.
    """
    named = "\n".join(f'{target} = "{name}"' for target, name in columns.items())
    return CAMPAIGN.format(models=json.dumps(list(models)), cell_id=cell_id, columns=named) + more


def write_campaign(folder: Path, cell_id: str = "stem", more: str = "") -> Path:
    """Write campaign.toml over CSV files of :func:`lines` in a folder."""
    path = folder / "campaign.toml"
    path.write_text(campaign_text(cell_id=cell_id, more=more), encoding="utf-8")
    return path


def lines(cell_id: str, hours: float = 1.0, start: str = "2024-01-01T08:00:00", header: bool = True) -> str:
    """Return a record in CSV: rest, discharge at C/5, rest; a voltage that a cell could have."""
    time = np.arange(0.0, 3600.0 * hours, 30.0)
    current = np.where((time > 300.0) & (time < 3000.0 * hours), -1.0, 0.0)
    charge = np.concatenate([[0.0], np.cumsum(current[1:] * 30.0 / 3600.0)])
    voltage = 4.0 + 0.15 * charge + 0.03 * current
    stamps = np.datetime64(start) + (1000 * time).astype("timedelta64[ms]")
    rows = [f"{stamp},{cell_id},{i:.4f},{v:.5f}" for stamp, i, v in zip(stamps, current, voltage, strict=True)]
    return "\n".join((["datetime,cell_id,current_A,voltage_V"] if header else []) + rows) + "\n"


def drive_lines(cell_id: str, seconds: float = 1000.0) -> str:
    """Return a drive cycle: a current that changes each second, so that an evaluation takes its time."""
    rng = np.random.default_rng(11)
    time_second = np.arange(0.0, seconds, 1.0)
    current = np.where(time_second < 60.0, 0.0, -2.5 + 2.5 * rng.standard_normal(len(time_second)))
    charge = np.concatenate([[0.0], np.cumsum(current[1:] / 3600.0)])
    slow = pd.Series(current).ewm(halflife=60.0).mean().to_numpy()
    voltage = 4.0 + 0.15 * charge + 0.02 * current + 0.02 * slow
    stamps = np.datetime64("2024-01-01T08:00:00") + (1000 * time_second).astype("timedelta64[ms]")
    rows = [f"{stamp},{cell_id},{i:.4f},{v:.5f}" for stamp, i, v in zip(stamps, current, voltage, strict=True)]
    return "\n".join(["datetime,cell_id,current_A,voltage_V", *rows]) + "\n"


def kilocell(
    *arguments: str, cwd: Path, expect: int | None = 0, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run kilocell; show what it printed when its exit code is not the expected one.

    Args:
        env: environment of the process; ``None`` = as of :func:`environment`.
    """
    known = environment() if env is None else env
    done = subprocess.run(
        [*KILOCELL, *arguments], cwd=cwd, capture_output=True, text=True, timeout=PATIENCE_SECOND, env=known
    )
    if expect is not None:
        assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr + done.stdout
    return done


@contextlib.contextmanager
def started(*arguments: str, cwd: Path, stderr: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """Start kilocell in its own process group, and end that group with the test, however the test ends."""
    run = subprocess.Popen(
        [*KILOCELL, *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env=environment(),
        process_group=0,
    )
    try:
        yield run
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        for stream in (run.stdout, run.stderr):
            if stream is not None:
                stream.close()


def wait_until(condition: Callable[[], object], run: subprocess.Popen[str]) -> None:
    """Wait until something is true that a run brings about; fail when the run ends before."""
    deadline = time.monotonic() + PATIENCE_SECOND
    while not condition():
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline, "the run has not come so far in time"
        time.sleep(0.02)


def environment() -> dict[str, str]:
    """The environment of a user at a terminal, with one thread for NumPy."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def ask(folder: Path, statement: str) -> list[dict[str, Any]]:
    """Ask the catalog as a user does."""
    answer: list[dict[str, Any]] = json.loads(kilocell("sql", "--json", statement, cwd=folder).stdout)
    return answer


def results(folder: Path) -> dict[tuple[str, str | None], str]:
    """Status of each (cell, model)."""
    rows: Sequence[dict[str, Any]] = json.loads(kilocell("results", "--json", cwd=folder).stdout)
    return {(row["cell_id"], row["model"]): row["status"] for row in rows}
