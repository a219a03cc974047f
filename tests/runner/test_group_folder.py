"""A store in the folder of a group: every member can write it, whatever their umask is."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from kilocell.data.results.fitting import Evaluation
from kilocell.data.results.receipt import Receipt
from kilocell.parquet_store.journal import StartJournal
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.shared_folder import is_shared
from kilocell.parquet_store.write import write_receipt, write_text
from kilocell.runner.run.lock import lock_store
from kilocell.sqlite.catalog import Catalog


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The umask of a member; that of the tests is restored."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def write_all(root: Path) -> None:
    """Write a file of each kind that a run or a worker makes."""
    store = Store(root)
    with lock_store(root), Catalog.open(store.catalog) as catalog:
        catalog.begin_run("run", "host", 1, {})
        journal = StartJournal(store, "A", "fit-0", "digest")
        journal.begin()
        journal.note(Evaluation(1, (1.0,), 1.0, 1.0, 9.0), np.zeros(2), np.zeros((2, 1)))
        write_receipt(store, Receipt("clean", "A", "clean", "digest", "failed"))
        assert store.catalog.with_name("catalog.sqlite-journal").exists() is False


def not_of_group(root: Path) -> list[str]:
    """Return files and folders that the group cannot write."""
    return [str(path) for path in (root, *root.rglob("*")) if not path.stat().st_mode & stat.S_IWGRP]


def test_all_files_are_writable_for_the_group(tmp_path: Path, umask: int) -> None:
    tmp_path.chmod(0o2775)
    write_all(tmp_path / "store")
    assert not_of_group(tmp_path / "store") == []
    assert is_shared(tmp_path / "store")


def test_a_figure_that_a_member_draws_alone_is_writable_for_the_group(tmp_path: Path, umask: int) -> None:
    tmp_path.chmod(0o2775)
    write_text(Store(tmp_path / "store").figures / "A.svg", "<svg/>")
    assert not_of_group(tmp_path / "store") == []


def test_elsewhere_the_umask_decides(tmp_path: Path, umask: int) -> None:
    tmp_path.chmod(0o775)
    write_all(tmp_path / "store")
    assert bool(not_of_group(tmp_path / "store")) == (umask != 0o002)
    assert not (tmp_path / "store" / "catalog.sqlite").stat().st_mode & umask


def test_a_catalog_that_sqlite_made_is_corrected_by_its_owner(tmp_path: Path) -> None:
    tmp_path.chmod(0o2775)
    (tmp_path / "catalog.sqlite").touch(mode=0o644)
    Catalog.open(tmp_path / "catalog.sqlite").close()
    assert stat.S_IMODE((tmp_path / "catalog.sqlite").stat().st_mode) == 0o664


def run_as(user: int, root: Path) -> int:
    """Record a run as another user, a member of the group 61000 with the usual umask; return the exit code."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([61000])
            os.setgid(user)
            os.setuid(user)
            os.umask(0o022)
            with lock_store(root), Catalog.open(root / "catalog.sqlite") as catalog:
                catalog.begin_run("run", "host", 1, {})
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become two other users")
def test_a_second_member_can_run() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        os.chown(folder, 61001, 61000)
        folder.chmod(0o2775)
        for user in (61001, 61002, 61001):
            assert run_as(user, folder / "store") == 0
        assert not_of_group(folder / "store") == []
    finally:
        shutil.rmtree(folder)
