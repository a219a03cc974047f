-- The catalog of a store: everything except the time series, which are in Parquet files beside it.
--
-- This file is the current schema. It creates a new catalog; migrations.py migrates older catalogs to it, and makes
-- their views anew from this file.
-- Conventions: current and net charge are positive when they charge the cell. Charge and energy "in" and "out" are
-- both positive. The unit is at the end of a column's name. Times since 1970-01-01 UTC are ..._unix_second, times since
-- the record's start are ..._time_second. Paths are relative to the store unless the comment says otherwise.
-- NULL means "not known" (NaN becomes NULL). Lists and maps are JSON.
-- Tables keep everything that was ever computed. Their column standing says what still counts: current; out of date: WHY
-- (settings or input changed, and the next run does it again); of an earlier campaign (the campaign has it no longer).
-- Views show only what is current.
--
-- Words: what columns mean that have no comment of their own, in tables and views.
--   campaign_id, run_id: number of the campaign or run in this catalog
--   name: of the campaign
--   digest: SHA-256 (hex) of everything on which the result depends
--   command: command line of the run
--   host: name of the computer
--   pid: number of the process
--   status: pending, running, done, failed, skipped; of a run running, done, failed, interrupted
--   exit_code: 0 all done, 1 some jobs failed, 2 wrong usage, 130 interrupted; NULL: it has not ended
--   started_unix_second, ended_unix_second, found_unix_second: time since 1970-01-01 UTC
--   cell_id: name of the cell
--   initial_state_policy: where the initial state of a simulation comes from
--   standing: current, out of date: WHY, or of an earlier campaign
--   bytes: size of the file
--   reader: reader of the file, such as csv
--   path: the file, relative to the store
--   rows: number of rows of the files
--   model_digest: key of the definition of the model
--   model: name of the model in the campaign
--   parameter_set_digest: key of the definition of the parameter set
--   base_parameter_set_digest: key of the definition of the set before the fit
--   parameter_set: name of the parameter set
--   base: the base set, without changes
--   position: order, from 0
--   parameter: name of the parameter in PyBaMM, with its unit
--   kind: kind of the job; of a changed parameter: value, or scale = a factor on the base set's value
--   value: the value, in unit
--   label: name of the result among those of its kind and cell; of a simulation model-parameter_set
--   reason: why it failed, was skipped or is pending; '' = no reason
--   reason_code: short stable name of the reason, such as diverged
--   log: log of a failed job, relative to the store; '' = none
--   seconds: how long the job took
--   versions: packages with their versions, JSON
--   rows_in: rows of the raw files
--   rows_kept: rows that became samples
--   rows_quarantined: rows that cleaning put aside
--   time_span_before_second, time_span_after_second: duration of the record before and after cleaning
--   charge_in_before_ah, charge_in_after_ah: charge in before and after cleaning
--   charge_out_before_ah, charge_out_after_ah: charge out before and after cleaning
--   cycles_before, cycles_after: number of cycles before and after cleaning
--   steps_before, steps_after: number of steps before and after cleaning
--   energy_in_after_wh, energy_out_before_wh, energy_out_after_wh: energy before and after cleaning
--   temperature_mean_celsius: mean of the measured temperature; NULL: nothing was measured
--   charge_source: what the charge is known from, in words
--   charge_in_low_ah, charge_out_low_ah: bound: by all evidence, the charge was no less
--   charge_in_high_ah, charge_out_high_ah: bound: by all evidence, the charge was no more
--   charge_in_counted_ah, charge_out_counted_ah: charge by the cycler's counters; NULL: it has none
--   charge_in_ah, charge_out_ah: charge in and charge out, both positive
--   charge_uncertainty_ah: half of upper - lower bound of charge in + charge out
--   charge_uncertainty_percent: the same, of charge in + charge out
--   source_index: raw file of the cell, in time order from 0
--   rule: name of the cleaning rule
--   samples: number of samples
--   severity: info, warning, error
--   cycle_count: number of the cycle, from 1; 0 = the complete record
--   step_count: number of the step in the test, from 1
--   before, after: value before and after cleaning, with unit
--   action: what cleaning did
--   first_test_time_second, last_test_time_second: time since the start of the record
--   steps: number of steps
--   energy_in_wh, energy_out_wh: energy in and energy out, both positive
--   voltage_min_volt, voltage_max_volt: smallest and largest measured voltage
--   initial_soc: state of charge at the start, 0 to 1
--   initial_voltage_volt: open-circuit voltage at the start
--   initial_state_source: where the initial state comes from, in words
--   temperature_celsius: temperature of the simulation
--   rmse_mv: RMSE, simulated - measured voltage
--   bias_mv: mean error, simulated - measured voltage
--   worst_mv: the error of the largest magnitude, with its sign
--   worst_time_second: when that was, since the start of the record
--   solve_seconds: time in the solver
--   rtol, atol: relative and absolute tolerance of the solver
--   capacity_source: where the capacity comes from: given, a guess, or in words
--   parameter_set_source: given by the user, or a guess
--   temperature_source: where the temperature comes from, in words
--   compression_rmse_mv: estimated voltage error from the compression of the current, RMSE
--   compression_worst_mv: the largest one
--   compiled: 1: the model was compiled
--   energy_in_model_wh, energy_out_measured_wh, energy_out_model_wh: measured current with measured or simulated voltage
--   capacity_voltage_volt: voltage at which the capacities are compared
--   voltage_volt: open-circuit voltage
--   source: where the state comes from, in words
--   uncertainty_soc: of soc; NULL: the state is given
--   first_cycle_count, last_cycle_count: first and last cycle of the stretch
--   first_step_count, last_step_count: first and last step of the stretch
--   starts: number of starts of the fit
--   seed: of the random starts
--   max_evaluations: largest number of evaluations of a start
--   best_start: number of the start with the smallest cost
--   starts_done: starts that came to a minimum
--   starts_agreeing: starts that found the same parameters as the best one
--   charge_uncertainty_mv: effect of charge_uncertainty_ah on the voltage, RMS
--   error_budget_mv: what rmse_mv may be off by, apart from the model
--   error_budget_main: the largest part: numerical, compression, charge, state
--   error_budget_unknown: parts that are not known; '' = none
--   error_budget_too_large: 1: above 1 mV or a tenth of rmse_mv
--   unit: of the values; '' = no dimension
--   default_value: before the fit
--   lower, upper: bounds of the search
--   scale: linear or log
--   at_bound: 1: the value is at one of the bounds
--   is_factor: 1: values are factors on the parameter
--   lower_95, upper_95: limits of the 95 % confidence interval; NULL: no limit
--   verdict: how reliable it is, in words
--   other: name of the other parameter
--   part: fitted or held_out
--   fit: name of the fit in the campaign
--   start: number of the start, from 0
--   rmse_first_mv: RMSE at the initial guess
--   evaluations: number of evaluations of the model
--   message: why the search ended
--   first_value: the initial guess
--   upper_end: why the profile ends at the upper side
--   cost: half the weighted sum of squared residuals
--   level: cost at the limits of the 95 % confidence interval
--   validation_rmse_mv: RMSE after the fit, on held-out cycles
--   pybamm, kilocell: versions
--   everything: 0: views show what is current; 1: everything
--   findings: number of findings
--   is_default: 1: no parameter of the set was changed or fitted
--   sources: number of raw files
--   time_span_second: duration of the record
--   simulations_done, simulations_failed: number of simulations
--   best_simulation: label of the simulation with the smallest RMSE
--   best_rmse_mv: its RMSE
--   count: number of jobs
--   cells, cells_done, cells_failed: number of cells
--   rmse_mean_mv, rmse_min_mv, rmse_max_mv: mean, smallest and largest RMSE of the cells
--   bias_mean_mv: mean over the cells of the mean error
--   profile_lower_95, profile_upper_95: limits of the 95 % confidence interval by the profile likelihood
--   profile_verdict: what the profile says, in words
--   share_of_first: value / value at the first check-up
--   samples_flagged: samples with the flag of the rule
--   actions: what cleaning did
--   charge_in_percent, charge_out_percent: change of the charge, of the charge before cleaning
--   ohmic_rmse_mv, kinetic_rmse_mv: RMSE up to 2 s after a step's start, and from 2 s to 20 s
--   diffusion_rmse_mv, capacity_rmse_mv: RMSE from 20 s to 120 s after a step's start, and later
--   ohmic_change_rmse_mv, kinetic_change_rmse_mv: RMSE of the error's change since the step's start, in these windows
--   diffusion_change_rmse_mv, capacity_change_rmse_mv: RMSE of the error's change since the step's start, in these windows
--   charge_rmse_mv, discharge_rmse_mv, rest_rmse_mv, hold_rmse_mv, pulse_rmse_mv: RMSE in steps of this type
--   energy_in_error_percent, energy_out_error_percent: 100 (simulated / measured - 1)
--   charge_error_percent: largest difference of the model's charge from the record's, of the charge throughput
--   coulombic_efficiency_percent, energy_efficiency_percent: out / in of the cycle; NULL: no closed cycle
--   mean_charge_voltage_volt, mean_discharge_voltage_volt: energy / charge
--   duration_second: duration of the cycle
--   overrides: changed parameters with kind, value and unit, JSON
--   lineage: the fit that gave the set, in words

