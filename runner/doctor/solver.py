"""Check the compiler, and solve one small model in a process of its own: a crash there ends only that process."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from typing import Final

from ..worker.model_cache import COMPILER
from .check import Check

LONGEST_SECOND: Final = 120.0
"""Time after which the solver is given up, s. Import and solution take 2 s; a slow network disk needs more."""

LONGEST_REASON: Final = 300  # characters
REINSTALL: Final = "pip install --force-reinstall pybamm pybammsolvers"


def check_compiler() -> Check:
    """Check whether the compiler is there that makes models faster."""
    path = shutil.which(COMPILER)
    if path is None:
        advice = "only speed: models take two to three times as long without it. Debian and Ubuntu: apt install gcc"
        return Check("compiler", "note", f"no {COMPILER}", advice)
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("compiler", "note", f"{path} does not run: {error}", "only speed: install it again")
    first = (done.stdout.splitlines() or [path])[0]
    if done.returncode:
        return Check("compiler", "note", f"{path} ends with {done.returncode}", "only speed: install it again")
    return Check("compiler", "ok", f"{first}: compiles models, which are then two to three times as fast")


def check_solver() -> Check:
    """Import PyBaMM and solve a single particle model with IDAKLU, in a process of its own."""
    command = [sys.executable, "-m", "kilocell.jobs.models.solver_check"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECOND, check=False)
    except subprocess.TimeoutExpired:
        advice = "is the disk with the Python packages slow, or the computer very busy? Try again"
        return Check("solver", "problem", f"no answer after {LONGEST_SECOND:.0f} s", advice)
    except OSError as error:
        return Check("solver", "problem", f"{sys.executable} does not start: {error}", "install Python again")
    if done.returncode < 0:
        found = f"the process was killed by {signal.Signals(-done.returncode).name} while PyBaMM was loaded or solved"
        advice = f"the solver's binary does not suit this processor, or memory is short. {REINSTALL}"
        return Check("solver", "problem", found, advice)
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        return Check("solver", "problem", lines[-1][:LONGEST_REASON], REINSTALL)
    found = f"IDAKLU of PyBaMM {answer['pybamm']} solved an SPM: import {answer['import_second']:.1f} s"
    return Check("solver", "ok", f"{found}, model {answer['build_second']:.1f} s, solution {answer['solve_ms']:.0f} ms")
