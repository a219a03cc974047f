"""The table of parameter sets is right: sets run with the models it names, and values are those of the functions."""

from __future__ import annotations

from functools import cache

import numpy as np
import pybamm
import pytest
from kilocell.data.settings import Override, ParameterSetSettings
from kilocell.jobs.parameters.sets import load_base_set
from kilocell.jobs.parameters.table import MODELS_BY_KIND, find_set_kind, list_parameters, summarise_set

COMPOSITE = {"particle phases": ("2", "1"), "open-circuit potential": (("single", "current sigmoid"), "single")}
MODELS = {
    "lithium-ion": ("DFN", {}),
    "sodium-ion": ("DFN", {}),
    "lithium-ion half-cell": ("DFN", {"working electrode": "positive"}),
    "lithium-ion, composite electrode": ("DFN", COMPOSITE),
    "lithium-ion, MSMR": ("MSMR", {"number of MSMR reactions": ("6", "4")}),
}
SETS = list(pybamm.parameter_sets)


def takes(base: str, kind: str) -> bool:
    """Whether PyBaMM can put a set's parameters into the model that fits a kind."""
    try:
        values = load_base_set(base).copy()
        model = model_of(kind)
        values.process_model(model, inplace=False)
        values.process_geometry(model.default_geometry)
    except (KeyError, ValueError):
        return False
    return True


@cache
def model_of(kind: str) -> pybamm.BaseModel:
    if kind == "equivalent circuit":
        return pybamm.equivalent_circuit.Thevenin()
    name, options = MODELS[kind]
    return getattr(pybamm.lithium_ion, name)(options)


@pytest.mark.parametrize("base", SETS)
def test_a_set_fits_the_models_of_its_kind(base: str) -> None:
    kind = find_set_kind(load_base_set(base), base)
    if kind == "lead-acid":
        assert MODELS_BY_KIND[kind] == ()
        return
    assert takes(base, kind)


def test_a_set_fits_no_other_kind() -> None:
    for base in ("Chen2020", "Xu2019", "Chen2020_composite", "MSMR_Example", "ECM_Example"):
        kind = find_set_kind(load_base_set(base), base)
        same = {kind, "sodium-ion"}  # which is simulated with the same equations as lithium-ion
        assert not any(takes(base, other) for other in MODELS if other not in same)


def test_kinds_are_told_without_the_name_too() -> None:
    """A set from a file has no PyBaMM chemistry."""
    for base in SETS:
        named = find_set_kind(load_base_set(base), base)
        assert find_set_kind(load_base_set(base)) == ("lithium-ion" if named == "sodium-ion" else named)


def test_every_value_is_finite_and_functions_say_of_what() -> None:
    for base in SETS:
        for row in list_parameters(ParameterSetSettings(base, base)):
            assert not isinstance(row.value, float) or np.isfinite(row.value), (base, row)
            assert callable(load_base_set(base)[row.parameter]) == bool(row.function_of), (base, row)


def test_values_of_functions_are_at_the_reference() -> None:
    rows = {row.parameter: row for row in list_parameters(ParameterSetSettings("Chen2020", "Chen2020"))}
    maximum = load_base_set("Chen2020")["Maximum concentration in negative electrode [mol.m-3]"]
    exchange = 6.48e-7 * 1000**0.5 * maximum / 2  # by the paper: m sqrt(c_e c_s (c_max - c_s)) at half of c_max
    assert rows["Negative electrode exchange-current density [A.m-2]"].value == pytest.approx(exchange)
    assert rows["Electrolyte conductivity [S.m-1]"].value == pytest.approx(0.1297 - 2.51 + 3.329)
    assert rows["Electrolyte conductivity [S.m-1]"].unit == "S.m-1"
    scaled = ParameterSetSettings("s", "Chen2020", (Override("Electrolyte conductivity [S.m-1]", "scale", 2.0),))
    changed = {row.parameter: row for row in list_parameters(scaled)}["Electrolyte conductivity [S.m-1]"]
    assert changed.value == pytest.approx(2 * (0.1297 - 2.51 + 3.329))
    assert changed.function_of == "electrolyte concentration, temperature"


def test_a_summary_has_the_window_and_the_source() -> None:
    summary = summarise_set(ParameterSetSettings("Prada2013", "Prada2013"))
    assert (summary.capacity_ah, summary.lower_volt, summary.upper_volt) == (2.3, 2.0, 3.6)
    assert "Prada2013" in summary.citations
    assert summary.about == "LFP cell, from the paper Prada2013"
