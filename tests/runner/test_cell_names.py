"""Cell ids that ``kilocell init`` proposes: from dates and numbers in names, from folders, and not from channels."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kilocell.data.readers.read import cell_ids
from kilocell.runner.campaign.campaign import load_campaign
from kilocell.runner.inspect.new_campaign import NewCampaign, write_campaign

DAY = 86400.0
START = 1_610_000_000.0
HEADER = "Test_Time(s),Cycle_Index,Step_Index,Current(A),Voltage(V)"


def record(cycles: int = 2, ampere: float = 1.0) -> list[tuple[float, ...]]:
    """Time in s, cycle, step, current and voltage of a small cell, a row a minute."""
    current = np.tile(np.repeat([0.0, ampere, 0.0, -ampere], [10, 30, 10, 30]), cycles)
    second = np.arange(len(current)) * 60.0
    voltage = 3.5 + 0.9 * np.cumsum(current) / 60.0 / ampere + 0.03 * current / ampere
    cycle = np.repeat(np.arange(1, cycles + 1), 80)
    step = np.tile(np.repeat([1, 2, 3, 4], [10, 30, 10, 30]), cycles)
    columns = (second.tolist(), cycle.tolist(), step.tolist(), current.tolist(), voltage.tolist())
    return list(zip(*columns, strict=True))


def write(path: Path, rows: Sequence[tuple[float, ...]], start: float | None = None, **columns: str) -> Path:
    """Write a file; with a wall clock from ``start`` (s since 1970), and with constant columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wall = "" if start is None else "Date_Time,"
    lines = ["".join(f"{name}," for name in columns) + wall + HEADER]
    for second, cycle, step, current, voltage in rows:
        moment = ""
        if start is not None:
            moment = f"{datetime.datetime.fromtimestamp(start + second, datetime.UTC):%Y-%m-%d %H:%M:%S},"
        constant = "".join(f"{value}," for value in columns.values())
        lines.append(f"{constant}{moment}{second:.1f},{cycle:.0f},{step:.0f},{current:.5f},{voltage:.4f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def ids(folder: Path) -> tuple[dict[str, str], NewCampaign]:
    new = write_campaign([str(folder)], folder / "campaign.toml")
    campaign = load_campaign(folder / "campaign.toml")
    found = {path.relative_to(folder).as_posix(): cell_ids(path, how) for path, how in campaign.sources}
    return {name: cells[0] for name, cells in found.items()}, new


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("{cell}_{month}_3_21", r"_\d+_\d+_\d+"),
        ("{cell} 2021-0{month}-03", r" \d+-\d+-\d+"),
        ("{cell}-20210{month}03", r"-\d+"),
    ],
)
def test_dated_files_of_two_cells_are_parts_of_these_cells(tmp_path: Path, form: str, pattern: str) -> None:
    for cell in ("P7", "Q9"):
        for month in range(1, 5):
            write(tmp_path / f"{form.format(cell=cell, month=month)}.csv", record(), START + 30 * DAY * month)
    found, new = ids(tmp_path)
    assert {name[:2] for name in found} == set(found.values()) == {"P7", "Q9"}
    assert f"cell_id = 'pattern:(?P<cell_id>[^/]+){pattern}\\.[^/]+$'" in (tmp_path / "campaign.toml").read_text()
    assert "8 files of 2 cells (P7, Q9): the names differ in a date at the end" in new.notes[0]
    assert "the wall clock goes on at 6 of 6 joins" in new.notes[0]


def test_numbered_files_whose_test_time_goes_on_are_one_cell(tmp_path: Path) -> None:
    rows = record(6)
    for part in range(12):
        write(tmp_path / f"B7_{part + 1}.csv", rows[part * 40 : (part + 1) * 40])
    found, new = ids(tmp_path)
    assert set(found.values()) == {"B7"}
    assert "the test time goes on" in new.notes[0]


def test_numbered_cells_that_ran_at_the_same_time_keep_their_names(tmp_path: Path) -> None:
    for number in range(1, 4):
        write(tmp_path / f"LG_{number}.csv", record(ampere=1.0 + 0.02 * number), START)
    found, _ = ids(tmp_path)
    assert set(found.values()) == {"LG_1", "LG_2", "LG_3"}


