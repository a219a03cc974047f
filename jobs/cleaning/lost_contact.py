"""Cleaning rule about contacts: leads that come off within a step, and currents that vanish."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Mask
from ...data.settings import CleanSettings
from ...data.text import format_amount
from .missing_values import MOST_OUT_OF_RANGE
from .rule import RuleOutcome, column_values, find_runs, rest_current, run_events, set_flag
from .spikes import SAME_CURRENT_SHARE, SPIKE_ROWS, SPIKE_VOLT
from .voltage_jumps import CONTACT_VOLT, find_voltage_jumps, may_jump

CONTACT_RETURN: Final = 0.2  # of the jump, by which the voltages before and after may differ
LONGEST_OFF_ROWS: Final = 200
OFF_SIDE_ROWS: Final = 7
OFF_DECAY: Final = 0.3  # of the current, which may decay meanwhile in a hold
STEADY_STEP_SHARE: Final = 0.8  # of a step's samples at one current: it is under constant current
LONGEST_LOSS_SHARE: Final = 0.1  # of a step's samples without current


def lost_contact(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Find runs where the voltage collapses, or where the current vanishes in a step that goes on at the same current.

    A voltage that jumps away from what the same current goes on to give, and back after some rows, is one of open
    leads too, wherever it jumps to. Such a voltage is taken as missing, and with it a current that vanished: a step
    that goes on as before was still under control, so the leads that measure were off. So it is where the current
    vanishes and the voltage does not respond. Where the voltage does respond, the current was really interrupted,
    and both values stay.
    """
    voltage, current = column_values(frame, c.VOLTAGE), column_values(frame, c.CURRENT)
    at_limit = find_voltage_jumps(voltage, current, rest_current(settings)) & (
        voltage <= settings.voltage_limits_volt[1]
    )
    collapsed = _collapsed(voltage, settings) | _find_jumps_with_return(frame, settings) | at_limit
    vanished, answered = _vanished(frame, collapsed, settings)
    lost = collapsed | vanished
    if not lost.any():
        return RuleOutcome(frame)
    frame = frame.assign(**{
        c.VOLTAGE: np.where(collapsed, np.nan, voltage),
        c.CURRENT: np.where(vanished & ~answered, np.nan, current),
    })  # fmt: skip
    told = run_events(
        frame, lost, "lost_contact", lambda i, n: f"{format_amount(voltage[i])} V, {format_amount(current[i])} A",
        lambda i, n: "as it was" if answered[i] else "missing",
        lambda i, n: "left" if answered[i] else "taken as missing",
    )  # fmt: skip
    return RuleOutcome(set_flag(frame, lost, "lost_contact"), tuple(told))


def _collapsed(voltage: Floats, settings: CleanSettings) -> Mask:
    """Voltages below the lower limit, in runs longer than a spike that begin and end with a jump or the record."""
    collapsed = np.zeros(len(voltage), dtype=bool)
    if not (voltage < settings.voltage_limits_volt[0]).any():
        return collapsed
    known = np.flatnonzero(np.isfinite(voltage))
    column = voltage[known]
    low = column < settings.voltage_limits_volt[0]
    if low.sum() > MOST_OUT_OF_RANGE * len(known):
        return collapsed
    for i, n in zip(*find_runs(low), strict=True):
        falls = i == 0 or column[i - 1] - column[i] > CONTACT_VOLT
        returns = i + n == len(column) or column[i + n] - column[i + n - 1] > CONTACT_VOLT
        if falls and returns and n > SPIKE_ROWS:
            collapsed[known[i : i + n]] = True
    return collapsed


