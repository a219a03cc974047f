"""The monotone cubic of Fritsch and Butland (1984), as SciPy's PchipInterpolator has it, at a third of its cost.

SciPy's checks of its arguments take longer than the work itself at the few hundred points that a replay has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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
