"""What figures, pages and slides show of all cells: RMSE by cell and simulation, distributions, and cells to look at.

Nothing here draws, and nothing but the catalog is read. A missing number is NaN. ``report/cycle_data.py`` has the
cycles.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data.arrays import Floats
from ..data.error_budget import PARTS
from ..sqlite import overview

Row = Mapping[str, Any] | sqlite3.Row
"""A row of ``sqlite.overview.simulation_errors``; at least cell_id, model, parameter_set, rmse_mv and status."""

NOT_SIMULATED: Final = ""
"""Status of a cell and a simulation that are not combined in the campaign."""

COMMON_SHARE: Final = 0.5
"""Names with fewer results than this share of the most are not compared over common cells. Chosen, not measured."""

BY: Final = {"model": "model", "parameter set": "parameter_set", "group": "base"}
"""What distributions are split by, and the column of it. A group is all sets that were made from one base set."""


@dataclass(frozen=True, slots=True, eq=False)
class RmseMatrix:
    """RMSE of every cell and simulation.

    Args:
        cells: cell_ids, the smallest RMSE first, then those without an RMSE by name.
        simulations: (model, parameter set) of each column, in the campaign's order. The set is "" where each cell has
            one base set and these differ; ``+NAME`` is what a fit or variation added to it.
        rmse_mv: mV, NaN where there is none, shape (cells, simulations).
        status: ``done``, ``failed``, ``skipped``, ``pending``, or "" = not simulated; the same shape.
        full_sets: a complete name of a parameter set of each column.
    """

    cells: list[str]
    simulations: list[tuple[str, str]]
    rmse_mv: Floats
    status: NDArray[np.object_]
    full_sets: list[str]

    def names(self) -> list[str]:
        """Return the names of the simulations, such as ``SPMe, Chen2020``."""
        return [simulation_name(model, parameter_set) for model, parameter_set in self.simulations]

    def medians(self) -> list[tuple[float, int, bool]]:
        """Return the median RMSE (mV) of each simulation, over how many cells, and whether over common ones.

        Simulations with at least half as many results as the most frequent one are compared over the cells that all of
        them have; the others, and those that share no cell, over their own.
        """
        done = np.isfinite(self.rmse_mv)
        counts = done.sum(axis=0)
        compared = (counts >= COMMON_SHARE * counts.max(initial=0)) & (counts > 0)
        common = done[:, compared].all(axis=1) if compared.sum() > 1 else np.zeros(len(done), bool)
        medians = []
        for place in range(len(self.simulations)):
            is_common = bool(compared[place] and common.any())
            values = self.rmse_mv[common if is_common else done[:, place], place]
            medians.append((float(np.median(values)) if len(values) else float("nan"), len(values), is_common))
        return medians

    def count(self, status: str) -> list[int]:
        """Return the number of cells of each simulation with this status."""
        return [int(count) for count in (self.status == status).sum(axis=0)]


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """RMSE of all results of one model, parameter set or group.

    Args:
        by: ``model``, ``parameter set`` or ``group``.
        name: of the model, the set or the group's base set.
        rmse_mv: the values that are compared, ascending, mV.
        results: number of finished simulations; more than there are values where only common ones are compared.
        failed: number of failed ones.
        is_common: whether the values are of the same cells as those of the other names (:func:`distributions`).
    """

    by: str
    name: str
    rmse_mv: Floats
    results: int
    failed: int
    is_common: bool

    @property
    def median_mv(self) -> float:
        """Median of the values; NaN = none."""
        return float(np.median(self.rmse_mv)) if len(self.rmse_mv) else float("nan")


@dataclass(frozen=True, slots=True)
class NotableCell:
    """A cell to look at: ``best``, ``median`` or ``worst`` of all by its smallest RMSE.

    Args:
        role: which of these.
        cell_id: the cell.
        rmse_mv: its smallest RMSE, mV.
        place: in the order of all cells with an RMSE, 1 = the best one.
        cells: number of cells with an RMSE.
    """

    role: str
    cell_id: str
    rmse_mv: float
    place: int
    cells: int


def simulation_name(model: str, parameter_set: str) -> str:
    """Return ``SPMe, Chen2020``; without a set, the model's name."""
    return ", ".join(part for part in (model, parameter_set) if part)


