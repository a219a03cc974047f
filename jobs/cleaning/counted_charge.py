"""The charge between samples by the cycler's own counters, and how far it can be believed.

Counters come as a pair (charge in, charge out), as one column for both directions, or as a running sum with a sign.
They run over the whole test, or go back to zero at each cycle or step. Each is compared with the current where the
current is certain: in steps of constant current. A counter that does not agree there is no evidence elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.convert import SECONDS_PER_HOUR
from ..record.table import Table
from .rule import column_values

RESET_SHARE: Final = 0.1
"""Share of its value: a counter that falls below this share has gone back to zero, unless the current explains it.
Chosen, not measured."""

CORRECTED_SHARE: Final = 0.02
"""Share of its value by which a counter may fall against the current: a correction. More is a reset. Chosen, not
measured."""

POSSIBLE_FACTOR: Final = 1.5
"""Times the larger of the two currents that a counter may have counted between two rows. Chosen, not measured."""

FLAT_SHARE: Final = 0.02
"""Share of the current: between two samples that differ by less, the current is certain. Chosen, not measured."""

TRUSTED_SHARE: Final = 0.02
"""Share by which a counter and a certain current may differ, in all certain intervals together, if the counter is
believed. Public records differ by 0.01 to 0.5 %; one whose counter counts by a wrong factor differs by more."""

UNSURE_QUANTILE: Final = 0.95
"""Share of the certain intervals in which counter and current differ by less than what is called unsure."""

EXACT_SHARE: Final = 0.002
"""Share by which a counter and a certain current may differ where only one or two intervals are certain. Chosen, not
measured."""

LEAST_CERTAIN: Final = 3
"""Number of intervals with a certain current and a charge that a counter can be compared with. Chosen, not measured."""

MOST_DIGITS: Final = 9
"""Decimal digits of a counter that are looked for; one with more has no rounding that matters."""

DIGIT_ROWS: Final = 20_000
"""Number of values, evenly chosen, in which the decimal digits are counted, to save time."""


@dataclass(frozen=True, slots=True, eq=False)
class CountedCharge:
    """Charge between neighbouring samples by a counter of the cycler.

    Args:
        name: what the counter is, in words.
        net_ah: A.h, positive into the cell, shape (n - 1,); NaN where the counter says nothing, as at a reset.
        after_reset_ah: A.h, positive into the cell, shape (n - 1,): at a reset, what was counted since then; else NaN.
        unsure_ah: A.h by which one value of ``net_ah`` may be wrong (resolution and delay of the counter).
        column: the one column that counts; empty for a pair.
        both_ah: A.h, shape (n - 1,), that flowed in and out again, in addition to ``net_ah``; ``None`` where one
            column counts both directions.
        factor: from the column's values to A.h.
        quantum_ah: A.h, resolution of the counter.
        first_ah: A.h, positive into the cell, counted before the first row.
        before_reset_ah: A.h, positive into the cell, shape (n - 1,): at a reset, what flowed before it since the
            earlier row, which no counter shows; ``None`` as long as the edges are not placed.
    """

    name: str
    net_ah: Floats
    after_reset_ah: Floats
    unsure_ah: float
    column: str = ""
    both_ah: Floats | None = None
    factor: float = 1.0
    quantum_ah: float = 0.0
    first_ah: float = 0.0
    before_reset_ah: Floats | None = None

    @property
    def known_ah(self) -> Floats:
        """A.h, positive into the cell, shape (n - 1,): what was counted; at a reset what was counted since then."""
        return np.where(np.isfinite(self.net_ah), self.net_ah, self.after_reset_ah)


def counted_charge(
    frame: Table, edge: Mask, rest_ampere: float, step_second: Floats | None = None
) -> CountedCharge | None:
    """Return the charge by the most certain of the record's counters, or ``None`` if none agrees with the current.

    Args:
        frame: with time, current, counters.
        edge: which intervals lead from one step to the next, shape (n - 1,).
        rest_ampere: A, up to which the cell rests.
        step_second: s since the step began, shape (n,), if the file has a step time that can be believed.
    """
    readings = [reading for reading in (read(frame, edge) for read in COUNTERS) if reading is not None]
    if not readings:
        return None
    best: CountedCharge | None = None
    certain = _certain_charge(frame, edge, rest_ampere, step_second)
    for reading in readings:
        counted = _compared(reading, certain)
        if counted is not None and (best is None or counted.unsure_ah < best.unsure_ah):
            best = counted
    return best


def _certain_charge(frame: Table, edge: Mask, rest_ampere: float, step_second: Floats | None) -> Floats:
    """Return the charge of the intervals in which the current is certain, in A.h, shape (n - 1,), NaN elsewhere.

    If a file has only the last row of each step, this is the current of that row times the step's duration: the step
    time, or the time since the row before. A counter that agrees shows that these are last rows.
    """
    time = column_values(frame, c.TEST_TIME)
    current = column_values(frame, c.CURRENT)
    second = np.diff(time)
    with np.errstate(invalid="ignore"):
        flat = np.abs(np.diff(current)) <= FLAT_SHARE * np.abs(current[1:])
        flat &= ~edge & (np.abs(current[1:]) > rest_ampere)
    if flat.sum() < LEAST_CERTAIN:
        flat = edge & (np.abs(current[1:]) > rest_ampere)
        second = second if step_second is None else np.fmin(step_second[1:], second)
    return np.where(flat, current[1:] * second / SECONDS_PER_HOUR, np.nan)


def _compared(counted: CountedCharge, certain: Floats) -> CountedCharge | None:
    """Return a counter with its uncertainty, in A.h even if it counts in mA.h; ``None`` if it cannot be believed."""
    known = np.isfinite(certain) & np.isfinite(counted.net_ah)
    by_current = certain[known]
    by_counter = counted.net_ah[known]
    if not by_counter.any():
        return None
    # Counters and currents of both directions add up without their signs.
    ratio = float((by_counter * np.sign(by_current)).sum() / np.abs(by_current).sum())
    factor = _factor_to_ah(ratio)
    agrees = abs(ratio * factor - 1.0) <= TRUSTED_SHARE
    # One or two intervals are enough only if none of them differs by more than rounding.
    if len(by_current) < LEAST_CERTAIN and np.abs(by_counter * factor / by_current - 1.0).max() > EXACT_SHARE:
        return None
    # Where the certain intervals are whole steps, a few of them are holds: most of the others must agree.
    if not agrees and abs(float(np.median(by_counter / by_current)) * factor - 1.0) > TRUSTED_SHARE:
        return None
    difference = np.abs(by_counter * factor - by_current)
    # Whole steps differ where they are holds, so most of them count there, not nearly all.
    share = UNSURE_QUANTILE if agrees else 0.5
    unsure = max(float(np.quantile(difference, share)), counted.unsure_ah * factor)
    return replace(
        counted,
        net_ah=counted.net_ah * factor,
        after_reset_ah=counted.after_reset_ah * factor,
        unsure_ah=unsure,
        both_ah=None if counted.both_ah is None else counted.both_ah * factor,
        factor=factor,
        quantum_ah=counted.unsure_ah * factor,
    )


def _factor_to_ah(ratio: float) -> float:
    """Return the factor to A.h if a counter's ratio to the current shows mA.h or kA.h; otherwise 1."""
    for factor in (1e-3, 1e3):
        if abs(ratio * factor - 1.0) <= TRUSTED_SHARE:
            return factor
    return 1.0


