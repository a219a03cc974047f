"""Draw capacity, efficiency, resistance, mean voltage and temperature over the cycles of a few cells.

``fleet_cycles.py`` draws many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...data.cycle_selection import format_ranges
from ...data.text import format_count
from ..cycle_data import cycles_frame
from .style import COLOURS, DASHES, GREY, MARKERS, WIDTH_INCH, displayable_name, house_style, put_heading

Row = Mapping[str, Any]
RESISTANCE: Final = "Resistance (mΩ)"
PANELS: Final[dict[str, dict[str, str]]] = {
    "Capacity (A h)": {"charge_out_ah": "discharge", "charge_in_ah": "charge"},
    "Efficiency (%)": {"energy_efficiency_percent": "energy", "coulombic_efficiency_percent": "charge"},
    RESISTANCE: {"resistance_mohm": "resistance"},
    "Mean voltage (V)": {"mean_discharge_voltage_volt": "discharge", "mean_charge_voltage_volt": "charge"},
    "Temperature (°C)": {"temperature_mean_celsius": "mean"},
}
"""Panels: label of the axis, and columns of ``cycle_overview`` with their names. Of several cells, the first column."""

NAMED_CELLS: Final = 8
"""Largest number of cells with a colour and a name each."""

LEAST_KELVIN: Final = 2.0
"""Smallest range of the temperature axis: noise of hundredths of a kelvin is no change. Chosen, not measured."""

DOUBT_SHADE: Final[dict[str, Any]] = {"alpha": 0.2, "linewidth": 0}
"""Look of the uncertainty of a resistance."""

CYCLES_WITH_MARKERS: Final = 40
"""Largest number of cycles with a marker on each."""


@house_style()
def draw_cycles(rows: Sequence[Row]) -> Figure:
    """Draw the cycles of one cell with charge and discharge, or of up to eight cells with a line each.

    An efficiency is shown of cycles that return about the charge that they took, as others have none.

    Args:
        rows: of the catalog's ``cycle_overview``; at least one.
    """
    ordered = _with_quantities(sorted(rows, key=lambda row: (row["cell_id"], row["cycle_count"])))
    cells = {cell: list(group) for cell, group in groupby(ordered, lambda row: str(row["cell_id"]))}
    panels = {
        label: columns
        for label, columns in PANELS.items()
        if any(row[name] is not None for row in ordered for name in columns)
    }
    figure = Figure(figsize=(WIDTH_INCH, 0.5 + 1.6 * max(len(panels), 1)), layout="constrained")
    all_axes: Sequence[Axes] = np.atleast_1d(figure.subplots(max(len(panels), 1), 1, sharex=True)).tolist()
    lines: list[Line2D] = []
    for axes, (label, columns) in zip(all_axes, panels.items(), strict=False):
        if label == RESISTANCE:
            axes.set_title(_describe_resistance(ordered), fontsize=7.5, color=GREY, loc="left")
        if len(cells) == 1:
            _draw_cell(axes, ordered, columns)
        else:
            column, name = next(iter(columns.items()))
            label += "" if label == RESISTANCE else f",\n{name}"
            drawn = _draw_cells(axes, cells, column)
            lines = lines or drawn
        axes.set_ylabel(label)
        axes.margins(x=0.02)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
        if label.startswith("Temperature"):
            low, high = axes.get_ylim()
            room = max(0.0, LEAST_KELVIN - (high - low)) / 2
            axes.set_ylim(low - room, high + room)
    all_axes[-1].set_xlabel("Cycle")
    all_axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    heading = displayable_name(next(iter(cells))) if len(cells) == 1 else format_count(len(cells), "cell")
    figure.align_ylabels(all_axes)
    put_heading(figure, heading, lines, _details(ordered))
    return figure


def _with_quantities(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows with the resistance in mΩ, and without efficiencies that mean nothing."""
    quantities = cycles_frame(rows)
    made = []
    for row, resistance, energy in zip(
        rows, quantities["resistance_mohm"], quantities["energy_efficiency_percent"], strict=True
    ):
        changed = {**dict(row), "resistance_mohm": None if np.isnan(resistance) else float(resistance)}
        if np.isnan(energy):
            changed |= {"energy_efficiency_percent": None, "coulombic_efficiency_percent": None}
        made.append(changed)
    return made


def _details(rows: Sequence[Row]) -> str:
    """Return cycles, capacity of the first and the last one with charge out, and the measured temperature."""
    counts = [int(row["cycle_count"]) for row in rows]
    parts = [f"cycles {format_ranges(sorted(set(counts)))}"]
    if len({row["cell_id"] for row in rows}) == 1:
        capacities = [float(row["charge_out_ah"]) for row in rows if row["charge_out_ah"]]
        if capacities:
            parts.append(f"capacity {capacities[0]:.4g} A h in the first, {capacities[-1]:.4g} A h in the last cycle")
    temperatures = [row["temperature_mean_celsius"] for row in rows if row["temperature_mean_celsius"] is not None]
    if temperatures:
        low, high = min(temperatures), max(temperatures)
        parts.append(f"{low:.1f} °C" if high - low < 0.05 else f"{low:.1f} to {high:.1f} °C")
    else:
        parts.append("temperature unknown")
    return "; ".join(parts).replace("-0.0", "0.0")


def _describe_resistance(rows: Sequence[Row]) -> str:
    """Say at which edges the resistance was measured, and after which time; cells can differ."""
    sources = dict.fromkeys(
        f"{row['resistance_second']:g} s after the {row['resistance_source']}"
        for row in rows
        if row["resistance_mohm"] is not None
    )
    return "; ".join(sources)


def _draw_cell(axes: Axes, rows: Sequence[Row], columns: Mapping[str, str]) -> None:
    known = [name for name in columns if any(row[name] is not None for row in rows)]
    for number, name in enumerate(known):
        axes.plot(*_values(rows, name), label=columns[name], **_style(number, len(rows)))
        if name == "resistance_mohm":
            _shade_doubt(axes, rows)
    if len(known) > 1:
        axes.legend(frameon=False, fontsize="small", ncols=2, loc="best")


def _draw_cells(axes: Axes, cells: Mapping[str, Sequence[Row]], column: str) -> list[Line2D]:
    lines = []
    for number, (cell, rows) in enumerate(cells.items()):
        style = _style(number, len(rows))
        lines += axes.plot(*_values(rows, column), label=displayable_name(cell, 24), **style)
    return lines


def _shade_doubt(axes: Axes, rows: Sequence[Row]) -> None:
    """Shade the uncertainty of the resistance."""
    cycles, values = _values(rows, "resistance_mohm")
    doubt = [1000.0 * float(row["resistance_uncertainty_ohm"] or 0.0) for row in rows]
    middle = np.asarray(values)
    axes.fill_between(cycles, middle - doubt, middle + doubt, color=COLOURS[0], **DOUBT_SHADE)


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
