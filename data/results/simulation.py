"""Results of a simulation: its comparison with the measurement, its starting states, and a failed one's remains.

Errors are simulated minus measured voltage, in mV. Charges are positive when they charge the cell.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..settings import SimulateSettings


@dataclass(frozen=True, slots=True)
class Comparison:
    """Simulated against measured voltage over one cycle or the whole record.

    Samples without a measured voltage do not count; nor do inserted step edges, whose voltage nobody measured.
    """

    cycle_count: int
    """The cycle; 0 = the whole record."""

    samples: int
    """Number of samples with a measured voltage."""

    rmse_mv: float
    """Root-mean-square error (mV); every sample has the same weight."""

    bias_mv: float
    """Mean error (mV); positive = the simulated voltage is too high."""

    worst_mv: float
    """The error of the largest magnitude (mV), with its sign."""

    worst_time_second: float
    """Test time of ``worst_mv`` (s)."""

    rmse_time_weighted_mv: float | None = None
    """Root-mean-square error (mV) in which each sample is weighted by the time that it represents.

    Densely sampled pulses then weigh no more than the rests between them. ``None`` for fewer than two samples.
    """

    energy_in_measured_wh: float | None = None
    """Energy into the cell (W.h, positive): measured current times measured voltage, integrated."""

    energy_in_model_wh: float | None = None
    """Energy into the cell (W.h, positive): measured current times simulated voltage, integrated."""

    energy_out_measured_wh: float | None = None
    """Energy out of the cell (W.h, positive), with the measured voltage."""

    energy_out_model_wh: float | None = None
    """Energy out of the cell (W.h, positive), with the simulated voltage."""

    charge_error: float | None = None
    """Largest difference between simulated and measured charge within the cycle, as a share of its throughput."""

    capacity_error_ah: float | None = None
    """Capacity of the model minus capacity of the cell (A.h), both discharged to ``capacity_voltage_volt``.

    Only cycles whose discharge measures a capacity have one (:func:`kilocell.jobs.simulation.compare.capacity_errors`);
    the whole record has their mean. ``None`` without such a discharge.
    """

    capacity_voltage_volt: float | None = None
    """Voltage (V) at which both capacities are read; ``None`` for the whole record and without such a discharge."""


@dataclass(frozen=True, slots=True)
class StepComparison:
    """The errors of a :class:`Comparison` in one step type and one window after the start of a step."""

    cycle_count: int
    """The cycle; 0 = the whole record."""

    step_type: str
    """One of ``data.columns.STEP_TYPES``, or ``all``."""

    window: str
    """One of ``data.columns.WINDOWS``, or ``all``."""

    samples: int
    """Number of samples with a measured voltage."""

    rmse_mv: float
    """Root-mean-square error (mV)."""

    bias_mv: float
    """Mean error (mV)."""

    worst_mv: float
    """The error of the largest magnitude (mV), with its sign."""

    worst_time_second: float
    """Test time of ``worst_mv`` (s)."""

    change_rmse_mv: float | None = None
    """Root mean square (mV) of the change of the error since the step began.

    This is the error that the step adds, without the error that was there before the step.
    """


@dataclass(frozen=True, slots=True)
class CycleState:
    """The state from which one cycle of a simulation started, where it did not continue from the cycle before."""

    cycle_count: int
    """The cycle, from 1."""

    soc: float
    """State of charge (0 to 1) between the cut-offs of the parameter set."""

    voltage_volt: float
    """Open-circuit voltage of that state (V)."""

    source: str
    """Where the state comes from, in words, for example ``"rest voltage 4.1445 V at 0 s"``."""

    uncertainty_mv: float | None = None
    """Uncertainty of ``voltage_volt`` (mV); ``None`` = the state is given."""

    uncertainty_soc: float | None = None
    """Uncertainty of ``soc``; ``None`` = the state is given."""


@dataclass(frozen=True, slots=True)
class StretchComparison:
    """One stretch of a selection: samples that follow each other, with their errors, or why it failed."""

    stretch: int
    """Its number, from 1, in the order of the record."""

    name: str
    """For people, such as ``cycle 2, step 9 (discharge)``."""

    status: str
    """``done`` or ``failed``."""

    first_cycle_count: int
    last_cycle_count: int
    first_step_count: int
    last_step_count: int
    first_test_time_second: float
    """Test time of its first sample (s)."""

    last_test_time_second: float
    """Test time of its last sample (s)."""

    samples: int = 0
    """Number of samples with a measured voltage; 0 for a failed one."""

    rmse_mv: float | None = None
    """Root-mean-square error (mV); ``None`` for a failed one, and without a measured voltage."""

    bias_mv: float | None = None
    """Mean error (mV)."""

    worst_mv: float | None = None
    """The error of the largest magnitude (mV), with its sign."""

    worst_time_second: float | None = None
    """Test time of ``worst_mv`` (s)."""

    initial_soc: float | None = None
    """State of charge (0 to 1) at its start; ``None`` = it was not solved by itself, but from an earlier sample on."""

    initial_voltage_volt: float | None = None
    """Open-circuit voltage of that state (V)."""

    initial_state_source: str = ""
    """Where the state comes from, in words, or from where on the stretch was solved."""

    reason: str = ""
    """Why it failed; "" = it did not."""

    reason_code: str = ""

    state_uncertainty_mv: float | None = None
    """Uncertainty of the starting state's open-circuit voltage (mV); ``None`` = the state is given."""

    state_uncertainty_soc: float | None = None
    """The same as a state of charge."""


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """Result of a simulation: how it started, what was solved, and its errors against the measured voltage."""

    settings: SimulateSettings
    """What was simulated: cell, model, parameter set, cycles and tolerances."""

    samples: int
    """Number of simulated samples, with inserted step edges."""

    knots: int
    """Number of knots of the current profile that replaced the measured current."""

    initial_soc: float
    """State of charge at the start (0 to 1), between the cut-offs of the parameter set."""

    initial_voltage_volt: float
    """Open-circuit voltage of the starting state (V)."""

    initial_state_source: str
    """Where the starting state comes from, in words, for example ``"rest voltage 4.1445 V at 0 s"``."""

    electrodes_in_parallel: float
    """Factor that scales the capacity of the parameter set to the cell; 1 = the cell of the set."""

    temperature_celsius: float
    """Temperature of the simulation (°C), its mean over time where it varies."""

    charge_measured_ah: float
    """Net measured charge (A.h); positive = charged."""

    charge_model_ah: float
    """Net charge of the model (A.h); positive = charged."""

    charge_error: float
    """Largest difference of the two charges at any sample, as a share of the throughput (charge in + charge out).

    It says that the model follows the recorded current. How well the record knows the charge is
    ``charge_uncertainty_ah``.
    """

    rmse_mv: float
    """Root-mean-square error (mV) over all samples with a measured voltage."""

    bias_mv: float
    """Mean error (mV); positive = the simulated voltage is too high."""

    worst_mv: float
    """The error of the largest magnitude (mV), with its sign."""

    worst_time_second: float
    """Test time of ``worst_mv`` (s)."""

    solve_seconds: float
    """Time that the simulation took (s of wall clock)."""

    attempts: tuple[str, ...] = ()
    """The solver settings that were tried, one line each; the last one gave the result."""

    comparisons: tuple[Comparison, ...] = ()
    """Errors of the whole record, then of each cycle."""

    capacity_ah: float | None = None
    """Nominal capacity (A.h) to which the model was scaled."""

    capacity_source: str = ""
    """Where that capacity comes from, in words."""

    temperature_source: str = ""
    """Where the temperature comes from, in words."""

    compression_rmse_mv: float | None = None
    """Estimated root-mean-square voltage error (mV) from replacing the measured current by its profile, with noise."""

    compression_worst_mv: float | None = None
    """Estimated largest voltage error (mV) from the same cause."""

    compiled: bool = False
    """Whether the model ran as compiled machine code; the result is the same."""

    cycle_states: tuple[CycleState, ...] = ()
    """The starting states of cycles that did not continue from the cycle before."""

    step_comparisons: tuple[StepComparison, ...] = ()
    """Errors by step type and by window, of the whole record and of each cycle."""

    beyond_cutoff_second: float | None = None
    """Time (s) for which the simulated voltage is more than 50 mV outside the cut-offs of the parameter set.

    The cut-offs do not end a simulation. ``None`` where the set has none.
    """

    charge_source: str = ""
    """What the charge of the simulated cycles is known from, in words; "" = not stated."""

    charge_throughput_ah: float | None = None
    """Charge in + charge out of the simulated cycles (A.h), by the cleaned record."""

    charge_uncertainty_ah: float | None = None
    """Half of upper - lower bound (A.h) of that throughput, and as much of the net charge (charge in - charge out).

    It comes from the clean report for the whole record; for selected cycles, their uncertainties are added up.
    ``None`` where the report has no bounds.
    """

    numerical_error_rmse_mv: float | None = None
    """Bound of the root-mean-square voltage error (mV) of the solver and of the interpolation between its outputs.

    It comes from a second, more careful solution. ``None`` = that failed, so the error is unknown.
    """

    numerical_error_worst_mv: float | None = None
    """Bound of the largest such error (mV)."""

    temperature_rmse_kelvin: float | None = None
    """Root-mean-square error (K) of the model's temperature against the measured surface temperature.

    ``None`` = the model is isothermal or follows the surface temperature, or none was measured.
    """

    stretches: tuple[StretchComparison, ...] = ()
    """Errors of each stretch of a selection; empty = the whole record was simulated."""

    state_uncertainty_mv: float | None = None
    """Uncertainty (mV) of the open-circuit voltage of the starting state, the largest of all that were found.

    It holds what was left of a relaxation and the counted charge. ``None`` = the state is given.
    """

    state_uncertainty_soc: float | None = None
    """The same as a state of charge."""

    fitted_rmse_mv: float | None = None
    """With a fitted parameter set: RMSE over the samples that were fitted (mV)."""

    fit_difference: str = ""
    """By how much that differs from the RMSE of the fit, and why; "" = it does not."""

    charge_uncertainty_mv: float | None = None
    """Root-mean-square effect (mV) of the uncertain charge on the voltage: what has accumulated, through the slope.

    ``None`` = the charge has no bounds.
    """


