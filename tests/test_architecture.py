"""The architecture: which package imports which, where each library is used, and how long files and functions are."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES: dict[str, set[str]] = {
    "data": set(),
    "jobs": {"data"},
    "parquet_store": {"data"},
    "sqlite": {"data"},
    "report": {"data", "parquet_store", "sqlite"},
    "runner": {"data", "jobs", "parquet_store", "report", "sqlite"},
}
"""Which of our packages each package may import."""

LIBRARIES = {
    "dask": ("runner/run/graph.py", "runner/cluster/"),
    "distributed": ("runner/run/graph.py", "runner/cluster/"),
    "dask_jobqueue": ("runner/cluster/slurm.py",),
    "click": ("runner/cli.py", "runner/commands/"),
    "pybamm": ("jobs/", "data/"),
    "matplotlib": ("report/",),
    "bokeh": ("runner/live/", "report/html/"),
}
"""The only places (beginnings of paths) where a library may be imported."""

WINGS: dict[str, tuple[tuple[str, ...], ...]] = {
    "jobs": (
        ("record",),
        ("parameters",),
        ("cleaning",),
        ("current_profile",),
        ("models",),
        ("simulation", "export"),
        ("fitting",),
    ),
    "runner": (
        ("signals",),
        ("campaign", "cluster"),
        ("plan",),
        ("worker",),
        ("live",),
        ("run",),
        ("show",),
        ("inspect", "export", "doctor"),
        ("commands",),
        ("cli",),
        ("__main__",),
    ),
}
"""Order of the subpackages (wings) of a package, from the bottom up; each imports only those on lower levels."""

FILE_LINES = 450
FUNCTION_LINES = 60


@dataclass(frozen=True)
class Import:
    """One imported module or name: its dotted path, where it is, and whether it runs when the module is imported."""

    target: tuple[str, ...]
    line: int
    ours: bool
    at_module_level: bool


def files(root: Path = ROOT) -> list[Path]:
    return sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))


def name_of(path: Path, root: Path = ROOT) -> str:
    return path.relative_to(root).as_posix()


def imports(path: Path, root: Path = ROOT) -> Iterator[Import]:
    """Every import of a file, relative ones of any level resolved from the root of the package."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, (ast.FunctionDef, ast.AsyncFunctionDef)) or _is_type_checking(block)
        for node in ast.walk(block)
    }
    folder = path.relative_to(root).parent.parts
    for node in ast.walk(tree):
        at_module_level = id(node) not in inside
        if isinstance(node, ast.Import):
            for alias in node.names:
                parts = tuple(alias.name.split("."))
                ours = parts[0] == "kilocell"
                yield Import(parts[1:] if ours else parts, node.lineno, ours, at_module_level)
        elif isinstance(node, ast.ImportFrom):
            module = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                base = folder[: len(folder) - node.level + 1]
            elif module and module[0] == "kilocell":
                base, module = (), module[1:]
            else:
                yield Import(module, node.lineno, False, at_module_level)
                continue
            for alias in node.names:
                yield Import((*base, *module, alias.name), node.lineno, True, at_module_level)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def forbidden_packages(root: Path = ROOT) -> list[str]:
    """Imports of one of our packages by another that may not use it."""
    breaches = []
    for path in files(root):
        package = path.relative_to(root).parts[0]
        for found in imports(path, root):
            if not found.ours or not found.target:
                continue
            other = found.target[0]
            if other in PACKAGES and other != package and other not in PACKAGES[package]:
                breaches.append(f"{name_of(path, root)}:{found.line} imports {'.'.join(found.target)}")
    return breaches


def forbidden_wings(root: Path = ROOT) -> list[str]:
    """Imports of a subpackage by one on the same level or below it, and subpackages that have no place in the order."""
    breaches = []
    for package, order in WINGS.items():
        level = {wing: number for number, wings in enumerate(order) for wing in wings}
        for path in sorted((root / package).rglob("*.py")):
            name = name_of(path, root)
            wing = path.relative_to(root / package).parts[0].removesuffix(".py")
            if wing == "__init__":
                continue
            if wing not in level:
                breaches.append(f"{name}: the subpackage {wing} is not in the order of {package}")
                continue
            for found in imports(path, root):
                if not found.ours or found.target[:1] != (package,) or found.target[1:2] == (wing,):
                    continue
                other = found.target[1]
                if other in level and level[other] >= level[wing]:
                    breaches.append(f"{name}:{found.line} imports {'.'.join(found.target)}")
    return breaches


