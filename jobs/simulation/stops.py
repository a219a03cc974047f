"""Where the solver must stop, and at which samples it must give the voltage.

A stop restarts the integrator at first order, and an output costs an evaluation of the model; without care, these two
take most of a replay's time. The solver's error control sees a change of the current, unless the current has returned
to its old value at the end of the step. Then the solver steps over a pulse without notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.arrays import Floats, Indices, Mask
from ..current_profile.compress import GAP_EDGE_SECOND, CurrentProfile
from .output_points import monotone_cubic

EDGE: Final = 5.0
"""Ratio of the lengths of two neighbouring pieces of the profile, above which an edge begins or ends between them."""

TURN_PER_AH: Final = 1e-3
"""A per A.h: a smaller rise or fall of the current does not count as a turn."""

KINK_PER_AH: Final = 0.01
"""A per A.h: change of slope, over the shorter piece, that a model with algebraic variables follows without a stop."""

STOP_STEPS: Final = 12.0
"""Solver steps that one stop costs."""

STEPS_PER_TURN: Final = 4.0
"""Solver steps between two turns of a drive cycle; with fewer, each turn costs a failed step."""

GUARDED_TIGHTER: Final = 0.2
"""Factor of the tolerances where a longest step replaces the stops: each kink then costs some charge."""

SHORT_LOAD_SECOND: Final = 60.0
"""s: if no load lasts longer between two stops, a model with algebraic variables takes short steps anyway."""

SHORT_REST_SECOND: Final = 3600.0
"""s: likewise for rests, in which the voltage bends less."""

REST_PER_AH: Final = 0.005
"""A per A.h: a smaller current is a rest."""

EDGE_PER_AH: Final = 0.02
"""A per A.h: a change of the current from which on a piece of the profile is an edge."""

FIRST_STEP: Final = 0.1
"""First step after a stop, as a share of an edge; after a rest, the integrator's own choice is the whole edge."""

GROWTH: Final = 1.5
"""Ratio of the times since the last stop of an output and the one before it."""

CHARGE_PER_AH: Final = 0.012
"""A.h per A.h: largest charge between two outputs, which resolves the open-circuit potentials."""

CURRENT_PER_AH: Final = 0.02
"""A per A.h: largest sum of changes of the current between two outputs."""

DENSE: Final = 0.6
"""Share of the samples: if more are chosen as outputs, all of them are."""

OUT_OF_TURN: Final = 0.7
"""Share of the longest interval since the stop: a sample that came sooner was triggered by a change of voltage."""


@dataclass(frozen=True, slots=True, eq=False)
class Stops:
    """How the solver is kept from stepping over a change of the current.

    Args:
        at_knot: knots at which it stops, shape (knots,); the first and the last always.
        longest_step_second: s, its longest step; 0 = no limit.
        first_step_second: s, its first step after each stop; 0 = its own choice.
        tighter: factor of the requested tolerances.
        short: whether all steps are short, so that the error of algebraic variables needs no control.
    """

    at_knot: Mask
    longest_step_second: float = 0.0
    first_step_second: float = 0.0
    tighter: float = 1.0
    short: bool = False


def stop_at_every_knot(profile: CurrentProfile, capacity_ah: float) -> Stops:
    """Stop at each knot.

    Args:
        capacity_ah: A.h, of the cell; thresholds of the current scale with it.
    """
    every_knot = np.ones(len(profile.time_second), dtype=np.bool_)
    return Stops(every_knot, first_step_second=first_step_second(profile, capacity_ah))


