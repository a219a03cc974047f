"""A campaign over selected steps of a file with one cycle: a stretch that fails, a fit of one discharge, exports."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from campaigns import QUICK, ask, campaign_text, kilocell

pytestmark = pytest.mark.slow

COLUMNS = {"test_time_second": "t", "current_ampere": "i", "voltage_volt": "v", "cycle_id": "cycle", "step_id": "step"}
INTERVAL_SECOND = 30.0
FIT = """
[[fit]]
name = "one"
model = "SPM"
presets = "diffusion"
select = "discharge 1"
validation_select = "discharge 2"
starts = 1
max_evaluations = 4
"""


def write_four_discharges(path: Path) -> None:
    """Four times rest, discharge, rest, charge in one cycle; the third discharge takes more than the cell has."""
    steps: list[tuple[float, float]] = []
    for ampere in (2.5, 2.5, 9.0, 2.5):
        steps += [(1800.0, 0.0), (3000.0, -ampere), (3600.0, 0.0), (3000.0, ampere)]
    counts = [round(second / INTERVAL_SECOND) for second, _ in steps]
    current = np.repeat([ampere for _, ampere in steps], counts)
    charge = np.concatenate([[0.0], np.cumsum(0.5 * (current[1:] + current[:-1]) * INTERVAL_SECOND / 3600.0)])
    table = {
        "t": INTERVAL_SECOND * np.arange(len(current)),
        "i": current,
        "v": np.clip(3.95 + 0.2 * charge + 0.03 * current, 2.6, 4.19).round(5),
        "cycle": 1,
        "step": np.repeat(np.arange(1, len(steps) + 1), counts),
    }
    pd.DataFrame(table).to_csv(path, index=False)


def test_a_stretch_that_fails_does_not_hide_the_others(tmp_path: Path) -> None:
    write_four_discharges(tmp_path / "FOUR.csv")
    text = campaign_text(COLUMNS, more='[simulate]\nselect = "discharge"\n' + FIT)
    (tmp_path / "campaign.toml").write_text(text)
    kilocell("run", *QUICK, "--no-plots", cwd=tmp_path, expect=1)
    stretches = ask(tmp_path, "SELECT * FROM errors_by_stretch WHERE parameter_set = 'Chen2020' ORDER BY stretch")
    assert [(row["first_step_count"], row["status"]) for row in stretches] == [
        (2, "done"), (6, "done"), (10, "failed"), (14, "done"),
    ]  # fmt: skip
    assert stretches[2]["reason_code"] == "left_range"
    assert stretches[0]["selection"] == "discharge"
    good = [row["rmse_mv"] for row in stretches if row["status"] == "done"]
    assert good == pytest.approx([good[0]] * 3, abs=0.2)
    (simulation,) = ask(tmp_path, "SELECT * FROM simulations WHERE parameter_set = 'Chen2020'")
    assert (simulation["status"], simulation["samples"]) == ("failed", 300)
    assert "1 of 4 stretches failed: cycle 1, step 10 (discharge)" in simulation["reason"]
    (fit,) = ask(tmp_path, "SELECT * FROM fits")
    assert (fit["status"], fit["selection"], fit["validation_selection"]) == ("done", "discharge 1", "discharge 2")
    assert fit["samples"] == 100
    errors = ask(tmp_path, "SELECT * FROM fit_errors WHERE window = 'all' AND step_type = 'all' ORDER BY part")
    assert [(row["part"], row["samples"]) for row in errors] == [("fitted", 100), ("held_out", 100)]
    assert errors[1]["rmse_mv"] == pytest.approx(fit["validation_rmse_mv"], abs=1e-3)
    shown_fit = kilocell("fits", "--fit", "one", cwd=tmp_path).stdout
    assert any(line.split()[:4] == ["held", "out", "discharge", "all"] for line in shown_fit.splitlines())
    assert fit["rmse_default_mv"] == pytest.approx(good[0], abs=0.2)
    shown = json.loads(kilocell("results", "--select", "discharge 4", "--json", cwd=tmp_path).stdout)
    assert {row["samples"] for row in shown} == {100}
    paths = kilocell("plot", "--cell", "FOUR", "--select", "discharge", cwd=tmp_path).stdout.split()
    paths += kilocell("plot", "--cell", "FOUR", "--fit", "one", cwd=tmp_path).stdout.split()
    assert all((tmp_path / path).is_file() for path in paths)
