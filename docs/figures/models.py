"""Draw the figures of docs/models.md and print its numbers.

Usage: python docs/figures/models.py [--only discharge,pulse,conditions] [--out docs/images]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from kilocell.data import columns as c
from kilocell.data.settings import Override
from kilocell.report.draw.style import BLACK, BLUE, DASHES, GREY, SHADE, VERMILLION, WIDTH_INCH, house_style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from virtual_records import CAPACITY_AH, MODELS, Set, as_seen_by_the_dfn, discharged, rmse_mv, simulated

STYLES = {
    "DFN": {"color": BLACK, "linewidth": 1.8},
    "SPMe": {"color": VERMILLION, "linestyle": DASHES[1]},
    "SPM": {"color": BLUE, "linestyle": DASHES[2], "linewidth": 1.6},
}
MARKERS = {"SPM": "o", "SPMe": "s"}
WINDOWS_SECOND = ((0.0, 2.0), (2.0, 20.0), (20.0, 120.0), (120.0, 600.0))
THICKNESSES = ("Negative electrode thickness [m]", "Positive electrode thickness [m]")


@house_style()
def draw_discharge() -> Figure:
    """Draw the voltages of the three models at two rates, and their RMSE against the DFN over the rate."""
    figure = Figure(figsize=(WIDTH_INCH, 3.3), layout="constrained")
    voltages, errors = figure.subplots(1, 2, width_ratios=[1.35, 1.0])
    cell = Set()
    for rate, place in ((0.5, (3.2, 3.62)), (2.0, (1.0, 3.47))):
        record = discharged(rate, cell)
        under_load = record[c.CURRENT].to_numpy() < 0.0
        for model in reversed(MODELS):
            frame = simulated(model, record, cell).frame[under_load]
            taken = (frame[c.TEST_TIME] - frame[c.TEST_TIME].iloc[0]) / 3600.0 * rate * CAPACITY_AH
            label = model if rate == 2.0 else None
            voltages.plot(taken, frame["simulated_voltage_volt"], label=label, **STYLES[model])
        voltages.text(*place, f"{rate:g}C", fontweight="bold")
    voltages.set(xlabel="Charge taken out (A.h)", ylabel="Voltage (V)", ylim=(2.4, 4.25))
    voltages.legend(loc="lower left")
    rates = (0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 2.5)
    table = distances("C-rate", rates, [(discharged(rate, cell), cell) for rate in rates])
    draw_distances(errors, rates, table, "C-rate (1/h)")
    errors.set_xscale("log")
    ticks_as_written(errors, (0.1, 0.2, 0.5, 1, 2))
    errors.annotate(
        "SPMe above 2C:\nits electrolyte\nruns empty", (2.0, table["SPMe"][5]), (0.95, 0.05), color=GREY,
        textcoords="axes fraction", ha="right", arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.7},
    )  # fmt: skip
    return figure


@house_style()
def draw_pulse() -> Figure:
    """Draw the response of the three models to a step of the current over time, and their errors against the DFN."""
    figure = Figure(figsize=(WIDTH_INCH, 3.9), layout="constrained")
    answers, errors = figure.subplots(2, 1, sharex=True, height_ratios=[1.5, 1.0])
    since = np.unique(np.concatenate([np.geomspace(0.1, 600.0, 90), [2.0, 20.0, 120.0]]))
    time = np.concatenate([np.arange(0.0, 61.0, 10.0), 60.001 + since])
    record = as_seen_by_the_dfn(time, np.where(time > 60.0, -CAPACITY_AH, 0.0), Set(), 0.5)
    after = time > 60.0
    print("| model | " + " | ".join(f"{low:g} to {high:g} s" for low, high in WINDOWS_SECOND) + " |")
    for model in reversed(MODELS):
        frame = simulated(model, record, Set(), 0.5).frame
        voltage = 1e3 * frame["simulated_voltage_volt"].to_numpy(float)
        answers.plot(since, (voltage - voltage[0])[after], label=model, **STYLES[model])
        if model == "DFN":
            continue
        error = 1e3 * frame["voltage_error_volt"].to_numpy(float)[after]
        errors.plot(since, error, **STYLES[model])
        means = [over_time(since, error, low, high) for low, high in WINDOWS_SECOND]
        print(f"| {model} | " + " | ".join(f"{mean:+.1f}" for mean in means) + " |")
    for axes in (answers, errors):
        axes.axvspan(2.0, 20.0, color=SHADE, zorder=0)
        axes.axvspan(120.0, 600.0, color=SHADE, zorder=0)
    for middle, words in ((0.45, "0 to 2 s"), (6.3, "2 to 20 s"), (49.0, "20 to 120 s"), (268.0, "later")):
        answers.text(middle, 1.02, words, ha="center", color=GREY, transform=answers.get_xaxis_transform())
    answers.set(ylabel="Change of\nvoltage (mV)")
    answers.legend(loc="lower left")
    errors.axhline(0.0, color=GREY, linewidth=0.5)
    errors.set(xlabel="Time since the step from rest to 1C discharge (s)", ylabel="Less the DFN's\n(mV)", xscale="log")
    errors.set_xlim(0.1, 600.0)
    ticks_as_written(errors, (0.1, 1, 2, 20, 120, 600))
    figure.align_ylabels([answers, errors])
    return figure


def over_time(since_second: np.ndarray, error_mv: np.ndarray, low: float, high: float) -> float:
    """Return the mean of an error over a time window, weighted with time, not with samples."""
    inside = (since_second >= low) & (since_second <= high)
    at = since_second[inside]
    return float(np.trapezoid(error_mv[inside], at) / (at[-1] - at[0]))


@house_style()
def draw_conditions() -> Figure:
    """Draw the RMSE against the DFN over the temperature and over the electrode thickness, at 1C."""
    figure = Figure(figsize=(WIDTH_INCH, 3.0), layout="constrained")
    cold, thick = figure.subplots(1, 2, sharey=True)
    degrees = (0.0, 5.0, 10.0, 15.0, 25.0, 40.0)
    sets = [Set("OKane2022", celsius) for celsius in degrees]
    table = distances("°C", degrees, [(discharged(1.0, cell), cell) for cell in sets])
    draw_distances(cold, degrees, table, "Temperature (°C)")
    factors = (0.5, 0.75, 1.0, 1.25, 1.5)
    table = distances("thickness", factors, [taken_from_thick(factor) for factor in factors])
    draw_distances(thick, factors, table, "Thickness of both electrodes (times the LG M50's)")
    thick.set_ylabel("")
    return figure


def taken_from_thick(factor: float) -> tuple:
    """Discharge a full cell with thicker electrodes by three quarters of its capacity at 1C.

    Args:
        factor: on the thickness of both electrodes.
    """
    cell = Set(overrides=tuple(Override(name, "scale", factor) for name in THICKNESSES))
    time = np.arange(0.0, 60.0 + 2700.0 + 1.0, 10.0)
    current = np.where(time > 60.0, -CAPACITY_AH * factor, 0.0)
    return as_seen_by_the_dfn(time, current, cell, 1.0), cell


def distances(name: str, values: Sequence[float], cases: Sequence[tuple]) -> dict[str, list[float]]:
    """Compute the RMSE of each model on each record in mV, and print it as a table."""
    found: dict[str, list[float]] = {model: [rmse_mv(model, *case) for case in cases] for model in MODELS}
    print(f"| {name} | " + " | ".join(MODELS) + " |\n|---|---|---|---|")
    for place, value in enumerate(values):
        print(f"| {value:g} | " + " | ".join(f"{found[model][place]:.2f}" for model in MODELS) + " |")
    return found


def draw_distances(axes: Axes, values: Sequence[float], table: dict[str, list[float]], label: str) -> None:
    """Draw the RMSE of SPM and SPMe on a logarithmic axis."""
    for model in ("SPM", "SPMe"):
        axes.plot(values, table[model], marker=MARKERS[model], markersize=4, label=model, **STYLES[model])
    axes.set(xlabel=label, ylabel="RMSE against the DFN (mV)", yscale="log")
    ticks_as_written(axes, (0.1, 1, 10, 100), vertical=True)
    axes.grid(axis="y", color=SHADE)
    axes.legend(loc="best")


def ticks_as_written(axes: Axes, at: Sequence[float], vertical: bool = False) -> None:
    """Put plain numbers at these values of a logarithmic axis."""
    axis = axes.yaxis if vertical else axes.xaxis
    axis.set_major_locator(FixedLocator(list(at)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


FIGURES: dict[str, Callable[[], Figure]] = {
    "discharge": draw_discharge,
    "pulse": draw_pulse,
    "conditions": draw_conditions,
}


def main() -> None:
    """Draw the chosen figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", default=",".join(FIGURES))
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "images")
    options = parser.parse_args()
    for name in options.only.split(","):
        path = options.out / f"models_{name}.png"
        FIGURES[name]().savefig(path)
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
