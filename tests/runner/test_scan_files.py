"""Raw files are scanned side by side: each keeps its place, its cells and its error, and progress is reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from kilocell.data.settings import ColumnMapping, SourceSettings
from kilocell.runner.plan import scan

SETTINGS = SourceSettings(
    columns=(
        ColumnMapping("test_time_second", "time", "s"),
        ColumnMapping("voltage_volt", "volt", "V"),
        ColumnMapping("current_ampere", "ampere", "A"),
    ),
    cell_id_from="stem",
)


def test_each_file_keeps_its_place_and_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "REPORT_SECOND", 0.0)
    paths = [tmp_path / f"cell_{number:02d}.csv" for number in range(20)]
    for number, path in enumerate(paths):
        path.write_text("time,volt,ampere\n" + "".join(f"{k},3.{k},0.{number}\n" for k in range(5)))
    paths[7].unlink()
    done: list[int] = []
    found = scan.scan_sources([(path, SETTINGS) for path in paths], tmp_path / "catalog.sqlite", report=done.append)
    assert [source.file.path for source in found] == [str(path) for path in paths]
    assert done == list(range(1, 21))
    assert found[7].problem
    assert found[7].cell_ids == ()
    others = [source for source in found if source is not found[7]]
    assert [source.cell_ids for source in others] == [(Path(source.file.path).stem,) for source in others]
    assert len({source.file.digest for source in others}) == 19


def test_a_long_file_gets_the_digest_of_a_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cell.csv"
    path.write_text("time,volt,ampere\n0,3.1,0.5\n1,3.2,0.5\n")
    short = scan.scan_sources([(path, SETTINGS)], tmp_path / "catalog.sqlite")
    monkeypatch.setattr(scan, "LONG_BYTES", 0)
    assert scan.scan_sources([(path, SETTINGS)], tmp_path / "catalog.sqlite") == short
