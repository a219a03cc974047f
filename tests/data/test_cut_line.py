"""A file that breaks off inside its last number: that number is not believed; a last row without a line end is kept."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from kilocell.data import columns as c
from kilocell.data.readers import csv_reader, text_blocks
from kilocell.data.readers.cut_line import is_cut
from kilocell.data.readers.read import cell_ids, guess_settings, read_by_cell, read_raw, survey
from kilocell.data.settings import CleanSettings, SourceSettings
from kilocell.jobs.cleaning.clean import clean
from pairwise import pairwise

HEADER = "time_s,cycle,current_A,voltage_V"
ROWS = [f"{60 * row},1,{-1.5 if row > 9 else 0:.5f},{4.1 - row / 777:.5f}" for row in range(60)]
LAST = "3600,1,-1.50000,4.02123"


def write(folder: Path, text: str, encode: Callable[[str], bytes] = str.encode, name: str = "raw.csv") -> Path:
    path = folder / name
    path.write_bytes(encode(text))
    return path


def read_last(path: Path) -> tuple[list[float], str]:
    """Return the last row's time, current and voltage, and what the reader notes."""
    frame = read_raw(path, guess_settings(path))
    assert len(frame) == len(ROWS) + 1
    assert (frame[c.UNREADABLE][:-1] == "").all()
    return frame.iloc[-1][[c.TEST_TIME, c.CURRENT, c.VOLTAGE]].tolist(), str(frame[c.UNREADABLE].iloc[-1])


@pytest.mark.parametrize("length", range(1, len(LAST)))
def test_a_row_cut_anywhere_gives_no_wrong_number(tmp_path: Path, length: int) -> None:
    path = write(tmp_path, "\n".join([HEADER, *ROWS, LAST[:length]]))
    values, noted = read_last(path)
    for value, right in zip(values, (3600, -1.5, 4.02123), strict=True):
        assert value == right or np.isnan(value)
    fields = LAST[:length].split(",")
    is_certain = (len(fields), fields[-1]) in ((2, "1"), (3, "-1.50000"))  # as in the rows before
    if fields[-1] and not is_certain:
        name = HEADER.split(",")[len(fields) - 1]
        assert f"{name}={fields[-1]!r}, where the file breaks off" in noted
    cleaned = clean(read_raw(path, guess_settings(path)), "A", CleanSettings())
    if noted:
        assert "number_unreadable" in {finding.rule for finding in cleaned.report.findings}


ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "gzip": lambda text: gzip.compress(text.encode()),
    "utf-16": lambda text: text.encode("utf-16"),
}


@pytest.mark.parametrize(
    ("encoding", "signs", "end"),
    pairwise(list(ENCODINGS), [(",", "."), (";", ","), ("\t", "."), ("   ", ".")], ["\n", "\r\n", "\r"]),
)
def test_a_cut_number_in_any_layout(tmp_path: Path, encoding: str, signs: tuple[str, str], end: str) -> None:
    delimiter, decimal = signs
    text = end.join([HEADER, *ROWS, LAST]).replace(",", delimiter).replace(".", decimal)
    for missing, voltage in ((0, 4.02123), (1, np.nan), (3, np.nan), (6, np.nan)):
        values, noted = read_last(write(tmp_path, text[: len(text) - missing], ENCODINGS[encoding]))
        np.testing.assert_array_equal(values, [3600, -1.5, voltage])
        assert ("breaks off" in noted) == (missing > 0)
    values, noted = read_last(write(tmp_path, text + end, ENCODINGS[encoding]))
    assert (values, noted) == ([3600, -1.5, 4.02123], "")


def test_a_short_last_number_with_a_line_end_is_believed(tmp_path: Path) -> None:
    values, noted = read_last(write(tmp_path, "\n".join([HEADER, *ROWS, LAST[:-3], ""])))
    assert (values, noted) == ([3600, -1.5, 4.02], "")


def test_a_cut_number_in_quotes(tmp_path: Path) -> None:
    quoted = ['"' + row.replace(",", '","') + '"' for row in (HEADER, *ROWS, LAST)]
    values, noted = read_last(write(tmp_path, "\n".join(quoted)))
    assert (values, noted) == ([3600, -1.5, 4.02123], "")
    values, noted = read_last(write(tmp_path, "\n".join(quoted)[:-4]))
    np.testing.assert_array_equal(values, [3600, -1.5, np.nan])
    assert noted == "voltage_V='4.02', where the file breaks off"


def test_a_cut_field_that_is_not_read_changes_nothing(tmp_path: Path) -> None:
    lines = [f"{HEADER},Energy(Wh)", *(f"{row},1.23456" for row in ROWS), f"{LAST},1.2"]
    values, noted = read_last(write(tmp_path, "\n".join(lines)))
    assert (values, noted) == ([3600, -1.5, 4.02123], "")


