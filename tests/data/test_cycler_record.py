"""True records, measured ones, and the CSV they are written to."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kilocell.data import arrays
from kilocell.data.synthetic import cycler as r

CHANNEL = r.Channel(start_ms=1_709_543_107_042, temperature_celsius=25.0, current_noise_ampere=0.001)


def true_record(rows: int = 2000) -> r.TrueRecord:
    numbers = np.arange(rows)
    return r.TrueRecord(
        time_second=np.linspace(0.0, 10.0 * (rows - 1), rows),
        cycle=1 + numbers // (rows // 2),
        step=1 + numbers // (rows // 4) % 2,
        rate=np.where(numbers // (rows // 4) % 2 == 0, -0.5, 0.25),
        voltage=3.7 + 0.2 * np.sin(numbers / 100),
    )


def record_of(current: arrays.Floats) -> r.CyclerRecord:
    rows = len(current)
    ones = np.ones(rows, dtype=np.int64)
    return r.CyclerRecord(1000 * np.arange(rows), ones, ones, current, np.full(rows, 3.7), np.full(rows, 25.0))


def test_measuring_scales_the_current_and_adds_the_noise_it_says() -> None:
    true = true_record()
    measured = r.measure(true, 3.0, CHANNEL, np.random.default_rng(1))
    assert np.std(measured.current - 3.0 * true.rate) == pytest.approx(0.001, rel=0.1)
    assert np.std(measured.voltage - true.voltage) == pytest.approx(0.001, rel=0.1)
    assert abs(np.mean(measured.voltage - true.voltage)) < 2e-4
    assert np.mean(measured.temperature) == pytest.approx(25.0, abs=0.2)


def test_measuring_keeps_the_clock_and_the_numbers() -> None:
    true = true_record()
    measured = r.measure(true, 3.0, CHANNEL, np.random.default_rng(1))
    assert measured.time_ms[0] == CHANNEL.start_ms
    assert np.array_equal(np.diff(measured.time_ms), np.full(len(true.rate) - 1, 10_000))
    assert np.array_equal(measured.step, true.step)
    assert np.array_equal(measured.cycle, true.cycle)


def test_measuring_rounds_to_the_digits_of_the_file() -> None:
    measured = r.measure(true_record(), 3.0, CHANNEL, np.random.default_rng(1))
    for name, digits in r.DIGITS.items():
        values = getattr(measured, name)
        assert np.array_equal(values, np.round(values, digits))
        assert not np.array_equal(values, np.round(values, digits - 1))


def test_charge_and_steps_of_a_true_record() -> None:
    true = true_record()
    charge_in_ah, charge_out_ah = true.charge_ah(2.0)
    assert charge_in_ah == pytest.approx(2 * 0.25 * 2.0 * 5000 / 3600, rel=0.01)
    assert charge_out_ah == pytest.approx(2 * 0.5 * 2.0 * 5000 / 3600, rel=0.01)
    assert true.steps == 4


def test_rows_near_an_edge_are_not_calm() -> None:
    current = np.concatenate([np.zeros(40), np.full(40, -1.0), np.full(40, -1.02)])
    calm = r.calm_rows(record_of(current), 2.0)
    assert not calm[:10].any()
    assert not calm[36:45].any()
    assert calm[10:36].all()
    assert calm[45:116].all()


def test_missing_values_are_empty_and_digits_are_fixed(tmp_path: Path) -> None:
    record = record_of(np.array([0.0, np.nan, -1.5]))
    r.write_csv(tmp_path / "a.csv", [r.csv_table(record, "CELL_A")])
    assert (tmp_path / "a.csv").read_text().splitlines() == [
        "datetime,cell_id,cycle,step,current_A,voltage_V,temperature_C",
        "1970-01-01 00:00:00.000,CELL_A,1,1,0.00000,3.70000,25.00",
        "1970-01-01 00:00:01.000,CELL_A,1,1,,3.70000,25.00",
        "1970-01-01 00:00:02.000,CELL_A,1,1,-1.50000,3.70000,25.00",
    ]


@given(
    values=hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(-900, 900).map(lambda x: round(x, 5))),
    start_ms=st.integers(0, 4_000_000_000_000),
)
def test_what_is_written_reads_back_to_the_digit(
    tmp_path_factory: pytest.TempPathFactory, values: arrays.Floats, start_ms: int
) -> None:
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    ones = np.ones(len(values), dtype=np.int64)
    time_ms = start_ms + 137 * np.arange(len(values))
    record = r.CyclerRecord(time_ms, ones, ones, values, values, np.round(values, 2))
    r.write_csv(path, [r.csv_table(record, "x")])
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["current_A"]) for row in rows] == values.tolist()
    assert [float(row["voltage_V"]) for row in rows] == values.tolist()
    stamps = [datetime.fromisoformat(row["datetime"]).replace(tzinfo=UTC).timestamp() * 1000 for row in rows]
    assert np.allclose(stamps, time_ms, atol=0.5)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")

    def failing() -> object:
        yield r.csv_table(record_of(np.zeros(3)), "a")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        r.write_csv(path, failing())  # type: ignore[arg-type]
    assert path.read_text() == "old"
