"""A fit that cannot run is refused before anything runs, with the key and the reason; all other jobs go on."""

from __future__ import annotations

from pathlib import Path

import pytest
from kilocell.data.errors import CampaignError, UsageError
from kilocell.runner.campaign.campaign import Campaign, load_campaign
from kilocell.runner.campaign.cell_plan import CellPlan, resolve
from kilocell.runner.campaign.fit_checks import RefusedFit, refuse_fits
from kilocell.runner.campaign.fit_request import FitOptions, request_fits
from kilocell.runner.run.run_campaign import _require_fit, _select_refused, scan_and_plan
from kilocell.runner.run.summary import RunSummary

NEGATIVE = '"Negative particle diffusivity [m2.s-1]"'
POSITIVE = '"Positive particle diffusivity [m2.s-1]"'
CONTACT = '"Contact resistance [Ohm]"'
STATE = '"Initial state of charge"'
CAMPAIGN = """
models = ["SPM"]
[[sources]]
files = ["raw.csv"]
cell_id = "column:cell"
[sources.columns]
test_time_second = "t"
current_ampere = "i"
voltage_volt = "v"
[cells.defaults]
parameter_set = "Chen2020"
nominal_capacity_ah = 2.5
"""
FIT = '[[fit]]\nname = "one"\nmodel = "SPM"\nstarts = 2\n'
DIFFUSION = 'presets = "diffusion"\n'


def load(folder: Path, more: str) -> Campaign:
    (folder / "raw.csv").write_text("cell,t,i,v\nA,0,0,3.7\nB,0,0,3.7\n")
    (folder / "campaign.toml").write_text(CAMPAIGN + more)
    return load_campaign(folder / "campaign.toml")


def refuse(folder: Path, more: str) -> tuple[tuple[CellPlan, ...], tuple[RefusedFit, ...]]:
    campaign = load(folder, more)
    return refuse_fits(campaign, resolve(campaign, "AB"))


def parameters(text: str) -> str:
    return f"{FIT}[fit.parameters]\n{text}\n"


def weightless(*selections: str) -> str:
    entries = ", ".join(f'{{ select = "{one}", weight = 0 }}' for one in selections)
    return f"[fit.objective]\nweights = [{entries}]\n"


@pytest.mark.parametrize(
    ("more", "key", "reason"),
    [
        (FIT + 'presets = "ohmic"\n', "fit.presets: no_effect", "use the model SPMe or DFN, or leave it out"),
        (
            parameters(f"{CONTACT} = {{ bounds = [0.001, 0.02] }}"),
            f"fit.parameters.{CONTACT}: no_effect",
            'options = { "contact resistance" = "true" }',
        ),
        (
            parameters('"Total heat transfer coefficient [W.m-2.K-1]" = { bounds = [1, 100], scale = "log" }'),
            'fit.parameters."Total heat transfer coefficient [W.m-2.K-1]": no_effect',
            'options = { "thermal" = "lumped" }',
        ),
        (
            parameters(f"{NEGATIVE} = {{ bounds = [1e-15, 1e-12] }}\n{CONTACT} = {{ link = {NEGATIVE} }}"),
            f"fit.parameters.{CONTACT}: no_effect",
            "does not depend on 'Contact resistance [Ohm]'",
        ),
        (
            parameters(f'{NEGATIVE} = {{ bounds = [1e-14, 2e-14], scale = "log" }}'),
            f"fit.parameters.{NEGATIVE}.bounds: bad_bounds",
            "1e-14 to 2e-14 exclude the value of Chen2020, 3.3e-14",
        ),
        (
            parameters(f"{NEGATIVE} = {{ bounds = [2, 20], relative = true }}"),
            f"fit.parameters.{NEGATIVE}.bounds: bad_bounds",
            "2 to 20 exclude 1, the value of Chen2020 itself (bounds are factors of it)",
        ),
        (
            parameters(f"{NEGATIVE} = {{ bounds = [-1e-13, 1e-13] }}"),
            f"fit.parameters.{NEGATIVE}.bounds: bad_bounds",
            "the lower bound -1e-13 is negative, which no cell has",
        ),
        (
            parameters('"Capacity of the cell [A.h]" = { bounds = [3, 6] }'),
            'fit.parameters."Capacity of the cell [A.h]".bounds: bad_bounds',
            "exclude the capacity of the cell, 2.5",
        ),
        (
            parameters('"Cyclable lithium" = { bounds = [0.7, 0.9] }'),
            'fit.parameters."Cyclable lithium".bounds: bad_bounds',
            "exclude the value of Chen2020, 1",
        ),
        (
            "initial_state = { voltage = 4.1 }\n" + parameters(f"{STATE} = {{ bounds = [0.8, 1.0] }}"),
            f"fit.parameters.{STATE}: bad_bounds",
            "initial_state = { voltage = 4.1 } gives the state that the fit searches",
        ),
        (
            "initial_state = { soc = 0.9 }\n" + parameters(f"{STATE} = {{ bounds = [0.8, 1.0] }}"),
            f"fit.parameters.{STATE}: bad_bounds",
            "initial_state = { soc = 0.9 } gives the state that the fit searches",
        ),
    ],
)
def test_a_fit_that_cannot_run_is_refused_with_key_and_reason(tmp_path: Path, more: str, key: str, reason: str) -> None:
    plans, (refused,) = refuse(tmp_path, more)
    assert refused.text.startswith(key)
    assert reason in refused.text
    assert refused.cells == ("A", "B")
    assert not any(plan.fits for plan in plans)
    assert all(plan.simulations for plan in plans)


