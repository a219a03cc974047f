"""Check before anything runs that fits which include the surface temperature can do so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...data import columns as c
from ...data.fit_settings import FitSettings
from .campaign import Campaign
from .cell_plan import CellPlan
from .errors import campaign_error, value_text

KEY: Final = "objective.temperature_kelvin_as_mv"
CIRCUIT: Final = "Thevenin"
"""A model that calculates the temperature of its cell without an option."""


def refuse_impossible_temperatures(campaign: Campaign, plans: Sequence[CellPlan]) -> None:
    """Refuse fits of the surface temperature that no cell can have.

    Args:
        plans: one for each cell of the raw files.

    Raises:
        CampaignError: names each fit with an isothermal model, with a cell that is driven by its surface temperature,
            or without a surface temperature in any file.
    """
    asked = [one.settings for plan in plans for one in plan.fits if one.settings.objective.temperature_kelvin_as_mv]
    if not asked:
        return
    problems = [problem for settings in asked if (problem := _find_problem(settings))]
    if not problems and not _may_have_surface(campaign):
        reason = "no raw file has a column of the surface temperature"
        problems = [
            f"fit {value_text(settings.name)}: {KEY} is set, but {reason}; map {c.SURFACE_TEMPERATURE} in "
            f"[sources.columns], or remove the key"
            for settings in asked
        ]
    if problems:
        raise campaign_error(campaign.path, list(dict.fromkeys(problems)))


def _find_problem(settings: FitSettings) -> str:
    model = settings.model
    place = f"fit {value_text(settings.name)}: {KEY} is set, but"
    if model.type != CIRCUIT and dict(model.options).get("thermal", "isothermal") == "isothermal":
        reason = f"the model {value_text(model.name)} is isothermal: it calculates no temperature"
        return f'{place} {reason}; give it options = {{ thermal = "lumped" }} in [[models]], or remove the key'
    if settings.cell.temperature == "surface":
        reason = f'temperature_celsius = "surface" of the cell {value_text(settings.cell.cell_id)} drives the model'
        return f'{place} {reason} with the measured temperature; use "rest" or "ambient", or remove the key'
    return ""


def _may_have_surface(campaign: Campaign) -> bool:
    """Tell whether a file has a surface temperature, as far as its columns are known before it is read."""
    return any(
        not settings.columns or any(column.target == c.SURFACE_TEMPERATURE for column in settings.columns)
        for _, settings in campaign.sources
    )
