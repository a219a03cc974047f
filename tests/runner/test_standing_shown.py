"""What commands, figures, exports and Python show after a campaign changed: what is current, unless asked for all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import kilocell
import pytest
from click.testing import CliRunner
from filled_store import fill
from kilocell.data.errors import KilocellError, StoreError, UsageError
from kilocell.parquet_store.layout import Store
from kilocell.report.figures import plot_cell, plot_overview
from kilocell.runner.cli import cli
from kilocell.runner.export.cells import export
from kilocell.sqlite.catalog import Catalog

OUTDATED = "out of date: settings or input changed"


def replan(root: Path, gone: Sequence[tuple[str, str]] = (), changed: Sequence[tuple[str, str]] = ()) -> None:
    """Replace the plan: jobs (cell, label; "*" = any) that are gone, and others whose settings changed."""

    def among(job: tuple[str, ...], names: Sequence[tuple[str, str]]) -> bool:
        return any(name in ("*", job[1]) and label in ("*", job[2]) for name, label in names)

    with Catalog.open(Store(root).catalog) as catalog, closing(sqlite3.connect(catalog.path)) as reader:
        jobs = reader.execute("SELECT kind, cell_id, label, digest FROM jobs").fetchall()
        catalog.replace_plan(
            (*job[:3], "new", "settings or input changed") if among(job, changed) else (*job, "")
            for job in jobs
            if not among(job, gone)
        )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Cells A and B, each with SPM and DFN with Chen2020, and SPM with the set slow. Then A loses DFN, and B leaves."""
    root = tmp_path / "store"
    fill(root, "A", "B")
    replan(root, gone=[("B", "*"), ("A", "DFN-Chen2020")], changed=[("A", "SPM-slow")])
    return root


def ask(root: Path, *arguments: str) -> list[dict[str, object]]:
    done = CliRunner().invoke(cli, [arguments[0], "--store", str(root), "--json", *arguments[1:]])
    assert done.exit_code == 0, done.output
    answer: list[dict[str, object]] = json.loads(done.stdout)
    return answer


