from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kilocell.data.errors import CampaignError, ReadError
from kilocell.data.fit_settings import FitParameter
from kilocell.data.installed import parameter_set_names
from kilocell.data.readers.read import READERS, cell_ids, read_raw
from kilocell.data.settings import (
    CellSettings,
    CleanSettings,
    ClusterSettings,
    ColumnMapping,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SourceSettings,
)
from kilocell.runner.campaign.campaign import Campaign, load_campaign
from kilocell.runner.campaign.cell_plan import resolve
from kilocell.runner.campaign.fields import parse_cycle_numbers
from kilocell.runner.campaign.pybamm_checks import check_parameters
from kilocell.runner.campaign.schema import CleanTable, ClusterTable, SourceTable

ROOT = Path(__file__).parents[2]
CSV = "cell_id,test_time_s,current_A,voltage_V\nA,0,0,4.1\nA,1,-1,4.0\nB,0,0,3.3\nB,1,-1,3.2\n"
SOURCE = '[[sources]]\nfiles = ["raw.csv"]\n'
FIT = '[fit]\nmodel = "SPMe"\n{more}\n[fit.parameters]\n"D [m2.s-1]" = {{ bounds = [1e-15, 1e-13], scale = "log" }}\n'


def load(folder: Path, text: str, source: str = SOURCE) -> Campaign:
    """Load a campaign next to one raw file; tables go after the source, top-level keys before it."""
    (folder / "raw.csv").write_text(CSV)
    path = folder / "campaign.toml"
    top, _, tables = text.partition("---\n") if "---\n" in text else ("", "", text)
    path.write_text(top + source + tables, encoding="utf-8")
    return load_campaign(path)


def problem(folder: Path, text: str, source: str = SOURCE) -> str:
    with pytest.raises(CampaignError) as caught:
        load(folder, text, source)
    assert str(folder / "campaign.toml") in str(caught.value)
    return str(caught.value)


def test_smallest_campaign_has_usual_settings(tmp_path: Path) -> None:
    campaign = load(tmp_path, "")
    assert campaign.name == tmp_path.name
    assert campaign.store == tmp_path / "store"
    assert [path for path, _ in campaign.sources] == [tmp_path / "raw.csv"]
    assert campaign.sources[0][1].cell_id_from == "column:cell_id"
    assert (campaign.models, campaign.parameter_sets("A"), campaign.fits("A")) == ((), (), ())
    assert campaign.clean == CleanSettings()
    assert campaign.cluster == ClusterSettings()
    assert campaign.cell("A").initial_state == InitialState()


def test_tables_have_the_keys_of_the_settings() -> None:
    elsewhere = {"current_sign", "nominal_capacity_ah", "temperature_setpoint_celsius"}  # of a source or a cell
    cleaned = {field.name for field in dataclasses.fields(CleanSettings)} - elsewhere
    assert set(CleanTable.model_fields) == cleaned | {"time_limit_second"}  # of a job, no threshold
    of_cluster = {field.name for field in dataclasses.fields(ClusterSettings)} - {"least_jobs"}  # jobs = "2..20"
    assert set(ClusterTable.model_fields) == of_cluster
    for reader in READERS:
        assert SourceTable.model_validate({"files": [__file__], "reader": reader}).reader == reader


