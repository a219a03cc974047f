"""Frozen settings of jobs, resolved from a campaign file. Digests are computed from them.

All fields are plain (numbers, texts, tuples), so settings can be pickled, hashed, printed, and converted to JSON and
back (:mod:`kilocell.data.codec`). Currents are positive for charge, times in seconds, temperatures in °C.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from .cycle_selection import WHOLE_RECORD, MeasuredCapacity
from .step_selection import Selection

CurrentSign = Literal["auto", "charge_positive", "discharge_positive"]
ValueSource = Literal["", "given", "guess"]
"""Who says a value of the campaign: the user, or ``kilocell init``, which guessed it; "" = no one."""

Tolerance = Literal["standard", "tight"]
"""How large the numerical error of a simulation may be: 0.5 mV RMSE and 3 mV at worst, or 0.1 and 0.5 mV."""

ErrorEstimate = Literal["auto", "always"]
"""Which samples are solved a second time to estimate that error: a part of a long record, or always all."""

TOLERANCES: Final[dict[Tolerance, tuple[float, float]]] = {"standard": (5e-5, 1e-6), "tight": (5e-6, 1e-7)}
"""Relative and absolute tolerance of the solver."""

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
"""Parameters that an override or fit cannot change, and the setting or record that gives each of them."""

MODEL_TYPES: Final = ("SPM", "SPMe", "DFN", "MPM", "MSMR", "NewmanTobias", "Yang2017", "Thevenin")
"""The PyBaMM models that a campaign can name: all that can be driven by a measured current with a parameter set.

Not included: the ``Basic`` models (the equations of SPM and DFN again, for teaching, without options) and ``SplitOCVR``
(no parameter set has its parameters).
"""

OptionValue = str | int | tuple[str | int | tuple[str | int | tuple[str | int, ...], ...], ...]
"""Value of a model option: a text, a whole number, or a tuple of these, such as one value for each electrode."""


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Where one raw column comes from."""

    target: str
    """The raw column, one of ``data.columns.RAW_COLUMNS``, or ``cell_id``."""

    column: str
    """Name of the column in the file."""

    unit: str = ""
    """Unit in the file, one of ``data.convert.FACTORS``, or a date format; "" = the unit of ``target``."""


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """How a raw file is read.

    Args:
        reader: a name in ``data.readers.read.READERS`` (``csv``, ``digatron``, ``parquet``, ``xlsx``, ``neware``).
        columns: the columns of the file (not for ``digatron``); empty = guessed from the header.
        cell_id_from: ``stem`` (file name without suffix), ``column:NAME`` or ``pattern:REGEX`` with group ``cell_id``.
        current_sign: which sign a charging current has in the file; ``auto`` = determined from the voltage.
    """

    reader: str = "csv"
    columns: tuple[ColumnMapping, ...] = ()
    cell_id_from: str = "stem"
    current_sign: CurrentSign = "auto"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One raw file, its content and how it is read."""

    path: str
    bytes: int
    """Size of the file."""

    digest: str
    """SHA-256 (hex) of its bytes."""

    settings: SourceSettings


@dataclass(frozen=True, slots=True)
class FileRange:
    """A part of a raw file that can be read on its own: it begins and ends between two rows.

    Args:
        start: first byte of a text file, or first row group of a Parquet file, from 0.
        end: the byte or row group after the last one.
        first_line: number of its first line in the file, from 1.
        first_row: number of its first row in the file, from 0.
        cells: each cell in it with its number of rows, in order of appearance.
        cell_before: the cell of the row before; rows without a cell id belong to it; "" = none.
        latin1: whether the text before it was Latin-1.
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
    """How the starting state of a simulation is found."""

    policy: Literal["rest_voltage", "soc", "voltage", "previous_cycle"] = "rest_voltage"
    """From the measured rest voltage, the given value, or the end of the previous cycle."""

    value: float = 0.0
    """State of charge (0 to 1) for ``soc``, open-circuit voltage (V) for ``voltage``; unused for the others."""


