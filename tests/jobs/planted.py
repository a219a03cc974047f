"""Recall and precision of the rules over synthetic cells with planted defects, one row a class.

``python tests/jobs/planted.py --seeds 200`` prints the table in Markdown. Five protocols are solved once; seeds vary
the cells' capacities, the channels' noise and every defect.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from kilocell.data import columns as c
from kilocell.data.readers.read import guess_settings, read_by_cell
from kilocell.data.rules import flag_bit
from kilocell.data.settings import CleanSettings
from kilocell.data.synthetic.cycler import Channel, CyclerRecord, TrueRecord, csv_table, measure, write_csv
from kilocell.data.synthetic.damage import DefectPlan, damage
from kilocell.data.synthetic.generate import FIRST_DAY_MS, solve_library
from kilocell.data.synthetic.planting import Defect
from kilocell.data.synthetic.sample_defects import SAMPLE_PLANTS
from kilocell.data.synthetic.virtual_cell import LibraryRecord
from kilocell.jobs.cleaning.clean import Cleaned, clean
from raw_records import file_rows

LENGTHS: Final[dict[str, tuple[int, int]]] = {
    "time_gap": (1, 1), "cycle_jump": (1, 8), "voltage_missing": (1, 15), "current_missing": (1, 6),
    "temperature_missing": (1, 12), "lost_contact": (3, 9), "step_glitch": (1, 5), "voltage_spike": (1, 5),
    "duplicate_row": (1, 5), "duplicate_time": (1, 4), "time_order": (1, 5), "time_restart": (1, 1),
    "current_offset": (1, 1), "step_renumbered": (1, 9), "time_resolution": (1, 1), "current_sign": (1, 1),
    "temperature_stuck": (1, 1), "voltage_stuck": (1, 1), "chamber_off": (1, 1), "temperature_noise": (80, 160),
    "temperature_range": (1, 20), "temperature_jump": (1, 20), "voltage_range": (3, 9), "current_spike": (1, 3),
    "number_unreadable": (1, 4), "time_missing": (1, 4), "impedance_row": (3, 12),
}  # fmt: skip
"""Of each kind the least and the most that is planted: its length, how many, or the jump."""
WHOLE: Final = ("current_offset", "step_renumbered", "time_resolution", "current_sign", "cycle_jump")
"""Kinds of a record as a whole: found where the rule tells of any row."""
PLACES: Final = ("chamber_off", "temperature_noise", "temperature_stuck", "voltage_stuck")
"""Kinds of a stretch whose ends are a matter of degree: found where the rule tells of a part of it."""
RARE: Final = (*WHOLE, "chamber_off", "temperature_stuck", "voltage_stuck", "temperature_noise", "time_restart")
REST_ROWS: Final = 150
RARE_CHANCE: Final = 0.12
ALSO: Final[dict[str, tuple[str, ...]]] = {
    "temperature_missing": ("temperature_range", "temperature_jump", "temperature_noise", "number_unreadable"),
    "temperature_jump": ("temperature_noise",),
}
"""What else a rule may rightly touch: an impossible temperature is missing from then on; a loose contact jumps."""
EXCLUDE: Final = {("temperature_stuck", "chamber_off"), ("temperature_stuck", "temperature_noise")}
"""Pairs of which the first hides the second, or looks like it."""


@dataclass
class Counts:
    """Of each class: what was planted, found and claimed, and what was claimed without having been planted."""

    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    claimed: Counter[str] = field(default_factory=Counter)
    extra: Counter[str] = field(default_factory=Counter)
    records: int = 0
    notes: list[str] = field(default_factory=list)

    def recall(self, rule: str) -> float:
        return self.found[rule] / self.planted[rule] if self.planted[rule] else 1.0

    def precision(self, rule: str) -> float:
        return 1.0 - self.extra[rule] / self.claimed[rule] if self.claimed[rule] else 1.0


def library() -> list[LibraryRecord]:
    """The five protocols solved, with a long rest at their end, in which a chamber can be seen."""
    solved = solve_library({(kind, 0) for kind in range(5)}, 7)
    return [replace(one, record=with_rest(one.record)) for _, one in solved]


def with_rest(true: TrueRecord) -> TrueRecord:
    """The record with a rest as a last step, of a voltage that does not move any more."""
    time = true.time_second[-1] + 60.0 * np.arange(1, REST_ROWS + 1)
    step = int(true.step.max()) + 1
    added = {"time_second": time, "cycle": true.cycle[-1], "step": step, "rate": 0.0, "voltage": true.voltage[-1]}
    columns = {
        name: np.concatenate([getattr(true, name), np.broadcast_to(value, REST_ROWS)]) for name, value in added.items()
    }
    return TrueRecord(**columns)


def random_plan(rng: np.random.Generator) -> DefectPlan:
    """Some kinds at random, in the order in which they can be planted; rare ones seldom."""
    common = [rule for rule in SAMPLE_PLANTS if rule not in RARE]
    chosen = set(rng.choice(common, 8, replace=False)) | {rule for rule in RARE if rng.random() < RARE_CHANCE}
    chosen -= {second for first, second in EXCLUDE if first in chosen}
    order = sorted((rule for rule in SAMPLE_PLANTS if rule in chosen), key=lambda rule: rule != "chamber_off")
    return tuple((rule, int(rng.integers(*LENGTHS[rule], endpoint=True))) for rule in order)


def damaged_cell(solved: LibraryRecord, rng: np.random.Generator) -> tuple[CyclerRecord, tuple[Defect, ...], float]:
    """Return a cell of a solved protocol, with its own capacity, noise and defects; and its capacity in A.h."""
    capacity = solved.chemistry.nominal_capacity_ah * float(rng.uniform(0.5, 2.0))
    channel = Channel(
        FIRST_DAY_MS + int(rng.integers(0, 86_400_000)),
        solved.chemistry.temperature_celsius,
        float(10.0 ** rng.uniform(-5.0, -3.6)) * capacity,
        float(10.0 ** rng.uniform(-4.0, -2.8)),
        float(rng.uniform(0.03, 0.09)),
    )
    record = measure(solved.record, capacity, channel, rng)
    return *damage(record, random_plan(rng), capacity, rng), capacity


def judge_seed(solved: list[LibraryRecord], seed: int, folder: Path, counts: Counts, cells_each: int = 5) -> None:
    """Damage a cell of each of some protocols, write them as one long file, read it, clean and count."""
    rng = np.random.default_rng(seed)
    kinds = [(seed + k) % len(solved) for k in range(cells_each)]
    cells = {f"cell-{kind}": damaged_cell(solved[kind], rng) for kind in kinds}
    path = folder / "raw_cycling_data.csv"
    write_csv(path, [csv_table(record, name) for name, (record, _, _) in cells.items()])
    tables = dict(read_by_cell(path, guess_settings(path)))
    first = 0
    for name, (record, defects, capacity) in cells.items():
        celsius = solved[int(name[-1])].chemistry.temperature_celsius
        asked = CleanSettings(nominal_capacity_ah=capacity if seed % 2 else None, temperature_setpoint_celsius=celsius)
        result = clean(tables[name], name, asked)
        _count(counts, f"{name}#{seed}", defects, result, first)
        first += len(record)


def touched_rows(result: Cleaned, rule: str, first: int) -> set[int]:
    """Rows of the record that carry a rule's flag, were taken out by it, or begin one of its findings."""
    samples, out = file_rows(result.samples), result.quarantined
    flagged = (samples[c.FLAGS].to_numpy() & flag_bit(rule)) != 0
    rows = [*samples[c.SOURCE_ROW].to_numpy()[flagged], *out.loc[out["rule"] == rule, c.SOURCE_ROW]]
    told = [finding.source_row for finding in result.report.findings if finding.rule == rule]
    return {int(row) - first for row in (*rows, *told)}


