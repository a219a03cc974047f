"""A file is complete or absent; a receipt is valid only if the files that it names exist."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kilocell.data import columns as c
from kilocell.data.errors import StoreError
from kilocell.data.results.receipt import OutputFile, Receipt
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.read import is_valid, read_all_receipts, read_partition, read_receipt, read_simulation
from kilocell.parquet_store.write import write_atomically, write_frame, write_receipt

CELL = "电池/../1"


def partition(samples: int = 90, cycles: int = 3) -> pd.DataFrame:
    """Make a cleaned record with a hole in the voltage, in the store's columns and types."""
    ramp = np.arange(samples, dtype=float)
    made: dict[str, object] = {
        c.TEST_TIME: ramp * 10,
        c.VOLTAGE: np.where(ramp == 5, np.nan, 3.6 + 0.1 * np.sin(ramp)),
        c.CURRENT: np.cos(ramp),
        c.CYCLE_COUNT: 1 + (ramp * cycles // samples),
        c.STEP_COUNT: 1 + ramp // 10,
        c.STEP_TYPE: "charge",
    }
    frame = pd.DataFrame({name: made.get(name, np.zeros(samples)) for name in c.PARTITION_COLUMNS})
    return frame.astype(c.PARTITION_COLUMNS)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run=3")  # a folder that looks like a Hive partition must not become a column


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if ".tmp-" in path.name]


def test_a_partition_comes_back_as_it_was(store: Store) -> None:
    frame = partition()
    output = write_frame(store, store.cleaned(CELL), frame, {"cell_id": CELL, "digest": "d"})
    pd.testing.assert_frame_equal(read_partition(store, CELL), frame)
    assert (store.root / output.path).stat().st_size == output.bytes
    metadata = pq.read_schema(store.cleaned(CELL)).metadata
    assert metadata[b"cell_id"].decode() == CELL


def test_columns_and_cycles_are_picked(store: Store) -> None:
    frame = partition()
    write_frame(store, store.cleaned(CELL), frame, {})
    picked = read_partition(store, CELL, [c.TEST_TIME, c.VOLTAGE], cycles=(1, 3))
    expected = frame.loc[frame[c.CYCLE_COUNT] != 2, [c.TEST_TIME, c.VOLTAGE]].reset_index(drop=True)
    pd.testing.assert_frame_equal(picked, expected)
    assert len(read_partition(store, CELL, cycles=(99,))) == 0


@given(st.lists(st.floats(width=64), max_size=30))
def test_every_float_comes_back(tmp_path_factory: pytest.TempPathFactory, voltages: list[float]) -> None:
    store = Store(tmp_path_factory.mktemp("floats"))
    written = np.array(voltages, dtype=np.float64)
    write_frame(store, store.cleaned("CELL"), pd.DataFrame({c.VOLTAGE: written}), {})
    read = read_partition(store, "CELL")[c.VOLTAGE].to_numpy()
    np.testing.assert_array_equal(read, written)
    np.testing.assert_array_equal(np.signbit(read[read == 0]), np.signbit(written[written == 0]))


def test_an_absent_partition_or_simulation_is_named(store: Store) -> None:
    with pytest.raises(StoreError, match="'CELL_A' has no cleaned partition"):
        read_partition(store, "CELL_A")
    with pytest.raises(StoreError, match="'CELL_A' has no simulation 'DFN-Chen2020'"):
        read_simulation(store, "CELL_A", "DFN-Chen2020")


def fails_before(path: Path) -> None:
    raise RuntimeError("solver")


def fails_midway(path: Path) -> None:
    path.write_bytes(b"half a fi")
    raise RuntimeError("killed")


def writes_new(path: Path) -> None:
    path.write_bytes(b"new")


def writes_nothing(path: Path) -> None:
    return None


@pytest.mark.parametrize("write", [fails_before, fails_midway, writes_nothing])
@pytest.mark.parametrize("before", [None, b"the old file"])
def test_a_writer_that_fails_leaves_what_was_there(
    tmp_path: Path, write: Callable[[Path], None], before: bytes | None
) -> None:
    path = tmp_path / "folder" / "file"
    if before is not None:
        path.parent.mkdir()
        path.write_bytes(before)
    with pytest.raises((RuntimeError, FileNotFoundError)):
        write_atomically(path, write)
    assert [p.read_bytes() for p in path.parent.iterdir()] == ([] if before is None else [before])


