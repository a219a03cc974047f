"""Installed packages and parameter sets, found in the packages' metadata without importing them."""

from __future__ import annotations

import importlib.metadata
from functools import cache
from importlib.metadata import entry_points


@cache
def parameter_set_names() -> tuple[str, ...]:
    """Return the names of all parameter sets that PyBaMM and its plugins register, in alphabetical order."""
    return tuple(sorted({entry.name for entry in entry_points(group="pybamm_parameter_sets")}))


@cache
def registering_package(parameter_set: str) -> str:
    """Return the name and version of the package that registers a parameter set.

    Args:
        parameter_set: name of the set.

    Returns:
        Text such as ``pybamm 26.10.1.1``; ``""`` if no package registers it, as for a set from the campaign's own file.
    """
    for entry in entry_points(group="pybamm_parameter_sets"):
        if entry.name == parameter_set and entry.dist is not None:
            return f"{entry.dist.name} {entry.dist.version}"
    return ""


@cache
def installed_version(package: str) -> str:
    """Return the installed version of a package.

    Args:
        package: its name on PyPI.

    Raises:
        importlib.metadata.PackageNotFoundError: it is not installed.
    """
    return importlib.metadata.version(package)
