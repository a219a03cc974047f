"""The objective of a fit: simulated minus measured voltage at the chosen samples, and its slopes by each parameter."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd

from ...data.arrays import Floats, Indices, Mask
from ...data.columns import STEP_TYPES
from ...data.errors import JobError
from ...data.fit_settings import FitSettings
from ...data.step_selection import StepSelection
from ..current_profile.compress import CurrentProfile, compress_record
from ..models.set_checks import refuse_several_cells
from ..record.noise import estimate_step_noise
from ..record.record import Record, make_record
from ..record.usable_current import require_current
from ..simulation.attempts import (
    ATTEMPTS,
    FINER_FACTORS,
    MOST_SAMPLES,
    RETRIED_CODES,
    SHIFT_LIMIT_MV,
    Attempt,
    ReplayProblem,
    check_charge,
    compress_within_charge_limit,
    estimate_problem_error,
    solve_attempt,
)
from ..simulation.replay import Replayed, check_range
from ..simulation.settled_state import settle_start
from ..simulation.stretches import compared_samples, join_records
from .inputs import FitInputs, make_fit_inputs, resolve_base
from .residuals import Residuals, TemperatureErrors
from .starts import from_scaled, to_scaled
from .stretches import FitStretch, choose_fit_stretches
from .surface_temperature import NO_CHANNEL, TemperatureChannel, temperature_channels
from .weights import sample_weights, selection_factor

LARGE_ERROR_MV: Final = 1000.0
"""Error in mV above which it grows only with its logarithm: a model far outside its range is off by kilovolts."""

NO_SOLUTION_MV: Final = 20.0 * LARGE_ERROR_MV
"""Residual in mV of every sample where the model has no solution: finite, and larger than with any solution."""

DIFFERENCE_STEP: Final = 2e-3
"""Step on the scaled bounds, for slopes that are taken from differences of two simulations."""

TOLERANCE_FACTOR: Final = 0.5
"""Factor of the solver's tolerances in a fit: a tenth more time reduces an error of 0.2 mV, which shifts fitted values,
to 0.02 mV."""

DIFFERENCE_TOLERANCE_FACTOR: Final = 0.1
"""The same where slopes are differences: the solver's own errors must stay below these."""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectivePart:
    """Residuals of one stretch of a fit's record.

    Args:
        record: the samples that are solved: those of the stretch, and before it those that give it its state.
        used: samples that count, shape (samples that are solved,).
        profile: the compressed current of the stretch.
        attempt: the way to solve, the same for all parameter values.
        outputs: indices of the samples at which the solver gives a value; ``None`` = chosen by the profile.
        moving: names of the model's inputs by which the voltage is differentiated.
        temperature: the measured surface temperature that counts, too.
    """

    name: str
    record: Record
    used: Mask
    profile: CurrentProfile
    inputs: FitInputs
    attempt: Attempt
    outputs: Indices | None = None
    moving: tuple[str, ...] = ()
    temperature: TemperatureChannel = NO_CHANNEL

    def residuals(self, values: Floats, *, slopes: bool) -> Residuals:
        """Compute the residuals of this stretch, as :meth:`Objective.residuals` does."""
        try:
            return self.solve(values, slopes=slopes)
        except JobError as error:
            count = int(self.used.sum())
            flat = np.zeros((count, len(self.inputs.settings.parameters)))
            temperature = self.temperature.flat(NO_SOLUTION_MV, flat.shape[1])
            return Residuals(np.full(count, NO_SOLUTION_MV), flat, str(error), temperature)

    def refine_outputs(self, values: Floats) -> tuple[ObjectivePart, bool]:
        """Choose the outputs of this stretch, as :meth:`Objective.refine_outputs` does."""
        try:
            outputs = solve_attempt(self.attempt, self.make_problem(values, refine=True)).outputs
        except JobError:
            return self, False
        are_more = outputs is not None and (self.outputs is None or len(outputs) > len(self.outputs))
        return replace(self, outputs=outputs), are_more

    def make_problem(self, values: Floats, *, slopes: bool = False, refine: bool = False) -> ReplayProblem:
        """Make the replay to solve at some parameter values.

        Args:
            values: shape (parameters,).
            slopes: differentiate the voltage.
            refine: add outputs where the voltage needs them.
        """
        case = self.inputs.resolve(values)
        return ReplayProblem(
            self.record,
            case,
            self.inputs.find_conditions(case),
            self.profile,
            slopes=self.moving if slopes else (),
            outputs=self.outputs,
            refine=refine,
            sloped_outputs=self.temperature.outputs,
        )

    def solve(self, values: Floats, *, slopes: bool, checked: bool = False) -> Residuals:
        """Compute the residuals at some parameter values.

        Args:
            values: shape (parameters,).
            slopes: compute the slopes as well; otherwise they have the shape (used samples, 0).
            checked: refuse a curve that a cell cannot have, or whose charge is not the measured one.

        Raises:
            JobError: the model has no solution there.
        """
        problem = self.make_problem(values, slopes=slopes, refine=checked)
        replayed = solve_attempt(self.attempt, problem)
        if checked:
            check_range(replayed)
            check_charge(problem, replayed)
        error = 1e3 * (replayed.voltage_volt - self.record.voltage_volt)[self.used]
        error = np.nan_to_num(error, nan=NO_SOLUTION_MV)
        sign = np.copysign(1.0, error)
        error, compression = _compress_large_errors(error + sign * LARGE_ERROR_MV * replayed.excess[self.used])
        reason = ""
        if (replayed.excess > 0.0).any():
            reason = "an electrode or the electrolyte left its range"
        temperature = self.temperature.errors(replayed)
        if not slopes:
            return Residuals(error, np.zeros((len(error), 0)), reason, temperature)
        by_input = self._slopes_by_input(replayed, sign)
        by_parameter = np.zeros((len(error), len(values)))
        inputs_by_parameter = np.zeros((0, len(values)))
        if by_input is not None:
            inputs_by_parameter = self.inputs.slopes(values, problem.conditions, self.moving)
            by_parameter = compression[:, np.newaxis] * np.nan_to_num(by_input @ inputs_by_parameter)
        temperature = temperature.by_parameter(inputs_by_parameter)
        for place in self.inputs.mesh_places:
            moved, step = self._moved(values, place)
            by_parameter[:, place] = (moved.error_mv - error) / step
            temperature.slopes_mv[:, place] = (moved.temperature.error_mv - temperature.error_mv) / step
        return Residuals(error, by_parameter, reason, temperature)

    def _slopes_by_input(self, replayed: Replayed, sign: Floats) -> Floats | None:
        """Slopes of the error in mV by each input of the model, shape (used samples, inputs)."""
        if replayed.voltage_slopes is None or replayed.excess_slopes is None:
            return None
        by_input: Floats = 1e3 * replayed.voltage_slopes[self.used]
        by_input += LARGE_ERROR_MV * sign[:, np.newaxis] * replayed.excess_slopes[self.used]
        return by_input

    def _moved(self, values: Floats, place: int) -> tuple[Residuals, float]:
        """Residuals of a second model, beside the point by a step of a parameter's place between its bounds."""
        parameters = self.inputs.settings.parameters
        unit = to_scaled(parameters, values)
        step = DIFFERENCE_STEP if unit[place] <= 0.5 else -DIFFERENCE_STEP
        unit[place] += step
        return self.solve(from_scaled(parameters, unit), slopes=False), step


