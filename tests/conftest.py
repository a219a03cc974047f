"""Fixtures that tests of several packages share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A slow or busy machine fails no test. CI judges the same examples every time; elsewhere Hypothesis goes on looking for
# new ones.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

os.environ["PYBAMM_DISABLE_TELEMETRY"] = "true"
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell starts what runs in the background with Ctrl-C ignored, and each process hands that on to those it starts:
# a run that a test interrupts would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # as nohup does
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """Answer signals after a test as before it: the command line takes them over, also where a test calls it."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, answer in before.items():
        if signal.getsignal(number) is not answer:
            signal.signal(number, answer)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real battery data next to the checkout; tests that need it are skipped if it is missing."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real battery data at {folder}")
    return folder
