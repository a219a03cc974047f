"""``kilocell inspect``: how a file would be read, without a campaign."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.jobs.cleaning import clean as jobs
from kilocell.runner.inspect import raw_file as inspection
from kilocell.runner.inspect.raw_file import inspect_file, show_inspection


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def long_file(folder: Path, cells: int, sign: int = 1) -> Path:
    """Each cell discharges for 50 samples and charges for 50; the current's sign is ``sign`` when it charges."""
    lines = []
    for cell, second in itertools.product(range(cells), range(100)):
        charging = second >= 50
        volt = 3.2 + abs(second - 50) / 50 + (0.1 if charging else 0.0)
        lines.append(f"B{cell:03},{second * 60},{sign * (1000 if charging else -1000)},{volt:.3f},x")
    return write(folder / "long.csv", "cell_id,test_time_s,current_mA,voltage_V,remark", *lines)


def shown(capsys: pytest.CaptureFixture[str], *paths: Path, cell: str | None = None) -> tuple[int, str]:
    code = show_inspection([str(path) for path in paths], cell, json_=False)
    return code, capsys.readouterr().out


def test_layout_columns_cells_sign_and_findings_of_a_real_file(shared_data: Path) -> None:
    path = shared_data / "takehome_like/raw_cycling_data.csv"
    found = inspect_file(path, "CELL_D")
    raw = pd.read_csv(path)
    assert (found["reader"], found["encoding"], found["delimiter"], found["header_line"]) == ("csv", "UTF-8", ",", 1)
    assert found["cell_id_from"] == "column:cell_id"
    assert {entry["column"]: (entry["target"], entry["unit"]) for entry in found["columns"]} == {
        "datetime": (c.UNIX_TIME, "ISO8601"), "test_time_s": (c.TEST_TIME, "s"), "cycle": (c.CYCLE_ID, ""),
        "step": (c.STEP_ID, ""), "current_A": (c.CURRENT, "A"), "voltage_V": (c.VOLTAGE, "V"),
        "temperature_C": (c.SURFACE_TEMPERATURE, "C"),
    }  # fmt: skip
    assert found["unused"] == []
    counts = raw["cell_id"].value_counts(sort=False).to_dict()
    assert {cell["cell_id"]: cell["rows"] for cell in found["cells"]} == counts
    first = raw[raw["cell_id"] == "CELL_A"]["test_time_s"]
    assert (found["cells"][0]["first_second"], found["cells"][0]["last_second"]) == (first.min(), first.max())
    cleaned = found["cleaned"]
    assert cleaned["cell_id"] == "CELL_D"
    assert cleaned["rows_in"] == counts["CELL_D"] == cleaned["rows_kept"] + cleaned["rows_quarantined"]
    assert {"duplicate_row", "voltage_missing"} <= {finding["rule"] for finding in cleaned["findings"]}
    sign = cleaned["current_sign"]
    assert not sign["turned"]
    assert sign["voltage_charge_positive"] > 4 * sign["voltage_discharge_positive"]


def test_the_text_names_what_a_user_has_to_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = shown(capsys, long_file(tmp_path, 25))
    assert code == 0
    assert "layout   UTF-8, commas, decimal point, header in line 1, data from line 2" in out
    line = next(line for line in out.splitlines() if line.startswith("current_mA"))
    assert line.split() == ["current_mA", "current_ampere", "mA", "name"]
    assert "not used: remark" in out
    assert "2500 rows of 25 cells; id from column:cell_id" in out
    assert "B019" in out
    assert "B020" not in out
    assert "and 5 more" in out
    assert "cleaning B000: 100 rows, 100 kept, 0 quarantined; 1 cycle, 2 steps" in out
    assert "not cleaned here: 24 other cells; --cell" in out
    assert "current  positive for charge" in out


