"""A campaign over selected cycles, with the capacity of one of them, and a cell that takes too long."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from campaigns import QUICK, ask, campaign_text, kilocell, results

pytestmark = pytest.mark.slow

COLUMNS = {
    "test_time_second": "time_s",
    "current_ampere": "current_A",
    "voltage_volt": "voltage_V",
    "cycle_id": "cycle",
}


def write_cell(path: Path, time: np.ndarray, current: np.ndarray, voltage: np.ndarray, cycle: np.ndarray) -> None:
    table = pd.DataFrame({"time_s": time, "current_A": current, "voltage_V": voltage, "cycle": cycle})
    table.to_csv(path, index=False, float_format="%.5f")


def write_cycles(path: Path, count: int, capacity_ah: float = 4.4) -> None:
    """Cycles of rest, discharge and charge at 2 A over most of the voltage window, at 60 s."""
    hours = capacity_ah / 2.0
    steps = [(1.0, 0.0), (hours, -2.0), (1.0, 0.0), (hours, 2.0)]
    current = np.concatenate([np.full(round(60 * length), ampere) for length, ampere in steps] * count)
    time = 60.0 * np.arange(len(current))
    charge = np.concatenate([[0.0], np.cumsum(0.5 * (current[1:] + current[:-1]) * 60.0 / 3600.0)])
    voltage = 4.15 + 1.45 * charge / capacity_ah + 0.02 * current
    write_cell(path, time, current, voltage, np.repeat(np.arange(1, count + 1), len(current) // count))


def test_selected_cycles_from_file_to_catalog(tmp_path: Path) -> None:
    write_cycles(tmp_path / "LONG.csv", 6)
    write_cycles(tmp_path / "SHORT.csv", 2)
    write_cycles(tmp_path / "ONE.csv", 1)
    more = '[cells.ONE]\nnominal_capacity_ah = 4.4\n[simulate]\ncycles = "2, 5-last"\n'
    text = campaign_text(COLUMNS, more=more).replace("nominal_capacity_ah = 5.0", "nominal_capacity_ah = {cycle = 2}")
    campaign = tmp_path / "campaign.toml"
    campaign.write_text(text)
    kilocell("run", str(campaign), *QUICK, cwd=tmp_path, expect=1)
    assert results(tmp_path) == {("LONG", "SPM"): "done", ("SHORT", "SPM"): "done", ("ONE", "SPM"): "failed"}
    long, one, short = ask(tmp_path, "SELECT * FROM simulations ORDER BY cell_id")
    assert one["reason_code"] == "no_such_cycle"
    assert "it has 1" in one["reason"]
    assert abs(long["capacity_ah"] - 4.4) < 0.05
    assert long["capacity_source"].startswith("measured in cycle 2: 4.4")
    assert "not in the record: cycles 5" in short["attempts"]
    states = ask(tmp_path, "SELECT cell_id, cycle_count, source FROM initial_states ORDER BY cell_id, cycle_count")
    assert [(row["cell_id"], row["cycle_count"]) for row in states] == [
        ("LONG", 2),
        ("LONG", 5),
        ("LONG", 6),
        ("SHORT", 2),
    ]
    assert all(row["source"].startswith("rest voltage") for row in states)
    compared = ask(tmp_path, "SELECT cycle_count FROM comparisons WHERE cell_id = 'LONG' ORDER BY cycle_count")
    assert [row["cycle_count"] for row in compared] == [0, 2, 5, 6]
    frame = pd.read_parquet(tmp_path / "store" / long["path"])
    assert set(frame["cycle_count"]) == {2, 5, 6}


def test_a_cell_that_takes_too_long_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """Thirty hours of noise at 1 s take the solver ten seconds; the other cell is done in a moment."""
    time = np.arange(0.0, 120_000.0, 1.0)
    current = np.where(time < 60.0, 0.0, np.random.default_rng(0).normal(-0.05, 2.0, len(time)))
    write_cell(tmp_path / "NOISE.csv", time, current, np.full(len(time), 3.8), np.ones(len(time), int))
    calm = np.arange(0.0, 3600.0, 60.0)
    draw = np.where(calm < 600.0, 0.0, -1.0)
    write_cell(tmp_path / "CALM.csv", calm, draw, 4.0 - 1e-5 * calm, np.ones(len(calm), int))
    campaign = tmp_path / "campaign.toml"
    campaign.write_text(campaign_text(COLUMNS, more="[simulate]\ntime_limit_second = 1.5\n"))
    kilocell("run", str(campaign), *QUICK, cwd=tmp_path, expect=1)
    assert results(tmp_path) == {("NOISE", "SPM"): "failed", ("CALM", "SPM"): "done"}
    (noise,) = ask(tmp_path, "SELECT * FROM simulations WHERE cell_id = 'NOISE'")
    assert noise["reason_code"] == "time_limit"
    assert "the time limit of 1.5 s has passed; reached" in noise["reason"]
    # What was reached is kept, and the job was tried once.
    assert 0 < noise["ended_second"] < 120_000.0
    assert ask(tmp_path, "SELECT count(*) AS n FROM jobs WHERE cell_id = 'NOISE' AND kind = 'simulate'") == [{"n": 1}]
