"""List the options of PyBaMM's models with their values and defaults, and the points of their meshes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pybamm

from ...data.settings import ModelSettings, OptionValue
from .pybamm_models import CIRCUIT, empty_model, used_mesh_points

NEEDED: Final[dict[str, tuple[tuple[str, OptionValue], ...]]] = {
    "MSMR": (("number of MSMR reactions", ("6", "4")),),
}
"""Options without which a model type cannot be created, with an example value."""

CIRCUIT_VALUES: Final = {
    "calculate discharge energy": ["false", "true"],
    "diffusion element": ["false", "true"],
    "number of rc elements": [0, 1, 2, 3],
}
"""Values of a circuit's options, which PyBaMM does not list; more RC elements are possible if the set has them."""

FIXED: Final = ("Yang2017",)  # model types whose options cannot be changed


@dataclass(frozen=True, slots=True)
class ModelOption:
    """One option of a model.

    Args:
        option: its name.
        default: the model's default; for a needed option, an example.
        values: the possible values; empty = PyBaMM does not list them, or the option is fixed.
        needed: the model cannot be created without this option.
    """

    option: str
    default: str
    values: tuple[str, ...]
    needed: bool = False


def list_options(model_type: str) -> tuple[ModelOption, ...]:
    """List every option of a model type, sorted by name.

    Args:
        model_type: such as ``SPMe``, a name in ``MODEL_TYPES``.

    Raises:
        JobError: PyBaMM cannot create the model (``cannot_build``).
    """
    defaults = _example_model(model_type).options
    possible: dict[str, Any] = CIRCUIT_VALUES
    if model_type != CIRCUIT:
        possible = pybamm.BatteryModelOptions({}).possible_options
    needed = dict(NEEDED.get(model_type, ()))
    options = []
    for name in sorted(defaults, key=str.lower):
        is_needed = name in needed
        values: tuple[str, ...] = ()
        if model_type not in FIXED and not is_needed:
            values = tuple(_text(value) for value in possible.get(name, ()))
        options.append(ModelOption(name, _text(defaults[name]), values, is_needed))
    return tuple(options)


def default_mesh(model_type: str) -> tuple[tuple[str, int], ...]:
    """Return the directions of a model's mesh, by the names that a campaign uses, with their default points.

    Args:
        model_type: such as ``SPMe``, a name in ``MODEL_TYPES``.
    """
    model = _example_model(model_type)
    used = used_mesh_points(model)
    points = {str(getattr(key, "name", key)): number for key, number in model.default_var_pts.items()}
    return tuple((name, number) for name, number in points.items() if name in used)


def _example_model(model_type: str) -> pybamm.BaseModel:
    return empty_model(ModelSettings(model_type, model_type, NEEDED.get(model_type, ())))


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value).replace("'", '"')
