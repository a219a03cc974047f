"""What is in a parameter set: its kind, the models that fit it, and every parameter with value and unit."""

from __future__ import annotations

import functools
import inspect
import json
import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pybamm

from ...data.convert import parameter_unit
from ...data.errors import JobError
from ...data.settings import MODEL_TYPES, ParameterSetSettings
from .files import CAPACITIES, LOWER, UPPER
from .sets import apply_overrides

REFERENCE: Final = {"sto": 0.5, "soc": 0.5, "c_e": 1000.0, "T": 298.15, "T_dim": 298.15, "T_cell": 25.0, "current": 0.0}
REFERENCE_WORDS: Final = "stoichiometry 0.5, 1000 mol.m-3 in the electrolyte, 25 °C"
ARGUMENTS: Final = {
    "sto": "stoichiometry",
    "c_e": "electrolyte concentration",
    "c_s_surf": "surface concentration",
    "c_s_max": "maximum concentration",
    "c_Li": "plated lithium",
    "T": "temperature",
    "T_dim": "temperature",
    "T_cell": "temperature",
    "soc": "state of charge",
    "L_sei": "SEI thickness",
    "ocv": "open-circuit voltage",
}
MODELS_BY_KIND: Final = {
    "lithium-ion": ("SPM", "SPMe", "DFN", "MPM", "NewmanTobias"),
    "sodium-ion": ("SPM", "SPMe", "DFN"),
    "lithium-ion half-cell": ("SPM", "SPMe", "DFN"),
    "lithium-ion, composite electrode": ("SPM", "SPMe", "DFN"),
    "lithium-ion, MSMR": ("MSMR",),
    "equivalent circuit": ("Thevenin",),
    "lead-acid": (),
}
"""For each kind of set: the types of models that it fits."""


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """One parameter: a number, a text, or a function with its value at ``REFERENCE`` (``None`` where it has none)."""

    parameter: str
    value: float | str | None
    unit: str
    function_of: str = ""


@dataclass(frozen=True, slots=True)
class SetSummary:
    """What a set is of: kind, capacity in A.h, voltage window in V, models that fit, citation keys and a sentence."""

    kind: str
    capacity_ah: float | None
    lower_volt: float | None
    upper_volt: float | None
    models: str
    citations: tuple[str, ...] = ()
    about: str = ""


def summarise_set(settings: ParameterSetSettings) -> SetSummary:
    """Summarise a parameter set.

    Raises:
        JobError: ``bad_parameter_set``: it cannot be loaded.
    """
    values = _load(settings)
    kind = find_set_kind(values, settings.base)
    capacity, lower, upper = (
        next((_number(values[name]) for name in names if name in values), None)
        for names in (CAPACITIES, (LOWER,), (UPPER,))
    )
    citations = values.get("citations", ())
    about = "" if settings.file_digest else _first_sentence(settings.base)
    return SetSummary(kind, capacity, lower, upper, _models(kind, values), tuple(citations), about)


def list_parameters(settings: ParameterSetSettings) -> tuple[ParameterRow, ...]:
    """Every parameter of a set, overrides applied, by name.

    Raises:
        JobError: the set cannot be loaded, or an override names a parameter that it does not have.
    """
    values = _load(settings)
    names = sorted((name for name in values if name != "citations"), key=str.lower)
    return tuple(_row(values, name) for name in names)


def find_set_kind(values: pybamm.ParameterValues, base: str = "") -> str:
    """Tell a set's kind, a key of ``MODELS_BY_KIND``: by what PyBaMM calls it, else by the parameters it has."""
    chemistry = pybamm.parameter_sets[base].get("chemistry") if base in pybamm.parameter_sets else None
    if chemistry == "ecm" or ("R0 [Ohm]" in values and "Open-circuit voltage [V]" in values):
        return "equivalent circuit"
    if chemistry == "lead_acid" or "Molar volume of lead [m3.mol-1]" in values:
        return "lead-acid"
    if chemistry == "sodium_ion":
        return "sodium-ion"
    if any("host site" in name for name in values):
        return "lithium-ion, MSMR"
    if any(name.startswith("Secondary: Maximum concentration") for name in values):
        return "lithium-ion, composite electrode"
    if "Maximum concentration in negative electrode [mol.m-3]" not in values:
        return "lithium-ion half-cell"
    return "lithium-ion"


