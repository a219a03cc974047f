"""Every cycler's text export of the shared real data: guessed settings, and values against another way to read it."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.errors import ReadError
from kilocell.data.readers.read import cell_ids, guess_settings, read_raw
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import clean

Read = Callable[[str], float]


def number(factor: float = 1.0) -> Read:
    return lambda text: float(text) * factor if text.strip() else np.nan


def clock(text: str) -> float:
    hours, minutes, seconds = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def date(form: str) -> Read:
    def read(text: str) -> float:
        return datetime.datetime.strptime(text.strip(), form).replace(tzinfo=datetime.UTC).timestamp()

    return read


@dataclass(frozen=True)
class Export:
    """A file, where its table is, and for each column its place in the file, its unit as guessed, how to read it."""

    name: str
    header_line: int
    delimiter: str
    rows: int
    columns: dict[str, tuple[int, str, Read]]
    reader: str = "csv"
    states: int | None = None
    frequency: int | None = None  # place of the frequency of an impedance measurement
    first_row_after: int = 0
    cell_id_from: str = "stem"
    cells: tuple[str, ...] = ()
    fixed: bool = field(default=False)  # the reader knows the columns, so the settings name none


PLAIN = number()
MS = number(1e-3)
COMMON_NEWARE = {
    c.CYCLE_ID: (1, "", PLAIN), c.STEP_ID: (2, "", PLAIN), c.CURRENT: (6, "A", PLAIN), c.VOLTAGE: (7, "V", PLAIN),
    c.CHARGING_CAPACITY: (10, "Ah", PLAIN), c.DISCHARGING_CAPACITY: (12, "Ah", PLAIN),
    c.STEP_CAPACITY: (8, "Ah", PLAIN),
}  # fmt: skip
BIOLOGIC = {
    c.STEP_ID: (1, "", PLAIN), c.VOLTAGE: (3, "V", PLAIN), c.CURRENT: (4, "mA", MS), c.CYCLE_ID: (12, "", PLAIN),
    c.DISCHARGING_CAPACITY: (9, "mA.h", MS), c.CHARGING_CAPACITY: (10, "mA.h", MS), c.STEP_TIME: (8, "s", PLAIN),
    c.STEP_CAPACITY: (11, "mA.h", MS), c.NET_CAPACITY: (5, "mA.h", MS),
}  # fmt: skip
PEC = {
    c.CYCLE_ID: (8, "", PLAIN), c.STEP_ID: (6, "", PLAIN), c.TEST_TIME: (9, "", clock),
    c.UNIX_TIME: (14, "%m/%d/%Y", date("%m/%d/%Y %H:%M:%S")), c.VOLTAGE: (16, "V", PLAIN), c.CURRENT: (17, "A", PLAIN),
}  # fmt: skip
CUSTOM = {
    c.TEST_TIME: (1, "", PLAIN), c.STEP_ID: (4, "", PLAIN), c.CYCLE_ID: (5, "", PLAIN), c.CURRENT: (6, "", PLAIN),
    c.VOLTAGE: (7, "", PLAIN), c.CHARGING_CAPACITY: (8, "", PLAIN), c.DISCHARGING_CAPACITY: (9, "", PLAIN),
    c.STEP_TIME: (2, "", PLAIN),
}  # fmt: skip
DIGATRON = {c.STEP_ID: (0, "", PLAIN), c.TEST_TIME: (3, "", PLAIN)}
EXPORTS = [
    Export(
        "arbin_a123/arbin_example.csv", 1, ",", 2142,
        {
            c.TEST_TIME: (1, "", PLAIN), c.UNIX_TIME: (2, "", PLAIN), c.STEP_ID: (4, "", PLAIN),
            c.CYCLE_ID: (5, "", PLAIN), c.CURRENT: (6, "", PLAIN), c.VOLTAGE: (7, "", PLAIN),
            c.CHARGING_CAPACITY: (8, "", PLAIN), c.DISCHARGING_CAPACITY: (9, "", PLAIN),
            c.SURFACE_TEMPERATURE: (14, "", PLAIN), c.STEP_TIME: (3, "", PLAIN),
        },
    ),
    Export(
        "arbin_a123/batterydata/p492-13-raw.csv", 1, ",", 2021,
        {
            c.CYCLE_ID: (0, "", PLAIN), c.STEP_ID: (1, "", PLAIN), c.TEST_TIME: (2, "s", PLAIN),
            c.CURRENT: (5, "A", PLAIN), c.VOLTAGE: (6, "V", PLAIN), c.SURFACE_TEMPERATURE: (7, "C", PLAIN),
            c.CHARGING_CAPACITY: (11, "Ah", PLAIN), c.DISCHARGING_CAPACITY: (12, "Ah", PLAIN),
            c.STEP_CAPACITY: (3, "", PLAIN),
        },
        frequency=15,
    ),
    Export(
        "formats_pyprobe/arbin/sample_data_arbin.csv", 1, ",", 13,
        {
            c.UNIX_TIME: (1, "%m/%d/%Y", date("%m/%d/%Y %H:%M:%S.%f")), c.TEST_TIME: (2, "s", PLAIN),
            c.CYCLE_ID: (4, "", PLAIN), c.STEP_ID: (5, "", PLAIN), c.CURRENT: (9, "A", PLAIN),
            c.VOLTAGE: (10, "V", PLAIN), c.CHARGING_CAPACITY: (12, "Ah", PLAIN),
            c.DISCHARGING_CAPACITY: (13, "Ah", PLAIN), c.SURFACE_TEMPERATURE: (23, "C", PLAIN),
            c.STEP_TIME: (3, "s", PLAIN), c.STEP_CAPACITY: (16, "Ah", PLAIN),
        },
    ),
    Export(
        "formats_pyprobe/basytec/sample_data_basytec.txt", 13, "\t", 74,
        {
            c.TEST_TIME: (0, "s", PLAIN), c.STEP_ID: (5, "", PLAIN), c.VOLTAGE: (7, "V", PLAIN),
            c.CURRENT: (8, "A", PLAIN), c.SURFACE_TEMPERATURE: (22, "degC", PLAIN), c.CYCLE_ID: (26, "", PLAIN),
            c.STEP_TIME: (2, "s", PLAIN), c.NET_CAPACITY: (10, "Ah", PLAIN), c.STEP_CAPACITY: (15, "", PLAIN),
            c.CHARGING_CAPACITY: (11, "", PLAIN), c.DISCHARGING_CAPACITY: (12, "", PLAIN),
        },
        states=6,
    ),
    Export(
        "formats_pyprobe/biologic/Sample_data_biologic_01_MB_CA1.txt", 103, "\t", 1397,
        {**BIOLOGIC, c.TEST_TIME: (2, "s", PLAIN), c.SURFACE_TEMPERATURE: (15, "degC", PLAIN)},
    ),
    Export(
        "formats_pyprobe/biologic/Sample_data_biologic_02_MB_CA1.txt", 103, "\t", 1397,
        {**BIOLOGIC, c.TEST_TIME: (2, "s", PLAIN), c.SURFACE_TEMPERATURE: (15, "°C", PLAIN)},
    ),
    Export(
        "formats_pyprobe/biologic/Sample_data_biologic_timestamped.txt", 98, "\t", 8,
        {
            **BIOLOGIC, c.SURFACE_TEMPERATURE: (15, "degC", PLAIN),
            c.UNIX_TIME: (2, "%m/%d/%Y", date("%m/%d/%Y %H:%M:%S.%f")),
        },
    ),
    Export(
        "formats_pyprobe/maccor/sample_data_maccor.csv", 3, ",", 15,
        {
            c.CYCLE_ID: (1, "", PLAIN), c.STEP_ID: (2, "", PLAIN), c.TEST_TIME: (3, "s", PLAIN),
            c.CURRENT: (7, "", PLAIN), c.VOLTAGE: (8, "", PLAIN), c.SURFACE_TEMPERATURE: (10, "", PLAIN),
            c.UNIX_TIME: (9, "%d-%b-%y", date("%d-%b-%y %I:%M:%S %p")),
            c.STEP_TIME: (4, "s", PLAIN), c.STEP_CAPACITY: (5, "", PLAIN),
        },
    ),
    Export(
        "formats_pyprobe/novonix/sample_data_novonix.csv", 21, ",", 207,
        {
            c.UNIX_TIME: (0, "", date("%Y-%m-%d %H:%M:%S")), c.CYCLE_ID: (1, "", PLAIN),
            c.TEST_TIME: (3, "h", number(3600.0)), c.CURRENT: (5, "A", PLAIN), c.VOLTAGE: (6, "V", PLAIN),
            c.SURFACE_TEMPERATURE: (8, "°C", PLAIN), c.STEP_ID: (13, "", PLAIN),
            c.STEP_TIME: (4, "h", number(3600.0)), c.STEP_CAPACITY: (7, "Ah", PLAIN),
        },
    ),
    Export(
        "formats_cellpy/data/neware_uio.csv", 1, ",", 9065,
        {
            **COMMON_NEWARE, c.TEST_TIME: (5, "", clock), c.STEP_TIME: (4, "", clock),
            c.UNIX_TIME: (20, "", date("%Y-%m-%d %H:%M:%S")),
        },
        states=3,
    ),
    Export(
        "neware_melasta/star-2/raw_data_output_from_cycler.csv", 1, ",", 13084,
        {
            **COMMON_NEWARE, c.TEST_TIME: (5, "s", PLAIN), c.UNIX_TIME: (20, "", date("%Y-%m-%d %H:%M:%S")),
            c.SURFACE_TEMPERATURE: (31, "degC", PLAIN), c.STEP_TIME: (4, "s", PLAIN),
        },
        states=3,
    ),
    Export(
        "neware_melasta/star-1/structured_battery_data.bdf.csv", 1, ",", 13084,
        {
            c.TEST_TIME: (0, "ms", MS), c.CURRENT: (1, "A", PLAIN), c.VOLTAGE: (2, "V", PLAIN),
            c.UNIX_TIME: (3, "ms", MS), c.STEP_ID: (4, "", PLAIN), c.SURFACE_TEMPERATURE: (5, "°C", PLAIN),
        },
    ),
    Export("formats_cellpy/data/custom_data_001.csv", 20, ";", 2444, CUSTOM),
]  # fmt: skip


def table(path: Path, export: Export) -> list[list[str]]:
    """The table's rows as the csv module of the standard library splits them."""
    text = path.read_bytes().decode("utf-8-sig" if is_utf8(path) else "latin-1")
    lines = text.splitlines()[export.header_line :]
    return [row for row in csv.reader(lines, delimiter=export.delimiter) if row]


