"""The two figures of the live page: the grid of cells × stages, and the distribution of the RMSE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import pi
from typing import Any, Final

import numpy as np
from bokeh.models import (
    BasicTicker,
    ColumnDataSource,
    CustomJSHover,
    FixedTicker,
    Grid,
    HoverTool,
    LinearColorMapper,
    LogTicker,
    LogTickFormatter,
    PlainText,
    Range1d,
)
from bokeh.plotting import figure

from ...report.styles import Styles
from . import grid
from .grid import Codes, Column
from .rmse import EDGES_MV, Series
from .texts import column_title, shorten

WAITING_COLOUR: Final = "#e4e6e9"
DONE_COLOUR: Final = "#4a6070"
RUNNING_COLOUR: Final = "#f4c20d"
SKIPPED_COLOUR: Final = "#b9a7dd"
FAILED_COLOUR: Final = "#b3122e"
PALETTE: Final = (
    "#ffffff",
    WAITING_COLOUR,
    "#c3cad0",
    "#a2aeb7",
    "#7f8f9b",
    DONE_COLOUR,
    RUNNING_COLOUR,
    SKIPPED_COLOUR,
    FAILED_COLOUR,
)
"""Colour of each state of a box. None is that of a model (``report.styles``); they differ in lightness, too."""

LEGEND: Final = (
    ("waiting", WAITING_COLOUR),
    ("partly done", PALETTE[grid.PARTS[1]]),
    ("running", RUNNING_COLOUR),
    ("done", DONE_COLOUR),
    ("failed", FAILED_COLOUR),
    ("skipped", SKIPPED_COLOUR),
)

NAMED_COLUMNS: Final = 40
"""Cells up to which each column has its name."""

LINED_COLUMNS: Final = 250
"""Columns up to which a white line separates them; with more, it would hide them."""

NAME_SIGNS: Final = 16
"""Longest name under a column."""

LINE_SIGNS: Final = 40
"""Signs of all names up to which they are written beside each other."""

ROW_PIXELS: Final = 26
MOST_PATCHES: Final = 200
"""Changed boxes up to which each is sent; with more, the whole image is smaller."""

_HOVER_NAME: Final = """
const place = Math.floor(special_vars.x)
const names = source.data.name
return place >= 0 && place < names.length ? names[place] : ""
"""
_HOVER_STAGE: Final = """
const place = stages.length - 1 - Math.floor(special_vars.y)
return place >= 0 && place < stages.length ? stages[place] : ""
"""
_HOVER_STATE: Final = "return states[value]"


class GridFigure:
    """An image with one pixel for each box, so that a thousand cells are one glyph.

    Args:
        stages: names of the rows, from the top.
        columns: the cells.
        codes: the first state of the boxes.
    """

    def __init__(self, stages: Sequence[str], columns: Sequence[Column], codes: Codes) -> None:
        rows, count = max(len(stages), 1), max(len(columns), 1)
        self._shown = _upside_down(codes, rows, count)
        self.source = ColumnDataSource({"image": [self._shown.copy()]})
        self.root: Any = figure(
            x_range=Range1d(start=0, end=count, bounds=(0, count)),
            y_range=Range1d(start=0, end=rows),
            height=_height(rows, columns),
            sizing_mode="stretch_width",
            tools="xpan,xbox_zoom,reset",
            toolbar_location="right",
        )
        self.root.toolbar.logo = None
        mapper = LinearColorMapper(palette=list(PALETTE), low=-0.5, high=len(PALETTE) - 0.5)
        image = self.root.image(
            "image", x=0, y=0, dw=count, dh=rows, source=self.source, color_mapper=mapper, level="image"
        )
        self._label_stages(stages)
        self._label_cells(columns)
        self.root.add_tools(_hover(image, stages, columns))

    def update(self, codes: Codes) -> None:
        """Send the boxes that changed."""
        new = _upside_down(codes, *self._shown.shape)
        rows, columns = np.nonzero(new != self._shown)
        if not len(rows):
            return
        if len(rows) > MOST_PATCHES:
            self.source.data = {"image": [new.copy()]}
        else:
            patches = [
                ((0, slice(int(row), int(row) + 1), slice(int(column), int(column) + 1)), [int(new[row, column])])
                for row, column in zip(rows, columns, strict=True)
            ]
            self.source.patch({"image": patches})
        self._shown = new

    def _label_stages(self, stages: Sequence[str]) -> None:
        middles = [number + 0.5 for number in range(len(stages))]
        axis = self.root.yaxis
        axis.ticker = FixedTicker(ticks=middles)
        axis.major_label_overrides = {
            middle: PlainText(text=shorten(stage, 24)) for middle, stage in zip(middles, reversed(stages), strict=True)
        }
        axis.major_tick_line_color = None
        axis.axis_line_color = None
        self.root.ygrid.visible = False
        self.root.xgrid.visible = False
        self.root.outline_line_color = None
        lines = {"grid_line_color": "#ffffff", "grid_line_width": 2, "level": "glyph"}
        self.root.add_layout(Grid(dimension=1, ticker=FixedTicker(ticks=list(range(len(stages) + 1))), **lines))

    def _label_cells(self, columns: Sequence[Column]) -> None:
        axis = self.root.xaxis
        axis.axis_line_color = None
        axis.major_tick_line_color = None
        axis.minor_tick_line_color = None
        axis.ticker = FixedTicker(ticks=[])
        if len(columns) <= LINED_COLUMNS:
            ticks = FixedTicker(ticks=list(range(len(columns) + 1)))
            self.root.add_layout(
                Grid(dimension=0, ticker=ticks, grid_line_color="#ffffff", grid_line_width=1, level="glyph")
            )
        if len(columns) <= NAMED_COLUMNS:
            middles = [number + 0.5 for number in range(len(columns))]
            axis.ticker = FixedTicker(ticks=middles)
            axis.major_label_overrides = {
                middle: PlainText(text=shorten(column.first, NAME_SIGNS))
                for middle, column in zip(middles, columns, strict=True)
            }
            if not _fit_in_one_line(columns):
                axis.major_label_orientation = pi / 4
        else:
            axis.major_label_text_font_size = "0px"


class RmseFigure:
    """Number of simulations by RMSE, one line for each model and whether its parameters were fitted.

    Args:
        styles: colours of the models.
    """

    def __init__(self, styles: Styles) -> None:
        self._styles = styles
        self._sources: dict[Series, ColumnDataSource] = {}
        self._counts: dict[Series, list[int]] = {}
        self.root: Any = figure(
            x_axis_type="log",
            x_range=Range1d(start=1, end=100),
            height=260,
            sizing_mode="stretch_width",
            x_axis_label="RMSE (mV)",
            y_axis_label="simulations",
            tools="",
            toolbar_location=None,
        )
        self.root.y_range.start = 0
        self.root.xaxis.ticker = LogTicker(mantissas=[1, 2, 5], num_minor_ticks=0)
        self.root.xaxis.formatter = LogTickFormatter(min_exponent=5)  # 100, not 10²
        self.root.yaxis.ticker = BasicTicker(min_interval=1, num_minor_ticks=0)
        self.root.xgrid.grid_line_color = None
        self.root.outline_line_color = None

    def update(self, rmse: Mapping[Series, tuple[list[int], int, float]]) -> None:
        """Draw the lines that changed."""
        for series, (counts, _, _) in rmse.items():
            if self._counts.get(series) == counts:
                continue
            self._counts[series] = list(counts)
            data = _outline(counts)
            if series not in self._sources:
                self._add(series, data)
            else:
                self._sources[series].data = data
        self._fit_axis()

    def _add(self, series: Series, data: dict[str, Any]) -> None:
        self._sources[series] = ColumnDataSource(data)
        self.root.line(
            "rmse_mv",
            "count",
            source=self._sources[series],
            line_color=self._styles.model(series.model).colour,
            line_width=2,
            line_dash=[6, 3] if series.is_fitted else "solid",
        )

    def _fit_axis(self) -> None:
        filled = [place for counts in self._counts.values() for place, count in enumerate(counts) if count]
        if not filled:
            return
        start = EDGES_MV[max(min(filled) - 2, 0)]
        end = EDGES_MV[min(max(filled) + 3, len(EDGES_MV) - 1)]
        if (self.root.x_range.start, self.root.x_range.end) != (start, end):
            self.root.x_range.update(start=start, end=end)


def _hover(image: Any, stages: Sequence[str], columns: Sequence[Column]) -> HoverTool:
    """Return the tool that names the box under the pointer; Bokeh shows what its scripts return as plain text."""
    names = ColumnDataSource({"name": [column_title(column) for column in columns]})
    return HoverTool(
        renderers=[image],
        tooltips=[("cell", "$x{custom}"), ("stage", "$y{custom}"), ("state", "@image{custom}")],
        formatters={
            "$x": CustomJSHover(args={"source": names}, code=_HOVER_NAME),
            "$y": CustomJSHover(args={"stages": [shorten(stage) for stage in stages]}, code=_HOVER_STAGE),
            "@image": CustomJSHover(args={"states": list(grid.STATES)}, code=_HOVER_STATE),
        },
    )


def _outline(counts: Sequence[int]) -> dict[str, Any]:
    """Return the corners of a histogram's outline."""
    edges = np.repeat(np.asarray(EDGES_MV), 2)
    heights = np.concatenate([[0.0], np.repeat(np.asarray(counts, dtype=float), 2), [0.0]])
    return {"rmse_mv": edges, "count": heights}


def _upside_down(codes: Codes, rows: int, columns: int) -> Codes:
    """Return the boxes with the last stage first, because an image begins at the bottom; at least one box."""
    if not codes.size:
        return np.zeros((rows, columns), dtype=np.uint8)
    return codes[::-1]


def _fit_in_one_line(columns: Sequence[Column]) -> bool:
    """Return whether the names of the cells fit beside each other on a narrow screen, too."""
    return len(columns) * max((len(shorten(column.first, NAME_SIGNS)) for column in columns), default=0) <= LINE_SIGNS


def _height(rows: int, columns: Sequence[Column]) -> int:
    """Return the height of the grid with its labels, in pixels."""
    labels = 30
    if len(columns) <= NAMED_COLUMNS and not _fit_in_one_line(columns):
        longest = max((len(shorten(column.first, NAME_SIGNS)) for column in columns), default=0)
        labels = 20 + 5 * longest
    return ROW_PIXELS * rows + labels + 12