@dataclass(frozen=True, slots=True)
class CellSettings:
    """Settings of one cell.

    Args:
        nominal_capacity_ah: A.h; ``None`` = as ``measured_capacity`` says, otherwise that of the parameter set.
        initial_state: how the starting state is found.
        temperature_celsius: °C; ``None`` = as measured, otherwise that of the parameter set.
        measured_capacity: the cycle whose charge is the nominal capacity; ``None`` = it is not measured.
        temperature: which measured temperature is used: its mean over the simulated time, its mean at the end of the
            rest before the load, or the ambient or surface temperature over time.
        capacity_source: who says the nominal capacity: the user (``given``), or ``kilocell init`` (``guess``); "" = it
            is not given as a number.
        parameter_set_source: who says the parameter sets of the campaign: the user (``given``), or ``kilocell init``
            (``guess``); "" = none is given. It changes no result, so it is no part of a digest.
    """

    cell_id: str
    nominal_capacity_ah: float | None = None
    initial_state: InitialState = InitialState()
    temperature_celsius: float | None = None
    measured_capacity: MeasuredCapacity | None = None
    temperature: Literal["mean", "rest", "ambient", "surface"] = "mean"
    capacity_source: ValueSource = ""
    parameter_set_source: ValueSource = ""


@dataclass(frozen=True, slots=True)
class CleanSettings:
    """Thresholds of the cleaning rules. Currents scale with the cell's capacity (A per A.h).

    Args:
        current_sign: which sign a charging current has in the file; ``auto`` = determined from the voltage.
        nominal_capacity_ah: A.h, as the user gives it; ``None`` = estimated from the record, where a rule needs it. A
            guessed capacity is not used here.
        rest_current_per_ah: largest current at rest (A per A.h of capacity).
        fill_samples: longest run of missing voltages, or of missing currents where the current changes, that is filled.
        fill_constant_samples: longest run of missing currents that is filled where the current is the same on both
            sides and the voltage shows no edge.
        missing_charge_share: share of the charge throughput that may be unknown where currents are missing; beyond it
            they stay missing, and the cell is not simulated.
        gap_factor: a time step longer than so many usual ones is a gap, if it also exceeds ``gap_second``.
        gap_second: shortest gap (s).
        voltage_limits_volt: voltages (V) outside these two cannot be a cell's.
        temperature_limits_celsius: temperatures (°C) outside these two cannot be a chamber's.
        temperature_setpoint_celsius: setpoint of the chamber (°C); ``None`` = the median of the record.
        temperature_jump_celsius: smallest jump between two samples (°C) that means a detached thermocouple.
        chamber_tolerance_celsius: largest deviation of the chamber from its setpoint (°C) that is not reported.
        chamber_second: longest deviation (s) that is not reported.
        voltage_step_volt: smallest voltage step between two samples at one current (V) that is reported.
        channel_difference_volt: largest difference (V) between the rest voltages before and after a new file, a restart
            or a gap that is not reported.
        capacity_tolerance: share by which the cycler's counters may differ from the integrated current.
        charge_tolerance: share of the throughput by which the charge may be uncertain before it is reported.
        capacity_factor: largest possible charge of a cycle, in nominal capacities.
        time_scale_tolerance: share by which the ratio of two clocks, or of a clock and the counters, may differ from
            the factor of a unit.
        clock_tolerance_second: largest change of the offset between wall clock and test time from row to row (s).
        clock_drift: largest drift between the two clocks (s per s) that is not reported.
        cycle_turns: from so many changes between charge and discharge on, a record cannot be a single cycle.
    """

    current_sign: CurrentSign = "auto"
    nominal_capacity_ah: float | None = None
    rest_current_per_ah: float = 0.005
    fill_samples: int = 5
    fill_constant_samples: int = 100
    missing_charge_share: float = 0.02
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
    charge_tolerance: float = 0.005
    time_scale_tolerance: float = 0.05
    clock_tolerance_second: float = 2.0
    clock_drift: float = 2e-4
    cycle_turns: int = 20


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """A PyBaMM model.

    Args:
        name: the name that users see.
        type: one of ``MODEL_TYPES``.
        options: PyBaMM's options, as (name, value).
        mesh: numbers of points as (PyBaMM's name, number), such as ``("r_n", 40)``; PyBaMM's default for the others.
    """

    name: str
    type: str
    options: tuple[tuple[str, OptionValue], ...] = ()
    mesh: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Override:
    """One changed parameter.

    Args:
        parameter: PyBaMM's name, or one of ``data.fit_settings.CELL_PARAMETERS``.
        kind: ``value`` replaces the parameter, ``scale`` multiplies it (also a function).
        value: the new value in the unit of the parameter, or the factor.
    """

    parameter: str
    kind: Literal["value", "scale"]
    value: float


