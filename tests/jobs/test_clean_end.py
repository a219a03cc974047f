"""Records that hold no current, that end before their test does, or that hold more than a test of the cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.errors import JobError, NothingToSimulateError
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.rules import flag_bit
from kilocell.data.settings import CellSettings, CleanSettings, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.jobs.cleaning.clean import Cleaned, clean
from kilocell.jobs.record.cycles import summarise_cycles
from kilocell.jobs.record.usable_current import require_current
from kilocell.jobs.simulation.simulate import simulate
from raw_records import SETTINGS, assert_same_signal, cleaned, cycling, findings, raw_table, seen, with_values

RAW = cycling(4, noise_volt=0.0003)
ONE = 780  # samples of a cycle


@pytest.mark.parametrize("rows", [2 * ONE + 200, 3 * ONE + 200, 3 * ONE + 530])
def test_a_record_that_ends_in_the_middle_of_a_step(rows: int) -> None:
    raw = RAW.iloc[:rows]
    result = cleaned(raw)
    told = findings(result, "aborted_test")
    assert told[0].before.startswith("ends at ")
    assert (told[0].severity, told[0].action, told[0].source_row) == ("warning", "reported", rows - 1)
    assert_same_signal(result, raw)
    flags = result.samples[c.FLAGS].to_numpy() & flag_bit("aborted_test")
    assert list(np.flatnonzero(flags)) == [rows - 1]


@pytest.mark.parametrize("rows", [3 * ONE, 4 * ONE, 2 * ONE + 480, 4 * ONE - 180])
def test_a_record_that_ends_after_a_step_is_not_broken_off(rows: int) -> None:
    assert not [f for f in findings(cleaned(RAW.iloc[:rows]), "aborted_test") if f.before.startswith("ends")]


def test_a_last_cycle_that_its_fellows_go_beyond() -> None:
    (found,) = findings(cleaned(RAW.iloc[: 3 * ONE + 480]), "aborted_test")  # no discharge in the last cycle
    assert (found.cycle_count, found.rows, found.severity) == (4, 480, "info")
    assert found.before == "last cycle: 0 A.h out of 0.6667"


def test_real_records_cut_in_the_middle_of_a_step(shared_data: Path) -> None:
    found = tried = 0
    for name in ("neware_melasta/star-2/raw_data_output_from_cycler.csv", "arbin_a123/arbin_example.csv",
                 "lgm50_digatron/25degC/Cell785_0p5C_25degC.csv"):  # fmt: skip
        raw = read_raw(shared_data / name, guess_settings(shared_data / name))
        good = clean(raw, "CELL", CleanSettings())
        assert "aborted_test" not in seen(good), name
        step, kind = good.samples[c.STEP_COUNT].to_numpy(), good.samples[c.STEP_TYPE].to_numpy()
        size = good.samples.groupby(c.STEP_COUNT).size()
        for number in np.unique(step[np.isin(kind, ["charge", "discharge"])]):
            if size[number] < 50 or number <= 4:
                continue  # nothing in the record says where the first steps should have ended
            middle = int(np.searchsorted(step, number) + 0.5 * size[number])
            cut = raw.iloc[: int(good.samples[c.SOURCE_ROW].iloc[middle])]
            tried += 1
            found += "aborted_test" in seen(clean(cut, "CELL", CleanSettings()))
    assert tried >= 8
    assert found >= 0.8 * tried


def resting(current: float = 0.0) -> pd.DataFrame:
    return with_values(
        with_values(RAW.iloc[:ONE], slice(None), c.VOLTAGE, 3.7 + 1e-4 * np.sin(np.arange(ONE))),
        slice(None), c.CURRENT, current,
    )  # fmt: skip


def unwritten() -> pd.DataFrame:
    """A record whose current is zero throughout, while the voltage moves by more than half a volt."""
    return with_values(
        with_values(RAW, slice(None), c.CURRENT, 0.0), slice(None), c.VOLTAGE, 2.0 * RAW[c.VOLTAGE] - 3.7
    )


def test_a_cell_that_only_rests() -> None:
    result = cleaned(resting(0.002))
    (found,) = findings(result, "rest_only")
    assert (found.severity, found.after, found.rows) == ("warning", "nothing to simulate", ONE)
    assert "rest_only" not in seen(cleaned(RAW))


def test_a_current_that_was_never_written() -> None:
    (found,) = findings(cleaned(unwritten()), "rest_only")
    assert (found.severity, found.after) == ("error", "a current that is missing or too coarse")


def asked(capacity: float) -> SimulateSettings:
    cell = CellSettings("CELL", nominal_capacity_ah=capacity)
    return SimulateSettings(cell, ModelSettings("SPM", "SPM"), ParameterSetSettings("Chen2020", "Chen2020"))


def test_what_cannot_be_simulated_is_skipped_with_the_reason() -> None:
    gone = RAW.assign(**{c.CURRENT: RAW[c.CURRENT].where(RAW.index < 500)})
    zero = unwritten()
    tiny = zero.assign(**{c.CURRENT: np.full(len(zero), 2e-6)})
    cases = ((resting(), "rest_only"), *((raw, "no_usable_current") for raw in (gone, zero, tiny)))
    for raw, code in cases:
        with pytest.raises(NothingToSimulateError, match="nothing to simulate") as caught:
            simulate(cleaned(raw).samples, asked(2.0), None)
        assert caught.value.code == code


def test_little_current_in_a_cell_that_moves_is_no_rest() -> None:
    require_current(np.full(100, 0.001), np.linspace(4.0, 3.0, 100), 5.0)
    require_current(np.append(np.zeros(99), 0.5), np.full(100, 3.7), 5.0)


@pytest.fixture(scope="module")
def pouch(shared_data: Path) -> Cleaned:
    path = shared_data / "arbin_a123/batterydata/p492-13-raw.csv"
    return clean(read_raw(path, guess_settings(path)), "CELL", CleanSettings(nominal_capacity_ah=0.021))


def test_a_record_with_impedance_rows_is_cleaned_and_counted(pouch: Cleaned) -> None:
    report, samples = pouch.report, pouch.samples
    assert (report.rows_in, report.rows_kept, report.rows_quarantined) == (2021, 1943, 78)
    assert set(pouch.quarantined["rule"]) == {"impedance_row"}
    assert (pouch.quarantined[c.VOLTAGE] < 0.0).all()
    assert samples[c.VOLTAGE].between(2.9, 4.2).all()
    assert samples[c.CURRENT].notna().all()
    assert set(samples[c.STEP_TYPE]) == {"rest", "charge", "discharge", "hold", "pulse"}
    assert not seen(pouch) & {"lost_contact", "voltage_spike", "voltage_step", "capacity_counter", "unit_scale"}
    cycles = summarise_cycles(samples)
    assert sum(cycle.charge_out_ah for cycle in cycles) == pytest.approx(report.charge_out_after_ah)
    assert all(cycle.charge_out_ah < 2.0 * 0.021 for cycle in cycles[1:])


def test_a_pouch_that_the_parameter_set_does_not_fit_fails_with_words(pouch: Cleaned) -> None:
    # Half of its capacity. With its own it can be simulated since its charge is right: 0.096 A.h out, not 0.113.
    with pytest.raises(JobError, match="check nominal_capacity_ah, initial_state and the parameter set"):
        simulate(pouch.samples, asked(0.0105), 30.0)


def discharges(path: Path, columns: list[int]) -> pd.DataFrame:
    """Discharges at 4C from a matrix of charge over voltage (2.0 to 3.5 V), each after a rest; Q is the counter's."""
    matrix = np.genfromtxt(path, delimiter=",")[:, columns]
    good = matrix[:, [0]] - matrix[0, 0]
    parts = []
    for cycle in range(len(columns)):
        counted = np.clip(matrix[:, cycle], 0.0, None)
        seconds = 3600.0 * np.maximum.accumulate(good[:, 0]) / 4.4 + 0.001 * np.arange(len(good))
        rest = pd.DataFrame({"t": 10.0 * np.arange(60), "i": 0.0, "v": 3.5, "q": 0.0, "step": 1.0})
        charge = pd.DataFrame({"t": 600.0 + 10.0 * np.arange(90), "i": 4.4 * seconds[-1] / 900.0, "v": 3.4, "q": 0.0,
                               "step": 2.0})  # fmt: skip
        down = pd.DataFrame({"t": 1500.0 + seconds, "i": -4.4, "v": np.linspace(3.5, 2.0, len(good)), "q": counted,
                             "step": 3.0})  # fmt: skip
        parts.append(pd.concat([rest, charge, down]).assign(cycle=cycle + 1.0))
        parts[-1]["t"] += 3600.0 * cycle
    whole = pd.concat(parts)
    names = {"t": c.TEST_TIME, "i": c.CURRENT, "v": c.VOLTAGE, "q": c.DISCHARGING_CAPACITY, "step": c.STEP_ID,
             "cycle": c.CYCLE_ID}  # fmt: skip
    return raw_table(**{name: whole[short].to_numpy() for short, name in names.items()})


