"""Cleaning rule about missing currents: fill them by the step's control, and bound the charge that stays unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.convert import SECONDS_PER_HOUR
from ...data.settings import CleanSettings
from ...data.text import format_amount
from ..record.charge import interval_charge_ah
from ..record.steps import HOLD_BAND_VOLT
from ..record.table import Table
from .missing_values import interpolate_runs, set_filled
from .rule import RuleOutcome, column_values, fill_forward, find_runs, rest_current

STEADY_SHARE: Final = 0.25
"""Share of the larger current: the currents on both sides of a short hole are alike if they differ by less. Chosen, not
measured."""

SAME_SHARE: Final = 0.01
"""The same for a hole of up to ``fill_constant_samples``, which only a constant current may fill. Chosen, not
measured."""

SAME_REST_SHARE: Final = 0.2
"""Share of the current of a rest that is added to the difference that ``SAME_SHARE`` allows. Chosen, not measured."""

QUIET_VOLT: Final = 0.02
"""V. An edge of the current moves the voltage by more than this. Chosen, not measured."""

STEADY_END_SHARE: Final = 0.05
"""Share of the current: the two nearest values of a step are steady if they differ by less. Chosen, not measured."""

HOLD_DOUBT: Final = 2.0
"""Times the charge between the line and the exponential through both sides of a hole in a hold: no more is unknown,
because its current decays ever more slowly. Chosen, not measured."""

SEEN_DOUBT: Final = 0.05
"""Share of a steady current that is in doubt over a long hole in which the voltage goes on without an edge. Chosen, not
measured."""

LARGEST_QUANTILE: Final = 0.999
"""The record's largest current without spikes: a current of which nothing is known is no larger. Chosen, not
measured."""


@dataclass(frozen=True, slots=True, eq=False)
class _Record:
    """What the filling looks at, shape (n,) each; the current is NaN where it is not known yet."""

    time: Floats
    current: Floats
    voltage: Floats
    step: Integers
    step_id: Floats
    weight_hour: Floats
    """h for which each sample stands: half of the intervals on both sides."""

    largest: float
    """A, largest current of the record without spikes."""


@dataclass(frozen=True, slots=True, eq=False)
class _Guess:
    """Currents for the rows of one run, in A, and how much each may be wrong at most, in A; shape (rows,) each."""

    current: Floats
    doubt: Floats


def current_missing(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Fill missing currents by the control of the step (constant current, hold, rest); bound the charge left unknown.

    Inside a step, up to ``fill_samples`` values are filled by the line between their neighbours if these differ little,
    or if the voltage shows no edge (constant current, rest); in a hold by an exponential decay. Up to
    ``fill_constant_samples`` are filled if the neighbours are equal within 1 % (constant current or rest). At the begin
    or end of a step its own last values are continued. All others are filled only while the charge that they may be
    wrong by, in all, is no more than ``missing_charge_share`` of the record's throughput; beyond it they stay missing,
    and the cell is not simulated.
    """
    current = column_values(frame, c.CURRENT)
    missing = np.isnan(current)
    if not missing.any():
        return RuleOutcome(frame)
    first, length = find_runs(missing)
    filled = _fill_certain(frame, current, first, length, settings)
    record = _record(frame, filled)
    bound_ah = np.zeros(len(current))
    for a, n in zip(first.tolist(), length.tolist(), strict=True):
        if np.isfinite(filled[a : a + n]).all():
            bound_ah[a : a + n] = _certain_bound_ah(record, current, a, n)
    filled, guessed_ah = _fill_bounded(frame, record, settings)
    bound_ah = np.where(np.isnan(record.current), guessed_ah, bound_ah)

    def after(i: int, n: int) -> str:
        unknown = f"at most {format_amount(bound_ah[i])} A.h unknown"
        if np.isnan(filled[i]):
            return f"missing; {unknown}"
        return f"{filled[i]:.6g} A; {unknown}"

    return set_filled(frame, c.CURRENT, filled, "current_missing", after)


def _record(frame: Table, current: Floats) -> _Record:
    time = column_values(frame, c.TEST_TIME)
    half = np.diff(time) / (2.0 * SECONDS_PER_HOUR)
    size = np.abs(current[np.isfinite(current)])
    return _Record(
        time,
        current,
        column_values(frame, c.VOLTAGE),
        frame[c.STEP_COUNT],
        column_values(frame, c.STEP_ID),
        np.append(half, 0.0) + np.append(0.0, half),
        float(np.quantile(size, LARGEST_QUANTILE)) if len(size) else 0.0,
    )


# Currents that the step's control makes known


