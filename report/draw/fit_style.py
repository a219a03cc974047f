"""Shared parts of the figures of fits: marks of starts, and parameter names, values and intervals as text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Final, Literal

from matplotlib.axes import Axes

from ...data.results.fitting import Evaluation
from ...data.verdict_words import VerdictKind, verdict_kind
from ..units import typeset_unit
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, VERMILLION, displayable_name

Row = Mapping[str, Any]
"""A row of the catalog's ``fit_parameters``: a fitted parameter."""

FIRST: Final[dict[str, Any]] = {
    "marker": "o", "color": GREY, "markerfacecolor": "white", "markersize": 4, "markeredgewidth": 0.8,
}  # fmt: skip
BEST: Final[dict[str, Any]] = {"marker": "D", "color": BLACK, "markersize": 5.5}
AGREES: Final[dict[str, Any]] = {"marker": "o", "color": BLUE, "markersize": 4.5}
ELSEWHERE: Final[dict[str, Any]] = {"marker": "^", "color": ORANGE, "markersize": 5}
STOPPED: Final[dict[str, Any]] = {"marker": "s", "color": SKY, "markersize": 4.5}
FAILED: Final[dict[str, Any]] = {"marker": "x", "color": VERMILLION, "markersize": 5, "markeredgewidth": 1.4}
BELIEF: Final[dict[VerdictKind, str]] = {
    "well determined": GREEN,
    "precise": SKY,
    "determined": BLUE,
    "poorly determined": ORANGE,
    "not identifiable": VERMILLION,
    "at a bound": VERMILLION,
}
"""Kind of a verdict to its colour."""

MARKS_BEYOND: Final = {"x": ("<", ">"), "y": ("v", "^")}
"""Marks of an interval that goes on beyond the lower and the upper bound, by the axis of the values."""

_SUPERSCRIPT: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_UNIT: Final = re.compile(r"\s*\[[^\]]*\]\s*$")
"""The unit at the end of PyBaMM's parameter names."""


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """One start of a fit.

    Args:
        number: of the start, from 0.
        rmse_first_mv: RMSE at the initial values in mV; ``None`` = the start failed.
        rmse_mv: RMSE at the final values in mV; ``None`` = the start failed.
        best: its values became the fit's result.
        agrees: it ended at the minimum of the best start.
        stopped: it stopped early or did not converge, at its best point; it neither agrees nor disagrees.
        failed: why it has no result, in a few words; "" = it has one.
        first_values: parameter to its initial value, in the parameter's unit.
        values: parameter to its final value, in the parameter's unit.
        evaluations: of its journal, in order; empty = there is no journal.
    """

    number: int
    rmse_first_mv: float | None
    rmse_mv: float | None
    best: bool = False
    agrees: bool = False
    stopped: bool = False
    failed: str = ""
    first_values: Mapping[str, float] | None = None
    values: Mapping[str, float] | None = None
    evaluations: Sequence[Evaluation] = ()


def rank_starts(starts: Iterable[Start]) -> list[Start]:
    """Return the starts with a result, the best first, then the failed starts."""
    return sorted(starts, key=lambda s: (s.rmse_mv is None, not s.best, s.rmse_mv or 0.0, s.number))


def start_mark(start: Start) -> dict[str, Any]:
    """Return marker and colour for the end of a start."""
    if start.rmse_mv is None:
        return FAILED
    if start.best:
        return BEST
    if start.stopped:
        return STOPPED
    if start.agrees:
        return AGREES
    return ELSEWHERE


def start_name(start: Start) -> str:
    """Return the meaning of a start's mark, for the legend."""
    if start.rmse_mv is None:
        return "failed"
    if start.best:
        return "best start"
    if start.stopped:
        return "stopped early or not converged"
    if start.agrees:
        return "same minimum"
    return "ended elsewhere"


def short_name(parameter: str, width: int = 26, lines: int = 2) -> str:
    """Return a parameter's name without its unit, wrapped and abbreviated.

    Args:
        parameter: its name in PyBaMM.
        width: number of characters of a line.
        lines: largest number of lines; a longer name ends with an ellipsis.
    """
    text = _UNIT.sub("", displayable_name(parameter, 200))
    for long, short in (("Negative ", "Neg. "), ("Positive ", "Pos. "), ("volume fraction", "vol. fraction")):
        text = text.replace(long, short)
    parts = wrap(text, width) or [text]
    if len(parts) > lines:
        rest = " ".join(parts[lines - 1 :])
        parts = [*parts[: lines - 1], displayable_name(rest, width)]
    return "\n".join(parts)


def format_unit(row: Row) -> str:
    """Return the unit of a fitted value, such as ``m² s⁻¹``; for a factor, what it multiplies."""
    if row["is_factor"]:
        return "× base value"
    return displayable_name(typeset_unit(str(row["unit"] or "")), 30)


