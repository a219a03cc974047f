"""Draw what cleaning did to a record: raw against cleaned values, with the samples that each rule touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...data import columns as c
from ...data.arrays import Floats
from ...data.rules import RULES_BY_CODE
from ..cleaning_marks import RuleMarks, find_changes, find_marks, hours, is_marked_in, limits, thin_marks
from ..raw_rows import BeforeAndAfter
from .cells import ROUND_STEPS, find_holes, shade_cycles
from .envelope import envelope, insert_breaks
from .style import BLACK, COLOURS, GREY, WIDTH_INCH, displayable_name, house_style, put_heading

RULE_COLOURS: Final[tuple[str, ...]] = (*COLOURS, "#882255", "#999933")
"""Okabe and Ito's, then two of Tol's that keep apart from them; the strip below tells equal ones apart."""

RAW: Final[dict[str, Any]] = {"color": "#c4c4c4", "linewidth": 3.2, "solid_joinstyle": "round"}
CLEANED: Final[dict[str, Any]] = {"color": BLACK, "linewidth": 0.9}
MARK: Final[dict[str, Any]] = {"linestyle": "none", "zorder": 4}
MARKS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "was": ("raw value that was replaced", {"marker": "x", "markersize": 4.5, "markeredgewidth": 1.1}),
    "is": ("value in its place", {"marker": "o", "markersize": 3.6, "markeredgewidth": 0.0}),
    "taken": (
        "row quarantined",
        {"marker": "D", "markersize": 4.0, "markerfacecolor": "none", "markeredgewidth": 1.0},
    ),
    "left": ("left missing", {"marker": "|", "markersize": 7.0, "markeredgewidth": 1.0}),
    "far": ("raw value off the scale", {"marker": "^", "markersize": 5.0}),
}
"""Kinds of marks: what the legend says, and how they look."""

MANY: Final = 150


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity before and after: raw column, cleaned column, label with unit, share of the height."""

    raw: str
    cleaned: str
    label: str
    height: float

    @property
    def is_index(self) -> bool:
        """Whether it counts cycles or steps."""
        return self.raw in (c.CYCLE_ID, c.STEP_ID)


VOLTAGE: Final = Panel(c.VOLTAGE, c.VOLTAGE, "Voltage (V)", 2.4)
CURRENT: Final = Panel(c.CURRENT, c.CURRENT, "Current (A)\ncharge > 0", 1.5)
TEMPERATURES: Final = (
    Panel(c.SURFACE_TEMPERATURE, c.SURFACE_TEMPERATURE, "Surface\ntemp. (°C)", 1.1),
    Panel(c.AMBIENT_TEMPERATURE, c.AMBIENT_TEMPERATURE, "Ambient\ntemp. (°C)", 1.1),
)
INDICES: Final = (Panel(c.CYCLE_ID, c.CYCLE_COUNT, "Cycle", 0.8), Panel(c.STEP_ID, c.STEP_COUNT, "Step", 1.1))


@house_style()
def draw_cleaning(heading: str, record: BeforeAndAfter, findings: Sequence[Mapping[str, Any]] = ()) -> Figure:
    """Draw voltage, current, cycle and step before and after cleaning, and a strip with the samples of each rule.

    Temperatures have a panel where a rule touched one. Long records are drawn at the figure's resolution with all
    their extremes; raw values far off stand as triangles at the panel's edge.

    Args:
        findings: rows of the catalog, for rules that flag no samples.
    """
    marks = find_marks(record, findings)
    colours = _colours(marks)
    panels = [VOLTAGE, CURRENT, *_touched_temperatures(record, marks), *INDICES]
    strip = 0.22 + 0.17 * max(len(marks), 1)
    heights = [*(panel.height for panel in panels), strip]
    figure = Figure(figsize=(WIDTH_INCH, 0.75 + 0.95 * sum(heights)), layout="constrained")
    grid: Sequence[Axes] = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    kinds: set[str] = set()
    for number, (axes, panel) in enumerate(zip(grid, panels, strict=False)):
        shade_cycles(axes, record.samples, named=number == 0)
        kinds |= _draw_panel(axes, panel, record, marks, colours)
    _draw_strip(grid[-1], record, marks, colours)
    grid[-1].set_xlabel("Test time (h)")
    time = hours(record.samples)
    room = 0.01 * float(time[-1] - time[0])
    grid[0].set_xlim(float(time[0]) - room, float(time[-1]) + room)
    figure.align_ylabels(grid[:-1])
    put_heading(figure, displayable_name(heading, 90), _legend(kinds))
    return figure


def _colours(marks: Sequence[RuleMarks]) -> dict[str, str]:
    """A colour for each rule, its own wherever no other rule of the figure has that one.

    Rules that touch the whole record need none of the few there are.
    """
    free: list[str] = list(RULE_COLOURS)
    colours: dict[str, str] = {}
    for rule in marks:
        if not rule.one_by_one:
            continue
        free = free or list(RULE_COLOURS)
        bit = RULES_BY_CODE[rule.code].bit if rule.code in RULES_BY_CODE else 0
        own = RULE_COLOURS[bit % len(RULE_COLOURS)]
        colours[rule.code] = own if own in free else free[0]
        free.remove(colours[rule.code])
    return colours


def _touched_temperatures(record: BeforeAndAfter, marks: Sequence[RuleMarks]) -> list[Panel]:
    about = [rule for rule in marks if rule.code.startswith(("temperature", "chamber"))]
    there = [panel for panel in TEMPERATURES if record.raw[panel.raw].notna().any()]
    return there if about else []


