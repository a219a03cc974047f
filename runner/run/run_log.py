"""The log of a run: the lines that it said, with their times, in a file of the store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from ...data.text import printable_text
from ...parquet_store.layout import Store


class RunLog:
    """Appends lines to the log of one run; a full disk, for example, ends the log and not the run.

    Args:
        store: the run's store.
        run_id: of the catalog.
    """

    def __init__(self, store: Store, run_id: int) -> None:
        self._path: Path | None = store.run_log(run_id)
        self._lock = threading.Lock()
        self.name = store.relative(store.run_log(run_id))

    def add(self, line: str) -> None:
        """Write a line with its time; several threads may call this."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        with self._lock:
            if self._path is None:
                return
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(f"{stamp} {printable_text(line)}\n")
            except OSError:
                self._path = None

    def beside(self, say: Callable[[str], None]) -> Callable[[str], None]:
        """Return a function that says a line and adds it to the log.

        Args:
            say: says a line to the user.
        """

        def say_both(line: str) -> None:
            self.add(line)
            say(line)

        return say_both
