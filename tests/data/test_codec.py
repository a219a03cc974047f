"""Frozen values survive JSON, and digests tell them apart."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kilocell.data.codec import digest, from_json, to_json, to_plain
from kilocell.data.fit_settings import FitParameter, FitSettings
from kilocell.data.results.cleaning import CleanReport, CleanResult, Finding
from kilocell.data.results.receipt import OutputFile, Receipt, SplitResult
from kilocell.data.settings import (
    CellSettings,
    ClusterSettings,
    ColumnMapping,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
    SourceFile,
    SourceSettings,
)

SOURCE = SourceSettings("csv", (ColumnMapping("voltage_volt", "U/mV", "mV"),), "column:电池", "discharge_positive")
FINDING = Finding("time_gap", "warning", 3, 0, 17, None, 2, "missing", "3.712 V", "filled")
REPORT = CleanReport("../../x", 9, 8, 1, 10.0, 9.5, 1.0, 1.0, 2.0, 2.0, 1, 1, 3, 3, (FINDING, FINDING))

floats = st.floats(allow_nan=False)
texts = st.text(st.characters(exclude_categories=["Cs"]))
cells = st.builds(
    CellSettings,
    cell_id=texts,
    nominal_capacity_ah=st.none() | floats,
    initial_state=st.builds(InitialState, st.sampled_from(["rest_voltage", "soc", "voltage"]), floats),
    temperature_celsius=st.none() | floats,
)
parameter_sets = st.builds(
    ParameterSetSettings,
    name=texts,
    base=texts,
    overrides=st.lists(st.builds(Override, texts, st.sampled_from(["value", "scale"]), floats)).map(tuple),
)
fits = st.builds(
    FitSettings,
    name=texts,
    cell=cells,
    model=st.builds(ModelSettings, texts, texts, st.lists(st.tuples(texts, texts)).map(tuple)),
    parameter_set=parameter_sets,
    parameters=st.lists(st.builds(FitParameter, texts, floats, floats, st.sampled_from(["linear", "log"]))).map(tuple),
    cycles=st.lists(st.integers()).map(tuple),
    seed=st.integers(),
)


@settings(deadline=None)
@given(fits)
def test_any_settings_survive_json(fit: FitSettings) -> None:
    text = to_json(fit)
    assert from_json(FitSettings, text) == fit
    assert "\n" not in text


@pytest.mark.parametrize(
    "result",
    [None, SplitResult(SourceFile("a b.csv", 3, "ff", SOURCE), (("x", 1), ("y", 2))), CleanResult(REPORT, (), 24.5)],
)
def test_a_receipt_survives_json_with_whatever_result_it_has(result: Any) -> None:
    receipt = Receipt(
        "clean",
        "<script>",
        "clean",
        "ab",
        "done",
        versions=(("pybamm", "26.10.1.1"),),
        outputs=(OutputFile("cleaned/x.parquet", 12),),
        result=result,
    )
    assert from_json(Receipt, to_json(receipt)) == receipt
    assert from_json(Receipt, to_json(receipt).encode()) == receipt


def test_a_receipt_of_a_version_that_counted_less_reads_with_nothing_counted() -> None:
    plain = to_plain(Receipt("clean", "x", "clean", "ab", "done", result=CleanResult(REPORT, (), 24.5)))
    for name in ("quarantined", "flagged", "charge_changes"):
        del plain["result"]["report"][name]
    for name in [name for name in plain["result"]["report"] if name.startswith("energy_")]:
        del plain["result"]["report"][name]
    del plain["result"]["sources"]
    back = from_json(Receipt, json.dumps(plain)).result
    assert back == CleanResult(REPORT, (), 24.5)
    assert isinstance(back, CleanResult)
    assert back.report.energy_in_before_wh is None
    assert back.sources == ()
    assert back.report.quarantined == ()


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_has_no_way_for(value: float) -> None:
    text = to_json(InitialState("soc", value))
    json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    back = from_json(InitialState, text).value
    assert back == value or (math.isnan(back) and math.isnan(value))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"is": "CellSettings"}',
        '{"is": "InitialState", "policy": "guess", "value": 0}',
        '{"is": "InitialState", "policy": "soc", "value": "much"}',
        '{"is": "InitialState", "policy": "soc", "value": 0, "more": 1}',
        to_json(FINDING),
        b"\xff\xfe",
    ],
)
def test_what_is_no_such_value_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(InitialState, text)


def test_a_half_written_receipt_is_a_value_error() -> None:
    whole = to_json(Receipt("clean", "x", "clean", "ab", "done", result=CleanResult(REPORT, ())))
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"."):
            from_json(Receipt, whole[:length])


def test_only_plain_things_become_json() -> None:
    with pytest.raises(TypeError, match="object"):
        to_plain(object())


def test_equal_settings_have_one_digest() -> None:
    assert digest(SOURCE, "clean", 1) == digest(dataclasses.replace(SOURCE), "clean", 1)
    assert len(digest()) == 64


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(SOURCE, reader="digatron"),
        dataclasses.replace(SOURCE, columns=()),
        dataclasses.replace(SOURCE, columns=(ColumnMapping("voltage_volt", "U/mV", "V"),)),
        ClusterSettings(),
    ],
)
def test_other_settings_have_another_digest(other: Any) -> None:
    assert digest(other) != digest(SOURCE)


def test_a_digest_keeps_its_parts_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("ab") != digest("a", "b")


def test_a_digest_is_that_of_the_json_whatever_was_digested_before() -> None:
    model = ModelSettings("SPM", "SPM", options=(("thermal", "lumped"),))
    values = [
        model,
        replace(model, name="Zelle Ä \u2028\"'\\"),
        SimulateSettings(CellSettings("A", 5.0), model, ParameterSetSettings("s", "b", (Override("p", "scale", 1.5),))),
        SimulateSettings(CellSettings("A", 5), model, ParameterSetSettings("s", "b"), rtol=math.inf, atol=math.nan),
        (1, 1.0, True, None, "x", -0.0, 1e-300, ("y", [2.5])),
        True,
        1,
        1.0,
    ]
    for value in (*values, *reversed(values)):
        assert digest(value) == hashlib.sha256(to_json(value).encode() + b"\0").hexdigest()
    many = [ModelSettings(f"m{number}", "SPM") for number in range(600)]
    assert [digest(one) for one in many] == [digest(replace(one)) for one in many]
