"""Every model that a campaign can name, with options and a parameter set: what PyBaMM solves, kilocell replays.

``python tests/jobs/model_cases.py`` prints the whole table, with what does not solve and why; words after it choose
the lines that hold them all.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pybamm
from kilocell.data.errors import JobError
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    OptionValue,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.models.pybamm_models import complete_set, empty_model
from kilocell.jobs.models.simulation_case import resolve_simulation
from kilocell.jobs.parameters.sets import load_base_set
from kilocell.jobs.record.record import make_record
from kilocell.jobs.simulation.conditions import find_conditions
from kilocell.jobs.simulation.simulate import SimulationOutput, simulate
from numpy.typing import NDArray
from records import partition

Floats = NDArray[np.float64]
Options = dict[str, OptionValue]
Case = tuple[str, Options, str]

MSMR: Options = {"number of MSMR reactions": ("6", "4")}
MSMR_OPTIONS: Options = {**MSMR, "open-circuit potential": "MSMR", "particle": "MSMR", "intercalation kinetics": "MSMR"}
HALF: Options = {"working electrode": "positive"}
TWO: Options = {"particle phases": ("2", "1")}
CRACKS: Options = {"SEI": "solvent-diffusion limited", "SEI on cracks": ("true", "false")}


def one(name: str, value: OptionValue) -> Options:
    return {name: value}


LUMPED: Case = ("SPM", {"thermal": "lumped"}, "Chen2020")
MSMR_CELL: Case = ("SPM", MSMR_OPTIONS, "MSMR_Example")
FASTEST: tuple[Case, ...] = (
    LUMPED,
    ("SPM", {"lithium plating": "irreversible"}, "OKane2022"),
    ("SPM", TWO, "Chen2020_composite"),
    ("SPM", HALF, "Xu2019"),
    ("Thevenin", {}, "ECM_Example"),
    ("Thevenin", {"number of rc elements": 0}, "ECM_Example"),
)
"""One of each kind of cell, and one that ages."""
FAST: tuple[Case, ...] = (
    ("SPMe", {"SEI": "solvent-diffusion limited", "SEI porosity change": "true"}, "OKane2022"),
    ("SPM", {"particle mechanics": ("swelling and cracking", "none")}, "OKane2022"),
    ("SPM", {"loss of active material": "stress-driven"}, "Ai2020"),
    ("NewmanTobias", {}, "Chen2020"),
    MSMR_CELL,
)
"""A choice of more that solve in seconds."""

SINGLE: tuple[Options, ...] = (
    {},
    {"thermal": "lumped"},
    {"thermal": "lumped", "surface temperature": "lumped"},
    {"contact resistance": "true"},
    {"surface form": "differential"},
    {"surface form": "algebraic"},
    {"particle": "uniform profile"},
    {"particle": "quadratic profile"},
    {"particle": "quartic profile"},
    {"particle": ("Fickian diffusion", "quadratic profile")},
    {"intercalation kinetics": "linear"},
    {"intercalation kinetics": "asymmetric Butler-Volmer"},
    {"intercalation kinetics": "Marcus-Hush-Chidsey"},
    {"voltage as a state": "true"},
    {"calculate discharge energy": "true"},
    *(one("SEI", kind) for kind in pybamm.BatteryModelOptions({}).possible_options["SEI"][1:]),
    {"SEI": "solvent-diffusion limited", "SEI porosity change": "true"},
    {"SEI": "solvent-diffusion limited", "SEI film resistance": "average"},
    CRACKS,
    *(one("lithium plating", kind) for kind in ("reversible", "partially reversible", "irreversible")),
    {"lithium plating": "irreversible", "lithium plating porosity change": "true"},
    {"particle mechanics": "swelling only"},
    {"particle mechanics": ("swelling only", "none")},
    {"particle mechanics": ("swelling and cracking", "swelling only")},
    *(one("loss of active material", kind) for kind in ("stress-driven", "reaction-driven", "current-driven")),
    {"loss of active material": ("stress-driven", "none")},
    {"particle size": "distribution", "surface form": "algebraic"},
    {"open-circuit potential": "current sigmoid"},
    {"open-circuit potential": "Wycisk"},
    {"SEI": "solvent-diffusion limited", "lithium plating": "partially reversible", "thermal": "lumped",
     "particle mechanics": ("swelling and cracking", "swelling only"), "SEI on cracks": "true",
     "SEI porosity change": "true", "loss of active material": "stress-driven"},
)  # fmt: skip
POUCH: tuple[Options, ...] = (
    {"cell geometry": "pouch", "thermal": "x-full"},
    {"cell geometry": "pouch", "thermal": "x-lumped", "dimensionality": 1, "current collector": "potential pair"},
    {"current collector": "potential pair", "dimensionality": 1},
)
FULL_SETS = ("Ai2020", "Chen2020", "Ecker2015", "Marquis2019", "Mohtat2020", "NCA_Kim2011", "OKane2022", "ORegan2022",
             "Prada2013", "Ramadass2004")  # fmt: skip
HALF_SETS = ("Xu2019", "Ecker2015_graphite_halfcell", "OKane2022_graphite_SiOx_halfcell")
SIGMOID: Options = {**TWO, "open-circuit potential": (("single", "current sigmoid"), "single")}
ONE_STATE: Options = {**TWO, "open-circuit potential": (("single", "one-state hysteresis"), "single")}


def all_cases() -> list[Case]:
    """The whole table: options on OKane2022 (which has most parameters) and Ai2020, then sets, then the other cells."""
    cases = [(model, options, "OKane2022") for options in SINGLE for model in ("SPM", "SPMe", "DFN")]
    mechanics = [o for o in SINGLE if {"particle mechanics", "loss of active material"} & set(o)]
    cases += [("SPMe", options, "Ai2020") for options in mechanics]
    cases += [(model, {}, base) for base in FULL_SETS for model in ("SPM", "SPMe", "DFN", "MPM", "NewmanTobias")]
    cases += [("SPM", options, "Marquis2019") for options in POUCH]
    cases += [("Yang2017", {}, base) for base in ("OKane2022", "Chen2020")]
    cases += [(model, HALF, base) for base in HALF_SETS for model in ("SPM", "SPMe", "DFN", "MPM", "NewmanTobias")]
    cases += [("SPMe", {**HALF, "thermal": "lumped"}, "OKane2022_graphite_SiOx_halfcell")]
    cases += [("DFN", {**HALF, "SEI": "solvent-diffusion limited"}, "OKane2022_graphite_SiOx_halfcell")]
    composites = (TWO, SIGMOID, ONE_STATE, {**TWO, "SEI": (("solvent-diffusion limited", "none"), "none")})
    sets = ("Chen2020_composite", "Bonkile2024")
    cases += [(m, o, base) for base in sets for o in composites for m in ("SPM", "SPMe", "DFN")]
    cases += [("MSMR", {**MSMR, **more}, "MSMR_Example") for more in ({}, {"thermal": "lumped"})]
    cases += [(model, MSMR_OPTIONS, "MSMR_Example") for model in ("SPM", "SPMe", "NewmanTobias")]
    circuits: tuple[Options, ...] = ({}, {"number of rc elements": 0}, {"number of rc elements": 2},
                                     {"diffusion element": "true"})  # fmt: skip
    return cases + [("Thevenin", options, "ECM_Example") for options in circuits]


def settings_of(case: Case, capacity_ah: float | None = None, soc: float = 0.6) -> SimulateSettings:
    kind, options, base = case
    return SimulateSettings(
        CellSettings("CELL", capacity_ah, InitialState("soc", soc), 25.0),
        ModelSettings(kind, kind, tuple(sorted(options.items()))),
        ParameterSetSettings(base, base),
    )


def load(capacity_ah: float) -> tuple[Floats, Floats]:
    """Rest, C/2 discharge, rest, C/3 charge, rest: 2 h at 10 s, of a cell of this capacity, positive charges."""
    at = np.arange(0.0, 7200.0, 10.0)
    rate = np.where(at < 305.0, 0.0, np.where(at < 2105.0, -0.5, np.where(at < 3005.0, 0.0, 1.0 / 3.0)))
    return at, np.where(at < 5405.0, rate, 0.0) * capacity_ah


def simulated_and_documented(case: Case, times: float = 1.0) -> tuple[SimulationOutput, Floats]:
    """Kilocell's replay of a cell ``times`` as large as the set's, and PyBaMM's of the set's under its share."""
    own = float(load_base_set(case[2])["Nominal cell capacity [A.h]"])
    time_second, current = load(own)
    settings = settings_of(case, own * times)
    record = partition(time_second, current * times, np.full(len(time_second), 3.7))
    simulated = simulate(record, settings, None)
    state = find_conditions(make_record(record), resolve_simulation(settings, None)).state
    return simulated, documented(case, time_second, current, dict(state.inputs))


def documented(case: Case, time_second: Floats, current: Floats, inputs: dict[str, float]) -> Floats:
    """PyBaMM's documented way: an interpolant of the record, a stop at every sample, from this initial state."""
    settings = settings_of(case).model
    values = load_base_set(case[2]).copy()
    complete_set(values, settings)
    values.update({**inputs, "Ambient temperature [K]": 298.15, "Initial temperature [K]": 298.15})
    values["Current function [A]"] = pybamm.Interpolant(time_second, -current, pybamm.t)
    model = empty_model(settings)
    model.events = []
    # A jump from rest can stop the first step: then a small one helps, and after that only looser tolerances.
    ways = [(1e-6, 0.0), (1e-6, 1e-6), (1e-5, 0.0)]
    solution: Any = None
    while solution is None:
        rtol, first_step = ways.pop(0)
        options = {"dt_init": first_step}
        solver: Any = pybamm.IDAKLUSolver(rtol=rtol, atol=rtol / 100.0, on_extrapolation="ignore", options=options)
        try:
            solution = pybamm.Simulation(model, parameter_values=values, solver=solver).solve(time_second)
        except pybamm.SolverError:
            if not ways:
                raise
    voltage: Floats = solution["Voltage [V]"](time_second)
    return voltage


def _line(case: Case) -> str:
    kind, options, base = case
    began = time.perf_counter()
    words = f"{kind:12} {base:32} {options or ''!s}"
    try:
        simulated, curve = simulated_and_documented(case)
    except JobError as error:
        return f"no   {words}\n        {error.code}: {error}"
    except pybamm.SolverError as error:
        pybamm.set_logging_level("ERROR")
        return f"?    {words}\n        kilocell does, the documented way does not: {str(error)[:100]}"
    away = 1e3 * (simulated.frame["simulated_voltage_volt"].to_numpy() - curve)
    result = simulated.result
    seconds = time.perf_counter() - began
    figures = f"{np.sqrt(np.mean(away**2)):8.4f} mV, charge {result.charge_error:.1e}, {len(result.attempts)} attempts"
    return f"yes  {words}\n        {figures}, {result.initial_voltage_volt:.4f} V, {seconds:.1f} s"


if __name__ == "__main__":
    import sys

    said = [word for word in sys.argv[1:] if not word.startswith("-")]

    warnings.simplefilter("ignore")
    pybamm.set_logging_level("ERROR")
    for each in all_cases():
        if all(word in str(each) for word in said):
            print(_line(each), flush=True)
