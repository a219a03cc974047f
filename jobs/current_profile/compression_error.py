"""Estimate how the compression of the current changes the simulated voltage, from the simulation itself.

The residual current, measured minus profile, changes the voltage in three ways: at once through the resistance, later
through the diffusion overpotentials, and through the charge that it moves along the open-circuit voltage. To first
order the voltage is a sum of such responses to the current. They are learned from the simulation, its voltage against
its current, and then applied to the residual current. Nothing needs to be known about the model.

One record seldom tells all responses apart: a step from rest to 1C fits a resistance as well as kinetics, whose
resistance at 1C is a third of it. So several sets of responses are learned, and of all that fit, the one with the
largest effect counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import lapack
from scipy.optimize import nnls

from ...data.arrays import Floats, Indices, Mask
from ...data.convert import SECONDS_PER_HOUR

LAGS_SECOND: Final = (3.0, 30.0, 300.0, 3000.0)
"""Time constants of the lagged responses; faster is the resistance (at once), slower the charge (which stays)."""

KNEES_PER_AH: Final = np.array([0.03, 0.3])
"""Currents at which a kinetic resistance begins to fall, A per A.h of capacity."""

CHARGE_NODES: Final = 8  # nodes along the charge, between which the slope of the open-circuit voltage is linear
LEARNED_SAMPLES: Final = 600  # samples between which the increments of the voltage are learned
STEP_PER_AH: Final = 0.05  # a larger change of current between two samples is a step, A per A.h of capacity
RIDGE: Final = 1e-9  # added to the diagonal of the normalised normal equations, which keeps them solvable
UNSEEN_PER_AH: Final = 2e-3
"""A per A.h: what has changed by less than this over the record tells nothing of a response to it."""

UNSEEN_CHARGE: Final = 1e-6
"""A.h per A.h: likewise for the charge."""

UNKNOWN_OHM_AH: Final = 0.6
"""Resistance in ohm times capacity in A.h where the record does not tell it, as in a rest that has only ripple.

Chosen: PyBaMM's sets have 0.07 to 0.2 at rest at 25 °C, OKane2022 has 0.57 at -5 °C.
"""

WORSE_FIT: Final = 2.0
WORSE_FIT_VOLT: Final = 2e-4
"""Responses count if they fit the voltage's increments within this factor and these V of the best ones."""

BLOCK: Final = 200_000  # samples that are worked on at a time

SAFETY_FACTOR: Final = 1.5
"""The estimate is linear. The true difference was 0.9 to 1.1 times it in every kind of record, with SPMe and DFN."""


@dataclass(frozen=True, slots=True)
class NumericalError:
    """Bound of the difference between a simulation's voltage and that of an exact solver under the same profile.

    Args:
        rmse_mv, worst_mv: over the samples; infinite = not estimated.
        attempts: what was done to lower it, one line each.
    """

    rmse_mv: float = np.inf
    worst_mv: float = np.inf
    attempts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CompressionError:
    """Difference between two simulated voltages: driven by the profile, and by the measured current itself.

    It contains everything that the profile leaves out: the noise, which may be in the cell or only in the meter, and
    any change of the current beyond the noise. It does not contain the error of the solver.

    Args:
        rmse_mv, worst_mv: over the samples; ``SAFETY_FACTOR`` times the linear estimate, so that the true values are
            smaller.
        shift_mv: the part of ``rmse_mv`` that noise of the estimated size cannot explain; finer knots lower it.
        numerical: the error of the solver in the same simulation, which is joined with it; no part of the others.
    """

    rmse_mv: float
    worst_mv: float
    shift_mv: float
    numerical: NumericalError = NumericalError()


def join_errors(parts: Sequence[tuple[CompressionError, int]]) -> CompressionError:
    """Combine the compression errors, and the numerical errors, of several simulations.

    Args:
        parts: the error and the number of samples of each simulation.
    """
    samples = [count for _, count in parts]
    share = np.array(samples) / sum(samples)
    rmse_mv = _weighted_rms(share, [error.rmse_mv for error, _ in parts])
    shift_mv = _weighted_rms(share, [error.shift_mv for error, _ in parts])
    numerical = NumericalError(
        _weighted_rms(share, [error.numerical.rmse_mv for error, _ in parts]),
        max(error.numerical.worst_mv for error, _ in parts),
    )
    return CompressionError(rmse_mv, max(error.worst_mv for error, _ in parts), shift_mv, numerical)


