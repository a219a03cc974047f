"""Digatron exports: their header, units, states and thermometers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.errors import ReadError
from kilocell.data.readers.read import cell_ids, guess_settings, read_by_cell, read_raw
from kilocell.data.settings import SourceSettings

DIGATRON = SourceSettings(reader="digatron")
ABOUT = ("", "", "Measurement ID,6434", "Battery Name,LG M50", "Start Time,8/20/2020 11:14:28 AM", "Comment,", "", "")
NAMES = "Step,Status,Step Time,Prog Time,Cycle,Cycle Level,Procedure,Voltage,Current,AhAccu,"
UNITS = "[],[],[ss.xxx],[ss.xxx],[],[],[],[V],[A],[Ah],"
START = 1597922068.0  # 2020-08-20 11:14:28 UTC
ROWS = (
    "5,PAU,0.020,0.281,0,0,MSM,3.25325,0.00000,0.00000,",
    "12,RANGE,0.000,10.5,1,1,MSM,3.25320,0.00000,0.00000,",
    "12,RANGE,0.000,10.5,1,1,MSM,3.25320,0.00000,0.00000,",
    "13,DCH,0.000,10.5,1,1,MSM,3.20000,-2.5,0.00000,",
    "9999,STO,0.000,20.0,0,0,MSM,3.24000,0.00000,-0.00694,",
)


def write(folder: Path, *lines: str) -> Path:
    path = folder / "Cell785_0p5C.csv"
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode("latin-1"))
    return path


def test_samples_in_our_columns(tmp_path: Path) -> None:
    frame = read_raw(write(tmp_path, *ABOUT, NAMES, UNITS, *ROWS), DIGATRON)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == c.RAW_COLUMNS
    assert frame[c.STATE].tolist() == ["PAU", "RANGE", "RANGE", "DCH", "STO"]
    assert frame[c.STEP_ID].tolist() == [5, 12, 12, 13, 9999]
    assert frame[c.CYCLE_ID].tolist() == [0, 1, 1, 1, 0]
    assert frame[c.CURRENT].tolist() == [0, 0, 0, -2.5, 0]
    assert frame[c.VOLTAGE].tolist() == [3.25325, 3.2532, 3.2532, 3.2, 3.24]
    assert frame[c.TEST_TIME].tolist() == [0.281, 10.5, 10.5, 10.5, 20]
    np.testing.assert_allclose(frame[c.UNIX_TIME], START + frame[c.TEST_TIME], rtol=0, atol=1e-6)
    assert frame[c.STEP_TIME].tolist() == [0.02, 0, 0, 0, 0]
    assert frame[c.NET_CAPACITY].tolist() == [0, 0, 0, 0, -0.00694]
    assert frame[c.SOURCE_ROW].tolist() == [0, 1, 2, 3, 4]
    assert frame[[c.SURFACE_TEMPERATURE, c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY]].isna().all(axis=None)
    assert (frame[c.UNREADABLE] == "").all()


@pytest.mark.parametrize(
    ("names", "values", "expected"),
    [
        ("LogTempPositive,LogTempMid,LogTempNegative,LogTemp001,", "20,25,30,99,", 25),
        ("LogTemp001,LogTemp002,", "24,26,", 25),
        ("LogTemp001", "25", 25),
        ("LogTemp001,LogTemp002", "25,", 25),
    ],
)
def test_the_thermometers_that_a_file_has(tmp_path: Path, names: str, values: str, expected: float) -> None:
    units = ",".join("[T1]" for _ in names.strip(",").split(","))
    path = write(tmp_path, *ABOUT, NAMES + names, UNITS + units, *[row + values for row in ROWS])
    frame = read_raw(path, DIGATRON)
    assert frame[c.SURFACE_TEMPERATURE].tolist() == [expected] * 5
    assert (frame[c.UNREADABLE] == "").all()


def test_units_are_those_of_the_unit_row(tmp_path: Path) -> None:
    units = UNITS.replace("[V]", "[mV]").replace("[A]", "[mA]")
    frame = read_raw(write(tmp_path, *ABOUT, NAMES, units, ROWS[3]), DIGATRON)
    assert frame[c.VOLTAGE].tolist() == [3.2e-3]
    assert frame[c.CURRENT].tolist() == [-2.5e-3]


def test_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    lines = [line.replace(",", ";").replace(".", ",") for line in (NAMES, *ROWS)]
    about = [*ABOUT[:4], "Start Time;20.08.2020 11:14:28"]
    frame = read_raw(write(tmp_path, *about, lines[0], UNITS.replace(",", ";"), *lines[1:]), DIGATRON)
    assert frame[c.VOLTAGE].tolist() == [3.25325, 3.2532, 3.2532, 3.2, 3.24]
    assert frame[c.UNIX_TIME][4] == START + 20


def test_a_unit_row_that_is_missing_is_no_lost_sample(tmp_path: Path) -> None:
    assert len(read_raw(write(tmp_path, *ABOUT, NAMES, *ROWS), DIGATRON)) == 5


def test_no_start_time_leaves_the_wall_clock_open(tmp_path: Path) -> None:
    frame = read_raw(write(tmp_path, *ABOUT[:4], "Start Time,", NAMES, UNITS, *ROWS), DIGATRON)
    assert frame[c.UNIX_TIME].isna().all()
    assert frame[c.TEST_TIME].notna().all()
    with pytest.raises(ReadError, match="Start Time 'once'"):
        read_raw(write(tmp_path, "Start Time,once", NAMES, UNITS, *ROWS), DIGATRON)


def test_bad_exports(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="is empty"):
        read_raw(write(tmp_path), DIGATRON)
    with pytest.raises(ReadError, match=r"not a Digatron export.* set reader = .csv."):
        read_raw(write(tmp_path, "a,b", "1,2"), DIGATRON)
    with pytest.raises(ReadError, match=r"has a header \(line 10\) but no rows"):
        read_raw(write(tmp_path, *ABOUT, NAMES, UNITS), DIGATRON)
    with pytest.raises(ReadError, match="no column 'Voltage' for voltage_volt"):
        read_raw(write(tmp_path, *ABOUT, NAMES.replace("Voltage", "Volts"), UNITS, *ROWS), DIGATRON)


def test_text_among_the_numbers_is_noted(tmp_path: Path) -> None:
    frame = read_raw(write(tmp_path, *ABOUT, NAMES, UNITS, *ROWS[:4], ROWS[4].replace("3.24000", "OVR")), DIGATRON)
    assert frame[c.UNREADABLE].tolist() == ["", "", "", "", "Voltage='OVR'"]


def test_it_is_recognised(tmp_path: Path) -> None:
    path = write(tmp_path, *ABOUT, NAMES, UNITS, *ROWS)
    assert guess_settings(path) == SourceSettings(reader="digatron", current_sign="charge_positive")
    assert cell_ids(path, DIGATRON) == ("Cell785_0p5C",)
    (part,) = read_by_cell(path, DIGATRON)
    assert part[0] == "Cell785_0p5C"
    pd.testing.assert_frame_equal(part[1], read_raw(path, DIGATRON))


def test_every_row_of_the_real_exports_is_read(shared_data: Path) -> None:
    paths = sorted((shared_data / "lgm50_digatron").glob("*/*.csv"))
    assert len(paths) == 17
    pattern = SourceSettings(reader="digatron", cell_id_from=r"pattern:(?P<cell_id>Cell\d+)_")
    for path in paths:
        frame = read_raw(path, guess_settings(path))
        lines = path.read_text(encoding="latin-1").splitlines()
        assert len(frame) == sum(re.match(r"\d+,[A-Z]+,", line) is not None for line in lines), path
        assert (frame[c.UNREADABLE] == "").all(), path
        assert set(frame[c.STATE]) <= {"PAU", "CHA", "DCH", "RANGE", "STO"}, path
        measured = [c.UNIX_TIME, c.TEST_TIME, c.VOLTAGE, c.CURRENT, c.SURFACE_TEMPERATURE, c.CYCLE_ID, c.STEP_ID]
        assert frame[measured].notna().all(axis=None), path
        assert frame[c.TEST_TIME].is_monotonic_increasing, path
        current = frame[c.CURRENT]
        assert (current[frame[c.STATE] == "CHA"] >= 0).all(), path
        # One cell at 0 °C never took its charge: its discharge starts with a zero.
        assert (current[frame[c.STATE] == "DCH"] <= 0).all(), path
        assert (current[frame[c.STATE].isin(["PAU", "RANGE", "STO"])] == 0).all(), path
        low, high = (-2, 10) if path.parent.name == "0degC" else (22, 50)
        assert frame[c.SURFACE_TEMPERATURE].between(low, high).all(), path
        assert cell_ids(path, pattern) == (path.name[:7],)


def test_a_real_export_value_for_value(shared_data: Path) -> None:
    frame = read_raw(shared_data / "lgm50_digatron/25degC/Cell785_0p5C_25degC.csv", DIGATRON)
    first = frame.iloc[0]
    assert first[c.UNIX_TIME] == pytest.approx(START + 0.115, abs=1e-6)
    assert (first[c.TEST_TIME], first[c.VOLTAGE], first[c.SURFACE_TEMPERATURE]) == (0.115, 4.14445, 24.5)
    assert len(frame) == 1415
    assert frame[c.STATE].value_counts().to_dict() == {"DCH": 552, "PAU": 550, "CHA": 303, "RANGE": 8, "STO": 2}
