"""What is printed: tables, JSON, progress, durations."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from filled_store import fill, partition
from kilocell.data.text import format_duration
from kilocell.data.time_left import TimeLeft
from kilocell.runner.cli import cli
from kilocell.runner.run.progress import Progress
from kilocell.runner.run.summary import RunSummary
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
    progress = Progress([("clean", 2), ("simulate-SPM", 1), ("simulate-DFN", 1)], out)
    progress.start()
    progress.add(JobOutcome(("clean", "A", "clean"), "done", seconds=1.0))
    progress.add(JobOutcome(("clean", "B", "clean"), "failed", "empty", 1.0))
    progress.add(JobOutcome(("simulate-SPM", "B", "x"), "skipped", "clean failed"))
    progress.say("a [red]line[/red]")
    progress.close()
    first, second, total = progress.lines()
    assert first.startswith("clean    ████")
    assert "2/2" in first
    assert "1 failed" in first
    assert "1/2" in second
    assert "1 skipped" in second
    assert total.startswith("total ")
    assert "3/4" in total
    assert "time left not known" in total
    assert "a [red]line[/red]" in out.getvalue()
    assert "\x1b[?25h" in out.getvalue()  # the cursor is shown again


def test_a_bar_is_shown_before_the_first_job_ends_and_removed_by_an_error() -> None:
    out = Terminal()
    progress = Progress([("clean", 2)], out)
    progress.start()
    assert "waiting for the first job" in out.getvalue()
    progress.close()
    assert "0/2" in out.getvalue()


def test_with_the_logs_of_workers_progress_is_plain_lines() -> None:
    out = Terminal()
    progress = Progress([("clean", 1)], out, is_plain=True)
    progress.start()
    progress.add(JobOutcome(("clean", "A", "clean"), "done", seconds=1.0))
    progress.close()
    assert "\x1b" not in out.getvalue()
    assert "clean ████" in out.getvalue()


def test_bars_fit_narrow_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (30, 40, 80):
        monkeypatch.setenv("COLUMNS", str(columns))
        out = Terminal()
        progress = Progress([("clean", 1000), ("simulate-SPMe", 3000)], out)
        for number in range(20):
            progress.add(JobOutcome(("clean", str(number), "clean"), "failed", "empty", 1.0))
        progress.close()
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).replace("\r", "\n").split("\n")
        assert max(map(len, shown)) <= columns
        assert any("20/1000" in line for line in shown)


def test_what_is_printed_or_logged_meanwhile_stands_above_the_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    monkeypatch.setattr(sys, "stderr", out)
    handler = logging.StreamHandler(out)
    logger = logging.getLogger("kilocell-test-progress")
    logger.addHandler(handler)
    progress = Progress([("clean", 1)], out)
    progress.start()
    print("a warning", file=sys.stderr)
    logger.error("a log line")
    progress.close()
    assert sys.stderr is out
    assert handler.stream is out
    logger.removeHandler(handler)
    *_, last = out.getvalue().split("a log line")
    assert "clean" in last  # drawn again below it


def test_the_time_left_knows_that_stages_take_different_times() -> None:
    left = TimeLeft({"clean": 10, "simulate": 10})
    for second in range(1, 6):
        left.add("clean", 1.0, float(second))
    assert left.left_second(5.0) == pytest.approx(5.0)
    assert not left.knows_all
    for second in range(6, 11):
        left.add("clean", 1.0, float(second))
    left.add("simulate", 10.0, 20.0)
    assert left.knows_all
    assert left.left_second(20.0) == pytest.approx(90.0)
    assert left.left_second(25.0) == pytest.approx(85.0)
    for second in range(30, 120, 10):
        left.add("simulate", 10.0, float(second))
    assert left.elapsed_second(500.0) == pytest.approx(110.0)


def test_jobs_that_run_at_once_and_skipped_jobs_are_counted_right() -> None:
    left = TimeLeft({"simulate": 40})
    for number in range(20):  # four at a time, 2 s each
        left.add("simulate", 2.0, 2.0 * (number // 4 + 1))
    assert left.left_second(10.0) == pytest.approx(10.0)
    for _ in range(10):
        left.add("simulate", 0.0, 10.0, is_skipped=True)
    assert left.left_second(10.0) == pytest.approx(5.0)


def test_without_a_terminal_no_control_characters_are_written() -> None:
    out = io.StringIO()
    progress = Progress([("clean", 1)], out)
    progress.add(JobOutcome(("clean", "A", "clean"), "done"))
    progress.say("done")
    progress.close()
    assert "\x1b" not in out.getvalue()