def _weighted_rms(share: Floats, values: Sequence[float]) -> float:
    return float(np.sqrt(np.sum(share * np.array(values) ** 2)))


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """How a simulated voltage follows its current.

    Args:
        resistance_ohm: response at once, at any current.
        kinetic_ohm: further response at once, at zero current; it falls as the current exceeds its ``knee_ampere``.
        knee_ampere: shape of ``kinetic_ohm``.
        lagged_ohm: response after a long time, for each of ``LAGS_SECOND``.
        charge_ah: nodes of ``slope_volt_per_ah``, shape (``CHARGE_NODES``,); the slope is linear between them.
        slope_volt_per_ah: change of the open-circuit voltage with the charge.
    """

    resistance_ohm: float
    kinetic_ohm: Floats
    knee_ampere: Floats
    lagged_ohm: Floats
    charge_ah: Floats
    slope_volt_per_ah: Floats

    def instant_resistance_ohm(self, current_ampere: Floats) -> Floats:
        """Return the resistance at once at each current; a kinetic overpotential is an arcsinh of the current.

        Args:
            current_ampere: shape (n,).
        """
        resistance = np.full(len(current_ampere), self.resistance_ohm)
        for ohm, knee in zip(self.kinetic_ohm, self.knee_ampere, strict=True):
            resistance += ohm / np.sqrt(1.0 + (current_ampere / knee) ** 2)
        return resistance


@dataclass(frozen=True, slots=True, eq=False)
class Driven:
    """A current and the quantities that follow from it.

    Args:
        current_ampere: shape (n,), positive charges the cell.
        charge_ah: shape (n,), the charge since the first sample.
        lagged_ampere: shape (number of ``LAGS_SECOND``, n), the current behind each first-order lag.
    """

    current_ampere: Floats
    charge_ah: Floats
    lagged_ampere: Floats


def estimate_compression_error(
    time_second: Floats,
    measured_ampere: Floats,
    profile_ampere: Floats,
    voltage_volt: Floats,
    after_gap: Mask,
    noise_ampere: float,
    capacity_ah: float,
    rest_volt: float = np.nan,
) -> CompressionError:
    """Bound how the compression of the current changed a simulation's voltage.

    Args:
        time_second: shape (n,), n >= 2.
        measured_ampere, profile_ampere: shape (n,), both currents at the samples, positive charges the cell.
        voltage_volt: shape (n,), simulated with the profile.
        after_gap: shape (n,), True at the first sample after a power cut, in which no current flowed.
        noise_ampere: standard deviation of the noise estimated from the measured current.
        capacity_ah: the cell's capacity in A.h; scales currents.
        rest_volt: V, open-circuit voltage of the state before the first sample; NaN = not known.
    """
    residual = measured_ampere - profile_ampere
    if not residual.any():
        return CompressionError(0.0, 0.0, 0.0)
    profile, moved = _drive(time_second, np.stack([profile_ampere, residual]), after_gap)
    effects = [
        _effect_volt(responses, profile, moved, noise_ampere)
        for responses in learn_responses(profile, voltage_volt, capacity_ah, rest_volt)
    ]
    rmse, worst, shift = (max(values) for values in zip(*effects, strict=True))
    return CompressionError(*(1e3 * SAFETY_FACTOR * volt for volt in (rmse, worst, shift)))


def _effect_volt(responses: Responses, profile: Driven, moved: Driven, noise_ampere: float) -> tuple[float, ...]:
    """The RMSE, the worst difference, and the RMSE beyond noise of what some responses make of the residual current."""
    resistance = responses.instant_resistance_ohm(profile.current_ampere)
    slope = np.interp(profile.charge_ah, responses.charge_ah, responses.slope_volt_per_ah)
    residual = moved.current_ampere
    difference = resistance * residual + slope * moved.charge_ah + responses.lagged_ohm @ moved.lagged_ampere
    rmse = float(np.sqrt(np.mean(difference**2)))
    residual_rms = float(np.sqrt(np.mean(residual**2)))
    noise = min(noise_ampere, residual_rms) * float(np.sqrt(np.mean(resistance**2)))
    return rmse, float(np.max(np.abs(difference))), float(np.sqrt(max(rmse**2 - noise**2, 0.0)))


