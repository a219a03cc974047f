"""What an uncertain charge does to a simulated voltage: the accumulated uncertainty times the slope of the curve.

A charge that is off by some A.h shifts the rest of the curve along the charge. At a steady current the voltage changes
by the slope of the curve itself, which is steeper than the open-circuit voltage near an empty or full cell. At rest, in
a hold and where the current changes, the curve tells no slope, so that of the open-circuit voltage counts. The effect
is linear: an uncertainty that reaches across a bend of the curve is not followed around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ...data.arrays import Floats, Mask
from ...data.charge_certainty import charge_certainty, cycle_certainties
from ...data.results.cleaning import CleanResult
from ..models.initial_state import open_circuit_slope
from ..record.charge import REST_CURRENT_PER_AH, interval_charge_ah
from ..record.record import Record, cycle_starts
from .replay import Replayed

if TYPE_CHECKING:
    from .attempts import ReplayProblem

SLOPE_SHARE: Final = 0.01
"""Charge, as a share of the capacity, over which the slope of a curve is taken. Chosen: it smooths what a table of the
open-circuit voltage wriggles, and follows the tail at the end of a discharge."""

SETTLED_SHARE: Final = 0.03
"""Charge, as a share of the capacity, after which a curve has settled at a new current: 108 s at 1C. Chosen.

Before, its slope is that of diffusion: four times too steep at the worst sample, 1.6 times in the RMSE of a GITT.
"""

STEADY_PER_AH: Final = 0.02
"""A per A.h: a current that changes by less from one sample to the next is steady."""


def charge_uncertainty_mv(
    solved: Sequence[tuple[ReplayProblem, Replayed, Mask]],
    cleaned: CleanResult | None,
    *,
    whole: bool = False,
    carried_ah: Sequence[float] = (),
) -> float | None:
    """Return the root-mean-square effect of an uncertain charge on a simulated voltage.

    Args:
        solved: for each part that starts from a state of its own: what was solved, its replay, and the samples that
            count if they have a measured voltage.
        cleaned: what cleaning knows of the charge; ``None`` = nothing.
        whole: the parts are the whole record, whose charge is known at least as well as the sum of its cycles.
        carried_ah: uncertainty at the start of each part, of :func:`carried_uncertainty_ah`; empty = none, since each
            part takes its state from the record.

    Returns:
        mV; ``None`` = the charge has no bounds, or nothing is compared.
    """
    if cleaned is None:
        return None
    most = charge_certainty(cleaned).uncertainty_ah if whole else np.inf
    if most is None:
        return None
    squares: list[Floats] = []
    carried = carried_ah or [0.0] * len(solved)
    for before, (problem, replayed, used) in zip(carried, solved, strict=True):
        uncertainty = accumulated_uncertainty_ah(problem.record, cleaned)
        if uncertainty is None:
            return None
        uncertainty = np.minimum(before + uncertainty, most)
        counts = used & np.isfinite(problem.record.voltage_volt)
        squares.append((1e3 * slope_volt_per_ah(problem, replayed) * uncertainty)[counts] ** 2)
    every = np.concatenate(squares)
    if not len(every):
        return None
    return float(np.sqrt(np.mean(every)))


def carried_uncertainty_ah(record: Record, first: Sequence[int], cleaned: CleanResult | None) -> list[float]:
    """Return the uncertainty with which parts begin that carry on the state of the part before, also past other steps.

    Args:
        record: the whole record.
        first: index of each part's first sample, in order.
        cleaned: with the bounds of each cycle; ``None`` = nothing is known.

    Returns:
        A.h, shape (parts,), from 0; empty = a cycle has no bounds.
    """
    along = None if cleaned is None else accumulated_uncertainty_ah(record, cleaned)
    if along is None:
        return []
    return [float(along[place] - along[first[0]]) for place in first]


def with_charge_doubt(record: Record, cleaned: CleanResult | None) -> Record:
    """Return a whole record that knows how uncertain its charge is, so that a state counted from a rest does, too."""
    if cleaned is None:
        return record
    return replace(record, charge_doubt_ah=accumulated_uncertainty_ah(record, cleaned))


def accumulated_uncertainty_ah(record: Record, cleaned: CleanResult) -> Floats | None:
    """Return by how much the charge since the first sample may be off at each sample.

    The uncertainty of a cycle is spread over its throughput, since its bounds do not tell where in it they open. That
    of a cycle without any charge counts from its first sample on.

    Args:
        record: samples of some cycles.
        cleaned: with the bounds of each cycle.

    Returns:
        A.h, shape (n,), rising from 0; ``None`` = a cycle has no bounds.
    """
    known = cycle_certainties(cleaned)
    starts = cycle_starts(record)
    certainties = [known.get(int(record.cycle_count[start])) for start in starts]
    interval = interval_charge_ah(record.time_second, record.current_ampere, record.flags)
    flowed = np.abs(np.concatenate([[0.0], interval]))
    per_ah = np.zeros(len(starts))
    at_start = np.zeros(len(starts))
    for place, certainty in enumerate(certainties):
        if certainty is None or certainty.uncertainty_ah is None:
            return None
        if certainty.throughput_ah:
            per_ah[place] = certainty.uncertainty_ah / certainty.throughput_ah
        else:
            at_start[place] = certainty.uncertainty_ah
    growth = flowed * np.repeat(per_ah, np.diff(starts, append=len(flowed)))
    growth[starts] += at_start
    return np.cumsum(growth)


def slope_volt_per_ah(problem: ReplayProblem, replayed: Replayed) -> Floats:
    """Return the size of the change of the simulated voltage with charge at each sample, V per A.h, shape (n,)."""
    conditions = problem.conditions
    at_rest = open_circuit_slope(conditions.state, replayed.charge_ah, problem.case, conditions.temperature.celsius)
    loaded = loaded_slope_volt_per_ah(problem.record, replayed, conditions.capacity_ah)
    return np.maximum(at_rest, loaded)


def loaded_slope_volt_per_ah(record: Record, replayed: Replayed, capacity_ah: float) -> Floats:
    """Return the size of the slope of a simulated curve along its charge where the current is steady.

    Args:
        record: with the measured current.
        replayed: at its samples.
        capacity_ah: A.h, of the cell.

    Returns:
        V per A.h, shape (n,); 0 at rest, and where the current has changed lately.
    """
    current = record.current_ampere
    count = len(current)
    changes = np.abs(np.diff(current)) > STEADY_PER_AH * capacity_ah
    begins = np.flatnonzero(np.concatenate([[True], changes | record.after_gap[1:]]))
    first = np.repeat(begins, np.diff(begins, append=count))
    last = np.repeat(np.append(begins[1:], count) - 1, np.diff(begins, append=count))
    place = np.arange(count)
    # Charge that has flowed in either direction rises, so a window in it is found by bisection.
    flowed = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(replayed.charge_ah)))])
    half = 0.5 * SLOPE_SHARE * capacity_ah
    low = np.searchsorted(flowed, flowed - half)
    high = np.searchsorted(flowed, flowed + half, side="right") - 1
    low = np.maximum(np.minimum(low, place - 1), first)
    high = np.minimum(np.maximum(high, place + 1), last)
    across = flowed[high] - flowed[low]
    told = flowed[low] - flowed[first] > SETTLED_SHARE * capacity_ah
    told &= (across > 0.0) & (np.abs(current) > REST_CURRENT_PER_AH * capacity_ah)
    slope = np.zeros(count)
    rise = np.abs(replayed.voltage_volt[high] - replayed.voltage_volt[low])
    slope[told] = rise[told] / across[told]
    return slope
