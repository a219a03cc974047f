"""Raw files that are missing, special or unreadable: each fails with its own reason, and the others go on."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest
from campaigns import campaign_text, lines
from kilocell.data.errors import CampaignError, ReadError, UsageError
from kilocell.data.readers.read import guess_settings, source_file
from kilocell.data.settings import SourceSettings
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.read import read_receipt
from kilocell.runner.campaign.campaign import Campaign, load_campaign
from kilocell.runner.inspect.new_campaign import write_campaign
from kilocell.runner.inspect.raw_file import show_inspection
from kilocell.runner.plan.job import Job
from kilocell.runner.plan.scan import find_gone_files, record_sources, scan_sources
from kilocell.runner.plan.select_jobs import select_cells, select_fits
from kilocell.runner.run.run_campaign import find_unread_cells, scan_and_plan
from kilocell.runner.worker.run_job import run_job
from kilocell.sqlite import queries
from kilocell.sqlite.catalog import Catalog

FIT = """
[fit]
name = "slow"
model = "SPM"
cells = ["{cell}"]
[fit.parameters]
"Negative particle diffusivity [m2.s-1]" = {{ bounds = [1e-15, 1e-13], scale = "log" }}
"""


def campaign_of(folder: Path, files: str, cell_id: str = "stem", more: str = "") -> Campaign:
    """Write ``one.csv`` with the cell A and a campaign over these files.

    Args:
        files: as in the campaign's TOML, without the brackets.
        cell_id: where the cell's id comes from.
        more: further tables.
    """
    if not (folder / "one.csv").exists():
        (folder / "one.csv").write_text(lines("A"))
    path = folder / "campaign.toml"
    path.write_text(campaign_text(cell_id=cell_id, models=(), more=more).replace('"*.csv"', files))
    return load_campaign(path)


def failure(campaign: Campaign, job: Job) -> tuple[str, str]:
    """Run a job that has to fail; return its reason and code."""
    assert run_job(str(campaign.store), job).status == "failed"
    receipt = read_receipt(Store(campaign.store).receipt(job.kind, job.cell_id, job.label))
    assert receipt is not None
    return receipt.reason, receipt.reason_code


def test_a_deleted_file_fails_alone_and_the_nearest_name_is_given(tmp_path: Path) -> None:
    campaign = campaign_of(tmp_path, '"one.csv", "on.csv"')
    split, cleaning = scan_and_plan(campaign).jobs
    assert (split.kind, cleaning.kind, cleaning.cell_id) == ("split", "clean", "one")
    reason, code = failure(campaign, split)
    assert code == "unreadable"
    assert f'no file "on.csv" in {tmp_path} (did you mean "one.csv"?)' in reason
    assert 'the cell "on" is not cleaned' in reason
    assert run_job(str(campaign.store), cleaning).status == "done"


def test_files_of_one_name_in_two_folders_are_two_failures(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "empty.csv").touch()
    files = '"one.csv", "a/gone.csv", "b/gone.csv", "a/empty.csv", "b/empty.csv"'
    campaign = campaign_of(tmp_path, files, "column:cell_id")
    splits = [job for job in scan_and_plan(campaign).jobs if job.kind == "split"]
    assert len({job.key for job in splits}) == 4
    reasons = [failure(campaign, job)[0] for job in splits]
    for name in ("a/empty.csv", "b/empty.csv"):
        assert any(f"{tmp_path}/{name}" in reason for reason in reasons)
    for folder in ("a", "b"):
        assert any(f'no file "gone.csv" in {tmp_path}/{folder}' in reason for reason in reasons)


def test_a_campaign_without_any_file_is_refused_with_every_name(tmp_path: Path) -> None:
    with pytest.raises(CampaignError) as caught:
        campaign_of(tmp_path, '"on.csv", "sub/two.csv"')
    assert 'sources#1.files#1 = "on.csv": no file "on.csv"' in str(caught.value)
    assert 'sources#1.files#2 = "sub/two.csv": no folder "sub"' in str(caught.value)
    with pytest.raises(CampaignError, match=r"no file matches .*\.dat"):
        campaign_of(tmp_path, '"one.csv", "*.dat"')


def test_a_campaign_without_any_readable_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    campaign = campaign_of(tmp_path, '"pipe.csv", "gone.csv"')
    with pytest.raises(UsageError, match="none of the raw files can be read") as caught:
        scan_and_plan(campaign)
    assert "named pipe" in str(caught.value)
    assert 'no file "gone.csv"' in str(caught.value)


def test_a_cell_with_a_missing_part_is_not_cleaned_from_the_others(tmp_path: Path) -> None:
    for name in ("B_1.csv", "B_2.csv"):
        (tmp_path / name).write_text(lines("B"))
    rule = "pattern:(?P<cell_id>[^/_.]+)(_[0-9])?.csv$"
    files = '"one.csv", "B_1.csv", "B_2.csv"'
    before = {job.cell_id: job.digest for job in scan_and_plan(campaign_of(tmp_path, files, rule)).jobs}
    (tmp_path / "B_2.csv").unlink()
    campaign = campaign_of(tmp_path, files, rule)
    jobs = {job.cell_id: job for job in scan_and_plan(campaign).jobs}
    assert set(jobs) == {"B_2.csv", "one"}
    assert jobs["one"].digest == before["one"]
    assert 'the cell "B" is not cleaned' in failure(campaign, jobs["B_2.csv"])[0]
    (tmp_path / "B_2.csv").write_text(lines("B"))
    assert {job.cell_id: job.digest for job in scan_and_plan(campaign).jobs} == before


@pytest.mark.parametrize("more", ["[cells.gone]\nnominal_capacity_ah = 4.0\n", FIT.format(cell="gone")])
def test_a_named_cell_may_be_in_a_missing_file(tmp_path: Path, more: str) -> None:
    campaign = campaign_of(tmp_path, '"one.csv", "gone.csv"', more=more)
    plan = scan_and_plan(campaign)
    line = find_unread_cells(campaign, plan.sources)["gone"]
    assert "gone.csv, which cannot be read" in line
    assert [job.cell_id for job in select_cells(plan.jobs, ["gone"], plan.sources)] == ["gone.csv"]
    assert [job.cell_id for job in select_fits(plan.jobs, ["slow"])] == ["gone.csv"]
    with pytest.raises(UsageError, match=r'no cell "gane" \(did you mean "gone"\?\)'):
        select_cells(plan.jobs, ["gane"], plan.sources)


@pytest.mark.parametrize("content", ["", "datetime,cell_id,current_A,voltage_V\n", "\0\1\2\3" * 99, None])
@pytest.mark.parametrize("is_guessed", [False, True])
def test_a_named_cell_may_be_in_a_file_whose_cells_nobody_knows(
    tmp_path: Path, content: str | None, is_guessed: bool
) -> None:
    if content is not None:
        (tmp_path / "long.csv").write_text(content)
    more = "[cells.B]\nnominal_capacity_ah = 4.0\n"
    campaign = campaign_of(tmp_path, '"one.csv", "long.csv"', "column:cell_id", more)
    if is_guessed:
        (tmp_path / "campaign.toml").write_text(f'[[sources]]\nfiles = ["one.csv", "long.csv"]\n{more}')
        campaign = load_campaign(tmp_path / "campaign.toml")
    plan = scan_and_plan(campaign)
    assert "A" in [cell.cell_id for cell in plan.cells]
    assert "long.csv, which cannot be read" in find_unread_cells(campaign, plan.sources)["B"]
    with pytest.raises(UsageError, match=r'no cell "B" in a readable file; it may be in .*long\.csv'):
        select_cells(plan.jobs, ["B"], plan.sources)


def test_a_cell_whose_file_is_gone_since_an_earlier_run_is_no_wrong_name(tmp_path: Path) -> None:
    (tmp_path / "two.csv").write_text(lines("B"))
    campaign = campaign_of(tmp_path, '"*.csv"', more="[cells.two]\nnominal_capacity_ah = 4.0\n")
    catalog_path = Store(campaign.store).catalog
    with Catalog.open(catalog_path) as catalog:
        record_sources(catalog, scan_sources(campaign.sources, catalog_path))
    (tmp_path / "two.csv").unlink()
    campaign = load_campaign(campaign.path)
    plan = scan_and_plan(campaign)
    assert [job.cell_id for job in plan.jobs] == ["one"]
    assert "two.csv" in find_unread_cells(campaign, plan.sources)["two"]
    gone = find_gone_files(catalog_path, ["two", "one"])
    with pytest.raises(UsageError, match=r'the file of the cell "two" is gone: .*two\.csv'):
        select_cells(plan.jobs, ["two"], plan.sources, gone)
    campaign.path.write_text(campaign.path.read_text().replace("cells.two", "cells.tow"))
    with pytest.raises(CampaignError, match='no source has the cell "tow"'):
        scan_and_plan(load_campaign(campaign.path))


def test_a_cell_that_init_wrote_is_no_wrong_name(tmp_path: Path) -> None:
    more = "[cells.gone]\nnominal_capacity_ah = 4.0\nguessed = { nominal_capacity_ah = 4.0 }\n"
    campaign = campaign_of(tmp_path, '"*.csv"', more=more)
    plan = scan_and_plan(campaign)
    assert [job.cell_id for job in plan.jobs] == ["one"]
    assert "no file has the cell" in find_unread_cells(campaign, plan.sources)["gone"]


def test_a_wrong_cell_is_refused_when_every_file_can_be_read(tmp_path: Path) -> None:
    campaign = campaign_of(tmp_path, '"one.csv"', more="[cells.ome]\nnominal_capacity_ah = 4.0\n")
    with pytest.raises(CampaignError, match=r'no source has the cell "ome" \(did you mean "one"\?\)'):
        scan_and_plan(campaign)


@pytest.mark.parametrize("extra", ["", ",a long remark that makes each row of the file wider than usual"])
def test_a_column_that_counts_rows_fails_alone(tmp_path: Path, extra: str) -> None:
    header = "datetime,cell_id,current_A,voltage_V" + (",note" if extra else "")
    rows = [f"2024-05-02 10:{k // 60:02d}:{k % 60:02d},{k},1.0,3.7{extra}" for k in range(400)]
    (tmp_path / "counted.csv").write_text("\n".join([header, *rows]) + "\n")
    campaign = campaign_of(tmp_path, '"*.csv"', "column:cell_id")
    jobs = {job.cell_id: job for job in scan_and_plan(campaign).jobs}
    assert list(jobs) == ["counted.csv", "A"]
    assert "'cell_id' has 400 different values in about" in failure(campaign, jobs["counted.csv"])[0]


def test_a_read_error_of_the_system_stops_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "memory.csv").symlink_to("/proc/self/mem")  # opens, but its first byte cannot be read
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    campaign = campaign_of(tmp_path, '"*.csv"')
    reasons = {job.cell_id: failure(campaign, job)[0] for job in scan_and_plan(campaign).jobs if job.kind == "split"}
    assert "symbolic links" in reasons["loop.csv"]
    assert "Input/output error" in reasons["memory.csv"]
    assert "a device" in reasons["zero.csv"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everywhere")
def test_a_file_without_permission_fails_alone(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text(lines("A"))
    (tmp_path / "secret.csv").chmod(0)
    campaign = campaign_of(tmp_path, '"*.csv"')
    split, cleaning = scan_and_plan(campaign).jobs
    assert "Permission denied" in failure(campaign, split)[0]
    assert cleaning.cell_id == "one"


def test_the_catalog_keeps_what_it_knew_of_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text(lines("B"))
    campaign = campaign_of(tmp_path, '"one.csv", "two.csv"', "column:cell_id")
    catalog_path = Store(campaign.store).catalog
    with Catalog.open(catalog_path) as catalog:
        record_sources(catalog, scan_sources(campaign.sources, catalog_path))
        path.rename(tmp_path / "elsewhere")
        scanned = scan_sources(campaign.sources, catalog_path)
        assert [bool(source.problem) for source in scanned] == [False, True]
        record_sources(catalog, scanned)
    with closing(queries.connect(catalog_path)) as reader:
        cached = {Path(key[0]).name: cells for key, (_, cells) in queries.source_cache(reader).items()}
    assert cached == {"one.csv": ("A",), "two.csv": ("B",)}


def test_nothing_opens_a_named_pipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    for read in (guess_settings, lambda path: source_file(path, SourceSettings())):
        with pytest.raises(ReadError, match=r"pipe\.csv: this is a named pipe"):
            read(pipe)
    (tmp_path / "one.csv").write_text(lines("A"))
    for paths in ([str(pipe)], [str(tmp_path)]):
        assert show_inspection(paths, None, json_=False) == 1
        assert "named pipe" in capsys.readouterr().out
    (left_out,) = write_campaign([str(tmp_path)], tmp_path / "campaign.toml").left_out
    assert "named pipe" in left_out


def test_a_name_that_is_not_utf8_is_shown_and_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv"))
    wrong.write_text(lines("A"))
    campaign = campaign_of(tmp_path, '"*.csv"')
    split, cleaning = scan_and_plan(campaign).jobs
    assert cleaning.cell_id == "one"
    assert split.cell_id == "caf\\xe9.csv"
    assert f"{tmp_path}/caf\\xe9.csv: the file name is not UTF-8" in failure(campaign, split)[0]
    assert show_inspection([str(tmp_path)], None, json_=False) == 1
    assert "caf\\xe9.csv\n  cannot be read: the file name is not UTF-8" in capsys.readouterr().out
