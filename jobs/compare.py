"""Simulated against measured voltage: over a whole record, cycle by cycle, by step type and by window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..data.columns import ALL, STEP_TYPES, WINDOWS
from ..data.values import Comparison, StepComparison
from .balance import Balance
from .record import Record, sample_second
from .windows import Windows

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

KINDS: Final = (*STEP_TYPES, ALL, "")  # "": a step of no type, which counts to all of them alone
PARTS: Final = (*WINDOWS, ALL)
ANY_KIND, NO_KIND, ANY_WINDOW = len(STEP_TYPES), len(STEP_TYPES) + 1, len(WINDOWS)
DECIMALS: Final = 4  # of a mV or s: what a receipt keeps of the many errors of a long record


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Errors of parts of a record, summed, shape (parts,) each.

    Args:
        cycle, kind, window: which part; 0, ``ANY_KIND``, ``ANY_WINDOW`` stand for all of them.
        error, square: sums over its samples, mV and mV2.
        change: sum of the squares of the error's change since each sample's step began, mV2.
        second, weighted: time that its samples stand for, and the sum of that times the squared error.
        worst, at: the error of the largest magnitude in mV, and its time in s.
    """

    cycle: Integers
    kind: Integers
    window: Integers
    samples: Integers
    error: Floats
    square: Floats
    change: Floats
    second: Floats
    weighted: Floats
    worst: Floats
    at: Floats

    def over(self, *, cycles: bool = False, kinds: bool = False, windows: bool = False) -> Sums:
        """Add up over all cycles, all step types or all windows; ordered by cycle, step type and window."""
        cycle = np.zeros_like(self.cycle) if cycles else self.cycle
        kind = np.full_like(self.kind, ANY_KIND) if kinds else self.kind
        window = np.full_like(self.window, ANY_WINDOW) if windows else self.window
        parts, place = np.unique((cycle * len(KINDS) + kind) * len(PARTS) + window, return_inverse=True)
        count = len(parts)
        samples = np.bincount(place, self.samples, count).astype(np.int64)
        sums = (self.error, self.square, self.change, self.second, self.weighted)
        error, square, change, second, weighted = (np.asarray(np.bincount(place, x, count), float) for x in sums)
        order = np.lexsort((np.abs(self.worst), place))
        last = order[np.searchsorted(place[order], np.arange(count), side="right") - 1]
        which = cycle[last], kind[last], window[last]
        return Sums(*which, samples, error, square, change, second, weighted, self.worst[last], self.at[last])


def sums_of(record: Record, voltage_volt: Floats, windows: Windows) -> Sums:
    """Sum the errors of each cycle, step type and window of a record; samples without a measured voltage do not count.

    Args:
        voltage_volt: simulated, shape (n,).
        windows: of :func:`kilocell.jobs.windows.windows_of`.
    """
    kinds = np.full(len(record.time_second), -1, np.int8) if record.step_type is None else record.step_type
    error = 1e3 * (voltage_volt - record.voltage_volt)
    known = np.isfinite(error)
    change = (error - error[_last_known(known)[windows.started]]) ** 2
    columns: Any = (error, change, record.time_second, sample_second(record), record.cycle_count, kinds, windows.code)
    if not known.all():
        columns = (column[known] for column in columns)
    error, change, time, second, cycle, kind, window = columns
    changes = (cycle[1:] != cycle[:-1]) | (kind[1:] != kind[:-1]) | (window[1:] != window[:-1])
    begins = np.concatenate([[0], np.flatnonzero(changes) + 1])[: len(error)]
    samples = np.diff(begins, append=len(error))
    square = error**2
    hits = np.flatnonzero(square == np.repeat(_by_run(np.maximum, square, begins), samples))
    worst = hits[np.searchsorted(hits, begins)]
    runs = Sums(
        cycle[begins].astype(np.int64),
        np.where(kind < 0, NO_KIND, kind)[begins].astype(np.int64),
        window[begins].astype(np.int64),
        samples,
        _by_run(np.add, error, begins),
        _by_run(np.add, square, begins),
        _by_run(np.add, change, begins),
        _by_run(np.add, second, begins),
        _by_run(np.add, second * square, begins),
        error[worst],
        time[worst],
    )
    return runs.over()


def _by_run(reduce: np.ufunc, values: Floats, begins: NDArray[np.intp]) -> Floats:
    """Sum, or take the largest, of each run of samples; of none there are none."""
    reduced: Floats = reduce.reduceat(values, begins) if len(begins) else values
    return reduced


def _last_known(known: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Index of the last known sample up to each one, and of the first known before there is any, shape (n,)."""
    place = np.arange(len(known))
    if known.all() or not known.any():
        return place
    last = np.maximum.accumulate(np.where(known, place, -1))
    return np.where(last < 0, int(np.argmax(known)), last)


def compare(sums: Sums, balances: dict[int, Balance]) -> tuple[Comparison, ...]:
    """Compare simulated with measured voltage over the whole record (cycle 0) and for each cycle.

    Args:
        balances: energy, charge and capacity of the cycles and the whole record; those without are left out.
    """
    lines = []
    for each in (sums.over(cycles=True, kinds=True, windows=True), sums.over(kinds=True, windows=True)):
        with np.errstate(invalid="ignore", divide="ignore"):
            weighted = np.sqrt(each.weighted / each.second)
        for place, (cycle, _, _, samples, _, *errors) in enumerate(_lines(each)):
            over_time = float(weighted[place]) if each.second[place] > 0.0 else None
            values: tuple[Any, ...] = (cycle, samples, *errors, over_time, *balances.get(cycle, Balance()).values())
            lines.append(Comparison(*values))
    return tuple(lines)


def compare_steps(sums: Sums) -> tuple[StepComparison, ...]:
    """Errors by step type and by window: both at once for the whole record, either for each cycle."""
    whole, each = sums.over(cycles=True), sums
    views = (
        *(whole.over(windows=True), whole.over(kinds=True), whole),
        *(each.over(windows=True), each.over(kinds=True)),
    )
    return tuple(
        StepComparison(cycle, KINDS[kind], PARTS[window], samples, rmse, bias, worst, at, change)
        for view in views
        for cycle, kind, window, samples, change, rmse, bias, worst, at in _lines(view, DECIMALS)
        if kind != NO_KIND
    )


def _lines(sums: Sums, decimals: int | None = None) -> Iterator[tuple[Any, ...]]:
    """Cycle, kind, window, samples, RMSE of the change, RMSE, bias, worst (mV) and its time (s) of each part."""
    change, rmse = (np.sqrt(squares / sums.samples) for squares in (sums.change, sums.square))
    errors: list[Floats] = [change, rmse, sums.error / sums.samples, sums.worst, sums.at]
    if decimals is not None:
        errors = [np.round(error, decimals) for error in errors]
    columns = (sums.cycle, sums.kind, sums.window, sums.samples, *errors)
    return zip(*(column.tolist() for column in columns), strict=True)
