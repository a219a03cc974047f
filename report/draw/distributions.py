"""Draw how the RMSE is distributed by model, parameter set and group, and what dominates its error budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...data.arrays import Floats
from ...data.error_budget import LIMIT_MV, LIMIT_SHARE, WORDS
from ...data.text import format_count
from ..fleet_data import Distribution
from ..styles import BLACK, Styles
from .overview import format_mv, tick_rmse
from .style import (
    BLUE,
    GREEN,
    GREY,
    GRID,
    ORANGE,
    PURPLE,
    VERMILLION,
    WIDTH_INCH,
    displayable_name,
    house_style,
    put_heading,
    show_literally,
)

Row = Mapping[str, Any]
MOST_NAMES: Final = 16
"""Largest number of names of a panel; of more, those with the most results are drawn."""

DOTS: Final = 60
"""Largest number of values of a name that are drawn as dots, too."""

SHARES: Final = (5.0, 25.0, 50.0, 75.0, 95.0)
TITLES: Final = {
    "model": "By model", "parameter set": "By parameter set", "group": "By group (all sets from one base set)",
}  # fmt: skip
PART_COLOURS: Final = {
    "numerical": PURPLE, "compression": ORANGE, "charge": BLUE, "state": GREEN, "unknown": GREY,
}  # fmt: skip
"""Colours of the parts of an error budget."""

MOST_REASONS: Final = 12
"""Largest number of reasons of failures with a bar."""

KINDS: Final = {
    "split": "splitting files", "clean": "cleaning", "simulate": "simulation", "start": "start of a fit", "fit": "fit",
    "profile": "profile",
}  # fmt: skip


@house_style()
def draw_distributions(distributions: Sequence[Distribution], styles: Styles) -> Figure:
    """Draw the RMSE (mV) of each model, parameter set and group: median, 25-75 % and 5-95 % of the results.

    Args:
        distributions: from ``fleet_data.distributions``; at least one with values.
        styles: of models and sets.
    """
    panels = {by: _most(list(group)) for by, group in groupby(distributions, lambda one: one.by)}
    heights = [0.5 + 0.27 * len(shown) for shown in panels.values()]
    figure = Figure(figsize=(WIDTH_INCH, 0.9 + sum(heights)), layout="constrained")
    all_axes: Sequence[Axes] = np.atleast_1d(
        figure.subplots(len(panels), 1, sharex=True, height_ratios=heights)
    ).tolist()
    values = np.concatenate([one.rmse_mv for one in distributions])
    low, high = 0.85 * values.min(), 1.15 * values.max()
    for axes, (by, shown) in zip(all_axes, panels.items(), strict=True):
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        for place, one in enumerate(shown):
            marked = not one.is_common and any(other.is_common for other in shown)
            _draw_distribution(axes, place, one, _colour(by, one.name, styles), marked=marked)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        names = [displayable_name(one.name, 30) for one in shown]
        axes.set_yticks(range(len(shown)), names)
        show_literally(*axes.get_yticklabels())
        hidden = sum(one.by == by for one in distributions) - len(shown)
        title = TITLES[by] + _comparison_words(shown)
        if hidden:
            title += f"; {hidden} with fewer results are not shown"
        axes.set_title(title, fontsize=8.5, loc="left")
        axes.grid(axis="x", color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        tick_rmse(axes, float(low), float(high))
    all_axes[-1].set_xlabel("RMSE (mV)")
    marks = [
        Line2D([], [], color=GREY, linewidth=1.2, label="5 to 95 %"),
        Line2D([], [], color=GREY, linewidth=6, alpha=0.5, label="25 to 75 %"),
        Line2D([], [], color=GREY, marker="|", markersize=9, markeredgewidth=2.2, linestyle="none", label="median"),
    ]
    put_heading(figure, "RMSE of simulated voltage", marks)
    return figure


def _most(distributions: Sequence[Distribution]) -> list[Distribution]:
    """Return the names with values, at most sixteen: those with the most results, in their order."""
    known = [one for one in distributions if len(one.rmse_mv)]
    kept = sorted(known, key=lambda one: -one.results)[:MOST_NAMES]
    return [one for one in known if one in kept]


def _colour(by: str, name: str, styles: Styles) -> str:
    if by == "model":
        return styles.model(name).colour
    return styles.parameter_set(name).colour if by == "parameter set" else BLACK


def _comparison_words(shown: Sequence[Distribution]) -> str:
    """Say over what the names of a panel are compared."""
    common = [one for one in shown if one.is_common]
    if not common:
        return "" if len(shown) < 2 else ", each with its own cells"
    of_what = "set" if shown[0].by == "model" else "model"
    words = f", over the {len(common[0].rmse_mv)} results (cell and {of_what}) that all have"
    if len(common) < len(shown):
        words += "; others marked *"
    return words


def _draw_distribution(axes: Axes, place: int, one: Distribution, colour: str, *, marked: bool) -> None:
    """Draw one line: range, box and median; few values as dots; at the right, numbers in words."""
    low, first, median, third, high = np.percentile(one.rmse_mv, SHARES)
    if len(one.rmse_mv) > 2:
        axes.plot([low, high], [place, place], color=colour, linewidth=1.2, solid_capstyle="round", zorder=2)
        axes.plot([first, third], [place, place], color=colour, linewidth=7, alpha=0.45, zorder=2)
    if len(one.rmse_mv) <= DOTS:
        axes.plot(
            one.rmse_mv, np.full(len(one.rmse_mv), place + 0.28), ".", color=colour, markersize=3.5, alpha=0.7,
            zorder=2.5, markeredgewidth=0,
        )  # fmt: skip
    axes.plot([median], [place], "|", color=colour, markersize=11, markeredgewidth=2.4, zorder=3)
    mark = "*" if marked else ""
    words = f"{format_mv(one.median_mv)} mV, n = {len(one.rmse_mv)}{mark}"
    if one.failed:
        words += f", {one.failed} failed"
    axes.text(1.01, place, words, transform=axes.get_yaxis_transform(), va="center", fontsize=7.5)


@house_style()
def draw_budget(rows: Sequence[Row], parts: Mapping[str, int], failures: Sequence[Row]) -> Figure:
    """Draw what dominates the error budgets, the budgets against the RMSE, and how often jobs failed and why.

    Args:
        rows: from ``fleet_data.read_errors``.
        parts: from ``fleet_data.budget_parts``; may be empty.
        failures: from ``fleet_data.failure_reasons``; may be empty.
    """
    shown = failures[:MOST_REASONS]
    heights = ([2.9] if parts else []) + ([0.6 + 0.26 * len(shown)] if shown else [])
    figure = Figure(figsize=(WIDTH_INCH, 0.6 + sum(heights or [1.0])), layout="constrained")
    if not heights:
        axes: Axes = figure.subplots()
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no result and no failure yet", transform=axes.transAxes, ha="center", color=GREY)
    if heights:
        grid = figure.add_gridspec(len(heights), 2, height_ratios=heights, width_ratios=[1.0, 1.55])
        if parts:
            _draw_parts(figure.add_subplot(grid[0, 0]), parts)
            _draw_budgets(figure.add_subplot(grid[0, 1]), rows)
        if shown:
            _draw_failures(figure.add_subplot(grid[-1, :]), shown, len(failures))
    put_heading(figure, "Error budgets and failures")
    return figure


def _draw_parts(axes: Axes, parts: Mapping[str, int]) -> None:
    """Draw in how many results each part of the error budget is the largest."""
    names = list(parts)
    counts = [parts[name] for name in names]
    axes.barh(range(len(names)), counts, height=0.6, color=[PART_COLOURS[name] for name in names])
    for place, count in enumerate(counts):
        axes.text(count, place, f" {count}", va="center", fontsize=7.5)
    axes.set_yticks(range(len(names)), [WORDS.get(name, name).replace(" ", "\n") for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, 1.2 * max(counts))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("Results")
    axes.set_title("Largest part of the error budget", fontsize=8.5, loc="left")


def _draw_budgets(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw the error budget of each result against its RMSE, by its largest part; above the line it is too large."""
    known = [row for row in rows if row["rmse_mv"] and row["error_budget_mv"]]
    axes.set_xscale("log")
    axes.set_yscale("log")
    if not known:
        axes.text(0.5, 0.5, "no budget is known", transform=axes.transAxes, ha="center", color=GREY)
        return
    rmse: Floats = np.array([row["rmse_mv"] for row in known], dtype=np.float64)
    budget: Floats = np.array([row["error_budget_mv"] for row in known], dtype=np.float64)
    mains = np.array([row["error_budget_main"] or "unknown" for row in known])
    for part, colour in PART_COLOURS.items():
        at = mains == part
        if at.any():
            size = 7.0 if len(known) <= 200 else 3.0
            axes.plot(
                rmse[at], budget[at], ".", color=colour, markersize=size, alpha=0.7, markeredgewidth=0,
                rasterized=len(known) > 5000, label=WORDS.get(part, part),
            )  # fmt: skip
    line = np.geomspace(0.8 * rmse.min(), 1.25 * rmse.max(), 80)
    limit = np.minimum(LIMIT_MV, LIMIT_SHARE * line)
    axes.plot(line, limit, color=BLACK, linewidth=1.0, linestyle=(0, (5, 1.5)))
    above = int((budget > np.minimum(LIMIT_MV, LIMIT_SHARE * rmse)).sum())
    axes.set_xlim(line[0], line[-1])
    low, high = min(budget.min(), limit.min()), max(budget.max(), limit.max())
    axes.set_ylim(0.6 * low, 1.8 * high)
    tick_rmse(axes, float(line[0]), float(line[-1]))
    tick_rmse(axes, *axes.get_ylim(), which="y")
    axes.set_xlabel("RMSE (mV)")
    axes.set_ylabel("Error budget, ± (mV)")
    axes.set_title(f"{above} of {len(known)} budgets are too large (above the line)", fontsize=8.5, loc="left")
    axes.grid(color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)


