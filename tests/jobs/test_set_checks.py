"""Parameter sets that no cell can have are refused; contradictions in them are told with the numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pybamm
import pytest
from kilocell.data.defined_sets import define_set
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import LITHIUM_INVENTORY
from kilocell.data.parameter_files import content_digest
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.models.set_checks import SERIES, check_set_values
from kilocell.jobs.simulation.simulate import simulate
from records import partition

BPX = Path(__file__).parents[2] / "examples" / "bpx" / "lgm50.bpx.json"
HALF_NOMINAL = {"Ramadass2004": "electrodes hold 1.775 A.h", "Xu2019": "electrodes hold 0.00382 A.h"}
"""PyBaMM's sets whose nominal capacity is not what their electrodes hold; they are told, not refused."""

TOLD = {**HALF_NOMINAL, "Chayambuka2022": "the table of Negative electrode OCP [V] covers 0.001437 to 0.9958"}
"""These, and a sodium-ion set whose tables end within its own window."""


def changed(*overrides: Override, base: str = "Chen2020") -> ParameterSetSettings:
    return ParameterSetSettings(f"{base}+x", base, overrides)


def value(parameter: str, number: float) -> Override:
    return Override(parameter, "value", number)


def from_bpx(section: str, **changes: Any) -> ParameterSetSettings:
    document = json.loads(BPX.read_text(encoding="utf-8"))
    document["Parameterisation"][section] |= changes
    content = json.dumps(document).encode()
    settings = ParameterSetSettings("own", "own", file_digest=content_digest(content))
    define_set(settings.key, content)
    return settings


def test_pybamms_own_sets_are_not_refused() -> None:
    for name in pybamm.parameter_sets:
        found = check_set_values(ParameterSetSettings(name, name), thermal=True)
        assert found.refused == ()
        assert bool(found.doubts) == (name in TOLD), (name, found.doubts)
        assert TOLD.get(name, "") in " ".join(found.doubts)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (value(SERIES, 3.0), "is 3, and kilocell simulates one cell"),
        (value("Negative electrode porosity", 1.2), "is 1.2; a volume fraction is between 0 and 1"),
        (value("Positive electrode active material volume fraction", -0.1), "is -0.1; a volume fraction"),
        (value("Upper voltage cut-off [V]", 2.4), "'Upper voltage cut-off [V]' is 2.4; the lower one must be smaller"),
        (value("Separator thickness [m]", 0.0), "'Separator thickness [m]' is 0; it must be positive"),
    ],
)
def test_what_no_cell_can_have_is_refused(override: Override, told: str) -> None:
    (line,) = check_set_values(changed(override)).refused
    assert told in line


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (value("Positive electrode porosity", 0.5), "0.5 (Positive electrode porosity) + 0.665"),
        (value("Upper voltage cut-off [V]", 4.4), "'Open-circuit voltage at 100% SOC [V]' is 4.2"),
        (value("Electrode width [m]", 3.2), "its electrodes hold 10.4"),
        (value("Cation transference number", 1.3), "is 1.3; it is between 0 and 1"),
        (value("Separator Bruggeman coefficient (electrolyte)", 0.5), "exceeds the porosity 0.47"),
        (value(LITHIUM_INVENTORY, 1.4), "'Maximum concentration in negative electrode [mol.m-3]' is 33133"),
        (Override("Electrolyte diffusivity [m2.s-1]", "scale", -1.0), "it is positive in every cell"),
    ],
)
def test_contradictions_are_told_with_the_numbers(override: Override, told: str) -> None:
    found = check_set_values(changed(override))
    assert found.refused == ()
    assert any(told in line for line in found.doubts), found.doubts


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (value("Negative particle radius [m]", 5.86), "is 5.86; cells have 5e-09 to 0.0001: check the unit"),
        (value("Positive electrode thickness [m]", 75.6), "is 75.6; cells have 1e-06 to 0.002: check the unit"),
        (value("Maximum concentration in negative electrode [mol.m-3]", 33.1), "is 33.1; cells have 1000 to 600000"),
        (value("Reference temperature [K]", 25.0), "'Reference temperature [K]' is 25; cells have 200 to 400"),
        (Override("Electrolyte conductivity [S.m-1]", "scale", 1e5), "; cells have 0.0001 to 100: check the unit"),
        (value("Initial concentration in electrolyte [mol.m-3]", 1.2), "is 1.2; cells have 50 to 10000"),
        (value("Positive electrode thickness [m]", 1.9e-3), "the stoichiometry of the positive electrode goes only"),
    ],
)
def test_values_in_another_unit_are_told(override: Override, told: str) -> None:
    """A radius of 5.86 m passed silently."""
    found = check_set_values(changed(override))
    assert found.refused == ()
    assert any(told in line for line in found.doubts), found.doubts


def test_reversed_limits_of_stoichiometry_are_refused() -> None:
    window = {"Minimum stoichiometry": 0.91, "Maximum stoichiometry": 0.026}
    (line,) = check_set_values(from_bpx("Negative electrode", **window)).refused
    assert line.startswith("'Negative electrode minimum stoichiometry' is 0.91 and ")
    assert line.endswith("is 0.026; the minimum must be smaller")


def test_both_phases_of_a_composite_electrode_count() -> None:
    name = "Secondary: Negative electrode active material volume fraction"
    found = check_set_values(changed(value(name, 0.2), base="Chen2020_composite"))
    assert any("0.25" in line and "0.735" in line and "= 1.185" in line for line in found.doubts)


def test_sets_from_bpx_are_checked_too() -> None:
    assert check_set_values(from_bpx("Cell"), thermal=True).doubts == ()
    porous = check_set_values(from_bpx("Negative electrode", Porosity=0.4))
    assert "= 1.15" in porous.doubts[0]
    window = check_set_values(from_bpx("Negative electrode", **{"Maximum stoichiometry": 0.7}))
    # PyBaMM takes the lithium of the set from these limits, so the other electrode's do not fit either.
    assert "positive electrode are 0.2638 and 0.854, but at the cut-offs it has 0.2638 and 0.7159" in window.doubts[0]
    small = check_set_values(from_bpx("Cell", **{"Nominal cell capacity [A.h]": 2.5}))
    assert "is 2.5, but between 2.5 and 4.2 V its electrodes hold 5.153 A.h" in small.doubts[0]
    thin = check_set_values(from_bpx("Cell", **{"Volume [m3]": 1e-5}), thermal=True)
    assert "'Cell volume [m3]' is 1e-05, and its electrodes and separators alone take 1.775e-05 m3" in thin.doubts


def test_the_volume_is_checked_for_thermal_models_only() -> None:
    thin = from_bpx("Cell", **{"Volume [m3]": 1e-5})
    assert check_set_values(thin).doubts == ()


def test_the_record_of_a_pack_is_refused() -> None:
    time = np.arange(0.0, 600.0, 10.0)
    samples = partition(time, np.where(time > 100.0, -1.0, 0.0), np.full(len(time), 11.1))
    cell = CellSettings("CELL", initial_state=InitialState("soc", 0.8))
    settings = SimulateSettings(cell, ModelSettings("SPM", "SPM"), ParameterSetSettings("Chen2020", "Chen2020"))
    with pytest.raises(JobError, match="several cells in series") as caught:
        simulate(samples, settings, None)
    assert caught.value.code == "implausible_voltage"
