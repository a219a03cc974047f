"""Find the temperature of a simulation: one number, or the measured temperature as a short profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.interpolate import make_lsq_spline

from ...data.arrays import Floats, Indices
from ...data.convert import kelvin_to_celsius
from ...data.settings import CellSettings, ModelSettings, ParameterSetSettings
from ..parameters.sets import AMBIENT, load_base_set
from ..record.record import Record, sample_duration_second, time_mean
from .compress import noise_ampere

TOLERANCE_KELVIN: Final = 0.1  # largest difference between profile and measured temperature, besides the noise
TOLERANCE_NOISES: Final = 4.0  # standard deviations of the noise, added to the tolerance
MOST_POINTS: Final = 20_000  # points that are fitted; longer records are averaged in blocks first
MOST_KNOTS: Final = 1000  # if more are needed, the tolerance is doubled
REST_MEAN_SECOND: Final = 600.0
"""Last part of the rest before a load whose mean is the temperature of the rest, s. Chosen, not measured."""


AT_SECOND: Final = 60.0
"""Time before a sample over which its temperature is averaged, s: the noise of a thermocouple is left out. Chosen."""


@dataclass(frozen=True, slots=True, eq=False)
class TemperatureProfile:
    """Knots of a piecewise-linear temperature.

    Args:
        time_second: shape (n,), strictly increasing; the first and last are those of the record.
        celsius: shape (n,).
    """

    time_second: Floats
    celsius: Floats

    def at(self, time_second: float) -> float:
        """Return the temperature in °C at a time in s."""
        return float(np.interp(time_second, self.time_second, self.celsius))


@dataclass(frozen=True, slots=True)
class Temperature:
    """The temperature of a simulation.

    Args:
        celsius: its mean over time.
        source: its source in words.
        profile: its course over time; ``None`` = it is constant.
        duration_second: how long the simulation lasts for which it was found, s.
    """

    celsius: float
    source: str
    profile: TemperatureProfile | None = None
    duration_second: float = 0.0

    @property
    def first_celsius(self) -> float:
        """The temperature at the start of the simulation, °C."""
        if self.profile is None:
            return self.celsius
        return float(self.profile.celsius[0])


def join_temperatures(parts: Sequence[Temperature]) -> Temperature:
    """Summarise the temperatures of several stretches of a record: their mean, weighted with their durations.

    Args:
        parts: one or more, all with a profile or all without.
    """
    first = parts[0]
    celsius = [part.celsius for part in parts]
    if len(parts) == 1 or (first.profile is None and max(celsius) == min(celsius)):
        return first
    seconds = np.array([part.duration_second for part in parts])
    if not seconds.sum() > 0.0:
        seconds = np.ones(len(parts))
    mean = float(np.average(celsius, weights=seconds))
    words = f"{first.source} in the first cycle"
    if first.profile is None:
        words = f"{first.source}; {min(celsius):.1f} to {max(celsius):.1f} °C in {len(parts)} parts"
    return replace(first, celsius=mean, source=words, duration_second=float(seconds.sum()))


def find_temperature(
    record: Record,
    cell: CellSettings,
    model: ModelSettings,
    parameter_set: ParameterSetSettings,
    measured_celsius: float | None,
    at_rest_celsius: float | None = None,
) -> Temperature:
    """Find the temperature of a simulation.

    The first of these that exists: the value given for the cell; the temperature at rest or the measured profile that
    the cell's ``temperature`` asks for; the mean over time of the measured temperature of these samples (of the
    surface, or of the chamber; a thermal model prefers the chamber); the mean of the whole record's measured
    temperature; the ambient temperature of the parameter set.

    Args:
        record: the samples that are simulated, with the measured temperatures.
        cell: ``temperature_celsius`` is a given value in °C; ``temperature`` is "mean", "rest", "surface" or "ambient".
        model: its ``thermal`` option decides which measured column is preferred, and what the source says about it.
        parameter_set: gives the temperature if nothing else does.
        measured_celsius: mean measured temperature of the cell's whole record; ``None`` = nothing was measured.
        at_rest_celsius: mean temperature at the end of the rest before the load (:func:`rest_celsius`); ``None`` =
            there is none.
    """
    found = _find_temperature(record, cell, model, parameter_set, measured_celsius, at_rest_celsius)
    if found.profile is None:
        return replace(found, duration_second=float(record.time_second[-1] - record.time_second[0]))
    return found


def _find_temperature(
    record: Record,
    cell: CellSettings,
    model: ModelSettings,
    parameter_set: ParameterSetSettings,
    measured_celsius: float | None,
    at_rest_celsius: float | None,
) -> Temperature:
    if cell.temperature_celsius is not None:
        return Temperature(cell.temperature_celsius, "given")
    reason = ""
    if cell.temperature == "rest":
        if at_rest_celsius is not None:
            return Temperature(at_rest_celsius, "measured temperature at the end of the rest before the load")
        reason = ", since no temperature was measured in a rest before the load"
    elif cell.temperature != "mean":
        measured = record.surface_celsius if cell.temperature == "surface" else record.ambient_celsius
        if measured is not None and np.isfinite(measured).any():
            return _make_measured(record.time_second, measured, cell.temperature, model)
        reason = f", since no {cell.temperature} temperature was measured"
    column, mean = _mean_over_time(record, model)
    if column:
        return Temperature(mean, f"mean of the measured {column} temperature{reason}{_mean_note(column, model)}")
    if measured_celsius is not None:
        return Temperature(measured_celsius, f"mean of the measured temperature of the whole record{reason}")
    set_celsius = kelvin_to_celsius(float(load_base_set(parameter_set.key)[AMBIENT]))
    return Temperature(set_celsius, f"parameter set's own{reason}")


def _mean_over_time(record: Record, model: ModelSettings) -> tuple[str, float]:
    """Return the name of the preferred measured temperature and its mean over time in °C; ("", NaN) without any."""
    columns = [("surface", record.surface_celsius), ("ambient", record.ambient_celsius)]
    if not _is_isothermal(model):
        columns.reverse()
    duration = sample_duration_second(record)
    for name, measured in columns:
        if measured is None:
            continue
        mean = time_mean(measured, duration)
        if np.isfinite(mean):
            return name, mean
    return "", float("nan")


def rest_celsius(record: Record, first: int, rest_ampere: float) -> float | None:
    """Return the mean temperature at the end of the rest before a load in °C, of the surface or else the chamber.

    At rest, the surface of a cell has the temperature of the air around it; under load, it is warmer.

    Args:
        record: the cell's whole record.
        first: index of the first simulated sample. The load is the first current after it, and the rest may have been
            before it.
        rest_ampere: largest current of a rest, A.

    Returns:
        ``None`` if there is no rest before the load, or no temperature was measured in it.
    """
    loaded = np.abs(record.current_ampere) > rest_ampere
    after = np.flatnonzero(loaded[first:])
    load = first + int(after[0]) if len(after) else len(loaded)
    resting = np.flatnonzero(~loaded[:load])
    if not len(resting):
        return None
    end = int(resting[-1]) + 1
    before = np.flatnonzero(loaded[:end])
    begin = int(before[-1]) + 1 if len(before) else 0
    begin = max(begin, int(np.searchsorted(record.time_second, record.time_second[end - 1] - REST_MEAN_SECOND)))
    duration = sample_duration_second(record.until_index(end).from_index(begin))
    for measured in (record.surface_celsius, record.ambient_celsius):
        mean = float("nan") if measured is None else time_mean(measured[begin:end], duration)
        if np.isfinite(mean):
            return mean
    return None


def celsius_at(record: Record, index: int) -> float | None:
    """Return the measured temperature of the cell at one sample, °C; ``None`` = it was not measured there.

    Args:
        record: with the measured temperatures; that of the surface is preferred, as the cell's own.
        index: of the sample.
    """
    begin = int(np.searchsorted(record.time_second, record.time_second[index] - AT_SECOND))
    duration = sample_duration_second(record.until_index(index + 1).from_index(begin))
    for measured in (record.surface_celsius, record.ambient_celsius):
        mean = float("nan") if measured is None else time_mean(measured[begin : index + 1], duration)
        if np.isfinite(mean):
            return mean
    return None


def _make_measured(time_second: Floats, measured_celsius: Floats, column: str, model: ModelSettings) -> Temperature:
    profile = compress_temperature(time_second, measured_celsius)
    span = time_second[-1] - time_second[0]
    mean = float(np.trapezoid(profile.celsius, profile.time_second) / span)
    words = f"measured {column} temperature, {len(profile.time_second)} knots"
    missing = int((~np.isfinite(measured_celsius)).sum())
    if missing:
        words += f", interpolated over {missing} missing samples"
    return Temperature(mean, words + _substitution_note(column, model), profile, float(span))


def _is_isothermal(model: ModelSettings) -> bool:
    return dict(model.options).get("thermal", "isothermal") == "isothermal"


def _substitution_note(column: str, model: ModelSettings) -> str:
    """Return a note for a model that needs the other measured temperature; "" = the column fits the model."""
    if _is_isothermal(model) and column == "ambient":
        return '; the isothermal model takes it for the cell\'s own, which "surface" is nearer to'
    if not _is_isothermal(model) and column == "surface":
        return (
            '; the thermal model takes it for the air around the cell, which "ambient" is, and adds the heat of the '
            'cell to it again; "rest" takes the temperature before the load'
        )
    return ""


def _mean_note(column: str, model: ModelSettings) -> str:
    """Return the same note for a mean, which is common for isothermal models without a thermocouple."""
    return "" if _is_isothermal(model) else _substitution_note(column, model)


def compress_temperature(time_second: Floats, measured_celsius: Floats) -> TemperatureProfile:
    """Compress a measured temperature to knots by least squares, which keeps its mean over time.

    Missing values are interpolated in time; before the first and after the last value, that value is used.

    Args:
        time_second: shape (n,), strictly increasing, n >= 2.
        measured_celsius: shape (n,), NaN where it is missing; at least one value is not missing.
    """
    time, value = _average_blocks(time_second, measured_celsius)
    tolerance = TOLERANCE_KELVIN + TOLERANCE_NOISES * noise_ampere(value)
    knots = _bends(time, value, tolerance)
    while len(knots) > MOST_KNOTS:
        tolerance *= 2.0
        knots = _bends(time, value, tolerance)
    spline_knots = np.concatenate([time[:1], time[knots], time[-1:]])
    fitted = make_lsq_spline(time, value, spline_knots, k=1, w=np.sqrt(np.gradient(time)))
    return TemperatureProfile(time[knots], np.asarray(fitted.c, float))


def _bends(time: Floats, value: Floats, tolerance: float) -> Indices:
    """Return indices between which straight lines stay within a tolerance of all values."""
    knots = np.array([0, len(time) - 1])
    while len(knots) <= MOST_KNOTS:
        excess = np.abs(value - np.interp(time, time[knots], value[knots]))
        largest = np.maximum.reduceat(excess, knots[:-1])
        bent = largest > tolerance
        if not bent.any():
            break
        length = np.diff(np.append(knots[:-1], len(time)))
        at_largest = np.flatnonzero(excess == np.repeat(largest, length))
        knots = np.union1d(knots, at_largest[np.searchsorted(at_largest, knots[:-1][bent])])
    return knots


def _average_blocks(time_second: Floats, measured_celsius: Floats) -> tuple[Floats, Floats]:
    """Fill missing values, and average blocks of samples so that about ``MOST_POINTS`` points remain at most."""
    known = np.isfinite(measured_celsius)
    value = np.interp(time_second, time_second[known], measured_celsius[known])
    block = -(-len(value) // MOST_POINTS)  # rounded up
    if block == 1:
        return time_second, value
    first = np.arange(0, len(value), block)
    count = np.diff(np.append(first, len(value)))
    time = np.add.reduceat(time_second, first) / count
    mean = np.add.reduceat(value, first) / count
    begin = time_second[:1]
    end = time_second[-1:]
    # The record's ends take the mean of their block. A last block of a single sample is itself the end.
    inner = slice(None) if time[-1] < end[0] else slice(-1)
    return np.concatenate([begin, time[inner], end]), np.concatenate([mean[:1], mean[inner], mean[-1:]])
