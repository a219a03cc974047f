"""Solve one small model and print how long it took: ``python -m kilocell.jobs.models.solver_check``.

``kilocell doctor`` runs this in a process of its own, because a binary that does not suit the processor kills it.
"""

from __future__ import annotations

import json
import time
from typing import Final

DURATION_SECOND: Final = 60.0


def main() -> None:
    """Import PyBaMM, solve a discharge of a minute with IDAKLU, and print a line of JSON."""
    began = time.perf_counter()
    import pybamm

    imported = time.perf_counter()
    simulation = pybamm.Simulation(pybamm.lithium_ion.SPM(), solver=pybamm.IDAKLUSolver())
    simulation.build()
    built = time.perf_counter()
    solution = simulation.solve([0.0, DURATION_SECOND])
    solved = time.perf_counter()
    voltage = float(solution["Voltage [V]"].entries[-1])
    assert 3.0 < voltage < 4.3, f"the voltage is {voltage} V"
    answer = {
        "pybamm": pybamm.__version__,
        "import_second": imported - began,
        "build_second": built - imported,
        "solve_ms": 1000.0 * (solved - built),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
