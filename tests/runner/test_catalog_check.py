"""`kilocell catalog`: damaged files and edited numbers are found and named, and repaired."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from filled_store import fill
from kilocell.data.errors import JobError
from kilocell.data.results.fitting import Evaluation
from kilocell.data.results.receipt import Receipt
from kilocell.parquet_store.check import check_files
from kilocell.parquet_store.journal import StartJournal
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.read import read_all_receipts, read_receipt
from kilocell.parquet_store.write import write_receipt
from kilocell.runner.cli import cli
from kilocell.runner.worker.inputs import load_cell
from kilocell.runner.worker.run_job import _damaged_files_moved
from kilocell.sqlite import catalog as catalog_module

TABLES = ("jobs", "clean_reports", "cycles", "findings", "simulations", "comparisons", "cells", "parameter_overrides",
          "flag_counts")  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two cells and a receipt of every job."""
    root = tmp_path_factory.mktemp("whole") / "store"
    receipts: list[Receipt] = []
    record = catalog_module.Catalog.record

    def recorded(self: catalog_module.Catalog, receipt: Receipt, run_id: int | None, **given: Any) -> None:
        receipts.append(receipt)
        record(self, receipt, run_id, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog_module.Catalog, "record", recorded)
        fill(root, "CELL_A", "<b>B</b>")
    for receipt in receipts:
        write_receipt(Store(root), receipt)
    return root


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Store:
    shutil.copytree(whole, tmp_path / "store")
    return Store(tmp_path / "store")


def run(store: Store, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["catalog", *arguments, "--store", str(store.root)])


def execute(store: Store, *statements: str) -> None:
    with closing(sqlite3.connect(store.catalog)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = ON")
        for statement in statements:
            connection.execute(statement)


def content(store: Store) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(store.catalog)) as connection:
        return {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in TABLES}


def test_nothing_is_wrong_with_a_store_as_it_was_written(store: Store) -> None:
    before = content(store)
    shown = run(store, "check")
    assert (shown.exit_code, shown.output.splitlines()) == (
        0, ["files    8 of 8 are as they were written", "catalog  as the receipts say"],
    )  # fmt: skip
    assert run(store, "check", "--repair").exit_code == 0
    assert content(store) == before


def test_a_flipped_bit_is_found_and_the_file_is_moved_away(store: Store) -> None:
    path = store.simulation("<b>B</b>", "DFN-Chen2020")
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 4
    path.write_bytes(damaged)
    store.cleaned("CELL_A").unlink()
    shown = run(store, "check")
    assert shown.exit_code == 1
    assert "damaged  simulations/" in shown.output
    assert "its bytes have changed (simulate <b>B</b> DFN-Chen2020)" in shown.output
    assert "missing  cleaned/CELL_A.parquet: it is missing (clean CELL_A clean)" in shown.output
    assert "kilocell catalog check --repair" in shown.output
    assert path.read_bytes() == damaged
    found = json.loads(run(store, "check", "--repair", "--json").output)
    assert {damage["kind"] for damage in found["damages"]} == {"missing", "damaged"}
    assert not path.exists()
    assert path.with_name(path.name + ".damaged").read_bytes() == damaged
    assert {damage.kind for damage in check_files(store)} == {"missing"}


@pytest.mark.parametrize(
    ("edit", "where"),
    [
        ("UPDATE simulations SET rmse_mv = 1.5 WHERE cell_id = 'CELL_A'", ["simulations", "CELL_A", "rmse_mv", "1.5"]),
        ("UPDATE simulations SET rmse_mv = NULL WHERE label = 'DFN-Chen2020' AND cell_id = 'CELL_A'", ["rmse_mv", "–"]),
        ("UPDATE cycles SET charge_out_ah = 5.5 WHERE cycle_count = 2", ["cycles", "charge_out_ah", "5.5"]),
        ("DELETE FROM findings WHERE cell_id = 'CELL_A' AND position = 0", ["findings", "(row)", "a row"]),
        ("INSERT INTO flag_counts VALUES ('CELL_A', 'made_up', 3)", ["flag_counts", "made_up"]),
        ("UPDATE parameter_overrides SET value = 0.7", ["parameter_overrides", "0.7", "0.5"]),
        ("UPDATE jobs SET seconds = 0 WHERE kind = 'clean'", ["jobs", "seconds"]),
    ],
)
def test_a_number_edited_by_hand_is_found_and_rebuild_restores_it(store: Store, edit: str, where: list[str]) -> None:
    execute(store, "UPDATE simulations SET standing = 'of an earlier campaign' WHERE label = 'SPM-slow'")
    before = content(store)
    execute(store, edit)
    assert content(store) != before
    shown = run(store, "check")
    assert shown.exit_code == 1
    for words in where:
        assert words in shown.output
    assert run(store, "rebuild").exit_code == 0
    assert run(store, "check").exit_code == 0
    assert content(store) == before


