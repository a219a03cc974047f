"""Stores to draw figures from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from figure_bench import CHINESE, FITTED, Bench, record, simulation
from kilocell.data import columns as c
from kilocell.parquet_store.layout import Store
from kilocell.sqlite.catalog import Catalog


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    store = Store(tmp_path / "store")
    with Catalog.open(store.catalog) as catalog:
        yield Bench(store, catalog)


@pytest.fixture
def two_cells(bench: Bench) -> Bench:
    """Two cells, with SPMe (75.9 mV) and DFN (10 mV in cycle 1, 30 mV in cycle 2) and a fit of the first."""
    for cell_id in ("CELL_A", CHINESE):
        measured = record(cycles=2)
        bench.clean(cell_id, measured)
        bench.simulate(cell_id, "SPMe", "Chen2020", simulation(measured, 0.0759))
        by_cycle = np.where(measured[c.CYCLE_COUNT] == 1, 0.010, 0.030)
        bench.simulate(cell_id, "DFN", "Chen2020", simulation(measured, by_cycle))
        bench.fail(cell_id, "SPM", "Chen2020")
    bench.simulate("CELL_A", "SPMe", FITTED, simulation(record(cycles=2), 0.0213))
    bench.fit("CELL_A", "radius", [21.3, 40.0])
    return bench
