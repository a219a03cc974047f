"""Cyclers' own files and workbooks through the libraries of the extra ``cyclers``.

No real file of these kinds is at hand, so that each is written here: workbooks by openpyxl, with the sheets and
headings of Arbin's, Neware's and Landt's exports; the .ndax record by record, in the layout of its second version.
"""

from __future__ import annotations

import datetime
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kilocell.data import columns as c
from kilocell.data.errors import ReadError
from kilocell.data.readers.read import cell_ids, guess_settings, read_by_cell, read_raw
from kilocell.data.settings import ColumnMapping, SourceSettings

START = datetime.datetime(2021, 2, 25, 13, 41, 24)
ROWS = 30
Sheets = dict[str, Sequence[Sequence[Any]]]
NDC_2 = np.dtype(
    [
        *(("a", "V8"), ("index", "<u4"), ("cycle", "<u4"), ("step", "u1"), ("type", "u1"), ("b", "V5")),
        *(("time", "<u8"), ("voltage", "<i4"), ("current", "<i4"), ("c", "V4"), ("charge", "<i8")),
        *(("discharge", "<i8"), ("energy_in", "<i8"), ("energy_out", "<i8"), ("year", "<u2"), ("month", "u1")),
        *(("day", "u1"), ("hour", "u1"), ("minute", "u1"), ("second", "u1"), ("range", "<i4"), ("d", "V8")),
    ]
)


def write_book(path: Path, sheets: Sheets) -> Path:
    openpyxl = pytest.importorskip("openpyxl", reason="the extra 'test' is not installed")
    pytest.importorskip("python_calamine", reason="the extra 'cyclers' is not installed")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def moment(row: int) -> datetime.datetime:
    return START + datetime.timedelta(seconds=10 * row)


def check(frame: Any, rows: int = ROWS) -> None:
    """Rows 10 s apart: step 1 rests, step 2 from row 10 on discharges with 1.5 A, 3.7 V falling by 1 mV a row."""
    row = np.arange(rows)
    np.testing.assert_allclose(frame[c.TEST_TIME], 10.0 * row)
    np.testing.assert_allclose(frame[c.UNIX_TIME], START.replace(tzinfo=datetime.UTC).timestamp() + 10.0 * row)
    np.testing.assert_array_equal(frame[c.STEP_ID], np.where(row < 10, 1, 2))
    np.testing.assert_array_equal(frame[c.CYCLE_ID], 1)
    np.testing.assert_allclose(frame[c.CURRENT], np.where(row < 10, 0.0, -1.5))
    np.testing.assert_allclose(frame[c.VOLTAGE], 3.7 - row / 1000, rtol=1e-6)
    assert (frame[c.UNREADABLE] == "").all()
    assert frame[c.SOURCE_ROW].tolist() == row.tolist()


def arbin_rows(rows: range, shift: float = 0.0) -> list[list[Any]]:
    header = ["Data_Point", "Test_Time(s)", "Date_Time", "Step_Time(s)", "Step_Index", "Cycle_Index", "Current(A)"]
    header += ["Voltage(V)", "Charge_Capacity(Ah)", "Discharge_Capacity(Ah)", "Aux_Temperature_1(C)"]
    return [header] + [
        [
            row + 1,
            10.0 * row,
            moment(row),
            10.0 * (row % 10),
            1 if row < 10 else 2,
            1,
            0.0 if row < 10 else -1.5,
            3.7 - row / 1000 + shift,
            0.0,
            0.01 * row,
            25.0 + row / 10,
        ]
        for row in rows
    ]


def test_arbins_workbook_goes_on_in_a_second_sheet(tmp_path: Path) -> None:
    info: list[list[Any]] = [["TEST REPORT"], ["Test Name", "A123"], ["Channel", 5]]
    statistics: list[list[Any]] = [
        ["Data_Point", "Date_Time", "Cycle_Index", "Test_Time(s)", "Charge_Capacity(Ah)"],
        [9, START, 1, 90.0, 0],
    ]
    sheets: Sheets = {
        "Global_Info": info,
        "Channel_1-005_1": arbin_rows(range(20)),
        "Channel_1-005_2": arbin_rows(range(20, ROWS)),
        "Statistics_1-005": statistics,
    }
    path = write_book(tmp_path / "cell.xlsx", sheets)
    settings = guess_settings(path)
    assert (settings.reader, settings.cell_id_from) == ("xlsx", "stem")
    units = {mapping.target: (mapping.column, mapping.unit) for mapping in settings.columns}
    assert units[c.CURRENT] == ("Current(A)", "A")
    assert units[c.SURFACE_TEMPERATURE] == ("Aux_Temperature_1(C)", "C")
    frame = read_raw(path, settings)
    check(frame)
    np.testing.assert_allclose(frame[c.DISCHARGING_CAPACITY], 0.01 * np.arange(ROWS))


