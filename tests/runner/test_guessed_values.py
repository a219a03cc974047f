"""Guesses are called guesses: in the campaign, in settings, and where they contradict the record."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from kilocell.data.settings import (
    CellSettings,
    CleanSettings,
    ModelSettings,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.cleaning.guess_cell import CellGuess
from kilocell.parquet_store.layout import Store
from kilocell.runner.campaign.campaign import load_campaign
from kilocell.runner.campaign.cell_plan import CellPlan, resolve
from kilocell.runner.inspect.guess_cells import FIRST_CELLS, are_alike, spread
from kilocell.runner.inspect.new_campaign import write_campaign
from kilocell.runner.inspect.reading_progress import ReadingProgress
from kilocell.runner.plan.job import CleanWork, Job, SimulateWork, without_set_source
from kilocell.runner.run import set_doubts
from kilocell.runner.run.set_doubts import find_doubts
from kilocell.runner.worker.run_job import JobOutcome

CHEN = (ParameterSetSettings("Chen2020", "Chen2020"),)
SEEN = CellGuess(3.0, 4.2, 2.6, 3.0, 10)


def raw_file(folder: Path, name: str = "A", ampere: float = 1.0) -> Path:
    lines = []
    for minute in range(241):
        current = -ampere if minute <= 120 else ampere
        level = abs(120 - minute) / 120
        lines.append(f"{60 * minute},{current:.3f},{2.9 + 1.2 * level:.4f}")
    path = folder / f"{name}.csv"
    path.write_text("time_s,current_A,voltage_V\n" + "\n".join(lines) + "\n")
    return path


def test_a_guess_is_marked_and_sets_no_threshold_until_the_user_confirms_it(tmp_path: Path) -> None:
    raw_file(tmp_path)
    path = tmp_path / "campaign.toml"
    write_campaign([str(tmp_path)], path)
    campaign = load_campaign(path)
    (plan,) = resolve(campaign, ["A"])
    assert (plan.cell.capacity_source, plan.cell.parameter_set_source) == ("guess", "guess")
    assert plan.cell.nominal_capacity_ah == pytest.approx(2.0, rel=0.05)
    assert plan.clean.nominal_capacity_ah is None
    assert plan.simulations[0].cell.capacity_source == "guess"

    path.write_text(re.sub(r"(?m)^nominal_capacity_ah = .*$", "nominal_capacity_ah = 3.2", path.read_text()))
    (plan,) = resolve(load_campaign(path), ["A"])
    assert (plan.cell.capacity_source, plan.cell.parameter_set_source) == ("given", "guess")
    assert plan.clean.nominal_capacity_ah == plan.cell.nominal_capacity_ah == 3.2


@pytest.mark.parametrize(
    ("table", "sources"),
    [
        ("[cells.defaults]\nparameter_sets = ['Chen2020']\nnominal_capacity_ah = 2.0\n", ("given", "given")),
        ("[cells.defaults]\nparameter_sets = ['Chen2020']\n", ("", "given")),
        ("[cells.defaults]\nnominal_capacity_ah = {cycle = 1}\n", ("", "")),
        (
            "[cells.defaults]\nnominal_capacity_ah = 2.0\nguessed = {nominal_capacity_ah = 2.0}\n"
            "[cells.A]\nparameter_set = 'OKane2022'\n",
            ("guess", "given"),
        ),
        (
            "[cells.defaults]\nnominal_capacity_ah = 2.0\nguessed = {nominal_capacity_ah = 2.0}\n"
            "[cells.A]\nnominal_capacity_ah = 2.0\n",
            ("given", ""),
        ),
    ],
)
def test_the_source_of_a_value_follows_the_table_that_gives_it(
    tmp_path: Path, table: str, sources: tuple[str, str]
) -> None:
    raw_file(tmp_path)
    (tmp_path / "campaign.toml").write_text(f"[[sources]]\nfiles = ['A.csv']\n{table}")
    cell = load_campaign(tmp_path / "campaign.toml").cell("A")
    assert (cell.capacity_source, cell.parameter_set_source) == sources


def test_whether_a_set_is_guessed_is_no_part_of_a_digest() -> None:
    cell = CellSettings("A", 2.0, capacity_source="given")
    assert without_set_source(replace(cell, parameter_set_source="guess")) == cell


def doubts(cell: CellSettings, seen: CellGuess = SEEN, sets: tuple[ParameterSetSettings, ...] = CHEN) -> list[str]:
    return list(find_doubts(cell, sets, seen))


def test_a_set_and_capacity_that_fit_raise_no_doubt() -> None:
    assert doubts(CellSettings("A", 3.0)) == []
    assert doubts(CellSettings("A"), replace(SEEN, seen_ah=4.9)) == []


def test_a_record_outside_the_sets_window_is_told_with_both_numbers() -> None:
    (line,) = doubts(CellSettings("A", 3.0, parameter_set_source="guess"), replace(SEEN, voltage_max_volt=4.45))
    assert "Chen2020 (a guess of kilocell init) is made for 2.5 to 4.2 V (lithium-ion)" in line
    assert "the record has 2.60 to 4.45 V" in line


def test_an_lfp_record_never_reaches_the_sets_upper_voltage() -> None:
    (line,) = doubts(CellSettings("A", 3.0), replace(SEEN, voltage_max_volt=3.6))
    assert "the cell may have another chemistry" in line


def test_a_half_cell_set_for_a_full_cell_names_its_kind() -> None:
    half = ParameterSetSettings("Ecker2015_graphite_halfcell", "Ecker2015_graphite_halfcell")
    assert any("(lithium-ion half-cell)" in line for line in doubts(CellSettings("A", 0.2), SEEN, (half,)))


@pytest.mark.parametrize(("capacity_ah", "count"), [(2.0, 1), (3.0, 0), (5.9, 0), (7.0, 1), (60.0, 2)])
def test_a_capacity_that_the_record_contradicts_is_told_with_both_numbers(capacity_ah: float, count: int) -> None:
    lines = doubts(CellSettings("A", capacity_ah))
    assert len(lines) == count
    for line in lines:
        assert f"{capacity_ah:g} A.h" in line


def test_the_sets_own_capacity_is_compared_where_none_is_given() -> None:
    (line,) = doubts(CellSettings("A"), replace(SEEN, seen_ah=48.0))
    assert "48 A.h, the capacity is 5 A.h (that of Chen2020)" in line


def test_few_cells_stand_for_many_only_if_they_are_alike(tmp_path: Path) -> None:
    for number in range(FIRST_CELLS + 15):
        raw_file(tmp_path, f"n{number}x")
    new = write_campaign([str(tmp_path)], tmp_path / "alike.toml")
    assert f"a sample: {FIRST_CELLS} cells in {FIRST_CELLS} files" in new.notes[-1]
    for number in range(0, FIRST_CELLS + 15, 2):
        raw_file(tmp_path, f"n{number}x", 2.0)
    new = write_campaign([str(tmp_path)], tmp_path / "unlike.toml")
    assert not new.notes
    campaign = load_campaign(tmp_path / "unlike.toml")
    found = [campaign.cell(f"n{number}x").nominal_capacity_ah for number in range(4)]
    assert found == pytest.approx([4.0, 2.0, 4.0, 2.0], rel=0.05)


def test_a_sample_is_not_taken_at_equal_distances() -> None:
    drawn = spread(range(1000), 20)
    assert drawn == spread(range(1000), 20)
    assert len(drawn) == 20
    assert {number % 2 for number in drawn} == {0, 1}
    assert are_alike([SEEN, replace(SEEN, capacity_ah=3.3)])
    assert not are_alike([SEEN, replace(SEEN, capacity_ah=4.5)])
    assert not are_alike([SEEN, replace(SEEN, voltage_max_volt=3.6)])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_on_a_terminal_only() -> None:
    for stream, is_drawn in ((Terminal(), True), (io.StringIO(), False), (None, False)):
        progress = ReadingProgress(stream)
        progress.show("reading headers", 12, 200)
        progress.close()
        if stream is not None:
            shown = stream.getvalue()
            assert ("reading headers" in shown and "12 of 200 files" in shown) == is_drawn


def test_of_many_cleaned_cells_the_rest_is_checked_when_a_job_of_them_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [CellPlan(CellSettings(name), CleanSettings(), CHEN, (), ()) for name in "ABCD"]
    work = SimulateWork(SimulateSettings(cells[0].cell, ModelSettings("SPM", "SPM"), CHEN[0]))
    jobs = [Job("simulate", name, "SPM", "simulate-SPM", "", work) for name in "ABCD"]
    jobs.append(Job("clean", "D", "clean", "clean", "", CleanWork((), CleanSettings())))
    read: list[str] = []
    monkeypatch.setattr(set_doubts, "AT_ONCE", 1)
    monkeypatch.setattr(set_doubts.SetDoubts, "_check", lambda _, cell_id: read.append(cell_id))
    checks = set_doubts.SetDoubts(Store(tmp_path), cells, jobs, print)
    checks.check_cleaned(jobs)
    assert read == ["A"]
    checks.add([JobOutcome(("simulate-SPM", name, "SPM"), "done") for name in "ABBD"])
    assert read == ["A", "B"]
    checks.add([JobOutcome(("clean", "D", "clean"), "done"), JobOutcome(("simulate-SPM", "C", "SPM"), "failed")])
    assert read == ["A", "B", "D", "C"]
