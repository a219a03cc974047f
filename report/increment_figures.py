"""Plot dQ/dV and dV/dQ of a cell's cycles: read cleaned and simulated samples, differentiate, draw."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from ..data import columns as c
from ..data.arrays import Floats
from ..data.errors import UsageError
from ..data.text import format_count
from ..parquet_store.layout import Store
from ..sqlite import queries
from ..sqlite.cell_facts import cell_facts
from .curves import read_curves, read_measured
from .draw.cells import MILLIVOLT, describe_error
from .draw.increments import StepCurves, draw_increments
from .headings import cell_details, describe_cycles
from .increments import Increments, Part, describe_smoothing, differentiate, find_parts
from .save import figure_name, save
from .select import check_cycles, known_cycles, select_simulations
from .styles import read_styles

SIMULATED_CYCLES: Final = 2
"""Largest number of cycles with the lines of simulations; with more, lines would hide each other."""


def plot_increments(
    store: Store,
    cell_id: str,
    cycles: Sequence[int] = (),
    models: Sequence[str] = (),
    parameter_sets: Sequence[str] = (),
    select: str | None = None,
    everything: bool = False,
    statuses: Sequence[str] = (),
    smoothing_mv: float | None = None,
) -> list[Path]:
    """Plot dQ/dV (A h V⁻¹) and dV/dQ (V (A h)⁻¹) of the constant-current steps of a cell, measured and simulated.

    Args:
        store: a store with the cleaned cell.
        cell_id: the cell.
        cycles: plot only these; empty = all. With more than two, only the measured curves are drawn.
        models, parameter_sets: plot only these simulations; empty = all.
        select: plot only this part of the record; not together with ``cycles``.
        everything: also what is out of date or of an earlier campaign.
        statuses: plot only simulations that are ``done``, or that ``failed`` after a first part; empty = both.
        smoothing_mv: standard deviation of the Gaussian over dQ/dV, mV; ``None`` = 5 mV.

    Returns:
        Paths of the files, ``dqdv_CELL`` or ``dqdv_CELL_cycles-CYCLES``.

    Raises:
        UsageError: there is no such cell, cycle or simulation, or no step with a constant current.
    """
    with closing(queries.connect(store.catalog, everything=everything)) as catalog:
        known = known_cycles(catalog, cell_id)
        check_cycles(cycles, known)
        rows = select_simulations(catalog, cell_id, models, parameter_sets, statuses)
        facts = cell_facts(catalog, cell_id)
        styles = read_styles(catalog)
    measured = read_measured(store, cell_id, cycles, select, more=[c.STEP_COUNT])
    parts, short = find_parts(measured)
    smoothing_volt = None if smoothing_mv is None else smoothing_mv / MILLIVOLT
    steps = _differentiate_all(parts, measured[c.VOLTAGE], smoothing_volt)
    part = select or describe_cycles(cycles, known)
    if not steps:
        raise UsageError(
            f"cell {cell_id!r} has no step with a constant current and a changing voltage in {part}, so there is no "
            f"dQ/dV; `kilocell cycles {cell_id}` lists its cycles"
        )
    caption = describe_smoothing(steps)
    if short:
        caption += f" Left out: {format_count(short, 'step')} with less than 5 % of the largest charge or below 20 mV."
    if len({each.cycle for each in parts}) > SIMULATED_CYCLES and rows:
        caption += f" Simulations are drawn for at most {SIMULATED_CYCLES} cycles: choose them with --cycles."
        rows = []
    curves = [StepCurves("measured", steps)]
    for curve in read_curves(store, styles, rows, measured, cycles, select):
        name = f"{curve.name}: {describe_error(curve)}"
        of_curve = _differentiate_all(parts, curve.frame["simulated_voltage_volt"], smoothing_volt)
        curves.append(StepCurves(name, of_curve, curve.style, failed=curve.ends_early))
    figure = draw_increments(cell_id, curves, cell_details(rows, part, facts), caption)
    name = figure_name("dqdv", cell_id, cycles=cycles, select=select, models=models, parameter_sets=parameter_sets)
    return save(store, figure, name)


def _differentiate_all(
    parts: Sequence[Part], voltage: pd.Series[float], smoothing_volt: float | None
) -> list[Increments]:
    """Return dQ/dV and dV/dQ of the parts with enough samples of this voltage (V)."""
    values: Floats = np.asarray(voltage, dtype=np.float64)
    all_increments = [differentiate(part, values, smoothing_volt) for part in parts]
    return [increments for increments in all_increments if increments is not None]
