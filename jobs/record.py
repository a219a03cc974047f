"""What a simulation needs of a cleaned partition, as arrays, and the profile of its current."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data import columns as c
from ..data.rules import bit_of
from .compress import CurrentProfile, compress

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """What a simulation needs of a partition, as arrays of one length."""

    time_second: Floats
    current_ampere: Floats
    voltage_volt: Floats
    flags: NDArray[np.int64]
    cycle_count: NDArray[np.int32]
    step_count: NDArray[np.int32]

    def from_index(self, first: int) -> Record:
        """The record without its first samples."""
        return Record(*(getattr(self, name)[first:] for name in self.__dataclass_fields__))

    def until_index(self, end: int) -> Record:
        """The record's first ``end`` samples."""
        return Record(*(getattr(self, name)[:end] for name in self.__dataclass_fields__))


def record_of(samples: pd.DataFrame) -> Record:
    """Take the arrays of a simulation from a partition."""
    return Record(
        samples[c.TEST_TIME].to_numpy(float),
        samples[c.CURRENT].to_numpy(float),
        samples[c.VOLTAGE].to_numpy(float),
        samples[c.FLAGS].to_numpy(np.int64),
        samples[c.CYCLE_COUNT].to_numpy(np.int32),
        samples[c.STEP_COUNT].to_numpy(np.int32),
    )


def profile_of(record: Record, capacity_ah: float) -> CurrentProfile:
    """Compress a record's current; power cuts carry none."""
    after_gap = (record.flags & bit_of("time_gap")) != 0
    return compress(record.time_second, record.current_ampere, after_gap, capacity_ah)
