"""Draw the figure of docs/replay.md: nine pulses that PyBaMM's quick way misses.

Usage: python docs/figures/replay.py [--out docs/images]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pybamm
from kilocell.data import columns as c
from kilocell.report.draw.style import BLACK, BLUE, DASHES, GREY, VERMILLION, WIDTH_INCH, house_style
from matplotlib.figure import Figure
from virtual_records import CAPACITY_AH, Floats, Set, partition, simulated

SOC = 0.8
PULSES = 9


def nine_pulses() -> tuple[Floats, Floats]:
    """Make 8 h at 1 Hz: a 500 s discharge at 1C and nine pulses of 10 s; time in s, current in A (positive charges)."""
    time = np.arange(0.0, 8 * 3600.0 + 1.0)
    current = np.zeros(len(time))
    current[600:1100] = -CAPACITY_AH
    for first in 3000 + 2700 * np.arange(PULSES):
        current[first : first + 10] = -CAPACITY_AH
    return time, current


def from_zero_to_end(time: Floats, current: Floats) -> tuple[Floats, Floats]:
    """Solve with ``solve([0, T], t_interp=times)``, PyBaMM's quick way; return voltage (V) and discharge (A.h)."""
    values = pybamm.ParameterValues("Chen2020")
    values.set_initial_state(SOC)
    values["Current function [A]"] = pybamm.Interpolant(time, -current, pybamm.t)
    simulation = pybamm.Simulation(pybamm.lithium_ion.SPMe(), parameter_values=values, solver=pybamm.IDAKLUSolver())
    solution = simulation.solve([0.0, time[-1]], t_interp=time)
    return solution["Voltage [V]"](time), solution["Discharge capacity [A.h]"](time)


@house_style()
def draw() -> Figure:
    """Draw current, voltage and charge of both ways."""
    time, current = nine_pulses()
    measured = -np.concatenate([[0.0], np.cumsum(np.diff(time) * (current[1:] + current[:-1]))]) / 7200.0
    quick_voltage, quick_charge = from_zero_to_end(time, current)
    ours = simulated("SPMe", partition(time, current, quick_voltage), Set(), SOC)
    charge = -np.concatenate([[0.0], np.cumsum(charge_steps(ours.frame))])
    lost = (measured[-1] - quick_charge[-1]) / measured[-1]
    print(f"charge measured {measured[-1]:.4f} A.h; [0, T] {quick_charge[-1]:.4f} A.h, {lost:.2%} lost")
    result = ours.result
    print(f"kilocell {-result.charge_model_ah:.4f} A.h, charge error {result.charge_error:.4%}, {result.knots} knots")
    hours = time / 3600.0
    figure = Figure(figsize=(WIDTH_INCH, 4.4), layout="constrained")
    loads, voltages, charges = figure.subplots(3, 1, sharex=True, height_ratios=[0.8, 1.5, 1.1])
    loads.plot(hours, current, color=BLACK, linewidth=0.8)
    loads.set(ylabel="Current (A)\ncharge > 0")
    ours_style = {"color": BLUE, "label": "kilocell"}
    quick_style = {"color": VERMILLION, "linestyle": DASHES[1], "label": "PyBaMM, solve([0, T])"}
    voltages.plot(hours, ours.frame["simulated_voltage_volt"], **ours_style)
    voltages.plot(hours, quick_voltage, **quick_style)
    voltages.set(ylabel="Voltage (V)")
    voltages.legend(loc="lower right", ncols=2)
    charges.plot(hours, measured, color=GREY, linewidth=3.0, alpha=0.5, label="measured")
    charges.plot(hours, charge, **ours_style)
    charges.plot(hours, quick_charge, **quick_style)
    charges.set(ylabel="Charge\ntaken out (A.h)", xlabel="Test time (h)")
    charges.legend(loc="lower right", ncols=3)
    figure.align_ylabels([loads, voltages, charges])
    return figure


def charge_steps(frame) -> Floats:
    """Return the charge between consecutive samples of a simulation in A.h, positive into the cell."""
    current = frame["simulated_current_ampere"].to_numpy(float)
    return np.diff(frame[c.TEST_TIME].to_numpy(float)) * (current[1:] + current[:-1]) / 7200.0


def main() -> None:
    """Draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "images")
    path = parser.parse_args().out / "replay_pulses.png"
    draw().savefig(path)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
