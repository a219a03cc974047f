"""The tables of a campaign file: their keys, types and defaults.

This module checks everything that needs only one table. ``checks`` has the rules between tables, ``cell_plan`` those
about cells, and ``pybamm_checks`` those that need PyBaMM.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from ...data.cycle_selection import WHOLE_RECORD
from ...data.settings import CleanSettings, ClusterSettings, CurrentSign, ErrorEstimate, Tolerance
from ...data.step_selection import Selection
from . import fields as v
from .fit_schema import FitTable

_CLEAN: Final = CleanSettings()
_CLUSTER: Final = ClusterSettings()
DEFAULT_STORE: Final = "store"  # folder beside the campaign file


class Table(BaseModel):
    """A table of the campaign file."""

    model_config = v.STRICT


class ColumnEntry(Table):
    """The file's column that a raw column comes from, and its unit; its name alone is enough."""

    column: v.Text
    unit: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value


class SourceTable(Table):
    """``[[sources]]``: raw files that are read in the same way; ``files`` holds the files that each glob matches.

    A file that is named but does not exist is among them, so that its job fails and the other files go on.
    """

    files: list[v.MatchingFiles] = Field(min_length=1)
    reader: v.ReaderName = "auto"
    cell_id: v.CellIdRule | None = None
    current_sign: CurrentSign = "auto"
    columns: dict[v.RawColumn, ColumnEntry] = {}

    @field_validator("columns")
    @classmethod
    def _known_units(cls, columns: dict[str, ColumnEntry]) -> dict[str, ColumnEntry]:
        for target, entry in columns.items():
            v.check_unit(target, entry.unit)
        return columns

    @model_validator(mode="after")
    def _columns_need(self) -> SourceTable:
        if self.reader == "digatron" and self.columns:
            raise ValueError('the digatron reader knows its columns; remove columns, or set reader = "csv"')
        if self.columns and self.cell_id is None:
            raise ValueError('columns need cell_id, too: "stem", "column:NAME" or "pattern:REGEX"')
        return self

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file of the source, sorted, each once."""
        return tuple(sorted({path for named in self.files for path in named.paths}))


class CleanTable(Table):
    """``[clean]``: thresholds of the cleaning rules, as in :class:`kilocell.data.settings.CleanSettings`, and the
    longest time to read a file or to clean a cell.
    """

    rest_current_per_ah: v.Positive = _CLEAN.rest_current_per_ah
    fill_samples: v.CountOrNone = _CLEAN.fill_samples
    fill_constant_samples: v.CountOrNone = _CLEAN.fill_constant_samples
    missing_charge_share: v.Share = _CLEAN.missing_charge_share
    gap_factor: v.Positive = _CLEAN.gap_factor
    gap_second: v.Positive = _CLEAN.gap_second
    voltage_limits_volt: v.Limits = list(_CLEAN.voltage_limits_volt)
    temperature_limits_celsius: v.Limits = list(_CLEAN.temperature_limits_celsius)
    temperature_jump_celsius: v.Positive = _CLEAN.temperature_jump_celsius
    chamber_tolerance_celsius: v.Positive = _CLEAN.chamber_tolerance_celsius
    chamber_second: v.Positive = _CLEAN.chamber_second
    voltage_step_volt: v.Positive = _CLEAN.voltage_step_volt
    channel_difference_volt: v.Positive = _CLEAN.channel_difference_volt
    capacity_tolerance: v.Positive = _CLEAN.capacity_tolerance
    capacity_factor: v.Positive = _CLEAN.capacity_factor
    time_scale_tolerance: v.Positive = _CLEAN.time_scale_tolerance
    clock_tolerance_second: v.Positive = _CLEAN.clock_tolerance_second
    clock_drift: v.Positive = _CLEAN.clock_drift
    cycle_turns: v.Count = _CLEAN.cycle_turns
    charge_tolerance: v.Positive = _CLEAN.charge_tolerance
    time_limit_second: v.Positive = 3600.0


class ParameterSetTable(Table):
    """``[parameter_sets.NAME]``: a file with a parameter set, as BPX or as JSON of PyBaMM's ParameterValues."""

    file: v.Text


class StateEntry(Table):
    """``initial_state`` as a table; without any key, the voltage of the first rest."""

    soc: Annotated[float, Field(ge=0, le=1)] | None = None
    voltage: Annotated[float, Field(gt=0, lt=10)] | None = None
    previous_cycle: bool = False


class CapacityEntry(Table):
    """``nominal_capacity_ah``: a number in A.h, or the cycle (0 = the last) whose charge is the capacity."""

    ah: v.Positive | None = None
    cycle: v.CycleOrLast | None = None
    of: Literal["discharge", "charge"] = "discharge"


class GuessedEntry(Table):
    """``guessed``: the values in a table of ``[cells]`` that ``kilocell init`` guessed, repeated.

    A value is a guess as long as it is the same here. So a value that the user changes is no guess any more, and one
    that the user confirms is none once its key is removed here.
    """

    nominal_capacity_ah: v.Positive | None = None
    parameter_sets: v.SetNames | None = None


