"""How well the state at a cycle's start is found: consecutive cycles without noise and with short rests between them.

``python tests/jobs/states_study.py`` simulates one cycle of each record with the model that made it, and prints the
error and what was said about it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from kilocell.data import columns as c
from kilocell.data.cycle_selection import parse_selection
from kilocell.data.results.simulation import SimulationResult
from kilocell.data.settings import CellSettings, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.jobs.simulation.simulate import simulate
from records import documented_replay, partition

CYCLES = 3
CAPACITY_AH = 5.0


@dataclass(frozen=True)
class Protocol:
    """Cycles of a discharge and a charge.

    Args:
        rest_second: rest after each of them, s.
        rate: of the discharge, 1/h; the charge has half of it.
        first_rest_second: rest at the start of the record, s; 0 = it begins under load.
        depth: charge of each discharge, as a share of the capacity.
    """

    rest_second: float
    rate: float
    first_rest_second: float = 1800.0
    depth: float = 0.5


STUDY = tuple(
    Protocol(rest, rate, first_rest)
    for first_rest in (1800.0, 0.0)
    for rest in (0.0, 60.0, 180.0, 300.0)
    for rate in (0.3, 1.0, 2.0)
)


def record(protocol: Protocol, soc: float = 0.9, model: str = "SPM") -> pd.DataFrame:
    """Make the record, at 10 s."""
    ampere = protocol.rate * CAPACITY_AH
    second = 3600.0 * protocol.depth / protocol.rate
    once = [(second, -ampere), (protocol.rest_second, 0.0), (2.0 * second, 0.5 * ampere), (protocol.rest_second, 0.0)]
    pieces = [(protocol.first_rest_second, 0.0, 1)]
    pieces += [(length, current, cycle) for cycle in range(1, CYCLES + 1) for length, current in once]
    counts = [round(length / 10.0) for length, _, _ in pieces]
    current = np.repeat([current for _, current, _ in pieces], counts).astype(np.float64)
    time = 10.0 * np.arange(len(current), dtype=np.float64)
    frame = partition(time, current, documented_replay(model, "Chen2020", time, current, soc))
    frame[c.CYCLE_COUNT] = np.repeat([cycle for _, _, cycle in pieces], counts).astype(np.int32)
    frame[c.STEP_COUNT] = (1 + np.cumsum(np.diff(current, prepend=current[0]) != 0.0)).astype(np.int32)
    return frame


def simulate_cycle(samples: pd.DataFrame, selection: str, model: str = "SPM") -> SimulationResult:
    """Simulate selected cycles with the model and the set that made the record."""
    settings = SimulateSettings(
        CellSettings("CELL", CAPACITY_AH),
        ModelSettings(model, model),
        ParameterSetSettings("Chen2020", "Chen2020"),
        cycles=parse_selection(selection),
    )
    return simulate(samples, settings, None).result


def main() -> None:
    """Print one line for each protocol and selected cycle."""
    for protocol in STUDY:
        samples = record(protocol)
        for selection in ("2", "3"):
            result = simulate_cycle(samples, selection)
            numbers = f"{result.rmse_mv:8.2f} {result.worst_mv:8.2f}"
            state = result.cycle_states[0]
            rests = f"{protocol.first_rest_second:5.0f} s, {protocol.rest_second:4.0f} s"
            print(f"{rests} {protocol.rate:4.1f}C cycle {selection}: {numbers} mV  ", end="")
            print(f"±{state.uncertainty_mv:.1f} mV  {state.source}")


if __name__ == "__main__":
    main()
