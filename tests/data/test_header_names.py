"""What names in headers mean."""

from __future__ import annotations

import numpy as np
import pytest
from kilocell.data import columns as c
from kilocell.data.readers.column_names import guess_cell_column, guess_columns, names_and_units


@pytest.mark.parametrize(
    ("name", "target", "unit"),
    [
        ("Test_Time(s)", c.TEST_TIME, "s"),
        ("test_time_s", c.TEST_TIME, "s"),
        ("time/s", c.TEST_TIME, "s"),
        ("Time [h]", c.TEST_TIME, "h"),
        ("Test Time / ms", c.TEST_TIME, "ms"),
        ("~Time[s]", c.TEST_TIME, "s"),
        ("test_time_second", c.TEST_TIME, "s"),
        ("Current(A)", c.CURRENT, "A"),
        ("current_A", c.CURRENT, "A"),
        ("I/mA", c.CURRENT, "mA"),
        ("<I>/mA", c.CURRENT, "mA"),
        ("Current / A", c.CURRENT, "A"),
        ("current_ampere", c.CURRENT, "A"),
        ("Current", c.CURRENT, ""),
        ("Voltage(V)", c.VOLTAGE, "V"),
        ("Ecell/V", c.VOLTAGE, "V"),
        ("U[V]", c.VOLTAGE, "V"),
        ("voltage_mV", c.VOLTAGE, "mV"),
        ("Voltage / V", c.VOLTAGE, "V"),
        ("voltage_volt", c.VOLTAGE, "V"),
        ("Cycle_Index", c.CYCLE_ID, ""),
        ("cycle", c.CYCLE_ID, ""),
        ("Cycle Count / 1", c.CYCLE_ID, ""),
        ("Cycle C", c.CYCLE_ID, ""),
        ("Step_Index", c.STEP_ID, ""),
        ("step", c.STEP_ID, ""),
        ("temperature_C", c.SURFACE_TEMPERATURE, "C"),
        ("Temperature (°C)", c.SURFACE_TEMPERATURE, "°C"),
        ("Temperature [K]", c.SURFACE_TEMPERATURE, "K"),
        ("T1(℃)", c.SURFACE_TEMPERATURE, "degC"),
        ("T [degC]", c.SURFACE_TEMPERATURE, "degC"),
        ("Ambient Temperature / degC", c.AMBIENT_TEMPERATURE, "degC"),
        ("chamber_temperature_C", c.AMBIENT_TEMPERATURE, "C"),
        ("Charge_Capacity(Ah)", c.CHARGING_CAPACITY, "Ah"),
        ("Discharging Capacity / Ah", c.DISCHARGING_CAPACITY, "Ah"),
        ("Q discharge/mA.h", c.DISCHARGING_CAPACITY, "mA.h"),
        ("DChg. Cap.(Ah)", c.DISCHARGING_CAPACITY, "Ah"),
        ("Ah-Cyc-Charge", c.CHARGING_CAPACITY, ""),
        ("Ah-Cyc-Discharge", c.DISCHARGING_CAPACITY, ""),
        ("Step_Time(s)", c.STEP_TIME, "s"),
        ("Step Time", c.STEP_TIME, ""),
        ("Time in Step(s)", c.STEP_TIME, "s"),
        ("StepTime", c.STEP_TIME, ""),
        ("Step (Sec)", c.STEP_TIME, "s"),
        ("Step Time (h:m:s)", c.STEP_TIME, ""),
        ("Step Time (Seconds)", c.STEP_TIME, "s"),
        ("step time/s", c.STEP_TIME, "s"),
        ("t-Step[h]", c.STEP_TIME, "h"),
        ("Step Time / s", c.STEP_TIME, "s"),
        ("Step", c.STEP_ID, ""),
        ("Amp-hr", c.STEP_CAPACITY, ""),
        ("Cap. [Ah]", c.STEP_CAPACITY, "Ah"),
        ("Capacity(Ah)", c.STEP_CAPACITY, "Ah"),
        ("Capacity/mA.h", c.STEP_CAPACITY, "mA.h"),
        ("Ah-Step", c.STEP_CAPACITY, ""),
        ("Q charge/discharge/mA.h", c.STEP_CAPACITY, "mA.h"),
        ("(Q-Qo)/mA.h", c.NET_CAPACITY, "mA.h"),
        ("Ah[Ah]", c.NET_CAPACITY, "Ah"),
    ],
)
def test_names_of_cyclers_and_labs(name: str, target: str, unit: str) -> None:
    found = guess_columns(["?", name], [("x", "1.5"), ("x", "2")])
    assert [(mapping.target, mapping.column, mapping.unit) for mapping in found] == [(target, name, unit)]


