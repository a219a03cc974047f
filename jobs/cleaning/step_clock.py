"""The time within steps as a clock: it replaces a missing test time, and refines one that is coarser."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Indices, Mask
from ...data.settings import CleanSettings
from ..record.table import Table
from .duplicate_times import COARSE_SECOND, clock_quantum
from .rule import Event, RuleOutcome, column_values, set_flag
from .time_order import has_clock

GRIDS_SECOND: Final = (
    3600.0,
    1800.0,
    900.0,
    600.0,
    360.0,
    300.0,
    60.0,
    36.0,
    30.0,
    20.0,
    15.0,
    10.0,
    6.0,
    5.0,
    3.6,
    2.0,
)
"""s: ticks of clocks coarser than whole seconds, the coarsest first; also decimal parts of hours and minutes."""

ON_GRID: Final = 0.99
"""Least share of the stamps of a coarse clock that are on its grid. Chosen, not measured."""

OFF_GRID: Final = 0.01
"""Least share of the step times that are between the ticks of the coarse clock. Chosen, not measured."""

HALF_TICK: Final = 0.5
"""Ticks. If both clocks differ by more within steps, the clock is as coarse as its grid. Chosen, not measured."""

FINEST_SECOND: Final = 0.01
"""s: coarse clocks have ticks of whole multiples of this."""

SAMPLED: Final = 10_000
"""Number of stamps in a quick first look."""

ROUNDING: Final = 1.05
"""Ticks by which both clocks may differ within a step: one, and some rounding. Chosen, not measured."""


def time_from_steps(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Make the test time from the time within steps, in a record that has no other clock.

    A step begins where its time falls, or where the step's number changes. It begins when the last row of the step
    before was written, which cyclers write at a step's end. Where they do not, up to one interval is missing.
    """
    since = column_values(frame, c.STEP_TIME)
    if has_clock(column_values(frame, c.TEST_TIME)) or has_clock(column_values(frame, c.UNIX_TIME)):
        return RuleOutcome(frame)
    known = np.isfinite(since)
    if not has_clock(since):
        return RuleOutcome(frame)
    begins = _step_begins(frame, since)
    filled = pd.Series(since).ffill().fillna(0.0).to_numpy()
    elapsed = np.where(begins, filled, np.diff(filled, prepend=filled[:1]))
    elapsed[0] = 0.0
    time = np.where(known, np.cumsum(np.maximum(elapsed, 0.0)), np.nan)
    before = f"no test time, {int(begins.sum()) + 1} steps with their own time"
    after = f"one time of {float(np.nanmax(time)):.0f} s; each step follows the row before it at once"
    event = Event("step_time", int(frame.labels[0]), len(frame), before, after, "joined")
    frame = frame.assign(**{c.TEST_TIME: time})
    return RuleOutcome(set_flag(frame, known, "step_time"), (event,))


def _step_begins(frame: Table, since: Floats) -> Mask:
    """Tell which rows begin a step by their step time, shape (n,)."""
    step = column_values(frame, c.STEP_ID)
    source = column_values(frame, c.SOURCE_INDEX)
    filled = pd.Series(since).ffill().to_numpy()
    begins = np.diff(filled, prepend=filled[:1]) < 0.0
    begins |= (step != np.roll(step, 1)) & np.isfinite(step) & np.isfinite(np.roll(step, 1))
    begins |= source != np.roll(source, 1)
    begins[0] = False
    return begins


