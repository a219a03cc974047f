"""A virtual cell: a DFN of a real chemistry with a few parameters moved, taken through a protocol by PyBaMM."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..arrays import Floats
from ..convert import celsius_to_kelvin, pybamm_current
from .cycler import TrueRecord
from .protocols import DRIVING, GITT, PULSES, RATE_TEST, TWO_STAGE, Protocol, Segment

EDGE_SECONDS: Final = (0.1, 1.0, 2.0, 5.0)  # samples after an edge, before the regular ones
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
    """What the synthetic cells of one kind share.

    Args:
        base: PyBaMM's parameter set.
        nominal_capacity_ah: of the sample's cell; other cells have half to twice of it.
        diffusivities_only: perturb the two particle diffusivities and nothing else, so that a fit can find them.
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
    """A solved protocol with its truth: scales of parameters, what belongs to 1 A.h of nominal capacity, the start."""

    chemistry: Chemistry
    scales: dict[str, float]
    contact_volt_at_1c: float
    capacity_per_ah: float
    initial_soc: float
    record: TrueRecord


def draw_perturbation(chemistry: Chemistry, rng: np.random.Generator) -> tuple[dict[str, float], float]:
    """Draw factors on parameters, and the voltage (V) that a contact resistance takes at 1C.

    Diffusivities go up or down by 1.4 to 2; up to 5 % of the active material is lost, as in an aged cell, so that the
    unperturbed set can follow every record without running empty; the contact takes 5 to 25 mV.
    """
    exponents = rng.uniform(0.5, 1.0, 2) * rng.choice((-1.0, 1.0), 2)
    fractions = rng.uniform(0.95, 1.0, 2)
    contact_volt = float(rng.uniform(0.005, 0.025))
    scales = {name: float(2.0**exponent) for name, exponent in zip(DIFFUSIVITIES, exponents, strict=True)}
    if chemistry.diffusivities_only:
        return scales, 0.0
    return scales | {name: float(factor) for name, factor in zip(FRACTIONS, fractions, strict=True)}, contact_volt


def sample_seconds(segment: Segment) -> Floats:
    """Times of a segment's samples, s after its start: dense after the edge, then regular, and its end."""
    regular = np.arange(1, int(segment.seconds / segment.every) + 1) * segment.every
    edge = [second for second in EDGE_SECONDS if second < min(segment.every, segment.seconds)]
    return np.unique(np.concatenate([edge, regular, [segment.seconds]]))


class VirtualCell:
    """A DFN of one chemistry, built once; capacity as in the parameter set.

    Its current or voltage is held as the inputs say, so one model serves every segment, and the perturbed
    parameters are inputs as well, so it serves every draw.
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
        voltage, current = model.variables["Voltage [V]"], model.variables["Current [A]"]
        # PyBaMM steps on after an event only if its name says "[experiment]".
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
        """Run the chemistry's protocol with perturbed parameters."""
        values = self._perturbed(scales)
        capacity_ah, soc = _rested(values, self.chemistry.protocol.initial_voltage_volt)
        inputs = {**dict.fromkeys((*DIFFUSIVITIES, *FRACTIONS), 1.0), **scales}
        inputs |= {CONTACT: contact_volt_at_1c / self.nominal_ah, **{name: values[name] for name in INITIAL}}
        record = self._run(inputs)
        per_ah = capacity_ah / self.nominal_ah
        return LibraryRecord(self.chemistry, scales, contact_volt_at_1c, per_ah, soc, record)

    def _run(self, inputs: dict[str, float]) -> TrueRecord:
        """Solve segment by segment, each from where the last one ended."""
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
                # A solution's first row is the state it starts from; only the record's own beginning is a sample.
                first = 0 if not parts else 1
                columns = (solution.t, solution["Voltage [V]"].data, solution["Current [A]"].data)
                time, voltage, current = (np.asarray(column, dtype=np.float64)[first:] for column in columns)
                numbers = np.repeat([[number], [segment.step]], len(time), axis=1)
                parts.append((time, numbers, pybamm_current(current) / self.nominal_ah, voltage))
        time, numbers, rate, voltage = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
        apart = np.append(np.diff(time) > 0.05, True)  # an end just after a regular sample replaces it
        return TrueRecord(time[apart], numbers[0, apart], numbers[1, apart], rate[apart], voltage[apart])


def _scaled(value: Any, factor: Any) -> Any:
    if not callable(value):
        return value * factor
    return lambda *arguments: value(*arguments) * factor


def _control_inputs(segment: Segment, nominal_ah: float) -> dict[str, float]:
    """The inputs that hold a segment's current or voltage; limits that do not apply are out of reach."""
    inputs = {"voltage held": 0.0, "voltage": 0.0, "current": 0.0}
    inputs |= {"lowest voltage": -10.0, "highest voltage": 100.0, "cut-off": -1.0}
    if segment.held == "voltage":
        return inputs | {"voltage held": 1.0, "voltage": segment.value, "cut-off": (segment.until or 0.0) * nominal_ah}
    limit = "lowest voltage" if segment.value < 0 else "highest voltage"
    ends = {} if segment.until is None else {limit: segment.until}
    return inputs | {"current": pybamm_current(segment.value * nominal_ah), **ends}


def _rested(values: Any, voltage_volt: float) -> tuple[float, float]:
    """Let a parameter set start at rest at a voltage; return its capacity in A.h and the state of charge."""
    import pybamm

    values.set_initial_state(f"{voltage_volt} V")
    cell = pybamm.LithiumIonParameters()
    solver = pybamm.lithium_ion.ElectrodeSOHSolver(values)
    empty, full, _, _ = (float(x) for x in solver.get_min_max_stoichiometries())
    now = float(solver.get_initial_stoichiometries(f"{voltage_volt} V")[0])
    return float(values.evaluate(cell.n.Q_init)) * (full - empty), (now - empty) / (full - empty)
