"""The weight of each sample in a fit: by its time after a step's start, the time it represents, and the step's end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ...data.arrays import Floats, Mask
from ...data.columns import STEP_TYPES, WINDOWS
from ...data.errors import JobError
from ...data.fit_settings import FitObjective, FitSettings
from ...data.selected_spans import spans_mask
from ..record.record import Record
from ..record.step_windows import find_windows
from ..simulation.stretches import find_selected
from .stretches import FitStretch

MOST_TIME_SHARE: Final = 100.0
"""Most time that a sample represents, as a multiple of the median."""


def sample_weights(
    record: Record, used: Mask, objective: FitObjective, capacity_ah: float, factor: Floats | None = None
) -> Floats:
    """Compute the weight of each used sample.

    The windows are those in which simulations are compared (:mod:`kilocell.jobs.record.step_windows`).

    Args:
        used: samples that count at all, shape (samples,).
        objective: weights of the windows and of a discharge's end.
        capacity_ah: A.h, of the cell; the least change of current that begins a window scales with it.
        factor: of each sample's weight, shape (samples,); ``None`` = 1.

    Returns:
        Shape (used samples,), 1 on average.

    Raises:
        JobError: no used sample has a weight (``no_weight``).
    """
    weight = np.array([getattr(objective, name) for name in WINDOWS])[find_windows(record, capacity_ah).code]
    if objective.equal_time:
        weight = weight * _time_share(record, used)
    if objective.end_of_discharge:
        weight = weight + objective.end_of_discharge * _discharge_ends(record, used)
    if factor is not None:
        weight = weight * factor
    chosen: Floats = weight[used]
    total = chosen.sum()
    if not total > 0.0:
        names = tuple(WINDOWS)
        present = ", ".join(names[code] for code in np.unique(find_windows(record, capacity_ah).code[used]))
        reason = f"the weights leave no sample to fit: the fitted samples are in the windows {present}, with weight 0"
        raise JobError(f"{reason}; raise one of these weights in [fit.objective], or fit another part", "no_weight")
    chosen *= len(chosen) / total
    return chosen


def selection_factor(
    cell_record: Record, stretches: Sequence[FitStretch], used: Mask, settings: FitSettings
) -> Floats | None:
    """Return the factor by which the weights of selections multiply each sample's weight.

    Args:
        cell_record: the cell's whole record, in which selections are found.
        stretches: what is solved, in order.
        used: samples that count at all, shape (samples of all stretches,).
        settings: of the fit.

    Returns:
        Shape (samples of all stretches,); ``None`` = no selection has a weight.

    Raises:
        JobError: the record has nothing of a selection (``nothing_selected``), a selection has no sample that is
            fitted, or no sample is left with a weight (``no_weight``).
    """
    if not settings.objective.weights:
        return None
    factor: Floats = np.ones(len(cell_record.time_second))
    rows = np.concatenate([np.arange(one.stretch.first, one.stretch.end) for one in stretches])
    for part in settings.objective.weights:
        spans, _ = find_selected(cell_record, part.select, settings.cell.cell_id)
        inside = spans_mask(spans, len(factor))
        if not (inside[rows] & used).any():
            reason = f"the weight of {part.select.text!r} has no effect: no fitted sample belongs to it"
            raise JobError(
                f"cell {settings.cell.cell_id}: {reason}; fit this part, too, or remove the weight", "no_weight"
            )
        factor[inside] *= part.weight
    chosen: Floats = factor[rows]
    if not chosen[used].any():
        reason = f"cell {settings.cell.cell_id}: the weights of the selections leave no sample to fit"
        raise JobError(f"{reason}; give one of them a weight above 0", "no_weight")
    return chosen


def _time_share(record: Record, used: Mask) -> Floats:
    """Half the time in s to both neighbours that count, shape (samples,).

    The time between two stretches and the time of a power cut do not count. A hole in the used samples counts with at
    most ``MOST_TIME_SHARE`` times the median.
    """
    share = np.zeros(len(record.time_second))
    time = record.time_second[used]
    gaps = np.cumsum(record.after_gap)[used]
    if len(time) > 1:
        half = np.diff(time) / 2.0
        half[np.diff(gaps) > 0] = 0.0
        share[used] = np.concatenate([[0.0], half]) + np.concatenate([half, [0.0]])
        share[used] = np.minimum(share[used], MOST_TIME_SHARE * np.median(share[used]))
    return share


def _discharge_ends(record: Record, used: Mask) -> Floats:
    """1 at the last used sample of each step that discharges."""
    ends = np.zeros(len(used))
    places = np.flatnonzero(used)
    last = places[np.diff(record.step_count[places], append=record.step_count[places[-1]] + 1) != 0]
    ends[last[record.current_ampere[last] < 0.0]] = 1.0
    return ends


def used_samples(record: Record, settings: FitSettings, cycles: tuple[int, ...], compared: Mask) -> Mask:
    """Choose the samples that count: with a measured voltage, in these cycles and the objective's step types.

    Args:
        compared: samples that are selected, and not only solved, shape (samples,).
    """
    used: Mask = np.isfinite(record.voltage_volt) & compared
    if cycles:
        used &= np.isin(record.cycle_count, cycles)
    if settings.objective.step_types:
        wanted = [STEP_TYPES.index(name) for name in settings.objective.step_types]
        used &= record.step_type is not None and np.isin(record.step_type, wanted)
    if not used.any():
        reason = "no sample of the chosen cycles and step types has a measured voltage"
        if settings.objective.step_types and record.step_type is not None:
            codes = np.unique(record.step_type[compared])
            present = [STEP_TYPES[code] for code in codes if 0 <= code < len(STEP_TYPES)]
            reason += f"; the record has {', '.join(present) or 'no steps'} there"
        raise JobError(reason, "no_voltage")
    return used
