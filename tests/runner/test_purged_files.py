"""Raw files that are purged after cleaning: what needs only the partitions goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from campaigns import campaign_text, lines
from kilocell.data.errors import CampaignError
from kilocell.parquet_store.layout import Store
from kilocell.runner.campaign.campaign import Campaign, load_campaign
from kilocell.runner.campaign.gone_files import matches
from kilocell.runner.plan.gone_sources import describe_gone
from kilocell.runner.run.record import Recorder
from kilocell.runner.run.run_campaign import CampaignPlan, _record_plan, scan_and_plan
from kilocell.runner.show.plan import show_plan
from kilocell.runner.worker.run_job import run_job
from kilocell.sqlite.catalog import Catalog


def write_campaign(folder: Path, files: str = '"raw/*.csv"', cell_id: str = "stem", more: str = "") -> Campaign:
    """Write a campaign with one model over ``raw``.

    Args:
        files: as in the campaign's TOML, without the brackets.
        cell_id: where the cell's id comes from.
        more: further tables.
    """
    path = folder / "campaign.toml"
    path.write_text(campaign_text(cell_id=cell_id, models=("SPM",), more=more).replace('"*.csv"', files))
    return load_campaign(path)


def clean(campaign: Campaign) -> CampaignPlan:
    """Clean every cell as ``kilocell clean`` does, without a cluster."""
    plan = scan_and_plan(campaign)
    store = Store(campaign.store)
    store.root.mkdir(exist_ok=True)
    with Catalog.open(store.catalog) as catalog:
        run_id = _record_plan(catalog, campaign, plan, (), ["kilocell", "clean"])
        recorder = Recorder(catalog, store, run_id, plan.jobs)
        recorder.add(
            [run_job(str(store.root), job) for job in plan.jobs if job.kind in ("split", "clean") and job.reason]
        )
        catalog.end_run(run_id, 0, "done")
    return plan


def waiting(campaign: Campaign) -> dict[tuple[str, str], str]:
    """Return the reason of each job that has to run, by kind and cell."""
    return {(job.kind, job.cell_id): job.reason for job in scan_and_plan(campaign).jobs if job.reason}


@pytest.fixture
def cleaned(tmp_path: Path) -> Path:
    """Folder of a campaign whose cells one and two are cleaned; then all raw files are purged."""
    (tmp_path / "raw").mkdir()
    for name in ("one", "two"):
        (tmp_path / "raw" / f"{name}.csv").write_text(lines(name.upper()))
    clean(write_campaign(tmp_path))
    shutil.rmtree(tmp_path / "raw")
    return tmp_path


def test_cells_of_purged_files_can_be_simulated(cleaned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campaign = load_campaign(cleaned / "campaign.toml")
    plan = scan_and_plan(campaign)
    assert {job.key[:2]: job.reason for job in plan.jobs if job.kind == "clean"} == {
        ("clean", "one"): "",
        ("clean", "two"): "",
    }
    assert waiting(campaign) == {("simulate", "one"): "never run before", ("simulate", "two"): "never run before"}
    assert "2 raw files are gone" in describe_gone(plan.sources)
    show_plan(campaign, json_=False, everything=False)
    shown = capsys.readouterr()
    assert "gone       2 raw files are gone" in shown.err
    assert "2 of 4 jobs would run" in shown.out


def test_a_purged_file_stays_known_run_after_run(cleaned: Path) -> None:
    for _ in range(2):
        plan = clean(load_campaign(cleaned / "campaign.toml"))
        assert [cell.cell_id for cell in plan.cells] == ["one", "two"]


def test_purged_files_that_the_campaign_names_one_by_one(cleaned: Path) -> None:
    campaign = write_campaign(cleaned, '"raw/one.csv", "raw/two.csv"')
    assert set(waiting(campaign)) == {("simulate", "one"), ("simulate", "two")}


def test_a_cell_that_must_be_cleaned_again_says_so_and_keeps_its_results(cleaned: Path) -> None:
    campaign = write_campaign(cleaned, more="[clean]\ngap_factor = 31.5\n")
    store = Store(campaign.store)
    before = store.cleaned("one").read_bytes()
    plan = clean(campaign)
    assert not plan.cells
    reasons = [run_job(str(store.root), job).reason for job in plan.jobs]
    assert len(reasons) == 2
    assert 'raw/one.csv: this file is gone, and "one" must be cleaned again' in reasons[0]
    assert store.cleaned("one").read_bytes() == before
    assert not store.receipt("clean", "one", "clean").exists()  # it is in that file
    again = write_campaign(cleaned)
    assert set(waiting(again)) == {("simulate", "one"), ("simulate", "two")}


def test_a_new_file_never_replaces_a_record_whose_first_files_are_purged(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    rule = "pattern:(?P<cell_id>[A-Z])_[0-9].csv$"
    (tmp_path / "raw" / "B_1.csv").write_text(lines("B"))
    (tmp_path / "raw" / "C_1.csv").write_text(lines("C"))
    campaign = write_campaign(tmp_path, cell_id=rule)
    clean(campaign)
    (tmp_path / "raw" / "B_1.csv").unlink()
    (tmp_path / "raw" / "B_2.csv").write_text(lines("B", start="2024-01-02T08:00:00"))
    plan = scan_and_plan(load_campaign(campaign.path))
    assert [cell.cell_id for cell in plan.cells] == ["C"]
    (split,) = (job for job in plan.jobs if job.kind == "split")
    assert 'B_1.csv: this file is gone, and "B" must be cleaned again' in run_job(str(campaign.store), split).reason


def test_a_purged_file_of_several_cells(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    header, *rows = lines("A").splitlines()
    more = [line.replace(",A,", ",B,") for line in rows]
    (tmp_path / "raw" / "all.csv").write_text("\n".join([header, *rows, *more]) + "\n")
    campaign = write_campaign(tmp_path, cell_id="column:cell_id")
    clean(campaign)
    (tmp_path / "raw" / "all.csv").unlink()
    assert set(waiting(load_campaign(campaign.path))) == {("simulate", "A"), ("simulate", "B")}
    again = write_campaign(tmp_path, cell_id="column:cell_id", more="[clean]\ngap_factor = 31.5\n")
    assert ("clean", "A") in waiting(again)  # from the rows of its split
    cleaning = next(job for job in scan_and_plan(again).jobs if job.kind == "clean")
    assert run_job(str(again.store), cleaning).status == "done"
    shutil.rmtree(again.store / "raw")
    assert not [cell for cell in scan_and_plan(again).cells if cell.cell_id == "B"]
    assert set(waiting(again)) == {("split", "all.csv"), ("simulate", "A")}


def test_a_renamed_file_is_not_gone(cleaned: Path) -> None:
    (cleaned / "raw").mkdir()
    (cleaned / "raw" / "new.csv").write_text(lines("ONE"))
    plan = scan_and_plan(load_campaign(cleaned / "campaign.toml"))
    assert [cell.cell_id for cell in plan.cells] == ["new", "two"]


def test_a_file_that_the_campaign_does_not_name_any_more_is_not_missed(cleaned: Path) -> None:
    campaign = write_campaign(cleaned, '"raw/t*.csv"')
    assert [cell.cell_id for cell in scan_and_plan(campaign).cells] == ["two"]


def test_other_globs_without_files_are_refused_as_before(cleaned: Path) -> None:
    with pytest.raises(CampaignError, match=r'no folder "row"'):
        write_campaign(cleaned, '"row/*.csv"')


def test_globs_of_files_that_are_gone(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "scratch" / "x")
    scratch = f"{tmp_path}/scratch/x"
    for pattern, path in (
        ("link/*.csv", f"{scratch}/a.csv"),
        ("link/**/*.csv", f"{scratch}/a.csv"),
        ("link/**/*.csv", f"{scratch}/b/c/a.csv"),
        ("link/?[!b].csv", f"{scratch}/ba.csv"),
        ("../" + tmp_path.name + "/link/a.csv", f"{scratch}/a.csv"),
    ):
        assert matches(path, pattern, tmp_path), pattern
    for pattern, path in (
        ("link/*.csv", f"{scratch}/b/a.csv"),
        ("link/?[!b].csv", f"{scratch}/bb.csv"),
        ("link/*.csv", f"{scratch}/a.csv2"),
    ):
        assert not matches(path, pattern, tmp_path), pattern


def test_files_of_one_name_keep_their_cells_when_some_are_purged(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.csv").write_text(lines(name))
    campaign = write_campaign(tmp_path, '"*/data.csv"')
    clean(campaign)
    for name in ("a", "c"):
        (tmp_path / name / "data.csv").unlink()
        campaign = load_campaign(tmp_path / "campaign.toml")
        assert set(waiting(campaign)) == {("simulate", "a"), ("simulate", "b"), ("simulate", "c")}