def _pair(frame: Table, edge: Mask) -> CountedCharge | None:
    """Read the counters of the charge in and of the charge out."""
    columns = (c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY)
    if not any(np.isfinite(column_values(frame, column)).any() for column in columns):
        return None
    net = np.zeros(len(edge))
    after = np.zeros(len(edge))
    was_reset = np.zeros(len(edge), dtype=bool)
    both = np.full(len(edge), np.inf)
    quantum = 0.0
    current = column_values(frame, c.CURRENT)
    for column, sign in ((c.CHARGING_CAPACITY, 1.0), (c.DISCHARGING_CAPACITY, -1.0)):
        counter = np.abs(column_values(frame, column))
        if not np.isfinite(counter).any():
            # Without this counter nothing is known where its current may have flowed.
            with np.errstate(invalid="ignore"):
                other = (sign * current[1:] > 0.0) | (sign * current[:-1] > 0.0)
            net[other] = np.nan
            both[:] = 0.0
            continue
        rise, since, reset = _rises(counter, edge, possible_ah(frame, sign))
        net += sign * rise
        both = np.fmin(both, np.nan_to_num(rise))
        after += sign * np.where(reset, since, np.nan_to_num(rise))
        was_reset |= reset
        quantum = max(quantum, decimal_place(counter))
    after = np.where(was_reset, after, np.nan)
    return CountedCharge("charge counters", net, after, quantum, both_ah=np.clip(both, 0.0, None))


