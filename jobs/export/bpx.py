"""A parameter set as BPX (bpxstandard.com), as far as BPX can hold it: isothermal, one active material an electrode."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pybamm

from ...data.arrays import Floats
from ...data.convert import celsius_to_kelvin
from ...data.errors import UsageError
from ...data.results.fitting import Beginning
from ...data.settings import ModelSettings, ParameterSetSettings
from ..models.equilibrium import find_equilibrium
from ..parameters.files import LOWER_CUTOFF, UPPER_CUTOFF
from ..parameters.sets import AMBIENT, CAPACITY, INITIAL_TEMPERATURE, PARALLEL

BPX_VERSION: Final = "1.1.0"
MODELS: Final = ("SPM", "SPMe", "DFN")
FARADAY: Final = float(pybamm.constants.F.value)
GAS_CONSTANT: Final = float(pybamm.constants.R.value)
REFERENCE_TEMPERATURE: Final = "Reference temperature [K]"
ELECTROLYTE_CONCENTRATION: Final = "Initial concentration in electrolyte [mol.m-3]"
ZERO_CELSIUS: Final = celsius_to_kelvin(0.0)
TEMPERATURE_STEP: Final = 20.0  # K: how far from the reference temperature an activation energy is looked for
SAME_VALUE_TOLERANCE: Final = 1e-6  # relative: functions closer than this are the same
STOICHIOMETRY: Final = np.linspace(0.0005, 0.9995, 2000)  # of tables
CONCENTRATION: Final = np.linspace(1.0, 4000.0, 2000)
_BINARY: Final = {
    pybamm.Addition: "+",
    pybamm.Subtraction: "-",
    pybamm.Multiplication: "*",
    pybamm.Division: "/",
    pybamm.Power: "**",
}
_FUNCTIONS: Final = {
    pybamm.Exp: "exp({})",
    pybamm.Tanh: "tanh({})",
    pybamm.Cosh: "cosh({})",
    pybamm.Sqrt: "({} ** 0.5)",
}


class _Parts:
    """A set's values as BPX wants them; what it cannot hold is collected, so that all of it is told at once."""

    def __init__(self, values: pybamm.ParameterValues) -> None:
        self.values = values
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.reference = self.number(REFERENCE_TEMPERATURE)
        self.present = self.number(AMBIENT)

    def number(self, name: str) -> float:
        value = self.values.get(name)
        if isinstance(value, pybamm.Scalar):
            value = value.value
        if isinstance(value, (int, float, np.floating)):
            return float(value)
        self.problems.append(f"{name!r} is {'not in the set' if value is None else 'no number'}")
        return math.nan

    def at(self, name: str, *arguments: Any) -> Any:
        """A parameter with arguments in their order, as PyBaMM evaluates it."""
        given = {str(place): pybamm.convert_to_symbol(argument) for place, argument in enumerate(arguments)}
        return self.values.process_symbol(pybamm.FunctionParameter(name, given))

    def column(self, name: str, grid: Floats, *others: float) -> Floats:
        found = np.asarray(self.at(name, pybamm.Vector(grid), *others).evaluate(), float).ravel()
        return np.broadcast_to(found, grid.shape)

    def function(self, name: str, grid: Floats, *others: float) -> Any:
        """A number, an expression of x, or a table; at these further arguments."""
        if name not in self.values:
            self.problems.append(f"{name!r} is not in the set")
            return math.nan
        column = self.column(name, grid, *others)
        if not np.isfinite(column).any():
            self.problems.append(f"{name!r} is nowhere a number")
            return math.nan
        if np.ptp(column) == 0.0:
            return float(column[0])
        text = expression(self.at(name, pybamm.Variable("x"), *others))
        if text is not None:
            return text
        good = np.isfinite(column)
        self.notes.append(f"{name} is a table, interpolated linearly")
        return {"x": grid[good].tolist(), "y": column[good].tolist()}

    def function_with_activation_energy(self, key: str, name: str, grid: Floats) -> dict[str, Any]:
        """A function of something and the temperature, at the reference temperature, with its activation energy.

        One that goes with temperature otherwise is written as it is at the cell's temperature, without any.
        """
        if name not in self.values:
            return {key: self.function(name, grid)}
        energy = self._activation_energy(name, lambda kelvin: self.column(name, grid[::100], kelvin))
        found = self.function(name, grid, self.present if energy is None else self.reference)
        return {key: found, f"{key.partition(' [')[0]} activation energy [J.mol-1]": energy or 0.0}

    def reaction_rate(self, side: str, largest: float, electrolyte: float) -> tuple[float, float]:
        """BPX's normalised rate constant and its activation energy."""
        name = f"{side} electrode exchange-current density [A.m-2]"

        def rates(kelvin: float) -> Floats:
            found = []
            for salt in (0.5 * electrolyte, electrolyte, 2.0 * electrolyte):
                for share in (0.1, 0.3, 0.5, 0.7, 0.9):
                    inside = share * largest
                    current = np.asarray(self.at(name, salt, inside, largest, kelvin).evaluate(), float).item()
                    found.append(current / math.sqrt(salt * inside * (largest - inside)))
            return np.array(found)

        energy = self._activation_energy(name, rates)
        here = rates(self.present if energy is None else self.reference)
        if not np.ptp(here) <= SAME_VALUE_TOLERANCE * abs(here[0]):
            self.problems.append(f"{name!r} is not of BPX's form, F k sqrt(c_e/c_e0 c/c_max (1 - c/c_max))")
        return float(here[0]) * largest * math.sqrt(electrolyte) / FARADAY, energy or 0.0

    def _activation_energy(self, name: str, at: Callable[[float], Floats]) -> float | None:
        """The activation energy in J.mol-1 by which values go with temperature; ``None`` where there is none."""
        here = at(self.reference)
        low, high = (at(self.reference + step) / here for step in (-TEMPERATURE_STEP, TEMPERATURE_STEP))
        inverse = 1.0 / self.reference - 1.0 / (self.reference + TEMPERATURE_STEP)
        energy = GAS_CONSTANT * math.log(abs(float(np.median(high)))) / inverse
        colder = math.exp(energy / GAS_CONSTANT * (1.0 / self.reference - 1.0 / (self.reference - TEMPERATURE_STEP)))
        one = np.ptp(high) <= SAME_VALUE_TOLERANCE * np.max(high) and np.all(
            np.abs(low / colder - 1.0) <= SAME_VALUE_TOLERANCE
        )
        if not one:
            celsius = self.present - ZERO_CELSIUS
            self.notes.append(f"{name} goes with temperature otherwise than BPX can say: true at {celsius:.2f} °C only")
            return None
        return 0.0 if abs(energy) < SAME_VALUE_TOLERANCE else energy


