"""What counts: results of the last run's plan, and what is shown of the others."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from kilocell.data.results.receipt import Receipt
from kilocell.sqlite import fit_queries, queries
from kilocell.sqlite.catalog import Catalog
from kilocell.sqlite.standing import PlannedJob
from sample_receipts import (
    CHEN,
    DFN,
    SLOW,
    SPM,
    SPME,
    asked,
    cell,
    cleaned,
    everything,
    failed,
    fit_settings,
    fitted,
    simulated,
    started,
)

CHANGED = "settings or input changed"


def recorded() -> list[Receipt]:
    """Two cells; B is only cleaned and simulated with SPM and SPMe."""
    return [*everything("A"), cleaned("B"), simulated(asked("B", SPM), 10.0), simulated(asked("B"), 30.0)]


def planned(receipts: Sequence[Receipt], changed: Sequence[str] = (), reason: str = CHANGED) -> list[PlannedJob]:
    """The plan of receipts; the jobs with these labels have a new digest, or a reason under the same one."""
    rows: list[PlannedJob] = []
    for each in receipts:
        new = each.label in changed
        digest = f"new {each.digest}" if new and reason == CHANGED else each.digest
        rows.append((each.kind, each.cell_id, each.label, digest, reason if new else ""))
    return rows


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "catalog.sqlite") as opened:
        for model in (SPM, SPME, DFN):
            opened.put_model(model)
        for cell_id in ("A", "B"):
            opened.put_cell(cell(cell_id), (CHEN, SLOW))
        opened.record_many([(each, None) for each in recorded()], None)
        yield opened


def ask(catalog: Catalog, statement: str, everything: bool = False) -> list[tuple[object, ...]]:
    with closing(queries.connect(catalog.path, everything=everything)) as connection:
        return [tuple(row) for row in connection.execute(statement).fetchall()]


def test_without_a_plan_everything_counts(catalog: Catalog) -> None:
    """A store of an earlier version, before its first run."""
    assert ask(catalog, "SELECT DISTINCT standing FROM results") == [("current",)]
    assert len(ask(catalog, "SELECT * FROM results")) == 6


def test_a_model_that_left_the_campaign_counts_no_longer(catalog: Catalog) -> None:
    """The case of the issue: SPMe left, and SPM has another capacity."""
    remaining = [each for each in recorded() if not each.label.startswith("SPMe")]
    catalog.replace_plan(planned(remaining, ["SPM-Chen2020"]))
    of_b = ask(catalog, "SELECT model, status, rmse_mv, reason, standing FROM results WHERE cell_id = 'B'")
    outdated = f"out of date: {CHANGED}"
    assert of_b == [("SPM", "pending", None, outdated, outdated)]
    assert ask(catalog, "SELECT model, cells FROM model_comparison") == [("SPM", 1)]  # of A, with the set slow
    assert ask(catalog, "SELECT DISTINCT model FROM errors_by_window") == [("SPM",)]
    assert ask(catalog, "SELECT DISTINCT model FROM errors_by_cycle") == [("SPM",)]
    everything = "SELECT model, rmse_mv, standing FROM results WHERE cell_id = 'B'"
    assert ask(catalog, everything, everything=True) == [
        ("SPM", 10.0, outdated), ("SPMe", 30.0, "of an earlier campaign"),
    ]  # fmt: skip
    rows = ask(catalog, "SELECT model, standing, cells FROM model_comparison WHERE model = 'SPMe'", everything=True)
    assert ("SPMe", "of an earlier campaign", 2) in rows


def test_a_cell_that_left_the_campaign_is_not_shown(catalog: Catalog) -> None:
    catalog.replace_plan(planned([each for each in recorded() if each.cell_id != "B"]))
    with closing(queries.connect(catalog.path)) as connection:
        assert queries.cell_ids(connection) == ["A"]
        assert {row["cell_id"] for row in queries.cells(connection)} == {"A"}
        assert {row["cell_id"] for row in queries.results(connection)} == {"A"}
        assert {row["cell_id"] for row in queries.cycles(connection)} == {"A"}
        assert {row["cell_id"] for row in queries.clean_reports(connection)} == {"A"}
        assert {row["cell_id"] for row in queries.comparisons(connection)} == {"A"}
        assert {row["cell_id"] for row in queries.record_sources(connection)} == {"A"}
    with closing(queries.connect(catalog.path, everything=True)) as connection:
        assert queries.cell_ids(connection) == ["A", "B"]
        (row,) = [row for row in queries.cells(connection) if row["cell_id"] == "B"]
        assert (row["standing"], row["simulations_done"]) == ("of an earlier campaign", 2)
        assert {row["cell_id"] for row in queries.cycles(connection)} == {"A", "B"}


def test_a_record_that_is_cleaned_again_shows_nothing_of_the_earlier_one(catalog: Catalog) -> None:
    labels = [each.label for each in recorded() if each.kind in ("clean", "simulate")]
    catalog.replace_plan(planned(recorded(), labels))
    with closing(queries.connect(catalog.path)) as connection:
        assert queries.findings(connection) == queries.cycles(connection) == queries.quarantined_rows(connection) == []
        assert {(row["status"], row["cycles"]) for row in queries.cells(connection)} == {("pending", None)}
        assert {row["standing"] for row in queries.cells(connection)} == {f"out of date: {CHANGED}"}


def test_a_job_that_ends_is_current_again(catalog: Catalog) -> None:
    """As a run goes on; a run that is killed leaves what it did not reach as out of date."""
    catalog.replace_plan(planned(recorded(), ["SPM-Chen2020", "SPMe-Chen2020"]))
    again = replace(simulated(asked("B", SPM), 11.0), digest="new digest of simulate SPM-Chen2020")
    catalog.record(again, None)
    found = ask(catalog, "SELECT model, rmse_mv FROM results WHERE cell_id = 'B' ORDER BY model")
    assert found == [("SPM", 11.0), ("SPMe", None)]
    assert ask(catalog, "SELECT kind, status, count FROM job_counts WHERE kind = 'simulate'") == [
        ("simulate", "done", 3), ("simulate", "failed", 1), ("simulate", "pending", 2),
    ]  # fmt: skip
    assert ask(catalog, "SELECT count(*) FROM plan WHERE reason <> ''") == [(2,)]


def test_a_fit_that_runs_again_under_its_digest_is_out_of_date(catalog: Catalog) -> None:
    reason = "a start or fit that it needs runs again"
    catalog.replace_plan(planned(recorded(), ["diffusivity"], reason))
    with closing(queries.connect(catalog.path)) as connection:
        (row,) = fit_queries.fits(connection)
        assert (row["status"], row["rmse_mv"], row["fit"]) == ("pending", None, "diffusivity")
        assert row["reason"] == row["standing"] == f"out of date: {reason}"
        assert fit_queries.fit_parameters(connection) == []
    catalog.record(fitted(fit_settings("A"), 9.0), None)
    with closing(queries.connect(catalog.path)) as connection:
        (row,) = fit_queries.fits(connection)
        assert (row["status"], row["rmse_mv"], row["standing"]) == ("done", 9.0, "current")
        assert len(fit_queries.fit_parameters(connection)) == 2


def test_starts_and_fits_that_left_are_shown_when_asked_for(catalog: Catalog) -> None:
    remaining = [each for each in recorded() if each.kind not in ("fit", "start")]
    catalog.replace_plan(planned(remaining))
    for asked_for, number in ((False, 0), (True, 1)):
        with closing(queries.connect(catalog.path, everything=asked_for)) as connection:
            assert len(fit_queries.fits(connection)) == number
            assert len(fit_queries.fitted_sets(connection)) == number
            assert len(fit_queries.fit_starts(connection)) == 3 * number
            assert len(fit_queries.fleet_parameters(connection, "diffusivity")) == 2 * number
            assert fit_queries.fit_names(connection) == ["diffusivity"] * number


def test_a_failure_under_the_same_settings_stays_one_under_others_does_not(catalog: Catalog) -> None:
    tried_again = planned(recorded(), ["DFN-Chen2020"], "failed before: the solver stopped at 12 s")
    catalog.replace_plan(tried_again)
    assert ask(catalog, "SELECT label FROM failures WHERE kind = 'simulate'") == [("DFN-Chen2020",)]
    catalog.replace_plan(planned(recorded(), ["DFN-Chen2020"]))
    assert ask(catalog, "SELECT label FROM failures WHERE kind = 'simulate'") == []
    assert ask(catalog, "SELECT status FROM results WHERE label = 'DFN-Chen2020'") == [("pending",)]


def test_the_earlier_campaign_comes_back(catalog: Catalog) -> None:
    catalog.replace_plan(planned([each for each in recorded() if each.cell_id != "B"], ["SPM-slow"]))
    catalog.replace_plan(planned(recorded()))
    assert ask(catalog, "SELECT DISTINCT standing FROM results") == [("current",)]
    assert len(ask(catalog, "SELECT * FROM results")) == 6


def test_a_cell_whose_file_cannot_be_read_keeps_what_it_has(catalog: Catalog) -> None:
    """A drive is away: nothing says that the cell changed, but the model SPMe left the campaign meanwhile."""
    of_a = [each for each in recorded() if each.cell_id == "A"]
    catalog.replace_plan(planned(of_a), unread_cells=["B"], models=["SPM"])
    found = ask(catalog, "SELECT model, status, rmse_mv FROM results WHERE cell_id = 'B'")
    assert found == [("SPM", "done", 10.0)]
    catalog.replace_plan(planned(of_a), unread_cells=["B"], models=["SPM"])
    assert ask(catalog, "SELECT count(*) FROM results WHERE cell_id = 'B'") == [(1,)]
    catalog.replace_plan(planned(of_a))
    assert ask(catalog, "SELECT count(*) FROM results WHERE cell_id = 'B'") == [(0,)]


def test_a_change_is_seen_as_a_whole_or_not_at_all(catalog: Catalog) -> None:
    """A kill between the steps of a change leaves the earlier plan and the earlier standing."""
    catalog.replace_plan(planned(recorded()))

    def change_and_die() -> None:
        with catalog.transaction():
            catalog.mark_pending([("simulate", "B", "SPM-Chen2020", "new")])
            catalog.replace_plan(planned([each for each in recorded() if each.cell_id != "B"]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        change_and_die()
    assert ask(catalog, "SELECT DISTINCT standing FROM results") == [("current",)]
    assert ask(catalog, "SELECT count(*), sum(status = 'done') FROM results WHERE cell_id = 'B'") == [(2, 2)]


KILLED = """
import os, signal, sys
from pathlib import Path
from kilocell.sqlite.catalog import Catalog
catalog = Catalog.open(Path(sys.argv[1]))
with catalog.transaction():
    catalog.mark_pending([("simulate", "B", "SPM-Chen2020", "new")])
    catalog.replace_plan([("simulate", "B", "SPM-Chen2020", "new", "settings or input changed")])
    if sys.argv[2] == "inside":
        os.kill(os.getpid(), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("where", "numbers"), [("inside", 5), ("after", 0)])
