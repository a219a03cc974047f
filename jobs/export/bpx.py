"""Write a parameter set as BPX (bpxstandard.com), if it is isothermal and has one active material per electrode."""

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
FARADAY: Final = float(pybamm.constants.F.value)  # C.mol-1
GAS_CONSTANT: Final = float(pybamm.constants.R.value)  # J.mol-1.K-1
ZERO_CELSIUS: Final = celsius_to_kelvin(0.0)  # K
REFERENCE_TEMPERATURE: Final = "Reference temperature [K]"
ELECTROLYTE_CONCENTRATION: Final = "Initial concentration in electrolyte [mol.m-3]"
COOLING_SURFACE: Final = "Cell cooling surface area [m2]"
CELL_VOLUME: Final = "Cell volume [m3]"

TEMPERATURE_STEP: Final = 20.0
"""Distance from the reference temperature at which an activation energy is measured, K."""

SAME_VALUE_TOLERANCE: Final = 1e-6
"""Relative difference below which two values are the same."""

STOICHIOMETRY: Final = np.linspace(0.0005, 0.9995, 2000)
CONCENTRATION: Final = np.linspace(1.0, 4000.0, 2000)
"""Arguments at which functions are tabulated: stoichiometries, and electrolyte concentrations in mol.m-3."""

RATE_STOICHIOMETRIES: Final = (0.1, 0.3, 0.5, 0.7, 0.9)
RATE_SALT_FACTORS: Final = (0.5, 1.0, 2.0)
"""Where the rate constant is computed: stoichiometries, and factors on the initial electrolyte concentration."""

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


