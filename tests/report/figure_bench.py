"""A store on disk and its catalog, filled as a run fills them, for figures to be drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from kilocell.data import columns as c
from kilocell.data import fit_settings
from kilocell.data import settings as asked
from kilocell.data.results import cleaning
from kilocell.data.results import fitting as fit_values
from kilocell.data.results import simulation as simulation_values
from kilocell.data.results.receipt import Receipt
from kilocell.data.settings import CellSettings, ModelSettings, ParameterSetSettings
from kilocell.parquet_store.journal import StartJournal
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.write import write_frame
from kilocell.sqlite.catalog import Catalog
from matplotlib.figure import Figure
from numpy.typing import NDArray

NOTHING = np.zeros(0), np.zeros((0, 1))
CHINESE = "电池/一号"
FITTED = ParameterSetSettings(
    "Chen2020-fitted", "Chen2020", (asked.Override("Negative particle radius [m]", "scale", 0.9),)
)


def record(cycles: int, samples: int = 240, offset_volt: float = 0.0) -> pd.DataFrame:
    """Make a cleaned record: constant-current charge and discharge in turn, an hour a cycle, one hole."""
    phase = np.linspace(0, cycles, samples, endpoint=False)
    charging = phase % 1 < 0.5
    charged = np.where(charging, phase % 1, 1 - phase % 1) * 2
    made: dict[str, object] = {
        c.TEST_TIME: phase * 3600,
        c.VOLTAGE: 3.0 + 1.1 * charged + np.where(charging, 0.05, -0.05) + offset_volt,
        c.CURRENT: np.where(charging, 2.5, -2.5),
        c.CYCLE_COUNT: 1 + np.floor(phase),
        c.STEP_COUNT: 1 + np.floor(2 * phase),
        c.STEP_TYPE: np.where(charging, "charge", "discharge"),
    }
    frame = pd.DataFrame({name: made.get(name, np.zeros(samples)) for name in c.PARTITION_COLUMNS})
    frame.loc[30:34, c.VOLTAGE] = np.nan
    return frame.astype(c.PARTITION_COLUMNS)


def simulation(measured: pd.DataFrame, error_volt: NDArray[np.float64] | float) -> pd.DataFrame:
    """Make a simulation's samples that differ from a record by a known error."""
    frame = measured[[c.TEST_TIME, c.CYCLE_COUNT, c.STEP_COUNT, c.STEP_TYPE]].copy()
    frame[c.WINDOW] = "ohmic"
    frame["voltage_error_volt"] = np.where(measured[c.VOLTAGE].isna(), np.nan, error_volt)
    frame["simulated_voltage_volt"] = measured[c.VOLTAGE].interpolate() + error_volt
    frame["simulated_current_ampere"] = measured[c.CURRENT]
    return frame[list(c.SIMULATION_COLUMNS)].astype(c.SIMULATION_COLUMNS)


