"""Recall and precision of every class of defects that ``kilocell synthesize`` can plant, over many seeds."""

from __future__ import annotations

from pathlib import Path

import pytest
from kilocell.data.synthetic.sample_defects import SAMPLE_PLANTS
from planted import Counts, judge_seed, library, markdown

RECALL, PRECISION = 0.98, 0.995


@pytest.mark.slow
def test_every_class_is_found_over_100_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solved, counts = library(), Counts()
    for seed in range(100):
        judge_seed(solved, seed, tmp_path, counts, cells_each=1)
    with capsys.disabled():
        print("\n" + markdown(counts))
    assert counts.records == 100
    assert all(counts.planted[rule] for rule in SAMPLE_PLANTS)
    short = {rule for rule in SAMPLE_PLANTS if counts.recall(rule) < RECALL or counts.precision(rule) < PRECISION}
    assert not short, "\n".join([markdown(counts), *counts.notes])
