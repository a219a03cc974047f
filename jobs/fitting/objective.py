"""The objective of a fit: simulated minus measured voltage at the chosen samples, and its slopes by each parameter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data.arrays import Floats, Mask
from ...data.columns import STEP_TYPES
from ...data.errors import JobError
from ...data.fit_settings import FitSettings
from ..parameters.sets import nominal_capacity_ah
from ..record.noise import estimate_step_noise
from ..record.record import Record, make_record
from ..record.usable_current import require_current
from ..simulation.attempts import (
    ATTEMPTS,
    RETRIED_CODES,
    Attempt,
    Case,
    check_charge,
    compress_within_charge_limit,
    solve_attempt,
)
from ..simulation.replay import check_range
from ..simulation.stretches import join_records
from .inputs import FitInputs
from .starts import from_scaled, to_scaled
from .stretches import FitStretch, choose_fit_stretches
from .weights import sample_weights

LARGE_ERROR_MV: Final = 1000.0
"""Error from which on it grows with its logarithm only: a model far out of its range is off by kilovolts."""

NO_SOLUTION_MV: Final = 20.0 * LARGE_ERROR_MV
"""Residual of every sample where the model has no solution: finite, and worse than any that solves."""

DIFFERENCE_STEP: Final = 2e-3  # of the scaled bounds, where slopes are taken from differences
TOLERANCE_FACTOR: Final = (
    0.5  # tolerances: for a tenth more time an error of up to 0.2 mV, which moves values, is 0.02 mV
)
DIFFERENCE_TOLERANCE_FACTOR: Final = 0.1  # where slopes are differences: the solver's own errors must stay below these


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """Voltage errors of one evaluation.

    Args:
        error_mv: simulated - measured, shape (used samples,).
        slopes_mv: by each parameter's place between its bounds (0 to 1), shape (used samples, parameters); all 0
            where the model has no solution.
        reason: why it is no solution that a cell can have; "" = it is one.
    """

    error_mv: Floats
    slopes_mv: Floats
    reason: str = ""

    @property
    def rmse_mv(self) -> float:
        """Over all samples, without weights."""
        return float(np.sqrt(np.mean(self.error_mv**2)))


class ObjectivePart:
    """Residuals of one stretch of a fit's record; keeps to one ``attempt``.

    Args:
        used: shape (samples of the stretch,), those that count.
    """

    def __init__(
        self,
        stretch: FitStretch,
        settings: FitSettings,
        measured_celsius: float | None,
        capacity_ah: float,
        used: Mask,
    ) -> None:
        self.name = stretch.stretch.name
        self.used = used
        self._record = stretch.record
        self._profile = compress_within_charge_limit(stretch.record, capacity_ah)
        self.inputs = FitInputs(settings, stretch, measured_celsius)
        self._outputs: NDArray[np.intp] | None = None
        self.attempt = self._first_that_solves()

    def residuals(self, values: Floats, *, slopes: bool) -> Residuals:
        """As :meth:`Objective.residuals`, of this stretch."""
        try:
            return self.solve(values, slopes=slopes)
        except JobError as error:
            count = int(self.used.sum())
            flat = np.zeros((count, len(self.inputs.settings.parameters)))
            return Residuals(np.full(count, NO_SOLUTION_MV), flat, str(error))

    def refine_outputs(self, values: Floats) -> bool:
        """As :meth:`Objective.refine_outputs`, of this stretch."""
        try:
            found = solve_attempt(self.attempt, self.case(values, refine=True)).outputs
        except JobError:
            return False
        before, self._outputs = self._outputs, found
        return found is not None and (before is None or len(found) > len(before))

    def case(self, values: Floats, *, slopes: bool = False, refine: bool = False) -> Case:
        """What is solved at these values."""
        asked = self.inputs.settings_with(self.inputs.overrides(values))
        moving = self.inputs.moving if slopes else ()
        conditions = self.inputs.conditions(values)
        return Case(self._record, asked, conditions, self._profile, slopes=moving, outputs=self._outputs, refine=refine)

    def _first_that_solves(self) -> Attempt:
        """The first of the ladder's ways in which the set's own values solve; the whole fit keeps to it.

        So it does to the outputs that were close enough then, where it solves in the first way, until it is settled.
        """
        case = self.case(self.inputs.default_values(), refine=True)
        for attempt in ATTEMPTS:
            try:
                replayed = solve_attempt(attempt, case)
                check_charge(case, replayed)
            except JobError as error:
                if error.code not in RETRIED_CODES:
                    break
                continue
            self._outputs = replayed.outputs
            return self._tighter(attempt)
        return self._tighter(ATTEMPTS[0])

    def _tighter(self, attempt: Attempt) -> Attempt:
        return replace(
            attempt, tighter=(DIFFERENCE_TOLERANCE_FACTOR if self.inputs.meshed else TOLERANCE_FACTOR) * attempt.tighter
        )

    def solve(self, values: Floats, *, slopes: bool, checked: bool = False) -> Residuals:
        """Errors at parameter values; ``checked`` refuses a curve that no cell can have, or of another charge.

        Raises:
            JobError: the model has no solution there.
        """
        case = self.case(values, slopes=slopes, refine=checked)
        replayed = solve_attempt(self.attempt, case)
        if checked:
            check_range(replayed)
            check_charge(case, replayed)
        error = 1e3 * (replayed.voltage_volt - self._record.voltage_volt)[self.used]
        error = np.nan_to_num(error, nan=NO_SOLUTION_MV)
        sign = np.copysign(1.0, error)
        error, bend = _compress_large_errors(error + sign * LARGE_ERROR_MV * replayed.excess[self.used])
        reason = "an electrode or the electrolyte left its range" if (replayed.excess > 0.0).any() else ""
        if not slopes:
            return Residuals(error, np.zeros((len(error), 0)), reason)
        found = np.zeros((len(error), len(values)))
        if replayed.voltage_slopes is not None and replayed.excess_slopes is not None:
            by_input = 1e3 * replayed.voltage_slopes[self.used]
            by_input += LARGE_ERROR_MV * sign[:, np.newaxis] * replayed.excess_slopes[self.used]
            found = bend[:, np.newaxis] * np.nan_to_num(by_input @ self.inputs.slopes(values, case.conditions))
        for place in self.inputs.meshed:
            found[:, place] = self._difference(values, place, error)
        return Residuals(error, found, reason)

    def _difference(self, values: Floats, place: int, error_mv: Floats) -> Floats:
        """The slope by a parameter's place between its bounds, from one more model beside the point."""
        parameters = self.inputs.settings.parameters
        unit = to_scaled(parameters, values)
        step = DIFFERENCE_STEP if unit[place] <= 0.5 else -DIFFERENCE_STEP
        unit[place] += step
        moved = self.solve(from_scaled(parameters, unit), slopes=False).error_mv
        slope: Floats = (moved - error_mv) / step
        return slope


