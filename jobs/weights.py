"""How much each sample counts in a fit: by its time after a step's start, its step type, and the time it stands for."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..data.fit_settings import FitObjective
from .record import Record

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

WINDOW_SECOND: Final = (2.0, 20.0, 120.0)
"""Ends of the ohmic, kinetic and diffusion windows after a step's start; the capacity window follows."""


def sample_weights(record: Record, used: Mask, objective: FitObjective) -> Floats:
    """Return the weight of each used sample, shape (used samples,), 1 on average.

    A step begins at the last sample of the one before it, whose current is still the old one.

    Args:
        used: shape (samples,), those that count at all.
    """
    index = np.searchsorted(WINDOW_SECOND, _since_step(record), side="left")
    weight = np.array([objective.ohmic, objective.kinetic, objective.diffusion, objective.capacity])[index]
    if objective.equal_time:
        weight = weight * _time_share(record.time_second, used)
    if objective.end_of_discharge:
        weight = weight + objective.end_of_discharge * _discharge_ends(record, used)
    chosen: Floats = weight[used]
    total = chosen.sum()
    return chosen * (len(chosen) / total) if total > 0.0 else chosen


def _since_step(record: Record) -> Floats:
    first = np.flatnonzero(np.diff(record.step_count, prepend=record.step_count[0] - 1))
    length = np.diff(first, append=len(record.step_count))
    since: Floats = record.time_second - np.repeat(record.time_second[np.maximum(first - 1, 0)], length)
    return since


def _time_share(time_second: Floats, used: Mask) -> Floats:
    """Half the time to both neighbours that count, relative to the median."""
    share = np.zeros(len(time_second))
    at = time_second[used]
    if len(at) > 1:
        half = np.diff(at) / 2.0
        share[used] = np.concatenate([[0.0], half]) + np.concatenate([half, [0.0]])
        share[used] = np.minimum(share[used], 100.0 * np.median(share[used]))  # a power cut is no long sample
    return share


def _discharge_ends(record: Record, used: Mask) -> Floats:
    """1 at the last used sample of each step that discharges."""
    ends = np.zeros(len(used))
    at = np.flatnonzero(used)
    last = at[np.diff(record.step_count[at], append=record.step_count[at[-1]] + 1) != 0]
    ends[last[record.current_ampere[last] < 0.0]] = 1.0
    return ends