class _SetReader:
    """Read a set's values in BPX's form, and collect what BPX cannot hold, to report all of it at once.

    Args:
        values: the set.

    Attributes:
        problems: what BPX cannot hold.
        notes: what BPX holds only approximately.
        reference: the set's reference temperature, K.
        ambient: its ambient temperature, K.
    """

    def __init__(self, values: pybamm.ParameterValues) -> None:
        self.values = values
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.reference = self.number(REFERENCE_TEMPERATURE)
        self.ambient = self.number(AMBIENT)

    def number(self, name: str) -> float:
        """Return a parameter that must be a number; NaN, and a problem, if it is not."""
        value = self.values.get(name)
        if isinstance(value, pybamm.Scalar):
            value = value.value
        if isinstance(value, (int, float, np.floating)):
            return float(value)
        problem = "missing in the set" if value is None else "not a number"
        self.problems.append(f"{name!r} is {problem}")
        return math.nan

    def at(self, name: str, *arguments: Any) -> Any:
        """Return a parameter as PyBaMM's expression of arguments, given in the function's order."""
        inputs = {str(place): pybamm.convert_to_symbol(argument) for place, argument in enumerate(arguments)}
        return self.values.process_symbol(pybamm.FunctionParameter(name, inputs))

    def column(self, name: str, grid: Floats, *others: float) -> Floats:
        """Return a parameter's values on a grid of its first argument, at these further arguments."""
        evaluated = np.asarray(self.at(name, pybamm.Vector(grid), *others).evaluate(), float).ravel()
        return np.broadcast_to(evaluated, grid.shape)

    def function(self, name: str, grid: Floats, *others: float) -> Any:
        """Return a parameter as a number, an expression of x or a table, at these further arguments."""
        if name not in self.values:
            self.problems.append(f"{name!r} is missing in the set")
            return math.nan
        column = self.column(name, grid, *others)
        finite = np.isfinite(column)
        if not finite.any():
            self.problems.append(f"{name!r} is not a number anywhere")
            return math.nan
        if np.ptp(column) == 0.0:
            return float(column[0])
        text = expression(self.at(name, pybamm.Variable("x"), *others))
        if text is not None:
            return text
        self.notes.append(f"{name} is written as a table, which is interpolated linearly")
        return {"x": grid[finite].tolist(), "y": column[finite].tolist()}

    def function_with_activation_energy(self, key: str, name: str, grid: Floats) -> dict[str, Any]:
        """Return a function at the reference temperature, with its activation energy in J.mol-1.

        If no activation energy describes its temperature dependence, it is written at the cell's temperature with an
        activation energy of zero.

        Args:
            key: BPX's name.
            name: PyBaMM's name.
            grid: values of the first argument; the second is the temperature.
        """
        if name not in self.values:
            return {key: self.function(name, grid)}
        energy = self._activation_energy(name, lambda kelvin: self.column(name, grid[::100], kelvin))
        value = self.function(name, grid, self._write_temperature(energy))
        energy_key = f"{key.partition(' [')[0]} activation energy [J.mol-1]"
        return {key: value, energy_key: energy or 0.0}

    def reaction_rate(self, side: str, maximum: float, electrolyte: float) -> tuple[float, float]:
        """Return BPX's normalised rate constant in mol.m-2.s-1 and its activation energy in J.mol-1.

        Args:
            side: "Negative" or "Positive".
            maximum: maximum concentration in the electrode, mol.m-3.
            electrolyte: initial concentration in the electrolyte, mol.m-3.
        """
        name = f"{side} electrode exchange-current density [A.m-2]"

        def rates(kelvin: float) -> Floats:
            """Exchange-current density over sqrt(c_e c (c_max - c)), which is constant in BPX."""
            ratios = []
            for salt in (factor * electrolyte for factor in RATE_SALT_FACTORS):
                for stoichiometry in RATE_STOICHIOMETRIES:
                    surface = stoichiometry * maximum
                    current = np.asarray(self.at(name, salt, surface, maximum, kelvin).evaluate(), float).item()
                    ratios.append(current / math.sqrt(salt * surface * (maximum - surface)))
            return np.array(ratios)

        energy = self._activation_energy(name, rates)
        constants = rates(self._write_temperature(energy))
        if not np.ptp(constants) <= SAME_VALUE_TOLERANCE * abs(constants[0]):
            self.problems.append(f"{name!r} does not have BPX's form, F k sqrt(c_e/c_e0 c/c_max (1 - c/c_max))")
        return float(constants[0]) * maximum * math.sqrt(electrolyte) / FARADAY, energy or 0.0

    def _write_temperature(self, energy: float | None) -> float:
        """Return the temperature at which a function is written, K: the cell's if there is no activation energy."""
        if energy is None:
            return self.ambient
        return self.reference

    def _activation_energy(self, name: str, at: Callable[[float], Floats]) -> float | None:
        """Return the activation energy in J.mol-1 of a function's values; ``None`` = there is none that fits.

        Args:
            name: of the function, for the note.
            at: its values at a temperature in K.
        """
        at_reference = at(self.reference)
        low = at(self.reference - TEMPERATURE_STEP) / at_reference
        high = at(self.reference + TEMPERATURE_STEP) / at_reference
        inverse = 1.0 / self.reference - 1.0 / (self.reference + TEMPERATURE_STEP)
        energy = GAS_CONSTANT * math.log(abs(float(np.median(high)))) / inverse
        colder = math.exp(energy / GAS_CONSTANT * (1.0 / self.reference - 1.0 / (self.reference - TEMPERATURE_STEP)))
        same_when_warm = np.ptp(high) <= SAME_VALUE_TOLERANCE * np.max(high)
        if not (same_when_warm and np.all(np.abs(low / colder - 1.0) <= SAME_VALUE_TOLERANCE)):
            celsius = self.ambient - ZERO_CELSIUS
            reason = "BPX cannot describe its temperature dependence"
            self.notes.append(f"{name} is right at {celsius:.2f} °C only: {reason}")
            return None
        return 0.0 if abs(energy) < SAME_VALUE_TOLERANCE else energy


