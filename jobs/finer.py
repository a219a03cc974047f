"""Compression that is held to limits of charge and voltage: where it exceeds one, the knots are made finer."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from ..data.errors import JobError
from .attempts import CHARGE_TOLERANCE, Case, away_from_measured, climb
from .charge import interval_charge_ah
from .compress import CurrentProfile
from .compression_error import CompressionError, compression_error
from .record import Record, profile_of
from .replay import Replayed

SHIFT_LIMIT_MV: Final = 1.0
"""RMSE by which the profile may shift the voltage, beyond what noise does."""
FINER: Final = (4.0, np.inf)
"""What the tolerances are divided by, one after the other; at last every sample is a knot."""
MOST_SAMPLES: Final = 50_000
"""Records of more samples are not replayed with a knot at each: a day of a drive cycle at 1 Hz would take an hour."""


def charge_true_profile(record: Record, capacity_ah: float) -> CurrentProfile:
    """Compress a record's current so that its charge stays with the measured one at every sample, not only in the end.

    Between its knots a profile leaves out the charge that noise moves to and fro. In a record that holds next to no
    charge, such as a rest with a few short pulses, that is more than a simulation may be off.
    """
    profile = profile_of(record, capacity_ah)
    for finer in FINER:
        seen = np.interp(record.time_second, profile.time_second, profile.current_ampere)
        charge = np.concatenate([[0.0], np.cumsum(interval_charge_ah(record.time_second, seen, record.flags))])
        off = float(np.max(away_from_measured(record, charge, capacity_ah)))
        if off <= CHARGE_TOLERANCE / 2.0 or (np.isinf(finer) and len(seen) > MOST_SAMPLES):
            break
        profile = profile_of(record, capacity_ah, finer)
    return profile


def climb_within_limit(case: Case) -> tuple[Case, Replayed, tuple[str, ...], CompressionError]:
    """Try to solve, and again with finer knots as long as the compression shifts the voltage beyond the limit.

    Returns:
        The case as it was solved at last, what was simulated, what was tried, and what the compression does.

    Raises:
        JobError: no attempt with the first knots succeeded. Where finer ones fail, the ones before them count.
    """
    replayed, attempts = climb(case)
    error = error_of(case, replayed)
    for finer in FINER:
        if error.shift_mv <= SHIFT_LIMIT_MV:
            break
        found = f"{len(case.profile.time_second)} knots shift the voltage by {error.shift_mv:.2g} mV RMSE"
        if np.isinf(finer) and len(case.record.time_second) > MOST_SAMPLES:
            return case, replayed, (*attempts, f"{found}; too many samples for a knot at each"), error
        now = "every sample a knot" if np.isinf(finer) else f"tolerances of the knots {finer:g} times smaller"
        sharper = replace(case, profile=profile_of(case.record, case.conditions.capacity_ah, finer))
        try:
            replayed, more = climb(sharper)
        except JobError as failed:
            return case, replayed, (*attempts, f"{found}; {now}: {failed}; the knots before count"), error
        case, attempts = sharper, (*attempts, f"{found}; {now}", *more)
        error = error_of(case, replayed)
    return case, replayed, attempts, error


def error_of(case: Case, replayed: Replayed) -> CompressionError:
    """Estimate what the compression does to a simulation's voltage."""
    record = case.record
    return compression_error(
        record.time_second,
        record.current_ampere,
        replayed.current_ampere,
        replayed.voltage_volt,
        record.after_gap,
        case.profile.noise_ampere,
        case.conditions.capacity_ah,
    )
