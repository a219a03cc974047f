"""Cleaning rules about the signal: spikes and lost contact. Real edges, pulses and relaxations must pass untouched.

A spike is a value that stands out from both of its neighbours on the same side, while the other signal says that
nothing happened: a relaxation is monotonous, an edge stays where it went, and a pulse moves voltage and current.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ..data import columns as c
from ..data.settings import CleanSettings
from .clean_event import Floats, Mask, Outcome, flagged, number, rest_current, run_events, runs, text, values
from .clean_values import MOST_OUT_OF_RANGE, filled_voltage
from .contact import JUMP_VOLT, jumped_beyond
from .noise import noise_of_steps

SPIKE_VOLT: Final = 0.02  # the least that counts as a spike, however quiet the channel
SPIKE_NOISE: Final = 8.0  # standard deviations of the step's noise
SPIKE_ROWS: Final = 2
SAME_CURRENT_SHARE: Final = 0.05
STEADY_STEP_SHARE: Final = 0.8  # of a step's samples at one current: it is under constant current
LONGEST_LOSS_SHARE: Final = 0.1  # of a step's samples without current


def voltage_spike(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Find one or two voltages that stand out from both sides of their step while the current goes on; interpolate.

    A voltage outside ``voltage_limits_volt`` between good ones is a spike whatever the current did. What cannot be
    interpolated (at a step's edge, beside a longer hole) stays missing.
    """
    voltage = values(frame, c.VOLTAGE)
    spike, bare = np.zeros(len(voltage), dtype=bool), frame
    # What stands beside a spike can be judged once the spike is gone.
    while (more := _stands_out(bare, settings) | _beyond_limits(values(bare, c.VOLTAGE), settings)).any():
        spike |= more
        bare = frame.assign(**{c.VOLTAGE: np.where(spike, np.nan, voltage)})
    if not spike.any():
        return Outcome(frame)
    mended = np.where(spike, filled_voltage(bare, settings), voltage)
    told = run_events(
        frame, spike, "voltage_spike", number(voltage, "V"), number(mended, "V"),
        lambda i, n: "left" if np.isnan(mended[i]) else "interpolated",
    )  # fmt: skip
    return Outcome(flagged(frame.assign(**{c.VOLTAGE: mended}), spike, "voltage_spike"), tuple(told))


def _beyond_limits(voltage: Floats, settings: CleanSettings) -> Mask:
    low, high = settings.voltage_limits_volt
    out = (voltage < low) | (voltage > high)
    spike = np.zeros(len(voltage), dtype=bool)
    if not out.any() or out.sum() > MOST_OUT_OF_RANGE * np.isfinite(voltage).sum():
        return spike
    # Missing values beside a spike do not make it longer, nor do they end it.
    known = np.flatnonzero(np.isfinite(voltage))
    first, length = runs(out[known])
    between = (length <= SPIKE_ROWS) & (first > 0) & (first + length < len(known))
    for i, n in zip(first[between], length[between], strict=True):
        spike[known[i : i + n]] = True
    return spike


