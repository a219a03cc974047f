"""Find the parameters of a set that a model's voltage depends on, without solving, and models or options that use one.

A parameter that is not among them cannot be fitted. One that is among them may still have no effect in a record.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import pybamm

from ...data.errors import JobError
from ...data.fit_settings import CELL_CAPACITY, INITIAL_SOC, LITHIUM_INVENTORY
from ...data.names import quote
from ...data.settings import ModelSettings, OptionValue, ParameterSetSettings
from ..parameters.sets import INITIAL_LITHIUM, load_base_set
from ..parameters.table import MODELS_BY_KIND, find_set_kind
from .build import VOLTAGE
from .pybamm_models import CIRCUIT, complete_set, empty_model

ADDING_OPTIONS: Final[tuple[tuple[str, OptionValue], ...]] = (
    ("contact resistance", "true"),
    ("thermal", "lumped"),
    ("SEI", "solvent-diffusion limited"),
    ("SEI", "reaction limited"),
    ("SEI", "ec reaction limited"),
    ("SEI", "interstitial-diffusion limited"),
    ("SEI", "electron-migration limited"),
    ("lithium plating", "reversible"),
    ("lithium plating", "partially reversible"),
    ("surface form", "differential"),
    ("loss of active material", "stress-driven"),
    ("particle mechanics", "swelling and cracking"),
    ("particle size", "distribution"),
    ("intercalation kinetics", "asymmetric Butler-Volmer"),
    ("open-circuit potential", "one-state hysteresis"),
    ("dimensionality", 1),
)
"""Options of lithium-ion models that add parameters, the more usual first."""

CIRCUIT_OPTIONS: Final[tuple[tuple[str, OptionValue], ...]] = (
    ("diffusion element", "true"),
    ("number of rc elements", 2),
    ("number of rc elements", 3),
)
"""The same of an equivalent circuit."""


@lru_cache(maxsize=256)
def used_parameters(model: ModelSettings, key: str) -> frozenset[str] | None:
    """Return the names that a fit can search with a model and a set: parameters of the voltage, and those of the cell.

    Followed are, from the voltage on, the states in it, their equations, initial and boundary conditions, the geometry
    of their domains, and the functions of the set.

    Args:
        model: type and options.
        key: the parameter set's key.

    Returns:
        ``None`` if a function of the set cannot be followed, so that nothing is known.

    Raises:
        JobError: PyBaMM cannot create the model, or the set cannot be loaded.
    """
    values = load_base_set(key).copy()
    complete_set(values, model)
    try:
        names = _Walk(empty_model(model), values).names()
    except Exception:  # a function of a user's set may raise anything; the search then finds what has an effect
        return None
    cell = {INITIAL_SOC, CELL_CAPACITY}
    if len([name for name in values.keys() if INITIAL_LITHIUM.search(name)]) > 1 and model.type != CIRCUIT:  # noqa: SIM118
        cell.add(LITHIUM_INVENTORY)
    return frozenset(names | cell)


class _Walk:
    """Follows the voltage of a model to its parameters."""

    def __init__(self, model: pybamm.BaseModel, values: pybamm.ParameterValues) -> None:
        self._voltage = model.variables[VOLTAGE]
        self._values = values
        self._geometry_by_domain: dict[str, list[Any]] = {}
        for domain, points in model.default_geometry.items():
            limits = [value for ends in points.values() if isinstance(ends, dict) for value in ends.values()]
            self._geometry_by_domain[domain] = [value for value in limits if isinstance(value, pybamm.Symbol)]
        self._equations: dict[str, list[Any]] = defaultdict(list)
        algebraic = list(model.algebraic.values())
        for equations in (model.rhs, model.algebraic, model.initial_conditions, model.boundary_conditions):
            for key, value in equations.items():
                conditions = [value] if isinstance(value, pybamm.Symbol) else [side[0] for side in value.values()]
                # Algebraic equations are solved together: a state in one of them depends on all.
                more = algebraic if equations is model.algebraic else []
                for name in _variable_names(key):
                    self._equations[name] += [*conditions, *more]

    def names(self) -> set[str]:
        """Return the names of all parameters found."""
        found: set[str] = set()
        seen: set[int] = set()
        waiting: list[Any] = [self._voltage]
        while waiting:
            node = waiting.pop()
            if node.id in seen:
                continue
            seen.add(node.id)
            waiting += node.children
            waiting += self._geometry(node)
            if isinstance(node, pybamm.Variable):
                waiting += self._equations.get(node.name, [])
            elif isinstance(node, (pybamm.Parameter, pybamm.FunctionParameter)):
                found.add(node.name)
                waiting += self._inside(node)
        return found

    def _inside(self, node: Any) -> list[Any]:
        """Return what a parameter is made of: of a function, its expression."""
        value = self._values.get(node.name)
        if callable(value) and isinstance(node, pybamm.FunctionParameter):
            value = value(*node.children)
        return [value] if isinstance(value, pybamm.Symbol) else []

    def _geometry(self, node: Any) -> Iterator[Any]:
        for domains in node.domains.values():
            for domain in domains:
                yield from self._geometry_by_domain.get(domain, ())


def _variable_names(key: Any) -> Iterable[str]:
    """Return the names of the variables that an equation is for; a concatenation has one in each domain."""
    return {node.name for node in key.pre_order() if isinstance(node, pybamm.Variable)}


@lru_cache(maxsize=256)
def describe_users(model: ModelSettings, parameter_set: ParameterSetSettings, name: str) -> str:
    """Say which options of the model, or which other models, use a parameter; "" = none is known.

    Args:
        model: does not use it.
        parameter_set: the set of the fit.
        name: of the parameter.
    """
    key = parameter_set.key
    kind = find_set_kind(load_base_set(key), parameter_set.base)
    others = [other for other in MODELS_BY_KIND.get(kind, ()) if other != model.type]
    using = [other for other in others if _uses(replace(model, type=other), key, name)]
    if using:
        return f"use the model {' or '.join(using[:2])}"
    given = dict(model.options)
    for option, value in CIRCUIT_OPTIONS if model.type == CIRCUIT else ADDING_OPTIONS:
        options = tuple(sorted({**given, option: value}.items()))
        if option not in given and _uses(replace(model, options=options), key, name):
            text = quote(str(value)) if isinstance(value, str) else str(value)
            return f'give the model options = {{ "{option}" = {text} }}'
    return ""


def _uses(model: ModelSettings, key: str, name: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of models that nobody asked for
            used = used_parameters(model, key)
    except JobError:
        return False
    return used is not None and name in used
