"""Keys of the campaign for long records: cycles, capacity from a cycle, the previous cycle's end, the time limit."""

from __future__ import annotations

from pathlib import Path

import pytest
from kilocell.data.ageing import ageing_options
from kilocell.data.codec import from_json, to_json
from kilocell.data.cycle_selection import CycleSelection, MeasuredCapacity
from kilocell.data.errors import CampaignError
from kilocell.data.fit_settings import FitSettings
from kilocell.data.settings import InitialState, SimulateSettings
from kilocell.data.step_selection import StepSelection
from kilocell.runner.campaign.campaign import Campaign, load_campaign
from kilocell.runner.campaign.cell_plan import resolve
from kilocell.runner.plan.job import SimulateWork
from kilocell.runner.plan.plan import plan_jobs

RAW = "cell_id,test_time_s,current_A,voltage_V\nA,0,0,4.1\nA,1,-1,4.0\n"
BASE = """[[sources]]
files = ["raw.csv"]
[[models]]
type = "SPM"
{options}
[cells.defaults]
parameter_set = "Chen2020"
"""


FIT = """[[fit]]
model = "SPM"
presets = "diffusion"
"""


def load(folder: Path, text: str, options: str = "") -> Campaign:
    (folder / "raw.csv").write_text(RAW)
    path = folder / "campaign.toml"
    path.write_text(BASE.format(options=options) + text, encoding="utf-8")
    return load_campaign(path)


def settings(campaign: Campaign) -> SimulateSettings:
    (parameter_set,) = campaign.parameter_sets("A")
    return campaign.simulate_settings(campaign.cell("A"), campaign.models[0], parameter_set)


@pytest.mark.parametrize(
    ("value", "selection"),
    [
        ('"1-5, 100, last"', CycleSelection(((1, 5), (100, 100)), 0, True)),
        ('"every 50"', CycleSelection((), 50)),
        ("[1, 2, 100]", CycleSelection(((1, 1), (2, 2), (100, 100)))),
        ('[1, "last"]', CycleSelection(((1, 1),), 0, True)),
        ("7", CycleSelection(((7, 7),))),
        ('"all"', CycleSelection()),
    ],
)
def test_cycles_are_text_or_numbers(tmp_path: Path, value: str, selection: CycleSelection) -> None:
    asked = settings(load(tmp_path, f"[simulate]\ncycles = {value}\ntime_limit_second = 60\n"))
    assert (asked.cycles, asked.time_limit_second) == (selection, 60.0)


def test_without_a_word_it_is_the_whole_record_and_an_hour(tmp_path: Path) -> None:
    asked = settings(load(tmp_path, ""))
    assert asked.cycles.whole
    assert asked.time_limit_second == 3600.0


