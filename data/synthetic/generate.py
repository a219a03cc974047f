"""Write raw files of synthetic cells with known truth: real chemistries with perturbed parameters, and lab defects.

A protocol is solved once for each chemistry and draw of the perturbation (``virtual_cell.py``). Each cell has one of
these records, with its own capacity (which scales only the current, as electrodes in parallel do), noise of the
channel, starting time and defects (``damage.py``).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa

from ..errors import UsageError
from ..settings import Override
from .cycler import Channel, CyclerRecord, csv_table, measure, write_csv
from .damage import ALL_PLANS, damage
from .planting import Defect
from .virtual_cell import CHEMISTRIES, CONTACT, MODEL_OPTIONS, LibraryRecord, VirtualCell, draw_perturbation

Layout = Literal["long", "files"]
Progress = Callable[[int, int], None]
DRAWS: Final = 4
"""Number of perturbations of each chemistry, if there are enough cells."""

CURRENT_NOISE_PER_AH: Final = 0.0002
"""Standard deviation of the noise of the current (A per A.h of nominal capacity)."""

FIRST_DAY_MS: Final = 1_709_510_400_000
"""Monday 2024-03-04, ms since 1970-01-01."""

TRUTH_FILE: Final = "ground_truth.json"
LONG_FILE: Final = "raw_cycling_data.csv"


def generator(seed: int, *purpose: int) -> np.random.Generator:
    """Return an independent random generator for each seed and purpose, spawned from ``SeedSequence(seed)``.

    Args:
        seed: of the data set.
        purpose: numbers that identify the purpose.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=purpose))


@dataclass(frozen=True, slots=True)
class SyntheticCell:
    """One cell: the record that is written, with its defects, and the truth about it."""

    cell_id: str
    library: LibraryRecord
    nominal_capacity_ah: float
    channel: Channel
    record: CyclerRecord
    defects: tuple[Defect, ...]