def _stands_out(frame: pd.DataFrame, settings: CleanSettings) -> Mask:
    """Voltages of one or two rows beyond both neighbours, by more than the neighbours differ."""
    spike = np.zeros(len(frame), dtype=bool)
    known = np.flatnonzero(np.isfinite(values(frame, c.VOLTAGE)))
    voltage, step = values(frame, c.VOLTAGE)[known], frame[c.STEP_COUNT].to_numpy()[known]
    jumps = 1 + np.flatnonzero(np.abs(np.diff(voltage)) > SPIKE_VOLT)  # a spike begins with one
    if len(jumps) == 0:
        return spike
    current = frame[c.CURRENT].ffill().bfill().fillna(0.0).to_numpy(dtype=np.float64)[known]
    time = values(frame, c.TEST_TIME)[known]
    for length in range(1, SPIKE_ROWS + 1):
        i = jumps[jumps + length < len(known)]
        left, right = i - 1, i + length
        # A hole that will not be filled is no neighbourhood.
        reach = settings.fill_samples + 1
        near = (known[i] - known[left] <= reach) & (known[right] - known[right - 1] <= reach)
        near &= step[left] == step[right]
        i, left, right = i[near], left[near], right[near]
        lowest = np.min([voltage[i + k] for k in range(length)], axis=0)
        highest = np.max([voltage[i + k] for k in range(length)], axis=0)
        above = lowest - np.maximum(voltage[left], voltage[right])
        below = np.minimum(voltage[left], voltage[right]) - highest
        excess = np.maximum(above, below)
        bound = np.maximum(SPIKE_VOLT, SPIKE_NOISE * noise_of_steps(time, voltage, step, i))
        out = (excess > bound) & (excess > np.abs(voltage[left] - voltage[right]))
        steady = SAME_CURRENT_SHARE * np.abs(current[left]) + rest_current(settings)
        for k in range(length):
            line = current[left] + (k + 1) / (length + 1) * (current[right] - current[left])
            out &= np.abs(current[i + k] - line) <= steady
        # A current that itself goes elsewhere is an edge, unless it is the slow decay of a hold.
        out &= np.abs(current[right] - current[left]) <= 4.0 * steady
        for k in range(length):
            spike[known[i[out] + k]] = True
    return spike


