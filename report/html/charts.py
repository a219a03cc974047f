"""What the report shows of all cells at once: groups of simulations, their distributions, and the heatmap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from ..fleet_data import COMMON_SHARE, NOT_SIMULATED, rmse_matrix, simulation_name
from ..styles import Styles
from .content import Content, Row

FEW_CELLS: Final = 60
"""Cells up to which the heatmap is a table with a number in each box."""

BINS: Final = 48
WAITING: Final = -1.0
"""Rank of a cell whose simulations neither ended nor failed."""

RUG_VALUES: Final = 80
"""Values up to which a distribution is drawn as a line for each; more are a histogram."""

STATUS_NUMBERS: Final[Mapping[str, int]] = {"failed": -1, "skipped": -2, "pending": -3}
"""Numbers in the heatmap's data of simulations without an RMSE."""

COLOURS: Final = (
    (254, 232, 56), (225, 208, 85), (195, 182, 105), (166, 157, 117), (138, 134, 120), (112, 113, 115), (87, 93, 109),
    (59, 73, 108), (18, 53, 112), (0, 34, 78),
)  # fmt: skip
"""The colours of the map cividis from small to large errors, as in the figures of all cells. They read the same with
every kind of colour vision, and in grey."""


@dataclass
class Group:
    """The simulations of one model with one parameter set, or with one for each cell.

    Args:
        model: its name.
        parameter_set: its name; "" where each cell has another one, as in ``fleet_data.RmseMatrix``.
        colour, dashes: of the model's lines.
        rmse_mv: cell to RMSE (mV) of a finished simulation.
        status: cell to the status of any other.
    """

    model: str
    parameter_set: str
    colour: str
    dashes: tuple[float, ...]
    rmse_mv: dict[str, float] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Model and parameter set for people, as in the figures of all cells."""
        return simulation_name(self.model, self.parameter_set)


def make_groups(results: Sequence[Row], styles: Styles) -> list[Group]:
    """Return the groups of simulations, as in the figures of all cells.

    Args:
        results: rows of ``queries.results``.
        styles: of the store.
    """
    matrix = rmse_matrix([row for row in results if row["label"] is not None])
    groups = []
    for place, (model, parameter_set) in enumerate(matrix.simulations):
        style = styles.model(model)
        group = Group(model, parameter_set, style.colour, style.dashes)
        for cell, rmse_mv, status in zip(
            matrix.cells, matrix.rmse_mv[:, place].tolist(), matrix.status[:, place], strict=True
        ):
            if math.isfinite(rmse_mv):
                group.rmse_mv[cell] = rmse_mv
            elif status != NOT_SIMULATED:
                group.status[cell] = status
        groups.append(group)
    return groups


def rank_cells(content: Content) -> list[str]:
    """Return the cells with simulations, the worst first: by the smallest RMSE of each.

    Cells of which every simulation failed come first, those with only skipped or pending ones last.
    """
    best: dict[str, float] = {}
    for row in content.results:
        if row["label"] is None:
            continue
        known = best.get(row["cell_id"], WAITING)
        if row["rmse_mv"] is not None:
            best[row["cell_id"]] = min(known, row["rmse_mv"]) if known not in (WAITING, math.inf) else row["rmse_mv"]
        elif known == WAITING:
            best[row["cell_id"]] = math.inf if row["status"] == "failed" else WAITING
    return sorted(best, key=lambda cell: (-best[cell], cell))


# Distributions


def distributions(groups: Sequence[Group]) -> dict[str, Any]:
    """Return the rows of the table of distributions, with the drawing of each, on one logarithmic axis.

    Returns:
        ``rows`` with label, colour, count, least, quartiles, greatest, common (median over the cells that all
        compared groups have; ``None`` = not compared), failed, and the drawing; ``ticks`` (mV, place in
        percent); ``common`` (number of those cells).
    """
    drawn = [group for group in groups if group.rmse_mv]
    if not drawn:
        return {"rows": [], "ticks": [], "common": 0}
    low, high = _axis(drawn)
    most = max(len(group.rmse_mv) for group in drawn)
    compared = [group for group in drawn if len(group.rmse_mv) >= COMMON_SHARE * most]
    cells = set.intersection(*(set(group.rmse_mv) for group in compared)) if len(compared) > 1 else set()
    rows = []
    for group in drawn:
        values = np.array(sorted(group.rmse_mv.values()))
        quartiles = [float(value) for value in np.percentile(values, [25, 50, 75])]
        rows.append(
            {
                "label": group.label,
                "colour": group.colour,
                "count": len(values),
                "least": float(values[0]),
                "quartiles": quartiles,
                "greatest": float(values[-1]),
                "common": _median_of(group, cells) if len(cells) > 1 and group in compared else None,
                "failed": sum(status == "failed" for status in group.status.values()),
                "shape": _shape(values, low, high),
                "box": [_place(value, low, high) for value in quartiles],
            }
        )
    return {"rows": rows, "ticks": _ticks(low, high), "common": len(cells) if len(cells) > 1 else 0}


def _median_of(group: Group, cells: set[str]) -> float:
    return float(np.median([group.rmse_mv[cell] for cell in cells]))


def _axis(groups: Sequence[Group]) -> tuple[float, float]:
    """Return the ends of the axis, as decimal logarithms of mV, with a margin."""
    values = [max(value, 1e-3) for group in groups for value in group.rmse_mv.values()]
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = max(0.04 * (high - low), 0.05)
    return low - margin, high + margin


def _place(value: float, low: float, high: float) -> float:
    """Return where a value is on the axis, in percent of its length."""
    return round(100.0 * (math.log10(max(value, 1e-3)) - low) / (high - low), 3)


def _ticks(low: float, high: float) -> list[tuple[str, float]]:
    """Return the values and places of the axis' ticks: as many as fit."""
    for factors in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        decades = range(math.floor(low), math.ceil(high) + 1)
        values = [factor * 10.0**decade for decade in decades for factor in factors]
        inside = [value for value in values if low <= math.log10(value) <= high]
        if len(inside) <= 8:
            break
    return [(f"{value:g}", _place(value, low, high)) for value in inside]


