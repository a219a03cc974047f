"""A campaign resolved for its cells: what each is cleaned, simulated and fitted with, and every problem at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from kilocell.data.errors import CampaignError
from kilocell.runner.campaign.campaign import Campaign, load_campaign
from kilocell.runner.campaign.cell_plan import resolve

CAMPAIGN = """
models = ["SPM", "DFN"]
[[sources]]
files = ["raw.csv"]
[cells.A]
parameter_sets = ["Chen2020", "Ai2020"]
nominal_capacity_ah = 4.5
[[variations]]
name = "thick"
parameter_sets = ["Chen2020"]
parameters = { "Negative electrode thickness [m]" = { scale = 2 } }
[simulate]
cycles = "1-3"
time_limit_second = 60
[[fit]]
name = "ageing"
model = "SPM"
cells = ["A"]
parameter_set = "Chen2020+thick"
presets = "ohmic"
chain = [2, [5, 6]]
"""


def load(folder: Path, text: str = CAMPAIGN) -> Campaign:
    (folder / "raw.csv").write_text("cell_id,test_time_s,current_A,voltage_V\nA,0,0,4.1\nA,1,-1,4.0\n")
    (folder / "campaign.toml").write_text(text)
    return load_campaign(folder / "campaign.toml")


def test_each_cell_has_its_settings_once_in_the_order_of_the_ids(tmp_path: Path) -> None:
    campaign = load(tmp_path)
    b, a = resolve(campaign, ["B", "A", "B"])
    assert (a.cell_id, b.cell_id) == ("A", "B")
    assert (a.cell, a.clean) == (campaign.cell("A"), campaign.clean_settings("A"))
    assert a.clean.nominal_capacity_ah == 4.5
    assert [parameter_set.name for parameter_set in a.parameter_sets] == ["Chen2020", "Chen2020+thick", "Ai2020"]
    pairs = [(simulation.model.name, simulation.parameter_set.name) for simulation in a.simulations]
    assert pairs == [(model, name.name) for model in ("SPM", "DFN") for name in a.parameter_sets]
    assert {simulation.time_limit_second for simulation in a.simulations} == {60.0}
    assert (b.parameter_sets, b.simulations, b.fits) == ((), (), ())


def test_each_fit_comes_with_the_simulation_of_its_result(tmp_path: Path) -> None:
    (plan,) = resolve(load(tmp_path), ["A"])
    assert [fit.settings.name for fit in plan.fits] == ["ageing-cycle-2", "ageing-cycle-5"]
    assert [fit.settings for fit in plan.fits] == list(load(tmp_path).fits("A"))
    for fit, cycles in zip(plan.fits, ("2", "5, 6"), strict=True):
        assert fit.simulation.parameter_set.name == f"Chen2020+thick+{fit.settings.name}"
        assert fit.simulation.parameter_set.overrides == ()
        assert fit.simulation.cycles.text == cycles
        assert fit.simulation.time_limit_second == 60.0
    later = plan.fits[1].simulation.cell.initial_state
    assert later.policy == "previous_cycle", "cycles 5 and 6 were fitted in one go"


def test_every_problem_with_cells_is_listed_together(tmp_path: Path) -> None:
    text = CAMPAIGN.replace('parameter_set = "Chen2020+thick"\n', "").replace('["A"]', '["A", "CELL_B", "C*"]')
    with pytest.raises(CampaignError) as caught:
        resolve(load(tmp_path, text), ["A", "CELL_X", "CELL_Y"])
    first, *problems = str(caught.value).splitlines()
    assert first == f"{tmp_path / 'campaign.toml'}: 3 errors"
    assert 'fit.cells: no source has the cell "CELL_B" (did you mean "CELL_' in problems[0]
    for cell_id, problem in zip(("CELL_X", "CELL_Y"), problems[1:], strict=True):
        assert f'fit "ageing" names no parameter_set and the cell "{cell_id}" has none' in problem
        assert f"[cells.{cell_id}]" in problem
