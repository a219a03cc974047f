"""All settings of each cell of a campaign, resolved once, for the checks, the plan and the catalog."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from ...data.cycle_selection import CycleSelection
from ...data.errors import CampaignError
from ...data.fit_settings import FitSettings
from ...data.names import suggest_or_list
from ...data.settings import CellSettings, CleanSettings, InitialState, ParameterSetSettings, SimulateSettings
from .campaign import DEFAULTS, Campaign
from .errors import campaign_error, format_key, value_text
from .fit_tables import matches_cell
from .schema import is_glob

_PREVIOUS_CYCLE: Final = InitialState("previous_cycle")


@dataclass(frozen=True, slots=True)
class CellFit:
    """A fit of a cell, and the simulation with the parameter set that the fit finds.

    Args:
        simulation: its parameter set has the fit's name and no overrides; the fitted values are filled in when it runs.
    """

    settings: FitSettings
    simulation: SimulateSettings


@dataclass(frozen=True, slots=True)
class CellPlan:
    """All settings of one cell in a campaign.

    Args:
        clean: thresholds of the cleaning rules; ``current_sign`` is ``auto`` here, since the cell's files give it.
        parameter_sets: the sets the cell is simulated with, each followed by its variations; empty = cleaned only.
        simulations: one for each model and parameter set.
        fits: in the order in which they run; a chain is one fit for each of its check-ups.
    """

    cell: CellSettings
    clean: CleanSettings
    parameter_sets: tuple[ParameterSetSettings, ...]
    simulations: tuple[SimulateSettings, ...]
    fits: tuple[CellFit, ...]

    @property
    def cell_id(self) -> str:
        """The cell's id."""
        return self.cell.cell_id


def resolve(
    campaign: Campaign,
    cell_ids: Iterable[str],
    unread: Collection[str] = (),
    find_unreadable: Callable[[], Iterable[str]] = tuple,
) -> tuple[CellPlan, ...]:
    """Resolve a campaign for the cells that its raw files hold.

    Args:
        cell_ids: every cell of the raw files that can be read.
        unread: cells that may be in files that cannot be read. The campaign may name them; they have no plan.
        find_unreadable: says why raw files cannot be read, a line each. It is asked if the campaign names an unknown
            cell: these lines come first, because the cell may be unknown for such a reason.

    Returns:
        One plan for each cell, in the order of the ids.

    Raises:
        CampaignError: ``[cells.ID]``, a model or a fit names a cell (not a glob) that no raw file has; the text gives
            the nearest cell. Or a fit names no parameter set and one of its cells has none.
    """
    known = tuple(dict.fromkeys(cell_ids))
    problems = [
        f"{where}: no source has the cell {value_text(cell_id)}{suggest_or_list(cell_id, [*known, DEFAULTS])}"
        for where, cell_id in find_absent_cells(campaign, known)
        if cell_id not in unread
    ]
    if problems:
        problems = [*find_unreadable(), *problems]
    plans: dict[str, CellPlan] = {}
    shared: dict[Any, Any] = {}
    for cell_id in sorted(known):
        try:
            plans[cell_id] = _resolve_cell(campaign, cell_id, shared)
        except CampaignError as error:
            problems.append(str(error))
    if problems:
        raise campaign_error(campaign.path, problems)
    return tuple(plans[cell_id] for cell_id in known)


def find_absent_cells(campaign: Campaign, cell_ids: Iterable[str]) -> list[tuple[str, str]]:
    """Find the cells (not globs) that ``[cells.ID]``, models and fits name, but that no readable raw file has.

    Args:
        cell_ids: every cell of the raw files that can be read.

    Returns:
        Key in the campaign file, and cell id.
    """
    file = campaign.file
    known = set(cell_ids)
    named = [(f"cells.{format_key(key)}", key) for key in sorted(file.cells.keys() - {DEFAULTS})]
    named += [(f"models.{model.label}.cells", key) for model in file.models for key in model.cells]
    named += [(f"{where}.cells", key) for where, fit in file.named_fits() for key in fit.cells]
    return [(where, key) for where, key in named if not is_glob(key) and key not in known]


def _resolve_cell(campaign: Campaign, cell_id: str, shared: dict[Any, Any]) -> CellPlan:
    """Resolve one cell.

    Args:
        shared: settings of earlier cells; equal ones are taken from it, so that 100,000 cells keep few of them.
    """
    cell = campaign.cell(cell_id)
    parameter_sets = tuple(shared.setdefault(one, one) for one in campaign.parameter_sets(cell_id))
    parameter_sets = shared.setdefault(parameter_sets, parameter_sets)
    clean = campaign.clean_settings(cell_id)
    simulations = tuple(
        campaign.simulate_settings(cell, model, parameter_set)
        for model, table in zip(campaign.models, campaign.file.models, strict=True)
        if matches_cell(cell_id, table.cells)
        for parameter_set in parameter_sets
    )
    fits = tuple(CellFit(fit, _fitted_simulation(campaign, fit)) for fit in campaign.fits(cell_id))
    return CellPlan(cell, shared.setdefault(clean, clean), parameter_sets, simulations, fits)


def _fitted_simulation(campaign: Campaign, fit: FitSettings) -> SimulateSettings:
    """Return the simulation with a fitted set: of the campaign's cycles, or of the fit's where it holds only there."""
    fitted = replace(fit.parameter_set, name=fit.fitted_name, overrides=())
    simulation = campaign.simulate_settings(fit.cell, fit.model, fitted)
    if fit.is_for_own_cycles:
        return _limit_to_fit_cycles(simulation, fit)
    return simulation


def _limit_to_fit_cycles(simulation: SimulateSettings, fit: FitSettings) -> SimulateSettings:
    """Return the simulation of a fit's own part only; consecutive cycles run in one go, as they were fitted."""
    if fit.select is not None:
        return replace(simulation, cycles=fit.select)
    cycles = sorted({*fit.cycles, *fit.validation_cycles})
    are_consecutive = cycles == list(range(cycles[0], cycles[-1] + 1))
    cell = simulation.cell
    if are_consecutive and cell.initial_state.policy == "rest_voltage":
        cell = replace(cell, initial_state=_PREVIOUS_CYCLE)
    return replace(simulation, cell=cell, cycles=CycleSelection(tuple((cycle, cycle) for cycle in cycles)))
