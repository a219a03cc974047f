"""Draw all cells of a store, from a few to tens of thousands: their RMSE, and the measured voltage of some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from ...data import columns as c
from ...data.arrays import Floats
from ...data.text import format_count
from ..fleet_data import NOT_SIMULATED, RmseMatrix, rmse_matrix
from ..styles import Styles, make_styles
from .cells import draw_line, find_holes, find_rows
from .style import (
    BLACK,
    GREY,
    GRID,
    VERMILLION,
    WIDTH_INCH,
    displayable_name,
    dot_style,
    house_style,
    put_heading,
    show_literally,
)

NAMED_CELLS: Final = 40
"""Largest number of cells with a named line each; of more cells, a few are named."""

MOST_LINES: Final = 400
"""Largest number of lines of a heatmap; of more cells, a line is the median of some that follow each other."""

NUMBERED: Final = (25, 9)
"""Largest numbers of cells and of simulations with a number in each field."""

DOTTED_SIMULATIONS: Final = 8
"""Largest number of simulations with dots beside the heatmap."""

SIGNS_ABOVE: Final = 48
"""About the number of characters of all names side by side above the heatmap."""

COLOURS: Final = "cividis_r"
"""Colours of the RMSE: light is small. Their lightness tells them apart in grey, too."""

OUTSIDE_PERCENT: Final = 0.5
"""% of the values at either end that may lie beyond the colours, so that one wild cell does not hide the rest."""

MISSING: Final[dict[str, dict[str, Any]]] = {
    "failed": {"facecolor": VERMILLION, "edgecolor": "white", "hatch": "xxxx", "linewidth": 0},
    "skipped": {"facecolor": "#d9d9d9", "edgecolor": "white", "hatch": "////", "linewidth": 0},
    "pending": {"facecolor": "white", "edgecolor": "#9a9a9a", "hatch": "....", "linewidth": 0},
    NOT_SIMULATED: {"facecolor": "white", "edgecolor": GRID, "linewidth": 0},
}
"""Look of a field without an RMSE, by its status."""

MISSING_NAMES: Final = {NOT_SIMULATED: "not simulated"}

Row = Mapping[str, Any]
"""A row of the catalog's ``results`` with cell_id, model, parameter_set, rmse_mv and status; without a model, the cell
was not simulated."""


@house_style()
def draw_rmse(rows: Sequence[Row], styles: Styles | None = None) -> Figure:
    """Draw the RMSE (mV) of every cell and simulation as a heatmap, the best cell first, and as dots beside it.

    If each cell has one parameter set, and they differ between cells, the simulations have the names of their models.

    Args:
        rows: of the catalog's ``results``, or from ``fleet_data.read_errors``.
        styles: of models and sets; ``None`` = made from the rows.
    """
    matrix = rmse_matrix(rows)
    if styles is None:
        styles = _make_styles(rows)
    columns = len(matrix.simulations)
    lines = min(len(matrix.cells), MOST_LINES)
    height = 2.2 + 0.21 * lines if len(matrix.cells) <= NAMED_CELLS else 6.4
    figure = Figure(figsize=(WIDTH_INCH, height), layout="constrained")
    if not columns:
        return _draw_nothing(figure, matrix)
    is_dotted = columns <= DOTTED_SIMULATIONS
    ratio = min(0.62, 0.16 + 0.085 * columns)
    panels: Sequence[Axes] = np.atleast_1d(
        figure.subplots(
            1, 1 + is_dotted, sharey=True, squeeze=True, width_ratios=[ratio, 1 - ratio] if is_dotted else None
        )
    ).tolist()
    scale = _colour_scale(matrix.rmse_mv)
    _draw_fields(panels[0], matrix, scale)
    _name_cells(panels[0], matrix)
    _name_simulations(panels[0], matrix)
    mapping = ScalarMappable(scale, COLOURS)
    beyond = _beyond(matrix.rmse_mv, scale)
    bar = figure.colorbar(mapping, ax=panels[0], location="bottom", aspect=18, pad=0.02, shrink=0.9, extend=beyond)
    tick_rmse(bar.ax, scale.vmin or 1.0, scale.vmax or 1.0)
    bar.set_label("RMSE (mV)")
    if is_dotted:
        _draw_dots(panels[1], matrix, styles, (scale.vmin or 1.0, scale.vmax or 1.0))
    _add_legend(figure, matrix, panels[1].get_lines() if is_dotted else [])
    return figure


@house_style()
def draw_records(records: Mapping[str, pd.DataFrame], cells: int) -> Figure:
    """Draw the measured voltage (V) of some cells over time (h), a small panel each, with one voltage axis.

    Args:
        records: cell_id to its partition (time, voltage, cycle_count and flags), in order; at least one.
        cells: number of cells in the store.
    """
    across = min(len(records), 3 if len(records) > 4 else 2)
    down = -(-len(records) // across)
    figure = Figure(figsize=(WIDTH_INCH, 0.7 + 1.5 * down), layout="constrained")
    panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
    for axes, (cell_id, frame) in zip(panels, records.items(), strict=False):
        draw_line(axes, frame, c.VOLTAGE, find_holes(frame), rows=find_rows(frame), color=BLACK, linewidth=0.9)
        show_literally(axes.set_title(displayable_name(cell_id, 90 // across), fontsize=8.5))
        axes.margins(x=0.01)
    for axes in panels[len(records) :]:
        axes.set_visible(False)
    which = format_count(cells, "cell")
    if cells > len(records):
        which = f"{len(records)} of {which}"
    put_heading(figure, f"Measured voltage of {which}")
    figure.supxlabel("Test time (h)", fontsize=8.5)
    figure.supylabel("Voltage (V)", fontsize=8.5)
    return figure


def _make_styles(rows: Sequence[Row]) -> Styles:
    """Return styles of the models and sets of rows alone."""
    simulated = [row for row in rows if row["model"] is not None]
    sets = list(dict.fromkeys(str(row["parameter_set"]) for row in simulated))
    of_cell: dict[str, set[str]] = {}
    for row in simulated:
        of_cell.setdefault(str(row["cell_id"]), set()).add(str(row["parameter_set"]))
    together = {pair for names in of_cell.values() for pair in combinations(sorted(names), 2)}
    return make_styles(list(dict.fromkeys(str(row["model"]) for row in simulated)), sets, sorted(together))


def _draw_nothing(figure: Figure, matrix: RmseMatrix) -> Figure:
    """Say that no simulation is planned."""
    axes: Axes = figure.subplots()
    axes.set_axis_off()
    axes.text(0.5, 0.5, "not simulated", transform=axes.transAxes, ha="center", color=GREY)
    put_heading(figure, f"Simulated against measured voltage, {format_count(len(matrix.cells), 'cell')}")
    return figure


def _colour_scale(rmse_mv: Floats) -> LogNorm:
    """Return a logarithmic scale of colours over the RMSE, from a round number to a round number of mV."""
    known = rmse_mv[np.isfinite(rmse_mv) & (rmse_mv > 0.0)]
    if not len(known):
        return LogNorm(1.0, 10.0)
    low, high = np.percentile(known, [OUTSIDE_PERCENT, 100.0 - OUTSIDE_PERCENT])
    if len(known) < 1 / (0.01 * OUTSIDE_PERCENT):
        low, high = known.min(), known.max()
    if high < 1.5 * low:
        low, high = low / 1.25, high * 1.25
    return LogNorm(float(low), float(high))


def _beyond(rmse_mv: Floats, scale: LogNorm) -> str:
    """Return at which ends of the colour bar there are values beyond it: neither, min, max or both."""
    below = bool((rmse_mv < (scale.vmin or 0.0)).any())
    above = bool((rmse_mv > (scale.vmax or 0.0)).any())
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[below, above]


def _draw_fields(axes: Axes, matrix: RmseMatrix, scale: LogNorm) -> None:
    """Draw a field for each cell and simulation: the colour of its RMSE, or the look of its status."""
    edges, rmse, status = _thinned(matrix)
    columns = len(matrix.simulations)
    mesh_x = np.arange(columns + 1) - 0.5
    fields = np.ma.masked_invalid(rmse)
    axes.pcolormesh(mesh_x, edges - 0.5, fields, norm=scale, cmap=COLOURS, linewidth=0, rasterized=len(rmse) > 200)
    for place in range(columns):
        for first, last, what in _runs(status[:, place]):
            if what in MISSING:
                begin, end = edges[first] - 0.5, edges[last] - 0.5
                axes.add_patch(Rectangle((place - 0.5, begin), 1.0, end - begin, **MISSING[what]))
    if len(matrix.cells) <= NAMED_CELLS:
        for line in range(1, len(matrix.cells)):
            axes.axhline(line - 0.5, color="white", linewidth=0.8)
    for place in range(1, columns):
        axes.axvline(place - 0.5, color="white", linewidth=1.5)
    if len(matrix.cells) <= NUMBERED[0] and columns <= NUMBERED[1]:
        _write_numbers(axes, matrix, scale)
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(len(matrix.cells) - 0.5, -0.5)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(axis="both", length=0)


def _thinned(matrix: RmseMatrix) -> tuple[Floats, Floats, Any]:
    """Return the first cell of each line and the end of the last one, and the RMSE and status of each line.

    Of several cells in a line, the median of their RMSE is drawn, or the status that most of them have without one.
    """
    cells = len(matrix.cells)
    edges = np.unique(np.linspace(0, cells, min(cells, MOST_LINES) + 1).round().astype(int))
    if len(edges) == cells + 1:
        return edges.astype(np.float64), matrix.rmse_mv, matrix.status
    rmse = np.full((len(edges) - 1, len(matrix.simulations)), np.nan)
    status = np.full(rmse.shape, "done", dtype=object)
    for line, (first, last) in enumerate(pairwise(edges)):
        values, words = matrix.rmse_mv[first:last], matrix.status[first:last]
        for place in range(values.shape[1]):
            known = values[np.isfinite(values[:, place]), place]
            if 2 * len(known) >= last - first:
                rmse[line, place] = np.median(known)
            else:
                others = words[~np.isfinite(values[:, place]), place].tolist()
                status[line, place] = max(sorted(set(others)), key=others.count)
    return edges.astype(np.float64), rmse, status


def _runs(words: Any) -> list[tuple[int, int, str]]:
    """Return the runs of one word: first place, end, word."""
    begins = [place for place in range(len(words)) if place == 0 or words[place] != words[place - 1]]
    return [(first, last, str(words[first])) for first, last in zip(begins, [*begins[1:], len(words)], strict=True)]


def _write_numbers(axes: Axes, matrix: RmseMatrix, scale: LogNorm) -> None:
    """Write the RMSE into each field, in white on dark colours; ``×`` = failed, ``…`` = pending."""
    signs = {"failed": "×", "pending": "…", NOT_SIMULATED: "–"}
    for (line, place), rmse in np.ndenumerate(matrix.rmse_mv):
        text = signs.get(str(matrix.status[line, place]), "") if np.isnan(rmse) else format_mv(rmse)
        is_dark = not np.isnan(rmse) and float(scale(rmse)) > 0.5
        colour = "white" if is_dark else BLACK
        box = None
        if np.isnan(rmse) and matrix.status[line, place] == "failed":
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "boxstyle": "round,pad=0.15"}
        axes.text(place, line, text, ha="center", va="center", fontsize=7, color=colour, bbox=box)


def _name_cells(axes: Axes, matrix: RmseMatrix) -> None:
    """Name each cell; of many, the best, the worst and some between with their place."""
    cells = matrix.cells
    if len(cells) <= NAMED_CELLS:
        axes.set_yticks(range(len(cells)), [displayable_name(cell, 24) for cell in cells])
        axes.set_ylabel("Cell, best first")
    else:
        places = np.unique(np.linspace(0, len(cells) - 1, 9).round().astype(int))
        axes.set_yticks(places, [f"{displayable_name(cells[place], 18)}   {place + 1}" for place in places])
        axes.set_ylabel(f"{format_count(len(cells), 'cell')}, best first")
        axes.get_yticklabels()[0].set_verticalalignment("top")
        axes.get_yticklabels()[-1].set_verticalalignment("bottom")
    show_literally(*axes.get_yticklabels())


def _name_simulations(axes: Axes, matrix: RmseMatrix) -> None:
    """Name each simulation above its column; below it are its median, over how many cells, and the failed ones."""
    labels = []
    for model, parameter_set in matrix.simulations:
        name = displayable_name(model, 20)
        labels.append(f"{name}\n{displayable_name(parameter_set, 24)}" if parameter_set else name)
    signs = max(len(line) for label in labels for line in label.split("\n"))
    is_narrow = signs * len(labels) > SIGNS_ABOVE
    places = range(len(labels))
    axes.set_xticks(places, labels, fontsize=7.2, rotation=40 if is_narrow else 0, ha="left" if is_narrow else "center")
    axes.tick_params(axis="x", top=False, bottom=False, labeltop=True, labelbottom=False)
    if is_narrow:
        for label in axes.get_xticklabels():
            label.set(rotation_mode="anchor", va="bottom", multialignment="left")
    show_literally(*axes.get_xticklabels())
    medians = matrix.medians()
    table = {
        "median (mV)": [format_mv(median) if count else "–" for median, count, _ in medians],
        "of cells": [str(count) for _, count, _ in medians],
        "failed": [str(failed) for failed in matrix.count("failed")],
    }
    below = axes.secondary_xaxis("bottom")
    below.set_xticks(places, ["\n".join(lines) for lines in zip(*table.values(), strict=True)], fontsize=7)
    below.tick_params(length=0)
    below.spines["bottom"].set_visible(False)
    # The names of the lines stand left of the first column, as the cells' names do.
    axes.annotate(
        "\n".join(table), (0.0, 0.0), xytext=(-4, -3.5), xycoords="axes fraction", textcoords="offset points",
        ha="right", va="top", fontsize=7, color=GREY, multialignment="right",
    )  # fmt: skip


def format_mv(value: float) -> str:
    """Return a number of mV with about three digits."""
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 0.95 else f"{value:.2g}"


def _draw_dots(axes: Axes, matrix: RmseMatrix, styles: Styles, span: tuple[float, float]) -> None:
    """Draw the RMSE of each simulation at the line of its cell, on the scale of the colours."""
    many = len(matrix.cells) > NAMED_CELLS
    lines = np.arange(len(matrix.cells))
    low, high = span[0] / 1.15, span[1] * 1.15
    for place, (model, _) in enumerate(matrix.simulations):
        style = dot_style(styles.simulation(model, matrix.full_sets[place]))
        if many:
            style |= {"marker": ".", "markersize": 2.2, "markeredgewidth": 0, "markerfacecolor": style["color"]}
        else:
            style |= {"markersize": 5, "markeredgewidth": 1.1}
        name = displayable_name(matrix.names()[place], 44)
        values = np.clip(matrix.rmse_mv[:, place], low * 1.02, high / 1.02)
        axes.plot(values, lines, alpha=0.6 if many else 0.95, label=name, rasterized=len(lines) > 2000, **style)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    tick_rmse(axes, low, high)
    axes.set_xlabel("RMSE (mV)")
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    if not many:
        axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0, labelleft=False)


def tick_rmse(axes: Axes, low: float, high: float, which: str = "x") -> None:
    """Put plain numbers on a logarithmic axis of mV: as many as are readable over its range.

    Args:
        axes: panel.
        low, high: ends of the axis, mV.
        which: ``x`` or ``y``.
    """
    decades = np.log10(high / low)
    steps: tuple[float, ...] = (1, 2, 5)
    if decades < 0.6:
        steps = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8)
    elif decades < 1.2:
        steps = (1, 1.5, 2, 3, 5, 7)
    elif decades > 2.5:
        steps = (1,)
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _add_legend(figure: Figure, matrix: RmseMatrix, dots: Sequence[Line2D]) -> None:
    """Put heading and legend above the panels: the simulations' dots, and the looks of fields without an RMSE."""
    handles: list[Line2D | Patch] = []
    for dot in dots:
        handle = Line2D([], [], label=str(dot.get_label()), linestyle="none", marker=dot.get_marker(), markersize=5)
        if dot.get_marker() == ".":
            handle.set_marker("o")
        handle.set_color(str(dot.get_color()))
        handle.set_markerfacecolor(dot.get_markerfacecolor())
        handles.append(handle)
    missing = ~np.isfinite(matrix.rmse_mv)
    for status, look in MISSING.items():
        fields = int((missing & (matrix.status == status)).sum())
        if fields:
            name = f"{MISSING_NAMES.get(status, status)}: {fields} of {missing.size}"
            border = {"edgecolor": GREY, "linewidth": 0.6} if status == NOT_SIMULATED else {}
            handles.append(Patch(label=name, **look | border))
    heading = f"Simulated against measured voltage, {format_count(len(matrix.cells), 'cell')}"
    put_heading(figure, heading, handles)  # type: ignore[arg-type]