class CellTable(Table):
    """``[cells.defaults]`` and ``[cells.ID]``."""

    parameter_set: v.SetName | None = None
    parameter_sets: v.SetNames | None = None
    nominal_capacity_ah: Annotated[CapacityEntry, v.CapacityForm] | None = None
    initial_state: Annotated[StateEntry, v.StateForm] = StateEntry()
    temperature_celsius: v.Celsius = None
    guessed: GuessedEntry = GuessedEntry()

    @model_validator(mode="after")
    def _one_way_of_naming_sets(self) -> CellTable:
        if self.parameter_set is not None and self.parameter_sets is not None:
            raise ValueError("give parameter_set or parameter_sets, not both")
        return self

    @property
    def given(self) -> dict[str, Any]:
        """The keys that are set in the table, with their values; ``parameter_set`` becomes ``parameter_sets``.

        Capacity and sets come with their sources, ``capacity_source`` and ``parameter_set_source``: ``given`` or
        ``guess``.
        """
        given = {key: getattr(self, key) for key in self.model_fields_set - {"guessed"}}
        if "parameter_set" in given:
            given["parameter_sets"] = [given.pop("parameter_set")]
        if "parameter_sets" in given:
            is_guess = given["parameter_sets"] == self.guessed.parameter_sets
            given["parameter_set_source"] = "guess" if is_guess else "given"
        if self.nominal_capacity_ah is not None:
            is_guess = self.nominal_capacity_ah.ah == self.guessed.nominal_capacity_ah
            given["capacity_source"] = "guess" if is_guess else "given"
        return given


class ModelTable(Table):
    """``[[models]]``: a PyBaMM model, and what its simulations store; its type alone is enough.

    Args:
        cells: ids or globs of the cells that are simulated with it.
    """

    type: v.ModelType
    name: v.Label | None = None
    cells: Annotated[list[v.Text], Field(min_length=1)] = ["*"]
    options: dict[str, v.ModelOption] = {}
    mesh: dict[str, v.Points] = {}
    outputs: list[v.OutputName] = []

    @model_validator(mode="before")
    @classmethod
    def _from_type(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @property
    def label(self) -> str:
        """The model's name; without one, its type."""
        return self.name or self.type


class ChangeEntry(Table):
    """A changed parameter: ``{scale = 0.5}`` or ``{value = 1e-14}``."""

    scale: float | None = None
    value: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _says_which(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("must be {scale = …} or {value = …}")
        return value

    @model_validator(mode="after")
    def _one_of_both(self) -> ChangeEntry:
        if (self.scale is None) == (self.value is None):
            raise ValueError("must be {scale = …} or {value = …}")
        return self


class VariationTable(Table):
    """``[[variations]]``: a named change of parameters, for every parameter set or for some."""

    name: v.Label
    parameter_sets: Annotated[v.SetNames, Field(min_length=1)] | None = None
    parameters: dict[str, ChangeEntry] = Field(min_length=1)

    def applies_to(self, base: str) -> bool:
        """Tell whether the variation applies to a parameter set.

        Args:
            base: name of the set.
        """
        return self.parameter_sets is None or base in self.parameter_sets


class SimulateTable(Table):
    """``[simulate]``: which part of each record to simulate, the time limit, the error, and compiled models."""

    cycles: v.Selection = WHOLE_RECORD
    select: v.Select | None = None
    time_limit_second: v.Positive = 3600.0
    compiled: Literal["auto"] | bool = "auto"
    tolerance: Tolerance = "standard"
    error_estimate: ErrorEstimate = "auto"

    @model_validator(mode="after")
    def _one_selection(self) -> SimulateTable:
        if self.select is not None and "cycles" in self.model_fields_set:
            raise ValueError("has cycles and select; remove one of them")
        return self

    @property
    def selection(self) -> Selection:
        """The part of each record that is simulated."""
        return self.cycles if self.select is None else self.select


class ClusterTable(Table):
    """``[cluster]``: as in :class:`kilocell.data.settings.ClusterSettings`."""

    kind: v.ClusterKind = _CLUSTER.kind
    workers: v.Count | None = _CLUSTER.workers
    threads_per_worker: v.Count = _CLUSTER.threads_per_worker
    memory_limit: v.MemoryLimit = _CLUSTER.memory_limit
    dashboard_address: v.DashboardAddress = _CLUSTER.dashboard_address
    jobs: v.JobCount = _CLUSTER.jobs
    cores: v.Count = _CLUSTER.cores
    memory: v.MemorySize = _CLUSTER.memory
    walltime: v.Walltime = _CLUSTER.walltime
    partition: str = _CLUSTER.partition
    account: str = _CLUSTER.account
    job_extra: list[str] = list(_CLUSTER.job_extra)
    prologue: list[str] = list(_CLUSTER.prologue)


class CampaignFile(Table):
    """The whole campaign file."""

    name: v.Text | None = None
    store: v.Text = DEFAULT_STORE
    sources: list[SourceTable] = Field(min_length=1)
    clean: CleanTable = CleanTable()
    parameter_sets: dict[v.OwnSetName, ParameterSetTable] = {}
    cells: dict[v.Text, CellTable] = {}
    models: list[ModelTable] = []
    variations: list[VariationTable] = []
    fit: list[FitTable] = []
    simulate: SimulateTable = SimulateTable()
    cluster: ClusterTable = ClusterTable()

    @field_validator("fit", mode="before")
    @classmethod
    def _one_fit(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict) else value

    @cached_property
    def cell_globs(self) -> tuple[str, ...]:
        """The keys of ``[cells.…]`` that are globs, in the file's order."""
        return tuple(key for key in self.cells if is_glob(key))

    def named_fits(self) -> Iterator[tuple[str, FitTable]]:
        """Yield each fit after the place of its table, ``fit`` or ``fit#2``, for error messages."""
        for number, table in enumerate(self.fit, 1):
            where = "fit" if len(self.fit) == 1 else f"fit#{number}"
            yield where, table

    def set_names(self, base: str) -> Iterator[str]:
        """Yield the names of a parameter set and of its variations, as users see them.

        Args:
            base: name of the set.
        """
        yield base
        yield from (f"{base}+{variation.name}" for variation in self.variations if variation.applies_to(base))


def is_glob(key: str) -> bool:
    """Tell whether a key of ``[cells.…]`` is a glob, which can match several cells."""
    return any(character in key for character in "*?[")