def make_cell(cell_id: str, index: int, count: int, library: LibraryRecord, seed: int) -> SyntheticCell:
    """Make one cell from its library record: capacity, channel, noise and defects.

    Args:
        cell_id: its id.
        index: its place among the cells, from 0.
        count: number of cells; up to five have the capacity of their chemistry.
        library: the solved protocol of its chemistry and draw.
        seed: of the data set.
    """
    rng = generator(seed, 1, index)
    chemistry = library.chemistry
    nominal_ah = chemistry.nominal_capacity_ah
    if count > len(CHEMISTRIES):
        nominal_ah = round(nominal_ah * float(rng.uniform(0.5, 2.0)), 3)
    start_ms = FIRST_DAY_MS + int(rng.integers(0, 28)) * 86_400_000 + int(rng.integers(28_800_000, 61_200_000))
    temperature = round(chemistry.temperature_celsius + float(rng.uniform(-0.4, 0.4)), 2)
    channel = Channel(start_ms, temperature, CURRENT_NOISE_PER_AH * nominal_ah)
    clean = measure(library.record, nominal_ah, channel, generator(seed, 2, index))
    plan = ALL_PLANS[(index + index // len(ALL_PLANS)) % len(ALL_PLANS)]
    record, defects = damage(clean, plan, nominal_ah, generator(seed, 3, index))
    return SyntheticCell(cell_id, library, nominal_ah, channel, record, defects)


def cell_ids(count: int) -> list[str]:
    """Return the ids: CELL_A to CELL_E for up to five cells, CELL_0001 and so on for more.

    Args:
        count: number of cells.
    """
    if count <= len(CHEMISTRIES):
        return [f"CELL_{letter}" for letter in "ABCDE"[:count]]
    return [f"CELL_{number:04d}" for number in range(1, count + 1)]


def library_keys(count: int) -> list[tuple[int, int]]:
    """Return the chemistry and the draw of each cell; the draw changes after each round of all chemistries.

    Args:
        count: number of cells.

    Returns:
        Places in ``CHEMISTRIES`` and numbers of draws, both from 0.
    """
    kinds = len(CHEMISTRIES)
    return [(index % kinds, index // kinds % DRAWS) for index in range(count)]


def solve_library(keys: set[tuple[int, int]], seed: int) -> Iterator[tuple[tuple[int, int], LibraryRecord]]:
    """Solve the protocol of each chemistry for each draw; the model of a chemistry is built once.

    Args:
        keys: chemistries and draws, as from :func:`library_keys`.
        seed: of the data set.

    Yields:
        Key and record.
    """
    for kind in sorted({kind for kind, _ in keys}):
        cell = VirtualCell(CHEMISTRIES[kind])
        for draw in sorted(draw for other, draw in keys if other == kind):
            yield (kind, draw), cell.solve(*draw_perturbation(CHEMISTRIES[kind], generator(seed, 0, kind, draw)))


def true_overrides(cell: SyntheticCell) -> list[Override]:
    """Return the overrides of the base set with which a simulation gives the true voltage of the cell.

    The capacity is not among them: it is scaled by electrodes in parallel.

    Args:
        cell: the cell.
    """
    overrides = [Override(name, "scale", scale) for name, scale in cell.library.scales.items()]
    contact_ohm = cell.library.contact_volt_at_1c / cell.nominal_capacity_ah
    if contact_ohm:
        overrides.append(Override(CONTACT, "value", contact_ohm))
    return overrides


def cell_truth(cell: SyntheticCell, first_row: int) -> dict[str, Any]:
    """Return the truth about a cell, as ``ground_truth.json`` has it.

    Args:
        cell: the cell.
        first_row: row of the file in which its record starts, 0 = first data row.
    """
    library = cell.library
    chemistry = library.chemistry
    charge_in_ah, charge_out_ah = library.record.charge_ah(cell.nominal_capacity_ah)
    return {
        "cell_id": cell.cell_id,
        "parameter_set": chemistry.base,
        "model": "DFN",
        "model_options": MODEL_OPTIONS,
        "overrides": [dataclasses.asdict(override) for override in true_overrides(cell)],
        "nominal_capacity_ah": cell.nominal_capacity_ah,
        "true_capacity_ah": round(library.capacity_per_ah * cell.nominal_capacity_ah, 5),
        "initial_soc": round(library.initial_soc, 6),
        "initial_voltage_volt": chemistry.protocol.initial_voltage_volt,
        "true_temperature_celsius": chemistry.temperature_celsius,
        "protocol": {"name": chemistry.protocol.name, "words": chemistry.protocol.words},
        "channel": dataclasses.asdict(cell.channel),
        "first_row": first_row,
        "rows": len(cell.record),
        "true_rows": len(library.record.time_second),
        "true_cycles": len(chemistry.protocol.cycles),
        "true_steps": library.record.steps,
        "true_charge_in_ah": round(charge_in_ah, 5),
        "true_charge_out_ah": round(charge_out_ah, 5),
        "defects": [_defect_truth(defect, first_row) for defect in cell.defects],
    }


def _defect_truth(defect: Defect, first_row: int) -> dict[str, Any]:
    return dataclasses.asdict(defect) | {"rows": [first_row + row for row in defect.rows]}


def synthesize(
    folder: Path, cells: int = 5, seed: int = 7, layout: Layout = "long", progress: Progress | None = None
) -> list[Path]:
    """Write raw records of synthetic cells, and the truth about them (``ground_truth.json``).

    The same arguments write the same files on the same machine with the same versions. On another machine, the last
    digits of the solver may differ.

    Args:
        folder: is created if it does not exist; files of the same names are replaced.
        cells: number of cells. Five are the sample (CELL_A to CELL_E); more repeat its chemistries with other draws and
            capacities.
        seed: seed of everything random.
        layout: ``long`` = one ``raw_cycling_data.csv``, ``files`` = one ``CELL_ID.csv`` for each cell.
        progress: called with (done, total) after each solved protocol and each written cell.

    Returns:
        The paths of the files, the truth last.

    Raises:
        UsageError: fewer than one cell.
    """
    if cells < 1:
        raise UsageError(f"cannot synthesize {cells} cells; the number must be at least 1")
    folder.mkdir(parents=True, exist_ok=True)
    truths: list[dict[str, Any]] = []
    cell_stream = _make_cells(cells, seed, progress)
    if layout == "long":
        paths = [folder / LONG_FILE]
        write_csv(paths[0], _iter_tables(cell_stream, truths))
    else:
        paths = [folder / f"{cell_id}.csv" for cell_id in cell_ids(cells)]
        for path, cell in zip(paths, cell_stream, strict=True):
            write_csv(path, [csv_table(cell.record, cell.cell_id)])
            truths.append(cell_truth(cell, 0))
    return [*paths, _write_truth(folder / TRUTH_FILE, seed, layout, truths)]


def _make_cells(cells: int, seed: int, progress: Progress | None) -> Iterator[SyntheticCell]:
    """Solve the protocols, then make the cells one by one; a cell counts as done when the next one is requested."""
    keys = library_keys(cells)
    total = len(set(keys)) + cells
    report = progress or (lambda done, total: None)
    library: dict[tuple[int, int], LibraryRecord] = {}
    for key, record in solve_library(set(keys), seed):
        library[key] = record
        report(len(library), total)
    for index, (cell_id, key) in enumerate(zip(cell_ids(cells), keys, strict=True)):
        yield make_cell(cell_id, index, cells, library[key], seed)
        report(len(library) + index + 1, total)


def _iter_tables(cells: Iterator[SyntheticCell], truths: list[dict[str, Any]]) -> Iterator[pa.Table]:
    """Yield the exports of the cells one after the other, and add the truth about each to ``truths``."""
    rows = 0
    for cell in cells:
        truths.append(cell_truth(cell, rows))
        rows += len(cell.record)
        yield csv_table(cell.record, cell.cell_id)


def _write_truth(path: Path, seed: int, layout: Layout, truths: list[dict[str, Any]]) -> Path:
    """Write the truth with one line for each fact and each defect: small, and readable in a diff."""
    versions = {package: version(package) for package in ("pybamm", "numpy")}
    head = {"seed": seed, "layout": layout, "row_0": "first row after the header", "versions": versions}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    lines.append('"cells": [\n' + ",\n".join(_truth_text(truth) for truth in truths) + "\n]")
    temporary = path.with_name(path.name + ".tmp-json")
    temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    temporary.replace(path)
    return path


def _truth_text(truth: dict[str, Any]) -> str:
    facts = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in truth.items() if key != "defects"]
    defects = ",\n".join(f"   {json.dumps(defect)}" for defect in truth["defects"])
    return " {\n" + ",\n".join([*facts, f'  "defects": [\n{defects}\n  ]']) + "\n }"
