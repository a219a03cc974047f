"""Chains of fits: how a campaign defines them, what runs again, and what a bad check-up does to the chain."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from aged_cell import CHECK_UPS, DIFFUSIVITY, FIT, TRUTH, write_raw
from kilocell.data.errors import CampaignError
from kilocell.data.fit_settings import INITIAL_SOC, LITHIUM_INVENTORY
from kilocell.data.results.fitting import Evaluation, FitResult, StartResult
from kilocell.data.results.receipt import Receipt
from kilocell.parquet_store.journal import StartJournal
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.read import read_receipt
from kilocell.parquet_store.write import write_receipt
from kilocell.report.filters import Filters
from kilocell.report.life_figures import plot_life
from kilocell.runner.campaign.campaign import Campaign, load_campaign
from kilocell.runner.plan.job import SimulateWork
from kilocell.runner.run.record import find_unrecorded
from kilocell.runner.run.run_campaign import scan_and_plan
from kilocell.runner.show.answer import Output
from kilocell.runner.show.life import format_with_error, show_life
from kilocell.runner.worker.run_job import JobOutcome, run_job
from kilocell.sqlite import fit_queries, queries
from kilocell.sqlite.catalog import Catalog

CAMPAIGN = """
name = "life"
store = "store"
[[sources]]
files = ["*.csv"]
cell_id = "stem"
current_sign = "charge_positive"
[sources.columns]
test_time_second = "time_s"
current_ampere = "current_A"
voltage_volt = "voltage_V"
cycle_id = "cycle"
step_id = "step"
[cells.defaults]
nominal_capacity_ah = 5.0
temperature_celsius = 25.0
[[fit]]
name = "ageing"
model = "SPM"
parameter_set = "Chen2020"
starts = 2
chain = [1, 4]
"""
SLOW = f'[fit.parameters]\n"{DIFFUSIVITY}" = {{ bounds = [3e-15, 3e-13], scale = "log" }}\n'


def campaign_of(folder: Path, more: str = SLOW, *changes: tuple[str, str]) -> Campaign:
    text = CAMPAIGN + more
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (folder / "campaign.toml").write_text(text)
    return load_campaign(folder / "campaign.toml")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("raw") / "CELL.csv"
    write_raw(path, 1e-3)
    return path


@pytest.fixture
def folder(tmp_path: Path, raw: Path) -> Path:
    (tmp_path / "CELL.csv").write_bytes(raw.read_bytes())
    return tmp_path


def waiting(campaign: Campaign) -> list[str]:
    """Labels of the jobs that would run."""
    return [job.label for job in scan_and_plan(campaign)[1] if job.reason]


def finish(campaign: Campaign) -> None:
    """Write receipts as if all jobs had been done."""
    for job in scan_and_plan(campaign)[1]:
        write_receipt(Store(campaign.store), Receipt(job.kind, job.cell_id, job.label, job.digest, "done"))


def run_all(campaign: Campaign) -> dict[str, JobOutcome]:
    """Run what is to be done in this process, in the plan's order."""
    done: dict[tuple[str, ...], JobOutcome] = {}
    for job in scan_and_plan(campaign)[1]:
        if job.reason:
            done[job.key] = run_job(str(campaign.store), job, *(done[key] for key in job.needs if key in done))
    return {key[-1]: outcome for key, outcome in done.items()}


def result(campaign: Campaign, kind: Any, label: str) -> Any:
    receipt = read_receipt(Store(campaign.store).receipt(kind, "CELL", label))
    assert receipt is not None
    return receipt.result


def test_each_check_up_is_a_fit_of_its_own_that_knows_those_before(folder: Path) -> None:
    campaign = campaign_of(folder, SLOW, ("[1, 4]", '[1, "4-5", [7]]\nchain_starts = 3'))
    first, second, third = campaign.fits("CELL")
    assert [fit.name for fit in (first, second, third)] == ["ageing-cycle-1", "ageing-cycle-4", "ageing-cycle-7"]
    assert [fit.cycles for fit in (first, second, third)] == [(1,), (4, 5), (7,)]
    assert [fit.starts for fit in (first, second, third)] == [2, 3, 3]
    assert third.former == ("ageing-cycle-4", "ageing-cycle-1")
    assert third.fitted_name == "Chen2020+ageing-cycle-7"
    simulations = [j.work for j in scan_and_plan(campaign)[1] if isinstance(j.work, SimulateWork)]
    assert [work.settings.cycles.text for work in simulations] == ["1", "4, 5", "7"]


