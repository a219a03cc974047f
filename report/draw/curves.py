"""Draw measured and simulated voltage of many cells, a small panel each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ...data import columns as c
from .cells import SimulatedCurve, draw_line, find_holes, find_rows
from .style import MEASURED, WIDTH_INCH, displayable_name, house_style, put_heading, show_literally, simulated_style


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
def draw_curves(heading: str, cells: Sequence[CellCurves], names: Sequence[str]) -> Figure:
    """Draw the voltage (V) of cells over time (h), measured and simulated, with one voltage axis.

    Args:
        heading: of the figure.
        cells: at least one.
        names: of all simulations, in the order of their styles.
    """
    across = min(len(cells), 3 if len(cells) > 4 else 2)
    down = -(-len(cells) // across)
    figure = Figure(figsize=(WIDTH_INCH, 1.1 + 1.7 * down), layout="constrained")
    panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
    lines: dict[str, Line2D] = {}
    for axes, cell in zip(panels, cells, strict=False):
        holes = find_holes(cell.measured)
        line = draw_line(
            axes, cell.measured, c.VOLTAGE, holes, rows=find_rows(cell.measured), label="measured", **MEASURED
        )
        lines.setdefault("measured", line)
        for curve in cell.simulated:
            style = simulated_style(names.index(curve.name))
            lines.setdefault(
                curve.name,
                draw_line(
                    axes, curve.frame, "simulated_voltage_volt", holes, label=displayable_name(curve.name), **style
                ),
            )
        title = f"{displayable_name(cell.cell_id, 54 // across)}: {cell.error}"
        show_literally(axes.set_title(title, fontsize=8))
        axes.margins(x=0.01)
    for axes in panels[len(cells) :]:
        axes.set_visible(False)
    put_heading(figure, heading, list(lines.values()))
    figure.supxlabel("Test time (h)", fontsize=8.5)
    figure.supylabel("Voltage (V)", fontsize=8.5)
    return figure
