"""The words of a fit: how reliable each value is, and what a user should know of the fit as a whole.

Statistical identifiability is judged from the 95 % interval: within the record's noise, is the value known? Practical
identifiability is judged from the model's error: where the residual is systematic, the interval does not include it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ...data.fit_settings import INITIAL_SOC, FitParameter
from ...data.results.fitting import FittedParameter, StartResult, name_start
from ...data.state_certainty import describe_state_certainty, is_state_uncertain
from ...data.verdict_words import verdict_kind
from .uncertainty import Uncertainty

WELL_DETERMINED: Final = 0.005
"""Relative standard error up to which a parameter is well determined: four of them are below 2 %."""

USABLY_DETERMINED: Final = 0.10
"""Relative half-width of the 95 % interval up to which a parameter is determined."""

NOT_IDENTIFIABLE: Final = 1.0
"""Relative half-width of the 95 % interval from which a parameter is not identifiable: its sign is then unknown."""

NOT_IDENTIFIABLE_LOG: Final = math.log(10.0)
"""The same on a logarithmic scale: its order of magnitude is unknown. Chosen, not measured."""

FACTOR_FROM: Final = 0.5
"""Half-width of a logarithm from which it is written as a factor: it is no longer symmetric in percent."""

STRONG_CORRELATION: Final = 0.9
"""Correlation of two parameters that is reported."""

WORSE_OUTSIDE: Final = 2.0
"""RMSE of what was not fitted, over that of the fit, from which a verdict says so. Chosen, not measured."""

WORSE_OUTSIDE_MV: Final = 2.0
"""Difference of the two (mV) that must be exceeded, too."""


@dataclass(frozen=True, slots=True)
class ModelError:
    """How large the error of the model is beside the noise of the voltage.

    Args:
        systematic: whether the residual is certainly more than noise, so that intervals do not include all of it.
        error_mv: standard deviation of the part of the residual that is not noise, mV.
        noise_mv: noise of the measured voltage, mV; ``None`` = not known.
    """

    systematic: bool
    error_mv: float
    noise_mv: float | None = None

    @property
    def numbers(self) -> str:
        """``18 mV against 0.5 mV of noise``."""
        text = f"{self.error_mv:.2g} mV"
        if self.noise_mv is not None:
            text += f" against {self.noise_mv:.2g} mV of noise"
        return text


def judge_model_error(rmse_mv: float, noise_mv: float | None, errors: Uncertainty) -> ModelError:
    """Judge whether the residual of a fit is systematic.

    Args:
        rmse_mv: of the fit, mV.
        noise_mv: of the measured voltage, mV.
        errors: with the correlated part of the residual.
    """
    # Of a slow error, a record shows only a part: the estimate of all of it can exceed the RMSE.
    return ModelError(errors.residual_systematic, min(errors.model_error_mv or rmse_mv, rmse_mv), noise_mv)


def describe_certainty(
    parameter: FitParameter, value: float, error: float, quantile: float, partner: str, model: ModelError
) -> str:
    """Say how well a parameter is determined; the part before the first semicolon can be read alone.

    Args:
        parameter: its scale counts.
        value: of the parameter, in its unit.
        error: standard error in the same unit.
        quantile: half-width of the 95 % interval in standard errors.
        partner: parameters with a strong correlation, in words; "" = none.
        model: the error of the model.
    """
    is_log = parameter.scale == "log"
    relative = error / abs(value) if value else math.inf
    half_width = quantile * relative
    if not math.isfinite(half_width):
        return f"not identifiable from this record{partner}"
    if half_width >= (NOT_IDENTIFIABLE_LOG if is_log else NOT_IDENTIFIABLE):
        reason = "the 95 % interval spans a factor of 10 to both sides" if is_log else "the 95 % interval includes 0"
        return f"not identifiable from this record; {reason}{partner}"
    if half_width > USABLY_DETERMINED:
        if is_log and half_width > FACTOR_FROM:
            return f"poorly determined, within a factor of {math.exp(half_width):.2g}{partner}"
        return f"poorly determined, within {half_width:.0%}{partner}"
    if model.systematic:
        return (
            f"precise within {_format_share(half_width)}, model error not included; "
            f"the error is systematic ({model.numbers}){partner}"
        )
    if relative <= WELL_DETERMINED:
        return f"well determined, within {half_width:.2%}"
    return f"determined within {half_width:.1%}{partner}"


def _format_share(share: float) -> str:
    return f"{share:.2%}" if share < 0.02 else f"{share:.1%}"


def describe_bound(parameter: FitParameter, value: float) -> str:
    """Say at which of its bounds a value is, and what to do.

    Args:
        parameter: with its bounds in its unit.
        value: in the same unit.
    """
    middle = 0.5 * (parameter.lower + parameter.upper)
    if parameter.scale == "log":
        middle = math.sqrt(parameter.lower * parameter.upper)
    end = "upper" if value > middle else "lower"
    if parameter.name == INITIAL_SOC and (parameter.upper == 1.0 if end == "upper" else parameter.lower == 0.0):
        state = "full" if end == "upper" else "empty"
        return f"at its {end} bound, the {state} cell: the set's balance or cut-off voltages may not be this cell's"
    return f"at its {end} bound: widen the bounds, or fix it"


def mark_unconverged(parameter: FittedParameter) -> FittedParameter:
    """Say in a parameter's verdict that its value is not that of a minimum: its interval holds only near one."""
    return replace(parameter, verdict=f"unconverged: the search ended before its minimum; {parameter.verdict} there")


