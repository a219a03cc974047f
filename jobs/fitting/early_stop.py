"""The early end of a start: out of time, clearly beaten, or on its way to a minimum that another start reached."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.arrays import Floats
from ...data.fit_settings import FitSettings
from ...data.results.fitting import Stopped
from .starts import to_scaled

NEAR_MINIMUM: Final = 0.02  # of the scaled bounds: a start within this of a minimum, and falling, is on its way to it
BEATEN_COST_RATIO: Final = 4.0  # times the best start's cost, twice its RMSE
LITTLE_GAIN_SHARE: Final = 0.01  # of the cost: what its last evaluations gain when a start has nowhere to go


@dataclass(frozen=True, slots=True)
class Rival:
    """Another start of the same fit that has ended by itself: where, and at which cost in mV2."""

    start: int
    values: tuple[float, ...]
    cost: float


Rivals = Callable[[], Sequence[Rival]]
"""Gives the other starts that have ended by now."""


class StoppedEarly(Exception):  # noqa: N818 - ends a search, which is no error
    """A start ends at its best point so far: why, for the record and in words."""

    def __init__(self, stopped: Stopped, words: str) -> None:
        super().__init__(words)
        self.stopped: Stopped = stopped


class EarlyStopping:
    """Looks at a start after each evaluation.

    Args:
        settings: with bounds in the parameters' units; ``time_limit_second`` counts from here.
        rivals: asked only where ``stop_beaten``; ``None`` = there are none.
    """

    def __init__(self, settings: FitSettings, rivals: Rivals | None) -> None:
        self._settings = settings
        self._rivals = rivals if settings.stop_beaten else None
        self._began = time.monotonic()
        # A search without slopes gains little by little.
        few = settings.method == "least_squares"
        self._window = 4 if few else 10 * (len(settings.parameters) + 1)
        self._costs: list[float] = []

    def check(self, unit: Floats, cost: float) -> None:
        """Raise EndsEarly where the start is to end now.

        Args:
            unit, cost: of its best point so far.
        """
        self._costs.append(cost)
        limit = self._settings.time_limit_second
        if limit is not None and time.monotonic() - self._began > limit:
            raise StoppedEarly("time_limit", f"stopped at its time limit of {limit:g} s, at the best point so far")
        rivals = self._rivals() if self._rivals is not None and np.isfinite(cost) else ()
        for rival in rivals:
            if self._on_its_way(unit, cost, rival):
                raise StoppedEarly("on_its_way", f"stopped: on its way to start {rival.start}'s minimum")
        best = min(rivals, key=lambda rival: rival.cost, default=None)
        if best is not None and cost > BEATEN_COST_RATIO * best.cost and self._gains_little(cost):
            raise StoppedEarly("beaten", f"stopped: beaten by start {best.start}, and its last steps gained little")

    def _on_its_way(self, unit: Floats, cost: float, rival: Rival) -> bool:
        """Near the rival's minimum, above it, and falling."""
        away = np.abs(unit - to_scaled(self._settings.parameters, np.array(rival.values))).max()
        falling = len(self._costs) > 2 and self._costs[-1] < self._costs[-3]
        return bool(away <= NEAR_MINIMUM) and cost >= rival.cost and falling

    def _gains_little(self, cost: float) -> bool:
        return len(self._costs) > self._window and cost > (1.0 - LITTLE_GAIN_SHARE) * self._costs[-1 - self._window]
