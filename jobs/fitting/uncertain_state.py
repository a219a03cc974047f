"""Fit the state of charge at the start where the record leaves it uncertain: else its error is in the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ...data.errors import JobError
from ...data.fit_settings import INITIAL_SOC, FitParameter, FitSettings
from ..models.simulation_case import SimulationCase
from ..simulation.conditions import GIVEN, spread_over
from .stretches import FitStretch

UNCERTAIN_MV: Final = 1.0
"""Uncertainty of the open-circuit voltage in mV above which the state of charge is fitted. An error of 1 mV at 4.1 V
was an RMSE of 3 mV over a full discharge."""

LEAST_DISTANCE: Final = 0.05
"""Least distance of the bounds from the known state of charge. Chosen, not measured."""

UNCERTAINTIES: Final = 5.0
"""The same, in uncertainties of the state of charge."""


def fit_uncertain_state(settings: FitSettings, stretches: Sequence[FitStretch], case: SimulationCase) -> FitSettings:
    """Return the settings with the state of charge at the start among the parameters, if it is to be fitted.

    It is not added where one number cannot be the state: with several stretches that have their own states, or where
    the model is solved from an earlier sample than the first fitted one, so that it has the cell's gradients.

    Args:
        settings: of the fit.
        stretches: with their known states.
        case: with the parameter set's own values.
    """
    names = {parameter.name for parameter in settings.parameters} | {link.name for link in settings.links}
    first = stretches[0]
    is_one_state = first.lead == 0 and all(stretch.before is not None for stretch in stretches[1:])
    if settings.fit_initial_soc not in ("auto", "always") or INITIAL_SOC in names or not is_one_state:
        return settings
    try:
        state = spread_over(first.find_conditions(case), first.solved, case).state
    except JobError:
        return settings  # the objective itself says why there is no state
    if state.uncertainty_mv is None:  # given, or part of the parameter set
        return settings
    if settings.fit_initial_soc == "auto" and state.uncertainty_mv <= UNCERTAIN_MV:
        return settings
    distance = max(LEAST_DISTANCE, UNCERTAINTIES * (state.uncertainty_soc or 0.0))
    lower = min(max(state.soc - distance, 0.0), 1.0 - LEAST_DISTANCE)
    upper = max(min(state.soc + distance, 1.0), LEAST_DISTANCE)
    added = FitParameter(INITIAL_SOC, lower, upper)
    return replace(settings, parameters=(*settings.parameters, added), fit_initial_soc="added")


def with_added_state(settings: FitSettings, in_units: FitSettings) -> FitSettings:
    """Return a fit's settings with the state of charge, if its objective has added it.

    Args:
        settings: of the fit.
        in_units: of its objective.
    """
    if in_units.fit_initial_soc != "added" or settings.fit_initial_soc == "added":
        return settings
    return replace(settings, parameters=(*settings.parameters, in_units.parameters[-1]), fit_initial_soc="added")


def describe_unfitted_state(settings: FitSettings, stretches: Sequence[FitStretch]) -> str:
    """Say in a verdict why the state of charge is not fitted although it was asked for; "" = it is, or was not.

    Args:
        settings: of the objective, with the state where it was added.
        stretches: fitted.
    """
    if settings.fit_initial_soc != "always" or settings.cell.initial_state.policy in GIVEN:
        return ""
    if any(parameter.name == INITIAL_SOC for parameter in settings.parameters):
        return ""
    reason = "the fitted parts begin from states of their own"
    if stretches[0].lead:
        reason = "the model is solved from a rest before the fitted part"
    return f"the state of charge at the start is not fitted, because {reason}"