def test_a_record_too_long_to_clean_at_once_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "MOST_ROWS", 80)
    _, out = shown(capsys, long_file(tmp_path, 2), cell="B001")
    assert "cleaning B001: 80 rows" in out
    assert "only its first rows are cleaned here; it has 100" in out
    assert "not cleaned here: 1 other cell; --cell" in out


def test_a_finding_keeps_its_own_severity(shared_data: Path) -> None:
    """A rule that only leaves what it saw reports it as information, whatever the rule's usual severity is."""
    found = inspect_file(shared_data / "neware_melasta/star-2/raw_data_output_from_cycler.csv")
    (pause,) = [finding for finding in found["cleaned"]["findings"] if finding["rule"] == "wall_clock"]
    assert (pause["action"], pause["severity"]) == ("left", "info")


def test_a_reversed_current_is_told_with_its_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = long_file(tmp_path, 1, sign=-1)
    sign = inspect_file(path)["cleaned"]["current_sign"]
    assert sign["turned"]
    assert sign["voltage_charge_positive"] == 0
    assert sign["voltage_discharge_positive"] >= 2
    _, out = shown(capsys, path)
    assert (
        "positive for discharge or without a sign; inverted (votes for charge positive and discharge positive: "
        "voltage against current 0 and" in out
    )


def test_how_each_column_was_taken(tmp_path: Path) -> None:
    lines = ("Test Time (s);DateTime;Current;Voltage;Temp", "s;;mA;;", *(
        f"{row};2020-01-01 00:00:0{row};1,5;3,7;25" for row in range(9)
    ))  # fmt: skip
    found = inspect_file(write(tmp_path / "cell.csv", *lines))
    assert found["decimal"] == ","
    taken = {entry["column"]: (entry["unit"], entry["taken"]) for entry in found["columns"]}
    assert taken["Test Time (s)"] == ("s", "name")
    assert taken["DateTime"] == ("ISO8601", "name and values")
    assert taken["Voltage"] == ("volt", "name, unit assumed")


def test_a_row_of_units_is_named(tmp_path: Path) -> None:
    lines = ("preamble", "Time,Current,Voltage", "s,mA,mV", *(f"{row},1500,3700" for row in range(9)))
    found = inspect_file(write(tmp_path / "cell.csv", *lines))
    assert (found["unit_row"], found["header_line"], found["data_line"]) == (True, 2, 4)
    assert {entry["taken"] for entry in found["columns"]} == {"name and unit row"}


def test_json_has_all_and_a_bad_file_stops_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = long_file(tmp_path, 25)
    bad = write(tmp_path / "bad.csv", "price,year", "5,2020")
    assert show_inspection([str(tmp_path)], None, json_=True) == 1
    one, two = json.loads(capsys.readouterr().out)
    assert one["file"] == str(bad)
    assert "no column such as voltage_V" in one["error"]
    assert two["file"] == str(good)
    assert len(two["cells"]) == two["cell_count"] == 25
    code, out = shown(capsys, bad)
    assert code == 1
    assert f"{bad}\n  cannot be read: no column such as voltage_V" in out


def test_a_cell_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = shown(capsys, long_file(tmp_path, 3), cell="B00")
    assert code == 1
    assert 'has no cell "B00" (did you mean "B00' in out


def test_a_record_that_cannot_be_cleaned_is_still_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "cell.csv", "time/s,I/mA,Ecell/V", "0,,3.7", "1,,3.7", "2,,3.7")
    code, out = shown(capsys, path)
    assert code == 0
    assert "3 rows of 1 cell; id from the file's name" in out
    assert "cleaning fails: cell 'cell': no row has a current_ampere" in out


def test_of_a_long_record_only_the_first_rows_are_cleaned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "MOST_ROWS", 60)
    path = long_file(tmp_path, 2)
    cleaned: list[int] = []

    def clean(raw: pd.DataFrame, *rest: Any) -> Any:
        cleaned.append(len(raw))
        return whole(raw, *rest)

    whole = jobs.clean
    monkeypatch.setattr(inspection, "clean", clean)
    found = inspect_file(path)
    assert cleaned == [60]
    assert found["rows"] == 200


