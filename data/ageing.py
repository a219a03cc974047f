"""Models that age: those that lose lithium or active material while they are simulated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from .settings import ModelSettings

AGEING: Final = {
    "SEI": {"none", "constant"},
    "SEI on cracks": {"false"},
    "lithium plating": {"none"},
    "loss of active material": {"none"},
    "particle mechanics": {"none", "swelling only"},
}
"""PyBaMM's options that make a model age, each with the values that do not."""


def ageing_options(model: ModelSettings) -> tuple[str, ...]:
    """Return the options of a model that make it age, such as ``SEI``; empty = it does not age."""
    return tuple(name for name, value in model.options if name in AGEING and not set(_texts_in(value)) <= AGEING[name])


def _texts_in(value: Any) -> Iterator[str]:
    """Yield the texts in an option's value, which may hold one for each electrode and phase."""
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _texts_in(part)
    else:
        yield str(value)
