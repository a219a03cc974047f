"""Residuals of one evaluation of a fit: of the voltage, of the surface temperature, and penalties of the range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...data.arrays import Floats
from .range_penalty import NO_ROWS, RangeRows


def _nothing() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True, slots=True, eq=False)
class TemperatureErrors:
    """Errors of the surface temperature; all empty where the model has no temperature to compare.

    Args:
        error_mv: simulated - measured, as mV, shape (samples,); empty = the fit does not include the temperature.
        slopes_mv: by each parameter's place between its bounds (0 to 1), shape (samples, parameters); before
            :meth:`by_parameter`, by each input of the model.
        kelvin: simulated - measured in K, shape (samples,), also where the fit does not include the temperature.
    """

    error_mv: Floats = field(default_factory=_nothing)
    slopes_mv: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    kelvin: Floats = field(default_factory=_nothing)

    def by_parameter(self, inputs_by_parameter: Floats) -> TemperatureErrors:
        """Return the errors with slopes by each parameter.

        Args:
            inputs_by_parameter: slopes of the model's inputs, shape (inputs, parameters).
        """
        if not len(self.error_mv):
            return replace(self, slopes_mv=np.zeros((0, inputs_by_parameter.shape[1])))
        return replace(self, slopes_mv=np.nan_to_num(self.slopes_mv @ inputs_by_parameter))

    @staticmethod
    def join(parts: Sequence[TemperatureErrors]) -> TemperatureErrors:
        """Join the errors of all stretches, in order."""
        return TemperatureErrors(
            np.concatenate([part.error_mv for part in parts]),
            np.concatenate([part.slopes_mv for part in parts]),
            np.concatenate([part.kelvin for part in parts]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """Errors of one evaluation.

    Args:
        error_mv: simulated - measured voltage, mV, shape (used samples,).
        slopes_mv: by each parameter's place between its bounds (0 to 1), mV, shape (used samples, parameters); all 0
            where the model has no solution.
        reason: why a cell cannot have this curve; "" = it can.
        temperature: the errors of the surface temperature.
        outside: the model's distance from its range at solved samples that do not count, as penalties.
    """

    error_mv: Floats
    slopes_mv: Floats
    reason: str = ""
    temperature: TemperatureErrors = field(default_factory=TemperatureErrors)
    outside: RangeRows = NO_ROWS

    @property
    def rmse_mv(self) -> float:
        """RMSE of the voltage over all samples in mV, without weights."""
        return float(np.sqrt(np.mean(self.error_mv**2)))

    @property
    def temperature_rmse_kelvin(self) -> float | None:
        """RMSE of the surface temperature in K, without weights; ``None`` = it is not compared."""
        kelvin = self.temperature.kelvin
        if not len(kelvin):
            return None
        return float(np.sqrt(np.mean(kelvin**2)))

    def with_slopes_of(self, other: Residuals) -> Residuals:
        """Return these errors with the slopes of another evaluation of the same rows."""
        return replace(
            self,
            slopes_mv=other.slopes_mv,
            temperature=replace(self.temperature, slopes_mv=other.temperature.slopes_mv),
            outside=replace(self.outside, slopes_mv=other.outside.slopes_mv),
        )

    @property
    def all_error_mv(self) -> Floats:
        """All rows that the search minimises, mV: of the voltage, of the temperature, then penalties, shape (rows,)."""
        return np.concatenate([self.error_mv, self.temperature.error_mv, self.outside.error_mv])

    @property
    def all_slopes_mv(self) -> Floats:
        """Their slopes, shape (rows, parameters)."""
        more = [rows.slopes_mv for rows in (self.temperature, self.outside) if len(rows.error_mv)]
        if not more:
            return self.slopes_mv
        return np.concatenate([self.slopes_mv, *more])
