"""Where the solver must stop, and at which samples the voltage must be asked for.

A stop costs a restart of the integrator at first order, an output an evaluation of the model; both together were most
of a replay's time. The solver sees a change of the current by its own error control, unless the current is back where
it was at the step's end; then it sees nothing, and a pulse is lost in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import Floats, Mask
from ..current_profile.compress import GAP_EDGE_SECOND, CurrentProfile
from .output_points import monotone_cubic

EDGE: Final = 5.0  # a piece this many times longer or shorter than the one before it: an edge ends or begins
TURN_PER_AH: Final = 1e-3  # A per A.h, by which the current must rise or fall to turn
KINK_PER_AH: Final = 0.01  # A per A.h, by which the current may turn without a stop in a model that follows at once
STOP_STEPS: Final = 12.0  # steps that a stop costs
STEPS_PER_TURN: Final = 4.0  # in a drive cycle: with fewer, each turn costs a step that failed
GUARDED_TIGHTER: Final = 0.2  # tolerances where a longest step stands in for stops: each kink costs some charge
EDGE_PER_AH: Final = 0.02  # A per A.h, from which on a rise is an edge
FIRST_STEP: Final = 0.1  # of an edge: the integrator's own choice, after a rest, is to pass the edge in one step
GROWTH: Final = 1.5  # of the time since the last stop, from output to output
CHARGE_PER_AH: Final = 0.012  # A.h per A.h, from output to output: how finely an open-circuit potential is seen
CURRENT_PER_AH: Final = 0.02  # A per A.h, by which the current may wander from output to output
DENSE: Final = 0.6  # of the samples: where so many are wanted, all are
OUT_OF_TURN: Final = 0.7  # of the longest interval since the stop; a sample that came sooner was triggered


@dataclass(frozen=True, slots=True, eq=False)
class Stops:
    """How the solver is kept from stepping over a change of the current.

    Args:
        at_knot: where it stops, shape (knots,); the first and last always.
        longest_step_second: the longest step it may take; 0 = any.
        first_step_second: its first step after each stop; 0 = its own choice.
        tighter: by which the asked tolerances are multiplied.
    """

    at_knot: Mask
    longest_step_second: float = 0.0
    first_step_second: float = 0.0
    tighter: float = 1.0


def stop_at_every_knot(profile: CurrentProfile, capacity_ah: float) -> Stops:
    """Stop at each knot."""
    return Stops(np.ones(len(profile.time_second), dtype=np.bool_), 0.0, first_step_second(profile, capacity_ah))


def solver_stops(profile: CurrentProfile, capacity_ah: float, follows_at_once: bool) -> Stops:
    """Choose the solver's stops.

    Between two stops the current only rises or only falls, so what a step passes over is seen at its end. Where an
    edge begins or ends the integrator does better to begin anew, too. A drive cycle turns at every other sample: there
    a longest step is the cheaper guard.

    Args:
        follows_at_once: the model has potentials that follow the current at once (a DFN's); they are exact only where
            the solver begins anew, so it stops wherever the current turns by ``KINK_PER_AH``.
    """
    length, rise = np.diff(profile.time_second), np.diff(profile.current_ampere)
    stops = np.ones(len(length) + 1, dtype=np.bool_)
    stops[1:-1] = (length[1:] > EDGE * length[:-1]) | (length[1:] < length[:-1] / EDGE)
    turns = _turns(rise, TURN_PER_AH * capacity_ah)
    first = first_step_second(profile, capacity_ah)
    if follows_at_once:
        bend = np.abs(np.diff(rise / length)) * np.minimum(length[1:], length[:-1])
        stops[1:-1] |= turns | (bend > KINK_PER_AH * capacity_ah)
        return Stops(stops, 0.0, first)
    if turns.any():
        near = float(np.median(np.minimum(length[1:], length[:-1])[turns]))
        step = 2.0 ** np.floor(np.log2(near)) / STEPS_PER_TURN  # few different ones: each is a solver of its own
        if (profile.time_second[-1] - profile.time_second[0]) / step < STOP_STEPS * turns.sum():
            return Stops(stops, float(step), first, GUARDED_TIGHTER)
    stops[1:-1] |= turns
    return Stops(stops, 0.0, first)


def first_step_second(profile: CurrentProfile, capacity_ah: float) -> float:
    """The first step after a stop that resolves the record's edges, as a power of ten; 0 where it has none.

    In a rest nothing changes, so the integrator's own first step is as long as the edge that ends it, and what its
    first order makes of that edge's charge passes the error test: 0.2 % on nine pulses at a tolerance of 1e-4.
    """
    length, rise = np.diff(profile.time_second), np.abs(np.diff(profile.current_ampere))
    edges = length[(rise > EDGE_PER_AH * capacity_ah) & (length > 2.0 * GAP_EDGE_SECOND)]
    if not len(edges):
        return 0.0
    short = np.sort(edges)[len(edges) // 10]
    return float(10.0 ** np.floor(np.log10(FIRST_STEP * short) + 1e-6))


def _turns(rise: Floats, least: float) -> Mask:
    """Inner knots at which the current, having risen, begins to fall, or the other way round, shape (pieces - 1,).

    Args:
        rise: A over each piece, shape (pieces,).
        least: A, what counts as rising or falling at all.
    """
    sign = np.where(np.abs(rise) > least, np.sign(rise), 0.0)
    last = np.maximum.accumulate(np.where(sign != 0.0, np.arange(len(sign)), -1))[:-1]
    before = np.where(last >= 0, sign[np.maximum(last, 0)], 0.0)
    turns: Mask = sign[1:] * before < 0.0
    return turns


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
    interval = _usual_interval(time_second, place)
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
    chosen[:-1] |= (np.diff(place) != 0) | (np.diff(moves) > 1.0)  # the last sample before a stop or an edge
    chosen |= _triggered(time_second, place)
    chosen[0] = chosen[-1] = True
    if np.count_nonzero(chosen) > DENSE * len(chosen):
        chosen[:] = True  # the few left out are not worth the risk that they are missed
    return np.flatnonzero(chosen)


def _usual_interval(time_second: Floats, place: NDArray[np.intp]) -> Floats:
    """Median interval between the samples since the same stop, at each sample: a pulse is sampled more finely.

    Args:
        place: stop that each sample follows, from 0, never falling.
    """
    if len(time_second) < 2:
        return np.ones(len(time_second))
    interval = np.maximum(np.diff(time_second, append=2.0 * time_second[-1] - time_second[-2]), 1e-6)
    begin = np.flatnonzero(np.diff(place, prepend=place[0] - 1))
    length = np.diff(begin, append=len(place))
    middle = interval[np.lexsort((interval, place))][begin + (length - 1) // 2]
    return np.repeat(middle, length)


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


def interpolate_outputs(time_second: Floats, outputs: NDArray[np.intp], value: Floats) -> Floats:
    """Interpolate outputs to every sample by a monotone cubic; at the outputs it is exact.

    Args:
        time_second: shape (samples,).
        outputs: indices of the samples at which the value is known, the first and last among them.
        value: shape (outputs,) or (k, outputs).

    Returns:
        Shape (samples,) or (k, samples).
    """
    if len(outputs) == len(time_second):
        return value
    filled = np.empty((*value.shape[:-1], len(time_second)))
    filled[..., outputs] = value
    between = np.ones(len(time_second), dtype=np.bool_)
    between[outputs] = False
    rows = value.reshape(-1, len(outputs))
    filled[..., between] = monotone_cubic(time_second[outputs], rows, time_second[between]).reshape(
        *value.shape[:-1], -1
    )
    return filled
