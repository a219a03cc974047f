"""``kilocell findings``: each cell's balance of rows and charge, findings or their sums, and names that are wrong."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from filled_store import SAMPLES, fill
from kilocell.data.errors import UsageError
from kilocell.report.filters import Filters
from kilocell.runner.show.answer import Output
from kilocell.runner.show.findings import MANY_NAMED, MANY_ROWS, show_findings
from kilocell.sqlite import finding_queries, queries


def test_each_cell_has_a_line_with_before_and_after_and_its_findings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, "A", "B")
    show_findings(tmp_path, Filters(), ())
    lines = capsys.readouterr().out.splitlines()
    line = next(line for line in lines if line.startswith("A ") and "→" in line)
    assert line.split()[1:4] == [str(SAMPLES + 7), str(SAMPLES), "7"]
    assert "9.9 → 9.8" in line
    assert "10.1 → 10.1" not in line
    assert "1 → 2" in line  # hours
    assert "3 → 2" in line  # cycles
    assert sum("voltage_missing" in line for line in lines) == 4
    assert "36.6 → 36.5" in line  # W.h
    assert sum(line.startswith(("A ", "B ")) and "duplicate_row" in line for line in lines) == 2
    assert (
        f"quarantined  duplicate_row 14; the raw rows are in {tmp_path / 'quarantine'}, one file per cell that has any"
        in lines
    )


def test_one_cell_is_shown_before_and_after_with_its_quarantine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, "A", "B")
    show_findings(tmp_path, Filters(cells=("B",)), ())
    lines = capsys.readouterr().out.splitlines()
    words = {line[:10].strip(): line[10:].split() for line in lines}
    assert words["rows"] == [str(SAMPLES + 7), str(SAMPLES), "-7"]
    assert words["charge in"] == ["A.h", "9.9", "9.8", "-1.01", "%"]
    assert words["charge out"] == ["A.h", "10.1", "10.1"]
    assert words["energy in"] == ["W.h", "36.6", "36.5", "-0.27", "%"]
    assert words["time span"] == ["h", "1", "2", "+100.00", "%"]
    assert words["cycles"] == ["3", "2", "-1"]
    assert f"quarantined  duplicate_row 7; the raw rows are in {tmp_path / 'quarantine' / 'B.parquet'}" in lines
    assert "charge, A.h  current_missing -0.1 in" in lines


def test_what_an_earlier_version_did_not_count_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, "A")
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as catalog, catalog:
        catalog.execute("UPDATE clean_reports SET energy_in_before_wh = NULL, energy_in_after_wh = NULL")
        for table in ("quarantine_counts", "flag_counts", "charge_changes", "record_sources"):
            catalog.execute(f"DELETE FROM {table}")
    show_findings(tmp_path, Filters(), ())
    out = capsys.readouterr().out
    assert "quarantined  not counted by rule 7" in out
    assert "energy; `kilocell run` cleans" in out


def test_where_no_row_was_taken_out_no_change_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, "A")
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as catalog, catalog:
        catalog.execute("UPDATE clean_reports SET rows_kept = rows_in, rows_quarantined = 0")
    show_findings(tmp_path, Filters(cells=("A",)), ())
    (rows,) = (line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("rows"))
    assert len(rows) == 3
    assert rows[1] == rows[2]


def test_findings_of_several_files_name_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, "A")
    show_findings(tmp_path, Filters(), ())
    assert "  file  " not in capsys.readouterr().out
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as catalog, catalog:
        catalog.execute("INSERT INTO record_sources VALUES ('A', 1, 'raw/A_2.csv', 'cd')")
        catalog.execute("UPDATE findings SET source_index = 1 WHERE position = 2")
    show_findings(tmp_path, Filters(), ())
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("A  ")]
    assert [line.split()[6] for line in lines if "missing" in line or "duplicate" in line][-3:] == [
        "A.csv", "A.csv", "A_2.csv",
    ]  # fmt: skip


def test_json_has_every_number_and_the_balance_of_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, "A", "B", findings=MANY_ROWS)
    show_findings(tmp_path, Filters(cells=("B",)), ("duplicate_row",), output=Output(json_=True))
    whole = json.loads(capsys.readouterr().out)
    (report,) = whole["reports"]
    assert report["cell_id"] == "B"
    assert report["rows_in"] == report["rows_kept"] + report["rows_quarantined"]
    assert report["charge_in_before_ah"] == 9.9
    assert report["energy_out_after_wh"] == 37.2
    assert report["quarantined"] == [
        {"rule": "duplicate_row", "rows": report["rows_quarantined"], "source_index": 0, "path": "raw/B.csv"}
    ]
    assert report["quarantine_path"] == "quarantine/B.parquet"
    assert report["sources"] == ["raw/B.csv"]
    assert [tuple(row.values()) for row in report["rules"]] == [
        ("duplicate_row", "warning", MANY_ROWS // 2, 0, 7), ("voltage_missing", "warning", MANY_ROWS // 2, 6, 0),
    ]  # fmt: skip
    assert len(whole["findings"]) == MANY_ROWS // 2
    assert whole["findings"][1] == {
        "cell_id": "B", "rule": "duplicate_row", "severity": "warning", "rows": 2, "cycle_count": 1, "step_count": 3,
        "source_index": 0, "source_row": 30, "before": "before", "after": "after", "action": "done",
    }  # fmt: skip


def test_many_findings_are_summed_up_by_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, "A", "B", findings=MANY_ROWS - 1)
    show_findings(tmp_path, Filters(), ())
    out = capsys.readouterr().out
    assert f"{2 * (MANY_ROWS - 1)} findings" in out
    line = next(line for line in out.splitlines() if line.startswith("voltage_missing"))
    assert line.split()[1:6] == ["warning", "60", "12", "0", "2"]
    show_findings(tmp_path, Filters(cells=("A",)), ())
    assert "59 findings" not in capsys.readouterr().out


def test_naming_a_cell_shows_each_of_its_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, "A", "B", findings=2 * MANY_ROWS)
    show_findings(tmp_path, Filters(cells=("A",)), ())
    assert sum(line.startswith("A  ") for line in capsys.readouterr().out.splitlines()) >= 2 * MANY_ROWS
    fill(tmp_path / "long", "A", findings=MANY_NAMED + 1)
    show_findings(tmp_path / "long", Filters(cells=("A",)), ())
    assert f"{MANY_NAMED + 1} findings; to see each one" in capsys.readouterr().out


def test_the_worst_severity_of_a_rule_is_named(tmp_path: Path) -> None:
    fill(tmp_path, "A", "B", findings=4)
    path = tmp_path / "catalog.sqlite"
    with closing(sqlite3.connect(path)) as catalog, catalog:
        for cell, position, severity in (("A", 0, "info"), ("A", 1, "error"), ("B", 0, "warning"), ("B", 1, "info")):
            change = "UPDATE findings SET rule = 'voltage_missing', severity = ? WHERE cell_id = ? AND position = ?"
            catalog.execute(change, (severity, cell, position))
    with closing(queries.connect(path)) as reader:
        (of_all,) = [row for row in finding_queries.rules_found(reader) if row["rule"] == "voltage_missing"]
        (of_b,) = [row for row in finding_queries.rules_found(reader, ["B"]) if row["rule"] == "voltage_missing"]
    assert tuple(of_all)[1:] == ("error", len(findings_of_voltage(path)), 12, 0, 2)
    assert of_b["severity"] == "warning"
    with closing(sqlite3.connect(path)) as catalog, catalog:
        catalog.execute("DELETE FROM flag_counts WHERE cell_id = 'A'")
    with closing(queries.connect(path)) as reader:
        assert {row["rule"]: row["samples_flagged"] for row in finding_queries.rules_found(reader)}[
            "voltage_missing"
        ] is None


def findings_of_voltage(path: Path) -> list[sqlite3.Row]:
    with closing(queries.connect(path)) as reader:
        return queries.findings(reader, rule="voltage_missing")


def test_a_cell_that_is_not_cleaned_is_said_to_be_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, "A", not_cleaned="bad")
    show_findings(tmp_path, Filters(), ())
    assert "not cleaned: bad" in capsys.readouterr().out
    show_findings(tmp_path, Filters(cells=("bad",)), ())
    out = capsys.readouterr().out
    assert "not cleaned: bad; kilocell status" in out
    assert "no findings" in out


@pytest.mark.parametrize(
    ("cells", "rules", "words"),
    [
        (("CELL_1",), (), r'no cell "CELL_1" \(did you mean "cell_1"'),
        (("zzz",), (), r'no cell "zzz" \(there are: cell_1'),
        ((), ("time_ordr",), r'no cleaning rule "time_ordr" \(did you mean "time_order"'),
    ],
)
def test_wrong_names_are_refused_with_the_nearest(
    tmp_path: Path, cells: tuple[str, ...], rules: tuple[str, ...], words: str
) -> None:
    fill(tmp_path, "cell_1")
    with pytest.raises(UsageError, match=words):
        show_findings(tmp_path, Filters(cells=cells), rules)


def test_a_rule_that_found_nothing_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, "A")
    show_findings(tmp_path, Filters(), ("time_gap",))
    assert "no findings" in capsys.readouterr().out


def test_findings_are_shown_without_heavy_libraries_and_nothing_is_written(tmp_path: Path) -> None:
    fill(tmp_path, "A")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    code = (
        "import sys; from pathlib import Path; from kilocell.runner.show.findings import show_findings as show;"
        "from kilocell.report.filters import Filters;"
        f"show(Path({str(tmp_path)!r}), Filters(), ());"
        "sys.exit(' '.join({'pybamm', 'dask', 'distributed', 'pandas', 'pyarrow', 'numpy'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
