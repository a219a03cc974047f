"""What was cleaned and exported is a raw file like any other: cleaned again, nothing of the series changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from campaigns import QUICK, kilocell
from kilocell.data import columns as c

pytestmark = pytest.mark.slow

SAMPLE = Path(__file__).parents[2] / "data" / "campaign.toml"
RAW_NUMBERS = {c.CYCLE_ID, c.STEP_ID}
OWN = {c.FLAGS, c.SOURCE_INDEX, c.SOURCE_ROW}
"""Columns that say where a sample came from and what was done to it: another file, other findings."""


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    kilocell("clean", str(SAMPLE), "--store", "store", *QUICK, cwd=folder)
    return folder / "store"


@pytest.mark.parametrize(
    ("target", "options", "changed"),
    [("cells", (), OWN), ("all.csv", (), OWN), ("cells", ("--bdf",), OWN | RAW_NUMBERS)],
    ids=["a file a cell", "one long file", "BDF"],
)
def test_an_export_that_is_cleaned_again_is_the_same(
    cleaned: Path, tmp_path: Path, target: str, options: tuple[str, ...], changed: set[str]
) -> None:
    kilocell("export", "--store", str(cleaned), "--csv", target, *options, cwd=tmp_path)
    kilocell("init", target, cwd=tmp_path)
    kilocell("clean", *QUICK, cwd=tmp_path)
    before = {path.name: path for path in (cleaned / "cleaned").iterdir()}
    after = {path.name: path for path in (tmp_path / "store" / "cleaned").iterdir()}
    assert len(before) == 5
    assert set(after) == set(before)
    for name, path in before.items():
        old, new = pd.read_parquet(path), pd.read_parquet(after[name])
        for column in set(c.PARTITION_COLUMNS) - changed:
            if c.PARTITION_COLUMNS[column] == "str":
                assert old[column].tolist() == new[column].tolist(), (name, column)
            else:
                np.testing.assert_array_equal(new[column].to_numpy(), old[column].to_numpy(), f"{name} {column}")
