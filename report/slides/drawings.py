"""Draw a stretch of a record, boxes with arrows, and the entity diagram on a page."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from matplotlib.patches import FancyArrowPatch

from ...data.arrays import Floats
from ..draw.style import BLACK, GREY, VERMILLION
from .content import Box, Diagram, Entity, Flow, Place, Stretch
from .page import BODY, LEAST, Page, cut, legible, line_height, text_width, wrap

FILLS: Final = {"given": ("#ffffff", GREY), "step": ("#dcebf5", "#0072b2"), "kept": ("#f3f0e6", "#8a7a3c")}
"""Kind of a box to the colours of its inside and its edge."""

RAW_COLOUR: Final = VERMILLION
BOX_GAP: Final = (0.42, 0.5)
"""Distance of boxes across and along, in inch."""

ROOM: Final = 0.12
"""Share of the cleaned values' range above and below them; raw values beyond are drawn at the edge."""

DOT_INCH: Final = 0.08
"""Distance of a dot from its box, in inch."""

FAR_SHARE: Final = 0.35
"""Raw values at most this share of the range outside the cleaned ones widen the axis. Chosen, not measured."""


def draw_stretch(page: Page, stretch: Stretch, place: Place) -> None:
    """Draw raw values, with crosses where they changed, and the cleaned line above them."""
    left, bottom, width, height = place
    page.put(cut(legible(stretch.caption), width, LEAST), (left, bottom + height - line_height(LEAST) / 2), LEAST)
    _draw_legend(page, (left, bottom + height - 1.5 * line_height(LEAST)), stretch)
    low, high = value_limits(stretch)
    ticks, names = _ticks(low, high, 3)
    margin = 0.45 + max((text_width(name, LEAST) for name in names), default=0.0)
    frame = (left + margin, bottom + 0.58, width - margin - 0.15, height - 0.7 - 2 * line_height(LEAST))
    axes = page.panel_axes(frame)
    raw = np.clip(stretch.raw, low, high)
    rows = stretch.is_row
    axes.plot(stretch.time_hour[rows], raw[rows], color=RAW_COLOUR, linewidth=1.2, alpha=0.9, zorder=2)
    changed = np.isfinite(raw) & (np.abs(stretch.raw - stretch.cleaned) > 0.005 * (high - low))
    far_down, far_up = stretch.raw < low, stretch.raw > high
    changed &= ~(far_down | far_up)
    for far, marker in ((far_down, "v"), (far_up, "^")):
        axes.plot(stretch.time_hour[far], raw[far], marker, color=RAW_COLOUR, markersize=10, zorder=4, clip_on=False)
    axes.plot(
        stretch.time_hour[changed], raw[changed], "x", color=RAW_COLOUR, markersize=8, markeredgewidth=2, zorder=4
    )
    axes.plot(stretch.time_hour, stretch.cleaned, color=BLACK, linewidth=2.2, zorder=3)
    axes.plot(stretch.time_hour[~rows], stretch.cleaned[~rows], "s", color=BLACK, markersize=8, zorder=4)
    if len(stretch.removed):
        removed = np.clip(stretch.removed, low, high)
        axes.plot(stretch.removed_hour, removed, "D", color=RAW_COLOUR, markerfacecolor="none", markersize=9, zorder=4)
    start, end = float(stretch.time_hour[0]), float(stretch.time_hour[-1])
    axes.set_xlim(start, end if end > start else start + 1.0)
    axes.set_ylim(low, high)
    axes.set_xticks(*_ticks(start, end if end > start else start + 1.0, 4))
    axes.set_yticks(ticks, names)
    axes.tick_params(labelsize=LEAST, length=4)
    axes.spines[["top", "right"]].set_visible(False)
    page.put("Test time (h)", (frame[0] + frame[2] / 2, bottom + 0.12), LEAST, align="center")
    page.put(stretch.quantity, (left + 0.12, frame[1] + frame[3] / 2), LEAST, align="center", va="center", rotation=90)


