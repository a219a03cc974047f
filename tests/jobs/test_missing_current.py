"""Missing currents: filled by the step's control while the unknown charge is within a bound, else left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.rules import flag_bit
from kilocell.jobs.cleaning.clean import Cleaned
from raw_records import SETTINGS, cleaned, findings, raw_table

COUNTS = (30, 120, 60, 30, 90, 30)
FIRST = np.cumsum([0, *COUNTS])[:-1]
SECONDS = 30.0


def charged(cycles: int = 3) -> pd.DataFrame:
    """Cycles of rest, charge, hold, rest, discharge and rest, at 30 s; the hold's current decays."""
    count = sum(COUNTS)
    hold = 1.5 * np.exp(-np.arange(1, COUNTS[2] + 1) / 25.0)
    current = np.concatenate([np.zeros(30), np.full(120, 1.5), hold, np.zeros(30), np.full(90, -2.0), np.zeros(30)])
    volt = np.concatenate([np.full(30, 3.55), np.linspace(3.65, 4.2, 120), np.full(60, 4.2), np.full(30, 4.18),
                           np.linspace(4.1, 3.4, 90), np.full(30, 3.52)])  # fmt: skip
    step = np.repeat(np.arange(1.0, 7.0), COUNTS)
    return raw_table(
        **{
            c.TEST_TIME: SECONDS * np.arange(count * cycles),
            c.CURRENT: np.tile(current, cycles),
            c.VOLTAGE: np.tile(volt, cycles),
            c.STEP_ID: np.tile(step, cycles),
            c.CYCLE_ID: np.repeat(np.arange(1.0, cycles + 1.0), count),
        }
    )


RAW = charged()
WHOLE = cleaned(RAW)
TRUE = RAW[c.CURRENT].to_numpy()


def without(rows: slice | list[int], share: float = 0.02, columns: dict[str, Any] | None = None) -> Cleaned:
    current = TRUE.copy()
    current[rows] = np.nan
    raw = RAW.assign(**{c.CURRENT: current, **(columns or {})})
    return cleaned(raw, replace(SETTINGS, missing_charge_share=share))


def unknown_ah(result: Cleaned) -> float:
    return sum(float(found.after.split("at most ")[1].split()[0]) for found in findings(result, "current_missing"))


EDGES = sorted({int(row) for row in (*FIRST[1:], *(FIRST[1:] - 1))})


@pytest.mark.parametrize("row", EDGES)
def test_one_missing_current_at_any_edge_is_filled_and_bounded(row: int) -> None:
    result = without([row])
    (found,) = findings(result, "current_missing")
    assert (found.action, found.rows) == ("filled", 1)
    assert result.samples[c.FLAGS][row] & flag_bit("current_missing")
    assert result.samples[c.CURRENT][row] == pytest.approx(TRUE[row], abs=0.002)
    for name in ("charge_in_after_ah", "charge_out_after_ah"):
        error = abs(getattr(result.report, name) - getattr(WHOLE.report, name))
        assert error <= unknown_ah(result) + 1e-9
        assert error < 1e-3 * WHOLE.report.charge_in_after_ah


@pytest.mark.parametrize(
    "rows",
    [slice(170, 190), slice(195, 210), slice(150, 158), slice(138, 150), slice(140, 165), slice(60, 149),
     slice(250, 329), slice(28, 40)],
)  # fmt: skip
def test_a_long_run_is_filled_if_the_charge_left_unknown_is_little(rows: slice) -> None:
    result = without(rows)
    assert result.samples[c.CURRENT].notna().all()
    for name in ("charge_in_after_ah", "charge_out_after_ah"):
        error = abs(getattr(result.report, name) - getattr(WHOLE.report, name))
        assert error <= unknown_ah(result)
        assert error < 0.002 * WHOLE.report.charge_in_after_ah


def test_a_decay_is_filled_as_one() -> None:
    rows = slice(170, 190)
    np.testing.assert_allclose(without(rows).samples[c.CURRENT][rows], TRUE[rows], rtol=1e-6)


def test_a_step_of_which_no_current_is_known_has_that_of_its_twins() -> None:
    rows = slice(330, 360)  # the last rest of the first cycle
    np.testing.assert_array_equal(without(rows).samples[c.CURRENT][rows], 0.0)


def test_what_is_not_bounded_is_left_and_told_with_its_bound() -> None:
    volt = RAW[c.VOLTAGE].to_numpy().copy()
    rows = slice(60, 140)
    volt[rows] = np.nan
    result = without(rows, columns={c.VOLTAGE: volt, c.STEP_ID: np.nan, c.CYCLE_ID: np.nan})
    (found,) = findings(result, "current_missing")
    assert found.action == "filled"  # the same current on both sides, for no longer than fill_constant_samples
    rows = slice(140, 260)  # the end of a charge, a hold, a rest and the begin of a discharge
    volt[rows] = np.nan
    left = without(rows, columns={c.VOLTAGE: volt, c.STEP_ID: np.nan})
    assert left.samples[c.CURRENT][rows].isna().all()
    (found,) = findings(left, "current_missing")
    assert found.action == "left"
    assert found.after.startswith("missing; at most ")


def test_the_user_sets_how_much_may_be_unknown() -> None:
    rows = slice(140, 165)
    assert without(rows, share=0.0).samples[c.CURRENT][rows].isna().all()
    assert without(rows, share=0.02).samples[c.CURRENT][rows].notna().all()


def test_counters_bound_what_is_missing() -> None:
    seconds = np.diff(RAW[c.TEST_TIME], prepend=0.0)
    mean = (TRUE + np.append(0.0, TRUE[:-1])) / 2.0
    counters = {
        c.CHARGING_CAPACITY: np.cumsum(np.clip(mean, 0.0, None) * seconds) / 3600.0,
        c.DISCHARGING_CAPACITY: np.cumsum(np.clip(-mean, 0.0, None) * seconds) / 3600.0,
    }
    rows = slice(140, 165)
    assert unknown_ah(without(rows, columns=counters)) < 0.1 * unknown_ah(without(rows))
