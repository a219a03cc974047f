"""Results of fits: starts, the fit that combines them, and profile likelihoods.

Costs are half the weighted sum of squared voltage errors, in mV2. RMSE is without weights, in mV.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from ..fit_settings import FitSettings, Scale
from ..settings import ParameterSetSettings

ProfileEnd = Literal["level", "bound", "no_solution", "evaluations"]
"""Where one side of a profile ends: above the 95 % level, or before it for one of the other reasons."""

Stopped = Literal["", "time_limit", "beaten", "on_its_way", "died"]
"""Why a start stopped before its search ended; "" = the search ended."""

NESTED_START: Final = -1
"""Number of the start that begins at the result of a smaller fit; the fit's own starts count from 0."""


NESTED_LABEL: Final = "smaller"
"""Text in place of the number in the label of this start's job."""


def name_start(start: int) -> str:
    """Return a start as text: its number, or that it is the one from the smaller fit."""
    return "from the smaller fit" if start == NESTED_START else str(start)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation of the model in a start."""

    number: int
    """Number of the evaluation in its start."""

    values: tuple[float, ...]
    """Parameter values, in the order of ``FitSettings.parameters``."""

    cost: float
    """Half the weighted sum of squares (mV2)."""

    rmse_mv: float
    """Unweighted RMSE (mV)."""

    seconds: float
    """Time that the evaluation took (s)."""

    reason: str = ""
    """Why the model has no solution at these values; "" = it has one."""


@dataclass(frozen=True, slots=True)
class StartResult:
    """Result of one start of a fit."""

    settings: FitSettings
    start: int
    """Number of the start, from 0; ``NESTED_START`` = the one that begins at the result of a smaller fit."""

    seed: int
    """Seed of the fit, from which the first values are drawn."""

    first_values: tuple[float, ...]
    """Values at which the search started, in the order of ``settings.parameters``."""

    values: tuple[float, ...]
    """Values at which the search ended, in the same order."""

    rmse_first_mv: float
    """RMSE at ``first_values`` (mV)."""

    rmse_mv: float
    """RMSE at ``values`` (mV)."""

    evaluations: int
    """Number of evaluations of the model."""

    message: str
    """Why the search ended, in the words of the optimiser."""

    compiled: bool = False
    """Whether the model ran as compiled machine code; the result is the same."""

    cost: float | None = None
    """Cost at ``values`` (mV2), by which starts are ranked; ``None`` in receipts of earlier versions."""

    began_from: str = ""
    """The fit whose values are the first ones, in words: the one before in a chain, or a smaller one.

    "" = the fit's own first guess.
    """

    stopped: Stopped = ""
    """Why it stopped before its search ended, at its best point; it then counts neither for nor against agreement."""

    converged: bool = True
    """Whether its search came to a minimum; otherwise it ended at its limit or abnormally, and does not count as done.

    Receipts of earlier versions do not say it.
    """

    data_cost: float | None = None
    """Cost without priors (mV2); ``None`` in receipts of earlier versions."""

    prior_squares: float = 0.0
    """Sum of the squares of the priors' deviations, each over its standard deviation."""

    @property
    def is_done(self) -> bool:
        """Whether its search ended by itself, at a minimum."""
        return self.converged and not self.stopped

    @property
    def ranked_by(self) -> float:
        """The number that ranks starts: the cost, or the RMSE in receipts of earlier versions, which have no cost."""
        return self.rmse_mv if self.cost is None else self.cost


