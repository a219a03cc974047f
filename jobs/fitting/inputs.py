"""Map the parameters of a fit to the inputs of the built model, with the Jacobian."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from ...data.arrays import Floats
from ...data.errors import JobError
from ...data.extensive import cell_power
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
from ..models.pybamm_models import scales_current
from ..models.simulation_case import SimulationCase, resolve_simulation
from ..parameters.extensive import cells_of_set
from ..parameters.sets import affects_equilibrium, apply_overrides, is_function, load_base_set
from ..simulation.replay import Conditions, scalar_inputs
from .starts import from_scaled, to_scaled
from .stretches import FitStretch

STEP: Final = 1e-4
"""Step of a parameter on its scaled bounds, for the derivatives of the model's inputs."""


@dataclass(frozen=True, slots=True, eq=False)
class FitInputs:
    """The parameters of a fit as inputs of one built model, for one stretch.

    Args:
        settings: of the fit, with bounds in the parameters' units.
        stretch: what is replayed.
        measured_celsius: the cell's mean measured temperature in °C, used where the settings give none; ``None`` =
            nothing was measured.
        base: conditions with the parameter set's own values.
        moves_state: for each parameter, whether it changes the initial state that belongs to a rest voltage.
        structure: of the built model; it says which overrides are inputs.
    """

    settings: FitSettings
    stretch: FitStretch
    measured_celsius: float | None
    base: Conditions
    moves_state: tuple[bool, ...]
    structure: Structure

    def default_values(self) -> Floats:
        """Return the parameter set's own values, shape (parameters,).

        The value is 1 for the factor of a function, and the cell's own for its initial state and capacity.
        """
        return _default_values(self.settings, self.base)

    def resolve(self, values: Floats) -> SimulationCase:
        """Resolve the simulation with these parameter values, shape (parameters,)."""
        overrides = fitted_overrides(self.settings, values)
        return resolve_simulation(_simulation_settings(self.settings, overrides), self.measured_celsius)

    def find_conditions(self, case: SimulationCase) -> Conditions:
        """Find state, capacity, temperature and overrides of a replay with the values of a resolved simulation."""
        if any(self.moves_state):
            return self.stretch.find_conditions(case, self.base.temperature)
        return replace(self.base, overrides=case.parameter_set.overrides)

    def slopes(self, values: Floats, conditions: Conditions, moving: tuple[str, ...]) -> Floats:
        """Differentiate inputs of the model by the place of each parameter between its bounds (0 to 1).

        Args:
            values: shape (parameters,).
            conditions: at these values.
            moving: names of the inputs to differentiate.

        Returns:
            Shape (inputs, parameters).
        """
        unit = to_scaled(self.settings.parameters, values)
        inputs = self._input_values(conditions, moving)
        columns = []
        for place, moves_state in enumerate(self.moves_state):
            moved, step = _moved(unit, place)
            moved_values = from_scaled(self.settings.parameters, moved)
            if moves_state:
                after = self.find_conditions(self.resolve(moved_values))
            else:
                # A parameter that only matters under current leaves the state at rest unchanged.
                after = replace(conditions, overrides=self.resolve(moved_values).parameter_set.overrides)
            columns.append((self._input_values(after, moving) - inputs) / step)
        return np.column_stack(columns)

    def moving_inputs(self) -> frozenset[str]:
        """Find the names of the inputs that change with any of the parameters."""
        parameters = self.settings.parameters
        unit = np.clip(to_scaled(parameters, self.default_values()), STEP, 1.0 - STEP)
        before = self._scalar_inputs(unit)
        moving: set[str] = set()
        for place in range(len(unit)):
            moved, _ = _moved(unit, place)
            after = self._scalar_inputs(moved)
            moving |= {name for name, value in before.items() if after[name] != value}
        return frozenset(moving)

    def _scalar_inputs(self, unit: Floats) -> dict[str, float]:
        case = self.resolve(from_scaled(self.settings.parameters, unit))
        return scalar_inputs(self.structure, self.find_conditions(case))

    @property
    def mesh_places(self) -> tuple[int, ...]:
        """Places of the parameters that shape the mesh, themselves or by a linked one; these are no inputs."""
        model = self.settings.model
        return tuple(
            place
            for place, parameter in enumerate(self.settings.parameters)
            if any(shapes_mesh(name, model) for name in _names_with_linked(self.settings, parameter.name))
        )

    def _input_values(self, conditions: Conditions, names: tuple[str, ...]) -> Floats:
        inputs = scalar_inputs(self.structure, conditions)
        return np.array([inputs[name] for name in names])


def make_fit_inputs(settings: FitSettings, stretch: FitStretch, measured_celsius: float | None) -> FitInputs:
    """Map the parameters of a fit to the inputs of the model, for one stretch.

    Args:
        settings: of the fit; bounds may be factors of the parameter set's own values.
        stretch: what is replayed, with the samples that fix its initial state.
        measured_celsius: the cell's mean measured temperature in °C; ``None`` = nothing was measured.

    Raises:
        JobError: bounds are factors of a value that is not positive (``bad_bounds``), or there is no initial state.
    """
    base = stretch.find_conditions(resolve_base(settings, measured_celsius))
    settings = replace(settings, parameters=_parameters_in_units(settings, base))
    # Knots and tolerances do not matter to which of the overrides are inputs.
    overrides = fitted_overrides(settings, _default_values(settings, base))
    structure = make_structure(settings.model, settings.parameter_set.key, overrides, 1, 1.0, 1.0)
    return FitInputs(
        settings=settings,
        stretch=stretch,
        measured_celsius=measured_celsius,
        base=base,
        moves_state=tuple(_any_moves_state(settings, p.name) for p in settings.parameters),
        structure=structure,
    )


