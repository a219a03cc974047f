"""Windows after a step's start: which part of the cell's answer a sample shows.

What a model gets wrong within two seconds of an edge of the current is resistance, what it gets wrong after minutes
is diffusion or capacity; one RMSE over all of them says neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import Codes, Floats
from ...data.columns import STEP_TYPES, WINDOWS
from ...data.rules import flag_bit
from .record import Record
from .steps import EDGE_PER_AH

OLD_SHARE: Final = 0.1  # of its step's first change of the current, within which a first sample still has the old one
LEAST_CHANGE_PER_AH: Final = 0.01  # A per A.h, below which a change of the current is none
PULSE: Final = STEP_TYPES.index("pulse")
ROUND_SECOND: Final = 1e-3  # by which cleaning may set two samples of one time apart


@dataclass(frozen=True, slots=True, eq=False)
class StepWindows:
    """Where each sample stands in its step, shape (n,) each.

    Args:
        started: index of the sample with which its step began, that is the last one before the edge.
        code: its window, as a place in ``data.columns.WINDOWS``; a window ends with its last second.
    """

    started: NDArray[np.intp]
    code: Codes


def find_windows(record: Record, capacity_ah: float) -> StepWindows:
    """Tell each sample's window and the sample with which its step began.

    Args:
        capacity_ah: what currents scale with.
    """
    started = step_starts(record, capacity_ah)
    age = record.time_second - record.time_second[started]
    codes = np.zeros(len(age), np.int8)
    for last in list(WINDOWS.values())[:-1]:
        codes += age > last + ROUND_SECOND
    return StepWindows(started, codes)


def step_starts(record: Record, capacity_ah: float) -> NDArray[np.intp]:
    """Return the index of the sample at whose time each sample's step began, shape (n,).

    A cycler writes a step's last sample when it ends the step, and the next one when the new step has lasted for its
    first interval. So a step begins at the last sample of the step before (with a cycler that writes no last sample,
    at most one interval too early), and its first sample is one interval old, not zero. Three cases differ:

    - A first sample that still carries the old current was taken before the switch. It counts to the step before, and
      the step begins with it.
    - In a step of pulses or of a drive cycle, each edge of the current (0.1 A per A.h and more between two samples)
      begins anew: what the cell answers to is the edge, not the step.
    - The record's first step begins with its first sample, and so does what comes after a gap in the record (a power
      cut, or cycles that were left out).
    """
    time, current, step = record.time_second, record.current_ampere, record.step_count
    if not len(time):
        return np.zeros(0, np.intp)
    jump = np.diff(current)
    first = np.flatnonzero(step[1:] != step[:-1]) + 1
    begins = first + _carries_old_current(jump, step, first, LEAST_CHANGE_PER_AH * capacity_ah)
    if record.step_type is not None:
        pulsing = record.step_type == PULSE
        if pulsing.any():
            edges = np.flatnonzero((np.abs(jump) >= EDGE_PER_AH * capacity_ah) & pulsing[1:] & pulsing[:-1]) + 1
            begins = np.union1d(begins, edges[step[edges] == step[edges - 1]])
    begins = np.concatenate([[0], begins])
    gaps = np.flatnonzero(record.flags & flag_bit("time_gap"))
    begins = np.union1d(begins, gaps[gaps > 0])
    started = np.where(np.isin(begins, gaps), begins, np.maximum(begins - 1, 0))
    return np.repeat(started, np.diff(begins, append=len(time)))


def _carries_old_current(
    jump: Floats, step: NDArray[np.int32], first: NDArray[np.intp], least_ampere: float
) -> NDArray[np.bool_]:
    """Tell which steps' first samples still have the current of the step before, shape (len(first),).

    Args:
        jump: change of the current from sample to sample, shape (n - 1,).
        first: each step's first sample, but for the record's first step.
    """
    last = len(jump)
    after = jump[np.minimum(first, last - 1)]
    same_step = (first < last) & (step[np.minimum(first + 1, last)] == step[first])
    old = (np.abs(after) >= least_ampere) & (np.abs(jump[first - 1]) < OLD_SHARE * np.abs(after))
    result: NDArray[np.bool_] = old & same_step
    return result