def _load(settings: ParameterSetSettings) -> pybamm.ParameterValues:
    try:
        return apply_overrides(settings)
    except JobError:
        raise
    except Exception as error:  # another package's set may raise anything
        text = " ".join(str(error).split())[:200]
        reason = f"{settings.name} cannot be loaded: {type(error).__name__}: {text}"
        raise JobError(reason, "bad_parameter_set") from error


def _models(kind: str, values: pybamm.ParameterValues) -> str:
    option = needed_option(kind, values)
    words = f' with "{option[0]}" = {json.dumps(option[1])}' if option else ""
    return ", ".join(name for name in MODELS_BY_KIND[kind] if name in MODEL_TYPES) + words


def needed_option(kind: str, values: pybamm.ParameterValues) -> tuple[str, str | list[str]] | None:
    """The option that a model needs to take a set of this kind, with its value; ``None`` = none."""
    sides = ("negative", "positive")
    if kind == "lithium-ion half-cell":
        return "working electrode", "positive"
    if kind == "lithium-ion, composite electrode":
        two = [f"Secondary: Maximum concentration in {side} electrode [mol.m-3]" in values for side in sides]
        return "particle phases", ["2" if phases else "1" for phases in two]
    if kind == "lithium-ion, MSMR":
        named = [f"{side.capitalize()} electrode host site occupancy fraction (" for side in sides]
        return "number of MSMR reactions", [str(sum(name.startswith(start) for name in values)) for start in named]
    return None


def _row(values: pybamm.ParameterValues, name: str) -> ParameterRow:
    value = values[name]
    if not callable(value):
        return ParameterRow(name, _number(value) if _is_number(value) else str(value), parameter_unit(name))
    arguments = _arguments(name, value)
    words = ", ".join(ARGUMENTS.get(argument, argument) for argument in arguments)
    return ParameterRow(name, _evaluate_at_reference(values, name, value, arguments), parameter_unit(name), words)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _number(value: Any) -> float | None:
    return float(value) if _is_number(value) else None


def _arguments(name: str, function: Any) -> tuple[str, ...]:
    """Names of a function's arguments as PyBaMM's sets call them; those of files call some of them otherwise."""
    found = inspect.signature(function).parameters.values()
    own = [p.name for p in found if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    of_stoichiometry = "electrode" in name or "particle" in name
    names = ["sto" if argument in ("x", "var") and of_stoichiometry else argument for argument in own]
    if name.startswith("Electrolyte ") and names:
        names[0] = "c_e"
    return tuple(names)


def _evaluate_at_reference(
    values: pybamm.ParameterValues, name: str, function: Any, arguments: tuple[str, ...]
) -> float | None:
    at = dict(REFERENCE)
    phase = next((phase for phase in ("Primary: ", "Secondary: ") if name.startswith(phase)), "")
    side = next((side for side in ("negative", "positive") if side in name.lower()), "")
    maximum = f"{phase}Maximum concentration in {side} electrode [mol.m-3]"
    if maximum in values and (number := _number(values[maximum])) is not None:
        at |= {"c_s_max": number, "c_s_surf": 0.5 * number}
    if any(argument not in at for argument in arguments):
        return None
    try:
        symbol = function(*(pybamm.Scalar(at[argument]) for argument in arguments))
        return float(np.asarray(values.process_symbol(pybamm.convert_to_symbol(symbol)).evaluate()).item())
    except (KeyError, ValueError, TypeError, AttributeError, NotImplementedError):
        return None


@functools.cache
def _first_sentence(base: str) -> str:
    """The first sentence of a set's own description."""
    try:
        text = pybamm.parameter_sets.get_docstring(base)
    except (AttributeError, TypeError):  # it has none
        return ""
    text = re.sub(r":[\w:]+:`~?([^`]*)`", r"\1", " ".join(text.split()))
    text = re.sub(r"^Parameters for (an? |the )?", "", text)
    end = r"(?<=[a-z0-9)])\.\s| \.\. | SEI parameters | The tab | Parameters for "
    return re.split(end, text, maxsplit=1)[0].strip().rstrip(".")