def test_the_bogus_cycle_of_a_real_cell_is_flagged(shared_data: Path) -> None:
    path = shared_data / "severson_a123" / "train" / "cell2.csv"
    settings = CleanSettings(nominal_capacity_ah=1.1)
    good = clean(discharges(path, [7, 8, 9, 11]), "CELL", settings)
    assert "capacity_excess" not in seen(good)
    bogus = clean(discharges(path, [7, 8, 9, 10, 11]), "CELL", settings)
    (found,) = findings(bogus, "capacity_excess")
    assert (found.cycle_count, found.severity, found.after) == (4, "error", "nominal 1.1 A.h")
    counted = float(found.before.split()[0])
    assert counted > 31.0  # a sawtooth, whose last value is 31 A.h
    cycle = bogus.samples[c.CYCLE_COUNT][bogus.samples[c.FLAGS] & flag_bit("capacity_excess") != 0]
    assert set(cycle) == {4}
    assert [f.cycle_count for f in findings(bogus, "capacity_counter")] == [4]


def test_a_damaged_resting_record_is_no_crash() -> None:
    raw = with_values(resting(), slice(100, 140), c.VOLTAGE, np.nan)
    raw = with_values(raw, slice(200, 220), c.CURRENT, np.nan)
    assert "rest_only" in seen(cleaned(raw, CleanSettings()))
    assert "rest_only" in seen(cleaned(raw, SETTINGS))
