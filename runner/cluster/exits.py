"""Note how worker processes end: their exit code or signal, and their memory shortly before.

A worker that is killed says nothing. Its nanny, the process that started it, knows the exit code and can see the
worker's memory; this plugin of the nanny appends both to a file.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psutil
from distributed.diagnostics.plugin import NannyPlugin
from tornado.ioloop import PeriodicCallback

EXITS_FILE: Final = "exits.jsonl"
"""Name of the file, in the folder of the workers' logs."""

SAMPLING_SECOND: Final = 0.2
"""Time between two looks at a worker's memory."""


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """How a worker process ended.

    Args:
        host: name of its machine.
        pid: number of the process.
        exit_code: of the process; negative = the signal that ended it.
        memory_bytes: resident memory, as last seen; 0 = it was never seen.
        limit_bytes: memory limit of the worker; 0 = none.
        over_limit: whether its nanny ended it because of that limit.
        unix_second: when it ended, s since 1970.
    """

    host: str
    pid: int
    exit_code: int
    memory_bytes: int
    limit_bytes: int
    over_limit: bool
    unix_second: float


class WorkerExits(NannyPlugin):
    """Appends a line to a file when a worker process ends.

    Args:
        path: the file.
    """

    name = "kilocell-exits"

    def __init__(self, path: str) -> None:
        self.path = path

    def setup(self, nanny: Any) -> None:
        """Watch the worker of a nanny, and all that replace it."""
        seen = {"pid": 0, "memory": 0}
        nanny_ended = nanny._on_worker_exit

        def look() -> None:
            pid = _worker_pid(nanny)
            if pid and pid != seen["pid"]:
                seen.update(pid=pid, memory=0)
            with suppress(psutil.Error):
                memory = psutil.Process(pid).memory_info().rss if pid else 0
                if memory:  # a process that has just ended has none left
                    seen.update(memory=memory)

        async def ended(exit_code: int) -> None:
            manager = nanny.memory_manager
            over_limit = getattr(manager, "_last_terminated_pid", -1) == seen["pid"]
            limit = getattr(manager, "memory_limit", None) or 0
            self._append(seen["pid"], exit_code, seen["memory"], int(limit), over_limit)
            seen.update(pid=0, memory=0)
            await nanny_ended(exit_code)

        nanny._on_worker_exit = ended
        look()
        watch = PeriodicCallback(look, SAMPLING_SECOND * 1000)
        nanny.periodic_callbacks[self.name] = watch
        watch.start()

    def _append(self, pid: int, exit_code: int, memory: int, limit: int, over_limit: bool) -> None:
        ended = WorkerExit(socket.gethostname(), pid, exit_code, memory, limit, over_limit, time.time())
        try:
            with Path(self.path).open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(ended)) + "\n")
        except OSError:
            return  # a full disk must not keep the nanny from starting another worker


def _worker_pid(nanny: Any) -> int:
    """Return the process number of a nanny's worker; 0 = it has none now."""
    process = getattr(nanny.process, "process", None)
    return int(getattr(process, "pid", 0) or 0)


def watch_exits(client: Any, scratch: Path) -> None:
    """Let the nannies of a run's own cluster note how its workers end.

    Args:
        client: a ``distributed.Client``.
        scratch: the folder of the workers' logs; notes of an earlier run are deleted.
    """
    path = scratch / EXITS_FILE
    path.unlink(missing_ok=True)
    client.register_plugin(WorkerExits(str(path)))


def read_exits(scratch: Path) -> Iterator[WorkerExit]:
    """Yield how the workers of the run ended, in order; nothing if it is not known."""
    try:
        lines = (scratch / EXITS_FILE).read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            yield WorkerExit(**json.loads(line))
        except (ValueError, TypeError):
            continue