class Objective:
    """Residuals of one cell as a function of parameter values, over stretches that are solved each for itself.

    Args:
        samples: a cleaned partition.
        settings: the fit.
        measured_celsius: the cell's mean temperature, used where the settings give none.
        cycles: other cycles than the fit's own, as for validation.

    Raises:
        NothingToSimulateError: the cell has no current in the asked cycles.
        JobError: the cell does not have the asked cycles, or no measured voltage in them (``no_voltage``).
    """

    def __init__(
        self,
        samples: pd.DataFrame,
        settings: FitSettings,
        measured_celsius: float | None,
        cycles: tuple[int, ...] | None = None,
    ) -> None:
        cycles = settings.cycles if cycles is None else cycles
        whole = make_record(samples)
        capacity = settings.cell.nominal_capacity_ah or nominal_capacity_ah(settings.parameter_set)
        stretches = choose_fit_stretches(whole, settings, cycles, capacity)
        self._record = join_records(whole, [one.stretch for one in stretches])
        require_current(self._record.current_ampere, self._record.voltage_volt, capacity)
        self.used = _used(self._record, settings, cycles)
        self.weights = sample_weights(self._record, self.used, settings.objective, capacity)
        used = np.split(self.used, np.cumsum([len(one.record.time_second) for one in stretches])[:-1])
        self.parts: list[ObjectivePart] = []
        for one, mine in zip(stretches, used, strict=True):
            self.parts.append(ObjectivePart(one, settings, measured_celsius, capacity, mine))
            settings = self.parts[0].inputs.settings  # bounds as factors are of the first stretch's own values
        self.inputs, self.settings = self.parts[0].inputs, settings
        _share_inputs(self.parts)

    def noise_mv(self) -> float:
        """The noise of the measured voltage in mV, as the median of its steps."""
        at, record = self.used, self._record
        noise = estimate_step_noise(record.time_second[at], record.voltage_volt[at], record.step_count[at])
        return 1e3 * float(np.median(noise))

    def residuals(self, values: Floats, *, slopes: bool = True) -> Residuals:
        """Errors at parameter values, and their slopes with the voltage's derivatives from the solver itself (IDAS).

        Those of parameters that shape the mesh are differences: each needs a model of its own. Where an electrode
        leaves its stoichiometry range the error grows with the distance, so that a start finds its way back; where the
        solver fails it is ``NO_SOLUTION_MV`` and flat, in the stretch in which it fails.
        """
        return _joined([part.residuals(values, slopes=slopes) for part in self.parts], self.parts)

    def rmse_mv(self, values: Floats) -> float:
        """RMSE in mV at the samples used, without weights.

        Raises:
            JobError: the model has no solution, or none that a cell can have, at these values.
        """
        return _joined([part.solve(values, slopes=False, checked=True) for part in self.parts], self.parts).rmse_mv

    def refine_outputs(self, values: Floats) -> bool:
        """Keep to the outputs that the voltage needs at these values, from now on; tell whether any were added.

        A search keeps to the outputs that its begin needed, since to judge them costs a second solve wherever they are
        too few; where it ends they are judged once.
        """
        added = [part.refine_outputs(values) for part in self.parts]
        return any(added)


