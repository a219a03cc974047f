"""Draw a fit of many cells: RMSE before and after, and how each parameter is distributed over the cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...data.arrays import Floats
from ...data.text import format_count
from .fit_axes import parameter_label, scale_rmse, scale_values, value_range
from .fit_style import Row, format_number
from .style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    PURPLE,
    VERMILLION,
    WIDTH_INCH,
    displayable_name,
    house_style,
    put_heading,
    show_literally,
    simulated_style,
)

NAMED_CELLS: Final = 40
"""Up to so many cells have a line each, with its interval; of more, the distributions are drawn."""

BINS: Final = 30
COLUMNS: Final = {True: 3, False: 2}
"""Panels side by side, for cells that are named and for distributions."""

BELIEVED: Final = {"marker": "o", "color": BLUE, "markersize": 4.5}
POOR: Final[dict[str, Any]] = {
    "marker": "o", "color": ORANGE, "markersize": 4.5, "markerfacecolor": "white", "markeredgewidth": 1.2,
}  # fmt: skip
BOUND: Final = {"marker": "X", "color": VERMILLION, "markersize": 5.5}
KINDS: Final = {
    "determined": BELIEVED,
    "poorly determined": POOR,
    "at a bound": BOUND,
}


def value_group(row: Row) -> str:
    """Whether a cell's value counts: ``determined``, ``poorly determined`` (or not at all), ``at a bound``."""
    if row["at_bound"]:
        return "at a bound"
    first = str(row["verdict"] or "").split(" ")[0]
    return "determined" if first in ("well", "determined") else "poorly determined"


