"""Check rules between the tables of a campaign file: unique names, and names that refer to other tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ...data.fit_settings import PRESETS
from ...data.installed import parameter_set_names
from ...data.names import suggest, suggest_or_list
from ...data.settings import MODEL_TYPES
from .errors import format_key, value_text
from .fit_schema import FitTable
from .fit_tables import selected_parts
from .hints import describe_model, describe_set
from .schema import CampaignFile


def find_table_problems(file: CampaignFile) -> list[str]:
    """Find what is wrong between tables.

    A simulation's label is MODEL-SET. Model names cannot hold ``+``, so labels differ if the names of models,
    variations and fits do.

    Returns:
        One line for each problem; empty when there is none.
    """
    return [
        *_only_missing_files(file),
        *_files_in_two_sources(file),
        *_repeated_names(file),
        *find_fit_problems(file, file.named_fits()),
    ]


def find_fit_problems(file: CampaignFile, named: Iterable[tuple[str, FitTable]]) -> Iterator[str]:
    """Yield what is wrong between fits and the campaign's models, parameter sets and variations, a line each.

    Args:
        named: each fit to check, after the place where it is defined.
    """
    links = {name: fit.name for fit in file.fit for name in fit.link_names}
    for where, fit in named:
        if fit.name in links:
            chain = value_text(links[fit.name])
            yield f"{where}.name = {value_text(fit.name)}: is the name of a fit in the chain {chain}; choose another"
        for name in {fit.name, *fit.link_names}.intersection(variation.name for variation in file.variations):
            yield (
                f"{where}.name = {value_text(name)}: is a variation's name already; "
                "both are part of a parameter set's name, so choose another"
            )
        yield from _find_unknown_references(file, where, fit)
        yield from _find_common_cycles(where, fit)


def _find_common_cycles(where: str, fit: FitTable) -> Iterator[str]:
    """Yield the cycle that a fit both fits and holds out by its selections."""
    fitted, held_out = selected_parts(fit)
    both = sorted(set(fitted.cycles) & set(held_out.cycles))
    if both and fitted.select is None and held_out.select is None:
        yield (
            f"{where}.validation_select = {value_text(fit.validation_select)}: cycle {both[0]} is fitted, too; "
            "validation needs a part that is not fitted"
        )


def _only_missing_files(file: CampaignFile) -> Iterator[str]:
    """Yield every missing file if no file of the campaign exists; a missing file beside others fails alone."""
    entries = [
        (f"sources#{number}.files#{position}", named)
        for number, source in enumerate(file.sources, 1)
        for position, named in enumerate(source.files, 1)
    ]
    if all(named.missing for _, named in entries):
        yield from (f"{where} = {value_text(named.pattern)}: {named.missing}" for where, named in entries)


def _files_in_two_sources(file: CampaignFile) -> Iterator[str]:
    first: dict[Path, int] = {}
    for number, source in enumerate(file.sources, 1):
        for path in source.paths:
            if first.setdefault(path, number) != number:
                yield f"sources#{number}.files: {path} is in sources#{first[path]} already; remove one of them"


def _repeated_names(file: CampaignFile) -> Iterator[str]:
    yield from _describe_repeated("models", [model.label for model in file.models], "give each model its own name")
    variations = [variation.name for variation in file.variations]
    yield from _describe_repeated("variations", variations, "give each variation its own name")
    yield from _describe_repeated("fit", [fit.name for fit in file.fit], "give each fit its own name")


def _describe_repeated(table: str, names: Sequence[str], advice: str) -> Iterator[str]:
    for number, name in enumerate(names, 1):
        if name in names[: number - 1]:
            yield f"{table}#{number}.name = {value_text(name)}: is the name of an earlier one; {advice}"


def _find_unknown_references(file: CampaignFile, where: str, fit: FitTable) -> Iterator[str]:
    """Yield the names of models, sets and linked parameters in a fit that do not exist."""
    models = {*MODEL_TYPES, *(model.label for model in file.models)}
    if fit.model not in models:
        yield f"{where}.model = {value_text(fit.model)}: unknown model{describe_model(fit.model, models)}"
    sets = {name for base in (*parameter_set_names(), *file.parameter_sets) for name in file.set_names(base)}
    if fit.parameter_set is not None and fit.parameter_set not in sets:
        near = suggest(fit.parameter_set, sets) or describe_set(fit.parameter_set, list(file.parameter_sets))
        yield f"{where}.parameter_set = {value_text(fit.parameter_set)}: unknown parameter set{near}"
    yield from _find_bad_links(where, fit)


def _find_bad_links(where: str, fit: FitTable) -> Iterator[str]:
    """Yield the links of a fit to a parameter that is not fitted: unknown, linked itself, or in a circle."""
    links = {name: entry.link for name, entry in fit.parameters.items() if entry.link is not None}
    fitted = {parameter.name for preset in fit.presets for parameter in PRESETS[preset]} | fit.parameters.keys()
    fitted -= links.keys()
    for name, target in links.items():
        if target in fitted:
            continue
        if target in links:
            reason = _describe_linked(name, links, fitted)
        else:
            reason = f"is not fitted{suggest_or_list(target, fitted)}"
        yield f"{where}.parameters.{format_key(name)}.link = {value_text(target)}: {reason}"


def _describe_linked(name: str, links: Mapping[str, str], fitted: Collection[str]) -> str:
    """Say why a parameter cannot be linked to one that is linked, too, and to which one it can.

    Args:
        links: parameter to what it is linked to.
        fitted: parameters with bounds.
    """
    path = [name]
    while path[-1] in links and path[-1] not in path[:-1]:
        path.append(links[path[-1]])
    if path[-1] in fitted:
        return f"is linked, too; link to the fitted parameter {value_text(path[-1])}"
    circle = path[path.index(path[-1]) :] if path[-1] in path[:-1] else []
    if len(circle) == 2:
        return "is linked to itself; give it bounds instead"
    if circle:
        return f"is linked in a circle ({' → '.join(circle)}); give one of these parameters bounds instead of a link"
    return f"is linked to {value_text(path[-1])}, which is not fitted{suggest_or_list(path[-1], fitted)}"