def format_number(value: float) -> str:
    """Return a number with three digits: ``0.953``, ``4.13×10⁻¹⁵``."""
    if not math.isfinite(value):
        return f"{value:.3g}"
    magnitude = abs(value)
    if magnitude == 0.0 or 1e-3 <= magnitude < 1e3:
        return f"{value:.3g}"
    if 1e3 <= magnitude < 1e4:
        return f"{value:.0f}"
    digits, exponent = f"{value:.2e}".split("e")
    return f"{digits}×10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def format_tick(value: float) -> str:
    """Return the number of a tick without trailing zeros: ``0.9725``, ``4×10⁻¹⁵``."""
    if value == 0.0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.5g}"
    digits, exponent = f"{value:.2e}".split("e")
    return f"{float(digits):g}×10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def format_value(row: Row) -> str:
    """Return a fitted value with its unit."""
    return f"{format_number(row['value'])} {format_unit(row)}".rstrip()


def half_width(row: Row) -> float | None:
    """Return the half-width of a value's 95 % confidence interval as a fraction of the value.

    Returns:
        On a logarithmic scale, the half-width of the logarithm; ``None`` = there is no interval.
    """
    if row["upper_95"] is None or not row["value"]:
        return None
    if row["scale"] == "log":
        return math.log(row["upper_95"] / row["value"])
    return float(abs(row["upper_95"] - row["value"]) / abs(row["value"]))


@dataclass(frozen=True, slots=True)
class Interval:
    """The part of a 95 % confidence interval that is between the bounds of the search.

    Args:
        lower, upper: its ends, in the parameter's unit.
        goes_below, goes_above: whether the interval goes on beyond the lower and the upper bound.
    """

    lower: float
    upper: float
    goes_below: bool
    goes_above: bool

    def within(self, low: float, high: float) -> Interval:
        """Return the part of the interval that is on an axis with these limits."""
        return Interval(
            max(self.lower, low),
            min(self.upper, high),
            self.goes_below or self.lower < low,
            self.goes_above or self.upper > high,
        )


def interval_within_bounds(row: Row) -> Interval | None:
    """Return the interval of a value, clipped to the bounds; ``None`` = there is no interval.

    A wide interval of a logarithm would take an axis to any power of ten, and the search saw nothing beyond the bounds.
    """
    if row["lower_95"] is None or row["upper_95"] is None:
        return None
    value = float(row["value"])
    lowest = min(float(row["lower"]), value)
    highest = max(float(row["upper"]), value)
    lower = float(row["lower_95"])
    upper = float(row["upper_95"])
    return Interval(max(lower, lowest), min(upper, highest), lower < lowest, upper > highest)


def draw_beyond(axes: Axes, interval: Interval, at: float, name: Literal["x", "y"], colour: str, **style: Any) -> None:
    """Mark the ends of an interval that goes on beyond the bounds.

    Args:
        axes: panel.
        interval: its ends are in data units of the axis ``name``.
        at: place on the other axis.
        name: the axis of the values.
        colour: of the marks.
        **style: of the marks, such as ``zorder``.
    """
    ends = ((interval.lower, interval.goes_below), (interval.upper, interval.goes_above))
    for (end, goes_on), marker in zip(ends, MARKS_BEYOND[name], strict=True):
        if goes_on:
            place = (end, at) if name == "x" else (at, end)
            axes.plot(*place, marker, color=colour, markersize=4.5, **{"clip_on": False, **style})


def half_width_within_bounds(row: Row) -> tuple[float | None, bool]:
    """Return the half-width as :func:`half_width` does, at most up to the farther bound, and whether it was cut."""
    share = half_width(row)
    if share is None:
        return None, False
    value = float(row["value"])
    lower = float(row["lower"])
    upper = float(row["upper"])
    if row["scale"] == "log":
        most = max(math.log(upper / value), math.log(value / lower))
    else:
        most = max(upper - value, value - lower) / abs(value)
    return min(share, most), share > most


def format_half_width(row: Row) -> str:
    """Return the uncertainty of a value: ``± 2.1 %``, ``×/÷ 3.4``, or why there is no interval."""
    share = half_width(row)
    if share is None or verdict_kind(row["verdict"]) == "not identifiable":
        verdict = str(row["verdict"] or "")
        if verdict or row["at_bound"]:
            return verdict.split(":")[0].split(";")[0]
        return "no interval"
    if row["scale"] == "log" and share > 0.5:
        return f"×/÷ {math.exp(share):.2g}" if share < math.log(1000.0) else "×/÷ > 1000"
    if share >= 9.995:
        return "± > 999 %"
    return f"± {100 * share:.2g} %" if share < 0.995 else f"± {100 * share:.0f} %"


def place_between_bounds(row: Row, value: float | None) -> float:
    """Return the position of a value between its bounds, on the scale of the search.

    Args:
        row: of the catalog's ``fit_parameters``.
        value: in the parameter's unit.

    Returns:
        0 = lower bound, 1 = upper bound; NaN = there is no value.
    """
    if value is None or not math.isfinite(value):
        return float("nan")
    lower = float(row["lower"])
    upper = float(row["upper"])
    if row["scale"] != "log":
        return (value - lower) / (upper - lower)
    if value <= 0.0:
        return -1.0
    return math.log(value / lower) / math.log(upper / lower)


def verdict_colour(row: Row) -> str:
    """Return the colour of a parameter's verdict."""
    return BELIEF.get(verdict_kind(row["verdict"]), GREY)
