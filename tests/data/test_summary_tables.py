"""Tables with one row for each step or cycle are no records; sparse records are."""

from __future__ import annotations

from pathlib import Path

import pytest
from kilocell.data.errors import ReadError
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.settings import SourceSettings

STEPS = 24


def write(path: Path, header: str, per_cycle: bool = False, hours: float = 1.0, rows: int = STEPS) -> Path:
    """A table with cycle, step, time, current, voltage and further numbers."""
    further = header.count(",") - 4
    lines = [header]
    for k in range(rows):
        cycle = k + 1 if per_cycle else k // 4 + 1
        values = [cycle, k % 4 + 1, 3600.0 * hours * (k + 1), (-1.0) ** k, 3.6, *[0.5] * further]
        lines.append(",".join(f"{value:g}" for value in values))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("name", "header", "per_cycle"),
    [
        ("A_summary.csv", "Cycle_Index,Step_Index,Test_Time(s),Current(A),Voltage(V)", False),
        ("Statistics_A.csv", "Cycle_Index,Step_Index,Test_Time(s),Current(A),Voltage(V)", True),
        ("A.csv", "Cycle_Index,Step_Index,Test_Time(s),Current(A),Voltage(V)", True),
        ("A.csv", "Cycle,Step,Time(s),Current(A),Voltage(V),Start Voltage(V),End Voltage(V)", False),
        ("A.csv", "Cycle,Step,Time(s),Current(A),Voltage(V),MaxVoltage(V),MeanCurrent(A)", False),
    ],
)
def test_a_summary_is_refused_with_its_own_reason(tmp_path: Path, name: str, header: str, per_cycle: bool) -> None:
    path = write(tmp_path / name, header, per_cycle)
    with pytest.raises(ReadError, match=r"one row for each (step|cycle), not a record: it holds no sampled current"):
        guess_settings(path)
    with pytest.raises(ReadError, match="not a record"):
        read_raw(path, SourceSettings())


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("A.csv", "Test_Time(s),Step_Index,Cycle_Index,Current(A),Voltage(V),Step_Time(s),Charge_Capacity(Ah)"),
        ("A.csv", "Cycle_Index,Step_Index,Test_Time(s),Current(A),Voltage(V),Max Temperature"),
    ],
)
def test_the_last_row_of_each_step_is_a_record(tmp_path: Path, name: str, header: str) -> None:
    assert guess_settings(write(tmp_path / name, header)).columns


def test_a_column_that_counts_rows_each_second_is_no_cycle_table(tmp_path: Path) -> None:
    path = write(tmp_path / "A.csv", "Cycle,Step,Time(s),Current(A),Voltage(V)", per_cycle=True, hours=1 / 3600)
    assert guess_settings(path).columns


def test_a_short_record_is_no_summary(tmp_path: Path) -> None:
    path = write(tmp_path / "A_summary.csv", "Cycle,Step,Time(s),Current(A),Voltage(V)", rows=2)
    assert guess_settings(path).columns
