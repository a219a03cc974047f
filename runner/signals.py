"""How a signal ends the program: with one line and the exit code that shells expect, at any moment.

It imports almost nothing, so that it can take the signals over before the slow imports. Workers and queued jobs are
stopped by the ``with`` blocks that started them: a signal raises :class:`Stopped` in the main thread.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

ENDINGS = {
    signal.SIGINT: (130, "interrupted"),
    signal.SIGTERM: (143, "terminated"),
    signal.SIGHUP: (129, "hung up"),
}
"""Exit code of each signal (128 + its number), and the word for it."""

IMPATIENCE_SECOND = 3.0
"""A second signal within this time is the same wish again. Later, it ends what hangs. Chosen, not measured."""


class Stopped(KeyboardInterrupt):
    """Raised in the main thread on SIGINT, SIGTERM or SIGHUP.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.exit_code, self.word = ENDINGS[signal.Signals(number)]

    @property
    def line(self) -> str:
        """What the user reads."""
        return f"{self.word}; finished jobs are kept. Run the same command again to continue."


class _Ending:
    """Answers signals; one for the program.

    ``needs_closing`` counts the open ``with`` blocks of :func:`closing_needed`; ``stopped_second`` is when the last
    signal came, on :func:`time.monotonic`.
    """

    def __init__(self) -> None:
        self.needs_closing = 0
        self.stopped_second = -IMPATIENCE_SECOND

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if time.monotonic() - self.stopped_second < IMPATIENCE_SECOND:
            return
        self.stopped_second = time.monotonic()
        stopped = Stopped(number)
        if not self.needs_closing and _is_importing(frame):
            # An import may swallow the error, or make another one of it. Nothing is open yet: leave at once.
            with suppress(OSError):
                os.write(2, f"{stopped.line}\n".encode())
            os._exit(stopped.exit_code)
        raise stopped


_answer = _Ending()


def take_signals() -> None:
    """Answer SIGINT, SIGTERM and SIGHUP from now on; those that are ignored (``nohup``, ``&``) stay ignored."""
    for number in ENDINGS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _answer)


@contextmanager
def closing_needed() -> Iterator[None]:
    """Say that something is open which must be closed: a signal always raises, and never ends the program at once."""
    _answer.needs_closing += 1
    try:
        yield
    finally:
        _answer.needs_closing -= 1


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Let a signal wait until the block ends, so that what the block opens can be closed."""
    waiting: list[int] = []
    with _handlers(lambda number, frame: waiting.append(number)):
        yield
    if waiting:
        signal.raise_signal(waiting[0])


@contextmanager
def ignored_signals() -> Iterator[None]:
    """Ignore signals, such as an impatient second Ctrl-C while workers are stopped."""
    with _handlers(lambda number, frame: None):
        yield


@contextmanager
def shielded_threads() -> Iterator[None]:
    """Keep SIGINT and SIGHUP from threads that begin in the block, and from all processes that those start.

    A terminal sends both to every process of a command. Only the main one answers, and stops the others.
    """
    numbers = {signal.SIGINT, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave(code: int) -> None:
    """End the program with an exit code, quietly also if nobody reads its output any more.

    Raises:
        SystemExit: always.
    """
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except BrokenPipeError:
            _point_to_nothing(stream)
            code = 0
        except (OSError, ValueError):
            _point_to_nothing(stream)
    raise SystemExit(code)


def _point_to_nothing(stream: Any) -> None:
    """Send what a stream still holds to nowhere; Python writes it at its end, and would complain."""
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)


@contextmanager
def _handlers(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """Answer the signals with another handler in the block; in other threads than the main one, do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in ENDINGS}
    try:
        yield
    finally:
        for number, action in before.items():
            if action is not None:
                signal.signal(number, action)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__") == "importlib._bootstrap":
            return True
        frame = frame.f_back
    return False
