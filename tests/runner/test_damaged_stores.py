"""Commands and Python on folders that are no store, on other versions, and on missing or damaged files."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import kilocell
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filled_store import fill
from kilocell.data.errors import UsageError
from kilocell.parquet_store.layout import Store
from kilocell.runner import cli

COMMANDS = (
    "status", "results", "results --by window", "findings", "fits", "cycles A", "compare --cycle 1", "parameter-sets",
    "curves", "plot", "export --csv OUT/csv", "sql SELECT+1",
)  # fmt: skip
SERIES = (
    "results --select step+2", "cycles * --select step+2", "findings --select cycle+1", "curves --samples OUT/s.csv",
    "compare --plot OUT/d.png", "export --csv OUT/csv", "export --csv OUT/all.csv", "export --to-sqlite OUT/e.sqlite",
    pytest.param("curves --plot OUT/c.png", marks=pytest.mark.slow),
    pytest.param("plot --cell A --cell B", marks=pytest.mark.slow),
    pytest.param("plot", marks=pytest.mark.slow),
)  # fmt: skip
"""Commands that read files beside the catalog."""

READS_RECORDS = {"curves --plot", "compare", "plot", "export", "results", "cycles", "findings"}
"""Beginnings of commands that read cleaned records."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole") / "store"
    fill(root, "A", "B")
    return root


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "store"))


def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], root: Path, command: str
) -> tuple[int, str, str]:
    """Run a command as ``main`` does; OUT is a folder beside the store, + a space."""
    out = root.parent / "out"
    out.mkdir(exist_ok=True)
    arguments = [part.replace("OUT", str(out)).replace("+", " ") for part in command.split()]
    monkeypatch.setattr(sys, "argv", ["kilocell", *arguments, "--store", str(root)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def no_folder(root: Path) -> None:
    shutil.rmtree(root)


def empty(root: Path) -> None:
    shutil.rmtree(root)
    root.mkdir()


def other_files(root: Path) -> None:
    empty(root)
    (root / "data.csv").write_text("x")


def no_catalog(root: Path) -> None:
    Store(root).catalog.unlink()


def empty_catalog(root: Path) -> None:
    Store(root).catalog.write_bytes(b"")


def text(root: Path) -> None:
    Store(root).catalog.write_text("no database\n" * 100)


def truncated(root: Path) -> None:
    path = Store(root).catalog
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def folder(root: Path) -> None:
    no_catalog(root)
    Store(root).catalog.mkdir()


def other_program(root: Path) -> None:
    no_catalog(root)
    with closing(sqlite3.connect(Store(root).catalog)) as catalog:
        catalog.execute("CREATE TABLE other (x)")


def older(root: Path) -> None:
    _set_version(root, 3)


def newer(root: Path) -> None:
    _set_version(root, 99)


def _set_version(root: Path, version: int) -> None:
    with closing(sqlite3.connect(Store(root).catalog)) as catalog:
        catalog.execute(f"PRAGMA user_version = {version}")


NO_STORES: dict[Callable[[Path], None], str] = {
    no_folder: "there is no folder",
    empty: "is empty",
    other_files: "is not a store",
    no_catalog: "has no catalog.sqlite",
    empty_catalog: "is empty",
    text: "is not a SQLite file",
    truncated: "is damaged",
    folder: "is a folder, not a catalog",
    other_program: "not a kilocell catalog",
    older: "older version 3",
    newer: "has version 99",
}


@pytest.mark.parametrize("damage", NO_STORES, ids=lambda damage: damage.__name__)
def test_a_folder_that_is_no_store_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    whole: Path,
    damage: Callable[[Path], None],
) -> None:
    root = tmp_path / "store"
    root.mkdir()
    shutil.copy(Store(whole).catalog, root)
    (root / "receipts").mkdir()
    damage(root)
    for command in COMMANDS:
        code, out, err = call(monkeypatch, capsys, root, command)
        assert (code, out) == (2, ""), command
        assert NO_STORES[damage] in err, command
        assert str(root) in err
    with pytest.raises(UsageError, match=NO_STORES[damage]):
        kilocell.open_store(root)


def test_a_store_near_the_folder_is_offered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    for given in (root.parent, root / "cleaned"):
        code, _, err = call(monkeypatch, capsys, given, "status")
        assert code == 2
        assert f"but {root} is" in err
    code, _, err = call(monkeypatch, capsys, root.with_name("stor"), "status")
    assert 'did you mean "store"' in err


def gone(path: Path) -> None:
    path.unlink()


def junk(path: Path) -> None:
    path.write_bytes(b"junk")


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_columns(path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2]}), path)


FILE_DAMAGES = (
    half,
    pytest.param(gone, marks=pytest.mark.slow),
    pytest.param(junk, marks=pytest.mark.slow),
    pytest.param(other_columns, marks=pytest.mark.slow),
)


@pytest.mark.parametrize("command", SERIES)
@pytest.mark.parametrize("damage", FILE_DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_record_is_named_and_the_rest_shown(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    root: Path,
    command: str,
    damage: Callable[[Path], None],
) -> None:
    path = Store(root).cleaned("A")
    damage(path)
    code, out, err = call(monkeypatch, capsys, root, command)
    assert "Traceback" not in err
    skipped_when_gone = command in ("results --select step+2", "plot") and damage is gone
    if any(command.startswith(start) for start in READS_RECORDS) and not skipped_when_gone:
        assert code == 1, (out, err)
        assert "left out: " in err
        assert str(path) in err
    assert out


@pytest.mark.parametrize(
    "command",
    [
        "results --select step+2", "curves --samples OUT/s.csv", "export --to-sqlite OUT/e.sqlite",
        "compare --cell A --plot OUT/d.png",
        pytest.param("curves --plot OUT/c.png", marks=pytest.mark.slow),
        pytest.param("plot --cell A", marks=pytest.mark.slow),
    ],
)  # fmt: skip
@pytest.mark.parametrize("damage", FILE_DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_simulation_is_named_and_the_rest_shown(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    root: Path,
    command: str,
    damage: Callable[[Path], None],
) -> None:
    path = Store(root).simulation("A", "SPM-Chen2020")
    damage(path)
    code, out, err = call(monkeypatch, capsys, root, command)
    assert code == 1, (out, err)
    assert err.count("left out: ") == 1
    assert str(path) in err
    assert out


def test_receipts_that_cannot_be_read_do_not_stop_reading(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    (root / "receipts" / "clean" / "A").mkdir(parents=True, exist_ok=True)
    (root / "receipts" / "clean" / "A" / "clean.json").write_text("{garbage")
    for command in ("results", "status", "cycles A"):
        assert call(monkeypatch, capsys, root, command)[0] == 0


def test_a_file_that_cannot_be_written_is_named_without_its_temporary_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    blocked = root.parent / "blocked"
    blocked.write_text("a file, no folder")
    code, _, err = call(monkeypatch, capsys, root, f"cycles A --plot {blocked}/figure.png")
    assert code in (1, 2)
    assert ".tmp-" not in err
    assert "Traceback" not in err