def test_a_state_fitted_to_a_later_cycle_is_simulated_from_there(folder: Path) -> None:
    state = f'"{INITIAL_SOC}" = {{ bounds = [0.7, 1.0] }}\n'
    later = ("chain = [1, 4]", "cycles = [4]\nvalidation_cycles = [7]")
    for more, wanted in ((SLOW, "all"), (SLOW + state, "4, 7")):
        jobs = scan_and_plan(campaign_of(folder, more, later))[1]
        assert [j.work.settings.cycles.text for j in jobs if isinstance(j.work, SimulateWork)] == [wanted]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("chain = [1, 4]", "chain = [1, 4]\ncycles = [1]", "leave out cycles and validation_cycles"),
        ("chain = [1, 4]", "chain = [4, 1]", "in the order of the cell's life"),
        ("chain = [1, 4]", "chain = [1, [4, 5], 5]", "in the order of the cell's life"),
        ("chain = [1, 4]", "chain = [1, []]", "in the order of the cell's life"),
        ("chain = [1, 4]", "chain_starts = 2", "no chain"),
        ('name = "ageing"', f'name = "{"x" * 60}"', "too long for a chain"),
        ("[fit.parameters]", 'presets = "ohmic"\n[[fit]]\nname = "ageing-cycle-4"\nmodel = "SPM"\n[fit.parameters]',
         "is the name of a fit in the chain"),
    ],
)  # fmt: skip
def test_a_chain_that_cannot_be_is_refused(folder: Path, before: str, after: str, words: str) -> None:
    with pytest.raises(CampaignError, match=words):
        campaign_of(folder, SLOW, (before, after))


def test_a_link_added_at_the_end_repeats_nothing(folder: Path) -> None:
    finish(campaign_of(folder))
    assert waiting(campaign_of(folder)) == []
    longer = campaign_of(folder, SLOW, ("[1, 4]", "[1, 4, 7]"))
    assert waiting(longer) == ["ageing-cycle-7-0", "ageing-cycle-7", "SPM-Chen2020+ageing-cycle-7"]


def test_what_begins_elsewhere_runs_again_and_nothing_else(folder: Path) -> None:
    two = ("[1, 4]", "[1, 4]\nchain_starts = 2")
    finish(campaign_of(folder, SLOW, two))
    assert waiting(campaign_of(folder, SLOW, two, ("starts = 2\nchain =", "starts = 3\nchain ="))) == [
        "ageing-cycle-1-2",
        "ageing-cycle-1",
        "SPM-Chen2020+ageing-cycle-1",
        "ageing-cycle-4-0",
        "ageing-cycle-4",
        "SPM-Chen2020+ageing-cycle-4",
    ]


@pytest.mark.slow
def test_a_bad_check_up_does_not_end_the_chain(folder: Path) -> None:
    """The second check-up has no voltage; the third one begins where the first one ended, and says so."""
    raw = pd.read_csv(folder / "CELL.csv")
    raw["voltage_V"] = raw["voltage_V"].where(raw["cycle"] != 4)
    raw.to_csv(folder / "CELL.csv", index=False)
    campaign = campaign_of(folder, SLOW, ("[1, 4]", "[1, 4, 7]"), ("starts = 2", "starts = 1"))
    outcomes = run_all(campaign)
    assert outcomes["ageing-cycle-4-0"].code == "no_voltage"
    assert outcomes["ageing-cycle-4"].status == "failed"
    assert outcomes["ageing-cycle-7"].status == "done"
    first, last = (result(campaign, "start", f"ageing-cycle-{cycle}-0") for cycle in (1, 7))
    assert isinstance(last, StartResult)
    assert last.began_from == "ageing-cycle-1, since ageing-cycle-4 has no result"
    # The last value is the state of charge, which is uncertain here and so fitted; each check-up has its own.
    assert last.first_values[:-1] == pytest.approx(first.values[:-1], rel=1e-9)
    assert first.began_from == ""
    # The bad one is kept as failed: it would fail in the same way.
    assert waiting(campaign) == []


def test_a_link_of_several_cycles_is_simulated_as_it_was_fitted(folder: Path) -> None:
    """In one go: the second cycle begins where the first one ended, since it does not begin with a rest."""
    state = f'"{INITIAL_SOC}" = {{ bounds = [0.7, 1.0] }}\n'
    campaign = campaign_of(folder, SLOW + state, ("[1, 4]", '["2-3"]'), ("starts = 2", "starts = 1"))
    run_all(campaign)
    simulated = result(campaign, "simulate", "SPM-Chen2020+ageing-cycle-2")
    assert simulated.rmse_mv == pytest.approx(result(campaign, "fit", "ageing-cycle-2").rmse_mv, abs=0.05)
    assert len(simulated.cycle_states) == 1