def make_objective_part(
    stretch: FitStretch, settings: FitSettings, measured_celsius: float | None, capacity_ah: float, used: Mask
) -> ObjectivePart:
    """Make the objective of one stretch, with the first way to solve that works for the parameter set's own values.

    Args:
        settings: of the fit.
        measured_celsius: the cell's mean measured temperature in °C; ``None`` = nothing was measured.
        capacity_ah: A.h, of the cell; the compression of the current scales with it.
        used: samples that count, shape (samples of the stretch,).
    """
    solved = stretch.solved
    used = np.concatenate([np.zeros(stretch.lead, bool), used])
    profile = compress_within_charge_limit(solved, capacity_ah)
    inputs = make_fit_inputs(settings, stretch, measured_celsius)
    part = ObjectivePart(stretch.stretch.name, solved, used, profile, inputs, ATTEMPTS[0])
    return _choose_attempt(part)


def _choose_attempt(part: ObjectivePart) -> ObjectivePart:
    """Choose the first way in which the parameter set's own values solve; the whole fit keeps to it.

    The fit also keeps to the outputs that were close enough there, until it refines them.
    """
    problem = part.make_problem(part.inputs.default_values(), refine=True)
    for attempt in ATTEMPTS:
        try:
            replayed = solve_attempt(attempt, problem)
            check_charge(problem, replayed)
        except JobError as error:
            if error.code not in RETRIED_CODES:
                break
            continue
        profile, replayed = _knots_within_limit(problem, attempt, replayed)
        return replace(part, profile=profile, attempt=_tighten(attempt, part.inputs), outputs=replayed.outputs)
    return replace(part, attempt=_tighten(ATTEMPTS[0], part.inputs))


