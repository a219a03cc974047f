"""dQ/dV and dV/dQ against curves whose derivatives are known, and their figure."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_bench import Bench, legend_of, record, simulation
from kilocell.data import columns as c
from kilocell.data.errors import UsageError
from kilocell.data.rules import flag_bit
from kilocell.parquet_store.layout import Store
from kilocell.report import increment_figures, save
from kilocell.report.increment_figures import plot_increments
from kilocell.report.increments import charge_by_voltage, differentiate, find_parts, smooth
from kilocell.sqlite import queries
from matplotlib.figure import Figure
from numpy.typing import NDArray

Values = NDArray[np.float64]
CAPACITY_AH = 2.5
CENTRE = 0.4
WIDTH = 0.08


def ocv(share: Values) -> Values:
    """Rises with the state of charge, with one plateau around 40 %."""
    return np.asarray(3.0 + 1.0 * share + 0.1 * np.tanh((share - CENTRE) / WIDTH), dtype=np.float64)


def slope(share: Values) -> Values:
    """DV/dQ of the curve above in V (A h)⁻¹."""
    per_share = 1.0 + 0.1 / WIDTH / np.cosh((share - CENTRE) / WIDTH) ** 2
    return np.asarray(per_share / CAPACITY_AH, dtype=np.float64)


def step(
    *, samples: int = 4000, current: float = 0.25, noise_volt: float = 0.0, number: int = 1, from_second: float = 0.0
) -> pd.DataFrame:
    """Make one step of a constant current through the whole curve: charge if it is positive."""
    seconds = np.linspace(0.0, 3600.0 * CAPACITY_AH / abs(current), samples)
    passed = seconds / seconds[-1]
    share = passed if current > 0.0 else 1.0 - passed
    noise = np.random.default_rng(3).normal(0.0, noise_volt, samples) if noise_volt else 0.0
    return pd.DataFrame(
        {
            c.TEST_TIME: from_second + seconds,
            c.VOLTAGE: ocv(share) + noise,
            c.CURRENT: np.full(samples, current),
            c.CYCLE_COUNT: 1,
            c.STEP_COUNT: number,
            c.FLAGS: 0,
        }
    )


def derivatives(frame: pd.DataFrame, **options: Any) -> Any:
    (part,), _ = find_parts(frame)
    return differentiate(part, frame[c.VOLTAGE].to_numpy(dtype=np.float64), **options)


@pytest.mark.parametrize("current", [0.25, -2.5])
def test_both_derivatives_are_those_of_the_curve(current: float) -> None:
    made = derivatives(step(current=current))
    sign = np.sign(current)
    share = np.linspace(0.0, 1.0, 20_001)
    inside = slice(40, -40)  # the Gaussian is reflected at the ends
    known = np.interp(made.voltage_volt, ocv(share), 1.0 / slope(share))
    np.testing.assert_allclose(made.dq_dv[inside], sign * known[inside], rtol=0.02)
    passed = made.charge_ah / CAPACITY_AH
    known = slope(passed if current > 0.0 else 1.0 - passed)
    np.testing.assert_allclose(made.dv_dq[inside], sign * known[inside], rtol=0.02)


@pytest.mark.parametrize("noise_volt", [0.0, 0.001, 0.01])
@pytest.mark.parametrize("samples", [60, 400, 40_000])
def test_the_area_is_the_charge_whatever_the_noise_and_the_number_of_samples(samples: int, noise_volt: float) -> None:
    made = derivatives(step(samples=samples, noise_volt=noise_volt))
    assert made.dq_dv.sum() * 0.001 == pytest.approx(CAPACITY_AH, rel=1e-9)
    rise = float(made.dv_dq.sum() * (made.charge_ah[1] - made.charge_ah[0]))
    assert rise == pytest.approx(1.2, abs=0.02 + 5 * noise_volt)


def test_noise_of_a_millivolt_hardly_changes_the_curve() -> None:
    clean = derivatives(step(samples=20_000))
    noisy = derivatives(step(samples=20_000, noise_volt=0.001))
    known = np.interp(noisy.voltage_volt, clean.voltage_volt, clean.dq_dv)
    inside = (noisy.voltage_volt > 3.03) & (noisy.voltage_volt < 4.07)
    assert np.abs(noisy.dq_dv - known)[inside].max() < 0.1 * clean.dq_dv.max()


def test_thinned_data_are_smoothed_over_the_distance_of_their_samples() -> None:
    """A cycler that logs every 30 mV: a finer curve would be made of steps."""
    made = derivatives(step(samples=41))
    assert made.smoothing_volt == pytest.approx(0.03, rel=0.1)
    inside = slice(100, -100)
    known = derivatives(step(samples=40_000), smoothing_volt=0.03)
    values = np.interp(made.voltage_volt, known.voltage_volt, known.dq_dv)
    np.testing.assert_allclose(made.dq_dv[inside], values[inside], rtol=0.1)


def test_the_smoothing_is_the_users_unless_samples_are_further_apart() -> None:
    assert derivatives(step()).smoothing_volt == 0.005
    assert derivatives(step(), smoothing_volt=0.002).smoothing_volt == 0.002
    assert derivatives(step(samples=30), smoothing_volt=0.002).smoothing_volt > 0.03


def test_a_voltage_of_few_levels_loses_no_charge() -> None:
    voltage = np.round(ocv(np.linspace(0.0, 1.0, 5000)) / 0.005) * 0.005  # an instrument of 5 mV
    levels, charge = charge_by_voltage(voltage, np.linspace(0.0, 2.0, 5000))
    assert charge.sum() == pytest.approx(2.0, rel=1e-12)
    assert (charge >= -1e-12).all()
    assert levels[0] <= voltage.min() <= levels[-1]


@pytest.mark.parametrize("sigma", [0.0, 0.3, 5.0, 80.0])
def test_smoothing_keeps_the_sum(sigma: float) -> None:
    values = np.random.default_rng(1).random(60)
    assert smooth(values, sigma).sum() == pytest.approx(values.sum(), rel=1e-12)
    assert len(smooth(values, sigma)) == 60


def test_the_hold_after_a_charge_is_left_out() -> None:
    charge = step()
    end = charge[c.TEST_TIME].iloc[-1]
    seconds = np.linspace(0.0, 7200.0, 3000)[1:]
    hold = pd.DataFrame({name: np.full(len(seconds), charge[name].iloc[-1]) for name in charge.columns})
    hold[c.TEST_TIME] = end + seconds
    hold[c.CURRENT] = 0.25 * np.exp(-seconds / 1800.0)  # in the same step of the cycler
    both = pd.concat([charge, hold], ignore_index=True).astype({c.FLAGS: int, c.STEP_COUNT: int, c.CYCLE_COUNT: int})
    (part,), short = find_parts(both)
    assert short == 0
    assert part.charging
    assert part.charge_ah[-1] == pytest.approx(CAPACITY_AH, rel=0.01)


def test_pulses_and_rests_are_left_out_and_counted() -> None:
    discharge = step(current=-1.0)
    pulse = step(samples=30, number=2, from_second=20_000.0).assign(**{c.VOLTAGE: np.linspace(3.9, 4.0, 30)})
    pulse[c.TEST_TIME] = 20_000.0 + np.linspace(0.0, 60.0, 30)
    rest = step(samples=30, number=3, from_second=60_000.0).assign(**{c.CURRENT: 0.0})
    parts, short = find_parts(pd.concat([discharge, pulse, rest], ignore_index=True))
    assert [(part.step, part.charging) for part in parts] == [(1, False)]
    assert short == 1


def test_inserted_and_missing_samples_have_no_voltage_but_their_charge_counts() -> None:
    frame = step(samples=2000)
    frame.loc[500, c.FLAGS] = flag_bit("step_edge")
    frame.loc[500, c.VOLTAGE] = 99.0
    frame.loc[900:950, c.VOLTAGE] = np.nan
    (part,), _ = find_parts(frame)
    assert len(part.rows) == 2000 - 52
    made = differentiate(part, frame[c.VOLTAGE].to_numpy(dtype=np.float64))
    assert made is not None
    assert made.voltage_volt.max() < 5.0
    assert made.dq_dv.sum() * 0.001 == pytest.approx(CAPACITY_AH, rel=1e-9)


def test_a_simulation_that_ended_has_the_part_before_its_end() -> None:
    frame = step(samples=2000)
    voltage = frame[c.VOLTAGE].to_numpy(dtype=np.float64).copy()
    voltage[1000:] = np.nan
    (part,), _ = find_parts(frame)
    made = differentiate(part, voltage)
    assert made is not None
    assert made.dq_dv.sum() * 0.001 == pytest.approx(CAPACITY_AH / 2, rel=0.01)
    voltage[:] = np.nan
    assert differentiate(part, voltage) is None


def test_a_record_without_samples_has_no_parts() -> None:
    assert find_parts(step().iloc[:0]) == ([], 0)


def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    seen: list[Figure] = []

    def note(store: Store, figure: Figure, name: str) -> list[Path]:
        seen.append(figure)
        return save.save(store, figure, name)

    monkeypatch.setattr(increment_figures, "save", note)
    return seen


def test_the_figure_has_charge_and_discharge_with_their_signs(
    two_cells: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = drawn(monkeypatch)
    paths = plot_increments(two_cells.store, "CELL_A", (1,))
    assert [path.name for path in paths] == ["dqdv_CELL_A_cycles-1.png", "dqdv_CELL_A_cycles-1.pdf"]
    charge, discharge, *_ = seen[0].axes
    assert [axes.get_title() for axes in (charge, discharge)] == ["charge", "discharge"]
    assert charge.get_ylabel() == "dQ/dV (A h V⁻¹)"
    assert np.asarray(charge.get_lines()[0].get_ydata(), float).max() > 0.0
    assert np.asarray(discharge.get_lines()[0].get_ydata(), float).min() < 0.0
    assert legend_of(seen[0]) == [
        "measured",
        "SPMe, Chen2020: RMSE 75.9 mV",
        "DFN, Chen2020: RMSE 10.0 mV",
        "SPMe, Chen2020-fitted: RMSE 21.3 mV",
    ]
    caption = seen[0].get_supxlabel().replace("\n", " ")
    assert re.search(r"σ = 18 to 2\d mV", caption)  # 1.1 V in 60 samples: further apart than 5 mV
    assert "> 0 in charge and < 0 in discharge" in caption


def test_many_cycles_are_drawn_without_simulations_and_say_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = record(cycles=9, samples=1200)
    bench.clean("CELL_A", measured)
    bench.simulate("CELL_A", "SPM", "Chen2020", simulation(measured, 0.01))
    seen = drawn(monkeypatch)
    plot_increments(bench.store, "CELL_A")
    assert legend_of(seen[0]) == ["measured, cycle 1", "measured, cycle 9"]
    assert "choose them with --cycles" in seen[0].get_supxlabel().replace("\n", " ")


def test_a_record_without_a_constant_current_is_refused(bench: Bench) -> None:
    measured = record(cycles=1).assign(**{c.CURRENT: 0.0})
    bench.clean("CELL_A", measured)
    with pytest.raises(UsageError, match=r"no step with a constant current .* in cycle 1, .*kilocell cycles CELL_A"):
        plot_increments(bench.store, "CELL_A")
    with closing(queries.connect(bench.store.catalog)) as catalog:
        assert queries.cell_ids(catalog) == ["CELL_A"]