@pytest.mark.parametrize(
    "entry",
    [
        f'{NEGATIVE} = {{ bounds = [1e-14, 2e-14], scale = "log", first = 1.5e-14 }}',  # meant, as first says
        f"{NEGATIVE} = {{ bounds = [3.3e-14, 1e-13] }}",  # the value itself is a bound
        f"{STATE} = {{ bounds = [0.8, 1.0] }}",
        '"Electrode height [m]" = { bounds = [0.9, 1.1], relative = true }',
    ],
)
def test_a_fit_that_can_run_is_kept(tmp_path: Path, entry: str) -> None:
    plans, refused = refuse(tmp_path, parameters(entry))
    assert refused == ()
    assert all(plan.fits for plan in plans)


@pytest.mark.parametrize(
    "more",
    [
        'select = "rest 2"\n',  # the relaxation after a load: the model is solved from the rest before it
        'select = "step 3"\n',
        weightless("rest", "charge"),
        weightless("discharge 1"),
        'select = "discharge 2"\n' + weightless("cycle 1"),
        "cycles = [2, 3]\n" + weightless("cycle 2", "cycle 3, discharge"),
        'select = "discharge"\n' + weightless("discharge 1"),
        'select = "discharge, charge"\n[fit.objective]\nstep_types = ["charge", "rest"]\n',
        weightless("charge, discharge") + 'step_types = ["discharge", "rest"]\n',
    ],
)
def test_weights_that_leave_a_part_are_kept(tmp_path: Path, more: str) -> None:
    plans, refused = refuse(tmp_path, FIT + DIFFUSION + more)
    assert refused == ()
    assert all(plan.fits for plan in plans)


def test_a_refused_fit_is_no_beginning_of_a_larger_one(tmp_path: Path) -> None:
    """The larger fit begins at the smaller ones that are left, and the plan has no job of the refused one."""
    small = FIT.replace("one", "small") + f"[fit.parameters]\n{NEGATIVE} = {{ bounds = [0.2, 5], relative = true }}\n"
    wrong = FIT.replace("one", "wrong") + DIFFUSION + f"[fit.parameters]\n{NEGATIVE} = {{ bounds = [1e-16, 1e-15] }}\n"
    large = FIT.replace("one", "large") + 'presets = ["diffusion", "kinetic"]\n'
    campaign = load(tmp_path, small + wrong + large)
    plans, (refused,) = refuse_fits(campaign, resolve(campaign, "AB"))
    assert refused.text.startswith(f"fit#2.parameters.{NEGATIVE}.bounds: bad_bounds")
    assert [(fit.settings.name, fit.settings.smaller) for fit in plans[0].fits] == [
        ("small", ()),
        ("large", ("small",)),
    ]
    labels = [job.label for job in scan_and_plan(campaign)[1]]
    assert "large-smaller" in labels
    assert "wrong" not in labels


