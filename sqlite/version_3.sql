-- From version 2 to version 3: errors by step type and by window, energies and capacity error of each cycle, results of
-- failed simulations, initial states of cycles, and sources of capacity and temperature. Older simulations have none of it
-- (NULL, no rows) until the next `kilocell run` simulates them again. Do not change these statements; schema.sql is the
-- current schema.

ALTER TABLE parameter_sets ADD COLUMN file_digest TEXT;

-- SQLite cannot change a CHECK in place: copy the values to a new column.
ALTER TABLE cells RENAME COLUMN initial_state_policy TO policy_before;
ALTER TABLE cells ADD COLUMN initial_state_policy TEXT
    CHECK (initial_state_policy IN ('rest_voltage', 'soc', 'voltage', 'previous_cycle'));
UPDATE cells SET initial_state_policy = policy_before;
ALTER TABLE cells DROP COLUMN policy_before;

ALTER TABLE simulations ADD COLUMN capacity_ah REAL;
ALTER TABLE simulations ADD COLUMN capacity_source TEXT;
ALTER TABLE simulations ADD COLUMN temperature_source TEXT;
ALTER TABLE simulations ADD COLUMN compression_rmse_mv REAL;
ALTER TABLE simulations ADD COLUMN compression_worst_mv REAL;
ALTER TABLE simulations ADD COLUMN compiled INTEGER CHECK (compiled IN (0, 1));
ALTER TABLE simulations ADD COLUMN beyond_cutoff_second REAL;
ALTER TABLE simulations ADD COLUMN ended_second REAL;
ALTER TABLE simulations ADD COLUMN partial_rmse_mv REAL;

