"""Whether the outputs of a replay were close enough, judged by leaving each one out, and where more are needed."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .monotone import monotone_cubic

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]

CLOSER: Final = 4.0  # an interpolation is so many times better than one that leaves every other output out
WORST_VOLT: Final = 1e-3  # by which a sample may be off
RMSE_VOLT: Final = 1e-4  # and all of them together
PARTS: Final = 4  # of an interval that is too long
ROUNDS: Final = 4  # after which every sample is asked for


def more_outputs(time_second: Floats, outputs: Indices, voltage_volt: Floats, stop_second: Floats) -> Indices:
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
    off = _off(time_second[outputs], voltage_volt, stop_second)
    each = np.maximum(off[1:], off[:-1]) / CLOSER
    bad = (each > WORST_VOLT) & (missing > 0)
    if np.sqrt(np.sum(missing * each**2) / len(time_second)) > RMSE_VOLT:
        bad |= (each > RMSE_VOLT) & (missing > 0)
    if not bad.any():
        return outputs
    first, length = outputs[:-1][bad], np.diff(outputs)[bad]
    added = first[:, np.newaxis] + (length[:, np.newaxis] * np.arange(1, PARTS)) // PARTS
    return np.union1d(outputs, added)


def _off(at: Floats, voltage_volt: Floats, stop_second: Floats) -> Floats:
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
