"""Distribution of the RMSE of the simulations so far, by model, in fixed bins of its logarithm."""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field
from typing import Final

BINS_PER_DECADE: Final = 8
FIRST_DECADE: Final = -1
LAST_DECADE: Final = 3

EDGES_MV: Final = tuple(
    10.0 ** (FIRST_DECADE + number / BINS_PER_DECADE)
    for number in range((LAST_DECADE - FIRST_DECADE) * BINS_PER_DECADE + 1)
)
"""Edges of the bins, mV: 0.1 mV to 1 V. Values outside count in the outermost bins."""


@dataclass(frozen=True, slots=True)
class Series:
    """Simulations that are drawn as one line.

    Args:
        model: name of the model.
        is_fitted: whether their parameters were fitted.
    """

    model: str
    is_fitted: bool = False

    @property
    def title(self) -> str:
        """The series in words."""
        return f"{self.model}, fitted" if self.is_fitted else self.model


@dataclass(slots=True)
class Distribution:
    """RMSE of one series: counts in the bins, and the values in order (mV)."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(EDGES_MV) - 1))
    values_mv: list[float] = field(default_factory=list)

    def add(self, rmse_mv: float) -> None:
        """Count one simulation."""
        place = bisect_right(EDGES_MV, rmse_mv) - 1
        self.counts[min(max(place, 0), len(self.counts) - 1)] += 1
        insort(self.values_mv, rmse_mv)

    @property
    def median_mv(self) -> float:
        """Middle value, mV."""
        number = len(self.values_mv)
        return (self.values_mv[number // 2] + self.values_mv[(number - 1) // 2]) / 2
