"""``kilocell report``: where it writes, what it prints, and what it says of a folder that is no store."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from filled_store import fill
from kilocell.data.errors import StoreError
from kilocell.data.left_out import collect_left_out
from kilocell.parquet_store.layout import Store
from kilocell.runner.cli import cli


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    fill(root, "B01", "B02")
    return root


def test_it_prints_path_size_and_how_to_open(root: Path) -> None:
    done = CliRunner().invoke(cli, ["report", "--store", str(root)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    path = root / "report.html"
    assert done.stdout.splitlines() == [
        str(path),
        f"{path.stat().st_size / 1e6:.1f} MB in one file",
        f"open it in a browser: {path.as_uri()}",
    ]


def test_another_file_quietly_and_a_damaged_one_named(root: Path, tmp_path: Path) -> None:
    damaged = Store(root).simulation("B01", "DFN-Chen2020")
    content = damaged.read_bytes()
    damaged.write_bytes(content[:100])
    try:
        out = tmp_path / "new folder" / "my.html"
        arguments = ["report", "--store", str(root), "--out", str(out), "--quiet", "--all"]
        with collect_left_out(lambda text: None) as left_out:
            done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    finally:
        damaged.write_bytes(content)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{out}\n"
    assert [message for message in left_out if "DFN-Chen2020 of B01" in message] == left_out != []  # exit code 1
    assert "everything, also what is not current" in out.read_text(encoding="utf-8")


def test_a_folder_that_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing was run in this store yet"):
        CliRunner().invoke(cli, ["report", "--store", str(tmp_path)], catch_exceptions=False)
