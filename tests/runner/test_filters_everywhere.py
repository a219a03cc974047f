"""Every question takes the same filters, or says why one of them means nothing for it."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from filled_store import fill
from kilocell.data.errors import UsageError
from kilocell.runner.cli import cli

QUESTIONS = ("cycles", "compare", "parameter-sets", "curves", "results", "findings", "fits")
FILTERS = ("--cell", "--select", "--model", "--parameters", "--status", "--sort", "--limit", "--json", "--csv", "--all")
REFUSED = {
    ("cycles", "--model"), ("cycles", "--parameters"), ("cycles", "--status"),
    ("findings", "--model"), ("findings", "--parameters"), ("findings", "--status"),
}  # fmt: skip
OTHERS = {
    "plot": {"--cell", "--select", "--model", "--parameters", "--parameter-set", "--status", "--all"},
    "export": {"--cell", "--select", "--csv", "--all"},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    fill(root, "B01", "B02", "C01")
    return root


def say(root: Path, *words: str) -> str:
    done = CliRunner().invoke(cli, [*words, "--store", str(root)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def refuse(root: Path, *words: str) -> str:
    done = CliRunner().invoke(cli, [*words, "--store", str(root)])
    assert isinstance(done.exception, UsageError)
    return str(done.exception)


def options_of(command: str) -> set[str]:
    shown = cli.commands[command]
    options = [one for one in shown.params if isinstance(one, click.Option) and not one.hidden]
    return {name for option in options for name in option.opts}


@pytest.mark.parametrize("command", QUESTIONS)
def test_a_question_takes_a_filter_or_says_why_not(root: Path, command: str) -> None:
    for option in FILTERS:
        if (command, option) in REFUSED:
            assert f"{option} means nothing for kilocell {command}: " in refuse(root, command, option, "x")
            assert option not in options_of(command)
        else:
            assert option in options_of(command)


@pytest.mark.parametrize("command", OTHERS)
def test_plot_and_export_take_what_they_can(command: str) -> None:
    assert OTHERS[command] <= options_of(command)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("results", "--plot", "x.png"), "--plot means nothing for kilocell results"),
        (("fits", "--plot", "x.png"), "kilocell plot --fit FIT"),
        (("export", "--model", "SPM"), "kilocell curves --samples"),
        (("results", "--by", "window", "--status", "failed"), "leave out --status"),
        (("cycles",), 'name the cells: kilocell cycles CELL, or "*"'),
        (("results", "--sort", "rmse"), 'no column to sort by "rmse" (did you mean'),
        (("findings", "--sort", "row"), 'no column to sort by "row" (did you mean "rows"'),
        (("fits", "--cell", "C0l"), 'no cell "C0l" (did you mean "C01"'),
        (("compare", "--model", "SPMM"), '(did you mean "SPM"'),
        (("plot", "--cell", "B01", "--parameters", "Chen202"), '(did you mean "Chen2020"'),
        (("plot", "--cell", "B01", "--status", "failed"), "that is failed"),
        (("plot", "--status", "done"), "name the cells to draw"),
    ],
)
def test_what_means_nothing_or_is_unknown_is_answered(root: Path, words: tuple[str, ...], text: str) -> None:
    assert text in refuse(root, *words)


@pytest.mark.parametrize("command", ["cycles", "compare", "curves", "results", "findings"])
def test_cells_are_chosen_by_patterns_and_rows_go_to_csv(root: Path, tmp_path: Path, command: str) -> None:
    path = tmp_path / "rows.csv"
    text = say(root, command, "--cell", "B0[12]", "--csv", str(path), "--sort", "-cell_id", "--json")
    answer = json.loads(text)  # the path of the file is not among the JSON
    rows = answer["findings"] if command == "findings" else answer
    with path.open(newline="") as stream:
        written = list(csv.DictReader(stream))
    assert [row["cell_id"] for row in written] == [row["cell_id"] for row in rows]
    assert [row["cell_id"] for row in rows] == sorted((row["cell_id"] for row in rows), reverse=True)
    assert {row["cell_id"] for row in rows} == {"B01", "B02"}


def test_parameter_sets_are_counted_over_what_is_selected(root: Path) -> None:
    rows = json.loads(say(root, "parameter-sets", "--model", "SPM", "--json"))
    some = json.loads(say(root, "parameter-sets", "--model", "SPM", "--cell", "B0?", "--json"))
    assert list(rows[0]) == list(some[0])
    assert [(row["cells"], row["cells_done"]) for row in rows] == [(3, 3), (3, 3)]
    assert [(row["cells"], row["cells_done"], row["cells_failed"]) for row in some] == [(2, 2, 0), (2, 2, 0)]
    assert [row["rmse_max_mv"] for row in some] == pytest.approx([row["rmse_max_mv"] for row in rows])
    part = json.loads(say(root, "parameter-sets", "--model", "SPM", "--select", "cycle 2", "--limit", "1", "--json"))
    assert part[0]["rmse_mean_mv"] > 0
    assert "no such simulation" in say(root, "parameter-sets", "--status", "failed")


def test_findings_of_a_part_of_the_record(root: Path) -> None:
    everything = json.loads(say(root, "findings", "--json"))["findings"]
    part = json.loads(say(root, "findings", "--select", "cycle 2", "--json"))["findings"]
    assert everything
    assert len(part) < len(everything)
    assert {row["cycle_count"] for row in part} <= {2}


def test_plot_takes_patterns_and_default_sets(root: Path) -> None:
    words = ("--cell", "C*", "--model", "SPM", "--parameters", "default", "--status", "done")
    assert next(Path(path).name for path in say(root, "plot", *words).split()) == "C01_SPM_default.png"


def test_a_cycle_that_is_measured_but_not_simulated_says_so(tmp_path: Path) -> None:
    root = tmp_path / "store"
    fill(root, "A")
    with closing(sqlite3.connect(root / "catalog.sqlite")) as catalog, catalog:
        catalog.execute("UPDATE comparisons SET cycle_count = 1")
    assert "cycle 2 is measured, but not simulated; cycle 1 is simulated" in refuse(root, "compare", "--cycle", "2")
