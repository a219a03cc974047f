"""Find the capacity that scales a parameter set to a cell: given, the set's own, or measured in one of its cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, TypeVar

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.cycle_selection import MeasuredCapacity
from ...data.errors import JobError
from ...data.fit_settings import FitSettings
from ...data.results.cleaning import CycleSummary
from ...data.settings import CellSettings, ParameterSetSettings, SimulateSettings
from ..record.charge import interval_charge_ah
from ..record.record import make_record
from .sets import cutoffs_volt, nominal_capacity_ah

S = TypeVar("S", SimulateSettings, FitSettings)

LEAST_OF_LARGEST: Final = 0.5
"""Smallest charge of the cycle, as a share of the largest charge of any cycle; below it the cycle is partial."""

MOST_OF_SWING: Final = 1.5
"""Largest charge, as a multiple of the swing of the charge; above it the cycle holds several discharges."""

LEAST_OF_WINDOW: Final = 0.5
"""Smallest voltage span, as a share of the set's voltage window; a full discharge spans most of the window."""

ADVICE: Final = "name a cycle with one full discharge, or give nominal_capacity_ah as a number"


def fill_measured_capacity(settings: S, cycles: Sequence[CycleSummary], samples: pd.DataFrame) -> S:
    """Return the settings with the cell's measured capacity in A.h, if the cell asks for one; else unchanged.

    Args:
        settings: of a simulation or a fit; ``cell.measured_capacity`` names the cycle, and discharge or charge.
        cycles: the summaries of all cycles of the cell, in order.
        samples: the cell's partition.

    Raises:
        JobError: the cell has no such cycle (``no_such_cycle``), or the cycle is no single full discharge or charge
            (``no_capacity``).
    """
    request = settings.cell.measured_capacity
    if request is None:
        return settings
    cycle = _find_cycle(settings.cell, request, cycles)
    charge_ah = _charge_ah(cycle, request)
    label = f"cycle {cycle.cycle_count}"
    _refuse_partial(cycle, cycles, request, label)
    swing_ah = _swing_ah(samples, cycle.cycle_count)
    if charge_ah > MOST_OF_SWING * swing_ah:
        several = f"{charge_ah:.4g} A.h of {request.of}, but its charge rises and falls by only {swing_ah:.4g} A.h"
        raise JobError(f"{label} has {several}, so these are several {request.of}s; {ADVICE}", "no_capacity")
    _refuse_narrow(cycle, settings.parameter_set, label)
    return replace(settings, cell=replace(settings.cell, nominal_capacity_ah=charge_ah))


def find_capacity(cell: CellSettings, parameter_set: ParameterSetSettings) -> tuple[float, str]:
    """Return a cell's capacity in A.h and its source in words.

    Args:
        cell: as :func:`fill_measured_capacity` returns it.
        parameter_set: its nominal capacity is used if the cell has none.
    """
    request = cell.measured_capacity
    capacity_ah = cell.nominal_capacity_ah
    if capacity_ah is None:
        return nominal_capacity_ah(parameter_set), f"nominal capacity of {parameter_set.base}"
    if request is None:
        return capacity_ah, cell.capacity_source or "given"
    cycle = f"cycle {request.cycle}" if request.cycle else "the last cycle"
    return capacity_ah, f"measured in {cycle}: {capacity_ah:.4g} A.h {request.of}d"


def _find_cycle(cell: CellSettings, request: MeasuredCapacity, cycles: Sequence[CycleSummary]) -> CycleSummary:
    if not cycles:
        raise JobError(f"cell {cell.cell_id} has no cycles to measure its capacity in", "no_such_cycle")
    if not request.cycle:
        return cycles[-1]
    for cycle in cycles:
        if cycle.cycle_count == request.cycle:
            return cycle
    numbers = [cycle.cycle_count for cycle in cycles]
    available = f"it has cycles {min(numbers)} to {max(numbers)}"
    reason = f"cell {cell.cell_id} has no cycle {request.cycle} to measure its capacity in; {available}"
    raise JobError(reason, "no_such_cycle")


def _refuse_partial(cycle: CycleSummary, cycles: Sequence[CycleSummary], request: MeasuredCapacity, label: str) -> None:
    """Refuse a cycle whose charge is much smaller than that of the largest cycle."""
    charge_ah = _charge_ah(cycle, request)
    largest = max(cycles, key=lambda other: _charge_ah(other, request))
    largest_ah = _charge_ah(largest, request)
    if charge_ah < LEAST_OF_LARGEST * largest_ah:
        comparison = f"only {charge_ah:.4g} A.h of {request.of}; cycle {largest.cycle_count} has {largest_ah:.4g} A.h"
        raise JobError(f"{label} has {comparison}; {ADVICE}", "no_capacity")


def _refuse_narrow(cycle: CycleSummary, parameter_set: ParameterSetSettings, label: str) -> None:
    """Refuse a cycle whose voltages span only a part of the window between the set's cut-offs."""
    cutoffs = cutoffs_volt(parameter_set)
    if cutoffs is None:
        return
    lower, upper = cutoffs
    lowest = cycle.voltage_min_volt
    highest = cycle.voltage_max_volt
    if not highest - lowest >= LEAST_OF_WINDOW * (upper - lower):  # also refuses NaN
        window = f"the window of {parameter_set.base} is {lower:g} to {upper:g} V"
        reason = f"{label} spans {lowest:.3g} to {highest:.3g} V, {window}: no full discharge; {ADVICE}"
        raise JobError(reason, "no_capacity")


def _swing_ah(samples: pd.DataFrame, cycle_count: int) -> float:
    """Return the difference between the highest and the lowest charge of a cycle, in A.h."""
    record = make_record(samples[samples[c.CYCLE_COUNT] == cycle_count])
    charge_ah = np.cumsum(interval_charge_ah(record.time_second, record.current_ampere, record.flags))
    return float(charge_ah.max(initial=0.0) - charge_ah.min(initial=0.0))


def _charge_ah(cycle: CycleSummary, request: MeasuredCapacity) -> float:
    if request.of == "discharge":
        return cycle.charge_out_ah
    return cycle.charge_in_ah
