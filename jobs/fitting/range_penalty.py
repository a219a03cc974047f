"""The range of the model at solved samples that do not count in a fit: they hold no error, but must be possible.

A fit of the discharges alone solves the charges, too, and its result is refused if the model leaves its range there.
Without these rows nothing would lead the search back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.arrays import Floats, Indices, Mask

MOST_ROWS: Final = 50
"""Rows of one stretch at most. Each sums up neighbouring samples, so that the rows are few beside the samples."""

LARGE_ERROR_MV: Final = 1000.0
"""Error in mV above which it grows only with its logarithm: a model far outside its range is off by kilovolts. Also the
penalty of a distance of 1 from the range."""


@dataclass(frozen=True, slots=True, eq=False)
class RangeRows:
    """Penalties of one evaluation.

    Args:
        error_mv: shape (rows,); 0 = inside the range.
        slopes_mv: by each input of the model or by each parameter, shape (rows, inputs).
    """

    error_mv: Floats
    slopes_mv: Floats

    @staticmethod
    def join(parts: list[RangeRows]) -> RangeRows:
        """Join the rows of several stretches, in order."""
        errors = np.concatenate([part.error_mv for part in parts])
        return RangeRows(errors, np.concatenate([part.slopes_mv for part in parts]))

    def by_parameter(self, inputs_by_parameter: Floats) -> RangeRows:
        """Return the rows with slopes by each parameter.

        Args:
            inputs_by_parameter: slopes of the inputs, shape (inputs, parameters).
        """
        return RangeRows(self.error_mv, np.nan_to_num(self.slopes_mv @ inputs_by_parameter))


NO_ROWS: Final = RangeRows(np.zeros(0), np.zeros((0, 0)))


@dataclass(frozen=True, slots=True, eq=False)
class RangePenalty:
    """The samples of a stretch whose range is watched without their error.

    Args:
        samples: their indices, ascending, shape (samples,).
        begins: index of the first sample of each row among them, shape (rows,).
    """

    samples: Indices
    begins: Indices

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.begins)

    def flat(self, error_mv: float, columns: int) -> RangeRows:
        """Return the rows of a stretch without a solution: each sample has the same error, and no slopes.

        Args:
            error_mv: of a sample.
            columns: number of parameters.
        """
        return RangeRows(error_mv * np.sqrt(self._counts()), np.zeros((self.rows, columns)))

    def penalise(self, excess: Floats, excess_slopes: Floats | None) -> RangeRows:
        """Compute the penalties: a row has the squares of all its samples.

        Args:
            excess: distance from the range at all solved samples, shape (solved samples,).
            excess_slopes: by each input of the model, shape (solved samples, inputs); ``None`` = not wanted.
        """
        if not self.rows:
            return RangeRows(np.zeros(0), np.zeros((0, 0 if excess_slopes is None else excess_slopes.shape[1])))
        distance = np.nan_to_num(excess[self.samples])
        counts = self._counts()
        mean = np.sqrt(np.add.reduceat(distance**2, self.begins) / counts)
        error, slope = compress_large_errors(LARGE_ERROR_MV * mean)
        penalty = error * np.sqrt(counts)
        if excess_slopes is None:
            return RangeRows(penalty, np.zeros((self.rows, 0)))
        moved = np.nan_to_num(excess_slopes[self.samples]) * distance[:, np.newaxis]
        outside = np.where(mean > 0.0, mean, 1.0)[:, np.newaxis]
        by_input = np.add.reduceat(moved, self.begins, axis=0) / counts[:, np.newaxis] / outside
        return RangeRows(penalty, LARGE_ERROR_MV * (slope * np.sqrt(counts))[:, np.newaxis] * by_input)

    def _counts(self) -> Floats:
        """Number of samples of each row, shape (rows,)."""
        return np.diff(self.begins, append=len(self.samples)).astype(float)


NO_PENALTY: Final = RangePenalty(np.zeros(0, np.int64), np.zeros(0, np.int64))


def watch_ranges(used: Mask, weights: Floats, ends: Indices, leads: Sequence[int]) -> list[RangePenalty]:
    """Watch the range at all solved samples whose errors do not count, also those of weight 0.

    Args:
        used: samples that count, of all stretches, shape (samples,).
        weights: of the used samples, shape (used samples,).
        ends: index after the last sample of each stretch.
        leads: number of samples that are solved before each stretch.
    """
    counts = used.copy()
    counts[used] = weights > 0.0
    parts = np.split(counts, ends[:-1])
    return [watch_range(np.concatenate([np.zeros(lead, bool), part])) for lead, part in zip(leads, parts, strict=True)]


def watch_range(counts: Mask) -> RangePenalty:
    """Watch the range at the solved samples that do not count.

    Args:
        counts: samples whose error counts, shape (solved samples,).
    """
    samples = np.flatnonzero(~counts)
    if not len(samples):
        return NO_PENALTY
    rows = min(MOST_ROWS, len(samples))
    begins = np.arange(rows) * len(samples) // rows
    return RangePenalty(samples, begins)


def compress_large_errors(error_mv: Floats) -> tuple[Floats, Floats]:
    """Compress errors beyond ``LARGE_ERROR_MV`` smoothly to their logarithm.

    Args:
        error_mv: shape (samples,).

    Returns:
        The errors in mV and the factor of their slopes, shape (samples,) each.
    """
    size = np.maximum(np.abs(error_mv) / LARGE_ERROR_MV, 1.0)
    return error_mv * (1.0 + np.log(size)) / size, 1.0 / size
