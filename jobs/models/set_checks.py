"""Check whether a parameter set can describe one cell: fractions, cut-offs, capacity and window against each other."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pybamm

from ...data.arrays import Floats
from ...data.errors import JobError
from ...data.settings import ModelSettings, ParameterSetSettings
from ..parameters.files import LOWER_CUTOFF, UPPER_CUTOFF
from ..parameters.sets import CAPACITY, INITIAL_LITHIUM, PARALLEL, apply_overrides
from ..parameters.table import (
    MODELS_BY_KIND,
    PHASE_PREFIXES,
    REFERENCE_WORDS,
    find_set_kind,
    list_parameters,
    needed_option,
)
from .equilibrium import Equilibrium, find_equilibrium
from .table_check import describe_uncovered_tables

SERIES: Final = "Number of cells connected in series to make a battery"
VOLUME: Final = "Cell volume [m3]"
OPEN_CIRCUIT: Final = ("Open-circuit voltage at 0% SOC [V]", "Open-circuit voltage at 100% SOC [V]")
LAYERS: Final = ("Negative electrode", "Separator", "Positive electrode")
PHASES: Final = ("", *PHASE_PREFIXES)
REFERENCE_CELSIUS: Final = 25.0

CAPACITY_RATIOS: Final = (0.7, 1.3)
"""Nominal capacity over the charge between the cut-offs: two of PyBaMM's 17 lithium-ion sets are outside.

Ramadass2004 has 0.56 and Xu2019 0.63; the others have 0.77 to 1.03.
"""

FRACTION_TOLERANCE: Final = 1e-3
"""Volume fractions may exceed one by this much: many sets give them with three digits."""

WINDOW_TOLERANCE_VOLT: Final = 0.02
"""V between a cut-off and the open-circuit voltage at that end. Chosen, not measured; PyBaMM's sets have 0."""

STOICHIOMETRY_TOLERANCE: Final = 0.01
"""Distance between a set's limits of stoichiometry and those at its cut-offs. Chosen, not measured."""

VOLUME_TOLERANCE: Final = 1.02
"""Volume of the layers over that of the cell. Chosen, not measured; PyBaMM's sets have at most 0.9."""

MUST_BE_POSITIVE: Final = re.compile(
    r"^(Primary: |Secondary: )?((Negative|Positive) electrode thickness|Separator thickness"
    r"|(Negative|Positive) particle radius|Maximum concentration in (negative|positive) electrode"
    r"|Electrode (height|width)|Initial concentration in electrolyte|Nominal cell capacity|Cell capacity) \["
)
MUST_CONDUCT: Final = re.compile(
    r"(particle diffusivity|Electrolyte (diffusivity|conductivity)|exchange-current density) \["
)
"""Functions that are positive in every cell; their value is taken at one point."""

USUAL: Final = (
    (re.compile(r"^((Negative|Positive) electrode|Separator) thickness \["), 1e-6, 2e-3),
    (re.compile(r"^(Primary: |Secondary: )?(Negative|Positive) particle radius \["), 5e-9, 1e-4),
    (re.compile(r"^(Primary: |Secondary: )?Maximum concentration in (negative|positive) electrode \["), 1e3, 6e5),
    (re.compile(r"^Initial concentration in electrolyte \["), 50.0, 1e4),
    (re.compile(r"^(Reference|Ambient|Initial) temperature \["), 200.0, 400.0),
    (re.compile(r"^(Primary: |Secondary: )?(Negative|Positive) particle diffusivity \["), 1e-20, 1e-8),
    (re.compile(r"^Electrolyte diffusivity \["), 1e-13, 1e-7),
    (re.compile(r"^Electrolyte conductivity \["), 1e-4, 1e2),
)
"""Smallest and largest value of some parameters, in their units. Chosen: PyBaMM's sets are at least twice as far
inside, and a value outside is most often in another unit (um, mol/L, degC)."""

LEAST_MOVE: Final = 0.1
"""Smallest change of an electrode's stoichiometry between the cut-offs. Chosen; PyBaMM's sets have 0.42 and more."""

PACK_VOLT: Final = 5.5
"""V: no single cell has more."""

PACK_RATIO: Final = 1.5
"""Median voltage of a record over the set's upper cut-off: two cells in series have 1.7. Chosen, not measured."""


