"""The objective of a fit: simulated minus measured voltage at the chosen samples, and its slopes by each parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd

from ...data.arrays import Floats, Indices, Mask
from ...data.errors import JobError
from ...data.fit_settings import FitSettings
from ...data.step_selection import StepSelection
from ..current_profile.compress import CurrentProfile
from ..models.set_checks import refuse_several_cells
from ..record.noise import estimate_step_noise
from ..record.record import Record, make_record
from ..record.usable_current import require_current
from ..simulation.attempts import (
    ATTEMPTS,
    Attempt,
    ReplayProblem,
    check_charge,
    compress_within_charge_limit,
    solve_attempt,
)
from ..simulation.numerical_error import TIGHTER
from ..simulation.replay import Replayed, ReplayEndedError, check_range
from ..simulation.settled_state import settle_start
from ..simulation.stretches import compared_samples, join_records
from .channels import Channel
from .choose_attempt import choose_attempt
from .inputs import FitInputs, make_fit_inputs, resolve_base
from .noise_model import Series
from .range_penalty import (
    LARGE_ERROR_MV,
    NO_PENALTY,
    RangePenalty,
    RangeRows,
    compress_large_errors,
    watch_ranges,
)
from .residuals import Residuals, TemperatureErrors
from .starts import from_scaled, to_scaled
from .stretches import FitStretch, choose_fit_stretches
from .surface_temperature import NO_CHANNEL, TemperatureChannel, temperature_channels
from .uncertain_state import fit_uncertain_state
from .weights import sample_weights, selection_factor, used_samples

NO_SOLUTION_MV: Final = 20.0 * LARGE_ERROR_MV
"""Residual in mV of every sample where the model has no solution: finite, and larger than with any solution."""

DIFFERENCE_STEP: Final = 2e-3
"""Step on the scaled bounds, for slopes that are taken from differences of two simulations."""


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
        penalty: the samples whose range is watched, since their errors do not count.
        careful: the way to solve where ``attempt`` fails; ``None`` = the model has no solution there.
        known: replays that have enough outputs, by the bytes of their parameter values.
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
    penalty: RangePenalty = NO_PENALTY
    careful: Attempt | None = None
    known: Mapping[bytes, Replayed] = field(default_factory=dict)

    def residuals(self, values: Floats, *, slopes: bool, checked: bool = False) -> Residuals:
        """Compute the residuals as :meth:`Objective.residuals` does; ``checked`` is that of :meth:`solve`."""
        try:
            return self.solve(values, slopes=slopes, checked=checked)
        except JobError as error:
            if self.careful is not None:
                careful = replace(self, attempt=self.careful, careful=None)
                return careful.residuals(values, slopes=slopes, checked=checked)
            count = int(self.used.sum())
            flat = np.zeros((count, len(self.inputs.settings.parameters)))
            temperature = self.temperature.flat(NO_SOLUTION_MV, flat.shape[1])
            outside = self.penalty.flat(NO_SOLUTION_MV, flat.shape[1])
            return Residuals(np.full(count, NO_SOLUTION_MV), flat, str(error), temperature, outside)

    def refine_outputs(self, values: Floats) -> tuple[ObjectivePart, bool]:
        """Choose the outputs of this stretch, as :meth:`Objective.refine_outputs` does."""
        try:
            replayed = solve_attempt(self.attempt, self.make_problem(values, refine=True))
        except JobError:
            return self, False
        outputs = replayed.outputs
        are_more = outputs is not None and (self.outputs is None or len(outputs) > len(self.outputs))
        return replace(self, outputs=outputs, known={**self.known, values.tobytes(): replayed}), are_more

    def replay(self, problem: ReplayProblem, values: Floats) -> Replayed:
        """Solve a problem of :meth:`make_problem`, unless its replay is known.

        Args:
            values: of the problem, shape (parameters,).

        Raises:
            JobError: the model has no solution there.
        """
        known = None if problem.slopes else self.known.get(values.tobytes())
        return known or solve_attempt(self.attempt, problem)

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

    def _with_measured_charge(self, problem: ReplayProblem, replayed: Replayed) -> Replayed:
        """Check a replay, and solve again with tighter tolerances where its charge is not the measured one.

        Raises:
            JobError: the curve is impossible, or its charge is not the measured one with tighter tolerances either.
        """
        check_range(replayed)
        try:
            check_charge(problem, replayed)
        except ReplayEndedError:
            replayed = solve_attempt(replace(self.attempt, tighter=TIGHTER * self.attempt.tighter), problem)
            check_range(replayed)
            check_charge(problem, replayed)
        return replayed

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
        replayed = self.replay(problem, values)
        if checked:
            replayed = self._with_measured_charge(problem, replayed)
        error = 1e3 * (replayed.voltage_volt - self.record.voltage_volt)[self.used]
        error = np.nan_to_num(error, nan=NO_SOLUTION_MV)
        sign = np.copysign(1.0, error)
        error, compression = compress_large_errors(error + sign * LARGE_ERROR_MV * replayed.excess[self.used])
        reason = ""
        if (replayed.excess > 0.0).any():
            reason = "an electrode or the electrolyte left its range"
        temperature = self.temperature.errors(replayed)
        outside = self.penalty.penalise(replayed.excess, replayed.excess_slopes if slopes else None)
        if not slopes:
            return Residuals(error, np.zeros((len(error), 0)), reason, temperature, outside)
        by_input = self._slopes_by_input(replayed, sign)
        by_parameter = np.zeros((len(error), len(values)))
        inputs_by_parameter = np.zeros((0, len(values)))
        if by_input is not None:
            inputs_by_parameter = self.inputs.slopes(values, problem.conditions, self.moving)
            by_parameter = compression[:, np.newaxis] * np.nan_to_num(by_input @ inputs_by_parameter)
        temperature = temperature.by_parameter(inputs_by_parameter)
        outside = outside.by_parameter(inputs_by_parameter)
        for place in self.inputs.mesh_places:
            moved, step = self._moved(values, place)
            by_parameter[:, place] = (moved.error_mv - error) / step
            temperature.slopes_mv[:, place] = (moved.temperature.error_mv - temperature.error_mv) / step
            outside.slopes_mv[:, place] = (moved.outside.error_mv - outside.error_mv) / step
        return Residuals(error, by_parameter, reason, temperature, outside)

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
    return choose_attempt(part)


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
    def penalty_rows(self) -> int:
        """Number of rows that penalise the range, which have no weight; they come last."""
        return sum(part.penalty.rows for part in self.parts)

    @property
    def all_weights(self) -> Floats:
        """Weights of the rows of ``Residuals.all_error_mv``, shape (rows,)."""
        return np.concatenate([self.weights, self.temperature_weights, np.ones(self.penalty_rows)])

    def make_residuals(self, all_error_mv: Floats, all_slopes_mv: Floats, reason: str) -> Residuals:
        """Make residuals of all rows, as a journal keeps them."""
        ends = np.cumsum([len(self.weights), len(self.temperature_weights)])
        voltage, temperature, outside = np.split(all_error_mv, ends)
        slopes = np.split(all_slopes_mv, ends)
        return Residuals(
            voltage, slopes[0], reason, TemperatureErrors(temperature, slopes[1]), RangeRows(outside, slopes[2])
        )

    def channels(self, residuals: Residuals) -> tuple[Channel, ...]:
        """Return what is measured and fitted: the voltage, and the surface temperature where the fit includes it."""
        voltage = self._channel(residuals.error_mv, residuals.slopes_mv, self.weights, [one.used for one in self.parts])
        if not len(self.temperature_weights):
            return (voltage,)
        temperature = residuals.temperature
        used = [one.temperature.used for one in self.parts]
        return voltage, self._channel(temperature.error_mv, temperature.slopes_mv, self.temperature_weights, used)

    def _channel(self, error_mv: Floats, slopes_mv: Floats, weights: Floats, used: list[Mask]) -> Channel:
        times = [part.record.time_second[mask] for part, mask in zip(self.parts, used, strict=True) if mask.any()]
        begins = np.cumsum([0, *(len(time) for time in times[:-1])])
        return Channel(error_mv, slopes_mv, weights, Series(np.concatenate(times), begins))

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

    def settled_residuals(self, values: Floats) -> Residuals:
        """Compute the errors at some parameter values without slopes, with the outputs that the voltage needs there.

        They are those of :meth:`checked_residuals`, but ``NO_SOLUTION_MV`` where that raises an error.
        """
        return self._joined([part.residuals(values, slopes=False, checked=True) for part in self.parts])

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
            replace(part, attempt=replace(part.attempt, tighter=factor * part.attempt.tighter), known={})
            for part in self.parts
        )
        return replace(self, parts=parts)

    def loosen(self, factor: float, loosest: float) -> Objective:
        """Return the objective with looser tolerances, for the way to a minimum; where they fail, these ones are used.

        Args:
            factor: of the solver's tolerances.
            loosest: most that ``Attempt.tighter`` is raised to.
        """
        parts = []
        for part in self.parts:
            tighter = max(part.attempt.tighter, min(factor * part.attempt.tighter, loosest))
            attempt = replace(part.attempt, tighter=tighter)
            parts.append(replace(part, attempt=attempt, careful=part.attempt, known={}))
        return replace(self, parts=tuple(parts))

    def _joined(self, residuals: list[Residuals]) -> Residuals:
        """Join the residuals of all stretches, in order."""
        if len(residuals) == 1:
            return residuals[0]
        reasons = [f"{part.name}: {one.reason}" for part, one in zip(self.parts, residuals, strict=True) if one.reason]
        error = np.concatenate([one.error_mv for one in residuals])
        slopes = np.concatenate([one.slopes_mv for one in residuals])
        temperature = TemperatureErrors.join([one.temperature for one in residuals])
        outside = RangeRows.join([one.outside for one in residuals])
        return Residuals(error, slopes, "; ".join(reasons), temperature, outside)


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
    if cycles == settings.cycles and select == settings.select:
        extended = fit_uncertain_state(settings, stretches, case)
        if extended is not settings:
            settings = extended
            stretches = choose_fit_stretches(cell_record, settings, cycles, capacity, select)
    record = join_records(cell_record, [one.stretch for one in stretches])
    require_current(record.current_ampere, record.voltage_volt, capacity)
    refuse_several_cells(record.voltage_volt, case.cutoffs_volt)
    used = used_samples(record, settings, cycles, compared_samples([one.stretch for one in stretches]))
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
    leads = [part.lead for part in stretches]
    penalties = watch_ranges(used, weights, ends, leads)
    parts = [replace(part, penalty=penalty) for part, penalty in zip(parts, penalties, strict=True)]
    return Objective(settings, record, used, weights, _share_moving_inputs(parts), temperature_weights)


def _share_moving_inputs(parts: list[ObjectivePart]) -> tuple[ObjectivePart, ...]:
    """Differentiate all stretches by the same inputs, so that one built model serves them."""
    names: set[str] = set()
    for part in parts:
        names |= part.inputs.moving_inputs()
    moving = tuple(sorted(names))
    return tuple(replace(part, moving=moving) for part in parts)
