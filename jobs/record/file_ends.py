"""The ends of one file's raw table, and what they say about whether another file continues it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats
from .table import Table

START_SECOND: Final = 60.0
"""s: a test time that begins this close to zero begins anew. Chosen, not measured."""

OUTSIDE_SPANS: Final = 1.0
"""A stamp further outside the middle 90 % of a file's times than this many of their spans is a wrong stamp. Chosen, not
measured."""

REST_SHARE: Final = 0.01
"""Share of a file's largest current, up to which the cell rests. Chosen, not measured."""

RISE_VOLT: Final = 0.5
"""V: between two files the voltage of a resting cell rises by less: it relaxes after a discharge. The largest rise in
24 files of one cell that ends its files 2 minutes after a discharge to 2.7 V is 0.37 V."""

FALL_VOLT: Final = 0.25
"""V: it falls by less, because relaxation after a charge is smaller. Chosen, not measured."""

LOAD_VOLT: Final = 0.6
"""V: if a current flows on one side only, the voltages may differ by this much more. Chosen, not measured."""

MOST_VOLT: Final = 10.0
"""V: a higher voltage is that of several cells, or in another unit. Chosen, not measured."""


@dataclass(frozen=True, slots=True)
class Span:
    """First and last value of a column that should increase: times in s, or numbers; NaN where it is missing."""

    first: float = float("nan")
    last: float = float("nan")

    @property
    def known(self) -> bool:
        """Whether the file has the column."""
        return bool(np.isfinite(self.first))


@dataclass(frozen=True, slots=True)
class FileEnds:
    """What the first and the last rows of one file say.

    Args:
        name: of the file; with folders where several files have one name.
        rows: number of rows.
        wall: s since 1970, without single wrong stamps.
        test: the cycler's clock in s.
        cycle, step: the file's own numbers.
        counted: sum of both charge counters in A.h.
        volt: V, in the first and last rows.
        ampere: A, the same, with the sign of the file.
        largest_ampere: A, magnitude.
    """

    name: str
    rows: int
    wall: Span = Span()
    test: Span = Span()
    cycle: Span = Span()
    step: Span = Span()
    counted: Span = Span()
    volt: Span = Span()
    ampere: Span = Span()
    largest_ampere: float = 0.0

    @property
    def begins_at_zero(self) -> bool:
        """Whether the test time begins at zero."""
        return abs(self.test.first) <= START_SECOND


def file_ends(name: str, table: pd.DataFrame | Table) -> FileEnds:
    """Return what the first and the last rows of a file say.

    Args:
        name: of the file.
        table: ``data.columns.RAW_COLUMNS``; missing columns count as unknown.
    """
    current = table_column(table, c.CURRENT)
    counted = table_column(table, c.CHARGING_CAPACITY) + table_column(table, c.DISCHARGING_CAPACITY)
    return FileEnds(
        name=name,
        rows=len(table),
        wall=_extremes(table_column(table, c.UNIX_TIME)),
        test=_extremes(table_column(table, c.TEST_TIME)),
        cycle=_ends(table_column(table, c.CYCLE_ID)),
        step=_ends(table_column(table, c.STEP_ID)),
        counted=_ends(counted),
        volt=_ends(table_column(table, c.VOLTAGE)),
        ampere=_ends(current),
        largest_ampere=float(np.nanmax(np.abs(current), initial=0.0)),
    )


def table_column(table: pd.DataFrame | Table, name: str) -> Floats:
    """Return a column as float64, shape (n,); all NaN if the table does not have it."""
    if name not in table:
        return np.full(len(table), np.nan)
    return np.asarray(table[name], dtype=np.float64)


def _ends(column: Floats) -> Span:
    known = column[np.isfinite(column)]
    if not len(known):
        return Span()
    return Span(float(known[0]), float(known[-1]))


def _extremes(clock: Floats) -> Span:
    """Return the first and the last time of a clock, without stamps that are far outside all others."""
    known = clock[np.isfinite(clock)]
    if not len(known):
        return Span()
    first = float(known.min())
    last = float(known.max())
    low, high = np.quantile(known, (0.05, 0.95)).tolist()
    room = OUTSIDE_SPANS * (high - low) + START_SECOND
    if first < low - room or last > high + room:
        near = known[(known >= low - room) & (known <= high + room)]
        return Span(float(near.min()), float(near.max()))
    return Span(first, last)


def voltage_jump(earlier: FileEnds, later: FileEnds) -> float | None:
    """Return by how much the voltage differs between the end of one file and the beginning of the next.

    Args:
        earlier, later: two files of one cell.

    Returns:
        V, positive if it rises; without what a current on one side may explain (``LOAD_VOLT``). ``None`` = one of the
        voltages is unknown, or not that of one cell.
    """
    before, after = earlier.volt.last, later.volt.first
    if not max(before, after) <= MOST_VOLT:
        return None
    jump = after - before
    rests_before = is_resting(earlier.ampere.last, earlier, later)
    rests_after = is_resting(later.ampere.first, earlier, later)
    if (rests_before and rests_after) or goes_on_under_load(earlier, later):
        return jump
    return float(np.sign(jump)) * max(0.0, abs(jump) - LOAD_VOLT)


def is_discontinuous(earlier: FileEnds, later: FileEnds) -> bool:
    """Tell whether the voltage jumps by more between two files than a pause explains."""
    jump = voltage_jump(earlier, later)
    return jump is not None and not -FALL_VOLT <= jump <= RISE_VOLT


def is_resting(ampere: float, *files: FileEnds) -> bool:
    """Tell whether a current is that of a rest, compared with the largest current of some files."""
    largest = max(file.largest_ampere for file in files)
    return bool(abs(ampere) <= REST_SHARE * largest)


def goes_on_under_load(earlier: FileEnds, later: FileEnds) -> bool:
    """Tell whether one current flows at the end of one file and at the beginning of the next."""
    before, after = earlier.ampere.last, later.ampere.first
    if is_resting(before, earlier, later) or is_resting(after, earlier, later):
        return False
    return bool(abs(after - before) <= 0.05 * abs(before))


def continues(earlier: FileEnds, later: FileEnds) -> tuple[bool | None, str]:
    """Tell whether one file continues another one of the same cell.

    Args:
        earlier, later: the files, in the order that is asked.

    Returns:
        Whether it does, and the evidence in words; ``None`` = nothing but their names can say.
    """
    if is_discontinuous(earlier, later):
        return False, f"the voltage jumps from {earlier.volt.last:.3f} V to {later.volt.first:.3f} V"
    if earlier.wall.known and later.wall.known:
        if later.wall.first < earlier.wall.last:
            return False, "the wall clocks overlap"
        return True, "the wall clock goes on"
    if earlier.test.known and later.test.known and later.test.first > START_SECOND:
        if later.test.first < earlier.test.last:
            return False, "the test times overlap"
        return True, "the test time goes on"
    for name in ("cycle", "step", "counted"):
        before: Span = getattr(earlier, name)
        after: Span = getattr(later, name)
        if before.known and after.known and before.last > before.first and _goes_on(name, before, after):
            return True, f"the {WORDS[name]} go on"
    return None, "nothing but the names shows the order"


def _goes_on(name: str, before: Span, after: Span) -> bool:
    if name == "counted":
        return abs(after.first - before.last) <= 0.02 * (before.last - before.first)
    return before.last <= after.first <= before.last + 1.0


WORDS: Final = {"cycle": "cycle numbers", "step": "step numbers", "counted": "charge counters"}
"""Names of columns in findings."""
