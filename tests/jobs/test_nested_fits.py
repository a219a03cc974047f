"""A fit that contains a smaller one begins from its result as well, and never ends worse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aged_cell import write_raw
from kilocell.data.fit_settings import INITIAL_SOC, FitLink, FitParameter, FitSettings
from kilocell.data.results.fitting import NESTED_START, FitResult, StartResult
from kilocell.data.results.receipt import Receipt
from kilocell.data.settings import CellSettings, InitialState, ModelSettings, ParameterSetSettings
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.read import read_receipt
from kilocell.parquet_store.write import write_receipt
from kilocell.runner.campaign.campaign import Campaign, load_campaign
from kilocell.runner.campaign.nested_fits import contains_fit, name_smaller_fits
from kilocell.runner.plan.job import Job
from kilocell.runner.plan.select_jobs import select_fits
from kilocell.runner.run.run_campaign import scan_and_plan
from kilocell.runner.worker.run_job import JobOutcome, record_death, run_job

NEGATIVE = "Negative particle diffusivity [m2.s-1]"
POSITIVE = "Positive particle diffusivity [m2.s-1]"
KINETIC = "Negative electrode exchange-current density [A.m-2]"

HEAD = """
name = "nested"
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
"""


def fit_text(name: str, *parameters: str, more: str = "") -> str:
    bounds = {
        NEGATIVE: '{ bounds = [3e-15, 3e-13], scale = "log" }',
        POSITIVE: '{ bounds = [4e-16, 4e-14], scale = "log" }',
        KINETIC: '{ bounds = [0.1, 10.0], scale = "log" }',
    }
    lines = [f'"{parameter}" = {bounds[parameter]}' for parameter in parameters]
    head = f'[[fit]]\nname = "{name}"\nmodel = "SPM"\nparameter_set = "Chen2020"\nstarts = 1\ncycles = [7]\n{more}'
    return "\n".join([head, "[fit.parameters]", *lines, ""])


SMALL = fit_text("small", NEGATIVE)
LARGE = fit_text("large", NEGATIVE, POSITIVE)


def settings(*names: str, **changes: Any) -> FitSettings:
    fit = FitSettings(
        name="+".join(names),
        cell=CellSettings("CELL", 5.0, InitialState("soc", 0.8), 25.0),
        model=ModelSettings("SPM", "SPM"),
        parameter_set=ParameterSetSettings("Chen2020", "Chen2020"),
        parameters=tuple(FitParameter(name, 0.1, 1.0) for name in names),
    )
    return replace(fit, **changes)


def test_the_largest_fits_inside_are_named() -> None:
    fits = [settings("A", "B", "C"), settings("A"), settings("A", "B"), settings("C"), settings("D")]
    assert [fit.smaller for fit in name_smaller_fits(fits)] == [("A+B", "C"), (), ("A",), (), ()]


@pytest.mark.parametrize(
    ("larger", "smaller", "contains"),
    [
        (settings("A", "B"), settings("A"), True),
        (settings("A", INITIAL_SOC), settings("A", seed=4, max_evaluations=9, starts=7), True),
        (settings("A", INITIAL_SOC), settings("A", fit_initial_soc="auto"), True),
        (settings("A", "B"), settings("A", fit_initial_soc="auto"), False),
        (settings("A"), settings("A"), False),
        (settings("A", "B"), settings("A", cycles=(2,)), False),
        (settings("A", "B"), settings("A", model=ModelSettings("DFN", "DFN")), False),
        (settings("A", "B"), settings("A", links=(FitLink("B", "A"),)), False),
        (settings("A", "B", "C"), settings("A", links=(FitLink("B", "A"),)), True),
        (settings("A", "B", links=(FitLink("C", "A"),)), settings("A"), False),
        (settings("A", "B", links=(FitLink("C", "A"),)), settings("A", links=(FitLink("C", "A"),)), True),
    ],
)
def test_a_fit_contains_one_with_a_part_of_its_parameters(
    larger: FitSettings, smaller: FitSettings, contains: bool
) -> None:
    assert contains_fit(larger, smaller) is contains


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_raw(tmp_path / "CELL.csv", 1e-3)
    return tmp_path


def campaign_of(folder: Path, *fits: str) -> Campaign:
    (folder / "campaign.toml").write_text(HEAD + "".join(fits))
    return load_campaign(folder / "campaign.toml")


def jobs_of(campaign: Campaign) -> tuple[Job, ...]:
    return scan_and_plan(campaign)[1]


def run_all(campaign: Campaign) -> dict[str, JobOutcome]:
    done: dict[tuple[str, ...], JobOutcome] = {}
    for job in jobs_of(campaign):
        if job.reason:
            done[job.key] = run_job(str(campaign.store), job, *(done[key] for key in job.needs if key in done))
    return {key[-1]: outcome for key, outcome in done.items()}


def result(campaign: Campaign, kind: Any, label: str) -> Any:
    receipt = read_receipt(Store(campaign.store).receipt(kind, "CELL", label))
    assert receipt is not None
    return receipt.result


def test_the_larger_fit_is_planned_after_the_smaller_one_wherever_it_stands(folder: Path) -> None:
    jobs = jobs_of(campaign_of(folder, LARGE, SMALL))
    by_label = {job.label: job for job in jobs}
    warm = by_label["large-smaller"]
    assert warm.needs == (by_label["clean"].key, by_label["small"].key)
    assert warm.key in by_label["large"].needs
    assert by_label["large-0"].needs == (by_label["clean"].key,)
    places = [job.label for job in jobs]
    assert places.index("small") < places.index("large-smaller")
    # The fit alone has what it needs: the smaller fit, but not the simulation with its result.
    chosen = [job.label for job in select_fits(jobs, ["large"])]
    assert chosen == ["clean", "small-0", "small", "large-0", "large-smaller", "large", "SPM-Chen2020+large"]


def test_a_smaller_fit_that_is_added_later_adds_one_start(folder: Path) -> None:
    alone = campaign_of(folder, LARGE)
    for job in jobs_of(alone):
        write_receipt(Store(alone.store), Receipt(job.kind, job.cell_id, job.label, job.digest, "done"))
    both = campaign_of(folder, LARGE, SMALL)
    waiting = [job.label for job in jobs_of(both) if job.reason]
    assert waiting == ["small-0", "small", "SPM-Chen2020+small", "large-smaller", "large", "SPM-Chen2020+large"]


def test_the_larger_fit_begins_at_the_smaller_ones_result_and_is_never_worse(folder: Path) -> None:
    # Its own start has no time to come to the minimum.
    poor = fit_text("large", NEGATIVE, POSITIVE, more="max_evaluations = 1\n")
    campaign = campaign_of(folder, poor, SMALL)
    run_all(campaign)
    small, large = (result(campaign, "fit", name) for name in ("small", "large"))
    warm = result(campaign, "start", "large-smaller")
    assert isinstance(small, FitResult)
    assert isinstance(large, FitResult)
    assert isinstance(warm, StartResult)
    assert (warm.start, warm.began_from) == (NESTED_START, "small")
    assert warm.first_values[0] == pytest.approx(small.parameters[0].value, rel=1e-9)
    assert warm.first_values[1] == pytest.approx(4e-15, rel=1e-9)
    assert result(campaign, "start", "large-0").rmse_mv > small.rmse_mv
    assert large.best_start == NESTED_START
    assert large.rmse_mv <= small.rmse_mv * (1.0 + 1e-4)  # the number of outputs moves both


def test_a_larger_fit_runs_though_the_smaller_one_has_no_result(folder: Path) -> None:
    campaign = campaign_of(folder, LARGE, SMALL)
    done: dict[str, JobOutcome] = {}
    for job in jobs_of(campaign):
        if job.label == "small":
            done[job.label] = record_death(str(campaign.store), job, "its worker died", "worker_died")
            continue
        needs = (done[key[-1]] for key in job.needs)
        done[job.label] = run_job(str(campaign.store), job, *needs)
    assert done["large"].status == "done"
    assert result(campaign, "start", "large-smaller").began_from == "its own first guess, since small has no result"
