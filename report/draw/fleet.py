"""Draw a fit of many cells: RMSE before and after the fit, and the values of each parameter over the cells."""

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
from ...data.verdict_words import USABLE_KINDS, verdict_kind
from .fit_axes import parameter_label, scale_rmse, scale_values, value_range
from .fit_style import Row, draw_beyond, format_number, interval_within_bounds
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
    numbered_style,
    put_heading,
    show_literally,
)

NAMED_CELLS: Final = 40
"""Largest number of cells with a named line each; of more cells, the distributions are drawn."""

BINS: Final = 30
"""Number of bins of a histogram."""

COLUMNS_NAMED: Final = 3
"""Panels side by side with named cells."""

COLUMNS_DISTRIBUTION: Final = 2
"""Panels side by side with distributions."""

DEFAULTS_DRAWN: Final = 5
"""Largest number of different default values that a histogram shows."""

BELIEVED: Final[dict[str, Any]] = {"marker": "o", "color": BLUE, "markersize": 4.5}
POOR: Final[dict[str, Any]] = {
    "marker": "o", "color": ORANGE, "markersize": 4.5, "markerfacecolor": "white", "markeredgewidth": 1.2,
}  # fmt: skip
BOUND: Final[dict[str, Any]] = {"marker": "X", "color": VERMILLION, "markersize": 5.5}
KINDS: Final = {
    "determined": BELIEVED,
    "poorly determined": POOR,
    "at a bound": BOUND,
}
"""Group of a value, as :func:`value_group` returns it, to its mark."""


WORDS: Final = {"determined": "determined or precise"}
"""How the legend names a group, where that is more than its key: the values with an interval of at most 10 %."""


def value_group(row: Row) -> str:
    """Return the group of a cell's value: ``determined``, ``poorly determined`` (or not at all) or ``at a bound``."""
    if row["at_bound"]:
        return "at a bound"
    if verdict_kind(row["verdict"]) in USABLE_KINDS:
        return "determined"
    return "poorly determined"


