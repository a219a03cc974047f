"""Selected parts of records in Python: samples, curves, and the errors of simulations there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import kilocell
import numpy as np
import pandas as pd
import pytest
from figure_bench import Bench, record, simulation
from kilocell.data import columns as c
from kilocell.data.step_selection import parse_select
from kilocell.parquet_store.layout import Store
from kilocell.report.selected import check_columns, parse_selection_option
from kilocell.sqlite.catalog import Catalog

STEPS = 6  # of three cycles: charge and discharge in turn


@pytest.fixture
def store(tmp_path: Path) -> kilocell.StoreReader:
    """A cell of three cycles, with a simulation of each step's own error in mV; one of cycle 2 alone that failed."""
    with Catalog.open(Store(tmp_path).catalog) as catalog:
        bench = Bench(Store(tmp_path), catalog)
        measured = record(3)
        bench.clean("A", measured)
        bench.clean("short", record(1))
        errors = measured[c.STEP_COUNT].to_numpy(float) * 1e-3
        bench.simulate("A", "SPM", "Chen2020", simulation(measured, errors))
        part = (measured[c.CYCLE_COUNT] == 2).to_numpy()
        bench.end("A", "DFN", simulation(measured, errors)[part])
    return kilocell.open_store(tmp_path)


def test_samples_and_curves_of_a_selection(store: kilocell.StoreReader) -> None:
    whole = store.samples("A")
    part = store.samples("A", select="cycle 2-3, discharge")
    assert set(part[c.STEP_COUNT]) == {4, 6}
    pd.testing.assert_frame_equal(part, whole[whole[c.STEP_COUNT].isin([4, 6])].reset_index(drop=True))
    curve = store.simulation("A", "SPM", select="cycle 2-3, discharge")
    np.testing.assert_array_equal(curve[c.TEST_TIME], part[c.TEST_TIME])
    failed = store.simulation("A", "DFN", select="discharge", partial=True)
    assert set(failed[c.STEP_COUNT]) == {4}


def test_cells_and_fits_of_a_selection(tmp_path: Path) -> None:
    with Catalog.open(Store(tmp_path).catalog) as catalog:
        bench = Bench(Store(tmp_path), catalog)
        bench.clean("A", record(3))
        bench.clean("short", record(1))
        bench.fit("A", "all", [9.0])
        bench.fit("A", "first", [9.0], (1, 2))
    store = kilocell.open_store(tmp_path)
    assert store.cells(select="cycle 2")["cell_id"].tolist() == ["A"]
    assert store.fits(select="1-2")["fit"].tolist() == ["first"]
    assert store.fits("A", select="all")["fit"].tolist() == ["all"]
    assert store.fits(select="discharge").empty
    assert store.fitted_parameters(select="cycle 1-2", columns=["fit"])["fit"].tolist() == ["first"]


def test_columns_alone_are_read(store: kilocell.StoreReader) -> None:
    names = [c.VOLTAGE, c.TEST_TIME]
    assert list(store.samples("A", columns=names)) == names
    assert list(store.samples("A", columns=names, select="step 2")) == names
    assert list(store.samples("A", [1], columns=[c.STEP_COUNT])[c.STEP_COUNT].unique()) == [1, 2]
    assert list(store.simulation("A", "SPM", columns=["voltage_error_volt"])) == ["voltage_error_volt"]
    for frame in (
        store.cells(columns=["cell_id"]),
        store.cycles(columns=["cell_id"]),
        store.results(columns=["cell_id"]),
        store.findings(columns=["cell_id"]),
        store.fits(columns=["cell_id"]),
        store.fitted_parameters(columns=["cell_id"]),
        store.results("A", columns=["cell_id"], select="last"),
    ):
        assert list(frame) == ["cell_id"]


def test_errors_of_a_selection_are_those_of_its_samples(store: kilocell.StoreReader) -> None:
    errors = store.results("A", select="discharge")
    spm = errors[errors["model"] == "SPM"]
    assert spm["stretch"].tolist() == [1, 2, 3]
    assert spm["name"].tolist() == [f"cycle {n}, step {2 * n} (discharge)" for n in (1, 2, 3)]
    assert spm["rmse_mv"].tolist() == pytest.approx([2.0, 4.0, 6.0])
    assert spm["bias_mv"].tolist() == pytest.approx([2.0, 4.0, 6.0])
    dfn = errors[errors["model"] == "DFN"]
    assert dfn["status"].tolist() == ["failed", "partial", "failed"]
    assert (dfn["samples"] > 0).tolist() == [False, True, False]
    assert dfn["rmse_mv"].isna().tolist() == [True, False, True]
    assert store.results(select="cycle 3")["rmse_mv"].tolist()[:1] == pytest.approx([np.sqrt((25 + 36) / 2)])


def test_rows_of_a_selection(store: kilocell.StoreReader) -> None:
    assert store.cycles("A", select="step 4-5")["cycle_count"].tolist() == [2, 3]
    assert store.cycles(select="cycle 1")["cell_id"].tolist() == ["A", "short"]
    assert store.findings(select="cycle 1").empty


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda store: store.samples("A", select="cycle 9, rest"), ("'A'", "cycles 1-3; steps 1-6", "charge")),
        (lambda store: store.samples("A", select="dischrge"), ("dischrge", 'did you mean "discharge"')),
        (lambda store: store.samples("A", [1], select="step 2"), ("cycles or select",)),
        (lambda store: store.results(select="cycle 9"), ("cycles 1-3",)),
        (lambda store: store.results("short", select="cycle 3"), ("'short'", "cycles 1;")),
        (lambda store: store.cycles("short", select="cycle 3"), ("'short'", "cycles 1;")),
        (lambda store: store.simulation("A", "SPM", select="step 30"), ("steps 1-6",)),
        (lambda store: store.simulation("A", "SPM", columns=["voltage"]), ('"voltage"', "did you mean")),
        (lambda store: store.samples("A", columns=["voltage_vol"]), ('did you mean "voltage_volt"',)),
        (lambda store: store.cells(columns=["cel_id"]), ('did you mean "cell_id"',)),
        (lambda store: store.simulation("A", "DFN"), ("partial=True",)),
        (lambda _: check_columns("cell_id", ["cell_id"]), ("columns=['cell_id']",)),
    ],
)
def test_what_cannot_be_is_answered_with_what_there_is(
    store: kilocell.StoreReader, call: Callable[[kilocell.StoreReader], pd.DataFrame], words: tuple[str, ...]
) -> None:
    with pytest.raises(kilocell.UsageError) as caught:
        call(store)
    for word in words:
        assert word in str(caught.value)


def test_an_option_is_a_selection() -> None:
    assert parse_selection_option("step 2") == parse_select("step 2")
