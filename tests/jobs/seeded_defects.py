"""Seeded defects for good records: what a lab's files suffer from, planted at random and written down by true row.

Rows are named by ``row_id``, their place in the undamaged record. A row is damaged once; defects may be next to
each other and next to edges of the current, as they do in a lab.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from real_records import Truth

STEADY_ROWS: Final = 3  # on either side, with the same current, around a lost contact
HOUR_MS: Final = 3_600_000


@dataclass
class Bench:
    """A record under damage: its file rows with ``row_id`` and ``wrong`` (a false version), and what was planted.

    ``key`` has the true rows of each kind; ``whole`` the kinds that touch the record as a whole; ``lost`` the true
    rows that the file no longer has.
    """

    truth: Truth
    rows: pd.DataFrame
    rng: np.random.Generator
    noise_volt: float = 0.0
    key: dict[str, set[int]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)

    @property
    def damaged(self) -> set[int]:
        """Every true row that a local defect touched."""
        return set().union(*self.key.values()) if self.key else set()

    def free(self, length: int, where: NDArray[np.bool_] | None = None) -> int | None:
        """First place of ``length`` rows that are undamaged (and ``where``), not among the first or last three."""
        ok = ~self.rows["row_id"].isin(self.damaged).to_numpy()
        ok[:3] = ok[-3:] = False
        if where is not None:
            ok &= where
        fits = np.flatnonzero(np.convolve(ok, np.ones(length), "valid") > length - 0.5)
        return int(self.rng.choice(fits)) if len(fits) else None

    def plant(self, kind: str, at: int, length: int, **values: Any) -> None:
        """Write values into rows and write the rows down."""
        for column, value in values.items():
            self.rows.loc[self.rows.index[at : at + length], column] = value
        self.key.setdefault(kind, set()).update(self.rows["row_id"].iloc[at : at + length].tolist())

    def steady(self) -> NDArray[np.bool_]:
        """Rows in the middle of a constant current, with the same one on both sides."""
        current = self.rows["current_A"]
        width = 2 * STEADY_ROWS + 1
        window = current.rolling(width, center=True)
        near = window.max() - window.min() < 0.02 * self.truth.size_ampere
        one_step = self.rows["step"].rolling(width, center=True).std() == 0.0
        return (near & one_step & (current.abs() > 0.05 * self.truth.size_ampere)).to_numpy(dtype=bool)

    def take(self, order: Sequence[int] | NDArray[np.int64]) -> None:
        """Reorder, repeat or drop rows."""
        self.rows = self.rows.iloc[np.asarray(order)].reset_index(drop=True)


Plant = Callable[[Bench], None]


def _missing(kind: str, column: str, lengths: tuple[int, ...], per_rows: int) -> Plant:
    def plant(bench: Bench) -> None:
        for length in [1] * max(3, len(bench.rows) // per_rows) + list(lengths):
            at = bench.free(length)
            if at is not None:
                bench.plant(kind, at, length, **{column: np.nan})

    return plant


def _voltage_spikes(bench: Bench) -> None:
    for _ in range(6):
        at = bench.free(1)
        if at is not None:
            size = bench.rng.choice([-1.0, 1.0]) * bench.rng.uniform(0.06, 0.6)
            there = float(bench.rows["voltage_V"].iloc[at])
            value = bench.rng.choice([0.0, 9.9999, round(there + size, 5), round(there + size, 5)])
            bench.plant("spike to a limit" if value in (0.0, 9.9999) else "spike", at, 1, voltage_V=value)


def _current_spikes(bench: Bench) -> None:
    for _ in range(4):
        at = bench.free(1, bench.steady())
        if at is not None:
            value = bench.rows["current_A"].iloc[at] * bench.rng.choice([-1.0, 0.3, 1.8, 3.0])
            bench.plant("current spike", at, 1, current_A=round(float(value), 5))


def _step_glitches(bench: Bench) -> None:
    numbers = bench.rows["step"].unique()
    for _ in range(6):
        length = int(bench.rng.integers(1, 5))
        at = bench.free(length)
        if at is None:
            continue
        own = bench.rows["step"].iloc[at - 1 : at + length + 1].unique()
        other = [*bench.rng.integers(20, 120, 3), *np.setdiff1d(numbers, own)[:3]]
        if len(own) == 1:  # inside one step; at its edge a wrong number may be a right one
            bench.plant("step glitch", at, length, step=int(bench.rng.choice(other)))


def _duplicate_rows(bench: Bench) -> None:
    for _ in range(max(5, len(bench.rows) // 500)):
        at = bench.free(1)
        if at is not None:
            bench.plant("row twice", at, 1)
            bench.take(np.insert(np.arange(len(bench.rows)), at, at))


def _two_versions(bench: Bench) -> None:
    for _ in range(min(8, len(bench.rows) // 150)):
        at = bench.free(1)
        if at is not None:
            bench.plant("two versions", at, 1)
            bench.take(np.insert(np.arange(len(bench.rows)), at, at))
            wrong = at + int(bench.rng.integers(2))
            off = max(bench.rng.choice([0.002, 0.002, 0.005, 0.02, 0.1]), 8.0 * bench.noise_volt) * bench.rng.choice(
                [-1.0, 1.0]
            )
            bench.plant("two versions", wrong, 1, voltage_V=round(bench.rows["voltage_V"].iloc[wrong] + off, 5),
                        wrong=True)  # fmt: skip


def _swapped(bench: Bench) -> None:
    apart = np.diff(bench.rows["time_ms"], append=0) > 0
    for _ in range(8):
        at = bench.free(2)
        if at is not None and apart[at]:
            bench.plant("swapped", at, 2)
            order = np.arange(len(bench.rows))
            order[[at, at + 1]] = at + 1, at
            bench.take(order)


def _lost_contact(bench: Bench) -> None:
    length = int(bench.rng.integers(3, 9))
    at = bench.free(length, bench.steady())
    if at is not None:
        noise = np.round(bench.rng.normal(0.0, 1e-4 * bench.truth.size_ampere, length), 5)
        volts = bench.rng.choice([0.0, 5.0]) + np.round(bench.rng.uniform(0.0, 0.02, length), 5)
        bench.plant("lost contact", at, length, current_A=noise, voltage_V=volts)


def _leads_off(bench: Bench) -> None:
    length = int(bench.rng.integers(3, 9))
    at = bench.free(length)
    if at is not None:
        bench.plant("leads off", at, length, voltage_V=float(bench.rng.choice([0.0, 5.0, 6.0, 0.03])))


def _thermocouple(bench: Bench) -> None:
    length = int(bench.rng.integers(1, 30))
    at = bench.free(length)
    if at is not None and bench.rows["temperature_C"].notna().any():
        value = float(bench.rng.choice([-2500.0, -270.0, 1372.0, 85.0]))
        bench.plant("thermocouple off", at, length, temperature_C=value)


def _no_time(bench: Bench) -> None:
    for _ in range(3):
        at = bench.free(1)
        if at is not None:
            bench.plant("row without time", at, 1, time_ms=np.nan, test_ms=np.nan)


def _power_cut(bench: Bench) -> None:
    """Take 40 min or more, and many samples, out of the longest rest."""
    still = (bench.rows["current_A"].abs() < 0.001 * bench.truth.size_ampere).to_numpy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], still, [False]]).astype(int)))
    first, end = max(zip(edges[::2], edges[1::2], strict=True), key=lambda run: run[1] - run[0], default=(0, 0))
    time = bench.rows["time_ms"].to_numpy()
    usual = float(np.median(np.diff(time[first:end]))) if end - first > 20 else np.inf
    after = int(np.searchsorted(time, time[min(first + 8, len(time) - 1)] + max(0.7 * HOUR_MS, 30.0 * usual)))
    if after < end - 4:
        gone = bench.rows["row_id"].iloc[first + 8 : after]
        bench.lost |= set(gone.tolist())
        bench.plant("power cut", after, 1)
        bench.take([*range(first + 8), *range(after, len(time))])


def _clock_back(bench: Bench) -> None:
    at = bench.free(1)
    if at is not None:
        bench.rows.loc[at:, "time_ms"] -= HOUR_MS
        bench.whole.add("summer time")


def _test_time_reset(bench: Bench) -> None:
    at = bench.free(1)
    if at is not None:
        bench.plant("clock restarted", at, 1)
        bench.rows.loc[at:, "test_ms"] -= bench.rows["test_ms"].iloc[at]


def _block_moved(bench: Bench) -> None:
    """A block of rows comes before the block that it should follow."""
    length = int(bench.rng.integers(20, 100))
    at = bench.free(1)
    if at is not None and at + 2 * length < len(bench.rows):
        moved = bench.rows["row_id"].iloc[at : at + 2 * length]
        bench.key["block moved"] = set(moved.tolist())
        order = [*range(at), *range(at + length, at + 2 * length), *range(at, at + length)]
        bench.take([*order, *range(at + 2 * length, len(bench.rows))])


def _column(name: str, column: str, change: Callable[[Bench], Any]) -> Plant:
    def plant(bench: Bench) -> None:
        bench.rows[column] = change(bench)
        bench.whole.add(name)

    return plant


def _cycle_falls_back(bench: Bench) -> NDArray[np.float64]:
    cycle = bench.rows["cycle"].to_numpy(dtype=float)
    return np.where(cycle == cycle.max(), 1.0, cycle + 3.0)


LOCAL: Final[dict[str, Plant]] = {
    "voltage missing": _missing("voltage missing", "voltage_V", (6, 15, 40), 300),
    "current missing": _missing("current missing", "current_A", (), 300),
    "spike": _voltage_spikes,
    "step glitch": _step_glitches,
    "row twice": _duplicate_rows,
    "two versions": _two_versions,
    "swapped": _swapped,
}
"""What every damaged record has."""

RARE: Final[dict[str, Plant]] = {
    "current spike": _current_spikes,
    "lost contact": _lost_contact,
    "leads off": _leads_off,
    "thermocouple off": _thermocouple,
    "temperature missing": _missing("temperature missing", "temperature_C", (12,), 900),
    "row without time": _no_time,
    "power cut": _power_cut,
}
"""Local defects of which each record has two."""

CLOCKS: Final[dict[str, Plant]] = {
    "none": lambda bench: None,
    "clock restarted": _test_time_reset,
    "no test time": _column("no test time", "test_ms", lambda bench: np.nan),
    "summer time": _clock_back,
    "block moved": _block_moved,
}

NUMBERS: Final[dict[str, Plant]] = {
    "none": lambda bench: None,
    "cycles jump": _column("cycles jump", "cycle", lambda b: b.rows["cycle"] + 4 * (b.rows["cycle"] > 1)),
    "cycles from 7": _column("cycles from 7", "cycle", lambda b: b.rows["cycle"] + 6),
    "cycles fall back": _column("cycles fall back", "cycle", _cycle_falls_back),
    "cycles nonsense": _column("cycles nonsense", "cycle", lambda b: 6.283185),
    "no cycles": _column("no cycles", "cycle", lambda b: np.nan),
}

WHOLE: Final[dict[str, Plant]] = {
    "none": lambda bench: None,
    "no temperature": _column("no temperature", "temperature_C", lambda b: np.nan),
    "sign turned": _column("sign turned", "current_A", lambda b: -b.rows["current_A"]),
    "offset": _column("offset", "current_A", lambda b: (b.rows["current_A"] + 0.0012 * b.truth.size_ampere).round(5)),
}
"""One of each group below for a record."""


def damaged(truth: Truth, seed: int, noise_volt: float = 0.0) -> Bench:
    """Damage a record: all local kinds, two rare ones, and one of each group of those that touch the whole.

    Args:
        noise_volt: standard deviation of white noise that the channel adds; it belongs to the truth.
    """
    rng = np.random.default_rng([seed, len(truth.rows)])
    rows = truth.rows.astype({"time_ms": float, "test_ms": float, "step": float, "cycle": float})
    noise_volt = 0.0 if truth.writes_twice else noise_volt  # what is written twice is measured once
    if noise_volt:
        rows["voltage_V"] = (rows["voltage_V"] + rng.normal(0.0, noise_volt, len(rows))).round(5)
    truth = Truth(truth.name, rows)
    bench = Bench(truth, rows.assign(row_id=np.arange(len(rows)), wrong=False), rng, noise_volt)
    rare = [RARE[name] for name in rng.choice(list(RARE), 2, replace=False)]
    for plant in [*rare, *LOCAL.values()]:
        plant(bench)
    for group in (CLOCKS, NUMBERS, WHOLE):
        name = str(rng.choice(list(group)))
        # Without temperatures a cycler that writes a row again for each of them writes mere copies.
        group["none" if name == "no temperature" and truth.writes_twice else name](bench)
    if bench.rows["temperature_C"].isna().all():
        bench.key = {kind: rows for kind, rows in bench.key.items() if not kind.startswith(("temp", "thermo"))}
    bench.rows["step"] += int(rng.integers(0, 10))
    return bench
