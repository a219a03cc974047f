"""The temperature of a simulation: one number, or the measured one over time as a short profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_lsq_spline

from ...data.arrays import Floats
from ...data.convert import kelvin_to_celsius
from ...data.settings import CellSettings, ModelSettings, ParameterSetSettings
from ..parameters.sets import AMBIENT, load_base_set
from ..record.record import Record
from .compress import noise_ampere

TOLERANCE_KELVIN: Final = 0.1  # by which the profile may leave the measured temperature, noise aside
MOST_POINTS: Final = 20_000  # of the measured temperature that are looked at: longer ones are averaged in blocks first
MOST_KNOTS: Final = 1000  # beyond which the tolerance is doubled


@dataclass(frozen=True, slots=True, eq=False)
class TemperatureProfile:
    """Knots of a piecewise-linear temperature.

    Args:
        time_second: shape (n,), strictly increasing; the first and last are the record's.
        celsius: shape (n,).
    """

    time_second: Floats
    celsius: Floats

    def at(self, time_second: float) -> float:
        """The temperature in °C at a time."""
        return float(np.interp(time_second, self.time_second, self.celsius))


@dataclass(frozen=True, slots=True)
class Temperature:
    """The temperature of a simulation.

    Args:
        celsius: its mean over time.
        source: where it is from, in words.
        profile: where it changes; ``None`` = it is constant.
    """

    celsius: float
    source: str
    profile: TemperatureProfile | None = None

    @property
    def first_celsius(self) -> float:
        """What the simulation starts at."""
        return self.celsius if self.profile is None else float(self.profile.celsius[0])


def join_temperatures(parts: Sequence[Temperature]) -> Temperature:
    """The temperature of several stretches of a record together, for what is reported of them."""
    first = parts[0]
    if len(parts) == 1 or first.profile is None:
        return first
    profiles = [part.profile for part in parts if part.profile is not None]
    spans = np.array([profile.time_second[-1] - profile.time_second[0] for profile in profiles])
    celsius = np.array([part.celsius for part in parts if part.profile is not None])
    return replace(
        first, celsius=float(np.average(celsius, weights=spans)), source=f"{first.source} in the first cycle"
    )


def find_temperature(
    record: Record,
    cell: CellSettings,
    model: ModelSettings,
    parameter_set: ParameterSetSettings,
    measured_celsius: float | None,
) -> Temperature:
    """Find the temperature of a simulation.

    That is the one given for the cell; else the profile that its ``temperature`` asks for; else the mean of the
    measured one; else the parameter set's own.

    Args:
        measured_celsius: mean of the measured temperature; ``None`` = nothing was measured.
    """
    if cell.temperature_celsius is not None:
        return Temperature(cell.temperature_celsius, "given")
    lacking = ""
    if cell.temperature != "mean":
        measured = record.surface_celsius if cell.temperature == "surface" else record.ambient_celsius
        if measured is not None and np.isfinite(measured).any():
            return _make_measured(record.time_second, measured, cell.temperature, model)
        lacking = f", since no {cell.temperature} temperature was measured"
    if measured_celsius is not None:
        return Temperature(measured_celsius, f"mean of the measured{lacking}")
    return Temperature(
        kelvin_to_celsius(float(load_base_set(parameter_set.key)[AMBIENT])), f"parameter set's own{lacking}"
    )


def _make_measured(time_second: Floats, measured_celsius: Floats, column: str, model: ModelSettings) -> Temperature:
    profile = compress_temperature(time_second, measured_celsius)
    span = time_second[-1] - time_second[0]
    mean = float(np.trapezoid(profile.celsius, profile.time_second) / span)
    words = f"measured {column} temperature, {len(profile.time_second)} knots"
    missing = int((~np.isfinite(measured_celsius)).sum())
    if missing:
        words += f", interpolated over {missing} missing samples"
    return Temperature(mean, words + _substitution_note(column, model), profile)


def _substitution_note(column: str, model: ModelSettings) -> str:
    """What a model makes of a measured temperature that is not the one it means."""
    isothermal = dict(model.options).get("thermal", "isothermal") == "isothermal"
    if isothermal and column == "ambient":
        return '; the isothermal model takes it for the cell\'s own, which "surface" is nearer to'
    if not isothermal and column == "surface":
        return '; the thermal model takes it for the air around the cell, which "ambient" is'
    return ""


def compress_temperature(time_second: Floats, measured_celsius: Floats) -> TemperatureProfile:
    """Turn a measured temperature into knots, by least squares, so that its mean over time is kept.

    Missing values are interpolated in time, and held before the first and after the last.

    Args:
        time_second: shape (n,), strictly increasing, n >= 2.
        measured_celsius: shape (n,), NaN where it is missing; one at least is not.
    """
    time, value = _points(time_second, measured_celsius)
    tolerance = TOLERANCE_KELVIN + 4.0 * noise_ampere(value)
    knots = _bends(time, value, tolerance)
    while len(knots) > MOST_KNOTS:
        tolerance *= 2.0
        knots = _bends(time, value, tolerance)
    twice = np.concatenate([time[:1], time[knots], time[-1:]])
    fitted = make_lsq_spline(time, value, twice, k=1, w=np.sqrt(np.gradient(time)))
    return TemperatureProfile(time[knots], np.asarray(fitted.c, float))


def _bends(time: Floats, value: Floats, tolerance: float) -> NDArray[np.intp]:
    """Indices between which straight lines stay within a tolerance of all values."""
    knots = np.array([0, len(time) - 1])
    while len(knots) <= MOST_KNOTS:
        excess = np.abs(value - np.interp(time, time[knots], value[knots]))
        most = np.maximum.reduceat(excess, knots[:-1])
        if not (most > tolerance).any():
            break
        worst = np.flatnonzero(excess == np.repeat(most, np.diff(np.append(knots[:-1], len(time)))))
        knots = np.union1d(knots, worst[np.searchsorted(worst, knots[:-1][most > tolerance])])
    return knots


def _points(time_second: Floats, measured_celsius: Floats) -> tuple[Floats, Floats]:
    """The measured temperature without missing values, as at most about ``MOST_POINTS`` means of as many samples."""
    known = np.isfinite(measured_celsius)
    value = np.interp(time_second, time_second[known], measured_celsius[known])
    each = -(-len(value) // MOST_POINTS)
    if each == 1:
        return time_second, value
    first = np.arange(0, len(value), each)
    count = np.diff(np.append(first, len(value)))
    time, mean = np.add.reduceat(time_second, first) / count, np.add.reduceat(value, first) / count
    ends = time_second[[0, -1]]
    # The record's ends take the value of their block; a last block of one sample is already there.
    last = slice(None) if time[-1] < ends[1] else slice(-1)
    return np.concatenate([ends[:1], time[last], ends[1:]]), np.concatenate([mean[:1], mean[last], mean[-1:]])
