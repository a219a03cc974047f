"""Recall and precision on the long file with an answer key: ``python tests/jobs/key_recall.py`` prints the table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from test_clean_truth import Judged, rows_of

CELLS: Final = ("CELL_A", "CELL_B", "CELL_C", "CELL_D", "CELL_E")
Rows = set[int]


def seeded(key: dict[str, Any]) -> dict[str, Rows]:
    """True rows of each class that the key names, by the rule that should find them."""
    pairs = {row: row + 1 for row in key["swapped_neighbour_rows_at_row_id"]}
    return {
        "voltage_missing": rows_of(key["voltage_nan_runs"]) | set(key["voltage_nan_isolated_or_adjacent"]),
        "current_missing": set(key["current_nan"]),
        "voltage_spike": set(key["voltage_spikes"]),
        "step_glitch": rows_of(key["step_glitches"]),
        "duplicate_row": set(key["exact_duplicate_rows"]),
        "duplicate_time": set(key["same_timestamp_other_value"]),
        "time_order": set(pairs) | set(pairs.values()),
        "time_restart": {key["test_time_resets_at_row"]} if "test_time_resets_at_row" in key else set(),
        "time_gap": set(),
        "lost_contact": set(),
        "current_spike": set(),
    }


def key_table(cases: dict[str, Judged]) -> str:
    """Rows of each class over all cells, and what is true of each cell, as two Markdown tables."""
    lines = ["| class | seeded rows | found | recall | touched | not seeded | precision |", "|---|" + "---:|" * 6]
    for rule in seeded(cases["CELL_A"].key):
        true = {(cell, row) for cell, case in cases.items() for row in seeded(case.key)[rule]}
        touched = {(cell, row) for cell, case in cases.items() for row in case.touched(rule)}
        hit, extra = len(true & touched), len(touched - true)
        recall = f"{hit / len(true):.4f}" if true else "-"
        precision = f"{1 - extra / len(touched):.4f}" if touched else "-"
        lines.append(f"| `{rule}` | {len(true)} | {hit} | {recall} | {len(touched)} | {extra} | {precision} |")
    lines += ["", "| cell | cycles | steps | A.h in | A.h out | undamaged rows kept |", "|---|" + "---:|" * 5]
    for cell, case in cases.items():
        report, key = case.result.report, case.key
        kept = len(set(case.true_rows) & set(case.truth.index))
        lines.append(
            f"| {cell} | {report.cycles_after} of {key['true_cycles']} | {report.steps_after} of {key['true_steps']} "
            f"| {report.charge_in_after_ah:.4f} of {key['Ah_charge']} "
            f"| {report.charge_out_after_ah:.4f} of {-key['Ah_discharge']} | {kept} of {len(case.truth)} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[3] / "shared" / "data"
    judged = {cell: Judged(data / "takehome_like", cell) for cell in CELLS}
    print(key_table(judged))
