"""Summarise what a cell did in each cycle: charge, energy, time, range and resistance, from the cleaned samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...data import columns as c
from ...data.arrays import Floats
from ...data.results.cleaning import CycleSummary
from .charge import Flow, capacity_scale_ah
from .groups import count_numbers, first_of_runs
from .record import represented_second, time_mean
from .resistance import CycleResistance, cycle_resistances
from .steps import classify_steps
from .table import Columns

__all__ = ["classify_steps", "mean_temperature", "summarise_cycles"]
THERMOMETERS: Final = (c.SURFACE_TEMPERATURE, c.AMBIENT_TEMPERATURE)
"""Columns of temperatures, the preferred one first."""

SUMMARISED: Final = (c.CYCLE_COUNT, c.STEP_COUNT, c.TEST_TIME, c.VOLTAGE, c.FLAGS, *THERMOMETERS)


def summarise_cycles(
    samples: Columns, capacity_ah: float | None = None, flow: Flow | None = None
) -> tuple[CycleSummary, ...]:
    """Summarise each cycle of a cleaned record, in order.

    The interval between two cycles counts to the later one, so the charges of the cycles add up to the record's.

    Args:
        samples: ``data.columns.PARTITION_COLUMNS``, in time order.
        capacity_ah: A.h, with which steps of the current scale; ``None`` = a scale from the record itself.
        flow: between the samples; ``None`` = it is calculated.
    """
    if not len(samples):
        return ()
    flow = flow or Flow.of_samples(samples)
    time = np.asarray(samples[c.TEST_TIME], dtype=np.float64)
    voltage = np.asarray(samples[c.VOLTAGE], dtype=np.float64)
    current = np.asarray(samples[c.CURRENT], dtype=np.float64)
    flags = np.asarray(samples[c.FLAGS], dtype=np.int64)
    charge = np.concatenate([[0.0], flow.charge_ah])
    energy = np.concatenate([[0.0], flow.energy_wh])
    cycle = np.asarray(samples[c.CYCLE_COUNT])
    begins = first_of_runs(cycle)
    columns = {name: np.asarray(samples[name]) for name in SUMMARISED}
    summaries = []
    for first, end in pairwise(np.append(begins, len(samples))):
        of_cycle = {name: column[first:end] for name, column in columns.items()}
        summaries.append(_summarise_cycle(of_cycle, charge[first:end], energy[first:end]))
    scale_ah = capacity_scale_ah(time, current, capacity_ah)
    resistances = cycle_resistances(time, current, voltage, flags, cycle, columns[c.STEP_COUNT], scale_ah)
    return tuple(_with_resistance(summary, resistances.get(summary.cycle_count)) for summary in summaries)


def _with_resistance(summary: CycleSummary, resistance: CycleResistance | None) -> CycleSummary:
    return summary if resistance is None else replace(summary, **asdict(resistance))


def _summarise_cycle(columns: Mapping[str, NDArray[Any]], charge: Floats, energy: Floats) -> CycleSummary:
    """Summarise the samples of one cycle.

    Args:
        columns: those in ``SUMMARISED``, shape (n,) each.
        charge, energy: A.h and W.h of the interval that ends in each sample, shape (n,).
    """
    voltage = columns[c.VOLTAGE]
    time = columns[c.TEST_TIME]
    duration = represented_second(time, columns[c.FLAGS].astype(np.int64))
    means = (time_mean(columns[column].astype(np.float64), duration) for column in THERMOMETERS)
    return CycleSummary(
        cycle_count=int(columns[c.CYCLE_COUNT][0]),
        first_test_time_second=float(time[0]),
        last_test_time_second=float(time[-1]),
        samples=len(time),
        steps=count_numbers(columns[c.STEP_COUNT]),
        charge_in_ah=float(charge[charge > 0.0].sum()),
        charge_out_ah=float(-charge[charge < 0.0].sum()),
        energy_in_wh=float(energy[energy > 0.0].sum()),
        energy_out_wh=float(-energy[energy < 0.0].sum()),
        voltage_min_volt=float(np.fmin.reduce(voltage)),
        voltage_max_volt=float(np.fmax.reduce(voltage)),
        temperature_mean_celsius=next((mean for mean in means if np.isfinite(mean)), None),
    )


def mean_temperature(samples: Columns) -> float | None:
    """Return the mean measured temperature over time in °C, of the surface or else the chamber; ``None`` without any.

    Args:
        samples: of a cleaned partition, with both temperatures, NaN where missing.
    """
    time = np.asarray(samples[c.TEST_TIME], dtype=np.float64)
    duration = represented_second(time, np.asarray(samples[c.FLAGS], dtype=np.int64))
    for column in THERMOMETERS:
        mean = time_mean(np.asarray(samples[column], dtype=np.float64), duration)
        if np.isfinite(mean):
            return mean
    return None
