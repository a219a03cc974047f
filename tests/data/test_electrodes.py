"""A file with the potentials of both electrodes and without their difference: the cell's voltage is the difference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kilocell.data import columns as c
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.settings import ColumnMapping, SourceSettings

ROWS = 60
TIME = 30.0 * np.arange(1.0, ROWS + 1.0)
WORKING = 4.1 - 0.004 * np.arange(ROWS)
COUNTER = 0.07 + 0.001 * np.arange(ROWS)
CURRENT = np.full(ROWS, -500.0)


def text_file(folder: Path, counter: list[str] | None = None) -> Path:
    path = folder / "E.txt"
    texts = counter or [f"{volt:.4f}" for volt in COUNTER]
    rows = zip(TIME, WORKING, texts, CURRENT, strict=True)
    lines = [f"{a:.1f}\t{b:.4f}\t{text}\t{d:.3f}" for a, b, text, d in rows]
    path.write_text("\n".join(["time/s\tEwe/V\tEce/V\tI/mA", *lines, ""]))
    return path


def test_the_difference_is_mapped_and_read(tmp_path: Path) -> None:
    path = text_file(tmp_path)
    settings = guess_settings(path)
    assert {m.target: m.column for m in settings.columns}[c.VOLTAGE] == "Ewe/V - Ece/V"
    raw = read_raw(path, settings)
    np.testing.assert_allclose(raw[c.VOLTAGE], WORKING - COUNTER, atol=1e-9)
    np.testing.assert_allclose(raw[c.CURRENT], CURRENT / 1000.0)


def test_a_user_may_map_one_electrode(tmp_path: Path) -> None:
    path = text_file(tmp_path)
    settings = guess_settings(path)
    columns = tuple(ColumnMapping(c.VOLTAGE, "Ewe/V", "V") if m.target == c.VOLTAGE else m for m in settings.columns)
    np.testing.assert_allclose(read_raw(path, SourceSettings(columns=columns))[c.VOLTAGE], WORKING, atol=1e-9)


def test_without_a_potential_the_voltage_is_missing(tmp_path: Path) -> None:
    texts = [f"{volt:.4f}" for volt in COUNTER]
    texts[7] = ""
    texts[20] = "off"
    path = text_file(tmp_path, texts)
    raw = read_raw(path, guess_settings(path))
    assert list(np.flatnonzero(raw[c.VOLTAGE].isna())) == [7, 20]
    assert list(raw[c.UNREADABLE][[7, 20]]) == ["", "Ece/V='off'"]


def test_the_same_in_a_typed_table(tmp_path: Path) -> None:
    path = tmp_path / "E.parquet"
    pq.write_table(pa.table({"time/s": TIME, "Ewe/V": WORKING, "Ece/V": COUNTER, "I/mA": CURRENT}), path)
    raw = read_raw(path, guess_settings(path))
    np.testing.assert_allclose(raw[c.VOLTAGE], WORKING - COUNTER, atol=1e-9)


@pytest.mark.parametrize("units", [("V", "V"), ("mV", "mV")])
def test_units_in_a_line_of_their_own(tmp_path: Path, units: tuple[str, str]) -> None:
    path = tmp_path / "E.csv"
    factor = 1000.0 if units[0] == "mV" else 1.0
    rows = zip(TIME, factor * WORKING, factor * COUNTER, CURRENT, strict=True)
    lines = [f"{a:.1f},{b:.4f},{x:.4f},{d:.3f}" for a, b, x, d in rows]
    path.write_text("\n".join(["Time,Ewe,Ece,Current", f"s,{units[0]},{units[1]},mA", *lines, ""]))
    raw = read_raw(path, guess_settings(path))
    np.testing.assert_allclose(raw[c.VOLTAGE], WORKING - COUNTER, atol=1e-6)


def test_a_column_may_have_such_a_name_itself(tmp_path: Path) -> None:
    path = tmp_path / "E.csv"
    lines = [f"{a:.1f},{b:.4f},{d:.3f}" for a, b, d in zip(TIME, WORKING, CURRENT, strict=True)]
    path.write_text("\n".join(["time/s,Ewe - Ece/V,I/mA", *lines, ""]))
    np.testing.assert_allclose(read_raw(path, guess_settings(path))[c.VOLTAGE], WORKING, atol=1e-9)
