"""A run that is killed at a random moment ends, when it is run again, with the store of an undisturbed run.

A few kills; ``benchmarks/kills.py`` makes as many as one likes. ``KILOCELL_KILLS`` and ``KILOCELL_KILLS_SEED`` change
number and seed here.
"""

from __future__ import annotations

import os
import random
import time
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from kills import (
    JOBS,
    LOCAL,
    Place,
    Snapshot,
    draw_moment,
    run_undisturbed,
    run_with_kill,
    wait_for_jobs,
    write_campaign_to_kill,
)

pytestmark = pytest.mark.slow

KILLS: Final = int(os.environ.get("KILOCELL_KILLS", "2"))
"""Kills of each cluster."""

SEED: Final = int(os.environ.get("KILOCELL_KILLS_SEED", "16" if os.environ.get("CI") else time.time_ns() % 1_000_000))
"""Of the moments and of what is killed: in CI the same every time."""

KINDS: Final = {"split", "clean", "simulate", "start", "fit", "profile"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Snapshot]:
    """A campaign, and the store of an undisturbed run of it."""
    folder = tmp_path_factory.mktemp("killed")
    write_campaign_to_kill(folder)
    with Place(folder, LOCAL) as place:
        found = run_undisturbed(place)
    return folder, found


def test_every_kind_of_job_occurs(undisturbed: tuple[Path, Snapshot]) -> None:
    receipts = [name.split("/")[1] for name in undisturbed[1] if name.startswith("receipts/")]
    assert set(receipts) == KINDS
    assert len(receipts) == JOBS


@pytest.mark.parametrize("cluster", [LOCAL, "tls"])
def test_a_kill_changes_nothing_of_what_comes_out(cluster: str, undisturbed: tuple[Path, Snapshot]) -> None:
    folder, found = undisturbed
    rng = random.Random(f"{cluster} {SEED}")
    with Place(folder, cluster) as place:
        for _ in range(KILLS):
            jobs, delay, victim = draw_moment(cluster, rng)
            print(f"seed {SEED}: {victim} is killed {delay:.2f} s after {jobs} jobs")
            kill = run_with_kill(place, found, partial(wait_for_jobs, place, jobs, delay), victim, rng)
            assert not kill.differences, kill