def _fill_certain(frame: Table, current: Floats, first: Integers, length: Integers, settings: CleanSettings) -> Floats:
    """Return the current in A with those runs filled whose control is known, shape (n,).

    Args:
        frame: the record.
        current: A, shape (n,), NaN where missing.
        first, length: of the runs of missing currents, shape (runs,).
        settings: with the longest runs.
    """
    time = column_values(frame, c.TEST_TIME)
    step = frame[c.STEP_COUNT]
    inside_record = (first > 0) & (first + length < len(current))
    inside_step = inside_record.copy()
    inside_step[inside_record] = step[first[inside_record] - 1] == step[(first + length)[inside_record]]
    known_control = inside_step.copy()
    known_control[inside_step] = _control_known(frame, current, first[inside_step], length[inside_step], settings)
    interpolated = interpolate_runs(current, time, first[known_control], length[known_control])
    voltage = column_values(frame, c.VOLTAGE)
    for a, n in zip(first[known_control].tolist(), length[known_control].tolist(), strict=True):
        decay = _decay(time, current, voltage, slice(a, a + n))
        if decay is not None:
            interpolated[a : a + n] = decay
    filled = interpolated.copy()
    record = _record(frame, interpolated)
    for k in np.flatnonzero(~inside_step & (length <= settings.fill_samples)):
        rows = slice(int(first[k]), int(first[k] + length[k]))
        _fill_at_edge(filled, record, rows, rest_current(settings))
    return filled


def _control_known(frame: Table, current: Floats, first: Integers, length: Integers, settings: CleanSettings) -> Mask:
    """Tell for runs inside a step whether the values next to them show what the current was, shape (runs,)."""
    left = current[first - 1]
    right = current[first + length]
    larger = np.maximum(np.abs(left), np.abs(right))
    difference = np.abs(left - right)
    rest = rest_current(settings)
    quiet, flat = _quiet(column_values(frame, c.VOLTAGE), first, length)
    alike = difference <= STEADY_SHARE * larger + rest
    equal = difference <= SAME_SHARE * larger + SAME_REST_SHARE * rest
    short = (length <= settings.fill_samples) & (alike | flat)
    constant = (length <= settings.fill_constant_samples) & equal
    known: Mask = quiet & (short | constant)
    return known


def _quiet(voltage: Floats, first: Integers, length: Integers) -> tuple[Mask, Mask]:
    """Tell for runs inside the record whether the voltage shows no edge, and whether it hardly moves, shape (runs,).

    Args:
        voltage: V, shape (n,), NaN where missing.
        first, length: of the runs, shape (runs,).
    """
    voltage = fill_forward(voltage)
    low = np.fmin(voltage[first - 1], voltage[first + length])
    high = np.fmax(voltage[first - 1], voltage[first + length])
    # reduceat takes the parts between bounds: every other one is a run with its missing currents.
    bounds = np.stack([first, first + length], axis=1).ravel()
    padded = np.append(voltage, np.nan)
    lowest = np.fmin.reduceat(padded, bounds)[::2]
    highest = np.fmax.reduceat(padded, bounds)[::2]
    quiet = ~((lowest < low - QUIET_VOLT) | (highest > high + QUIET_VOLT))
    return quiet, quiet & (high - low <= QUIET_VOLT)


def _decay(time: Floats, current: Floats, voltage: Floats, rows: slice) -> Floats | None:
    """Return the exponential between the values beside a run in A, shape (rows,); ``None`` if no voltage is held.

    Args:
        time, current, voltage: s, A and V, shape (n,).
        rows: the run; a value is known on either side.
    """
    left = float(current[rows.start - 1])
    right = float(current[rows.stop])
    held = abs(float(voltage[rows.start - 1] - voltage[rows.stop])) <= HOLD_BAND_VOLT
    decays = abs(left - right) > SAME_SHARE * max(abs(left), abs(right))
    if not held or not decays or not left * right > 0.0:
        return None
    share = (time[rows] - time[rows.start - 1]) / (time[rows.stop] - time[rows.start - 1])
    decay: Floats = left * (right / left) ** share
    return decay


def _fill_at_edge(filled: Floats, record: _Record, rows: slice, rest: float) -> None:
    """Fill a short run at the beginning or end of steps with its own step's steady value, in place.

    Args:
        filled: A, shape (n,); written to.
        record: as far as its currents are known.
        rows: the run.
        rest: A, below which the cell rests.
    """
    two_before = np.arange(rows.start - 2, rows.start)[::-1]
    two_after = np.arange(rows.stop, rows.stop + 2)
    for row in range(rows.start, rows.stop):
        for near in (two_before, two_after):
            outside = near.min() < 0 or near.max() >= len(filled)
            if outside or (record.step[near] != record.step[row]).any():
                continue
            nearest, next_one = record.current[near].tolist()
            if abs(nearest - next_one) <= STEADY_END_SHARE * abs(nearest) + rest:
                filled[row] = nearest
                if abs(nearest - next_one) > SAME_SHARE * abs(nearest) and _is_held(record, near):
                    filled[row] = _continued(record, near, record.time[row : row + 1])[0]
                break


