"""Parquet files of any columns become raw rows, in bounded memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kilocell.data import columns as c
from kilocell.data.errors import ReadError
from kilocell.data.readers import parquet_reader
from kilocell.data.readers.read import cell_ids, guess_settings, read_by_cell, read_raw
from kilocell.data.settings import ColumnMapping, SourceSettings

ROWS = 1000


def table(rows: int = ROWS) -> pa.Table:
    second = np.arange(rows, dtype=np.float64)
    return pa.table(
        {
            "cell_id": pa.array([f"C{row % 3}" for row in range(rows)]).dictionary_encode(),
            "datetime": pa.array((second * 1e6 + 1.7e15).astype(np.int64)).cast(pa.timestamp("us")),
            "Test Time": pa.array((second * 1e9).astype(np.int64)).cast(pa.duration("ns")),
            "cycle": pa.array(second.astype(np.int32) // 100),
            "I/mA": pa.array(-1500.0 - second, pa.float32()),
            "Voltage(V)": pa.array([f"{3.7 + row / 1e4:.4f}" for row in range(rows)]),
            "note": pa.array([b"x"] * rows),
            "curve": pa.array([[1.0, 2.0]] * rows),
        }
    )


def test_columns_of_every_type(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    pq.write_table(table(), path)
    settings = guess_settings(path)
    assert settings == SourceSettings(
        reader="parquet",
        columns=(
            ColumnMapping(c.UNIX_TIME, "datetime", ""),
            ColumnMapping(c.TEST_TIME, "Test Time", ""),
            ColumnMapping(c.CYCLE_ID, "cycle", ""),
            ColumnMapping(c.CURRENT, "I/mA", "mA"),
            ColumnMapping(c.VOLTAGE, "Voltage(V)", "V"),
        ),
        cell_id_from="column:cell_id",
    )
    frame = read_raw(path, settings)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == c.RAW_COLUMNS
    second = np.arange(ROWS)
    np.testing.assert_allclose(frame[c.UNIX_TIME], 1.7e9 + second, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(frame[c.TEST_TIME], second)
    np.testing.assert_allclose(frame[c.CURRENT], -1.5 - second / 1000)
    np.testing.assert_allclose(frame[c.VOLTAGE], 3.7 + second / 1e4)
    assert cell_ids(path, settings) == ("C0", "C1", "C2")


def test_cells_and_parts_are_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_reader, "ROWS", 64)  # many batches, as a long file has
    path = tmp_path / "cells.parquet"
    pq.write_table(table(), path, row_group_size=300)
    settings = guess_settings(path)
    parts: dict[str, list[pd.DataFrame]] = {}
    sizes = []
    for cell, part in read_by_cell(path, settings, rows_per_part=100):
        parts.setdefault(cell, []).append(part)
        sizes.append(len(part))
    assert max(sizes) < 100
    for place, (cell, frames) in enumerate(parts.items()):
        joined = pd.concat(frames, ignore_index=True)
        assert joined[c.SOURCE_ROW].tolist() == list(range(place, ROWS, 3))
        pd.testing.assert_frame_equal(joined, read_raw(path, settings, cell))
    with pytest.raises(ReadError, match=r'has no cell "C9"'):
        read_raw(path, settings, "C9")


def test_only_columns_that_are_used_are_read_a_batch_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cell.parquet"
    pq.write_table(table(50_000), path)  # one row group
    monkeypatch.setattr(parquet_reader, "ROWS", 1000)
    settings = guess_settings(path)
    sizes = [len(block.frame) for block in parquet_reader.raw_blocks(path, settings)]
    assert (max(sizes), sum(sizes)) == (1000, 50_000)
    asked: list[list[str]] = []
    whole = pq.ParquetFile.iter_batches

    def iter_batches(self: pq.ParquetFile, *sizes: Any, **given: Any) -> Any:
        asked.append(list(given["columns"]))
        return whole(self, *sizes, **given)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", iter_batches)
    cell_ids(path, settings)
    assert asked[-1] == ["cell_id"]


def test_columns_by_mapping(tmp_path: Path) -> None:
    path = tmp_path / "cell.parquet"
    pq.write_table(pa.table({"a.b": [0.0, 1.0], "c": [3700, 3800], "d": [1, 2], "e": [25.0, np.inf]}), path)
    names = (
        (c.TEST_TIME, "a.b", "h"),
        (c.VOLTAGE, "c", "mV"),
        (c.CURRENT, "d", "mA"),
        (c.SURFACE_TEMPERATURE, "e", ""),
    )
    settings = SourceSettings("parquet", tuple(ColumnMapping(*name) for name in names))
    frame = read_raw(path, settings)
    assert frame[c.TEST_TIME].tolist() == [0, 3600]
    assert frame[c.VOLTAGE].tolist() == pytest.approx([3.7, 3.8])
    assert frame[c.CURRENT].tolist() == [0.001, 0.002]
    assert frame[c.UNREADABLE].tolist() == ["", "e='inf'"]
    with pytest.raises(ReadError, match=r"no column 'x' for voltage_volt; the table has 'a\.b', 'c', 'd', 'e'"):
        read_raw(path, SourceSettings("parquet", (*settings.columns[:1], ColumnMapping(c.VOLTAGE, "x"))))


def test_bdf_by_its_machine_readable_names(tmp_path: Path) -> None:
    path = tmp_path / "cell.bdf.parquet"
    names = ("test_time_second", "voltage_volt", "current_ampere", "unix_time_second", "cycle_count", "step_count")
    pq.write_table(pa.table({name: [1.7e9, 1.7e9 + 1] for name in names}), path)
    found = {mapping.target: mapping.column for mapping in guess_settings(path).columns}
    targets = (c.TEST_TIME, c.VOLTAGE, c.CURRENT, c.UNIX_TIME, c.CYCLE_ID, c.STEP_ID)
    assert found == dict(zip(targets, names, strict=True))


def test_the_truth_of_five_real_cells_reads_as_it_stands(shared_data: Path) -> None:
    path = shared_data / "takehome_like/answer_key_truth.parquet"
    settings = guess_settings(path)
    truth = pd.read_parquet(path)
    for cell in cell_ids(path, settings):
        frame, expected = read_raw(path, settings, cell), truth[truth["cell_id"] == cell]
        names = ["cycle", "step", "test_time_s", "current_A", "voltage_V", "temperature_C"]
        targets = [c.CYCLE_ID, c.STEP_ID, c.TEST_TIME, c.CURRENT, c.VOLTAGE, c.SURFACE_TEMPERATURE]
        np.testing.assert_array_equal(frame[targets].to_numpy(), expected[names].to_numpy(dtype=np.float64))
        clock = expected["datetime"].to_numpy().astype("datetime64[us]").astype(np.int64) / 1e6
        np.testing.assert_allclose(frame[c.UNIX_TIME], clock, rtol=0, atol=1e-6)


def test_empty_and_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "cell.parquet"
    pq.write_table(table().slice(0, 0), path)
    with pytest.raises(ReadError, match=r"cell\.parquet: .*has columns but no rows"):
        guess_settings(path)
    pq.write_table(table(), path, compression="none")
    content = bytearray(path.read_bytes())
    content[200:600] = b"\xff" * 400
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"cell\.parquet: cannot be read as Parquet"):
        read_raw(path, SourceSettings("parquet"))
