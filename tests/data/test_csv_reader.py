"""CSV files of any layout become raw rows; damage is noted, never lost."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kilocell.data import columns as c
from kilocell.data.errors import ReadError
from kilocell.data.readers.read import cell_ids, guess_settings, read_by_cell, read_raw
from kilocell.data.settings import ColumnMapping, SourceSettings

HEADER = "test_time_s,current_A,voltage_V,temperature_C"
GUESS = SourceSettings()
BY_CELL = SourceSettings(cell_id_from="column:cell_id")


def write(folder: Path, *lines: str, encoding: str = "utf-8", name: str = "raw.csv") -> Path:
    path = folder / name
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    return path


def rows(count: int) -> list[str]:
    return [f"{second},-1.5,3.{second:03},25" for second in range(count)]


def test_the_raw_table_has_the_contracts_columns_and_types(tmp_path: Path) -> None:
    frame = read_raw(write(tmp_path, HEADER, *rows(3)), GUESS)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == c.RAW_COLUMNS
    assert list(frame.columns) == list(c.RAW_COLUMNS)
    assert frame[c.CURRENT].tolist() == [-1.5] * 3
    assert frame[c.SOURCE_ROW].tolist() == [0, 1, 2]
    assert frame[c.UNREADABLE].tolist() == frame[c.STATE].tolist() == [""] * 3
    assert frame[[c.UNIX_TIME, c.CYCLE_ID, c.AMBIENT_TEMPERATURE, c.CHARGING_CAPACITY]].isna().all(axis=None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize(("delimiter", "decimal"), [(",", "."), (";", ","), (";", "."), ("\t", "."), ("\t", ",")])
def test_delimiters_decimal_signs_and_encodings(tmp_path: Path, encoding: str, delimiter: str, decimal: str) -> None:
    lines = ["time/s,I/mA,Ecell/V,Temperature/°C", "0,-1500.5,3.712,25.1", "1.5,0,3.8,-3e1", "2,,4,"]
    changed = [lines[0].replace(",", delimiter)]
    changed += [line.replace(".", "@").replace(",", delimiter).replace("@", decimal) for line in lines[1:]]
    path = write(tmp_path, *changed, encoding=encoding)
    for asked in (GUESS, guess_settings(path)):
        frame = read_raw(path, asked)
        np.testing.assert_allclose(frame[c.TEST_TIME], [0, 1.5, 2])
        np.testing.assert_allclose(frame[c.CURRENT], [-1.5005, 0, np.nan])
        np.testing.assert_allclose(frame[c.VOLTAGE], [3.712, 3.8, 4])
        np.testing.assert_allclose(frame[c.SURFACE_TEMPERATURE], [25.1, -30, np.nan])
        assert (frame[c.UNREADABLE] == "").all()


def test_named_columns_in_named_units(tmp_path: Path) -> None:
    path = write(tmp_path, "Zeit;Strom;Spannung;T1;T2", "1;1500;3700;298,15;300,15", "2;1500;3701;;300,15")
    mapping = [(c.TEST_TIME, "Zeit", "h"), (c.CURRENT, "Strom", "mA"), (c.VOLTAGE, "Spannung", "mV")]
    mapping += [(c.SURFACE_TEMPERATURE, "T1", "K"), (c.SURFACE_TEMPERATURE, "T2", "K"), (c.CYCLE_ID, "Zyklus", "")]
    frame = read_raw(path, SourceSettings(columns=tuple(ColumnMapping(*names) for names in mapping)))
    assert frame[c.TEST_TIME].tolist() == [3600, 7200]
    assert frame[c.VOLTAGE].tolist() == [3.7, 3.701]
    np.testing.assert_allclose(frame[c.SURFACE_TEMPERATURE], [26, 27])  # the mean of those there are
    assert frame[c.CYCLE_ID].isna().all()


@settings(deadline=None, max_examples=50)
@given(
    st.datetimes(datetime.datetime(1971, 1, 1), datetime.datetime(2100, 1, 1)).map(
        lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)
    ),
    st.sampled_from(
        [
            *("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%fZ", "%m/%d/%Y %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S.%f"),
            *("%d-%b-%Y %I:%M:%S.%f %p", "%Y/%m/%d %H:%M:%S.%f"),
        ]
    ),
)
def test_dates_become_seconds_to_the_millisecond(
    tmp_path_factory: pytest.TempPathFactory, time: datetime.datetime, form: str
) -> None:
    path = write(tmp_path_factory.mktemp("dates"), "datetime,current_A,voltage_V", f"{time.strftime(form)},1,3.7")
    unix_time = read_raw(path, GUESS)[c.UNIX_TIME][0]
    assert unix_time == pytest.approx(time.replace(tzinfo=datetime.UTC).timestamp(), abs=1e-5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-02 00:00:01", 86401.0),
        ("1970-01-02T02:00:01+02:00", 86401.0),
        ("01/13/1970 1:00:00 PM", 12 * 86400 + 13 * 3600.0),
        ("13/01/1970 13:00:00", 12 * 86400 + 13 * 3600.0),
        ("13.01.1970 13:00:00,250", 12 * 86400 + 13 * 3600 + 0.25),
        ("02-Jan-70 12:00:01 AM", 86401.0),
    ],
)
def test_dates_as_labs_write_them(tmp_path: Path, text: str, expected: float) -> None:
    path = write(tmp_path, "datetime;current_A;voltage_V", f"{text};1;3.7")
    assert read_raw(path, GUESS)[c.UNIX_TIME][0] == expected


def test_how_a_date_is_written_can_be_said(tmp_path: Path) -> None:
    path = write(tmp_path, "when,current_A,voltage_V", "02/01/1970 00:00:01,1,3.7")
    columns = (ColumnMapping(c.CURRENT, "current_A", "A"), ColumnMapping(c.VOLTAGE, "voltage_V", "V"))
    for unit, day in (("%d/%m/%Y", 1), ("%m/%d/%Y", 31), ("%d/%m/%Y %H:%M:%S", 1)):
        asked = SourceSettings(columns=(ColumnMapping(c.UNIX_TIME, "when", unit), *columns))
        assert read_raw(path, asked)[c.UNIX_TIME][0] == day * 86400 + 1
    with pytest.raises(ReadError, match="column 'when', date format '%H%!'"):
        read_raw(path, SourceSettings(columns=(ColumnMapping(c.UNIX_TIME, "when", "%H%!"), *columns)))


def test_day_and_month_are_told_by_the_end_of_a_long_file(tmp_path: Path) -> None:
    lines = [f"{1 + hour // 24:02}/01/2020 {hour % 24:02}:00:00,1.00000000000,3.70000000000" for hour in range(31 * 24)]
    path = write(tmp_path, "datetime,current_A,voltage_V", *[line for line in lines for _ in range(6)])
    times = read_raw(path, GUESS)[c.UNIX_TIME]
    assert times.notna().all()
    assert times.iloc[-1] - times.iloc[0] == (31 * 24 - 1) * 3600


def test_times_as_hours_minutes_and_seconds(tmp_path: Path) -> None:
    lines = ("00:00:01,1,3.7", "26:00:00.5,1,3.7", "1d 02:03:04,1,3.7", "7.25,1,3.7", "soon,1,3.7")
    frame = read_raw(write(tmp_path, "Test_Time,Current(A),Voltage(V)", *lines), GUESS)
    np.testing.assert_allclose(frame[c.TEST_TIME], [1, 93600.5, 93784, 7.25, np.nan])
    assert frame[c.UNREADABLE].tolist() == ["", "", "", "", "Test_Time='soon'"]


def test_text_among_numbers_is_missing_and_noted(tmp_path: Path) -> None:
    lines = rows(10)
    lines[3], lines[5], lines[6] = "3,OVR,3.7,25", "5,-1.5,inf,1e999", "6,1.5A,3;7,NaN"
    frame = read_raw(write(tmp_path, HEADER, *lines), GUESS)
    assert frame[c.UNREADABLE][3] == "current_A='OVR'"
    assert frame[c.UNREADABLE][5] == "voltage_V='inf'; temperature_C='1e999'"
    assert frame[c.UNREADABLE][6] == "current_A='1.5A'; voltage_V='3;7'"
    assert frame[c.CURRENT].isna().tolist() == [row in (3, 6) for row in range(10)]
    assert frame[c.VOLTAGE].isna().tolist() == [row in (5, 6) for row in range(10)]
    assert (frame[c.UNREADABLE] != "").sum() == 3


@pytest.mark.parametrize("missing", ["", " ", "NaN", "nan", "NA", "N/A", "null", "None"])
def test_missing_values_are_not_unreadable(tmp_path: Path, missing: str) -> None:
    frame = read_raw(write(tmp_path, HEADER, f"0,{missing},3.7,{missing}", "1,bad,3.7,25", "2,1,3.7,25"), GUESS)
    assert frame[c.CURRENT].isna().tolist() == [True, True, False]
    assert frame[c.UNREADABLE].tolist() == ["", "current_A='bad'", ""]


def test_an_unreadable_date_is_noted(tmp_path: Path) -> None:
    path = write(tmp_path, "datetime,current_A,voltage_V", *["2020-01-01 00:00:00,1,3"] * 3, "yesterday,1,3", "17,1,3")
    frame = read_raw(path, GUESS)
    assert frame[c.UNREADABLE].tolist() == ["", "", "", "datetime='yesterday'", "datetime='17'"]
    assert frame[c.UNIX_TIME].isna().tolist() == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("column", "line"),
    [("current_A", "{},OVR,3.7,25"), ("voltage_V", "{},1,OVR,25"), ("test_time_s", "OVR,1,3.7,25")],
)
def test_a_column_of_text_where_numbers_are_required(tmp_path: Path, column: str, line: str) -> None:
    path = write(tmp_path, HEADER, *rows(2), *[line.format(second) for second in range(3)])
    with pytest.raises(ReadError, match=rf"raw\.csv: column '{column}': 3 of 5 .* line 4: {column}='OVR'"):
        read_raw(path, GUESS)
    with pytest.raises(ReadError, match=column):
        list(read_by_cell(path, GUESS))


def test_a_column_of_text_that_is_not_required_is_noted(tmp_path: Path) -> None:
    frame = read_raw(write(tmp_path, HEADER, "0,1,3.7,warm", "1,1,3.7,warm"), GUESS)
    assert frame[c.UNREADABLE].tolist() == ["temperature_C='warm'"] * 2


def test_rows_with_too_few_or_too_many_fields_are_kept_and_noted(tmp_path: Path) -> None:
    lines = ["0,1,3.7,25", "1,1,3.8", "", "2,1,3.9,25,99,x", "   ", "3,1,4.0,25,,", "4,1,4.1,25", "5"]
    frame = read_raw(write(tmp_path, HEADER, *lines), GUESS)
    assert frame[c.TEST_TIME].tolist() == [0, 1, 2, 3, 4, 5]
    assert frame[c.SOURCE_ROW].tolist() == [0, 1, 2, 3, 4, 5]
    assert frame[c.VOLTAGE].tolist()[:5] == [3.7, 3.8, 3.9, 4.0, 4.1]
    assert frame[c.SURFACE_TEMPERATURE].isna().tolist() == [False, True, False, False, False, True]
    assert frame[c.UNREADABLE].tolist() == [
        "",
        "row='3 fields instead of 4'",
        "row='6 fields instead of 4, beyond them 99,x'",
        "",
        "",
        "row='1 fields instead of 4'",
    ]


def test_a_delimiter_at_each_lines_end_is_no_defect(tmp_path: Path) -> None:
    frame = read_raw(write(tmp_path, HEADER, "0,1,3.7,25,", "1,1,3.8,25,"), GUESS)
    assert frame[c.UNREADABLE].tolist() == ["", ""]
    assert frame[c.VOLTAGE].tolist() == [3.7, 3.8]


def test_quotes_are_honoured_and_an_open_quote_swallows_no_line(tmp_path: Path) -> None:
    lines = ['"0","1,5","3,7",25', '"1",1,3.8,25', '"2,1,3.9,25', "3,1,4.0,25", "4,1,4.1,25"]
    frame = read_raw(write(tmp_path, HEADER, *lines), GUESS)
    assert len(frame) == 5
    assert frame[c.UNREADABLE].tolist()[:3] == [
        "current_A='1,5'; voltage_V='3,7'",
        "",
        "row='1 fields instead of 4'; test_time_s='2,1,3.9,25'",
    ]
    assert frame[c.VOLTAGE].tolist()[3:] == [4.0, 4.1]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.floats(0, 1e9), st.floats(-1e3, 1e3), st.none() | st.floats(-10, 10)), min_size=1, max_size=30
    )
)
def test_numbers_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, values: list[tuple[float, float, float | None]]
) -> None:
    frame = pd.DataFrame(values, columns=["test_time_s", "current_A", "voltage_V"], dtype="float64")
    path = tmp_path_factory.mktemp("numbers") / "x.csv"
    frame.to_csv(path, index=False)
    read = read_raw(path, GUESS)
    np.testing.assert_array_equal(read[[c.TEST_TIME, c.CURRENT, c.VOLTAGE]].to_numpy(), frame.to_numpy())


@pytest.mark.parametrize("content", ["", "\n\n", "  \n", "\ufeff"])
def test_an_empty_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "raw.csv"
    path.write_text(content, encoding="utf-8")
    for read in (read_raw, cell_ids):
        with pytest.raises(ReadError, match=r"raw\.csv: the file is empty; export it again"):
            read(path, BY_CELL)
    with pytest.raises(ReadError, match="is empty"):
        guess_settings(path)


def test_only_a_header(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, "")
    with pytest.raises(ReadError, match=r"raw\.csv: .*header \(line 1\) but no rows; export it again"):
        read_raw(path, GUESS)


def test_a_missing_column_is_named_with_what_there_is_and_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, "test_time_s,current_A,volts_of_cell", "0,1,3.7")
    with pytest.raises(ReadError, match=r"raw\.csv: no column such as voltage_V, .* 'volts_of_cell'"):
        read_raw(path, GUESS)
    columns: tuple[ColumnMapping, ...] = (
        ColumnMapping(c.TEST_TIME, "test_time_s"),
        ColumnMapping(c.CURRENT, "current_A"),
    )
    asked = SourceSettings(columns=(*columns, ColumnMapping(c.VOLTAGE, "volt_of_cell", "V")))
    with pytest.raises(ReadError, match=r'no column .volt_of_cell. .* \(did you mean "volts_of_cell"'):
        read_raw(path, asked)
    columns += (ColumnMapping(c.VOLTAGE, "volts_of_cell", "V"),)
    with pytest.raises(ReadError, match=r"no column 'cellid' for cell_id"):
        read_raw(path, SourceSettings(columns=columns, cell_id_from="column:cellid"))


def test_a_file_without_time_or_header(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="test_time_second or unix_time_second"):
        read_raw(write(tmp_path, "current_A,voltage_V", "1,3.7"), GUESS)
    with pytest.raises(ReadError, match="seems to have no header"):
        read_raw(write(tmp_path, "0,1,3.7", "1,1,3.7"), GUESS)


def test_an_unknown_unit_names_file_and_column(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, *rows(2))
    columns = [(c.TEST_TIME, "test_time_s", "s"), (c.CURRENT, "current_A", "A"), (c.VOLTAGE, "voltage_V", "kV")]
    with pytest.raises(ReadError, match=r"raw\.csv: column 'voltage_V': unknown unit 'kV'"):
        read_raw(path, SourceSettings(columns=tuple(ColumnMapping(*names) for names in columns)))


def test_damage_is_named_by_line_in_every_way_to_read(tmp_path: Path) -> None:
    path = tmp_path / "raw.csv"
    path.write_bytes(f"cell_id,{HEADER}\nx,0,1,3.7,25\nx,1,1,\xff\xfe\0,25\n".encode("latin-1"))
    for read in (lambda: read_raw(path, BY_CELL), lambda: cell_ids(path, BY_CELL), lambda: guess_settings(path)):
        with pytest.raises(ReadError, match=r"raw\.csv: line 3: byte \d+ of the line"):
            read()


def test_lines_before_the_header_are_passed_over(tmp_path: Path) -> None:
    lines = ["Serial,1234", "Operator,A. Volta", "", HEADER, *rows(3), "3,x,3.7,25"]
    path = write(tmp_path, *lines)
    frame = read_raw(path, GUESS)
    assert frame[c.SOURCE_ROW].tolist() == [0, 1, 2, 3]
    assert frame[c.UNREADABLE].tolist() == ["", "", "", "current_A='x'"]


def test_two_columns_of_one_name_and_one_without(tmp_path: Path) -> None:
    path = write(tmp_path, ",test_time_s,current_A,voltage_V,voltage_V", "7,0,1,3.7,9", "8,1,1,3.8,9")
    assert read_raw(path, GUESS)[c.VOLTAGE].tolist() == [3.7, 3.8]


def test_many_rows_are_read_within_seconds(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    line = "2020-01-01 00:00:00.000,CELL_A,1,2,12345.678,-2.50001,3.71234,25.1\n"
    path.write_text("datetime,cell_id,cycle,step,test_time_s,current_A,voltage_V,temperature_C\n" + line * 300_000)
    start = datetime.datetime.now()
    assert len(read_raw(path, BY_CELL, "CELL_A")) == 300_000
    assert (datetime.datetime.now() - start).total_seconds() < 10  # takes 0.5 s on an idle core
