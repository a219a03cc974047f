"""Run all checks, and print what they found."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

from ...data.text import printable_text
from ..show.terminal import print_lines
from . import disk, machine, packages, solver
from .check import Check

NAME_WIDTH: Final = 15
STATE_WIDTH: Final = 7


def examine(root: Path, *, quick: bool) -> Iterator[Check]:
    """Yield what each check finds, as soon as it has ended.

    Args:
        root: the store's folder; need not exist.
        quick: leave out the solver, which takes a few seconds.
    """
    yield packages.check_python()
    yield packages.check_sqlite()
    yield from packages.check_packages()
    yield solver.check_compiler()
    yield disk.check_catalog(root)
    yield from disk.check_disk(root)
    yield machine.check_cores()
    yield machine.check_memory()
    yield from machine.check_environment()
    yield machine.check_port()
    yield machine.check_slurm()
    if not quick:
        yield solver.check_solver()


def show_examination(root: Path, *, quick: bool, json_: bool) -> int:
    """Print each check with its state, and what to do.

    Args:
        root: the store's folder; need not exist.
        quick: leave out the solver.
        json_: print JSON.

    Returns:
        The exit code: 1 if there is a problem, else 0.
    """
    checks = []
    for check in examine(root, quick=quick):
        checks.append(check)
        if not json_:
            print_lines(map(printable_text, _lines(check)))
            sys.stdout.flush()
    problems = sum(check.state == "problem" for check in checks)
    if json_:
        print(json.dumps([asdict(check) for check in checks], ensure_ascii=False, indent=1))
    else:
        notes = sum(check.state == "note" for check in checks)
        print(f"\n{len(checks)} checks: {_count(problems, 'problem')}, {_count(notes, 'note')}")
    return 1 if problems else 0


def _lines(check: Check) -> Iterable[str]:
    yield f"{check.state:<{STATE_WIDTH}}  {check.name:<{NAME_WIDTH}}  {check.found}"
    if check.advice:
        yield f"{'':<{STATE_WIDTH}}  {'':<{NAME_WIDTH}}  → {check.advice}"


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