@house_style()
def draw_fleet(fit: str, fits: Sequence[Row], parameters: Sequence[Row]) -> Figure:
    """Draw a fit over its cells: RMSE (mV) before and after, and each parameter.

    Up to 40 cells have a line each; of more cells, distributions are drawn. Poorly determined values are marked.

    Args:
        fit: name of the fit.
        fits: rows of the catalog's ``fits``, one for each cell; failed ones are named or counted.
        parameters: rows of the catalog's ``fit_parameters`` of the finished fits.
    """
    order = sorted(fits, key=lambda row: (row["status"] != "done", row["rmse_mv"] or 0.0, row["cell_id"]))
    names = list(dict.fromkeys(row["parameter"] for row in parameters))
    named = len(fits) <= NAMED_CELLS
    if named:
        columns = COLUMNS_NAMED
        panel_height = 0.75 + 0.2 * max(len(fits), 2)
    else:
        columns = COLUMNS_DISTRIBUTION
        panel_height = 2.1
    across = min(columns, 1 + len(names))
    down = -(-(1 + len(names)) // across)
    figure = Figure(figsize=(WIDTH_INCH, 0.9 + panel_height * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    if named:
        _draw_pairs(panels[0], order)
    else:
        _draw_shares(panels[0], order)
    for number, name in enumerate(names, 1):
        axes = panels[number]
        rows = [row for row in parameters if row["parameter"] == name]
        if named:
            _draw_values(axes, rows, order, labelled=number % across == 0)
        else:
            _draw_histogram(axes, rows)
        low, high = _range(rows)
        bounds = [row[end] for row in rows for end in ("lower", "upper")]
        scale_values(axes, low, high, log=_is_log(rows), bounds=bounds)
    for axes in panels[1 + len(names) :]:
        axes.set_visible(False)
    put_heading(figure, _heading(fit, fits), _legend(parameters, named=named))
    return figure


def _heading(fit: str, fits: Sequence[Row]) -> str:
    """Return the name of the fit and the numbers of cells by status."""
    done = [row for row in fits if row["status"] == "done"]
    heading = f"{displayable_name(fit, 40)}: {format_count(len(done), 'cell')} fitted"
    for status in ("failed", "skipped", "pending"):
        count = sum(row["status"] == status for row in fits)
        if count:
            heading += f", {count} {status}"
    bases = {row["base_parameter_set"] for row in done}
    if len(bases) > 1:
        heading += f"; {len(bases)} base sets"
    return heading


def _legend(parameters: Sequence[Row], *, named: bool) -> list[Line2D]:
    """Return the groups of values with their numbers, and the default's mark."""
    groups = [value_group(row) for row in parameters]
    marks: list[Line2D] = []
    for kind, style in KINDS.items():
        if kind in groups:
            label = f"{WORDS.get(kind, kind)}: {groups.count(kind)} of {len(parameters)} values"
            mark = style if named else {"marker": "s", "markersize": 6, "color": style["color"]}
            marks.append(Line2D([], [], linestyle="none", label=label, **mark))
    if any(row["default_value"] is not None for row in parameters):
        marks.append(Line2D([], [], linestyle="none", marker="|", markersize=8, color=PURPLE, label="default"))
    return marks


def _draw_pairs(axes: Axes, order: Sequence[Row]) -> None:
    """Draw the RMSE (mV) of each cell before (hollow) and after the fit, the best cell first; a failed one as text."""
    rmse = [row[key] for row in order for key in ("rmse_default_mv", "rmse_mv") if _done(row) and row[key] is not None]
    scale_rmse(axes, "x", rmse)
    for at, row in enumerate(order):
        if not _done(row):
            reason = str(row["reason_code"] or row["status"]).replace("_", " ")
            axes.text(
                0.02, at, f"× {reason}", transform=axes.get_yaxis_transform(), va="center", fontsize=7, color=VERMILLION
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
    """Draw one parameter: value of each cell with its 95 % confidence interval, and the default value."""
    places = {(row["cell_id"], row["label"]): at for at, row in enumerate(order)}
    low, high = _range(rows)
    for row in rows:
        at = places[row["cell_id"], row["label"]]
        if row["default_value"] is not None:
            axes.plot(row["default_value"], at, "|", color=PURPLE, markersize=7, zorder=1)
        style = KINDS[value_group(row)]
        interval = interval_within_bounds(row)
        if interval is not None:
            axes.plot([interval.lower, interval.upper], [at, at], color=style["color"], linewidth=1.2, zorder=2)
            draw_beyond(axes, interval.within(low, high), at, "x", style["color"], zorder=2)
        axes.plot(row["value"], at, linestyle="none", zorder=3, **style)
    axes.set_xlabel(parameter_label(rows[0], 24))
    show_literally(axes.xaxis.label)
    _name_rows(axes, order, labelled=labelled)


def _name_rows(axes: Axes, order: Sequence[Row], *, labelled: bool) -> None:
    """Give each cell its line, the first one at the top; write its name if ``labelled``."""
    names = [""] * len(order)
    if labelled:
        names = [displayable_name(str(row["cell_id"]), 22) for row in order]
    axes.set_yticks(range(len(order)), names)
    show_literally(*axes.get_yticklabels())
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.grid(axis="both", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)


def _draw_shares(axes: Axes, order: Sequence[Row]) -> None:
    """Draw the share of the cells up to each RMSE (mV), before and after the fit."""
    done = [row for row in order if _done(row)]
    values: list[float] = []
    for number, (column, name) in enumerate((("rmse_default_mv", "default"), ("rmse_mv", "fitted"))):
        rmse = np.sort(np.array([row[column] for row in done if row[column] is not None], dtype=np.float64))
        if not len(rmse):
            continue
        values += list(rmse)
        share = 100 * np.arange(1, len(rmse) + 1) / len(order)
        label = f"{name}: median {np.median(rmse):.3g} mV"
        axes.step(rmse, share, where="post", label=label, **numbered_style(number))
    scale_rmse(axes, "x", values)
    axes.set_ylim(0, 101)
    worse = sum(row["rmse_default_mv"] is not None and row["rmse_mv"] > row["rmse_default_mv"] for row in done)
    axes.set_xlabel(f"RMSE (mV); {worse} worse than before" if worse else "RMSE (mV)")
    axes.set_ylabel(f"Cells with at most\nthis RMSE (% of {len(order)})")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, fontsize=7, handlelength=2.0, borderaxespad=0.1)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)


def _draw_histogram(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw the distribution of one parameter's values over the cells; groups of values are stacked."""
    values = np.array([row["value"] for row in rows], dtype=np.float64)
    groups = np.array([value_group(row) for row in rows])
    edges = _edges(rows)
    below = np.zeros(len(edges) - 1)
    for kind, style in KINDS.items():
        counts, _ = np.histogram(values[groups == kind], edges)
        axes.bar(edges[:-1], counts, np.diff(edges), below, align="edge", color=style["color"], linewidth=0)
        below += counts
    defaults = sorted({row["default_value"] for row in rows if row["default_value"] is not None})
    for default in defaults[:DEFAULTS_DRAWN]:
        axes.axvline(default, color=PURPLE, linewidth=1.2)
    axes.set_title(_describe_distribution(values[groups == "determined"]), fontsize=7.5, color=GREY, loc="left")
    axes.set_ylabel("Cells")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.set_xlabel(parameter_label(rows[0], 44))
    show_literally(axes.xaxis.label)


def _describe_distribution(values: Floats) -> str:
    """Return the median of determined values and the range of 90 % of them."""
    if not len(values):
        return "none determined"
    low, median, high = (format_number(float(value)) for value in np.percentile(values, [5, 50, 95]))
    return f"median {median}\n90 % of cells: {low} to {high}"


def _is_log(rows: Sequence[Row]) -> bool:
    """Tell whether the scale of one parameter's values is logarithmic."""
    return all(row["scale"] == "log" for row in rows)


def _range(rows: Sequence[Row]) -> tuple[float, float]:
    """Return the range of one parameter's values and defaults, and of the intervals of determined values."""
    shown = [row["value"] for row in rows]
    shown += [row["default_value"] for row in rows if row["default_value"] is not None]
    for row in rows:
        interval = interval_within_bounds(row)
        if value_group(row) == "determined" and interval is not None:
            shown += [interval.lower, interval.upper]
    return value_range(shown, log=_is_log(rows))


def _edges(rows: Sequence[Row]) -> Floats:
    """Return the edges of the bins of a histogram, on the parameter's scale."""
    low, high = _range(rows)
    spaced = np.geomspace if _is_log(rows) else np.linspace
    edges: Floats = spaced(low, high, BINS + 1)
    return edges


def _done(row: Row) -> bool:
    return bool(row["status"] == "done" and row["rmse_mv"] is not None)
