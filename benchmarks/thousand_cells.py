"""Make a store of a thousand cells: raw files of 50 cycles each, and a campaign with SPM and SPMe on cycles 1, 25, 50.

The cells are measured from nine virtual cells (three parameter sets, three perturbed ones of each), each with another
capacity, channel and noise. Making the files takes about 3 minutes, the run about an hour on two cores.

    python benchmarks/thousand_cells.py FOLDER [--cells 1000]
    kilocell run FOLDER/campaign.toml --no-plots
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from kilocell.data.synthetic import protocols as p
from kilocell.data.synthetic.cycler import Channel, csv_table, measure, write_csv
from kilocell.data.synthetic.virtual_cell import Chemistry, VirtualCell, draw_perturbation

CYCLES: Final = 50
FADE: Final = 0.004  # of the discharge's duration, for each cycle
PERTURBED: Final = 3  # virtual cells of each parameter set
STARTED_MS: Final = 1_709_510_400_000
CAMPAIGN: Final = """\
name = "thousand cells"
store = "store"
models = ["SPM", "SPMe"]

[simulate]
cycles = "1, 25, 50"

[[sources]]
files = ["raw/*.csv"]
reader = "csv"
cell_id = "stem"
current_sign = "charge_positive"

[sources.columns]
unix_time_second = "datetime"
cycle_id = "cycle"
step_id = "step"
current_ampere = { column = "current_A", unit = "A" }
voltage_volt = { column = "voltage_V", unit = "V" }
surface_temperature_celsius = { column = "temperature_C", unit = "degC" }

[cells.defaults]
initial_state = "rest_voltage"
"""


def life(upper_volt: float, initial_volt: float) -> p.Protocol:
    """Return cycles of a discharge, a rest, a charge and a hold; each discharge is a little shorter."""

    def cycle(number: int) -> Iterator[p.Segment]:
        yield p.rest(1, 30, 300.0) if number else p.rest(1, 60, 600.0)
        yield p.discharge(2, 1.0, None, minutes=46 * (1 - FADE * number), every=180.0)
        yield p.rest(3, 20, 240.0)
        yield p.charge(4, 0.7, upper_volt, every=240.0)
        yield p.hold(5, upper_volt, every=240.0)

    return p.Protocol("life", f"{CYCLES} cycles", initial_volt, tuple(tuple(cycle(n)) for n in range(CYCLES)))


def make_cells(folder: Path, count: int) -> None:
    """Write the raw files of cells and their campaign.

    Args:
        folder: is made; gets ``raw/`` and ``campaign.toml``.
        count: number of cells.
    """
    kinds = [
        Chemistry("Chen2020", life(4.2, 4.15), 5.0, diffusivities_only=True),
        Chemistry("Ecker2015", life(4.2, 4.15), 7.5),
        Chemistry("NCA_Kim2011", life(4.2, 4.15), 3.2),
    ]
    records = []
    for kind in kinds:
        cell, random = VirtualCell(kind), np.random.default_rng(3)
        for _ in range(PERTURBED):
            records.append((kind, cell.solve(*draw_perturbation(kind, random))))
            print(f"solved {len(records)} of {PERTURBED * len(kinds)} virtual cells", flush=True)
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    lines = [CAMPAIGN]
    for number in range(count):
        kind, solved = records[number % len(records)]
        random = np.random.default_rng([5, number])
        capacity_ah = round(kind.nominal_capacity_ah * random.uniform(0.7, 1.4), 3)
        cell_id = f"CELL_{number + 1:04d}"
        channel = Channel(STARTED_MS + number * 60_000, 25.0 + random.uniform(-0.4, 0.4), 0.0002 * capacity_ah)
        measured = measure(solved.record, capacity_ah, channel, random)
        write_csv(folder / "raw" / f"{cell_id}.csv", [csv_table(measured, cell_id)])
        lines.append(f'[cells.{cell_id}]\nparameter_sets = ["{kind.base}"]\nnominal_capacity_ah = {capacity_ah}\n')
    (folder / "campaign.toml").write_text("\n".join(lines), encoding="utf-8")
    print(f"wrote {count} files; next: kilocell run {folder / 'campaign.toml'} --no-plots")


def main() -> None:
    """Read the command line and make the cells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cells", type=int, default=1000)
    given = parser.parse_args()
    make_cells(given.folder, given.cells)


if __name__ == "__main__":
    main()
