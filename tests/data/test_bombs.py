"""Files that unpack to far more than they seem, or to more than the memory, end with a reason."""

from __future__ import annotations

import gzip
import resource
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kilocell.data import memory_limit
from kilocell.data.errors import ReadError
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.read import read_raw_parts
from kilocell.parquet_store.write import write_frame
from kilocell.runner.inspect.new_campaign import write_campaign
from kilocell.runner.inspect.raw_file import show_inspection

HEADER = "test_time_s,current_A,voltage_V\n"


@pytest.fixture
def little_memory() -> Iterator[None]:
    """A worker with 4 MB of memory."""
    memory_limit.set_worker_limit(4_000_000)
    yield
    memory_limit.set_worker_limit(None)


def record(rows: int) -> str:
    """A record of constant current in CSV."""
    return HEADER + "".join(f"{row},-1.0,{4.0 - 1e-5 * row:.5f}\n" for row in range(rows))


@pytest.mark.parametrize("name", ["plain.csv", "packed.csv.gz", "table.parquet"])
def test_a_record_larger_than_the_memory_is_refused_while_it_is_read(
    tmp_path: Path, name: str, little_memory: None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if name.endswith("parquet"):
        rows = np.arange(30_000.0)
        columns = {"test_time_s": rows, "current_A": np.full_like(rows, -1.0), "voltage_V": 4.0 - 1e-5 * rows}
        pq.write_table(pa.table(columns), path)
    else:
        text = record(30_000).encode()
        path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    with pytest.raises(ReadError, match=rf"{name}.*its rows take more than 0\.002 GB.*--memory-limit"):
        read_raw(path, guess_settings(path))
    assert show_inspection([str(path)], None, json_=False) == 1
    assert "its rows take more than" in capsys.readouterr().out
    assert not write_campaign([str(path)], tmp_path / "campaign.toml").left_out  # it needs only the first rows


def test_a_record_that_fits_is_read(tmp_path: Path, little_memory: None) -> None:
    path = tmp_path / "small.csv.gz"
    path.write_bytes(gzip.compress(record(5000).encode()))
    assert len(read_raw(path, guess_settings(path))) == 5000


@pytest.mark.parametrize("line", [b"5,-1.0,3.7\n", b" " * 100 + b"\n"])
def test_a_packed_file_of_repeated_lines_is_not_unpacked(
    tmp_path: Path, line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_limit, "SMALL_BYTES", 1_000_000)
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb") as stream:
        stream.write(record(50).encode())
        for _ in range(40):
            stream.write(line * 100_000)
    with pytest.raises(ReadError, match=r"bomb\.csv\.gz: .* MB unpack to more than .* 250 times as much"):
        read_raw(path, guess_settings(path))


@pytest.mark.parametrize("member", ["xl/workbook.xml", "data.ndc"])
def test_a_workbook_that_unpacks_to_too_much_is_not_opened(
    tmp_path: Path, member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_limit, "SMALL_BYTES", 1_000_000)
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, b" " * 8_000_000)
    with pytest.raises(ReadError, match="times as much"):
        guess_settings(path)


def test_a_row_group_that_unpacks_to_more_than_the_memory_is_not_read(tmp_path: Path, little_memory: None) -> None:
    path = tmp_path / "bomb.parquet"
    columns = {"test_time_s": np.arange(100.0), "current_A": np.ones(100), "voltage_V": np.ones(100)}
    pq.write_table(pa.table(columns | {"note": ["x" * 30_000 + str(row) for row in range(100)]}), path)
    with pytest.raises(ReadError, match="row group 0"):
        guess_settings(path)


def test_a_file_of_one_value_ends_at_the_memory_limit(tmp_path: Path, little_memory: None) -> None:
    path = tmp_path / "constant.parquet"
    rows = 2_000_000
    columns = {name: pa.repeat(pa.scalar(1.0), rows) for name in ("test_time_s", "current_A", "voltage_V")}
    cell = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), rows), pa.array(["one"]))
    pq.write_table(pa.table(columns | {"cell_id": cell}), path)
    assert path.stat().st_size < 40_000
    with pytest.raises(ReadError, match=r"constant\.parquet: its rows take more than 0\.002 GB"):
        read_raw(path, guess_settings(path), "one")


def test_rows_of_a_cell_that_were_split_from_a_file_count_too(tmp_path: Path, little_memory: None) -> None:
    store = Store(tmp_path)
    rows = pd.DataFrame({"test_time_second": np.arange(30_000.0)})
    for number in range(2):
        write_frame(store, store.raw("digest", "one") / f"part-{number:03d}.parquet", rows[number::2], {})
    with pytest.raises(ReadError, match="cell 'one': its rows take more than"):
        read_raw_parts(store, ["digest"], "one")


def test_the_limit_is_the_smallest_that_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = memory_limit.memory_limit_bytes()
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1_000_000, 2_000_000))
    assert memory_limit.memory_limit_bytes() == 1_000_000 < whole
