"""The evidence that a short run of rows has wrong stamps: the rows on both sides of it continue each other."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.arrays import Floats, Mask
from .rule import find_runs
from .stamp_evidence import FAR_SECOND, FAR_SPANS, REACH, StampRows, regular_interval

MOST_ROWS: Final = 8
"""Rows of the longest run whose stamps are judged together. Chosen, not measured."""

FITS: Final = 0.3
"""Natural logarithm of a hole over the time that the run's rows need: the hole fits if it differs by less. Chosen, not
measured."""

LEAST_AROUND: Final = 4
"""Least number of rows around a run that show the usual interval. Chosen, not measured."""

CARRYING_SHARE: Final = 0.01
"""Share of the largest current, above which a current flows. Chosen, not measured."""


def find_wrong_runs(rows: StampRows) -> Mask:
    """Tell which rows are in a short run of wrong stamps, shape (n,); single rows are judged elsewhere.

    The run is before or after all rows around it by its stamps, and the rows on both sides leave a hole between them
    that fits the run: by the usual interval of a regular log, or by the other clock. A run that fits the place of its
    stamps as well may be rows in the wrong place, and a copy of other rows is no wrong stamp.

    Args:
        rows: the record.
    """
    clock = rows.clock
    wrong = np.zeros(len(clock), dtype=bool)
    for fall in (1 + np.flatnonzero(np.diff(clock) < 0.0)).tolist():
        for run in _runs_at(clock, fall):
            if not wrong[run].any() and _continues_without(rows, run) and not _fits_its_stamps(rows, run):
                wrong[run] = True
    for run in _end_runs(rows):
        wrong[run] = True
    return wrong


def _runs_at(clock: Floats, fall: int) -> list[slice]:
    """Return the short runs of rows without which the clock does not fall at a row: those before it, those from it."""
    runs = []
    earlier = clock[max(fall - MOST_ROWS - 1, 0) : fall]
    below = np.flatnonzero(earlier <= clock[fall])
    if len(below):
        runs.append(slice(fall - len(earlier) + int(below[-1]) + 1, fall))
    later = clock[fall : fall + MOST_ROWS + 1]
    above = np.flatnonzero(later >= clock[fall - 1])
    if len(above):
        runs.append(slice(fall, fall + int(above[0])))
    return [run for run in runs if run.stop - run.start >= 2]


def _continues_without(rows: StampRows, run: slice) -> bool:
    """Tell whether the rows on both sides of a run leave a hole that fits it."""
    before, after = run.start - 1, run.stop
    if not np.isin(rows.part[run], rows.part[[before, after]]).all():
        return False
    hole = rows.clock[after] - rows.clock[before]
    other = rows.other[before : after + 1]
    if np.isfinite(other).all() and not (np.diff(other) >= 0.0).all():
        return False
    if np.isfinite(other).all():
        return bool(abs(other[-1] - other[0] - hole) <= rows.tolerance)
    around = np.concatenate([rows.clock[max(before - REACH + 1, 0) : run.start], rows.clock[after : after + REACH]])
    usual = regular_interval(around) if len(around) >= LEAST_AROUND else 0.0
    needed = (run.stop - run.start + 1) * usual
    return bool(needed > 0.0 and hole > 0.0 and abs(np.log(hole / needed)) <= FITS)


def _fits_its_stamps(rows: StampRows, run: slice) -> bool:
    """Tell whether a run may belong where its stamps are: into a hole there, or because it repeats the rows there."""
    others = np.ones(len(rows.clock), dtype=bool)
    others[run] = False
    if _repeats(rows, run, others):
        return True
    clock = rows.clock[others]
    first, last = float(rows.clock[run].min()), float(rows.clock[run].max())
    below, above = clock[clock <= first], clock[clock >= last]
    if not len(below) or not len(above) or bool(((clock > first) & (clock < last)).any()):
        return False
    near = np.abs(rows.clock - first)
    there = others & (near <= np.partition(near, min(2 * REACH, len(near) - 1))[min(2 * REACH, len(near) - 1)])
    usual = regular_interval(np.sort(rows.clock[there]))
    if usual == 0.0:
        return bool(np.isin(rows.part[run], rows.part[there]).any())
    return bool(above.min() - below.max() >= (run.stop - run.start + 0.5) * usual)


def _repeats(rows: StampRows, run: slice, others: Mask) -> bool:
    """Tell whether each row of a run has the stamp, the voltage and the current of some other row."""
    for row in range(run.start, run.stop):
        same = others & (rows.clock == rows.clock[row]) & (rows.voltage == rows.voltage[row])
        if not (same & (rows.current == rows.current[row])).any():
            return False
    return True


def _end_runs(rows: StampRows) -> list[slice]:
    """Return the runs at the begin and the end of the record that are far from all other rows while a current flows.

    A cell that was paused for so long does not go on within a step at the voltage and current of before.
    """
    found = []
    count = len(rows.clock)
    current = np.nan_to_num(rows.current)
    flows = np.abs(current) > CARRYING_SHARE * float(np.abs(current).max(initial=0.0))
    for sign in (1.0, -1.0):
        clock = sign * rows.clock[:: int(sign)]
        for rows_far in range(2, min(MOST_ROWS, count // 3) + 1):
            jump = clock[-rows_far] - clock[-rows_far - 1]
            if not jump > FAR_SECOND:
                continue
            span = float(clock[:-rows_far].max() - clock[:-rows_far].min())
            run = slice(count - rows_far, count) if sign > 0.0 else slice(0, rows_far)
            near = slice(max(run.start - 2, 0), min(run.stop + 2, count))
            same = bool((rows.part[near] == rows.part[run.start]).all()) and bool(flows[near].all())
            if jump > FAR_SPANS * span and same:
                found.append(run)
    return found


def move_runs(rows: StampRows, wrong: Mask, placed: Floats) -> dict[int, str]:
    """Move each run of wrong rows whose own intervals fit between its neighbours, in place; return the evidence by row.

    Args:
        rows: the record, of which the other clock and the step time say nothing about these rows.
        wrong: shape (n,).
        placed: s, the clock, shape (n,); written to.
    """
    evidence: dict[int, str] = {}
    first, length = find_runs(wrong)
    for a, n in zip(first.tolist(), length.tolist(), strict=True):
        run = slice(a, a + n)
        known = np.isfinite(rows.other[run]) | np.isfinite(rows.since[run])
        if n < 2 or a == 0 or a + n == len(wrong) or known.any():
            continue
        inner = np.diff(rows.clock[run])
        left = rows.clock[a + n] - rows.clock[a - 1] - float(inner.sum())
        usual = float(np.median(inner))
        if not (inner > 0.0).all() or not left > 0.0 or abs(np.log(left / 2.0 / usual)) > FITS:
            continue
        placed[run] = rows.clock[a - 1] + left / 2.0 + rows.clock[run] - rows.clock[a]
        evidence.update(dict.fromkeys(range(a, a + n), "moved between its neighbours, with its own intervals"))
    return evidence
