"""Plot dQ/dV and dV/dQ of a cell's cycles: read cleaned and simulated samples, differentiate, draw."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np

from ..data import columns as c
from ..data.errors import UsageError
from ..data.text import format_count
from ..parquet_store.layout import Store, safe_name
from ..sqlite import queries
from ..sqlite.cell_facts import cell_facts
from .curves import read_curves, read_measured
from .draw.cells import describe_error
from .draw.increments import StepCurves, draw_increments
from .headings import cell_details, describe_cycles
from .increments import describe_smoothing, differentiate, find_parts
from .save import save
from .select import check_cycles, format_cycles, known_cycles, select_simulations
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
    smoothing_volt = None if smoothing_mv is None else smoothing_mv / 1000.0
    voltage = measured[c.VOLTAGE].to_numpy(dtype=np.float64)
    steps = [made for part in parts if (made := differentiate(part, voltage, smoothing_volt)) is not None]
    if not steps:
        part = select or describe_cycles(cycles, known)
        raise UsageError(
            f"cell {cell_id!r} has no step with a constant current and a changing voltage in {part}, so there is no "
            f"dQ/dV; `kilocell cycles {cell_id}` lists its cycles"
        )
    curves = [StepCurves("measured", steps)]
    caption = describe_smoothing(steps)
    if short:
        caption += f" Left out: {format_count(short, 'step')} with less than 5 % of the largest charge or below 20 mV."
    drawn_cycles = {part.cycle for part in parts}
    if len(drawn_cycles) > SIMULATED_CYCLES and rows:
        caption += f" Simulations are drawn for at most {SIMULATED_CYCLES} cycles: choose them with --cycles."
        rows = []
    for curve in read_curves(store, styles, rows, measured, cycles, select):
        simulated = curve.frame["simulated_voltage_volt"].to_numpy(dtype=np.float64)
        made_steps = [differentiate(part, simulated, smoothing_volt) for part in parts]
        name = f"{curve.name}: {describe_error(curve)}"
        kept = [made for made in made_steps if made is not None]
        curves.append(StepCurves(name, kept, curve.style, failed=curve.ends_early))
    details = cell_details(rows, select or describe_cycles(cycles, known), facts)
    figure = draw_increments(cell_id, curves, details, caption)
    parts_of_name = ["dqdv", cell_id]
    if cycles:
        parts_of_name.append(f"cycles-{format_cycles(cycles)}")
    if select is not None:
        parts_of_name.append(f"select-{select}")
    parts_of_name += ["+".join(models), "+".join(parameter_sets)]
    return save(store, figure, "_".join(safe_name(one) for one in parts_of_name if one))
