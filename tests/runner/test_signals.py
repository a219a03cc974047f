"""Signals and closed pipes: one line, the exit code that shells expect, and no process that stays behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from campaigns import PATIENCE_SECOND, environment
from kilocell.runner import signals
from kilocell.runner.run.progress import Progress

slow = pytest.mark.slow
KILOCELL = [sys.executable, "-m", "kilocell"]
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
LINE = "Run the same command again to continue."
MARK = "KILOCELL_TEST_FOLDER"
"""Environment variable by which all processes that a command started are found."""


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in CODES}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def relatives(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until_signals_are_taken(pid: int) -> None:
    """Wait until a process answers SIGHUP itself: on a busy machine the interpreter takes long to come to kilocell."""
    status = Path(f"/proc/{pid}/status")
    deadline = time.monotonic() + PATIENCE_SECOND
    while status.exists() and time.monotonic() < deadline:
        caught = re.search(r"SigCgt:\s*([0-9a-f]+)", status.read_text())
        if caught is None or int(caught[1], 16) >> (signal.SIGHUP - 1) & 1:
            return
        time.sleep(0.01)


def signalled(folder: Path, command: list[str], number: signal.Signals, delay_second: float) -> str:
    """Send a signal to a command and all that it started, as a terminal does; return what it printed to stderr."""
    run = subprocess.Popen(
        [*KILOCELL, *command],
        cwd=folder,
        env={**environment(), MARK: str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    try:
        time.sleep(delay_second)
        wait_until_signals_are_taken(run.pid)
        os.killpg(run.pid, number)
        _, said = run.communicate(timeout=PATIENCE_SECOND)
        psutil.wait_procs(relatives(folder), timeout=PATIENCE_SECOND)
        assert not relatives(folder)
        assert run.returncode == CODES[number], said
    finally:
        for process in relatives(folder):
            process.kill()
    return said


@pytest.mark.parametrize("number", CODES)
def test_a_signal_while_the_program_starts_is_one_line(number: signal.Signals, tmp_path: Path) -> None:
    said = signalled(tmp_path, ["demo", "--dashboard-address", "none"], number, 0.6)
    # Click ends the line on which a terminal shows ^C, unless the program still imports: an empty line is no text.
    *first, line = filter(None, said.splitlines())
    assert line.endswith(LINE)
    assert not [text for text in first if not text.startswith(("reading ", "planning ", "starting "))]


@slow
@pytest.mark.parametrize("delay_second", [0.15, 0.4, 1.0, 2.0, 3.0, 3.5, 4.0, 4.5, 5.0])
def test_a_signal_at_any_moment_leaves_one_line_and_no_process(delay_second: float, tmp_path: Path) -> None:
    numbers = list(CODES)
    number = numbers[int(delay_second * 10) % len(numbers)]
    said = signalled(tmp_path, ["demo", "--dashboard-address", "none"], number, delay_second)
    assert "Traceback" not in said
    assert said.count(LINE) == 1


@pytest.mark.parametrize("command", [["--help"], pytest.param(["models"], marks=slow), ["version"]])
def test_a_closed_pipe_is_quiet(command: list[str], tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*KILOCELL, *command], cwd=tmp_path, env=environment(), stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_closed_pipe_for_errors_is_quiet(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", '( "$@" 2>&1; echo $? >code ) | true', "sh", *KILOCELL, "nonsense"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    assert (tmp_path / "code").read_text().strip() == "0"


def test_progress_goes_on_without_its_reader() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        progress = Progress([("clean", 3)], stream)
        progress.say("nobody reads this")
        progress.say("nor this")
        progress.close()
        signals._point_to_nothing(stream)


def test_an_ignored_hangup_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    signals.take_signals()
    signal.raise_signal(signal.SIGHUP)


def test_deferred_signals_come_after_the_block() -> None:
    signals.take_signals()
    signals._answer.stopped_second = -signals.IMPATIENCE_SECOND
    opened = []

    def open_something() -> None:
        with signals.deferred_signals():
            signal.raise_signal(signal.SIGTERM)
            opened.append("all of it")
        opened.append("more")

    with pytest.raises(signals.Stopped) as caught:
        open_something()
    assert opened == ["all of it"]
    assert caught.value.exit_code == 143


def test_an_impatient_second_signal_does_not_disturb_what_is_closed() -> None:
    signals.take_signals()
    signals._answer.stopped_second = -signals.IMPATIENCE_SECOND
    with pytest.raises(signals.Stopped):
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    with signals.ignored_signals():
        signal.raise_signal(signal.SIGTERM)
