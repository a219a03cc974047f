"""Turn the options of ``kilocell fit`` into fits, besides those of the campaign file."""

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
REPLACED_KEYS: Final = (("select", "cycles"), ("cycles", "select"), ("validation_select", "validation_cycles"))
"""An option, and the key of an existing fit that it replaces."""


@dataclass(frozen=True, slots=True)
class FitOptions:
    """The options of ``kilocell fit`` that define a fit; ``None`` and empty = not given.

    Args:
        fit: name of an existing fit.
        name: name for a new fit.
        cycles: cycles to fit, such as ``1-3, 5``.
        select: parts of the record to fit, such as ``cycle 2, discharge``.
        validation_select: parts that are held out.
    """

    presets: tuple[str, ...] = ()
    model: str | None = None
    parameter_set: str | None = None
    cycles: str | None = None
    select: str | None = None
    validation_select: str | None = None
    fit: str | None = None
    name: str | None = None
    starts: int | None = None
    seed: int | None = None
    method: str | None = None
    profiles: bool | None = None

    @property
    def given(self) -> bool:
        """Whether any option was given."""
        return any(getattr(self, field.name) not in (None, ()) for field in fields(self))


@dataclass(frozen=True, slots=True)
class RequestedFits:
    """The fits that a command asks for.

    Args:
        campaign: with the requested fits besides its own.
        names: names of the fits to run; empty = all.
        new: what the campaign file lacks of these fits after this command.
    """

    campaign: Campaign
    names: tuple[str, ...] = ()
    new: tuple[FitTable, ...] = ()


def request_fits(campaign: Campaign, options: FitOptions, cells: tuple[str, ...]) -> RequestedFits:
    """Find or make the fits that the options name.

    An existing fit keeps all settings that are not given again, and may get more starts, profiles or cells. A new fit
    takes everything that is not given from the campaign.

    Args:
        cells: only these cells; empty = the cells of an existing fit, or all.

    Raises:
        UsageError: an unknown name, with the nearest valid one; or another fit has the name.
    """
    if not options.given:
        return RequestedFits(campaign)
    _check_names(campaign, options)
    existing = merge_tables((*campaign.file.fit, *campaign.asked))
    if _extends_all_fits(options) and existing:
        requested = tuple(_extend(table, options, cells) for table in existing.values())
    else:
        requested = (_extend(_find_or_make(campaign, options, existing), options, cells),)
    own = {table.name: table for table in campaign.file.fit}
    added = campaign.asked
    for table in requested:
        own_table = own.get(table.name)
        if own_table is None or not all(covers(own_table, table, cell) for cell in table.cells):
            added = add_fit(added, table)
    names = tuple(table.name for table in requested)
    new: tuple[FitTable, ...] = ()
    if added != campaign.asked:
        new = tuple(merge_tables(table for table in added if table.name in names).values())
    return RequestedFits(replace_added_fits(campaign, added), names, new)


def default_model(campaign: Campaign) -> str:
    """Return the model of a fit that names none: SPMe if the campaign has it or has no models, else its first model."""
    labels = [model.label for model in campaign.file.models]
    if DEFAULT_MODEL in labels or not labels:
        return DEFAULT_MODEL
    return labels[0]


def _check_names(campaign: Campaign, options: FitOptions) -> None:
    check_known("there is no preset", options.presets, PRESETS)
    if options.model is not None:
        known = {*MODEL_TYPES, *(model.label for model in campaign.file.models)}
        check_known("there is no model", [options.model], known)
    if options.parameter_set is not None:
        bases = (*parameter_set_names(), *campaign.file.parameter_sets)
        sets = {name for base in bases for name in campaign.file.set_names(base)}
        check_known("there is no parameter set", [options.parameter_set], sets)


def _extends_all_fits(options: FitOptions) -> bool:
    """Whether only starts or profiles are given, which then hold for every fit."""
    return options == FitOptions(starts=options.starts, profiles=options.profiles)