def solver_stops(profile: CurrentProfile, capacity_ah: float, follows_at_once: bool) -> Stops:
    """Choose the solver's stops.

    Between two stops the current only rises or only falls, so the end of a step shows what happened within it. The
    solver also stops where an edge begins or ends, because a restart is more efficient there. A drive cycle turns at
    every other sample: there a longest step costs less.

    Args:
        capacity_ah: A.h, of the cell; thresholds of the current scale with it.
        follows_at_once: whether the model has algebraic potentials, which follow the current at once (DFN). They are
            exact only after a restart, so the solver also stops wherever the current bends by ``KINK_PER_AH``.
    """
    length = np.diff(profile.time_second)
    rise = np.diff(profile.current_ampere)
    shorter = np.minimum(length[1:], length[:-1])
    stops = np.ones(len(length) + 1, dtype=np.bool_)
    stops[1:-1] = (length[1:] > EDGE * length[:-1]) | (length[1:] < length[:-1] / EDGE)
    turns = _turns(rise, TURN_PER_AH * capacity_ah)
    first = first_step_second(profile, capacity_ah)
    if follows_at_once:
        bend = np.abs(np.diff(rise / length)) * shorter
        stops[1:-1] |= turns | (bend > KINK_PER_AH * capacity_ah)
        return Stops(stops, first_step_second=first, short=_are_short(profile, stops, capacity_ah))
    if turns.any():
        turn_second = float(np.median(shorter[turns]))
        # Powers of two, so that few different solvers are needed: each longest step needs a separate solver.
        step = 2.0 ** np.floor(np.log2(turn_second)) / STEPS_PER_TURN
        steps = (profile.time_second[-1] - profile.time_second[0]) / step
        if steps < STOP_STEPS * turns.sum():
            return Stops(stops, float(step), first, GUARDED_TIGHTER)
    stops[1:-1] |= turns
    return Stops(stops, first_step_second=first)


def _are_short(profile: CurrentProfile, stops: Mask, capacity_ah: float) -> bool:
    """Tell whether the stops follow each other as in a drive cycle: soon under load, within an hour at rest."""
    place = np.flatnonzero(stops)
    length = np.diff(profile.time_second[place])
    largest = np.maximum.reduceat(np.abs(profile.current_ampere), place)[:-1]
    most = np.where(largest > REST_PER_AH * capacity_ah, SHORT_LOAD_SECOND, SHORT_REST_SECOND)
    return bool((length <= most).all())


