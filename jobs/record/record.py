"""The arrays of a cleaned partition that simulations and fits need."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data import columns as c
from ...data.arrays import Codes, Floats, Indices, Integers, Mask
from ...data.rules import flag_bit, is_inserted

_CODES: Final = {name: code for code, name in enumerate(c.STEP_TYPES)}


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """The arrays of a partition that a simulation needs, shape (n,) each, in time order.

    Args:
        time_second: s, increasing.
        current_ampere: A, positive for charge, NaN where missing.
        voltage_volt: V, measured; NaN where missing, and in samples that cleaning inserted.
        flags: the bits of the cleaning rules (``data.rules``).
        cycle_count, step_count: from 1.
        step_type: places in ``data.columns.STEP_TYPES``, -1 = none of them; ``None`` = unknown throughout.
        ambient_celsius, surface_celsius: °C, NaN where not measured; ``None`` = not measured at all.
        step_id: the step number of the cycler's schedule, NaN where missing; ``None`` = unknown throughout.
        charge_doubt_ah: by how much the charge since the first sample may be off by what cleaning knows, A.h, rising
            from 0; ``None`` = cleaning gives no bounds.
    """

    time_second: Floats
    current_ampere: Floats
    voltage_volt: Floats
    flags: Integers
    cycle_count: NDArray[np.int32]
    step_count: NDArray[np.int32]
    step_type: Codes | None = None
    ambient_celsius: Floats | None = None
    surface_celsius: Floats | None = None
    step_id: Floats | None = None
    charge_doubt_ah: Floats | None = None

    def from_index(self, first: int) -> Record:
        """Return the record from sample ``first`` on."""
        return self._slice(slice(first, None))

    def until_index(self, end: int) -> Record:
        """Return the record's first ``end`` samples."""
        return self._slice(slice(end))

    @property
    def after_gap(self) -> Mask:
        """Tell which samples are the first after a power cut, in which no current flowed, shape (n,)."""
        gaps: Mask = (self.flags & flag_bit("time_gap")) != 0
        return gaps

    @property
    def inserted(self) -> Mask:
        """Tell which samples cleaning inserted at a step's edge: their current counts, but they are no measurement."""
        edges: Mask = is_inserted(self.flags)
        return edges

    def take(self, rows: Indices) -> Record:
        """Return some of the samples; what is left out between two of them becomes a gap, in which no charge flows.

        Args:
            rows: indices of the samples, in time order.
        """
        taken = self._slice(rows)
        flags = taken.flags.copy()
        flags[np.flatnonzero(np.diff(rows) != 1) + 1] |= flag_bit("time_gap")
        return replace(taken, flags=flags)

    def _slice(self, rows: slice | Indices) -> Record:
        sliced: dict[str, Any] = {}
        for name in self.__dataclass_fields__:
            column = getattr(self, name)
            sliced[name] = None if column is None else column[rows]
        return Record(**sliced)


def make_record(samples: pd.DataFrame) -> Record:
    """Take the arrays of a record from a partition.

    The voltage of an inserted sample is interpolated, so it is left out here: nothing is compared with it, and a state
    is not taken from it.

    Args:
        samples: ``data.columns.PARTITION_COLUMNS``, in time order.
    """
    flags = samples[c.FLAGS].to_numpy(np.int64)
    voltage = samples[c.VOLTAGE].to_numpy(float)
    inserted = is_inserted(flags)
    if inserted.any():
        voltage = np.where(inserted, np.nan, voltage)
    return Record(
        time_second=samples[c.TEST_TIME].to_numpy(float),
        current_ampere=samples[c.CURRENT].to_numpy(float),
        voltage_volt=voltage,
        flags=flags,
        cycle_count=samples[c.CYCLE_COUNT].to_numpy(np.int32),
        step_count=samples[c.STEP_COUNT].to_numpy(np.int32),
        step_type=_step_types(samples),
        ambient_celsius=samples[c.AMBIENT_TEMPERATURE].to_numpy(float),
        surface_celsius=samples[c.SURFACE_TEMPERATURE].to_numpy(float),
        step_id=samples[c.STEP_ID].to_numpy(float),
    )


def _step_types(samples: pd.DataFrame) -> Codes:
    """Return each sample's step type as a place in ``STEP_TYPES``; all samples of a step have the same one."""
    step = samples[c.STEP_COUNT].to_numpy()
    begins = np.flatnonzero(np.concatenate([[True], step[1:] != step[:-1]])[: len(step)])
    names = samples[c.STEP_TYPE].iloc[begins]
    types = np.array([_CODES.get(name, -1) for name in names.tolist()], dtype=np.int8)
    return np.repeat(types, np.diff(begins, append=len(step)))


def cycle_starts(record: Record) -> Indices:
    """Return the index of each cycle's first sample, in order, shape (cycles,).

    Args:
        record: of one or more cycles.
    """
    cycle = record.cycle_count
    return np.flatnonzero(np.concatenate([[True], cycle[1:] != cycle[:-1]])[: len(cycle)])


def sample_duration_second(record: Record) -> Floats:
    """Return the time that each sample of a record represents (:func:`represented_second`)."""
    return represented_second(record.time_second, record.flags)


def represented_second(time_second: Floats, flags: Integers) -> Floats:
    """Return the time that each sample represents, in s, shape (n,): half of the intervals before and after it.

    An inserted sample represents no time: its neighbours represent the same time as without it.

    Args:
        time_second: shape (n,), increasing; a power cut counts as no time.
        flags: the bits of the cleaning rules, shape (n,).
    """
    interval = np.diff(time_second)
    interval[(flags[1:] & flag_bit("time_gap")) != 0] = 0.0
    duration = np.zeros(len(time_second))
    rows = np.flatnonzero(~is_inserted(flags))
    if len(rows) < len(duration):
        elapsed = np.concatenate([[0.0], np.cumsum(interval)])
        interval = np.diff(elapsed[rows])
    duration[rows[:-1]] += 0.5 * interval
    duration[rows[1:]] += 0.5 * interval
    return duration


def time_mean(value: Floats, duration_second: Floats) -> float:
    """Return the mean over time of the known values; NaN if there are none.

    Args:
        value: shape (n,), NaN where missing.
        duration_second: the time that each sample represents, shape (n,); where the known values represent no time at
            all, as a single sample does, each counts the same.
    """
    known = np.isfinite(value)
    if not known.any():
        return float("nan")
    weight = duration_second[known]
    if not weight.sum() > 0.0:
        weight = np.ones(len(weight))
    return float(np.average(value[known], weights=weight))