def convert_to_bpx(
    values: pybamm.ParameterValues,
    settings: ParameterSetSettings,
    model: ModelSettings | None = None,
    beginning: Beginning | None = None,
) -> tuple[str, tuple[str, ...]]:
    """A set as BPX, and what is worth knowing of it, in words.

    Functions become expressions where BPX has their words, else tables, which are interpolated linearly. A number of
    electrodes in parallel that is no whole one becomes electrode area.

    Args:
        values: of ``settings``, of a cell or of none.
        model, beginning: of a fitted set; without, a full cell at its reference temperature.

    Raises:
        UsageError: names each thing that BPX cannot hold.
    """
    model = model or ModelSettings("DFN", "DFN")
    _refuse_model(model)
    if "Maximum concentration in negative electrode [mol.m-3]" not in values:
        raise UsageError(f"BPX cannot hold {settings.name}: it is no set of two electrodes of one phase each")
    parts = _Parts(values)
    window = [entry.at_soc for entry in find_equilibrium(model, settings, parts.present - ZERO_CELSIUS).inputs]
    salt = parts.number(ELECTROLYTE_CONCENTRATION)
    body = {
        "Cell": _cell(parts),
        "Electrolyte": _electrolyte(parts),
        "Negative electrode": _electrode(parts, "Negative", window[0], salt),
        "Positive electrode": _electrode(parts, "Positive", window[1], salt),
        "Separator": {"Thickness [m]": parts.number("Separator thickness [m]"), **_pores(parts, "Separator")},
    }
    if parts.problems:
        raise UsageError(f"BPX cannot hold {settings.name}: {'; '.join(dict.fromkeys(parts.problems))}")
    head = {
        "BPX": BPX_VERSION,
        "Title": settings.name,
        "Description": f"Written by kilocell from {settings.base}, isothermal",
        "Model": "DFN" if model.type == "SPM" else model.type,
    }
    soc = beginning.soc if beginning is not None else 1.0
    state = {
        "Initial conditions": {
            "Initial state-of-charge": soc,
            "Initial temperature [K]": parts.number(INITIAL_TEMPERATURE),
            "Initial electrolyte concentration [mol.m-3]": salt,
        },
        "Thermal environment": {"Ambient temperature [K]": parts.number(AMBIENT)},
    }
    document = {"Header": head, "Parameterisation": body, "State": state}
    text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    return text, tuple(_notes(parts, model))


def _refuse_model(model: ModelSettings) -> None:
    if model.type not in MODELS:
        raise UsageError(f"BPX is of {', '.join(MODELS)}, not of {model.type}; take --format json")
    if model.options:
        named = ", ".join(f"{name!r}" for name, _ in model.options)
        raise UsageError(f"BPX has no place for the model's options {named}; take --format json")


def _notes(parts: _Parts, model: ModelSettings) -> list[str]:
    notes = list(parts.notes)
    if model.type == "SPM":
        notes.append("fitted with SPM; the file is of the form for DFN, since PyBaMM reads no BPX of SPM")
    return notes