def test_a_kill_while_the_plan_changes_shows_nothing_stale(catalog: Catalog, where: str, numbers: int) -> None:
    """Inside the change, nothing of it is there; right after it, nothing of the settings before is."""
    catalog.replace_plan(planned(recorded()))
    catalog.close()
    command = [sys.executable, "-c", KILLED, str(catalog.path), where]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    rows = ask(catalog, "SELECT rmse_mv, standing FROM results")
    assert sum(rmse is not None for rmse, _ in rows) == numbers
    assert {standing for _, standing in rows} == {"current" if where == "inside" else f"out of date: {CHANGED}"}


def test_raw_tables_say_what_counts(catalog: Catalog) -> None:
    """Other programs read the tables themselves."""
    catalog.replace_plan(planned([each for each in recorded() if each.cell_id != "B"], ["SPM-slow"]))
    with closing(sqlite3.connect(catalog.path)) as connection:
        rows = connection.execute("SELECT cell_id, label, standing FROM simulations ORDER BY cell_id, label").fetchall()
    assert rows == [
        ("A", "DFN-Chen2020", "current"), ("A", "SPM-slow", f"out of date: {CHANGED}"),
        ("A", "SPMe-Chen2020", "current"), ("A", "SPMe-Chen2020+diffusivity", "current"),
        ("B", "SPM-Chen2020", "of an earlier campaign"), ("B", "SPMe-Chen2020", "of an earlier campaign"),
    ]  # fmt: skip


