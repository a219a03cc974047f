"""Where the solver must stop, and at which samples the voltage must be asked for.

A stop costs a restart of the integrator at first order, an output an evaluation of the model; both together were most
of a replay's time. The solver sees a change of the current by its own error control, unless a step spans the whole of
it; that can only be where the current was calm for longer than the change lasts.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from .compress import CurrentProfile

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

CALM: Final = 0.5  # a piece shorter than this share of the calm before it might be stepped over
EDGE: Final = 5.0  # a piece this many times longer than the one before it begins after an edge
GROWTH: Final = 1.3  # of the time since the last stop, from output to output
CHARGE_PER_AH: Final = 0.004  # A.h per A.h, from output to output: how finely an open-circuit potential is seen
CURRENT_PER_AH: Final = 0.005  # A per A.h, by which the current may wander from output to output

OUT_OF_TURN: Final = 0.7  # of the longest interval since the stop; a sample that came sooner was triggered


def solver_stops(profile: CurrentProfile, kink_ampere: float = np.inf) -> Mask:
    """Tell at which knots the solver must stop, shape (knots,); the first and last always.

    A knot is a stop where the piece after it is short against the calm before it (a step could span it; so is the
    next knot, since the first step out of a calm is as blind to what is over at its end), or where it is long
    against the piece before it (an edge ends, and the integrator does better to begin anew). Kinks between
    pieces that are alike are none, unless the current turns there by more than ``kink_ampere``: potentials that follow
    the current at once (a DFN's) are exact only where the solver begins anew.
    """
    length = np.diff(profile.time_second)
    slope = np.diff(profile.current_ampere) / length
    turned = np.abs(np.diff(slope)) * np.minimum(length[1:], length[:-1])
    stops = np.ones(len(length) + 1, dtype=np.bool_)
    stops[1:-1] = (length[1:] > EDGE * length[:-1]) | (turned > kink_ampere)
    calm, woken = 0.0, False
    for knot, (before, after) in enumerate(zip(length[:-1].tolist(), length[1:].tolist(), strict=True), start=1):
        calm = max(before, CALM * calm)
        sudden = after < CALM * calm
        if sudden or woken or stops[knot]:
            stops[knot] = True
            calm = 0.0
        woken = sudden
    return stops


def output_samples(time_second: Floats, profile: CurrentProfile, stops: Mask, capacity_ah: float) -> NDArray[np.intp]:
    """Choose the samples at which the voltage is evaluated; between them it is interpolated.

    Outputs are dense after each stop and thin out with the time since, but never beyond what the open-circuit
    potentials (charge) and the ohmic drop (current) need.

    Returns:
        Indices into ``time_second``, increasing; the first and last sample are among them.
    """
    at = profile.time_second[stops]
    place = np.clip(np.searchsorted(at, time_second, side="right") - 1, 0, len(at) - 1)
    since = time_second - at[place]
    interval = max(float(np.median(np.diff(time_second))), 1e-6) if len(time_second) > 1 else 1.0
    # One count a GROWTH of the time since the stop, once the time between outputs exceeds the sampling interval.
    dense = interval / (GROWTH - 1.0)
    later = np.log(np.maximum(since, dense) / dense) / np.log(GROWTH)
    ages = np.minimum(since, dense) / interval + later
    step = np.diff(profile.time_second)
    current = profile.current_ampere
    charge = np.concatenate([[0.0], np.cumsum(step * np.abs(current[1:] + current[:-1]) / 7200.0)])
    moved = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(current)))])
    charges = np.interp(time_second, profile.time_second, charge) / (CHARGE_PER_AH * capacity_ah)
    moves = np.interp(time_second, profile.time_second, moved) / (CURRENT_PER_AH * capacity_ah)
    chosen = np.zeros(len(time_second), dtype=np.bool_)
    for count in (place, ages, charges, moves):
        chosen[1:] |= np.diff(np.floor(count)) != 0.0
    chosen[:-1] |= np.diff(place) != 0  # the last sample before a stop
    chosen |= _triggered(time_second, place)
    chosen[0] = chosen[-1] = True
    return np.flatnonzero(chosen)


def _triggered(time_second: Floats, place: NDArray[np.intp]) -> Mask:
    """Samples that a cycler took out of turn, because its voltage moved: there the model's will bend too."""
    if len(time_second) < 2:
        return np.zeros(len(time_second), dtype=np.bool_)
    interval = np.diff(time_second, prepend=2.0 * time_second[0] - time_second[1])
    begin = np.flatnonzero(np.diff(place, prepend=place[0] - 1))
    longest = np.repeat(np.maximum.reduceat(interval, begin), np.diff(begin, append=len(place)))
    early: Mask = interval < OUT_OF_TURN * longest
    early[:-1] |= early[1:]
    return early


def between_outputs(time_second: Floats, outputs: NDArray[np.intp], value: Floats) -> Floats:
    """Interpolate outputs to every sample by a monotone cubic, shape (samples,); at the outputs it is exact."""
    if len(outputs) == len(time_second):
        return value
    filled: Floats = PchipInterpolator(time_second[outputs], value)(time_second)
    filled[outputs] = value
    return filled
