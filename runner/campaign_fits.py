"""A campaign's table of a fit, turned into the parameters that are searched and those that hang on them."""

from __future__ import annotations

from ..data.fit_presets import PRESETS
from ..data.fit_settings import FitLink, FitParameter
from .campaign_fit_schema import FitTable


def fitted_parameters(table: FitTable) -> tuple[FitParameter, ...]:
    """The presets' parameters, and those that the table names itself, which come in the place of a preset's."""
    found = {p.name: p for preset in table.presets for p in PRESETS[preset]}
    for name, entry in table.parameters.items():
        if entry.link is not None:
            found.pop(name, None)
        elif entry.bounds is not None:
            prior = None if entry.prior is None else (entry.prior[0], entry.prior[1])
            low, high = entry.bounds
            found[name] = FitParameter(name, low, high, entry.scale, entry.first, prior, entry.relative)
    return tuple(found.values())


def fit_links(table: FitTable) -> tuple[FitLink, ...]:
    """The parameters that hang on fitted ones."""
    return tuple(FitLink(name, e.link, e.ratio) for name, e in table.parameters.items() if e.link is not None)
