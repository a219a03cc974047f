"""How much each sample counts in a fit: by its time after a step's start, its step type, and the time it stands for."""

from __future__ import annotations

import numpy as np

from ...data.arrays import Floats, Mask
from ...data.columns import WINDOWS
from ...data.fit_settings import FitObjective
from ..record.record import Record
from ..record.step_windows import find_windows


def sample_weights(record: Record, used: Mask, objective: FitObjective, capacity_ah: float) -> Floats:
    """Return the weight of each used sample, shape (used samples,), 1 on average.

    The windows are those in which simulations are compared (:mod:`kilocell.jobs.record.step_windows`).

    Args:
        used: shape (samples,), those that count at all.
        capacity_ah: what currents scale with.
    """
    weight = np.array([getattr(objective, name) for name in WINDOWS])[find_windows(record, capacity_ah).code]
    if objective.equal_time:
        weight = weight * _time_share(record, used)
    if objective.end_of_discharge:
        weight = weight + objective.end_of_discharge * _discharge_ends(record, used)
    chosen: Floats = weight[used]
    total = chosen.sum()
    return chosen * (len(chosen) / total) if total > 0.0 else chosen


def _time_share(record: Record, used: Mask) -> Floats:
    """Half the time to both neighbours that count; what lies between two stretches, or in a power cut, is no time."""
    share = np.zeros(len(record.time_second))
    at, gaps = record.time_second[used], np.cumsum(record.after_gap)[used]
    if len(at) > 1:
        half = np.diff(at) / 2.0
        half[np.diff(gaps) > 0] = 0.0
        share[used] = np.concatenate([[0.0], half]) + np.concatenate([half, [0.0]])
        share[used] = np.minimum(share[used], 100.0 * np.median(share[used]))  # nor is a hole in what counts
    return share


def _discharge_ends(record: Record, used: Mask) -> Floats:
    """1 at the last used sample of each step that discharges."""
    ends = np.zeros(len(used))
    at = np.flatnonzero(used)
    last = at[np.diff(record.step_count[at], append=record.step_count[at[-1]] + 1) != 0]
    ends[last[record.current_ampere[last] < 0.0]] = 1.0
    return ends