def _one_for_both(frame: Table, edge: Mask) -> CountedCharge | None:
    """Read the one counter that counts in both directions, with the direction of the current where it has no sign."""
    counter = column_values(frame, c.STEP_CAPACITY)
    if not np.isfinite(counter).any():
        return None
    quantum = decimal_place(counter)
    if float(np.nanmin(counter)) < -quantum:
        rise, since, reset = _rises(counter, edge, possible_ah(frame))
        return CountedCharge("step counter", rise, np.where(reset, since, np.nan), quantum, c.STEP_CAPACITY)
    rise, since, reset = _rises(counter, edge, _possible_without_sign_ah(frame))
    direction = np.sign(np.nan_to_num(column_values(frame, c.CURRENT)))
    later = np.where(direction[1:] != 0.0, direction[1:], direction[:-1])
    both_ways = direction[1:] * direction[:-1] < 0.0
    net = np.where(both_ways, np.nan, later * rise)
    after = np.where(reset, later * since, np.nan)
    return CountedCharge("step counter", net, after, quantum, c.STEP_CAPACITY)


def _running_sum(frame: Table, edge: Mask) -> CountedCharge | None:
    """Read the counter with a sign that runs over the whole test."""
    counter = column_values(frame, c.NET_CAPACITY)
    if not np.isfinite(counter).any():
        return None
    # Some programs set it back to zero between charge and discharge.
    rise, since, reset = _rises(counter, edge, possible_ah(frame))
    after = np.where(reset, since, np.nan)
    return CountedCharge("running counter", rise, after, decimal_place(counter), c.NET_CAPACITY)


COUNTERS: Final[tuple[Callable[[Table, Mask], CountedCharge | None], ...]] = (_pair, _one_for_both, _running_sum)
"""How each kind of counter is read."""


def possible_ah(frame: Table, sign: float | None = None) -> tuple[Floats, Floats]:
    """Return the least and the most charge in A.h that the two currents of each interval explain, shape (n - 1,).

    Args:
        frame: with time and current.
        sign: +1.0 or -1.0 for a counter of the charge in or out, which never falls; ``None`` for a signed one.
    """
    current = np.nan_to_num(column_values(frame, c.CURRENT))
    if sign is not None:
        current = np.clip(sign * current, 0.0, None)
    return _range_ah(frame, current)


def _possible_without_sign_ah(frame: Table) -> tuple[Floats, Floats]:
    """Return the same for one counter of both directions that has no sign."""
    return _range_ah(frame, np.abs(np.nan_to_num(column_values(frame, c.CURRENT))))


def _range_ah(frame: Table, current: Floats) -> tuple[Floats, Floats]:
    hours = POSSIBLE_FACTOR * np.diff(column_values(frame, c.TEST_TIME)) / SECONDS_PER_HOUR
    low = np.minimum(np.minimum(current[1:], current[:-1]), 0.0)
    high = np.maximum(np.maximum(current[1:], current[:-1]), 0.0)
    return low * hours, high * hours


