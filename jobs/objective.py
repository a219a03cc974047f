"""The objective of a fit: simulated minus measured voltage at the samples of the chosen cycles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data.errors import JobError
from ..data.settings import FitSettings, Override, SimulateSettings
from .attempts import ATTEMPTS, RETRIED, Attempt, Case, check_charge, solve_as
from .finer import charge_true_profile
from .parameters import affects_equilibrium, is_function, nominal_capacity_ah, with_overrides
from .record import Record, record_of
from .replay import check_range
from .simulate import conditions_of
from .usable import refuse_nothing

Floats = NDArray[np.float64]

PENALTY_MV = 1000.0
"""Residual of every sample where the model has no solution: finite, and worse than any that solves."""


class Objective:
    """Residuals of one cell as a function of parameter values; counts its evaluations, and keeps to one ``attempt``.

    Args:
        samples: a cleaned partition.
        settings: the fit.
        measured_celsius: the cell's mean temperature, used where the settings give none.

    Raises:
        NothingToSimulateError: the cell has no current up to the last of the asked cycles.
        JobError: the cell does not have the asked cycles, or no measured voltage in them (``no_voltage``).
    """

    def __init__(self, samples: pd.DataFrame, settings: FitSettings, measured_celsius: float | None) -> None:
        self.settings = settings
        self.evaluations = 0
        self._celsius = measured_celsius
        self._record = _until_last_cycle(record_of(samples), settings)
        capacity = settings.cell.nominal_capacity_ah or nominal_capacity_ah(settings.parameter_set)
        refuse_nothing(self._record.current_ampere, self._record.voltage_volt, capacity)
        self._profile = charge_true_profile(self._record, capacity)
        self._used = _used(self._record, settings.cycles)
        self._conditions = conditions_of(self._record, self._simulate_settings(()), measured_celsius)
        self._state_moves = any(affects_equilibrium(p.name) for p in settings.parameters)
        self.attempt = self._first_that_solves()

    def default_values(self) -> Floats:
        """The parameter set's own values: 1 for the factor of a function."""
        parameter_set = self.settings.parameter_set
        scales = {o.parameter: o.value for o in parameter_set.overrides if o.kind == "scale"}
        values = with_overrides(parameter_set)
        own = [
            scales.get(p.name, 1.0) if is_function(parameter_set.key, p.name) else values[p.name]
            for p in self.settings.parameters
        ]
        return np.array(own, float)

    def residuals_mv(self, values: Floats) -> Floats:
        """Simulated minus measured voltage in mV at the samples used.

        Where an electrode leaves its stoichiometry range the residual grows with the distance, so that a start
        finds its way back; where the solver fails it is ``PENALTY_MV``.
        """
        self.evaluations += 1
        try:
            return self._solve(self.overrides(values))
        except JobError:
            return np.full(int(self._used.sum()), PENALTY_MV)

    def rmse_mv(self, values: Floats) -> float:
        """RMSE in mV at the samples used.

        Raises:
            JobError: the model has no solution, or none that a cell can have, at these values.
        """
        return float(np.sqrt(np.mean(self._solve(self.overrides(values), checked=True) ** 2)))

    def overrides(self, values: Floats) -> tuple[Override, ...]:
        """The parameter set's overrides with the fitted ones in their place."""
        key, fitted = self.settings.parameter_set.key, {p.name for p in self.settings.parameters}
        kept = tuple(o for o in self.settings.parameter_set.overrides if o.parameter not in fitted)
        return kept + tuple(
            Override(p.name, "scale" if is_function(key, p.name) else "value", float(v))
            for p, v in zip(self.settings.parameters, values, strict=True)
        )

    def _simulate_settings(self, overrides: tuple[Override, ...]) -> SimulateSettings:
        base = self.settings.parameter_set
        parameter_set = replace(base, overrides=overrides or base.overrides)
        return SimulateSettings(self.settings.cell, self.settings.model, parameter_set)

    def _first_that_solves(self) -> Attempt:
        """The first of the ladder's ways in which the set's own values solve; the whole fit keeps to it."""
        case = self.case(self.overrides(self.default_values()))
        for attempt in ATTEMPTS:
            try:
                check_charge(case, solve_as(attempt, case))
            except JobError as error:
                if error.code not in RETRIED:
                    break
                continue
            return attempt
        return ATTEMPTS[0]

    def case(self, overrides: tuple[Override, ...]) -> Case:
        """What is solved with these overrides."""
        conditions = self._conditions
        if self._state_moves:
            conditions = conditions_of(self._record, self._simulate_settings(overrides), self._celsius)
        conditions = replace(conditions, overrides=overrides)
        return Case(self._record, self._simulate_settings(overrides), conditions, self._profile)

    def _solve(self, overrides: tuple[Override, ...], checked: bool = False) -> Floats:
        replayed = solve_as(self.attempt, self.case(overrides))
        if checked:
            check_range(replayed)
        error = 1e3 * (replayed.voltage_volt - self._record.voltage_volt)[self._used]
        error = np.clip(np.nan_to_num(error, nan=PENALTY_MV), -PENALTY_MV, PENALTY_MV)
        away: Floats = np.copysign(PENALTY_MV * replayed.excess[self._used], error)
        return error + away


def _until_last_cycle(record: Record, settings: FitSettings) -> Record:
    """The record up to the end of the last cycle to fit on: what comes after cannot matter."""
    if not settings.cycles:
        return record
    missing = sorted(set(settings.cycles) - {int(n) for n in np.unique(record.cycle_count)})
    if missing:
        raise JobError(f"cell {settings.cell.cell_id} has no cycle {missing[0]} to fit on", "no_such_cycle")
    last = int(np.flatnonzero(np.isin(record.cycle_count, settings.cycles))[-1])
    return record.until_index(last + 1)


def _used(record: Record, cycles: tuple[int, ...]) -> NDArray[np.bool_]:
    used = np.isfinite(record.voltage_volt)
    if cycles:
        used &= np.isin(record.cycle_count, cycles)
    if not used.any():
        raise JobError("no sample of the chosen cycles has a measured voltage", "no_voltage")
    return used
