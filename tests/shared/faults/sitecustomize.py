"""Faults on schedule, for the processes of a run that a test starts with this folder on ``PYTHONPATH``.

Python imports this module when a process starts. ``KILOCELL_FAULTS`` says which events fail (``fault_injection.py``).
Events are counted in a file, so that the nth is the nth of all processes of the run.
"""

from __future__ import annotations

import errno
import importlib.abc
import importlib.machinery
import json
import os
import signal
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

PLAN = json.loads(os.environ["KILOCELL_FAULTS"])
STORE = Path(PLAN["store"])
BLOCK_BYTES = 10_000_000
MOST_BYTES = 3_000_000_000  # if no limit ends the process
SOLVERS = "pybamm.solvers.base_solver"


def fire(at: str, subject: str) -> None:
    """Let an event fail if it is its turn.

    Args:
        at: kind of event.
        subject: what the faults' texts are looked for in.
    """
    for number, fault in enumerate(PLAN["faults"]):
        if fault["at"] != at or fault["match"] not in subject:
            continue
        counter = os.open(f"{PLAN['counters']}/{number}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(counter, b"x")
        count = os.lseek(counter, 0, os.SEEK_CUR)
        os.close(counter)
        if fault["first"] <= count <= fault["last"]:
            fail(fault["then"])


def fail(how: str) -> None:
    if how.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, how))
    elif how == "hang":
        sum(range(10**13))  # in C, with the interpreter's lock, for days
    elif how == "allocate":
        blocks: list[bytes] = []
        while len(blocks) * BLOCK_BYTES < MOST_BYTES:
            blocks.append(b"x" * BLOCK_BYTES)
            time.sleep(0.01)
    else:
        raise OSError(getattr(errno, how), os.strerror(getattr(errno, how)))


def job_of_process() -> str:
    """Return kind, cell and label of the job that runs in this process, with slashes; "" = none does."""
    for path in (STORE / "receipts").glob("*/*.begun"):
        try:
            begun = [line for line in path.read_text().splitlines() if line.startswith("{")]
        except OSError:
            continue
        if begun and json.loads(begun[-1])["pid"] == os.getpid():
            return path.relative_to(STORE / "receipts").as_posix().replace("~", "/")
    return ""


def fsync(descriptor: Any) -> None:
    """Fail as a disk does that has taken only a part of a file."""
    path = Path(f"/proc/self/fd/{descriptor}").readlink()
    try:
        fire("write", str(path))
    except OSError:
        os.truncate(path, path.stat().st_size // 2)
        raise
    real_fsync(descriptor)


class Connection(sqlite3.Connection):
    """A catalog of which a commit can fail."""

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement == "COMMIT":
            try:
                fire("commit", "with receipts" if any(STORE.glob("cleaned/*.parquet")) else "without receipts")
            except OSError as error:
                full = error.errno == errno.ENOSPC
                failed = sqlite3.OperationalError("database or disk is full" if full else "disk I/O error")
                failed.sqlite_errorname = "SQLITE_FULL" if full else "SQLITE_IOERR_WRITE"
                raise failed from error
        return super().execute(statement, *values)


def connect(*arguments: Any, **named: Any) -> sqlite3.Connection:
    opened: sqlite3.Connection = real_connect(*arguments, **{"factory": Connection, **named})
    return opened


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Changes PyBaMM's solvers when they are imported."""

    found: Any = None

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != SOLVERS:
            return None
        self.found = importlib.machinery.PathFinder.find_spec(name, path, target)
        return importlib.machinery.ModuleSpec(name, self, origin=self.found.origin)

    def exec_module(self, module: Any) -> None:
        module.__spec__ = self.found
        module.__file__ = self.found.origin
        module.__loader__ = self.found.loader
        self.found.loader.exec_module(module)
        solve = module.BaseSolver.solve

        def watched(*arguments: Any, **named: Any) -> Any:
            fire("solve", job_of_process())
            return solve(*arguments, **named)

        module.BaseSolver.solve = watched


real_fsync = os.fsync
real_connect: Any = sqlite3.connect
for changed, name, function in ((os, "fsync", fsync), (sqlite3, "connect", connect)):
    setattr(changed, name, function)
sys.meta_path.insert(0, Finder())