def resolve_base(settings: FitSettings, measured_celsius: float | None) -> SimulationCase:
    """Resolve the simulation that a fit starts from: with the parameter set's own values."""
    return resolve_simulation(_simulation_settings(settings, ()), measured_celsius)


def fitted_overrides(settings: FitSettings, values: Floats) -> tuple[Override, ...]:
    """Replace the parameter set's overrides by the fitted parameters and those that are linked to them.

    Args:
        values: of the fit's parameters, shape (parameters,).
    """
    key = settings.parameter_set.key
    by_name = {p.name: float(value) for p, value in zip(settings.parameters, values, strict=True)}
    by_name |= {link.name: link.ratio * by_name[link.to] for link in settings.links}
    unchanged = tuple(o for o in settings.parameter_set.overrides if o.parameter not in by_name)
    return unchanged + tuple(Override(name, _kind(key, name), value) for name, value in by_name.items())


def _simulation_settings(settings: FitSettings, overrides: tuple[Override, ...]) -> SimulateSettings:
    """The simulation with these overrides; without any, with those of the parameter set."""
    parameter_set = replace(settings.parameter_set, overrides=overrides or settings.parameter_set.overrides)
    return SimulateSettings(settings.cell, settings.model, parameter_set)


def _default_values(settings: FitSettings, base: Conditions) -> Floats:
    # Extensive values are those of the user's cell; in the overrides of a replay they are those of the set's cell.
    cells = 1.0
    if scales_current(settings.model):
        cells = cells_of_set(base.electrodes_in_parallel, load_base_set(settings.parameter_set.key))
    parameter_set = replace(settings.parameter_set, overrides=base.overrides)
    overridden = {o.parameter: o.value for o in settings.parameter_set.overrides}
    set_values = apply_overrides(parameter_set)
    defaults: dict[str, float] = {
        INITIAL_SOC: base.state.soc,
        CELL_CAPACITY: base.capacity_ah,
        LITHIUM_INVENTORY: overridden.get(LITHIUM_INVENTORY, 1.0),
    }
    for parameter in settings.parameters:
        name = parameter.name
        if name in defaults:
            continue
        if is_function(parameter_set.key, name):
            defaults[name] = overridden.get(name, 1.0)
        else:
            defaults[name] = float(set_values[name]) * cells ** cell_power(name)
    return np.array([defaults[p.name] for p in settings.parameters], float)


def _parameters_in_units(settings: FitSettings, base: Conditions) -> tuple[FitParameter, ...]:
    """Turn bounds, first guess and prior that are factors of the set's own value into the parameter's unit.

    Raises:
        JobError: the set's own value is not positive, so that a factor of it has no meaning (``bad_bounds``).
    """
    parameters = []
    for parameter, default in zip(settings.parameters, _default_values(settings, base), strict=True):
        if not parameter.relative:
            parameters.append(parameter)
            continue
        if default <= 0.0:
            reason = f"{parameter.name!r} is {default:g} in {settings.parameter_set.name}"
            raise JobError(f"{reason}, so bounds cannot be factors of it; give bounds in its unit", "bad_bounds")
        parameters.append(_multiply_bounds(parameter, default))
    return tuple(parameters)


def _multiply_bounds(parameter: FitParameter, default: float) -> FitParameter:
    first = None
    if parameter.first is not None:
        first = parameter.first * default
    prior = None
    if parameter.prior is not None:
        mean, deviation = parameter.prior
        if parameter.scale != "log":  # otherwise it is the deviation of the logarithm, which a factor does not change
            deviation = deviation * default
        prior = (mean * default, deviation)
    lower = parameter.lower * default
    upper = parameter.upper * default
    return replace(parameter, lower=lower, upper=upper, first=first, prior=prior, relative=False)


def _moved(unit: Floats, place: int) -> tuple[Floats, float]:
    """Move one parameter by a step; backwards in the upper half, so that it stays within its bounds."""
    step = -STEP if unit[place] > 0.5 else STEP
    moved = unit.copy()
    moved[place] += step
    return moved, step


def _any_moves_state(settings: FitSettings, name: str) -> bool:
    names = _names_with_linked(settings, name)
    return any(affects_equilibrium(one) or one in CELL_PARAMETERS for one in names)


def _names_with_linked(settings: FitSettings, name: str) -> list[str]:
    """Return a parameter's name and the names of those that are linked to it."""
    return [name, *(link.name for link in settings.links if link.to == name)]


def _kind(key: str, name: str) -> Literal["value", "scale"]:
    if name not in CELL_PARAMETERS and is_function(key, name):
        return "scale"
    return "value"