def _draw_legend(page: Page, at: tuple[float, float], stretch: Stretch) -> None:
    x, y = at
    page.axes.plot([x, x + 0.4], [y, y], color=BLACK, linewidth=2.2)
    page.put("cleaned", (x + 0.5, y), LEAST)
    x += 0.7 + text_width("cleaned", LEAST)
    page.axes.plot([x, x + 0.4], [y, y], color=RAW_COLOUR, linewidth=1.2, marker="x", markersize=8, markeredgewidth=2)
    page.put("raw", (x + 0.5, y), LEAST)
    low, high = value_limits(stretch)
    if ((stretch.raw < low) | (stretch.raw > high)).any():
        x += 0.9 + text_width("raw", LEAST)
        page.axes.plot(x, y, "v", color=RAW_COLOUR, markersize=10)
        page.put("off the scale", (x + 0.2, y), LEAST)
        x += 0.2 + text_width("off the scale", LEAST) - 0.5 - text_width("raw", LEAST)
    if not stretch.is_row.all():
        x += 0.9 + text_width("raw", LEAST)
        page.axes.plot(x, y, "s", color=BLACK, markersize=8)
        page.put("inserted sample", (x + 0.2, y), LEAST)
    elif len(stretch.removed):
        x += 0.9 + text_width("raw", LEAST)
        page.axes.plot(x, y, "D", color=RAW_COLOUR, markerfacecolor="none", markersize=9)
        page.put("quarantined row", (x + 0.2, y), LEAST)


def value_limits(stretch: Stretch) -> tuple[float, float]:
    """Return the limits of the value axis: cleaned values, and raw ones that are not far outside."""
    cleaned = stretch.cleaned[np.isfinite(stretch.cleaned)]
    if not len(cleaned):
        cleaned = stretch.raw[np.isfinite(stretch.raw)]
    if not len(cleaned):
        return 0.0, 1.0
    low, high = float(cleaned.min()), float(cleaned.max())
    span = (high - low) or max(abs(high), 1.0) * 0.1
    others = np.concatenate([stretch.raw, stretch.removed])
    near = others[(others >= low - FAR_SHARE * span) & (others <= high + FAR_SHARE * span)]
    low, high = min(low, float(near.min(initial=low))), max(high, float(near.max(initial=high)))
    return low - ROOM * span, high + ROOM * span


def _ticks(low: float, high: float, number: int) -> tuple[list[float], list[str]]:
    """Return round ticks inside limits, with their labels."""
    step = (high - low) / number
    power = 10.0 ** np.floor(np.log10(step))
    step = power * min((one for one in (1, 2, 2.5, 5, 10) if one * power >= step), default=10)
    ticks: Floats = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    ticks = ticks[(ticks >= low + 0.03 * (high - low)) & (ticks <= high - 0.03 * (high - low))]
    digits = max(0, int(np.ceil(-np.log10(step) + (1e-9 if step / power != 2.5 else 1.0))))
    return ticks.tolist(), [f"{tick + 0.0:.{digits}f}".replace("-", "−") for tick in ticks]


def draw_flow(page: Page, flow: Flow, place: Place) -> None:
    """Draw boxes on a grid, and their arrows."""
    left, bottom, width, height = place
    columns = max(box.column + box.span for box in flow.boxes)
    rows = max(box.row for box in flow.boxes) + 1
    across = (width - BOX_GAP[0] * (columns - 1)) / columns
    along = (height - BOX_GAP[1] * (rows - 1)) / rows
    places: dict[str, Place] = {}
    for box in flow.boxes:
        x = left + box.column * (across + BOX_GAP[0])
        y = bottom + height - box.row * (along + BOX_GAP[1]) - along
        places[box.name] = (x, y, across * box.span + BOX_GAP[0] * (box.span - 1), along)
        _draw_box(page, box, places[box.name])
    for start, end, word in flow.arrows:
        _draw_arrow(page, places[start], places[end], word)


def _draw_box(page: Page, box: Box, place: Place) -> None:
    left, bottom, width, height = place
    page.rounded(place, *FILLS[box.kind])
    inside = width - 0.16
    texts = [(part, BODY, "bold") for part in wrap(box.name, inside, BODY, 2, "bold")]
    room = int((height - 0.1) / line_height(BODY)) - len(texts)
    for line in box.lines:
        for part in wrap(line, inside, LEAST, 2):
            if room > 0:
                texts.append((part, LEAST, "normal"))
                room -= 1
    y = bottom + height / 2 + line_height(BODY) * (len(texts) - 1) / 2
    for text, size, weight in texts:
        page.put(text, (left + width / 2, y), size, weight="bold" if weight == "bold" else "normal", align="center")
        y -= line_height(BODY)


