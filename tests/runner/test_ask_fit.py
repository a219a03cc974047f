"""Fits added on the command line: which fits they are, what the store keeps, and how later plans use it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kilocell.data.errors import CampaignError, UsageError
from kilocell.data.settings import ClusterSettings
from kilocell.parquet_store.layout import Store
from kilocell.runner.campaign.added_fits import load_added_fits, replace_added_fits, store_added_fits, table_text
from kilocell.runner.campaign.campaign import Campaign, load_campaign
from kilocell.runner.campaign.fit_request import FitOptions, request_fits
from kilocell.runner.campaign.fit_schema import FitTable
from kilocell.runner.campaign.fit_tables import add_fit, fit_tables_for_cell, matches_cell
from kilocell.runner.run.run_campaign import run_campaign

CSV = "cell_id,test_time_s,current_A,voltage_V\nA,0,0,4.1\nA,1,-1,4.0\nB,0,0,3.3\nB,1,-1,3.2\n"
TOP = 'models = ["SPM", "DFN"]\n[[sources]]\nfiles = ["raw.csv"]\n[cells.defaults]\nparameter_set = "Chen2020"\n'
OWN = (
    '[[fit]]\nname = "own"\nmodel = "SPM"\nstarts = 4\ncells = ["A"]\n'
    '[fit.parameters]\n"D [m2.s-1]" = { bounds = [1e-15, 1e-13], scale = "log" }\n'
)


def load(folder: Path, fits: str = OWN) -> Campaign:
    (folder / "raw.csv").write_text(CSV)
    (folder / "campaign.toml").write_text(TOP + fits)
    return load_added_fits(load_campaign(folder / "campaign.toml"))[0]


def starts(campaign: Campaign) -> dict[str, dict[str, int]]:
    return {cell: {fit.name: fit.starts for fit in campaign.fits(cell)} for cell in ("A", "B")}


def asked(campaign: Campaign, *cells: str, **options: object) -> Campaign:
    """Ask and keep, as a command does."""
    found = request_fits(campaign, FitOptions(**options), cells)  # type: ignore[arg-type]
    store_added_fits(Store(campaign.store), found.campaign.asked)
    return found.campaign


def test_a_preset_is_a_fit_of_every_cell_and_is_known_to_later_plans(tmp_path: Path) -> None:
    asked(load(tmp_path), presets=("diffusion",), starts=2, cycles="1-3")
    later = load(tmp_path)
    assert starts(later) == {"A": {"own": 4, "diffusion": 2}, "B": {"diffusion": 2}}
    (fit,) = later.fits("B")
    assert (fit.model.name, fit.parameter_set.name, fit.cycles) == ("SPM", "Chen2020", (1, 2, 3))
    assert [p.name for p in fit.parameters] == [
        f"{side} particle diffusivity [m2.s-1]" for side in ("Negative", "Positive")
    ]


def test_what_is_not_said_again_is_as_before(tmp_path: Path) -> None:
    first = asked(load(tmp_path), "B", presets=("diffusion",), starts=8, seed=5, cycles="2", method="l_bfgs_b")
    more = asked(load(tmp_path), presets=("diffusion",), starts=16)
    assert starts(more) == {"A": {"own": 4}, "B": {"diffusion": 16}}
    assert first.fits("B")[0].seed == more.fits("B")[0].seed == 5
    assert more.fits("B")[0].method == "l_bfgs_b"
    fewer = asked(more, presets=("diffusion",), starts=2)
    assert starts(fewer) == starts(more)  # what was found by more starts is not forgotten
    other_cell = asked(fewer, "A", presets=("diffusion",))
    assert starts(other_cell)["A"] == {"own": 4, "diffusion": 16}


def test_a_model_that_was_said_need_not_be_said_again(tmp_path: Path) -> None:
    asked(load(tmp_path, ""), presets=("ohmic",), model="DFN", starts=8)
    more = asked(load(tmp_path, ""), presets=("ohmic",), starts=16)
    assert starts(more)["A"] == {"DFN-ohmic": 16}
    asked(more, presets=("kinetic",), model="DFN")
    both = asked(load(tmp_path, ""), presets=("kinetic",), model="SPMe")
    with pytest.raises(UsageError, match="DFN-kinetic, SPMe-kinetic"):
        asked(both, presets=("kinetic",), starts=5)
    assert starts(asked(both, presets=("kinetic",), model="SPM"))["A"]["kinetic"] == 3


def test_a_fit_of_the_campaign_gets_more_starts_and_more_cells(tmp_path: Path) -> None:
    assert starts(asked(load(tmp_path), fit="own", starts=9)) == {"A": {"own": 9}, "B": {}}
    assert starts(asked(load(tmp_path), "B", fit="own")) == {"A": {"own": 9}, "B": {"own": 4}}
    assert starts(asked(load(tmp_path), starts=12))["A"] == {"own": 12}
    assert request_fits(load(tmp_path), FitOptions(), ()).names == ()


def test_profiles_are_added_to_a_fit_as_starts_are(tmp_path: Path) -> None:
    asked(load(tmp_path), presets=("ohmic",), starts=6)
    assert [fit.profiles for fit in asked(load(tmp_path), "B", presets=("ohmic",), profiles=True).fits("A")] == [
        False,
        False,
    ]
    later = asked(load(tmp_path), presets=("ohmic",), starts=7)
    (fit,) = later.fits("B")
    assert (fit.starts, fit.profiles) == (7, True)
    assert [fit.profiles for fit in asked(later, fit="own", profiles=True).fits("A")] == [True, False]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"presets": ("ohmic", "kinetic")}, "ohmic-kinetic"),
        ({"presets": ("ohmic",), "model": "SPMe"}, "SPMe-ohmic"),
        ({"presets": ("ohmic",), "model": "SPM"}, "ohmic"),
        ({"presets": ("ohmic",), "model": "DFN", "name": "mine"}, "mine"),
        ({"fit": "own", "model": "DFN"}, "DFN-own"),
        ({"model": "DFN"}, "DFN-own"),
        ({"fit": "own", "seed": 3, "name": "third"}, "third"),
    ],
)
def test_a_new_fit_is_named_by_what_was_asked(tmp_path: Path, options: dict[str, object], name: str) -> None:
    found = request_fits(load(tmp_path), FitOptions(**options), ())  # type: ignore[arg-type]
    assert found.names == (name,)
    assert [table.name for table in found.new] == [name]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"presets": ("difusion",)}, 'no preset "difusion" (did you mean "diffusion"'),
        ({"presets": ("ohmic",), "model": "DNF"}, 'no model "DNF" (did you mean "DFN"'),
        ({"presets": ("ohmic",), "parameter_set": "Chen2002"}, 'did you mean "Chen2020"?'),
        ({"fit": "won"}, 'no fit "won" (did you mean "own"'),
        ({"fit": "own", "presets": ("ohmic",)}, "give one of them"),
        ({"fit": "own", "seed": 3}, "seed: the existing fit has 0, you gave 3); give the new fit its own name: --name"),
        ({"presets": ("ohmic",), "name": "own"}, "run the existing fit: --fit own"),
        ({"presets": ("ohmic",), "method": "least"}, "must be one of least_squares"),
        ({"presets": ("ohmic",), "cycles": "3-1"}, "must be cycles such as"),
        ({"presets": ("ohmic",), "name": "a/b"}, "must be letters"),
    ],
)
def test_a_wrong_option_is_named_with_the_nearest_right_one(
    tmp_path: Path, options: dict[str, object], told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        request_fits(load(tmp_path), FitOptions(**options), ())  # type: ignore[arg-type]
    assert told in str(caught.value)


def test_a_fit_of_a_cell_that_is_not_there_is_not_kept(tmp_path: Path) -> None:
    found = request_fits(load(tmp_path, ""), FitOptions(presets=("diffusion",)), ("C",))
    with pytest.raises(UsageError, match='the campaign has no cell "C"'):
        run_campaign(found.campaign, ClusterSettings(), "fit", ("C",), None, [], fits=found.names)
    assert not Store(tmp_path / "store").added_fits.exists()


def test_moved_to_the_campaign_file_it_is_the_very_same_fit(tmp_path: Path) -> None:
    before = asked(load(tmp_path), "B", presets=("balance",), starts=5, cycles="1,3", seed=2).fits("B")
    (table,) = load(tmp_path).asked
    assert load(tmp_path, OWN + table_text(table)).fits("B") == before
    Store(tmp_path / "store").added_fits.unlink()
    assert load(tmp_path, OWN + table_text(table)).fits("B") == before


def test_every_key_of_a_fit_can_be_written_and_read_again(tmp_path: Path) -> None:
    own = load(
        tmp_path,
        '[fit]\nname = "whole"\nmodel = "DFN"\nparameter_set = "Ai2020"\ncycles = "1-3"\nvalidation_cycles = [4]\n'
        'presets = "ohmic"\n[fit.objective]\nohmic = 0.0\nstep_types = ["rest"]\nequal_time = true\nloss = "huber"\n'
        '[fit.parameters]\n"D [m2.s-1]" = { bounds = [1e-5, 1.0], relative = true, scale = "log", first = 0.5 }\n'
        '"É \\"x\\"" = { link = "D [m2.s-1]", ratio = 0.1 }\n',
    )
    (table,) = own.file.fit
    assert load(tmp_path, table_text(table)).file.fit == [table]


def test_the_campaigns_fit_counts_where_another_was_asked_under_its_name(tmp_path: Path) -> None:
    asked(load(tmp_path), presets=("ohmic",), name="mine")
    text = '[fit]\nname = "mine"\nmodel = "DFN"\npresets = "ohmic"\n'
    campaign, gone = load_added_fits(load_campaign(load(tmp_path, text).path))
    assert gone == ("mine",)
    assert [fit.model.name for fit in campaign.fits("A")] == ["DFN"]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('"SPM"', '"SPMX"', 'unknown model (did you mean "SPM"?)'),
        ("starts", "start", 'unknown key (did you mean "starts"?)'),
        ("[[fit]]", "[[fit", "is not valid TOML"),
    ],
)
def test_a_spoilt_file_of_asked_fits_is_named(tmp_path: Path, before: str, after: str, told: str) -> None:
    campaign = asked(load(tmp_path), presets=("ohmic",), starts=2)
    path = Store(campaign.store).added_fits
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(CampaignError) as caught:
        load(tmp_path)
    assert str(path) in str(caught.value)
    assert told in str(caught.value)


def test_two_fits_of_one_name_are_refused(tmp_path: Path) -> None:
    campaign = load(tmp_path)
    two = [FitTable(name="x", model=model, presets=["ohmic"]) for model in ("SPM", "DFN")]
    with pytest.raises(CampaignError, match="give each its own name"):
        replace_added_fits(campaign, tuple(two))


CELLS = ("A", "B", "C")
ASKED = st.tuples(st.lists(st.sampled_from(("*", *CELLS)), min_size=1, max_size=2, unique=True), st.integers(1, 5))


@given(st.lists(ASKED, max_size=6))
def test_each_cell_has_the_largest_number_of_starts_that_was_asked(requests: list[tuple[list[str], int]]) -> None:
    tables: tuple[FitTable, ...] = ()
    for cells, number in requests:
        tables = add_fit(tables, FitTable(name="x", model="SPM", presets=["ohmic"], cells=cells, starts=number))
    for cell in CELLS:
        largest = max((number for cells, number in requests if matches_cell(cell, cells)), default=0)
        assert max((fit.starts for fit in fit_tables_for_cell(cell, (), tables)), default=0) == largest
    assert len(tables) <= 1 + len(CELLS)