@dataclass(frozen=True, slots=True)
class FailedSimulation:
    """What is known of a failed simulation: its start, the attempts, and the curve up to its last good sample.

    Fields without a description are those of :class:`SimulationResult`, of the curve up to its end.
    """

    settings: SimulateSettings
    samples: int
    """Number of samples of the stored curve; 0 = there is no curve."""

    knots: int
    initial_soc: float
    initial_voltage_volt: float
    initial_state_source: str
    electrodes_in_parallel: float
    temperature_celsius: float
    attempts: tuple[str, ...] = ()
    ended_second: float | None = None
    """Test time of the last good sample (s); ``None`` without a curve."""

    partial_rmse_mv: float | None = None
    """Root-mean-square error (mV) up to there; ``None`` without a measured voltage."""

    charge_measured_ah: float | None = None
    charge_model_ah: float | None = None
    charge_error: float | None = None
    solve_seconds: float | None = None
    beyond_cutoff_second: float | None = None
    capacity_ah: float | None = None
    capacity_source: str = ""
    temperature_source: str = ""
    comparisons: tuple[Comparison, ...] = ()
    """Errors of the stretches that did not fail: of all of them (cycle 0), then of each cycle; empty = all failed."""

    step_comparisons: tuple[StepComparison, ...] = ()
    cycle_states: tuple[CycleState, ...] = ()
    stretches: tuple[StretchComparison, ...] = ()
    state_uncertainty_mv: float | None = None
    state_uncertainty_soc: float | None = None
