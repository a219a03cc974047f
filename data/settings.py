"""Frozen settings: what a campaign asks for, in the form that jobs work from and digests are made of.

All are plain fields (numbers, texts, tuples), so they pickle, hash, print, and turn into JSON and back
(:mod:`kilocell.data.codec`). Currents are positive for charge, times in seconds, temperatures in °C.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from .cycle_selection import WHOLE_RECORD, CycleSelection, MeasuredCapacity

CurrentSign = Literal["auto", "charge_positive", "discharge_positive"]
GIVEN_PER_CELL: dict[str, str] = {
    "Current function [A]": "the measured record",
    "Number of electrodes connected in parallel to make a cell": "nominal_capacity_ah",
    "Nominal cell capacity [A.h]": "nominal_capacity_ah",
    "Ambient temperature [K]": "temperature_celsius",
    "Initial temperature [K]": "temperature_celsius",
    "Initial concentration in negative electrode [mol.m-3]": "initial_state",
    "Initial concentration in positive electrode [mol.m-3]": "initial_state",
    "Primary: Initial concentration in negative electrode [mol.m-3]": "initial_state",
    "Secondary: Initial concentration in negative electrode [mol.m-3]": "initial_state",
    "Primary: Initial concentration in positive electrode [mol.m-3]": "initial_state",
    "Secondary: Initial concentration in positive electrode [mol.m-3]": "initial_state",
    "Initial voltage in negative electrode [V]": "initial_state",
    "Initial voltage in positive electrode [V]": "initial_state",
    "Initial SoC": "initial_state",
}
"""Parameters that no override or fit may name, and what gives them; a model has some of them as inputs."""

MODEL_TYPES: Final = ("SPM", "SPMe", "DFN", "MPM", "MSMR", "NewmanTobias", "Yang2017", "Thevenin")
"""The PyBaMM models that a campaign can name: all that replay a current with a parameter set.

