"""Files with one defect each: an error that says what to do where one cannot be used, else a finding that says what."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.errors import ReadError
from kilocell.data.readers.file_kinds import check_text, detect_reader
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.settings import CleanSettings, SourceSettings
from kilocell.jobs.cleaning.clean import Cleaned, clean

Finding = tuple[str, int, int, str, str, str]
NO_CURRENT = "at most 0 A, while the voltage moves by 0.394 V"
GOOD: set[Finding] = {
    ("no_discharge", 60, 0, "0 A.h out", "as it was", "reported"),
    ("rest_only", 60, 0, NO_CURRENT, "nothing to simulate", "reported"),
}
"""The file's current is 0.00 throughout, rounded away by whoever wrote it; this is reported as well."""


def read_and_clean(shared_data: Path, name: str) -> tuple[pd.DataFrame, Cleaned, set[Finding]]:
    path = shared_data / "formats_cellpy/bad" / f"custom_{name}.csv"
    raw = read_raw(path, guess_settings(path))
    cleaned = clean(raw, name, CleanSettings())
    found = {(f.rule, f.rows, f.source_row, f.before, f.after, f.action) for f in cleaned.report.findings}
    return raw, cleaned, found


def test_the_good_one_has_nothing_else(shared_data: Path) -> None:
    raw, cleaned, found = read_and_clean(shared_data, "good_small")
    assert (raw[c.UNREADABLE] == "").all()
    assert found == GOOD
    assert len(cleaned.samples) == 60


def test_what_is_not_finite_is_named_and_filled(shared_data: Path) -> None:
    raw, cleaned, found = read_and_clean(shared_data, "nan_inf")
    notes = raw.loc[raw[c.UNREADABLE] != "", c.UNREADABLE].to_dict()
    assert notes == {7: "voltage='inf'", 11: "voltage='-inf'"}
    assert found - GOOD == {
        ("number_unreadable", 1, 7, "voltage='inf'", "missing", "taken as missing"),
        ("number_unreadable", 1, 11, "voltage='-inf'", "missing", "taken as missing"),
        *(("voltage_missing", 1, row, "missing", "1.14 V", "filled") for row in (3, 7, 11)),
    }
    assert np.isfinite(cleaned.samples[c.VOLTAGE]).all()


def test_a_cycle_that_is_not_there_is_named(shared_data: Path) -> None:
    _, cleaned, found = read_and_clean(shared_data, "missing_cycle")
    assert ("cycle_jump", 1, 20, "cycle 3 after 1", "cycle 2", "corrected") in found
    assert cleaned.samples[c.CYCLE_COUNT].unique().tolist() == [1, 2]
    assert cleaned.samples[c.CYCLE_ID].unique().tolist() == [1.0, 3.0]


def test_a_row_that_is_cut_is_named_and_no_other_is_touched(shared_data: Path) -> None:
    raw, cleaned, found = read_and_clean(shared_data, "truncated")
    assert raw.loc[raw[c.UNREADABLE] != "", c.UNREADABLE].to_dict() == {59: "row='5 fields instead of 10'"}
    assert ("number_unreadable", 1, 59, "row='5 fields instead of 10'", "missing", "taken as missing") in found
    assert all(row == 59 for rule, _, row, *_ in found if rule not in {"no_discharge", "rest_only"})
    good, _, _ = read_and_clean(shared_data, "good_small")
    pd.testing.assert_frame_equal(raw[:59], good[:59])
    assert len(cleaned.samples) == 60


def test_a_missing_column_stops_the_file_and_names_what_there_is(shared_data: Path) -> None:
    path = shared_data / "formats_cellpy/bad/custom_missing_column.csv"
    said = (
        f"{path}: no column such as voltage_V, Voltage(V), Ecell/V for voltage_volt; line 20 has 'index', 'test_time', "
        "'step_time', 'date_stamp', 'step', 'cycle', 'current', 'charge_capacity', 'discharge_Capacity'. "
        "Name the columns in the campaign file, in [sources.columns]"
    )
    with pytest.raises(ReadError, match=re.escape(said)):
        guess_settings(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"BIO-LOGIC MODULAR FILE\x1a   \x00\x00\x00\x00MODULE",
            r"BioLogic \.mpr.* as text \(\.mpt\)",
        ),
        (b"\x00\x01\x00\x00Standard Jet DB\x00\x01", r"Arbin \.res.* as CSV or \.xlsx"),
        (b"\x89HDF\r\n\x1a\n\x00\x00", r"HDF5 .*as CSV or Parquet"),
        (b"MATLAB 5.0 MAT-file, Platform", "MATLAB .*as CSV or Parquet"),
        (b"SQLite format 3\x00", "SQLite .*as CSV or Parquet"),
        (b"%PDF-1.7", "PDF .*export the data as CSV"),
        (b"PK\x03\x04 and no more", "zip archive is damaged"),
        (b"PAR1 and no more", r"cannot be read as Parquet \(.*\); write or copy it again"),
    ],
    ids=["mpr", "res", "hdf5", "mat", "sqlite", "pdf", "zip", "parquet"],
)
def test_files_of_other_kinds_say_what_to_do(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "cell.csv"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=said):
        guess_settings(path)


def test_a_zip_of_tables_is_to_be_unpacked(tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "cells.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cell.csv", "time,current,voltage\n")
    with pytest.raises(ReadError, match=r"cells\.zip: zip archives .*unpack it"):
        detect_reader(path)


def test_text_is_no_other_kind(tmp_path: Path) -> None:
    path = tmp_path / "cell.csv"
    path.write_text("time,current,voltage\n")
    assert detect_reader(path) is None
    check_text(path)
    path.write_bytes(b"PAR1")
    with pytest.raises(ReadError, match='not a text file; set reader = "parquet"'):
        read_raw(path, SourceSettings(reader="csv"))
    with pytest.raises(ReadError, match=r"none\.csv: the file cannot be opened: No such file"):
        detect_reader(tmp_path / "none.csv")
