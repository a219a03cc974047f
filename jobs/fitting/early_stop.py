"""Early stopping of a start: at its time limit, clearly beaten, or close to the minimum of another start."""

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

NEAR_MINIMUM: Final = 0.02
"""Distance on the scaled bounds: a start as near to a minimum, and with a falling cost, is on its way to it."""

BEATEN_COST_RATIO: Final = 4.0
"""Ratio of a beaten start's cost to the best start's cost: twice the RMSE."""

LITTLE_GAIN_SHARE: Final = 0.01
"""Share of the cost: a start whose last evaluations gained less makes no progress."""

LEAST_SQUARES_WINDOW: Final = 4
"""Evaluations over which the gain of a least-squares search is judged."""

DIRECT_SEARCH_WINDOW: Final = 10
"""The same for each parameter and one more, in a search without slopes, which gains little by little."""


@dataclass(frozen=True, slots=True)
class Rival:
    """Another start of the same fit that has ended by itself.

    Args:
        start: its number.
        values: where it ended, in the parameters' units.
        cost: mV2, at these values.
    """

    start: int
    values: tuple[float, ...]
    cost: float


Rivals = Callable[[], Sequence[Rival]]
"""Returns the other starts that have ended by now."""


class StoppedEarly(Exception):  # noqa: N818 - ends a search, which is no error
    """A start ends early, at its best point so far; ``stopped`` is the reason code, the text says why."""

    def __init__(self, stopped: Stopped, words: str) -> None:
        super().__init__(words)
        self.stopped: Stopped = stopped


class EarlyStopping:
    """Checks after each evaluation whether a start is to end.

    Args:
        settings: with bounds in the parameters' units; ``time_limit_second`` counts from now on.
        rivals: called only if ``stop_beaten`` is set; ``None`` = there are none.
    """

    def __init__(self, settings: FitSettings, rivals: Rivals | None) -> None:
        self._settings = settings
        self._rivals = rivals if settings.stop_beaten else None
        self._began = time.monotonic()
        self._window = DIRECT_SEARCH_WINDOW * (len(settings.parameters) + 1)
        if settings.method == "least_squares":
            self._window = LEAST_SQUARES_WINDOW
        self._costs: list[float] = []

    def check(self, unit: Floats, cost: float) -> None:
        """Check whether the start is to end now.

        Args:
            unit: its best point so far, from 0 to 1, shape (parameters,).
            cost: mV2, at this point.

        Raises:
            StoppedEarly: it is to end.
        """
        self._costs.append(cost)
        limit = self._settings.time_limit_second
        if limit is not None and time.monotonic() - self._began > limit:
            raise StoppedEarly("time_limit", f"stopped at its time limit of {limit:g} s, at the best point so far")
        rivals: Sequence[Rival] = ()
        if self._rivals is not None and np.isfinite(cost):
            rivals = self._rivals()
        for rival in rivals:
            if self._on_its_way(unit, cost, rival):
                raise StoppedEarly("on_its_way", f"stopped: on its way to start {rival.start}'s minimum")
        best = min(rivals, key=lambda rival: rival.cost, default=None)
        if best is not None and cost > BEATEN_COST_RATIO * best.cost and self._gains_little(cost):
            raise StoppedEarly("beaten", f"stopped: beaten by start {best.start}, and its last steps gained little")

    def _on_its_way(self, unit: Floats, cost: float, rival: Rival) -> bool:
        """Tell whether the start is near the rival's minimum, with a higher but falling cost."""
        distance = np.abs(unit - to_scaled(self._settings.parameters, np.array(rival.values))).max()
        is_falling = len(self._costs) > 2 and self._costs[-1] < self._costs[-3]
        return bool(distance <= NEAR_MINIMUM) and cost >= rival.cost and is_falling

    def _gains_little(self, cost: float) -> bool:
        return len(self._costs) > self._window and cost > (1.0 - LITTLE_GAIN_SHARE) * self._costs[-1 - self._window]
