"""Fits of the surface temperature and of weighted selections, as a campaign and the command line ask for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from kilocell.data.errors import CampaignError
from kilocell.data.fit_settings import SelectionWeight
from kilocell.data.step_selection import parse_select
from kilocell.runner.campaign.added_fits import table_text
from kilocell.runner.campaign.campaign import Campaign, load_campaign
from kilocell.runner.campaign.cell_plan import resolve
from kilocell.runner.campaign.fit_request import FitOptions, request_fits
from kilocell.runner.campaign.temperature_checks import refuse_impossible_temperatures

RAW = "test_time_s,current_A,voltage_V,surface_temperature_C\n0,0,4.1,25\n1,-1,4.0,25.1\n2,-1,3.9,25.2\n"
TEXT = """
models = [{ type = "SPMe", name = "lumped", options = { thermal = "lumped" } }, "SPM", "Thevenin"]
[[sources]]
files = ["WARM.csv"]
[cells.defaults]
parameter_sets = ["Chen2020"]
[[fit]]
name = "warm"
model = "lumped"
select = "cycle 1, discharge"
validation_select = "cycle 2"
presets = "diffusion"
[fit.objective]
temperature_kelvin_as_mv = 20
weights = [{ select = "cycle 1, first 600 s", weight = 3.5 }, { select = "cycle 1", weight = 1 }]
"""


def campaign(folder: Path, text: str = TEXT, raw: str = RAW) -> Campaign:
    (folder / "WARM.csv").write_text(raw)
    (folder / "campaign.toml").write_text(text)
    return load_campaign(folder / "campaign.toml")


def check(loaded: Campaign) -> None:
    refuse_impossible_temperatures(loaded, resolve(loaded, ["WARM"]))


def test_a_campaign_gives_the_objective(tmp_path: Path) -> None:
    loaded = campaign(tmp_path)
    check(loaded)
    objective = loaded.fits("WARM")[0].objective
    assert objective.temperature_kelvin_as_mv == 20.0
    first, second = objective.weights
    assert first == SelectionWeight(parse_select("cycle 1, first 600 s"), 3.5)  # type: ignore[arg-type]
    assert (second.select.text, second.weight) == ("cycle 1", 1.0)
    check(campaign(tmp_path, TEXT.replace('model = "lumped"', 'model = "Thevenin"')))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('model = "lumped"', 'model = "SPM"', 'the model "SPM" is isothermal'),
        ("[[fit]]", 'temperature_celsius = "surface"\n[[fit]]', "drives the model with the measured temperature"),
        ("surface_temperature_C", "remark", "no raw file has a column of the surface temperature"),
    ],
)
def test_a_temperature_that_cannot_be_fitted_is_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    loaded = campaign(tmp_path, TEXT.replace(old, new), RAW.replace(old, new))
    with pytest.raises(CampaignError, match=reason):
        check(loaded)
    # The same fit to the voltage alone is possible.
    voltage = TEXT.replace(old, new).replace("temperature_kelvin_as_mv = 20\n", "")
    check(campaign(tmp_path, voltage, RAW.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("weight = 3.5", "weight = -1", "must be greater than or equal to 0"),
        ("cycle 1, first 600 s", "cycle 1, dischrge", 'did you mean "discharge"'),
        (", weight = 3.5", "", "weight is missing"),
    ],
)
def test_wrong_weights_are_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    with pytest.raises(CampaignError, match=reason):
        campaign(tmp_path, TEXT.replace(old, new))


def test_the_command_line_holds_a_part_out(tmp_path: Path) -> None:
    options = FitOptions(presets=("kinetic",), select="discharge 1", validation_select="discharge 2, first 10 min")
    requested = request_fits(campaign(tmp_path), options, ())
    settings = next(fit for fit in requested.campaign.fits("WARM") if fit.name == "kinetic")
    assert settings.validation_select == parse_select("discharge 2, first 10 min")
    assert 'validation_select = "discharge 2, first 10 min"' in table_text(requested.new[0])
    held_out_cycles = TEXT.replace('validation_select = "cycle 2"', "validation_cycles = [2]")
    other = request_fits(
        campaign(tmp_path, held_out_cycles), FitOptions(fit="warm", name="other", validation_select="rest"), ()
    )
    assert other.new[0].validation_select == "rest"
    assert other.new[0].validation_cycles == []


def test_weights_survive_the_text_of_a_table(tmp_path: Path) -> None:
    table = campaign(tmp_path).file.fit[0]
    again = campaign(tmp_path, TEXT[: TEXT.index("[[fit]]")] + table_text(table))
    assert again.fits("WARM") == campaign(tmp_path).fits("WARM")
