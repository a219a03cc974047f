"""What ``kilocell fit`` was asked with options, turned into fits beside those of the campaign file."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from pydantic import ValidationError

from ...data.errors import UsageError
from ...data.fit_settings import PRESETS
from ...data.installed import parameter_set_names
from ...data.names import check_known
from ...data.settings import MODEL_TYPES
from .added_fits import describe_differences, replace_added_fits
from .campaign import Campaign
from .errors import describe_problems
from .fit_schema import FitTable
from .fit_tables import add_fit, covers, is_same_fit, merge_tables

DEFAULT_MODEL: Final = "SPMe"
NAME_IT: Final = "give this one a name of its own: --name NAME"


@dataclass(frozen=True, slots=True)
class FitOptions:
    """The options of ``kilocell fit`` that say which fit; ``None`` and empty = not given."""

    presets: tuple[str, ...] = ()
    model: str | None = None
    parameter_set: str | None = None
    cycles: str | None = None
    fit: str | None = None
    name: str | None = None
    starts: int | None = None
    seed: int | None = None
    method: str | None = None
    profiles: bool | None = None

    @property
    def given(self) -> bool:
        """Whether any was given."""
        return any(getattr(self, field.name) not in (None, ()) for field in fields(self))


@dataclass(frozen=True, slots=True)
class RequestedFits:
    """What a command asks for.

    Args:
        campaign: with the asked fits beside its own.
        names: of the fits to run; empty = all.
        new: what the campaign file does not have of these fits, now that they were asked.
    """

    campaign: Campaign
    names: tuple[str, ...] = ()
    new: tuple[FitTable, ...] = ()


def request_fits(campaign: Campaign, options: FitOptions, cells: tuple[str, ...]) -> RequestedFits:
    """Find or make the fits that the options name.

    A fit that is there already is taken with all that is not given again, and gets more starts or cells; one that is
    not has all else from the campaign.

    Raises:
        UsageError: a name that is not there, with the nearest that is; or another fit has the name.
    """
    if not options.given:
        return RequestedFits(campaign)
    _check(campaign, options)
    own = {table.name: table for table in campaign.file.fit}
    there = merge_tables((*campaign.file.fit, *campaign.asked))
    if _all_fits(options) and there:
        wanted = tuple(_more(table, options, cells) for table in there.values())
    else:
        wanted = (_more(_wanted(campaign, options, there), options, cells),)
    asked = campaign.asked
    for table in wanted:
        there_already = own.get(table.name)
        if there_already is None or not all(covers(there_already, table, cell) for cell in table.cells):
            asked = add_fit(asked, table)
    names = tuple(table.name for table in wanted)
    new = merge_tables(table for table in asked if table.name in names) if asked != campaign.asked else {}
    return RequestedFits(replace_added_fits(campaign, asked), names, tuple(new.values()))


def _check(campaign: Campaign, options: FitOptions) -> None:
    check_known("there is no preset", options.presets, PRESETS)
    if options.model is not None:
        known = {*MODEL_TYPES, *(model.label for model in campaign.file.models)}
        check_known("there is no model", [options.model], known)
    if options.parameter_set is not None:
        bases = (*parameter_set_names(), *campaign.file.parameter_sets)
        sets = {name for base in bases for name in campaign.file.set_names(base)}
        check_known("there is no parameter set", [options.parameter_set], sets)


def _all_fits(options: FitOptions) -> bool:
    """Whether nothing but the number of starts or profiles is given, which then is that of every fit."""
    return options == FitOptions(starts=options.starts, profiles=options.profiles)


def _wanted(campaign: Campaign, options: FitOptions, there: dict[str, FitTable]) -> FitTable:
    """The fit's table, with the cells and starts that it has, or with those of a table where they are not given."""
    if options.presets and options.fit is not None:
        raise UsageError("--fit names a fit that is there, --preset makes one: give one of them")
    own_name = options.name
    if options.presets:
        model = default_model(campaign)
        name = own_name or _preset_name(options, model, there)
        base = there.get(name)
        plain = base.model_dump(exclude_defaults=True) if base else {"model": model}
    else:
        base = there[_base_name(options, there)]
        other = options.model is not None and options.model != base.model
        name = own_name or (f"{options.model}-{base.name}" if other else base.name)
        plain = base.model_dump(exclude_defaults=True)
        base = there.get(name)
    table = _table(plain | _changes(options) | {"name": name})
    if base is not None and not is_same_fit(base, table):
        what = "; ".join(describe_differences(base, table))
        raise UsageError(
            f"there is a fit {name!r} already that is another ({what}); {NAME_IT}, or run that: --fit {name}"
        )
    return table


def _preset_name(options: FitOptions, default: str, there: dict[str, FitTable]) -> str:
    """The presets, after the model where that is another than the default; without a model, the fit that is there."""
    name = "-".join(options.presets)
    if options.model is not None:
        return name if options.model == default else f"{options.model}-{name}"
    others = [table.name for table in there.values() if table.name == f"{table.model}-{name}"]
    if name in there or not others:
        return name
    if len(others) > 1:
        raise UsageError(
            f"there are several of these presets ({', '.join(others)}): say which, --fit FIT or --model MODEL"
        )
    return others[0]


def default_model(campaign: Campaign) -> str:
    """The model of a fit that names none: SPMe where the campaign has it, else its first, or SPMe where it has none."""
    labels = [model.label for model in campaign.file.models]
    return DEFAULT_MODEL if DEFAULT_MODEL in labels or not labels else labels[0]


def _base_name(options: FitOptions, there: dict[str, FitTable]) -> str:
    if options.fit is not None:
        check_known("there is no fit", [options.fit], there)
        return options.fit
    if len(there) != 1:
        some = f" (there are {', '.join(sorted(there))})" if there else ""
        raise UsageError(f"say what to fit: --preset PRESET ({', '.join(PRESETS)}), or --fit FIT of the campaign{some}")
    return next(iter(there))


def _changes(options: FitOptions) -> dict[str, Any]:
    asked = {
        "presets": list(options.presets) or None,
        "model": options.model,
        "parameter_set": options.parameter_set,
        "cycles": options.cycles,
        "seed": options.seed,
        "method": options.method,
    }
    return {key: value for key, value in asked.items() if value is not None}


def _table(plain: dict[str, Any]) -> FitTable:
    try:
        return FitTable.model_validate(plain)
    except ValidationError as error:
        raise UsageError("; ".join(describe_problems(error, plain, FitTable))) from None


def _more(table: FitTable, options: FitOptions, cells: tuple[str, ...]) -> FitTable:
    """The fit with the starts and cells that are asked for; without, with its own, or those of a table."""
    asked: dict[str, Any] = {}
    if options.starts is not None:
        asked["starts"] = options.starts
    if options.profiles:
        asked["profiles"] = True
    if cells:
        asked["cells"] = list(dict.fromkeys(cells))
    return table.model_copy(update=asked)
