"""Cleaning rule about lost contacts: leads that come off within a step, and currents that vanish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from ...data.text import format_amount
from ..record.table import Table
from .missing_values import MOST_OUT_OF_RANGE
from .rule import RuleOutcome, column_values, fill_from_neighbours, find_runs, rest_current, run_events, set_flag
from .voltage_jumps import CONTACT_VOLT, Signal, find_real_extremes, find_voltage_jumps, may_jump
from .voltage_spikes import SAME_CURRENT_SHARE, SPIKE_ROWS, SPIKE_VOLT

CONTACT_RETURN: Final = 0.2
"""Share of the jump by which the voltages before it and after the jump back may differ. Chosen, not measured."""

LONGEST_OFF_ROWS: Final = 200
"""Most rows between a jump and the jump back. Chosen, not measured."""

OFF_SIDE_ROWS: Final = 7
"""Number of rows on each side whose median is the voltage there; odd. Chosen, not measured."""

OFF_DISTANCE_SHARE: Final = 0.5
"""Share of the jump: the voltage between the jumps differs from that on both sides by more. Chosen, not measured."""

OFF_DECAY: Final = 0.3
"""Share of the current by which it may change meanwhile, as it decays in a hold. Chosen, not measured."""

STEADY_STEP_SHARE: Final = 0.8
"""Least share of a step's samples with one current, for a step under constant current. Chosen, not measured."""

SAME_SHARE: Final = 0.02
"""Share of the current: in a step under constant current, two currents are the same if they differ by less. Chosen, not
measured."""

LONGEST_LOSS_SHARE: Final = 0.1
"""Largest share of a step's samples without current. Chosen, not measured."""

RESPONSE_VOLT: Final = SPIKE_VOLT / 4
"""V: a voltage that moves by more responds to a current that vanishes. Chosen, not measured."""


