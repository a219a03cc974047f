"""Layouts of text tables: what delimits, unit rows, long preambles, packing, and headers of cyclers not at hand.

The cyclers' layouts are written from what their exports are known to look like; real ones are in test_real_formats.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kilocell.data import columns as c
from kilocell.data.errors import ReadError
from kilocell.data.readers import csv_reader, text_blocks
from kilocell.data.readers.read import cell_ids, guess_settings, read_by_cell, read_raw
from kilocell.data.settings import ColumnMapping, SourceSettings
from pairwise import pairwise

ROWS = 12


def write(folder: Path, lines: list[str], name: str = "raw.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    content = "".join(f"{line}\n" for line in lines).encode(encoding)
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def body(delimiter: str = ",", decimal: str = ".") -> list[str]:
    """Rows of time in s, current in mA and voltage in mV: 0 to 11 s, -1500.5 mA, 3700.25 mV and up."""
    rows = [(str(second), "-1500.5", f"{3700 + second}.25") for second in range(ROWS)]
    return [delimiter.join(value.replace(".", decimal) for value in row) for row in rows]


def check(path: Path) -> None:
    frame = read_raw(path, guess_settings(path))
    np.testing.assert_array_equal(frame[c.TEST_TIME], np.arange(ROWS))
    np.testing.assert_allclose(frame[c.CURRENT], -1.5005)
    np.testing.assert_allclose(frame[c.VOLTAGE], 3.70025 + np.arange(ROWS) / 1000)
    assert (frame[c.UNREADABLE] == "").all()
    assert frame[c.SOURCE_ROW].tolist() == list(range(ROWS))


@pytest.mark.parametrize(
    ("delimiter", "decimal", "encoding", "name"),
    pairwise(
        [",", ";", "\t", "|", "   ", "  "],
        [".", ","],
        ["utf-8", "utf-8-sig", "utf-16", "latin-1"],
        ["raw.csv", "raw.csv.gz"],
        allowed=lambda delimiter, decimal, *_: delimiter != "," or decimal == ".",
    ),
)
def test_delimiters_decimal_signs_encodings_and_packing(
    tmp_path: Path, delimiter: str, decimal: str, encoding: str, name: str
) -> None:
    header = delimiter.join(["Test Time (s)", "Current (mA)", "Voltage (mV)"])
    check(write(tmp_path, ["Prüfstand 7", header, *body(delimiter, decimal)], name, encoding))


def test_columns_of_one_width_stand_apart_by_spaces(tmp_path: Path) -> None:
    rows = [f"{second:>8} {-1500.5:>12} {3700.25 + second:>12}" for second in range(ROWS)]
    check(write(tmp_path, [f"{'time/s':>8} {'I/mA':>12} {'Ecell/mV':>12}", *rows]))


def test_prose_is_no_header_of_a_table_with_spaces(tmp_path: Path) -> None:
    prose = "the current voltage time cycle step temperature state of charge is given below"
    check(write(tmp_path, [prose, prose, "time/s,I/mA,Ecell/mV", *body()]))


@pytest.mark.parametrize(
    ("names", "units"),
    [
        ("Time,Current,Voltage", "(s),(mA),(mV)"),
        ("Time,Current,Voltage", "s,mA,mV"),
        ("Test Time,I,U", "[s],[mA],[mV]"),
        ("time/s,Current,Voltage", "s,mA,mV"),  # in both places
        ("Time,Current,Voltage", ",mA,mV"),  # seconds without saying so
    ],
)
def test_a_row_of_units_beneath_the_names(tmp_path: Path, names: str, units: str) -> None:
    path = write(tmp_path, ["made by hand", names, units, *body()])
    check(path)
    told = {mapping.target: (mapping.column, mapping.unit) for mapping in guess_settings(path).columns}
    assert told[c.CURRENT] == (names.split(",")[1], "mA")
    asked = tuple(ColumnMapping(target, name, unit) for target, (name, unit) in told.items())
    assert len(read_raw(path, SourceSettings(columns=asked))) == ROWS


def test_a_row_of_units_beneath_names_that_are_not_known(tmp_path: Path) -> None:
    path = write(tmp_path, ["Zeit,Strom,Spannung", "s,mA,mV", *body()])
    columns = ((c.TEST_TIME, "Zeit", "s"), (c.CURRENT, "Strom", "mA"), (c.VOLTAGE, "Spannung", "mV"))
    frame = read_raw(path, SourceSettings(columns=tuple(ColumnMapping(*column) for column in columns)))
    assert len(frame) == ROWS
    assert (frame[c.UNREADABLE] == "").all()


def test_a_first_row_without_numbers_is_no_row_of_units(tmp_path: Path) -> None:
    lines = ["cell,state,time/s,I/mA,Ecell/mV", "A,C,,,", *(f"A,C,{line}" for line in body())]
    assert len(read_raw(write(tmp_path, lines), SourceSettings())) == ROWS + 1


def test_a_first_row_with_damage_is_no_row_of_units(tmp_path: Path) -> None:
    frame = read_raw(write(tmp_path, ["time/s,I/mA,Ecell/mV", "0,OVR,3700", *body()[1:]]), SourceSettings())
    assert len(frame) == ROWS
    assert frame[c.UNREADABLE].tolist() == ["I/mA='OVR'"] + [""] * (ROWS - 1)


@pytest.mark.parametrize("preamble", [0, 1, 299, 400, 15_000])
def test_preambles_of_any_length(tmp_path: Path, preamble: int) -> None:
    lines = [f"setting {number} : 12.5 mA, {number}" for number in range(preamble)]
    path = write(tmp_path, [*lines, "time/s,I/mA,Ecell/mV", *body()])
    check(path)
    asked = (ColumnMapping(c.TEST_TIME, "time/s", "s"), ColumnMapping(c.CURRENT, "I/mA", "mA"))
    voltage = ColumnMapping(c.VOLTAGE, "Ecell/mV", "mV")
    assert len(read_raw(path, SourceSettings(columns=(*asked, voltage)))) == ROWS


def test_one_preamble_line_of_any_length(tmp_path: Path) -> None:
    protocol = '{"steps":[' + ",".join(f'{{"current":{number}}}' for number in range(30_000)) + "]}"
    check(write(tmp_path, ["[Protocol]", protocol, "[Data]", "time/s,I/mA,Ecell/mV", *body()]))


def test_a_table_without_a_header_by_the_numbers_of_its_columns(tmp_path: Path) -> None:
    path = write(tmp_path, ["# made by hand", *body("\t")])
    with pytest.raises(ReadError, match=r"seems to have no header: use #1, #2"):
        guess_settings(path)
    columns = (("#1", c.TEST_TIME, "s"), ("#2", c.CURRENT, "mA"), ("#3", c.VOLTAGE, "mV"))
    asked = SourceSettings(columns=tuple(ColumnMapping(target, name, unit) for name, target, unit in columns))
    frame = read_raw(path, asked)
    np.testing.assert_array_equal(frame[c.TEST_TIME], np.arange(ROWS))
    np.testing.assert_allclose(frame[c.VOLTAGE], 3.70025 + np.arange(ROWS) / 1000)
    wrong = SourceSettings(columns=(*asked.columns[:2], ColumnMapping(c.VOLTAGE, "#7")))
    with pytest.raises(ReadError, match=r"no column '#7' for voltage_volt; the table has '#1', '#2', '#3'"):
        read_raw(path, wrong)


@settings(deadline=None, max_examples=60)
@given(
    days=st.integers(0, 30),
    second=st.integers(0, 86_399),
    milli=st.integers(0, 999),
    form=st.sampled_from(["days", "hours"]),
)
def test_times_of_days_and_hours(
    tmp_path_factory: pytest.TempPathFactory, days: int, second: int, milli: int, form: str
) -> None:
    hours, rest = divmod(second, 3600)
    clock = f"{hours:02}:{rest // 60:02}:{rest % 60:02}.{milli:03}"
    text = f"  {days}d {clock}" if form == "days" else f"{days * 24 + hours}{clock[2:]}"
    path = write(tmp_path_factory.mktemp("times"), ["TestTime,Amps,Volts", f"{text},1,3.7", f"{text},1,3.7"])
    expected = days * 86400 + second + milli / 1000
    assert read_raw(path, guess_settings(path))[c.TEST_TIME].tolist() == pytest.approx([expected] * 2, abs=1e-9)


@pytest.mark.parametrize(
    ("texts", "seconds"),
    [
        ((":0:00:00:01", ":0:03:25:10", ":1:12:31:00"), (1, 12310, 131460)),
        (("0:00:01:02", "0:23:59:59.5", "12:00:00:00"), (62, 86399.5, 1036800)),
        (("00:00:01", "23:59:59", "1.00:00:00", "1.12:31:00.25"), (1, 86399, 86400, 131460.25)),
        (("0.00:00:01,5", "10.02:03:04,5"), (1.5, 871384.5)),
        (("0d 00:00:01", "1d 02:03:04.5", "3D02:03:04"), (1, 93784.5, 266584)),
        (("0 days 00:00:01.5", "1 day, 2:03:04", "12 days, 2:03:04", "3 02:03:04"), (1.5, 93784, 1044184, 266584)),
        (("00:00:01", "26:03:04", "123:00:00"), (1, 93784, 442800)),
        (("00:00:01",) * 3 + ("1.30:00:00", "1:24:00:00", "1.02.03:04:05"), (1,) * 3 + (np.nan,) * 3),
    ],
)
@pytest.mark.parametrize("name", ["Test Time", "Time", "TestTime (d.hh:mm:ss)", "Total Time [d:h:m:s]"])
def test_durations_with_days(tmp_path: Path, name: str, texts: tuple[str, ...], seconds: tuple[float, ...]) -> None:
    path = write(tmp_path, [f"{name};Current (A);Voltage (V)", *(f"{text};1.5;3.7" for text in texts)])
    settings = guess_settings(path)
    assert [mapping.target for mapping in settings.columns] == [c.TEST_TIME, c.CURRENT, c.VOLTAGE]
    frame = read_raw(path, settings)
    np.testing.assert_allclose(frame[c.TEST_TIME], seconds)
    assert (frame[c.UNREADABLE] != "").tolist() == np.isnan(seconds).tolist()


@pytest.mark.parametrize(
    ("text", "unix_time"),
    [
        ("01.02.2023 12:00:00", 1675252800.0),
        ("1.2.2023 12:00:00.5", 1675252800.5),
        ("01.02.23 12:00:00", 1675252800.0),
        ("2023-02-01 12:00:00", 1675252800.0),
    ],
)
@pytest.mark.parametrize("name", ["Time", "Date Time", "timestamp"])
def test_dates_with_points_are_no_durations(tmp_path: Path, name: str, text: str, unix_time: float) -> None:
    path = write(tmp_path, [f"{name};Current (A);Voltage (V)", f"{text};1.5;3.7", f"{text};1.5;3.7"])
    frame = read_raw(path, guess_settings(path))
    assert frame[c.UNIX_TIME].tolist() == [unix_time] * 2
    assert frame[c.TEST_TIME].isna().all()


def test_maccors_own_text(tmp_path: Path) -> None:
    lines = [
        "Today's Date\t03/28/2022\tDate of Test:\t08/23/2021 6:04:18 PM",
        "Procedure:\tone.000\tDescription: \xff\xff\xff",
        "Rec#\tCyc#\tStep\tTestTime\tStepTime\tAmp-hr\tWatt-hr\tmAmps\tVolts\tState\tES\tDPt Time",
        "1\t0\t1\t  0d 00:00:00.00\t  0d 00:00:00.00\t0.0\t0.0\t0.0\t3.7\tR\t0\t08/23/2021 6:04:18 PM",
        "2\t0\t2\t  1d 00:00:05.50\t  0d 00:00:05.00\t0.0\t0.0\t-250.0\t3.6\tD\t1\t08/24/2021 6:04:23 PM",
    ]
    path = write(tmp_path, lines, "cell.034", "latin-1")
    frame = read_raw(path, guess_settings(path))
    assert frame[c.TEST_TIME].tolist() == [0.0, 86405.5]
    assert frame[c.CURRENT].tolist() == [0.0, -0.25]
    assert frame[c.VOLTAGE].tolist() == [3.7, 3.6]
    assert frame[c.STATE].tolist() == ["R", "D"]
    assert frame[c.CYCLE_ID].tolist() == [0, 0]
    assert frame[c.UNIX_TIME].diff().iloc[1] == 86405
    minutes = [line.replace("TestTime", "Test (Min)").replace("  1d 00:00:05.50", "2.5") for line in lines]
    path = write(tmp_path, [line.replace("  0d 00:00:00.00\t", "0.0\t", 1) for line in minutes], "min.034", "latin-1")
    assert read_raw(path, guess_settings(path))[c.TEST_TIME].tolist() == [0.0, 150.0]


def test_landts_text(tmp_path: Path) -> None:
    lines = [
        "Record\tTestTime/Sec\tStepTime/Sec\tCurrent/mA\tCapacity/mAh\tVoltage/V\tSysTime\tCycle-Index\tStep-Index\tStep-State",
        "1\t0\t0\t0\t0\t2.81529\t2021-02-25 13:41:24\t1\t1\tR",
        "2\t120\t120\t-0.5\t0\t2.8\t2021-02-25 13:43:24\t1\t2\tRateD",
    ]
    frame = read_raw(path := write(tmp_path, lines), guess_settings(path))
    assert frame[c.TEST_TIME].tolist() == [0, 120]
    assert frame[c.CURRENT].tolist() == [0, -0.0005]
    assert frame[c.STEP_ID].tolist() == [1, 2]
    assert frame[c.STATE].tolist() == ["R", "RateD"]
    assert frame[c.UNIX_TIME].diff().iloc[1] == 120


def test_biologics_mpt_with_decimal_commas(tmp_path: Path) -> None:
    lines = [
        "EC-Lab ASCII FILE", "Nb header lines : 4", "",
        "mode\tox/red\terror\tNs\ttime/s\tdq/mA.h\tEwe/V\t<I>/mA\tQ charge/discharge/mA.h\thalf cycle\tcycle number\t",
        "1\t1\t0\t0\t0,000000000000000E+000\t0\t3,5180547E+000\t0,0000000E+000\t0\t0\t0,0\t",
        "1\t1\t0\t1\t1,000000047497451E+001\t0\t3,6180154E+000\t1,5000000E+002\t0\t0\t1,0\t",
    ]  # fmt: skip
    path = write(tmp_path, lines, "cell.mpt", "latin-1")
    frame = read_raw(path, guess_settings(path))
    np.testing.assert_allclose(frame[c.TEST_TIME], [0, 10], atol=1e-6)
    np.testing.assert_allclose(frame[c.VOLTAGE], [3.5180547, 3.6180154])
    np.testing.assert_allclose(frame[c.CURRENT], [0, 0.15])
    assert frame[c.CHARGING_CAPACITY].isna().all()  # one counter for both directions is neither


def test_novonix_of_whole_quoted_lines(tmp_path: Path) -> None:
    lines = [
        "[Summary]", "Novonix HPC data file", "[End Summary]", "[Data]",
        '"Date and Time,Cycle Number,Step Type,Run Time (h),Current (A),Potential (V),Temperature (°C),Step Number"',
        '"2022-04-11 10:58:07 AM,1,0,0.0,0.0,0.13736,38.9,1"',
        '"2022-04-11 01:58:07 PM,1,0,3.0,0.1,0.23736,38.9,2"',
    ]  # fmt: skip
    path = write(tmp_path, lines)
    frame = read_raw(path, guess_settings(path))
    assert frame[c.TEST_TIME].tolist() == [0, 10800]
    assert frame[c.UNIX_TIME].diff().iloc[1] == 10800
    assert frame[c.VOLTAGE].tolist() == [0.13736, 0.23736]


def test_bdf_by_its_machine_readable_names(tmp_path: Path) -> None:
    names = (
        "test_time_second,voltage_volt,current_ampere,unix_time_second,cycle_count,step_count,"
        "ambient_temperature_celsius,temperature_t1_celsius,charging_capacity_ah,discharging_capacity_ah"
    )
    path = write(tmp_path, [names, "0,3.7,1,1.7e9,1,2,25,26,0.1,0.2", "1,3.8,1,1700000001,1,2,25,26,0.1,0.2"])
    frame = read_raw(path, guess_settings(path))
    expected = {
        c.TEST_TIME: 1, c.VOLTAGE: 3.8, c.CURRENT: 1, c.UNIX_TIME: 1700000001, c.CYCLE_ID: 1, c.STEP_ID: 2,
        c.AMBIENT_TEMPERATURE: 25, c.SURFACE_TEMPERATURE: 26, c.CHARGING_CAPACITY: 0.1, c.DISCHARGING_CAPACITY: 0.2,
    }  # fmt: skip
    assert frame.iloc[1][list(expected)].to_dict() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("stamp", "unit"), [("1700000000", ""), ("1700000000000", "ms"), ("17000000000000000", "100ns"), ("17e17", "ns")]
)
def test_what_a_clock_counts_in_is_told_by_its_size(tmp_path: Path, stamp: str, unit: str) -> None:
    path = write(tmp_path, ["DateTime,Current(A),Voltage(V)", f"{stamp},1,3.7", f"{stamp},1,3.7"])
    settings = guess_settings(path)
    assert settings.columns[0] == ColumnMapping(c.UNIX_TIME, "DateTime", unit)
    assert read_raw(path, settings)[c.UNIX_TIME].tolist() == pytest.approx([1.7e9] * 2)


def test_a_packed_file_is_its_cell_without_both_endings(tmp_path: Path) -> None:
    path = write(tmp_path, ["time/s,I/mA,Ecell/mV", *body()], "B042.csv.gz")
    assert cell_ids(path, guess_settings(path)) == ("B042",)
    assert [cell for cell, _ in read_by_cell(path, guess_settings(path))] == ["B042"]


def test_a_cut_packed_file_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, ["time/s,I/mA,Ecell/mV", *body() * 500], "B042.csv.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ReadError, match=r"B042\.csv\.gz: the gzip file is damaged .*; copy it again"):
        read_raw(path, SourceSettings())


LAYERS = """Cycle Index,Chg. Cap.(Ah),DChg. Cap.(Ah)
,Step Index,Step Number,Step Type,Step Time
,,DataPoint,Time,Total Time,Current(A),Voltage(V),Date
{first},,1,00:00:00,00:00:00,0,3.7,2026-03-06 12:37:25
,,2,00:00:10,00:00:10,0,3.7,2026-03-06 12:37:35
,2,2,CC DChg,00:00:20
,,3,00:00:00,00:00:10,-1.5,3.6,2026-03-06 12:37:35
,,4,00:00:20,00:00:30,-1.5,3.5,2026-03-06 12:37:55
2,0.0,0.1
,1,3,CC Chg,00:00:05
,,5,00:00:00,00:00:30,1.5,3.6,2026-03-06 12:37:55
,,6,00:00:05,00:00:35,1.5,3.7,2026-03-06 12:38:00
"""


@pytest.mark.parametrize(
    "first", ["1,0.0,0.1\n,1,1,Rest,00:00:10\n", "1,0.0,0.1,1,1,Rest,00:00:10\n"], ids=["apart", "in one line"]
)
@pytest.mark.parametrize("block_bytes", [1, 50, 100_000])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_newares_layers_of_cycles_steps_and_records(
    tmp_path: Path, first: str, block_bytes: int, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "raw.csv"
    path.write_bytes(LAYERS.replace("{first},", first + ",").replace("\n", end).encode())
    settings = guess_settings(path)
    monkeypatch.setattr(csv_reader, "text_blocks", lambda path: text_blocks.text_blocks(path, block_bytes))
    frame = read_raw(path, settings)
    assert frame[c.CYCLE_ID].tolist() == [1, 1, 1, 1, 2, 2]
    assert frame[c.STEP_ID].tolist() == [1, 1, 2, 2, 1, 1]
    assert frame[c.STATE].tolist() == ["Rest"] * 2 + ["CC DChg"] * 2 + ["CC Chg"] * 2
    assert frame[c.TEST_TIME].tolist() == [0, 10, 10, 30, 30, 35]
    assert frame[c.CURRENT].tolist() == [0, 0, -1.5, -1.5, 1.5, 1.5]
    assert frame[c.VOLTAGE].tolist() == [3.7, 3.7, 3.6, 3.5, 3.6, 3.7]
    assert frame[c.UNIX_TIME].diff().iloc[-1] == 5
    assert (frame[c.UNREADABLE] == "").all()
