"""Create PyBaMM's models by type and options, and check which parameter sets fit them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import pybamm

from ...data.errors import JobError
from ...data.names import quote, suggest_or_list
from ...data.settings import ModelSettings, OptionValue
from ..parameters.sets import load_base_set

OCP: Final = "open-circuit potential"
PHASES: Final = "particle phases"
ELECTRODE: Final = "working electrode"
REACTIONS: Final = "number of MSMR reactions"
CIRCUIT: Final = "Thevenin"
SIDES: Final = ("negative", "positive")
STATE_OPTIONS: Final = (OCP, PHASES, ELECTRODE, "particle size", REACTIONS)
"""Options that change the state at rest, or what is assumed for it."""

MSMR_OPTIONS: Final = ("particle", "intercalation kinetics")
"""Options that PyBaMM requires to be MSMR if the open-circuit potential is MSMR."""

HYSTERESIS: Final = ("current sigmoid", "one-state hysteresis", "one-state differential capacity hysteresis")
"""Open-circuit potentials with hysteresis."""

EARLIER_NAMES: Final = ("Axen", "Wycisk")
"""Open-circuit potentials that PyBaMM lists under new names but still accepts."""

IMPLIED: Final[dict[str, dict[str, OptionValue]]] = {
    "MPM": {"particle size": "distribution"},
    "MSMR": {OCP: "MSMR", "particle": "MSMR", "intercalation kinetics": "MSMR"},
}
"""Options that the type of a model sets."""

LITHIUM_METAL: Final = "Exchange-current density for lithium metal electrode [A.m-2]"
"""A parameter of half-cell sets."""

FULL_CELL: Final = "Maximum concentration in negative electrode [mol.m-3]"
"""A parameter of sets with a negative electrode, as this or with the prefix of a phase."""

CIRCUIT_VOLTAGE: Final = "Open-circuit voltage [V]"
"""A parameter of sets for equivalent circuits."""

OTHER_CHEMISTRIES: Final = ("Sulzer2019", "Chayambuka2022")  # PyBaMM's sets for lead-acid and sodium-ion cells


def empty_model(settings: ModelSettings) -> pybamm.BaseModel:
    """Create PyBaMM's model of this type with these options, without parameters.

    Args:
        settings: the type, a name in ``MODEL_TYPES``, and the options; the mesh is not used.

    Raises:
        JobError: PyBaMM has no such option or value, or the options contradict each other (``cannot_build``).
    """
    options = dict(settings.options)
    _check_options(settings)
    try:
        if settings.type == CIRCUIT:
            return pybamm.equivalent_circuit.Thevenin(options=options)
        return getattr(pybamm.lithium_ion, settings.type)(options or None)
    except (pybamm.OptionError, NotImplementedError, ValueError, TypeError, KeyError, AttributeError) as error:
        text = " ".join(str(error).split())
        raise JobError(f"PyBaMM cannot create {settings.type} with these options: {text}", "cannot_build") from error


def _check_options(settings: ModelSettings) -> None:
    """Refuse options that PyBaMM would ignore or misread, and wrong names with the nearest right one."""
    options = dict(settings.options)
    if options.get("operating mode", "current") != "current":
        reason = 'option "operating mode" must be "current": the measured record gives it; remove the option'
        raise JobError(reason, "cannot_build")
    if settings.type == "Yang2017" and options:  # PyBaMM would ignore them without a word
        reason = "Yang2017 has fixed options and takes no others; use the model DFN with these options instead"
        raise JobError(reason, "cannot_build")
    if settings.type == CIRCUIT:
        known: dict[str, Any] = dict.fromkeys(pybamm.equivalent_circuit.Thevenin(build=False).options, ())
    else:
        known = pybamm.BatteryModelOptions({}).possible_options
    for name, value in options.items():
        if name not in known:
            raise JobError(f"{settings.type} has no option {quote(name)}{suggest_or_list(name, known)}", "cannot_build")
        if known[name] and name != REACTIONS:
            _check_values(settings.type, name, value, known[name])


def _check_values(model_type: str, name: str, value: OptionValue, known: Any) -> None:
    for single in _flatten(value):
        if single not in known and single not in EARLIER_NAMES:
            hint = suggest_or_list(str(single), [str(possible) for possible in known])
            raise JobError(f"option {quote(name)} of {model_type} cannot be {quote(str(single))}{hint}", "cannot_build")


def _flatten(value: OptionValue) -> Iterator[str | int]:
    if isinstance(value, tuple):
        for entry in value:
            yield from _flatten(entry)
    else:
        yield value


def full_options(settings: ModelSettings) -> pybamm.BatteryModelOptions:
    """Return all options of a lithium-ion model: given, implied by its type, and PyBaMM's defaults.

    Args:
        settings: of any type but ``Thevenin``, whose options are others.
    """
    return pybamm.BatteryModelOptions({**IMPLIED.get(settings.type, {}), **dict(settings.options)})


def state_model(settings: ModelSettings) -> ModelSettings:
    """Reduce a model to the options that its state at rest depends on; models with the same ones share tables.

    Returns:
        Settings without name, and without type except for a circuit.
    """
    if settings.type == CIRCUIT:
        return ModelSettings("", CIRCUIT)
    options = {**IMPLIED.get(settings.type, {}), **dict(settings.options)}
    names: tuple[str, ...] = STATE_OPTIONS
    if "MSMR" in str(options.get(OCP)):
        names += MSMR_OPTIONS
    return ModelSettings("", "", tuple((name, options[name]) for name in names if name in options))


def cell_sides(options: pybamm.BatteryModelOptions) -> tuple[str, ...]:
    """Return the electrodes with particles: both, or in a half-cell the positive (working) electrode."""
    if options[ELECTRODE] == "positive":
        return ("positive",)
    return SIDES


def used_mesh_points(model: pybamm.BaseModel) -> set[str]:
    """Return the names of the directions in which a model has a mesh, such as ``r_n``."""
    return {str(getattr(key, "name", key)) for variables in model.default_geometry.values() for key in variables}


def mesh_points(settings: ModelSettings, model: pybamm.BaseModel) -> dict[Any, int] | None:
    """Return the points of the mesh in each direction, as PyBaMM takes them; ``None`` = PyBaMM's default.

    Args:
        settings: its ``mesh`` overrides the default points.
        model: as :func:`empty_model` creates it from the settings.

    Raises:
        JobError: the model has no such direction (``cannot_build``).
    """
    if not settings.mesh:
        return None
    key_by_name = {getattr(key, "name", key): key for key in model.default_var_pts}
    available = used_mesh_points(model) & set(key_by_name)
    points = dict(model.default_var_pts)
    for name, number in settings.mesh:
        if name not in available:
            hint = suggest_or_list(name, available)
            raise JobError(f"the mesh of {settings.name} has no points {quote(name)}{hint}", "cannot_build")
        points[key_by_name[name]] = number
    return points


def scales_current(settings: ModelSettings) -> bool:
    """Tell whether a capacity is scaled by dividing the current among copies of the set's cell.

    In an isothermal model the number of electrodes in parallel scales the capacity. With heat, contact resistance,
    current collectors or two dimensions, and in an equivalent circuit, the set's numbers (volume, cooled surface,
    resistance) are those of its whole cell: a cell of twice the capacity is then two of these cells in parallel.
    """
    options = dict(settings.options)
    return (
        settings.type == CIRCUIT
        or options.get("thermal", "isothermal") != "isothermal"
        or options.get("contact resistance", "false") != "false"
        or has_current_collectors(settings)
    )


def has_current_collectors(settings: ModelSettings) -> bool:
    """Tell whether the model has dimensions along the current collectors; their size is no simple factor."""
    return dict(settings.options).get("dimensionality", 0) != 0


@lru_cache(maxsize=64)
def check_set(settings: ModelSettings, key: str) -> None:
    """Refuse a parameter set that describes another kind of cell than the model.

    Args:
        settings: the model.
        key: the parameter set's key.

    Raises:
        JobError: ``cannot_build``; the text says what does not match and what to do.
    """
    names = load_base_set(key).keys()
    mismatch = _find_mismatch(settings, frozenset(names))
    if mismatch:
        reason = f"model {settings.name} cannot use the parameter set {key.partition('@')[0]}: {mismatch}"
        raise JobError(reason, "cannot_build")


def _find_mismatch(settings: ModelSettings, names: frozenset[str]) -> str:
    """Return why a set with these parameters does not fit a model, and what to do; "" = it fits."""
    if settings.type == CIRCUIT:
        if CIRCUIT_VOLTAGE in names:
            return ""
        return f"{CIRCUIT} needs a parameter set for an equivalent circuit, such as ECM_Example"
    if CIRCUIT_VOLTAGE in names:
        return f"the set describes an equivalent circuit; use the model {CIRCUIT}, or a set for a lithium-ion cell"
    options = full_options(settings)
    is_half = options[ELECTRODE] == "positive"
    if not is_half and LITHIUM_METAL in names and not any(FULL_CELL in name for name in names):
        return (
            "the set describes a half-cell; "
            'give the model options = { "working electrode" = "positive" }, or use another set'
        )
    if is_half and LITHIUM_METAL not in names:
        return (
            "it is not a parameter set for a half-cell; "
            'remove the option "working electrode", or use a half-cell set, such as Xu2019'
        )
    return _find_lithium_ion_mismatch(options, names)


def _find_lithium_ion_mismatch(options: pybamm.BatteryModelOptions, names: frozenset[str]) -> str:
    sides = cell_sides(options)
    has_sites = any("host site" in name for name in names)
    model_is_msmr = options[OCP] == "MSMR"
    if has_sites and not model_is_msmr:
        return f'it is an MSMR set; use the model MSMR with options = {{ "{REACTIONS}" = ["6", "4"] }}'
    if has_sites:
        return ""
    if not any(f"Maximum concentration in {sides[0]} electrode [mol.m-3]" in name for name in names):
        return "it is not a lithium-ion parameter set"
    if model_is_msmr:
        return "the model needs a set with host sites, such as MSMR_Example"
    return _find_phase_mismatch(options, sides, names)


def _find_phase_mismatch(options: pybamm.BatteryModelOptions, sides: tuple[str, ...], names: frozenset[str]) -> str:
    for side in sides:
        model_has_two = getattr(options, side)[PHASES] == "2"
        set_has_one = f"Maximum concentration in {side} electrode [mol.m-3]" in names
        set_has_two = f"Primary: Maximum concentration in {side} electrode [mol.m-3]" in names
        if model_has_two and not set_has_two:
            advice = f"change the model's option {PHASES!r}, or use a set such as Chen2020_composite"
            return f"its {side} electrode has one phase, and the model needs two; {advice}"
        if not model_has_two and set_has_two and not set_has_one:
            pair = '["2", "1"]' if side == "negative" else '["1", "2"]'
            return f'its {side} electrode has two phases; give the model options = {{ "{PHASES}" = {pair} }}'
    return ""


def complete_set(values: pybamm.ParameterValues, settings: ModelSettings) -> tuple[str, ...]:
    """Add to a set, in place, the parameters that PyBaMM's own set-up of the model adds if they are missing.

    Args:
        values: the set.
        settings: the model.

    Returns:
        What was added or assumed, in words.
    """
    if settings.type == CIRCUIT:
        return ()
    options = full_options(settings)
    notes = []
    for electrode in cell_sides(options):
        for side, prefix, potential in electrode_phases(options, electrode):
            if potential in HYSTERESIS:
                notes.append(_complete_hysteresis(values, side, prefix))
    if options["particle size"] == "distribution":
        added = _add_size_distributions(values, options)
        if added:
            notes.append("particle sizes lognormal, 30 % wide (PyBaMM's, the set has none)")
    return tuple(notes)


def _complete_hysteresis(values: pybamm.ParameterValues, side: str, prefix: str) -> str:
    """Add the initial hysteresis state of a phase if it is missing; return what it is, in words."""
    name = f"{prefix}Initial hysteresis state in {side} electrode"
    if name not in values.keys():  # noqa: SIM118 - "in values" also matches similar names
        values.update({name: 0.0})
    if values[name] == 0.0:
        return f"{prefix}{side} electrode half way between its branches"
    return f"{name} {values[name]}"


def _add_size_distributions(values: pybamm.ParameterValues, options: pybamm.BatteryModelOptions) -> list[str]:
    """Add PyBaMM's default distributions of particle sizes; return the names that were added."""
    two_phase_sides = [side for side in SIDES if getattr(options, side)[PHASES] == "2"]
    composite = "neither"
    if len(two_phase_sides) == 2:
        composite = "both"
    elif two_phase_sides:
        composite = two_phase_sides[0]
    completed = pybamm.get_size_distribution_parameters(
        values.copy(), working_electrode=options[ELECTRODE], composite=composite
    )
    missing = sorted(set(completed.keys()) - set(values.keys()))
    values.update({name: completed[name] for name in missing})
    return missing


