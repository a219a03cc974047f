"""The order of day and month is settled by all files of a source together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from kilocell.data import columns as c
from kilocell.data.readers.date_formats import unify_date_formats
from kilocell.data.readers.read import guess_settings


def write(path: Path, start: datetime, form: str, hours: float = 2.0, test_time: bool = False) -> Path:
    """A file with a row each ten minutes."""
    lines = ["Date,Current(A),Voltage(V)" + (",Test_Time(s)" if test_time else "")]
    for k in range(int(6 * hours)):
        stamp = (start + timedelta(minutes=10 * k)).strftime(f"{form} %H:%M:%S")
        lines.append(f"{stamp},1.0,{3.5 + 0.001 * k:.4f}" + (f",{600 * k}" if test_time else ""))
    path.write_text("\n".join(lines) + "\n")
    return path


def formats(paths: Sequence[Path]) -> list[str]:
    settings = unify_date_formats([(path, guess_settings(path)) for path in paths])
    return [mapping.unit for own in settings for mapping in own.columns if mapping.target == c.UNIX_TIME]


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y"])
def test_one_file_that_shows_the_order_decides_for_all(tmp_path: Path, form: str) -> None:
    days = [datetime(2023, 5, 3), datetime(2023, 5, 11), datetime(2023, 5, 20)]
    paths = [write(tmp_path / f"a{k}.csv", day, form) for k, day in enumerate(days)]
    assert formats(paths) == [form] * 3


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y"])
def test_consecutive_days_show_the_order(tmp_path: Path, form: str) -> None:
    paths = [write(tmp_path / f"a{k}.csv", datetime(2023, 5, 3 + k), form) for k in range(4)]
    assert formats(paths) == [form] * 4


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y"])
def test_a_test_time_that_crosses_midnight_shows_the_order(tmp_path: Path, form: str) -> None:
    start = datetime(2023, 5, 3, 23)
    (found,) = formats([write(tmp_path / "a.csv", start, form, 4.0, test_time=True)])
    assert found == form


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y"])
def test_dates_in_names_show_the_order(tmp_path: Path, form: str) -> None:
    """Files a month apart on one day of the month look like consecutive days; their names say what they are."""
    days = [datetime(2023, month, 3) for month in (4, 5, 6)]
    assert formats([write(tmp_path / f"a_{day:%Y-%m-%d}.csv", day, form) for day in days]) == [form] * 3


def test_dates_that_are_not_ambiguous_stay(tmp_path: Path) -> None:
    days = [datetime(2023, 5, 3), datetime(2023, 6, 4)]
    assert formats([write(tmp_path / f"a{k}.csv", day, "%Y-%m-%d") for k, day in enumerate(days)]) == ["", ""]
    assert formats([write(tmp_path / f"b{k}.csv", day, "%d-%b-%Y") for k, day in enumerate(days)]) == ["%d-%b-%Y"] * 2