def describe_partners(correlations: Mapping[str, float]) -> str:
    """Name the parameters with which a value is strongly correlated, the strongest first.

    Args:
        correlations: other parameter to the correlation with it, -1 to 1 or NaN.
    """
    strong = {name: value for name, value in correlations.items() if abs(value) >= STRONG_CORRELATION}
    ordered = sorted(strong.items(), key=lambda pair: -abs(pair[1]))
    if not ordered:
        return ""
    return f"; correlated with {', '.join(f'{name} ({value:+.2f})' for name, value in ordered)}"


def describe_fit(fitted: Sequence[FittedParameter], starts: str, model: ModelError, others: Sequence[str] = ()) -> str:
    """Describe a fit in a few clauses: which parameters are determined, the model's error, and the starts.

    Args:
        fitted: all parameters, with their verdicts.
        starts: of :func:`describe_starts`.
        model: the error of the model.
        others: more clauses, such as those on the starting state and on validation; empty ones are left out.
    """
    clauses = [
        f"the bounds of {p.name} exclude the set's own value, {p.default:.4g}"
        for p in fitted
        if not p.lower <= p.default <= p.upper
    ]
    kinds = {verdict_kind(p.verdict) for p in fitted}
    if kinds == {"well determined"}:
        clauses.append("all parameters are well determined")
    elif kinds == {"precise"}:
        clauses.append("all parameters are precise")
    elif kinds != {"not converged"}:  # the clause on the starts says this
        clauses += [f"{p.name}: {_without_model(p.verdict)}" for p in fitted if not p.verdict.startswith("well")]
    if model.systematic:
        clauses.append(
            f"the model's error is systematic ({model.numbers}): the intervals do not include it, "
            "so validate at other rates, or choose a model that describes more"
        )
    clauses += [starts, *others]
    return "; ".join(filter(None, clauses))


def _without_model(verdict: str) -> str:
    """Return a parameter's verdict without what the fit's verdict says once, for all parameters."""
    return "; ".join(part for part in verdict.split("; ") if not part.startswith("the error is systematic"))


def describe_starts(best: StartResult, agreeing: int, ended: int, stopped: int) -> str:
    """Say whether the starts agree; "" = they do.

    Args:
        best: the start with the lowest cost.
        agreeing: starts that agree with the best one, among those that ended.
        ended: starts that converged.
        stopped: starts that were stopped early, or did not converge.
    """
    if not best.is_done:
        return f"the best start, {name_start(best.start)}, {best.message}"
    if ended == 1:
        others = f" came to its end, {stopped} did not" if stopped else ""
        return f"one start alone{others}: another minimum cannot be ruled out"
    if agreeing == 1:
        return f"the starts disagree: only one of {ended} ended at the best minimum"
    if 2 * agreeing < ended:
        return f"{agreeing} of {ended} starts agree on the minimum"
    return ""


def describe_validation(rmse_mv: float, outside_mv: float | None, outside_default_mv: float | None) -> str:
    """Say in a verdict that a fit is much worse on what it did not see; "" = it is not, or nothing was held out.

    Args:
        rmse_mv: of the fit, mV.
        outside_mv: RMSE on what was held out, mV; ``None`` = nothing was, or there is no solution.
        outside_default_mv: the same with the set's own values.
    """
    if outside_mv is None:
        return ""
    words = ""
    if outside_mv > WORSE_OUTSIDE * rmse_mv and outside_mv > rmse_mv + WORSE_OUTSIDE_MV:
        words = f"the error on what was not fitted is {outside_mv / rmse_mv:.2g} times larger ({outside_mv:.3g} mV)"
    if outside_default_mv is not None and outside_mv > outside_default_mv + WORSE_OUTSIDE_MV:
        words = words or f"the error on what was not fitted is {outside_mv:.3g} mV"
        words += f", larger than before the fit ({outside_default_mv:.3g} mV)"
    if not words:
        return ""
    return f"{words}: the values are valid only for what was fitted"


def describe_state(start: Mapping[str, Any], rmse_mv: float) -> str:
    """Say in a verdict how uncertain the starting state is, where that matters; "" = it does not.

    Args:
        start: ``initial_state_source``, ``state_uncertainty_mv`` and ``state_uncertainty_soc`` of a fit's result.
        rmse_mv: of the fit, mV.
    """
    millivolt, soc = start["state_uncertainty_mv"], start["state_uncertainty_soc"]
    if not is_state_uncertain(millivolt, soc, rmse_mv):
        return ""
    words = describe_state_certainty(millivolt, soc, start["initial_state_source"])
    advice = f"fit {INITIAL_SOC!r}, too, or give initial_state"
    return f"the starting state is uncertain, and the parameters with it ({words}); {advice}"
