"""The folder of compiled models: a place for each machine, bounded, safe, and only our own files in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from kilocell.data.cache_folder import FOLDER_VARIABLE
from kilocell.data.fit_settings import FitParameter, FitSettings
from kilocell.data.settings import CellSettings, ModelSettings, Override, ParameterSetSettings, SimulateSettings
from kilocell.runner.plan.job import Job, SimulateWork, StartWork
from kilocell.runner.worker import model_cache
from kilocell.runner.worker.compile import LEAST_SIMULATIONS, SIMULATIONS_PER_START, choose_compiled, compiled_model_key

SPM = ModelSettings("SPM", "SPM")
SET = ParameterSetSettings("Chen2020", "Chen2020")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.delenv(model_cache.PYBAMM_VARIABLE, raising=False)
    return tmp_path


def put(name: str, size: int, used: float) -> Path:
    path = model_cache.machine_folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (used, used))
    return path


def simulations(number: int, model: ModelSettings = SPM, base: ParameterSetSettings = SET) -> list[Job]:
    return [
        Job("simulate", f"C{i}", "l", "s", "d", SimulateWork(SimulateSettings(CellSettings(f"C{i}"), model, base)))
        for i in range(number)
    ]


def compiling(jobs: tuple[Job, ...]) -> int:
    return sum(getattr(job.work, "compiled", False) for job in jobs)


def test_the_folder_follows_the_variables(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert model_cache.cache_root() == folder / "models"
    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "xdg"))
    assert model_cache.cache_root() == folder / "xdg" / "kilocell" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert model_cache.cache_root() == Path.home() / ".cache" / "kilocell" / "models"


def test_those_used_longest_ago_go_first(folder: Path) -> None:
    paths = [put(f"pybamm_bundle_{i}.so", 100, 1000.0 + i) for i in range(5)]
    assert model_cache.shrink_to(250) == 3
    assert [path.exists() for path in paths] == [False, False, False, True, True]
    assert model_cache.shrink_to(250) == 0


def test_clearing_touches_nothing_else(folder: Path) -> None:
    model = put("pybamm_bundle_1.so", 10, 1.0)
    stopped = put("pybamm_bundle_2.77.c", 10, 1.0)
    mine = put("thesis.tex", 10, 1.0)
    other = model_cache.cache_root() / "mine" / "pybamm_bundle_3.so"
    other.parent.mkdir()
    other.write_bytes(b"")
    assert model_cache.clear() == (1, 10)
    assert not model.exists()
    assert not stopped.exists()
    assert mine.exists()
    assert other.exists()


def test_without_a_compiler_or_a_folder_of_ones_own_nothing_is_compiled(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert not model_cache.has_compiler()
    assert not model_cache.prepare()
    monkeypatch.undo()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder / "file"))
    (folder / "file").write_text("no folder")
    assert not model_cache.prepare()


def test_a_model_is_compiled_where_enough_jobs_share_it_or_it_is_known() -> None:
    few, many = simulations(LEAST_SIMULATIONS - 1), simulations(LEAST_SIMULATIONS)
    never = {"known": lambda kind: False}
    assert compiling(choose_compiled(few, "auto", **never)) == 0
    assert compiling(choose_compiled(many, "auto", **never)) == LEAST_SIMULATIONS
    assert compiling(choose_compiled(many, False, known=lambda kind: True)) == 0
    assert compiling(choose_compiled(few[:1], True, **never)) == 1
    assert (
        compiling(choose_compiled(few, "auto", known=lambda kind: kind == compiled_model_key(few[0].work)))
        == LEAST_SIMULATIONS - 1
    )
    assert [job.digest for job in choose_compiled(many, "auto", **never)] == [job.digest for job in many]


def test_starts_count_for_many_and_other_models_for_nothing() -> None:
    fit = FitSettings("f", CellSettings("C"), SPM, SET, (FitParameter("Electrode height [m]", 0.1, 0.2),))
    starts = [
        Job("start", "C", f"f-{i}", "s", "d", StartWork(fit, i))
        for i in range(LEAST_SIMULATIONS // SIMULATIONS_PER_START)
    ]
    assert compiling(choose_compiled(starts, "auto", lambda kind: False)) == len(starts)
    assert compiling(choose_compiled(starts[1:], "auto", lambda kind: False)) == 0
    half = simulations(LEAST_SIMULATIONS // 2)
    other = simulations(LEAST_SIMULATIONS // 2, ModelSettings("DFN", "DFN"))
    assert compiling(choose_compiled([*half, *other], "auto", lambda kind: False)) == 0


def test_numbers_and_names_make_no_other_model_but_what_is_overridden_does() -> None:
    def kind(base: ParameterSetSettings, model: ModelSettings = SPM) -> str | None:
        return compiled_model_key(simulations(1, model, base)[0].work)

    height = Override("Electrode height [m]", "value", 0.1)
    one = ParameterSetSettings("a", "Chen2020", (height,))
    assert kind(one) == kind(ParameterSetSettings("b", "Chen2020", (replace(height, value=0.2),)))
    assert kind(one) != kind(SET)
    assert kind(SET) == kind(SET, ModelSettings("another name", "SPM"))
    assert kind(SET) != kind(SET, ModelSettings("SPM", "SPM", (("thermal", "lumped"),)))


SOLVE = """
from kilocell.runner.worker import model_cache
assert model_cache.prepare()
import numpy as np
from kilocell.data.settings import *
from kilocell.jobs.current_profile.compress import compress_current
from kilocell.jobs.models.build import compile_models, make_structure
from kilocell.jobs.models.replay_solver import is_all_compiled
from kilocell.jobs.models.simulation_case import resolve_simulation
from kilocell.jobs.record.record import Record
from kilocell.jobs.simulation.replay import replay
from kilocell.jobs.simulation.conditions import find_conditions
time = np.arange(0.0, 7200.0, 10.0)
current = np.where((time > 600) & (time < 3000), -5.0, 0.0) + 0.5 * np.sin(time / 50.0) * (time > 4000)
n = len(time)
settings = SimulateSettings(
    CellSettings("C", 5.0, InitialState("soc", 0.8), 25.0), ModelSettings("SPM", "SPM"),
    ParameterSetSettings("Chen2020", "Chen2020"))
