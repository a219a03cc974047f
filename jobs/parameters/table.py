"""Describe a parameter set: its kind, the models that it fits, and every parameter with value and unit."""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pybamm

from ...data.convert import parameter_unit
from ...data.errors import JobError
from ...data.settings import MODEL_TYPES, ParameterSetSettings
from .files import CAPACITIES, LOWER_CUTOFF, UPPER_CUTOFF
from .sets import apply_overrides

REFERENCE: Final = {"sto": 0.5, "soc": 0.5, "c_e": 1000.0, "T": 298.15, "T_dim": 298.15, "T_cell": 25.0, "current": 0.0}
"""Values of the arguments, by PyBaMM's names, at which a function is evaluated; in mol.m-3, K, °C (``T_cell``), A."""

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
"""Names of arguments in PyBaMM's functions, and what they mean."""

MODELS_BY_KIND: Final = {
    "lithium-ion": ("SPM", "SPMe", "DFN", "MPM", "NewmanTobias"),
    "sodium-ion": ("SPM", "SPMe", "DFN"),
    "lithium-ion half-cell": ("SPM", "SPMe", "DFN"),
    "lithium-ion, composite electrode": ("SPM", "SPMe", "DFN"),
    "lithium-ion, MSMR": ("MSMR",),
    "equivalent circuit": ("Thevenin",),
    "lead-acid": (),
}
"""The model types that each kind of parameter set fits."""

PHASE_PREFIXES: Final = ("Primary: ", "Secondary: ")
SIDES: Final = ("negative", "positive")
LONGEST_REASON: Final = 200  # characters of another package's error that are quoted


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """One parameter: a number, a text or a function.

    Args:
        parameter: its name.
        value: its number or text; of a function, the value at ``REFERENCE``, ``None`` = it cannot be evaluated there.
        unit: from the name, such as ``m2.s-1``; "" = none.
        function_of: the arguments of a function in words, separated by commas; "" = no function.
    """

    parameter: str
    value: float | str | None
    unit: str
    function_of: str = ""


@dataclass(frozen=True, slots=True)
class SetSummary:
    """What a parameter set describes.

    Args:
        kind: a key of ``MODELS_BY_KIND``.
        capacity_ah: nominal capacity in A.h; ``None`` = not given as a number.
        lower_volt, upper_volt: cut-offs in V; ``None`` = not given as numbers.
        models: the model types that it fits, with the option they need, in words.
        citations: keys of PyBaMM's citations.
        about: the first sentence of its description; "" = none.
    """

    kind: str
    capacity_ah: float | None
    lower_volt: float | None
    upper_volt: float | None
    models: str
    citations: tuple[str, ...] = ()
    about: str = ""


def summarise_set(settings: ParameterSetSettings) -> SetSummary:
    """Summarise a parameter set, overrides applied.

    Raises:
        JobError: ``bad_parameter_set``: it cannot be loaded.
    """
    values = _load(settings)
    kind = find_set_kind(values, settings.base)
    return SetSummary(
        kind,
        _first_number(values, CAPACITIES),
        _first_number(values, (LOWER_CUTOFF,)),
        _first_number(values, (UPPER_CUTOFF,)),
        _describe_models(kind, values),
        tuple(values.get("citations", ())),
        "" if settings.file_digest else _first_sentence(settings.base),
    )


def list_parameters(settings: ParameterSetSettings) -> tuple[ParameterRow, ...]:
    """List every parameter of a set, overrides applied, sorted by name.

    Raises:
        JobError: the set cannot be loaded (``bad_parameter_set``), or an override names a parameter that it does not
            have (``unknown_parameter``).
    """
    values = _load(settings)
    names = sorted((name for name in values if name != "citations"), key=str.lower)
    return tuple(_row(values, name) for name in names)


def find_set_kind(values: pybamm.ParameterValues, base: str = "") -> str:
    """Find the kind of a parameter set, a key of ``MODELS_BY_KIND``.

    Args:
        values: the set; its parameters decide where PyBaMM does not name the chemistry.
        base: the set's name in PyBaMM; "" = none.
    """
    chemistry = None
    if base in pybamm.parameter_sets:
        chemistry = pybamm.parameter_sets[base].get("chemistry")
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