ALTER TABLE comparisons ADD COLUMN rmse_time_weighted_mv REAL;
ALTER TABLE comparisons ADD COLUMN energy_in_measured_wh REAL;
ALTER TABLE comparisons ADD COLUMN energy_in_model_wh REAL;
ALTER TABLE comparisons ADD COLUMN energy_out_measured_wh REAL;
ALTER TABLE comparisons ADD COLUMN energy_out_model_wh REAL;
ALTER TABLE comparisons ADD COLUMN charge_error REAL;
ALTER TABLE comparisons ADD COLUMN capacity_error_ah REAL;
ALTER TABLE comparisons ADD COLUMN capacity_voltage_volt REAL;

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
    change_rmse_mv    REAL,  -- of the error's change since the step began: what the step itself adds
    PRIMARY KEY (cell_id, label, cycle_count, step_type, window),
    FOREIGN KEY (cell_id, label) REFERENCES simulations (cell_id, label) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE initial_states (
    cell_id      TEXT NOT NULL,
    label        TEXT NOT NULL,
    cycle_count  INTEGER NOT NULL,
    soc          REAL,  -- 0 to 1
    voltage_volt REAL,
    source       TEXT NOT NULL,
    PRIMARY KEY (cell_id, label, cycle_count),
    FOREIGN KEY (cell_id, label) REFERENCES simulations (cell_id, label) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Reliability of fits. Older fits have none of it until they are computed again.
ALTER TABLE fits ADD COLUMN agreeing_within REAL;
ALTER TABLE fits ADD COLUMN samples INTEGER;
ALTER TABLE fits ADD COLUMN noise_mv REAL;
ALTER TABLE fits ADD COLUMN residual_correlation_samples REAL;
ALTER TABLE fits ADD COLUMN condition_number REAL;
ALTER TABLE fits ADD COLUMN validation_rmse_mv REAL;
ALTER TABLE fits ADD COLUMN validation_default_rmse_mv REAL;
ALTER TABLE fits ADD COLUMN verdict TEXT;
ALTER TABLE fits ADD COLUMN validation_cycles TEXT;
ALTER TABLE fits ADD COLUMN chain TEXT;
ALTER TABLE fits ADD COLUMN chain_cycle INTEGER;
ALTER TABLE fits ADD COLUMN starts_stopped INTEGER;
ALTER TABLE fit_parameters ADD COLUMN standard_error REAL;
ALTER TABLE fit_parameters ADD COLUMN lower_95 REAL;
ALTER TABLE fit_parameters ADD COLUMN upper_95 REAL;
ALTER TABLE fit_parameters ADD COLUMN verdict TEXT;
ALTER TABLE fit_starts ADD COLUMN cost REAL;
ALTER TABLE fit_starts ADD COLUMN began_from TEXT;
ALTER TABLE fit_starts ADD COLUMN stopped TEXT;

CREATE TABLE fit_correlations (
    cell_id   TEXT NOT NULL,
    label     TEXT NOT NULL,
    parameter TEXT NOT NULL,
    other     TEXT NOT NULL,
    value     REAL NOT NULL,  -- -1 to 1
    PRIMARY KEY (cell_id, label, parameter, other),
    FOREIGN KEY (cell_id, label) REFERENCES fits (cell_id, label) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Profiles are a new kind of job. The CHECK is on a column of the key, so the table is created again.
CREATE TABLE jobs_before AS SELECT * FROM jobs;
DROP TABLE jobs;
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
    run_id              INTEGER REFERENCES runs (run_id),  -- NULL: taken from a receipt that was found
    PRIMARY KEY (kind, cell_id, label)
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_by_cell ON jobs (cell_id);
CREATE INDEX jobs_by_status ON jobs (kind, status);
CREATE INDEX jobs_by_run ON jobs (run_id);
INSERT INTO jobs SELECT * FROM jobs_before;
DROP TABLE jobs_before;

CREATE TABLE fit_intervals (
    cell_id     TEXT NOT NULL REFERENCES cells (cell_id),
    label       TEXT NOT NULL,  -- of the profile's own job
    fit         TEXT NOT NULL,
    parameter   TEXT NOT NULL,
    unit        TEXT,
    status      TEXT NOT NULL CHECK (status IN ('pending', 'done', 'failed', 'skipped')),
    digest      TEXT NOT NULL,
    value       REAL,           -- the fit's
    cost        REAL,           -- at the fit's optimum, mV2
    level       REAL,           -- cost up to which a value lies inside the 95 % interval, mV2
    lower_95    REAL,           -- NULL: open on this side
    upper_95    REAL,
    lower_end   TEXT,           -- level, bound, no_solution, evaluations
    upper_end   TEXT,
    evaluations INTEGER,
    verdict     TEXT,           -- in words
    seconds     REAL,
    reason      TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    log         TEXT NOT NULL,
    PRIMARY KEY (cell_id, label)
) STRICT, WITHOUT ROWID;
CREATE INDEX fit_intervals_by_fit ON fit_intervals (cell_id, fit, parameter);

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

CREATE TABLE fitted_sets (
    cell_id              TEXT NOT NULL REFERENCES cells (cell_id),
    label                TEXT NOT NULL,     -- of the fit
    version              INTEGER NOT NULL,  -- 1, 2, ... in the order in which this catalog came to know them
    parameter_set        TEXT NOT NULL,     -- its name, as Chen2020+diffusion
    parameter_set_digest TEXT NOT NULL REFERENCES parameter_sets (parameter_set_digest),
    base_parameter_set   TEXT NOT NULL,     -- what was fitted from
    base_parameter_set_digest TEXT NOT NULL REFERENCES parameter_sets (parameter_set_digest),
    fit                  TEXT NOT NULL,
    fit_digest           TEXT NOT NULL,     -- of the job that found these values last
    model                TEXT NOT NULL,
    cycles               TEXT NOT NULL,     -- [1, 2]; [] = all
    starts_done          INTEGER NOT NULL,
    starts_agreeing      INTEGER NOT NULL,
    rmse_default_mv      REAL,              -- before
    rmse_mv              REAL NOT NULL,     -- after
    validation_rmse_mv   REAL,
    verdict              TEXT NOT NULL,
    settings             TEXT NOT NULL,     -- all that was asked, as JSON
    beginning            TEXT,              -- state, capacity and temperature at the fitted record's start, as JSON
    kilocell             TEXT,              -- versions
    pybamm               TEXT,
    found_unix_second    REAL NOT NULL,
    PRIMARY KEY (cell_id, label, version),
    UNIQUE (cell_id, label, parameter_set_digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX fitted_sets_by_parameter_set_digest ON fitted_sets (parameter_set_digest);
CREATE INDEX fitted_sets_by_base_parameter_set_digest ON fitted_sets (base_parameter_set_digest);