@dataclass(frozen=True)
class Bench:
    """A store and its open catalog, filled as a run fills them."""

    store: Store
    catalog: Catalog

    def clean(self, cell_id: str, frame: pd.DataFrame) -> None:
        """Record a cleaned cell."""
        output = write_frame(self.store, self.store.cleaned(cell_id), frame, {}, {"cell_id": cell_id})
        span = float(frame[c.TEST_TIME].iloc[-1])
        rows, cycles = len(frame), int(frame[c.CYCLE_COUNT].max())
        report = cleaning.CleanReport(cell_id, rows, rows, 0, span, span, 1, 1, 1, 1, cycles, cycles, 2, 2)
        known = sorted(set(frame[c.CYCLE_COUNT].tolist()))
        summaries = tuple(
            cleaning.CycleSummary(n, 0.0, span, rows, 2, 1.0, 1.0, 4.0, 4.0, 3.0, 4.2, None) for n in known
        )
        result = cleaning.CleanResult(report, summaries)
        self.catalog.record(Receipt("clean", cell_id, "clean", "d", "done", outputs=(output,), result=result), None)

    def simulate(
        self, cell_id: str, model: str, parameter_set: ParameterSetSettings | str, frame: pd.DataFrame
    ) -> None:
        """Record a finished simulation."""
        if isinstance(parameter_set, str):
            parameter_set = ParameterSetSettings(parameter_set, parameter_set)
        settings = asked.SimulateSettings(CellSettings(cell_id), ModelSettings(model, model), parameter_set)
        identity = {"cell_id": cell_id, "model": model, "parameter_set": settings.parameter_set.name}
        output = write_frame(self.store, self.store.simulation(cell_id, settings.label), frame, {}, identity)
        rmse = float(np.sqrt((frame["voltage_error_volt"] ** 2).mean()) * 1000)
        numbers = (len(frame), 9, 0.5, 3.6, "rest voltage", 1.0, 25.0, 0.0, 0.0, 0.0, rmse, 0.0, 0.0, 0.0, 1.0)
        windows = tuple(
            simulation_values.StepComparison(
                cycle, "all", "ohmic", 10 * (cycle or 3), rmse + cycle, 0.0, 0.0, 0.0, rmse / 2
            )
            for cycle in (0, 1, 2)
        )
        result = simulation_values.SimulationResult(settings, *numbers, step_comparisons=windows)
        receipt = Receipt("simulate", cell_id, settings.label, "d", "done", outputs=(output,), result=result)
        self.catalog.record(receipt, None)

    def fail(self, cell_id: str, model: str, parameter_set: str) -> None:
        """Record a simulation that failed."""
        base = ParameterSetSettings(parameter_set, parameter_set)
        settings = asked.SimulateSettings(CellSettings(cell_id), ModelSettings(model, model), base)
        receipt = Receipt("simulate", cell_id, settings.label, "d", "failed", reason="no solution")
        self.catalog.record(receipt, None, settings=settings)

    def end(self, cell_id: str, model: str, frame: pd.DataFrame) -> None:
        """Record a simulation that failed and kept its first samples."""
        base = ParameterSetSettings("Chen2020", "Chen2020")
        settings = asked.SimulateSettings(CellSettings(cell_id), ModelSettings(model, model), base)
        identity = {"cell_id": cell_id, "model": model, "parameter_set": settings.parameter_set.name}
        output = write_frame(self.store, self.store.simulation(cell_id, settings.label), frame, {}, identity)
        last = float(frame[c.TEST_TIME].iloc[-1])
        result = simulation_values.FailedSimulation(settings, len(frame), 9, 0.5, 3.6, "soc", 1.0, 25.0, (), last, 50.0)
        receipt = Receipt("simulate", cell_id, settings.label, "d", "failed", "why", "left_range", outputs=(output,))
        self.catalog.record(replace(receipt, result=result), None)

    def fit(
        self,
        cell_id: str,
        name: str,
        rmse_mv: Sequence[float],
        cycles: tuple[int, ...] = (),
        held_out: tuple[int, ...] = (),
    ) -> None:
        """Record a finished fit and its starts, each with a journal of two evaluations; one of no RMSE failed."""
        radius = fit_settings.FitParameter("Negative particle radius [m]", 0.5, 2.0)
        base = ParameterSetSettings("Chen2020", "Chen2020")
        settings = fit_settings.FitSettings(
            name, CellSettings(cell_id), ModelSettings("SPMe", "SPMe"), base, (radius,), cycles, len(rmse_mv),
            validation_cycles=held_out,
        )  # fmt: skip
        for start, rmse in enumerate(rmse_mv):
            label, first = f"{name}-{start}", 80.0 + 9 * start
            journal = StartJournal(self.store, cell_id, label, "d")
            for number, made in enumerate((first, rmse)):
                journal.note(fit_values.Evaluation(number + 1, (1.0,), made**2, made, 0.01), *NOTHING)
            if np.isnan(rmse):
                failed = Receipt("start", cell_id, label, "d", "failed", "no solution", "no_solution")
                self.catalog.record(failed, None, settings=settings)
                continue
            found = fit_values.StartResult(settings, start, start, (1.0,), (0.9,), first, rmse, 20, "converged")
            self.catalog.record(Receipt("start", cell_id, label, "d", "done", result=found), None)
        best = int(np.nanargmin(rmse_mv))
        parameter = fit_values.FittedParameter(radius.name, "m", 0.9, 1.0, 0.5, 2.0, "linear", False, True)
        result = fit_values.FitResult(settings, best, len(rmse_mv), 1, 75.9, rmse_mv[best], (parameter,), FITTED)
        self.catalog.record(Receipt("fit", cell_id, name, "d", "done", result=result), None)

    def profile(self, cell_id: str, name: str, value: float) -> None:
        """Record the profile of the fit's parameter: a parabola about ``value`` with its lower side open."""
        radius = fit_settings.FitParameter("Negative particle radius [m]", 0.5, 2.0)
        base = ParameterSetSettings("Chen2020", "Chen2020")
        settings = fit_settings.FitSettings(name, CellSettings(cell_id), ModelSettings("SPMe", "SPMe"), base, (radius,))
        points = tuple(
            fit_values.ProfilePoint(value + away, 21.0, 100.0 + 2.0 * (away / 0.1) ** 2) for away in (-0.1, 0.0, 0.2)
        )
        result = fit_values.ProfileResult(
            settings,
            radius.name,
            "m",
            value,
            100.0,
            102.0,
            points,
            None,
            value + 0.1,
            "bound",
            "level",
            20,
            "only an upper limit",
        )
        self.catalog.record(Receipt("profile", cell_id, f"{name}-profile-0", "d", "done", result=result), None)


def names(paths: Sequence[Path]) -> list[str]:
    return [path.name for path in paths]


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]
