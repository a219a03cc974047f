"""Parameters that a model's voltage depends on are known without a solve, and agree with what has an effect."""

from __future__ import annotations

import pytest
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import INITIAL_SOC, LITHIUM_INVENTORY, PRESETS
from kilocell.data.settings import ModelSettings, ParameterSetSettings
from kilocell.jobs.fitting.refused import find_refusals, require_used
from kilocell.jobs.models.used_parameters import describe_users, used_parameters
from test_fit_anything import FAST, HALF, NOTHING, SLOW, SPME, THEVENIN, asked

SPM = ModelSettings("SPM", "SPM")
CHEN = ParameterSetSettings("Chen2020", "Chen2020")


@pytest.mark.parametrize(
    ("model", "base", "name", "bounds", "scale"), FAST + SLOW, ids=lambda x: getattr(x, "name", None)
)
def test_what_the_voltage_follows_is_used(model, base, name, bounds, scale) -> None:  # type: ignore[no-untyped-def]
    assert name in (used_parameters(model, base) or ())
    assert not [one for one in find_refusals(asked(model, base, name, bounds, scale)) if one.code == "no_effect"]


@pytest.mark.parametrize(("model", "base", "name", "bounds", "scale"), NOTHING, ids=lambda x: getattr(x, "name", None))
def test_what_does_nothing_is_not(model, base, name, bounds, scale) -> None:  # type: ignore[no-untyped-def]
    assert name not in (used_parameters(model, base) or (name,))
    with pytest.raises(JobError, match="does not depend on") as caught:
        require_used(asked(model, base, name, bounds, scale))
    assert caught.value.code == "no_effect"


@pytest.mark.parametrize("preset", ["kinetic", "diffusion", "balance", "ageing"])
@pytest.mark.parametrize("model", ["SPM", "SPMe", "DFN"])
@pytest.mark.parametrize("base", ["Chen2020", "Ai2020", "Marquis2019", "Ecker2015", "ORegan2022", "Prada2013"])
def test_presets_are_used_by_every_lithium_ion_model(preset: str, model: str, base: str) -> None:
    used = used_parameters(ModelSettings(model, model), base)
    assert used is not None
    assert {parameter.name for parameter in PRESETS[preset]} <= used


@pytest.mark.parametrize(
    ("model", "name", "words"),
    [
        (SPM, "Electrolyte conductivity [S.m-1]", "use the model SPMe or DFN"),
        (SPME, "Contact resistance [Ohm]", 'options = { "contact resistance" = "true" }'),
        (SPM, "Negative electrode double-layer capacity [F.m-2]", 'options = { "surface form" = "differential" }'),
        (SPM, "Exchange-current density for plating [A.m-2]", 'options = { "lithium plating" = "reversible" }'),
        (SPM, "Initial SEI thickness [m]", 'options = { "SEI" = '),
    ],
)
def test_what_would_use_a_parameter_is_named(model: ModelSettings, name: str, words: str) -> None:
    assert words in describe_users(model, CHEN, name)


def test_lithium_needs_two_electrodes() -> None:
    for model, base in ((HALF, "Xu2019"), (THEVENIN, "ECM_Example")):
        used = used_parameters(model, base)
        assert used is not None
        assert LITHIUM_INVENTORY not in used
        assert INITIAL_SOC in used
