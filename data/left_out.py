"""Say what an answer leaves out because a file of the store is missing or damaged: the rest is shown.

The command line listens to the logger ``kilocell.data.left_out``: it prints each reason, and its exit code is then 1.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

LOGGER: Final = logging.getLogger(__name__)


def leave_out(error: Exception | str) -> None:
    """Log why something is left out.

    Args:
        error: its text, or the text, names the file, and says what to do.
    """
    LOGGER.warning("left out: %s", error)


class _Collector(logging.Handler):
    """Keeps messages, each once, and says each as it comes."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self.messages:
            self.messages.append(message)
            self._say(message)


@contextmanager
def collect_left_out(say: Callable[[str], None]) -> Iterator[list[str]]:
    """Collect what is left out in the block, instead of logging it elsewhere.

    Args:
        say: is called with each message when it comes, each once.

    Yields:
        The messages in their order; filled while the block runs.
    """
    collector = _Collector(say)
    propagated = LOGGER.propagate
    LOGGER.addHandler(collector)
    LOGGER.propagate = False
    try:
        yield collector.messages
    finally:
        LOGGER.removeHandler(collector)
        LOGGER.propagate = propagated
