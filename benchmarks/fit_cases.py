"""Define what ``benchmarks/fit.py`` fits (records, parameters, bounds), and judge the fitted values.

Synthetic records are PyBaMM's voltage at tight tolerances, with a solver stop wherever the slope of the current
changes, plus 2 mV of noise. So neither kilocell nor PyBOP made them. The same simulation judges the fitted values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pybamm
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEGATIVE, POSITIVE = (f"{side} particle diffusivity [m2.s-1]" for side in ("Negative", "Positive"))
EXCHANGE = tuple(f"{side} electrode exchange-current density [A.m-2]" for side in ("Negative", "Positive"))
DIFFUSIVITIES = ((NEGATIVE, 1e-15, 1e-12), (POSITIVE, 1e-16, 1e-13))
FACTORS = tuple((name, 0.1, 10.0) for name in EXCHANGE)
NOISE_VOLT = 2e-3
JUMP_AMPERE = 0.05  # a larger change between samples is a jump, at which PyBOP's solver stops


@dataclass(frozen=True)
class Case:
    """A cell to fit.

    Args:
        name: of the record, in the tables.
        model: such as ``SPMe``.
        time, current, voltage: in s, A (positive charges) and V.
        soc: state of charge at the start, 0 to 1.
        parameters: name, lower and upper bound; for a function, the bounds of the factor that multiplies it. The scale
            is logarithmic.
        truth: the values of a synthetic record; () = not known.
        base: PyBaMM's parameter set.
        kelvin: temperature in K.
    """

    name: str
    model: str
    time: Floats
    current: Floats
    voltage: Floats
    soc: float
    parameters: tuple[tuple[str, float, float], ...]
    truth: tuple[float, ...] = ()
    base: str = "Chen2020"
    kelvin: float = 298.15

    @property
    def stops(self) -> Floats:
        """The times on both sides of each jump of the current, and at both ends, s."""
        at = np.zeros(len(self.time), bool)
        jumps = np.flatnonzero(np.abs(np.diff(self.current)) > JUMP_AMPERE)
        at[[0, -1, *jumps, *(jumps + 1)]] = True
        return self.time[at]

    @property
    def longest_second(self) -> float:
        """The longest step in s that misses no pulse: the shortest time between two jumps, or the sample interval."""
        return float(max(np.diff(self.stops).min(), np.median(np.diff(self.time))))

    def asked(self) -> dict[str, Any]:
        """Return what PyBOP gets besides the arrays."""
        names = ("model", "soc", "parameters", "base", "kelvin")
        return {name: getattr(self, name) for name in names} | {"longest_second": self.longest_second}


class Judge:
    """Computes the RMSE of parameter values on a case, in mV, with a simulation that is independent of both sides."""

    def __init__(self, case: Case) -> None:
        self.case = case
        values = pybamm.ParameterValues(case.base)
        values.set_initial_state(case.soc)
        values.update({"Ambient temperature [K]": case.kelvin, "Initial temperature [K]": case.kelvin})
        values["Current function [A]"] = pybamm.Interpolant(case.time, -case.current, pybamm.t)
        self._names = [f"value {place}" for place in range(len(case.parameters))]
        for name, (parameter, *_) in zip(self._names, case.parameters, strict=True):
            given = pybamm.InputParameter(name)
            values[parameter] = _times(values[parameter], given) if callable(values[parameter]) else given
        model = getattr(pybamm.lithium_ion, case.model)()
        model.events = []
        solver = pybamm.IDAKLUSolver(rtol=1e-7, atol=1e-8, output_variables=["Voltage [V]"], on_extrapolation="ignore")
        self._simulation = pybamm.Simulation(model, parameter_values=values, solver=solver)
        self._known: dict[tuple[float, ...], float] = {}

    def voltage(self, values: tuple[float, ...]) -> Floats:
        inputs = dict(zip(self._names, map(float, values), strict=True))
        time, current = self.case.time, self.case.current
        bends = np.abs(np.diff(np.diff(current) / np.diff(time))) > 1e-4  # A/s: below it, noise
        stops = time[np.concatenate([[True], bends, [True]])]
        solution = self._simulation.solve(stops, t_interp=time, inputs=inputs)
        found: Floats = np.asarray(solution["Voltage [V]"].data, float)
        return found

    def rmse_mv(self, values: tuple[float, ...]) -> float:
        """Return the RMSE in mV; infinite if the model has no solution."""
        if values not in self._known:
            try:
                error = self.voltage(values) - self.case.voltage
                self._known[values] = 1e3 * float(np.sqrt(np.mean(error**2)))
            except (pybamm.SolverError, ValueError):
                self._known[values] = np.inf
        return self._known[values]


def _times(function: Any, factor: pybamm.Symbol) -> Any:
    return lambda *arguments: factor * function(*arguments)


def synthetic(name: str, model: str, seed: int, parameters: tuple[Any, ...], truth: tuple[float, ...]) -> Case:
    """Make a synthetic cell; its rates, rests and durations depend on the seed."""
    time, current = profile(seed)
    bare = Case(name, model, time, current, np.zeros(len(time)), 0.9, parameters, truth)
    voltage = Judge(bare).voltage(truth)
    noise = NOISE_VOLT * np.random.default_rng(1000 + seed).standard_normal(len(voltage))
    return replace(bare, voltage=voltage + noise)


def profile(seed: int) -> tuple[Floats, Floats]:
    """Make about 8 h: four pulses of 20 s, each with a discharge and rests, then a charge and a decaying hold.

    Returns:
        Time in s (every 10 s) and current in A.
    """
    rng = np.random.default_rng(seed)
    hours, rate = rng.uniform(0.85, 1.15), rng.uniform(0.8, 1.2)
    time, current = [np.zeros(1)], [np.zeros(1)]

    def add(second: float, ampere: float, fade_second: float = np.inf) -> None:
        at = np.arange(10.0, 10.0 * round(second / 10.0) + 5.0, 10.0)
        time.append(time[-1][-1] + at)
        current.append(ampere * np.exp(-at / fade_second))

    add(600.0, 0.0)
    for _ in range(4):
        add(20.0, -5.0 * rate)
        add(600.0 * hours, 0.0)
        add(1500.0 / rate, -2.5 * rate)
        add(1200.0 * rng.uniform(0.7, 1.3), 0.0)
    add(1800.0 * hours, 0.0)
    add(7200.0 / rate, 2.0 * rate)
    add(1800.0, 2.0 * rate, 600.0)
    add(1800.0 * hours, 0.0)
    return np.concatenate(time), np.concatenate(current)


def two(model: str, seed: int = 0) -> Case:
    """Make a case with both particle diffusivities; the true values depend on the seed."""
    rng = np.random.default_rng(500 + seed)
    truth = (1.2e-14 * rng.uniform(0.7, 1.4), 2.0e-15 * rng.uniform(0.7, 1.4))
    return synthetic("2 parameters", model, seed, DIFFUSIVITIES, truth)


def four(model: str, seed: int = 0) -> Case:
    """Make a case with both particle diffusivities and factors of both exchange-current densities."""
    return synthetic("4 parameters", model, seed, DIFFUSIVITIES + FACTORS, (1.2e-14, 2.0e-15, 0.6, 1.5))


def measured(model: str, folder: Path) -> Case | None:
    """Read a real LG M50 cell at 0.5C and 25 °C, cleaned by kilocell; its first voltage gives the state of charge."""
    from kilocell.data import columns as c
    from kilocell.data.readers.read import guess_settings, read_raw
    from kilocell.data.settings import CellSettings, CleanSettings, ModelSettings, ParameterSetSettings
    from kilocell.data.settings import SimulateSettings as Asked
    from kilocell.jobs.cleaning.clean import clean
    from kilocell.jobs.models.simulation_case import resolve_simulation
    from kilocell.jobs.record.record import make_record
    from kilocell.jobs.simulation.conditions import find_conditions

    path = folder / "lgm50_digatron" / "25degC" / "Cell785_0p5C_25degC.csv"
    if not path.is_file():
        return None
    samples = clean(read_raw(path, guess_settings(path)), path.stem, CleanSettings(nominal_capacity_ah=5.0)).samples
    cell = CellSettings("LGM50", 5.0, temperature_celsius=25.0)
    asked = Asked(cell, ModelSettings(model, model), ParameterSetSettings("Chen2020", "Chen2020"))
    soc = find_conditions(make_record(samples), resolve_simulation(asked, None)).state.soc
    time, current, voltage = (samples[name].to_numpy(float) for name in (c.TEST_TIME, c.CURRENT, c.VOLTAGE))
    return Case("LG M50, 0.5C", model, time - time[0], current, voltage, float(soc), DIFFUSIVITIES)