@dataclass(frozen=True, slots=True)
class ParameterSetSettings:
    """A parameter set as simulated: a base set with overrides.

    Args:
        name: the name that users see.
        base: name of a PyBaMM set, or the campaign's name of a file.
        overrides: changed parameters, applied in order.
        file_digest: SHA-256 (hex) of the file of the base set; "" = it is a PyBaMM set.
    """

    name: str
    base: str
    overrides: tuple[Override, ...] = ()
    file_digest: str = ""

    @property
    def key(self) -> str:
        """Name of the base set, with the digest of its file if it has one; unique for each content."""
        if not self.file_digest:
            return self.base
        return f"{self.base}@{self.file_digest}"


@dataclass(frozen=True, slots=True)
class SimulateSettings:
    """One simulation: a model with a parameter set, driven by the measured current of a cell.

    The standard tolerances keep the model's charge within 0.02 % of the profile's. Where they do not keep the voltage
    within the limits of ``tolerance``, the simulation is solved again with tighter ones.

    Args:
        cell: the cell and its conditions.
        model: the PyBaMM model.
        parameter_set: the parameter set.
        rtol: relative tolerance of the solver.
        atol: absolute tolerance of the solver.
        cycles: the cycles or other parts of the record that are simulated; the default is the whole record.
        time_limit_second: longest time for all attempts and cycles together (s of wall clock).
        tolerance: how large the numerical error may be.
        error_estimate: whether a second replay that estimates it covers all of a long record.
        outputs: what is stored beside the voltage, keys of ``data.outputs.OUTPUTS``.
    """

    cell: CellSettings
    model: ModelSettings
    parameter_set: ParameterSetSettings
    rtol: float = 5e-5
    atol: float = 1e-6
    cycles: Selection = WHOLE_RECORD
    time_limit_second: float = 3600.0
    tolerance: Tolerance = "standard"
    error_estimate: ErrorEstimate = "auto"
    outputs: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Model and parameter set as one word, for example ``SPMe-Chen2020``; names the simulation within its cell."""
        return f"{self.model.name}-{self.parameter_set.name}"


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Where the jobs run.

    Args:
        kind: ``local`` (worker processes on this machine), ``slurm``, or the address of a scheduler
            (``tcp://HOST:PORT``).
        workers: number of local worker processes; ``None`` = one for each core.
        threads_per_worker: threads of each local worker.
        memory_limit: memory of each local worker as Dask writes it (``4GiB``), ``auto`` or ``none``.
        dashboard_address: HOST:PORT of Dask's dashboard, or ``none``; the next free port is used if this one is taken.
        jobs: number of Slurm jobs that hold workers; with ``least_jobs``, the largest number.
        least_jobs: with less work, only so many Slurm jobs stay; ``None`` = always ``jobs``.
        cores: workers of each Slurm job.
        memory: memory of each Slurm job; ``none`` = do not ask Slurm for memory.
        walltime: time limit of each Slurm job, as HH:MM:SS.
        partition: Slurm partition; "" = the default one.
        account: Slurm account; "" = the default one.
        job_extra: further options for ``sbatch``.
        prologue: lines of shell that each Slurm job runs before its workers, such as ``module load python``.
    """

    kind: str = "local"
    workers: int | None = None
    threads_per_worker: int = 1
    memory_limit: str = "auto"
    dashboard_address: str = "127.0.0.1:8787"
    jobs: int = 1
    least_jobs: int | None = None
    cores: int = 1
    memory: str = "4GiB"
    walltime: str = "01:00:00"
    partition: str = ""
    account: str = ""
    job_extra: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
