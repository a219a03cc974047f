"""Refuse single fits that cannot run, such as a parameter that the model does not use; all other jobs go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from ...data.fit_settings import FitSettings
from ...data.settings import CellSettings
from .campaign import Campaign
from .cell_plan import CellFit, CellPlan
from .errors import format_key, value_text
from .fit_schema import FitTable
from .fit_tables import fit_tables_for_cell
from .known_checks import recall
from .nested_fits import name_smaller_fits

NAMED_CELLS: Final = 5
"""Largest number of cells that a line names."""


@dataclass(frozen=True, slots=True)
class RefusedFit:
    """A fit that cannot run for some cells.

    Args:
        fit: its name; of a chain, the chain's.
        cells: for which it cannot run.
        text: key, reason code, reason and what to do.
    """

    fit: str
    cells: tuple[str, ...]
    text: str


def refuse_fits(campaign: Campaign, plans: Sequence[CellPlan]) -> tuple[tuple[CellPlan, ...], tuple[RefusedFit, ...]]:
    """Take the fits that cannot run out of the cells' plans.

    PyBaMM is imported only if there are fits, and it was not asked for these before.

    Args:
        plans: one for each cell of the raw files.

    Returns:
        The plans without these fits, and why, each reason once.
    """
    if not any(plan.fits for plan in plans):
        return tuple(plans), ()
    refusals_of = _find_refusals(plans)
    tables = {table.name: (f"fit {value_text(table.name)}", table) for table in campaign.asked}
    tables |= {table.name: (where, table) for where, table in campaign.file.named_fits()}
    cells_by_problem: dict[tuple[str, str], list[str]] = {}
    kept = []
    for plan in plans:
        fits = []
        for fit in plan.fits:
            name = fit.settings.chain or fit.settings.name
            refusals = refusals_of[_question(fit.settings)]
            for one in refusals:
                text = f"{_place(*tables[name], one)}: {one.code}: {one.reason}"
                cells = cells_by_problem.setdefault((name, text), [])
                if plan.cell_id not in cells:
                    cells.append(plan.cell_id)
            if not refusals:
                fits.append(fit)
        kept.append(replace(plan, fits=_renamed_smaller(fits) if len(fits) < len(plan.fits) else tuple(fits)))
    refused = []
    for (name, text), cells in cells_by_problem.items():
        if len(cells) < _count_cells(campaign, plans, name):
            text += f" (cell{'s' if len(cells) > 1 else ''} {_name_cells(cells)})"
        refused.append(RefusedFit(name, tuple(cells), text))
    return tuple(kept), tuple(refused)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a fit cannot run; see :class:`kilocell.jobs.fitting.refused.Refusal`."""

    parameter: str
    key: str
    code: str
    reason: str


def _find_refusals(plans: Sequence[CellPlan]) -> dict[Any, list[_Refusal]]:
    """Return why each fit cannot run, by what that depends on; nothing if it can."""
    asked = {_question(fit.settings): fit.settings for plan in plans for fit in plan.fits}
    sets = tuple(dict.fromkeys(settings.parameter_set for settings in asked.values()))
    answers = recall(partial(_ask_refusals, list(asked.values())), "fits", list(asked), sets=sets)
    return {question: [_Refusal(*texts) for texts in refused] for question, refused in zip(asked, answers, strict=True)}


def _question(settings: FitSettings) -> tuple[Any, ...]:
    """Return what it depends on whether a fit can run; equal cells are asked for once."""
    cell = settings.cell
    essential = CellSettings("", cell.nominal_capacity_ah, cell.initial_state, measured_capacity=cell.measured_capacity)
    return settings.model, settings.parameter_set, settings.parameters, settings.links, essential


def _ask_refusals(fits: Sequence[FitSettings]) -> list[list[tuple[str, ...]]]:
    from ...jobs.fitting.refused import find_refusals

    return [[(one.parameter, one.key, one.code, one.reason) for one in find_refusals(settings)] for settings in fits]


def _renamed_smaller(fits: Sequence[CellFit]) -> tuple[CellFit, ...]:
    """Name the smaller fits anew that each fit contains: one that is refused has no result to begin from."""
    named = name_smaller_fits([fit.settings for fit in fits])
    return tuple(replace(fit, settings=settings) for fit, settings in zip(fits, named, strict=True))


def _place(where: str, table: FitTable, refusal: _Refusal) -> str:
    """Return the key of a fit that is wrong."""
    if refusal.parameter not in table.parameters:
        return f"{where}.presets"
    key = f"{where}.parameters.{format_key(refusal.parameter)}"
    return f"{key}.{refusal.key}" if refusal.key else key


def _count_cells(campaign: Campaign, plans: Sequence[CellPlan], name: str) -> int:
    """Return the number of cells that have a fit of this name."""
    own = campaign.file.fit
    return sum(
        any(table.name == name for table in fit_tables_for_cell(plan.cell_id, own, campaign.asked)) for plan in plans
    )


def _name_cells(cells: Sequence[str]) -> str:
    names = [value_text(cell) for cell in cells[:NAMED_CELLS]]
    if len(cells) > NAMED_CELLS:
        names.append(f"{len(cells) - NAMED_CELLS} more")
    return ", ".join(names)