def test_a_chain_that_was_killed_ends_with_the_same_numbers(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = campaign_of(folder)
    run_all(undisturbed)

    class Killed(StartJournal):
        def note(self, evaluation: Evaluation, error_mv: Any, slopes_mv: Any) -> None:
            super().note(evaluation, error_mv, slopes_mv)
            if "cycle-4" in self._path.name and evaluation.number == 2:
                raise KeyboardInterrupt

    killed = campaign_of(folder, SLOW, ('"store"', '"other"'))
    monkeypatch.setattr("kilocell.runner.worker.fit_tasks.StartJournal", Killed)
    with pytest.raises(KeyboardInterrupt):
        run_all(killed)
    monkeypatch.setattr("kilocell.runner.worker.fit_tasks.StartJournal", StartJournal)
    assert waiting(killed)[0] == "ageing-cycle-4-0"
    assert set(run_all(killed)) == {"ageing-cycle-4-0", "ageing-cycle-4", "SPM-Chen2020+ageing-cycle-4"}
    for cycle in (1, 4):
        one, other = (result(campaign, "fit", f"ageing-cycle-{cycle}") for campaign in (undisturbed, killed))
        assert isinstance(one, FitResult)
        assert one == other


def recorded(campaign: Campaign) -> Path:
    """Bring the receipts of a store into its catalog, as a run does; return the store."""
    store = Store(campaign.store)
    with Catalog.open(store.catalog) as catalog:
        catalog.record_many(find_unrecorded(catalog.path, store, scan_and_plan(campaign)[1]), None)
    return store.root


ALL = (
    SLOW
    + """
"Negative electrode active material volume fraction" = { bounds = [0.55, 0.85] }
"Positive electrode active material volume fraction" = { bounds = [0.55, 0.75] }
"Cyclable lithium" = { bounds = [0.8, 1.1] }
"Initial state of charge" = { bounds = [0.7, 1.0] }
"""
)


@pytest.mark.slow
def test_parameters_along_life_are_those_of_the_truth(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fractions, lithium and diffusivity of three check-ups with 1 mV of noise, as table and figure."""
    campaign = campaign_of(folder, ALL, ("[1, 4]", "[1, 4, 7, 9]"), ("starts = 2", "starts = 1"))
    run_all(campaign)
    root = recorded(campaign)
    with closing(queries.connect(Store(root).catalog)) as catalog:
        rows = {(row["parameter"], row["chain_cycle"]): dict(row) for row in fit_queries.parameters_along_life(catalog)}
    assert {cycle for _, cycle in rows} == set(CHECK_UPS)
    inside = []
    for cycle in CHECK_UPS:
        for name, value in TRUTH[cycle].items():
            row = rows[name, cycle]
            inside.append(row["lower_95"] <= value <= row["upper_95"])
            assert abs(row["value"] - value) < 4.0 * row["standard_error"], (name, cycle)
            assert row["share_of_first"] == pytest.approx(row["value"] / rows[name, 1]["value"])
            assert row["rmse_mv"] == pytest.approx(1.0, rel=0.1)
    assert sum(inside) >= 9, "of 12; 95 % would be 11"
    shares = [rows[LITHIUM_INVENTORY, cycle]["share_of_first"] for cycle in CHECK_UPS]
    assert shares == pytest.approx([1.0, 0.97, 0.93], abs=2e-3)
    assert rows[INITIAL_SOC, 7]["share_of_first"] is None

    show_life(root, Filters(), (), Output())
    printed = capsys.readouterr().out
    assert "no result: CELL, ageing, cycle 9: failed: none of the starts ended with a result" in printed
    assert printed.count("100.00%") == len(FIT.parameters)
    show_life(root, Filters(cells=("CELL",)), ("ageing",), Output(json_=True))
    assert len(json.loads(capsys.readouterr().out)) == len(rows)
    paths = list(plot_life(Store(root), "CELL"))
    assert [path.name for path in paths] == ["life_ageing_CELL.png", "life_ageing_CELL.pdf"]


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.72132, 0.00064, "0.72132 ± 0.00064"),
        (3.3021e-14, 1.16e-15, "3.30e-14 ± 0.12e-14"),
        (52.31, 12.0, "52 ± 12"),
        (0.85, None, "0.85"),
        (0.0, 0.0004, "0.00000 ± 0.00040"),
        (-1234.5, 0.5, "-1234.50 ± 0.50"),
    ],
)
def test_a_value_is_written_to_the_second_digit_of_its_error(value: float, error: float | None, text: str) -> None:
    assert format_with_error(value, error) == text