def test_own_table_goes_before_globs_and_later_globs_before_earlier(tmp_path: Path) -> None:
    campaign = load(
        tmp_path,
        """
        [cells.Cell7_0degC]
        nominal_capacity_ah = 7
        [cells.defaults]
        parameter_sets = ["Chen2020", "OKane2022"]
        nominal_capacity_ah = 5.0
        temperature_celsius = 25
        [cells."Cell*"]
        nominal_capacity_ah = 5.5
        initial_state = { soc = 0.5 }
        [cells."*_0degC"]
        nominal_capacity_ah = 6
        temperature_celsius = "measured"
        parameter_set = "Ai2020"
        """,
    )
    other, cold, own = (campaign.cell(name) for name in ("X", "Cell8_0degC", "Cell7_0degC"))
    assert (other.nominal_capacity_ah, other.temperature_celsius, other.initial_state) == (5.0, 25.0, InitialState())
    assert (cold.nominal_capacity_ah, cold.temperature_celsius) == (6.0, None)
    assert cold.initial_state == InitialState("soc", 0.5)
    assert own.nominal_capacity_ah == 7.0
    assert [s.name for s in campaign.parameter_sets("X")] == ["Chen2020", "OKane2022"]
    assert [s.name for s in campaign.parameter_sets("Cell7_0degC")] == ["Ai2020"]


def test_a_measured_temperature_is_taken_over_time_where_it_is_named(tmp_path: Path) -> None:
    campaign = load(
        tmp_path,
        '[cells.defaults]\ntemperature_celsius = 25\n[cells.A]\ntemperature_celsius = "surface"\n'
        '[cells.B]\ntemperature_celsius = "ambient"\n[cells.C]\ntemperature_celsius = "measured"\n'
        '[cells.E]\ntemperature_celsius = "rest"\n',
    )
    said = [(campaign.cell(name).temperature_celsius, campaign.cell(name).temperature) for name in "ABCDE"]
    assert said == [(None, "surface"), (None, "ambient"), (None, "mean"), (25.0, "mean"), (None, "rest")]
    assert campaign.clean_settings("A").temperature_setpoint_celsius is None


def test_id_with_signs_of_a_glob_is_found_as_it_stands(tmp_path: Path) -> None:
    campaign = load(
        tmp_path, '[cells."CELL[1]"]\nnominal_capacity_ah = 2\n[cells."电池 一"]\nnominal_capacity_ah = 3\n'
    )
    assert campaign.cell("CELL[1]").nominal_capacity_ah == 2
    assert campaign.cell("电池 一").nominal_capacity_ah == 3
    assert campaign.cell("CELL").nominal_capacity_ah is None


def test_clean_settings_take_sign_capacity_and_setpoint(tmp_path: Path) -> None:
    campaign = load(
        tmp_path,
        "[clean]\nfill_samples = 9\nvoltage_limits_volt = [1, 4.5]\nchamber_second = 60\n"
        "[cells.A]\nnominal_capacity_ah = 2\ntemperature_celsius = 10\n",
    )
    thresholds = CleanSettings(fill_samples=9, voltage_limits_volt=(1.0, 4.5), chamber_second=60.0)
    assert campaign.clean_settings("B") == thresholds
    assert campaign.clean_settings("A", "discharge_positive") == dataclasses.replace(
        thresholds, current_sign="discharge_positive", nominal_capacity_ah=2.0, temperature_setpoint_celsius=10.0
    )


def test_models_by_type_or_as_tables(tmp_path: Path) -> None:
    short = load(
        tmp_path, 'models = ["SPM", { type = "DFN", name = "DFN-lumped", options = { thermal = "lumped" } }]\n---\n'
    )
    assert short.models == (ModelSettings("SPM", "SPM"), ModelSettings("DFN-lumped", "DFN", (("thermal", "lumped"),)))
    long = load(tmp_path, '[[models]]\ntype = "SPMe"\noptions = { thermal = "lumped", "SEI" = "constant" }\n')
    assert long.models == (ModelSettings("SPMe", "SPMe", (("SEI", "constant"), ("thermal", "lumped"))),)


def test_options_of_models_may_be_pairs_and_numbers_and_the_mesh_is_given(tmp_path: Path) -> None:
    campaign = load(
        tmp_path,
        """
        [[models]]
        type = "SPMe"
        options = { "particle mechanics" = ["swelling only", "none"], "SEI" = [["constant", "none"], "none"] }
        mesh = { r_p = 40, r_n = 30 }
        [[models]]
        type = "Thevenin"
        options = { "number of rc elements" = 2 }
        """,
    )
    pairs = (("SEI", (("constant", "none"), "none")), ("particle mechanics", ("swelling only", "none")))
    first, second = campaign.models
    assert first == ModelSettings("SPMe", "SPMe", pairs, (("r_n", 30), ("r_p", 40)))
    assert second == ModelSettings("Thevenin", "Thevenin", (("number of rc elements", 2),))


