"""Assign each sample to a time window after its step's start.

What a model gets wrong within two seconds of an edge of the current is resistance; what it gets wrong after minutes is
diffusion or capacity. One RMSE over all samples shows neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import Codes, Floats, Indices, Mask
from ...data.columns import STEP_TYPES, WINDOWS
from ...data.rules import flag_bit
from .record import Record
from .steps import EDGE_PER_AH

OLD_SHARE: Final = 0.1
"""Share of the step's first change of the current: a first sample whose current differs by less from the step before
still has the old current. Chosen, not measured."""

LEAST_CHANGE_PER_AH: Final = 0.01
"""A per A.h of capacity: a smaller change of the current does not count. Chosen, not measured."""

PULSE: Final = STEP_TYPES.index("pulse")
ROUND_SECOND: Final = 1e-3
"""s by which cleaning may set two samples of one time apart."""


@dataclass(frozen=True, slots=True, eq=False)
class StepWindows:
    """The window of each sample, shape (n,) each.

    Args:
        started: index of the sample with which its step began: the last one before the edge.
        code: its window, as a place in ``data.columns.WINDOWS``; a window includes its last second.
    """

    started: Indices
    code: Codes


def find_windows(record: Record, capacity_ah: float) -> StepWindows:
    """Find each sample's window and the sample with which its step began.

    Args:
        record: in time order.
        capacity_ah: A.h, with which currents scale.
    """
    started = step_starts(record, capacity_ah)
    age_second = record.time_second - record.time_second[started]
    codes = np.zeros(len(age_second), np.int8)
    window_ends = list(WINDOWS.values())[:-1]
    for last_second in window_ends:
        codes += age_second > last_second + ROUND_SECOND
    return StepWindows(started, codes)


def step_starts(record: Record, capacity_ah: float) -> Indices:
    """Return the index of the sample at whose time each sample's step began, shape (n,).

    A cycler writes a step's last sample when it ends the step, and the next sample when the new step has lasted for its
    first interval. So a step begins at the last sample of the step before, and its first sample is one interval old,
    not zero. (If a cycler writes no last sample, this is at most one interval too early.) There are four exceptions:

    - A first sample that still has the old current was taken before the switch. It belongs to the step before, and the
      step begins with it.
    - In a step of pulses or of a drive cycle, each edge of the current (0.1 A per A.h and more between two samples)
      starts again: the cell responds to the edge, not to the step.
    - A step that begins with a sample inserted by cleaning begins with it: it is at the time of the edge.
    - The record's first step begins with its first sample. So does what comes after a gap in the record (a power cut,
      or cycles that were left out).

    Args:
        record: in time order.
        capacity_ah: A.h, with which currents scale.
    """
    time = record.time_second
    step = record.step_count
    if not len(time):
        return np.zeros(0, np.intp)
    jump = np.diff(record.current_ampere)
    first = np.flatnonzero(step[1:] != step[:-1]) + 1
    begins = first + _has_old_current(jump, step, first, LEAST_CHANGE_PER_AH * capacity_ah)
    begins = np.union1d(begins, _pulse_edges(record, jump, capacity_ah))
    begins = np.concatenate([[0], begins])
    gaps = np.flatnonzero(record.flags & flag_bit("time_gap"))
    begins = np.union1d(begins, gaps[gaps > 0])
    at_edge = np.isin(begins, gaps) | record.inserted[begins]
    started = np.where(at_edge, begins, np.maximum(begins - 1, 0))
    return np.repeat(started, np.diff(begins, append=len(time)))


def _pulse_edges(record: Record, jump: Floats, capacity_ah: float) -> Indices:
    """Return the first samples after edges of the current within steps of pulses.

    Args:
        record: in time order.
        jump: A, change of the current from sample to sample, shape (n - 1,).
        capacity_ah: A.h, with which edges scale.
    """
    if record.step_type is None:
        return np.zeros(0, np.intp)
    pulsing = record.step_type == PULSE
    if not pulsing.any():
        return np.zeros(0, np.intp)
    edges = np.flatnonzero((np.abs(jump) >= EDGE_PER_AH * capacity_ah) & pulsing[1:] & pulsing[:-1]) + 1
    step = record.step_count
    within_step: Indices = edges[step[edges] == step[edges - 1]]
    return within_step


def _has_old_current(jump: Floats, step: NDArray[np.int32], first: Indices, least_ampere: float) -> Mask:
    """Tell which steps' first samples still have the current of the step before, shape (len(first),).

    Args:
        jump: A, change of the current from sample to sample, shape (n - 1,).
        step: shape (n,).
        first: each step's first sample, without that of the record's first step.
        least_ampere: A; a smaller change does not count.
    """
    last = len(jump)
    next_change = np.abs(jump[np.minimum(first, last - 1)])
    two_samples = (first < last) & (step[np.minimum(first + 1, last)] == step[first])
    changes_later = (next_change >= least_ampere) & (np.abs(jump[first - 1]) < OLD_SHARE * next_change)
    old: Mask = changes_later & two_samples
    return old
