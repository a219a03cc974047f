"""Cleaning rule about spikes of the current. Real edges and pulses must pass unchanged.

A spike of the current is far from both of its neighbours, and the voltage does not respond to it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from ..record.noise import estimate_step_noise
from ..record.table import Table
from .rule import (
    RuleOutcome,
    cell_capacity_ah,
    column_values,
    constant_text,
    number_text,
    rest_current,
    run_events,
    set_flag,
)

SPIKE_PER_AH: Final = 0.1
"""A per A.h of capacity: a larger spike of the current needs no smooth course around it. Chosen, not measured."""

SPIKE_SHARE: Final = 0.1
"""Share of the current: smallest spike in a smooth course, plus the current of a rest. Chosen, not measured."""

ACROSS_SHARE: Final = 0.2
"""Share of the spike by which the currents on both sides may differ. Chosen, not measured."""

RESPONSE_SHARE: Final = 0.25
"""Share of the response that the record's resistance predicts: if the voltage moves by less, it does not respond.
Chosen, not measured."""

RESPONSE_VOLT: Final = 0.001
"""V: smallest predicted response of a spike in a smooth course. Chosen, not measured."""

ROUGH_RESPONSE_VOLT: Final = 0.005
"""V: smallest predicted response of a spike elsewhere. Chosen, not measured."""

RESPONSE_NOISE: Final = 4.0
"""Standard deviations of the voltage's noise that a response exceeds. Chosen, not measured."""

CONTROL_ROWS: Final = 11
"""Number of rows around a sample in which the course of the current is judged. Chosen, not measured."""

CONTROL_SHARE: Final = 0.01
"""Share of the current: in a smooth course it is this close to the line between its neighbours. Chosen, not
measured."""

TWICE_SHARE: Final = 0.01
"""Share of the time between its neighbours: a row closer than this to one of them is a second row at that time. Chosen,
not measured."""


class EdgeSearch(NamedTuple):
    """Which edges of the current show the cell's resistance.

    Args:
        between_steps: edges between steps, or else within them.
        least_per_ah: smallest edge, in A per A.h of capacity.
        least_edges: smallest number of edges.
    """

    between_steps: bool
    least_per_ah: float
    least_edges: int


EDGE_SEARCHES: Final = (
    EdgeSearch(between_steps=True, least_per_ah=0.2, least_edges=3),
    EdgeSearch(between_steps=True, least_per_ah=0.05, least_edges=3),
    EdgeSearch(between_steps=False, least_per_ah=0.2, least_edges=20),
)
"""Tried in this order until one finds enough edges. Within steps there must be many, because a spike of the current
makes two edges there. Chosen, not measured."""