def test_outputs_of_a_model_are_those_of_its_simulations(tmp_path: Path) -> None:
    campaign = load(
        tmp_path,
        """
        [[models]]
        type = "SPM"
        outputs = ["soc", "temperature", "soc"]
        [[models]]
        type = "DFN"
        """,
    )
    chosen = [
        campaign.simulate_settings(CellSettings("A"), model, ParameterSetSettings("x", "Chen2020")).outputs
        for model in campaign.models
    ]
    assert chosen == [("soc", "temperature"), ()]
    assert campaign.models[0] == ModelSettings("SPM", "SPM")  # so fits and built models do not depend on outputs


def test_variations_follow_their_parameter_set(tmp_path: Path) -> None:
    campaign = load(
        tmp_path,
        """
        [cells.defaults]
        parameter_sets = ["Chen2020", "Ai2020"]
        [[variations]]
        name = "slow"
        parameters = { "B [m]" = { value = 1e-14 }, "A [m]" = { scale = 0.5 } }
        [[variations]]
        name = "chen"
        parameter_sets = ["Chen2020"]
        parameters = { "A [m]" = { scale = 2 } }
        """,
    )
    sets = campaign.parameter_sets("A")
    assert [(s.name, s.base) for s in sets] == [
        ("Chen2020", "Chen2020"),
        ("Chen2020+slow", "Chen2020"),
        ("Chen2020+chen", "Chen2020"),
        ("Ai2020", "Ai2020"),
        ("Ai2020+slow", "Ai2020"),
    ]
    assert sets[1].overrides == (Override("A [m]", "scale", 0.5), Override("B [m]", "value", 1e-14))


def test_fit_of_one_cell_and_fits_of_globs(tmp_path: Path) -> None:
    one = load(tmp_path, FIT.format(more='name = "d"\nparameter_set = "Chen2020"\ncells = ["A"]\ncycles = "1-3, 5"'))
    assert one.fits("B") == ()
    (fit,) = one.fits("A")
    assert (fit.name, fit.model, fit.cycles) == ("d", ModelSettings("SPMe", "SPMe"), (1, 2, 3, 5))
    assert fit.parameters == (FitParameter("D [m2.s-1]", 1e-15, 1e-13, "log"),)
    several = load(
        tmp_path,
        '[cells.defaults]\nparameter_set = "Ai2020"\n[[variations]]\nname = "v"\nparameters = { x = { scale = 2 } }\n'
        + FIT.format(more="").replace("[fit]", "[[fit]]")
        + FIT.format(more='name = "e"\nparameter_set = "Ai2020+v"\ncells = ["?"]').replace("[fit]", "[[fit]]"),
    )
    assert [(f.name, f.parameter_set.name, f.parameter_set.overrides) for f in several.fits("B")] == [
        ("fit", "Ai2020", ()),
        ("e", "Ai2020+v", (Override("x", "scale", 2.0),)),
    ]
    assert [f.name for f in several.fits("long id")] == ["fit"]


