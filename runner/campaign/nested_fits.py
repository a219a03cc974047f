"""Fits of a cell that contain a smaller one: the larger has one more start, which begins at the smaller one's result.

Every value of the smaller fit is possible in the larger one, so that a larger fit whose own starts all end in a worse
minimum would say something wrong about its additional parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...data.fit_settings import INITIAL_SOC, FitSettings


def name_smaller_fits(fits: Sequence[FitSettings]) -> tuple[FitSettings, ...]:
    """Return the fits of one cell, each with the names of the largest fits that it contains.

    A fit that is inside another contained one is left out: the other one's result is at least as good.
    """
    named = []
    for fit in fits:
        inside = [other for other in fits if contains_fit(fit, other)]
        largest = [one for one in inside if not any(contains_fit(other, one) for other in inside)]
        named.append(replace(fit, smaller=tuple(one.name for one in largest)))
    return tuple(named)


def contains_fit(larger: FitSettings, smaller: FitSettings) -> bool:
    """Tell whether a fit searches all that another one searches and more, with the same objective on the same record.

    Their bounds, priors and searches may differ.
    """
    if not _names(smaller) < _names(larger) or not set(larger.links) <= set(smaller.links):
        return False
    if not _may_have_state(larger) and _may_have_state(smaller):
        return False
    return all(
        getattr(larger, key) == getattr(smaller, key)
        for key in ("cell", "model", "parameter_set", "cycles", "select", "objective")
    )


def _may_have_state(fit: FitSettings) -> bool:
    """Tell whether a fit searches the state of charge at the start, or adds it where it is uncertain."""
    return fit.fit_initial_soc != "never" or INITIAL_SOC in _names(fit)


def _names(fit: FitSettings) -> set[str]:
    """Names of the fitted parameters, and of those that are linked to them."""
    return {parameter.name for parameter in fit.parameters} | {link.name for link in fit.links}
