"""Judge cleaning by records with seeded defects: recall and precision of each kind, and whether good samples stay.

``python tests/jobs/judge.py --seeds 50`` prints the tables in Markdown; the undamaged truth is real data, so it needs
the folder of real records (``--data``).
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from kilocell.data import columns as c
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.rules import RULES_BY_CODE, flag_bit
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import Cleaned, clean
from raw_records import file_rows
from real_records import Truth, true_records
from seeded_defects import Bench, damaged

RULES_OF: Final[dict[str, tuple[str, ...]]] = {
    "voltage missing": ("voltage_missing",),
    "current missing": ("current_missing",),
    "temperature missing": ("temperature_missing",),
    "spike": ("voltage_spike",),
    "spike to a limit": ("voltage_spike", "voltage_range"),
    "current spike": ("current_spike",),
    "step glitch": ("step_glitch",),
    "row twice": ("duplicate_row",),
    "two versions": ("duplicate_time", "duplicate_row", "voltage_spike"),
    "swapped": ("time_order",),
    "lost contact": ("lost_contact", "voltage_range", "voltage_spike"),
    "leads off": ("lost_contact", "voltage_range", "voltage_spike"),
    "thermocouple off": ("temperature_range", "temperature_jump", "temperature_missing"),
    "row without time": ("time_missing",),
    "power cut": ("time_gap",),
    "clock restarted": ("time_restart",),
    "block moved": ("time_order",),
}
"""Which rules may find a kind."""
WHOLE_RULE: Final = {"sign turned": "current_sign", "offset": "current_offset", "cycles nonsense": "cycle_jump",
                     "no cycles": "cycle_jump", "cycles from 7": "cycle_jump", "summer time": "wall_clock"}  # fmt: skip
PLACES: Final = {"swapped": 2}
"""Kinds in which rows that belong together count once, by this many."""
COUNTED_ANEW: Final = {"cycles nonsense", "no cycles"}
HARMLESS: Final = (
    *("wall_clock", "time_scale", "step_time", "time_resolution", "step_renumbered", "cycle_jump", "current_sign"),
    *("current_offset", "temperature_missing", "no_discharge", "chamber_off", "capacity_excess", "aborted_test"),
)
"""Rules that report on the record's own nature, or touch all of it; they are judged by values and counts."""


@dataclass
class Tally:
    """Sums over records: planted and found of each kind, extra rows of each rule, and what else went wrong."""

    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    claimed: Counter[str] = field(default_factory=Counter)
    extra: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    records: int = 0
    notes: list[str] = field(default_factory=list)

    def fail(self, name: str, what: str, note: str) -> None:
        self.wrong[what] += 1
        self.notes.append(f"{name}: {what}: {note}")


def write_long(path: Path, benches: dict[str, Bench], style: int = 0) -> pd.DataFrame:
    """Write damaged records as one long CSV; return its rows with ``row_id``, ``wrong`` and ``cell`` in file order.

    Args:
        style: 0 = the lab's layout; 1 = other names, other order of columns, cells interleaved, ISO dates;
            2 = semicolons, decimal commas, dates as dd.mm.yyyy.
    """
    table = pd.concat([bench.rows.assign(cell=name) for name, bench in benches.items()], ignore_index=True)
    if style == 1:
        table = table.iloc[np.argsort(table.groupby("cell").cumcount(), kind="stable")].reset_index(drop=True)
    stamp = table["time_ms"].to_numpy(dtype="datetime64[ms]")
    text = pd.Series(np.datetime_as_string(stamp, unit="ms"))
    if style == 2:
        text = text.str[8:10] + "." + text.str[5:7] + "." + text.str[:4] + " " + text.str[11:]
    elif style == 0:
        text = text.str.replace("T", " ")
    text = text.where(table["time_ms"].notna().to_numpy(), "")
    out = pd.DataFrame({"datetime": text, "cell_id": table["cell"], "cycle": table["cycle"], "step": table["step"],
                        "test_time_s": (table["test_ms"] / 1000.0).round(3), "current_A": table["current_A"],
                        "voltage_V": table["voltage_V"], "temperature_C": table["temperature_C"]})  # fmt: skip
    if style == 1:
        out = out.rename(columns={"datetime": "timestamp", "cell_id": "Cell", "cycle": "Cycle_Index",
                                  "step": "Step_Index", "test_time_s": "Test_Time(s)", "current_A": "Current(A)",
                                  "voltage_V": "Voltage(V)", "temperature_C": "Temperature (C)"})  # fmt: skip
        out = out[out.columns[::-1]]
    out.to_csv(path, index=False, sep=";" if style == 2 else ",", decimal="," if style == 2 else ".")
    return table