@dataclass(frozen=True, slots=True)
class SetFindings:
    """What is wrong with a parameter set, a line each, with the numbers.

    Args:
        refused: no cell can have it, or kilocell cannot simulate it.
        doubts: contradictions, which a simulation can live with.
    """

    refused: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@lru_cache(maxsize=256)
def check_set_values(settings: ParameterSetSettings, *, thermal: bool = False) -> SetFindings:
    """Check the values of a set against each other, overrides applied.

    Args:
        settings: the base set and its overrides.
        thermal: also check what only thermal models use.

    Raises:
        JobError: the set cannot be loaded, or an override names a parameter that it does not have.
    """
    values = apply_overrides(settings)
    kind = find_set_kind(values, settings.base)
    if not MODELS_BY_KIND.get(kind):
        return SetFindings()  # no model fits it, as each job says
    refused = [*_several_cells(values), *_impossible_fractions(values), *_not_positive(values), *_limits(values)]
    if refused:
        return SetFindings(tuple(refused))
    doubts = [*_full_layers(values), *_transport(values), *_lithium(values), *_window(values)]
    if thermal and "half-cell" not in kind and not any(override.parameter == VOLUME for override in settings.overrides):
        doubts += _volume(values)
    doubts += _functions(settings)
    doubts += _unusual(settings)
    model = _model(kind, values)
    doubts += _capacity(values, settings, model)
    doubts += [line.removeprefix(f"{settings.name}: ") for line in describe_uncovered_tables(model, settings)]
    return SetFindings((), tuple(doubts))


def refuse_several_cells(voltage_volt: Floats, cutoffs_volt: tuple[float, float] | None) -> None:
    """Refuse the record of a pack: its voltage is a multiple of what the set's cell can have.

    Args:
        voltage_volt: measured, NaN where missing, shape (n,).
        cutoffs_volt: of the set; ``None`` = it has none.

    Raises:
        JobError: ``implausible_voltage``.
    """
    known = voltage_volt[np.isfinite(voltage_volt)]
    if not len(known) or cutoffs_volt is None:
        return
    median = float(np.median(known))
    _, upper = cutoffs_volt
    if median > max(PACK_VOLT, PACK_RATIO * upper):
        reason = f"the record has {median:.3g} V (median), the parameter set describes a cell of at most {upper:g} V"
        advice = "these are several cells in series, and kilocell simulates one: divide the voltage by their number"
        raise JobError(f"{reason}; {advice}", "implausible_voltage")


def _several_cells(values: pybamm.ParameterValues) -> Iterator[str]:
    number = _number(values, SERIES)
    if number is not None and number != 1.0:
        yield (
            f"{SERIES!r} is {number:g}, and kilocell simulates one cell; set it to 1, and divide the record's voltage "
            f"by {number:g}"
        )


def _impossible_fractions(values: pybamm.ParameterValues) -> Iterator[str]:
    for name in _fraction_names(values):
        fraction = _number(values, name)
        if fraction is not None and not 0.0 < fraction <= 1.0 + FRACTION_TOLERANCE:
            yield f"{name!r} is {fraction:.4g}; a volume fraction is between 0 and 1"


def _not_positive(values: pybamm.ParameterValues) -> Iterator[str]:
    for name in sorted(values.keys()):
        if MUST_BE_POSITIVE.search(name) or name == PARALLEL:
            number = _number(values, name)
            if number is not None and not number > 0.0:
                yield f"{name!r} is {number:.4g}; it must be positive"


def _limits(values: pybamm.ParameterValues) -> Iterator[str]:
    """Yield cut-offs and limits of stoichiometries whose lower end is not the smaller one."""
    lower = _number(values, LOWER_CUTOFF)
    upper = _number(values, UPPER_CUTOFF)
    if lower is not None and upper is not None and not lower < upper:
        yield f"{LOWER_CUTOFF!r} is {lower:g} and {UPPER_CUTOFF!r} is {upper:g}; the lower one must be smaller"
    for side in ("Negative", "Positive"):
        least_name, most_name = _stoichiometry_names(side)
        least = _number(values, least_name)
        most = _number(values, most_name)
        if least is not None and most is not None and not least < most:
            yield f"{least_name!r} is {least:.4g} and {most_name!r} is {most:.4g}; the minimum must be smaller"


