"""Every kind of model replays a current as PyBaMM does, from the state that PyBaMM finds, or says why not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pybamm
import pytest
from kilocell.data.codec import digest, from_json, to_json
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import FitParameter, FitSettings
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.current_profile.compress import CurrentProfile
from kilocell.jobs.fitting.fit import run_start
from kilocell.jobs.models.build import build_model, make_structure
from kilocell.jobs.models.equilibrium import find_equilibrium, state_input_names
from kilocell.jobs.models.pybamm_models import complete_set, empty_model, full_options
from kilocell.jobs.models.simulation_case import resolve_simulation
from kilocell.jobs.parameters.sets import load_base_set
from kilocell.jobs.record.record import make_record
from kilocell.jobs.simulation.conditions import find_conditions
from kilocell.jobs.simulation.replay import check_range, replay
from kilocell.jobs.simulation.simulate import simulate
from model_cases import (
    FAST,
    FASTEST,
    HALF,
    LUMPED,
    MSMR,
    MSMR_CELL,
    SIGMOID,
    TWO,
    Case,
    all_cases,
    load,
    settings_of,
    simulated_and_documented,
)
from records import partition

SPMe = ModelSettings("SPMe", "SPMe")


def set_of(name: str) -> ParameterSetSettings:
    return ParameterSetSettings(name, name)


def rmse_mv(case: Case, times: float = 1.0) -> float:
    simulated, documented = simulated_and_documented(case, times)
    assert simulated.result.charge_error < 5e-4
    away = simulated.frame["simulated_voltage_volt"].to_numpy() - documented
    return 1e3 * float(np.sqrt(np.mean(away**2)))


@pytest.mark.parametrize("case", [*FASTEST, *(pytest.param(case, marks=pytest.mark.slow) for case in FAST)], ids=str)
def test_a_model_agrees_with_the_documented_way(case: Case) -> None:
    assert rmse_mv(case) < 0.5


@pytest.mark.parametrize(
    "case",
    [
        ("SPM", {"thermal": "lumped"}, "Chen2020"),
        ("SPM", {"contact resistance": "true"}, "NCA_Kim2011"),
        ("SPM", HALF, "Xu2019"),
        ("Thevenin", {}, "ECM_Example"),
    ],
    ids=str,
)
def test_a_cell_of_another_capacity_is_so_many_of_the_sets(case: Case) -> None:
    """Ten times the current through ten times the cell: the same voltage, and the same temperature."""
    assert rmse_mv(case, times=10.0) < 0.5


@pytest.mark.parametrize(
    ("kind", "options", "base"),
    [
        ("SPM", {}, "Chen2020"),
        ("SPM", {"open-circuit potential": "single"}, "Ai2020"),
        ("SPM", HALF, "Xu2019"),
        ("SPM", HALF, "Ecker2015_graphite_halfcell"),
        ("SPM", TWO, "Chen2020_composite"),
        ("SPM", SIGMOID, "Chen2020_composite"),
        ("MSMR", MSMR, "MSMR_Example"),
        ("Thevenin", {}, "ECM_Example"),
    ],
)
def test_the_state_is_that_of_pybamm(kind: str, options: dict[str, object], base: str) -> None:
    """At three voltages, for every kind of cell."""
    settings = ModelSettings(kind, kind, tuple(sorted(options.items())))  # type: ignore[arg-type]
    equilibrium = find_equilibrium(settings, set_of(base), 25.0)
    for share in (0.2, 0.5, 0.8):
        voltage = equilibrium.voltage_at(share)
        values = load_base_set(base).copy()
        complete_set(values, settings)
        if kind == "Thevenin":
            pybamm.equivalent_circuit.initial_state.set_initial_state(f"{voltage} V", values)
        else:
            values.set_initial_state(f"{voltage} V", options=full_options(settings))
        for entry in equilibrium.inputs:
            assert entry.value(share) == pytest.approx(values[entry.name], rel=2e-3), entry.name
    assert tuple(entry.name for entry in equilibrium.inputs) == state_input_names(settings)


@pytest.mark.parametrize(
    "case", [LUMPED, ("SPM", TWO, "Chen2020_composite"), ("SPM", HALF, "Xu2019"), MSMR_CELL], ids=str
)
def test_the_window_holds_the_capacity_that_it_says(case: Case) -> None:
    """From full to half empty at C/200: the voltage ends where the open-circuit voltage of one half is."""
    settings = settings_of(case, soc=1.0)
    equilibrium = find_equilibrium(settings.model, settings.parameter_set, 25.0)
    hours = 100.0
    time_second = np.linspace(0.0, 3600.0 * hours, 200)
    current = np.full(200, -0.5 * equilibrium.capacity_ah / hours)
    record = partition(time_second, current, np.full(200, 3.7))
    conditions = find_conditions(make_record(record), resolve_simulation(settings, None))
    structure = make_structure(settings.model, case[2], (), 2, 1e-6, 1e-8)
    ends = CurrentProfile(time_second[[0, -1]], current[[0, -1]], 0.0)
    replayed = replay(structure, conditions, ends, time_second)
    check_range(replayed)
    half = equilibrium.voltage_at(0.5)
    assert replayed.voltage_volt[-1] == pytest.approx(half, abs=0.01)


def test_hysteresis_starts_half_way_and_says_so() -> None:
    case: Case = ("SPM", SIGMOID, "Chen2020_composite")
    time_second, current = load(5.0)
    record = partition(time_second, current, np.full(len(time_second), 3.7))
    state = find_conditions(make_record(record), resolve_simulation(settings_of(case), None)).state
    assert "half way between its branches" in state.source


def test_a_particle_size_distribution_of_pybamm_is_said_and_the_mesh_is_taken() -> None:
    model = ModelSettings("MPM", "MPM", (), (("R_n", 6), ("R_p", 6), ("r_n", 8), ("r_p", 8)))
    settings = replace(settings_of(("MPM", {}, "Chen2020")), model=model)
    time_second, current = load(5.0)
    result = simulate(partition(time_second, current, np.full(len(time_second), 3.7)), settings, None).result
    assert "lognormal" in result.initial_state_source
    assert result.charge_error < 5e-4


def test_points_of_the_mesh_change_the_model() -> None:
    time_second, current = load(5.0)
    record = partition(time_second, current, np.full(len(time_second), 3.7))
    settings = settings_of(("SPM", {}, "Chen2020"))
    coarse = replace(settings, model=replace(settings.model, mesh=(("r_n", 5), ("r_p", 5))))
    fine, rough = (simulate(record, each, None).frame["simulated_voltage_volt"] for each in (settings, coarse))
    assert 1e-4 < (fine - rough).abs().max() < 0.1


def test_a_circuit_that_is_emptied_has_left_its_range() -> None:
    time_second = np.arange(0.0, 7200.0, 10.0)
    record = partition(time_second, np.where(time_second > 60.0, -100.0, 0.0), np.full(len(time_second), 3.7))
    with pytest.raises(JobError) as caught:
        simulate(record, settings_of(("Thevenin", {}, "ECM_Example")), None)
    assert caught.value.code == "left_range"


def test_the_phases_of_an_electrode_are_watched() -> None:
    time_second = np.arange(0.0, 7200.0, 10.0)
    record = partition(time_second, np.where(time_second > 60.0, -5.0, 0.0), np.full(len(time_second), 3.7))
    with pytest.raises(JobError, match="check nominal_capacity_ah, initial_state and the"):
        simulate(record, settings_of(("SPM", TWO, "Chen2020_composite"), soc=0.5), None)
    structure = make_structure(ModelSettings("SPM", "SPM", tuple(TWO.items())), "Chen2020_composite", (), 2, 1e-5, 1e-7)
    watched = [name for name in build_model(structure).solver.output_variables if name.startswith("Excess")]
    # Three phases and the electrolyte; the ends of tables are watched as well.
    assert len([name for name in watched if "of the table" not in name]) == 4


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (("SPM", {}, "Xu2019"), '"working electrode" = "positive"'),
        (("SPM", HALF, "Chen2020"), "not a parameter set for a half-cell"),
        (("SPM", {}, "Chen2020_composite"), '"particle phases" = ["2", "1"]'),
        (("SPM", TWO, "Chen2020"), "Chen2020_composite"),
        (("SPM", {}, "MSMR_Example"), "the model MSMR"),
        (("MSMR", MSMR, "Chen2020"), "such as MSMR_Example"),
        (("SPMe", {}, "ECM_Example"), "the model Thevenin"),
        (("Thevenin", {}, "Chen2020"), "such as ECM_Example"),
        (("SPM", {}, "Sulzer2019"), "not a lithium-ion parameter set"),
        (("SPM", {"particle mechanics": "swelling only"}, "Chen2020"), "sets with this parameter: Ai2020"),
        (("Thevenin", {"number of rc elements": 2}, "ECM_Example"), "which the model needs"),
    ],
    ids=str,
)
def test_a_set_that_does_not_fit_is_refused_with_what_to_do(case: Case, words: str) -> None:
    time_second, current = load(float(load_base_set(case[2])["Nominal cell capacity [A.h]"]))
    record = partition(time_second, current, np.full(len(time_second), 3.7))
    with pytest.raises(JobError) as caught:
        simulate(record, settings_of(case), None)
    assert caught.value.code == "cannot_build"
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("SPMe", {"termal": "lumped"}, "did you mean .thermal."),
        ("SPMe", {"thermal": "lumpd"}, "did you mean .lumped."),
        ("SPMe", {"particle mechanics": ("swelling", "none")}, "did you mean .swelling only."),
        ("SPMe", {"operating mode": "power"}, "the measured record gives it"),
        ("Thevenin", {"number of rc element": 2}, "did you mean .number of rc elements."),
        ("Yang2017", {"thermal": "lumped"}, "takes no others"),
        ("MSMR", {}, "number of MSMR reactions"),
        ("MPM", {"surface form": "false"}, "surface form"),
    ],
)
def test_an_option_that_is_none_is_refused_with_the_nearest(kind: str, options: dict[str, object], words: str) -> None:
    settings = ModelSettings(kind, kind, tuple(options.items()))  # type: ignore[arg-type]
    with pytest.raises(JobError, match=words):
        empty_model(settings)


def test_a_mesh_name_that_the_model_does_not_use_is_refused() -> None:
    settings = settings_of(("SPM", {}, "Chen2020"))
    wrong = replace(settings, model=replace(settings.model, mesh=(("r_n_prim", 30),)))
    time_second, current = load(5.0)
    with pytest.raises(JobError, match=r"has no points .r_n_prim..*did you mean .r_p"):
        simulate(partition(time_second, current, np.full(len(time_second), 3.7)), wrong, None)


def test_options_go_through_json_and_back() -> None:
    model = ModelSettings(
        "m", "SPM", (("a", (("x", "y"), "z")), ("b", "text"), ("c", 2), ("d", ("u", 1))), (("r_n", 40),)
    )
    assert from_json(ModelSettings, to_json(model)) == model
    assert digest(model) != digest(replace(model, mesh=()))
    old = '{"is":"ModelSettings","name":"n","type":"SPM","options":[["thermal","lumped"]]}'
    assert from_json(ModelSettings, old) == ModelSettings("n", "SPM", (("thermal", "lumped"),))


def test_a_circuit_is_fitted() -> None:
    """The open-circuit state moves with the capacity that is fitted; the truth is found again."""
    case: Case = ("Thevenin", {}, "ECM_Example")
    truth = (Override("Cell capacity [A.h]", "value", 93.0), Override("R0 [Ohm]", "scale", 1.2))
    time_second, current = load(100.0)
    record = partition(time_second, current, np.full(len(time_second), 3.7))
    settings = settings_of(case)
    true = simulate(record, replace(settings, parameter_set=ParameterSetSettings("t", case[2], truth)), None)
    fit = FitSettings(
        "capacity",
        CellSettings("CELL", None, InitialState("soc", 0.6), 25.0),
        settings.model,
        settings.parameter_set,
        (FitParameter("Cell capacity [A.h]", 80.0, 120.0), FitParameter("R0 [Ohm]", 0.5, 2.0)),
    )
    measured = record.assign(voltage_volt=true.frame["simulated_voltage_volt"])
    found = run_start(measured, fit, 0, None)
    np.testing.assert_allclose(found.values, (93.0, 1.2), rtol=2e-3)


@pytest.mark.parametrize("name", ["Initial SoC", "Primary: Initial concentration in negative electrode [mol.m-3]"])
def test_what_holds_the_state_cannot_be_overridden(name: str) -> None:
    wrong = ParameterSetSettings("w", "ECM_Example", (Override(name, "value", 0.5),))
    asked = SimulateSettings(CellSettings("CELL"), ModelSettings("T", "Thevenin"), wrong)
    time_second, current = load(100.0)
    with pytest.raises(JobError, match="initial_state gives it"):
        simulate(partition(time_second, current, np.full(len(time_second), 3.7)), asked, None)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The definition of the hysteresis decay rate")
def test_what_pybamm_solves_with_single_particles_is_replayed() -> None:
    """`python tests/jobs/model_cases.py` prints the whole table; here every second option and set that is quick."""
    quick = [
        c for c in all_cases() if c[0] in ("SPM", "Thevenin") and not {"particle size", "dimensionality"} & set(c[1])
    ]
    failures = []
    for case in quick[::2]:
        try:
            away = rmse_mv(case)
        except JobError as error:
            if "which the model needs" not in str(error):
                failures.append(f"{case}: {error}")
            continue
        except pybamm.SolverError:
            continue  # kilocell does, the documented way does not
        if away > 1.0:
            failures.append(f"{case}: {away:.2f} mV")
    assert not failures