def _draw_failures(axes: Axes, failures: Sequence[Row], reasons: int) -> None:
    """Draw how often jobs failed or were skipped, by what they do and why."""
    counts = [int(row["count"]) for row in failures]
    colours = [VERMILLION if row["status"] == "failed" else "#bdbdbd" for row in failures]
    axes.barh(range(len(counts)), counts, height=0.6, color=colours)
    labels = []
    for place, row in enumerate(failures):
        code = str(row["reason_code"] or "no code").replace("_", " ")
        labels.append(displayable_name(f"{KINDS.get(row['kind'], row['kind'])}: {code}", 44))
        word = "" if row["status"] == "failed" else " skipped"
        axes.text(counts[place], place, f" {counts[place]}{word}, {format_count(row['cells'], 'cell')}", va="center",
                  fontsize=7.5)  # fmt: skip
    axes.set_yticks(range(len(counts)), labels)
    show_literally(*axes.get_yticklabels())
    axes.set_ylim(len(counts) - 0.4, -0.6)
    axes.set_xlim(0, 1.35 * max(counts))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("Jobs")
    title = "Failed and skipped jobs by reason"
    if reasons > len(failures):
        title += f" ({reasons - len(failures)} rarer reasons are not shown)"
    axes.set_title(title, fontsize=8.5, loc="left")