def _full_layers(values: pybamm.ParameterValues) -> Iterator[str]:
    """Yield electrodes whose pores and active materials take more than their volume."""
    for side in ("Negative", "Positive"):
        parts = {name: _number(values, name) for name in _fraction_names(values) if side in name}
        known = {name: value for name, value in parts.items() if value is not None}
        total = sum(known.values())
        if len(known) > 1 and total > 1.0 + FRACTION_TOLERANCE:
            named = " + ".join(f"{value:.4g} ({name})" for name, value in known.items())
            yield f"the volume fractions of the {side.lower()} electrode exceed one: {named} = {total:.4g}"


def _transport(values: pybamm.ParameterValues) -> Iterator[str]:
    for layer in LAYERS:
        porosity = _number(values, f"{layer} porosity")
        name = f"{layer} Bruggeman coefficient (electrolyte)"
        exponent = _number(values, name)
        if porosity is not None and exponent is not None and porosity < 1.0 and exponent < 1.0 - FRACTION_TOLERANCE:
            yield (
                f"{name!r} is {exponent:.4g}, so the transport efficiency {porosity**exponent:.4g} exceeds the "
                f"porosity {porosity:.4g}; no pores conduct better than straight ones"
            )
    name = "Cation transference number"
    number = _number(values, name)
    if number is not None and not 0.0 < number < 1.0:
        yield f"{name!r} is {number:.4g}; it is between 0 and 1"


def _lithium(values: pybamm.ParameterValues) -> Iterator[str]:
    for name in sorted(values.keys()):
        if INITIAL_LITHIUM.search(name):
            maximum_name = name.replace("Initial", "Maximum")
            initial = _number(values, name)
            maximum = _number(values, maximum_name)
            if initial is not None and maximum is not None and not 0.0 <= initial <= maximum:
                yield f"{name!r} is {initial:.5g}, and {maximum_name!r} is {maximum:.5g}"


def _window(values: pybamm.ParameterValues) -> Iterator[str]:
    """Yield ends of the open-circuit window that are not the cut-offs."""
    for open_circuit, cutoff in zip(OPEN_CIRCUIT, (LOWER_CUTOFF, UPPER_CUTOFF), strict=True):
        volt = _number(values, open_circuit)
        limit = _number(values, cutoff)
        if volt is not None and limit is not None and abs(volt - limit) > WINDOW_TOLERANCE_VOLT:
            yield (
                f"{open_circuit!r} is {volt:g}, and {cutoff!r} is {limit:g}; states of charge count between the "
                "open-circuit voltages"
            )


def _volume(values: pybamm.ParameterValues) -> Iterator[str]:
    numbers = [_number(values, f"{layer} thickness [m]") for layer in LAYERS]
    sizes = [_number(values, name) for name in ("Electrode height [m]", "Electrode width [m]", PARALLEL)]
    volume = _number(values, VOLUME)
    if volume is None or None in numbers or None in sizes:
        return
    layers = float(np.sum(np.array(numbers, float)) * np.prod(np.array(sizes, float)))
    if layers > VOLUME_TOLERANCE * volume:
        yield f"{VOLUME!r} is {volume:.4g}, and its electrodes and separators alone take {layers:.4g} m3"


def _functions(settings: ParameterSetSettings) -> Iterator[str]:
    for row in list_parameters(settings):
        if not MUST_CONDUCT.search(row.parameter) or not isinstance(row.value, float):
            continue
        if not row.value > 0.0:
            at = f" at {REFERENCE_WORDS}" if row.function_of else ""
            yield f"{row.parameter!r} is {row.value:.4g}{at}; it is positive in every cell"


def _unusual(settings: ParameterSetSettings) -> Iterator[str]:
    """Yield values that are orders of magnitude away from those of all cells, as in another unit."""
    for row in list_parameters(settings):
        if not isinstance(row.value, (int, float)):
            continue
        for pattern, least, most in USUAL:
            if pattern.search(row.parameter) and row.value > 0.0 and not least <= row.value <= most:
                at = f" at {REFERENCE_WORDS}" if row.function_of else ""
                yield f"{row.parameter!r} is {row.value:.4g}{at}; cells have {least:g} to {most:g}: check the unit"


