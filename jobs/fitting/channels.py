"""What a fit measures: the voltage, and the surface temperature if it is fitted. Each has its own noise model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.arrays import Floats, Mask
from .noise_model import NoiseModel, Series, estimate_noise

BLIND: Final = 1e-6
"""Share of the largest singular value below which the record does not determine a combination of parameters."""


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """Residuals of one measured quantity, with a noise model of its own.

    Args:
        error_mv: shape (samples,).
        slopes_mv: by each scaled parameter, shape (samples, parameters).
        weights: of the residuals, shape (samples,).
        series: their times.
    """

    error_mv: Floats
    slopes_mv: Floats
    weights: Floats
    series: Series

    @property
    def root_weights(self) -> Floats:
        """Square roots of the weights as a column, shape (samples, 1)."""
        return np.sqrt(self.weights)[:, np.newaxis]

    @property
    def rows_mv(self) -> Floats:
        """Weighted residuals, shape (samples,)."""
        return np.sqrt(self.weights) * self.error_mv

    def without_weightless(self) -> Channel:
        """Return the samples that have a weight."""
        chosen = self.weights > 0.0
        if chosen.all():
            return self
        return Channel(self.error_mv[chosen], self.slopes_mv[chosen], self.weights[chosen], self.series.select(chosen))


def estimate_noises(channels: Sequence[Channel], pulls: Sequence[Floats], left: Sequence[Floats]) -> list[NoiseModel]:
    """Estimate the noise model of each channel, none of whose samples has weight 0.

    Args:
        channels: of a fit.
        pulls: of the weighted residuals of each channel at the parameters, mV, shape (samples,).
        left: combinations of the weighted slopes that the fit absorbs, shape (samples, combinations).
    """
    return [
        estimate_noise(pull / channel.root_weights[:, 0], rows / channel.root_weights, channel.series)
        for channel, pull, rows in zip(channels, pulls, left, strict=True)
    ]


def split_channels(rows: Floats, channels: Sequence[Channel]) -> list[Floats]:
    """Split rows of all channels, shape (rows, ...), into those of each."""
    ends = np.cumsum([len(channel.weights) for channel in channels])
    return np.split(rows[: ends[-1]], ends[:-1])


def find_determined(singular: Floats) -> Mask:
    """Tell which combinations of parameters the record determines, by the singular values of the slopes."""
    determined: Mask = singular > BLIND * singular.max(initial=0.0)
    return determined