def _draw_panel(
    axes: Axes, panel: Panel, record: BeforeAndAfter, marks: Sequence[RuleMarks], colours: dict[str, str]
) -> set[str]:
    """Draw one quantity; return the kinds of marks that it has."""
    time, holes = hours(record.samples), find_holes(record.samples)
    raw = record.raw[panel.raw].to_numpy(dtype=np.float64)
    cleaned = record.samples[panel.cleaned].to_numpy(dtype=np.float64)
    mine = [rule for rule in marks if rule.one_by_one and is_marked_in(rule.code, panel.cleaned)]
    differ = find_changes(raw, cleaned)
    marked = differ & np.any([np.zeros(len(raw), dtype=bool), *(rule.touched for rule in mine)], axis=0)
    span = limits(raw, cleaned, marked, least_room=0.5 if panel.is_index else 0.0)
    drawstyle = "steps-post" if panel.is_index else "default"
    for values, style in ((raw, RAW), (cleaned, CLEANED)):
        axes.plot(*envelope(*insert_breaks(time, values, holes)), drawstyle=drawstyle, **style)
    axes.set_ylim(*span)
    axes.set_ylabel(panel.label)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=ROUND_STEPS, integer=panel.is_index, min_n_ticks=1))
    pen = _Pen(axes, (float(time[0]), float(time[-1])), span)
    for rule in mine:
        where, left = rule.touched & differ, rule.touched & np.isnan(cleaned)
        pen.mark(time[where], raw[where], colours[rule.code], "was")
        pen.mark(time[where], cleaned[where], colours[rule.code], "is")
        pen.mark(time[left], np.full(int(left.sum()), span[0]), colours[rule.code], "left")
    for rule in marks:
        if rule.taken.any() and not panel.is_index:
            values = record.quarantined[panel.raw].to_numpy(dtype=np.float64)[rule.taken]
            pen.mark(hours(record.quarantined)[rule.taken], values, colours.get(rule.code, GREY), "taken")
    pen.label_beyond_edge()
    return pen.kinds


@dataclass(slots=True)
class _Pen:
    """Puts marks into one panel, and remembers their kinds and how far off the scale they were.

    Args:
        within, span: the panel's range of times and of values.
    """

    axes: Axes
    within: tuple[float, float]
    span: tuple[float, float]
    kinds: set[str] = field(default_factory=set)
    far: list[float] = field(default_factory=list)

    def mark(self, time: Floats, values: Floats, colour: str, kind: str) -> None:
        """Put marks of one kind and rule; those beyond the panel's range become triangles at its edge."""
        known = np.isfinite(values)
        time, values = time[known], values[known]
        kept = thin_marks(time, values, self.within, self.span)
        time, values = time[kept], values[kept]
        inside = (values >= self.span[0]) & (values <= self.span[1])
        style = {**MARK, **MARKS[kind][1]}
        if len(time) > MANY:  # at so many places large marks would hide the record
            style["markersize"] *= 0.6
        if inside.any():
            self.kinds.add(kind)
            self.axes.plot(time[inside], values[inside], color=colour, **style)
        for marker, beyond, edge in (
            ("^", values > self.span[1], self.span[1]),
            ("v", values < self.span[0], self.span[0]),
        ):
            if beyond.any():
                self.kinds.add("far")
                self.far += [float(values[beyond].min()), float(values[beyond].max())]
                at = np.full(int(beyond.sum()), edge)
                self.axes.plot(time[beyond], at, marker, color=colour, markersize=5, clip_on=False, **MARK)

    def label_beyond_edge(self) -> None:
        """Write the most extreme raw values beside the edges that they lie beyond."""
        for arrow, worst, place, beyond in (
            ("▲", max(self.far, default=0.0), 1.0, any(value > self.span[1] for value in self.far)),
            ("▼", min(self.far, default=0.0), 0.0, any(value < self.span[0] for value in self.far)),
        ):
            if beyond:
                text = f"{arrow} {worst:.{4 if abs(worst) >= 100.0 else 3}g}"
                style: dict[str, Any] = {"transform": self.axes.transAxes, "va": "center", "fontsize": 7, "color": GREY}
                self.axes.text(1.005, place, text, **style)


def _draw_strip(axes: Axes, record: BeforeAndAfter, marks: Sequence[RuleMarks], colours: dict[str, str]) -> None:
    """Draw a line for each rule: where it saw something, and in how many rows."""
    time, out = hours(record.samples), record.quarantined
    within, flat = (float(time[0]), float(time[-1])), (0.0, 1.0)
    names = []
    for place, rule in enumerate(marks):
        colour = colours.get(rule.code, GREY)
        at = np.concatenate([time[rule.touched], hours(out)[rule.taken] if len(out) else []])
        at = at[thin_marks(at, np.zeros(len(at)), within, flat)]
        axes.plot(at, np.full(len(at), place), color=colour, **{**MARK, **MARKS["left"][1]})
        names.append(displayable_name(rule.code, 24))
        text = f"{rule.rows} row{'s' * (rule.rows != 1)}"
        axes.text(1.005, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=7, color=BLACK)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    for label, rule in zip(axes.get_yticklabels(), marks, strict=True):
        label.set_color(colours.get(rule.code, GREY))
        label.set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color="#e8e8e8", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    if not names:
        axes.text(0.5, 0.0, "no findings", transform=axes.get_yaxis_transform(), ha="center", va="center", color=GREY)


def _legend(kinds: set[str]) -> list[Line2D]:
    """Explain the lines, and the kinds of marks that there are."""
    lines = [Line2D([], [], label="raw", **RAW), Line2D([], [], label="cleaned", **CLEANED)]
    for kind, (label, style) in MARKS.items():
        if kind in kinds:
            lines.append(Line2D([], [], label=label, color=GREY, linestyle="none", **style))
    return lines