def read_errors(catalog: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return the rows that the functions below take; read once for several of them.

    Args:
        catalog: from ``queries.connect``.
    """
    return [dict(row) for row in overview.simulation_errors(catalog)]


def rmse_matrix(rows: Sequence[Row]) -> RmseMatrix:
    """Return the RMSE of every cell and simulation, the best cell first.

    Args:
        rows: from :func:`read_errors`, or of the catalog's ``results``.
    """
    full_names = [row["parameter_set"] for row in rows]
    rows = _without_single_bases(rows)
    full_sets: dict[tuple[str, str], str] = {}
    for row, name in zip(rows, full_names, strict=True):
        if row["model"] is not None:
            full_sets.setdefault(_key(row), str(name))
    simulations = list(full_sets)
    places = {key: place for place, key in enumerate(simulations)}
    cells = list(dict.fromkeys(str(row["cell_id"]) for row in rows))
    lines = {cell: line for line, cell in enumerate(cells)}
    rmse = np.full((len(cells), len(simulations)), np.nan)
    status = np.full((len(cells), len(simulations)), NOT_SIMULATED, dtype=object)
    for row in rows:
        if row["model"] is None:
            continue
        at = lines[str(row["cell_id"])], places[_key(row)]
        status[at] = str(row["status"])
        if row["rmse_mv"] is not None:
            rmse[at] = row["rmse_mv"]
    best = np.where(np.isfinite(rmse), rmse, np.inf).min(axis=1, initial=np.inf)
    order = sorted(range(len(cells)), key=lambda line: (best[line], cells[line]))
    names = [cells[line] for line in order]
    return RmseMatrix(names, simulations, rmse[order], status[order], list(full_sets.values()))


def distributions(rows: Sequence[Row]) -> list[Distribution]:
    """Return the RMSE by model, by parameter set and by group, so that they can be compared.

    Models are compared over the same cells and sets, parameter sets over the same cells and models: those for which
    every name has a result. A name with few results (a fit of one cell) keeps its own values and does not count for
    this; nor do names that share no cell, as the groups of different chemistry. ``is_common`` says which it is.

    Args:
        rows: from :func:`read_errors`.

    Returns:
        Names in the campaign's order. Groups are left out if they are the same as the sets.
    """
    frame = pd.DataFrame([dict(row) for row in rows if row["model"] is not None])
    if frame.empty:
        return []
    found: list[Distribution] = []
    for by, column in BY.items():
        names = [str(name) for name in frame[column].dropna().unique()]
        if by == "group" and (len(names) < 2 or (frame["base"] == frame["parameter_set"]).all()):
            continue
        unit = ["cell_id", "parameter_set"] if by == "model" else ["cell_id", "model"]
        found += _compared(frame, by, column, names, None if by == "group" else unit)
    return found


def best_median_worst(rows: Sequence[Row]) -> list[NotableCell]:
    """Return the best, the median and the worst cell by their smallest RMSE; fewer if there are fewer cells.

    Args:
        rows: from :func:`read_errors`, or of the catalog's ``results`` or ``curves``.
    """
    best: dict[str, float] = {}
    for row in rows:
        if row["rmse_mv"] is not None:
            cell = str(row["cell_id"])
            best[cell] = min(float(row["rmse_mv"]), best.get(cell, float("inf")))
    ordered = sorted(best, key=lambda cell: (best[cell], cell))
    if not ordered:
        return []
    last = len(ordered) - 1
    places = {"best": 0, "worst": last, "median": last // 2}
    chosen: dict[int, str] = {}
    for role, place in places.items():
        chosen.setdefault(place, role)
    return [
        NotableCell(role, ordered[place], best[ordered[place]], place + 1, len(ordered))
        for place, role in sorted(chosen.items())
    ]


def budget_parts(rows: Sequence[Row]) -> dict[str, int]:
    """Return in how many finished simulations each part of the error budget is the largest, in the order of the parts.

    Args:
        rows: from :func:`read_errors`.

    Returns:
        Keys of ``data.error_budget.PARTS``, then ``unknown`` for results without a budget; only those that occur.
    """
    mains = [row["error_budget_main"] or "unknown" for row in rows if row["rmse_mv"] is not None]
    return {part: mains.count(part) for part in (*PARTS, "unknown") if part in mains}


def failure_reasons(catalog: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return how often jobs failed or were skipped, and why, the most frequent first.

    Args:
        catalog: from ``queries.connect``.

    Returns:
        kind, status, reason_code, count, cells, cell_id and reason of one of them.
    """
    return [dict(row) for row in overview.failure_reasons(catalog)]


def has_single_bases(rows: Iterable[Row]) -> bool:
    """Tell whether each cell has one base set and these differ: then the base's name only repeats the cell's."""
    bases: dict[str, set[str]] = {}
    for row in rows:
        if row["model"] is not None:
            bases.setdefault(row["cell_id"], set()).add(_base(row))
    different = set().union(*bases.values())
    return len(different) > 1 and all(len(of_cell) == 1 for of_cell in bases.values())


def _without_single_bases(rows: Sequence[Row]) -> Sequence[Row]:
    """Leave out the names of base sets that only repeat the cell; what a fit or variation adds to them is kept."""
    if not has_single_bases(rows):
        return rows
    shortened = []
    for row in rows:
        kept = {key: row[key] for key in ("cell_id", "model", "parameter_set", "rmse_mv", "status")}
        _, plus, addition = (row["parameter_set"] or "").partition("+")
        shortened.append({**kept, "parameter_set": plus + addition})
    return shortened


def _base(row: Row) -> str:
    return str(row["parameter_set"]).partition("+")[0]


def _key(row: Row) -> tuple[str, str]:
    return str(row["model"]), str(row["parameter_set"])


def _compared(
    frame: pd.DataFrame, by: str, column: str, names: Sequence[str], unit: list[str] | None
) -> list[Distribution]:
    """Return the distribution of each name, over the units (cell and set, or cell and model) that all have."""
    done = frame[frame["rmse_mv"].notna()]
    of_name = {name: done[done[column] == name] for name in names}
    common: pd.MultiIndex | None = None
    compared: set[str] = set()
    if unit is not None:
        most = max((len(part) for part in of_name.values()), default=0)
        units = {name: pd.MultiIndex.from_frame(part[unit]) for name, part in of_name.items()}
        compared = {name for name, index in units.items() if len(index) >= COMMON_SHARE * most and len(index)}
        for name in compared:
            common = units[name] if common is None else common.intersection(units[name])
    if common is None or len(common) == 0 or len(compared) < 2:
        common = None
    found = []
    for name, part in of_name.items():
        is_common = common is not None and name in compared
        kept = part
        if unit is not None and common is not None and name in compared:
            kept = part[pd.MultiIndex.from_frame(part[unit]).isin(common.to_list())]
        values: Floats = np.sort(kept["rmse_mv"].to_numpy(dtype=np.float64))
        failed = int(((frame[column] == name) & (frame["status"] == "failed")).sum())
        found.append(Distribution(by, name, values, len(part), failed, is_common))
    return found
