"""PyBaMM's models by type and options: what they are, which sets fit them, what their set-up adds to a set."""

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
CIRCUIT: Final = "Thevenin"
STATE_OPTIONS: Final = (OCP, PHASES, ELECTRODE, "particle size", "number of MSMR reactions")
"""Options that the state at rest, and what is assumed for it, depend on."""

MSMR_OPTIONS: Final = ("particle", "intercalation kinetics")  # which PyBaMM wants to be MSMR where the potential is
HYSTERESIS: Final = ("current sigmoid", "one-state hysteresis", "one-state differential capacity hysteresis")
EARLIER_NAMES: Final = ("Axen", "Wycisk")  # of open-circuit potentials; PyBaMM renames them
IMPLIED: Final[dict[str, dict[str, OptionValue]]] = {
    "MPM": {"particle size": "distribution"},
    "MSMR": {OCP: "MSMR", "particle": "MSMR", "intercalation kinetics": "MSMR"},
}
"""Options that a model's type gives."""

LITHIUM_METAL: Final = "Exchange-current density for lithium metal electrode [A.m-2]"
FULL_CELL: Final = "Maximum concentration in negative electrode [mol.m-3]"  # or of its phases
CIRCUIT_VOLTAGE: Final = "Open-circuit voltage [V]"


def empty_model(settings: ModelSettings) -> pybamm.BaseModel:
    """PyBaMM's model of this type with these options, without parameters.

    Raises:
        JobError: PyBaMM does not have such an option or value, or the options do not go together (``cannot_build``).
    """
    given = dict(settings.options)
    _refuse_options(settings)
    try:
        if settings.type == CIRCUIT:
            return pybamm.equivalent_circuit.Thevenin(options=given)
        # Yang2017 takes options and throws them away.
        return getattr(pybamm.lithium_ion, settings.type)(given or None)
    except (pybamm.OptionError, NotImplementedError, ValueError, TypeError, KeyError, AttributeError) as error:
        text = " ".join(str(error).split())
        raise JobError(f"PyBaMM has no {settings.type} with these options: {text}", "cannot_build") from error


def _refuse_options(settings: ModelSettings) -> None:
    """Refuse what PyBaMM would take for something else, or name without the nearest right word."""
    given = dict(settings.options)
    if given.get("operating mode", "current") != "current":
        raise JobError('"operating mode" must be "current": the measured record gives it', "cannot_build")
    if settings.type == "Yang2017" and given:
        raise JobError("Yang2017 has its own options and takes no others; take the DFN with them", "cannot_build")
    if settings.type == CIRCUIT:
        known = dict.fromkeys(pybamm.equivalent_circuit.Thevenin(build=False).options, ())
    else:
        known = pybamm.BatteryModelOptions({}).possible_options
    for name, value in given.items():
        if name not in known:
            raise JobError(f"{settings.type} has no option {quote(name)}{suggest_or_list(name, known)}", "cannot_build")
        values = known[name]
        for word in _words(value):
            if values and word not in values and name != "number of MSMR reactions" and word not in EARLIER_NAMES:
                suggestion = suggest_or_list(str(word), [str(value) for value in values])
                raise JobError(
                    f"option {quote(name)} of {settings.type} cannot be {quote(str(word))}{suggestion}", "cannot_build"
                )


def _words(value: OptionValue) -> Iterator[str | int]:
    if isinstance(value, tuple):
        for entry in value:
            yield from _words(entry)
    else:
        yield value


def full_options(settings: ModelSettings) -> pybamm.BatteryModelOptions:
    """A lithium-ion model's options with those that its type gives and PyBaMM's defaults; none of a circuit."""
    return pybamm.BatteryModelOptions({**IMPLIED.get(settings.type, {}), **dict(settings.options)})


def state_model(settings: ModelSettings) -> ModelSettings:
    """As much of a model as its state at rest depends on, so that models that share it share its tables."""
    if settings.type == CIRCUIT:
        return ModelSettings("", CIRCUIT)
    given = {**IMPLIED.get(settings.type, {}), **dict(settings.options)}
    names = STATE_OPTIONS + (MSMR_OPTIONS if "MSMR" in str(given.get(OCP)) else ())
    return ModelSettings("", "", tuple((name, given[name]) for name in names if name in given))


def mesh_points(settings: ModelSettings, model: pybamm.BaseModel) -> dict[Any, int] | None:
    """Points of the mesh as PyBaMM takes them; ``None`` = its own.

    Raises:
        JobError: the model has no such direction (``cannot_build``).
    """
    if not settings.mesh:
        return None
    name_of = {getattr(key, "name", key): key for key in model.default_var_pts}
    used = {getattr(key, "name", key) for variables in model.default_geometry.values() for key in variables}
    points = dict(model.default_var_pts)
    for name, number in settings.mesh:
        if name not in used or name not in name_of:
            suggestion = suggest_or_list(name, used & set(name_of))
            raise JobError(f"the mesh of {settings.name} has no points {quote(name)}{suggestion}", "cannot_build")
        points[name_of[name]] = number
    return points


def scales_current(settings: ModelSettings) -> bool:
    """Tell whether a capacity is scaled by sharing the current among copies of the set's cell.

    In an isothermal model the number of electrodes in parallel does it. With heat, a resistance of contacts or
    current collectors, in an equivalent circuit, and with two dimensions, the set's numbers (volume, cooled surface,
    ohms) are those of its whole cell: a cell of twice the capacity is then two of them side by side.
    """
    given = dict(settings.options)
    return (
        settings.type == CIRCUIT
        or given.get("thermal", "isothermal") != "isothermal"
        or given.get("contact resistance", "false") != "false"
        or given.get("dimensionality", 0) != 0
    )


