"""Draw records and simulations: frames in, Figure out; no file is read or written.

Frames carry the columns of ``data.columns``; times are drawn in hours, errors (simulated - measured) in mV.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...data import columns as c
from ...data.arrays import Mask
from ...data.convert import SECONDS_PER_HOUR
from ...data.rules import flag_bit
from .envelope import envelope, insert_breaks
from .style import BLACK, GREY, MEASURED, SHADE, WIDTH_INCH, displayable_name, house_style, put_heading, simulated_style

MILLIVOLT: Final = 1000.0
ROUND_STEPS: Final = (1, 2, 5, 10)
FAILED: Final[dict[str, Any]] = {"linestyle": (0, (2, 2)), "linewidth": 1.0, "alpha": 0.8}
"""Simulations that failed: thin short dashes up to a cross."""

CYCLES_SHADED: Final = 60


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedCurve:
    """A simulation to draw: its name in the legend and its samples (``data.columns.SIMULATION_COLUMNS``).

    Args:
        frame: at the measured samples; voltage and error are missing where nothing was simulated.
        failed: why it failed, in a few words; "" = it is done.
    """

    name: str
    frame: pd.DataFrame
    failed: str = ""


def rmse_mv(simulated: SimulatedCurve) -> float:
    """Return the root mean square voltage error of these samples in mV; NaN when none has a measured voltage."""
    error = simulated.frame["voltage_error_volt"].to_numpy(dtype=np.float64)
    error = error[np.isfinite(error)]
    return float(np.sqrt(np.mean(error**2)) * MILLIVOLT) if len(error) else float("nan")


@house_style()
def draw_cell(cell_id: str, measured: pd.DataFrame, simulated: Sequence[SimulatedCurve] = ()) -> Figure:
    """Draw voltage, current and error of one cell over a shared time.

    Args:
        measured: samples of a partition, in time order; cycles may be left out, lines do not bridge them.
        simulated: simulations of the same samples; without any, there is no error panel.
    """
    heights = [3.0, 1.1, 1.5] if simulated else [3.0, 1.3]
    figure = Figure(figsize=(WIDTH_INCH, 1.1 * sum(heights)), layout="constrained")
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
        draw_error_curves(panels[2], simulated, holes)
    panels[-1].set_xlabel("Test time (h)")
    panels[0].margins(x=0.01)
    figure.align_ylabels(panels)
    put_heading(figure, displayable_name(cell_id), voltages)
    return figure


def draw_voltages(axes: Axes, measured: pd.DataFrame, simulated: Sequence[SimulatedCurve]) -> list[Line2D]:
    """Draw measured and simulated voltage (V); the lines' labels carry the RMSE of what is drawn."""
    holes = find_holes(measured)
    lines = [draw_line(axes, measured, c.VOLTAGE, holes, label="measured", **MEASURED)]
    for number, simulation in enumerate(simulated):
        rmse = rmse_mv(simulation)
        score = "nothing measured" if np.isnan(rmse) else f"{rmse:.1f} mV"
        style = simulated_style(number)
        if simulation.failed:
            score, style = _failure_in_words(simulation, score), style | FAILED
        label = f"{displayable_name(simulation.name)}: {score}"
        lines.append(draw_line(axes, simulation.frame, "simulated_voltage_volt", holes, label=label, **style))
        if simulation.failed:
            _mark_end(axes, simulation.frame, "simulated_voltage_volt", 1.0, str(style["color"]))
    axes.set_ylabel("Voltage (V)")
    return lines


