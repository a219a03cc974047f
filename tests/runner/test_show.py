"""What commands print about a store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from filled_store import fill
from kilocell.runner.show.failures import show_failures
from kilocell.runner.show.status import show_status


def test_a_failures_log_can_be_opened_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "store", "A")
    with closing(sqlite3.connect(tmp_path / "store" / "catalog.sqlite")) as catalog, catalog:
        catalog.execute(
            "UPDATE jobs SET status = 'failed', reason = 'it is bad', log = 'logs/a.log' WHERE kind = 'clean'"
        )
    monkeypatch.chdir(tmp_path)
    show_status(Path("store"), False)
    said = capsys.readouterr().out
    assert "A: cleaning failed: it is bad" in said
    assert "each with its log: kilocell failures --each;" in said
    show_failures(Path("store"), (), (), each=True, json_=False, csv_path=None)
    assert "log: store/logs/a.log" in capsys.readouterr().out