@pytest.mark.parametrize(
    "name",
    ["Current(kA)", "Voltage(F)", "Temperature (°F)", "Step (V)", "Energy(Wh)", "Ah", "dV/dt(V/s)", "V1(V)", "T"],
)
def test_what_is_not_known_is_not_guessed(name: str) -> None:
    assert guess_columns([name], [("1.5",), ("2",)]) == ()


@pytest.mark.parametrize(
    ("name", "value", "target", "unit"),
    [
        ("datetime", "2020-08-20 11:14:28.089", c.UNIX_TIME, ""),
        ("timestamp", "2020-08-20T11:14:28Z", c.UNIX_TIME, ""),
        ("timestamp", "1597922068", c.UNIX_TIME, ""),
        ("timestamp", "1597922068089", c.UNIX_TIME, "ms"),
        ("timestamp", "12.5", c.TEST_TIME, ""),
        ("Unix Time / ms", "1597922068089", c.UNIX_TIME, "ms"),
        ("time", "2020-08-20 11:14:28", c.UNIX_TIME, ""),
        ("time", "11:14:28", c.TEST_TIME, ""),
        ("Date_Time", "08/20/2020 11:14:28.5", c.UNIX_TIME, "%m/%d/%Y"),
        ("Date", "20.08.2020 11:14:28", c.UNIX_TIME, "%d.%m.%Y"),
        ("DPT Time", "23-Nov-23 3:56:11 PM", c.UNIX_TIME, "%d-%b-%y"),
    ],
)
def test_values_tell_a_date_from_a_test_time(name: str, value: str, target: str, unit: str) -> None:
    found = guess_columns([name], [(value,)])
    assert [(mapping.target, mapping.unit) for mapping in found] == [(target, unit)]


@pytest.mark.parametrize(("name", "value"), [("date", "2020-08-20"), ("date_stamp", "43374.42"), ("Datenum_d", "7e5")])
def test_days_are_no_clock(name: str, value: str) -> None:
    assert guess_columns([name], [(value,)]) == ()


def test_total_time_goes_before_step_time() -> None:
    found = guess_columns(["Time(s)", "Total Time(s)"], [("1", "2")])
    # Beside a total time, the other one is the time within the step: further evidence, not a test time.
    assert [(m.target, m.column) for m in found] == [(c.TEST_TIME, "Total Time(s)"), (c.STEP_TIME, "Time(s)")]


@pytest.mark.parametrize("names", [("Time(s)", "Voltage(V)"), ("Time", "Date"), ("Test Time", "Time")])
def test_time_is_the_time_of_the_step_only_beside_a_total_time(names: tuple[str, str]) -> None:
    found = guess_columns(names, [("1", "2"), ("2", "3")])
    assert c.STEP_TIME not in {mapping.target for mapping in found}
    assert c.TEST_TIME in {mapping.target for mapping in found}


def test_a_counter_of_words_is_left_out() -> None:
    found = guess_columns(["Voltage(V)", "Capacity(Ah)", "Step Time"], [("3.6", "n.d.", "?"), ("3.7", "n.d.", "?")])
    assert [mapping.target for mapping in found] == [c.VOLTAGE]


def test_each_column_is_used_once() -> None:
    found = guess_columns(["time", "T [K]", "V", "I", "cycle"], [("1", "298", "3", "1", "1")])
    assert len({mapping.column for mapping in found}) == len(found) == 5


@pytest.mark.parametrize("name", ["cell_id", "Cell ID", "cell", "barcode", "Channel", "battery_id"])
def test_columns_with_cell_ids(name: str) -> None:
    assert guess_cell_column(["step", name], [("1", "x")]) == name


def test_the_better_name_wins_and_an_empty_column_does_not_count() -> None:
    assert guess_cell_column(["Channel", "Cell ID"], [("1", "x")]) == "Cell ID"
    assert guess_cell_column(["Channel", "Cell ID"], [("1", " "), ("1", "")]) == "Channel"
    assert guess_cell_column(["voltage_V"], [("1",)]) is None


