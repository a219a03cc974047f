"""Small campaigns of real files, and kilocell as a user starts it: a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

KILOCELL = [sys.executable, "-m", "kilocell.runner"]
QUICK = ("--workers", "1", "--dashboard-address", "none")

CAMPAIGN = """
name = "small"
models = ["SPM"]
[[sources]]
files = ["*.csv"]
cell_id = "{cell_id}"
current_sign = "charge_positive"
[sources.columns]
unix_time_second = "datetime"
current_ampere = "current_A"
voltage_volt = "voltage_V"
[cells.defaults]
parameter_set = "Chen2020"
nominal_capacity_ah = 5.0
"""


def lines(cell_id: str, hours: float = 1.0, start: str = "2024-01-01T08:00:00", header: bool = True) -> str:
    """A record in CSV: rest, discharge at C/5, rest; a voltage that a cell could have."""
    time = np.arange(0.0, 3600.0 * hours, 30.0)
    current = np.where((time > 300.0) & (time < 3000.0 * hours), -1.0, 0.0)
    charge = np.concatenate([[0.0], np.cumsum(current[1:] * 30.0 / 3600.0)])
    voltage = 4.0 + 0.15 * charge + 0.03 * current
    stamps = np.datetime64(start) + (1000 * time).astype("timedelta64[ms]")
    rows = [f"{stamp},{cell_id},{i:.4f},{v:.5f}" for stamp, i, v in zip(stamps, current, voltage, strict=True)]
    return "\n".join((["datetime,cell_id,current_A,voltage_V"] if header else []) + rows) + "\n"


def write_campaign(folder: Path, cell_id: str = "stem", more: str = "") -> Path:
    """Write campaign.toml over the CSV files of a folder."""
    path = folder / "campaign.toml"
    path.write_text(CAMPAIGN.format(cell_id=cell_id) + more, encoding="utf-8")
    return path


def kilocell(*arguments: str, cwd: Path, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run kilocell; show what it printed when its exit code is not the expected one."""
    done = subprocess.run(
        [*KILOCELL, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300, env=environment()
    )
    if expect is not None:
        assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr + done.stdout
    return done


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
    return {(row["cell"], row["model"]): row["status"] for row in rows}