def test_arbins_workbook_of_two_channels_is_two_cells(tmp_path: Path) -> None:
    sheets: Sheets = {"Channel_1-005": arbin_rows(range(ROWS)), "Channel_1-006": arbin_rows(range(ROWS), 0.1)}
    path = write_book(tmp_path / "tray.xlsx", sheets)
    settings = guess_settings(path)
    assert settings.cell_id_from == "column:Channel"
    assert cell_ids(path, settings) == ("1-005", "1-006")
    parts = dict(read_by_cell(path, settings))
    check(parts["1-005"])
    np.testing.assert_allclose(parts["1-006"][c.VOLTAGE], 3.8 - np.arange(ROWS) / 1000)
    assert parts["1-006"][c.SOURCE_ROW].tolist() == list(range(ROWS, 2 * ROWS))
    np.testing.assert_array_equal(read_raw(path, settings, "1-006")[c.VOLTAGE], parts["1-006"][c.VOLTAGE])


def test_newares_workbook_is_read_from_its_sheet_of_records(tmp_path: Path) -> None:
    header = ["DataPoint", "Cycle Index", "Step Index", "Step Type", "Time", "Total Time", "Current(mA)", "Voltage(V)"]
    records = [
        [
            row + 1,
            1,
            1 if row < 10 else 2,
            "Rest" if row < 10 else "CC DChg",
            datetime.timedelta(seconds=10 * (row % 10)),
            datetime.timedelta(seconds=10 * row),
            0.0 if row < 10 else -1500.0,
            3.7 - row / 1000,
            moment(row),
        ]
        for row in range(ROWS)
    ]
    steps: list[list[Any]] = [
        ["Cycle Index", "Step Index", "Step Number", "Step Type", "Step Time", "Capacity(Ah)"],
        [1, 1, 1, "Rest", 1, 0],
    ]
    sheets: Sheets = {
        "unit": [["Start Time", START], ["Unit", 5]],
        "cycle": [["Cycle Index", "Chg. Cap.(Ah)", "DChg. Cap.(Ah)"], [1, 0.0, 0.01]],
        "step": steps,
        "record": [[*header, "Date"], *records],
        "log": [["Log", "Date"], ["started", START]],
    }
    path = write_book(tmp_path / "cell.xlsx", sheets)
    frame = read_raw(path, guess_settings(path))
    check(frame)
    assert frame[c.STATE].unique().tolist() == ["Rest", "CC DChg"]


def test_landts_workbook_with_dashes_for_what_is_missing(tmp_path: Path) -> None:
    header = [
        "Record",
        "TestTime/Sec",
        "Current/mA",
        "Voltage/V",
        "AuxTemp/dC.",
        "SysTime",
        "Cycle-Index",
        "Step-Index",
    ]
    records = [
        [row + 1, 10 * row, 0 if row < 10 else -1500, 3.7 - row / 1000, "-", moment(row), 1, 1 if row < 10 else 2]
        for row in range(ROWS)
    ]
    sheets: Sheets = {
        "Cycle-Tab": [["Cycle", "CapC/mAh", "CapD/mAh", "EndVoltD/V"], [1, 0.0, 10.0, 3.6]],
        "Record-Tab": [[*header, "Step-State"], *[[*row, "R"] for row in records]],
    }
    path = write_book(tmp_path / "cell.xlsx", sheets)
    check(read_raw(path, guess_settings(path)))


