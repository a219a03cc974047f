"""Draw the error budgets of a cell's simulations: what each voltage error may be off by, and from which cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...data.error_budget import LIMIT_MV, LIMIT_SHARE, PARTS, WORDS, ErrorBudget, format_mv
from ..styles import PART_COLOURS
from .style import (
    BLACK,
    DETAIL,
    GREY,
    GRID,
    VERMILLION,
    WIDTH_INCH,
    displayable_name,
    house_style,
    put_heading,
    show_literally,
)

BAR_HEIGHT: Final = 0.62
"""Height of a bar, in distances between bars."""

FAR: Final = 4.0
"""A budget of more than this many times the median is cut and has an arrow."""

NOTE_SIGNS: Final = 128
"""About the number of characters of a note that fit on the width of a figure."""

NOTE: Final = (
    "Length: error budget, the root of the sum of the squared parts. Colours: share of each part in this sum. "
    "Line: 1 mV or a tenth of the RMSE, whichever is less; above it, part of the error may not be the model's (!). "
    "?: a part is unknown."
)


@dataclass(frozen=True, slots=True)
class NamedBudget:
    """The error budget of a simulation.

    Args:
        name: of the simulation.
        budget: with its RMSE.
    """

    name: str
    budget: ErrorBudget


@house_style()
def draw_budgets(cell_id: str, budgets: Sequence[NamedBudget], details: str = "") -> Figure:
    """Draw a bar for each simulation's error budget (mV), divided into its parts, with the limit for its RMSE.

    Args:
        cell_id: the cell, for the heading.
        budgets: at least one.
        details: below the heading: parameter sets, capacity, temperature, cycles.
    """
    figure = Figure(figsize=(WIDTH_INCH, 1.05 + 0.36 * len(budgets)), layout="constrained")
    axes = figure.add_subplot()
    top = _find_top(budgets)
    for number, named in enumerate(budgets):
        _draw_budget(axes, number, named.budget, top)
    names = [f"{displayable_name(named.name, 44)}\n{_describe_rmse(named.budget)}" for named in budgets]
    axes.set_yticks(range(len(budgets)), names, fontsize=7.5)
    show_literally(*axes.get_yticklabels())
    axes.set_ylim(len(budgets) - 0.5, -0.5)
    axes.set_xlim(0.0, 1.05 * top)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("Error budget of the RMSE (± mV)")
    figure.supxlabel("\n".join(wrap(NOTE, NOTE_SIGNS)), x=0.01, ha="left", fontsize=7, color=GREY)
    put_heading(figure, f"{displayable_name(cell_id)}: error budget", _legend(budgets), details)
    return figure


def _draw_budget(axes: Axes, at: int, budget: ErrorBudget, top: float) -> None:
    """Draw one bar: its parts by their squares, its limit, and the parts in mV beside it."""
    text = "no part is known"
    if budget.total_mv is not None:
        squares = {name: value**2 for name, value in budget.parts.items()}
        whole = sum(squares.values()) or 1.0
        begin = 0.0
        for name in PARTS:
            length = budget.total_mv * squares.get(name, 0.0) / whole
            shown = min(begin + length, top) - min(begin, top)
            axes.barh(at, shown, BAR_HEIGHT, left=begin, color=PART_COLOURS[name])
            begin += length
        if budget.total_mv > top:
            axes.plot(top, at, ">", color=BLACK, markersize=6, clip_on=False, zorder=4)
        text = f"±{format_mv(budget.total_mv)} mV"
    limit = LIMIT_MV if budget.rmse_mv is None else min(LIMIT_MV, LIMIT_SHARE * budget.rmse_mv)
    if limit <= 1.05 * top:
        axes.plot([limit, limit], [at - 0.4, at + 0.4], color=BLACK, linewidth=1.2, zorder=3)
    mark = budget.mark
    style: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": 8}
    axes.text(1.015, at, mark, color=VERMILLION, fontweight="bold", **style)
    axes.text(1.04, at - 0.16, text, color=BLACK, **style)
    known = ", ".join(f"{_SHORT[name]} {format_mv(value)}" for name, value in budget.parts.items())
    unknown = ", ".join(f"{_SHORT[name]} ?" for name in budget.unknown)
    axes.text(1.04, at + 0.2, ", ".join(filter(None, [known, unknown])), color=DETAIL, **{**style, "fontsize": 6.5})


_SHORT: Final = {"numerical": "num.", "compression": "compr.", "charge": "charge", "state": "state"}
"""Words of the parts in the numbers beside the bars."""


def _describe_rmse(budget: ErrorBudget) -> str:
    return "no RMSE" if budget.rmse_mv is None else f"RMSE {budget.rmse_mv:.1f} mV"


def _find_top(budgets: Sequence[NamedBudget]) -> float:
    """Return the end of the axis in mV: one budget that is far larger than the others does not set it."""
    totals = np.array([named.budget.total_mv for named in budgets if named.budget.total_mv is not None])
    if not len(totals):
        return LIMIT_MV
    near = totals[totals <= FAR * np.median(totals)]
    largest = float(near.max()) if len(near) else float(totals.max())
    return max(1.25 * largest if len(near) < len(totals) else largest, LIMIT_SHARE * LIMIT_MV)


def _legend(budgets: Sequence[NamedBudget]) -> list[Line2D]:
    """Return a square for each part that a budget has, and the line of the limit."""
    occurring = {name for named in budgets for name in named.budget.parts}
    marks = [
        Line2D([], [], linestyle="none", marker="s", markersize=7, color=PART_COLOURS[name], label=WORDS[name])
        for name in PARTS
        if name in occurring
    ]
    marks.append(Line2D([], [], linestyle="none", marker="|", markersize=10, color=BLACK, label="limit"))
    return marks