@lru_cache(maxsize=64)
def check_set(settings: ModelSettings, key: str) -> None:
    """Refuse a parameter set of another kind of cell than the model's, and say what to do.

    Raises:
        JobError: ``cannot_build``.
    """
    names = load_base_set(key).keys()
    wrong = _mismatch(settings, frozenset(names))
    if wrong:
        raise JobError(
            f"{settings.name} cannot take the parameter set {key.partition('@')[0]}: {wrong}", "cannot_build"
        )


def _mismatch(settings: ModelSettings, names: frozenset[str]) -> str:
    if settings.type == CIRCUIT:
        return "" if CIRCUIT_VOLTAGE in names else f"{CIRCUIT} takes a set of a circuit, such as ECM_Example"
    if CIRCUIT_VOLTAGE in names:
        return f"it is of an equivalent circuit; take the model {CIRCUIT}, or a set of a lithium-ion cell"
    options = full_options(settings)
    half = options[ELECTRODE] == "positive"
    if not half and LITHIUM_METAL in names and not any(FULL_CELL in name for name in names):
        return (
            'it is of a half-cell; give the model options = { "working electrode" = "positive" }, or take another set'
        )
    if half and LITHIUM_METAL not in names:
        return 'it is no set of a half-cell; leave "working electrode" out, or take one, such as Xu2019'
    has_msmr = any("host site" in name for name in names)
    side = "positive" if half else "negative"
    if not has_msmr and not any(f"Maximum concentration in {side} electrode [mol.m-3]" in name for name in names):
        return "it is of no lithium-ion cell"
    if has_msmr and options[OCP] != "MSMR":
        return 'it is an MSMR set; take the model MSMR with options = { "number of MSMR reactions" = ["6", "4"] }'
    if not has_msmr and options[OCP] == "MSMR":
        return "the model takes a set with host sites, such as MSMR_Example"
    return "" if has_msmr else _phase_mismatch(options, half, names)


def _phase_mismatch(options: pybamm.BatteryModelOptions, half: bool, names: frozenset[str]) -> str:
    for side in ("positive",) if half else ("negative", "positive"):
        two = getattr(options, side)[PHASES] == "2"
        has_one = f"Maximum concentration in {side} electrode [mol.m-3]" in names
        has_two = f"Primary: Maximum concentration in {side} electrode [mol.m-3]" in names
        if two and not has_two:
            return f"its {side} electrode has one phase; give the model other {PHASES!r}, or take Chen2020_composite"
        if not two and has_two and not has_one:
            pair = '["2", "1"]' if side == "negative" else '["1", "2"]'
            return f'its {side} electrode has two phases; give the model options = {{ "{PHASES}" = {pair} }}'
    return ""


def complete_set(values: pybamm.ParameterValues, settings: ModelSettings) -> tuple[str, ...]:
    """Add to a set, in place, what PyBaMM's own set-up of the model adds where the set does not have it.

    Returns:
        What was added or assumed, in words.
    """
    if settings.type == CIRCUIT:
        return ()
    options = full_options(settings)
    half = options[ELECTRODE] == "positive"
    words = []
    sides = ("positive",) if half else ("negative", "positive")
    for side, prefix, potential in (phase for electrode in sides for phase in electrode_phases(options, electrode)):
        if potential in HYSTERESIS:
            name = f"{prefix}Initial hysteresis state in {side} electrode"
            if name not in values.keys():  # noqa: SIM118 - its "in" also finds near names
                values.update({name: 0.0})
            words.append(
                f"{prefix}{side} electrode half way between its branches"
                if values[name] == 0.0
                else f"{name} {values[name]}"
            )
    if options["particle size"] == "distribution":
        added = _size_distributions(values, options)
        if added:
            words.append("particle sizes lognormal, 30 % wide (PyBaMM's, the set has none)")
    return tuple(words)


def electrode_phases(options: pybamm.BatteryModelOptions, side: str) -> Iterator[tuple[str, str, Any]]:
    """An electrode's phases as (side, prefix of their parameters, open-circuit potential)."""
    of_side = getattr(options, side)
    potential = of_side[OCP]
    if of_side[PHASES] != "2":
        yield side, "", potential
        return
    pair = potential if isinstance(potential, tuple) else (potential, potential)
    yield side, "Primary: ", pair[0]
    yield side, "Secondary: ", pair[1]


def _size_distributions(values: pybamm.ParameterValues, options: pybamm.BatteryModelOptions) -> list[str]:
    two = [side for side in ("negative", "positive") if getattr(options, side)[PHASES] == "2"]
    composite = "both" if len(two) == 2 else (two[0] if two else "neither")
    made = pybamm.get_size_distribution_parameters(
        values.copy(), working_electrode=options[ELECTRODE], composite=composite
    )
    missing = sorted(set(made.keys()) - set(values.keys()))
    values.update({name: made[name] for name in missing})
    return missing


def explain_build_error(error: Exception, key: str) -> str:
    """PyBaMM's reason for not building a model, with the sets that have a parameter where that is what is missing."""
    text = str(error.args[0] if error.args else error).split("\n", 1)[0]
    found = re.search(r"'([^']+)' not found", text)
    if not found:
        return text
    having = ", ".join(find_sets_with(found[1])) or "none"
    return (
        f"{key.partition('@')[0]} has no {found[1]!r}, which the model needs; of PyBaMM's sets these have it: {having}"
    )


@lru_cache(maxsize=32)
def find_sets_with(parameter: str) -> tuple[str, ...]:
    """PyBaMM's lithium-ion sets that have a parameter."""
    names = (name for name in pybamm.parameter_sets if name not in ("Sulzer2019", "Chayambuka2022"))
    return tuple(sorted(name for name in names if parameter in load_base_set(name).keys()))  # noqa: SIM118