def judge(tally: Tally, name: str, bench: Bench, table: pd.DataFrame, result: Cleaned) -> None:
    """Add one cleaned record to the tally."""
    tally.records += 1
    ids = table["row_id"].to_numpy()
    samples = file_rows(result.samples)
    flags = samples[c.FLAGS].to_numpy()
    true_ids = ids[samples[c.SOURCE_ROW]]
    touched: dict[str, set[int]] = {}
    for code in RULES_BY_CODE:
        out = result.quarantined.loc[result.quarantined["rule"] == code, c.SOURCE_ROW]
        touched[code] = set(true_ids[(flags & flag_bit(code)) != 0].tolist()) | set(ids[out].tolist())
    for kind, rows in bench.key.items():
        hit = rows & set().union(*(touched[rule] for rule in RULES_OF[kind]))
        if bench.truth.writes_twice:  # of two rows that were alike, the damaged one may be taken out as the worse copy
            hit |= rows & touched["duplicate_time"]
        if kind == "block moved":
            rows, hit = ({min(part)} if part else set() for part in (rows, hit))
        elif kind in PLACES:
            rows, hit = ({row for row in part if row + 1 in rows} for part in (rows, hit | {r - 1 for r in hit}))
            hit &= rows
        tally.planted[kind] += len(rows)
        tally.found[kind] += len(hit)
        if len(hit) < len(rows):
            tally.notes.append(f"{name}: missed {kind}: {sorted(rows - hit)[:8]}")
    seen = {finding.rule for finding in result.report.findings}
    for kind in bench.whole & set(WHOLE_RULE):
        tally.planted[kind] += 1
        tally.found[kind] += WHOLE_RULE[kind] in seen
    for rule, claimed in touched.items():
        if rule in HARMLESS:
            continue
        allowed = set().union(*(rows for kind, rows in bench.key.items() if rule in RULES_OF[kind]))
        # What cannot be interpolated is missing from then on; of two rows that were alike one was damaged.
        if rule == "voltage_missing" or (bench.truth.writes_twice and rule.startswith("duplicate")):
            allowed = allowed | bench.damaged
        tally.claimed[rule] += len(claimed)
        tally.extra[rule] += len(claimed - allowed)
        if claimed - allowed:
            tally.notes.append(f"{name}: extra {rule}: {sorted(claimed - allowed)[:8]}")
    _judge_samples(tally, name, bench, samples, true_ids, table["wrong"].to_numpy()[samples[c.SOURCE_ROW]])
    _judge_report(tally, name, bench, result)


def _judge_samples(
    tally: Tally, name: str, bench: Bench, samples: pd.DataFrame, ids: np.ndarray, wrong: np.ndarray
) -> None:
    """Undamaged samples must be there, in order, with their values; no false version may be left as it was."""
    truth = bench.truth.rows
    good_rows = set(range(len(truth))) - bench.damaged - bench.lost
    if good_rows - set(ids.tolist()):
        tally.fail(name, "undamaged rows lost", str(sorted(good_rows - set(ids.tolist()))[:8]))
    good = np.isin(ids, list(good_rows))
    true = truth.iloc[ids[good]]
    begin = truth["test_ms"].iloc[0]
    pairs = {"time": (samples[c.TEST_TIME], (true["test_ms"] - begin) / 1000.0, 0.0035),
             "voltage": (samples[c.VOLTAGE], true["voltage_V"], 6e-6),
             "current": (samples[c.CURRENT], true["current_A"], 6e-6)}  # fmt: skip
    if "no temperature" not in bench.whole:
        pairs["temperature"] = (samples[c.SURFACE_TEMPERATURE], true["temperature_C"], 6e-3)
    if "offset" in bench.whole:  # what no two rests show cannot be taken off
        pairs.pop("current")
    for what, (measured, expected, tolerance) in pairs.items():
        off = np.abs(measured.to_numpy()[good] - expected.to_numpy()) > tolerance
        off |= np.isnan(measured.to_numpy()[good]) & expected.notna().to_numpy()
        if off.any():
            tally.fail(name, f"undamaged {what} changed", f"{off.sum()} rows, {ids[good][off][:6]}")
    steps = bench.truth.steps[ids]
    if not np.array_equal(samples[c.STEP_COUNT], steps):
        tally.fail(name, "wrong step of a sample", str(ids[samples[c.STEP_COUNT].to_numpy() != steps][:8]))
    versions = np.isin(ids, list(bench.key.get("two versions", ())))
    tally.planted["right version kept"] += int(versions.sum())
    tally.found["right version kept"] += int((versions & ~wrong).sum())


