"""Draw a column of a record over time, without lines over what is absent, and shade its cycles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ...data import columns as c
from ...data.arrays import Mask
from ...data.convert import SECONDS_PER_HOUR
from ...data.rules import flag_bit, is_inserted
from .envelope import envelope, insert_breaks
from .style import GREY, SHADE

CYCLES_SHADED: Final = 60
"""Largest number of cycles for which every second one is shaded."""


def draw_line(
    axes: Axes,
    frame: pd.DataFrame,
    column: str,
    holes: Mask,
    factor: float = 1.0,
    rows: Mask | None = None,
    **style: Any,
) -> Line2D:
    """Draw a column over time in h, reduced to the resolution of a page. No line crosses a hole.

    Args:
        axes: panel.
        frame: samples, in time order.
        column: name of the column.
        holes: true for a sample with absent samples before it, shape (len(frame),). Missing values are holes anyway.
        factor: multiplies the column's values.
        rows: only these samples are drawn, and the line passes the others; ``None`` = all.
        style: properties of the line.
    """
    time = frame[c.TEST_TIME].to_numpy(dtype=np.float64) / SECONDS_PER_HOUR
    values = frame[column].to_numpy(dtype=np.float64) * factor
    if rows is not None and not rows.all():
        time = time[rows]
        values = values[rows]
        holes = holes_among(holes, rows)
    return axes.plot(*envelope(*insert_breaks(time, values, holes)), **style)[0]


def find_holes(measured: pd.DataFrame) -> Mask:
    """Return for each sample whether samples are absent before it: left-out cycles, or a gap that cleaning found."""
    holes = np.diff(measured[c.CYCLE_COUNT].to_numpy(dtype=np.int64), prepend=1) > 1
    holes |= (measured[c.FLAGS].to_numpy(dtype=np.int64) & flag_bit("time_gap")) != 0
    holes[:1] = False
    return holes


def find_rows(measured: pd.DataFrame) -> Mask:
    """Return which samples are rows of a file: an inserted step edge has the cell's current, but no measured voltage.

    Args:
        measured: samples of a partition, with ``flags``.
    """
    rows: Mask = ~is_inserted(measured[c.FLAGS].to_numpy(dtype=np.int64))
    return rows


def holes_among(holes: Mask, rows: Mask) -> Mask:
    """Return where a line of some of the samples is interrupted: at a hole in one of them, or in one left out before.

    Args:
        holes: true for a sample with absent samples before it, shape (samples,).
        rows: the samples of the line, shape (samples,).

    Returns:
        Shape (samples of the line,).
    """
    passed = np.cumsum(holes)[rows]
    among: Mask = np.diff(passed, prepend=passed[:1]) > 0
    return among


def shade_cycles(axes: Axes, frame: pd.DataFrame, *, named: bool) -> None:
    """Shade every second cycle, unless there are more than 60.

    Args:
        axes: panel with a time axis in h.
        frame: samples, in time order.
        named: write the cycles' numbers above the panel, as many as fit.
    """
    time = frame[c.TEST_TIME].to_numpy(dtype=np.float64) / SECONDS_PER_HOUR
    cycle = frame[c.CYCLE_COUNT].to_numpy(dtype=np.int64)
    first = np.flatnonzero(np.diff(cycle, prepend=-1))
    if not 1 < len(first) <= CYCLES_SHADED:
        return
    last = np.append(first[1:], len(cycle)) - 1
    spans = [(int(cycle[start]), time[start], time[end]) for start, end in zip(first, last, strict=True)]
    for number, begin, end in spans:
        if number % 2 == 0:
            axes.axvspan(begin, end, color=SHADE, linewidth=0, zorder=0)
    if named:
        _name_cycles(axes, spans)


def _name_cycles(axes: Axes, spans: Sequence[tuple[int, float, float]]) -> None:
    """Write cycle numbers above their spans of time (h), as many as fit.

    Args:
        axes: panel.
        spans: number, begin and end of each cycle.
    """
    room = 0.04 * (spans[-1][2] - spans[0][1])
    previous = -np.inf
    for number, begin, end in spans:
        middle = (begin + end) / 2
        if middle - previous < room:
            continue
        text = str(number)
        if np.isinf(previous) and end - begin > 2 * room:
            text = f"cycle {number}"
        axes.text(
            middle, 1.0, text, transform=axes.get_xaxis_transform(), ha="center", va="bottom", fontsize=7, color=GREY
        )
        previous = middle
