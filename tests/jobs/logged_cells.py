"""Made-up cells whose current is known at every moment, logged as cyclers log: few rows, and more or less evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from kilocell.data import columns as c
from numpy.typing import NDArray
from raw_records import START_UNIX_SECOND, raw_table

Floats = NDArray[np.float64]

RESISTANCE_OHM: Final = 0.021
EMPTY_VOLT: Final = 3.17
VOLT_PER_AH: Final = 0.27
FIRST_ROW_SECOND: Final = 0.05  # s after a step's begin, as the first row of many cyclers


@dataclass(frozen=True)
class Step:
    """A step: number, s, current in A at its begin (positive charges), and s in which a hold's current falls to 1/e."""

    number: int
    second: float
    ampere: float
    decay_second: float = np.inf


PROGRAM: Final = (
    Step(1, 731.4, 0.0),
    Step(2, 4523.4, 1.7),
    Step(3, 3271.8, 1.7, 1310.0),
    Step(4, 1433.0, 0.0),
    Step(5, 3011.7, -2.9),
    Step(6, 912.9, 0.0),
    Step(7, 18.3, -4.1),
    Step(8, 240.5, 0.0),
    Step(9, 2650.6, -0.35),
)
"""One cycle: CCCV charge, rest, discharge, rest, a pulse, rest, a slow discharge. In and out are 2.704 A.h."""


@dataclass(frozen=True)
class Fine:
    """What a cell did: its steps, in order, with their cycles; and when each began in s, shape (steps + 1,)."""

    steps: tuple[Step, ...]
    cycle: tuple[int, ...]
    began: Floats

    @classmethod
    def of(cls, program: tuple[Step, ...], cycles: int = 3) -> Fine:
        steps = program * cycles
        cycle = tuple(k + 1 for k in range(cycles) for _ in program)
        return cls(steps, cycle, np.concatenate([[0.0], np.cumsum([step.second for step in steps])]))

    def current(self, step: NDArray[np.int64], since: Floats) -> Floats:
        """The current in A at times in s since a step began."""
        first = np.array([one.ampere for one in self.steps])
        decay = np.array([one.decay_second for one in self.steps])
        result: Floats = first[step] * np.exp(-since / decay[step])
        return result

    def charge_within(self, step: NDArray[np.int64], since: Floats) -> Floats:
        """A.h, positive into the cell, since a step began."""
        first = np.array([one.ampere for one in self.steps])
        decay = np.array([one.decay_second for one in self.steps])
        length = np.where(np.isinf(decay), 1.0, decay)
        shape = np.where(np.isinf(decay[step]), since, length[step] * -np.expm1(-since / length[step]))
        result: Floats = first[step] * shape / 3600.0
        return result

    def charge_until(self, step: NDArray[np.int64], since: Floats, sign: float) -> Floats:
        """A.h in one direction (+1.0 in, -1.0 out) since the record began."""
        every = np.arange(len(self.steps))
        whole = self.charge_within(every, np.array([one.second for one in self.steps]))
        before = np.concatenate([[0.0], np.cumsum(np.clip(sign * whole, 0.0, None))])
        return before[step] + np.clip(sign * self.charge_within(step, since), 0.0, None)


