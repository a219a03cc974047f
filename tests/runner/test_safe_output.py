"""What is printed controls no terminal, and every terminal can show it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from kilocell.runner.run.progress import Progress
from kilocell.runner.show.safe_output import SafeStream, harmless, safe_output
from kilocell.runner.show.table import table
from kilocell.runner.worker.run_job import JobOutcome


def terminal(encoding: str, monkeypatch: pytest.MonkeyPatch) -> io.TextIOWrapper:
    """Make standard output and error those of a terminal with this encoding."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def written(stream: io.TextIOWrapper) -> str:
    content: bytes = stream.buffer.getvalue()  # type: ignore[attr-defined]
    return content.decode(stream.encoding)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_terminal_shows_tables_bars_and_names(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = terminal(encoding, monkeypatch)
    with safe_output():
        print(table(["cell", "D / m² s⁻¹"], [["Zelle–ß·电池\udcff", None]]))
        click.echo("± 3 µV → 25 °C …")
        progress = Progress([("clean", 1)], sys.stderr)
        progress.add(JobOutcome(("clean", "A", "clean"), "done", seconds=1.0))
        progress.say("failed     clean 电池")
        progress.close()
    shown = written(out)
    assert "\\udcff" in shown
    if out.encoding == "ascii":
        assert "m2 s-1" in shown
        assert "Zelle-\\xdf.\\u7535\\u6c60" in shown
        assert "+/- 3 uV -> 25 deg C ..." in shown
        assert "###" in shown
    if out.encoding == "latin-1":
        assert "± 3 µV -> 25 °C ..." in shown
        assert "ß" in shown
    if out.encoding == "utf-8":
        assert "± 3 µV → 25 °C …" in shown
        assert "███" in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b[2J\x1b[1;1H", "\\x1b[2J\\x1b[1;1H"),
        ("\x1b[8mhidden", "\\x1b[8mhidden"),
        ("\x9b31m \x7f", "\\u009b31m \\u007f"),
        ("over\rwritten\b", "over\\x0dwritten\\x08"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\tb\r\nc\n", "a\tb\r\nc\n"),
        ("\x1b[1;31mred\x1b[0m \x1b[92mgreen\x1b[39m\x1b[m", "\x1b[1;31mred\x1b[0m \x1b[92mgreen\x1b[39m\x1b[m"),
    ],
)
def test_control_characters_never_reach_a_terminal_raw(text: str, shown: str) -> None:
    stream = io.StringIO()
    safe = SafeStream(stream)
    assert safe.write(text) == len(text)
    assert stream.getvalue() == shown == harmless(text)


def test_json_stays_json() -> None:
    text = json.dumps({"cell_id": "a\x1b\x7f\x9b\u202e\n"}, ensure_ascii=False)
    assert json.loads(harmless(text)) == json.loads(text)


def test_the_streams_are_as_before_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    out = terminal("utf-8", monkeypatch)
    with safe_output():
        assert sys.stdout is not out
        assert not hasattr(sys.stdout, "buffer")
    assert sys.stdout is out


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["", "latin-1"])
def test_a_finished_run_ends_without_a_traceback_in_an_old_terminal(tmp_path: Path, encoding: str) -> None:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "OMP_NUM_THREADS": "1"}
    if encoding:
        environment["PYTHONIOENCODING"] = encoding
    for arguments in (("synthesize", "--cells", "1", "--out", "raw"), ("init", "raw/*.csv"), ("clean",), ("findings",)):
        done = subprocess.run(
            [sys.executable, "-m", "kilocell", *arguments], cwd=tmp_path, env=environment, capture_output=True
        )
        shown = (done.stdout + done.stderr).decode(encoding or "ascii")
        assert done.returncode == 0, shown
        assert "Traceback" not in shown