def _rises(counter: Floats, edge: Mask, possible: tuple[Floats, Floats]) -> tuple[Floats, Floats, Mask]:
    """Return by how much a counter rose between samples, its value after each reset, and where it was reset.

    A counter was reset where its rise is not what the currents explain, but its value is if it began at zero. A reset
    one row late belongs to the edge before it: what the counter still showed there was of the step before.

    Args:
        counter: A.h, shape (n,), NaN where missing.
        edge: which intervals lead from one step to the next, shape (n - 1,).
        possible: least and most charge in A.h that the currents explain, shape (n - 1,) each.

    Returns:
        Rises in A.h, shape (n - 1,), NaN at resets; values after resets in A.h; and which intervals have a reset.
    """
    size = np.abs(counter)
    rise = np.diff(counter)
    scale = _scale_of_unit(rise, possible)
    least = scale * possible[0]
    most = scale * possible[1]
    slack = 2.0 * decimal_place(counter)
    with np.errstate(invalid="ignore"):
        explained = (rise >= least - slack) & (rise <= most + slack)
        # A late reset shows what has flowed since the edge, which is in the interval before.
        from_zero = (counter[1:] >= least + _before(least, edge) - slack) & (
            counter[1:] <= most + _before(most, edge) + slack
        )
        smaller = size[1:] < (1.0 - CORRECTED_SHARE) * size[:-1] - slack
        small = size[1:] < RESET_SHARE * size[:-1]
        turned = (counter[1:] * counter[:-1] < 0.0) & ~explained & from_zero & edge
        reset: Mask = ~explained & smaller & (from_zero | small)
    rise[reset | turned] = np.nan
    late_edge = np.concatenate([(reset & ~edge)[1:], [False]]) & edge
    rise[late_edge] = np.nan
    # A reset within a step says nothing about the charge before or after it.
    at_edge: Mask = (reset | turned) & edge & ~late_edge
    return rise, counter[1:].copy(), at_edge


def _before(amount: Floats, edge: Mask) -> Floats:
    """Return the amount of the interval before each if that leads to a new step, otherwise 0, shape (n - 1,)."""
    return np.concatenate([[0.0], np.where(edge, amount, 0.0)[:-1]]) if len(amount) else amount


def _scale_of_unit(rise: Floats, possible: tuple[Floats, Floats]) -> float:
    """Return 1000 for a counter in mA.h, otherwise 1.

    Args:
        rise: in the counter's unit, shape (n - 1,).
        possible: least and most charge in A.h that the currents explain, shape (n - 1,) each.
    """
    room = POSSIBLE_FACTOR * np.maximum(possible[1], -possible[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.abs(rise) / room
    ratio = ratio[(room > 0.0) & (ratio > 0.0)]
    return 1e3 if len(ratio) and float(np.median(ratio)) > 30.0 else 1.0


def decimal_place(column: Floats) -> float:
    """Return the last decimal place of a column's values in its unit.

    It is 0 if the values have more than ``MOST_DIGITS``, or are all zero.

    Args:
        column: shape (n,), NaN where missing.
    """
    values = column[np.isfinite(column) & (column != 0.0)]
    values = values[:: max(len(values) // DIGIT_ROWS, 1)]
    if not len(values):
        return 0.0
    for digits in range(MOST_DIGITS + 1):
        scaled = values * 10.0**digits
        if float((np.abs(scaled - np.round(scaled)) < 1e-4).mean()) > 0.99:
            return float(10.0**-digits)
    return 0.0


def counted_by_cycle(counted: CountedCharge, cycle: Integers) -> tuple[Floats, Floats]:
    """Return the charge in and out by a counter for each cycle, in A.h, shape (cycles,), both positive.

    Args:
        counted: of the record.
        cycle: the cycle of each sample, 0 to cycles - 1, shape (n,). An interval counts to the cycle of its end.
    """
    known = np.concatenate([[counted.first_ah], np.nan_to_num(counted.known_ah)])
    both = np.zeros(len(known))
    if counted.both_ah is not None:
        both[1:] = counted.both_ah
    lost = np.zeros(len(known))
    if counted.before_reset_ah is not None:
        lost[1:] = counted.before_reset_ah
    cycles = int(cycle.max(initial=-1)) + 1
    into = np.clip(known, 0.0, None) + np.clip(lost, 0.0, None) + both
    out = np.clip(-known, 0.0, None) + np.clip(-lost, 0.0, None) + both
    charge_in = np.bincount(cycle, into, minlength=cycles)
    charge_out = np.bincount(cycle, out, minlength=cycles)
    return charge_in.astype(np.float64), charge_out.astype(np.float64)
