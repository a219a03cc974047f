"""Whether the tables of a parameter set cover the states between its own cut-offs."""

from __future__ import annotations

from typing import Final

import numpy as np
import pybamm

from ...data.errors import JobError
from ...data.settings import ModelSettings, ParameterSetSettings
from ..parameters.sets import apply_overrides
from .full_cell import full_cell
from .pybamm_models import CIRCUIT, SIDES, state_model
from .tables import ranges_in

REFERENCE_CELSIUS: Final = 25.0

OF_STOICHIOMETRY: Final = ("{} electrode OCP [V]", "{} particle diffusivity [m2.s-1]")
"""Parameters of an electrode that may be tables of its stoichiometry."""

OF_CONCENTRATION: Final = ("Electrolyte conductivity [S.m-1]", "Electrolyte diffusivity [m2.s-1]")
"""Parameters of the electrolyte that may be tables of its concentration."""

INITIAL_CONCENTRATION: Final = "Initial concentration in electrolyte [mol.m-3]"
PYBAMM_ERRORS: Final = (pybamm.OptionError, pybamm.ModelError, pybamm.ShapeError, pybamm.DomainError)


def describe_uncovered_tables(model: ModelSettings, settings: ParameterSetSettings) -> tuple[str, ...]:
    """Describe each table of a set that ends within the set's own voltage window, or without its electrolyte.

    Args:
        model: whose state at rest is looked at.
        settings: the set with its overrides.

    Returns:
        One line for each, with both ranges. Nothing for circuits, half-cells and electrodes of two phases, whose window
        is not known here.
    """
    if model.type == CIRCUIT:
        return ()
    try:
        cell = full_cell(state_model(model), settings, REFERENCE_CELSIUS)
        if cell is None:
            return ()
        values = apply_overrides(settings)
        windows = zip(cell.at(0.0), cell.at(1.0), strict=True)
        lines = []
        for side, window in zip(SIDES, windows, strict=True):
            needed = (float(min(window)), float(max(window)))
            reason = f"between {cell.lower_volt:g} and {cell.upper_volt:g} V the electrode has stoichiometries of"
            for pattern in OF_STOICHIOMETRY:
                lines += _uncovered(values, pattern.format(side.capitalize()), needed, reason)
        concentration = float(values[INITIAL_CONCENTRATION])
        for name in OF_CONCENTRATION:
            lines += _uncovered(values, name, (concentration, concentration), "at rest the electrolyte has")
    except (JobError, KeyError, ValueError, TypeError, AttributeError, NotImplementedError, *PYBAMM_ERRORS):
        return ()  # whether the set can be built at all is told elsewhere
    return tuple(f"{settings.name}: {line}" for line in lines)


def _uncovered(values: pybamm.ParameterValues, name: str, needed: tuple[float, float], reason: str) -> list[str]:
    """Describe the tables of one parameter that do not cover what is needed."""
    function = values.get(name)
    if not callable(function):
        return []
    argument = pybamm.InputParameter("argument")
    kelvin = pybamm.Scalar(REFERENCE_CELSIUS + 273.15)
    try:
        symbol = function(argument, kelvin)
    except TypeError:
        symbol = function(argument)
    if not isinstance(symbol, pybamm.Symbol):
        return []
    lines = []
    for table in ranges_in(name, values.process_symbol(symbol)):
        if not any(isinstance(leaf, pybamm.InputParameter) for leaf in table.argument.pre_order()):
            continue
        ends = [float(np.squeeze(table.argument.evaluate(inputs={"argument": end}))) for end in needed]
        if min(ends) < table.low or max(ends) > table.high:
            wanted = f"{min(ends):.4g} to {max(ends):.4g}" if ends[0] != ends[1] else f"{ends[0]:.4g}"
            lines.append(f"the table of {name} covers {table.low:.4g} to {table.high:.4g}, but {reason} {wanted}")
    return lines
