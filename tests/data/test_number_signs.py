"""Thousands separators and decimal signs: decided by evidence, and a decimal comma stays one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from kilocell.data import columns as c
from kilocell.data.errors import ReadError
from kilocell.data.readers import csv_reader, text_blocks
from kilocell.data.readers.number_signs import find_number_signs, plain_number
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.settings import ColumnMapping, SourceSettings
from pairwise import pairwise

Write = Callable[[float], str]


def number(decimals: int, thousands: str, decimal: str) -> Write:
    """Return a function that writes a number as an exporter of this locale does."""

    def write(value: float) -> str:
        text = f"{value:,.{decimals}f}"
        return text.replace(",", "@").replace(".", decimal).replace("@", thousands)

    return write


def general(decimal: str) -> Write:
    return lambda value: f"{value:.6g}".replace(".", decimal)


def write_table(
    folder: Path, rows: Sequence[Sequence[str]], delimiter: str = ";", units: Sequence[str] = ("s", "mA", "V")
) -> Path:
    path = folder / "raw.csv"
    names = ("Time", "Current", "Voltage")
    lines = [[f"{name} ({unit})" for name, unit in zip(names, units, strict=True)], *rows]
    quoted = [[f'"{field}"' if delimiter in field else field for field in line] for line in lines]
    path.write_text("".join(delimiter.join(line) + "\n" for line in quoted), encoding="utf-8")
    return path


def record(count: int, interval: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A rest, and a discharge at 1500.5 mA: time in s, current in mA, voltage in V."""
    place = np.arange(count)
    return place * interval, np.where(place < count // 5, 0.0, -1500.5), 4.1 - place / count


def check(path: Path, expected: tuple[np.ndarray, np.ndarray, np.ndarray], tolerance: float = 1e-3) -> None:
    settings = guess_settings(path)
    for chosen in (SourceSettings(), settings):
        frame = read_raw(path, chosen)
        assert (frame[c.UNREADABLE] == "").all()
        np.testing.assert_allclose(frame[c.TEST_TIME], expected[0], atol=tolerance)
        np.testing.assert_allclose(frame[c.CURRENT], expected[1] / 1000, atol=tolerance)
        np.testing.assert_allclose(frame[c.VOLTAGE], expected[2], atol=tolerance)


LOCALES = [
    (",", "."),
    (".", ","),
    (" ", "."),
    (" ", ","),
    ("'", "."),
    ("\u2019", "."),
    ("\u00a0", ","),
    ("\u202f", ","),
]


@pytest.mark.parametrize(
    ("locale", "delimiter", "decimals", "interval"),
    pairwise(LOCALES, [",", ";", "\t", "|"], [(0, 2, 4), (3, 3, 3), (1, 1, 5)], [1.0, 60.0]),
)
def test_thousands_of_every_locale(
    tmp_path: Path, locale: tuple[str, str], delimiter: str, decimals: tuple[int, int, int], interval: float
) -> None:
    thousands, decimal = locale
    expected = record(1500 if interval == 1 else 120, interval)
    writers = [number(places, thousands, decimal) for places in decimals]
    rows = [[write(value) for write, value in zip(writers, row, strict=True)] for row in zip(*expected, strict=True)]
    check(write_table(tmp_path, rows, delimiter), expected)


@pytest.mark.parametrize(("thousands", "decimal"), LOCALES)
@pytest.mark.parametrize("interval", [1.0, 60.0])
def test_whole_numbers_with_thousands(tmp_path: Path, thousands: str, decimal: str, interval: float) -> None:
    time, current, volt = record(1500, interval)
    write = number(0, thousands, decimal)
    current, millivolt = np.round(current), np.round(volt * 1000)
    rows = [[write(value) for value in row] for row in zip(time, current, millivolt, strict=True)]
    check(write_table(tmp_path, rows, units=("s", "mA", "mV")), (time, current, millivolt / 1000))


@pytest.mark.parametrize(("thousands", "decimal"), [(",", "."), (".", ",")])
def test_a_time_of_whole_hours_beside_a_voltage_of_three_decimals(tmp_path: Path, thousands: str, decimal: str) -> None:
    time, current, volt = record(120, 3600.0)
    writers = (number(0, thousands, decimal), number(0, thousands, decimal), number(3, thousands, decimal))
    current = np.where(current < 0, -1000.0, 0.0)
    rows = [[w(value) for w, value in zip(writers, row, strict=True)] for row in zip(time, current, volt, strict=True)]
    check(write_table(tmp_path, rows), (time, current, volt))


@pytest.mark.parametrize("block_bytes", [1500, 40_000])
def test_thousands_that_first_appear_late_are_read_in_every_block(
    tmp_path: Path, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    time, current, volt = record(9000, 1.0)
    current = current / 10
    writers = (number(0, ",", "."), number(1, ",", "."), number(4, ",", "."))
    rows = [[w(value) for w, value in zip(writers, row, strict=True)] for row in zip(time, current, volt, strict=True)]
    path = write_table(tmp_path, rows)
    settings = guess_settings(path)
    monkeypatch.setattr(csv_reader, "text_blocks", lambda path: text_blocks.text_blocks(path, block_bytes))
    np.testing.assert_array_equal(read_raw(path, settings)[c.TEST_TIME], time)


def test_numbers_of_millions(tmp_path: Path) -> None:
    time, current, volt = record(100, 86400.0)
    writers = (number(1, ",", "."), number(3, ",", "."), number(3, ",", "."))
    rows = [[w(value) for w, value in zip(writers, row, strict=True)] for row in zip(time, current, volt, strict=True)]
    check(write_table(tmp_path, rows, ","), (time, current, volt))


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
@pytest.mark.parametrize(
    "writers",
    [
        (number(0, "", ","), number(3, "", ","), number(3, "", ",")),
        (number(3, "", ","), number(3, "", ","), number(3, "", ",")),
        (general(","), general(","), general(",")),
        (general(","), number(3, "", ","), number(3, "", ",")),
        (general(","), lambda value: "0" if value == 0 else f"{value:.3f}".replace(".", ","), number(3, "", ",")),
        (number(0, "", ","), number(0, "", ","), number(3, "", ",")),
    ],
)
@pytest.mark.parametrize("interval", [0.125, 1.0, 3600.0])
def test_a_decimal_comma_stays_one(
    tmp_path: Path, delimiter: str, writers: tuple[Write, Write, Write], interval: float
) -> None:
    time, current, volt = record(240, interval)
    current = current / 1000
    rows = [[w(value) for w, value in zip(writers, row, strict=True)] for row in zip(time, current, volt, strict=True)]
    path = write_table(tmp_path, rows, delimiter, ("s", "A", "V"))
    frame = read_raw(path, guess_settings(path))
    assert (frame[c.UNREADABLE] == "").all()
    np.testing.assert_allclose(frame[c.VOLTAGE], volt, atol=1e-3)
    np.testing.assert_allclose(frame[c.CURRENT], current, atol=1.0)
    np.testing.assert_allclose(frame[c.TEST_TIME], time, atol=0.51)


@pytest.mark.parametrize("decimal", [".", ","])
def test_a_number_with_the_other_sign_is_unreadable(tmp_path: Path, decimal: str) -> None:
    other = "," if decimal == "." else "."
    rows = [[f"{second}", "-0.512", f"3.{second:04}"] for second in range(1, 60)]
    rows[20][2] = "3@675"
    rows[30][1] = "-1@5"
    rows = [[field.replace(".", decimal).replace("@", other) for field in row] for row in rows]
    frame = read_raw(write_table(tmp_path, rows), SourceSettings())
    noted = frame[c.UNREADABLE][frame[c.UNREADABLE] != ""].tolist()
    assert noted == [f"Voltage (V)='3{other}675'", f"Current (mA)='-1{other}5'"]


def test_a_column_of_the_other_sign_is_refused(tmp_path: Path) -> None:
    rows = [[f"{second}", "-0.51", f"3,{600 + second}"] for second in range(1, 60)]
    with pytest.raises(ReadError, match=r"Voltage \(V\)"):
        read_raw(write_table(tmp_path, rows), SourceSettings())


@pytest.mark.parametrize(
    "text", ["1,02,345", "12,34.5", "1,2345.6", "0,123.4", "1,234,56", "1 23", "1''234", "1,234.5.6", "1'234,567.8"]
)
def test_groups_of_another_length_are_unreadable(tmp_path: Path, text: str) -> None:
    rows = [["1,000.5", "-1,500.50", "3.70"]] * 5 + [["1,000.5", text, "3.70"]]
    frame = read_raw(write_table(tmp_path, rows), SourceSettings())
    assert frame[c.UNREADABLE].tolist() == [""] * 5 + [f"Current (mA)={text!r}"]


def test_the_signs_of_a_sample() -> None:
    def signs(*column: str, delimiter: str = ";") -> tuple[str, str]:
        rows = [(value,) for value in column]
        return find_number_signs(rows, lambda: rows, delimiter)

    assert signs("1", "2.5", "3.25") == (".", "")
    assert signs("1", "2,5", "3,25") == (",", "")
    assert signs("3,675", "3,674", "3,670") == (",", "")
    assert signs("0", "-1,500", "-1,500") == (",", "")
    assert signs("940", "960", "980", "1,000", "1,020") == (".", ",")
    assert signs("940", "960", "980", "1.000", "1.020") == (",", ".")
    assert signs("1.234,5") == (",", ".")
    assert signs("1,234,567") == (".", ",")
    assert signs("25", "25,125", "24,875") == (",", "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1,234.5", 1234.5), ("1.234,5", 1234.5), ("1 234,5", 1234.5), ("1'234'567", 1234567), ("3,5", 3.5)),
        *(("1,234,567", 1234567), ("1.700.000.000", 1.7e9), ("-2", -2)),
    ],
)
def test_the_size_of_a_number_in_any_signs(text: str, value: float) -> None:
    assert plain_number(text) == value


def test_a_wall_clock_in_seconds_with_thousands(tmp_path: Path) -> None:
    path = tmp_path / "raw.csv"
    path.write_text("timestamp;current_A;voltage_V\n" + "1,700,000,000;1.5;3.7\n" * 3)
    settings = guess_settings(path)
    assert settings.columns[0] == ColumnMapping(c.UNIX_TIME, "timestamp", "")
    assert read_raw(path, settings)[c.UNIX_TIME].tolist() == [1.7e9] * 3
