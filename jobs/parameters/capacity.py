"""The capacity that scales a parameter set to a cell: given, the set's own, or measured in one of the cell's cycles."""

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
LEAST_OF_LARGEST: Final = 0.5  # of the largest charge of any cycle: less is a part of a discharge
MOST_OF_SWING: Final = 1.5  # times by how much the charge rises and falls: more are several discharges in one cycle
LEAST_OF_WINDOW: Final = 0.5  # of the set's voltage window: a full discharge spans most of it


def fill_measured_capacity(settings: S, cycles: Sequence[CycleSummary], samples: pd.DataFrame) -> S:
    """The settings with the cell's capacity measured, where that is asked for.

    Args:
        cycles, samples: of its clean result and its partition.

    Raises:
        JobError: it has no such cycle (``no_such_cycle``), or that is no full discharge or charge (``no_capacity``).
    """
    cell, parameter_set = settings.cell, settings.parameter_set
    asked = cell.measured_capacity
    if asked is None:
        return settings
    cycle = _find_cycle(cell, asked, cycles)
    charge, words = _charge_ah(cycle, asked), f"cycle {cycle.cycle_count}"
    largest = max(cycles, key=lambda one: _charge_ah(one, asked))
    advice = "name a cycle with one full discharge, or give nominal_capacity_ah as a number"
    if charge < LEAST_OF_LARGEST * _charge_ah(largest, asked):
        other = f"cycle {largest.cycle_count} has {_charge_ah(largest, asked):.4g} A.h"
        raise JobError(f"{words} has {charge:.4g} A.h of {asked.of}, {other}; {advice}", "no_capacity")
    swing = _swing_ah(samples, cycle.cycle_count)
    if charge > MOST_OF_SWING * swing:
        several = f"{charge:.4g} A.h of {asked.of}, but its charge rises and falls by no more than {swing:.4g} A.h"
        raise JobError(f"{words} has {several}, so these are several; {advice}", "no_capacity")
    _refuse_narrow(cycle, parameter_set, f"{words} spans", advice)
    return replace(settings, cell=replace(cell, nominal_capacity_ah=charge))


def find_capacity(cell: CellSettings, parameter_set: ParameterSetSettings) -> tuple[float, str]:
    """A cell's capacity in A.h, and in words where it is from; ``cell`` as of :func:`fill_measured_capacity`."""
    asked, capacity = cell.measured_capacity, cell.nominal_capacity_ah
    if capacity is None:
        return nominal_capacity_ah(parameter_set), f"nominal capacity of {parameter_set.base}"
    if asked is None:
        return capacity, "given"
    cycle = f"cycle {asked.cycle}" if asked.cycle else "the last cycle"
    return capacity, f"measured in {cycle}: {capacity:.4g} A.h {asked.of}d"


def _find_cycle(cell: CellSettings, asked: MeasuredCapacity, cycles: Sequence[CycleSummary]) -> CycleSummary:
    if not cycles:
        raise JobError(f"cell {cell.cell_id} has no cycles to measure its capacity in", "no_such_cycle")
    found = [cycle for cycle in cycles if cycle.cycle_count == asked.cycle] if asked.cycle else [cycles[-1]]
    if not found:
        numbers = [cycle.cycle_count for cycle in cycles]
        there = f"it has cycles {min(numbers)} to {max(numbers)}"
        raise JobError(
            f"cell {cell.cell_id} has no cycle {asked.cycle} to measure its capacity in; {there}", "no_such_cycle"
        )
    return found[0]


def _swing_ah(samples: pd.DataFrame, cycle: int) -> float:
    """By how much the charge of a cycle rises and falls in all, A.h."""
    record = make_record(samples[samples[c.CYCLE_COUNT] == cycle])
    charge = np.cumsum(interval_charge_ah(record.time_second, record.current_ampere, record.flags))
    return float(charge.max(initial=0.0) - charge.min(initial=0.0))


def _charge_ah(cycle: CycleSummary, asked: MeasuredCapacity) -> float:
    return cycle.charge_out_ah if asked.of == "discharge" else cycle.charge_in_ah


def _refuse_narrow(cycle: CycleSummary, parameter_set: ParameterSetSettings, words: str, advice: str) -> None:
    """Refuse a cycle whose voltages are but a part of what the set's cut-offs allow: it measures no capacity."""
    cutoffs = cutoffs_volt(parameter_set)
    if cutoffs is None:
        return
    lower, upper = cutoffs
    lowest, highest = cycle.voltage_min_volt, cycle.voltage_max_volt
    if not highest - lowest >= LEAST_OF_WINDOW * (upper - lower):
        span = f"{lowest:.3g} to {highest:.3g} V, {parameter_set.base} {lower:g} to {upper:g} V"
        raise JobError(f"{words} {span}: no full discharge; {advice}", "no_capacity")
