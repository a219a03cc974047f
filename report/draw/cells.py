"""Draw the record of a cell and its simulations: voltage, current and error over time.

Frames have the columns of ``data.columns``. Times are drawn in h, errors (simulated - measured) in mV.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from textwrap import wrap
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...data import columns as c
from ...data.arrays import Floats, Mask
from ...data.convert import SECONDS_PER_HOUR
from ...data.error_budget import ErrorBudget, format_rmse
from ...data.outputs import CELL_TEMPERATURE
from ...data.outputs import COLUMNS as OUTPUT_COLUMNS
from ..styles import DASHES, Style
from .ranges import error_range, mark_beyond, robust_range, voltage_range
from .record_lines import draw_line as draw_line
from .record_lines import find_holes as find_holes
from .record_lines import find_rows as find_rows
from .record_lines import shade_cycles
from .style import (
    BLACK,
    COLOURS,
    GREY,
    MARKS_ON_LINE,
    MEASURED,
    WIDTH_INCH,
    displayable_name,
    house_style,
    line_style,
    put_heading,
    spread_markers,
)

MILLIVOLT: Final = 1000.0
"""Millivolts in a volt."""

ROUND_STEPS: Final = (1, 2, 5, 10)
"""Distances between ticks, times a power of ten."""

FAILED: Final[dict[str, Any]] = {"linewidth": 0.8, "alpha": 0.75}
"""Style of simulations that failed: thin and pale up to a cross."""

CROSS: Final[dict[str, Any]] = {"marker": "x", "markersize": 6, "markeredgewidth": 1.6}
"""Mark of the last sample of a simulation that failed."""

LABEL_SIGNS: Final = 84
"""Number of characters of a line of the legend; a longer text has several lines."""

OUTPUT_LINES: Final = ("-", "--", ":", "-.")
"""Lines of the columns that share a panel."""


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedCurve:
    """A simulation to draw.

    Args:
        name: its name in the legend.
        frame: ``test_time_second``, ``simulated_voltage_volt`` and ``voltage_error_volt`` at the measured samples;
            missing values where nothing was simulated.
        failed: why it failed, in a few words; "" = it did not fail.
        budget: its error budget, over all that was simulated; ``None`` = it has none.
        has_other_stretches: whether other stretches of its selection failed; those of the frame are complete.
        style: of its lines; ``None`` = by its place among the simulations of the figure.
        model, parameter_set: names, for figures that need only one of them.
    """

    name: str
    frame: pd.DataFrame
    failed: str = ""
    budget: ErrorBudget | None = None
    has_other_stretches: bool = False
    style: Style | None = None
    model: str = ""
    parameter_set: str = ""

    @property
    def ends_early(self) -> bool:
        """Whether it failed, so that its end is marked and it does not set the range of an axis."""
        return bool(self.failed) and not self.has_other_stretches


def curve_style(simulation: SimulatedCurve, number: int) -> Style:
    """Return the style of a simulation's lines.

    Args:
        simulation: the simulation.
        number: its place among the simulations of a figure, from 0, if it has no style.
    """
    if simulation.style is not None:
        return simulation.style
    return Style(COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)])


def rmse_mv(simulated: SimulatedCurve) -> float:
    """Return the RMSE of the voltage of these samples in mV; NaN if no sample has an error."""
    error = simulated.frame["voltage_error_volt"].to_numpy(dtype=np.float64)
    error = error[np.isfinite(error)]
    if not len(error):
        return float("nan")
    return float(np.sqrt(np.mean(error**2)) * MILLIVOLT)


@house_style()
def draw_cell(
    cell_id: str, measured: pd.DataFrame, simulated: Sequence[SimulatedCurve] = (), details: str = ""
) -> Figure:
    """Draw voltage (V), current (A) and error (mV) of one cell over a shared time axis (h).

    The measured record and complete simulations set the axes; simulations that failed do not.

    Args:
        cell_id: the cell, for the heading.
        measured: samples of a partition, in time order. Cycles may be left out; no line crosses them.
        simulated: simulations of the same samples; if empty, there is no panel with the error. Their other outputs have
            a panel for each quantity.
        details: below the heading: parameter sets, capacity, temperature, and which part of the record it is.
    """
    heights = [3.0, 1.1, 1.5] if simulated else [3.0, 1.3]
    outputs = group_outputs(simulated)
    heights += [1.3] * len(outputs)
    figure = Figure(figsize=(WIDTH_INCH, 1.1 * sum(heights) - (0.8 if details else 0.0)), layout="constrained")
    panels: Sequence[Axes] = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    for number, axes in enumerate(panels):
        shade_cycles(axes, measured, named=number == 0)
    holes = find_holes(measured)
    voltages = draw_voltages(panels[0], measured, simulated)
    draw_line(panels[1], measured, c.CURRENT, holes, color=BLACK, linewidth=0.9)
    panels[1].axhline(0, color=GREY, linewidth=0.5, zorder=0.5)
    panels[1].yaxis.set_major_locator(MaxNLocator(nbins=4, steps=ROUND_STEPS))
    panels[1].set_ylabel("Current (A)\ncharge > 0")
    if simulated:
        draw_error_curves(panels[2], simulated, holes, find_rows(measured))
    for axes, (label, columns) in zip(panels[len(panels) - len(outputs) :], outputs.items(), strict=True):
        draw_outputs(axes, label, columns, measured, simulated)
    panels[-1].set_xlabel("Test time (h)")
    panels[0].margins(x=0.01)
    figure.align_ylabels(panels)
    put_heading(figure, displayable_name(cell_id), voltages, details)
    return figure


def draw_voltages(
    axes: Axes,
    measured: pd.DataFrame,
    simulated: Sequence[SimulatedCurve],
    limits: tuple[float, float] | None = None,
    *,
    small: bool = False,
) -> list[Line2D]:
    """Draw measured and simulated voltage (V).

    Args:
        axes: panel.
        measured: samples of a partition.
        simulated: simulations of the same samples.
        limits: of the voltage axis; ``None`` = :func:`find_voltage_range`.
        small: whether values outside the panel are written inside it, because there is no room beside it.

    Returns:
        The line of the measurement, then one of each simulation; labels have the RMSE of the drawn samples in mV.
    """
    holes = find_holes(measured)
    rows = find_rows(measured)
    lines = [draw_line(axes, measured, c.VOLTAGE, holes, rows=rows, label="measured", **MEASURED)]
    marks = MARKS_ON_LINE // 2 if small else MARKS_ON_LINE
    lines += draw_simulations(axes, simulated, "simulated_voltage_volt", holes, marks=marks)
    axes.set_ylim(*(limits or find_voltage_range(measured, simulated)))
    mark_beyond(axes, lines, "V", crossed=_crossed(lines[1:], simulated), inside=small)
    _mark_ends(axes, simulated, "simulated_voltage_volt")
    axes.set_ylabel("Voltage (V)")
    return [lines[0], *map(_legend_line, simulated, lines[1:])]


def _crossed(lines: Sequence[Line2D], simulated: Sequence[SimulatedCurve]) -> list[Line2D]:
    """Return the lines of simulations that failed."""
    return [line for line, simulation in zip(lines, simulated, strict=True) if simulation.ends_early]


def find_voltage_range(measured: pd.DataFrame, simulated: Sequence[SimulatedCurve]) -> tuple[float, float]:
    """Return the range of the voltage axis (V): of the measured rows, a little extended for complete simulations."""
    values = measured[c.VOLTAGE].to_numpy(dtype=np.float64)[find_rows(measured)]
    complete, failed = _split_values(simulated, "simulated_voltage_volt")
    return voltage_range(values, complete, failed)


def _split_values(
    simulated: Sequence[SimulatedCurve], column: str, factor: float = 1.0
) -> tuple[list[Floats], list[Floats]]:
    """Return the values of the simulations that are complete, and of those that failed."""
    values = [simulation.frame[column].to_numpy(dtype=np.float64) * factor for simulation in simulated]
    complete = [each for each, simulation in zip(values, simulated, strict=True) if not simulation.ends_early]
    return complete, [each for each, simulation in zip(values, simulated, strict=True) if simulation.ends_early]


def draw_simulations(
    axes: Axes,
    simulated: Sequence[SimulatedCurve],
    column: str,
    holes: Mask,
    factor: float = 1.0,
    rows: Mask | None = None,
    marks: int = MARKS_ON_LINE,
    **changed: Any,
) -> list[Line2D]:
    """Draw a column of each simulation in its own style; return the lines.

    Args:
        axes: panel.
        simulated: simulations of the same samples.
        column: name of the column.
        holes, factor, rows: as in :func:`draw_line`.
        marks: number of markers on a line.
        changed: properties of all lines.
    """
    lines = []
    for number, simulation in enumerate(simulated):
        style = line_style(curve_style(simulation, number)) | changed
        if simulation.failed:
            style |= FAILED
        lines.append(draw_line(axes, simulation.frame, column, holes, factor, rows, **style))
        spread_markers(lines[-1], (number + 0.5) / len(simulated), marks)
    return lines


def _legend_line(simulation: SimulatedCurve, line: Line2D) -> Line2D:
    """Return the entry of a simulation in the legend: its style, and a cross if it failed."""
    label = f"{displayable_name(simulation.name)}: {describe_error(simulation)}"
    entry = Line2D([], [])
    entry.update_from(line)
    entry.set_label("\n".join(wrap(label, LABEL_SIGNS)))
    entry.set_markevery(None)
    if simulation.ends_early:
        entry.set(**CROSS)
    return entry


def draw_error_curves(axes: Axes, simulated: Sequence[SimulatedCurve], holes: Mask, rows: Mask | None = None) -> None:
    """Draw the error (simulated - measured) of each simulation in mV.

    Args:
        axes: panel.
        simulated: simulations of the same samples.
        holes, rows: as in :func:`draw_line`.
    """
    column = "voltage_error_volt"
    axes.axhline(0, color=BLACK, linewidth=0.7, zorder=0.5)
    lines = draw_simulations(axes, simulated, column, holes, MILLIVOLT, rows, linewidth=1.0)
    axes.set_ylim(*error_range(*_split_values(simulated, column, MILLIVOLT)))
    mark_beyond(axes, lines, "mV", crossed=_crossed(lines, simulated))
    _mark_ends(axes, simulated, column, MILLIVOLT)
    axes.set_ylabel("Simulated −\nmeasured (mV)")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=ROUND_STEPS))


def group_outputs(simulated: Sequence[SimulatedCurve]) -> dict[str, list[str]]:
    """Return the columns of the simulations' other outputs, by the label of their axis."""
    groups: dict[str, list[str]] = {}
    for name, column in OUTPUT_COLUMNS.items():
        if any(name in simulation.frame for simulation in simulated):
            groups.setdefault(column.label, []).append(name)
    return groups


