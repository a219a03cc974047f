"""Completion in a shell, by Click's protocol."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, FishComplete, ZshComplete
from filled_store import fill
from kilocell.runner.cli import cli


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    fill(root, "B01", "B02", "C 1")
    return root


def completed(*words: str) -> list[str]:
    """What the last word may become."""
    shell = BashComplete(cli, {"obj": {"verbose": False}}, "kilocell", "_KILOCELL_COMPLETE")
    *arguments, incomplete = words
    return [item.value for item in shell.get_completions(list(arguments), incomplete)]


def test_names_of_the_store(root: Path) -> None:
    store = ("--store", str(root))
    assert completed("results", *store, "--cell", "B") == ["B01", "B02"]
    assert completed("results", *store, "--cell", "b0") == ["B01", "B02"]
    assert completed("cycles", *store, "C") == ["C 1"]
    assert completed("curves", *store, "--model", "") == ["DFN", "SPM"]
    assert completed("curves", *store, "--parameters", "") == ["default", "Chen2020", "slow"]
    assert completed("plot", *store, "--parameters", "sl") == ["slow"]
    assert completed("findings", *store, "--rule", "v") == ["voltage_missing"]
    assert completed("fits", *store, "--fit", "") == []


def test_names_of_kilocell() -> None:
    assert completed("models", "N") == ["NewmanTobias"]
    assert completed("parameters", "pra") == ["Prada2013"]
    assert completed("fit", "--preset", "d") == ["diffusion"]
    assert completed("fit", "--model", "spm") == ["SPM", "SPMe"]
    assert "doctor" in completed("d")


def test_names_of_the_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "campaign.toml").write_text(
        '[cells.defaults]\n[cells.X1]\n[cells."Y*"]\n[[fit]]\nname = "mine"\n[parameter_sets.own]\n'
    )
    assert completed("run", "--cell", "") == ["X1"]
    assert completed("fit", "--fit", "m") == ["mine"]
    assert completed("fit", "--parameter-set", "ow") == ["own"]
    (tmp_path / "campaign.toml").write_text("[[broken")
    assert completed("run", "--cell", "") == []


def test_a_store_that_cannot_be_read_completes_nothing(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_text("no database")
    assert completed("results", "--store", str(tmp_path), "--cell", "") == []


def test_the_shells_get_a_script() -> None:
    for shell in (BashComplete, ZshComplete, FishComplete):
        script = shell(cli, {}, "kilocell", "_KILOCELL_COMPLETE").source()
        assert "_KILOCELL_COMPLETE" in script


def test_the_command_answers_a_shell_and_imports_no_pybamm(root: Path) -> None:
    code = (
        "import sys; sys.argv = ['kilocell']\n"
        "from kilocell.runner.cli import main\n"
        "try:\n    main()\nfinally:\n"
        "    print(set(sys.modules) & {'pybamm', 'dask', 'pandas', 'matplotlib', 'pydantic'})"
    )
    words = {"COMP_WORDS": f"kilocell results --store {root} --cell B", "COMP_CWORD": "5"}
    environment = {**os.environ, **words, "_KILOCELL_COMPLETE": "bash_complete"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["plain,B01", "plain,B02", "set()"]