def _knots_within_limit(
    problem: ReplayProblem, attempt: Attempt, replayed: Replayed
) -> tuple[CurrentProfile, Replayed]:
    """Return a profile whose knots shift the voltage by no more than a simulation allows, and its replay."""
    for factor in FINER_FACTORS:
        if estimate_problem_error(problem, replayed).shift_mv <= SHIFT_LIMIT_MV:
            break
        if np.isinf(factor) and len(problem.record.time_second) > MOST_SAMPLES:
            break
        finer = replace(problem, profile=compress_record(problem.record, problem.conditions.capacity_ah, factor))
        try:
            solved = solve_attempt(attempt, finer)
            check_charge(finer, solved)
        except JobError:
            break  # the knots before count
        problem, replayed = finer, solved
    return problem.profile, replayed


def _tighten(attempt: Attempt, inputs: FitInputs) -> Attempt:
    factor = DIFFERENCE_TOLERANCE_FACTOR if inputs.mesh_places else TOLERANCE_FACTOR
    return replace(attempt, tighter=factor * attempt.tighter)


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """Residuals of one cell as a function of parameter values, over stretches that are solved separately.

    Args:
        settings: of the fit, with bounds in the parameters' units.
        record: the samples of all stretches.
        used: samples that count, shape (samples,).
        weights: of the used samples, shape (used samples,), 1 on average.
        parts: one for each stretch, in order.
        temperature_weights: of the samples whose surface temperature counts; empty = only the voltage counts.
    """

    settings: FitSettings
    record: Record
    used: Mask
    weights: Floats
    parts: tuple[ObjectivePart, ...]
    temperature_weights: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def all_weights(self) -> Floats:
        """Weights of the rows of ``Residuals.all_error_mv``, shape (rows,)."""
        return np.concatenate([self.weights, self.temperature_weights])

    def make_residuals(self, all_error_mv: Floats, all_slopes_mv: Floats, reason: str) -> Residuals:
        """Make residuals of the rows of all channels, as a journal keeps them."""
        count = len(self.weights)
        temperature = TemperatureErrors(all_error_mv[count:], all_slopes_mv[count:])
        return Residuals(all_error_mv[:count], all_slopes_mv[:count], reason, temperature)

    @property
    def inputs(self) -> FitInputs:
        """The parameters as inputs of the model, in the first stretch."""
        return self.parts[0].inputs

    def noise_mv(self) -> float:
        """Estimate the noise of the measured voltage in mV, as the median over its steps."""
        record = self.record
        noise = estimate_step_noise(
            record.time_second[self.used], record.voltage_volt[self.used], record.step_count[self.used]
        )
        return 1e3 * float(np.median(noise))

    def residuals(self, values: Floats, *, slopes: bool = True) -> Residuals:
        """Compute the errors at some parameter values, and their slopes by the parameters.

        The slopes come from the solver's own derivatives (IDAS); those of parameters that shape the mesh are finite
        differences, each with a separate model. Where an electrode leaves its stoichiometry range, the error grows with
        the distance, so that a start finds its way back. Where the solver fails, the error is ``NO_SOLUTION_MV`` and
        flat in the stretch in which it fails.

        Args:
            values: in the parameters' units, shape (parameters,).
            slopes: compute the slopes as well; otherwise they have the shape (used samples, 0).
        """
        return self._joined([part.residuals(values, slopes=slopes) for part in self.parts])

    def rmse_mv(self, values: Floats) -> float:
        """Compute the RMSE in mV at the used samples, without weights.

        Args:
            values: in the parameters' units, shape (parameters,).

        Raises:
            JobError: the model has no solution at these values, or its curve is not possible for a cell.
        """
        return self.checked_residuals(values).rmse_mv

    def checked_residuals(self, values: Floats) -> Residuals:
        """Compute the errors at some parameter values without slopes, as :meth:`rmse_mv` does, and with its errors."""
        return self._joined([part.solve(values, slopes=False, checked=True) for part in self.parts])

    def refine_outputs(self, values: Floats) -> tuple[Objective, bool]:
        """Return the objective with the outputs that the voltage needs at some parameter values.

        A search keeps to the outputs that its first point needed, because each check of them costs a second solve. The
        outputs are checked once where it ends.

        Args:
            values: in the parameters' units, shape (parameters,).

        Returns:
            The objective, and whether any stretch needs more outputs than before.
        """
        refined = [part.refine_outputs(values) for part in self.parts]
        objective = replace(self, parts=tuple(part for part, _ in refined))
        return objective, any(are_more for _, are_more in refined)

    def tighten(self, factor: float) -> Objective:
        """Return the objective with the solver's tolerances multiplied by a factor."""
        parts = tuple(
            replace(part, attempt=replace(part.attempt, tighter=factor * part.attempt.tighter)) for part in self.parts
        )
        return replace(self, parts=parts)

    def _joined(self, residuals: list[Residuals]) -> Residuals:
        """Join the residuals of all stretches, in order."""
        if len(residuals) == 1:
            return residuals[0]
        reasons = [f"{part.name}: {one.reason}" for part, one in zip(self.parts, residuals, strict=True) if one.reason]
        error = np.concatenate([one.error_mv for one in residuals])
        slopes = np.concatenate([one.slopes_mv for one in residuals])
        temperature = TemperatureErrors.join([one.temperature for one in residuals])
        return Residuals(error, slopes, "; ".join(reasons), temperature)