def _cell(parts: _Parts) -> dict[str, Any]:
    parallel = parts.number(PARALLEL) if PARALLEL in parts.values else 1.0
    pairs = (
        round(parallel)
        if math.isfinite(parallel) and abs(parallel - round(parallel)) < SAME_VALUE_TOLERANCE and parallel > 0.5
        else 1
    )
    area = parts.number("Electrode height [m]") * parts.number("Electrode width [m]")
    if parts.values.get("Number of cells connected in series to make a battery", 1.0) != 1.0:
        parts.problems.append("it is of several cells in series")
    surface, volume = "Cell cooling surface area [m2]", "Cell volume [m3]"
    if surface not in parts.values or volume not in parts.values:
        layers = ("Negative electrode", "Separator", "Positive electrode")
        thickness = sum(parts.number(f"{layer} thickness [m]") for layer in layers)
        sizes = 2.0 * area * parallel, thickness * area * parallel
        parts.notes.append("the set has no surface and volume of the cell: those of its layers are written")
    else:
        sizes = parts.number(surface), parts.number(volume)
    return {
        REFERENCE_TEMPERATURE: parts.reference,
        "External surface area [m2]": sizes[0],
        "Volume [m3]": sizes[1],
        "Electrode area [m2]": area * parallel / pairs,
        "Number of electrode pairs connected in parallel to make a cell": pairs,
        CAPACITY: parts.number(CAPACITY),
        LOWER_CUTOFF: parts.number(LOWER_CUTOFF),
        UPPER_CUTOFF: parts.number(UPPER_CUTOFF),
    }


def _electrolyte(parts: _Parts) -> dict[str, Any]:
    factor = parts.values.get("Thermodynamic factor", 1.0)
    if factor != 1.0:
        parts.problems.append("'Thermodynamic factor' is not 1")
    found: dict[str, Any] = {"Cation transference number": parts.number("Cation transference number")}
    for key, name in (
        ("Diffusivity [m2.s-1]", "Electrolyte diffusivity [m2.s-1]"),
        ("Conductivity [S.m-1]", "Electrolyte conductivity [S.m-1]"),
    ):
        found |= parts.function_with_activation_energy(key, name, CONCENTRATION)
    return found


def _pores(parts: _Parts, where: str) -> dict[str, float]:
    porosity = parts.number(f"{where} porosity")
    power = parts.number(f"{where} Bruggeman coefficient (electrolyte)")
    if porosity == 1.0:
        parts.problems.append(f"'{where} porosity' is 1, which PyBaMM cannot read back from BPX")
    return {"Porosity": porosity, "Transport efficiency": porosity**power}


def _electrode(parts: _Parts, side: str, window: Floats, salt: float) -> dict[str, Any]:
    where = f"{side} electrode"
    radius, largest = (
        parts.number(f"{side} particle radius [m]"),
        parts.number(f"Maximum concentration in {where.lower()} [mol.m-3]"),
    )
    pores = _pores(parts, where)
    solid = (1.0 - pores["Porosity"]) ** parts.number(f"{where} Bruggeman coefficient (electrode)")
    rate, energy = parts.reaction_rate(side, largest, salt)
    return {
        "Particle radius [m]": radius,
        "Thickness [m]": parts.number(f"{where} thickness [m]"),
        **parts.function_with_activation_energy(
            "Diffusivity [m2.s-1]", f"{side} particle diffusivity [m2.s-1]", STOICHIOMETRY
        ),
        "OCP [V]": parts.function(f"{where} OCP [V]", STOICHIOMETRY),
        "Entropic change coefficient [V.K-1]": parts.function(f"{where} OCP entropic change [V.K-1]", STOICHIOMETRY),
        "Conductivity [S.m-1]": parts.number(f"{where} conductivity [S.m-1]") * solid,
        "Surface area per unit volume [m-1]": 3.0 * parts.number(f"{where} active material volume fraction") / radius,
        **pores,
        "Reaction rate constant [mol.m-2.s-1]": rate,
        "Reaction rate constant activation energy [J.mol-1]": energy,
        "Minimum stoichiometry": float(min(window[0], window[-1])),
        "Maximum stoichiometry": float(max(window[0], window[-1])),
        "Maximum concentration [mol.m-3]": largest,
    }


def expression(symbol: Any) -> str | None:
    """Write an expression of one variable, which becomes ``x``; ``None`` where BPX has no word for a part of it."""
    if isinstance(symbol, pybamm.Scalar):
        value = float(symbol.value)
        return (repr(value) if value >= 0.0 else f"({value!r})") if math.isfinite(value) else None
    if isinstance(symbol, pybamm.Variable):
        return "x"
    parts = [expression(child) for child in symbol.children]
    if not parts or any(part is None for part in parts):
        return None
    if type(symbol) in _BINARY:
        return f"({parts[0]} {_BINARY[type(symbol)]} {parts[1]})"
    if type(symbol) in _FUNCTIONS:
        return _FUNCTIONS[type(symbol)].format(parts[0])
    if isinstance(symbol, pybamm.Negate):
        return f"(-{parts[0]})"
    if isinstance(symbol, pybamm.Sinh):
        return f"((exp({parts[0]}) - exp(-{parts[0]})) / 2)"
    return None