def test_capacity_and_state_by_cycle(tmp_path: Path) -> None:
    cell = load(tmp_path, 'nominal_capacity_ah = {cycle = 2}\ninitial_state = "previous_cycle"\n').cell("A")
    assert (cell.nominal_capacity_ah, cell.measured_capacity) == (None, MeasuredCapacity(2))
    assert cell.initial_state == InitialState("previous_cycle")
    last = load(tmp_path, 'nominal_capacity_ah = {cycle = "last", of = "charge"}\n').cell("A")
    assert last.measured_capacity == MeasuredCapacity(0, "charge")
    own = load(tmp_path, "nominal_capacity_ah = {cycle = 2}\n[cells.A]\nnominal_capacity_ah = 5\n").cell("A")
    assert (own.nominal_capacity_ah, own.measured_capacity) == (5.0, None)
    assert load(tmp_path, "nominal_capacity_ah = {cycle = 2}\n").clean_settings("A").nominal_capacity_ah is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[simulate]\ncycles = "lst"\n', 'simulate.cycles = "lst": must be cycles such as "1-5, 100, last"'),
        ('[simulate]\ncycles = "9-5"\n', 'did you mean "5-9"?'),
        ("[simulate]\ncycles = [1.5]\n", "simulate.cycles = [1.5]: must be cycles such as"),
        ("[simulate]\ncycles = []\n", "simulate.cycles = []: must be cycles such as"),
        ("[simulate]\ncycels = 1\n", 'simulate.cycels: unknown key (did you mean "cycles"?)'),
        ("[simulate]\ntime_limit_second = 0\n", "simulate.time_limit_second = 0: must be greater than 0"),
        (
            "nominal_capacity_ah = {cycle = 0}\n",
            ".cycle = 0: must be a cycle's number, counted from 1",
        ),
        ('nominal_capacity_ah = {cycle = 1, of = "discharging"}\n', 'did you mean "discharge"?'),
        ('nominal_capacity_ah = "cycle 2"\n', 'must be a number of A.h, {cycle = 2}, {cycle = "last"}'),
        ('initial_state = "previous"\n', 'did you mean "previous_cycle"?'),
    ],
)
def test_what_cannot_be_is_named_with_the_right_form(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(CampaignError) as caught:
        load(tmp_path, text)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("options", "ages"),
    [
        ('options = {SEI = "solvent-diffusion limited"}', ("SEI",)),
        ('options = {"loss of active material" = ["none", "stress-driven"]}', ("loss of active material",)),
        ('options = {SEI = "none", thermal = "lumped"}', ()),
        ('options = {SEI = "constant"}', ()),
    ],
)
def test_a_model_that_ages_may_have_a_selection(tmp_path: Path, options: str, ages: tuple[str, ...]) -> None:
    """It was refused here before; now it is simulated from the record's start to the end of the selection."""
    (model,) = load(tmp_path, '[simulate]\ncycles = "1-5"\n', options).models
    assert ageing_options(model) == ages


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ('cycles = "1-5, last"', "1-5, last"),
        ('select = "cycle 1-5, last"', "1-5, last"),
        ('select = "cycle 2, discharge"', "cycle 2, discharge"),
        ('select = "all"', "all"),
    ],
)
def test_a_selection_of_cycles_is_the_same_by_either_key(tmp_path: Path, key: str, text: str) -> None:
    asked = settings(load(tmp_path, f"[simulate]\n{key}\n"))
    assert asked.cycles.text == text
    assert isinstance(asked.cycles, StepSelection) == ("discharge" in text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[simulate]\nselect = "cycle 2, dischrge"\n', 'did you mean "discharge"?'),
        ('[simulate]\ncycles = 2\nselect = "step 5"\n', "has cycles and select; remove one of them"),
        ('[simulate]\ncycles = "cycle 2, rest"\n', 'for this, write select = "cycle 2, rest" instead of cycles'),
        ("[simulate]\nselect = 3\n", 'must be a text in quotes such as "cycle 2, discharge"'),
        (f'{FIT}cycles = 1\nselect = "step 5"\n', "has cycles and select; remove one of them"),
        (f'{FIT}select = "stp 5"\n', 'did you mean "step 5"?'),
        (f'{FIT}validation_select = "step 5"\n', "nothing is selected to fit; add select"),
        (f'{FIT}cycles = "discharge"\n', 'for this, write select = "discharge" instead of cycles'),
    ],
)
def test_a_wrong_selection_is_answered_with_what_to_write(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(CampaignError) as caught:
        load(tmp_path, text)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "cycles", "select", "held_out"),
    [
        ('select = "1-3"', (1, 2, 3), None, (None, ())),
        ('select = "cycle 2, discharge"', (), "cycle 2, discharge", (None, ())),
        ('select = "cycle last"', (), "cycle last", (None, ())),
        ('select = "1-2"\nvalidation_select = "5"', (1, 2), None, (None, (5,))),
        ('select = "discharge 1"\nvalidation_select = "5"', (), "discharge 1", ("cycle 5", ())),
        ('cycles = 1\nvalidation_select = "step 9"', (), "cycle 1", ("step 9", ())),
    ],
)
def test_a_fit_has_numbers_of_cycles_or_a_selection(
    tmp_path: Path, keys: str, cycles: tuple[int, ...], select: str | None, held_out: tuple[str | None, tuple[int, ...]]
) -> None:
    (fit,) = load(tmp_path, FIT + keys).fits("A")
    assert fit.cycles == cycles
    assert (fit.select and fit.select.text) == select
    assert ((fit.validation_select and fit.validation_select.text), fit.validation_cycles) == held_out


def test_a_fit_without_a_selection_keeps_its_digest(tmp_path: Path) -> None:
    (fit,) = load(tmp_path, f"{FIT}cycles = 1\n").fits("A")
    assert "select" not in to_json(fit)
    (selected,) = load(tmp_path, f'{FIT}select = "step 5"\n').fits("A")
    assert '"select"' in to_json(selected)
    assert from_json(FitSettings, to_json(selected)) == selected


def test_another_time_limit_is_no_other_simulation(tmp_path: Path) -> None:
    """But other cycles are."""
    from kilocell.data.settings import SourceFile
    from kilocell.parquet_store.layout import Store
    from kilocell.runner.plan.job import ScannedSource

    def digest_of(text: str) -> str:
        campaign = load(tmp_path, text)
        source = ScannedSource(SourceFile(str(tmp_path / "raw.csv"), 1, "0" * 64, campaign.sources[0][1]), ("A",))
        jobs = plan_jobs(resolve(campaign, "A"), [source], Store(tmp_path / "store"))
        return next(job.digest for job in jobs if isinstance(job.work, SimulateWork))

    short = digest_of("[simulate]\ncycles = 1\ntime_limit_second = 60\n")
    assert short == digest_of("[simulate]\ncycles = 1\n")
    assert short != digest_of("")