def needed_option(kind: str, values: pybamm.ParameterValues) -> tuple[str, str | list[str]] | None:
    """Return the option, and its value, that a model needs to take a set of this kind; ``None`` = it needs none.

    Args:
        kind: a key of ``MODELS_BY_KIND``.
        values: the set, which gives the number of phases or of MSMR reactions of each electrode.
    """
    if kind == "lithium-ion half-cell":
        return "working electrode", "positive"
    if kind == "lithium-ion, composite electrode":
        phases = []
        for side in SIDES:
            has_two = f"Secondary: Maximum concentration in {side} electrode [mol.m-3]" in values
            phases.append("2" if has_two else "1")
        return "particle phases", phases
    if kind == "lithium-ion, MSMR":
        reactions = []
        for side in SIDES:
            beginning = f"{side.capitalize()} electrode host site occupancy fraction ("
            reactions.append(str(sum(name.startswith(beginning) for name in values)))
        return "number of MSMR reactions", reactions
    return None


def _load(settings: ParameterSetSettings) -> pybamm.ParameterValues:
    try:
        return apply_overrides(settings)
    except JobError:
        raise
    except Exception as error:  # another package's set may raise anything
        text = " ".join(str(error).split())[:LONGEST_REASON]
        reason = f"parameter set {settings.name} cannot be loaded: {type(error).__name__}: {text}"
        raise JobError(reason, "bad_parameter_set") from error


def _first_number(values: pybamm.ParameterValues, names: Sequence[str]) -> float | None:
    """Return the first of these parameters that the set has; ``None`` = it has none, or that one is no number."""
    for name in names:
        if name in values:
            return _number(values[name])
    return None


def _describe_models(kind: str, values: pybamm.ParameterValues) -> str:
    models = ", ".join(name for name in MODELS_BY_KIND[kind] if name in MODEL_TYPES)
    option = needed_option(kind, values)
    if option is None:
        return models
    return f'{models} with "{option[0]}" = {json.dumps(option[1])}'


def _row(values: pybamm.ParameterValues, name: str) -> ParameterRow:
    value = values[name]
    unit = parameter_unit(name)
    if callable(value):
        arguments = _argument_names(name, value)
        words = ", ".join(ARGUMENTS.get(argument, argument) for argument in arguments)
        return ParameterRow(name, _evaluate_at_reference(values, name, value, arguments), unit, words)
    if _is_number(value):
        return ParameterRow(name, _number(value), unit)
    return ParameterRow(name, str(value), unit)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _number(value: Any) -> float | None:
    return float(value) if _is_number(value) else None


def _argument_names(name: str, function: Any) -> tuple[str, ...]:
    """Return the names of a function's required arguments, in the words of PyBaMM's own sets.

    Functions from files use other words: ``x`` or ``var`` for a stoichiometry.
    """
    parameters = inspect.signature(function).parameters.values()
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    required = [p.name for p in parameters if p.default is p.empty and p.kind not in variable]
    of_stoichiometry = "electrode" in name or "particle" in name
    names = ["sto" if argument in ("x", "var") and of_stoichiometry else argument for argument in required]
    if name.startswith("Electrolyte ") and names:
        names[0] = "c_e"
    return tuple(names)


def _evaluate_at_reference(
    values: pybamm.ParameterValues, name: str, function: Any, arguments: tuple[str, ...]
) -> float | None:
    at: dict[str, float] = dict(REFERENCE)
    phase = next((phase for phase in PHASE_PREFIXES if name.startswith(phase)), "")
    side = next((side for side in SIDES if side in name.lower()), "")
    maximum_name = f"{phase}Maximum concentration in {side} electrode [mol.m-3]"
    if maximum_name in values:
        maximum = _number(values[maximum_name])
        if maximum is not None:
            at["c_s_max"] = maximum
            at["c_s_surf"] = 0.5 * maximum
    if any(argument not in at for argument in arguments):
        return None
    try:
        symbol = function(*(pybamm.Scalar(at[argument]) for argument in arguments))
        return float(np.asarray(values.process_symbol(pybamm.convert_to_symbol(symbol)).evaluate()).item())
    except (KeyError, ValueError, TypeError, AttributeError, NotImplementedError):
        return None


@functools.cache
def _first_sentence(base: str) -> str:
    """Return the first sentence of a PyBaMM set's description, without "Parameters for"; "" = it has none."""
    try:
        text = pybamm.parameter_sets.get_docstring(base)
    except (AttributeError, TypeError):  # the set has no docstring
        return ""
    text = re.sub(r":[\w:]+:`~?([^`]*)`", r"\1", " ".join(text.split()))
    text = re.sub(r"^Parameters for (an? |the )?", "", text)
    end = r"(?<=[a-z0-9)])\.\s| \.\. | SEI parameters | The tab | Parameters for "
    return re.split(end, text, maxsplit=1)[0].strip().rstrip(".")
