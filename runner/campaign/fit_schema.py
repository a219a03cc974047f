"""The campaign file's table of fits: which keys there are, their types, and what they are when not given."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, model_validator

from ...data.fit_settings import CELL_CAPACITY, INITIAL_SOC, LITHIUM_INVENTORY, FitMethod, FitObjective, Loss, Scale
from . import fields as v

_OBJECTIVE: Final = FitObjective()
LONGEST_NAME: Final = 64


class Table(BaseModel):
    """A table of a fit."""

    model_config = v.STRICT


class FittedEntry(Table):
    """A fitted parameter: its bounds and the scale it is searched on; or the fitted parameter it hangs on.

    ``relative``: bounds, first guess and prior are factors of the set's own value.
    """

    bounds: v.Limits | None = None
    scale: Scale = "linear"
    first: float | None = None
    prior: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    relative: bool = False
    link: v.Text | None = None
    ratio: float = 1.0

    @model_validator(mode="before")
    @classmethod
    def _names_bounds(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError('must be { bounds = [lower, upper] }, with scale = "log" where it ranges over decades')
        return value

    @model_validator(mode="after")
    def _bounds_or_link(self) -> FittedEntry:
        if (self.bounds is None) == (self.link is None):
            raise ValueError("must have bounds = [LOWER, UPPER], or link = PARAMETER with a ratio")
        if self.link is not None and self.model_fields_set - {"link", "ratio"}:
            raise ValueError("a linked parameter has a ratio and nothing else")
        if self.bounds is not None and self.scale == "log" and self.bounds[0] <= 0:
            raise ValueError('bounds must be above 0 where scale = "log"')
        if self.bounds is not None and self.first is not None and not self.bounds[0] <= self.first <= self.bounds[1]:
            raise ValueError("first lies outside the bounds")
        if self.prior is not None and self.prior[1] <= 0.0:
            raise ValueError("prior must be [MEAN, STANDARD DEVIATION], the deviation above 0")
        if self.prior is not None and self.scale == "log" and self.prior[0] <= 0.0:
            raise ValueError('the mean of a prior must be above 0 where scale = "log"')
        return self


def _impossible(name: str, bounds: list[float]) -> str:
    """Say why a cell cannot have all that lies between these bounds; "" = it can."""
    if name == INITIAL_SOC and not 0.0 <= bounds[0] < bounds[1] <= 1.0:
        return "must lie between 0 and 1"
    if name in (CELL_CAPACITY, LITHIUM_INVENTORY) and bounds[0] <= 0.0:
        return "must be above 0"
    return ""


class ObjectiveTable(Table):
    """``objective`` of a fit, as in :class:`kilocell.data.settings.FitObjective`."""

    ohmic: v.Weight = _OBJECTIVE.ohmic
    kinetic: v.Weight = _OBJECTIVE.kinetic
    diffusion: v.Weight = _OBJECTIVE.diffusion
    capacity: v.Weight = _OBJECTIVE.capacity
    step_types: list[Literal["charge", "discharge", "rest", "hold", "pulse"]] = []
    equal_time: bool = _OBJECTIVE.equal_time
    loss: Loss = _OBJECTIVE.loss
    loss_mv: v.Positive = _OBJECTIVE.loss_mv
    end_of_discharge: v.Weight = _OBJECTIVE.end_of_discharge

    @model_validator(mode="after")
    def _something_counts(self) -> ObjectiveTable:
        if not any((self.ohmic, self.kinetic, self.diffusion, self.capacity)):
            raise ValueError("no sample would count: one of ohmic, kinetic, diffusion, capacity must be above 0")
        return self


class FitTable(Table):
    """``[fit]`` or ``[[fit]]``."""

    name: v.Label = "fit"
    model: v.Text
    parameter_set: v.Text | None = None
    cells: Annotated[list[v.Text], Field(min_length=1)] = ["*"]
    cycles: v.Cycles = []
    chain: list[v.Cycles] = []
    chain_starts: v.Count = 1
    validation_cycles: v.Cycles = []
    starts: v.Count = 3
    seed: v.CountOrNone = 0
    max_evaluations: v.Count = 200
    method: FitMethod = "least_squares"
    first_points: Literal["sobol", "latin_hypercube"] = "sobol"
    profiles: bool = False
    time_limit_second: v.Positive | None = None
    stop_beaten: bool = False
    objective: ObjectiveTable = ObjectiveTable()
    presets: Annotated[list[v.Preset], v.OneOrMore] = []
    parameters: dict[str, FittedEntry] = {}

    @model_validator(mode="after")
    def _something_to_fit(self) -> FitTable:
        free = [*self.presets, *(name for name, entry in self.parameters.items() if entry.bounds is not None)]
        if not free:
            raise ValueError("needs parameters with bounds, or presets")
        for name, entry in self.parameters.items():
            wrong = _impossible(name, entry.bounds) if entry.bounds is not None and not entry.relative else ""
            if wrong:
                raise ValueError(f"bounds of {name!r} {wrong}")
        if self.objective.loss != "linear" and self.method != "least_squares":
            raise ValueError(f'loss = "{self.objective.loss}" needs method = "least_squares"')
        self._check_chain()
        both = set(self.cycles) & set(self.validation_cycles)
        if both or (self.validation_cycles and not self.cycles):
            raise ValueError("validation_cycles must be other cycles than cycles, which must be given too")
        return self

    def _check_chain(self) -> None:
        if self.chain and (self.cycles or self.validation_cycles):
            raise ValueError("has a chain, whose cycles are those of its links: leave out cycles and validation_cycles")
        if "chain_starts" in self.model_fields_set and not self.chain:
            raise ValueError("has chain_starts, but no chain = [1, 100, 200]")
        numbers = [cycle for link in self.chain for cycle in sorted(set(link))]
        if not all(self.chain) or numbers != sorted(set(numbers)):
            raise ValueError("chain must be check-up cycles in the order of the cell's life, such as [1, [100, 101]]")
        longest = max((len(name) for name in self.link_names), default=0)
        if longest > LONGEST_NAME:
            raise ValueError(f"name is too long for a chain, whose fits are NAME-cycle-100: {LONGEST_NAME} at most")

    @property
    def link_names(self) -> tuple[str, ...]:
        """Names of the fits of a chain, in its order; none where it is no chain."""
        return tuple(f"{self.name}-cycle-{min(link)}" for link in self.chain)
