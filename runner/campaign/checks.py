"""What has to fit between the tables of a campaign file: names that are unique, and names that refer to others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from ...data.fit_settings import PRESETS
from ...data.installed import parameter_set_names
from ...data.names import suggest_or_list
from ...data.settings import MODEL_TYPES
from .errors import format_key, value_text
from .fit_schema import FitTable
from .schema import CampaignFile

AGEING: Final = {
    "SEI": {"none", "constant"},
    "SEI on cracks": {"false"},
    "lithium plating": {"none"},
    "loss of active material": {"none"},
    "particle mechanics": {"none", "swelling only"},
}
"""PyBaMM's options by which a model ages, each with the values by which it does not."""


def find_table_problems(file: CampaignFile) -> list[str]:
    """Return what is wrong between tables, a line each; empty when all is well.

    A simulation's label is model-set: model names hold no ``+``, so that labels are distinct when model names,
    variations and fits are.
    """
    named = tuple(file.named_fits())
    return [
        *_files_read_twice(file),
        *_names_given_twice(file),
        *find_fit_problems(file, named),
        *_ageing_in_parts(file),
    ]


def find_fit_problems(file: CampaignFile, named: Iterable[tuple[str, FitTable]]) -> Iterator[str]:
    """Yield what is wrong between fits, each with where it stands, and the campaign's models, sets and variations."""
    links = {name: fit.name for fit in file.fit for name in fit.link_names}
    for where, fit in named:
        if fit.name in links:
            chain = value_text(links[fit.name])
            yield f"{where}.name = {value_text(fit.name)}: is the name of a fit in the chain {chain} already"
        for name in {fit.name, *fit.link_names}.intersection(variation.name for variation in file.variations):
            yield f"{where}.name = {value_text(name)}: is a variation's name already; both name parameter sets"
        yield from _find_unknown_references(file, where, fit)


def _files_read_twice(file: CampaignFile) -> Iterator[str]:
    first: dict[Path, int] = {}
    for number, source in enumerate(file.sources, 1):
        for path in source.paths:
            if first.setdefault(path, number) != number:
                yield f"sources#{number}.files: {path} is in sources#{first[path]} already"


def _names_given_twice(file: CampaignFile) -> Iterator[str]:
    yield from _twice("models", [model.label for model in file.models], "give each model a name of its own")
    variations = [variation.name for variation in file.variations]
    yield from _twice("variations", variations, "give each variation a name of its own")
    yield from _twice("fit", [fit.name for fit in file.fit], "give each fit a name of its own")


def _twice(table: str, names: Sequence[str], advice: str) -> Iterator[str]:
    for number, name in enumerate(names, 1):
        if name in names[: number - 1]:
            yield f"{table}#{number}.name = {value_text(name)}: is the name of an earlier one; {advice}"


def _find_unknown_references(file: CampaignFile, where: str, fit: FitTable) -> Iterator[str]:
    models = {*MODEL_TYPES, *(model.label for model in file.models)}
    if fit.model not in models:
        yield f"{where}.model = {value_text(fit.model)}: unknown model{suggest_or_list(fit.model, models)}"
    sets = {name for base in (*parameter_set_names(), *file.parameter_sets) for name in file.set_names(base)}
    if fit.parameter_set is not None and fit.parameter_set not in sets:
        near = suggest_or_list(fit.parameter_set, sets)
        yield f"{where}.parameter_set = {value_text(fit.parameter_set)}: unknown parameter set{near}"
    free = {p.name for preset in fit.presets for p in PRESETS[preset]} | fit.parameters.keys()
    free -= {name for name, entry in fit.parameters.items() if entry.link is not None}
    for name, entry in fit.parameters.items():
        if entry.link is not None and entry.link not in free:
            near = suggest_or_list(entry.link, free)
            yield f"{where}.parameters.{name}.link = {value_text(entry.link)}: is not fitted{near}"


def _ageing_in_parts(file: CampaignFile) -> Iterator[str]:
    """A model that ages carries what it lost from cycle to cycle: it needs the whole record."""
    if file.simulate.cycles.whole:
        return
    for number, model in enumerate(file.models, 1):
        for option in sorted(AGEING.keys() & model.options.keys()):
            value = model.options[option]
            if not set(_plain(value)) <= AGEING[option]:
                key = f"models#{number}.options.{format_key(option)} = {value_text(value)}"
                yield (
                    f"{key}: ages the cell, which needs the whole record in one go, but [simulate] cycles = "
                    f"{value_text(file.simulate.cycles.text)}: leave that out, or the option"
                )


def _plain(value: Any) -> Iterator[str]:
    """The texts in an option's value, which may be one for each electrode and phase."""
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _plain(part)
    else:
        yield str(value)
