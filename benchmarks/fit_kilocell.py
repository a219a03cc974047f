"""kilocell's side of ``benchmarks/fit.py``: run a start as a worker does, and trace its best values over time."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from fit_cases import Case
from kilocell.data import columns as c
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import FitParameter, FitSettings
from kilocell.data.results.fitting import Evaluation, StartResult
from kilocell.data.settings import CellSettings, InitialState, ModelSettings, ParameterSetSettings
from kilocell.jobs.fitting.fit import combine_starts, run_start
from kilocell.jobs.fitting.objective import make_objective
from kilocell.jobs.fitting.starts import first_point, from_scaled
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Reply = dict[str, Any]
KELVIN_AT_ZERO = 273.15


class Trace:
    """A journal in memory: the time and the RMSE of each evaluation."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, float, float, tuple[float, ...]]] = []

    def recall(self, number: int, values: tuple[float, ...]) -> None:
        return None

    def note(self, evaluation: Evaluation, error_mv: Floats, slopes_mv: Floats) -> None:
        self.rows.append((time.perf_counter(), time.process_time(), evaluation.rmse_mv, evaluation.values))


class Kilocell:
    """One cell's fit."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._samples = partition(case)
        self.settings = FitSettings(
            name="benchmark",
            cell=CellSettings("CELL", 5.0, InitialState("soc", case.soc), case.kelvin - KELVIN_AT_ZERO),
            model=ModelSettings(case.model, case.model),
            parameter_set=ParameterSetSettings(case.base, case.base),
            parameters=tuple(FitParameter(name, lower, upper, "log") for name, lower, upper in case.parameters),
            starts=4,
        )
        self._first: Reply = self.start(0, max_evaluations=2)
        self._second: Reply = self.start(0, max_evaluations=2)
        self._objective = make_objective(self._samples, self.settings, None)

    def first_time(self) -> float:
        """Return by how many seconds the first start took longer than the second: to build and compile the model."""
        return float(self._first["wall"] - self._second["wall"])

    def seed(self, seed: int) -> None:
        self.settings = replace(self.settings, seed=seed)

    def first_values(self, start: int) -> tuple[float, ...]:
        """Return the parameter values at which a start begins."""
        point = first_point(self.settings, start, self._objective.inputs.default_values())
        return tuple(float(v) for v in from_scaled(self.settings.parameters, point))

    def voltage(self, values: tuple[float, ...]) -> Floats:
        error = self._objective.residuals(np.array(values), slopes=False).error_mv
        found: Floats = self.case.voltage + 1e-3 * error
        return found

    def start(self, start: int, max_evaluations: int = 200) -> Reply:
        """Run a start; return its time, evaluations and trace in the same form as PyBOP's side."""
        return self._run(start, max_evaluations)[0]

    def fit(self, starts: int) -> tuple[list[Reply], Reply]:
        """Run all starts and choose the best with its uncertainty; return each start's reply, and the total time."""
        began = time.perf_counter(), time.process_time()
        ran = [self._run(start, 200) for start in range(starts)]
        combine_starts(self._samples, self.settings, tuple(result for _, result in ran if result), None)
        whole = {"wall": time.perf_counter() - began[0], "cpu": time.process_time() - began[1]}
        return [reply for reply, _ in ran], whole

    def _run(self, start: int, max_evaluations: int) -> tuple[Reply, StartResult | None]:
        settings, trace = replace(self.settings, max_evaluations=max_evaluations), Trace()
        began, result = (time.perf_counter(), time.process_time()), None
        try:
            result = run_start(self._samples, settings, start, None, trace)
            message = result.message
        except JobError as error:
            message = f"fails: {error}"
        taken = {"wall": time.perf_counter() - began[0], "cpu": time.process_time() - began[1]}
        best, kept = np.inf, []
        for wall, cpu, rmse, values in trace.rows:
            if rmse < best:
                best = rmse
                kept.append({"wall": wall - began[0], "cpu": cpu - began[1], "rmse_mv": rmse, "values": values})
        return {"trace": kept, **taken, "evaluations": len(trace.rows), "message": message}, result


def partition(case: Case) -> pd.DataFrame:
    """Make a cleaned partition of one cycle and one step from a case."""
    n = len(case.time)
    frame = pd.DataFrame({name: np.zeros(n) for name in c.PARTITION_COLUMNS})
    frame[c.TEST_TIME], frame[c.CURRENT], frame[c.VOLTAGE] = case.time, case.current, case.voltage
    frame[c.CYCLE_COUNT] = frame[c.STEP_COUNT] = 1
    return frame.astype({name: kind for name, kind in c.PARTITION_COLUMNS.items() if name != c.STEP_TYPE})