def is_utf8(path: Path) -> bool:
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: Path(export.name).name)
def test_every_export_is_read_as_it_stands(shared_data: Path, export: Export) -> None:
    path = shared_data / export.name
    settings = guess_settings(path)
    assert (settings.reader, settings.cell_id_from, settings.current_sign) == ("csv", "stem", "auto")
    guessed = {mapping.target: mapping.unit for mapping in settings.columns if mapping.target != c.STATE}
    assert guessed == {target: unit for target, (_, unit, _) in export.columns.items()}
    rows = table(path, export)
    frame = read_raw(path, settings)
    assert len(frame) == len(rows) == export.rows
    assert (frame[c.UNREADABLE] == "").all()
    for target, (place, _, read) in export.columns.items():
        expected = [read(row[place]) if row[place].strip() else np.nan for row in rows]
        np.testing.assert_allclose(frame[target], expected, rtol=1e-12, atol=1e-9, err_msg=target)
    states = [""] * len(rows) if export.states is None else [row[export.states] for row in rows]
    if export.frequency is not None:
        states = ["" if row[export.frequency] == "NaN" else "impedance" for row in rows]
    assert frame[c.STATE].tolist() == states


@pytest.mark.parametrize(("name", "rows"), [("Test25195", 19), ("Test25205", 489), ("Test25209", 281)])
def test_pec_names_its_cells_in_a_column(shared_data: Path, name: str, rows: int) -> None:
    path = shared_data / f"formats_cellpy/data/pec_multiple_tests/{name}.csv"
    settings = guess_settings(path)
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    at = next(number for number, line in enumerate(lines) if "Voltage (V)" in line)
    records = list(csv.DictReader(lines[at:]))
    assert settings.cell_id_from == "column:Cell ID"
    assert cell_ids(path, settings) == tuple(dict.fromkeys(record["Cell ID"] for record in records))
    frame = read_raw(path, settings)
    assert len(frame) == len(records) == rows
    reads: dict[str, tuple[str, Read]] = {
        c.TEST_TIME: ("Total Time (Hours in hh:mm:ss.xxx)", clock),
        c.UNIX_TIME: ("Real Time", date("%m/%d/%Y %H:%M:%S")),
        c.CYCLE_ID: ("Cycle", PLAIN),
        c.STEP_ID: ("Step", PLAIN),
        c.CURRENT: ("Current (A)", PLAIN),
        c.VOLTAGE: ("Voltage (V)", PLAIN),
        c.CHARGING_CAPACITY: ("Charge Capacity (mAh)", MS),
        c.DISCHARGING_CAPACITY: ("Discharge Capacity (mAh)", MS),
    }
    for target, (column, read) in reads.items():
        expected = [read(record[column]) if record[column] else np.nan for record in records]
        np.testing.assert_allclose(frame[target], expected, rtol=1e-12, atol=1e-9, err_msg=target)