def draw_error_curves(axes: Axes, simulated: Sequence[SimulatedCurve], holes: Mask) -> None:
    """Draw the error (simulated - measured) of each simulation in mV; ``holes`` as in :func:`draw_line`."""
    axes.axhline(0, color=BLACK, linewidth=0.7, zorder=0.5)
    for number, simulation in enumerate(simulated):
        style = simulated_style(number) | {"linewidth": 1.0} | (FAILED if simulation.failed else {})
        draw_line(axes, simulation.frame, "voltage_error_volt", holes, MILLIVOLT, **style)
        if simulation.failed:
            _mark_end(axes, simulation.frame, "voltage_error_volt", MILLIVOLT, str(style["color"]))
    axes.set_ylabel("Simulated −\nmeasured (mV)")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=ROUND_STEPS))


def draw_line(axes: Axes, frame: pd.DataFrame, column: str, holes: Mask, factor: float = 1.0, **style: Any) -> Line2D:
    """Draw a column over time in hours, at most as finely as a page shows; no line crosses a hole.

    Args:
        holes: where samples are absent before a sample, shape (len(frame),); missing values are holes anyway.
    """
    time = frame[c.TEST_TIME].to_numpy(dtype=np.float64) / SECONDS_PER_HOUR
    values = frame[column].to_numpy(dtype=np.float64) * factor
    return axes.plot(*envelope(*insert_breaks(time, values, holes)), **style)[0]


def _failure_in_words(simulation: SimulatedCurve, score: str) -> str:
    known = simulation.frame[simulation.frame["simulated_voltage_volt"].notna()]
    if not len(known):
        return f"failed before this ({simulation.failed})"
    hours = known[c.TEST_TIME].iloc[-1] / SECONDS_PER_HOUR
    return f"failed after {hours:.3g} h ({simulation.failed}), {score} until then"


def _mark_end(axes: Axes, frame: pd.DataFrame, column: str, factor: float, color: str) -> None:
    """Put a cross where a failed simulation ended."""
    known = frame[frame[column].notna()]
    if len(known):
        end = known[c.TEST_TIME].iloc[-1] / SECONDS_PER_HOUR, known[column].iloc[-1] * factor
        axes.plot(*end, "x", color=color, markersize=6, markeredgewidth=1.6, zorder=3)


def find_holes(measured: pd.DataFrame) -> Mask:
    """Tell of each sample whether others are absent before it: cycles left out, or a gap that cleaning found."""
    holes = np.diff(measured[c.CYCLE_COUNT].to_numpy(dtype=np.int64), prepend=1) > 1
    holes |= (measured[c.FLAGS].to_numpy(dtype=np.int64) & flag_bit("time_gap")) != 0
    holes[:1] = False
    return holes


def shade_cycles(axes: Axes, frame: pd.DataFrame, *, named: bool) -> None:
    """Shade every other cycle, and write the cycles' numbers at the top where there is room (``named``)."""
    time = frame[c.TEST_TIME].to_numpy(dtype=np.float64) / SECONDS_PER_HOUR
    cycle = frame[c.CYCLE_COUNT].to_numpy(dtype=np.int64)
    first = np.flatnonzero(np.diff(cycle, prepend=-1))
    if not 1 < len(first) <= CYCLES_SHADED:
        return
    after = np.append(first[1:], len(cycle)) - 1
    for start, end in zip(first, after, strict=True):
        if cycle[start] % 2 == 0:
            axes.axvspan(time[start], time[end], color=SHADE, linewidth=0, zorder=0)
    if named:
        _name_cycles(
            axes, [(int(cycle[start]), time[start], time[end]) for start, end in zip(first, after, strict=True)]
        )


def _name_cycles(axes: Axes, spans: Sequence[tuple[int, float, float]]) -> None:
    """Write cycle numbers above their spans of time (h), as many as have room."""
    room = 0.04 * (spans[-1][2] - spans[0][1])
    taken = -np.inf
    for number, start, end in spans:
        middle = (start + end) / 2
        if middle - taken < room:
            continue
        text = f"cycle {number}" if np.isinf(taken) and end - start > 2 * room else str(number)
        axes.text(
            middle, 1.0, text, transform=axes.get_xaxis_transform(), ha="center", va="bottom", fontsize=7, color=GREY
        )
        taken = middle