def learn_responses(
    driven: Driven, voltage_volt: Floats, capacity_ah: float, rest_volt: float = np.nan
) -> list[Responses]:
    """Learn how a voltage follows its current: non-negative least squares over the increments of the voltage.

    Args:
        driven: the current and what follows from it, shape (n,).
        voltage_volt: shape (n,), simulated with this current.
        capacity_ah: the cell's capacity in A.h; scales currents.
        rest_volt: V, open-circuit voltage of the state before the first sample; NaN = not known.

    Returns:
        The responses that fit: with all kinds of resistance, with a constant one only, with kinetic ones only.
    """
    chosen = _choose_samples(driven.current_ampere, capacity_ah)
    knees = KNEES_PER_AH * capacity_ah
    current = driven.current_ampere[chosen]
    kinetic = [knee * np.arcsinh(current / knee) for knee in knees]
    columns = np.vstack([current, *kinetic, driven.lagged_ampere[:, chosen]])
    charge = driven.charge_ah[chosen]
    voltage = voltage_volt[chosen]
    if np.isfinite(rest_volt):  # the step from rest into the first sample is in no increment
        columns = np.hstack([np.zeros((len(columns), 1)), columns])
        charge = np.concatenate([charge[:1], charge])
        voltage = np.concatenate([[rest_volt], voltage])
    nodes, slopes = _share_between_nodes(charge)
    table = np.hstack([np.diff(columns).T, slopes])
    increments = np.diff(voltage)
    size = np.sqrt(np.sum(table**2, axis=0))
    least = np.full(len(size), UNSEEN_PER_AH * capacity_ah)
    least[-CHARGE_NODES:] = UNSEEN_CHARGE * capacity_ah
    seen = size > least
    resistive = np.arange(len(size)) <= len(knees)
    if not (seen & resistive).any():
        return [_unknown_responses(nodes, knees, capacity_ah)]
    learned, misfits = [], []
    for left_out in (np.zeros_like(seen), resistive & (np.arange(len(size)) > 0), np.arange(len(size)) == 0):
        amounts = _solve_non_negative(table, increments, seen & ~left_out)
        misfits.append(float(np.sqrt(np.mean((table @ amounts - increments) ** 2))))
        parts = np.split(amounts, [1, 1 + len(knees), len(amounts) - CHARGE_NODES])
        learned.append(Responses(float(parts[0][0]), parts[1], knees, parts[2], nodes, parts[3]))
    most = WORSE_FIT * min(misfits) + WORSE_FIT_VOLT
    return [one for one, misfit in zip(learned, misfits, strict=True) if misfit <= most]


def _solve_non_negative(table: Floats, increments: Floats, used: Mask) -> Floats:
    """Non-negative least squares with some of the columns; the others become zero."""
    amounts = np.zeros(len(used))
    part = table[:, used]
    size = np.sqrt(np.sum(part**2, axis=0))
    scaled = part / size
    root = np.linalg.cholesky(scaled.T @ scaled + RIDGE * np.eye(len(size)))
    target = np.linalg.solve(root, scaled.T @ increments)
    amounts[used] = nnls(root.T, target)[0] / size
    return amounts


def _unknown_responses(nodes: Floats, knees: Floats, capacity_ah: float) -> Responses:
    """Responses of a record whose current tells nothing of them."""
    nothing = np.zeros(len(LAGS_SECOND))
    ohm = UNKNOWN_OHM_AH / capacity_ah
    return Responses(ohm, np.zeros(len(knees)), knees, nothing, nodes, np.zeros(CHARGE_NODES))