def current_spike(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Find single currents far from both neighbours to which the voltage does not respond; interpolate them.

    The record's own edges show how the voltage responds. Without edges, and for small spikes, only a single value in a
    smooth course of the current (constant, or decaying in a hold) is a spike.
    """
    current = column_values(frame, c.CURRENT)
    spike = np.zeros(len(current), dtype=bool)
    corrected = current
    # If several are close together, the course is smooth only once the others are removed.
    while len(frame) >= 3:
        corrected_frame = frame.assign(**{c.CURRENT: corrected}) if spike.any() else frame
        new_spikes, line = _next_current_spikes(corrected_frame, settings)
        new_spikes &= ~spike
        if not new_spikes.any():
            break
        spike = spike | new_spikes
        corrected = np.where(new_spikes, line, corrected)
    if not spike.any():
        return RuleOutcome(frame)
    before = number_text(current, "A")
    after = number_text(corrected, "A")
    events = run_events(frame, spike, "current_spike", before, after, constant_text("interpolated"))
    frame = frame.assign(**{c.CURRENT: corrected})
    return RuleOutcome(set_flag(frame, spike, "current_spike"), tuple(events))


def _next_current_spikes(frame: Table, settings: CleanSettings) -> tuple[Mask, Floats]:
    """Tell which currents are spikes in the record as it is.

    Returns:
        The spikes, shape (n,), and the line between each sample's neighbours in A, shape (n,).
    """
    time = column_values(frame, c.TEST_TIME)
    voltage = column_values(frame, c.VOLTAGE)
    current = column_values(frame, c.CURRENT)
    step = frame[c.STEP_COUNT]
    capacity = cell_capacity_ah(settings)
    rest = rest_current(settings)
    line = current.copy()
    filled_current = _interpolate_missing(current, time)
    if not _is_isolated(filled_current, step, rest).any():
        return np.zeros(len(current), dtype=bool), line
    share = (time[1:-1] - time[:-2]) / (time[2:] - time[:-2])
    line[1:-1] = _line_between(filled_current, share)
    jump = np.zeros(len(current))
    jump[1:-1] = current[1:-1] - line[1:-1]
    size = np.abs(jump)
    response = np.full(len(current), np.nan)
    response[1:-1] = np.abs(voltage[1:-1] - _line_between(_interpolate_missing(voltage, time), share))
    # A row written twice is on the line to itself, which does not show how smooth the course is.
    twice = np.concatenate([[False], np.abs(share - 0.5) > 0.5 - TWICE_SHARE, [False]])
    smooth = _leaves_smooth_course(line, np.where(twice, np.nan, size), rest)
    alone = _change_across(filled_current, step) <= ACROSS_SHARE * size
    noise_volt = _response_noise(time, voltage, step)
    resistance = edge_resistance(voltage, current, step, capacity)
    if resistance is None:
        return alone & smooth & (response < ROUGH_RESPONSE_VOLT + noise_volt), line
    large = size > SPIKE_PER_AH * capacity
    measurable = resistance * size > np.where(smooth, RESPONSE_VOLT, ROUGH_RESPONSE_VOLT) + noise_volt
    no_response = response < RESPONSE_SHARE * resistance * size
    return alone & (large | smooth) & measurable & no_response, line


def _line_between(column: Floats, share: Floats) -> Floats:
    """Return the value on the line between each inner sample's neighbours, shape (n - 2,).

    Args:
        column: shape (n,).
        share: of the time between its neighbours that has passed at each inner sample, shape (n - 2,).
    """
    return column[:-2] + share * (column[2:] - column[:-2])


def _change_across(current: Floats, step: Integers) -> Floats:
    """Return how much the neighbours of each sample differ in A, shape (n,); infinite at edges of steps."""
    across = np.full(len(current), np.inf)
    same_step = (step[:-2] == step[2:]) & (step[:-2] == step[1:-1])
    across[1:-1] = np.where(same_step, np.abs(current[2:] - current[:-2]), np.inf)
    return across


def _response_noise(time: Floats, voltage: Floats, step: Integers) -> Floats:
    """Return by how much noise alone moves a voltage from the line between its neighbours, in V, shape (n,)."""
    known = np.isfinite(voltage)
    noise = np.zeros(len(voltage))
    noise[known] = RESPONSE_NOISE * estimate_step_noise(time[known], voltage[known], step[known])
    return noise


def _is_isolated(current: Floats, step: Integers, rest: float) -> Mask:
    """Tell which inner samples are far from both neighbours, all in one step; a quick first look, shape (n - 2,).

    Args:
        current: A, shape (n,).
        step: shape (n,).
        rest: A, up to which the cell rests.
    """
    change = np.diff(current)
    left = change[:-1]
    right = change[1:]
    away = (np.abs(left) > rest) & (np.abs(right) > rest) & (left * right < 0.0)
    isolated: Mask = away & (step[:-2] == step[2:]) & (step[:-2] == step[1:-1])
    return isolated


def _interpolate_missing(column: Floats, time: Floats) -> Floats:
    """Return the column with missing values on the line in time between known ones, shape (n,).

    After the last known value it stays there; before the first one, values stay missing.
    """
    missing = np.isnan(column)
    if not missing.any() or missing.all():
        return column
    known = ~missing
    missing[: int(np.argmax(known))] = False
    filled = column.copy()
    filled[missing] = np.interp(time[missing], time[known], column[known])
    return filled


def _leaves_smooth_course(line: Floats, size: Floats, rest: float) -> Mask:
    """Tell which currents leave the line between their neighbours where others stay on it, shape (n,).

    The others stay on it under a constant current and in a hold.

    Args:
        line: A, the line between each sample's neighbours, shape (n,).
        size: A, how far each sample is from it, shape (n,), NaN where that is no evidence.
        rest: A, up to which the cell rests.
    """
    usual = pd.Series(size).rolling(CONTROL_ROWS, center=True, min_periods=3).median().to_numpy()
    smooth = (np.abs(line) > rest) & (usual <= CONTROL_SHARE * np.abs(line))
    leaves: Mask = smooth & (size > SPIKE_SHARE * np.abs(line) + rest)
    return leaves


def edge_resistance(voltage: Floats, current: Floats, step: Integers, capacity_ah: float) -> float | None:
    """Return the median of |dV / dI| over the record's edges of current in ohm; ``None`` if there are too few.

    Each edge is weighted by its current, because small edges, such as at the end of a hold, hardly move the voltage.
    ``EDGE_SEARCHES`` says which edges are used.

    Args:
        voltage, current: V and A, shape (n,), NaN where missing.
        step: shape (n,).
        capacity_ah: A.h, with which edges scale.
    """
    jump = np.diff(current)
    rise = np.diff(voltage)
    new_step = np.diff(step) != 0
    for search in EDGE_SEARCHES:
        place = new_step if search.between_steps else ~new_step
        edge = place & (np.abs(jump) > search.least_per_ah * capacity_ah) & np.isfinite(rise)
        if edge.sum() >= search.least_edges:
            ratio = np.abs(rise[edge] / jump[edge])
            order = np.argsort(ratio)
            weight = np.cumsum(np.abs(jump[edge])[order])
            return float(ratio[order][np.searchsorted(weight, weight[-1] / 2.0)])
    return None