def test_a_workbook_by_mapping_with_a_preamble_and_units(tmp_path: Path) -> None:
    rows = [[row, -1500.0, 3700 + row] for row in range(ROWS)]
    sheets: Sheets = {"Blatt 1": [["Prüfstand 7"], [], ["Time", "Current", "Voltage"], ["[s]", "[mA]", "[mV]"], *rows]}
    path = write_book(tmp_path / "cell.xlsx", sheets)
    settings = guess_settings(path)
    assert [mapping.unit for mapping in settings.columns] == ["s", "mA", "mV"]
    frame = read_raw(path, settings)
    np.testing.assert_allclose(frame[c.VOLTAGE], 3.7 + np.arange(ROWS) / 1000)
    assert frame[c.CURRENT].unique().tolist() == [-1.5]
    asked = tuple(ColumnMapping(m.target, m.column, m.unit) for m in settings.columns[:2])
    with pytest.raises(ReadError, match=r"no column 'U' for voltage_volt; the table has 'Time', 'Current', 'Voltage'"):
        read_raw(path, SourceSettings("xlsx", (*asked, ColumnMapping(c.VOLTAGE, "U"))))


def test_a_workbook_without_a_record(tmp_path: Path) -> None:
    path = write_book(tmp_path / "prices.xlsx", {"2021": [["cell", "price"], ["A", 5.0]]})
    with pytest.raises(
        ReadError, match=r"prices\.xlsx: none of its sheets \('2021'\) has a header with voltage, current"
    ):
        guess_settings(path)


def write_ndax(path: Path, damage: bool = False) -> Path:
    """Write 30 records of 94 bytes, five to each block of 512, after a first block that says type 1, version 2."""
    row = np.arange(ROWS)
    records = np.zeros(ROWS, NDC_2)
    records["index"], records["cycle"] = row + 1, 0
    records["step"], records["type"] = np.where(row < 10, 1, 2), np.where(row < 10, 4, 2)
    records["time"] = 1000 * 10 * np.where(row < 10, row, row - 9)
    records["voltage"] = np.rint(1e4 * (3.7 - row / 1000))
    records["current"], records["range"] = np.where(row < 10, 0, -150_000), 100  # in 0.01 mA
    stamps = [moment(int(number)) for number in row]
    for name in ("year", "month", "day", "hour", "minute", "second"):
        records[name] = [getattr(stamp, name) for stamp in stamps]
    blocks = [b"\0" * 5 + records[at : at + 5].tobytes() for at in range(0, ROWS, 5)]
    content = bytes([1, 0, 2]).ljust(512, b"\0") + b"".join(block.ljust(512, b"\0") for block in blocks)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.ndc", bytes([1, 0, 99]) if damage else content)
    return path


def test_newares_own_file(tmp_path: Path) -> None:
    pytest.importorskip("fastnda", reason="the extra 'cyclers' is not installed")
    path = write_ndax(tmp_path / "cell.ndax")
    settings = guess_settings(path)
    assert (settings.reader, settings.cell_id_from, settings.current_sign) == ("neware", "stem", "charge_positive")
    frame = read_raw(path, settings)
    check(frame)
    assert frame[c.STATE].tolist() == ["Rest"] * 10 + ["CC_DChg"] * 20
    assert cell_ids(path, settings) == ("cell",)
    ((cell, part),) = read_by_cell(path, SourceSettings("neware"))  # the reader knows its columns
    assert cell == "cell"
    check(part)


def test_a_damaged_file_of_newares_says_so(tmp_path: Path) -> None:
    pytest.importorskip("fastnda", reason="the extra 'cyclers' is not installed")
    path = write_ndax(tmp_path / "cell.ndax", damage=True)
    with pytest.raises(
        ReadError, match=r"cell\.ndax: cannot be read as a Neware file \(.*\); export it as text or CSV"
    ):
        guess_settings(path)


def test_without_the_extra_the_message_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastnda", None)
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(ReadError, match=r"cell\.ndax: .* pip install 'kilocell\[cyclers\]'"):
        guess_settings(write_ndax(tmp_path / "cell.ndax"))
    path = tmp_path / "cell.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "")
    for read in (guess_settings, lambda path: read_raw(path, SourceSettings("xlsx"))):
        with pytest.raises(ReadError, match=r"cell\.xlsx: .* pip install 'kilocell\[cyclers\]'"):
            read(path)
