"""Pruning never removes what cannot be made again: results of cells whose raw files were purged, and their raw rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from campaigns import lines
from kilocell.parquet_store.layout import Store
from kilocell.runner.campaign.campaign import load_campaign
from kilocell.runner.run.prune import find_pruning, prune
from test_purged_files import clean, write_campaign


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three cells are cleaned: one, and A and B of one file."""
    (tmp_path / "raw").mkdir()
    header, *rows = lines("A").splitlines()
    more = [line.replace(",A,", ",B,") for line in rows]
    (tmp_path / "raw" / "all.csv").write_text("\n".join([header, *rows, *more]) + "\n")
    (tmp_path / "raw" / "one.csv").write_text(lines("one"))
    clean(write_campaign(tmp_path, cell_id="column:cell_id"))
    return tmp_path


def files(folder: Path) -> set[Path]:
    return set((folder / "store").rglob("*.parquet"))


def test_purged_cells_stay_with_and_without_include_gone(folder: Path) -> None:
    (folder / "raw" / "all.csv").unlink()
    campaign = load_campaign(folder / "campaign.toml")
    assert find_pruning(campaign).files == find_pruning(campaign, include_gone=True).files == 0


def test_purged_cells_that_must_be_cleaned_again_stay(folder: Path) -> None:
    shutil.rmtree(folder / "store" / "raw")
    (folder / "raw" / "all.csv").unlink()
    campaign = write_campaign(folder, cell_id="column:cell_id", more="[clean]\ngap_factor = 31.5\n")
    before = files(folder)
    prune(campaign)
    assert files(folder) == before


def test_a_campaign_that_no_longer_names_purged_files_keeps_their_cells(folder: Path) -> None:
    """Also if the catalog, which knows the raw files, is lost: receipts know them, too."""
    (folder / "raw" / "all.csv").unlink()
    campaign = write_campaign(folder, '"raw/one.csv"', cell_id="column:cell_id")
    before = files(folder)
    assert (find_pruning(campaign).files, set(find_pruning(campaign).gone)) == (0, {"A", "B"})
    Store(folder / "store").catalog.unlink()
    assert set(find_pruning(campaign).gone) == {"A", "B"}
    prune(campaign)
    assert files(folder) == before
    prune(campaign, include_gone=True)
    assert {path.stem for path in files(folder)} == {"one"}


def test_raw_rows_of_a_purged_file_stay_while_a_cell_of_it_is_planned(folder: Path) -> None:
    (folder / "raw" / "all.csv").unlink()
    (index,) = (folder / "store" / "raw").glob("*/cells.json")
    index.unlink()  # so that the split would have to run again, which it cannot
    (rows,) = index.parent.glob("*.parquet")
    prune(load_campaign(folder / "campaign.toml"))
    assert rows.exists()