record = Record(time, current, np.full(n, np.nan), np.zeros(n, int), np.ones(n, int), np.ones(n, int))
conditions = find_conditions(record, resolve_simulation(settings, None))
profile = compress_current(time, current, np.zeros(n, bool), 5.0)
voltages = []
for on in (True, False):
    with compile_models(on):
        structure = make_structure(
            settings.model, "Chen2020", (), len(profile.time_second), settings.rtol, settings.atol)
        assert structure.compiled == on
        voltages.append(replay(structure, conditions, profile, time).voltage_volt)
assert is_all_compiled()
assert np.array_equal(*voltages), np.max(np.abs(voltages[0] - voltages[1]))
model_cache.note_use("abc")
"""


@pytest.mark.skipif(shutil.which(model_cache.COMPILER) is None, reason="no compiler here")
def test_two_processes_compile_at_once_and_no_bit_changes(folder: Path) -> None:
    """The voltage of the compiled model is the virtual machine's own; both processes end with one file between them."""
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    both = [subprocess.Popen([sys.executable, "-c", SOLVE], env=environment) for _ in range(2)]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    (model,) = model_cache.list_compiled_models()
    assert model.path.parent == model_cache.machine_folder()
    assert model.path.parent.stat().st_mode & 0o077 == 0
    assert model_cache.is_known("abc")
    shown = subprocess.run(
        [sys.executable, "-m", "kilocell.runner", "cache", "--json"], capture_output=True, text=True, check=True
    )
    said = json.loads(shown.stdout)
    assert said["models"] == 1
    assert said["machines"][0]["here"]
    cleared = subprocess.run(
        [sys.executable, "-m", "kilocell.runner", "cache", "--clear"], capture_output=True, text=True, check=True
    )
    assert cleared.stdout.startswith("removed 1 compiled model,")
    assert model_cache.list_compiled_models() == []