def digatron_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("lgm50_digatron/*/*.csv"))


def test_every_digatron_export_is_read_as_it_stands(shared_data: Path) -> None:
    files = digatron_files(shared_data)
    assert len(files) == 17
    for path in files:
        settings = guess_settings(path)
        assert (settings.reader, settings.current_sign) == ("digatron", "charge_positive")
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
        at = next(number for number, row in enumerate(rows) if "Prog Time" in row)
        names, body = rows[at], [row for row in rows[at + 2 :] if any(row)]
        frame = read_raw(path, settings)
        assert len(frame) == len(body), path.name
        for target, name in ((c.TEST_TIME, "Prog Time"), (c.CURRENT, "Current"), (c.VOLTAGE, "Voltage")):
            factor = 1e-3 if rows[at + 1][names.index(name)] in ("[mA]", "[mV]") else 1.0
            expected = [float(row[names.index(name)]) * factor for row in body]
            np.testing.assert_allclose(frame[target], expected, rtol=1e-12, err_msg=f"{path.name} {target}")


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("arbin_a123/arbin_example.csv", 1),
        ("neware_melasta/star-2/raw_data_output_from_cycler.csv", 1),
        ("neware_melasta/star-1/structured_battery_data.bdf.csv", 1),
        ("neware_melasta/star-3/structured_battery_data.bdf.parquet", 1),
        ("formats_cellpy/data/neware_uio.csv", 1),
        ("formats_cellpy/data/custom_data_001.csv", 1),
        ("lgm50_digatron/25degC/Cell796_2C_25degC.csv", 1),
    ],
)
def test_the_sign_of_real_records_stays_as_the_cyclers_write_it(shared_data: Path, name: str, sign: int) -> None:
    path = shared_data / name
    settings = guess_settings(path)
    raw = read_raw(path, settings)
    cleaned = clean(raw, "A", CleanSettings(current_sign=settings.current_sign))
    assert not any(finding.rule == "current_sign" for finding in cleaned.report.findings)
    kept: Any = raw.set_index(c.SOURCE_ROW)[c.CURRENT].reindex(cleaned.samples[c.SOURCE_ROW]).to_numpy()
    strong = np.abs(kept) > 0.5 * np.nanmax(np.abs(kept))
    np.testing.assert_array_equal(np.sign(cleaned.samples[c.CURRENT][strong]), sign * np.sign(kept[strong]))