def test_sources_are_sorted_and_leave_the_store_out(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    for name in ("b.csv", "a.csv", "store/c.csv"):
        (tmp_path / name).write_text(CSV)
    source = '[[sources]]\nfiles = ["**/*.csv", "a.csv"]\nreader = "csv"\ncell_id = "stem"\n'
    campaign = load(tmp_path, "", source)
    assert [path.name for path, _ in campaign.sources] == ["a.csv", "b.csv", "raw.csv"]
    assert {settings for _, settings in campaign.sources} == {SourceSettings("csv", (), "stem")}


def test_files_by_home_absolute_path_and_a_name_with_brackets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    places = {"home/h.csv": "~/h.csv", "cell[1].csv": "cell[1].csv", "abs.csv": str(tmp_path / "ab*.csv")}
    for place in places:
        (tmp_path / place).write_text(CSV)
    campaign = load(tmp_path, "", f"[[sources]]\nfiles = {list(places.values())}\n")
    assert {path for path, _ in campaign.sources} == {tmp_path / place for place in places}


def test_links_keep_their_names(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "7f3a").write_text(CSV)
    (tmp_path / "CELL_A.csv").symlink_to(tmp_path / "blobs" / "7f3a")
    campaign = load(tmp_path, "", '[[sources]]\nfiles = ["CELL*"]\n')
    assert [path.name for path, _ in campaign.sources] == ["CELL_A.csv"]


def test_columns_of_a_csv(tmp_path: Path) -> None:
    campaign = load(
        tmp_path,
        "",
        SOURCE + 'cell_id = "column:cell_id"\ncurrent_sign = "discharge_positive"\n[sources.columns]\n'
        'voltage_volt = "voltage_V"\ncurrent_ampere = { column = "current_A", unit = "mA" }\n'
        'unix_time_second = { column = "when", unit = "%d/%m/%Y" }\n',
    )
    mappings = (
        ColumnMapping("voltage_volt", "voltage_V"),
        ColumnMapping("current_ampere", "current_A", "mA"),
        ColumnMapping("unix_time_second", "when", "%d/%m/%Y"),
    )
    assert campaign.sources[0][1] == SourceSettings("csv", mappings, "column:cell_id", "discharge_positive")


def test_file_that_nothing_can_be_guessed_from_stays_for_its_read_to_fail(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    campaign = load(tmp_path, "", '[[sources]]\nfiles = ["*.csv"]\ncurrent_sign = "charge_positive"\n')
    assert campaign.sources[0] == (tmp_path / "empty.csv", SourceSettings(current_sign="charge_positive"))
    assert campaign.sources[1][1].cell_id_from == "column:cell_id"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('nam = "x"\n---\n', 'nam: unknown key (did you mean "name"?)'),
        (
            "[cells.A]\nnominal_capacity = 5\n",
            'cells.A.nominal_capacity: unknown key (did you mean "nominal_capacity_ah"?)',
        ),
        ('[cells.A]\nnominal_capacity_ah = "5"\n', 'cells.A.nominal_capacity_ah = "5": must be a number'),
        ("[cells.A]\nnominal_capacity_ah = true\n", "cells.A.nominal_capacity_ah = true: must be a number"),
        ("[cells.A]\nnominal_capacity_ah = 0\n", "cells.A.nominal_capacity_ah = 0: must be greater than 0"),
        ("[cells.A]\nnominal_capacity_ah = nan\n", "cells.A.nominal_capacity_ah = NaN: must be"),
        ("[cells]\nnominal_capacity_ah = 5\n", "cells.nominal_capacity_ah = 5: must be a table: [cells.defaults]"),
        ("[cells.A]\ntemperature_celsius = 298.15\n", "cells.A.temperature_celsius = 298.15: must be in °C"),
        ('[cells.A]\ntemperature_celsius = "warm"\n', 'must be a number in °C or "measured"'),
        ("[cells.A]\ntemperature_celsius = true\n", "cells.A.temperature_celsius = true: must be a number"),
        ("[cells.A]\ntemperature_celsius = [25]\n", "cells.A.temperature_celsius = [25]: must be a number"),
        ('[cells."a.b"]\ninitial_state = "rest"\n', 'cells."a.b".initial_state = "rest": must be "rest_voltage", {soc'),
        (
            "[cells.A]\ninitial_state = { soc = 50 }\n",
            "soc is a fraction from 0 to 1, not a percentage: {soc = 0.5}",
        ),
        ("[cells.initial_state]\nsoc = 1\n", "cells.initial_state.soc: unknown key"),
        (
            '[cells.A]\nparameter_sets = ["Chen2021"]\n',
            'cells.A.parameter_sets#1 = "Chen2021": unknown parameter set (did',
        ),
        ('[cells.A]\nparameter_set = "chen2020"\n', 'unknown parameter set (did you mean "Chen2020"?)'),
        ('[cells.A]\nparameter_sets = ["Ai2020", "Ai2020"]\n', "names Ai2020 twice"),
        (
            '[cells.A]\nparameter_sets = []\nparameter_set = "Ai2020"\n',
            "give parameter_set or parameter_sets, not both",
        ),
        ('models = ["SPMee"]\n---\n', 'models#1 = "SPMee": unknown model (did you mean "SPMe"?)'),
        ('models = "SPM"\n---\n', 'models = "SPM": must be an array in square brackets'),
        ('[[models]]\ntype = "SPM"\noptions = { thermal = true }\n', "models#1.options.thermal = true: must be text"),
        (
            '[[models]]\ntype = "SPM"\noptions = { SEI = [1.5, "none"] }\n',
            "must be text in quotes, a whole number, or an",
        ),
        ('[[models]]\ntype = "SPM"\nmesh = { r_n = 1 }\n', "models#1.mesh.r_n = 1: must be greater than or equal to 2"),
        (
            'models = [{ type = "SPM", outputs = ["temprature"] }]\n---\n',
            'models#1.outputs#1 = "temprature": unknown output (did you mean "temperature"?)',
        ),
        ('models = ["Thevennin"]\n---\n', 'unknown model (did you mean "Thevenin"?)'),
        ('[[models]]\ntype = "SPM"\nname = "a b"\n', 'models#1.name = "a b": must be letters, digits'),
        ('models = ["SPM", "SPM"]\n---\n', 'models#2.name = "SPM": is the name of an earlier one'),
        ('[[variations]]\nname = "v"\nparameters = { x = {} }\n', "variations#1.parameters.x = {}: must be {scale"),
        ('[[variations]]\nname = "v"\nparameters = { x = 2 }\n', "variations#1.parameters.x = 2: must be {scale"),
        ('[[variations]]\nname = "v"\nparameters = {}\n', "variations#1.parameters = {}"),
        (
            '[fit]\nmodel = "SPM"\nparameters = { x = [1, 2] }\n---\nmodels = ["SPM"]\n',
            "fit.parameters.x = [1, 2]: must be { bounds = [lower, upper] }",
        ),
        (FIT.format(more='cycles = "3-1"'), 'fit.cycles = "3-1": must be cycles such as'),
        (FIT.format(more="starts = 0"), "fit.starts = 0: must be greater than or equal to 1"),
        (FIT.format(more='parameter_set = "Chen2020+v"'), 'fit.parameter_set = "Chen2020+v": unknown parameter set'),
        (FIT.format(more="").replace("SPMe", "SPMx"), 'fit.model = "SPMx": unknown model (did you mean "SPM'),
        (FIT.format(more="").replace("1e-15,", "1e-12,"), "must be two numbers, the lower one first"),
        (FIT.format(more="").replace("1e-15,", "0,"), "bounds must be above 0"),
        (FIT.format(more="").replace('"log"', '"log", prior = [0, 1]'), "the mean of a prior must be above 0"),
        (
            FIT.format(more="") + '"Initial state of charge" = { bounds = [0.9, 1.5] }\n',
            "bounds of 'Initial state of charge' must be between 0 and 1",
        ),
        (
            FIT.format(more="") + '"Cyclable lithium" = { bounds = [0, 1] }\n',
            "bounds of 'Cyclable lithium' must be above 0",
        ),
        (FIT.format(more="").replace('"log"', '"lgo"'), "must be one of linear, log (did you mean"),
        (
            '[[variations]]\nname = "fit"\nparameters = { x = { scale = 2 } }\n' + FIT.format(more=""),
            'fit.name = "fit": is a variation\'s name already',
        ),
        ("[clean]\ngap_factor = -1\n", "clean.gap_factor = -1: must be greater than 0"),
        (
            '[cluster]\nkind = "slrum"\n',
            'cluster.kind = "slrum": must be local, slurm or tcp://HOST:PORT (did you mean',
        ),
        ('[cluster]\nmemory_limit = "lots"\n', 'cluster.memory_limit = "lots": must be "auto", "none" or a size'),
        ('[cluster]\nwalltime = "1h"\n', 'cluster.walltime = "1h": must be HH:MM:SS'),
        ('[cluster]\ndashboard_address = "here"\n', 'cluster.dashboard_address = "here": must be HOST:PORT'),
    ],
)
def test_wrong_value_is_named_with_key_and_advice(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in problem(tmp_path, text)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", "sources is missing"),
        ("[[sources]]\n", "sources#1.files is missing"),
        ('[[sources]]\nfiles = "raw.csv"\n', 'sources#1.files = "raw.csv": must be an array'),
        ("[[sources]]\nfiles = [3]\n", "sources#1.files#1 = 3: must be a file or a glob"),
        ('[[sources]]\nfiles = ["rew.csv"]\n', 'no file "rew.csv" in {folder} (did you mean "raw.csv"?)'),
        ('[[sources]]\nfiles = ["*.dat"]\n', 'sources#1.files#1 = "*.dat": no file matches "*.dat" in {folder}'),
        ('[[sources]]\nfiles = ["rawdata/*.dat"]\n', 'no folder "rawdata" in {folder}'),
        ('[[sources]]\nfiles = ["."]\n', '"." is a folder'),
        (
            SOURCE + 'reader = "csw"\n',
            'sources#1.reader = "csw": must be one of auto, csv, digatron, parquet, xlsx, neware (did you mean "csv"?)',
        ),
        (SOURCE + 'cell_id = "file"\n', 'must be "stem", "column:NAME" or "pattern:REGEX"'),
        (SOURCE + 'cell_id = "pattern:Cell(\\\\d+)"\n', "the pattern needs a group (?P<cell_id>…)"),
        (SOURCE + 'cell_id = "pattern:("\n', "the pattern is not a valid regular expression"),
        (
            SOURCE + 'columns = { voltage = "v" }\n',
            'sources#1.columns.voltage = "voltage": unknown column (did you mean',
        ),
        (SOURCE + 'columns = { voltage_volt = "v" }\n', "columns need cell_id, too"),
        (SOURCE + 'columns = { voltage_volt = { column = "v", unit = "kV" } }\n', 'unknown unit "kV" of voltage_volt'),
        (SOURCE + 'reader = "digatron"\ncolumns = { voltage_volt = "v" }\n', "the digatron reader knows its columns"),
        (SOURCE + SOURCE, "raw.csv is in sources#1 already"),
    ],
)
def test_wrong_source_is_named_with_key_and_advice(tmp_path: Path, source: str, expected: str) -> None:
    assert expected.replace("{folder}", str(tmp_path)) in problem(tmp_path, "", source)


