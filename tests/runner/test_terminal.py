"""What is printed: tables, JSON, progress, durations."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from filled_store import fill, partition
from kilocell.runner.cli import cli
from kilocell.runner.run.progress import Progress, format_duration
from kilocell.runner.run.run_campaign import RunSummary
from kilocell.runner.show.status import show_end
from kilocell.runner.show.table import table, table_to_json
from kilocell.runner.worker.run_job import JobOutcome


def test_numbers_stand_right_texts_left_and_nothing_is_cut_in_a_pipe() -> None:
    lines = table(("cell", "RMSE mV"), [("CELL_A", 75.954), ("电池", None), ("x" * 80, 1e-9)]).splitlines()
    assert lines[2].endswith("75.95")
    assert lines[3].startswith("电池")
    assert lines[3].endswith("–")
    assert lines[4].count("x") == 80  # a program that reads lines must get whole ids
    assert "…" not in lines[4]


def test_every_command_is_described_in_one_whole_line() -> None:
    shown = CliRunner().invoke(cli, ["--help"], terminal_width=80).output
    _, _, commands = shown.partition("Commands:")
    assert "export " in commands
    assert "..." not in commands


def test_what_comes_next_is_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "cleaned", "A", without_simulations={"A": partition(0)})
    fill(tmp_path / "simulated", "A")
    (tmp_path / "simulated" / "figures").mkdir()
    (tmp_path / "simulated" / "figures" / "overview.png").touch()
    out = {}
    for name in ("cleaned", "simulated"):
        show_end(tmp_path / name, RunSummary(1, 1, 0, 0, 0), io.StringIO(), json_=False, plots=False)
        _, _, out[name] = capsys.readouterr().out.partition("1 job done")
    assert " findings --store" in out["cleaned"]
    assert "FROM results" not in out["cleaned"]
    assert "figures  " not in out["cleaned"]
    assert "--cell A --cycles 1" in out["simulated"]
    assert "FROM results" in out["simulated"]
    assert "figures  " in out["simulated"]


def test_a_newline_in_a_reason_does_not_break_the_table() -> None:
    assert len(table(("reason",), [("one\ntwo",)]).splitlines()) == 3


def test_json_holds_what_the_table_shows() -> None:
    text = table_to_json(("cell", "rmse"), [("a", 1.5), ("电池", None)])
    assert json.loads(text) == [{"cell": "a", "rmse": 1.5}, {"cell": "电池", "rmse": None}]


@pytest.mark.parametrize(("seconds", "text"), [(8, "8 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")])
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_counts_failures_and_ends_at_the_total() -> None:
    out = Terminal()
    progress = Progress([("clean", 2), ("simulate-SPM", 2)], out)
    progress.add(JobOutcome(("clean", "A", "clean"), "done", seconds=1.0))
    progress.add(JobOutcome(("clean", "B", "clean"), "failed", "empty", 1.0))
    progress.add(JobOutcome(("simulate-SPM", "B", "x"), "skipped", "clean failed"))
    progress.say("a line")
    progress.close()
    first, second = progress.lines()
    assert first.startswith("clean        ████")
    assert "2/2" in first
    assert "1 failed" in first
    assert "1 skipped" in second
    assert "left" in second
    assert "a line\n" in out.getvalue()


def test_without_a_terminal_no_control_characters_are_written() -> None:
    out = io.StringIO()
    progress = Progress([("clean", 1)], out)
    progress.add(JobOutcome(("clean", "A", "clean"), "done"))
    progress.say("done")
    progress.close()
    assert "\x1b" not in out.getvalue()