-- Campaigns: one row for each version of a campaign file that was run.
CREATE TABLE campaigns (
    campaign_id INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    path        TEXT NOT NULL,  -- of the campaign file; absolute since version 6
    digest      TEXT NOT NULL,
    text        TEXT NOT NULL,  -- the complete file
    UNIQUE (path, name, digest)
) STRICT;

-- Runs: one row for each command that wrote to this store.
CREATE TABLE runs (
    run_id              INTEGER PRIMARY KEY,
    campaign_id         INTEGER REFERENCES campaigns (campaign_id),
    command             TEXT NOT NULL,
    host                TEXT NOT NULL,
    pid                 INTEGER NOT NULL,
    versions            TEXT NOT NULL,  -- {"kilocell": "0.1.0", "pybamm": ...}
    status              TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed', 'interrupted')),
    exit_code           INTEGER,
    started_unix_second REAL NOT NULL,
    ended_unix_second   REAL,
    kilocell_commit     TEXT,  -- Git commit of kilocell, with -dirty if files were changed; NULL: it is not a checkout
    campaign_commit     TEXT,  -- the same of the folder of the campaign file; NULL: it is in no Git repository
    cluster             TEXT,  -- where jobs ran: {"kind": "local", "workers": 2, ..., "description": "2 worker processes"}
    jobs                TEXT,  -- how many jobs it had to do: {"clean": 5, "simulate": 10}
    log                 TEXT,  -- the lines that it said, with their times
    seen_unix_second    REAL,  -- its last sign of life while it ran, about every 10 s
    seconds             REAL,  -- from its start to its end; without an end, to its last sign of life
    worker_hosts        TEXT,  -- where its workers were when last seen: {"node7": 8}
    workers_peak        INTEGER,  -- most workers at a time
    workers_memory_peak_bytes INTEGER,  -- most memory of all workers together; looked at every 2 s
    worker_memory_peak_bytes  INTEGER,  -- most memory of one worker; looked at every 2 s
    client_memory_peak_bytes  INTEGER   -- most memory of the run's own process
) STRICT;

-- Workers of each run over time: about every 10 s, and when their number changes. Of a run of days, fewer rows are kept,
-- at most 1,000.
CREATE TABLE run_workers (
    run_id              INTEGER NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    unix_second         REAL NOT NULL,     -- time since 1970-01-01 UTC
    workers             INTEGER NOT NULL,  -- number of workers
    threads             INTEGER NOT NULL,  -- of all workers
    memory_bytes        INTEGER NOT NULL,  -- in use by all workers
    worker_memory_bytes INTEGER NOT NULL,  -- in use by the worker with the most
    running_jobs        INTEGER NOT NULL,  -- number of jobs that ran
    running             TEXT NOT NULL,     -- the same by kind: {"simulate": 2}
    left_second         REAL,              -- estimated time left; NULL: not known
    left_is_least       INTEGER CHECK (left_is_least IN (0, 1)),  -- 1: of some kind no job had ended; it takes longer
    PRIMARY KEY (run_id, unix_second)
) STRICT, WITHOUT ROWID;

-- Cells: the user's name of each, and its settings in the campaign.
CREATE TABLE cells (
    cell_id              TEXT PRIMARY KEY,
    nominal_capacity_ah  REAL,  -- NULL: that of the parameter set
    initial_state_value  REAL,  -- state of charge 0 to 1, or voltage in V; not used by rest_voltage and previous_cycle
    temperature_celsius  REAL,  -- NULL: the measured mean; if nothing was measured, that of the parameter set
    initial_state_policy TEXT CHECK (initial_state_policy IN ('rest_voltage', 'soc', 'voltage', 'previous_cycle')),
    capacity_source      TEXT,  -- given (by the user) or guess (of `kilocell init`); '': measured, or that of the set
    parameter_set_source TEXT,  -- given or guess
    standing             TEXT NOT NULL DEFAULT 'current'
) STRICT;

-- Raw files. Size, digest and modification time show whether a file has changed.
CREATE TABLE sources (
    path     TEXT PRIMARY KEY,  -- as the campaign gives it
    bytes    INTEGER NOT NULL,
    digest   TEXT NOT NULL,     -- SHA-256 of the file, hex
    mtime_ns INTEGER,           -- modification time when the digest was computed, ns since 1970-01-01 UTC
    reader   TEXT NOT NULL,
    settings TEXT NOT NULL,     -- how the file is read, JSON
    standing TEXT NOT NULL DEFAULT 'current'
) STRICT;