def _judge_report(tally: Tally, name: str, bench: Bench, result: Cleaned) -> None:
    report, truth = result.report, bench.truth
    if report.rows_in != report.rows_kept + report.rows_quarantined:
        tally.fail(name, "rows do not add up", str(report.rows_in))
    if not bench.whole & COUNTED_ANEW and report.cycles_after != truth.cycles:
        tally.fail(name, "wrong number of cycles", f"{report.cycles_after} for {truth.cycles} {sorted(bench.whole)}")
    if report.steps_after != truth.steps[-1]:
        tally.fail(name, "wrong number of steps", f"{report.steps_after} for {truth.steps[-1]}")
    seen = [finding.action for finding in report.findings if finding.rule == "current_offset"]
    if "offset" in bench.whole and "subtracted" not in seen:
        tally.wrong["some offset left"] += 1
        return
    if result.samples[c.CURRENT].isna().any():
        tally.wrong["some current left missing"] += 1
        return
    got, true = (report.charge_in_after_ah, report.charge_out_after_ah), truth.charge_ah()
    share = 2e-3 if "offset" in bench.whole else 1e-3
    if max(abs(a - b) for a, b in zip(got, true, strict=True)) > share * max(true):
        tally.fail(name, "charge off by more than 0.1 %", f"{got} for {true} {sorted(bench.whole)}")


def judge_seed(truths: Iterable[Truth], seed: int, folder: Path, tally: Tally) -> None:
    """Damage all records by one seed, write them as one long file, read it again, clean and judge each."""
    noise = (0.0, 0.0, 0.0003, 0.001)[seed % 4]
    benches = {f"{truth.name}#{seed}": damaged(truth, seed, noise) for truth in truths}
    path = folder / "raw_cycling_data.csv"
    table = write_long(path, benches, style=seed % 3)
    settings = guess_settings(path)
    for name, bench in benches.items():
        judge(tally, name, bench, table, clean(read_raw(path, settings, name), name, CleanSettings()))


def markdown(tally: Tally) -> str:
    """The tally as two tables, and what went wrong."""
    lines = ["| planted | number | found | recall |", "|---|---:|---:|---:|"]
    for kind in [*RULES_OF, *WHOLE_RULE, "right version kept"]:
        n = tally.planted[kind]
        if n:
            lines.append(f"| {kind} | {n} | {tally.found[kind]} | {tally.found[kind] / n:.4f} |")
    lines += ["", "| rule | rows it touched | of them undamaged | precision |", "|---|---:|---:|---:|"]
    for rule, n in tally.claimed.items():
        if n:
            lines.append(f"| `{rule}` | {n} | {tally.extra[rule]} | {1.0 - tally.extra[rule] / n:.4f} |")
    lines += ["", f"of {tally.records} records:", ""]
    lines += [f"- {what}: {n}" for what, n in sorted(tally.wrong.items())] or ["- nothing went wrong"]
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[3] / "shared" / "data")
    parser.add_argument("--notes", action="store_true")
    asked = parser.parse_args()
    truths, tally = list(true_records(asked.data)), Tally()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(asked.first, asked.first + asked.seeds):
            judge_seed(truths, seed, Path(folder), tally)
    print(markdown(tally))
    if asked.notes:
        print("\n".join(tally.notes))


if __name__ == "__main__":
    main()