def draw_outputs(
    axes: Axes, label: str, columns: Sequence[str], measured: pd.DataFrame, simulated: Sequence[SimulatedCurve]
) -> None:
    """Draw other outputs of simulations; with their temperature also the measured surface temperature.

    Args:
        axes: panel.
        label: of the axis.
        columns: that share the axis, each with its own kind of line.
        measured: samples of a partition.
        simulated: simulations of the same samples.
    """
    holes = find_holes(measured)
    drawn: list[Line2D] = []
    if CELL_TEMPERATURE in columns and c.SURFACE_TEMPERATURE in measured:
        drawn.append(draw_line(axes, measured, c.SURFACE_TEMPERATURE, holes, **MEASURED))
    names: list[Line2D] = []
    complete: list[Floats] = [np.asarray(line.get_ydata(), dtype=np.float64) for line in drawn]
    failed: list[Floats] = []
    for place, column in enumerate(columns):
        # A simulation without the column keeps its place, so that styles by place are those of the other panels.
        with_column = [
            (number, simulation) for number, simulation in enumerate(simulated) if column in simulation.frame
        ]
        changed: dict[str, Any] = {"linewidth": 1.0}
        if len(columns) > 1:
            changed["linestyle"] = OUTPUT_LINES[place % len(OUTPUT_LINES)]
        curves = [replace(simulation, style=curve_style(simulation, number)) for number, simulation in with_column]
        drawn += draw_simulations(axes, curves, column, holes, **changed)
        names.append(Line2D([], [], color=GREY, label=column, **changed))
        for values, into in zip(_split_values(curves, column), (complete, failed), strict=True):
            into += values
        _mark_ends(axes, curves, column)
    has_complete = any(np.isfinite(values).any() for values in complete)
    axes.set_ylim(*robust_range(complete if has_complete else failed, start=None))
    mark_beyond(axes, drawn, "")
    if len(columns) > 1:
        axes.legend(handles=names, fontsize="x-small", loc="best", frameon=False)
    axes.set_ylabel(label)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=ROUND_STEPS))


