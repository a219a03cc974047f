"""The table of a fit in a campaign file: its keys, types and defaults."""

from __future__ import annotations

from math import log
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, model_validator

from ...data.fit_settings import (
    CELL_CAPACITY,
    INITIAL_SOC,
    LITHIUM_INVENTORY,
    FitInitialSoc,
    FitMethod,
    FitObjective,
    Loss,
    Scale,
)
from ...data.step_selection import parse_select
from . import fields as v
from .fit_part_checks import FittedParts, describe_nothing_fitted

_OBJECTIVE: Final = FitObjective()
LONGEST_NAME: Final = 64
"""Longest name of a fit, in characters; the same as for other names."""

LEAST_PRIOR_SHARE: Final = 1e-6
"""Least standard deviation of a prior, over the width of the bounds on the parameter's scale: a search takes no smaller
steps. Chosen, not measured."""


class Table(BaseModel):
    """A table of a fit."""

    model_config = v.STRICT


class FittedEntry(Table):
    """A fitted parameter: its bounds and scale; or a linked one: the fitted parameter it is a multiple of.

    Args:
        bounds: lower and upper bound, in the parameter's unit.
        first: where the first start begins; ``None`` = the parameter set's value.
        prior: mean and standard deviation; for a logarithmic scale, the deviation is that of the natural logarithm.
        relative: bounds, first guess and prior are factors of the parameter set's value.
        link: name of a fitted parameter.
        ratio: the linked parameter is this many times the fitted one.
    """

    bounds: v.Limits | None = None
    scale: Scale = "linear"
    first: float | None = None
    prior: list[float] | None = None
    relative: bool = False
    link: v.Text | None = None
    ratio: float = 1.0

    @model_validator(mode="before")
    @classmethod
    def _names_bounds(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError('must be { bounds = [lower, upper] }; add scale = "log" if it ranges over decades')
        return value

    @model_validator(mode="after")
    def _bounds_or_link(self) -> FittedEntry:
        if (self.bounds is None) == (self.link is None):
            raise ValueError("must have either bounds = [LOWER, UPPER], or link = PARAMETER with a ratio")
        if self.link is not None and self.model_fields_set - {"link", "ratio"}:
            raise ValueError("a linked parameter can have only link and ratio; remove the other keys")
        if self.bounds is not None and self.scale == "log" and self.bounds[0] <= 0:
            raise ValueError('bounds must be above 0 if scale = "log"')
        if self.bounds is not None and self.first is not None and not self.bounds[0] <= self.first <= self.bounds[1]:
            raise ValueError("first is outside the bounds")
        if self.ratio <= 0.0:
            raise ValueError("ratio must be above 0")
        self._check_prior()
        return self

    def _check_prior(self) -> None:
        if self.prior is None:
            return
        if len(self.prior) != 2 or self.prior[1] <= 0.0:
            raise ValueError("prior must be [MEAN, STANDARD DEVIATION], with a deviation above 0")
        mean, deviation = self.prior
        if self.bounds is not None:
            span = self.bounds[1] - self.bounds[0]
            if self.scale == "log":
                span = log(self.bounds[1] / self.bounds[0])
            if deviation < LEAST_PRIOR_SHARE * span:
                raise ValueError(
                    f"the standard deviation of the prior, {deviation:g}, leaves nothing to search between the bounds; "
                    "leave the parameter out of the fit, and give its value under parameters of [[variations]]"
                )
        if self.scale == "log" and mean <= 0.0:
            raise ValueError('the mean of a prior must be above 0 if scale = "log"')
        if self.bounds is not None and not self.bounds[0] <= mean <= self.bounds[1]:
            raise ValueError(
                f"the mean of the prior, {mean:g}, is outside the bounds, {self.bounds[0]:g} to {self.bounds[1]:g}; "
                "widen the bounds, or remove the prior"
            )


def _impossible(name: str, bounds: list[float]) -> str:
    """Return why no cell can have every value between these bounds; ``""`` = a cell can."""
    if name == INITIAL_SOC and not 0.0 <= bounds[0] < bounds[1] <= 1.0:
        return "must be between 0 and 1"
    if name in (CELL_CAPACITY, LITHIUM_INVENTORY) and bounds[0] <= 0.0:
        return "must be above 0"
    return ""


class SelectionWeightEntry(Table):
    """The weight of a part of the fitted samples, such as ``{ select = "cycle 2, discharge", weight = 3.0 }``."""

    select: v.SelectText
    weight: v.Weight


class ObjectiveTable(Table):
    """``objective`` of a fit, as in :class:`kilocell.data.fit_settings.FitObjective`."""

    ohmic: v.Weight = _OBJECTIVE.ohmic
    kinetic: v.Weight = _OBJECTIVE.kinetic
    diffusion: v.Weight = _OBJECTIVE.diffusion
    capacity: v.Weight = _OBJECTIVE.capacity
    step_types: list[Literal["charge", "discharge", "rest", "hold", "pulse"]] = []
    equal_time: bool = _OBJECTIVE.equal_time
    loss: Loss = _OBJECTIVE.loss
    loss_mv: v.Positive = _OBJECTIVE.loss_mv
    end_of_discharge: v.Weight = _OBJECTIVE.end_of_discharge
    weights: list[SelectionWeightEntry] = []
    temperature_kelvin_as_mv: v.Weight = _OBJECTIVE.temperature_kelvin_as_mv

    @model_validator(mode="after")
    def _something_counts(self) -> ObjectiveTable:
        if not any((self.ohmic, self.kinetic, self.diffusion, self.capacity)):
            raise ValueError("no sample has a weight: set one of ohmic, kinetic, diffusion, capacity above 0")
        return self


class FitTable(Table):
    """``[fit]`` or ``[[fit]]``."""

    name: v.Label = "fit"
    model: v.Text
    parameter_set: v.Text | None = None
    cells: Annotated[list[v.Text], Field(min_length=1)] = ["*"]
    cycles: v.Cycles = []
    select: v.SelectText | None = None
    chain: list[v.Cycles] = []
    chain_starts: v.Count = 1
    validation_cycles: v.Cycles = []
    validation_select: v.SelectText | None = None
    starts: v.Count = 3
    seed: v.CountOrNone = 0
    max_evaluations: v.Count = 200
    method: FitMethod = "least_squares"
    first_points: Literal["sobol", "latin_hypercube"] = "sobol"
    profiles: bool = False
    time_limit_second: v.Positive | None = None
    stop_beaten: bool = False
    fit_initial_soc: Literal["auto"] | bool = "auto"
    objective: ObjectiveTable = ObjectiveTable()
    presets: Annotated[list[v.Preset], v.OneOrMore] = []
    parameters: dict[str, FittedEntry] = {}

    @model_validator(mode="after")
    def _something_to_fit(self) -> FitTable:
        fitted = [name for name, entry in self.parameters.items() if entry.bounds is not None]
        if not self.presets and not fitted:
            raise ValueError("has nothing to fit; add parameters with bounds, or presets")
        for preset in self.presets:
            if self.presets.count(preset) > 1:
                raise ValueError(f'preset "{preset}" is given twice; remove one of them')
        for name, entry in self.parameters.items():
            if entry.bounds is None or entry.relative:
                continue
            problem = _impossible(name, entry.bounds)
            if problem:
                raise ValueError(f"bounds of {name!r} {problem}")
        self._check_select()
        self._check_chain()
        self._check_validation_cycles()
        return self

    def _check_select(self) -> None:
        if self.select is not None and (self.cycles or self.chain):
            raise ValueError(f"has {'cycles' if self.cycles else 'chain'} and select; remove one of them")
        if self.validation_select is not None and self.validation_cycles:
            raise ValueError("has validation_cycles and validation_select; remove one of them")
        if self.validation_select is not None and self.select is None and not self.cycles:
            raise ValueError("has validation_select, but nothing is selected to fit; add select")
        selection = None if self.select is None else parse_select(self.select)
        fitted = FittedParts(selection, tuple(self.cycles), tuple(self.objective.step_types))
        nothing = describe_nothing_fitted(fitted, [one.select for one in self.objective.weights if not one.weight])
        if nothing:
            raise ValueError(nothing)

    def _check_validation_cycles(self) -> None:
        if self.validation_cycles and not self.cycles and self.select is None:
            raise ValueError("has validation_cycles, but no cycles to fit; add cycles")
        both = sorted(set(self.cycles) & set(self.validation_cycles))
        if both:
            raise ValueError(f"cycle {both[0]} is in cycles and in validation_cycles; remove it from one of them")
        if self.select is not None and self.select == self.validation_select:
            raise ValueError("select and validation_select are the same: validation needs a part that is not fitted")

    def _check_chain(self) -> None:
        if self.chain and (self.cycles or self.validation_cycles or self.validation_select):
            raise ValueError("has a chain, which gives the cycles of each fit; leave out cycles and validation_cycles")
        if "chain_starts" in self.model_fields_set and not self.chain:
            raise ValueError("has chain_starts, but no chain; add a chain such as chain = [1, 100, 200]")
        numbers = [cycle for link in self.chain for cycle in sorted(set(link))]
        if not all(self.chain) or numbers != sorted(set(numbers)):
            raise ValueError("chain must hold check-up cycles in the order of the cell's life, such as [1, [100, 101]]")
        longest = max((len(name) for name in self.link_names), default=0)
        if longest > LONGEST_NAME:
            raise ValueError(
                f"name is too long for a chain, whose fits are named NAME-cycle-100: at most {LONGEST_NAME} characters"
            )

    @property
    def initial_soc_policy(self) -> FitInitialSoc:
        """``fit_initial_soc`` as the fit's settings have it."""
        if self.fit_initial_soc == "auto":
            return "auto"
        return "always" if self.fit_initial_soc else "never"

    @property
    def link_names(self) -> tuple[str, ...]:
        """Names of the fits of a chain, in its order; empty when the table is not a chain."""
        return tuple(f"{self.name}-cycle-{min(link)}" for link in self.chain)
