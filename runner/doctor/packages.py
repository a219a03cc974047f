"""Check Python, SQLite and the packages that kilocell needs, against what it requires and what was tested."""

from __future__ import annotations

import importlib.resources
import platform
import sqlite3
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement

from .check import Check

OLDEST_PYTHON: Final = (3, 11)
OLDEST_SQLITE: Final = (3, 37, 0)
"""The first version of SQLite with STRICT tables."""

EXTRAS: Final = {"cyclers": "workbooks (.xlsx, .xls) and Neware's .nda and .ndax", "bpx": "parameter sets in BPX"}
"""Optional dependencies that users install, and what for."""

NAMED: Final = 5  # packages up to which each is named


def check_python() -> Check:
    """Check the version of Python."""
    found = f"{platform.python_version()} in {sys.prefix}"
    if sys.version_info < OLDEST_PYTHON:
        return Check("Python", "problem", found, "install Python 3.11 or newer, then kilocell in it")
    return Check("Python", "ok", found)


def check_sqlite() -> Check:
    """Check the version of SQLite that Python brings."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        advice = "the catalog needs 3.37 or newer: use another Python, such as one from uv or conda"
        return Check("SQLite", "problem", sqlite3.sqlite_version, advice)
    return Check("SQLite", "ok", sqlite3.sqlite_version)


def check_packages() -> Iterator[Check]:
    """Check the required packages, the optional ones, and whether versions are those that were tested."""
    needed = [one for one in _requirements() if one.marker is None]
    missing = [str(one) for one in needed if _installed(one.name) is None]
    wrong = [f"{one.name} {_installed(one.name)} (needs {one.specifier})" for one in needed if _is_wrong(one)]
    if missing or wrong:
        wanted = " ".join(f"'{one.name}{one.specifier}'" for one in needed if str(one) in missing or _is_wrong(one))
        found = "; ".join(part for part in (_listed("missing: ", missing), _listed("", wrong)) if part)
        yield Check("packages", "problem", found, f"pip install {wanted}")
    else:
        shown = ", ".join(f"{name} {_installed(name)}" for name in ("kilocell", "pybamm", "dask"))
        yield Check("packages", "ok", f"{shown}; all {len(needed)} have versions that kilocell accepts")
    yield from _compare_with_tested()
    for extra, use in EXTRAS.items():
        names = [one.name for one in _requirements() if _is_of_extra(one, extra)]
        absent = [name for name in names if _installed(name) is None]
        if extra == "bpx" and _installed("bpx") is None:
            absent = ["bpx"]
        if absent:
            yield Check(
                f"for {extra}", "note", f"not installed: {', '.join(absent)}", f"{use}: pip install '.[{extra}]'"
            )
        else:
            yield Check(f"for {extra}", "ok", f"installed: {use}")


def _compare_with_tested() -> Iterator[Check]:
    """Compare the versions of the required packages with those that were tested together."""
    tested = _tested_versions()
    if not tested:
        return
    names = sorted(one.name for one in _requirements() if one.marker is None)
    others = [
        f"{name} {_installed(name)} (tested: {tested[name]})"
        for name in names
        if name in tested and _installed(name) not in (None, tested[name])
    ]
    if others:
        advice = "if results or speed surprise you: pip install -c constraints.txt . (in the clone)"
        yield Check("tested versions", "note", _listed("differ: ", others), advice)
    else:
        yield Check("tested versions", "ok", "the required packages are those that were tested together")


def _tested_versions() -> dict[str, str]:
    """Return the versions of constraints.txt; empty = the installation does not have this file."""
    try:
        text = importlib.resources.files("kilocell").joinpath("constraints.txt").read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = (line.split("==") for line in text.splitlines() if "==" in line and not line.startswith("#"))
    return {name.strip(): number.strip() for name, number in pairs}


def _requirements() -> list[Requirement]:
    try:
        texts = requires("kilocell") or []
    except PackageNotFoundError:
        return []
    found = []
    for text in texts:
        try:
            found.append(Requirement(text))
        except InvalidRequirement:
            continue
    return found


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _is_wrong(requirement: Requirement) -> bool:
    installed = _installed(requirement.name)
    return installed is not None and not requirement.specifier.contains(installed, prereleases=True)


def _is_of_extra(requirement: Requirement, extra: str) -> bool:
    marker = requirement.marker
    return marker is not None and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})


def _listed(before: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return before + ", ".join(names[:NAMED]) + more
