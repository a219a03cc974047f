"""The error budget of a simulation or fit: what its voltage error may be off by, in one number, and whether it matters.

This is the only place that combines the parts and decides whether a budget is shown as too large.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

LIMIT_MV: Final = 1.0
LIMIT_SHARE: Final = 0.1
"""A budget is too large above this many mV, or above this share of the RMSE: part of it may not be the model's then."""

PARTS: Final[dict[str, str]] = {
    "numerical": "numerical_error_rmse_mv",
    "compression": "compression_rmse_mv",
    "charge": "charge_uncertainty_mv",
    "state": "state_uncertainty_mv",
}
"""The parts: word, and column or field in mV. An empty value is an unknown part, except a state that is given."""

WORDS: Final[dict[str, str]] = {
    "numerical": "numerical error",
    "compression": "compressed current",
    "charge": "charge",
    "state": "starting state",
}
"""The parts for people."""

STATE_SOURCE: Final = "initial_state_source"
GIVEN: Final = "given"
"""Word in the source of a starting state that the user or a fit gives: it has no uncertainty of its own."""

MARK: Final = "!"
MARK_UNKNOWN: Final = "?"
"""Marks of a budget that is too large, and of one with an unknown part."""

ONE_DIGIT_MV: Final = 0.095
"""A budget from this many mV on has one digit after the point beside an RMSE, as this has."""


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """What the RMSE of a simulation or fit may be off by, apart from the model and its parameters.

    Args:
        total_mv: root of the sum of the squared known parts, mV; ``None`` = no part is known.
        main: the largest part, a key of ``PARTS``; "" = no part is known, or all are 0.
        unknown: the parts that are not known, keys of ``PARTS``.
        parts: the known parts in mV.
        rmse_mv: of the simulation or fit, mV; ``None`` = it has none.
    """

    total_mv: float | None
    main: str
    unknown: tuple[str, ...]
    parts: Mapping[str, float]
    rmse_mv: float | None = None

    @property
    def is_too_large(self) -> bool:
        """Whether the known parts alone exceed 1 mV or a tenth of the RMSE."""
        return is_too_large(self.total_mv, self.rmse_mv)

    @property
    def mark(self) -> str:
        """``!`` = too large, ``?`` = a part is unknown; "" = neither."""
        if self.is_too_large:
            return MARK
        return MARK_UNKNOWN if self.unknown else ""

    def columns(self) -> dict[str, Any]:
        """Return the catalog's columns of the budget."""
        return {
            "error_budget_mv": self.total_mv,
            "error_budget_main": self.main or None,
            "error_budget_unknown": ", ".join(self.unknown),
            "error_budget_too_large": None if self.total_mv is None else int(self.is_too_large),
        }

    def describe_parts(self) -> str:
        """Return ``starting state 0.55 mV, charge 0.012 mV; unknown: numerical error``, the largest part first."""
        ordered = sorted(self.parts.items(), key=lambda part: -part[1])
        known = ", ".join(f"{WORDS[name]} {format_mv(value)} mV" for name, value in ordered)
        unknown = ", ".join(WORDS[name] for name in self.unknown)
        return "; ".join(filter(None, (known, f"unknown: {unknown}" if unknown else "")))


def is_too_large(uncertainty_mv: float | None, rmse_mv: float | None) -> bool:
    """Tell whether an uncertainty exceeds 1 mV or a tenth of the RMSE.

    Args:
        uncertainty_mv: mV; ``None`` = not known, which is not too large.
        rmse_mv: mV; ``None`` = there is none, so that 1 mV counts.
    """
    if uncertainty_mv is None:
        return False
    limit = LIMIT_MV if rmse_mv is None else min(LIMIT_MV, LIMIT_SHARE * rmse_mv)
    return uncertainty_mv > limit


def error_budget(values: Mapping[str, Any]) -> ErrorBudget:
    """Combine the parts of a simulation's or fit's error budget.

    The parts are bounds with different causes, so their squares are added. The sum of four is at most twice this.

    Args:
        values: the fields ``PARTS`` (mV), ``initial_state_source`` and ``rmse_mv``, absent or ``None`` = not known.
    """
    parts: dict[str, float] = {}
    unknown: list[str] = []
    for name, field in PARTS.items():
        value = values.get(field)
        if value is not None and math.isfinite(value):
            parts[name] = float(value)
        elif name != "state" or GIVEN not in (values.get(STATE_SOURCE) or ""):
            unknown.append(name)
    total = math.hypot(*parts.values()) if parts else None
    main = max(parts, key=lambda name: parts[name]) if total else ""
    return ErrorBudget(total, main, tuple(unknown), parts, values.get("rmse_mv"))


def budget_of_result(result: Any) -> ErrorBudget:
    """Return the error budget of a ``SimulationResult`` or ``FitResult``."""
    fields = (*PARTS.values(), STATE_SOURCE, "rmse_mv")
    return error_budget({field: getattr(result, field, None) for field in fields})


def format_mv(value: float) -> str:
    """Return a number of mV with two digits after the point, as that of an RMSE; small ones with one digit."""
    if value >= 10.0:
        return f"{value:.1f}"
    if value >= 0.01 or value == 0.0:
        return f"{value:.2f}"
    return "<0.001" if value < 1e-3 else f"{value:.1g}"


def format_rmse(rmse_mv: float, budget: ErrorBudget | None) -> str:
    """Return ``27.8 ± 0.3 mV``, such as for a legend.

    A budget that is too large has a mark and its largest part, one with an unknown part another mark.

    Args:
        rmse_mv: mV; it may be of a part of what the budget is of.
        budget: of the simulation or fit; ``None`` = it has none.
    """
    if budget is None or budget.total_mv is None:
        return f"{rmse_mv:.1f} mV"
    digits = ".1f" if budget.total_mv >= ONE_DIGIT_MV else ".1g"
    text = f"{rmse_mv:.1f} ± {budget.total_mv:{digits}} mV"
    if budget.is_too_large:
        return f"{text} ({MARK} mostly {WORDS[budget.main]})"
    return f"{text} ({budget.mark})" if budget.mark else text


def short_budget_words(values: Mapping[str, Any]) -> str:
    """Return ``±0.55 mV (starting state)`` where the budget is too large, else "".

    Args:
        values: as of :func:`error_budget`.
    """
    budget = error_budget(values)
    if budget.total_mv is None or not budget.is_too_large:
        return ""
    return f"±{format_mv(budget.total_mv)} mV ({WORDS[budget.main]})"


def describe_doubt(budget: ErrorBudget) -> str:
    """Say in a verdict that a budget is too large; "" = it is not."""
    if budget.total_mv is None or not budget.is_too_large:
        return ""
    limit = "more than 1 mV" if budget.total_mv > LIMIT_MV else "more than a tenth of the RMSE"
    return f"the error budget is ±{format_mv(budget.total_mv)} mV, {limit}, mostly {WORDS[budget.main]}"