@pytest.mark.parametrize("name", ["C3_1C_profile_25deg.csv", "LGM50_789_1C_25degC.csv"])
def test_a_file_without_current_says_so(shared_data: Path, name: str) -> None:
    with pytest.raises(ReadError, match=r"no column such as current_A, .* for current_ampere; line 1 has 'Time"):
        guess_settings(shared_data / "lgm50_1C" / name)


def test_pybamms_text_files_have_no_header_and_say_so(shared_data: Path) -> None:
    files = [*shared_data.glob("enertech_lco/*.txt"), *shared_data.glob("enertech_lco/*.csv")]
    assert len(files) == 15
    for path in files:
        with pytest.raises(ReadError, match=r"no column such as voltage_V.*seems to have no header") as caught:
            guess_settings(path)
        assert path.name in str(caught.value)


def test_both_forms_of_the_battery_data_format_are_one_record(shared_data: Path) -> None:
    folder = shared_data / "neware_melasta"
    text, packed = (
        read_raw(folder / name, guess_settings(folder / name))
        for name in ("star-1/structured_battery_data.bdf.csv", "star-3/structured_battery_data.bdf.parquet")
    )
    parquet = pd.read_parquet(folder / "star-3/structured_battery_data.bdf.parquet")
    for target, name in ((c.TEST_TIME, "Test Time / s"), (c.CURRENT, "Current / A"), (c.VOLTAGE, "Voltage / V")):
        np.testing.assert_array_equal(packed[target], parquet[name])
    pd.testing.assert_frame_equal(text, packed, rtol=1e-12, atol=1e-9)
