"""Guess what a cell is from its raw record: nominal capacity and chemistry. The user can correct the guesses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Indices
from ...data.convert import SECONDS_PER_HOUR
from ...data.settings import CleanSettings
from ..record.units import Flow, current_factor, voltage_factor
from .clock_units import time_scale

LFP_BELOW_VOLT: Final = 3.7
"""V: a cell that is never charged above this is guessed to be LFP. Chosen, not measured."""

SET_CAPACITY_AH: Final = {"Chen2020": 5.0, "Prada2013": 2.3}
"""A.h: nominal capacities of the cells of these parameter sets; a guess close to one becomes it."""

_NEAR: Final = 0.1
"""Share of a set's capacity: a guess is close to it if it differs by less. Chosen, not measured."""

_MOST_RATE: Final = 20.0
"""1/h: the typical current over the capacity. A record with more has not shown its cell's capacity. Chosen, not
measured."""

_REVERSAL: Final = 0.5
"""Share of a half cycle's charge that must come back to end it. Chosen, not measured."""

_LEAST_CAPACITY_AH: Final = 1e-4
"""A.h: smallest capacity that is guessed. Chosen, not measured."""

_LONGEST_INTERVAL_SECOND: Final = 3600.0
"""s: longer intervals, such as pauses, carry no charge here. Chosen, not measured."""

_USED: Final = (c.TEST_TIME, c.UNIX_TIME, c.CURRENT, c.VOLTAGE, c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY)


@dataclass(frozen=True, slots=True)
class CellGuess:
    """A guess at a cell.

    Args:
        capacity_ah: nominal capacity in A.h, to three digits.
        voltage_max_volt: highest voltage in V without spikes.
    """

    capacity_ah: float
    voltage_max_volt: float

    @property
    def parameter_set(self) -> str:
        """Prada2013 (LFP) or Chen2020 (NMC), by the highest voltage."""
        return "Prada2013" if self.voltage_max_volt < LFP_BELOW_VOLT else "Chen2020"


def guess_cell(parts: Iterable[pd.DataFrame]) -> CellGuess | None:
    """Guess a cell from its raw rows.

    Args:
        parts: frames with ``data.columns.RAW_COLUMNS``, in order; currents in either sign.

    Returns:
        ``None`` if the cell was hardly charged or discharged, or if the current would exceed 20C: then the charge was
        only a small part of the capacity.
    """
    rows = pd.concat([part.loc[:, list(_USED)] for part in parts], ignore_index=True).assign(**{c.FLAGS: 0})
    rows = _convert_to_volt_and_ampere(time_scale(rows, CleanSettings()).frame)
    voltage = rows[c.VOLTAGE].to_numpy(dtype=np.float64)
    known = voltage[np.isfinite(voltage)]
    capacity_ah = largest_half_cycle(_charge_ah(rows))
    if capacity_ah < _LEAST_CAPACITY_AH or not known.size:
        return None
    typical_ampere = float(np.nanquantile(np.abs(rows[c.CURRENT].to_numpy(dtype=np.float64)), 0.9))
    if typical_ampere > _MOST_RATE * capacity_ah:
        return None
    # Without spikes: the highest voltage is the one above 99.5 % of all.
    guess = CellGuess(float(f"{capacity_ah:.3g}"), float(np.quantile(known, 0.995)))
    of_set = SET_CAPACITY_AH[guess.parameter_set]
    if abs(guess.capacity_ah - of_set) <= _NEAR * of_set:
        return replace(guess, capacity_ah=of_set)
    return guess


def _convert_to_volt_and_ampere(rows: pd.DataFrame) -> pd.DataFrame:
    """Convert mV to V, and mA or uA to A, as cleaning will."""
    time = _clock(rows).to_numpy(dtype=np.float64)
    voltage = rows[c.VOLTAGE].to_numpy(dtype=np.float64)
    current = rows[c.CURRENT].to_numpy(dtype=np.float64)
    voltage = voltage * voltage_factor(voltage, CleanSettings().voltage_limits_volt)
    no_counter = np.zeros(max(len(rows) - 1, 0))
    factor = current_factor(Flow(time, current, voltage, no_counter, no_counter), None)
    return rows.assign(**{c.VOLTAGE: voltage, c.CURRENT: current * factor})


def _clock(rows: pd.DataFrame) -> pd.Series[Any]:
    """Return the test time in s, or the wall clock if there is no test time at all."""
    if rows[c.TEST_TIME].notna().any():
        return rows[c.TEST_TIME]
    return rows[c.UNIX_TIME]


def largest_half_cycle(charge_ah: Floats) -> float:
    """Return the largest charge in A.h that flowed one way before half of it came back.

    Small charges in the other direction, as in a drive cycle, belong to the half cycle around them. The slow drift that
    the offset of a current sensor adds over thousands of cycles does not add up.

    Args:
        charge_ah: cumulative charge in A.h at each sample, shape (n,).
    """
    start = 0.0
    extreme = 0.0
    largest = 0.0
    for charge in charge_ah[_turning_points(charge_ah)]:
        if (charge - extreme) * (extreme - start) >= 0:
            extreme = charge
        elif abs(charge - extreme) > _REVERSAL * abs(extreme - start):
            start = extreme
            extreme = charge
        largest = max(largest, abs(extreme - start))
    return float(largest)


def _charge_ah(rows: pd.DataFrame) -> Floats:
    """Return the cumulative charge in A.h at each row, shape (n,)."""
    # A median over five samples removes spikes. A missing current is that of the sample before.
    current = rows[c.CURRENT].rolling(5, center=True, min_periods=1).median().ffill().fillna(0.0)
    interval = _clock(rows).ffill().diff().fillna(0.0).to_numpy(dtype=np.float64)
    interval = np.where((interval < 0) | (interval > _LONGEST_INTERVAL_SECOND), 0.0, interval)
    charge: Floats = np.cumsum(current.to_numpy(dtype=np.float64) * interval) / SECONDS_PER_HOUR
    return charge


def _turning_points(charge_ah: Floats) -> Indices:
    """Return the positions where the charge turns, and the last one: enough to find its extremes."""
    if not len(charge_ah):
        return np.empty(0, dtype=np.intp)
    direction = np.sign(np.diff(charge_ah))
    moving = np.flatnonzero(direction)
    turns = moving[:-1][direction[moving[1:]] != direction[moving[:-1]]] + 1
    return np.append(turns, len(charge_ah) - 1)
