"""Frozen settings of fits, in the form that jobs work from and digests are made of."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Final, Literal

from .settings import CellSettings, ModelSettings, ParameterSetSettings

Scale = Literal["linear", "log"]
Loss = Literal["linear", "soft_l1", "huber", "cauchy", "arctan"]
FitMethod = Literal["least_squares", "l_bfgs_b", "nelder_mead", "differential_evolution"]
INITIAL_SOC: Final = "Initial state of charge"
CELL_CAPACITY: Final = "Capacity of the cell [A.h]"
LITHIUM_INVENTORY: Final = "Cyclable lithium"
CELL_PARAMETERS: Final = (INITIAL_SOC, CELL_CAPACITY, LITHIUM_INVENTORY)
"""What a fit can name beside the parameters of a set; lithium as a factor of what the set has."""


@dataclass(frozen=True, slots=True)
class FitParameter:
    """A parameter to fit, within bounds, on a linear or logarithmic scale.

    ``CELL_PARAMETERS`` are the cell's own. For a parameter that is a function in the set, bounds and
    values are of the factor that multiplies it.

    Args:
        first: where the first start begins; ``None`` = the parameter set's own value.
        prior: (mean, standard deviation) of what is known of it before, in its own unit, for a logarithmic scale the
            deviation of the natural logarithm; ``None`` = nothing.
        relative: bounds, first guess and prior are factors of the set's own value.
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
        """How far its bounds are apart on its own scale; of a logarithmic one, in natural logarithms."""
        return log(self.upper / self.lower) if self.scale == "log" else self.upper - self.lower


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
"""What a fit can name in place of parameters."""


@dataclass(frozen=True, slots=True)
class FitLink:
    """A parameter that is ``ratio`` times a fitted one, whose name is ``to``."""

    name: str
    to: str
    ratio: float = 1.0


@dataclass(frozen=True, slots=True)
class FitObjective:
    """What a fit makes small: the weighted sum of squared voltage errors.

    Args:
        ohmic, kinetic, diffusion, capacity: weight of a sample 0 to 2 s, 2 to 20 s, 20 to 120 s and later after its
            step began.
        step_types: step types that count; empty = all.
        equal_time: a sample counts by the time it stands for, so that dense sampling weighs no more.
        loss: ``linear`` = plain squares; the others let large errors count less (SciPy's ``least_squares``).
        loss_mv: error from which on they do, in mV.
        end_of_discharge: weight of the last voltage of each discharge, as so many samples.
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


@dataclass(frozen=True, slots=True)
class FitSettings:
    """A fit of one cell.

    Args:
        cycles: to fit on; empty = all.
        validation_cycles: held out, judged with the result.
        first_points: how the starts after the first are spread over the scaled bounds.
        time_limit_second: of a start, from when it began or went on; ``None`` = none. It ends at its best point then.
        stop_beaten: whether a start ends early that is clearly beaten, or on its way to a minimum that another reached.
        profiles: whether each parameter's profile likelihood is computed when the fit is done.
        chain: the campaign's name of the chain of fits that this one is a link of; "" = none.
        former: names of the chain's links before this one, the nearest first.
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

    @property
    def is_for_own_cycles(self) -> bool:
        """Whether what it finds is right for its own cycles alone, at one point of the cell's life, not for the record.

        So it is of a chain's link, and where the state at the start of a later cycle than the first one is fitted.
        """
        state = any(parameter.name == INITIAL_SOC for parameter in self.parameters)
        return bool(self.chain) or (state and self.cycles[:1] not in ((), (1,)))

    @property
    def fitted_name(self) -> str:
        """Name of the parameter set that the fit makes: the base set's and the fit's, as ``Chen2020+diffusion``."""
        return f"{self.parameter_set.name}+{self.name}"
