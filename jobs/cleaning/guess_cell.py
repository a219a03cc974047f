"""Guess what a cell is from its cleaned record: nominal capacity and chemistry. The user can correct the guesses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Indices
from .rule import charge_between_samples_ah, column_values

LFP_BELOW_VOLT: Final = 3.7
"""V: a cell that is never charged above this is guessed to be LFP. Chosen, not measured."""

FULL_CELL_ABOVE_VOLT: Final = 3.0
"""V: LFP, NMC, LCO and NCA cells against graphite are charged above this. A cell that never is may be a half-cell of a
negative electrode, or has one of titanate, silicon or hard carbon: no set is guessed. Chosen, not measured."""

SET_CAPACITY_AH: Final = {"Chen2020": 5.0, "Prada2013": 2.3}
"""A.h: nominal capacities of the cells of these parameter sets; a guess close to one becomes it."""

SET_WINDOW_VOLT: Final = {"Chen2020": (2.5, 4.2), "Prada2013": (2.0, 3.6)}
"""V: lower and upper cut-off of these parameter sets in PyBaMM."""

_NEAR: Final = 0.1
"""Share of a set's capacity: a guess is close to it if it differs by less. Chosen, not measured."""

_MOST_RATE: Final = 20.0
"""1/h: the typical current over the capacity. A record with more has not shown its cell's capacity. Chosen, not
measured."""

_REVERSAL: Final = 0.5
"""Share of a half cycle's charge that must come back to end it. Chosen, not measured."""

_LARGE: Final = 0.5
"""Share of the largest half cycle: one with more charge counts as evidence of the capacity. Chosen, not measured."""

_LEAST_CAPACITY_AH: Final = 1e-4
"""A.h: smallest capacity that is guessed. Chosen, not measured."""

_SPIKES: Final = 0.005
"""Share of the samples whose voltages are left out at both ends of the voltage range. Chosen, not measured."""


@dataclass(frozen=True, slots=True)
class CellGuess:
    """A guess at a cell.

    Args:
        capacity_ah: nominal capacity in A.h, to three digits.
        voltage_max_volt: highest voltage in V without spikes.
        voltage_min_volt: lowest voltage in V without spikes; NaN = not known.
        seen_ah: charge in A.h of the largest half cycle, to three digits; NaN = not known.
        half_cycles: number of half cycles with at least half of that charge.
    """

    capacity_ah: float
    voltage_max_volt: float
    voltage_min_volt: float = np.nan
    seen_ah: float = np.nan
    half_cycles: int = 1

    @property
    def parameter_set(self) -> str:
        """Prada2013 (LFP) or Chen2020 (NMC), by the highest voltage; "" = it is too low for both."""
        if self.voltage_max_volt < FULL_CELL_ABOVE_VOLT:
            return ""
        return "Prada2013" if self.voltage_max_volt < LFP_BELOW_VOLT else "Chen2020"


class HalfCycles(NamedTuple):
    """The half cycles of a record: charges or discharges between two turning points.

    Args:
        largest_ah: charge of the largest, in A.h.
        number: how many have at least half of that charge.
    """

    largest_ah: float
    number: int


def guess_cell(samples: pd.DataFrame) -> CellGuess | None:
    """Guess a cell from its cleaned record.

    Args:
        samples: a partition, as :func:`kilocell.jobs.cleaning.clean.clean` returns it.

    Returns:
        ``None`` if the cell was hardly charged or discharged, or if the current would exceed 20C: then the charge was
        only a small part of the capacity.
    """
    voltage = column_values(samples, c.VOLTAGE)
    current = column_values(samples, c.CURRENT)
    voltage = voltage[np.isfinite(voltage)]
    found = find_half_cycles(_charge_ah(samples))
    if found.largest_ah < _LEAST_CAPACITY_AH or not voltage.size:
        return None
    if float(np.nanquantile(np.abs(current), 0.9)) > _MOST_RATE * found.largest_ah:
        return None
    seen_ah = float(f"{found.largest_ah:.3g}")
    lowest, highest = (float(volt) for volt in np.quantile(voltage, (_SPIKES, 1 - _SPIKES)))
    guess = CellGuess(seen_ah, highest, lowest, seen_ah, found.number)
    of_set = SET_CAPACITY_AH.get(guess.parameter_set, 0.0)
    if abs(seen_ah - of_set) <= _NEAR * of_set:
        return CellGuess(of_set, highest, lowest, seen_ah, found.number)
    return guess


def find_half_cycles(charge_ah: Floats) -> HalfCycles:
    """Find charges and discharges: charge that flowed one way before half of it came back.

    Small charges in the other direction, as in a drive cycle, belong to the half cycle around them. The slow drift that
    the offset of a current sensor adds over thousands of cycles does not add up.

    Args:
        charge_ah: cumulative charge in A.h at each sample, shape (n,), from 0.
    """
    start = 0.0
    extreme = 0.0
    sizes = []
    for charge in charge_ah[_turning_points(charge_ah)].tolist():
        if (charge - extreme) * (extreme - start) >= 0:
            extreme = charge
        elif abs(charge - extreme) > _REVERSAL * abs(extreme - start):
            sizes.append(abs(extreme - start))
            start = extreme
            extreme = charge
    sizes.append(abs(extreme - start))
    largest = max(sizes)
    return HalfCycles(largest, sum(size >= _LARGE * largest for size in sizes))


def _charge_ah(samples: pd.DataFrame) -> Floats:
    """Return the cumulative charge in A.h at each sample, shape (n,), from 0."""
    return np.concatenate([[0.0], np.cumsum(charge_between_samples_ah(samples))])


def _turning_points(charge_ah: Floats) -> Indices:
    """Return the positions where the charge turns, and the last one: enough to find its extremes."""
    if not len(charge_ah):
        return np.empty(0, dtype=np.intp)
    direction = np.sign(np.diff(charge_ah))
    moving = np.flatnonzero(direction)
    turns = moving[:-1][direction[moving[1:]] != direction[moving[:-1]]] + 1
    return np.append(turns, len(charge_ah) - 1)
