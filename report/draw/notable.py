"""Draw the best, the median and the worst cell of a store with their simulations, a panel each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .cells import SimulatedCurve, draw_voltages
from .style import GREY, WIDTH_INCH, displayable_name, house_style, put_heading, show_literally


@dataclass(frozen=True, slots=True, eq=False)
class NotablePanel:
    """A panel: a cell's measured voltage and its simulations.

    Args:
        title: the cell, and why it is shown.
        details: parameter sets, capacity, temperature and cycles.
        measured: samples of its partition.
        simulated: simulations at these samples.
    """

    title: str
    details: str
    measured: pd.DataFrame
    simulated: Sequence[SimulatedCurve]


@house_style()
def draw_notable(heading: str, panels: Sequence[NotablePanel]) -> Figure:
    """Draw the voltage (V) of cells over time (h), measured and simulated; each legend has the RMSE of what is drawn.

    Args:
        heading: of the figure.
        panels: at least one.
    """
    entries = max(len(panel.simulated) for panel in panels)
    height = 1.75 + 0.13 * (entries + 1)
    figure = Figure(figsize=(WIDTH_INCH, 0.5 + height * len(panels)), layout="constrained")
    all_axes: Sequence[Axes] = np.atleast_1d(figure.subplots(len(panels), 1)).tolist()
    for axes, panel in zip(all_axes, panels, strict=True):
        lines = draw_voltages(axes, panel.measured, panel.simulated)
        axes.margins(x=0.01)
        axes.set_xlabel("Test time (h)")
        title = axes.set_title(displayable_name(panel.title, 90), fontsize=9, loc="left", fontweight="bold", pad=16)
        text = axes.annotate(
            displayable_name(panel.details, 120), (0.0, 1.0), xytext=(0, 4), xycoords="axes fraction",
            textcoords="offset points", fontsize=7.5, color=GREY, va="bottom",
        )  # fmt: skip
        legend = axes.legend(
            handles=lines, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=7, handlelength=2.2, borderaxespad=0.2,
            labelspacing=0.7,
        )  # fmt: skip
        for entry in legend.get_texts():
            entry.set_text(_say_rmse(entry.get_text()))
        show_literally(title, text, *legend.get_texts())
    put_heading(figure, heading)
    return figure


def _say_rmse(label: str) -> str:
    """Return the legend's text on two lines: the simulation, and its RMSE."""
    name, colon, error = label.partition(": ")
    if not colon:
        return label
    return f"{name}:\n{error}"