def describe_error(simulation: SimulatedCurve) -> str:
    """Return the RMSE of a simulation for the legend; for a failed one also where it ended and why."""
    rmse = rmse_mv(simulation)
    rmse_text = "no measured voltage" if np.isnan(rmse) else f"RMSE {format_rmse(rmse, simulation.budget)}"
    if not simulation.failed:
        return rmse_text
    if simulation.has_other_stretches:
        return f"{rmse_text}; other stretches failed: {simulation.failed}"
    known = simulation.frame[simulation.frame["simulated_voltage_volt"].notna()]
    if not len(known):
        return f"failed before this: {simulation.failed}"
    hours = known[c.TEST_TIME].iloc[-1] / SECONDS_PER_HOUR
    return f"stopped at {hours:.3g} h: {simulation.failed}; {rmse_text} until then"


def _mark_ends(axes: Axes, simulated: Sequence[SimulatedCurve], column: str, factor: float = 1.0) -> None:
    """Draw a cross where each failed simulation ended; at the edge of the panel if it ended outside."""
    low, high = axes.get_ylim()
    for number, simulation in enumerate(simulated):
        known = simulation.frame[simulation.frame[column].notna()]
        if not simulation.ends_early or not len(known):
            continue
        hours = known[c.TEST_TIME].iloc[-1] / SECONDS_PER_HOUR
        value = float(np.clip(known[column].iloc[-1] * factor, low, high))
        colour = curve_style(simulation, number).colour
        axes.plot(hours, value, color=colour, linestyle="none", zorder=4, clip_on=False, **CROSS)
