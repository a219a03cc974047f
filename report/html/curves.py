"""Read and thin the curves of one cell for its panel: measured voltage and current, and each simulation's error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Indices, Mask
from ...data.errors import KilocellError
from ...data.rules import flag_bit
from ...parquet_store.layout import Store
from ...parquet_store.read import read_partition, read_simulation
from ..draw.envelope import envelope
from .content import Row
from .encode import COARSEST_VOLT, encode_floats, encode_series

FEWEST_COLUMNS: Final = 20
"""Pixel columns of a stretch below which it is not thinned any further."""

MOST_CYCLES: Final = 400
"""Cycles up to which the panel offers each one to zoom to."""

UNREADABLE: Final = (KilocellError, OSError, ValueError, KeyError, NotImplementedError)
"""What reading a missing or damaged Parquet file raises; the errors of pyarrow are among them."""

SECOND_PER_HOUR: Final = 3600.0


@dataclass
class CellCurves:
    """The curves of a cell, encoded for the page.

    Args:
        data: see :func:`read_curves`; ``None`` = there are no measured samples to show.
        problems: files that could not be read, in words.
    """

    data: dict[str, Any] | None = None
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Measured:
    """Measured samples that are shown: time (h), voltage (V), current (A), cycle; true where no line leads to one."""

    hour: Floats
    volt: Floats
    ampere: Floats
    cycle: Indices
    breaks: Mask


def read_curves(store: Store, cell_id: str, simulations: Sequence[Row], points: int) -> CellCurves:
    """Read the curves of a cell: the cycles that any simulation covers, or all if there is no simulation.

    Each file is read once. Curves are thinned so that each keeps its extremes; all have the samples that any needs.

    Args:
        store: the store.
        cell_id: the cell.
        simulations: rows of the catalog with a path, in the order in which they are shown.
        points: largest number of samples that are kept, about.

    Returns:
        ``stretches`` (runs of samples without a hole between them: first ``hour``; ``t`` (h since then), ``v`` (V),
        ``i`` (A) and ``e`` (V, one for each simulation) as ``encode.py`` encodes them), ``cycles`` (number, first and
        last hour of each), ``drawn`` and ``samples`` (counts), ``simulated`` (for each one: whether it was read).
    """
    curves = CellCurves()
    columns = [c.TEST_TIME, c.VOLTAGE, c.CURRENT, c.CYCLE_COUNT, c.FLAGS]
    try:
        record = read_partition(store, cell_id, columns)
    except UNREADABLE as error:
        curves.problems.append(_problem(f"the cleaned record of {cell_id}", error))
        return curves
    frames = [_read_simulated(store, row, curves.problems) for row in simulations]
    shown = _shown_rows(record, frames)
    if not len(shown):
        return curves
    seconds = record[c.TEST_TIME].to_numpy(np.float64)[shown]
    errors = [_place(frame, seconds, row, curves.problems) for row, frame in zip(simulations, frames, strict=True)]
    measured = _measured(record, shown, seconds)
    kept = [_thin(measured, errors, stretch, points) for stretch in _stretches(measured, points)]
    curves.data = {
        "stretches": [_encode_stretch(measured, errors, rows) for rows in kept],
        "cycles": _cycles(measured),
        "drawn": sum(len(rows) for rows in kept),
        "samples": len(shown),
        "of": len(record),
        "simulated": [bool(np.isfinite(error).any()) for error in errors],
    }
    return curves


def _problem(what: str, error: Exception) -> str:
    """Say in one line which file could not be read, and why."""
    return " ".join(f"{what} could not be read: {error}".split())[:400]


def _read_simulated(store: Store, row: Row, problems: list[str]) -> pd.DataFrame | None:
    columns = [c.TEST_TIME, "voltage_error_volt", c.CYCLE_COUNT]
    try:
        return read_simulation(store, row["cell_id"], row["label"], columns)
    except UNREADABLE as error:
        problems.append(_problem(f"the simulation {row['label']} of {row['cell_id']}", error))
        return None


def _shown_rows(record: pd.DataFrame, frames: Sequence[pd.DataFrame | None]) -> Indices:
    """Return the rows of the record whose cycles are simulated; all rows if there is no simulation."""
    cycles = record[c.CYCLE_COUNT].to_numpy()
    simulated = [frame[c.CYCLE_COUNT].unique() for frame in frames if frame is not None and len(frame)]
    if not simulated:
        return np.arange(len(record))
    return np.flatnonzero(np.isin(cycles, np.concatenate(simulated)))


def _place(frame: pd.DataFrame | None, seconds: Floats, row: Row, problems: list[str]) -> Floats:
    """Return the error of a simulation (V) at the shown samples; NaN where nothing was simulated."""
    placed = np.full(len(seconds), np.nan)
    if frame is None:
        return placed
    times = frame[c.TEST_TIME].to_numpy(np.float64)
    where = np.minimum(np.searchsorted(seconds, times), len(seconds) - 1)
    same = seconds[where] == times
    if not same.all():
        problems.append(
            f"the simulation {row['label']} of {row['cell_id']} belongs to an earlier cleaning of the record: not "
            "drawn. `kilocell run` simulates it again."
        )
        return placed
    placed[where] = frame["voltage_error_volt"].to_numpy(np.float64)
    return placed


def _measured(record: pd.DataFrame, shown: Indices, seconds: Floats) -> _Measured:
    gaps = (record[c.FLAGS].to_numpy()[shown] & flag_bit("time_gap")) != 0
    gaps |= np.diff(shown, prepend=-2) != 1
    return _Measured(
        seconds / SECOND_PER_HOUR,
        record[c.VOLTAGE].to_numpy(np.float64)[shown],
        record[c.CURRENT].to_numpy(np.float64)[shown],
        record[c.CYCLE_COUNT].to_numpy(np.int64)[shown],
        gaps,
    )


def _stretches(measured: _Measured, points: int) -> list[Indices]:
    """Return the samples of each run without a hole; many short runs are taken as one."""
    first = np.flatnonzero(measured.breaks)
    if len(first) * FEWEST_COLUMNS > points:
        first = first[:1]
    return np.split(np.arange(len(measured.hour)), first[1:])


def _thin(measured: _Measured, errors: Sequence[Floats], stretch: Indices, points: int) -> Indices:
    """Return the samples of a stretch that are kept: the extremes of each curve in each pixel column."""
    share = max(int(points * len(stretch) / len(measured.hour)), FEWEST_COLUMNS)
    if len(stretch) <= share:
        return stretch
    hour = measured.hour[stretch]
    series = [measured.volt[stretch], measured.ampere[stretch], *(error[stretch] for error in errors)]
    columns = max(share // 3, FEWEST_COLUMNS)
    while True:
        kept = [np.searchsorted(hour, envelope(hour, values, columns)[0]) for values in series]
        together = np.unique(np.concatenate(kept))
        if len(together) <= share or columns <= FEWEST_COLUMNS:
            return stretch[together]
        columns = max(int(columns * min(0.8, share / len(together))), FEWEST_COLUMNS)


def _encode_stretch(measured: _Measured, errors: Sequence[Floats], rows: Indices) -> dict[str, Any]:
    begin = float(measured.hour[rows[0]])
    return {
        "hour": begin,
        "t": encode_floats(measured.hour[rows] - begin),
        "v": encode_series(measured.volt[rows], COARSEST_VOLT),
        "i": encode_series(measured.ampere[rows]),
        "e": [None if np.isnan(e[rows]).all() else encode_series(e[rows], COARSEST_VOLT) for e in errors],
    }


def _cycles(measured: _Measured) -> list[list[float]]:
    """Return number, first and last hour of each shown cycle."""
    first = np.flatnonzero(np.diff(measured.cycle, prepend=measured.cycle[0] - 1))
    last = np.append(first[1:], len(measured.cycle)) - 1
    places = list(zip(first, last, strict=True))[:MOST_CYCLES]
    return [[int(measured.cycle[a]), float(measured.hour[a]), float(measured.hour[b])] for a, b in places]