def convert_to_bpx(
    values: pybamm.ParameterValues,
    settings: ParameterSetSettings,
    model: ModelSettings | None = None,
    beginning: Beginning | None = None,
) -> tuple[str, tuple[str, ...]]:
    """Convert a set to BPX.

    Functions become expressions if BPX has their operations, else tables, which are interpolated linearly. If the
    number of electrodes in parallel is not whole, it becomes electrode area.

    Args:
        values: the resolved values of ``settings``, with or without those of a cell.
        settings: gives the name, the base, and the window of states of charge.
        model: the fitted model; ``None`` = DFN.
        beginning: how the record of the fit begins; ``None`` = a full cell.

    Returns:
        The document as text, and notes on what BPX holds only approximately.

    Raises:
        UsageError: the model or the set has something that BPX cannot hold; the text lists all of it.
        JobError: the set does not fit the model (``cannot_build``), or has no window (``no_initial_state``).
    """
    model = model or ModelSettings("DFN", "DFN")
    _refuse_model(model)
    if "Maximum concentration in negative electrode [mol.m-3]" not in values:
        reason = "it does not have two electrodes with one phase each"
        raise UsageError(f"BPX cannot hold {settings.name}: {reason}; use --format json")
    reader = _SetReader(values)
    equilibrium = find_equilibrium(model, settings, reader.ambient - ZERO_CELSIUS)
    negative_window, positive_window = (entry.at_soc for entry in equilibrium.inputs)
    salt = reader.number(ELECTROLYTE_CONCENTRATION)
    parameterisation = {
        "Cell": _cell(reader),
        "Electrolyte": _electrolyte(reader),
        "Negative electrode": _electrode(reader, "Negative", negative_window, salt),
        "Positive electrode": _electrode(reader, "Positive", positive_window, salt),
        "Separator": {"Thickness [m]": reader.number("Separator thickness [m]"), **_pores(reader, "Separator")},
    }
    if reader.problems:
        problems = "; ".join(dict.fromkeys(reader.problems))
        raise UsageError(f"BPX cannot hold {settings.name}: {problems}; use --format json")
    document = {
        "Header": {
            "BPX": BPX_VERSION,
            "Title": settings.name,
            "Description": f"Written by kilocell from {settings.base}, isothermal",
            "Model": "DFN" if model.type == "SPM" else model.type,
        },
        "Parameterisation": parameterisation,
        "State": _state(reader, beginning, salt),
    }
    notes = list(reader.notes)
    if model.type == "SPM":
        notes.append("fitted with SPM; the file has the form for DFN, since PyBaMM does not read BPX for SPM")
    text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    return text, tuple(notes)


def _refuse_model(model: ModelSettings) -> None:
    if model.type not in MODELS:
        raise UsageError(f"BPX describes {', '.join(MODELS)}, not {model.type}; use --format json")
    if model.options:
        named = ", ".join(f"{name!r}" for name, _ in model.options)
        raise UsageError(f"BPX cannot hold the model's options {named}; use --format json")


def _cell(reader: _SetReader) -> dict[str, Any]:
    parallel = 1.0
    if PARALLEL in reader.values:
        parallel = reader.number(PARALLEL)
    pairs = _whole_pairs(parallel)
    area = reader.number("Electrode height [m]") * reader.number("Electrode width [m]")
    if reader.values.get("Number of cells connected in series to make a battery", 1.0) != 1.0:
        reader.problems.append("the set describes several cells in series")
    if COOLING_SURFACE in reader.values and CELL_VOLUME in reader.values:
        surface = reader.number(COOLING_SURFACE)
        volume = reader.number(CELL_VOLUME)
    else:
        layers = ("Negative electrode", "Separator", "Positive electrode")
        thickness = sum(reader.number(f"{layer} thickness [m]") for layer in layers)
        surface = 2.0 * area * parallel
        volume = thickness * area * parallel
        reader.notes.append("the set gives no surface and volume of the cell: those of its layers are written")
    return {
        REFERENCE_TEMPERATURE: reader.reference,
        "External surface area [m2]": surface,
        "Volume [m3]": volume,
        "Electrode area [m2]": area * parallel / pairs,
        "Number of electrode pairs connected in parallel to make a cell": pairs,
        CAPACITY: reader.number(CAPACITY),
        LOWER_CUTOFF: reader.number(LOWER_CUTOFF),
        UPPER_CUTOFF: reader.number(UPPER_CUTOFF),
    }


