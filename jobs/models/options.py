"""PyBaMM's models: what their options are, which values these may have and which is the default; points of the mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pybamm

from ...data.settings import ModelSettings, OptionValue
from .pybamm_models import empty_model

NEEDED: Final[dict[str, tuple[tuple[str, OptionValue], ...]]] = {
    "MSMR": (("number of MSMR reactions", ("6", "4")),),
}
"""Options that a type of model cannot be made without, with an example."""

CIRCUIT_VALUES: Final = {
    "calculate discharge energy": ["false", "true"],
    "diffusion element": ["false", "true"],
    "number of rc elements": [0, 1, 2, 3],
}
"""What a circuit's options may be; PyBaMM tells it nowhere (there may be more RC elements, if the set has them)."""

FIXED: Final = ("Yang2017",)  # types whose options are their own


@dataclass(frozen=True, slots=True)
class ModelOption:
    """One option of a model; no values are listed where PyBaMM lists none, or where it is fixed.

    Args:
        default: the model's own; of a needed one, an example.
    """

    option: str
    default: str
    values: tuple[str, ...]
    needed: bool = False


def list_options(model_type: str) -> tuple[ModelOption, ...]:
    """Every option of a type of model, by name.

    Raises:
        JobError: PyBaMM cannot make the model (``cannot_build``).
    """
    model = _model(model_type)
    possible: dict[str, Any] = (
        CIRCUIT_VALUES if model_type == "Thevenin" else pybamm.BatteryModelOptions({}).possible_options
    )
    needed = dict(NEEDED.get(model_type, ()))
    return tuple(
        ModelOption(
            name,
            _text(value),
            () if model_type in FIXED or name in needed else tuple(_text(entry) for entry in possible.get(name, ())),
            name in needed,
        )
        for name, value in sorted(model.options.items(), key=lambda pair: pair[0].lower())
    )


def default_mesh(model_type: str) -> tuple[tuple[str, int], ...]:
    """Points of a model's mesh by direction, as a campaign names them."""
    model = _model(model_type)
    used = {str(getattr(key, "name", key)) for variables in model.default_geometry.values() for key in variables}
    points = {str(getattr(key, "name", key)): number for key, number in model.default_var_pts.items()}
    return tuple((name, number) for name, number in points.items() if name in used)


def _model(model_type: str) -> pybamm.BaseModel:
    return empty_model(ModelSettings(model_type, model_type, NEEDED.get(model_type, ())))


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value).replace("'", '"')
