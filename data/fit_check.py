"""Whether the simulation with a fitted parameter set has the error that the fit reports, in words."""

from __future__ import annotations

from typing import Final

from .cycle_selection import format_ranges
from .results.fitting import FitResult
from .results.simulation import SimulationResult
from .step_selection import StepSelection

LARGER_MV: Final = 1.0
LARGER_SHARE: Final = 0.1
"""Difference of the RMSE, in mV and as a share of the fit's, up to which a simulation and its fit are the same: their
tolerances and the compression of the current differ. Chosen, not measured."""

SAME_CAPACITY: Final = 1e-6
"""Relative difference of two capacities that are the same."""


def describe_fit_difference(fit: FitResult, simulated: SimulationResult, rmse_mv: float | None) -> str:
    """Say by how much a simulation differs from its fit over the fitted samples, and why; "" = it does not.

    Args:
        fit: its RMSE is over the same samples.
        simulated: with the fitted set.
        rmse_mv: of the simulation over the fitted samples; ``None`` = it has none of them.
    """
    if rmse_mv is None or abs(rmse_mv - fit.rmse_mv) <= LARGER_MV + LARGER_SHARE * fit.rmse_mv:
        return ""
    words = (
        f"over the fitted samples, the simulation with the fitted set has {rmse_mv:.1f} mV, the fit {fit.rmse_mv:.1f}"
    )
    reasons = _reasons(fit, simulated)
    return f"{words}: {', and '.join(reasons)}" if reasons else f"{words}, for a reason that is not known"


def _reasons(fit: FitResult, simulated: SimulationResult) -> list[str]:
    """Why the simulation is another one than the fit's."""
    reasons = []
    settings = fit.settings
    same = {fit.initial_state_source, fit.initial_state_source.replace(", given by the fit", ", given")}
    if fit.initial_state_source and simulated.initial_state_source not in same:
        reasons.append(
            f"it starts from another state ({simulated.initial_state_source}; the fit: {fit.initial_state_source})"
        )
    selection = simulated.settings.cycles
    if (
        (settings.select is not None or settings.cycles)
        and not isinstance(selection, StepSelection)
        and selection.whole
    ):
        part = f"cycles {format_ranges(settings.cycles)}" if settings.select is None else settings.select.text
        reasons.append(
            f"it runs through the whole record, where the fit is solved over {part} alone; "
            "name this part in [simulate], too, or fit the whole record"
        )
    capacity = None if fit.beginning is None else fit.beginning.capacity_ah
    if capacity and simulated.capacity_ah and abs(simulated.capacity_ah / capacity - 1.0) > SAME_CAPACITY:
        reasons.append(f"its capacity is {simulated.capacity_ah:.4g} A.h, that of the fit {capacity:.4g}")
    return reasons
