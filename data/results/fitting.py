"""Frozen values: what a fit reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from ..fit_settings import FitSettings, Scale
from ..settings import ParameterSetSettings

ProfileEnd = Literal["level", "bound", "no_solution", "evaluations"]
"""Where one side of a profile ends: above the 95 % level, or before it for one of these reasons."""

Stopped = Literal["", "time_limit", "beaten", "on_its_way", "died"]
"""Why a start ended before its search did; "" = it did not."""

AGREE_SHARE: Final = 0.01
AGREE_MV: Final = 0.02


def agrees(rmse_mv: float, best_rmse_mv: float) -> bool:
    """Tell whether a start found the minimum of the best one: its RMSE is within 1 % and 0.02 mV of the best."""
    return rmse_mv <= best_rmse_mv * (1.0 + AGREE_SHARE) + AGREE_MV


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation of a start: parameter values in the fit's order, cost (mV2), unweighted RMSE, and time taken.

    ``reason`` says why the model has no solution there; "" = it has one.
    """

    number: int
    values: tuple[float, ...]
    cost: float
    rmse_mv: float
    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StartResult:
    """What one start of a fit found: values in the order of ``settings.parameters``; RMSE in mV.

    Args:
        cost: half the weighted sum of squares that was made small, in mV2; starts are ranked by it.
        began_from: in a chain, whose values the first ones are, in words; "" = the fit's own first guess.
        stopped: why it ended before its search did, at the best point so far; it neither agrees nor disagrees.
    """

    settings: FitSettings
    start: int
    seed: int
    first_values: tuple[float, ...]
    values: tuple[float, ...]
    rmse_first_mv: float
    rmse_mv: float
    evaluations: int
    message: str
    compiled: bool = False
    cost: float | None = None
    began_from: str = ""
    stopped: Stopped = ""

    @property
    def ranked_by(self) -> float:
        """What starts are ranked by: their cost, or their RMSE where a receipt of former days has none."""
        return self.rmse_mv if self.cost is None else self.cost


@dataclass(frozen=True, slots=True)
class FittedParameter:
    """One fitted parameter: value and unit, the value before, its bounds, and how far to believe it.

    Args:
        standard_error: in the value's unit, from the slopes at the optimum; ``None`` where they do not tell.
        lower_95, upper_95: the 95 % interval, symmetric on the parameter's own scale.
        verdict: in words.
    """

    name: str
    unit: str
    value: float
    default: float
    lower: float
    upper: float
    scale: Scale
    at_bound: bool
    is_factor: bool
    standard_error: float | None = None
    lower_95: float | None = None
    upper_95: float | None = None
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Correlation:
    """How the errors of two fitted parameters move together, from -1 to 1."""

    parameter: str
    other: str
    value: float


@dataclass(frozen=True, slots=True)
class Beginning:
    """How the fitted record begins with the fitted values: what another program needs to get the same voltage.

    Args:
        inputs: PyBaMM's parameters of the initial state with their values, such as concentrations in mol.m-3.
        soc, voltage_volt, source: the state between the set's cut-offs (0 to 1), its open-circuit voltage, and in words
            where it is from.
        electrodes_in_parallel: how many of the set's electrode pairs make the cell.
        temperature_celsius: its mean over the record.
        temperature_varies: it was simulated as it changed over time.
    """

    inputs: tuple[tuple[str, float], ...]
    soc: float
    voltage_volt: float
    source: str
    electrodes_in_parallel: float
    capacity_ah: float
    temperature_celsius: float
    temperature_varies: bool = False


@dataclass(frozen=True, slots=True)
class FitResult:
    """What a fit reports: the best start's parameters as a named parameter set, RMSE in mV before and after.

    Args:
        starts_done: whose search came to its end.
        starts_agreeing: those of them that ended at the best one's cost.
        starts_stopped: that ended early; the best of them may be the best of all.
        rmse_default_mv: ``None`` where the model has no solution with the parameter set's own values.
        agreeing_within: the largest relative difference of a parameter between agreeing starts.
        samples: that were fitted.
        residual_correlation_samples: over how many samples in a row the remaining errors move together (1 = noise);
            the standard errors are those of so many fewer samples.
        condition_number: of the scaled slopes; above 1e3 some combination of parameters is not told by the record.
        validation_rmse_mv, validation_default_rmse_mv: on the cycles that were held out; ``None`` = none were.
        verdict: in words.
        beginning: with the fitted values; ``None`` in results of before.
    """

    settings: FitSettings
    best_start: int
    starts_done: int
    starts_agreeing: int
    rmse_default_mv: float | None
    rmse_mv: float
    parameters: tuple[FittedParameter, ...]
    parameter_set: ParameterSetSettings
    agreeing_within: float | None = None
    samples: int = 0
    noise_mv: float | None = None
    residual_correlation_samples: float | None = None
    condition_number: float | None = None
    correlations: tuple[Correlation, ...] = ()
    validation_rmse_mv: float | None = None
    validation_default_rmse_mv: float | None = None
    verdict: str = ""
    beginning: Beginning | None = None
    starts_stopped: int = 0


@dataclass(frozen=True, slots=True)
class ProfilePoint:
    """One point of a profile: the parameter held at ``value``, all others fitted anew; cost in mV2."""

    value: float
    rmse_mv: float
    cost: float


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """The profile likelihood of one fitted parameter, and the interval that it gives.

    Args:
        value: the fit's.
        cost: at the fit's optimum, in mV2.
        level: cost up to which a value lies inside the 95 % interval, in mV2.
        points: by rising value, the fit's optimum among them.
        lower_95, upper_95: ``None`` = open on this side, for the reason that ``lower_end`` or ``upper_end`` gives.
        verdict: in words.
    """

    settings: FitSettings
    parameter: str
    unit: str
    value: float
    cost: float
    level: float
    points: tuple[ProfilePoint, ...]
    lower_95: float | None
    upper_95: float | None
    lower_end: ProfileEnd
    upper_end: ProfileEnd
    evaluations: int
    verdict: str
    compiled: bool = False