def _choose_samples(current_ampere: Floats, capacity_ah: float) -> Indices:
    """Choose samples spread over the record, and both sides of its steps if these are few; sorted."""
    n = len(current_ampere)
    spread = np.unique(np.linspace(0, n - 1, min(LEARNED_SAMPLES, n)).astype(np.intp))
    steps = np.flatnonzero(np.abs(np.diff(current_ampere)) > STEP_PER_AH * capacity_ah)
    if len(steps) > LEARNED_SAMPLES // 2:
        return spread
    return np.unique(np.concatenate([spread, steps, steps + 1]))


def _share_between_nodes(charge_ah: Floats) -> tuple[Floats, Floats]:
    """Place nodes along the charge, and share each increment of the charge between its two nodes.

    Returns:
        The nodes, shape (``CHARGE_NODES``,), and the shares, shape (n - 1, ``CHARGE_NODES``), both in A.h.
    """
    nodes = np.linspace(charge_ah.min(), charge_ah.max() + 1e-9, CHARGE_NODES)
    middle = (charge_ah[1:] + charge_ah[:-1]) / 2.0
    place = np.clip(np.searchsorted(nodes, middle, side="right") - 1, 0, CHARGE_NODES - 2)
    share = (middle - nodes[place]) / (nodes[1] - nodes[0])
    rows = np.arange(len(middle))
    increment = np.diff(charge_ah)
    shared = np.zeros((len(middle), CHARGE_NODES))
    shared[rows, place] = (1.0 - share) * increment
    shared[rows, place + 1] = share * increment
    return nodes, shared


def _drive(time_second: Floats, currents: Floats, after_gap: Mask) -> list[Driven]:
    """Compute the charge and the lagged current of each current; no current flows in a power cut.

    Args:
        time_second: shape (n,).
        currents: shape (number of currents, n), A.
        after_gap: shape (n,), True at the first sample after a power cut.
    """
    step = np.diff(time_second)
    increment_ah = step * (currents[:, 1:] + currents[:, :-1]) / (2.0 * SECONDS_PER_HOUR)
    charge_ah = np.zeros_like(currents)
    np.cumsum(np.where(after_gap[1:], 0.0, increment_ah), axis=1, out=charge_ah[:, 1:])
    lagged = np.stack([apply_lag(step, currents, after_gap, lag) for lag in LAGS_SECOND], axis=1)
    return [Driven(*parts) for parts in zip(currents, charge_ah, lagged, strict=True)]


def apply_lag(step_second: Floats, currents: Floats, after_gap: Mask, lag_second: float) -> Floats:
    """Apply a first-order lag, starting from zero; exact for currents that are linear between samples.

    The recursion over the samples is a bidiagonal system, which LAPACK solves at once.

    Args:
        step_second: shape (n - 1,), time between the samples.
        currents: shape (number of currents, n), A.
        after_gap: shape (n,), True at the first sample after a power cut, in which the current is zero.
        lag_second: time constant.

    Returns:
        The lagged currents, shape of ``currents``.
    """
    lagged = np.zeros_like(currents)
    for first in range(0, len(step_second), BLOCK):
        step = step_second[first : first + BLOCK]
        begins = slice(first, first + len(step))
        ends = slice(first + 1, first + 1 + len(step))
        old = currents[:, begins]
        new = currents[:, ends]
        decay = np.exp(-step / lag_second)
        # For a current that is linear in the step, its new value has the weight 1 - share, its old one share - decay.
        share = (1.0 - decay) * (lag_second / step)
        entered = np.where(after_gap[ends], 0.0, (1.0 - share) * new + (share - decay) * old)
        entered[:, 0] += decay[0] * lagged[:, first]
        lagged[:, ends] = _solve_recursion(decay, entered)
    return lagged


def _solve_recursion(decay: Floats, entered: Floats) -> Floats:
    """Solve y[i] = decay[i] y[i - 1] + entered[i], y[-1] = 0, along the last axis."""
    band = np.ones((2, len(decay)), order="F")
    band[1, :-1] = -decay[1:]
    solved, _ = lapack.dtbtrs(band, entered.T, uplo="L", diag="U")  # pyright: ignore[reportAttributeAccessIssue]
    solution: Floats = solved.T
    return solution
