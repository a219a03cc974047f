"""The monotone cubic is SciPy's, to rounding, and never overshoots."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from kilocell.jobs.simulation.output_points import monotone_cubic
from scipy.interpolate import PchipInterpolator


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 60), st.integers(0, 10_000))
def test_it_is_scipys(points: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.uniform(1e-3, 100.0, points))
    y = np.stack([np.round(rng.normal(size=points), 1), np.cumsum(rng.exponential(size=points))])
    at = np.sort(np.concatenate([x, rng.uniform(x[0], x[-1], 200)]))
    mine = monotone_cubic(x, y, at)
    np.testing.assert_allclose(mine, PchipInterpolator(x, y, axis=1)(at), rtol=1e-9, atol=1e-10)
    piece = np.clip(np.searchsorted(x, at, side="right") - 1, 0, points - 2)
    low, high = np.minimum(y[:, piece], y[:, piece + 1]), np.maximum(y[:, piece], y[:, piece + 1])
    assert (mine >= low - 1e-9).all()
    assert (mine <= high + 1e-9).all()
