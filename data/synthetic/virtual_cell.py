"""A virtual cell: PyBaMM's DFN of a real chemistry with some parameters perturbed, which is run through a protocol."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..arrays import Floats
from ..convert import celsius_to_kelvin, pybamm_current
from .cycler import TrueRecord
from .protocols import DRIVING, GITT, PULSES, RATE_TEST, TWO_STAGE, Protocol, Segment

EDGE_SECONDS: Final = (0.1, 1.0, 2.0, 5.0)
"""Times of the samples after an edge of the current (s), before the regular ones."""

PARALLEL: Final = "Number of electrodes connected in parallel to make a cell"
CAPACITY: Final = "Nominal cell capacity [A.h]"
CONTACT: Final = "Contact resistance [Ohm]"
DIFFUSIVITIES: Final = ("Negative particle diffusivity [m2.s-1]", "Positive particle diffusivity [m2.s-1]")
FRACTIONS: Final = (
    "Negative electrode active material volume fraction",
    "Positive electrode active material volume fraction",
)
INITIAL: Final = (
    "Initial concentration in negative electrode [mol.m-3]",
    "Initial concentration in positive electrode [mol.m-3]",
)
MODEL_OPTIONS: Final = {"contact resistance": "true"}


@dataclass(frozen=True, slots=True)
class Chemistry:
    """What synthetic cells of one chemistry have in common.

    Args:
        base: PyBaMM's parameter set.
        protocol: the test that they go through.
        nominal_capacity_ah: of the cell in the sample (A.h); other cells have half to twice as much.
        temperature_celsius: of the chamber (°C).
        diffusivities_only: perturb only the two particle diffusivities, so a fit can find them.
    """

    base: str
    protocol: Protocol
    nominal_capacity_ah: float
    temperature_celsius: float = 25.0
    diffusivities_only: bool = False


CHEMISTRIES: Final = (
    Chemistry("Chen2020", RATE_TEST, 5.0, diffusivities_only=True),
    Chemistry("NCA_Kim2011", GITT, 3.2, temperature_celsius=15.0),
    Chemistry("Prada2013", PULSES, 1.1),
    Chemistry("Ai2020", DRIVING, 2.2),
    Chemistry("Ecker2015", TWO_STAGE, 7.5),
)


@dataclass(frozen=True, slots=True)
class LibraryRecord:
    """A solved protocol with its truth.

    Args:
        chemistry: what was solved.
        scales: factor of each perturbed parameter.
        contact_volt_at_1c: voltage across the contact resistance at 1C (V).
        capacity_per_ah: true capacity between the cut-offs (A.h per A.h of nominal capacity).
        initial_soc: state of charge at the start (0 to 1).
        record: the true record.
    """

    chemistry: Chemistry
    scales: dict[str, float]
    contact_volt_at_1c: float
    capacity_per_ah: float
    initial_soc: float
    record: TrueRecord


def draw_perturbation(chemistry: Chemistry, rng: np.random.Generator) -> tuple[dict[str, float], float]:
    """Draw the factors of the perturbed parameters, and the voltage across a contact resistance at 1C.

    Diffusivities change by a factor of 1.4 to 2 up or down. Up to 5 % of the active material is lost, as in an aged
    cell, so the unperturbed set can be driven by every record without running empty. The contact takes 5 to 25 mV.

    Args:
        chemistry: which parameters are perturbed.
        rng: source of the factors.

    Returns:
        Factors by the names of the parameters, and the voltage (V).
    """
    exponents = rng.uniform(0.5, 1.0, 2) * rng.choice((-1.0, 1.0), 2)
    fractions = rng.uniform(0.95, 1.0, 2)
    contact_volt = float(rng.uniform(0.005, 0.025))
    scales = {name: float(2.0**exponent) for name, exponent in zip(DIFFUSIVITIES, exponents, strict=True)}
    if chemistry.diffusivities_only:
        return scales, 0.0
    return scales | {name: float(factor) for name, factor in zip(FRACTIONS, fractions, strict=True)}, contact_volt


def sample_seconds(segment: Segment) -> Floats:
    """Return the times of the samples of a segment: dense after the edge, then regular, and its end.

    Args:
        segment: the segment.

    Returns:
        Seconds after its start, ascending, shape (samples,).
    """
    regular = np.arange(1, int(segment.seconds / segment.every) + 1) * segment.every
    edge = [second for second in EDGE_SECONDS if second < min(segment.every, segment.seconds)]
    return np.unique(np.concatenate([edge, regular, [segment.seconds]]))


class VirtualCell:
    """A DFN of one chemistry with the capacity of the parameter set, which is built once.

    Inputs control its current or voltage, so one model suits every segment. The perturbed parameters are inputs too, so
    it suits every draw.
    """

    def __init__(self, chemistry: Chemistry) -> None:
        os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
        import pybamm

        self.chemistry = chemistry
        self.parameters = pybamm.ParameterValues(chemistry.base)
        celsius = chemistry.temperature_celsius
        self.parameters.update(
            {
                "Ambient temperature [K]": celsius_to_kelvin(celsius),
                "Initial temperature [K]": celsius_to_kelvin(celsius),
            }
        )
        self.nominal_ah = float(self.parameters[CAPACITY])
        self._simulation = self._build()

    def _build(self) -> Any:
        import pybamm

        def control(variables: Any) -> Any:
            held = pybamm.InputParameter("voltage held")
            voltage_error = variables["Voltage [V]"] - pybamm.InputParameter("voltage")
            return held * voltage_error + (1 - held) * (variables["Current [A]"] - pybamm.InputParameter("current"))

        model = pybamm.lithium_ion.DFN({**MODEL_OPTIONS, "operating mode": control})
        voltage = model.variables["Voltage [V]"]
        current = model.variables["Current [A]"]
        # PyBaMM continues after an event only if its name contains "[experiment]".
        model.events = [
            pybamm.Event("low voltage [experiment]", voltage - pybamm.InputParameter("lowest voltage")),
            pybamm.Event("high voltage [experiment]", pybamm.InputParameter("highest voltage") - voltage),
            pybamm.Event("low current [experiment]", pybamm.AbsoluteValue(current) - pybamm.InputParameter("cut-off")),
        ]
        values = self._perturbed({name: pybamm.InputParameter(name) for name in (*DIFFUSIVITIES, *FRACTIONS)})
        values.update(dict.fromkeys((CONTACT, *INITIAL), "[input]"))
        solver = pybamm.IDAKLUSolver(rtol=1e-6, atol=1e-6, output_variables=["Voltage [V]", "Current [A]"])
        simulation = pybamm.Simulation(model, parameter_values=values, solver=solver)
        simulation.build()
        return simulation

    def _perturbed(self, scales: dict[str, Any]) -> Any:
        values = self.parameters.copy()
        for name, scale in scales.items():
            values[name] = _scaled(self.parameters[name], scale)
        return values

    def solve(self, scales: dict[str, float], contact_volt_at_1c: float) -> LibraryRecord:
        """Run the protocol of the chemistry with perturbed parameters.

        Args:
            scales: factor of each perturbed parameter.
            contact_volt_at_1c: voltage across the contact resistance at 1C (V).
        """
        values = self._perturbed(scales)
        capacity_ah, soc = _rested(values, self.chemistry.protocol.initial_voltage_volt)
        inputs = {**dict.fromkeys((*DIFFUSIVITIES, *FRACTIONS), 1.0), **scales}
        inputs |= {CONTACT: contact_volt_at_1c / self.nominal_ah, **{name: values[name] for name in INITIAL}}
        record = self._run(inputs)
        per_ah = capacity_ah / self.nominal_ah
        return LibraryRecord(self.chemistry, scales, contact_volt_at_1c, per_ah, soc, record)

    def _run(self, inputs: dict[str, float]) -> TrueRecord:
        """Solve the protocol segment by segment; each starts in the final state of the one before."""
        solution: Any = None
        parts: list[tuple[Any, ...]] = []
        for number, cycle in enumerate(self.chemistry.protocol.cycles, start=1):
            for segment in cycle:
                solution = self._simulation.solver.step(
                    solution,
                    self._simulation.built_model,
                    segment.seconds,
                    t_interp=sample_seconds(segment),
                    inputs=inputs | _control_inputs(segment, self.nominal_ah),
                    save=False,
                )
                # The first row of a solution is its initial state, which is a sample only at the start of the record.
                first = 0 if not parts else 1
                columns = (solution.t, solution["Voltage [V]"].data, solution["Current [A]"].data)
                time, voltage, current = (np.asarray(column, dtype=np.float64)[first:] for column in columns)
                numbers = np.repeat([[number], [segment.step]], len(time), axis=1)
                parts.append((time, numbers, pybamm_current(current) / self.nominal_ah, voltage))
        time, numbers, rate, voltage = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
        apart = np.append(np.diff(time) > 0.05, True)  # an end just after a regular sample replaces that sample
        return TrueRecord(time[apart], numbers[0, apart], numbers[1, apart], rate[apart], voltage[apart])


def _scaled(value: Any, factor: Any) -> Any:
    if not callable(value):
        return value * factor
    return lambda *arguments: value(*arguments) * factor


def _control_inputs(segment: Segment, nominal_ah: float) -> dict[str, float]:
    """Return the inputs that control the current or voltage of a segment; unused limits are out of reach."""
    inputs = {"voltage held": 0.0, "voltage": 0.0, "current": 0.0}
    inputs |= {"lowest voltage": -10.0, "highest voltage": 100.0, "cut-off": -1.0}
    if segment.held == "voltage":
        return inputs | {"voltage held": 1.0, "voltage": segment.value, "cut-off": (segment.until or 0.0) * nominal_ah}
    limit = "lowest voltage" if segment.value < 0 else "highest voltage"
    ends = {} if segment.until is None else {limit: segment.until}
    return inputs | {"current": pybamm_current(segment.value * nominal_ah), **ends}


def _rested(values: Any, voltage_volt: float) -> tuple[float, float]:
    """Let a parameter set start at rest at a voltage; return its capacity (A.h) and its state of charge (0 to 1)."""
    import pybamm

    values.set_initial_state(f"{voltage_volt} V")
    cell = pybamm.LithiumIonParameters()
    solver = pybamm.lithium_ion.ElectrodeSOHSolver(values)
    empty, full, _, _ = (float(x) for x in solver.get_min_max_stoichiometries())
    now = float(solver.get_initial_stoichiometries(f"{voltage_volt} V")[0])
    return float(values.evaluate(cell.n.Q_init)) * (full - empty), (now - empty) / (full - empty)