def _is_held(record: _Record, near: Integers) -> bool:
    """Tell whether two rows of a step have one voltage and currents of one direction, as in a hold."""
    nearest, other = record.current[near].tolist()
    held = abs(float(record.voltage[near[0]] - record.voltage[near[1]])) <= HOLD_BAND_VOLT
    return held and nearest * other > 0.0


def _continued(record: _Record, near: Integers, time_second: Floats) -> Floats:
    """Return the exponential through two rows in A at other times, no larger than the record's largest current.

    Args:
        record: the record.
        near: the two rows, the nearest first.
        time_second: s, shape (k,).
    """
    nearest, other = (float(ampere) for ampere in record.current[near])
    share: Floats = (time_second - record.time[near[0]]) / (record.time[near[0]] - record.time[near[1]])
    decay: Floats = np.clip(nearest * (nearest / other) ** share, -record.largest, record.largest)
    return decay


def _certain_bound_ah(record: _Record, current: Floats, first: int, rows: int) -> float:
    """Return the charge in A.h by which a run with a known control may be wrong: the currents beside it differ.

    Args:
        record: with the filled currents.
        current: A, before they were filled, shape (n,).
        first, rows: of the run.
    """
    near = record.current[max(first - 1, 0) : first + rows + 1]
    inside = first > 0 and first + rows < len(current) and record.step[first - 1] == record.step[first + rows]
    spread = float(np.nanmax(near) - np.nanmin(near)) / 2.0 if inside else 0.0
    return spread * float(record.weight_hour[first : first + rows].sum())


# Currents that are only bounded


def _fill_bounded(frame: Table, record: _Record, settings: CleanSettings) -> tuple[Floats, Floats]:
    """Fill the runs that are left, the least doubtful first, while little charge is unknown in all.

    Args:
        frame: the record.
        record: its currents as far as they are known.
        settings: with ``missing_charge_share``.

    Returns:
        The current in A, and at each row of these runs the bound of its run in A.h, shape (n,) each.
    """
    bound_by_row = np.zeros(len(record.current))
    filled = record.current.copy()
    first, length = find_runs(np.isnan(record.current))
    if not len(first):
        return filled, bound_by_row
    runs = [slice(a, a + n) for a, n in zip(first.tolist(), length.tolist(), strict=True)]
    guesses = [_guess(record, rows, settings) for rows in runs]
    bounds = [_bound_ah(frame, record, rows, guess) for rows, guess in zip(runs, guesses, strict=True)]
    known = np.isfinite(record.current)
    throughput_ah = float((np.abs(record.current[known]) * record.weight_hour[known]).sum())
    allowed_ah = settings.missing_charge_share * throughput_ah
    for k in np.argsort(bounds, kind="stable").tolist():
        bound_by_row[runs[k]] = bounds[k]
        allowed_ah -= bounds[k]
        if allowed_ah >= 0.0:
            filled[runs[k]] = guesses[k].current
    return filled, bound_by_row


def _guess(record: _Record, rows: slice, settings: CleanSettings) -> _Guess:
    """Return the best guess for a run: of each of its steps, by the values of that step beside it."""
    current = np.zeros(rows.stop - rows.start)
    doubt = np.full(rows.stop - rows.start, record.largest)
    steps = record.step[rows]
    begins = np.append(0, 1 + np.flatnonzero(np.diff(steps) != 0)).tolist()
    for a, b in zip(begins, [*begins[1:], len(steps)], strict=True):
        part = slice(rows.start + a, rows.start + b)
        before = part.start > 0 and record.step[part.start - 1] == steps[a]
        after = part.stop < len(record.step) and record.step[part.stop] == steps[a]
        if before and after:
            guess = _inside_step(record, part, settings)
        elif before:
            guess = _beside(record, part, np.arange(part.start - 2, part.start)[::-1])
        elif after:
            guess = _beside(record, part, np.arange(part.stop, part.stop + 2))
        else:
            guess = _whole_step(record, part)
        current[a:b] = guess.current
        doubt[a:b] = guess.doubt
    return _Guess(current, doubt)


