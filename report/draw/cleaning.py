"""Draw what cleaning did to a record: raw against cleaned values, and the samples that each rule flagged."""

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
from ...data.text import format_count
from ..cleaning_marks import RuleMarks, find_changes, find_marks, hours, is_marked_in, limits, thin_marks
from ..raw_rows import BeforeAndAfter
from ..styles import SET_COLOURS
from .cells import ROUND_STEPS
from .envelope import envelope, insert_breaks
from .ranges import write_beside_edge
from .record_lines import find_holes, holes_among, shade_cycles
from .style import BLACK, COLOURS, GREY, GRID, PALE_GREY, WIDTH_INCH, displayable_name, house_style, put_heading

RULE_COLOURS: Final[tuple[str, ...]] = (*COLOURS, SET_COLOURS[3], SET_COLOURS[2])
"""Colours of Okabe and Ito, then two of Tol that differ from them. Rules with the same colour differ in the strip."""

RAW: Final[dict[str, Any]] = {"color": PALE_GREY, "linewidth": 3.2, "solid_joinstyle": "round"}
CLEANED: Final[dict[str, Any]] = {"color": BLACK, "linewidth": 0.9}
MARK: Final[dict[str, Any]] = {"linestyle": "none", "zorder": 4}
MARKS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "was": ("replaced raw value", {"marker": "x", "markersize": 4.5, "markeredgewidth": 1.1}),
    "is": ("replacement value", {"marker": "o", "markersize": 3.6, "markeredgewidth": 0.0}),
    "taken": (
        "quarantined row",
        {"marker": "D", "markersize": 4.0, "markerfacecolor": "none", "markeredgewidth": 1.0},
    ),
    "left": ("left missing", {"marker": "|", "markersize": 7.0, "markeredgewidth": 1.0}),
    "far": ("raw value off the scale", {"marker": "^", "markersize": 5.0}),
}
"""Kinds of marks: name of the kind to its text in the legend and its style."""

MANY: Final = 150
"""Above this number of marks of one rule and kind, marks are smaller: large ones would hide the record."""

CODE_SIGNS: Final = 24
"""Largest number of characters of a rule's code in the strip."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel with one quantity before and after cleaning.

    Args:
        raw: name of the raw column.
        cleaned: name of the cleaned column.
        label: with the unit.
        height: relative to the other panels.
    """

    raw: str
    cleaned: str
    label: str
    height: float

    @property
    def is_index(self) -> bool:
        """Whether the quantity is a number of a cycle or step."""
        return self.raw in (c.CYCLE_ID, c.STEP_ID)


VOLTAGE: Final = Panel(c.VOLTAGE, c.VOLTAGE, "Voltage (V)", 2.4)
CURRENT: Final = Panel(c.CURRENT, c.CURRENT, "Current (A)\ncharge > 0", 1.5)
TEMPERATURES: Final = (
    Panel(c.SURFACE_TEMPERATURE, c.SURFACE_TEMPERATURE, "Surface\ntemp. (°C)", 1.1),
    Panel(c.AMBIENT_TEMPERATURE, c.AMBIENT_TEMPERATURE, "Ambient\ntemp. (°C)", 1.1),
)
INDICES: Final = (Panel(c.CYCLE_ID, c.CYCLE_COUNT, "Cycle", 0.8), Panel(c.STEP_ID, c.STEP_COUNT, "Step", 1.1))