def time_refined(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Refine a coarse test time, or a coarse wall clock that is all there is, by the time within steps.

    The step time counts if it is finer than the clock's ticks and differs from the clock by no more than a tick within
    steps. Each step then begins within the tick that the clock shows, if possible when the step before ended.
    """
    since = column_values(frame, c.STEP_TIME)
    if not has_clock(since):
        return RuleOutcome(frame)
    test = column_values(frame, c.TEST_TIME)
    clock = test if has_clock(test) else column_values(frame, c.UNIX_TIME)
    if not (has_clock(clock) and np.isfinite(clock).all()):
        return RuleOutcome(frame)
    begins = _step_begins(frame, since)
    tick = _tick_second(clock, since, begins)
    if tick == 0.0:
        return RuleOutcome(frame)
    refined = _refined(clock, since, begins, tick)
    moved = refined != clock
    if not moved.any():
        return RuleOutcome(frame)
    name = "test time" if clock is test else "wall clock"
    first = int(frame.labels[int(np.argmax(moved))])
    before = f"a {name} in ticks of {tick:g} s"
    event = Event("step_time", first, int(moved.sum()), before, "refined by the time within steps", "refined", "info")
    frame = frame.assign(**{c.TEST_TIME: refined if clock is test else refined - refined[0]})
    return RuleOutcome(set_flag(frame, moved, "step_time"), (event,))


def _tick_second(clock: Floats, since: Floats, begins: Mask) -> float:
    """Return the tick of a clock in s if the step time is finer; 0 if it is not, or if the clock is not coarse."""
    interval = np.diff(clock)
    grown = np.where(begins[1:], np.nan, np.diff(since))
    same_stamp = bool(((interval == 0.0) & (grown > 0.0)).any())
    some = clock[:: max(len(clock) // SAMPLED, 1)]
    if not same_stamp and _share_on_grid(some, FINEST_SECOND) < 0.5:
        return 0.0
    tick = next((grid for grid in GRIDS_SECOND if _share_on_grid(clock - clock[0], grid) >= ON_GRID), 0.0)
    if tick == 0.0:
        tick = clock_quantum(clock)
    if tick < COARSE_SECOND and same_stamp:
        tick = float(interval[interval > 0.0].min()) if (interval > 0.0).any() else 0.0
    if tick < COARSE_SECOND or 1.0 - _share_on_grid(since[np.isfinite(since)], tick) < OFF_GRID:
        return 0.0
    # A regular log on a coarse grid may have a fine clock: within steps, both then differ by far less than a tick.
    ahead = clock - since
    spread = np.array([np.ptp(ahead[rows]) for rows in _segments(begins, since) if len(rows) > 1])
    if not len(spread):
        return 0.0
    largest = float(spread[spread <= ROUNDING * tick].max(initial=0.0))
    return tick if largest >= HALF_TICK * tick else largest


def _share_on_grid(values: Floats, grid: float) -> float:
    ticks = values / grid
    return float((np.abs(ticks - np.round(ticks)) < 1e-3).mean())


def _segments(begins: Mask, since: Floats) -> list[Indices]:
    """Return the rows of each step that have a step time."""
    known = np.flatnonzero(np.isfinite(since))
    step = np.cumsum(begins)[known]
    return np.split(known, np.flatnonzero(np.diff(step)) + 1)


def _refined(clock: Floats, since: Floats, begins: Mask, tick: float) -> Floats:
    """Return the clock in s with the step time's resolution, shape (n,); steps in which both disagree stay.

    Steps that may follow one another at once make a chain, whose begin agrees with the ticks of all of them.

    Args:
        clock: s, shape (n,), the last tick before each row.
        since: s since the step began, shape (n,), NaN where missing.
        begins: which rows begin a step, shape (n,).
        tick: s, the clock's resolution.
    """
    refined = clock.copy()
    chain: list[tuple[Indices, float]] = []
    low, high, length = -np.inf, np.inf, 0.0
    for rows in _segments(begins, since):
        if not len(rows):
            continue
        ahead = clock[rows] - since[rows]
        # Each row says that the step began within one tick; in a pause within a step they disagree.
        agrees = bool(np.ptp(ahead) <= ROUNDING * tick)
        earliest = float(ahead.max()) - length
        latest = max(float(ahead.min()) + tick - length, earliest)
        if not agrees or max(low, earliest) > min(high, latest):
            _write_chain(refined, since, chain, low)
            chain = []
            low, high, length = -np.inf, np.inf, 0.0
            earliest = float(ahead.max())
            latest = max(float(ahead.min()) + tick, earliest)
        if agrees:
            chain.append((rows, length))
            low = max(low, earliest)
            high = min(high, latest)
            length += float(since[rows[-1]])
    _write_chain(refined, since, chain, low)
    return refined


def _write_chain(refined: Floats, since: Floats, chain: list[tuple[Indices, float]], begin: float) -> None:
    for rows, length in chain:
        refined[rows] = begin + length + since[rows]