def misplaced_libraries(root: Path = ROOT) -> list[str]:
    """Imports of a library outside the places where it may be used; PyBaMM in data/ only inside functions."""
    breaches = []
    for path in files(root):
        name = name_of(path, root)
        for found in imports(path, root):
            if found.ours or found.target[0] not in LIBRARIES:
                continue
            library = found.target[0]
            if not name.startswith(LIBRARIES[library]):
                breaches.append(f"{name}:{found.line} imports {library}")
            elif library == "pybamm" and name.startswith("data/") and found.at_module_level:
                breaches.append(f"{name}:{found.line} imports PyBaMM at module level")
    return breaches


def sql_outside_its_package(root: Path = ROOT) -> list[str]:
    """Files other than those in sqlite/ that execute SQL."""
    breaches = []
    for path in files(root):
        if path.relative_to(root).parts[0] != "sqlite" and ".execute(" in path.read_text(encoding="utf-8"):
            breaches.append(name_of(path, root))
    return breaches


def too_long(root: Path = ROOT) -> list[str]:
    """Files and functions that are longer than a reader wants them."""
    breaches = []
    for path in files(root):
        text = path.read_text(encoding="utf-8")
        name = name_of(path, root)
        if text.count("\n") > FILE_LINES:
            breaches.append(f"{name} has {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    breaches.append(f"{name}:{node.lineno} {node.name} has {lines} lines")
    return breaches


def test_packages_import_only_those_below_them() -> None:
    assert forbidden_packages() == []


def test_wings_import_only_those_below_them() -> None:
    assert forbidden_wings() == []


def test_each_library_is_used_in_its_place_only() -> None:
    assert misplaced_libraries() == []


def test_only_sqlite_executes_sql() -> None:
    assert sql_outside_its_package() == []


def test_files_and_functions_stay_short() -> None:
    assert too_long() == []


def test_every_file_is_seen() -> None:
    """A file in a deep folder is checked like any other."""
    names = {name_of(path) for path in files()}
    assert len(names) > 150
    assert {path.relative_to(ROOT).as_posix() for path in ROOT.glob("jobs/**/*.py")} <= names


@pytest.mark.parametrize(
    ("place", "line", "check"),
    [
        ("jobs/a/b/c/deep.py", "from .....runner import cli", forbidden_packages),
        ("jobs/a/b/c/deep.py", "from .....sqlite.queries import connect", forbidden_packages),
        ("jobs/a/deep.py", "from kilocell.runner import cli", forbidden_packages),
        ("jobs/a/deep.py", "import kilocell.parquet_store.read", forbidden_packages),
        ("data/a/deep.py", "def f():\n    from ...jobs.a import b", forbidden_packages),
        ("report/draw/deep.py", "if TYPE_CHECKING:\n    from ...runner.a import b", forbidden_packages),
        ("jobs/a/b/deep.py", "import dask.array", misplaced_libraries),
        ("runner/a/b/deep.py", "from matplotlib import pyplot", misplaced_libraries),
        ("data/a/deep.py", "import pybamm", misplaced_libraries),
        ("report/draw/deep.py", "connection.execute('SELECT 1')", sql_outside_its_package),
        ("jobs/record/a/deep.py", "from ...fitting.fit import best_of", forbidden_wings),
        ("jobs/simulation/deep.py", "def f():\n    from ..export import bpx", forbidden_wings),
        ("jobs/simulation/deep.py", "from kilocell.jobs.fitting import fit", forbidden_wings),
        ("runner/campaign/a/deep.py", "from ... import cli", forbidden_wings),
        ("runner/new/deep.py", "import os", forbidden_wings),
        ("jobs/a/deep.py", "def f():\n" + "    1\n" * 100, too_long),
    ],
)
def test_a_breach_in_a_deep_folder_is_found(tmp_path: Path, place: str, line: str, check: object) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_text(line + "\n", encoding="utf-8")
    (breach,) = check(tmp_path)  # type: ignore[operator]
    assert breach.startswith(place)


@pytest.mark.parametrize(
    "module",
    [
        "kilocell",
        "kilocell.runner.cli",
        "kilocell.runner.show.status",
        "kilocell.runner.show.watch",
        "kilocell.runner.show.run_record",
        "kilocell.sqlite.queries",
    ],
)
def test_commands_that_read_import_neither_pybamm_nor_dask_nor_pandas(module: str) -> None:
    assert _loaded_by(module, "pybamm dask distributed pandas pydantic matplotlib") == ""


@pytest.mark.parametrize(
    "module", ["kilocell.report.figures", "kilocell.runner.campaign.campaign", "kilocell.runner.plan.plan"]
)
def test_planning_and_drawing_need_neither_pybamm_nor_dask(module: str) -> None:
    assert _loaded_by(module, "pybamm dask distributed") == ""


def _loaded_by(module: str, libraries: str) -> str:
    """Which of some libraries are loaded by importing a module in a new interpreter."""
    code = f"import sys, {module}; print(' '.join(set({libraries.split()}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()