def test_several_errors_are_listed_together(tmp_path: Path) -> None:
    text = problem(tmp_path, 'nam = "x"\nmodels = ["SPX"]\n---\n[clean]\ngap_second = "1"\n')
    assert "3 errors" in text
    assert len(text.splitlines()) == 4


def test_toml_error_has_line_and_column(tmp_path: Path) -> None:
    assert "is not valid TOML" in problem(tmp_path, "[cells\n")
    assert "line 3, column 7" in problem(tmp_path, "[cells\n")


def test_absent_or_unreadable_campaign(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match="no such campaign file; `kilocell init FILES`"):
        load_campaign(tmp_path / "none.toml")
    with pytest.raises(CampaignError, match="cannot be read"):
        load_campaign(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'name = "Z\xfcrich"\n')
    with pytest.raises(CampaignError, match="is not UTF-8 text"):
        load_campaign(tmp_path / "latin.toml")


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    (tmp_path / "raw.csv").write_text(CSV)
    (tmp_path / "campaign.toml").write_bytes(b"\xef\xbb\xbf" + SOURCE.replace("\n", "\r\n").encode())
    assert len(load_campaign(tmp_path / "campaign.toml").sources) == 1


def test_resolve_names_what_no_source_has(tmp_path: Path) -> None:
    cells = '[cells.CELL_X]\nparameter_set = "Chen2020"\n[cells."Z*"]\nnominal_capacity_ah = 1\n'
    fit = FIT.format(more='cells = ["CELL_Y", "no*"]\nparameter_set = "Chen2020"')
    campaign = load(tmp_path, cells + fit)
    with pytest.raises(CampaignError) as caught:
        resolve(campaign, ["CELL_X", "cell_y"])
    assert 'fit.cells: no source has the cell "CELL_Y" (did you mean "cell_y"?)' in str(caught.value)
    assert "cells.CELL_X" not in str(caught.value)
    resolve(campaign, ["CELL_X", "CELL_Y"])


