"""What a simulation needs of a cleaned partition, as arrays, and the profile of its current."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data import columns as c
from ...data.arrays import Floats
from ...data.rules import flag_bit


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """What a simulation needs of a partition, as arrays of one length.

    Args:
        step_type: places in ``data.columns.STEP_TYPES``, -1 = none of them; ``None`` where it is not known.
        ambient_celsius, surface_celsius: NaN where nothing was measured; ``None`` = nowhere.
    """

    time_second: Floats
    current_ampere: Floats
    voltage_volt: Floats
    flags: NDArray[np.int64]
    cycle_count: NDArray[np.int32]
    step_count: NDArray[np.int32]
    step_type: NDArray[np.int8] | None = None
    ambient_celsius: Floats | None = None
    surface_celsius: Floats | None = None

    def from_index(self, first: int) -> Record:
        """The record without its first samples."""
        return self._part(slice(first, None))

    def until_index(self, end: int) -> Record:
        """The record's first ``end`` samples."""
        return self._part(slice(end))

    @property
    def after_gap(self) -> NDArray[np.bool_]:
        """Whether a sample is the first after a power cut, in which no current flowed, shape (n,)."""
        gaps: NDArray[np.bool_] = (self.flags & flag_bit("time_gap")) != 0
        return gaps

    def _part(self, rows: slice) -> Record:
        columns: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        cut: dict[str, Any] = {name: None if column is None else column[rows] for name, column in columns.items()}
        return Record(**cut)


def make_record(samples: pd.DataFrame) -> Record:
    """Take the arrays of a simulation from a partition."""
    return Record(
        samples[c.TEST_TIME].to_numpy(float),
        samples[c.CURRENT].to_numpy(float),
        samples[c.VOLTAGE].to_numpy(float),
        samples[c.FLAGS].to_numpy(np.int64),
        samples[c.CYCLE_COUNT].to_numpy(np.int32),
        samples[c.STEP_COUNT].to_numpy(np.int32),
        _step_types(samples),
        samples[c.AMBIENT_TEMPERATURE].to_numpy(float),
        samples[c.SURFACE_TEMPERATURE].to_numpy(float),
    )


def _step_types(samples: pd.DataFrame) -> NDArray[np.int8]:
    """Each sample's step type as a place in ``STEP_TYPES``; all samples of a step have one."""
    step = samples[c.STEP_COUNT].to_numpy()
    begins = np.flatnonzero(np.concatenate([[True], step[1:] != step[:-1]])[: len(step)])
    kinds = pd.Index(c.STEP_TYPES).get_indexer(pd.Index(samples[c.STEP_TYPE].iloc[begins]))
    return np.repeat(kinds.astype(np.int8), np.diff(begins, append=len(step)))


def cycle_starts(record: Record) -> NDArray[np.intp]:
    """Index of each cycle's first sample, in order."""
    cycle = record.cycle_count
    return np.flatnonzero(np.concatenate([[True], cycle[1:] != cycle[:-1]])[: len(cycle)])


def sample_duration_second(record: Record) -> Floats:
    """The time that each sample stands for, in s, shape (n,): half of the intervals beside it; a power cut has none."""
    interval = np.diff(record.time_second)
    interval[(record.flags[1:] & flag_bit("time_gap")) != 0] = 0.0
    second = np.zeros(len(record.time_second))
    second[:-1] += 0.5 * interval
    second[1:] += 0.5 * interval
    return second
