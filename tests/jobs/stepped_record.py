"""A record of three cycles of four steps, as a known cell answers; shared by tests of selections."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
from kilocell.data import columns as c
from records import documented_replay, partition

CYCLE = (("rest", 1800.0, 0.0), ("discharge", 3000.0, -2.5), ("rest", 3600.0, 0.0), ("charge", 3000.0, 2.45))
CYCLES = 3
INTERVAL_SECOND = 60.0


@lru_cache(maxsize=1)
def three_cycles() -> pd.DataFrame:
    """Three times rest, discharge, rest, charge at 60 s, as the SPM of Chen2020 answers from 0.9; steps 1 to 13."""
    steps = (*CYCLE * CYCLES, CYCLE[0])
    counts = [round(second / INTERVAL_SECOND) for _, second, _ in steps]
    current = np.array(np.repeat([ampere for _, _, ampere in steps], counts), np.float64)
    time = np.arange(0.0, INTERVAL_SECOND * len(current), INTERVAL_SECOND)
    frame = partition(time, current, documented_replay("SPM", "Chen2020", time, current, 0.9))
    frame[c.STEP_COUNT] = np.repeat(np.arange(1, len(steps) + 1), counts).astype(np.int32)
    frame[c.STEP_TYPE] = np.repeat([kind for kind, *_ in steps], counts)
    frame[c.STEP_ID] = np.repeat([1.0 + place % 4 for place in range(len(steps))], counts)
    frame[c.CYCLE_COUNT] = np.repeat([min(1 + place // 4, CYCLES) for place in range(len(steps))], counts).astype(
        np.int32
    )
    return frame


def one_cycle() -> pd.DataFrame:
    return three_cycles().assign(**{c.CYCLE_COUNT: np.int32(1)})
