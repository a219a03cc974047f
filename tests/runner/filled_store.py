"""A store as a run leaves it, made without a run: cells with series, two models, a default and a changed set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from kilocell.data import columns as c
from kilocell.data.results import cleaning
from kilocell.data.results import receipt as v
from kilocell.data.results import simulation as simulation_values
from kilocell.data.settings import (
    CellSettings,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
    SourceFile,
    SourceSettings,
)
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.write import write_frame
from kilocell.sqlite.catalog import Catalog

SPM, DFN = ModelSettings("SPM", "SPM"), ModelSettings("DFN", "DFN")
CHEN = ParameterSetSettings("Chen2020", "Chen2020")
SLOW = ParameterSetSettings("slow", "Chen2020", (Override("Negative particle radius [m]", "scale", 0.5),))
SIMULATED = ((SPM, CHEN), (DFN, CHEN), (SPM, SLOW))
ERROR_VOLT = 0.0123
SAMPLES = 60
SOURCE = SourceSettings()


def partition(seed: int) -> pd.DataFrame:
    """Two cycles of three steps of a noisy record with holes; no cell has a wall clock, only the others a counter."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({name: random.normal(size=SAMPLES) for name in c.PARTITION_COLUMNS})
    frame[c.TEST_TIME] = np.cumsum(random.uniform(0.1, 2.0, SAMPLES))
    frame[c.VOLTAGE] = random.uniform(2.5, 4.2, SAMPLES)
    frame[c.CYCLE_COUNT] = 1 + np.arange(SAMPLES) // 30
    frame[c.STEP_COUNT] = 1 + np.arange(SAMPLES) // 10
    frame[c.STEP_TYPE] = random.choice(c.STEP_TYPES, SAMPLES)
    frame[c.FLAGS], frame[c.SOURCE_INDEX], frame[c.SOURCE_ROW] = 1 << 22, 0, np.arange(SAMPLES) + 2**40
    frame[c.UNIX_TIME] = np.nan
    frame.loc[3:5, c.VOLTAGE] = np.nan
    return frame.astype(c.PARTITION_COLUMNS)


def simulation(measured: pd.DataFrame) -> pd.DataFrame:
    """Make a simulation that is off by a known error everywhere."""
    frame = measured[[c.TEST_TIME, c.CYCLE_COUNT, c.STEP_COUNT, c.STEP_TYPE]].copy()
    frame[c.WINDOW] = "ohmic"
    frame["simulated_voltage_volt"] = measured[c.VOLTAGE].fillna(3.5) + ERROR_VOLT
    frame["simulated_current_ampere"] = measured[c.CURRENT]
    frame["voltage_error_volt"] = frame["simulated_voltage_volt"] - measured[c.VOLTAGE]
    return frame[list(c.SIMULATION_COLUMNS)].astype(c.SIMULATION_COLUMNS)


def fill(
    root: Path,
    *cells: str,
    findings: int = 3,
    not_cleaned: str = "",
    without_simulations: Mapping[str, pd.DataFrame] | None = None,
) -> dict[str, pd.DataFrame]:
    """Fill a store with cells, each with ``findings`` findings of two rules; return their partitions.

    Args:
        without_simulations: partitions that are taken instead of made ones, and of which no simulation is made.
    """
    store, given = Store(root), without_simulations or {}
    frames = {cell_id: partition(seed) for seed, cell_id in enumerate(cells)} | dict(given)
    with Catalog.open(store.catalog) as catalog:
        for model in (SPM, DFN):
            catalog.put_model(model)
        for cell_id in (*cells, *([not_cleaned] if not_cleaned else [])):
            catalog.put_cell(CellSettings(cell_id), (CHEN, SLOW))
        for cell_id, frame in frames.items():
            output = write_frame(store, store.cleaned(cell_id), frame, {}, {"cell_id": cell_id})
            catalog.record(_receipt("clean", cell_id, "clean", _cleaned(cell_id, findings), output), None)
            for model, parameter_set in SIMULATED if cell_id not in given else ():
                settings = SimulateSettings(CellSettings(cell_id), model, parameter_set)
                path = store.simulation(cell_id, settings.label)
                identity = {"cell_id": cell_id, "model": model.name, "parameter_set": parameter_set.name}
                output = write_frame(store, path, simulation(frame), {}, identity)
                catalog.record(_receipt("simulate", cell_id, settings.label, _simulated(settings), output), None)
    return frames


def _cleaned(cell_id: str, findings: int) -> cleaning.CleanResult:
    rules = ("voltage_missing", "duplicate_row")
    seen = tuple(
        cleaning.Finding(rules[n % 2], "warning", 2, 0, 10 * n, 1, 3, "before", "after", "done")
        for n in range(findings)
    )
    report = cleaning.CleanReport(
        cell_id, SAMPLES + 7, SAMPLES, 7, 3600.0, 7200.0, 9.9, 9.8, 10.1, 10.1, 3, 2, 6, 6, seen,
        36.6, 36.5, 37.2, 37.2,
        (cleaning.QuarantineCount("duplicate_row", 0, 7),),
        (cleaning.FlagCount("duplicate_row", 0), cleaning.FlagCount("voltage_missing", 6)),
        (cleaning.ChargeChange("current_missing", -0.1, 0.0),),
    )  # fmt: skip
    cycles = tuple(
        cleaning.CycleSummary(n, 30.0 * n, 30.0 * n + 29, 30, 3, 4.9, 5.0, 18.1, 17.9, 2.5, 4.2, 25.5) for n in (1, 2)
    )
    return cleaning.CleanResult(
        report, cycles, 25.4, (cleaning.RecordSource(SourceFile(f"raw/{cell_id}.csv", 9, "ab", SOURCE)),)
    )


def _simulated(settings: SimulateSettings) -> simulation_values.SimulationResult:
    return simulation_values.SimulationResult(
        settings, SAMPLES, 4, 0.9, 4.05, "soc 0.9", 1.0, 25.0, -0.2, -0.2, 0.0, 12.3, 12.3, 12.3, 3.0, 0.8, ("one",),
        (simulation_values.Comparison(0, SAMPLES, 12.3, 12.3, 12.3, 3.0),),
    )  # fmt: skip


def _receipt(kind: v.JobKind, cell_id: str, label: str, result: v.Result, output: v.OutputFile) -> v.Receipt:
    return v.Receipt(
        kind, cell_id, label, digest=f"{kind} {label}", status="done", reason="", reason_code="", log="",
        started_unix_second=1.7e9, seconds=2.5, host="node", versions=(), outputs=(output,), result=result,
    )  # fmt: skip