def test_numbers_of_cells_are_no_numbers_of_parts(tmp_path: Path) -> None:
    """Cells that one channel tested one after the other look like parts; only the user knows."""
    for number in range(1, 4):
        write(tmp_path / f"cell_{number}.csv", record(ampere=1.0 + 0.02 * number), START + 5 * DAY * number)
    found, new = ids(tmp_path)
    assert set(found.values()) == {"cell_1", "cell_2", "cell_3"}
    assert "perhaps 3 files of 1 cell (cell)" in new.notes[0]
    assert "if so, write cell_id = 'pattern:" in new.notes[0]


def test_parts_without_any_evidence_are_only_suggested(tmp_path: Path) -> None:
    for number in range(1, 4):
        write(tmp_path / f"X5_{number}.csv", record(ampere=1.0 + 0.02 * number))
    found, new = ids(tmp_path)
    assert set(found.values()) == {"X5_1", "X5_2", "X5_3"}
    assert new.notes[0].startswith("cell ids   perhaps 3 files of 1 cell (X5)")


def test_files_of_one_name_in_three_folders_get_their_folders_as_ids(tmp_path: Path) -> None:
    for folder in ("A12", "B3", "C8"):
        write(tmp_path / folder / "data.csv", record(ampere=1.0 + 0.01 * len(folder)), START)
    found, new = ids(tmp_path)
    assert found == {"A12/data.csv": "A12", "B3/data.csv": "B3", "C8/data.csv": "C8"}
    assert "3 files named data in different folders are different cells" in new.notes[0]


def test_the_folder_and_the_name_are_the_id_where_the_folder_alone_is_none(tmp_path: Path) -> None:
    for folder in ("0degC", "25degC"):
        for name in ("K1", "K2"):
            write(tmp_path / folder / f"{name}.csv", record(), START)
    found, _ = ids(tmp_path)
    assert set(found.values()) == {"0degC/K1", "0degC/K2", "25degC/K1", "25degC/K2"}


def test_folders_of_months_hold_parts_of_the_cells(tmp_path: Path) -> None:
    for month in range(1, 4):
        for name in ("K1", "K2"):
            write(tmp_path / f"2021-0{month}" / f"{name}.csv", record(), START + 30 * DAY * month)
    found, new = ids(tmp_path)
    assert set(found.values()) == {"K1", "K2"}
    assert "continue each other" in new.notes[0]


def test_a_channel_that_is_the_same_in_all_files_is_no_cell(tmp_path: Path) -> None:
    for name in ("S1x", "S2x", "S3x"):
        write(tmp_path / f"{name}.csv", record(ampere=1.0 + 0.01 * int(name[1])), START, Channel="1")
    found, new = ids(tmp_path)
    assert set(found.values()) == {"S1x", "S2x", "S3x"}
    assert "column 'Channel' gives 3 files the one id '1'" in new.notes[0]


def test_two_batches_of_a_cell_keep_their_column_of_ids(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / f"export{number}.csv", record(), START + 5 * DAY * number, Channel="7")
    found, _ = ids(tmp_path)
    assert set(found.values()) == {"7"}


def test_calce_workbooks_are_one_cell(shared_data: Path, tmp_path: Path) -> None:
    names = ("8_17_10", "8_18_10", "8_19_10", "8_30_10")
    for name in names:
        file = f"CS2_35_{name}.xlsx"
        (tmp_path / file).write_bytes((shared_data / "calce_cs2_35" / file).read_bytes())
    found, new = ids(tmp_path)
    assert set(found.values()) == {"CS2_35"}
    assert len(new.notes) == 1


def test_a_row_counter_is_no_cell_and_alternating_cells_are(tmp_path: Path) -> None:
    rows = record()
    lines = [f"{place + 500},{row[0]},{row[3]},{row[4]:.4f}" for place, row in enumerate(rows)]
    (tmp_path / "a.csv").write_text("battery,time_s,current_A,voltage_V\n" + "\n".join(lines) + "\n")
    lines = [f"{cell},{row[0]},{row[3]},{row[4]:.4f}" for row in rows for cell in range(300)]
    (tmp_path / "b.csv").write_text("battery,time_s,current_A,voltage_V\n" + "\n".join(lines) + "\n")
    new: Any = write_campaign([str(tmp_path)], tmp_path / "campaign.toml")
    assert "a sample" in new.notes[-1]
    how = dict(load_campaign(tmp_path / "campaign.toml").sources)
    assert how[tmp_path / "a.csv"].cell_id_from == "stem"
    assert how[tmp_path / "b.csv"].cell_id_from == "column:battery"
