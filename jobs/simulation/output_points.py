"""Whether the outputs of a replay were close enough, judged by leaving each one out, and where more are needed."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.arrays import Floats, Indices

CLOSER: Final = 4.0  # an interpolation is so many times better than one that leaves every other output out
WORST_VOLT: Final = 1e-3  # by which a sample may be off
RMSE_VOLT: Final = 1e-4  # and all of them together
PARTS: Final = 4  # of an interval that is too long
ROUNDS: Final = 4  # after which every sample is asked for


def add_outputs(time_second: Floats, outputs: Indices, voltage_volt: Floats, stop_second: Floats) -> Indices:
    """Return the outputs with those added that the voltage needs between them; the same ones where it needs none.

    Every other output is left out and interpolated from the rest, once the even and once the odd ones; those at a stop,
    or on both sides of one, are kept, since the voltage bends sharply there.

    Args:
        time_second: shape (samples,).
        outputs: indices of samples, increasing.
        voltage_volt: at the outputs.
        stop_second: times of the solver's stops.
    """
    missing = np.diff(outputs) - 1
    if len(outputs) < 5 or not missing.any():
        return outputs
    off = _interpolation_error_volt(time_second[outputs], voltage_volt, stop_second)
    each = np.maximum(off[1:], off[:-1]) / CLOSER
    bad = (each > WORST_VOLT) & (missing > 0)
    if np.sqrt(np.sum(missing * each**2) / len(time_second)) > RMSE_VOLT:
        bad |= (each > RMSE_VOLT) & (missing > 0)
    if not bad.any():
        return outputs
    first, length = outputs[:-1][bad], np.diff(outputs)[bad]
    added = first[:, np.newaxis] + (length[:, np.newaxis] * np.arange(1, PARTS)) // PARTS
    return np.union1d(outputs, added)


def _interpolation_error_volt(at: Floats, voltage_volt: Floats, stop_second: Floats) -> Floats:
    """How far each output lies from what the others make of it, in V; 0 for those at a stop."""
    before, after = (np.searchsorted(stop_second, at, side=side) for side in ("left", "right"))
    beside = before != after
    passed = before[1:] > after[:-1]
    beside[1:] |= passed
    beside[:-1] |= passed
    beside[0] = beside[-1] = True
    off = np.zeros(len(at))
    for parity in (0, 1):
        out = ~beside & (np.arange(len(at)) % 2 == parity)
        if out.any():
            guess = monotone_cubic(at[~out], voltage_volt[np.newaxis, ~out], at[out])[0]
            off[out] = np.abs(guess - voltage_volt[out])
    return off


def monotone_cubic(x: Floats, y: Floats, at: Floats) -> Floats:
    """Interpolate without overshoot: between two points the curve stays between their values.

    Args:
        x: shape (n,), strictly increasing, n >= 2.
        y: shape (k, n).
        at: shape (m,), increasing, within ``x``.

    Returns:
        Shape (k, m).
    """
    length = np.diff(x)
    rise = np.diff(y) / length
    slope = _slopes(length, rise)
    bend = (3.0 * rise - 2.0 * slope[:, :-1] - slope[:, 1:]) / length
    turn = (slope[:, :-1] + slope[:, 1:] - 2.0 * rise) / length**2
    count = np.diff(np.searchsorted(at, x[1:-1]), prepend=0, append=len(at))  # of times in each piece
    since = at - np.repeat(x[:-1], count)
    values = np.empty((len(y), len(at)))
    for row, *parts in zip(values, turn, bend, slope[:, :-1], y[:, :-1], strict=True):
        cubic, square, line, level = (np.repeat(part, count) for part in parts)
        row[:] = level + since * (line + since * (square + since * cubic))
    return values


def _slopes(length: Floats, rise: Floats) -> Floats:
    """Derivatives at the points, shape (k, n): weighted harmonic means, 0 where the rises differ in sign."""
    slope = np.zeros((len(rise), len(length) + 1))
    if len(length) == 1:
        slope[:] = rise
        return slope
    before, after = rise[:, :-1], rise[:, 1:]
    alike = before * after > 0.0
    first, second = 2.0 * length[1:] + length[:-1], length[1:] + 2.0 * length[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (first + second) / (first / before + second / after)
    slope[:, 1:-1] = np.where(alike, mean, 0.0)
    slope[:, 0] = _end(length[0], length[1], rise[:, 0], rise[:, 1])
    slope[:, -1] = _end(length[-1], length[-2], rise[:, -1], rise[:, -2])
    return slope


def _end(length: float, next_length: float, rise: Floats, next_rise: Floats) -> Floats:
    """The parabola's derivative at an end, kept from overshooting."""
    slope = ((2.0 * length + next_length) * rise - length * next_rise) / (length + next_length)
    slope = np.where(np.sign(slope) != np.sign(rise), 0.0, slope)
    steep = (np.sign(rise) != np.sign(next_rise)) & (np.abs(slope) > 3.0 * np.abs(rise))
    kept: Floats = np.where(steep, 3.0 * rise, slope)
    return kept