def said(root: Path, *arguments: str) -> tuple[str, str]:
    done = CliRunner().invoke(cli, [arguments[0], "--store", str(root), *arguments[1:]], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


def test_results_show_the_plan_and_all_of_it_only_when_asked(root: Path) -> None:
    shown = [(row["cell_id"], row["label"], row["rmse_mv"], row["standing"]) for row in ask(root, "results")]
    assert shown == [("A", "SPM-Chen2020", 12.3, "current"), ("A", "SPM-slow", None, OUTDATED)]
    everything = {(row["cell_id"], row["label"]): row["standing"] for row in ask(root, "results", "--all")}
    assert len(everything) == 6
    assert everything["A", "DFN-Chen2020"] == everything["B", "SPM-Chen2020"] == "of an earlier campaign"
    assert everything["A", "SPM-slow"] == OUTDATED


def test_the_table_says_what_is_not_current_and_what_is_not_shown(root: Path) -> None:
    out, err = said(root, "results")
    assert OUTDATED in out
    assert "not shown: 1 cell, 4 simulations of an earlier campaign; to see them, add --all" in err
    out, err = said(root, "results", "--all")
    assert "of an earlier campaign" in out
    assert err == ""


@pytest.mark.parametrize("by", ["window", "step-type", "cycle"])
def test_errors_are_of_current_simulations(root: Path, by: str) -> None:
    assert {row["label"] for row in ask(root, "results", "--by", by)} == {"SPM-Chen2020"}
    assert len(ask(root, "results", "--by", by, "--all")) >= 5


def test_a_cell_that_left_is_named_and_found_when_all_is_shown(root: Path) -> None:
    done = CliRunner().invoke(cli, ["findings", "--store", str(root), "--cell", "B"])
    assert isinstance(done.exception, UsageError)
    assert 'the campaign has no cell "B" any more; add --all' in str(done.exception)
    assert "B" in said(root, "findings", "--cell", "B", "--all")[0]
    assert "\nB " not in said(root, "findings")[0]


def test_status_says_what_the_next_run_does(root: Path) -> None:
    out, _ = said(root, "status")
    assert "1 to run:" in out
    assert "1 simulate: settings or input changed" in out
    done = CliRunner().invoke(cli, ["status", "--store", str(root), "--json"])
    status = json.loads(done.stdout)
    assert status["waiting"] == [{"kind": "simulate", "reason": "settings or input changed", "count": 1}]
    assert {(row["kind"], row["status"], row["count"]) for row in status["jobs"]} == {
        ("clean", "done", 1), ("simulate", "done", 1), ("simulate", "pending", 1),
    }  # fmt: skip


def test_sql_on_views_and_on_tables(root: Path) -> None:
    assert ask(root, "sql", "SELECT count(*) AS n FROM results") == [{"n": 2}]
    assert ask(root, "sql", "--all", "SELECT count(*) AS n FROM results") == [{"n": 6}]
    assert ask(root, "sql", "SELECT model, cells FROM model_comparison") == [{"model": "SPM", "cells": 1}]
    assert ask(root, "sql", "SELECT count(*) AS n FROM simulations WHERE standing = 'current'") == [{"n": 1}]


@pytest.mark.parametrize(
    ("statement", "is_named"),
    [
        ("SELECT rmse_mv FROM simulations", True),
        ("SELECT count(*) FROM simulations s JOIN cells c ON c.cell_id = s.cell_id", True),
        ("SELECT rmse_mv FROM simulations WHERE standing = 'current'", False),
        ("SELECT rmse_mv FROM results", False),
        ("SELECT * FROM models", False),
    ],
)
def test_a_table_that_keeps_earlier_rows_is_named(root: Path, statement: str, is_named: bool) -> None:
    assert ("simulations: a table keeps" in said(root, "sql", statement)[1].replace(", cells", "")) == is_named


def test_figures_draw_current_simulations(root: Path) -> None:
    store = Store(root)
    with pytest.raises(UsageError, match="no finished simulation with model 'DFN'"):
        plot_cell(store, "A", models=["DFN"])
    assert plot_cell(store, "A", models=["DFN"], everything=True)
    with pytest.raises(UsageError, match="no cell"):
        plot_cell(store, "B")
    assert plot_overview(store)


def test_an_export_has_what_is_shown(root: Path, tmp_path: Path) -> None:
    export(root, (), None, False, tmp_path / "current.sqlite")
    export(root, (), None, False, tmp_path / "all.sqlite", everything=True)
    found = {}
    for name in ("current", "all"):
        with closing(sqlite3.connect(tmp_path / f"{name}.sqlite")) as exported:
            cells = exported.execute("SELECT count(*) FROM cells").fetchone()[0]
            errors = exported.execute("SELECT count(*) FROM errors_by_cycle").fetchone()[0]
            curves = exported.execute("SELECT count(DISTINCT cell_id) FROM default_parameter_curves").fetchone()[0]
            assert exported.execute("PRAGMA foreign_key_check").fetchall() == []
            found[name] = cells, errors, curves
    assert found == {"current": (1, 1, 1), "all": (2, 6, 2)}


def test_python_reads_what_is_current(root: Path) -> None:
    store = kilocell.open_store(root)
    assert list(store.cells()["cell_id"]) == ["A"]
    results = store.results()
    assert list(results["standing"]) == ["current", OUTDATED]
    assert results["rmse_mv"].isna().tolist() == [False, True]
    with pytest.raises(UsageError, match="everything=True"):
        store.cycles("B")
    with pytest.raises(KilocellError, match="settings or input changed"):
        store.simulation("A", "SPM", "slow")
    everything = kilocell.open_store(root, everything=True)
    assert len(everything.results()) == 6
    assert len(everything.cycles("B")) == 2
    assert len(everything.simulation("B", "DFN")) == 60


def test_a_record_that_is_cleaned_again_is_not_read_by_mistake(root: Path) -> None:
    replan(root, changed=[("A", "*")])
    with pytest.raises(StoreError, match="out of date: settings or input changed"):
        kilocell.open_store(root).samples("A")
    assert len(kilocell.open_store(root, everything=True).samples("A")) == 60
    with pytest.raises(UsageError, match="is not cleaned"):
        export(root, ["A"], root / "csv", False, None)


def test_a_pattern_names_several_cells(tmp_path: Path) -> None:
    fill(tmp_path, "B01", "B02", "C01")
    assert {row["cell_id"] for row in ask(tmp_path, "results", "--cell", "B*")} == {"B01", "B02"}
    done = CliRunner().invoke(cli, ["results", "--store", str(tmp_path), "--cell", "D*"])
    assert "the store has no cell" in str(done.exception)


def run_of(root: Path, campaign: Path) -> None:
    """Record a run of a campaign file."""
    with Catalog.open(Store(root).catalog) as catalog:
        campaign_id = catalog.put_campaign("c", str(campaign.absolute()), campaign.read_text(), "digest")
        catalog.end_run(catalog.begin_run("kilocell run", "host", 1, {}, campaign_id), 0, "done")


def test_a_campaign_that_changed_after_its_run_is_named(root: Path, tmp_path: Path) -> None:
    campaign = tmp_path / "campaign.toml"
    campaign.write_text('models = ["SPM"]\n')
    run_of(root, campaign)
    assert "was changed" not in said(root, "results")[1]
    campaign.write_text('models = ["SPM", "DFN"]\n')
    for command in ("results", "status", "findings", "fits", "plot"):
        assert f"campaign.toml was changed after the last run: `kilocell plan {campaign}`" in said(root, command)[1], (
            command
        )
    campaign.unlink()  # the store was copied to another computer
    assert "was changed" not in said(root, "results")[1]


def test_a_store_of_an_earlier_version_says_that_all_counts(tmp_path: Path) -> None:
    fill(tmp_path, "A")
    campaign = tmp_path / "campaign.toml"
    campaign.touch()
    run_of(tmp_path, campaign)
    out, err = said(tmp_path, "results")
    assert err.count("all of its results count as current until the next `kilocell run`") == 1
    assert out.count("done") == 3
