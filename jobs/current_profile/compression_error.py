"""What replacing the measured current by its profile does to the simulated voltage, estimated from the simulation.

The residual current, measured - profile, acts on the voltage through the resistance at once, and through the charge
that it moves by the slopes of the diffusion overpotentials and of the open-circuit voltage. To first order the voltage
is a sum of such responses to the current; so they are learned from the simulation itself, its voltage against its
current, and applied to the residual. Nothing needs to be known of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.optimize import nnls

from ...data.arrays import Floats, Mask
from ...data.convert import SECONDS_PER_HOUR

LAGS_SECOND: Final = (3.0, 30.0, 300.0, 3000.0)
"""Time constants of the responses between the resistance (at once) and the charge (never forgotten)."""

KNEES_PER_AH: Final = np.array([0.03, 0.3])  # A per A.h: currents at which a kinetic resistance begins to fall
CHARGE_NODES: Final = 8  # of the open-circuit voltage, along the charge
LEARNED_SAMPLES: Final = 600  # increments of the voltage that the responses are learned from
BLOCK: Final = 200_000  # samples that are worked on at a time
SAFETY_FACTOR: Final = 1.5
"""The estimate is linear; the true difference was 0.9 to 1.1 times it in every kind of record, SPMe and DFN alike."""


@dataclass(frozen=True, slots=True)
class CompressionError:
    """Difference of two simulated voltages: under the profile, and under the measured current itself.

    It holds all that the profile leaves out: the noise, of which nobody knows whether the cell saw it or the meter
    made it up, and any shift of the current beyond the noise. The solver's own error is not in it.

    Args:
        rmse_mv, worst_mv: over the samples, ``SURE`` times the linear estimate, so that the true ones lie below.
        shift_mv: the part of ``rmse_mv`` that noise of the found size cannot explain; finer knots would lower it.
    """

    rmse_mv: float
    worst_mv: float
    shift_mv: float


def join_errors(parts: Sequence[tuple[CompressionError, int]]) -> CompressionError:
    """What compression did to several simulations together, each given with its number of samples."""
    share = np.array([samples for _, samples in parts]) / sum(samples for _, samples in parts)
    rmse, shift = (
        float(np.sqrt(np.sum(share * np.array(mv) ** 2)))
        for mv in ([e.rmse_mv for e, _ in parts], [e.shift_mv for e, _ in parts])
    )
    return CompressionError(rmse, max(error.worst_mv for error, _ in parts), shift)


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """How a simulated voltage follows its current.

    Args:
        resistance_ohm: at once.
        kinetic_ohm: at once too, and at no current; each falls as the current grows beyond its ``knee_ampere``.
        lagged_ohm: after a long time, for each of ``LAGS_SECOND``.
        charge_ah: where ``slope_volt_per_ah`` holds, shape (``CHARGE_NODES``,); in between it is linear.
    """

    resistance_ohm: float
    kinetic_ohm: Floats
    knee_ampere: Floats
    lagged_ohm: Floats
    charge_ah: Floats
    slope_volt_per_ah: Floats

    def instant_resistance_ohm(self, current_ampere: Floats) -> Floats:
        """The resistance at once under a current, shape (n,): kinetic overpotentials are arcsinhs of the current."""
        found = np.full(len(current_ampere), self.resistance_ohm)
        for ohm, knee in zip(self.kinetic_ohm, self.knee_ampere, strict=True):
            found += ohm / np.sqrt(1.0 + (current_ampere / knee) ** 2)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Driven:
    """A current with what it drives: shape (n,) each, ``lagged_ampere`` shape (lags, n)."""

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
) -> CompressionError:
    """Estimate what the compression did to a simulation's voltage.

    Args:
        time_second, measured_ampere, profile_ampere: shape (n,), n >= 2; the two currents at the samples.
        voltage_volt: shape (n,), simulated under the profile.
        after_gap: shape (n,), True at the first sample after a power cut, in which no current flowed.
        noise_ampere: standard deviation of the noise that was found in the measured current.
        capacity_ah: scales currents.
    """
    residual = measured_ampere - profile_ampere
    if not residual.any():
        return CompressionError(0.0, 0.0, 0.0)
    driven = _drive(time_second, np.stack([profile_ampere, residual]), after_gap)
    learned = learn_responses(driven[0], voltage_volt, capacity_ah)
    at_once = learned.instant_resistance_ohm(profile_ampere)
    slope = np.interp(driven[0].charge_ah, learned.charge_ah, learned.slope_volt_per_ah)
    away = at_once * residual + slope * driven[1].charge_ah + learned.lagged_ohm @ driven[1].lagged_ampere
    rmse = float(np.sqrt(np.mean(away**2)))
    noise = min(noise_ampere, float(np.sqrt(np.mean(residual**2)))) * float(np.sqrt(np.mean(at_once**2)))
    worst, shift = float(np.max(np.abs(away))), float(np.sqrt(max(rmse**2 - noise**2, 0.0)))
    return CompressionError(*(1e3 * SAFETY_FACTOR * volt for volt in (rmse, worst, shift)))


def learn_responses(driven: Driven, voltage_volt: Floats, capacity_ah: float) -> Responses:
    """Learn how a voltage follows its current: least squares over the voltage's increments, no response below zero.

    Args:
        voltage_volt: shape (n,), simulated under the current of ``driven``.
    """
    chosen = _learned_samples(driven.current_ampere, capacity_ah)
    knees = KNEES_PER_AH * capacity_ah
    current = driven.current_ampere[chosen]
    kinetic = [knee * np.arcsinh(current / knee) for knee in knees]
    columns = np.vstack([current, *kinetic, driven.lagged_ampere[:, chosen]])
    nodes, slopes = _slopes(driven.charge_ah[chosen])
    table = np.hstack([np.diff(columns).T, slopes])
    size = np.sqrt(np.sum(table**2, axis=0)) + 1e-30
    normal = (table / size).T @ (table / size) + 1e-9 * np.eye(len(size))
    root = np.linalg.cholesky(normal)
    found = nnls(root.T, np.linalg.solve(root, (table / size).T @ np.diff(voltage_volt[chosen])))[0] / size
    found[size < 1e-12] = 0.0
    resistance, kinetic_ohm, lagged_ohm, slope = np.split(found, [1, 1 + len(knees), len(found) - CHARGE_NODES])
    return Responses(float(resistance[0]), kinetic_ohm, knees, lagged_ohm, nodes, slope)


def _learned_samples(current_ampere: Floats, capacity_ah: float) -> NDArray[np.intp]:
    """Samples spread over the record, with both sides of its steps where these are few; increasing."""
    n = len(current_ampere)
    spread = np.unique(np.linspace(0, n - 1, min(LEARNED_SAMPLES, n)).astype(np.intp))
    steps = np.flatnonzero(np.abs(np.diff(current_ampere)) > 0.05 * capacity_ah)
    if len(steps) > LEARNED_SAMPLES // 2:
        return spread
    return np.unique(np.concatenate([spread, steps, steps + 1]))


def _slopes(charge_ah: Floats) -> tuple[Floats, Floats]:
    """Nodes along the charge, and each increment of the charge shared between its two, shape (n - 1, SLOPES)."""
    nodes = np.linspace(charge_ah.min(), charge_ah.max() + 1e-9, CHARGE_NODES)
    middle = (charge_ah[1:] + charge_ah[:-1]) / 2.0
    place = np.clip(np.searchsorted(nodes, middle, side="right") - 1, 0, CHARGE_NODES - 2)
    share = (middle - nodes[place]) / (nodes[1] - nodes[0])
    rows, rise = np.arange(len(middle)), np.diff(charge_ah)
    shared = np.zeros((len(middle), CHARGE_NODES))
    shared[rows, place] = (1.0 - share) * rise
    shared[rows, place + 1] = share * rise
    return nodes, shared


def _drive(time_second: Floats, currents: Floats, after_gap: Mask) -> list[Driven]:
    """What each of some currents, shape (currents, n), drives over time; none flows in a power cut."""
    step = np.diff(time_second)
    charge = np.zeros_like(currents)
    flowed = step * (currents[:, 1:] + currents[:, :-1]) / (2.0 * SECONDS_PER_HOUR)
    np.cumsum(np.where(after_gap[1:], 0.0, flowed), axis=1, out=charge[:, 1:])
    behind = np.stack([apply_lag(step, currents, after_gap, lag) for lag in LAGS_SECOND], axis=1)
    return [Driven(*parts) for parts in zip(currents, charge, behind, strict=True)]


def apply_lag(step_second: Floats, currents: Floats, after_gap: Mask, lag_second: float) -> Floats:
    """Currents behind a first-order lag, from zero, shape (currents, n): exact where they are linear between samples.

    The recursion over the samples is a bidiagonal system, which LAPACK solves at once.
    """
    found = np.zeros_like(currents)
    for first in range(0, len(step_second), BLOCK):
        step, gap = step_second[first : first + BLOCK], after_gap[first + 1 : first + 1 + BLOCK]
        old, new = currents[:, first : first + len(step)], currents[:, first + 1 : first + 1 + len(step)]
        kept = np.exp(-step / lag_second)
        share = (1.0 - kept) * (lag_second / step)  # of what comes in, from the old current; the rest from the new one
        entered = np.where(gap, 0.0, (1.0 - share) * new + (share - kept) * old)
        entered[:, 0] += kept[0] * found[:, first]
        found[:, first + 1 : first + 1 + len(step)] = _recursion(kept, entered)
    return found


def _recursion(kept: Floats, entered: Floats) -> Floats:
    """Solve y[i] = kept[i] y[i - 1] + entered[i], y[-1] = 0, along the last axis."""
    band = np.ones((2, len(kept)), order="F")
    band[1, :-1] = -kept[1:]
    solved, _ = lapack.dtbtrs(band, entered.T, uplo="L", diag="U")  # pyright: ignore[reportAttributeAccessIssue]
    found: Floats = solved.T
    return found
