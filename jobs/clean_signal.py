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
from .clean_event import Floats, Integers, Mask, Outcome, flagged, number, rest_current, run_events, runs, text, values
from .clean_values import MOST_OUT_OF_RANGE, filled_voltage
from .noise import noise_of_steps

SPIKE_VOLT: Final = 0.02  # the least that counts as a spike, however quiet the channel
SPIKE_NOISE: Final = 8.0  # standard deviations of the step's noise
NOISE_FACTOR: Final = 10.0  # times the record's usual noise, beyond which a step's own is not believed
SPIKE_ROWS: Final = 2
PAIR_FACTOR: Final = 3.0  # times the difference between the two rows of a spike; a drift that jumps back is none
PAIR_BOUND: Final = 5.0  # ... unless it is so many times larger than it must be
SAME_CURRENT_SHARE: Final = 0.05
CONTACT_VOLT: Final = 0.3  # the least jump of the voltage when contact is lost
CONTACT_RETURN: Final = 0.2  # of the jump, by which the voltages before and after may differ
LONGEST_OFF_ROWS: Final = 200
OFF_SIDE_ROWS: Final = 7
OFF_DECAY: Final = 0.3  # of the current, which may decay meanwhile in a hold
STEADY_STEP_SHARE: Final = 0.8  # of a step's samples at one current: it is under constant current
REPLY_VOLT: Final = 0.001  # the least reply of the voltage that is asked for, in a smooth course
CONTROL_ROWS: Final = 11
CONTROL_SHARE: Final = 0.01  # of the current, within which it follows the line between its neighbours
LONGEST_LOSS_SHARE: Final = 0.1  # of a step's samples without current


