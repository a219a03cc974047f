"""Good records of real cyclers as plain truth, in the layout of a lab's long CSV, for seeded defects to be put into.

What a cycler writes beside its samples (markers, a step's last row once more, impedance rows) is left out here by
rules of this file's own, not by kilocell's cleaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from kilocell.data import columns as c
from kilocell.data.readers.read import guess_settings, read_raw

COLUMNS: Final = ("time_ms", "test_ms", "cycle", "step", "current_A", "voltage_V", "temperature_C")
DIGITS: Final = {"current_A": 5, "voltage_V": 5, "temperature_C": 2}
FIRST_MS: Final = 1_583_049_600_000  # 2020-03-01 08:00, for records without a wall clock
SMALL: Final = 7000  # rows; of longer records every so many-th row is taken, as a slower logger would
OTHERS: Final = (
    "arbin_a123/batterydata/p492-13-raw.csv",
    "formats_pyprobe/biologic/Sample_data_biologic_01_MB_CA1.txt",
    "formats_pyprobe/novonix/sample_data_novonix.csv",
)
LEFT_OUT: Final = {"0degC/Cell781_0p1C_0degC.csv", "25degC/Cell782_0p1C_25degC.csv", "25degC/Cell785_0p5C_25degC.csv"}
"""One aborted test without any current; the others are among the undamaged five of the long file."""


@dataclass(frozen=True)
class Truth:
    """A good record: its name and its rows (``COLUMNS``; times in ms, numbers from 1), index 0 to n - 1."""

    name: str
    rows: pd.DataFrame

    @property
    def size_ampere(self) -> float:
        """The largest usual current, by which defects of the current scale."""
        return float(np.quantile(np.abs(self.rows["current_A"]), 0.95)) or 1.0

    @property
    def writes_twice(self) -> bool:
        """Whether the cycler itself has written many rows at one time."""
        return bool((np.diff(self.rows["test_ms"]) == 0).mean() > 0.02)

    @property
    def cycles(self) -> int:
        return len(np.flatnonzero(np.diff(self.rows["cycle"], prepend=-1)))

    @property
    def steps(self) -> np.ndarray:
        """Each row's step, counted from 1 where step or cycle changes."""
        changed = (np.diff(self.rows["step"]) != 0) | (np.diff(self.rows["cycle"]) != 0)
        return np.concatenate([[1], 1 + np.cumsum(changed)])

    def charge_ah(self) -> tuple[float, float]:
        """Charge in and out by trapezoids, both positive."""
        time, current = self.rows["test_ms"].to_numpy() / 1000.0, self.rows["current_A"].to_numpy()
        charge = np.diff(time) * (current[1:] + current[:-1]) / 7200.0
        return float(charge[charge > 0].sum()), float(-charge[charge < 0].sum())


def true_records(shared_data: Path) -> Iterator[Truth]:
    """Every good record there is: the cyclers' own files, and the undamaged five of the long file."""
    digatron = sorted((shared_data / "lgm50_digatron").glob("*/*.csv"))
    for path in [*digatron, *(shared_data / name for name in OTHERS)]:
        if f"{path.parent.name}/{path.name}" not in LEFT_OUT:
            yield from_cycler(path)
    table = pd.read_parquet(shared_data / "takehome_like" / "answer_key_truth.parquet")
    for name, rows in table.groupby("cell_id", sort=True):
        stamps = rows["datetime"].to_numpy().astype("datetime64[ms]").astype(np.int64)
        yield _truth(f"takehome {name}", rows.assign(time_ms=stamps, test_ms=np.rint(1000 * rows["test_time_s"])))


def from_cycler(path: Path) -> Truth:
    """A cycler's own file as truth: without markers, impedance rows and rows written twice."""
    raw = read_raw(path, guess_settings(path))
    good = ~raw[c.STATE].isin(c.MARKER_STATES) & raw[c.VOLTAGE].between(0.0, 10.0) & raw[c.CURRENT].notna()
    raw = raw[good & raw[c.TEST_TIME].notna()]
    raw = raw[~raw.duplicated([c.TEST_TIME, c.UNIX_TIME, c.VOLTAGE, c.CURRENT, c.STEP_ID, c.SURFACE_TEMPERATURE])]
    raw = raw[np.diff(raw[c.TEST_TIME], prepend=-1.0) > 0.0]
    raw = raw.iloc[:: 1 + len(raw) // SMALL]
    test = raw[c.TEST_TIME].to_numpy()
    wall = raw[c.UNIX_TIME].to_numpy()
    # Where the computer's clock is coarse or jumps, the cycler's own tells the time of day too.
    begin = 1000.0 * wall[0] if np.isfinite(wall[0]) else float(FIRST_MS)
    named = raw.rename(columns={c.CURRENT: "current_A", c.VOLTAGE: "voltage_V", c.CYCLE_ID: "cycle", c.STEP_ID: "step"})
    celsius = raw[c.SURFACE_TEMPERATURE].fillna(raw[c.AMBIENT_TEMPERATURE])
    test_ms = np.rint(1000.0 * (test - test[0]))
    return _truth(path.stem, named.assign(time_ms=np.rint(begin) + test_ms, test_ms=test_ms, temperature_C=celsius))


def _truth(name: str, rows: pd.DataFrame) -> Truth:
    rows = rows.loc[:, list(COLUMNS)].reset_index(drop=True)
    for column in ("cycle", "step"):
        numbers = rows[column].ffill().bfill().fillna(1.0)
        rows[column] = pd.factorize(numbers)[0] + 1 if column == "step" else 1 + numbers - numbers.iloc[0]
    rows["cycle"] = _without_idle_ends(rows["cycle"].to_numpy(), np.abs(rows["current_A"].to_numpy()))
    if rows["current_A"].min() >= 0.0 and np.corrcoef(rows.index, rows["voltage_V"])[0, 1] < -0.9:
        rows["current_A"] *= -1.0  # an unsigned discharge
    kinds = dict.fromkeys(("time_ms", "test_ms", "cycle", "step"), "int64")
    return Truth(name, rows.round(DIGITS).astype(kinds))


def _without_idle_ends(cycle: np.ndarray, current: np.ndarray) -> np.ndarray:
    """A rest alone before the first cycle, or after the last, belongs to that cycle; numbers from 1."""
    cycle = 1 + np.cumsum(np.diff(cycle, prepend=cycle[:1]) != 0)
    idle = [number for number in np.unique(cycle) if current[cycle == number].max() < 0.001 * current.max()]
    if 1 in idle:
        cycle = np.maximum(cycle - 1, 1)
        idle = [number - 1 for number in idle]
    result: np.ndarray = np.minimum(cycle, cycle.max() - 1) if cycle.max() in idle and cycle.max() > 1 else cycle
    return result
