"""Results of a simulation: how it compares with the measurement, its states, and what is kept of a failed one."""

from __future__ import annotations

from dataclasses import dataclass

from ..settings import SimulateSettings


@dataclass(frozen=True, slots=True)
class Comparison:
    """Simulated against measured voltage over a cycle (``cycle_count`` 0 = the whole record), in mV.

    Args:
        samples: those with a measured voltage, which alone count.
        worst_mv: the error (simulated - measured) of the largest magnitude; ``worst_time_second`` is where.
        rmse_time_weighted_mv: each sample counts by the time it stands for, so that dense pulses weigh no more than
            the rests between them; ``None`` for fewer than two samples.
        energy_in_measured_wh, ...: both directions positive, under the measured current with either voltage.
        charge_error: largest difference between model's and measured charge within the cycle, over its throughput.
        capacity_error_ah: charge that the model had given less what the cell had given when each fell to
            ``capacity_voltage_volt``, in a discharge that measures a capacity (:func:`kilocell.jobs.capacity_error`);
            the whole record has the mean. ``None`` where there is no such discharge.
    """

    cycle_count: int
    samples: int
    rmse_mv: float
    bias_mv: float
    worst_mv: float
    worst_time_second: float
    rmse_time_weighted_mv: float | None = None
    energy_in_measured_wh: float | None = None
    energy_in_model_wh: float | None = None
    energy_out_measured_wh: float | None = None
    energy_out_model_wh: float | None = None
    charge_error: float | None = None
    capacity_error_ah: float | None = None
    capacity_voltage_volt: float | None = None


@dataclass(frozen=True, slots=True)
class StepComparison:
    """The errors of a :class:`Comparison` in one step type and one window after a step's start, ``all`` = any.

    Args:
        step_type: of ``data.columns.STEP_TYPES``.
        window: of ``data.columns.WINDOWS``.
        change_rmse_mv: RMSE of the error's change since the step began: what the step itself adds, without the error
            that was there before it.
    """

    cycle_count: int
    step_type: str
    window: str
    samples: int
    rmse_mv: float
    bias_mv: float
    worst_mv: float
    worst_time_second: float
    change_rmse_mv: float | None = None


@dataclass(frozen=True, slots=True)
class CycleState:
    """The state that one cycle of a simulation began from, where it was not simply carried on."""

    cycle_count: int
    soc: float
    voltage_volt: float
    source: str


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """What a simulation reports; RMSE in mV over all samples with a measured voltage.

    Args:
        initial_state_source: in words, for example ``"rest voltage 4.1445 V at 0 s"``.
        electrodes_in_parallel: the capacity scaling that was used (with the set's own as 1).
        charge_measured_ah, charge_model_ah: net charge, positive charges the cell.
        charge_error: largest difference of the charges at any sample, over the charge throughput (in + out).
        attempts: what was tried, one line each, the last one being the result.
        capacity_ah, capacity_source: the capacity that scales the model to the cell, and where it is from, in words.
        temperature_celsius, temperature_source: its mean over time, and where it is from, in words.
        compression_rmse_mv, compression_worst_mv: estimate of what replacing the measured current by its profile does
            to the simulated voltage, noise included.
        compiled: whether the model ran as machine code; the result is the same.
        cycle_states: the states of cycles that began from their own.
        step_comparisons: errors by step type and by window, for the whole record and each cycle.
        beyond_cutoff_second: time that the voltage spends more than 50 mV outside the set's cut-offs, which do not
            end a simulation; ``None`` where the set has none.
    """

    settings: SimulateSettings
    samples: int
    knots: int
    initial_soc: float
    initial_voltage_volt: float
    initial_state_source: str
    electrodes_in_parallel: float
    temperature_celsius: float
    charge_measured_ah: float
    charge_model_ah: float
    charge_error: float
    rmse_mv: float
    bias_mv: float
    worst_mv: float
    worst_time_second: float
    solve_seconds: float
    attempts: tuple[str, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    capacity_ah: float | None = None
    capacity_source: str = ""
    temperature_source: str = ""
    compression_rmse_mv: float | None = None
    compression_worst_mv: float | None = None
    compiled: bool = False
    cycle_states: tuple[CycleState, ...] = ()
    step_comparisons: tuple[StepComparison, ...] = ()
    beyond_cutoff_second: float | None = None


@dataclass(frozen=True, slots=True)
class FailedSimulation:
    """What a failed simulation still knows: how it began, what was tried, and its curve up to where it ended.

    Args:
        samples: of the curve that was kept; 0 = none.
        ended_second: test time of its last good sample; ``None`` without a curve.
        partial_rmse_mv: until there; ``None`` without a measured voltage.

    The others are as in :class:`SimulationResult`.
    """

    settings: SimulateSettings
    samples: int
    knots: int
    initial_soc: float
    initial_voltage_volt: float
    initial_state_source: str
    electrodes_in_parallel: float
    temperature_celsius: float
    attempts: tuple[str, ...] = ()
    ended_second: float | None = None
    partial_rmse_mv: float | None = None
    charge_measured_ah: float | None = None
    charge_model_ah: float | None = None
    charge_error: float | None = None
    solve_seconds: float | None = None
    beyond_cutoff_second: float | None = None
    capacity_ah: float | None = None
    capacity_source: str = ""
    temperature_source: str = ""