def _find_or_make(campaign: Campaign, options: FitOptions, existing: dict[str, FitTable]) -> FitTable:
    """Return the table of the fit that the options name, with its cells and starts, or the defaults if it is new."""
    if options.presets and options.fit is not None:
        raise UsageError("--fit names an existing fit and --preset makes a new one: give one of them")
    if options.presets:
        model = default_model(campaign)
        name = options.name or _preset_name(options, model, existing)
        base = existing.get(name)
        keys: dict[str, Any] = {"model": model}
    else:
        base = existing[_base_name(options, existing)]
        name = options.name or _name_with_model(options, base)
        keys = {}
    if base is not None:
        keys = base.model_dump(exclude_defaults=True)
    changed = _changed_keys(options)
    for one, other in REPLACED_KEYS:
        if one in changed and other not in changed:
            keys.pop(other, None)
    table = _make_table(keys | changed | {"name": name})
    same_name = existing.get(name)
    if same_name is not None and not is_same_fit(same_name, table):
        differences = "; ".join(describe_differences(same_name, table))
        raise UsageError(
            f"another fit {name!r} exists ({differences}); "
            f"give the new fit its own name: --name NAME, or run the existing fit: --fit {name}"
        )
    return table


def _name_with_model(options: FitOptions, base: FitTable) -> str:
    """Return the fit's name, after the model if that is another one."""
    if options.model is not None and options.model != base.model:
        return f"{options.model}-{base.name}"
    return base.name


def _preset_name(options: FitOptions, default: str, existing: dict[str, FitTable]) -> str:
    """Return the name of a fit with these presets.

    Args:
        default: the model of a fit that names none.

    Returns:
        The presets, after the model if that is not the default. If no model is given, the name of the only existing
        fit with these presets.
    """
    name = "-".join(options.presets)
    if options.model == default:
        return name
    if options.model is not None:
        return f"{options.model}-{name}"
    others = [table.name for table in existing.values() if table.name == f"{table.model}-{name}"]
    if name in existing or not others:
        return name
    if len(others) > 1:
        raise UsageError(
            f"several fits have these presets ({', '.join(others)}): choose one with --fit FIT or --model MODEL"
        )
    return others[0]


def _base_name(options: FitOptions, existing: dict[str, FitTable]) -> str:
    """Return the name of the existing fit that the options mean."""
    if options.fit is not None:
        check_known("there is no fit", [options.fit], existing)
        return options.fit
    if len(existing) == 1:
        return next(iter(existing))
    known = f" (one of {', '.join(sorted(existing))})" if existing else ""
    raise UsageError(f"no fit chosen: give --preset PRESET ({', '.join(PRESETS)}), or --fit FIT of the campaign{known}")


def _changed_keys(options: FitOptions) -> dict[str, Any]:
    """Return the keys of a fit's table that the options give, except those that can be extended."""
    keys = {
        "presets": list(options.presets) or None,
        "model": options.model,
        "parameter_set": options.parameter_set,
        "cycles": options.cycles,
        "select": options.select,
        "validation_select": options.validation_select,
        "seed": options.seed,
        "method": options.method,
    }
    return {key: value for key, value in keys.items() if value is not None}


def _make_table(keys: dict[str, Any]) -> FitTable:
    try:
        return FitTable.model_validate(keys)
    except ValidationError as error:
        raise UsageError("; ".join(describe_problems(error, keys, FitTable))) from None


def _extend(table: FitTable, options: FitOptions, cells: tuple[str, ...]) -> FitTable:
    """Return the fit with the given starts, profiles and cells; what is not given stays."""
    changes: dict[str, Any] = {}
    if options.starts is not None:
        changes["starts"] = options.starts
    if options.profiles:
        changes["profiles"] = True
    if cells:
        changes["cells"] = list(dict.fromkeys(cells))
    return table.model_copy(update=changes)