def lost_contact(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Find where the voltage collapses, or where the current vanishes in a step that continues at the same current.

    A voltage that jumps away while the current stays the same, and jumps back after some rows, is a lost contact too,
    at any voltage. Such a voltage is taken as missing, and with it a current that vanished: the step continued as
    before, so it was under control and only the measurement was interrupted. The same holds if the current vanishes and
    the voltage does not respond. If the voltage responds, the current was really interrupted, and both values stay.
    """
    voltage = column_values(frame, c.VOLTAGE)
    current = column_values(frame, c.CURRENT)
    _, high = settings.voltage_limits_volt
    beyond_others = find_voltage_jumps(frame, settings) & (voltage <= high)
    collapsed = _find_collapses(frame, settings) | _find_jumps_with_return(frame, settings) | beyond_others
    vanished, responded = _find_vanished_current(frame, collapsed, settings)
    lost = collapsed | vanished
    if not lost.any():
        return RuleOutcome(frame)
    frame = frame.assign(
        **{
            c.VOLTAGE: np.where(collapsed, np.nan, voltage),
            c.CURRENT: np.where(vanished & ~responded, np.nan, current),
        }
    )

    def before(i: int, n: int) -> str:
        return f"{format_amount(voltage[i])} V, {format_amount(current[i])} A"

    def after(i: int, n: int) -> str:
        return "as it was" if responded[i] else "missing"

    def action(i: int, n: int) -> str:
        return "left" if responded[i] else "taken as missing"

    events = run_events(frame, lost, "lost_contact", before, after, action)
    return RuleOutcome(set_flag(frame, lost, "lost_contact"), tuple(events))


def _find_collapses(frame: Table, settings: CleanSettings) -> Mask:
    """Tell where the voltage is below its lower limit after a jump and before the jump back, shape (n,).

    A run at an end of the record needs only one jump. Runs that are no longer than a spike, and records in which too
    many voltages are out of range, are left to other rules. Voltages that the cell really had are no collapse.
    """
    voltage = column_values(frame, c.VOLTAGE)
    collapsed = np.zeros(len(voltage), dtype=bool)
    lower_limit, _ = settings.voltage_limits_volt
    if not (voltage < lower_limit).any():
        return collapsed
    known = np.flatnonzero(np.isfinite(voltage))
    known_voltage = voltage[known]
    low = known_voltage < lower_limit
    if low.sum() > MOST_OUT_OF_RANGE * len(known):
        return collapsed
    real = find_real_extremes(frame, voltage < lower_limit, settings)[known]
    for first, length in zip(*find_runs(low), strict=True):
        end = first + length
        falls = first == 0 or known_voltage[first - 1] - known_voltage[first] > CONTACT_VOLT
        returns = end == len(known) or known_voltage[end] - known_voltage[end - 1] > CONTACT_VOLT
        if falls and returns and length > SPIKE_ROWS and not real[first]:
            collapsed[known[first:end]] = True
    return collapsed


@dataclass(frozen=True, slots=True, eq=False)
class _Jumps:
    """The samples with a known voltage, and the pairs of jumps between them that may be a lost contact.

    Args:
        known: positions of the samples in the record, shape (m,).
        voltage, current: V and A of these samples, shape (m,).
        first, last: first and last sample between a jump and the jump back, as positions in ``known``.
        same_ampere: A, by which currents of one pair may differ and be the same.
    """

    known: Integers
    voltage: Floats
    current: Floats
    first: Integers
    last: Integers
    same_ampere: Floats


def _find_jumps_with_return(frame: Table, settings: CleanSettings) -> Mask:
    """Tell where the voltage is between a jump and the jump back without a cause in the current, shape (n,).

    The current must be the same before and after. In between it must be the same too; or it must be zero, and the
    voltage outside the range of the rest of the record: an interrupted current lets a voltage relax, but not leave its
    range.
    """
    off = np.zeros(len(frame), dtype=bool)
    if not may_jump(frame, CONTACT_VOLT):
        return off
    rest = rest_current(settings)
    jumps = _pair_jumps(frame, settings)
    if not len(jumps.first):
        return off
    voltage = jumps.voltage
    usual_low, usual_high = np.quantile(voltage, (0.05, 0.95))
    lower_limit, upper_limit = settings.voltage_limits_volt
    for first, last, same_ampere in zip(jumps.first.tolist(), jumps.last.tolist(), jumps.same_ampere, strict=True):
        rows = slice(first, last + 1)
        inside_volt = float(np.median(voltage[rows]))
        jump_volt = abs(voltage[first] - voltage[first - 1])
        if _distance_from_sides(voltage, rows, inside_volt) < OFF_DISTANCE_SHARE * jump_volt:
            continue
        same_current = _stays_between_ends(jumps.current, rows, same_ampere)
        in_range = lower_limit <= inside_volt <= upper_limit
        if same_current.all() and not in_range:
            continue  # the rule voltage_range takes each voltage that is out of range
        no_current = np.abs(jumps.current[rows]) <= rest
        below_usual = voltage[rows] < usual_low - CONTACT_VOLT
        above_usual = voltage[rows] > usual_high + CONTACT_VOLT
        off[jumps.known[rows]] = (same_current | (no_current & (below_usual | above_usual))).all()
    return off


def _pair_jumps(frame: Table, settings: CleanSettings) -> _Jumps:
    """Return the pairs of a jump and the next jump that returns to the same voltage and current.

    Jumps that both have a cause, in much charge or at an edge between steps, are none.

    Args:
        frame: the record.
        settings: with the capacity and the current of a rest.
    """
    rest = rest_current(settings)
    known = np.flatnonzero(np.isfinite(column_values(frame, c.VOLTAGE)))
    voltage = column_values(frame, c.VOLTAGE)[known]
    current = fill_from_neighbours(column_values(frame, c.CURRENT))[known]
    rise = np.diff(voltage)
    jump = np.flatnonzero(np.abs(rise) > CONTACT_VOLT)
    # Position k is the interval from sample k to k + 1.
    away = jump[:-1]
    back = jump[1:]
    length = back - away
    good_length = (length > SPIKE_ROWS) & (length <= LONGEST_OFF_ROWS)
    opposite = rise[away] * rise[back] < 0.0
    voltage_returns = np.abs(voltage[back + 1] - voltage[away]) <= CONTACT_RETURN * np.abs(rise[away])
    current_before = np.abs(current[away])
    same_ampere = SAME_CURRENT_SHARE * current_before + rest
    current_change = np.abs(current[back + 1] - current[away])
    current_returns = current_change <= np.maximum(same_ampere, OFF_DECAY * current_before)
    cause = Signal.of_record(frame, known, settings).has_cause(jump)
    good = good_length & opposite & voltage_returns & current_returns & ~(cause[:-1] & cause[1:])
    return _Jumps(known, voltage, current, away[good] + 1, back[good], same_ampere[good])


def _distance_from_sides(voltage: Floats, rows: slice, inside_volt: float) -> float:
    """Return the smaller distance of a voltage from the medians before and after some rows, in V.

    Good values between two spikes are like those beyond the spikes, so their distance is small.
    """
    before = voltage[max(rows.start - OFF_SIDE_ROWS, 0) : rows.start]
    after = voltage[rows.stop : rows.stop + OFF_SIDE_ROWS]
    return min(abs(float(np.median(side)) - inside_volt) for side in (before, after))


def _stays_between_ends(current: Floats, rows: slice, same_ampere: float) -> Mask:
    """Tell in which of these rows the current is between the values next to them, give or take ``same_ampere``."""
    low, high = sorted((current[rows.start - 1], current[rows.stop]))
    stays: Mask = (current[rows] >= low - same_ampere) & (current[rows] <= high + same_ampere)
    return stays


def _find_vanished_current(frame: Table, collapsed: Mask, settings: CleanSettings) -> tuple[Mask, Mask]:
    """Tell where the current is about zero inside a step under constant current, and where the voltage responds to it.

    Args:
        frame: the record.
        collapsed: where the voltage is already known to be lost, shape (n,).
        settings: with the limits of the voltage and the current of a rest.

    Returns:
        Two masks of shape (n,).
    """
    voltage = column_values(frame, c.VOLTAGE)
    current = column_values(frame, c.CURRENT)
    step = frame[c.STEP_COUNT]
    rest = rest_current(settings)
    vanished = np.zeros(len(step), dtype=bool)
    responded = np.zeros(len(step), dtype=bool)
    first, length = find_runs(np.abs(current) <= rest)
    inner = (first > 0) & (first + length < len(step))
    first = first[inner]
    length = length[inner]
    left = current[first - 1]
    right = current[first + length]
    same_step = step[first - 1] == step[first + length]
    same_current = np.abs(left - right) <= SAME_SHARE * np.abs(left) + rest
    goes_on = same_step & same_current
    for i, n in zip(first[goes_on], length[goes_on], strict=True):
        rows = slice(int(i), int(i + n))
        begin = np.searchsorted(step, step[i])
        end = np.searchsorted(step, step[i], side="right")
        at_current = np.abs(current[begin:end] - current[i - 1]) <= SAME_SHARE * abs(current[i - 1]) + rest
        constant = at_current.mean() >= STEADY_STEP_SHARE and n <= LONGEST_LOSS_SHARE * (end - begin)
        if not (constant or collapsed[rows].all()):
            continue
        vanished[rows] = True
        if not collapsed[rows].any():
            responded[rows] = _voltage_responds(voltage, rows, settings)
    return vanished, responded


def _voltage_responds(voltage: Floats, rows: slice, settings: CleanSettings) -> bool:
    """Tell whether the voltage moves while the current is zero; True if it is missing.

    A voltage that no cell has is no response.
    """
    length = rows.stop - rows.start
    low, high = settings.voltage_limits_volt
    line = np.linspace(voltage[rows.start - 1], voltage[rows.stop], length + 2)[1:-1]
    distance = np.abs(voltage[rows] - line)
    distance = distance[np.isfinite(distance)]
    if len(distance) == 0:
        return True
    possible = ((voltage[rows] >= low) & (voltage[rows] <= high)).any()
    return bool(possible and float(np.median(distance)) > RESPONSE_VOLT)
