-- From version 5 to version 6: the error budget of simulations and fits, and its parts; states of stretches; what fits say
-- of their starts, residuals, temperatures and errors. Older results have none of it (NULL) until the next `kilocell run`
-- does them again. And the plan of the last run, with the standing of results: all count until the next run, except those
-- that were marked for it. Do not change these statements; schema.sql is the current schema.

ALTER TABLE simulations ADD COLUMN charge_uncertainty_mv REAL;
ALTER TABLE simulations ADD COLUMN error_budget_mv REAL;
ALTER TABLE simulations ADD COLUMN error_budget_main TEXT;
ALTER TABLE simulations ADD COLUMN error_budget_unknown TEXT;
ALTER TABLE simulations ADD COLUMN error_budget_too_large INTEGER CHECK (error_budget_too_large IN (0, 1));

ALTER TABLE fits ADD COLUMN numerical_error_rmse_mv REAL;
ALTER TABLE fits ADD COLUMN compression_rmse_mv REAL;
ALTER TABLE fits ADD COLUMN charge_uncertainty_mv REAL;
ALTER TABLE fits ADD COLUMN error_budget_mv REAL;
ALTER TABLE fits ADD COLUMN error_budget_main TEXT;
ALTER TABLE fits ADD COLUMN error_budget_unknown TEXT;
ALTER TABLE fits ADD COLUMN error_budget_too_large INTEGER CHECK (error_budget_too_large IN (0, 1));
-- Stretches: how well the state at the start of each is known.
ALTER TABLE stretches ADD COLUMN state_uncertainty_mv REAL;
ALTER TABLE stretches ADD COLUMN state_uncertainty_soc REAL;
-- Fits: the surface temperature, and errors by step type and window.
ALTER TABLE fits ADD COLUMN temperature_rmse_default_kelvin REAL;
ALTER TABLE fits ADD COLUMN temperature_rmse_kelvin REAL;
ALTER TABLE fits ADD COLUMN validation_temperature_rmse_kelvin REAL;
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
-- Fits: starts and residuals.
ALTER TABLE fits ADD COLUMN starts_unconverged INTEGER;
ALTER TABLE fits ADD COLUMN agreeing_starts TEXT;
ALTER TABLE fits ADD COLUMN data_cost REAL;
ALTER TABLE fit_starts ADD COLUMN converged INTEGER;
ALTER TABLE fit_starts ADD COLUMN data_cost REAL;
ALTER TABLE fit_starts ADD COLUMN prior_squares REAL;
ALTER TABLE fits ADD COLUMN residual_systematic INTEGER;
ALTER TABLE fits ADD COLUMN model_error_mv REAL;
ALTER TABLE fits ADD COLUMN residual_correlation_second REAL;
ALTER TABLE simulations ADD COLUMN fitted_rmse_mv REAL;
ALTER TABLE simulations ADD COLUMN fit_difference TEXT;

CREATE TABLE plan (
    kind    TEXT NOT NULL CHECK (kind IN ('split', 'clean', 'simulate', 'start', 'fit', 'profile')),
    cell_id TEXT NOT NULL,
    label   TEXT NOT NULL,
    digest  TEXT NOT NULL,
    reason  TEXT NOT NULL,
    PRIMARY KEY (kind, cell_id, label)
) STRICT, WITHOUT ROWID;

CREATE INDEX findings_by_cycle ON findings (cell_id, cycle_count);

ALTER TABLE cells ADD COLUMN standing TEXT NOT NULL DEFAULT 'current';
ALTER TABLE sources ADD COLUMN standing TEXT NOT NULL DEFAULT 'current';
ALTER TABLE jobs ADD COLUMN standing TEXT NOT NULL DEFAULT 'current';
ALTER TABLE clean_reports ADD COLUMN standing TEXT NOT NULL DEFAULT 'current';
ALTER TABLE simulations ADD COLUMN standing TEXT NOT NULL DEFAULT 'current';
ALTER TABLE fits ADD COLUMN standing TEXT NOT NULL DEFAULT 'current';
ALTER TABLE fit_starts ADD COLUMN standing TEXT NOT NULL DEFAULT 'current';
ALTER TABLE fit_intervals ADD COLUMN standing TEXT NOT NULL DEFAULT 'current';

UPDATE jobs SET standing = 'out of date: settings or input changed' WHERE status = 'pending';
UPDATE simulations SET standing = 'out of date: settings or input changed' WHERE status = 'pending';
UPDATE fits SET standing = 'out of date: settings or input changed' WHERE status = 'pending';
UPDATE fit_starts SET standing = 'out of date: settings or input changed' WHERE status = 'pending';
UPDATE fit_intervals SET standing = 'out of date: settings or input changed' WHERE status = 'pending';
UPDATE clean_reports SET standing = 'out of date: settings or input changed'
WHERE EXISTS (SELECT 1 FROM jobs j WHERE j.kind = 'clean' AND j.cell_id = clean_reports.cell_id AND j.status = 'pending');
