"""The wheel holds what the repository holds."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OTHER_FOLDERS = {"tests", "docs", "examples", "benchmarks", "build", "dist"}
TOP_FOLDERS = ("data", "jobs", "parquet_store", "report", "runner", "sqlite")


def test_packages_are_the_folders() -> None:
    tops = [top for top in ROOT.iterdir() if top.is_dir() and top.name not in OTHER_FOLDERS and top.name[0] != "."]
    folders = [path.parent.relative_to(ROOT) for top in tops for path in top.rglob("__init__.py")]
    packages = {".".join(("kilocell", *folder.parts)) for folder in folders}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == {"kilocell"} | packages


def test_every_folder_of_modules_is_a_package() -> None:
    """A folder without __init__.py would be left out of the wheel."""
    folders = {p.parent for name in TOP_FOLDERS for p in (ROOT / name).rglob("*.py")}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_nothing_else_lies_at_the_root() -> None:
    assert sorted(path.name for path in ROOT.glob("*.py")) == ["__init__.py", "__main__.py"]


def test_versions_agree() -> None:
    import kilocell

    assert kilocell.__version__ == PROJECT["project"]["version"]


def test_constraints_lie_within_the_ranges() -> None:
    from packaging.requirements import Requirement

    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    pinned = dict(line.split("==") for line in lines)
    extras = PROJECT["project"]["optional-dependencies"]
    assert "kilocell[cyclers]" in extras["test"]
    asked = [*PROJECT["project"]["dependencies"], *extras["cyclers"], *extras["test"]]
    for text in asked:
        requirement = Requirement(text)
        if requirement.name == "kilocell":
            continue  # an extra of its own
        assert requirement.specifier.contains(pinned[requirement.name]), text


@pytest.mark.slow
def test_wheel_holds_every_module_the_schema_and_the_sample(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("kilocell-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    paths = [path for name in TOP_FOLDERS for path in (ROOT / name).rglob("*.py")]
    paths += [ROOT / "__init__.py", ROOT / "__main__.py"]
    modules = {f"kilocell/{path.relative_to(ROOT).as_posix()}" for path in paths}
    assert modules <= names
    data = {"kilocell/py.typed", "kilocell/sqlite/schema.sql"}
    data |= {f"kilocell/data/{name}" for name in ("raw_cycling_data.csv", "ground_truth.json", "campaign.toml")}
    assert data <= names
    assert not [name for name in names if name.startswith(("kilocell/tests", "tests/", "kilocell/docs"))]
