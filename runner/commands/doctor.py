"""``kilocell doctor``: check this computer."""

from __future__ import annotations

from pathlib import Path

import click

from ..campaign.default_paths import store_root
from . import options


@click.command(short_help="Check this computer, and say what to do about each problem.")
@options.store_option
@click.option("--quick", is_flag=True, help="Leave out the solver, which takes a few seconds.")
@options.json_option
def doctor(store: Path | None, quick: bool, json_: bool) -> None:
    """Check Python, packages, compiler, solver, disk, memory, ports and Slurm, and say what to do about each problem.

    Nothing is installed or changed; small files are written to the store's folder and removed again. The exit code is 1
    if there is a problem.
    """
    from ..doctor.examine import show_examination

    raise SystemExit(show_examination(store_root(store), quick=quick, json_=json_))
