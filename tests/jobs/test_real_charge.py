"""The charge of real records against the counters of their cyclers, which are within the bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from kilocell.data import columns as c
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import Cleaned, clean
from raw_records import file_rows, findings

RECORDS: Final[dict[str, tuple[float, float]]] = {
    # A step of constant current with a little noise is no hold.
    "formats_pyprobe/biologic/Sample_data_biologic_timestamped.txt": (1e-4, 1e-4),
    # Share by which charge and counter may differ. The Arbin counter differs by 0.1 % at a constant current already.
    "lgm50_digatron/25degC/Cell783_0p1C_25degC.csv": (2e-4, 5e-5),
    "lgm50_digatron/25degC/Cell786_0p5C_25degC.csv": (2e-4, 5e-5),
    "lgm50_digatron/0degC/Cell788_0p5C_0degC.csv": (2e-4, 1e-4),
    "arbin_a123/arbin_example.csv": (1e-3, 2e-3),
    "formats_pyprobe/novonix/sample_data_novonix.csv": (1e-5, 1e-5),
    "formats_cellpy/data/neware_uio.csv": (1e-4, 1e-4),
    "formats_pyprobe/biologic/Sample_data_biologic_01_MB_CA1.txt": (1e-4, 1e-4),
    "neware_melasta/star-2/raw_data_output_from_cycler.csv": (1e-5, 1e-5),
}


def cleaned(path: Path) -> Cleaned:
    return clean(read_raw(path, guess_settings(path)), "CELL", CleanSettings())


@pytest.mark.parametrize("name", RECORDS)
def test_charge_and_counters_agree(shared_data: Path, name: str) -> None:
    result = cleaned(shared_data / name)
    report: Any = result.report  # all bounds are given here
    assert report.charge_in_counted_ah is not None
    assert report.charge_out_counted_ah is not None
    share_in, share_out = RECORDS[name]
    assert report.charge_in_after_ah == pytest.approx(report.charge_in_counted_ah, rel=share_in, abs=1e-7)
    assert report.charge_out_after_ah == pytest.approx(report.charge_out_counted_ah, rel=share_out, abs=1e-7)
    assert report.charge_in_low_ah <= report.charge_in_counted_ah <= report.charge_in_high_ah
    assert report.charge_out_low_ah <= report.charge_out_counted_ah <= report.charge_out_high_ah
    assert findings(result, "charge_uncertain") == []
    assert findings(result, "capacity_counter") == []


@pytest.mark.parametrize("name", RECORDS)
def test_edges_bring_the_charge_nearer_to_the_counter(shared_data: Path, name: str) -> None:
    report = cleaned(shared_data / name).report
    counted = np.array([report.charge_in_counted_ah, report.charge_out_counted_ah], dtype=np.float64)
    before = np.array([report.charge_in_before_ah, report.charge_out_before_ah])
    after = np.array([report.charge_in_after_ah, report.charge_out_after_ah])
    allowed = 5e-4 * counted.sum()
    assert np.abs(after - counted).sum() <= np.abs(before - counted).sum() + allowed


def test_an_impedance_test_of_a_pouch_is_called_uncertain(shared_data: Path) -> None:
    """Its cycle of pulses has no first rows, and a counter that sometimes runs on and sometimes down."""
    path = shared_data / "arbin_a123/batterydata/p492-13-raw.csv"
    result = cleaned(path)
    assert findings(result, "charge_uncertain")
    assert findings(result, "capacity_counter") == []
    others = [cycle for cycle in result.cycles if cycle.cycle_count < 5]
    for cycle in others:
        assert cycle.charge_out_counted_ah is not None
        assert cycle.charge_out_ah == pytest.approx(cycle.charge_out_counted_ah, rel=2e-3, abs=1e-6)


def test_rows_of_a_real_record_stay(shared_data: Path) -> None:
    path = shared_data / "arbin_a123/arbin_example.csv"
    raw = read_raw(path, guess_settings(path))
    rows = file_rows(clean(raw, "CELL", CleanSettings()).samples)
    for column in (c.VOLTAGE, c.CURRENT):
        np.testing.assert_array_equal(rows[column], raw[column])
