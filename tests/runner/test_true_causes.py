"""The true cause comes first, and names that people use lead to those that a campaign knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from campaigns import SHORT, campaign_text
from kilocell.data.errors import CampaignError, UsageError
from kilocell.data.installed import parameter_set_names
from kilocell.data.known_sets import KNOWN_SETS, find_chemistry
from kilocell.data.settings import MODEL_TYPES
from kilocell.runner.campaign.campaign import Campaign, load_campaign
from kilocell.runner.campaign.hints import READERS, describe_model, describe_reader, describe_set
from kilocell.runner.plan.select_jobs import select_cells
from kilocell.runner.plan.unreadable import find_unreadable
from kilocell.runner.run.run_campaign import CampaignPlan, scan_and_plan

TABLE = "[cells.{0}]\nnominal_capacity_ah = 4.0\n"


def rows(header: str, cell: str = "A") -> str:
    return header + "\n" + "".join(f"{10 * n},{0.5},{3.6 + n / 100},{cell}\n" for n in range(30))


def campaign(folder: Path, more: str, *, cell_id: str = "stem", models: Sequence[str] = ()) -> Campaign:
    """A campaign over a file ``good.csv`` and a file ``bad.csv``, whose column of the current has another name."""
    (folder / "good.csv").write_text(rows("t,i,v,cell", "G"), encoding="utf-8")
    (folder / "bad.csv").write_text(rows("t,Strom,v,cell", "B"), encoding="utf-8")
    path = folder / "campaign.toml"
    path.write_text(campaign_text(SHORT, cell_id, models, more), encoding="utf-8")
    return load_campaign(path)


@pytest.mark.parametrize("named", ["goo", "nothing_like_it"])
def test_a_wrong_column_is_named_before_an_unknown_cell(tmp_path: Path, named: str) -> None:
    with pytest.raises(CampaignError) as caught:
        scan_and_plan(campaign(tmp_path, TABLE.format(named)))
    first, column, cell = str(caught.value).splitlines()
    assert "2 errors" in first
    assert "bad.csv: no column 'i'" in column
    assert "Strom" in column
    assert f'no source has the cell "{named}"' in cell


def test_without_an_unreadable_file_the_cell_alone_is_named(tmp_path: Path) -> None:
    loaded = campaign(tmp_path, TABLE.format("goo"))
    (tmp_path / "bad.csv").write_text(rows("t,i,v,cell", "B"), encoding="utf-8")
    with pytest.raises(CampaignError) as caught:
        scan_and_plan(loaded)
    assert str(caught.value).endswith('cells.goo: no source has the cell "goo" (did you mean "good"?)')


def test_the_reason_comes_before_a_cell_that_was_asked_for(tmp_path: Path) -> None:
    plan = scan_and_plan(campaign(tmp_path, "", cell_id="column:cell"))
    with pytest.raises(UsageError) as caught:
        select_cells(plan.jobs, ["g"], plan.sources)
    reason, cell = str(caught.value).splitlines()
    assert "no column 'i'" in reason
    assert 'the campaign has no cell "g"' in cell


def test_headers_are_read_without_the_rows(tmp_path: Path) -> None:
    plan = scan_and_plan(campaign(tmp_path, ""))
    bad = str(tmp_path / "bad.csv")
    assert list(find_unreadable(plan.sources)) == [bad]
    assert list(find_unreadable(plan.sources, {"bad"})) == [bad]
    assert find_unreadable(plan.sources, {"good"}) == {}
    assert find_unreadable(plan.sources, headers=False) == {}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("maccor", "Maccor"), ("Arbin", "Arbin"), ("biologic", ".mpt"), ("EC-Lab", "BioLogic"), ("basytec", "Basytec"),
        ("novonix", "Novonix"), ("landt", "Landt"), ("lanhe", "Landt"), ("pec", "PEC"), ("excel", "xlsx"),
        ("xls", "xlsx"), ("txt", "delimiter"), ("arrow", "Parquet"), ("NEWARE", '"neware"'), ("neewar", '"neware"'),
        ("gamry", '"auto"'),
    ],
)  # fmt: skip
def test_a_cycler_as_reader_says_what_to_write(tmp_path: Path, written: str, expected: str) -> None:
    assert expected in describe_reader(written)
    text = campaign_text(SHORT, models=()).replace("cell_id", f'reader = "{written}"\ncell_id', 1)
    (tmp_path / "a.csv").write_text(rows("t,i,v,cell"), encoding="utf-8")
    (tmp_path / "campaign.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CampaignError, match=f'sources#1.reader = "{written}"'):
        load_campaign(tmp_path / "campaign.toml")


def test_the_readers_of_hints_are_those_there_are() -> None:
    from kilocell.data.readers.read import READERS as THERE_ARE

    assert set(READERS) == {"auto", *THERE_ARE}


@pytest.mark.parametrize(
    ("written", "sets"),
    [
        ("LFP", ["Prada2013"]), ("lifepo4", ["Prada2013"]), ("LFP_A123", ["Prada2013"]), ("nca", ["NCA_Kim2011"]),
        ("NMC-811", ["Chen2020", "Mohtat2020"]), ("LCO", ["Ai2020", "Marquis2019", "Ramadass2004"]),
        ("Graphite", ["Chen2020", "Prada2013"]), ("sodium", ["Chayambuka2022"]), ("LG M50", ["Chen2020"]),
        ("half cell", ["Xu2019"]), ("equivalent circuit", ["ECM_Example"]), ("Si/C", ["Chen2020_composite"]),
    ],
)  # fmt: skip
def test_a_chemistry_as_parameter_set_lists_its_sets(written: str, sets: list[str]) -> None:
    text = describe_set(written)
    assert "kilocell parameters" in text
    assert all(name in text for name in sets)


@pytest.mark.parametrize("written", ["LTO", "lead-acid", "LMO", "li-s"])
def test_a_chemistry_without_a_set_says_so(written: str) -> None:
    assert "no set for" in describe_set(written)


@pytest.mark.parametrize(
    ("written", "near"),
    [("Chen2021", "Chen2020"), ("prada", "Prada2013"), ("chen2020", "Chen2020"), ("Ai2021", "Ai2020")],
)
def test_a_misspelt_set_suggests_the_nearest(written: str, near: str) -> None:
    assert describe_set(written) == f' (did you mean "{near}"?)'


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("P2D", '"DFN"'), ("p2d", '"DFN"'), ("Doyle-Fuller-Newman", '"DFN"'), ("pseudo-two-dimensional", '"DFN"'),
        ("single particle", '"SPM" or "SPMe"'), ("single particle model with electrolyte", '"SPMe"'),
        ("SPME", '"SPMe"'), ("ECM", '"Thevenin"'), ("2RC", '"Thevenin"'), ("Newman-Tobias", '"NewmanTobias"'),
        ("dfn", '"DFN"'), ("SPMX", '"SPM"'),
    ],
)  # fmt: skip
def test_a_model_by_another_name_suggests_ours(written: str, meant: str) -> None:
    assert describe_model(written) == f" (did you mean {meant}?)"


def test_models_and_chemistry_in_a_campaign(tmp_path: Path) -> None:
    with pytest.raises(CampaignError) as caught:
        campaign(tmp_path, '[cells.good]\nparameter_set = "lfp"\n', models=["P2D"])
    assert 'cells.good.parameter_set = "lfp": unknown parameter set; sets for LFP: Prada2013' in str(caught.value)
    assert '"P2D": unknown model (did you mean "DFN"?)' in str(caught.value)


def test_known_sets_are_those_of_pybamm() -> None:
    """A set that a new PyBaMM brings, or describes otherwise, is seen here."""
    from kilocell.data.settings import ParameterSetSettings
    from kilocell.jobs.parameters.table import summarise_set

    assert set(KNOWN_SETS) == set(parameter_set_names())
    for name, known in KNOWN_SETS.items():
        assert summarise_set(ParameterSetSettings(name, name)).kind == known.kind, name
    found = find_chemistry("lfp")
    assert found == ("LFP", ("Prada2013",))


def plan_of(folder: Path, models: Sequence[str], parameter_set: str, more: str = "") -> CampaignPlan:
    for cell in ("A", "B"):
        (folder / f"{cell}.csv").write_text(rows("t,i,v,cell", cell), encoding="utf-8")
    text = campaign_text(SHORT, models=models).replace('"Chen2020"', f'"{parameter_set}"') + more
    (folder / "campaign.toml").write_text(text, encoding="utf-8")
    return scan_and_plan(load_campaign(folder / "campaign.toml"))


@pytest.mark.parametrize(
    ("model", "parameter_set", "reason"),
    [
        ("DFN", "Xu2019", "half-cell"),
        ("SPM", "Ecker2015_graphite_halfcell", "working electrode"),
        ("DFN", "ECM_Example", "Thevenin"),
        ("Thevenin", "Chen2020", "equivalent circuit"),
        ("SPMe", "MSMR_Example", "MSMR"),
        ("SPM", "Chen2020_composite", "particle phases"),
        ("SPM", "Sulzer2019", "not a lithium-ion"),
        ("Yang2017", "Chen2020", "Typical plated lithium concentration"),
    ],
)
def test_a_hopeless_pair_is_refused_in_words(tmp_path: Path, model: str, parameter_set: str, reason: str) -> None:
    with pytest.raises(CampaignError) as caught:
        plan_of(tmp_path, [model], parameter_set)
    assert model in str(caught.value)
    assert parameter_set in str(caught.value)
    assert reason in str(caught.value)


def test_a_campaign_of_several_kinds_of_cells_simulates_what_matches(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["SPM", "Thevenin"], "Chen2020", '[cells.B]\nparameter_set = "ECM_Example"\n')
    labels = {(job.cell_id, job.label) for job in plan.jobs if job.kind == "simulate"}
    assert labels == {("A", "SPM-Chen2020"), ("B", "Thevenin-ECM_Example")}
    assert [line.startswith("not simulated: ") for line in plan.unmatched] == [True, True]


def test_a_fit_of_a_hopeless_pair_is_named_as_such_and_not_by_its_parameters(tmp_path: Path) -> None:
    fit = '[fit]\nname = "d"\nmodel = "SPM"\nparameter_set = "ECM_Example"\npresets = ["diffusion"]\n'
    with pytest.raises(CampaignError) as caught:
        plan_of(tmp_path, ["SPM"], "Chen2020", fit)
    assert "fit.model: model SPM cannot use the parameter set ECM_Example" in str(caught.value)
    assert "no parameter" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(KNOWN_SETS))
def test_plain_pairs_can_be_built_and_others_are_looked_at(name: str) -> None:
    """What ``pair_checks`` takes for granted is true for every set and model."""
    from kilocell.data.settings import ModelSettings, ParameterSetSettings
    from kilocell.runner.campaign.pair_checks import _check_built, _is_plain

    parameter_set = ParameterSetSettings(name, name)
    for model in MODEL_TYPES:
        settings = ModelSettings(model, model)
        if _is_plain(settings, parameter_set):
            assert _check_built(settings, parameter_set) == ""