@house_style()
def draw_cleaning(
    heading: str, record: BeforeAndAfter, findings: Sequence[Mapping[str, Any]] = (), details: str = ""
) -> Figure:
    """Draw voltage, current, cycle and step before and after cleaning, and a strip with the samples of each rule.

    Temperatures have panels if a rule concerns them. Long records are reduced to the figure's resolution with all their
    extremes. Raw values far outside a panel are triangles at its edge.

    Args:
        heading: of the figure.
        record: cleaned samples, raw rows and quarantined rows.
        findings: rows of the catalog's ``findings``, for rules that flag no samples.
        details: below the heading: capacity, temperature, cycles, number of rows.
    """
    marks = find_marks(record, findings)
    colours = _colours(marks)
    panels = [VOLTAGE, CURRENT, *_touched_temperatures(record, marks), *INDICES]
    strip_height = 0.22 + 0.17 * max(len(marks), 1)
    heights = [*(panel.height for panel in panels), strip_height]
    figure = Figure(figsize=(WIDTH_INCH, (0.2 if details else 0.75) + 0.95 * sum(heights)), layout="constrained")
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
    put_heading(figure, displayable_name(heading, 90), _legend(kinds), details)
    return figure


def _colours(marks: Sequence[RuleMarks]) -> dict[str, str]:
    """Return a colour for each rule: its own one, or if another rule of the figure has this colour, a free one.

    A rule that flagged too many samples to mark them has no colour.
    """
    free: list[str] = list(RULE_COLOURS)
    colours: dict[str, str] = {}
    for rule in marks:
        if not rule.one_by_one:
            continue
        free = free or list(RULE_COLOURS)
        bit = 0
        if rule.code in RULES_BY_CODE:
            bit = RULES_BY_CODE[rule.code].bit
        colour = RULE_COLOURS[bit % len(RULE_COLOURS)]
        if colour not in free:
            colour = free[0]
        colours[rule.code] = colour
        free.remove(colour)
    return colours


def _touched_temperatures(record: BeforeAndAfter, marks: Sequence[RuleMarks]) -> list[Panel]:
    """Return the panels of measured temperatures if a rule concerns temperatures."""
    if not any(rule.code.startswith(("temperature", "chamber")) for rule in marks):
        return []
    return [panel for panel in TEMPERATURES if record.raw[panel.raw].notna().any()]


def _draw_panel(
    axes: Axes, panel: Panel, record: BeforeAndAfter, marks: Sequence[RuleMarks], colours: dict[str, str]
) -> set[str]:
    """Draw one quantity; return the kinds of its marks."""
    time = hours(record.samples)
    holes = find_holes(record.samples)
    raw = record.raw[panel.raw].to_numpy(dtype=np.float64)
    is_row = record.is_row
    # An inserted sample has no raw value, and its voltage is not measured: only the current shows it.
    shown = is_row if panel.cleaned != c.CURRENT else np.ones_like(is_row)
    cleaned = np.where(shown, record.samples[panel.cleaned].to_numpy(dtype=np.float64), np.nan)
    marked_rules = [rule for rule in marks if rule.one_by_one and is_marked_in(rule.code, panel.cleaned)]
    differ = find_changes(raw, cleaned)
    touched = np.zeros(len(raw), dtype=bool)
    for rule in marked_rules:
        touched |= rule.touched
    span = limits(raw, cleaned, differ & touched, least_room=0.5 if panel.is_index else 0.0)
    drawstyle = "steps-post" if panel.is_index else "default"
    for values, rows, style in ((raw, is_row, RAW), (cleaned, shown, CLEANED)):
        line = insert_breaks(time[rows], values[rows], holes_among(holes, rows))
        axes.plot(*envelope(*line), drawstyle=drawstyle, **style)
    axes.set_ylim(*span)
    axes.set_ylabel(panel.label)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=ROUND_STEPS, integer=panel.is_index, min_n_ticks=1))
    pen = _Pen(axes, (float(time[0]), float(time[-1])), span)
    for rule in marked_rules:
        colour = colours[rule.code]
        changed = rule.touched & differ
        missing = rule.touched & shown & np.isnan(cleaned)
        pen.mark(time[changed], raw[changed], colour, "was")
        pen.mark(time[changed], cleaned[changed], colour, "is")
        pen.mark(time[missing], np.full(int(missing.sum()), span[0]), colour, "left")
    for rule in marks:
        if rule.taken.any() and not panel.is_index:
            quarantined = record.quarantined[rule.taken]
            values = quarantined[panel.raw].to_numpy(dtype=np.float64)
            pen.mark(hours(quarantined), values, colours.get(rule.code, GREY), "taken")
    pen.label_beyond_edge()
    return pen.kinds


