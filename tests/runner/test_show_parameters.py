"""``kilocell models`` and ``kilocell parameters``: what there is, with values, units and sources."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kilocell.data.errors import UsageError
from kilocell.data.installed import parameter_set_names
from kilocell.data.settings import MODEL_TYPES
from kilocell.runner.campaign.campaign import load_campaign
from kilocell.runner.show.models import DESCRIPTIONS, show_models
from kilocell.runner.show.parameters import show_parameter_set, show_parameter_sets

EXAMPLE = Path(__file__).parents[2] / "examples" / "bpx"
SET_OF_A_PACKAGE = """
def get_parameter_values():
    \"\"\"Parameters for a cell of ours, from the paper Nobody2026.\"\"\"
    import pybamm
    return {"chemistry": "lithium_ion", **dict(pybamm.parameter_sets["Chen2020"]), "Nominal cell capacity [A.h]": 4.5}
def broken():
    raise RuntimeError("its table is not there")
"""


def shown(capsys: pytest.CaptureFixture[str], name: str, campaign: bool = False, match: str = "") -> dict[str, Any]:
    loaded = load_campaign(EXAMPLE / "campaign.toml") if campaign else None
    show_parameter_set(name, loaded, match, json_=True)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def value_of(found: dict[str, Any], parameter: str) -> float:
    return next(float(row["value"]) for row in found["parameters"] if row["parameter"] == parameter)


def test_every_model_has_a_description_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    show_models(None, json_=True)
    rows = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in rows] == list(MODEL_TYPES)
    assert set(MODEL_TYPES) <= set(DESCRIPTIONS)
    for name in MODEL_TYPES:
        show_models(name, json_=True)
        shown = json.loads(capsys.readouterr().out)
        options = {row["option"]: row for row in shown["options"]}
        assert options["operating mode"]["default"] == "current"
        assert all(row["default"] in row["values"] for row in options.values() if row["values"]), name
    show_models("SPMe", json_=False)
    text = capsys.readouterr().out
    assert "isothermal, lumped, x-lumped, x-full" in text
    assert "VonKolzenberg2020" in text
    with pytest.raises(UsageError, match='did you mean "SPMe"'):
        show_models("SPMee", json_=False)


def test_every_set_is_listed_with_kind_capacity_and_window(capsys: pytest.CaptureFixture[str]) -> None:
    show_parameter_sets(load_campaign(EXAMPLE / "campaign.toml"), json_=True)
    rows = {row["parameter_set"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == {"lgm50", *parameter_set_names()}
    assert rows["lgm50"]["from"] == "lgm50.bpx.json"
    chen = rows["Chen2020"]
    assert (chen["kind"], chen["capacity_ah"], chen["voltage_min_volt"], chen["voltage_max_volt"]) == (
        "lithium-ion",
        5.0,
        2.5,
        4.2,
    )
    assert chen["about"] == "LG M50 cell"
    assert {name: rows[name]["kind"] for name in ("Xu2019", "ECM_Example", "MSMR_Example", "Sulzer2019")} == {
        "Xu2019": "lithium-ion half-cell",
        "ECM_Example": "equivalent circuit",
        "MSMR_Example": "lithium-ion, MSMR",
        "Sulzer2019": "lead-acid",
    }
    assert rows["Sulzer2019"]["models"] is None


def test_a_set_is_shown_with_units_functions_and_source(capsys: pytest.CaptureFixture[str]) -> None:
    show_parameter_set("Chen2020", None, "negative electrode ocp", json_=False)
    text = capsys.readouterr().out
    assert "10.1149/1945-7111/ab9050" in text
    assert "0.133086  V      stoichiometry" in text
    assert "2 of 92 parameters" in text


def test_a_file_and_the_set_that_it_was_made_of_have_the_same_values(capsys: pytest.CaptureFixture[str]) -> None:
    file, chen = shown(capsys, str(EXAMPLE / "lgm50.bpx.json")), shown(capsys, "Chen2020")
    for name in (
        "Electrolyte conductivity [S.m-1]",
        "Electrolyte diffusivity [m2.s-1]",
        "Negative electrode exchange-current density [A.m-2]",
        "Positive electrode OCP [V]",
        "Positive particle diffusivity [m2.s-1]",
    ):
        assert value_of(file, name) == pytest.approx(value_of(chen, name), rel=1e-9)
    assert any("100% SOC" in note for note in file["notes"])
    varied = shown(capsys, "lgm50+slow", campaign=True, match="particle diffusivity")
    assert value_of(varied, "Negative particle diffusivity [m2.s-1]") == pytest.approx(1.65e-14)


def test_wrong_names_are_answered_with_the_nearest(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "set.json").write_text("{}")
    for name, match, words in (
        ("Chen202", "", 'did you mean "Chen2020"'),
        ("Chen2020", "difusivity", "no parameter with 'difusivity'"),
        (str(tmp_path / "set.json"), "", "neither BPX"),
    ):
        with pytest.raises(UsageError) as caught:
            show_parameter_set(name, None, match, json_=False)
        assert words in str(caught.value)


def test_sets_of_other_packages_are_listed_with_their_package(tmp_path: Path) -> None:
    """A real package with entry points, in processes that begin with it: one set works, one raises."""
    (tmp_path / "ours.py").write_text(SET_OF_A_PACKAGE)
    info = tmp_path / "our_sets-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: our-sets\nVersion: 1.2\n")
    entries = "[pybamm_parameter_sets]\nOurs = ours:get_parameter_values\nBroken = ours:broken\n"
    (info / "entry_points.txt").write_text(entries)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}

    def kilocell(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kilocell.runner", "parameters", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    rows = {row["parameter_set"]: row for row in json.loads(kilocell("--json").stdout)}
    assert (rows["Ours"]["from"], rows["Ours"]["capacity_ah"]) == ("our-sets 1.2", 4.5)
    assert rows["Ours"]["about"] == "cell of ours"
    assert "its table is not there" in rows["Broken"]["about"]
    broken = kilocell("Broken")
    assert broken.returncode == 2
    assert "Broken cannot be loaded: RuntimeError: its table is not there" in broken.stderr
    code = (
        "from kilocell.data.settings import ParameterSetSettings; from kilocell.runner.plan.job import plugin_versions;"
        "print(plugin_versions(ParameterSetSettings('o', 'Ours')))"
    )
    assert "our-sets 1.2" in subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
