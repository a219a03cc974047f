"""Say what an answer leaves out because a file of the store is missing or damaged: the rest is shown.

The command line listens to the logger ``kilocell.left_out``: it prints each reason, and its exit code is then 1.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LOGGER: Final = logging.getLogger("kilocell.left_out")


def leave_out(error: Exception) -> None:
    """Log why something is left out.

    Args:
        error: its text names the file, and says what to do.
    """
    LOGGER.warning("left out: %s", error)


class _Collector(logging.Handler):
    """Keeps messages, each once."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.setdefault(record.getMessage())


@contextmanager
def collect_left_out() -> Iterator[dict[str, None]]:
    """Collect what is left out in the block, instead of logging it elsewhere.

    Yields:
        The messages, as keys in their order, each once; filled while the block runs.
    """
    collector = _Collector()
    propagated = LOGGER.propagate
    LOGGER.addHandler(collector)
    LOGGER.propagate = False
    try:
        yield collector.messages
    finally:
        LOGGER.removeHandler(collector)
        LOGGER.propagate = propagated
