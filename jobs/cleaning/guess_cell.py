"""What a cell probably is, from its raw record: nominal capacity and chemistry. Guesses for a user to correct."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data import columns as c
from ...data.arrays import Floats
from ...data.convert import SECONDS_PER_HOUR
from ...data.settings import CleanSettings
from ..record.units import Flow, current_factor, voltage_factor
from .clock_units import time_scale

LFP_BELOW_VOLT: Final = 3.7
"""A cell that is never charged above this is taken for LFP."""

SET_CAPACITY_AH: Final = {"Chen2020": 5.0, "Prada2013": 2.3}
"""Capacity of the sets' own cells: a guess within a tenth of it is taken for it."""

_NEAR: Final = 0.1
_MOST_RATE: Final = 20.0  # 1/h: a record with more current than this has not shown its cell's capacity
_REVERSAL: Final = 0.5
_LEAST_CAPACITY_AH: Final = 1e-4
_LONGEST_INTERVAL_SECOND: Final = 3600.0
_USED: Final = (c.TEST_TIME, c.UNIX_TIME, c.CURRENT, c.VOLTAGE, c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY)


@dataclass(frozen=True, slots=True)
class CellGuess:
    """What a record suggests of its cell: capacity in A.h, to three digits, and the highest voltage in V."""

    capacity_ah: float
    voltage_max_volt: float

    @property
    def parameter_set(self) -> str:
        """Prada2013 (LFP) or Chen2020 (NMC), by the highest voltage."""
        return "Prada2013" if self.voltage_max_volt < LFP_BELOW_VOLT else "Chen2020"


def guess_cell(parts: Iterable[pd.DataFrame]) -> CellGuess | None:
    """Guess from the raw rows of one cell; ``None`` where it was hardly charged or discharged.

    So it is too where the current would be over 20C: what was charged was a small part of the capacity.

    Args:
        parts: frames with ``data.columns.RAW_COLUMNS``, in order; currents in either sign.
    """
    rows = pd.concat([part.loc[:, list(_USED)] for part in parts], ignore_index=True).assign(**{c.FLAGS: 0})
    rows = _convert_to_volt_and_ampere(time_scale(rows, CleanSettings()).frame)
    voltage = rows[c.VOLTAGE].to_numpy(dtype=np.float64)
    known = voltage[np.isfinite(voltage)]
    capacity = largest_half_cycle(_charge_ah(rows))
    if capacity < _LEAST_CAPACITY_AH or not known.size:
        return None
    usual = float(np.nanquantile(np.abs(rows[c.CURRENT].to_numpy(dtype=np.float64)), 0.9))
    if usual > _MOST_RATE * capacity:
        return None
    # Spikes are no part of the window: the highest voltage is the one that all but 0.5 % stay below.
    guess = CellGuess(float(f"{capacity:.3g}"), float(np.quantile(known, 0.995)))
    own = SET_CAPACITY_AH[guess.parameter_set]
    return replace(guess, capacity_ah=own) if abs(guess.capacity_ah - own) <= _NEAR * own else guess


def _convert_to_volt_and_ampere(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows whose numbers are in mV, or in mA or uA, in V and A, as cleaning will take them."""
    time = rows[c.TEST_TIME] if rows[c.TEST_TIME].notna().any() else rows[c.UNIX_TIME]
    voltage, current = (rows[name].to_numpy(dtype=np.float64) for name in (c.VOLTAGE, c.CURRENT))
    voltage = voltage * voltage_factor(voltage, CleanSettings().voltage_limits_volt)
    none = np.zeros(max(len(rows) - 1, 0))
    factor = current_factor(Flow(time.to_numpy(dtype=np.float64), current, voltage, none, none), None)
    return rows.assign(**{c.VOLTAGE: voltage, c.CURRENT: current * factor})


def largest_half_cycle(charge_ah: Floats) -> float:
    """Return the largest charge that went one way before half of it came back.

    Small charges in between, as in a drive cycle, belong to the discharge they are in; the slow drift that a current
    sensor's offset gives to thousands of cycles does not add up.

    Args:
        charge_ah: cumulative charge in A.h at each sample.
    """
    start = extreme = largest = 0.0
    for charge in charge_ah[_turning_points(charge_ah)]:
        if (charge - extreme) * (extreme - start) >= 0:
            extreme = charge
        elif abs(charge - extreme) > _REVERSAL * abs(extreme - start):
            start, extreme = extreme, charge
        largest = max(largest, abs(extreme - start))
    return float(largest)


def _charge_ah(rows: pd.DataFrame) -> Floats:
    time = rows[c.TEST_TIME] if rows[c.TEST_TIME].notna().any() else rows[c.UNIX_TIME]
    # A median over five samples takes out spikes; what is missing is taken for the sample before.
    current = rows[c.CURRENT].rolling(5, center=True, min_periods=1).median().ffill().fillna(0.0)
    interval = time.ffill().diff().fillna(0.0).to_numpy(dtype=np.float64)
    interval = np.where((interval < 0) | (interval > _LONGEST_INTERVAL_SECOND), 0.0, interval)
    charge: Floats = np.cumsum(current.to_numpy(dtype=np.float64) * interval) / SECONDS_PER_HOUR
    return charge


def _turning_points(charge_ah: Floats) -> NDArray[np.intp]:
    """Places where the charge turns, and the last one: enough to find its extremes."""
    steps = np.sign(np.diff(charge_ah))
    moving = np.flatnonzero(steps)
    turns = moving[:-1][steps[moving[1:]] != steps[moving[:-1]]] + 1
    return np.append(turns, len(charge_ah) - 1) if len(charge_ah) else np.empty(0, dtype=np.intp)