def test_resolve_refuses_a_fit_without_parameter_set(tmp_path: Path) -> None:
    campaign = load(tmp_path, '[cells.A]\nparameter_set = "Chen2020"\n' + FIT.format(more=""))
    resolve(campaign, ["A"])
    with pytest.raises(CampaignError, match='fit "fit" names no parameter_set and the cell "B" has none'):
        resolve(campaign, ["A", "B"])


def test_check_parameters_names_the_nearest(tmp_path: Path) -> None:
    names = {"Chen2020": {"D [m2.s-1]", "x"}, "Ai2020": {"D [m2.s-1]"}}
    campaign = load(
        tmp_path,
        '[cells.A]\nparameter_sets = ["Chen2020", "Ai2020"]\n'
        '[[variations]]\nname = "v"\nparameters = { x = { scale = 2 } }\n'
        + FIT.format(more="").replace("D [m2.s-1]", "D [m2/s]"),
    )
    with pytest.raises(CampaignError) as caught:
        check_parameters(campaign, names.__getitem__, resolve(campaign, ["A"]))
    assert 'variations#1.parameters: Ai2020 has no parameter "x"' in str(caught.value)
    assert 'fit.parameters: Chen2020 has no parameter "D [m2/s]" (did you mean "D [m2.s-1]"?)' in str(caught.value)
    assert 'Chen2020 has no parameter "x"' not in str(caught.value)


