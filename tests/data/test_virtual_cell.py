"""The DFN behind the synthetic cells does what protocol and truth say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from kilocell.data.synthetic import virtual_cell as v
from kilocell.data.synthetic.cycler import TrueRecord
from kilocell.data.synthetic.generate import generator
from kilocell.data.synthetic.protocols import Protocol, Segment, cccv, discharge, pulse, rest

SHORT = Protocol(
    "short",
    "rest, discharge, pulse, rest, charge",
    4.1,
    (
        (rest(1, 5), discharge(2, 0.5, None, 10), pulse(3, -1.0), rest(4, 5)),
        (*cccv(1, 0.5, 4.18), discharge(3, 1.0, 4.0)),
    ),
)


@pytest.fixture(scope="module")
def cell() -> v.VirtualCell:
    return v.VirtualCell(replace(v.CHEMISTRIES[0], protocol=SHORT))


@pytest.fixture(scope="module")
def solved(cell: v.VirtualCell) -> v.LibraryRecord:
    return cell.solve({}, 0.0)


def rows_of(record: TrueRecord, cycle: int, step: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    chosen: np.ndarray[tuple[int], np.dtype[np.bool_]] = (record.cycle == cycle) & (record.step == step)
    return chosen


def test_a_record_starts_at_rest_at_the_protocols_voltage(solved: v.LibraryRecord) -> None:
    record = solved.record
    assert record.time_second[0] == 0
    assert np.allclose(record.voltage[rows_of(record, 1, 1)], 4.1, atol=1e-4)
    assert np.all(np.abs(record.rate[rows_of(record, 1, 1)]) < 1e-9)
    assert 0.8 < solved.initial_soc < 0.95
    assert solved.capacity_per_ah == pytest.approx(5.153 / 5, abs=1e-3)


def test_currents_are_held_and_positive_charges(solved: v.LibraryRecord) -> None:
    record = solved.record
    assert np.allclose(record.rate[rows_of(record, 1, 2)], -0.5)
    assert np.allclose(record.rate[rows_of(record, 1, 3)], -1.0)
    assert np.allclose(record.rate[rows_of(record, 2, 1)], 0.5)
    assert np.all(np.diff(record.voltage[rows_of(record, 1, 2)]) < 0)


def test_limits_end_their_segments(solved: v.LibraryRecord) -> None:
    record = solved.record
    assert record.voltage[rows_of(record, 2, 1)][-1] == pytest.approx(4.18, abs=1e-4)
    assert record.voltage[rows_of(record, 2, 3)][-1] == pytest.approx(4.0, abs=1e-4)
    hold = rows_of(record, 2, 2)
    assert np.allclose(record.voltage[hold], 4.18, atol=1e-4)
    assert record.rate[hold][-1] == pytest.approx(0.05, abs=1e-3)
    assert np.all(np.diff(record.rate[hold]) < 0)


def test_time_runs_on_and_edges_are_sampled_densely(solved: v.LibraryRecord) -> None:
    record = solved.record
    assert np.all(np.diff(record.time_second) > 0.05)
    edges = np.flatnonzero(np.diff(record.step) != 0)
    assert np.allclose(np.diff(record.time_second)[edges], 0.1, atol=1e-6)
    assert record.steps == 7


def test_charge_of_the_rows_is_the_charge_of_the_protocol(solved: v.LibraryRecord) -> None:
    first = solved.record.cycle == 1
    part = TrueRecord(*(getattr(solved.record, name)[first] for name in TrueRecord.__slots__))
    charge_in_ah, charge_out_ah = part.charge_ah(5.0)
    assert charge_in_ah == 0
    assert charge_out_ah == pytest.approx(5.0 * (0.5 * 600 + 1.0 * 10) / 3600, rel=5e-4)


def test_one_model_serves_many_draws_and_they_do_not_leak(cell: v.VirtualCell, solved: v.LibraryRecord) -> None:
    slow = cell.solve(dict.fromkeys(v.DIFFUSIVITIES, 0.5), 0.0)
    contact = cell.solve({}, 0.02)
    again = cell.solve({}, 0.0)
    assert np.allclose(again.record.voltage, solved.record.voltage, atol=1e-5)
    # Slower diffusion and a contact resistance both lower the voltage at the end of the discharge.
    last = np.flatnonzero(rows_of(solved.record, 1, 2))[-1]
    assert slow.record.voltage[last] < solved.record.voltage[last] - 0.002
    assert contact.record.voltage[last] == pytest.approx(solved.record.voltage[last] - 0.5 * 0.02, abs=1e-4)


def test_less_active_material_is_less_capacity(cell: v.VirtualCell, solved: v.LibraryRecord) -> None:
    aged = cell.solve(dict.fromkeys(v.FRACTIONS, 0.95), 0.0)
    assert aged.capacity_per_ah == pytest.approx(0.95 * solved.capacity_per_ah, rel=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_perturbations_are_moderate(seed: int) -> None:
    scales, contact_volt = v.draw_perturbation(v.CHEMISTRIES[1], np.random.default_rng(seed))
    assert all(0.5 <= scales[name] <= 2**-0.5 or 2**0.5 <= scales[name] <= 2 for name in v.DIFFUSIVITIES)
    assert all(0.95 <= scales[name] <= 1 for name in v.FRACTIONS)
    assert 0.005 <= contact_volt <= 0.025


def test_the_cell_to_fit_differs_in_its_diffusivities_only() -> None:
    scales, contact_volt = v.draw_perturbation(v.CHEMISTRIES[0], generator(7, 0, 0, 0))
    assert set(scales) == set(v.DIFFUSIVITIES)
    assert contact_volt == 0


@pytest.mark.parametrize(
    ("segment", "seconds"),
    [
        (Segment(1, "current", 0.0, 30.0, None, 10.0), [0.1, 1, 2, 5, 10, 20, 30]),
        (Segment(1, "current", 0.0, 25.0, None, 10.0), [0.1, 1, 2, 5, 10, 20, 25]),
        (Segment(1, "current", 1.0, 3.0, None, 1.0), [0.1, 1, 2, 3]),
        (Segment(1, "current", 1.0, 5.0, None, 2.0), [0.1, 1, 2, 4, 5]),
    ],
)
def test_samples_of_a_segment(segment: Segment, seconds: list[float]) -> None:
    assert v.sample_seconds(segment).tolist() == seconds