def make_objective(
    samples: pd.DataFrame,
    settings: FitSettings,
    measured_celsius: float | None,
    cycles: tuple[int, ...] | None = None,
    select: StepSelection | None = None,
) -> Objective:
    """Make the objective of a fit.

    Args:
        samples: a cleaned partition.
        settings: of the fit; bounds may be factors of the parameter set's own values.
        measured_celsius: the cell's mean measured temperature in °C, used where the settings give none; ``None`` =
            nothing was measured.
        cycles: numbers of other cycles than the fit's own, as for validation; ``None`` = the fit's own.
        select: other parts than the fit's own, instead of cycles; ``None`` = the fit's own, if ``cycles`` is ``None``.

    Raises:
        NothingToSimulateError: the cell has no current in these cycles.
        JobError: the cell does not have these cycles or parts, or no measured voltage in them (``no_voltage``).
    """
    if cycles is None:
        cycles = () if select is not None else settings.cycles
        select = select or settings.select
    cell_record = make_record(samples)
    case = resolve_base(settings, measured_celsius)
    capacity = case.capacity_ah
    chosen = choose_fit_stretches(cell_record, settings, cycles, capacity, select)
    stretches = tuple(replace(one, start=settle_start(one.start, cell_record, case)) for one in chosen)
    record = join_records(cell_record, [one.stretch for one in stretches])
    require_current(record.current_ampere, record.voltage_volt, capacity)
    refuse_several_cells(record.voltage_volt, case.cutoffs_volt)
    used = _used_samples(record, settings, cycles, compared_samples([one.stretch for one in stretches]))
    factor = selection_factor(cell_record, stretches, used, settings)
    weights = sample_weights(record, used, settings.objective, capacity, factor)
    channels, temperature_weights = temperature_channels(stretches, record, used, weights, case, settings.objective)
    ends = np.cumsum([len(stretch.record.time_second) for stretch in stretches])
    parts: list[ObjectivePart] = []
    for stretch, used_part, channel in zip(stretches, np.split(used, ends[:-1]), channels, strict=True):
        part = make_objective_part(stretch, settings, measured_celsius, capacity, used_part)
        parts.append(replace(part, temperature=channel))
        # Bounds that are factors are factors of the values in the first stretch.
        settings = parts[0].inputs.settings
    return Objective(settings, record, used, weights, _share_moving_inputs(parts), temperature_weights)


def _share_moving_inputs(parts: list[ObjectivePart]) -> tuple[ObjectivePart, ...]:
    """Differentiate all stretches by the same inputs, so that one built model serves them."""
    names: set[str] = set()
    for part in parts:
        names |= part.inputs.moving_inputs()
    moving = tuple(sorted(names))
    return tuple(replace(part, moving=moving) for part in parts)


def _compress_large_errors(error_mv: Floats) -> tuple[Floats, Floats]:
    """Compress errors beyond ``LARGE_ERROR_MV`` smoothly to their logarithm.

    Returns:
        The errors in mV and the factor of their slopes, shape (samples,) each.
    """
    size = np.maximum(np.abs(error_mv) / LARGE_ERROR_MV, 1.0)
    return error_mv * (1.0 + np.log(size)) / size, 1.0 / size


def _used_samples(record: Record, settings: FitSettings, cycles: tuple[int, ...], compared: Mask) -> Mask:
    """Choose the samples that count: with a measured voltage, in these cycles and the objective's step types.

    Args:
        compared: samples that are selected, and not only solved, shape (samples,).
    """
    used: Mask = np.isfinite(record.voltage_volt) & compared
    if cycles:
        used &= np.isin(record.cycle_count, cycles)
    if settings.objective.step_types:
        wanted = [STEP_TYPES.index(name) for name in settings.objective.step_types]
        used &= record.step_type is not None and np.isin(record.step_type, wanted)
    if not used.any():
        raise JobError("no sample of the chosen cycles and step types has a measured voltage", "no_voltage")
    return used
