"""Raw records made for cleaning tests: a small cell with a resistance and a slow overpotential, without defects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from kilocell.data import columns as c
from kilocell.data.results.cleaning import Finding
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import Cleaned, clean
from numpy.typing import NDArray

Floats = NDArray[np.float64]

START_UNIX_SECOND = 1_700_000_000.0
RESISTANCE_OHM = 0.03
SETTINGS = CleanSettings(nominal_capacity_ah=2.0, charge_tolerance=0.05)
"""A record at 10 s without step time or counters leaves 0.6 % of its charge open, and more where rows are missing."""
SCHEDULE = ((1, 0.0, 1200.0), (2, 1.0, 2400.0), (3, 0.0, 1200.0), (4, -2.0, 1200.0), (5, 0.0, 1800.0))
"""Step number, A (positive charges) and s of each step of a cycle."""


def raw_table(**columns: Any) -> pd.DataFrame:
    """A raw table of the given columns (arrays of one length); the others are absent, as a reader leaves them."""
    n = len(next(iter(columns.values())))
    absent: dict[str, Any] = {
        "float64": np.full(n, np.nan),
        "str": [""] * n,
        "int32": np.zeros(n),
        "int64": np.arange(n),
    }
    frame = pd.DataFrame({name: columns.get(name, absent[kind]) for name, kind in c.RAW_COLUMNS.items()})
    return frame.astype(c.RAW_COLUMNS)


def cycling(cycles: int = 2, noise_volt: float = 0.0, seed: int = 0, clocks: str = "both") -> pd.DataFrame:
    """A raw record of rests, charges and discharges at 10 s: voltage is linear in charge, plus I R, plus a slow part.

    Args:
        clocks: ``both``, ``test`` or ``wall``.
    """
    steps = [(cycle + 1, *step) for cycle in range(cycles) for step in SCHEDULE]
    counts = [int(seconds / 10.0) for *_, seconds in steps]
    cycle, step, current = (np.repeat([float(entry[k]) for entry in steps], counts) for k in range(3))
    time = 10.0 * np.arange(len(cycle))
    charge = np.cumsum(current) * 10.0 / 3600.0
    slow = np.zeros(len(time))
    for k in range(1, len(time)):
        slow[k] = slow[k - 1] + (0.02 * current[k] - slow[k - 1]) * 10.0 / 200.0
    voltage = 3.7 + 0.3 * charge + RESISTANCE_OHM * current + slow
    voltage += noise_volt * np.random.default_rng(seed).standard_normal(len(time))
    return raw_table(
        **{
            c.UNIX_TIME: START_UNIX_SECOND + time if clocks != "test" else np.full(len(time), np.nan),
            c.TEST_TIME: time if clocks != "wall" else np.full(len(time), np.nan),
            c.CYCLE_ID: cycle,
            c.STEP_ID: step,
            c.CURRENT: current,
            c.VOLTAGE: voltage,
            c.SURFACE_TEMPERATURE: np.full(len(time), 25.0),
        }
    )


def with_values(raw: pd.DataFrame, rows: Any, column: str, value: Any) -> pd.DataFrame:
    """The record with a column's values at some rows replaced."""
    changed = raw[column].to_numpy().copy()
    changed[rows] = value
    return raw.assign(**{column: changed})


def reordered(raw: pd.DataFrame, order: Any) -> pd.DataFrame:
    """The record's rows in another order, or some of them again, numbered as a file would."""
    return raw.iloc[list(order)].reset_index(drop=True).assign(**{c.SOURCE_ROW: np.arange(len(order))})


def cleaned(raw: pd.DataFrame, settings: CleanSettings = SETTINGS) -> Cleaned:
    """The record cleaned, as a cell named CELL."""
    return clean(raw, "CELL", settings)


def findings(result: Cleaned, rule: str) -> list[Finding]:
    """The findings of one rule."""
    return [finding for finding in result.report.findings if finding.rule == rule]


def seen(result: Cleaned) -> set[str]:
    """The rules that found a defect. That edges of steps were inserted is none."""
    return {finding.rule for finding in result.report.findings} - {"step_edge"}


def file_rows(samples: pd.DataFrame) -> pd.DataFrame:
    """The samples that are rows of a file, without those inserted at edges of steps."""
    return samples[samples[c.SOURCE_ROW] >= 0].reset_index(drop=True)


def assert_same_signal(result: Cleaned, raw: pd.DataFrame, tolerance: float = 0.0) -> None:
    """Check that the cleaned record has the raw one's times, voltages and currents."""
    samples = file_rows(result.samples)
    assert len(samples) == len(raw)
    for column in (c.TEST_TIME, c.VOLTAGE, c.CURRENT):
        np.testing.assert_allclose(samples[column], raw[column], rtol=0.0, atol=tolerance, err_msg=column)