@dataclass(frozen=True, slots=True)
class FittedParameter:
    """One fitted parameter with its uncertainty."""

    name: str
    """PyBaMM's name, or one of ``data.fit_settings.CELL_PARAMETERS``."""

    unit: str
    """Unit of the parameter; "" = a pure number. A factor (``is_factor``) has no unit."""

    value: float
    """The fitted value, or the factor where ``is_factor``."""

    default: float
    """The value before the fit."""

    lower: float
    """Lower bound of the fit."""

    upper: float
    """Upper bound of the fit."""

    scale: Scale
    """Scale on which it was fitted."""

    at_bound: bool
    """Whether the value is at one of its bounds; it then has no interval."""

    is_factor: bool
    """Whether the numbers are factors that multiply a function of the parameter set."""

    standard_error: float | None = None
    """Standard error in the unit of the value, from the Jacobian at the optimum; ``None`` where that is singular."""

    lower_95: float | None = None
    """Lower end of the 95 % confidence interval, which is symmetric on the scale of the parameter."""

    upper_95: float | None = None
    """Upper end of the 95 % confidence interval."""

    verdict: str = ""
    """How reliable the value is, in words."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """Correlation of the estimates of two fitted parameters, from -1 to 1."""

    parameter: str
    other: str
    value: float


@dataclass(frozen=True, slots=True)
class Beginning:
    """The start of the fitted record with the fitted values: what another program needs to get the same voltage."""

    inputs: tuple[tuple[str, float], ...]
    """PyBaMM's parameters of the initial state with their values, such as concentrations in mol.m-3."""

    soc: float
    """Initial state of charge (0 to 1), between the cut-offs of the parameter set."""

    voltage_volt: float
    """Open-circuit voltage of that state (V)."""

    source: str
    """Where the state comes from, in words."""

    electrodes_in_parallel: float
    """Number of electrode pairs of the parameter set that make up the cell."""

    capacity_ah: float
    """Nominal capacity of the cell (A.h)."""

    temperature_celsius: float
    """Mean temperature of the record (°C)."""

    temperature_varies: bool = False
    """Whether the simulation used the measured temperature over time instead of its mean."""


FitPart = Literal["fitted", "held_out"]
"""What the errors of a fit are of: what it was fitted to, or its validation."""


@dataclass(frozen=True, slots=True)
class FitErrors:
    """Voltage errors of a fit in one step type and one window after the start of a step, without weights."""

    part: FitPart

    step_type: str
    """One of ``data.columns.STEP_TYPES``, or ``all``."""

    window: str
    """One of ``data.columns.WINDOWS``, or ``all``."""

    samples: int
    """Number of samples."""

    rmse_default_mv: float | None
    """RMSE with the values of the parameter set (mV); ``None`` where the model has no solution with them."""

    rmse_mv: float
    """RMSE with the fitted values (mV)."""

    bias_mv: float
    """Mean error with the fitted values (mV), simulated - measured."""

    worst_mv: float
    """The error of the largest magnitude with the fitted values (mV), with its sign."""

    worst_time_second: float
    """Test time of ``worst_mv`` (s)."""


