"""A damaged file is an error that names it, never other values; what was damaged is found by its digest."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.errors import DamagedFileError, StoreError
from kilocell.data.results.receipt import Receipt
from kilocell.parquet_store import write
from kilocell.parquet_store.check import check_files, is_intact
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.read import partition_table, read_partition, read_simulation, simulation_outputs
from kilocell.parquet_store.receipts import read_receipt
from kilocell.parquet_store.write import Unwritten, write_columns, write_frame, write_with_receipt

FLIPS = 60
RECEIPT = Receipt("clean", "A", "clean", "d", "done")


def partition(samples: int = 600) -> pd.DataFrame:
    random = np.random.default_rng(3)
    frame = pd.DataFrame({name: random.normal(size=samples) for name in c.PARTITION_COLUMNS})
    frame[c.CYCLE_COUNT] = 1 + np.arange(samples) // 100
    frame[c.STEP_TYPE] = np.where(np.arange(samples) % 100 < 50, "charge", "rest")
    frame.loc[3:9, c.VOLTAGE] = np.nan
    for name in (c.STEP_COUNT, c.FLAGS, c.SOURCE_INDEX, c.SOURCE_ROW):
        frame[name] = np.arange(samples)
    return frame.astype(c.PARTITION_COLUMNS)


@pytest.mark.parametrize("part", ["pages", "end"])
@pytest.mark.parametrize("has_receipt", [False, True])
def test_no_flipped_bit_gives_other_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, has_receipt: bool
) -> None:
    monkeypatch.setattr(write, "ROW_GROUP_ROWS", 250)
    store, frame = Store(tmp_path), partition()
    file = Unwritten.of_frame(store.cleaned("A"), frame, {"digest": "d"}, {c.CELL_ID: "A"})
    if has_receipt:
        write_with_receipt(store, file, RECEIPT)
    else:
        write_columns(store, file.path, file.columns, file.metadata, file.identity)
    path = store.cleaned("A")
    content = path.read_bytes()
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    of_cycle = frame[frame[c.CYCLE_COUNT] == 4].reset_index(drop=True)
    chosen, errors = random.Random(7), 0
    for _ in range(FLIPS):
        place = chosen.randrange(*((4, end) if part == "pages" else (end, len(content))))
        damaged = bytearray(content)
        damaged[place] ^= 1 << chosen.randrange(8)
        path.write_bytes(damaged)
        for cycles, expected in (((), frame), ((4,), of_cycle)):
            try:
                read = read_partition(store, "A", cycles=cycles)
            except DamagedFileError as error:
                errors += error.path == path
                continue
            pd.testing.assert_frame_equal(read, expected)
        vouched = read_receipt(store.receipt("clean", "A", "clean"))
        assert not has_receipt or vouched is None or not is_intact(path, vouched.outputs[0])
        assert not has_receipt or len(list(check_files(store))) == 1
    assert errors > (FLIPS if part == "pages" else FLIPS / 5)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 no more", b"\0" * 5000, "half", "no end"])
def test_a_file_that_is_no_parquet_is_named_with_what_to_do(tmp_path: Path, content: bytes | str) -> None:
    store = Store(tmp_path)
    write_frame(store, store.cleaned("A"), partition(), {})
    path = store.cleaned("A")
    whole = path.read_bytes()
    path.write_bytes(content if isinstance(content, bytes) else whole[: len(whole) // 2 if content == "half" else -1])
    path.parent.parent.joinpath("simulations", "A").mkdir(parents=True)
    store.simulation("A", "x").write_bytes(path.read_bytes())
    for read in (
        lambda: read_partition(store, "A"),
        lambda: partition_table(store, "A"),
        lambda: read_simulation(store, "A", "x", cycles=(1,)),
        lambda: simulation_outputs(store, "A", "x"),
    ):
        with pytest.raises(DamagedFileError, match=r"is damaged.*kilocell catalog check --repair.*kilocell run"):
            read()


def test_a_column_that_a_file_does_not_have_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_frame(store, store.cleaned("A"), partition()[[c.VOLTAGE]], {})
    with pytest.raises(StoreError, match="no column 'test_time_second'"):
        read_partition(store, "A", [c.TEST_TIME])


def test_empty_frames_and_frames_without_cycles_come_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for frame in (partition().iloc[:0], partition()[[c.VOLTAGE, c.STEP_TYPE]], partition(3)):
        write_frame(store, store.cleaned("A"), frame, {}, {c.CELL_ID: "A"})
        pd.testing.assert_frame_equal(read_partition(store, "A"), frame)
