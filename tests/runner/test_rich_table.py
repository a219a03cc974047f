"""Tables on a terminal: as wide as it, nothing lost, numbers whole, colours where something is wrong."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from filled_store import fill
from kilocell.runner.show import table as tables
from kilocell.runner.show import terminal
from kilocell.runner.show.table import table, width
from kilocell.runner.show.terminal import Terminal, print_lines, rows_shown

ANSI = re.compile(r"\x1b\[[0-9;]*m")
HEADINGS = ("cell", "model", "parameter set", "cycle", *(f"quantity {number} mV" for number in range(9)), "status")
ROWS = [
    ("CELL_A", "SPMe", "Chen2020+diffusion", 2, *(1234.5 + number for number in range(9)), "failed"),
    ("电池" * 20, "DFN", "[red]x[/red] :smile: $_%", 3, *(None for _ in range(9)), "done"),
    ("<script>alert(1)</script>" * 8, "SPM", "a\x1b[31mb", 4, *(0.00012 for _ in range(9)), "skipped"),
]


def use(monkeypatch: pytest.MonkeyPatch, columns: int, colours: bool = False) -> None:
    for module in (tables, terminal):
        monkeypatch.setattr(module, "find_terminal", lambda: Terminal(columns, colours))


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 250])
def test_a_table_is_as_wide_as_the_terminal_and_loses_nothing(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    use(monkeypatch, columns)
    text = table(HEADINGS, ROWS)
    lines = text.split("\n")
    assert max(width(line) for line in lines) <= columns
    for number in range(9):
        assert f"{1234.5 + number:.2f}" in text.split()  # never wrapped, never cut
    assert text.split().count("0.00012") == 9
    assert text.count("<") >= 16
    assert text.count("电") >= 20
    assert "…" not in text
    assert "\x1b" not in text


def test_each_block_of_a_folded_table_says_what_its_rows_are_about(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, 80)
    blocks = table(HEADINGS, ROWS[:1]).split("\n\n")
    assert len(blocks) > 1
    assert all("CELL_A" in block and "Chen2020+diffusion" in block for block in blocks)


def test_what_matters_comes_first_if_a_table_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    headings = ("cell", "rows", "cycles", "model", "RMSE mV")
    for columns, order in ((80, list(headings)), (30, ["cell", "model", "RMSE", "rows"])):
        use(monkeypatch, columns)
        text = table(headings, [("Cell781_0p1C", 1, 2, "SPMe", 3.0)], folded=("cell", "model", "RMSE mV"))
        places = [text.index(word) for word in order]
        assert places == sorted(places)


def test_a_further_block_leaves_out_rows_of_which_it_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, 40)
    rows = [("A", *(1.0 for _ in range(9)), None), ("B", *(1.0 for _ in range(9)), "SPMe-Chen2020+diffusion")]
    *_, last = table(("cell", *(f"n{number}" for number in range(9)), "lineage"), rows).split("\n\n")
    assert "SPMe-Chen2020+diffusion" in last
    assert not any(line.startswith("A") for line in last.split("\n"))


def test_texts_are_data_and_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, 250, colours=True)
    text = ANSI.sub("", table(HEADINGS, ROWS))
    assert "[red]x[/red] :smile: $_%" in text
    assert r"a\x1b[31mb" in text


def test_what_is_wrong_has_a_colour_and_headings_are_bold(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, 80, colours=True)
    rows = [("failed", "! 1.30", "failed"), ("warning", "0.65", "done")]
    text = table(("cell", "± mV", "status"), rows, right=(1,))
    assert "\x1b[31mfailed" in text
    assert "\x1b[33m! 1.30" in text
    assert "\x1b[1mcell" in text
    assert text.count("\x1b[31m") == 1  # a cell that is called so is a name


def test_a_text_below_a_row_is_indented_and_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, 40)
    text = table(("parameter", "value"), [("x", 1.0), ("y", 2.0)], below=("a verdict " * 8, ""))
    assert all(len(line) <= 40 for line in text.split("\n"))
    assert sum(line.startswith(("  a", "  v")) for line in text.split("\n")) > 1
    assert text.split().count("verdict") == 8


def test_in_a_pipe_a_row_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = table(HEADINGS, ROWS).split("\n")
    assert len(lines) == 2 + len(ROWS)
    assert lines[4].startswith("<script>alert(1)</script>" * 8)
    assert rows_shown(1000, 60, None) == 1000
    use(monkeypatch, 80)
    assert rows_shown(1000, 60, None) == 60
    assert rows_shown(1000, 60, 500) == 1000  # the filter has cut them already


@pytest.mark.parametrize(
    ("setting", "wanted"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)]
)
def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch, setting: dict[str, str], wanted: bool) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    assert terminal.wants_colours() is wanted


def test_long_lines_are_broken_between_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    print_lines(["word " * 30])
    assert capsys.readouterr().out.count("\n") == 1
    use(monkeypatch, 50)
    print_lines(["  word " * 30])
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines) <= 50
    assert lines[1].startswith("      word")


def test_a_real_terminal_has_colours_and_a_pipe_has_not(tmp_path: Path) -> None:
    fill(tmp_path, "A", "B")
    command = [sys.executable, "-m", "kilocell.runner", "results", "--store", str(tmp_path)]
    environment = {**os.environ, "COLUMNS": "60", "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the terminal is gone when the command has ended
            while block := os.read(ours, 65536):
                shown += block
    os.close(ours)
    assert process.returncode == 0
    text = shown.decode().replace("\r\n", "\n")
    assert "\x1b[1mcell" in text
    assert max(width(line) for line in ANSI.sub("", text).split("\n")) <= 60
    piped = subprocess.run(command, capture_output=True, env=environment, check=True, text=True)
    assert "\x1b" not in piped.stdout
    assert piped.stdout.startswith("cell")


def test_accents_take_no_column_and_wide_characters_two() -> None:
    assert (width("e\u0301"), width("电池"), width("abc"), width("é")) == (1, 4, 3, 1)