@dataclass(frozen=True)
class Logged:
    """A record without evidence beside its rows, where each row lies, and what is true.

    Args:
        raw: the raw table.
        step: each row's step in ``fine``.
        since: s since that step began.
        charge_in_ah, charge_out_ah: between the first and the last row.
    """

    fine: Fine
    raw: pd.DataFrame
    step: NDArray[np.int64]
    since: Floats

    def truth(self, sign: float) -> float:
        """A.h in one direction (+1.0 in, -1.0 out), between the first and the last row."""
        total = self.fine.charge_until(self.step, self.since, sign)
        return float(total[-1] - total[0])

    def with_columns(self, **columns: Any) -> Logged:
        """The same record with further columns."""
        return replace(self, raw=self.raw.assign(**columns))

    def with_step_time(self, resolution: float = 0.0, unit_second: float = 1.0) -> Logged:
        """With the time since the step began, in units of so many s, cut off to a resolution in s."""
        since = np.floor(self.since / resolution + 1e-9) * resolution if resolution else self.since
        return self.with_columns(**{c.STEP_TIME: since / unit_second})

    def counted(self, sign: float, reset: str) -> Floats:
        """What a counter of one direction shows in A.h: ``never`` reset, or at each ``cycle`` or ``step``."""
        total = self.fine.charge_until(self.step, self.since, sign)
        steps = np.arange(len(self.fine.steps))
        at_begin = self.fine.charge_until(steps, np.zeros(len(steps)), sign)
        cycle = np.array(self.fine.cycle)
        if reset == "never":
            return total
        if reset == "cycle":
            first = np.flatnonzero(np.diff(cycle, prepend=0))
            at_begin = at_begin[first[cycle - 1]]
        result: Floats = total - at_begin[self.step]
        return result

    def with_pair(self, reset: str = "never", factor: float = 1.0, digits: int = 12) -> Logged:
        """With a counter of the charge in and one of the charge out."""
        return self.with_columns(
            **{
                name: np.round(factor * self.counted(sign, reset), digits)
                for name, sign in ((c.CHARGING_CAPACITY, 1.0), (c.DISCHARGING_CAPACITY, -1.0))
            }
        )

    def with_step_counter(self, signed: bool = False, digits: int = 12, late: bool = False) -> Logged:
        """With one counter for both directions that begins anew at each step, maybe one row late."""
        into, out = self.counted(1.0, "step"), self.counted(-1.0, "step")
        counter = into - out if signed else into + out
        if late:
            first = np.flatnonzero(np.diff(self.step, prepend=self.step[0]))
            # Only in steps of several rows: where a step has one, the record would never show that it began anew.
            first = first[self.step[np.minimum(first + 1, len(self.step) - 1)] == self.step[first]]
            counter[first] += counter[first - 1]
        return self.with_columns(**{c.STEP_CAPACITY: np.round(counter, digits)})

    def with_net(self, digits: int = 12, factor: float = 1.0) -> Logged:
        """With a running sum of the charge in less the charge out."""
        net = self.counted(1.0, "never") - self.counted(-1.0, "never")
        return self.with_columns(**{c.NET_CAPACITY: np.round(factor * net, digits)})


def logged(fine: Fine, how: str, second: float = 60.0, digits: int = 6) -> Logged:
    """Log what a cell did.

    Args:
        fine: the cell.
        how: ``last``: the last row of each step. ``first and last``. ``every``: the first row, one each so many s of
            the step, and the last. ``no first``: the same without the first. ``grid``: one each so many s of the test
            time, none at edges. ``change``: first and last, and a row for each change of the current by 3 % of 1.7 A.
        second: s between the rows.
        digits: decimal digits of the current.
    """
    step, since = [], []
    for k, one in enumerate(fine.steps):
        within = _times(one, how, second, fine.began[k])
        step += [k] * len(within)
        since += list(within)
    return _table(fine, np.array(step), np.array(since, dtype=np.float64), digits)


def _times(one: Step, how: str, second: float, began: float) -> Floats:
    """The times of a step's rows, in s since it began."""
    end = one.second
    regular = np.arange(second, end, second)
    if how == "last":
        return np.array([end])
    if how == "grid":
        return np.arange(second - began % second, end, second)
    if how == "no first":
        return np.concatenate([regular, [end]])
    middle = {"first and last": np.empty(0), "every": regular, "change": _changes(one)}[how]
    return np.concatenate([[FIRST_ROW_SECOND], middle[(middle > 1.0) & (middle < end - 1.0)], [end]])


def _changes(one: Step) -> Floats:
    """The times at which the current has fallen by a further 0.05 A."""
    if np.isinf(one.decay_second):
        return np.empty(0)
    levels = np.arange(abs(one.ampere) - 0.05, 0.02, -0.05)
    result: Floats = -one.decay_second * np.log(levels / abs(one.ampere))
    return result


def _table(fine: Fine, step: NDArray[np.int64], since: Floats, digits: int) -> Logged:
    time = fine.began[step] + since
    current = fine.current(step, since)
    state = fine.charge_until(step, since, 1.0) - fine.charge_until(step, since, -1.0)
    voltage = EMPTY_VOLT + VOLT_PER_AH * state + RESISTANCE_OHM * current
    held = np.array([np.isfinite(one.decay_second) for one in fine.steps])[step]
    begin = fine.charge_until(step, 0.0 * since, 1.0) - fine.charge_until(step, 0.0 * since, -1.0)
    limit = EMPTY_VOLT + VOLT_PER_AH * begin + RESISTANCE_OHM * fine.current(step, 0.0 * since)
    raw = raw_table(
        **{
            c.TEST_TIME: time,
            c.UNIX_TIME: START_UNIX_SECOND + np.floor(time),
            c.CYCLE_ID: np.array(fine.cycle, dtype=np.float64)[step],
            c.STEP_ID: np.array([one.number for one in fine.steps], dtype=np.float64)[step],
            c.CURRENT: np.round(current, digits),
            c.VOLTAGE: np.round(np.where(held, limit, voltage), 4),
        }
    )
    return Logged(fine, raw, step, since)
