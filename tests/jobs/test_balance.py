"""Energy and capacity errors with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from kilocell.data.columns import STEP_TYPES
from kilocell.jobs.record.record import Record
from kilocell.jobs.simulation.compare import capacity_errors, cycle_balances

CAPACITY_AH = 5.0
DISCHARGE, CHARGE, REST = (STEP_TYPES.index(name) for name in ("discharge", "charge", "rest"))


def cycled(cycles: int = 2) -> Record:
    """In each cycle: 1 h charge at 5 A from 3 to 4 V, 1 h discharge at 5 A from 4 to 3 V, both linear; 10 s apart."""
    second = np.arange(0.0, 7200.0 * cycles + 1.0, 10.0)
    within = second % 7200.0
    charging = within < 3600.0
    voltage = np.where(charging, 3.0 + within / 3600.0, 5.0 - within / 3600.0)
    step = (second // 3600.0).astype(np.int32) + 1
    kind = np.where(charging, CHARGE, DISCHARGE).astype(np.int8)
    current = np.where(charging, 5.0, -5.0)
    flags, cycle = np.zeros(len(second), np.int64), ((step + 1) // 2).astype(np.int32)
    return Record(second, current, voltage, flags, cycle, step, kind).until_index(len(second) - 1)


def test_a_voltage_too_high_by_a_constant_has_that_energy_too_much() -> None:
    """0.1 V more in 5 A.h each way is 0.5 W.h more, in and out."""
    record = cycled(2)
    found = cycle_balances(record, record.voltage_volt + 0.1, np.zeros(len(record.time_second)), CAPACITY_AH)
    assert sorted(found) == [0, 1, 2]
    for count, cycle in ((2, found[0]), (1, found[1]), (1, found[2])):
        assert cycle.energy_in_measured_wh == pytest.approx(17.5 * count, rel=0.01)
        for measured, model in (
            (cycle.energy_in_measured_wh, cycle.energy_in_model_wh),
            (cycle.energy_out_measured_wh, cycle.energy_out_model_wh),
        ):
            assert measured is not None
            assert model is not None
            assert model - measured == pytest.approx(0.5 * count, rel=0.01)


def test_cycles_energies_add_up_to_the_records() -> None:
    record = cycled(3)
    model = record.voltage_volt + 0.02 * np.random.default_rng(1).standard_normal(len(record.time_second))
    found = cycle_balances(record, model, np.zeros(len(model)), CAPACITY_AH)
    for name in ("energy_in_measured_wh", "energy_in_model_wh", "energy_out_measured_wh", "energy_out_model_wh"):
        assert sum(getattr(found[cycle], name) for cycle in (1, 2, 3)) == pytest.approx(getattr(found[0], name))


def test_a_charge_alone_gives_no_energy_out() -> None:
    record = cycled(1).until_index(300)
    (whole, cycle) = cycle_balances(record, record.voltage_volt, np.zeros(300), CAPACITY_AH).values()
    assert cycle.energy_out_measured_wh == cycle.energy_out_model_wh == 0.0
    assert whole.capacity_error_ah is None


def test_the_charge_error_of_a_cycle_is_its_largest() -> None:
    record = cycled(2)
    off = np.where(record.cycle_count == 2, 3e-4, 1e-5)
    found = cycle_balances(record, record.voltage_volt, off, CAPACITY_AH)
    assert (found[0].charge_error, found[1].charge_error, found[2].charge_error) == (3e-4, 1e-5, 3e-4)


@pytest.mark.parametrize("shift", [-0.2, -0.05, 0.05, 0.2])
def test_a_model_that_is_empty_sooner_or_later_has_that_capacity_error(shift: float) -> None:
    """1 V in 5 A.h: a model lower by 0.05 V passes every voltage 0.25 A.h before the cell, and the other way round."""
    record = cycled(1)
    error, voltage = capacity_errors(record, record.voltage_volt + shift, CAPACITY_AH)[1]
    assert error == pytest.approx(5.0 * shift, rel=1e-6)
    assert voltage == pytest.approx(max(record.voltage_volt[-1], record.voltage_volt[-1] + shift))


def test_a_partial_discharge_measures_no_capacity() -> None:
    record = cycled(1)
    assert capacity_errors(record, record.voltage_volt, 2.1 * CAPACITY_AH) == {}
    assert capacity_errors(record.until_index(500), record.voltage_volt[:500], CAPACITY_AH) == {}


def test_a_model_below_the_end_from_the_start_has_no_capacity_error() -> None:
    record = cycled(1)
    assert capacity_errors(record, np.full(len(record.time_second), 2.0), CAPACITY_AH) == {}


def test_missing_voltages_do_not_end_a_discharge() -> None:
    record = cycled(1)
    record.voltage_volt[-5:] = np.nan
    error, voltage = capacity_errors(record, record.voltage_volt - 0.05, CAPACITY_AH)[1]
    assert error == pytest.approx(-0.25, rel=1e-6)
    assert voltage == pytest.approx(record.voltage_volt[-6])


def test_no_measured_voltage_at_all_has_no_balance() -> None:
    record = cycled(1)
    model = record.voltage_volt.copy()
    record.voltage_volt[:] = np.nan
    assert cycle_balances(record, model, np.zeros(len(model)), CAPACITY_AH) == {}
