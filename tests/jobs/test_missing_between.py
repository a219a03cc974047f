"""Values in place of missing ones: what pandas fills and interpolates, without its frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kilocell.jobs.cleaning.current_spikes import _interpolate_missing
from kilocell.jobs.cleaning.rule import fill_forward, fill_from_neighbours


@pytest.mark.parametrize("missing", [0.0, 0.3, 0.9, 1.0])
def test_filled_and_interpolated_values_are_those_of_pandas(missing: float) -> None:
    generator = np.random.default_rng(3)
    for rows in (1, 2, 40):
        column = generator.normal(0.0, 1.0, rows)
        column[generator.random(rows) < missing] = np.nan
        time = np.cumsum(generator.uniform(0.1, 9.0, rows))
        series = pd.Series(column, index=time)
        np.testing.assert_array_equal(fill_forward(column), series.ffill())
        np.testing.assert_array_equal(fill_from_neighbours(column), series.ffill().bfill())
        np.testing.assert_array_equal(_interpolate_missing(column, time), series.interpolate("index"))
