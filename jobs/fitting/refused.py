"""What makes a fit impossible before anything runs: unused parameters, bounds without the set's value, known states."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import pybamm

from ...data.errors import JobError
from ...data.extensive import cell_power
from ...data.fit_settings import (
    CELL_CAPACITY,
    CELL_PARAMETERS,
    INITIAL_SOC,
    LITHIUM_INVENTORY,
    FitLink,
    FitParameter,
    FitSettings,
)
from ...data.settings import CellSettings, ModelSettings, ParameterSetSettings
from ..models.pybamm_models import check_set, scales_current
from ..models.set_checks import is_positive
from ..models.used_parameters import describe_users, used_parameters
from ..parameters.extensive import cells_of_set
from ..parameters.sets import apply_overrides, electrodes_in_parallel, is_function, load_base_set


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a fit cannot run.

    Args:
        parameter: of the fit; "" = the fit as a whole.
        key: of the parameter's table, such as ``bounds``; "" = the parameter itself.
        code: as the job would fail with.
        reason: with the numbers, and what to do.
    """

    parameter: str
    key: str
    code: str
    reason: str


def find_refusals(settings: FitSettings) -> tuple[Refusal, ...]:
    """Find why a fit cannot run, from its settings alone; PyBaMM creates its model once, without building it.

    Nothing is found where the model or the set cannot be used at all, as each job says.
    """
    return _find_refusals(
        settings.model, settings.parameter_set, settings.parameters, settings.links, _essential(settings.cell)
    )


def require_used(settings: FitSettings) -> None:
    """Refuse parameters that the voltage of the model does not depend on.

    Raises:
        JobError: ``no_effect``; the text says which models or options use the parameters.
    """
    unused = [one.reason for one in find_refusals(settings) if one.code == "no_effect"]
    if unused:
        raise JobError("; ".join(unused), "no_effect")


def _essential(cell: CellSettings) -> CellSettings:
    """Return the settings of a cell that matter here, so that equal cells are checked once."""
    return CellSettings("", cell.nominal_capacity_ah, cell.initial_state, measured_capacity=cell.measured_capacity)


@lru_cache(maxsize=512)
def _find_refusals(
    model: ModelSettings,
    parameter_set: ParameterSetSettings,
    parameters: tuple[FitParameter, ...],
    links: tuple[FitLink, ...],
    cell: CellSettings,
) -> tuple[Refusal, ...]:
    try:
        check_set(model, parameter_set.key)
        used = used_parameters(model, parameter_set.key)
        values = apply_overrides(parameter_set)
    except JobError:
        return ()
    refusals = []
    names = [parameter.name for parameter in parameters] + [link.name for link in links]
    for name in names:
        if used is not None and name not in used:
            refusals.append(_unused(model, parameter_set, name))
    unused = {refusal.parameter for refusal in refusals}
    for parameter in parameters:
        if parameter.name in unused:
            continue
        refusal = _check_bounds(
            parameter, _own_value(parameter.name, model, parameter_set, values, cell), parameter_set
        )
        if refusal is not None:
            refusals.append(refusal)
    state = cell.initial_state
    if INITIAL_SOC in names and state.policy in ("soc", "voltage"):
        given = f"{{ {state.policy} = {state.value:g} }}"
        reason = (
            f"initial_state = {given} gives the state that the fit searches; remove one of them (what you know of the "
            "state is a prior = [MEAN, STANDARD DEVIATION] of the fit)"
        )
        refusals.append(Refusal(INITIAL_SOC, "", "bad_bounds", reason))
    return tuple(refusals)


def _unused(model: ModelSettings, parameter_set: ParameterSetSettings, name: str) -> Refusal:
    reason = f"the voltage of {model.name} does not depend on {name!r}"
    advice = describe_users(model, parameter_set, name)
    advice = f"{advice}, or leave it out of the fit" if advice else "leave it out of the fit"
    return Refusal(name, "", "no_effect", f"{reason}; {advice}")


def _own_value(
    name: str,
    model: ModelSettings,
    parameter_set: ParameterSetSettings,
    values: pybamm.ParameterValues,
    cell: CellSettings,
) -> float | None:
    """Return the value before a fit, as the fit reads its bounds: of a function, the factor; ``None`` = not known yet.

    Args:
        values: of the parameter set, overrides applied.
    """
    overridden = {override.parameter: override for override in parameter_set.overrides}
    if name == INITIAL_SOC:
        return None
    if name == CELL_CAPACITY:
        return cell.nominal_capacity_ah
    if name == LITHIUM_INVENTORY or is_function(parameter_set.key, name):
        return overridden[name].value if name in overridden else 1.0
    value = values[name]
    if isinstance(value, pybamm.Scalar):
        value = value.value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    is_of_cell = name in overridden and overridden[name].kind == "value"
    if not cell_power(name) or is_of_cell or not scales_current(model):
        return number
    if cell.nominal_capacity_ah is None and cell.measured_capacity is not None:
        return None
    cells = cells_of_set(electrodes_in_parallel(cell, parameter_set), load_base_set(parameter_set.key))
    return number * cells ** cell_power(name)


def _check_bounds(parameter: FitParameter, own: float | None, parameter_set: ParameterSetSettings) -> Refusal | None:
    """Return why bounds do not fit the value before the fit; ``None`` = they do, or it is not known.

    A set with 0, as for most contact resistances, does not say what a cell has, so bounds may exclude it.

    Args:
        own: the value before the fit.
    """
    if own is None:
        return None
    whose = "the capacity of the cell" if parameter.name == CELL_CAPACITY else f"the value of {parameter_set.name}"
    if parameter.relative and own <= 0.0:
        reason = f"{whose} is {own:g}, so bounds cannot be factors of it; give bounds in its unit, without relative"
        return Refusal(parameter.name, "relative", "bad_bounds", reason)
    if not parameter.relative and own > 0.0 > parameter.lower and is_positive(parameter.name):
        reason = f"the lower bound {parameter.lower:g} is negative, which no cell has; raise it"
        return Refusal(parameter.name, "bounds", "bad_bounds", reason)
    start = 1.0 if parameter.relative else own
    if parameter.first is not None or own == 0.0 or parameter.lower <= start <= parameter.upper:
        return None
    if math.isclose(start, parameter.lower, rel_tol=1e-9) or math.isclose(start, parameter.upper, rel_tol=1e-9):
        return None
    is_factor = parameter.name not in CELL_PARAMETERS and is_function(parameter_set.key, parameter.name)
    value = f"{whose}, {own:.6g}"
    if parameter.relative or is_factor:
        value = f"{start:g}, {whose} itself (bounds are factors of it)"
    reason = (
        f"{parameter.lower:g} to {parameter.upper:g} exclude {value}; "
        "widen the bounds, or, if you mean this, give a first guess inside them: first = VALUE"
    )
    return Refusal(parameter.name, "bounds", "bad_bounds", reason)