Left out are the ``Basic`` models, which are the SPM's and the DFN's equations once more, written out for teaching and
without their options, and ``SplitOCVR``, whose parameters no set has.
"""

OptionValue = str | int | tuple[str | int | tuple[str | int | tuple[str | int, ...], ...], ...]
"""Value of a model's option: a text, a whole number, or PyBaMM's pairs of them, which may be nested."""


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Where one raw column comes from: the file's column name and its unit ("" = the column's own)."""

    target: str
    column: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """How a raw file is read.

    Args:
        reader: a name in ``data.readers.READERS`` (``csv``, ``digatron``, ``parquet``, ``xlsx``, ``neware``).
        columns: the file's columns (not for ``digatron``); empty = guessed from the header.
        cell_id_from: ``stem`` (file name without suffix), ``column:NAME`` or ``pattern:REGEX`` with group ``cell_id``.
        current_sign: how the file signs its current.
    """

    reader: str = "csv"
    columns: tuple[ColumnMapping, ...] = ()
    cell_id_from: str = "stem"
    current_sign: CurrentSign = "auto"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One raw file: where it is, how long, what is in it (SHA-256 of its bytes, hex) and how it is read."""

    path: str
    bytes: int
    digest: str
    settings: SourceSettings


@dataclass(frozen=True, slots=True)
class FileRange:
    """A part of a raw file that can be read on its own: it begins and ends between two rows.

    Args:
        start, end: bytes of a text file, row groups of a Parquet file: from ``start`` to before ``end``.
        first_line, first_row: numbers of its first line (from 1) and its first row (from 0) in the file.
        cells: each cell in it with its number of rows, in order of appearance.
        cell_before: the cell of the row before, to which rows that name none belong; "" = none.
        latin1: the text before was Latin-1.
    """

    start: int
    end: int
    first_line: int = 1
    first_row: int = 0
    cells: tuple[tuple[str, int], ...] = ()
    cell_before: str = ""
    latin1: bool = False


@dataclass(frozen=True, slots=True)
class InitialState:
    """How a simulation starts: ``rest_voltage``, ``previous_cycle`` (no value), ``soc`` (0 to 1) or ``voltage`` (V)."""

    policy: Literal["rest_voltage", "soc", "voltage", "previous_cycle"] = "rest_voltage"
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class CellSettings:
    """What is said of a cell.

    Args:
        nominal_capacity_ah: A.h; ``None`` = the set's own, or measured by the worker as ``measured_capacity`` says.
        temperature_celsius: °C; ``None`` = the measured ``temperature`` (its mean, or over time), else the set's own.
    """

    cell_id: str
    nominal_capacity_ah: float | None = None
    initial_state: InitialState = InitialState()
    temperature_celsius: float | None = None
    measured_capacity: MeasuredCapacity | None = None
    temperature: Literal["mean", "ambient", "surface"] = "mean"


@dataclass(frozen=True, slots=True)
class CleanSettings:
    """Thresholds of the cleaning rules. Currents scale with the cell's capacity (A per A.h).

    Args:
        fill_samples: missing values in a row that are filled, of the voltage, and of the current where it changes.
        fill_constant_samples: ... of a current that is the same on both sides while the voltage shows no edge.
        temperature_setpoint_celsius: the chamber's; ``None`` = the median of the record.
        temperature_jump_celsius: between two samples, from which on a thermocouple was off.
        chamber_tolerance_celsius, chamber_second: how far and for how long the chamber may be off its setpoint.
        voltage_step_volt: between two samples under one current, from which on it is reported.
        channel_difference_volt: between a rest's voltages before and after a new file, a restart or a gap.
        capacity_tolerance: share by which the cycler's counters may differ from the integrated current.
        capacity_factor: times the nominal capacity, above which a cycle's charge cannot be.
        time_scale_tolerance: share by which two clocks, or a clock and the counters, may differ from a unit's factor.
        clock_tolerance_second: by how much wall clock and test time may drift apart between two rows.
        clock_drift: s per s by which one of them may run faster; more is told.
        cycle_turns: charges after a discharge, or the other way round, from which on one cycle number for all is wrong.
    """

    current_sign: CurrentSign = "auto"
    nominal_capacity_ah: float | None = None
    rest_current_per_ah: float = 0.005
    fill_samples: int = 5
    fill_constant_samples: int = 100
    gap_factor: float = 20.0
    gap_second: float = 600.0
    voltage_limits_volt: tuple[float, float] = (0.5, 5.5)
    temperature_limits_celsius: tuple[float, float] = (-60.0, 120.0)
    temperature_setpoint_celsius: float | None = None
    temperature_jump_celsius: float = 10.0
    chamber_tolerance_celsius: float = 2.0
    chamber_second: float = 1800.0
    voltage_step_volt: float = 0.01
    channel_difference_volt: float = 0.005
    capacity_tolerance: float = 0.01
    capacity_factor: float = 2.0
    time_scale_tolerance: float = 0.05
    clock_tolerance_second: float = 2.0
    clock_drift: float = 2e-4
    cycle_turns: int = 20


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """A PyBaMM model.

    Args:
        name: as users see it; its ``type`` is one of ``MODEL_TYPES``.
        options: PyBaMM's, as (name, value).
        mesh: points as (PyBaMM's name, number), such as ``("r_n", 40)``; PyBaMM's own where none is given.
    """

    name: str
    type: str
    options: tuple[tuple[str, OptionValue], ...] = ()
    mesh: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Override:
    """One changed parameter: ``value`` replaces it, ``scale`` multiplies it (functions too)."""

    parameter: str
    kind: Literal["value", "scale"]
    value: float


@dataclass(frozen=True, slots=True)
class ParameterSetSettings:
    """A parameter set as simulated: a ``base`` with overrides, under the ``name`` users see.

    Args:
        base: one of PyBaMM's, or the campaign's name of a file.
        file_digest: SHA-256 (hex) of the file that the base is read from; "" = one of PyBaMM's.
    """

    name: str
    base: str
    overrides: tuple[Override, ...] = ()
    file_digest: str = ""

    @property
    def key(self) -> str:
        """What the base is known by to the jobs: its name, and its file's content where it has one."""
        return f"{self.base}@{self.file_digest}" if self.file_digest else self.base


@dataclass(frozen=True, slots=True)
class SimulateSettings:
    """One simulation: a cell under its measured current with a model and a parameter set.

    The default tolerances keep the model's charge within 0.02 % of the profile's, its voltage within 0.2 mV (RMSE).

    Args:
        time_limit_second: of all attempts and cycles together.
    """

    cell: CellSettings
    model: ModelSettings
    parameter_set: ParameterSetSettings
    rtol: float = 5e-5
    atol: float = 1e-6
    cycles: CycleSelection = WHOLE_RECORD
    time_limit_second: float = 3600.0

    @property
    def label(self) -> str:
        """Model and parameter set as one word, for example ``SPMe-Chen2020``: the simulation's name in its cell."""
        return f"{self.model.name}-{self.parameter_set.name}"


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Where the jobs run.

    Args:
        kind: ``local`` (worker processes on this machine), ``slurm``, or a scheduler's address (``tcp://HOST:PORT``).
        workers, threads_per_worker, memory_limit: for ``local``; ``None`` workers = one for each core,
            ``memory_limit`` per worker as Dask writes it (``4GiB``), ``auto`` or ``none``.
        dashboard_address: HOST:PORT of Dask's dashboard (the next free port when taken), or ``none``.
        jobs, cores, memory, walltime, partition, account, job_extra: for ``slurm``; ``jobs`` Slurm jobs of
            ``cores`` workers each, ``memory`` per job, ``walltime`` as HH:MM:SS.
    """

    kind: str = "local"
    workers: int | None = None
    threads_per_worker: int = 1
    memory_limit: str = "auto"
    dashboard_address: str = "127.0.0.1:8787"
    jobs: int = 1
    cores: int = 1
    memory: str = "4GiB"
    walltime: str = "01:00:00"
    partition: str = ""
    account: str = ""
    job_extra: tuple[str, ...] = ()