def _capacity(values: pybamm.ParameterValues, settings: ParameterSetSettings, model: ModelSettings) -> Iterator[str]:
    """Yield a nominal capacity that the electrodes do not hold, or a window that they do not reach."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tables that a search leaves on its way
            equilibrium = find_equilibrium(model, settings, REFERENCE_CELSIUS)
    except JobError as error:
        if error.code == "no_initial_state":
            yield f"the electrodes do not reach its cut-offs: {error}"
        return
    yield from _stoichiometry_limits(values, equilibrium)
    yield from _unused_electrodes(equilibrium)
    nominal = _number(values, CAPACITY)
    held = equilibrium.capacity_ah
    if nominal is None or not held > 0.0:
        return
    ratio = nominal / held
    least, most = CAPACITY_RATIOS
    if not least <= ratio <= most:
        window = f"between {equilibrium.lower_volt:g} and {equilibrium.upper_volt:g} V"
        yield (
            f"{CAPACITY!r} is {nominal:.4g}, but {window} its electrodes hold {held:.4g} A.h, so a cell is simulated "
            f"with {1.0 / ratio:.3g} times its nominal_capacity_ah; give {ratio:.3g} times the charge that your cell "
            "holds there, or use another set"
        )


def _unused_electrodes(equilibrium: Equilibrium) -> Iterator[str]:
    """Yield electrodes whose stoichiometry hardly changes between the cut-offs: the other one is much too small."""
    for entry in equilibrium.inputs:
        if "concentration" not in entry.name or entry.name.startswith(PHASE_PREFIXES):
            continue
        first, last = float(entry.at_soc[0]), float(entry.at_soc[-1])
        if abs(last - first) < LEAST_MOVE:
            side = "negative" if "negative" in entry.name else "positive"
            window = f"between {equilibrium.lower_volt:g} and {equilibrium.upper_volt:g} V"
            yield (
                f"{window} the stoichiometry of the {side} electrode goes only from {first:.4g} to {last:.4g}; the "
                "capacities of the electrodes do not match: check thicknesses, fractions and maximum concentrations"
            )


def _stoichiometry_limits(values: pybamm.ParameterValues, equilibrium: Equilibrium) -> Iterator[str]:
    """Yield limits of the stoichiometries, as in BPX, that are not those at the cut-offs."""
    for entry in equilibrium.inputs:
        side = "Negative" if "negative" in entry.name else "Positive"
        low, high = (_number(values, name) for name in _stoichiometry_names(side))
        if low is None or high is None or entry.name.startswith(PHASE_PREFIXES):
            continue
        ends = (float(np.min(entry.at_soc)), float(np.max(entry.at_soc)))
        if max(abs(low - ends[0]), abs(high - ends[1])) > STOICHIOMETRY_TOLERANCE:
            yield (
                f"the stoichiometry limits of the {side.lower()} electrode are {low:.4g} and {high:.4g}, but at the "
                f"cut-offs it has {ends[0]:.4g} and {ends[1]:.4g}; the cut-offs count"
            )


def _stoichiometry_names(side: str) -> tuple[str, str]:
    """Return the names of an electrode's limits of stoichiometry, as PyBaMM reads them from BPX."""
    return f"{side} electrode minimum stoichiometry", f"{side} electrode maximum stoichiometry"


def _model(kind: str, values: pybamm.ParameterValues) -> ModelSettings:
    """Return the simplest model that fits a kind of set."""
    name = MODELS_BY_KIND[kind][0]
    option = needed_option(kind, values)
    if option is None:
        return ModelSettings(name, name)
    key, value = option
    return ModelSettings(name, name, ((key, tuple(value) if isinstance(value, list) else value),))


def _fraction_names(values: pybamm.ParameterValues) -> list[str]:
    names = [f"{layer} porosity" for layer in LAYERS]
    for side in ("Negative", "Positive"):
        names += [f"{phase}{side} electrode active material volume fraction" for phase in PHASES]
    return [name for name in names if name in values]


def _number(values: pybamm.ParameterValues, name: str) -> float | None:
    """Return a parameter that is a number; ``None`` if it is missing, or a function."""
    value: Any = values.get(name)
    if isinstance(value, pybamm.Scalar):
        value = value.value
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return float(value)
    return None
