"""A receipt in a Parquet file: found without pyarrow, whole or not at all, and never that of another file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from kilocell.data import columns as c
from kilocell.data.results.cleaning import CleanReport, CleanResult
from kilocell.data.results.receipt import OutputFile, Receipt
from kilocell.data.results.simulation import Comparison
from kilocell.data.settings import CleanSettings
from kilocell.parquet_store import embedded
from kilocell.parquet_store.check import check_files
from kilocell.parquet_store.layout import Store, holder_of, list_receipts
from kilocell.parquet_store.receipts import is_valid, read_all_receipts, read_receipt, read_receipt_head
from kilocell.parquet_store.write import Unwritten, file_digest, write_frame, write_receipt, write_with_receipt

FRAME = pd.DataFrame({c.VOLTAGE: np.linspace(3.0, 4.0, 300), c.CYCLE_COUNT: np.ones(300, dtype=np.int32)})
REPORT = CleanReport(
    "A", 300, 300, 0, 1.0, 1.0, 2.0, 2.0, 2.0, float("nan"), 1, 1, 2, 2, (), energy_in_before_wh=float("inf")
)
RESULT = CleanResult(REPORT, (), 25.5, (), CleanSettings())
RECEIPT = Receipt("clean", "A", "clean", "digest", "done", host="böx", seconds=1.5, result=RESULT)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def write(store: Store, receipt: Receipt = RECEIPT, frame: pd.DataFrame = FRAME) -> Path:
    """Write a cleaned record with its receipt; return the path of both."""
    path = store.cleaned(receipt.cell_id)
    write_with_receipt(
        store, Unwritten.of_frame(path, frame, {"digest": "digest"}, {c.CELL_ID: receipt.cell_id}), receipt
    )
    return path


def read(store: Store, cell_id: str = "A") -> Receipt | None:
    return read_receipt(store.receipt("clean", cell_id, "clean"))


def test_a_receipt_comes_back_and_vouches_for_its_own_file(store: Store) -> None:
    taken = OutputFile("quarantine/A.parquet", 3, "x")
    path = write(store, replace(RECEIPT, outputs=(taken,)))
    found = read(store)
    assert found is not None
    itself = OutputFile("cleaned/A.parquet", path.stat().st_size, file_digest(path))
    assert found.outputs == (itself, taken)
    assert repr(replace(found, outputs=())) == repr(RECEIPT)  # nan is not equal to itself
    assert [file.name for file in store.root.rglob("*.*")] == ["A.parquet"]
    assert not is_valid(store, found, "digest")
    assert is_valid(store, replace(found, outputs=(itself,)), "digest")
    head = read_receipt_head(store.receipt("clean", "A", "clean"))
    assert head == replace(found, result=None)
    assert [one.cell_id for one in read_all_receipts(store)] == ["A"]


def test_other_programs_read_the_file_as_any_other(store: Store) -> None:
    path = write(store)
    for frame in (
        pd.read_parquet(path),
        pl.read_parquet(path).to_pandas(),
        duckdb.connect().execute(f"FROM '{path}'").df(),
    ):
        pd.testing.assert_frame_equal(frame[list(FRAME)], FRAME)
        assert set(frame[c.CELL_ID]) == {"A"}


def test_the_receipt_is_in_a_file_once(store: Store) -> None:
    content = write(store).read_bytes()
    assert content.count(embedded.BEGIN) == 1
    assert b"pandas" not in content.replace(b'["pandas"', b"")


def test_a_long_receipt_is_found_beyond_the_first_bytes_read(store: Store) -> None:
    rng = np.random.default_rng(1)
    rows = tuple(replace(one, rmse_mv=float(rng.normal())) for one in [Comparison(1, 2, 3.0, 4.0, 5.0, 6.0)] * 2000)
    log = "".join(map(str, rows))
    path = write(store, replace(RECEIPT, log=log))
    assert read(store) is not None
    assert path.stat().st_size > 2 * embedded._TAIL_BYTES
    assert pq.read_table(path).num_rows == 300


def test_a_file_of_its_own_counts_first_and_goes_when_the_job_is_done(store: Store) -> None:
    write(store)
    failed = replace(RECEIPT, status="failed", result=None)
    write_receipt(store, failed)
    assert read(store) == failed
    assert [one.status for one in read_all_receipts(store)] == ["failed"]
    write(store)
    found = read(store)
    assert found is not None
    assert found.status == "done"


@pytest.mark.parametrize(
    "name", [embedded.BEGIN.decode() + "x", embedded.END.decode(), embedded.render("{}", "null").decode()]
)
def test_a_name_that_looks_like_a_mark_hides_nothing(store: Store, name: str) -> None:
    path = write(store, replace(RECEIPT, cell_id=name))
    found = read(store, name)
    assert found is not None
    assert found.cell_id == name
    assert list(check_files(store)) == []
    assert embedded.embedded_digest(path) == found.outputs[0].digest


def test_a_copy_under_another_name_is_not_the_receipt_of_that_job(store: Store) -> None:
    shutil.copy(write(store), store.cleaned("B"))
    assert read(store, "B") is None


@pytest.mark.parametrize("keep", [0, 3, 100, -1, -200, -2000])
def test_a_cut_file_has_no_receipt_and_is_damaged(store: Store, keep: int) -> None:
    path = write(store)
    path.write_bytes(path.read_bytes()[:keep])
    assert read(store) is None
    assert [damage.path for damage in check_files(store)] == [path]


def test_a_file_without_a_receipt_is_not_called_damaged(store: Store) -> None:
    write_frame(store, store.cleaned("A"), FRAME, {"cell_id": "A"})
    assert read(store) is None
    assert list(check_files(store)) == []


def test_bytes_that_are_added_or_changed_are_noticed(store: Store) -> None:
    path = write(store)
    content = path.read_bytes()
    path.write_bytes(b"PAR1" + content)  # a reader of the end alone would see nothing
    assert read(store) is None
    path.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
    assert [damage.what for damage in check_files(store)] == ["its bytes have changed"]


def test_only_jobs_with_a_file_have_a_holder(store: Store) -> None:
    assert holder_of(store.receipt("clean", "A/b", "clean")) == store.cleaned("A/b")
    assert holder_of(store.receipt("simulate", "A/b", "SPM-x.y")) == store.simulation("A/b", "SPM-x.y")
    for kind in ("split", "start", "fit", "profile"):
        assert holder_of(store.receipt(kind, "A", "x")) is None
    for path in (store.cleaned("A/b"), store.simulation("A/b", "SPM-x.y")):
        path.parent.mkdir(parents=True)
        path.touch()
    listed = [store.receipt("clean", "A/b", "clean"), store.receipt("simulate", "A/b", "SPM-x.y")]
    assert list_receipts(store.root) == listed


def test_a_receipt_is_read_without_pyarrow(store: Store) -> None:
    write(store)
    program = (
        "import sys; from pathlib import Path; from kilocell.parquet_store.receipts import read_receipt;"
        f"assert read_receipt(Path({str(store.receipt('clean', 'A', 'clean'))!r})).status == 'done';"
        "assert not {'pyarrow', 'pandas', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env=dict(os.environ))
