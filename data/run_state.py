"""Say whether a run that the catalog knows as running is alive: the lock on its store knows, its catalog does not."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

SILENCE_SECOND: Final = 300.0
"""Without a sign of life for so long, a run on another machine whose lock is free has ended, s. A run gives one about
every 10 s. Chosen, not measured."""

RUNNING: Final = "running"
ENDED_SILENTLY: Final = "ended_silently"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds, or was the last to hold, the lock on a store.

    Args:
        host: name of its machine.
        pid: number of the process.
        since_unix_second: when it took the lock, s since 1970.
        machine: id of the machine since it was started; "" = not known.
        command: its command line; "" = not known.
    """

    host: str
    pid: int
    since_unix_second: float
    machine: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock on a store, as this process sees it.

    Args:
        is_held: whether a process holds it; ``None`` = not known.
        why: why that is not known.
        holder: who holds it, or held it last; ``None`` = not known.
    """

    is_held: bool | None
    why: str = ""
    holder: Holder | None = None


@dataclass(frozen=True, slots=True)
class RunState:
    """Whether a run is alive, or how it ended.

    Args:
        status: ``running``, ``ended_silently``, ``unknown`` (alive or not), or as the catalog has it: ``done``,
            ``failed``, ``interrupted``.
        why: how that is known, or why it is not, for people; "" = the run itself wrote it.
    """

    status: str
    why: str = ""

    @property
    def may_run(self) -> bool:
        """Whether the run is alive as far as is known."""
        return self.status in (RUNNING, UNKNOWN)


@cache
def machine_id() -> str:
    """Return an id of this machine that is another one after each start, also the same in its containers; "" = none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def find_run_state(run: Mapping[str, Any], lock: Lock, now_unix_second: float) -> RunState:
    """Return whether a run is alive, or how it ended.

    A lock says for certain that a run is alive. That it is free says for certain that the run has ended only on the
    run's own machine: some shared file systems keep locks to each machine. From elsewhere, the run's signs of life
    count, too.

    Args:
        run: a row of the table ``runs``.
        lock: the lock on its store.
        now_unix_second: now, s since 1970.
    """
    if run["status"] != RUNNING:
        return RunState(str(run["status"]))
    holder = lock.holder
    is_holder = holder is not None and (holder.host, holder.pid) == (run["host"], run["pid"])
    if lock.is_held:
        if is_holder or holder is None:
            return RunState(RUNNING, "it holds the lock on the store")
        return RunState(ENDED_SILENTLY, f"process {holder.pid} on {holder.host} holds the lock on the store now")
    silent_second = max(now_unix_second - last_sign_unix_second(run), 0.0)
    if lock.is_held is False:
        if _is_here(holder if is_holder else None, str(run["host"])):
            return RunState(ENDED_SILENTLY, "it does not hold the lock on the store any more")
        return _free_elsewhere(str(run["host"]), silent_second)
    if run["host"] == socket.gethostname() and not _is_process(int(run["pid"])):
        return RunState(ENDED_SILENTLY, f"there is no process {run['pid']} any more")
    return RunState(UNKNOWN, f"{lock.why}; its last sign of life is {silent_second:.0f} s old")


def last_sign_unix_second(run: Mapping[str, Any]) -> float:
    """Return when a run, a row of the table ``runs``, gave its last sign of life, s since 1970."""
    return float(max(run["seen_unix_second"] or 0.0, run["started_unix_second"]))


def current_run(run: Mapping[str, Any], lock: Lock, now_unix_second: float) -> dict[str, Any]:
    """Return a row of the table ``runs`` for a reader: its status is what is true now.

    Returns:
        The columns; ``status`` of :class:`RunState`, ``status_reason`` how that is known, and ``recorded_status`` as
        the catalog has it.
    """
    state = find_run_state(run, lock, now_unix_second)
    return {**run, "status": state.status, "status_reason": state.why, "recorded_status": run["status"]}


def holder_dict(lock: Lock) -> dict[str, Any]:
    """Return a lock as JSON has it: is_held (``None`` = not known), why, and who holds it or held it last."""
    return {"is_held": lock.is_held, "why": lock.why, "holder": asdict(lock.holder) if lock.holder else None}


def _free_elsewhere(host: str, silent_second: float) -> RunState:
    if silent_second >= SILENCE_SECOND:
        silence = f"{silent_second / 60:.0f} min"
        return RunState(ENDED_SILENTLY, f"its lock on the store is free, and it gave no sign of life for {silence}")
    return RunState(
        UNKNOWN,
        f"it ran on {host}. From this machine its lock is free, but not every shared file system shows locks of other "
        f"machines, and its last sign of life is only {silent_second:.0f} s old; ask on {host}, or again in "
        f"{SILENCE_SECOND / 60:.0f} min",
    )


def _is_here(holder: Holder | None, host: str) -> bool:
    """Tell whether a process runs, or ran, on this machine since it was started."""
    if holder is not None and holder.machine and machine_id():
        return holder.machine == machine_id()
    return host == socket.gethostname()


def _is_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