@house_style()
def draw_fleet(fit: str, fits: Sequence[Row], parameters: Sequence[Row]) -> Figure:
    """Draw a fit over its cells: RMSE before and after, and each parameter with those poorly determined set apart.

    Args:
        fits: rows of ``fits``, a cell each; those that failed are named or counted.
        parameters: rows of ``fit_parameters`` of those that are done.
    """
    order = sorted(fits, key=lambda row: (row["status"] != "done", row["rmse_mv"] or 0.0, row["cell_id"]))
    names = list(dict.fromkeys(row["parameter"] for row in parameters))
    named = len(fits) <= NAMED_CELLS
    across = min(COLUMNS[named], 1 + len(names))
    down = -(-(1 + len(names)) // across)
    each = 0.75 + 0.2 * max(len(fits), 2) if named else 2.1
    figure = Figure(figsize=(WIDTH_INCH, 0.9 + each * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    if named:
        _draw_pairs(panels[0], order)
    else:
        _draw_shares(panels[0], order)
    for number, name in enumerate(names, 1):
        rows = [row for row in parameters if row["parameter"] == name]
        if named:
            _draw_values(panels[number], rows, order, labelled=number % across == 0)
        else:
            _draw_histogram(panels[number], rows)
        low, high, log = _range(rows)
        scale_values(
            panels[number], low, high, log=log, bounds=[row[end] for row in rows for end in ("lower", "upper")]
        )
    for axes in panels[1 + len(names) :]:
        axes.set_visible(False)
    put_heading(figure, _heading(fit, fits), _legend(fits, parameters, named=named))
    return figure


def _heading(fit: str, fits: Sequence[Row]) -> str:
    done = [row for row in fits if row["status"] == "done"]
    others = {status: sum(row["status"] == status for row in fits) for status in ("failed", "skipped", "pending")}
    words = "".join(f", {count} {status}" for status, count in others.items() if count)
    bases = {row["base_parameter_set"] for row in done}
    sets = f"; {len(bases)} base sets" if len(bases) > 1 else ""
    return f"{displayable_name(fit, 40)}: {format_count(len(done), 'cell')} fitted{words}{sets}"


def _legend(fits: Sequence[Row], parameters: Sequence[Row], *, named: bool) -> list[Line2D]:
    there = {value_group(row) for row in parameters}
    marks: list[Line2D] = []
    for kind, style in KINDS.items():
        if kind in there:
            count = sum(value_group(row) == kind for row in parameters)
            label = f"{kind}: {count} of {len(parameters)} values"
            shape = {"marker": "s", "markersize": 6, "color": style["color"]} if not named else style
            marks.append(Line2D([], [], linestyle="none", label=label, **shape))
    if any(row["default_value"] is not None for row in parameters):
        marks.append(Line2D([], [], linestyle="none", marker="|", markersize=8, color=PURPLE, label="default"))
    return marks


def _draw_pairs(axes: Axes, order: Sequence[Row]) -> None:
    """RMSE (mV) of each cell before (hollow) and after, the best at the top; what failed is told."""
    rmse = [row[key] for row in order for key in ("rmse_default_mv", "rmse_mv") if _done(row) and row[key] is not None]
    scale_rmse(axes, "x", rmse)
    for at, row in enumerate(order):
        if not _done(row):
            words = str(row["reason_code"] or row["status"]).replace("_", " ")
            axes.text(
                0.02, at, f"× {words}", transform=axes.get_yaxis_transform(), va="center", fontsize=7, color=VERMILLION
            )
            continue
        if row["rmse_default_mv"] is not None:
            axes.plot([row["rmse_default_mv"], row["rmse_mv"]], [at, at], color=GREY, linewidth=0.8, zorder=1)
            axes.plot(
                row["rmse_default_mv"], at, "o", color=GREY, markerfacecolor="white", markersize=4.5, label="default"
            )
        axes.plot(row["rmse_mv"], at, "o", color=BLACK, markersize=4.5, label="fitted")
    axes.set_xlabel("RMSE (mV)\n○ default   ● fitted")
    _name_rows(axes, order, labelled=True)


def _draw_values(axes: Axes, rows: Sequence[Row], order: Sequence[Row], *, labelled: bool) -> None:
    """A parameter's value of each cell with its 95 % interval, and the default."""
    places = {(row["cell_id"], row["label"]): at for at, row in enumerate(order)}
    for row in rows:
        at = places[row["cell_id"], row["label"]]
        if row["default_value"] is not None:
            axes.plot(row["default_value"], at, "|", color=PURPLE, markersize=7, zorder=1)
        style = KINDS[value_group(row)]
        if row["lower_95"] is not None and row["upper_95"] is not None:
            ends = np.clip([row["lower_95"], row["upper_95"]], row["lower"], row["upper"])
            axes.plot(ends, [at, at], color=style["color"], linewidth=1.2, zorder=2)
        axes.plot(row["value"], at, linestyle="none", zorder=3, **style)
    axes.set_xlabel(parameter_label(rows[0], 24))
    show_literally(axes.xaxis.label)
    _name_rows(axes, order, labelled=labelled)


def _name_rows(axes: Axes, order: Sequence[Row], *, labelled: bool) -> None:
    axes.set_yticks(range(len(order)), [displayable_name(str(row["cell_id"]), 22) if labelled else "" for row in order])
    show_literally(*axes.get_yticklabels())
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.grid(axis="both", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)


def _draw_shares(axes: Axes, order: Sequence[Row]) -> None:
    """Share of the cells with at most so much RMSE (mV), before and after."""
    done = [row for row in order if _done(row)]
    values = []
    for number, (column, name) in enumerate((("rmse_default_mv", "default"), ("rmse_mv", "fitted"))):
        rmse = np.sort(np.array([row[column] for row in done if row[column] is not None], dtype=np.float64))
        if not len(rmse):
            continue
        values += list(rmse)
        share = 100 * np.arange(1, len(rmse) + 1) / len(order)
        label = f"{name}: median {np.median(rmse):.3g} mV"
        axes.step(rmse, share, where="post", label=label, **simulated_style(number))
    worse = sum(1 for row in done if row["rmse_default_mv"] is not None and row["rmse_mv"] > row["rmse_default_mv"])
    scale_rmse(axes, "x", values)
    axes.set_ylim(0, 101)
    axes.set_xlabel("RMSE (mV)" + (f"; {worse} worse than before" if worse else ""))
    axes.set_ylabel(f"Cells with at most this\n(% of {len(order)})")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, fontsize=7, handlelength=2.0, borderaxespad=0.1)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)


def _draw_histogram(axes: Axes, rows: Sequence[Row]) -> None:
    """A parameter's values over the cells on its own scale; those not to be believed are stacked apart."""
    values = np.array([row["value"] for row in rows], dtype=np.float64)
    kinds = np.array([value_group(row) for row in rows])
    edges = _edges(rows)
    below = np.zeros(len(edges) - 1)
    for kind, style in KINDS.items():
        counts, _ = np.histogram(values[kinds == kind], edges)
        axes.bar(edges[:-1], counts, np.diff(edges), below, align="edge", color=style["color"], linewidth=0)
        below += counts
    for default in sorted({row["default_value"] for row in rows if row["default_value"] is not None})[:5]:
        axes.axvline(default, color=PURPLE, linewidth=1.2)
    believed = values[kinds == "determined"]
    middle = "none determined"
    if len(believed):
        low, median, high = (format_number(float(value)) for value in np.percentile(believed, [5, 50, 95]))
        middle = f"median {median}\n90 % in {low} to {high}"
    axes.set_title(middle, fontsize=7.5, color=GREY, loc="left")
    axes.set_ylabel("Cells")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.set_xlabel(parameter_label(rows[0], 44))
    show_literally(axes.xaxis.label)


def _range(rows: Sequence[Row]) -> tuple[float, float, bool]:
    """The range of values, defaults and of the intervals of what is determined, and whether it is logarithmic."""
    log = all(row["scale"] == "log" for row in rows)
    seen = [row["value"] for row in rows] + [row["default_value"] for row in rows if row["default_value"] is not None]
    for row in rows:
        if value_group(row) == "determined" and row["lower_95"] is not None and row["upper_95"] is not None:
            seen += [row["lower_95"], row["upper_95"]]
    return *value_range(seen, log=log), log


def _edges(rows: Sequence[Row]) -> Floats:
    low, high, log = _range(rows)
    edges: Floats = np.geomspace(low, high, BINS + 1) if log else np.linspace(low, high, BINS + 1)
    return edges


def _done(row: Row) -> bool:
    return bool(row["status"] == "done" and row["rmse_mv"] is not None)
