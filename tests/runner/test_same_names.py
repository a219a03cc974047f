"""Files of one name in several folders, and one date order for the files of a source, as a campaign reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from kilocell.data import columns as c
from kilocell.runner.campaign.campaign import load_campaign
from kilocell.runner.plan.plan import list_cells
from kilocell.runner.plan.scan import scan_sources

HEADER = "Test_Time(s),Cycle_Index,Current(A),Voltage(V)"


def record(path: Path, first_second: int = 0, cycle: int = 1, rows: int = 300) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows_of_text = [f"{first_second + 10 * k},{cycle + k // 100},1.0,{3.5 + 1e-4 * (k % 300):.4f}" for k in range(rows)]
    path.write_text("\n".join([HEADER, *rows_of_text]) + "\n")


def cells(folder: Path, cell_id: str = "stem") -> tuple[str, ...]:
    columns = '[sources.columns]\ntest_time_second = "Test_Time(s)"\ncurrent_ampere = "Current(A)"\n'
    columns += 'voltage_volt = "Voltage(V)"\ncycle_id = "Cycle_Index"\n'
    text = f'[[sources]]\nfiles = ["**/*.csv"]\nreader = "csv"\ncell_id = "{cell_id}"\n{columns}'
    (folder / "campaign.toml").write_text(text)
    campaign = load_campaign(folder / "campaign.toml")
    return list_cells(scan_sources(campaign.sources, campaign.store / "catalog.sqlite"))


def test_files_of_one_name_in_three_folders_are_three_cells(tmp_path: Path) -> None:
    for name in ("ch1", "ch2", "ch3"):
        record(tmp_path / name / "data.csv")
    assert cells(tmp_path) == ("ch1", "ch2", "ch3")


def test_other_files_in_the_folders_make_the_name_part_of_the_id(tmp_path: Path) -> None:
    for name in ("a/x.csv", "b/x.csv", "a/y.csv"):
        record(tmp_path / name)
    assert cells(tmp_path) == ("a/x", "y", "b/x")


@pytest.mark.parametrize("rows", [300, 60_000])
def test_files_that_continue_each_other_stay_one_cell(tmp_path: Path, rows: int) -> None:
    """The last rows show it, of a long file without reading what is between."""
    record(tmp_path / "first" / "data.csv", rows=rows)
    record(tmp_path / "second" / "data.csv", first_second=10 * rows, cycle=1 + rows // 100)
    assert cells(tmp_path) == ("data",)


def test_folders_of_dates_hold_parts_of_one_cell(tmp_path: Path) -> None:
    for name in ("2023-04-01", "2023-05-01"):
        record(tmp_path / name / "data.csv")
    assert cells(tmp_path) == ("data",)


def test_a_rule_of_the_user_is_kept(tmp_path: Path) -> None:
    for name in ("ch1", "ch2"):
        record(tmp_path / name / "data.csv")
    assert cells(tmp_path, "pattern:(?P<cell_id>data)") == ("data",)


def test_dates_of_all_files_of_a_source_are_read_in_one_order(tmp_path: Path) -> None:
    for day in (3, 11, 20):
        stamps = [f"{day:02d}/05/2023 10:{minute:02d}:00,1.0,3.7" for minute in range(20)]
        (tmp_path / f"A_{day}.csv").write_text("\n".join(["Date,Current(A),Voltage(V)", *stamps]) + "\n")
    columns = (
        '[sources.columns]\nunix_time_second = "Date"\ncurrent_ampere = "Current(A)"\nvoltage_volt = "Voltage(V)"\n'
    )
    given = f'cell_id = "pattern:(?P<cell_id>A)_"\n{columns}'
    for table in ("", given):
        (tmp_path / "campaign.toml").write_text(f'[[sources]]\nfiles = ["*.csv"]\n{table}')
        sources = load_campaign(tmp_path / "campaign.toml").sources
        units = {m.unit for _, settings in sources for m in settings.columns if m.target == c.UNIX_TIME}
        assert units == {"%d/%m/%Y"}
