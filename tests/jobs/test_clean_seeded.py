"""Cleaning judged by defects seeded in every real record, and by how little it does to what is good.

The bounds lie a little under what was measured over many seeds (docs/cleaning.md), so that a rule that gets worse, or
begins to touch good samples, shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from judge import Tally, judge_seed, markdown
from real_records import true_records

LEAST_RECALL: Final = {
    "voltage missing": 0.995, "current missing": 0.995, "temperature missing": 0.995, "spike to a limit": 0.99,
    "step glitch": 0.98, "two versions": 0.96, "swapped": 0.99, "row without time": 0.97, "power cut": 0.97,
    "clock restarted": 1.0, "block moved": 1.0, "sign turned": 1.0, "cycles nonsense": 1.0, "no cycles": 1.0,
    "cycles from 7": 1.0, "lost contact": 0.95, "leads off": 0.85, "spike": 0.92, "thermocouple off": 0.95,
    "right version kept": 0.95, "row twice": 0.93,
}  # fmt: skip
"""A spike beside another defect, leads off across an edge, or a copy of what the cycler writes twice may be missed."""


def judged(shared_data: Path, folder: Path, seeds: range) -> Tally:
    truths, tally = list(true_records(shared_data)), Tally()
    assert len(truths) >= 20
    for seed in seeds:
        judge_seed(truths, seed, folder, tally)
    return tally


def assert_good(tally: Tally, most_wrong: float) -> None:
    words = markdown(tally) + "\n" + "\n".join(tally.notes)
    for kind, least in LEAST_RECALL.items():
        assert tally.found[kind] >= least * tally.planted[kind], f"{kind}\n{words}"
    for rule, rows in tally.claimed.items():
        assert tally.extra[rule] <= 0.005 * rows, f"{rule}\n{words}"
    assert not {what for what in tally.wrong if what.startswith("undamaged") and tally.wrong[what] > 1}, words
    for what in ("wrong number of steps", "wrong number of cycles", "charge off by more than 0.1 %"):
        assert tally.wrong[what] <= most_wrong * tally.records, words


def test_seeded_defects_are_found_and_good_samples_stay(shared_data: Path, tmp_path: Path) -> None:
    assert_good(judged(shared_data, tmp_path, range(100, 101)), most_wrong=0.08)


@pytest.mark.slow
def test_many_seeds(shared_data: Path, tmp_path: Path) -> None:
    assert_good(judged(shared_data, tmp_path, range(200, 204)), most_wrong=0.06)
