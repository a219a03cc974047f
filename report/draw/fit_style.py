"""What the figures of fits share: marks of starts, parameters' names, places and values in words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Final

from ...data.results.fitting import Evaluation
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, VERMILLION, displayable_name

Row = Mapping[str, Any]
FIRST: Final[dict[str, Any]] = {
    "marker": "o", "color": GREY, "markerfacecolor": "white", "markersize": 4, "markeredgewidth": 0.8,
}  # fmt: skip
BEST: Final[dict[str, Any]] = {"marker": "D", "color": BLACK, "markersize": 5.5}
AGREES: Final[dict[str, Any]] = {"marker": "o", "color": BLUE, "markersize": 4.5}
ELSEWHERE: Final[dict[str, Any]] = {"marker": "^", "color": ORANGE, "markersize": 5}
STOPPED: Final[dict[str, Any]] = {"marker": "s", "color": SKY, "markersize": 4.5}
FAILED: Final[dict[str, Any]] = {"marker": "x", "color": VERMILLION, "markersize": 5, "markeredgewidth": 1.4}
BELIEF: Final = {"well": GREEN, "determined": BLUE, "poorly": ORANGE, "not": VERMILLION, "at": VERMILLION}
"""Colours of verdicts by their first word."""

_SUPERSCRIPT: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_UNIT: Final = re.compile(r"\s*\[[^\]]*\]\s*$")


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """One start of a fit to draw.

    Args:
        rmse_first_mv, rmse_mv: in mV; ``None`` where the start did not come so far.
        best: it became the fit's result.
        agrees: it ended at the best one's minimum.
        stopped: it ended early, at its best point so far, and neither agrees nor disagrees.
        failed: why it has no result, in a few words; "" = it has one.
        first_values, values: by parameter, in its own unit.
        evaluations: its journal, in order; empty when there is none.
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
    """Starts with a result, the best first, then those without."""
    return sorted(starts, key=lambda s: (s.rmse_mv is None, not s.best, s.rmse_mv or 0.0, s.number))


def start_mark(start: Start) -> dict[str, Any]:
    """Marker and colour of where a start ended."""
    if start.rmse_mv is None:
        return FAILED
    if start.best:
        return BEST
    return STOPPED if start.stopped else AGREES if start.agrees else ELSEWHERE


def start_name(start: Start) -> str:
    """What a start's mark means, for the legend."""
    if start.rmse_mv is None:
        return "failed"
    if start.best:
        return "best start"
    return "stopped early" if start.stopped else "same minimum" if start.agrees else "ended elsewhere"


def short_name(parameter: str, width: int = 26, lines: int = 2) -> str:
    """Write a parameter's name without its unit, over some lines of so many signs."""
    text = _UNIT.sub("", displayable_name(parameter, 200))
    for long, short in (("Negative ", "Neg. "), ("Positive ", "Pos. "), ("volume fraction", "vol. fraction")):
        text = text.replace(long, short)
    parts = wrap(text, width) or [text]
    if len(parts) > lines:
        parts = [*parts[: lines - 1], displayable_name(" ".join(parts[lines - 1 :]), width)]
    return "\n".join(parts)


def format_unit(row: Row) -> str:
    """Write the unit of a fitted value: ``m².s⁻¹``; a factor is ``× the set's own``."""
    if row["is_factor"]:
        return "× the set's own"
    return re.sub(
        r"-?\d+", lambda found: found[0].translate(_SUPERSCRIPT), displayable_name(str(row["unit"] or ""), 30)
    )


def format_number(value: float) -> str:
    """Write a number with three digits: ``0.953``, ``4.13×10⁻¹⁵``."""
    if value == 0.0 or not math.isfinite(value) or 1e-3 <= abs(value) < 1e4:
        return f"{value:.3g}" if abs(value) < 1e3 or not math.isfinite(value) else f"{value:.0f}"
    digits, exponent = f"{value:.2e}".split("e")
    return f"{digits}×10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def format_tick(value: float) -> str:
    """Write a tick's number: ``0.9725``, ``4×10⁻¹⁵``."""
    if value == 0.0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.5g}"
    digits, exponent = f"{value:.2e}".split("e")
    return f"{float(digits):g}×10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def format_value(row: Row) -> str:
    """Write a fitted value with its unit."""
    return f"{format_number(row['value'])} {format_unit(row)}".rstrip()


def half_width(row: Row) -> float | None:
    """Half of a value's 95 % interval as a share of the value (log scale: of its logarithm); ``None`` = it has none."""
    if row["upper_95"] is None or not row["value"]:
        return None
    if row["scale"] == "log":
        return math.log(row["upper_95"] / row["value"])
    return float(abs(row["upper_95"] - row["value"]) / abs(row["value"]))


def format_half_width(row: Row) -> str:
    """Write how far to believe a value: ``± 2.1 %``, ``×/÷ 3.4``, or why there is no interval."""
    share = half_width(row)
    if share is None:
        verdict = str(row["verdict"] or "")
        return verdict.split(":")[0].split(";")[0] if row["at_bound"] or verdict else "no interval"
    if row["scale"] == "log" and share > 0.5:
        return f"×/÷ {math.exp(share):.2g}" if share < math.log(1000.0) else "×/÷ > 1000"
    if share >= 9.995:
        return "± > 999 %"
    return f"± {100 * share:.2g} %" if share < 0.995 else f"± {100 * share:.0f} %"


def place_between_bounds(row: Row, value: float | None) -> float:
    """Place of a value between its bounds, on the scale that it was searched on: 0 = lower, 1 = upper; NaN = none."""
    if value is None or not math.isfinite(value):
        return float("nan")
    lower, upper = float(row["lower"]), float(row["upper"])
    if row["scale"] == "log":
        return math.log(value / lower) / math.log(upper / lower) if value > 0.0 else -1.0
    return (value - lower) / (upper - lower)


def verdict_colour(row: Row) -> str:
    """Colour of a parameter's verdict."""
    return BELIEF.get(str(row["verdict"] or "").split(" ")[0], GREY)