def _compress_large_errors(error_mv: Floats) -> tuple[Floats, Floats]:
    """Compress errors beyond ``LARGE_ERROR_MV`` to their logarithm, smoothly; also return the factor of the slope.

    Both have shape (samples,).
    """
    size = np.maximum(np.abs(error_mv) / LARGE_ERROR_MV, 1.0)
    return error_mv * (1.0 + np.log(size)) / size, 1.0 / size


def _share_inputs(parts: list[ObjectivePart]) -> None:
    """Let all stretches differentiate by the same inputs, so that one built model serves them."""
    moving = tuple(sorted({name for part in parts for name in part.inputs.moving}))
    for part in parts:
        part.inputs.moving = moving


def _joined(found: list[Residuals], parts: list[ObjectivePart]) -> Residuals:
    """The residuals of all stretches, one after another."""
    if len(found) == 1:
        return found[0]
    reasons = [f"{part.name}: {one.reason}" for part, one in zip(parts, found, strict=True) if one.reason]
    error, slopes = (np.concatenate([getattr(one, name) for one in found]) for name in ("error_mv", "slopes_mv"))
    return Residuals(error, slopes, "; ".join(reasons))


def _used(record: Record, settings: FitSettings, cycles: tuple[int, ...]) -> Mask:
    used: Mask = np.isfinite(record.voltage_volt)
    if cycles:
        used &= np.isin(record.cycle_count, cycles)
    if settings.objective.step_types:
        wanted = [STEP_TYPES.index(name) for name in settings.objective.step_types]
        used &= record.step_type is not None and np.isin(record.step_type, wanted)
    if not used.any():
        raise JobError("no sample of the chosen cycles and step types has a measured voltage", "no_voltage")
    return used