def test_units_stand_in_brackets_after_a_slash_or_at_the_end() -> None:
    assert names_and_units("Test_Time(s)") == (("testtime", "s"),)
    assert names_and_units("I/mA") == (("i", "mA"),)
    assert names_and_units("current_A") == (("current", "A"), ("currenta", ""))
    assert names_and_units("Current(kA)") == ()


@pytest.mark.parametrize(
    ("names", "voltage"),
    [
        (("Ewe/V", "Ece/V", "Ewe-Ece/V"), "Ewe-Ece/V"),
        (("Ewe-Ece/V", "Ewe/V", "Ece/V"), "Ewe-Ece/V"),
        (("<Ewe>/V", "<Ece>/V", "<Ewe-Ece>/V"), "<Ewe-Ece>/V"),
        (("Ewe/mV", "Ewe - Ece/mV"), "Ewe - Ece/mV"),
        (("Ewe [V]", "Ewe-Ece [V]"), "Ewe-Ece [V]"),
        (("Ewe/V", "Ecell/V"), "Ecell/V"),
        # Ewe alone is one electrode: the cell's voltage is the difference.
        (("Ewe/V", "Ece/V"), "Ewe/V - Ece/V"),
        (("<Ece>/mV", "<Ewe>/mV"), "<Ewe>/mV - <Ece>/mV"),
        (("Ewe/V", "Ece/mV"), "Ewe/V"),
        (("control/V", "<Ewe>/V"), "<Ewe>/V"),
    ],
)
def test_the_voltage_of_the_cell_goes_before_that_of_one_electrode(names: tuple[str, ...], voltage: str) -> None:
    found = guess_columns(names, [("3.6", "3.7", "3.8")[: len(names)]])
    assert [(mapping.target, mapping.column) for mapping in found] == [(c.VOLTAGE, voltage)]


def units_of_times(names: list[str], factors: tuple[float, float], form: str = "{:.4f}") -> dict[str, str]:
    since = np.tile(np.arange(1.0, 9.0) * 30.0, 3)
    times = np.arange(1.0, 25.0) * 30.0
    rows = [(form.format(a * factors[0]), f"{b * factors[1]:.4f}") for a, b in zip(times, since, strict=True)]
    return {mapping.target: mapping.unit for mapping in guess_columns(names, rows)}


@pytest.mark.parametrize(
    ("factor", "unit"),
    [(60.0, "units of 1/60 s"), (1 / 60.0, "min"), (1e3, "ms"), (1e6, "us"), (1 / 3600.0, "h"), (1.0, ""), (7.0, "")],
)
def test_a_named_unit_settles_that_of_the_other_time(factor: float, unit: str) -> None:
    form = "{:.9f}"
    assert units_of_times(["time", "Step_Time(s)"], (factor, 1.0), form)[c.TEST_TIME] == unit
    # Both without a unit, and both with one: nothing is settled here.
    assert units_of_times(["time", "Step_Time"], (factor, 1.0), form)[c.TEST_TIME] == ""
    assert units_of_times(["time/s", "Step_Time(s)"], (factor, 1.0), form)[c.TEST_TIME] == "s"


def test_a_named_unit_of_the_test_time_settles_that_of_the_step_time() -> None:
    assert units_of_times(["Test_Time(h)", "Step_Time"], (1.0 / 3600.0, 1.0 / 60.0), "{:.9f}") == {
        c.TEST_TIME: "h",
        c.STEP_TIME: "min",
    }


@pytest.mark.parametrize(
    ("value", "target"),
    [("{}", c.TEST_TIME), ("17{:08d}", c.UNIX_TIME), ("17{:08d}000", c.UNIX_TIME), ("17{:08d}000000", c.UNIX_TIME)],
)
@pytest.mark.parametrize("name", ["time", "timestamp"])
def test_large_numbers_from_zero_are_a_test_time(name: str, value: str, target: str) -> None:
    step = 30_000_000 if target == c.TEST_TIME else 30
    rows = [(value.format(step * k),) for k in range(1, 41)]
    assert [mapping.target for mapping in guess_columns([name], rows)] == [target]
