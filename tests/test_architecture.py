"""The walls of the house: who may import whom, and how long a file or function may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS: dict[str, set[str]] = {
    "data": set(),
    "jobs": {"data"},
    "parquet_store": {"data"},
    "sqlite": {"data"},
    "report": {"data", "parquet_store", "sqlite"},
    "runner": {"data", "jobs", "parquet_store", "report", "sqlite"},
}
ONLY_IN = {
    "dask": {"runner/graph.py", "runner/cluster.py", "runner/slurm.py", "runner/workers.py"},
    "distributed": {"runner/graph.py", "runner/cluster.py", "runner/slurm.py"},
    "dask_jobqueue": {"runner/slurm.py"},
    "click": {"runner/cli", "runner/options.py"},
    "pybamm": {"jobs/", "data/"},
    "matplotlib": {"report/"},
}

FILE_LINES, FUNCTION_LINES = 300, 60

FILES = sorted(path for room in ROOMS for path in (ROOT / room).glob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(module, at module level and at run time) of each import; ours as ``.room``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    for node in ast.walk(tree):
        at_top = id(node) not in inside and id(node) not in typing_only
        if isinstance(node, ast.Import):
            yield from ((alias.name, at_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module), at_top
        elif isinstance(node, ast.ImportFrom) and node.level == 2:
            named = [node.module] if node.module else [alias.name for alias in node.names]
            yield from ((f".{name}", at_top) for name in named)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_rooms_import_only_what_stands_beneath_them(path: Path) -> None:
    allowed = ROOMS[path.parent.name]
    for module, _ in imports(path):
        if module.startswith("."):
            room = module[1:].split(".")[0]
            assert room in allowed or room not in ROOMS, f"{name_of(path)} imports {room}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_each_library_has_its_place(path: Path) -> None:
    for module, at_top in imports(path):
        library = module.split(".")[0]
        places = ONLY_IN.get(library)
        if places is not None:
            assert any(name_of(path).startswith(place) for place in places), f"{name_of(path)} imports {library}"
        if library == "pybamm" and path.parent.name == "data":
            assert not at_top, f"{name_of(path)} imports PyBaMM at module level"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_sql_is_spoken_in_one_room(path: Path) -> None:
    if path.parent.name != "sqlite":
        assert ".execute(" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= FUNCTION_LINES, f"{name_of(path)}:{node.lineno} {node.name} has {lines} lines"


@pytest.mark.parametrize("module", ["kilocell.runner.cli", "kilocell.runner.show", "kilocell.sqlite.queries"])
def test_commands_that_read_import_neither_pybamm_nor_dask_nor_pandas(module: str) -> None:
    heavy = "{'pybamm', 'dask', 'distributed', 'pandas', 'pydantic', 'matplotlib'}"
    code = f"import sys, {module}; found = {heavy} & set(sys.modules); sys.exit(' '.join(found) or 0)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("module", ["kilocell.report.figures", "kilocell.runner.campaign", "kilocell.runner.plan"])
def test_planning_and_drawing_need_neither_pybamm_nor_dask(module: str) -> None:
    heavy = "{'pybamm', 'dask', 'distributed'}"
    code = f"import sys, {module}; found = {heavy} & set(sys.modules); sys.exit(' '.join(found) or 0)"
    subprocess.run([sys.executable, "-c", code], check=True)
