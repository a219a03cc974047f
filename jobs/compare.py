"""Simulated against measured voltage: over a whole record and cycle by cycle."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..data.values import Comparison

Floats = NDArray[np.float64]


def compare(time_second: Floats, error_volt: Floats, cycle_count: NDArray[np.int32]) -> tuple[Comparison, ...]:
    """Compare simulated with measured voltage over the whole record (cycle 0) and for each cycle.

    Args:
        error_volt: simulated - measured, NaN where nothing was measured; such samples do not count.
    """
    return tuple(_comparisons(time_second, 1e3 * error_volt, cycle_count))


def _comparisons(time_second: Floats, error_mv: Floats, cycle_count: NDArray[np.int32]) -> Iterator[Comparison]:
    known = np.isfinite(error_mv)
    time_second, error_mv, cycle_count = time_second[known], error_mv[known], cycle_count[known]
    for cycle in (0, *np.unique(cycle_count)):
        chosen = slice(None) if cycle == 0 else cycle_count == cycle
        error, at = error_mv[chosen], time_second[chosen]
        if not len(error):
            continue
        worst = int(np.argmax(np.abs(error)))
        rmse = float(np.sqrt(np.mean(error**2)))
        yield Comparison(int(cycle), len(error), rmse, float(error.mean()), float(error[worst]), float(at[worst]))