def _shape(values: np.ndarray[Any, Any], low: float, high: float) -> str:
    """Return the path of a distribution in a box of 100 by 20: a line for each value, or a histogram."""
    if len(values) <= RUG_VALUES:
        return "".join(f"M{_place(value, low, high):g} 3V17" for value in values)
    counts, edges = np.histogram(np.log10(np.maximum(values, 1e-3)), BINS, (low, high))
    heights = 9.0 * counts / counts.max()
    places = np.repeat(100.0 * (edges - low) / (high - low), 2)[1:-1]
    up = np.repeat(heights, 2)
    above = "L".join(f"{x:.2f} {10 - y:.2f}" for x, y in zip(places, up, strict=True))
    below = "L".join(f"{x:.2f} {10 + y:.2f}" for x, y in zip(places[::-1], up[::-1], strict=True))
    return f"M{above}L{below}Z"


# Heatmap


def heatmap(groups: Sequence[Group], cells: Sequence[str]) -> dict[str, Any]:
    """Return the data of the heatmap: RMSE (mV) of each cell in each group.

    Args:
        groups: the rows (or, of few cells, the columns).
        cells: in their order, the worst first.

    Returns:
        ``labels``, ``values`` (for each group one number for each cell: mV, a number of ``STATUS_NUMBERS``, or ``None``
        = no such simulation), ``low`` and ``high`` (mV: the ends of the colours), ``few`` (whether it is a table),
        ``boxes`` (for a table: cell, and text and colours of each of its boxes).
    """
    values = [[_value(group, cell) for cell in cells] for group in groups]
    known = [value for row in values for value in row if value is not None and value > 0]
    if not known:
        return {"labels": [], "values": [], "few": True, "boxes": []}
    low, high = (float(value) for value in np.percentile(known, [2, 98]))
    high = max(high, 1.05 * low)
    few = len(cells) <= FEW_CELLS
    boxes = [(cell, [_box(row[place], low, high) for row in values]) for place, cell in enumerate(cells)]
    return {
        "labels": [group.label for group in groups],
        "values": values,
        "low": low,
        "high": high,
        "few": few,
        "boxes": boxes if few else [],
    }


def _value(group: Group, cell: str) -> float | None:
    rmse = group.rmse_mv.get(cell)
    if rmse is not None:
        return max(rmse, 1e-3)
    status = group.status.get(cell)
    return None if status is None else float(STATUS_NUMBERS.get(status, -3))


def _box(value: float | None, low: float, high: float) -> dict[str, str]:
    """Return text, background and ink of a box of the table."""
    if value is None:
        return {"text": "–", "style": "", "kind": "none"}
    if value < 0:
        (text,) = (status for status, number in STATUS_NUMBERS.items() if number == value)
        return {"text": text, "style": "", "kind": text}
    red, green, blue = colour_of(value, low, high)
    luminance = 0.2126 * (red / 255) ** 2.2 + 0.7152 * (green / 255) ** 2.2 + 0.0722 * (blue / 255) ** 2.2
    ink = "#000" if luminance > 0.18 else "#fff"
    return {"text": f"{value:.1f}", "style": f"background:rgb({red},{green},{blue});color:{ink}", "kind": "value"}


def colour_of(value: float, low: float, high: float) -> tuple[int, int, int]:
    """Return the colour of an RMSE on a logarithmic scale, as red, green and blue from 0 to 255.

    Args:
        value: mV.
        low, high: mV, the ends of the colours; values beyond have the colour of the end.
    """
    share = min(max(math.log(value / low) / math.log(high / low), 0.0), 1.0) * (len(COLOURS) - 1)
    first = min(int(share), len(COLOURS) - 2)
    rest = share - first
    red, green, blue = (round(a + (b - a) * rest) for a, b in zip(COLOURS[first], COLOURS[first + 1], strict=True))
    return red, green, blue
