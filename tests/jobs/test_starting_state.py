"""Starting states: where the open-circuit voltage is known, how well, and what a model makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from kilocell.data.errors import JobError
from kilocell.data.settings import CellSettings, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.data.state_certainty import is_beyond_range, is_state_uncertain
from kilocell.jobs.models.initial_state import StartingState, find_starting_state
from kilocell.jobs.models.simulation_case import resolve_simulation
from kilocell.jobs.record.charge import interval_charge_ah
from kilocell.jobs.record.known_states import OpenCircuitSample, end_of_rest_volt, find_known_state
from kilocell.jobs.record.record import Record, make_record
from kilocell.jobs.simulation.conditions import KnownStart, find_stretch_conditions
from kilocell.runner.show.states import has_uncertain_state
from numpy.typing import NDArray
from records import partition
from states_study import Protocol, simulate_cycle
from states_study import record as make_cycles

Floats = NDArray[np.float64]

TIME = np.arange(0.0, 7200.0, 30.0)


@pytest.mark.parametrize(("jump_volt", "decay_second"), [(0.0, 600.0), (-0.05, 300.0), (0.02, 1800.0)])
def test_a_rest_without_noise_ends_where_its_last_sample_is(jump_volt: float, decay_second: float) -> None:
    relaxing = 3.7 + jump_volt * np.exp(-TIME / decay_second)
    assert end_of_rest_volt(TIME, relaxing) == pytest.approx(relaxing[-1], abs=2e-4)


def test_one_noisy_sample_does_not_decide_the_state() -> None:
    relaxing = 3.7 - 0.05 * np.exp(-TIME / 600.0)
    noise = 0.002 * np.random.default_rng(5).standard_normal((200, len(TIME)))
    off = np.array([end_of_rest_volt(TIME, relaxing + one) for one in noise], dtype=np.float64) - relaxing[-1]
    assert np.sqrt(np.mean(off**2)) < 0.002 / 3.0


@pytest.mark.parametrize("samples", [1, 2, 8])
def test_a_short_rest_is_its_last_sample(samples: int) -> None:
    voltage = 3.7 + 0.001 * np.arange(samples, dtype=np.float64)
    voltage[: samples // 2] = np.nan
    assert end_of_rest_volt(TIME[:samples], voltage) == voltage[-1]


def record_of(time: Floats, current: Floats, voltage: Floats) -> Record:
    return make_record(partition(time, current, voltage))


def known(record: Record, first: int = 0) -> OpenCircuitSample:
    found = find_known_state(record, first, len(record.time_second), 2.0)
    assert found is not None
    return found


def relaxing(rest_second: float, decay_second: float, load_second: float = 1800.0) -> Record:
    """A load of 1C, a rest that relaxes from 3.5 to 3.6 V, and a load, at 10 s."""
    time = np.arange(0.0, 2.0 * load_second + rest_second, 10.0)
    resting = (time >= load_second) & (time < load_second + rest_second)
    relaxed = 3.6 - 0.1 * np.exp(-(time - load_second) / decay_second)
    return record_of(time, np.where(resting, 0.0, -2.0), np.where(resting, relaxed, 3.3))


@pytest.mark.parametrize("rest_second", [120.0, 300.0, 590.0, 1200.0, 3600.0])
@pytest.mark.parametrize("decay_second", [60.0, 400.0, 1500.0])
def test_what_is_left_of_a_relaxation_is_the_uncertainty(rest_second: float, decay_second: float) -> None:
    record = relaxing(rest_second, decay_second)
    found = known(record, first=len(record.time_second) - 1)
    assert found.is_rest
    error_mv = abs(1e3 * (found.voltage_volt - 3.6))
    assert error_mv < 2.0 * found.uncertainty_mv
    assert found.uncertainty_mv < 100.0


def test_a_short_rest_is_extrapolated() -> None:
    found = known(relaxing(300.0, 200.0), first=300)
    last = 3.6 - 0.1 * np.exp(-290.0 / 200.0)
    assert abs(found.voltage_volt - 3.6) < 0.9 * abs(last - 3.6)
    assert found.source.startswith("rest of 290 s at 2090 s, extrapolated from 3.57")


@pytest.mark.parametrize("stray", [1, 2])
def test_a_stray_sample_does_not_hide_a_rest(stray: int) -> None:
    """Samples with a current between the rest and the next step, as some cyclers log them, are no end of the rest."""
    edge = 1990.0 + 0.05 * np.arange(1.0, 4.0)
    time = np.concatenate([10.0 * np.arange(200.0), edge, 2000.0 + 10.0 * np.arange(100.0)])
    current = np.where(time < 1000.0, -2.0, np.where(time < 2000.0, 0.0, -1.0))
    current[200 : 200 + stray] = -1.5
    voltage = np.where(current == 0.0, 3.7, 3.4)
    # A rest of 990 s, although it is not the last sample without a current.
    found = known(record_of(time, current, voltage), first=204)
    assert found.is_rest
    assert found.voltage_volt == pytest.approx(3.7)
    assert found.uncertainty_mv == pytest.approx(0.2)
    # In the middle of it, too: neither half is 600 s long.
    current[200 : 200 + stray] = 0.0
    voltage[200 : 200 + stray] = 3.7
    current[150 : 150 + stray] = -1e-2 * np.array([1.5, 1.2])[:stray]
    voltage[150] = 3.69
    found = known(record_of(time, current, voltage), first=204)
    assert found.source.startswith("rest voltage 3.7000 V at 1990 s")


def test_a_loaded_voltage_is_called_one() -> None:
    time = np.arange(0.0, 3600.0, 10.0)
    current = np.where(time < 1800.0, -2.0, -1.0)
    voltage = 3.8 + 0.05 * current
    found = known(record_of(time, current, voltage))
    assert (found.index, found.is_rest) == (0, False)
    assert found.source == "no rest; first voltage 3.7000 V at 0 s, under a load of -2 A, taken as open circuit"
    assert found.uncertainty_mv == pytest.approx(300.0)  # three times 50 mohm at 2 A


def state(voltage: float, celsius: float, base: str = "Chen2020") -> StartingState:
    settings = SimulateSettings(CellSettings("CELL"), ModelSettings("SPM", "SPM"), ParameterSetSettings(base, base))
    rest = OpenCircuitSample(0, voltage, 0.5, f"rest voltage {voltage:.4f} V at 0 s")
    return find_starting_state(resolve_simulation(settings, None), rest, 0.0, 0.0, celsius)


def test_a_rest_beyond_the_limits_is_reported_and_not_moved() -> None:
    above = state(4.23, 25.0)
    assert above.voltage_volt == pytest.approx(4.23, abs=1e-6)
    assert above.soc > 1.0
    assert above.source.endswith("30 mV beyond the set's upper limit of 4.2 V")
    assert is_beyond_range(above.source)
    row = {"initial_state_source": above.source, "state_uncertainty_mv": 0.2, "state_uncertainty_soc": 1e-4}
    # It was said beside an error of 0.1 mV only, since its voltage is known well.
    assert has_uncertain_state({**row, "rmse_mv": 40.0})
    assert not has_uncertain_state({**row, "rmse_mv": 40.0, "initial_state_source": "rest voltage 4.1 V at 60 s"})
    assert not is_beyond_range(state(4.2 + 4e-15, 25.0).source)  # rounding
    below = state(2.46, 25.0)
    assert below.voltage_volt == pytest.approx(2.46, abs=1e-4)
    assert below.source.endswith("40 mV beyond the set's lower limit of 2.5 V")
    # Where the set's electrodes end, the state is moved there, and its uncertainty says by how much.
    moved = state(3.64, 25.0, "Ramadass2004")
    assert "beyond" not in moved.source
    moved = state(4.25, 25.0, "Ramadass2004")
    assert "where the set's range ends at this temperature (50 mV off)" in moved.source
    assert moved.uncertainty_mv == pytest.approx(50.5, abs=0.1)
    with pytest.raises(JobError, match=r"outside the set's window of 2\.5 to 4\.2 V"):
        state(4.4, 25.0)


@pytest.mark.parametrize(("voltage", "celsius"), [(4.2, 45.0), (2.8, 0.0), (4.2, 0.0), (2.8, 45.0)])
def test_a_full_and_an_empty_cell_start_at_their_voltage_at_any_temperature(voltage: float, celsius: float) -> None:
    """The window is for the reference temperature: they started up to 25 mV too low, or 108 mV too high."""
    found = state(voltage, celsius, "Mohtat2020")
    assert found.voltage_volt == pytest.approx(voltage, abs=1e-4)
    assert found.source == f"rest voltage {voltage:.4f} V at 0 s"


def warm_after_cold(cold: float, warm: float) -> Record:
    """An hour at rest at one temperature, half an hour of 0.2C, and the same of charge at another."""
    time = np.arange(0.0, 7200.0, 60.0)
    current = np.where(time < 3600.0, 0.0, np.where(time < 5400.0, -1.0, 0.8))
    frame = partition(time, current, np.full(len(time), 4.0))
    frame["surface_temperature_celsius"] = np.where(time < 5400.0, cold, warm)
    return make_record(frame)


@pytest.mark.parametrize(("cold", "warm"), [(8.0, 43.0), (45.0, 10.0), (25.0, 25.2)])
def test_a_rest_voltage_belongs_to_the_temperature_of_the_rest(cold: float, warm: float) -> None:
    """It was taken as one at the temperature of the selected cycle: 15 mV off from 8 to 43 degC."""
    record = warm_after_cold(cold, warm)
    settings = SimulateSettings(
        CellSettings("CELL"), ModelSettings("SPM", "SPM"), ParameterSetSettings("Mohtat2020", "Mohtat2020")
    )
    case = resolve_simulation(settings, None)
    first = int(np.searchsorted(record.time_second, 5400.0))
    start = KnownStart(known(record), first)
    conditions = find_stretch_conditions(record, record.from_index(first), first, start, case)
    assert conditions.temperature.celsius == pytest.approx(warm)
    counted_ah = interval_charge_ah(record.time_second, record.current_ampere, record.flags)[:first].sum()
    at_rest = state(4.0, cold if abs(cold - warm) > 0.5 else warm, "Mohtat2020")
    capacity = 5.0  # of the set between its cut-offs, to 0.2 %
    assert conditions.state.soc == pytest.approx(at_rest.soc + counted_ah / capacity, abs=1e-3)
    assert (f"at {cold:.1f} °C" in conditions.state.source) == (abs(cold - warm) > 0.5)


def test_a_given_temperature_holds_at_the_rest_too() -> None:
    record = warm_after_cold(8.0, 43.0)
    cell = CellSettings("CELL", temperature_celsius=25.0)
    settings = SimulateSettings(cell, ModelSettings("SPM", "SPM"), ParameterSetSettings("Mohtat2020", "Mohtat2020"))
    case = resolve_simulation(settings, None)
    conditions = find_stretch_conditions(record, record, 0, KnownStart(known(record), 0), case)
    assert conditions.state.soc == pytest.approx(state(4.0, 25.0, "Mohtat2020").soc)


def test_a_flat_open_circuit_voltage_says_little_about_the_charge() -> None:
    flat = state(3.3, 25.0, "Prada2013")
    steep = state(3.9, 25.0)
    assert flat.uncertainty_mv == steep.uncertainty_mv == 0.5
    assert flat.uncertainty_soc is not None
    assert steep.uncertainty_soc is not None
    assert flat.uncertainty_soc > 2.0 * steep.uncertainty_soc


@pytest.mark.parametrize("protocol", [Protocol(0.0, 1.0, 0.0), Protocol(60.0, 1.0, 0.0), Protocol(30.0, 2.0, 0.0)])
@pytest.mark.parametrize("selection", ["all", "2"])
def test_a_record_that_begins_under_load_starts_from_what_the_model_says_and_says_so(
    protocol: Protocol, selection: str
) -> None:
    """It began up to 150 mV off, silently."""
    result = simulate_cycle(make_cycles(protocol), selection)
    assert abs(result.worst_mv) < 3.0
    assert "by the model" in result.initial_state_source
    if protocol.rest_second == 0.0:
        assert result.initial_state_source.startswith("no rest; voltage 3.9920 V at 0 s under a load of -5 A, by the")
    assert result.state_uncertainty_mv is not None
    assert is_state_uncertain(result.state_uncertainty_mv, result.state_uncertainty_soc, result.rmse_mv)


@pytest.mark.parametrize("protocol", [Protocol(0.0, 1.0), Protocol(60.0, 2.0), Protocol(300.0, 0.5)])
def test_a_selected_cycle_without_a_long_rest_is_simulated_right(protocol: Protocol) -> None:
    """It took the loaded voltage as the open-circuit voltage: 60 to 250 mV off with the model that made the record."""
    result = simulate_cycle(make_cycles(protocol), "2")
    assert abs(result.worst_mv) < 3.0
    assert result.charge_error < 5e-4
    assert "solved from 1790 s on" in result.initial_state_source
    assert result.state_uncertainty_mv is not None
    assert result.state_uncertainty_mv < 3.0