def test_a_cut_cell_id_makes_no_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{row},CELL_{place // 30}" for place, row in enumerate(ROWS)]
    for cut in ("CELL_", "C", ""):
        path = write(tmp_path, "\n".join([f"{HEADER},cell_id", *lines, f"{LAST},{cut}"]))
        settings = guess_settings(path)
        assert settings.cell_id_from == "column:cell_id"
        assert cell_ids(path, settings) == ("CELL_0", "CELL_1")
        assert [cell for cell, _ in read_by_cell(path, settings)] == ["CELL_0", "CELL_1"]
        monkeypatch.setattr(csv_reader, "text_blocks", lambda path, part=None: text_blocks.text_blocks(path, 100, part))
        ids, parts = survey(path, settings, 1)
        monkeypatch.undo()
        assert ids == ("CELL_0", "CELL_1")
        rows = [len(frame) for part in parts for _, frame in read_by_cell(path, settings, part=part)]
        assert sum(rows) == len(ROWS) + 1
        assert rows == [count for part in parts for _, count in part.cells]


def fixed(decimals: int, count: int = 60) -> list[str]:
    return [f"{4.1 - row / 777:.{decimals}f}" for row in range(count)]


def trimmed(count: int = 60) -> list[str]:
    return [f"{4.1 - row / 8000:.4f}".rstrip("0").rstrip(".") for row in range(count)]


@pytest.mark.parametrize(
    ("before", "text", "expected"),
    [
        (fixed(5), "4.02123", False),
        (fixed(5), "4.0212", True),
        (fixed(5), "4.", True),
        (fixed(5), "4", True),
        (fixed(5), "-", True),
        (fixed(5, 3), "4.02", False),  # three numbers do not show how all are written
        (fixed(5, 10), "4.0212", False),
        (fixed(5, 10), "4.02", True),
        (trimmed(), "4.093", False),
        (trimmed(), "4.0926", False),
        (trimmed(), "4.", True),
        (["25.1", "25", "24.9"] * 10, "25", False),
        (["25.1", "25", "24.9"] * 10, "2", True),
        (["25.1", "25", "24.9"] * 10, "25.0", False),
        (["3675", "3676", "3677"], "3678", False),
        (["3675", "3676", "3677"], "367", True),
        (["3699"] * 9, "37", True),
        (["102", "101", "100"] * 3, "99", False),
        (["102", "101", "100"] * 3, "9", True),
        (["-1000"] * 9, "0", False),
        (["-1000"] * 9, "-100", True),
        (["0"] * 9, "-1000", False),
        (["10"] * 9, "11", False),
        (["12"] * 9, "1", True),
        (["9"] * 9, "10", False),
        (["1.234E-05"] * 9, "1.234E-05", False),
        (["1.234E-05"] * 9, "1.234E-0", True),
        (["1.234E-05"] * 9, "1.23", True),
        (["2023-01-01 00:00:00"] * 9, "2023-01-01 00:00:01", False),
        (["2023-01-01 00:00:00"] * 9, "2023-01-01 00:00:0", True),
        (["2023-01-01 00:00:00"] * 9, "2023-01-01 00:00", True),
        (["1/1/2023 9:05:00 AM"] * 9, "1/1/2023 10:05:00 AM", False),
        (["1/1/2023 9:05:00 AM"] * 9, "1/1/2023 10:05:00 A", True),
        (["1d 00:00:01"] * 9, "1d 00:00:02", False),
        (["1d 00:00:01"] * 9, "1d 00:00:", True),
        (["Rest", "CC Chg"] * 9, "Rest", False),
        (["Rest", "CC Chg"] * 9, "CC", True),
        (["Rest", "CC Chg"] * 9, "CV Chg", False),
        (["", ""], "4.1", False),
        (fixed(5), "nan", False),
    ],
)
def test_the_values_before_show_whether_one_is_cut(before: Sequence[str], text: str, expected: bool) -> None:
    assert is_cut(text, before, is_short=False) is expected


@pytest.mark.parametrize(
    ("before", "text", "expected"),
    [
        *((fixed(5), "4.02123", False), (fixed(5), "4.02", True), (["60", "120"], "180", True)),
        *((["Rest"] * 9, "Rest", False), (["Rest"] * 9, "CV", True), (["1d 00:00:01"] * 9, "1d 00:00:02", False)),
        (trimmed(), "4.0926", True),
        *((["12", "12"], "12", False), (["12", "12"], "1", True), (["0", "0.5", "0"], "0", True)),
    ],
)
def test_the_last_field_of_a_short_row_is_believed_only_if_all_have_one_length(
    before: Sequence[str], text: str, expected: bool
) -> None:
    assert is_cut(text, before, is_short=True) is expected


@pytest.mark.parametrize("write_number", [lambda value: f"{value:.6g}", lambda value: f"{value:.3f}", repr])
def test_the_last_rows_of_ordinary_files_without_a_line_end_are_kept(
    tmp_path: Path, write_number: Callable[[float], str]
) -> None:
    random = np.random.default_rng(1)
    lost = 0
    for _ in range(40):
        voltage = np.round(3.7 + np.cumsum(random.normal(0, 1e-3, 80)), 5).tolist()
        rows = [f"{row},{write_number(-1.5)},{write_number(value)}" for row, value in enumerate(voltage)]
        path = write(tmp_path, "\n".join(["time_s,current_A,voltage_V", *rows]))
        lost += int(read_raw(path, SourceSettings())[c.VOLTAGE].isna().sum())
    assert lost <= 1
