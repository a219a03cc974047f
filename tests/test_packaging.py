"""What the wheel holds is what the house holds."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NO_ROOMS = {"tests", "docs", "examples", "benchmarks", "build", "dist"}


def test_packages_are_the_folders() -> None:
    folders = {p.parent.name for p in ROOT.glob("*/__init__.py") if p.parent.name not in NO_ROOMS}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == {"kilocell"} | {f"kilocell.{name}" for name in folders}


def test_nothing_else_lies_at_the_root() -> None:
    assert [path.name for path in ROOT.glob("*.py")] == ["__init__.py"]


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
    rooms = [name.split(".", 1)[1] for name in PROJECT["tool"]["setuptools"]["packages"] if "." in name]
    modules = {f"kilocell/{path.relative_to(ROOT).as_posix()}" for room in rooms for path in (ROOT / room).glob("*.py")}
    assert modules <= names
    data = {"kilocell/py.typed", "kilocell/sqlite/schema.sql"}
    data |= {f"kilocell/data/{name}" for name in ("raw_cycling_data.csv", "ground_truth.json", "campaign.toml")}
    assert data <= names
    assert not [name for name in names if name.startswith(("kilocell/tests", "tests/", "kilocell/docs"))]
