"""Draw dQ/dV over voltage and dV/dQ over charge of constant-current steps, charge and discharge side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...data.arrays import Floats
from ..increments import Increments
from ..styles import Style
from .cells import CROSS, LABEL_SIGNS
from .ranges import mark_beyond, robust_range
from .style import (
    BLACK,
    GREY,
    GRID,
    MEASURED,
    PALE_GREY,
    WIDTH_INCH,
    displayable_name,
    house_style,
    line_style,
    put_heading,
    show_literally,
    spread_markers,
)

CYCLES_NAMED: Final = 6
"""Largest number of cycles that each have an entry in the legend; of more, the first and the last one have."""

CAPTION_SIGNS: Final = 128
"""About the number of characters of a caption that fit on the width of a figure."""

END_PERCENT: Final = 2.0
"""Share of dV/dQ at each end that does not set its axis: the voltage is steep where a step begins and ends."""

ROOM: Final = 0.03
"""Room beside what was measured, as a share of its range."""

SHADES: Final = LinearSegmentedColormap.from_list("cycles", [PALE_GREY, BLACK])


@dataclass(frozen=True, slots=True, eq=False)
class StepCurves:
    """dQ/dV and dV/dQ of a record or of a simulation of it.

    Args:
        name: in the legend, with the RMSE.
        steps: in time order.
        style: of a simulation; ``None`` = the measured record.
        failed: whether the simulation failed; then it does not set an axis.
    """

    name: str
    steps: Sequence[Increments]
    style: Style | None = None
    failed: bool = False


@house_style()
def draw_increments(cell_id: str, curves: Sequence[StepCurves], details: str, caption: str) -> Figure:
    """Draw dQ/dV (A h V⁻¹) over voltage (V) and dV/dQ (V (A h)⁻¹) over charge (A h), each step as a line.

    Args:
        cell_id: the cell, for the heading.
        curves: the measured record first, with at least one step.
        details: below the heading: parameter sets, capacity, temperature, cycles.
        caption: below the panels: how the curves were computed.
    """
    directions = [charging for charging in (True, False) if _steps_of(curves[:1], charging)]
    lines = wrap(caption, CAPTION_SIGNS)
    figure = Figure(figsize=(WIDTH_INCH, 5.0 + 0.14 * len(lines)), layout="constrained")
    panels = figure.subplots(2, len(directions), squeeze=False)
    for column, charging in enumerate(directions):
        _draw_panel(panels[0, column], curves, charging, "dq_dv")
        _draw_panel(panels[1, column], curves, charging, "dv_dq")
        panels[0, column].set_title("charge" if charging else "discharge", fontsize=9)
        panels[0, column].set_xlabel("Voltage (V)")
        panels[1, column].set_xlabel("Charge passed in the step (A h)")
    panels[0, 0].set_ylabel("dQ/dV (A h V⁻¹)")
    panels[1, 0].set_ylabel("dV/dQ (V A⁻¹ h⁻¹)")
    figure.align_ylabels(panels[:, 0])
    show_literally(figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=7, color=GREY))
    put_heading(figure, f"{displayable_name(cell_id)}: dQ/dV and dV/dQ", _legend(curves), details)
    return figure


def _steps_of(curves: Sequence[StepCurves], charging: bool) -> list[Increments]:
    return [step for each in curves for step in each.steps if step.part.charging == charging]


def _draw_panel(axes: Axes, curves: Sequence[StepCurves], charging: bool, quantity: str) -> None:
    """Draw one quantity of all steps of one direction; what was measured sets the axis."""
    drawn = []
    for number, each in enumerate(curves):
        cycles = _cycles(each)
        for step in each.steps:
            if step.part.charging != charging:
                continue
            style = _line_style(each, cycles, step.part.cycle)
            drawn += axes.plot(*_points(step, quantity), zorder=2 + 0.01 * number, **style)
            spread_markers(drawn[-1], (number + 0.5) / len(curves))
    measured = _steps_of(curves[:1], charging)
    tail = END_PERCENT if quantity == "dv_dq" else 0.0
    axes.set_ylim(*robust_range([_points(step, quantity)[1] for step in measured], tail_percent=tail))
    along = np.concatenate([_points(step, quantity)[0] for step in measured])
    room = ROOM * float(np.ptp(along))
    axes.set_xlim(float(along.min()) - room, float(along.max()) + room)
    mark_beyond(axes, drawn, "", inside=True)
    for each in curves:
        _mark_end(axes, each, charging, quantity)
    axes.axhline(0.0, color=GREY, linewidth=0.5, zorder=0.5)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def _points(step: Increments, quantity: str) -> tuple[Floats, Floats]:
    """Return voltage and dQ/dV, or charge and dV/dQ, in the order of time."""
    if quantity == "dv_dq":
        return step.charge_ah, step.dv_dq
    order = slice(None) if step.part.charging else slice(None, None, -1)
    return step.voltage_volt[order], step.dq_dv[order]


def _mark_end(axes: Axes, curves: StepCurves, charging: bool, quantity: str) -> None:
    """Draw a cross where a failed simulation ended, at the edge of the panel if it ended outside."""
    if not curves.failed or not curves.steps or curves.style is None or curves.steps[-1].part.charging != charging:
        return
    along, values = _points(curves.steps[-1], quantity)
    at = np.clip(along[-1], *axes.get_xlim()), np.clip(values[-1], *axes.get_ylim())
    axes.plot(*at, color=curves.style.colour, linestyle="none", clip_on=False, zorder=4, **CROSS)


def _cycles(curves: StepCurves) -> list[int]:
    return sorted({step.part.cycle for step in curves.steps})


def _line_style(curves: StepCurves, cycles: Sequence[int], cycle: int) -> dict[str, Any]:
    """Return the style of a step: measured cycles from grey (the first) to black (the last)."""
    if curves.style is not None:
        style = line_style(curves.style) | {"linewidth": 1.0}
        return style | {"alpha": 0.75, "linewidth": 0.8} if curves.failed else style
    if len(cycles) == 1:
        return MEASURED
    share = cycles.index(cycle) / (len(cycles) - 1)
    return {**MEASURED, "color": to_hex(SHADES(share)), "linewidth": 1.4}


def _legend(curves: Sequence[StepCurves]) -> list[Line2D]:
    lines = []
    for each in curves:
        cycles = _cycles(each)
        if each.style is not None or len(cycles) == 1:
            name = "\n".join(wrap(displayable_name(each.name, 160), LABEL_SIGNS))
            entry = _line_style(each, cycles, cycles[0] if cycles else 0)
            if each.failed:
                entry |= CROSS
            lines.append(Line2D([], [], label=name, **entry))
            continue
        named = cycles if len(cycles) <= CYCLES_NAMED else [cycles[0], cycles[-1]]
        lines += [
            Line2D([], [], label=f"{each.name}, cycle {cycle}", **_line_style(each, cycles, cycle)) for cycle in named
        ]
    return lines