def voltage_spike(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Find one or two voltages that stand out from both sides of their step while the current goes on; interpolate.

    A voltage outside ``voltage_limits_volt`` between good ones is a spike whatever the current did. What cannot be
    interpolated (at a step's edge, beside a longer hole) stays missing.
    """
    voltage = values(frame, c.VOLTAGE)
    spike, bare = np.zeros(len(voltage), dtype=bool), frame
    # What stands beside a spike, or between two, can be judged once they are gone.
    while (more := _next_spikes(bare, settings)).any():
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


def _next_spikes(frame: pd.DataFrame, settings: CleanSettings) -> Mask:
    beyond = _beyond_limits(values(frame, c.VOLTAGE), settings)
    return beyond if beyond.any() else _stands_out(frame, settings)


def _beyond_limits(voltage: Floats, settings: CleanSettings) -> Mask:
    low, high = settings.voltage_limits_volt
    out = (voltage < low) | (voltage > high)
    spike = np.zeros(len(voltage), dtype=bool)
    if out.sum() > MOST_OUT_OF_RANGE * np.isfinite(voltage).sum():
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
    known = np.flatnonzero(np.isfinite(values(frame, c.VOLTAGE)))
    voltage, step = values(frame, c.VOLTAGE)[known], frame[c.STEP_COUNT].to_numpy()[known]
    current = frame[c.CURRENT].ffill().bfill().fillna(0.0).to_numpy(dtype=np.float64)[known]
    time = values(frame, c.TEST_TIME)[known]
    noise = noise_of_steps(time, voltage, step)
    # In a step of a few samples a spike itself makes the noise.
    bound = np.maximum(SPIKE_VOLT, SPIKE_NOISE * np.minimum(noise, NOISE_FACTOR * np.median(noise, axis=0)))
    spike = np.zeros(len(frame), dtype=bool)
    for length in range(1, SPIKE_ROWS + 1):
        i = np.arange(1, max(len(known) - length, 1))
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
        # Across a hole in a slope the sample need not be near its neighbour.
        hole = known[i] - known[left] - 1
        slope = np.abs(voltage[left] - voltage[np.maximum(left - 1, 0)])
        excess = np.maximum(above, below) - 2.0 * slope * hole
        out = (excess > bound[i]) & (excess > np.abs(voltage[left] - voltage[right]))
        out &= (excess > PAIR_FACTOR * (highest - lowest)) | (excess > PAIR_BOUND * bound[i])
        steady = SAME_CURRENT_SHARE * np.abs(current[left]) + rest_current(settings)
        for k in range(length):
            line = current[left] + (k + 1) / (length + 1) * (current[right] - current[left])
            out &= np.abs(current[i + k] - line) <= steady
        # A current that itself goes elsewhere is an edge, unless it is the slow decay of a hold.
        held = np.abs(voltage[right] - voltage[left]) <= SPIKE_VOLT / 4
        out &= np.abs(current[right] - current[left]) <= np.where(held, 8.0, 4.0) * steady
        for k in range(length):
            spike[known[i[out] + k]] = True
    return spike


def current_spike(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Find single currents far from both neighbours to which the voltage does not respond; interpolate them.

    How the voltage responds is learned from the record's own edges. Where there are none, or the spike is small, only
    what stands alone in a smooth course of the current (constant, or decaying in a hold) is called one.
    """
    time, voltage, current = (values(frame, name) for name in (c.TEST_TIME, c.VOLTAGE, c.CURRENT))
    step = frame[c.STEP_COUNT].to_numpy()
    resistance = edge_resistance(voltage, current, step, settings.nominal_capacity_ah or 1.0)
    if len(frame) < 3:
        return Outcome(frame)
    line, beside = current.copy(), _through_holes(current, time)
    share = (time[1:-1] - time[:-2]) / (time[2:] - time[:-2])
    line[1:-1] = beside[:-2] + share * (beside[2:] - beside[:-2])
    jump = np.zeros(len(current))
    jump[1:-1] = current[1:-1] - line[1:-1]
    reply = np.full(len(current), np.nan)
    around = _through_holes(voltage, time)
    reply[1:-1] = np.abs(voltage[1:-1] - (around[:-2] + share * (around[2:] - around[:-2])))
    across = np.full(len(current), np.inf)
    across[1:-1] = np.where(
        (step[:-2] == step[2:]) & (step[:-2] == step[1:-1]), np.abs(beside[2:] - beside[:-2]), np.inf
    )
    known = np.isfinite(voltage)
    noise = np.zeros(len(voltage))
    noise[known] = SPIKE_NOISE / 2 * noise_of_steps(time[known], voltage[known], step[known])
    size = np.abs(jump)
    alone, smooth = across <= 0.2 * size, _leaves_control(line, size, settings)
    if resistance is None:
        spike = alone & smooth & (reply < SPIKE_VOLT / 4 + noise)
    else:
        large = size > 0.1 * (settings.nominal_capacity_ah or 1.0)
        heard = np.where(smooth, REPLY_VOLT, SPIKE_VOLT / 4) + noise
        spike = alone & (large | smooth) & (resistance * size > heard) & (reply < 0.25 * resistance * size)
    if not spike.any():
        return Outcome(frame)
    mended = np.where(spike, line, current)
    told = run_events(frame, spike, "current_spike", number(current, "A"), number(mended, "A"), text("interpolated"))
    return Outcome(flagged(frame.assign(**{c.CURRENT: mended}), spike, "current_spike"), tuple(told))


def _through_holes(column: Floats, time: Floats) -> Floats:
    """The column with missing values on the line between known ones."""
    return np.asarray(pd.Series(column, index=time).interpolate("index"), dtype=np.float64)


def _leaves_control(line: Floats, size: Floats, settings: CleanSettings) -> Mask:
    """Currents off the line between their neighbours where those around are on it (a constant current, a hold).

    Args:
        line: A, the line between each sample's neighbours.
        size: A, how far the sample is from it.
    """
    rest = rest_current(settings)
    usual = pd.Series(size).rolling(CONTROL_ROWS, center=True, min_periods=3).median().to_numpy()
    smooth = (np.abs(line) > rest) & (usual <= CONTROL_SHARE * np.abs(line))
    result: Mask = smooth & (size > 0.1 * np.abs(line) + rest)
    return result


def edge_resistance(voltage: Floats, current: Floats, step: Integers, capacity_ah: float) -> float | None:
    """Return the median of |dV / dI| in ohm over the record's edges of current; ``None`` where there are too few.

    Edges between steps are asked first, large ones before small ones. A spike of the current makes two edges inside a
    step, so that edges there must be many.
    """
    jump, rise = np.diff(current), np.diff(voltage)
    between = np.diff(step) != 0
    for where, per_ah, least in ((between, 0.2, 3), (between, 0.05, 3), (~between, 0.2, 20)):
        edge = where & (np.abs(jump) > per_ah * capacity_ah)
        ratio = rise[edge] / jump[edge]
        ratio = ratio[np.isfinite(ratio)]
        if len(ratio) >= least:
            return float(np.median(np.abs(ratio)))
    return None


def lost_contact(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Find runs where the voltage collapses, or where the current vanishes in a step that goes on at the same current.

    A voltage that jumps away from what the same current goes on to give, and back after some rows, is one of open
    leads too, wherever it jumps to. Such a voltage is taken as missing, and with it a current that vanished: a step
    that goes on as before was still under control, so the leads that measure were off. So it is where the current
    vanishes and the voltage does not respond. Where the voltage does respond, the current was really interrupted,
    and both values stay.
    """
    voltage, current = values(frame, c.VOLTAGE), values(frame, c.CURRENT)
    collapsed = _collapsed(voltage, settings) | _off_and_back(frame, settings)
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
        falls = i == 0 or column[i - 1] - column[i] > CONTACT_VOLT
        returns = i + n == len(column) or column[i + n] - column[i + n - 1] > CONTACT_VOLT
        if falls and returns and n > SPIKE_ROWS:
            collapsed[known[i : i + n]] = True
    return collapsed


def _off_and_back(frame: pd.DataFrame, settings: CleanSettings) -> Mask:
    """Voltages between a jump and the jump back, in runs longer than a spike, while the current gives no reason.

    The current must be the same before and after, and in between either the same or, where the voltage goes beyond
    all that the record has elsewhere, none: an interrupted current lets the voltage relax, but not leave its range.
    """
    off = np.zeros(len(frame), dtype=bool)
    known = np.flatnonzero(np.isfinite(values(frame, c.VOLTAGE)))
    voltage = values(frame, c.VOLTAGE)[known]
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
        steady = at_value.mean() >= STEADY_STEP_SHARE and n <= LONGEST_LOSS_SHARE * (end - begin)
        if not (steady or collapsed[rows].all()):
            continue
        vanished[rows] = True
        if not collapsed[rows].any():
            off = np.abs(voltage[rows] - np.linspace(voltage[i - 1], voltage[i + n], n + 2)[1:-1])
            off = off[np.isfinite(off)]
            answered[rows] = len(off) == 0 or float(np.median(off)) > SPIKE_VOLT / 4
    return vanished, answered
