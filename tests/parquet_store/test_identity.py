"""Files say whose samples they are, for programs that read many as one table; files of earlier versions still read."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from kilocell.data import columns as c
from kilocell.parquet_store import write
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.read import partition_table, read_partition, read_simulation, simulation_table
from kilocell.parquet_store.write import write_frame

CELLS = ("CELL_A", "<b>$x_1%</b> 电池 🔋", "a" * 200)
SETS = ("Chen2020", "Chen2020+fit")


def partition(cycles: int, samples: int = 50) -> pd.DataFrame:
    """Make cycles of the same number of samples."""
    time = np.arange(float(samples * cycles))
    frame = pd.DataFrame(dict.fromkeys(c.PARTITION_COLUMNS, time))
    frame[c.STEP_TYPE] = "charge"
    frame[c.CYCLE_COUNT] = 1 + time // samples
    return frame.astype(c.PARTITION_COLUMNS)


def simulation(samples: int = 20) -> pd.DataFrame:
    frame = pd.DataFrame({name: np.arange(float(samples)) for name in c.SIMULATION_COLUMNS})
    frame[c.STEP_TYPE], frame[c.WINDOW] = "rest", "ohmic"
    return frame.astype(c.SIMULATION_COLUMNS)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three cells with two simulations each, of which one stores another output, too."""
    store = Store(tmp_path / "store")
    for number, cell_id in enumerate(CELLS):
        frame = partition(1 + number)
        write_frame(store, store.cleaned(cell_id), frame, {}, {c.CELL_ID: cell_id})
        for place, name in enumerate(SETS):
            series = simulation().assign(**({"state_of_charge": 0.5} if number == place else {}))
            identity = {c.CELL_ID: cell_id, c.MODEL: "SPMe", c.PARAMETER_SET: name}
            write_frame(store, store.simulation(cell_id, f"SPMe-{name}"), series, {}, identity)
    return store


def test_every_program_reads_the_whole_store_in_one_line(store: Store) -> None:
    cleaned = store.root / "cleaned"
    counts = {cell_id: 50 * (1 + number) for number, cell_id in enumerate(CELLS)}
    assert ds.dataset(cleaned).schema.field(0).name == c.CELL_ID
    assert ds.dataset(cleaned).to_table().to_pandas()[c.CELL_ID].value_counts().to_dict() == counts
    assert pd.read_parquet(cleaned)[c.CELL_ID].value_counts().to_dict() == counts
    assert dict(pl.scan_parquet(cleaned / "*.parquet").group_by(c.CELL_ID).len().collect().iter_rows()) == counts
    question = f"SELECT cell_id, count(*) FROM '{cleaned}/*.parquet' GROUP BY ALL"
    assert dict(duckdb.connect().execute(question).fetchall()) == counts


def test_simulations_with_other_outputs_are_one_table(store: Store) -> None:
    files = f"read_parquet('{store.root}/simulations/*/*.parquet', union_by_name = true)"
    rows = duckdb.connect().execute(
        f"SELECT cell_id, model, parameter_set, count(state_of_charge) FROM {files} GROUP BY ALL"
    )
    found = {row[:3]: row[3] for row in rows.fetchall()}
    assert set(found) == {(cell_id, "SPMe", name) for cell_id in CELLS for name in SETS}
    assert sorted(found.values()) == [0, 0, 0, 0, 20, 20]


def test_readers_leave_the_identity_out_unless_it_is_asked_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    whole = pq.ParquetFile.read

    def spied(file: pq.ParquetFile, columns: list[str]) -> object:
        read.extend(columns)
        return whole(file, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "read", spied)
    pd.testing.assert_frame_equal(read_partition(store, CELLS[1]), partition(2))
    assert list(read_simulation(store, CELLS[2], "SPMe-Chen2020").columns) == list(c.SIMULATION_COLUMNS)
    assert partition_table(store, CELLS[0]).column_names == list(c.PARTITION_COLUMNS)
    assert simulation_table(store, CELLS[0], "SPMe-Chen2020").column_names == list(c.SIMULATION_COLUMNS)
    assert not set(c.IDENTITY).intersection(read)
    assert read_partition(store, CELLS[1], [c.CELL_ID])[c.CELL_ID].unique().tolist() == [CELLS[1]]


def test_the_identity_of_a_long_record_costs_almost_nothing(store: Store) -> None:
    frame = partition(100, 1000)
    without = write_frame(store, store.cleaned("x"), frame, {}).bytes
    identified = write_frame(store, store.cleaned("x"), frame, {}, {c.CELL_ID: "x" * 200})
    assert identified.bytes < without + 6000  # a name of 200 characters, in two row groups
    assert pq.read_schema(store.cleaned("x")).metadata[b"cell_id"] == b"x" * 200


def test_a_cycle_is_read_from_its_row_groups_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "ROW_GROUP_ROWS", 120)
    frame = partition(20)
    write_frame(store, store.cleaned("x"), frame, {})
    groups: list[int] = []
    whole = pq.ParquetFile.read_row_groups

    def spied(file: pq.ParquetFile, chosen: list[int], columns: list[str]) -> object:
        groups.extend(chosen)
        return whole(file, chosen, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", spied)
    expected = frame[frame[c.CYCLE_COUNT] == 7].reset_index(drop=True)
    pd.testing.assert_frame_equal(read_partition(store, "x", cycles=(7,)), expected)
    assert groups == [2]
    assert read_partition(store, "x", cycles=(99,)).empty
    for path, wanted in ((store.cleaned("x"), [3, 18]), (store.cleaned(CELLS[2]), [1, 3])):
        pd.testing.assert_frame_equal(
            read_partition(store, "x" if path == store.cleaned("x") else CELLS[2], [c.TEST_TIME], wanted),
            pd.read_parquet(path, columns=[c.TEST_TIME], filters=[(c.CYCLE_COUNT, "in", wanted)]),
        )