def _count(counts: Counts, name: str, defects: tuple[Defect, ...], result: Cleaned, first: int) -> None:
    counts.records += 1
    for rule in SAMPLE_PLANTS:
        rows = touched_rows(result, rule, first)
        mine = [defect for defect in defects if defect.rule == rule]
        if rule in WHOLE:
            planted, found, claimed = len(mine), min(len(mine), len(rows)), min(len(rows), 1)
            extra = int(bool(rows) and not mine)
        elif rule in PLACES:
            planted, claimed = len(mine), min(len(rows), 1)
            found = sum(bool(rows & set(defect.rows)) for defect in mine)
            near = {other for defect in mine for row in defect.rows for other in range(row - 20, row + 21)}
            extra = int(bool(rows - near))
        else:
            true = {row for defect in mine for row in defect.rows}
            allowed = {row for defect in defects if defect.rule in ALSO.get(rule, ()) for row in defect.rows}
            rows = rows - (allowed - true)
            planted, found, claimed, extra = len(true), len(rows & true), len(rows), len(rows - true)
        counts.planted[rule] += planted
        counts.found[rule] += found
        counts.claimed[rule] += claimed
        counts.extra[rule] += extra
        if found < planted or extra:
            counts.notes.append(
                f"{name}: {rule}: {found} of {planted}, {extra} extra; planted "
                f"{[(d.rule, d.rows[:2], len(d.rows)) for d in mine][:5]}, touched {sorted(rows)[:8]}"
            )


def markdown(counts: Counts) -> str:
    """The counts as a table."""
    lines = [
        "| class | planted | found | recall | touched | not planted | precision |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| `{rule}` | {counts.planted[rule]} | {counts.found[rule]} | {counts.recall(rule):.4f} "
        f"| {counts.claimed[rule]} | {counts.extra[rule]} | {counts.precision(rule):.4f} |"
        for rule in sorted(SAMPLE_PLANTS)
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--notes", action="store_true")
    asked = parser.parse_args()
    solved, counts = library(), Counts()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(asked.first, asked.first + asked.seeds):
            judge_seed(solved, seed, Path(folder), counts)
    print(markdown(counts))
    if asked.notes:
        print("\n".join(counts.notes))


if __name__ == "__main__":
    main()
