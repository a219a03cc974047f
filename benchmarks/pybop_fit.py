"""PyBOP's side of ``benchmarks/fit.py``; it runs in PyBOP's own environment, without kilocell.

It reads requests as lines of JSON from its input and answers each with one line. It uses PyBOP's public interface, and
two things more: the stops of the solver (PyBOP's ``Simulator`` has no option for them) and PyBaMM's compiled functions.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

os.environ["PYBAMM_DISABLE_TELEMETRY"] = "true"
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pybamm
import pybop
from scipy import stats

VOLTAGE = "Voltage [V]"
Reply = dict[str, Any]


class OutOfTime(Exception):  # noqa: N818 - ends a search; not an error
    pass


class Watched:
    """A cost that records each of its evaluations: wall and CPU seconds, RMSE in mV and values."""

    rows: list[tuple[float, float, float, list[float]]]
    until = np.inf

    def evaluate(self, solution: Any, inputs: Any = None, calculate_sensitivities: bool = False) -> Any:
        found = super().evaluate(solution, inputs=inputs, calculate_sensitivities=calculate_sensitivities)  # type: ignore[misc]
        rmse = np.inf
        if not isinstance(solution, pybop.FailedSolution):
            error = solution[VOLTAGE].data - self.measured_volt  # type: ignore[attr-defined]
            rmse = 1e3 * float(np.sqrt(np.mean(error**2))) if len(error) else np.inf
        self.rows.append((time.perf_counter(), time.process_time(), rmse, [float(v) for v in (inputs or {}).values()]))
        if time.process_time() > self.until:
            raise OutOfTime
        return found


def _minimize(method: str, jac: bool) -> Callable[[Any, int], Any]:
    def make(problem: Any, starts: int) -> Any:
        options = pybop.SciPyMinimizeOptions(method=method, jac=jac, multistart=starts)
        return pybop.SciPyMinimize(problem, options)

    return make


def _pints(name: str) -> Callable[[Any, int], Any]:
    return lambda problem, starts: getattr(pybop, name)(problem, pybop.PintsOptions(multistart=starts))


METHODS: dict[str, Callable[[Any, int], Any]] = {
    "SLSQP": _minimize("SLSQP", True),
    "L-BFGS-B": _minimize("L-BFGS-B", True),
    "TNC": _minimize("TNC", True),
    "trust-constr": _minimize("trust-constr", True),
    "Nelder-Mead": _minimize("Nelder-Mead", False),
    "COBYLA": _minimize("COBYLA", False),
    "COBYQA": _minimize("COBYQA", False),
    "Powell": _minimize("Powell", False),
    **{name: _pints(name) for name in ("IRPropPlus", "IRPropMin", "CMAES", "XNES", "SNES", "PSO", "AdamW")},
}


def solver(setup: str, longest_second: float) -> pybamm.BaseSolver:
    """Return the solver of a setup, with one thread.

    ``recommended`` has the tolerances of PyBOP's ``RecommendedSolver``, the others have PyBaMM's defaults.
    """
    options: dict[str, Any] = {"num_threads": 1, "silence_sundials_errors": True}
    if setup == "recommended":
        return pybamm.IDAKLUSolver(rtol=1e-6, atol=1e-6, on_failure="ignore", options=options)
    if setup.startswith("dt_max"):
        options["dt_max"] = longest_second
    options["compile"] = "compiled" in setup
    return pybamm.IDAKLUSolver(rtol=1e-4, atol=1e-6, on_failure="ignore", options=options)


def parameter_values(case: Reply, time_second: Any, discharge_ampere: Any) -> pybamm.ParameterValues:
    """Return the set with its initial state, and with fit parameters in place of values or factors of functions."""
    values = pybamm.ParameterValues(case["base"])
    values.set_initial_state(case["soc"])
    values.update({"Ambient temperature [K]": case["kelvin"], "Initial temperature [K]": case["kelvin"]})
    for name, lower, upper in case["parameters"]:
        transformation = pybop.LogTransformation()
        fitted = pybop.Parameter(stats.loguniform(lower, upper), transformation=transformation)
        if callable(values[name]):
            factor = f"Factor of {name}"
            values.update({name: _times(values[name], factor)})
            values.update({factor: fitted}, check_already_exists=False)
        else:
            values.update({name: fitted})
    return values


def _times(function: Callable[..., Any], factor: str) -> Callable[..., Any]:
    return lambda *arguments: pybamm.Parameter(factor) * function(*arguments)


class Fitting:
    """One cell's problem in PyBOP: simulator, cost, and what a search needs."""

    def __init__(self, request: Reply) -> None:
        case, setup = request["case"], request["setup"]
        with np.load(request["file"]) as arrays:
            moment, current, volt, stops = (arrays[name] for name in ("time", "current", "voltage", "stops"))
        data = pybop.Dataset({"Time [s]": moment, "Current [A]": -current, VOLTAGE: volt})
        simulator = pybop.pybamm.Simulator(
            getattr(pybamm.lithium_ion, case["model"])(),
            parameter_values=parameter_values(case, moment, -current),
            protocol=data,
            solver=solver(setup, case["longest_second"]),
            output_variables=[VOLTAGE] if "outputs" in setup else None,
        )
        if setup.startswith("stops"):
            simulator._t_eval = stops
        # PyBOP orders the parameters in its own way.
        own = [name.removeprefix("Factor of ") for name in simulator.parameters.names]
        self.order = [[name for name, *_ in case["parameters"]].index(name) for name in own]
        self.cost = type("WatchedCost", (Watched, pybop.RootMeanSquaredError), {})(data, VOLTAGE)
        self.cost.rows, self.cost.measured_volt = [], volt
        self.problem = pybop.Problem(simulator, self.cost)

    def inputs(self, values: list[float]) -> dict[str, float]:
        return self.problem.parameters.to_dict([values[place] for place in self.order])

    def voltage(self, values: list[float]) -> list[float]:
        solution = self.problem.simulate(self.inputs(values))
        if isinstance(solution, pybop.FailedSolution):
            return []
        return [float(v) for v in solution[VOLTAGE].data]

    def warm(self, values: list[float]) -> None:
        """Solve once without and once with sensitivities; each sets up the solver."""
        self.problem.evaluate(self.inputs(values))
        self.problem.evaluate(self.inputs(values), calculate_sensitivities=True)

    def search(self, request: Reply) -> list[Reply]:
        """Run one start from the first values, or several with PyBOP's own multistart."""
        np.random.seed(request["seed"])
        first, starts = self.inputs(request["first"]), request["starts"]
        self.cost.rows.clear()
        begins, message = [], ""
        wall, cpu = time.perf_counter(), time.process_time()
        self.cost.until = cpu + request["most_second"] * starts
        try:
            self.problem.parameters.update(initial_values=first)
            optimiser = METHODS[request["method"]](self.problem, starts)
            set_up = optimiser._set_up_optimiser

            def next_start() -> Any:
                begins.append(len(self.cost.rows))
                return set_up()

            optimiser._set_up_optimiser = next_start
            message = str(optimiser.run().message)
        except OutOfTime:
            message = f"stopped after {request['most_second'] * starts:.0f} CPU s"
        except Exception as error:  # what PyBOP cannot do is a result of the benchmark
            message = f"fails: {' '.join(str(error).split())[:80]}"
        end = (time.perf_counter(), time.process_time())
        edges = [0, *begins, len(self.cost.rows)]
        parts = [self.cost.rows[a:b] for a, b in pairwise(edges)]
        replies = []
        for place, part in enumerate(parts):
            last = end if place == len(parts) - 1 or not part else part[-1][:2]
            replies.append(self._reply(part, (wall, cpu), last, message))
            wall, cpu = last
        return replies

    def _reply(self, rows: Any, began: Any, end: Any, message: str) -> Reply:
        """Return a start's time, evaluations and trace: each point that was better than all before."""
        best, trace = np.inf, []
        for wall, cpu, rmse, values in rows:
            if rmse < best:
                best, ours = rmse, [values[self.order.index(k)] for k in range(len(values))]
                trace.append({"wall": wall - began[0], "cpu": cpu - began[1], "rmse_mv": rmse, "values": ours})
        taken = {"wall": end[0] - began[0], "cpu": end[1] - began[1]}
        return {"trace": trace, **taken, "evaluations": len(rows), "message": message}


def main() -> None:
    warnings.simplefilter("ignore")
    pybamm.set_logging_level("ERROR")
    answers = sys.stdout
    fitting: Fitting | None = None
    about = {"pybop": pybop.__version__, "pybamm": pybamm.__version__, "numpy": np.__version__}
    print(json.dumps(about), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        began = time.perf_counter(), time.process_time()
        reply: Any = {}
        with contextlib.redirect_stdout(sys.stderr):  # PyBOP prints
            try:
                if request["do"] == "load":
                    fitting = Fitting(request)
                    fitting.warm(request["first"])
                elif fitting is not None and request["do"] == "voltage":
                    reply["voltage"] = fitting.voltage(request["values"])
                elif fitting is not None:
                    reply["starts"] = fitting.search(request)
            except Exception as error:
                reply["failed"] = " ".join(str(error).split())[:120]
        reply |= {"wall": time.perf_counter() - began[0], "cpu": time.process_time() - began[1]}
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    main()
