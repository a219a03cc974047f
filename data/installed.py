"""What is installed: package versions and parameter sets, found without importing the packages."""

from __future__ import annotations

import importlib.metadata
from functools import cache
from importlib.metadata import entry_points


@cache
def parameter_set_names() -> tuple[str, ...]:
    """Names of every parameter set that PyBaMM and its plugins register, without importing PyBaMM."""
    return tuple(sorted({entry.name for entry in entry_points(group="pybamm_parameter_sets")}))


@cache
def registering_package(parameter_set: str) -> str:
    """Name and version of the package that registers a set, as ``pybamm 26.10.1.1``; ``""`` for a campaign's own."""
    for entry in entry_points(group="pybamm_parameter_sets"):
        if entry.name == parameter_set and entry.dist is not None:
            return f"{entry.dist.name} {entry.dist.version}"
    return ""


@cache
def installed_version(package: str) -> str:
    """The installed version of a package, without importing it."""
    return importlib.metadata.version(package)
