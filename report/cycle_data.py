"""Capacity, energy efficiency and resistance of all cells over their cycles: quantiles for bands, and cells to name.

Nothing here draws, and nothing but the catalog is read. A missing number is NaN.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from ..data.efficiency import CLOSED
from ..sqlite import overview

QUANTITIES: Final = {
    "capacity_ah": "Capacity (A h)",
    "energy_efficiency_percent": "Energy efficiency (%)",
    "resistance_mohm": "Resistance (mΩ)",
}
"""What is shown along the cycles, and its label with its unit."""

SHARES: Final = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}
MOST_CYCLES: Final = 200
"""Largest number of different cycles that quantiles are computed for; of more, as many are taken evenly."""

LEAST_CHARGE: Final = 0.005
"""Share of the nominal capacity: a cycle with less charge out has no capacity, the cell rests. Chosen, not measured."""

AS_NEW: Final = 99.5
"""% of its first cycles: a cell with more has lost nothing worth naming. Chosen, not measured."""

LEAST_CELLS: Final = 5
"""Bands need this many cells; at cycles that fewer cells reach, quantiles say nothing. Chosen, not measured."""

SAME_SECOND: Final = 0.25
"""Resistances after times that differ by up to this share are compared. Chosen, not measured."""

MILLIOHM: Final = 1000.0


@dataclass(frozen=True, slots=True)
class NamedCell:
    """A cell whose line is named in a figure of many.

    Args:
        cell_id: the cell.
        why: in a few words, such as ``62 % of its first capacity``.
    """

    cell_id: str
    why: str


def read_cycles(catalog: sqlite3.Connection, cycles: Sequence[int] = ()) -> pd.DataFrame:
    """Return the cycles of all cells; of more than 200 different cycles, 200 that are spread evenly.

    Args:
        catalog: from ``queries.connect``.
        cycles: only these; empty = all.

    Returns:
        cell_id, cycle_count, ``QUANTITIES`` and resistance_second, by cell and cycle; a few numbers for each row.
    """
    if not cycles:
        known = [cycle for cycle, _ in overview.cycle_counts(catalog)]
        if len(known) > MOST_CYCLES:
            places = np.unique(np.linspace(0, len(known) - 1, MOST_CYCLES).round().astype(int))
            cycles = [known[place] for place in places]
    cursor = overview.cycle_values(catalog, cycles)
    names = [column[0] for column in cursor.description]
    return cycles_frame(pd.DataFrame.from_records(cursor, columns=names))


def cycles_frame(rows: pd.DataFrame | Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the quantities of cycles; capacity is the charge out, efficiency the energy out / in of closed cycles.

    Args:
        rows: of the catalog's ``cycle_overview``, or of ``sqlite.overview.cycle_values``.
    """
    given = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame([dict(row) for row in rows])
    numbers = given.reindex(columns=list(overview.CYCLE_COLUMNS)).apply(pd.to_numeric).astype(np.float64)
    charge_in, charge_out = numbers["charge_in_ah"], numbers["charge_out_ah"]
    least = LEAST_CHARGE * numbers["nominal_capacity_ah"].fillna(0.0)
    discharged = charge_out.where((charge_out > 0.0) & (charge_out >= least))
    closed = (discharged >= CLOSED[0] * charge_in) & (discharged <= CLOSED[1] * charge_in)
    energy_in = numbers["energy_in_wh"].where(closed & (numbers["energy_in_wh"] > 0.0))
    return pd.DataFrame(
        {
            "cell_id": given["cell_id"].astype(str),
            "cycle_count": given["cycle_count"].astype(np.int64),
            "capacity_ah": discharged,
            "energy_efficiency_percent": 100.0 * numbers["energy_out_wh"] / energy_in,
            "resistance_mohm": MILLIOHM * numbers["resistance_ohm"],
            "resistance_second": numbers["resistance_second"],
        }
    )


def comparable_resistance(cycles: pd.DataFrame) -> tuple[pd.DataFrame, float, int]:
    """Leave only resistances after about the same time since the current changed: others are another quantity.

    Args:
        cycles: from :func:`read_cycles`.

    Returns:
        The cycles, in which the others' resistance is NaN; the usual time in s, NaN without any; and the number of
        cells that lost all of theirs.
    """
    known = cycles["resistance_mohm"].notna() & cycles["resistance_second"].notna()
    if not known.any():
        return cycles, float("nan"), 0
    usual = float(cycles.loc[known, "resistance_second"].round(1).mode().iloc[0])
    kept = known & ((cycles["resistance_second"] - usual).abs() <= SAME_SECOND * usual)
    lost = set(cycles.loc[known, "cell_id"]) - set(cycles.loc[kept, "cell_id"])
    return cycles.assign(resistance_mohm=cycles["resistance_mohm"].where(kept)), usual, len(lost)


def cycle_quantiles(cycles: pd.DataFrame, quantity: str, relative: bool = False) -> pd.DataFrame:
    """Return quantiles over the cells at each cycle.

    Args:
        cycles: from :func:`read_cycles`.
        quantity: a key of ``QUANTITIES``.
        relative: in % of each cell's first cycle (:func:`relative_to_first`), which cells of different size need.

    Returns:
        cycle_count, cells (number with a value), q05, q25, median, q75 and q95; NaN where fewer than five cells are.
    """
    known = (relative_to_first(cycles, quantity) if relative else cycles).dropna(subset=[quantity])
    grouped = known.groupby("cycle_count")[quantity]
    quantiles = pd.DataFrame({name: grouped.quantile(share) for name, share in SHARES.items()})
    cells = grouped.size()
    quantiles = quantiles.where(cells >= LEAST_CELLS)
    quantiles.insert(0, "cells", cells)
    return quantiles.reset_index()


def relative_to_first(cycles: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Return the cycles with a quantity in % of the largest of the cell's first three cycles.

    The first cycle alone is often a part of one (a formation, a record that begins in the middle).

    Args:
        cycles: from :func:`read_cycles`.
        quantity: a key of ``QUANTITIES``.
    """
    known = cycles.dropna(subset=[quantity])
    first = known.groupby("cell_id").head(3).groupby("cell_id")[quantity].max()
    return cycles.assign(**{quantity: 100.0 * cycles[quantity] / cycles["cell_id"].map(first)})


LEAST_CYCLES: Final = 6
"""Cycles of a cell from which on its last three are compared with its first three; in fewer, they are the same."""


def worst_cells(cycles: pd.DataFrame, quantity: str, most: int = 3) -> list[NamedCell]:
    """Return the cells that end furthest from the others: the most capacity lost, or the most resistance gained.

    Args:
        cycles: from :func:`read_cycles`.
        quantity: a key of ``QUANTITIES``; a high resistance is bad, all others are good if high.
        most: largest number of cells.
    """
    relative = relative_to_first(cycles, quantity).dropna(subset=[quantity])
    counts = relative.groupby("cell_id")[quantity].transform("size")
    relative = relative[counts >= LEAST_CYCLES]
    if relative.empty:
        return []
    last = relative.groupby("cell_id").tail(3).groupby("cell_id")[quantity].median()
    is_bad_if_high = quantity == "resistance_mohm"
    ordered = last.sort_values(ascending=not is_bad_if_high, kind="stable")
    if not is_bad_if_high:
        ordered = ordered[ordered < AS_NEW]
    return [NamedCell(str(cell), f"{value:.0f} % of its first") for cell, value in ordered.head(most).items()]
