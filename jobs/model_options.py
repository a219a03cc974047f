"""PyBaMM's models: what their options are, which values these may have, and which one is the default."""

from __future__ import annotations

from dataclasses import dataclass

import pybamm

from ..data.settings import ModelSettings
from .models import empty_model


@dataclass(frozen=True, slots=True)
class ModelOption:
    """One option of a model; no values are listed where PyBaMM lists none."""

    option: str
    default: str
    values: tuple[str, ...]


def options_of(model_type: str) -> tuple[ModelOption, ...]:
    """Every option of a type of model, by name.

    Raises:
        JobError: PyBaMM cannot make the model (``cannot_build``).
    """
    model = empty_model(ModelSettings(model_type, model_type))
    possible = getattr(model.options, "possible_options", None) or pybamm.BatteryModelOptions({}).possible_options
    return tuple(
        ModelOption(name, _text(value), _values(possible.get(name, ())))
        for name, value in sorted(model.options.items(), key=lambda pair: pair[0].lower())
    )


def _values(possible: object) -> tuple[str, ...]:
    return tuple(_text(value) for value in possible) if isinstance(possible, (list, tuple)) else ()


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value).replace("'", '"')