def first_step_second(profile: CurrentProfile, capacity_ah: float) -> float:
    """Return the first step after a stop that resolves the record's edges, in s.

    In a rest nothing changes, so the integrator's own first step is as long as the edge that ends the rest. At first
    order, its error of that edge's charge passes the error test: 0.2 % on nine pulses at a tolerance of 1e-4.

    Args:
        capacity_ah: A.h, of the cell; the size of an edge scales with it.

    Returns:
        A power of ten; 0 where the record has no edges.
    """
    length = np.diff(profile.time_second)
    change = np.abs(np.diff(profile.current_ampere))
    edges = length[(change > EDGE_PER_AH * capacity_ah) & (length > 2.0 * GAP_EDGE_SECOND)]
    if not len(edges):
        return 0.0
    short = np.sort(edges)[len(edges) // 10]
    return float(10.0 ** np.floor(np.log10(FIRST_STEP * short) + 1e-6))


def _turns(rise: Floats, least: float) -> Mask:
    """Inner knots at which a rising current begins to fall, or a falling one to rise, shape (pieces - 1,).

    Args:
        rise: A over each piece, shape (pieces,).
        least: A; a smaller change is neither a rise nor a fall.
    """
    sign = np.where(np.abs(rise) > least, np.sign(rise), 0.0)
    last = np.maximum.accumulate(np.where(sign != 0.0, np.arange(len(sign)), -1))[:-1]
    before = np.where(last >= 0, sign[np.maximum(last, 0)], 0.0)
    turns: Mask = sign[1:] * before < 0.0
    return turns


def output_samples(time_second: Floats, profile: CurrentProfile, stops: Mask, capacity_ah: float) -> Indices:
    """Choose the samples at which the voltage is evaluated; between them it is interpolated.

    Outputs are dense after each stop and become rarer with the time since. They stay as dense as the open-circuit
    potentials (charge) and the ohmic drop (current) require.

    Args:
        time_second: of all samples, shape (samples,).
        stops: knots at which the solver stops, shape (knots,).
        capacity_ah: A.h, of the cell; thresholds of charge and current scale with it.

    Returns:
        Indices into ``time_second``, increasing, with the first and the last sample.
    """
    stop_second = profile.time_second[stops]
    place = np.clip(np.searchsorted(stop_second, time_second, side="right") - 1, 0, len(stop_second) - 1)
    moves = _moves(time_second, profile, capacity_ah)
    counts = (
        place,
        _ages(time_second, stop_second, place),
        _charges(time_second, profile, capacity_ah),
        moves,
    )
    chosen = np.zeros(len(time_second), dtype=np.bool_)
    for count in counts:
        chosen[1:] |= np.diff(np.floor(count)) != 0.0
    chosen[:-1] |= (np.diff(place) != 0) | (np.diff(moves) > 1.0)  # the last sample before a stop or an edge
    chosen |= _triggered(time_second, place)
    chosen[0] = chosen[-1] = True
    if np.count_nonzero(chosen) > DENSE * len(chosen):
        chosen[:] = True  # the few that are left out do not justify the risk of missing them
    return np.flatnonzero(chosen)


def _ages(time_second: Floats, stop_second: Floats, place: Indices) -> Floats:
    """Outputs due since the last stop: one each sampling interval, then one each ``GROWTH`` of the time since.

    Args:
        place: stop that each sample follows.
    """
    since = time_second - stop_second[place]
    interval = _usual_interval(time_second, place)
    # From here on, the time between outputs exceeds the sampling interval.
    dense = interval / (GROWTH - 1.0)
    later = np.log(np.maximum(since, dense) / dense) / np.log(GROWTH)
    ages: Floats = np.minimum(since, dense) / interval + later
    return ages


def _charges(time_second: Floats, profile: CurrentProfile, capacity_ah: float) -> Floats:
    """Outputs due for the charge that has flowed, in either direction, at each sample."""
    step = np.diff(profile.time_second)
    current = profile.current_ampere
    charge = np.concatenate([[0.0], np.cumsum(step * np.abs(current[1:] + current[:-1]) / 7200.0)])
    charges: Floats = np.interp(time_second, profile.time_second, charge) / (CHARGE_PER_AH * capacity_ah)
    return charges


def _moves(time_second: Floats, profile: CurrentProfile, capacity_ah: float) -> Floats:
    """Outputs due for the changes of the current, added up, at each sample."""
    moved = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(profile.current_ampere)))])
    moves: Floats = np.interp(time_second, profile.time_second, moved) / (CURRENT_PER_AH * capacity_ah)
    return moves


def _usual_interval(time_second: Floats, place: Indices) -> Floats:
    """Median interval in s between the samples since the same stop, at each sample: a pulse is sampled more finely.

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


def _triggered(time_second: Floats, place: Indices) -> Mask:
    """Samples that a cycler took early, because its voltage changed: the model's voltage bends there too."""
    if len(time_second) < 2:
        return np.zeros(len(time_second), dtype=np.bool_)
    interval = np.diff(time_second, prepend=2.0 * time_second[0] - time_second[1])
    begin = np.flatnonzero(np.diff(place, prepend=place[0] - 1))
    longest = np.repeat(np.maximum.reduceat(interval, begin), np.diff(begin, append=len(place)))
    early: Mask = interval < OUT_OF_TURN * longest
    early[:-1] |= early[1:]
    return early


def interpolate_outputs(time_second: Floats, outputs: Indices, value: Floats) -> Floats:
    """Interpolate outputs to every sample by a monotone cubic, which is exact at the outputs.

    Args:
        time_second: shape (samples,).
        outputs: indices of the samples at which the value is known, with the first and the last sample.
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