def _draw_arrow(page: Page, start: Place, end: Place, word: str) -> None:
    """Draw an arrow between the sides of two boxes that face each other; one to the left, below the middle."""
    x, y = start[0] + start[2] / 2, start[1] + start[3] / 2
    if abs(start[1] - end[1]) > 0.01:
        points = ((x, start[1]), (x, end[1] + end[3]))
    elif end[0] > start[0]:
        shift = 0.2 * start[3]
        points = ((start[0] + start[2], y + shift), (end[0], y + shift))
    else:
        shift = -0.2 * start[3]
        points = ((start[0], y + shift), (end[0] + end[2], y + shift))
    page.axes.add_patch(
        FancyArrowPatch(*points, arrowstyle="-|>", mutation_scale=18, color=BLACK, linewidth=1.8, shrinkA=0, shrinkB=0)
    )
    if word:
        below = min(start[1], end[1]) - 0.5 * line_height(LEAST)
        page.put(word, ((points[0][0] + points[1][0]) / 2, below), LEAST, align="center", colour=GREY)


def draw_diagram(page: Page, diagram: Diagram, place: Place) -> None:
    """Draw tables and the references between them; a dot marks the side of many rows."""
    left, bottom, width, height = place
    page.put(cut(diagram.note, width, LEAST), (left, bottom + line_height(LEAST) / 2), LEAST, colour=GREY)
    bottom += line_height(LEAST) + 0.1
    height -= line_height(LEAST) + 0.1
    columns = max((entity.column for entity in diagram.entities), default=0) + 1
    rows = max((entity.row for entity in diagram.entities), default=0) + 1
    gap = (0.45, 0.3)
    across = (width - gap[0] * (columns - 1)) / columns
    along = (height - gap[1] * (rows - 1)) / rows
    places = {
        entity.name: (
            left + entity.column * (across + gap[0]),
            bottom + height - entity.row * (along + gap[1]) - along,
            across,
            along,
        )
        for entity in diagram.entities
    }
    by_name = {entity.name: entity for entity in diagram.entities}
    for child, parent in diagram.links:
        _draw_link(page, by_name[child], by_name[parent], places, gap[1])
    for entity in diagram.entities:
        _draw_entity(page, entity, places[entity.name])


def _draw_entity(page: Page, entity: Entity, place: Place) -> None:
    left, bottom, width, height = place
    page.rounded(place, "#ffffff", "#0072b2")
    middle = left + width / 2
    half = 0.5 * line_height(LEAST)
    name = cut(entity.name, width - 0.15, LEAST, "bold")
    page.put(name, (middle, bottom + height / 2 + half), LEAST, weight="bold", align="center")
    rows = f"{entity.rows:,} {'row' if entity.rows == 1 else 'rows'}"
    page.put(
        cut(rows, width - 0.15, LEAST), (middle, bottom + height / 2 - half), LEAST, align="center", colour="#444444"
    )


def _draw_link(page: Page, child: Entity, parent: Entity, places: dict[str, Place], gap: float) -> None:
    """Draw the line of a reference below the boxes: straight between neighbours, else through the gap between rows."""
    style: dict[str, Any] = {"color": "#555555", "linewidth": 1.6, "zorder": 0.5, "solid_joinstyle": "round"}
    a, b = places[child.name], places[parent.name]
    if child.row == parent.row and abs(child.column - parent.column) > 1:
        y = a[1] + a[3] + gap / 2
        xs = [a[0] + a[2] / 2] * 2 + [b[0] + 0.75 * b[2]] * 2
        ys = [a[1] + a[3], y, y, b[1] + b[3]]
    elif child.row == parent.row:
        y = a[1] + a[3] / 2
        to_right = b[0] > a[0]
        xs = [a[0] + a[2], b[0]] if to_right else [a[0], b[0] + b[2]]
        ys = [y, y]
    elif child.column == parent.column:
        x = a[0] + a[2] / 2
        is_above = a[1] > b[1]
        xs = [x, x]
        ys = [a[1], b[1] + b[3]] if is_above else [a[1] + a[3], b[1]]
    else:
        to_right = b[0] > a[0]
        is_above = a[1] > b[1]
        xs = [a[0] + a[2] - 0.25, b[0] + 0.25] if to_right else [a[0] + 0.25, b[0] + b[2] - 0.25]
        ys = [a[1], b[1] + b[3]] if is_above else [a[1] + a[3], b[1]]
    page.axes.plot(xs, ys, **style)
    away = abs(ys[1] - ys[0]) or abs(xs[1] - xs[0])
    share = min(1.0, DOT_INCH / max(away, DOT_INCH))
    dot = (xs[0] + share * (xs[1] - xs[0]), ys[0] + share * (ys[1] - ys[0]))
    page.axes.plot(*dot, "o", color="#555555", markersize=8, zorder=0.6)