def test_check_repairs_files_and_catalog_at_once(store: Store) -> None:
    before = content(store)
    execute(store, "UPDATE comparisons SET rmse_mv = 0")
    assert "made again from the receipts" in run(store, "check", "--repair").output
    assert content(store) == before


@pytest.mark.parametrize("damage", ["lost", "cut", "garbage"])
def test_a_lost_or_damaged_catalog_is_made_from_the_receipts(store: Store, damage: str) -> None:
    before = content(store)
    whole = store.catalog.read_bytes()
    if damage == "lost":
        store.catalog.unlink()
    else:
        store.catalog.write_bytes(whole[: len(whole) // 3] if damage == "cut" else b"no catalog" * 1000)
    checked = run(store, "check")
    assert checked.exit_code == 1
    assert "catalog.sqlite" in checked.output
    made = run(store, "rebuild")
    assert made.exit_code == 0, made.output
    assert "`kilocell run` adds campaign and plan" in made.output
    after = content(store)
    assert {name: after[name] for name in TABLES if name != "cells"} == {
        name: before[name] for name in TABLES if name != "cells"
    }
    assert [row[0] for row in after["cells"]] == [row[0] for row in before["cells"]]
    assert run(store, "check").exit_code == 0
    assert sorted(path.name for path in store.root.glob("catalog*")) == ["catalog.sqlite"]


def test_files_of_earlier_versions_without_a_digest_are_read_completely(store: Store) -> None:
    for receipt in list(read_all_receipts(store)):
        write_receipt(store, replace(receipt, outputs=tuple(replace(one, digest=None) for one in receipt.outputs)))
    shown = run(store, "check")
    assert shown.exit_code == 0
    assert "8 files of an earlier version, without a digest, can be read" in shown.output
    path = store.cleaned("CELL_A")
    damaged = bytearray(path.read_bytes())
    damaged[200] ^= 1
    path.write_bytes(damaged)
    assert run(store, "check").exit_code == 1
    text = store.receipt("clean", "CELL_A", "clean").read_text().replace(',"digest":null', "")
    store.receipt("clean", "CELL_A", "clean").write_text(text)
    stored = read_receipt(store.receipt("clean", "CELL_A", "clean"))
    assert stored is not None
    assert [output.digest for output in stored.outputs] == [None]


def test_a_damaged_receipt_is_named(store: Store) -> None:
    store.receipt("clean", "CELL_A", "clean").write_text("{")
    assert "receipts/clean/CELL_A/clean.json: it is no receipt" in run(store, "check").output


def test_a_job_refuses_a_damaged_record_and_moves_it_away(store: Store) -> None:
    path = store.cleaned("CELL_A")
    assert len(load_cell(store, "CELL_A").samples)
    damaged = bytearray(path.read_bytes())
    damaged[-20] ^= 1  # in the name of the program that wrote the file: nothing but the digest shows it
    path.write_bytes(damaged)
    with pytest.raises(JobError, match=r"was damaged.*run again") as caught, _damaged_files_moved():
        load_cell(store, "CELL_A")
    assert caught.value.code == "damaged_file"
    assert not path.exists()


@pytest.mark.parametrize("garbage", [b"\xff\xfe\x00garbage\n", b'{"number": 3\n', b"[" * 20_000, b"\0" * 50])
@pytest.mark.parametrize("place", ["first", "middle"])
def test_garbage_in_a_journal_costs_what_follows_it_and_no_more(tmp_path: Path, garbage: bytes, place: str) -> None:
    store = Store(tmp_path)
    journal = StartJournal(store, "A", "fit-0", "d")
    for number in range(1, 5):
        journal.note(Evaluation(number, (1.0 * number,), 2.0, 3.0, 0.0), np.zeros(2), np.zeros((2, 1)))
    path = store.journal("A", "fit-0")
    lines = path.read_bytes().splitlines(keepends=True)
    at = 0 if place == "first" else 3
    path.write_bytes(b"".join(lines[:at]) + garbage + b"".join(lines[at:]))
    again = StartJournal(store, "A", "fit-0", "d")
    assert [evaluation.number for evaluation in again.evaluations] == ([] if place == "first" else [1, 2])
    again.note(Evaluation(9, (9.0,), 2.0, 3.0, 0.0), np.zeros(2), np.zeros((2, 1)))
    assert StartJournal(store, "A", "fit-0", "d").evaluations[-1].number == 9


def test_a_folder_without_receipts_is_refused(tmp_path: Path) -> None:
    for command in ("check", "rebuild"):
        shown = CliRunner().invoke(cli, ["catalog", command, "--store", str(tmp_path)])
        assert "there are no receipts" in str(shown.exception)