-- The cells in each raw file.
CREATE TABLE source_cells (
    path    TEXT NOT NULL REFERENCES sources (path) ON DELETE CASCADE,
    cell_id TEXT NOT NULL REFERENCES cells (cell_id),
    rows    INTEGER,
    PRIMARY KEY (path, cell_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX source_cells_by_cell ON source_cells (cell_id);

-- PyBaMM models. If the options of a model changed, it has one row for each definition that results still use.
CREATE TABLE models (
    model_digest TEXT PRIMARY KEY,
    model        TEXT NOT NULL,
    type         TEXT NOT NULL,  -- SPM, SPMe, DFN
    options      TEXT NOT NULL   -- {"thermal": "lumped", ...}
) STRICT;
CREATE INDEX models_by_name ON models (model);

-- Parameter sets: a base (a set of PyBaMM or of a file) with overrides. Fitted sets are included.
CREATE TABLE parameter_sets (
    parameter_set_digest TEXT PRIMARY KEY,
    parameter_set        TEXT NOT NULL,
    base                 TEXT NOT NULL,  -- the name in PyBaMM, or the campaign's name of a file
    file_digest          TEXT           -- SHA-256 of that file, hex; copy: parameter_sets/DIGEST.json; NULL: a set of PyBaMM
) STRICT;
CREATE INDEX parameter_sets_by_name ON parameter_sets (parameter_set);

-- The parameters that a set changes in its base, in the order of application.
CREATE TABLE parameter_overrides (
    parameter_set_digest TEXT NOT NULL REFERENCES parameter_sets (parameter_set_digest) ON DELETE CASCADE,
    position             INTEGER NOT NULL,
    parameter            TEXT NOT NULL,
    kind                 TEXT NOT NULL CHECK (kind IN ('value', 'scale')),
    value                REAL NOT NULL,
    unit                 TEXT NOT NULL,  -- of value; '' for a factor or another dimensionless number
    PRIMARY KEY (parameter_set_digest, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX parameter_overrides_by_parameter ON parameter_overrides (parameter);

-- The parameter sets that the campaign uses for each cell.
CREATE TABLE cell_parameter_sets (
    cell_id              TEXT NOT NULL REFERENCES cells (cell_id),
    parameter_set_digest TEXT NOT NULL REFERENCES parameter_sets (parameter_set_digest),
    position             INTEGER NOT NULL,
    PRIMARY KEY (cell_id, parameter_set_digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX cell_parameter_sets_by_parameter_set ON cell_parameter_sets (parameter_set_digest);

-- Jobs: the latest receipt of each. A split job reads a file of many cells, so cell_id is not a reference to cells.
CREATE TABLE jobs (
    kind                TEXT NOT NULL CHECK (kind IN ('split', 'clean', 'simulate', 'start', 'fit', 'profile')),
    cell_id             TEXT NOT NULL,
    label               TEXT NOT NULL,
    digest              TEXT NOT NULL,
    status              TEXT NOT NULL CHECK (status IN ('pending', 'running', 'done', 'failed', 'skipped')),
    reason              TEXT NOT NULL,
    reason_code         TEXT NOT NULL,
    log                 TEXT NOT NULL,
    started_unix_second REAL NOT NULL,
    seconds             REAL,
    host                TEXT NOT NULL,
    versions            TEXT NOT NULL,
    outputs             TEXT NOT NULL,  -- {"path": bytes, ...}
    run_id              INTEGER REFERENCES runs (run_id),  -- NULL: the receipt was found in the store
    standing            TEXT NOT NULL DEFAULT 'current',
    PRIMARY KEY (kind, cell_id, label)
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_by_cell ON jobs (cell_id);
CREATE INDEX jobs_by_status ON jobs (kind, status);
CREATE INDEX jobs_by_run ON jobs (run_id);

-- The plan of the last run: every job of its whole campaign, also if only a part was run. The standing of results comes
-- from it. Empty: nothing ran since an earlier version wrote the store; then all of its results count.
CREATE TABLE plan (
    kind    TEXT NOT NULL CHECK (kind IN ('split', 'clean', 'simulate', 'start', 'fit', 'profile')),
    cell_id TEXT NOT NULL,
    label   TEXT NOT NULL,
    digest  TEXT NOT NULL,  -- of settings and input as they are now
    reason  TEXT NOT NULL,  -- why the job has to run; '': it need not, or has ended since
    PRIMARY KEY (kind, cell_id, label)
) STRICT, WITHOUT ROWID;

-- What cleaning did to each cell: rows_in = rows_kept + rows_quarantined. The partition has rows_kept + rows_inserted
-- samples.
CREATE TABLE clean_reports (
    cell_id                  TEXT PRIMARY KEY REFERENCES cells (cell_id),
    path                     TEXT,  -- the cell's partition
    rows_in                  INTEGER NOT NULL,
    rows_kept                INTEGER NOT NULL,
    rows_quarantined         INTEGER NOT NULL,
    time_span_before_second  REAL,
    time_span_after_second   REAL,
    charge_in_before_ah      REAL,
    charge_in_after_ah       REAL,
    charge_out_before_ah     REAL,
    charge_out_after_ah      REAL,
    cycles_before            INTEGER NOT NULL,
    cycles_after             INTEGER NOT NULL,
    steps_before             INTEGER NOT NULL,
    steps_after              INTEGER NOT NULL,
    temperature_mean_celsius REAL,
    energy_in_before_wh      REAL,  -- these four are NULL if an older version cleaned the cell
    energy_in_after_wh       REAL,
    energy_out_before_wh     REAL,
    energy_out_after_wh      REAL,
    rows_inserted            INTEGER NOT NULL DEFAULT 0,  -- step edges: samples that are no row of a file
    charge_source            TEXT,  -- what the charge is known from, in words; NULL: an older version cleaned the cell
    charge_in_low_ah         REAL,  -- bounds: by all evidence, the charge in was no less
    charge_in_high_ah        REAL,  -- and no more
    charge_out_low_ah        REAL,
    charge_out_high_ah       REAL,
    charge_in_counted_ah     REAL,  -- by the cycler's counters; NULL: it has none
    charge_out_counted_ah    REAL,
    standing                 TEXT NOT NULL DEFAULT 'current'
) STRICT;

-- The raw files of each cleaned record, in time order.
CREATE TABLE record_sources (
    cell_id      TEXT NOT NULL REFERENCES clean_reports (cell_id) ON DELETE CASCADE,
    source_index INTEGER NOT NULL,
    path         TEXT NOT NULL,  -- at the time of cleaning
    digest       TEXT NOT NULL,  -- SHA-256 of the file, hex
    PRIMARY KEY (cell_id, source_index)
) STRICT, WITHOUT ROWID;

-- Quarantined rows by rule and file; their sum is rows_quarantined.
CREATE TABLE quarantine_counts (
    cell_id      TEXT NOT NULL REFERENCES clean_reports (cell_id) ON DELETE CASCADE,
    rule         TEXT NOT NULL,
    source_index INTEGER NOT NULL,  -- file, as in record_sources
    rows         INTEGER NOT NULL,
    PRIMARY KEY (cell_id, rule, source_index)
) STRICT, WITHOUT ROWID;

-- Samples with a rule's flag, for each rule that flagged a sample, quarantined a row or has a finding.
CREATE TABLE flag_counts (
    cell_id TEXT NOT NULL REFERENCES clean_reports (cell_id) ON DELETE CASCADE,
    rule    TEXT NOT NULL,
    samples INTEGER NOT NULL,
    PRIMARY KEY (cell_id, rule)
) STRICT, WITHOUT ROWID;

-- How each rule changed the charge in and out; the sum is the charge after cleaning - the charge before.
CREATE TABLE charge_changes (
    cell_id       TEXT NOT NULL REFERENCES clean_reports (cell_id) ON DELETE CASCADE,
    position      INTEGER NOT NULL,  -- order in which the rules were applied
    rule          TEXT NOT NULL,
    charge_in_ah  REAL NOT NULL,     -- after the rule - before the rule
    charge_out_ah REAL NOT NULL,
    PRIMARY KEY (cell_id, position)
) STRICT, WITHOUT ROWID;

-- Findings: what a cleaning rule detected at one place, and what it did.
CREATE TABLE findings (
    cell_id      TEXT NOT NULL REFERENCES clean_reports (cell_id) ON DELETE CASCADE,
    position     INTEGER NOT NULL,  -- order in the clean report
    rule         TEXT NOT NULL,
    severity     TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
    rows         INTEGER NOT NULL,
    source_index INTEGER NOT NULL,  -- raw file of the cell, in time order
    source_row   INTEGER NOT NULL,  -- the first affected row, 0 = the file's first data row
    cycle_count  INTEGER,
    step_count   INTEGER,
    before       TEXT NOT NULL,     -- value with unit
    after        TEXT NOT NULL,
    action       TEXT NOT NULL,
    PRIMARY KEY (cell_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX findings_by_rule ON findings (rule);
CREATE INDEX findings_by_cycle ON findings (cell_id, cycle_count);

-- One row for each cycle of a cleaned record.
CREATE TABLE cycles (
    cell_id                  TEXT NOT NULL REFERENCES clean_reports (cell_id) ON DELETE CASCADE,
    cycle_count              INTEGER NOT NULL,
    first_test_time_second   REAL,
    last_test_time_second    REAL,
    samples                  INTEGER NOT NULL,  -- rows of the files, without inserted step edges
    steps                    INTEGER NOT NULL,
    charge_in_ah             REAL,
    charge_out_ah            REAL,
    energy_in_wh             REAL,
    energy_out_wh            REAL,
    voltage_min_volt         REAL,
    voltage_max_volt         REAL,
    temperature_mean_celsius REAL,
    charge_source            TEXT,  -- what the charge is known from, in words; NULL: an older version cleaned the cell
    charge_in_low_ah         REAL,  -- bounds: by all evidence, the charge in was no less
    charge_in_high_ah        REAL,  -- and no more
    charge_out_low_ah        REAL,
    charge_out_high_ah       REAL,
    charge_in_counted_ah     REAL,  -- by the cycler's counters; NULL: it has none
    charge_out_counted_ah    REAL,
    resistance_ohm           REAL,  -- change of the voltage / change of the current, some time after it; median of the edges
    resistance_second        REAL,  -- time after the edge
    resistance_uncertainty_ohm REAL,  -- noise, resolution and drift of the voltage, the time of the edge, interpolation
    resistance_edges         INTEGER,  -- number of edges
    resistance_source        TEXT,  -- kind of the edges: start of discharge, start of charge, end of discharge, ...
    PRIMARY KEY (cell_id, cycle_count)
) STRICT, WITHOUT ROWID;

-- Simulations of a cell, driven by its measured current, with a model and a parameter set. Errors are simulated -
-- measured voltage. A failed one has its initial state and its end, but no rmse_mv: a part of a record is not a result.
CREATE TABLE simulations (
    cell_id                TEXT NOT NULL REFERENCES cells (cell_id),
    label                  TEXT NOT NULL,  -- model-parameter_set: name of the simulation in its cell
    model                  TEXT NOT NULL,
    parameter_set          TEXT NOT NULL,
    model_digest           TEXT REFERENCES models (model_digest),
    parameter_set_digest   TEXT REFERENCES parameter_sets (parameter_set_digest),
    status                 TEXT NOT NULL CHECK (status IN ('pending', 'done', 'failed', 'skipped')),
    digest                 TEXT NOT NULL,
    path                   TEXT,           -- the Parquet file
    samples                INTEGER,        -- of the Parquet file; with inserted step edges
    knots                  INTEGER,        -- of the compressed current profile
    initial_soc            REAL,           -- 0 to 1
    initial_voltage_volt   REAL,
    initial_state_source   TEXT,
    electrodes_in_parallel REAL,           -- capacity scaling; the parameter set has 1
    temperature_celsius    REAL,
    charge_measured_ah     REAL,           -- net
    charge_model_ah        REAL,           -- net
    charge_error           REAL,           -- model - record, fraction of the throughput; says nothing about the record
    rmse_mv                REAL,
    bias_mv                REAL,
    worst_mv               REAL,
    worst_time_second      REAL,
    solve_seconds          REAL,
    rtol                   REAL,
    atol                   REAL,
    attempts               TEXT NOT NULL,  -- solver settings that were tried; the last one gave the result
    seconds                REAL,
    reason                 TEXT NOT NULL,
    reason_code            TEXT NOT NULL,
    log                    TEXT NOT NULL,
    capacity_ah            REAL,           -- capacity to which the model is scaled
    capacity_source        TEXT,
    temperature_source     TEXT,
    compression_rmse_mv    REAL,           -- estimated voltage error from the compression of the current
    compression_worst_mv   REAL,
    compiled               INTEGER CHECK (compiled IN (0, 1)),
    beyond_cutoff_second   REAL,           -- time over 50 mV outside the cut-off voltages; these do not stop the simulation
    ended_second           REAL,           -- failed: test time of the last simulated sample
    partial_rmse_mv        REAL,           -- failed: RMSE until then
    charge_source          TEXT,           -- what the charge of the simulated cycles is known from, in words
    charge_throughput_ah   REAL,           -- charge in + charge out of the simulated cycles
    charge_uncertainty_ah  REAL,           -- half of upper - lower bound of their throughput, and of their net charge
    numerical_error_rmse_mv  REAL,         -- bound of the solver's own voltage error, from a second, careful solution
    numerical_error_worst_mv REAL,         -- NULL: that failed, so the error is unknown
    temperature_rmse_kelvin REAL,          -- a thermal model's temperature against the measured surface; NULL: no such
    state_uncertainty_mv   REAL,           -- of the starting state's open-circuit voltage; NULL: the state is given
    state_uncertainty_soc  REAL,           -- the same as a state of charge
    selection              TEXT,           -- the simulated part of the record, such as cycle 2, discharge; NULL: all
    charge_uncertainty_mv  REAL,           -- effect of charge_uncertainty_ah on the voltage, RMS; NULL: unknown
    error_budget_mv        REAL,           -- what rmse_mv may be off by: root of the sum of the squared known parts
    error_budget_main      TEXT,           -- the largest part: numerical, compression, charge, state
    error_budget_unknown   TEXT,           -- parts that are not known, as numerical, charge; '': none
    error_budget_too_large INTEGER CHECK (error_budget_too_large IN (0, 1)),  -- above 1 mV or a tenth of rmse_mv
    fitted_rmse_mv         REAL,           -- with a fitted set: RMSE over the samples that were fitted
    fit_difference         TEXT,           -- by how much that differs from the RMSE of the fit, and why; '' = it does not
    standing               TEXT NOT NULL DEFAULT 'current',
    PRIMARY KEY (cell_id, label)
) STRICT, WITHOUT ROWID;
CREATE INDEX simulations_by_model ON simulations (model, rmse_mv);
CREATE INDEX simulations_by_parameter_set ON simulations (parameter_set, rmse_mv);
CREATE INDEX simulations_by_status ON simulations (status);
CREATE INDEX simulations_by_rmse ON simulations (rmse_mv);
CREATE INDEX simulations_by_model_digest ON simulations (model_digest);
CREATE INDEX simulations_by_parameter_set_digest ON simulations (parameter_set_digest);

-- Simulated against measured voltage for each cycle; cycle_count 0 is the complete record.
CREATE TABLE comparisons (
    cell_id           TEXT NOT NULL,
    label             TEXT NOT NULL,
    cycle_count       INTEGER NOT NULL,
    samples           INTEGER NOT NULL,
    rmse_mv           REAL,
    bias_mv           REAL,
    worst_mv          REAL,  -- the error of the largest magnitude, with its sign
    worst_time_second REAL,
    rmse_time_weighted_mv  REAL,  -- each sample weighted by its duration
    energy_in_measured_wh  REAL,  -- energies: measured current with measured and with simulated voltage
    energy_in_model_wh     REAL,
    energy_out_measured_wh REAL,
    energy_out_model_wh    REAL,
    charge_error           REAL,  -- largest charge difference in the cycle / charge throughput of the cycle
    capacity_error_ah      REAL,  -- model - cell, charge delivered until each reached capacity_voltage_volt
    capacity_voltage_volt  REAL,
    PRIMARY KEY (cell_id, label, cycle_count),
    FOREIGN KEY (cell_id, label) REFERENCES simulations (cell_id, label) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- The same errors by step type and by window after the step's start; 'all' = any. Only the complete record has both at
-- once.
CREATE TABLE step_comparisons (
    cell_id           TEXT NOT NULL,
    label             TEXT NOT NULL,
    cycle_count       INTEGER NOT NULL,
    step_type         TEXT NOT NULL,  -- charge, discharge, rest, hold, pulse, all
    window            TEXT NOT NULL,  -- ohmic (to 2 s), kinetic (to 20 s), diffusion (to 120 s), capacity (later), all
    samples           INTEGER NOT NULL,
    rmse_mv           REAL,
    bias_mv           REAL,
    worst_mv          REAL,
    worst_time_second REAL,
    change_rmse_mv    REAL,  -- of the error's change since the step's start
    PRIMARY KEY (cell_id, label, cycle_count, step_type, window),
    FOREIGN KEY (cell_id, label) REFERENCES simulations (cell_id, label) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Initial states of cycles that did not continue from the end of the cycle before.
CREATE TABLE initial_states (
    cell_id      TEXT NOT NULL,
    label        TEXT NOT NULL,
    cycle_count  INTEGER NOT NULL,
    soc          REAL,  -- 0 to 1
    voltage_volt REAL,
    source       TEXT NOT NULL,
    uncertainty_mv  REAL,  -- of voltage_volt; NULL: the state is given
    uncertainty_soc REAL,
    PRIMARY KEY (cell_id, label, cycle_count),
    FOREIGN KEY (cell_id, label) REFERENCES simulations (cell_id, label) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Stretches of a selection: one row for each part of the record that was selected, also of a failed simulation. A stretch
-- is a run of samples that follow each other: a cycle, steps, or a window of time in one.
CREATE TABLE stretches (
    cell_id                TEXT NOT NULL,
    label                  TEXT NOT NULL,
    stretch                INTEGER NOT NULL,  -- 1, 2, ... in the order of the record
    name                   TEXT NOT NULL,     -- such as cycle 2, step 9 (discharge)
    status                 TEXT NOT NULL CHECK (status IN ('done', 'failed')),
    first_cycle_count      INTEGER NOT NULL,
    last_cycle_count       INTEGER NOT NULL,
    first_step_count       INTEGER NOT NULL,
    last_step_count        INTEGER NOT NULL,
    first_test_time_second REAL,
    last_test_time_second  REAL,
    samples                INTEGER NOT NULL,  -- with a measured voltage; 0: it failed
    rmse_mv                REAL,
    bias_mv                REAL,
    worst_mv               REAL,  -- the error of the largest magnitude, with its sign
    worst_time_second      REAL,
    initial_soc            REAL,  -- 0 to 1; NULL: it was solved from an earlier sample on
    initial_voltage_volt   REAL,
    initial_state_source   TEXT NOT NULL,
    reason                 TEXT NOT NULL,     -- why it failed; '': it did not
    reason_code            TEXT NOT NULL,
    state_uncertainty_mv   REAL,              -- of the starting state's open-circuit voltage; NULL: the state is given
    state_uncertainty_soc  REAL,              -- the same as a state of charge
    PRIMARY KEY (cell_id, label, stretch),
    FOREIGN KEY (cell_id, label) REFERENCES simulations (cell_id, label) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Fits: one row for each fit of a cell. The values of its best start became parameter_set.
CREATE TABLE fits (
    cell_id                   TEXT NOT NULL REFERENCES cells (cell_id),
    label                     TEXT NOT NULL,
    fit                       TEXT NOT NULL,  -- its name in the campaign
    model                     TEXT,
    base_parameter_set        TEXT,           -- the set before the fit
    parameter_set             TEXT,           -- the fitted set
    model_digest              TEXT REFERENCES models (model_digest),
    base_parameter_set_digest TEXT REFERENCES parameter_sets (parameter_set_digest),
    parameter_set_digest      TEXT REFERENCES parameter_sets (parameter_set_digest),
    status                    TEXT NOT NULL CHECK (status IN ('pending', 'done', 'failed', 'skipped')),
    digest                    TEXT NOT NULL,
    cycles                    TEXT,           -- [1, 2]; [] = all
    starts                    INTEGER,
    seed                      INTEGER,
    max_evaluations           INTEGER,
    best_start                INTEGER,
    starts_done               INTEGER,        -- starts that came to a minimum
    starts_agreeing           INTEGER,
    rmse_default_mv           REAL,           -- before the fit
    rmse_mv                   REAL,           -- after the fit
    seconds                   REAL,
    reason                    TEXT NOT NULL,
    reason_code               TEXT NOT NULL,
    log                       TEXT NOT NULL,
    agreeing_within           REAL,           -- largest relative difference of a parameter between agreeing starts
    samples                   INTEGER,        -- samples in the fit
    noise_mv                  REAL,           -- noise of the measured voltage
    residual_correlation_samples REAL,        -- number of samples over which residuals are correlated; 1 = white noise
    condition_number          REAL,           -- of the scaled Jacobian
    validation_rmse_mv        REAL,           -- after the fit, on held-out cycles
    validation_default_rmse_mv REAL,          -- before the fit, on held-out cycles
    verdict                   TEXT,           -- in words
    validation_cycles         TEXT,           -- held-out cycles, [3]; [] = none
    chain                     TEXT,           -- name of its chain in the campaign; NULL: not in a chain
    chain_cycle               INTEGER,        -- check-up in the chain: first cycle of the fit
    starts_stopped            INTEGER,        -- starts that stopped early; not in starts_done
    charge_throughput_ah      REAL,           -- charge in + charge out of the fitted cycles
    charge_uncertainty_ah     REAL,           -- half of upper - lower bound of it
    initial_state_source      TEXT,           -- of the first fitted stretch, in words
    state_uncertainty_mv      REAL,           -- of the starting states' open-circuit voltages; NULL: given or fitted
    state_uncertainty_soc     REAL,           -- the same as a state of charge
    selection                 TEXT,           -- the fitted part of the record if it is not whole cycles; then cycles is []
    validation_selection      TEXT,           -- the held-out part, likewise
    numerical_error_rmse_mv   REAL,           -- as in simulations, at the fitted samples
    compression_rmse_mv       REAL,
    charge_uncertainty_mv     REAL,
    error_budget_mv           REAL,
    error_budget_main         TEXT,
    error_budget_unknown      TEXT,
    error_budget_too_large    INTEGER CHECK (error_budget_too_large IN (0, 1)),
    temperature_rmse_default_kelvin REAL,     -- of the surface temperature before the fit; NULL: not compared
    temperature_rmse_kelvin   REAL,           -- after the fit
    validation_temperature_rmse_kelvin REAL,  -- after the fit, on the held-out part
    starts_unconverged        INTEGER,        -- starts that ended at their limit or abnormally; not in starts_done
    agreeing_starts           TEXT,           -- numbers of the starts that agree, [0, 1]; NULL: not known
    data_cost                 REAL,           -- cost of the best start without priors, mV2
    residual_systematic       INTEGER,        -- whether the residual is certainly more than noise, 0 or 1
    model_error_mv            REAL,           -- standard deviation of its part that is correlated in time
    residual_correlation_second REAL,         -- time over which that part is correlated
    standing                  TEXT NOT NULL DEFAULT 'current',
    PRIMARY KEY (cell_id, label)
) STRICT, WITHOUT ROWID;
CREATE INDEX fits_by_name ON fits (fit);
CREATE INDEX fits_by_model_digest ON fits (model_digest);
CREATE INDEX fits_by_base_parameter_set_digest ON fits (base_parameter_set_digest);
CREATE INDEX fits_by_parameter_set_digest ON fits (parameter_set_digest);

-- Fitted parameters. If is_factor is 1, value, default_value and bounds are factors that multiply the parameter of
-- the base set, and the unit is ''.
CREATE TABLE fit_parameters (
    cell_id       TEXT NOT NULL,
    label         TEXT NOT NULL,
    parameter     TEXT NOT NULL,
    unit          TEXT NOT NULL,
    value         REAL,
    default_value REAL,
    lower         REAL NOT NULL,
    upper         REAL NOT NULL,
    scale         TEXT NOT NULL CHECK (scale IN ('linear', 'log')),
    at_bound      INTEGER NOT NULL CHECK (at_bound IN (0, 1)),
    is_factor     INTEGER NOT NULL CHECK (is_factor IN (0, 1)),
    standard_error REAL,  -- NULL: not determined by the record, or the value is at a bound
    lower_95      REAL,
    upper_95      REAL,
    verdict       TEXT,
    PRIMARY KEY (cell_id, label, parameter),
    FOREIGN KEY (cell_id, label) REFERENCES fits (cell_id, label) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Correlations between the parameters of a fit, each pair once.
CREATE TABLE fit_correlations (
    cell_id   TEXT NOT NULL,
    label     TEXT NOT NULL,
    parameter TEXT NOT NULL,
    other     TEXT NOT NULL,
    value     REAL NOT NULL,  -- -1 to 1
    PRIMARY KEY (cell_id, label, parameter, other),
    FOREIGN KEY (cell_id, label) REFERENCES fits (cell_id, label) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Voltage errors of a fit by step type and window, of what it was fitted to and of what it held out, without weights.
CREATE TABLE fit_errors (
    cell_id           TEXT NOT NULL,
    label             TEXT NOT NULL,
    part              TEXT NOT NULL CHECK (part IN ('fitted', 'held_out')),
    step_type         TEXT NOT NULL,  -- charge, discharge, rest, hold, pulse, all
    window            TEXT NOT NULL,  -- ohmic (to 2 s), kinetic (to 20 s), diffusion (to 120 s), capacity (later), all
    samples           INTEGER NOT NULL,
    rmse_default_mv   REAL,           -- before the fit
    rmse_mv           REAL,           -- after the fit
    bias_mv           REAL,
    worst_mv          REAL,
    worst_time_second REAL,
    PRIMARY KEY (cell_id, label, part, step_type, window),
    FOREIGN KEY (cell_id, label) REFERENCES fits (cell_id, label) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Starts of fits. A start is recorded before its fit, so it has no reference to fits.
CREATE TABLE fit_starts (
    cell_id       TEXT NOT NULL REFERENCES cells (cell_id),
    label         TEXT NOT NULL,
    fit           TEXT NOT NULL,
    start         INTEGER,
    status        TEXT NOT NULL CHECK (status IN ('pending', 'done', 'failed', 'skipped')),
    digest        TEXT NOT NULL,
    seed          INTEGER,
    rmse_first_mv REAL,
    rmse_mv       REAL,
    evaluations   INTEGER,
    message       TEXT NOT NULL,
    seconds       REAL,
    reason        TEXT NOT NULL,
    reason_code   TEXT NOT NULL,
    log           TEXT NOT NULL,
    cost          REAL,  -- half the weighted sum of squared residuals, mV2
    began_from    TEXT,  -- the fit whose values it began with, in a chain or a smaller one; '' = its own initial guess
    stopped       TEXT,  -- why it stopped early, at its best point: time_limit, beaten, on_its_way, died; '' = it did not
    converged     INTEGER,  -- 1: it came to a minimum; 0: it ended at its limit or abnormally; NULL: not known
    data_cost     REAL,  -- cost without priors, mV2
    prior_squares REAL,  -- sum of the squares of the priors' deviations over their standard deviations
    standing      TEXT NOT NULL DEFAULT 'current',
    PRIMARY KEY (cell_id, label)
) STRICT, WITHOUT ROWID;
CREATE INDEX fit_starts_by_fit ON fit_starts (cell_id, fit, start);

-- Initial and final value of each parameter in each start.
CREATE TABLE fit_start_values (
    cell_id     TEXT NOT NULL,
    label       TEXT NOT NULL,
    parameter   TEXT NOT NULL,
    first_value REAL,
    value       REAL,
    PRIMARY KEY (cell_id, label, parameter),
    FOREIGN KEY (cell_id, label) REFERENCES fit_starts (cell_id, label) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Confidence intervals of fitted parameters from their profile likelihood: one row for each profile.
CREATE TABLE fit_intervals (
    cell_id     TEXT NOT NULL REFERENCES cells (cell_id),
    label       TEXT NOT NULL,  -- of the profile's job
    fit         TEXT NOT NULL,
    parameter   TEXT NOT NULL,
    unit        TEXT,
    status      TEXT NOT NULL CHECK (status IN ('pending', 'done', 'failed', 'skipped')),
    digest      TEXT NOT NULL,
    value       REAL,           -- the fitted value
    cost        REAL,           -- at the fit's optimum, mV2
    level       REAL,           -- cost at the limits of the 95 % confidence interval, mV2
    lower_95    REAL,           -- NULL: no limit on this side
    upper_95    REAL,
    lower_end   TEXT,           -- why the profile ends: level, bound, no_solution, evaluations
    upper_end   TEXT,
    evaluations INTEGER,
    verdict     TEXT,           -- in words
    seconds     REAL,
    reason      TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    log         TEXT NOT NULL,
    standing    TEXT NOT NULL DEFAULT 'current',
    PRIMARY KEY (cell_id, label)
) STRICT, WITHOUT ROWID;
CREATE INDEX fit_intervals_by_fit ON fit_intervals (cell_id, fit, parameter);

-- Points of each profile by rising value: the parameter is fixed, all others are fitted again. Cost and level in mV2.
CREATE TABLE fit_profiles (
    cell_id   TEXT NOT NULL,
    label     TEXT NOT NULL,
    fit       TEXT NOT NULL,
    parameter TEXT NOT NULL,
    position  INTEGER NOT NULL,
    value     REAL NOT NULL,
    rmse_mv   REAL NOT NULL,
    cost      REAL NOT NULL,
    level     REAL NOT NULL,
    PRIMARY KEY (cell_id, label, position),
    FOREIGN KEY (cell_id, label) REFERENCES fit_intervals (cell_id, label) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Fitted parameter sets: every set of values that a fit of a cell gave, and its origin. New values are a new version.
CREATE TABLE fitted_sets (
    cell_id              TEXT NOT NULL REFERENCES cells (cell_id),
    label                TEXT NOT NULL,     -- of the fit
    version              INTEGER NOT NULL,  -- 1, 2, ... in the order in which this catalog recorded them
    parameter_set        TEXT NOT NULL,     -- its name, such as Chen2020+diffusion
    parameter_set_digest TEXT NOT NULL REFERENCES parameter_sets (parameter_set_digest),
    base_parameter_set   TEXT NOT NULL,     -- the set before the fit
    base_parameter_set_digest TEXT NOT NULL REFERENCES parameter_sets (parameter_set_digest),
    fit                  TEXT NOT NULL,
    fit_digest           TEXT NOT NULL,     -- of the latest job that gave these values
    model                TEXT NOT NULL,
    cycles               TEXT NOT NULL,     -- [1, 2]; [] = all
    starts_done          INTEGER NOT NULL,
    starts_agreeing      INTEGER NOT NULL,
    rmse_default_mv      REAL,              -- before the fit
    rmse_mv              REAL NOT NULL,     -- after the fit
    validation_rmse_mv   REAL,
    verdict              TEXT NOT NULL,
    settings             TEXT NOT NULL,     -- settings of the fit, as JSON
    beginning            TEXT,              -- initial state, capacity and temperature of the fitted record, as JSON
    kilocell             TEXT,              -- versions
    pybamm               TEXT,
    found_unix_second    REAL NOT NULL,
    PRIMARY KEY (cell_id, label, version),
    UNIQUE (cell_id, label, parameter_set_digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX fitted_sets_by_parameter_set_digest ON fitted_sets (parameter_set_digest);
CREATE INDEX fitted_sets_by_base_parameter_set_digest ON fitted_sets (base_parameter_set_digest);

-- What the views show: 0 = what is current, 1 = everything. `--all` reads with another extent; no view is written twice.
CREATE VIEW extent AS SELECT 0 AS everything;

-- The current rows of each table with a standing, and of the tables that belong to them.
CREATE VIEW current_cells AS
SELECT * FROM cells WHERE standing = 'current' OR (SELECT everything FROM extent);
CREATE VIEW current_sources AS
SELECT * FROM sources WHERE standing = 'current' OR (SELECT everything FROM extent);
CREATE VIEW current_jobs AS
SELECT * FROM jobs WHERE standing = 'current' OR (SELECT everything FROM extent);
CREATE VIEW current_clean_reports AS
SELECT * FROM clean_reports WHERE standing = 'current' OR (SELECT everything FROM extent);
CREATE VIEW current_simulations AS
SELECT * FROM simulations WHERE standing = 'current' OR (SELECT everything FROM extent);
CREATE VIEW current_fits AS
SELECT * FROM fits WHERE standing = 'current' OR (SELECT everything FROM extent);
CREATE VIEW current_fit_starts AS
SELECT * FROM fit_starts WHERE standing = 'current' OR (SELECT everything FROM extent);
CREATE VIEW current_fit_intervals AS
SELECT * FROM fit_intervals WHERE standing = 'current' OR (SELECT everything FROM extent);
CREATE VIEW current_cycles AS
SELECT x.* FROM cycles x JOIN current_clean_reports r ON r.cell_id = x.cell_id;
CREATE VIEW current_findings AS
SELECT x.* FROM findings x JOIN current_clean_reports r ON r.cell_id = x.cell_id;

-- How well the charge of each cleaned record is known. The uncertainty is half of the upper - lower bound of the charge
-- throughput (in + out), and so of the net charge (in - out). NULL: an older version cleaned the cell.
CREATE VIEW charge_uncertainty AS
SELECT cell_id, charge_source, charge_in_after_ah AS charge_in_ah, charge_in_low_ah, charge_in_high_ah,
    charge_in_counted_ah, charge_out_after_ah AS charge_out_ah, charge_out_low_ah, charge_out_high_ah,
    charge_out_counted_ah,
    (charge_in_high_ah - charge_in_low_ah + charge_out_high_ah - charge_out_low_ah) / 2 AS charge_uncertainty_ah,
    100 * (charge_in_high_ah - charge_in_low_ah + charge_out_high_ah - charge_out_low_ah) / 2
        / nullif(charge_in_after_ah + charge_out_after_ah, 0) AS charge_uncertainty_percent
FROM current_clean_reports
ORDER BY cell_id;

-- The simulations of the plan: the current ones, and those that are out of date.
CREATE VIEW planned_simulations AS
SELECT cell_id, label, model, parameter_set, model_digest, parameter_set_digest, standing FROM simulations
WHERE standing <> 'of an earlier campaign' OR (SELECT everything FROM extent);

-- The cleaning of each cell; pending if its cleaned record is out of date.
CREATE VIEW cleaning_jobs AS
SELECT cell_id,
    CASE WHEN standing LIKE 'out of date%' AND NOT (SELECT everything FROM extent) THEN 'pending' ELSE status END AS status,
    CASE WHEN standing LIKE 'out of date%' THEN standing ELSE reason END AS reason, standing
FROM jobs
WHERE kind = 'clean' AND (standing <> 'of an earlier campaign' OR (SELECT everything FROM extent));

-- Finished simulations. Those that are out of date have the status pending, and their numbers still.
CREATE VIEW finished_simulations AS
SELECT * FROM current_simulations WHERE status = 'done' OR (status = 'pending' AND samples IS NOT NULL);

-- Results: one row for each simulation, with facts about its cell. A cell without simulations has one row with the
-- status of its cleaning. Source and uncertainty of the charge are those of the simulated cycles, else of the record.
-- What is out of date is pending, has no numbers, and the reason why it is done again.
CREATE VIEW results AS
SELECT c.cell_id, r.rows_kept AS rows, r.cycles_after AS cycles,
    CASE WHEN r.cell_id IS NOT NULL THEN (SELECT count(*) FROM findings f WHERE f.cell_id = c.cell_id) END AS findings,
    p.model, p.parameter_set, s.rmse_mv, s.bias_mv, s.worst_mv, s.worst_time_second,
    CASE WHEN p.label IS NULL THEN coalesce(j.status, 'pending') ELSE coalesce(s.status, 'pending') END AS status,
    CASE WHEN p.label IS NULL THEN coalesce(j.reason, '') ELSE coalesce(s.reason, p.standing) END AS reason,
    s.seconds, p.label, s.path, coalesce(s.charge_source, r.charge_source) AS charge_source, s.charge_error,
    coalesce(s.charge_uncertainty_ah, u.charge_uncertainty_ah) AS charge_uncertainty_ah,
    coalesce(100 * s.charge_uncertainty_ah / nullif(s.charge_throughput_ah, 0), u.charge_uncertainty_percent)
        AS charge_uncertainty_percent,
    c.capacity_source, c.parameter_set_source, s.initial_state_source, s.state_uncertainty_mv, s.state_uncertainty_soc,
    s.temperature_source, s.selection, s.error_budget_mv, s.error_budget_main, s.error_budget_unknown,
    s.error_budget_too_large, s.numerical_error_rmse_mv, s.numerical_error_worst_mv, s.compression_rmse_mv,
    s.compression_worst_mv, s.charge_uncertainty_mv, s.temperature_rmse_kelvin,
    coalesce(p.standing, j.standing, c.standing) AS standing,
    CASE WHEN p.parameter_set_digest IS NOT NULL THEN NOT EXISTS (
        SELECT 1 FROM parameter_overrides o WHERE o.parameter_set_digest = p.parameter_set_digest) END AS is_default
FROM current_cells c
LEFT JOIN current_clean_reports r ON r.cell_id = c.cell_id
LEFT JOIN cleaning_jobs j ON j.cell_id = c.cell_id
LEFT JOIN charge_uncertainty u ON u.cell_id = c.cell_id
LEFT JOIN planned_simulations p ON p.cell_id = c.cell_id
LEFT JOIN current_simulations s ON s.cell_id = p.cell_id AND s.label = p.label
LEFT JOIN models m ON m.model_digest = p.model_digest
ORDER BY c.cell_id, p.parameter_set, m.rowid, p.label;

-- Overview of cells: one row for each cell with its settings, its cleaned record and its best simulation.
CREATE VIEW cell_overview AS
SELECT c.cell_id, c.nominal_capacity_ah, c.temperature_celsius,
    (SELECT count(*) FROM source_cells x JOIN current_sources o ON o.path = x.path WHERE x.cell_id = c.cell_id) AS sources,
    r.rows_in, r.rows_kept, r.rows_quarantined, r.cycles_after AS cycles, r.time_span_after_second AS time_span_second,
    r.charge_in_after_ah AS charge_in_ah, r.charge_out_after_ah AS charge_out_ah, r.temperature_mean_celsius,
    CASE WHEN r.cell_id IS NOT NULL THEN (SELECT count(*) FROM findings f WHERE f.cell_id = c.cell_id) END AS findings,
    coalesce(j.status, 'pending') AS status,
    (SELECT count(*) FROM current_simulations s WHERE s.cell_id = c.cell_id AND s.status = 'done') AS simulations_done,
    (SELECT count(*) FROM current_simulations s WHERE s.cell_id = c.cell_id AND s.status = 'failed')
        AS simulations_failed,
    b.label AS best_simulation, b.rmse_mv AS best_rmse_mv, r.path, r.rows_inserted, r.charge_source,
    r.charge_in_low_ah, r.charge_in_high_ah, r.charge_out_low_ah, r.charge_out_high_ah, r.charge_in_counted_ah,
    r.charge_out_counted_ah, u.charge_uncertainty_ah, u.charge_uncertainty_percent,
    c.capacity_source, c.parameter_set_source, coalesce(j.standing, c.standing) AS standing
FROM current_cells c
LEFT JOIN current_clean_reports r ON r.cell_id = c.cell_id
LEFT JOIN cleaning_jobs j ON j.cell_id = c.cell_id
LEFT JOIN charge_uncertainty u ON u.cell_id = c.cell_id
LEFT JOIN simulations b ON b.cell_id = c.cell_id
    AND b.label = (SELECT s.label FROM current_simulations s WHERE s.cell_id = c.cell_id AND s.rmse_mv IS NOT NULL
                   ORDER BY s.rmse_mv, s.label LIMIT 1)
ORDER BY c.cell_id;

-- Number of jobs of each kind and status. Jobs of the plan that have no current result are pending.
CREATE VIEW job_counts AS
SELECT kind, status, count(*) AS count FROM (
    SELECT p.kind, CASE WHEN j.standing = 'current' THEN j.status ELSE 'pending' END AS status
    FROM plan p LEFT JOIN jobs j ON j.kind = p.kind AND j.cell_id = p.cell_id AND j.label = p.label
    WHERE NOT (SELECT everything FROM extent)
    UNION ALL
    SELECT kind, status FROM jobs WHERE (SELECT everything FROM extent) OR NOT EXISTS (SELECT 1 FROM plan))
GROUP BY kind, status;

-- Failed jobs and their reasons; for a simulation also its last sample and the file with its first part.
CREATE VIEW failures AS
SELECT j.kind, j.cell_id, j.label, j.reason_code, j.reason, j.log, j.host, j.started_unix_second, j.seconds,
    s.ended_second, s.partial_rmse_mv, s.path, j.standing
FROM current_jobs j
LEFT JOIN simulations s ON j.kind = 'simulate' AND s.cell_id = j.cell_id AND s.label = j.label AND s.status = 'failed'
WHERE j.status = 'failed'
ORDER BY j.kind, j.cell_id, j.label;

-- Errors of each model and parameter set over all cells with a finished simulation.
CREATE VIEW model_comparison AS
SELECT model, parameter_set, count(*) AS cells, avg(rmse_mv) AS rmse_mean_mv,
    min(rmse_mv) AS rmse_min_mv, max(rmse_mv) AS rmse_max_mv, avg(bias_mv) AS bias_mean_mv, sum(seconds) AS seconds,
    standing
FROM finished_simulations
GROUP BY model, parameter_set, standing;

-- Overridden parameters with the name of their set.
CREATE VIEW parameter_values AS
SELECT p.parameter_set, p.base, o.parameter, o.kind, o.value, o.unit, p.parameter_set_digest
FROM parameter_sets p JOIN parameter_overrides o ON o.parameter_set_digest = p.parameter_set_digest
WHERE p.parameter_set_digest IN (
    SELECT x.parameter_set_digest FROM cell_parameter_sets x JOIN current_cells c ON c.cell_id = x.cell_id
    UNION SELECT parameter_set_digest FROM current_simulations UNION SELECT parameter_set_digest FROM current_fits
    UNION SELECT base_parameter_set_digest FROM current_fits)
ORDER BY p.parameter_set, p.rowid, o.position;

-- Fitted parameters with their fit, and their profile if one was computed.
CREATE VIEW fitted_parameters AS
SELECT f.cell_id, f.fit, f.model, f.base_parameter_set, f.parameter_set, p.parameter, p.value, p.unit,
    p.standard_error, p.lower_95, p.upper_95, p.verdict, p.default_value, p.lower, p.upper, p.scale, p.at_bound,
    p.is_factor, f.rmse_default_mv, f.rmse_mv, f.status, f.label,
    i.lower_95 AS profile_lower_95, i.upper_95 AS profile_upper_95, i.verdict AS profile_verdict,
    f.standing
FROM current_fits f JOIN fit_parameters p ON p.cell_id = f.cell_id AND p.label = f.label
LEFT JOIN current_fit_intervals i ON i.cell_id = f.cell_id AND i.fit = f.fit AND i.parameter = p.parameter
    AND i.status = 'done' AND i.value = p.value  -- not the profile of an earlier fit
ORDER BY f.cell_id, f.label, p.parameter;

-- Parameters along a cell's life: one row for each parameter and check-up of a chain of fits.
CREATE VIEW parameters_along_life AS
SELECT f.cell_id, f.chain, f.chain_cycle, p.parameter, p.value, p.unit, p.standard_error, p.lower_95, p.upper_95,
    CASE WHEN p.parameter <> 'Initial state of charge'  -- which is each check-up's own
        THEN p.value / nullif(first_value(p.value) OVER along, 0) END AS share_of_first,
    p.at_bound, p.is_factor, p.verdict, f.rmse_mv, f.samples, f.model, f.base_parameter_set, f.parameter_set, f.label,
    p.lower, p.upper, p.scale, f.standing
FROM current_fits f JOIN fit_parameters p ON p.cell_id = f.cell_id AND p.label = f.label
WHERE f.chain IS NOT NULL AND f.status = 'done'
WINDOW along AS (PARTITION BY f.cell_id, f.chain, p.parameter, f.standing ORDER BY f.chain_cycle)
ORDER BY f.cell_id, f.chain, p.parameter, f.chain_cycle;

-- Findings of each cell summed by rule, with the worst severity and all actions.
CREATE VIEW rules_by_cell AS
SELECT f.cell_id, f.rule,
    CASE max(CASE f.severity WHEN 'error' THEN 2 WHEN 'warning' THEN 1 ELSE 0 END)
        WHEN 2 THEN 'error' WHEN 1 THEN 'warning' ELSE 'info' END AS severity,
    count(*) AS findings,
    (SELECT n.samples FROM flag_counts n WHERE n.cell_id = f.cell_id AND n.rule = f.rule) AS samples_flagged,
    (SELECT coalesce(sum(q.rows), 0) FROM quarantine_counts q WHERE q.cell_id = f.cell_id AND q.rule = f.rule)
        AS rows_quarantined,
    group_concat(DISTINCT f.action) AS actions
FROM current_findings f
GROUP BY f.cell_id, f.rule;

-- Quarantined rows by file and rule; quarantine/CELL.parquet has the rows with their raw values.
CREATE VIEW quarantined_rows AS
SELECT q.cell_id, s.path, q.rule, q.rows, q.source_index
FROM quarantine_counts q
JOIN current_clean_reports r ON r.cell_id = q.cell_id
LEFT JOIN record_sources s ON s.cell_id = q.cell_id AND s.source_index = q.source_index
ORDER BY q.cell_id, q.source_index, q.rule;

-- How each rule changed each cell's charge, in A.h and in percent of the charge before cleaning.
CREATE VIEW charge_by_rule AS
SELECT h.cell_id, h.rule, h.charge_in_ah, h.charge_out_ah,
    100 * h.charge_in_ah / nullif(r.charge_in_before_ah, 0) AS charge_in_percent,
    100 * h.charge_out_ah / nullif(r.charge_out_before_ah, 0) AS charge_out_percent
FROM charge_changes h
JOIN current_clean_reports r ON r.cell_id = h.cell_id
ORDER BY h.cell_id, h.position;

-- RMSE of each finished simulation over the complete record by window after the step's start, and RMSE of the error's
-- change since the step's start.
CREATE VIEW errors_by_window AS
SELECT s.cell_id, s.model, s.parameter_set, s.rmse_mv,
    max(CASE w.window WHEN 'ohmic' THEN w.rmse_mv END) AS ohmic_rmse_mv,
    max(CASE w.window WHEN 'ohmic' THEN w.change_rmse_mv END) AS ohmic_change_rmse_mv,
    max(CASE w.window WHEN 'kinetic' THEN w.rmse_mv END) AS kinetic_rmse_mv,
    max(CASE w.window WHEN 'kinetic' THEN w.change_rmse_mv END) AS kinetic_change_rmse_mv,
    max(CASE w.window WHEN 'diffusion' THEN w.rmse_mv END) AS diffusion_rmse_mv,
    max(CASE w.window WHEN 'diffusion' THEN w.change_rmse_mv END) AS diffusion_change_rmse_mv,
    max(CASE w.window WHEN 'capacity' THEN w.rmse_mv END) AS capacity_rmse_mv,
    max(CASE w.window WHEN 'capacity' THEN w.change_rmse_mv END) AS capacity_change_rmse_mv,
    s.label, s.standing
FROM finished_simulations s
LEFT JOIN step_comparisons w ON w.cell_id = s.cell_id AND w.label = s.label
    AND w.cycle_count = 0 AND w.step_type = 'all'
GROUP BY s.cell_id, s.label
ORDER BY s.cell_id, s.label;

-- RMSE of each finished simulation over the complete record by step type.
CREATE VIEW errors_by_step_type AS
SELECT s.cell_id, s.model, s.parameter_set, s.rmse_mv,
    max(CASE t.step_type WHEN 'charge' THEN t.rmse_mv END) AS charge_rmse_mv,
    max(CASE t.step_type WHEN 'discharge' THEN t.rmse_mv END) AS discharge_rmse_mv,
    max(CASE t.step_type WHEN 'rest' THEN t.rmse_mv END) AS rest_rmse_mv,
    max(CASE t.step_type WHEN 'hold' THEN t.rmse_mv END) AS hold_rmse_mv,
    max(CASE t.step_type WHEN 'pulse' THEN t.rmse_mv END) AS pulse_rmse_mv,
    s.label, s.standing
FROM finished_simulations s
LEFT JOIN step_comparisons t ON t.cell_id = s.cell_id AND t.label = s.label
    AND t.cycle_count = 0 AND t.window = 'all'
GROUP BY s.cell_id, s.label
ORDER BY s.cell_id, s.label;

-- Errors of each cycle of each finished simulation: voltage, energy (model / measured - 1), capacity, and charge
-- (model - record) beside the uncertainty of the record's own charge. Of a failed simulation, the cycles that did not
-- fail.
CREATE VIEW errors_by_cycle AS
SELECT s.cell_id, s.model, s.parameter_set, k.cycle_count, k.samples, k.rmse_mv, k.rmse_time_weighted_mv,
    k.bias_mv, k.worst_mv, k.worst_time_second,
    100 * (k.energy_in_model_wh / nullif(k.energy_in_measured_wh, 0) - 1) AS energy_in_error_percent,
    100 * (k.energy_out_model_wh / nullif(k.energy_out_measured_wh, 0) - 1) AS energy_out_error_percent,
    k.capacity_error_ah, k.capacity_voltage_volt, 100 * k.charge_error AS charge_error_percent, s.label,
    CASE k.cycle_count WHEN 0 THEN 100 * s.charge_uncertainty_ah / nullif(s.charge_throughput_ah, 0)
        ELSE 100 * (y.charge_in_high_ah - y.charge_in_low_ah + y.charge_out_high_ah - y.charge_out_low_ah) / 2
            / nullif(y.charge_in_ah + y.charge_out_ah, 0) END AS charge_uncertainty_percent,
    s.status, s.standing
FROM current_simulations s
JOIN comparisons k ON k.cell_id = s.cell_id AND k.label = s.label
LEFT JOIN cycles y ON y.cell_id = k.cell_id AND y.cycle_count = k.cycle_count
WHERE s.status IN ('done', 'pending') OR (s.status = 'failed' AND k.cycle_count > 0)
ORDER BY s.cell_id, s.label, k.cycle_count;

-- Errors of each stretch of the simulations of selected parts, with the reason of each that failed.
CREATE VIEW errors_by_stretch AS
SELECT s.cell_id, s.model, s.parameter_set, s.selection, t.stretch, t.name, t.samples, t.rmse_mv, t.bias_mv, t.worst_mv,
    t.worst_time_second, t.first_test_time_second, t.last_test_time_second, t.first_cycle_count, t.last_cycle_count,
    t.first_step_count, t.last_step_count, t.initial_soc, t.initial_voltage_volt, t.initial_state_source, t.status,
    t.reason, t.reason_code, s.label, t.state_uncertainty_mv, t.state_uncertainty_soc, s.standing
FROM current_simulations s
JOIN stretches t ON t.cell_id = s.cell_id AND t.label = s.label
ORDER BY s.cell_id, s.label, t.stretch;

-- All cycles of a cell: capacity, energy, efficiency, mean voltages, times, temperature, the findings in it, and the
-- resistance. Capacity is charge_out_ah. Efficiencies are out / in of the cycle; NULL: it does not return between 50 % and
-- 125 % of the charge that it took, such as a discharge of a cell that came charged, so that out / in is no efficiency.
CREATE VIEW cycle_overview AS
SELECT y.cell_id, y.cycle_count, y.charge_in_ah, y.charge_out_ah, y.energy_in_wh, y.energy_out_wh,
    CASE WHEN y.charge_out_ah BETWEEN 0.5 * y.charge_in_ah AND 1.25 * y.charge_in_ah
        THEN 100 * y.charge_out_ah / nullif(y.charge_in_ah, 0) END AS coulombic_efficiency_percent,
    CASE WHEN y.charge_out_ah BETWEEN 0.5 * y.charge_in_ah AND 1.25 * y.charge_in_ah
        THEN 100 * y.energy_out_wh / nullif(y.energy_in_wh, 0) END AS energy_efficiency_percent,
    y.energy_in_wh / nullif(y.charge_in_ah, 0) AS mean_charge_voltage_volt,
    y.energy_out_wh / nullif(y.charge_out_ah, 0) AS mean_discharge_voltage_volt,
    y.voltage_min_volt, y.voltage_max_volt, y.first_test_time_second, y.last_test_time_second,
    y.last_test_time_second - y.first_test_time_second AS duration_second, y.temperature_mean_celsius, y.steps,
    y.samples,
    (SELECT count(*) FROM findings f WHERE f.cell_id = y.cell_id AND f.cycle_count = y.cycle_count) AS findings,
    y.charge_source, y.charge_in_low_ah, y.charge_in_high_ah, y.charge_out_low_ah, y.charge_out_high_ah,
    y.charge_in_counted_ah, y.charge_out_counted_ah,
    100 * (y.charge_in_high_ah - y.charge_in_low_ah + y.charge_out_high_ah - y.charge_out_low_ah) / 2
        / nullif(y.charge_in_ah + y.charge_out_ah, 0) AS charge_uncertainty_percent,
    y.resistance_ohm, y.resistance_second, y.resistance_uncertainty_ohm, y.resistance_edges, y.resistance_source,
    r.standing
FROM cycles y JOIN current_clean_reports r ON r.cell_id = y.cell_id
ORDER BY y.cell_id, y.cycle_count;

-- Simulation against experiment, cycle by cycle: RMSE over the cycle, by window after a step's start, and by step type.
-- cycle_count 0 is the complete record. The curves are in the Parquet file path.
CREATE VIEW cycle_comparison AS
SELECT k.cell_id, s.model, s.parameter_set, k.cycle_count, k.samples, k.rmse_mv, k.bias_mv, k.worst_mv,
    k.worst_time_second,
    (SELECT w.rmse_mv FROM step_comparisons w WHERE w.cell_id = k.cell_id AND w.label = k.label
        AND w.cycle_count = k.cycle_count AND w.step_type = 'all' AND w.window = 'ohmic') AS ohmic_rmse_mv,
    (SELECT w.rmse_mv FROM step_comparisons w WHERE w.cell_id = k.cell_id AND w.label = k.label
        AND w.cycle_count = k.cycle_count AND w.step_type = 'all' AND w.window = 'kinetic') AS kinetic_rmse_mv,
    (SELECT w.rmse_mv FROM step_comparisons w WHERE w.cell_id = k.cell_id AND w.label = k.label
        AND w.cycle_count = k.cycle_count AND w.step_type = 'all' AND w.window = 'diffusion') AS diffusion_rmse_mv,
    (SELECT w.rmse_mv FROM step_comparisons w WHERE w.cell_id = k.cell_id AND w.label = k.label
        AND w.cycle_count = k.cycle_count AND w.step_type = 'all' AND w.window = 'capacity') AS capacity_rmse_mv,
    (SELECT w.rmse_mv FROM step_comparisons w WHERE w.cell_id = k.cell_id AND w.label = k.label
        AND w.cycle_count = k.cycle_count AND w.step_type = 'charge' AND w.window = 'all') AS charge_rmse_mv,
    (SELECT w.rmse_mv FROM step_comparisons w WHERE w.cell_id = k.cell_id AND w.label = k.label
        AND w.cycle_count = k.cycle_count AND w.step_type = 'discharge' AND w.window = 'all') AS discharge_rmse_mv,
    (SELECT w.rmse_mv FROM step_comparisons w WHERE w.cell_id = k.cell_id AND w.label = k.label
        AND w.cycle_count = k.cycle_count AND w.step_type = 'rest' AND w.window = 'all') AS rest_rmse_mv,
    (SELECT w.rmse_mv FROM step_comparisons w WHERE w.cell_id = k.cell_id AND w.label = k.label
        AND w.cycle_count = k.cycle_count AND w.step_type = 'hold' AND w.window = 'all') AS hold_rmse_mv,
    (SELECT w.rmse_mv FROM step_comparisons w WHERE w.cell_id = k.cell_id AND w.label = k.label
        AND w.cycle_count = k.cycle_count AND w.step_type = 'pulse' AND w.window = 'all') AS pulse_rmse_mv,
    k.label, s.status, s.path,
    CASE WHEN s.parameter_set_digest IS NOT NULL THEN NOT EXISTS (
        SELECT 1 FROM parameter_overrides o WHERE o.parameter_set_digest = s.parameter_set_digest) END AS is_default,
    s.standing
FROM current_simulations s
CROSS JOIN comparisons k ON k.cell_id = s.cell_id AND k.label = s.label  -- in this order: an index has the cycle
WHERE s.status IN ('done', 'pending') OR k.cycle_count > 0;

-- Parameter sets of each model: base, changed parameters, the fit that gave it, number of simulations and their RMSE.
CREATE VIEW model_parameter_sets AS
SELECT u.model, u.parameter_set, g.base, g.file_digest,
    (SELECT json_group_object(o.parameter, json_object('kind', o.kind, 'value', o.value, 'unit', o.unit))
     FROM parameter_overrides o WHERE o.parameter_set_digest = u.parameter_set_digest) AS overrides,
    (SELECT v.fit || ' of ' || v.cell_id || ', ' || v.model || ', from ' || v.base_parameter_set || ', version '
            || v.version
     FROM fitted_sets v WHERE v.parameter_set_digest = u.parameter_set_digest ORDER BY v.version DESC LIMIT 1)
        AS lineage,
    CASE WHEN u.parameter_set_digest IS NOT NULL THEN NOT EXISTS (
        SELECT 1 FROM parameter_overrides o WHERE o.parameter_set_digest = u.parameter_set_digest) END AS is_default,
    count(*) AS cells, sum(u.status = 'done') AS cells_done, sum(u.status = 'failed') AS cells_failed,
    avg(u.rmse_mv) AS rmse_mean_mv, min(u.rmse_mv) AS rmse_min_mv, max(u.rmse_mv) AS rmse_max_mv,
    u.parameter_set_digest, u.standing
FROM current_simulations u
LEFT JOIN parameter_sets g ON g.parameter_set_digest = u.parameter_set_digest
GROUP BY u.model, u.parameter_set, u.parameter_set_digest, u.standing
ORDER BY u.model, u.parameter_set;

-- Voltage curves: the simulations that have one, and its Parquet file. is_default: no parameter of the set was changed.
CREATE VIEW curves AS
SELECT s.cell_id, s.model, s.parameter_set, s.status, s.samples, s.rmse_mv, s.bias_mv, s.worst_mv, s.partial_rmse_mv,
    s.initial_soc, s.initial_voltage_volt, s.capacity_ah, s.temperature_celsius, s.selection, s.reason, s.label, s.path,
    CASE WHEN s.parameter_set_digest IS NOT NULL THEN NOT EXISTS (
        SELECT 1 FROM parameter_overrides o WHERE o.parameter_set_digest = s.parameter_set_digest) END AS is_default,
    s.standing
FROM current_simulations s
WHERE s.path IS NOT NULL
ORDER BY s.cell_id, s.model, s.parameter_set;