def test_a_set_without_contact_resistance_does_not_limit_its_bounds(tmp_path: Path) -> None:
    model = '[[models]]\nname = "contact"\ntype = "SPM"\noptions = { "contact resistance" = "true" }\n'
    entry = parameters(f"{CONTACT} = {{ bounds = [0.001, 0.02] }}").replace('"SPM"', '"contact"')
    text = CAMPAIGN.replace('models = ["SPM"]\n', "") + model + entry
    (tmp_path / "raw.csv").write_text("cell,t,i,v\nA,0,0,3.7\n")
    (tmp_path / "campaign.toml").write_text(text)
    campaign = load_campaign(tmp_path / "campaign.toml")
    assert refuse_fits(campaign, resolve(campaign, "A"))[1] == ()


def test_only_the_fit_and_the_cell_that_cannot_run_are_refused(tmp_path: Path) -> None:
    state = FIT.replace("one", "state") + f"[fit.parameters]\n{STATE} = {{ bounds = [0.8, 1.0] }}\n"
    other = FIT.replace("one", "good") + DIFFUSION
    plans, (refused,) = refuse(tmp_path, "[cells.B]\ninitial_state = { soc = 0.9 }\n" + other + state)
    assert [[fit.settings.name for fit in plan.fits] for plan in plans] == [["good", "state"], ["good"]]
    assert refused.text.startswith(f"fit#2.parameters.{STATE}: bad_bounds")
    assert refused.text.endswith('(cell "B")')


def test_a_fit_of_the_command_line_that_cannot_run_stops_the_command(tmp_path: Path) -> None:
    campaign = load(tmp_path, "")
    request = request_fits(campaign, FitOptions(presets=("ohmic",), model="SPM"), ())
    _, refused = refuse_fits(request.campaign, resolve(request.campaign, "AB"))
    assert refused[0].text.startswith('fit "ohmic".presets: no_effect: the voltage of SPM does not depend on')
    selected = _select_refused(refused, "fit", (), request.names)
    with pytest.raises(UsageError, match="no_effect"):
        _require_fit(campaign.path, "fit", (), selected)
    assert _select_refused(refused, "simulate", (), ()) == ()
    assert _select_refused(refused, "run", ("C",), ()) == ()


def test_a_refused_fit_is_no_success() -> None:
    assert RunSummary(1, done=3, failed=0, skipped=0, done_before=0).exit_code == 0
    assert RunSummary(1, done=3, failed=0, skipped=0, done_before=0, refused=("one",)).exit_code == 1


