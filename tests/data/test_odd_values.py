"""Odd values of real files: ids with control characters, dates that mean no date, durations, impedance rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kilocell.data import columns as c
from kilocell.data.readers.csv_values import parse_durations, value_kind, without_empty_dates
from kilocell.data.readers.read import cell_ids, guess_settings, read_by_cell, read_raw
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import clean

DURATIONS = {
    "2d 03:04:05": 183845.0,
    "1-02:03:04": 93784.0,
    "26:03:04": 93784.0,
    "1.02:03:04.5": 93784.5,
    ":0:03:25:10": 12310.0,
    "1 day, 02:03:04": 93784.0,
    "0 days 00:01:00.250000000": 60.25,
    "-00:00:05": -5.0,
    "-1.02:03:04": -93784.0,
    "-1 day, 23:59:58": -2.0,
    "-1 days +23:59:58": -2.0,
    "00:00:01": 1.0,
    "12.5": 12.5,
}


def test_forms_of_durations_in_one_column() -> None:
    texts = list(DURATIONS)
    np.testing.assert_array_equal(parse_durations(pa.array(texts)), list(DURATIONS.values()))
    assert value_kind(texts) == "duration"
    assert np.isnan(parse_durations(pa.array(["1-30:03:04", "2020-01-02 03:04:05", "a day"]))).all()


IDS = ["A\x07", "A", "A\nB", "A\rB", "A B", "\x1b[31mRED", "A\u200b", "\u202eA", "zelle_ä"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_ids_are_printable_and_stay_distinct(tmp_path: Path, kind: str) -> None:
    ids = [text for text in IDS if kind == "parquet" or not set("\r\n") & set(text)]
    rows = pd.DataFrame({"cell_id": np.repeat(ids, 3), "test_time_s": np.tile([0.0, 1.0, 2.0], len(ids)),
                         "voltage_V": 3.7, "current_A": 0.0})  # fmt: skip
    path = tmp_path / f"many.{kind}"
    if kind == "csv":
        rows.to_csv(path, index=False)
    else:
        pq.write_table(pa.Table.from_pandas(rows), path)
    settings = guess_settings(path)
    found = cell_ids(path, settings)
    assert len(found) == len(set(found)) == len(ids)
    assert all(text.isprintable() for text in found)
    assert "A%07" in found
    assert [cell for cell, _ in read_by_cell(path, settings)] == list(found)
    assert all(len(read_raw(path, settings, cell)) == 3 for cell in found)


def test_an_id_from_the_name_of_a_file_is_printable(tmp_path: Path) -> None:
    path = tmp_path / "A\x1b[2J.csv"
    path.write_text("test_time_s,voltage_V,current_A\n0,3.7,0\n1,3.7,0\n")
    assert cell_ids(path, guess_settings(path)) == ("A%1B[2J",)


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S"])
@pytest.mark.parametrize(
    ("year", "month", "day"), [(9999, 12, 31), (1899, 12, 30), (1900, 1, 1), (1970, 1, 1), (1, 1, 1)]
)
@pytest.mark.parametrize("rows", [[0], [99], [3, 50], list(range(100))], ids=["first", "last", "two", "all"])
def test_a_date_that_means_no_date_is_missing(
    tmp_path: Path, form: str, year: int, month: int, day: int, rows: list[int]
) -> None:
    empty = form.replace("%Y", f"{year:04}").replace("%m", f"{month:02}").replace("%d", f"{day:02}")
    empty = empty.replace("%H:%M:%S", "00:00:00")
    times = pd.date_range("2023-05-14 10:00", periods=100, freq="60s").strftime(form).tolist()
    for row in rows:
        times[row] = empty
    path = tmp_path / "A.csv"
    lines = [f"{time},{60 * row},{3.5 + 0.001 * row},1.0\n" for row, time in enumerate(times)]
    path.write_text("Date_Time,Test_Time(s),Voltage(V),Current(A)\n" + "".join(lines))
    raw = read_raw(path, guess_settings(path))
    assert np.flatnonzero(raw[c.UNIX_TIME].isna()).tolist() == rows
    time = clean(raw, "A", CleanSettings()).samples[c.TEST_TIME]
    np.testing.assert_array_equal(time, 60.0 * np.arange(100))


def test_clocks_that_are_no_dates_are_left() -> None:
    for clock in (np.arange(5.0), 1.6e12 + np.arange(5.0), np.array([np.nan, 1.6e9])):
        np.testing.assert_array_equal(without_empty_dates(clock), clock)


@pytest.mark.parametrize("name", ["Frequency_Hz", "freq/Hz", "Frequency (Hz)"])
def test_rows_with_a_frequency_are_impedance_rows(tmp_path: Path, name: str) -> None:
    frame = pd.DataFrame({"time/s": np.arange(60.0), "Ecell/V": 3.7, "I/mA": 100.0, name: 0.0})
    frame.loc[20:39, name] = np.geomspace(1e4, 0.1, 20)
    path = tmp_path / "A.csv"
    frame.to_csv(path, index=False)
    result = clean(read_raw(path, guess_settings(path)), "A", CleanSettings())
    assert list(result.quarantined[c.SOURCE_ROW]) == list(range(20, 40))
    assert set(result.quarantined["rule"]) == {"impedance_row"}


def test_a_constant_frequency_is_the_rate_of_the_log(tmp_path: Path) -> None:
    frame = pd.DataFrame({"time/s": np.arange(60.0), "Ecell/V": 3.7, "I/mA": 100.0, "Frequency (Hz)": 10.0})
    path = tmp_path / "A.csv"
    frame.to_csv(path, index=False)
    assert (read_raw(path, guess_settings(path))[c.STATE] == "").all()
