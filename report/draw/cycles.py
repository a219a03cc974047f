"""Draw capacity, efficiency, mean voltage and temperature over the cycles of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...data.text import format_count
from .style import COLOURS, DASHES, GREY, MARKERS, WIDTH_INCH, displayable_name, house_style, put_heading

Row = Mapping[str, Any]
PANELS: Final[dict[str, dict[str, str]]] = {
    "Capacity (A h)": {"charge_out_ah": "discharge", "charge_in_ah": "charge"},
    "Efficiency (%)": {"energy_efficiency_percent": "energy", "coulombic_efficiency_percent": "charge"},
    "Mean voltage (V)": {"mean_discharge_voltage_volt": "discharge", "mean_charge_voltage_volt": "charge"},
    "Temperature (°C)": {"temperature_mean_celsius": "mean"},
}
"""Panels: label of the axis, and columns of ``cycle_overview`` with their names. Of several cells, the first column."""

NAMED_CELLS: Final = 8
"""Largest number of cells with a colour and a name each; more are thin grey lines."""

CYCLES_WITH_MARKERS: Final = 40
"""Largest number of cycles with a marker on each."""


@house_style()
def draw_cycles(rows: Sequence[Row]) -> Figure:
    """Draw the cycles of one cell with charge and discharge, or of several cells with a line each.

    Args:
        rows: of the catalog's ``cycle_overview``; at least one.
    """
    ordered = sorted(rows, key=lambda row: (row["cell_id"], row["cycle_count"]))
    cells = {cell: list(group) for cell, group in groupby(ordered, lambda row: str(row["cell_id"]))}
    panels = {
        label: columns
        for label, columns in PANELS.items()
        if any(row[name] is not None for row in rows for name in columns)
    }
    figure = Figure(figsize=(WIDTH_INCH, 0.9 + 1.7 * len(panels)), layout="constrained")
    all_axes: Sequence[Axes] = np.atleast_1d(figure.subplots(len(panels), 1, sharex=True)).tolist()
    lines: list[Line2D] = []
    for axes, (label, columns) in zip(all_axes, panels.items(), strict=True):
        if len(cells) == 1:
            _draw_cell(axes, ordered, columns)
        else:
            column, name = next(iter(columns.items()))
            label += f",\n{name}"
            drawn = _draw_cells(axes, cells, column)
            lines = lines or drawn
        axes.set_ylabel(label)
        axes.margins(x=0.02)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    all_axes[-1].set_xlabel("Cycle")
    all_axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    heading = displayable_name(next(iter(cells))) if len(cells) == 1 else format_count(len(cells), "cell")
    counts = {row["cycle_count"] for row in rows}
    put_heading(figure, f"{heading}, cycles {min(counts)} to {max(counts)}", lines if len(cells) <= NAMED_CELLS else ())
    figure.align_ylabels(all_axes)
    return figure


def _draw_cell(axes: Axes, rows: Sequence[Row], columns: Mapping[str, str]) -> None:
    known = [name for name in columns if any(row[name] is not None for row in rows)]
    for number, name in enumerate(known):
        axes.plot(*_values(rows, name), label=columns[name], **_style(number, len(rows)))
    if len(known) > 1:
        axes.legend(frameon=False, fontsize="small", ncols=2, loc="best")


def _draw_cells(axes: Axes, cells: Mapping[str, Sequence[Row]], column: str) -> list[Line2D]:
    lines = []
    for number, (cell, rows) in enumerate(cells.items()):
        style = _style(number, len(rows))
        if len(cells) > NAMED_CELLS:
            style = {"color": GREY, "linewidth": 0.6, "alpha": 0.6}
        lines += axes.plot(*_values(rows, column), label=displayable_name(cell, 24), **style)
    return lines


def _style(number: int, cycles: int) -> dict[str, Any]:
    style: dict[str, Any] = {
        "color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)], "linewidth": 1.2,
    }  # fmt: skip
    if cycles <= CYCLES_WITH_MARKERS:
        style |= {"marker": MARKERS[number % len(MARKERS)], "markersize": 3.5}
    return style


def _values(rows: Sequence[Row], column: str) -> tuple[list[int], list[float]]:
    values = [float("nan") if row[column] is None else float(row[column]) for row in rows]
    return [int(row["cycle_count"]) for row in rows], values
