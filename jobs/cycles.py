"""What a cell did in each cycle: charge, energy, time and range, counted from the cleaned samples."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data import columns as c
from ..data.values import CycleSummary
from .charge import interval_charge_ah, interval_energy_wh
from .steps import classify_steps

__all__ = ["classify_steps", "mean_temperature", "summarise_cycles"]

Floats = NDArray[np.float64]


def summarise_cycles(samples: pd.DataFrame) -> tuple[CycleSummary, ...]:
    """Summarise each cycle of a cleaned record, in order.

    The interval between two cycles counts to the later one, so the cycles' charges add up to the record's.

    Args:
        samples: ``data.columns.PARTITION_COLUMNS``, in time order.
    """
    if samples.empty:
        return ()
    time, voltage, current = (samples[name].to_numpy(dtype=np.float64) for name in (c.TEST_TIME, c.VOLTAGE, c.CURRENT))
    flags = samples[c.FLAGS].to_numpy(dtype=np.int64)
    charge = np.concatenate([[0.0], interval_charge_ah(time, current, flags)])
    energy = np.concatenate([[0.0], interval_energy_wh(time, current, voltage, flags)])
    cycle = samples[c.CYCLE_COUNT].to_numpy()
    begins = np.flatnonzero(np.diff(cycle, prepend=cycle[:1] - 1) != 0)
    bounds = np.append(begins, len(samples))
    return tuple(
        _summary(samples.iloc[first:end], charge[first:end], energy[first:end]) for first, end in pairwise(bounds)
    )


def _summary(samples: pd.DataFrame, charge: Floats, energy: Floats) -> CycleSummary:
    voltage = samples[c.VOLTAGE]
    return CycleSummary(
        cycle_count=int(samples[c.CYCLE_COUNT].iloc[0]),
        first_test_time_second=float(samples[c.TEST_TIME].iloc[0]),
        last_test_time_second=float(samples[c.TEST_TIME].iloc[-1]),
        samples=len(samples),
        steps=int(samples[c.STEP_COUNT].nunique()),
        charge_in_ah=float(charge[charge > 0.0].sum()),
        charge_out_ah=float(-charge[charge < 0.0].sum()),
        energy_in_wh=float(energy[energy > 0.0].sum()),
        energy_out_wh=float(-energy[energy < 0.0].sum()),
        voltage_min_volt=float(voltage.min()),
        voltage_max_volt=float(voltage.max()),
        temperature_mean_celsius=mean_temperature(samples),
    )


def mean_temperature(samples: pd.DataFrame) -> float | None:
    """Return the mean measured temperature in °C, of the surface or else the chamber; ``None`` without any."""
    for column in (c.SURFACE_TEMPERATURE, c.AMBIENT_TEMPERATURE):
        mean = samples[column].mean()
        if np.isfinite(mean):
            return float(mean)
    return None