@given(st.sets(st.integers(1, 400), min_size=1, max_size=30))
def test_cycles_are_read_back(cycles: set[int]) -> None:
    text = ", ".join(f"{n}-{n}" if n % 2 else str(n) for n in sorted(cycles, reverse=True))
    assert parse_cycle_numbers(text) == tuple(sorted(cycles))


@pytest.mark.parametrize(
    "text", ["", "0", "a", "3-1", "1,", "-1", "1-", "1.5", "1-99999999999", "all", "last", "every 2", "3-last"]
)
def test_cycles_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="must be cycles"):
        parse_cycle_numbers(text)


def test_parameter_sets_are_pybamms() -> None:
    pybamm = pytest.importorskip("pybamm")
    assert set(parameter_set_names()) == set(pybamm.parameter_sets)


def test_load_imports_neither_pybamm_nor_dask(tmp_path: Path) -> None:
    path = load(tmp_path, '[cells.A]\nparameter_set = "Chen2020"\n').path
    code = (
        "import sys; from pathlib import Path; from kilocell.runner.campaign.campaign import load_campaign;"
        "load_campaign(Path(sys.argv[1])); print(sorted({'pybamm', 'dask', 'distributed'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_lgm50_example(shared_data: Path) -> None:
    campaign = load_campaign(ROOT / "examples" / "lgm50" / "campaign.toml")
    cells = [cell for path, settings in campaign.sources for cell in cell_ids(path, settings)]
    resolve(campaign, cells)
    assert len(set(cells)) == len(list((shared_data / "lgm50_digatron").glob("*/*.csv"))) == 17
    assert {campaign.cell(cell).temperature_celsius for cell in cells if cell.endswith("_0degC")} == {0.0}
    assert [cell for cell in cells if campaign.fits(cell)] == ["Cell785_0p5C_25degC"]


def test_takehome_example(shared_data: Path) -> None:
    assert (shared_data / "takehome_like").is_dir()
    campaign = load_campaign(ROOT / "examples" / "takehome" / "campaign.toml")
    cells = [cell for path, settings in campaign.sources for cell in cell_ids(path, settings)]
    resolve(campaign, cells)
    sets = {cell: [s.name for s in campaign.parameter_sets(cell)] for cell in cells}
    assert sets == {
        "CELL_A": ["Chen2020"],
        "CELL_B": ["Prada2013"],
        "CELL_C": ["Ai2020"],
        "CELL_D": ["Ai2020"],
        "CELL_E": ["Chen2020"],
    }


def test_campaign_of_the_sample() -> None:
    campaign = load_campaign(ROOT / "data" / "campaign.toml")
    cells = [cell for source, settings in campaign.sources for cell in cell_ids(source, settings)]
    resolve(campaign, cells)
    assert len(cells) == 5
    assert all(campaign.parameter_sets(cell) for cell in cells)


def test_a_file_that_is_no_text_is_read_by_its_own_reader(tmp_path: Path) -> None:
    frame = pd.DataFrame({"t": [0.0, 1.0], "I": [1500.0, 1500.0], "U": [3.7, 3.8]})
    frame.to_parquet(tmp_path / "cell.parquet")
    source = '[[sources]]\nfiles = ["cell.parquet"]\n'
    columns = (
        'cell_id = "stem"\n[sources.columns]\ntest_time_second = "t"\nvoltage_volt = "U"\n'
        'current_ampere = { column = "I", unit = "mA" }\n'
    )
    for said in (source + columns, source + 'reader = "parquet"\n' + columns):
        ((path, settings),) = load(tmp_path, "", said).sources
        assert settings.reader == "parquet"
        assert read_raw(path, settings)["current_ampere"].tolist() == [1.5, 1.5]
    ((path, settings),) = load(tmp_path, "", source + 'reader = "csv"\n').sources
    with pytest.raises(ReadError, match='set reader = "parquet"'):
        read_raw(path, settings)
    (tmp_path / "cell.parquet").write_bytes(b"PAR1, cut off")
    ((path, settings),) = load(tmp_path, "", source).sources  # its read says what is wrong; the others go on
    with pytest.raises(ReadError, match="cannot be read as Parquet"):
        read_raw(path, settings)


def test_hundreds_of_problems_do_not_flood_the_terminal(tmp_path: Path) -> None:
    text = problem(tmp_path, "".join(f"key_{place} = 1\n" for place in range(300)) + "---\n")
    assert text.count("\n") < 30
    assert text.endswith("  and 280 more")


def test_a_model_can_be_for_some_cells(tmp_path: Path) -> None:
    text = '[[models]]\ntype = "SPM"\n[[models]]\ntype = "DFN"\ncells = ["B*"]\n'
    text += '[cells.defaults]\nparameter_set = "Chen2020"\nnominal_capacity_ah = 5.0\n'
    plans = resolve(load(tmp_path, text), ["A", "B"])
    models = {plan.cell.cell_id: [one.model.name for one in plan.simulations] for plan in plans}
    assert models == {"A": ["SPM"], "B": ["SPM", "DFN"]}
    with pytest.raises(CampaignError, match=r'models.DFN.cells: no source has the cell "BB"'):
        resolve(load(tmp_path, text.replace("B*", "BB")), ["A", "B"])
