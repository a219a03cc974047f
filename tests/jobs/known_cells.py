"""Synthetic cells of which every parameter is known: drawn at random, solved by PyBaMM, measured with an error."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pandas as pd
import pybamm
from kilocell.data import columns as c
from kilocell.data.fit_settings import INITIAL_SOC, LITHIUM_INVENTORY
from kilocell.data.synthetic.cycler import TrueRecord
from kilocell.data.synthetic.protocols import Protocol, cccv, discharge, pulse, rest
from kilocell.data.synthetic.virtual_cell import INITIAL, Chemistry, VirtualCell
from numpy.typing import NDArray
from records import partition

Floats = NDArray[np.float64]

DIFFUSION: Final = ("Negative particle diffusivity [m2.s-1]", "Positive particle diffusivity [m2.s-1]")
KINETIC: Final = (
    "Negative electrode exchange-current density [A.m-2]",
    "Positive electrode exchange-current density [A.m-2]",
)
CONDUCTIVITY: Final = "Electrolyte conductivity [S.m-1]"
FRACTIONS: Final = (
    "Negative electrode active material volume fraction",
    "Positive electrode active material volume fraction",
)
SCALED: Final = (*DIFFUSION, *KINETIC, CONDUCTIVITY, *FRACTIONS)
DRAWN: Final[dict[str, tuple[float, float]]] = {
    **dict.fromkeys((*DIFFUSION, *KINETIC), (0.4, 2.5)),
    CONDUCTIVITY: (0.5, 1.5),
    **dict.fromkeys((*FRACTIONS, LITHIUM_INVENTORY), (0.92, 1.02)),
}
"""Factors of the set's own value, drawn evenly in their logarithm; the initial state of charge is 0.8 to 0.97."""
_PAIR: Final = (pulse(3, -1.0), rest(4, 3, 10), pulse(5, 0.5), rest(6, 5, 15))
PROTOCOL: Final = Protocol(
    "pulses and rates",
    "rest 20 min; pulses, C/2 discharge 40 min, pulses, 1C discharge to 2.8 V, rest 60 min; C/2 CCCV charge to 4.2 V "
    "and C/20, rest 30 min",
    4.0,
    (
        (
            rest(1, 20),
            *_PAIR,
            discharge(2, 0.5, 2.8, 40),
            *_PAIR,
            discharge(7, 1.0, 2.8),
            rest(8, 60),
            *cccv(9, 0.5, 4.2),
            rest(11, 30),
        ),
    ),
)


class KnownCell(VirtualCell):
    """A model of Chen2020 whose parameters are inputs, with tolerances far below any noise."""

    def __init__(self, model: str) -> None:
        self._model = model
        super().__init__(Chemistry("Chen2020", PROTOCOL, 5.0))

    def _build(self) -> Any:
        def control(variables: Any) -> Any:
            held = pybamm.InputParameter("voltage held")
            voltage_error = variables["Voltage [V]"] - pybamm.InputParameter("voltage")
            return held * voltage_error + (1 - held) * (variables["Current [A]"] - pybamm.InputParameter("current"))

        model = getattr(pybamm.lithium_ion, self._model)({"operating mode": control})
        voltage, current = model.variables["Voltage [V]"], model.variables["Current [A]"]
        model.events = [
            pybamm.Event("low voltage [experiment]", voltage - pybamm.InputParameter("lowest voltage")),
            pybamm.Event("high voltage [experiment]", pybamm.InputParameter("highest voltage") - voltage),
            pybamm.Event("low current [experiment]", pybamm.AbsoluteValue(current) - pybamm.InputParameter("cut-off")),
        ]
        values = self._perturbed({name: pybamm.InputParameter(name) for name in SCALED})
        values.update(dict.fromkeys(INITIAL, "[input]"))
        solver = pybamm.IDAKLUSolver(rtol=1e-7, atol=1e-8, output_variables=["Voltage [V]", "Current [A]"])
        simulation = pybamm.Simulation(model, parameter_values=values, solver=solver)
        simulation.build()
        return simulation

    def record(self, factors: dict[str, float], soc: float) -> TrueRecord:
        """Run the protocol from a rest at a state of charge."""
        values = self._perturbed({name: factors.get(name, 1.0) for name in SCALED})
        for name in INITIAL:
            values[name] = values[name] * factors.get(LITHIUM_INVENTORY, 1.0)
        values.set_initial_state(soc)
        inputs = {**dict.fromkeys(SCALED, 1.0), **factors, **{name: values[name] for name in INITIAL}}
        inputs.pop(LITHIUM_INVENTORY, None)
        return self._run(inputs)


@lru_cache(maxsize=2)
def known_cell(model: str) -> KnownCell:
    """Build the model once."""
    return KnownCell(model)


@dataclass(frozen=True)
class Truth:
    """A cell's true factors by name, its initial state of charge, and what it did."""

    factors: dict[str, float]
    soc: float
    record: TrueRecord

    def value(self, name: str, default: float) -> float:
        """The true value of a fitted parameter whose value in the set is ``default``."""
        return self.soc if name == INITIAL_SOC else self.factors.get(name, 1.0) * default


def draw(names: tuple[str, ...], seed: int, model: str, wrong: dict[str, float]) -> Truth:
    """Draw a cell whose named parameters are not the set's own.

    Args:
        wrong: further factors, which the fit does not know of.
    """
    rng = np.random.default_rng([seed, 1])
    factors = {name: float(np.exp(rng.uniform(*np.log(ends)))) for name, ends in DRAWN.items()}
    soc = float(rng.uniform(0.8, 0.97))
    factors = {name: factor for name, factor in factors.items() if name in names} | wrong
    return Truth(factors, soc, known_cell(model).record(factors, soc))


def measured(truth: Truth, voltage_error: Floats, current_error: Floats | float = 0.0) -> pd.DataFrame:
    """The partition that a cycler would give of a cell, with errors added (V, A)."""
    true = truth.record
    frame = partition(true.time_second, true.rate * 5.0 + current_error, true.voltage + voltage_error)
    steps = 1 + np.cumsum(np.concatenate([[False], np.diff(true.step) != 0]))
    return frame.assign(**{c.STEP_COUNT: steps.astype(np.int32)})


def error_volt(kind: str, truth: Truth, seed: int) -> Floats:
    """Errors of the voltage.

    Args:
        kind: ``white`` = 2 mV; ``quantised`` = 0.3 mV, then rounded to 1 mV; ``correlated`` = 2 mV, over 5 minutes.
    """
    rng, time = np.random.default_rng([seed, 2]), truth.record.time_second
    white = rng.standard_normal(len(time))
    if kind == "quantised":
        voltage = truth.record.voltage
        return np.round(voltage + 3e-4 * white, 3) - voltage
    if kind == "correlated":
        keeps = np.exp(-np.diff(time, prepend=-1e9) / 300.0)
        error = np.zeros(len(time))
        for k in range(len(time)):
            error[k] = keeps[k] * error[k - 1] + np.sqrt(1.0 - keeps[k] ** 2) * white[k]
        return 2e-3 * error
    return 2e-3 * white
