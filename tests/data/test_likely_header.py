"""The search for a header skips lines that cannot be better, and finds what a look at every line finds."""

from __future__ import annotations

import numpy as np
import pytest
from kilocell.data.readers.csv_header import (
    DELIMITERS,
    SPACES,
    _likeliest_line,
    header_score,
    is_spaced,
    split_line,
    split_names,
)

WORDS = ("Time/s", "Ewe/V", "I/mA", "cycle number", '"Ewe/V"', "3.71", "12", "text", "-0.5", "")
REQUESTED = ("Time/s", "Ewe/V", "I/mA")


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("requested", [REQUESTED, ("cycle number",), ()])
def test_skipped_lines_are_never_better(seed: int, requested: tuple[str, ...]) -> None:
    generator = np.random.default_rng(seed)
    lines = []
    for _ in range(40):
        words = generator.choice(WORDS, generator.integers(1, 5)).tolist()
        lines.append(generator.choice([",", ";", "\t", "  "]).join(words))
    filled = [number for number, line in enumerate(lines) if line.strip()]
    candidates = [
        (header_score(split_names(lines[number], delimiter, split_line), requested), number, delimiter)
        for number in filled
        for delimiter in DELIMITERS
        if delimiter != SPACES or is_spaced(lines, number)
    ]
    assert _likeliest_line(lines, filled, requested) == max(candidates, key=lambda candidate: candidate[0])