def electrode_phases(options: pybamm.BatteryModelOptions, side: str) -> Iterator[tuple[str, str, Any]]:
    """Iterate over the phases of an electrode as (side, prefix of the parameters' names, open-circuit potential).

    Args:
        options: all options of the model.
        side: "negative" or "positive".
    """
    electrode = getattr(options, side)
    potential = electrode[OCP]
    if electrode[PHASES] != "2":
        yield side, "", potential
        return
    pair = potential if isinstance(potential, tuple) else (potential, potential)
    yield side, "Primary: ", pair[0]
    yield side, "Secondary: ", pair[1]


def explain_build_error(error: Exception, key: str) -> str:
    """Explain why PyBaMM did not build a model; for a missing parameter, name PyBaMM's sets that have it.

    Args:
        error: raised by PyBaMM.
        key: the parameter set's key.

    Returns:
        One line.
    """
    text = str(error.args[0] if error.args else error).split("\n", 1)[0]
    match = re.search(r"'([^']+)' not found", text)
    if not match:
        return text
    parameter = match[1]
    sets = ", ".join(find_sets_with(parameter)) or "none"
    missing = f"{key.partition('@')[0]} has no {parameter!r}, which the model needs"
    return f"{missing}; PyBaMM's sets with this parameter: {sets}"


@lru_cache(maxsize=32)
def find_sets_with(parameter: str) -> tuple[str, ...]:
    """Return the names of PyBaMM's lithium-ion sets that have a parameter, sorted."""
    names = (name for name in pybamm.parameter_sets if name not in OTHER_CHEMISTRIES)
    return tuple(sorted(name for name in names if parameter in load_base_set(name).keys()))  # noqa: SIM118