def _whole_pairs(parallel: float) -> int:
    """Return the number of electrode pairs if it is whole, else 1; its fraction then goes into the electrode area."""
    if not math.isfinite(parallel) or parallel <= 0.5:
        return 1
    pairs = round(parallel)
    return pairs if abs(parallel - pairs) < SAME_VALUE_TOLERANCE else 1


def _electrolyte(reader: _SetReader) -> dict[str, Any]:
    if reader.values.get("Thermodynamic factor", 1.0) != 1.0:
        reader.problems.append("'Thermodynamic factor' is not 1")
    fields: dict[str, Any] = {"Cation transference number": reader.number("Cation transference number")}
    for key in ("Diffusivity [m2.s-1]", "Conductivity [S.m-1]"):
        name = f"Electrolyte {key[0].lower()}{key[1:]}"
        fields |= reader.function_with_activation_energy(key, name, CONCENTRATION)
    return fields


def _pores(reader: _SetReader, layer: str) -> dict[str, float]:
    porosity = reader.number(f"{layer} porosity")
    exponent = reader.number(f"{layer} Bruggeman coefficient (electrolyte)")
    if porosity == 1.0:
        reader.problems.append(f"'{layer} porosity' is 1, which PyBaMM cannot read back from BPX")
    return {"Porosity": porosity, "Transport efficiency": porosity**exponent}


def _electrode(reader: _SetReader, side: str, window: Floats, salt: float) -> dict[str, Any]:
    """Return the fields of an electrode.

    Args:
        reader: of the set.
        side: "Negative" or "Positive".
        window: stoichiometries from state of charge 0 to 1.
        salt: initial concentration in the electrolyte, mol.m-3.
    """
    layer = f"{side} electrode"
    radius = reader.number(f"{side} particle radius [m]")
    maximum = reader.number(f"Maximum concentration in {layer.lower()} [mol.m-3]")
    pores = _pores(reader, layer)
    solid = (1.0 - pores["Porosity"]) ** reader.number(f"{layer} Bruggeman coefficient (electrode)")
    rate, energy = reader.reaction_rate(side, maximum, salt)
    return {
        "Particle radius [m]": radius,
        "Thickness [m]": reader.number(f"{layer} thickness [m]"),
        **reader.function_with_activation_energy(
            "Diffusivity [m2.s-1]", f"{side} particle diffusivity [m2.s-1]", STOICHIOMETRY
        ),
        "OCP [V]": reader.function(f"{layer} OCP [V]", STOICHIOMETRY),
        "Entropic change coefficient [V.K-1]": reader.function(f"{layer} OCP entropic change [V.K-1]", STOICHIOMETRY),
        "Conductivity [S.m-1]": reader.number(f"{layer} conductivity [S.m-1]") * solid,
        "Surface area per unit volume [m-1]": 3.0 * reader.number(f"{layer} active material volume fraction") / radius,
        **pores,
        "Reaction rate constant [mol.m-2.s-1]": rate,
        "Reaction rate constant activation energy [J.mol-1]": energy,
        "Minimum stoichiometry": float(min(window[0], window[-1])),
        "Maximum stoichiometry": float(max(window[0], window[-1])),
        "Maximum concentration [mol.m-3]": maximum,
    }


def _state(reader: _SetReader, beginning: Beginning | None, salt: float) -> dict[str, Any]:
    soc = 1.0 if beginning is None else beginning.soc
    return {
        "Initial conditions": {
            "Initial state-of-charge": soc,
            "Initial temperature [K]": reader.number(INITIAL_TEMPERATURE),
            "Initial electrolyte concentration [mol.m-3]": salt,
        },
        "Thermal environment": {"Ambient temperature [K]": reader.number(AMBIENT)},
    }


def expression(symbol: Any) -> str | None:
    """Write an expression of one variable, which becomes ``x``, in BPX's syntax.

    Args:
        symbol: an expression of PyBaMM.

    Returns:
        The text; ``None`` = BPX has no operation for a part of it.
    """
    if isinstance(symbol, pybamm.Scalar):
        return _number_text(float(symbol.value))
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


def _number_text(value: float) -> str | None:
    if not math.isfinite(value):
        return None
    return repr(value) if value >= 0.0 else f"({value!r})"
