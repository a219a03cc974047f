"""A simulation's settings, resolved once: capacity, cut-offs and what a fitted parameter set says of the cell."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...data.settings import CellSettings, ModelSettings, ParameterSetSettings, SimulateSettings
from ..parameters.capacity import find_capacity
from ..parameters.extensive import cells_of_set, overrides_of_set
from ..parameters.sets import (
    apply_cell_parameters,
    cutoffs_volt,
    electrodes_in_parallel,
    load_base_set,
    remove_initial_soc,
)
from .pybamm_models import scales_current


@dataclass(frozen=True, slots=True)
class SimulationCase:
    """What a simulation of one cell with one model and one parameter set is, before a record is looked at.

    Args:
        settings: as given; results keep these.
        cell: with the initial state of charge and the capacity that a fitted parameter set carries.
        parameter_set: without these two overrides, which are no parameters of PyBaMM; extensive values are those of the
            set's cell (:mod:`kilocell.jobs.parameters.extensive`).
        capacity_ah: the cell's capacity in A.h, which currents and charges scale with: fitted, else given, else the
            parameter set's own.
        capacity_source: where the capacity of ``settings`` is from, in words.
        electrodes_in_parallel: electrode pairs of the parameter set that make this cell.
        cutoffs_volt: lower and upper cut-off of the parameter set in V; ``None`` = it has none.
        measured_celsius: the cell's mean measured temperature in °C, used where the settings give none; ``None`` =
            nothing was measured.
    """

    settings: SimulateSettings
    cell: CellSettings
    parameter_set: ParameterSetSettings
    capacity_ah: float
    capacity_source: str
    electrodes_in_parallel: float
    cutoffs_volt: tuple[float, float] | None
    measured_celsius: float | None

    @property
    def model(self) -> ModelSettings:
        """The model that is simulated."""
        return self.settings.model

    @property
    def set_key(self) -> str:
        """The key under which the base of the parameter set is known in this process."""
        return self.settings.parameter_set.key


def resolve_simulation(settings: SimulateSettings, measured_celsius: float | None) -> SimulationCase:
    """Resolve the settings of a simulation.

    Args:
        settings: the cell's capacity is filled in where it is measured
            (:func:`kilocell.jobs.parameters.capacity.fill_measured_capacity`).
        measured_celsius: the cell's mean measured temperature in °C; ``None`` = nothing was measured.

    Raises:
        JobError: the parameter set cannot be loaded (``bad_parameter_set``), or lacks a parameter that an override
            names (``unknown_parameter``).
    """
    applied = apply_cell_parameters(settings)
    pairs = electrodes_in_parallel(applied.cell, applied.parameter_set)
    parameter_set = applied.parameter_set
    if scales_current(settings.model) and parameter_set.overrides:
        cells = cells_of_set(pairs, load_base_set(parameter_set.key))
        parameter_set = replace(parameter_set, overrides=overrides_of_set(parameter_set.overrides, cells))
    return SimulationCase(
        settings=settings,
        cell=applied.cell,
        parameter_set=parameter_set,
        capacity_ah=find_capacity(applied.cell, applied.parameter_set)[0],
        capacity_source=find_capacity(settings.cell, settings.parameter_set)[1],
        electrodes_in_parallel=pairs,
        cutoffs_volt=cutoffs_volt(applied.parameter_set),
        measured_celsius=measured_celsius,
    )


def resolve_without_fitted_soc(case: SimulationCase) -> SimulationCase:
    """Resolve the same simulation without the initial state of charge that a fitted parameter set carries.

    That state is the one of the first cycle that was fitted; a later cycle has another one.
    """
    return resolve_simulation(remove_initial_soc(case.settings), case.measured_celsius)
