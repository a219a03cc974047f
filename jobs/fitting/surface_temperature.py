"""The measured surface temperature as a second channel of a fit's objective, beside the voltage.

One kelvin counts as many millivolts as the fit says. So all rows of the objective are in mV.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.arrays import Floats, Mask
from ...data.errors import JobError
from ...data.fit_settings import FitObjective
from ...data.outputs import CELL_TEMPERATURE
from ..models.simulation_case import SimulationCase
from ..record.record import Record
from ..simulation.more_outputs import TEMPERATURE, compares_temperature
from ..simulation.replay import Replayed
from .residuals import TemperatureErrors
from .stretches import FitStretch


@dataclass(frozen=True, slots=True, eq=False)
class TemperatureChannel:
    """The surface temperature of one stretch, where a model has a temperature to compare.

    Args:
        used: samples that count and have a surface temperature, shape (samples that are solved,).
        surface_celsius: measured at these, °C, shape (used samples,).
        kelvin_as_mv: how many mV one kelvin counts as; 0 = the temperature is compared, but not fitted.
    """

    used: Mask
    surface_celsius: Floats
    kelvin_as_mv: float

    @property
    def outputs(self) -> tuple[str, ...]:
        """Outputs that the model must differentiate for this channel."""
        return (TEMPERATURE,) if self.kelvin_as_mv else ()

    def errors(self, replayed: Replayed) -> TemperatureErrors:
        """Return the errors of a replay, with their slopes by each input of the model if it has slopes."""
        simulated = replayed.more.get(CELL_TEMPERATURE)
        if simulated is None or not len(self.surface_celsius):
            return TemperatureErrors()
        kelvin = simulated[self.used] - self.surface_celsius
        if not self.kelvin_as_mv:
            return TemperatureErrors(kelvin=kelvin)
        slopes = np.zeros((len(kelvin), 0))
        if replayed.more_slopes:
            slopes = self.kelvin_as_mv * replayed.more_slopes[CELL_TEMPERATURE][self.used]
        return TemperatureErrors(np.nan_to_num(self.kelvin_as_mv * kelvin), slopes, kelvin)

    def flat(self, error_mv: float, parameters: int) -> TemperatureErrors:
        """Return the same error at every sample, without slopes: the model has no solution."""
        count = len(self.surface_celsius) if self.kelvin_as_mv else 0
        return TemperatureErrors(np.full(count, error_mv), np.zeros((count, parameters)))


NO_CHANNEL: Final = TemperatureChannel(np.zeros(0, np.bool_), np.zeros(0), 0.0)
"""The channel where there is no temperature to compare."""


def temperature_channels(
    stretches: Sequence[FitStretch],
    record: Record,
    used: Mask,
    weights: Floats,
    case: SimulationCase,
    objective: FitObjective,
) -> tuple[tuple[TemperatureChannel, ...], Floats]:
    """Choose the samples whose surface temperature is compared: those that count, and have one.

    Args:
        stretches: in order.
        record: the samples of all stretches.
        used: samples that count, shape (samples,).
        weights: of the used samples, shape (used samples,).
        case: the simulation with the parameter set's own values.
        objective: says whether the temperature is fitted.

    Returns:
        The channel of each stretch, and the weights of the fitted temperatures of all, shape (temperatures,).

    Raises:
        JobError: the temperature is to be fitted, but the model does not calculate it, or none was measured
            (``no_temperature``).
    """
    as_mv = objective.temperature_kelvin_as_mv
    if as_mv:
        _require_temperature(record, used, case)
    elif not compares_temperature(case, record):
        return (NO_CHANNEL,) * len(stretches), np.zeros(0)
    surface = np.asarray(record.surface_celsius)
    known = np.isfinite(surface) & used
    channels = []
    begin = 0
    for stretch in stretches:
        part = slice(begin, begin + len(stretch.record.time_second))
        begin = part.stop
        counts = known[part]
        mask = np.concatenate([np.zeros(stretch.lead, np.bool_), counts])
        channels.append(TemperatureChannel(mask, surface[part][counts], as_mv))
    return tuple(channels), weights[known[used]] if as_mv else np.zeros(0)


def _require_temperature(record: Record, used: Mask, case: SimulationCase) -> None:
    """Refuse to fit a temperature that the model or the record does not have."""
    advice = "leave temperature_kelvin_as_mv out"
    if case.cell.temperature == "surface":
        reason = 'temperature_celsius = "surface" drives the model with the measured surface temperature'
        raise JobError(
            f'{reason}, so it cannot be fitted as well; use "rest" or "ambient", or {advice}', "no_temperature"
        )
    surface = record.surface_celsius
    if surface is None or not np.isfinite(surface[used]).any():
        reason = f"cell {case.cell.cell_id} has no measured surface temperature in the fitted samples"
        raise JobError(f"{reason}; map one in [sources.columns], or {advice}", "no_temperature")
    if not compares_temperature(case, record):
        reason = f"the model {case.model.name} is isothermal, so it has no temperature to fit"
        raise JobError(f'{reason}; set its option "thermal" = "lumped", or {advice}', "no_temperature")
