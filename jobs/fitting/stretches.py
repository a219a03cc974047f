"""The stretches of a record that a fit solves, each from its own initial state: cycles far apart in a cell's life.

Between two check-ups the cell ages, and no single parameter set describes both the check-ups and the cycling between
them. So this cycling is not solved. Cycles that follow each other are solved in one go, with the whole state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...data.ageing import ageing_options
from ...data.cycle_selection import CycleSelection, format_ranges
from ...data.errors import JobError
from ...data.fit_settings import INITIAL_SOC, FitSettings
from ...data.selected_spans import spans_mask
from ...data.step_selection import SelectedPart, StepSelection
from ..current_profile.temperature import Temperature
from ..models.simulation_case import SimulationCase, resolve_without_fitted_soc
from ..record.charge import interval_charge_ah
from ..record.known_states import find_known_state
from ..record.record import Record
from ..simulation.conditions import (
    GIVEN,
    KnownStart,
    continue_conditions,
    find_case_temperature,
    find_known_start,
    find_stretch_conditions,
)
from ..simulation.replay import Conditions
from ..simulation.stretches import (
    Stretch,
    find_selected,
    from_record_start,
    join_neighbours,
    slice_record,
    split_into_cycles,
    stretch_of,
    whole_record,
)


@dataclass(frozen=True, slots=True, eq=False)
class FitStretch:
    """Samples that a fit solves in one go.

    Args:
        record: the samples of the stretch.
        start: what the cell's record says about the state at the start of the stretch, and from where it is solved
            (:func:`kilocell.jobs.simulation.conditions.find_known_start`).
        cell_record: the cell's whole record.
        before: the stretch whose end is the start of this one (``previous_cycle``); ``None`` = the stretch has its own
            initial state.
        has_fitted_soc: whether a fitted initial state of charge is the state at the start of this stretch.
    """

    stretch: Stretch
    record: Record
    start: KnownStart
    cell_record: Record
    before: FitStretch | None = None
    has_fitted_soc: bool = True

    @property
    def lead(self) -> int:
        """Number of samples before the stretch that are solved, but not fitted."""
        return self.stretch.first - self.start.lead

    @property
    def solved(self) -> Record:
        """The samples that are solved."""
        return slice_record(self.cell_record, self.start.lead, self.stretch.end)

    def find_conditions(self, case: SimulationCase, temperature: Temperature | None = None) -> Conditions:
        """Find the conditions of a replay of this stretch, in the same way as a simulation does.

        Args:
            case: with the parameter values that are tried.
            temperature: where it is known already; ``None`` = it is found.
        """
        own_case = case if self.has_fitted_soc else resolve_without_fitted_soc(case)
        if self.before is None:
            first = self.stretch.first
            return find_stretch_conditions(self.cell_record, self.solved, first, self.start, own_case, temperature)
        if temperature is None:
            temperature = find_case_temperature(self.record, own_case, self.cell_record, self.stretch.first)
        passed = self.before.solved
        if self.stretch.spans:  # the steps that are left out between two selected ones count, too
            passed = slice_record(self.cell_record, self.before.start.lead, self.stretch.first + 1)
        charge = interval_charge_ah(passed.time_second, passed.current_ampere, passed.flags).sum()
        last_cycle = self.before.stretch.cycles[-1]
        return continue_conditions(self.before.find_conditions(case), last_cycle, float(charge), own_case, temperature)


def choose_fit_stretches(
    record: Record,
    settings: FitSettings,
    cycles: tuple[int, ...],
    capacity_ah: float,
    select: StepSelection | None = None,
) -> tuple[FitStretch, ...]:
    """Choose the stretches to solve in order to see the errors in some cycles or other parts of the record.

    To judge other cycles than those of the fit, cycles that directly follow fitted ones are solved in one go with
    these; the others start from their own initial states.

    Args:
        record: the cell's whole record.
        cycles: numbers of the cycles whose errors are wanted; empty = the whole record, in one go.
        capacity_ah: A.h, of the cell; the current of a rest scales with it.
        select: the parts whose errors are wanted, instead of cycles; ``None`` = as ``cycles`` says.

    Raises:
        JobError: the record lacks one of the cycles (``no_such_cycle``) or has nothing of the selection
            (``nothing_selected``), a stretch has only one sample (``too_short``), or one fitted initial state of charge
            would apply to several stretches (``many_states``).
    """
    continues = settings.cell.initial_state.policy == "previous_cycle"
    is_fitted = cycles == settings.cycles and select == settings.select
    if select is None and cycles and ageing_options(settings.model):
        select = StepSelection((SelectedPart(CycleSelection(tuple((cycle, cycle) for cycle in cycles))),))
    if select is not None:
        stretches = _choose_selected(record, settings, select)
    else:
        stretches = _choose_stretches(record, settings, cycles)
    if cycles and not continues and select is None:
        stretches = [stretch for stretch in stretches if set(stretch.cycles) & set(cycles)]
    given_at = _first_fitted(record, settings)
    fit_stretches: list[FitStretch] = []
    for stretch in stretches:
        part = slice_record(record, stretch.first, stretch.end)
        if len(part.time_second) < 2:
            raise JobError(f"{stretch.name} has only one sample; leave it out of the fit", "too_short")
        has_fitted_soc = is_fitted or _has_fitted_cycle(settings, stretch)
        before = fit_stretches[-1] if continues and fit_stretches else None
        is_given = before is not None or _is_state_given(settings, has_fitted_soc)
        start = find_known_start(
            record, stretch.first, stretch.end, capacity_ah, is_given=is_given, given_at=None if before else given_at
        )
        if before is None and start.known is None and not _is_given_outright(settings, has_fitted_soc):
            start = replace(start, known=find_known_state(record, stretch.first, stretch.end, capacity_ah))
        fit_stretches.append(FitStretch(stretch, part, start, record, before, has_fitted_soc))
    if is_fitted:
        _refuse_one_state_for_many(settings, fit_stretches)
    return tuple(fit_stretches)


def _first_fitted(record: Record, settings: FitSettings) -> int | None:
    """Return the index of the first fitted sample, at which a state that the user gives holds; ``None`` = none is."""
    if settings.cell.initial_state.policy not in GIVEN:
        return None
    if settings.select is not None:
        return _choose_selected(record, settings, settings.select)[0].first
    return 0 if ageing_options(settings.model) else _choose_stretches(record, settings, settings.cycles)[0].first


def _is_state_given(settings: FitSettings, has_fitted_soc: bool) -> bool:
    """Tell whether the state at a stretch's first sample is given or fitted, so that nothing before it is solved."""
    fits_soc = any(parameter.name == INITIAL_SOC for parameter in settings.parameters)
    return _is_given_outright(settings, has_fitted_soc) or (fits_soc and has_fitted_soc)