def test_a_write_replaces_the_old_file_and_tells_its_size(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a long old file")
    assert write_atomically(path, writes_new) == 3
    assert path.read_bytes() == b"new"
    assert leftovers(tmp_path) == []


def test_a_frame_that_parquet_cannot_hold_leaves_the_old_one(store: Store) -> None:
    write_frame(store, store.cleaned(CELL), partition(), {})
    with pytest.raises(Exception, match="Conversion failed"):
        write_frame(store, store.cleaned(CELL), pd.DataFrame({"voltage_volt": [1.0, "text"]}), {})
    assert len(read_partition(store, CELL)) == 90
    assert leftovers(store.root) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 512 KiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_an_error_and_keeps_the_old_partition(small_disk: Path) -> None:
    store = Store(small_disk)
    old = partition()
    write_frame(store, store.cleaned(CELL), old, {})
    noise = pd.DataFrame({c.VOLTAGE: np.random.default_rng(1).random(200_000)})
    with pytest.raises(OSError) as raised:  # noqa: PT011 - the errno says which
        write_frame(store, store.cleaned(CELL), noise, {})
    assert raised.value.errno == errno.ENOSPC
    assert raised.value.filename == str(store.cleaned(CELL))  # and not that of the temporary file
    pd.testing.assert_frame_equal(read_partition(store, CELL), old)
    assert leftovers(small_disk) == []


def fill(folder: Path) -> None:
    """Write until the disk is full."""
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
        while filler.write(b"x" * 4096):
            pass


def test_a_full_disk_leaves_no_half_receipt(small_disk: Path) -> None:
    store, receipt = Store(small_disk), vouched_for(Store(small_disk))
    fill(small_disk)
    with pytest.raises(OSError, match="No space"):
        write_receipt(store, replace(receipt, reason="r" * 100_000))
    kept = read_receipt(store.receipt("clean", CELL, "clean"))
    assert kept == receipt
    assert leftovers(small_disk) == []


def vouched_for(store: Store) -> Receipt:
    """Write a partition and the receipt that vouches for it."""
    output = write_frame(store, store.cleaned(CELL), partition(), {})
    receipt = Receipt("clean", CELL, "clean", "digest", "done", outputs=(output,), versions=(("kilocell", "0"),))
    write_receipt(store, receipt)
    return receipt


def read_back(store: Store) -> Receipt | None:
    return read_receipt(store.receipt("clean", CELL, "clean"))


def test_a_receipt_comes_back_and_is_valid(store: Store) -> None:
    receipt = vouched_for(store)
    assert read_back(store) == receipt
    assert is_valid(store, receipt, "digest")
    assert list(read_all_receipts(store)) == [receipt]


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda text: text[: len(text) // 2], id="cut in half"),
        pytest.param(lambda text: text[:-3], id="cut at the end"),
        pytest.param(lambda text: b"", id="empty"),
        pytest.param(lambda text: b"\xff\xfe" + text, id="not UTF-8"),
        pytest.param(lambda text: b"[]", id="other JSON"),
        pytest.param(lambda text: text.replace(b'"done"', b'"fine"'), id="status of its own"),
        pytest.param(lambda text: text.replace(b'"bytes":', b'"size":'), id="other field"),
        pytest.param(lambda text: text.replace(b'"digest":"digest"', b'"digest":7'), id="number for a text"),
    ],
)
def test_a_damaged_receipt_is_no_receipt(store: Store, edit: Callable[[bytes], bytes]) -> None:
    vouched_for(store)
    path = store.receipt("clean", CELL, "clean")
    before = path.read_bytes()
    path.write_bytes(edit(before))
    assert path.read_bytes() != before
    assert read_back(store) is None
    assert not is_valid(store, read_back(store), "digest")
    assert list(read_all_receipts(store)) == []


def test_a_receipt_is_void_for_another_digest_status_or_file(store: Store) -> None:
    receipt = vouched_for(store)
    assert not is_valid(store, receipt, "another digest")
    assert not is_valid(store, replace(receipt, status="failed"), "digest")
    absent = OutputFile("cleaned/none.parquet", 1)
    assert not is_valid(store, replace(receipt, outputs=(*receipt.outputs, absent)), "digest")
    assert not is_valid(store, None, "digest")


@pytest.mark.parametrize("damage", ["removed", "truncated", "longer", "a folder"])
def test_a_receipt_is_void_without_its_whole_output(store: Store, damage: str) -> None:
    receipt, path = vouched_for(store), store.cleaned(CELL)
    content = path.read_bytes()
    path.unlink()
    if damage == "truncated":
        path.write_bytes(content[:-1])
    elif damage == "longer":
        path.write_bytes(content + b"x")
    elif damage == "a folder":
        path.mkdir()
    assert not is_valid(store, receipt, "digest")


def test_receipts_come_in_a_fixed_order(store: Store) -> None:
    for cell_id in ("CELL_B", "CELL_A"):
        for label in ("SPMe-Chen2020", "DFN-Chen2020"):
            write_receipt(store, Receipt("simulate", cell_id, label, "d", "failed", reason="no solution"))
    found = [(receipt.cell_id, receipt.label) for receipt in read_all_receipts(store)]
    assert found == sorted(found)
    assert len(found) == 4
    assert list(read_all_receipts(Store(store.root / "empty"))) == []