LINKED = f'{FIT}presets = "kinetic"\n[fit.parameters]\n'
KINETIC = '"Negative electrode exchange-current density [A.m-2]"'


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (LINKED + f"{NEGATIVE} = {{ link = {NEGATIVE} }}\n", "is linked to itself; give it bounds instead"),
        (
            LINKED + f"{NEGATIVE} = {{ link = {POSITIVE} }}\n{POSITIVE} = {{ link = {NEGATIVE} }}\n",
            "is linked in a circle (Negative particle diffusivity [m2.s-1] → Positive",
        ),
        (
            LINKED + f"{NEGATIVE} = {{ link = {POSITIVE} }}\n{POSITIVE} = {{ link = {KINETIC} }}\n",
            f"is linked, too; link to the fitted parameter {KINETIC}",
        ),
        (LINKED + f"{NEGATIVE} = {{ link = {POSITIVE} }}\n", "is not fitted (there are: "),
        (LINKED + f"{NEGATIVE} = {{ link = {KINETIC}, ratio = 0 }}\n", "ratio must be above 0"),
        (LINKED + f"{NEGATIVE} = {{ link = {KINETIC}, ratio = inf }}\n", "must be a finite number"),
        (parameters(f"{NEGATIVE} = {{ bounds = [1e-13, 1e-13] }}"), "must be two numbers, the lower one first"),
        (parameters(f"{NEGATIVE} = {{ bounds = [1e-13, inf] }}"), "must be a finite number"),
        (parameters(f"{NEGATIVE} = {{ bounds = [nan, 1e-13] }}"), "must be a finite number"),
        (parameters(f'{NEGATIVE} = {{ bounds = [-1, 1], scale = "log" }}'), 'bounds must be above 0 if scale = "log"'),
        (parameters(f"{NEGATIVE} = {{ bounds = [1e-15, 1e-13], prior = [3e-14, 0] }}"), "with a deviation above 0"),
        (parameters(f"{NEGATIVE} = {{ bounds = [1e-15, 1e-13], prior = [3e-14] }}"), "[MEAN, STANDARD DEVIATION]"),
        (
            parameters(f"{NEGATIVE} = {{ bounds = [1e-15, 1e-13], prior = [3e-12, 1e-15] }}"),
            "the mean of the prior, 3e-12, is outside the bounds, 1e-15 to 1e-13",
        ),
        (FIT + 'presets = ["diffusion", "diffusion"]\n', 'preset "diffusion" is given twice'),
        (
            FIT + DIFFUSION + "[fit.objective]\nohmic = 0\nkinetic = 0\ndiffusion = 0\ncapacity = 0\n",
            "no sample has a weight",
        ),
        (FIT + DIFFUSION + "[fit.objective]\nohmic = -1\n", "must be greater than or equal to 0"),
        (FIT + DIFFUSION + '[fit.objective]\nloss = "huber"\nloss_mv = 0\n', "must be greater than 0"),
        (
            FIT + DIFFUSION + "cycles = [1, 2]\nvalidation_cycles = [2, 3]\n",
            "cycle 2 is in cycles and in validation_cycles",
        ),
        (
            FIT + DIFFUSION + 'select = "cycle 1-2"\nvalidation_select = "cycle 2-4"\n',
            "cycle 2 is fitted, too; validation needs a part that is not fitted",
        ),
        (
            FIT + DIFFUSION + 'select = "discharge 1"\nvalidation_select = "discharge 1"\n',
            "select and validation_select are the same",
        ),
        (FIT + DIFFUSION + weightless("all"), "'all' have weight 0"),
        (FIT + DIFFUSION + 'select = "discharge 2"\n' + weightless("discharge 2"), "'discharge 2' have weight 0"),
        (
            FIT + DIFFUSION + 'select = "discharge 2; charge 1"\n' + weightless("charge", "discharge"),
            "'charge' and 'discharge' have weight 0",
        ),
        (FIT + DIFFUSION + "cycles = [2, 3]\n" + weightless("cycle 1-4"), "'cycle 1-4' have weight 0"),
        (
            FIT + DIFFUSION + 'select = "cycle 2-3, discharge"\n' + weightless("cycle 2-3"),
            "'cycle 2-3' have weight 0",
        ),
        (
            FIT + DIFFUSION + weightless("rest, hold") + 'step_types = ["hold", "rest"]\n',
            "'rest, hold' have weight 0",
        ),
        (
            FIT + DIFFUSION + 'select = "discharge 1"\n[fit.objective]\nstep_types = ["charge", "hold"]\n',
            "objective.step_types = charge, hold leaves nothing of the selected steps, which are discharge",
        ),
        (
            parameters(f'{NEGATIVE} = {{ bounds = [1e-15, 1e-13], scale = "log", prior = [3e-14, 1e-9] }}'),
            "the standard deviation of the prior, 1e-09, leaves nothing to search",
        ),
    ],
)
def test_a_contradiction_in_the_file_stops_the_command(tmp_path: Path, more: str, reason: str) -> None:
    with pytest.raises(CampaignError) as caught:
        load(tmp_path, more)
    assert reason in str(caught.value)