def test_it_needs_neither_pybamm_nor_dask() -> None:
    heavy = "{'pybamm', 'dask', 'distributed'}"
    code = f"import sys, kilocell.runner.inspect.raw_file; sys.exit(' '.join({heavy} & set(sys.modules)) or 0)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_command(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "kilocell.runner",
        "inspect",
        str(long_file(tmp_path, 2)),
        "--cell",
        "B001",
        "--json",
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    (found,) = json.loads(done.stdout)
    assert found["cleaned"]["cell_id"] == "B001"
    assert not list(tmp_path.glob("store*"))


def test_clocks_counters_and_what_is_uncertain_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ("Test Time;Current;Voltage", *(f"{60 * row};1,5;3,{700 + row}" for row in range(9)))
    found = inspect_file(write(tmp_path / "cell.csv", *lines))
    assert found["clocks"] == [{"column": "Test Time", "target": c.TEST_TIME}]
    assert found["counters"] == []
    assert "the unit of Current is assumed: ampere" in found["uncertain"]
    assert "no charge counter: charge is known from the sampled current alone" in found["uncertain"]
    _, out = shown(capsys, tmp_path / "cell.csv")
    assert "clocks   Test Time (test_time_second)" in out
    assert "counters none" in out
    assert "check    the unit of Test Time is assumed: second" in out


def test_files_of_one_cell_are_listed_in_the_order_in_which_they_join(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in range(11):
        rows = range(40 * part, 40 * part + 40)
        lines = [
            f"{60 * row},{-0.5 if row % 80 < 40 else 0.5},{3.7 - 0.005 * min(row % 80, 80 - row % 80)}" for row in rows
        ]
        write(tmp_path / f"Z3_{part + 1}.csv", "time_s,current_A,voltage_V", *lines)
    code = show_inspection([str(tmp_path)], None, json_=False)
    out = capsys.readouterr().out
    assert code == 0
    assert "Z3: 11 files of 1 cell (Z3): the names differ in a number at the end, and the test time goes on" in out
    assert "order  Z3_1.csv, Z3_2.csv, Z3_3.csv" in out
    assert "Z3_9.csv, Z3_10.csv, Z3_11.csv" in out
    show_inspection([str(tmp_path)], None, json_=True)
    first = json.loads(capsys.readouterr().out)[0]
    assert first["joined"][0]["cell_id"] == "Z3"


def test_the_capacity_is_that_of_the_cleaned_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The magnitude of a current with a letter for its direction adds up to nonsense before cleaning."""
    header = "Rec#\tCyc#\tStep\tTest (Sec)\tAmps\tVolts\tState"
    rows = []
    for row in range(480):
        state = "D" if row // 120 % 2 == 0 else "C"
        level = row % 120 if state == "D" else 120 - row % 120
        volt = 4.1 - 0.008 * level + (0.05 if state == "C" else -0.05)
        rows.append(f"{row}\t{row // 240}\t{row // 120}\t{60.0 * row}\t0.8\t{volt:.4f}\t{state}")
    path = write(tmp_path / "m.txt", header, *rows)
    assert inspect_file(path)["cleaned"]["capacity_guess_ah"] == pytest.approx(1.6, rel=0.02)
    _, out = shown(capsys, path)
    assert "(a guess, from 4 half cycles)" in out


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = long_file(tmp_path, 2)
    text = path.read_text(encoding="utf-8").replace("B000", "\x1b[2JB\x9b0")
    path = write(tmp_path / "na\nme\x1b[31m.csv", *text.splitlines())
    _, out = shown(capsys, path)
    assert "\x1b" not in out
    assert "\x9b" not in out
    assert "na\\nme\\x1b[31m.csv" in out
