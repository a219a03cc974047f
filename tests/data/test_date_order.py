"""Day and month are settled by all rows of a file, and by all files of a source."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.readers.date_order import DateOrders, file_date_orders, find_date_order, possible_orders
from kilocell.data.readers.read import guess_settings, read_raw

US, EUROPE = "%m/%d/%Y", "%d/%m/%Y"


def stamps(start: str, hours: float, minutes: int, form: str) -> list[str]:
    return list(pd.date_range(start, periods=int(hours * 60 / minutes), freq=f"{minutes}min").strftime(form))


def write(folder: Path, times: list[str]) -> Path:
    path = folder / "A1.csv"
    rows = "".join(f"{time},3.{500 + row % 100},1.0\n" for row, time in enumerate(times))
    path.write_text(f"Date_Time,Voltage(V),Current(A)\n{rows}")
    return path


@pytest.mark.parametrize("order", [US, EUROPE])
@pytest.mark.parametrize(
    ("start", "hours"),
    [("2021-03-04 09:00", 60), ("2021-11-12 20:00", 30), ("2021-01-30 22:00", 400), ("2021-05-08 00:00", 3000)],
)
def test_the_whole_file_settles_the_order(tmp_path: Path, order: str, start: str, hours: float) -> None:
    times = stamps(start, hours, 10, f"{order} %H:%M:%S")
    path = write(tmp_path, times)
    settings = guess_settings(path)
    assert {m.unit for m in settings.columns if m.target == c.UNIX_TIME} == {order}
    read = read_raw(path, settings)[c.UNIX_TIME]
    assert (read.diff().dropna() == 600.0).all()
    assert read.iloc[0] == pd.Timestamp(start, tz="UTC").timestamp()


def test_one_day_alone_is_open(tmp_path: Path) -> None:
    path = write(tmp_path, stamps("2021-03-04 09:00", 10, 10, "%d/%m/%Y %H:%M:%S"))
    orders = file_date_orders(path, guess_settings(path))
    assert orders == DateOrders((US, EUROPE), "")
    assert orders is not None
    assert orders.settled == ""


def test_other_files_settle_what_one_file_leaves_open() -> None:
    first = stamps("2021-03-04 09:00", 10, 10, "%d/%m/%Y %H:%M:%S")
    second = stamps("2021-03-14 09:00", 10, 10, "%d/%m/%Y %H:%M:%S")
    assert find_date_order([first], US).settled == ""
    assert find_date_order([first, second], US) == DateOrders((EUROPE,))
    assert possible_orders(second, US) == (EUROPE,)


def test_checks_a_month_apart_are_not_taken_for_days() -> None:
    times = [text for month in (2, 3, 4) for text in stamps(f"2021-0{month}-01 08:00", 5, 30, "%d.%m.%Y %H:%M")]
    assert find_date_order([times], "%d.%m.%Y").settled == ""
    assert possible_orders(["2021-03-04 09:00:00"], "ISO8601") == ("ISO8601",)
