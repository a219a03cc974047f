"""What PyBaMM has to say of a campaign: whether its files make parameter sets, and these have its parameters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from ...data.errors import JobError
from ...data.fit_settings import CELL_PARAMETERS
from ...data.names import suggest_or_list
from ...data.settings import GIVEN_PER_CELL
from .campaign import Campaign
from .errors import campaign_error, value_text
from .fit_schema import FitTable
from .fit_tables import fit_links, fitted_parameters, matches_cell


def check_set_files(campaign: Campaign) -> None:
    """Make every set of the campaign's files with PyBaMM, and so make it known to the jobs of this process.

    Raises:
        CampaignError: names each file that makes none, and why.
    """
    from ...jobs.parameters.sets import define_set, load_base_set

    problems = []
    for file in campaign.set_files:
        key = campaign.base_set(file.name).key
        define_set(key, file.content)
        try:
            load_base_set(key)
        except JobError as error:
            problems.append(f"{file.where}: {error}")
    if problems:
        raise campaign_error(campaign.path, problems)


def check_parameters(
    campaign: Campaign, names_of: Callable[[str], Collection[str]], cell_ids: Iterable[str] = ()
) -> None:
    """Check the names of varied and fitted parameters.

    Args:
        names_of: gives the parameter names of a set, PyBaMM's or a file's.
        cell_ids: the sources' cells; with them, fits that leave the parameter set to the cell are checked too.

    Raises:
        CampaignError: names each parameter that a set does not have, and the nearest that it has.
    """
    used = sorted({base for table in campaign.file.cells.values() for base in table.given.get("parameter_sets") or ()})
    asked = [
        (f"variations#{number}.parameters", base, parameter)
        for number, table in enumerate(campaign.file.variations, 1)
        for base in used
        if table.applies_to(base)
        for parameter in table.parameters
    ]
    fits = [
        (f"{where}.parameters", base, parameter)
        for where, table in campaign.named_fits()
        for base in sorted(_fitted_bases(campaign, table, cell_ids))
        for parameter in (*(p.name for p in fitted_parameters(table)), *(link.name for link in fit_links(table)))
        if parameter not in CELL_PARAMETERS
    ]
    problems = [
        f"{where}: {value_text(parameter)} cannot be changed here: {GIVEN_PER_CELL[parameter]} gives it"
        if parameter in GIVEN_PER_CELL
        else f"{where}: {base} has no parameter {value_text(parameter)}{suggest_or_list(parameter, names_of(base))}"
        for where, base, parameter in asked + fits
        if parameter in GIVEN_PER_CELL or parameter not in names_of(base)
    ]
    if problems:
        raise campaign_error(campaign.path, problems)


def _fitted_bases(campaign: Campaign, table: FitTable, cell_ids: Iterable[str]) -> set[str]:
    if table.parameter_set is not None:
        return {table.parameter_set.partition("+")[0]}
    return {campaign.bases(cell_id)[0] for cell_id in cell_ids if matches_cell(cell_id, table.cells)}