def test_a_start_of_a_longer_fit_is_of_an_earlier_campaign(catalog: Catalog) -> None:
    catalog.record(started(fit_settings("A", starts=5), 4), None)
    catalog.replace_plan(planned(recorded()))
    with closing(queries.connect(catalog.path)) as connection:
        assert [row["start"] for row in fit_queries.fit_starts(connection)] == [0, 1, 2]


def test_every_view_answers_when_everything_is_asked_for(catalog: Catalog) -> None:
    names = [name for (name,) in ask(catalog, "SELECT name FROM sqlite_master WHERE type = 'view'")]
    assert len(names) > 20
    for name in names:
        fewer = len(ask(catalog, f"SELECT * FROM {name}"))
        assert len(ask(catalog, f"SELECT * FROM {name}", everything=True)) >= fewer, name


def test_reading_everything_writes_nothing(catalog: Catalog) -> None:
    catalog.close()
    before = catalog.path.read_bytes()
    with closing(queries.connect(catalog.path, everything=True)) as connection:
        queries.results(connection)
        with pytest.raises(Exception, match="readonly"):
            connection.execute("DELETE FROM cells")
    assert catalog.path.read_bytes() == before
    assert [path.name for path in catalog.path.parent.iterdir()] == ["catalog.sqlite"]


def test_a_failed_cleaning_of_a_cell_in_the_plan_is_shown(catalog: Catalog) -> None:
    catalog.record(failed(cleaned("B")), None)
    catalog.replace_plan(planned(recorded()))
    assert ask(catalog, "SELECT status, standing FROM cell_overview WHERE cell_id = 'B'") == [("failed", "current")]
