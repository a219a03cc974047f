"""Check a campaign with PyBaMM: its parameter-set files, the names of changed and fitted parameters, model options."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from ...data.defined_sets import define_set
from ...data.errors import CampaignError, JobError
from ...data.fit_settings import CELL_PARAMETERS
from ...data.names import suggest_or_list
from ...data.settings import GIVEN_PER_CELL, ModelSettings, ParameterSetSettings
from .campaign import Campaign
from .cell_plan import CellPlan
from .errors import campaign_error, value_text
from .fit_schema import FitTable
from .fit_tables import fit_links, fitted_parameters
from .known_checks import recall
from .pair_checks import MatchedPlans, refuse_pairs
from .parameter_sets import SetFile
from .schema import CampaignFile
from .temperature_checks import refuse_impossible_temperatures

_CHECKED_WITHOUT_PYBAMM = ("SPM", "SPMe", "DFN")
"""Models that every PyBaMM version has; without options there is nothing to check."""


def check_with_pybamm(campaign: Campaign, plans: Sequence[CellPlan]) -> MatchedPlans:
    """Check parameter sets, parameters and model options with PyBaMM, imported only for what is new to it.

    A set that is of another kind than the model is named as such, not by the parameters that it does not have.

    Args:
        plans: one for each cell of the raw files.

    Returns:
        The plans without what cannot run.

    Raises:
        CampaignError: a file is not a parameter set, no set suits a model, a set lacks a parameter, PyBaMM does not
            have a model's option, or a fit includes a surface temperature that it cannot have.
    """
    refuse_impossible_temperatures(campaign, plans)
    if campaign.set_files:
        check_set_files(campaign.path, campaign.set_files)
    for model, table in zip(campaign.models, campaign.file.models, strict=True):
        if model.options or table.outputs or model.type not in _CHECKED_WITHOUT_PYBAMM:
            _check_model(campaign.path, model, tuple(table.outputs))
    matched = refuse_pairs(campaign, plans)
    if campaign.file.variations or any(plan.fits for plan in matched.plans):
        check_parameters(campaign, partial(_parameter_names, campaign), matched.plans)
    return matched


def _parameter_names(campaign: Campaign, base: str) -> frozenset[str]:
    """Return the names of all parameters of a set of a campaign."""
    return _known_names(campaign.base_set(base))


@cache
def _known_names(settings: ParameterSetSettings) -> frozenset[str]:
    return frozenset(recall(partial(_find_names, settings.key), "parameter names", sets=(settings,)))


def _find_names(key: str) -> list[str]:
    from ...jobs.parameters.sets import parameter_names

    return sorted(parameter_names(key))


def check_set_files(path: Path, files: Sequence[SetFile]) -> None:
    """Let PyBaMM make every parameter set that comes from a file, and make it known to the jobs of this process.

    Args:
        path: the campaign file, for the error's text.

    Raises:
        CampaignError: names each file that is not a parameter set, and why.
    """
    problems = []
    for file in files:
        define_set(file.settings.key, file.content)
        problem = recall(partial(_load_problem, file.settings.key), "set of a file", sets=(file.settings,))
        if problem:
            problems.append(f"{file.where}: {problem}")
    if problems:
        raise campaign_error(path, problems)


def _load_problem(key: str) -> str:
    """Return why PyBaMM can make no set of a file; "" = it can."""
    from ...jobs.parameters.sets import load_base_set

    try:
        load_base_set(key)
    except JobError as error:
        return str(error)
    return ""


def find_set_doubts(campaign: Campaign, plans: Sequence[CellPlan]) -> tuple[str, ...]:
    """Check the values of every parameter set that the campaign uses, with its variations.

    PyBaMM is imported only for sets that were not checked before.

    Args:
        plans: one for each cell of the raw files.

    Returns:
        One line for each contradiction in a set, with the numbers.

    Raises:
        CampaignError: names each set that no cell can have, or that describes several cells.
    """
    sets = {_unnamed(one): one for plan in plans for one in _used_sets(plan)}
    if not sets:
        return ()
    thermal = any(dict(model.options).get("thermal", "isothermal") != "isothermal" for model in campaign.models)
    problems: list[str] = []
    doubts: list[str] = []
    for settings in sorted(sets.values(), key=lambda one: one.name):
        try:
            refused, doubted = recall(partial(_find_doubts, settings, thermal), "set values", thermal, sets=(settings,))
        except JobError:
            continue  # each of its jobs says why
        problems += [f"parameter set {settings.name}: {line}" for line in refused]
        doubts += [f"parameter set {settings.name}: {line}" for line in doubted]
    if problems:
        raise campaign_error(campaign.path, problems)
    return tuple(doubts)


def _find_doubts(settings: ParameterSetSettings, thermal: bool) -> list[list[str]]:
    """Return why no cell can have a set, and its contradictions."""
    from ...jobs.models.set_checks import check_set_values

    found = check_set_values(settings, thermal=thermal)
    return [list(found.refused), list(found.doubts)]


def _used_sets(plan: CellPlan) -> Iterator[ParameterSetSettings]:
    yield from (simulation.parameter_set for simulation in plan.simulations)
    yield from (fit.settings.parameter_set for fit in plan.fits)


def _unnamed(settings: ParameterSetSettings) -> ParameterSetSettings:
    return replace(settings, name="")


def check_parameters(
    campaign: Campaign, names_of: Callable[[str], Collection[str]], plans: Sequence[CellPlan] = ()
) -> None:
    """Check the names of varied and fitted parameters.

    Args:
        names_of: returns the parameter names of a set, by the set's name.
        plans: one for each cell of the raw files; needed to check fits that leave the parameter set to the cell.

    Raises:
        CampaignError: names each parameter that a set does not have, with the nearest one it has.
    """
    problems = []
    for where, base, parameter in (*_varied_parameters(campaign.file), *_fitted_parameters(campaign, plans)):
        if parameter in GIVEN_PER_CELL:
            key = GIVEN_PER_CELL[parameter]
            problems.append(f"{where}: {value_text(parameter)} cannot be changed here: {key} sets it")
        elif parameter not in names_of(base):
            near = suggest_or_list(parameter, names_of(base))
            problems.append(f"{where}: {base} has no parameter {value_text(parameter)}{near}")
    if problems:
        raise campaign_error(campaign.path, problems)


def _varied_parameters(file: CampaignFile) -> Iterator[tuple[str, str, str]]:
    """Yield place, set and parameter for each change of a variation, for every set that ``[cells]`` names."""
    used = sorted({base for table in file.cells.values() for base in table.given.get("parameter_sets") or ()})
    for number, table in enumerate(file.variations, 1):
        for base in used:
            if table.applies_to(base):
                for parameter in table.parameters:
                    yield f"variations#{number}.parameters", base, parameter


def _fitted_parameters(campaign: Campaign, plans: Sequence[CellPlan]) -> Iterator[tuple[str, str, str]]:
    """Yield place, set and parameter for each fitted or linked parameter that a parameter set must have."""
    for where, table in campaign.named_fits():
        names = [parameter.name for parameter in fitted_parameters(table)]
        names += [link.name for link in fit_links(table)]
        for base in sorted(_fitted_bases(table, plans)):
            for name in names:
                if name not in CELL_PARAMETERS:
                    yield f"{where}.parameters", base, name


def _fitted_bases(table: FitTable, plans: Sequence[CellPlan]) -> set[str]:
    """Return the sets, without variations, that a fit changes."""
    if table.parameter_set is not None:
        return {table.parameter_set.partition("+")[0]}
    return {
        fit.settings.parameter_set.base
        for plan in plans
        for fit in plan.fits
        if table.name in (fit.settings.name, fit.settings.chain)
    }


def _check_model(path: Path, model: ModelSettings, outputs: tuple[str, ...]) -> None:
    problem = recall(partial(_output_problem, model, outputs), "outputs", model, outputs)
    if problem:
        raise CampaignError(f"{path}: model {model.name!r}: {problem}")


def _output_problem(model: ModelSettings, outputs: tuple[str, ...]) -> str:
    """Return why a model cannot be made, or does not have outputs; "" = it can, and has."""
    from ...jobs.models.outputs import check_outputs

    try:
        check_outputs(model, outputs)
    except JobError as error:
        return str(error)
    return ""