def _is_given_outright(settings: FitSettings, has_fitted_soc: bool) -> bool:
    """Tell whether the user or a fitted parameter set gives the state, so that the record is not asked for it."""
    of_set = any(override.parameter == INITIAL_SOC for override in settings.parameter_set.overrides)
    return settings.cell.initial_state.policy in GIVEN or (of_set and has_fitted_soc)


def _has_fitted_cycle(settings: FitSettings, stretch: Stretch) -> bool:
    """Tell whether a stretch of the held-out parts begins with a fitted cycle."""
    return settings.select is None and (not settings.cycles or stretch.cycles[0] in settings.cycles)


def _choose_selected(record: Record, settings: FitSettings, select: StepSelection) -> list[Stretch]:
    """Return the stretches of a selection; of a model that ages, one from the record's start on."""
    spans, _ = find_selected(record, select, settings.cell.cell_id)
    if settings.select is not None and settings.validation_select is not None:
        _refuse_overlap(record, settings.select, settings.validation_select, settings.cell.cell_id)
    if ageing_options(settings.model):
        return [from_record_start(record, spans)]
    stretches = [stretch_of(span) for span in spans]
    if settings.cell.initial_state.policy == "previous_cycle":
        return join_neighbours(stretches)
    return stretches


def _refuse_overlap(record: Record, select: StepSelection, held_out: StepSelection, cell_id: str) -> None:
    """Refuse to hold out samples that are fitted."""
    count = len(record.time_second)
    fitted = spans_mask(find_selected(record, select, cell_id)[0], count)
    both = fitted & spans_mask(find_selected(record, held_out, cell_id)[0], count)
    if both.any():
        at = f"step {record.step_count[int(np.argmax(both))]}"
        reason = f"{at} is in select ({select.text}) and in validation_select ({held_out.text})"
        raise JobError(f"cell {cell_id}: {reason}; leave it out of one of them", "held_out_and_fitted")


def _choose_stretches(record: Record, settings: FitSettings, cycles: tuple[int, ...]) -> list[Stretch]:
    """Join cycles that follow each other at once; a fitted cycle after one that is not fitted begins a new stretch."""
    if not cycles:
        return [whole_record(record)]
    each = split_into_cycles(record)
    numbers = [stretch.cycles[0] for stretch in each]
    missing = sorted(set(cycles) - set(numbers))
    if missing:
        reason = f"cell {settings.cell.cell_id} has no cycle {missing[0]} to fit on"
        raise JobError(f"{reason}; it has {format_ranges(numbers)}", "no_such_cycle")
    fitted = set(settings.cycles)
    solved = fitted | set(cycles)
    continues = settings.cell.initial_state.policy == "previous_cycle"

    def may_join(last: Stretch, following: Stretch) -> bool:
        begins_fit = following.cycles[0] in fitted and last.cycles[-1] not in fitted
        return continues or not begins_fit

    return join_neighbours([stretch for stretch in each if stretch.cycles[0] in solved], may_join)


def _refuse_one_state_for_many(settings: FitSettings, stretches: Sequence[FitStretch]) -> None:
    """Refuse to fit one initial state of charge to several rests; a given or a continued state is one for all."""
    fitted = any(p.name == INITIAL_SOC for p in settings.parameters)
    if not fitted or len(stretches) < 2 or settings.cell.initial_state.policy != "rest_voltage":
        return
    names = " and ".join(one.stretch.name for one in (stretches[0], stretches[-1]))
    reason = f"{INITIAL_SOC!r} is one number, but {names} each start from a different rest"
    advice = "leave it out, fit cycles that follow each other, or fit each cycle alone with chain = [...]"
    raise JobError(f"{reason}; {advice}", "many_states")
