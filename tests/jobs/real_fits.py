"""Fits of real LG M50 cells with Chen2020, judged on other cells, rates and a temperature.

``python tests/jobs/real_fits.py`` prints the tables of docs/fitting.md; it needs the real records (``--data``).
Fitted are Cell785 at 0.5C, at 25 and at 0 °C; the others are only judged. 782 to 784, 787 and 788 are left alone.
"""

from __future__ import annotations

import argparse
import time
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from kilocell.data import columns as c
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import PRESETS, FitSettings
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.results.fitting import FitResult, StartResult
from kilocell.data.settings import (
    CellSettings,
    CleanSettings,
    InitialState,
    ModelSettings,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.cleaning.clean import clean
from kilocell.jobs.fitting.fit import combine_starts, run_start
from kilocell.jobs.record.cycles import mean_temperature
from kilocell.jobs.simulation.simulate import simulate
from records import partition

CHEN2020: Final = ParameterSetSettings("Chen2020", "Chen2020")
FITTED: Final = {25: "Cell785_0p5C_25degC", 0: "Cell785_0p5C_0degC"}
JUDGED: Final = {
    25: ("Cell786_0p5C_25degC", "Cell781_0p1C_25degC", "LGM50_789_1C_25degC", "Cell796_2C_25degC"),
    0: ("Cell786_0p5C_0degC",),
}
CHOICES: Final = (
    ("ohmic",),
    ("kinetic",),
    ("diffusion",),
    ("kinetic", "diffusion"),
    ("ohmic", "kinetic", "diffusion"),
    ("balance",),
    ("balance", "diffusion"),
    ("ageing",),
)


@lru_cache(maxsize=8)
def record(data: Path, name: str) -> tuple[pd.DataFrame, float | None]:
    """A cell's cleaned samples and mean temperature; the 1C cell's file lacks its current, 5 A until 2.5 V."""
    if name.startswith("LGM50"):
        rows = pd.read_csv(data / "lgm50_1C" / f"{name}.csv")
        end = int(rows["Voltage [V]"].argmin()) + 1
        rows = rows.iloc[:end].loc[lambda kept: kept["Time [s]"] > kept["Time [s]"].cummax().shift(fill_value=-1.0)]
        time_second, voltage = rows["Time [s]"].to_numpy(float), rows["Voltage [V]"].to_numpy(float)
        current = np.where(time_second > 0.0, -5.0, 0.0)
        return partition(time_second, current, voltage).assign(**{c.STEP_TYPE: "discharge"}), 24.6
    folder = "25degC" if name.endswith("25degC") else "0degC"
    path = data / "lgm50_digatron" / folder / f"{name}.csv"
    samples = clean(read_raw(path, guess_settings(path), name), name, CleanSettings()).samples
    return samples, mean_temperature(samples)


def cell_of(name: str) -> CellSettings:
    """A cell of 5 A.h; at 0 °C at the chamber's temperature, its own thermocouple sat outside at first."""
    return CellSettings(name, 5.0, InitialState("rest_voltage"), 0.0 if name.endswith("_0degC") else None)


def rmse_mv(data: Path, name: str, model: ModelSettings, parameter_set: ParameterSetSettings) -> str:
    """RMSE over the whole record, and over its discharge, or why there is none."""
    samples, celsius = record(data, name)
    try:
        found = simulate(samples, SimulateSettings(cell_of(name), model, parameter_set), celsius)
    except JobError as error:
        return error.code
    away = 1e3 * (found.frame["simulated_voltage_volt"].to_numpy() - samples[c.VOLTAGE].to_numpy())
    discharge = (samples[c.STEP_TYPE] == "discharge").to_numpy()
    return f"{np.sqrt(np.nanmean(away**2)):.1f} ({np.sqrt(np.nanmean(away[discharge] ** 2)):.1f})"


def fitted(data: Path, name: str, model: ModelSettings, presets: tuple[str, ...], starts: int) -> FitResult:
    """Fit presets to a cell's whole record."""
    parameters = tuple(p for preset in presets for p in PRESETS[preset])
    label = "+".join(presets)
    settings = FitSettings(label, cell_of(name), model, CHEN2020, parameters, starts=starts, seed=7)
    samples, celsius = record(data, name)
    done: list[StartResult] = []
    for start in range(starts):
        try:
            done.append(run_start(samples, settings, start, celsius))
        except JobError as error:
            print(f"  {label}, start {start}: {error}", flush=True)
    return combine_starts(samples, settings, tuple(done), celsius)


def main() -> None:
    """Print a line of the table as each fit is done, then its parameters."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[3] / "shared" / "data")
    parser.add_argument("--model", default="SPMe")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--celsius", type=int, nargs="+", default=[25, 0], choices=FITTED)
    parser.add_argument("--only", nargs="+", default=[], help="presets joined by +")
    asked = parser.parse_args()
    model = ModelSettings(asked.model, asked.model)
    for celsius in asked.celsius:
        names = (FITTED[celsius], *JUDGED[celsius])
        print(f"\n| fitted at {celsius} °C | " + " | ".join(names) + " | starts that agree |", flush=True)
        print("|---|" + "---:|" * len(names) + "---:|", flush=True)
        before = [rmse_mv(asked.data, name, model, CHEN2020) for name in names]
        print(f"| nothing (Chen2020) | {' | '.join(before)} | |", flush=True)
        for presets in CHOICES:
            if asked.only and "+".join(presets) not in asked.only:
                continue
            began = time.perf_counter()
            fit = fitted(asked.data, names[0], model, presets, asked.starts)
            after = [rmse_mv(asked.data, name, model, fit.parameter_set) for name in names]
            agree = f"{fit.starts_agreeing} of {fit.starts_done}"
            print(f"| {' + '.join(presets)} | {' | '.join(after)} | {agree} |", flush=True)
            print(f"  {time.perf_counter() - began:.0f} s; {fit.verdict}", flush=True)
            for p in fit.parameters:
                print(f"  {p.name}: {p.value / p.default:.4g} times {p.default:.4g}; {p.verdict}", flush=True)


if __name__ == "__main__":
    main()