@dataclass(slots=True)
class _Pen:
    """Draws marks in one panel. Collects their kinds, and the values that are outside the panel.

    Args:
        axes: the panel.
        within: its range of times in h.
        span: its range of values.
        kinds: kinds of the marks so far.
        far: most extreme values outside the panel so far.
    """

    axes: Axes
    within: tuple[float, float]
    span: tuple[float, float]
    kinds: set[str] = field(default_factory=set)
    far: list[float] = field(default_factory=list)

    def mark(self, time: Floats, values: Floats, colour: str, kind: str) -> None:
        """Draw the marks of one kind and rule; those outside the panel become triangles at its edge.

        Args:
            time: of each mark in h.
            values: of each mark; marks of missing values are not drawn.
            colour: of the rule.
            kind: a key of ``MARKS``.
        """
        finite = np.flatnonzero(np.isfinite(values))
        shown = finite[thin_marks(time[finite], values[finite], self.within, self.span)]
        time = time[shown]
        values = values[shown]
        low, high = self.span
        style = {**MARK, **MARKS[kind][1]}
        if len(time) > MANY:
            style["markersize"] *= 0.6
        inside = (values >= low) & (values <= high)
        if inside.any():
            self.kinds.add(kind)
            self.axes.plot(time[inside], values[inside], color=colour, **style)
        for marker, outside, edge in (("^", values > high, high), ("v", values < low, low)):
            if outside.any():
                self.kinds.add("far")
                self.far += [float(values[outside].min()), float(values[outside].max())]
                at = np.full(int(outside.sum()), edge)
                self.axes.plot(time[outside], at, marker, color=colour, markersize=5, clip_on=False, **MARK)

    def label_beyond_edge(self) -> None:
        """Write the most extreme values above and below the panel beside its edges."""
        highest = max(self.far, default=0.0)
        lowest = min(self.far, default=0.0)
        if self.far and highest > self.span[1]:
            write_beside_edge(self.axes, "▲", highest, 1.0)
        if self.far and lowest < self.span[0]:
            write_beside_edge(self.axes, "▼", lowest, 0.0)


def _draw_strip(axes: Axes, record: BeforeAndAfter, marks: Sequence[RuleMarks], colours: dict[str, str]) -> None:
    """Draw a line for each rule: where it flagged samples or quarantined rows, and how many."""
    time = hours(record.samples)
    within = (float(time[0]), float(time[-1]))
    names = []
    for place, rule in enumerate(marks):
        at = time[rule.touched]
        if len(record.quarantined):
            at = np.concatenate([at, hours(record.quarantined)[rule.taken]])
        at = at[thin_marks(at, np.zeros(len(at)), within, (0.0, 1.0))]
        colour = colours.get(rule.code, GREY)
        axes.plot(at, np.full(len(at), place), color=colour, **{**MARK, **MARKS["left"][1]})
        names.append(displayable_name(rule.code, CODE_SIGNS))
        text = format_count(rule.rows, "sample" if rule.code == "step_edge" else "row")
        axes.text(1.005, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=7, color=BLACK)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    for label, rule in zip(axes.get_yticklabels(), marks, strict=True):
        label.set_color(colours.get(rule.code, GREY))
        label.set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    if not names:
        axes.text(0.5, 0.0, "no findings", transform=axes.get_yaxis_transform(), ha="center", va="center", color=GREY)


def _legend(kinds: set[str]) -> list[Line2D]:
    """Return the legend: the lines, and the kinds of marks in the figure."""
    lines = [Line2D([], [], label="raw", **RAW), Line2D([], [], label="cleaned", **CLEANED)]
    for kind, (label, style) in MARKS.items():
        if kind in kinds:
            lines.append(Line2D([], [], label=label, color=GREY, linestyle="none", **style))
    return lines
