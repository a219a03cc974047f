"""A store like that of `kilocell demo`, made without a run: cells with three models, errors by cycle, and a fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from figure_bench import FITTED, Bench, record, simulation
from kilocell.data import columns as c
from kilocell.data.results.cleaning import CleanResult, CycleSummary, Finding
from kilocell.data.results.receipt import Receipt
from kilocell.data.results.simulation import Comparison, SimulationResult, StepComparison
from kilocell.parquet_store.layout import Store
from kilocell.sqlite.catalog import Catalog

ERROR_VOLT = {"SPM": 0.059, "SPMe": 0.028, "DFN": 0.0279}
CELLS = ("CELL_A", "CELL_B", "CELL_C")


def make_store(root: Path) -> Store:
    """Make the store in a folder."""
    store = Store(root)
    with Catalog.open(store.catalog) as catalog:
        bench = Bench(store, cast(Catalog, _Completing(store, catalog)))
        for number, cell_id in enumerate(CELLS):
            measured = record(cycles=3, offset_volt=0.01 * number)
            bench.clean(cell_id, measured)
            for model, error_volt in ERROR_VOLT.items():
                wave = (1 + 0.1 * number) * (1 + 0.5 * np.sin(measured[c.TEST_TIME].to_numpy() / 600))
                bench.simulate(cell_id, model, "Chen2020", simulation(measured, error_volt * wave))
        better = simulation(record(cycles=3), 0.0024).assign(state_of_charge=0.5)
        bench.simulate("CELL_A", "SPMe", FITTED, better)
        bench.fit("CELL_A", "radius", [2.4, 2.5])
    return store


class _Completing:
    """A catalog that gives results what a run gives them: numbers of each cycle, of each step type, and a finding."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store, self._catalog = store, catalog

    def record(self, receipt: Receipt, run_id: int | None, **given: Any) -> None:
        result = receipt.result
        if isinstance(result, CleanResult):
            frame = pd.read_parquet(self._store.cleaned(receipt.cell_id))
            finding = Finding("voltage_missing", "warning", 5, 0, 30, 1, 1, "5 values", "missing", "kept as missing")
            report = replace(result.report, findings=(finding,))
            receipt = replace(receipt, result=replace(result, report=report, cycles=tuple(_cycles(frame))))
        elif isinstance(result, SimulationResult):
            frame = pd.read_parquet(self._store.root / receipt.outputs[0].path)
            steps = tuple(_step_errors(frame))
            receipt = replace(
                receipt, result=replace(result, comparisons=tuple(_errors(frame)), step_comparisons=steps)
            )
        self._catalog.record(receipt, run_id, **given)


def _cycles(frame: pd.DataFrame) -> Iterator[CycleSummary]:
    for number, cycle in frame.groupby(c.CYCLE_COUNT):
        time, voltage = cycle[c.TEST_TIME], cycle[c.VOLTAGE]
        numbers = (time.min(), time.max(), len(cycle), 2, 1.26, 1.25, 4.6, 4.4, voltage.min(), voltage.max(), 25.0)
        yield CycleSummary(int(cast(int, number)), *numbers)


def _parts(frame: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    yield 0, frame
    for number, cycle in frame.groupby(c.CYCLE_COUNT):
        yield int(cast(int, number)), cycle


def _numbers(frame: pd.DataFrame) -> tuple[int, float, float, float, float]:
    error_mv = 1000 * frame["voltage_error_volt"].dropna()
    worst: Any = error_mv.abs().idxmax()
    rmse_mv = float(np.sqrt((error_mv**2).mean()))
    return len(error_mv), rmse_mv, float(error_mv.mean()), float(error_mv[worst]), float(frame[c.TEST_TIME][worst])


def _errors(frame: pd.DataFrame) -> Iterator[Comparison]:
    for number, part in _parts(frame):
        yield Comparison(number, *_numbers(part))


def _step_errors(frame: pd.DataFrame) -> Iterator[StepComparison]:
    for number, part in _parts(frame):
        for step_type, samples in part.groupby(c.STEP_TYPE, observed=True):
            yield StepComparison(number, str(step_type), "all", *_numbers(samples))
        yield StepComparison(number, "all", "ohmic", *_numbers(part))
