"""Frozen settings of fits, resolved from a campaign file. Digests are computed from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log
from typing import Final, Literal

from .settings import CellSettings, ModelSettings, ParameterSetSettings
from .step_selection import StepSelection

Scale = Literal["linear", "log"]
Loss = Literal["linear", "soft_l1", "huber", "cauchy", "arctan"]
FitMethod = Literal["least_squares", "l_bfgs_b", "nelder_mead", "differential_evolution"]
FitInitialSoc = Literal["auto", "always", "never", "added"]
INITIAL_SOC: Final = "Initial state of charge"
CELL_CAPACITY: Final = "Capacity of the cell [A.h]"
LITHIUM_INVENTORY: Final = "Cyclable lithium"
CELL_PARAMETERS: Final = (INITIAL_SOC, CELL_CAPACITY, LITHIUM_INVENTORY)
"""What a fit can name in addition to the parameters of a set.

These are the initial state of charge (0 to 1), the nominal capacity (A.h), and a factor of the cyclable lithium.
"""


LEFT_OUT_BY_DEFAULT: Final = {"left_out_by_default": True}
"""Metadata of a field that a digest leaves out while it has its default: settings without it keep their digest."""


@dataclass(frozen=True, slots=True)
class FitParameter:
    """A parameter to fit, within bounds, on a linear or logarithmic scale.

    Numbers are in the unit of the parameter. For a parameter that is a function in the set, they are factors that
    multiply the function.

    Args:
        name: PyBaMM's name, or one of ``CELL_PARAMETERS``.
        lower: lower bound.
        upper: upper bound.
        scale: scale on which the search moves.
        first: first guess of the first start; ``None`` = the value of the parameter set.
        prior: (mean, standard deviation) of prior knowledge; on a logarithmic scale the standard deviation is that of
            the natural logarithm; ``None`` = no prior.
        relative: whether bounds, first guess and prior are factors of the value of the parameter set.
    """

    name: str
    lower: float
    upper: float
    scale: Scale = "linear"
    first: float | None = None
    prior: tuple[float, float] | None = None
    relative: bool = False

    @property
    def span(self) -> float:
        """Distance of the bounds on the scale of the parameter: of their natural logarithms if it is logarithmic."""
        if self.scale == "log":
            return log(self.upper / self.lower)
        return self.upper - self.lower


_OHMIC: Final = (FitParameter("Electrolyte conductivity [S.m-1]", 0.1, 5.0, "log", relative=True),)
_KINETIC: Final = (
    FitParameter("Negative electrode exchange-current density [A.m-2]", 0.05, 20.0, "log", relative=True),
    FitParameter("Positive electrode exchange-current density [A.m-2]", 0.05, 20.0, "log", relative=True),
)
_DIFFUSION: Final = (
    FitParameter("Negative particle diffusivity [m2.s-1]", 0.02, 50.0, "log", relative=True),
    FitParameter("Positive particle diffusivity [m2.s-1]", 0.02, 50.0, "log", relative=True),
)
_BALANCE: Final = (
    FitParameter("Negative electrode active material volume fraction", 0.7, 1.15, relative=True),
    FitParameter("Positive electrode active material volume fraction", 0.7, 1.15, relative=True),
    FitParameter(LITHIUM_INVENTORY, 0.7, 1.1),
)
PRESETS: Final[dict[str, tuple[FitParameter, ...]]] = {
    "ohmic": _OHMIC,
    "kinetic": _KINETIC,
    "diffusion": _DIFFUSION,
    "balance": _BALANCE,
    "ageing": _BALANCE + _KINETIC + _DIFFUSION,
}
"""Groups of parameters that a fit can name instead of single parameters; ``ageing`` combines several groups."""


@dataclass(frozen=True, slots=True)
class FitLink:
    """A parameter that follows a fitted one.

    Args:
        name: PyBaMM's name of the linked parameter.
        to: the fitted parameter.
        ratio: value of the linked parameter, as a multiple of the fitted one.
    """

    name: str
    to: str
    ratio: float = 1.0


@dataclass(frozen=True, slots=True)
class SelectionWeight:
    """Weight of a part of the fitted samples.

    Args:
        select: the part.
        weight: factor of the weight of its samples; 0 = they do not count.
    """

    select: StepSelection
    weight: float


@dataclass(frozen=True, slots=True)
class FitObjective:
    """The quantity that a fit minimises: the weighted sum of squared voltage errors.

    Args:
        ohmic: weight of the samples up to 2 s after the start of their step.
        kinetic: weight of the samples from 2 to 20 s after the start of their step.
        diffusion: weight of the samples from 20 to 120 s after the start of their step.
        capacity: weight of all later samples.
        step_types: step types that count; empty = all.
        equal_time: whether each sample is weighted by the time that it represents, so that dense sampling does not
            weigh more.
        loss: ``linear`` = squares; the others give large errors less weight (as in SciPy's ``least_squares``).
        loss_mv: error (mV) above which they do.
        end_of_discharge: weight of the last voltage of each discharge, in samples; 0 = no extra weight.
        weights: weights of parts of the record, besides; of parts that overlap, both factors count.
        temperature_kelvin_as_mv: how many mV of voltage error one kelvin of surface-temperature error counts as; 0 =
            the temperature is not fitted.
    """

    ohmic: float = 1.0
    kinetic: float = 1.0
    diffusion: float = 1.0
    capacity: float = 1.0
    step_types: tuple[str, ...] = ()
    equal_time: bool = False
    loss: Loss = "linear"
    loss_mv: float = 10.0
    end_of_discharge: float = 0.0
    weights: tuple[SelectionWeight, ...] = field(default=(), metadata=LEFT_OUT_BY_DEFAULT)
    temperature_kelvin_as_mv: float = field(default=0.0, metadata=LEFT_OUT_BY_DEFAULT)


@dataclass(frozen=True, slots=True)
class FitSettings:
    """A fit of one cell.

    Args:
        name: the name that the campaign gives the fit.
        cell: the cell and its conditions.
        model: the PyBaMM model.
        parameter_set: the parameter set in which the parameters are fitted.
        parameters: the parameters to fit.
        cycles: the cycles to fit; empty = all.
        starts: number of starts.
        seed: seed of the first points.
        max_evaluations: largest number of evaluations of the model in each start.
        links: parameters that follow fitted ones.
        validation_cycles: cycles that are not fitted; the fitted parameters are tested on them.
        objective: the weights of the samples.
        method: the search algorithm.
        first_points: how the first points of all starts after the first are spread over the scaled bounds.
        profiles: whether the profile likelihood of each parameter is computed after the fit.
        chain: name of the chain of fits to which this one belongs; "" = none.
        former: names of the earlier fits of the chain, the latest first.
        time_limit_second: longest time of a start, from when it began or resumed (s); it then ends at its best point.
            ``None`` = no limit.
        stop_beaten: whether a start ends early when another one is clearly better, or when it approaches a minimum
            that another start has reached.
        select: the parts of the record to fit, if these are not whole cycles; ``cycles`` is then empty. ``None`` = as
            ``cycles`` says.
        validation_select: parts that are not fitted; the fitted parameters are tested on them.
        smaller: names of the largest fits of the cell that this one contains. An additional start begins at the best
            of their results.
        fit_initial_soc: whether the state of charge at the start is one more parameter, if it is not among them: where
            the record leaves it uncertain (``auto``), whenever the user does not give it (``always``), or ``never``. In
            results, ``added`` = it was added, and is the last of the parameters.
    """

    name: str
    cell: CellSettings
    model: ModelSettings
    parameter_set: ParameterSetSettings
    parameters: tuple[FitParameter, ...]
    cycles: tuple[int, ...] = ()
    starts: int = 3
    seed: int = 0
    max_evaluations: int = 200
    links: tuple[FitLink, ...] = ()
    validation_cycles: tuple[int, ...] = ()
    objective: FitObjective = FitObjective()
    method: FitMethod = "least_squares"
    first_points: Literal["sobol", "latin_hypercube"] = "sobol"
    profiles: bool = False
    chain: str = ""
    former: tuple[str, ...] = ()
    time_limit_second: float | None = None
    stop_beaten: bool = False
    select: StepSelection | None = field(default=None, metadata=LEFT_OUT_BY_DEFAULT)
    validation_select: StepSelection | None = field(default=None, metadata=LEFT_OUT_BY_DEFAULT)
    smaller: tuple[str, ...] = field(default=(), metadata=LEFT_OUT_BY_DEFAULT)
    fit_initial_soc: FitInitialSoc = field(default="never", metadata=LEFT_OUT_BY_DEFAULT)

    @property
    def is_for_own_cycles(self) -> bool:
        """Whether the fitted values are valid only for the fitted cycles, not for the whole record.

        This is true in a chain, where each fit describes one point of the cell's life, and for a fit of the state of
        charge at the start of a cycle other than the first, or of another selected part.
        """
        if self.chain:
            return True
        fits_state = any(parameter.name == INITIAL_SOC for parameter in self.parameters)
        return fits_state and (self.select is not None or self.cycles[:1] not in ((), (1,)))

    @property
    def is_state_of_record(self) -> bool:
        """Whether a fitted state of charge is the state from which the simulation with the fitted set starts.

        It is not where the state was added to a fit of a later part, and the simulation is of more than that part.
        """
        is_first = self.select is None and self.cycles[:1] in ((), (1,))
        return self.fit_initial_soc != "added" or is_first or bool(self.chain)

    @property
    def fitted_name(self) -> str:
        """Name of the fitted parameter set: those of the base set and of the fit, such as ``Chen2020+diffusion``."""
        return f"{self.parameter_set.name}+{self.name}"