def _find_jumps_with_return(frame: pd.DataFrame, settings: CleanSettings) -> Mask:
    """Voltages between a jump and the jump back, in runs longer than a spike, while the current gives no reason.

    The current must be the same before and after, and in between either the same or, where the voltage goes beyond
    all that the record has elsewhere, none: an interrupted current lets the voltage relax, but not leave its range.
    """
    off = np.zeros(len(frame), dtype=bool)
    if not may_jump(column_values(frame, c.VOLTAGE), CONTACT_VOLT):
        return off
    known = np.flatnonzero(np.isfinite(column_values(frame, c.VOLTAGE)))
    voltage = column_values(frame, c.VOLTAGE)[known]
    current = frame[c.CURRENT].ffill().bfill().to_numpy(dtype=np.float64)[known]
    rise, rest = np.diff(voltage), rest_current(settings)
    jump = np.flatnonzero(np.abs(rise) > CONTACT_VOLT)
    if len(jump) < 2:
        return off
    away, back = jump[:-1], jump[1:]
    good = (rise[away] * rise[back] < 0.0) & (back - away > SPIKE_ROWS) & (back - away <= LONGEST_OFF_ROWS)
    good &= np.abs(voltage[back + 1] - voltage[away]) <= CONTACT_RETURN * np.abs(rise[away])
    alike = SAME_CURRENT_SHARE * np.abs(current[away]) + rest
    good &= np.abs(current[back + 1] - current[away]) <= np.maximum(alike, OFF_DECAY * np.abs(current[away]))
    (low, high), limits = np.quantile(voltage, (0.05, 0.95)), settings.voltage_limits_volt
    for first, last, bound in zip(away[good] + 1, back[good], alike[good], strict=True):
        rows = slice(int(first), int(last) + 1)
        # What lies between two spikes is as what lies beyond them.
        sides = [voltage[max(rows.start - OFF_SIDE_ROWS, 0) : rows.start], voltage[rows.stop :][:OFF_SIDE_ROWS]]
        inside = float(np.median(voltage[rows]))
        if min(abs(float(np.median(side)) - inside) for side in sides) < 0.5 * abs(rise[rows.start - 1]):
            continue
        ends = sorted((current[first - 1], current[last + 1]))
        same = (current[rows] >= ends[0] - bound) & (current[rows] <= ends[1] + bound)
        if same.all() and not limits[0] <= inside <= limits[1]:
            continue  # out of range: another rule's, which takes each such voltage
        beyond = (voltage[rows] < low - CONTACT_VOLT) | (voltage[rows] > high + CONTACT_VOLT)
        off[known[rows]] = (same | ((np.abs(current[rows]) <= rest) & beyond)).all()
    return off


def _vanished(frame: pd.DataFrame, collapsed: Mask, settings: CleanSettings) -> tuple[Mask, Mask]:
    """Where the current is about zero inside a step under constant current; and where the voltage responds to it."""
    voltage, current = column_values(frame, c.VOLTAGE), column_values(frame, c.CURRENT)
    step, rest, (low, high) = frame[c.STEP_COUNT].to_numpy(), rest_current(settings), settings.voltage_limits_volt
    vanished, answered = np.zeros(len(step), dtype=bool), np.zeros(len(step), dtype=bool)
    first, length = find_runs(np.abs(current) <= rest)
    inner = (first > 0) & (first + length < len(step))
    first, length = first[inner], length[inner]
    left, right = current[first - 1], current[first + length]
    like = (step[first - 1] == step[first + length]) & (np.abs(left - right) <= 0.02 * np.abs(left) + rest)
    for i, n in zip(first[like], length[like], strict=True):
        rows = slice(int(i), int(i + n))
        begin, end = np.searchsorted(step, step[i]), np.searchsorted(step, step[i], side="right")
        at_value = np.abs(current[begin:end] - current[i - 1]) <= 0.02 * abs(current[i - 1]) + rest
        steady = at_value.mean() >= STEADY_STEP_SHARE and n <= LONGEST_LOSS_SHARE * (end - begin)
        if not (steady or collapsed[rows].all()):
            continue
        vanished[rows] = True
        if not collapsed[rows].any():
            off = np.abs(voltage[rows] - np.linspace(voltage[i - 1], voltage[i + n], n + 2)[1:-1])
            off = off[np.isfinite(off)]
            # A voltage that no cell has is no answer.
            possible = ((voltage[rows] >= low) & (voltage[rows] <= high)).any()
            answered[rows] = len(off) == 0 or (possible and float(np.median(off)) > SPIKE_VOLT / 4)
    return vanished, answered