def current_spike(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Find single currents far from both neighbours to which the voltage does not respond; interpolate them.

    How the voltage responds is learned from the record's own edges; without edges nothing is called a spike.
    """
    time, voltage, current = (values(frame, name) for name in (c.TEST_TIME, c.VOLTAGE, c.CURRENT))
    step = frame[c.STEP_COUNT].to_numpy()
    resistance = edge_resistance(voltage, current, settings.nominal_capacity_ah or 1.0)
    if resistance is None or len(frame) < 3:
        return Outcome(frame)
    least = 0.1 * (settings.nominal_capacity_ah or 1.0)
    # What is far from the line between its neighbours is far from one of them.
    far = np.abs(np.diff(current)) > 0.9 * least
    at = 1 + np.flatnonzero((far[1:] | far[:-1]) & np.isfinite(voltage[1:-1]))
    at = at[(step[at - 1] == step[at + 1]) & (step[at - 1] == step[at])]
    share = (time[at] - time[at - 1]) / (time[at + 1] - time[at - 1])
    line = current[at - 1] + share * (current[at + 1] - current[at - 1])
    size, across = np.abs(current[at] - line), np.abs(current[at + 1] - current[at - 1])
    reply = np.abs(voltage[at] - (voltage[at - 1] + share * (voltage[at + 1] - voltage[at - 1])))
    out = (size > least) & (across <= 0.2 * size) & (reply < 0.25 * resistance * size)
    at, line, size = at[out], line[out], size[out]
    if len(at) == 0:
        return Outcome(frame)
    known = np.isfinite(voltage)
    place = np.cumsum(known)[at] - 1
    quiet = SPIKE_VOLT / 4 + SPIKE_NOISE / 2 * noise_of_steps(time[known], voltage[known], step[known], place)
    loud = resistance * size > quiet
    spike, mended = np.zeros(len(current), dtype=bool), current.copy()
    spike[at[loud]], mended[at[loud]] = True, line[loud]
    if not spike.any():
        return Outcome(frame)
    told = run_events(frame, spike, "current_spike", number(current, "A"), number(mended, "A"), text("interpolated"))
    return Outcome(flagged(frame.assign(**{c.CURRENT: mended}), spike, "current_spike"), tuple(told))


def edge_resistance(voltage: Floats, current: Floats, capacity_ah: float) -> float | None:
    """Return the median of |dV / dI| in ohm over the record's edges of current; ``None`` for fewer than three."""
    jump = np.diff(current)
    edge = np.abs(jump) > 0.2 * capacity_ah
    ratio = np.diff(voltage)[edge] / jump[edge]
    ratio = ratio[np.isfinite(ratio)]
    return float(np.median(np.abs(ratio))) if len(ratio) >= 3 else None


def lost_contact(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Find runs where the voltage collapses or jumps to a limit, or where the current vanishes in a step that goes on.

    Such a voltage is taken as missing, and with it a current that vanished: a step that goes on as before was
    still under control, so the leads that measure were off. So it is where the current vanishes and the voltage does
    not respond. Where the voltage does respond, the current was really interrupted, and both values stay.
    """
    voltage, current = values(frame, c.VOLTAGE), values(frame, c.CURRENT)
    at_limit = jumped_beyond(voltage, current, rest_current(settings)) & (voltage <= settings.voltage_limits_volt[1])
    collapsed = _collapsed(voltage, settings) | at_limit
    vanished, answered = _vanished(frame, collapsed, settings)
    lost = collapsed | vanished
    if not lost.any():
        return Outcome(frame)
    frame = frame.assign(**{
        c.VOLTAGE: np.where(collapsed, np.nan, voltage),
        c.CURRENT: np.where(vanished & ~answered, np.nan, current),
    })  # fmt: skip
    told = run_events(
        frame, lost, "lost_contact", lambda i, n: f"{voltage[i]:.4g} V, {current[i]:.4g} A",
        lambda i, n: "as it was" if answered[i] else "missing",
        lambda i, n: "left" if answered[i] else "taken as missing",
    )  # fmt: skip
    return Outcome(flagged(frame, lost, "lost_contact"), tuple(told))


def _collapsed(voltage: Floats, settings: CleanSettings) -> Mask:
    """Voltages below the lower limit, in runs longer than a spike that begin and end with a jump or the record."""
    collapsed = np.zeros(len(voltage), dtype=bool)
    known = np.flatnonzero(np.isfinite(voltage))
    column = voltage[known]
    low = column < settings.voltage_limits_volt[0]
    if low.sum() > MOST_OUT_OF_RANGE * len(known):
        return collapsed
    for i, n in zip(*runs(low), strict=True):
        falls = i == 0 or column[i - 1] - column[i] > JUMP_VOLT
        returns = i + n == len(column) or column[i + n] - column[i + n - 1] > JUMP_VOLT
        if falls and returns and n > SPIKE_ROWS:
            collapsed[known[i : i + n]] = True
    return collapsed


def _vanished(frame: pd.DataFrame, collapsed: Mask, settings: CleanSettings) -> tuple[Mask, Mask]:
    """Where the current is about zero inside a step under constant current; and where the voltage responds to it."""
    voltage, current = values(frame, c.VOLTAGE), values(frame, c.CURRENT)
    step, rest = frame[c.STEP_COUNT].to_numpy(), rest_current(settings)
    vanished, answered = np.zeros(len(step), dtype=bool), np.zeros(len(step), dtype=bool)
    first, length = runs(np.abs(current) <= rest)
    inner = (first > 0) & (first + length < len(step))
    first, length = first[inner], length[inner]
    left, right = current[first - 1], current[first + length]
    like = (step[first - 1] == step[first + length]) & (np.abs(left - right) <= 0.02 * np.abs(left) + rest)
    for i, n in zip(first[like], length[like], strict=True):
        rows = slice(int(i), int(i + n))
        begin, end = np.searchsorted(step, step[i]), np.searchsorted(step, step[i], side="right")
        at_value = np.abs(current[begin:end] - current[i - 1]) <= 0.02 * abs(current[i - 1]) + rest
        if at_value.mean() < STEADY_STEP_SHARE or n > LONGEST_LOSS_SHARE * (end - begin):
            continue
        vanished[rows] = True
        if not collapsed[rows].any():
            off = np.abs(voltage[rows] - np.linspace(voltage[i - 1], voltage[i + n], n + 2)[1:-1])
            off = off[np.isfinite(off)]
            answered[rows] = len(off) == 0 or float(np.median(off)) > SPIKE_VOLT / 4
    return vanished, answered
