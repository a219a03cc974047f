"""The voltage at the end of a rest, which gives the initial state of a cell."""

from __future__ import annotations

import numpy as np
import pytest
from kilocell.jobs.record.known_states import end_of_rest_volt

TIME = np.arange(0.0, 7200.0, 30.0)


@pytest.mark.parametrize(("jump_volt", "decay_second"), [(0.0, 600.0), (-0.05, 300.0), (0.02, 1800.0)])
def test_a_rest_without_noise_ends_where_its_last_sample_is(jump_volt: float, decay_second: float) -> None:
    relaxing = 3.7 + jump_volt * np.exp(-TIME / decay_second)
    assert end_of_rest_volt(TIME, relaxing) == pytest.approx(relaxing[-1], abs=2e-4)


def test_one_noisy_sample_does_not_decide_the_state() -> None:
    relaxing = 3.7 - 0.05 * np.exp(-TIME / 600.0)
    noise = 0.002 * np.random.default_rng(5).standard_normal((200, len(TIME)))
    off = np.array([end_of_rest_volt(TIME, relaxing + one) for one in noise], dtype=np.float64) - relaxing[-1]
    assert np.sqrt(np.mean(off**2)) < 0.002 / 3.0


@pytest.mark.parametrize("samples", [1, 2, 8])
def test_a_short_rest_is_its_last_sample(samples: int) -> None:
    voltage = 3.7 + 0.001 * np.arange(samples, dtype=np.float64)
    voltage[: samples // 2] = np.nan
    assert end_of_rest_volt(TIME[:samples], voltage) == voltage[-1]
