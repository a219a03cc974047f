"""Draw measured and simulated voltage of many cells, a small panel each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..styles import Style
from .cells import CROSS, SimulatedCurve, curve_style, draw_voltages, find_voltage_range
from .style import (
    GREY,
    MEASURED,
    WIDTH_INCH,
    displayable_name,
    house_style,
    line_style,
    put_heading,
    show_literally,
)

TITLE_SIGNS: Final = 93
"""About the number of characters of all panel titles side by side."""


@dataclass(frozen=True, slots=True, eq=False)
class CellCurves:
    """A panel: a cell's measured voltage and its simulations.

    Args:
        cell_id: the cell.
        measured: samples of its partition.
        simulated: simulations at these samples.
        error: RMSE of the simulations, in words.
    """

    cell_id: str
    measured: pd.DataFrame
    simulated: Sequence[SimulatedCurve]
    error: str


@house_style()
def draw_curves(heading: str, cells: Sequence[CellCurves], names: Sequence[str] = ()) -> Figure:
    """Draw the voltage (V) of cells over time (h), measured and simulated, with one voltage axis.

    The measured records set the axis. A simulation that failed is drawn to its end, which is marked with a cross. A
    style that stands for a model with several parameter sets, one for each cell, has the model's name in the legend.

    Args:
        heading: of the figure.
        cells: at least one.
        names: of all simulations, in the order of their places, for those without a style.
    """
    across = min(len(cells), 3 if len(cells) > 4 else 2)
    down = -(-len(cells) // across)
    figure = Figure(figsize=(WIDTH_INCH, 1.1 + 1.7 * down), layout="constrained")
    panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
    order = list(names) or list(dict.fromkeys(curve.name for cell in cells for curve in cell.simulated))
    entries: dict[Style, list[SimulatedCurve]] = {}
    ranges = [find_voltage_range(cell.measured, cell.simulated) for cell in cells]
    limits = min(low for low, _ in ranges), max(high for _, high in ranges)
    for axes, cell in zip(panels, cells, strict=False):
        curves = [replace(curve, style=curve_style(curve, order.index(curve.name))) for curve in cell.simulated]
        draw_voltages(axes, cell.measured, curves, limits, small=True)
        for curve in curves:
            if curve.style is not None:
                entries.setdefault(curve.style, []).append(curve)
        axes.set_ylabel("")
        axes.margins(x=0.01)
    shared = any(len({curve.parameter_set for curve in curves}) > 1 for curves in entries.values())
    for axes, cell in zip(panels, cells, strict=False):
        show_literally(axes.set_title(_title(cell, TITLE_SIGNS // across, with_sets=shared), fontsize=8))
    for axes in panels[len(cells) :]:
        axes.set_visible(False)
    put_heading(figure, heading, [Line2D([], [], label="measured", **MEASURED), *_legend(entries)])
    figure.supxlabel("Test time (h)", fontsize=8.5)
    figure.supylabel("Voltage (V)", fontsize=8.5)
    return figure


def _title(cell: CellCurves, signs: int, *, with_sets: bool) -> str:
    """Return cell and RMSE, on two lines if they are too long for one.

    Args:
        cell: the panel.
        signs: about the number of characters of a line.
        with_sets: also its parameter sets, because the legend does not name them.
    """
    error = cell.error
    sets = ", ".join(dict.fromkeys(curve.parameter_set for curve in cell.simulated))
    if with_sets and sets:
        error = f"{displayable_name(sets, max(signs - len(error) - 2, 8))}: {error}"
    name = displayable_name(cell.cell_id, signs)
    if with_sets or len(name) + len(error) + 2 > signs:
        return f"{name}\n{error}"
    return f"{name}: {error}"


def _legend(entries: Mapping[Style, Sequence[SimulatedCurve]]) -> list[Line2D]:
    """Return a line for each style, and a cross if a simulation failed."""
    lines = []
    for style, curves in entries.items():
        names = {curve.name for curve in curves}
        name = curves[0].name if len(names) == 1 else curves[0].model or curves[0].name
        lines.append(Line2D([], [], label=displayable_name(name), **line_style(style)))
    if any(curve.ends_early for curves in entries.values() for curve in curves):
        lines.append(Line2D([], [], color=GREY, linestyle="none", label="stopped early", **CROSS))
    return lines