def _inside_step(record: _Record, rows: slice, settings: CleanSettings) -> _Guess:
    """Guess the currents between two known ones of one step: a decay in a hold, else the line."""
    length = rows.stop - rows.start
    left = float(record.current[rows.start - 1])
    right = float(record.current[rows.stop])
    quiet, _ = _quiet(record.voltage, np.array([rows.start]), np.array([length]))
    share = (record.time[rows] - record.time[rows.start - 1]) / (record.time[rows.stop] - record.time[rows.start - 1])
    line = left + share * (right - left)
    if not quiet[0]:
        return _Guess(line, np.full(length, record.largest))
    decay = _decay(record.time, record.current, record.voltage, rows)
    if decay is not None:
        return _Guess(decay, HOLD_DOUBT * np.abs(line - decay))
    spread = abs(left - right)
    if length <= settings.fill_constant_samples and np.isfinite(record.voltage[rows]).all():
        return _Guess(line, np.full(length, spread))
    if _goes_on(record, slice(rows.start - 1, rows.stop + 1)):
        return _Guess(line, np.maximum(SEEN_DOUBT * np.abs(line), spread))
    # Over so long a time the current may have stopped unseen.
    return _Guess(line, np.full(length, max(abs(left), abs(right), spread)))


def _goes_on(record: _Record, rows: slice) -> bool:
    """Tell whether the voltage is known throughout and moves one way only: an edge of the current would turn it."""
    voltage = record.voltage[rows]
    if not np.isfinite(voltage).all():
        return False
    turned = voltage if voltage[-1] >= voltage[0] else -voltage
    return float((np.maximum.accumulate(turned) - turned).max()) <= QUIET_VOLT


def _beside(record: _Record, rows: slice, near: Integers) -> _Guess:
    """Guess the currents at a step's begin or end: as the nearest one, or decaying as between the two nearest ones.

    Args:
        record: the record.
        rows: of one step.
        near: the two rows next to them on the step's side, the nearest first; they may be outside record or step.
    """
    nearest = float(record.current[near[0]])
    constant = np.full(rows.stop - rows.start, nearest)
    goes_on = _goes_on(record, slice(min(rows.start, int(near[0])), max(rows.stop, int(near[0]) + 1)))
    bound = (SEEN_DOUBT if goes_on else 1.0) * np.abs(constant)
    inside = near.min() >= 0 and near.max() < len(record.current)
    if not inside or record.step[near[1]] != record.step[near[0]]:
        return _Guess(constant, bound)
    if not _is_held(record, near):
        return _Guess(constant, bound)
    decay = _continued(record, near, record.time[rows])
    if goes_on:
        return _Guess(decay, np.abs(decay - constant) + SEEN_DOUBT * np.abs(decay))
    return _Guess(decay, np.maximum(bound, np.abs(decay)))


def _whole_step(record: _Record, rows: slice) -> _Guess:
    """Guess the currents of a step of which none is known by other steps with the file's same step number."""
    length = rows.stop - rows.start
    twin = (record.step_id == record.step_id[rows.start]) & np.isfinite(record.current)
    others = record.current[twin]
    if len(others):
        guess = float(np.median(others))
        doubt = float(np.ptp(others)) + SEEN_DOUBT * abs(guess)
        return _Guess(np.full(length, guess), np.full(length, min(doubt, record.largest)))
    beside = [record.current[k] for k in (rows.start - 1, rows.stop) if 0 <= k < len(record.current)]
    near = [float(ampere) for ampere in beside if np.isfinite(ampere)]
    guess = float(np.mean(near)) if near else 0.0
    return _Guess(np.full(length, guess), np.full(length, record.largest))


def _bound_ah(frame: Table, record: _Record, rows: slice, guess: _Guess) -> float:
    """Return the most charge in A.h by which a run's guess may be wrong; less where counters went on."""
    weight = record.weight_hour[rows]
    bound = float((guess.doubt * weight).sum())
    if rows.start == 0 or rows.stop >= len(record.current):
        return bound
    ends = (rows.start - 1, rows.stop)
    counted = 0.0
    for name, sign in ((c.CHARGING_CAPACITY, 1.0), (c.DISCHARGING_CAPACITY, -1.0)):
        rise = float(np.diff(column_values(frame, name)[list(ends)])[0])
        if not rise >= 0.0:
            return bound
        counted += sign * rise
    ampere = np.concatenate([[record.current[ends[0]]], guess.current, [record.current[ends[1]]]])
    no_flags = np.zeros(len(ampere), dtype=np.int64)
    filled = float(interval_charge_ah(record.time[ends[0] : ends[1] + 1], ampere, no_flags).sum())
    return min(bound, abs(filled - counted))
