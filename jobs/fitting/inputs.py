"""From the values that a fit tries to what a replay takes, and how the one moves with the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from ...data.arrays import Floats
from ...data.errors import JobError
from ...data.fit_settings import (
    CELL_CAPACITY,
    CELL_PARAMETERS,
    INITIAL_SOC,
    LITHIUM_INVENTORY,
    FitParameter,
    FitSettings,
)
from ...data.settings import Override, SimulateSettings
from ..models.build import Structure, make_structure, shapes_mesh
from ..parameters.sets import affects_equilibrium, apply_overrides, is_function, nominal_capacity_ah
from ..simulation.replay import Conditions, scalar_inputs
from .starts import from_scaled, to_scaled
from .stretches import FitStretch

STEP = 1e-4  # of the scaled bounds: how far a parameter is moved to see which inputs follow, and by how much


class FitInputs:
    """A fit's parameters as inputs of one built model.

    Args:
        stretch: what is replayed, with the state that it begins from.
        measured_celsius: the cell's mean temperature, used where the settings give none.
    """

    def __init__(self, settings: FitSettings, stretch: FitStretch, measured_celsius: float | None) -> None:
        self.settings = settings
        self._stretch = stretch
        self._celsius = measured_celsius
        self._moves_state = tuple(self._any_moves_state(p.name) for p in settings.parameters)
        self._base = stretch.conditions(self.settings_with(()), measured_celsius)
        self.settings = replace(settings, parameters=self._parameters_in_units())
        self._structure = self._structure_of_default()
        self.moving = self._moving_inputs()
        self.meshed = self._meshed()

    def default_values(self) -> Floats:
        """The parameter set's own values: 1 for the factor of a function, the cell's own state and capacity."""
        parameter_set = self.settings.parameter_set
        given = {o.parameter: o.value for o in parameter_set.overrides}
        values = apply_overrides(parameter_set)
        own = {
            INITIAL_SOC: self._base.state.soc,
            CELL_CAPACITY: self.settings.cell.nominal_capacity_ah or nominal_capacity_ah(parameter_set),
            LITHIUM_INVENTORY: given.get(LITHIUM_INVENTORY, 1.0),
        }
        for name in (p.name for p in self.settings.parameters if p.name not in own):
            own[name] = given.get(name, 1.0) if is_function(parameter_set.key, name) else float(values[name])
        return np.array([own[p.name] for p in self.settings.parameters], float)

    def _parameters_in_units(self) -> tuple[FitParameter, ...]:
        """The parameters with bounds, first guess and prior in their own units, where they are given as factors.

        Raises:
            JobError: the set's own value is not positive, so that factors of it say nothing (``bad_bounds``).
        """
        found = []
        for p, own in zip(self.settings.parameters, self.default_values(), strict=True):
            if p.relative and own <= 0.0:
                reason = f"{p.name!r} is {own:g} in {self.settings.parameter_set.name}"
                raise JobError(f"{reason}, so bounds cannot be factors of it; give bounds in its unit", "bad_bounds")
            found.append(_times(p, own) if p.relative else p)
        return tuple(found)

    def overrides(self, values: Floats) -> tuple[Override, ...]:
        """The parameter set's overrides with the fitted ones and those linked to them in their place."""
        key, links = self.settings.parameter_set.key, self.settings.links
        by_name = {p.name: float(v) for p, v in zip(self.settings.parameters, values, strict=True)}
        by_name |= {link.name: link.ratio * by_name[link.to] for link in links}
        kept = tuple(o for o in self.settings.parameter_set.overrides if o.parameter not in by_name)
        return kept + tuple(Override(name, _kind(key, name), value) for name, value in by_name.items())

    def conditions(self, values: Floats) -> Conditions:
        """State, capacity, temperature and overrides of a replay with these values."""
        if any(self._moves_state):
            asked = self.settings_with(self.overrides(values))
            return self._stretch.conditions(asked, self._celsius, self._base.temperature)
        return replace(self._base, overrides=self.overrides(values))

    def slopes(self, values: Floats, here: Conditions) -> Floats:
        """How the inputs move with each parameter's place between its bounds, shape (inputs, parameters).

        Args:
            here: the conditions at these values.
        """
        unit = to_scaled(self.settings.parameters, values)
        inputs, columns = self._inputs(here), []
        for place, moves_state in enumerate(self._moves_state):
            moved, step = _moved(unit, place)
            there = from_scaled(self.settings.parameters, moved)
            # What only matters where something flows leaves the state at rest where it is.
            after = self.conditions(there) if moves_state else replace(here, overrides=self.overrides(there))
            columns.append((self._inputs(after) - inputs) / step)
        return np.column_stack(columns)

    def _inputs(self, conditions: Conditions) -> Floats:
        inputs = scalar_inputs(self._structure, conditions)
        return np.array([inputs[name] for name in self.moving])

    def _any_moves_state(self, name: str) -> bool:
        return any(affects_equilibrium(n) or n in CELL_PARAMETERS for n in self._names_with_linked(name))

    def _names_with_linked(self, name: str) -> list[str]:
        """A parameter's name and those of what is linked to it."""
        return [name, *(link.name for link in self.settings.links if link.to == name)]

    def _structure_of_default(self) -> Structure:
        """Which of the overrides are inputs; knots and tolerances do not matter to that."""
        asked = self.settings_with(self.overrides(self.default_values()))
        return make_structure(asked.model, asked.parameter_set.key, asked.parameter_set.overrides, 1, 1.0, 1.0)

    def _meshed(self) -> tuple[int, ...]:
        """Places of the parameters that shape the mesh, themselves or by what is linked to them: no input is theirs."""
        names, model = [self._names_with_linked(p.name) for p in self.settings.parameters], self.settings.model
        return tuple(place for place, own in enumerate(names) if any(shapes_mesh(name, model) for name in own))

    def _moving_inputs(self) -> tuple[str, ...]:
        """Names of the inputs that follow any of the parameters, sorted."""
        unit = np.clip(to_scaled(self.settings.parameters, self.default_values()), STEP, 1.0 - STEP)
        before = scalar_inputs(self._structure, self.conditions(from_scaled(self.settings.parameters, unit)))
        moving = set()
        for place in range(len(unit)):
            moved, _ = _moved(unit, place)
            after = scalar_inputs(self._structure, self.conditions(from_scaled(self.settings.parameters, moved)))
            moving |= {name for name, value in before.items() if after[name] != value}
        return tuple(sorted(moving))

    def settings_with(self, overrides: tuple[Override, ...]) -> SimulateSettings:
        """The simulation with these overrides; without any, with the set's own."""
        own = self.settings.parameter_set
        parameter_set = replace(own, overrides=overrides or own.overrides)
        return SimulateSettings(self.settings.cell, self.settings.model, parameter_set)


def _moved(unit: Floats, place: int) -> tuple[Floats, float]:
    """The point with one parameter moved, and by how much: backwards where the upper bound is near.

    A capacity or a state of charge must stay what can be.
    """
    step = -STEP if unit[place] > 0.5 else STEP
    moved = unit.copy()
    moved[place] += step
    return moved, step


def _times(p: FitParameter, own: float) -> FitParameter:
    first = None if p.first is None else p.first * own
    # On a logarithmic scale the deviation is one of the logarithm, which a factor leaves as it is.
    prior = None if p.prior is None else (p.prior[0] * own, p.prior[1] if p.scale == "log" else p.prior[1] * own)
    return replace(p, lower=p.lower * own, upper=p.upper * own, first=first, prior=prior, relative=False)


def _kind(key: str, name: str) -> Literal["value", "scale"]:
    return "scale" if name not in CELL_PARAMETERS and is_function(key, name) else "value"