@dataclass(frozen=True, slots=True)
class FitResult:
    """Result of a fit: the values of the best start as a named parameter set, with their uncertainties."""

    settings: FitSettings
    best_start: int
    """Number of the start with the lowest cost."""

    starts_done: int
    """Number of starts whose search ended at a minimum."""

    starts_agreeing: int
    """Number of these that ended at the minimum of the best start, as far as the data can tell."""

    rmse_default_mv: float | None
    """RMSE with the values of the parameter set (mV); ``None`` where the model has no solution with them."""

    rmse_mv: float
    """RMSE with the fitted values (mV)."""

    parameters: tuple[FittedParameter, ...]
    parameter_set: ParameterSetSettings
    """The fitted set: the base set with the fitted values as overrides."""

    agreeing_within: float | None = None
    """Largest relative difference of a parameter between agreeing starts."""

    samples: int = 0
    """Number of fitted samples."""

    noise_mv: float | None = None
    """Noise of the measured voltage (mV), estimated within its steps."""

    residual_correlation_samples: float | None = None
    """Over about how many samples the residuals are correlated; 1 = white noise.

    The standard errors are those of as many times fewer samples.
    """

    condition_number: float | None = None
    """Condition number of the scaled Jacobian; above 1e3 the record does not determine some parameter combination."""

    correlations: tuple[Correlation, ...] = ()
    validation_rmse_mv: float | None = None
    """RMSE with the fitted values (mV) on the cycles that were held out; ``None`` = none were."""

    validation_default_rmse_mv: float | None = None
    """RMSE with the values of the parameter set (mV) on the same cycles."""

    verdict: str = ""
    """How reliable the fit is, in words."""

    beginning: Beginning | None = None
    """The initial state with the fitted values; ``None`` in results of earlier versions."""

    starts_stopped: int = 0
    """Number of starts that stopped early; the best of all starts may be one of them."""

    starts_unconverged: int = 0
    """Number of starts that ended at their limit of evaluations, or abnormally; the best may be one of them."""

    agreeing_starts: tuple[int, ...] = ()
    """Numbers of the starts that agree."""

    data_cost: float | None = None
    """Cost of the best start without priors (mV2)."""

    charge_throughput_ah: float | None = None
    """Charge in + charge out of the fitted cycles (A.h), by the cleaned record."""

    charge_uncertainty_ah: float | None = None
    """Half of upper - lower bound of it (A.h); ``None`` where the clean report has no bounds."""

    initial_state_source: str = ""
    """Where the starting state of the first fitted stretch comes from, in words."""

    state_uncertainty_mv: float | None = None
    """Uncertainty (mV) of the open-circuit voltage of the starting states, the largest of all stretches.

    ``None`` = the state is given or fitted.
    """

    state_uncertainty_soc: float | None = None
    """The same as a state of charge."""

    residual_systematic: bool | None = None
    """Whether the residual is certainly more than noise, so that intervals do not include all of the model's error.

    ``None`` in results of earlier versions.
    """

    model_error_mv: float | None = None
    """Standard deviation (mV) of the part of the residual that is correlated in time; 0 = all of it is white noise."""

    residual_correlation_second: float | None = None
    """Time (s) over which that part is correlated."""

    numerical_error_rmse_mv: float | None = None
    """Bound of the RMSE (mV) of the solver with the fitted values, at the fitted samples; ``None`` = unknown."""

    compression_rmse_mv: float | None = None
    """Likewise of replacing the measured current by its profile."""

    charge_uncertainty_mv: float | None = None
    """Root-mean-square effect (mV) of the uncertain charge on the fitted voltage; ``None`` = it has no bounds."""

    temperature_rmse_default_kelvin: float | None = None
    """RMSE of the surface temperature (K) with the values of the parameter set; ``None`` = it is not compared."""

    temperature_rmse_kelvin: float | None = None
    """RMSE of the surface temperature (K) with the fitted values."""

    validation_temperature_rmse_kelvin: float | None = None
    """RMSE of the surface temperature (K) with the fitted values on what was held out."""

    errors: tuple[FitErrors, ...] = ()
    """Voltage errors by step type and window, of what was fitted and of what was held out."""


@dataclass(frozen=True, slots=True)
class ProfilePoint:
    """One point of a profile: one parameter is fixed at ``value`` and all others are fitted again."""

    value: float
    rmse_mv: float
    cost: float
    """Cost after the refit (mV2)."""


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """The profile likelihood of one fitted parameter, and its 95 % confidence interval."""

    settings: FitSettings
    parameter: str
    unit: str
    value: float
    """The fitted value."""

    cost: float
    """Cost at the optimum of the fit (mV2)."""

    level: float
    """Cost up to which a value is inside the 95 % confidence interval (mV2)."""

    points: tuple[ProfilePoint, ...]
    """Points by ascending value, with the optimum of the fit among them."""

    lower_95: float | None
    """Lower end of the interval; ``None`` = open, for the reason in ``lower_end``."""

    upper_95: float | None
    """Upper end of the interval; ``None`` = open, for the reason in ``upper_end``."""

    lower_end: ProfileEnd
    """Why the profile ends below the fitted value."""

    upper_end: ProfileEnd
    """Why the profile ends above the fitted value."""

    evaluations: int
    """Number of evaluations of the model."""

    verdict: str
    """How well the record determines the parameter, in words."""

    compiled: bool = False
    """Whether the model ran as compiled machine code; the result is the same."""
